//! `crates/body`'s measurement with one engine more: fjall 3, a key-value-separated LSM.
//!
//! `cargo run --release --manifest-path bench/bodies/Cargo.toml [FOLDER]`

#[path = "../../../crates/body/examples/measure/load.rs"]
mod load;

use body::{Bodies, Content, Fault, Key, Mark, Owner, Place, Space};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

struct Fjall {
    database: Database,
    parts: Keyspace,
    notes: Keyspace,
    staged: Option<fjall::OwnedWriteBatch>,
    next: u64,
    flushes: u64,
}

fn fault(source: fjall::Error) -> Fault {
    Fault::Write { doing: "writing to fjall", source: io::Error::other(source) }
}

impl Fjall {
    fn open(folder: &Path) -> Result<Self, Fault> {
        let database = Database::builder(folder).open().map_err(fault)?;
        let separated = || {
            KeyspaceCreateOptions::default()
                .with_kv_separation(Some(KvSeparationOptions::default()))
        };
        let parts = database.keyspace("parts", separated).map_err(fault)?;
        let notes = database.keyspace("notes", KeyspaceCreateOptions::default).map_err(fault)?;
        Ok(Self { database, parts, notes, staged: None, next: 1, flushes: 0 })
    }

    fn batch(&mut self) -> &mut fjall::OwnedWriteBatch {
        let database = &self.database;
        self.staged.get_or_insert_with(|| database.batch().durability(Some(PersistMode::SyncData)))
    }
}

impl Bodies for Fjall {
    fn put(&mut self, _key: Key, content: Content<'_>) -> Result<Place, Fault> {
        let bytes = match content {
            Content::Pieces(pieces) => pieces.concat(),
            Content::File { front, file, length } => {
                let mut bytes = vec![0u8; length as usize];
                file.read_exact_at(&mut bytes, 0)
                    .map_err(|source| Fault::Read { doing: "taking in a parcel", source })?;
                [front, &bytes].concat()
            }
        };
        let place = Place { at: self.next, length: bytes.len() as u32 };
        self.next += 1;
        let parts = self.parts.clone();
        self.batch().insert(&parts, place.at.to_be_bytes(), bytes);
        Ok(place)
    }

    fn note(&mut self, note: &[u8]) -> Result<(), Fault> {
        let mark = self.next.to_be_bytes();
        self.next += 1;
        let notes = self.notes.clone();
        self.batch().insert(&notes, mark, note);
        Ok(())
    }

    fn commit(&mut self) -> Result<Mark, Fault> {
        if let Some(batch) = self.staged.take() {
            batch.commit().map_err(fault)?;
            self.flushes += 1;
        }
        Ok(Mark(self.next - 1))
    }

    fn abandon(&mut self) {
        self.staged = None;
    }

    fn read(&mut self, place: Place, range: Range<u32>, into: &mut Vec<u8>) -> Result<(), Fault> {
        let found = self.parts.get(place.at.to_be_bytes()).map_err(fault)?;
        let found = found.as_deref().unwrap_or_default();
        into.extend(found.get(range.start as usize..range.end as usize).unwrap_or_default());
        Ok(())
    }

    fn delete(&mut self, place: Place) -> Result<(), Fault> {
        let parts = self.parts.clone();
        self.batch().remove(&parts, place.at.to_be_bytes());
        Ok(())
    }

    fn replay(&mut self, _: Mark, _: &mut dyn FnMut(Mark, &[u8])) -> Result<Mark, Fault> {
        Ok(Mark(self.next - 1))
    }

    fn forget(&mut self, _mark: Mark) -> Result<(), Fault> {
        self.commit().map(|_| ())
    }

    fn compact(&mut self, _budget: u64, _owner: &mut dyn Owner) -> Result<bool, Fault> {
        self.commit()?;
        self.parts.rotate_memtable_and_wait().map_err(fault)?;
        self.parts.major_compact().map_err(fault)?;
        Ok(false)
    }

    fn space(&self) -> Space {
        Space { on_disk: self.parts.disk_space(), dead: self.parts.fragmented_blob_bytes() }
    }

    fn flushes(&self) -> u64 {
        self.flushes
    }
}

fn main() -> Result<(), Fault> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("measure-bodies-{}", std::process::id()));
    let fjall =
        |folder: &Path| -> Result<Box<dyn Bodies>, Fault> { Ok(Box::new(Fjall::open(folder)?)) };
    load::table(&[("fjall", &fjall)], &[4 * 1024, 40 * 1024, 1024 * 1024], &folder)
}
