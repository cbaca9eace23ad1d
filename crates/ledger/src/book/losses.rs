//! What was cosigned and is not here any more is said aloud, once it is known that the mirror does
//! not hold it either.

use super::{Book, Out};
use annals::{Lost, Sight};
use tlog::{Volume, subtree_root};

/// How long the mirror is waited for when it may hold what is missing here: after that two
/// histories begin, which is better than a house that takes no mail.
pub(super) const GRACE_MS: u64 = 30_000;

/// Whose loss it is, for alarms.
pub(crate) const WHOSE: &str = "the ledger";

impl<V: Volume> Book<V> {
    /// `owed`: checkpoints that the log falls short of. `mirrored`: the mirror cosigned so many of
    /// the entries that are here.
    pub fn remembering(mut self, owed: Vec<Lost>, mirrored: u64) -> Self {
        (self.owed, self.mirrored) = (owed, mirrored);
        self
    }

    pub(super) fn say_losses(&mut self) {
        for lost in std::mem::take(&mut self.owed) {
            let sight = self.sight(&lost);
            if let Some(what) = lost.alarm(WHOSE, &sight) {
                self.out.push(Out::Alarm(what));
            }
        }
    }

    /// It gets them again from us; that it lost them is news.
    pub(super) fn say_what_the_mirror_lost(&mut self, held: u64) {
        let cosigned = std::mem::take(&mut self.mirrored);
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
