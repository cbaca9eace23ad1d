//! Enough SMTP to take a message from a client that believes it speaks with us.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// Lines taken from one client.
const LINES: usize = 10_000;

/// Every line of one session, envelope and message alike; whether a message came.
pub fn smtp(socket: OwnedFd) -> (Vec<u8>, bool) {
    let stream = TcpStream::from(socket);
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let Ok(read) = stream.try_clone() else { return (Vec::new(), false) };
    let (mut reader, mut stream) = (BufReader::new(read), stream);
    let (mut taken, mut in_data, mut came) = (Vec::new(), false, false);
    let _ = stream.write_all(b"220 mx.sekisho.localhost ESMTP\r\n");
    for _ in 0..LINES {
        let mut line = Vec::new();
        if !matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            break;
        }
        taken.extend_from_slice(&line);
        let reply: &[u8] = match (in_data, line.as_slice()) {
            (true, b".\r\n") => {
                (in_data, came) = (false, true);
                b"250 2.0.0 kept\r\n"
            }
            (true, _) => continue,
            (false, verb) if verb.starts_with(b"DATA") => {
                in_data = true;
                b"354 go on\r\n"
            }
            (false, verb) if verb.starts_with(b"QUIT") => b"221 2.0.0 bye\r\n",
            (false, _) => b"250 2.1.0 OK\r\n",
        };
        if stream.write_all(reply).is_err() || reply.starts_with(b"221") {
            break;
        }
    }
    (taken, came)
}
