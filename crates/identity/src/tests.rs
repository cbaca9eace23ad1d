//! Identity with peers that always answer, in this very process.

use crate::friends::Friends;
use crate::marks::Marks;
use crate::people::People;
use crate::sessions::{Door, Sessions};
use crate::tables::Tables;
use rows::RowKey;
use std::path::PathBuf;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::control::Report;
use wire::identity::{FromAccess, FromAdmin, Protocol, ToAccess, ToAdmin, Whose};
use wire::ledger::{FromLedger, ToLedger};
use wire::vault::{FromIdentity, ToIdentity};

const TENANT: TenantId = TenantId([1; 8]);
const AOI: UserId = UserId([2; 8]);
const HARU: UserId = UserId([3; 8]);

struct World {
    folder: PathBuf,
    tables: Tables,
    key: RowKey,
    friends: Friends,
    sessions: Sessions,
    marks: Marks,
    next_peer: u64,
}

impl World {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("identity-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut friends = Friends::new(InstanceId([1; 6]));
        friends.vault = Some(answering(|question: FromIdentity| match question {
            FromIdentity::Digest { digest, .. } => ToIdentity::Verifier(stretched(&digest)),
            FromIdentity::Compare { digest, verifier, .. } => {
                ToIdentity::Same(stretched(&digest) == verifier)
            }
            _ => ToIdentity::Done,
        }));
        friends.directory = Some(answering(|question: wire::directory::FromIdentity| {
            let wire::directory::FromIdentity::Person(address) = question;
            wire::directory::ToIdentity::Person(match address.as_str() {
                "aoi@example.jp" => Some((TENANT, AOI)),
                "haru@example.jp" => Some((TENANT, HARU)),
                _ => None,
            })
        }));
        friends.journal.join(answering(|_: ToLedger| FromLedger::Taken { first_index: 0 }));
        let mut world = Self {
            tables: Tables::open(&folder).unwrap(),
            folder,
            key: RowKey::new(&[9; 32]),
            friends,
            sessions: Sessions::default(),
            marks: Marks::default(),
            next_peer: 0,
        };
        for (user, address) in [(AOI, "aoi@example.jp"), (HARU, "haru@example.jp")] {
            let (address, salt, digest) = (address.to_owned(), vec![1; 16], vec![2; 32]);
            world.change(FromAdmin::PersonAdd { tenant: TENANT, user, address, salt, digest });
        }
        world
    }

    fn change(&mut self, question: FromAdmin) -> ToAdmin {
        let mut people = People {
            tables: &self.tables,
            key: &self.key,
            friends: &mut self.friends,
            sessions: &mut self.sessions,
            marks: &mut self.marks,
            single_operator: true,
        };
        people.carry_out(question)
    }

    /// A new app password of `user`, as `admin` makes it.
    fn app_password(&mut self, user: UserId, protocol: Protocol, byte: u8) -> (String, String) {
        let letter = protocol.word().chars().next().unwrap();
        let (text, made) = secret::make(letter, [byte; 10], [byte; 16]);
        let (key, digest) = (made.key.clone(), made.digest.to_vec());
        let device = "test".to_owned();
        let added = self.change(FromAdmin::AppPasswordAdd { user, protocol, device, key, digest });
        assert!(matches!(added, ToAdmin::Done { weakened: Some(_) }));
        (text, made.key)
    }

    fn peer(&mut self) -> u64 {
        self.next_peer += 1;
        self.next_peer
    }

    fn ask(&mut self, peer: u64, question: FromAccess) -> (ToAccess, Option<Report>) {
        let mut door = Door {
            tables: &self.tables,
            key: &self.key,
            friends: &mut self.friends,
            sessions: &mut self.sessions,
            marks: &self.marks,
        };
        door.answer(peer, InstanceId([peer as u8; 6]), question)
    }

    fn sign_in(&mut self, peer: u64, name: &str, secret: &str) -> String {
        let (name, secret, session) = (name.to_owned(), secret.to_owned(), vec![4; 65]);
        let protocol = Protocol::Imap;
        let (answer, bind) = self.ask(peer, FromAccess::SignIn { protocol, name, secret, session });
        match (answer, bind) {
            (ToAccess::Welcome { user, .. }, Some(Report::Bind { user: bound, instance, .. })) => {
                assert_eq!((user, instance), (bound, InstanceId([peer as u8; 6])));
                format!("welcome {user}")
            }
            (ToAccess::Refused, None) => "refused".to_owned(),
            (ToAccess::Refused, Some(Report::Alarm { what })) => {
                assert!(what.starts_with("a decoy was touched"), "{what}");
                "decoy".to_owned()
            }
            (ToAccess::Later, None) => "later".to_owned(),
            _ => "something else".to_owned(),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Stands for the vault's HMAC: what is stored is not what was handed in.
fn stretched(digest: &[u8]) -> Vec<u8> {
    digest.iter().rev().map(|byte| byte ^ 0x5a).collect()
}

/// A peer that gives every question its answer, until the asker is gone.
fn answering<Q, A>(answer: impl Fn(Q) -> A + Send + 'static) -> Channel
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

#[test]
fn only_the_right_person_with_the_right_secret_comes_in() {
    let mut world = World::new("door");
    let (imap, _) = world.app_password(AOI, Protocol::Imap, 7);
    let (pop3, _) = world.app_password(AOI, Protocol::Pop3, 8);
    let (forged, _) = secret::make('i', [7; 10], [99; 16]);
    let (unknown, _) = secret::make('i', [77; 10], [7; 16]);
    let mut check = |name: &str, secret: &str, expected: &str| {
        let peer = world.peer();
        assert_eq!(world.sign_in(peer, name, secret), expected, "{name}");
    };
    check("aoi@example.jp", &imap, &format!("welcome {AOI}"));
    check("haru@example.jp", &imap, "refused");
    check("nobody@example.jp", &imap, "refused");
    check("aoi@example.jp", &pop3, "refused");
    check("aoi@example.jp", &forged, "refused");
    check("aoi@example.jp", &unknown, "refused");
    check("aoi@example.jp", "hunter2hunter2", "refused");
    check("aoi@example.jp", "", "refused");
}

#[test]
fn an_instance_serves_one_person_for_good() {
    let mut world = World::new("for-good");
    let (aoi, _) = world.app_password(AOI, Protocol::Imap, 7);
    let (haru, _) = world.app_password(HARU, Protocol::Imap, 8);
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), format!("welcome {AOI}"));
    assert_eq!(world.sign_in(peer, "haru@example.jp", &haru), "refused");
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "refused");
}

#[test]
fn guessing_ends_soon() {
    let mut world = World::new("guessing");
    let (aoi, _) = world.app_password(AOI, Protocol::Imap, 7);
    let peer = world.peer();
    for _ in 0..5 {
        assert_eq!(world.sign_in(peer, "aoi@example.jp", "wrong"), "refused");
    }
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "refused");
}

#[test]
fn what_is_revoked_or_disabled_opens_nothing() {
    let mut world = World::new("revoked");
    let (aoi, key) = world.app_password(AOI, Protocol::Imap, 7);
    let (haru, _) = world.app_password(HARU, Protocol::Imap, 8);
    world.change(FromAdmin::AppPasswordRevoke { key });
    world.change(FromAdmin::PersonDisable { user: HARU, disabled: true });
    let (one, other) = (world.peer(), world.peer());
    assert_eq!(world.sign_in(one, "aoi@example.jp", &aoi), "refused");
    assert_eq!(world.sign_in(other, "haru@example.jp", &haru), "refused");
}

#[test]
fn a_session_is_renewed_until_it_is_ended() {
    let mut world = World::new("renewed");
    let (aoi, key) = world.app_password(AOI, Protocol::Imap, 7);
    let peer = world.peer();
    world.sign_in(peer, "aoi@example.jp", &aoi);
    let renew = || FromAccess::Renew { session: vec![5; 65] };
    assert!(matches!(world.ask(peer, renew()), (ToAccess::Granted(_), None)));
    world.change(FromAdmin::AppPasswordRevoke { key });
    assert!(matches!(world.ask(peer, renew()), (ToAccess::Refused, None)));
}

#[test]
fn without_evidence_or_vault_people_are_asked_to_wait() {
    let mut world = World::new("waiting");
    let (aoi, _) = world.app_password(AOI, Protocol::Imap, 7);
    world.friends.journal = journal::Journal::new(terms::Kind::Identity, InstanceId([2; 6]));
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "later");
    let mut world = World::new("waiting-vault");
    let (aoi, _) = world.app_password(AOI, Protocol::Imap, 7);
    world.friends.vault = None;
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "later");
}

#[test]
fn a_decoy_lets_nobody_in_and_tells() {
    let mut world = World::new("decoy");
    let (secret, _) = world.app_password(HARU, Protocol::Imap, 1);
    let (mine, _) = world.app_password(AOI, Protocol::Imap, 2);
    world.change(FromAdmin::Decoy { user: HARU });
    let mut case = |name: &str, secret: &str| {
        let peer = world.peer();
        world.sign_in(peer, name, secret)
    };
    assert_eq!(case("haru@example.jp", &secret), "decoy");
    assert_eq!(case("haru@example.jp", "whatever"), "decoy");
    assert_eq!(case("aoi@example.jp", &secret), "decoy");
    assert_eq!(case("aoi@example.jp", "whatever"), "refused");
    assert_eq!(case("aoi@example.jp", &mine), format!("welcome {AOI}"));
}

#[test]
fn a_freeze_holds_through_a_restart_until_it_is_lifted() {
    let mut world = World::new("freeze");
    let (secret, _) = world.app_password(AOI, Protocol::Imap, 1);
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), format!("welcome {AOI}"));
    let all = [Whose::Person(TENANT, AOI), Whose::Tenant(TENANT), Whose::Kind(Kind::Access)];
    for whose in all {
        let done = world.change(FromAdmin::Freeze { whose, frozen: true });
        assert!(matches!(done, ToAdmin::Done { weakened: None }));
        let again = world.change(FromAdmin::Freeze { whose, frozen: true });
        assert!(matches!(again, ToAdmin::Refused { .. }));
        let renew = FromAccess::Renew { session: vec![4; 65] };
        assert!(matches!(world.ask(peer, renew).0, ToAccess::Refused), "its session has ended");
        world.marks = Marks::read(&world.tables, &world.key).unwrap();
        let peer = world.peer();
        assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), "refused");
        let lifted = world.change(FromAdmin::Freeze { whose, frozen: false });
        assert!(matches!(lifted, ToAdmin::Done { weakened: Some(_) }), "one person lifted it");
        let peer = world.peer();
        assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), format!("welcome {AOI}"));
    }
}
