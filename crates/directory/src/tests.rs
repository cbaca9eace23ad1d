//! The directory with a vault and a ledger that always answer, in this very process.

use crate::changes::Changes;
use crate::friends::Friends;
use crate::statements::Statements;
use crate::tables::Tables;
use rows::RowKey;
use std::path::PathBuf;
use terms::InstanceId;
use wire::Channel;
use wire::approval::Act;
use wire::directory::{
    FromAdmin, FromIdentity, Part, PublicKey, Stated, Statement, ToAdmin, ToIdentity,
};
use wire::ledger::{FromLedger, ToLedger};
use wire::redirection::Redirection;
use wire::vault::{FromDirectory, ToDirectory};

pub const HOST: &str = "mx.house.example";
/// Was somebody's before.
pub const FREED: &str = "freed@kaede.example";

pub struct World {
    pub folder: PathBuf,
    pub tables: Tables,
    pub key: RowKey,
    pub friends: Friends,
    pub statements: Statements,
}

impl World {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("directory-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut friends = Friends::new(InstanceId([1; 6]));
        friends.vault = Some(answering(|question: FromDirectory| match question {
            FromDirectory::HasStood { address, .. } => match address.as_str() {
                FREED => ToDirectory::HasStood,
                _ => ToDirectory::Done,
            },
            FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
            FromDirectory::Sign(statement) => ToDirectory::Signature(vec![statement.len() as u8]),
            FromDirectory::PolicyKey => ToDirectory::Key(vec![9; 32]),
            _ => ToDirectory::Done,
        }));
        friends.journal.join(answering(|_: ToLedger| FromLedger::Taken { first_index: 0 }));
        Self {
            tables: Tables::open(&folder).unwrap(),
            folder,
            key: RowKey::new(&[9; 32]),
            friends,
            statements: Statements::default(),
        }
    }

    /// A change, to which two persons agree where it is one for two.
    pub fn change(&mut self, question: FromAdmin) -> ToAdmin {
        match self.change_alone(question.clone(), None) {
            ToAdmin::ForTwo(part) => self.change_alone(question, Some(part)),
            answer => answer,
        }
    }

    pub fn change_alone(&mut self, question: FromAdmin, agreed: Option<Part>) -> ToAdmin {
        let mut changes = Changes {
            tables: &mut self.tables,
            key: &self.key,
            friends: &mut self.friends,
            statements: &mut self.statements,
            host_name: HOST,
            agreed,
        };
        changes.carry_out(question)
    }

    pub fn changes_now(&mut self) -> Changes<'_> {
        Changes {
            tables: &mut self.tables,
            key: &self.key,
            friends: &mut self.friends,
            statements: &mut self.statements,
            host_name: HOST,
            agreed: None,
        }
    }

    /// An act that two persons agreed to.
    pub fn carry(&mut self, act: wire::approval::Act) -> ToAdmin {
        let mut changes = self.changes_now();
        changes.carry(act)
    }

    /// `Known TENANT-ADDRESS`, `Unknown`, `Foreign` or `Later`.
    pub fn state(&mut self, address: &str) -> String {
        self.state_of(&crate::canonical(address, HOST))
    }

    /// The same as the desk answers: whose address it is decides the spelling.
    pub fn state_of(&mut self, address: &str) -> String {
        let address = self.tables.kept_spelling(&self.key, address, HOST).unwrap();
        let now = compartment::now_ms();
        let (tables, key, friends) = (&self.tables, &self.key, &mut self.friends);
        match self.statements.state(tables, key, friends, &address, HOST, now).unwrap() {
            Stated::Known { statement, .. } => {
                let statement: Statement = postcard::from_bytes(&statement).unwrap();
                format!("Known {}", statement.address)
            }
            Stated::Unknown => "Unknown".to_owned(),
            Stated::Foreign => "Foreign".to_owned(),
            Stated::Later => "Later".to_owned(),
            // Said by the desk alone.
            Stated::Checking | Stated::Unsaid => "Asked".to_owned(),
        }
    }

    pub fn settle(&mut self) {
        self.change(FromAdmin::TenantAdd { name: "Kaede".into() });
        self.change(FromAdmin::DomainAdd {
            domain: "Kaede.example".into(),
            tenant: "Kaede".into(),
        });
        let added = self.change(FromAdmin::UserAdd {
            address: "Aoi@kaede.example".into(),
            tenant: "Kaede".into(),
            role: "user".into(),
            aliases: vec!["info@kaede.example".into()],
        });
        assert!(matches!(added, ToAdmin::User(user) if user.address == "aoi@kaede.example"));
    }
}

/// The same at a whole desk: asked for by `admin`, done on identity's word.
pub fn agreed(desk: &mut crate::Desk, change: Redirection) -> ToAdmin {
    let Part { tenant, user } = match desk.answer_admin(change.clone().question()) {
        ToAdmin::ForTwo(part) => part,
        answer => return answer,
    };
    let act = Act::Redirect { tenant, user, change: Box::new(change) };
    match desk.answer_identity(FromIdentity::Carry(act)) {
        ToIdentity::Carried(answer) => *answer,
        _ => panic!("not carried out"),
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn key(byte: u8) -> PublicKey {
    PublicKey { suite: 1, epoch: 2026, bytes: vec![byte; 65] }
}

/// A peer that gives every question its answer, until the asker is gone.
pub fn answering<Q, A>(answer: impl Fn(Q) -> A + Send + 'static) -> Channel
where
    Q: serde::de::DeserializeOwned,
    A: serde::Serialize,
{
    let (asker, peer) = Channel::pair().unwrap();
    std::thread::spawn(move || {
        while let Ok(frame) = peer.receive(None) {
            peer.send(frame.call, &answer(frame.read().unwrap()), &[]).unwrap();
        }
    });
    asker
}

pub fn is_refused(answer: &ToAdmin, expected: &str) -> bool {
    matches!(answer, ToAdmin::Refused { expected: said, .. } if said.contains(expected))
}

#[test]
fn addresses_are_stated_as_people_write_them() {
    let mut world = World::new("states");
    world.settle();
    let mut check = |address: &str, expected: &str| assert_eq!(world.state(address), expected);
    check("aoi@kaede.example", "Known aoi@kaede.example");
    check("AOI@Kaede.Example", "Known aoi@kaede.example");
    check("aoi+tickets@kaede.example", "Known aoi@kaede.example");
    check("info@kaede.example", "Known info@kaede.example");
    check("postmaster@kaede.example", "Known postmaster@kaede.example");
    check("postmaster", "Known postmaster@mx.house.example");
    check("nobody@kaede.example", "Unknown");
    check("aoi@elsewhere.example", "Foreign");
    check("aoi@mx.house.example", "Foreign");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let mut world = World::new("refusals");
    world.settle();
    let add = |address: &str, tenant: &str, role: &str| FromAdmin::UserAdd {
        address: address.into(),
        tenant: tenant.into(),
        role: role.into(),
        aliases: Vec::new(),
    };
    let mut check = |question: FromAdmin, expected: &str| {
        assert!(is_refused(&world.change(question), expected), "{expected}");
    };
    check(FromAdmin::TenantAdd { name: "Kaede".into() }, "a name that no tenant has");
    check(FromAdmin::TenantAdd { name: "KAEDE".into() }, "a name that no tenant has");
    check(FromAdmin::TenantAdd { name: " ".into() }, "a tenant's name");
    check(FromAdmin::TenantShow { name: "Sakura".into() }, "the name of a tenant");
    let again = FromAdmin::DomainAdd { domain: "kaede.example".into(), tenant: "Kaede".into() };
    check(again, "a domain that no tenant has");
    check(add("b@other.example", "Kaede", "user"), "a domain of this tenant");
    check(add("info@kaede.example", "Kaede", "user"), "an address that nobody has");
    check(add("b+c@kaede.example", "Kaede", "user"), "an address local@domain");
    check(add("b@kaede.example", "Kaede", "king"), "a known role");
    let nobody = FromAdmin::UserDisable { address: "x@kaede.example".into(), disabled: true };
    check(nobody, "the address of a person");
}

#[test]
fn a_disabled_person_receives_nothing() {
    let mut world = World::new("disabled");
    world.settle();
    assert_eq!(world.state("aoi@kaede.example"), "Known aoi@kaede.example");
    let disable =
        |disabled| FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled };
    world.change(disable(true));
    assert_eq!(world.state("aoi@kaede.example"), "Unknown");
    assert_eq!(world.state("info@kaede.example"), "Unknown");
    world.change(disable(false));
    assert_eq!(world.state("info@kaede.example"), "Known info@kaede.example");
}

/// Where a decoy is a tenant's first person, mail for its postmaster would lie where nobody looks.
#[test]
fn a_decoy_answers_for_nobody() {
    let mut world = World::new("decoy-answers");
    world.change(FromAdmin::TenantAdd { name: "Kaede".into() });
    let (domain, tenant) = ("kaede.example".to_owned(), "Kaede".to_owned());
    world.change(FromAdmin::DomainAdd { domain, tenant });
    let add = |world: &mut World, address: &str, role: &str| {
        let (address, tenant, role) = (address.into(), "Kaede".into(), role.into());
        let added = world.change(FromAdmin::UserAdd { address, tenant, role, aliases: Vec::new() });
        assert!(matches!(added, ToAdmin::User(_)));
    };
    add(&mut world, "records@kaede.example", wire::directory::DECOY_ROLE);
    assert_eq!(world.state("postmaster@kaede.example"), "Unknown");
    add(&mut world, "aoi@kaede.example", "user");
    assert_eq!(world.state("postmaster@kaede.example"), "Known postmaster@kaede.example");
    let asked = FromAdmin::UserFind { address: "aoi@kaede.example".into() };
    let tenant = changed_tenant(&world.change(asked));
    let postmaster = "postmaster@kaede.example";
    let found = crate::statements::find(&world.tables, &world.key, postmaster, tenant).unwrap();
    assert_eq!(found.unwrap().1.address, "aoi@kaede.example");
}

/// Whoever is first is postmaster where nobody is: with them it goes and returns, by the command's
/// own word. Left to the next letter, it would look like a redirection.
#[test]
fn a_postmaster_who_goes_or_returns_is_stated_by_the_command() {
    use std::sync::{Arc, Mutex};
    let mut world = World::new("postmaster");
    world.settle();
    let stated = Arc::new(Mutex::new(Vec::new()));
    let seen = stated.clone();
    world.friends.vault = Some(answering(move |question: FromDirectory| match question {
        FromDirectory::HasStood { .. } => ToDirectory::Done,
        FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
        FromDirectory::Sign(bytes) => {
            let said: wire::directory::Statement = postcard::from_bytes(&bytes).unwrap();
            seen.lock().unwrap().push(said.address);
            ToDirectory::Signature(vec![1])
        }
        _ => ToDirectory::Done,
    }));
    for disabled in [true, false] {
        let address = "aoi@kaede.example".to_owned();
        let changed = world.change(FromAdmin::UserDisable { address, disabled });
        assert!(matches!(changed, ToAdmin::User(_)));
        let stated = std::mem::take(&mut *stated.lock().unwrap());
        // With nobody left there is no postmaster to state.
        let is_stated = stated.iter().any(|address| address == "postmaster@kaede.example");
        let others = world.tables.people(&world.key, changed_tenant(&changed)).unwrap();
        let is_anybody = others.iter().any(|(_, person)| !person.disabled);
        assert_eq!(is_stated, is_anybody, "{disabled}: {stated:?}");
    }
}

fn changed_tenant(changed: &ToAdmin) -> terms::TenantId {
    match changed {
        ToAdmin::User(user) => user.tenant_id,
        _ => panic!("nobody was changed"),
    }
}

#[test]
fn without_the_ledger_nothing_changes() {
    let mut world = World::new("unrecorded");
    world.settle();
    world.friends.journal = journal::Journal::new(terms::Kind::Directory, InstanceId([2; 6]));
    let added = world.change(FromAdmin::TenantAdd { name: "Sakura".into() });
    assert!(matches!(added, ToAdmin::Fault(_)));
    let shown = world.change(FromAdmin::TenantShow { name: "Sakura".into() });
    assert!(is_refused(&shown, "the name of a tenant"));
}

#[test]
fn without_the_vault_a_kept_statement_still_counts() {
    let mut world = World::new("vault-away");
    world.settle();
    assert_eq!(world.state("aoi@kaede.example"), "Known aoi@kaede.example");
    // The vault has said in this start that it has everybody's keys.
    world.statements.confirm_keys(&world.tables, &world.key, &mut world.friends).unwrap();
    world.friends.vault = None;
    world.statements.forget_all();
    assert_eq!(world.state("aoi@kaede.example"), "Known aoi@kaede.example");
    // What was said of it when it was added counts, too; what was never said waits.
    assert_eq!(world.state("info@kaede.example"), "Known info@kaede.example");
    assert_eq!(world.state("postmaster@kaede.example"), "Later");
}

#[test]
fn the_disk_says_no_word() {
    let mut world = World::new("disk");
    world.settle();
    world.state("aoi@kaede.example");
    for entry in std::fs::read_dir(&world.folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap().to_ascii_lowercase();
        for word in ["kaede", "aoi", "info@"] {
            let stands = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!stands, "{word} stands on the disk");
        }
    }
}

#[test]
fn who_comes_to_stand_behind_an_address_is_recorded_before_it_is_signed() {
    use std::sync::{Arc, Mutex};
    let mut world = World::new("stands");
    world.settle();
    let changed = Arc::new(Mutex::new(Vec::new()));
    let seen = changed.clone();
    world.friends.vault = Some(answering(move |question: FromDirectory| match question {
        FromDirectory::HasStood { .. } => ToDirectory::Done,
        FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
        FromDirectory::Sign(_) => ToDirectory::NeedsChange { what: "stands/0123".to_owned() },
        FromDirectory::SignChanged { change, .. } => {
            let frame = evidence::Frame::parse(&change.entry).unwrap();
            seen.lock().unwrap().push((frame.entry.body, change.proof.index));
            ToDirectory::Signature(vec![1])
        }
        _ => ToDirectory::Done,
    }));
    // Mail alone never changes who stands behind an address.
    assert_eq!(world.state("aoi@kaede.example"), "Known aoi@kaede.example");
    world.statements.forget_all();
    assert_eq!(world.state("postmaster@kaede.example"), "Later");
    assert!(changed.lock().unwrap().is_empty());
    // A command does, if the ledger proves it.
    world.friends.journal.join(answering(|question: ToLedger| match question {
        ToLedger::Append { entries, prove: true } => {
            let hashes = Vec::new();
            let proof = |index| wire::ledger::Proof { index, hashes: Vec::clone(&hashes) };
            let proofs = (0..entries.len() as u64).map(proof).collect();
            FromLedger::Proved { proofs, checkpoint: b"note".to_vec() }
        }
        _ => FromLedger::Taken { first_index: 0 },
    }));
    let chief = |tenant| FromAdmin::UserAdd {
        address: "chief@kaede.example".into(),
        tenant,
        role: "tenant-admin".into(),
        aliases: Vec::new(),
    };
    // Who may approve is added with identity's leave, not by the command line alone.
    assert!(is_refused(&world.change(chief("Kaede".into())), "a role that identity permits"));
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    let mut changes = world.changes_now();
    let added = changes.carry(wire::approval::Act::AddPerson {
        tenant,
        address: "chief@kaede.example".into(),
        role: "tenant-admin".into(),
        aliases: Vec::new(),
    });
    assert!(matches!(added, ToAdmin::User(_)));
    assert_eq!(world.state("postmaster@kaede.example"), "Known postmaster@kaede.example");
    let changed = changed.lock().unwrap();
    let words = changed.iter().filter(|(body, _)| match body {
        evidence::Body::RuleChange { what, user, .. } => {
            what.as_str() == "stands/0123" && user.is_some()
        }
        _ => false,
    });
    assert_eq!(words.count(), 3);
}

/// After a restore with older keys than data: what the vault signed before is still good, and
/// nobody could ever open what is sealed to it.
#[test]
fn mail_for_whoever_has_no_keys_waits() {
    let mut world = World::new("keyless");
    world.settle();
    assert!(world.state("aoi@kaede.example").starts_with("Known"));
    let aoi = world.tables.person_by_address(&world.key, "aoi@kaede.example").unwrap().unwrap();
    // The next start, with this statement on its disk.
    let restart = |world: &mut World, is_without: bool| {
        world.statements = Statements::default();
        world.friends.vault = Some(answering(move |question: FromDirectory| match question {
            FromDirectory::WhoIsWithout(people) => match is_without {
                true => {
                    let without = people.into_iter().filter(|one| one.1 == aoi).collect();
                    ToDirectory::Without(without)
                }
                false => ToDirectory::Done,
            },
            _ => ToDirectory::Refused("expected a user with keys, found none".to_owned()),
        }));
    };
    restart(&mut world, false);
    assert!(world.state("aoi@kaede.example").starts_with("Known"));
    restart(&mut world, true);
    assert_eq!(world.state("aoi@kaede.example"), "Later");
    assert_eq!(world.state("info@kaede.example"), "Later", "by another name");
    assert_eq!(world.state("nobody@kaede.example"), "Unknown");
    let (tables, key) = (&world.tables, &world.key);
    let mut fresh = Statements::default();
    assert_eq!(fresh.confirm_keys(tables, key, &mut world.friends).unwrap(), Some(1));
    assert_eq!(fresh.confirm_keys(tables, key, &mut world.friends).unwrap(), None, "said once");
    // A vault that does not say so yet confirms nothing.
    world.statements = Statements::default();
    world.friends.vault = None;
    assert_eq!(world.state("aoi@kaede.example"), "Later");
}
