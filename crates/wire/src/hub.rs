//! The event loop of a keeper: many labelled channels, one thread, nobody waited for.
//!
//! A frame that a slow peer cannot take yet is queued; a peer whose queue outgrows its limit is
//! cut. Other descriptors (listeners, sockets, timers) may be watched beside the channels.
//!
//! Whoever breaks the rules is cut and reported to the warden, where one is seated.

use crate::channel::{FRAME_BYTES, Packed, receive};
use crate::control::Report;
use crate::{Channel, Fault, Frame, Label};
use rustix::event::{Timespec, epoll};
use rustix::net::{RecvFlags, SendFlags};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use terms::Kind;

/// Frames that may wait for one slow peer before it is cut.
pub const OUTGOING_FRAMES: usize = 4_096;
/// Why a peer was cut off for which more than that waits.
pub const UNREAD: &str = "it asks and does not read";
/// Frames taken from one peer in one round, so that a loud peer does not starve the others.
const ROUND_FRAMES: usize = 16;
/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Octets of frames taken in one round over all peers: a large frame costs its sender nothing (a
/// sparse memfd will do), so that it must not cost us many times its size. The rest waits.
const ROUND_BYTES: usize = 64 * 1024 * 1024;
/// The largest frame that is taken: the copies of forty recipients at their inline limit are
/// 8 MiB; larger bodies travel as parcels, which nobody reads unasked.
const LARGEST_FRAME: usize = 16 * 1024 * 1024;

/// A peer's place in the hub; never used twice.
pub type Peer = u64;

/// What happened.
pub enum Event {
    /// A whole frame came.
    Frame(Peer, Frame),
    /// The peer closed, died or broke the rules; its place is free.
    Gone(Peer, Label),
    /// A watched descriptor is readable.
    Ready(Peer),
}

struct Seat {
    channel: Channel,
    label: Label,
    outgoing: VecDeque<(Packed, Vec<OwnedFd>)>,
}

enum Watched {
    Seat(Seat),
    Other(OwnedFd),
}

/// Many channels.
pub struct Hub {
    epoll: OwnedFd,
    watched: HashMap<Peer, Watched>,
    next: Peer,
    cut: Vec<Peer>,
    /// Who was cut off, and why, where no warden is seated who could be told: this is the warden.
    unsaid: Vec<(Label, String)>,
    largest: usize,
    /// Octets taken in this round.
    taken: usize,
}

impl Hub {
    pub fn new() -> Result<Self, Fault> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(Fault::io("starting"))?;
        let (watched, cut, largest) = (HashMap::new(), Vec::new(), LARGEST_FRAME);
        Ok(Self { epoll, watched, next: 1, cut, unsaid: Vec::new(), largest, taken: 0 })
    }

    /// From now on only frames that fit a packet are taken: for those whose peers have nothing
    /// long to say, the warden above all.
    pub fn take_short_frames_only(&mut self) {
        self.largest = FRAME_BYTES;
    }

    /// Seats a peer. Its label came from the warden and is believed; its frames are not.
    pub fn seat(&mut self, channel: Channel, label: Label) -> Result<Peer, Fault> {
        let peer = self.enter(channel.as_fd())?;
        let outgoing = VecDeque::new();
        self.watched.insert(peer, Watched::Seat(Seat { channel, label, outgoing }));
        Ok(peer)
    }

    /// Watches a descriptor that is not a channel; readable gives [`Event::Ready`].
    pub fn watch(&mut self, fd: OwnedFd) -> Result<Peer, Fault> {
        let peer = self.enter(fd.as_fd())?;
        self.watched.insert(peer, Watched::Other(fd));
        Ok(peer)
    }

    fn enter(&mut self, fd: std::os::fd::BorrowedFd<'_>) -> Result<Peer, Fault> {
        let peer = self.next;
        self.next += 1;
        let data = epoll::EventData::new_u64(peer);
        epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN)
            .map_err(Fault::io("seating a peer"))?;
        Ok(peer)
    }

    pub fn label(&self, peer: Peer) -> Option<&Label> {
        match self.watched.get(&peer)? {
            Watched::Seat(seat) => Some(&seat.label),
            Watched::Other(_) => None,
        }
    }

    /// Whether frames wait for a peer that does not read.
    pub fn is_behind(&self, peer: Peer) -> bool {
        matches!(self.watched.get(&peer), Some(Watched::Seat(seat)) if !seat.outgoing.is_empty())
    }

    pub fn watched(&self, peer: Peer) -> Option<&OwnedFd> {
        match self.watched.get(&peer)? {
            Watched::Other(fd) => Some(fd),
            Watched::Seat(_) => None,
        }
    }

    /// Every seated peer with its label.
    pub fn peers(&self) -> impl Iterator<Item = (Peer, &Label)> {
        self.watched.iter().filter_map(|(peer, watched)| match watched {
            Watched::Seat(seat) => Some((*peer, &seat.label)),
            Watched::Other(_) => None,
        })
    }

    /// Stops watching and drops the descriptor or channel.
    pub fn dismiss(&mut self, peer: Peer) -> Option<Label> {
        match self.watched.remove(&peer)? {
            Watched::Seat(seat) => {
                let _ = epoll::delete(&self.epoll, &seat.channel);
                Some(seat.label)
            }
            Watched::Other(fd) => {
                let _ = epoll::delete(&self.epoll, &fd);
                None
            }
        }
    }

    /// Who said what cannot be read, or must not be said, is not spoken to again, and the warden
    /// hears of it.
    pub fn cut_off(&mut self, peer: Peer, why: &str) -> Option<Label> {
        self.report(peer, why);
        self.dismiss(peer)
    }

    /// Who was cut off, and why, that could be told to nobody.
    pub fn take_unsaid(&mut self) -> Vec<(Label, String)> {
        std::mem::take(&mut self.unsaid)
    }

    /// Frames that wait until a peer reads. Nothing more goes to it, and it is cut off, at
    /// [`OUTGOING_FRAMES`].
    pub fn waiting(&self, peer: Peer) -> usize {
        match self.watched.get(&peer) {
            Some(Watched::Seat(seat)) => seat.outgoing.len(),
            _ => 0,
        }
    }

    /// Tells the warden what a peer did; where none is seated, whoever owns this hub asks.
    fn report(&mut self, peer: Peer, why: &str) {
        let Some(label) = self.label(peer) else { return };
        let what = format!("{} {} was cut off: {why}", label.kind.word(), label.instance);
        let mut peers = self.peers();
        let warden = peers.find(|(_, label)| label.kind == Kind::Warden).map(|(warden, _)| warden);
        drop(peers);
        let label = label.clone();
        match warden {
            Some(warden) if warden == peer => {}
            Some(warden) => drop(self.send(warden, 0, &Report::Alarm { what }, Vec::new())),
            None if self.unsaid.len() < EVENTS => self.unsaid.push((label, why.to_owned())),
            None => {}
        }
    }

    /// Sends without waiting. A peer that is gone is noticed by the next `wait`.
    pub fn send<M: Serialize>(
        &mut self,
        peer: Peer,
        call: u32,
        message: &M,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), Fault> {
        let Some(Watched::Seat(seat)) = self.watched.get_mut(&peer) else {
            return Err(Fault::Gone);
        };
        let packed = Packed::new(call, message)?;
        if !seat.outgoing.is_empty() {
            return self.queue(peer, packed, descriptors);
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match packed.send(seat.channel.as_fd(), &descriptors, flags) {
            Ok(()) => Ok(()),
            Err(fault) if is_full(&fault) => self.queue(peer, packed, descriptors),
            Err(fault) => {
                self.cut.push(peer);
                Err(fault)
            }
        }
    }

    fn queue(&mut self, peer: Peer, packed: Packed, held: Vec<OwnedFd>) -> Result<(), Fault> {
        let Some(Watched::Seat(seat)) = self.watched.get_mut(&peer) else {
            return Err(Fault::Gone);
        };
        if seat.outgoing.len() >= OUTGOING_FRAMES {
            if !self.cut.contains(&peer) {
                self.report(peer, UNREAD);
                self.cut.push(peer);
            }
            return Err(Fault::TooLarge { found: OUTGOING_FRAMES + 1, limit: OUTGOING_FRAMES });
        }
        seat.outgoing.push_back((packed, held));
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
        epoll::modify(&self.epoll, &seat.channel, epoll::EventData::new_u64(peer), flags)
            .map_err(Fault::io("queueing a frame"))
    }

    /// Waits until something happens or `limit` passes (then the list is empty).
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<Vec<Event>, Fault> {
        let mut happened = Vec::new();
        self.drop_cut(&mut happened);
        let limit = if happened.is_empty() { limit } else { Some(Duration::ZERO) };
        let timeout = limit.map(|limit| Timespec {
            tv_sec: limit.as_secs() as i64,
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let mut buffer = Vec::with_capacity(EVENTS);
        let into = rustix::buffer::spare_capacity(&mut buffer);
        match epoll::wait(&self.epoll, into, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(happened),
            Err(errno) => return Err(Fault::io("waiting for peers")(errno)),
        }
        self.taken = 0;
        for event in &buffer {
            self.attend(event.data.u64(), event.flags, &mut happened);
        }
        // Who left after its last words keeps its seat, and its label, until the next round.
        if happened.is_empty() {
            self.drop_cut(&mut happened);
        }
        Ok(happened)
    }

    fn attend(&mut self, peer: Peer, flags: epoll::EventFlags, happened: &mut Vec<Event>) {
        match self.watched.get(&peer) {
            Some(Watched::Other(_)) => happened.push(Event::Ready(peer)),
            Some(Watched::Seat(_)) => {
                if flags.contains(epoll::EventFlags::OUT) {
                    self.flush(peer);
                }
                self.take_frames(peer, happened);
            }
            None => {}
        }
    }

    fn take_frames(&mut self, peer: Peer, happened: &mut Vec<Event>) {
        if self.cut.contains(&peer) {
            return;
        }
        for _ in 0..ROUND_FRAMES {
            if self.taken >= ROUND_BYTES {
                return;
            }
            let Some(Watched::Seat(seat)) = self.watched.get(&peer) else { return };
            match receive(seat.channel.as_fd(), RecvFlags::DONTWAIT, self.largest) {
                Ok(Some(frame)) => {
                    self.taken += frame.payload.len();
                    happened.push(Event::Frame(peer, frame));
                }
                Ok(None) => return,
                Err(fault) => {
                    if matches!(fault, Fault::Malformed | Fault::TooLarge { .. }) {
                        self.report(peer, &fault.to_string());
                    }
                    self.cut.push(peer);
                    return;
                }
            }
        }
    }

    fn flush(&mut self, peer: Peer) {
        let Some(Watched::Seat(seat)) = self.watched.get_mut(&peer) else { return };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        while let Some((packed, held)) = seat.outgoing.front() {
            match packed.send(seat.channel.as_fd(), held, flags) {
                Ok(()) => {
                    seat.outgoing.pop_front();
                }
                Err(fault) if is_full(&fault) => return,
                Err(_) => {
                    self.cut.push(peer);
                    return;
                }
            }
        }
        let data = epoll::EventData::new_u64(peer);
        let _ = epoll::modify(&self.epoll, &seat.channel, data, epoll::EventFlags::IN);
    }

    fn drop_cut(&mut self, happened: &mut Vec<Event>) {
        for peer in std::mem::take(&mut self.cut) {
            if let Some(label) = self.dismiss(peer) {
                happened.push(Event::Gone(peer, label));
            }
        }
    }
}

fn is_full(fault: &Fault) -> bool {
    matches!(fault, Fault::Crowded)
        || matches!(fault, Fault::Io { source, .. }
            if source.kind() == std::io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::{Event, Hub, Report};
    use crate::{Channel, INLINE_BYTES, Label, Parcel};
    use std::time::Duration;
    use terms::{InstanceId, Kind};

    fn label() -> Label {
        Label { instance: InstanceId([1; 6]), kind: Kind::Edge, person: None }
    }

    #[test]
    fn questions_are_answered_across_a_hub() {
        let (keeper, mut asker) = Channel::pair().unwrap();
        let mut hub = Hub::new().unwrap();
        let peer = hub.seat(keeper, label()).unwrap();
        let thread = std::thread::spawn(move || {
            let mut held = Vec::new();
            let parcel = Parcel::pack(vec![7; INLINE_BYTES + 1], INLINE_BYTES, &mut held).unwrap();
            let answer: (String, Vec<_>) =
                asker.ask(&parcel, &held, Duration::from_secs(5)).unwrap();
            answer.0
        });
        let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
        let Some(Event::Frame(from, frame)) = events.into_iter().next() else { panic!() };
        assert_eq!(from, peer);
        let parcel: Parcel = frame.read().unwrap();
        let body = parcel.open(&frame.descriptors).unwrap();
        hub.send(peer, frame.call, &format!("{} octets", body.len()), Vec::new()).unwrap();
        assert_eq!(thread.join().unwrap(), format!("{} octets", INLINE_BYTES + 1));
        let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
        assert!(matches!(events.as_slice(), [Event::Gone(gone, _)] if *gone == peer));
    }

    /// Octets that are no frame are told of, also by the one to whom all others tell it.
    #[test]
    fn who_speaks_no_frames_is_told_of_by_the_warden_too() {
        use rustix::net::{SendFlags, send};
        use std::os::fd::AsFd;
        let no_room = [0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255];
        for garbage in [&[0xa5; 4096][..], &no_room, &[1, 2, 3]] {
            let mut hub = Hub::new().unwrap();
            let (keeper, hostile) = Channel::pair().unwrap();
            let peer = hub.seat(keeper, label()).unwrap();
            send(hostile.as_fd(), garbage, SendFlags::NOSIGNAL).unwrap();
            let mut is_cut = false;
            while !is_cut {
                let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
                assert!(!events.is_empty() || hub.label(peer).is_some(), "it is not cut");
                is_cut =
                    events.iter().any(|one| matches!(one, Event::Gone(gone, _) if *gone == peer));
            }
            let unsaid: Vec<Kind> = hub.take_unsaid().iter().map(|(label, _)| label.kind).collect();
            assert_eq!(unsaid, [Kind::Edge], "{} octets", garbage.len());
            assert!(hub.take_unsaid().is_empty());
        }
    }

    /// The kernel counts for whoever asks again and again; how long is waited stays the asker's.
    #[test]
    fn who_asks_often_waits_as_long_as_they_said() {
        let (keeper, mut asker) = Channel::pair().unwrap();
        let answers = |pauses: [u64; 4]| {
            for pause in pauses {
                std::thread::sleep(Duration::from_millis(pause));
                let frame = keeper.receive(None).unwrap();
                keeper.send(frame.call, &"yes", &[]).unwrap();
            }
            keeper
        };
        let thread = std::thread::spawn(move || answers([0, 0, 0, 1_200]));
        for _ in 0..4 {
            let (answer, _): (String, _) = asker.ask(&"?", &[], Duration::from_secs(5)).unwrap();
            assert_eq!(answer, "yes");
        }
        let keeper = thread.join().unwrap();
        for limit in [100, 700].map(Duration::from_millis) {
            let begun = std::time::Instant::now();
            let silent = asker.ask::<_, String>(&"?", &[], limit);
            assert!(matches!(silent, Err(crate::Fault::Silent)));
            assert!((limit..limit * 3).contains(&begun.elapsed()), "{limit:?}");
        }
        drop(keeper);
        // Who waits for ever outlasts the kernel's count.
        let (one, other) = Channel::pair().unwrap();
        for _ in 0..3 {
            one.send(1, &"?", &[]).unwrap();
            other.receive(Some(Duration::from_secs(5))).unwrap();
        }
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            one.send(2, &"late", &[]).unwrap();
        });
        assert_eq!(other.receive(None).unwrap().call, 2);
        late.join().unwrap();
    }

    #[test]
    fn a_large_frame_travels_beside_the_channel() {
        let (one, other) = Channel::pair().unwrap();
        let long = vec![9u64; 100_000];
        one.send(3, &long, &[]).unwrap();
        let frame = other.receive(Some(Duration::from_secs(1))).unwrap();
        assert_eq!(frame.call, 3);
        assert_eq!(frame.read::<Vec<u64>>().unwrap(), long);
    }

    #[test]
    fn last_words_are_heard_under_their_speakers_label() {
        let (keeper, asker) = Channel::pair().unwrap();
        let mut hub = Hub::new().unwrap();
        let peer = hub.seat(keeper, label()).unwrap();
        asker.send(1, &"last words", &[]).unwrap();
        drop(asker);
        let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
        assert!(matches!(events.as_slice(), [Event::Frame(from, _)] if *from == peer));
        assert!(hub.label(peer).is_some());
        let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
        assert!(matches!(events.as_slice(), [Event::Gone(gone, _)] if *gone == peer));
        assert!(hub.label(peer).is_none());
    }

    /// A frame whose payload stands in a sparse memfd: large for us, nothing for its sender.
    fn send_sparse(from: &Channel, bytes: u64) {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        use std::io::IoSlice;
        use std::mem::MaybeUninit;
        use std::os::fd::AsFd;
        let file = Parcel::create().unwrap();
        file.set_len(bytes).unwrap();
        let mut held = Vec::new();
        Parcel::held(file, bytes, &mut held).unwrap();
        let mut packet = vec![0, 0, 0, 0, 1];
        packet.extend_from_slice(&bytes.to_le_bytes());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [held[0].as_fd()];
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let flags = SendFlags::empty();
        sendmsg(from.as_fd(), &[IoSlice::new(&packet)], &mut ancillary, flags).unwrap();
    }

    #[test]
    fn large_frames_cost_their_taker_one_round_at_most() {
        let (keeper, loud) = Channel::pair().unwrap();
        let mut hub = Hub::new().unwrap();
        hub.seat(keeper, label()).unwrap();
        for _ in 0..16 {
            send_sparse(&loud, super::LARGEST_FRAME as u64);
        }
        let mut rounds = Vec::new();
        while rounds.iter().sum::<usize>() < 16 {
            rounds.push(hub.wait(Some(Duration::from_secs(5))).unwrap().len());
        }
        assert_eq!(rounds, [4, 4, 4, 4]);
    }

    #[test]
    fn a_frame_larger_than_the_taker_wants_cuts_its_sender() {
        let check = |short: bool, bytes: usize, is_taken: bool| {
            let (keeper, loud) = Channel::pair().unwrap();
            let mut hub = Hub::new().unwrap();
            if short {
                hub.take_short_frames_only();
            }
            hub.seat(keeper, label()).unwrap();
            send_sparse(&loud, bytes as u64);
            let mut events = hub.wait(Some(Duration::from_secs(5))).unwrap();
            if events.is_empty() {
                events = hub.wait(Some(Duration::from_secs(5))).unwrap();
            }
            assert_eq!(matches!(events.as_slice(), [Event::Frame(..)]), is_taken, "{bytes}");
        };
        check(false, super::LARGEST_FRAME, true);
        check(false, super::LARGEST_FRAME + 1, false);
        check(true, super::FRAME_BYTES, true);
        check(true, super::FRAME_BYTES + 1, false);
    }

    #[test]
    fn who_breaks_the_rules_is_cut_and_reported_and_who_leaves_is_not() {
        let check = |octets: &[u8], is_reported: bool| {
            let (control, warden) = Channel::pair().unwrap();
            let (keeper, peer) = Channel::pair().unwrap();
            let mut hub = Hub::new().unwrap();
            hub.seat(control, Label { kind: Kind::Warden, ..label() }).unwrap();
            hub.seat(keeper, label()).unwrap();
            match octets {
                [] => drop(peer),
                octets => {
                    rustix::net::send(&peer, octets, rustix::net::SendFlags::empty()).unwrap();
                }
            }
            let events = hub.wait(Some(Duration::from_secs(5))).unwrap();
            assert!(matches!(events.as_slice(), [Event::Gone(..)]), "{octets:?}");
            let told = warden.take().unwrap().map(|frame| frame.read::<Report>().unwrap());
            assert_eq!(matches!(told, Some(Report::Alarm { .. })), is_reported, "{octets:?}");
        };
        check(&[], false);
        check(&[1, 0, 0, 0], true);
        check(&[1, 0, 0, 0, 7], true);
        check(&[1, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255], true);
    }

    #[test]
    fn a_slow_peer_is_not_waited_for() {
        let (keeper, slow) = Channel::pair().unwrap();
        let mut hub = Hub::new().unwrap();
        let peer = hub.seat(keeper, label()).unwrap();
        let body = vec![1u64; 5_000];
        for call in 1..=200 {
            hub.send(peer, call, &body, Vec::new()).unwrap();
        }
        for call in 1..=200 {
            while !slow.wait(Duration::ZERO).unwrap() {
                hub.wait(Some(Duration::from_millis(10))).unwrap();
            }
            assert_eq!(slow.take().unwrap().unwrap().call, call);
        }
    }
}
