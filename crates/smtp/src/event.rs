//! What a session tells its caller.

use crate::command::{Hello, Mail, Rcpt};
use crate::sign_in::Credentials;
use crate::text::Oddity;

/// What happened. Events marked *ask* wait for [`crate::Session::reply`], once.
#[derive(PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing more can be said: write the output, then feed more input.
    Read,
    /// The client introduced itself and was answered; an open envelope is to be forgotten.
    Hello(Hello),
    /// *Ask.* A new envelope. Its `SIZE` is within the limit.
    Mail(Mail),
    /// *Ask.* One more recipient of the open envelope.
    Rcpt(Rcpt),
    /// *Ask.* The text is about to come, by DATA or by BDAT: `Reply::go_ahead()` lets it.
    Data,
    /// Text, dots unstuffed.
    Octets(&'a [u8]),
    /// *Ask.* The text is whole and clean.
    End,
    /// The envelope and what came of its text are to be forgotten; already answered, or (a lost
    /// text) answered at its end.
    Forget(Why),
    /// *Ask.* Only in [`crate::Session::submission`], under TLS. `Reply::welcome()`: from now on it
    /// is so.
    SignIn(Credentials),
    /// *Ask.* `Reply::ready_for_tls()`, then write, shake hands and go on with `secured`.
    StartTls,
    /// Write the output and close. Comes again and again.
    Close(Why),
}

/// Why something is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Quit,
    Reset,
    /// The text held what no text may hold.
    Odd(Oddity),
    /// A command line held it.
    OddLine(Oddity),
    /// Something in an odd text looked like its end: somebody tries to smuggle.
    FalseEnd,
    TooLarge,
    TooManyCommands,
    TooManyErrors,
    /// Input stood where RFC 2920 or RFC 3207 allow none: behind STARTTLS, behind a refused DATA.
    InputTooEarly,
    /// How long a chunk is could not be read: what follows may be text or commands.
    OutOfStep,
    Web,
    TimedOut,
    /// The caller refused the text while it came.
    Refused,
}

/// For what the client is waited, RFC 5321 §4.5.3.2; the caller owns the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// §4.5.3.2.7: five minutes for a command.
    Command,
    /// §4.5.3.2.5: three minutes for more of a text.
    Text,
    /// The text is lost and showed a false end; whoever sent it may be waiting for our answer.
    FalseEnd,
}
