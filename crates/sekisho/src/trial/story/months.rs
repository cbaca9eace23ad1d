//! Eight months of reading in simulated time: the vault's own budget, with a clock of ours.

use serde_json::{Value, json};
use terms::{TenantId, UserId};
use vault::{Budget, Weighed};

/// From the first entry to its discovery: 2024-08-03 to 2025-04-10.
const DAYS: u64 = 250;
const MINUTE_MS: u64 = 60_000;
const MINUTES: u64 = DAYS * 24 * 60;
/// 2024-08-03 in Japan, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_722_610_800_000;
/// What an intruder reads who is in a hurry, and one who knows the bounds, a minute.
const HASTY: u64 = 2_000;
const PATIENT: u64 = 300;
/// A session ends for good after so long, whatever it does.
const SESSION_HOURS: u64 = 24;

/// What became of one intruder's reading of one person.
struct Read {
    bodies: u64,
    first_alarm_minute: Option<u64>,
    bodies_before_alarm: u64,
    first_stop_minute: Option<u64>,
}

pub fn simulated() -> Value {
    let (hasty, patient) = (read(HASTY), read(PATIENT));
    json!({
        "clock": "simulated; the budget is the vault's own code",
        "days": DAYS,
        "hasty": {
            "bodies_a_minute": HASTY,
            "first_alarm_minute": hasty.first_alarm_minute,
            "bodies_before_alarm": hasty.bodies_before_alarm,
            "first_stop_minute": hasty.first_stop_minute,
        },
        "patient": {
            "bodies_a_minute": PATIENT,
            "first_alarm_minute": patient.first_alarm_minute,
            "bodies_in_all": patient.bodies,
            "session_hours": SESSION_HOURS,
            "bodies_before_session_ends": PATIENT * 60 * SESSION_HOURS,
        },
    })
}

/// Reads at one speed, minute by minute, for as long as it lasted then.
fn read(bodies_a_minute: u64) -> Read {
    let mut budget = Budget::default();
    let (tenant, user) = (TenantId([1; 8]), UserId([1; 8]));
    let mut read = Read {
        bodies: 0,
        first_alarm_minute: None,
        bodies_before_alarm: 0,
        first_stop_minute: None,
    };
    for minute in 0..MINUTES {
        match budget.weigh(BEGIN_MS + minute * MINUTE_MS, tenant, user, bodies_a_minute) {
            Weighed::Within => read.bodies += bodies_a_minute,
            Weighed::Alarm(_) => {
                read.first_alarm_minute.get_or_insert(minute + 1);
                read.bodies += bodies_a_minute;
            }
            Weighed::Stop => {
                read.first_stop_minute.get_or_insert(minute + 1);
            }
        }
        if read.first_alarm_minute.is_none() {
            read.bodies_before_alarm = read.bodies;
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::{HASTY, PATIENT, read};

    #[test]
    fn haste_is_noticed_within_minutes_and_patience_stays_below_the_alarm() {
        let hasty = read(HASTY);
        assert_eq!(hasty.first_alarm_minute, Some(11));
        assert_eq!(hasty.bodies_before_alarm, 20_000);
        assert_eq!(hasty.first_stop_minute, Some(51));
        assert_eq!(read(PATIENT).first_alarm_minute, None);
    }
}
