//! Mail that goes as it should.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Letter, Plan};
use super::settle;

#[test]
fn one_letter_to_one_host() {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    assert_eq!(house.carry(&[Letter::out(&["bob@there.example"])]), ["1.0 sent 1"]);
    assert_eq!(remote.texts(), ["Message-ID: <m1@here.example>\r\nSubject: hi\r\n\r\n.hello\r\n"]);
    let size = Letter::out(&["x@y"]).text.len();
    let expected = format!(
        "EHLO mx.here.example\r\nMAIL FROM:<aoi@here.example> SIZE={size}\r\n\
         RCPT TO:<bob@there.example>\r\nDATA\r\n"
    );
    assert!(remote.said().starts_with(&expected), "{}", remote.said());
    remote.heard_only_whole_lines();
}

#[test]
fn letters_of_one_batch_share_a_connection_and_each_end_is_told() {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let letters: Vec<Letter> =
        (1..=20).map(|number| Letter::out(&["bob@there.example"]).numbered(number)).collect();
    let expected: Vec<String> = (1..=20).map(|number| format!("{number}.0 sent 1")).collect();
    assert_eq!(house.carry(&letters), expected);
    assert_eq!(remote.heard.lock().unwrap().connections.len(), 1);
    // Another batch for the same instance, which says whose it is now.
    assert_eq!(house.carry(&letters[..1]), ["1.0 sent 1"]);
    assert_eq!(remote.texts().len(), 21);
    // Envelopes together, and the texts once there was somebody to take them.
    let released = house.seen.lock().unwrap().released.len();
    assert_eq!(released, 20 + 20 + 1 + 1);
}

#[test]
fn a_large_letter_is_carried_from_its_descriptor() {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let text = "0123456789abcdef\r\n.dot\r\n".repeat(50_000).into_bytes();
    let letter = Letter { text: text.clone(), ..Letter::out(&["bob@there.example"]) };
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    assert!(remote.texts()[0].as_bytes() == text);
}

#[test]
fn a_sender_s_wishes_go_with_it() {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let mut letter = Letter::out(&["bob@there.example"]);
    letter.envelope.returns_all = Some(true);
    letter.envelope.envelope_id = Some("Q+2B1".to_owned());
    letter.envelope.recipients[0].notify = Some((true, true, false));
    letter.envelope.recipients[0].original = Some("rfc822;bob@there.example".to_owned());
    letter.envelope.has_eight_bits = true;
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    let said = remote.said();
    assert!(said.contains(" BODY=8BITMIME RET=FULL ENVID=Q+2B1\r\n"), "{said}");
    assert!(said.contains(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@there.example\r\n"), "{said}");
    // It tells of its success itself.
    assert_eq!(house.seen.lock().unwrap().copies.len(), 0);
}
