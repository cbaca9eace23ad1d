//! A hostile edge: takes the connection that it is handed, asks its neighbours for more.

use crate::channels::{ask, forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use crate::{guesses, session};
use std::time::{Duration, Instant};
use terms::{FolderId, Kind};
use wire::gate::{FromGate, ToGate};
use wire::vault::Class;

const PULSE: Duration = Duration::from_millis(50);

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    pose_as_a_server(intruder);
    let address = wire::directory::FromEdge::Address;
    guesses::guess(intruder, &facts.domain, Asset::OtherTenants, address, is_known);
    let (bodies, headers) = (Asset::StoredBodies, Asset::StoredHeaders);
    let list = wire::directory::FromAdmin::UserList { tenant: None };
    forbidden(intruder, Asset::OtherTenants, Kind::Directory, &list, "list every address");
    let uids = (1..=50).collect();
    let folder = FolderId([0, 0, 0, 1]);
    let fetch = wire::mailbox::FromAccess::Fetch { folder, uids, class: Class::Body };
    forbidden(intruder, bodies, Kind::Mailbox, &fetch, "fetch stored bodies as an access would");
    let rows = wire::mailbox::FromAccess::Rows { folder, since: None };
    forbidden(intruder, headers, Kind::Mailbox, &rows, "list a folder as an access would");
    let trace = wire::mailbox::FromAdmin::Trace { tokens: Vec::new(), limit: 100 };
    forbidden(intruder, headers, Kind::Mailbox, &trace, "read journeys as an admin would");
    let sign = wire::signer::ToSigner::Sign {
        server_name: None,
        scheme: 0x0403,
        message: vec![7; 32],
        key: [0; 16],
    };
    forbidden(intruder, Asset::AccountSecrets, Kind::Signer, &sign, "have a bare digest signed");
    sign_mail(intruder, facts);
    let secret = wire::vault::FromSigner::StorageKey;
    forbidden(intruder, Asset::AccountSecrets, Kind::Signer, &secret, "ask for the storage key");
    let vault = intruder.channel(Kind::Vault, Duration::ZERO).is_none();
    word(intruder, Asset::AccountSecrets, "a channel to the vault", vault, "none");
    let ledger = intruder.channel(Kind::Ledger, Duration::ZERO).is_none();
    word(intruder, Asset::Evidence, "a channel to the ledger", ledger, "none");
}

/// Address and certificate of a customer's server can be made up by who owns an edge; its secret
/// cannot, and without it no dispatch is born.
fn pose_as_a_server(intruder: &mut Intruder) {
    use wire::directory::{Admitted, FromEdge, ToEdge, Vouched};
    let act = "send in the name of a customer's server";
    let (from, has) = (std::net::Ipv4Addr::LOCALHOST.into(), None);
    let (names, secret) = (vec!["mail.example.net".to_owned()], "sko-guessed".to_owned());
    let shown = vec![Vouched { names, authorities: Vec::new() }];
    let question = FromEdge::Admit { from, shown, secret, has };
    let (_, answer) = ask(intruder, Kind::Directory, &question, act);
    let answer = postcard::from_bytes(&answer);
    let is_admitted = matches!(answer, Ok(ToEdge::Admitted(Admitted::For(_))));
    let is_joined = intruder.channel(Kind::Dispatch, PULSE).is_some();
    word(intruder, Asset::MailInFlight, act, !is_admitted && !is_joined, "refused");
}

/// Mail of the house's own domain, as a dispatch would have it signed; and keys of its own choice.
fn sign_mail(intruder: &mut Intruder, facts: &Facts) {
    let domain = || facts.domain.clone();
    let (asset, peer) = (Asset::AccountSecrets, Kind::Signer);
    let keys = wire::signer::ToSigner::MailKeys { domain: domain() };
    forbidden(intruder, asset, peer, &keys, "learn which keys sign the domain's mail");
    let canonical = format!(
        "from:ceo@{0}\r\ndkim-signature:v=1; a=rsa-sha256; c=relaxed/relaxed; d={0}; s=sk1r; \
         h=From; bh={1}=; b=",
        facts.domain,
        "A".repeat(43)
    );
    let (selector, canonical) = ("sk1r".to_owned(), canonical.into_bytes());
    let sign = wire::signer::ToSigner::SignMail { domain: domain(), selector, canonical };
    forbidden(intruder, asset, peer, &sign, "have mail signed in the domain's name");
    let rotate = wire::signer::ToSigner::RotateMailKeys { domain: domain(), retire: true };
    forbidden(intruder, asset, peer, &rotate, "have the domain's keys forgotten");
}

/// Whether an answer names somebody.
fn is_known(answer: &[u8]) -> bool {
    use wire::directory::{Stated, ToEdge};
    matches!(postcard::from_bytes(answer), Ok(ToEdge::Stated(Stated::Known { .. })))
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
        let (Ok(FromGate::Handed { connection, .. }), Some(socket)) =
            (frame.read(), frame.descriptors.pop())
        else {
            continue;
        };
        let (taken, came) = session::smtp(socket);
        if let Some(gate) = intruder.channel(Kind::Gate, Duration::ZERO) {
            let _ = gate.send(0, &ToGate::Done { connection, last: false }, &[]);
        }
        intruder.obtained("a session", taken);
        if came {
            intruder.tell(&Told::PassedUnkept);
        }
    }
}
