//! The time on the machine's walls, for those who live where no file says it.

use std::ffi::c_long;
use terms::LocalTime;

const DAY: i64 = 24 * 3_600;
/// How far ahead a newborn is told: it lives for less.
const DAYS_AHEAD: i64 = 10 * 366;

unsafe extern "C" {
    /// POSIX; reads `TZ`, or `/etc/localtime` where that is not set.
    fn tzset();
}

/// The machine's local time from yesterday on, as the C library has it: by `TZ`, else by
/// `/etc/localtime`; UTC where neither says anything. Only the warden asks, outside all walls.
pub fn local_time(now_s: i64) -> LocalTime {
    // SAFETY: takes nothing; only a change of the environment could get in its way, and nobody in
    // this process makes one.
    unsafe { tzset() };
    LocalTime { turns: turns(now_s - DAY, now_s + DAYS_AHEAD * DAY, minutes_at) }
}

/// Minutes east of UTC at that second.
fn minutes_at(seconds: i64) -> i16 {
    // SAFETY: a structure of numbers and one pointer, for which zeros are good.
    let mut broken: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both places are ours and outlive the call.
    let known = unsafe { !libc::localtime_r(&seconds, &mut broken).is_null() };
    let east: c_long = if known { broken.tm_gmtoff } else { 0 };
    i16::try_from(east / 60).unwrap_or(0)
}

/// When what `minutes` says changes. No zone turns twice within a day.
fn turns(from: i64, until: i64, minutes: impl Fn(i64) -> i16) -> Vec<(i64, i16)> {
    let mut turns = vec![(from, minutes(from))];
    let mut before = from;
    while before < until {
        let after = before + DAY;
        let then = minutes(after);
        if turns.last().is_some_and(|(_, last)| *last != then) {
            turns.push((first_of(before, after, |second| minutes(second) == then), then));
        }
        before = after;
    }
    turns
}

/// The first second of which it is true, as it is of `to` and is not of `from`.
fn first_of(mut from: i64, mut to: i64, is_so: impl Fn(i64) -> bool) -> i64 {
    while to - from > 1 {
        let middle = from + (to - from) / 2;
        match is_so(middle) {
            true => to = middle,
            false => from = middle,
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::{DAY, local_time, minutes_at, turns};

    #[test]
    fn turns_are_found_to_the_second() {
        let summer = 1_774_746_000..1_792_890_000;
        let minutes = |second: i64| if summer.contains(&second) { 120 } else { 60 };
        let from = 1_770_000_000;
        let found = turns(from, from + 366 * DAY, minutes);
        assert_eq!(found, [(from, 60), (1_774_746_000, 120), (1_792_890_000, 60)]);
        assert_eq!(turns(from, from + 366 * DAY, |_| 540), [(from, 540)]);
    }

    #[test]
    fn what_is_told_is_what_the_machine_says() {
        let now = 1_795_316_096;
        let local = local_time(now);
        for day in 0..3_000 {
            let second = now + day * DAY;
            let told = local.minutes_at(second.cast_unsigned() * 1_000);
            assert_eq!(told, minutes_at(second), "{second}");
        }
    }
}
