//! The credential as `sekisho init` writes it: the root itself, in base32. Whoever has it has all;
//! systemd can seal it to a machine (`systemd-creds encrypt`) and hands it to the service alone.

use crate::{Fault, ROOT_BYTES, Root, RootSeal};
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// The root in clear.
pub struct Plain;

impl RootSeal for Plain {
    fn word(&self) -> &'static str {
        "credential"
    }

    fn seal(&self, root: &Root) -> Result<Vec<String>, Fault> {
        Ok(vec![BASE32_NOPAD.encode(root.as_slice())])
    }

    fn open(&self, kept: &[String]) -> Result<Root, Fault> {
        let shape = || Fault::Shape { expected: "a credential as `sekisho init` wrote it" };
        let text = kept.first().ok_or_else(shape)?.trim();
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| shape())?);
        let root: [u8; ROOT_BYTES] = bytes.as_slice().try_into().map_err(|_| shape())?;
        Ok(Zeroizing::new(root))
    }
}
