//! What a tenant has a say in when its mail is judged.

use serde::{Deserialize, Serialize};

/// The tenant's say in judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenantSettings {
    pub tag_from: f32,
    pub junk_from: f32,
    pub quarantine_from: f32,
    pub refuse_from: f32,
    pub obey_dmarc: bool,
    /// A client, sender and recipient that were never seen together are asked to come again.
    pub greylist: bool,
    /// Domains whose ARC seals are believed, in lower case A-label form.
    pub trusted_sealers: Vec<String>,
}

impl TenantSettings {
    /// Whether anything passes under these that `before` would have stopped or marked.
    pub fn is_weaker_than(&self, before: &Self) -> bool {
        let is_new = |sealer: &String| !before.trusted_sealers.contains(sealer);
        self.tag_from > before.tag_from
            || self.junk_from > before.junk_from
            || self.quarantine_from > before.quarantine_from
            || self.refuse_from > before.refuse_from
            || (before.obey_dmarc && !self.obey_dmarc)
            || (before.greylist && !self.greylist)
            || self.trusted_sealers.iter().any(is_new)
    }

    /// Whether no mark stands above the next graver one.
    pub fn is_in_order(&self) -> bool {
        let Self { tag_from, junk_from, quarantine_from, refuse_from, .. } = self;
        tag_from <= junk_from && junk_from <= quarantine_from && quarantine_from <= refuse_from
    }
}

/// Sealers that one tenant may believe.
pub const TRUSTED_SEALERS: usize = 50;

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            tag_from: 4.0,
            junk_from: 6.0,
            quarantine_from: 10.0,
            refuse_from: 20.0,
            obey_dmarc: true,
            greylist: false,
            trusted_sealers: Vec::new(),
        }
    }
}
