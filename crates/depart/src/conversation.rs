//! One connection to one host: `courier` says what to write, this writes and reads it, and no wait
//! is without an end.

use crate::accepted::Met;
use crate::opening::Text;
use crate::trust::{Demand, Watch};
use crate::{Fault, Limits};
use courier::{Broken, Courier, Letter, Login, Outcome, Want};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls::Line;
use zeroize::Zeroizing;

/// Read at once: an answer has some lines.
const READ_BYTES: usize = 4 * 1024;
/// Nobody waits longer for us to see to them.
const TICK: Duration = Duration::from_millis(250);
/// Our last word: who is answered and does not answer it keeps nobody.
const GOODBYE: Duration = Duration::from_secs(10);

/// How the connection may be secured.
pub(crate) struct Security {
    pub tls: courier::Tls,
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
    /// What is seen of the handshake.
    pub watch: Arc<Watch>,
}

/// A connection that takes letters.
pub(crate) struct Conversation {
    line: Line,
    courier: Courier,
    security: Security,
    limits: Limits,
    /// Answers heard when we began to wait for the next.
    heard: u64,
    since: Instant,
    /// The end of the letter's or the greeting's time.
    until: Instant,
    /// The end of the text was written: from then on the remote may have taken it.
    is_ended: bool,
    /// Somebody was told that it keeps others waiting: once.
    has_stalled: bool,
    /// It was said who we are.
    is_signed_in: bool,
    /// Whom we speak with.
    met: Option<Rc<Met>>,
}

/// Whether a connection that is being made is made, or refused, within this time.
pub(crate) fn answers(socket: &OwnedFd, limit: Duration) -> bool {
    let timeout =
        Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
    let heard = poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&timeout));
    !matches!(heard, Ok(0))
}

/// How one letter fared.
pub(crate) struct Carried {
    /// For each of its receivers.
    pub outcomes: Vec<Outcome>,
    /// The receiver at whose name the connection was lost.
    pub stopped_at: Option<usize>,
    /// Whether the remote may have it although it did not say so.
    pub is_ended: bool,
    /// The connection is of no further use.
    pub broken: Option<Broken>,
}

impl Conversation {
    /// From the greeting to where a letter may be begun.
    pub(crate) fn begin(
        line: Line,
        (our_name, security): (&str, Security),
        limits: Limits,
        others: &mut dyn Others,
    ) -> Result<Self, Broken> {
        let now = Instant::now();
        let mut this = Self {
            line,
            courier: Courier::new(our_name, security.tls),
            security,
            limits,
            heard: 0,
            since: now,
            until: now + limits.letter,
            is_ended: false,
            has_stalled: false,
            is_signed_in: false,
            met: None,
        };
        if this.security.tls == courier::Tls::Already {
            this.secure(others).map_err(Broken::TlsFailed)?;
        }
        loop {
            match this.step(others) {
                Want::Letter => return Ok(this),
                Want::Broken(broken) => return Err(broken),
                Want::Close => return Err(Broken::Closed),
                _ => {}
            }
        }
    }

    /// Notes whom it reached, and how safe the way to them is.
    pub(crate) fn has_met(&mut self, host: &str, address: IpAddr, demand: &Demand) {
        let tls = self.line.version().filter(|_| self.security.watch.is_secure());
        self.met = Some(Rc::new(Met::new(host, address, (tls, demand))));
    }

    pub(crate) fn met(&self) -> Option<Rc<Met>> {
        self.met.clone()
    }

    /// Says who we are, once TLS stands.
    pub(crate) fn sign_in(&mut self, login: Login, others: &mut dyn Others) -> Result<(), Broken> {
        self.until = Instant::now() + self.limits.answer;
        self.courier.sign_in(login);
        self.is_signed_in = true;
        loop {
            match self.step(others) {
                Want::Letter => return Ok(()),
                Want::Broken(broken) => return Err(broken),
                Want::Close => return Err(Broken::Closed),
                _ => {}
            }
        }
    }

    pub(crate) fn courier(&self) -> &Courier {
        &self.courier
    }

    /// One letter. A fault is ours: the text could not be opened, and the connection is cut before
    /// its end, so that nobody takes half of it for a whole.
    pub(crate) fn carry(
        &mut self,
        letter: Letter,
        text: &Text,
        others: &mut dyn Others,
    ) -> Result<Carried, Fault> {
        self.until = Instant::now() + self.limits.letter;
        self.is_ended = false;
        self.courier.begin(letter);
        let mut outcomes = Vec::new();
        loop {
            match self.step(others) {
                Want::Text => self.send_text(text, others)?,
                Want::Outcomes(found) => outcomes = found,
                Want::Letter => return Ok(self.carried(outcomes, None)),
                Want::Broken(broken) => return Ok(self.carried(outcomes, Some(broken))),
                Want::Close => return Ok(self.carried(outcomes, Some(Broken::Closed))),
                Want::Read(_) | Want::Secure => {}
            }
        }
    }

    fn carried(&self, outcomes: Vec<Outcome>, broken: Option<Broken>) -> Carried {
        let stopped_at = self.courier.stopped_at().filter(|_| broken.is_some());
        Carried { outcomes, stopped_at, is_ended: self.is_ended, broken }
    }

    pub(crate) fn quit(mut self, others: &mut dyn Others) {
        self.until = Instant::now() + GOODBYE;
        self.courier.quit();
        while !matches!(self.step(others), Want::Close | Want::Broken(_) | Want::Letter) {}
        self.line.close();
    }

    /// Whether it may serve the next batch: it kept nobody waiting, and goes by no sign-in, which
    /// may be another by then or be forgotten.
    pub(crate) fn may_be_kept(&self) -> bool {
        !self.has_stalled && !self.is_signed_in
    }

    /// Says goodbye, and waits for no answer.
    pub(crate) fn leave(mut self) {
        self.courier.quit();
        let _ = self.courier.next();
        let output = self.courier.take_output();
        let _ = self.line.write(&output, Instant::now());
        self.line.close();
    }

    /// Asks what is wanted, writes what there is to say, and does what needs nobody else.
    fn step(&mut self, others: &mut dyn Others) -> Want {
        let want = self.courier.next();
        // A sign-in may stand in it.
        let output = Zeroizing::new(self.courier.take_output());
        if !output.is_empty() && !self.write(&output) {
            return want;
        }
        match want {
            Want::Read(patience) => self.read(patience, others),
            Want::Secure => match self.secure(others) {
                Ok(()) => self.courier.secured(),
                Err(why) => self.courier.not_secured(why),
            },
            _ => {}
        }
        want
    }

    fn read(&mut self, patience: Duration, others: &mut dyn Others) {
        if self.heard != self.courier.heard() {
            (self.heard, self.since) = (self.courier.heard(), Instant::now());
        }
        let until = (self.since + patience.min(self.limits.answer)).min(self.until);
        let mut buffer = [0; READ_BYTES];
        let soon = until.min(Instant::now() + self.limits.stall);
        let read = loop {
            let now = Instant::now();
            if !self.has_stalled && now >= soon {
                self.has_stalled = true;
                others.let_go();
            }
            let next = if self.has_stalled { until } else { soon };
            match self.line.read(&mut buffer, next.min(now + TICK)) {
                Err(fault) if is_late(&fault) && Instant::now() < until => others.tend(),
                read => break read,
            }
        };
        match read {
            Ok(0) => self.courier.closed(),
            Ok(count) => self.courier.feed(buffer.get(..count).unwrap_or(&[])),
            Err(fault) if is_late(&fault) => self.courier.timed_out(),
            Err(_) => self.courier.closed(),
        }
    }

    /// Whether it went out. Who closes while we speak may have said why.
    fn write(&mut self, output: &[u8]) -> bool {
        self.since = Instant::now();
        let until = (self.since + self.limits.piece).min(self.until);
        match self.line.write(output, until) {
            Ok(()) => return true,
            Err(fault) if fault.kind() == ErrorKind::TimedOut => self.courier.timed_out(),
            Err(_) => {
                let mut buffer = [0; READ_BYTES];
                if let Ok(count) = self.line.read(&mut buffer, Instant::now()) {
                    self.courier.feed(buffer.get(..count).unwrap_or(&[]));
                }
                self.courier.closed();
            }
        }
        false
    }

    fn send_text(&mut self, text: &Text, others: &mut dyn Others) -> Result<(), Fault> {
        let (mut is_open, soon) = (true, Instant::now() + self.limits.stall);
        text.each_piece::<Fault>(|piece| {
            if is_open {
                // The last piece goes out with the end: a small letter in one write.
                let output = self.courier.take_output();
                is_open = output.is_empty() || self.write(&output);
                self.courier.text(piece);
            }
            // A large letter, or one that is taken slowly.
            if !self.has_stalled && Instant::now() >= soon {
                self.has_stalled = true;
                others.let_go();
            }
            Ok(())
        })?;
        if is_open && !others.may_end() {
            return Err(Fault::Away("post"));
        }
        if is_open {
            self.courier.end_text();
            // Whatever of this goes out may be the end.
            self.is_ended = true;
        }
        Ok(())
    }

    fn secure(&mut self, others: &mut dyn Others) -> Result<(), String> {
        let until = Instant::now() + self.limits.handshake;
        let (config, name) = (self.security.config.clone(), self.security.name.clone());
        let mut meanwhile = || Ok(others.tend());
        let secured = self.line.secure_meanwhile(config, name, until, &mut meanwhile);
        secured.map_err(|fault| fault.to_string())?;
        self.security.watch.secured();
        Ok(())
    }
}

/// Whom we see to while a remote keeps us.
pub(crate) trait Others {
    /// It keeps us so long that nobody else should wait behind it. Said once.
    fn let_go(&mut self);
    /// Said again and again.
    fn tend(&mut self);
    /// Whether the text in hand may be ended: from then on the remote may have it.
    fn may_end(&mut self) -> bool;
}

fn is_late(fault: &io::Error) -> bool {
    fault.kind() == ErrorKind::TimedOut
}
