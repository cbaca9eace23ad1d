//! A hostile signer: says that it has keys for every domain, and keeps the headers that come to be
//! signed.

use crate::intruder::Intruder;
use std::time::{Duration, Instant};
use wire::signer::{FromSigner, MailKey, ToSigner};

const PULSE: Duration = Duration::from_millis(10);

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard = Vec::new();
        for (_, channel) in &intruder.held {
            while let Ok(Some(frame)) = channel.take() {
                if let Ok(ToSigner::MailKeys { .. }) = frame.read() {
                    let (selector, algorithm) = ("sk1e".to_owned(), "ed25519-sha256".to_owned());
                    let keys = FromSigner::MailKeys(vec![MailKey { selector, algorithm }]);
                    let _ = channel.send(frame.call, &keys, &[]);
                }
                heard.push(frame.payload);
            }
        }
        heard.into_iter().for_each(|payload| intruder.obtained("what it was asked", payload));
        std::thread::sleep(PULSE);
    }
}
