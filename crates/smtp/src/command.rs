//! Command lines, RFC 5321 §4.1.1, read without regard to what came before.

use crate::address::Address;
use crate::parameters::{self, Body, Notify, Original, Return};
use crate::path::{self, Dots, Path};
use crate::reply::Reply;
use terms::Cursor;
use zeroize::Zeroizing;

/// A line that is a command. The session asks whether its time has come.
pub(crate) enum Command {
    Hello(Hello),
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    Bdat {
        octets: u64,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    /// `initial` is still base64, and may be secret.
    Auth {
        mechanism: String,
        initial: Option<Zeroizing<Vec<u8>>>,
    },
    /// Somebody speaks HTTP at us, most likely a browser that was told to.
    Web,
}

/// EHLO or HELO.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// What the client calls itself; nothing vouches for it.
    pub name: String,
    /// EHLO, not HELO.
    pub extended: bool,
}

/// MAIL FROM.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// `None`: the null sender, `<>`.
    pub from: Option<Address>,
    /// Octets, as the sender counts them.
    pub size: Option<u64>,
    pub body: Body,
    pub smtputf8: bool,
    pub returned: Option<Return>,
    pub envelope_id: Option<String>,
    /// RFC 8689: over TLS all the way or not at all.
    pub require_tls: bool,
    /// `AUTH=` stood there (RFC 4954 §5). Whom it names is nobody's word here, and dropped.
    pub vouched: bool,
}

/// RCPT TO.
#[derive(Clone, PartialEq, Eq)]
pub struct Rcpt {
    pub to: Recipient,
    /// It was written in UTF-8, whatever it is in.
    pub is_utf8: bool,
    pub notify: Option<Notify>,
    pub original: Option<Original>,
}

/// Whom a message is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    /// `<postmaster>`: of this host, whatever its domains.
    Postmaster,
    Mailbox(Address),
}

/// Verbs of HTTP; no mail client says them (a known way to make a browser talk to a mail server).
const WEB_VERBS: [&str; 8] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PATCH", "TRACE"];

/// Reads one line without its CRLF. `Err` is no fault here but a refusal, on its way by `?`.
///
/// `dots`: how a recipient may be written. Ours are as in the grammar; our people write to others.
pub(crate) fn command(line: &[u8], dots: Dots) -> Result<Command, Reply> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(Reply::new(500, (5, 2), "this line is neither ASCII nor UTF-8"));
    };
    // RFC 5321 §4.1.1: trailing white space is to be tolerated.
    let line = line.trim_end_matches([' ', '\t']);
    let (verb, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    let argument = rest.strip_prefix(' ').unwrap_or_default();
    let verb = verb.to_ascii_uppercase();
    match verb.as_str() {
        "EHLO" => hello(argument, true),
        "HELO" => hello(argument, false),
        "MAIL" => mail(argument).map(Command::Mail),
        "RCPT" => rcpt(argument, dots).map(Command::Rcpt),
        "DATA" => alone(argument, Command::Data),
        "BDAT" => bdat(argument),
        "RSET" => alone(argument, Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "VRFY" => Ok(Command::Vrfy),
        "EXPN" => Ok(Command::Expn),
        "HELP" => Ok(Command::Help),
        "QUIT" => alone(argument, Command::Quit),
        "STARTTLS" => alone(argument, Command::StartTls),
        "AUTH" => auth(argument),
        web if WEB_VERBS.contains(&web) => Ok(Command::Web),
        _ => Err(Reply::new(500, (5, 1), "this command is not known here")),
    }
}

fn hello(argument: &str, extended: bool) -> Result<Command, Reply> {
    path::hello_name(argument.as_bytes())
        .map(|name| Command::Hello(Hello { name, extended }))
        .ok_or_else(|| Reply::new(501, (5, 4), "say who you are: a host name or [address]"))
}

fn mail(argument: &str) -> Result<Mail, Reply> {
    let mut cursor = Cursor::new(argument.as_bytes());
    if !cursor.eat_word(b"FROM:") {
        return Err(Reply::new(501, (5, 4), "it is MAIL FROM:<address>, without spaces"));
    }
    let from = match path::path(&mut cursor, Dots::AsTheyCome) {
        Some(Path::Null) => None,
        Some(Path::Mailbox(address)) => Some(address),
        // RFC 5321 §4.1.1.2: a reverse path has a domain.
        Some(Path::Postmaster) | None => {
            return Err(Reply::new(501, (1, 7), "this sender's address cannot be read"));
        }
    };
    let mut mail = Mail {
        from,
        size: None,
        body: Body::default(),
        smtputf8: false,
        returned: None,
        envelope_id: None,
        require_tls: false,
        vouched: false,
    };
    let is_utf8 = is_utf8(argument, &cursor);
    for parameter in parameters::parameters(rest_of(argument, &cursor))? {
        match (parameter.keyword.as_str(), parameter.value) {
            ("SIZE", value) => mail.size = Some(parameters::size(value)?),
            ("BODY", value) => mail.body = parameters::body(value)?,
            ("SMTPUTF8", None) => mail.smtputf8 = true,
            ("RET", value) => mail.returned = Some(parameters::returned(value)?),
            ("REQUIRETLS", None) => mail.require_tls = true,
            ("AUTH", Some(value)) => mail.vouched = parameters::vouched(value)?,
            ("ENVID", value) => mail.envelope_id = Some(parameters::envelope_id(value)?),
            _ => return Err(unknown_parameter()),
        }
    }
    if is_utf8 && !mail.smtputf8 {
        // RFC 6531 §3.5.
        return Err(Reply::new(553, (6, 7), "an address in UTF-8 needs SMTPUTF8"));
    }
    Ok(mail)
}

fn rcpt(argument: &str, dots: Dots) -> Result<Rcpt, Reply> {
    let mut cursor = Cursor::new(argument.as_bytes());
    if !cursor.eat_word(b"TO:") {
        return Err(Reply::new(501, (5, 4), "it is RCPT TO:<address>, without spaces"));
    }
    let to = match path::path(&mut cursor, dots) {
        Some(Path::Postmaster) => Recipient::Postmaster,
        Some(Path::Mailbox(address)) => Recipient::Mailbox(address),
        Some(Path::Null) | None => {
            return Err(Reply::new(501, (1, 3), "this recipient's address cannot be read"));
        }
    };
    let is_utf8 = is_utf8(argument, &cursor);
    let mut rcpt = Rcpt { to, is_utf8, notify: None, original: None };
    for parameter in parameters::parameters(rest_of(argument, &cursor))? {
        match (parameter.keyword.as_str(), parameter.value) {
            ("NOTIFY", value) => rcpt.notify = Some(parameters::notify(value)?),
            ("ORCPT", value) => rcpt.original = Some(parameters::original(value)?),
            _ => return Err(unknown_parameter()),
        }
    }
    Ok(rcpt)
}

/// `BDAT chunk-size [LAST]`, RFC 3030 §2.
fn bdat(argument: &str) -> Result<Command, Reply> {
    let (digits, last) = match argument.split_once(' ') {
        None => (argument, false),
        Some((digits, last)) if last.eq_ignore_ascii_case("LAST") => (digits, true),
        Some(_) => ("", false),
    };
    let plain = digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse().ok().filter(|_| plain) {
        Some(octets) => Ok(Command::Bdat { octets, last }),
        None => Err(Reply::new(501, (5, 4), "it is BDAT octets [LAST]; closing")),
    }
}

/// Whether a line, whole or not, right or not, says that the octets of a chunk follow it.
pub(crate) fn is_chunk(line: &[u8]) -> bool {
    let mut cursor = Cursor::new(line);
    cursor.eat_word(b"BDAT") && !cursor.peek().is_some_and(|next| next.is_ascii_alphanumeric())
}

/// `AUTH mechanism [initial-response]`, RFC 4954 §4.
fn auth(argument: &str) -> Result<Command, Reply> {
    let (mechanism, initial) = match argument.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial)),
        None => (argument, None),
    };
    // RFC 4422 §3.1: at most twenty letters.
    if mechanism.is_empty() || mechanism.len() > 20 {
        return Err(Reply::new(501, (5, 4), "it is AUTH mechanism [response]"));
    }
    let initial = initial.map(|text| Zeroizing::new(text.as_bytes().to_vec()));
    Ok(Command::Auth { mechanism: mechanism.to_owned(), initial })
}

fn alone(argument: &str, command: Command) -> Result<Command, Reply> {
    if argument.is_empty() {
        return Ok(command);
    }
    Err(Reply::new(501, (5, 4), "this command takes no argument"))
}

/// Whether what was read so far has letters beyond ASCII.
fn is_utf8(argument: &str, cursor: &Cursor) -> bool {
    !argument.get(..cursor.position()).unwrap_or(argument).is_ascii()
}

fn rest_of<'a>(argument: &'a str, cursor: &Cursor) -> &'a str {
    argument.get(cursor.position()..).unwrap_or_default()
}

pub(crate) fn unknown_parameter() -> Reply {
    Reply::new(555, (5, 4), "this parameter is not known here")
}
