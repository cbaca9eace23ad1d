//! One socket to somebody outside, in clear or under TLS: nothing waits without an end.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one socket is waited for before others are seen to.
const SLICE: Duration = Duration::from_millis(100);

/// A connection that we made.
pub struct Line {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    /// A socket that may still be on its way to being connected; it is when this returns.
    pub fn connected(socket: OwnedFd, until: Instant) -> io::Result<Self> {
        Self::connected_meanwhile(socket, until, &mut || Ok(()))
    }

    /// The same, for whoever has others to see to as long as it takes.
    pub fn connected_meanwhile(
        socket: OwnedFd,
        until: Instant,
        meanwhile: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Self> {
        let socket = TcpStream::from(socket);
        socket.set_nonblocking(true)?;
        wait_meanwhile(&socket, PollFlags::OUT, until, meanwhile)?;
        match socket.take_error()? {
            Some(fault) => Err(fault),
            // Writable without a fault and without a peer: the kernel knows better than poll.
            None => socket.peer_addr().map(|_| Self { socket, tls: None }),
        }
    }

    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Our own end.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The version of TLS, once it stands.
    pub fn version(&self) -> Option<&'static str> {
        self.tls.as_ref()?.protocol_version()?.as_str()
    }

    /// Reads what is there, and waits for it; 0 is the end.
    pub fn read(&mut self, into: &mut [u8], until: Instant) -> io::Result<usize> {
        loop {
            let read = match &mut self.tls {
                None => self.socket.read(into),
                Some(tls) => tls.reader().read(into),
            };
            match read {
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {}
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                done => return done,
            }
            wait(&self.socket, PollFlags::IN, until)?;
            if self.tls.is_some() {
                self.take_records(until)?;
            }
        }
    }

    /// Writes all of it.
    pub fn write(&mut self, octets: &[u8], until: Instant) -> io::Result<()> {
        if self.tls.is_none() {
            return write_all(&mut self.socket, octets, until);
        }
        let mut rest = octets;
        while !rest.is_empty() {
            let Some(tls) = &mut self.tls else { break };
            let count = tls.writer().write(rest)?;
            rest = rest.get(count..).unwrap_or(&[]);
            self.flush_records(until)?;
        }
        Ok(())
    }

    /// The client's side of a handshake.
    pub fn secure(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        until: Instant,
    ) -> io::Result<()> {
        self.secure_meanwhile(config, name, until, &mut || Ok(()))
    }

    /// The same, for whoever has others to see to as long as it takes.
    pub fn secure_meanwhile(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        until: Instant,
        meanwhile: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let tls = ClientConnection::new(config, name).map_err(invalid)?;
        self.tls = Some(Box::new(tls));
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.flush_records(until)?;
            wait_meanwhile(&self.socket, PollFlags::IN, until, meanwhile)?;
            self.take_records(until)?;
        }
        self.flush_records(until)
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// TLS version and suite in words.
    pub fn words(&self) -> Option<String> {
        let tls = self.tls.as_ref()?;
        let version = tls.protocol_version().and_then(|version| version.as_str());
        let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        Some(format!("{} {}", version.unwrap_or("TLS"), suite.unwrap_or("?")))
    }

    /// Says no more. What is not sent at once is not waited for.
    pub fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.flush_records(Instant::now());
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn take_records(&mut self, until: Instant) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let is_handshaking = tls.is_handshaking();
        match tls.read_tls(&mut self.socket) {
            // In the middle of a handshake nothing says "closed" but this.
            Ok(0) if is_handshaking => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(fault) => return Err(fault),
        }
        let processed = tls.process_new_packets();
        let processed = processed.map(drop).map_err(invalid);
        // An alert is told even where the handshake failed.
        let flushed = self.flush_records(until);
        processed.and(flushed)
    }

    fn flush_records(&mut self, until: Instant) -> io::Result<()> {
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                    wait(&self.socket, PollFlags::OUT, until)?;
                }
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

fn invalid(fault: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, fault)
}

fn write_all(socket: &mut TcpStream, octets: &[u8], until: Instant) -> io::Result<()> {
    let mut rest = octets;
    while !rest.is_empty() {
        match socket.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or(&[]),
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                wait(socket, PollFlags::OUT, until)?;
            }
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Waits a slice at a time. What the socket has is taken however late it is.
fn wait_meanwhile(
    socket: &TcpStream,
    flags: PollFlags,
    until: Instant,
    meanwhile: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let now = Instant::now();
        match wait(socket, flags, until.min(now + SLICE).max(now)) {
            Err(fault) if fault.kind() == ErrorKind::TimedOut && Instant::now() < until => {}
            waited => return waited,
        }
        meanwhile()?;
    }
}

fn wait(socket: &TcpStream, flags: PollFlags, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::new(socket, flags)], Some(&timeout)) {
            Ok(0) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
