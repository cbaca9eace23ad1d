//! The ledger keeps the evidence: it checks who says it, appends it, proves it.
//!
//! # Holds          every entry, its own signing key, the public keys of authors
//! # May ask        mirror
//! # Network        none (in production, a link to the mirror's host)
//! # If taken over  the intruder learns opaque ids and can deny; it cannot forge or drop unnoticed
//! # Never          changes or drops an entry; proves what the mirror does not hold

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod authors;
mod book;
mod clock;
mod doubt;
mod endings;
mod fault;
mod folder;
mod followers;
mod keepers;
mod keys;
mod link;
mod losses;
mod memory;
mod pace;
mod proving;
mod verify;
mod watch;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

pub use doubt::{Memory, doubts};
pub use fault::Fault;
pub use keys::{foreign_keys, key_problems};
pub use losses::{Loss, losses};
pub use proving::{Proof, Proofs, prove, prove_under};
pub use verify::{
    Head, Missing, Verified, entries, export, head, reader, verify, verify_remembering,
};
pub use watch::{SEEN, SIGHTED, before_start, remember};

use annals::Segments;
use book::{Book, Out};
use clock::now_ms;
use compartment::House;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report};
use wire::ledger::ToLedger;
use wire::metrics::Measure;
use wire::{Channel, Event, Frame, Hub, Label, Peer};

/// The readers' copy of the newest checkpoint is at most so old while entries come.
const SAVE_MS: u64 = 1_000;
/// How long the loop sleeps when nothing at all is due.
const IDLE: Duration = Duration::from_secs(60);
/// Doubts that are said in one life of this process: there are four sorts, and faults of a disk.
const DOUBTS: usize = 16;
/// Why a peer is cut off.
const UNREADABLE: &str = "it spoke what is no question";

/// The compartment's main function.
pub fn run(house: House) -> ExitCode {
    match keep(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("ledger: {fault}"));
            compartment::failure(fault.is_full())
        }
    }
}

fn keep(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let opened = folder::open(folder.as_ref(), now_ms())?;
    house.jail().map_err(Fault::House)?;
    house.ready(None, Some(opened.public_key)).map_err(Fault::House)?;
    serve(house.control, opened)
}

/// Serves without walls, in this very process: for tests and benchmarks. `public` is told the
/// signing key.
///
/// # Errors
/// What ends the process otherwise.
pub fn serve_unjailed(
    control: Channel,
    folder: &Path,
    public: impl FnOnce([u8; 32]),
) -> Result<(), Fault> {
    let opened = folder::open(folder, now_ms())?;
    public(opened.public_key);
    serve(control, opened)
}

fn serve(control: Channel, opened: folder::Opened) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Wire)?;
    let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
    let warden = hub.seat(control, label).map_err(Fault::Wire)?;
    let mut desk = Desk {
        hub,
        book: opened.book,
        warden,
        mirror: None,
        labels: HashMap::new(),
        later: Vec::new(),
        followers: followers::Followers::default(),
        checkpoint: opened.checkpoint,
        saved_ms: 0,
        saved_size: 0,
        doubted: Vec::new(),
    };
    desk.tell(opened.notes.into_iter().map(Out::Note));
    desk.tell(opened.alarms.into_iter().map(Out::Alarm));
    loop {
        let left = desk.book.next_tick_ms(now_ms()).map_or(IDLE, Duration::from_millis);
        if desk.round(Some(left.min(IDLE)))? == Round::Stop {
            desk.commit(true)?;
            desk.save_checkpoint(u64::MAX);
            return Ok(());
        }
        desk.book.tick(now_ms()).map_err(Fault::Store)?;
        desk.commit(false)?;
        desk.answer_later()?;
        let told = desk.followers.tell(&desk.book);
        desk.tell(told.into_iter());
        desk.save_checkpoint(now_ms());
    }
}

#[derive(PartialEq, Eq)]
enum Round {
    GoOn,
    Stop,
}

/// The book, and those who sit around it.
struct Desk {
    hub: Hub,
    book: Book<Segments>,
    warden: Peer,
    mirror: Option<Peer>,
    /// Who sits where. The hub forgets a peer that is gone; its last words are still to be read.
    labels: HashMap<Peer, Label>,
    /// Questions for releases: answered when what a dead vault still said has been read.
    later: Vec<(Peer, u32, Label, ToLedger)>,
    /// Who waits for what comes next.
    followers: followers::Followers,
    /// Where the newest cosigned checkpoint is written for readers, and when it was.
    checkpoint: File,
    saved_ms: u64,
    saved_size: u64,
    /// What was said of somebody else's changing the log.
    doubted: Vec<String>,
}

impl Desk {
    fn round(&mut self, limit: Option<Duration>) -> Result<Round, Fault> {
        let mut round = Round::GoOn;
        for event in self.hub.wait(limit).map_err(Fault::Wire)? {
            match event {
                Event::Frame(peer, frame) if peer == self.warden => match frame.read() {
                    Ok(Order::Join(label)) => self.join(label, frame)?,
                    Ok(Order::Stop) => round = Round::Stop,
                    Ok(Order::Count) => {
                        let held = Measure::Entries.count("", self.book.size());
                        let counted = Report::Counted(held.into_iter().collect());
                        let _ = self.hub.send(self.warden, 0, &counted, Vec::new());
                    }
                    Ok(Order::Pulse) => {
                        self.look_over()?;
                        let _ = self.hub.send(self.warden, 0, &Report::Alive, Vec::new());
                    }
                    _ => {}
                },
                Event::Frame(peer, frame) if Some(peer) == self.mirror => match frame.read() {
                    Ok(said) => {
                        self.book.mirror_says(said, now_ms()).map_err(Fault::Store)?;
                    }
                    Err(_) => {
                        self.hub.cut_off(peer, UNREADABLE);
                        self.mirror = None;
                        self.book.mirror_gone(now_ms());
                    }
                },
                Event::Frame(peer, frame) => self.question(peer, &frame),
                Event::Gone(peer, _) if peer == self.warden => round = Round::Stop,
                Event::Gone(peer, _) if Some(peer) == self.mirror => {
                    self.mirror = None;
                    self.book.mirror_gone(now_ms());
                }
                Event::Gone(peer, _) => self.left(peer),
                Event::Ready(_) => {}
            }
            if self.book.is_large() {
                self.commit(true)?;
            }
        }
        self.send_out();
        Ok(round)
    }

    /// Whether the log is still as it was written. Each new doubt is said once; from the first on
    /// nothing is taken or proved any more.
    fn look_over(&mut self) -> Result<(), Fault> {
        let Some(what) = self.book.disturbed() else {
            self.book.stirred().into_iter().for_each(|what| self.doubt(what));
            return Ok(());
        };
        self.book.close().map_err(Fault::Store)?;
        self.send_out();
        self.doubt(what);
        Ok(())
    }

    /// A doubt about the log, said once.
    fn doubt(&mut self, what: String) {
        if self.doubted.len() < DOUBTS && !self.doubted.contains(&what) {
            self.doubted.push(what.clone());
            self.tell(std::iter::once(Out::Alarm(what)));
        }
    }

    fn join(&mut self, label: Label, mut frame: Frame) -> Result<(), Fault> {
        let Some(fd) = frame.descriptors.pop() else { return Ok(()) };
        let is_mirror = label.kind == Kind::Mirror;
        let peer = self.hub.seat(fd.into(), label.clone()).map_err(Fault::Wire)?;
        if !is_mirror {
            self.labels.insert(peer, label);
        } else {
            if let Some(old) = self.mirror.replace(peer) {
                self.hub.dismiss(old);
            }
            self.book.mirror_joined(now_ms());
        }
        Ok(())
    }

    fn left(&mut self, peer: Peer) {
        self.labels.remove(&peer);
        self.followers.gone(peer);
        self.book.peer_gone(peer);
    }

    fn question(&mut self, peer: Peer, frame: &Frame) {
        let Some(label) = self.labels.get(&peer).cloned() else { return };
        let Ok(question) = frame.read() else {
            self.hub.cut_off(peer, UNREADABLE);
            return self.left(peer);
        };
        match question {
            ToLedger::Follow { from_index } => {
                self.followers.wait(peer, frame.call, label.kind, from_index);
            }
            ToLedger::Releases { .. } => self.later.push((peer, frame.call, label, question)),
            _ => self.book.asked(peer, frame.call, &label, question, now_ms()),
        }
    }

    /// One write and one flush for everything that was gathered, here and at the mirror at once.
    fn commit(&mut self, is_now: bool) -> Result<(), Fault> {
        if is_now || self.book.is_due(now_ms()) {
            // Before it is written to: of a log that was cut or lengthened no write comes back.
            self.look_over()?;
            self.book.write(now_ms()).map_err(Fault::Store)?;
            self.send_out();
            self.book.flush(now_ms()).map_err(Fault::Store)?;
        }
        self.book.settle(now_ms()).map_err(Fault::Store)?;
        self.send_out();
        Ok(())
    }

    fn answer_later(&mut self) -> Result<(), Fault> {
        if self.later.is_empty() {
            return Ok(());
        }
        let later = std::mem::take(&mut self.later);
        self.round(Some(Duration::ZERO))?;
        self.commit(true)?;
        for (peer, call, label, question) in later {
            self.book.asked(peer, call, &label, question, now_ms());
        }
        self.send_out();
        Ok(())
    }

    fn save_checkpoint(&mut self, now_ms: u64) {
        let Some(cosigned) = self.book.cosigned() else { return };
        let size = cosigned.checkpoint.size;
        if size <= self.saved_size || now_ms.saturating_sub(self.saved_ms) < SAVE_MS {
            return;
        }
        let text = cosigned.note.to_text();
        // Only a help for readers: the log and the mirror hold the same.
        let written = self.checkpoint.write_all_at(text.as_bytes(), 0);
        let _ = written.and_then(|()| self.checkpoint.set_len(text.len() as u64));
        (self.saved_ms, self.saved_size) = (now_ms, size);
    }

    fn send_out(&mut self) {
        let out = self.book.take_out();
        self.tell(out.into_iter());
    }

    fn tell(&mut self, out: impl Iterator<Item = Out>) {
        for one in out {
            // A peer that is gone asks again; the next round hears of it.
            let _ = match one {
                Out::Answer(peer, call, answer) => self.hub.send(peer, call, &answer, Vec::new()),
                Out::Mirror(message) => match self.mirror {
                    Some(mirror) => self.hub.send(mirror, 0, &message, Vec::new()),
                    None => Ok(()),
                },
                Out::Alarm(what) => {
                    self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new())
                }
                Out::Note(text) => {
                    self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new())
                }
            };
        }
    }
}
