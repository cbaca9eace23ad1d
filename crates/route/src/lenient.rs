//! Reports of others as they really are: fields left away, one where the standard has several, and
//! moments in more than one spelling.

use serde::{Deserialize, Deserializer};

/// A text, or several; what is null is none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

/// `mx-host` is an array in RFC 8460 §4.4 and a text in its own example.
pub fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Option::deserialize(from)? {
        Some(Texts::One(text)) => vec![text],
        Some(Texts::Several(texts)) => texts,
        None => Vec::new(),
    })
}

/// What may be null.
pub fn nullable<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Seconds since 1970 of a moment in RFC 3339; of a day alone, its beginning.
pub fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(10)?;
    let mut numbers = day.split('-').map(number);
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut at = days(year, month, day) * 86_400;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty().then(|| u64::try_from(at).ok()).flatten();
    };
    let (clock, rest) = rest.split_at_checked(8)?;
    let mut numbers = clock.split(':').map(number);
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    at += hour * 3_600 + minute * 60 + second;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|one: char| one.is_ascii_digit()),
        None => rest,
    };
    u64::try_from(at - east(rest)?).ok()
}

/// Seconds east of Greenwich.
fn east(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return Some(0),
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn number(digits: &str) -> Option<i64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| are_digits && digits.len() <= 4)
}

/// Days since 1970, by the calendar that began with the 1st of March of the year 0.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap = year / 4 - year / 100 + year / 400;
    year * 365 + leap + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn moments() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(seconds(text), expected);
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-28T00:00:00Z", Some(1_795_824_000));
        check("2026-11-28T23:59:59.999Z", Some(1_795_910_399));
        check("2026-11-28T09:00:00+09:00", Some(1_795_824_000));
        check("2026-11-27T19:00:00-05:00", Some(1_795_824_000));
        check("2026-11-28 00:00:00", Some(1_795_824_000));
        check("2026-11-28", Some(1_795_824_000));
        check("2024-02-29T00:00:00Z", Some(1_709_164_800));
        check("2026-13-01T00:00:00Z", None);
        check("2026-11-28T", None);
        check("2026-11-28T24:00:00Z", None);
        check("2026-11-28T00:00:00+9", None);
        check("+026-11-28T00:00:00Z", None);
        check("28 November", None);
        check("２０２６", None);
        check("", None);
    }
}
