//! The two ways to be asked: a UDP packet, or a TCP connection of length-prefixed packets.

use crate::{Fault, Zones, answer};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// The longest question read; real ones stay under 300.
const QUESTION_OCTETS: usize = 4_096;
/// Packets answered in one round, so that one socket does not starve the other.
const ROUND: usize = 64;
/// Questions on one TCP connection.
const CONNECTION_QUESTIONS: usize = 16;
/// How long a TCP asker may take for one question. It is waited for: this server is for demos.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers until a socket breaks. For a thread of a test or a program of its own.
pub fn serve(udp: &UdpSocket, tcp: &TcpListener, zones: &Zones) -> Result<(), Fault> {
    let broken = |doing| move |source| Fault::Io { doing, source };
    udp.set_nonblocking(true).map_err(broken("taking the UDP socket"))?;
    tcp.set_nonblocking(true).map_err(broken("taking the TCP listener"))?;
    loop {
        let mut sockets = [PollFd::new(udp, PollFlags::IN), PollFd::new(tcp, PollFlags::IN)];
        match poll(&mut sockets, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(broken("waiting for questions")(errno.into())),
        }
        attend_udp(udp, zones);
        attend_tcp(tcp, zones);
    }
}

/// Answers what waits on a socket that does not block.
pub(crate) fn attend_udp(socket: &UdpSocket, zones: &Zones) {
    let mut packet = [0u8; QUESTION_OCTETS];
    for _ in 0..ROUND {
        let Ok((size, from)) = socket.recv_from(&mut packet) else {
            return;
        };
        let question = packet.get(..size).unwrap_or_default();
        if let Some(reply) = answer(question, zones, true) {
            // An answer that cannot be sent is asked for again.
            let _ = socket.send_to(&reply, from);
        }
    }
}

pub(crate) fn attend_tcp(listener: &TcpListener, zones: &Zones) {
    for _ in 0..ROUND {
        match listener.accept() {
            Ok((connection, _)) => {
                // A connection that breaks is its asker's loss.
                let _ = converse(connection, zones);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn converse(mut connection: TcpStream, zones: &Zones) -> std::io::Result<()> {
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    for _ in 0..CONNECTION_QUESTIONS {
        let mut size = [0u8; 2];
        connection.read_exact(&mut size)?;
        let mut question = vec![0u8; usize::from(u16::from_be_bytes(size)).min(QUESTION_OCTETS)];
        connection.read_exact(&mut question)?;
        let Some(reply) = answer(&question, zones, false) else {
            return Ok(());
        };
        let size = u16::try_from(reply.len()).unwrap_or(u16::MAX);
        let mut framed = size.to_be_bytes().to_vec();
        framed.extend_from_slice(&reply);
        connection.write_all(&framed)?;
    }
    Ok(())
}
