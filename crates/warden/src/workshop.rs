//! One kind of instance outside a running house: the same walls, the same ears, for `scan`.
//!
//! A workshop has one zygote and births workers that are joined to its owner and to nobody else.

use crate::Fault;
use crate::births::copy;
use crate::ears::{Ear, Ears};
use compartment::zygote::{End, end_of};
use compartment::{Birth, Notices, spawn};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Label, Order, Report, Start};
use wire::{Channel, Frame};

/// A zygote is up, or a worker is born, in milliseconds; longer is a fault.
const PATIENCE: Duration = Duration::from_secs(10);

/// A refused call of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose.
    pub instance: InstanceId,
    /// Its process id.
    pub pid: u32,
    /// The call's name.
    pub call: &'static str,
}

/// One kind's zygote and its ears.
pub struct Workshop {
    kind: Kind,
    start: Start,
    ears: Ears,
    zygote: Option<Zygote>,
}

struct Zygote {
    control: Channel,
    pid: i32,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = compartment::birth::reap(self.pid);
    }
}

/// One instance at work for the workshop's owner.
pub struct Worker {
    /// Its id.
    pub instance: InstanceId,
    /// Its process id.
    pub pid: u32,
    /// The channel to it; it believes that its owner is of the kind that was asked for.
    pub channel: Channel,
    _control: Channel,
}

impl Workshop {
    /// Opens a workshop; `start` is what every worker is told beside its name.
    ///
    /// # Errors
    /// `Fault` when the kernel gives no thread for the ears.
    pub fn open(kind: Kind, start: Start) -> Result<Workshop, Fault> {
        // The walls are tried before the first thread: trying forks.
        let _ = compartment::walls();
        let thread = |source| Fault::Unable { doing: "start", what: "the ears".into(), source };
        Ok(Workshop { kind, start, ears: Ears::open().map_err(thread)?, zygote: None })
    }

    /// Births one worker, joined to a peer that says it is an `owner`. A zygote whose child died
    /// by a signal is replaced first.
    ///
    /// # Errors
    /// `Fault` when no worker could be had.
    pub fn worker(&mut self, owner: Kind) -> Result<Worker, Fault> {
        if self.zygote.as_ref().is_some_and(is_tainted) {
            self.zygote = None;
        }
        let zygote = match self.zygote.take() {
            Some(zygote) => zygote,
            None => self.start_zygote()?,
        };
        let instance = InstanceId(compartment::random());
        let (control, theirs) = Channel::pair()?;
        let (channel, end) = Channel::pair()?;
        let kind_word = self.kind.word().to_owned();
        let start = Start { instance, kind_word, ..self.start.clone() };
        control.send(0, &Order::Begin(start), &[])?;
        let label = Label { instance: InstanceId::default(), kind: owner, person: None };
        control.send(0, &Order::Join(label), &[end.into()])?;
        zygote.control.send(0, &Order::Fork(instance), &[theirs.into()])?;
        let pidfd = wait_for_birth(&zygote.control, instance)?;
        let pid = compartment::signals::pid_behind(&pidfd).unwrap_or(0);
        let mut jailed = control.receive(Some(PATIENCE))?;
        if let Some(listener) = jailed.descriptors.pop() {
            let notices = Notices::new(listener);
            let replace = Some(copy(&pidfd)?);
            self.ears.add(Ear {
                instance,
                kind: self.kind,
                notices,
                replace,
                drill: false,
                folder: None,
            });
        }
        self.zygote = Some(zygote);
        Ok(Worker { instance, pid, channel, _control: control })
    }

    /// Calls that were refused since the last question; each ended its worker.
    pub fn refused(&mut self) -> Vec<Refused> {
        let mut refused = Vec::new();
        while let Some(heard) = self.ears.next() {
            let (instance, pid, call) = (heard.instance, heard.pid, heard.call);
            refused.push(Refused { instance, pid, call });
        }
        refused
    }

    fn start_zygote(&self) -> Result<Zygote, Fault> {
        let (control, theirs) = Channel::pair()?;
        let kind_word = self.kind.word().to_owned();
        control.send(0, &Order::Begin(Start { kind_word, ..self.start.clone() }), &[])?;
        let spawned = spawn(Birth {
            kind: self.kind.word(),
            instance: None,
            user: None,
            host_network: false,
            control: theirs.into(),
            more: Vec::new(),
            environment: Vec::new(),
        })?;
        let zygote = Zygote { control, pid: spawned.pid };
        let until = Instant::now() + PATIENCE;
        loop {
            let frame = receive_before(&zygote.control, until)?;
            if matches!(frame.read()?, Report::Ready { .. }) {
                return Ok(zygote);
            }
        }
    }
}

/// Whether a child of this zygote has died by a signal: nobody may guess its layout twice.
fn is_tainted(zygote: &Zygote) -> bool {
    let mut tainted = false;
    loop {
        match zygote.control.take() {
            Ok(Some(frame)) => tainted |= is_violent_end(&frame),
            Ok(None) => return tainted,
            Err(_) => return true,
        }
    }
}

fn is_violent_end(frame: &Frame) -> bool {
    match frame.read() {
        Ok(Report::Ended { status, .. }) => matches!(end_of(status), End::Signal(_)),
        _ => false,
    }
}

fn wait_for_birth(zygote: &Channel, newborn: InstanceId) -> Result<OwnedFd, Fault> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut frame = receive_before(zygote, until)?;
        match frame.read()? {
            Report::Born(instance) if instance == newborn => {
                return frame.descriptors.pop().ok_or(Fault::Channel(wire::Fault::Malformed));
            }
            _ => {}
        }
    }
}

fn receive_before(channel: &Channel, until: Instant) -> Result<Frame, Fault> {
    let left = until.saturating_duration_since(Instant::now());
    Ok(channel.receive(Some(left))?)
}
