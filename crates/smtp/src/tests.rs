//! Cases: what a client sends, and everything that comes of it.

mod addresses;
mod conversation;
mod odd_input;
mod signing;
mod smuggling;
mod splits;

use crate::{Event, Limits, Recipient, Reply, Session};

pub(crate) const HELLO: &str = "EHLO c.example\r\n";
pub(crate) const ENVELOPE: &str =
    "EHLO c.example\r\nMAIL FROM:<a@sender.example>\r\nRCPT TO:<b@example.jp>\r\nDATA\r\n";

/// A session and what it said, as one text: replies as they go out, events in brackets.
pub(crate) struct Client {
    pub session: Session,
    pub said: String,
    text: Vec<u8>,
    pub closed: bool,
    /// The last octets were written where they are read.
    wrote: bool,
}

impl Client {
    pub fn new(limits: Limits, is_tls: bool) -> Self {
        let session = Session::new(limits, "mx.example.jp", is_tls, true);
        Self { session, said: String::new(), text: Vec::new(), closed: false, wrote: false }
    }

    pub fn submission(limits: Limits, is_tls: bool) -> Self {
        let session = Session::submission(limits, "mx.example.jp", is_tls);
        Self { session, said: String::new(), text: Vec::new(), closed: false, wrote: false }
    }

    /// By turns: neither way may differ from the other.
    fn feed(&mut self, bytes: &[u8]) {
        self.wrote = !self.wrote;
        if !self.wrote {
            return self.session.feed(bytes);
        }
        let fill = |room: &mut [u8]| {
            // More room than octets, and rubbish behind them.
            room.fill(b'#');
            room[..bytes.len()].copy_from_slice(bytes);
            Ok::<_, ()>(bytes.len())
        };
        assert_eq!(self.session.feed_by(bytes.len() + 9, fill), Ok(bytes.len()));
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.feed(bytes);
        loop {
            let note = match self.session.next_event() {
                Event::Read => break,
                Event::Close(why) => {
                    self.write_down();
                    self.note(&format!("closed {why:?}"));
                    self.closed = true;
                    return;
                }
                Event::Octets(octets) => {
                    self.text.extend_from_slice(octets);
                    continue;
                }
                Event::Hello(hello) => format!("hello {}", hello.name),
                Event::Mail(mail) => {
                    let from = mail.from.map_or("<>".to_owned(), |from| from.written());
                    self.answer(format!("mail {from} {:?}", mail.size), Reply::ok())
                }
                Event::Rcpt(rcpt) => match rcpt.to {
                    Recipient::Postmaster => self.answer("rcpt postmaster".into(), Reply::ok()),
                    Recipient::Mailbox(to) if to.local() == "nobody" => {
                        let no = Reply::new(550, (1, 1), "nobody of that name");
                        self.answer(format!("rcpt {}", to.written()), no)
                    }
                    Recipient::Mailbox(to) => {
                        self.answer(format!("rcpt {}", to.written()), Reply::ok())
                    }
                },
                Event::Data => self.answer("data".into(), Reply::go_ahead()),
                Event::End => {
                    let text = String::from_utf8_lossy(&self.text).into_owned();
                    self.text.clear();
                    self.answer(format!("end {text:?}"), Reply::new(250, (0, 0), "kept"))
                }
                Event::Forget(why) => {
                    self.text.clear();
                    format!("forget {why:?}")
                }
                Event::SignIn(typed) => {
                    let reply = match typed.secret.as_slice() {
                        b"secret" => Reply::welcome(),
                        b"away" => Reply::new(454, (7, 0), "not now"),
                        _ => Reply::new(535, (7, 8), "wrong"),
                    };
                    let name = String::from_utf8_lossy(&typed.name).into_owned();
                    self.answer(format!("sign in {name}"), reply)
                }
                Event::StartTls => self.answer("starttls".into(), Reply::ready_for_tls()),
            };
            self.write_down();
            if !note.is_empty() {
                self.note(&note);
            }
        }
        self.write_down();
    }

    /// What stands before an event was said before it; the answer comes behind it.
    fn answer(&mut self, note: String, reply: Reply) -> String {
        self.write_down();
        self.note(&note);
        self.session.reply(reply);
        self.write_down();
        String::new()
    }

    pub fn note(&mut self, note: &str) {
        self.said.push_str(&format!("[{note}]\n"));
    }

    fn write_down(&mut self) {
        let output = self.session.take_output();
        self.said.push_str(std::str::from_utf8(&output).unwrap());
    }
}

/// Small limits, so that cases reach them.
pub(crate) fn small() -> Limits {
    Limits {
        message_bytes: 4_096,
        recipients: 3,
        command_bytes: 512,
        text_line_bytes: 1_000,
        commands: 40,
        errors: 5,
    }
}

pub(crate) fn said(input: &[u8]) -> String {
    let mut client = Client::new(small(), false);
    client.send(input);
    client.said
}

/// The transcript of `input` after the given beginning, must hold `expected` in this order.
pub(crate) fn check(input: &str, expected: &[&str]) {
    let all = said(input.as_bytes());
    let mut rest = all.as_str();
    for part in expected {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => panic!("no {part:?} after {input:?} in\n{all}"),
        }
    }
}

pub(crate) fn check_absent(input: &str, absent: &str) {
    let all = said(input.as_bytes());
    assert!(!all.contains(absent), "{absent:?} after {input:?} in\n{all}");
}
