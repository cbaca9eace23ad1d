//! A customer's own server sends out through us: by certificate, header and address together.

use super::house::{Demo, within};
use super::leaving::{letter, with_sink};
use super::post::{Reply, Sender, Shown};
use super::sink::Sink;
use std::sync::OnceLock;
use std::time::Duration;

const TENANT: &str = "Example Japan";
const NAME: &str = "mail.kaede.example";
const FRIEND: &str = "friend@outside.example";
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who vouches for certificates.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    fn shows(&self, name: &str) -> Shown {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![leaf.der().clone()], key: key.serialize_der() }
    }
}

struct House {
    demo: Demo,
    sink: Sink,
    authority: Authority,
    header: String,
}

/// A demo whose first tenant has a server at 127.0.0.1.
fn house() -> &'static House {
    static SHARED: OnceLock<House> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (demo, sink) = with_sink("outlet");
        let authority = Authority::new();
        let (value, _) = set(&demo, &authority, TENANT, "127.0.0.1", &[]);
        let header = value["header"].as_str().unwrap().to_owned();
        House { demo, sink, authority, header }
    })
}

fn set(
    demo: &Demo,
    authority: &Authority,
    tenant: &str,
    from: &str,
    more: &[&str],
) -> (serde_json::Value, i32) {
    let file = demo.data().parent().unwrap().join("authority.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let file = file.display().to_string();
    let words = ["tenant", "outlet", tenant, "--certificate", NAME, "--from", from];
    let words = [&words[..], &["--authority", &file], more].concat();
    let (value, code) = demo.ask(&words);
    assert_eq!(code, 0, "{value}");
    (value, code)
}

/// A session over STARTTLS with that certificate.
fn session(demo: &Demo, shown: Option<&Shown>) -> Sender {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say("STARTTLS").code, 220);
    let mut sender = match shown {
        Some(shown) => sender.secured_as(&demo.authority(), shown).unwrap(),
        None => sender.secured(&demo.authority()).unwrap(),
    };
    assert_eq!(sender.say("EHLO mail.kaede.example").code, 250);
    sender
}

fn send(sender: &mut Sender, from: &str, to: &[&str], octets: &[u8]) -> Reply {
    let reply = sender.offer(from, to).unwrap();
    if reply.code != 354 {
        assert_eq!(sender.say("RSET").code, 250);
        return reply;
    }
    let mut octets = octets.to_vec();
    octets.extend_from_slice(b".\r\n");
    sender.send(&octets).unwrap();
    sender.reply().unwrap()
}

fn words(reply: &Reply) -> String {
    format!("{} {}", reply.code, reply.lines.join(" "))
}

/// Who vouches for it stays who it was, until somebody says otherwise.
#[test]
fn terms_set_anew_keep_the_authority() {
    let House { demo, authority, .. } = house();
    let (tenant, from) = ("Example Net", "192.0.2.7");
    let (first, _) = set(demo, authority, tenant, from, &[]);
    let own = first["outlet"]["authorities_sha256"].clone();
    assert_eq!(own.as_array().map(Vec::len), Some(1), "{first}");
    let again = |more: &[&str]| {
        let words = ["tenant", "outlet", tenant, "--certificate", NAME, "--from", from];
        let (value, code) = demo.ask(&[&words[..], more].concat());
        assert_eq!(code, 0, "{value}");
        value["outlet"].clone()
    };
    let terms = again(&["--in-a-day", "7"]);
    assert_eq!((&terms["authorities_sha256"], terms["in_a_day"].as_u64()), (&own, Some(7)));
    assert_eq!(again(&["--authority", "public"])["authorities"], 0);
    assert_eq!(demo.ask(&["tenant", "outlet", tenant, "--none"]).1, 0);
}

#[test]
fn a_customer_s_server_sends_out_and_its_secret_goes_no_further() {
    let House { demo, sink, authority, header } = house();
    let mut sender = session(demo, Some(&authority.shows(NAME)));
    // Somebody of theirs whom nobody here knows.
    let more = format!("{header}\r\n");
    let octets = letter("Kaede <kaede@example.jp>", FRIEND, "from their own server", &more);
    let octets = String::from_utf8(octets).unwrap();
    let reply = send(&mut sender, "kaede@example.jp", &[FRIEND], octets.as_bytes());
    assert_eq!(reply.code, 250, "{reply:?}");
    let came = sink.wait_for_subject("from their own server");
    let text = String::from_utf8(came.text.clone()).unwrap();
    assert_eq!(came.from, "kaede@example.jp");
    assert!(!text.to_lowercase().contains("x-sekisho-outlet") && !text.contains("sko-"), "{text}");
    assert_eq!(came.fields("DKIM-Signature").len(), 2, "{text}");
    // Over the same connection once more: the same dispatch takes it.
    let octets = octets.replace("from their own server", "and once more");
    assert_eq!(send(&mut sender, "", &[FRIEND], octets.as_bytes()).code, 250);
    sink.wait_for_subject("and once more");
    // Others send out through this house meanwhile: each over a dispatch of its own, once.
    within(PATIENCE, "the entry", || {
        let is_use = |entry: &&serde_json::Value| {
            entry["entry"] == "credential.use" && entry["credential"] == "outlet"
        };
        let entries = demo.entries();
        let uses: Vec<String> =
            entries.iter().filter(is_use).map(|entry| entry["instance"].to_string()).collect();
        let instances: std::collections::HashSet<&String> = uses.iter().collect();
        !uses.is_empty() && instances.len() == uses.len()
    });
}

#[test]
fn each_of_the_three_must_be_there() {
    let House { demo, authority, header, .. } = house();
    let good = authority.shows(NAME);
    let with = |header: &str| {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        letter("kaede@example.jp", FRIEND, "refused", &header)
    };
    let check = |shown: Option<&Shown>, from: &str, header: &str, expected: &str| {
        let mut sender = session(demo, shown);
        let reply = send(&mut sender, from, &[FRIEND], &with(header));
        assert!(words(&reply).contains(expected), "{expected}: {reply:?}");
        assert_eq!(reply.code, 550, "{reply:?}");
    };
    let sender = "kaede@example.jp";
    check(None, sender, header, "none was shown");
    check(Some(&authority.shows("mail.evil.example")), sender, header, "this client certificate");
    check(Some(&Authority::new().shows(NAME)), sender, header, "this client certificate");
    check(Some(&good), sender, "", "which is missing");
    check(Some(&good), sender, "X-Sekisho-Outlet: sko-guessed", "this value");
    // Theirs alone: another's address is nobody's of theirs, in the envelope or in From.
    check(Some(&good), "bob@example.net", header, "your address");
    let mut sender = session(demo, Some(&good));
    let forged = letter("bob@example.net", FRIEND, "forged", &format!("{header}\r\n"));
    let reply = send(&mut sender, "kaede@example.jp", &[FRIEND], &forged);
    assert_eq!(reply.code, 550, "{reply:?}");
    // Who has a mailbox here writes from here.
    let reply = send(&mut sender, "aoi@example.jp", &[FRIEND], &with(header));
    assert!(matches!(reply.code, 550 | 451), "{reply:?}");
    // In clear nothing is shown.
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let reply = send(&mut sender, "kaede@example.jp", &[FRIEND], &with(header));
    assert_eq!(words(&reply), "550 5.7.1 no mail is relayed here");
}

#[test]
fn a_customer_s_server_hears_of_what_failed() {
    let House { demo, sink, authority, header } = house();
    let host = format!("127.0.0.1:{}:if-offered", sink.port);
    let ask = |words: &[&str]| assert_eq!(demo.ask(words).1, 0, "{words:?}");
    ask(&["domain", "add", "kaede.example", "--tenant", TENANT]);
    // Its list knows nobody yet: who was let in to write hears of it all the same.
    let list = demo.data().with_file_name("recipients");
    std::fs::write(&list, "another@kaede.example\n").unwrap();
    let list = list.display().to_string();
    ask(&["domain", "gateway", "kaede.example", "--host", &host, "--recipients", &list]);
    sink.answer("gone-for-kaede", "550 5.1.1 no such user");
    let (boss, gone) = ("boss@kaede.example", "gone-for-kaede@outside.example");
    let octets = letter(boss, gone, "an order", &format!("{header}\r\n"));
    let mut sender = session(demo, Some(&authority.shows(NAME)));
    let reply = send(&mut sender, boss, &[gone], &octets);
    assert_eq!(reply.code, 250, "{reply:?}");
    let notice = sink.wait("the notice", |came| came.to == [boss]);
    let text = String::from_utf8_lossy(&notice.text).into_owned();
    assert!(notice.from.is_empty() && text.contains("Action: failed"), "{text}");
    assert!(text.contains(gone), "{text}");
}

#[test]
fn an_outlet_is_at_its_address_and_ends() {
    let (demo, sink) = with_sink("outlet-ends");
    let authority = Authority::new();
    let good = authority.shows(NAME);
    // At another address everybody is a stranger, and is asked for nothing.
    let (value, _) = set(&demo, &authority, TENANT, "192.0.2.0/24", &[]);
    let first = value["header"].as_str().unwrap().to_owned();
    let octets = |header: &str, subject: &str| {
        letter("kaede@example.jp", FRIEND, subject, &format!("{header}\r\n"))
    };
    let mut sender = session(&demo, Some(&good));
    let reply = send(&mut sender, "kaede@example.jp", &[FRIEND], &octets(&first, "stranger"));
    assert_eq!(words(&reply), "550 5.7.1 no mail is relayed here");
    // The header stays until a new one is wanted.
    let (value, _) = set(&demo, &authority, TENANT, "127.0.0.1/32", &[]);
    assert!(value["header"].is_null(), "{value}");
    let mut sender = session(&demo, Some(&good));
    let from = "kaede@example.jp";
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&first, "one")).code, 250);
    let (value, _) = set(&demo, &authority, TENANT, "127.0.0.1/32", &["--new-header"]);
    let second = value["header"].as_str().unwrap().to_owned();
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&first, "two")).code, 550);
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&second, "three")).code, 250);
    let (shown, _) = demo.ask(&["tenant", "outlet", TENANT]);
    assert!(shown["outlet"]["from"][0] == "127.0.0.1/32" && shown["header"].is_null(), "{shown}");
    // Another tenant behind the same server: a provider's, over the same connection.
    let (value, _) = set(&demo, &authority, "Example Net", "127.0.0.1/32", &[]);
    let third = value["header"].as_str().unwrap().to_owned();
    let net = letter("kim@example.net", FRIEND, "four", &format!("{third}\r\n"));
    assert_eq!(send(&mut sender, "kim@example.net", &[FRIEND], &net).code, 250);
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&third, "crossed")).code, 550);
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&second, "five")).code, 250);
    for subject in ["one", "three", "four", "five"] {
        sink.wait_for_subject(subject);
    }
    let (ended, code) = demo.ask(&["tenant", "outlet", TENANT, "--none"]);
    assert!(code == 0 && ended["outlet"].is_null(), "{ended}");
    assert_eq!(send(&mut sender, from, &[FRIEND], &octets(&second, "six")).code, 550);
}
