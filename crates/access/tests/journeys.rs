//! Journeys of a mail client through `access`, with the world around it played by threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod world;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Service;
use world::client::Client;
use world::{SECRET, World};

const FIRST: &str = "From: Aoi <aoi@example.jp>\r\nTo: ken@example.jp\r\nSubject: spring\r\n\
    Date: Mon, 6 Apr 2026 23:30:00 -0500\r\nMessage-ID: <1@example.jp>\r\n\r\nfirst body\r\n";
const SECOND: &str = "From: Ken <ken@example.jp>\r\nTo: aoi@example.jp\r\n\
    Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
    cherry blossom\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n";

fn imap(messages: &[&str]) -> (std::sync::Arc<World>, Client) {
    let world = World::new(Service::Imaps);
    messages.iter().for_each(|message| world.deliver(message));
    let client = Client::signed_in(&world);
    (world, client)
}

fn check(client: &mut Client, command: &str, expected: &[&str]) {
    let answer = client.ask(command);
    let mut rest = answer.as_str();
    for part in expected {
        let found = rest.find(part);
        let at = found.unwrap_or_else(|| panic!("{command}: expected {part} in {answer}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn only_app_passwords_are_heard() {
    let world = World::new(Service::Imaps);
    let mut client = Client::new(&world);
    check(&mut client, "SELECT INBOX", &["x BAD sign in first"]);
    check(&mut client, "CAPABILITY", &["AUTH=PLAIN", "x OK"]);
    let account = "LOGIN aoi@example.jp hunter2";
    check(&mut client, account, &["* NO [ALERT]", "x NO [AUTHENTICATIONFAILED]"]);
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "the account password was passed on");
    check(&mut client, "LOGIN aoi@example.jp sk-wrong", &["x NO [AUTHENTICATIONFAILED]"]);
    assert_eq!(world.asked.load(Ordering::SeqCst), 1);
    check(&mut client, "AUTHENTICATE LOGIN", &["x NO only PLAIN"]);
    check(&mut client, &format!("LOGIN aoi@example.jp {SECRET}"), &["x OK [CAPABILITY IMAP4rev1"]);
    check(&mut client, "LOGIN a b", &["x BAD you are signed in"]);
    check(&mut client, "LOGOUT", &["* BYE", "x OK"]);
    assert!(client.end().is_empty());
}

#[test]
fn a_message_is_read() {
    let (world, mut client) = imap(&[FIRST, SECOND]);
    check(
        &mut client,
        "SELECT INBOX",
        &[
            "* FLAGS (",
            "* 2 EXISTS",
            "* 2 RECENT",
            "[UNSEEN 1]",
            "PERMANENTFLAGS",
            "\\*)",
            "[UIDVALIDITY 77]",
            "[UIDNEXT 3]",
            "[HIGHESTMODSEQ",
            "x OK [READ-WRITE]",
        ],
    );
    assert_eq!(world.vault.released.load(Ordering::SeqCst), 0, "SELECT opens nothing");
    check(
        &mut client,
        "FETCH 1:* (FLAGS UID RFC822.SIZE INTERNALDATE)",
        &["* 1 FETCH (FLAGS (\\Recent) UID 1 RFC822.SIZE ", "* 2 FETCH", "x OK"],
    );
    check(
        &mut client,
        "FETCH 1:2 ENVELOPE",
        &[
            "* 1 FETCH (ENVELOPE (\"Mon, 6 Apr 2026 23:30:00 -0500\" \"spring\" ((\"Aoi\" NIL",
            "* 2 FETCH (ENVELOPE (NIL \"=?ISO-2022-JP",
            "x OK",
        ],
    );
    assert_eq!(world.vault.released.load(Ordering::SeqCst), 2);
    check(&mut client, "FETCH 2 BODYSTRUCTURE", &["((\"", "plain", "pdf", "mixed", "x OK"]);
    check(
        &mut client,
        "FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
        &["* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {19}\r\nSubject: spring\r\n\r\n)", "x OK"],
    );
    assert_eq!(world.vault.released.load(Ordering::SeqCst), 2, "headers come from the summary");
    let whole = format!("* 1 FETCH (BODY[] {{{}}}\r\n{FIRST})\r\n", FIRST.len());
    check(&mut client, "FETCH 1 BODY.PEEK[]", &[&whole, "x OK"]);
    check(&mut client, "FETCH 1 BODY.PEEK[]<3.7>", &["BODY[]<3> {7}\r\nm: Aoi )"]);
    check(&mut client, "FETCH 2 BODY.PEEK[1]", &["BODY[1] {14}\r\ncherry blossom)"]);
    check(&mut client, "FETCH 2 (BODY.PEEK[2.MIME] BODY.PEEK[7])", &["pdf", "BODY[7] NIL)"]);
    check(
        &mut client,
        "FETCH 1 (FLAGS BODY[TEXT])",
        &["* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {12}\r\nfirst body\r\n)", "x OK"],
    );
    check(&mut client, "UID FETCH 2 RFC822.TEXT", &["* 2 FETCH (UID 2 RFC822.TEXT {"]);
    check(&mut client, "FETCH 9 FLAGS", &["x BAD"]);
}

#[test]
fn added_fields_stand_on_top() {
    let world = World::new(Service::Imaps);
    let added = "Received: from a by b\r\n";
    world.deliver_with(added, FIRST);
    let mut client = Client::signed_in(&world);
    client.ask("EXAMINE INBOX");
    let whole = format!("BODY[] {{{}}}\r\n{added}{FIRST})", added.len() + FIRST.len());
    check(&mut client, "FETCH 1 BODY[]", &[&whole]);
    let head = format!("\r\n{added}From: Aoi");
    check(&mut client, "FETCH 1 RFC822.HEADER", &["RFC822.HEADER {", &head]);
    check(
        &mut client,
        "FETCH 1 (FLAGS BODY[HEADER.FIELDS (Received)])",
        &["FLAGS (\\Recent)", added],
    );
}

#[test]
fn a_message_without_an_overview_is_read_too() {
    let (_world, mut client) = imap(&["Subject: x\r\n\r\ndeadly\r\n"]);
    client.ask("SELECT INBOX");
    check(&mut client, "FETCH 1 (ENVELOPE BODY.PEEK[])", &["ENVELOPE (NIL", "deadly", "x OK"]);
    check(&mut client, "FETCH 1 (BODY BODYSTRUCTURE)", &["BODY (\"", "x OK"]);
}

#[test]
fn flags_are_kept_and_told() {
    let (world, mut client) = imap(&[FIRST, SECOND]);
    client.ask("SELECT INBOX");
    check(
        &mut client,
        "STORE 1 +FLAGS (\\Flagged $Work)",
        &["* FLAGS (", "$Work)", "* 1 FETCH (FLAGS (\\Flagged \\Recent $Work))", "x OK"],
    );
    check(&mut client, "STORE 1:2 -FLAGS.SILENT \\Flagged", &["x OK"]);
    check(&mut client, "SEARCH KEYWORD $work", &["* SEARCH 1\r\n"]);
    check(&mut client, "FETCH 1 (FLAGS MODSEQ)", &["FLAGS (\\Recent $Work) MODSEQ ("]);
    check(&mut client, "STORE 1 (UNCHANGEDSINCE 1) FLAGS ()", &["x OK [MODIFIED 1]"]);
    world.shelves.lock().unwrap().flag(1, &[2], 4);
    check(&mut client, "NOOP", &["* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ", "x OK"]);
    let mut other = Client::signed_in(&world);
    check(&mut other, "SELECT INBOX", &["$Work", "* 0 RECENT"]);
    check(&mut other, "FETCH 1 FLAGS", &["* 1 FETCH (FLAGS ($Work))"]);
    check(&mut other, "STORE 1 FLAGS ()", &["* 1 FETCH (FLAGS ())"]);
    client.ask("EXAMINE INBOX");
    check(&mut client, "STORE 1 FLAGS ()", &["x NO [READ-ONLY]"]);
    let kept = world.shelves.lock().unwrap().octets();
    for word in ["Work", "spring", "aoi", "cherry"] {
        let found = kept.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "{word} stands in the mailbox");
    }
}

#[test]
fn messages_are_copied_moved_and_expunged() {
    let (_world, mut client) = imap(&[FIRST, SECOND, FIRST]);
    client.ask("SELECT INBOX");
    check(&mut client, "COPY 1:2 Archive", &["x OK [COPYUID 77 1:2 1:2]"]);
    check(&mut client, "COPY 1 Nowhere", &["x NO [TRYCREATE]"]);
    check(&mut client, "MOVE 2 Trash", &["* OK [COPYUID 77 2 1]", "* 2 EXPUNGE", "x OK"]);
    check(&mut client, "STORE 1:2 +FLAGS.SILENT \\Deleted", &["x OK"]);
    check(&mut client, "UID EXPUNGE 3", &["* 2 EXPUNGE", "x OK"]);
    check(&mut client, "EXPUNGE", &["* 1 EXPUNGE", "x OK"]);
    check(&mut client, "SELECT Archive", &["* 2 EXISTS"]);
    check(&mut client, "FETCH 1 BODY.PEEK[TEXT]", &["first body"]);
    client.ask("STORE 2 +FLAGS (\\Deleted)");
    check(&mut client, "CLOSE", &["x OK"]);
    check(&mut client, "FETCH 1 FLAGS", &["x BAD select a folder"]);
    check(&mut client, "STATUS Archive (MESSAGES)", &["* STATUS \"Archive\" (MESSAGES 1)"]);
}

#[test]
fn folders_have_names_of_their_own() {
    let (world, mut client) = imap(&[FIRST]);
    check(&mut client, "LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\""]);
    check(
        &mut client,
        "LIST \"\" *",
        &[
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"",
            "\\Archive) \"/\" \"Archive\"",
            "\\Trash)",
            "x OK",
        ],
    );
    check(&mut client, "CREATE &ZeVnLIqe-/Work", &["x OK"]);
    check(&mut client, "CREATE &ZeVnLIqe-", &["x NO [ALREADYEXISTS]"]);
    check(
        &mut client,
        "LIST \"\" &ZeVnLIqe-*",
        &[
            "* LIST (\\HasChildren) \"/\" \"&ZeVnLIqe-\"",
            "(\\HasNoChildren) \"/\" \"&ZeVnLIqe-/Work\"",
        ],
    );
    check(&mut client, "RENAME &ZeVnLIqe- Japan", &["x OK"]);
    check(&mut client, "SUBSCRIBE Japan/Work", &["x OK"]);
    check(
        &mut client,
        "LIST \"\" Japan/% RETURN (SUBSCRIBED STATUS (MESSAGES))",
        &["\\Subscribed) \"/\" \"Japan/Work\"\r\n* STATUS \"Japan/Work\" (MESSAGES 0)"],
    );
    check(&mut client, "UNSUBSCRIBE Japan", &["x OK"]);
    check(&mut client, "LSUB \"\" Japan*", &["* LSUB () \"/\" \"Japan/Work\""]);
    check(&mut client, "LSUB \"\" %", &["* LSUB (\\Noselect) \"/\" \"Japan\""]);
    check(&mut client, "LIST (SPECIAL-USE) \"\" *", &["\\Drafts", "x OK"]);
    check(&mut client, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Japan", &["CHILDINFO"]);
    check(&mut client, "DELETE Japan", &["x OK"]);
    check(&mut client, "LIST \"\" Jap%", &["* LIST (\\Noselect \\HasChildren) \"/\" \"Japan\""]);
    for wrong in ["DELETE INBOX", "DELETE Sent", "RENAME Sent x", "CREATE a//b", "CREATE \"a*\""] {
        check(&mut client, wrong, &["x NO [CANNOT]"]);
    }
    check(&mut client, "DELETE nowhere", &["x NO [NONEXISTENT]"]);
    check(&mut client, "RENAME INBOX Old", &["x OK"]);
    check(&mut client, "STATUS Old (MESSAGES UNSEEN)", &["(MESSAGES 1 UNSEEN 1)"]);
    check(
        &mut client,
        "GETQUOTAROOT INBOX",
        &["* QUOTAROOT \"INBOX\" \"\"", "* QUOTA \"\" (STORAGE 1"],
    );
    check(&mut client, "NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL"]);
    let kept = world.shelves.lock().unwrap().octets();
    assert!(!kept.windows(5).any(|window| window == b"Japan"));
}

#[test]
fn own_mail_is_appended() {
    let (world, mut client) = imap(&[]);
    client.ask("SELECT Sent");
    client.send(format!("a APPEND Sent (\\Seen) {{{}}}\r\n", FIRST.len()).as_bytes());
    assert!(client.line().starts_with("+ "));
    client.send(format!("{FIRST}\r\n").as_bytes());
    let answer = client.answer("a");
    assert!(answer.contains("* 1 EXISTS") && answer.contains("x OK [APPENDUID 77 1]"), "{answer}");
    check(
        &mut client,
        "FETCH 1 (FLAGS ENVELOPE BODY.PEEK[TEXT])",
        &["\\Seen", "spring", "first body"],
    );
    let large = "x".repeat(78) + "\r\n";
    let large = format!("Subject: large\r\n\r\n{}", large.repeat(30_000));
    // Still January in UTC: the day is that of the zone in which it was said.
    let date = "\"01-Feb-2020 08:00:00 +0900\"";
    client.send(format!("b APPEND Sent {date} {{{}+}}\r\n{large}\r\n", large.len()).as_bytes());
    assert!(client.answer("b").contains("[APPENDUID 77 2]"));
    let whole = format!("BODY[] {{{}}}\r\n{large})", large.len());
    check(
        &mut client,
        "FETCH 2 (INTERNALDATE BODY.PEEK[])",
        &["01-Feb-2020 08:00:00 +0900", &whole],
    );
    for (key, found) in [
        ("ON 31-Jan-2020", ""),
        ("ON 1-Feb-2020", " 2"),
        ("BEFORE 1-Feb-2020", ""),
        ("BEFORE 2-Feb-2020", " 2"),
        ("SINCE 1-Feb-2020 BEFORE 1-Jan-2021", " 2"),
        ("SINCE 2-Feb-2020 BEFORE 1-Jan-2021", ""),
    ] {
        check(&mut client, &format!("SEARCH {key}"), &[&format!("* SEARCH{found}\r\n")]);
    }
    check(&mut client, "APPEND Nowhere {3}", &["x NO [TRYCREATE]"]);
    check(&mut client, "APPEND Sent {99999999}", &["x NO [TOOBIG]"]);
    world.shelves.lock().unwrap().limit_bytes = 100;
    check(&mut client, "APPEND Sent {30}", &["x NO [OVERQUOTA]"]);
    check(&mut client, "NOOP", &["x OK"]);
}

#[test]
fn messages_are_found() {
    let (world, mut client) = imap(&[FIRST, SECOND]);
    client.ask("SELECT INBOX");
    check(&mut client, "SEARCH UNSEEN LARGER 10 1:*", &["* SEARCH 1 2\r\n"]);
    assert_eq!(world.vault.released.load(Ordering::SeqCst), 0, "numbers open nothing");
    for (key, found) in [
        ("FROM AOI", " 1"),
        ("SUBJECT spring", " 1"),
        ("HEADER Message-ID <1@", " 1"),
        ("HEADER Message-ID \"\"", " 1"),
        ("NOT FROM aoi", " 2"),
        ("OR FROM aoi FROM ken", " 1 2"),
        ("SENTON 6-Apr-2026", " 1"),
        ("SENTSINCE 7-Apr-2026", ""),
        ("SINCE 1-Jan-2026", " 1 2"),
        ("BODY blossom", " 2"),
        ("TEXT spring", " 1"),
        ("CHARSET UTF-8 SUBJECT {6+}\r\n日本", " 2"),
        ("CHARSET ISO-2022-JP SUBJECT {10+}\r\n\x1b$BF|K\\\x1b(B", " 2"),
        ("BCC x", ""),
        ("UID 2", " 2"),
        ("OLD", ""),
    ] {
        check(&mut client, &format!("SEARCH {key}"), &[&format!("* SEARCH{found}\r\n"), "x OK"]);
    }
    check(&mut client, "SEARCH CHARSET KLINGON ALL", &["x NO [BADCHARSET ("]);
    check(
        &mut client,
        "UID SEARCH RETURN (MIN MAX COUNT ALL) ALL",
        &["* ESEARCH (TAG \"t", "\") UID MIN 1 MAX 2 COUNT 2 ALL 1:2\r\n"],
    );
    check(&mut client, "SEARCH MODSEQ 1", &["* SEARCH 1 2 (MODSEQ "]);
}

#[test]
fn news_is_told_while_idle() {
    let (world, mut client) = imap(&[FIRST]);
    client.ask("SELECT INBOX");
    client.send(b"i IDLE\r\n");
    assert!(client.line().starts_with("+ "));
    world.deliver(SECOND);
    assert_eq!(client.line(), "* 2 EXISTS\r\n");
    assert_eq!(client.line(), "* 2 RECENT\r\n");
    world.shelves.lock().unwrap().flag(1, &[1], 8);
    assert!(client.line().starts_with("* 1 FETCH (FLAGS (\\Deleted"));
    world.shelves.lock().unwrap().expunge(1, None);
    assert_eq!(client.line(), "* 1 EXPUNGE\r\n");
    client.send(b"DONE\r\n");
    assert_eq!(client.answer("i"), "x OK idled\r\n");
    // During FETCH by number, numbers do not move; with the next command they do.
    world.shelves.lock().unwrap().flag(1, &[2], 8);
    world.shelves.lock().unwrap().expunge(1, None);
    let answer = client.ask("FETCH 1 UID");
    assert!(!answer.contains("EXPUNGE"), "{answer}");
    check(&mut client, "FETCH 1 BODY[]", &["x NO [EXPUNGEISSUED]"]);
    check(&mut client, "NOOP", &["* 1 EXPUNGE", "x OK"]);
}

#[test]
fn without_evidence_nothing_is_opened() {
    let (world, mut client) = imap(&[FIRST]);
    client.ask("SELECT INBOX");
    check(&mut client, "FETCH 1 BODY.PEEK[]", &["first body", "x OK"]);
    world.away.store(true, Ordering::SeqCst);
    let start = Instant::now();
    check(&mut client, "FETCH 1 BODY[]", &["x NO [UNAVAILABLE]"]);
    check(&mut client, "FETCH 1 ENVELOPE", &["x NO [UNAVAILABLE]"]);
    check(&mut client, "SEARCH FROM aoi", &["x NO [UNAVAILABLE]"]);
    assert!(start.elapsed() < Duration::from_secs(10));
    check(&mut client, "FETCH 1 FLAGS", &["* 1 FETCH (FLAGS (\\Recent))"]);
    world.away.store(false, Ordering::SeqCst);
    world.vault.expires.store(true, Ordering::SeqCst); // a new grant is asked for by itself
    check(&mut client, "FETCH 1 BODY[TEXT]", &["first body", "x OK"]);
}

#[test]
fn peers_die_and_come_back() {
    let (world, mut client) = imap(&[FIRST, SECOND]);
    client.ask("SELECT INBOX");
    check(&mut client, "FETCH 1 BODY.PEEK[TEXT]", &["first body"]);
    world.restart(Kind::Vault);
    check(&mut client, "FETCH 2 BODY.PEEK[1]", &["cherry blossom", "x OK"]);
    world.restart(Kind::Mailbox);
    check(&mut client, "FETCH 1 BODY.PEEK[TEXT]", &["first body", "x OK"]);
    world.deliver(FIRST);
    check(&mut client, "NOOP", &["* 3 EXISTS", "x OK"]);
    client.send(b"i IDLE\r\n");
    assert!(client.line().starts_with("+ "));
    world.restart(Kind::Mailbox);
    thread::sleep(Duration::from_millis(200));
    world.deliver(FIRST);
    assert_eq!(client.line(), "* 4 EXISTS\r\n");
}

#[test]
fn the_house_closes_politely() {
    let (world, mut client) = imap(&[FIRST]);
    for gate in world.closing.lock().unwrap().iter() {
        gate.send(0, &wire::gate::FromGate::Closing, &[]).unwrap();
    }
    assert!(client.line().starts_with("* BYE"));
}

/// Python's imaplib and poplib, if Python is there.
#[test]
fn another_s_clients_are_content() {
    const SCRIPT: &str = r#"
import imaplib, poplib, ssl, sys
context = ssl.create_default_context(cadata=open(sys.argv[3]).read())
context.check_hostname = False
port, secret = int(sys.argv[1]), sys.argv[2]
m = imaplib.IMAP4_SSL('127.0.0.1', port, ssl_context=context)
assert m.login('aoi@example.jp', secret)[0] == 'OK'
assert m.select()[1] == [b'2'], m.select()
kind, data = m.fetch('1:2', '(FLAGS BODY.PEEK[HEADER])')
assert kind == 'OK' and b'Subject: spring' in data[0][1], data
assert m.search(None, 'FROM', '"aoi"')[1] == [b'1']
assert m.create('Work')[0] == 'OK'
assert m.copy('1', 'Work')[0] == 'OK'
assert m.append('Work', r'(\Seen)', None, b'Subject: own\r\n\r\nmine\r\n')[0] == 'OK'
assert m.store('1', '+FLAGS', r'(\Deleted)')[0] == 'OK'
assert m.expunge()[1] == [b'1']
assert m.select('Work')[1] == [b'2']
assert m.fetch('2', '(RFC822)')[1][0][1].endswith(b'mine\r\n')
assert m.uid('search', 'ALL')[1] == [b'1 2']
assert any(b'Work' in line for line in m.list()[1])
assert m.status('Work', '(MESSAGES UIDNEXT)')[1] == [b'"Work" (MESSAGES 2 UIDNEXT 3)']
assert m.getquotaroot('INBOX')[0] == 'OK' and m.namespace()[0] == 'OK'
assert m.logout()[0] == 'BYE'
print('content')
"#;
    let (world, _client) = imap(&[FIRST, SECOND]);
    let script = std::env::temp_dir().join(format!("access-{}.py", std::process::id()));
    let authority = script.with_extension("pem");
    std::fs::write(&script, SCRIPT).unwrap();
    std::fs::write(&authority, world.authority_pem()).unwrap();
    let run = std::process::Command::new("python3")
        .arg(&script)
        .arg(world.address.port().to_string())
        .arg(SECRET)
        .arg(&authority)
        .output();
    let _ = (std::fs::remove_file(&script), std::fs::remove_file(&authority));
    let Ok(run) = run else {
        println!("absent: python3");
        return;
    };
    let (said, errors) = (run.stdout, String::from_utf8_lossy(&run.stderr).into_owned());
    assert_eq!(String::from_utf8_lossy(&said), "content\n", "{errors}");
}

/// A large folder: numbers only, so it must be quick.
/// What cannot be looked into is not told as not found.
#[test]
fn a_search_says_so_where_a_message_does_not_open() {
    let (world, mut client) = imap(&[FIRST]);
    let mut broken = world.vault.seal("", SECOND.as_bytes());
    broken.summary.content = wire::Parcel::Inline(vec![1; 200]);
    world.shelves.lock().unwrap().fill(broken, 1);
    client.ask("SELECT INBOX");
    check(&mut client, "SEARCH SUBJECT spring", &["x NO [SERVERBUG] a message could not be"]);
    check(&mut client, "SEARCH 1 SUBJECT spring", &["* SEARCH 1\r\n", "x OK"]);
    check(&mut client, "SEARCH UNSEEN", &["* SEARCH 1 2\r\n", "x OK"]);
}

/// More opened overviews than are kept: whatever is asked for is there when it is told, and no body
/// is opened in its stead.
#[test]
fn a_mailbox_with_long_headers_is_fetched_and_searched_whole() {
    const MESSAGES: usize = 400;
    let (world, mut client) = imap(&[]);
    let long = "X-Trace: ".to_owned() + &"0123456789 ".repeat(40) + "\r\n";
    let message = FIRST.replacen("\r\n\r\n", &format!("\r\n{}\r\n", long.repeat(18)), 1);
    let copy = world.vault.seal("", message.as_bytes());
    world.shelves.lock().unwrap().fill(copy, u32::try_from(MESSAGES).unwrap());
    client.ask("SELECT INBOX");
    for range in ["1:60", "30:250", "1:*", "200:*"] {
        let (first, last) = range.split_once(':').unwrap();
        let last = last.parse().unwrap_or(MESSAGES);
        for items in ["ENVELOPE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"] {
            let answer = client.ask(&format!("FETCH {range} ({items})"));
            let told = answer.matches(" FETCH (").count();
            assert_eq!(told, last + 1 - first.parse::<usize>().unwrap(), "{range} {items}");
            assert!(answer.contains("x OK"), "{range} {items}");
        }
    }
    let found = client.ask("UID SEARCH RETURN (COUNT) FROM aoi SUBJECT spring");
    assert!(found.contains(&format!("COUNT {MESSAGES}\r\n")) && found.contains("x OK"), "{found}");
    check(&mut client, "SEARCH NOT FROM aoi", &["* SEARCH\r\n", "x OK"]);
}

#[test]
fn a_hundred_thousand_messages() {
    let (world, mut client) = imap(&[]);
    world.shelves.lock().unwrap().fill(world.vault.seal("", FIRST.as_bytes()), 100_000);
    let start = Instant::now();
    check(&mut client, "SELECT INBOX", &["* 100000 EXISTS", "x OK"]);
    let selected = start.elapsed();
    let start = Instant::now();
    client.send(b"f FETCH 1:* (FLAGS)\r\n");
    let answer = client.answer("f");
    let fetched = start.elapsed();
    assert_eq!(answer.matches("FETCH (FLAGS").count(), 100_000);
    println!("SELECT {selected:?}, FETCH 1:* (FLAGS) {fetched:?}, client and fake peers included");
    check(&mut client, "SEARCH 99999:* UNSEEN", &["* SEARCH 99999 100000\r\n"]);
    assert!(selected + fetched < Duration::from_secs(5));
}

#[test]
fn pop3_reads_and_deletes() {
    let world = World::new(Service::Pop3s);
    world.deliver(FIRST);
    world.deliver("Subject: dots\r\n\r\n.one\r\n..two\r\nthree\r\n");
    let mut client = Client::new(&world);
    let say = |client: &mut Client, command: &str| {
        client.send(format!("{command}\r\n").as_bytes());
        client.line()
    };
    let rest = |client: &mut Client| {
        let mut text = String::new();
        loop {
            match client.line() {
                line if line == ".\r\n" => return text,
                line => text += &line,
            }
        }
    };
    assert!(say(&mut client, "STAT").starts_with("-ERR"));
    assert!(say(&mut client, "USER aoi@example.jp").starts_with("+OK"));
    assert!(say(&mut client, "PASS hunter2").starts_with("-ERR [AUTH]"));
    assert!(say(&mut client, "USER aoi@example.jp").starts_with("+OK"));
    assert!(say(&mut client, &format!("PASS {SECRET}")).starts_with("+OK"));
    assert!(say(&mut client, "CAPA").starts_with("+OK"));
    assert!(rest(&mut client).contains("UIDL"));
    assert_eq!(say(&mut client, "STAT"), format!("+OK 2 {}\r\n", FIRST.len() + 37));
    say(&mut client, "UIDL");
    assert_eq!(rest(&mut client), "1 0000004d00000001\r\n2 0000004d00000002\r\n");
    say(&mut client, "RETR 2");
    assert_eq!(rest(&mut client), "Subject: dots\r\n\r\n..one\r\n...two\r\nthree\r\n");
    say(&mut client, "TOP 2 1");
    assert_eq!(rest(&mut client), "Subject: dots\r\n\r\n..one\r\n");
    let bodies = world.vault.bodies.load(Ordering::SeqCst);
    say(&mut client, "TOP 2 0");
    assert_eq!(rest(&mut client), "Subject: dots\r\n\r\n");
    assert_eq!(world.vault.bodies.load(Ordering::SeqCst), bodies, "its header opens no body");
    assert!(say(&mut client, "DELE 1").starts_with("+OK"));
    assert!(say(&mut client, "RETR 1").starts_with("-ERR"));
    assert!(say(&mut client, "LIST 9").starts_with("-ERR"));
    assert!(say(&mut client, "QUIT").starts_with("+OK"));
    assert!(client.end().is_empty());
    let mut again = Client::new(&world);
    say(&mut again, "USER aoi@example.jp");
    say(&mut again, &format!("PASS {SECRET}"));
    assert_eq!(say(&mut again, "STAT"), "+OK 1 37\r\n");
    // A restarted mailbox let another session in: that one's numbers stay true.
    say(&mut again, "DELE 1");
    world.shelves.lock().unwrap().is_in_use = true;
    let mut third = Client::new(&world);
    say(&mut third, "USER aoi@example.jp");
    assert!(say(&mut third, &format!("PASS {SECRET}")).starts_with("-ERR [IN-USE]"));
    assert!(third.end().is_empty());
    assert!(say(&mut again, "QUIT").starts_with("-ERR [IN-USE]"));
    world.shelves.lock().unwrap().is_in_use = false;
    let mut again = Client::new(&world);
    say(&mut again, "USER aoi@example.jp");
    say(&mut again, &format!("PASS {SECRET}"));
    assert_eq!(say(&mut again, "STAT"), "+OK 1 37\r\n");
}

/// What a client believes of its folder, from what it was told.
struct Belief {
    client: Client,
    /// Flags of each message, `None` while not told.
    messages: Vec<Option<String>>,
}

impl Belief {
    fn new(world: &World) -> Self {
        let mut belief = Self { client: Client::signed_in(world), messages: Vec::new() };
        belief.ask("SELECT INBOX");
        belief
    }

    fn ask(&mut self, command: &str) {
        let answer = self.client.ask(command);
        for line in answer.lines() {
            self.learn(command, line);
        }
        let is_bad = answer.contains("x BAD") && !answer.contains("no message of that number");
        assert!(!is_bad, "{command}: {answer}");
    }

    fn learn(&mut self, command: &str, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let ["*", number, what, ..] = words.as_slice() else { return };
        let Ok(number) = number.parse::<usize>() else { return };
        match *what {
            "EXISTS" => {
                assert!(number >= self.messages.len(), "{command}: {line}");
                self.messages.resize(number, None);
            }
            "EXPUNGE" => {
                let by_number = ["FETCH", "STORE", "SEARCH"].iter().any(|c| command.starts_with(c));
                assert!(!by_number, "numbers moved during {command}");
                assert!((1..=self.messages.len()).contains(&number), "{command}: {line}");
                self.messages.remove(number - 1);
            }
            "FETCH" => {
                assert!((1..=self.messages.len()).contains(&number), "{command}: {line}");
                if let Some((_, flags)) = line.split_once("FLAGS (") {
                    // One session alone hears that a message is recent.
                    let flags = flags.split(')').next().unwrap().split_whitespace();
                    let flags: Vec<&str> = flags.filter(|flag| *flag != "\\Recent").collect();
                    self.messages[number - 1] = Some(flags.join(" "));
                }
            }
            _ => {}
        }
    }
}

/// Three clients in one folder at once: each always believes what is so.
#[test]
fn many_clients_agree() {
    let (world, _client) = imap(&[FIRST, SECOND, FIRST, SECOND]);
    let mut beliefs: Vec<Belief> = (0..3).map(|_| Belief::new(&world)).collect();
    let mut state = 0x5eed_0003u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    for _ in 0..600 {
        let (who, what, flag) = (next(3), next(12), ["\\Seen", "\\Deleted", "$x"][next(3)]);
        let count = beliefs[who].messages.len();
        let one = next(count.max(1)) + 1;
        let command = match what {
            0 | 1 if count < 30 => format!("COPY {one}:* INBOX"),
            2 => format!("STORE {one} FLAGS ({flag})"),
            3 | 4 => format!("STORE {one}:* +FLAGS ({flag})"),
            5 => format!("STORE {one} -FLAGS.SILENT ({flag})"),
            6 => "EXPUNGE".to_owned(),
            7 => format!("MOVE {one} Trash"),
            8 => format!("FETCH {one}:* (FLAGS BODY[TEXT]<0.5>)"),
            9 => format!("UID FETCH {one}:* FLAGS"),
            10 => "SEARCH DELETED".to_owned(),
            _ => "NOOP".to_owned(),
        };
        let silent = command.contains("SILENT");
        beliefs[who].ask(&command);
        if silent && count > 0 {
            beliefs[who].ask(&format!("FETCH {one} FLAGS"));
        }
    }
    for belief in &mut beliefs {
        belief.ask("NOOP");
        let before = belief.messages.clone();
        belief.ask("FETCH 1:* FLAGS");
        for (place, (before, now)) in before.iter().zip(&belief.messages).enumerate() {
            assert!(before.is_none() || before == now, "{place}: {before:?} {now:?}");
        }
    }
    let same = beliefs.iter().all(|belief| belief.messages == beliefs[0].messages);
    assert!(same, "the clients do not agree");
}
