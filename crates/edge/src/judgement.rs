//! One verdict for each recipient, by the recipient's tenant's rules.

use crate::arrival::{Examined, Received};
use crate::neighbours::Neighbours;
use policy::{Authentication, Facts, HouseRules};
use std::collections::HashSet;
use terms::{MessageId, TenantId, Verdict};
use wire::directory::{Recipient, TenantSettings};
use wire::scanner::Examined as Seen;

/// A message with a verdict for each person it is for.
pub(crate) struct Judged {
    pub received: Received,
    pub seen: Seen,
    pub people: Vec<Person>,
}

/// One person, whatever the number of addresses that named them.
pub(crate) struct Person {
    pub tenant: TenantId,
    pub keys: Recipient,
    pub judged: policy::Judged,
}

pub(crate) fn judge(examined: Examined, house: &mut Neighbours) -> Judged {
    let judged = judge_once(examined, false);
    // RFC 9989 §5.3.5 leaves it to us how long a failing DNS is waited for.
    if judged.together() == policy::Reply::Defer && house.was_put_off(&judged) {
        let Judged { received, seen, .. } = judged;
        return judge_once(Examined { received, seen }, true);
    }
    judged
}

fn judge_once(examined: Examined, waited: bool) -> Judged {
    let Examined { received, seen } = examined;
    let authentication: Option<Authentication> = postcard::from_bytes(&seen.authentication).ok();
    let mut people = Vec::new();
    let mut known = HashSet::new();
    for addressee in &received.offered.addressees {
        let house = rules(&addressee.settings);
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
    }
    Judged { received, seen, people }
}

impl Judged {
    pub(crate) fn id(&self) -> MessageId {
        self.received.id
    }

    /// DATA has one reply, however many verdicts there are.
    pub(crate) fn together(&self) -> policy::Reply {
        let verdicts: Vec<Verdict> =
            self.people.iter().map(|person| person.judged.verdict).collect();
        policy::together(&verdicts)
    }

    /// What a sender may know: the id to ask about, and the heaviest reason by its name.
    pub(crate) fn refusal_words(&self) -> String {
        let first = self.people.first().and_then(|person| person.judged.reasons.first());
        match first {
            Some(reason) => format!("refused ({}); ask about {}", reason.id, self.id()),
            None => format!("refused; ask about {}", self.id()),
        }
    }
}

fn rules(settings: &TenantSettings) -> HouseRules {
    HouseRules {
        tag_from: settings.tag_from,
        junk_from: settings.junk_from,
        quarantine_from: settings.quarantine_from,
        refuse_from: settings.refuse_from,
        obey_dmarc: settings.obey_dmarc,
        trusted_sealers: settings.trusted_sealers.clone(),
    }
}
