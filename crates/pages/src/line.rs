//! The client's line: one socket, TLS from its first octet, nothing waited for without an end.

use crate::Fault;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A handshake takes two round trips.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// For a client to take an answer of a few kilobytes.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Line {
    socket: Socket,
    tls: ServerConnection,
}

/// The socket without waiting, as rustls wants it.
struct Socket(OwnedFd);

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (count, _) = recv(&self.0, into, RecvFlags::DONTWAIT)?;
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, octets, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line {
    /// Shakes hands.
    pub fn open(socket: OwnedFd, config: Arc<ServerConfig>) -> Result<Self, Fault> {
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let tls = ServerConnection::new(config).map_err(|_| Fault::Line)?;
        let mut line = Self { socket: Socket(socket), tls };
        let until = Instant::now() + HANDSHAKE_LIMIT;
        while line.tls.is_handshaking() {
            line.flush(until)?;
            line.wait(PollFlags::IN, until)?;
            line.take(until)?;
        }
        line.flush(until)?;
        Ok(line)
    }

    /// The name that the client asked for, in lower case.
    pub fn server_name(&self) -> Option<String> {
        self.tls.server_name().map(str::to_ascii_lowercase)
    }

    /// What the client sent by now, decrypted; empty: nothing whole is there.
    pub fn read(&mut self) -> Result<Vec<u8>, Fault> {
        let mut piece = [0u8; 4096];
        loop {
            match self.tls.reader().read(&mut piece) {
                Ok(0) => return Err(Fault::Line),
                Ok(count) => return Ok(piece.get(..count).unwrap_or_default().to_vec()),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Fault::Line),
            }
            if !self.take(Instant::now() + WRITE_LIMIT)? {
                return Ok(Vec::new());
            }
        }
    }

    /// Sends everything, waiting for a slow client within reason.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), Fault> {
        let until = Instant::now() + WRITE_LIMIT;
        let mut rest = octets;
        while !rest.is_empty() {
            let count = self.tls.writer().write(rest).map_err(|_| Fault::Line)?;
            rest = rest.get(count..).unwrap_or_default();
            self.flush(until)?;
        }
        Ok(())
    }

    /// Says goodbye in TLS, so that the client knows nothing was cut off.
    pub fn close(&mut self) {
        self.tls.send_close_notify();
        let _ = self.flush(Instant::now());
        let _ = rustix::net::shutdown(&self.socket.0, rustix::net::Shutdown::Write);
    }

    /// Whether anything came.
    fn take(&mut self, until: Instant) -> Result<bool, Fault> {
        match self.tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(Fault::Line),
            Ok(_) => {}
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(_) => return Err(Fault::Line),
        }
        let processed = self.tls.process_new_packets().is_ok();
        // TLS itself may have something to answer, an alert too.
        self.flush(until)?;
        if processed { Ok(true) } else { Err(Fault::Line) }
    }

    fn flush(&mut self, until: Instant) -> Result<(), Fault> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(Fault::Line),
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, until)?;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Fault::Line),
            }
        }
        Ok(())
    }

    fn wait(&self, flags: PollFlags, until: Instant) -> Result<(), Fault> {
        let left = until.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&self.socket.0, flags)];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(0) => Err(Fault::Line),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(_) => Err(Fault::Line),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.0.as_fd()
    }
}

pub(crate) fn timespec(limit: Duration) -> Timespec {
    Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: i64::from(limit.subsec_nanos()) }
}
