//! How much may be opened: counted per person, tenant and in all, within an hour.
//!
//! The counts are rebuilt from the ledger at each start, so that a kill never refills them.

use std::collections::{HashMap, VecDeque};
use terms::{TenantId, UserId};

/// What is counted together: an hour covers a first sync and shows a theft early.
pub(crate) const WINDOW_MS: u64 = 3_600_000;
/// Counts are kept by the minute.
const STEP_MS: u64 = 60_000;
/// A person's first sync works below the stop; somebody looks at the alarm.
const USER: Bounds = Bounds { alarm: 20_000, stop: 100_000 };
/// Ten people syncing for the first time in one hour.
const TENANT: Bounds = Bounds { alarm: 200_000, stop: 1_000_000 };
/// What one vault opens in an hour at its full speed, about.
const ALL: Bounds = Bounds { alarm: 1_000_000, stop: 4_000_000 };

#[derive(Clone, Copy)]
struct Bounds {
    alarm: u64,
    stop: u64,
}

/// What is to be done about one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighed {
    Within,
    /// Goes on, but somebody must look: what has passed its bound just now.
    Alarm(String),
    Stop,
}

#[derive(Default)]
struct Window {
    steps: VecDeque<(u64, u64)>,
    total: u64,
    alarmed: bool,
}

impl Window {
    fn forget(&mut self, now_ms: u64) {
        while let Some((at, count)) = self.steps.front().copied() {
            if at + WINDOW_MS > now_ms {
                break;
            }
            self.total -= count;
            self.steps.pop_front();
        }
        if self.total == 0 {
            self.alarmed = false;
        }
    }

    fn add(&mut self, now_ms: u64, count: u64) {
        let at = now_ms - now_ms % STEP_MS;
        match self.steps.back_mut() {
            // A clock that jumped back counts where it stood.
            Some(last) if last.0 >= at => last.1 += count,
            _ => self.steps.push_back((at, count)),
        }
        self.total += count;
    }
}

/// All windows.
#[derive(Default)]
pub struct Budget {
    users: HashMap<UserId, Window>,
    tenants: HashMap<TenantId, Window>,
    all: Window,
}

impl Budget {
    /// Counts `bodies` if they are within every bound; else counts nothing.
    pub fn weigh(&mut self, now_ms: u64, tenant: TenantId, user: UserId, bodies: u64) -> Weighed {
        let windows = [
            (self.users.entry(user).or_default(), USER, format!("user {user}")),
            (self.tenants.entry(tenant).or_default(), TENANT, format!("tenant {tenant}")),
            (&mut self.all, ALL, "all users".to_owned()),
        ];
        let mut weighed = Weighed::Within;
        let mut counted = Vec::with_capacity(3);
        for (window, bounds, whose) in windows {
            window.forget(now_ms);
            if window.total + bodies > bounds.stop {
                return Weighed::Stop;
            }
            counted.push((window, bounds, whose));
        }
        for (window, bounds, whose) in counted {
            window.add(now_ms, bodies);
            if window.total > bounds.alarm && !window.alarmed {
                window.alarmed = true;
                weighed = Weighed::Alarm(format!(
                    "budget: {whose} opened more than {} bodies in an hour",
                    bounds.alarm
                ));
            }
        }
        weighed
    }

    /// From the ledger, at the start: counted whatever the bound.
    pub fn rebuild(&mut self, at_ms: u64, tenant: TenantId, user: UserId, bodies: u64) {
        self.users.entry(user).or_default().add(at_ms, bodies);
        self.tenants.entry(tenant).or_default().add(at_ms, bodies);
        self.all.add(at_ms, bodies);
    }

    /// Forgets people who opened nothing within the hour.
    pub fn sweep(&mut self, now_ms: u64) {
        self.users.retain(|_, window| {
            window.forget(now_ms);
            window.total > 0
        });
        self.tenants.retain(|_, window| {
            window.forget(now_ms);
            window.total > 0
        });
    }
}
