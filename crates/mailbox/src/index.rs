//! The index: what the log said, in SQLite, a little behind it.
//!
//! The log is the truth for what is newer than `position`; entries and `position` are written in
//! one transaction, so an entry is told to the index exactly once. That is why the index itself
//! may commit without a flush (`synchronous=NORMAL`): a power cut takes it back to an older
//! whole state, and the log tells the rest again.

use crate::Fault;
use crate::change::Changes;
use crate::entry::{At, Entry, Held, Line, Stored};
use crate::person::{Front, Person};
use body::{Mark, Place};
use journal::Runs;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;
use terms::{MessageId, Received, TenantId, UserId, Verdict};

/// Journeys kept for `trace`; older ones are dropped with their tokens.
pub const JOURNEYS: i64 = 5_000_000;
/// Messages among which an edge's is looked for that lost our answer: more than come in while it
/// waits for us.
const LATEST: i64 = 20_000;

const SCHEMA: &str = "
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA cache_size = -65536;
    PRAGMA mmap_size = 1073741824;
    CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY, mark INTEGER NOT NULL,
        next_stored INTEGER NOT NULL, next_seq INTEGER NOT NULL, forwarded INTEGER NOT NULL);
    INSERT OR IGNORE INTO position VALUES (1, 0, 1, 0, 0);
    CREATE TABLE IF NOT EXISTS person (user INTEGER PRIMARY KEY, tenant BLOB NOT NULL,
        quota_bytes INTEGER NOT NULL, next_folder INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS folder (ref INTEGER PRIMARY KEY AUTOINCREMENT,
        user INTEGER NOT NULL, folder INTEGER NOT NULL, name BLOB NOT NULL,
        keywords BLOB NOT NULL, subscribed INTEGER NOT NULL, uid_validity INTEGER NOT NULL,
        uid_next INTEGER NOT NULL, modseq INTEGER NOT NULL, messages INTEGER NOT NULL,
        unseen INTEGER NOT NULL, bytes INTEGER NOT NULL,
        UNIQUE (user, folder));
    CREATE TABLE IF NOT EXISTS line (key INTEGER PRIMARY KEY,
        flags INTEGER NOT NULL, modseq INTEGER NOT NULL, stored INTEGER NOT NULL,
        size INTEGER NOT NULL, received INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS stored (id INTEGER PRIMARY KEY, refs INTEGER NOT NULL,
        user INTEGER NOT NULL, message BLOB NOT NULL, size INTEGER NOT NULL,
        received INTEGER NOT NULL, verdict INTEGER NOT NULL, own INTEGER NOT NULL,
        summary_at INTEGER NOT NULL, summary_length INTEGER NOT NULL,
        body_at INTEGER NOT NULL, body_length INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS held (user INTEGER, message BLOB, tenant BLOB NOT NULL,
        stored INTEGER NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL,
        reasons BLOB NOT NULL, PRIMARY KEY (user, message)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS journey (id INTEGER PRIMARY KEY, journey BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS token (token INTEGER, journey INTEGER,
        PRIMARY KEY (token, journey)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS had (user INTEGER, message BLOB, day INTEGER NOT NULL,
        PRIMARY KEY (user, message)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS had_day ON had (day);
    CREATE TABLE IF NOT EXISTS arrived (seq INTEGER PRIMARY KEY, arrived BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS noted (one INTEGER PRIMARY KEY, runs BLOB NOT NULL);
";

pub fn fault(doing: &'static str) -> impl Fn(rusqlite::Error) -> Fault {
    move |source| Fault::Index { doing, source }
}

pub fn user_key(user: UserId) -> i64 {
    i64::from_be_bytes(user.0)
}

/// Token rows carry eight of a token's octets; the journey beside them carries all.
pub fn token_key(token: &[u8; 16]) -> i64 {
    token.first_chunk::<8>().map_or(0, |head| i64::from_be_bytes(*head))
}

/// Lines are keyed by their folder's reference and their uid in one number: a folder's lines lie
/// side by side, and nothing about the folder is repeated in them.
pub fn line_key(reference: i64, uid: u32) -> i64 {
    (reference << 32) | i64::from(uid)
}

/// The index's own number of a folder; never used twice.
pub fn reference(
    database: &Connection,
    user: UserId,
    folder: u32,
) -> rusqlite::Result<Option<i64>> {
    database
        .prepare_cached("SELECT ref FROM folder WHERE user = ?1 AND folder = ?2")?
        .query_row((user_key(user), folder), |row| row.get(0))
        .optional()
}

fn verdict_number(verdict: Verdict) -> u8 {
    verdict as u8
}

fn verdict_of(number: u8) -> Verdict {
    let all = [Verdict::Deliver, Verdict::Tag, Verdict::Junk, Verdict::Quarantine, Verdict::Refuse];
    all.into_iter().find(|verdict| *verdict as u8 == number).unwrap_or(Verdict::Defer)
}

/// Where the index stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    pub mark: Mark,
    pub next_stored: u64,
    pub next_seq: u64,
    pub forwarded: u64,
}

pub struct Index {
    pub(crate) database: Connection,
}

impl Index {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let doing = "opening";
        let database = Connection::open(path).map_err(fault(doing))?;
        database.set_prepared_statement_cache_capacity(64);
        database.execute_batch(SCHEMA).map_err(fault(doing))?;
        Ok(Self { database })
    }

    pub fn position(&self) -> Result<Position, Fault> {
        let sql = "SELECT mark, next_stored, next_seq, forwarded FROM position";
        let read = |row: &Row<'_>| {
            Ok(Position {
                mark: Mark(row.get::<_, i64>(0)?.cast_unsigned()),
                next_stored: row.get::<_, i64>(1)?.cast_unsigned(),
                next_seq: row.get::<_, i64>(2)?.cast_unsigned(),
                forwarded: row.get::<_, i64>(3)?.cast_unsigned(),
            })
        };
        self.database.query_row(sql, (), read).map_err(fault("reading the position"))
    }

    /// Writes down entries and the position behind them, all or none. Returns the places that
    /// nobody refers to any more.
    pub fn tell(&mut self, entries: &[Entry], position: Position) -> Result<Vec<Place>, Fault> {
        let doing = "following the log";
        let transaction = self.database.transaction().map_err(fault(doing))?;
        let mut changes = Changes::new(&transaction);
        for entry in entries {
            changes.tell(entry).map_err(fault(doing))?;
        }
        let freed = changes.finish().map_err(fault(doing))?;
        transaction
            .prepare_cached(
                "UPDATE position SET mark=?1, next_stored=?2, next_seq=?3, forwarded=?4",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    position.mark.0.cast_signed(),
                    position.next_stored.cast_signed(),
                    position.next_seq.cast_signed(),
                    position.forwarded.cast_signed()
                ])
            })
            .map_err(fault(doing))?;
        transaction.commit().map_err(fault(doing))?;
        Ok(freed)
    }

    /// Makes everything told so far durable, so that the log may forget it.
    pub fn checkpoint(&self) -> Result<(), Fault> {
        durable::look();
        self.database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            .map_err(fault("writing the index down"))
    }

    pub fn person(&self, user: UserId) -> Result<Option<Person>, Fault> {
        let doing = "reading a person";
        let sql = "SELECT tenant, quota_bytes, next_folder FROM person WHERE user = ?1";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let person = statement
            .query_row((user_key(user),), |row| {
                let tenant = TenantId::from_slice(row.get_ref(0)?.as_blob()?).unwrap_or_default();
                let quota = row.get::<_, i64>(1)?.cast_unsigned();
                let mut person = Person::new(tenant, user, quota, 0);
                person.folders.clear();
                person.next_folder = row.get(2)?;
                Ok(person)
            })
            .optional()
            .map_err(fault(doing))?;
        let Some(mut person) = person else { return Ok(None) };
        let sql = "SELECT folder, name, keywords, subscribed, uid_validity, uid_next, modseq,
            messages, unseen, bytes FROM folder WHERE user = ?1";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let mut rows = statement.query((user_key(user),)).map_err(fault(doing))?;
        while let Some(row) = rows.next().map_err(fault(doing))? {
            let (number, front) = read_front(row).map_err(fault(doing))?;
            person.folders.insert(number, front);
        }
        Ok(Some(person))
    }

    pub fn lines(&self, user: UserId, folder: u32, count: usize) -> Result<Vec<Line>, Fault> {
        let doing = "reading a folder";
        let found = reference(&self.database, user, folder).map_err(fault(doing))?;
        let Some(reference) = found else { return Ok(Vec::new()) };
        let sql = "SELECT key, flags, modseq, stored, size, received FROM line
            WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let range = (line_key(reference, 0), line_key(reference, u32::MAX));
        let mut rows = statement.query(range).map_err(fault(doing))?;
        let mut lines = Vec::with_capacity(count);
        while let Some(row) = rows.next().map_err(fault(doing))? {
            lines.push(read_line(row).map_err(fault(doing))?);
        }
        Ok(lines)
    }

    pub fn stored(&self, id: u64) -> Result<Option<Stored>, Fault> {
        let doing = "looking up a message";
        let sql = "SELECT id, user, message, size, received, verdict, own, summary_at,
            summary_length, body_at, body_length FROM stored WHERE id = ?1";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        statement.query_row((id.cast_signed(),), read_stored).optional().map_err(fault(doing))
    }

    pub fn held(&self, tenant: Option<TenantId>, limit: u32) -> Result<Vec<Held>, Fault> {
        let wanted = "?1 IS NULL OR tenant = ?1";
        let tenant = tenant.map(|tenant| tenant.0.to_vec());
        self.held_where(wanted, params![tenant, limit])
    }

    pub fn held_one(&self, user: UserId, message: MessageId) -> Result<Option<Held>, Fault> {
        let wanted = "user = ?1 AND message = ?3";
        let held = self.held_where(wanted, params![user_key(user), 1, message.0])?;
        Ok(held.into_iter().next())
    }

    pub fn has_had(&self, user: UserId, message: MessageId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM had WHERE user = ?1 AND message = ?2";
        let doing = "looking for what somebody has had";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        statement.exists(params![user_key(user), message.0]).map_err(fault(doing))
    }

    pub fn has_kept(&self, user: UserId, message: MessageId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM (SELECT user, message FROM stored ORDER BY id DESC LIMIT ?3)
            WHERE user = ?1 AND message = ?2";
        let doing = "looking for what came last";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        statement.exists(params![user_key(user), message.0, LATEST]).map_err(fault(doing))
    }

    pub fn expired(&self, now_ms: u64, limit: u32) -> Result<Vec<Held>, Fault> {
        self.held_where("expires < ?1", params![now_ms.cast_signed(), limit])
    }

    fn held_where(&self, wanted: &str, with: impl rusqlite::Params) -> Result<Vec<Held>, Fault> {
        let doing = "reading the quarantine";
        let sql = format!(
            "SELECT tenant, user, message, stored, at, expires, reasons FROM held
             WHERE {wanted} ORDER BY at DESC LIMIT ?2"
        );
        let mut statement = self.database.prepare_cached(&sql).map_err(fault(doing))?;
        let mut rows = statement.query(with).map_err(fault(doing))?;
        let mut held = Vec::new();
        while let Some(row) = rows.next().map_err(fault(doing))? {
            held.push(read_held(row).map_err(fault(doing))?);
        }
        Ok(held)
    }

    /// Journeys (as they were written) with one of these tokens, newest first; none: the newest.
    pub fn journeys(&self, tokens: &[[u8; 16]], limit: u32) -> Result<Vec<Vec<u8>>, Fault> {
        let doing = "tracing";
        let mut ids: Vec<i64> = Vec::new();
        for token in tokens {
            let sql = "SELECT journey FROM token WHERE token = ?1 ORDER BY journey DESC LIMIT ?2";
            let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
            let found = statement
                .query_map((token_key(token), limit), |row| row.get(0))
                .map_err(fault(doing))?;
            for id in found {
                ids.push(id.map_err(fault(doing))?);
            }
        }
        if tokens.is_empty() {
            let sql = "SELECT id FROM journey ORDER BY id DESC LIMIT ?1";
            let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
            let found = statement.query_map((limit,), |row| row.get(0)).map_err(fault(doing))?;
            for id in found {
                ids.push(id.map_err(fault(doing))?);
            }
        }
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        ids.truncate(limit as usize);
        let sql = "SELECT journey FROM journey WHERE id = ?1";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let mut journeys = Vec::new();
        for id in ids {
            journeys.push(statement.query_row((id,), |row| row.get(0)).map_err(fault(doing))?);
        }
        Ok(journeys)
    }

    /// Arrivals that the ledger has not taken, oldest first.
    pub fn arrived(&self) -> Result<Vec<Vec<u8>>, Fault> {
        let doing = "reading pending evidence";
        let sql = "SELECT arrived FROM arrived ORDER BY seq";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let found = statement.query_map((), |row| row.get(0)).map_err(fault(doing))?;
        found.map(|row| row.map_err(fault(doing))).collect()
    }

    /// What these tables know of the entries that tell of them.
    pub fn runs(&self) -> Result<Option<Runs>, Fault> {
        let sql = "SELECT runs FROM noted";
        let found: rusqlite::Result<Option<Vec<u8>>> =
            self.database.query_row(sql, (), |row| row.get(0)).optional();
        let bytes = found.map_err(fault("reading what is noted"))?;
        let octets = bytes.as_ref().map_or(0, Vec::len);
        let runs = bytes.map(|bytes| postcard::from_bytes(&bytes)).transpose();
        runs.map_err(|_| Fault::Note { octets })
    }

    /// The highest UIDVALIDITY of any folder.
    pub fn uid_validity(&self) -> Result<u32, Fault> {
        let sql = "SELECT COALESCE(MAX(uid_validity), 0) FROM folder";
        self.database.query_row(sql, (), |row| row.get(0)).map_err(fault("reading the folders"))
    }

    pub fn counts(&self) -> Result<(u64, u64, u64), Fault> {
        let sql = "SELECT (SELECT COUNT(*) FROM person), SUM(messages), SUM(bytes) FROM folder";
        let read = |row: &Row<'_>| {
            let sum = |at| row.get::<_, Option<i64>>(at).map(|sum| sum.unwrap_or(0));
            let (users, messages, bytes) = (sum(0)?, sum(1)?, sum(2)?);
            Ok((users.cast_unsigned(), messages.cast_unsigned(), bytes.cast_unsigned()))
        };
        self.database.query_row(sql, (), read).map_err(fault("counting"))
    }
}

fn read_front(row: &Row<'_>) -> rusqlite::Result<(u32, Front)> {
    let front = Front {
        name: row.get(1)?,
        keywords: row.get(2)?,
        subscribed: row.get(3)?,
        uid_validity: row.get(4)?,
        uid_next: row.get(5)?,
        modseq: row.get::<_, i64>(6)?.cast_unsigned(),
        messages: row.get(7)?,
        unseen: row.get(8)?,
        bytes: row.get(9)?,
        told_below: row.get(5)?,
        recent: 0,
    };
    Ok((row.get(0)?, front))
}

/// A hundred thousand of these stand between a session and its first list: no more is done for
/// each number than must be.
fn read_line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let number = |place: usize| -> rusqlite::Result<u64> {
        match row.get_ref(place)? {
            ValueRef::Integer(number) => Ok(number.cast_unsigned()),
            _ => Ok(0),
        }
    };
    Ok(Line {
        uid: number(0)? as u32,
        flags: number(1)?,
        modseq: number(2)?,
        stored: number(3)?,
        size: number(4)? as u32,
        received: Received::from_number(number(5)?),
    })
}

fn read_stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let at = |place: usize| -> rusqlite::Result<At> {
        Ok(At { at: row.get::<_, i64>(place)?.cast_unsigned(), length: row.get(place + 1)? })
    };
    Ok(Stored {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        user: UserId(row.get::<_, i64>(1)?.to_be_bytes()),
        message: MessageId::from_slice(row.get_ref(2)?.as_blob()?).unwrap_or_default(),
        size: row.get::<_, i64>(3)?.cast_unsigned(),
        received: Received::from_number(row.get::<_, i64>(4)?.cast_unsigned()),
        verdict: verdict_of(row.get(5)?),
        own: row.get(6)?,
        summary: at(7)?,
        body: at(9)?,
    })
}

fn read_held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        tenant: TenantId::from_slice(row.get_ref(0)?.as_blob()?).unwrap_or_default(),
        user: UserId(row.get::<_, i64>(1)?.to_be_bytes()),
        message: MessageId::from_slice(row.get_ref(2)?.as_blob()?).unwrap_or_default(),
        stored: row.get::<_, i64>(3)?.cast_unsigned(),
        at_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        expires_ms: row.get::<_, i64>(5)?.cast_unsigned(),
        reasons: postcard::from_bytes(row.get_ref(6)?.as_blob()?).unwrap_or_default(),
    })
}

pub fn verdict_code(stored: &Stored) -> u8 {
    verdict_number(stored.verdict)
}
