//! Seals that hang on a machine's own hardware.

use crate::{Fault, Root, RootSeal};

/// A TPM 2.0. Ours would seal to its storage key and the state of the start; no library for it in
/// Rust is free of C, and none was tried on hardware, so it says that it is not here. Until then
/// `systemd-creds encrypt --with-key=tpm2` seals the credential to the same chip.
pub struct Tpm;

const NO_TPM: Fault = Fault::NotHere {
    what: "a TPM that sekisho speaks to itself; seal the credential by `systemd-creds encrypt \
           --with-key=tpm2` and give it by LoadCredentialEncrypted=",
};

impl RootSeal for Tpm {
    fn word(&self) -> &'static str {
        "tpm"
    }

    fn seal(&self, _root: &Root) -> Result<Vec<String>, Fault> {
        Err(NO_TPM)
    }

    fn open(&self, _kept: &[String]) -> Result<Root, Fault> {
        Err(NO_TPM)
    }
}
