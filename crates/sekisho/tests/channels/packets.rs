//! Packets as only a hostile peer makes them.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use wire::Channel;

const PLAIN: u8 = 0;
const SPILLED: u8 = 1;
/// Above what a frame may have, below what the kernel takes.
const OVERSIZED: usize = 120 * 1024;
const MOST_STRAYS: usize = 8;
/// A scanner serves one peer alone and waits until it reads: a flood then has no more room.
const STUCK: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// xorshift64*: the same octets for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }

    pub fn shuffled(&mut self, mut list: Vec<u32>) -> Vec<u32> {
        for place in (1..list.len()).rev() {
            list.swap(place, self.below(place + 1));
        }
        list
    }
}

pub struct Packet {
    octets: Vec<u8>,
    held: Vec<OwnedFd>,
}

impl Packet {
    fn raw(octets: Vec<u8>) -> Self {
        Self { octets, held: Vec::new() }
    }

    fn framed(call: u32, form: u8, payload: &[u8]) -> Self {
        let mut octets = call.to_le_bytes().to_vec();
        octets.push(form);
        octets.extend_from_slice(payload);
        Self::raw(octets)
    }

    /// A good frame.
    pub fn of(call: u32, payload: &[u8]) -> Self {
        Self::framed(call, PLAIN, payload)
    }

    pub fn with(mut self, held: Vec<OwnedFd>) -> Self {
        self.held = held;
        self
    }

    pub fn send(&self, to: &Channel) -> io::Result<()> {
        let fds: Vec<_> = self.held.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_STRAYS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        let octets = [IoSlice::new(&self.octets)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            match sendmsg(to.as_fd(), &octets, &mut ancillary, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::AGAIN) => has_room(to)?,
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Waits for room; an error when the peer waits for us to read instead.
fn has_room(to: &Channel) -> io::Result<()> {
    let mut fds = [PollFd::new(to, PollFlags::OUT)];
    match poll(&mut fds, Some(&STUCK))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

fn memfd(octets: &[u8]) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("hostile", flags).unwrap());
    file.write_all(octets).unwrap();
    file.into()
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// Descriptors that no question has.
pub fn strays() -> Vec<OwnedFd> {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    vec![null(), memfd(b"stray"), reader, writer]
}

/// Packets that no server may take, whatever their octets; each has the name of its case.
pub fn malformed(question: &[u8], random: &mut Random) -> Vec<(String, Packet)> {
    let mut all = Vec::new();
    for number in 0..6 {
        let count = 1 + random.below(200);
        let mut octets = random.octets(count);
        // No form of frame; or no question of any enum, and no text so long.
        match number % 2 {
            0 => octets.truncate(4),
            _ => octets.splice(..0, [1, 0, 0, 0, 2 + (random.next() % 250) as u8]).for_each(drop),
        }
        all.push((format!("random packet {number}"), Packet::raw(octets)));
        let count = random.below(100);
        let mut payload = random.octets(count);
        payload.insert(0, 0x7f);
        all.push((format!("random payload {number}"), Packet::of(1, &payload)));
    }
    for length in [0, question.len() / 2, question.len() - 1] {
        let shorter = &question[..length];
        all.push((format!("truncated to {length}"), Packet::of(1, shorter)));
    }
    let longer = [question, &[0]].concat();
    all.push(("an octet too much".to_owned(), Packet::of(1, &longer)));
    let oversized = [question, &vec![0; OVERSIZED]].concat();
    all.push(("oversized".to_owned(), Packet::of(1, &oversized)));
    let spilled = |bytes: u64, held: Vec<OwnedFd>| {
        Packet::framed(1, SPILLED, &bytes.to_le_bytes()).with(held)
    };
    let length = question.len() as u64;
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    let wrong = [
        ("no descriptor", spilled(length, Vec::new())),
        ("an endless payload", spilled(u64::MAX, vec![memfd(question)])),
        ("an unsealed memfd", spilled(length, vec![memfd(question)])),
        ("a pipe", spilled(length, vec![reader])),
        ("/dev/null", spilled(0, vec![null()])),
        ("half a length", Packet::framed(1, SPILLED, &[1, 2, 3]).with(vec![memfd(question)])),
    ];
    all.extend(wrong.into_iter().map(|(case, packet)| (case.to_owned(), packet)));
    all
}
