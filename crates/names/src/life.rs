//! The compartment's life: find the servers, go to jail, answer until told to stop.

use crate::desk::Desk;
use crate::{Fault, system};
use compartment::House;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;
use terms::Kind;
use wire::control::{Order, Report};
use wire::names::Question;
use wire::{Event, Frame, Hub, Peer};

/// Runs until told to stop or left alone.
pub fn run(house: House) -> ExitCode {
    compartment::abort_on_panic("names");
    match live(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sekisho names: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    let configured = !house.start.dns_servers.is_empty();
    if !configured {
        house.start.dns_servers = system::servers();
    }
    let servers = house.start.dns_servers.clone();
    house.jail().map_err(Fault::Control)?;
    house.ready(None, None).map_err(Fault::Control)?;
    attend(house, servers, configured)
}

/// Serves from inside the walls.
pub(crate) fn attend(
    house: House,
    servers: Vec<SocketAddr>,
    configured: bool,
) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    house.seat_control(&mut hub).map_err(Fault::Control)?;
    let mut desk = Desk::new(servers, configured);
    loop {
        let limit = desk.next_look(Instant::now());
        for event in hub.wait(limit).map_err(Fault::Channel)? {
            match event {
                Event::Frame(peer, frame) if is_warden(&hub, peer) => {
                    if obey(peer, frame, &mut hub)? == Told::Leave {
                        return Ok(());
                    }
                }
                Event::Frame(peer, frame) => match frame.read::<Question>() {
                    Ok(question) => desk.asked(peer, frame.call, question, &mut hub),
                    // Who breaks the protocol is not spoken to again.
                    Err(_) => {
                        hub.dismiss(peer);
                        desk.left(peer);
                    }
                },
                Event::Gone(_, label) if label.kind == Kind::Warden => return Ok(()),
                Event::Gone(peer, _) => desk.left(peer),
                Event::Ready(socket) => desk.readable(socket, &mut hub),
            }
        }
        desk.look(Instant::now(), &mut hub);
    }
}

fn is_warden(hub: &Hub, peer: Peer) -> bool {
    hub.label(peer).is_some_and(|label| label.kind == Kind::Warden)
}

#[derive(PartialEq, Eq)]
enum Told {
    GoOn,
    Leave,
}

fn obey(warden: Peer, frame: Frame, hub: &mut Hub) -> Result<Told, Fault> {
    match frame.read::<Order>() {
        Ok(Order::Stop) => return Ok(Told::Leave),
        Ok(Order::Pulse) => drop(hub.send(warden, 0, &Report::Alive, Vec::new())),
        Ok(Order::Join(label)) => {
            for channel in frame.descriptors {
                hub.seat(channel.into(), label.clone()).map_err(Fault::Channel)?;
            }
        }
        _ => {}
    }
    Ok(Told::GoOn)
}
