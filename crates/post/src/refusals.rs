//! Hosts that a tenant named for its mail and that take none of it: they do not let us in with the
//! sign-in that it set, or do not show the TLS that it demands. Nothing of its mail leaves there
//! until somebody mends that, and nobody learns it from a queue that nobody looks at. In memory:
//! after a restart it is told anew.

use std::collections::HashMap;
use terms::TenantId;
use wire::post::{Route, TlsFlaw, WayIn, Why};

/// Whoever runs the house hears of one host once in so long, however much waits for it.
const AGAIN_SECONDS: u32 = 6 * 3_600;
/// No mail waits so long: it was taken, or given back.
const KEPT_SECONDS: u32 = 30 * 24 * 3_600;

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The sign-in is refused.
    SignIn,
    /// It offers nobody to sign in.
    NotOffered,
    /// In no way that we speak.
    NoneOfOurs,
    Tls(TlsFlaw),
}

impl Trouble {
    /// `None`: nothing that whoever runs the house must mend.
    pub fn of(why: Why) -> Option<Self> {
        match why {
            Why::NotSignedIn => Some(Self::SignIn),
            Why::NoWayIn(WayIn::NotOffered) => Some(Self::NotOffered),
            Why::NoWayIn(WayIn::NoneOfOurs) => Some(Self::NoneOfOurs),
            Why::Insecure { flaw, is_named: true } => Some(Self::Tls(flaw)),
            _ => None,
        }
    }

    /// As whoever runs the house hears it: an alarm keeps 160 octets, so what is to be done comes
    /// before where.
    pub fn words(self, (tenant, route): (TenantId, Route)) -> String {
        let place = place(route);
        let what = match self {
            Self::SignIn => format!(
                "a smart host of tenant {tenant} refuses our sign-in: `tenant set NAME --send-user \
                 NAME` sets it anew; mail waits for {place}"
            ),
            Self::NotOffered => format!(
                "a smart host of tenant {tenant} offers no AUTH, and a sign-in is set: is it the \
                 right port? mail waits for {place}"
            ),
            Self::NoneOfOurs => format!(
                "a smart host of tenant {tenant} offers neither AUTH PLAIN nor LOGIN: ask its \
                 operator; mail waits for {place}"
            ),
            Self::Tls(flaw) => format!(
                "a smart host or gateway of tenant {tenant} fails TLS: {}; mail waits for {place}",
                words_of(flaw)
            ),
        };
        what
    }

    /// Once it is so no longer.
    pub fn over(self, (tenant, route): (TenantId, Route)) -> String {
        let place = place(route);
        match self {
            Self::Tls(_) => format!(
                "a smart host or gateway of tenant {tenant} proves itself by TLS again \
                 (destination {place})"
            ),
            _ => format!(
                "a smart host of tenant {tenant} takes our sign-in again (destination {place})"
            ),
        }
    }
}

fn place(route: Route) -> String {
    route.0.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"))
}

fn words_of(flaw: TlsFlaw) -> &'static str {
    let why = match flaw {
        TlsFlaw::NotOffered => "STARTTLS is not offered",
        TlsFlaw::OtherName => "the certificate is for another name",
        TlsFlaw::Expired => "the certificate has expired, or is not valid yet",
        TlsFlaw::NotTrusted => "nobody known has issued the certificate",
        TlsFlaw::NoRecordMet => "no TLSA record is met",
        TlsFlaw::NotInPolicy => "the policy does not name it",
        TlsFlaw::NotMade => "TLS could not be made",
        TlsFlaw::NoAuthority => "no authority is known here",
    };
    why
}

/// When it was last told, and when it was last refused.
#[derive(Clone, Copy)]
struct Refusal {
    told_s: u32,
    at_s: u32,
}

#[derive(Default)]
pub struct Refusals(HashMap<(TenantId, Route), Vec<(Trouble, Refusal)>>);

impl Refusals {
    /// It takes nothing, for this. Whether that is to be told.
    pub fn refused(&mut self, of: (TenantId, Route), trouble: Trouble, now: u32) -> bool {
        let known = self.0.entry(of).or_default();
        let Some((_, refusal)) = known.iter_mut().find(|(one, _)| *one == trouble) else {
            known.push((trouble, Refusal { told_s: now, at_s: now }));
            return true;
        };
        refusal.at_s = now;
        let is_due = now.saturating_sub(refusal.told_s) >= AGAIN_SECONDS;
        if is_due {
            refusal.told_s = now;
        }
        is_due
    }

    /// It took mail. What had been in the way until now.
    pub fn took(&mut self, of: (TenantId, Route)) -> Vec<Trouble> {
        let over = self.0.remove(&of).unwrap_or_default();
        over.into_iter().map(|(trouble, _)| trouble).collect()
    }

    pub fn forget_quiet(&mut self, now: u32) {
        self.0.retain(|_, known| {
            known.retain(|(_, refusal)| now.saturating_sub(refusal.at_s) < KEPT_SECONDS);
            !known.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN_SECONDS, KEPT_SECONDS, Refusals, Trouble};
    use terms::TenantId;
    use wire::post::{Route, TlsFlaw, WayIn, Why};

    #[test]
    fn a_refusal_is_told_once_in_so_long() {
        let mut refusals = Refusals::default();
        let of = |tenant, route| (TenantId([tenant; 8]), Route([route; 16]));
        let mut refused = |of, now| refusals.refused(of, Trouble::SignIn, now);
        assert!(refused(of(1, 1), 10));
        assert!((11..99).all(|now| !refused(of(1, 1), now)));
        // Another host, and another tenant's sign-in to the same.
        assert!(refused(of(1, 2), 10) && refused(of(2, 1), 10));
        assert!(!refused(of(1, 1), 9 + AGAIN_SECONDS));
        assert!(refused(of(1, 1), 10 + AGAIN_SECONDS));
        // Something else is in the way.
        let tls = Trouble::of(Why::Insecure { flaw: TlsFlaw::Expired, is_named: true }).unwrap();
        assert!(refusals.refused(of(1, 1), tls, 11 + AGAIN_SECONDS));
        assert!(!refusals.refused(of(1, 1), tls, 12 + AGAIN_SECONDS));
        // Over once, and then told anew at once.
        assert_eq!(refusals.took(of(1, 1)), [Trouble::SignIn, tls]);
        assert_eq!(refusals.took(of(1, 1)), []);
        assert!(refusals.refused(of(1, 1), Trouble::SignIn, 11 + AGAIN_SECONDS));
        refusals.forget_quiet(10 + KEPT_SECONDS);
        assert_eq!(refusals.0.len(), 1);
    }

    #[test]
    fn what_passes_by_itself_or_is_a_destination_s_own_is_no_trouble() {
        let insecure = |is_named| Why::Insecure { flaw: TlsFlaw::OtherName, is_named };
        for why in [Why::NoWayIn(WayIn::NotNow), insecure(false), Why::Unreachable] {
            assert_eq!(Trouble::of(why), None, "{why:?}");
        }
        assert!(Trouble::of(insecure(true)).is_some());
        // Each as whole as it is kept.
        let of = (TenantId([255; 8]), Route([255; 16]));
        let flaws = TlsFlaw::ALL.into_iter().map(Trouble::Tls);
        let all = [Trouble::SignIn, Trouble::NotOffered, Trouble::NoneOfOurs].into_iter();
        for trouble in all.chain(flaws) {
            let words = trouble.words(of);
            assert!(words.len() <= 160 && words.is_ascii(), "{} {words}", words.len());
        }
    }
}
