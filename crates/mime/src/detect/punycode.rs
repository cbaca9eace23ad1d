//! Names in their A-label form, read back (RFC 3492, decoding only).

/// A host name with its `xn--` labels decoded; labels that do not decode stay.
pub(crate) fn to_unicode(host: &str) -> String {
    let labels: Vec<String> = host
        .split('.')
        .map(|label| {
            let lower = label.to_ascii_lowercase();
            lower.strip_prefix("xn--").and_then(decode).unwrap_or(lower)
        })
        .collect();
    labels.join(".")
}

/// A DNS label has at most 63 octets; longer ones are none.
const LABEL_BYTES: usize = 63;

fn decode(label: &str) -> Option<String> {
    if label.len() > LABEL_BYTES || !label.is_ascii() {
        return None;
    }
    let (basic, extended) = label.rsplit_once('-').unwrap_or(("", label));
    let mut letters: Vec<char> = basic.chars().collect();
    let mut code = 128u32;
    let mut place = 0u32;
    let mut bias = 72u32;
    let mut digits = extended.bytes();
    while digits.len() > 0 {
        let before = place;
        let mut weight = 1u32;
        let mut step = 36u32;
        loop {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => u32::from(byte - b'a'),
                byte @ b'0'..=b'9' => u32::from(byte - b'0') + 26,
                _ => return None,
            };
            place = place.checked_add(digit.checked_mul(weight)?)?;
            let threshold = step.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
            step += 36;
        }
        let count = u32::try_from(letters.len()).ok()? + 1;
        bias = adapt(place - before, count, before == 0);
        code = code.checked_add(place / count)?;
        place %= count;
        letters.insert(usize::try_from(place).ok()?, char::from_u32(code)?);
        place += 1;
    }
    Some(letters.into_iter().collect())
}

fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}
