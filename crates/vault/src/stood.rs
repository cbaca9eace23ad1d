//! Who stood behind an address when the vault last signed for it. A directory that was taken over
//! could have the mail of one person sealed to another; from then on it could do so in silence.

use std::collections::HashMap;
use terms::{TenantId, UserId};
use wire::directory::Statement;

/// Addresses remembered, about 150 octets each. Beyond it new ones are not watched.
const ADDRESSES: usize = 500_000;

#[derive(Default)]
pub(crate) struct Stood {
    people: HashMap<String, (TenantId, Vec<UserId>)>,
}

impl Stood {
    /// Remembers a statement; whether others stood behind its address before.
    pub fn has_changed(&mut self, statement: &Statement) -> bool {
        let mut users: Vec<UserId> =
            statement.recipients.iter().map(|recipient| recipient.user).collect();
        users.sort_unstable();
        let now = (statement.tenant, users);
        if let Some(before) = self.people.get_mut(&statement.address) {
            let has_changed = *before != now;
            *before = now;
            return has_changed;
        }
        if self.people.len() < ADDRESSES {
            self.people.insert(statement.address.clone(), now);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Stood;
    use terms::{TenantId, UserId};
    use wire::directory::{PublicKey, Recipient, Statement, TenantSettings};

    fn statement(address: &str, tenant: u8, users: &[u8]) -> Statement {
        let key = || PublicKey { suite: 1, epoch: 0, bytes: Vec::new() };
        let recipient =
            |user: &u8| Recipient { user: UserId([*user; 8]), body: key(), summary: key() };
        Statement {
            address: address.to_owned(),
            tenant: TenantId([tenant; 8]),
            recipients: users.iter().map(recipient).collect(),
            settings: TenantSettings::default(),
            issued_ms: 0,
            valid_until_ms: 1,
        }
    }

    #[test]
    fn mail_that_would_go_to_another_is_noticed() {
        let mut stood = Stood::default();
        let mut check = |address: &str, tenant: u8, users: &[u8], changed: bool| {
            let found = stood.has_changed(&statement(address, tenant, users));
            assert_eq!(found, changed, "{address} {tenant} {users:?}");
        };
        check("aoi@a.example", 1, &[1], false);
        check("ben@b.example", 2, &[2], false);
        check("aoi@a.example", 1, &[1], false);
        check("aoi@a.example", 1, &[1, 2], true);
        check("aoi@a.example", 1, &[2, 1], false);
        check("aoi@a.example", 2, &[2, 1], true);
        check("ben@b.example", 2, &[2], false);
    }
}
