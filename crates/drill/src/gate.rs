//! A hostile gate: answers connections itself, and writes what is not so.

use crate::channels::{forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use crate::{ledgers, session};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Service;

const PULSE: Duration = Duration::from_millis(20);

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    ledgers::write_for_others(intruder);
    let uids = vec![1, 2, 3];
    let folder = terms::FolderId([0, 0, 0, 1]);
    let class = wire::vault::Class::Body;
    let fetch = wire::mailbox::FromAccess::Fetch { folder, uids, class };
    forbidden(intruder, Asset::StoredBodies, Kind::Edge, &fetch, "have an edge fetch bodies");
    let sign_in = wire::identity::FromAccess::SignIn {
        protocol: wire::identity::Protocol::Imap,
        name: facts.other.clone(),
        secret: "sk-i0000000000000000".to_owned(),
        session: Vec::new(),
    };
    let act = "have an access sign somebody in";
    forbidden(intruder, Asset::AccountSecrets, Kind::Access, &sign_in, act);
    for (kind, asset) in [
        (Kind::Vault, Asset::AccountSecrets),
        (Kind::Mailbox, Asset::StoredHeaders),
        (Kind::Directory, Asset::OtherTenants),
    ] {
        let none = intruder.channel(kind, Duration::ZERO).is_none();
        word(intruder, asset, &format!("a channel to {}", kind.word()), none, "none");
    }
}

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    let listeners = listeners(intruder);
    while Instant::now() < until && !intruder.is_called() {
        std::thread::sleep(PULSE);
        for (service, listener) in &listeners {
            let Ok((stream, _)) = listener.accept() else { continue };
            let (taken, came) = match service {
                Service::Smtp => session::smtp(stream.into()),
                _ => (first_octets(stream), false),
            };
            intruder.obtained("what was sent before TLS", taken);
            if came {
                intruder.tell(&Told::PassedUnkept);
            }
        }
    }
}

fn listeners(intruder: &mut Intruder) -> Vec<(Service, TcpListener)> {
    let until = Instant::now() + JOIN_LIMIT;
    while Instant::now() < until && intruder.listeners.len() < 3 {
        intruder.gather();
        std::thread::sleep(PULSE);
    }
    let listen = |(service, fd): (Service, OwnedFd)| {
        let listener = TcpListener::from(fd);
        let _ = listener.set_nonblocking(true);
        (service, listener)
    };
    std::mem::take(&mut intruder.listeners).into_iter().map(listen).collect()
}

fn first_octets(stream: std::net::TcpStream) -> Vec<u8> {
    use std::io::Read;
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let mut octets = vec![0; 16 * 1024];
    let mut stream = stream;
    let count = stream.read(&mut octets).unwrap_or(0);
    octets.truncate(count);
    octets
}
