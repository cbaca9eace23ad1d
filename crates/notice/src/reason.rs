//! Why mail came back: one of a score of reasons, from the status code and from the words around
//! it. Words decide where codes lie, which they often do: half of all systems say 5.0.0. But they
//! decide within the class: what may be taken tomorrow (4.x.x) is never told as if it were over.

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nobody has this address.
    UserUnknown,
    /// The domain does not exist or takes no mail.
    HostUnknown,
    /// The mailbox is full.
    MailboxFull,
    /// The account is switched off or asleep.
    Suspended,
    /// The address has moved.
    HasMoved,
    /// The receiver's own filter does not want this sender.
    Filtered,
    /// The receiving server refuses the sending host.
    Blocked,
    /// It was taken for spam.
    Spam,
    /// It was taken for malware.
    Virus,
    /// SPF, DKIM or DMARC did not hold.
    Authentication,
    /// The sender's address is refused.
    SenderRefused,
    /// The server passes no mail on for us.
    RelayRefused,
    /// Larger than the server takes.
    TooLarge,
    /// Its form or contents are refused.
    Content,
    /// Letters beyond ASCII in an address or the header, which the server does not take.
    NeedsUtf8,
    /// Octets beyond ASCII in the text, which the server does not take (8BITMIME).
    NeedsEightBits,
    /// Against the receiver's rules in another way.
    Policy,
    /// Too much in too short a time.
    TooFast,
    /// TLS that must be there was not.
    NeedsTls,
    /// The server does not offer it.
    NoTls,
    /// Its certificate is for another name.
    TlsName,
    /// Its certificate has expired, or is not valid yet.
    TlsExpired,
    /// Nobody known has issued its certificate.
    TlsUntrusted,
    /// Its certificate is none that the domain's signed records (TLSA) name.
    TlsRecord,
    /// The domain's policy (MTA-STS) names none of its servers.
    TlsPolicy,
    /// It asks for TLS on all of its way (REQUIRETLS, RFC 8689), and the server has no such thing.
    RequireTls,
    /// It asks for that, and nothing proves which server takes mail for the domain.
    Unproven,
    /// Nobody answered, or not in time.
    Unreachable,
    /// The connection broke before the mail was taken.
    HungUp,
    /// The server had all of the mail, and never answered: it may have taken it.
    MaybeTaken,
    /// Nobody has taken it yet.
    NotYet,
    /// Nothing has been heard from there at all.
    NoAnswer,
    /// The DNS does not say where mail for the domain goes.
    NoNames,
    /// The resolver of the sender's own house does not answer.
    NoResolver,
    /// The DNS says that it goes to the sender's own house, which has no such domain.
    LeadsBack,
    /// It goes in a circle.
    Loop,
    /// It could not be delivered to where the address passes its mail on.
    Beyond,
    /// The server answered what is no answer to what it was asked.
    Nonsense,
    /// A fault of the sender's own house.
    OwnFault,
    /// It waited for somebody's word until its time was over.
    Unreleased,
    /// Tried for days, given up.
    Expired,
    /// The remote system is broken, full or in a loop.
    System,
    /// Delivered after all.
    Delivered,
    /// Passed on, or spread to a list.
    Relayed,
    /// A complaint of a reader.
    Complaint,
    /// Somebody is away.
    Away,
    /// An operator of the sender's own house cancelled it.
    Cancelled,
    /// The same, when it was being handed over: it may have been taken.
    CancelledLate,
    /// Nothing that says why.
    Unknown,
}

impl Reason {
    /// Each with the word that it is kept by.
    const WORDS: [(Self, &str); 49] = [
        (Self::UserUnknown, "user-unknown"),
        (Self::HostUnknown, "host-unknown"),
        (Self::MailboxFull, "mailbox-full"),
        (Self::Suspended, "suspended"),
        (Self::HasMoved, "has-moved"),
        (Self::Filtered, "filtered"),
        (Self::Blocked, "blocked"),
        (Self::Spam, "spam"),
        (Self::Virus, "virus"),
        (Self::Authentication, "authentication"),
        (Self::SenderRefused, "sender-refused"),
        (Self::RelayRefused, "relay-refused"),
        (Self::TooLarge, "too-large"),
        (Self::Content, "content"),
        (Self::NeedsUtf8, "needs-utf8"),
        (Self::NeedsEightBits, "needs-8bit"),
        (Self::Policy, "policy"),
        (Self::TooFast, "too-fast"),
        (Self::NeedsTls, "needs-tls"),
        (Self::NoTls, "no-tls"),
        (Self::TlsName, "tls-name"),
        (Self::TlsExpired, "tls-expired"),
        (Self::TlsUntrusted, "tls-untrusted"),
        (Self::TlsRecord, "tls-record"),
        (Self::TlsPolicy, "tls-policy"),
        (Self::RequireTls, "require-tls"),
        (Self::Unproven, "unproven"),
        (Self::Unreachable, "unreachable"),
        (Self::HungUp, "hung-up"),
        (Self::MaybeTaken, "maybe-taken"),
        (Self::NotYet, "not-yet"),
        (Self::NoAnswer, "no-answer"),
        (Self::NoNames, "no-names"),
        (Self::NoResolver, "no-resolver"),
        (Self::LeadsBack, "leads-back"),
        (Self::Loop, "loop"),
        (Self::Beyond, "beyond"),
        (Self::Nonsense, "nonsense"),
        (Self::OwnFault, "own-fault"),
        (Self::Unreleased, "unreleased"),
        (Self::Expired, "expired"),
        (Self::System, "system"),
        (Self::Delivered, "delivered"),
        (Self::Relayed, "relayed"),
        (Self::Complaint, "complaint"),
        (Self::Away, "away"),
        (Self::Cancelled, "cancelled"),
        (Self::CancelledLate, "cancelled-late"),
        (Self::Unknown, "unknown"),
    ];

    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(reason, _)| *reason == self);
        found.map_or("unknown", |(_, word)| word)
    }

    pub fn of_word(word: &str) -> Self {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map_or(Self::Unknown, |(reason, _)| *reason)
    }

    /// The address takes no mail any more, whoever writes and whatever it is.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::UserUnknown | Self::HostUnknown | Self::Suspended | Self::HasMoved)
    }

    /// TLS that must be there was not, in whichever way.
    pub fn is_of_tls(self) -> bool {
        use Reason::{NeedsTls, NoTls, TlsExpired, TlsName, TlsPolicy, TlsRecord, TlsUntrusted};
        matches!(
            self,
            NeedsTls | NoTls | TlsName | TlsExpired | TlsUntrusted | TlsRecord | TlsPolicy
        )
    }

    /// What is left of it where the answer was "not now".
    fn for_now(self) -> Self {
        match self {
            Self::UserUnknown | Self::HasMoved => Self::NotYet,
            Self::HostUnknown => Self::NoNames,
            reason => reason,
        }
    }
}

/// The reason that words alone speak for.
pub(crate) fn clue(words: &str, is_final: bool) -> Option<Reason> {
    // Systems fold their sentences anywhere.
    let words = words.to_lowercase();
    crate::clues::by_words(&words.split_whitespace().collect::<Vec<_>>().join(" "), is_final)
}

/// The reason that status (`5.1.1`) and words speak for.
pub fn reason(status: Option<(u8, u16, u16)>, words: &str) -> Reason {
    let class = status.map(|(class, _, _)| class);
    if class != Some(4) {
        return read_as(status, words, class == Some(5));
    }
    let coded = status.map_or(Reason::Unknown, crate::status::by_status).for_now();
    match clue(words, false) {
        Some(told) if told.for_now() == told => told,
        // Words that say more than the status may: what the status says, if it says anything.
        Some(told) if coded == Reason::Unknown => told.for_now(),
        _ => coded,
    }
}

/// The same where it is known that nobody tries again, whatever the class: the others' notices have
/// "failed" beside a 4.x.x.
pub(crate) fn reason_at_last(status: Option<(u8, u16, u16)>, words: &str) -> Reason {
    read_as(status, words, true)
}

fn read_as(status: Option<(u8, u16, u16)>, words: &str, is_final: bool) -> Reason {
    let coded = || status.map_or(Reason::Unknown, crate::status::by_status);
    clue(words, is_final).unwrap_or_else(coded)
}

#[cfg(test)]
mod tests {
    use super::{Reason, reason};

    #[test]
    fn words_decide_within_what_the_class_allows() {
        let check = |status, words: &str, expected| {
            assert_eq!(reason(Some(status), words), expected, "{words}");
        };
        let grey = "<x@there.example>: Recipient address rejected: Greylisted, see postgrey";
        check((4, 2, 0), grey, Reason::NotYet);
        check((4, 7, 1), "Greylisting in action, please come back later", Reason::NotYet);
        check((5, 7, 1), "rejected: greylisted forever", Reason::Policy);
        check((4, 1, 1), "Recipient address rejected: unverified address", Reason::NotYet);
        check((4, 2, 2), "mailbox unavailable", Reason::MailboxFull);
        check((4, 1, 2), "Domain not found", Reason::NoNames);
        check((4, 4, 3), "", Reason::NoNames);
        check((5, 1, 1), "Recipient address rejected", Reason::UserUnknown);
        check((5, 1, 2), "", Reason::HostUnknown);
        let busy = "Server busy. Please try again later from [192.0.2.1]. (S77714)";
        check((4, 7, 500), busy, Reason::TooFast);
        let listed = "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
        check((5, 7, 1), listed, Reason::Blocked);
        check((5, 7, 1), "Message rejected as spam by Content Filtering", Reason::Spam);
        // Whatever words and codes there are, what may be taken tomorrow is not called lost for
        // want of an address.
        for words in ["user unknown", "no such user here", "has moved", "host not found"] {
            for status in [(4, 0, 0), (4, 1, 1), (4, 1, 2), (4, 1, 6), (4, 2, 4)] {
                assert!(!reason(Some(status), words).is_lost(), "{words} {status:?}");
            }
        }
    }

    #[test]
    fn each_reason_has_a_word_of_its_own() {
        for (reason, word) in Reason::WORDS {
            assert_eq!((reason.word(), Reason::of_word(word)), (word, reason));
        }
        assert_eq!(Reason::WORDS.last().map(|(reason, _)| *reason as usize), Some(48));
        assert_eq!(Reason::of_word("another"), Reason::Unknown);
    }
}
