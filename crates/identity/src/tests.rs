//! Identity with peers that always answer, in this very process.

use crate::friends::Friends;
use crate::marks::Marks;
use crate::people::People;
use crate::sessions::{Door, Sessions};
use crate::tables::Tables;
use evidence::{Body, Frame};
use rows::RowKey;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::approval::{Act, Permission, Proof, Purpose, Request, State, WhoseLog};
use wire::control::Report;
use wire::identity::{FromAccess, FromAdmin, Protocol, ToAccess, ToAdmin, Whose};
use wire::ledger::{FromLedger, LostAt, Proof as Place, ToLedger};
use wire::vault::{FromIdentity, KeyAct, ToIdentity};

const TENANT: TenantId = TenantId([1; 8]);
const AOI: UserId = UserId([2; 8]);
const HARU: UserId = UserId([3; 8]);
const MINA: UserId = UserId([4; 8]);
const SATO: UserId = UserId([5; 8]);
const REI: UserId = UserId([6; 8]);
/// A customer's approvers.
const NAO: UserId = UserId([7; 8]);
const YU: UserId = UserId([8; 8]);
const CUSTOMER: TenantId = TenantId([9; 8]);
/// Their passwords' digests are their ids' octets.
const PEOPLE: &[(UserId, &str, &str)] = &[
    (AOI, "aoi@example.jp", "user"),
    (HARU, "haru@example.jp", "user"),
    (MINA, "mina@example.jp", "approver"),
    (SATO, "sato@example.jp", "tenant-admin"),
    (REI, "rei@example.jp", "operator"),
    (NAO, "nao@customer.example", "approver"),
    (YU, "yu@customer.example", "approver"),
];

fn tenant_of(address: &str) -> TenantId {
    if address.ends_with("@customer.example") { CUSTOMER } else { TENANT }
}

/// What the directory counts.
#[derive(Clone, Copy)]
struct Counts {
    able: u32,
    known: u32,
    left: u32,
}

struct World {
    folder: PathBuf,
    tables: Tables,
    key: RowKey,
    friends: Friends,
    sessions: Sessions,
    marks: Marks,
    next_peer: u64,
    single_operator: bool,
    counts: Arc<Mutex<Counts>>,
    written: Arc<Mutex<Vec<Body>>>,
}

impl World {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("identity-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut friends = Friends::new(InstanceId([1; 6]));
        friends.vault = Some(answering(|question: FromIdentity| match question {
            FromIdentity::Digest { digest, .. } => {
                OfVault::Own(ToIdentity::Verifier(stretched(&digest)))
            }
            FromIdentity::Compare { digest, verifier, .. } => {
                OfVault::Own(ToIdentity::Same(stretched(&digest) == verifier))
            }
            FromIdentity::Act(_) => OfVault::AsAdmin(wire::vault::ToAdmin::EvidenceAway),
            _ => OfVault::Own(ToIdentity::Done),
        }));
        let counts = Arc::new(Mutex::new(Counts { able: 3, known: 3, left: 2 }));
        let counted = Arc::clone(&counts);
        friends.directory = Some(answering(move |question: wire::directory::FromIdentity| {
            use wire::directory::{FromIdentity, Standing, ToIdentity};
            let Counts { able, known, left } = *counted.lock().unwrap();
            let find = |address: &str| PEOPLE.iter().find(|(_, known, _)| *known == address);
            match question {
                FromIdentity::Person(address) => ToIdentity::Person(
                    find(&address).map(|(user, ..)| (tenant_of(&address), *user)),
                ),
                FromIdentity::Who(address) => {
                    ToIdentity::Who(find(&address).map(|(user, _, role)| wire::directory::Who {
                        tenant: tenant_of(&address),
                        user: *user,
                        role: (*role).to_owned(),
                        of_house: tenant_of(&address) == TENANT,
                    }))
                }
                FromIdentity::Able(_) => ToIdentity::Able { able, known },
                FromIdentity::Standing(part) => {
                    let person = PEOPLE.iter().find(|(user, ..)| Some(*user) == part.user);
                    ToIdentity::Standing(Standing {
                        role: person.map(|(_, _, role)| (*role).to_owned()),
                        of_house: part.tenant == TENANT,
                        left_of_house: left,
                        left,
                    })
                }
                FromIdentity::Carry(Act::Disable { tenant, user, disabled }) => {
                    ToIdentity::Carried(Box::new(shut_out(tenant, user, disabled)))
                }
                FromIdentity::Carry(_) => {
                    ToIdentity::Carried(Box::new(wire::directory::ToAdmin::Done))
                }
                FromIdentity::Ending => {
                    ToIdentity::Ending(vec![wire::directory::Part { tenant: TENANT, user: None }])
                }
                FromIdentity::Erased { .. } | FromIdentity::Locked(_) => ToIdentity::Done,
                FromIdentity::IsOlder => ToIdentity::Older(None),
                FromIdentity::Robbed => ToIdentity::Robbed(vec![wire::directory::Part {
                    tenant: TENANT,
                    user: Some(AOI),
                }]),
            }
        }));
        let written: Arc<Mutex<Vec<Body>>> = Arc::default();
        let writing = Arc::clone(&written);
        let write = move |entries: &[Vec<u8>]| {
            let read = entries.iter().map(|octets| Frame::parse(octets).unwrap().entry.body);
            writing.lock().unwrap().extend(read);
        };
        friends.journal.join(answering(move |question: ToLedger| match question {
            ToLedger::Append { entries, prove } => {
                write(&entries);
                let proof = |_| Place { index: 0, hashes: Vec::new() };
                match prove {
                    true => FromLedger::Proved {
                        proofs: entries.iter().map(proof).collect(),
                        checkpoint: Vec::new(),
                    },
                    false => FromLedger::Taken { first_index: 0 },
                }
            }
            ToLedger::Lost => {
                let lost = [32, 33].map(|size| LostAt { size, root: [7; 32] });
                FromLedger::Lost { ledger: lost.to_vec(), mirror: lost.to_vec() }
            }
            _ => FromLedger::Taken { first_index: 0 },
        }));
        let mut world = Self {
            tables: Tables::open(&folder).unwrap(),
            folder,
            key: RowKey::new(&[9; 32]),
            friends,
            sessions: Sessions::default(),
            marks: Marks::default(),
            next_peer: 0,
            single_operator: true,
            counts,
            written,
        };
        for (user, address, _) in PEOPLE {
            let (user, digest) = (*user, vec![user.0[0]; 32]);
            let (address, salt) = ((*address).to_owned(), vec![1; 16]);
            let tenant = tenant_of(&address);
            world.change(FromAdmin::PersonAdd { tenant, user, address, salt, digest });
        }
        world
    }

    fn people(&mut self) -> People<'_> {
        People {
            tables: &mut self.tables,
            key: &self.key,
            friends: &mut self.friends,
            sessions: &mut self.sessions,
            marks: &mut self.marks,
            single_operator: self.single_operator,
            asker: InstanceId([0; 6]),
        }
    }

    fn change(&mut self, question: FromAdmin) -> ToAdmin {
        self.people().carry_out(question)
    }

    /// A new app password of `user`, as `admin` makes it.
    fn app_password(&mut self, user: UserId, protocol: Protocol, byte: u8) -> (String, String) {
        let letter = protocol.word().chars().next().unwrap();
        let (text, made) = secret::make(letter, [byte; 10], [byte; 16]);
        let (key, digest) = (made.key.clone(), made.digest.to_vec());
        let device = "test".to_owned();
        let added = self.change(FromAdmin::AppPasswordAdd {
            user,
            protocol,
            device,
            key,
            digest,
            permission: Permission::default(),
        });
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
        self.sign_in_to(peer, Protocol::Imap, name, secret)
    }

    fn sign_in_to(&mut self, peer: u64, protocol: Protocol, name: &str, secret: &str) -> String {
        let (name, secret, session) = (name.to_owned(), secret.to_owned(), vec![4; 65]);
        let (answer, bind) = self.ask(peer, FromAccess::SignIn { protocol, name, secret, session });
        match (answer, bind) {
            (
                ToAccess::Welcome { user, reads_only: told, .. },
                Some(Report::Bind { user: bound, instance, purpose, .. }),
            ) => {
                assert_eq!((user, instance), (bound, InstanceId([peer as u8; 6])));
                let reads_only = purpose == wire::control::Purpose::ReadOnly;
                assert_eq!(told, reads_only);
                let how = if reads_only { "welcome to read" } else { "welcome" };
                format!("{how} {user}")
            }
            (ToAccess::Refused, None) => "refused".to_owned(),
            (ToAccess::Refused, Some(Report::Alarm { what })) => {
                assert!(what.starts_with("a decoy was touched"), "{what}");
                // Whose name it is stands there, as the sentinel reads it.
                let of = format!("for user {HARU} of tenant {TENANT}");
                assert!(what.ends_with(&of), "{what}");
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

fn shut_out(tenant_id: TenantId, user: UserId, disabled: bool) -> wire::directory::ToAdmin {
    let nothing = String::new;
    wire::directory::ToAdmin::User(wire::directory::User {
        user,
        tenant_id,
        tenant: nothing(),
        address: nothing(),
        role: nothing(),
        aliases: Vec::new(),
        disabled,
        writes_as: Vec::new(),
    })
}

/// The vault answers an act as it answers `admin`.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum OfVault {
    Own(ToIdentity),
    AsAdmin(wire::vault::ToAdmin),
}

/// Stands for the vault's HMAC: what is stored is not what was handed in.
fn stretched(digest: &[u8]) -> Vec<u8> {
    digest.iter().rev().map(|byte| byte ^ 0x5a).collect()
}

/// A peer that gives every question its answer, until the asker is gone.
pub(crate) fn answering<Q, A>(answer: impl Fn(Q) -> A + Send + 'static) -> Channel
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

/// Somebody sent in aoi's name, and aoi said so.
#[test]
fn whoever_was_robbed_sends_no_more_and_reads_on() {
    let mut world = World::new("robbed");
    let (sending, _) = world.app_password(AOI, Protocol::Smtp, 7);
    let (reading, _) = world.app_password(AOI, Protocol::Imap, 8);
    let (other, _) = world.app_password(HARU, Protocol::Smtp, 9);
    let thief = world.peer();
    let is_in = |said: String| said.starts_with("welcome");
    assert!(is_in(world.sign_in_to(thief, Protocol::Smtp, "aoi@example.jp", &sending)));
    world.people().lock_robbed().unwrap();
    assert_eq!(world.sessions.take_shut_out().len(), 1, "who is inside is sent out");
    let (one, two, three) = (world.peer(), world.peer(), world.peer());
    assert_eq!(world.sign_in_to(one, Protocol::Smtp, "aoi@example.jp", &sending), "refused");
    assert!(is_in(world.sign_in(two, "aoi@example.jp", &reading)));
    assert!(is_in(world.sign_in_to(three, Protocol::Smtp, "haru@example.jp", &other)));
    world.people().lock_robbed().unwrap();
    assert!(world.sessions.take_shut_out().is_empty(), "told again, nothing happens again");
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

fn proof(user: UserId) -> Proof {
    let (_, address, _) = PEOPLE.iter().find(|(known, ..)| *known == user).unwrap();
    Proof { address: (*address).to_owned(), digest: vec![user.0[0]; 32] }
}

fn because(by: Option<UserId>) -> Permission {
    let reason = Some("端末を失くした".to_owned());
    Permission { reason, by: by.map(proof), ..Permission::default() }
}

fn under(request: &Request) -> Permission {
    Permission { request: Some(request.request), ..Permission::default() }
}

/// `done`, `weakened`, `pending STATE APPROVALS`, or what was expected instead.
fn told(answer: &ToAdmin) -> String {
    match answer {
        ToAdmin::Done { weakened: Some(_) } => "weakened".to_owned(),
        ToAdmin::Done { weakened: None } => "done".to_owned(),
        ToAdmin::Carried { .. } => "carried".to_owned(),
        ToAdmin::Acted { .. } => "acted".to_owned(),
        ToAdmin::Pending(request) => {
            format!("pending {} {}", request.state.word(), request.approvals.len())
        }
        ToAdmin::PendingShort { others, .. } => format!("pending, {others} others"),
        ToAdmin::Mode { two_persons, .. } => format!("two persons: {two_persons}"),
        ToAdmin::Refused { expected, .. } => expected.clone(),
        ToAdmin::Fault(what) => format!("fault: {what}"),
        _ => "something else".to_owned(),
    }
}

impl World {
    fn two_persons(name: &str) -> Self {
        let mut world = World::new(name);
        assert_eq!(told(&world.change(FromAdmin::TwoPersons)), "two persons: true");
        world
    }

    fn add(&mut self, user: UserId, permission: Permission) -> ToAdmin {
        let (protocol, device) = (Protocol::Imap, "new".to_owned());
        // Another secret each time: the very same one again would be nothing new.
        let number = self.peer();
        let (key, digest) = (format!("key-{number}"), vec![number as u8; 32]);
        self.change(FromAdmin::AppPasswordAdd { user, protocol, device, key, digest, permission })
    }

    fn asked(&mut self, user: UserId, by: Option<UserId>) -> Request {
        match self.add(user, because(by)) {
            ToAdmin::Pending(request) => *request,
            other => panic!("{}", told(&other)),
        }
    }

    fn agree(&mut self, request: &Request, user: UserId) -> String {
        let question = FromAdmin::Agree { request: request.request, proof: proof(user) };
        told(&self.change(question))
    }
}

#[test]
fn two_persons_decide_once_and_on_exactly_this() {
    let mut world = World::two_persons("two");
    let request = world.asked(AOI, Some(MINA));
    let check = |world: &mut World, permission: Permission, expected: &str| {
        assert_eq!(told(&world.add(AOI, permission)), expected);
    };
    check(&mut world, under(&request), "an approved request");
    assert_eq!(world.agree(&request, MINA), "another than the requester");
    assert_eq!(
        world.agree(&request, HARU),
        "an approver or tenant-admin of this tenant, or an operator's approver"
    );
    assert_eq!(world.agree(&request, SATO), "pending open 1");
    assert_eq!(world.agree(&request, SATO), "a person who has not approved yet");
    check(&mut world, under(&request), "an approved request");
    assert_eq!(world.agree(&request, REI), "pending approved 2");
    assert_eq!(told(&world.add(HARU, under(&request))), "the act of this request");
    check(&mut world, under(&request), "done");
    check(&mut world, under(&request), "an approved request");
}

/// With exactly two who may agree, one of them asks in vain, hears it at once, and takes it back.
#[test]
fn whoever_asks_hears_that_too_few_are_left_and_takes_it_back() {
    let mut world = World::two_persons("short");
    world.counts.lock().unwrap().able = 2;
    let short = |answer: ToAdmin| match answer {
        ToAdmin::PendingShort { request, others } => (*request, others),
        other => panic!("{}", told(&other)),
    };
    assert_eq!(told(&world.add(HARU, because(None))), "pending open 0", "nobody asks in person");
    let (request, others) = short(world.add(AOI, because(Some(MINA))));
    assert_eq!(others, 1);
    assert_eq!(short(world.add(AOI, because(Some(MINA)))).1, 1, "said again");
    let deny = |user| FromAdmin::Deny { request: request.request, proof: proof(user) };
    assert_eq!(world.agree(&request, MINA), "another than the requester");
    assert_eq!(told(&world.change(deny(MINA))), "pending denied 0");
    assert_eq!(world.agree(&request, SATO), "an open request");
    // Who has no voice takes back what they asked for, and nothing else.
    let own = world.asked(MINA, Some(HARU));
    let deny =
        |request: &Request, user| FromAdmin::Deny { request: request.request, proof: proof(user) };
    assert_eq!(
        told(&world.change(deny(&own, AOI))),
        "an approver or tenant-admin of this tenant, or an operator's approver"
    );
    assert_eq!(told(&world.change(deny(&own, HARU))), "pending denied 0");
}

#[test]
fn one_persons_no_is_enough() {
    let mut world = World::two_persons("no");
    let request = world.asked(AOI, None);
    let question = FromAdmin::Deny { request: request.request, proof: proof(SATO) };
    assert_eq!(told(&world.change(question)), "pending denied 0");
    assert_eq!(world.agree(&request, REI), "an open request");
    assert_eq!(told(&world.add(AOI, under(&request))), "an approved request");
}

#[test]
fn a_request_runs_out() {
    let mut world = World::two_persons("late");
    let mut request = world.asked(AOI, None);
    world.agree(&request, SATO);
    request.expires_ms = compartment::now_ms() - 1;
    world.tables.keep_request(&world.key, &request).unwrap();
    assert_eq!(world.agree(&request, REI), "an open request");
    let found = world.tables.request(&world.key, request.request).unwrap().unwrap();
    assert_eq!(found.state, State::Expired);
}

#[test]
fn a_touched_request_permits_nothing() {
    let mut world = World::two_persons("touched");
    let request = world.asked(AOI, None);
    world.agree(&request, SATO);
    world.agree(&request, REI);
    let mut row = world.tables.request(&world.key, request.request).unwrap().unwrap();
    row.reason = "another".to_owned();
    world.tables.keep_request(&world.key, &row).unwrap();
    assert_eq!(told(&world.add(AOI, under(&request))), "a request as it was recorded");
}

#[test]
fn what_is_ones_own_needs_nobody_else() {
    let mut world = World::two_persons("own");
    // Whoever made the first password could have said it, and so it is marked.
    let ToAdmin::Done { weakened } = world.add(HARU, because(Some(HARU))) else { panic!() };
    assert_eq!(weakened.as_deref(), Some("first-password"));
    let change = |old: u8, new: u8| FromAdmin::PasswordChange {
        proof: Proof { address: "haru@example.jp".to_owned(), digest: vec![old; 32] },
        salt: vec![1; 16],
        digest: vec![new; 32],
    };
    assert_eq!(told(&world.change(change(3, 10))), "done");
    assert_eq!(told(&world.change(change(3, 11))), "the right password");
    let proof = Proof { address: "haru@example.jp".to_owned(), digest: vec![10; 32] };
    let own = Permission { by: Some(proof), ..because(None) };
    assert_eq!(told(&world.add(HARU, own)), "done");
}

/// Mail may lie there though nobody has come for it yet.
#[test]
fn a_password_made_again_needs_two_though_nobody_ever_came() {
    let mut world = World::two_persons("again");
    for user in [HARU, MINA] {
        let (salt, digest, permission) = (vec![1; 16], vec![9; 32], because(None));
        let reset = FromAdmin::PersonReset { user, salt, digest, permission };
        assert_eq!(told(&world.change(reset)), "pending open 0", "{user}");
    }
}

#[test]
fn a_request_said_again_says_nothing_else() {
    let mut world = World::two_persons("said-again");
    let request = world.asked(AOI, None);
    let words = |by: Option<UserId>, reason: &str, lasts_ms| Permission {
        reason: Some(reason.to_owned()),
        by: by.map(proof),
        lasts_ms,
        ..Permission::default()
    };
    let same = "端末を失くした";
    let refused = "the words of the request that waits";
    assert_eq!(told(&world.add(AOI, Permission::default())), "pending open 0");
    assert_eq!(told(&world.add(AOI, words(None, same, 24 * 3_600_000))), "pending open 0");
    assert_eq!(told(&world.add(AOI, words(Some(MINA), same, 0))), refused);
    assert_eq!(told(&world.add(AOI, words(None, "another", 0))), refused);
    assert_eq!(told(&world.add(AOI, words(None, same, 3_600_000))), refused);
    world.agree(&request, MINA);
    world.agree(&request, REI);
    // Another than who asked may carry it out.
    assert_eq!(told(&world.add(AOI, words(Some(MINA), "another", 0))), refused);
    assert_eq!(told(&world.add(AOI, words(Some(MINA), same, 0))), "done");
}

#[test]
fn a_reason_can_be_seen_as_it_stands() {
    let mut world = World::two_persons("plain");
    let mut check = |reason: &str, expected: &str| {
        let reason = Some(reason.to_owned());
        let answer = world.add(AOI, Permission { reason, ..Permission::default() });
        assert_eq!(told(&answer), expected);
    };
    let plain = "a reason without control characters or marks of writing direction";
    check("ok\u{1b}[1A\u{1b}[2Kwhat  nothing", plain);
    check("two\nlines", plain);
    check("\u{202e}live", plain);
    check(" 端末を失くした ", "pending open 0");
}

const OF_HOUSE: &str = "an operator, or an approver of an operator's tenant: it is for the house";

/// Alone, nobody sees to it that two are never found, nor puts others in their place.
#[test]
fn two_are_always_left() {
    let mut world = World::two_persons("left");
    let alone = FromAdmin::PersonDisable { user: MINA, disabled: true };
    assert_eq!(told(&world.change(alone)), "a role that identity permits");
    let carry = |act: &Act, permission| FromAdmin::Carry { act: act.clone(), permission };
    let disable = |disabled| Act::Disable { tenant: TENANT, user: MINA, disabled };
    let ToAdmin::Pending(request) = world.change(carry(&disable(true), because(None))) else {
        panic!()
    };
    assert_eq!(world.agree(&request, SATO), OF_HOUSE, "its approvers decide for all");
    world.agree(&request, REI);
    world.agree(&request, MINA);
    world.counts.lock().unwrap().left = 1;
    let grace_ms = 1_000;
    let acts = [
        disable(true),
        Act::TerminateUser { tenant: TENANT, user: REI, grace_ms },
        Act::TerminateTenant { tenant: TENANT, grace_ms },
    ];
    let left = "two persons who may approve, also afterwards";
    for act in &acts {
        assert_eq!(told(&world.change(carry(act, because(None)))), left);
    }
    assert_eq!(told(&world.change(carry(&disable(true), under(&request)))), left);
    let gone = Act::TerminateUser { tenant: TENANT, user: AOI, grace_ms };
    assert_eq!(told(&world.change(carry(&gone, because(None)))), "pending open 0", "no voice");
    // Who is shut out is known all the same: nobody takes their place without two.
    *world.counts.lock().unwrap() = Counts { able: 0, known: 2, left: 2 };
    let add = |role: &str| Act::AddPerson {
        tenant: TENANT,
        address: "thief@example.jp".to_owned(),
        role: role.to_owned(),
        aliases: Vec::new(),
    };
    for role in ["approver", "operator"] {
        assert_eq!(told(&world.change(carry(&add(role), because(None)))), "pending, 0 others");
    }
    // The way out: those whom two had chosen are let in again.
    let back = world.change(carry(&disable(false), Permission::default()));
    assert!(matches!(back, ToAdmin::Carried { weakened: None, .. }));
    world.counts.lock().unwrap().able = 2;
    assert_eq!(told(&world.change(carry(&disable(false), because(None)))), "pending open 0");
    // A house that never had two finds its first.
    world.counts.lock().unwrap().known = 1;
    assert_eq!(told(&world.change(carry(&add("approver"), Permission::default()))), "carried");
}

#[test]
fn what_makes_judges_over_the_house_is_the_houses() {
    let mut world = World::two_persons("judges");
    let add = |tenant, role: &str| FromAdmin::Carry {
        act: Act::AddPerson {
            tenant,
            address: "new@customer.example".to_owned(),
            role: role.to_owned(),
            aliases: Vec::new(),
        },
        permission: because(None),
    };
    let mut asked = |tenant, role: &str, who: UserId| {
        let ToAdmin::Pending(request) = world.change(add(tenant, role)) else { panic!() };
        world.agree(&request, who)
    };
    assert_eq!(asked(CUSTOMER, "approver", NAO), "pending open 1");
    assert_eq!(asked(CUSTOMER, "operator", YU), OF_HOUSE);
    assert_eq!(asked(CUSTOMER, "operator", REI), "pending open 1");
    assert_eq!(asked(TENANT, "approver", SATO), OF_HOUSE);
    assert_eq!(asked(TENANT, "tenant-admin", SATO), "pending open 1");
    // Whose password would be shown to whoever carries it out.
    let (salt, digest, permission) = (vec![1; 16], vec![9; 32], because(None));
    let reset = FromAdmin::PersonReset { user: MINA, salt, digest, permission };
    let ToAdmin::Pending(request) = world.change(reset) else { panic!() };
    assert_eq!(world.agree(&request, SATO), OF_HOUSE);
}

#[test]
fn a_voice_goes_with_its_role() {
    let mut world = World::two_persons("voice");
    let request = world.asked(AOI, None);
    world.agree(&request, SATO);
    world.agree(&request, MINA);
    let mut sato = world.tables.person(&world.key, SATO).unwrap().unwrap();
    sato.disabled = true;
    world.tables.keep_person(&world.key, SATO, &sato).unwrap();
    assert_eq!(told(&world.add(AOI, under(&request))), "two who agreed");
    assert_eq!(world.agree(&request, REI), "pending approved 3");
    assert_eq!(told(&world.add(AOI, under(&request))), "done");
}

/// Whoever is shut out and let in again has not agreed to anything.
#[test]
fn a_voice_from_before_its_owner_was_shut_out_does_not_come_back() {
    let mut world = World::two_persons("voice-back");
    let request = world.asked(AOI, None);
    assert_eq!(world.agree(&request, SATO), "pending open 1");
    assert_eq!(world.agree(&request, MINA), "pending approved 2");
    for disabled in [true, false] {
        world.people().disable(SATO, disabled).unwrap();
    }
    assert_eq!(told(&world.add(AOI, under(&request))), "an approved request");
    // They may agree anew, knowing what they know now.
    assert_eq!(world.agree(&request, SATO), "pending approved 2");
    assert_eq!(told(&world.add(AOI, under(&request))), "done");
}

#[test]
fn wrong_passwords_must_wait_even_after_a_restart() {
    let mut world = World::two_persons("wrong");
    let request = world.asked(AOI, None);
    let wrong = Proof { address: "sato@example.jp".to_owned(), digest: vec![0; 32] };
    let question = || FromAdmin::Agree { request: request.request, proof: wrong.clone() };
    for _ in 0..5 {
        assert_eq!(told(&world.change(question())), "the right password");
    }
    assert_eq!(world.agree(&request, SATO), "a person who need not wait");
    world.tables = Tables::open(&world.folder).unwrap();
    assert_eq!(world.agree(&request, SATO), "a person who need not wait");
    assert_eq!(world.agree(&request, REI), "pending open 1");
}

#[test]
fn keys_and_freezes_wait_for_two_persons() {
    let mut world = World::two_persons("keys");
    let whose = Whose::Person(TENANT, AOI);
    assert_eq!(told(&world.change(FromAdmin::Freeze(whose))), "done");
    let acts = [
        (Act::Keys(KeyAct::SealTenant { tenant: TENANT }), "acted"),
        (Act::Keys(KeyAct::Hold { tenant: TENANT, user: Some(AOI), on: false }), "acted"),
        (Act::Thaw(whose), "done"),
        (Act::Rejoin(Kind::Scanner), "done"),
    ];
    for (act, done) in acts {
        let carry = |permission| FromAdmin::Carry { act: act.clone(), permission };
        let ToAdmin::Pending(request) = world.change(carry(because(None))) else { panic!() };
        assert_eq!(told(&world.change(carry(under(&request)))), "an approved request");
        world.agree(&request, MINA);
        world.agree(&request, REI);
        assert_eq!(told(&world.change(carry(under(&request)))), done);
        assert_eq!(told(&world.change(carry(under(&request)))), "an approved request");
    }
    let act = Act::Keys(KeyAct::StartBackupEpoch);
    let carry = FromAdmin::Carry { act, permission: because(None) };
    assert_eq!(told(&world.change(carry)), "an act for two persons");
}

/// One operator may do it at once, and the ledger says that it was one.
#[test]
fn whoever_redirects_a_persons_mail_needs_two() {
    use wire::redirection::Redirection;
    let act = Act::Redirect {
        tenant: TENANT,
        user: Some(AOI),
        change: Box::new(Redirection::Forward {
            address: "aoi@example.jp".to_owned(),
            to: vec!["x@out.example".to_owned()],
            keep: false,
        }),
    };
    let carry = |permission| FromAdmin::Carry { act: act.clone(), permission };
    let mut world = World::new("redirect-alone");
    let ToAdmin::Carried { weakened, .. } = world.change(carry(Permission::default())) else {
        panic!()
    };
    assert_eq!(weakened.as_deref(), Some("single-operator"));
    let mut world = World::two_persons("redirect");
    assert_eq!(told(&world.change(carry(Permission::default()))), "a reason of 1 to 2000 octets");
    let ToAdmin::Pending(request) = world.change(carry(because(None))) else { panic!() };
    assert_eq!(told(&world.change(carry(under(&request)))), "an approved request");
    world.agree(&request, MINA);
    world.agree(&request, REI);
    let done = world.change(carry(under(&request)));
    assert!(matches!(done, ToAdmin::Carried { weakened: None, .. }));
    // Their own mail is theirs to send on.
    let own = Permission { by: Some(proof(AOI)), ..Permission::default() };
    assert!(matches!(world.change(carry(own)), ToAdmin::Carried { .. }));
}

#[test]
fn the_file_alone_leads_not_back_to_one_operator() {
    let mut world = World::two_persons("back");
    world.tables = Tables::open(&world.folder).unwrap();
    assert_eq!(told(&world.change(FromAdmin::Mode)), "two persons: true");
    let back = |permission| FromAdmin::Carry { act: Act::SingleOperator, permission };
    let ToAdmin::Pending(request) = world.change(back(because(None))) else { panic!() };
    world.agree(&request, MINA);
    world.agree(&request, REI);
    world.single_operator = false;
    assert_eq!(told(&world.change(back(under(&request)))), "a start-up file that agrees");
    world.single_operator = true;
    assert_eq!(told(&world.change(back(under(&request)))), "two persons: false");
    assert_eq!(told(&world.add(AOI, Permission::default())), "weakened");
}

/// What a log lost is the house's to acknowledge, and exactly what was agreed to.
#[test]
fn a_loss_is_acknowledged_by_two() {
    let act = |size| Act::AcknowledgeLoss { whose: WhoseLog::Both, size, root: [7; 32] };
    let carry = |size, permission| FromAdmin::Carry { act: act(size), permission };
    let mut world = World::new("loss-alone");
    let none = "a loss of which a statement is kept";
    assert_eq!(told(&world.change(carry(99_999_999, Permission::default()))), none);
    assert_eq!(told(&world.change(carry(32, Permission::default()))), "weakened");
    let mut world = World::two_persons("loss");
    assert_eq!(told(&world.change(carry(99_999_999, because(None)))), none, "not even asked for");
    let ToAdmin::Pending(request) = world.change(carry(32, because(None))) else { panic!() };
    assert_eq!((request.act.tenant(), request.act.word()), (None, "ledger.acknowledge-loss"));
    assert_eq!(told(&world.change(carry(32, under(&request)))), "an approved request");
    world.agree(&request, MINA);
    world.agree(&request, REI);
    assert_eq!(
        told(&world.change(carry(33, under(&request)))),
        "the act of this request",
        "another loss"
    );
    assert_eq!(told(&world.change(carry(32, under(&request)))), "done");
    assert_eq!(told(&world.change(carry(32, under(&request)))), "an approved request");
}

#[test]
fn a_pass_opens_for_its_time_and_says_what_it_is() {
    let mut world = World::two_persons("pass");
    let act = |for_ms| Act::Read { tenant: TENANT, user: AOI, purpose: Purpose::Case, for_ms };
    let (text, made) = secret::make('i', [8; 10], [8; 16]);
    let pass = |act, permission| FromAdmin::PassAdd {
        act,
        key: made.key.clone(),
        digest: made.digest.to_vec(),
        permission,
    };
    assert_eq!(told(&world.change(pass(act(0), because(None)))), "at most 72 hours");
    let ToAdmin::Pending(request) = world.change(pass(act(3_600_000), because(None))) else {
        panic!()
    };
    world.agree(&request, MINA);
    world.agree(&request, SATO);
    assert_eq!(
        told(&world.change(pass(act(7_200_000), under(&request)))),
        "the act of this request"
    );
    assert_eq!(told(&world.change(pass(act(3_600_000), under(&request)))), "done");
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &text), format!("welcome to read {AOI}"));
    assert!(super::sessions::is_pass_live(&format!("{}:", u64::MAX)));
    assert!(!super::sessions::is_pass_live("1:ffff"));
    assert!(!super::sessions::is_pass_live("ffff"));
}

#[test]
fn an_ended_contract_leaves_nothing_here() {
    let mut world = World::two_persons("ended");
    let (secret, _) = world.own_app_password(AOI);
    let request = world.asked(HARU, None);
    let peer = world.peer();
    world.sign_in(peer, "aoi@example.jp", &secret);
    let mut people = People {
        tables: &mut world.tables,
        key: &world.key,
        friends: &mut world.friends,
        sessions: &mut world.sessions,
        marks: &mut world.marks,
        single_operator: true,
        asker: InstanceId([0; 6]),
    };
    people.destroy_ended().unwrap();
    let rest = world.tables.everybody(&world.key).unwrap();
    assert!(rest.iter().all(|(_, tenant)| *tenant == CUSTOMER));
    assert!(world.tables.request(&world.key, request.request).unwrap().is_none());
    let bytes = std::fs::read(world.folder.join("identity.db")).unwrap();
    for user in [AOI, HARU, MINA, SATO, REI] {
        assert!(!bytes.windows(8).any(|window| window == user.0), "{user}");
    }
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), "refused");
}

impl World {
    fn own_app_password(&mut self, user: UserId) -> (String, String) {
        let (text, made) = secret::make('i', [9; 10], [9; 16]);
        let added = self.change(FromAdmin::AppPasswordAdd {
            user,
            protocol: Protocol::Imap,
            device: String::new(),
            key: made.key.clone(),
            digest: made.digest.to_vec(),
            permission: because(Some(user)),
        });
        assert_eq!(told(&added), "weakened", "by the first password");
        (text, made.key)
    }
}

#[test]
fn a_decoy_lets_nobody_in_and_tells() {
    let mut world = World::new("decoy");
    let (secret, _) = world.app_password(HARU, Protocol::Imap, 1);
    let [(mine, my_id), (second, second_id), (third, _)] =
        [2, 3, 4].map(|byte| world.app_password(AOI, Protocol::Imap, byte));
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
    // Whoever touched it comes in no more there, with whatever secret; and what they had of
    // somebody's opens nothing elsewhere either. The person has others.
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "haru@example.jp", "whatever"), "decoy");
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &mine), "refused");
    assert_eq!(world.sign_in(peer, "aoi@example.jp", "whatever"), "refused");
    assert_eq!(world.sessions.take_shut_out().len(), 1, "and whoever had come in by it is out");
    let of = |entry: &Body| match entry {
        Body::SignIn { protocol, ok, user, .. } => Some((protocol.as_str() == "decoy", *ok, *user)),
        _ => None,
    };
    let noted: Vec<_> = world.written.lock().unwrap().iter().filter_map(of).collect();
    let expected = [(true, false, Some(HARU)), (false, false, Some(AOI)), (false, false, None)];
    assert!(noted.ends_with(&expected), "{noted:?}");
    let other = world.peer();
    assert_eq!(world.sign_in(other, "aoi@example.jp", &mine), "refused");
    let other = world.peer();
    assert_eq!(world.sign_in(other, "aoi@example.jp", &second), format!("welcome {AOI}"));
    // Out of a session, too; and not by anybody else's name.
    assert_eq!(world.sign_in(other, "haru@example.jp", "whatever"), "decoy");
    assert_eq!(world.sessions.take_shut_out().len(), 1, "its session is over");
    let other = world.peer();
    assert_eq!(world.sign_in(other, "aoi@example.jp", &second), "refused");
    let other = world.peer();
    assert_eq!(world.sign_in(other, "aoi@example.jp", &third), format!("welcome {AOI}"));
    let revoked = |entry: &Body| match entry {
        Body::RuleChange { what, credential, .. } if what.as_str() == "app-password.revoke" => {
            credential.clone()
        }
        _ => None,
    };
    let revoked: Vec<_> = world.written.lock().unwrap().iter().filter_map(revoked).collect();
    assert_eq!(revoked, [my_id.as_str().into(), second_id.as_str().into()], "and recorded");
    // An export of the whole contract passes it over, and so sets nothing off.
    let act = Act::Read { tenant: TENANT, user: HARU, purpose: Purpose::Export, for_ms: 1000 };
    let (key, digest, permission) = ("k".to_owned(), vec![1; 32], because(Some(AOI)));
    let answer = world.change(FromAdmin::PassAdd { act, key, digest, permission });
    assert!(matches!(answer, ToAdmin::Refused { found, .. } if found == wire::identity::A_DECOY));
}

#[test]
fn a_freeze_holds_through_a_restart_until_it_is_lifted() {
    let mut world = World::new("freeze");
    let (secret, _) = world.app_password(AOI, Protocol::Imap, 1);
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), format!("welcome {AOI}"));
    let all = [Whose::Person(TENANT, AOI), Whose::Tenant(TENANT), Whose::Kind(Kind::Access)];
    for whose in all {
        let done = world.change(FromAdmin::Freeze(whose));
        assert!(matches!(done, ToAdmin::Done { weakened: None }));
        let again = world.change(FromAdmin::Freeze(whose));
        assert!(matches!(again, ToAdmin::Refused { .. }));
        let renew = FromAccess::Renew { session: vec![4; 65] };
        assert!(matches!(world.ask(peer, renew).0, ToAccess::Refused), "its session has ended");
        world.marks = Marks::read(&world.tables, &world.key).unwrap();
        let peer = world.peer();
        assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), "refused");
        let thaw = Act::Thaw(whose);
        let lifted =
            world.change(FromAdmin::Carry { act: thaw, permission: Permission::default() });
        assert!(matches!(lifted, ToAdmin::Done { weakened: Some(_) }));
        let peer = world.peer();
        assert_eq!(world.sign_in(peer, "aoi@example.jp", &secret), format!("welcome {AOI}"));
    }
}

#[test]
fn a_writer_is_bound_to_send_opens_nothing_and_is_shut_out_by_a_freeze() {
    let mut world = World::new("writer");
    let (secret, _) = world.app_password(AOI, Protocol::Smtp, 1);
    let sign_in = |protocol: Protocol| FromAccess::SignIn {
        protocol,
        name: "aoi@example.jp".to_owned(),
        secret: secret.clone(),
        session: Vec::new(),
    };
    let peer = world.peer();
    assert!(matches!(world.ask(peer, sign_in(Protocol::Imap)), (ToAccess::Refused, None)));
    let (welcome, bind) = world.ask(peer, sign_in(Protocol::Smtp));
    assert!(matches!(welcome, ToAccess::Welcome { tenant: TENANT, user: AOI, .. }));
    let Some(Report::Bind { instance, user: AOI, purpose, .. }) = bind else { panic!() };
    assert_eq!(purpose, wire::control::Purpose::Send);
    let renew = FromAccess::Renew { session: vec![4; 65] };
    assert!(matches!(world.ask(peer, renew), (ToAccess::Refused, None)));
    world.change(FromAdmin::Freeze(Whose::Person(TENANT, AOI)));
    assert_eq!(world.sessions.take_shut_out(), [instance]);
    // Without evidence nobody comes in, to write as little as to read.
    world.change(FromAdmin::Carry {
        act: Act::Thaw(Whose::Person(TENANT, AOI)),
        permission: Permission::default(),
    });
    world.friends.journal = journal::Journal::new(Kind::Identity, InstanceId([2; 6]));
    let peer = world.peer();
    assert!(matches!(world.ask(peer, sign_in(Protocol::Smtp)), (ToAccess::Later, None)));
}

/// Whoever took in a secret that is right knows it, whether or not it opened anything: the entry
/// says which it was, so that a scope has it revoked.
#[test]
fn a_right_secret_is_named_also_where_it_opens_nothing() {
    let mut world = World::new("shown");
    let (aoi, id) = world.app_password(AOI, Protocol::Imap, 7);
    let named = |world: &World| {
        let of = |entry: &Body| match entry {
            Body::SignIn { ok, user, credential, .. } => Some((*ok, *user, credential.clone())),
            _ => None,
        };
        world.written.lock().unwrap().iter().filter_map(of).last()
    };
    let shown = Some((false, Some(AOI), Some(id.as_str().into())));
    let peer = world.peer();
    assert_eq!(world.sign_in_to(peer, Protocol::Pop3, "aoi@example.jp", &aoi), "refused");
    assert_eq!(named(&world), shown, "of another protocol");
    assert_eq!(world.sign_in(peer, "haru@example.jp", &aoi), "refused");
    assert_eq!(named(&world), shown, "in another name");
    assert_eq!(world.sign_in(peer, "nobody@example.jp", &aoi), "refused");
    assert_eq!(named(&world), shown, "in nobody's name");
    world.change(FromAdmin::Freeze(Whose::Person(TENANT, AOI)));
    let peer = world.peer();
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "refused");
    assert_eq!(named(&world), shown, "while its person is frozen");
    // What is wrong or good no more tells nothing.
    let (other, _) = secret::make('i', [7; 10], [8; 16]);
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &other), "refused");
    assert_eq!(named(&world), Some((false, None, None)));
    world.change(FromAdmin::AppPasswordRevoke { key: id });
    assert_eq!(world.sign_in(peer, "aoi@example.jp", &aoi), "refused");
    assert_eq!(named(&world), Some((false, None, None)));
}
