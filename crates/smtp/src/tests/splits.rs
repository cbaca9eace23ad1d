//! However the input is cut, what comes of it is the same; and how long it takes.

use super::odd_input::Random;
use super::{Client, ENVELOPE, HELLO, small};
use crate::{Event, Limits, Reply, Session};

fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut client = Client::new(small(), false);
    for piece in pieces {
        if !client.closed {
            client.send(piece);
        }
    }
    client.said
}

#[test]
fn any_cut_gives_the_same_events() {
    let long_line = "y".repeat(1_200);
    let large = "0123456789\r\n".repeat(400);
    let sessions = [
        format!("{ENVELOPE}a\r\n..b\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n"),
        format!("{ENVELOPE}{long_line}\r\n.\r\nNOOP\r\n"),
        format!("{ENVELOPE}{large}.\r\nNOOP\r\n"),
        format!("NOOP {long_line}\r\n{HELLO}NOOP\r\n"),
        format!(
            "{HELLO}MAIL FROM:<> SIZE=9\r\nRCPT TO:<a@b>\r\nBDAT 6\r\na\r\n\r\nbBDAT 0\r\n\
             BDAT 3 LAST\r\nc\r\nNOOP\r\nBDAT 3\r\nxyzHELP\r\n"
        ),
        format!(
            "{HELLO}MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nBDAT 4\r\na\r\rbBDAT 2 LAST\r\n\r\nQUIT\r\n"
        ),
    ];
    let mut random = Random::new(7);
    for session in &sessions {
        let bytes = session.as_bytes();
        let whole = run(std::iter::once(bytes));
        assert_eq!(run(bytes.chunks(1)), whole, "octet by octet: {session:?}");
        for _ in 0..300 {
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((1 + random.below(40)).min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            assert_eq!(run(pieces.into_iter()), whole, "{session:?}");
        }
    }
}

/// Large texts are looked at by the block, small pieces by the line: neither may see less.
#[test]
fn blocks_and_lines_give_the_same_events() {
    let run = |bytes: &[u8], piece: usize| {
        let mut client = Client::new(Limits::default(), false);
        for piece in bytes.chunks(piece) {
            if !client.closed {
                client.send(piece);
            }
        }
        client.said
    };
    let odd = ["\r", "\n", "\0", "\n.\r\n", "\r\n.\n", ".", "\r\n..", "\r\n.\r", "\r\r\n"];
    let mut random = Random::new(11);
    for round in 0..60 {
        let mut text = String::from(ENVELOPE);
        let oddity = random.below(900);
        for number in 0..900 {
            text.push_str(&"plain text ".repeat(random.below(7)));
            if number == oddity && round > 5 {
                text.push_str(odd[random.below(odd.len())]);
            }
            text.push_str(if random.below(9) == 0 { "\r\n..dotted\r\n" } else { "\r\n" });
        }
        text.push_str(".\r\nNOOP\r\n");
        let whole = run(text.as_bytes(), 64 * 1024);
        for piece in [1, 61, 16 * 1024 - 1] {
            assert!(run(text.as_bytes(), piece) == whole, "round {round}, pieces of {piece}");
        }
    }
}

#[test]
fn a_mebibyte_costs_little() {
    let line = format!("{}\r\n", "A".repeat(76));
    let text = format!("{}.\r\n", line.repeat(1024 * 1024 / 78));
    let mut best = std::time::Duration::MAX;
    for _ in 0..20 {
        let mut session = Session::new(Limits::default(), "mx", false, false);
        let mut kept: Vec<u8> = Vec::with_capacity(text.len());
        let mut input = std::iter::once(ENVELOPE.as_bytes()).chain(text.as_bytes().chunks(65_536));
        let begin = std::time::Instant::now();
        loop {
            match session.next_event() {
                Event::Octets(octets) => kept.extend_from_slice(octets),
                Event::Data => session.reply(Reply::go_ahead()),
                Event::End => break,
                Event::Read => session.feed(input.next().unwrap()),
                _ => session.reply(Reply::ok()),
            }
        }
        best = best.min(begin.elapsed());
        assert_eq!(kept.len(), text.len() - 3);
    }
    println!("1 MiB of DATA: {best:?}");
    // A busy machine may be slow; per-octet work would be slower than this still.
    assert!(best < std::time::Duration::from_millis(5), "{best:?}");
}
