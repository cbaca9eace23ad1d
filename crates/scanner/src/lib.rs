//! The scanner takes one message apart and says what it found.
//!
//! # Holds          one message, in memory, until it answers
//! # May ask        no one (its questions to the DNS go up the same channel to `edge`)
//! # Network        none
//! # If taken over  the intruder can lie about this message, and nothing more
//! # Never          keeps a message; learns an account; writes a file

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod examination;

mod asking;
mod facts;
mod header;
mod reports;

#[cfg(test)]
mod report_tests;
#[cfg(test)]
mod tests;

use asking::{Asking, Remembered};
use compartment::{House, Slab, View};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;
use terms::Kind;
use wire::control::Report;
use wire::directory::server_of;
use wire::scanner::{FromScanner, Task, ToScanner};
use wire::{Channel, Frame, Label, Parcel};

pub use asking::{NoDns, answer_from_wire, question_to_wire};
pub use examination::{Given, examine, judged};
pub use facts::authentication;

/// Messages that one instance takes apart: what one sender leaves behind in a process reaches at
/// most these, and they are of one connection.
pub const MESSAGES: usize = 16;
/// The same where all of them are one person's, who signed in to send them: whoever would lie about
/// the next could as well break in with it.
pub const MESSAGES_OF_ONE: usize = 64;
/// How long a born instance waits to be given to an `edge`: the pool is refilled in seconds, and
/// a house without mail keeps its idle instances for a day.
const JOIN_LIMIT: Duration = Duration::from_secs(24 * 3_600);
/// Who announces a message has it: its pieces follow at once.
const BEHIND_LIMIT: Duration = Duration::from_secs(60);
/// Who waits longer for the next message gives back the memory that it would have used again.
const REST: Duration = Duration::from_secs(1);

/// What broke on our side. `edge` sees only that the channel ended.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("could not speak with edge")]
    Channel(#[source] wire::Fault),
    #[error("could not look at a message held in memory")]
    Memory(#[from] std::io::Error),
}

/// What each instance would make for itself, made by whoever forks them.
pub fn prepare() {
    mime::detect::prepare();
    trace::look_at_processor();
}

/// The whole life of an instance: wait for an `edge`, serve it, leave.
pub fn serve(mut house: House) -> ExitCode {
    compartment::abort_on_panic("scanner");
    compartment::jail::keep_memory();
    Slab::keep_one();
    let host_name = house.start.host_name.clone();
    let joined = join(&mut house);
    match joined.and_then(|(mut edge, most)| serve_edge(&mut edge, most, &host_name)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Settle(compartment::Fault::Stopped)) => ExitCode::SUCCESS,
        Err(Fault::Channel(wire::Fault::Gone | wire::Fault::Unread)) => ExitCode::SUCCESS,
        // Nobody needed this instance for a day: another is born when one is needed.
        Err(Fault::Settle(compartment::Fault::Channel(
            wire::Fault::Silent | wire::Fault::Gone | wire::Fault::Unread,
        ))) => ExitCode::SUCCESS,
        Err(Fault::Channel(fault @ (wire::Fault::Malformed | wire::Fault::TooLarge { .. }))) => {
            let what = format!("scanner: an edge broke the rules: {fault}");
            let _ = house.report(&Report::Alarm { what }, &[]);
            ExitCode::FAILURE
        }
        Err(fault) => {
            // The warden may be gone as well; then nobody is left to be told.
            let _ = house.report(&Report::Note { text: fault.to_string() }, &[]);
            ExitCode::FAILURE
        }
    }
}

/// Whose messages, and how many of them.
fn join(house: &mut House) -> Result<(Channel, usize), Fault> {
    house.ready(None, None).map_err(Fault::Settle)?;
    let whose = [Kind::Edge, Kind::Dispatch];
    let (channel, label) = house.next_join_of(&whose, JOIN_LIMIT).map_err(Fault::Settle)?;
    Ok((channel, most(&label)))
}

/// By the warden's word. A tenant's own server hands in the mail of many.
fn most(label: &Label) -> usize {
    match (label.kind, label.person) {
        (Kind::Dispatch, Some((tenant, user))) if user != server_of(tenant) => MESSAGES_OF_ONE,
        _ => MESSAGES,
    }
}

/// Takes messages apart until `edge` closes the channel or so many have passed through.
pub fn serve_edge(edge: &mut Channel, most: usize, host_name: &str) -> Result<(), Fault> {
    let mut remembered = Remembered::default();
    let mut last = None;
    for _ in 0..most {
        let (call, task, message) = next_task(edge, last.take())?;
        let given = Given {
            message: message.octets(),
            sender: task.sender.as_ref(),
            host_name: if task.host_name.is_empty() { host_name } else { &task.host_name },
            now_seconds: compartment::now_ms() / 1_000,
        };
        let mut asking = Asking::new(edge, call, &mut remembered);
        let examined = examine(&given, &mut asking);
        let call = asking.call();
        edge.send(call, &FromScanner::Examined(Box::new(examined)), &[]).map_err(Fault::Channel)?;
        last = message.slab();
    }
    Ok(())
}

/// A message as it came: one in a memfd is read where it lies.
enum Message {
    Memory(Vec<u8>),
    Slab(Slab),
    Seen(View),
}

impl Message {
    fn open(parcel: Parcel, descriptors: &[OwnedFd], edge: &Channel) -> Result<Self, Fault> {
        if let Parcel::Behind { bytes } = parcel {
            return take_in(bytes, edge).map(Self::Slab);
        }
        match parcel.file(descriptors).map_err(Fault::Channel)? {
            Some(file) => View::of(&file).map(Self::Seen).map_err(Fault::Memory),
            None => parcel.open(descriptors).map(Self::Memory).map_err(Fault::Channel),
        }
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Memory(octets) => octets,
            Self::Slab(slab) => slab,
            Self::Seen(view) => view,
        }
    }

    fn slab(self) -> Option<Slab> {
        match self {
            Self::Slab(slab) => Some(slab),
            Self::Memory(_) | Self::Seen(_) => None,
        }
    }
}

/// A message that comes behind its task.
fn take_in(bytes: u64, edge: &Channel) -> Result<Slab, Fault> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut slab = Slab::new(bytes).map_err(Fault::Memory)?;
    while slab.len() < bytes {
        let left = bytes - slab.len();
        slab.fill(left, |room| edge.receive_behind(room, BEHIND_LIMIT).map_err(Fault::Channel))?;
    }
    Ok(slab)
}

/// The next message. Answers to questions that were given up are dropped on the way.
fn next_task(edge: &Channel, last: Option<Slab>) -> Result<(u32, Task, Message), Fault> {
    let mut frame = next_frame(edge, last)?;
    loop {
        match frame.read().map_err(Fault::Channel)? {
            ToScanner::Answer(_) => frame = edge.receive(None).map_err(Fault::Channel)?,
            ToScanner::Examine(mut task) => {
                let parcel = std::mem::replace(&mut task.message, Parcel::Inline(Vec::new()));
                let message = Message::open(parcel, &frame.descriptors, edge)?;
                return Ok((frame.call, task, message));
            }
        }
    }
}

/// What comes next. Before anybody looks at it the last message is wiped, and its memory is kept.
/// Most senders have one: whoever is told of no other, or leaves, need not wipe what the kernel
/// wipes anyway.
fn next_frame(edge: &Channel, last: Option<Slab>) -> Result<Frame, Fault> {
    let Some(last) = last else { return edge.receive(None).map_err(Fault::Channel) };
    match edge.receive(Some(REST)) {
        Ok(frame) => {
            drop(last);
            Ok(frame)
        }
        Err(wire::Fault::Silent) => {
            last.let_go();
            edge.receive(None).map_err(Fault::Channel)
        }
        Err(fault) => {
            last.let_go();
            Err(Fault::Channel(fault))
        }
    }
}
