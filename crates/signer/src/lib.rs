//! The signer holds the TLS keys and those that sign mail: it signs handshakes for the names of
//! whoever asks, and mail for the tenant whose domain it is. When a contract ends, the directory
//! has the keys of its domains destroyed here.
//!
//! # Holds          TLS keys and certificates, and the DKIM keys of our domains, sealed on disk
//! #                under its storage key
//! # May ask        vault (its storage key, once per start), ledger
//! # Network        none
//! # If taken over  connections can be impersonated, and mail be signed in our domains' names; no
//! #                key that opens mail, no mail
//! # Never          signs a bare digest, or anything that is neither a handshake nor a mail's
//! #                header; gives a key away; signs for a name that is another compartment's, or
//! #                for a domain that is another tenant's

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod signer;

mod ends;
mod handshake;
mod installed;
mod mail;
mod public;
mod renewal;

mod house_names;
mod mail_keys;
mod mail_shape;

mod ages;
mod before;
mod certificate;

mod store;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

use compartment::House;
use evidence::Author;
use signer::Signer;
use std::process::ExitCode;
use store::Store;
use terms::Kind;
use wire::Hub;
use zeroize::Zeroizing;

/// What stops a signer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the signer was started without a folder")]
    NoFolder,
    #[error("could not {doing} the file {name} of the signer")]
    File {
        doing: &'static str,
        name: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the file {name} does not open with the storage key: expected what was sealed with it")]
    Sealed { name: &'static str },
    #[error("could not make a certificate")]
    Certificate(#[source] rcgen::Error),
    #[error("could not make or read a key")]
    Key,
    #[error("could not use a channel")]
    Channel(#[source] wire::Fault),
    #[error("could not settle behind the walls")]
    House(#[source] compartment::Fault),
}

pub fn run(house: House) -> ExitCode {
    match live(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let words = compartment::in_full(&fault);
            compartment::tell(format_args!("sekisho signer: {words}"));
            ExitCode::from(3)
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let store = Store::open(folder.as_ref())?;
    house.jail().map_err(Fault::House)?;
    let seed = Zeroizing::new(compartment::random::<32>());
    let author = Author::new(Kind::Signer, house.start.instance, &seed);
    house.ready(Some(author.public_key().0), None).map_err(Fault::House)?;
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (control, start) = house.seat_control(&mut hub).map_err(Fault::House)?;
    Signer::new(hub, control, store, author, start).serve()
}
