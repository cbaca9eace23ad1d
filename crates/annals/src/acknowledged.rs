//! Losses that the house's deciders know of: the entries in which they say so. A loss stays told
//! for good, in its entry and in the statement beside the log; it is a failure no more.

use crate::fault::Fault;
use crate::index::Index;
use crate::lost::Lost;
use crate::reading::Reader;
use evidence::{Body, Frame, rfc3339};
use std::collections::HashMap;
use terms::{Kind, RequestId, UserId};
use tlog::{Hash, SignedCheckpoint};

/// Deeds by their number in the log's format: of approvals, and of these entries.
const APPROVE: u8 = 14;
const ACKNOWLEDGED: u8 = 45;
/// Octets of a mirror's signature (C2SP tlog-cosignature): when, in seconds, and the signature.
const COSIGNATURE_BYTES: usize = 8 + 64;

/// One such entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub index: u64,
    pub at_ms: u64,
    /// `ledger`, `mirror` or `both`.
    pub whose: String,
    /// Of the checkpoint that was lost; 0: nobody knows.
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

    /// Whether this speaks of a lost checkpoint: of that very one, or of an earlier one that went
    /// with it. One that was cosigned after this was said is another loss.
    fn covers(&self, whose: &str, lost: &Lost) -> bool {
        if self.whose != "both" && self.whose != whose {
            return false;
        }
        let Some(signed) = &lost.signed else { return self.size == 0 };
        let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
        // What readers saw was not always cosigned yet: then the file says how old it is.
        let since_ms = cosigned_ms(signed).or(lost.kept_ms);
        let went_along = size < self.size && since_ms.is_some_and(|since| since < self.at_ms);
        went_along || (self.size, self.root) == (size, root)
    }
}

/// When somebody cosigned it. Nobody's key is asked for, as nobody's is for the file's time:
/// whoever could write another time there could as well take the whole statement away.
fn cosigned_ms(signed: &SignedCheckpoint) -> Option<u64> {
    let times = signed.note.signatures.iter().filter_map(|line| {
        let seconds = line.bytes.first_chunk::<8>()?;
        (line.bytes.len() == COSIGNATURE_BYTES).then(|| u64::from_be_bytes(*seconds))
    });
    times.max().map(|seconds| seconds.saturating_mul(1_000))
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
                    let approvers = request.and_then(|one| voices.remove(&one));
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
    use tlog::{Checkpoint, Cosigner, Hash, Note, NoteSigner, SignedCheckpoint};

    fn lost(size: u64, root: u8, seconds: u64) -> Lost {
        let checkpoint = Checkpoint::new("ledger.example", size, Hash([root; 32]));
        let text = checkpoint.to_text();
        let own = NoteSigner::new("ledger.example", &[7; 32]).unwrap();
        let mirror = Cosigner::new("mirror.example", &[8; 32]).unwrap();
        let signatures = vec![own.sign(&text), mirror.cosign(seconds, &text)];
        let signed = SignedCheckpoint { note: Note { text, signatures }, checkpoint };
        Lost { name: "lost-x".to_owned(), signed: Some(signed), kept_ms: Some(90_000) }
    }

    #[test]
    fn one_loss_is_not_another() {
        let known = |whose: &str, size| Acknowledged {
            index: 40,
            at_ms: 100_000,
            whose: whose.to_owned(),
            size,
            root: Hash([1; 32]),
            request: None,
            approvers: Vec::new(),
        };
        let check = |known: &Acknowledged, whose: &str, lost: &Lost, expected: bool| {
            assert_eq!(known.covers(whose, lost), expected, "{known:?} {whose}");
        };
        let ledger = known("ledger", 32);
        check(&ledger, "ledger", &lost(32, 1, 90), true);
        check(&ledger, "mirror", &lost(32, 1, 90), false);
        check(&known("both", 32), "mirror", &lost(32, 1, 90), true);
        // Of the same size with another root, or larger: another loss.
        check(&ledger, "ledger", &lost(32, 2, 90), false);
        check(&ledger, "ledger", &lost(33, 1, 90), false);
        // An earlier one went with it; what was cosigned since then did not.
        check(&ledger, "ledger", &lost(20, 3, 90), true);
        check(&ledger, "ledger", &lost(20, 3, 101), false);
        // Without a cosignature its file's time counts.
        let alone = |kept_ms| {
            let mut lost = lost(20, 3, 90);
            let signed = lost.signed.as_mut().unwrap();
            signed.note.signatures.truncate(1);
            Lost { kept_ms, ..lost }
        };
        check(&ledger, "ledger", &alone(Some(90_000)), true);
        check(&ledger, "ledger", &alone(Some(100_001)), false);
        check(&ledger, "ledger", &alone(None), false);
        let all = Lost { name: "lost-all".to_owned(), signed: None, kept_ms: None };
        check(&ledger, "ledger", &all, false);
        check(&known("ledger", 0), "ledger", &all, true);
    }
}
