//! AUTH, RFC 4954: only where mail is handed in, only under TLS, once.

use super::{Ask, Found, Mode, Session, Stage, out_of_order};
use crate::event::Event;
use crate::reply::Reply;
use crate::sign_in::{self, Credentials, Mechanism, Wanted};
use memchr::memchr3;
use zeroize::Zeroizing;

/// RFC 4954 §4: one line of an exchange, its CRLF included.
pub(super) const LINE_BYTES: usize = 12_288;

impl Session {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&Zeroizing<Vec<u8>>>) -> Found {
        let refusal = match self.stage {
            _ if !self.takes_submissions => Reply::new(502, (5, 1), "nobody signs in at this port"),
            // RFC 4954 §6: nothing secret in clear.
            _ if !self.is_tls => Reply::new(538, (7, 11), "say STARTTLS first"),
            _ if self.is_signed_in => out_of_order("you are signed in"),
            Stage::Stranger => out_of_order("say EHLO first"),
            Stage::Greeted if self.extended => return self.begin(mechanism, initial),
            Stage::Greeted => out_of_order("say EHLO first"),
            _ => out_of_order("not within a message"),
        };
        self.error(refusal)
    }

    fn begin(&mut self, mechanism: &str, initial: Option<&Zeroizing<Vec<u8>>>) -> Found {
        let Some(mechanism) = Mechanism::named(mechanism) else {
            return self.error(Reply::new(504, (5, 4), "PLAIN and LOGIN are offered"));
        };
        let (wanted, question) = match mechanism {
            Mechanism::Plain => (Wanted::Plain, ""),
            Mechanism::Login => (Wanted::LoginName, "VXNlcm5hbWU6"),
        };
        match initial {
            // RFC 4954 §4: a lone `=` is an empty response.
            Some(text) if text.as_slice() == b"=" => self.response(wanted, b""),
            Some(text) => self.response(wanted, text),
            None => self.challenge(wanted, question),
        }
    }

    fn challenge(&mut self, wanted: Wanted, question: &'static str) -> Found {
        self.mode = Mode::SignIn(wanted);
        self.say(Reply::plain(334, question))
    }

    /// One line of the exchange, if it is here in full.
    pub(super) fn sign_in_line(&mut self) -> Found {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let found = memchr3(b'\r', b'\n', 0, rest);
        let end = match found.map(|end| (end, rest.get(end..end + 2).unwrap_or_default())) {
            None if rest.len() > LINE_BYTES => {
                self.mode = Mode::SkipLine(0);
                return Found::Nothing;
            }
            None => return Found::Dry,
            Some((end, b"\r\n")) => end,
            Some((end, _)) => return self.odd_line(end),
        };
        let (start, behind) = (self.at, self.at + end);
        self.at = behind + 2;
        let Mode::SignIn(wanted) = std::mem::replace(&mut self.mode, Mode::Lines) else {
            return Found::Nothing;
        };
        if end + 2 > LINE_BYTES {
            return self.error(Reply::new(500, (5, 6), "this line is too long"));
        }
        let line = self.input.get(start..behind).unwrap_or_default();
        let line = Zeroizing::new(line.to_vec());
        sign_in::wipe(self.input.get_mut(start..behind));
        if line.as_slice() == b"*" {
            return self.error(Reply::new(501, (7, 0), "given up"));
        }
        self.response(wanted, &line)
    }

    fn response(&mut self, wanted: Wanted, text: &[u8]) -> Found {
        let Some(meant) = sign_in::decode(text) else {
            return self.error(Reply::new(501, (5, 2), "this is not base64"));
        };
        match wanted {
            Wanted::Plain => match sign_in::plain(&meant) {
                Some(credentials) => self.ask_to_sign_in(credentials),
                None => self.error(Reply::new(535, (7, 8), "this response names nobody")),
            },
            Wanted::LoginName => {
                let name = meant.to_vec();
                self.challenge(Wanted::LoginSecret { name }, "UGFzc3dvcmQ6")
            }
            Wanted::LoginSecret { name } => {
                self.ask_to_sign_in(Credentials { name, secret: meant })
            }
        }
    }

    fn ask_to_sign_in(&mut self, credentials: Credentials) -> Found {
        self.ask = Ask::SignIn;
        Found::Event(Event::SignIn(credentials))
    }
}
