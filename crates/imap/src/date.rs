//! Dates of IMAP: a day in SEARCH, a moment with its zone in INTERNALDATE.

use crate::words::{Why, Words, decimal};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 86_400;

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// A point in time, and the zone in which it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub zone_minutes: i16,
}

impl Day {
    /// The proleptic Gregorian calendar, reckoned from March so that leap days come last.
    pub fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }

    /// Year, month 1 to 12, day 1 to 31.
    pub fn civil(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (era * 400 + year + i64::from(month <= 2), month, day)
    }
}

impl Moment {
    pub fn utc(seconds: i64) -> Self {
        Self { seconds, zone_minutes: 0 }
    }

    /// The day in the moment's own zone. RFC 3501 §6.4.4: SEARCH disregards time and zone.
    pub fn day(self) -> Day {
        Day((self.seconds + i64::from(self.zone_minutes) * 60).div_euclid(DAY_SECONDS))
    }

    /// `"dd-Mon-yyyy hh:mm:ss +zzzz"` with its quotes.
    pub fn write(self, out: &mut Vec<u8>) {
        let local = self.seconds + i64::from(self.zone_minutes) * 60;
        let (year, month, day) = Day(local.div_euclid(DAY_SECONDS)).civil();
        let second = local.rem_euclid(DAY_SECONDS);
        out.push(b'"');
        two(out, day);
        out.push(b'-');
        let month = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at));
        out.extend_from_slice(month.unwrap_or(&"Jan").as_bytes());
        out.push(b'-');
        two(out, year / 100);
        two(out, year);
        out.push(b' ');
        two(out, second / 3_600);
        out.push(b':');
        two(out, second / 60 % 60);
        out.push(b':');
        two(out, second % 60);
        out.extend_from_slice(if self.zone_minutes < 0 { b" -" } else { b" +" });
        let zone = i64::from(self.zone_minutes).abs();
        two(out, zone / 60);
        two(out, zone % 60);
        out.push(b'"');
    }
}

fn two(out: &mut Vec<u8>, value: i64) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(b'0' + u8::try_from(digit.clamp(0, 9)).unwrap_or(0));
    }
}

/// date: `1-Feb-1994`, perhaps quoted.
pub(crate) fn day(words: &mut Words) -> Result<Day, Why> {
    let quoted = words.eat(b'"');
    let found = day_month_year(words, false)?;
    if quoted && !words.eat(b'"') {
        return Err("the date's quote is not closed");
    }
    Ok(found)
}

/// date-time: `" 7-Feb-1994 21:52:25 -0800"`.
pub(crate) fn moment(words: &mut Words) -> Result<Moment, Why> {
    let why = "expected a date and time";
    if !words.eat(b'"') {
        return Err(why);
    }
    let Day(days) = day_month_year(words, true)?;
    words.space()?;
    let hour = digits(words, 2, 23)?;
    let minute = words.eat(b':').then(|| digits(words, 2, 59)).ok_or(why)??;
    let second = words.eat(b':').then(|| digits(words, 2, 60)).ok_or(why)??;
    words.space()?;
    let west = words.eat(b'-');
    if !west && !words.eat(b'+') {
        return Err(why);
    }
    let zone = digits(words, 2, 23)? * 60 + digits(words, 2, 59)?;
    let zone = if west { -zone } else { zone };
    if !words.eat(b'"') {
        return Err(why);
    }
    let local = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second.min(59);
    Ok(Moment { seconds: local - zone * 60, zone_minutes: i16::try_from(zone).map_err(|_| why)? })
}

fn day_month_year(words: &mut Words, fixed: bool) -> Result<Day, Why> {
    let why = "expected a date";
    if fixed {
        words.eat(b' ');
    }
    let day = words.take_while(|byte| byte.is_ascii_digit());
    let day = decimal(day).filter(|day| (1..=31).contains(day)).ok_or(why)?;
    let dash = words.eat(b'-');
    let month = words.take_while(|byte| byte.is_ascii_alphabetic());
    let month = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(month));
    let (Some(month), true, true) = (month, dash, words.eat(b'-')) else {
        return Err(why);
    };
    let year = digits(words, 4, 9_999)?;
    let (month, day) = (i64::try_from(month + 1).map_err(|_| why)?, day.cast_signed());
    let found = Day::from_civil(year, month, day);
    // 31-Feb is not a day.
    if found.civil() == (year, month, day) { Ok(found) } else { Err(why) }
}

fn digits(words: &mut Words, count: usize, most: i64) -> Result<i64, Why> {
    let mut left = count;
    let digits = words.take_while(|byte| {
        let wanted = left > 0 && byte.is_ascii_digit();
        left = left.saturating_sub(1);
        wanted
    });
    let value = decimal(digits).filter(|_| digits.len() == count);
    let value = value.and_then(|value| i64::try_from(value).ok()).filter(|value| *value <= most);
    value.ok_or("expected a date and time")
}
