//! Cases: who is believed, who waits, what a mirror that is away changes, what a crash leaves.

use crate::book::losses::Remembered;
use crate::book::{Book, Out};
use crate::memory::Memory;
use evidence::{Author, Body, Frame, PublicKey, Released, Word};
use mirror::Copy;
use std::io;
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use tlog::{
    Cosigner, LOG_ORIGIN, MIRROR_NAME, NoteSigner, Opened, Store, Trust, Volume, Volumes, leaf_hash,
};
use wire::Label;
use wire::ledger::{FromLedger, FromMirror, LostAt, ToLedger, ToMirror};

pub(crate) const WARDEN: InstanceId = InstanceId([1; 6]);
pub(crate) const VAULT: InstanceId = InstanceId([2; 6]);
const LONG_AGO: u64 = 0;
pub(crate) const NOW: u64 = 1_000_000;

/// Memory that can be full.
#[derive(Default, Clone)]
struct Disk {
    bytes: Vec<u8>,
    room: Option<usize>,
}

impl Volume for Disk {
    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset, into)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.room {
            Some(room) if bytes.len() > room => {
                self.bytes.extend_from_slice(&bytes[..room]);
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Volume::append(&mut self.bytes, bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.bytes.cut(length)
    }
}

pub(crate) fn signer() -> NoteSigner {
    NoteSigner::new(LOG_ORIGIN, &[7; 32]).unwrap()
}

fn author(kind: Kind, start: InstanceId) -> Author {
    Author::new(kind, start, &[start.0[0]; 32])
}

pub(crate) fn label(kind: Kind, instance: InstanceId) -> Label {
    Label { kind, instance, person: None }
}

pub(crate) fn start_of(author: &Author, kind: Kind) -> Body {
    Body::ProcessStart {
        instance: author.start(),
        kind,
        pid: 1,
        version: Word::new("0.1.0"),
        zygote: None,
        key: Some(author.public_key()),
        serves: None,
    }
}

pub(crate) fn release(vault_seq: u64) -> Body {
    Body::Release {
        vault_seq,
        instance: InstanceId([9; 6]),
        grant: GrantId([1; 16]),
        tenant: TenantId([2; 8]),
        user: UserId([3; 8]),
        released: Released::Bodies(vec![MessageId([4; 16])]),
    }
}

/// A book over two disks; `must_reach` as the folder would find it.
fn open(log: Vec<u8>, started_ms: u64) -> (Book<Disk>, Opened) {
    let own = signer().verifier();
    let mut memory = Memory::default();
    let volumes = Volumes { log: Disk { bytes: log, room: None }, ..Volumes::default() };
    let (mut store, opened) = Store::open(
        volumes,
        None,
        |signed| signed.note.is_signed_by(&own),
        |index, bytes| {
            memory.learn(&Frame::parse(bytes).unwrap().entry, index, leaf_hash(bytes));
        },
    )
    .unwrap();
    let mut must_reach = 0;
    if opened.damage.is_some() {
        store.drop_loose().unwrap();
        must_reach = opened.claimed_size;
    }
    let book = Book::new(store, signer(), memory, must_reach, started_ms);
    (book, opened)
}

fn new_mirror() -> Copy<Vec<u8>> {
    let cosigner = Cosigner::new(MIRROR_NAME, &[8; 32]).unwrap();
    Copy::open(Volumes::default(), None, cosigner, Some(signer().verifier())).unwrap().0
}

pub(crate) fn trust() -> Trust {
    let mirror = Cosigner::new(MIRROR_NAME, &[8; 32]).unwrap().public().key_bytes();
    Trust::new(&signer().verifier().key_bytes(), &mirror).unwrap()
}

/// A whole house of evidence, in memory.
struct House {
    book: Book<Disk>,
    mirror: Option<Copy<Vec<u8>>>,
    is_silent: bool,
    answers: Vec<(u32, FromLedger)>,
    alarms: Vec<String>,
    now_ms: u64,
    warden: Author,
    vault: Author,
}

impl House {
    fn new(mirror: Option<Copy<Vec<u8>>>) -> Self {
        let mut house = Self {
            book: open(Vec::new(), LONG_AGO).0,
            mirror,
            is_silent: false,
            answers: Vec::new(),
            alarms: Vec::new(),
            now_ms: NOW,
            warden: author(Kind::Warden, WARDEN),
            vault: author(Kind::Vault, VAULT),
        };
        if house.mirror.is_some() {
            house.book.mirror_joined(NOW);
        }
        house.settle();
        house
    }

    /// A house whose warden has named the vault.
    fn with_vault(mirror: Option<Copy<Vec<u8>>>) -> Self {
        let mut house = Self::new(mirror);
        let root = start_of(&house.warden, Kind::Warden);
        let vault = start_of(&house.vault, Kind::Vault);
        let frames = [root, vault].map(|body| house.warden.sign(NOW, body).unwrap());
        assert_eq!(house.say(1, label(Kind::Warden, WARDEN), frames.to_vec(), false), "taken 0");
        house
    }

    fn frame(&mut self, vault_seq: u64) -> Vec<u8> {
        self.vault.sign(NOW, release(vault_seq)).unwrap()
    }

    fn vault_says(&mut self, call: u32, frames: &[Vec<u8>], prove: bool) -> String {
        self.say(call, label(Kind::Vault, VAULT), frames.to_vec(), prove)
    }

    fn say_heartbeat(&mut self, call: u32) {
        let frame = self.warden.sign(NOW, Body::Heartbeat {}).unwrap();
        self.say(call, label(Kind::Warden, WARDEN), vec![frame], false);
    }

    fn say(&mut self, call: u32, label: Label, entries: Vec<Vec<u8>>, prove: bool) -> String {
        let peer = u64::from(label.instance.0[0]);
        let frames = entries.clone();
        let question = ToLedger::Append { entries, prove };
        self.book.asked(peer, call, &label, question, self.now_ms);
        self.settle();
        self.answer_to(call, &frames)
    }

    /// What the asker was told, in a word; proofs are checked.
    fn answer_to(&mut self, call: u32, frames: &[Vec<u8>]) -> String {
        let Some(place) = self.answers.iter().position(|answer| answer.0 == call) else {
            return "nothing".to_owned();
        };
        match self.answers.remove(place).1 {
            FromLedger::Taken { first_index } => format!("taken {first_index}"),
            FromLedger::Proved { proofs, checkpoint } => {
                let trusted = trust().read(&checkpoint).unwrap();
                assert_eq!(proofs.len(), frames.len());
                for (proof, frame) in proofs.iter().zip(frames) {
                    assert!(trusted.proves(frame, proof.index, &proof.hashes));
                }
                format!("proved {}", proofs[0].index)
            }
            FromLedger::LastDeeds(last) => format!("{last:?}"),
            FromLedger::Deeds { entries, next } => format!("{} deeds, {next:?}", entries.len()),
            FromLedger::Shown { places, proof, checkpoint } => {
                let trusted = trust().read(&checkpoint).unwrap();
                let shown = &frames[..places.len()];
                assert!(trusted.proves_all(shown, &places, &proof));
                format!("shown {places:?}")
            }
            FromLedger::Away => "away".to_owned(),
            FromLedger::Shut => "shut".to_owned(),
            FromLedger::Refused { why } => format!("refused: {why}"),
            FromLedger::Head { cosigned, .. } => format!("head {cosigned}"),
            FromLedger::Releases { entries, next } => format!("{} then {next:?}", entries.len()),
            FromLedger::Followed { entries, .. } => format!("followed {}", entries.len()),
            FromLedger::Lost { ledger, mirror } => {
                format!("lost {} and {}", ledger.len(), mirror.len())
            }
        }
    }

    /// Lets 1.2 s pass, and everybody act until nothing moves.
    fn settle(&mut self) {
        for _ in 0..40 {
            self.now_ms += 30;
            self.book.tick(self.now_ms).unwrap();
            if self.book.is_due(self.now_ms) {
                self.book.write(self.now_ms).unwrap();
                self.carry();
                self.book.flush(self.now_ms).unwrap();
            }
            self.book.settle(self.now_ms).unwrap();
            self.carry();
        }
    }

    fn carry(&mut self) {
        for out in self.book.take_out() {
            match out {
                Out::Answer(_, call, answer) => self.answers.push((call, answer)),
                Out::Alarm(what) => self.alarms.push(what),
                Out::Note(_) => {}
                Out::Mirror(message) => self.tell_mirror(message),
            }
        }
    }

    fn tell_mirror(&mut self, message: ToMirror) {
        let Some(copy) = self.mirror.as_mut().filter(|_| !self.is_silent) else { return };
        let size = copy.size();
        let said = match message {
            ToMirror::Standing => FromMirror::Standing { size, lost: Vec::new() },
            ToMirror::Fetch { from_index } => FromMirror::Leaves {
                first_index: from_index,
                leaves: copy.leaves(from_index, 3, 4_096).unwrap(),
                checkpoint: copy.checkpoint(),
            },
            ToMirror::Add { first_index, leaves, checkpoint } => {
                match copy.add(first_index, &leaves, &checkpoint) {
                    Err(why) => FromMirror::Refused { size, why: why.to_string() },
                    Ok(()) => {
                        let (size, line) = copy.commit(NOW / 1_000).unwrap().unwrap();
                        FromMirror::Cosigned { size, cosignature: line.to_line().into_bytes() }
                    }
                }
            }
        };
        self.book.mirror_says(said, self.now_ms).unwrap();
        self.carry();
    }

    fn log(&self) -> Vec<u8> {
        self.book.store.log().bytes.clone()
    }
}

#[test]
fn a_release_is_proved_under_both_signatures() {
    let mut house = House::with_vault(Some(new_mirror()));
    for number in 0..40 {
        let frame = house.frame(number);
        let expected = format!("proved {}", number + 2);
        assert_eq!(house.vault_says(10, &[frame], true), expected);
    }
    let frames: Vec<_> = (40..45).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(11, &frames, true), "proved 42");
    assert!(house.alarms.is_empty(), "{:?}", house.alarms);
    assert_eq!(house.mirror.unwrap().size(), 47);
}

#[test]
fn a_resend_is_recognised() {
    let mut house = House::with_vault(Some(new_mirror()));
    let frames: Vec<_> = (0..3).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(1, &frames, false), "taken 2");
    assert_eq!(house.vault_says(2, &frames, false), "taken 2");
    assert_eq!(house.vault_says(3, &frames[1..], true), "proved 3");
    assert_eq!(house.book.store.size(), 5);
    // Also after a restart of the ledger.
    let log = house.log();
    house.book = open(log, LONG_AGO).0;
    house.book.mirror_joined(house.now_ms);
    house.settle();
    let more = [frames[2].clone(), house.frame(3)];
    assert_eq!(house.vault_says(4, &more, true), "proved 4");
    assert_eq!(house.book.store.size(), 6);
}

#[test]
fn what_was_taken_is_shown_to_its_author() {
    let show = |house: &mut House, first: u64, frames: &[Vec<u8>]| {
        let count = frames.len() as u32;
        let question = ToLedger::Show { first, count };
        house.book.asked(5, 50, &label(Kind::Vault, VAULT), question, house.now_ms);
        house.carry();
        house.answer_to(50, frames)
    };
    let mut house = House::with_vault(Some(new_mirror()));
    let frames: Vec<_> = (0..5).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(1, &frames[..3], false), "taken 2");
    house.say_heartbeat(2);
    assert_eq!(house.vault_says(3, &frames[3..], false), "taken 6");
    assert_eq!(show(&mut house, 0, &frames), "shown [2, 3, 4, 6, 7]");
    assert_eq!(show(&mut house, 2, &frames[2..4]), "shown [4, 6]");
    // Beyond what was taken, and of somebody who never wrote.
    let beyond = "refused: expected numbers of entries that were taken lately";
    assert_eq!(show(&mut house, 5, &frames), beyond);
    assert_eq!(show(&mut house, u64::MAX, &frames), beyond);
    // Without a mirror nothing more is shown than it signed.
    house.is_silent = true;
    let more: Vec<_> = (5..7).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(4, &more, false), "taken 8");
    assert_eq!(show(&mut house, 4, &[&frames[4..], &more].concat()), "shown [7]");
    assert_eq!(show(&mut house, 5, &more), "away");
    // A ledger that was started again knows them too.
    house.is_silent = false;
    let log = house.log();
    house.book = open(log, LONG_AGO).0;
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert_eq!(show(&mut house, 5, &more), "shown [8, 9]");
}

/// Whoever ends asks a last time, and only its newest entries are remembered: that is no lie.
#[test]
fn who_has_ended_is_not_refused_what_is_forgotten() {
    let mut house = House::with_vault(Some(new_mirror()));
    let frames: Vec<_> = (0..100).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(1, &frames, false), "taken 2");
    let stop = Body::ProcessStop {
        instance: VAULT,
        clean: true,
        cause: Word::new("left"),
        last_seq: None,
    };
    let frame = house.warden.sign(NOW, stop).unwrap();
    house.say(2, label(Kind::Warden, WARDEN), vec![frame], false);
    let mut show = |first: u64| {
        let question = ToLedger::Show { first, count: 3 };
        house.book.asked(5, 50, &label(Kind::Vault, VAULT), question, house.now_ms);
        house.carry();
        house.answer_to(50, &frames[first as usize..])
    };
    assert_eq!(show(0), "away");
    assert_eq!(show(97), "shown [99, 100, 101]");
}

#[test]
fn the_sentinel_learns_what_was_ended() {
    let mut house = House::with_vault(Some(new_mirror()));
    let mut identity = author(Kind::Identity, InstanceId([6; 6]));
    let start = start_of(&identity, Kind::Identity);
    let start = house.warden.sign(NOW, start).unwrap();
    house.say(1, label(Kind::Warden, WARDEN), vec![start], false);
    let mut change = |what: &str, credential: Option<&str>| {
        let (what, credential) = (Word::new(what), credential.map(Word::new));
        let (tenant, user) = (Some(TenantId([2; 8])), Some(UserId([3; 8])));
        let body = Body::RuleChange { what, tenant, user, weakened: None, by: None, credential };
        identity.sign(NOW, body).unwrap()
    };
    let frames = vec![
        change("app-password.revoke", Some("x")),
        change("password.change", None),
        change("person.disable", None),
    ];
    let said = house.say(2, label(Kind::Identity, InstanceId([6; 6])), frames, false);
    assert_eq!(said, "taken 3");
    let mut ask = |kind, from_index, to_index| {
        let question = ToLedger::Ended { from_index, to_index };
        house.book.asked(5, 50, &label(kind, InstanceId([5; 6])), question, house.now_ms);
        house.carry();
        house.answer_to(50, &[])
    };
    assert_eq!(ask(Kind::Sentinel, 0, u64::MAX), "2 deeds, None");
    assert_eq!(ask(Kind::Sentinel, 0, 5), "1 deeds, None");
    assert_eq!(ask(Kind::Sentinel, 4, 6), "1 deeds, None");
    assert_eq!(ask(Kind::Sentinel, 9, 6), "0 deeds, None");
    assert!(ask(Kind::Access, 0, 9).starts_with("refused"));
    // An older version's anchor says nothing of them: what stands before it is read, and the rest
    // is known.
    house.book.memory.endings = Default::default();
    let later = vec![change("person.enable", None), change("app-password.revoke", Some("y"))];
    let said = house.say(2, label(Kind::Identity, InstanceId([6; 6])), later, false);
    assert_eq!(said, "taken 6");
    let mut ask = |from_index| {
        let question = ToLedger::Ended { from_index, to_index: u64::MAX };
        house.book.asked(5, 50, &label(Kind::Sentinel, InstanceId([5; 6])), question, house.now_ms);
        house.carry();
        house.answer_to(50, &[])
    };
    assert_eq!((ask(0), ask(6)), ("2 deeds, Some(6)".to_owned(), "2 deeds, None".to_owned()));
}

#[test]
fn a_vault_learns_what_it_did_and_not_what_an_intruder_did() {
    let mut house = House::with_vault(Some(new_mirror()));
    let mut vault = author(Kind::Vault, InstanceId([6; 6]));
    let start = house.warden.sign(NOW, start_of(&vault, Kind::Vault)).unwrap();
    house.say(1, label(Kind::Warden, WARDEN), vec![start], false);
    let seal = Body::KeySeal { sealed: true, tenant: TenantId([2; 8]) };
    let frames = vec![vault.sign(NOW, seal.clone()).unwrap(), vault.sign(NOW, seal).unwrap()];
    assert_eq!(house.say(2, label(Kind::Vault, InstanceId([6; 6])), frames, false), "taken 3");
    let ask = |house: &mut House, kind, question| {
        house.book.asked(5, 50, &label(kind, InstanceId([5; 6])), question, house.now_ms);
        house.carry();
        house.answer_to(50, &[])
    };
    let deeds = || ToLedger::Deeds { from_index: 0 };
    assert_eq!(ask(&mut house, Kind::Vault, deeds()), "2 deeds, None");
    assert!(ask(&mut house, Kind::Access, deeds()).starts_with("refused"));
    let body = Body::Alarm {
        instance: InstanceId([6; 6]),
        kind: Kind::Vault,
        pid: 1,
        call: Word::new("execve"),
        what: Word::new(evidence::REFUSED),
    };
    let frame = house.warden.sign(NOW, body).unwrap();
    house.say(1, label(Kind::Warden, WARDEN), vec![frame], false);
    assert_eq!(ask(&mut house, Kind::Vault, deeds()), "0 deeds, None");
    let last = ask(&mut house, Kind::Vault, ToLedger::LastDeeds);
    assert!(last.contains("own: None") && last.contains("seq: 1"), "{last}");
}

#[test]
fn only_the_named_author_is_believed() {
    let mut house = House::with_vault(None);
    let (vault, warden) = (label(Kind::Vault, VAULT), label(Kind::Warden, WARDEN));
    let check = |house: &mut House, label: &Label, frame: Vec<u8>, expected: &str| {
        let found = house.say(5, label.clone(), vec![frame], false);
        assert!(found.starts_with(expected), "{found}");
        assert_eq!(house.book.store.size(), 2);
    };
    let frame = house.frame(0);
    check(&mut house, &warden, frame.clone(), "refused: expected entries of warden");
    let mut forged = frame.clone();
    *forged.last_mut().unwrap() ^= 1;
    check(&mut house, &vault, forged, "refused: expected the author's signature");
    check(&mut house, &vault, b"words".to_vec(), "refused: expected an entry");
    let ahead = house.frame(1);
    check(&mut house, &vault, ahead.clone(), "refused: expected number 0, found 1");
    // A stranger waits for its name, in vain.
    let other = InstanceId([3; 6]);
    let mut stranger = author(Kind::Gate, other);
    let stranger_says = stranger.sign(NOW, Body::Heartbeat {}).unwrap();
    check(&mut house, &label(Kind::Gate, other), stranger_says, "nothing");
    house.settle();
    house.settle();
    assert!(house.answer_to(5, &[]).starts_with("refused: expected a known author"));
    // Nobody but the warden names authors, itself included.
    let mut second = author(Kind::Warden, other);
    let body = start_of(&second, Kind::Warden);
    let named = second.sign(NOW, body).unwrap();
    check(&mut house, &vault, named, "refused: expected entries of vault");
    assert_eq!(house.say(6, vault.clone(), vec![frame, ahead], false), "taken 2");
    // A number serves once.
    let mut twin = author(Kind::Vault, VAULT);
    let again = twin.sign(NOW, Body::Heartbeat {}).unwrap();
    let found = house.say(7, vault, vec![again], false);
    assert_eq!(found, "refused: number 0 was used for another entry");
    assert!(house.alarms.len() >= 6);
}

#[test]
fn an_author_may_come_before_its_name() {
    let mut house = House::with_vault(None);
    let start = InstanceId([4; 6]);
    let mut gate = author(Kind::Gate, start);
    let frame = gate.sign(NOW, Body::Heartbeat {}).unwrap();
    let named = house.warden.sign(NOW, start_of(&gate, Kind::Gate)).unwrap();
    let asked = ToLedger::Append { entries: vec![frame], prove: false };
    house.book.asked(4, 1, &label(Kind::Gate, start), asked, house.now_ms);
    assert_eq!(house.say(2, label(Kind::Warden, WARDEN), vec![named], false), "taken 2");
    assert_eq!(house.answer_to(1, &[]), "taken 3");
}

#[test]
fn without_a_mirror_everything_is_kept_and_nothing_proved() {
    let mut house = House::with_vault(None);
    let frames: Vec<_> = (0..3).map(|number| house.frame(number)).collect();
    assert_eq!(house.vault_says(1, &frames, true), "away");
    assert_eq!(house.vault_says(2, &frames, false), "taken 2");
    house.mirror = Some(new_mirror());
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert_eq!(house.mirror.as_ref().unwrap().size(), 5);
    assert_eq!(house.vault_says(3, &frames, true), "proved 2");
    // A mirror that falls silent is waited for, then not; when it speaks again, it is believed.
    house.is_silent = true;
    let frame = house.frame(3);
    let begun = house.now_ms;
    assert_eq!(house.vault_says(4, std::slice::from_ref(&frame), true), "nothing");
    house.settle();
    assert_eq!(house.answer_to(4, &[]), "away");
    assert!(house.now_ms - begun < 3_000);
    house.is_silent = false;
    house.book.mirror_gone(house.now_ms);
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert_eq!(house.vault_says(5, &[frame], true), "proved 5");
}

/// In an idle house, too: the mirror is asked when somebody asks how the house is.
#[test]
fn who_asks_how_the_house_is_hears_that_the_mirror_hangs() {
    let mut house = House::with_vault(Some(new_mirror()));
    let head = |house: &mut House, call, kind| {
        let label = label(kind, InstanceId([7; 6]));
        house.book.asked(7, call, &label, ToLedger::Head, house.now_ms);
        house.carry();
        house.answer_to(call, &[])
    };
    assert_eq!(head(&mut house, 11, Kind::Admin), "head true");
    house.is_silent = true;
    house.now_ms += 3_000;
    assert_eq!(head(&mut house, 12, Kind::Vault), "head true", "nobody else waits");
    let begun = house.now_ms;
    assert_eq!(head(&mut house, 13, Kind::Admin), "nothing");
    let left = house.book.next_tick_ms(house.now_ms).unwrap();
    assert!((1..=1_000).contains(&left), "{left}");
    house.settle();
    assert_eq!(house.answer_to(13, &[]), "away");
    assert!(house.now_ms - begun < 1_500);
    // What it was asked while it hung it answers late: that disturbs nothing.
    house.is_silent = false;
    house.tell_mirror(ToMirror::Standing);
    assert_eq!(head(&mut house, 14, Kind::Admin), "head true");
    let frame = house.frame(0);
    assert_eq!(house.vault_says(15, &[frame], true), "proved 2");
    // One that was heard a moment before is listened for a moment longer, and not taken at its word
    // of before.
    assert_eq!(head(&mut house, 22, Kind::Admin), "head true");
    house.is_silent = true;
    house.now_ms += 100;
    assert_eq!(head(&mut house, 20, Kind::Admin), "nothing");
    house.settle();
    assert_eq!(house.answer_to(20, &[]), "nothing");
    house.settle();
    assert_eq!(house.answer_to(20, &[]), "away");
    house.is_silent = false;
    house.tell_mirror(ToMirror::Standing);
    // Whoever asks is recorded: that is work which the mirror does not do.
    house.is_silent = true;
    house.now_ms += 3_000;
    assert_eq!(head(&mut house, 18, Kind::Admin), "nothing");
    house.say_heartbeat(19);
    assert_eq!(house.answer_to(18, &[]), "away");
    house.is_silent = false;
    // A mirror that is gone, and whoever does not wait for the answer.
    house.book.mirror_gone(house.now_ms);
    assert_eq!(head(&mut house, 16, Kind::Admin), "nothing");
    house.book.peer_gone(7);
    house.settle();
    assert_eq!(house.answer_to(16, &[]), "nothing");
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert_eq!(head(&mut house, 17, Kind::Admin), "head true");
}

#[test]
fn a_full_disk_takes_nothing_and_recovers() {
    let mut house = House::with_vault(Some(new_mirror()));
    let frames: Vec<_> = (0..3).map(|number| house.frame(number)).collect();
    house.book.store.log_mut().room = Some(100);
    assert_eq!(house.vault_says(1, &frames, true), "away");
    assert_eq!(house.vault_says(2, &frames, false), "away");
    assert_eq!(house.book.store.size(), 2);
    house.book.store.log_mut().room = None;
    assert_eq!(house.vault_says(3, &frames, true), "proved 2");
    let (book, opened) = open(house.log(), LONG_AGO);
    assert_eq!((book.store.size(), opened.torn_bytes), (5, 0));
}

#[test]
fn a_mirror_gives_back_what_a_power_loss_took() {
    let mut house = House::with_vault(Some(new_mirror()));
    let mut frames = Vec::new();
    for number in 0..20 {
        let frame = house.frame(number);
        assert_eq!(
            house.vault_says(1, std::slice::from_ref(&frame), true),
            format!("proved {}", number + 2)
        );
        frames.push(frame);
    }
    let log = house.log();
    for length in (0..log.len()).step_by(97) {
        let (book, opened) = open(log[..length].to_vec(), house.now_ms);
        assert!(opened.damage.is_none());
        house.book = book;
        // Before the mirror is heard, nothing is appended.
        house.book.mirror_joined(house.now_ms);
        house.settle();
        assert_eq!(house.book.store.size(), 22);
        assert_eq!(house.vault_says(2, &frames[19..], true), "proved 21");
    }
    let found = house.alarms.iter().filter(|alarm| alarm.contains("came back")).count();
    assert!(found > 10);
}

#[test]
fn a_changed_log_stands_still_until_the_mirror_gives_it_back() {
    let mut house = House::with_vault(Some(new_mirror()));
    for number in 0..20 {
        let frame = house.frame(number);
        house.vault_says(1, &[frame], true);
    }
    let mut log = house.log();
    let middle = log.len() / 2;
    log[middle] ^= 1;
    let (book, opened) = open(log.clone(), LONG_AGO);
    assert!(opened.damage.is_some() && opened.claimed_size == 22);
    house.book = book;
    let kept = house.mirror.take();
    let frame = house.frame(20);
    assert_eq!(house.vault_says(2, std::slice::from_ref(&frame), false), "nothing");
    house.settle();
    assert_eq!(house.answer_to(2, &[]), "away");
    house.mirror = kept;
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert_eq!(house.vault_says(3, &[frame], true), "proved 22");
}

#[test]
fn a_second_history_is_refused_by_the_mirror() {
    let mut house = House::with_vault(Some(new_mirror()));
    let frame = house.frame(0);
    assert_eq!(house.vault_says(1, &[frame], true), "proved 2");
    let mirror = house.mirror.take();
    // The same key, another past.
    let mut other = House::with_vault(None);
    other.vault.sign(NOW, release(7));
    other.vault = author(Kind::Vault, VAULT);
    for number in 0..4 {
        let frame = other.vault.sign(NOW, release(number + 50)).unwrap();
        assert_eq!(other.vault_says(1, &[frame], false), format!("taken {}", number + 2));
    }
    other.mirror = mirror;
    other.book.mirror_joined(other.now_ms);
    other.settle();
    let frame = other.vault.sign(NOW, release(54)).unwrap();
    assert_eq!(other.vault_says(2, &[frame], true), "away");
    assert_eq!(other.mirror.as_ref().unwrap().size(), 3);
    assert!(other.alarms.iter().any(|alarm| alarm.contains("second history")));
}

#[test]
fn the_vault_reads_its_releases_back() {
    let mut house = House::with_vault(None);
    for number in 0..5 {
        let frame = house.vault.sign(NOW + number, release(number)).unwrap();
        house.vault_says(1, &[frame], false);
    }
    let mut check = |kind, since_ms, from_index, expected: &str| {
        let asked = ToLedger::Releases { since_ms, from_index };
        house.book.asked(2, 9, &label(kind, VAULT), asked, house.now_ms);
        house.carry();
        assert_eq!(house.answer_to(9, &[]), expected);
    };
    check(Kind::Vault, 0, 0, "5 then None");
    check(Kind::Vault, NOW + 3, 0, "2 then None");
    check(Kind::Vault, NOW + 99, 0, "1 then None");
    check(Kind::Vault, 0, 5, "2 then None");
    check(Kind::Gate, 0, 0, "refused: only the vault may ask for releases");
}

/// Whoever checks proofs outside was given the mirror's key: another one is said, once.
#[test]
fn another_mirror_s_key_is_alarmed() {
    let mut house = House::with_vault(Some(new_mirror()));
    house.say_heartbeat(5);
    assert_eq!(house.alarms, Vec::<String>::new());
    let other = Cosigner::new(MIRROR_NAME, &[9; 32]).unwrap();
    let ledger = Some(signer().verifier());
    house.mirror = Some(Copy::open(Volumes::default(), None, other, ledger).unwrap().0);
    house.book.mirror_joined(house.now_ms);
    house.settle();
    house.say_heartbeat(6);
    house.say_heartbeat(7);
    let said = |alarm: &&String| alarm.contains("the mirror signs with another key");
    assert_eq!(house.alarms.iter().filter(said).count(), 1, "{:?}", house.alarms);
}

#[test]
fn identity_is_told_what_is_lost_and_nobody_else() {
    let mut house = House::new(None);
    let lost = vec![LostAt { size: 32, root: [7; 32] }];
    house.book.mirror_says(FromMirror::Standing { size: 0, lost }, NOW).unwrap();
    for (kind, expected) in [
        (Kind::Identity, "lost 0 and 1"),
        (Kind::Vault, "refused: only identity may ask what was lost"),
    ] {
        house.book.asked(2, 9, &label(kind, VAULT), ToLedger::Lost, house.now_ms);
        house.carry();
        assert_eq!(house.answer_to(9, &[]), expected);
    }
}

/// Who decides says that they know, of one loss: until then nothing is released, and everything
/// else goes on.
#[test]
fn what_is_lost_shuts_releases_until_somebody_says_that_they_know() {
    let mut house = House::with_vault(Some(new_mirror()));
    let older = house.frame(0);
    assert_eq!(house.vault_says(1, &[older.clone()], true), "proved 2");
    let unknown = vec![LostAt { size: 32, root: [7; 32] }];
    let remembered = Remembered { unknown, ..Remembered::default() };
    let (book, _) = open(house.log(), house.now_ms);
    house.book = book.remembering(remembered);
    house.book.mirror_joined(house.now_ms);
    house.settle();
    assert!(
        house.alarms.iter().any(|what| what.contains("acknowledge-loss")),
        "{:?}",
        house.alarms
    );
    let frame = house.frame(1);
    assert_eq!(house.vault_says(2, &[frame.clone()], true), "shut");
    let size = house.book.store.size();
    // Its number runs on, so it is recorded; what the log held before is proved as ever.
    assert_eq!(house.vault_says(3, &[frame], false), format!("taken {size}"));
    assert_eq!(house.vault_says(4, &[older], true), "proved 2");
    let start = InstanceId([4; 6]);
    let mut identity = author(Kind::Identity, start);
    let named = house.warden.sign(NOW, start_of(&identity, Kind::Identity)).unwrap();
    house.say(5, label(Kind::Warden, WARDEN), vec![named], false);
    let mut check = |whose: &str, root: u8, number: u64, expected: &str| {
        let (size, root) = (32, evidence::Digest([root; 32]));
        let whose = Word::new(whose);
        let body = Body::LossAcknowledged { whose, size, root, request: None, weakened: None };
        let frame = identity.sign(NOW, body).unwrap();
        house.say(6, label(Kind::Identity, start), vec![frame], false);
        let frame = house.vault.sign(NOW, release(number)).unwrap();
        let said = house.vault_says(7, &[frame.clone()], true);
        assert!(said.starts_with(expected), "{said}, not {expected}");
        if said == "shut" {
            house.vault_says(8, &[frame], false);
        }
    };
    check("mirror", 7, 2, "shut");
    check("both", 8, 3, "shut");
    check("ledger", 7, 4, "proved");
}

/// Somebody changed the log's file: nothing is taken or proved any more, whoever asks.
#[test]
fn a_log_that_somebody_changed_takes_nothing() {
    let mut house = House::with_vault(Some(new_mirror()));
    let frame = house.frame(0);
    let append = ToLedger::Append { entries: vec![frame.clone()], prove: true };
    house.book.asked(2, 1, &label(Kind::Vault, VAULT), append, house.now_ms);
    house.book.close().unwrap();
    house.settle();
    assert_eq!(house.answer_to(1, &[frame.clone()]), "away");
    for prove in [true, false] {
        assert_eq!(house.vault_says(2, &[frame.clone()], prove), "away");
    }
    assert_eq!((house.book.store.size(), house.mirror.unwrap().size()), (2, 2));
}

/// A handshake's signature and the sign-in behind it share a commit; alone, it waits no second.
#[test]
fn what_the_signer_did_waits_a_moment_for_company() {
    let mut house = House::with_vault(Some(new_mirror()));
    let used = || Body::CredentialUse {
        credential: Word::new("tls-key"),
        instance: InstanceId([9; 6]),
        name: Word::new("mail"),
        tenant: None,
    };
    let start = InstanceId([4; 6]);
    let mut signer = author(Kind::Signer, start);
    let named = house.warden.sign(NOW, start_of(&signer, Kind::Signer)).unwrap();
    house.say(2, label(Kind::Warden, WARDEN), vec![named], false);
    for (kind, is_due) in [(Kind::Signer, false), (Kind::Vault, true)] {
        let (label, frame) = match kind {
            Kind::Signer => (label(kind, start), signer.sign(NOW, used()).unwrap()),
            _ => (label(kind, VAULT), house.vault.sign(NOW, used()).unwrap()),
        };
        let question = ToLedger::Append { entries: vec![frame], prove: false };
        house.book.asked(4, 3, &label, question, house.now_ms);
        assert_eq!(house.book.is_due(house.now_ms), is_due, "{kind:?}");
        let looked_at_ms = house.now_ms + house.book.next_tick_ms(house.now_ms).unwrap();
        assert!(is_due || looked_at_ms == house.now_ms + 15);
        assert!(house.book.is_due(looked_at_ms));
        house.settle();
        assert!(house.answer_to(3, &[]).starts_with("taken"));
    }
}

#[test]
fn keys_are_learned_from_the_log() {
    let house = House::with_vault(None);
    let key: PublicKey = house.vault.public_key();
    assert_ne!(key, house.warden.public_key());
    let mut second = House::with_vault(None);
    second.book = open(house.log(), LONG_AGO).0;
    let frame = second.frame(0);
    assert_eq!(second.vault_says(1, &[frame], false), "taken 2");
}

#[test]
fn the_stream_gives_what_is_new_to_the_sentinel_and_to_nobody_else() {
    let mut house = House::with_vault(Some(new_mirror()));
    let mut followers = crate::followers::Followers::default();
    let told = |followers: &mut crate::followers::Followers, house: &House| {
        let told = followers.tell(&house.book).into_iter().map(|out| match out {
            Out::Answer(peer, call, FromLedger::Followed { first_index, entries }) => {
                format!("{peer} {call} {first_index}+{}", entries.len())
            }
            _ => "another".to_owned(),
        });
        told.collect::<Vec<String>>()
    };
    followers.wait(7, 1, Kind::Vault, 0);
    assert!(told(&mut followers, &house).is_empty(), "only the sentinel follows");
    followers.wait(8, 2, Kind::Sentinel, u64::MAX);
    assert_eq!(told(&mut followers, &house), ["8 2 2+0"], "beyond the end: where the end is");
    followers.wait(8, 4, Kind::Sentinel, 0);
    assert_eq!(told(&mut followers, &house), ["8 4 0+2"]);
    followers.wait(8, 6, Kind::Sentinel, 2);
    assert!(told(&mut followers, &house).is_empty(), "nothing new");
    let frames = [house.frame(0), house.frame(1)];
    house.vault_says(9, &frames, false);
    assert_eq!(told(&mut followers, &house), ["8 6 2+2"]);
    assert!(told(&mut followers, &house).is_empty(), "one question, one answer");
    followers.wait(8, 8, Kind::Sentinel, 4);
    followers.gone(8);
    let frames = [house.frame(2)];
    house.vault_says(10, &frames, false);
    assert!(told(&mut followers, &house).is_empty());
}

#[test]
fn an_author_that_floods_is_told_of_then_held_back_and_loses_nothing() {
    let mut house = House::with_vault(Some(new_mirror()));
    house.alarms.clear();
    // Frames that are here already cost their sender its pace as well.
    let frames: Vec<Vec<u8>> = (0..500).map(|number| house.frame(number)).collect();
    let piece = &frames[..400];
    let mut answers = Vec::new();
    let label = label(Kind::Vault, VAULT);
    for call in 0..700u32 {
        let question = ToLedger::Append { entries: piece.to_vec(), prove: false };
        house.book.asked(2, call, &label, question, house.now_ms);
        house.carry();
    }
    house.settle();
    for call in 0..700 {
        answers.push(house.answer_to(call, piece));
    }
    let taken = answers.iter().filter(|answer| answer.starts_with("taken")).count() as u64;
    assert_eq!(taken, crate::pace::BURST / 400);
    assert!(answers[usize::try_from(taken).unwrap()..].iter().all(|answer| answer == "away"));
    assert_eq!(house.alarms.len(), 2, "{:?}", house.alarms);
    assert!(house.alarms[0].contains("more than a full load"), "{:?}", house.alarms);
    assert!(house.alarms[1].contains("held back"), "{:?}", house.alarms);
    // The author sends again what was not taken, and goes on where it was.
    house.now_ms += 1_000;
    assert_eq!(house.vault_says(900, &frames[400..], true), "proved 402");
    assert_eq!(house.alarms.len(), 2);
}
