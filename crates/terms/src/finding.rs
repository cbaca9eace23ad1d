//! What is said about mail: findings (odd, weighed) and verdicts (decided).

use serde::{Deserialize, Serialize};

/// Something seen in a message. Its words stand in the catalogues under `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `area.what`, stable for ever, e.g. `content.eicar`.
    pub id: String,
    /// Points towards refusal; negative points speak for the message.
    pub weight: f32,
    /// What the words need: a part's name, a type, a number. Never longer than 200 octets.
    pub detail: String,
}

impl Finding {
    pub fn new(id: &str, weight: f32, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        let mut end = detail.len().min(200);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
        Self { id: id.to_owned(), weight, detail }
    }
}

/// What is done with a message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Deliver,
    Tag,
    Junk,
    Quarantine,
    Refuse,
    Defer,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Tag => "tag",
            Self::Junk => "junk",
            Self::Quarantine => "quarantine",
            Self::Refuse => "refuse",
            Self::Defer => "defer",
        }
    }
}
