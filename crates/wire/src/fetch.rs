//! Questions to `fetch`: one outside HTTPS resource each.

use serde::{Deserialize, Serialize};

/// From `depart`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// `https://host/path`; the certificate must be the host's. At most `limit` octets.
    Get {
        host: String,
        path: String,
        limit: u32,
    },
    Post {
        host: String,
        path: String,
        content_type: String,
        body: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The status, the media type and what came.
    Got { status: u16, content_type: String, body: Vec<u8> },
    /// No address, no connection, no valid certificate, too long, …
    Failed(String),
}

/// [`Answer::Failed`] with these words says nothing of the resource: too many asked at once.
pub const BUSY: &str = "too many ask at once";
