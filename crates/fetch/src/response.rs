//! A response of HTTP/1.1 (RFC 9112), read strictly: what could be understood in two ways is none.

use terms::Cursor;

/// Status line and fields together.
const HEAD_BYTES: usize = 16 * 1024;
const FIELDS: usize = 100;
/// Interim responses (1xx) before the one that counts.
const INTERIM: usize = 4;
/// A chunk's size line with its extensions.
const CHUNK_LINE_BYTES: usize = 256;
/// Trailing fields, which nobody reads.
const TRAILER_BYTES: usize = 4 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Why what came is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the response's head is not one of HTTP/1.1")]
    Head,
    #[error("the response's head is too long")]
    HeadTooLong,
    #[error("the response does not say plainly how long it is")]
    Length,
    #[error("the response is coded in a way that was not asked for")]
    Coding,
    #[error("a chunk of the response is none")]
    Chunk,
    #[error("the response is longer than it may be")]
    TooLong,
    #[error("the response ends before its end")]
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many octets are left.
    Counted(usize),
    /// To the end of the connection.
    ToEnd,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Done,
}

/// Octets in, one response out.
pub(crate) struct Reader {
    state: State,
    buffer: Vec<u8>,
    limit: usize,
    interim: usize,
    trailer: usize,
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: State::Head,
            buffer: Vec::new(),
            limit,
            interim: 0,
            trailer: 0,
            status: 0,
            content_type: String::new(),
            body: Vec::new(),
        }
    }

    /// Takes what came; `true`: the response is whole.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Result<bool, Malformed> {
        self.buffer.extend_from_slice(octets);
        while self.step()? {}
        Ok(self.state == State::Done)
    }

    /// The connection ended in good order.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::Done => Ok(()),
            State::ToEnd => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Malformed::Cut),
        }
    }

    /// The response, once it is whole.
    pub(crate) fn finish(self) -> Result<Response, Malformed> {
        match self.state {
            State::Done => {
                let Self { status, content_type, body, .. } = self;
                Ok(Response { status, content_type, body })
            }
            _ => Err(Malformed::Cut),
        }
    }

    /// Whether another step may be possible.
    fn step(&mut self) -> Result<bool, Malformed> {
        match self.state {
            State::Head => self.head(),
            State::Counted(left) => Ok(self.take(left, State::Counted, State::Done)),
            State::ToEnd => {
                if self.body.len() + self.buffer.len() > self.limit {
                    return Err(Malformed::TooLong);
                }
                self.body.append(&mut self.buffer);
                Ok(false)
            }
            State::ChunkSize => self.chunk_size(),
            State::Chunk(left) => Ok(self.take(left, State::Chunk, State::ChunkEnd)),
            State::ChunkEnd => {
                let Some(line) = self.line(0, Malformed::Chunk)? else { return Ok(false) };
                debug_assert!(line.is_empty());
                self.state = State::ChunkSize;
                Ok(true)
            }
            State::Trailer => {
                let left = TRAILER_BYTES.saturating_sub(self.trailer);
                let Some(line) = self.line(left, Malformed::TooLong)? else { return Ok(false) };
                self.trailer += line.len() + 2;
                if line.is_empty() {
                    self.state = State::Done;
                }
                Ok(true)
            }
            State::Done => Ok(false),
        }
    }

    /// Moves up to `left` octets into the body.
    fn take(&mut self, left: usize, next: fn(usize) -> State, after: State) -> bool {
        let count = left.min(self.buffer.len());
        self.body.extend(self.buffer.drain(..count));
        self.state = if count == left { after } else { next(left - count) };
        count == left
    }

    /// A line that ends with CRLF, of at most so many octets; a bare LF ends none.
    fn line(&mut self, most: usize, otherwise: Malformed) -> Result<Option<Vec<u8>>, Malformed> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\r\n");
        match end {
            Some(end) if end <= most => {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                Ok(Some(line))
            }
            None if self.buffer.len() <= most + 1 => Ok(None),
            _ => Err(otherwise),
        }
    }

    fn chunk_size(&mut self) -> Result<bool, Malformed> {
        let Some(line) = self.line(CHUNK_LINE_BYTES, Malformed::Chunk)? else { return Ok(false) };
        let digits = line.split(|octet| *octet == b';').next().unwrap_or_default();
        let is_size = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| is_size);
        let size = text.and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or(Malformed::Chunk)?;
        if self.body.len().saturating_add(size) > self.limit {
            return Err(Malformed::TooLong);
        }
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, Malformed> {
        let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            let is_long = self.buffer.len() > HEAD_BYTES;
            return if is_long { Err(Malformed::HeadTooLong) } else { Ok(false) };
        };
        if end > HEAD_BYTES {
            return Err(Malformed::HeadTooLong);
        }
        let head: Vec<u8> = self.buffer.drain(..end + 4).take(end).collect();
        let head = Head::read(&head)?;
        if head.status < 200 {
            self.interim += 1;
            // RFC 9110 §15.2.2: another protocol was not asked for.
            let is_too_much = self.interim > INTERIM || head.status == 101;
            return if is_too_much { Err(Malformed::Head) } else { Ok(true) };
        }
        self.state = head.body(self.limit)?;
        (self.status, self.content_type) = (head.status, head.content_type);
        Ok(true)
    }
}

/// What of a head counts.
struct Head {
    status: u16,
    content_type: String,
    length: Option<usize>,
    is_chunked: bool,
}

impl Head {
    fn read(octets: &[u8]) -> Result<Self, Malformed> {
        // RFC 9112 §2.2: a CR or LF that stands alone is nothing that we mend.
        let mut lines = octets.split(|octet| *octet == b'\n').peekable();
        let mut head =
            Self { status: 0, content_type: String::new(), length: None, is_chunked: false };
        let (mut number, mut is_first) = (0, true);
        while let Some(line) = lines.next() {
            let line = match lines.peek() {
                Some(_) => line.strip_suffix(b"\r").ok_or(Malformed::Head)?,
                None => line,
            };
            if line.iter().any(|octet| *octet == b'\r' || *octet == 0) {
                return Err(Malformed::Head);
            }
            if is_first {
                head.status = status(line).ok_or(Malformed::Head)?;
                is_first = false;
                continue;
            }
            number += 1;
            if number > FIELDS {
                return Err(Malformed::HeadTooLong);
            }
            head.field(line)?;
        }
        Ok(head)
    }

    /// RFC 9112 §5: no space before the colon, no folding.
    fn field(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = line.iter().position(|octet| *octet == b':').ok_or(Malformed::Head)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Malformed::Head)?;
        let is_token =
            |octet: &u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet);
        if name.is_empty() || !name.iter().all(is_token) {
            return Err(Malformed::Head);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => {
                let is_number =
                    (1..=10).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(value).ok().filter(|_| is_number);
                let length = text.and_then(|text| text.parse().ok()).ok_or(Malformed::Length)?;
                // RFC 9112 §6.3: two lengths are an attack or a mistake.
                if self.length.replace(length).is_some() {
                    return Err(Malformed::Length);
                }
            }
            b"transfer-encoding" => {
                if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::Length);
                }
                self.is_chunked = true;
            }
            b"content-encoding" if !value.eq_ignore_ascii_case(b"identity") => {
                return Err(Malformed::Coding);
            }
            b"content-type" if self.content_type.is_empty() => {
                let text = String::from_utf8_lossy(value);
                let is_plain = |letter: &char| matches!(letter, ' '..='~');
                self.content_type = text.chars().filter(is_plain).take(200).collect();
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&self, limit: usize) -> Result<State, Malformed> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(Malformed::Length),
            // RFC 9112 §6.3: these have none, whatever they say.
            _ if matches!(self.status, 204 | 304) => Ok(State::Done),
            (Some(length), _) if length > limit => Err(Malformed::TooLong),
            (Some(0), _) => Ok(State::Done),
            (Some(length), _) => Ok(State::Counted(length)),
            (None, true) => Ok(State::ChunkSize),
            (None, false) => Ok(State::ToEnd),
        }
    }
}

/// `HTTP/1.1 200 words`.
fn status(line: &[u8]) -> Option<u16> {
    let mut cursor = Cursor::new(line);
    let version = cursor.take(9)?;
    if version != b"HTTP/1.1 " && version != b"HTTP/1.0 " {
        return None;
    }
    let digits = cursor.take(3)?;
    let is_end = matches!(cursor.rest().first(), None | Some(b' '));
    let is_status = is_end && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_status)?;
    text.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Reader, Response};

    /// As it comes in pieces of every size; all agree.
    fn read(octets: &[u8], limit: usize) -> Result<Response, Malformed> {
        let in_pieces = |piece: usize| {
            let mut reader = Reader::new(limit);
            for piece in octets.chunks(piece) {
                if reader.feed(piece)? {
                    return reader.finish();
                }
            }
            reader.end()?;
            reader.finish()
        };
        let whole = in_pieces(octets.len().max(1));
        for piece in 1..20 {
            assert_eq!(in_pieces(piece).is_ok(), whole.is_ok(), "{}", octets.escape_ascii());
        }
        whole
    }

    #[test]
    fn responses() {
        let check = |text: &str, body: &str| {
            let found = read(text.as_bytes(), 20).unwrap();
            assert_eq!((found.status, found.body.as_slice()), (200, body.as_bytes()), "{text}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello");
        check("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", "");
        check("HTTP/1.0 200 OK\r\n\r\nhello", "hello");
        check("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nx", "x");
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{chunked}5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!");
        check(&format!("{chunked}0\r\nX: y\r\n\r\n"), "");
        let typed = "HTTP/1.1 404 No\r\nContent-Type:  text/plain; charset=utf-8\r\n\r\n";
        let found = read(typed.as_bytes(), 20).unwrap();
        assert_eq!((found.status, found.content_type.as_str()), (404, "text/plain; charset=utf-8"));
    }

    #[test]
    fn what_is_no_response() {
        let check = |text: &str, expected: Malformed| {
            assert_eq!(read(text.as_bytes(), 20), Err(expected), "{text:?}");
        };
        let ok = "HTTP/1.1 200 OK\r\n";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check("", Malformed::Cut);
        check("HTTP/2 200 OK\r\n\r\n", Malformed::Head);
        check("HTTP/1.1 20 OK\r\n\r\n", Malformed::Head);
        check("HTTP/1.1 2000\r\n\r\n", Malformed::Head);
        check("HTTP/1.1 101 x\r\n\r\n", Malformed::Head);
        check(&"HTTP/1.1 100 x\r\n\r\n".repeat(5), Malformed::Head);
        check(&format!("{ok}Content-Length : 1\r\n\r\nx"), Malformed::Head);
        check(&format!("{ok}A: b\r\n folded\r\n\r\nx"), Malformed::Head);
        check(&format!("{ok}A: b\nContent-Length: 1\r\n\r\nx"), Malformed::Head);
        check(&format!("{ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), Malformed::Length);
        check(&format!("{ok}Content-Length: +1\r\n\r\nx"), Malformed::Length);
        check(&format!("{ok}Content-Length: 99999999999\r\n\r\nx"), Malformed::Length);
        check(&format!("{ok}Content-Length: 21\r\n\r\nx"), Malformed::TooLong);
        check(&format!("{ok}Content-Length: 5\r\n\r\nhell"), Malformed::Cut);
        check(
            &format!("{ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"),
            Malformed::Length,
        );
        check(&format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\nx"), Malformed::Length);
        check(&format!("{ok}Content-Encoding: gzip\r\n\r\nx"), Malformed::Coding);
        check(&format!("{chunked}5\r\nhello"), Malformed::Cut);
        check(&format!("{chunked}5\r\nhelloX\r\n0\r\n\r\n"), Malformed::Chunk);
        check(&format!("{chunked}-5\r\nhello\r\n"), Malformed::Chunk);
        check(&format!("{chunked}ffffffff\r\nhello\r\n"), Malformed::TooLong);
        check(&format!("{chunked}0x1\r\nh\r\n0\r\n\r\n"), Malformed::Chunk);
        check(&format!("{ok}\r\n{}", "x".repeat(21)), Malformed::TooLong);
        check(&format!("{ok}{}\r\n", "A: b\r\n".repeat(101)), Malformed::HeadTooLong);
        check(&format!("{ok}A: {}", "b".repeat(20_000)), Malformed::HeadTooLong);
    }

    /// Whatever comes: it ends, within its bound.
    #[test]
    fn fuzz_responses_are_read_or_refused() {
        let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
        let words: [&[u8]; 16] = [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100\r\n\r\n",
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Type: a/b\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"3\r\n",
            b"0\r\n",
            b"abc",
            b"\0\xff",
            b":",
            b"A: b\r\n",
            b"HTTP/1.0 204 x\r\n\r\n",
            b" ",
        ];
        for seed in 1..20_000 * factor {
            let mut state = seed;
            let mut random = move |below: u64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 33) % below) as usize
            };
            let mut octets = Vec::new();
            if random(2) == 0 {
                octets.extend_from_slice(words[0]);
            }
            for _ in 0..random(20) {
                octets.extend_from_slice(words[random(16)]);
            }
            if let Ok(response) = read(&octets, 20) {
                assert!(response.body.len() <= 20, "seed {seed}");
            }
        }
    }
}
