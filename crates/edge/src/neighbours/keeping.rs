//! What the mailbox is handed: sealed copies, and the traces of what was refused.

use super::{KEEP_LIMIT, Kept, Neighbours, REJOIN_LIMIT, REMEMBERED, REMEMBERED_RECIPIENTS, Room};
use crate::Fault;
use crate::judgement::Judged;
use crate::sealing::{Sealed, ask_for_tokens, await_tokens, frames, journeys};
use compartment::Lender;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{Kind, MessageId, UserId};
use wire::mailbox::{FromEdge, State, ToEdge};

const ROOM_LIMIT: Duration = Duration::from_secs(4);
/// Messages up to this find room where room was found a moment ago; the keeper has the last word.
const SMALL_BYTES: u64 = 1024 * 1024;
/// A mailbox that did not answer is not asked for room again for so long.
const MUTE: Duration = Duration::from_secs(2);

/// A message is offered so often: to a keeper that dies with it, and to its successors.
const OFFERS: usize = 3;

impl Neighbours {
    /// Whether a mailbox has room. A keeper that does not say so now would not say later whether it
    /// kept the letter.
    pub(crate) fn room_for(&mut self, user: UserId, bytes: u64) -> Room {
        let lately = self.rooms.get(&user).is_some_and(|since| since.elapsed() < REMEMBERED);
        if lately && bytes <= SMALL_BYTES {
            return Room::Yes;
        }
        // Whoever names a hundred people waits once.
        if self.mute.is_some_and(|since| since.elapsed() < MUTE) {
            return Room::Unsaid;
        }
        let question = FromEdge::Room { user, bytes };
        match self.ask(Kind::Mailbox, &question, ROOM_LIMIT) {
            Ok(ToEdge::Room(true)) => {
                if self.rooms.len() >= REMEMBERED_RECIPIENTS {
                    self.rooms.clear();
                }
                self.rooms.insert(user, Instant::now());
                Room::Yes
            }
            Ok(ToEdge::Room(false)) => Room::No,
            _ => {
                self.mailbox_is_mute();
                Room::Unsaid
            }
        }
    }

    /// What it said of room counts no more: whoever is named next, it is asked.
    fn mailbox_is_mute(&mut self) {
        self.mute = Some(Instant::now());
        self.rooms.clear();
    }

    /// Hands a sealed message to the mailbox; `Yes` means durable.
    pub(crate) fn keep(&mut self, mut sealed: Sealed) -> Kept {
        let lent = sealed.lent();
        let kept = self.keep_all(sealed);
        if kept != Kept::Unknown {
            lent.into_iter().for_each(|loan| self.lender.take_back(loan));
        }
        kept
    }

    /// Memory for ciphertext on its way to the mailbox.
    pub(crate) fn lender(&mut self) -> &mut Lender {
        &mut self.lender
    }

    fn keep_all(&mut self, sealed: Sealed) -> Kept {
        let Ok(frames) = frames(sealed) else { return Kept::No };
        for _ in 0..OFFERS {
            let Ok(mailbox) = self.channel(Kind::Mailbox, REJOIN_LIMIT) else { return Kept::No };
            let mut call = 0;
            let sent = frames.iter().try_for_each(|(keep, held)| {
                call = mailbox.next_call();
                mailbox.send(call, keep, held)
            });
            match sent {
                Ok(()) => match self.await_kept(call) {
                    Kept::Unknown if !self.channels.contains_key(&Kind::Mailbox) => {}
                    kept => return kept,
                },
                // It lives, with a part of this message that the next one must not follow: whoever
                // takes our place has a channel of its own.
                Err(wire::Fault::Silent | wire::Fault::Crowded) => {
                    self.retire();
                    return Kept::No;
                }
                // It was gone before it had everything: nothing is kept, so asking again is safe.
                Err(_) => {
                    self.channels.remove(&Kind::Mailbox);
                    continue;
                }
            }
            // It died with the whole of it: its successor has read the log, and knows.
            match self.was_kept(&frames) {
                Some(true) => return Kept::Yes,
                Some(false) => {}
                None => return Kept::Unknown,
            }
        }
        Kept::No
    }

    /// Once the last frame is out, only an answer counts: a mailbox that died may have kept it.
    fn await_kept(&mut self, call: u32) -> Kept {
        let until = Instant::now() + KEEP_LIMIT;
        while let Some(mailbox) = self.channels.get(&Kind::Mailbox) {
            let left = until.saturating_duration_since(Instant::now());
            match mailbox.receive(Some(left)) {
                Ok(frame) if frame.call != call => {}
                Ok(frame) => {
                    return match frame.read() {
                        Ok(ToEdge::Kept) => Kept::Yes,
                        Ok(ToEdge::OverQuota(_)) => {
                            self.rooms.clear();
                            Kept::OverQuota
                        }
                        Ok(ToEdge::Full) => Kept::Full,
                        _ => Kept::No,
                    };
                }
                // It lives: it may answer later, and the next message finds it where it is.
                Err(wire::Fault::Silent) => {
                    self.mailbox_is_mute();
                    break;
                }
                Err(_) => {
                    self.channels.remove(&Kind::Mailbox);
                }
            }
        }
        Kept::Unknown
    }

    /// Whether a keeper that died kept an arrival, by the word of its successor. An arrival is kept
    /// whole or not at all, so that one copy tells of all.
    fn was_kept(&mut self, frames: &[(FromEdge, Vec<OwnedFd>)]) -> Option<bool> {
        let (user, message) = first_copy(frames)?;
        // The sender waits ten minutes for this reply (RFC 5321 §4.5.3.2.6).
        self.channel(Kind::Mailbox, KEEP_LIMIT).ok()?;
        let question = FromEdge::HasKept { user, message };
        match self.ask(Kind::Mailbox, &question, KEEP_LIMIT) {
            Ok(ToEdge::HasKept(is_kept)) => Some(is_kept),
            _ => None,
        }
    }

    /// A refused message leaves a trace, and nothing else.
    pub(crate) fn record_refused(&mut self, judged: &Judged) {
        let asked = ask_for_tokens(judged, self);
        let tokens = await_tokens(asked, self);
        let journeys = journeys(judged, State::Refused, &tokens);
        let keep = FromEdge::Keep { copies: Vec::new(), journeys, more: false };
        let _: Result<ToEdge, Fault> = self.ask(Kind::Mailbox, &keep, KEEP_LIMIT);
    }
}

fn first_copy(frames: &[(FromEdge, Vec<OwnedFd>)]) -> Option<(UserId, MessageId)> {
    frames.iter().find_map(|(frame, _)| match frame {
        FromEdge::Keep { copies, .. } => copies.first().map(|copy| (copy.user, copy.message)),
        _ => None,
    })
}
