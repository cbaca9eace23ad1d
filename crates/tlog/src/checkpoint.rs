//! What a log says of itself: its name, its size, its root (C2SP tlog-checkpoint).

use crate::hash::Hash;
use crate::note::is_note_text;
use terms::Cursor;

/// A longer checkpoint is not read: ours has 3 lines, others a few extension lines.
const CHECKPOINT_BYTES: usize = 4_096;

/// The text of a checkpoint, without its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// Extension lines, none of them empty. Ours are none; readers keep what they find.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads the canonical form only, so that equal checkpoints are equal octets.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CHECKPOINT_BYTES || !text.ends_with('\n') || !is_note_text(text) {
            return None;
        }
        let mut cursor = Cursor::new(text.as_bytes());
        let origin = line(&mut cursor)?;
        let size = line(&mut cursor)?;
        let root = Hash::from_base64(line(&mut cursor)?.as_bytes())?;
        let mut extensions = Vec::new();
        while !cursor.is_at_end() {
            extensions.push(line(&mut cursor)?.to_owned());
        }
        let size = size.parse::<u64>().ok().filter(|number| number.to_string() == size)?;
        Some(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

/// A line that is not empty.
fn line<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let line = cursor.take_while(|byte| byte != b'\n');
    (cursor.eat(b'\n') && !line.is_empty()).then_some(std::str::from_utf8(line).ok()?)
}
