//! Sealed bytes as blobs of one SQLite database, WAL, `synchronous=FULL`.

use crate::{Bodies, Content, Fault, Key, Mark, Owner, PART_BYTES, Place, Space};
use rusqlite::{Connection, OptionalExtension};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Pages freed in one step of `compact`: a few milliseconds.
const PAGES_A_STEP: u64 = 1_024;

const SCHEMA: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = ON;
    CREATE TABLE IF NOT EXISTS part (at INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL,
        part INTEGER NOT NULL, content BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS note (mark INTEGER PRIMARY KEY AUTOINCREMENT, note BLOB NOT NULL);
";

/// The engine.
pub struct Blobs {
    database: Connection,
    staged: bool,
    flushes: u64,
    last: Mark,
}

fn fault(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Fault {
    move |source| Fault::Database { doing, source }
}

/// SQLite counts in signed numbers; `Mark(u64::MAX)` means behind everything.
fn signed(mark: Mark) -> i64 {
    i64::try_from(mark.0).unwrap_or(i64::MAX)
}

impl Blobs {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let doing = "opening the bodies";
        let database = Connection::open(path).map_err(fault(doing))?;
        database.execute_batch(SCHEMA).map_err(fault(doing))?;
        let last = database
            .query_row("SELECT MAX(mark) FROM note", (), |row| row.get::<_, Option<i64>>(0))
            .map_err(fault(doing))?;
        Ok(Self {
            database,
            staged: false,
            flushes: 0,
            last: Mark(last.unwrap_or(0).cast_unsigned()),
        })
    }

    fn stage(&mut self) -> Result<(), Fault> {
        if !self.staged {
            self.database.execute_batch("BEGIN IMMEDIATE").map_err(fault("beginning"))?;
            self.staged = true;
        }
        Ok(())
    }

    fn staging<T>(&mut self, outcome: Result<T, rusqlite::Error>) -> Result<T, Fault> {
        outcome.map_err(|source| {
            self.abandon();
            Fault::Database { doing: "staging", source }
        })
    }
}

impl Bodies for Blobs {
    fn put(&mut self, key: Key, content: Content<'_>) -> Result<Place, Fault> {
        let length = content.length().ok_or(Fault::Torn {
            at: 0,
            expected: u64::from(PART_BYTES),
            found: u64::MAX,
        })?;
        let joined = match content {
            Content::Pieces(pieces) => pieces.concat(),
            Content::File { front, file, length } => {
                let mut bytes = front.to_vec();
                bytes.resize(front.len() + length as usize, 0);
                let room = bytes.get_mut(front.len()..).unwrap_or_default();
                file.read_exact_at(room, 0)
                    .map_err(|source| Fault::Read { doing: "taking in a parcel", source })?;
                bytes
            }
        };
        self.stage()?;
        let outcome = self
            .database
            .prepare_cached("INSERT INTO part (id, part, content) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.insert((key.id.cast_signed(), key.part, joined)));
        let at = self.staging(outcome)?;
        Ok(Place { at: at.cast_unsigned(), length })
    }

    fn note(&mut self, note: &[u8]) -> Result<(), Fault> {
        self.stage()?;
        let outcome = self
            .database
            .prepare_cached("INSERT INTO note (note) VALUES (?1)")
            .and_then(|mut statement| statement.insert((note,)));
        self.last = Mark(self.staging(outcome)?.cast_unsigned());
        Ok(())
    }

    fn commit(&mut self) -> Result<Mark, Fault> {
        if self.staged {
            let outcome = self.database.execute_batch("COMMIT");
            self.staging(outcome)?;
            self.staged = false;
            self.flushes += 1;
        }
        Ok(self.last)
    }

    fn abandon(&mut self) {
        if self.staged {
            let _ = self.database.execute_batch("ROLLBACK");
            self.staged = false;
        }
    }

    fn read(&mut self, place: Place, range: Range<u32>, into: &mut Vec<u8>) -> Result<(), Fault> {
        let length = range.end.min(place.length).saturating_sub(range.start);
        if length == 0 {
            return Ok(());
        }
        let doing = "reading a part";
        let sql = "SELECT substr(content, ?2, ?3) FROM part WHERE at = ?1";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let from = i64::from(range.start) + 1;
        let found = statement
            .query_row((place.at.cast_signed(), from, length), |row| {
                let bytes = row.get_ref(0)?.as_blob()?;
                into.extend_from_slice(bytes);
                Ok(bytes.len())
            })
            .optional()
            .map_err(fault(doing))?
            .unwrap_or(0);
        if found != length as usize {
            let (expected, found) = (u64::from(length), found as u64);
            return Err(Fault::Torn { at: place.at, expected, found });
        }
        Ok(())
    }

    fn delete(&mut self, place: Place) -> Result<(), Fault> {
        self.stage()?;
        let outcome = self
            .database
            .prepare_cached("DELETE FROM part WHERE at = ?1")
            .and_then(|mut statement| statement.execute((place.at.cast_signed(),)));
        self.staging(outcome).map(|_| ())
    }

    fn replay(&mut self, after: Mark, each: &mut dyn FnMut(Mark, &[u8])) -> Result<Mark, Fault> {
        let doing = "replaying notes";
        let sql = "SELECT mark, note FROM note WHERE mark > ?1 ORDER BY mark";
        let mut statement = self.database.prepare_cached(sql).map_err(fault(doing))?;
        let mut rows = statement.query((signed(after),)).map_err(fault(doing))?;
        while let Some(row) = rows.next().map_err(fault(doing))? {
            let mark: i64 = row.get(0).map_err(fault(doing))?;
            let note = row.get_ref(1).map_err(fault(doing))?;
            each(Mark(mark.cast_unsigned()), note.as_blob().unwrap_or_default());
        }
        Ok(self.last)
    }

    fn forget(&mut self, mark: Mark) -> Result<(), Fault> {
        self.stage()?;
        let outcome = self
            .database
            .prepare_cached(
                "DELETE FROM note WHERE mark <= ?1 AND mark < (SELECT MAX(mark) FROM note)",
            )
            .and_then(|mut statement| statement.execute((signed(mark),)));
        self.staging(outcome)?;
        self.commit().map(|_| ())
    }

    fn compact(&mut self, budget: u64, _owner: &mut dyn Owner) -> Result<bool, Fault> {
        self.commit()?;
        let doing = "giving back pages";
        let pages = (budget / 4_096).clamp(1, PAGES_A_STEP);
        self.database
            .execute_batch(&format!("PRAGMA incremental_vacuum({pages});"))
            .map_err(fault(doing))?;
        self.flushes += 1;
        Ok(self.space().dead > 0)
    }

    /// What is deleted is overwritten at once; its last copy goes with the log.
    fn sweep(&mut self) -> Result<bool, Fault> {
        self.database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            .map_err(fault("sweeping"))?;
        Ok(false)
    }

    fn space(&self) -> Space {
        let pragma = |name: &str| {
            let sql = format!("PRAGMA {name}");
            self.database
                .query_row(&sql, (), |row| row.get::<_, i64>(0))
                .unwrap_or(0)
                .cast_unsigned()
        };
        let page = pragma("page_size");
        Space { on_disk: pragma("page_count") * page, dead: pragma("freelist_count") * page }
    }

    fn flushes(&self) -> u64 {
        self.flushes
    }
}
