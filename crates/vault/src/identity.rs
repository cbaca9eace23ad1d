//! What `identity` may ask: verifiers of secrets, its table's key, grants entered and revoked,
//! and the acts upon keys that two persons agreed to.

use crate::vault::{Asker, OwnKey, Vault};
use evidence::{Body, Frame};
use terms::{InstanceId, Kind};
use wire::Label;
use wire::vault::{FromIdentity, Grant, Proven, ToDirectory, ToIdentity, ToSigner};

/// A purpose is a word of ours, a digest or verifier a hash.
const PURPOSE_BYTES: usize = 64;
const DIGEST_BYTES: usize = 128;

impl Vault {
    pub(crate) fn identity(&mut self, asker: Asker, label: &Label, question: FromIdentity) {
        let answer = match question {
            FromIdentity::Digest { purpose, digest } => self.verifier(&purpose, &digest),
            FromIdentity::Compare { purpose, digest, verifier } => {
                ToIdentity::Same(self.same(&purpose, &digest, &verifier))
            }
            FromIdentity::TableKey => return self.hand_own_key(asker, label, OwnKey::Table),
            FromIdentity::Grant { grant, recorded } => {
                self.enter_grant(label.instance, grant, &recorded)
            }
            FromIdentity::Act(act) => return self.carry(asker, act),
            FromIdentity::Revoke(grant) => {
                self.grants.revoke(grant);
                ToIdentity::Done
            }
        };
        self.answer(asker, &answer);
    }

    /// What identity lets somebody open stands in the evidence before anything opens: a grant
    /// that the ledger does not have, word for word, is none.
    fn enter_grant(&mut self, by: InstanceId, grant: Grant, recorded: &Proven) -> ToIdentity {
        let Proven { entry, proof, checkpoint } = recorded;
        if !says(entry, by, &grant) || !self.recorder.is_proven(entry, proof, checkpoint) {
            self.alarm("identity hands in a grant that the ledger does not have".to_owned());
            return ToIdentity::Refused("expected a grant that is recorded".to_owned());
        }
        match self.grants.enter(grant, self.moment()) {
            Ok(()) => ToIdentity::Done,
            Err(why) => ToIdentity::Refused(why.to_owned()),
        }
    }

    fn verifier(&self, purpose: &str, digest: &[u8]) -> ToIdentity {
        let fits = purpose.len() <= PURPOSE_BYTES && digest.len() <= DIGEST_BYTES;
        match self.keys.secrets.verifier(purpose, digest) {
            Ok(verifier) if fits => ToIdentity::Verifier(verifier.to_vec()),
            _ => ToIdentity::Refused("expected a short purpose and a digest".to_owned()),
        }
    }

    fn same(&self, purpose: &str, digest: &[u8], verifier: &[u8]) -> bool {
        purpose.len() <= PURPOSE_BYTES
            && digest.len() <= DIGEST_BYTES
            && self.keys.secrets.same(purpose, digest, verifier)
    }

    pub(crate) fn give_own_key(&mut self, asker: Asker, key: OwnKey) {
        let derived = self.keys.derived(key.purpose());
        match (key, derived) {
            (OwnKey::Policy, Ok(secret)) => {
                let answer = ToDirectory::Key(secret.dangerous_expose().to_vec());
                self.answer(asker, &answer);
            }
            (OwnKey::Table, Ok(secret)) => {
                let answer = ToIdentity::Key(secret.dangerous_expose().to_vec());
                self.answer(asker, &answer);
            }
            (OwnKey::Storage, Ok(_)) => {
                if let Some(answer) = self.storage_key() {
                    self.answer(asker, &answer);
                }
            }
            (_, Err(_)) => self.refuse_own_key(asker, key),
        }
    }

    pub(crate) fn refuse_own_key(&mut self, asker: Asker, key: OwnKey) {
        let why = "this key was handed to this start too often".to_owned();
        match key {
            OwnKey::Policy => self.answer(asker, &ToDirectory::Refused(why)),
            OwnKey::Table => self.answer(asker, &ToIdentity::Refused(why)),
            // The signer has no word for it: it restarts, and asks as a new start.
            OwnKey::Storage => self.answer(asker, &ToSigner::EvidenceAway),
        }
    }

    pub(crate) fn say_away(&mut self, asker: Asker, key: OwnKey) {
        match key {
            OwnKey::Policy => self.answer(asker, &ToDirectory::EvidenceAway),
            OwnKey::Table => self.answer(asker, &ToIdentity::EvidenceAway),
            OwnKey::Storage => self.answer(asker, &ToSigner::EvidenceAway),
        }
    }
}

/// Whether the entry is this very grant, in the words of this start of identity.
fn says(entry: &[u8], by: InstanceId, minted: &Grant) -> bool {
    let Some(said) = Frame::parse(entry).map(|frame| frame.entry) else { return false };
    let Body::Grant { grant, instance, tenant, user, until_ms } = said.body else { return false };
    (said.author, said.start) == (Kind::Identity, by)
        && (grant, instance) == (minted.grant, minted.instance)
        && (tenant, user, until_ms) == (minted.tenant, minted.user, minted.expires_ms)
}

impl OwnKey {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy-key",
            Self::Table => "table-key",
            Self::Storage => "storage-key",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Policy => "directory policy",
            Self::Table => "identity table",
            Self::Storage => "signer storage",
        }
    }
}
