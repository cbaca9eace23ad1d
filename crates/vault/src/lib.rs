//! The vault holds every private mail key and releases them against proof, and never otherwise.
//!
//! # Holds          all private keys, wrapped on disk, the root in memory; the secrets' HMAC key;
//! #                tenants' sign-ins to smart hosts, sealed
//! # May ask        ledger
//! # Network        none
//! # If taken over  everything in the default tier: this is the wall that must stand
//! # Never          releases a key of mail without a recorded, mirrored entry; writes a key in
//! #                clear; opens for a carrier what it was not handed; reads the credential's
//! #                shared offset; keeps a budget that a restart refills

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod vault;

mod access;

mod depart;

mod credentials;

mod identity;

mod directory;

mod acts;

mod record;

mod grants;

mod hands;

mod budget;

mod keys;

mod transit;

mod life;

mod rows;

mod journal;

mod sums;

mod workers;

mod sighted;
mod stood;
mod tip;

mod offline;
mod older;
mod owned;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

pub use offline::{
    Destroyed, Shred, Told, apply_shreds, look, made_of, missing, note_epoch_key, opens, reseal,
};
pub use rows::{BackupKey, epoch_print};
pub use unseal::Suite;

use compartment::House;
use evidence::Author;
use sighted::{SIGHTED, Sighted};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use terms::{InstanceId, Kind};
use unseal::RootKey;
use vault::Vault;
use wire::{Channel, Hub, Label};
use zeroize::Zeroizing;

pub use budget::{Budget, Weighed};
pub use owned::Owned;

/// What stops a vault.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the vault was started without {what}")]
    Start { what: &'static str },
    #[error("could not {doing} the key store")]
    Store {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the key store holds a record that is none of ours at octet {at}")]
    Torn { at: u64 },
    #[error(
        "`vault/{file}` is damaged: expected a record with its sum at octet {at}, found another; \
         put back a backup: sekisho restore --data NEW --from DATA --keys-from KEYS"
    )]
    Damaged { file: String, at: u64 },
    #[error(
        "somebody without the root changed `vault/{file}`: expected the vault's sum at octet {at}, \
         found another; put back a backup: sekisho restore --data NEW --from DATA --keys-from KEYS"
    )]
    Forged { file: String, at: u64 },
    #[error("could not open a key: is this the unseal credential that the data was made with?")]
    Key(#[source] unseal::Fault),
    #[error("could not use a channel")]
    Channel(#[source] wire::Fault),
    #[error("could not settle behind the walls")]
    House(#[source] compartment::Fault),
}

/// A credential is a key or a passphrase's stretch: never longer than this.
const CREDENTIAL_BYTES: usize = 4_096;

pub fn run(house: House) -> ExitCode {
    match live(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let words = compartment::in_full(&fault);
            compartment::tell(format_args!("sekisho vault: {words}"));
            match &fault {
                Fault::Store { source, .. } if compartment::is_full_by_kernel(source) => {
                    compartment::failure(true)
                }
                _ => ExitCode::from(3),
            }
        }
    }
}

fn live(mut house: House) -> Result<(), Fault> {
    let root = unseal_root(&mut house)?;
    let folder = house.start.folder.clone().ok_or(Fault::Start { what: "a folder" })?;
    let folder = Path::new(&folder);
    let mut keys = keys::Keys::open(folder, root, compartment::now_ms())?;
    let stood = keys.open_stood(folder)?;
    let trust = match (house.start.ledger_key, house.start.mirror_key) {
        (Some(ledger), Some(mirror)) => tlog::Trust::new(&ledger, &mirror),
        _ => None,
    };
    house.jail().map_err(Fault::House)?;
    let author = keys.author(house.start.instance)?;
    let public = keys.statement.public();
    house.ready(Some(author.public_key().0), Some(public)).map_err(Fault::House)?;
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (control, start) = house.seat_control(&mut hub).map_err(Fault::House)?;
    let clocks = vault::Clocks::of_this_machine();
    let sighted = Sighted::new(folder.join(SIGHTED));
    let evidence = (author, trust, sighted);
    Vault::new(hub, control, keys, stood, evidence, (folder.to_owned(), clocks, start.demo))?
        .serve()
}

/// Serves without walls, in this very process, with pairs of the suite: for measurements.
/// `author` is what the ledger was told to believe.
///
/// # Errors
/// What ends the process otherwise.
pub fn serve_unjailed(
    control: Channel,
    folder: &Path,
    credential: &[u8],
    (author, trust): (Author, tlog::Trust),
    suite: unseal::Suite,
) -> Result<(), Fault> {
    let root = RootKey::from_credential(credential).map_err(Fault::Key)?;
    let mut keys = keys::Keys::open(folder, root, compartment::now_ms())?;
    keys.suite = suite;
    let stood = keys.open_stood(folder)?;
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
    let control = hub.seat(control, label).map_err(Fault::Channel)?;
    let clocks = vault::Clocks::of_this_machine();
    let sighted = Sighted::new(folder.join(SIGHTED));
    let evidence = (author, Some(trust), sighted);
    Vault::new(hub, control, keys, stood, evidence, (folder.to_owned(), clocks, false))?.serve()
}

/// Reads the credential once, by position: its offset is shared with every other vault's.
fn unseal_root(house: &mut House) -> Result<RootKey, Fault> {
    let missing = Fault::Start { what: "an unseal credential" };
    if !house.start.has_credential || house.descriptors.is_empty() {
        return Err(missing);
    }
    let file = File::from(house.descriptors.remove(0));
    let mut credential = Zeroizing::new(vec![0u8; CREDENTIAL_BYTES]);
    let mut length = 0;
    while let Some(rest) = credential.get_mut(length..).filter(|rest| !rest.is_empty()) {
        let count = file.read_at(rest, length as u64);
        match count.map_err(|source| Fault::Store { doing: "read the credential of", source })? {
            0 => break,
            count => length += count,
        }
    }
    RootKey::from_credential(credential.get(..length).unwrap_or_default()).map_err(Fault::Key)
}
