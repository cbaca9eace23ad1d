//! The socket of one client: waited on with a limit, in clear or under TLS.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// RFC 5321 §4.5.3.2 gives clients minutes; a client that takes none of our few octets for this
/// long is not reading at all.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// A handshake is two round trips; a minute is a very slow line.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);
/// After our last word: how long, and for how much, a client may still be talking over us. Closing
/// earlier would reset the connection and take our last reply with it.
const LINGER_LIMIT: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 1024 * 1024;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Readable,
    /// One of the others (channels to gate and warden) has something to say.
    Other,
    TimedOut,
}

pub(crate) struct Line {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Line {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = TcpStream::from(socket);
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_LIMIT))?;
        // Reads follow a wait; this is for the wait that lied.
        socket.set_read_timeout(Some(WRITE_LIMIT))?;
        Ok(Self { socket, tls: None })
    }

    /// Waits for the client or for one of `others`.
    pub(crate) fn wait(&self, others: &[BorrowedFd<'_>], until: Instant) -> io::Result<Woken> {
        let mut fds = vec![PollFd::new(&self.socket, PollFlags::IN)];
        fds.extend(others.iter().map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout =
                Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Ok(Woken::TimedOut),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let readable = fds.first().is_some_and(|socket| !socket.revents().is_empty());
        Ok(if readable { Woken::Readable } else { Woken::Other })
    }

    /// What is there to read now; 0 is the end. `WouldBlock`: wait again.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(into) };
        if tls.read_tls(&mut self.socket)? == 0 {
            return Ok(0);
        }
        let processed = tls.process_new_packets();
        flush_tls(tls, &mut self.socket)?;
        processed.map_err(|fault| io::Error::new(ErrorKind::InvalidData, fault))?;
        tls.reader().read(into)
    }

    /// The same without a wait before it: `WouldBlock` if nothing is there, and always under TLS.
    pub(crate) fn read_at_hand(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.tls.is_some() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (_, count) = recv(&self.socket, into, RecvFlags::DONTWAIT)?;
        Ok(count)
    }

    /// Plain octets that TLS holds already, without asking the socket; 0 if none.
    pub(crate) fn read_held(&mut self, into: &mut [u8]) -> usize {
        self.tls.as_mut().map_or(0, |tls| tls.reader().read(into).unwrap_or(0))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                flush_tls(tls, &mut self.socket)
            }
        }
    }

    /// The server's side of a handshake; on success, TLS version and suite in words.
    pub(crate) fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<String> {
        let until = Instant::now() + HANDSHAKE_LIMIT;
        let invalid = |fault| io::Error::new(ErrorKind::InvalidData, fault);
        let mut tls = Box::new(ServerConnection::new(config).map_err(invalid)?);
        while tls.is_handshaking() {
            flush_tls(&mut tls, &mut self.socket)?;
            if self.wait(&[], until)? != Woken::Readable {
                return Err(ErrorKind::TimedOut.into());
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let processed = tls.process_new_packets();
            flush_tls(&mut tls, &mut self.socket)?;
            processed.map_err(invalid)?;
        }
        flush_tls(&mut tls, &mut self.socket)?;
        let version = tls.protocol_version().and_then(|version| version.as_str());
        let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let words = format!("{} {}", version.unwrap_or("TLS"), suite.unwrap_or("?"));
        self.tls = Some(tls);
        Ok(words)
    }

    /// The certificates that the client showed, its own first.
    pub(crate) fn shown(&self) -> Vec<CertificateDer<'static>> {
        let chain = self.tls.as_ref().and_then(|tls| tls.peer_certificates());
        chain.unwrap_or_default().iter().map(|one| one.clone().into_owned()).collect()
    }

    /// Says no more, and hears out for a moment what is still on its way.
    pub(crate) fn close(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = flush_tls(tls, &mut self.socket);
        }
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let until = Instant::now() + LINGER_LIMIT;
        let mut gone = vec![0; 16 * 1024];
        let mut left = LINGER_BYTES;
        while left > 0 && matches!(self.wait(&[], until), Ok(Woken::Readable)) {
            match self.socket.read(&mut gone) {
                Ok(count) if count > 0 => left = left.saturating_sub(count),
                _ => return,
            }
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn flush_tls(tls: &mut ServerConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}
