//! What was cosigned and is not here any more is said aloud, once it is known that the mirror does
//! not hold it either.

use super::{Book, Out};
use annals::{Lost, Sight};
use tlog::{Volume, subtree_root};
use wire::ledger::{FromLedger, LostAt};

/// How long the mirror is waited for when it may hold what is missing here: after that two
/// histories begin, which is better than a house that takes no mail.
pub(super) const GRACE_MS: u64 = 30_000;

/// Whose loss it is, for alarms.
pub(crate) const WHOSE: &str = "the ledger";

/// What both folders remembered when they were opened.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Checkpoints that our log falls short of: the mirror may hold what is missing.
    pub owed: Vec<Lost>,
    /// The mirror cosigned so many entries, and our log holds them.
    pub mirrored: u64,
    /// Everything that is kept of losses here. What is laid beside the log later is none.
    pub lost: Vec<LostAt>,
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

    pub(super) fn say_losses(&mut self) {
        for lost in std::mem::take(&mut self.remembered.owed) {
            let sight = self.sight(&lost);
            if let Some(what) = lost.alarm(WHOSE, &sight) {
                self.out.push(Out::Alarm(what));
            }
        }
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

    fn sight(&self, lost: &Lost) -> Sight {
        let own = self.signer.verifier();
        let root_at = |size| subtree_root(&self.store, 0, size);
        lost.signed
            .as_ref()
            .map_or(Sight::First, |signed| annals::sight(signed, &own, self.store.size(), root_at))
    }
}
