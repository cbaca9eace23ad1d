//! Metrics answers whoever watches the house with the numbers that the warden has told it.
//!
//! # Holds          the newest numbers, with names and words of ours
//! # May ask        no one
//! # Network        accepts on listeners that the warden bound, on loopback unless set otherwise
//! # If taken over  the intruder can tell whoever watches wrong numbers; nothing else is here
//! # Never          learns a tenant, a person or an address; waits for a slow asker

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod server;

#[cfg(test)]
mod tests;

use compartment::House;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use terms::Kind;
use wire::control::{Order, Report};
use wire::metrics::Count;
use wire::{Event, Hub};

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not take a socket")]
    Socket(#[source] rustix::io::Errno),
    #[error("the warden is out of reach")]
    Control(#[source] compartment::Fault),
    #[error("a channel broke")]
    Channel(#[source] wire::Fault),
}

/// Until told to stop.
pub fn run(house: House) -> ExitCode {
    match live(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho metrics: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    house.jail().map_err(Fault::Control)?;
    house.ready(None, None).map_err(Fault::Control)?;
    serve(house)
}

/// Behind the walls.
fn serve(house: House) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (warden, _) = house.seat_control(&mut hub).map_err(Fault::Control)?;
    let mut counts: Vec<Count> = Vec::new();
    loop {
        for event in hub.wait(None).map_err(Fault::Channel)? {
            match event {
                Event::Ready(peer) => {
                    if let Some(listener) = hub.watched(peer) {
                        server::attend(listener, &counts);
                    }
                }
                Event::Frame(peer, frame) if peer == warden => match frame.read::<Order>() {
                    Ok(Order::Stop) => return Ok(()),
                    Ok(Order::Pulse) => drop(hub.send(warden, 0, &Report::Alive, Vec::new())),
                    Ok(Order::Counted(told)) => counts = told,
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
    rustix::io::ioctl_fionbio(&socket, true).map_err(Fault::Socket)?;
    hub.watch(socket).map(drop).map_err(Fault::Channel)
}
