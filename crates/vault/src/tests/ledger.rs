//! A ledger and its mirror for tests: true, away, silent, or a liar.
#![allow(dead_code)]

use evidence::{Author, Body, Frame};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use tlog::{
    Checkpoint, CompactRange, Cosigner, LOG_ORIGIN, MIRROR_NAME, Note, NoteSigner, RecentNodes,
    inclusion_proof, leaf_hash,
};
use wire::Channel;
use wire::ledger::{Deed, FromLedger, LastDeeds, Proof, ToLedger};
use wire::vault::{Grant, Proven};

pub const TRUE: u8 = 0;
pub const AWAY: u8 = 1;
pub const SILENT: u8 = 2;
pub const FALSE_PROOF: u8 = 3;
pub const NO_MIRROR: u8 = 4;
pub const NO_PROOF: u8 = 5;
pub const SHUT: u8 = 6;

/// A ledger and its mirror in one; what it holds outlives the vaults that it serves.
#[derive(Clone)]
pub struct Ledger {
    mood: Arc<AtomicU8>,
    entries: Arc<Mutex<Vec<Vec<u8>>>>,
    tree: Arc<Mutex<(CompactRange, RecentNodes)>>,
    /// Starts of vaults that the warden found off charter.
    pub intruders: Arc<Mutex<Vec<InstanceId>>>,
    /// As long as two flushes take on a disk.
    pub delay: Duration,
}

impl Ledger {
    pub fn new() -> Self {
        Self {
            mood: Arc::new(AtomicU8::new(TRUE)),
            entries: Arc::default(),
            tree: Arc::new(Mutex::new((CompactRange::new(), RecentNodes::new(4_096)))),
            intruders: Arc::default(),
            delay: Duration::ZERO,
        }
    }

    pub fn keys() -> (NoteSigner, Cosigner) {
        let signer = NoteSigner::new(LOG_ORIGIN, &[7; 32]).unwrap();
        (signer, Cosigner::new(MIRROR_NAME, &[8; 32]).unwrap())
    }

    pub fn trust() -> tlog::Trust {
        let (signer, cosigner) = Self::keys();
        tlog::Trust::new(&signer.verifier().key_bytes(), &cosigner.public().key_bytes()).unwrap()
    }

    pub fn mood(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
    }

    pub fn deeds(&self) -> Vec<Body> {
        let entries = self.entries.lock().unwrap();
        entries.iter().map(|frame| Frame::parse(frame).unwrap().entry.body).collect()
    }

    pub fn releases(&self) -> Vec<u64> {
        let number = |body: &Body| match body {
            Body::Release { vault_seq, .. } => Some(*vault_seq),
            _ => None,
        };
        self.deeds().iter().filter_map(number).collect()
    }

    /// A grant, recorded by that start of identity and proven.
    pub fn record(&self, by: InstanceId, grant: &Grant) -> Proven {
        let Grant { grant, tenant, user, instance, expires_ms, .. } = *grant;
        let body = Body::Grant { grant, instance, tenant, user, until_ms: expires_ms };
        let mut author = Author::new(Kind::Identity, by, &[11; 32]);
        let entry = author.sign(compartment::now_ms(), body).unwrap();
        match self.append(vec![entry.clone()], true) {
            Some(FromLedger::Proved { mut proofs, checkpoint }) => {
                Proven { entry, proof: proofs.remove(0), checkpoint }
            }
            _ => Proven {
                entry,
                proof: Proof { index: 0, hashes: Vec::new() },
                checkpoint: Vec::new(),
            },
        }
    }

    pub fn serve(self, channel: Channel) {
        thread::spawn(move || {
            while let Ok(frame) = channel.receive(None) {
                let answer = match frame.read::<ToLedger>().unwrap() {
                    ToLedger::Append { entries, prove } => self.append(entries, prove),
                    ToLedger::Releases { .. } => {
                        let entries = self.entries.lock().unwrap().clone();
                        Some(FromLedger::Releases { entries, next: None })
                    }
                    ToLedger::LastDeeds | ToLedger::Deeds { .. } if self.is(SILENT) => None,
                    ToLedger::LastDeeds | ToLedger::Deeds { .. } if self.is(AWAY) => {
                        Some(FromLedger::Away)
                    }
                    ToLedger::LastDeeds => Some(FromLedger::LastDeeds(self.last_deeds())),
                    ToLedger::Deeds { from_index } => {
                        let deeds = self.changes().into_iter();
                        let is_meant = |(deed, _): &(Deed, Vec<u8>)| {
                            deed.index >= from_index && !self.is_intruder(deed)
                        };
                        let entries = deeds.filter(is_meant).map(|(_, frame)| frame).collect();
                        Some(FromLedger::Deeds { entries, next: None })
                    }
                    ToLedger::Head
                    | ToLedger::Lost
                    | ToLedger::Show { .. }
                    | ToLedger::Ended { .. }
                    | ToLedger::Follow { .. } => None,
                };
                if let Some(answer) = answer {
                    let _ = channel.send(frame.call, &answer, &[]);
                }
            }
        });
    }

    fn is(&self, mood: u8) -> bool {
        self.mood.load(Ordering::SeqCst) == mood
    }

    /// What changed what a vault keeps.
    fn changes(&self) -> Vec<(Deed, Vec<u8>)> {
        let mut changes = Vec::new();
        for (frame, index) in self.entries.lock().unwrap().iter().zip(0..) {
            let entry = Frame::parse(frame).unwrap().entry;
            if entry.author == Kind::Vault && entry.body.changes_tables() {
                let deed = Deed { start: entry.start, seq: entry.seq, index };
                changes.push((deed, frame.clone()));
            }
        }
        changes
    }

    fn is_intruder(&self, deed: &Deed) -> bool {
        self.intruders.lock().unwrap().contains(&deed.start)
    }

    fn last_deeds(&self) -> LastDeeds {
        let newest = |is_foreign: bool| {
            let deeds = self.changes().into_iter().rev().map(|(deed, _)| deed);
            deeds.into_iter().find(|deed| self.is_intruder(deed) == is_foreign)
        };
        LastDeeds { own: newest(false), foreign: newest(true) }
    }

    pub fn append(&self, new: Vec<Vec<u8>>, prove: bool) -> Option<FromLedger> {
        thread::sleep(self.delay);
        let mood = self.mood.load(Ordering::SeqCst);
        if mood == SILENT {
            return None;
        }
        let mut entries = self.entries.lock().unwrap();
        let is_new_release = |frame: &Vec<u8>| {
            let body = Frame::parse(frame).unwrap().entry.body;
            matches!(body, Body::Release { .. }) && !entries.contains(frame)
        };
        if mood == SHUT && prove && new.iter().any(is_new_release) {
            return Some(FromLedger::Shut);
        }
        let mut tree = self.tree.lock().unwrap();
        let (range, recent) = &mut *tree;
        let mut places = Vec::new();
        for frame in new {
            // What it has already is answered as if it were new.
            let known = entries.iter().rev().take(2_000).position(|known| *known == frame);
            if let Some(back) = known {
                places.push(entries.len() - 1 - back);
                continue;
            }
            places.push(entries.len());
            range.append(leaf_hash(&frame), |height, index, node| {
                recent.note(height, index, node);
            });
            entries.push(frame);
        }
        match (mood, prove) {
            (AWAY, _) => return Some(FromLedger::Away),
            (NO_PROOF, _) | (_, false) => {
                return Some(FromLedger::Taken { first_index: places[0] as u64 });
            }
            _ => {}
        }
        let prove_one = |place: &usize| {
            let index = *place as u64;
            let hashes = inclusion_proof(recent, index, range.size()).unwrap();
            let mut hashes: Vec<[u8; 32]> = hashes.into_iter().map(|hash| hash.0).collect();
            if mood == FALSE_PROOF {
                hashes.iter_mut().for_each(|hash| hash[0] ^= 1);
                hashes.push([0; 32]);
            }
            Proof { index, hashes }
        };
        let proofs = places.iter().map(prove_one).collect();
        let (signer, cosigner) = Self::keys();
        let text = Checkpoint::new(LOG_ORIGIN, range.size(), range.root()).to_text();
        let mut signatures = vec![signer.sign(&text)];
        if mood != NO_MIRROR {
            signatures.push(cosigner.cosign(compartment::now_ms() / 1_000, &text));
        }
        let checkpoint = Note { text, signatures }.to_text().into_bytes();
        Some(FromLedger::Proved { proofs, checkpoint })
    }
}
