//! Ids for who is new. A command that failed half way and is given again finds the key that it
//! has made: an id follows from the name, so nothing is left in the vault that nobody knows of.

use crate::Fault;
use crate::changes::Changes;
use compartment::random;
use terms::{TenantId, UserId};

/// Ids tried for one name before one is drawn: each stands for somebody who had it and is gone.
const TRIED: u8 = 16;

impl Changes<'_> {
    pub(crate) fn key_for_tenant(&mut self, name: &str) -> Result<TenantId, Fault> {
        for tenant in self.ids("tenant id", name.as_bytes()).map(TenantId) {
            let is_free = self.tables.tenant(self.key, tenant)?.is_none();
            if is_free && self.friends.make_tenant(tenant)? {
                return Ok(tenant);
            }
        }
        Err(Fault::VaultAway)
    }

    pub(crate) fn key_for_user(
        &mut self,
        tenant: TenantId,
        addresses: &[String],
    ) -> Result<UserId, Fault> {
        let address = addresses.first().map(String::as_str).unwrap_or_default();
        let whose = [&tenant.0[..], address.as_bytes()].concat();
        for user in self.ids("person id", &whose).map(UserId) {
            let is_free = self.tables.person(self.key, user)?.is_none();
            if is_free && self.friends.make_user(tenant, user)? {
                return Ok(user);
            }
        }
        Err(Fault::VaultAway)
    }

    fn ids(&self, of: &str, whose: &[u8]) -> impl Iterator<Item = [u8; 8]> + use<> {
        let derived: Vec<[u8; 8]> = (0..TRIED)
            .filter_map(|number| {
                let token = self.key.token(of, &[whose, &[number]].concat());
                token.first_chunk().copied()
            })
            .collect();
        derived.into_iter().chain(std::iter::once_with(random))
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{World, answering};
    use journal::Journal;
    use std::sync::{Arc, Mutex};
    use terms::{InstanceId, Kind, TenantId};
    use wire::directory::{FromAdmin, ToAdmin};
    use wire::ledger::{FromLedger, ToLedger};
    use wire::vault::{FromDirectory, ToDirectory};

    /// A vault that has destroyed the keys in `gone`, and what it was asked for.
    fn vault(world: &mut World, gone: &Arc<Mutex<Vec<TenantId>>>) -> Arc<Mutex<Vec<TenantId>>> {
        let asked = Arc::<Mutex<Vec<TenantId>>>::default();
        let (seen, gone) = (asked.clone(), gone.clone());
        world.friends.vault = Some(answering(move |question: FromDirectory| match question {
            FromDirectory::MakeTenant(tenant) => {
                seen.lock().unwrap().push(tenant);
                match gone.lock().unwrap().contains(&tenant) {
                    true => ToDirectory::Refused("destroyed".into()),
                    false => ToDirectory::Done,
                }
            }
            _ => ToDirectory::Done,
        }));
        asked
    }

    fn add(world: &mut World) -> ToAdmin {
        world.change(FromAdmin::TenantAdd { name: "Kaede".into() })
    }

    #[test]
    fn a_command_given_again_finds_the_key_that_it_has_made() {
        let mut world = World::new("newcomers");
        let gone = Arc::default();
        let asked = vault(&mut world, &gone);
        world.friends.journal = Journal::new(Kind::Directory, InstanceId([1; 6]));
        assert!(!matches!(add(&mut world), ToAdmin::Tenant(_)), "the ledger is away");
        world.friends.journal.join(answering(|_: ToLedger| FromLedger::Taken { first_index: 0 }));
        assert!(matches!(add(&mut world), ToAdmin::Tenant(_)));
        let first = asked.lock().unwrap().clone();
        assert_eq!(first.len(), 2);
        assert_eq!(first[0], first[1]);
    }

    #[test]
    fn a_name_that_was_ended_begins_with_another_key() {
        let mut world = World::new("newcomers-ended");
        let gone = Arc::new(Mutex::new(Vec::new()));
        let asked = vault(&mut world, &gone);
        assert!(matches!(add(&mut world), ToAdmin::Tenant(_)));
        let first = asked.lock().unwrap()[0];
        gone.lock().unwrap().push(first);
        let mut other = World::new("newcomers-again");
        let asked = vault(&mut other, &gone);
        assert!(matches!(add(&mut other), ToAdmin::Tenant(tenant) if tenant.tenant != first));
        assert_eq!(asked.lock().unwrap()[0], first);
    }
}
