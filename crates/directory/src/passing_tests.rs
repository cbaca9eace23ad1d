//! Where mail goes on: forwards, groups, gateways, bounces on their way back, answers.

use crate::resolve::Lookup;
use crate::srs;
use crate::tests::{HOST, World, answering, is_refused, key};
use crate::ways::Beyond;
use compartment::now_ms;
use std::sync::{Arc, Mutex};
use wire::directory::*;
use wire::post::{Hop, HopTls};
use wire::vault::{FromDirectory, ToDirectory};

/// A house of two tenants, and what its vault was asked to sign.
fn settled(name: &str) -> (World, Arc<Mutex<Vec<String>>>) {
    let mut world = World::new(name);
    let signed: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = signed.clone();
    world.friends.vault = Some(answering(move |question: FromDirectory| match question {
        FromDirectory::HasStood { .. } => ToDirectory::Done,
        FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
        FromDirectory::Transit(_) => ToDirectory::Transit(key(3)),
        FromDirectory::Sign(bytes) => {
            let said: Statement = postcard::from_bytes(&bytes).unwrap();
            seen.lock().unwrap().push(said.address);
            ToDirectory::Signature(vec![2])
        }
        _ => ToDirectory::Done,
    }));
    world.settle();
    for (address, tenant) in
        [("ben@kaede.example", "Kaede"), ("cho@kaede.example", "Kaede"), ("dai@ume.example", "Ume")]
    {
        if tenant == "Ume" {
            world.change(FromAdmin::TenantAdd { name: "Ume".into() });
            let (domain, tenant) = ("ume.example".into(), "Ume".into());
            world.change(FromAdmin::DomainAdd { domain, tenant });
        }
        let (role, aliases) = ("user".into(), Vec::new());
        let (address, tenant) = (address.into(), tenant.into());
        let added = world.change(FromAdmin::UserAdd { address, tenant, role, aliases });
        assert!(matches!(added, ToAdmin::User(_)));
    }
    (world, signed)
}

fn user(world: &World, address: &str) -> terms::UserId {
    world.tables.person_by_address(&world.key, address).unwrap().unwrap()
}

fn forward(world: &mut World, address: &str, to: &[&str], keep: bool) -> ToAdmin {
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    world.change(FromAdmin::Forward { address: address.into(), change: Some((to, keep)) })
}

fn group(world: &mut World, address: &str, members: &[&str]) -> ToAdmin {
    world.change(FromAdmin::GroupChange {
        address: address.into(),
        tenant: Some("Kaede".into()),
        with: members.iter().map(|one| (*one).to_owned()).collect(),
        without: Vec::new(),
    })
}

fn statement(world: &mut World, address: &str) -> Option<Statement> {
    let address = crate::canonical(address, HOST);
    let (tables, key, friends) = (&world.tables, &world.key, &mut world.friends);
    match world.statements.state(tables, key, friends, &address, HOST, now_ms()).unwrap() {
        Stated::Known { statement, .. } => Some(postcard::from_bytes(&statement).unwrap()),
        _ => None,
    }
}

/// `people… | ways…`: a way is `in whose name > to by hop`.
fn leads(world: &mut World, address: &str) -> String {
    let Some(said) = statement(world, address) else { return "nobody".to_owned() };
    assert_eq!(said.transit.is_some(), !said.onward.is_empty() || said.absence.is_some());
    let names: Vec<(terms::UserId, String)> =
        ["aoi@kaede.example", "ben@kaede.example", "cho@kaede.example", "dai@ume.example"]
            .iter()
            .map(|one| (user(world, one), one.split('@').next().unwrap().to_owned()))
            .collect();
    let name = |user: terms::UserId| {
        let found = names.iter().find(|(of, _)| *of == user);
        found.map_or("-".to_owned(), |(_, name)| name.clone())
    };
    let people: Vec<String> = said.recipients.iter().map(|one| name(one.user)).collect();
    let way = |way: &Onward| format!("{}>{} {}", name(way.user), way.to, way.hop.word());
    let ways: Vec<String> = said.onward.iter().map(way).collect();
    format!("{} | {}", people.join(" "), ways.join(", ")).trim().to_owned()
}

#[test]
fn forwards_are_followed_to_their_ends() {
    let (mut world, _) = settled("forwards");
    let check = |world: &mut World, address: &str, expected: &str| {
        assert_eq!(leads(world, address), expected, "{address}");
    };
    forward(&mut world, "aoi@kaede.example", &["Aoi+x@Home.Example"], true);
    check(&mut world, "aoi@kaede.example", "aoi | aoi>Aoi+x@home.example domain home.example");
    check(&mut world, "info@kaede.example", "aoi | aoi>Aoi+x@home.example domain home.example");
    // RFC 5321 §4.1.2, and dots as Japanese carriers gave them out.
    for (to, spelled) in [
        ("\"aoi\"@Home.example", "aoi@home.example"),
        ("\"Aoi T\"@home.example", "\"Aoi T\"@home.example"),
        ("aoi..t.@home.example", "\"aoi..t.\"@home.example"),
    ] {
        forward(&mut world, "aoi@kaede.example", &[to], false);
        let expected = format!("| aoi>{spelled} domain home.example");
        check(&mut world, "aoi@kaede.example", &expected);
    }
    forward(&mut world, "aoi@kaede.example", &["aoi@home.example"], false);
    check(&mut world, "aoi@kaede.example", "| aoi>aoi@home.example domain home.example");
    // A colleague's own forward is followed, too, and in the first one's name.
    forward(&mut world, "ben@kaede.example", &["aoi@kaede.example"], true);
    check(&mut world, "ben@kaede.example", "ben | ben>aoi@home.example domain home.example");
    forward(&mut world, "aoi@kaede.example", &[], true);
    check(&mut world, "ben@kaede.example", "ben | ben>aoi@kaede.example here");
    check(&mut world, "aoi@kaede.example", "aoi |");
    // Another tenant's people get it by the queue.
    forward(&mut world, "cho@kaede.example", &["dai@ume.example"], false);
    check(&mut world, "cho@kaede.example", "| cho>dai@ume.example here");
    // A circle: nobody's mail is lost.
    forward(&mut world, "aoi@kaede.example", &["ben@kaede.example"], false);
    let circle = forward(&mut world, "ben@kaede.example", &["aoi@kaede.example"], false);
    assert!(is_refused(&circle, "does not come back"));
    check(&mut world, "aoi@kaede.example", "| aoi>ben@kaede.example here");
    // By a group, too, and a group in it.
    group(&mut world, "inner@kaede.example", &["aoi@kaede.example"]);
    group(&mut world, "outer@kaede.example", &["inner@kaede.example"]);
    let circle = forward(&mut world, "ben@kaede.example", &["outer@kaede.example"], false);
    assert!(is_refused(&circle, "does not come back"));
    // Whom it goes to is gone: it is kept.
    let disable =
        |address: &str, disabled| FromAdmin::UserDisable { address: address.into(), disabled };
    world.change(disable("dai@ume.example", true));
    check(&mut world, "cho@kaede.example", "cho |");
    world.change(disable("dai@ume.example", false));
    check(&mut world, "cho@kaede.example", "| cho>dai@ume.example here");
    // All of a tenant's mail may leave by one host.
    let tls = HopTls::StartTls;
    let host = SmartHost { name: "relay.example".into(), port: 587, tls };
    let mut settings = SendingSettings { smart_host: Some(host), ..SendingSettings::default() };
    forward(&mut world, "aoi@kaede.example", &["aoi@home.example"], false);
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    let act = |settings| wire::approval::Act::ChangeSending { tenant, settings };
    world.carry(act(settings.clone()));
    check(&mut world, "aoi@kaede.example", "| aoi>aoi@home.example host relay.example 587");
    settings.smart_host = None;
    world.carry(act(settings));
    check(&mut world, "aoi@kaede.example", "| aoi>aoi@home.example domain home.example");
}

#[test]
fn what_no_forward_can_be_is_refused() {
    let (mut world, _) = settled("no-forward");
    let mut check = |to: &[&str], expected: &str| {
        let answer = forward(&mut world, "aoi@kaede.example", to, false);
        assert!(is_refused(&answer, expected), "{to:?}");
    };
    check(&["nobody@kaede.example"], "somebody here");
    check(&["aoi@kaede.example"], "of another");
    check(&["info@kaede.example"], "of another");
    check(&["here"], "local@domain");
    check(&["a b@x.example"], "local@domain");
    check(&["a@[192.0.2.1]"], "local@domain");
    check(&["a>@x.example"], "local@domain");
    let many: Vec<String> = (0..21).map(|number| format!("a{number}@x.example")).collect();
    check(&many.iter().map(String::as_str).collect::<Vec<_>>(), "at most 20");
    let shown =
        world.change(FromAdmin::Forward { address: "aoi@kaede.example".into(), change: None });
    assert!(matches!(shown, ToAdmin::Forward(way) if way.to.is_empty()));
    let add = FromAdmin::UserAdd {
        address: "srs0=x@kaede.example".into(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: Vec::new(),
    };
    assert!(is_refused(&world.change(add), "another address"));
}

#[test]
fn a_group_is_its_members_as_they_are_now() {
    let (mut world, signed) = settled("groups");
    let check = |world: &mut World, address: &str, expected: &str| {
        assert_eq!(leads(world, address), expected, "{address}");
    };
    let members = ["aoi@kaede.example", "ben@kaede.example", "dai@ume.example", "x@out.example"];
    assert!(matches!(group(&mut world, "team@kaede.example", &members), ToAdmin::Groups(_)));
    let others = "->dai@ume.example here, ->x@out.example domain out.example";
    check(&mut world, "team@kaede.example", &format!("aoi ben | {others}"));
    // Who goes, goes from the group, and this is signed at once.
    signed.lock().unwrap().clear();
    let disable =
        |disabled| FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled };
    world.change(disable(true));
    assert!(signed.lock().unwrap().contains(&"team@kaede.example".to_owned()));
    check(&mut world, "team@kaede.example", &format!("ben | {others}"));
    world.change(disable(false));
    forward(&mut world, "aoi@kaede.example", &["aoi@home.example"], true);
    let aoi = "aoi>aoi@home.example domain home.example";
    check(&mut world, "team@kaede.example", &format!("aoi ben | {aoi}, {others}"));
    // A group in a group; one in the other and back is refused, by however many.
    group(&mut world, "all@kaede.example", &["team@kaede.example", "cho@kaede.example"]);
    check(&mut world, "all@kaede.example", &format!("aoi ben cho | {aoi}, {others}"));
    let change = |with: &[&str], without: &[&str]| FromAdmin::GroupChange {
        address: "team@kaede.example".into(),
        tenant: None,
        with: with.iter().map(|one| (*one).to_owned()).collect(),
        without: without.iter().map(|one| (*one).to_owned()).collect(),
    };
    let circle = world.change(change(&["all@kaede.example"], &[]));
    assert!(is_refused(&circle, "contain each other"));
    group(&mut world, "everybody@kaede.example", &["all@kaede.example"]);
    let ToAdmin::Refused { found, .. } = world.change(change(&["Everybody@kaede.example"], &[]))
    else {
        panic!("a circle of three")
    };
    let expected = "everybody@kaede.example, whose mail comes back to team@kaede.example by \
                    all@kaede.example";
    assert_eq!(found, expected);
    check(&mut world, "all@kaede.example", &format!("aoi ben cho | {aoi}, {others}"));
    // One that was made before that was so ends nowhere in between.
    world.change(change(&[], &["dai@ume.example", "x@out.example"]));
    let (of, mut team) = world.tables.group(&world.key, "team@kaede.example").unwrap().unwrap();
    team.members.push("all@kaede.example".into());
    world.tables.keep_group(&world.key, of, &team).unwrap();
    world.tables.forget_statements().unwrap();
    world.statements.forget_all();
    check(&mut world, "all@kaede.example", &format!("aoi ben cho | {aoi}"));
    check(&mut world, "team@kaede.example", &format!("aoi ben cho | {aoi}"));
    // A group's address is nobody else's, and it is not empty.
    assert!(is_refused(
        &group(&mut world, "team@kaede.example", &["ben@kaede.example"]),
        "nobody has"
    ));
    assert!(is_refused(&group(&mut world, "none@kaede.example", &[]), "1 to 100"));
    assert!(is_refused(&group(&mut world, "t@ume.example", &["ben@kaede.example"]), "this tenant"));
    world.change(FromAdmin::GroupRemove { address: "team@kaede.example".into() });
    check(&mut world, "team@kaede.example", "nobody");
    check(&mut world, "all@kaede.example", "cho |");
}

/// Whoever mistypes who is to leave must not believe that they are out.
#[test]
fn nobody_leaves_a_group_who_is_not_in_it() {
    let (mut world, _) = settled("strangers");
    let members = ["aoi@kaede.example", "x@out.example"];
    assert!(matches!(group(&mut world, "team@kaede.example", &members), ToAdmin::Groups(_)));
    let before = leads(&mut world, "team@kaede.example");
    let mut without = |with: &[&str], without: &[&str]| {
        world.change(FromAdmin::GroupChange {
            address: "team@kaede.example".into(),
            tenant: None,
            with: with.iter().map(|one| (*one).to_owned()).collect(),
            without: without.iter().map(|one| (*one).to_owned()).collect(),
        })
    };
    // With another who is one, and with another who joins: nothing of it is done.
    for refused in [
        without(&[], &["ben@kaede.example"]),
        without(&[], &["x@out.example", "y@out.example"]),
        without(&["cho@kaede.example"], &["y@out.example"]),
    ] {
        assert!(is_refused(&refused, "a member of the group"));
    }
    let (_, group) = world.tables.group(&world.key, "team@kaede.example").unwrap().unwrap();
    assert_eq!(group.members, members);
    assert_eq!(leads(&mut world, "team@kaede.example"), before);
    let change = FromAdmin::GroupChange {
        address: "team@kaede.example".into(),
        tenant: None,
        with: Vec::new(),
        without: vec![" X@Out.example".into()],
    };
    assert!(matches!(world.change(change), ToAdmin::Groups(_)));
}

#[test]
fn a_group_too_large_is_not_made() {
    let (mut world, _) = settled("large");
    let names = |front: &str| -> Vec<String> {
        (0..60).map(|number| format!("{front}{number}@out.example")).collect()
    };
    for front in ["a", "b"] {
        let (address, members) = (format!("{front}@kaede.example"), names(front));
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        assert!(matches!(group(&mut world, &address, &members), ToAdmin::Groups(_)));
    }
    let both = group(&mut world, "both@kaede.example", &["a@kaede.example", "b@kaede.example"]);
    assert!(is_refused(&both, "at most 100"));
    assert_eq!(leads(&mut world, "both@kaede.example"), "nobody");
    let none = FromAdmin::GroupList { address: Some("both@kaede.example".into()), tenant: None };
    assert!(is_refused(&world.change(none), "a group"));
}

/// A list told beforehand, as a gateway is asked for with it: of the domain of its first address.
pub(crate) fn asked(world: &mut World, addresses: &[&str]) -> ListAsked {
    let (_, domain) = addresses[0].rsplit_once('@').unwrap();
    let page = FromAdmin::GatewayList {
        domain: domain.to_owned(),
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
        sync_ms: None,
        is_last: true,
        is_asked: true,
    };
    let ToAdmin::Gateway(told) = world.change(page) else { panic!() };
    told.asked.unwrap()
}

/// Asked for with a list, a gateway comes with that very list or not at all.
#[test]
fn a_gateway_comes_with_the_list_that_it_is_asked_for_with() {
    let (mut world, _) = settled("asked-list");
    let host = || SmartHost { name: "mail.ume.example".into(), port: 25, tls: HopTls::StartTls };
    let gateway = |taken, list| FromAdmin::Gateway {
        domain: "ume.example".into(),
        host: Some(host()),
        taken,
        list,
    };
    let first = asked(&mut world, &["Eri@Ume.example", "fumi@ume.example", "eri+x@ume.example"]);
    assert_eq!(first.recipients, 2);
    // Until then it counts for nothing.
    assert_eq!(leads(&mut world, "eri@ume.example"), "nobody");
    assert!(is_refused(&world.change(gateway(Taken::Listed, None)), "a list of recipients"));
    assert!(is_refused(&world.change(gateway(Taken::Any, Some(first.clone()))), "the list of 2"));
    // Told anew with others it is another; the same ones are the same list.
    let other = asked(&mut world, &["gen@ume.example", "hana@ume.example"]);
    assert_ne!(other, first);
    let stale = world.change(gateway(Taken::Listed, Some(first.clone())));
    assert!(is_refused(&stale, "the list of 2 that it is asked for with"));
    assert_eq!(leads(&mut world, "gen@ume.example"), "nobody");
    assert_eq!(asked(&mut world, &["fumi@ume.example", "eri@ume.example"]), first);
    let ToAdmin::Gateway(set) = world.change(gateway(Taken::Listed, Some(first.clone()))) else {
        panic!()
    };
    assert_eq!((set.recipients, set.asked), (Some(2), None));
    assert!(set.sync_ms.is_some());
    assert!(leads(&mut world, "eri@ume.example").contains("mail.ume.example"));
    assert_eq!(leads(&mut world, "gen@ume.example"), "nobody");
    // It is used up; and another one replaces it as lists do.
    let again = world.change(gateway(Taken::Listed, Some(first)));
    assert!(is_refused(&again, "the list of 2"));
    let next = asked(&mut world, &["eri@ume.example"]);
    let ToAdmin::Gateway(set) = world.change(gateway(Taken::Listed, Some(next))) else { panic!() };
    assert_eq!((set.recipients, set.in_grace), (Some(2), 1));
    // To every name: nothing of a list stays.
    world.change(gateway(Taken::Any, None));
    assert!(leads(&mut world, "gen@ume.example").contains("mail.ume.example"));
    let counted = world.tables.count_beyond(&world.key, "ume.example", now_ms()).unwrap();
    assert_eq!(counted, (0, 0));
    assert!(is_refused(&world.change(gateway(Taken::Listed, None)), "a list of recipients"));
}

/// Whoever tells a list in pages, while another tells theirs, is told.
#[test]
fn two_lists_do_not_become_one() {
    let (mut world, _) = settled("asked-twice");
    let page = |address: &str, sync_ms, is_last| FromAdmin::GatewayList {
        domain: "ume.example".into(),
        addresses: vec![address.to_owned()],
        sync_ms,
        is_last,
        is_asked: true,
    };
    let ToAdmin::Gateway(one) = world.change(page("eri@ume.example", None, false)) else {
        panic!()
    };
    // Each begins at a moment of its own.
    let begun = one.sync_ms.unwrap();
    while now_ms() <= begun {
        std::thread::yield_now();
    }
    world.change(page("gen@ume.example", None, false));
    let late = world.change(page("fumi@ume.example", Some(begun), true));
    assert!(is_refused(&late, "the list that was begun"));
    assert!(is_refused(&world.change(page("a@kaede.example", None, true)), "of the domain"));
    // By itself it is told in as many pages as it takes.
    let ToAdmin::Gateway(one) = world.change(page("eri@ume.example", None, false)) else {
        panic!()
    };
    assert_eq!(one.asked, None);
    let last = world.change(page("fumi@ume.example", one.sync_ms, true));
    let ToAdmin::Gateway(whole) = last else { panic!() };
    assert_eq!(whole.asked.map(|asked| asked.recipients), Some(2));
}

/// No request waits so long: a list that nobody asked with is not kept for ever.
#[test]
fn a_list_that_nobody_asks_with_goes() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let (mut world, _) = settled("asked-old");
    let told = asked(&mut world, &["eri@ume.example"]);
    let (tables, key) = (&world.tables, &world.key);
    tables.begin_asked(key, "kaede.example", now_ms() + 7 * DAY_MS).unwrap();
    assert_eq!(tables.asked(key, "ume.example").unwrap(), told);
    tables.begin_asked(key, "kaede.example", now_ms() + 9 * DAY_MS).unwrap();
    assert_eq!(tables.count_asked(key, "ume.example").unwrap(), 0);
}

#[test]
fn a_gateway_s_mail_goes_to_its_server() {
    let (mut world, _) = settled("gateway");
    let domain = || "ume.example".to_owned();
    let host = SmartHost { name: "mail.ume.example".into(), port: 25, tls: HopTls::StartTls };
    let set = |host: Option<&SmartHost>, taken| FromAdmin::Gateway {
        domain: domain(),
        host: host.cloned(),
        taken,
        list: None,
    };
    let reads_elsewhere = |world: &World| {
        world.tables.hosted(&world.key, "ume.example").unwrap().unwrap().reads_elsewhere
    };
    assert!(!reads_elsewhere(&world));
    assert!(matches!(world.change(set(Some(&host), Taken::Any)), ToAdmin::Gateway(_)));
    assert!(reads_elsewhere(&world));
    let said = statement(&mut world, "Anybody@ume.example").unwrap();
    assert!(said.recipients.is_empty());
    let [way] = said.onward.as_slice() else { panic!() };
    assert_eq!((way.to.as_str(), way.path), ("anybody@ume.example", Path::AsItCame));
    assert!(matches!(&way.hop, Hop::Host { name, port: 25, .. } if name == "mail.ume.example"));
    // Who has a mailbox here keeps it.
    assert_eq!(leads(&mut world, "dai@ume.example"), "dai |");
    let all = FromAdmin::CatchAll { domain: domain(), address: Some("dai@ume.example".into()) };
    assert!(is_refused(&world.change(all), "kept here"));
    // With a list the others are nobody; who is missing in the next one stays for a while.
    let asked = Some(asked(&mut world, &["fumi@ume.example"]));
    world.change(FromAdmin::Gateway {
        domain: domain(),
        host: Some(host.clone()),
        taken: Taken::Listed,
        list: asked,
    });
    assert_eq!(leads(&mut world, "eri@ume.example"), "nobody");
    let list = |addresses: &[&str], sync_ms, is_last| FromAdmin::GatewayList {
        domain: domain(),
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
        sync_ms,
        is_last,
        is_asked: false,
    };
    let first = world.change(list(&["Eri@ume.example"], None, false));
    let ToAdmin::Gateway(first) = first else { panic!() };
    let sync_ms = first.sync_ms.unwrap();
    let shown = |world: &mut World| {
        let ToAdmin::Gateway(shown) = world.change(FromAdmin::GatewayShow { domain: domain() })
        else {
            panic!()
        };
        shown
    };
    assert!(shown(&mut world).sync_ms.unwrap() <= sync_ms, "this one was not told to its end");
    assert_eq!(shown(&mut world).in_grace, 0);
    let ToAdmin::Gateway(told) = world.change(list(&["fumi@ume.example"], first.sync_ms, true))
    else {
        panic!()
    };
    assert_eq!(told.recipients, Some(2));
    assert!(leads(&mut world, "eri+x@ume.example").contains("mail.ume.example"));
    assert!(leads(&mut world, "postmaster@ume.example").contains("mail.ume.example"));
    assert_eq!(leads(&mut world, "gen@ume.example"), "nobody");
    world.change(list(&["fumi@ume.example"], Some(sync_ms + 1), true));
    let day = 24 * 60 * 60 * 1000;
    // Who is on the way out is named, and until when; a look changes no moment.
    let now = shown(&mut world);
    assert_eq!((now.recipients, now.in_grace, now.sync_ms), (Some(2), 1, Some(sync_ms + 1)));
    let [going] = now.grace.as_slice() else { panic!("{:?}", now.grace) };
    assert_eq!((going.address.as_deref(), going.is_checked), (Some("eri@ume.example"), false));
    let left = going.until_ms - now_ms();
    assert!(left > 7 * day - 60_000 && left <= 7 * day, "{left}");
    world.change(set(Some(&host), Taken::Listed));
    assert_eq!(shown(&mut world), now, "another word about the domain keeps its list");
    let (key, later) = (&world.key, now_ms() + 8 * day);
    assert_eq!(world.tables.count_beyond(key, "ume.example", later).unwrap(), (1, 0));
    assert!(world.tables.grace(key, "ume.example", later).unwrap().is_empty());
    let is_there = |world: &World, days: u64| {
        let look = Lookup { tables: &world.tables, key: &world.key, now: now_ms() + days * day };
        let tenant = world.tables.domain(&world.key, "ume.example").unwrap().unwrap();
        look.find("eri@ume.example", tenant).unwrap().is_some()
    };
    assert!(is_there(&world, 0) && is_there(&world, 6) && !is_there(&world, 8));
    assert!(is_refused(&world.change(list(&["a@kaede.example"], None, true)), "of the domain"));
    world.change(set(None, Taken::Any));
    assert_eq!(leads(&mut world, "fumi@ume.example"), "nobody");
}

/// What a server says of an address that its list lacks counts as long as one that vanished from
/// it, and no list is undone by it.
#[test]
fn an_address_that_the_server_has_is_taken_for_a_while() {
    let (mut world, _) = settled("checked");
    let domain = || "ume.example".to_owned();
    let host = SmartHost { name: "mail.ume.example".into(), port: 25, tls: HopTls::StartTls };
    let taken = Taken::ListedOrChecked;
    let list = Some(asked(&mut world, &["eri@ume.example"]));
    world.change(FromAdmin::Gateway { domain: domain(), host: Some(host), taken, list });
    let list = |world: &mut World, addresses: &[&str], sync_ms| {
        let addresses = addresses.iter().map(|one| (*one).to_owned()).collect();
        let page = FromAdmin::GatewayList {
            domain: domain(),
            addresses,
            sync_ms,
            is_last: true,
            is_asked: false,
        };
        let ToAdmin::Gateway(told) = world.change(page) else { panic!() };
        (told.recipients, told.checked, told.sync_ms.unwrap())
    };
    let (recipients, checked, sync_ms) = list(&mut world, &["eri@ume.example"], None);
    assert_eq!((recipients, checked), (Some(1), Some(0)));
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Ume").unwrap().unwrap();
    let keep = |world: &World, address: &str| {
        let of = (tenant, "ume.example");
        world.tables.keep_checked(&world.key, of, address, now_ms()).unwrap()
    };
    let stands = |world: &World, address: &str, days: u64| {
        let now = now_ms() + days * 24 * 60 * 60 * 1000;
        world.tables.beyond(&world.key, address, now).unwrap()
    };
    assert!(keep(&world, "new@ume.example") && keep(&world, "eri@ume.example"));
    assert!(leads(&mut world, "New+x@ume.example").contains("mail.ume.example"));
    assert_eq!(leads(&mut world, "other@ume.example"), "nobody");
    let [found] = &world.tables.grace(&world.key, "ume.example", now_ms()).unwrap()[..] else {
        panic!()
    };
    assert_eq!((found.address.as_deref(), found.is_checked), (Some("new@ume.example"), true));
    assert_eq!(stands(&world, "new@ume.example", 6), Beyond::Checked);
    assert_eq!(stands(&world, "new@ume.example", 8), Beyond::Unknown);
    assert_eq!(stands(&world, "eri@ume.example", 8), Beyond::Listed, "a list's word stays");
    // The next list lacks it and does not end it; the one after names it, and it stays.
    let (recipients, checked, _) = list(&mut world, &["eri@ume.example"], Some(sync_ms + 1));
    assert_eq!((recipients, checked), (Some(2), Some(1)));
    assert_eq!(stands(&world, "new@ume.example", 6), Beyond::Checked);
    let both = ["eri@ume.example", "new@ume.example"];
    assert_eq!(list(&mut world, &both, Some(sync_ms + 2)).1, Some(0));
    assert_eq!(stands(&world, "new@ume.example", 80), Beyond::Listed);
}

/// A folder of before keeps its lists; who is on the way out has no name until the next one.
#[test]
fn an_older_folder_gets_its_columns() {
    let (mut world, _) = settled("columns");
    let host = SmartHost { name: "mail.ume.example".into(), port: 25, tls: HopTls::StartTls };
    let (domain, taken) = ("ume.example".to_owned(), Taken::Listed);
    let list = Some(asked(&mut world, &["eri@ume.example"]));
    world.change(FromAdmin::Gateway { domain: domain.clone(), host: Some(host), taken, list });
    let of = world.tables.tenant_by_name(&world.key, "Ume").unwrap().unwrap().0;
    let list = |world: &mut World, address: &str, at: u64| {
        let (key, all) = (&world.key, [address.to_owned()]);
        world.tables.list_beyond(key, (of, "ume.example"), &all, at).unwrap();
        world.tables.end_list(key, "ume.example", at, now_ms()).unwrap();
    };
    list(&mut world, "eri@ume.example", 5);
    let db = rusqlite::Connection::open(world.folder.join("directory.db")).unwrap();
    db.execute_batch("ALTER TABLE gateway DROP COLUMN synced_ms").unwrap();
    db.execute_batch("ALTER TABLE beyond DROP COLUMN sealed").unwrap();
    drop(db);
    world.tables = crate::tables::Tables::open(&world.folder).unwrap();
    assert_eq!(world.tables.synced(&world.key, &domain).unwrap(), None);
    list(&mut world, "fumi@ume.example", 6);
    assert_eq!(world.tables.synced(&world.key, &domain).unwrap(), Some(6));
    let grace = world.tables.grace(&world.key, &domain, now_ms()).unwrap();
    assert_eq!(grace.iter().map(|one| one.address.as_deref()).collect::<Vec<_>>(), [None]);
    list(&mut world, "gen@ume.example", 7);
    let grace = world.tables.grace(&world.key, &domain, now_ms()).unwrap();
    // Both may have left the list in the same millisecond: their order says nothing.
    let mut named: Vec<_> = grace.iter().map(|one| one.address.as_deref()).collect();
    named.sort_unstable();
    assert_eq!(named, [None, Some("fumi@ume.example")]);
}

/// What was written when there was only "listed or not" is read as it was meant.
#[test]
fn an_older_gateway_s_row_is_read() {
    for (was, taken) in [(false, Taken::Any), (true, Taken::Listed)] {
        assert_eq!(postcard::to_stdvec(&was).unwrap(), postcard::to_stdvec(&taken).unwrap());
    }
}

#[test]
fn a_bounce_finds_its_way_back() {
    let (mut world, _) = settled("bounce");
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    let back = |world: &mut World, from: &str| {
        let told = (from, "kaede.example", tenant);
        let path = srs::rewrite(&world.tables, &world.key, told, now_ms()).unwrap().unwrap();
        let said = statement(world, &path).unwrap();
        assert!(said.recipients.is_empty() && said.transit.is_some());
        let [way] = said.onward.as_slice() else { panic!() };
        assert_eq!(way.path, Path::Null);
        format!("{} {}", way.to, way.hop.word())
    };
    let found = back(&mut world, "Bob+1@sender.example");
    assert_eq!(found, "Bob+1@sender.example domain sender.example");
    assert_eq!(back(&mut world, "ben@kaede.example"), "ben@kaede.example here");
    assert!(statement(&mut world, "srs0=aaaaaaaa=aa=sender.example=bob@kaede.example").is_none());
}

#[test]
fn who_is_away_answers_until_they_are_back() {
    let (mut world, _) = settled("away");
    let away = |text: &str, until_ms| FromAdmin::Away {
        address: "aoi@kaede.example".into(),
        absence: Some(AbsenceTold { subject: "Away".into(), text: text.into(), until_ms }),
    };
    let said = |world: &mut World, address: &str| {
        let said = statement(world, address).unwrap();
        said.absence.map(|absence| absence.text)
    };
    let until = now_ms() + 3_600_000;
    assert!(matches!(world.change(away("until Monday", Some(until))), ToAdmin::Forward(_)));
    assert_eq!(said(&mut world, "aoi@kaede.example").as_deref(), Some("until Monday"));
    assert_eq!(said(&mut world, "info@kaede.example").as_deref(), Some("until Monday"));
    assert_eq!(statement(&mut world, "aoi@kaede.example").unwrap().valid_until_ms, until);
    let (tables, key) = (&world.tables, &world.key);
    let tenant = tables.domain(key, "kaede.example").unwrap().unwrap();
    let later = Lookup { tables, key, now: until }.find("aoi@kaede.example", tenant).unwrap();
    assert!(later.unwrap().absence.is_none());
    // Others behind whom they stand do not answer for them.
    group(&mut world, "team@kaede.example", &["aoi@kaede.example"]);
    assert_eq!(said(&mut world, "team@kaede.example"), None);
    // Who keeps nothing here is not here to answer.
    forward(&mut world, "aoi@kaede.example", &["aoi@home.example"], false);
    assert_eq!(said(&mut world, "aoi@kaede.example"), None);
    forward(&mut world, "aoi@kaede.example", &["aoi@home.example"], true);
    assert_eq!(said(&mut world, "aoi@kaede.example").as_deref(), Some("until Monday"));
    world.change(FromAdmin::Away { address: "aoi@kaede.example".into(), absence: None });
    assert_eq!(said(&mut world, "aoi@kaede.example"), None);
    assert!(is_refused(&world.change(away(" ", None)), "a text"));
    assert!(is_refused(&world.change(away("x", Some(1))), "a day to come"));
    assert!(is_refused(&world.change(away(&"x".repeat(4_001), None)), "a text"));
}
