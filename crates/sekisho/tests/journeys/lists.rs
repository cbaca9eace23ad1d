//! Mailing lists: spread to members in the house, of another tenant and outside; who may not post;
//! what comes back; and leaving.

use super::house::{Demo, is_there, within};
use super::leaving::{letter, signed_in, verdict, with_sink};
use super::post::{Reply, Sender};
use super::reader::Reader;
use super::sink::{Came, Sink};
use aws_lc_rs::signature::Ed25519KeyPair;
use hkdf::Hkdf;
use mailauth::{Signer, SigningKey};
use sha2::Sha256;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(60);
const CAROL: &str = "carol@sender.example";
const FRIEND: &str = "friend@outside.example";

fn house() -> &'static (Demo, Sink) {
    static SHARED: OnceLock<(Demo, Sink)> = OnceLock::new();
    SHARED.get_or_init(|| with_sink("lists"))
}

fn done(demo: &Demo, words: &[&str]) -> serde_json::Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

/// A list of Aoi's with these members.
fn list(demo: &Demo, address: &str, more: &[&str], members: &[&str]) {
    let add = ["list", "add", address, "--tenant", "Example Japan", "--owner", "aoi@example.jp"];
    done(demo, &[&add, more].concat());
    done(demo, &[&["list", "member", "add", address], members].concat());
}

/// As a server of sender.example's hands it over: signed with its key.
fn signed(demo: &Demo, octets: &[u8]) -> Vec<u8> {
    signed_by(demo, "sender.example", octets)
}

/// The same of one of the demo's senders.
pub fn signed_by(demo: &Demo, domain: &str, octets: &[u8]) -> Vec<u8> {
    let credential = std::fs::read(format!("{}.unseal", demo.data().display())).unwrap();
    let mut seed = [0u8; 32];
    let derive = Hkdf::<Sha256>::new(None, &credential);
    derive.expand(format!("demo sender {domain}").as_bytes(), &mut seed).unwrap();
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = SigningKey::Ed25519(&key);
    let signer = Signer { domain, selector: "demo", key, now };
    [signer.sign(octets).unwrap().as_bytes(), octets].concat()
}

fn offer(demo: &Demo, from: &str, to: &str, octets: &[u8]) -> Reply {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    sender.letter(from, &[to], octets).unwrap()
}

/// A colleague's letter, from their own session.
fn post(demo: &Demo, from: &str, to: &str, subject: &str) {
    let octets = letter(from, to, subject, "");
    let reply = signed_in(demo, from).letter(from, &[to], &octets).unwrap();
    assert_eq!(reply.code, 250, "{from}: {reply:?}");
}

/// How RCPT is answered.
fn addressed(demo: &Demo, from: &str, to: &str) -> u16 {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say(&format!("MAIL FROM:<{from}>")).code, 250);
    sender.say(&format!("RCPT TO:<{to}>")).code
}

fn copy_for(sink: &Sink, to: &str, subject: &str) -> Came {
    let is_it = |came: &Came| came.to == [to] && came.field("Subject").as_deref() == Some(subject);
    sink.wait(&format!("{subject} for {to}"), is_it)
}

/// The headers of everything in somebody's INBOX.
fn headers(demo: &Demo, address: &str) -> String {
    let mut reader = Reader::sign_in(demo, address);
    reader.must("SELECT INBOX");
    reader.ask("FETCH 1:* (BODY.PEEK[HEADER])").unwrap().text()
}

fn count_of(demo: &Demo, address: &str, subject: &str) -> usize {
    headers(demo, address).matches(&format!("Subject: {subject}\r\n")).count()
}

/// A copy's link, pressed as a mail service does it (RFC 8058); how it is answered.
fn press(demo: &Demo, copy: &Came) -> String {
    let (_, status) = visit(demo, copy, &["--data", "List-Unsubscribe=One-Click"]);
    status
}

/// What stands behind the link of this copy, and its status.
fn visit(demo: &Demo, copy: &Came, with: &[&str]) -> (String, String) {
    let field = copy.field("List-Unsubscribe").unwrap();
    let link = field.split("<https://").nth(1).unwrap().split('>').next().unwrap();
    let host = link.split('/').next().unwrap();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "30", "-w", "%{http_code}", "--cacert"])
        .arg(demo.authority())
        .args(["--resolve", &format!("{host}:127.0.0.1")])
        .args(with)
        .arg(format!("https://{link}"))
        .output()
        .unwrap();
    let mut page = String::from_utf8(output.stdout).unwrap();
    let status = page.split_off(page.len() - 3);
    (page, status)
}

/// The address by which this copy's member leaves.
fn way_out(copy: &Came) -> String {
    let field = copy.field("List-Unsubscribe").unwrap();
    let address = field.split("<mailto:").nth(1).unwrap().split('>').next().unwrap();
    address.to_owned()
}

fn members(demo: &Demo, list: &str) -> Vec<String> {
    let shown = done(demo, &["list", "show", list]);
    let items = shown["items"].as_array().unwrap().iter();
    items.map(|item| item["address"].as_str().unwrap().to_owned()).collect()
}

/// Every octet that lies under a folder.
fn is_on_disk(folder: &Path, word: &str) -> bool {
    let entries = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
    entries.into_iter().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_on_disk(&path, word);
        }
        let octets = std::fs::read(&path).unwrap_or_default();
        octets.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

#[test]
fn a_list_s_mail_reaches_everybody_once_and_names_nobody() {
    let (demo, sink) = house();
    let name = ["--name", "かえで通信", "--language", "ja"];
    let all = ["haru@example.jp", "info@example.jp", "alice@example.net", FRIEND, CAROL];
    list(demo, "news@example.jp", &name, &all);
    let subject = "=?ISO-2022-JP?B?GyRCIlohSiVLJWUhPCU5GyhC?=";
    let octets = format!(
        "From: Carol <{CAROL}>\r\nTo: news@example.jp\r\nSubject: {subject}\r\n\
         Message-ID: <spread@sender.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         \x1b$B$3$s$K$A$O\x1b(B\r\n.\r\n-- \r\ncarol\r\n"
    );
    let octets = signed(demo, &octets.replace("\r\n.\r\n", "\r\n..dot\r\n").into_bytes());
    let reply = offer(demo, CAROL, "news@example.jp", &octets);
    assert_eq!(reply.code, 250, "{reply:?}");
    let copies = [copy_for(sink, FRIEND, subject), copy_for(sink, CAROL, subject)];
    for copy in &copies {
        let text = String::from_utf8_lossy(&copy.text).into_owned();
        assert!(copy.text.ends_with(&octets), "not octet for octet: {text}");
        assert!(copy.from.starts_with("bounce-") && copy.from.ends_with("@example.jp"), "{copy:?}");
        let field = |name: &str| copy.field(name).unwrap_or_else(|| panic!("no {name}: {text}"));
        assert!(field("List-Id").ends_with("<news.example.jp>"), "{text}");
        assert_eq!(field("List-Post"), "<mailto:news@example.jp>");
        assert_eq!(field("List-Owner"), "<mailto:news-owner@example.jp>");
        assert_eq!(field("Precedence"), "list");
        let ours = copy.fields("DKIM-Signature").into_iter().find(|it| it.contains("d=example.jp"));
        let ours = ours.unwrap().replace(' ', "");
        for name in ["List-Unsubscribe:", "List-Unsubscribe-Post:", "List-Id:", "From:"] {
            assert!(ours.contains(name), "{name} is not signed: {ours}");
        }
        assert!(field("List-Unsubscribe").starts_with("<https://"), "{text}");
        assert_eq!(field("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert!(field("ARC-Seal").contains("d=example.jp") && text.contains("arc=none"), "{text}");
        let found = verdict(demo, &copy.text);
        assert!(found.contains("rsa-sha256 pass, ed25519-sha256 pass"), "{found}");
        for other in ["haru@", "info@", "alice@", FRIEND].iter().filter(|it| copy.to[0] != **it) {
            assert!(!text.contains(other), "{other} is named: {text}");
        }
    }
    assert_ne!(way_out(&copies[0]), way_out(&copies[1]));
    assert_ne!(copies[0].from, copies[1].from);
    for member in ["haru@example.jp", "alice@example.net"] {
        within(PATIENCE, member, || count_of(demo, member, subject) == 1);
    }
    // One person by two addresses has one copy; nobody who is no member has any.
    post(demo, "aoi@example.jp", "news@example.jp", "after the first");
    within(PATIENCE, "the second", || count_of(demo, "haru@example.jp", "after the first") == 1);
    copy_for(sink, FRIEND, "after the first");
    assert_eq!(count_of(demo, "haru@example.jp", subject), 1);
    assert_eq!(count_of(demo, "bob@example.net", subject), 0);
    let to_friend = |came: &&Came| came.to == [FRIEND] && came.field("Subject").unwrap() == subject;
    assert_eq!(sink.came().iter().filter(to_friend).count(), 1);
    // Nor does the house say who is a member, but to whoever may ask.
    assert_eq!(members(demo, "news@example.jp").len(), 5);
    let ledger = format!("{:?}", demo.entries());
    for member in [FRIEND, "info@example.jp"] {
        assert!(!demo.said().contains(member) && !ledger.contains(member), "{member}");
        assert!(!is_on_disk(demo.data(), member), "{member}");
    }
    assert!(ledger.contains("list.add") && ledger.contains("list.member-add"));
}

/// A list is spread by its own tenant, whoever of the house posts: with its keys and its ways out.
#[test]
fn a_member_of_another_tenant_posts_and_everybody_has_it() {
    let (demo, sink) = house();
    let members = ["bob@example.net", "rei@example.jp", FRIEND];
    list(demo, "over@example.jp", &[], &members);
    list(demo, "open@example.jp", &["--posting", "anyone"], &["rei@example.jp", FRIEND]);
    for (from, to, subject) in [
        ("bob@example.net", "over@example.jp", "over the wall"),
        ("alice@example.net", "open@example.jp", "through the door"),
    ] {
        post(demo, from, to, subject);
        let copy = copy_for(sink, FRIEND, subject);
        assert!(copy.from.starts_with("bounce-") && copy.from.ends_with("@example.jp"), "{copy:?}");
        let signed = copy.fields("DKIM-Signature").join(" ");
        assert!(signed.contains("d=example.jp;") && signed.contains("d=example.net;"), "{signed}");
        within(PATIENCE, subject, || count_of(demo, "rei@example.jp", subject) == 1);
    }
    within(PATIENCE, "the author's own", || {
        count_of(demo, "bob@example.net", "over the wall") == 1
    });
    let (alarms, _) = demo.ask(&["alarms", "list"]);
    assert!(!alarms.to_string().contains("mail keys"), "{alarms}");
    // Who is no member may not, whichever tenant's.
    let octets = letter("olga@example.net", "over@example.jp", "no", "");
    let mut olga = signed_in(demo, "olga@example.net");
    let reply = olga.letter("olga@example.net", &["over@example.jp"], &octets).unwrap();
    assert_eq!(reply.code, 550, "{reply:?}");
}

#[test]
fn who_may_not_post_hears_so() {
    let (demo, sink) = house();
    list(demo, "club@example.jp", &[], &[CAROL, "haru@example.jp", FRIEND]);
    let mail = |from: &str, more: &str| letter(from, "club@example.jp", "for the club", more);
    let refused = |from: &str, octets: &[u8], code: u16, word: &str| {
        let reply = offer(demo, from, "club@example.jp", octets);
        let is_so = reply.code == code && reply.lines.iter().any(|line| line.contains(word));
        assert!(is_so, "{word}: {reply:?}");
    };
    let dave = signed(demo, &mail("dave@sender.example", ""));
    refused("dave@sender.example", &dave, 550, "not everybody may post");
    // In a member's name, from elsewhere: SPF passes for the server, and that is not enough.
    refused(CAROL, &mail(CAROL, ""), 550, "DKIM");
    let two = signed(demo, &mail(&format!("{CAROL}, dave@sender.example"), ""));
    refused(CAROL, &two, 550, "not everybody may post");
    for machine in [
        "Auto-Submitted: auto-replied\r\n",
        "List-Id: The club <club.example.jp>\r\n",
        "Precedence: bulk\r\n",
    ] {
        refused(CAROL, &signed(demo, &mail(CAROL, machine)), 550, "no mail of programs");
    }
    let round = "Received: from a.example by b.example; Sun, 29 Nov 2026 09:00:00 +0900\r\n";
    refused(CAROL, &signed(demo, &mail(CAROL, &round.repeat(60))), 554, "too many hosts");
    assert_eq!(addressed(demo, "", "club@example.jp"), 550, "no notice is spread");
    // A letter for somebody besides comes by itself.
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say(&format!("MAIL FROM:<{CAROL}>")).code, 250);
    assert_eq!(sender.say("RCPT TO:<club@example.jp>").code, 250);
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 452);
    // From inside, by who is signed in.
    let mut bob = signed_in(demo, "bob@example.net");
    let octets = mail("bob@example.net", "");
    let reply = bob.letter("bob@example.net", &["club@example.jp"], &octets).unwrap();
    assert_eq!(reply.code, 550, "{reply:?}");
    let mut haru = signed_in(demo, "haru@example.jp");
    let octets = mail("haru@example.jp", "Auto-Submitted: auto-generated\r\n");
    let reply = haru.letter("haru@example.jp", &["club@example.jp"], &octets).unwrap();
    assert_eq!(reply.code, 550, "{reply:?}");
    done(demo, &["list", "set", "club@example.jp", "--bytes", "2000"]);
    let large = signed(demo, &mail(CAROL, &format!("X-Long: {}\r\n", "x".repeat(900)).repeat(3)));
    refused(CAROL, &large, 552, "at most 2000 octets");
    done(demo, &["list", "set", "club@example.jp", "--posting", "owners"]);
    refused(CAROL, &signed(demo, &mail(CAROL, "")), 550, "not everybody may post");
    done(demo, &["list", "set", "club@example.jp", "--posting", "anyone"]);
    assert_eq!(offer(demo, "dave@sender.example", "club@example.jp", &dave).code, 250);
    copy_for(sink, FRIEND, "for the club");
    let spread = |came: &&Came| came.to == [FRIEND] && came.field("List-Post").is_some();
    let spread = sink
        .came()
        .into_iter()
        .filter(|came| spread(&came) && came.field("Subject").as_deref() == Some("for the club"));
    assert_eq!(spread.count(), 1, "nothing that was refused was spread");
}

#[test]
fn an_address_that_is_gone_is_suspended_and_the_owner_told() {
    let (demo, sink) = house();
    let members = ["gone-a@outside.example", "gone-b@outside.example", "stays@outside.example"];
    list(demo, "gaps@example.jp", &["--language", "en"], &members);
    sink.answer("gone-a", "550 5.1.1 no such user here");
    for number in 0..5 {
        let subject = format!("gaps {number}");
        post(demo, "aoi@example.jp", "gaps@example.jp", &subject);
        copy_for(sink, "stays@outside.example", &subject);
        // The other one's server takes it, and says afterwards that nobody is there.
        let copy = copy_for(sink, "gone-b@outside.example", &subject);
        let notice = format!(
            "From: MAILER-DAEMON@outside.example\r\nTo: <{}>\r\nSubject: failed\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\
             \tboundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNobody is there.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.outside.example\r\n\r\n\
             Final-Recipient: rfc822; gone-b@outside.example\r\nAction: failed\r\n\
             Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n",
            copy.from
        );
        assert_eq!(offer(demo, "", &copy.from, notice.as_bytes()).code, 250);
        assert_eq!(addressed(demo, CAROL, &copy.from), 550, "it takes notices alone");
    }
    within(PATIENCE, "two are suspended", || {
        done(demo, &["list", "show", "gaps@example.jp"])["suspended"].as_u64() == Some(2)
    });
    let told = "Subject: gaps: a member is suspended\r\n";
    within(PATIENCE, "the owner is told", || {
        headers(demo, "aoi@example.jp").matches(told).count() == 2
    });
    post(demo, "aoi@example.jp", "gaps@example.jp", "gaps after all");
    copy_for(sink, "stays@outside.example", "gaps after all");
    let is_late = |came: &&Came| {
        came.to[0].starts_with("gone") && came.field("Subject").unwrap() == "gaps after all"
    };
    assert_eq!(sink.came().iter().filter(is_late).count(), 0);
    assert!(!headers(demo, "aoi@example.jp").contains("gone-a@"), "no notice names a member");
}

#[test]
fn whoever_wants_to_leave_leaves_once() {
    let (demo, sink) = house();
    let all = ["leaver@outside.example", "removed@outside.example", "haru@example.jp", FRIEND];
    list(demo, "exit@example.jp", &["--language", "ja", "--name", "Exit"], &all);
    post(demo, "aoi@example.jp", "exit@example.jp", "how to leave");
    let copy = copy_for(sink, "leaver@outside.example", "how to leave");
    let way = way_out(&copy);
    let plain = letter("leaver@outside.example", &way, "unsubscribe", "");
    // A token of nobody's is nobody.
    let (front, back) = way.split_at(way.find('@').unwrap() - 6);
    let other = if back.starts_with('q') { "r" } else { "q" };
    let forged = format!("{front}{other}{}", &back[1..]);
    assert_eq!(addressed(demo, CAROL, &forged), 550);
    assert_eq!(offer(demo, "leaver@outside.example", &way, &plain).code, 250);
    assert_eq!(offer(demo, "leaver@outside.example", &way, &plain).code, 550, "it served once");
    assert_eq!(members(demo, "exit@example.jp").len(), 3);
    let left = "=?UTF-8?B?RXhpdDog6YCA5Lya44GX44G+44GX44Gf?=";
    let told = copy_for(sink, "leaver@outside.example", left);
    assert_eq!((told.from.as_str(), told.field("Auto-Submitted").is_some()), ("", true));
    // One of our own, from their own session.
    within(PATIENCE, "haru's copy", || count_of(demo, "haru@example.jp", "how to leave") == 1);
    let header = headers(demo, "haru@example.jp").replace("\r\n\t", " ");
    let header = header.split("Subject: how to leave").next().unwrap();
    let own = header.rsplit("<mailto:unsubscribe-").next().unwrap().split('>').next().unwrap();
    post(demo, "haru@example.jp", &format!("unsubscribe-{own}"), "unsubscribe");
    within(PATIENCE, "haru has left", || members(demo, "exit@example.jp").len() == 2);
    within(PATIENCE, "haru is told", || headers(demo, "haru@example.jp").contains(left));
    done(demo, &["list", "member", "remove", "exit@example.jp", "removed@outside.example"]);
    copy_for(sink, "removed@outside.example", left);
    assert_eq!(members(demo, "exit@example.jp"), [FRIEND]);
    // By one click, whose token is of no more use afterwards.
    if is_there("curl") {
        done(demo, &["list", "member", "add", "exit@example.jp", "clicks@outside.example"]);
        post(demo, "aoi@example.jp", "exit@example.jp", "one click");
        let copy = copy_for(sink, "clicks@outside.example", "one click");
        // A look says which list and, for whoever looks over a shoulder, not whose address.
        for (language, words) in [("ja,en;q=0.5", "配信を停止する"), ("en", "Leave the list")]
        {
            let accepts = format!("Accept-Language: {language}");
            let (page, status) = visit(demo, &copy, &["-H", &accepts]);
            assert_eq!(status, "200");
            assert!(page.contains(words) && page.contains("Exit"), "{page}");
            assert!(!page.contains("clicks@"), "{page}");
        }
        assert_eq!(members(demo, "exit@example.jp").len(), 2);
        assert_eq!(press(demo, &copy), "200");
        assert_eq!(members(demo, "exit@example.jp"), [FRIEND]);
        copy_for(sink, "clicks@outside.example", left);
        assert_eq!(press(demo, &copy), "200", "pressed twice");
        done(demo, &["list", "member", "add", "exit@example.jp", "clicks@outside.example"]);
        assert_eq!(press(demo, &copy), "200", "an old link tells nobody who is a member again");
        assert_eq!(members(demo, "exit@example.jp").len(), 2, "it served once");
        done(demo, &["list", "member", "remove", "exit@example.jp", "clicks@outside.example"]);
    }
    assert_eq!(members(demo, "exit@example.jp"), [FRIEND]);
    let told = |came: &&Came| {
        came.field("Subject").as_deref() == Some(left) && came.to != ["clicks@outside.example"]
    };
    assert_eq!(sink.came().iter().filter(told).count(), 2, "each is told once");
    assert!(format!("{:?}", demo.entries()).contains("list.unsubscribe"));
    done(demo, &["list", "remove", "exit@example.jp"]);
    within(PATIENCE, "the list is gone", || addressed(demo, CAROL, "exit@example.jp") == 550);
}

/// Each copy signed by itself and handed over by itself, with a bounce path of its own.
#[test]
fn a_thousand_members_have_it_soon() {
    let (demo, sink) = house();
    let all: Vec<String> = (0..1_000).map(|n| format!("m{n}@outside.example")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    list(demo, "crowd@example.jp", &[], &all);
    let started = Instant::now();
    post(demo, "aoi@example.jp", "crowd@example.jp", "for the crowd");
    let is_it = |came: &&Came| came.field("Subject").as_deref() == Some("for the crowd");
    within(4 * PATIENCE, "a thousand copies", || sink.came().iter().filter(is_it).count() >= 1_000);
    println!("1,000 copies in {:?}", started.elapsed());
    let came: Vec<Came> = sink.came().into_iter().filter(|came| is_it(&came)).collect();
    let to: HashSet<&str> = came.iter().flat_map(|came| &came.to).map(String::as_str).collect();
    let from: HashSet<&str> = came.iter().map(|came| came.from.as_str()).collect();
    assert_eq!((came.len(), to.len(), from.len()), (1_000, 1_000, 1_000));
}
