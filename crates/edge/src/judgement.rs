//! One verdict for each recipient, by the recipient's tenant's rules.

use crate::addressee::{Addressee, Fare};
use crate::arrival::{Examined, Received};
use crate::neighbours::Neighbours;
use crate::own;
use policy::{Authentication, Facts, Outcome};
use std::collections::HashSet;
use terms::{MessageId, TenantId, Verdict};
use wire::directory::Recipient;
use wire::scanner::Examined as Seen;

/// A message with a verdict for each person it is for.
pub(crate) struct Judged {
    pub received: Received,
    pub seen: Seen,
    pub people: Vec<Person>,
    pub passing: Vec<Passing>,
    pub authentication: Option<Authentication>,
    /// What a list's members are told with, once its author may post.
    pub permit: Option<[u8; 16]>,
    /// It has been here before, and is not passed on again.
    pub is_back: bool,
}

/// One person, whatever the number of addresses that named them.
pub(crate) struct Person {
    pub tenant: TenantId,
    pub keys: Recipient,
    pub judged: policy::Judged,
}

/// An address whose mail is passed on, if its verdict lets it.
pub(crate) struct Passing {
    /// Its place among the addressees.
    place: usize,
    pub judged: policy::Judged,
}

pub(crate) fn judge(examined: Examined, house: &mut Neighbours) -> Judged {
    let Examined { received, seen } = examined;
    let mut facts: Option<Authentication> = postcard::from_bytes(&seen.authentication).ok();
    if let Some(facts) = &mut facts {
        (facts.claim, facts.claimed) = own::claim(&received, facts, house);
    }
    let judged = judge_once(Examined { received, seen }, facts, false);
    // RFC 9989 §5.3.5 leaves it to us how long a failing DNS is waited for.
    if judged.together() == policy::Reply::Defer && house.was_put_off(&judged) {
        let Judged { received, seen, authentication, .. } = judged;
        return judge_once(Examined { received, seen }, authentication, true);
    }
    judged
}

fn judge_once(examined: Examined, authentication: Option<Authentication>, waited: bool) -> Judged {
    let Examined { received, seen } = examined;
    let mut people = Vec::new();
    let mut passing = Vec::new();
    let mut known = HashSet::new();
    for (place, addressee) in received.offered.addressees.iter().enumerate() {
        let house = copies::rules(&addressee.settings);
        let judged = policy::judge(&Facts {
            findings: &seen.findings,
            authentication: authentication.as_ref(),
            house: &house,
            allowed: false,
            waited,
        });
        for person in &addressee.people {
            if known.insert((addressee.tenant, person.user)) {
                let (tenant, keys) = (addressee.tenant, person.clone());
                people.push(Person { tenant, keys, judged: judged.clone() });
            }
        }
        if !addressee.onward.is_empty() {
            passing.push(Passing { place, judged });
        }
    }
    Judged { received, seen, people, passing, authentication, permit: None, is_back: false }
}

impl Judged {
    pub(crate) fn id(&self) -> MessageId {
        self.received.id
    }

    /// DATA has one reply, however many verdicts there are.
    pub(crate) fn together(&self) -> policy::Reply {
        let mut verdicts: Vec<Verdict> =
            self.people.iter().map(|person| person.judged.verdict).collect();
        let is_kept_by_nobody =
            |passing: &&Passing| self.fare_of(passing).is_some_and(|fare| fare != Fare::Kept);
        for passing in self.passing.iter().filter(is_kept_by_nobody) {
            verdicts.push(match passing.judged.verdict {
                Verdict::Defer => Verdict::Defer,
                _ if self.goes_on(passing) => Verdict::Deliver,
                _ => Verdict::Refuse,
            });
        }
        // Nobody could set aside what is not passed on: refused for one is refused for all. They
        // are of one tenant, and nobody who keeps it stands beside them.
        if self.people.is_empty() && verdicts.contains(&Verdict::Refuse) {
            verdicts.retain(|verdict| *verdict != Verdict::Deliver);
        }
        policy::together(&verdicts)
    }

    /// Whether it is good enough to be passed on. Junk is kept from everybody but the server of a
    /// gateway's domain, which has the people's junk folders; what nobody could read goes nowhere.
    pub(crate) fn goes_on(&self, passing: &Passing) -> bool {
        let below = match self.fare_of(passing) {
            Some(Fare::Gateway) => Verdict::Quarantine,
            Some(Fare::Kept | Fare::Forward | Fare::List) => Verdict::Junk,
            Some(Fare::Word | Fare::Report) => return false,
            None => return false,
        };
        self.seen.header.is_some() && passing.judged.verdict < below
    }

    /// Whether the sender's domain has proven itself: its server's address, or a signature of the
    /// author's domain where that is the sender's. To others nothing is written back, beyond the
    /// reply to DATA: anybody can put their address into an envelope.
    pub(crate) fn proves_sender(&self) -> bool {
        let from = self.received.offered.from.as_ref();
        let (Some(facts), Some(from)) = (&self.authentication, from) else { return false };
        let (sender, author) =
            (from.domain().to_ascii_lowercase(), facts.from_domain.to_ascii_lowercase());
        let is_below = sender.strip_suffix(&author).is_some_and(|rest| rest.ends_with('.'));
        let is_theirs = !author.is_empty() && (sender == author || is_below);
        facts.spf == Outcome::Pass || (facts.author_signed && is_theirs)
    }

    pub(crate) fn addressee(&self, passing: &Passing) -> Option<&Addressee> {
        self.received.offered.addressees.get(passing.place)
    }

    pub(crate) fn tenant_of(&self, passing: &Passing) -> Option<TenantId> {
        self.addressee(passing).map(|addressee| addressee.tenant)
    }

    fn fare_of(&self, passing: &Passing) -> Option<Fare> {
        self.addressee(passing).map(Addressee::fare)
    }

    /// Octets of the message as it goes on, without the forged fields.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let cut: u64 = self.seen.forged.iter().map(|(start, end)| end - start).sum();
        self.received.text.len() - cut
    }

    /// What a sender may know: the id to ask about, and the heaviest reason by its name.
    pub(crate) fn refusal_words(&self) -> String {
        let judged = self.people.iter().map(|person| &person.judged);
        let first = judged.chain(self.passing.iter().map(|passing| &passing.judged)).next();
        let first = first.and_then(|judged| judged.reasons.first());
        match first {
            Some(reason) => format!("refused ({}); ask about {}", reason.id, self.id()),
            None => format!("refused; ask about {}", self.id()),
        }
    }
}
