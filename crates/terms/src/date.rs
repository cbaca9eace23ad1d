//! When a message came in, and what time it was then where the house stands.

use serde::{Deserialize, Serialize};

/// The bits of [`Received`] that are milliseconds: they last beyond the year 10,000.
const TIME_BITS: u32 = 48;
const LAST_MS: u64 = (1 << TIME_BITS) - 1;
/// No zone is a day away (RFC 3501 §9: two digits of hours, two of minutes).
const FARTHEST_MINUTES: i16 = 24 * 60 - 1;

/// A message's internal date (RFC 3501 §2.3.3): when it came in, and the zone in which that is
/// said, which decides its day.
///
/// One number, since a folder has a hundred thousand of them: milliseconds since 1970, and the zone
/// above them. What was kept before there were zones is milliseconds alone, and so is in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Received(u64);

impl Received {
    /// `zone_minutes`: east of UTC.
    pub fn new(at_ms: u64, zone_minutes: i16) -> Self {
        let zone = zone_minutes.clamp(-FARTHEST_MINUTES, FARTHEST_MINUTES);
        // East and west in turn, so that a zone has no sign: 0, -1, 1, -2, ...
        let zone = (zone << 1 ^ zone >> 15).cast_unsigned();
        Self(u64::from(zone) << TIME_BITS | at_ms.min(LAST_MS))
    }

    /// As it is kept.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn at_ms(self) -> u64 {
        self.0 & LAST_MS
    }

    /// Minutes east of UTC.
    pub fn zone_minutes(self) -> i16 {
        let zone = u16::try_from(self.0 >> TIME_BITS).unwrap_or(0);
        (zone >> 1).cast_signed() ^ -(zone & 1).cast_signed()
    }
}

/// How far the clocks on the wall are from UTC, and from when on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalTime {
    /// Seconds since 1970, ascending, and the minutes east of UTC that hold from then on. Before
    /// the first what it says holds, too; with none it is UTC.
    pub turns: Vec<(i64, i16)>,
}

impl LocalTime {
    /// Minutes east of UTC at that time.
    pub fn minutes_at(&self, at_ms: u64) -> i16 {
        let seconds = (at_ms / 1_000).cast_signed();
        let passed = self.turns.partition_point(|(from, _)| *from <= seconds);
        self.turns.get(passed.saturating_sub(1)).map_or(0, |(_, minutes)| *minutes)
    }

    /// A message that comes in at that time.
    pub fn received(&self, at_ms: u64) -> Received {
        Received::new(at_ms, self.minutes_at(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_MS, LocalTime, Received};

    #[test]
    fn a_date_is_one_number_and_comes_back() {
        for at_ms in [0, 1, 1_795_316_096_123, LAST_MS] {
            for zone in [0, 1, -1, 540, -480, 345, 1_439, -1_439] {
                let received = Received::from_number(Received::new(at_ms, zone).number());
                assert_eq!((received.at_ms(), received.zone_minutes()), (at_ms, zone));
                assert!(i64::try_from(received.number()).is_ok(), "{at_ms} {zone}");
            }
        }
        let beyond = Received::new(u64::MAX, i16::MIN);
        assert_eq!((beyond.at_ms(), beyond.zone_minutes()), (LAST_MS, -1_439));
    }

    #[test]
    fn a_number_of_milliseconds_is_in_utc() {
        let old = Received::from_number(1_795_316_096_123);
        assert_eq!((old.at_ms(), old.zone_minutes()), (1_795_316_096_123, 0));
        assert_eq!(old, Received::new(1_795_316_096_123, 0));
    }

    #[test]
    fn the_clocks_on_the_wall_turn() {
        let paris = LocalTime { turns: vec![(0, 60), (1_774_746_000, 120), (1_792_890_000, 60)] };
        for (local, at_s, minutes) in [
            (&LocalTime::default(), 1_795_000_000, 0),
            (&paris, 0, 60),
            (&paris, 1_774_745_999, 60),
            (&paris, 1_774_746_000, 120),
            (&paris, 1_792_889_999, 120),
            (&paris, 4_000_000_000, 60),
        ] {
            assert_eq!(
                local.received(at_s * 1_000),
                Received::new(at_s * 1_000, minutes),
                "{at_s}"
            );
        }
        let later = LocalTime { turns: vec![(1_000, 540)] };
        assert_eq!(later.minutes_at(0), 540);
    }
}
