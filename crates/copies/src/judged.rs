//! What a verdict makes of a copy: where it lies, and what its reader's program is told.

use policy::{HouseRules, Judged};
use std::fmt::Write;
use terms::Verdict;
use wire::directory::TenantSettings;
use wire::mailbox::Place;
use wire::scanner::VERDICT;

/// Reasons named in a message's own header, the heaviest first.
const REASONS: usize = 8;
const QUARANTINE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// By what a tenant has mail judged.
pub fn rules(settings: &TenantSettings) -> HouseRules {
    HouseRules {
        tag_from: settings.tag_from,
        junk_from: settings.junk_from,
        quarantine_from: settings.quarantine_from,
        refuse_from: settings.refuse_from,
        obey_dmarc: settings.obey_dmarc,
        trusted_sealers: settings.trusted_sealers.clone(),
    }
}

/// Whose verdict is `refuse` while others keep the message finds it in quarantine (architecture
/// §3): the sender has already been told 250.
pub fn place_of(verdict: Verdict, received_ms: u64) -> Place {
    match verdict {
        Verdict::Deliver | Verdict::Tag => Place::Inbox,
        Verdict::Junk => Place::Junk,
        Verdict::Quarantine | Verdict::Refuse | Verdict::Defer => {
            Place::Quarantine { expires_ms: received_ms.saturating_add(QUARANTINE_MS) }
        }
    }
}

/// Our verdict as a header field.
pub fn verdict_field(judged: &Judged) -> String {
    let mut field = format!("{VERDICT}: {}; score={:.1}", judged.verdict.word(), judged.score);
    for reason in judged.reasons.iter().take(REASONS) {
        // Ids are ours and short; a lying scanner's may be neither.
        let id: String =
            reason.id.chars().filter(|l| l.is_ascii_graphic() && *l != ';').take(60).collect();
        let _ = write!(field, ";\r\n\t{id}={:.1}", reason.weight);
    }
    field.push_str("\r\n");
    field
}
