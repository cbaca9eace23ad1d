//! Where the ledger stands with its mirror.

use std::collections::VecDeque;
use tlog::SignedCheckpoint;

/// Batches sent and not yet cosigned; beyond it the mirror catches up in larger pieces later.
const OUTSTANDING: usize = 64;
/// A mirror that has not answered for so long counts as away, until it answers.
pub(crate) const SILENT_MS: u64 = 2_000;

/// What was sent to the mirror and waits there.
pub(crate) struct Sent {
    pub signed: SignedCheckpoint,
    pub at_ms: u64,
}

#[derive(Default)]
pub(crate) enum Link {
    /// No channel.
    #[default]
    Away,
    /// Asked where it stands.
    Asked { since_ms: u64 },
    /// It holds more than we do: our tail was lost, and it gives it back.
    Healing { since_ms: u64, leaves: Vec<Vec<u8>> },
    /// It has been sent everything up to `sent`.
    Following { sent: u64, outstanding: VecDeque<Sent> },
    /// It holds another history, or refused ours; asked again at `retry_ms`.
    Apart { retry_ms: u64 },
}

impl Link {
    /// Whether proofs can be expected soon.
    pub fn is_answering(&self, now_ms: u64) -> bool {
        match self {
            Self::Following { outstanding, .. } => outstanding
                .front()
                .is_none_or(|first| now_ms.saturating_sub(first.at_ms) < SILENT_MS),
            Self::Asked { since_ms } | Self::Healing { since_ms, .. } => {
                now_ms.saturating_sub(*since_ms) < SILENT_MS
            }
            Self::Away | Self::Apart { .. } => false,
        }
    }

    /// From which entry on the mirror should be sent more now, if it can take more.
    pub fn next_to_send(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Following { sent, outstanding } => {
                (outstanding.len() < OUTSTANDING && self.is_answering(now_ms)).then_some(*sent)
            }
            _ => None,
        }
    }

    /// Takes the checkpoint of `size` out, and all before it.
    pub fn cosigned(&mut self, size: u64) -> Option<SignedCheckpoint> {
        let Self::Following { outstanding, .. } = self else { return None };
        let place = outstanding.iter().position(|sent| sent.signed.checkpoint.size == size)?;
        outstanding.drain(..=place).next_back().map(|sent| sent.signed)
    }
}
