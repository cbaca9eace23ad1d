//! Cases: one for each judgement, by a clock that is an argument.

use crate::incident::{Action, Whose, raw};
use crate::{Bounds, Cause, Fact, Incident, Program, Vigil};
use evidence::{Body, Class, Entry, Released, Word};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};

const T: TenantId = TenantId([1; 8]);
const AOI: UserId = UserId([2; 8]);
const NOBODY: UserId = UserId([9; 8]);
const A: InstanceId = InstanceId([3; 6]);
const B: InstanceId = InstanceId([4; 6]);
const G: GrantId = GrantId([5; 16]);
const HOUR: u64 = 3_600_000;
const START: u64 = 1_000_000 * HOUR;

fn entry(at_ms: u64, author: Kind, body: Body) -> Fact {
    Fact::Entry(Entry { author, start: InstanceId([7; 6]), seq: 0, time_ms: at_ms, body })
}

fn birth(instance: InstanceId) -> Body {
    let version = Word::new("1");
    let kind = Kind::Access;
    Body::ProcessStart { instance, kind, pid: 1, version, zygote: None, key: None, serves: None }
}

fn sign_in(instance: InstanceId, ok: bool, user: UserId) -> Body {
    signed(instance, "imap", ok, user)
}

fn signed(instance: InstanceId, protocol: &str, ok: bool, user: UserId) -> Body {
    let protocol = Word::new(protocol);
    Body::SignIn { instance, protocol, ok, tenant: Some(T), user: Some(user), credential: None }
}

fn grant(instance: InstanceId, user: UserId, until_ms: u64) -> Body {
    Body::Grant { grant: G, instance, tenant: T, user, until_ms }
}

fn release(instance: InstanceId, user: UserId, items: usize) -> Body {
    let released = Released::Bodies(vec![MessageId([0; 16]); items]);
    assert_eq!(released.class(), Class::Body);
    Body::Release { vault_seq: 0, instance, grant: G, tenant: T, user, released }
}

/// One fact after the other; what was said of each.
fn told(vigil: &mut Vigil, facts: &[(u64, Fact)]) -> Vec<Cause> {
    let causes = |all: Vec<Incident>| all.into_iter().map(|one| one.cause).collect::<Vec<_>>();
    facts.iter().flat_map(|(at_ms, fact)| causes(vigil.weigh(*at_ms, fact))).collect()
}

/// A story in the ledger, all within a second.
fn check(story: &[Body], expected: &[Cause]) {
    let mut vigil = Vigil::new(Bounds::default());
    vigil.know_decoys([(T, NOBODY)]);
    let facts: Vec<(u64, Fact)> =
        story.iter().map(|body| (START, entry(START, Kind::Vault, body.clone()))).collect();
    assert_eq!(told(&mut vigil, &facts), expected, "{story:?}");
}

#[test]
fn mail_is_opened_after_a_fresh_sign_in_and_not_otherwise() {
    let until = START + 900_000;
    let (born, signed, granted) = (birth(A), sign_in(A, true, AOI), grant(A, AOI, until));
    let opened = release(A, AOI, 1);
    let all = [born.clone(), signed.clone(), granted.clone(), opened.clone()];
    check(&all, &[]);
    check(&[born.clone(), granted.clone()], &[Cause::NoSignIn]);
    check(&[born.clone(), sign_in(A, false, AOI), granted.clone()], &[Cause::NoSignIn]);
    check(&[born.clone(), signed.clone(), opened.clone()], &[Cause::NoSignIn]);
    check(
        &[born.clone(), signed.clone(), grant(A, AOI, START - 1), opened.clone()],
        &[Cause::NoSignIn],
    );
    let other = [birth(A), birth(B), signed, granted.clone(), release(B, AOI, 1)];
    check(&other, &[Cause::NoSignIn]);
    // Born before anything was read: nothing is known of it, and nothing is said.
    check(&[granted, opened], &[]);
}

#[test]
fn a_session_has_an_end() {
    let mut vigil = Vigil::new(Bounds::default());
    let later = START + 25 * HOUR;
    let story = [
        (START, birth(A)),
        (START, sign_in(A, true, AOI)),
        (later, grant(A, AOI, later + 900_000)),
    ];
    let facts: Vec<_> =
        story.into_iter().map(|(at, body)| (at, entry(at, Kind::Identity, body))).collect();
    assert_eq!(told(&mut vigil, &facts), [Cause::NoSignIn]);
}

#[test]
fn what_follows_is_a_replaced_instance_and_a_frozen_person() {
    let mut vigil = Vigil::new(Bounds::default());
    vigil.weigh(START, &entry(START, Kind::Warden, birth(A)));
    let found = vigil.weigh(START, &entry(START, Kind::Identity, grant(A, AOI, START + 1)));
    let [incident] = found.as_slice() else { panic!("{found:?}") };
    let freeze = Action::Freeze(Whose::Person(T, AOI));
    assert_eq!(incident.actions, [Action::Replace(A), freeze]);
    // A kill or a refused call freezes nobody.
    assert_eq!(raw(A, Kind::Access, "execve", "refused").actions, []);
}

/// Instance after instance of a kind leaves its charter; what is to be isolated then.
fn struck(instances: u8, apart_ms: u64, drilled: bool) -> Vec<(Cause, Vec<Action>)> {
    let mut vigil = Vigil::new(Bounds { strikes: (3, 600_000), ..Bounds::default() });
    let mut found = Vec::new();
    for number in 0..instances {
        let (instance, kind) = (InstanceId([number; 6]), Kind::Scanner);
        let at_ms = START + u64::from(number) * apart_ms;
        let pid = u32::from(number);
        vigil.weigh(at_ms, &Fact::Born { instance, kind, pid, is_instance: true, drilled });
        for call in ["socket", "execve"] {
            let (call, what) = (call.to_owned(), "refused".to_owned());
            found.extend(vigil.weigh(at_ms, &Fact::Raw { instance, kind, call, what }));
        }
    }
    let acting = found.into_iter().filter(|one| !one.actions.is_empty());
    acting.map(|one| (one.cause, one.actions)).collect()
}

#[test]
fn a_kind_that_leaves_its_charter_again_and_again_is_isolated() {
    let once = || vec![(Cause::OffCharter, vec![Action::Isolate(Kind::Scanner)])];
    assert_eq!(struck(2, 1_000, false), []);
    assert_eq!(struck(3, 1_000, false), once());
    // Counted anew from there.
    assert_eq!(struck(5, 1_000, false), once());
    // Rarely enough is no storm, and a drill's are ours.
    assert_eq!(struck(20, 400_000, false), []);
    assert_eq!(struck(20, 1_000, true), []);
}

#[test]
fn decoys() {
    check(&[birth(A), signed(A, "approval", false, NOBODY)], &[Cause::Decoy]);
    // Told by `identity` itself, at once.
    check(&[birth(A), signed(A, "decoy", false, NOBODY)], &[]);
    check(&[birth(A), sign_in(A, true, NOBODY)], &[Cause::Decoy]);
    check(&[release(A, NOBODY, 1)], &[Cause::Decoy]);
    let mut vigil = Vigil::new(Bounds::default());
    let fact = |what: &str| Fact::Raw {
        instance: A,
        kind: Kind::Identity,
        call: "report".to_owned(),
        what: what.to_owned(),
    };
    assert_eq!(told(&mut vigil, &[(START, fact("a decoy was touched: imap"))]), [Cause::Decoy]);
    assert_eq!(told(&mut vigil, &[(START, fact("a budget is spent"))]), [Cause::Report]);
    // Whose name it is, and whose mail waits: as identity and dispatch say it.
    let touched =
        format!("a decoy was touched: imap at 010203040506, for user {NOBODY} of tenant {T}");
    let held = format!("outgoing message 00ff of user {AOI} of tenant {T} is held: x");
    let server = format!("outgoing message 00ff of a server of tenant {T} is held: x");
    for (what, user) in [(touched, Some(NOBODY)), (held, Some(AOI)), (server, None)] {
        let found = vigil.weigh(START, &fact(&what));
        let [incident] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((incident.tenant, incident.user), (Some(T), user), "{what}");
    }
    // A letter to a decoy is no more than a letter.
    let body = Body::Deliver { instance: B, tenant: T, messages: Vec::new(), connection: None };
    check(&[body], &[]);
}

/// Who is frozen and what is ended after a story; a report's word and a stranger freeze nobody.
#[test]
fn who_touches_a_decoy_is_frozen_on_evidence_alone() {
    let case = |story: &[Body], whose: &[UserId], ended: bool| {
        let mut vigil = Vigil::new(Bounds::default());
        vigil.know_decoys([(T, NOBODY)]);
        let weigh = |body: &Body| vigil.weigh(START, &entry(START, Kind::Identity, body.clone()));
        let found: Vec<Incident> = story.iter().flat_map(weigh).collect();
        let mut expected: Vec<Action> = Vec::new();
        expected.extend(ended.then_some(Action::Replace(A)));
        expected.extend(whose.iter().map(|user| Action::Freeze(Whose::Person(T, *user))));
        let actions: Vec<Action> = found.into_iter().flat_map(|one| one.actions).collect();
        assert_eq!(actions, expected, "{story:?}");
    };
    // As `identity` writes it; nobody needs to know yet that it is one.
    let touched = || signed(A, "decoy", false, UserId([8; 8]));
    // A stranger types a decoy's name, or brings its secret under somebody's name.
    case(&[birth(A), touched()], &[], false);
    case(&[birth(A), touched(), touched()], &[], false);
    // Another connection of another stranger, or of the same one: nobody knows.
    case(&[touched(), sign_in(B, true, AOI), sign_in(B, false, AOI)], &[], false);
    // Without a decoy a refusal that names a person says nothing.
    case(&[birth(A), sign_in(A, false, AOI)], &[], false);
    // The same hand has a person's secret.
    case(&[touched(), sign_in(A, false, AOI)], &[AOI], true);
    // It came in as a person, and then reached for the decoy.
    case(&[sign_in(A, true, AOI), touched()], &[AOI], true);
    // By a pass somebody else reads: it is not the person whose mailbox it is.
    case(&[signed(A, "case", true, AOI), touched()], &[], true);
    case(&[touched(), signed(A, "export", false, AOI)], &[], false);
    // A wrong password at the command line names whose it is not.
    case(&[touched(), signed(A, "approval", false, AOI)], &[], false);
    case(&[signed(A, "approval", false, NOBODY)], &[], false);
    // Somebody asserted a sign-in, a grant, a release that cannot be.
    case(&[sign_in(A, true, NOBODY)], &[NOBODY], true);
    case(&[grant(A, NOBODY, START + 1)], &[NOBODY], true);
    case(&[release(A, NOBODY, 1)], &[NOBODY], true);
    case(&[sign_in(A, true, AOI), release(A, NOBODY, 1)], &[NOBODY, AOI], true);
    // What an instance did is gone with it; and what was done before a restart is remembered.
    let stop =
        Body::ProcessStop { instance: A, clean: true, cause: Word::new("ended"), last_seq: None };
    case(&[touched(), stop, sign_in(A, false, AOI)], &[], false);
    let mut vigil = Vigil::new(Bounds::default());
    vigil.know_decoys([(T, NOBODY)]);
    vigil.learn(true);
    assert_eq!(vigil.weigh(START, &entry(START, Kind::Identity, touched())), []);
    vigil.learn(false);
    let came = vigil.weigh(START, &entry(START, Kind::Identity, sign_in(A, false, AOI)));
    assert_eq!(came[0].actions.len(), 2);
    // Whoever says so without the ledger: an alarm, and nothing done to anybody.
    let lie = format!("a decoy was touched: imap at {A}, for user {AOI} of tenant {T}");
    assert_eq!(raw(A, Kind::Identity, "report", &lie).actions, []);
}

#[test]
fn keys_without_a_recorded_change() {
    let key = || {
        let (what, tenant, user) = (Word::new("user"), Some(T), Some(AOI));
        Body::KeyCreate { what, epoch: 0, tenant, user }
    };
    let change = || {
        let (what, tenant, user) = (Word::new("user.add"), Some(T), Some(AOI));
        Body::RuleChange { what, tenant, user, weakened: None, by: None, credential: None }
    };
    let case = |story: &[Body], expected: &[Cause]| {
        let mut vigil = Vigil::new(Bounds::default());
        for body in story {
            vigil.weigh(START, &entry(START, Kind::Vault, body.clone()));
        }
        assert!(vigil.tick(START + 9_999).is_empty());
        let found: Vec<Cause> = vigil.tick(START + 10_000).iter().map(|one| one.cause).collect();
        assert_eq!(found, expected);
    };
    case(&[key()], &[Cause::Unrecorded]);
    case(&[key(), change()], &[]);
    case(&[change(), key()], &[]);
}

#[test]
fn a_burst_in_an_hour_that_was_always_quiet() {
    let mut vigil = Vigil::new(Bounds::default());
    let mut open = |hour: u64, items: usize| {
        let at = START + hour * HOUR;
        told(&mut vigil, &[(at, entry(at, Kind::Vault, release(B, AOI, items)))])
    };
    // The first weeks teach: whatever is opened is no burst.
    assert_eq!(open(3, 500), []);
    for day in 0..15 {
        for hour in 9..18 {
            assert_eq!(open(day * 24 + hour, 200), [], "day {day}");
        }
    }
    // Day 15 at night: a few are nothing, fifty are, and they are told of once.
    assert_eq!(open(15 * 24 + 2, 20), []);
    assert_eq!(open(15 * 24 + 2, 30), [Cause::Burst]);
    assert_eq!(open(15 * 24 + 2, 900), []);
    // The hour beside a busy one, and busy hours, are no cause.
    assert_eq!(open(16 * 24 + 8, 400), []);
    assert_eq!(open(16 * 24 + 12, 4_000), []);
    // The same hour a week later is as quiet as before: a burst does not teach.
    assert_eq!(open(22 * 24 + 2, 50), [Cause::Burst]);
}

#[test]
fn a_keeper_that_is_silent() {
    let mut vigil = Vigil::new(Bounds::default());
    let born = |instance, kind, is_instance| Fact::Born {
        instance,
        kind,
        pid: 7,
        is_instance,
        drilled: false,
    };
    vigil.weigh(START, &born(A, Kind::Vault, false));
    vigil.weigh(START, &born(B, Kind::Edge, true));
    assert_eq!(vigil.tick(START + 90_000), [], "it is still being started");
    let mut vigil = Vigil::new(Bounds::default());
    vigil.weigh(START, &born(A, Kind::Vault, false));
    vigil.weigh(START + 9_999, &Fact::Alive { instance: A });
    for ms in (9_998..19_998).step_by(2_000) {
        assert_eq!(vigil.tick(START + ms), []);
    }
    assert_eq!(vigil.tick(START + 19_998), []);
    let found = vigil.tick(START + 19_999);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].cause, found[0].kind), (Cause::Silence, Some(Kind::Vault)));
    assert_eq!(vigil.tick(START + 22_000), []);
    // Whoever did not listen for a while accuses nobody of that while.
    vigil.weigh(START + 22_000, &Fact::Alive { instance: A });
    assert_eq!(vigil.tick(START + 110_000), []);
    for ms in (112_000..119_999).step_by(2_000) {
        assert_eq!(vigil.tick(START + ms), []);
    }
    assert_eq!(vigil.tick(START + 120_000).len(), 1);
    let ended = Fact::Ended { instance: A, kind: Kind::Vault, clean: true, cause: "left".into() };
    vigil.weigh(START + 110_000, &ended);
    assert_eq!(vigil.tick(START + 900_000), []);
}

#[test]
fn ends() {
    let mut vigil = Vigil::new(Bounds::default());
    let mut end = |clean, cause: &str| {
        let cause = cause.to_owned();
        told(&mut vigil, &[(START, Fact::Ended { instance: A, kind: Kind::Edge, clean, cause })])
    };
    assert_eq!(end(true, "left"), []);
    assert_eq!(end(false, "off charter"), []);
    assert_eq!(end(false, "adrift"), []);
    assert_eq!(end(false, "signal 9"), []);
    assert_eq!(end(false, "signal 11"), [Cause::Crash]);
    let what = "killed from outside the house";
    let from_outside = crate::incident::ended(A, Kind::Vault, false, what);
    assert_eq!(from_outside.map(|one| one.cause), Some(Cause::Crash));
}

#[test]
fn programs() {
    let case = |program: Program, drilled: bool, expected: &[Cause]| {
        let mut vigil = Vigil::new(Bounds::default());
        let (instance, kind) = (A, Kind::Scanner);
        vigil.weigh(START, &Fact::Born { instance, kind, pid: 50, is_instance: true, drilled });
        assert_eq!(told(&mut vigil, &[(START, Fact::Program(program.clone()))]), expected);
    };
    let ours = Program { pid: 60, parent: 50, is_ours: true, ..Program::default() };
    case(ours.clone(), false, &[Cause::Program]);
    case(ours.clone(), true, &[]);
    case(Program { is_traced: true, ..ours.clone() }, false, &[Cause::Traced]);
    let named = vec!["rule-1".to_owned(), "rule-2".to_owned()];
    case(
        Program { rules: named.clone(), ..ours.clone() },
        false,
        &[Cause::Program, Cause::Rule, Cause::Rule],
    );
    let theirs = Program { pid: 600, parent: 500, rules: named, ..Program::default() };
    case(theirs, false, &[Cause::Rule, Cause::Rule]);
    case(Program { pid: 600, parent: 500, ..Program::default() }, false, &[]);
}

#[test]
fn the_audits_word_counts_for_our_own() {
    let mut vigil = Vigil::new(Bounds::default());
    let born =
        Fact::Born { instance: A, kind: Kind::Edge, pid: 50, is_instance: true, drilled: false };
    vigil.weigh(START, &born);
    let denied = |pid| Fact::Denied { pid, what: "landlock fs.read_file".to_owned() };
    assert_eq!(told(&mut vigil, &[(START, denied(50))]), [Cause::OffCharter]);
    assert_eq!(told(&mut vigil, &[(START, denied(51))]), []);
}

#[test]
fn a_storm_is_one_incident_with_a_number() {
    let mut vigil = Vigil::new(Bounds::default());
    let refused = |instance: u8| Fact::Raw {
        instance: InstanceId([instance; 6]),
        kind: Kind::Edge,
        call: "execve".to_owned(),
        what: "refused".to_owned(),
    };
    let told: Vec<Incident> =
        (0..10_000).flat_map(|at| vigil.weigh(START + at, &refused(1))).collect();
    assert_eq!(told.iter().map(|one| one.count).collect::<Vec<_>>(), [1]);
    assert_eq!(vigil.weigh(START + 10_000, &refused(2)).len(), 1, "another source is another");
    assert_eq!(vigil.tick(START + 59_999), []);
    let over = vigil.tick(START + 60_000);
    assert_eq!(over.iter().map(|one| one.count).collect::<Vec<_>>(), [9_999]);
    assert!(over[0].actions.is_empty());
    assert_eq!(vigil.weigh(START + 60_001, &refused(1)).len(), 1);
}

#[test]
fn a_flood_of_names_is_held_in_bounded_memory() {
    let mut vigil = Vigil::new(Bounds::default());
    let mut told = 0;
    for number in 0..200_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let refused = Fact::Raw {
            instance: InstanceId([a, b, c, d, 0, 0]),
            kind: Kind::Edge,
            call: "execve".to_owned(),
            what: "refused".to_owned(),
        };
        told += vigil.weigh(START, &refused).len();
    }
    assert!(told <= 4_097, "{told}");
}

fn report(what: &str) -> Fact {
    let (call, what) = ("report".to_owned(), what.to_owned());
    Fact::Raw { instance: A, kind: Kind::Vault, call, what }
}

#[test]
fn one_alarm_does_not_cover_another() {
    let mut vigil = Vigil::new(Bounds::default());
    let own = |number: u64| report(&format!("user {number:016x} of tenant {T} would write"));
    let others = format!("others would stand behind an address: tenant {T}, stands/");
    let count = |vigil: &mut Vigil, fact: &Fact| vigil.weigh(START, fact).len();
    assert_eq!(count(&mut vigil, &own(1)), 1);
    assert_eq!(count(&mut vigil, &own(1)), 0, "a flood of equal ones is one");
    let told = vigil.weigh(START + 1, &report(&format!("{others}{:032x}", 7)));
    let [incident] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((incident.tenant, incident.actions.len()), (Some(T), 0));
    assert!(incident.what.ends_with("07"), "whole: {}", incident.what);
    assert_eq!(count(&mut vigil, &report(&format!("{others}{:032x}", 8))), 0);
    let full = report(&format!("tenant {T} has more addresses than can be watched"));
    assert_eq!(count(&mut vigil, &full), 1, "nobody is named in either, the words differ");
    // The same of another tenant is another.
    let tenant = TenantId([7; 8]);
    assert_eq!(count(&mut vigil, &report(&format!("others would: tenant {tenant}"))), 1);
    let own_other = report(&format!("user {AOI} of tenant {tenant} would write"));
    assert_eq!(count(&mut vigil, &own_other), 1);
    let over = vigil.tick(START + 60_001);
    let mut counts: Vec<u64> = over.iter().map(|one| one.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn a_flood_of_words_folds_and_covers_no_other_tenant() {
    let mut vigil = Vigil::new(Bounds::default());
    let letter = |number: u32| char::from_u32(0x4e00 + number).unwrap();
    let mut told = 0;
    for number in 0..10_000 {
        let words = format!("tenant {T} {}", letter(number));
        told += vigil.weigh(START, &report(&words)).len();
    }
    assert!((8..=9).contains(&told), "{told}");
    let other = report(&format!("tenant {} x", TenantId([7; 8])));
    assert_eq!(vigil.weigh(START, &other).len(), 1);
    for number in 0..10_000u32 {
        let words = format!("tenant {number:016x} {}", letter(number));
        told += vigil.weigh(START, &report(&words)).len();
    }
    assert!(told <= 66, "{told}");
    let over = vigil.tick(START + 60_001);
    assert_eq!(over.iter().map(|one| one.count).sum::<u64>() + told as u64, 20_000);
    assert!(over.iter().all(|one| one.what.contains(" more of many sorts: ")), "{over:?}");
}

#[test]
fn old_news_teaches_and_is_not_told() {
    let mut vigil = Vigil::new(Bounds::default());
    vigil.learn(true);
    vigil.weigh(START, &entry(START, Kind::Warden, birth(A)));
    let granted = entry(START, Kind::Identity, grant(A, AOI, START + 900_000));
    assert_eq!(told(&mut vigil, &[(START, granted)]), []);
    vigil.learn(false);
    let opened = entry(START, Kind::Vault, release(A, AOI, 1));
    assert_eq!(told(&mut vigil, &[(START, opened)]), [Cause::NoSignIn]);
}

/// Whoever owns identity may say that there are no decoys any more; only the evidence ends one.
#[test]
fn a_decoy_is_forgotten_by_its_destruction_alone() {
    let mut vigil = Vigil::new(Bounds::default());
    vigil.know_decoys([(T, NOBODY)]);
    vigil.know_decoys([]);
    assert_eq!(vigil.decoys(), 1);
    let destroyed = |user| Body::Destroyed {
        tenant: T,
        users: 1,
        messages: 0,
        bytes: 0,
        rows: 1,
        last_open_ms: START,
        user,
        name: None,
    };
    for (user, left) in [(Some(AOI), 1), (Some(NOBODY), 0)] {
        vigil.weigh(START, &entry(START, Kind::Directory, destroyed(user)));
        assert_eq!(vigil.decoys(), left, "{user:?}");
    }
    vigil.know_decoys([(T, NOBODY)]);
    vigil.weigh(START, &entry(START, Kind::Directory, destroyed(None)));
    assert_eq!(vigil.decoys(), 0, "a contract's end is its decoys' end");
}

#[test]
fn a_password_guessed_at_the_command_line_until_it_locks_is_told() {
    let typed = |protocol: &str, ok| Body::SignIn {
        instance: A,
        protocol: protocol.into(),
        ok,
        tenant: Some(T),
        user: Some(AOI),
        credential: None,
    };
    let minute = 60_000;
    let mut vigil = Vigil::new(Bounds::default());
    let mut at = START;
    let mut say = |protocol: &str, ok, after: u64| {
        at += after;
        let found = vigil.weigh(at, &entry(at, Kind::Identity, typed(protocol, ok)));
        found.into_iter().map(|one| (one.cause, one.tenant, one.user)).collect::<Vec<_>>()
    };
    // Four, and the right one; four, and a quarter of an hour; an app password is another thing.
    for (ok, after) in [(true, minute), (false, 16 * minute)] {
        for _ in 0..4 {
            assert_eq!(say("approval", false, minute), []);
        }
        assert_eq!(say("approval", ok, after), []);
    }
    for _ in 0..9 {
        assert_eq!(say("imap", false, 1), []);
    }
    for _ in 0..3 {
        assert_eq!(say("first-password", false, minute), []);
    }
    let locked = (Cause::Attention, Some(T), Some(AOI));
    assert_eq!(say("first-password", false, minute), [locked]);
    assert_eq!(say("first-password", false, minute), [], "once");
}
