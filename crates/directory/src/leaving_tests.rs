//! Who may write as whom, what leaves, and who gets what nobody has an address for.

use crate::guesses::Guesses;
use crate::inquiries::Inquiries;
use crate::seen::Memories;
use crate::sending::Sendings;
use crate::tests::{HOST, World, answering, is_refused, key};
use crate::{Desk, Statements};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::approval::Act;
use wire::directory::*;
use wire::post::HopTls;
use wire::vault::{FromDirectory, ToDirectory};
use wire::{Channel, Event, Hub, Label};

/// A vault that signs, and what it was shown; keys are of the day that it is told.
#[derive(Clone, Default)]
struct Vault {
    day: Arc<AtomicU32>,
    signed: Arc<Mutex<Vec<Sending>>>,
    /// Signatures that it refuses first: yesterday's key, since the day has ended.
    stale: Arc<AtomicU32>,
    /// Signatures that it was asked for as a sender whom it does not sign for.
    refused: Arc<AtomicU32>,
    /// Addresses that were somebody's.
    taken: Arc<Mutex<Vec<String>>>,
}

impl Vault {
    fn channel(&self) -> Channel {
        let vault = self.clone();
        answering(move |question: FromDirectory| match question {
            FromDirectory::HasStood { .. } => ToDirectory::Done,
            FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
            FromDirectory::Transit(_) => {
                let epoch = vault.day.load(Ordering::SeqCst);
                ToDirectory::Transit(PublicKey { epoch, ..key(3) })
            }
            FromDirectory::SignSending(bytes) => {
                let is_stale =
                    vault.stale.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                        left.checked_sub(1)
                    });
                let sending: Sending = postcard::from_bytes(&bytes).unwrap();
                if vault.taken.lock().unwrap().contains(&sending.address) {
                    vault.refused.fetch_add(1, Ordering::SeqCst);
                    return ToDirectory::Refused("somebody else stands there".to_owned());
                }
                if is_stale.is_ok() {
                    vault.day.fetch_add(1, Ordering::SeqCst);
                    return ToDirectory::Refused("the transit key is not today's".to_owned());
                }
                vault.signed.lock().unwrap().push(sending);
                ToDirectory::Signature(vec![1])
            }
            FromDirectory::Sign(bytes) => {
                let said: Statement = postcard::from_bytes(&bytes).unwrap();
                match vault.taken.lock().unwrap().contains(&said.address) {
                    true => ToDirectory::NeedsChange { what: "stands/01".to_owned() },
                    false => ToDirectory::Signature(vec![2]),
                }
            }
            _ => ToDirectory::Done,
        })
    }
}

fn settled(name: &str) -> (World, Vault) {
    let mut world = World::new(name);
    let vault = Vault::default();
    world.friends.vault = Some(vault.channel());
    world.settle();
    add(&mut world, "ben@kaede.example");
    (world, vault)
}

fn add(world: &mut World, address: &str) {
    let added = world.change(FromAdmin::UserAdd {
        address: address.into(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: Vec::new(),
    });
    assert!(matches!(added, ToAdmin::User(_)));
}

fn person(world: &mut World, address: &str) -> (TenantId, UserId) {
    let found = world.change(FromAdmin::UserFind { address: address.into() });
    let ToAdmin::User(user) = found else { panic!("{address}") };
    (user.tenant_id, user.user)
}

fn tenant(world: &mut World) -> Tenant {
    let shown = world.change(FromAdmin::TenantShow { name: "Kaede".into() });
    let ToAdmin::Tenant(tenant) = shown else { panic!() };
    tenant
}

/// `Sending ADDRESS`, `NotTheirs` or `Later`.
fn sending(
    world: &mut World,
    sendings: &mut Sendings,
    person: (TenantId, UserId),
    address: &str,
    now: u64,
) -> String {
    let address = crate::canonical(address, HOST);
    let from = (&world.tables, &world.key);
    match sendings.state(from, &mut world.friends, person, &address, now).unwrap() {
        ToDispatch::Sending { statement, .. } => {
            let said: Sending = postcard::from_bytes(&statement).unwrap();
            assert_eq!((said.tenant, said.user), person);
            format!("Sending {} {}", said.address, said.transit.epoch)
        }
        ToDispatch::NotTheirs => "NotTheirs".to_owned(),
        _ => "Later".to_owned(),
    }
}

#[test]
fn a_person_writes_as_themselves_and_as_nobody_else() {
    let (mut world, _) = settled("writes");
    let (aoi, ben) =
        (person(&mut world, "aoi@kaede.example"), person(&mut world, "ben@kaede.example"));
    let all = FromAdmin::CatchAll {
        domain: "kaede.example".into(),
        address: Some("aoi@kaede.example".into()),
    };
    assert!(matches!(world.change(all), ToAdmin::Domain(_)));
    let mut sendings = Sendings::default();
    let mut check = |world: &mut World, person, address: &str, expected: &str| {
        assert_eq!(sending(world, &mut sendings, person, address, 7), expected, "{address}");
    };
    check(&mut world, aoi, "aoi@kaede.example", "Sending aoi@kaede.example 0");
    check(&mut world, aoi, "AOI+x@Kaede.Example", "Sending aoi@kaede.example 0");
    check(&mut world, aoi, "info@kaede.example", "Sending info@kaede.example 0");
    check(&mut world, aoi, "postmaster@kaede.example", "Sending postmaster@kaede.example 0");
    check(&mut world, ben, "ben@kaede.example", "Sending ben@kaede.example 0");
    check(&mut world, ben, "aoi@kaede.example", "NotTheirs");
    check(&mut world, ben, "info@kaede.example", "NotTheirs");
    check(&mut world, ben, "postmaster@kaede.example", "NotTheirs");
    check(&mut world, aoi, "made-up@kaede.example", "NotTheirs");
    check(&mut world, aoi, "*@kaede.example", "NotTheirs");
    check(&mut world, aoi, "aoi@elsewhere.example", "NotTheirs");
    check(&mut world, aoi, "postmaster", "NotTheirs");
    check(&mut world, aoi, "", "NotTheirs");
    check(&mut world, aoi, &format!("{}@kaede.example", "a".repeat(400)), "NotTheirs");
    check(&mut world, (TenantId([9; 8]), aoi.1), "aoi@kaede.example", "NotTheirs");
    let disable =
        |disabled| FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled };
    world.change(disable(true));
    check(&mut world, aoi, "aoi@kaede.example", "NotTheirs");
    world.change(disable(false));
    check(&mut world, aoi, "aoi@kaede.example", "Sending aoi@kaede.example 0");
    // In its grace a contract goes on; once it is destroyed, nobody of it writes any more.
    let end = |world: &mut World, user, state| {
        let ending = Ending {
            part: Part { tenant: aoi.0, user },
            name: String::new(),
            state,
            asked_ms: 1,
            grace_until_ms: 2,
            users: 0,
            messages: 0,
            bytes: 0,
            rows: 0,
            last_open_ms: None,
            destroyed_ms: None,
        };
        let row = crate::endings::EndingRow::new(ending);
        world.tables.keep_ending(&world.key, &row).unwrap();
    };
    end(&mut world, Some(aoi.1), EndingState::Grace);
    check(&mut world, aoi, "aoi@kaede.example", "Sending aoi@kaede.example 0");
    end(&mut world, Some(aoi.1), EndingState::Destroying);
    check(&mut world, aoi, "aoi@kaede.example", "NotTheirs");
    check(&mut world, ben, "ben@kaede.example", "Sending ben@kaede.example 0");
    end(&mut world, None, EndingState::Destroying);
    check(&mut world, ben, "ben@kaede.example", "NotTheirs");
}

#[test]
fn the_vault_s_word_about_a_sender_is_good_for_an_hour() {
    let (mut world, vault) = settled("hour");
    let aoi = person(&mut world, "aoi@kaede.example");
    let mut sendings = Sendings::default();
    let minute = 60_000;
    let start = 1_000 * minute;
    let mut check = |world: &mut World, at: u64, expected: &str, asked: usize| {
        let now = start + at * minute;
        let found = sending(world, &mut sendings, aoi, "aoi@kaede.example", now);
        assert_eq!(found, expected, "after {at} minutes");
        assert_eq!(vault.signed.lock().unwrap().len(), asked, "after {at} minutes");
    };
    vault.day.store(1, Ordering::SeqCst);
    check(&mut world, 0, "Sending aoi@kaede.example 1", 1);
    vault.day.store(2, Ordering::SeqCst);
    check(&mut world, 29, "Sending aoi@kaede.example 1", 1);
    check(&mut world, 30, "Sending aoi@kaede.example 2", 2);
    // The day ended between the key and the signature.
    vault.stale.store(1, Ordering::SeqCst);
    check(&mut world, 60, "Sending aoi@kaede.example 3", 3);
    vault.stale.store(2, Ordering::SeqCst);
    check(&mut world, 91, "Sending aoi@kaede.example 3", 3);
    world.friends.vault = None;
    check(&mut world, 119, "Sending aoi@kaede.example 3", 3);
    check(&mut world, 120, "Later", 3);
    check(&mut world, 30, "Later", 3);
    // What the tenant says counts at once; what was signed before it says it no more.
    check(&mut world, 80, "Sending aoi@kaede.example 3", 3);
    let settings = SendingSettings { in_a_day: 5, ..SendingSettings::default() };
    world.change(FromAdmin::Sending { tenant: "Kaede".into(), settings });
    check(&mut world, 80, "Later", 3);
    world.friends.vault = Some(vault.channel());
    check(&mut world, 80, "Sending aoi@kaede.example 5", 4);
    let signed = vault.signed.lock().unwrap();
    let last = signed.last().unwrap();
    assert_eq!((last.settings.in_a_day, last.domain.as_str()), (5, "kaede.example"));
    assert_eq!(last.valid_until_ms - last.issued_ms, 60 * minute);
}

#[test]
fn what_leaves_is_limited_by_one_and_let_go_by_two() {
    let (mut world, _) = settled("limits");
    let own = || SendingSettings {
        in_a_day: 100,
        delay_ms: 60_000,
        refused_kinds: vec!["exe".into()],
        ..SendingSettings::default()
    };
    let host = |name: &str, tls| Some(SmartHost { name: name.into(), port: 587, tls });
    let set = |settings| FromAdmin::Sending { tenant: "Kaede".into(), settings };
    assert!(matches!(world.change(set(own())), ToAdmin::Tenant(_)));
    assert_eq!(tenant(&mut world).sending, own());
    let mut check = |what: &str, settings: SendingSettings, expected: &str| {
        let answer = world.change(set(settings));
        match expected {
            "" => assert!(matches!(answer, ToAdmin::Tenant(_)), "{what}"),
            _ => assert!(is_refused(&answer, expected), "{what}"),
        }
    };
    let weaker = "settings that protect as much";
    check("a day", SendingSettings { in_a_day: 101, ..own() }, weaker);
    check("ten minutes", SendingSettings { in_ten_minutes: 601, ..own() }, weaker);
    check("sooner", SendingSettings { delay_ms: 0, ..own() }, weaker);
    check("a kind", SendingSettings { refused_kinds: vec!["zip".into()], ..own() }, weaker);
    let by_another =
        SendingSettings { smart_host: host("relay.example", HopTls::StartTls), ..own() };
    check("another host", by_another, weaker);
    check("none", SendingSettings { in_a_day: 0, ..own() }, "1 to 1,000,000 recipients");
    check("no octet", SendingSettings { bytes: 1, ..own() }, "octets");
    let long = SendingSettings { delay_ms: 1 << 40, ..own() };
    check("for ever", long, "a delay of a day");
    let bell = SendingSettings { notice: "a\u{7}".into(), ..own() };
    check("a bell", bell, "a text of 4,000 octets");
    let kinds = vec!["exe".into(), "Not A Kind".into()];
    check("no kind", SendingSettings { refused_kinds: kinds, ..own() }, "a kind of file");
    let source = Some("0.0.0.0".parse().unwrap());
    check("nowhere", SendingSettings { source, ..own() }, "an address of this machine");
    let more = SendingSettings {
        notice: "Kaede Ltd.\n楓株式会社".into(),
        source: Some("192.0.2.1".parse().unwrap()),
        refused_kinds: vec!["exe".into(), "7z".into()],
        ..own()
    };
    check("more", more.clone(), "");
    // Two persons let go what one may not.
    let (tenant_id, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    let carry = |world: &mut World, settings| {
        let mut changes = world.changes_now();
        changes.carry(Act::ChangeSending { tenant: tenant_id, settings })
    };
    let mut by = SendingSettings { smart_host: host("relay.example", HopTls::StartTls), ..own() };
    assert!(matches!(carry(&mut world, by.clone()), ToAdmin::Tenant(_)));
    let wrong = SendingSettings { smart_host: host("relay", HopTls::StartTls), ..own() };
    assert!(is_refused(&carry(&mut world, wrong), "a host and its port"));
    assert_eq!(tenant(&mut world).sending, by);
    // What protects the way there may be made stricter, and only that.
    let mut check = |tls, expected: bool| {
        by.smart_host = host("relay.example", tls);
        let is_done = matches!(world.change(set(by.clone())), ToAdmin::Tenant(_));
        assert_eq!(is_done, expected, "{tls:?}");
    };
    check(HopTls::IfOffered, false);
    check(HopTls::Implicit, true);
    assert!(matches!(world.change(set(own())), ToAdmin::Tenant(_)), "by its MX again");
}

#[test]
fn unknown_addresses_are_the_catch_all_s() {
    let (mut world, vault) = settled("catch-all");
    let set = |address: Option<&str>| FromAdmin::CatchAll {
        domain: "Kaede.Example.".into(),
        address: address.map(str::to_owned),
    };
    assert_eq!(world.state("made-up@kaede.example"), "Unknown");
    let refused = world.change(set(Some("nobody@kaede.example")));
    assert!(is_refused(&refused, "the address of a person"));
    let foreign = FromAdmin::CatchAll { domain: "b.example".into(), address: None };
    assert!(is_refused(&world.change(foreign), "a domain of this house"));
    let ToAdmin::Domain(domain) = world.change(set(Some("INFO@kaede.example"))) else { panic!() };
    assert_eq!(domain.catch_all.as_deref(), Some("info@kaede.example"));
    let listed = world.change(FromAdmin::DomainList { tenant: Some("Kaede".into()) });
    let ToAdmin::Domains(domains) = listed else { panic!() };
    assert_eq!(domains[0].catch_all.as_deref(), Some("info@kaede.example"));
    for _ in 0..2 {
        let mut check = |address: &str, expected: &str| {
            assert_eq!(world.state(address), expected);
        };
        check("Made-Up+x@kaede.example", "Known made-up@kaede.example");
        check("ben@kaede.example", "Known ben@kaede.example");
        check("postmaster@kaede.example", "Known postmaster@kaede.example");
        check("made-up@elsewhere.example", "Foreign");
    }
    let count = |world: &World| {
        let count = "SELECT count(*) FROM statement";
        world.tables.db.query_row(count, (), |row| row.get::<_, u32>(0)).unwrap()
    };
    let before = count(&world);
    (0..30).for_each(|number| drop(world.state(&format!("made-up-{number}@kaede.example"))));
    assert_eq!(count(&world), before, "what strangers make up is not written down");
    // Whose it was, nobody else gets it.
    vault.taken.lock().unwrap().push("gone@kaede.example".to_owned());
    assert_eq!(world.state("gone@kaede.example"), "Unknown");
    world.friends.vault = None;
    assert_eq!(world.state("gone@kaede.example"), "Unknown");
    assert_eq!(world.state("never-asked@kaede.example"), "Later");
    world.friends.vault = Some(vault.channel());
    // Somebody new has it from now on.
    add(&mut world, "made-up@kaede.example");
    let (_, new) = person(&mut world, "made-up@kaede.example");
    let now = compartment::now_ms();
    let (tables, key, friends) = (&world.tables, &world.key, &mut world.friends);
    let found =
        world.statements.state(tables, key, friends, "made-up@kaede.example", HOST, now).unwrap();
    let Stated::Known { statement, .. } = found else { panic!() };
    let said: Statement = postcard::from_bytes(&statement).unwrap();
    assert_eq!(said.recipients[0].user, new);
    // A disabled catch-all gets nothing, and with the person it is gone.
    let disable =
        |disabled| FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled };
    world.change(disable(true));
    assert_eq!(world.state("x@kaede.example"), "Unknown");
    world.change(disable(false));
    assert_eq!(world.state("x@kaede.example"), "Known x@kaede.example");
    let (tenant, user) = person(&mut world, "aoi@kaede.example");
    let mut changes = world.changes_now();
    changes.take_out(tenant, user).unwrap();
    world.tables.erase(&world.key, Part { tenant, user: Some(user) }).unwrap();
    assert_eq!(world.tables.catch_all(&world.key, "kaede.example").unwrap(), None);
    world.statements.forget_all();
    assert_eq!(world.state("x@kaede.example"), "Unknown");
    assert!(matches!(world.change(set(Some("ben@kaede.example"))), ToAdmin::Domain(_)));
    assert_eq!(world.state("x@kaede.example"), "Known x@kaede.example");
    assert!(matches!(world.change(set(None)), ToAdmin::Domain(_)));
    assert_eq!(world.state("x@kaede.example"), "Unknown");
}

/// The desk itself, with its channels.
pub struct House {
    pub desk: Desk,
    folder: std::path::PathBuf,
    pub warden: Channel,
}

impl House {
    pub fn open(name: &str) -> Self {
        let (mut world, _) = settled(name);
        let folder = world.folder.with_extension("desk");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let empty = crate::tables::Tables::open(&folder).unwrap();
        let mut hub = Hub::new().unwrap();
        let (warden, own) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
        let friends = crate::friends::Friends::new(InstanceId([2; 6]));
        let desk = Desk {
            warden: hub.seat(own, label).unwrap(),
            hub,
            tables: std::mem::replace(&mut world.tables, empty),
            friends: std::mem::replace(&mut world.friends, friends),
            statements: Statements::default(),
            guesses: Guesses::default(),
            inquiries: Inquiries::default(),
            memories: Memories::default(),
            sendings: Sendings::default(),
            rates: crate::reports::Rates::default(),
            outlets: None,
            authorities: "well known".to_owned(),
            key: Some(rows::RowKey::new(&[9; 32]).into()),
            known: crate::older::Known::Sure,
            host_name: HOST.to_owned(),
            next_tending: Instant::now(),
            next_letters: Instant::now(),
        };
        Self { desk, folder, warden }
    }

    pub fn join(&mut self, kind: Kind, person: Option<(TenantId, UserId)>) -> Channel {
        let (one, other) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([kind.number() as u8; 6]), kind, person };
        self.desk.hub.seat(other, label).unwrap();
        one
    }

    /// Asks, and has the desk answer; `None`: it was cut.
    pub fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &mut self,
        channel: &Channel,
        question: &Q,
    ) -> Option<A> {
        channel.send(1, question, &[]).ok()?;
        for event in self.desk.hub.wait(Some(Duration::from_secs(5))).unwrap() {
            match event {
                Event::Frame(peer, frame) if self.desk.inquiries.is_fetch(peer) => {
                    self.desk.hear_fetch(&frame);
                }
                Event::Frame(peer, frame) => self.desk.answer(peer, frame),
                _ => {}
            }
        }
        let answer = channel.receive(Some(Duration::from_secs(5))).ok()?;
        Some(answer.read().unwrap())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A frame names no tenant: the warden's label does, once it knows.
#[test]
fn how_tls_fared_counts_for_whom_the_label_names() {
    let mut house = House::open("desk-tls");
    let found = house.desk.changes().unwrap().look_up("aoi@kaede.example").unwrap();
    let tenant = found.map(|(_, tenant, _)| tenant).unwrap();
    let told = || FromDepart::Tls(vec![crate::tls_tests::finding("there.example", 1, &[])]);
    let counted = |house: &House| house.desk.tables.due_tls(u64::MAX, 9).unwrap();
    let newborn = house.join(Kind::Depart, None);
    assert!(matches!(house.ask(&newborn, &told()), Some(ToDepart::Later)));
    assert_eq!(counted(&house), []);
    let bound = house.join(Kind::Depart, Some((tenant, UserId::default())));
    assert!(matches!(house.ask(&bound, &told()), Some(ToDepart::Noted)));
    assert_eq!(counted(&house).iter().map(|(_, of)| *of).collect::<Vec<_>>(), [tenant]);
    // What nobody could tell cuts whoever tells it.
    let odd = FromDepart::Tls(vec![crate::tls_tests::finding("no domain", 1, &[])]);
    assert!(house.ask::<_, ToDepart>(&bound, &odd).is_none());
}

/// What one carrier has fetched the next one knows, of the same tenant; nobody is told of another
/// tenant's.
#[test]
fn a_policy_outlives_whoever_fetched_it() {
    use wire::sts::{Mode, Policy};
    let mut house = House::open("desk-sts");
    let found = house.desk.changes().unwrap().look_up("aoi@kaede.example").unwrap();
    let tenant = found.map(|(_, tenant, _)| tenant).unwrap();
    let policy = Policy {
        domain: "there.example".into(),
        id: "1".into(),
        mode: Mode::Enforce,
        patterns: vec!["mx.there.example".into()],
        age_seconds: 86_400,
    };
    let domains = vec!["else.example".to_owned(), "there.example".to_owned()];
    let source = || FromDepart::Source { tenant, domains: domains.clone() };
    let told = || FromDepart::Policy(policy.clone());
    let newborn = house.join(Kind::Depart, None);
    assert!(matches!(house.ask(&newborn, &told()), Some(ToDepart::Later)));
    assert!(matches!(house.ask(&newborn, &source()), Some(ToDepart::Later)));
    let from = house.ask(&newborn, &FromDepart::Source { tenant, domains: Vec::new() });
    assert!(matches!(from, Some(ToDepart::Source { .. })), "from where is no secret");
    let first = house.join(Kind::Depart, Some((tenant, UserId::default())));
    assert!(matches!(house.ask(&first, &told()), Some(ToDepart::Noted)));
    drop(first);
    let mut known = |of: TenantId| {
        let next = house.join(Kind::Depart, Some((of, UserId::default())));
        match house.ask(&next, &source()) {
            Some(ToDepart::Source { policies, answered, .. }) => (policies, answered),
            _ => panic!("no answer"),
        }
    };
    let (policies, answered) = known(tenant);
    assert_eq!((policies.len(), answered), (1, 2));
    assert_eq!((&policies[0].policy, policies[0].is_due), (&policy, false));
    assert_eq!(known(TenantId([7; 8])), (Vec::new(), 2));
    let last = house.join(Kind::Depart, Some((tenant, UserId::default())));
    let odd = FromDepart::Policy(Policy { id: "a b".into(), ..policy.clone() });
    assert!(house.ask::<_, ToDepart>(&last, &odd).is_none());
}

/// What goes on from a tenant's address comes back to it, by the word of its own carrier.
#[test]
fn a_return_path_is_told_to_the_carrier_of_its_tenant() {
    let mut house = House::open("desk-return-path");
    let found = house.desk.changes().unwrap().look_up("aoi@kaede.example").unwrap();
    let tenant = found.map(|(_, tenant, _)| tenant).unwrap();
    let mut path = |of: Option<TenantId>, domain: &str| {
        let depart = house.join(Kind::Depart, of.map(|tenant| (tenant, UserId::default())));
        let (from, domain) = ("bob@else.example".to_owned(), domain.to_owned());
        match house.ask(&depart, &FromDepart::ReturnPath { from, domain }) {
            Some(ToDepart::ReturnPath(path)) => Some(path),
            Some(ToDepart::Later) => None,
            _ => panic!("no answer"),
        }
    };
    let told = path(Some(tenant), "kaede.example").unwrap();
    assert!(
        told.starts_with("SRS0=") && told.ends_with("=else.example=bob@kaede.example"),
        "{told}"
    );
    assert_eq!(path(None, "kaede.example"), None);
    assert_eq!(path(Some(TenantId([7; 8])), "kaede.example"), None);
    assert_eq!(path(Some(tenant), "else.example"), None);
}

/// Where all of somebody's mail goes on, what comes to nothing there is kept in their own mailbox.
#[test]
fn a_person_s_own_mailbox_is_told_to_the_carrier_of_their_tenant() {
    let mut house = House::open("desk-own");
    let found = house.desk.changes().unwrap().look_up("aoi@kaede.example").unwrap();
    let (user, tenant, _) = found.unwrap();
    let mut own = |of: Option<TenantId>, asked: UserId| {
        let depart = house.join(Kind::Depart, of.map(|tenant| (tenant, UserId::default())));
        match house.ask(&depart, &FromDepart::Own(asked)) {
            Some(ToDepart::Own(Stated::Known { statement, .. }, keeps)) => {
                let said: Statement = postcard::from_bytes(&statement).unwrap();
                assert_eq!(said.address, own_mailbox(tenant, said.recipients[0].user));
                assert!(said.onward.is_empty() && said.recipients.len() == 1);
                format!("{} {keeps}", said.recipients[0].user)
            }
            Some(ToDepart::Own(Stated::Unknown, _)) => "unknown".to_owned(),
            Some(ToDepart::Later) => "later".to_owned(),
            _ => panic!("no answer"),
        }
    };
    assert_eq!(own(Some(tenant), user), format!("{user} false"));
    // Nobody: whoever answers for the tenant.
    assert_eq!(own(Some(tenant), UserId::default()), format!("{user} false"));
    assert_eq!(own(Some(tenant), UserId([7; 8])), "unknown");
    assert_eq!(own(Some(TenantId([7; 8])), user), "unknown");
    assert_eq!(own(None, user), "later");
}

#[test]
fn those_who_carry_mail_out_have_their_own_questions() {
    let mut house = House::open("desk");
    let address = "aoi@kaede.example".to_owned();
    let found = house.desk.changes().unwrap().look_up(&address).unwrap();
    let person = found.map(|(user, tenant, _)| (tenant, user)).unwrap();
    let dispatch = house.join(Kind::Dispatch, Some(person));
    let ask = |house: &mut House, question| house.ask::<_, ToDispatch>(&dispatch, &question);
    let is_theirs = ask(&mut house, FromDispatch::Sending(address.clone()));
    assert!(matches!(is_theirs, Some(ToDispatch::Sending { .. })));
    let is_theirs = ask(&mut house, FromDispatch::Sending("ben@kaede.example".into()));
    assert!(matches!(is_theirs, Some(ToDispatch::NotTheirs)));
    for (to, expected) in [
        (address.as_str(), "known"),
        ("x@kaede.example", "unknown"),
        ("x@elsewhere.example", "foreign"),
    ] {
        let stated = match ask(&mut house, FromDispatch::Address(to.to_owned())) {
            Some(ToDispatch::Stated(Stated::Known { .. })) => "known",
            Some(ToDispatch::Stated(Stated::Unknown)) => "unknown",
            Some(ToDispatch::Stated(Stated::Foreign)) => "foreign",
            _ => "later",
        };
        assert_eq!(stated, expected, "{to}");
    }
    let digests = vec![[1; 32], [2; 32]];
    let own = ask(&mut house, FromDispatch::Tokens(digests.clone()));
    let Some(ToDispatch::Tokens(own)) = own else { panic!() };
    // Equal hops are one route, in every tenant; a route is no token of a trace.
    let hops = vec!["here".to_owned(), "domain a.example".to_owned(), "here".to_owned()];
    let routes = ask(&mut house, FromDispatch::Routes(hops.clone()));
    let Some(ToDispatch::Routes(routes)) = routes else { panic!() };
    assert!(routes[0] == routes[2] && routes[0] != routes[1]);
    let other = house.join(Kind::Dispatch, Some((TenantId([7; 8]), UserId([7; 8]))));
    let again = house.ask(&other, &FromDispatch::Routes(hops));
    assert!(matches!(again, Some(ToDispatch::Routes(again)) if again == routes));
    let edge = house.join(Kind::Edge, None);
    let carrier = house.join(Kind::Depart, None);
    let asked = ["here".to_owned(), "domain a.example".to_owned()];
    let at_edge = house.ask(&edge, &FromEdge::Routes(asked.to_vec()));
    assert!(matches!(at_edge, Some(ToEdge::Routes(Some(same))) if same == routes[..2]));
    let carried = house.ask(&carrier, &FromDepart::Routes(asked.to_vec()));
    assert!(matches!(carried, Some(ToDepart::Routes(Some(same))) if same == routes[..2]));
    let foreign = house.ask(&other, &FromDispatch::Tokens(digests.clone()));
    assert!(matches!(foreign, Some(ToDispatch::Tokens(foreign)) if foreign != own));
    let depart = house.join(Kind::Depart, None);
    let question = FromDepart::Tokens { tenant: person.0, digests };
    let same = house.ask(&depart, &question);
    assert!(matches!(same, Some(ToDepart::Tokens(same)) if same == own));
    let known = house.ask(&depart, &FromDepart::Address(address.clone()));
    assert!(matches!(known, Some(ToDepart::Stated(Stated::Known { .. }))));
    let seen = ask(&mut house, FromDispatch::FirstSeen([3; 32]));
    assert!(matches!(seen, Some(ToDispatch::FirstSeen(Some(0)))));
    let strange = |house: &mut House, many| match ask(house, FromDispatch::Strange(many)) {
        Some(ToDispatch::Strange(all)) => all,
        _ => panic!("no count"),
    };
    assert_eq!([strange(&mut house, 30), strange(&mut house, 21)], [30, 51]);
    let answered = || FromDepart::Answered { tenant: person.0, digest: [3; 32] };
    let is_first = |asked| matches!(asked, Some(ToDepart::FirstAnswer(Some(true))));
    assert!(is_first(house.ask(&depart, &answered())));
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert!(!is_first(house.ask(&depart, &answered())));
    let source = FromDepart::Source { tenant: person.0, domains: Vec::new() };
    let source = house.ask(&depart, &source);
    assert!(matches!(source, Some(ToDepart::Source { from: None, .. })));
    // Who has no person, or another's words, is cut.
    let nobody = house.join(Kind::Dispatch, None);
    let question = FromDispatch::Sending(address);
    assert!(house.ask::<_, ToDispatch>(&nobody, &question).is_none());
    assert!(house.ask::<_, ToDepart>(&depart, &vec![0xffu8; 40]).is_none());
    // Without the key of its tables it knows nobody.
    house.desk.key = None;
    let later = ask(&mut house, FromDispatch::Routes(Vec::new()));
    assert!(matches!(later, Some(ToDispatch::Later)));
    let later = house.ask(&edge, &FromEdge::Routes(Vec::new()));
    assert!(matches!(later, Some(ToEdge::Routes(None))));
}

#[test]
fn a_dispatch_that_guesses_people_is_cut_and_heard() {
    let mut house = House::open("guesses");
    let dispatch = house.join(Kind::Dispatch, Some((TenantId([7; 8]), UserId([7; 8]))));
    let ask = |house: &mut House, address: String| {
        house.ask::<_, ToDispatch>(&dispatch, &FromDispatch::Address(address))
    };
    // Others' addresses are what mail is for.
    for number in 0..5_000 {
        assert!(ask(&mut house, format!("p{number}@elsewhere.example")).is_some());
    }
    let asked = (0..5_000)
        .take_while(|number| ask(&mut house, format!("p{number}@kaede.example")).is_some());
    assert_eq!(asked.count(), 4_096);
    let mut alarms = 0;
    while let Ok(frame) = house.warden.receive(Some(Duration::ZERO)) {
        alarms += u32::from(matches!(frame.read(), Ok(wire::control::Report::Alarm { .. })));
    }
    assert_eq!(alarms, 1);
}

/// What a customer's server is asked for, and whose it is.
struct Outlets {
    house: House,
    edge: Channel,
    tenant: TenantId,
    secret: String,
}

impl Outlets {
    fn open(name: &str) -> Self {
        let mut house = House::open(name);
        let found = house.desk.changes().unwrap().look_up("aoi@kaede.example").unwrap();
        let tenant = found.map(|(_, tenant, _)| tenant).unwrap();
        let edge = house.join(Kind::Edge, None);
        let mut outlets = Self { house, edge, tenant, secret: String::new() };
        outlets.secret = outlets.set("192.0.2.0", 24, false).unwrap();
        outlets
    }

    fn set(&mut self, from: &str, bits: u8, is_fresh: bool) -> Option<String> {
        let terms = OutletTerms {
            names: vec!["mail.kaede.example".to_owned()],
            authorities: vec![vec![7; 9]],
            from: vec![(from.parse().unwrap(), bits)],
            in_a_day: 50,
        };
        let tenant = "Kaede".to_owned();
        let change = wire::redirection::Redirection::Outlet { tenant, terms, is_fresh };
        match crate::tests::agreed(&mut self.house.desk, change) {
            ToAdmin::Outlet(outlet) => outlet.secret,
            _ => panic!("no outlet"),
        }
    }

    fn wanted(&mut self, from: &str) -> usize {
        let question = FromEdge::Outlets(from.parse().unwrap());
        match self.house.ask(&self.edge, &question) {
            Some(ToEdge::Outlets(Some(wanted))) => {
                // Whoever has an authority of their own needs no other.
                assert!(wanted.well_known.is_empty());
                wanted.vouched.len()
            }
            _ => panic!("no answer"),
        }
    }

    fn admitted(
        &mut self,
        from: &str,
        name: &str,
        secret: &str,
        has: Option<TenantId>,
    ) -> Admitted {
        self.admitted_by(from, &[(name, &[7; 9])], secret, has)
    }

    /// `shown`: names, and who vouches for each.
    fn admitted_by(
        &mut self,
        from: &str,
        shown: &[(&str, &[u8])],
        secret: &str,
        has: Option<TenantId>,
    ) -> Admitted {
        let from = from.parse().unwrap();
        let vouched = |(name, authority): &(&str, &[u8])| Vouched {
            names: vec![(*name).to_owned()],
            authorities: vec![authority.to_vec()],
        };
        let shown = shown.iter().map(vouched).collect();
        let question = FromEdge::Admit { from, shown, secret: secret.to_owned(), has };
        match self.house.ask(&self.edge, &question) {
            Some(ToEdge::Admitted(admitted)) => admitted,
            _ => panic!("no answer"),
        }
    }

    /// Dispatches that the warden was asked for since the last time.
    fn asked_for(&self) -> usize {
        let mut count = 0;
        while let Ok(frame) = self.house.warden.receive(Some(Duration::ZERO)) {
            let report = frame.read();
            let Ok(wire::control::Report::Outlet { instance, tenant }) = report else { continue };
            assert_eq!(
                (instance, tenant),
                (InstanceId([Kind::Edge.number() as u8; 6]), self.tenant)
            );
            count += 1;
        }
        count
    }
}

#[test]
fn a_customer_s_server_is_known_by_three_things_together() {
    let mut outlets = Outlets::open("outlet");
    let (at, name, secret) = ("192.0.2.7", "mail.kaede.example", outlets.secret.clone());
    assert_eq!((outlets.wanted(at), outlets.wanted("192.0.3.7")), (1, 0));
    let theirs = Admitted::For(outlets.tenant);
    assert_eq!(outlets.admitted(at, name, &secret, None), theirs);
    assert_eq!(outlets.asked_for(), 1);
    // Who has their dispatch already needs no other.
    assert_eq!(outlets.admitted(at, name, &secret, Some(outlets.tenant)), theirs);
    assert_eq!(outlets.asked_for(), 0);
    assert_eq!(outlets.admitted("192.0.3.7", name, &secret, None), Admitted::No);
    assert_eq!(outlets.admitted(at, "mail.evil.example", &secret, None), Admitted::No);
    assert_eq!(outlets.admitted(at, name, "sko-guessed", None), Admitted::No);
    // Another tenant's authority vouches for any name, and is none of theirs.
    let other: (&str, &[u8]) = (name, &[8; 9]);
    assert_eq!(outlets.admitted_by(at, &[other], &secret, None), Admitted::No);
    assert_eq!(outlets.admitted_by(at, &[], &secret, None), Admitted::No);
    assert_eq!(outlets.asked_for(), 0);
    // One certificate, two tenants' names: both are shown, whichever is looked for first.
    let both: [(&str, &[u8]); 2] = [("mail.ume.example", &[8; 9]), (name, &[7; 9])];
    assert_eq!(outlets.admitted_by(at, &both, &secret, None), theirs);
    assert_eq!(outlets.asked_for(), 1);
    // The networks change and the secret stays; then it changes, too.
    assert_eq!(outlets.set("198.51.100.0", 24, false), None);
    assert_eq!((outlets.wanted(at), outlets.wanted("198.51.100.9")), (0, 1));
    assert_eq!(outlets.admitted(at, name, &secret, None), Admitted::No);
    let next = outlets.set("192.0.2.0", 24, true).unwrap();
    assert_eq!(outlets.admitted(at, name, &secret, None), Admitted::No);
    assert_eq!(outlets.admitted(at, name, &next, None), theirs);
    let none = FromAdmin::Outlet { tenant: "Kaede".to_owned(), change: Some((None, false)) };
    let ToAdmin::Outlet(ended) = outlets.house.desk.answer_admin(none) else { panic!() };
    assert!(ended.terms.is_none());
    assert_eq!((outlets.wanted(at), outlets.admitted(at, name, &next, None)), (0, Admitted::No));
}

#[test]
fn a_customer_s_server_writes_for_its_own_domains() {
    let mut outlets = Outlets::open("outlet-sending");
    let server = server_of(outlets.tenant);
    let dispatch = outlets.house.join(Kind::Dispatch, Some((outlets.tenant, server)));
    let sending = |outlets: &mut Outlets, address: &str| -> Option<u32> {
        let question = FromDispatch::Sending(address.to_owned());
        match outlets.house.ask(&dispatch, &question) {
            Some(ToDispatch::Sending { statement, .. }) => {
                let sending: Sending = postcard::from_bytes(&statement).unwrap();
                assert_eq!((sending.user, sending.domain.as_str()), (server, "kaede.example"));
                Some(sending.settings.in_a_day)
            }
            Some(ToDispatch::NotTheirs) => None,
            _ => panic!("{address}"),
        }
    };
    assert_eq!(sending(&mut outlets, "anybody@kaede.example"), Some(50));
    assert_eq!(sending(&mut outlets, "anybody@elsewhere.example"), None);
    let none = FromAdmin::Outlet { tenant: "Kaede".to_owned(), change: Some((None, false)) };
    outlets.house.desk.answer_admin(none);
    assert_eq!(sending(&mut outlets, "anybody@kaede.example"), None);
}

/// Whose words are theirs only after a sign-in, a server does not write as; and nobody rings the
/// vault's alarm by trying.
#[test]
fn a_customer_s_server_writes_as_nobody_here() {
    let (mut world, vault) = settled("outlet-people");
    let (tenant, aoi) = person(&mut world, "aoi@kaede.example");
    let terms = OutletTerms {
        names: vec!["mail.kaede.example".to_owned()],
        authorities: vec![vec![7; 9]],
        from: vec![("192.0.2.0".parse().unwrap(), 24)],
        in_a_day: 50,
    };
    let change = Some((Some(terms), false));
    world.change(FromAdmin::Outlet { tenant: "Kaede".to_owned(), change });
    let mut sendings = Sendings::default();
    let mut check = |world: &mut World, who, address: &str, at: u64, expected: &str| {
        let found = sending(world, &mut sendings, (tenant, who), address, at);
        assert!(found.starts_with(expected), "{address}: {found}");
    };
    let server = server_of(tenant);
    check(&mut world, server, "anybody@kaede.example", 1, "Sending anybody@");
    check(&mut world, server, "aoi@kaede.example", 1, "NotTheirs");
    check(&mut world, server, "postmaster@kaede.example", 1, "NotTheirs");
    check(&mut world, aoi, "aoi@kaede.example", 1, "Sending aoi@");
    let disable = FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled: true };
    world.change(disable);
    check(&mut world, server, "aoi@kaede.example", 1, "NotTheirs");
    world.change(FromAdmin::GroupChange {
        address: "team@kaede.example".into(),
        tenant: Some("Kaede".into()),
        with: vec!["ben@kaede.example".into()],
        without: Vec::new(),
    });
    check(&mut world, server, "team@kaede.example", 1, "NotTheirs");
    // What the vault alone remembers is asked once in ten minutes, not twice for each try.
    vault.taken.lock().unwrap().push("gone@kaede.example".to_owned());
    let minute = 60_000;
    for at in [minute, 2 * minute, 10 * minute] {
        check(&mut world, server, "gone@kaede.example", at, "NotTheirs");
    }
    assert_eq!(vault.refused.load(Ordering::SeqCst), 1);
    check(&mut world, server, "gone@kaede.example", 12 * minute, "NotTheirs");
    assert_eq!(vault.refused.load(Ordering::SeqCst), 2);
    vault.taken.lock().unwrap().clear();
    check(&mut world, server, "gone@kaede.example", 23 * minute, "Sending gone@");
}
