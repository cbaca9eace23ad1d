//! What is signed or sealed before it leaves, as the next server reads it.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::signing::MailKeys;
use super::neighbourhood::{Letter, Plan};
use super::settle;
use mailauth::{ArcResult, DkimResult};
use std::sync::Arc;
use wire::post::{Finish, Hop};

const ANSWER: &str = "From: <aoi@here.example>\r\nTo: <bob@there.example>\r\nSubject: away\r\n\
    Date: Sun, 29 Nov 2026 13:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n\
    Auto-Submitted: auto-replied (vacation)\r\n\r\n.Back on Monday.\r\n\r\nAoi\r\n";

/// What the remote got of this text; the keys, to read it with.
fn carried(text: &str, finish: Finish) -> (String, Arc<MailKeys>) {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let mut letter = Letter::out(&["bob@there.example"]);
    letter.text = text.as_bytes().to_vec();
    letter.envelope.finish = finish;
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    (remote.texts().pop().unwrap(), house.keys.clone())
}

fn in_name_of(domain: &str) -> (Finish, Finish) {
    (Finish::Sign { domain: domain.to_owned() }, Finish::Seal { domain: domain.to_owned() })
}

#[test]
fn an_answer_is_signed_by_both_keys() {
    let (sign, _) = in_name_of("here.example");
    let large = format!("{ANSWER}{}", "0123456789abcdef\r\n".repeat(20_000));
    for text in [ANSWER, &large] {
        let (got, keys) = carried(text, sign.clone());
        assert!(got.ends_with(text), "not an octet is changed");
        let read = keys.read(&got);
        let found: Vec<_> =
            read.dkim.iter().map(|one| (one.algorithm.as_str(), one.result)).collect();
        let pass = DkimResult::Pass;
        assert_eq!(found, [("rsa-sha256", pass), ("ed25519-sha256", pass)]);
        assert!(read.dkim.iter().all(|one| one.domain == "here.example"));
        let changed = got.replace("Subject: away", "Subject: Away");
        assert!(keys.read(&changed).dkim.iter().all(|one| one.result == DkimResult::Fail));
    }
}

fn passed_on(arc: &str, below: &str) -> String {
    format!(
        "Received: from client.example ([203.0.113.9])\r\n\tby mx.here.example with ESMTP id 1;\r\n\
         \tSun, 29 Nov 2026 13:00:00 +0000\r\nAuthentication-Results: mx.here.example;\r\n\
         \tspf=pass smtp.mailfrom=carol@shop.example;\r\n\tdkim=none;\r\n\tdmarc=none;\r\n\
         \tarc={arc}\r\nX-Sekisho-Passed: 0102\r\n{below}"
    )
}

const OTHERS: &str = "From: carol@shop.example\r\nSubject: hi\r\n\r\n.Hello,\r\n\r\n  there.\r\n";

#[test]
fn mail_of_others_is_sealed() {
    let (_, seal) = in_name_of("here.example");
    let text = passed_on("none", OTHERS);
    let (got, keys) = carried(&text, seal);
    assert!(got.ends_with(&text), "not an octet is changed");
    assert!(got.starts_with("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=here.example;"), "{got}");
    let read = keys.read(&got);
    assert_eq!(read.arc.result, ArcResult::Pass, "{}", read.arc.reason);
    assert_eq!(read.arc.sealers, ["here.example"]);
    assert!(read.arc.last_results.contains("spf=pass smtp.mailfrom=carol@shop.example"));
    assert!(read.dkim.is_empty());
    let changed = got.replace("Hello", "hello");
    assert_eq!(keys.read(&changed).arc.result, ArcResult::Fail);
}

#[test]
fn a_chain_goes_on() {
    let (_, seal) = in_name_of("here.example");
    let keys = MailKeys::new();
    let results = "Authentication-Results: mx.list.example;\r\n\tspf=pass;\r\n\tarc=none\r\n";
    let set = keys.set_of("list.example", ArcResult::None, results, OTHERS);
    let came = format!("{set}{OTHERS}");
    assert_eq!(keys.read(&came).arc.result, ArcResult::Pass);
    let remote = Remote::polite();
    let plan = Plan { keys: keys.clone(), ..Plan::default() };
    let house = settle(plan.with("there.example", "mx.there.example", &remote));
    let mut letter = Letter::out(&["bob@there.example"]);
    letter.text = passed_on("pass", &came).into_bytes();
    letter.envelope.finish = seal;
    assert_eq!(house.carry(&[letter.clone()]), ["1.0 sent 1"]);
    let read = keys.read(&remote.texts()[0]);
    assert_eq!(read.arc.result, ArcResult::Pass, "{}", read.arc.reason);
    assert_eq!(read.arc.sealers, ["list.example", "here.example"]);
    // A chain that was broken when it came is said to be.
    letter.text = passed_on("fail reason=\"a signature is wrong\"", &came).into_bytes();
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    let got = remote.texts().pop().unwrap();
    assert!(got.starts_with("ARC-Seal: i=2; a=rsa-sha256; cv=fail;"), "{got}");
}

#[test]
fn what_cannot_be_finished_leaves_as_it_is() {
    let (sign, seal) = in_name_of("keyless.example");
    let (own_sign, own_seal) = in_name_of("here.example");
    let endless = format!("Subject: {}", "x\r\n ".repeat(100_000));
    let wide = format!("Subject: {}\r\n\r\nx\r\n", "xx\r\n ".repeat(45_000));
    for (what, text, finish) in [
        ("nothing is to be done", ANSWER.to_owned(), Finish::AsItIs),
        ("no keys", ANSWER.to_owned(), sign),
        ("no keys", passed_on("none", OTHERS), seal),
        ("nothing was found when it came", OTHERS.to_owned(), own_seal.clone()),
        ("no state of a chain", passed_on("odd", OTHERS), own_seal),
        ("a header without an end", endless, own_sign.clone()),
        ("a header that the signer does not take", wide, own_sign),
    ] {
        let (got, _) = carried(&text, finish);
        assert!(got.trim_end() == text.trim_end(), "{what}");
    }
}

#[test]
fn without_the_signer_it_waits() {
    let remote = Remote::polite();
    let plan = Plan { signer: false, ..Plan::default() };
    let house = settle(plan.with("there.example", "mx.there.example", &remote));
    let mut letter = Letter::out(&["bob@there.example"]);
    letter.envelope.finish = in_name_of("here.example").0;
    let keys_away = {
        let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
        let mut letter = letter.clone();
        letter.envelope.finish = in_name_of("away.example").1;
        house.carry(&[letter])
    };
    assert_eq!(keys_away, ["1.0 later sent 0: Ours"]);
    let other = Letter::out(&["bob@there.example"]).numbered(2);
    let mut outcomes = house.carry(&[letter, other]);
    outcomes.sort();
    assert_eq!(outcomes, ["1.0 later sent 0: Ours", "2.0 sent 1"]);
    assert_eq!(remote.texts().len(), 1);
}

#[test]
fn an_answer_to_one_of_ours_is_signed_too() {
    let house = settle(Plan::default());
    let mut letter = Letter::to(Hop::Here, &["ben@here.example"]);
    letter.text = ANSWER.as_bytes().to_vec();
    letter.envelope.from = String::new();
    letter.envelope.finish = in_name_of("here.example").0;
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    let seen = house.seen.lock().unwrap();
    let text = &seen.copies[0].text;
    assert!(text.contains("\r\nDKIM-Signature: v=1; a=rsa-sha256;"), "{text}");
    assert!(text.ends_with(ANSWER), "{text}");
}
