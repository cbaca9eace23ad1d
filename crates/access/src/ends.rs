//! The channels that this process holds, and who may have replaced or closed them meanwhile.

use crate::fault::{Fault, Trouble};
use crate::line::timespec;
use compartment::House;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use terms::{ConnectionId, FolderId, Kind};
use tls::SignerLink;
use wire::control::{Order, Service};
use wire::gate::{FromGate, ToGate};
use wire::mailbox::ToAccess as FromMailbox;
use wire::{Channel, Frame};

/// The warden makes an instance's first channels before or at its birth.
const JOIN_LIMIT: Duration = Duration::from_secs(10);
/// Every question to a peer, a restart of that peer included. The client hears something within
/// ten seconds.
pub const ASK_LIMIT: Duration = Duration::from_secs(8);
/// Expunged numbers kept until they can be told; more than this and the folder is read anew.
const NEWS: usize = 100_000;

/// A connection that the gate handed over.
pub struct Handed {
    pub connection: ConnectionId,
    pub service: Service,
    pub peer: SocketAddr,
    pub socket: OwnedFd,
}

/// What pushes have said about the watched folder since it was last asked.
#[derive(Default)]
pub struct News {
    pub changed: bool,
    pub expunged: Vec<u32>,
    /// Pushes may be missing: everything must be asked anew.
    pub lost: bool,
    /// Not yet noticed by whoever waits.
    fresh: bool,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The client's socket is readable.
    Line,
    /// A push has come.
    News,
    /// The house closes: say goodbye.
    Closing,
    /// The time is over.
    Late,
}

pub struct Ends {
    house: House,
    gate: Option<Channel>,
    signer: SignerLink,
    identity: Option<Channel>,
    vault: Option<Channel>,
    mailbox: Option<Channel>,
    dispatch: Option<Channel>,
    closing: bool,
    /// Rises with every new channel to the vault, whose agreements end with it.
    pub vault_starts: u32,
    /// The same of dispatches: what one said, another does not know.
    pub dispatch_starts: u32,
    watched: Option<FolderId>,
    peeks: bool,
    pub news: News,
}

impl Ends {
    /// Waits for the first channels.
    pub fn join(mut house: House) -> Result<Self, Fault> {
        let (gate, _) = house.next_join(Kind::Gate, JOIN_LIMIT).map_err(Fault::House)?;
        let (signer, _) = house.next_join(Kind::Signer, JOIN_LIMIT).map_err(Fault::House)?;
        let (identity, _) = house.next_join(Kind::Identity, JOIN_LIMIT).map_err(Fault::House)?;
        Ok(Self {
            house,
            gate: Some(gate),
            signer: SignerLink::new(signer),
            identity: Some(identity),
            vault: None,
            mailbox: None,
            dispatch: None,
            closing: false,
            vault_starts: 0,
            dispatch_starts: 0,
            watched: None,
            peeks: false,
            news: News::default(),
        })
    }

    pub fn signer(&self) -> &SignerLink {
        &self.signer
    }

    /// The one connection of this process's life; `None` when the house closes before.
    pub fn await_connection(&mut self) -> Result<Option<Handed>, Fault> {
        loop {
            if self.closing {
                return Ok(None);
            }
            let Some(mut frame) = self.take_from_gate() else {
                self.wait_any(None, None)?;
                continue;
            };
            match (frame.read(), frame.descriptors.pop()) {
                (Ok(FromGate::Handed { connection, service, peer, .. }), Some(socket)) => {
                    if let Some(gate) = &self.gate {
                        let _ = gate.send(0, &ToGate::Begun { connection }, &[]);
                    }
                    return Ok(Some(Handed { connection, service, peer, socket }));
                }
                (Ok(FromGate::Closing), _) => self.closing = true,
                _ => {}
            }
        }
    }

    pub fn host_name(&self) -> &str {
        &self.house.start.host_name
    }

    /// Waits until that peer is joined to us. Whether it is.
    pub fn await_peer(&mut self, kind: Kind, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            if self.slot(kind).is_some() && !self.closing {
                return true;
            }
            if self.heed().is_err() || self.closing {
                return false;
            }
            if self.slot(kind).is_some() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.house.control.wait(left).is_err() {
                return false;
            }
        }
    }

    /// Tells the gate that the connection has ended, and this process with it.
    pub fn done(&mut self, connection: ConnectionId) {
        if let Some(gate) = &self.gate {
            let _ = gate.send(0, &ToGate::Done { connection, last: true }, &[]);
        }
    }

    /// Waits for the client, a push, the end of the house, or `limit`.
    pub fn wait(&mut self, line: BorrowedFd<'_>, limit: Duration) -> Result<Woken, Fault> {
        let until = Instant::now() + limit;
        loop {
            if self.closing {
                return Ok(Woken::Closing);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Woken::Late);
            }
            if self.wait_any(Some(line), Some(left))? {
                return Ok(Woken::Line);
            }
            self.take_pushes();
            if std::mem::take(&mut self.news.fresh) {
                return Ok(Woken::News);
            }
            while let Some(frame) = self.take_from_gate() {
                self.note_gate(&frame);
            }
        }
    }

    /// Waits for anything; takes orders. Whether `line` is readable.
    fn wait_any(
        &mut self,
        line: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> Result<bool, Fault> {
        let (readable, is_called) = {
            let mut fds = vec![PollFd::new(&self.house.control, PollFlags::IN)];
            fds.extend(line.map(|line| PollFd::from_borrowed_fd(line, PollFlags::IN)));
            for channel in [&self.gate, &self.mailbox].into_iter().flatten() {
                fds.push(PollFd::new(channel, PollFlags::IN));
            }
            let limit = limit.map(timespec);
            match poll(&mut fds, limit.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(Fault::Line),
            }
            let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            (line.is_some() && is_ready(1), is_ready(0))
        };
        if is_called || self.house.has_kept() {
            self.heed()?;
        }
        Ok(readable)
    }

    /// Takes what the warden says: new channels, or to stop.
    fn heed(&mut self) -> Result<(), Fault> {
        while let Some((order, mut fds)) = self.house.next_order().map_err(Fault::House)? {
            match order {
                Order::Stop => self.closing = true,
                Order::Join(label) => {
                    if let Some(fd) = fds.pop() {
                        self.replace(label.kind, fd.into());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn replace(&mut self, kind: Kind, channel: Channel) {
        match kind {
            Kind::Gate => self.gate = Some(channel),
            Kind::Signer => self.signer.replace(channel),
            Kind::Identity => self.identity = Some(channel),
            Kind::Dispatch => {
                self.dispatch = Some(channel);
                self.dispatch_starts = self.dispatch_starts.wrapping_add(1);
            }
            Kind::Vault => {
                self.vault = Some(channel);
                self.vault_starts = self.vault_starts.wrapping_add(1);
            }
            Kind::Mailbox => {
                self.mailbox = Some(channel);
                (self.news.lost, self.news.fresh) = (true, true);
                self.watch_again();
            }
            _ => {}
        }
    }

    fn slot(&mut self, kind: Kind) -> &mut Option<Channel> {
        match kind {
            Kind::Gate => &mut self.gate,
            Kind::Identity => &mut self.identity,
            Kind::Vault => &mut self.vault,
            Kind::Dispatch => &mut self.dispatch,
            _ => &mut self.mailbox,
        }
    }

    /// Asks a peer and waits. While the peer is being restarted its new channel is awaited and
    /// the question put again, unless it went out and `once` says that it must not act twice.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        kind: Kind,
        question: &impl Serialize,
        descriptors: &[OwnedFd],
        once: bool,
    ) -> Result<(A, Vec<OwnedFd>), Trouble> {
        self.ask_within(ASK_LIMIT, kind, question, descriptors, once)
    }

    /// The same, with a time of its own.
    pub fn ask_within<A: DeserializeOwned>(
        &mut self,
        limit: Duration,
        kind: Kind,
        question: &impl Serialize,
        descriptors: &[OwnedFd],
        once: bool,
    ) -> Result<(A, Vec<OwnedFd>), Trouble> {
        let until = Instant::now() + limit;
        loop {
            // A dispatch that is there is asked several times a message: what the warden says
            // meanwhile is heard by whoever waits for the client.
            if kind != Kind::Dispatch || self.slot(kind).is_none() {
                self.heed().map_err(|_| Trouble::Ended)?;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::Away(kind));
            }
            if self.slot(kind).is_none() {
                let wait = self.house.control.wait(left.min(Duration::from_secs(1)));
                wait.map_err(|_| Trouble::Ended)?;
                continue;
            }
            match self.ask_once(kind, question, descriptors, until) {
                Ok(frame) => {
                    let answer = frame.read().map_err(|_| Trouble::Broken)?;
                    return Ok((answer, frame.descriptors));
                }
                Err(Asked::Silent) => return Err(Trouble::Away(kind)),
                Err(Asked::Gone { sent }) => {
                    *self.slot(kind) = None;
                    if sent && once {
                        return Err(Trouble::Away(kind));
                    }
                }
                Err(Asked::Wrong) => return Err(Trouble::Broken),
            }
        }
    }

    fn ask_once(
        &mut self,
        kind: Kind,
        question: &impl Serialize,
        descriptors: &[OwnedFd],
        until: Instant,
    ) -> Result<Frame, Asked> {
        let channel = self.slot(kind).as_mut().ok_or(Asked::Gone { sent: false })?;
        let call = channel.next_call();
        channel.send(call, question, descriptors).map_err(|fault| Asked::of(&fault, false))?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let channel = self.slot(kind).as_ref().ok_or(Asked::Gone { sent: true })?;
            let frame = channel.receive(Some(left)).map_err(|fault| Asked::of(&fault, true))?;
            if frame.call == call {
                return Ok(frame);
            }
            match kind {
                Kind::Mailbox if frame.call == 0 => self.note_push(&frame),
                Kind::Gate if frame.call == 0 => self.note_gate(&frame),
                _ => {} // the answer to a question that was given up
            }
        }
    }

    /// Whether the gate grants so many octets of mail in flight.
    pub fn allow(&mut self, bytes: u64) -> bool {
        let answer = self.ask(Kind::Gate, &ToGate::Allow { bytes }, &[], true);
        matches!(answer, Ok((FromGate::Allowed(true), _)))
    }

    pub fn release(&mut self, bytes: u64) {
        if let Some(gate) = &self.gate {
            let _ = gate.send(0, &ToGate::Release { bytes }, &[]);
        }
    }

    /// Pushes for this folder and no other from now on.
    ///
    /// `peeks`: what is recent stays so (EXAMINE, RFC 3501 §6.3.2).
    pub fn watch(&mut self, folder: Option<FolderId>, peeks: bool) {
        (self.watched, self.peeks) = (folder, peeks);
        self.news = News::default();
    }

    /// After the mailbox was restarted; its answer is of no interest.
    fn watch_again(&mut self) {
        let watch = self.watch_question();
        if let (Some(mailbox), Some(_)) = (&mut self.mailbox, self.watched) {
            let call = mailbox.next_call();
            let _ = mailbox.send(call, &watch, &[]);
        }
    }

    pub fn watch_question(&self) -> wire::mailbox::FromAccess {
        match self.watched {
            Some(folder) if self.peeks => wire::mailbox::FromAccess::Peek(folder),
            watched => wire::mailbox::FromAccess::Watch(watched),
        }
    }

    /// Takes pushes that have come.
    pub fn take_pushes(&mut self) {
        loop {
            match self.mailbox.as_ref().map(Channel::take) {
                Some(Ok(Some(frame))) if frame.call == 0 => self.note_push(&frame),
                Some(Ok(Some(_))) => {}
                Some(Err(_)) => self.mailbox = None,
                Some(Ok(None)) | None => return,
            }
        }
    }

    /// A frame of the gate, if one is there. A gate that died comes back with a new channel.
    fn take_from_gate(&mut self) -> Option<Frame> {
        match self.gate.as_ref()?.take() {
            Ok(frame) => frame,
            Err(_) => {
                self.gate = None;
                None
            }
        }
    }

    fn note_gate(&mut self, frame: &Frame) {
        if let Ok(FromGate::Closing) = frame.read() {
            self.closing = true;
        }
    }

    fn note_push(&mut self, frame: &Frame) {
        let Ok(FromMailbox::Changed { folder, expunged, .. }) = frame.read() else { return };
        if self.watched == Some(folder) {
            (self.news.changed, self.news.fresh) = (true, true);
            self.news.expunged.extend(expunged);
            if self.news.expunged.len() > NEWS {
                self.news.expunged = Vec::new();
                self.news.lost = true;
            }
        }
    }
}

/// How a question failed.
enum Asked {
    Gone { sent: bool },
    Silent,
    Wrong,
}

impl Asked {
    fn of(fault: &wire::Fault, sent: bool) -> Self {
        match fault {
            wire::Fault::Silent | wire::Fault::Crowded => Self::Silent,
            wire::Fault::Malformed | wire::Fault::TooLarge { .. } => Self::Wrong,
            _ => Self::Gone { sent },
        }
    }
}
