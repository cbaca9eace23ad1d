//! A hostile pages: takes the connection that it is handed, guesses tokens, and asks those whom it
//! reaches for what is not public.

use crate::channels::{ask, forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{ConnectionId, Kind};
use tls::SignerLink;
use wire::gate::{FromGate, ToGate};
use wire::pages::{FromPages, ToPages};
use wire::signer::{FromSigner, ToSigner};

const PULSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(5);
/// Tokens guessed.
const GUESSES: u32 = 200;
/// A policy that lets mail go to whoever claims to be the destination.
const LIE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 72\r\n\
    Connection: close\r\n\r\nversion: STSv1\r\nmode: none\r\nmx: mx.attacker.example\r\n\
    max_age: 31557600\r\n";

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    for (kind, asset) in [
        (Kind::Vault, Asset::StoredBodies),
        (Kind::Mailbox, Asset::StoredHeaders),
        (Kind::Identity, Asset::AccountSecrets),
        (Kind::Post, Asset::MailInFlight),
        (Kind::Ledger, Asset::Evidence),
    ] {
        let none = intruder.channel(kind, PULSE).is_none();
        word(intruder, asset, &format!("a channel to {}", kind.word()), none, "none");
    }
    guess_tokens(intruder);
    ask_the_directory(intruder, facts);
    ask_the_signer(intruder, facts);
}

/// Whoever has a token leaves a list, or sends what is held: nobody else's may be guessed.
fn guess_tokens(intruder: &mut Intruder) {
    let (mut done, mut heard) = (0, 0);
    for guess in 0..GUESSES {
        let token = match guess {
            0 => Vec::new(),
            1 => vec![0; wire::pages::TOKEN_BYTES],
            2 => vec![0xff; 4 * wire::pages::TOKEN_BYTES],
            guess => guess.to_be_bytes().repeat(8),
        };
        let question = FromPages::Unsubscribe { token: token.clone() };
        let (_, answer) = ask(intruder, Kind::Directory, &question, "guessed tokens");
        done += u32::from(matches!(postcard::from_bytes(&answer), Ok(ToPages::Done)));
        let question = FromPages::Held { token, is_theirs: guess % 2 == 0 };
        let (_, answer) = ask(intruder, Kind::Directory, &question, "guessed tokens");
        let is_heard = matches!(
            postcard::from_bytes(&answer),
            Ok(ToPages::Done | ToPages::Discarded { .. } | ToPages::TooLate { .. })
        );
        heard += u32::from(is_heard);
    }
    let act = format!("guess {GUESSES} tokens of lists");
    word(intruder, Asset::OtherTenants, &act, done == 0, &format!("{done} fit"));
    let act = format!("guess {GUESSES} tokens of held mail");
    word(intruder, Asset::MailInFlight, &act, heard == 0, &format!("{heard} fit"));
}

fn ask_the_directory(intruder: &mut Intruder, facts: &Facts) {
    let (asset, peer) = (Asset::OtherTenants, Kind::Directory);
    let users = wire::directory::FromAdmin::UserList { tenant: None };
    forbidden(intruder, asset, peer, &users, "list every address");
    let domains = wire::directory::FromAdmin::DomainList { tenant: None };
    forbidden(intruder, asset, peer, &domains, "list every domain");
    let address = wire::directory::FromEdge::Address(format!("alice@{}", facts.domain));
    forbidden(intruder, asset, peer, &address, "ask for an address as an edge would");
}

/// Handshakes in other names, digests, and what is the mail servers' or a tenant's.
fn ask_the_signer(intruder: &mut Intruder, facts: &Facts) {
    let (asset, peer) = (Asset::AccountSecrets, Kind::Signer);
    let digest =
        ToSigner::Sign { server_name: None, scheme: 0x0403, message: vec![7; 32], key: [0; 16] };
    forbidden(intruder, asset, peer, &digest, "have a bare digest signed");
    let own = intruder.house.start.host_name.clone();
    for name in [own.as_str(), "login.localhost", "console.localhost"] {
        let question = ToSigner::Chain { server_name: Some(name.to_owned()) };
        let act = format!("have the certificate of {name}");
        let (_, answer) = ask(intruder, peer, &question, &act);
        // Its own default is what any stranger's name gets.
        let is_held = match postcard::from_bytes(&answer) {
            Ok(FromSigner::Chain { certificates, .. }) => {
                let names =
                    |octets: &Vec<u8>| octets.windows(name.len()).any(|w| w == name.as_bytes());
                !certificates.first().is_some_and(names)
            }
            _ => true,
        };
        word(intruder, asset, &act, is_held, "another one, or none");
    }
    let keys = ToSigner::MailKeys { domain: facts.domain.clone() };
    forbidden(intruder, asset, peer, &keys, "learn which keys sign the domain's mail");
    let install = ToSigner::Install { chain: Vec::new(), pkcs8: Vec::new() };
    forbidden(intruder, asset, peer, &install, "take a certificate out of service");
    let secret = wire::vault::FromSigner::StorageKey;
    forbidden(intruder, asset, peer, &secret, "ask for the storage key");
}

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    if intruder.channel(Kind::Gate, JOIN_LIMIT).is_none() {
        return;
    }
    while Instant::now() < until && !intruder.is_called() {
        let Some(gate) = intruder.channel(Kind::Gate, Duration::ZERO) else { return };
        match gate.wait(PULSE) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let Ok(mut frame) = gate.receive(Some(PULSE)) else { return };
        if let (Ok(FromGate::Handed { connection, .. }), Some(socket)) =
            (frame.read(), frame.descriptors.pop())
        {
            converse(intruder, socket, connection);
            return;
        }
    }
}

/// A request as the client believes it to be: TLS, and an answer that is a lie.
fn converse(intruder: &mut Intruder, socket: OwnedFd, connection: ConnectionId) {
    let Some(signer) = intruder.take_channel(Kind::Signer, JOIN_LIMIT) else { return };
    let Ok(config) = tls::server_config(&SignerLink::new(signer), &[b"http/1.1"]) else { return };
    let Ok(tls) = rustls::ServerConnection::new(config) else { return };
    let stream = TcpStream::from(socket);
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(LIMIT));
    let mut line = rustls::StreamOwned::new(tls, stream);
    let mut asked = vec![0; 16 * 1024];
    let count = line.read(&mut asked).unwrap_or(0);
    asked.truncate(count);
    intruder.obtained("what a visitor asked", asked);
    let _ = line.write_all(LIE);
    line.conn.send_close_notify();
    let _ = line.flush();
    if let Some(gate) = intruder.channel(Kind::Gate, Duration::ZERO) {
        let _ = gate.send(0, &ToGate::Done { connection, last: true }, &[]);
    }
}
