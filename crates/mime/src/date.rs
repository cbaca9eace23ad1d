//! Dates of mail (RFC 5322 §3.3 and its obsolete forms) as seconds since 1970, UTC.

use crate::parameter::skip_blank;
use terms::Cursor;

/// Words of one date that are looked at.
const WORDS: usize = 12;

/// Reads a Date value. `None` if day, month and year cannot be found.
pub fn epoch_seconds(value: &[u8]) -> Option<i64> {
    let words = words(value);
    let mut found = Found::default();
    for word in &words {
        found.take(word);
    }
    found.seconds()
}

fn words(value: &[u8]) -> Vec<&[u8]> {
    let mut cursor = Cursor::new(value);
    let mut words = Vec::new();
    while words.len() < WORDS {
        skip_blank(&mut cursor);
        let word =
            cursor.take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b',' | b'('));
        if !word.is_empty() {
            words.push(word);
        } else if cursor.next().is_none() {
            break;
        }
    }
    words
}

#[derive(Default)]
struct Found {
    day: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    /// Seconds into the day.
    time: Option<i64>,
    /// Seconds east of Greenwich.
    zone: Option<i64>,
}

impl Found {
    fn take(&mut self, word: &[u8]) {
        let Ok(word) = std::str::from_utf8(word) else {
            return;
        };
        if self.zone.is_none() && self.time.is_some() && word.starts_with(['+', '-']) {
            self.zone = numeric_zone(word);
        } else if word.contains(':') && self.time.is_none() {
            self.time = time_of_day(word);
        } else if word.contains('-') && self.day.is_none() {
            // `22-Nov-2026`, seen in old mail.
            word.split('-').for_each(|piece| self.take(piece.as_bytes()));
        } else if let Ok(number) = word.parse::<i64>() {
            self.take_number(number, word.len());
        } else if self.month.is_none() && month(word).is_some() {
            self.month = month(word);
        } else if self.time.is_some() && self.zone.is_none() {
            self.zone = named_zone(word);
        }
    }

    fn take_number(&mut self, number: i64, digits: usize) {
        if self.day.is_none() && digits <= 3 && (1..=31).contains(&number) {
            self.day = Some(number);
        } else if self.year.is_none() {
            // RFC 5322 §4.3: two digits below 50 are of this century, three add 1900.
            self.year = match digits {
                2 if number < 50 => Some(2000 + number),
                2 | 3 => Some(1900 + number),
                4 => Some(number),
                _ => None,
            };
        }
    }

    fn seconds(&self) -> Option<i64> {
        let days = days_since_1970(self.year?, self.month?, self.day?)?;
        Some(days * 86_400 + self.time.unwrap_or(0) - self.zone.unwrap_or(0))
    }
}

fn time_of_day(word: &str) -> Option<i64> {
    let mut pieces = word.split(':').map(|piece| piece.parse::<i64>().ok());
    let hour = pieces.next()??;
    let minute = pieces.next()??;
    let second = pieces.next().flatten().unwrap_or(0);
    let possible = (0..24).contains(&hour) && (0..60).contains(&minute) && second <= 60;
    (possible && second >= 0).then_some(hour * 3_600 + minute * 60 + second)
}

fn numeric_zone(word: &str) -> Option<i64> {
    let sign = if word.starts_with('-') { -1 } else { 1 };
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    let seconds = number / 100 * 3_600 + number % 100 * 60;
    // RFC 5322 §3.3: within 99:59; the real world stays within 14 hours, 15 leaves room.
    (seconds <= 15 * 3_600).then_some(sign * seconds)
}

fn named_zone(word: &str) -> Option<i64> {
    let hours = match word.to_ascii_uppercase().as_str() {
        "UT" | "UTC" | "GMT" | "Z" => 0,
        "JST" => 9,
        "EST" => -5,
        "EDT" => -4,
        "CST" => -6,
        "CDT" => -5,
        "MST" => -7,
        "MDT" => -6,
        "PST" => -8,
        "PDT" => -7,
        // RFC 5322 §4.3: other names say nothing about the offset.
        _ => return None,
    };
    Some(hours * 3_600)
}

fn month(word: &str) -> Option<i64> {
    const NAMES: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    let index = NAMES.iter().position(|name| *name == start)?;
    i64::try_from(index + 1).ok()
}

/// Days from the epoch in the Gregorian calendar; years of March make leap days simple.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1900..=9999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}
