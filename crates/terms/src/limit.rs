//! Limits that more than one crate must agree on. Each says why it is what it is.

/// The largest message taken or kept: the usual limit of large providers (50 MB, decimal MiB).
pub const MESSAGE_BYTES: usize = 50 * 1024 * 1024;
/// All mail in flight together; beyond it the answer is 452.
pub const IN_FLIGHT_BYTES: usize = 512 * 1024 * 1024;
/// What of it a connection for mail is handed over with and keeps between its messages, so that
/// small ones need not ask: most mail fits. As many silent connections as may be open at once hold
/// half of all, and so shut the door for nobody.
pub const DOOR_BYTES: usize = 128 * 1024;
/// Recipients of one message. RFC 5321 §4.5.3.1.8 demands at least 100.
pub const RECIPIENTS: usize = 1_000;
/// One SMTP command line with its CRLF. RFC 5321 §4.5.3.1.4 says 512; extensions add to it.
pub const SMTP_COMMAND_BYTES: usize = 2_048;
/// One text line with its CRLF. RFC 5321 §4.5.3.1.6 says 1,000; real mail exceeds it, so we are
/// lenient where leniency cannot change where a message ends.
pub const SMTP_TEXT_LINE_BYTES: usize = 64 * 1024;
/// Commands in one SMTP session, so that nobody lives in one for ever.
pub const COMMANDS_PER_SESSION: usize = 10_000;
/// Refused commands in one session before 421.
pub const ERRORS_PER_SESSION: usize = 20;

/// Fields of a message's header: long chains of relays reach 150. Every reader reads so many, and
/// what has more is refused: what only some see would be a second reading.
pub const HEADER_FIELDS: usize = 1_000;

/// Octets of a message's header. A thousand recipients with their names take some 100 KiB.
pub const HEADER_BYTES: usize = 256 * 1024;
/// `Received` fields of a message that does not turn in a circle yet (RFC 5321 §6.3 asks for 100 at
/// least where they are counted; mail that is not in a circle has come through a dozen).
pub const HOPS: u32 = 50;
