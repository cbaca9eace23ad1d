//! IMAP4rev1 as a format: octets of a client become commands, values become response octets.
//!
//! Nothing here knows a socket, a clock or a mailbox. `Reader` takes octets in any pieces and says
//! what to do next; `Writer` appends responses to a `Vec<u8>`. Standards: RFC 3501, with RFC 2087
//! (QUOTA), 2177 (IDLE), 2342 (NAMESPACE), 2971 (ID), 3691 (UNSELECT), 4315 (UIDPLUS), 4731
//! (ESEARCH), 4959 (SASL-IR), 5161 (ENABLE), 5258 and 5819 (LIST extended and STATUS), 6154
//! (SPECIAL-USE), 6851 (MOVE), 7162 (CONDSTORE), 7888 (LITERAL+).
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod limit;

// reading: octets → lines and literals → words → commands
mod announce;
mod command;
mod date;
mod fetch;
mod flags;
mod list;
mod places;
mod reader;
mod sasl;
mod search;
mod sequence;
mod store;
mod utf7;
mod verb;
mod words;

// writing
mod value;
mod writer;

pub use command::{Append, Command, Folder, Secret, StatusItem, Verb};
pub use date::{Day, Moment};
pub use fetch::{Fetch, Item, Section, SectionText};
pub use flags::{FlagSet, Flags};
pub use limit::*;
pub use list::{List, matches};
pub use reader::{Reader, Step};
pub use sasl::{Plain, plain};
pub use search::{Key, Results, Search};
pub use sequence::{SequenceSet, write_numbers};
pub use store::{Store, StoreAct};
pub use utf7::{decode_utf7, encode_utf7};
pub use value::is_one_list;
pub use words::inbox_in_capitals;
pub use writer::{Code, Condition, FetchLine, Found, Writer, section_label, section_spec};

#[cfg(test)]
mod tests;
