//! Who has come on stage, and what they said.

use super::foreign::Seen;
use super::markers::Side;
use super::play::Phase;
use drill::{Ask, Facts, Sealed, Told};
use std::os::fd::AsFd;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use terms::InstanceId;
use wire::Channel;
use wire::vault::Item;

/// A birth, its walls and its first word.
pub const BIRTH_LIMIT: Duration = Duration::from_secs(15);
/// The slowest part of an intruder's work.
pub const WORK_LIMIT: Duration = Duration::from_secs(40);
pub const PULSE: Duration = Duration::from_millis(20);
const LAST_WORDS: Duration = Duration::from_secs(2);
/// All that one intruder may say: a foreign program does not fill our memory.
const LOOT_BYTES: usize = 64 * 1024 * 1024;
/// How a hostile access calls the line with a person's secret.
const TYPED: &str = "what was typed";
/// Packets heard from one foreign program in one round.
const PACKETS: usize = 64;

/// One hostile instance and what it said.
pub struct Intruder {
    pub instance: InstanceId,
    talk: Channel,
    pub told: Vec<Told>,
    /// Whose work it does: what it gets of that side has passed through it.
    pub side: Side,
    pub finished: usize,
    pub gone: bool,
    /// It has finished what it did with the person who typed last.
    pub rested: bool,
    /// When its lies began, by the clock of the warden's process.
    pub lied_at: Option<Instant>,
    loot: usize,
    /// Of a foreign program: what was observed of it.
    pub seen: Seen,
}

pub struct Cast {
    pub talks: Receiver<(InstanceId, Channel)>,
    pub facts: Facts,
}

impl Cast {
    /// Takes in who was born meanwhile; whether there is anybody.
    pub fn gather(&mut self, phase: &mut Phase, at_least: usize) -> bool {
        let until = Instant::now() + BIRTH_LIMIT;
        while phase.intruders.len() < at_least && Instant::now() < until {
            self.gather_now(phase);
            std::thread::sleep(PULSE);
        }
        phase.intruders.len() >= at_least
    }

    pub fn gather_now(&mut self, phase: &mut Phase) {
        while let Ok((instance, talk)) = self.talks.try_recv() {
            let (told, finished, gone, side, loot) = (Vec::new(), 0, false, Side::A, 0);
            let (lied_at, rested, seen) = (None, false, Seen::default());
            phase.intruders.push(Intruder {
                instance,
                talk,
                told,
                side,
                finished,
                gone,
                rested,
                lied_at,
                loot,
                seen,
            });
        }
    }
}

impl Intruder {
    pub fn ask(&self, ask: &Ask) {
        let _ = self.talk.send(0, ask, &[]);
    }

    /// Asks, and takes what it says until it has finished.
    pub fn does(&mut self, ask: &Ask) {
        self.ask(ask);
        self.finish(WORK_LIMIT);
    }

    /// Takes what it says until it has finished once more.
    pub fn finish(&mut self, limit: Duration) {
        let (until, before) = (Instant::now() + limit, self.finished);
        while self.finished == before && !self.gone && Instant::now() < until {
            self.hear(PULSE);
        }
    }

    /// Whether a person signed in to it.
    pub fn has_typed(&self) -> bool {
        let typed = |told: &Told| matches!(told, Told::Obtained { how, .. } if how == TYPED);
        self.told.iter().any(typed)
    }

    /// Hears it to its end.
    pub fn drain(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        while !self.gone && Instant::now() < until {
            self.hear(PULSE);
        }
    }

    pub fn hear(&mut self, limit: Duration) {
        match self.talk.receive(Some(limit)).map(|frame| frame.read()) {
            Ok(Ok(Told::Finished)) => {
                self.finished += 1;
                self.rested = true;
            }
            Ok(Ok(Told::Lies)) => self.lied_at = Some(Instant::now()),
            Ok(Ok(told)) => {
                let is_typed = matches!(&told, Told::Obtained { how, .. } if how == TYPED);
                self.rested &= !is_typed;
                self.told.push(told);
            }
            Ok(Err(_)) | Err(wire::Fault::Silent) => {}
            Err(_) => self.gone = true,
        }
    }

    /// A foreign program speaks as it likes: whatever it writes is what it obtained.
    pub fn hear_foreign(&mut self) {
        for _ in 0..PACKETS {
            let mut bytes = vec![0u8; 64 * 1024];
            let flags = rustix::net::RecvFlags::DONTWAIT;
            match rustix::net::recv(self.talk.as_fd(), &mut bytes[..], flags) {
                Ok((_, count)) if count > 0 => {
                    bytes.truncate(count);
                    self.loot += count;
                    if self.loot <= LOOT_BYTES {
                        let how = "what the program reported".to_owned();
                        self.told.push(Told::Obtained { how, bytes });
                    }
                }
                _ => return,
            }
        }
    }

    /// What it said it obtained, packet by packet.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.told.iter().filter_map(|told| match told {
            Told::Obtained { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// The same in one piece: a word may lie across the border of two packets.
    pub fn loot(&self) -> Vec<u8> {
        self.packets().collect::<Vec<_>>().concat()
    }

    pub fn wrapped(&self) -> Vec<Item> {
        let items = self.told.iter().filter_map(|told| match told {
            Told::Wrapped(items) => Some(items.clone()),
            _ => None,
        });
        items.flatten().collect()
    }

    pub fn sealed(&self) -> Vec<Sealed> {
        let parts = self.told.iter().filter_map(|told| match told {
            Told::Sealed(sealed) => Some((**sealed).clone()),
            _ => None,
        });
        parts.collect()
    }
}
