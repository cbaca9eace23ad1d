//! What the house's own channels handed to hostile instances, seen in between, whatever they say of
//! it themselves.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, sockopt};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;
use terms::{InstanceId, Kind, MessageId, UserId};
use wire::control::{Label, Service};
use wire::gate::FromGate;
use wire::vault::{FromAccess, FromDepart, ToAccess};

/// Remembered of what one instance was handed: it may ask for the same again and again.
const HANDED_BYTES: usize = 64 * 1024 * 1024;
/// Call number and form stand before the message.
const HEAD_BYTES: usize = 5;
/// Questions for keys that wait for their answer.
const WAITING: usize = 1_000;
const PIECE_BYTES: usize = 64 * 1024;

/// By instance.
#[derive(Clone, Default)]
pub struct Observed(Arc<Mutex<BTreeMap<InstanceId, Handed>>>);

/// What one instance was handed.
#[derive(Default)]
pub struct Handed {
    /// What came on each channel and each connection, joined; and each file beside a frame.
    pub pieces: Vec<Vec<u8>>,
    /// The one person whom it serves, as its channels are labelled.
    pub person: Option<UserId>,
    /// Connections that it was handed.
    pub connections: usize,
    /// Frames that it wrote to its neighbours.
    pub asked: usize,
    /// Of which messages it was handed an opened key.
    pub keys: BTreeSet<MessageId>,
    waiting: BTreeMap<u32, Vec<MessageId>>,
    octets: usize,
}

impl Observed {
    /// Looks at what is known of one.
    pub fn with<T>(&self, instance: InstanceId, look: impl FnOnce(&mut Handed) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(all.entry(instance).or_default())
    }

    /// The place of one more channel, connection or file.
    pub fn piece(&self, instance: InstanceId) -> usize {
        self.with(instance, |handed| {
            handed.pieces.push(Vec::new());
            handed.pieces.len() - 1
        })
    }

    fn add(&self, instance: InstanceId, piece: usize, octets: &[u8]) {
        self.with(instance, |handed| {
            let room = HANDED_BYTES.saturating_sub(handed.octets).min(octets.len());
            handed.octets += room;
            if let Some(piece) = handed.pieces.get_mut(piece) {
                piece.extend_from_slice(octets.get(..room).unwrap_or_default());
            }
        });
    }

    /// A frame that an instance wrote to a neighbour.
    pub fn asks(&self, from: &Label, peer: Kind, frame: &[u8]) {
        let wanted = (peer == Kind::Vault).then(|| asked_for(from.kind, frame)).flatten();
        self.with(from.instance, |handed| {
            handed.asked += 1;
            if let Some((call, messages)) = wanted.filter(|_| handed.waiting.len() < WAITING) {
                handed.waiting.insert(call, messages);
            }
        });
    }

    /// A frame from a neighbour, with what lies beside it: a connection over which the client
    /// speaks only when it is spoken to is led on through us.
    pub fn gives(
        &self,
        to: &Label,
        peer: Kind,
        piece: usize,
        frame: &[u8],
        beside: &mut [OwnedFd],
    ) {
        let one = to.instance;
        self.add(one, piece, frame);
        // Whom others serve who may ask it is no word of whom it serves itself.
        let serves_one = matches!(to.kind, Kind::Access | Kind::Dispatch | Kind::Depart);
        self.with(one, |handed| {
            let named = to.person.map(|(_, user)| user).filter(|_| serves_one);
            handed.person = handed.person.or(named);
        });
        if peer == Kind::Vault {
            self.with(one, |handed| handed.take_keys(frame));
        }
        let service = (peer == Kind::Gate).then(|| service_of(frame)).flatten();
        for given in beside {
            if is_connection(given) {
                self.with(one, |handed| handed.connections += 1);
                if service == Some(Service::Smtp) {
                    self.lead(one, given);
                }
            } else {
                let piece = self.piece(one);
                self.add(one, piece, &content(given));
            }
        }
    }

    /// Puts us between a client and the instance that is handed its connection.
    fn lead(&self, one: InstanceId, given: &mut OwnedFd) {
        let Ok((near, far)) = UnixStream::pair() else { return };
        let client = std::mem::replace(given, far.into());
        let (near, piece, observed) = (OwnedFd::from(near), self.piece(one), self.clone());
        spawn(move || {
            let heed = |octets: &[u8]| observed.add(one, piece, octets);
            while pass_both(&client, &near, &heed).is_some() {}
        });
    }
}

impl Handed {
    /// An answer of the vault's: which of the keys that were asked for it gives.
    fn take_keys(&mut self, frame: &[u8]) {
        let Some((call, message)) = parts(frame) else { return };
        let Some(asked) = self.waiting.remove(&call) else { return };
        // `ToDepart` says it in the same octets.
        let Ok(ToAccess::Released(keys)) = postcard::from_bytes(message) else { return };
        let given = asked.into_iter().zip(keys).filter(|(_, key)| key.is_some());
        self.keys.extend(given.map(|(message, _)| message));
    }
}

/// Which keys a frame to the vault asks for, and under which number.
fn asked_for(kind: Kind, frame: &[u8]) -> Option<(u32, Vec<MessageId>)> {
    let (call, message) = parts(frame)?;
    let messages = if kind == Kind::Access {
        let Ok(FromAccess::Release { items, .. }) = postcard::from_bytes(message) else {
            return None;
        };
        items.iter().map(|item| item.message).collect()
    } else {
        let Ok(FromDepart::Release { items, .. }) = postcard::from_bytes(message) else {
            return None;
        };
        items.iter().map(|item| item.message).collect()
    };
    Some((call, messages))
}

fn service_of(frame: &[u8]) -> Option<Service> {
    match postcard::from_bytes(parts(frame)?.1) {
        Ok(FromGate::Handed { service, .. }) => Some(service),
        _ => None,
    }
}

/// Call number and message of a frame that is whole in itself.
fn parts(frame: &[u8]) -> Option<(u32, &[u8])> {
    let call = frame.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*call), frame.get(HEAD_BYTES..)?))
}

fn is_connection(given: &OwnedFd) -> bool {
    let domain = sockopt::socket_domain(given);
    let is_inet = domain.is_ok_and(|at| matches!(at, AddressFamily::INET | AddressFamily::INET6));
    is_inet && sockopt::socket_type(given) == Ok(SocketType::STREAM)
}

/// All of a file, from its beginning, wherever its reader stands. Of what is no file, nothing.
fn content(file: &OwnedFd) -> Vec<u8> {
    let mut octets = Vec::new();
    let is_file = rustix::fs::fstat(file)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
    let mut piece = vec![0u8; PIECE_BYTES];
    while is_file && octets.len() < HANDED_BYTES {
        match rustix::io::pread(file, &mut piece[..], octets.len() as u64) {
            Ok(count) if count > 0 => {
                octets.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
            _ => break,
        }
    }
    octets
}

/// What either side says, once. `None`: one of them is gone. What the client said to somebody who
/// is gone stays in its socket, for whom the gate hands it to next.
fn pass_both(client: &OwnedFd, near: &OwnedFd, heed: &dyn Fn(&[u8])) -> Option<()> {
    let mut both = [PollFd::new(near, PollFlags::IN), PollFd::new(client, PollFlags::IN)];
    poll(&mut both, None).ok()?;
    let [from_near, from_client] = both.map(|one| !one.revents().is_empty());
    if from_near {
        pass(near, client, &|_| ())?;
    }
    if from_client {
        pass(client, near, heed)?;
    }
    Some(())
}

fn pass(from: &OwnedFd, to: &OwnedFd, heed: &dyn Fn(&[u8])) -> Option<()> {
    let mut octets = vec![0u8; PIECE_BYTES];
    let count = match rustix::net::recv(from, &mut octets[..], RecvFlags::DONTWAIT) {
        Ok((_, count)) if count > 0 => count,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Some(()),
        _ => return None,
    };
    let mut left = octets.get(..count)?;
    heed(left);
    while !left.is_empty() {
        match rustix::net::send(to, left, SendFlags::NOSIGNAL) {
            Ok(sent) => left = left.get(sent..)?,
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None).ok()?;
            }
            Err(_) => return None,
        }
    }
    Some(())
}
