//! What a witness or a mirror answers, with the status that HTTP would carry.

use data_encoding::BASE64;
use terms::Cursor;
use tlog::NoteSignature;

/// Lines of one answer, and octets of a ticket, that are read.
const LINES: usize = 32;
const TICKET_BYTES: usize = 64 * 1024;
const ANSWER_BYTES: usize = 256 * 1024;

/// Where a mirror stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorInfo {
    /// The size of a pending checkpoint.
    pub size: u64,
    /// The entry that it wants next.
    pub next: u64,
    pub ticket: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: cosignatures.
    Cosigned(Vec<NoteSignature>),
    /// 202: some entries are taken, others are wanted.
    Accepted(MirrorInfo),
    /// 400: not what the protocol says.
    Bad,
    /// 403: no signature of a log that is known.
    Forbidden,
    /// 404: a log that is not known.
    Unknown,
    /// 409 of `add-checkpoint`: the size that was cosigned last.
    Conflict(u64),
    /// 409 of `add-entries`.
    Elsewhere(MirrorInfo),
    /// 422: the proof does not hold.
    Unproved,
}

impl Answer {
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Accepted(_) => 202,
            Self::Bad => 400,
            Self::Forbidden => 403,
            Self::Unknown => 404,
            Self::Conflict(_) | Self::Elsewhere(_) => 409,
            Self::Unproved => 422,
        }
    }

    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "text/x.tlog.size",
            Self::Accepted(_) | Self::Elsewhere(_) => "text/x.tlog.mirror-info",
            _ => "text/plain; charset=utf-8",
        }
    }

    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(lines) => lines.iter().map(NoteSignature::to_line).collect(),
            Self::Conflict(size) => format!("{size}\n"),
            Self::Accepted(info) | Self::Elsewhere(info) => {
                format!("{}\n{}\n{}\n", info.size, info.next, BASE64.encode(&info.ticket))
            }
            Self::Bad | Self::Forbidden | Self::Unknown | Self::Unproved => String::new(),
        }
    }

    /// Reads an answer. `None` if it is none that the protocols know.
    pub fn parse(status: u16, body: &[u8]) -> Option<Self> {
        if body.len() > ANSWER_BYTES {
            return None;
        }
        match status {
            200 => {
                let text = std::str::from_utf8(body).ok()?;
                if text.is_empty() {
                    // A mirror may take a pending checkpoint without a word.
                    return Some(Self::Cosigned(Vec::new()));
                }
                let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
                let few = lines.len() <= LINES;
                let lines: Option<Vec<_>> = lines.into_iter().map(NoteSignature::parse).collect();
                lines.filter(|_| few).map(Self::Cosigned)
            }
            202 => info(body).map(Self::Accepted),
            400 => Some(Self::Bad),
            403 => Some(Self::Forbidden),
            404 => Some(Self::Unknown),
            409 => match body.iter().filter(|byte| **byte == b'\n').count() {
                1 => {
                    let mut from = Cursor::new(body);
                    let size = number(&mut from)?;
                    from.is_at_end().then_some(Self::Conflict(size))
                }
                _ => info(body).map(Self::Elsewhere),
            },
            422 => Some(Self::Unproved),
            _ => None,
        }
    }
}

fn info(body: &[u8]) -> Option<MirrorInfo> {
    let mut from = Cursor::new(body);
    let (size, next) = (number(&mut from)?, number(&mut from)?);
    let ticket = from.take_while(|byte| byte != b'\n');
    let ended = from.eat(b'\n') && from.is_at_end() && ticket.len() <= TICKET_BYTES;
    let ticket = BASE64.decode(ticket).ok().filter(|_| ended)?;
    Some(MirrorInfo { size, next, ticket })
}

/// A decimal number in its one spelling, and the end of its line.
pub(crate) fn number(from: &mut Cursor) -> Option<u64> {
    let digits = std::str::from_utf8(from.take_while(|byte| byte != b'\n')).ok()?;
    let number = digits.parse::<u64>().ok().filter(|number| number.to_string() == digits)?;
    from.eat(b'\n').then_some(number)
}
