//! Who is told, outside, of mail that was passed on and failed.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Letter, Plan, SRS};
use super::settle;
use wire::post::{Errand, Finish, Heard, ToSender};

/// Mail of this sender that was passed on, to a remote that refuses it.
fn passed_on(from: &str) -> Letter {
    let mut letter = Letter::out(&["gone@there.example"]);
    letter.envelope.from = from.to_owned();
    letter.envelope.recipients[0].original = Some("rfc822;olga+2Bx@here.example".to_owned());
    letter.envelope.finish = Finish::Seal { domain: "keyless.example".to_owned() };
    letter
}

fn plan() -> Plan {
    let remote = Remote::that(|_, line| {
        line.starts_with("RCPT TO:<gone").then(|| "550 5.1.1 no such user\r\n".to_owned())
    });
    Plan::default().with("there.example", "mx.there.example", &remote)
}

#[test]
fn a_sender_outside_hears_of_a_failure_from_nobody() {
    let check = |from: &str, expected: &str| {
        let house = settle(plan());
        assert_eq!(house.carry(&[passed_on(from)]), ["1.0 failed sent 0: 5.1.1"]);
        let seen = house.seen.lock().unwrap();
        let shown: Vec<String> = seen
            .queued
            .iter()
            .map(|(_, envelope, _)| {
                let (from, to) = (&envelope.from, &envelope.recipients[0].address);
                format!("<{from}> {to} {}", envelope.hop.word())
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{from}");
        // What can be told to nobody is kept for whoever passed it on.
        assert_eq!(seen.copies.is_empty(), !expected.is_empty(), "{from}");
        for (_, envelope, text) in &seen.queued {
            assert_eq!(envelope.finish, Finish::AsItIs);
            let to = &envelope.recipients[0].address;
            let is_theirs = text.contains(&format!("\r\nTo: <{to}>\r\n"));
            assert!(is_theirs || text.contains("\r\nTo: <elsewhere@here.example>\r\n"), "{text}");
            for words in ["Action: failed\r\n", "Status: 5.1.1\r\n", "Auto-Submitted: auto-replied"]
            {
                assert!(text.contains(words), "{text}");
            }
        }
    };
    check("carol@shop.example", "<> carol@shop.example domain shop.example");
    // A rewritten path leads back to whoever wrote, as they write themselves.
    check(SRS, "<> Carol+x@shop.example domain shop.example");
    check(&SRS.replace("srs0=", "SRS0="), "<> Carol+x@shop.example domain shop.example");
    check("cy@here.example", "<> cy@here.example here");
    // Who keeps nothing here is somebody all the same.
    check("boss@gateway.example", "<> boss@gateway.example host gateway.host.example 587");
    let home = "<> me@home.example domain home.example <> ben@here.example here";
    check("elsewhere@here.example", home);
    check("", "");
    check("nobody@here.example", "");
    // By the way that the tenant's mail goes.
    check("a@smart.example", "<> a@smart.example host relay.here.example 587");
}

/// Where an address of ours leads on to is its owner's business.
#[test]
fn a_sender_outside_hears_of_the_address_that_they_wrote_to() {
    let carried = |from: &str, original: Option<&str>| {
        let house = settle(plan());
        let mut letter = passed_on(from);
        letter.envelope.recipients[0].original = original.map(str::to_owned);
        assert_eq!(house.carry(&[letter]), ["1.0 failed sent 0: 5.1.1"]);
        let seen = house.seen.lock().unwrap();
        seen.queued.first().map(|(_, _, text)| text.clone())
    };
    const CAROL: &str = "carol@shop.example";
    let text = carried(CAROL, Some("rfc822;olga+2Bx@here.example")).unwrap();
    assert!(text.contains("Final-Recipient: rfc822; olga+x@here.example\r\n"), "{text}");
    assert!(!text.contains("there.example") && !text.contains("no such user"), "{text}");
    // The address is somebody's: nothing says that it is nobody's.
    let words = super::house::words_of(&text);
    let (japanese, english) = notice::say(notice::Reason::Beyond);
    assert!(words.contains(japanese) && words.contains(english), "{words}");
    assert!(!words.contains("Nobody has this address"), "{words}");
    // A gateway's addresses are the ones that were written to.
    let text = carried(CAROL, Some("rfc822;gone@there.example")).unwrap();
    assert!(text.contains("gone@there.example") && text.contains("no such user"), "{text}");
    assert!(carried(CAROL, None).is_none());
    // Who guesses where it went on, and says so as ORCPT, is told their own word.
    let text = carried(SRS, Some("rfc822;gone@there.example")).unwrap();
    assert!(text.contains("Final-Recipient: rfc822; gone@there.example\r\n"), "{text}");
    assert!(!text.contains("mx.there.example") && !text.contains("no such user"), "{text}");
    let guess = carried(SRS, Some("rfc822;wrong@there.example")).unwrap();
    let fields = |text: &str| text.matches("\r\n").count();
    assert_eq!(fields(&text), fields(&guess));
}

/// What a remote said of a text for several may name others: nobody outside reads it.
#[test]
fn words_that_name_others_stay_here() {
    let told = |words: &str| {
        let house = settle(plan());
        let mut letter = passed_on("carol@shop.example");
        letter.envelope.recipients[0].original = Some("rfc822;gone@there.example".to_owned());
        let heard = Heard {
            places: vec![0],
            status: (4, 2, 2),
            reason: "mailbox-full".to_owned(),
            remote: Some("mx.there.example".to_owned()),
            words: Some(words.to_owned()),
        };
        letter.envelope.heard = vec![heard];
        house.carry(&[Letter { errand: Errand::GiveBack, ..letter }]);
        house.seen.lock().unwrap().queued[0].2.clone()
    };
    let text = told("452 4.2.2 <Gone@there.example> full");
    assert!(text.contains("Diagnostic-Code: smtp; 452 4.2.2 <Gone@there"), "{text}");
    let text = told("452 4.2.2 <gone@there.example> <secret@there.example> full");
    assert!(!text.contains("secret") && !text.contains("Diagnostic"), "{text}");
}

#[test]
fn nobody_outside_hears_of_anything_else() {
    let house = settle(plan());
    let never = |mut letter: Letter| {
        letter.envelope.recipients[0].notify = Some((false, false, false));
        letter
    };
    let own = |mut letter: Letter| {
        letter.envelope.finish = Finish::AsItIs;
        letter
    };
    let mut sent = Letter::out(&["bob@there.example"]).numbered(4);
    sent.envelope = passed_on("carol@shop.example").envelope;
    sent.envelope.recipients[0].address = "bob@there.example".to_owned();
    sent.envelope.recipients[0].notify = Some((true, true, true));
    let letters = [
        never(passed_on("carol@shop.example")).numbered(1),
        own(passed_on("carol@shop.example")).numbered(2),
        Letter { errand: Errand::TellLate, ..passed_on("carol@shop.example").numbered(3) },
        sent,
    ];
    let mut outcomes = house.carry(&letters);
    outcomes.sort();
    let failed = |number: u8| format!("{number}.0 failed sent 0: 5.1.1");
    assert_eq!(outcomes, [failed(1), failed(2), "3.0 told late".into(), "4.0 sent 1".into()]);
    assert!(house.seen.lock().unwrap().queued.is_empty());
}

#[test]
fn what_cannot_be_told_yet_is_tried_again_under_the_same_id() {
    let house = settle(Plan { queued: || ToSender::Full, ..plan() });
    let letter = passed_on("carol@shop.example");
    assert_eq!(house.carry(&[letter.clone()]), ["1.0 later sent 0: Ours"]);
    assert_eq!(house.carry(&[passed_on("later@shop.example")]), ["1.0 later sent 0: Ours"]);
    let house = settle(plan());
    house.carry(&[letter.clone()]);
    house.carry(&[letter]);
    let seen = house.seen.lock().unwrap();
    assert_eq!(seen.queued.len(), 2);
    assert_eq!(seen.queued[0].0, seen.queued[1].0);
}
