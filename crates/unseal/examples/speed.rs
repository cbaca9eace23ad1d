//! How long sealing, wrapping and opening take on this machine, in microseconds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;
use terms::{GrantId, MessageId, TenantId, UserId};
use unseal::{Class, GrantContext, RootKey, Suite, WrapContext, agree};

fn time(what: &str, rounds: u32, mut work: impl FnMut()) {
    work();
    let start = Instant::now();
    (0..rounds).for_each(|_| work());
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    println!("{what:40} {micros:10.1} µs");
}

fn main() {
    let (tenant, user, message) = (TenantId([1; 8]), UserId([2; 8]), MessageId([3; 16]));
    let context = WrapContext { tenant, user, message, class: Class::Body };
    let place = seal::Place { tenant, message, class: Class::Body };
    let root = RootKey::from_credential(&[5; 32]).unwrap();
    let user_key = root.make_tenant(tenant, 1).unwrap().0.make_user(user).unwrap().0;
    for suite in [Suite::P256, Suite::X25519] {
        let (public, stored) = user_key.make_pair(Class::Body, suite, 1).unwrap();
        let pair = user_key.open_pair(Class::Body, &public, &stored).unwrap();
        let (_, key) = seal::seal_content(&place, b"x").unwrap();
        let wrapped = seal::wrap(&public, &key, &context).unwrap();
        time(&format!("{suite:?} wrap (sealer)"), 500, || {
            seal::wrap(&public, &key, &context).unwrap();
        });
        time(&format!("{suite:?} open (vault)"), 500, || {
            pair.open(&wrapped, &context).unwrap();
        });
        time(&format!("{suite:?} make pair (vault)"), 200, || {
            user_key.make_pair(Class::Body, suite, 1).unwrap();
        });
        time(&format!("{suite:?} open stored pair (vault)"), 500, || {
            user_key.open_pair(Class::Body, &public, &stored).unwrap();
        });
        let grant = GrantContext { grant: GrantId([4; 16]), tenant, user };
        let (session_public, session) = open::Session::new(suite).unwrap();
        time(&format!("{suite:?} session pair (session)"), 500, || {
            open::Session::new(suite).unwrap();
        });
        time(&format!("{suite:?} agree grant (vault)"), 200, || {
            agree(&session_public, &grant).unwrap();
        });
        let (enc, agreed) = agree(&session_public, &grant).unwrap();
        time(&format!("{suite:?} accept grant (session)"), 500, || {
            session.accept(&grant, &enc).unwrap();
        });
        let accepted = session.accept(&grant, &enc).unwrap();
        time("release one key (vault)", 5_000, || {
            agreed.release(&context, &key).unwrap();
        });
        let released = agreed.release(&context, &key).unwrap();
        time("take one released key (session)", 5_000, || {
            accepted.unwrap(&released, &context).unwrap();
        });
    }
    for (name, size) in [("4 KiB", 4 << 10), ("40 KiB", 40 << 10), ("1 MiB", 1 << 20)] {
        let plain = vec![7u8; size];
        let (sealed, key) = seal::seal_content(&place, &plain).unwrap();
        time(&format!("seal {name}"), 200, || {
            seal::seal_content(&place, &plain).unwrap();
        });
        time(&format!("open {name}"), 200, || {
            open::open_content(&key, &place, &sealed).unwrap();
        });
    }
}
