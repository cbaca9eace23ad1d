//! Requests out of octets, one after the other.

use crate::head::{self, Head};
use crate::request::{Refusal, Request};
use crate::{HEAD_BYTES, TARGET_BYTES};

/// Said before the body to who waits for it (RFC 9110 §10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Method and version beside the target in the first line.
const LINE_BYTES: usize = TARGET_BYTES + 64;

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// More octets are needed.
    Read,
    /// [`CONTINUE`] is to be written, then more octets are needed.
    Continue,
    Request(Request),
    /// The connection ends with this answer; nothing behind it is looked at.
    Refused(Refusal),
}

/// Takes octets as they come.
#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Octets in front that were searched for the head's end.
    searched: usize,
    /// The one empty line before this request was there.
    has_passed: bool,
    head: Option<Head>,
    refused: Option<Refusal>,
}

impl Reader {
    /// What came. No more is held than one request needs: the rest waits in the socket.
    pub fn feed(&mut self, octets: &[u8]) {
        if self.refused.is_none() {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Whether a request has begun and is not whole.
    pub fn is_inside(&self) -> bool {
        self.head.is_some() || !self.buffer.is_empty()
    }

    pub fn next_step(&mut self) -> Step {
        if let Some(refusal) = self.refused {
            return Step::Refused(refusal);
        }
        match self.advance() {
            Ok(step) => step,
            Err(refusal) => {
                self.refused = Some(refusal);
                self.buffer = Vec::new();
                Step::Refused(refusal)
            }
        }
    }

    fn advance(&mut self) -> Result<Step, Refusal> {
        let mut waits = false;
        if self.head.is_none() {
            let Some(head) = self.take_head()? else { return Ok(Step::Read) };
            waits = head.expects_continue && self.buffer.is_empty() && head.length > 0;
            self.head = Some(head);
        }
        let is_whole = self.head.as_ref().is_some_and(|head| self.buffer.len() >= head.length);
        let Some(head) = self.head.take_if(|_| is_whole) else {
            return Ok(if waits { Step::Continue } else { Step::Read });
        };
        let body: Vec<u8> = self.buffer.drain(..head.length).collect();
        let Head { method, path, query, host, content_type, accept_language, keeps, .. } = head;
        Ok(Step::Request(Request {
            method,
            path,
            query,
            host,
            content_type,
            accept_language,
            keeps,
            body,
        }))
    }

    fn take_head(&mut self) -> Result<Option<Head>, Refusal> {
        // RFC 9112 §2.2: one empty line before a request is passed over.
        if !self.has_passed && self.buffer.starts_with(b"\r\n") {
            self.buffer.drain(..2);
            (self.searched, self.has_passed) = (0, true);
        }
        let from = self.searched.saturating_sub(3);
        let fresh = self.buffer.get(from..).unwrap_or_default();
        let Some(end) = fresh.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return self.check_begun().map(|()| None);
        };
        let end = from + end + 2;
        if end > HEAD_BYTES {
            return Err(Refusal::HeadTooLong);
        }
        let octets: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
        (self.searched, self.has_passed) = (0, false);
        head::read(&octets).map(Some)
    }

    /// Whether what has come can still become a head: a client that ends its lines by LF alone
    /// would otherwise be waited for, and one that never ends its first line be held.
    fn check_begun(&self) -> Result<(), Refusal> {
        // The head's own last line end is not there yet, nor the last octet of the empty line.
        if self.buffer.len() > HEAD_BYTES + 1 {
            return Err(Refusal::HeadTooLong);
        }
        let mut before = b' ';
        for (at, octet) in self.buffer.iter().enumerate() {
            match octet {
                b'\n' if before == b'\r' => return Ok(()),
                b'\n' => return Err(Refusal::Malformed),
                _ if at > LINE_BYTES => return Err(Refusal::TargetTooLong),
                _ => before = *octet,
            }
        }
        Ok(())
    }
}
