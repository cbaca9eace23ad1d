//! The zone server answers for the demo's made-up domains, and for nothing else.
//!
//! # Holds          the records that the demo wrote for it
//! # May ask        no one
//! # Network        one UDP socket and one TCP listener, bound by the warden
//! # If taken over  the intruder can lie about the demo's own domains
//! # Never          asks another server; exists outside the demo and the tests
//!
//! It is authoritative for every name: what is not in its table does not exist.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod answer;
mod server;
mod table;
#[cfg(test)]
mod tests;

use compartment::House;
use rustix::net::{SocketType, sockopt::socket_type};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use terms::Kind;
use wire::control::{Order, Report};
use wire::{Event, Hub, Peer};

pub use answer::answer;
pub use server::serve;
pub use table::{RecordWord, Zones};

/// Our side's failures.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not read the table of zones: {why}")]
    Table { why: String },
    #[error("{text:?} is no {kind:?} record, at {name}")]
    Record { name: String, kind: RecordWord, text: String },
    #[error("could not go on {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the warden is out of reach")]
    Control(#[source] compartment::Fault),
    #[error("a channel broke")]
    Channel(#[source] wire::Fault),
}

/// The compartment's life: read the table, go to jail, answer until told to stop.
pub fn run(house: House) -> ExitCode {
    compartment::abort_on_panic("zone");
    match live(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho zone: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    let mut zones = Zones::parse(&house.start.zones)?;
    let passed = std::mem::take(&mut house.descriptors);
    house.jail().map_err(Fault::Control)?;
    house.ready(None, None).map_err(Fault::Control)?;
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (control, _) = house.seat_control(&mut hub).map_err(Fault::Control)?;
    for socket in passed {
        listen(&mut hub, socket)?;
    }
    loop {
        let mut events = hub.wait(None).map_err(Fault::Channel)?;
        // Orders first: whoever asks after one was given is answered by it.
        events.sort_by_key(|event| matches!(event, Event::Ready(_)));
        for event in events {
            match event {
                Event::Ready(peer) => attend(&hub, peer, &zones),
                Event::Frame(peer, frame) if peer == control => match frame.read::<Order>() {
                    Ok(Order::Stop) => return Ok(()),
                    Ok(Order::Pulse) => drop(hub.send(control, 0, &Report::Alive, Vec::new())),
                    Ok(Order::Zones(text)) => zones = Zones::parse(&text)?,
                    Ok(Order::Listen(_)) => {
                        for socket in frame.descriptors {
                            listen(&mut hub, socket)?;
                        }
                    }
                    _ => {}
                },
                Event::Gone(_, label) if label.kind == Kind::Warden => return Ok(()),
                Event::Frame(..) | Event::Gone(..) => {}
            }
        }
    }
}

fn listen(hub: &mut Hub, socket: OwnedFd) -> Result<(), Fault> {
    let quiet = rustix::io::ioctl_fionbio(&socket, true);
    quiet.map_err(|errno| Fault::Io { doing: "taking a socket", source: errno.into() })?;
    hub.watch(socket).map(drop).map_err(Fault::Channel)
}

/// One readable socket. What breaks here is one question: its asker will ask again.
fn attend(hub: &Hub, peer: Peer, zones: &Zones) {
    let Some(socket) = hub.watched(peer) else {
        return;
    };
    let Ok(socket) = socket.try_clone() else {
        return;
    };
    match socket_type(&socket) {
        Ok(SocketType::DGRAM) => server::attend_udp(&socket.into(), zones),
        _ => server::attend_tcp(&socket.into(), zones),
    }
}
