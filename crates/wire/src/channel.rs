//! One end of a channel: whole frames in, whole frames out, descriptors beside them.

use crate::Fault;
use crate::crowding::Waiting;
use crate::parcel::{PARCEL_BYTES, Parcel, read_held};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// The largest packet on a channel: below the kernel's default send buffer, so that one frame
/// always fits. A larger message travels as a memfd.
pub const FRAME_BYTES: usize = 112 * 1024;
/// Bodies up to this stay inside their frame.
pub const INLINE_BYTES: usize = 96 * 1024;
/// Descriptors beside one frame (the kernel allows 253).
const DESCRIPTORS: usize = 128;
/// Call number and kind of frame.
const HEAD_BYTES: usize = 5;
/// Where frames come in before their length is known: most need no more.
const SHORT_BYTES: usize = 8 * 1024;
/// Who waits for an answer lets the kernel count this long, again and again, and looks at its own
/// clock between: one call for each answer instead of two.
const SPELL: Duration = Duration::from_millis(500);
/// What [`Channel::waits`] says once it is settled.
const SPELLS: u8 = 2;
const NO_SPELLS: u8 = 3;
const PLAIN: u8 = 0;
/// The payload stands in the frame's last descriptor.
const SPILLED: u8 = 1;

/// One end of a channel.
pub struct Channel {
    fd: OwnedFd,
    last_call: u32,
    /// How often an answer was waited for here. Only who asks again has the kernel count: that is
    /// three calls, once.
    waits: AtomicU8,
}

/// One message as it came: not yet read.
pub struct Frame {
    /// Answers carry the number of their question; a push carries 0.
    pub call: u32,
    pub payload: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

impl Frame {
    /// Reads the message. Trailing bytes are malformed too.
    pub fn read<M: DeserializeOwned>(&self) -> Result<M, Fault> {
        match postcard::take_from_bytes(&self.payload) {
            Ok((message, [])) => Ok(message),
            _ => Err(Fault::Malformed),
        }
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, last_call: 0, waits: AtomicU8::new(0) }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Channel {
    pub fn pair() -> Result<(Self, Self), Fault> {
        let flags = SocketFlags::CLOEXEC;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(Fault::io("making a channel"))?;
        Ok((one.into(), other.into()))
    }

    /// Sends one frame and waits while the peer's queue is full.
    pub fn send<M: Serialize>(
        &self,
        call: u32,
        message: &M,
        descriptors: &[OwnedFd],
    ) -> Result<(), Fault> {
        let packed = Packed::new(call, message)?;
        packed.send(self.fd.as_fd(), descriptors, SendFlags::NOSIGNAL)
    }

    /// Sends octets behind a frame that announced them ([`Parcel::Behind`]), and waits while the
    /// peer's queue is full: only for a peer that has nothing else to do than to take them.
    pub fn send_behind(&self, octets: &[u8]) -> Result<(), Fault> {
        for piece in octets.chunks(FRAME_BYTES) {
            loop {
                match rustix::net::send(&self.fd, piece, SendFlags::NOSIGNAL) {
                    Ok(_) => break,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(errno) => return Err(Fault::io("sending a body")(errno)),
                }
            }
        }
        Ok(())
    }

    /// The next packet of a body that was announced, into `room`, which is not longer than what
    /// is still to come. Says how many octets came.
    pub fn receive_behind(&self, room: &mut [u8], limit: Duration) -> Result<usize, Fault> {
        // It is mostly there: waiting for it first would be one more call for each packet.
        let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
        loop {
            match rustix::net::recv(&self.fd, &mut *room, flags) {
                Err(rustix::io::Errno::AGAIN) => {
                    if !self.wait(limit)? {
                        return Err(Fault::Silent);
                    }
                }
                Ok((_, 0)) => return Err(Fault::Gone),
                // A packet longer than what was announced.
                Ok((_, sent)) if sent > room.len() => return Err(Fault::Malformed),
                Ok((_, sent)) => return Ok(sent),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Fault::io("receiving a body")(errno)),
            }
        }
    }

    /// Waits for one frame; `None` waits for ever.
    pub fn receive(&self, limit: Option<Duration>) -> Result<Frame, Fault> {
        let until = limit.map(|limit| Instant::now() + limit);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // The kernel's spell may be set from an earlier question: then it comes back.
            let in_spells = left.is_none_or(|left| left > SPELL && self.has_spells());
            if let Some(left) = left.filter(|_| !in_spells)
                && !self.wait(left)?
            {
                return Err(Fault::Silent);
            }
            if let Some(frame) = receive(self.fd.as_fd(), RecvFlags::empty(), PARCEL_BYTES)? {
                return Ok(frame);
            }
        }
    }

    /// Whether a blocking read on this channel ends after a [`SPELL`].
    fn has_spells(&self) -> bool {
        match self.waits.load(Ordering::Relaxed) {
            SPELLS => true,
            NO_SPELLS => false,
            0 => {
                self.waits.store(1, Ordering::Relaxed);
                false
            }
            _ => {
                // The option is the socket's: a second descriptor sets it, and is closed again.
                let copy = self.fd.try_clone().map(UnixStream::from);
                let set = copy.and_then(|copy| copy.set_read_timeout(Some(SPELL)));
                let waits = if set.is_ok() { SPELLS } else { NO_SPELLS };
                self.waits.store(waits, Ordering::Relaxed);
                set.is_ok()
            }
        }
    }

    /// Takes one frame if one is there.
    pub fn take(&self) -> Result<Option<Frame>, Fault> {
        receive(self.fd.as_fd(), RecvFlags::DONTWAIT, PARCEL_BYTES)
    }

    /// Whether a frame (or the end) is there within `limit`.
    pub fn wait(&self, limit: Duration) -> Result<bool, Fault> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = rustix::event::Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Fault::io("waiting for a frame")(errno)),
            }
        }
    }

    /// Asks and waits for the answer to this very question; answers to questions that were given
    /// up are dropped. A peer that is silent for `limit` is a fault.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        question: &Q,
        descriptors: &[OwnedFd],
        limit: Duration,
    ) -> Result<(A, Vec<OwnedFd>), Fault> {
        let call = self.next_call();
        self.send(call, question, descriptors)?;
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let frame = self.receive(Some(left))?;
            if frame.call == call {
                let answer = frame.read()?;
                return Ok((answer, frame.descriptors));
            }
        }
    }

    /// A number for a question sent by hand; never 0.
    pub fn next_call(&mut self) -> u32 {
        self.last_call = self.last_call.wrapping_add(1).max(1);
        self.last_call
    }
}

/// Says on a control channel, which its owner may have in use, that its process cannot send
/// descriptors. If the channel is full, the warden hears it the next time.
pub fn tell_of_crowding(control: BorrowedFd<'_>) -> Result<(), Fault> {
    let packed = Packed::new(0, &crate::control::Report::Crowded)?;
    packed.send(control, &[], SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

/// A frame ready to be sent, kept while the peer's queue is full.
pub(crate) struct Packed {
    bytes: Vec<u8>,
    spilled: Option<OwnedFd>,
}

impl Packed {
    pub fn new<M: Serialize>(call: u32, message: &M) -> Result<Self, Fault> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&call.to_le_bytes());
        bytes.push(PLAIN);
        let bytes = postcard::to_extend(message, bytes).map_err(|_| Fault::Malformed)?;
        if bytes.len() <= FRAME_BYTES {
            return Ok(Self { bytes, spilled: None });
        }
        Self::spill(call, &bytes)
    }

    fn spill(call: u32, bytes: &[u8]) -> Result<Self, Fault> {
        let payload = bytes.get(HEAD_BYTES..).unwrap_or_default();
        if payload.len() > PARCEL_BYTES {
            return Err(Fault::TooLarge { found: payload.len(), limit: PARCEL_BYTES });
        }
        let mut file = Parcel::create()?;
        let written = file.write_all(payload);
        written.map_err(|source| Fault::Io { doing: "writing a large frame", source })?;
        let mut held = Vec::new();
        Parcel::held(file, payload.len() as u64, &mut held)?;
        let mut bytes = call.to_le_bytes().to_vec();
        bytes.push(SPILLED);
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        Ok(Self { bytes, spilled: held.pop() })
    }

    pub fn send(
        &self,
        to: BorrowedFd<'_>,
        descriptors: &[OwnedFd],
        flags: SendFlags,
    ) -> Result<(), Fault> {
        let all: Vec<BorrowedFd<'_>> =
            descriptors.iter().chain(&self.spilled).map(AsFd::as_fd).collect();
        if all.len() > DESCRIPTORS {
            return Err(Fault::TooLarge { found: all.len(), limit: DESCRIPTORS });
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !all.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&all));
        }
        let mut waiting = Waiting::default();
        loop {
            // `names` may send messages to its warden alone, and plain octets to all its peers.
            let sent = match all.is_empty() {
                true => rustix::net::send(to, &self.bytes, flags),
                false => sendmsg(to, &[IoSlice::new(&self.bytes)], &mut ancillary, flags),
            };
            match sent {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::TOOMANYREFS) => {
                    if !waiting.again(!flags.contains(SendFlags::DONTWAIT)) {
                        return Err(Fault::Crowded);
                    }
                }
                Err(errno) => return Err(Fault::io("sending a frame")(errno)),
            }
        }
    }
}

/// One frame of at most `largest` octets from `from`; `None` if `DONTWAIT` was given and nothing is
/// there.
pub(crate) fn receive(
    from: BorrowedFd<'_>,
    flags: RecvFlags,
    largest: usize,
) -> Result<Option<Frame>, Fault> {
    INCOMING.with_borrow_mut(|incoming| receive_into(incoming, from, flags, largest))
}

thread_local! {
    /// Where a frame lies until it has memory of its own, of its length.
    static INCOMING: RefCell<Incoming> = const { RefCell::new(Incoming::new()) };
}

struct Incoming {
    short: Vec<u8>,
    /// Where the end of a long frame lies: address space and no more while no long frame comes, so
    /// that an idle process keeps no large buffer.
    overflow: Vec<u8>,
}

impl Incoming {
    const fn new() -> Self {
        Self { short: Vec::new(), overflow: Vec::new() }
    }
}

/// Lets go of what is kept to receive long frames: for a process about to idle. What it was given
/// while it worked may be dirty pages.
pub fn let_go_of_long_frames() {
    INCOMING.with_borrow_mut(|incoming| *incoming = Incoming::new());
}

/// Asking for a frame's size first would be one more call for each: short ones are most.
fn receive_into(
    Incoming { short, overflow }: &mut Incoming,
    from: BorrowedFd<'_>,
    flags: RecvFlags,
    largest: usize,
) -> Result<Option<Frame>, Fault> {
    if overflow.is_empty() {
        *overflow = vec![0u8; FRAME_BYTES - HEAD_BYTES - SHORT_BYTES];
    }
    if short.is_empty() {
        *short = vec![0u8; SHORT_BYTES];
    }
    let mut head = [0u8; HEAD_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    // TRUNC: the length is the frame's own, though it were too long.
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::TRUNC | flags;
    let mut was_unread = false;
    let found = loop {
        let mut into =
            [IoSliceMut::new(&mut head), IoSliceMut::new(short), IoSliceMut::new(overflow)];
        match recvmsg(from, &mut into, &mut ancillary, flags) {
            Ok(found) => break found.bytes,
            Err(rustix::io::Errno::AGAIN) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            // Told once, and before what the peer had said: an alarm, or its very last word.
            Err(rustix::io::Errno::CONNRESET) if !was_unread => was_unread = true,
            Err(errno) => return Err(Fault::io("receiving a frame")(errno)),
        }
    };
    if found == 0 {
        return Err(if was_unread { Fault::Unread } else { Fault::Gone });
    }
    if found > FRAME_BYTES {
        return Err(Fault::TooLarge { found, limit: FRAME_BYTES });
    }
    let octets = found.checked_sub(HEAD_BYTES).ok_or(Fault::Malformed)?;
    let mut payload = Vec::with_capacity(octets);
    payload.extend_from_slice(short.get(..octets.min(SHORT_BYTES)).ok_or(Fault::Malformed)?);
    if let Some(rest) = octets.checked_sub(SHORT_BYTES).filter(|rest| *rest > 0) {
        payload.extend_from_slice(overflow.get(..rest).ok_or(Fault::Malformed)?);
        // What was long is not kept: neither its memory nor what stood in it.
        *overflow = Vec::new();
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    unpack(head, payload, descriptors, largest).map(Some)
}

fn unpack(
    [a, b, c, d, form]: [u8; HEAD_BYTES],
    payload: Vec<u8>,
    mut descriptors: Vec<OwnedFd>,
    largest: usize,
) -> Result<Frame, Fault> {
    let call = u32::from_le_bytes([a, b, c, d]);
    let payload = match form {
        PLAIN => payload,
        SPILLED => {
            let size: [u8; 8] = payload.as_slice().try_into().map_err(|_| Fault::Malformed)?;
            let size = u64::from_le_bytes(size);
            if size > largest as u64 {
                return Err(Fault::TooLarge { found: size as usize, limit: largest });
            }
            let held = descriptors.pop().ok_or(Fault::Malformed)?;
            read_held(&held, size)?
        }
        _ => return Err(Fault::Malformed),
    };
    Ok(Frame { call, payload, descriptors })
}
