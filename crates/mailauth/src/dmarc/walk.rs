//! The DNS tree walk, and the organisation that it finds. RFC 9989 §4.10.

use super::record::{DmarcRecord, Psd, parse};
use crate::resolver::{Inquiry, Texts};

/// Questions of one walk: names of more labels than this are cut after the first question.
pub const WALK_LABELS: usize = 8;

/// One record on the way up.
pub struct Found {
    pub domain: String,
    pub record: DmarcRecord,
}

/// The records from the longest name to the shortest.
pub enum Walked {
    Done(Vec<Found>),
    Failed,
}

/// Walks from `start` towards the root; a record that says what it is ends the walk.
pub fn up(start: &str, inquiry: &mut Inquiry<'_>) -> Walked {
    let labels: Vec<&str> = start.split('.').collect();
    let mut found = Vec::new();
    let mut count = labels.len();
    while count > 0 {
        let skipped = labels.len().saturating_sub(count);
        let domain = labels.get(skipped..).unwrap_or_default().join(".");
        match record_at(&domain, inquiry) {
            Ok(Some(record)) => {
                let says = record.psd;
                found.push(Found { domain, record });
                if says != Psd::Unsaid {
                    break;
                }
            }
            Ok(None) => {}
            Err(()) => return Walked::Failed,
        }
        // RFC 9989 §4.10 step 4: a long name goes on at seven labels.
        count = (count - 1).min(WALK_LABELS - 1);
    }
    Walked::Done(found)
}

/// One record, or none: several are as bad as none (RFC 9989 §4.10 step 2).
fn record_at(domain: &str, inquiry: &mut Inquiry<'_>) -> Result<Option<DmarcRecord>, ()> {
    match inquiry.texts(&format!("_dmarc.{domain}")) {
        Texts::Failed => Err(()),
        Texts::Found(texts) => {
            let mut records = texts.iter().filter_map(|text| parse(text));
            let first = records.next();
            Ok(first.filter(|_| records.next().is_none()))
        }
    }
}

/// RFC 9989 §4.10.2.
pub fn organisation(start: &str, walked: &[Found]) -> String {
    for found in walked {
        match found.record.psd {
            Psd::No => return found.domain.clone(),
            Psd::Yes if found.domain != start => return one_below(start, &found.domain),
            Psd::Yes | Psd::Unsaid => {}
        }
    }
    walked.last().map_or_else(|| start.to_owned(), |found| found.domain.clone())
}

/// The ancestor of `start` (or itself) that has one label more than `suffix`.
fn one_below(start: &str, suffix: &str) -> String {
    let labels: Vec<&str> = start.split('.').collect();
    let wanted = suffix.split('.').count() + 1;
    labels.get(labels.len().saturating_sub(wanted)..).unwrap_or_default().join(".")
}
