//! Mailing lists: rules, tokens, members' places, what comes back, and what the disk says of it.

use crate::list_mail::Asker;
use crate::lists::place;
use crate::tests::{World, answering, is_refused, key};
use compartment::now_ms;
use std::sync::{Arc, Mutex};
use wire::directory::*;
use wire::lists::*;
use wire::pages::ToPages;
use wire::post::{FromDirectory as ToPost, Outgoing, ToSender};
use wire::vault::{FromDirectory, ToDirectory};

const NEWS: &str = "news@kaede.example";
const OTHER: &str = "other@kaede.example";

/// Aoi, Ben and Cho of Kaede, Dai of Ume, and a list of Kaede's.
fn settled(name: &str) -> World {
    let mut world = World::new(name);
    world.friends.vault = Some(answering(|question: FromDirectory| match question {
        FromDirectory::HasStood { .. } => ToDirectory::Done,
        FromDirectory::Current { .. } => ToDirectory::Keys { body: key(1), summary: key(2) },
        FromDirectory::Transit(_) => ToDirectory::Transit(transit()),
        FromDirectory::Sign(_) => ToDirectory::Signature(vec![2]),
        _ => ToDirectory::Done,
    }));
    world.settle();
    world.change(FromAdmin::TenantAdd { name: "Ume".into() });
    let (domain, tenant) = ("ume.example".into(), "Ume".into());
    world.change(FromAdmin::DomainAdd { domain, tenant });
    for (address, tenant, alias) in [
        ("ben@kaede.example", "Kaede", "benjamin@kaede.example"),
        ("cho@kaede.example", "Kaede", "c@kaede.example"),
        ("dai@ume.example", "Ume", "d@ume.example"),
    ] {
        let (role, aliases) = ("user".into(), vec![alias.into()]);
        let (address, tenant) = (address.into(), tenant.into());
        let added = world.change(FromAdmin::UserAdd { address, tenant, role, aliases });
        assert!(matches!(added, ToAdmin::User(_)));
    }
    for list in [NEWS, OTHER] {
        let change = Change { with_owners: vec!["aoi@kaede.example".into()], ..Change::default() };
        shown(command(&mut world, add(list, change)));
    }
    world
}

/// A public key that something can be sealed to: the base point is one like any other.
fn transit() -> PublicKey {
    let mut bytes = vec![0; 32];
    bytes[0] = 9;
    PublicKey { suite: 2, epoch: 1, bytes }
}

fn add(address: &str, change: Change) -> Command {
    Command::Add { address: address.into(), tenant: "Kaede".into(), change }
}

fn command(world: &mut World, command: Command) -> ToAdmin {
    world.change(FromAdmin::List(command))
}

fn shown(answer: ToAdmin) -> List {
    match answer {
        ToAdmin::Lists(mut lists) if lists.len() == 1 => lists.remove(0),
        ToAdmin::Refused { expected, found, hint } => panic!("{expected}, {found} ({hint})"),
        _ => panic!("no list"),
    }
}

fn members(list: &str, with: &[&str], without: &[&str]) -> Command {
    let all = |some: &[&str]| some.iter().map(|one| (*one).to_owned()).collect();
    Command::Members { address: list.into(), with: all(with), without: all(without) }
}

fn asked(world: &mut World, asker: Asker, question: Question) -> Answer {
    world.changes_now().list_mail(asker, question).unwrap()
}

fn permit(world: &mut World, list: &str) -> [u8; 16] {
    let author = Some("aoi@kaede.example".to_owned());
    let question = Question::MayPost { list: list.into(), author, bytes: 1 };
    match asked(world, Asker::Edge, question) {
        Answer::May(May::Yes { permit }) => permit,
        other => panic!("{other:?}"),
    }
}

fn copies(world: &mut World, list: &str) -> Vec<Copy> {
    let permit = permit(world, list);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let question = Question::Copies { list: list.into(), permit, after };
        let Answer::Copies(page) = asked(world, Asker::Depart, question) else { panic!("no page") };
        all.extend(page.copies);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

fn copy_of(world: &mut World, list: &str, member: &str) -> Copy {
    copies(world, list).into_iter().find(|copy| copy.to == member).unwrap()
}

fn is_member(world: &World, list: &str, member: &str) -> bool {
    let place = place(&world.key, list, member);
    world.tables.member(&world.key, &place).unwrap().is_some()
}

fn letters(world: &World) -> u64 {
    world.tables.count_rows("SELECT COUNT(*) FROM letter", ()).unwrap()
}

#[test]
fn who_may_post() {
    let mut world = settled("list-rules");
    command(&mut world, members(NEWS, &["ben@kaede.example", "Bob@Sender.Example"], &[]));
    let mut check = |posting: Posting, author: &str, expected: &str| {
        let change = Change { posting: Some(posting), bytes: Some(500), ..Change::default() };
        shown(command(&mut world, Command::Set { address: NEWS.into(), change }));
        let author = Some(author.to_owned()).filter(|author| !author.is_empty());
        let question = Question::MayPost { list: NEWS.into(), author, bytes: 100 };
        let found = match asked(&mut world, Asker::Edge, question) {
            Answer::May(May::Yes { .. }) => "yes",
            Answer::May(May::No) => "no",
            _ => "odd",
        };
        assert_eq!(found, expected, "{posting:?}");
    };
    for (author, by_members, by_owners) in [
        ("bob@sender.example", "yes", "no"),
        ("bob+x@sender.example", "no", "no"),
        ("ben@kaede.example", "yes", "no"),
        ("Benjamin+notes@Kaede.example", "yes", "no"),
        ("aoi@kaede.example", "yes", "yes"),
        ("cho@kaede.example", "no", "no"),
        ("carol@sender.example", "no", "no"),
        ("", "no", "no"),
    ] {
        check(Posting::Members, author, by_members);
        check(Posting::Owners, author, by_owners);
        check(Posting::Anyone, author, "yes");
    }
    let too_large = |world: &mut World, author: &str| {
        let author = Some(author.to_owned());
        asked(world, Asker::Edge, Question::MayPost { list: NEWS.into(), author, bytes: 501 })
    };
    let change = Change { posting: Some(Posting::Members), ..Change::default() };
    shown(command(&mut world, Command::Set { address: NEWS.into(), change }));
    let limit = Answer::May(May::TooLarge { limit: 500 });
    assert_eq!(too_large(&mut world, "aoi@kaede.example"), limit);
    // A stranger does not learn the limit.
    assert_eq!(too_large(&mut world, "carol@sender.example"), Answer::May(May::No));
    let nowhere = Question::MayPost { list: "x@kaede.example".into(), author: None, bytes: 1 };
    assert_eq!(asked(&mut world, Asker::Edge, nowhere), Answer::Unknown);
}

#[test]
fn each_asker_has_its_own_questions() {
    let mut world = settled("list-askers");
    let find = |world: &World, address: &str| {
        let user = world.tables.person_by_address(&world.key, address).unwrap().unwrap();
        (world.tables.person(&world.key, user).unwrap().unwrap().0, user)
    };
    let (tenant, aoi) = find(&world, "aoi@kaede.example");
    let (ume, dai) = find(&world, "dai@ume.example");
    let post = || Question::MayPost { list: NEWS.into(), author: None, bytes: 1 };
    let answer = asked(&mut world, Asker::Dispatch(tenant, aoi), post());
    assert!(matches!(answer, Answer::May(May::Yes { .. })));
    let answer = asked(&mut world, Asker::Dispatch(ume, dai), post());
    assert_eq!(answer, Answer::May(May::No));
    command(&mut world, members(NEWS, &["d@ume.example"], &[]));
    let answer = asked(&mut world, Asker::Dispatch(ume, dai), post());
    assert!(matches!(answer, Answer::May(May::Yes { .. })), "a member by an alias");
    let author = Some("aoi@kaede.example".to_owned());
    let copies = |permit| Question::Copies { list: NEWS.into(), permit, after: None };
    for (asker, question) in [
        (Asker::Dispatch(tenant, aoi), Question::MayPost { list: NEWS.into(), author, bytes: 1 }),
        (Asker::Dispatch(tenant, aoi), Question::Unsubscribe { address: NEWS.into() }),
        (Asker::Dispatch(tenant, aoi), copies([0; 16])),
        (Asker::Edge, copies([0; 16])),
        (Asker::Depart, post()),
    ] {
        assert!(world.changes_now().list_mail(asker, question.clone()).is_none(), "{question:?}");
    }
    // Members are told against the list's own permit, for as long as mail is carried.
    let other = permit(&mut world, OTHER);
    for wrong in [[0; 16], other] {
        assert_eq!(asked(&mut world, Asker::Depart, copies(wrong)), Answer::Unknown);
    }
    let day = 24 * 60 * 60 * 1000;
    let day_of = |ms: u64| crate::lists::permit(&world.key, NEWS, ms / day);
    let (old, recent) = (day_of(now_ms() - 7 * day), day_of(now_ms() - 6 * day));
    assert_eq!(asked(&mut world, Asker::Depart, copies(old)), Answer::Unknown);
    assert!(matches!(asked(&mut world, Asker::Depart, copies(recent)), Answer::Copies(_)));
}

#[test]
fn a_word_is_one_subscription_s_and_serves_once() {
    let mut world = settled("list-words");
    for list in [NEWS, OTHER] {
        shown(command(
            &mut world,
            members(list, &["bob@sender.example", "ben@kaede.example"], &[]),
        ));
    }
    let bob = copy_of(&mut world, NEWS, "bob@sender.example");
    let ben = copy_of(&mut world, NEWS, "ben@kaede.example");
    let elsewhere = copy_of(&mut world, OTHER, "bob@sender.example");
    let all = [&bob.unsubscribe, &bob.from, &ben.unsubscribe, &elsewhere.unsubscribe];
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(bob.unsubscribe.split('@').next().unwrap().len() <= 64);
    let mut unsubscribe = |address: &str| {
        asked(&mut world, Asker::Edge, Question::Unsubscribe { address: address.into() })
    };
    // Forged in any letter, of another kind, or of another domain: nothing.
    for at in 0..bob.unsubscribe.len() {
        let mut touched = bob.unsubscribe.clone().into_bytes();
        touched[at] = if touched[at] == b'q' { b'r' } else { b'q' };
        let touched = String::from_utf8(touched).unwrap();
        let is_spare = bob.unsubscribe.find('@') == Some(at + 1);
        assert!(is_spare || unsubscribe(&touched) == Answer::Unknown, "{touched}");
    }
    let at_another = bob.unsubscribe.replace("kaede", "ume");
    for wrong in [bob.from.as_str(), &at_another, NEWS, "unsubscribe-@kaede.example", ""] {
        assert_eq!(unsubscribe(wrong), Answer::Unknown, "{wrong}");
    }
    let forged = [&bob.token[..23], &[bob.token[23] ^ 1]].concat();
    for wrong in
        [&forged[..], &bob.token[..16], &[], &[0; 24], &[bob.token.as_slice(), &[0]].concat()]
    {
        assert_eq!(world.changes_now().unsubscribe(wrong).unwrap(), ToPages::Unknown);
    }
    assert!(is_member(&world, NEWS, "bob@sender.example") && letters(&world) == 0);
    // By link, and by mail: that one and nobody else, once.
    assert_eq!(world.changes_now().unsubscribe(&bob.token).unwrap(), ToPages::Done);
    // Asked again, it is over, and nobody is told twice.
    assert_eq!(world.changes_now().unsubscribe(&bob.token).unwrap(), ToPages::Over);
    assert_eq!(world.changes_now().subscription(&bob.token).unwrap(), ToPages::Over);
    assert_eq!((letters(&world), is_member(&world, NEWS, "bob@sender.example")), (1, false));
    let ask = Question::Unsubscribe { address: ben.unsubscribe.to_uppercase().to_lowercase() };
    assert_eq!(asked(&mut world, Asker::Depart, ask.clone()), Answer::Done);
    assert!(!is_member(&world, NEWS, "bob@sender.example"));
    assert!(!is_member(&world, NEWS, "ben@kaede.example"));
    assert!(is_member(&world, OTHER, "bob@sender.example"));
    assert_eq!(letters(&world), 2);
    assert_eq!(world.changes_now().unsubscribe(&bob.token).unwrap(), ToPages::Over);
    assert_eq!(asked(&mut world, Asker::Edge, ask), Answer::Unknown);
    assert_eq!(letters(&world), 2);
    // Taken in again, the old one is still worth nothing.
    command(&mut world, members(NEWS, &["bob@sender.example"], &[]));
    assert_eq!(world.changes_now().unsubscribe(&bob.token).unwrap(), ToPages::Over);
    assert!(is_member(&world, NEWS, "bob@sender.example"));
    assert_eq!(world.state(&bob.unsubscribe), "Unknown");
    assert_ne!(world.state(&elsewhere.unsubscribe), "Unknown");
}

#[test]
fn members_are_followed_to_where_their_mail_goes() {
    let mut world = settled("list-places");
    let mut group = FromAdmin::GroupChange {
        address: "team@kaede.example".into(),
        tenant: Some("Kaede".into()),
        with: vec!["ben@kaede.example".into(), "x@partner.example".into()],
        without: Vec::new(),
    };
    world.change(std::mem::replace(&mut group, FromAdmin::TenantList));
    let to = vec!["Cho.Home@Away.Example".into()];
    world.change(FromAdmin::Forward {
        address: "cho@kaede.example".into(),
        change: Some((to, false)),
    });
    let all = [
        "ben@kaede.example",
        "benjamin@kaede.example",
        "team@kaede.example",
        "cho@kaede.example",
        "dai@ume.example",
        "Bob@sender.example",
        "bob@sender.example",
        "postmaster@sender.example",
    ];
    let list = shown(command(&mut world, members(NEWS, &all, &[])));
    assert_eq!(list.members, 7, "one person outside is one member");
    let mut found: Vec<String> = copies(&mut world, NEWS)
        .iter()
        .map(|copy| format!("{} by {} {}", copy.to, copy.hop.word(), copy.users.len()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "Bob@sender.example by domain sender.example 0",
            "Cho.Home@away.example by domain away.example 0",
            "ben@kaede.example by here 1",
            "benjamin@kaede.example by here 1",
            "dai@ume.example by here 0",
            "postmaster@sender.example by domain sender.example 0",
            "team@kaede.example by here 1",
            "x@partner.example by domain partner.example 0",
        ]
    );
    let statement = world.state(NEWS);
    assert!(!statement.contains("ben") && !statement.contains("bob"), "{statement}");
}

#[test]
fn a_large_list_is_told_in_pages() {
    let mut world = settled("list-pages");
    let all: Vec<String> = (0..600).map(|n| format!("m{n}@sender.example")).collect();
    for page in all.chunks(PAGE) {
        let page: Vec<&str> = page.iter().map(String::as_str).collect();
        shown(command(&mut world, members(NEWS, &page, &[])));
    }
    let mut found: Vec<String> = copies(&mut world, NEWS).into_iter().map(|copy| copy.to).collect();
    found.sort_unstable();
    let mut expected = all.clone();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let many: Vec<&str> = all.iter().take(PAGE + 1).map(String::as_str).collect();
    assert!(is_refused(&command(&mut world, members(OTHER, &many, &[])), "at most 250 at once"));
}

#[test]
fn what_comes_back_again_and_again_suspends() {
    let mut world = settled("list-returned");
    command(&mut world, members(NEWS, &["gone@sender.example", "bob@sender.example"], &[]));
    let gone = copy_of(&mut world, NEWS, "gone@sender.example");
    let day = 24 * 60 * 60 * 1000;
    let returned = |world: &mut World, address: &str, at: u64| {
        world.changes_now().returned(address, at).unwrap()
    };
    let now = now_ms();
    assert_eq!(returned(&mut world, &gone.unsubscribe, now), Answer::Unknown);
    // Now and then is no reason.
    for month in 0..8 {
        assert_eq!(returned(&mut world, &gone.from, now + month * 31 * day), Answer::Done);
    }
    let is_told = |world: &mut World| copies(world, NEWS).iter().any(|one| one.to == gone.to);
    let late = now + 300 * day;
    for _ in 0..4 {
        returned(&mut world, &gone.from, late);
        assert!(is_told(&mut world) && letters(&world) == 0);
    }
    returned(&mut world, &gone.from, late);
    assert!(!is_told(&mut world));
    returned(&mut world, &gone.from, late);
    assert_eq!(letters(&world), 1, "the owners hear it once");
    let list = shown(command(&mut world, Command::Show { address: NEWS.into() }));
    assert_eq!((list.members, list.suspended), (2, 1));
    // Out and in again: a new beginning.
    command(&mut world, members(NEWS, &[], &["GONE@sender.example"]));
    command(&mut world, members(NEWS, &["gone@sender.example"], &[]));
    assert!(is_told(&mut world));
}

/// The address is there, and its server did not take a message: counted, never suspended, and the
/// owners hear of the first of a day.
#[test]
fn what_members_do_not_get_is_counted_and_told_to_the_owners() {
    let mut world = settled("list-undelivered");
    command(&mut world, members(NEWS, &["gone@sender.example", "bob@sender.example"], &[]));
    let from = ["gone@sender.example", "bob@sender.example"]
        .map(|member| copy_of(&mut world, NEWS, member));
    let day = 24 * 60 * 60 * 1000;
    let missed = |world: &mut World, from: &str, why: &str, at: u64| {
        world.changes_now().undelivered(from, why, at).unwrap()
    };
    let now = now_ms();
    let unsubscribe = &from[0].unsubscribe;
    assert_eq!(missed(&mut world, unsubscribe, "too-large", now), Answer::Unknown);
    for _ in 0..9 {
        assert_eq!(missed(&mut world, &from[0].from, "require-tls", now), Answer::Done);
    }
    assert_eq!(missed(&mut world, &from[1].from, "<b>x</b>", now + day - 1), Answer::Done);
    assert_eq!(letters(&world), 1, "one a day");
    missed(&mut world, &from[1].from, "too-large", now + day);
    assert_eq!(letters(&world), 2);
    let found = |world: &mut World| {
        let list = shown(command(world, Command::Show { address: NEWS.into() }));
        assert_eq!(list.suspended, 0);
        let shown = list.shown.unwrap().into_iter();
        let one = |one: wire::lists::Member| (one.undelivered, one.undelivered_why);
        shown.map(one).collect::<Vec<_>>()
    };
    let why = |why: &str| Some(why.to_owned());
    assert_eq!(found(&mut world), [(2, why("too-large")), (9, why("require-tls"))]);
    // After a month it begins anew, and it goes with the subscription and the list.
    missed(&mut world, &from[0].from, "content", now + 31 * day);
    assert_eq!(found(&mut world)[1], (1, why("content")));
    command(&mut world, members(NEWS, &[], &["gone@sender.example"]));
    command(&mut world, members(NEWS, &["gone@sender.example"], &[]));
    assert_eq!(found(&mut world)[1], (0, None));
    command(&mut world, Command::Remove { address: NEWS.into() });
    let left = world.tables.count_rows("SELECT COUNT(*) FROM undelivered", ()).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn letters_go_to_the_queue_once() {
    let mut world = settled("list-letters");
    let all = ["bob@sender.example", "ben@kaede.example"];
    command(&mut world, members(NEWS, &all, &[]));
    command(&mut world, members(NEWS, &[], &all));
    assert_eq!(letters(&world), 2);
    assert!(world.changes_now().send_letters().is_err(), "the queue is away");
    assert_eq!(letters(&world), 2);
    let queued: Arc<Mutex<Vec<Outgoing>>> = Arc::default();
    let seen = queued.clone();
    world.friends.post = Some(answering(move |question: ToPost| {
        let ToPost::Queue(outgoing) = question else { panic!("another question") };
        seen.lock().unwrap().push(*outgoing);
        ToSender::Queued
    }));
    assert!(!world.changes_now().send_letters().unwrap());
    assert_eq!(letters(&world), 0);
    let queued = queued.lock().unwrap();
    assert_eq!(queued.len(), 2);
    let is_letter =
        |one: &Outgoing| one.legs.len() == 1 && one.legs[0].recipients == 1 && one.size < 16 * 1024;
    assert!(queued.iter().all(is_letter));
    assert_ne!(queued[0].message, queued[1].message);
}

#[test]
fn what_no_list_can_be_is_refused() {
    let mut world = settled("no-list");
    let owners = || Change { with_owners: vec!["aoi@kaede.example".into()], ..Change::default() };
    let mut check = |command: Command, expected: &str| {
        let answer = world.change(FromAdmin::List(command.clone()));
        assert!(is_refused(&answer, expected), "{command:?}");
    };
    check(add("aoi@kaede.example", owners()), "an address that nobody has");
    check(add(NEWS, owners()), "an address that nobody has");
    check(add("news-owner@kaede.example", owners()), "an address that nobody has");
    check(add("x-owner@kaede.example", owners()), "a name whose NAME-owner is free, too");
    check(add("x@ume.example", owners()), "a domain of this tenant");
    let word = format!("unsubscribe-{}@kaede.example", "a".repeat(39));
    check(add(&word, owners()), "another address");
    let named = |name: &str| Change { name: Some(name.into()), ..owners() };
    check(add("x@kaede.example", named("a\r\nBcc: b")), "a name of 1 to 200 octets");
    let large = Change { bytes: Some(u64::MAX), ..owners() };
    check(add("x@kaede.example", large), "1 to 52428800 octets");
    let listed = Change { with_owners: vec![NEWS.into()], ..Change::default() };
    check(add("x@kaede.example", listed), "an address that is no list's");
    check(members(NEWS, &[OTHER], &[]), "an address that is no list's");
    check(members(NEWS, &["nobody@kaede.example"], &[]), "an address that somebody here has");
    check(members(NEWS, &["nonsense"], &[]), "an address local@domain");
    check(members(NEWS, &[], &["bob@sender.example"]), "the address of a member");
    check(members("x@kaede.example", &[], &[]), "the address of a list");
    let alone = Change { without_owners: vec!["aoi@kaede.example".into()], ..Change::default() };
    check(Command::Set { address: NEWS.into(), change: alone }, "an owner");
    // A list is in no group, no forward and no person's address.
    let mut check = |question: FromAdmin, expected: &str| {
        assert!(is_refused(&world.change(question), expected), "{expected}");
    };
    check(
        FromAdmin::GroupChange {
            address: "team@kaede.example".into(),
            tenant: Some("Kaede".into()),
            with: vec![NEWS.into()],
            without: Vec::new(),
        },
        "an address that is no list's",
    );
    let (address, tenant) = (NEWS.to_owned(), "Kaede".to_owned());
    let (role, aliases) = ("user".to_owned(), Vec::new());
    check(FromAdmin::UserAdd { address, tenant, role, aliases }, "an address that nobody has");
}

#[test]
fn owners_have_an_address_and_nothing_of_it_lies_open_on_the_disk() {
    let mut world = settled("list-disk");
    let change = Change { name: Some("Secret society".into()), ..Change::default() };
    shown(command(&mut world, Command::Set { address: NEWS.into(), change }));
    command(&mut world, members(NEWS, &["bob@sender.example"], &[]));
    assert_ne!(world.state("news-owner@kaede.example"), "Unknown");
    command(&mut world, members(NEWS, &["gone@sender.example"], &["bob@sender.example"]));
    world.tables.wipe().unwrap();
    let mut all = Vec::new();
    for file in std::fs::read_dir(&world.folder).unwrap() {
        all.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    for word in ["news@", "bob@", "gone@", "Secret", "kaede", "sender"] {
        let is_there = all.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!is_there, "{word}");
    }
    // With the list go its subscriptions, and its words.
    let gone = copy_of(&mut world, NEWS, "gone@sender.example");
    shown(command(&mut world, Command::Remove { address: NEWS.into() }));
    assert!(!is_member(&world, NEWS, "gone@sender.example"));
    for address in [NEWS, "news-owner@kaede.example", &gone.from, &gone.unsubscribe] {
        assert_eq!(world.state(address), "Unknown", "{address}");
    }
}
