//! The keeper over real channels: labels believed, answers after the disk, pushes, evidence.

use crate::desk::Desk;
use crate::store::{Store, Whose};
use crate::tests::{AOI, BEN, Folder, copy};
use evidence::{Body, Frame};
use journal::Rounds;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use terms::{FolderId, InstanceId, Kind, MessageId, UserId};
use wire::control::{Order, Report};
use wire::ledger::{Deed, FromLedger, LastDeeds, ToLedger};
use wire::mailbox::{FromAccess, FromAdmin, FromEdge, Place, ToAccess, ToAdmin, ToEdge, flag};
use wire::vault::Class;
use wire::{Channel, Hub, Label, Parcel};

const PATIENCE: Duration = Duration::from_secs(5);
const INBOX: FolderId = FolderId([0, 0, 0, 1]);

struct Running {
    warden: Channel,
    thread: Option<JoinHandle<Result<(), crate::Fault>>>,
    author: evidence::PublicKey,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let (inside, warden) = Channel::pair().unwrap();
        let store = Store::open(folder).unwrap();
        let forward = Rounds::new(Kind::Mailbox, &wire::control::Start::default());
        let author = evidence::PublicKey(forward.public());
        let thread = std::thread::spawn(move || {
            let mut hub = Hub::new().unwrap();
            let label = Label { instance: InstanceId([0; 6]), kind: Kind::Warden, person: None };
            let warden = hub.seat(inside, label).unwrap();
            Desk::new(hub, store, forward, warden).serve()
        });
        Self { warden, thread: Some(thread), author }
    }

    fn join(&self, kind: Kind, number: u8, person: Option<Whose>) -> Channel {
        let (inside, outside) = Channel::pair().unwrap();
        let person = person.map(|whose| (whose.tenant, whose.user));
        let label = Label { instance: InstanceId([number; 6]), kind, person };
        self.warden.send(0, &Order::Join(label), &[inside.into()]).unwrap();
        outside
    }

    fn reader(&self, whose: Whose) -> Channel {
        let (inside, outside) = Channel::pair().unwrap();
        let person = Some((whose.tenant, whose.user));
        let label = Label { instance: InstanceId([8; 6]), kind: Kind::Access, person };
        self.warden.send(0, &Order::JoinReader(label), &[inside.into()]).unwrap();
        outside
    }

    fn edge(&self, number: u8) -> Channel {
        self.join(Kind::Edge, number, None)
    }

    fn access(&self, whose: Whose) -> Channel {
        self.join(Kind::Access, 9, Some(whose))
    }

    fn stop(mut self) {
        self.warden.send(0, &Order::Stop, &[]).unwrap();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

fn keep(edge: &mut Channel, whose: Whose, number: u32) -> ToEdge {
    let copies = vec![copy(whose, number, Place::Inbox)];
    let question = FromEdge::Keep { copies, journeys: Vec::new(), more: false };
    edge.ask(&question, &[], PATIENCE).unwrap().0
}

fn ask(access: &mut Channel, question: &FromAccess) -> ToAccess {
    access.ask(question, &[], PATIENCE).unwrap().0
}

fn uids(access: &mut Channel) -> Vec<u32> {
    match ask(access, &FromAccess::Rows { folder: INBOX, since: None }) {
        ToAccess::Rows { rows, .. } => rows.iter().map(|row| row.uid).collect(),
        _ => panic!("no rows"),
    }
}

/// Watches the inbox; how many nobody was told of before.
fn heard(access: &mut Channel) -> u32 {
    match ask(access, &FromAccess::Watch(Some(INBOX))) {
        ToAccess::Folders(fronts) => fronts[0].recent,
        _ => panic!("no folder"),
    }
}

fn store(uid: u32, add: u64) -> FromAccess {
    FromAccess::Store {
        folder: INBOX,
        uids: vec![uid],
        add,
        remove: 0,
        replace: false,
        unchanged_since: None,
    }
}

#[test]
fn an_arrival_in_several_frames_is_kept_whole_and_read_by_its_owner_only() {
    let folder = Folder::new("desk-arrival");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    let large: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut first = copy(AOI, 1, Place::Inbox);
    first.body.content = Parcel::pack(large.clone(), wire::INLINE_BYTES, &mut held).unwrap();
    let more = FromEdge::Keep { copies: vec![first], journeys: Vec::new(), more: true };
    edge.send(1, &more, &held).unwrap();
    assert!(matches!(keep(&mut edge, BEN, 2), ToEdge::Kept));
    let mut aoi = running.access(AOI);
    let mut ben = running.access(BEN);
    assert_eq!((uids(&mut aoi), uids(&mut ben)), (vec![1], vec![1]));
    let fetch = FromAccess::Fetch { folder: INBOX, uids: vec![1], class: Class::Body };
    let (answer, held): (ToAccess, Vec<OwnedFd>) = aoi.ask(&fetch, &[], PATIENCE).unwrap();
    let ToAccess::Parts(mut parts) = answer else { panic!() };
    let (uid, message, part) = parts.remove(0);
    assert_eq!((uid, message), (1, copy(AOI, 1, Place::Inbox).message));
    assert_eq!((part.epoch, part.wrapped.len()), (3, 120));
    assert!(part.content.open(&held).unwrap() == large);
    // What a session appends is its own, whatever the copy says.
    let append = FromAccess::Append {
        folder: INBOX,
        flags: flag::DRAFT,
        copy: Box::new(copy(BEN, 3, Place::Inbox)),
        zone_minutes: None,
    };
    assert!(matches!(ask(&mut aoi, &append), ToAccess::Appended { uid: 2, .. }));
    assert_eq!((uids(&mut aoi), uids(&mut ben)), (vec![1, 2], vec![1]));
    running.stop();
}

/// Drafts and Sent pass through a session in plain text: the ledger hears of them as of arrivals,
/// by the session that brought them.
#[test]
fn what_a_session_appends_reaches_the_ledger_as_its_own() {
    let folder = Folder::new("desk-append");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    keep(&mut edge, AOI, 1);
    let mut aoi = running.access(AOI);
    let append = |folder| FromAccess::Append {
        folder,
        flags: flag::DRAFT,
        copy: Box::new(copy(BEN, 3, Place::Inbox)),
        zone_minutes: None,
    };
    assert!(matches!(ask(&mut aoi, &append(INBOX)), ToAccess::Appended { .. }));
    assert!(matches!(ask(&mut aoi, &append(FolderId([0, 0, 0, 99]))), ToAccess::NoSuchFolder));
    let ledger = running.join(Kind::Ledger, 8, None);
    let (_, mut found) = deliveries(&running, &ledger);
    found.sort();
    assert_eq!(found, [(InstanceId([1; 6]), AOI.user), (InstanceId([9; 6]), AOI.user)]);
    running.stop();
}

#[test]
fn a_body_that_was_lent_is_kept_as_it_was() {
    use std::os::unix::fs::FileExt;
    let folder = Folder::new("desk-lent");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    let body: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let file = Parcel::lendable().unwrap();
    file.write_all_at(&body, 0).unwrap();
    let mut lent = copy(AOI, 1, Place::Inbox);
    lent.body.content = Parcel::Held { bytes: 300_000, place: 0 };
    let held = [file.try_clone().unwrap().into()];
    let keep_it = FromEdge::Keep { copies: vec![lent], journeys: Vec::new(), more: false };
    let (answer, _): (ToEdge, _) = edge.ask(&keep_it, &held, PATIENCE).unwrap();
    assert!(matches!(answer, ToEdge::Kept));
    // Its owner writes the next one.
    file.write_all_at(&[7; 300_000], 0).unwrap();
    let fetch = FromAccess::Fetch { folder: INBOX, uids: vec![1], class: Class::Body };
    let (answer, held): (ToAccess, Vec<OwnedFd>) =
        running.access(AOI).ask(&fetch, &[], PATIENCE).unwrap();
    let ToAccess::Parts(mut parts) = answer else { panic!() };
    assert!(parts.remove(0).2.content.open(&held).unwrap() == body);
    running.stop();
}

#[test]
fn whoever_reads_for_another_changes_nothing() {
    let folder = Folder::new("desk-reader");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
    let (mut reader, mut aoi) = (running.reader(AOI), running.access(AOI));
    let sealed = || copy(AOI, 9, Place::Inbox).body;
    let (folder, uids_of) = (INBOX, || vec![1]);
    let changes = [
        store(1, flag::SEEN | flag::DELETED),
        FromAccess::Expunge { folder, uids: None },
        FromAccess::Append {
            folder,
            flags: 0,
            copy: Box::new(copy(AOI, 2, Place::Inbox)),
            zone_minutes: None,
        },
        FromAccess::CopyTo {
            folder,
            uids: uids_of(),
            to: INBOX,
            remove: true,
            keywords: Vec::new(),
        },
        FromAccess::Create { name: sealed() },
        FromAccess::Rename { folder, name: sealed() },
        FromAccess::Delete { folder },
        FromAccess::Keywords { folder, names: sealed(), before: None },
        FromAccess::Subscribe { folder, subscribed: false },
    ];
    let view = |channel: &mut Channel| {
        let ToAccess::Folders(folders) = ask(channel, &FromAccess::Folders) else { panic!() };
        let rows = FromAccess::Rows { folder: INBOX, since: None };
        let rows = postcard::to_stdvec(&ask(channel, &rows)).unwrap();
        (postcard::to_stdvec(&ToAccess::Folders(folders)).unwrap(), rows)
    };
    let before = view(&mut aoi);
    for change in &changes {
        assert!(matches!(ask(&mut reader, change), ToAccess::ReadOnly));
    }
    // It reads, and what is recent stays so for the owner.
    assert_eq!(uids(&mut reader), [1]);
    assert_eq!(heard(&mut reader), 1);
    let fetch = FromAccess::Fetch { folder, uids: uids_of(), class: Class::Body };
    assert!(matches!(ask(&mut reader, &fetch), ToAccess::Parts(parts) if parts.len() == 1));
    assert!(view(&mut aoi) == before && view(&mut reader) == before);
    assert!(matches!(ask(&mut aoi, &changes[0]), ToAccess::Stored { .. }));
    running.stop();
}

#[test]
fn what_is_recent_is_said_to_one_session() {
    let folder = Folder::new("desk-recent");
    let running = Running::start(&folder.0);
    let (mut edge, mut one, mut other) =
        (running.edge(1), running.access(AOI), running.access(AOI));
    keep(&mut edge, AOI, 1);
    keep(&mut edge, AOI, 2);
    assert_eq!((heard(&mut one), heard(&mut other), heard(&mut one)), (2, 0, 0));
    keep(&mut edge, AOI, 3);
    keep(&mut edge, AOI, 4);
    // What was expunged before anybody heard of it is recent for nobody.
    ask(&mut other, &store(1, flag::DELETED));
    ask(&mut other, &store(4, flag::DELETED));
    ask(&mut other, &FromAccess::Expunge { folder: INBOX, uids: None });
    assert_eq!((heard(&mut other), heard(&mut one)), (1, 0));
    running.stop();
}

#[test]
fn those_who_watch_are_told_of_what_they_did_not_do() {
    let folder = Folder::new("desk-watch");
    let running = Running::start(&folder.0);
    let (mut edge, mut one, mut other) =
        (running.edge(1), running.access(AOI), running.access(AOI));
    keep(&mut edge, AOI, 1);
    assert_eq!(heard(&mut one), 1);
    let push = |channel: &Channel| -> Option<(Vec<u32>, u32)> {
        let frame = channel.receive(Some(Duration::from_millis(300))).ok()?;
        assert_eq!(frame.call, 0);
        match frame.read().unwrap() {
            ToAccess::Changed { folder, expunged, messages, .. } if folder == INBOX => {
                Some((expunged, messages))
            }
            _ => panic!("no push"),
        }
    };
    keep(&mut edge, AOI, 2);
    assert_eq!(push(&one), Some((vec![], 2)));
    keep(&mut edge, BEN, 3);
    assert_eq!(push(&one), None, "somebody else's mail");
    ask(&mut other, &store(1, flag::DELETED));
    assert_eq!(push(&one), Some((vec![], 2)));
    ask(&mut other, &FromAccess::Expunge { folder: INBOX, uids: None });
    assert_eq!(push(&one), Some((vec![1], 1)));
    ask(&mut one, &store(2, flag::SEEN));
    assert_eq!(push(&one), None, "its own doing");
    ask(&mut one, &FromAccess::Watch(None));
    keep(&mut edge, AOI, 4);
    assert_eq!(push(&one), None);
    running.stop();
}

#[test]
fn who_breaks_the_words_is_cut_and_reported() {
    let folder = Folder::new("desk-cut");
    let running = Running::start(&folder.0);
    let alarm = || {
        let frame = running.warden.receive(Some(PATIENCE)).unwrap();
        assert!(matches!(frame.read().unwrap(), Report::Alarm { .. }));
    };
    let edge = running.edge(1);
    edge.send(1, &"no question", &[]).unwrap();
    alarm();
    assert!(matches!(edge.receive(Some(PATIENCE)), Err(wire::Fault::Gone | wire::Fault::Unread)));
    // An access that nobody has signed in to has no mailbox.
    let access = running.join(Kind::Access, 2, None);
    access.send(1, &FromAccess::Folders, &[]).unwrap();
    alarm();
    let scanner = running.join(Kind::Scanner, 3, None);
    scanner.send(1, &FromAccess::Folders, &[]).unwrap();
    alarm();
    // A parcel that is not there.
    let edge = running.edge(4);
    let mut lying = copy(AOI, 1, Place::Inbox);
    lying.body.content = Parcel::Held { bytes: 10, place: 7 };
    let keep_it = FromEdge::Keep { copies: vec![lying], journeys: Vec::new(), more: false };
    edge.send(1, &keep_it, &[]).unwrap();
    alarm();
    // One that is for others to take another way.
    let edge = running.edge(7);
    let mut behind = copy(AOI, 1, Place::Inbox);
    behind.body.content = Parcel::Behind { bytes: 10 };
    let keep_it = FromEdge::Keep { copies: vec![behind], journeys: Vec::new(), more: false };
    edge.send(1, &keep_it, &[]).unwrap();
    alarm();
    // Mail that would be opened as a folder's name is.
    let edge = running.edge(8);
    let mut nameless = copy(AOI, 1, Place::Inbox);
    nameless.message = MessageId::FOLDER_NAMES;
    let keep_it = FromEdge::Keep { copies: vec![nameless], journeys: Vec::new(), more: false };
    edge.send(1, &keep_it, &[]).unwrap();
    alarm();
    // One person of two tenants.
    let mut edge = running.edge(6);
    assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
    let other = Whose { tenant: BEN.tenant, user: AOI.user };
    let copies = vec![copy(other, 1, Place::Inbox)];
    edge.send(2, &FromEdge::Keep { copies, journeys: Vec::new(), more: false }, &[]).unwrap();
    alarm();
    let mut edge = running.edge(5);
    assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
    running.stop();
}

fn deliveries(running: &Running, ledger: &Channel) -> (u32, Vec<(InstanceId, UserId)>) {
    let (call, entries) = loop {
        let frame = ledger.receive(Some(PATIENCE)).unwrap();
        match frame.read().unwrap() {
            ToLedger::Append { entries, prove: false } => break (frame.call, entries),
            ToLedger::LastDeeds => {
                let none = FromLedger::LastDeeds(LastDeeds::default());
                ledger.send(frame.call, &none, &[]).unwrap();
            }
            _ => panic!(),
        }
    };
    let mut found = Vec::new();
    for bytes in &entries {
        let entry = Frame::parse(bytes).unwrap();
        assert!(entry.is_signed_by(&running.author));
        let Body::Deliver { instance, messages, .. } = entry.entry.body else { panic!() };
        found.extend(messages.iter().map(|delivery| (instance, delivery.user)));
    }
    (call, found)
}

#[test]
fn evidence_reaches_the_ledger_however_often_it_is_away() {
    let folder = Folder::new("desk-evidence");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    keep(&mut edge, AOI, 1);
    keep(&mut edge, BEN, 2);
    let ledger = running.join(Kind::Ledger, 8, None);
    let both = vec![(InstanceId([1; 6]), AOI.user), (InstanceId([1; 6]), BEN.user)];
    let (call, found) = deliveries(&running, &ledger);
    assert_eq!(found, both);
    ledger.send(call, &FromLedger::Away, &[]).unwrap();
    let (_, found) = deliveries(&running, &ledger);
    assert_eq!(found, both, "handed in again");
    drop(ledger);
    let ledger = running.join(Kind::Ledger, 8, None);
    let (call, found) = deliveries(&running, &ledger);
    assert_eq!(found, both, "and to the next ledger");
    ledger.send(call, &FromLedger::Taken { first_index: 5 }, &[]).unwrap();
    keep(&mut edge, AOI, 3);
    // The next start hands in what was not taken, and nothing else.
    let (_, found) = deliveries(&running, &ledger);
    assert_eq!(found.len(), 1);
    running.stop();
    let running = Running::start(&folder.0);
    let ledger = running.join(Kind::Ledger, 8, None);
    let (call, found) = deliveries(&running, &ledger);
    assert_eq!(found, [(InstanceId([1; 6]), AOI.user)]);
    ledger.send(call, &FromLedger::Taken { first_index: 6 }, &[]).unwrap();
    let mut admin = running.join(Kind::Admin, 7, None);
    let until = Instant::now() + PATIENCE;
    loop {
        let (answer, _) = admin.ask(&FromAdmin::Status, &[], PATIENCE).unwrap();
        let ToAdmin::Status { users, messages, pending_evidence, .. } = answer else { panic!() };
        assert_eq!((users, messages), (2, 3));
        if pending_evidence == 0 {
            break;
        }
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    running.stop();
}

/// A ledger that knows of two entries of a start that is over, with three messages.
fn knowing_more(running: &Running) {
    let ledger = running.join(Kind::Ledger, 8, None);
    let mut author = evidence::Author::new(Kind::Mailbox, InstanceId([66; 6]), &[6; 32]);
    let mut deliver = |many: u8| {
        let one = |number| evidence::Delivery {
            message: MessageId([number; 16]),
            user: AOI.user,
            bytes: 7,
            verdict: terms::Verdict::Deliver,
        };
        let (instance, tenant) = (InstanceId([1; 6]), AOI.tenant);
        let messages = (0..many).map(one).collect();
        let body = Body::Deliver { instance, tenant, messages, connection: None };
        author.sign(1_700_000_000_000, body).unwrap()
    };
    let entries = vec![deliver(1), deliver(2)];
    std::thread::spawn(move || {
        while let Ok(frame) = ledger.receive(None) {
            let answer = match frame.read().unwrap() {
                ToLedger::LastDeeds => {
                    let own = Some(Deed { start: InstanceId([66; 6]), seq: 1, index: 1 });
                    FromLedger::LastDeeds(LastDeeds { own, foreign: None })
                }
                ToLedger::Deeds { .. } => {
                    FromLedger::Deeds { entries: entries.clone(), next: None }
                }
                _ => FromLedger::Away,
            };
            if ledger.send(frame.call, &answer, &[]).is_err() {
                return;
            }
        }
    });
}

fn next_alarm(running: &Running) -> String {
    loop {
        let frame = running.warden.receive(Some(PATIENCE)).expect("an alarm");
        if let Ok(Report::Alarm { what }) = frame.read() {
            return what;
        }
    }
}

fn uid_validity(access: &mut Channel) -> u32 {
    match ask(access, &FromAccess::Rows { folder: INBOX, since: None }) {
        ToAccess::Rows { uid_validity, .. } => uid_validity,
        _ => panic!("no rows"),
    }
}

fn lacks(running: &Running) -> bool {
    let mut admin = running.join(Kind::Admin, 7, None);
    match admin.ask(&FromAdmin::Standing, &[], PATIENCE).unwrap().0 {
        ToAdmin::Standing { lacks, .. } => lacks.is_some(),
        _ => panic!("no standing"),
    }
}

/// Mail is taken and read; nobody's copy of a folder counts any more; it is said at each start.
#[test]
fn an_older_mailbox_says_so_until_somebody_knows() {
    let folder = Folder::new("desk-older");
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
    let before = uid_validity(&mut running.access(AOI));
    knowing_more(&running);
    // Readers wait while it is not known whether the numbers stand.
    let after = uid_validity(&mut running.access(AOI));
    assert!(after > before, "{after}");
    let what = next_alarm(&running);
    let told = ["DIR/mailbox was emptied", "2 entries", "2023-11-14", "3 messages"];
    assert!(told.iter().all(|part| what.contains(part)) && what.len() <= 160, "{what}");
    assert!(lacks(&running) && matches!(keep(&mut edge, AOI, 2), ToEdge::Kept));
    assert_eq!(uids(&mut running.access(AOI)), [1, 2]);
    running.stop();
    let running = Running::start(&folder.0);
    knowing_more(&running);
    assert_eq!(next_alarm(&running), what, "at each start");
    assert_eq!(uid_validity(&mut running.access(AOI)), after, "once");
    let mut admin = running.join(Kind::Admin, 7, None);
    let mut acknowledge =
        || admin.ask::<_, ToAdmin>(&FromAdmin::Acknowledge, &[], PATIENCE).unwrap().0;
    assert!(matches!(acknowledge(), ToAdmin::Done));
    assert!(matches!(acknowledge(), ToAdmin::NoSuch) && !lacks(&running));
    running.stop();
    let running = Running::start(&folder.0);
    knowing_more(&running);
    assert_eq!(uid_validity(&mut running.access(AOI)), after);
    assert!(!lacks(&running));
    running.stop();
}

/// One octet of the index is another: it is said whose mail cannot be read, and others read on.
#[test]
fn whose_mailbox_is_damaged_is_said() {
    let folder = Folder::new("desk-damaged");
    let running = Running::start(&folder.0);
    assert!(matches!(keep(&mut running.edge(1), AOI, 1), ToEdge::Kept));
    running.stop();
    let path = folder.0.join("index.db");
    let index = rusqlite::Connection::open(&path).unwrap();
    let page: u32 = index
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'line'", (), |row| row.get(0))
        .unwrap();
    let size: u32 = index.query_row("PRAGMA page_size", (), |row| row.get(0)).unwrap();
    drop(index);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0x55], u64::from((page - 1) * size)).unwrap();
    let running = Running::start(&folder.0);
    let rows = FromAccess::Rows { folder: INBOX, since: None };
    let mut aoi = running.access(AOI);
    (0..2).for_each(|_| assert!(matches!(ask(&mut aoi, &rows), ToAccess::Fault)));
    let what = next_alarm(&running);
    assert!(what.contains(&AOI.user.to_string()) && what.contains("damaged"), "{what}");
    let mut admin = running.join(Kind::Admin, 7, None);
    let (answer, _) = admin.ask(&FromAdmin::Standing, &[], PATIENCE).unwrap();
    let ToAdmin::Standing { damaged, .. } = answer else { panic!() };
    assert_eq!(damaged, [AOI.user]);
}

/// That mail went is an entry, though none came: once a minute, and before the house stops.
#[test]
fn mail_that_goes_is_marked() {
    let folder = Folder::new("desk-marked");
    let running = Running::start(&folder.0);
    let ledger = running.join(Kind::Ledger, 8, None);
    let mut edge = running.edge(1);
    (1..=3).for_each(|number| assert!(matches!(keep(&mut edge, AOI, number), ToEdge::Kept)));
    let (call, _) = deliveries(&running, &ledger);
    ledger.send(call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
    let mut aoi = running.access(AOI);
    let expunge = FromAccess::Expunge { folder: INBOX, uids: None };
    let mark = |ledger: &Channel| {
        let frame = ledger.receive(Some(PATIENCE)).unwrap();
        let ToLedger::Append { entries, .. } = frame.read().unwrap() else { panic!() };
        let bodies = entries.iter().map(|bytes| Frame::parse(bytes).unwrap().entry.body);
        assert!(bodies.eq([Body::Heartbeat {}]));
        ledger.send(frame.call, &FromLedger::Taken { first_index: 9 }, &[]).unwrap();
    };
    ask(&mut aoi, &store(1, flag::DELETED));
    ask(&mut aoi, &expunge);
    mark(&ledger);
    ask(&mut aoi, &store(2, flag::DELETED));
    ask(&mut aoi, &expunge);
    running.warden.send(0, &Order::Stop, &[]).unwrap();
    mark(&ledger);
}

/// Not a test but a measurement: `cargo test --release -p mailbox -- --ignored --nocapture load`.
#[test]
#[ignore = "a measurement"]
fn load() {
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 10_000.0
    };
    for edges in [1u32, 10, 50] {
        let folder = Folder::new("desk-load");
        let running = Running::start(&folder.0);
        let total = 10_000 / edges * edges;
        let (before, clock) = (cpu(), Instant::now());
        std::thread::scope(|scope| {
            for number in 0..edges {
                let mut edge = running.edge(number as u8);
                scope.spawn(move || {
                    for round in 0..total / edges {
                        let mut copy = copy(AOI, round * edges + number, Place::Inbox);
                        copy.user = UserId([(round % 10) as u8; 8]);
                        copy.body.content = Parcel::Inline(vec![7; 4_096]);
                        let copies = vec![copy];
                        let keep = FromEdge::Keep { copies, journeys: Vec::new(), more: false };
                        let (answer, _): (ToEdge, _) = edge.ask(&keep, &[], PATIENCE).unwrap();
                        assert!(matches!(answer, ToEdge::Kept));
                    }
                });
            }
        });
        println!(
            "{edges} edges: cpu {:.0} us a message with both ends, wall {:.0} us",
            (cpu() - before) / f64::from(total),
            clock.elapsed().as_secs_f64() * 1e6 / f64::from(total)
        );
        running.stop();
    }
}

/// A `depart` that lost our answer comes again, before and after the index was told, and after a
/// restart: its people have the message once. An edge has no second chance of that kind.
#[test]
fn what_a_depart_brings_again_is_kept_once() {
    let folder = Folder::new("desk-once");
    for _ in 0..2 {
        let running = Running::start(&folder.0);
        for _ in 0..2 {
            let mut depart = running.join(Kind::Depart, 5, None);
            assert!(matches!(keep(&mut depart, AOI, 1), ToEdge::Kept));
            assert!(matches!(keep(&mut depart, BEN, 1), ToEdge::Kept));
            let copies = vec![copy(AOI, 2, Place::Inbox), copy(AOI, 2, Place::Inbox)];
            let question = FromEdge::Keep { copies, journeys: Vec::new(), more: false };
            let (answer, _): (ToEdge, _) = depart.ask(&question, &[], PATIENCE).unwrap();
            assert!(matches!(answer, ToEdge::Kept));
        }
        let (mut aoi, mut ben) = (running.access(AOI), running.access(BEN));
        assert_eq!((uids(&mut aoi), uids(&mut ben)), (vec![1, 2], vec![1]));
        running.stop();
    }
    let running = Running::start(&folder.0);
    let mut edge = running.edge(1);
    assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
    assert_eq!(uids(&mut running.access(AOI)), [1, 2, 3]);
    running.stop();
}

/// What an edge asks whose keeper died before it answered: only what the disk has is kept.
#[test]
fn a_keeper_that_came_back_knows_what_was_kept() {
    let folder = Folder::new("desk-has-kept");
    let has = |edge: &mut Channel, user, number| {
        let message = copy(AOI, number, Place::Inbox).message;
        let question = FromEdge::HasKept { user, message };
        match edge.ask(&question, &[], PATIENCE).unwrap().0 {
            ToEdge::HasKept(is_kept) => is_kept,
            _ => panic!("no answer to the question"),
        }
    };
    for is_back in [false, true] {
        let running = Running::start(&folder.0);
        let mut edge = running.edge(1);
        if !is_back {
            assert!(!has(&mut edge, AOI.user, 1));
            assert!(matches!(keep(&mut edge, AOI, 1), ToEdge::Kept));
        }
        assert!(has(&mut edge, AOI.user, 1));
        assert!(!has(&mut edge, AOI.user, 2) && !has(&mut edge, BEN.user, 1));
        running.stop();
    }
}

/// RFC 1939 §4: one at a time, until it says so or its process is gone; nobody else's business.
#[test]
fn one_session_has_the_maildrop() {
    let folder = Folder::new("desk-maildrop");
    let running = Running::start(&folder.0);
    assert!(matches!(keep(&mut running.edge(1), AOI, 1), ToEdge::Kept));
    let (take, give) =
        (FromAccess::Maildrop { taken: true }, FromAccess::Maildrop { taken: false });
    let is_let_in = |access: &mut Channel| match ask(access, &take) {
        ToAccess::Done => true,
        ToAccess::InUse => false,
        _ => panic!("neither"),
    };
    let (mut first, mut second) = (running.access(AOI), running.access(AOI));
    assert!(is_let_in(&mut first) && is_let_in(&mut first), "asked twice, held once");
    assert!(!is_let_in(&mut second));
    // Neither another person, nor a pass, nor IMAP is kept out; who has nothing gives nothing.
    assert!(is_let_in(&mut running.access(BEN)));
    assert!(is_let_in(&mut running.reader(AOI)));
    assert_eq!(uids(&mut second), [1]);
    assert!(matches!(ask(&mut second, &store(1, flag::SEEN)), ToAccess::Stored { .. }));
    assert!(matches!(ask(&mut second, &give), ToAccess::Done));
    assert!(!is_let_in(&mut second));
    assert!(matches!(ask(&mut first, &give), ToAccess::Done));
    assert!(is_let_in(&mut second));
    drop(second);
    let until = Instant::now() + PATIENCE;
    while !is_let_in(&mut first) {
        assert!(Instant::now() < until, "who is gone holds it");
    }
    running.stop();
}
