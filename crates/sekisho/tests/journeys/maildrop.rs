//! RFC 1939 §4: a maildrop is one POP3 session's own for as long as that lives.

use super::house::{Demo, signal, within};
use super::post::{Tls, socket, tls};
use super::reader::Reader;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Error, Write};
use std::time::Duration;

const MINA: &str = "mina@example.jp";
const IN_USE: &str = "-ERR [IN-USE]";

struct Pop(BufReader<Tls>);

impl Pop {
    fn say(&mut self, command: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.line()
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(Error::other("the connection is over")),
            _ => Ok(line),
        }
    }

    /// And what was said to the password.
    fn sign_in(demo: &Demo, address: &str) -> std::io::Result<(Self, String)> {
        let mut pop = Self(BufReader::new(tls(socket(&demo.port("pop3s"))?, &demo.authority())?));
        pop.line()?;
        pop.say(&format!("USER {address}"))?;
        let said = pop.say(&format!("PASS {}", demo.account(address).pop3))?;
        Ok((pop, said))
    }

    fn let_in(demo: &Demo, address: &str) -> Self {
        let (pop, said) = Self::sign_in(demo, address).unwrap();
        assert!(said.starts_with("+OK"), "{said}");
        pop
    }
}

#[test]
fn a_second_session_waits_until_the_first_is_gone() {
    let demo = Demo::fresh("maildrop");
    let is_in_use = || Pop::sign_in(&demo, MINA).unwrap().1.starts_with(IN_USE);
    let mut first = Pop::let_in(&demo, MINA);
    assert!(is_in_use());
    // The refused session takes nothing from the first, nor is anybody else kept out.
    assert!(first.say("STAT").unwrap().starts_with("+OK"));
    assert!(is_in_use());
    Pop::let_in(&demo, "sato@example.jp");
    Reader::inbox(&demo, MINA).must("STATUS INBOX (MESSAGES)");
    // Whoever has heard the goodbye may come again at once.
    for _ in 0..5 {
        assert!(first.say("QUIT").unwrap().starts_with("+OK"));
        first = Pop::let_in(&demo, MINA);
    }
    // A client that goes without a word.
    drop(first);
    let again = || Pop::sign_in(&demo, MINA).ok().filter(|(_, said)| said.starts_with("+OK"));
    let mut held = None;
    within(Duration::from_secs(10), "a client that went left it", || {
        held = again();
        held.is_some()
    });
    assert!(is_in_use());
    // Its process is killed, with all of its kind.
    for process in demo.processes().iter().filter(|process| process.kind == "access") {
        signal(process.pid, Signal::KILL);
    }
    within(Duration::from_secs(30), "a session that was killed left it", || {
        held = again();
        held.is_some()
    });
    // The mailbox restarts and knows of nobody; who was there goes on, and one of them removes.
    signal(demo.pid_of("mailbox"), Signal::KILL);
    let (mut one, _) = held.take().unwrap();
    within(Duration::from_secs(30), "another got in after the restart", || {
        held = again();
        held.is_some()
    });
    let (mut other, _) = held.unwrap();
    assert!(one.say("NOOP").unwrap().starts_with("+OK"));
    assert!(other.say("QUIT").unwrap().starts_with("+OK"));
    assert!(one.say("QUIT").unwrap().starts_with("+OK"));
}
