//! What each state of a leg promises, and what a crash makes of it.
//!
//! | state | promise | after a crash |
//! |---|---|---|
//! | held | does not leave; ends at its time as it was asked, or by a person's word | held |
//! | ready | leaves as soon as its tenant's turn and its destination allow | ready |
//! | leaving | one `depart` has it; nobody else will get it while that one lives | leaving, if that one lives and says so; else ready: it may arrive twice only if the remote took it and nobody lived to say so |
//! | delayed | is not tried before its time | delayed, by the same clock |
//! | sent | the remote took it; a `send` entry is on its way to the ledger | sent: the entry is handed in again until the ledger has it |
//! | failed | its sender was told by whoever tried last | failed |
//! | cancelled | does not leave; what was begun to be handed over by then may, and is *leaving* until its end is known | cancelled |
//!
//! *Held, delayed, sent, failed, cancelled* are durable before anybody hears of them. *Ready* is what
//! is none of these, and *leaving* is known in memory alone.
//!
//! A leg ends in exactly one of the last three; a message when all of its legs have.

use wire::post::PAUSES;

/// When nobody but we are to blame (keys, DNS, evidence away) it is tried again soon.
pub const OURS_SECONDS: u32 = 60;
/// Seconds before the next attempt, after `attempts` that failed.
pub fn pause_seconds(pauses: &[u32; PAUSES], attempts: u8) -> u32 {
    let place = usize::from(attempts.saturating_sub(1)).min(PAUSES - 1);
    pauses.get(place).copied().unwrap_or(OURS_SECONDS)
}

/// Seconds before a destination that could not be reached is tried again, after `failures` in a
/// row: one attempt then stands for all of its mail.
pub fn closed_seconds(failures: u8) -> u32 {
    let doublings = u32::from(failures.saturating_sub(1)).min(8);
    (60u32 << doublings).min(3600)
}

#[cfg(test)]
mod tests {
    use super::{closed_seconds, pause_seconds};
    use wire::post::Bounds;

    #[test]
    fn pauses_grow_and_end() {
        let check = |attempts: u8, minutes: u32| {
            let pauses = Bounds::default().pauses_seconds;
            assert_eq!(pause_seconds(&pauses, attempts), minutes * 60, "{attempts}");
        };
        check(0, 5);
        check(1, 5);
        check(2, 10);
        check(6, 120);
        check(7, 240);
        check(255, 240);
    }

    #[test]
    fn a_dead_destination_is_asked_less_and_less() {
        let pauses: Vec<u32> = [0, 1, 2, 3, 7, 255].map(closed_seconds).to_vec();
        assert_eq!(pauses, [60, 60, 120, 240, 3600, 3600]);
    }
}
