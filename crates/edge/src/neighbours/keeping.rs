//! What the mailbox is handed: sealed copies, and the traces of what was refused.

use super::{KEEP_LIMIT, Kept, Neighbours, REJOIN_LIMIT};
use crate::Fault;
use crate::judgement::Judged;
use crate::sealing::{Sealed, ask_for_tokens, await_tokens, frames, journeys};
use compartment::Lender;
use std::time::Instant;
use terms::Kind;
use wire::mailbox::{self, State};

impl Neighbours {
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
        for _ in 0..2 {
            let Ok(mailbox) = self.channel(Kind::Mailbox, REJOIN_LIMIT) else { return Kept::No };
            let mut call = 0;
            let sent = frames.iter().try_for_each(|(keep, held)| {
                call = mailbox.next_call();
                mailbox.send(call, keep, held)
            });
            match sent {
                Ok(()) => return self.await_kept(call),
                // It lives, with a part of this message that the next one must not follow: whoever
                // takes our place has a channel of its own.
                Err(wire::Fault::Silent | wire::Fault::Crowded) => {
                    self.retire();
                    return Kept::No;
                }
                // It was gone before it had everything: nothing is kept, so asking again is safe.
                Err(_) => drop(self.channels.remove(&Kind::Mailbox)),
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
                        Ok(mailbox::ToEdge::Kept) => Kept::Yes,
                        Ok(mailbox::ToEdge::OverQuota(_)) => {
                            self.rooms.clear();
                            Kept::OverQuota
                        }
                        Ok(mailbox::ToEdge::Full) => Kept::Full,
                        _ => Kept::No,
                    };
                }
                // It lives: it may answer later, and the next message finds it where it is.
                Err(wire::Fault::Silent) => break,
                Err(_) => {
                    self.channels.remove(&Kind::Mailbox);
                }
            }
        }
        Kept::Unknown
    }

    /// A refused message leaves a trace, and nothing else.
    pub(crate) fn record_refused(&mut self, judged: &Judged) {
        let asked = ask_for_tokens(judged, self);
        let tokens = await_tokens(asked, self);
        let journeys = journeys(judged, State::Refused, &tokens);
        let keep = mailbox::FromEdge::Keep { copies: Vec::new(), journeys, more: false };
        let _: Result<mailbox::ToEdge, Fault> = self.ask(Kind::Mailbox, &keep, KEEP_LIMIT);
    }
}
