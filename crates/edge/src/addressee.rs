//! One whom a message is for, and who may be addressed beside whom.

use smtp::{Address, Notify, Original, Reply};
use std::time::Instant;
use terms::TenantId;
use wire::directory::{Absence, Onward, Path, PublicKey, Recipient, Statement, TenantSettings};
use wire::lists;

/// One recipient as the vault's signed statement has it.
pub(crate) struct Addressee {
    /// In the one spelling that the directory uses.
    pub address: String,
    /// As it stood in RCPT.
    pub written: String,
    pub tenant: TenantId,
    pub people: Vec<Recipient>,
    pub settings: TenantSettings,
    pub onward: Vec<Onward>,
    /// What is passed on or answered is sealed to it.
    pub transit: Option<PublicKey>,
    pub absence: Option<Absence>,
    pub wishes: Wishes,
    /// When it was noted.
    pub at: Instant,
}

/// RFC 3461 §4.1 and §4.2, passed on as they came.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    pub notify: Option<(bool, bool, bool)>,
    /// `type;xtext`.
    pub original: Option<String>,
}

/// What becomes of mail for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fare {
    /// It is kept for people, and passed on if they want that too.
    Kept,
    /// It goes to the server of its domain, and nobody here keeps it.
    Gateway,
    /// It goes somewhere else, and nobody here keeps it.
    Forward,
    /// It is spread to a list's members, if its author may post.
    List,
    /// It is a word about a list's subscription, and goes nowhere.
    Word,
    /// It is read if it is a report of others, and goes nowhere.
    Report,
}

impl Addressee {
    pub(crate) fn new(written: String, statement: Statement, wishes: Wishes) -> Self {
        Self {
            address: statement.address,
            written,
            tenant: statement.tenant,
            people: statement.recipients,
            settings: statement.settings,
            onward: statement.onward,
            transit: statement.transit,
            absence: statement.absence,
            wishes,
            at: Instant::now(),
        }
    }

    /// Whether everybody for whom it was noted is there by a later statement, too.
    pub(crate) fn is_still(&self, now: &Statement) -> bool {
        let is_there = |person: &Recipient| now.recipients.iter().any(|it| it.user == person.user);
        now.tenant == self.tenant && self.people.iter().all(is_there)
    }

    pub(crate) fn fare(&self) -> Fare {
        fare(&self.people, &self.onward)
    }

    /// The domain of ours that it was for.
    pub(crate) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl Wishes {
    pub(crate) fn new(notify: Option<Notify>, original: Option<&Original>) -> Self {
        let notify = notify.map(|notify| (notify.success, notify.failure, notify.delay));
        let written = |it: &Original| format!("{};{}", it.kind, smtp::xtext(&it.address));
        Self { notify, original: original.map(written) }
    }
}

fn fare(people: &[Recipient], onward: &[Onward]) -> Fare {
    if !people.is_empty() {
        return Fare::Kept;
    }
    let is_of = |path: Path| onward.iter().all(|way| way.path == path);
    match () {
        () if is_of(Path::AsItCame) => Fare::Gateway,
        () if is_of(Path::List) => Fare::List,
        () if is_of(Path::Word) => Fare::Word,
        () if is_of(Path::Report) => Fare::Report,
        () => Fare::Forward,
    }
}

/// Why mail from this sender cannot be taken for this address, or not beside these.
///
/// DATA has one reply. What nobody here keeps cannot be set aside when it is bad, only refused: so
/// it is taken with its like alone, and one reply is the truth for all of them. RFC 5321
/// §4.5.3.1.10: a sender who hears 452 brings the rest in a transaction of its own.
pub(crate) fn hindrance(
    statement: &Statement,
    from: Option<&Address>,
    others: &[Addressee],
) -> Option<Reply> {
    let is_passed_on = !statement.onward.is_empty();
    let leads_nowhere = statement.recipients.is_empty() && !is_passed_on;
    if leads_nowhere || (is_passed_on && statement.transit.is_none()) {
        return Some(Reply::new(451, (3, 0), "recipients cannot be looked up now"));
    }
    let is_way_back = statement.onward.iter().any(|way| way.path == Path::Null)
        || lists::word(&statement.address) == Some(lists::Word::Returned);
    if is_way_back && from.is_some() {
        return Some(Reply::new(550, (7, 1), "this address takes notices of failed mail only"));
    }
    let own = fare(&statement.recipients, &statement.onward);
    if own == Fare::List && from.is_none() {
        return Some(Reply::new(550, (7, 1), "notices are not spread to a list"));
    }
    let is_like = |other: &Addressee| match (own, other.fare()) {
        (Fare::Kept, Fare::Kept) => true,
        // Whether it may be posted, and what it is a word about, is answered for each alone.
        (Fare::List | Fare::Word | Fare::Report, _) => false,
        (_, Fare::List | Fare::Word | Fare::Report) => false,
        (own, theirs) => own == theirs && statement.tenant == other.tenant,
    };
    let fits = others.iter().all(is_like);
    (!fits).then(|| Reply::new(452, (5, 3), "this recipient needs a transaction of its own"))
}

#[cfg(test)]
mod tests {
    use super::{Addressee, Wishes, hindrance};
    use terms::{TenantId, UserId};
    use wire::directory::{Onward, Path, PublicKey, Recipient, Statement, TenantSettings};
    use wire::post::Hop;

    fn key() -> PublicKey {
        PublicKey { suite: 1, epoch: 1, bytes: Vec::new() }
    }

    /// `k`: kept, `g`: gateway, `f`: forward, `b`: a bounce's way back, `l`: a list, `w`: a word,
    /// `r`: reports; then the tenant.
    fn statement(what: &str) -> Statement {
        let (what, tenant) = what.split_at(1);
        let way = |path| Onward {
            user: UserId([0; 8]),
            to: "x@y.example".to_owned(),
            hop: Hop::Domain("y.example".to_owned()),
            path,
        };
        let person = Recipient { user: UserId([1; 8]), body: key(), summary: key() };
        let (recipients, onward) = match what {
            "k" => (vec![person], Vec::new()),
            "K" => (vec![person], vec![way(Path::Rewritten)]),
            "g" => (Vec::new(), vec![way(Path::AsItCame)]),
            "f" => (Vec::new(), vec![way(Path::Rewritten)]),
            "b" => (Vec::new(), vec![way(Path::Null)]),
            "l" => (Vec::new(), vec![way(Path::List)]),
            "w" => (Vec::new(), vec![way(Path::Word)]),
            "r" => (Vec::new(), vec![way(Path::Report)]),
            _ => (Vec::new(), Vec::new()),
        };
        Statement {
            address: "a@b.example".to_owned(),
            tenant: TenantId([tenant.parse().unwrap(); 8]),
            recipients,
            transit: (!onward.is_empty()).then(key),
            onward,
            absence: None,
            settings: TenantSettings::default(),
            issued_ms: 0,
            valid_until_ms: 0,
        }
    }

    #[test]
    fn who_may_stand_beside_whom() {
        let check = |others: &str, what: &str, from: &str, expected: &str| {
            let other =
                |what: &str| Addressee::new(String::new(), statement(what), Wishes::default());
            let others: Vec<Addressee> = others.split_whitespace().map(other).collect();
            let from = smtp::Address::parse(from);
            let found = hindrance(&statement(what), from.as_ref(), &others);
            let found = found.map(|reply| reply.code.to_string()).unwrap_or_default();
            assert_eq!(found, expected, "{what} from {from:?}");
        };
        check("", "k1", "s@x.example", "");
        check("k1", "k2", "s@x.example", "");
        check("k1", "K2", "s@x.example", "");
        check("", "g1", "s@x.example", "");
        check("g1", "g1", "s@x.example", "");
        check("g1", "g2", "s@x.example", "452");
        check("g1", "k1", "s@x.example", "452");
        check("k1", "g1", "s@x.example", "452");
        check("k1", "f1", "s@x.example", "452");
        check("K1", "f1", "s@x.example", "452");
        check("f1", "g1", "s@x.example", "452");
        check("f1", "f1", "s@x.example", "");
        check("", "f1", "", "");
        check("", "b1", "", "");
        check("b1", "f1", "", "");
        check("", "b1", "s@x.example", "550");
        check("", "l1", "s@x.example", "");
        check("", "l1", "", "550");
        check("l1", "l1", "s@x.example", "452");
        check("l1", "f1", "s@x.example", "452");
        check("k1", "l1", "s@x.example", "452");
        check("", "w1", "s@x.example", "");
        check("w1", "w1", "s@x.example", "452");
        check("", "r1", "s@x.example", "");
        check("", "r1", "", "");
        check("r1", "k1", "s@x.example", "452");
        check("k1", "r1", "s@x.example", "452");
        check("", "-1", "s@x.example", "451");
        let mut keyless = statement("g1");
        keyless.transit = None;
        assert_eq!(hindrance(&keyless, None, &[]).unwrap().code, 451);
    }
}
