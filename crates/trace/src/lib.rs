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

/// The id of the message under which copies of a list's post stand in the queue, by the post's own
/// id, its destination's number, and the number of that message among those with copies.
pub fn copies(message: &str, leg: u16, number: usize) -> [u8; 16] {
    let digest = digest(&format!("copies {message} {leg} {number}"));
    digest.first_chunk().copied().unwrap_or_default()
}

/// What this processor can do for digests is asked once and remembered, by forks too; each asking
/// leaves a virtual machine several times.
pub fn look_at_processor() {
    std::hint::black_box(digest(""));
}

/// Domains above one that are told: names are not deep.
const ABOVE: usize = 4;

/// What a message to an address of this domain is found by beside the address: the domain, and
/// apart from it those above, down to two labels.
pub fn places(domain: &str) -> Vec<String> {
    let above = above(domain).map(|parent| format!("@.{parent}"));
    std::iter::once(format!("@{domain}")).chain(above).collect()
}

/// What finds a message that went to this domain, to one below it, or to one above it. Two domains
/// side by side have nothing in common, whatever stands above both.
pub fn reached(domain: &str) -> Vec<String> {
    let own = [format!("@{domain}"), format!("@.{domain}")];
    own.into_iter().chain(above(domain).map(|parent| format!("@{parent}"))).collect()
}

fn above(domain: &str) -> impl Iterator<Item = &str> {
    let parents = domain.match_indices('.').filter_map(|(at, _)| domain.get(at + 1..));
    parents.filter(|parent| parent.contains('.')).take(ABOVE)
}

#[cfg(test)]
mod tests {
    use super::{digest, places, reached};

    #[test]
    fn a_domain_is_reached_by_its_own_alone() {
        let check = |to: &str, by: &str, expected: bool| {
            let places = places(to);
            let found = reached(by).iter().any(|one| places.contains(one));
            assert_eq!(found, expected, "{to} {by}");
        };
        check("there.example", "there.example", true);
        check("there.example", "feedback.there.example", true);
        check("users.there.example", "there.example", true);
        check("there.example", "elsewhere.example", false);
        check("there.co.jp", "elsewhere.co.jp", false);
        check("there.co.jp", "mail.elsewhere.co.jp", false);
        check("a.there.example", "b.there.example", false);
        check("there.example", "notthere.example", false);
    }

    #[test]
    fn one_text_has_one_digest_however_it_is_written() {
        assert_eq!(digest("<A@b.example>"), digest("a@B.example"));
        assert_eq!(digest("Re:  見積\t書"), digest("re: 見積 書"));
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(digest(&"x ".repeat(10_000)), digest(&"x ".repeat(20_000)));
    }
}
