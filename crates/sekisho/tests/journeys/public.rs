//! Public pages: mail programs find their settings, other servers the policy, and a list's reader
//! the button; each over TLS, as curl sees it.

use crate::house::{Demo, is_there, within};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// An answer of curl: the status, the head and the body.
struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Demo {
    fn https(&self) -> String {
        self.port("pages").rsplit(':').next().unwrap().to_owned()
    }

    /// Asks for a page under its own name, trusting the demo's authority only.
    fn page(&self, host: &str, path: &str, more: &[&str]) -> Result<Page, String> {
        let port = self.https();
        let output = Command::new("curl")
            .args(["-sS", "-i", "--max-time", "30", "--http1.1", "--cacert"])
            .arg(self.authority())
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
            .args(more)
            .arg(format!("https://{host}:{port}{path}"))
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Page { status, head: head.to_owned(), body: body.to_owned() })
    }
}

#[test]
fn mail_programs_find_their_settings() {
    if !is_there("curl") {
        return;
    }
    let demo = Demo::fresh("autoconfig");
    let first = demo.page("autoconfig.example.jp", "/mail/config-v1.1.xml?emailaddress=a%40b", &[]);
    let first = first.unwrap();
    assert_eq!(first.status, 200, "{}", first.head);
    let path = "/.well-known/autoconfig/mail/config-v1.1.xml";
    assert_eq!(demo.page("example.jp", path, &[]).unwrap().body, first.body);
    for service in ["imaps", "pop3s", "submissions", "submission"] {
        let port = demo.port(service);
        let port = format!("<port>{}</port>", port.rsplit(':').next().unwrap());
        assert!(first.body.contains(&port), "{port} in {}", first.body);
    }
    assert!(first.body.contains("<hostname>mx.sekisho.localhost</hostname>"), "{}", first.body);
    let outlook = "<EMailAddress>alice@example.net</EMailAddress>";
    let data = ["-H", "Content-Type: text/xml", "--data", outlook];
    let path = "/autodiscover/autodiscover.xml";
    let found = demo.page("autodiscover.example.net", path, &data).unwrap();
    assert!(found.body.contains("<LoginName>alice@example.net</LoginName>"), "{}", found.body);
    let other = demo.page("autodiscover.example.jp", path, &data).unwrap();
    assert!(other.body.contains("<ErrorCode>600</ErrorCode>"), "{}", other.body);
    // A certificate is for its own name: no other is served over it, and none is made for others.
    let crossed = ["-H", "Host: mta-sts.example.jp"];
    assert_eq!(demo.page("autoconfig.example.jp", "/", &crossed).unwrap().status, 421);
    let stranger = demo.page("autoconfig.ume.example", "/mail/config-v1.1.xml", &[]);
    assert!(stranger.is_err_and(|why| why.contains("certificate")));
    let unseen = demo.page("autoconfig.ume.example", "/mail/config-v1.1.xml", &["-k"]).unwrap();
    assert_eq!(unseen.status, 421);
}

#[test]
fn a_domain_says_how_mail_reaches_it() {
    if !is_there("curl") {
        return;
    }
    let demo = Demo::fresh("mta-sts");
    let policy = || {
        let page = demo.page("mta-sts.example.jp", "/.well-known/mta-sts.txt", &[]).unwrap();
        assert!(page.head.contains("Content-Type: text/plain; charset=utf-8"), "{}", page.head);
        page.body
    };
    let said = |mode: &str, age: u32| {
        format!("version: STSv1\r\nmode: {mode}\r\nmx: mx.sekisho.localhost\r\nmax_age: {age}\r\n")
    };
    assert_eq!(policy(), said("testing", 1_209_600));
    let id = |domain: &str| {
        let (checked, _) = demo.ask(&["domain", "check", domain]);
        let records = checked["records"].as_array().unwrap();
        let sts = records.iter().find(|one| one["name"] == format!("_mta-sts.{domain}")).unwrap();
        (sts["expected"].as_str().unwrap().to_owned(), sts["state"].as_str().unwrap().to_owned())
    };
    let (before, state) = id("example.jp");
    assert_eq!(state, "good");
    let (set, code) = demo.ask(&["domain", "set", "example.jp", "--mta-sts", "enforce"]);
    assert_eq!((code, set["mta_sts"]["mode"].as_str()), (0, Some("enforce")), "{set}");
    // The demo's certificates are of its own authority: no sender believes any of it.
    let codes = |told: &serde_json::Value| {
        let codes = told.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap());
        codes.map(str::to_owned).filter(|code| code.ends_with(".unproven")).collect::<Vec<_>>()
    };
    assert_eq!(codes(&set["warnings"]), ["mta-sts.unproven", "mx.unproven"], "{set}");
    let (checked, code) = demo.ask(&["domain", "check", "example.jp"]);
    assert_eq!(codes(&checked["bypass"]), ["mta-sts.unproven", "mx.unproven"], "{checked}");
    assert_eq!(code, 1);
    let (other, _) = demo.ask(&["domain", "check", "example.net"]);
    assert!(codes(&other["bypass"]).is_empty(), "it does not enforce: {other}");
    let data = demo.data().display().to_string();
    let (found, _) = demo.ask(&["doctor"]);
    let told = found["weakened"].to_string();
    assert!(told.contains("MTA-STS of example.jp is enforced"), "{data} {told}");
    assert_eq!(policy(), said("enforce", 1_209_600));
    // The record in the DNS is the old one now, and `domain check` says so.
    let (after, state) = id("example.jp");
    assert_ne!(before, after);
    assert_eq!(state, "wrong");
    let more = ["domain", "set", "example.jp", "--mta-sts", "none", "--mta-sts-max-age", "86400"];
    assert_eq!(demo.ask(&more).1, 0);
    assert_eq!(policy(), said("none", 86_400));
    // A word that there is not, and a number that no policy may have, are wrong use.
    for (words, expected) in [
        (["--mta-sts", "strict"], "testing, enforce, none"),
        (["--mta-sts-max-age", "60"], "a number of seconds for --mta-sts-max-age"),
    ] {
        let (refused, code) = demo.ask(&[&["domain", "set", "example.jp"][..], &words].concat());
        let error = refused["error"].as_str().unwrap();
        assert!(code == 2 && error.contains(expected), "{refused}");
    }
    // The neighbour's is its own.
    let other = demo.page("mta-sts.example.net", "/.well-known/mta-sts.txt", &[]).unwrap();
    assert_eq!(other.body, said("testing", 1_209_600));
    // Each change once; and the one that makes the policy weaker is an act that one person decided.
    let changes = demo.entries();
    let changes = changes.iter().filter(|entry| entry["what"] == "domain.mta-sts");
    let weakened = |entry: &&&serde_json::Value| entry["weakened"] == "single-operator";
    assert_eq!(changes.clone().filter(|entry| entry["author"] == "directory").count(), 2);
    assert_eq!(changes.clone().filter(|entry| entry["author"] == "identity").count(), 1);
    assert_eq!(changes.collect::<Vec<_>>().iter().filter(weakened).count(), 1);
}

/// What a new user is told to publish stands in the demo's DNS already, after a restart as before.
#[test]
fn the_own_domains_of_a_demo_are_published_as_they_should_be() {
    let mut demo = Demo::fresh("published");
    for _ in 0..2 {
        for domain in ["example.jp", "example.net"] {
            let (checked, code) = demo.ask(&["domain", "check", domain]);
            assert_eq!((code, checked["ok"].as_bool()), (0, Some(true)), "{checked}");
            let records = checked["records"].as_array().unwrap();
            let hosts = checked["host"]["addresses"].as_array().unwrap();
            assert!(records.len() > 12 && hosts.len() == 1, "{checked}");
            for one in records.iter().chain(hosts) {
                assert_eq!(one["state"], "good", "{one}");
            }
            // Mail programs are led to where the demo listens.
            let name = format!("_imaps._tcp.{domain}");
            let imaps = records.iter().find(|one| one["name"] == name).unwrap();
            let port = demo.port("imaps").rsplit_once(':').unwrap().1.to_owned();
            assert_eq!(imaps["found"][0], format!("0 1 {port} mx.sekisho.localhost."));
        }
        demo = demo.again();
    }
}

/// What a real link shows is in `lists`.
#[test]
fn a_link_that_nobody_was_given_leaves_no_list() {
    if !is_there("curl") {
        return;
    }
    let demo = Demo::fresh("unsubscribe");
    let path = "/unsubscribe/00112233445566778899aabbccddeeff";
    let japanese = demo.page("pages.localhost", path, &["-H", "Accept-Language: ja,en;q=0.5"]);
    let japanese = japanese.unwrap();
    assert_eq!(japanese.status, 404, "{}", japanese.head);
    assert!(japanese.body.contains("このリンクは使えません"), "{}", japanese.body);
    let english = demo.page("pages.localhost", &format!("{path}?lang=en"), &[]).unwrap();
    assert!(english.body.contains("This link cannot be used"), "{}", english.body);
    for field in ["Content-Security-Policy: default-src 'none'", "Strict-Transport-Security: "] {
        assert!(english.head.contains(field), "{}", english.head);
    }
    let one_click = ["--data", "List-Unsubscribe=One-Click"];
    assert_eq!(demo.page("pages.localhost", path, &one_click).unwrap().status, 404);
    assert_eq!(demo.page("pages.localhost", path, &["--data", "x=y"]).unwrap().status, 400);
    assert_eq!(demo.page("pages.localhost", path, &["-X", "DELETE"]).unwrap().status, 405);
    assert_eq!(demo.page("pages.localhost", path, &["-I"]).unwrap().status, 404);
}

/// A certificate for a page's name, from elsewhere: its files, for `certificate install`.
fn brought(demo: &Demo, name: &str) -> Vec<String> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let home = demo.data().parent().unwrap();
    let (chain, secret) = (home.join("chain.pem"), home.join("key.pem"));
    std::fs::write(&chain, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&secret, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let words = ["certificate", "install", "--chain", chain.to_str().unwrap(), "--key"];
    words.iter().copied().chain([secret.to_str().unwrap()]).map(str::to_owned).collect()
}

/// Owned pages are contained although their operator brought a certificate: once it is replaced
/// by one with another key.
#[test]
fn pages_with_a_brought_certificate_are_contained_once_it_is_replaced() {
    if !is_there("curl") {
        return;
    }
    let demo = Demo::fresh("pages-contained");
    let install = || {
        let words = brought(&demo, "mta-sts.example.jp");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (value, code) = demo.ask(&words);
        assert_eq!(code, 0, "{value}");
    };
    install();
    let page = demo.page("mta-sts.example.jp", "/.well-known/mta-sts.txt", &["-k"]).unwrap();
    assert_eq!(page.status, 200);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let to = (now.as_millis() as u64 + 1).to_string();
    let words = ["scope", "--component", "pages", "--from", "0", "--to", &to];
    let asked = || demo.ask(&words).0;
    let keys = |found: &serde_json::Value| {
        let all = found["conditions"].as_array().unwrap();
        all.iter().find(|one| one["condition"] == "credentials rotated").unwrap().clone()
    };
    within(PATIENCE, "a use of the key", || keys(&asked())["met"] == false);
    let to_do = keys(&asked())["to_do"][0]["en"].as_str().unwrap().to_owned();
    assert!(to_do.contains("`certificate renew`") && to_do.contains("`certificate install`"));
    assert_eq!(demo.ask(&["isolate", "pages"]).1, 0);
    within(PATIENCE, "no page lives", || asked()["conditions"][0]["met"] == true);
    assert_eq!(demo.ask(&["release", "pages"]).1, 0);
    // Our own keys are new, and the brought one is still the same.
    assert_eq!(demo.ask(&["certificate", "renew"]).1, 0);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(keys(&asked())["met"], false, "{}", asked());
    install();
    within(PATIENCE, "contained", || asked()["contained"] == true);
    assert!(keys(&asked())["entry"].is_u64(), "{}", asked());
}
