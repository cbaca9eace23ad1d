//! Times as people write them. Entries carry milliseconds since 1970.

use terms::Cursor;

const DAY_MS: u64 = 86_400_000;

/// Year, month, day of a count of days since 1970, in the Gregorian calendar. The year is taken
/// to begin in March, so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Days since 1970 of a date, which must be one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted_year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// The month of a time in UTC, as year × 100 + month: what summary keys are counted by.
pub fn month_of(time_ms: u64) -> u32 {
    let (year, month, _) = civil(time_ms / DAY_MS);
    u32::try_from(year * 100 + month).unwrap_or(u32::MAX)
}

/// `2026-11-22T03:04:05.678Z`.
pub fn rfc3339(time_ms: u64) -> String {
    let (year, month, day) = civil(time_ms / DAY_MS);
    let ms = time_ms % DAY_MS;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1_000 % 60,
        ms % 1_000
    )
}

/// A number below it counts seconds since 1970 (until 5138), from it on milliseconds (since 1973).
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Reads a moment as people and programs write it: as [`parse_rfc3339`] does, or a number of
/// seconds (`date +%s`) or milliseconds since 1970, as milliseconds.
pub fn parse_moment(text: &str) -> Option<u64> {
    match text.parse::<u64>() {
        Ok(seconds) if seconds < MILLISECONDS_FROM => Some(seconds * 1_000),
        Ok(milliseconds) => Some(milliseconds),
        Err(_) => parse_rfc3339(text),
    }
}

/// Reads RFC 3339 times and bare dates (midnight, UTC) from 1970 on, as milliseconds.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let mut cursor = Cursor::new(text.as_bytes());
    let year = digits(&mut cursor, 4)?;
    let month = cursor.eat(b'-').then(|| digits(&mut cursor, 2))??;
    let day = cursor.eat(b'-').then(|| digits(&mut cursor, 2))??;
    let midnight = days(year, month, day).filter(|_| year <= 9_999)? * DAY_MS;
    if cursor.is_at_end() {
        return Some(midnight);
    }
    if !cursor.eat_word(b"t") && !cursor.eat(b' ') {
        return None;
    }
    let hour = digits(&mut cursor, 2)?;
    let minute = cursor.eat(b':').then(|| digits(&mut cursor, 2))??;
    let second = cursor.eat(b':').then(|| digits(&mut cursor, 2))??;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut ms = 0;
    if cursor.eat(b'.') {
        let fraction = cursor.take_while(|byte| byte.is_ascii_digit());
        if fraction.is_empty() {
            return None;
        }
        let scale = [100, 10, 1].into_iter();
        ms = fraction.iter().zip(scale).map(|(digit, scale)| u64::from(digit - b'0') * scale).sum();
    }
    let local = midnight + (hour * 3_600 + minute * 60 + second) * 1_000 + ms;
    let east = match cursor.next()? {
        b'Z' | b'z' => return cursor.is_at_end().then_some(local),
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    let hours = digits(&mut cursor, 2)?;
    let minutes = cursor.eat(b':').then(|| digits(&mut cursor, 2))??;
    if hours > 23 || minutes > 59 || !cursor.is_at_end() {
        return None;
    }
    let offset = (hours * 60 + minutes) * 60_000;
    if east { local.checked_sub(offset) } else { local.checked_add(offset) }
}

fn digits(cursor: &mut Cursor, count: usize) -> Option<u64> {
    let digits = cursor.take(count).filter(|taken| taken.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
