//! One resource: its host's addresses, a connection that proves to be the host's, a request, and
//! what came.

use crate::Fault;
use crate::desk::Desk;
use crate::request::{Request, request};
use crate::response::{Reader, Response};
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tls::{Line, client_config};
use wire::fetch::{Answer, Ask, BUSY, UNPROVEN};
use wire::names::{Outcome, Record, RecordKind};

/// Addresses of one host that are tried.
const ADDRESSES: usize = 4;
/// For one address to answer, so that another has its chance.
const CONNECT: Duration = Duration::from_secs(3);
/// For a host that is connected to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(4);
/// Read at once.
const READ_BYTES: usize = 16 * 1024;

/// Brings it, or says why not. A fault is the end of this process.
pub(crate) fn bring(ask: &Ask, desk: &mut Desk, until: Instant) -> Result<Answer, Fault> {
    let Some(request) = request(ask) else {
        return Ok(Answer::Failed("there can be no such resource".to_owned()));
    };
    let port = desk.relay.https_port;
    let place = Place { port, at: None, from: None, is_anybodys: true };
    Ok(match reach(&request.host, place, desk, until)? {
        Ok(reached) => exchange(reached, &request, desk, until),
        Err(why) => Answer::Failed(why),
    })
}

/// Where a host is asked: at its port, at this address if the DNS is not to be asked, from that one
/// of ours if it matters.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub port: u16,
    pub at: Option<SocketAddr>,
    pub from: Option<IpAddr>,
    /// No operator or tenant named it: nobody waits for it twice in a minute while it is mute.
    pub is_anybodys: bool,
}

/// A connection to a host: where it is said to be, or to the first of its addresses that answers.
/// Once one has answered, its word counts: another address is the same host.
pub(crate) fn reach(
    host: &str,
    Place { port, at, from, is_anybodys }: Place,
    desk: &mut Desk,
    until: Instant,
) -> Result<Result<(Line, SocketAddr), String>, Fault> {
    let addresses = match at {
        Some(at) => vec![at],
        None => {
            let addresses = addresses_of(host, desk, until)?.into_iter();
            addresses.map(|address| SocketAddr::new(address, port)).collect()
        }
    };
    let mut why = format!("{host} has no address");
    for address in addresses {
        if is_anybodys && desk.mute.is(address.ip(), Instant::now()) {
            why = BUSY.to_owned();
            continue;
        }
        let socket = match desk.dial((address, from), until)? {
            Ok(socket) => socket,
            Err(refused) => {
                why = refused;
                continue;
            }
        };
        let patience = (Instant::now() + CONNECT).min(until);
        let connected = Line::connected_meanwhile(socket, patience, &mut desk.meanwhile());
        match connected {
            Ok(line) => return Ok(Ok((line, address))),
            Err(fault) => {
                if fault.kind() == ErrorKind::TimedOut {
                    desk.mute.note(address.ip(), Instant::now());
                }
                why = fault.to_string();
            }
        }
    }
    Ok(Err(why))
}

/// Both families, version 6 first, in turns.
fn addresses_of(host: &str, desk: &mut Desk, until: Instant) -> Result<Vec<IpAddr>, Fault> {
    let mut families = [Vec::new(), Vec::new()];
    for (family, kind) in families.iter_mut().zip([RecordKind::Aaaa, RecordKind::A]) {
        if let Outcome::Records(records) = desk.resolve(host, kind, until)? {
            family.extend(records.iter().filter_map(|record| match record {
                Record::A(four) => Some(IpAddr::V4(*four)),
                Record::Aaaa(six) => Some(IpAddr::V6(*six)),
                _ => None,
            }));
        }
    }
    let [six, four] = families;
    let mut addresses = Vec::new();
    for place in 0..six.len().max(four.len()) {
        addresses.extend(six.get(place).into_iter().chain(four.get(place)));
    }
    addresses.truncate(ADDRESSES);
    Ok(addresses)
}

pub(crate) fn exchange(
    reached: (Line, SocketAddr),
    request: &Request,
    desk: &mut Desk,
    until: Instant,
) -> Answer {
    match speak(reached, request, desk, until) {
        Ok(Response { status, content_type, body }) => Answer::Got { status, content_type, body },
        Err(fault) => Answer::Failed(fault.to_string()),
    }
}

fn speak(
    (mut line, address): (Line, SocketAddr),
    request: &Request,
    desk: &mut Desk,
    until: Instant,
) -> io::Result<Response> {
    let no_authority = || io::Error::other("no authority is known that could prove a certificate");
    let verifier = desk.authorities().verifier().ok_or_else(no_authority)?;
    let config = client_config(verifier, &[b"http/1.1"]).map_err(io::Error::other)?;
    let name = ServerName::try_from(request.host.clone()).map_err(io::Error::other)?;
    let hello = (Instant::now() + HANDSHAKE).min(until);
    let secured = line.secure_meanwhile(config, name, hello, &mut desk.meanwhile());
    if let Err(fault) = secured {
        if fault.kind() == ErrorKind::TimedOut {
            desk.mute.note(address.ip(), Instant::now());
        }
        return Err(unproven(fault));
    }
    line.write(&request.octets, until)?;
    let mut reader = Reader::new(request.limit);
    let mut buffer = [0; READ_BYTES];
    loop {
        let is_whole = match desk.read(&mut line, &mut buffer, until) {
            // TLS said that it is the end: nobody has cut it.
            Ok(0) => reader.end().map(|()| true),
            Ok(count) => reader.feed(buffer.get(..count).unwrap_or_default()),
            Err(fault) => return Err(fault),
        };
        if is_whole.map_err(|malformed| io::Error::new(ErrorKind::InvalidData, malformed))? {
            break;
        }
    }
    line.close();
    reader.finish().map_err(|malformed| io::Error::new(ErrorKind::InvalidData, malformed))
}

/// Whoever asks may tell a host that shows a wrong certificate from one that is away.
fn unproven(fault: io::Error) -> io::Error {
    let inner = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            io::Error::other(format!("{UNPROVEN}: {fault}"))
        }
        _ => fault,
    }
}
