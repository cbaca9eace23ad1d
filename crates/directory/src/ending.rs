//! The end of a contract: grace, then destruction in steps, each noted before the next.
//!
//! | state | guarantee |
//! |---|---|
//! | grace | everything is as before, mail included; it can be taken back |
//! | held | the grace is over and a hold stands: nothing is destroyed, and it can be taken back |
//! | destroying | no way back: keys go first; after any restart it goes on |
//! | destroyed | nothing is left but the certificate and the minimal contact record |
//!
//! Before *destroying* is recorded, mail is refused and the statements that were handed out are let
//! run out, so that no letter is taken whose keys go.
//!
//! The order within *destroying*: keys (from here on nothing opens, and nothing is signed in the
//! name of its domains), identity's rows (sessions end
//! with them), mail that waits in the queue and mail that is kept, our own rows, the dead bytes on
//! both disks, the certificate.

mod mail;

use crate::Fault;
use crate::changes::{Changes, no_tenant, refused};
use crate::endings::{EndingRow, Swept, name_salt};
use crate::keys::LastOpen;
use crate::named::tokens_of;
use compartment::{now_ms, random};
use evidence::{Body, Digest, Word};
use std::time::Instant;
use terms::plain::is_plain;
use terms::{HoldId, TenantId, UserId};
use wire::directory::{Ending, EndingState, EndingWait, Hold, Part, ToAdmin};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest grace: a year.
const LONGEST_GRACE_MS: u64 = 366 * DAY_MS;
/// It is read by whoever decides about the hold, on a terminal.
const PLAIN: &str = "a reason without control characters or marks of writing direction";
/// A hold's reason in octets.
const REASON_BYTES: usize = 2_000;
/// Holds of the house: more is not read by anybody.
const HOLDS: usize = 10_000;

impl Changes<'_> {
    /// The grace begins. What was decided is recorded before it counts.
    pub fn begin_ending(&mut self, part: Part, grace_ms: u64) -> Result<ToAdmin, Fault> {
        let Some(name) = self.name_of(part)? else {
            return Ok(no_tenant(&part.tenant.to_string()));
        };
        if let Some(row) = self.tables.ending(self.key, part)? {
            let hint = match part.user {
                Some(_) => "`tenant endings` tells how far it is",
                None => "tenant show tells how far it is",
            };
            let found = format!("one whose state is {}", row.ending.state.word());
            return Ok(refused("a contract that is not ending", &found, hint));
        }
        let now = now_ms();
        let grace_until_ms = now + grace_ms.min(LONGEST_GRACE_MS);
        self.record_state(part, EndingState::Grace.word(), Some(grace_until_ms))?;
        let ending = Ending {
            part,
            name,
            state: EndingState::Grace,
            asked_ms: now,
            grace_until_ms,
            users: 0,
            messages: 0,
            bytes: 0,
            rows: 0,
            last_open_ms: None,
            destroyed_ms: None,
        };
        let mut row = EndingRow::new(ending);
        self.tables.keep_ending(self.key, &row)?;
        // Whom a hold stops at once is told so. That the vault does not say now is no reason to
        // fail: it is asked again before anything is destroyed.
        if now >= grace_until_ms
            && (self.is_held(part)? || self.friends.are_keys_held(part).unwrap_or(false))
        {
            self.weigh_holds(&mut row)?;
        }
        Ok(ToAdmin::endings(row.ending))
    }

    /// Takes an ending back, as long as nothing is destroyed.
    pub fn cancel_ending(&mut self, part: Part) -> Result<ToAdmin, Fault> {
        let row = self.tables.ending(self.key, part)?;
        let hint = "see `tenant endings`; what is destroyed does not come back";
        match row.map(|row| row.ending.state) {
            Some(EndingState::Grace | EndingState::Held) => {
                self.record_state(part, "active", None)?;
                self.tables.forget_ending(self.key, part)?;
                self.take_mail_again(part)?;
                Ok(ToAdmin::Done)
            }
            Some(state) => {
                let found = format!("one whose state is {}", state.word());
                Ok(refused("a contract in its grace", &found, hint))
            }
            None => Ok(refused("a contract in its grace", "one that goes on", hint)),
        }
    }

    pub fn list_endings(&mut self) -> Result<ToAdmin, Fault> {
        let rows = self.tables.endings(self.key)?;
        Ok(ToAdmin::Endings(rows.into_iter().map(|row| row.ending).collect()))
    }

    /// Of people who had this address: nothing but its keyed hash is left of it.
    pub fn endings_of(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let tokens = tokens_of(self.key, address);
        let rows = self.tables.endings(self.key)?;
        let had_it = |row: &EndingRow| row.addresses.iter().any(|one| tokens.contains(one));
        Ok(ToAdmin::Endings(rows.into_iter().filter(had_it).map(|row| row.ending).collect()))
    }

    /// For certificates: what their entries bind the contracts' names with.
    pub fn name_salts(&mut self) -> Result<ToAdmin, Fault> {
        let rows = self.tables.endings(self.key)?;
        let is_over = |row: &EndingRow| row.ending.state == EndingState::Destroyed;
        let ended = rows.into_iter().filter(is_over).map(|row| row.ending.part);
        Ok(ToAdmin::NameSalts(ended.map(|part| (part, name_salt(self.key, part))).collect()))
    }

    /// What only others can end, so that nobody waits without knowing it.
    pub fn ending_waits(&mut self) -> Result<ToAdmin, Fault> {
        let mut waits = Vec::new();
        for row in self.tables.endings(self.key)? {
            let part = row.ending.part;
            match row.ending.state {
                EndingState::Destroying if row.keys_destroyed => {
                    if let LastOpen::Unknown(epochs) = self.friends.last_open(row.shredded_ms)? {
                        waits.push((part, EndingWait::BackupEpochs(epochs)));
                    }
                }
                EndingState::Grace | EndingState::Held if row.withdrawn => {
                    waits.push((part, EndingWait::Statements));
                }
                _ => {}
            }
        }
        Ok(ToAdmin::EndingWaits(waits))
    }

    /// Takes every ending as far as it can go now.
    pub fn tend_endings(&mut self) -> Result<(), Fault> {
        for row in self.tables.endings(self.key)? {
            let is_over = row.ending.state == EndingState::Destroyed;
            if !is_over && now_ms() >= row.ending.grace_until_ms {
                self.go_on(row)?;
            }
        }
        Ok(())
    }

    /// One ending, step by step, until it waits for somebody else or is done.
    pub fn go_on(&mut self, mut row: EndingRow) -> Result<Ending, Fault> {
        if matches!(row.ending.state, EndingState::Grace | EndingState::Held)
            && now_ms() < row.ending.grace_until_ms
        {
            return Ok(row.ending);
        }
        // Until the keys are destroyed, a hold upon them comes in time.
        if row.ending.state != EndingState::Destroyed && !row.keys_destroyed {
            self.weigh_holds(&mut row)?;
        }
        if matches!(row.ending.state, EndingState::Grace | EndingState::Held) {
            return Ok(row.ending);
        }
        self.destroy(row)
    }

    /// Held, or to be destroyed: what is known of it is recorded before it counts.
    fn weigh_holds(&mut self, row: &mut EndingRow) -> Result<(), Fault> {
        let part = row.ending.part;
        let state = match self.is_held(part)? || self.friends.are_keys_held(part)? {
            true => EndingState::Held,
            false => EndingState::Destroying,
        };
        let before = row.ending.state;
        if before == state {
            return Ok(());
        }
        if state == EndingState::Destroying && !self.withdraw(row)? {
            return Ok(());
        }
        self.record_state(part, state.word(), None)?;
        row.ending.state = state;
        row.people = self.people_of(part)?;
        row.ending.users = row.people.len() as u64;
        row.addresses = self.tables.address_tokens(self.key, part)?;
        let was_refused = row.withdrawn || before == EndingState::Destroying;
        row.withdrawn = state == EndingState::Destroying;
        self.tables.keep_ending(self.key, row)?;
        if was_refused && state == EndingState::Held {
            self.take_mail_again(part)?;
        }
        Ok(())
    }

    /// Mail is refused from here on; whether nobody knows a statement any more from before.
    fn withdraw(&mut self, row: &mut EndingRow) -> Result<bool, Fault> {
        let part = row.ending.part;
        if !row.withdrawn {
            row.withdrawn = true;
            self.tables.keep_ending(self.key, row)?;
        }
        if !self.statements.is_withdrawing(part) {
            self.restate_without(part)?;
            self.statements.withdraw(part, Instant::now());
        }
        Ok(self.statements.are_withdrawn(part, Instant::now()))
    }

    /// What was refused already, or is refused no more.
    fn take_mail_again(&mut self, part: Part) -> Result<(), Fault> {
        self.statements.give_again(part);
        self.restate_without(part)
    }

    fn destroy(&mut self, mut row: EndingRow) -> Result<Ending, Fault> {
        let part = row.ending.part;
        if row.ending.state == EndingState::Destroyed {
            return Ok(row.ending);
        }
        if !row.keys_destroyed {
            self.statements.forget_all();
            self.restate_without(part)?;
            self.friends.shred(part)?;
            self.forget_keys(part)?;
            // Not before this moment: the clock of a later certificate must not run behind.
            row.shredded_ms = now_ms();
            row.keys_destroyed = true;
            self.tables.keep_ending(self.key, &row)?;
        }
        if !row.identity_erased {
            return Ok(row.ending); // identity asks for it, ends sessions, erases, and says so
        }
        if !row.mail_erased {
            self.erase_mail(&mut row)?;
        }
        if !row.mail_erased {
            return Ok(row.ending); // others wait for the directory, too: the rest comes next
        }
        if !row.rows_erased {
            self.erase_rows(&mut row)?;
        }
        if row.swept != Swept::Both {
            self.sweep(&mut row)?;
        }
        if row.swept == Swept::Both && row.ending.last_open_ms.is_none() {
            row.ending.last_open_ms = match self.friends.last_open(row.shredded_ms)? {
                LastOpen::At(last_open_ms) => Some(last_open_ms),
                LastOpen::Unknown(_) => None, // `tenant endings` tells for which keys it waits
            };
        }
        if row.swept == Swept::Both
            && let Some(last_open_ms) = row.ending.last_open_ms
        {
            self.certify(&mut row, last_open_ms)?;
        }
        Ok(row.ending)
    }

    /// Both stores work on it at once, and neither is asked again once it is done.
    fn sweep(&mut self, row: &mut EndingRow) -> Result<(), Fault> {
        let mail = row.swept.is_mail() || !self.friends.sweep_mail()?;
        let queue = row.swept.is_queue() || !self.friends.sweep_queue()?;
        row.swept = Swept::of(mail, queue);
        self.tables.keep_ending(self.key, row)
    }

    /// Our own rows, and what others' rows of the same contract say of whoever ends.
    fn erase_rows(&mut self, row: &mut EndingRow) -> Result<(), Fault> {
        let part = row.ending.part;
        // Once more: a row of an older version, or a pair that was made since.
        self.forget_keys(part)?;
        let changed = match part.user {
            Some(user) => self.take_out(part.tenant, user)?,
            None => Vec::new(),
        };
        row.ending.rows += self.tables.erase(self.key, part)?;
        row.rows_erased = true;
        self.tables.keep_ending(self.key, row)?;
        self.restate_all(changed)?;
        self.tables.wipe()
    }

    /// The signer's keys of a contract's domains; a person has none.
    fn forget_keys(&mut self, part: Part) -> Result<(), Fault> {
        if part.user.is_some() {
            return Ok(());
        }
        let domains = self.tables.domains(self.key, Some(part.tenant))?;
        self.friends.forget_keys(part.tenant, &domains)
    }

    /// What the signer holds for domains that no contract has; told where something ended.
    fn stray_keys(&mut self) -> Result<Vec<String>, Fault> {
        let mut domains = Vec::new();
        for (tenant, _) in self.tables.tenants(self.key)? {
            let of_tenant = self.tables.domains(self.key, Some(tenant))?;
            domains.extend(of_tenant.into_iter().map(|domain| (tenant, domain)));
        }
        let strays = self.friends.stray_keys(&domains)?;
        Ok(strays.iter().map(wire::signer::key_file).collect())
    }

    /// Groups and forwards go on without those who end.
    fn restate_without(&mut self, part: Part) -> Result<(), Fault> {
        let people = self.people_of(part)?;
        self.restate_all(self.tables.addresses_of(self.key, &people)?)
    }

    /// The entry that the certificate shows. It comes last: it is true when it is made.
    fn certify(&mut self, row: &mut EndingRow, last_open_ms: u64) -> Result<(), Fault> {
        let Ending { part, users, messages, bytes, rows, .. } = row.ending;
        let contract = match part.user {
            None => Some(row.ending.name.clone()),
            Some(_) => self.tables.tenant(self.key, part.tenant)?.map(|tenant| tenant.name),
        };
        let salt = name_salt(self.key, part);
        self.friends.write(Body::Destroyed {
            tenant: part.tenant,
            users,
            messages,
            bytes,
            rows,
            last_open_ms,
            user: part.user,
            name: contract.map(|name| Digest::of_name(&salt, &name)),
        })?;
        row.ending.state = EndingState::Destroyed;
        row.ending.destroyed_ms = Some(now_ms());
        self.tables.keep_ending(self.key, row)?;
        self.tables.wipe()
    }

    /// Whose rows identity is to erase now.
    pub fn awaiting_identity(&mut self) -> Result<Vec<Part>, Fault> {
        let rows = self.tables.endings(self.key)?;
        let waits = |row: &EndingRow| {
            row.ending.state == EndingState::Destroying
                && row.keys_destroyed
                && !row.identity_erased
        };
        Ok(rows.into_iter().filter(waits).map(|row| row.ending.part).collect())
    }

    pub fn identity_erased(&mut self, part: Part, rows: u64) -> Result<(), Fault> {
        if let Some(mut row) = self.tables.ending(self.key, part)?
            && row.keys_destroyed
            && !row.identity_erased
        {
            row.identity_erased = true;
            row.ending.rows += rows;
            self.tables.keep_ending(self.key, &row)?;
        }
        Ok(())
    }

    pub fn add_hold(&mut self, part: Part, reason: &str) -> Result<ToAdmin, Fault> {
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES {
            let found = format!("a reason of {} octets", reason.len());
            return Ok(refused("a reason of 1 to 2000 octets", &found, "--reason TEXT"));
        }
        if !is_plain(reason) {
            return Ok(refused(PLAIN, "a letter that is not seen", "one line; --reason TEXT"));
        }
        if self.tables.holds(self.key)?.len() >= HOLDS {
            return Ok(refused("at most 10,000 holds", "more", "lift some: hold lift ID"));
        }
        let row = self.tables.ending(self.key, part)?;
        let is_too_late = row.is_some_and(|row| {
            matches!(row.ending.state, EndingState::Destroying | EndingState::Destroyed)
        });
        if is_too_late || self.name_of(part)?.is_none() {
            let hint = "what is being destroyed cannot be held";
            return Ok(refused("a contract or a person that is here", "none", hint));
        }
        let reason = reason.to_owned();
        let hold = Hold { hold: HoldId(random()), part, reason, made_ms: now_ms() };
        self.friends.write(Body::Hold {
            hold: hold.hold,
            placed: true,
            tenant: part.tenant,
            user: part.user,
        })?;
        self.tables.keep_hold(self.key, &hold)?;
        self.friends.hold(part, true)?;
        Ok(ToAdmin::Hold(hold))
    }

    pub fn lift_hold(&mut self, tenant: TenantId, id: HoldId) -> Result<ToAdmin, Fault> {
        let holds = self.tables.holds(self.key)?;
        let found = holds.iter().find(|hold| hold.hold == id && hold.part.tenant == tenant);
        let Some(hold) = found else {
            return Ok(refused("the id of a hold", &id.to_string(), "see `hold list`"));
        };
        let part = hold.part;
        self.friends.write(Body::Hold {
            hold: id,
            placed: false,
            tenant: part.tenant,
            user: part.user,
        })?;
        self.tables.forget_hold(id)?;
        let is_last = !holds.iter().any(|other| other.part == part && other.hold != id);
        if is_last {
            self.friends.hold(part, false)?;
        }
        Ok(ToAdmin::Hold(hold.clone()))
    }

    pub fn list_holds(&mut self) -> Result<ToAdmin, Fault> {
        Ok(ToAdmin::Holds(self.tables.holds(self.key)?))
    }

    /// Whether a hold covers this part, or anything in it.
    fn is_held(&self, part: Part) -> Result<bool, Fault> {
        Ok(self.holds_on(part)? > 0)
    }

    pub fn holds_on(&self, part: Part) -> Result<u32, Fault> {
        let covers = |hold: &&Hold| {
            hold.part.tenant == part.tenant
                && (hold.part.user.is_none() || part.user.is_none() || hold.part.user == part.user)
        };
        Ok(self.tables.holds(self.key)?.iter().filter(covers).count() as u32)
    }

    /// What a search looks for: every id of what is destroyed, which may stand nowhere but in the
    /// evidence.
    pub fn patterns(&mut self) -> Result<ToAdmin, Fault> {
        let mut patterns = Vec::new();
        for row in self.tables.endings(self.key)? {
            if row.ending.state != EndingState::Destroyed {
                continue;
            }
            // In front: whether the vault's list of what was shredded names it.
            let part = row.ending.part;
            if part.user.is_none() {
                patterns.push([&[1][..], &part.tenant.0].concat());
            }
            let is_named = u8::from(part.user.is_some());
            patterns.extend(row.people.iter().map(|user| [&[is_named][..], &user.0].concat()));
        }
        let keys = if patterns.is_empty() { Vec::new() } else { self.stray_keys()? };
        Ok(ToAdmin::Patterns { ids: patterns, named: self.still_named()?, keys })
    }

    fn people_of(&self, part: Part) -> Result<Vec<UserId>, Fault> {
        match part.user {
            Some(user) => Ok(vec![user]),
            None => {
                let people = self.tables.people(self.key, part.tenant)?;
                Ok(people.into_iter().map(|(user, _)| user).collect())
            }
        }
    }

    /// The contract's name; of a person nothing is written down, but they must be there.
    fn name_of(&self, part: Part) -> Result<Option<String>, Fault> {
        match part.user {
            None => Ok(self.tables.tenant(self.key, part.tenant)?.map(|row| row.name)),
            Some(user) => {
                let found = self.tables.person(self.key, user)?;
                Ok(found.filter(|(tenant, _)| *tenant == part.tenant).map(|_| String::new()))
            }
        }
    }

    fn record_state(&mut self, part: Part, state: &str, until: Option<u64>) -> Result<(), Fault> {
        self.friends.write(Body::Ending {
            tenant: part.tenant,
            state: Word::new(state),
            until_ms: until,
            user: part.user,
        })
    }
}
