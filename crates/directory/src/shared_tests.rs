//! Addresses of several that some write as: who may, who decides, and how it is lost.

use crate::sending::Sendings;
use crate::tables::seal;
use crate::tests::{World, answering, is_refused, key};
use compartment::now_ms;
use std::sync::{Arc, Mutex};
use terms::{TenantId, UserId};
use wire::approval::Act;
use wire::directory::{FromAdmin, Group, Sending, ToAdmin, ToDispatch};
use wire::vault::{FromDirectory, ToDirectory};

const DESK: &str = "desk@kaede.example";
const AOI: &str = "aoi@kaede.example";
const BEN: &str = "ben@kaede.example";
const CHO: &str = "cho@kaede.example";
const DAI: &str = "dai@ume.example";

/// For whom the vault was asked to sign, and who may write as that address, by its own memory.
#[derive(Clone, Default)]
struct Vault {
    speakers: Arc<Mutex<Vec<UserId>>>,
    signed: Arc<Mutex<Vec<Sending>>>,
}

impl Vault {
    fn answer(&self, question: FromDirectory) -> ToDirectory {
        match question {
            FromDirectory::HasStood { .. } => ToDirectory::Done,
            FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
            FromDirectory::Transit(_) => ToDirectory::Transit(key(3)),
            FromDirectory::Sign(_) | FromDirectory::SignSending(_) => {
                ToDirectory::Signature(vec![2])
            }
            FromDirectory::Speakers { speakers, .. } => {
                *self.speakers.lock().unwrap() = speakers;
                ToDirectory::Done
            }
            FromDirectory::SignSendingAs { sending, speakers } => {
                if speakers != *self.speakers.lock().unwrap() {
                    return ToDirectory::Refused("others may".to_owned());
                }
                let said = postcard::from_bytes(&sending).unwrap();
                self.signed.lock().unwrap().push(said);
                ToDirectory::Signature(vec![3])
            }
            _ => ToDirectory::Done,
        }
    }
}

/// One of the vault's two languages: it speaks of keys as to an operator.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Said {
    Vault(ToDirectory),
    Keys(wire::vault::ToAdmin),
}

fn settled(name: &str) -> (World, Vault) {
    let mut world = World::new(name);
    let vault = Vault::default();
    let asked = vault.clone();
    world.friends.vault = Some(answering(move |question| match question {
        FromDirectory::EndedKeys(_) => Said::Keys(wire::vault::ToAdmin::Keys(Vec::new())),
        question => Said::Vault(asked.answer(question)),
    }));
    world.settle();
    world.change(FromAdmin::TenantAdd { name: "Ume".into() });
    let domain = FromAdmin::DomainAdd { domain: "ume.example".into(), tenant: "Ume".into() };
    world.change(domain);
    for (address, tenant) in [(BEN, "Kaede"), (CHO, "Kaede"), (DAI, "Ume")] {
        let (role, aliases) = ("user".into(), Vec::new());
        let (address, tenant) = (address.into(), tenant.into());
        world.change(FromAdmin::UserAdd { address, tenant, role, aliases });
    }
    members(&mut world, Some("Kaede"), &[AOI, BEN], &[]);
    (world, vault)
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

fn members(world: &mut World, tenant: Option<&str>, with: &[&str], without: &[&str]) -> ToAdmin {
    world.change(FromAdmin::GroupChange {
        address: DESK.into(),
        tenant: tenant.map(str::to_owned),
        with: words(with),
        without: words(without),
    })
}

fn share(with: &[&str], without: &[&str], none: bool) -> FromAdmin {
    FromAdmin::GroupShare { address: DESK.into(), with: words(with), without: words(without), none }
}

fn writers(answer: ToAdmin) -> Vec<String> {
    let ToAdmin::Groups(mut groups) = answer else { panic!("no group") };
    let Group { writers, .. } = groups.pop().unwrap();
    writers
}

fn person(world: &World, address: &str) -> (TenantId, UserId) {
    let user = world.tables.person_by_address(&world.key, address).unwrap().unwrap();
    (world.tables.person(&world.key, user).unwrap().unwrap().0, user)
}

/// Whether the desk's name may be written under, as whom the statement names.
fn may(world: &mut World, address: &str) -> bool {
    let who = person(world, address);
    let from = (&world.tables, &world.key);
    let mut sendings = Sendings::default();
    match sendings.state(from, &mut world.friends, who, DESK, now_ms()).unwrap() {
        ToDispatch::Sending { statement, .. } => {
            let said: Sending = postcard::from_bytes(&statement).unwrap();
            assert_eq!((said.tenant, said.user), who, "each as themselves");
            assert_eq!((said.address.as_str(), said.home.as_str()), (DESK, address));
            true
        }
        ToDispatch::NotTheirs => false,
        _ => panic!("{address}"),
    }
}

fn who_may(world: &mut World) -> Vec<&'static str> {
    [AOI, BEN, CHO, DAI].into_iter().filter(|one| may(world, one)).collect()
}

#[test]
fn named_people_write_as_an_address_of_several() {
    let (mut world, vault) = settled("shared");
    assert!(who_may(&mut world).is_empty(), "to read is not to write");
    assert!(matches!(world.change_alone(share(&[AOI], &[], false), None), ToAdmin::ForTwo(_)));
    assert!(who_may(&mut world).is_empty());
    assert_eq!(writers(world.change(share(&[AOI], &[], false))), [AOI]);
    assert_eq!(who_may(&mut world), [AOI]);
    let signed = vault.signed.lock().unwrap().len();
    assert_eq!(signed, 1, "the vault was asked as of an address of several");
    // Whom its mail does not reach, and who is another tenant's, never.
    assert!(is_refused(&world.change(share(&[CHO], &[], false)), "mail reaches"));
    assert!(is_refused(&world.change(share(&[DAI], &[], false)), "the group's tenant"));
    assert!(is_refused(&world.change(share(&["x@out.example"], &[], false)), "tenant"));
    assert_eq!(writers(world.change(share(&[BEN], &[], false))), [AOI, BEN]);
    assert_eq!(who_may(&mut world), [AOI, BEN]);
    let ToAdmin::Users(users) = world.change(FromAdmin::UserList { tenant: None }) else {
        panic!()
    };
    let writes = users.iter().filter(|one| one.writes_as == [DESK]);
    assert_eq!(writes.map(|one| one.address.as_str()).collect::<Vec<_>>(), [AOI, BEN]);
    // Fewer is no act for two.
    assert_eq!(writers(world.change_alone(share(&[], &[AOI], false), None)), [BEN]);
    assert_eq!(who_may(&mut world), [BEN]);
    assert!(writers(world.change_alone(share(&[], &[], true), None)).is_empty());
    assert!(who_may(&mut world).is_empty());
    let elsewhere = FromAdmin::GroupShare {
        address: AOI.into(),
        with: words(&[BEN]),
        without: Vec::new(),
        none: false,
    };
    assert!(is_refused(&world.change(elsewhere), "a group"), "nobody's own address");
}

#[test]
fn whoever_leaves_writes_as_it_no_more() {
    let (mut world, _) = settled("shared-left");
    world.change(share(&[AOI, BEN], &[], false));
    // Out of the group, and in again: not unasked.
    assert_eq!(writers(members(&mut world, None, &[CHO], &[AOI])), [BEN]);
    assert_eq!(who_may(&mut world), [BEN]);
    assert_eq!(writers(members(&mut world, None, &[AOI], &[])), [BEN]);
    assert_eq!(who_may(&mut world), [BEN]);
    world.change(share(&[AOI, CHO], &[], false));
    let disable = |disabled| FromAdmin::UserDisable { address: BEN.into(), disabled };
    world.change(disable(true));
    assert_eq!(who_may(&mut world), [AOI, CHO]);
    world.change(disable(false));
    assert_eq!(who_may(&mut world), [AOI, BEN, CHO]);
    // At the end of somebody's part of the contract.
    let (tenant, user) = person(&world, CHO);
    let mut changes = world.changes_now();
    let changed = changes.take_out(tenant, user).unwrap();
    assert!(changed.contains(&DESK.to_owned()), "{changed:?}");
    assert_eq!(who_may(&mut world), [AOI, BEN]);
    // One who is being destroyed, before their rows go.
    world.carry(Act::TerminateUser { tenant, user: person(&world, BEN).1, grace_ms: 0 });
    // A group made again is another.
    world.change(FromAdmin::GroupRemove { address: DESK.into() });
    assert!(who_may(&mut world).is_empty());
    members(&mut world, Some("Kaede"), &[AOI, CHO], &[]);
    assert!(who_may(&mut world).is_empty());
}

#[test]
fn a_group_of_an_older_version_has_nobody_who_writes_as_it() {
    let (mut world, _) = settled("shared-old");
    let (tenant, _) = person(&world, AOI);
    let token = world.key.token("members", DESK.as_bytes());
    let sealed = seal(&world.key, "members", &token, &(DESK, words(&[AOI]))).unwrap();
    world.tables.replace_group(&token, tenant, &sealed);
    let (_, group) = world.tables.group(&world.key, DESK).unwrap().unwrap();
    assert_eq!((group.members, group.speakers.len()), (words(&[AOI]), 0));
    assert!(who_may(&mut world).is_empty());
}
