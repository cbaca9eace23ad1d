//! The shapes in which public rules for Linux are written, each with a rule of ours, an event that
//! it must find, and one that differs from it in just that which must be missed.

use crate::rule::LogSource;
use crate::{Event, Rule, RuleSet};

type Fields = &'static [(&'static str, &'static str)];

struct Shape {
    detection: &'static str,
    hit: Fields,
    miss: Fields,
}

const fn shape(detection: &'static str, hit: Fields, miss: Fields) -> Shape {
    Shape { detection, hit, miss }
}

const FIELDS: &[Shape] = &[
    shape(
        "s:\n  Image|endswith: '/lamp'\ncondition: s",
        &[("Image", "/a/LAMP")],
        &[("Image", "/a/lamps")],
    ),
    shape(
        "s:\n  Image|endswith:\n    - '/lamp'\n    - '/torch'\ncondition: s",
        &[("Image", "/opt/torch")],
        &[("Image", "/opt/torch/x")],
    ),
    shape(
        "s:\n  Image|endswith: '/lamp'\n  CommandLine|contains: '--bright'\ncondition: s",
        &[("Image", "/lamp"), ("CommandLine", "lamp --brighter")],
        &[("Image", "/lamp"), ("CommandLine", "lamp --dim")],
    ),
    shape(
        "s:\n  CommandLine|contains|all:\n    - 'wick'\n    - 'oil'\ncondition: s",
        &[("CommandLine", "oil the wick")],
        &[("CommandLine", "oil the lamp")],
    ),
    shape(
        "s:\n  CommandLine|contains|all:\n    - 'wick'\n    - 'oil'\n  CommandLine|contains:\n    \
         - 'red'\n    - 'blue'\ncondition: s",
        &[("CommandLine", "blue oil, wick")],
        &[("CommandLine", "green oil, wick")],
    ),
    shape(
        "s:\n  ParentImage|startswith: '/srv/'\n  ParentImage|endswith: '/kiln'\ncondition: s",
        &[("ParentImage", "/srv/x/kiln")],
        &[("ParentImage", "/usr/x/kiln")],
    ),
    shape(
        "s:\n  - Image|endswith:\n        - '/clay'\n        - '/clay2'\n  \
         - Image|contains:\n        \
         - '/clay2.'  # as installed\n        - '/clay3.'\ncondition: s",
        &[("Image", "/usr/bin/clay3.9")],
        &[("Image", "/usr/bin/clay4")],
    ),
    shape(
        "i:\n  Image|endswith: '/fetchit'\no:\n  - CommandLine|re: '\\s-[OP]\\s' # case counts\n  \
         - CommandLine|contains: '--out'\ncondition: i and o",
        &[("Image", "/fetchit"), ("CommandLine", "fetchit -O x")],
        &[("Image", "/fetchit"), ("CommandLine", "fetchit -o x")],
    ),
    shape(
        "s:\n  Image:\n    - '/bin/pail'\n    - '/usr/bin/pail'\ncondition: s",
        &[("Image", "/usr/bin/pail")],
        &[("Image", "/usr/local/bin/pail")],
    ),
    shape(
        "s:\n  CommandLine|endswith: ' --'\ncondition: s",
        &[("CommandLine", "box --")],
        &[("CommandLine", "box --x")],
    ),
    shape(
        "s:\n  Image|endswith: '/?'\ncondition: s",
        &[("Image", "/tmp/q")],
        &[("Image", "/tmp/qq")],
    ),
    shape(
        "s:\n  Image|endswith: '/ls'\n  CommandLine|contains|all:\n    - ' -*i'   # first\n    \
         - ' -*d'\n  CommandLine|endswith: ' /'\ncondition: s",
        &[("Image", "/ls"), ("CommandLine", "ls -di /")],
        &[("Image", "/ls"), ("CommandLine", "ls -l /")],
    ),
    shape(
        "s:\n  CommandLine|contains: '/etc/*.conf'\ncondition: s",
        &[("CommandLine", "edit /etc/lamp.conf now")],
        &[("CommandLine", "edit /etc/lamp.cnf")],
    ),
    shape(
        "s:\n  exe|startswith:\n    - '/var/lamp/'     # one\n    - '/home/*/web/'   # each\n\
         condition: s",
        &[("exe", "/home/kei/web/x")],
        &[("exe", "/home/kei/x")],
    ),
    shape(
        "s:\n  name:\n    - /etc/lamp/*\n    - /etc/wick.conf\ncondition: s",
        &[("name", "/etc/lamp/a/b")],
        &[("name", "/etc/wick.conf2")],
    ),
    shape(
        "s:\n  ParentImage|endswith: '\\ash'\ncondition: s",
        &[("ParentImage", "x\\ash")],
        &[("ParentImage", "/ash")],
    ),
    shape(
        "s:\n  CommandLine|contains: '''y:7:'''\ncondition: s",
        &[("CommandLine", "cut 'y:7:'")],
        &[("CommandLine", "cut y:7:")],
    ),
    shape(
        "s:\n  CommandLine|contains:\n    - 'ask `'\n    - \"ask '\"\ncondition: s",
        &[("CommandLine", "ask 'x'")],
        &[("CommandLine", "ask x")],
    ),
    shape("s:\n  euid: 33\ncondition: s", &[("euid", "33")], &[("euid", "333")]),
    shape(
        "s:\n  a0:\n    - 4 # read\n    - 5 # clear\ncondition: s",
        &[("a0", "5")],
        &[("a0", "6")],
    ),
    shape(
        "s:\n  Initiated: true\ncondition: s",
        &[("Initiated", "true")],
        &[("Initiated", "false")],
    ),
    shape(
        "s:\n  CommandLine|contains|cased: ' -D'\ncondition: s",
        &[("CommandLine", "lamp -D")],
        &[("CommandLine", "lamp -d")],
    ),
    shape(
        "s:\n  CommandLine|contains|windash: ' -r '\ncondition: s",
        &[("CommandLine", "lamp \u{2013}r x")],
        &[("CommandLine", "lamp r x")],
    ),
    shape(
        "s:\n  CommandLine|re: '(.){40,}'\ncondition: s",
        &[("CommandLine", "0123456789012345678901234567890123456789")],
        &[("CommandLine", "012345678901234567890123456789012345678")],
    ),
    shape(
        "s:\n  F|re: '(?i)/lib/lamp3\\.([5-9]|[0-9]{2})/oil/' # both\n  F|endswith: '.pt'\n\
         condition: s",
        &[("F", "/LIB/lamp3.11/oil/x.pt")],
        &[("F", "/lib/lamp3.4/oil/x.pt")],
    ),
    shape(
        "s:\n  F|re: '[^/]{8,}$'\ncondition: s",
        &[("F", "/a/12345678")],
        &[("F", "/12345678/a")],
    ),
    shape(
        "c:\n  a0:\n    - 'mk'\n    - 'ed'\na:\n  - a1|re: '(^|\\/)\\.[^.\\/]'\n  \
         - a2|re: '(^|\\/)\\.[^.\\/]'\n\
         condition: c and a",
        &[("a0", "ed"), ("a1", "-f"), ("a2", "x/.hid")],
        &[("a0", "ed"), ("a1", "-f"), ("a2", "x/../hid")],
    ),
    shape(
        "s:\n  F|re: '.*(-(W|R)( |\")(([0-9a-fA-F]{2}) ){2,4}).*'\ncondition: s",
        &[("F", "scan -W 0a ff ")],
        &[("F", "scan -W 0a xx ")],
    ),
    shape("s:\n  F|exists: true\n  G: 'a'\ncondition: s", &[("F", "x"), ("G", "a")], &[("G", "a")]),
    shape("s:\n  F: null\n  G: 'a'\ncondition: s", &[("G", "a")], &[("F", "x"), ("G", "a")]),
    shape(
        "s:\n  type:\n    - 'LAMP'\n    - 'USER_LAMP'\ncondition: s",
        &[("type", "USER_LAMP")],
        &[("type", "LAMPS")],
    ),
    shape(
        "s:\n  type: 'exec'\n  a0: 'zip'\ncondition: s",
        &[("type", "EXEC"), ("a0", "zip")],
        &[("type", "EXEC"), ("a0", "gzip")],
    ),
    shape(
        "s:\n    User: root\n    LogonId: 0\n    CurrentDirectory: '/var/lamp/tmp'\ncondition: s",
        &[("User", "root"), ("LogonId", "0"), ("CurrentDirectory", "/var/lamp/tmp")],
        &[("User", "root"), ("LogonId", "7"), ("CurrentDirectory", "/var/lamp/tmp")],
    ),
];

const CONDITIONS: &[Shape] = &[
    shape(
        "selection_a:\n  A: '1'\nselection_b:\n  B: '1'\ncondition: all of selection_*",
        &[("A", "1"), ("B", "1")],
        &[("A", "1")],
    ),
    shape(
        "selection1:\n  A: '1'\nselection2:\n  B: '1'\ncondition: 1 of selection*",
        &[("B", "1")],
        &[("B", "2")],
    ),
    shape(
        "s:\n  A: '1'\nfilter_main_x:\n  B|contains: 'ok'\ncondition: s and not 1 of filter_main_*",
        &[("A", "1"), ("B", "bad")],
        &[("A", "1"), ("B", "all ok")],
    ),
    shape(
        "s:\n  A: '1'\nfilter_main_local:\n  Ip|cidr:\n    - '10.0.0.0/8'\n    \
         - 'fe80::/10'  # link\n\
         condition: s and not 1 of filter_main_*",
        &[("A", "1"), ("Ip", "192.0.2.1")],
        &[("A", "1"), ("Ip", "fe80::7")],
    ),
    shape(
        "net:\n  A: '1'\nlisten:\n  B: '1'\nscan:\n  C: '1'\n\
         condition: (net and not listen) or scan",
        &[("A", "1"), ("B", "1"), ("C", "1")],
        &[("A", "1"), ("B", "1")],
    ),
    shape(
        "tool_a:\n  A: '1'\ntool_b:\n  B: '1'\nword:\n  C: '1'\ncondition: 1 of tool_* and word",
        &[("B", "1"), ("C", "1")],
        &[("A", "1"), ("B", "1")],
    ),
    shape(
        "dir_a:\n  A: '1'\nunit:\n  B: '1'\nfilter_main_a:\n  C: '1'\nfilter_main_b:\n  D: '1'\n\
         condition: 1 of dir_* and unit and not 1 of filter_main_*",
        &[("A", "1"), ("B", "1")],
        &[("A", "1"), ("B", "1"), ("D", "1")],
    ),
    shape(
        "node_a:\n  A: '1'\nnode_b:\n  B: '1'\nchild_a:\n  C: '1'\nchild_b:\n  D: '1'\n\
         condition: all of node_* and 1 of child_*",
        &[("A", "1"), ("B", "1"), ("D", "1")],
        &[("A", "1"), ("C", "1"), ("D", "1")],
    ),
    shape(
        "img:\n  A: '1'\nall_b:\n  B: '1'\nall_c:\n  C: '1'\ncondition: img or all of all_*",
        &[("B", "1"), ("C", "1")],
        &[("B", "1")],
    ),
    shape(
        "img:\n  A: '1'\none:\n  B: '1'\ntwo_x:\n  C: '1'\ntwo_y:\n  D: '1'\n\
         condition: img and (one or all of two_*)",
        &[("A", "1"), ("C", "1"), ("D", "1")],
        &[("A", "1"), ("C", "1")],
    ),
    shape("a:\n  A: '1'\nb:\n  B: '1'\ncondition: 1 of them", &[("B", "1")], &[("C", "1")]),
    shape(
        "cmd1:\n  a1|startswith: '--glow'\ncmd2:\n  a2|startswith: '--glow'\ncondition: 1 of cmd*",
        &[("a1", "x"), ("a2", "--glow=9")],
        &[("a1", "x"), ("a3", "--glow=9")],
    ),
    shape(
        "selection:\n  A: '1'\nfalsepositives:\n  - 'rotated'\n\
         condition: selection and not falsepositives",
        &[("A", "1"), ("M", "plain")],
        &[("A", "1"), ("M", "it was rotated")],
    ),
];

const KEYWORDS: &[Shape] = &[
    shape(
        "keywords:\n  - 'lamp fell'\n  - 'oil spilt'\ncondition: keywords",
        &[("M", "the Oil spilt")],
        &[("M", "the oil")],
    ),
    shape(
        "keywords:\n  '|all':\n    - 'lamp'\n    - '[USER=kei] [TTY=/dev/x]'\ncondition: keywords",
        &[("M", "lamp: [USER=kei] [TTY=/dev/x]")],
        &[("M", "lamp: [USER=kei]")],
    ),
    shape(
        "k:\n  - 'chmod root*mode 7 '\ncondition: k",
        &[("M", "x chmod root:x; mode 7 /y")],
        &[("M", "mode 7 chmod root")],
    ),
    shape(
        "k:\n  - 'Lamp*FOUND'\ncondition: k",
        &[("M", "a: Lamp.X-1 FOUND")],
        &[("M", "FOUND Lamp")],
    ),
    shape(
        "k:\n  - '(){:;};'\n  - '() { :; };'\ncondition: k",
        &[("M", "x=() { :; }; y")],
        &[("M", "() { : };")],
    ),
    shape(
        "e:\n  type: 'EXEC'\nlamp:\n  - 'lamp'\nopt:\n  - '-t'\n  - '-r'\n\
         condition: e and lamp and opt",
        &[("type", "EXEC"), ("a0", "lamp"), ("a1", "-r")],
        &[("type", "CALL"), ("a0", "lamp"), ("a1", "-r")],
    ),
    shape(
        "e:\n  type: 'EXEC'\ncut:\n  '|all':\n    - 'cut'\n    - '-s'\npad:\n  '|all':\n    \
         - 'pad'\n    \
         - 'if='\nkeep:\n  - 'of='\ncondition: e and (cut or (pad and not keep))",
        &[("type", "EXEC"), ("a0", "pad"), ("a1", "if=x")],
        &[("type", "EXEC"), ("a0", "pad"), ("a1", "if=x"), ("a2", "of=y")],
    ),
    shape(
        "e:\n  type: EXEC\ni:\n  - 'begin'\nn:\n  - 0\n  - 6\ncondition: e and (i and n)",
        &[("type", "EXEC"), ("a0", "begin"), ("a1", "6")],
        &[("type", "EXEC"), ("a0", "begin"), ("a1", "5")],
    ),
    shape(
        "a:\n  - 'box -c /x'\nb:\n  - '&/dev/y/'\ncondition: all of a* and b",
        &[("M", "box -c /x &/dev/y/1")],
        &[("M", "box -c /x")],
    ),
    shape(
        "k:\n  - 'couldn''t glow'\n  - \"with \\\"oil\\\"\"\ncondition: k",
        &[("M", "it couldn't glow")],
        &[("M", "it could not glow")],
    ),
];

fn rule_of(detection: &str) -> Rule {
    let body: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("title: t\nlogsource:\n    product: linux\ndetection:\n{body}level: low\n");
    Rule::parse(&text).unwrap_or_else(|wrong| panic!("{wrong}\n{detection}"))
}

fn event_of(fields: Fields) -> Event {
    let event = Event::new(LogSource::new(Some("process_creation"), None));
    fields.iter().fold(event, |event, (name, value)| event.with(name, value))
}

#[test]
fn each_shape_finds_its_event_and_not_the_one_beside_it() {
    let all: Vec<&Shape> = FIELDS.iter().chain(CONDITIONS).chain(KEYWORDS).collect();
    assert!(all.len() >= 56, "{}", all.len());
    // Each alone, and among all others: what one rule needs is no other's loss.
    let together = RuleSet::new(all.iter().map(|shape| rule_of(shape.detection)).collect());
    for (at, shape) in all.iter().enumerate() {
        let alone = RuleSet::new(vec![rule_of(shape.detection)]);
        for (fields, expected) in [(shape.hit, true), (shape.miss, false)] {
            let event = event_of(fields);
            let found = !alone.weigh(&event).is_empty();
            assert_eq!(found, expected, "{}\n{fields:?}", shape.detection);
            assert_eq!(!alone.weigh_slowly(&event).is_empty(), expected, "{}", shape.detection);
            let own: *const Rule = together.rules().get(at).unwrap();
            let is_among = together.weigh(&event).iter().any(|rule| std::ptr::eq(*rule, own));
            assert_eq!(is_among, expected, "among others: {}", shape.detection);
        }
    }
}

/// Layouts of public files around a rule.
#[test]
fn each_layout_is_the_same_rule() {
    let layouts = [
        "title: A lamp\nlogsource:\n    product: linux\ndetection:\n    s:\n        F: 'x'\n    \
         condition: s\nlevel: low\n",
        "---\ntitle: A lamp\nlogsource: # ours\n  product: 'linux'\ndetection:\n  s:\n    \
         F: \"x\"\n  \
         condition: s\nlevel: low # may be more\n",
        "title: A\n    lamp\nrelated:\n    - id: 1\n      type: similar\nlogsource:\n    \
         product: linux\n    \
         definition: |\n        Needed:\n        -a always,exit -S x\ndetection:\n    \
         # why — so\n    \
         s:\n        \
         F: x # here\n    condition: s\nlevel: low",
        "title: A lamp\nlevel: 'low'\ndescription: >-\n  two: lines\n  - here\ntags:\n- a\n- b\n\
         logsource:\n  product: linux\ndetection:\n  s:\n    F:\n    - x\n    -  'y'\n  \
          condition: s\n\n\n",
    ];
    for layout in layouts {
        for text in [layout.to_owned(), layout.replace('\n', "\r\n")] {
            let rule = Rule::parse(&text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
            assert_eq!((rule.title.as_str(), rule.level.as_str()), ("A lamp", "low"), "{text}");
            assert_eq!(rule.source.product.as_deref(), Some("linux"));
            let set = RuleSet::new(vec![rule]);
            assert_eq!(set.weigh(&event_of(&[("F", "x")])).len(), 1, "{text}");
            assert_eq!(set.weigh(&event_of(&[("F", "z")])).len(), 0, "{text}");
        }
    }
}

/// What spans several events, or several rules, is refused by name.
#[test]
fn what_weighs_many_events_is_refused() {
    let refuse = |text: &str, expected: &str| match Rule::parse(text) {
        Ok(_) => panic!("read: {text}"),
        Err(wrong) => assert!(wrong.to_string().contains(expected), "{wrong}"),
    };
    let head = "title: t\nlogsource:\n    product: linux\ndetection:\n    s:\n        F: x\n";
    refuse(&format!("{head}    timeframe: 5m\n    condition: s\n"), "found `timeframe`");
    refuse(&format!("{head}    condition:\n        gte: 50\n"), "a count of events");
    refuse(&format!("{head}    condition: s | count() by F > 5\n"), "the end of the condition");
    let second =
        format!("{head}    condition: s\n---\ntitle: u\ncorrelation:\n    type: event_count\n");
    refuse(&second, "line 8: a second document");
    assert!(Rule::parse(&format!("---\n{head}    condition: s\n---\n\n# end\n")).is_ok());
}

/// A field that is there twice, as a number and as its name.
#[test]
fn a_field_may_have_several_values() {
    let set = |detection: &str| RuleSet::new(vec![rule_of(detection)]);
    let event = event_of(&[("call", "41"), ("call", "socket"), ("call", "")]);
    let check = |detection: &str, expected: bool| {
        assert_eq!(!set(detection).weigh(&event).is_empty(), expected, "{detection}");
    };
    check("s:\n  call: 41\ncondition: s", true);
    check("s:\n  call: socket\ncondition: s", true);
    check("s:\n  call: bind\ncondition: s", false);
    check("s:\n  call|contains|all: ['4', 'sock']\ncondition: s", true);
    check("s:\n  call: 41\nf:\n  call: socket\ncondition: s and not f", false);
}

#[test]
fn a_dash_may_be_another() {
    let with = |value: &str, line: &'static str| {
        let rule = rule_of(&format!("s:\n  C|contains|windash: '{value}'\ncondition: s"));
        let event = Event::new(rule.source.clone()).with("C", line);
        !RuleSet::new(vec![rule]).weigh(&event).is_empty()
    };
    for line in ["x -r y", "x /r y", "x \u{2014}r y", "x \u{2015}R y"] {
        assert!(with(" -r ", line), "{line}");
    }
    assert!(with("-a -b", "x /a \u{2013}b"));
    assert!(with("well-known -a", "well-known /a"));
    assert!(!with("well-known", "well/known"), "within a word it is a hyphen");
    let many = "title: t\nlogsource:\n    product: linux\ndetection:\n    s:\n        \
                C|windash: '-a -b -c -d'\n    condition: s\n";
    assert!(Rule::parse(many).unwrap_err().to_string().contains("beyond a limit"));
}
