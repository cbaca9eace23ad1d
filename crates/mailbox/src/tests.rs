//! Cases of the store: what is kept, numbered, flagged, copied, moved, expunged, held, traced.

use crate::acts::{Adornment, Batch, FlagChange};
use crate::entry::Line;
use crate::person::folder_id;
use crate::store::{Store, Whose};
use std::path::{Path, PathBuf};
use terms::{FolderId, InstanceId, LocalTime, MessageId, Received, TenantId, UserId, Verdict};
use wire::Parcel;
use wire::mailbox::{
    Copy, FromAdmin, Journey, Place, Row, SealedPart, State, ToAccess, ToAdmin, ToEdge, flag,
};
use wire::vault::Class;

pub const NOW: u64 = 1_795_000_000_000;
pub const AOI: Whose = Whose { tenant: TenantId([1; 8]), user: UserId([7; 8]) };
pub const BEN: Whose = Whose { tenant: TenantId([2; 8]), user: UserId([0xF8; 8]) };
const EDGE: InstanceId = InstanceId([5; 6]);

pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mailbox-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn part(text: &str) -> SealedPart {
    let content = Parcel::Inline(text.as_bytes().to_vec());
    SealedPart { epoch: 3, wrapped: vec![9; 120], content }
}

pub fn copy(whose: Whose, number: u32, place: Place) -> Copy {
    let mut message = MessageId::default();
    message.0[..4].copy_from_slice(&number.to_be_bytes());
    Copy {
        tenant: whose.tenant,
        user: whose.user,
        message,
        place,
        size: 1_000,
        received_ms: NOW + u64::from(number),
        verdict: Verdict::Deliver,
        summary: part(&format!("summary {number}")),
        body: part(&format!("body {number}")),
    }
}

fn journey(whose: Whose, number: u32, token: u8) -> Journey {
    Journey {
        tenant: whose.tenant,
        message: copy(whose, number, Place::Inbox).message,
        tokens: vec![[token; 16], [0xEE; 16]],
        at_ms: NOW + u64::from(number),
        state: State::Kept,
        verdict: Verdict::Deliver,
        reasons: vec!["content.eicar".to_owned()],
        recipients: vec![whose.user],
    }
}

fn keep(store: &mut Store, copies: Vec<Copy>, journeys: &[Journey]) -> ToEdge {
    let batch = Batch { copies, descriptors: Vec::new() };
    let answer = store.keep(EDGE, &[batch], journeys, NOW).unwrap();
    store.commit().unwrap();
    answer
}

fn arrive(store: &mut Store, whose: Whose, count: u32) {
    for number in 0..count {
        let kept = keep(store, vec![copy(whose, number, Place::Inbox)], &[]);
        assert!(matches!(kept, ToEdge::Kept));
    }
}

fn rows(store: &mut Store, whose: Whose, folder: u32) -> Vec<Row> {
    match store.rows(whose.user, folder_id(folder), None).unwrap() {
        ToAccess::Rows { rows, .. } => rows,
        _ => panic!("no such folder"),
    }
}

fn uids(store: &mut Store, whose: Whose, folder: u32) -> Vec<u32> {
    rows(store, whose, folder).iter().map(|row| row.uid).collect()
}

fn bodies(store: &mut Store, whose: Whose, folder: u32, uids: &[u32]) -> Vec<String> {
    let answer = store.fetch(whose.user, folder_id(folder), uids, Class::Body, &mut Vec::new());
    let ToAccess::Parts(parts) = answer.unwrap() else { panic!() };
    let text = |part: SealedPart| String::from_utf8(part.content.open(&[]).unwrap()).unwrap();
    parts.into_iter().map(|(_, _, part)| text(part)).collect()
}

fn flags(uids: &[u32], add: u64, remove: u64) -> FlagChange {
    FlagChange { uids: uids.to_vec(), add, remove, replace: false, unchanged_since: None }
}

fn front(store: &mut Store, whose: Whose, folder: u32) -> (u32, u32, u32, u64) {
    let ToAccess::Folders(folders) = store.folders(whose, NOW).unwrap() else { panic!() };
    let found = folders.iter().find(|front| front.folder == folder_id(folder)).unwrap();
    (found.messages, found.unseen, found.uid_next, found.bytes)
}

/// Runs a case thrice: untold, told to the index after each step, and opened anew after each.
fn check(name: &str, steps: &[&dyn Fn(&mut Store)]) {
    for (way, turn) in [("untold", 0), ("told", 1), ("again", 2)] {
        let folder = Folder::new(&format!("{name}-{way}"));
        let mut store = Store::open(&folder.0).unwrap();
        for step in steps {
            step(&mut store);
            store.commit().unwrap();
            match turn {
                0 => {}
                1 => {
                    store.settle().unwrap();
                    store.fail();
                }
                _ => {
                    drop(store);
                    store = Store::open(&folder.0).unwrap();
                }
            }
        }
    }
}

#[test]
fn arrivals_are_numbered_listed_and_read_back() {
    check(
        "arrivals",
        &[
            &|store| arrive(store, AOI, 3),
            &|store| arrive(store, BEN, 1),
            &|store| {
                assert_eq!(uids(store, AOI, 1), [1, 2, 3]);
                assert_eq!(uids(store, BEN, 1), [1]);
                assert_eq!(bodies(store, AOI, 1, &[3, 1, 9]), ["body 2", "body 0"]);
                assert_eq!(front(store, AOI, 1), (3, 3, 4, 3_000));
                assert_eq!(rows(store, AOI, 1)[1].received.at_ms(), NOW + 1);
            },
            &|store| {
                let copies = vec![
                    copy(AOI, 10, Place::Inbox),
                    copy(AOI, 11, Place::Junk),
                    copy(AOI, 12, Place::Inbox),
                    copy(AOI, 13, Place::Folder(folder_id(3))),
                ];
                assert!(matches!(keep(store, copies, &[]), ToEdge::Kept));
            },
            &|store| {
                assert_eq!(uids(store, AOI, 1), [1, 2, 3, 4, 5, 6], "an arrival chooses no folder");
                assert_eq!(uids(store, AOI, 4), [1]);
                assert_eq!(uids(store, AOI, 3), [] as [u32; 0]);
                let modseqs: Vec<u64> = rows(store, AOI, 1).iter().map(|row| row.modseq).collect();
                assert!(modseqs.is_sorted_by(|one, other| one < other), "{modseqs:?}");
            },
        ],
    );
}

#[test]
fn flags_change_and_conditions_are_kept() {
    check(
        "flags",
        &[
            &|store| arrive(store, AOI, 4),
            &|store| {
                let change = flags(&[1, 2, 77], flag::SEEN | (1 << 9), 0);
                let answer = store.store_flags(AOI.user, folder_id(1), &change).unwrap();
                let ToAccess::Stored { changed, skipped } = answer else { panic!() };
                assert_eq!(changed.iter().map(|row| row.uid).collect::<Vec<_>>(), [1, 2]);
                assert!(skipped.is_empty());
            },
            &|store| {
                let rows = rows(store, AOI, 1);
                assert_eq!(rows[0].flags, flag::SEEN | (1 << 9));
                assert!(rows[0].modseq > rows[3].modseq);
                assert_eq!(front(store, AOI, 1), (4, 2, 5, 4_000));
                let mut change = flags(&[1, 4], flag::FLAGGED, 0);
                change.replace = true;
                change.unchanged_since = Some(rows[3].modseq);
                let answer = store.store_flags(AOI.user, folder_id(1), &change).unwrap();
                let ToAccess::Stored { changed, skipped } = answer else { panic!() };
                assert_eq!(changed.iter().map(|row| row.uid).collect::<Vec<_>>(), [4]);
                assert_eq!(skipped, [1]);
            },
            &|store| {
                assert_eq!(rows(store, AOI, 1)[3].flags, flag::FLAGGED);
                let since = rows(store, AOI, 1)[0].modseq;
                let answer = store.rows(AOI.user, folder_id(1), Some(since)).unwrap();
                let ToAccess::Rows { rows, highest_modseq, .. } = answer else { panic!() };
                assert_eq!(rows.iter().map(|row| row.uid).collect::<Vec<_>>(), [4]);
                assert_eq!(highest_modseq, rows[0].modseq);
            },
            &|store| {
                let change = flags(&[1], 0, flag::SEEN);
                store.store_flags(AOI.user, folder_id(1), &change).unwrap();
            },
            &|store| assert_eq!(front(store, AOI, 1).1, 3),
        ],
    );
}

#[test]
fn expunge_takes_only_the_deleted_and_uids_never_come_back() {
    check(
        "expunge",
        &[
            &|store| arrive(store, AOI, 5),
            &|store| {
                let change = flags(&[2, 3, 5], flag::DELETED, 0);
                store.store_flags(AOI.user, folder_id(1), &change).unwrap();
            },
            &|store| {
                let answer = store.expunge(AOI.user, folder_id(1), Some(&[1, 2])).unwrap();
                let ToAccess::Expunged { uids, .. } = answer else { panic!() };
                assert_eq!(uids, [2]);
            },
            &|store| {
                let answer = store.expunge(AOI.user, folder_id(1), None).unwrap();
                let ToAccess::Expunged { uids, .. } = answer else { panic!() };
                assert_eq!(uids, [3, 5]);
            },
            &|store| arrive(store, AOI, 1),
            &|store| {
                assert_eq!(uids(store, AOI, 1), [1, 4, 6]);
                assert_eq!(front(store, AOI, 1), (3, 3, 7, 3_000));
            },
        ],
    );
}

#[test]
fn copies_share_bytes_and_the_last_one_takes_them_along() {
    check(
        "copy",
        &[
            &|store| arrive(store, AOI, 3),
            &|store| {
                let answer =
                    store.copy_to(AOI.user, (folder_id(1), folder_id(6)), &[3, 1], false, &[]);
                let ToAccess::Copied { pairs, .. } = answer.unwrap() else { panic!() };
                assert_eq!(pairs, [(1, 1), (3, 2)]);
            },
            &|store| {
                let answer =
                    store.copy_to(AOI.user, (folder_id(1), folder_id(5)), &[1, 2], true, &[]);
                let ToAccess::Copied { pairs, .. } = answer.unwrap() else { panic!() };
                assert_eq!(pairs, [(1, 1), (2, 2)]);
            },
            &|store| {
                assert_eq!(uids(store, AOI, 1), [3]);
                assert_eq!(bodies(store, AOI, 5, &[1, 2]), ["body 0", "body 1"]);
                assert_eq!(bodies(store, AOI, 6, &[1, 2]), ["body 0", "body 2"]);
                assert_eq!(front(store, AOI, 5), (2, 2, 3, 2_000));
            },
            &|store| {
                store
                    .store_flags(AOI.user, folder_id(5), &flags(&[1, 2], flag::DELETED, 0))
                    .unwrap();
                store.expunge(AOI.user, folder_id(5), None).unwrap();
            },
            &|store| {
                store.settle().unwrap();
                assert_eq!(bodies(store, AOI, 6, &[1]), ["body 0"], "still referred to");
                let (_, messages, bytes) = store.index.counts().unwrap();
                assert_eq!((messages, bytes), (3, 3_000));
                let stored = "SELECT COUNT(*) FROM stored";
                let count: i64 =
                    store.index.database.query_row(stored, (), |row| row.get(0)).unwrap();
                assert_eq!(count, 2, "message 1 went with its last line");
            },
        ],
    );
}

#[test]
fn folders_are_made_named_and_deleted() {
    let names = |store: &mut Store| -> Vec<(FolderId, bool)> {
        let ToAccess::Folders(folders) = store.folders(AOI, NOW).unwrap() else { panic!() };
        folders.into_iter().map(|front| (front.folder, front.name.is_some())).collect()
    };
    check(
        "folders",
        &[
            &|store| assert_eq!(names(store).len(), 6),
            &|store| {
                let answer = store.create(AOI, &part("name"), NOW).unwrap();
                assert!(matches!(answer, ToAccess::Made(folder) if folder == folder_id(16)));
            },
            &|store| {
                assert!(names(store).contains(&(folder_id(16), true)));
                let append = copy(BEN, 4, Place::Inbox);
                let answer = store
                    .append((AOI, EDGE), (folder_id(16), flag::SEEN, None), append, &[], NOW)
                    .unwrap();
                assert!(matches!(answer, ToAccess::Appended { uid: 1, .. }));
            },
            &|store| {
                assert_eq!(
                    bodies(store, AOI, 16, &[1]),
                    ["body 4"],
                    "whose label it is, whose mail"
                );
                store.adorn(AOI.user, folder_id(16), Adornment::Subscribed(false)).unwrap();
                store
                    .adorn(
                        AOI.user,
                        folder_id(16),
                        Adornment::Keywords { names: &part("k"), before: None },
                    )
                    .unwrap();
                let named = store.adorn(AOI.user, folder_id(1), Adornment::Name(&part("other")));
                assert!(matches!(named.unwrap(), ToAccess::NoSuchFolder));
            },
            &|store| {
                let ToAccess::Folders(folders) = store.folders(AOI, NOW).unwrap() else { panic!() };
                let own = folders.last().unwrap();
                assert!(!own.subscribed && own.keywords.is_some() && own.messages == 1);
                assert!(matches!(store.delete(AOI.user, folder_id(1)), Ok(ToAccess::NoSuchFolder)));
                assert!(matches!(store.delete(AOI.user, folder_id(16)), Ok(ToAccess::Done)));
            },
            &|store| {
                let rows = store.rows(AOI.user, folder_id(16), None).unwrap();
                assert!(matches!(rows, ToAccess::NoSuchFolder));
                store.create(AOI, &part("name"), NOW).unwrap();
            },
            &|store| {
                assert_eq!(uids(store, AOI, 17), [] as [u32; 0], "numbers are not used again");
                let answer = store.create(AOI, &part("name"), NOW).unwrap();
                assert!(matches!(answer, ToAccess::Made(folder) if folder == folder_id(18)));
                let validity = |store: &mut Store, folder| {
                    let front = store.front(AOI.user, folder).unwrap().unwrap();
                    front.uid_validity
                };
                assert!(validity(store, 17) < validity(store, 18), "RFC 3501 §2.3.1.1");
            },
        ],
    );
}

#[test]
fn quota_is_refused_whole() {
    check(
        "quota",
        &[
            &|store| {
                let make =
                    FromAdmin::MakeUser { tenant: AOI.tenant, user: AOI.user, quota_bytes: 2_500 };
                store.administer(make, NOW).unwrap();
            },
            &|store| arrive(store, AOI, 2),
            &|store| {
                let copies = vec![copy(BEN, 1, Place::Inbox), copy(AOI, 9, Place::Inbox)];
                let answer = keep(store, copies, &[]);
                assert!(matches!(answer, ToEdge::OverQuota(who) if who == [AOI.user]));
                // When it comes again, whoever it did not fit for is known by name.
                let mut has_room = |user, said| store.has_room(user, said, NOW).unwrap();
                assert!(!has_room(AOI.user, 0) && has_room(BEN.user, 0));
                let own = copy(AOI, 9, Place::Inbox);
                let append = store.append((AOI, EDGE), (folder_id(3), 0, None), own, &[], NOW);
                assert!(matches!(append.unwrap(), ToAccess::OverQuota));
                let copied =
                    store.copy_to(AOI.user, (folder_id(1), folder_id(3)), &[1], false, &[]);
                assert!(matches!(copied.unwrap(), ToAccess::OverQuota));
                let moved = store.copy_to(AOI.user, (folder_id(1), folder_id(3)), &[1], true, &[]);
                assert!(matches!(moved.unwrap(), ToAccess::Copied { .. }));
            },
            &|store| {
                assert_eq!(front(store, AOI, 1).0, 1);
                assert_eq!(front(store, BEN, 1).0, 0, "nothing of the arrival was kept");
            },
        ],
    );
}

#[test]
fn quarantine_is_not_in_any_folder_until_it_is_released() {
    let list = |store: &mut Store| -> Vec<MessageId> {
        let question = FromAdmin::QuarantineList { tenant: Some(AOI.tenant) };
        let ToAdmin::Quarantine(held) = store.administer(question, NOW).unwrap() else { panic!() };
        held.into_iter().map(|held| held.message).collect()
    };
    let message = |number| copy(AOI, number, Place::Inbox).message;
    check(
        "quarantine",
        &[
            &|store| {
                let hold = Place::Quarantine { expires_ms: u64::MAX };
                let copies = vec![copy(AOI, 1, hold), copy(AOI, 2, hold), copy(BEN, 3, hold)];
                keep(store, copies, &[journey(AOI, 1, 1)]);
            },
            &|store| {
                assert_eq!(list(store), [message(2), message(1)]);
                assert_eq!(uids(store, AOI, 1), [] as [u32; 0]);
                let show = FromAdmin::QuarantineShow(message(1), AOI.user);
                let ToAdmin::Quarantine(held) = store.administer(show, NOW).unwrap() else {
                    panic!()
                };
                assert_eq!(held[0].reasons, ["content.eicar"]);
                assert_eq!(held[0].expires_ms, NOW + crate::acts::QUARANTINE_MS);
                assert_eq!(held[0].verdict, Some(Verdict::Deliver));
                assert!(held[0].size >= copy(AOI, 1, Place::Inbox).size);
            },
            &|store| {
                let free = FromAdmin::QuarantineRelease { message: message(1), user: BEN.user };
                assert!(matches!(store.administer(free, NOW).unwrap(), ToAdmin::NoSuch));
                let free = FromAdmin::QuarantineRelease { message: message(1), user: AOI.user };
                assert!(matches!(store.administer(free, NOW).unwrap(), ToAdmin::Done));
            },
            &|store| {
                assert_eq!(bodies(store, AOI, 1, &[1]), ["body 1"]);
                assert_eq!(list(store), [message(2)]);
                assert_eq!(store.expire(NOW).unwrap(), 0);
                assert_eq!(store.expire(NOW + crate::acts::QUARANTINE_MS + 1).unwrap(), 2);
            },
            &|store| {
                assert_eq!(list(store), []);
                assert_eq!(bodies(store, AOI, 1, &[1]), ["body 1"]);
            },
        ],
    );
}

#[test]
fn journeys_are_found_by_token_newest_first() {
    let trace = |store: &mut Store, token: u8, limit: u32| -> Vec<u64> {
        let question = FromAdmin::Trace { tokens: vec![[token; 16]], limit };
        let ToAdmin::Journeys(found) = store.administer(question, NOW).unwrap() else { panic!() };
        found.into_iter().map(|journey| journey.at_ms - NOW).collect()
    };
    check(
        "journeys",
        &[
            &|store| {
                for number in 0..5u8 {
                    let journey = journey(AOI, u32::from(number), number);
                    keep(store, vec![copy(AOI, u32::from(number), Place::Inbox)], &[journey]);
                }
                // Every recipient of a message is a token.
                let many = (0..1_000u16).map(|number| {
                    let mut token = [0xCC; 16];
                    token[..2].copy_from_slice(&number.to_be_bytes());
                    token
                });
                let long = Journey { tokens: many.collect(), ..journey(AOI, 6, 6) };
                keep(store, vec![copy(AOI, 6, Place::Inbox)], &[long]);
                // Of people whom nobody here knows there is no journey.
                keep(store, Vec::new(), &[journey(BEN, 8, 77)]);
                keep(store, vec![copy(BEN, 9, Place::Inbox)], &[journey(BEN, 9, 77)]);
                // But what is only passed on is for nobody.
                let nobody = |number| Journey { recipients: Vec::new(), ..journey(AOI, number, 9) };
                keep(store, Vec::new(), &[nobody(10)]);
                keep(store, Vec::new(), &[Journey { state: State::Queued, ..nobody(11) }]);
                keep(store, Vec::new(), &[Journey { state: State::Refused, ..nobody(12) }]);
                let foreign = Journey { tenant: BEN.tenant, ..journey(AOI, 7, 7) };
                let is_foreign = foreign.tenant != AOI.tenant;
                let kept = store.keep(EDGE, &[], &[foreign], NOW);
                assert!(kept.is_err() || !is_foreign, "people of one tenant in another's journey");
            },
            &|store| {
                assert_eq!(trace(store, 3, 10), [3]);
                let mut last = [0xCC; 16];
                last[..2].copy_from_slice(&999u16.to_be_bytes());
                let question = FromAdmin::Trace { tokens: vec![last], limit: 9 };
                let ToAdmin::Journeys(found) = store.administer(question, NOW).unwrap() else {
                    panic!()
                };
                assert_eq!(found.len(), 1);
                assert_eq!(trace(store, 0xEE, 5), [12, 11, 9, 4, 3]);
                assert_eq!(trace(store, 0xAA, 3), [] as [u64; 0]);
                let newest = FromAdmin::Trace { tokens: Vec::new(), limit: 3 };
                let ToAdmin::Journeys(found) = store.administer(newest, NOW).unwrap() else {
                    panic!()
                };
                assert_eq!(found.len(), 3);
                assert_eq!(found[2].recipients, [BEN.user]);
            },
        ],
    );
}

/// A depart that passes on again tells again: of one copy there is one journey, over a restart as
/// well; and a mailbox to which mail of that id comes has it all the same.
#[test]
fn what_goes_on_has_one_journey_however_often_it_is_told() {
    let on = |number| Journey { state: State::PassedOn, ..journey(AOI, number, 3) };
    let tell = |store: &mut Store| {
        let nobody = Journey { recipients: Vec::new(), ..on(1) };
        let journeys = vec![on(1), on(1), on(2), nobody, journey(AOI, 3, 3)];
        store.keep_once(EDGE, Vec::new(), journeys, NOW).unwrap();
        store.commit().unwrap();
    };
    check(
        "passed on again",
        &[
            &|store| {
                keep(store, vec![copy(AOI, 9, Place::Inbox)], &[]);
                tell(store);
                tell(store);
            },
            &|store| {
                tell(store);
                let question = FromAdmin::Trace { tokens: vec![[3; 16]], limit: 10 };
                let ToAdmin::Journeys(found) = store.administer(question, NOW).unwrap() else {
                    panic!()
                };
                let mut found: Vec<(u64, usize)> = found
                    .iter()
                    .map(|journey| (journey.at_ms - NOW, journey.recipients.len()))
                    .collect();
                found.sort_unstable();
                assert_eq!(found, [(1, 0), (1, 1), (2, 1)], "what was for here came with nothing");
                let copies = vec![copy(AOI, 1, Place::Inbox)];
                let batch = Batch { copies, descriptors: Vec::new() };
                store.keep_once(EDGE, vec![batch], Vec::new(), NOW).unwrap();
                store.commit().unwrap();
                assert!(store.has_kept(AOI.user, on(1).message).unwrap());
            },
        ],
    );
}

#[test]
fn who_sent_a_message_is_told_by_its_token_and_tenant() {
    use wire::mailbox::{FromDirectory, ToDirectory};
    let sent = |store: &mut Store, whose: Whose, token: u8| {
        let question = FromDirectory::Sent { tenant: whose.tenant, token: [token; 16] };
        let ToDirectory::Sent(sent) = store.end(question).unwrap() else { panic!() };
        sent.map(|sent| (sent.message, sent.user, sent.is_passed_on))
    };
    check(
        "sent",
        &[
            &|store| {
                keep(store, vec![copy(AOI, 1, Place::Inbox)], &[journey(AOI, 1, 1)]);
                let left = |number, token, state| Journey { state, ..journey(AOI, number, token) };
                keep(store, Vec::new(), &[left(2, 2, State::Queued)]);
                keep(store, Vec::new(), &[left(3, 2, State::PassedOn)]);
                keep(store, Vec::new(), &[left(4, 4, State::PassedOn)]);
                let nobody = Journey { recipients: Vec::new(), ..left(5, 5, State::PassedOn) };
                keep(store, Vec::new(), &[nobody]);
            },
            &|store| {
                let message = |number, token| journey(AOI, number, token).message;
                assert_eq!(sent(store, AOI, 1), None, "it only came");
                assert_eq!(sent(store, AOI, 2), Some((message(2, 2), AOI.user, false)));
                assert_eq!(sent(store, AOI, 4), Some((message(4, 4), AOI.user, true)));
                assert_eq!(sent(store, AOI, 5), None);
                assert_eq!(sent(store, AOI, 6), None);
                assert_eq!(sent(store, BEN, 2), None, "another tenant's token");
                let mut went = |whose: Whose, token: u8, place: u8| {
                    let (tenant, token, places) = (whose.tenant, [token; 16], vec![[place; 16]]);
                    let question = FromDirectory::WentTo { tenant, token, places };
                    let ToDirectory::WentTo(went) = store.end(question).unwrap() else { panic!() };
                    went
                };
                assert!(went(AOI, 2, 0xEE) && !went(AOI, 2, 0xDD));
                assert!(!went(BEN, 2, 0xEE), "another tenant's token");
                assert!(!went(AOI, 1, 0xEE), "it only came");
                assert!(!went(AOI, 4, 0xEE), "it was passed on");
            },
        ],
    );
}

#[test]
fn evidence_waits_until_the_ledger_has_taken_it() {
    check(
        "evidence",
        &[
            &|store| arrive(store, AOI, 5),
            &|store| {
                assert_eq!(store.arrived.len(), 5);
                assert_eq!(store.arrived[0].message, copy(AOI, 0, Place::Inbox).message);
                let before = store.arrived[3].seq;
                store.forwarded(before, None).unwrap();
            },
            &|store| arrive(store, BEN, 1),
            &|store| {
                store.settle().unwrap();
                let seqs: Vec<u64> = store.arrived.iter().map(|arrived| arrived.seq).collect();
                assert_eq!(seqs, [3, 4, 5]);
                assert_eq!(store.index.arrived().unwrap().len(), 3);
            },
        ],
    );
}

#[test]
fn a_failed_commit_leaves_no_trace() {
    let folder = Folder::new("failed");
    let mut store = Store::open(&folder.0).unwrap();
    arrive(&mut store, AOI, 2);
    let batch = Batch { copies: vec![copy(AOI, 3, Place::Inbox)], descriptors: Vec::new() };
    store.keep(EDGE, &[batch], &[], NOW).unwrap();
    assert!(store.has_staged_for(AOI.user));
    assert_eq!(uids(&mut store, AOI, 1), [1, 2, 3]);
    store.fail();
    assert_eq!(uids(&mut store, AOI, 1), [1, 2]);
    arrive(&mut store, AOI, 1);
    drop(store);
    let mut store = Store::open(&folder.0).unwrap();
    assert_eq!(uids(&mut store, AOI, 1), [1, 2, 3]);
    assert_eq!(bodies(&mut store, AOI, 1, &[3]), ["body 0"]);
}

#[test]
fn space_comes_back_and_what_stays_can_be_read() {
    let folder = Folder::new("space");
    let mut store = open_short(&folder.0);
    arrive(&mut store, AOI, 200);
    let before = store.bodies.space().on_disk;
    let gone: Vec<u32> = (1..=200).filter(|uid| uid % 5 != 0).collect();
    store.store_flags(AOI.user, folder_id(1), &flags(&gone, flag::DELETED, 0)).unwrap();
    store.expunge(AOI.user, folder_id(1), None).unwrap();
    store.commit().unwrap();
    let mut rounds = 0;
    while store.compact(4_096).unwrap() {
        rounds += 1;
        assert!(rounds < 1_000);
    }
    let after = store.bodies.space().on_disk;
    assert!(after < before / 2, "{before} {after}");
    for again in [false, true] {
        if again {
            drop(store);
            store = open_short(&folder.0);
        }
        let kept = uids(&mut store, AOI, 1);
        assert_eq!(kept.len(), 40);
        let expected: Vec<String> = kept.iter().map(|uid| format!("body {}", uid - 1)).collect();
        assert_eq!(bodies(&mut store, AOI, 1, &kept), expected);
    }
}

fn open_short(folder: &Path) -> Store {
    std::fs::create_dir_all(folder).unwrap();
    let packs = body::Packs::open_with(&folder.join("packs"), 8_192).unwrap();
    let index = crate::index::Index::open(&folder.join("index.db")).unwrap();
    Store::with(Box::new(packs), index).unwrap()
}

#[test]
fn a_quota_counts_what_is_brought_not_what_is_said() {
    let check = |said: u64, summary: usize, body: usize, counted: u64| {
        let mut copy = copy(AOI, 1, Place::Inbox);
        copy.size = said;
        copy.summary.content = Parcel::Inline(vec![0; summary]);
        copy.body.content = Parcel::Inline(vec![0; body]);
        assert_eq!(crate::acts::charged(&copy), counted, "{said} {summary} {body}");
    };
    check(1_000, 900, 1_100, 1_000);
    check(30_000_000, 200_000, 30_010_000, 30_000_000);
    check(100, 100_000, 400, 100);
    check(0, 100, 5_000_000, 5_000_100);
    check(1, 5_000_000, 100, 5_000_100);
    check(u64::MAX, 1, 1, u64::MAX);
    let folder = Folder::new("charged");
    let mut store = Store::open(&folder.0).unwrap();
    let mut sly = copy(AOI, 1, Place::Inbox);
    (sly.size, sly.body.content) = (1, Parcel::Inline(vec![0; 90_000]));
    assert!(matches!(keep(&mut store, vec![sly], &[]), ToEdge::Kept));
    let Ok(ToAccess::Quota { used_bytes, .. }) = store.quota(AOI, NOW) else { panic!() };
    assert!(used_bytes >= 90_000, "{used_bytes}");
}

#[test]
fn a_name_is_no_place_to_keep_things() {
    let folder = Folder::new("names");
    let mut store = Store::open(&folder.0).unwrap();
    let mut long = part("");
    long.content = Parcel::Inline(vec![0; 64 * 1024 + 1]);
    let mut wrapped = part("");
    wrapped.wrapped = vec![0; 8 * 1024 + 1];
    let mut held = part("");
    held.content = Parcel::Held { bytes: 5, place: 0 };
    for name in [long, wrapped, held] {
        assert!(store.create(AOI, &name, NOW).is_err());
        let keywords = Adornment::Keywords { names: &name, before: None };
        assert!(store.adorn(AOI.user, folder_id(1), keywords).is_err());
    }
    assert!(matches!(store.create(AOI, &part("name"), NOW), Ok(ToAccess::Made(_))));
}

#[test]
fn descriptors_for_nothing_are_refused() {
    use crate::gather::{Gather, Gathered};
    let check = |copies: usize, descriptors: usize, is_taken: bool| {
        let copies = (0..copies).map(|one| copy(AOI, one as u32, Place::Inbox)).collect();
        let open = || std::fs::File::open("/dev/null").unwrap().into();
        let descriptors = (0..descriptors).map(|_| open()).collect();
        let gathered = Gather::default().add(1, (copies, Vec::new()), descriptors, true);
        assert_eq!(matches!(gathered, Gathered::More), is_taken);
    };
    check(1, 2, true);
    check(40, 80, true);
    check(1, 3, false);
    check(0, 1, false);
}

/// Peers that keep one message after the other, `apart` milliseconds from one to the next, each
/// again once it was answered: how many share a commit at most, and how long one of them waits.
fn commits_of(peers: u64, apart: u64) -> (usize, u64) {
    use crate::gather::Gather;
    use std::time::{Duration, Instant};
    let begin = Instant::now();
    let mut gather = Gather::default();
    let (mut waiting, mut since, mut most, mut longest) = (0, 0, 0, 0);
    for ms in 0..3_000 {
        let now = begin + Duration::from_millis(ms);
        if ms % apart == 0 {
            gather.staged(ms / apart % peers, now);
            since = if waiting == 0 { ms } else { since };
            waiting += 1;
        }
        if waiting > 0 && gather.wait(now).is_zero() {
            gather.committed();
            if ms > 1_000 {
                (most, longest) = (most.max(waiting), longest.max(ms - since));
            }
            waiting = 0;
        }
    }
    (most, longest)
}

#[test]
fn a_commit_waits_for_those_who_come_in_their_rhythm() {
    // One sender, and seven: nobody is waited for.
    assert_eq!(commits_of(1, 3), (1, 0));
    assert_eq!(commits_of(7, 3), (1, 0));
    // Ten: for a part of them, and only if they come one upon the other.
    let (most, longest) = commits_of(10, 1);
    assert!(most == 3 && longest <= 3, "{most} in {longest} ms");
    assert_eq!(commits_of(10, 4).1, 3);
    // Fifty senders of small messages, and of large ones.
    let (most, longest) = commits_of(50, 1);
    assert!(most >= 14 && longest <= 25, "{most} in {longest} ms");
    let (most, longest) = commits_of(50, 4);
    assert!(most >= 20 && longest <= 125, "{most} in {longest} ms");
}

#[test]
fn nobody_waits_long_for_those_who_have_gone() {
    use crate::gather::Gather;
    use std::time::{Duration, Instant};
    let begin = Instant::now();
    let mut gather = Gather::default();
    let at = |ms| begin + Duration::from_millis(ms);
    (0..40).for_each(|peer| gather.staged(peer, at(4 * peer)));
    gather.committed();
    gather.staged(1, at(160));
    assert!(gather.wait(at(160)) > Duration::ZERO, "the others come every four milliseconds");
    assert!(gather.wait(at(160)) <= Duration::from_millis(60));
    assert_eq!(gather.wait(at(221)), Duration::ZERO, "and now they do not");
    gather.committed();
    gather.staged(2, at(222));
    gather.staged_beside(at(222));
    assert!(gather.wait(at(222)) <= Duration::from_millis(3), "a person waits less than mail");
}

/// Every octet of a folder's files.
fn octets_in(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(octets_in(&path)),
            false => all.extend(std::fs::read(&path).unwrap()),
        }
    }
    all
}

fn has(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}

fn sweep(store: &mut Store) {
    use wire::mailbox::{FromDirectory, ToDirectory};
    for _ in 0..100 {
        let answer = store.end(FromDirectory::Sweep).unwrap();
        store.commit().unwrap();
        if matches!(answer, ToDirectory::Swept { left: false }) {
            return;
        }
        while store.compact(1 << 20).unwrap() {}
    }
    panic!("something is always left");
}

#[test]
fn what_ended_leaves_no_octet_and_others_keep_all() {
    use wire::mailbox::{FromDirectory, ToDirectory};
    for turn in ["straight", "again"] {
        let folder = Folder::new(&format!("ended-{turn}"));
        let mut store = Store::open(&folder.0).unwrap();
        let copies = vec![copy(AOI, 1, Place::Inbox), copy(BEN, 2, Place::Inbox)];
        keep(&mut store, copies, &[journey(AOI, 1, 3), journey(BEN, 2, 4)]);
        let held = copy(AOI, 5, Place::Quarantine { expires_ms: NOW + 1_000 });
        keep(&mut store, vec![held], &[]);
        store.forwarded(3, None).unwrap();
        store.commit().unwrap();
        let whole =
            || FromDirectory::Erase { tenant: AOI.tenant, users: vec![AOI.user], whole: true };
        let count = || FromDirectory::Count { tenant: AOI.tenant, users: vec![AOI.user] };
        let mut counts = Vec::new();
        for _ in 0..2 {
            let ToDirectory::Counted { messages, bytes, rows } = store.end(count()).unwrap() else {
                panic!()
            };
            counts.push((messages, bytes, rows));
            store.commit().unwrap();
        }
        let ToDirectory::Erased { messages, bytes, rows } = store.end(whole()).unwrap() else {
            panic!()
        };
        assert_eq!(counts, [(messages, bytes, rows); 2], "counting changes nothing");
        assert_eq!((messages, bytes), (2, 2_000));
        store.commit().unwrap();
        if turn == "again" {
            drop(store);
            store = Store::open(&folder.0).unwrap();
            assert!(matches!(store.end(whole()).unwrap(), ToDirectory::Erased { messages: 0, .. }));
            store.commit().unwrap();
        }
        let late = Journey { recipients: Vec::new(), state: State::Queued, ..journey(AOI, 6, 3) };
        keep(&mut store, Vec::new(), &[late]);
        sweep(&mut store);
        assert_eq!(bodies(&mut store, BEN, 1, &[1]), ["body 2"]);
        assert!(store.person(AOI, NOW).is_err(), "nobody makes it anew");
        store.checkpoint().unwrap();
        let octets = octets_in(&folder.0);
        assert!(has(&octets, b"body 2") && has(&octets, &BEN.user.0));
        for gone in [&b"body 1"[..], b"summary 1", b"body 5", &AOI.user.0, &[3; 8]] {
            assert!(!has(&octets, gone), "{turn}: {gone:?}");
        }
        drop(store);
        let mut store = Store::open(&folder.0).unwrap();
        assert_eq!(bodies(&mut store, BEN, 1, &[1]), ["body 2"]);
    }
}

/// What its owner says keeps the zone in which it is said, what arrives has the house's; and both
/// keep theirs wherever they are copied.
#[test]
fn a_date_keeps_its_zone() {
    const TOKYO: i16 = 9 * 60;
    let dates = |store: &mut Store, folder| -> Vec<(u64, i16)> {
        let of = |row: &Row| (row.received.at_ms() - NOW, row.received.zone_minutes());
        rows(store, AOI, folder).iter().map(of).collect()
    };
    check(
        "zones",
        &[
            &|store| arrive(store, AOI, 1),
            &|store| {
                store.local_time = LocalTime { turns: vec![(0, TOKYO)] };
                arrive(store, AOI, 1);
                let held = Place::Quarantine { expires_ms: NOW + 1_000 };
                keep(store, vec![copy(AOI, 7, held)], &[]);
                for (number, zone) in [(3, Some(-210)), (4, Some(0)), (5, None)] {
                    let own = copy(AOI, number, Place::Inbox);
                    store.append((AOI, EDGE), (folder_id(1), 0, zone), own, &[], NOW).unwrap();
                    store.commit().unwrap();
                }
            },
            &|store| {
                let message = copy(AOI, 7, Place::Inbox).message;
                assert!(store.release(AOI.user, message).unwrap());
            },
            &|store| {
                let (from, to) = (folder_id(1), folder_id(3));
                store.copy_to(AOI.user, (from, to), &[1, 2], false, &[]).unwrap();
                store.commit().unwrap();
                store.copy_to(AOI.user, (from, to), &[3, 6], true, &[]).unwrap();
            },
            &|store| {
                assert_eq!(dates(store, 1), [(0, 0), (0, TOKYO), (4, 0), (5, TOKYO)]);
                assert_eq!(dates(store, 3), [(0, 0), (0, TOKYO), (3, -210), (7, TOKYO)]);
            },
        ],
    );
}

/// What the log says of a time when dates had no zone.
#[test]
fn a_date_without_a_zone_is_in_utc() {
    #[derive(serde::Serialize)]
    struct Old {
        uid: u32,
        flags: u64,
        modseq: u64,
        stored: u64,
        size: u32,
        received_ms: u64,
    }
    let old = Old { uid: 1, flags: 2, modseq: 3, stored: 4, size: 5, received_ms: NOW };
    let line: Line = postcard::from_bytes(&postcard::to_stdvec(&old).unwrap()).unwrap();
    let received = Received::new(NOW, 0);
    assert_eq!(line, Line { uid: 1, flags: 2, modseq: 3, stored: 4, size: 5, received });
}
