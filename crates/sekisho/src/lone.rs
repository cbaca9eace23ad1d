//! One jailed keeper without a house: `scan` asks its own `names` when no service runs.
//!
//! The walls are those of the service, made by the same crate from the same policy. A call off
//! charter is denied and ends it, as the warden would.

use crate::outcome::Trouble;
use compartment::{Birth, Notices, Policy, Verdict, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Start};
use wire::{Channel, Frame, Label};

/// A birth takes milliseconds; a machine under load takes longer.
const BIRTH_PATIENCE: Duration = Duration::from_secs(10);
/// Below the service's own range, so that a scan beside it shares no user with it.
const USER_BASE: u32 = 63_000;
const HINT: &str = "`sekisho doctor` says which walls this machine grants";

/// A living compartment and the channel that serves us.
pub struct Lone {
    _control: Channel,
    _pidfd: OwnedFd,
    pub channel: Channel,
}

fn trouble(what: impl std::fmt::Display) -> Trouble {
    Trouble::fault(what.to_string(), HINT)
}

/// A keeper of `kind` that sees us as an `edge`.
pub fn keeper(kind: Kind, dns_servers: Vec<SocketAddr>) -> Result<Lone, Trouble> {
    let (control, pidfd, instance) = born(kind, kind == Kind::Names)?;
    let start = Start {
        instance,
        kind_word: kind.word().to_owned(),
        host_name: "localhost".to_owned(),
        dns_servers,
        ..Start::default()
    };
    control.send(0, &Order::Begin(start), &[]).map_err(trouble)?;
    settle(&control, kind, &pidfd)?;
    let channel = join(&control)?;
    Ok(Lone { _control: control, _pidfd: pidfd, channel })
}

fn born(kind: Kind, host_network: bool) -> Result<(Channel, OwnedFd, InstanceId), Trouble> {
    let instance = InstanceId(compartment::random());
    let (control, theirs) = Channel::pair().map_err(trouble)?;
    let spawned = spawn(Birth {
        kind: kind.word(),
        instance: Some(&instance.to_string()),
        user: compartment::is_root().then(|| USER_BASE + kind.number()),
        host_network,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .map_err(trouble)?;
    Ok((control, spawned.pidfd, instance))
}

fn next(control: &Channel) -> Result<Frame, Trouble> {
    control.receive(Some(BIRTH_PATIENCE)).map_err(trouble)
}

/// Waits until the compartment has jailed itself, and listens to its filter from then on.
fn settle(control: &Channel, kind: Kind, pidfd: &OwnedFd) -> Result<(), Trouble> {
    loop {
        let frame = next(control)?;
        match frame.read::<Report>() {
            Ok(Report::Jailed { .. }) => {
                if let Some(listener) = frame.descriptors.into_iter().next() {
                    let end = pidfd.try_clone().map_err(trouble)?;
                    std::thread::spawn(move || listen(kind, listener, &end));
                }
            }
            Ok(Report::Ready { .. }) => return Ok(()),
            _ => {}
        }
    }
}

fn join(control: &Channel) -> Result<Channel, Trouble> {
    let (own, theirs) = Channel::pair().map_err(trouble)?;
    let label = Label { instance: InstanceId::default(), kind: Kind::Edge, person: None };
    control.send(0, &Order::Join(label), &[theirs.into()]).map_err(trouble)?;
    Ok(own)
}

/// Answers the calls of one filter until nobody stands behind it.
fn listen(kind: Kind, listener: OwnedFd, pidfd: &OwnedFd) {
    let policy = Policy::of(kind.word()).unwrap_or_default();
    let notices = Notices::new(listener);
    loop {
        let mut fds = [PollFd::from_borrowed_fd(notices.as_fd(), PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        let events = fds.iter().fold(PollFlags::empty(), |all, fd| all | fd.revents());
        if !events.contains(PollFlags::IN) {
            return;
        }
        let Ok(Some(notice)) = notices.receive() else { continue };
        if policy.judge(notice.number) == Verdict::Witness {
            let _ = notices.continue_(&notice);
            continue;
        }
        let _ = notices.deny(&notice, rustix::io::Errno::PERM.raw_os_error());
        let _ = rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL);
    }
}
