//! Every bound of this format, each with its reason.

/// One command with its buffered literals. RFC 7162 §4 and RFC 2683 §3.2.1.5 recommend accepting
/// at least 8,000; clients send long sequence sets, so eight times that.
pub const COMMAND_BYTES: usize = 64 * 1024;
/// The message of one APPEND: what arrives over SMTP may also be appended.
pub const APPEND_BYTES: u64 = terms::MESSAGE_BYTES as u64;
/// A refused literal that was already under way is read and dropped up to here; beyond it we close.
pub const DROPPED_BYTES: u64 = 2 * APPEND_BYTES;
/// Octets of an accepted APPEND handed over at a time.
pub const APPEND_PIECE_BYTES: usize = 64 * 1024;
/// Commands of one session; a client that polls every second for a whole day sends 86,400.
pub const COMMANDS: u64 = 1_000_000;
/// Unreadable commands in a row before the connection ends: a client does not recover from that.
pub const BAD_IN_A_ROW: u32 = 50;
/// Octets of a tag; the longest seen in use is under 20.
pub const TAG_BYTES: usize = 64;
/// Parentheses, NOT and OR of SEARCH inside each other: no client goes beyond five.
pub const SEARCH_DEPTH: usize = 32;
/// Keys of one SEARCH: clients that look for many Message-IDs at once use a few hundred.
pub const SEARCH_KEYS: usize = 2_000;
/// Data items of one FETCH.
pub const FETCH_ITEMS: usize = 100;
/// Field names of one `HEADER.FIELDS` list.
pub const HEADER_FIELDS: usize = 200;
/// Numbers of a part path such as `1.2.3`.
pub const PART_DEPTH: usize = 32;
/// Flags and keywords of one command.
pub const FLAGS: usize = 64;
/// Octets of one keyword.
pub const KEYWORD_BYTES: usize = 64;
/// Patterns of one extended LIST.
pub const PATTERNS: usize = 32;
/// Octets of all patterns of one LIST, each with its reference: clients ask for one or two names'
/// worth, and every octet is a step against every folder.
pub const PATTERNS_BYTES: usize = 4 * FOLDER_BYTES;
/// Octets of a folder name or pattern: a path of several levels in modified UTF-7.
pub const FOLDER_BYTES: usize = 1_024;
/// Pairs of one ID. RFC 2971 §3.3.
pub const ID_PAIRS: usize = 30;
/// Octets of a response string that is still written quoted; longer ones become literals.
pub const QUOTED_BYTES: usize = 1_000;
/// Octets of a large literal written at a time.
pub const PIECE_BYTES: usize = 64 * 1024;
