//! What takes the directory longer than a look: a gateway's server that is asked for an address;
//! and what a person is asked.

use super::{DIRECTORY_LIMIT, Neighbours};
use crate::Fault;
use std::time::{Duration, Instant};
use terms::{Kind, MessageId};
use wire::directory::{FromDispatch, Stated, ToDispatch};

/// A customer's server answers within its four seconds.
const CHECKING: Duration = Duration::from_secs(5);
/// Between two looks whether it has answered.
const CHECK_PAUSE: Duration = Duration::from_millis(150);

impl Neighbours {
    /// The directory's word; while a gateway's server is asked for it, once more and again.
    pub(super) fn stated(&mut self, address: &str) -> Result<ToDispatch, Fault> {
        let until = Instant::now() + CHECKING;
        loop {
            let question = FromDispatch::Address(address.to_owned());
            let answer = self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT)?;
            let is_checking = matches!(answer, ToDispatch::Stated(Stated::Checking));
            if !is_checking || Instant::now() >= until {
                return Ok(answer);
            }
            std::thread::sleep(CHECK_PAUSE);
        }
    }

    /// What the person answers by who is asked about this held message.
    pub(crate) fn ask_person(&mut self, message: MessageId, until_ms: u64) -> Option<Vec<u8>> {
        let question = FromDispatch::Awaited(message, until_ms);
        match self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT) {
            Ok(ToDispatch::Awaited(token)) => Some(token),
            _ => None,
        }
    }

    /// Where public pages are; empty: there are none.
    pub(crate) fn pages_url(&self) -> &str {
        &self.house.start.pages_url
    }
}
