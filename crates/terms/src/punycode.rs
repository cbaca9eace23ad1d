//! Names in other scripts become names that the DNS can hold. RFC 3492, RFC 5890.
//!
//! Letters are lowered; further mapping is `mapped_name`'s (RFC 5891 leaves it to whoever takes a
//! name from a person), so a name in an unusual form is a name that nobody registered.

/// RFC 1035 §2.3.4.
const LABEL_OCTETS: usize = 63;
// RFC 3492 §5.
const BASE: u32 = 36;
const THRESHOLD_LEAST: u32 = 1;
const THRESHOLD_MOST: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_CODE: u32 = 128;

/// The name with every label in ASCII, lower case. A label that cannot be written stays as it is
/// and will not be found.
pub fn ascii_name(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // RFC 3490 §3.1: these full stops part labels too; Japanese keyboards type them.
    let labels = name.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(ascii_label);
    labels.collect::<Vec<String>>().join(".")
}

fn ascii_label(label: &str) -> String {
    let lowered = label.to_lowercase();
    if lowered.is_ascii() {
        return lowered;
    }
    let encoded = encode(&lowered).map(|encoded| format!("xn--{encoded}"));
    encoded.filter(|label| label.len() <= LABEL_OCTETS).unwrap_or(lowered)
}

/// The name in its own letters, for people; a label that stands for none stays as it is.
pub fn letters_name(name: &str) -> String {
    let letters = |label: &str| {
        let is_right = is_right_label(label);
        let decoded = label.strip_prefix(PREFIX).filter(|_| is_right).and_then(decode);
        decoded.unwrap_or_else(|| label.to_owned())
    };
    name.split('.').map(letters).collect::<Vec<String>>().join(".")
}

/// Whether a label is what it seems: one that begins with `xn--` must be what its letters are
/// written as (RFC 5891 §5.4), lower case as everywhere here.
pub fn is_right_label(label: &str) -> bool {
    let Some(encoded) = label.strip_prefix(PREFIX) else { return true };
    let Some(letters) = decode(encoded).filter(|letters| !letters.is_ascii()) else { return false };
    !letters.contains(crate::is_unseen) && ascii_name(&crate::mapped_name(&letters)) == label
}

const PREFIX: &str = "xn--";

/// RFC 3492 §6.2.
fn decode(encoded: &str) -> Option<String> {
    let (plain, rest) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    let mut letters: Vec<char> = plain.chars().collect();
    let (mut code, mut bias, mut at) = (FIRST_CODE, FIRST_BIAS, 0u32);
    let mut digits = rest.bytes().peekable();
    while digits.peek().is_some() {
        let (before, mut weight, mut step) = (at, 1u32, BASE);
        loop {
            let value = digit_value(digits.next()?)?;
            at = at.checked_add(value.checked_mul(weight)?)?;
            let threshold = step.saturating_sub(bias).clamp(THRESHOLD_LEAST, THRESHOLD_MOST);
            if value < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            step += BASE;
        }
        let count = u32::try_from(letters.len()).ok()? + 1;
        if letters.len() >= LABEL_OCTETS {
            return None;
        }
        bias = adapt(at - before, count, before == 0);
        code = code.checked_add(at / count)?;
        at %= count;
        letters.insert(at as usize, char::from_u32(code)?);
        at += 1;
    }
    Some(letters.into_iter().collect())
}

fn digit_value(octet: u8) -> Option<u32> {
    match octet {
        b'a'..=b'z' => Some(u32::from(octet - b'a')),
        b'0'..=b'9' => Some(u32::from(octet - b'0') + 26),
        _ => None,
    }
}

/// RFC 3492 §6.3. `None` for a label too long to be one.
fn encode(label: &str) -> Option<String> {
    let letters: Vec<u32> = label.chars().map(u32::from).collect();
    if letters.len() > LABEL_OCTETS {
        return None;
    }
    let mut encoded: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(encoded.len()).ok()?;
    if basic > 0 {
        encoded.push('-');
    }
    let (mut code, mut delta, mut bias, mut handled) = (FIRST_CODE, 0u32, FIRST_BIAS, basic);
    while (handled as usize) < letters.len() {
        let next = letters.iter().copied().filter(|letter| *letter >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for letter in &letters {
            if *letter < code {
                delta = delta.checked_add(1)?;
            }
            if *letter == code {
                write_number(delta, bias, &mut encoded)?;
                bias = adapt(delta, handled + 1, handled == basic);
                (delta, handled) = (0, handled + 1);
            }
        }
        (delta, code) = (delta.checked_add(1)?, code + 1);
    }
    Some(encoded)
}

fn write_number(number: u32, bias: u32, into: &mut String) -> Option<()> {
    let (mut left, mut place) = (number, BASE);
    loop {
        let threshold = place.saturating_sub(bias).clamp(THRESHOLD_LEAST, THRESHOLD_MOST);
        if left < threshold {
            into.push(char::from_digit(left, BASE).map(digit)?);
            return Some(());
        }
        let span = BASE - threshold;
        into.push(char::from_digit(threshold + (left - threshold) % span, BASE).map(digit)?);
        left = (left - threshold) / span;
        place += BASE;
    }
}

/// RFC 3492 §5 counts a to z, then 0 to 9; the standard library the other way round.
fn digit(counted: char) -> char {
    match counted {
        '0'..='9' => char::from(b'a' + (counted as u8 - b'0')),
        'a'..='p' => char::from(b'a' + 10 + (counted as u8 - b'a')),
        other => char::from(b'0' + (other as u8 - b'q')),
    }
}

/// RFC 3492 §6.1.
fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut steps = 0;
    while delta > (BASE - THRESHOLD_LEAST) * THRESHOLD_MOST / 2 {
        delta /= BASE - THRESHOLD_LEAST;
        steps += BASE;
    }
    steps + (BASE - THRESHOLD_LEAST + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::{ascii_name, is_right_label, letters_name};

    #[test]
    fn labels_in_ascii_are_read_again() {
        for name in ["日本語.jp", "例え.テスト", "münchen.example", "bücher.example", "a-é.example"]
        {
            assert_eq!(letters_name(&ascii_name(name)), name);
            assert!(ascii_name(name).split('.').all(is_right_label), "{name}");
        }
        // Nothing is written so: too short, beyond all letters, plain, not as it is written.
        for label in ["xn--a", "xn--zzzzzzz99", "xn--", "xn--example-", "xn--99999999", "xn--é"] {
            assert!(!is_right_label(label), "{label}");
            assert_eq!(letters_name(label), label);
        }
        assert!(is_right_label("example"));
    }

    #[test]
    fn names_in_other_scripts_are_written_in_ascii() {
        for (name, expected) in [
            ("Example.COM", "example.com"),
            ("日本語.jp", "xn--wgv71a119e.jp"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("日本語。jp", "xn--wgv71a119e.jp"),
            ("München.example", "xn--mnchen-3ya.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("ほんとうに長いわけでもない名前です", "xn--n8jae9b1b4ebcwg7opd0h0b8363g13ftv62a"),
        ] {
            assert_eq!(ascii_name(name), expected, "{name}");
        }
        let long = "あ".repeat(100);
        assert_eq!(ascii_name(&long), long);
    }
}
