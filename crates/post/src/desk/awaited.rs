//! What the directory asks: its letters, the end of a contract, and a person's word about what is
//! held in their name, whose token it has seen.
//!
//! It counts for this person's message under this very hold, and each is told to the operator from
//! here: whoever owns the directory releases nothing in silence.

use super::{Desk, Owed};
use crate::Fault;
use crate::table::seconds;
use compartment::now_ms;
use wire::control::Report;
use wire::post::{Awaited, Decider, FromDirectory, ToDirectory};
use wire::{Frame, Peer};

impl Desk {
    pub(super) fn answer_directory(&mut self, peer: Peer, frame: Frame) -> Result<(), wire::Fault> {
        let call = frame.call;
        match frame.read()? {
            FromDirectory::Queue(outgoing) => {
                return self.queue_letter(peer, call, (&outgoing, &frame.descriptors));
            }
            FromDirectory::Waits(awaited) => {
                let answer = match self.store.is_awaited(&awaited, now_ms()) {
                    true => ToDirectory::Yes,
                    false => ToDirectory::No,
                };
                let _ = self.hub.send(peer, call, &answer, Vec::new());
            }
            FromDirectory::Complained { user } => {
                // It can only make a person's mail wait to be looked at.
                self.store.returns.complained(user, seconds(now_ms()));
                let _ = self.hub.send(peer, call, &ToDirectory::Yes, Vec::new());
            }
            FromDirectory::StillHeld { tenant, user } => {
                let held = self.store.still_held((tenant, user));
                let _ = self.hub.send(peer, call, &ToDirectory::StillHeld(held), Vec::new());
            }
            FromDirectory::Release(awaited) => self.decide(peer, call, &awaited, true),
            FromDirectory::Cancel(awaited) => self.decide(peer, call, &awaited, false),
            FromDirectory::Erase { tenant, users, whole } => {
                // What is staged is not in the table yet: it must not outlive them.
                if self.store.has_staged() {
                    self.commit();
                }
                let ended = self.store.erase(tenant, users, whole, now_ms());
                self.owe_end(peer, call, ended);
            }
            FromDirectory::Count { tenant, users, whole } => {
                if self.store.has_staged() {
                    self.commit();
                }
                let counted = self.store.count(tenant, &users, whole);
                let _ = self.hub.send(peer, call, &counted, Vec::new());
            }
            FromDirectory::Sweep => {
                let ended = self.store.sweep();
                self.owe_end(peer, call, ended);
            }
        }
        Ok(())
    }

    /// An ending goes on when it is asked for again.
    fn owe_end(&mut self, peer: Peer, call: u32, ended: Result<ToDirectory, Fault>) {
        match ended {
            Ok(answer) => self.owe(peer, call, Owed::Directory(answer)),
            Err(fault) => {
                self.owed.push((peer, call, Owed::Directory(ToDirectory::Fault)));
                self.failed(&fault);
            }
        }
    }

    fn decide(&mut self, peer: Peer, call: u32, awaited: &Awaited, releases: bool) {
        let (message, now) = (awaited.message, now_ms());
        if !self.store.is_awaited(awaited, now) {
            let _ = self.hub.send(peer, call, &ToDirectory::No, Vec::new());
            return;
        }
        let decided = match releases {
            true => self.store.release(message, Decider::Sender, now_ms()),
            false => self.store.cancel(message, Decider::Sender, now),
        };
        match decided {
            Ok(found) => {
                let answer = if found { ToDirectory::Yes } else { ToDirectory::No };
                self.owe(peer, call, Owed::Directory(answer));
                let word = if releases { "released" } else { "cancelled" };
                let text = format!("post: {message}, held, is {word} by its sender's link");
                let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
            }
            Err(fault) => {
                self.owed.push((peer, call, Owed::Directory(ToDirectory::Fault)));
                self.failed(&fault);
            }
        }
    }
}
