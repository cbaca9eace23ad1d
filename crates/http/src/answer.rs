//! An answer as octets. It says how long it is, when it was given, and not by which software.

use crate::date::http_date;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Keeps,
    Closes,
}

/// An answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// With its parameters; empty: there is no body.
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// Further fields.
    pub fields: Vec<(&'static str, String)>,
}

impl Answer {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), fields: Vec::new() }
    }

    /// Plain words.
    pub fn text(status: u16, words: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", words)
    }

    /// With one more field. The name and the value are ours, never a client's.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        // Whatever goes wrong elsewhere: one field stays one field.
        value.retain(|letter| !letter.is_control());
        self.fields.push((name, value));
        self
    }

    /// Whole; without its body where only the head was asked for.
    pub fn octets(&self, now_ms: u64, is_head_only: bool, ending: Ending) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut field = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        field("Date", &http_date(now_ms));
        if !self.content_type.is_empty() {
            field("Content-Type", self.content_type);
        }
        field("Content-Length", &self.body.len().to_string());
        for (name, value) in &self.fields {
            field(name, value);
        }
        if ending == Ending::Closes {
            field("Connection", "close");
        }
        head.push_str("\r\n");
        let mut octets = head.into_bytes();
        if !is_head_only {
            octets.extend_from_slice(&self.body);
        }
        octets
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Other",
    }
}
