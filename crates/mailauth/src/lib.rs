//! Who sent this, and did anybody touch it on the way? SPF (RFC 7208), DKIM (RFC 6376, 8301,
//! 8463), DMARC (RFC 9989), ARC chains (RFC 8617), written down as RFC 8601 says.
//!
//! Pure: facts and octets go in, results come out. No socket, no clock, no thread; questions to
//! the DNS go through [`Resolver`], are counted, and are never asked twice for one message.
//! Odd input is a result (`permerror`, `neutral`, …), never an error of ours.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod arc;
mod author;
mod canon;
mod check;
mod digest;
pub mod dkim;
pub mod dmarc;
mod fields;
mod forged;
mod key;
mod report;
mod resolver;
mod shown;
pub mod sign;
pub mod spf;
mod tags;
#[cfg(test)]
mod tests;

pub use arc::{Arc, ArcResult};
pub use author::{AUTHOR_DOMAINS, Authors, author_domains};
pub use check::{AuthResults, Envelope, check};
pub use dkim::{Dkim, DkimResult};
pub use dmarc::{Alignment, Dmarc, DmarcResult, Policy};
pub use fields::{header_bytes, is_overlong};
pub use forged::{fields_named, fields_such_as, forged_arc_results, forged_fields, without_forged};
pub use resolver::{Answer, Inquiry, Record, RecordKind, Resolver, is_at_or_below};
pub use sign::{Fault, Signer, SigningKey};
pub use spf::{Spf, SpfResult};
pub use terms::ascii_name;
