//! What is seen here, in the words of Sigma's rules; and which rules can therefore match.
//!
//! A rule that is read and whose events nobody sees is silent for ever. So each is asked: is its
//! source one of ours, and are the fields there that it looks into?

use crate::audit::TYPES;
use sigma::pattern::{Pattern, Value};
use sigma::{Event, LogSource, Rule};
use wire::sentinel::{Seen, Sight, Source};

/// Fields of a program that was started. `LogonId` is the user's number, as Sysmon for Linux has
/// it, for whose events the rules are written.
const OF_A_PROGRAM: &[&str] = &[
    "Image",
    "CommandLine",
    "ParentImage",
    "ParentCommandLine",
    "CurrentDirectory",
    "User",
    "LogonId",
];
const OF_A_FILE: &[&str] = &["TargetFilename", "Image", "User", "LogonId"];
/// The name of a remote host is in no record of the kernel.
const OF_A_CONNECTION: &[&str] =
    &["Image", "Initiated", "DestinationIp", "DestinationPort", "User"];

/// What the warden's eyes saw, if rules are written for such events.
pub fn of_seen(seen: &Seen) -> Option<Event> {
    let event = |category| Event::new(LogSource::new(Some(category), None));
    let event = match seen.what {
        Sight::Executed => event("process_creation")
            .with("CommandLine", &seen.command_line)
            .with("ParentImage", &seen.parent_image)
            .with("ParentCommandLine", &seen.parent_command_line)
            .with("CurrentDirectory", &seen.folder),
        Sight::Written => event("file_event").with("TargetFilename", &seen.file),
        Sight::Opened | Sight::Traced => return None,
    };
    let event = event.with("Image", &seen.image);
    Some(match seen.user {
        Some(user) => event.with("LogonId", &user.to_string()).with("User", &seen.user_name),
        None => event,
    })
}

/// Whether a rule's events are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// By these of our sources, where the machine grants them.
    By(Vec<Source>),
    /// Its source is ours, but these fields are in no event of it.
    Lacks(Vec<String>),
    /// Logs of programs, and other systems.
    Nowhere,
}

/// What a rule waits for.
pub fn watched(rule: &Rule) -> Watched {
    let among = |names: &'static [&str]| move |name: &str, _: &[Pattern]| names.contains(&name);
    let ours: [(LogSource, Source, &dyn Fn(&str, &[Pattern]) -> bool); 4] = [
        (of(Some("process_creation"), None), Source::Processes, &among(OF_A_PROGRAM)),
        (of(None, Some("auditd")), Source::Audit, &is_in_a_record),
        (of(Some("file_event"), None), Source::Files, &among(OF_A_FILE)),
        (of(Some("network_connection"), None), Source::Audit, &among(OF_A_CONNECTION)),
    ];
    let (mut by, mut lacks) = (Vec::new(), None);
    for (source, ours, is_seen) in ours {
        if !rule.source.covers(&source) {
            continue;
        }
        let unseen = rule.unseen(is_seen);
        match unseen.is_empty() {
            true => by.push(ours),
            false => lacks = lacks.or(Some(unseen)),
        }
    }
    by.sort();
    by.dedup();
    match lacks {
        _ if !by.is_empty() => Watched::By(by),
        Some(lacks) => Watched::Lacks(lacks),
        None => Watched::Nowhere,
    }
}

fn of(category: Option<&str>, service: Option<&str>) -> LogSource {
    LogSource::new(category, service)
}

/// The kernel's fields have small letters; of auditd's own, only the call's name is made here.
fn is_in_a_record(name: &str, patterns: &[Pattern]) -> bool {
    let is_known = |word: &str| {
        let small = word.to_ascii_lowercase();
        let value = Value { plain: word, small: &small };
        patterns.iter().any(|pattern| pattern.is_in(Some(value)))
    };
    match name {
        "type" => TYPES.iter().any(|(_, word)| is_known(word)),
        "SYSCALL" | "CommandLine" => true,
        name => {
            let is_small = |one: u8| matches!(one, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
            name.bytes().all(is_small) && !OF_NO_RECORD.contains(&name)
        }
    }
}

/// Names that rules for log lines give to parts of them.
const OF_NO_RECORD: &[&str] = &["message", "keywords", "user_name", "client_ip"];

#[cfg(test)]
mod tests {
    use super::{Watched, of_seen, watched};
    use sigma::{Rule, RuleSet};
    use wire::sentinel::{Seen, Sight, Source};

    fn rule(source: &str, detection: &str) -> Rule {
        let body = detection.replace('\n', "\n  ");
        let text = format!("title: t\nlogsource:\n  {source}\ndetection:\n  {body}\n");
        Rule::parse(&text).unwrap()
    }

    #[test]
    fn a_rule_says_whether_its_events_are_seen() {
        let check = |source: &str, detection: &str, expected: Watched| {
            assert_eq!(watched(&rule(source, detection)), expected, "{source} {detection}");
        };
        let lacks =
            |names: &[&str]| Watched::Lacks(names.iter().map(|name| (*name).to_owned()).collect());
        let program = "category: process_creation";
        check(program, "s:\n  Image: /x\ncondition: s", Watched::By(vec![Source::Processes]));
        check(program, "s:\n  Hashes: x\ncondition: s", lacks(&["Hashes"]));
        check(program, "s:\n  Image: /x\n  Hashes: x\ncondition: s", lacks(&["Hashes"]));
        let either = "s:\n  - Image: /x\n  - Hashes: x\ncondition: s";
        check(program, either, Watched::By(vec![Source::Processes]));
        let ruled_out = "s:\n  Image: /x\nf:\n  Hashes: x\ncondition: s and not f";
        check(program, ruled_out, Watched::By(vec![Source::Processes]));
        let without = "s:\n  Hashes: null\ncondition: s";
        check(program, without, Watched::By(vec![Source::Processes]));
        let audit = "service: auditd";
        check(audit, "s:\n  type: PATH\ncondition: s", Watched::By(vec![Source::Audit]));
        check(audit, "s:\n  type: OTHER\ncondition: s", lacks(&["type"]));
        check(audit, "s:\n  UID: root\ncondition: s", lacks(&["UID"]));
        let file = "category: file_event";
        let written = "s:\n  TargetFilename: /x\ncondition: s";
        check(file, written, Watched::By(vec![Source::Files]));
        check(file, "s:\n  FileMode: s\ncondition: s", lacks(&["FileMode"]));
        let network = "category: network_connection";
        let port = "s:\n  DestinationPort: 4444\ncondition: s";
        check(network, port, Watched::By(vec![Source::Audit]));
        let named = "s:\n  DestinationHostname: x\ncondition: s";
        check(network, named, lacks(&["DestinationHostname"]));
        check("service: sshd", "k:\n  - x\ncondition: k", Watched::Nowhere);
        check("product: windows", "k:\n  - x\ncondition: k", Watched::Nowhere);
        let all = vec![Source::Processes, Source::Audit, Source::Files];
        check("product: linux", "k:\n  - x\ncondition: k", Watched::By(all));
        check("product: linux", "s:\n  message: x\ncondition: s", lacks(&["message"]));
    }

    #[test]
    fn what_is_seen_is_told_in_the_words_of_rules() {
        let seen = Seen {
            what: Sight::Executed,
            image: "/usr/bin/id".to_owned(),
            parent_command_line: "bash -i".to_owned(),
            folder: "/srv/app".to_owned(),
            user: Some(0),
            user_name: "root".to_owned(),
            ..Seen::default()
        };
        let finds = |seen: &Seen, category: &str, selection: &str| {
            let detection = format!("s:\n  {selection}\ncondition: s");
            let set = RuleSet::new(vec![rule(&format!("category: {category}"), &detection)]);
            of_seen(seen).is_some_and(|event| !set.weigh(&event).is_empty())
        };
        for selection in [
            "Image|endswith: /id",
            "ParentCommandLine: bash -i",
            "CurrentDirectory|startswith: /srv/",
            "User: root",
            "LogonId: 0",
        ] {
            assert!(finds(&seen, "process_creation", selection), "{selection}");
        }
        assert!(!finds(&seen, "process_creation", "User: kei"));
        let nobody = Seen { user: None, ..seen.clone() };
        assert!(!finds(&nobody, "process_creation", "LogonId: 0"));
        let written = Seen {
            what: Sight::Written,
            file: "/etc/cron.d/new".to_owned(),
            image: "/usr/bin/tee".to_owned(),
            ..Seen::default()
        };
        assert!(finds(&written, "file_event", "TargetFilename|startswith: /etc/cron.d/"));
        assert!(!finds(&written, "process_creation", "Image|endswith: /tee"));
        assert!(of_seen(&Seen { what: Sight::Traced, ..seen }).is_none());
    }
}
