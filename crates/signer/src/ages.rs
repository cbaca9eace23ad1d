//! Since when each TLS key serves: sealed beside the keys, so that the evidence can say from when
//! on all keys of the public pages are new, also where an operator brought some of them.
//!
//! A key that served once stays known: whoever installs an old one again has renewed nothing. What
//! is not known counts as old.

use crate::Fault;
use crate::house_names::Group;
use crate::renewal::Keys;
use crate::signer::Signer;
use aws_lc_rs::digest::{SHA256, digest};
use compartment::now_ms;
use evidence::{Body, Word};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys that are remembered; of more, those that came first are forgotten, and count as old.
const KEYS: usize = 1_000;

/// A key, by the beginning of the SHA-256 of its public half.
pub(crate) type Mark = [u8; 16];

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Ages {
    /// When a key served first; 0: before anybody noted it.
    first: BTreeMap<Mark, u64>,
    /// What an operator brought for names of public pages, by the names of their files.
    brought: BTreeMap<[u8; 16], Mark>,
}

pub(crate) fn mark(public: &[u8]) -> Mark {
    digest(&SHA256, public).as_ref().first_chunk().copied().unwrap_or_default()
}

impl Ages {
    /// It served before this was written down.
    pub fn is_old(&mut self, key: Mark) {
        self.first.entry(key).or_insert(0);
    }

    /// It serves from now on, if it never did; whether that is so.
    fn serves(&mut self, key: Mark, now_ms: u64) -> bool {
        let is_new = !self.first.contains_key(&key);
        self.first.entry(key).or_insert(now_ms);
        while self.first.len() > KEYS
            && let Some(oldest) = self.first.iter().min_by_key(|(_, first)| **first)
        {
            let oldest = *oldest.0;
            self.first.remove(&oldest);
        }
        is_new
    }

    fn first(&self, key: Option<&Mark>) -> u64 {
        key.and_then(|key| self.first.get(key)).copied().unwrap_or(0)
    }

    /// From when on all of these were new: the pages' own key, and one for each file.
    fn since(&self, own: Option<&Mark>, files: &[[u8; 16]]) -> u64 {
        let brought = files.iter().map(|file| self.first(self.brought.get(file)));
        let own = own.map(|own| self.first(Some(own)));
        own.into_iter().chain(brought).min().unwrap_or(0)
    }
}

impl Signer {
    /// Groups with another key than before, one that never served, have a renewed credential. Pages
    /// serve names of their own besides, and a process of theirs may have used any: of them is said
    /// from when on all were new. `brought`: by file, what an operator just brought.
    pub(crate) fn note_new_keys(&mut self, before: &Keys, brought: &[([u8; 16], Mark)]) {
        if let Err(fault) = self.note_ages(before, brought) {
            self.alarm(fault.to_string());
        }
    }

    fn note_ages(&mut self, before: &Keys, brought: &[([u8; 16], Mark)]) -> Result<(), Fault> {
        let (after, now) = (self.keys_of_groups(), now_ms());
        let Some(storage) = self.storage() else { return Ok(()) };
        let mut ages = self.store().ages(storage)?;
        before.values().for_each(|key| ages.is_old(*key));
        let mut renewed = |group: Group| {
            let key = after.get(group.word()).filter(|key| before.get(group.word()) != Some(key));
            key.is_some_and(|key| ages.serves(*key, now) && before.contains_key(group.word()))
        };
        let (is_mail, is_pages) = (renewed(Group::Mail), renewed(Group::Pages));
        for (file, key) in brought {
            ages.serves(*key, now);
            if ages.brought.len() < KEYS || ages.brought.contains_key(file) {
                ages.brought.insert(*file, *key);
            }
        }
        let since = ages.since(after.get(Group::Pages.word()), &self.store().installed_names()?);
        // Not before it is kept: what was said must hold after a crash.
        self.store().keep_ages(storage, &ages)?;
        if is_mail {
            self.note_rotated(Group::Mail, 0);
        }
        if is_pages || !brought.is_empty() {
            // Those that our own authority issued are issued anew, and so are newer than this.
            self.close_names();
            if since > 0 {
                self.note_rotated(Group::Pages, since);
            }
        }
        Ok(())
    }

    fn note_rotated(&mut self, group: Group, since_ms: u64) {
        let what = Word::new(&format!("tls-key {}", group.word()));
        self.record(Body::KeyRotate { what, epoch: since_ms, tenant: None, user: None });
    }
}

#[cfg(test)]
mod tests {
    use super::{Ages, KEYS, mark};

    #[test]
    fn all_are_new_since_the_oldest_of_them() {
        let key = |number: u16| mark(&number.to_be_bytes());
        let (file, other) = ([1; 16], [2; 16]);
        let mut ages = Ages::default();
        ages.is_old(key(1));
        assert_eq!(ages.since(Some(&key(1)), &[]), 0, "the first is not known to be new");
        assert!(ages.serves(key(2), 10));
        assert_eq!(ages.since(Some(&key(2)), &[]), 10);
        assert_eq!(ages.since(Some(&key(2)), &[file]), 0, "one was brought before");
        assert!(ages.serves(key(3), 20));
        ages.brought.insert(file, key(3));
        assert_eq!(ages.since(Some(&key(2)), &[file]), 10);
        assert_eq!(ages.since(Some(&key(2)), &[file, other]), 0);
        assert_eq!(ages.since(None, &[file]), 20);
        // An old one that comes again stays as old as it is.
        assert!(!ages.serves(key(2), 30) && !ages.serves(key(1), 30));
        assert_eq!(ages.since(Some(&key(1)), &[file]), 0);
        assert_eq!(ages.since(None, &[]), 0);
        for number in 0..KEYS as u16 {
            ages.serves(key(100 + number), 100);
        }
        assert_eq!((ages.first.len(), ages.since(Some(&key(2)), &[])), (KEYS, 0));
    }
}
