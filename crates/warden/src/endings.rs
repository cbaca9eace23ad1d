//! Deaths: seen by pidfd, told by the zygote; what follows from each.

use crate::household::Household;
use crate::plan::Happening;
use crate::recorder;
use crate::roster::{Member, Role};
use compartment::zygote::End;
use rustix::process::Signal;
use std::time::{Duration, Instant};
use terms::InstanceId;
use wire::Peer;
use wire::control::Order;
use wire::sentinel::Feed;

/// How long a zygote's word on its child's end is awaited once the pidfd has told it.
const MOURNING: Duration = Duration::from_millis(300);

/// How long a process may live on without its control channel, which is its lifeline.
const ADRIFT: Duration = Duration::from_secs(1);

impl Household {
    /// A member's control channel ended: it has said its last words.
    pub fn see_adrift(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get_mut(&instance) else { return };
        if member.mourned_until.is_some() && !matches!(member.role, Role::Instance(_)) {
            return self.bury(instance);
        }
        member.adrift_until = Some(Instant::now() + ADRIFT);
    }

    /// Ends who lives on without a lifeline.
    pub fn end_the_adrift(&mut self, now: Instant) {
        let adrift = |member: &&Member| member.adrift_until.is_some_and(|until| until <= now);
        let adrift: Vec<InstanceId> =
            self.members.values().filter(adrift).map(|member| member.instance).collect();
        for instance in adrift {
            if let Some(member) = self.members.get_mut(&instance) {
                member.adrift_until = Some(now + ADRIFT);
                member.was_adrift = true;
            }
            self.kill(instance);
        }
    }

    /// A watched pidfd became readable: that process has ended.
    pub fn see_end(&mut self, watch: Peer) {
        let Some(instance) = self.pidfds.get(&watch).copied() else {
            return;
        };
        self.hub.dismiss(watch);
        self.pidfds.remove(&watch);
        let Some(member) = self.members.get_mut(&instance) else {
            return;
        };
        member.mourned_until = Some(Instant::now() + MOURNING);
        // Our own child is ours to collect; of an instance its zygote will tell.
        if !matches!(member.role, Role::Instance(_)) {
            member.end = compartment::birth::reap(i32::try_from(member.pid).unwrap_or(0));
            if member.adrift_until.is_some() {
                self.bury(instance);
            }
        }
    }

    /// A zygote says how its child ended.
    pub fn hear_end(&mut self, instance: InstanceId, end: End) {
        if let Some(member) = self.members.get_mut(&instance) {
            member.end = Some(end);
            self.bury(instance);
        }
    }

    /// Buries those of whom nothing more will be heard.
    pub fn bury_the_mourned(&mut self, now: Instant) {
        let late = |member: &&Member| member.mourned_until.is_some_and(|until| until <= now);
        let late: Vec<InstanceId> =
            self.members.values().filter(late).map(|member| member.instance).collect();
        late.into_iter().for_each(|instance| self.bury(instance));
    }

    /// A member has ended: it is taken off the roster, recorded, and what it leaves is settled.
    pub fn bury(&mut self, instance: InstanceId) {
        // What it did last may explain why it ended.
        self.record_heard();
        let Some(member) = self.members.remove(&instance) else {
            return;
        };
        self.hub.dismiss(member.control);
        self.seats.remove(&member.control);
        if let Some(watch) = member.watch {
            self.hub.dismiss(watch);
            self.pidfds.remove(&watch);
        }
        let end = member.end;
        let known = Known { from_outside: self.is_from_outside(&member), ..Known::from(&member) };
        let (clean, cause) = judge(end, known);
        self.recorder.record(recorder::stop(instance, clean, &cause));
        let kind = member.kind;
        let at_ms = recorder::now_ms();
        self.feed(Feed::Ended { at_ms, instance, kind, clean, cause: cause.clone() });
        (self.plan.tell)(&Happening::Ended { instance, kind, clean, cause: cause.clone() });
        match member.role {
            Role::Single => self.lose_holder(&member, &cause),
            Role::Zygote => {
                self.lose_holder(&member, &cause);
                self.bury_children(instance);
            }
            Role::Instance(zygote) => {
                let violent = matches!(end, Some(End::Signal(_)) | None) && !member.dismissed;
                if (violent || member.off_charter) && self.stopping.is_none() {
                    self.retire(zygote);
                }
                if let Some(scanner) = member.scanner {
                    self.dismiss_member(scanner, true);
                }
            }
        }
    }

    /// A keeper or a zygote was killed, and not by us, and not for want of memory: whoever did it
    /// has rights on this host. Of an instance nobody knows it: it dies with its zygote, too.
    fn is_from_outside(&mut self, member: &Member) -> bool {
        let was_killed = matches!(member.end, Some(End::Signal(signal)) if is_kill(signal));
        let is_ours = member.killed || self.stopping.is_some();
        let is_child = matches!(member.role, Role::Instance(_));
        was_killed && !is_ours && !is_child && self.shortage.is_none_lately(Instant::now())
    }

    fn lose_holder(&mut self, member: &Member, cause: &str) {
        let lived = member.born_at.elapsed();
        let now = Instant::now();
        let own = self.part_mut(member.kind);
        if let Some(part) = own.filter(|part| part.holder == Some(member.instance)) {
            part.lost(lived, now);
            self.note_trouble(member, cause);
        }
    }

    /// Whoever it forked has died with it (its process namespace, or the parent-death signal).
    fn bury_children(&mut self, zygote: InstanceId) {
        let own = |child: &&Member| child.role == Role::Instance(zygote);
        let children: Vec<InstanceId> =
            self.members.values().filter(own).map(|child| child.instance).collect();
        for child in children {
            if let Some(member) = self.members.get_mut(&child) {
                member.dismissed = true;
            }
            self.kill(child);
            self.bury(child);
        }
    }

    /// A zygote whose child died violently forks no more, so that nobody guesses one address
    /// layout twice; a fresh one is executed. It stays for the instances that it has.
    fn retire(&mut self, zygote: InstanceId) {
        let Some(member) = self.members.get_mut(&zygote) else {
            return;
        };
        member.dismissed = true;
        let (kind, control) = (member.kind, member.control);
        let _ = self.hub.send(control, 0, &Order::Stop, Vec::new());
        if let Some(part) = self.part_mut(kind)
            && part.holder == Some(zygote)
        {
            part.holder = None;
            part.next_try = Instant::now();
        }
    }

    /// Ends a member that has no more work. `expected`: it is no sign of an intruder.
    pub fn dismiss_member(&mut self, instance: InstanceId, expected: bool) {
        if let Some(member) = self.members.get_mut(&instance) {
            member.dismissed |= expected;
            self.kill(instance);
        }
    }

    /// SIGKILL by pidfd: it cannot hit a stranger who got the same number.
    pub fn kill(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get_mut(&instance) else { return };
        member.killed = true;
        if let Some(pidfd) = &member.pidfd {
            let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        }
    }
}

/// What we know of a member beside its end.
#[derive(Clone, Copy, Default)]
struct Known {
    off_charter: bool,
    was_adrift: bool,
    dismissed: bool,
    from_outside: bool,
}

impl From<&Member> for Known {
    fn from(member: &Member) -> Self {
        let Member { off_charter, was_adrift, dismissed, .. } = *member;
        Self { off_charter, was_adrift, dismissed, from_outside: false }
    }
}

/// The cause of an end: whoever leaves so is started again until there is room.
pub const NO_ROOM: &str = "the disk is full";

/// Neither we nor the kernel did it.
pub const FROM_OUTSIDE: &str = "killed from outside the house";

/// Whether an end was clean, and its cause in words. They accuse nobody of what load may have done.
fn judge(end: Option<End>, known: Known) -> (bool, String) {
    match end {
        _ if known.off_charter => (false, "off charter".to_owned()),
        Some(End::Signal(signal)) if !is_kill(signal) => (false, format!("signal {signal}")),
        // It may have left long ago, on a machine that had no time to tell us.
        _ if known.was_adrift => (false, "adrift".to_owned()),
        _ if known.dismissed => (true, "dismissed".to_owned()),
        Some(End::Left(0)) => (true, "left".to_owned()),
        Some(End::Signal(_)) if known.from_outside => (false, FROM_OUTSIDE.to_owned()),
        Some(End::Left(code)) if code == i32::from(compartment::NO_ROOM) => {
            (false, NO_ROOM.to_owned())
        }
        Some(End::Left(code)) => (false, format!("left with {code}")),
        Some(End::Signal(signal)) => (false, format!("signal {signal}")),
        None => (false, "ended unseen".to_owned()),
    }
}

/// Whether an end may have been our own doing; a crash never is.
fn is_kill(signal: i32) -> bool {
    signal == Signal::KILL.as_raw()
}

#[cfg(test)]
mod tests {
    use super::{End, Known, judge};

    #[test]
    fn only_what_left_its_charter_is_called_so() {
        let check = |end: Option<End>, known: Known, expected: (bool, &str)| {
            let (clean, cause) = judge(end, known);
            assert_eq!((clean, cause.as_str()), expected);
        };
        let adrift = Known { was_adrift: true, ..Known::default() };
        check(Some(End::Signal(9)), adrift, (false, "adrift"));
        check(Some(End::Left(0)), adrift, (false, "adrift"));
        check(None, adrift, (false, "adrift"));
        check(Some(End::Signal(11)), adrift, (false, "signal 11"));
        let from_outside = Known { from_outside: true, ..Known::default() };
        check(Some(End::Signal(9)), from_outside, (false, "killed from outside the house"));
        check(Some(End::Signal(9)), Known::default(), (false, "signal 9"));
        let dismissed = Known { dismissed: true, ..from_outside };
        check(Some(End::Signal(9)), dismissed, (true, "dismissed"));
        let off_charter = Known { off_charter: true, ..adrift };
        check(Some(End::Signal(9)), off_charter, (false, "off charter"));
        check(Some(End::Left(0)), Known::default(), (true, "left"));
        check(Some(End::Left(1)), Known::default(), (false, "left with 1"));
        check(Some(End::Left(28)), Known::default(), (false, "the disk is full"));
    }
}
