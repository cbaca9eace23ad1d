//! What `trace` finds a message by: one spelling, one digest, for seekers and keepers alike.
//!
//! The digest alone would yield to guessing; the directory makes a keyed hash of it before it is
//! stored anywhere.

use sha2::{Digest, Sha256};

/// The longest text that counts: subjects and addresses are shorter.
const TEXT_BYTES: usize = 1_000;

/// The digest of a Message-ID, an address or a whole subject.
pub fn digest(text: &str) -> [u8; 32] {
    let mut spelled = String::with_capacity(text.len().min(TEXT_BYTES));
    for word in text.split_whitespace() {
        if spelled.len() >= TEXT_BYTES {
            break;
        }
        if !spelled.is_empty() {
            spelled.push(' ');
        }
        spelled.extend(word.chars().flat_map(char::to_lowercase));
    }
    let bare = spelled.trim_matches(|c| c == '<' || c == '>');
    let mut hash = Sha256::new();
    hash.update(b"sekisho trace v1\0");
    hash.update(bare.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn one_text_has_one_digest_however_it_is_written() {
        assert_eq!(digest("<A@b.example>"), digest("a@B.example"));
        assert_eq!(digest("Re:  見積\t書"), digest("re: 見積 書"));
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(digest(&"x ".repeat(10_000)), digest(&"x ".repeat(20_000)));
    }
}
