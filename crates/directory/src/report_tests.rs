//! Reports of others: which are kept, how many, for how long, and what a complaint weighs.

use crate::changes::Changes;
use crate::reports::Rates;
use crate::tests::{HOST, World, answering, is_refused};
use compartment::now_ms;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use terms::{MessageId, UserId};
use wire::directory::*;
use wire::mailbox;
use wire::post;
use wire::reports::*;
use wire::vault::{FromDirectory, ToDirectory};

const NOW: u64 = 1_795_900_000_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A tenant with Aoi, in whose name messages left, and the people whom complaints counted against.
struct House {
    world: World,
    rates: Rates,
    /// The mailbox has heard of everything that left.
    is_told: Arc<AtomicBool>,
    complained: Arc<Mutex<Vec<UserId>>>,
    aoi: UserId,
}

impl House {
    fn new(name: &str) -> Self {
        let mut world = World::new(name);
        world.settle();
        world.change(FromAdmin::TenantAdd { name: "Ume".into() });
        let (domain, tenant) = ("ume.example".into(), "Ume".into());
        world.change(FromAdmin::DomainAdd { domain, tenant });
        let found = world.change(FromAdmin::UserFind { address: "aoi@kaede.example".into() });
        let ToAdmin::User(user) = found else { panic!("no user") };
        let (aoi, tenant) = (user.user, user.tenant_id);
        let token = |about: &str| crate::trace_token(&world.key, tenant, &trace::digest(about));
        let known: Vec<_> = (0..20).map(|n| token(&format!("m{n}@kaede.example"))).collect();
        let passed = token("passed@kaede.example");
        // All of them went there, and nowhere else.
        let gone = [token("@there.example"), token("@elsewhere.example")];
        let is_told = Arc::new(AtomicBool::new(true));
        let told = is_told.clone();
        world.friends.mailbox = Some(answering(move |question| match question {
            mailbox::FromDirectory::Sent { .. } if !told.load(Ordering::SeqCst) => {
                mailbox::ToDirectory::Sent(None)
            }
            mailbox::FromDirectory::Sent { token, .. } => {
                let is_known = known.contains(&token) || token == passed;
                let is_passed_on = token == passed;
                let sent = Sent { message: MessageId(token), user: aoi, is_passed_on };
                mailbox::ToDirectory::Sent(is_known.then_some(sent))
            }
            mailbox::FromDirectory::WentTo { places, .. } => {
                mailbox::ToDirectory::WentTo(places.iter().any(|place| gone.contains(place)))
            }
            _ => mailbox::ToDirectory::Swept { left: false },
        }));
        let complained = Arc::new(Mutex::new(Vec::new()));
        let heard = complained.clone();
        world.friends.post = Some(answering(move |question| match question {
            post::FromDirectory::Complained { user } => {
                heard.lock().unwrap().push(user);
                post::ToDirectory::Yes
            }
            _ => post::ToDirectory::Fault,
        }));
        Self { world, rates: Rates::default(), is_told, complained, aoi }
    }

    fn tell(&mut self, told: Told, now: u64) -> Noted {
        let World { tables, key, friends, statements, .. } = &mut self.world;
        let mut changes =
            Changes { tables, key, friends, statements, host_name: HOST, agreed: None };
        changes.note_report(told, &mut self.rates, now).unwrap()
    }

    fn ask(&mut self, query: Query) -> Page {
        match self.world.change(FromAdmin::Reports(query)) {
            ToAdmin::Reports(page) => page,
            _ => panic!("no page"),
        }
    }

    fn list(&mut self, kind: Option<Kind>) -> Vec<Kept> {
        self.ask(Query::List { tenant: None, domain: None, kind, after: None }).items
    }

    fn count(&self, class: u8) -> u64 {
        let sql = "SELECT COUNT(*) FROM report WHERE class = ?1";
        self.world.tables.count_rows(sql, (class,)).unwrap()
    }
}

fn told(to: &str, by: &str, report: Report) -> Told {
    let (to, by) = (to.into(), by.into());
    Told { to, by, is_proven: true, own: [0; 32], report }
}

fn policy(domain: &str) -> TlsPolicy {
    let failure = TlsFailure {
        what: "certificate-expired".into(),
        mx: "mx1.kaede.example".into(),
        sessions: 3,
    };
    TlsPolicy {
        kind: TlsPolicyKind::Sts,
        domain: domain.into(),
        successful: 117,
        failed: 3,
        failures: vec![failure],
    }
}

fn tls(id: &str, domains: &[&str]) -> Told {
    let report = TlsReport {
        organisation: "There".into(),
        id: id.into(),
        begin_s: 1_795_824_000,
        end_s: 1_795_910_399,
        policies: domains.iter().map(|domain| policy(domain)).collect(),
    };
    told("tls-reports@kaede.example", "there.example", Report::Tls(report))
}

/// What is turned away stands in no list: whoever looks after the house is told, once an hour.
#[test]
fn complaints_above_the_limit_are_told_to_the_operator() {
    let mut house = House::new("reports-full");
    let tell = |house: &mut House, n: u64, now| {
        let about = format!("<other{n}@kaede.example>");
        let noted = house.tell(complaint("there.example", &about), now);
        (noted, house.rates.take_untold().len())
    };
    for n in 0..150 {
        assert_eq!(tell(&mut house, n, NOW), (Noted::Kept, 0));
    }
    assert_eq!(tell(&mut house, 150, NOW), (Noted::Full, 1));
    assert_eq!(tell(&mut house, 151, NOW), (Noted::Full, 0));
    // A TLS report is no complaint.
    for n in 0..151 {
        let told = Told { by: "a.example".into(), ..tls(&format!("r{n}"), &["kaede.example"]) };
        house.tell(Told { is_proven: true, ..told }, NOW);
    }
    assert!(house.rates.take_untold().is_empty());
}

fn complaint(by: &str, about: &str) -> Told {
    let feedback = Feedback {
        kind: "abuse".into(),
        agent: "Loop/1.0".into(),
        about: about.into(),
        reader: "there.example".into(),
        source_ip: None,
        arrived_s: None,
        incidents: 1,
    };
    told("fbl@kaede.example", by, Report::Feedback(feedback))
}

fn returned(about: &str) -> Told {
    let victim = Victim {
        domain: "there.example".into(),
        status: Some((5, 1, 1)),
        reason: "user-unknown".into(),
    };
    let returned = Returned { is_late: false, about: about.into(), victims: vec![victim] };
    told("aoi@kaede.example", "there.example", Report::Returned(returned))
}

#[test]
fn a_tls_report_is_kept_once_for_the_domains_of_its_tenant() {
    let mut house = House::new("reports-tls");
    let now = now_ms();
    let report = tls("r1", &["kaede.example", "ume.example", "other.example"]);
    assert_eq!(house.tell(report.clone(), now), Noted::Kept);
    assert_eq!(house.tell(report, now), Noted::Kept);
    let [kept] = house.list(None).try_into().unwrap();
    assert_eq!((kept.tenant.as_str(), kept.by.as_str()), ("Kaede", "there.example"));
    let Report::Tls(report) = &kept.report else { panic!("another kind") };
    assert_eq!(report.policies, [policy("kaede.example")]);
    let shown = house.ask(Query::Show(kept.id)).items;
    assert_eq!(shown, [kept]);
    // Somebody else's domains, no domain of ours, and an address of somebody's.
    assert_eq!(house.tell(tls("r2", &["other.example"]), now), Noted::Foreign);
    let to = |to: &str| Told { to: to.into(), ..tls("r3", &["kaede.example"]) };
    assert_eq!(house.tell(to("tls-reports@ume.example"), now), Noted::Foreign);
    assert_eq!(house.tell(to("tls-reports@other.example"), now), Noted::Foreign);
    assert_eq!(house.tell(to("aoi@kaede.example"), now), Noted::Foreign);
    assert_eq!(house.tell(to("postmaster@kaede.example"), now), Noted::Kept);
    assert_eq!(house.list(Some(Kind::Feedback)), []);
    assert_eq!(house.list(Some(Kind::Tls)).len(), 2);
    let of = |domain: &str| {
        let (domain, kind) = (Some(domain.to_owned()), None);
        Query::List { tenant: None, domain, kind, after: None }
    };
    assert_eq!(house.ask(of("kaede.example")).items.len(), 2);
    assert_eq!(house.ask(of("ume.example")).items.len(), 0);
    let unknown = house.world.change(FromAdmin::Reports(of("other.example")));
    assert!(is_refused(&unknown, "a domain of this house"));
}

#[test]
fn a_complaint_counts_once_if_it_is_proven_and_about_mail_of_that_person() {
    let mut house = House::new("reports-feedback");
    let now = now_ms();
    let mut check = |told: Told, counted: usize| {
        assert_eq!(house.tell(told, now), Noted::Kept);
        assert_eq!(house.complained.lock().unwrap().len(), counted);
    };
    let own = |number: u8, told: Told| Told { own: [number; 32], ..told };
    check(complaint("there.example", "m1@kaede.example"), 1);
    check(complaint("there.example", "m1@kaede.example"), 1);
    check(own(1, complaint("there.example", "m1@kaede.example")), 1);
    check(complaint("elsewhere.example", "<M1@kaede.example>"), 1);
    check(Told { is_proven: false, ..complaint("there.example", "m2@kaede.example") }, 1);
    check(complaint("there.example", "unknown@kaede.example"), 1);
    check(complaint("there.example", "passed@kaede.example"), 1);
    check(complaint("there.example", ""), 1);
    // Shown, and weighing nothing: it did not go to whoever says so.
    for by in ["bought.example", "other.bought.example", "example"] {
        check(complaint(by, "m10@kaede.example"), 1);
    }
    let mut friendly = complaint("there.example", "m3@kaede.example");
    if let Report::Feedback(feedback) = &mut friendly.report {
        feedback.kind = "not-spam".into();
    }
    check(friendly, 1);
    // One domain's complaints alone are too few to have mail wait; two domains' are not.
    for (number, counted) in [(4, 2), (5, 3), (6, 4), (7, 4), (8, 4)] {
        check(complaint("there.example", &format!("m{number}@kaede.example")), counted);
    }
    check(complaint("elsewhere.example", "m9@kaede.example"), 5);
    assert!(house.complained.lock().unwrap().iter().all(|user| *user == house.aoi));
    let about = |kept: &&Kept| kept.report.about() == Some("m1@kaede.example");
    let kept = house.list(Some(Kind::Feedback));
    let first = kept.iter().find(about).unwrap();
    let sent = first.sent.unwrap();
    assert_eq!((sent.user, sent.is_passed_on, first.complaints), (house.aoi, false, 7));
    let tenant = house.world.tables.tenant_by_name(&house.world.key, "Kaede").unwrap().unwrap().0;
    let digest = trace::digest("m1@kaede.example");
    let token = crate::trace_token(&house.world.key, tenant, &digest);
    assert_eq!(house.ask(Query::About(vec![token, [0; 16]])).items.len(), 3);
}

#[test]
fn what_came_back_is_kept_if_it_left_here() {
    let mut house = House::new("reports-returned");
    let now = now_ms();
    assert_eq!(house.tell(returned("m1@kaede.example"), now), Noted::Kept);
    assert_eq!(house.tell(returned("unknown@kaede.example"), now), Noted::Foreign);
    assert_eq!(house.tell(returned(""), now), Noted::Foreign);
    assert!(house.complained.lock().unwrap().is_empty());
    assert_eq!(house.list(Some(Kind::Returned)).len(), 1);
    // Nobody can say who sent it: a complaint is kept, what came back is not.
    house.world.friends.mailbox = None;
    assert_eq!(house.tell(returned("m2@kaede.example"), now), Noted::Later);
    assert_eq!(house.tell(complaint("there.example", "m2@kaede.example"), now), Noted::Kept);
}

#[test]
fn they_are_few_and_the_oldest_go() {
    let mut house = House::new("reports-few");
    let report = |n: u64, by: &str, is_proven: bool| {
        let told = tls(&format!("r{n}"), &["kaede.example"]);
        Told { by: by.into(), is_proven, ..told }
    };
    // One that nobody proves, and one domain, within an hour.
    let noted =
        |house: &mut House, n, by: &str, proven, now| house.tell(report(n, by, proven), now);
    for n in 0..20 {
        assert_eq!(noted(&mut house, n, "a.example", false, NOW), Noted::Kept);
    }
    assert_eq!(noted(&mut house, 20, "b.example", false, NOW), Noted::Full);
    for n in 0..150 {
        assert_eq!(noted(&mut house, n, "a.example", true, NOW), Noted::Kept);
    }
    assert_eq!(noted(&mut house, 150, "a.example", true, NOW), Noted::Full);
    assert_eq!(noted(&mut house, 0, "b.example", true, NOW), Noted::Kept);
    assert_eq!(noted(&mut house, 150, "a.example", true, NOW + HOUR_MS), Noted::Kept);
    // Whoever reports without end keeps half of the room, and nobody else's goes.
    for hour in 2..8 {
        for n in 0..100 {
            let told = report(hour * 1_000 + n, "a.example", true);
            assert_eq!(house.tell(told, NOW + hour * HOUR_MS), Noted::Kept);
            let _ = noted(&mut house, hour * 1_000 + n, "c.example", false, NOW + hour * HOUR_MS);
        }
    }
    assert_eq!((house.count(0), house.count(1)), (501, 120));
    // And after four hundred days all of them are gone.
    assert_eq!(noted(&mut house, 1, "z.example", true, NOW + 401 * DAY_MS), Noted::Kept);
    assert_eq!((house.count(0), house.count(1)), (1, 0));
}

#[test]
fn pages_follow_each_other_and_fit_into_a_frame() {
    let mut house = House::new("reports-pages");
    for n in 0..140 {
        let told = tls(&format!("r{n}"), &["kaede.example"; 16]);
        assert_eq!(house.tell(told, now_ms() - 1_000 + n), Noted::Kept);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = house.ask(Query::List { tenant: None, domain: None, kind: None, after });
        assert!(postcard::to_stdvec(&page).unwrap().len() < wire::INLINE_BYTES);
        seen.extend(page.items.iter().map(|kept| kept.at_ms));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 140);
    assert!(seen.is_sorted_by(|one, next| one > next), "newest first");
}

#[test]
fn nobody_s_address_takes_reports_and_leads_nowhere() {
    let mut house = House::new("reports-addresses");
    let world = &mut house.world;
    world.friends.vault = Some(answering(|question: FromDirectory| match question {
        FromDirectory::HasStood { .. } => ToDirectory::Done,
        FromDirectory::Current { .. } => {
            ToDirectory::Keys { body: crate::tests::key(1), summary: crate::tests::key(2) }
        }
        FromDirectory::Transit(_) => ToDirectory::Transit(crate::tests::key(3)),
        FromDirectory::Sign(statement) => ToDirectory::Signature(statement),
        _ => ToDirectory::Done,
    }));
    let ways = |world: &mut World, address: &str| {
        let (tables, key, friends) = (&world.tables, &world.key, &mut world.friends);
        let stated = world.statements.state(tables, key, friends, address, HOST, now_ms());
        let Stated::Known { statement, .. } = stated.unwrap() else { return None };
        let statement: Statement = postcard::from_bytes(&statement).unwrap();
        let ways = statement.onward.iter().map(|way| way.path).collect::<Vec<_>>();
        Some((statement.recipients.len(), ways))
    };
    for address in ["tls-reports@kaede.example", "abuse@kaede.example", "fbl@ume.example"] {
        assert_eq!(ways(world, address), Some((0, vec![Path::Report])), "{address}");
    }
    assert_eq!(ways(world, "reports@kaede.example"), None);
    assert_eq!(ways(world, "abuse@other.example"), None);
    // A forward, a group and a list want somebody who reads.
    let forward = world.change(FromAdmin::Forward {
        address: "aoi@kaede.example".into(),
        change: Some((vec!["abuse@kaede.example".into()], true)),
    });
    assert!(is_refused(&forward, "an address that somebody here has"));
    // Somebody may have it.
    let added = world.change(FromAdmin::UserAdd {
        address: "abuse@kaede.example".into(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: Vec::new(),
    });
    assert!(matches!(added, ToAdmin::User(_)));
    assert_eq!(ways(world, "abuse@kaede.example"), Some((1, Vec::new())));
    let catch_all = FromAdmin::CatchAll {
        domain: "kaede.example".into(),
        address: Some("aoi@kaede.example".into()),
    };
    assert!(matches!(world.change(catch_all), ToAdmin::Domain(_)));
    assert_eq!(ways(world, "fbl@kaede.example"), Some((1, Vec::new())), "it is caught");
}

#[test]
fn who_ends_takes_their_reports_along() {
    let mut house = House::new("reports-ended");
    let now = now_ms();
    house.tell(complaint("there.example", "m1@kaede.example"), now);
    house.tell(tls("r1", &["kaede.example"]), now);
    let World { tables, key, .. } = &mut house.world;
    let tenant = tables.tenant_by_name(key, "Kaede").unwrap().unwrap().0;
    tables.erase(key, Part { tenant, user: Some(house.aoi) }).unwrap();
    assert_eq!(
        house.list(None).iter().map(|kept| kept.report.kind()).collect::<Vec<_>>(),
        [Kind::Tls]
    );
    let World { tables, key, .. } = &mut house.world;
    tables.erase(key, Part { tenant, user: None }).unwrap();
    assert_eq!(house.count(0), 0);
}

/// What stands on the disk says nothing to whoever copies it.
#[test]
fn the_disk_names_nobody() {
    let mut house = House::new("reports-disk");
    let now = now_ms();
    house.tell(complaint("complainer.example", "m1@kaede.example"), now);
    house.tell(tls("report-name", &["kaede.example"]), now);
    house.world.tables.wipe().unwrap();
    for file in std::fs::read_dir(&house.world.folder).unwrap() {
        let octets = std::fs::read(file.unwrap().path()).unwrap();
        for word in ["complainer", "m1@kaede", "report-name", "mx1.kaede"] {
            let is_there = octets.windows(word.len()).any(|some| some == word.as_bytes());
            assert!(!is_there, "{word}");
        }
    }
}

/// A reader's program may be faster than the mailbox, which hears of what left a little later.
#[test]
fn a_complaint_that_comes_before_the_trace_is_told_whose_it_is_as_soon_as_that_is_known() {
    let mut house = House::new("report-early");
    house.is_told.store(false, Ordering::SeqCst);
    let now = now_ms();
    assert_eq!(house.tell(complaint("there.example", "m1@kaede.example"), now), Noted::Kept);
    assert_eq!(house.tell(complaint("stranger.example", "m2@kaede.example"), now), Noted::Kept);
    let kept = house.list(None);
    assert!(kept.len() == 2 && kept.iter().all(|kept| kept.sent.is_none()));
    house.is_told.store(true, Ordering::SeqCst);
    // Shown with its sender from now on, and counted as it would have been.
    for _ in 0..2 {
        let kept = house.list(Some(Kind::Feedback));
        assert!(kept.iter().all(|kept| kept.sent.is_some_and(|sent| sent.user == house.aoi)));
        assert!(kept.len() == 2 && kept.iter().any(|kept| kept.complaints == 1), "{kept:?}");
    }
    // Kept so: without the mailbox, too.
    house.world.friends.mailbox = None;
    assert!(house.list(None).iter().all(|kept| kept.sent.is_some()));
    assert!(house.list(None).iter().all(|kept| kept.complaints == 1));
}
