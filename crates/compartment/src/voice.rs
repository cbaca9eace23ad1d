//! What a compartment says on standard error.
//!
//! Its parent's own standard error is an open file that all would share: whoever holds it may cut a
//! log, write over it, or end it for the whole house. So each compartment has a pipe, and what it
//! says is written on by us: with its name, in printable characters, and not without end.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Said at once; afterwards so many octets a second.
const BURST: f64 = 64.0 * 1024.0;
const EACH_SECOND: f64 = 1024.0;
/// A longer line is told in pieces.
const LINE: usize = 4 * 1024;

/// Says a line on standard error. `eprintln!` would end whoever speaks while nobody listens, or
/// while more was said than is read: what cannot be said stops nobody.
pub fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A fault and all that lies under it, in one line. No fault of ours carries content.
pub fn in_full(fault: &dyn Error) -> String {
    let (mut words, mut under) = (fault.to_string(), fault.source());
    while let Some(cause) = under {
        words = format!("{words}: {cause}");
        under = cause.source();
    }
    words
}

/// The end that the compartment `kind` speaks into.
///
/// # Errors
/// The kernel has no pipe or no thread left for it.
pub(crate) fn voice_of(kind: &str) -> io::Result<OwnedFd> {
    let (hears, speaks) = crate::birth::pipe()?;
    // Nobody waits to be heard.
    // SAFETY: plain numbers and a descriptor of ours.
    unsafe { libc::fcntl(speaks.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let name = kind.to_owned();
    let hears = std::fs::File::from(hears);
    thread::Builder::new()
        .name("voices".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || pass_on(&name, hears, &mut io::stderr()))?;
    Ok(speaks)
}

/// Until all who hold the other end are gone.
fn pass_on(name: &str, mut from: impl Read, to: &mut impl Write) {
    let mut breath = Breath { left: BURST, at: Instant::now(), is_out: false };
    let (mut piece, mut line) = ([0u8; 4096], Vec::new());
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for octet in piece.iter().take(count) {
            if *octet != b'\n' {
                line.push(*octet);
            }
            if *octet == b'\n' || line.len() >= LINE {
                say(name, &line, &mut breath, to);
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        say(name, &line, &mut breath, to);
    }
}

fn say(name: &str, line: &[u8], breath: &mut Breath, to: &mut impl Write) {
    let text = printable(&String::from_utf8_lossy(line));
    // A log that cannot be written stops nobody.
    let _ = match breath.takes(text.len(), Instant::now()) {
        Taken::Said => {
            let said = writeln!(to, "[{name}] {text}");
            LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), text);
            said
        }
        Taken::Last => writeln!(to, "[{name}] says more than is written down"),
        Taken::Silent => Ok(()),
    };
}

/// What a terminal would obey is a question mark, what it would not show or turn around a sign.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for one in text.chars() {
        match terms::plain::sign(one) {
            Some(_) if one.is_control() => shown.push(if one == '\t' { one } else { '?' }),
            Some(sign) => shown.push_str(&sign),
            None => shown.push(one),
        }
    }
    shown
}

/// What each kind said last. Few kinds, bounded lines.
static LAST_WORDS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What processes of this kind said last; told once.
pub fn last_words(kind: &str) -> Option<String> {
    LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).remove(kind)
}

/// How much may still be said.
struct Breath {
    left: f64,
    at: Instant,
    is_out: bool,
}

enum Taken {
    Said,
    /// From here on it is not written down.
    Last,
    Silent,
}

impl Breath {
    fn takes(&mut self, octets: usize, now: Instant) -> Taken {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * EACH_SECOND).min(BURST);
        self.at = now;
        let cost = octets as f64 + 16.0;
        // Out of breath, it speaks again when there is room for more than a word.
        if self.left < cost || (self.is_out && self.left < BURST / 4.0) {
            let was_out = std::mem::replace(&mut self.is_out, true);
            return if was_out { Taken::Silent } else { Taken::Last };
        }
        self.is_out = false;
        self.left -= cost;
        Taken::Said
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Breath, Taken, pass_on};
    use std::time::{Duration, Instant};

    fn heard(said: &[u8]) -> String {
        let mut to = Vec::new();
        pass_on("edge", said, &mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn whoever_speaks_is_named() {
        let said = b"sekisho: INCIDENT forged\n\x1b[2Jgone\rover\nlast";
        let expected = "[edge] sekisho: INCIDENT forged\n[edge] ?[2Jgone?over\n[edge] last\n";
        assert_eq!(heard(said), expected);
        assert_eq!(heard(b""), "");
        let turned = "関所\tgpj.\u{202e}exe\u{200b}\n".as_bytes();
        assert_eq!(heard(turned), "[edge] 関所\tgpj.<U+202E>exe<U+200B>\n");
    }

    #[test]
    fn nobody_fills_the_log() {
        let text = heard(&b"a line of some length\n".repeat(100_000));
        assert!(text.len() < 2 * BURST as usize);
        assert!(text.ends_with("[edge] says more than is written down\n"));
        assert!(heard(&[b'x'; 1 << 20]).len() < 2 * BURST as usize);
    }

    #[test]
    fn it_speaks_again_later() {
        let now = Instant::now();
        let mut breath = Breath { left: 0.0, at: now, is_out: false };
        assert!(matches!(breath.takes(10, now), Taken::Last));
        assert!(matches!(breath.takes(10, now + Duration::from_secs(1)), Taken::Silent));
        assert!(matches!(breath.takes(10, now + Duration::from_secs(20)), Taken::Said));
    }
}
