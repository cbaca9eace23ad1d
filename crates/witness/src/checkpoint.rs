//! `add-checkpoint` (C2SP tlog-witness): a new checkpoint and the proof that it continues the
//! last one.

use crate::answer::{Answer, number};
use terms::Cursor;
use tlog::{Hash, NOTE_BYTES, NoteVerifier, SignedCheckpoint, verify_consistency};

/// The protocol allows no more lines of proof.
const PROOF_LINES: usize = 63;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    pub old: u64,
    pub proof: Vec<Hash>,
    pub signed: SignedCheckpoint,
}

/// What a witness cosigned last of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub size: u64,
    pub root: Hash,
}

impl AddCheckpoint {
    pub fn to_text(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| hash.to_base64() + "\n").collect();
        format!("old {}\n{proof}\n{}", self.old, self.signed.note.to_text())
    }

    /// Reads a request's body; `None` is answered 400.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > NOTE_BYTES * 2 {
            return None;
        }
        let mut from = Cursor::new(body);
        if from.take(4)? != b"old " {
            return None;
        }
        let old = number(&mut from)?;
        let mut proof = Vec::new();
        loop {
            let line = from.take_while(|byte| byte != b'\n');
            if !from.eat(b'\n') {
                return None;
            }
            if line.is_empty() {
                break;
            }
            if proof.len() == PROOF_LINES {
                return None;
            }
            proof.push(Hash::from_base64(line)?);
        }
        let signed = SignedCheckpoint::parse(from.rest())?;
        Some(Self { old, proof, signed })
    }
}

/// Judges a request as a witness must. `log` finds the key of an origin; `known` what was
/// cosigned last of it. The caller makes the checkpoint durable as the last one known, and only
/// then cosigns it, with nothing in between.
///
/// # Errors
/// The answer, when it is not to be cosigned.
pub fn judge_checkpoint<'a>(
    body: &[u8],
    log: impl FnOnce(&str) -> Option<&'a NoteVerifier>,
    known: impl FnOnce(&str) -> Option<Known>,
) -> Result<SignedCheckpoint, Answer> {
    let AddCheckpoint { old, proof, signed } = AddCheckpoint::parse(body).ok_or(Answer::Bad)?;
    let checkpoint = &signed.checkpoint;
    let key = log(&checkpoint.origin).ok_or(Answer::Unknown)?;
    if !signed.note.is_signed_by(key) {
        return Err(Answer::Forbidden);
    }
    if old > checkpoint.size {
        return Err(Answer::Bad);
    }
    let known = known(&checkpoint.origin);
    let last = known.map_or(0, |known| known.size);
    if old != last {
        return Err(Answer::Conflict(last));
    }
    match known.filter(|known| known.size > 0) {
        // Nothing was cosigned before, so there is nothing to prove.
        None if proof.is_empty() => Ok(signed),
        None => Err(Answer::Unproved),
        Some(known) if known.size == checkpoint.size => match known.root == checkpoint.root {
            true if proof.is_empty() => Ok(signed),
            true => Err(Answer::Unproved),
            false => Err(Answer::Conflict(last)),
        },
        Some(Known { size, root }) => {
            match verify_consistency(size, checkpoint.size, &root, &checkpoint.root, &proof) {
                true => Ok(signed),
                false => Err(Answer::Unproved),
            }
        }
    }
}
