//! Enhanced status codes (RFC 3463 and its registry) as reasons.

use crate::Reason;

pub fn by_status((class, subject, detail): (u8, u16, u16)) -> Reason {
    use Reason::*;
    if class == 2 {
        return Delivered;
    }
    match (subject, detail) {
        (1, 1 | 0 | 3 | 4) => UserUnknown,
        (1, 2 | 10) => HostUnknown,
        (1, 6) => HasMoved,
        (1, 7 | 8) => SenderRefused,
        (2, 1) => Suspended,
        (2, 2) => MailboxFull,
        (2, 3) | (3, 4) => TooLarge,
        (2, 4) => UserUnknown,
        (3, _) => System,
        // RFC 3463: unable to route. For good, that is a domain that nobody takes mail for.
        (4, 4) if class == 5 => HostUnknown,
        (4, 1 | 2 | 4) => Unreachable,
        (4, 3) => HostUnknown,
        (4, 5) => TooFast,
        (4, 6) => Loop,
        (4, 7) => Expired,
        (5, 3) => TooFast,
        // RFC 6531 §3.5, RFC 6533 §8: addresses, and a header, beyond ASCII.
        (6, 7..=10) => NeedsUtf8,
        (6, _) => Content,
        (7, 1) => Policy,
        (7, 2) => Filtered,
        (7, 10) => NeedsTls,
        (7, 30) => RequireTls,
        (7, 20..=29) => Authentication,
        (7, _) => Policy,
        _ => Unknown,
    }
}

/// Finds `x.y.z` in words: the first that is one.
pub fn in_words(words: &str) -> Option<(u8, u16, u16)> {
    let separate = |letter: char| !(letter.is_ascii_digit() || letter == '.');
    words.split(separate).find_map(|word| parse(word.trim_matches('.')))
}

/// `5.1.1`, and nothing else.
pub fn parse(text: &str) -> Option<(u8, u16, u16)> {
    let mut parts = text.split('.');
    let class: u8 = parts.next()?.parse().ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    let mut number = || parts.next().filter(|part| part.len() <= 3)?.parse().ok();
    let (subject, detail) = (number()?, number()?);
    (parts.next().is_none() && subject < 10).then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::{in_words, parse};

    #[test]
    fn codes_and_what_looks_like_them() {
        let check = |text: &str, expected| assert_eq!(in_words(text), expected, "{text}");
        check("550 5.1.1 <x@y>: unknown", Some((5, 1, 1)));
        check("(#5.1.2)", Some((5, 1, 2)));
        check("host 192.0.2.1 said 4.2.2.", Some((4, 2, 2)));
        check("host 5.1.1.1 said", None);
        check("version 2.10.9", None);
        assert_eq!(parse("5.1"), None);
        assert_eq!(parse("5.1.1 x"), None);
    }
}
