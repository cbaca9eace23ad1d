//! Where a letter goes and how safe its way must be: MX in order (RFC 5321 §5.1, 7505), MTA-STS
//! (8461), DANE (7672), and the report about all of it (8460).
//!
//! Pure: records and policies in, a plan out. **Never** resolves a name, fetches or connects;
//! **never** makes a way less safe than its destination asks.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod mx;

mod dane;
mod der;
mod sts;

mod lenient;
mod report;

pub use dane::{Tlsa, Usable, matches, usable};
pub use der::public_key_info;
pub use mx::{Host, Hosts, Mx, hosts};
pub use report::{
    DateRange, Failure, Policy, PolicyKind, PolicyOutcome, REPORT_BYTES, Report, ReportAddress,
    Summary, report_addresses, report_resource,
};
pub use sts::{Mode, Sts, parse as parse_sts, policy_id};

#[cfg(test)]
mod tests;
