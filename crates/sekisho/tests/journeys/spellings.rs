//! One person for every spelling of an address: mail arrives and sign-ins are taken whichever way
//! its letters were typed, and nobody gets an address that looks like theirs.

use super::house::{Account, Demo, plainly, within};
use super::leaving::{letter, plain, submissions};
use super::post::Sender;
use super::reader::Reader;
use data_encoding::BASE64;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const TENANT: &str = "Example Japan";
const DA: &str = "だいき@example.jp";
/// The mark of だ apart from its letter, as a Mac writes it.
const APART: &str = "た\u{3099}いき@example.jp";

fn app_password(demo: &Demo, address: &str, protocol: &str) -> String {
    let (made, code) = demo.ask(&["app-password", "add", address, "--protocol", protocol]);
    assert_eq!(code, 0, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

fn add(demo: &Demo, address: &str) -> String {
    let (user, code) = demo.ask(&["user", "add", address, "--tenant", TENANT]);
    assert_eq!(code, 0, "{user}");
    user["address"].as_str().unwrap().to_owned()
}

fn signed_in(demo: &Demo, name: &str, password: &str) -> Reader {
    let mut reader = Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap();
    let words = BASE64.encode(format!("\0{name}\0{password}").as_bytes());
    reader.must(&format!("AUTHENTICATE PLAIN {words}"));
    reader
}

/// The name of each folder as LIST has it.
fn folders(reader: &mut Reader, pattern: &str) -> Vec<String> {
    let text = reader.must(&format!("LIST \"\" \"{pattern}\"")).text();
    let lines = text.lines().filter(|line| line.starts_with("* LIST"));
    lines.map(|line| line.rsplit(' ').next().unwrap().trim_matches('"').to_owned()).collect()
}

#[test]
fn an_address_is_one_in_every_spelling() {
    let demo = Demo::fresh("spellings");
    assert_eq!(add(&demo, APART), DA);
    assert_eq!(add(&demo, "Ｔａｒｏ@example.jp"), "taro@example.jp");
    for taken in [DA, "ＴＡＲＯ@example.jp", "taro@example.jp"] {
        let (told, code) = demo.ask(&["user", "add", taken, "--tenant", TENANT]);
        assert_eq!(code, 1, "{taken}: {told}");
    }
    let daiki = app_password(&demo, APART, "imap");
    let taro = app_password(&demo, "ｔａｒｏ@example.jp", "imap");

    let arrives = |to: &[&str], subject: &str, name: &str, password: &str, times: usize| {
        let mut sender = Sender::greeted(&demo.port("smtp"));
        let from = "carol@sender.example";
        assert_eq!(sender.say(&format!("MAIL FROM:<{from}> SMTPUTF8")).code, 250);
        for one in to {
            assert_eq!(sender.say(&format!("RCPT TO:<{one}>")).code, 250, "{one}");
        }
        assert_eq!(sender.say("DATA").code, 354);
        sender.send(&letter(from, to[0], subject, "")).unwrap();
        assert_eq!(sender.say(".").code, 250, "{subject}");
        let wanted = format!("Subject: {subject}\r\n");
        let count = || {
            let whole = signed_in(&demo, name, password).whole("INBOX").concat();
            String::from_utf8_lossy(&whole).matches(&wanted).count()
        };
        within(PATIENCE, subject, || count() == times);
    };
    arrives(&[APART], "apart", DA, &daiki, 1);
    arrives(&[DA], "joined", APART, &daiki, 1);
    arrives(&["た\u{3099}いき＋ｎｅｗｓ@example.jp"], "tagged", DA, &daiki, 1);
    arrives(&[APART, DA], "once", "た\u{3099}いき@ｅｘａｍｐｌｅ。ｊｐ", &daiki, 1);
    arrives(&["ｔａｒｏ@ｅｘａｍｐｌｅ。ｊｐ"], "wide", "ＴＡＲＯ@example.jp", &taro, 1);
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say("MAIL FROM:<carol@sender.example> SMTPUTF8").code, 250);
    for nobody in ["taro＠example.jp@example.jp", "tаro@example.jp", "taro．@example.jp"] {
        assert_eq!(sender.say(&format!("RCPT TO:<{nobody}>")).code, 550, "{nobody}");
    }

    // Who signs in by one spelling writes as all of them.
    let account = Account {
        address: APART.to_owned(),
        imap: String::new(),
        pop3: String::new(),
        smtp: app_password(&demo, DA, "smtp"),
    };
    let mut sender = submissions(&demo);
    assert_eq!(sender.say(&plain(&account)).code, 235);
    for (from, code) in [(APART, 250), (DA, 250), ("ｔａｒｏ@example.jp", 550)] {
        assert_eq!(sender.say(&format!("MAIL FROM:<{from}> SMTPUTF8")).code, code, "{from}");
        assert_eq!(sender.say("RSET").code, 250);
    }
}

/// A domain in its own letters is the domain, in whatever is said of it or of its addresses.
#[test]
fn a_domain_beyond_ascii_is_taken_wherever_it_is_typed() {
    let demo = Demo::fresh("spellings-domain");
    let done = |words: &[&str]| {
        let (told, code) = demo.ask(words);
        assert_eq!(code, 0, "{words:?}: {told}");
        told
    };
    let (typed, plain) = ("例え.jp", "xn--r8jz45g.jp");
    let of = ["--tenant", TENANT];
    let made = |words: &[&str]| {
        let local = words[2].split('@').next().unwrap_or_default();
        let told = done(&[words, &of[..]].concat());
        assert_eq!(told["address"], format!("{local}@{plain}"), "{words:?}");
    };
    done(&[&["domain", "add", typed][..], &of].concat());
    made(&["user", "add", "taro@例え.jp", "--alias", "t@例え。ＪＰ"]);
    made(&["group", "add", "all@例え.jp", "--member", "taro@例え.jp"]);
    made(&["list", "add", "talk@例え.jp", "--owner", "taro@例え.jp"]);
    done(&["decoy", "add", "bait@例え.jp", "--tenant", TENANT]);
    let out = done(&["user", "forward", "taro@例え.jp", "--to", "x@外.example", "--keep"]);
    assert_eq!(out["to"][0], "x@xn--7rs.example", "{out}");
    let here = done(&["user", "forward", "taro@例え.jp", "--to", "aoi@example.jp"]);
    assert_eq!(here["to"][0], "aoi@example.jp", "{here}");
    done(&["user", "forward", "aoi@example.jp", "--to", "taro@例え.jp", "--keep"]);
    done(&["user", "forward", "aoi@example.jp", "--none"]);
    done(&["user", "forward", "taro@例え.jp", "--none"]);
    done(&["list", "member", "add", "talk@例え.jp", "taro@例え.jp", "y@外.example"]);
    done(&["group", "set", "all@例え.jp", "--member", "aoi@example.jp"]);
    done(&["group", "share", "all@例え.jp", "--with", "taro@例え.jp"]);
    let set = done(&["domain", "set", "例え。jp", "--catch-all", "taro@例え.jp"]);
    assert_eq!(set["catch_all"], format!("taro@{plain}"), "{set}");
    done(&["domain", "set", "例え.jp", "--mta-sts", "testing"]);
    done(&["domain", "set", "例え.jp", "--catch-all", "none"]);
    done(&["reports", "list", "--domain", "例え.jp"]);
    done(&["touched", "--person", "taro@例え.jp"]);
    // A gateway's list is in whatever letters their export has them.
    done(&[&["domain", "add", "店.example"][..], &of].concat());
    let list = demo.data().with_file_name("recipients");
    std::fs::write(&list, "\u{feff}ann@店.example\r\nben@xn--hxt.example\r\n").unwrap();
    let list = list.display().to_string();
    let host = ["--host", "メール.店.example:587:if-offered", "--recipients", &list];
    let gateway = done(&[&["domain", "gateway", "店.example"][..], &host].concat());
    assert_eq!(gateway["recipients"], 2, "{gateway}");
    assert!(gateway["gateway"]["host"].as_str().unwrap().starts_with("xn--"), "{gateway}");
    assert_eq!(done(&["domain", "gateway", "店.example", "--recipients", &list])["recipients"], 2);
    let any = done(&["domain", "gateway", "店.example", "--recipients", "any"]);
    assert!(any["recipients"].is_null(), "{any}");
}

#[test]
fn what_looks_like_another_address_is_refused() {
    let demo = Demo::fresh("spellings-refused");
    let data = demo.data().to_str().unwrap().to_owned();
    for (typed, english, japanese) in [
        ("аoi@example.jp", "mixes Cyrillic and Latin", "キリル文字とラテン文字"),
        ("ao\u{200b}i@example.jp", "U+200B, which nobody sees", "目に見えない U+200B"),
        ("\u{202e}ioa@example.jp", "U+202E, which nobody sees", "目に見えない U+202E"),
        ("ɑoi@example.jp", "U+0251, which is hardly known", "ほとんど知られていない U+0251"),
    ] {
        let add = ["user", "add", typed, "--tenant", TENANT, "--data", &data];
        let group = ["group", "add", typed, "--tenant", TENANT, "--member", "aoi@example.jp"];
        let group = [&group[..], &["--data", &data]].concat();
        for words in [&add[..], &group] {
            for (language, told) in [("en", english), ("ja", japanese)] {
                let (out, err, code) = plainly(words, language);
                assert_ne!(code, 0, "{out}");
                assert!(err.contains(told) || out.contains(told), "{typed}: {out} {err}");
            }
        }
    }
}

#[test]
fn a_folder_has_one_name_in_either_form() {
    let demo = Demo::fresh("spellings-folders");
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    // ガス, its mark apart; as modified UTF-7 both ways.
    let (apart, joined) = ("&MKswmTC5-", "&MKwwuQ-");
    reader.must(&format!("CREATE {apart}"));
    assert_eq!(folders(&mut reader, joined), [joined]);
    assert_eq!(folders(&mut reader, apart), [joined]);
    assert!(!reader.say(&format!("CREATE {joined}")).is_ok());
    for name in [apart, joined] {
        reader.must(&format!("SELECT {name}"));
        reader.must(&format!("SUBSCRIBE {name}"));
    }
    reader.must(&format!("RENAME {apart} Work"));
    reader.must(&format!("RENAME Work {apart}"));
    assert_eq!(folders(&mut reader, joined), [joined]);
    // Wo, a space of no width, rk; and a sign that turns what follows.
    for hidden in ["Wo&IAs-rk", "&IC4-kroW"] {
        assert!(!reader.say(&format!("CREATE {hidden}")).is_ok(), "{hidden}");
        assert!(!reader.say(&format!("RENAME {joined} {hidden}")).is_ok(), "{hidden}");
    }
    reader.must(&format!("DELETE {apart}"));
    assert!(folders(&mut reader, joined).is_empty());
}
