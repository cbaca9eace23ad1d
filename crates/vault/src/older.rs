//! Keys that are older than what was recorded of them: somebody put an older copy in their place,
//! or took them away, while no vault ran. What was ended since is ended again, from the evidence.
//! Until a start has held its rows against the ledger nothing is signed, and so nothing opens.

use crate::Fault;
use crate::keys::Keys;
use crate::offline::{Destroyed, Shred, without_sign_ins};
use crate::record::{Deed, PATIENCE};
use crate::rows::{Row, State, TenantRow};
use crate::vault::{Asker, Then, Vault};
use evidence::{Author, Body, Entry, Frame, Word};
use journal::{Age, Behind, Doubt, Noted};
use std::collections::BTreeMap;
use std::time::Instant;
use terms::{InstanceId, Kind, TenantId, UserId};
use unseal::SecretsKey;
use wire::ledger::{FromLedger, LastDeeds, ToLedger};
use wire::vault::{Freeze, KeyAct};
use zeroize::Zeroizing;

/// Acts that wait for the comparison: as many as may be under way.
const EARLY: usize = 64;
/// For the sums of notes, and for authors' seeds.
const NOTES: &str = "notes";
/// Of records that have sums: a plain copy with such a note is somebody's making.
const NOTES_WITH_SUMS: &str = "notes with sums";
/// What is recorded when a store's records were given sums.
const SUMS: &str = "sums";
const AUTHORS: &str = "authors";

const STRIPPED: &str = "`vault/keys` has no sums, and the ledger says it had: an older copy stands \
                        in its place; nothing opens, mail waits: put the right one back, or \
                        restore data and keys of one day (sekisho restore)";

/// How far this start has come in comparing its rows with the ledger.
pub(crate) enum Past {
    /// The ledger has not said what was recorded last.
    Unknown,
    Told(LastDeeds),
    /// What these rows have forgotten is asked for, from this entry on.
    Forgotten(Forgotten, u64),
    /// A piece of it, and where to go on.
    Piece(Forgotten, Vec<Vec<u8>>, Option<u64>),
    Known(Noted),
    /// These records have no sums, and the evidence says that they had: nothing opens.
    Stripped,
}

pub(crate) struct Forgotten {
    behind: Behind,
    noted: Noted,
    again: Again,
    /// As they stood last.
    marks: BTreeMap<Mark, bool>,
}

/// What stands until it is lifted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Seal(TenantId),
    Hold(TenantId, Option<UserId>),
    Freeze(Option<TenantId>, Option<UserId>),
}

impl Mark {
    fn is_of_nobody(&self, state: &State) -> bool {
        match *self {
            Self::Seal(tenant) => state.shredded.contains_key(&(tenant, None)),
            Self::Hold(tenant, user) | Self::Freeze(Some(tenant), user) => {
                let (all, one) = ((tenant, None), (tenant, user));
                state.shredded.contains_key(&all) || state.shredded.contains_key(&one)
            }
            Self::Freeze(None, _) => false,
        }
    }
}

/// What was done again.
#[derive(Default)]
struct Again {
    deeds: u64,
    shreds: u64,
    marks: u64,
    /// Keys that took others' place since, and are gone.
    rotations: u64,
    /// What the ledger tells and no vault signed, or one of an older version.
    strange: u64,
}

/// Before the comparison.
#[derive(Default)]
pub(crate) struct Early {
    doubt: Doubt,
    acts: Vec<(Option<Asker>, KeyAct, Instant)>,
}

impl Past {
    pub fn question(&self) -> Option<ToLedger> {
        match self {
            Self::Unknown => Some(ToLedger::LastDeeds),
            Self::Forgotten(_, from_index) => Some(ToLedger::Deeds { from_index: *from_index }),
            Self::Told(_) | Self::Piece(..) | Self::Known(_) | Self::Stripped => None,
        }
    }

    /// `false`: that was no answer to it.
    pub fn answered(&mut self, answer: FromLedger) -> bool {
        let (past, is_answer) = match (std::mem::replace(self, Self::Unknown), answer) {
            (Self::Unknown, FromLedger::LastDeeds(deeds)) => (Self::Told(deeds), true),
            (Self::Forgotten(forgotten, from), FromLedger::Deeds { entries, next })
                if next.is_none_or(|next| next > from) =>
            {
                (Self::Piece(forgotten, entries, next), true)
            }
            (past, _) => (past, false),
        };
        *self = past;
        is_answer
    }

    /// Notes that this deed is about to be signed. `false`: it could not be kept, and the deed must
    /// not be done.
    pub fn note(&mut self, keys: &mut Keys, (author, body): (&Author, &Body)) -> bool {
        if !body.changes_tables() {
            return true;
        }
        let Self::Known(noted) = self else { return false };
        let after = noted.with(author.start(), author.next_seq());
        let is_kept = keys.note(&after).is_ok();
        if is_kept {
            *noted = after;
        }
        is_kept
    }
}

impl Keys {
    /// What these rows know of their deeds. `None`: nothing, or nothing that a vault wrote.
    fn noted(&self) -> Option<Noted> {
        let (noted, sum) = self.state.noted.as_ref()?;
        let is_ours = self.of_deeds().ok()?.same(self.notes(), noted, sum);
        is_ours.then(|| Noted::read(noted)).flatten()
    }

    fn notes(&self) -> &'static str {
        if self.is_plain() { NOTES } else { NOTES_WITH_SUMS }
    }

    fn note(&mut self, noted: &Noted) -> Result<(), Fault> {
        self.keep(vec![self.note_of(noted, self.notes())?])
    }

    fn note_of(&self, noted: &Noted, purpose: &str) -> Result<Row, Fault> {
        let noted = noted.write().ok_or(Fault::Torn { at: 0 })?;
        let sum = self.of_deeds()?.verifier(purpose, &noted).map_err(Fault::Key)?;
        Ok(Row::Noted { noted, sum })
    }

    /// Whether a vault recorded here that its records have sums.
    fn says_sums(&self, frame: &Frame) -> bool {
        let is_of_sums = |what: &Word| what.as_str() == SUMS;
        matches!(&frame.entry.body, Body::KeyRotate { what, .. } if is_of_sums(what))
            && self.is_ours(frame)
    }

    /// The author of this start of the vault: every later start knows its hand.
    pub fn author(&self, start: InstanceId) -> Result<Author, Fault> {
        let seed = self.of_deeds()?.verifier(AUTHORS, &start.0).map(Zeroizing::new);
        Ok(Author::new(Kind::Vault, start, &*seed.map_err(Fault::Key)?))
    }

    /// Identity may ask for sums of the key of people's secrets: this is another one.
    fn of_deeds(&self) -> Result<SecretsKey, Fault> {
        SecretsKey::of(&self.root, "deeds of the vault").map_err(Fault::Key)
    }

    /// Only what a vault signed: nobody else, the ledger least of all, has keys destroyed so.
    fn is_ours(&self, frame: &Frame) -> bool {
        let author = self.author(frame.entry.start);
        let is_signed = author.is_ok_and(|author| frame.is_signed_by(&author.public_key()));
        frame.entry.author == Kind::Vault && is_signed
    }

    /// Destroys again what was destroyed, if it is here; or learns what this entry marks.
    fn do_again(&mut self, entry: &Entry, forgotten: &mut Forgotten) -> Result<(), Fault> {
        if let Some(shred) = Shred::of(entry) {
            let is_done = self.shred_again(shred)?;
            forgotten.again.shreds += u64::from(is_done);
            return Ok(());
        }
        let (state, at_ms) = (&self.state, entry.time_ms);
        let act = match entry.body {
            Body::KeyRotate { ref what, epoch, .. } if what.as_str() == "transit-expired" => {
                let last = u32::try_from(epoch).unwrap_or(0);
                let is_here = state.transits.keys().any(|(_, day)| *day < last);
                return if is_here { self.destroy_transits(last).map(drop) } else { Ok(()) };
            }
            Body::KeyRotate { ref what, .. } if what.as_str() == SUMS => return Ok(()),
            Body::KeyRotate { ref what, epoch, tenant, .. } => {
                let has = |row: &TenantRow| u64::from(row.epoch) >= epoch;
                let is_undone = match (what.as_str(), tenant) {
                    ("root", _) => u64::from(self.root_epoch()) < epoch,
                    ("tenant", Some(tenant)) => !state.tenants.get(&tenant).is_some_and(has),
                    // Rows that remember nothing may be newer.
                    _ => !forgotten.behind.is_blank,
                };
                forgotten.again.rotations += u64::from(is_undone);
                return Ok(());
            }
            Body::KeyBackup { ref what, epoch } => {
                let epoch = u32::try_from(epoch).unwrap_or(0);
                match what.as_str() {
                    "start" if state.backup_epoch() < epoch => KeyAct::StartBackupEpoch,
                    "destroyed" | "gone" if state.epochs_to_destroy().contains(&epoch) => {
                        KeyAct::EpochGone { epoch }
                    }
                    _ => return Ok(()),
                }
            }
            ref body => {
                if let Some((mark, on)) = marked(body) {
                    forgotten.marks.insert(mark, on);
                }
                return Ok(());
            }
        };
        self.carry_out(state.next_intent, &act, at_ms, 0).map(drop)
    }

    /// Whether there was anything to destroy. Sign-ins that were set later stay.
    fn shred_again(&mut self, Shred { tenant, what, at_ms }: Shred) -> Result<bool, Fault> {
        match what {
            Destroyed::SignIns => {
                let (records, gone) = without_sign_ins(self.journal.records()?, tenant, at_ms)?;
                if gone > 0 {
                    self.replace(&records, None)?;
                }
                Ok(gone > 0)
            }
            Destroyed::Keys(user) => {
                let is_new = !self.state.shredded.contains_key(&(tenant, user));
                if is_new {
                    let act = shredding(tenant, user);
                    self.carry_out(self.state.next_intent, &act, at_ms, 0)?;
                }
                Ok(is_new)
            }
        }
    }

    /// Only what closes. Whoever has the ledger could tell of what was lifted once and closed again
    /// since; two persons lift it.
    fn mark_again(&mut self, forgotten: &mut Forgotten, now_ms: u64) -> Result<(), Fault> {
        for (mark, _) in forgotten.marks.iter().filter(|(_, on)| **on) {
            let state = &self.state;
            let (is_here, act) = match *mark {
                Mark::Seal(tenant) => {
                    (state.sealed.contains(&tenant), KeyAct::SealTenant { tenant })
                }
                Mark::Hold(tenant, user) => {
                    let act = KeyAct::Hold { tenant, user, on: true };
                    (state.holds.contains(&(tenant, user)), act)
                }
                Mark::Freeze(tenant, user) => {
                    let freeze = Freeze { on: true, tenant, user, instance: None };
                    (state.frozen.contains(&(tenant, user)), KeyAct::Freeze(freeze))
                }
            };
            // What was destroyed since is named no more.
            if !is_here && !mark.is_of_nobody(state) {
                forgotten.again.marks += 1;
                self.carry_out(state.next_intent, &act, now_ms, 0)?;
            }
        }
        Ok(())
    }

    /// What an older copy was about to let loose was done or given up long ago.
    fn drop_loosening(&mut self) -> Result<(), Fault> {
        for (number, act) in self.state.intents.clone() {
            let is_loosening = matches!(
                act,
                KeyAct::UnsealTenant { .. }
                    | KeyAct::Freeze(Freeze { on: false, .. })
                    | KeyAct::Hold { on: false, .. }
            );
            if is_loosening {
                self.give_up(number)?;
            }
        }
        Ok(())
    }
}

impl Vault {
    /// Takes the comparison as far as it goes now.
    pub(crate) fn compare(&mut self) {
        let past = std::mem::replace(&mut self.recorder.past, Past::Unknown);
        self.recorder.past = match past {
            Past::Told(deeds) => self.weigh_age(deeds),
            Past::Piece(forgotten, frames, next) => self.catch_up(forgotten, &frames, next),
            past => past,
        };
        self.give_sums();
        self.take_up_early();
    }

    /// Records of an earlier version are given sums once they are compared: before that they may be
    /// anybody's.
    fn give_sums(&mut self) {
        let Past::Known(noted) = &self.recorder.past else { return };
        if !self.keys.is_plain() {
            return;
        }
        let noted = self.keys.note_of(noted, NOTES_WITH_SUMS);
        let given = noted
            .and_then(|noted| self.keys.take_sums(&self.folder, noted))
            .and_then(|()| self.keys.take_sums_of(&mut self.stood));
        match given {
            Ok(()) => self.unfinished = true,
            Err(fault) => self.recorder.past = self.catch_up_later(&fault),
        }
    }

    /// That records have sums now stands in the ledger, so that a plain copy is known for what it
    /// is.
    pub(crate) fn record_sums(&mut self) {
        if self.keys.state.sums_unrecorded {
            let what = Word::new(SUMS);
            let body = Body::KeyRotate { what, epoch: 0, tenant: None, user: None };
            self.record_lasting(Deed::Plain(body), Then::Summed);
        }
    }

    pub(crate) fn sums_recorded(&mut self, entry: u64) {
        if let Err(fault) = self.keys.keep(vec![Row::Summed { entry: Some(entry) }]) {
            self.alarm(fault.to_string());
        }
    }

    /// Whether these rows know all that was recorded of them.
    pub(crate) fn is_compared(&self) -> bool {
        matches!(self.recorder.past, Past::Known(_))
    }

    fn weigh_age(&mut self, deeds: LastDeeds) -> Past {
        let (noted, age) = Noted::compare(self.keys.noted(), deeds);
        if self.early.doubt.is_about(&age) {
            self.recorder.mark_away();
            return Past::Unknown;
        }
        match age {
            Age::Current => Past::Known(noted),
            Age::Ahead { known, stands } => {
                self.alarm(journal::ahead(Kind::Vault, known, stands));
                Past::Known(noted)
            }
            Age::Intruded(last) => {
                // An intruder's word ends nothing and lets nothing loose. If it cannot be kept that
                // this was said, the next start says it again.
                self.alarm(journal::intruded(Kind::Vault));
                let all = Noted::up_to(last);
                Past::Known(if self.keys.note(&all).is_ok() { all } else { noted })
            }
            Age::Older(behind) => {
                let (again, marks) = (Again::default(), BTreeMap::new());
                Past::Forgotten(Forgotten { behind, noted, again, marks }, behind.from_index)
            }
        }
    }

    /// It is recorded already; whatever is done twice, after a crash, comes to the same.
    fn catch_up(
        &mut self,
        mut forgotten: Forgotten,
        frames: &[Vec<u8>],
        next: Option<u64>,
    ) -> Past {
        for frame in frames.iter().filter_map(|bytes| Frame::parse(bytes)) {
            if forgotten.noted.has_signed(&frame.entry) {
                continue;
            }
            if self.keys.is_plain() && self.keys.says_sums(&frame) {
                self.alarm(STRIPPED.to_owned());
                return Past::Stripped;
            }
            forgotten.again.deeds += 1;
            if !self.keys.is_ours(&frame) {
                forgotten.again.strange += 1;
            } else if let Err(fault) = self.keys.do_again(&frame.entry, &mut forgotten) {
                return self.catch_up_later(&fault);
            } else if let Some(Shred { tenant, what: Destroyed::Keys(user), .. }) =
                Shred::of(&frame.entry)
            {
                self.after(&shredding(tenant, user));
            }
        }
        if let Some(next) = next {
            return Past::Forgotten(forgotten, next);
        }
        match self.finish(&mut forgotten) {
            Ok(all) => {
                self.alarm(forgotten.again.what(forgotten.behind.is_blank));
                Past::Known(all)
            }
            Err(fault) => self.catch_up_later(&fault),
        }
    }

    fn finish(&mut self, forgotten: &mut Forgotten) -> Result<Noted, Fault> {
        self.keys.drop_loosening()?;
        self.keys.mark_again(forgotten, self.now_ms())?;
        for (mark, _) in forgotten.marks.iter().filter(|(_, on)| **on) {
            match *mark {
                Mark::Seal(tenant) => self.grants.drop_whose(Some(tenant), None),
                Mark::Freeze(tenant, user) => self.grants.drop_whose(tenant, user),
                Mark::Hold(..) => {}
            }
        }
        let all = Noted::up_to(forgotten.behind.last);
        self.keys.note(&all).map(|()| all)
    }

    /// Without room on the disk nothing opens.
    fn catch_up_later(&mut self, fault: &Fault) -> Past {
        let words = compartment::in_full(fault);
        compartment::tell(format_args!("sekisho: the vault catches up later: {words}"));
        self.recorder.mark_away();
        Past::Unknown
    }

    /// An act that comes before its time waits for it, as it would for the ledger.
    pub(crate) fn wait_for_past(&mut self, asker: Option<Asker>, act: KeyAct) {
        if self.early.acts.len() < EARLY {
            return self.early.acts.push((asker, act, Instant::now() + PATIENCE));
        }
        self.answer_act_away(asker);
    }

    fn take_up_early(&mut self) {
        let (is_compared, now) = (self.is_compared(), Instant::now());
        for (asker, act, until) in std::mem::take(&mut self.early.acts) {
            match (is_compared, until > now) {
                (true, _) => self.act(asker, act),
                (false, true) => self.early.acts.push((asker, act, until)),
                (false, false) => self.answer_act_away(asker),
            }
        }
    }
}

impl Again {
    /// For an alarm.
    fn what(&self, is_blank: bool) -> String {
        let Self { deeds, shreds, marks, rotations, strange } = self;
        let how = if is_blank { "remember nothing of what was" } else { "are older than what was" };
        let others = match strange {
            0 => String::new(),
            _ => format!("; {strange} that this vault did not sign are told and not done"),
        };
        format!(
            "the vault's keys {how} recorded of them: somebody put an older copy of DIR/vault in \
             its place, or removed it; of {deeds} changes what ended something is done again \
             ({shreds} destructions of keys, {marks} seals, freezes and holds); what was lifted \
             since is not, {rotations} rotations are undone (rotate again), and keys made since \
             are gone{others}"
        )
    }
}

fn shredding(tenant: TenantId, user: Option<UserId>) -> KeyAct {
    match user {
        Some(user) => KeyAct::ShredUser { tenant, user },
        None => KeyAct::ShredTenant { tenant },
    }
}

/// An instance that was frozen is long gone.
fn marked(body: &Body) -> Option<(Mark, bool)> {
    match *body {
        Body::KeySeal { sealed, tenant } => Some((Mark::Seal(tenant), sealed)),
        Body::KeyHold { on, tenant, user } => Some((Mark::Hold(tenant, user), on)),
        Body::KeyFreeze { on, tenant, user, .. } => {
            let is_kept = tenant.is_some() || user.is_some();
            is_kept.then_some((Mark::Freeze(tenant, user), on))
        }
        _ => None,
    }
}
