//! The whole vault on threads, with a ledger of our own that can be away, silent or a liar.

mod credentials;
mod keys_in_life;
mod leaving;
mod ledger;
mod onward;

use self::ledger::{AWAY, FALSE_PROOF, Ledger, NO_MIRROR, NO_PROOF, SHUT, SILENT, TRUE};
use super::*;
use crate::budget::{Budget, Weighed};
use crate::keys::Keys;
use crate::rows::month_of_epoch;
use crate::sums::Contents;
use evidence::{Body, Released};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, MessageId, TenantId, UserId};
use wire::control::{Order, Report};
use wire::directory::{Recipient, Statement, TenantSettings};
use wire::vault::*;
use wire::{Channel, Label};

const TENANT: TenantId = TenantId([1; 8]);
const USER: UserId = UserId([2; 8]);
const OTHER: UserId = UserId([3; 8]);
const SESSION: InstanceId = InstanceId([4; 6]);
const LIMIT: Duration = Duration::from_secs(9);

/// A vault on a thread, and its warden's end.
struct Running {
    ledger: Ledger,
    warden: Channel,
    thread: Option<JoinHandle<()>>,
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("vault-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A store's file, and its rows.
fn rows_in(path: &Path) -> (journal::Journal, journal::Records) {
    let (journal, contents) = journal::Journal::open(path).unwrap();
    (journal, contents.into_rows())
}

impl Running {
    fn start(folder: &Path, ledger: &Ledger, start: u8) -> Self {
        Self::start_at(folder, ledger, start, Box::new(compartment::now_ms))
    }

    fn start_at(folder: &Path, ledger: &Ledger, start: u8, clock: vault::Clock) -> Self {
        Self::start_believing(Some(Ledger::trust()), folder, ledger, start, clock)
    }

    fn start_believing(
        trust: Option<tlog::Trust>,
        folder: &Path,
        ledger: &Ledger,
        start: u8,
        clock: vault::Clock,
    ) -> Self {
        let (warden, own) = Channel::pair().unwrap();
        let root = RootKey::from_credential(&[5; 32]).unwrap();
        let mut keys = Keys::open(folder, root, compartment::now_ms()).unwrap();
        let stood = keys.open_stood(folder).unwrap();
        let author = keys.author(InstanceId([start; 6])).unwrap();
        let sighted = crate::sighted::Sighted::new(folder.join(crate::sighted::SIGHTED));
        let folder = folder.to_owned();
        let thread = thread::spawn(move || {
            let mut hub = Hub::new().unwrap();
            let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
            let control = hub.seat(own, label).unwrap();
            let steady = Box::new(compartment::steady_ms);
            let clocks = vault::Clocks { wall: clock, steady };
            let evidence = (author, trust, sighted);
            let vault = Vault::new(hub, control, keys, stood, evidence, (folder, clocks, true));
            vault.unwrap().serve().unwrap();
        });
        let running = Self { ledger: ledger.clone(), warden, thread: Some(thread) };
        let channel = running.join(Kind::Ledger, InstanceId([9; 6]), None);
        ledger.clone().serve(channel);
        running
    }

    fn join(
        &self,
        kind: Kind,
        instance: InstanceId,
        person: Option<(TenantId, UserId)>,
    ) -> Channel {
        let (one, other) = Channel::pair().unwrap();
        let label = Label { instance, kind, person };
        self.warden.send(0, &Order::Join(label), &[other.into()]).unwrap();
        one
    }

    fn stop(mut self) {
        self.warden.send(0, &Order::Stop, &[]).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }

    /// With a tenant, a user, and a session that holds a grant.
    fn settle(&self) -> Desk {
        let mut directory = self.join(Kind::Directory, InstanceId([10; 6]), None);
        let mut identity = self.join(Kind::Identity, InstanceId([11; 6]), None);
        made(&mut directory, FromDirectory::MakeTenant(TENANT));
        made(&mut directory, FromDirectory::MakeUser { tenant: TENANT, user: USER });
        made(&mut directory, FromDirectory::MakeUser { tenant: TENANT, user: OTHER });
        let access = self.join(Kind::Access, SESSION, Some((TENANT, USER)));
        let (public, session) = open::Session::new(seal::Suite::P256).unwrap();
        let first = grant(GrantId([1; 16]), USER, SESSION, public.encode());
        enter(&self.ledger, &mut identity, first);
        Desk { directory, identity, access, session, public: public.encode() }
    }
}

/// The channels of a settled vault.
struct Desk {
    directory: Channel,
    identity: Channel,
    access: Channel,
    session: open::Session,
    public: Vec<u8>,
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: &Q) -> A {
    channel.ask(q, &[], LIMIT).unwrap().0
}

fn made(directory: &mut Channel, question: FromDirectory) {
    assert!(matches!(ask(directory, &question), ToDirectory::Done));
}

/// An entry as a ledger that was restored tells it.
fn told_at(time_ms: u64, body: Body) -> evidence::Entry {
    let (author, start, seq) = (Kind::Vault, InstanceId([1; 6]), 0);
    evidence::Entry { author, start, seq, time_ms, body }
}

const IDENTITY: InstanceId = InstanceId([11; 6]);

fn enter(ledger: &Ledger, identity: &mut Channel, grant: Grant) {
    let recorded = ledger.record(IDENTITY, &grant);
    let answer = ask(identity, &FromIdentity::Grant { grant, recorded });
    assert!(matches!(answer, ToIdentity::Done));
}

fn grant(grant: GrantId, user: UserId, instance: InstanceId, session: Vec<u8>) -> Grant {
    let expires_ms = compartment::now_ms() + 60_000;
    let (tenant, bodies, summaries) = (TENANT, true, true);
    Grant { grant, tenant, user, instance, bodies, summaries, expires_ms, session }
}

/// A message sealed to the user as an edge would, and its wrapped key.
fn sealed(access: &mut Channel, number: u8, class: seal::Class) -> (Item, Vec<u8>) {
    let ToAccess::Keys { body, summary } = ask(access, &FromAccess::Current) else { panic!() };
    let stated = if class == seal::Class::Body { body } else { summary };
    let public = seal::public_key(&stated).unwrap();
    let message = MessageId([number; 16]);
    let place = seal::Place { tenant: TENANT, message, class };
    let (content, key) = seal::seal_content(&place, b"good morning").unwrap();
    let context = seal::WrapContext { tenant: TENANT, user: USER, message, class };
    let wrapped = seal::wrap(&public, &key, &context).unwrap().encode();
    (Item { message, epoch: stated.epoch, wrapped }, content)
}

fn opened(desk: &mut Desk, id: GrantId) -> open::Grant {
    let ToAccess::Opened { enc } = ask(&mut desk.access, &FromAccess::Open(id)) else { panic!() };
    let context = open::GrantContext { grant: id, tenant: TENANT, user: USER };
    desk.session.accept(&context, &enc).unwrap()
}

fn release(channel: &mut Channel, class: Class, items: Vec<Item>) -> ToAccess {
    ask(channel, &FromAccess::Release { grant: GrantId([1; 16]), class, items })
}

fn words(answer: &ToAccess) -> String {
    match answer {
        ToAccess::Released(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| u8::from(key.is_some())).collect();
            format!("released {keys:?}")
        }
        ToAccess::EvidenceAway => "evidence away".to_owned(),
        ToAccess::Refused(refusal) => format!("{refusal:?}"),
        ToAccess::Opened { .. } => "opened".to_owned(),
        ToAccess::Keys { .. } => "keys".to_owned(),
    }
}

#[test]
fn what_was_sealed_is_released_recorded_and_read() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("read"), &ledger, 20);
    let mut desk = running.settle();
    let accepted = opened(&mut desk, GrantId([1; 16]));
    for (wire_class, class) in
        [(Class::Body, seal::Class::Body), (Class::Summary, seal::Class::Summary)]
    {
        let (items, contents): (Vec<_>, Vec<_>) =
            (1..40).map(|number| sealed(&mut desk.access, number, class)).unzip();
        let answer = release(&mut desk.access, wire_class, items.clone());
        let ToAccess::Released(keys) = answer else { panic!("{}", words(&answer)) };
        for ((item, content), released) in items.iter().zip(&contents).zip(keys) {
            let message = item.message;
            let context = seal::WrapContext { tenant: TENANT, user: USER, message, class };
            let key = accepted.unwrap(&released.unwrap(), &context).unwrap();
            let place = open::Place { tenant: TENANT, message, class };
            assert_eq!(open::open_content(&key, &place, content).unwrap(), b"good morning");
        }
    }
    let deeds = ledger.deeds();
    let Body::Release { released: Released::Bodies(messages), .. } = &deeds[deeds.len() - 2] else {
        panic!()
    };
    assert_eq!(messages.len(), 39);
    let Body::Release { released: Released::Summaries(same), .. } = &deeds[deeds.len() - 1] else {
        panic!()
    };
    assert_eq!(same, messages, "each by its name");
    assert_eq!(ledger.releases(), [0, 1]);
    let created = deeds.iter().filter(|deed| matches!(deed, Body::KeyCreate { .. })).count();
    assert_eq!(created, 7);
    running.stop();
}

/// A large overview would outgrow the log: of what is more than a grant names, the months are told,
/// and never less than what was opened.
#[test]
fn of_very_many_summaries_the_months_are_named() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("many"), &ledger, 97);
    let mut desk = running.settle();
    opened(&mut desk, GrantId([1; 16]));
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Summary);
    let empty = |number: u128| Item {
        message: MessageId(number.to_be_bytes()),
        wrapped: Vec::new(),
        ..item.clone()
    };
    let mut asked = |numbers: std::ops::Range<u128>| {
        let items = numbers.map(empty).collect();
        let answer = release(&mut desk.access, Class::Summary, items);
        assert!(matches!(answer, ToAccess::Released(_)), "{}", words(&answer));
        match ledger.deeds().pop() {
            Some(Body::Release { released: Released::Summaries(named), .. }) => named.len(),
            Some(Body::Release { released: Released::Months(months), .. }) => {
                assert_eq!(months, [evidence::month_of(compartment::now_ms())]);
                0
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked(1..601), 600);
    assert_eq!(asked(601..1_002), 0, "one too many");
    assert_eq!(asked(601..1_001), 400);
    assert_eq!(asked(1_001..1_002), 0);
    running.stop();
}

#[test]
fn what_is_not_granted_is_refused() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("refused"), &ledger, 21);
    let mut desk = running.settle();
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
    let one = || vec![item.clone()];
    assert_eq!(words(&release(&mut desk.access, Class::Body, one())), "NoGrant");
    opened(&mut desk, GrantId([1; 16]));
    // Another instance, and another person, with the same grant.
    let mut thief = running.join(Kind::Access, InstanceId([5; 6]), Some((TENANT, USER)));
    assert_eq!(words(&release(&mut thief, Class::Body, one())), "NotYours");
    let mut thief = running.join(Kind::Access, SESSION, Some((TENANT, OTHER)));
    assert_eq!(words(&release(&mut thief, Class::Body, one())), "NotYours");
    let mut nobody = running.join(Kind::Access, SESSION, None);
    assert_eq!(words(&release(&mut nobody, Class::Body, one())), "NotYours");
    // Too long, twice, for another person, or past.
    let mut check = |change: &dyn Fn(&mut Grant), expected: bool| {
        let mut grant = grant(GrantId([2; 16]), USER, SESSION, desk.public.clone());
        change(&mut grant);
        let recorded = ledger.record(IDENTITY, &grant);
        let answer = ask(&mut desk.identity, &FromIdentity::Grant { grant, recorded });
        assert_eq!(matches!(answer, ToIdentity::Done), expected);
    };
    check(&|grant| grant.expires_ms += 15 * 60_000, false);
    check(&|grant| grant.grant = GrantId([1; 16]), false);
    check(&|grant| grant.user = OTHER, false);
    check(&|grant| grant.session = vec![1, 2, 3], false);
    check(&|grant| grant.bodies = false, true);
    check(&|grant| (grant.expires_ms, grant.grant) = (1, GrantId([3; 16])), true);
    opened(&mut desk, GrantId([2; 16]));
    let question = |grant, class| FromAccess::Release { grant, class, items: vec![item.clone()] };
    let answer = ask(&mut desk.access, &question(GrantId([2; 16]), Class::Body));
    assert_eq!(words(&answer), "NotYours");
    let answer = ask(&mut desk.access, &question(GrantId([3; 16]), Class::Body));
    assert_eq!(words(&answer), "Expired");
    // A key of another message, epoch or class, or no key at all, does not open.
    let wrong = vec![
        item.clone(),
        Item { message: MessageId([9; 16]), ..item.clone() },
        Item { epoch: item.epoch + 1, ..item.clone() },
        Item { wrapped: vec![1; 120], ..item.clone() },
        Item { wrapped: Vec::new(), ..item.clone() },
    ];
    let answer = release(&mut desk.access, Class::Body, wrong);
    assert_eq!(words(&answer), "released [1, 0, 0, 0, 0]");
    assert_eq!(words(&release(&mut desk.access, Class::Summary, one())), "released [0]");
    assert_eq!(words(&release(&mut desk.access, Class::Body, Vec::new())), "released []");
    ask::<_, ToIdentity>(&mut desk.identity, &FromIdentity::Revoke(GrantId([1; 16])));
    assert_eq!(words(&release(&mut desk.access, Class::Body, one())), "NoGrant");
    // One question too many for one entry of the ledger.
    let answer = ask(&mut desk.access, &FromAccess::Open(GrantId([2; 16])));
    assert_eq!(words(&answer), "opened");
    let grant = GrantId([2; 16]);
    let many = FromAccess::Release { grant, class: Class::Summary, items: vec![item; 3_001] };
    assert_eq!(words(&ask(&mut desk.access, &many)), "Budget");
    running.stop();
}

#[test]
fn a_grant_that_nobody_recorded_lets_nobody_in() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("unrecorded"), &ledger, 29);
    let mut desk = running.settle();
    let own = grant(GrantId([2; 16]), USER, SESSION, desk.public.clone());
    let mut check = |what: &str, grant: Grant, recorded: Proven, expected: bool| {
        let answer = ask(&mut desk.identity, &FromIdentity::Grant { grant, recorded });
        assert_eq!(matches!(answer, ToIdentity::Done), expected, "{what}");
    };
    // Of the very same grant: one minted later has a later end.
    let other = |change: &dyn Fn(&mut Grant)| {
        let mut other = own.clone();
        change(&mut other);
        ledger.record(IDENTITY, &other)
    };
    let nothing = Proven { entry: Vec::new(), ..ledger.record(IDENTITY, &own) };
    check("nothing", own.clone(), nothing, false);
    check("another grant", own.clone(), other(&|grant| grant.grant.0[0] = 9), false);
    check("another instance", own.clone(), other(&|grant| grant.instance.0[0] = 9), false);
    check("another tenant", own.clone(), other(&|grant| grant.tenant.0[0] = 9), false);
    check("another person", own.clone(), other(&|grant| grant.user = OTHER), false);
    check("a longer life", own.clone(), other(&|grant| grant.expires_ms -= 1), false);
    check("another start", own.clone(), ledger.record(InstanceId([12; 6]), &own), false);
    for mood in [FALSE_PROOF, NO_MIRROR, AWAY] {
        ledger.mood(mood);
        check(&format!("mood {mood}"), own.clone(), ledger.record(IDENTITY, &own), false);
    }
    ledger.mood(TRUE);
    check("recorded", own.clone(), ledger.record(IDENTITY, &own), true);
    running.stop();
}

/// Each mood costs the whole patience, so each has a vault of its own.
#[test]
fn without_evidence_nothing_is_released_and_nothing_is_lost() {
    let moods = [AWAY, FALSE_PROOF, NO_MIRROR, NO_PROOF, SILENT];
    let threads = moods.map(|mood| thread::spawn(move || lose_evidence(mood)));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A ledger that lost entries proves no release; everything else is proved, at once, and the
/// numbers of releases run on.
#[test]
fn a_ledger_that_lost_entries_has_nothing_released_and_all_else_done() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("shut"), &ledger, 40);
    let mut desk = running.settle();
    opened(&mut desk, GrantId([1; 16]));
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
    ledger.mood(SHUT);
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = release(&mut desk.access, Class::Body, vec![item.clone()]);
        assert_eq!(words(&answer), "evidence away");
        assert!(asked.elapsed() < Duration::from_secs(2));
    }
    // One of them stands in the ledger, as more than was released; the others were not signed.
    let until = Instant::now() + Duration::from_secs(5);
    while ledger.releases() != [0] {
        assert!(Instant::now() < until, "{:?}", ledger.releases());
        thread::sleep(Duration::from_millis(20));
    }
    // What needs a proof and opens nothing is done meanwhile.
    let grant = grant(GrantId([2; 16]), USER, SESSION, desk.public.clone());
    let recorded = ledger.record(IDENTITY, &grant);
    let answer = ask(&mut desk.identity, &FromIdentity::Grant { grant, recorded });
    assert!(matches!(answer, ToIdentity::Done));
    ledger.mood(TRUE);
    let back = Instant::now();
    loop {
        let answer = release(&mut desk.access, Class::Body, vec![item.clone()]);
        if words(&answer) == "released [1]" {
            break;
        }
        assert!(back.elapsed() < Duration::from_secs(15), "{}", words(&answer));
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ledger.releases(), [0, 1]);
    running.stop();
}

fn lose_evidence(mood: u8) {
    let ledger = Ledger::new();
    let running = Running::start(&folder(&format!("away-{mood}")), &ledger, 30 + mood);
    let mut desk = running.settle();
    opened(&mut desk, GrantId([1; 16]));
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
    ledger.mood(mood);
    let asked = Instant::now();
    let answer = release(&mut desk.access, Class::Body, vec![item.clone()]);
    assert_eq!(words(&answer), "evidence away", "mood {mood}");
    assert!(asked.elapsed() < Duration::from_secs(8));
    let mut admin = running.join(Kind::Admin, InstanceId([12; 6]), None);
    let mut stands = || match ask(&mut admin, &FromAdmin::Status) {
        ToAdmin::Status { evidence, .. } => evidence,
        _ => panic!("no status came"),
    };
    assert!(!stands(), "mood {mood}: nothing opens, and the operator is told that all is well");
    // Mail still arrives: its keys are not evidence's to withhold.
    sealed(&mut desk.access, 2, seal::Class::Body);
    ledger.mood(TRUE);
    let back = Instant::now();
    // Nobody has to read before it is known that the evidence is back.
    while !stands() {
        assert!(back.elapsed() < Duration::from_secs(6), "mood {mood}");
        thread::sleep(Duration::from_millis(50));
    }
    loop {
        let answer = release(&mut desk.access, Class::Body, vec![item.clone()]);
        if words(&answer) == "released [1]" {
            break;
        }
        assert!(back.elapsed() < Duration::from_secs(8), "{}", words(&answer));
        thread::sleep(Duration::from_millis(50));
    }
    let releases = ledger.releases();
    let gapless: Vec<u64> = (0..releases.len() as u64).collect();
    assert_eq!(releases, gapless);
    let mut alarms = 0;
    while let Ok(frame) = running.warden.receive(Some(Duration::ZERO)) {
        alarms += usize::from(matches!(frame.read(), Ok(Report::Alarm { .. })));
    }
    // A lie is an alarm; silence is the warden's to notice.
    assert_eq!(alarms > 0, [FALSE_PROOF, NO_MIRROR, NO_PROOF].contains(&mood), "mood {mood}");
    running.stop();
}

#[test]
fn a_new_start_goes_on_where_the_last_one_ended() {
    let (ledger, folder) = (Ledger::new(), folder("restart"));
    let running = Running::start(&folder, &ledger, 23);
    let mut desk = running.settle();
    opened(&mut desk, GrantId([1; 16]));
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
    release(&mut desk.access, Class::Body, vec![item.clone()]);
    running.stop();
    // What others released within the hour stands in the ledger and counts.
    let mut author = Author::new(Kind::Vault, InstanceId([99; 6]), &[99; 32]);
    for number in 1..=33 {
        let released = Released::Bodies(vec![MessageId([1; 16]); 3_000]);
        let (instance, grant) = (SESSION, GrantId([1; 16]));
        let (vault_seq, tenant, user) = (number, TENANT, USER);
        let body = Body::Release { vault_seq, instance, grant, tenant, user, released };
        let frame = author.sign(compartment::now_ms(), body).unwrap();
        ledger.append(vec![frame], false);
    }
    let running = Running::start(&folder, &ledger, 24);
    let mut desk = running.settle();
    assert_eq!(words(&release(&mut desk.access, Class::Body, vec![item.clone()])), "NoGrant");
    opened(&mut desk, GrantId([1; 16]));
    assert_eq!(words(&release(&mut desk.access, Class::Body, vec![item.clone()])), "released [1]");
    assert_eq!(ledger.releases().last(), Some(&34));
    let many: Vec<Item> = (0..1_000u32)
        .map(|number| {
            let mut message = [0; 16];
            message[..4].copy_from_slice(&number.to_be_bytes());
            Item { message: MessageId(message), epoch: 1, wrapped: Vec::new() }
        })
        .collect();
    assert_eq!(words(&release(&mut desk.access, Class::Body, many)), "Budget");
    running.stop();
    let wrong = RootKey::from_credential(&[6; 32]).unwrap();
    assert!(Keys::open(&folder, wrong, 1).is_err());
}

#[test]
fn the_vault_signs_only_what_is_true() {
    let running = Running::start(&folder("signs"), &Ledger::new(), 25);
    let mut desk = running.settle();
    let mut current = |user| {
        let question = FromDirectory::Current { tenant: TENANT, user };
        match ask(&mut desk.directory, &question) {
            ToDirectory::Keys { body, summary } => Some(Recipient { user, body, summary }),
            _ => None,
        }
    };
    let (own, other) = (current(USER).unwrap(), current(OTHER).unwrap());
    assert!(current(UserId([77; 8])).is_none());
    let now = compartment::now_ms();
    let statement = Statement {
        onward: Vec::new(),
        transit: None,
        absence: None,
        address: "aoi@example.jp".to_owned(),
        tenant: TENANT,
        recipients: vec![own.clone()],
        settings: TenantSettings::default(),
        issued_ms: now,
        valid_until_ms: now + 3_600_000,
    };
    let root = RootKey::from_credential(&[5; 32]).unwrap();
    let key = unseal::StatementKey::new(&root).unwrap().public();
    let mut check = |statement: &Statement, expected: bool| {
        let bytes = postcard::to_stdvec(statement).unwrap();
        let answer = ask(&mut desk.directory, &FromDirectory::Sign(bytes.clone()));
        let ToDirectory::Signature(signature) = answer else {
            assert!(!expected);
            return;
        };
        assert!(expected);
        let address = &statement.address;
        assert!(seal::verify_statement(&key, &bytes, &signature, now, address).is_ok());
    };
    check(&statement, true);
    check(&Statement { recipients: vec![own.clone(), other.clone()], ..statement.clone() }, false);
    let team = "team@example.jp".to_owned();
    let both = vec![own.clone(), other.clone()];
    check(&Statement { address: team, recipients: both, ..statement.clone() }, true);
    check(&Statement { valid_until_ms: now + 48 * 3_600_000, ..statement.clone() }, false);
    check(&Statement { recipients: Vec::new(), ..statement.clone() }, false);
    check(&Statement { tenant: TenantId([9; 8]), ..statement.clone() }, false);
    let swapped = Recipient { user: OTHER, ..own.clone() };
    check(&Statement { recipients: vec![swapped], ..statement.clone() }, false);
    let mut touched = own.clone();
    touched.body.bytes[5] ^= 1;
    check(&Statement { recipients: vec![touched], ..statement.clone() }, false);
    let crossed = Recipient { body: own.summary.clone(), ..own };
    check(&Statement { recipients: vec![crossed], ..statement }, false);
    assert!(matches!(
        ask(&mut desk.directory, &FromDirectory::Sign(vec![1, 2])),
        ToDirectory::Refused(_)
    ));
    // Whom an address was given to is not forgotten; it is that tenant's.
    let mut has_stood = |address: &str, tenant| {
        let question = FromDirectory::HasStood { tenant, address: address.to_owned() };
        matches!(ask(&mut desk.directory, &question), ToDirectory::HasStood)
    };
    assert!(has_stood("aoi@example.jp", TENANT) && has_stood("team@example.jp", TENANT));
    assert!(!has_stood("nobody@example.jp", TENANT));
    assert!(!has_stood("aoi@example.jp", TenantId([9; 8])));
    let stranger = FromDirectory::MakeUser { tenant: TenantId([8; 8]), user: USER };
    assert!(matches!(ask(&mut desk.directory, &stranger), ToDirectory::Refused(_)));
    running.stop();
}

#[test]
fn keepers_get_their_own_keys_recorded() {
    let ledger = Ledger::new();
    let running = Running::start(&folder("own"), &ledger, 26);
    let mut desk = running.settle();
    let mut signer = running.join(Kind::Signer, InstanceId([12; 6]), None);
    let policy = ask(&mut desk.directory, &FromDirectory::PolicyKey);
    let table = ask(&mut desk.identity, &FromIdentity::TableKey);
    let storage = ask(&mut signer, &FromSigner::StorageKey);
    let (ToDirectory::Key(policy), ToIdentity::Key(table)) = (policy, table) else { panic!() };
    let ToSigner::Key { storage, demo_seed: Some(seed) } = storage else { panic!() };
    let mut all = vec![policy, table, storage, seed];
    assert!(all.iter().all(|key| key.len() == 32));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4);
    let used = |deed: &Body| matches!(deed, Body::CredentialUse { .. });
    assert_eq!(ledger.deeds().iter().filter(|deed| used(deed)).count(), 3);
    let purpose = || "app-password".to_owned();
    let digest = FromIdentity::Digest { purpose: purpose(), digest: vec![1; 32] };
    let ToIdentity::Verifier(verifier) = ask(&mut desk.identity, &digest) else { panic!() };
    let mut check = |digest, expected| {
        let verifier = verifier.clone();
        let question = FromIdentity::Compare { purpose: purpose(), digest, verifier };
        let ToIdentity::Same(same) = ask(&mut desk.identity, &question) else { panic!() };
        assert_eq!(same, expected);
    };
    check(vec![1; 32], true);
    check(vec![2; 32], false);
    running.stop();
}

/// Whose mail it is and TLS are not evidence's to withhold, reading is; what was handed out
/// meanwhile is recorded once it is back.
#[test]
fn arrival_gets_its_keys_without_evidence_and_they_are_recorded_later() {
    for (mood, trust) in
        [(AWAY, Some(Ledger::trust())), (SILENT, Some(Ledger::trust())), (AWAY, None)]
    {
        let ledger = Ledger::new();
        let has_keys = trust.is_some();
        let start = 40 + mood + u8::from(has_keys);
        let folder = folder(&format!("owed-{start}"));
        ledger.mood(mood);
        let clock = Box::new(compartment::now_ms);
        let running = Running::start_believing(trust, &folder, &ledger, start, clock);
        let mut directory = running.join(Kind::Directory, InstanceId([10; 6]), None);
        let mut identity = running.join(Kind::Identity, InstanceId([11; 6]), None);
        let mut signer = running.join(Kind::Signer, InstanceId([12; 6]), None);
        let asked = Instant::now();
        let policy = ask(&mut directory, &FromDirectory::PolicyKey);
        assert!(matches!(policy, ToDirectory::Key(_)), "mood {mood}");
        // The directory asks no longer than three seconds.
        assert!(asked.elapsed() < Duration::from_millis(2_800), "{:?}", asked.elapsed());
        assert!(matches!(ask(&mut signer, &FromSigner::StorageKey), ToSigner::Key { .. }));
        let table = ask(&mut identity, &FromIdentity::TableKey);
        assert!(matches!(table, ToIdentity::EvidenceAway), "mood {mood}");
        let used = || {
            let deeds = ledger.deeds();
            let word = |deed: &Body| match deed {
                Body::CredentialUse { credential, .. } => Some(format!("{credential:?}")),
                _ => None,
            };
            deeds.iter().filter_map(word).collect::<Vec<_>>()
        };
        ledger.mood(TRUE);
        if !has_keys {
            let (signer, mirror) = Ledger::keys();
            let keys = wire::control::Keys {
                ledger: Some(signer.verifier().key_bytes()),
                mirror: Some(mirror.public().key_bytes()),
                ..wire::control::Keys::default()
            };
            running.warden.send(0, &Order::Keys(keys), &[]).unwrap();
        }
        let back = Instant::now();
        let has = |word: &str| used().iter().any(|one| one.contains(word));
        while !has("policy-key") || !has("storage-key") {
            assert!(back.elapsed() < Duration::from_secs(8), "mood {mood}: {:?}", used());
            thread::sleep(Duration::from_millis(50));
        }
        while !matches!(ask(&mut identity, &FromIdentity::TableKey), ToIdentity::Key(_)) {
            assert!(back.elapsed() < Duration::from_secs(12), "mood {mood}");
        }
        running.stop();
    }
}

#[test]
fn who_speaks_out_of_turn_is_cut() {
    let running = Running::start(&folder("cut"), &Ledger::new(), 27);
    for kind in [Kind::Access, Kind::Mailbox, Kind::Edge, Kind::Directory] {
        let channel = running.join(kind, InstanceId([13; 6]), Some((TENANT, USER)));
        channel.send(1, &vec![0xffu8; 40], &[]).unwrap();
        assert!(matches!(
            channel.receive(Some(LIMIT)),
            Err(wire::Fault::Gone | wire::Fault::Unread)
        ));
    }
    running.stop();
}

#[test]
fn budgets_alarm_once_and_stop() {
    let mut budget = Budget::default();
    let mut check = |now, count, expected: &str| {
        let word = match budget.weigh(now, TENANT, USER, count) {
            Weighed::Within => "within",
            Weighed::Alarm(_) => "alarm",
            Weighed::Stop => "stop",
        };
        assert_eq!(word, expected, "at {now}");
    };
    let hour = 3_600_000;
    check(10 * hour, 20_000, "within");
    check(10 * hour + 1, 1, "alarm");
    check(10 * hour + 2, 1, "within");
    check(10 * hour + 3, 80_000, "stop");
    check(10 * hour + 3, 79_998, "within");
    check(10 * hour + 4, 1, "stop");
    // A clock that jumps back opens nothing; an hour later it does.
    check(9 * hour, 1, "stop");
    check(11 * hour + 60_000, 1, "within");
}

#[test]
fn the_journal_is_read_to_its_last_whole_record() {
    let path = folder("journal").join("keys");
    let (mut journal, records) = rows_in(&path);
    assert!(records.is_empty());
    journal.append(&[b"one".to_vec(), b"two".to_vec()]).unwrap();
    journal.append(&[b"three".to_vec()]).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let two = whole.len() - 12 - 5;
    let count = |bytes: &[u8]| Contents::read(bytes).map(|read| (read.records.len(), read.end));
    for cut in two..whole.len() {
        assert_eq!(count(&whole[..cut]).unwrap(), (2, two as u64), "cut to {cut}");
    }
    let mut zeroes = whole[..two].to_vec();
    zeroes.extend([0; 100]);
    assert_eq!(count(&zeroes).unwrap().0, 2);
    let mut torn = whole.clone();
    torn[13] ^= 1;
    assert!(count(&torn).is_err());
    // A broken tail is cut, and what comes then stands.
    std::fs::write(&path, &whole[..whole.len() - 2]).unwrap();
    let (mut journal, records) = rows_in(&path);
    assert_eq!(records.len(), 2);
    journal.append(&[b"four".to_vec()]).unwrap();
    let (_, records) = rows_in(&path);
    let found: Vec<&[u8]> = records.iter().map(|record| record.as_slice()).collect();
    assert_eq!(found, [&b"one"[..], b"two", b"four"]);
}

#[test]
fn no_journal_makes_the_reader_fall() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let path = folder("fuzz").join("keys");
    let (mut journal, _) = rows_in(&path);
    journal.append(&[vec![1; 5], vec![2; 300], Vec::new()]).unwrap();
    let seed = std::fs::read(&path).unwrap();
    for _ in 0..20_000 {
        let mut bytes = seed.clone();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len().max(1);
            match next() % 3 {
                0 => bytes.truncate(at),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x41),
            }
        }
        if let Ok(read) = Contents::read(&bytes) {
            assert!(read.end <= bytes.len() as u64);
        }
    }
}

#[test]
fn months_and_epochs_are_the_same_thing() {
    for (month, epoch) in [(202_601, 24_313), (202_611, 24_323), (202_612, 24_324)] {
        assert_eq!(month_of_epoch(epoch), month);
    }
}

/// `cargo test --release -p vault speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn speed() {
    let mut ledger = Ledger::new();
    ledger.delay = Duration::from_micros(1_500);
    let running = Running::start(&folder("speed"), &ledger, 28);
    let mut desk = running.settle();
    opened(&mut desk, GrantId([1; 16]));
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
    let mut times: Vec<u128> = (0..500)
        .map(|_| {
            let start = Instant::now();
            release(&mut desk.access, Class::Body, vec![item.clone()]);
            start.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    println!("one client: p50 {} µs, p99 {} µs", times[250], times[495]);
    let clients: Vec<_> = (0..64u8)
        .map(|number| {
            let instance = InstanceId([100 + number; 6]);
            let mut channel = running.join(Kind::Access, instance, Some((TENANT, USER)));
            let id = GrantId([100 + number; 16]);
            enter(&ledger, &mut desk.identity, grant(id, USER, instance, desk.public.clone()));
            assert_eq!(words(&ask(&mut channel, &FromAccess::Open(id))), "opened");
            let items = vec![item.clone()];
            thread::spawn(move || {
                let question = FromAccess::Release { grant: id, class: Class::Body, items };
                for _ in 0..100 {
                    assert_eq!(words(&ask(&mut channel, &question)), "released [1]");
                }
            })
        })
        .collect();
    let start = Instant::now();
    clients.into_iter().for_each(|client| client.join().unwrap());
    println!("64 clients: {:.0} releases/s", 6_400.0 / start.elapsed().as_secs_f64());
    let (item, _) = sealed(&mut desk.access, 1, seal::Class::Summary);
    let start = Instant::now();
    let answer = release(&mut desk.access, Class::Summary, vec![item; 100]);
    assert!(words(&answer).starts_with("released"));
    println!("100 summaries: {} ms", start.elapsed().as_millis());
    running.stop();
}
