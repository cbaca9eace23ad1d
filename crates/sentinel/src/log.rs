//! The host's log, or one elsewhere: lines that wait while it is away, and how they are framed.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Lines that wait; what is beyond is counted, and said in a line of its own.
const WAITING: usize = 1_024;
/// Between two wishes for a new socket, doubled each time.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where lines go.
pub struct Log {
    socket: Option<OwnedFd>,
    is_stream: bool,
    waiting: VecDeque<Vec<u8>>,
    /// Octets of the first that are out already: a stream takes what it has room for.
    begun: usize,
    dropped: u64,
    tries: u32,
    asked: Option<Instant>,
    written: u64,
    trouble: Option<String>,
}

impl Log {
    pub fn new(is_stream: bool) -> Self {
        Self {
            socket: None,
            is_stream,
            waiting: VecDeque::new(),
            begun: 0,
            dropped: 0,
            tries: 0,
            asked: None,
            written: 0,
            trouble: None,
        }
    }

    /// A socket that the warden opened, or none.
    pub fn take(&mut self, socket: Option<OwnedFd>) {
        self.socket = socket;
        // The other end has half a line at most: it is said again from its beginning.
        self.begun = 0;
    }

    /// What was written so far, and why not more.
    pub fn standing(&self) -> (u64, u64, u64, Option<&str>) {
        (self.written, self.waiting.len() as u64, self.dropped, self.trouble.as_deref())
    }

    pub fn say(&mut self, line: &str) {
        if self.waiting.len() >= WAITING {
            self.dropped += 1;
            return;
        }
        self.waiting.push_back(self.framed(line));
    }

    /// RFC 6587 §3.4.1: how many octets, a blank, the line.
    fn framed(&self, line: &str) -> Vec<u8> {
        match self.is_stream {
            true => format!("{} {line}", line.len()).into_bytes(),
            false => line.as_bytes().to_vec(),
        }
    }

    /// Writes what waits, as far as it goes without waiting. `true`: a new socket is wanted.
    pub fn tend(&mut self, now: Instant, lost: impl Fn(u64) -> String) -> bool {
        if self.socket.is_some() {
            match self.write() {
                Ok(()) => {
                    self.say_lost(lost);
                    return false;
                }
                Err(why) => {
                    self.trouble = Some(why);
                    self.socket = None;
                    self.begun = 0;
                }
            }
        }
        self.wants_socket(now)
    }

    fn say_lost(&mut self, lost: impl Fn(u64) -> String) {
        if self.dropped > 0 && self.waiting.is_empty() {
            let line = lost(std::mem::take(&mut self.dropped));
            self.waiting.push_back(self.framed(&line));
        }
    }

    fn wants_socket(&mut self, now: Instant) -> bool {
        let pause = LEAST_PAUSE.saturating_mul(1 << self.tries.min(8)).min(LONGEST_PAUSE);
        if self.waiting.is_empty() || self.asked.is_some_and(|at| now.duration_since(at) < pause) {
            return false;
        }
        (self.asked, self.tries) = (Some(now), self.tries.saturating_add(1));
        true
    }

    fn write(&mut self) -> Result<(), String> {
        let Some(socket) = &self.socket else { return Ok(()) };
        if self.is_stream && !self.waiting.is_empty() && is_closed(socket) {
            return Err("it closed the connection".to_owned());
        }
        while let Some(line) = self.waiting.front() {
            let rest = line.get(self.begun..).unwrap_or_default();
            match send(socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) if self.is_stream && count < rest.len() => self.begun += count,
                Ok(_) => {
                    self.waiting.pop_front();
                    (self.begun, self.tries, self.trouble) = (0, 0, None);
                    self.written += 1;
                }
                // Full, or not connected yet: it is tried again, and nobody waits.
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(format!("it does not take a line: {errno}")),
            }
        }
        Ok(())
    }
}

/// A collector that went away is noticed before a line is given to nobody.
fn is_closed(socket: &OwnedFd) -> bool {
    let mut octet = [0u8; 64];
    match recv(socket, &mut octet[..], RecvFlags::DONTWAIT) {
        Ok((_, count)) => count == 0,
        Err(errno) => errno != Errno::AGAIN && errno != Errno::NOTCONN,
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, WAITING};
    use std::io::Read;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::time::{Duration, Instant};

    fn lost(count: u64) -> String {
        format!("{count} lost")
    }

    #[test]
    fn a_stream_has_counted_lines_and_a_new_one_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut log, now) = (Log::new(true), Instant::now());
        log.take(Some(connect().into()));
        log.say("<81>1 one");
        assert!(!log.tend(now, lost));
        let mut came = [0; 11];
        let (mut collector, _) = listener.accept().unwrap();
        collector.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"9 <81>1 one");
        drop(collector);
        std::thread::sleep(Duration::from_millis(100));
        log.say("<81>1 two");
        assert!(log.tend(now, lost), "the collector has gone: a new socket is wanted");
        assert!(!log.tend(now, lost), "not again at once");
        log.take(Some(connect().into()));
        assert!(!log.tend(now, lost));
        let (mut collector, _) = listener.accept().unwrap();
        collector.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"9 <81>1 two");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_said() {
        let (mut log, now) = (Log::new(false), Instant::now());
        for _ in 0..WAITING + 7 {
            log.say("line");
        }
        assert!(log.tend(now, lost));
        assert!(!log.tend(now + Duration::from_millis(500), lost));
        assert!(log.tend(now + Duration::from_secs(3), lost), "asked again");
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(collector.local_addr().unwrap()).unwrap();
        log.take(Some(socket.into()));
        log.tend(now, lost);
        log.tend(now, lost);
        assert_eq!(log.standing(), (WAITING as u64 + 1, 0, 0, None));
    }
}
