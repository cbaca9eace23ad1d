//! TLS with the key elsewhere: `edge` and `access` ask, `signer` signs whole messages.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub enum ToSigner {
    /// The chain for a server name (or for clients that send none).
    Chain { server_name: Option<String> },
    /// Sign what TLS wants signed; `scheme` as in RFC 8446 §4.2.3.
    Sign { server_name: Option<String>, scheme: u16, message: Vec<u8> },
    /// From `admin`: the certificate of the demo's own authority, PEM.
    Authority,
}

#[derive(Serialize, Deserialize)]
pub enum FromSigner {
    /// DER certificates, leaf first, and the schemes that the key can do.
    Chain {
        certificates: Vec<Vec<u8>>,
        schemes: Vec<u16>,
    },
    Signature(Vec<u8>),
    Authority(String),
    Refused,
}
