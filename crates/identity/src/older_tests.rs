//! What older tables do again, from a ledger that gives its entries in pieces.

use crate::friends::Friends;
use crate::marks::{DECOY_ADDED, Marks};
use crate::older::do_again;
use crate::tables::{AppPasswordRow, PersonRow, Tables};
use crate::tests::answering;
use evidence::{Author, Body, Digest, Word};
use journal::{Age, Behind, Notes};
use rows::RowKey;
use std::path::PathBuf;
use std::time::Duration;
use terms::{InstanceId, Kind, RequestId, TenantId, UserId};
use wire::approval::{Act, Request, State, Voice};
use wire::identity::{Protocol, Whose};
use wire::ledger::{Deed, FromLedger, LastDeeds, ToLedger};

const T: TenantId = TenantId([1; 8]);
const AOI: UserId = UserId([2; 8]);
const HARU: UserId = UserId([3; 8]);
const SINCE: UserId = UserId([4; 8]);
const START: InstanceId = InstanceId([7; 6]);
/// Entries of one answer.
const PIECE: usize = 3;

/// Tables that noted their deeds once, and note no more: as if each try ended before its note.
struct Once(Option<Vec<u8>>);

impl Notes for Once {
    fn read(&mut self) -> Option<Vec<u8>> {
        self.0.clone()
    }

    fn keep(&mut self, _: &[u8]) -> bool {
        true
    }
}

struct World {
    folder: PathBuf,
    tables: Tables,
    key: RowKey,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn id(number: u8) -> RequestId {
    RequestId([number; 8])
}

impl World {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("older-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (tables, key) = (Tables::open(&folder).unwrap(), RowKey::new(&[9; 32]));
        for user in [AOI, HARU] {
            let (address, salt, verifier) = (format!("{user}@example.jp"), vec![1], vec![2; 32]);
            let row = PersonRow { tenant: T, address, salt, verifier, disabled: false };
            tables.keep_person(&key, user, &row).unwrap();
            tables.keep_own_password(&key, user, true).unwrap();
            for device in ["phone", "desk"] {
                let row = AppPasswordRow {
                    key: format!("{user}-{device}"),
                    protocol: Protocol::Imap,
                    device: device.to_owned(),
                    verifier: vec![3; 32],
                    made_ms: 1,
                };
                tables.add_app_password(&key, user, &row).unwrap();
            }
        }
        for number in 1..=5 {
            let voice = |user| Voice { tenant: T, user, at_ms: 1 };
            let request = Request {
                request: id(number),
                act: Act::SingleOperator,
                reason: String::new(),
                requester: None,
                made_ms: number.into(),
                expires_ms: u64::MAX,
                digest: [0; 32],
                approvals: vec![voice(AOI), voice(HARU)],
                denied_by: None,
                state: State::Approved,
                done_ms: None,
            };
            tables.keep_request(&key, &request).unwrap();
        }
        Self { folder, tables, key }
    }

    /// Does the story again; the alarm that tells of it.
    fn do_again(&self, noted: Option<Vec<u8>>, story: &[Body]) -> String {
        let mut friends = Friends::new(InstanceId([8; 6]));
        let mut author = Author::new(Kind::Identity, START, &[5; 32]);
        let frames: Vec<Vec<u8>> =
            story.iter().map(|body| author.sign(1, body.clone()).unwrap()).collect();
        let seq = frames.len() as u64 - 1;
        friends.journal.join(answering(move |question: ToLedger| match question {
            ToLedger::LastDeeds => {
                let own = Some(Deed { start: START, seq, index: seq });
                FromLedger::LastDeeds(LastDeeds { own, foreign: None })
            }
            ToLedger::Deeds { from_index } => {
                let from = from_index as usize;
                let until = (from + PIECE).min(frames.len());
                let next = (until < frames.len()).then_some(until as u64);
                FromLedger::Deeds { entries: frames[from..until].to_vec(), next }
            }
            _ => FromLedger::Away,
        }));
        let mut notes: Box<dyn Notes> = Box::new(Once(noted));
        let behind: Behind = loop {
            match friends.journal.remember_in(notes) {
                Ok(Age::Older(behind)) => break behind,
                Ok(other) => panic!("{other:?}"),
                // Nobody calls tables older at first sight.
                Err(back) => notes = back,
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let again = do_again((&self.tables, &self.key), &mut friends, behind).unwrap();
        again.what(behind.is_blank)
    }

    /// Everything that an entry can end or let in, in words.
    fn view(&self) -> String {
        let mut view = String::new();
        for (name, user) in [("aoi", AOI), ("haru", HARU)] {
            let row = self.tables.person(&self.key, user).unwrap().unwrap();
            let is_own = self.tables.is_own_password(&self.key, user).unwrap();
            let mut revoked: Vec<String> = self
                .tables
                .app_passwords(&self.key, user)
                .unwrap()
                .into_iter()
                .filter(|found| found.revoked)
                .map(|found| found.row.device)
                .collect();
            revoked.sort();
            let password = if row.verifier.is_empty() { "void" } else { "good" };
            let (own, out) =
                (if is_own { " own" } else { "" }, if row.disabled { " out" } else { "" });
            view += &format!("{name}: {password}{own}{out} -{}\n", revoked.join(","));
        }
        for number in 1..=5 {
            let request = self.tables.request(&self.key, id(number)).unwrap().unwrap();
            let voices = request.approvals.len();
            view += &format!("{number}: {} {voices}\n", request.state.word());
        }
        let marks = Marks::read(&self.tables, &self.key).unwrap();
        view += &format!("decoys {:?}\n", marks.decoys());
        let mut frozen: Vec<String> =
            marks.frozen().iter().map(|(whose, _)| format!("{whose:?}")).collect();
        frozen.sort();
        let is_two = self.tables.is_two_persons(&self.key).unwrap();
        view + &format!("frozen {frozen:?}, two {is_two}\n")
    }
}

fn change(what: &str, user: UserId, credential: Option<String>) -> Body {
    let credential = credential.map(|credential| Word::new(&credential));
    let (what, tenant, user) = (Word::new(what), Some(T), Some(user));
    Body::RuleChange { what, tenant, user, weakened: None, by: None, credential }
}

fn of_house(what: &str) -> Body {
    let what = Word::new(what);
    Body::RuleChange { what, tenant: None, user: None, weakened: None, by: None, credential: None }
}

fn freeze(on: bool, what: &str, tenant: Option<TenantId>, user: Option<UserId>) -> Body {
    let (what, by) = (Word::new(what), Word::new("admin"));
    match on {
        true => Body::Freeze { what, by, tenant, user },
        false => Body::Unfreeze { what, by, tenant, user },
    }
}

fn carried(number: u8) -> Body {
    let (what, digest) = (Word::new("x"), Digest([0; 32]));
    Body::CarryOut { request: id(number), what, digest, tenant: None, user: None }
}

/// One entry of a sort, or a few: what comes of them, and the same when it is done twice.
#[track_caller]
fn check(name: &str, story: &[Body], expected: &[(&str, &str)]) {
    let world = World::new(name);
    let mut after = world.view();
    for (before, now) in expected {
        assert!(after.contains(before), "{before} in {after}");
        after = after.replacen(before, now, 1);
    }
    // Postcard: nothing known, no start noted.
    for times in ["once", "twice"] {
        world.do_again(Some(vec![0, 0]), story);
        assert_eq!(world.view(), after, "{name}, {times}");
    }
}

#[test]
fn what_was_ended_is_ended_again() {
    let revoked = change("app-password.revoke", AOI, Some(format!("{AOI}-phone")));
    check("revoke", &[revoked], &[("own -\n", "own -phone\n")]);
    let since = change("app-password.revoke", SINCE, Some("made-since".to_owned()));
    check("revoke-since", &[since], &[]);
    check(
        "freeze",
        &[freeze(true, "person", Some(T), Some(AOI))],
        &[("frozen []", &format!("frozen {:?}", [format!("{:?}", Whose::Person(T, AOI))]))],
    );
    check(
        "freeze-kind",
        &[freeze(true, "access", None, None)],
        &[("frozen []", &format!("frozen {:?}", [format!("{:?}", Whose::Kind(Kind::Access))]))],
    );
    let thawed = [freeze(true, "tenant", Some(T), None), freeze(false, "tenant", Some(T), None)];
    check("thaw", &thawed, &[]);
}

#[test]
fn who_was_shut_out_is_and_their_voices_are_gone() {
    let out = change("person.disable", HARU, None);
    let no_voice: Vec<(String, String)> =
        (1..=5).map(|at| (format!("{at}: approved 2"), format!("{at}: open 1"))).collect();
    let mut expected = vec![("haru: good own -", "haru: good own out -")];
    expected.extend(no_voice.iter().map(|(before, after)| (&**before, &**after)));
    check("disable", std::slice::from_ref(&out), &expected);
    // Let in again they may agree anew; what they said before is not said again.
    expected.remove(0);
    check("enable", &[out, change("person.enable", HARU, None)], &expected);
    check("disable-since", &[change("person.disable", SINCE, None)], &[]);
}

#[test]
fn requests_that_were_used_are() {
    let (request, tenant, approver) = (id(2), T, AOI);
    let story =
        [carried(1), Body::Deny { request, tenant, approver }, Body::Expire { request: id(3) }];
    let expected = [
        ("1: approved", "1: carried-out"),
        ("2: approved", "2: denied"),
        ("3: approved", "3: expired"),
    ];
    check("requests", &story, &expected);
    // What is closed stays what it was; of a request since there is nothing.
    check("closed", &[carried(1), Body::Expire { request: id(1) }], &expected[..1]);
    check("request-since", &[carried(9)], &[]);
}

#[test]
fn a_decoy_made_since_is_one() {
    let made = change(DECOY_ADDED, SINCE, None);
    let expected = ("decoys []", &*format!("decoys {:?}", [(T, SINCE)]));
    check("decoy", &[made], &[expected]);
}

#[test]
fn the_mode_is_the_last_that_was_chosen() {
    let two = of_house("approvals.two-persons");
    check("two", std::slice::from_ref(&two), &[("two false", "two true")]);
    check("one", &[two, of_house("approvals.single-operator")], &[]);
}

#[test]
fn a_password_that_was_changed_since_is_nobodys() {
    let story = [
        change("password.change", AOI, None),
        change("person.reset", HARU, None),
        change("password.change", AOI, None),
        change("password.change", SINCE, None),
    ];
    let void = [("aoi: good own", "aoi: void"), ("haru: good own", "haru: void")];
    check("void", &story, &void);
    let world = World::new("void-told");
    let told = world.do_again(Some(vec![0, 0]), &story);
    assert!(told.contains("of 4 changes"), "{told}");
    assert!(
        told.contains(&format!(
            "2 passwords that were changed since are void until `user \
        reset` ({AOI}, {HARU})"
        )),
        "{told}"
    );
    // Tables that remember nothing may be newer than the change.
    let world = World::new("void-blank");
    let (before, told) = (world.view(), world.do_again(None, &story));
    assert_eq!(world.view(), before);
    assert!(told.contains("remember nothing") && !told.contains("void"), "{told}");
}
