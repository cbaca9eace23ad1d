//! Cases: what is read, what is written, and that neither can be upset.

use crate::*;

/// Every step that `input` leads to when it comes `piece` octets at a time; messages are accepted,
/// AUTHENTICATE and IDLE expect their line.
fn steps(input: &[u8], piece: usize) -> Vec<Step> {
    let mut reader = Reader::new();
    let mut steps = Vec::new();
    for piece in input.chunks(piece.max(1)) {
        reader.feed(piece);
        loop {
            let step = reader.step();
            match &step {
                Step::NeedMore => break,
                Step::Append(append) if append.fits() => reader.accept(),
                Step::Append(_) => reader.refuse(),
                Step::Command(Command {
                    verb: Verb::Idle | Verb::Authenticate { initial: None, .. },
                    ..
                }) => reader.expect_line(),
                Step::Close(_) => {
                    steps.push(step);
                    return steps;
                }
                _ => {}
            }
            match (steps.last_mut(), step) {
                (Some(Step::Octets(before)), Step::Octets(more)) => before.extend(more),
                (_, step) => steps.push(step),
            }
        }
    }
    steps
}

/// What `line` reads as, in `Debug` words; the same however it is cut.
fn check(line: &str, expected: &str) {
    let whole = format!("a {line}\r\n");
    let found = steps(whole.as_bytes(), usize::MAX);
    for piece in 1..6 {
        assert_eq!(steps(whole.as_bytes(), piece), found, "cut by {piece}: {line}");
    }
    let shown = match found.as_slice() {
        [Step::Command(command)] => {
            assert_eq!(command.tag, "a");
            format!("{:?}", command.verb)
        }
        [Step::Bad { tag, why }] => format!("Bad {} {why}", tag.as_deref().unwrap_or("-")),
        other => format!("{other:?}"),
    };
    assert_eq!(shown, expected, "{line}");
}

fn bad(line: &str) {
    let found = steps(format!("a {line}\r\n").as_bytes(), usize::MAX);
    let is_bad = matches!(found.as_slice(), [Step::Bad { tag: Some(tag), .. }] if tag == "a");
    assert!(is_bad, "{line:?} gave {found:?}");
}

fn shown(write: impl FnOnce(&mut Writer)) -> String {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn plain_commands() {
    check("NOOP", "Noop");
    check("capability", "Capability");
    check("LOGOUT", "Logout");
    check("STARTTLS", "StartTls");
    check("UNSELECT", "Unselect");
    check("NAMESPACE", "Namespace");
    check("EXPUNGE", "Expunge(None)");
    check("ENABLE CONDSTORE x-y", r#"Enable(["CONDSTORE", "X-Y"])"#);
    check("ID NIL", "Id([])");
    check(
        "ID (\"name\" \"x\" \"os\" NIL)",
        "Id([([110, 97, 109, 101], Some([120])), ([111, 115], None)])",
    );
    check("SETQUOTA \"\" (STORAGE 512)", "SetQuota");
    check("GETQUOTA \"\"", "Quota { root: [] }");
    check("GETQUOTAROOT INBOX", r#"QuotaRoot { folder: "INBOX" }"#);
}

#[test]
fn folders() {
    check("SELECT inbox", r#"Select { folder: "INBOX", condstore: false, read_only: false }"#);
    let below = r#"Select { folder: "INBOX/Sub", condstore: false, read_only: false }"#;
    check("SELECT Inbox/Sub", below);
    let other = r#"Select { folder: "Inboxes/a", condstore: false, read_only: false }"#;
    check("SELECT Inboxes/a", other);
    check(
        "EXAMINE \"a \\\"b\" (CONDSTORE)",
        r#"Select { folder: "a \"b", condstore: true, read_only: true }"#,
    );
    check("CREATE &U,BTFw-", r#"Create("台北")"#);
    check("DELETE Sent&-Mail", r#"Delete("Sent&Mail")"#);
    check("RENAME a/b {3+}\r\nc d", r#"Rename { from: "a/b", to: "c d" }"#);
    check("SUBSCRIBE x]", r#"Subscribe("x]")"#);
    check("LSUB \"\" %", r#"Lsub { reference: "", pattern: "%" }"#);
    check(
        "STATUS blurdybloop (UIDNEXT MESSAGES)",
        r#"Status { folder: "blurdybloop", items: [UidNext, Messages] }"#,
    );
    for wrong in [
        "SELECT",
        "SELECT ",
        "SELECT a b",
        "SELECT (",
        "CREATE &U,BTF",
        "CREATE &AGE-",
        "DELETE \"x",
        "RENAME a",
        "STATUS a ()",
        "STATUS a (x)",
        "SELECT a (QRESYNC)",
        "SELECT \"a\x01\"",
        "CREATE &U,BTFw-&U,BTFw-",
        "SELECT a\\",
        "CREATE \"a\\b\"",
    ] {
        bad(wrong);
    }
}

#[test]
fn listing() {
    let list = |line: &str| match steps(format!("a {line}\r\n").as_bytes(), 7).pop() {
        Some(Step::Command(Command { verb: Verb::List(list), .. })) => list,
        other => panic!("{line}: {other:?}"),
    };
    let plain = list("LIST \"\" *");
    assert_eq!((plain.patterns, plain.extended), (vec!["*".to_owned()], false));
    assert_eq!(list("LIST \"\" \"\"").patterns, [""]);
    let full = list(
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX %) \
         RETURN (CHILDREN SPECIAL-USE SUBSCRIBED STATUS (UNSEEN MESSAGES))",
    );
    assert!(full.only_subscribed && full.recursive_match && full.extended);
    assert!(full.show_children && full.show_special_use && full.show_subscribed);
    assert_eq!(full.status, [StatusItem::Unseen, StatusItem::Messages]);
    assert_eq!(full.patterns, ["INBOX", "%"]);
    bad("LIST (RECURSIVEMATCH) \"\" *");
    bad("LIST \"\" * RETURN (OOPS)");
}

#[test]
fn patterns_are_no_longer_than_names() {
    let check = |line: &str, expected: &str| {
        let mut steps = steps(format!("a {line}\r\n").as_bytes(), usize::MAX);
        match steps.pop() {
            Some(Step::Bad { why, .. }) => assert_eq!(why, expected, "{line}"),
            Some(Step::Command(_)) => assert_eq!(expected, "", "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    };
    let (most, more) = ("*".repeat(FOLDER_BYTES), "%".repeat(FOLDER_BYTES + 1));
    let too_long = "the folder name is too long";
    for verb in ["LIST", "LSUB"] {
        check(&format!("{verb} \"\" \"{most}\""), "");
        check(&format!("{verb} {0} \"{most}\"", "a".repeat(FOLDER_BYTES)), "");
        check(&format!("{verb} \"\" \"{more}\""), too_long);
        check(&format!("{verb} \"{more}\" *"), too_long);
        check(&format!("{verb} \"\" {{60000}}\r\n{}", "*".repeat(60_000)), too_long);
    }
    let together = "the patterns are longer together than any folders' names";
    check(&format!("LIST \"\" ({0} {0} {0} {0})", most), "");
    check(&format!("LIST \"\" ({0} {0} {0} {0} *)", most), together);
    check(&format!("LIST {} ({})", "a".repeat(FOLDER_BYTES), ["*"; 4].join(" ")), together);
    check(&format!("LIST \"\" ({})", ["*"; PATTERNS].join(" ")), "");
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("*", "a/b/c", true),
        ("%", "a", true),
        ("%", "a/b", false),
        ("%/%", "a/b", true),
        ("a*c", "a/b/c", true),
        ("a*c", "a/b/d", false),
        ("a%c", "a/c", false),
        ("a%c", "abbc", true),
        ("", "", true),
        ("", "a", false),
        ("INBOX", "INBOX", true),
        ("*%*", "a/b", true),
        ("%%b", "a/b", false),
        ("台%", "台北", true),
    ] {
        assert_eq!(matches(pattern, name, b'/'), expected, "{pattern} {name}");
    }
}

/// By trying every way: what the quick way must equal.
fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((wild @ (b'*' | b'%'), rest)) => (0..=name.len())
            .take_while(|end| *wild == b'*' || !name[..*end].contains(&b'/'))
            .any(|end| matches_slowly(rest, &name[end..])),
        Some((octet, rest)) => name.first() == Some(octet) && matches_slowly(rest, &name[1..]),
    }
}

#[test]
fn patterns_as_the_slow_way_says() {
    let mut shift = Shift(17);
    let mut word = |letters: &[u8], most: usize| {
        let length = shift.next() % most;
        let letters = (0..length).map(|_| letters[shift.next() % letters.len()]);
        String::from_utf8(letters.collect()).unwrap()
    };
    let mut met = 0;
    for _ in 0..20_000 {
        let (pattern, name) = (word(b"aab/*%", 9), word(b"aaab/", 12));
        // Long names, so that a match crosses from one word of places to the next.
        let long = "a/".repeat(31);
        for (pattern, name) in
            [(pattern.clone(), name.clone()), (format!("*{pattern}"), format!("{long}{name}"))]
        {
            let expected = matches_slowly(pattern.as_bytes(), name.as_bytes());
            met += u32::from(expected);
            assert_eq!(matches(&pattern, &name, b'/'), expected, "{pattern} {name}");
        }
    }
    assert!(met > 1_000, "{met}");
}

/// The worst a client can ask: the longest pattern against the longest names.
#[test]
fn a_long_pattern_is_cheap() {
    let name = "a".repeat(FOLDER_BYTES);
    let start = std::time::Instant::now();
    for unit in ["a%", "a*", "%*a"] {
        let pattern = unit.repeat(FOLDER_BYTES) + "b";
        assert!((0..200).all(|_| !matches(&pattern, &name, b'/')));
        let pattern = unit.repeat(FOLDER_BYTES / 2) + "*";
        assert!((0..200).all(|_| matches(&pattern, &name, b'/')));
    }
    // Wildcards side by side are one, however many there are.
    let wild = "%*".repeat(64 * 1024) + "b";
    assert!((0..200).all(|_| !matches(&wild, &name, b'/')));
    let long = "a".repeat(64 * 1024);
    assert!(!matches(&long, &long, b'/'), "no folder is that long");
    assert!(start.elapsed().as_secs() < 60 * factor() as u64);
}

#[test]
fn signing_in() {
    check(
        "LOGIN fred \"bl u\"",
        "Login { user: [102, 114, 101, 100], password: Secret([98, 108, 32, 117]) }",
    );
    check("LOGIN {1+}\r\nx {1+}\r\ny", "Login { user: [120], password: Secret([121]) }");
    bad("LOGIN a");
    bad("LOGIN a b c");
    bad("LOGIN {2+}\r\n\0x y");
    check(
        "AUTHENTICATE plain =",
        r#"Authenticate { mechanism: "PLAIN", initial: Some(Secret([61])) }"#,
    );
    let found = steps(b"a AUTHENTICATE PLAIN\r\nAGZyZWQAaHVzaA==\r\nb NOOP\r\n", 3);
    let [_, Step::Line(line), Step::Command(_)] = found.as_slice() else { panic!("{found:?}") };
    let who = plain(line).unwrap();
    assert_eq!((who.user.as_slice(), who.password.0.as_slice()), (&b"fred"[..], &b"hush"[..]));
    // "\0\0x", "other\0fred\0hush", not base64, a second NUL.
    for wrong in ["AAB4", "b3RoZXIAZnJlZABodXNo", "*", "AGEAYgBj", ""] {
        assert!(plain(wrong.as_bytes()).is_none(), "{wrong}");
    }
}

#[test]
fn literals() {
    let found = steps(b"a LOGIN {4}\r\nfred {4}\r\nhush\r\n", 1);
    let [Step::Continue, Step::Continue, Step::Command(_)] = found.as_slice() else {
        panic!("{found:?}")
    };
    // A brace within quotes announces nothing.
    let found = steps(b"a LOGIN \"x\" \"{5}\"\r\nb NOOP\r\n", 4);
    assert_eq!(found.len(), 2);
    // A waiting literal that is too large is refused at once; the client sends nothing.
    let found = steps(b"a LOGIN {70000}\r\nb NOOP\r\n", 5);
    let [Step::Bad { .. }, Step::Command(next)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(next.tag, "b");
    // One that does not wait is dropped with its line.
    let mut input = b"a LOGIN {70000+}\r\n".to_vec();
    input.extend(std::iter::repeat_n(b'\n', 70_000));
    input.extend_from_slice(b" x\r\nb NOOP\r\n");
    for piece in [1_000, 65_536, usize::MAX] {
        let found = steps(&input, piece);
        let [Step::Bad { tag, .. }, Step::Command(_)] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(tag.as_deref(), Some("a"));
    }
    let found = steps(b"a LOGIN {99999999999999999999+}\r\n", 9);
    assert!(matches!(found.as_slice(), [Step::Close(_)]), "{found:?}");
}

#[test]
fn appending() {
    let input = concat!(
        "A003 APPEND saved (\\Seen $x) \"14-Jul-1993 02:44:25 -0700\" {10}\r\n",
        "0123456789\r\nb NOOP\r\n"
    )
    .as_bytes();
    for piece in 1..input.len() {
        let found = steps(input, piece);
        let [
            Step::Append(append),
            Step::Octets(octets),
            Step::AppendEnd { bad: None },
            Step::Command(_),
        ] = found.as_slice()
        else {
            panic!("{found:?}")
        };
        assert_eq!(octets, b"0123456789");
        assert_eq!((append.tag.as_str(), append.folder.as_str()), ("A003", "saved"));
        assert_eq!((append.size, append.waits), (10, true));
        assert_eq!(append.flags.keywords, ["$x"]);
        assert_eq!(append.flags.system, Flags::SEEN);
        assert_eq!(append.date, Some(Moment { seconds: 742_643_065, zone_minutes: -420 }));
    }
    // The folder may be a literal itself.
    let found = steps(b"a APPEND {5+}\r\nINBOX {3+}\r\nx\0y\r\n", 2);
    let [Step::Append(append), Step::Octets(_), Step::AppendEnd { bad: Some(_) }] =
        found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert!(!append.waits && append.folder == "INBOX");
    // A second message is refused, and dropped.
    let found = steps(b"a APPEND x {1+}\r\n1 {2+}\r\n22\r\nb NOOP\r\n", 3);
    assert!(matches!(found.as_slice(), [_, _, Step::AppendEnd { bad: Some(_) }, Step::Command(_)]));
    // Too large: offered, refused, and for the waiting kind nothing follows.
    let found = steps(b"a APPEND x {99999999}\r\nb NOOP\r\n", 3);
    assert!(matches!(found.as_slice(), [Step::Append(_), Step::Command(_)]), "{found:?}");
    for wrong in ["APPEND x", "APPEND x (\\Foo) {3}", "APPEND x \"yesterday\" {3}", "APPEND x {0}"]
    {
        bad(wrong);
    }
}

#[test]
fn idling() {
    let found = steps(b"a IDLE\r\nDONE\r\nb NOOP\r\n", 2);
    let [Step::Command(_), Step::Line(line), Step::Command(_)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(line, b"DONE");
}

#[test]
fn lines() {
    for (input, expected) in [
        (&b"a NOOP\n"[..], 1),
        (b"a NO\0OP\r\n", 1),
        (b"a NOOP\r\r\n", 1),
        (b"\r\n", 1),
        (b"a\r\n", 1),
        (b"+ NOOP\r\n", 1),
        (b"a  NOOP\r\n", 1),
        (b"a NOOP \r\n", 1),
        (b"a NOOP", 0),
    ] {
        let found = steps(input, usize::MAX);
        assert_eq!(found.len(), expected, "{input:?} {found:?}");
        assert!(found.iter().all(|step| matches!(step, Step::Bad { .. })), "{found:?}");
    }
    let mut long = b"a NOOP ".to_vec();
    long.extend(std::iter::repeat_n(b'x', 200_000));
    long.extend_from_slice(b"\r\nb NOOP\r\n");
    for piece in [100, 70_000, usize::MAX] {
        let found = steps(&long, piece);
        let [Step::Bad { tag, .. }, Step::Command(_)] = found.as_slice() else {
            panic!("{piece} {}", found.len())
        };
        assert_eq!(tag.as_deref(), Some("a"));
    }
    let endless = b"?\r\n".repeat(60);
    assert!(matches!(steps(&endless, 8).last(), Some(Step::Close(_))));
}

#[test]
fn sets() {
    let set = |text: &str| match steps(format!("a COPY {text} x\r\n").as_bytes(), 9).pop() {
        Some(Step::Command(Command { verb: Verb::Copy { set, .. }, .. })) => set,
        other => panic!("{text}: {other:?}"),
    };
    for (text, last, expected) in [
        ("1", 5, vec![1..=1]),
        ("2:4,1", 5, vec![1..=4]),
        ("4:2", 5, vec![2..=4]),
        ("*", 5, vec![5..=5]),
        ("3:*", 5, vec![3..=5]),
        ("559:*", 5, vec![5..=5]),
        ("7:9", 5, vec![]),
        ("1:9", 5, vec![1..=5]),
        ("1,3,5", 9, vec![1..=1, 3..=3, 5..=5]),
        ("1:*", 0, vec![]),
        ("1:4294967295", 3, vec![1..=3]),
    ] {
        assert_eq!(set(text).resolve(last), expected, "{text}");
    }
    assert!(set("3:1,*").contains(2, 9) && set("*").contains(9, 9) && !set("4:5").contains(6, 9));
    assert_eq!(set("1:9,4").highest(), Some(9));
    assert_eq!(set("1:*").highest(), None);
    for wrong in ["0", "1:0", "1,", ",1", "a", "1:", "4294967296", "1:2:3", "-1"] {
        bad(&format!("COPY {wrong} x"));
    }
    let mut out = Vec::new();
    write_numbers([1, 2, 3, 7, 9, 10], &mut out);
    assert_eq!(out, b"1:3,7,9:10");
    check(
        "UID MOVE 1:* Trash",
        r#"Move { set: SequenceSet { ranges: [(1, 0)] }, folder: "Trash", uid: true }"#,
    );
    check("UID EXPUNGE 5", "Expunge(Some(SequenceSet { ranges: [(5, 5)] }))");
}

#[test]
fn fetching() {
    let items = |text: &str| match steps(format!("a FETCH 1 {text}\r\n").as_bytes(), 9).pop() {
        Some(Step::Command(Command { verb: Verb::Fetch(fetch), .. })) => {
            format!("{:?}", fetch.items)
        }
        other => format!("{other:?}"),
    };
    assert_eq!(items("FAST"), "[Flags, InternalDate, Size]");
    assert_eq!(items("ALL"), "[Flags, InternalDate, Size, Envelope]");
    assert_eq!(items("full"), "[Flags, InternalDate, Size, Envelope, Body]");
    assert_eq!(items("BODYSTRUCTURE"), "[BodyStructure]");
    assert_eq!(
        items("(UID BODY RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE MODSEQ)"),
        "[Uid, Body, Rfc822, Rfc822Header, Rfc822Text, Size, ModSeq]"
    );
}

#[test]
fn sections() {
    let section = |text: &str| {
        let line = format!("a FETCH 1 {text}\r\n");
        match steps(line.as_bytes(), 9).pop() {
            Some(Step::Command(Command { verb: Verb::Fetch(mut fetch), .. })) => {
                match fetch.items.pop() {
                    Some(Item::Section { section, peek, partial }) => format!(
                        "{} {peek} {partial:?}",
                        section_label(&section, partial.map(|part| part.0))
                    ),
                    other => format!("{other:?}"),
                }
            }
            other => format!("{other:?}"),
        }
    };
    for (text, expected) in [
        ("BODY[]", "BODY[] false None"),
        ("BODY.PEEK[HEADER]", "BODY[HEADER] true None"),
        ("body[1.2.MIME]<0.100>", "BODY[1.2.MIME]<0> false Some((0, 100))"),
        ("BODY[3.TEXT]", "BODY[3.TEXT] false None"),
        ("BODY[4]", "BODY[4] false None"),
        (
            "BODY.PEEK[HEADER.FIELDS (Date {4+}\r\nFrom \"x(\")]",
            "BODY[HEADER.FIELDS (Date From \"x(\")] true None",
        ),
        ("BODY[1.HEADER.FIELDS.NOT (A)]", "BODY[1.HEADER.FIELDS.NOT (A)] false None"),
    ] {
        assert_eq!(section(text), expected);
    }
    for wrong in [
        "FETCH 1 ()",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[1.]",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[]<1>",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 X",
        "FETCH 1 (FLAGS",
        "FETCH 1 (FLAGS  UID)",
        "FETCH 1 (ALL)",
        "FETCH 1 RFC822[]",
        "FETCH 1",
        "FETCH 1 BODY[1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24.25.26.27.28.\
         29.30.31.32.33]",
        "FETCH 1 BODY[HEADER.FIELDS (a:b)]",
        "FETCH 1 BODY[TEXT.1]",
    ] {
        bad(wrong);
    }
    check(
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
        "Fetch(Fetch { set: SequenceSet { ranges: [(1, 0)] }, uid: true, items: [Flags], \
         changed_since: Some(12345) })",
    );
}

#[test]
fn storing() {
    let store = |text: &str| match steps(format!("a STORE {text}\r\n").as_bytes(), 9).pop() {
        Some(Step::Command(Command { verb: Verb::Store(store), .. })) => store,
        other => panic!("{text}: {other:?}"),
    };
    let found = store("2:4 +FLAGS (\\Deleted)");
    assert_eq!((found.act, found.silent), (StoreAct::Add, false));
    assert_eq!(found.flags.system, Flags::DELETED);
    let found = store("1 (UNCHANGEDSINCE 9) -flags.silent \\seen $Junk");
    assert_eq!((found.act, found.silent), (StoreAct::Remove, true));
    assert_eq!(found.unchanged_since, Some(9));
    assert_eq!(found.flags.keywords, ["$Junk"]);
    let found = store("1 FLAGS ()");
    assert_eq!((found.act, found.flags), (StoreAct::Replace, FlagSet::default()));
    for wrong in [
        "STORE 1 FLAGS",
        "STORE 1 FLAGS \\Recent",
        "STORE 1 FLAGS (\\Nope)",
        "STORE 1 +X (a)",
        "STORE 1 FLAGS (a",
        "STORE 1 (CHANGEDSINCE 1) FLAGS (a)",
        "STORE 1 FLAGS \\*",
    ] {
        bad(wrong);
    }
}

#[test]
fn searching() {
    let key = |text: &str| match steps(format!("a SEARCH {text}\r\n").as_bytes(), 9).pop() {
        Some(Step::Command(Command { verb: Verb::Search(search), .. })) => {
            format!("{:?}", search.key)
        }
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(key("ALL"), "All");
    assert_eq!(
        key("SEEN 2:4"),
        "And([Flag(Flags(1)), Sequence(SequenceSet { ranges: [(2, 4)] })])"
    );
    assert_eq!(key("NOT (UNSEEN)"), "Not(Not(Flag(Flags(1))))");
    assert_eq!(key("OR NEW OLD"), "Or(New, Not(Flag(Flags(32))))");
    assert_eq!(key("SINCE 1-Feb-1994"), "Since(Day(8797))");
    assert_eq!(key("ON \"29-Feb-2024\""), "On(Day(19782))");
    assert_eq!(key("FROM Smith"), "From([83, 109, 105, 116, 104])");
    assert_eq!(key("HEADER {2+}\r\nTo \"\""), "Header { name: [84, 111], value: [] }");
    assert_eq!(key("MODSEQ \"/flags/\\\\draft\" all 620162338"), "ModSeq(620162338)");
    assert_eq!(key("UNKEYWORD $x LARGER 5"), "And([Not(Keyword(\"$x\")), Larger(5)])");
    assert_eq!(key("UID *"), "Uid(SequenceSet { ranges: [(0, 0)] })");
    check(
        "UID SEARCH RETURN (MIN COUNT) CHARSET UTF-8 DELETED",
        "Search(Search { uid: true, charset: Some(\"UTF-8\"), results: Some(Results { min: true, \
         max: false, all: false, count: true }), key: Flag(Flags(8)) })",
    );
    let deep = "(".repeat(40) + "ALL" + &")".repeat(40);
    let chained = "NOT ".repeat(40) + "ALL";
    for wrong in [
        "",
        "FOO",
        "OR ALL",
        "NOT",
        "SINCE 31-Feb-2020",
        "SINCE 1-Foo-2020",
        "()",
        "(ALL",
        "ALL ",
        "RETURN (SAVE) ALL",
        "RETURN () ",
        "MODSEQ",
        "CHARSET UTF-8",
        &deep,
        &chained,
    ] {
        bad(&format!("SEARCH {wrong}"));
    }
    bad(&format!("SEARCH {}", vec!["1"; SEARCH_KEYS + 1].join(" ")));
}

#[test]
fn modified_utf7() {
    for (name, wire) in [
        ("INBOX", "INBOX"),
        ("A&B", "A&-B"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☺!", "&Jjo-!"),
        ("😀", "&2D3eAA-"),
        ("送信済み", "&kAFP4W4IMH8-"),
        ("", ""),
    ] {
        let mut out = Vec::new();
        encode_utf7(name, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), wire);
        assert_eq!(decode_utf7(wire.as_bytes()).as_deref(), Some(name));
    }
    for wrong in ["&", "&U,BT", "&!-", "&AGE-", "&2D0-", "&U,BTFx-", "&U,BTFwA-"] {
        assert_eq!(decode_utf7(wrong.as_bytes()), None, "{wrong}");
    }
    assert_eq!(decode_utf7("日本".as_bytes()).as_deref(), Some("日本"));
    assert_eq!(decode_utf7(b"\xff"), None);
}

#[test]
fn dates() {
    for day in (-200_000..200_000).step_by(37) {
        let (year, month, of_month) = Day(day).civil();
        assert_eq!(Day::from_civil(year, month, of_month), Day(day));
    }
    let mut out = Vec::new();
    Moment { seconds: 837_596_665, zone_minutes: -420 }.write(&mut out);
    assert_eq!(out, b"\"17-Jul-1996 02:44:25 -0700\"");
    assert_eq!(Moment { seconds: 837_596_665, zone_minutes: 540 }.day(), Day(9694));
}

#[test]
fn responses() {
    let ok = Condition::Ok;
    for (found, expected) in [
        (shown(|w| w.tagged("a1", ok, None, "done")), "a1 OK done\r\n"),
        (
            shown(|w| w.tagged("a", Condition::No, Some(Code::Word("UNAVAILABLE")), "later")),
            "a NO [UNAVAILABLE] later\r\n",
        ),
        (shown(|w| w.untagged(Condition::Bye, None, "")), "* BYE -\r\n"),
        (shown(|w| w.untagged(ok, None, "x\r\ny")), "* OK x??y\r\n"),
        (shown(|w| w.go_on("idling")), "+ idling\r\n"),
        (shown(|w| w.capability(&["IMAP4rev1", "IDLE"])), "* CAPABILITY IMAP4rev1 IDLE\r\n"),
        (shown(|w| w.flags(Flags(1 | 8), &["$x"])), "* FLAGS (\\Deleted \\Seen $x)\r\n"),
        (
            shown(|w| {
                let code = Code::PermanentFlags { system: Flags(1), keywords: &["k"], any: true };
                w.untagged(ok, Some(code), "ok");
            }),
            "* OK [PERMANENTFLAGS (\\Seen k \\*)] ok\r\n",
        ),
        (shown(|w| w.exists(172)), "* 172 EXISTS\r\n"),
        (
            shown(|w| w.list(&["\\HasNoChildren", "\\Sent"], Some(b'/'), "送信済み")),
            "* LIST (\\HasNoChildren \\Sent) \"/\" \"&kAFP4W4IMH8-\"\r\n",
        ),
        (shown(|w| w.lsub(&[], None, "a\"b")), "* LSUB () NIL \"a\\\"b\"\r\n"),
        (
            shown(|w| w.status("x", &[(StatusItem::Messages, 2), (StatusItem::UidNext, 9)])),
            "* STATUS \"x\" (MESSAGES 2 UIDNEXT 9)\r\n",
        ),
        (
            shown(|w| {
                let code = Code::CopyUid { validity: 9, from: &[1, 2, 5], to: &[7, 8, 9] };
                w.tagged("a", ok, Some(code), "copied");
            }),
            "a OK [COPYUID 9 1:2,5 7:9] copied\r\n",
        ),
        (
            shown(|w| w.tagged("a", ok, Some(Code::AppendUid { validity: 3, uid: 4 }), "kept")),
            "a OK [APPENDUID 3 4] kept\r\n",
        ),
        (shown(|w| w.namespace(b'/')), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"),
        (shown(|w| w.quota("", 10, 512)), "* QUOTA \"\" (STORAGE 10 512)\r\n"),
        (shown(|w| w.quota_root("INBOX", "")), "* QUOTAROOT \"INBOX\" \"\"\r\n"),
        (shown(|w| w.id(&[("name", "Sekisho")])), "* ID (\"name\" \"Sekisho\")\r\n"),
        (shown(|w| w.id(&[])), "* ID NIL\r\n"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn found_messages() {
    let found = Found { tag: "t", uid: true, numbers: &[2, 3, 9], mod_seq: Some(7) };
    let none = Found { numbers: &[], ..found };
    let all = Results { min: true, max: true, all: true, count: true };
    assert_eq!(shown(|w| w.search(&found)), "* SEARCH 2 3 9 (MODSEQ 7)\r\n");
    assert_eq!(shown(|w| w.search(&none)), "* SEARCH\r\n");
    assert_eq!(
        shown(|w| w.esearch(&found, all)),
        "* ESEARCH (TAG \"t\") UID MIN 2 MAX 9 COUNT 3 ALL 2:3,9 MODSEQ 7\r\n"
    );
    assert_eq!(shown(|w| w.esearch(&none, all)), "* ESEARCH (TAG \"t\") UID COUNT 0\r\n");
}

#[test]
fn fetch_lines() {
    let line = shown(|w| {
        let mut line = w.fetch(12);
        line.flags(Flags::SEEN, []);
        line.uid(4);
        line.size(44_827);
        line.mod_seq(5);
        line.internal_date(Moment { seconds: 0, zone_minutes: 0 });
        line.prepared("ENVELOPE", b"(NIL)");
        line.octets("BODY[1]", Some(b"ab\r\n"));
        line.octets("BODY[9]", None);
        let mut drained = 0;
        let mut drain = |out: &mut Vec<u8>| {
            drained += out.len();
            Ok::<(), ()>(())
        };
        line.octets_in_pieces("BODY[]", b"12345", &mut drain).unwrap();
        line.end();
    });
    assert_eq!(
        line,
        "* 12 FETCH (FLAGS (\\Seen) UID 4 RFC822.SIZE 44827 MODSEQ (5) \
         INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" ENVELOPE (NIL) \
         BODY[1] {4}\r\nab\r\n BODY[9] NIL BODY[] {5}\r\n12345)\r\n"
    );
}

#[test]
fn a_hundred_thousand_flags_are_written_quickly() {
    let mut out = Vec::with_capacity(8 << 20);
    let start = std::time::Instant::now();
    let mut writer = Writer::new(&mut out);
    for number in 1..=100_000u32 {
        let mut line = writer.fetch(number);
        line.flags(Flags((number % 32) as u8), []);
        line.end();
    }
    let took = start.elapsed();
    assert!(out.len() > 2_000_000);
    // The aim is 15 ms; the bound leaves room for a busy machine.
    assert!(took.as_millis() < 150, "{took:?}");
    println!("100,000 FETCH lines in {took:?}");
}

struct Shift(u64);

impl Shift {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize
    }
}

const SEEDS: &[&[u8]] = &[
    b"a LOGIN {4+}\r\nfred \"hush\"\r\nb SELECT INBOX (CONDSTORE)\r\n",
    b"c FETCH 1:*,3 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (Date From)]<0.9>) (CHANGEDSINCE 1)\r\n",
    b"d UID SEARCH RETURN (MIN ALL) CHARSET UTF-8 OR (SEEN NOT FROM \"x\") SINCE 1-Feb-1994\r\n",
    b"e APPEND &U,BTFw- (\\Seen) \"14-Jul-1993 02:44:25 -0700\" {10}\r\n0123456789\r\nf NOOP\r\n",
    b"f IDLE\r\nDONE\r\ng STORE 1 +FLAGS.SILENT (\\Seen)\r\n",
    b"h LIST (SUBSCRIBED) \"\" (a% \"b\") RETURN (STATUS (UNSEEN))\r\n",
    b"i AUTHENTICATE PLAIN AGZyZWQAaHVzaA==\r\nj ID (\"name\" NIL)\r\nk COPY 1:9 \"x\"\r\n",
];

/// How much longer than usual to fuzz (`cargo xtask fuzz`).
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

#[test]
fn fuzz_nothing_upsets_the_reader() {
    let mut shift = Shift(0x5eed_0001);
    let words: &[&[u8]] = &[
        b"{5}\r\n",
        b"{3+}\r\n",
        b"\r\n",
        b"(",
        b")",
        b"\"",
        b"\\",
        b"*",
        b"&",
        b"\0",
        b"NOT ",
        b"OR ",
    ];
    let start = std::time::Instant::now();
    for round in 0..20_000 * factor() {
        let mut input = SEEDS[round % SEEDS.len()].to_vec();
        for _ in 0..1 + shift.next() % 6 {
            let at = shift.next() % (input.len() + 1);
            match shift.next() % 5 {
                0 if at < input.len() => input[at] = shift.next() as u8,
                1 if at < input.len() => drop(input.remove(at)),
                2 => input.insert(at, shift.next() as u8),
                3 => drop(input.splice(at..at, words[shift.next() % words.len()].iter().copied())),
                _ => input.truncate(at.max(1)),
            }
        }
        let whole = steps(&input, usize::MAX);
        let cut = steps(&input, 1 + shift.next() % 9);
        assert_eq!(whole, cut, "{:?}", String::from_utf8_lossy(&input));
        if let Some(name) = decode_utf7(&input) {
            let mut out = Vec::new();
            encode_utf7(&name, &mut out);
            assert_eq!(decode_utf7(&out).as_deref(), Some(name.as_str()));
            matches(&name, &name, b'/');
        }
        let _ = plain(&input);
    }
    assert!(start.elapsed().as_secs() < 60 * factor() as u64);
}
