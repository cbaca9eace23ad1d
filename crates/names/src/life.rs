//! The compartment's life: find the servers, go to jail, answer until told to stop.

use crate::Fault;
use crate::desk::Desk;
use crate::sockets::Way;
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
            compartment::tell(format_args!("sekisho names: {fault}"));
            ExitCode::FAILURE
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    let servers = house.start.dns_servers.clone();
    house.jail().map_err(Fault::Control)?;
    house.ready(None, None).map_err(Fault::Control)?;
    attend(house, servers)
}

/// Serves from inside the walls.
pub(crate) fn attend(house: House, servers: Vec<SocketAddr>) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (warden, _) = house.seat_control(&mut hub).map_err(Fault::Control)?;
    let mut desk = Desk::new(servers, warden);
    let ended = serve(&mut hub, &mut desk);
    // The warden's channel stays descriptor 3 to the end: to close it is off charter.
    std::mem::forget(hub);
    ended
}

fn serve(hub: &mut Hub, desk: &mut Desk) -> Result<(), Fault> {
    loop {
        let limit = desk.next_look(Instant::now());
        for event in hub.wait(limit).map_err(Fault::Channel)? {
            match event {
                Event::Frame(peer, frame) if is_warden(hub, peer) => {
                    if obey(peer, frame, hub, desk)? == Told::Leave {
                        return Ok(());
                    }
                }
                Event::Frame(peer, frame) => match frame.read::<Question>() {
                    Ok(question) => desk.asked(peer, frame.call, question, hub),
                    // Who breaks the protocol is not spoken to again.
                    Err(_) => {
                        hub.cut_off(peer, "it spoke what is no question");
                        desk.left(peer);
                    }
                },
                Event::Gone(_, label) if label.kind == Kind::Warden => return Ok(()),
                Event::Gone(peer, _) => desk.left(peer),
                Event::Ready(socket) => desk.readable(socket, hub),
            }
        }
        desk.look(Instant::now(), hub);
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

fn obey(warden: Peer, frame: Frame, hub: &mut Hub, desk: &mut Desk) -> Result<Told, Fault> {
    match frame.read::<Order>() {
        Ok(Order::Stop) => return Ok(Told::Leave),
        Ok(Order::Pulse) => drop(hub.send(warden, 0, &Report::Alive, Vec::new())),
        Ok(Order::Resolvers { server, over_tcp }) => {
            desk.handed(Way { server, over_tcp }, frame.descriptors, hub);
        }
        Ok(Order::Join(label)) => {
            for channel in frame.descriptors {
                hub.seat(channel.into(), label.clone()).map_err(Fault::Channel)?;
            }
        }
        _ => {}
    }
    Ok(Told::GoOn)
}
