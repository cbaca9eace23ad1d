//! The words of the trade, as types: ids, verdicts, findings, and the one cursor that may index.
//!
//! Everything above this crate speaks in these words; nothing here knows a socket, a clock or a
//! key.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod cursor;
mod date;
mod finding;
mod fold;
mod id;
mod kind;
mod letters;
mod limit;
mod name;
pub mod plain;
mod punycode;
mod scripts;
mod shapes;

pub use cursor::Cursor;
pub use date::{LocalTime, Received};
pub use finding::{Finding, Verdict};
pub use fold::{composed, folded_local, folded_text, plain_local};
pub use id::{
    ConnectionId, FolderId, GrantId, HoldId, InstanceId, MessageId, RequestId, TenantId, UserId,
};
pub use kind::Kind;
pub use limit::{
    COMMANDS_PER_SESSION, DOOR_BYTES, ERRORS_PER_SESSION, HEADER_BYTES, HEADER_FIELDS, HOPS,
    IN_FLIGHT_BYTES, MESSAGE_BYTES, RECIPIENTS, SMTP_COMMAND_BYTES, SMTP_TEXT_LINE_BYTES,
};
pub use name::{
    FULL_STOPS, dns_name, is_joined_mark, is_mark, is_unseen, mapped_name, plain_letters,
    push_plain,
};
pub use punycode::{ascii_name, is_right_label, letters_name};
pub use scripts::{Odd, odd_letter};
