//! Descriptors that are on their way and that nobody takes.
//!
//! A member that cannot lend mail any more says so; whose sockets are full is what the kernel says.

use crate::household::Household;
use crate::roster::Role;
use std::fs;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};

/// More than two frames carry: nobody who takes what it is sent has so many before it.
const MANY: u64 = 300;
/// Looked at so often at most: it reads a file for each descriptor of the house.
const PAUSE: Duration = Duration::from_millis(500);
/// Still refused after so long, and no full socket in sight: full ones lie in the sockets
/// themselves, where nobody sees them.
const HIDDEN: Duration = Duration::from_secs(1);
/// A refusal so much later is another one.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// So many who were refused are remembered.
const TELLERS: usize = 8;

/// When somebody was refused.
#[derive(Default)]
pub struct Crowds {
    first: Option<Instant>,
    last: Option<Instant>,
    /// Who was, since the first: two of a kind are believed about all of it.
    tellers: Vec<InstanceId>,
}

impl Household {
    /// `teller` cannot send descriptors. Ends whoever has its sockets full of them. If that is
    /// nobody, all instances of the teller's kind, for what one of them may hold ends with it; but
    /// only the teller if no other says the same: it may lie.
    pub fn hear_crowded(&mut self, (teller, of): (InstanceId, Kind), now: Instant) {
        let since = |at: Instant| now.saturating_duration_since(at);
        if !self.crowds.tellers.contains(&teller) && self.crowds.tellers.len() < TELLERS {
            self.crowds.tellers.push(teller);
        }
        if self.crowds.last.is_some_and(|last| since(last) < PAUSE) {
            return;
        }
        if self.crowds.last.is_none_or(|last| since(last) > FORGOTTEN) {
            self.crowds.first = Some(now);
            self.crowds.tellers = vec![teller];
        }
        self.crowds.last = Some(now);
        let is_hidden = self.crowds.first.is_some_and(|first| since(first) >= HIDDEN);
        let all: Vec<(InstanceId, Kind, u32)> = self
            .members
            .values()
            .filter(|member| matches!(member.role, Role::Instance(_)) && member.pid != 0)
            .map(|member| (member.instance, member.kind, member.pid))
            .collect();
        let mut full: Vec<_> =
            all.iter().copied().filter(|(_, _, pid)| untaken(*pid) > MANY).collect();
        if full.is_empty() && is_hidden {
            let is_alone = self.crowds.tellers.len() < 2;
            full = all;
            full.retain(|(one, kind, _)| *one == teller || (*kind == of && !is_alone));
            self.crowds.last = None;
        }
        for (instance, kind, pid) in full {
            let what = "descriptors that nobody takes keep others from lending mail";
            self.raise_alarm(instance, kind, pid, "sendmsg", what, None);
            self.replace(instance);
        }
    }
}

/// Descriptors that lie in sockets of this process and were not taken. Zero where the kernel does
/// not say, or not to us.
fn untaken(pid: u32) -> u64 {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return 0 };
    let counted = entries.flatten().filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        text.lines().find_map(|line| line.strip_prefix("scm_fds:")?.trim().parse::<u64>().ok())
    });
    counted.sum()
}

#[cfg(test)]
mod tests {
    use super::untaken;
    use std::os::fd::OwnedFd;
    use wire::Channel;

    #[test]
    fn what_nobody_took_is_counted() {
        let before = untaken(std::process::id());
        let (one, other) = Channel::pair().unwrap();
        let held: Vec<OwnedFd> =
            std::iter::repeat_with(|| std::fs::File::open("/dev/null").unwrap().into())
                .take(100)
                .collect();
        for _ in 0..4 {
            one.send(0, &(), &held).unwrap();
        }
        // Other tests of this process may have some on their way too; kernels before 5.11 say none.
        let found = untaken(std::process::id());
        assert!(found >= before.saturating_sub(100) + 400 || found == 0, "{before} {found}");
        while other.take().unwrap().is_some() {}
    }
}
