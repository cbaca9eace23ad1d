//! Every published end of data that is none, at every place where input can be cut.

use super::{Client, ENVELOPE, small};

/// What others have taken for the end of a text.
const FALSE_ENDS: [&[u8]; 26] = [
    b"\n.\n",
    b"\r.\r",
    b"\r\n.\n",
    b"\n.\r\n",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r.\n",
    b"\n.\r",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n\n",
    b"\n\n.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\0\n",
    b"\0\r\n.\r\0\r\n",
    b"\n.\0\n",
    b"\r\n\r.\r\n",
    b"\r\n.\n\r\n",
    b"\n\r.\n\r",
    b"\r\0\n.\r\0\n",
    b"\r\r.\r\r",
    b"\n\0.\r\n",
    b"\r\n.\n\n",
    b"\r\0.\r",
    b"\n.\r\r\n",
];

const SMUGGLED: &str = "MAIL FROM:<admin@bank.example>\r\nRCPT TO:<victim@example.jp>\r\nDATA\r\n\
    Subject: smuggled\r\n\r\nbody\r\n.\r\nQUIT\r\n";

fn run(pieces: &[&[u8]]) -> String {
    let mut client = Client::new(small(), false);
    for piece in pieces {
        if !client.closed {
            client.send(piece);
        }
    }
    client.said
}

#[test]
fn no_false_end_ends_a_text_wherever_the_input_is_cut() {
    for end in FALSE_ENDS {
        let mut input = format!("{ENVELOPE}Subject: hi\r\n\r\nfirst").into_bytes();
        input.extend_from_slice(end);
        input.extend_from_slice(SMUGGLED.as_bytes());
        let whole = run(&[&input]);
        assert_eq!(whole.matches("[mail").count(), 1, "{end:?}\n{whole}");
        assert!(!whole.contains("[end"), "{end:?}\n{whole}");
        assert!(whole.contains("\n554 5.6.0 "), "{end:?}\n{whole}");
        assert!(whole.ends_with("[closed FalseEnd]\n"), "{end:?}\n{whole}");
        for cut in 0..=input.len() {
            let (front, back) = input.split_at(cut);
            assert_eq!(run(&[front, back]), whole, "{end:?} cut at {cut}");
        }
    }
}

#[test]
fn an_odd_text_without_a_false_end_costs_only_itself() {
    for (odd, why) in [("a\rb", "CR"), ("a\nb", "LF"), ("a\0b", "NUL"), (".a\n", "LF")] {
        let input = format!("{ENVELOPE}x\r\n{odd}\r\ny\r\n.\r\nNOOP\r\n");
        let whole = run(&[input.as_bytes()]);
        let expected = format!("a bare {why} in the message\r\n250 2.0.0 OK\r\n");
        let expected = expected.replace("bare NUL", "NUL");
        assert!(whole.ends_with(&expected), "{odd:?}\n{whole}");
        for cut in 0..=input.len() {
            let (front, back) = input.as_bytes().split_at(cut);
            assert_eq!(run(&[front, back]), whole, "{odd:?} cut at {cut}");
        }
    }
}

#[test]
fn a_text_already_lost_is_still_watched() {
    let large = "x\r\n".repeat(1_500);
    let input = format!("{ENVELOPE}{large}\n.\n{SMUGGLED}");
    let whole = run(&[input.as_bytes()]);
    assert!(whole.ends_with("[closed FalseEnd]\n") && !whole.contains("[end"), "{whole}");
}

#[test]
fn commands_end_with_crlf_alone() {
    for (line, why) in [
        ("NOOP\nNOOP\r\n", "BareLf"),
        ("NOOP\rNOOP\r\n", "BareCr"),
        ("NOOP\0\r\nNOOP\r\n", "Nul"),
        ("NOOP\r\r\nNOOP\r\n", "BareCr"),
        ("MAIL FROM:<a@b>\nRCPT TO:<c@d>\r\n", "BareLf"),
        ("\nNOOP\r\n", "BareLf"),
    ] {
        let whole = run(&[b"EHLO c\r\n", line.as_bytes()]);
        assert!(whole.contains("\n500 5.5.2 a "), "{line:?}\n{whole}");
        assert!(whole.ends_with(&format!("[closed OddLine({why})]\n")), "{line:?}\n{whole}");
        assert!(!whole.contains("OK") && !whole.contains("[mail"), "{line:?}\n{whole}");
    }
    let long = format!("NOOP {}\nNOOP\r\n", "x".repeat(2_000));
    assert!(run(&[long.as_bytes()]).ends_with("[closed OddLine(BareLf)]\n"));
}
