//! A set of our own on a chain, for mail that is passed on. RFC 8617 §5.1, the writing half.
//!
//! In order: [`Set::begin`] with what was found when the message arrived, then the message
//! signature, then the seal over it, then [`Set::fields`] on top of the message.

use super::{ArcResult, SETS, instance};
use crate::canon::{self, Canon};
use crate::fields::{Field, take_apart};
use crate::sign::{SigningAs, Unsigned, names, signature_tags, signed};
use crate::tags::Tags;
use terms::ascii_name;

/// The field that is added first, and what the seal says of the chain below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    instance: usize,
    state: ArcResult,
    /// ARC-Authentication-Results with its CRLF.
    results: String,
}

impl Set {
    /// `header`: the message's own, as it came. `state` and `results` are what was found then: the
    /// chain's state and the Authentication-Results field. `None`: the chain ends here, because it
    /// is known to be broken (§5.1, step 1) or as long as chains may be.
    pub fn begin(header: &[u8], state: ArcResult, results: &str) -> Option<Self> {
        let parts = take_apart(header);
        let newest = parts.fields.iter().filter_map(instance_of).max().unwrap_or(0);
        let instance = newest + 1;
        let told_broken = parts.fields.iter().any(|field| says_broken(field, newest));
        if instance > SETS || told_broken {
            return None;
        }
        // A chain that passed has sets; whatever is said otherwise is a chain that broke.
        let state = match (state, newest) {
            (ArcResult::None, 0) => ArcResult::None,
            (ArcResult::Pass, 1..) => ArcResult::Pass,
            _ => ArcResult::Fail,
        };
        let (_, found) = results.split_once(':')?;
        let found = found.trim_matches([' ', '\t', '\r', '\n']);
        let results = format!("ARC-Authentication-Results: i={instance};\r\n\t{found}\r\n");
        Some(Self { instance, state, results })
    }

    /// The ARC-Message-Signature of the message as it leaves, without this set.
    pub fn message_signature(
        &self,
        header: &[u8],
        body: &[u8; 32],
        by: &SigningAs<'_>,
    ) -> Unsigned {
        let parts = take_apart(header);
        let mut names = names(&parts.fields);
        // §4.1.2: the signatures that were found good, and never a seal.
        let signatures = parts.fields.iter().filter(|field| field.is("DKIM-Signature")).count();
        names.extend(std::iter::repeat_n("DKIM-Signature", signatures.min(SIGNATURES)));
        let tags = signature_tags(&names, body, by);
        let field = format!("ARC-Message-Signature: i={}; {tags}", self.instance);
        signed(&names, &parts.fields, field)
    }

    /// The ARC-Seal over all sets, or over this one alone if the chain is broken (§5.1.2).
    pub fn seal(&self, header: &[u8], message_signature: &str, by: &SigningAs<'_>) -> Unsigned {
        let mut canonical = Vec::new();
        if self.state == ArcResult::Pass {
            earlier_sets(header, self.instance, &mut canonical);
        }
        for field in [&self.results, message_signature] {
            canon::header(Canon::Relaxed, field.trim_end().as_bytes(), &mut canonical);
        }
        let field = format!(
            "ARC-Seal: i={}; a={}; cv={}; d={};\r\n\ts={}; t={};\r\n\tb=",
            self.instance,
            by.algorithm,
            self.state.word(),
            ascii_name(by.domain),
            by.selector,
            by.now,
        );
        canon::header(Canon::Relaxed, field.as_bytes(), &mut canonical);
        canonical.truncate(canonical.len().saturating_sub(2));
        Unsigned::new(field, canonical)
    }

    /// The set as it stands on top of the message.
    pub fn fields(&self, message_signature: &str, seal: &str) -> String {
        format!("{seal}{message_signature}{}", self.results)
    }
}

/// Signatures covered; more are not looked at by anybody (RFC 6376 §8.4).
const SIGNATURES: usize = 10;

/// The names of a set, in the order in which a seal covers them (§5.1.1).
const SET: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

fn earlier_sets(header: &[u8], below: usize, canonical: &mut Vec<u8>) {
    let parts = take_apart(header);
    for number in 1..below {
        for name in SET {
            let mut of_set = parts.fields.iter().filter(|field| field.is(name));
            if let Some(field) = of_set.find(|field| instance_of(field) == Some(number)) {
                canon::header(Canon::Relaxed, field.raw, canonical);
            }
        }
    }
}

fn instance_of(field: &Field<'_>) -> Option<usize> {
    let is_results = field.is("ARC-Authentication-Results");
    let is_of_set = SET.iter().any(|name| field.is(name));
    is_of_set.then(|| instance(field.value, is_results)).flatten()
}

/// Whether the newest seal says that the chain is broken.
fn says_broken(field: &Field<'_>, newest: usize) -> bool {
    let is_newest = field.is("ARC-Seal") && instance_of(field) == Some(newest);
    let state = Tags::parse(field.value).and_then(|tags| tags.value("cv"));
    is_newest && state.is_some_and(|state| state.eq_ignore_ascii_case("fail"))
}
