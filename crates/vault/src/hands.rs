//! What each `depart` has in hand: told by `post`, forgotten with either of them. A `depart` opens
//! that and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use terms::{GrantId, InstanceId, MessageId, TenantId, UserId};
use unseal::Agreed;
use wire::vault::{Refusal, TransitItem};

/// Messages in one hand: ten times what the queue gives out at once.
const MESSAGES: usize = 512;
/// Hands at once: ten times what the queue fills.
const HANDS: usize = 1_024;
/// A batch to the slowest destination is over by then.
const LIFE_MS: u64 = 6 * 3_600_000;
/// Grants of one hand: an answer may get lost.
const GRANTS: u32 = 8;
/// Releases of one hand, beyond a few for each message: a `depart` that was taken over cannot fill
/// the ledger.
const RELEASES: u32 = 16;
const RELEASES_EACH: u32 = 4;
/// Sessions with a smart host that one hand may sign in to: as many connections as one attempt
/// makes, and some that broke.
const SESSIONS: u32 = 32;

struct Hand {
    /// The start of `post` that told it.
    by: InstanceId,
    tenant: TenantId,
    messages: BTreeSet<(UserId, MessageId)>,
    until_ms: u64,
    grants: u32,
    releases: u32,
    sessions: u32,
    /// The last one begun, with the key agreed for it once that is done.
    grant: Option<(GrantId, Option<Arc<Agreed>>)>,
}

/// Why a `depart` gets nothing. What it was never handed is not its mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Runs out, or was forgotten with a restart.
    Plain(Refusal),
    /// It asks for what is not in its hand.
    NotInHand,
}

#[derive(Default)]
pub(crate) struct Hands {
    hands: HashMap<InstanceId, Hand>,
}

impl Hands {
    /// What an instance has from now on, and nothing it had before; says why not. A key agreed with
    /// it for the same tenant stays: it opens what is in the hand, whatever that is.
    pub fn fill(
        &mut self,
        (by, instance): (InstanceId, InstanceId),
        tenant: TenantId,
        messages: Vec<(UserId, MessageId)>,
        now_ms: u64,
    ) -> Result<(), &'static str> {
        let before = self.hands.remove(&instance);
        let grant = before.filter(|hand| (hand.by, hand.tenant) == (by, tenant));
        let grant = grant.and_then(|hand| hand.grant);
        if messages.is_empty() {
            return Ok(());
        }
        if messages.len() > MESSAGES {
            return Err("post hands out more messages than go into one hand");
        }
        if self.hands.len() >= HANDS {
            self.sweep(now_ms);
        }
        if self.hands.len() >= HANDS {
            return Err("post fills more hands than there can be");
        }
        let (messages, until_ms) = (messages.into_iter().collect(), now_ms + LIFE_MS);
        let hand =
            Hand { by, tenant, messages, until_ms, grants: 0, releases: 0, sessions: 0, grant };
        self.hands.insert(instance, hand);
        Ok(())
    }

    /// Begins a grant for what an instance has; the one before ends.
    pub fn begin(
        &mut self,
        instance: InstanceId,
        tenant: TenantId,
        grant: GrantId,
        now_ms: u64,
    ) -> Result<(), Denial> {
        let hand = self.hand(instance, now_ms)?;
        if hand.tenant != tenant {
            return Err(Denial::NotInHand);
        }
        hand.grants += 1;
        if hand.grants > GRANTS {
            return Err(Denial::Plain(Refusal::Budget));
        }
        hand.grant = Some((grant, None));
        Ok(())
    }

    /// The key agreed for a grant; whose mail it is for. `None`: the grant is over.
    pub fn agree(
        &mut self,
        instance: InstanceId,
        grant: GrantId,
        agreed: Arc<Agreed>,
    ) -> Option<TenantId> {
        let hand = self.hands.get_mut(&instance)?;
        match &mut hand.grant {
            Some((begun, key)) if *begun == grant => {
                *key = Some(agreed);
                Some(hand.tenant)
            }
            _ => None,
        }
    }

    /// Whether all of this is in that very hand; whose mail it is, and the grant's key.
    pub fn weigh(
        &mut self,
        instance: InstanceId,
        grant: GrantId,
        items: &[TransitItem],
        now_ms: u64,
    ) -> Result<(TenantId, Arc<Agreed>), Denial> {
        let hand = self.hand(instance, now_ms)?;
        let has = |item: &TransitItem| hand.messages.contains(&(item.user, item.message));
        if !items.iter().all(has) {
            return Err(Denial::NotInHand);
        }
        let agreed = match &hand.grant {
            Some((begun, Some(agreed))) if *begun == grant => agreed.clone(),
            _ => return Err(Denial::Plain(Refusal::NoGrant)),
        };
        hand.releases += 1;
        let messages = u32::try_from(hand.messages.len()).unwrap_or(u32::MAX);
        if hand.releases > RELEASES.saturating_add(messages.saturating_mul(RELEASES_EACH)) {
            return Err(Denial::Plain(Refusal::Budget));
        }
        Ok((hand.tenant, agreed))
    }

    /// Whether a credential may be lent under a grant: whose, and the grant's key.
    pub fn lend(
        &mut self,
        instance: InstanceId,
        grant: GrantId,
        now_ms: u64,
    ) -> Result<(TenantId, Arc<Agreed>), Denial> {
        let hand = self.hand(instance, now_ms)?;
        let agreed = match &hand.grant {
            Some((begun, Some(agreed))) if *begun == grant => agreed.clone(),
            _ => return Err(Denial::Plain(Refusal::NoGrant)),
        };
        hand.sessions += 1;
        match hand.sessions > SESSIONS {
            true => Err(Denial::Plain(Refusal::Budget)),
            false => Ok((hand.tenant, agreed)),
        }
    }

    fn hand(&mut self, instance: InstanceId, now_ms: u64) -> Result<&mut Hand, Denial> {
        let hand = self.hands.get_mut(&instance).ok_or(Denial::Plain(Refusal::NoGrant))?;
        match hand.until_ms > now_ms {
            true => Ok(hand),
            false => Err(Denial::Plain(Refusal::Expired)),
        }
    }

    /// A `depart` that is gone or frozen, or a `post` with all that it told.
    pub fn drop_instance(&mut self, instance: InstanceId) {
        self.hands.retain(|has, hand| *has != instance && hand.by != instance);
    }

    pub fn drop_tenant(&mut self, tenant: TenantId) {
        self.hands.retain(|_, hand| hand.tenant != tenant);
    }

    pub fn sweep(&mut self, now_ms: u64) {
        self.hands.retain(|_, hand| hand.until_ms > now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unseal::{GrantContext, Suite, agree};
    use wire::vault::Class;

    const POST: InstanceId = InstanceId([1; 6]);
    const DEPART: InstanceId = InstanceId([2; 6]);
    const OTHER: InstanceId = InstanceId([3; 6]);
    const TENANT: TenantId = TenantId([4; 8]);
    const FIRST: GrantId = GrantId([5; 16]);
    const SECOND: GrantId = GrantId([6; 16]);

    fn messages(numbers: &[u8]) -> Vec<(UserId, MessageId)> {
        numbers.iter().map(|one| (UserId([*one; 8]), MessageId([*one; 16]))).collect()
    }

    fn items(numbers: &[u8]) -> Vec<TransitItem> {
        let item = |(user, message)| {
            let (class, wrapped) = (Class::Body, Vec::new());
            TransitItem { user, message, class, epoch: 1, wrapped }
        };
        messages(numbers).into_iter().map(item).collect()
    }

    fn key() -> Arc<Agreed> {
        let (public, _) = open::Session::new(Suite::X25519).unwrap();
        let context = GrantContext::transit(FIRST, TENANT);
        Arc::new(agree(&public, &context).unwrap().1)
    }

    /// A hand of messages 1 and 2, with an agreed grant.
    fn full() -> Hands {
        let mut hands = Hands::default();
        hands.fill((POST, DEPART), TENANT, messages(&[1, 2]), 0).unwrap();
        hands.begin(DEPART, TENANT, FIRST, 0).unwrap();
        assert_eq!(hands.agree(DEPART, FIRST, key()), Some(TENANT));
        hands
    }

    fn weighed(hands: &mut Hands, instance: InstanceId, grant: GrantId, which: &[u8]) -> String {
        match hands.weigh(instance, grant, &items(which), 1) {
            Ok((tenant, _)) => format!("of {tenant}"),
            Err(denial) => format!("{denial:?}"),
        }
    }

    #[test]
    fn only_what_is_in_that_very_hand_is_opened() {
        let mut hands = full();
        let mut check = |instance, grant, which: &[u8], expected: &str| {
            assert_eq!(weighed(&mut hands, instance, grant, which), expected, "{which:?}");
        };
        let own = "of 0404040404040404";
        check(DEPART, FIRST, &[1], own);
        check(DEPART, FIRST, &[2, 1, 1], own);
        check(DEPART, FIRST, &[], own);
        check(DEPART, FIRST, &[1, 3], "NotInHand");
        check(DEPART, SECOND, &[1], "Plain(NoGrant)");
        check(OTHER, FIRST, &[1], "Plain(NoGrant)");
        let crossed = TransitItem { user: UserId([2; 8]), ..items(&[1]).remove(0) };
        let found = hands.weigh(DEPART, FIRST, &[crossed], 1).map(|(tenant, _)| tenant);
        assert_eq!(found, Err(Denial::NotInHand));
    }

    #[test]
    fn what_it_had_before_is_out_of_its_hand() {
        let mut hands = full();
        hands.fill((POST, DEPART), TENANT, messages(&[3]), 0).unwrap();
        // The key that was agreed serves for what is in the hand now, and for nothing else.
        assert_eq!(weighed(&mut hands, DEPART, FIRST, &[3]), "of 0404040404040404");
        assert_eq!(weighed(&mut hands, DEPART, FIRST, &[1]), "NotInHand");
        hands.fill((POST, DEPART), TenantId([9; 8]), messages(&[3]), 0).unwrap();
        assert_eq!(weighed(&mut hands, DEPART, FIRST, &[3]), "Plain(NoGrant)");
        let mut hands = full();
        hands.fill((OTHER, DEPART), TENANT, messages(&[3]), 0).unwrap();
        assert_eq!(weighed(&mut hands, DEPART, FIRST, &[3]), "Plain(NoGrant)");
        let mut hands = full();
        hands.fill((POST, DEPART), TENANT, Vec::new(), 0).unwrap();
        assert_eq!(weighed(&mut hands, DEPART, FIRST, &[1]), "Plain(NoGrant)");
    }

    #[test]
    fn hands_end_with_whoever_has_or_told_them() {
        let check = |gone: &dyn Fn(&mut Hands), expected: &str| {
            let mut hands = full();
            gone(&mut hands);
            assert_eq!(weighed(&mut hands, DEPART, FIRST, &[1]), expected);
        };
        let own = "of 0404040404040404";
        check(&|hands| hands.drop_instance(DEPART), "Plain(NoGrant)");
        check(&|hands| hands.drop_instance(POST), "Plain(NoGrant)");
        check(&|hands| hands.drop_instance(OTHER), own);
        check(&|hands| hands.drop_tenant(TENANT), "Plain(NoGrant)");
        check(&|hands| hands.drop_tenant(TenantId([9; 8])), own);
        check(&|hands| hands.sweep(LIFE_MS - 1), own);
        check(&|hands| hands.sweep(LIFE_MS), "Plain(NoGrant)");
        let mut hands = full();
        let late = hands.weigh(DEPART, FIRST, &[], LIFE_MS).map(|(tenant, _)| tenant);
        assert_eq!(late, Err(Denial::Plain(Refusal::Expired)));
    }

    /// Whatever happens, in whatever order: what is opened was in that very hand last, and what
    /// is not gets refused as what it is.
    #[test]
    fn no_order_of_things_opens_what_was_not_handed() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut dice = |sides: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) % sides
        };
        let instance = |number: u64| InstanceId([10 + number as u8; 6]);
        let grant = |number: u64| GrantId([number as u8; 16]);
        let agreed = key();
        let mut hands = Hands::default();
        // What each instance was handed last, and the grant that it may use.
        let mut model: HashMap<u64, (Vec<u8>, Option<u64>)> = HashMap::new();
        let (mut opened, mut alarmed, mut next) = (0, 0, 0);
        for _ in 0..60_000 {
            let who = dice(4);
            match dice(40) {
                0..3 => {
                    let some: Vec<u8> = (0..dice(6)).map(|_| dice(6) as u8).collect();
                    hands.fill((POST, instance(who)), TENANT, messages(&some), 0).unwrap();
                    let granted = model.remove(&who).and_then(|(_, granted)| granted);
                    if !some.is_empty() {
                        model.insert(who, (some, granted));
                    }
                }
                3 => {
                    hands.drop_instance(instance(who));
                    model.remove(&who);
                }
                4..8 => {
                    next += 1;
                    if hands.begin(instance(who), TENANT, grant(next % 200), 0).is_ok() {
                        let is_agreed = dice(5) > 0;
                        if is_agreed {
                            hands.agree(instance(who), grant(next % 200), agreed.clone()).unwrap();
                        }
                        let granted = is_agreed.then_some(next % 200);
                        model.get_mut(&who).unwrap().1 = granted;
                    }
                }
                _ => {
                    let asked: Vec<u8> = (0..1 + dice(3)).map(|_| dice(6) as u8).collect();
                    let with = model.get(&who).and_then(|(_, granted)| *granted);
                    let with = with.filter(|_| dice(4) > 0).unwrap_or(dice(200));
                    let found = hands.weigh(instance(who), grant(with), &items(&asked), 0);
                    let has = model.get(&who);
                    let holds = has.map(|(has, _)| asked.iter().all(|one| has.contains(one)));
                    match found {
                        Ok(_) => {
                            opened += 1;
                            assert_eq!(holds, Some(true));
                            assert_eq!(has.and_then(|(_, granted)| *granted), Some(with));
                        }
                        Err(Denial::NotInHand) => {
                            alarmed += 1;
                            assert_eq!(holds, Some(false));
                        }
                        Err(Denial::Plain(_)) => assert_ne!(holds, Some(false)),
                    }
                }
            }
        }
        assert!(opened > 500 && alarmed > 500, "{opened} {alarmed}");
    }

    #[test]
    fn a_hand_borrows_its_own_tenant_s_credential_so_many_times() {
        let mut hands = full();
        let mut lent = |instance, grant| match hands.lend(instance, grant, 1) {
            Ok((tenant, _)) => format!("of {tenant}"),
            Err(denial) => format!("{denial:?}"),
        };
        assert_eq!(lent(OTHER, FIRST), "Plain(NoGrant)");
        assert_eq!(lent(DEPART, SECOND), "Plain(NoGrant)");
        let times = (0..100).filter(|_| lent(DEPART, FIRST) == "of 0404040404040404").count();
        assert_eq!(times, 32);
        assert_eq!(lent(DEPART, FIRST), "Plain(Budget)");
        // The next hand has its own sessions; none has nothing.
        hands.fill((POST, DEPART), TENANT, messages(&[3]), 0).unwrap();
        assert!(hands.lend(DEPART, FIRST, 1).is_ok());
        hands.fill((POST, DEPART), TENANT, Vec::new(), 0).unwrap();
        assert!(hands.lend(DEPART, FIRST, 1).is_err());
    }

    #[test]
    fn a_hand_has_its_limits() {
        let mut hands = full();
        assert_eq!(hands.begin(DEPART, TenantId([9; 8]), SECOND, 0), Err(Denial::NotInHand));
        assert_eq!(hands.begin(OTHER, TENANT, SECOND, 0), Err(Denial::Plain(Refusal::NoGrant)));
        let releases = (0..100).filter(|_| weighed(&mut hands, DEPART, FIRST, &[1]).len() == 19);
        assert_eq!(releases.count(), 24);
        let grants = (0..20).filter(|_| hands.begin(DEPART, TENANT, SECOND, 0).is_ok());
        assert_eq!(grants.count(), 7);
        let many = |count: usize| {
            let id = |number: usize| MessageId((number as u128).to_be_bytes());
            (0..count).map(|number| (UserId([1; 8]), id(number))).collect()
        };
        assert!(hands.fill((POST, DEPART), TENANT, many(MESSAGES), 0).is_ok());
        assert!(hands.fill((POST, DEPART), TENANT, many(MESSAGES + 1), 0).is_err());
        assert_eq!(weighed(&mut hands, DEPART, SECOND, &[]), "Plain(NoGrant)");
        let mut hands = Hands::default();
        let mut fill = |number: usize, at| {
            let [.., a, b] = (number as u64).to_be_bytes();
            let instance = InstanceId([a, b, 0, 0, 0, 0]);
            hands.fill((POST, instance), TENANT, messages(&[1]), at).is_ok()
        };
        assert!((0..HANDS).all(|number| fill(number, 0)));
        assert!(!fill(HANDS, 1));
        assert!(fill(HANDS, LIFE_MS), "what ran out makes room");
    }
}
