//! The channels of this process: the gate's, the signer's, the directory's.

use crate::Fault;
use crate::line::timespec;
use compartment::House;
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use terms::{ConnectionId, Kind};
use tls::SignerLink;
use wire::Channel;
use wire::control::{Order, Start};
use wire::gate::{FromGate, ToGate};
use wire::pages::{FromPages, ToPages};

/// The warden makes an instance's first channels before or at its birth.
const JOIN_LIMIT: Duration = Duration::from_secs(10);
/// For the directory to answer, a restart of it included: the client hears something meanwhile.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// A connection that the gate handed over.
pub(crate) struct Handed {
    pub connection: ConnectionId,
    pub socket: OwnedFd,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Line,
    /// The house closes.
    Closing,
    Late,
}

pub(crate) struct Ends {
    house: House,
    gate: Option<Channel>,
    signer: SignerLink,
    directory: Option<Channel>,
    pub is_closing: bool,
}

impl Ends {
    /// Waits for the first channels.
    pub fn join(mut house: House) -> Result<Self, Fault> {
        let (gate, _) = house.next_join(Kind::Gate, JOIN_LIMIT).map_err(Fault::House)?;
        let (signer, _) = house.next_join(Kind::Signer, JOIN_LIMIT).map_err(Fault::House)?;
        let signer = SignerLink::new(signer);
        let (gate, directory, is_closing) = (Some(gate), None, false);
        Ok(Self { house, gate, signer, directory, is_closing })
    }

    pub fn signer(&self) -> &SignerLink {
        &self.signer
    }

    pub fn start(&self) -> &Start {
        &self.house.start
    }

    /// The one connection of this process's life; `None` when the house closes before.
    pub fn await_connection(&mut self) -> Result<Option<Handed>, Fault> {
        while !self.is_closing {
            let Some(mut frame) = self.take_from_gate() else {
                self.wait_any(None, None)?;
                continue;
            };
            match (frame.read(), frame.descriptors.pop()) {
                (Ok(FromGate::Handed { connection, .. }), Some(socket)) => {
                    if let Some(gate) = &self.gate {
                        let _ = gate.send(0, &ToGate::Begun { connection }, &[]);
                    }
                    return Ok(Some(Handed { connection, socket }));
                }
                (Ok(FromGate::Closing), _) => self.is_closing = true,
                _ => {}
            }
        }
        Ok(None)
    }

    /// Tells the gate that the connection has ended, and this process with it.
    pub fn done(&mut self, connection: ConnectionId) {
        if let Some(gate) = &self.gate {
            let _ = gate.send(0, &ToGate::Done { connection, last: true }, &[]);
        }
    }

    /// Waits for the client, the end of the house, or `until`.
    pub fn wait(&mut self, line: BorrowedFd<'_>, until: Instant) -> Result<Woken, Fault> {
        loop {
            if self.is_closing {
                return Ok(Woken::Closing);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Woken::Late);
            }
            if self.wait_any(Some(line), Some(left))? {
                return Ok(Woken::Line);
            }
            while let Some(frame) = self.take_from_gate() {
                self.is_closing |= matches!(frame.read(), Ok(FromGate::Closing));
            }
        }
    }

    /// What the directory says. It is asked again over a new channel if it was restarted:
    /// nothing that is asked here does harm twice.
    pub fn ask(&mut self, question: &FromPages) -> ToPages {
        let until = Instant::now() + ASK_LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.heed().is_err() || left.is_zero() {
                return ToPages::Later;
            }
            let Some(directory) = &mut self.directory else {
                let _ = self.house.control.wait(left.min(Duration::from_secs(1)));
                continue;
            };
            match directory.ask(question, &[], left) {
                Ok((answer, _)) => return answer,
                Err(wire::Fault::Silent) => return ToPages::Later,
                Err(_) => self.directory = None,
            }
        }
    }

    /// Waits for anything; takes orders. Whether `line` is readable.
    fn wait_any(
        &mut self,
        line: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> Result<bool, Fault> {
        let is_readable = {
            let mut fds = vec![PollFd::new(&self.house.control, PollFlags::IN)];
            fds.extend(line.map(|line| PollFd::from_borrowed_fd(line, PollFlags::IN)));
            fds.extend(self.gate.as_ref().map(|gate| PollFd::new(gate, PollFlags::IN)));
            match poll(&mut fds, limit.map(timespec).as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(Fault::Line),
            }
            line.is_some() && fds.get(1).is_some_and(|line| !line.revents().is_empty())
        };
        self.heed()?;
        Ok(is_readable)
    }

    /// Takes what the warden says: new channels, or to stop.
    fn heed(&mut self) -> Result<(), Fault> {
        while let Some((order, mut held)) = self.house.next_order().map_err(Fault::House)? {
            match (order, held.pop()) {
                (Order::Stop, _) => self.is_closing = true,
                (Order::Join(label), Some(held)) => match label.kind {
                    Kind::Signer => self.signer.replace(held.into()),
                    Kind::Directory => self.directory = Some(held.into()),
                    Kind::Gate => self.gate = Some(held.into()),
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// A frame of the gate, if one is there. One that died comes back with a new channel.
    fn take_from_gate(&mut self) -> Option<wire::Frame> {
        match self.gate.as_ref()?.take() {
            Ok(frame) => frame,
            Err(_) => {
                self.gate = None;
                None
            }
        }
    }
}
