//! Policies: which calls a compartment may make, read from `policy/<kind>.policy`.
//!
//! One call a line:
//! ```text
//! include base                                   the lines of another policy, one level deep
//! allow read
//! allow mmap arg2 lacks PROT_EXEC                arguments as numbers, never as pointers
//! allow clone arg0 has CLONE_VM CLONE_THREAD and arg0 lacks CLONE_NEWUSER
//! allow fcntl arg1 in F_GETFL F_SETFL
//! allow tgkill arg0 is SELF                      the process's own id, filled in at run time
//! tolerate readlink EINVAL                       refused, not alarmed: libc asks by itself
//! notify openat                                  on charter, but witnessed: Landlock decides
//! forbid close arg0 in 3                         off charter, whatever a later line allows
//! ```
//! Whatever no line names is off charter: the warden is told, denies it, and replaces the caller.
//! Of several lines for one call the first whose conditions hold decides.

use crate::Fault;
use crate::numbers::{self, CallNumber};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs, unseen.
    Allow,
    /// It fails with this errno, unseen.
    Tolerate(i32),
    /// It is shown to the warden, which lets it continue.
    Witness,
    /// It is shown to the warden, which denies it and raises an alarm.
    OffCharter,
}

/// A condition on one argument, as a number. Only the low 32 bits are compared: every argument
/// used in our policies is a 32-bit integer or a set of flags to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The argument is one of these.
    In(Vec<u32>),
    /// The argument has all of these bits.
    Has(u32),
    /// The argument has none of these bits.
    Lacks(u32),
    /// The argument is the process's own id.
    IsSelf,
}

/// A condition and the argument that it is about (0 to 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which argument.
    pub argument: u8,
    /// What must hold.
    pub test: Test,
}

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The call.
    pub number: CallNumber,
    /// All must hold for the rule to speak.
    pub conditions: Vec<Condition>,
    /// What then becomes of the call.
    pub verdict: Verdict,
}

/// A compartment's policy: its rules in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// Rules per policy: the filter of 4,096 instructions that the kernel takes holds them all.
const MAX_RULES: usize = 400;

macro_rules! policies {
    ($($kind:literal),* $(,)?) => {
        /// Every policy that is compiled in: name and text.
        pub const TEXTS: &[(&str, &str)] =
            &[$(($kind, include_str!(concat!("../policy/", $kind, ".policy")))),*];
    };
}
policies!(
    "base",
    "store",
    "gate",
    "names",
    "signer",
    "edge",
    "scanner",
    "mailbox",
    "directory",
    "identity",
    "access",
    "vault",
    "ledger",
    "mirror",
    "admin",
    "sentinel",
    "zone",
    "dispatch",
    "post",
    "depart",
    "fetch",
    "pages",
    "metrics",
);

impl Policy {
    /// The policy of a compartment kind.
    ///
    /// # Errors
    /// `Fault::Policy` when the kind has no policy or its file is wrong.
    pub fn of(kind: &str) -> Result<Policy, Fault> {
        Policy::parse(kind, text_of(kind)?)
    }

    /// Reads a policy's text; `name` is for messages.
    ///
    /// # Errors
    /// `Fault::Policy` naming the line.
    pub fn parse(name: &str, text: &str) -> Result<Policy, Fault> {
        let mut policy = Policy::default();
        for (line, words) in lines(text) {
            match words.split_first() {
                Some((&"include", [other])) => {
                    // One level only: an included file that includes is refused by `rule`.
                    for (line, words) in lines(text_of(other)?) {
                        policy.add(rule(&words).map_err(|why| wrong(other, line, why))?);
                    }
                }
                _ => policy.add(rule(&words).map_err(|why| wrong(name, line, why))?),
            }
            if policy.rules.len() > MAX_RULES {
                return Err(wrong(name, line, "too many rules"));
            }
        }
        Ok(policy)
    }

    /// What the warden makes of a call that it was shown.
    pub fn judge(&self, number: CallNumber) -> Verdict {
        let witnessed = |rule: &&Rule| rule.number == number && rule.verdict == Verdict::Witness;
        self.rules.iter().find(witnessed).map_or(Verdict::OffCharter, |rule| rule.verdict)
    }

    fn add(&mut self, rule: Option<Rule>) {
        self.rules.extend(rule);
    }
}

fn text_of(kind: &str) -> Result<&'static str, Fault> {
    let found = TEXTS.iter().find(|(name, _)| *name == kind);
    found.map(|(_, text)| *text).ok_or_else(|| wrong(kind, 0, "there is no such policy"))
}

fn wrong(policy: &str, line: usize, why: &'static str) -> Fault {
    Fault::Policy { policy: policy.to_owned(), line, why }
}

/// The lines that say something, numbered from one, as words, comments taken off.
fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let said = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = said.split_whitespace().collect();
        (!words.is_empty()).then_some((index + 1, words))
    })
}

/// One line as a rule; `None` when this processor has no such call.
fn rule(words: &[&str]) -> Result<Option<Rule>, &'static str> {
    let [verb, call, rest @ ..] = words else {
        return Err("a line is a verb and a call");
    };
    let (verdict, conditions) = match (*verb, rest) {
        ("allow", rest) => (Verdict::Allow, conditions(rest)?),
        ("notify", rest) => (Verdict::Witness, conditions(rest)?),
        ("forbid", rest) => (Verdict::OffCharter, conditions(rest)?),
        ("tolerate", [errno, rest @ ..]) => {
            let errno = constant(errno).ok_or("no such errno")?;
            let errno = i32::try_from(errno).map_err(|_| "no such errno")?;
            (Verdict::Tolerate(errno), conditions(rest)?)
        }
        ("tolerate", []) => return Err("tolerate needs an errno"),
        _ => return Err("the verbs are include, allow, tolerate, notify and forbid"),
    };
    match numbers::number_of(call) {
        Some(number) => Ok(Some(Rule { number, conditions, verdict })),
        None if numbers::is_known_anywhere(call) => Ok(None),
        None => Err("no such call"),
    }
}

fn conditions(words: &[&str]) -> Result<Vec<Condition>, &'static str> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    words.split(|word| *word == "and").map(condition).collect()
}

fn condition(words: &[&str]) -> Result<Condition, &'static str> {
    let [argument, test, values @ ..] = words else {
        return Err("a condition has three words");
    };
    let argument = match *argument {
        "arg0" => 0,
        "arg1" => 1,
        "arg2" => 2,
        "arg3" => 3,
        "arg4" => 4,
        "arg5" => 5,
        _ => return Err("arguments are arg0 to arg5"),
    };
    if (*test, values) == ("is", &["SELF"]) {
        return Ok(Condition { argument, test: Test::IsSelf });
    }
    let values: Option<Vec<u32>> = values.iter().map(|name| constant(name)).collect();
    let values = values.filter(|all| !all.is_empty()).ok_or("a constant is missing or unknown")?;
    let bits = values.iter().fold(0, |bits, value| bits | value);
    let test = match *test {
        "in" => Test::In(values),
        "has" => Test::Has(bits),
        "lacks" => Test::Lacks(bits),
        _ => return Err("the tests are in, has, lacks and is SELF"),
    };
    Ok(Condition { argument, test })
}

fn constant(name: &str) -> Option<u32> {
    let named = CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value as u32);
    named.or_else(|| name.parse().ok())
}

/// The names that policies may use for numbers.
const CONSTANTS: &[(&str, i64)] = &[
    ("PROT_EXEC", libc::PROT_EXEC as i64),
    ("CLONE_VM", libc::CLONE_VM as i64),
    ("CLONE_FILES", libc::CLONE_FILES as i64),
    ("CLONE_SIGHAND", libc::CLONE_SIGHAND as i64),
    ("CLONE_THREAD", libc::CLONE_THREAD as i64),
    ("CLONE_NEWUSER", libc::CLONE_NEWUSER as i64),
    ("CLONE_NEWPID", libc::CLONE_NEWPID as i64),
    ("CLONE_NEWNET", libc::CLONE_NEWNET as i64),
    ("CLONE_NEWIPC", libc::CLONE_NEWIPC as i64),
    ("CLONE_NEWUTS", libc::CLONE_NEWUTS as i64),
    ("CLONE_NEWNS", libc::CLONE_NEWNS as i64),
    ("CLONE_NEWCGROUP", libc::CLONE_NEWCGROUP as i64),
    ("AF_UNIX", libc::AF_UNIX as i64),
    ("AF_INET", libc::AF_INET as i64),
    ("AF_INET6", libc::AF_INET6 as i64),
    ("SOCK_DGRAM", libc::SOCK_DGRAM as i64),
    // The bit that SOCK_SEQPACKET, SOCK_RDM and SOCK_DCCP share; SOCK_RAW dies of its protocol.
    ("SOCK_OTHERS", 4),
    ("IPPROTO_TCP", libc::IPPROTO_TCP as i64),
    ("IPPROTO_UDP", libc::IPPROTO_UDP as i64),
    ("MSG_FASTOPEN", libc::MSG_FASTOPEN as i64),
    ("SOL_SOCKET", libc::SOL_SOCKET as i64),
    ("SO_RCVTIMEO", libc::SO_RCVTIMEO as i64),
    ("SO_SNDTIMEO", libc::SO_SNDTIMEO as i64),
    ("TCP_NODELAY", libc::TCP_NODELAY as i64),
    ("F_DUPFD_CLOEXEC", libc::F_DUPFD_CLOEXEC as i64),
    ("F_GETFD", libc::F_GETFD as i64),
    ("F_SETFD", libc::F_SETFD as i64),
    ("F_GETFL", libc::F_GETFL as i64),
    ("F_SETFL", libc::F_SETFL as i64),
    ("F_ADD_SEALS", libc::F_ADD_SEALS as i64),
    ("F_GET_SEALS", libc::F_GET_SEALS as i64),
    ("F_GETLK", libc::F_GETLK as i64),
    ("F_SETLK", libc::F_SETLK as i64),
    ("F_SETLKW", libc::F_SETLKW as i64),
    ("FIONBIO", 0x5421),
    ("FIONREAD", 0x541b),
    ("PR_SET_NAME", libc::PR_SET_NAME as i64),
    ("PR_GET_NAME", libc::PR_GET_NAME as i64),
    ("PR_SET_VMA", 0x5356_4d41),
    ("PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG as i64),
    ("ARCH_SET_FS", 0x1002),
    ("AT_EMPTY_PATH", libc::AT_EMPTY_PATH as i64),
    ("TCGETS", 0x5401),
    ("EPERM", libc::EPERM as i64),
    ("EACCES", libc::EACCES as i64),
    ("EINVAL", libc::EINVAL as i64),
    ("ENOENT", libc::ENOENT as i64),
    ("ENOSYS", libc::ENOSYS as i64),
    ("ENOTTY", libc::ENOTTY as i64),
    ("EOPNOTSUPP", libc::EOPNOTSUPP as i64),
];
