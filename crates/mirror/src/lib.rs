//! The mirror keeps a second copy of the evidence and cosigns what it has durably kept.
//!
//! # Holds          every entry, its own cosigning key, the ledger's public key
//! # May ask        no one
//! # Network        none (in production, a link to the ledger's host)
//! # If taken over  the intruder learns opaque ids and can deny; alone it proves nothing
//! # Never          cosigns what it does not hold; accepts a second history

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod copy;
mod fault;
mod folder;

#[cfg(test)]
mod tests;

pub use copy::{Copy, Refusal};
pub use fault::Fault;
pub use folder::open;

use annals::Segments;
use compartment::{House, now_ms};
use std::process::ExitCode;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report};
use wire::ledger::{FromMirror, ToMirror};
use wire::metrics::Measure;
use wire::{Channel, Event, Frame, Hub, Label, Peer};

/// One `Leaves` answer: well below what a frame may spill.
const FETCH_BYTES: usize = 4 * 1024 * 1024;
const FETCH_LEAVES: usize = 16_384;

/// The compartment's main function.
pub fn run(house: House) -> ExitCode {
    match keep(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("mirror: {fault}"));
            compartment::failure(fault.is_full())
        }
    }
}

fn keep(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let (copy, notes) = open(folder.as_ref(), house.start.ledger_key)?;
    house.jail().map_err(Fault::House)?;
    house.ready(None, Some(copy.public_key())).map_err(Fault::House)?;
    serve(house.control, copy, notes)
}

/// Serves on a control channel; the walls, if any, stand already.
///
/// # Errors
/// What ends the process.
pub fn serve(control: Channel, mut copy: Copy<Segments>, notes: Vec<String>) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Wire)?;
    let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
    let warden = hub.seat(control, label).map_err(Fault::Wire)?;
    for what in copy.take_alarms() {
        let _ = hub.send(warden, 0, &Report::Alarm { what }, Vec::new());
    }
    for text in notes {
        let _ = hub.send(warden, 0, &Report::Note { text }, Vec::new());
    }
    loop {
        let mut waiting = None;
        for event in hub.wait(None).map_err(Fault::Wire)? {
            match event {
                Event::Frame(peer, frame) if peer == warden => match frame.read() {
                    Ok(Order::Join(label)) => seat(&mut hub, label, frame)?,
                    Ok(Order::Stop) => {
                        copy.save_checkpoint(u64::MAX, now_ms() / 1_000);
                        return Ok(());
                    }
                    Ok(Order::Count) => {
                        let held = Measure::Mirrored.count("", copy.size());
                        let counted = Report::Counted(held.into_iter().collect());
                        let _ = hub.send(warden, 0, &counted, Vec::new());
                    }
                    Ok(Order::Pulse) => {
                        if let Some(what) = copy.disturbed().or_else(|| copy.stirred()) {
                            let _ = hub.send(warden, 0, &Report::Alarm { what }, Vec::new());
                        }
                        let _ = hub.send(warden, 0, &Report::Alive, Vec::new());
                    }
                    _ => {}
                },
                Event::Frame(peer, frame) => match hub.label(peer).map(|label| label.kind) {
                    Some(Kind::Ledger) => {
                        attend(&mut hub, &mut copy, warden, peer, &frame, &mut waiting)?;
                    }
                    _ => drop(hub.cut_off(peer, "it has nothing to ask here")),
                },
                Event::Gone(peer, _) if peer == warden => return Ok(()),
                Event::Gone(..) | Event::Ready(_) => {}
            }
        }
        // Everything that came in this round is made durable by one flush, and cosigned once.
        if let Some((peer, call)) = waiting
            && !copy.is_doubtful()
            && let Some((size, line)) = copy.commit(now_ms() / 1_000).map_err(Fault::Store)?
        {
            let cosignature = line.to_line().into_bytes();
            let _ = hub.send(peer, call, &FromMirror::Cosigned { size, cosignature }, Vec::new());
            copy.set_anchor();
            copy.save_checkpoint(now_ms(), now_ms() / 1_000);
        }
    }
}

fn seat(hub: &mut Hub, label: Label, mut frame: Frame) -> Result<(), Fault> {
    if let Some(fd) = frame.descriptors.pop() {
        hub.seat(fd.into(), label).map_err(Fault::Wire)?;
    }
    Ok(())
}

fn attend(
    hub: &mut Hub,
    copy: &mut Copy<Segments>,
    warden: Peer,
    peer: Peer,
    frame: &Frame,
    waiting: &mut Option<(Peer, u32)>,
) -> Result<(), Fault> {
    let size = copy.size();
    let answer = match frame.read() {
        Ok(ToMirror::Standing) => FromMirror::Standing { size, lost: copy.lost() },
        Ok(ToMirror::Fetch { from_index }) => {
            let leaves = copy.leaves(from_index, FETCH_LEAVES, FETCH_BYTES);
            let leaves = leaves.map_err(Fault::Store)?;
            FromMirror::Leaves { first_index: from_index, leaves, checkpoint: copy.checkpoint() }
        }
        // The ledger hears nothing, and proves nothing.
        Ok(ToMirror::Add { .. }) if copy.is_doubtful() => return Ok(()),
        Ok(ToMirror::Add { first_index, leaves, checkpoint }) => {
            match copy.add(first_index, &leaves, &checkpoint) {
                Ok(()) => {
                    *waiting = Some((peer, frame.call));
                    return Ok(());
                }
                Err(refusal) => {
                    let why = refusal.to_string();
                    if refusal.is_alarming() {
                        let what = format!("the ledger {why}");
                        let _ = hub.send(warden, 0, &Report::Alarm { what }, Vec::new());
                    }
                    FromMirror::Refused { size, why }
                }
            }
        }
        Err(_) => {
            hub.cut_off(peer, "it spoke what is no question");
            return Ok(());
        }
    };
    // A ledger that is gone asks again on a new channel.
    let _ = hub.send(peer, frame.call, &answer, Vec::new());
    Ok(())
}
