//! How one entry of the log changes the index.

use crate::entry::{At, Entry, Held, Line, Stored};
use crate::index::{JOURNEYS, line_key, reference, token_key, user_key, verdict_code};
use crate::parts;
use crate::person::{Person, SPECIAL};
use body::Place;
use rusqlite::{OptionalExtension, Params, Result, Transaction, params};
use std::collections::{BTreeMap, HashMap};
use terms::{MessageId, TenantId, UserId};
use wire::mailbox::Journey;

const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// Mail waits in the queue for some days; nobody comes again with older.
const HAD_DAYS: i64 = 40;

/// What a folder's front gains in one transaction; written once, however many entries.
#[derive(Default)]
struct Gain {
    uid_next: u32,
    modseq: u64,
    messages: i64,
    unseen: i64,
    bytes: i64,
}

/// The changes of one transaction.
pub struct Changes<'a> {
    transaction: &'a Transaction<'a>,
    gains: BTreeMap<(UserId, u32), Gain>,
    references: HashMap<(UserId, u32), i64>,
    freed: Vec<Place>,
}

impl<'a> Changes<'a> {
    pub fn new(transaction: &'a Transaction<'a>) -> Self {
        Self { transaction, gains: BTreeMap::new(), references: HashMap::new(), freed: Vec::new() }
    }

    pub fn finish(mut self) -> Result<Vec<Place>> {
        self.write_gains()?;
        Ok(self.freed)
    }

    fn run(&self, sql: &str, with: impl Params) -> Result<usize> {
        self.transaction.prepare_cached(sql)?.execute(with)
    }

    pub fn tell(&mut self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::Person { tenant, user, quota_bytes, uid_validity } => {
                let person = Person::new(*tenant, *user, *quota_bytes, *uid_validity);
                self.person(&person)
            }
            Entry::Folder { user, folder, name, uid_validity } => {
                self.folder(*user, *folder, name, *uid_validity)
            }
            Entry::Named { user, folder, name } => self
                .run(
                    "UPDATE folder SET name = ?3 WHERE user = ?1 AND folder = ?2",
                    params![user_key(*user), folder, name],
                )
                .map(drop),
            Entry::Keywords { user, folder, names } => self
                .run(
                    "UPDATE folder SET keywords = ?3 WHERE user = ?1 AND folder = ?2",
                    params![user_key(*user), folder, names],
                )
                .map(drop),
            Entry::Subscribed { user, folder, subscribed } => self
                .run(
                    "UPDATE folder SET subscribed = ?3 WHERE user = ?1 AND folder = ?2",
                    params![user_key(*user), folder, subscribed],
                )
                .map(drop),
            Entry::Gone { user, folder } => self.gone(*user, *folder),
            Entry::Stored(stored) => self.stored(stored),
            Entry::Listed { user, folder, lines, fresh } => {
                self.listed(*user, *folder, lines, *fresh)
            }
            Entry::Flags { user, folder, modseq, flags, unseen } => {
                self.flags((*user, *folder), *modseq, flags, *unseen)
            }
            Entry::Expunged { user, folder, modseq, lines } => {
                self.expunged((*user, *folder), *modseq, lines)
            }
            Entry::Held(held) => self.held(held),
            Entry::Freed { user, message, stored, dropped } => {
                self.run(
                    "DELETE FROM held WHERE user = ?1 AND message = ?2",
                    params![user_key(*user), message.0],
                )?;
                if *dropped { self.unrefer(*stored) } else { Ok(()) }
            }
            Entry::Moved { stored, part, to } => self.moved(*stored, *part, *to),
            Entry::Journey(journey) => self.journey(journey),
            Entry::Arrived(arrived) => {
                let bytes = postcard::to_stdvec(arrived).unwrap_or_default();
                let sql = "INSERT OR REPLACE INTO arrived VALUES (?1, ?2)";
                self.run(sql, params![arrived.seq.cast_signed(), bytes]).map(drop)
            }
            Entry::Forwarded { before } => {
                self.run("DELETE FROM arrived WHERE seq < ?1", (before.cast_signed(),)).map(drop)
            }
            Entry::Once { user, message, at_ms } => self.once(*user, *message, *at_ms),
            Entry::Noted(runs) => {
                let bytes = postcard::to_stdvec(runs).unwrap_or_default();
                self.run("INSERT OR REPLACE INTO noted VALUES (1, ?1)", (bytes,)).map(drop)
            }
            Entry::Renumbered { above } => {
                let sql = "UPDATE folder SET uid_validity = MIN(?1 + folder, 4294967295)";
                self.run(sql, (above,)).map(drop)
            }
            Entry::Erased { tenant, users, whole } => self.erased(*tenant, users, *whole),
        }
    }

    fn person(&mut self, person: &Person) -> Result<()> {
        let fresh = self.run(
            "INSERT OR IGNORE INTO person VALUES (?1, ?2, ?3, ?4)",
            params![
                user_key(person.user),
                person.tenant.0,
                person.quota_bytes.cast_signed(),
                person.next_folder
            ],
        )?;
        if fresh == 0 {
            let sql = "UPDATE person SET quota_bytes = ?2 WHERE user = ?1";
            let quota = person.quota_bytes.cast_signed();
            return self.run(sql, (user_key(person.user), quota)).map(drop);
        }
        for (number, _) in SPECIAL {
            let uid_validity = person.folders.get(number).map_or(1, |front| front.uid_validity);
            self.folder(person.user, *number, &[], uid_validity)?;
        }
        Ok(())
    }

    fn folder(&self, user: UserId, folder: u32, name: &[u8], uid_validity: u32) -> Result<()> {
        self.run(
            "INSERT OR IGNORE INTO folder
             VALUES (NULL, ?1, ?2, ?3, x'', ?5, ?4, 1, 1, 0, 0, 0)",
            params![user_key(user), folder, name, uid_validity, name.is_empty()],
        )?;
        self.run(
            "UPDATE person SET next_folder = MAX(next_folder, ?2) WHERE user = ?1",
            (user_key(user), folder.saturating_add(1)),
        )
        .map(drop)
    }

    fn gone(&mut self, user: UserId, folder: u32) -> Result<()> {
        self.gains.remove(&(user, folder));
        let Some(reference) = self.reference(user, folder)? else { return Ok(()) };
        self.references.remove(&(user, folder));
        let range = (line_key(reference, 0), line_key(reference, u32::MAX));
        let stored: Vec<i64> = {
            let sql = "SELECT stored FROM line WHERE key BETWEEN ?1 AND ?2";
            let mut statement = self.transaction.prepare_cached(sql)?;
            let found = statement.query_map(range, |row| row.get(0))?;
            found.collect::<Result<_>>()?
        };
        for id in stored {
            self.unrefer(id.cast_unsigned())?;
        }
        self.run("DELETE FROM line WHERE key BETWEEN ?1 AND ?2", range)?;
        self.run("DELETE FROM folder WHERE ref = ?1", (reference,)).map(drop)
    }

    /// The folder's number in keys of lines.
    fn reference(&mut self, user: UserId, folder: u32) -> Result<Option<i64>> {
        if let Some(known) = self.references.get(&(user, folder)) {
            return Ok(Some(*known));
        }
        let found = reference(self.transaction, user, folder)?;
        self.references.extend(found.map(|found| ((user, folder), found)));
        Ok(found)
    }

    fn stored(&self, stored: &Stored) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO stored
             VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                stored.id.cast_signed(),
                user_key(stored.user),
                stored.message.0,
                stored.size.cast_signed(),
                stored.received.number().cast_signed(),
                verdict_code(stored),
                stored.own,
                stored.summary.at.cast_signed(),
                stored.summary.length,
                stored.body.at.cast_signed(),
                stored.body.length
            ],
        )
        .map(drop)
    }

    fn listed(&mut self, user: UserId, folder: u32, lines: &[Line], fresh: bool) -> Result<()> {
        let Some(reference) = self.reference(user, folder)? else { return Ok(()) };
        for line in lines {
            self.run(
                "INSERT OR REPLACE INTO line VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    line_key(reference, line.uid),
                    line.flags.cast_signed(),
                    line.modseq.cast_signed(),
                    line.stored.cast_signed(),
                    line.size,
                    line.received.number().cast_signed()
                ],
            )?;
            if !fresh {
                let sql = "UPDATE stored SET refs = refs + 1 WHERE id = ?1";
                self.run(sql, (line.stored.cast_signed(),))?;
            }
            let gain = self.gains.entry((user, folder)).or_default();
            gain.uid_next = gain.uid_next.max(line.uid.saturating_add(1));
            gain.modseq = gain.modseq.max(line.modseq);
            gain.count(line, 1);
        }
        Ok(())
    }

    fn flags(
        &mut self,
        (user, folder): (UserId, u32),
        modseq: u64,
        flags: &[(u32, u64)],
        unseen: i64,
    ) -> Result<()> {
        let Some(reference) = self.reference(user, folder)? else { return Ok(()) };
        let sql = "UPDATE line SET flags = ?2, modseq = ?3 WHERE key = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        for (uid, flags) in flags {
            let key = line_key(reference, *uid);
            statement.execute((key, flags.cast_signed(), modseq.cast_signed()))?;
        }
        let gain = self.gains.entry((user, folder)).or_default();
        gain.modseq = gain.modseq.max(modseq);
        gain.unseen += unseen;
        Ok(())
    }

    fn expunged(
        &mut self,
        (user, folder): (UserId, u32),
        modseq: u64,
        lines: &[Line],
    ) -> Result<()> {
        let Some(reference) = self.reference(user, folder)? else { return Ok(()) };
        for line in lines {
            self.run("DELETE FROM line WHERE key = ?1", (line_key(reference, line.uid),))?;
            self.unrefer(line.stored)?;
            let gain = self.gains.entry((user, folder)).or_default();
            gain.modseq = gain.modseq.max(modseq);
            gain.count(line, -1);
        }
        Ok(())
    }

    /// One reference less; with the last one the bytes are dead.
    fn unrefer(&mut self, id: u64) -> Result<()> {
        let sql = "UPDATE stored SET refs = refs - 1 WHERE id = ?1
            RETURNING refs, summary_at, summary_length, body_at, body_length";
        let found = self
            .transaction
            .prepare_cached(sql)?
            .query_row((id.cast_signed(),), |row| {
                let at = |place: usize| -> Result<Place> {
                    let at = row.get::<_, i64>(place)?.cast_unsigned();
                    Ok(Place { at, length: row.get(place + 1)? })
                };
                Ok((row.get::<_, i64>(0)?, at(1)?, at(3)?))
            })
            .optional()?;
        let Some((refs, summary, body)) = found else { return Ok(()) };
        if refs <= 0 {
            self.run("DELETE FROM stored WHERE id = ?1", (id.cast_signed(),))?;
            self.freed.extend([summary, body]);
        }
        Ok(())
    }

    /// Remembered for as long as anybody may come again with it.
    fn once(&self, user: UserId, message: MessageId, at_ms: u64) -> Result<()> {
        let day = (at_ms / DAY_MS).cast_signed();
        self.run("DELETE FROM had WHERE day < ?1", (day - HAD_DAYS,))?;
        let sql = "INSERT OR REPLACE INTO had VALUES (?1, ?2, ?3)";
        self.run(sql, params![user_key(user), message.0, day]).map(drop)
    }

    fn held(&self, held: &Held) -> Result<()> {
        let reasons = postcard::to_stdvec(&held.reasons).unwrap_or_default();
        self.run(
            "INSERT OR REPLACE INTO held VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                user_key(held.user),
                held.message.0,
                held.tenant.0,
                held.stored.cast_signed(),
                held.at_ms.cast_signed(),
                held.expires_ms.cast_signed(),
                reasons
            ],
        )
        .map(drop)
    }

    fn moved(&self, stored: u64, part: u8, to: At) -> Result<()> {
        let sql = match part {
            parts::SUMMARY => "UPDATE stored SET summary_at = ?2 WHERE id = ?1",
            _ => "UPDATE stored SET body_at = ?2 WHERE id = ?1",
        };
        self.run(sql, (stored.cast_signed(), to.at.cast_signed())).map(drop)
    }

    fn journey(&self, journey: &Journey) -> Result<()> {
        let bytes = postcard::to_stdvec(journey).unwrap_or_default();
        let id = self
            .transaction
            .prepare_cached("INSERT INTO journey (journey) VALUES (?1)")?
            .insert((bytes,))?;
        let mut keys: Vec<i64> = journey.tokens.iter().map(token_key).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut statement = self.transaction.prepare_cached("INSERT INTO token VALUES (?1, ?2)")?;
        for key in keys {
            statement.execute((key, id))?;
        }
        self.forget_journey(id - JOURNEYS)
    }

    fn forget_journey(&self, id: i64) -> Result<()> {
        if id <= 0 {
            return Ok(());
        }
        let sql = "DELETE FROM journey WHERE id = ?1 RETURNING journey";
        let old: Option<Vec<u8>> =
            self.transaction.prepare_cached(sql)?.query_row((id,), |row| row.get(0)).optional()?;
        let old = old.and_then(|bytes| postcard::from_bytes::<Journey>(&bytes).ok());
        for token in old.iter().flat_map(|journey| &journey.tokens) {
            let sql = "DELETE FROM token WHERE token = ?1 AND journey = ?2";
            self.run(sql, (token_key(token), id))?;
        }
        Ok(())
    }

    fn erased(&mut self, tenant: TenantId, users: &[UserId], whole: bool) -> Result<()> {
        for user in users {
            let key = (user_key(*user),);
            let folders: Vec<u32> =
                self.column("SELECT folder FROM folder WHERE user = ?1", key)?;
            for folder in folders {
                self.gone(*user, folder)?;
            }
            let held: Vec<i64> = self.column("SELECT stored FROM held WHERE user = ?1", key)?;
            for stored in held {
                self.unrefer(stored.cast_unsigned())?;
            }
            self.run("DELETE FROM held WHERE user = ?1", key)?;
            self.run("DELETE FROM had WHERE user = ?1", key)?;
            self.run("DELETE FROM person WHERE user = ?1", key)?;
        }
        self.erase_journeys(tenant, users, whole)
    }

    /// Journeys of the tenant; of single people those that were theirs alone, and their part of
    /// the others.
    fn erase_journeys(&self, tenant: TenantId, users: &[UserId], whole: bool) -> Result<()> {
        let mut last = 0i64;
        loop {
            let sql = "SELECT id, journey FROM journey WHERE id > ?1 ORDER BY id LIMIT 1000";
            let mut statement = self.transaction.prepare_cached(sql)?;
            let found = statement.query_map((last,), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let some: Vec<(i64, Vec<u8>)> = found.collect::<Result<_>>()?;
            let Some((highest, _)) = some.last() else { return Ok(()) };
            last = *highest;
            for (id, bytes) in some {
                let Ok(mut journey) = postcard::from_bytes::<Journey>(&bytes) else { continue };
                if journey.tenant != tenant {
                    continue;
                }
                let before = journey.recipients.len();
                journey.recipients.retain(|user| !users.contains(user));
                if whole || (before > 0 && journey.recipients.is_empty()) {
                    self.forget_journey(id)?;
                } else if journey.recipients.len() < before {
                    let bytes = postcard::to_stdvec(&journey).unwrap_or_default();
                    self.run("UPDATE journey SET journey = ?2 WHERE id = ?1", (id, bytes))?;
                }
            }
        }
    }

    fn column<T: rusqlite::types::FromSql>(&self, sql: &str, with: impl Params) -> Result<Vec<T>> {
        let mut statement = self.transaction.prepare_cached(sql)?;
        let found = statement.query_map(with, |row| row.get(0))?;
        found.collect()
    }

    fn write_gains(&mut self) -> Result<()> {
        let sql = "UPDATE folder SET uid_next = MAX(uid_next, ?3), modseq = MAX(modseq, ?4),
            messages = messages + ?5, unseen = unseen + ?6, bytes = bytes + ?7
            WHERE user = ?1 AND folder = ?2";
        for ((user, folder), gain) in std::mem::take(&mut self.gains) {
            self.run(
                sql,
                params![
                    user_key(user),
                    folder,
                    gain.uid_next,
                    gain.modseq.cast_signed(),
                    gain.messages,
                    gain.unseen,
                    gain.bytes
                ],
            )?;
        }
        Ok(())
    }
}

impl Gain {
    fn count(&mut self, line: &Line, sign: i64) {
        self.messages += sign;
        self.unseen += sign * i64::from(line.is_unseen());
        self.bytes += sign * i64::from(line.size);
    }
}
