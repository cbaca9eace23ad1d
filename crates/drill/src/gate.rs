//! A hostile gate: answers connections itself, and writes what is not so.

use crate::channels::{forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use crate::session;
use evidence::{Author, Body, Word};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Order, Service};
use wire::ledger::{FromLedger, ToLedger};

const PULSE: Duration = Duration::from_millis(20);

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    // Somebody else's name under our own signature, and our own name under a stranger's.
    let own = intruder.house.start.instance;
    let seed = compartment::random();
    forge(intruder, Author::new(Kind::Vault, InstanceId([7; 6]), &seed), "write as the vault");
    forge(intruder, Author::new(Kind::Warden, own, &seed), "write as the warden");
    forge(intruder, Author::new(Kind::Gate, own, &seed), "write with a stranger's key");
    let releases = ToLedger::Releases { since_ms: 0, from_index: 0 };
    forbidden(intruder, Asset::Evidence, Kind::Ledger, &releases, "read every release");
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

/// An entry in another's name. The ledger's answer decides; the log itself is read afterwards.
fn forge(intruder: &mut Intruder, mut author: Author, act: &str) {
    let what = Body::Alarm {
        instance: author.start(),
        kind: Kind::Vault,
        pid: 1,
        call: Word::new("forged"),
        what: Word::new("forged-by-a-drill"),
    };
    let entries = author.sign(compartment::now_ms(), what).into_iter().collect();
    let append = ToLedger::Append { entries, prove: false };
    let (taken, answer) = crate::channels::ask(intruder, Kind::Ledger, &append, act);
    let accepted = matches!(
        postcard::from_bytes::<FromLedger>(&answer),
        Ok(FromLedger::Taken { .. } | FromLedger::Proved { .. })
    );
    word(intruder, Asset::Evidence, act, !accepted, &format!("{taken:?}"));
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
    let mut found: Vec<(Service, OwnedFd)> = Vec::new();
    let until = Instant::now() + JOIN_LIMIT;
    let mut later = Vec::new();
    while Instant::now() < until && found.len() < 3 {
        match intruder.house.next_order() {
            Ok(Some((Order::Listen(service), mut fds))) => {
                found.extend(fds.pop().map(|fd| (service, fd)));
            }
            Ok(Some((Order::Join(label), mut fds))) => {
                later.extend(fds.pop().map(|fd| (label.kind, fd.into())));
            }
            Ok(Some(_)) => {}
            _ => std::thread::sleep(PULSE),
        }
    }
    intruder.held.extend(later);
    let listen = |(service, fd): (Service, OwnedFd)| {
        let listener = TcpListener::from(fd);
        let _ = listener.set_nonblocking(true);
        (service, listener)
    };
    found.into_iter().map(listen).collect()
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
