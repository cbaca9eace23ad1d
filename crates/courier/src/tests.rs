//! Conversations as cases: what the remote says, what we say, and how each recipient fares.

use crate::{Broken, Courier, Letter, Login, Notify, Outcome, Receiver, Tls, Want};
use smtp::{Address, Return};

fn letter(receivers: &[&str]) -> Letter {
    let receiver = |address: &&str| Receiver {
        address: Address::parse(address).unwrap(),
        notify: None,
        original: None,
    };
    Letter {
        from: Address::parse("ann@here.example"),
        receivers: receivers.iter().map(receiver).collect(),
        size: 100,
        has_eight_bits: false,
        needs_utf8: false,
        require_tls: false,
        returned: None,
        envelope_id: None,
    }
}

/// Plays a conversation: the remote's lines are fed one after the other, whenever we read. Returns
/// what we said and how it ended.
fn play(tls: Tls, letters: Vec<Letter>, remote: &[&str]) -> (String, Vec<String>) {
    let mut courier = Courier::new("here.example", tls);
    let mut remote = remote.iter();
    let mut letters = letters.into_iter();
    let (mut said, mut happened) = (String::new(), Vec::new());
    for _ in 0..1_000 {
        let want = courier.next();
        said.push_str(&String::from_utf8(courier.take_output()).unwrap());
        match want {
            Want::Read(_) => match remote.next() {
                Some(&"(closes)") | None => courier.closed(),
                Some(&"(silent)") => courier.timed_out(),
                Some(line) => courier.feed(line.as_bytes()),
            },
            Want::Secure => {
                said.push_str("(tls)\n");
                courier.secured();
            }
            Want::Letter => match letters.next() {
                Some(letter) => courier.begin(letter),
                None => courier.quit(),
            },
            Want::Text => {
                courier.text(b"Subject: x\r\n\r\n.hello\r\n");
                courier.end_text();
            }
            Want::Outcomes(outcomes) => happened.extend(outcomes.iter().map(short)),
            Want::Broken(broken) => happened.push(format!("broken: {}", why(&broken))),
            Want::Close => return (said, happened),
        }
    }
    panic!("it does not end");
}

fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Taken(answer) => format!("taken {}", answer.code),
        Outcome::Later(answer) => format!("later {}", answer.code),
        Outcome::Refused(answer) => format!("refused {}", answer.code),
        Outcome::Unfit(unfit) => format!("unfit {unfit:?}"),
        Outcome::Unknown(broken) => format!("unknown: {}", why(broken)),
    }
}

fn why(broken: &Broken) -> String {
    match broken {
        Broken::Unwilling(answer) => format!("unwilling {}", answer.code),
        Broken::Shut(answer) => format!("shut {}", answer.code),
        Broken::NoTls(_) => "no tls".to_owned(),
        other => format!("{other:?}"),
    }
}

const HELLO: &str = "250-there.example\r\n250 SIZE 1000000\r\n";
const PIPES: &str = "250-there.example\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n";
const OK: &str = "250 2.0.0 ok\r\n";

#[test]
fn a_letter_is_taken() {
    let (said, happened) = play(
        Tls::IfOffered,
        vec![letter(&["bob@there.example"])],
        &["220 hi\r\n", HELLO, OK, OK, "354 go\r\n", OK, "221 bye\r\n"],
    );
    assert_eq!(happened, ["taken 250"]);
    assert_eq!(
        said,
        "EHLO here.example\r\nMAIL FROM:<ann@here.example> SIZE=100\r\n\
         RCPT TO:<bob@there.example>\r\nDATA\r\nSubject: x\r\n\r\n..hello\r\n.\r\nQUIT\r\n"
    );
}

#[test]
fn each_recipient_has_an_outcome() {
    let check = |remote: &[&str], expected: &[&str]| {
        let people = ["a@there.example", "b@there.example", "c@there.example"];
        let (_, happened) = play(Tls::IfOffered, vec![letter(&people)], remote);
        assert_eq!(happened, expected, "{remote:?}");
    };
    let no = "550 5.1.1 nobody\r\n";
    let busy = "450 busy\r\n";
    let go = "354 go\r\n";
    let bye = "221 bye\r\n";
    for hello in [HELLO, PIPES] {
        check(
            &["220 x\r\n", hello, OK, OK, no, busy, go, OK, bye],
            &["taken 250", "refused 550", "later 450"],
        );
        check(
            &["220 x\r\n", hello, OK, no, no, no, OK, bye],
            &["refused 550", "refused 550", "refused 550"],
        );
        check(
            &["220 x\r\n", hello, OK, OK, no, OK, go, "554 spam\r\n", bye],
            &["refused 554", "refused 550", "refused 554"],
        );
        check(
            &["220 x\r\n", hello, OK, OK, OK, OK, "451 not now\r\n", OK, bye],
            &["later 451", "later 451", "later 451"],
        );
        check(
            &["220 x\r\n", hello, OK, OK, no, "421 shutting down\r\n"],
            &["later 421", "refused 550", "later 421", "broken: shut 421"],
        );
        check(
            &["220 x\r\n", hello, OK, OK, no, OK, go, "(closes)"],
            &["unknown: Closed", "refused 550", "unknown: Closed", "broken: Closed"],
        );
        check(
            &["220 x\r\n", hello, OK, "(silent)"],
            &["unknown: Silent", "unknown: Silent", "unknown: Silent", "broken: Silent"],
        );
    }
    check(
        &["220 x\r\n", HELLO, "550 go away\r\n", OK, bye],
        &["refused 550", "refused 550", "refused 550"],
    );
    check(
        &["220 x\r\n", PIPES, "550 go away\r\n", OK, no, no, OK, bye],
        &["refused 550", "refused 550", "refused 550"],
    );
}

#[test]
fn one_connection_carries_many_letters() {
    let (said, happened) = play(
        Tls::IfOffered,
        vec![letter(&["a@there.example"]), letter(&["b@there.example"])],
        &[
            "220 x\r\n",
            PIPES,
            "250 ok\r\n250 ok\r\n",
            "354 go\r\n",
            OK,
            OK,
            "550 no\r\n",
            OK,
            "221 bye\r\n",
        ],
    );
    assert_eq!(happened, ["taken 250", "refused 550"]);
    assert!(said.ends_with("RSET\r\nQUIT\r\n"), "{said}");
}

#[test]
fn remotes_that_will_not() {
    let check = |tls: Tls, remote: &[&str], expected: &str| {
        let (_, happened) = play(tls, vec![letter(&["bob@there.example"])], remote);
        assert_eq!(happened.last().map(String::as_str), Some(expected), "{remote:?}");
    };
    check(Tls::IfOffered, &["554 no\r\n"], "broken: unwilling 554");
    check(Tls::IfOffered, &["421 busy\r\n"], "broken: unwilling 421");
    check(Tls::IfOffered, &["(closes)"], "broken: Closed");
    check(Tls::IfOffered, &["(silent)"], "broken: Silent");
    check(Tls::IfOffered, &["220 x\r\n", "500 what\r\n", "500 what\r\n"], "broken: unwilling 500");
    check(Tls::IfOffered, &["220 x\r\n", "450 x\r\n"], "broken: unwilling 450");
    check(Tls::IfOffered, &["hello\r\n"], "broken: Malformed(NoCode)");
    check(Tls::IfOffered, &["220 x\r\n", HELLO, OK, OK, "250 yes\r\n"], "broken: shut 250");
    check(Tls::Required, &["220 x\r\n", HELLO], "broken: no tls");
    check(Tls::Required, &["220 x\r\n", "500 what\r\n", "250 x\r\n"], "broken: no tls");
}

#[test]
fn tls_is_made_and_nothing_said_before_it_counts() {
    let offered = "250-there.example\r\n250 STARTTLS\r\n";
    let ready = "220 ready\r\n";
    let (said, happened) = play(
        Tls::Required,
        vec![letter(&["bob@there.example"])],
        &["220 x\r\n", offered, ready, HELLO, OK, OK, "354 go\r\n", OK, "221 bye\r\n"],
    );
    assert_eq!(happened, ["taken 250"]);
    assert!(said.starts_with("EHLO here.example\r\nSTARTTLS\r\n(tls)\nEHLO here.example\r\n"));
    let check = |tls: Tls, remote: &[&str], expected: &str| {
        let (said, happened) = play(tls, vec![letter(&["bob@there.example"])], remote);
        assert_eq!(happened.last().map(String::as_str), Some(expected), "{remote:?}");
        assert!(!said.contains("(tls)"));
    };
    check(
        Tls::IfOffered,
        &["220 x\r\n", offered, "220 ready\r\n250 injected\r\n"],
        "broken: Injected",
    );
    check(Tls::IfOffered, &["220 x\r\n", offered, "220 ready\r\n250-"], "broken: Injected");
    check(Tls::Required, &["220 x\r\n", offered, "454 no\r\n"], "broken: no tls");
    let without = ["220 x\r\n", offered, "454 no\r\n", OK, OK, "354 go\r\n", OK, "221 bye\r\n"];
    check(Tls::IfOffered, &without, "taken 250");
    let never = ["220 x\r\n", offered, OK, OK, "354 go\r\n", OK, "221 bye\r\n"];
    check(Tls::Never, &never, "taken 250");
}

#[test]
fn what_a_remote_cannot_take_is_not_offered() {
    let check = |change: &dyn Fn(&mut Letter), expected: &str| {
        let mut one = letter(&["bob@there.example"]);
        change(&mut one);
        let remote = ["220 x\r\n", HELLO, "221 bye\r\n"];
        let (said, happened) = play(Tls::IfOffered, vec![one], &remote);
        assert_eq!(happened, [expected]);
        assert!(!said.contains("MAIL"));
    };
    check(&|letter| letter.size = 1_000_001, "unfit TooLarge");
    check(&|letter| letter.needs_utf8 = true, "unfit NeedsUtf8Header");
    check(
        &|letter| {
            letter.needs_utf8 = true;
            letter.from = smtp::Address::parse("葵@example.jp");
        },
        "unfit NeedsUtf8",
    );
    check(&|letter| letter.has_eight_bits = true, "unfit NeedsEightBits");
    check(&|letter| letter.require_tls = true, "unfit NeedsRequireTls");
}

/// RFC 8689 §5: a notice is not thrown away for what its mail asked for.
#[test]
fn a_notice_goes_where_tls_is_not_promised() {
    let one = Letter { from: None, require_tls: true, ..letter(&["bob@there.example"]) };
    let remote = ["220 x\r\n", HELLO, OK, OK, "354 go\r\n", OK, "221 bye\r\n"];
    let (said, happened) = play(Tls::IfOffered, vec![one], &remote);
    assert_eq!(happened, ["taken 250"]);
    assert!(said.contains("MAIL FROM:<>") && !said.contains("REQUIRETLS"), "{said}");
}

#[test]
fn parameters_go_to_those_who_know_them() {
    let mut one = letter(&["\"b b\"@there.example"]);
    one.returned = Some(Return::Headers);
    one.envelope_id = Some("QQ+2B1".to_owned());
    one.has_eight_bits = true;
    one.receivers[0].notify = Some(Notify { success: false, failure: true, delay: true });
    one.receivers[0].original = Some("rfc822;bob@here.example".to_owned());
    let hello = "250-x\r\n250-DSN\r\n250 8BITMIME\r\n";
    let remote = ["220 x\r\n", hello, OK, OK, "354 go\r\n", OK, "221 bye\r\n"];
    let (said, _) = play(Tls::IfOffered, vec![one.clone()], &remote);
    assert!(said.contains(
        "MAIL FROM:<ann@here.example> BODY=8BITMIME RET=HDRS ENVID=QQ+2B1\r\n\
         RCPT TO:<\"b b\"@there.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;bob@here.example\r\n"
    ));
    one.receivers[0].notify = Some(Notify { success: false, failure: false, delay: false });
    one.receivers[0].original = Some("rfc822;x\r\nRCPT TO:<y>".to_owned());
    let (said, _) = play(Tls::IfOffered, vec![one], &remote);
    assert!(said.contains("RCPT TO:<\"b b\"@there.example> NOTIFY=NEVER\r\n"), "{said}");
}

#[test]
fn a_text_with_a_bare_line_end_never_ends() {
    let mut courier = Courier::new("here.example", Tls::Never);
    courier.feed(b"220 x\r\n250 x\r\n");
    assert!(matches!(courier.next(), Want::Letter));
    courier.begin(letter(&["bob@there.example"]));
    courier.feed(b"250 ok\r\n250 ok\r\n354 go\r\n");
    assert_eq!(courier.next(), Want::Text);
    courier.take_output();
    courier.text(b"a\r\n.\nb");
    courier.end_text();
    assert!(matches!(courier.next(), Want::Outcomes(fates) if fates.len() == 1));
    assert!(matches!(courier.next(), Want::Broken(Broken::Bare(_))));
    assert!(courier.take_output().is_empty());
}

/// Whatever octets a remote sends: it ends, each recipient has one outcome, and no line of ours
/// has anything of the remote's.
#[test]
fn fuzz_remote() {
    let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
    let words: [&[u8]; 14] = [
        b"220 x\r\n",
        b"250 ok\r\n",
        b"250-x\r\n",
        b"354 go\r\n",
        b"550 no\r\n",
        b"421 bye\r\n",
        b"250-STARTTLS\r\n",
        b"250 PIPELINING\r\n",
        b"\n",
        b"\r",
        b"2",
        b"\0\xff",
        b"450 ",
        b"250-SIZE 5\r\n",
    ];
    for seed in 1..20_000 * factor {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % below) as usize
        };
        let mut courier = Courier::new("here.example", Tls::IfOffered);
        let (mut begun, mut outcomes, mut reads, mut ended) = (0, 0, 0, false);
        for _ in 0..400 {
            let want = courier.next();
            let output = courier.take_output();
            assert!(!output.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
            match want {
                Want::Read(_) if reads > 40 => courier.closed(),
                Want::Read(_) => {
                    reads += 1;
                    courier.feed(words[random(14)]);
                }
                Want::Secure => courier.secured(),
                Want::Letter if begun < 6 => {
                    begun += 2;
                    courier.begin(letter(&["a@there.example", "b@there.example"]));
                }
                Want::Letter => courier.quit(),
                Want::Text => {
                    courier.text(b".\r\n");
                    courier.end_text();
                }
                Want::Outcomes(all) => outcomes += all.len(),
                Want::Broken(_) => {}
                Want::Close => {
                    ended = true;
                    break;
                }
            }
        }
        assert!(ended, "seed {seed}");
        assert_eq!(outcomes, begun, "seed {seed}");
    }
}

/// The same with a sign-in before the first letter.
fn sign_in(hello: &str, remote: &[&str]) -> (String, Vec<String>) {
    let mut courier = Courier::new("here.example", Tls::Already);
    let mut remote = ["220 hi\r\n", hello].into_iter().chain(remote.iter().copied());
    let (mut said, mut happened, mut has_signed_in) = (String::new(), Vec::new(), false);
    for _ in 0..100 {
        let want = courier.next();
        said.push_str(&String::from_utf8(courier.take_output()).unwrap());
        match want {
            Want::Read(_) => match remote.next() {
                Some(line) => courier.feed(line.as_bytes()),
                None => courier.closed(),
            },
            Want::Letter if has_signed_in => {
                happened.push("in".to_owned());
                courier.quit();
            }
            Want::Letter => {
                has_signed_in = true;
                courier.sign_in(Login {
                    user: "kaede".to_owned().into(),
                    password: "open sesame".to_owned().into(),
                });
            }
            Want::Broken(broken) => happened.push(match broken {
                Broken::NotSignedIn(answer) => format!("not in {:?}", answer.map(|one| one.code)),
                other => format!("{other:?}"),
            }),
            Want::Close => return (said, happened),
            other => panic!("{other:?}"),
        }
    }
    panic!("it does not end");
}

#[test]
fn who_we_are_is_said_in_the_way_that_is_offered() {
    let check = |offered: &str, remote: &[&str], expected_said: &str, expected: &str| {
        let hello = format!("250-there.example\r\n250 {offered}\r\n");
        let (said, happened) = sign_in(&hello, remote);
        assert_eq!(happened, [expected], "{offered} {remote:?}");
        let said = said.strip_prefix("EHLO here.example\r\n").unwrap();
        assert_eq!(said, expected_said, "{offered} {remote:?}");
    };
    let plain = "AUTH PLAIN AGthZWRlAG9wZW4gc2VzYW1l\r\n";
    let login = "AUTH LOGIN\r\na2FlZGU=\r\nb3BlbiBzZXNhbWU=\r\n";
    let (name, word) = ("334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n");
    let welcome = "235 2.7.0 welcome\r\n";
    check("AUTH LOGIN PLAIN", &[welcome, "221 x\r\n"], &format!("{plain}QUIT\r\n"), "in");
    let all = [name, word, welcome, "221 x\r\n"];
    check("AUTH LOGIN", &all, &format!("{login}QUIT\r\n"), "in");
    check("AUTH PLAIN", &["535 5.7.8 no\r\n"], plain, "not in Some(535)");
    check("AUTH PLAIN", &["454 4.7.0 later\r\n"], plain, "not in Some(454)");
    // It asks again and again: nothing is said twice.
    check("AUTH PLAIN", &[name], plain, "not in Some(334)");
    check("AUTH LOGIN", &[name, word, word], login, "not in Some(334)");
    check("AUTH LOGIN", &["504 no\r\n"], "AUTH LOGIN\r\n", "not in Some(504)");
    check("AUTH CRAM-MD5", &[], "", "not in None");
    check("SIZE 5", &[], "", "not in None");
}

#[test]
fn nothing_is_said_of_us_in_clear() {
    for tls in [Tls::Never, Tls::IfOffered] {
        let mut courier = Courier::new("here.example", tls);
        courier.feed(b"220 hi\r\n");
        courier.next();
        courier.feed(b"250-there.example\r\n250 AUTH PLAIN LOGIN\r\n");
        assert_eq!(courier.next(), Want::Letter);
        courier.take_output();
        let login = Login { user: "kaede".to_owned().into(), password: "secret".to_owned().into() };
        courier.sign_in(login);
        assert_eq!(courier.next(), Want::Broken(Broken::NotSignedIn(None)));
        assert!(courier.take_output().is_empty());
    }
}

/// An inquiry, and what the remote answers to it.
fn inquire(remote: &[&str]) -> (String, Vec<String>) {
    let mut courier = Courier::new("here.example", Tls::IfOffered);
    let mut remote = remote.iter();
    let (mut said, mut happened) = (String::new(), Vec::new());
    for _ in 0..100 {
        let want = courier.next();
        said.push_str(&String::from_utf8(courier.take_output()).unwrap());
        match want {
            Want::Read(_) => match remote.next() {
                Some(line) => courier.feed(line.as_bytes()),
                None => courier.closed(),
            },
            Want::Letter => courier.inquire(Address::parse("bob@there.example").unwrap()),
            Want::Outcomes(outcomes) => happened.extend(outcomes.iter().map(short)),
            Want::Broken(broken) => happened.push(format!("broken: {}", why(&broken))),
            Want::Close => return (said, happened),
            other => panic!("{other:?}"),
        }
    }
    panic!("it does not end");
}

#[test]
fn an_inquiry_asks_and_sends_nothing() {
    let no = "550 5.1.1 nobody\r\n";
    let bye = "221 bye\r\n";
    let check = |remote: &[&str], expected: &[&str]| {
        let (said, happened) = inquire(remote);
        assert_eq!(happened, expected, "{remote:?}");
        assert!(!said.contains("DATA"), "{said}");
    };
    for hello in [HELLO, PIPES] {
        let (said, happened) = inquire(&["220 x\r\n", hello, OK, OK, bye]);
        assert_eq!(happened, ["taken 250"]);
        assert_eq!(
            said,
            "EHLO here.example\r\nMAIL FROM:<> SIZE=0\r\nRCPT TO:<bob@there.example>\r\nQUIT\r\n"
        );
        check(&["220 x\r\n", hello, OK, no, bye], &["refused 550"]);
        check(&["220 x\r\n", hello, OK, "354 go\r\n", bye], &["later 354"]);
        check(&["220 x\r\n", hello, OK, "421 x\r\n"], &["later 421", "broken: shut 421"]);
        check(&["220 x\r\n", hello, OK], &["unknown: Closed", "broken: Closed"]);
        // What it does not ask back is nothing more than noise.
        check(&["220 x\r\n", hello, OK, "250 ok\r\n354 go\r\n"], &["taken 250"]);
    }
    // It takes nothing of nobody's: that says nothing about bob.
    check(&["220 x\r\n", HELLO, no, bye], &["unknown: unwilling 550"]);
    check(&["220 x\r\n", PIPES, no, OK, bye], &["unknown: unwilling 550"]);
    check(&["554 go away\r\n"], &["broken: unwilling 554"]);
}
