//! How much waits for whom, and whether more may: strangers decide how much is passed on for a
//! person, and would fill the disk with what cannot be.
//!
//! What is refused here is not lost: whoever offered it hears 452 and tries again.

use crate::table::{Hand, Message};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use terms::{MessageId, UserId};
use wire::post::{Bounds, Route};

/// One letter takes at most this part of what is left of a share that strangers fill: a few large
/// ones do not take it from the many that are small.
const PART: u64 = 4;
/// Of a small disk so much stays free: the floor is never more than this part of it.
const FLOOR_PART: u64 = 50;
/// A notice empties the queue, so it is kept below the floor, too, down to this part of it.
const NOTICE_FLOOR_PART: u64 = 2;
/// What is passed on in nobody's name to one destination (a gateway's server, a list) takes at most
/// this part of what is passed on for its tenant: one that is dead leaves room for the others.
const NOBODY_PART: u64 = 2;
/// Notices of one tenant to senders outside, and their octets: strangers make them, by servers that
/// do not take them. Beyond this the oldest go.
pub const NOTICES: u64 = 10_000;
const NOTICES_BYTES: u64 = 256 * 1024 * 1024;
/// In whose name gateways' and lists' mail is passed on.
pub const NOBODY: UserId = UserId([0; 8]);

/// Messages and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub messages: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn and(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    /// Whether one more of this size fits below these bounds, `part` times.
    fn has_room(self, bytes: u64, part: u64, (most_bytes, most_messages): (u64, u64)) -> bool {
        let left = most_bytes.saturating_sub(self.bytes);
        self.messages < most_messages && bytes.saturating_mul(part) <= left
    }

    fn percent(self, (most_bytes, most_messages): (u64, u64)) -> u64 {
        let of = |value: u64, most: u64| value.saturating_mul(100) / most.max(1);
        of(self.bytes, most_bytes).max(of(self.messages, most_messages))
    }
}

/// What waits of one tenant.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    all: Amount,
    relayed: Amount,
}

/// In whose name something is passed on: a person's, or nobody's to one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    user: UserId,
    toward: Option<Route>,
}

impl Owner {
    pub fn of(user: UserId, toward: Option<Route>) -> Self {
        Self { user, toward: toward.filter(|_| user == NOBODY) }
    }

    fn most(self, bounds: &Bounds) -> (u64, u64) {
        let (bytes, messages) = relayed_tenant(bounds);
        match self.user {
            NOBODY => (bytes / NOBODY_PART, messages / NOBODY_PART),
            _ => (bounds.relayed_person_bytes, bounds.relayed_person_messages),
        }
    }
}

/// Notices of one tenant: those that go first stand first.
#[derive(Debug, Default)]
struct Notices {
    all: Amount,
    by_age: BTreeMap<(u32, MessageId), u64>,
}

/// All that waits.
#[derive(Debug, Default)]
pub struct Room {
    tenants: HashMap<u32, Share>,
    /// What is passed on, by tenant and person. Nobody is somebody else in each tenant.
    people: HashMap<(u32, Owner), Amount>,
    /// They decide about nothing else: whoever has notices made keeps no mail out by them.
    notices: HashMap<u32, Notices>,
}

/// What is offered: of which tenant and person, by whose hand, and how large.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    pub tenant: Option<u32>,
    pub owner: Owner,
    pub hand: Hand,
    pub bytes: u64,
}

/// What is staged beside it and not counted yet: of its tenant, of that what is passed on, and of
/// that its person's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Staged {
    pub all: Amount,
    pub relayed: Amount,
    pub person: Amount,
}

impl Room {
    pub fn add(&mut self, row: &Message) {
        let bytes = u64::from(row.body.length);
        if row.is_notice {
            let notices = self.notices.entry(row.tenant).or_default();
            notices.all.add(bytes);
            notices.by_age.insert((row.at_s, row.message), bytes);
            return;
        }
        let share = self.tenants.entry(row.tenant).or_default();
        share.all.add(bytes);
        if row.hand == Hand::Others {
            share.relayed.add(bytes);
            self.people.entry((row.tenant, row.owner())).or_default().add(bytes);
        }
    }

    pub fn take(&mut self, row: &Message) {
        let bytes = u64::from(row.body.length);
        if row.is_notice {
            return self.take_notice(row);
        }
        if let Some(share) = self.tenants.get_mut(&row.tenant) {
            share.all.take(bytes);
            if row.hand == Hand::Others {
                share.relayed.take(bytes);
            }
            if share.all.messages == 0 {
                self.tenants.remove(&row.tenant);
            }
        }
        if row.hand == Hand::Others
            && let Some(person) = self.people.get_mut(&(row.tenant, row.owner()))
        {
            person.take(bytes);
            if person.messages == 0 {
                self.people.remove(&(row.tenant, row.owner()));
            }
        }
    }

    fn take_notice(&mut self, row: &Message) {
        let Some(notices) = self.notices.get_mut(&row.tenant) else { return };
        if let Some(bytes) = notices.by_age.remove(&(row.at_s, row.message)) {
            notices.all.take(bytes);
        }
        if notices.by_age.is_empty() {
            self.notices.remove(&row.tenant);
        }
    }

    /// The oldest notices of a tenant, which have to go so that there is room for one more.
    pub fn oldest_notices(&self, tenant: u32, staged: Amount, bytes: u64) -> Vec<MessageId> {
        let Some(notices) = self.notices.get(&tenant) else { return Vec::new() };
        let mut left = notices.all.and(staged);
        left.add(bytes);
        let mut gone = Vec::new();
        for ((_, message), bytes) in &notices.by_age {
            if left.messages <= NOTICES && left.bytes <= NOTICES_BYTES {
                break;
            }
            left.take(*bytes);
            gone.push(*message);
        }
        gone
    }

    pub fn fits(&self, offer: &Offer, staged: Staged, bounds: &Bounds) -> bool {
        let share = offer.tenant.and_then(|place| self.tenants.get(&place));
        let share = share.copied().unwrap_or_default();
        let whole = share.all.and(staged.all);
        if !whole.has_room(offer.bytes, 1, (bounds.tenant_bytes, bounds.tenant_messages)) {
            return false;
        }
        if offer.hand == Hand::Own {
            return true;
        }
        let person = offer.tenant.and_then(|place| self.people.get(&(place, offer.owner)));
        let person = person.copied().unwrap_or_default();
        let (relayed, person) = (share.relayed.and(staged.relayed), person.and(staged.person));
        relayed.has_room(offer.bytes, PART, relayed_tenant(bounds))
            && person.has_room(offer.bytes, PART, offer.owner.most(bounds))
    }

    /// How full the fullest share is.
    pub fn fullest_percent(&self, bounds: &Bounds) -> u64 {
        let most = (bounds.tenant_bytes, bounds.tenant_messages);
        let tenants = self.tenants.values().map(|share| {
            share.all.percent(most).max(share.relayed.percent(relayed_tenant(bounds)))
        });
        let people = self.people.iter();
        let people = people.map(|((_, owner), amount)| amount.percent(owner.most(bounds)));
        tenants.chain(people).max().unwrap_or(0)
    }
}

fn relayed_tenant(bounds: &Bounds) -> (u64, u64) {
    (bounds.relayed_tenant_bytes, bounds.relayed_tenant_messages)
}

/// The disk below the queue, looked at now and then.
#[derive(Default)]
pub struct Disk {
    folder: Option<File>,
    seen: Option<(u64, u64)>,
    /// Octets that were written since it was looked at.
    written: u64,
}

impl Disk {
    pub fn of(folder: &Path) -> Self {
        let mut this = Self { folder: File::open(folder).ok(), ..Self::default() };
        this.look();
        this
    }

    pub fn look(&mut self) {
        let seen = self.folder.as_ref().and_then(|folder| rustix::fs::fstatvfs(folder).ok());
        self.seen = seen.map(|seen| {
            let octets = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
            (octets(seen.f_bavail), octets(seen.f_blocks))
        });
        self.written = 0;
    }

    pub fn wrote(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
    }

    pub fn free(&self) -> Option<u64> {
        self.seen.map(|(free, _)| free.saturating_sub(self.written))
    }

    /// Whether so much leaves the floor dry. A disk that cannot be asked has room until it says
    /// that it has none.
    pub fn has_room(&self, bytes: u64, floor: u64) -> bool {
        self.has_room_above(bytes, floor, 1)
    }

    /// The same for a notice.
    pub fn has_room_for_notice(&self, bytes: u64, floor: u64) -> bool {
        self.has_room_above(bytes, floor, NOTICE_FLOOR_PART)
    }

    fn has_room_above(&self, bytes: u64, floor: u64, part: u64) -> bool {
        let Some((_, whole)) = self.seen else { return true };
        let floor = floor.min(whole / FLOOR_PART) / part;
        self.free().is_none_or(|free| free >= floor.saturating_add(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Bounds, Disk, NOBODY, Offer, Owner, Room, Staged};
    use crate::table::Hand;
    use terms::UserId;
    use wire::post::Route;

    const BOUNDS: Bounds = Bounds {
        tenant_bytes: 1_000,
        tenant_messages: 100,
        relayed_tenant_bytes: 800,
        relayed_tenant_messages: 50,
        relayed_person_bytes: 400,
        relayed_person_messages: 5,
        free_bytes: 0,
        pauses_seconds: [60; wire::post::PAUSES],
        late_seconds: 60,
        expire_seconds: 60,
    };

    fn offer(user: u8, hand: Hand, bytes: u64) -> Offer {
        Offer { tenant: Some(1), owner: Owner::of(UserId([user; 8]), None), hand, bytes }
    }

    fn room(all: u64, relayed: u64, person: u64) -> (Room, Staged) {
        let amount = |bytes| Amount { messages: 1, bytes };
        let staged = Staged { all: amount(all), relayed: amount(relayed), person: amount(person) };
        (Room::default(), staged)
    }

    #[test]
    fn each_share_has_its_bound_and_peoples_own_mail_only_the_tenants() {
        let check = |(room, staged): (Room, Staged), offer: Offer, expected: bool| {
            assert_eq!(room.fits(&offer, staged, &BOUNDS), expected, "{offer:?} {staged:?}");
        };
        check(room(0, 0, 0), offer(1, Hand::Others, 100), true);
        // A quarter of what is left of a person's share, and not more.
        check(room(0, 0, 0), offer(1, Hand::Others, 101), false);
        check(room(300, 300, 300), offer(1, Hand::Others, 26), false);
        check(room(300, 300, 300), offer(1, Hand::Others, 25), true);
        check(room(780, 780, 0), offer(1, Hand::Others, 6), false);
        check(room(800, 800, 400), offer(1, Hand::Own, 200), true);
        check(room(800, 800, 400), offer(1, Hand::Own, 201), false);
        let (room, mut staged) = room(0, 0, 0);
        staged.person.messages = 5;
        check((room, staged), offer(1, Hand::Others, 1), false);
    }

    #[test]
    fn nobody_has_half_of_what_is_passed_on_for_a_tenant_toward_each_destination() {
        let (mut room, staged) = (Room::default(), Staged::default());
        let toward = |route: u8| Owner::of(NOBODY, Some(Route([route; 16])));
        let fits = |room: &Room, tenant: u32, owner: Owner, bytes: u64| {
            let offer = Offer { tenant: Some(tenant), owner, hand: Hand::Others, bytes };
            room.fits(&offer, staged, &BOUNDS)
        };
        assert!(fits(&room, 1, toward(1), 100) && !fits(&room, 1, toward(1), 101));
        // A server that is dead shuts its own domains, and no other's.
        room.people.insert((1, toward(1)), Amount { messages: 25, bytes: 400 });
        assert!(!fits(&room, 1, toward(1), 1));
        assert!(fits(&room, 1, toward(2), 100) && fits(&room, 2, toward(1), 100));
        assert_eq!(Owner::of(UserId([4; 8]), Some(Route([1; 16]))).toward, None);
    }

    #[test]
    fn a_disk_has_room_above_its_floor() {
        let mut disk = Disk { folder: None, seen: Some((1_000, 100_000)), written: 0 };
        assert!(disk.has_room(500, 500) && !disk.has_room(501, 500));
        disk.wrote(100);
        assert!(disk.has_room(400, 500) && !disk.has_room(401, 500));
        assert!(disk.has_room_for_notice(650, 500) && !disk.has_room_for_notice(651, 500));
        // Of a small disk a fiftieth.
        assert!(!disk.has_room(0, 1_000_000));
        disk.seen = Some((2_000, 100_000));
        assert!(!disk.has_room(0, 1_000_000), "1,900 of 2,000");
        disk.look();
        assert!(disk.has_room(1, 1), "nobody knows");
        assert!(Disk::of(&std::env::temp_dir()).free().is_some());
    }
}
