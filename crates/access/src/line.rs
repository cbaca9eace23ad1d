//! The client's line: one socket, TLS from its first octet or (for mail that is handed in) from
//! STARTTLS on.

use crate::ends::Woken;
use crate::fault::Fault;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A handshake takes two round trips; slower peers are not mail clients.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// How long a client may refuse to take what it asked for.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// Octets taken from a busy client at a time.
const READ_BYTES: usize = 64 * 1024;
/// One TLS record.
const RECORD_BYTES: usize = 16 * 1024;

pub struct Line {
    socket: Socket,
    tls: Option<ServerConnection>,
}

/// The socket without waiting, as rustls wants it.
struct Socket {
    fd: OwnedFd,
    /// The last read got less than it had room for: there is nothing more now.
    is_drained: bool,
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (count, _) = recv(&self.fd, &mut *into, RecvFlags::DONTWAIT)?;
        self.is_drained = count < into.len();
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(send(&self.fd, octets, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line {
    /// Shakes hands.
    pub fn open(socket: OwnedFd, config: Arc<ServerConfig>) -> Result<Self, Fault> {
        let mut line = Self::in_clear(socket);
        line.secure(config)?;
        Ok(line)
    }

    pub fn in_clear(socket: OwnedFd) -> Self {
        // An answer is written whole; its last record must not wait 40 ms for an acknowledgement.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let socket = Socket { fd: socket, is_drained: false };
        Self { socket, tls: None }
    }

    /// The server's side of a handshake.
    pub fn secure(&mut self, config: Arc<ServerConfig>) -> Result<(), Fault> {
        self.tls = Some(ServerConnection::new(config).map_err(|_| Fault::Line)?);
        let until = Instant::now() + HANDSHAKE_LIMIT;
        loop {
            self.flush()?;
            if self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()) {
                return Ok(());
            }
            self.wait(PollFlags::IN, until)?;
            self.take()?;
        }
    }

    /// TLS version and suite in words, if there is TLS.
    pub fn tls_words(&self) -> Option<String> {
        let tls = self.tls.as_ref()?;
        let version = tls.protocol_version().and_then(|version| version.as_str());
        let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        Some(format!("{} {}", version.unwrap_or("TLS"), suite.unwrap_or("?")))
    }

    /// What the client sent by now, decrypted; nothing if no whole record is there.
    pub fn read(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        if self.tls.is_none() {
            return self.read_clear(into);
        }
        while into.len() < READ_BYTES && self.take()? {
            self.flush()?; // TLS itself may have something to answer
            self.decrypted(into)?;
            if self.socket.is_drained {
                break;
            }
        }
        Ok(())
    }

    /// What is decrypted already, without asking the socket: a client may speak with the last
    /// octets of its handshake.
    pub fn read_held(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        self.decrypted(into)
    }

    fn read_clear(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        let mut piece = [0u8; 4096];
        match self.socket.read(&mut piece) {
            Ok(0) => return Err(Fault::Line),
            Ok(count) => into.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Fault::Line),
        }
        Ok(())
    }

    fn decrypted(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let mut reader = tls.reader();
        loop {
            let count = match reader.fill_buf() {
                Ok([]) if into.is_empty() => return Err(Fault::Line),
                Ok([]) => return Ok(()),
                Ok(piece) => {
                    into.extend_from_slice(piece);
                    piece.len()
                }
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Fault::Line),
            };
            reader.consume(count);
        }
    }

    /// Sends everything, waiting for a slow client within reason.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), Fault> {
        for piece in octets.chunks(RECORD_BYTES) {
            let Some(tls) = &mut self.tls else {
                self.write_clear(piece)?;
                continue;
            };
            tls.writer().write_all(piece).map_err(|_| Fault::Line)?;
            self.flush()?;
        }
        Ok(())
    }

    fn write_clear(&mut self, mut octets: &[u8]) -> Result<(), Fault> {
        let until = Instant::now() + WRITE_LIMIT;
        while !octets.is_empty() {
            match self.socket.write(octets) {
                Ok(count) => octets = octets.get(count..).unwrap_or_default(),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, until)?;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Fault::Line),
            }
        }
        Ok(())
    }

    /// Waits for the client and for nobody else.
    pub fn wait_readable(&self, limit: Duration) -> Result<Woken, Fault> {
        let mut fds = [PollFd::new(&self.socket.fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(limit))) {
            Ok(0) => Ok(Woken::Late),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(Woken::Line),
            Err(_) => Err(Fault::Line),
        }
    }

    /// Says goodbye in TLS, so that the client knows nothing was cut off.
    pub fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
        let _ = rustix::net::shutdown(&self.socket.fd, rustix::net::Shutdown::Write);
    }

    /// Whether anything came.
    fn take(&mut self) -> Result<bool, Fault> {
        let Some(tls) = &mut self.tls else { return Ok(false) };
        match tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(Fault::Line),
            Ok(_) => {}
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(_) => return Err(Fault::Line),
        }
        if tls.process_new_packets().is_err() {
            let _ = self.flush(); // the alert
            return Err(Fault::Line);
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + WRITE_LIMIT;
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            match tls.write_tls(&mut self.socket) {
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
        let mut fds = [PollFd::new(&self.socket.fd, flags)];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(0) => Err(Fault::Line),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(_) => Err(Fault::Line),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd.as_fd()
    }
}

pub fn timespec(limit: Duration) -> Timespec {
    Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: i64::from(limit.subsec_nanos()) }
}
