//! One request, as far as a server needs it; or why there is none.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    /// Any other token: answered 405.
    Other,
}

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// As it was written, `%` and all: begins with `/`, or is `*`.
    pub path: String,
    /// Behind the `?`.
    pub query: Option<String>,
    /// In lower case, without its port and a final dot.
    pub host: String,
    /// Of Content-Type, in lower case, without parameters; empty: none.
    pub content_type: String,
    pub accept_language: String,
    /// Whether the client means to ask more on this connection.
    pub keeps: bool,
    pub body: Vec<u8>,
}

/// What is no request that can be answered. The connection ends with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks the grammar, or could be read in two ways.
    Malformed,
    TargetTooLong,
    HeadTooLong,
    /// A body without a length said plainly.
    LengthRequired,
    BodyTooLong,
    /// It expects what we do not do.
    Expectation,
    /// Another version than HTTP/1.1.
    Version,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::LengthRequired => 411,
            Self::BodyTooLong => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLong => 431,
            Self::Version => 505,
        }
    }

    /// For whoever wrote the client: expected and found.
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed => {
                "expected one request of HTTP/1.1, each line ended by CRLF; found something else\n"
            }
            Self::LengthRequired => {
                "expected a body with Content-Length; found another transfer coding\n"
            }
            Self::BodyTooLong => "expected a body of at most 16384 octets; found a longer one\n",
            Self::TargetTooLong => "expected at most 2048 octets of target; found more\n",
            Self::Expectation => "expected no expectation but 100-continue; found another\n",
            Self::HeadTooLong => {
                "expected at most 8192 octets and 64 fields of header; found more\n"
            }
            Self::Version => "expected HTTP/1.1; found another version\n",
        }
    }
}
