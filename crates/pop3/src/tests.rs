//! Cases: what is read, what is written, and that neither can be upset.

use crate::*;

fn steps(input: &[u8], piece: usize) -> Vec<Step> {
    let mut reader = Reader::new();
    let mut steps = Vec::new();
    for piece in input.chunks(piece.max(1)) {
        reader.feed(piece);
        loop {
            match reader.step() {
                Step::NeedMore => break,
                Step::Close(why) => {
                    steps.push(Step::Close(why));
                    return steps;
                }
                step => steps.push(step),
            }
        }
    }
    steps
}

fn check(line: &str, expected: Command) {
    let input = format!("{line}\r\n");
    for piece in [1, 2, 3, usize::MAX] {
        let found = steps(input.as_bytes(), piece);
        assert_eq!(found, [Step::Command(expected.clone())], "{line}");
    }
}

#[test]
fn commands() {
    check("USER aoi@example.jp", Command::User(b"aoi@example.jp".to_vec()));
    check("pass two words ", Command::Pass(Secret(b"two words ".to_vec())));
    check("STAT", Command::Stat);
    check("LIST", Command::List(None));
    check("LIST 2", Command::List(Some(2)));
    check("UIDL", Command::Uidl(None));
    check("uidl 7", Command::Uidl(Some(7)));
    check("RETR 1", Command::Retr(1));
    check("TOP 1 0", Command::Top { number: 1, lines: 0 });
    check("DELE 4294967295", Command::Dele(u32::MAX));
    check("RSET ", Command::Rset);
    check("NOOP", Command::Noop);
    check("CAPA", Command::Capa);
    check("QUIT", Command::Quit);
}

#[test]
fn unreadable_commands() {
    for line in [
        "",
        "USER",
        "USER ",
        "PASS",
        "RETR",
        "RETR 0",
        "RETR x",
        "RETR 1 2",
        "TOP 1",
        "TOP 1 -1",
        "DELE 4294967296",
        "STAT 1",
        "STLS",
        "APOP a b",
        "LIST a",
        " NOOP",
        "NO\0OP",
        "NOOP\r",
    ] {
        let found = steps(format!("{line}\r\n").as_bytes(), usize::MAX);
        assert!(matches!(found.as_slice(), [Step::Bad(_)]), "{line:?} {found:?}");
    }
    assert!(matches!(steps(b"NOOP\n", 2).as_slice(), [Step::Bad(_)]));
    let mut long = b"USER ".to_vec();
    long.extend([b'x'; 5_000]);
    long.extend_from_slice(b"\r\nNOOP\r\n");
    for piece in [1, 700, usize::MAX] {
        assert_eq!(
            steps(&long, piece),
            [Step::Bad("the line is too long"), Step::Command(Command::Noop)]
        );
    }
    assert!(matches!(steps(&b"?\r\n".repeat(40), 9).last(), Some(Step::Close(_))));
}

#[test]
fn stuffing() {
    for (message, expected) in [
        ("", ".\r\n"),
        ("a\r\n", "a\r\n.\r\n"),
        ("a", "a\r\n.\r\n"),
        (".", "..\r\n.\r\n"),
        ("a\r\n.b\r\n..\r\n", "a\r\n..b\r\n...\r\n.\r\n"),
        ("a\nb\r\n", "a\r\nb\r\n.\r\n"),
        ("a.b\r\n\r\n.\r\n", "a.b\r\n\r\n..\r\n.\r\n"),
    ] {
        for piece in [1, 2, 3, 99] {
            let mut out = Vec::new();
            let mut stuffer = Stuffer::new();
            message.as_bytes().chunks(piece).for_each(|piece| stuffer.write(piece, &mut out));
            stuffer.end(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{message:?} by {piece}");
        }
    }
}

#[test]
fn tops() {
    let message = b"A: b\r\nC: d\r\n\r\none\r\ntwo\r\nthree";
    for (lines, end) in [(0, 14), (1, 19), (2, 24), (3, 29), (9, 29)] {
        assert_eq!(top(message, lines), &message[..end], "{lines}");
    }
    assert_eq!(top(b"no body\r\n", 5), b"no body\r\n");
    assert_eq!(top(b"", 5), b"");
}

#[test]
fn responses() {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.stat(2, 320);
    writer.err(Some("AUTH"), "no\r\nentry");
    writer.ok("");
    writer.entry(1, "120");
    writer.capability("TOP");
    writer.end();
    let expected = "+OK 2 320\r\n-ERR [AUTH] no??entry\r\n+OK \r\n1 120\r\nTOP\r\n.\r\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

/// How much longer than usual to fuzz (`cargo xtask fuzz`).
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

#[test]
fn fuzz_nothing_upsets_the_reader() {
    let mut state = 0x5eed_0002u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize
    };
    let seeds: [&[u8]; 3] =
        [b"USER a\r\nPASS b\r\nSTAT\r\n", b"TOP 1 10\r\nRETR 2\r\nLIST 9\r\n", b"UIDL\r\nQUIT\r\n"];
    for round in 0..20_000 * factor() {
        let mut input = seeds[round % 3].to_vec();
        for _ in 0..1 + next() % 5 {
            let at = next() % input.len();
            match next() % 3 {
                0 => input[at] = next() as u8,
                1 => input.insert(at, next() as u8),
                _ => input.truncate(at.max(1)),
            }
        }
        assert_eq!(steps(&input, usize::MAX), steps(&input, 1 + next() % 7));
        let mut out = Vec::new();
        let mut stuffer = Stuffer::new();
        stuffer.write(top(&input, (next() % 4) as u32), &mut out);
        stuffer.end(&mut out);
        let ends = out.windows(5).filter(|window| window == b"\r\n.\r\n").count();
        assert!(ends <= 1 && (ends == 1 || out == b".\r\n"));
    }
}
