//! What did not fit into whose mailbox lately.
//!
//! SMTP has one answer for all recipients of a message. If one mailbox is full and its sender did
//! not say how large the message is, nobody gets it; when it comes again, whoever it did not fit
//! for is refused by name, and the others have it.

use std::collections::HashMap;
use terms::UserId;

/// Within so long a sender has tried again.
const REMEMBERED_MS: u64 = 2 * 60 * 60 * 1_000;
/// People of whom it is remembered.
const PEOPLE: usize = 10_000;
/// More than our own header fields and seals add to what a sender declares.
const ADDED_BYTES: u64 = 64 * 1024;

#[derive(Default)]
pub(crate) struct Refused {
    /// Octets, and until when they count.
    people: HashMap<UserId, (u64, u64)>,
}

impl Refused {
    pub fn note(&mut self, user: UserId, bytes: u64, now_ms: u64) {
        if self.people.len() >= PEOPLE {
            self.people.retain(|_, (_, until_ms)| *until_ms > now_ms);
        }
        if self.people.len() < PEOPLE {
            self.people.insert(user, (bytes, now_ms + REMEMBERED_MS));
        }
    }

    /// For how many octets there has to be room, if its sender says so many; 0: does not say.
    pub fn likely(&self, user: UserId, said: u64, now_ms: u64) -> u64 {
        let lately = self.people.get(&user).filter(|(_, until_ms)| now_ms < *until_ms);
        let may_be_it = |bytes: u64| said == 0 || said.saturating_add(ADDED_BYTES) >= bytes;
        lately.map(|(bytes, _)| *bytes).filter(|bytes| may_be_it(*bytes)).unwrap_or(0).max(said)
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED_MS, Refused};
    use terms::UserId;

    #[test]
    fn what_may_be_the_same_message_is_asked_for_in_full() {
        let (olga, other) = (UserId([1; 8]), UserId([2; 8]));
        let mut refused = Refused::default();
        refused.note(olga, 3_000_000, 10);
        let check = |user, said, now_ms, expected| {
            assert_eq!(refused.likely(user, said, now_ms), expected, "{said} {now_ms}");
        };
        check(olga, 0, 11, 3_000_000);
        check(olga, 2_990_000, 11, 3_000_000);
        check(olga, 4_000_000, 11, 4_000_000);
        // Another one, by what its sender says.
        check(olga, 20_000, 11, 20_000);
        check(olga, 0, 10 + REMEMBERED_MS, 0);
        check(other, 0, 11, 0);
    }
}
