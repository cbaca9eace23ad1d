//! Records frames of real traffic: for a foreign program, one valid frame of every call that its
//! compartment makes, as hexadecimal, by peer; and, while it runs, what it is handed.

use super::handed::Observed;
use data_encoding::HEXLOWER;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;
use terms::Kind;
use warden::Tapped;
use wire::FRAME_BYTES;
use wire::control::Label;

/// A longer frame is not told: all of them must fit one string of an environment.
const TOLD_BYTES: usize = 4 * 1024;
const ALL_BYTES: usize = 96 * 1024;
/// Call number and form stand before the message, whose first octet says which call it is.
const HEAD_BYTES: usize = 5;
const DESCRIPTORS: usize = 128;

/// By peer and call, the shortest frame seen, and the descriptors beside it.
type Seen = BTreeMap<(&'static str, u8), (Vec<u8>, usize)>;

#[derive(Clone, Default)]
pub struct Wiretap {
    seen: Arc<Mutex<Seen>>,
    /// Where what is handed to instances of the kind is kept, instead of what they say.
    observed: Option<Observed>,
}

/// One end of a tapped channel, and who has it.
type End = (Label, wire::Channel);

impl Wiretap {
    /// One that keeps what hostile instances are handed.
    pub fn observing(observed: Observed) -> Self {
        Self { observed: Some(observed), ..Self::default() }
    }

    /// Leads every tapped channel on until its ends are closed.
    pub fn listen(&self, own: Kind, tapped: Receiver<Tapped>) {
        let tap = self.clone();
        spawn(move || {
            for Tapped { one, other } in tapped {
                tap.lead(own, one, other);
            }
        });
    }

    fn lead(&self, own: Kind, one: End, other: End) {
        let (first, second) = (Arc::new(OwnedFd::from(one.1)), Arc::new(OwnedFd::from(other.1)));
        for (from, to, sender, peer) in [
            (Arc::clone(&first), Arc::clone(&second), one.0.clone(), other.0.clone()),
            (second, first, other.0, one.0),
        ] {
            let tap = self.clone();
            let piece = self.observed.as_ref().map_or(0, |seen| seen.piece(peer.instance));
            spawn(move || {
                let heed = |octets: &[u8], beside: &mut Vec<OwnedFd>| match &tap.observed {
                    None if sender.kind == own => tap.note(peer.kind, octets, beside.len()),
                    None => {}
                    Some(seen) if sender.kind == own => seen.asks(&sender, peer.kind, octets),
                    Some(seen) => seen.gives(&peer, sender.kind, piece, octets, beside),
                };
                while pass_one(&from, &to, &heed).is_some() {}
                for end in [from, to] {
                    let _ = rustix::net::shutdown(&*end, rustix::net::Shutdown::Both);
                }
            });
        }
    }

    fn note(&self, peer: Kind, octets: &[u8], beside: usize) {
        let Some(call) = octets.get(HEAD_BYTES).copied() else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(&(peer.word(), call));
        let is_shorter = known.is_none_or(|(known, _)| octets.len() < known.len());
        if octets.len() <= TOLD_BYTES && is_shorter {
            seen.insert((peer.word(), call), (octets.to_vec(), beside));
        }
    }

    /// What was recorded, as the program will read it.
    pub fn told(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut peers: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let mut left = ALL_BYTES;
        for ((peer, call), (octets, beside)) in seen.iter() {
            let cost = octets.len() * 2 + 64;
            if cost <= left {
                left -= cost;
                let hex = HEXLOWER.encode(octets);
                let frame = json!({ "call": call, "descriptors": beside, "hex": hex });
                peers.entry(peer).or_default().push(frame);
            }
        }
        json!(peers).to_string()
    }
}

/// One packet with its descriptors, as it came. `None`: an end is gone.
fn pass_one(from: &OwnedFd, to: &OwnedFd, heed: &dyn Fn(&[u8], &mut Vec<OwnedFd>)) -> Option<()> {
    let mut octets = vec![0u8; FRAME_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let found = recvmsg(from, &mut [IoSliceMut::new(&mut octets)], &mut ancillary, flags).ok()?;
    let mut beside: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            beside.extend(passed);
        }
    }
    if found.bytes == 0 {
        return None;
    }
    let octets = octets.get(..found.bytes)?;
    heed(octets, &mut beside);
    let borrowed: Vec<_> = beside.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    }
    sendmsg(to, &[IoSlice::new(octets)], &mut ancillary, SendFlags::NOSIGNAL).ok().map(drop)
}
