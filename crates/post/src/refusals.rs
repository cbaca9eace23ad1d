//! Hosts that do not take the sign-in which a tenant set for them: nothing of its mail leaves there
//! until somebody sets it anew, and nobody learns that from a queue that nobody looks at. In
//! memory: after a restart it is told anew.

use std::collections::HashMap;
use terms::TenantId;
use wire::post::Route;

/// Whoever runs the house hears of one host once in so long, however much waits for it.
const AGAIN_SECONDS: u32 = 6 * 3_600;
/// No mail waits so long: it was taken, or given back.
const KEPT_SECONDS: u32 = 30 * 24 * 3_600;

/// When it was last told, and when it was last refused.
#[derive(Clone, Copy)]
struct Refusal {
    told_s: u32,
    at_s: u32,
}

#[derive(Default)]
pub struct Refusals(HashMap<(TenantId, Route), Refusal>);

impl Refusals {
    /// It refuses the sign-in. Whether that is to be told.
    pub fn refused(&mut self, of: (TenantId, Route), now: u32) -> bool {
        let known = self.0.get(&of).copied();
        let told = known.filter(|known| now.saturating_sub(known.told_s) < AGAIN_SECONDS);
        let told_s = told.map_or(now, |known| known.told_s);
        self.0.insert(of, Refusal { told_s, at_s: now });
        told.is_none()
    }

    /// It took mail. Whether it had refused the sign-in until now.
    pub fn took(&mut self, of: (TenantId, Route)) -> bool {
        self.0.remove(&of).is_some()
    }

    pub fn forget_quiet(&mut self, now: u32) {
        self.0.retain(|_, refusal| now.saturating_sub(refusal.at_s) < KEPT_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN_SECONDS, KEPT_SECONDS, Refusals};
    use terms::TenantId;
    use wire::post::Route;

    #[test]
    fn a_refusal_is_told_once_in_so_long() {
        let mut refusals = Refusals::default();
        let of = |tenant, route| (TenantId([tenant; 8]), Route([route; 16]));
        assert!(refusals.refused(of(1, 1), 10));
        assert!((11..99).all(|now| !refusals.refused(of(1, 1), now)));
        // Another host, and another tenant's sign-in to the same.
        assert!(refusals.refused(of(1, 2), 10) && refusals.refused(of(2, 1), 10));
        assert!(!refusals.refused(of(1, 1), 9 + AGAIN_SECONDS));
        assert!(refusals.refused(of(1, 1), 10 + AGAIN_SECONDS));
        // Over once, and then told anew at once.
        assert!(refusals.took(of(1, 1)) && !refusals.took(of(1, 1)));
        assert!(refusals.refused(of(1, 1), 11 + AGAIN_SECONDS));
        refusals.forget_quiet(10 + KEPT_SECONDS);
        assert_eq!(refusals.0.len(), 1);
    }
}
