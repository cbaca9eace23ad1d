//! What is said of an incident: its cause, whose deed it is, and what follows by itself.

use crate::words::named;
use terms::{InstanceId, Kind, TenantId, UserId};

/// Why something is an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A call, a frame or a report that a charter does not allow.
    OffCharter,
    /// A compartment found something alarming by itself.
    Report,
    /// A name was used that nobody has.
    Decoy,
    /// A keeper says nothing any more.
    Silence,
    /// A process ended as no sound one does.
    Crash,
    /// Much was opened in an hour that has always been quiet.
    Burst,
    /// Mail was opened, or a grant minted, without a sign-in that is still fresh.
    NoSignIn,
    /// Something was changed without an entry that says so.
    Unrecorded,
    /// Somebody came in by what a recorded deed had ended.
    Ended,
    /// A program was started in our tree, and nobody ordered it.
    Program,
    /// A process of ours was traced by another.
    Traced,
    /// A Sigma rule matched.
    Rule,
    /// An operator tries whether alarms arrive.
    Test,
    /// Mail, or a person, needs somebody to look: the compartment that says so is well.
    Attention,
}

impl Cause {
    pub fn word(self) -> &'static str {
        match self {
            Self::OffCharter => "off-charter",
            Self::Report => "report",
            Self::Decoy => "decoy",
            Self::Silence => "silence",
            Self::Crash => "crash",
            Self::Burst => "burst",
            Self::NoSignIn => "no-sign-in",
            Self::Unrecorded => "unrecorded",
            Self::Ended => "ended",
            Self::Program => "program",
            Self::Traced => "traced",
            Self::Rule => "rule",
            Self::Test => "test",
            Self::Attention => "attention",
        }
    }

    /// Whether its words say what happened: they are a compartment's own, and many sorts of deeds
    /// have this cause.
    pub fn is_in_words(self) -> bool {
        matches!(self, Self::OffCharter | Self::Report | Self::Attention | Self::Ended)
    }

    /// For people: in Japanese, and in English.
    pub fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::OffCharter => (
                "区画が許されていない動作を試みました",
                "a compartment tried what its charter does not allow",
            ),
            Self::Report => (
                "区画みずからが異常を報告しました",
                "a compartment itself found something alarming",
            ),
            Self::Decoy => ("おとりに触れた者がいます", "somebody touched a decoy"),
            Self::Silence => ("区画が応答しません", "a keeper says nothing any more"),
            Self::Crash => {
                ("プロセスが異常な終わり方をしました", "a process ended as no sound one does")
            }
            Self::Burst => (
                "いつも静かな時間に多くのメールが開かれました",
                "much was opened in an hour that has always been quiet",
            ),
            Self::NoSignIn => (
                "新しいサインインなしにメールが開かれました",
                "mail was opened without a sign-in that is still fresh",
            ),
            Self::Unrecorded => {
                ("記録のない変更がありました", "something was changed without a record of it")
            }
            Self::Ended => {
                ("失効した資格で入った者がいます", "somebody came in by what had been ended")
            }
            Self::Program => (
                "誰も命じていないプログラムが起動しました",
                "a program was started that nobody ordered",
            ),
            Self::Traced => {
                ("プロセスが外から追跡されました", "a process of the house was traced by another")
            }
            Self::Rule => ("Sigma ルールに一致しました", "a Sigma rule matched"),
            Self::Attention => (
                "確認が必要なメールまたは利用者があります",
                "mail, or a person, needs somebody to look",
            ),
            Self::Test => ("試験の警報です。事故ではありません", "this is a test, and no incident"),
        }
    }
}

/// Whose grants are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    Person(TenantId, UserId),
    Tenant(TenantId),
}

/// What follows by itself, if the settings allow it. A kill alone never freezes a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Replace(InstanceId),
    Freeze(Whose),
    /// A kind is taken out of the house until an operator lets it in again.
    Isolate(Kind),
}

/// Something that somebody must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub cause: Cause,
    pub kind: Option<Kind>,
    pub instance: Option<InstanceId>,
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
    /// How often the same was seen.
    pub count: u64,
    /// A few words of ours; never content, a name or an address.
    pub what: String,
    /// The Sigma rule's id (its title where it has none).
    pub rule: Option<String>,
    pub actions: Vec<Action>,
}

impl Incident {
    pub fn new(cause: Cause, what: impl Into<String>) -> Self {
        Self {
            cause,
            kind: None,
            instance: None,
            tenant: None,
            user: None,
            count: 1,
            what: what.into(),
            rule: None,
            actions: Vec::new(),
        }
    }

    #[must_use]
    pub fn of(mut self, instance: InstanceId, kind: Kind) -> Self {
        (self.instance, self.kind) = (Some(instance), Some(kind));
        self
    }

    #[must_use]
    pub fn by(mut self, instance: InstanceId) -> Self {
        self.instance = Some(instance);
        self
    }

    #[must_use]
    pub fn about(mut self, tenant: TenantId, user: UserId) -> Self {
        (self.tenant, self.user) = (Some(tenant), Some(user));
        self
    }

    #[must_use]
    pub fn then(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }
}

/// The word with which `identity` reports that a decoy was touched.
pub const DECOY_TOUCHED: &str = "a decoy was touched";

/// What the warden heard.
pub fn raw(instance: InstanceId, kind: Kind, call: &str, what: &str) -> Incident {
    let cause = match call {
        _ if what.starts_with(DECOY_TOUCHED) => Cause::Decoy,
        "silent" => Cause::Silence,
        "report" => Cause::Report,
        "attention" => Cause::Attention,
        _ => Cause::OffCharter,
    };
    let words =
        if cause == Cause::OffCharter { format!("{call}: {what}") } else { what.to_owned() };
    let tenant = named(&words, "tenant", TenantId::parse);
    let user = named(&words, "user", UserId::parse);
    Incident { tenant, user, ..Incident::new(cause, words).of(instance, kind) }
}

/// An end by a signal that we did not send, or with a code that says so.
pub fn ended(instance: InstanceId, kind: Kind, clean: bool, cause: &str) -> Option<Incident> {
    // What was killed for leaving its charter has been told of already; a kill that may be ours or
    // the kernel's, or an end that was seen late, is weather. The warden says of a keeper when it
    // is neither: somebody with rights on the host did it.
    let is_told = clean || matches!(cause, "off charter" | "adrift" | "signal 9" | "ended unseen");
    (!is_told).then(|| Incident::new(Cause::Crash, cause).of(instance, kind))
}
