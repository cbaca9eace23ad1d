//! Losses that the house's deciders know of: the entries in which they say so. A loss stays told
//! for good, in its entry and in the statement beside the log; it is a failure no more. Each entry
//! speaks of one lost checkpoint, and of no other: whoever makes one up excuses nothing.

use crate::fault::Fault;
use crate::index::Index;
use crate::lost::Lost;
use crate::reading::Reader;
use evidence::{Body, Frame, rfc3339};
use std::collections::HashMap;
use terms::{Kind, RequestId, UserId};
use tlog::Hash;

/// Deeds by their number in the log's format: of approvals, and of these entries.
const APPROVE: u8 = 14;
const ACKNOWLEDGED: u8 = 45;

/// One such entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub index: u64,
    pub at_ms: u64,
    /// `ledger`, `mirror`, `both`, `directory` or `mailbox`.
    pub whose: String,
    /// Of the checkpoint that was lost; 0: nobody knows. Of the directory: how many entries stand
    /// up to the newest that it had forgotten.
    pub size: u64,
    pub root: Hash,
    pub request: Option<RequestId>,
    /// Who agreed to the request.
    pub approvers: Vec<UserId>,
}

impl Acknowledged {
    /// For whoever reads what is known of a log: whose loss, when, by whom.
    pub fn note(&self) -> String {
        let whose = match self.whose.as_str() {
            "mirror" => "the mirror",
            "both" => "the ledger and the mirror",
            _ => "the ledger",
        };
        let (at, who) = (rfc3339(self.at_ms), self.who());
        if self.whose == "directory" {
            return format!(
                "the directory was older than what was recorded of it, up to entry {}: \
                 acknowledged at {at} by {who}",
                self.size.saturating_sub(1)
            );
        }
        if self.whose == "mailbox" {
            return format!(
                "the mailbox was older than what was recorded of it: acknowledged at {at} by {who}"
            );
        }
        match self.size {
            0 => format!("{whose} was gone at a start: acknowledged at {at} by {who}"),
            size => format!(
                "{whose} lost entries, of {size} with the root {}: acknowledged at {at} by {who}",
                self.root.to_base64()
            ),
        }
    }

    fn who(&self) -> String {
        let Some(request) = self.request else { return "one operator alone".to_owned() };
        let people: Vec<String> = self.approvers.iter().map(ToString::to_string).collect();
        format!("{} (request {request})", people.join(", "))
    }

    /// Whether this speaks of just that lost checkpoint.
    pub fn covers(&self, whose: &str, lost: &Lost) -> bool {
        (self.whose == "both" || self.whose == whose) && (self.size, self.root) == lost.place()
    }

    /// As `note`, where nothing is kept of such a loss: the log holds it again, or somebody took
    /// the statement away.
    pub fn note_without_statement(&self) -> String {
        format!("no statement is kept of this loss: {}", self.note())
    }
}

/// All of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgements(pub Vec<Acknowledged>);

impl Acknowledgements {
    /// What identity, and nobody else, wrote down.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn read(reader: &Reader) -> Result<Self, Fault> {
        let index = Index::of(reader);
        // Approvals are many: they are read only where something is acknowledged.
        let mut is_any = false;
        index.visit_deeds(&[ACKNOWLEDGED], &mut |_, bytes| {
            let frame = Frame::parse(bytes);
            is_any |= frame.is_some_and(|one| one.entry.body.deed_number() == ACKNOWLEDGED);
            !is_any
        })?;
        if !is_any {
            return Ok(Self::default());
        }
        let mut found: Vec<Acknowledged> = Vec::new();
        let mut voices: HashMap<RequestId, Vec<UserId>> = HashMap::new();
        index.visit_deeds(&[APPROVE, ACKNOWLEDGED], &mut |at, bytes| {
            let Some(Frame { entry, .. }) = Frame::parse(bytes) else { return true };
            match entry.body {
                Body::Approve { request, approver, .. } if entry.author == Kind::Identity => {
                    voices.entry(request).or_default().push(approver);
                }
                Body::LossAcknowledged { whose, size, root, request, .. }
                    if entry.author == Kind::Identity =>
                {
                    let approvers = request.and_then(|one| voices.get(&one).cloned());
                    found.push(Acknowledged {
                        index: at,
                        at_ms: entry.time_ms,
                        whose: whose.as_str().to_owned(),
                        size,
                        root: Hash(root.0),
                        request,
                        approvers: approvers.unwrap_or_default(),
                    });
                }
                _ => {}
            }
            true
        })?;
        Ok(Self(found))
    }

    /// The entry that speaks of this loss of `ledger` or `mirror`.
    pub fn of(&self, whose: &str, lost: &Lost) -> Option<&Acknowledged> {
        self.0.iter().find(|one| one.covers(whose, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::Acknowledged;
    use crate::lost::Lost;
    use tlog::{Checkpoint, Hash, Note, NoteSigner, SignedCheckpoint};

    fn lost(size: u64, root: u8) -> Lost {
        let checkpoint = Checkpoint::new("ledger.example", size, Hash([root; 32]));
        let text = checkpoint.to_text();
        let own = NoteSigner::new("ledger.example", &[7; 32]).unwrap();
        let signatures = vec![own.sign(&text)];
        let signed = SignedCheckpoint { note: Note { text, signatures }, checkpoint };
        Lost { name: "lost-x".to_owned(), signed: Some(signed) }
    }

    #[test]
    fn one_loss_is_not_another() {
        let known = |whose: &str, size, root| Acknowledged {
            index: 40,
            at_ms: 100_000,
            whose: whose.to_owned(),
            size,
            root,
            request: None,
            approvers: Vec::new(),
        };
        let check = |known: &Acknowledged, whose: &str, lost: &Lost, expected: bool| {
            assert_eq!(known.covers(whose, lost), expected, "{known:?} {whose}");
        };
        let ledger = known("ledger", 32, Hash([1; 32]));
        check(&ledger, "ledger", &lost(32, 1), true);
        check(&ledger, "mirror", &lost(32, 1), false);
        check(&known("both", 32, Hash([1; 32])), "mirror", &lost(32, 1), true);
        // Of the same size with another root, larger, or smaller: another loss.
        check(&ledger, "ledger", &lost(32, 2), false);
        check(&ledger, "ledger", &lost(33, 1), false);
        check(&ledger, "ledger", &lost(20, 1), false);
        check(&known("both", 99_999_999, Hash([1; 32])), "ledger", &lost(32, 1), false);
        let all = Lost { name: "lost-all".to_owned(), signed: None };
        check(&ledger, "ledger", &all, false);
        check(&known("ledger", 0, tlog::empty_root()), "ledger", &all, true);
    }
}
