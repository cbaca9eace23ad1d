//! What was cosigned and is not here any more is said aloud, once it is known that the mirror does
//! not hold it either.

use super::{Aside, Book, Out, Waiter};
use crate::authors::Standing;
use annals::{Lost, Sight};
use evidence::{Body, Entry, Frame};
use std::io;
use terms::Kind;
use tlog::{Volume, leaf_hash, subtree_root};
use wire::ledger::{FromLedger, LostAt};

/// How long the mirror is waited for when it may hold what is missing here: after that two
/// histories begin, which is better than a house that takes no mail.
pub(super) const GRACE_MS: u64 = 30_000;

/// Said beside what was lost.
const SHUT: &str = "entries that were cosigned are gone: no mail is opened until those who decide \
                    say that they know: sekisho ledger acknowledge-loss";

/// Whose loss it is, for alarms.
pub(crate) const WHOSE: &str = "the ledger";

/// What both folders remembered when they were opened.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Checkpoints that our log falls short of: the mirror may hold what is missing.
    pub owed: Vec<Lost>,
    /// The mirror cosigned so many entries, and our log holds them.
    pub mirrored: u64,
    /// The key with which the mirror cosigned what was saved last.
    pub mirror_key: Option<[u8; 4]>,
    /// Everything that is kept of losses here. What is laid beside the log later is none.
    pub lost: Vec<LostAt>,
    /// Of these, what nobody has acknowledged and nobody gives back: nothing is released.
    pub unknown: Vec<LostAt>,
    /// As the mirror said when it came.
    pub lost_of_mirror: Vec<LostAt>,
}

impl Remembered {
    /// How long the mirror is waited for: longer where it may hold what is missing here.
    pub fn grace_ms(&self, otherwise: u64) -> u64 {
        if self.owed.is_empty() { otherwise } else { GRACE_MS }
    }

    pub fn lost(&self) -> FromLedger {
        FromLedger::Lost { ledger: self.lost.clone(), mirror: self.lost_of_mirror.clone() }
    }
}

impl<V: Volume> Book<V> {
    pub fn remembering(mut self, remembered: Remembered) -> Self {
        self.remembered = remembered;
        self
    }

    /// What somebody else did to the log since it was opened, as an alarm.
    pub fn disturbed(&self) -> Option<String> {
        let what = match self.store.disturbed() {
            Ok(found) => found?.to_owned(),
            Err(fault) => format!("it cannot be read: {fault}"),
        };
        Some(format!(
            "{WHOSE}'s log was changed while the house runs: {what}; stop the house, \
             `sekisho ledger verify`"
        ))
    }

    /// That somebody else touched the log and left no trace in it, as an alarm. What they may have
    /// changed in the middle is found by whoever reads all of it.
    pub fn stirred(&self) -> Option<String> {
        let stirred = self.store.stirred().unwrap_or_default();
        stirred.then(|| {
            "the ledger's log was touched while the house runs: its rights, links or times are \
             not as they were; `sekisho ledger verify` tells whether its entries are"
                .to_owned()
        })
    }

    pub(super) fn say_losses(&mut self) {
        for lost in std::mem::take(&mut self.remembered.owed) {
            let sight = self.sight(&lost);
            if let Some(what) = lost.alarm(WHOSE, &sight) {
                let (size, root) = lost.place();
                self.remembered.unknown.push(LostAt { size, root: root.0 });
                self.out.push(Out::Alarm(what));
            }
        }
        if !self.remembered.unknown.is_empty() && !std::mem::replace(&mut self.is_shut_said, true) {
            self.out.push(Out::Alarm(SHUT.to_owned()));
        }
    }

    /// Whether something that was cosigned is missing and nobody who decides has said that they
    /// know: the evidence of what was opened before may be what is missing.
    fn is_shut(&self) -> bool {
        !self.remembered.unknown.is_empty() || !self.remembered.owed.is_empty()
    }

    /// Whether these would be proved releases that must not be, now. One that the log holds
    /// already was given up by whoever asked for it, or is older than the loss.
    pub(super) fn is_shut_to(&self, append: &Aside, frames: &[Frame]) -> bool {
        let by = (append.label.kind, append.label.instance);
        let is_new_release = |(bytes, frame): (&Vec<u8>, &Frame)| {
            let leaf = leaf_hash(bytes);
            matches!(frame.entry.body, Body::Release { .. })
                && !matches!(self.memory.authors.judge(by, frame, &leaf, true), Standing::Known(_))
        };
        append.prove && self.is_shut() && append.entries.iter().zip(frames).any(is_new_release)
    }

    /// An entry is durable: whether by it somebody says that they know of a loss.
    pub(super) fn acknowledged(&mut self, entry: &Entry) {
        let Body::LossAcknowledged { whose, size, root, .. } = &entry.body else { return };
        let is_ours = !["mirror", "directory", "mailbox"].contains(&whose.as_str());
        if entry.author != Kind::Identity || !is_ours || !self.is_shut() {
            return;
        }
        self.remembered.unknown.retain(|lost| (lost.size, lost.root) != (*size, root.0));
        if !self.is_shut() {
            self.is_shut_said = false;
            self.out.push(Out::Note("the loss is acknowledged: mail opens again".to_owned()));
        }
    }

    /// What is staged behind `before` was not written.
    pub(super) fn lose_batch(&mut self, before: u64) {
        self.memory.forget(before);
        self.unbound.clear();
        let lost = |waiter: &Waiter| waiter.last >= before;
        let mut away: Vec<Waiter> = self.proving.extract_if(.., |one| lost(one)).collect();
        away.extend(self.taking.extract_if(.., |one| lost(one)));
        for Waiter { peer, call, .. } in away {
            self.answer(peer, call, FromLedger::Away);
        }
    }

    /// Somebody took the log's file away, or changed it: what is written to it now may be gone
    /// with it. Nothing more is taken or proved until a start has looked at it.
    pub fn close(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(());
        }
        let before = self.store.size();
        self.store.abandon()?;
        self.lose_batch(before);
        for Waiter { peer, call, .. } in std::mem::take(&mut self.proving) {
            self.answer(peer, call, FromLedger::Away);
        }
        Ok(())
    }

    /// It gets them again from us; that it lost them is news.
    pub(super) fn say_what_the_mirror_lost(&mut self, held: u64) {
        let cosigned = std::mem::take(&mut self.remembered.mirrored);
        if held < cosigned {
            self.out.push(Out::Alarm(format!(
                "the mirror lost entries: it cosigned {cosigned}, {held} are left; it is given \
                 the others again"
            )));
        }
    }

    /// Whoever checks proofs outside was given the mirror's key: another one is news, once.
    pub(super) fn say_another_mirror(&mut self, key_id: [u8; 4]) {
        let known = self.remembered.mirror_key.replace(key_id);
        if known.is_some_and(|known| known != key_id) {
            self.out.push(Out::Alarm(
                "the mirror signs with another key than before: whoever checks proofs with the \
                 old one (--mirror-key) finds them wrong; put its key back from the key backup, \
                 or give them the new one"
                    .to_owned(),
            ));
        }
    }

    fn sight(&self, lost: &Lost) -> Sight {
        let own = self.signer.verifier();
        let root_at = |size| subtree_root(&self.store, 0, size);
        lost.signed
            .as_ref()
            .map_or(Sight::First, |signed| annals::sight(signed, &own, self.store.size(), root_at))
    }
}
