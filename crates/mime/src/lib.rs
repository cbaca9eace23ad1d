//! Mail as octets, taken apart: parts with exact byte ranges, header values, charsets, addresses,
//! dates, the summary that a mailbox shows, and what is suspicious in it.
//!
//! Pure: bytes in, values and findings out. Nothing here fails, opens anything or knows the time.
//!
//! Read first: `parse` (the tree), `section` (IMAP's view of it), `summarise`, `detect::examine`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod parse;
mod part;
mod section;

mod address;
mod charset;
mod date;
mod html;
mod inline;
mod iso2022jp;
mod parameter;
mod transfer;
mod word;

mod imap_text;
mod structure;
mod summary;

pub mod detect;

mod seen;

#[cfg(test)]
mod tests;

pub use address::{Address, Entry, addresses};
pub use charset::{Decoded, decode_charset};
pub use date::epoch_seconds;
pub use html::page_text;
pub use parameter::{ContentType, Disposition, content_type, disposition};
pub use parse::parse;
pub use part::{
    DEPTH, FIELD_BYTES, FIELDS_PER_PART, Field, Holds, Message, PARTS, Part, field_values, fields,
    header_of, unfold, whole_values,
};
pub use section::section;
pub use seen::{FINDINGS, Seen};
pub use summary::{Attachment, Summary, summarise, summary_of};
pub use transfer::{Encoding, decode_transfer};
pub use word::{decode_words, encode_words};
