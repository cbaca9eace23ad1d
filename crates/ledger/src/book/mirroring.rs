//! Where the mirror stands, and for whoever asks how the house is, whether it answers: in an idle
//! house nothing else would show that it hangs.

use super::{Book, Out, RETRY_MS};
use crate::link::{Link, SILENT_MS};
use std::collections::VecDeque;
use terms::Kind;
use tlog::Volume;
use wire::ledger::{FromLedger, ToMirror};
use wire::{Label, Peer};

/// How long the mirror is listened for at least. One that was heard shortly before may be busy, and
/// is listened for until it has been silent for [`SILENT_MS`]: whoever asks for the house waits a
/// little longer than that.
const LISTENING_MS: u64 = 1_000;
/// Who waits at once: they are people's requests.
const ASKERS: usize = 64;

struct Asker {
    peer: Peer,
    call: u32,
    since_ms: u64,
}

/// Who asked for the head, and waits for a word of the mirror.
#[derive(Default)]
pub(super) struct Askers {
    waiting: Vec<Asker>,
    /// The mirror was asked on their behalf: one question at a time, however many ask.
    is_asked: bool,
    /// When the mirror last said anything.
    heard_ms: u64,
}

impl Askers {
    pub fn due_ms(&self) -> Option<u64> {
        self.waiting.iter().map(|asker| self.due_of(asker)).min()
    }

    fn due_of(&self, asker: &Asker) -> u64 {
        let least = asker.since_ms + LISTENING_MS;
        match self.was_heard_since(asker) {
            true => least,
            false => least.max(self.heard_ms + SILENT_MS),
        }
    }

    fn was_heard_since(&self, asker: &Asker) -> bool {
        self.heard_ms > asker.since_ms
    }

    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    pub fn gone(&mut self, peer: Peer) {
        self.waiting.retain(|asker| asker.peer != peer);
    }
}

impl<V: Volume> Book<V> {
    /// The newest cosigned checkpoint. For `admin`, who asks how the house is, it is `Away` if the
    /// mirror says nothing.
    pub(super) fn head_asked(&mut self, peer: Peer, call: u32, label: &Label, now_ms: u64) {
        if label.kind != Kind::Admin || self.askers.waiting.len() >= ASKERS {
            let head = self.head();
            return self.answer(peer, call, head);
        }
        self.askers.waiting.push(Asker { peer, call, since_ms: now_ms });
        // In any other state it is being asked already, or has no channel.
        if matches!(self.link, Link::Following { .. }) && !self.askers.is_asked {
            self.askers.is_asked = true;
            self.out.push(Out::Mirror(ToMirror::Standing));
        }
    }

    fn head(&self) -> FromLedger {
        let head = self.cosigned.as_ref().or(self.store.newest());
        let checkpoint = head.map(|signed| signed.note.to_text().into_bytes());
        let checkpoint = checkpoint.unwrap_or_default();
        FromLedger::Head { checkpoint, cosigned: self.cosigned.is_some() }
    }

    /// Answers whoever waited for the mirror long enough. One that was heard meanwhile is busy;
    /// that it has work of us says nothing: whoever asks is recorded, and makes some.
    pub(super) fn give_up_on_mirror(&mut self, now_ms: u64) {
        let waiting = std::mem::take(&mut self.askers.waiting);
        let is_late = |asker: &Asker| now_ms >= self.askers.due_of(asker);
        let (late, waiting): (Vec<Asker>, Vec<Asker>) = waiting.into_iter().partition(is_late);
        self.askers.waiting = waiting;
        for asker in late {
            let is_busy = self.askers.was_heard_since(&asker) && self.link.is_answering(now_ms);
            let answer = if is_busy { self.head() } else { FromLedger::Away };
            self.answer(asker.peer, asker.call, answer);
        }
    }

    /// It spoke. Whether it also does what it is for, its cosignatures say.
    fn mirror_heard(&mut self, now_ms: u64) {
        for Asker { peer, call, .. } in std::mem::take(&mut self.askers.waiting) {
            let is_well = self.link.is_answering(now_ms);
            let answer = if is_well { self.head() } else { FromLedger::Away };
            self.answer(peer, call, answer);
        }
    }

    pub fn mirror_joined(&mut self, now_ms: u64) {
        self.link = Link::Asked { since_ms: now_ms };
        self.askers.is_asked = false;
        self.out.push(Out::Mirror(ToMirror::Standing));
    }

    pub fn mirror_gone(&mut self, now_ms: u64) {
        self.link = Link::Away;
        (self.askers.is_asked, self.askers.heard_ms) = (false, 0);
        self.prove(now_ms);
    }

    pub(super) fn mirror_stands(&mut self, size: u64, now_ms: u64) {
        let is_following = matches!(self.link, Link::Following { .. });
        // Asked for somebody's sake alone: what it was sent is on its way still.
        if !(std::mem::take(&mut self.askers.is_asked) && is_following) {
            self.follow_from(size, now_ms);
        }
        self.mirror_heard(now_ms);
    }

    fn follow_from(&mut self, size: u64, now_ms: u64) {
        if size <= self.store.size() {
            self.has_met_mirror = true;
            // Nobody gives back more than is here: what is missing is a loss, and told as one.
            self.must_reach = 0;
            self.say_losses();
            self.say_what_the_mirror_lost(size);
            // The last entry again, so that the newest checkpoint is cosigned by this mirror.
            let sent = size.min(self.store.size().saturating_sub(1));
            self.link = Link::Following { sent, outstanding: VecDeque::new() };
            return;
        }
        if self.store.has_staged() {
            // Only after a start without a mirror: two histories have begun.
            self.out.push(Out::Alarm(format!("the mirror holds {size}, more than we ever wrote")));
            self.link = Link::Apart { retry_ms: now_ms + RETRY_MS };
            return;
        }
        self.link = Link::Healing { since_ms: now_ms, leaves: Vec::new() };
        self.out.push(Out::Mirror(ToMirror::Fetch { from_index: self.store.size() }));
    }
}
