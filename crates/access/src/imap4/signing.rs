//! Before sign-in: who is there? Only app passwords are heard; the account password is not ours.

use super::{Awaited, CAPABILITIES, GREETING, Imap, Next};
use crate::fault::Trouble;
use crate::person::{Entry, Person};
use imap::{Code, Condition, Secret};
use std::time::Duration;
use wire::identity::Protocol;

/// Refused sign-ins on one connection.
const REFUSALS: u32 = 3;
/// A wrong secret costs its sender time, and nobody else.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

impl Imap<'_> {
    pub(super) fn capability(&mut self, tag: &str) -> Result<(), Trouble> {
        let names = if self.person.is_some() { CAPABILITIES } else { GREETING };
        self.writer().capability(names);
        self.done(tag, None, "done")
    }

    pub(super) fn id(&mut self, tag: &str) -> Result<(), Trouble> {
        self.writer().id(&[("name", "Sekisho")]); // no version for strangers
        self.done(tag, None, "done")
    }

    pub(super) fn logout(&mut self, tag: &str) -> Next {
        let next = self.bye("goodbye");
        self.writer().tagged(tag, Condition::Ok, None, "done");
        next
    }

    pub(super) fn login(
        &mut self,
        tag: &str,
        user: &[u8],
        password: &[u8],
    ) -> Result<Next, Trouble> {
        if self.person.is_some() {
            return Err(Trouble::Misplaced("you are signed in already"));
        }
        match Person::sign_in(self.ends, Protocol::Imap, user, password)? {
            Entry::Welcome(person) => {
                self.person = Some(person);
                let code = Some(Code::Capability(CAPABILITIES));
                self.writer().tagged(tag, Condition::Ok, code, "welcome");
                Ok(Next::Goes)
            }
            Entry::NotAppPassword => {
                let warning = "this line takes app passwords only: make one, and never type your \
                               account password into a mail client";
                self.writer().untagged(Condition::No, Some(Code::Word("ALERT")), warning);
                Ok(self.refused(tag))
            }
            Entry::Refused => Ok(self.refused(tag)),
        }
    }

    fn refused(&mut self, tag: &str) -> Next {
        std::thread::sleep(REFUSAL_PAUSE);
        self.refusals += 1;
        let code = Some(Code::Word("AUTHENTICATIONFAILED"));
        self.writer().tagged(tag, Condition::No, code, "name or app password is wrong");
        if self.refusals >= REFUSALS { self.bye("too many refused sign-ins") } else { Next::Goes }
    }

    pub(super) fn authenticate(
        &mut self,
        tag: &str,
        mechanism: &str,
        initial: Option<Secret>,
    ) -> Result<Next, Trouble> {
        if self.person.is_some() {
            return Err(Trouble::Misplaced("you are signed in already"));
        }
        if mechanism != "PLAIN" {
            return Err(Trouble::No("", "only PLAIN is offered"));
        }
        match initial {
            Some(initial) => self.sasl_response(tag, &initial.0),
            None => {
                self.writer().go_on("");
                self.reader.expect_line();
                self.awaited = Awaited::Password { tag: tag.to_owned() };
                Ok(Next::Goes)
            }
        }
    }

    pub(super) fn sasl_response(&mut self, tag: &str, line: &[u8]) -> Result<Next, Trouble> {
        if line == b"*" {
            return Err(Trouble::Misplaced("cancelled"));
        }
        match imap::plain(line) {
            Some(plain) => self.login(tag, &plain.user, &plain.password.0),
            None => Err(Trouble::Misplaced("expected a PLAIN response in base64")),
        }
    }

    pub(super) fn enable(&mut self, tag: &str, names: &[String]) -> Result<(), Trouble> {
        let condstore = names.iter().any(|name| name == "CONDSTORE");
        self.speak_condstore(condstore);
        let enabled: &[&str] = if condstore { &["CONDSTORE"] } else { &[] };
        self.writer().enabled(enabled);
        self.done(tag, None, "done")
    }
}
