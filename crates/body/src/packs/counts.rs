//! How much of each pack is dead.

use crate::Fault;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Dead octets by pack, in memory and (without a flush: it is advice) in one small file.
pub(super) struct Counts {
    file: File,
    dead: BTreeMap<u32, u64>,
}

impl Counts {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let doing = "opening the counts of dead octets";
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|source| Fault::write(doing, source))?;
        let bytes = std::fs::read(path).map_err(|source| Fault::Read { doing, source })?;
        let numbers = 0u32..;
        let counts =
            bytes.chunks_exact(8).map(|chunk| chunk.try_into().map_or(0, u64::from_le_bytes));
        let dead = numbers.zip(counts).filter(|(_, dead)| *dead > 0).collect();
        Ok(Self { file, dead })
    }

    pub(super) fn of(&self, number: u32) -> u64 {
        self.dead.get(&number).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, number: u32, octets: u64) {
        let dead = self.dead.entry(number).or_insert(0);
        *dead += octets;
        let before = (*dead - octets) >> 20;
        // Written down a mebibyte at a time; what a crash forgets, the next walk finds out.
        if *dead >> 20 != before {
            let _ = durable::write_at(&self.file, &dead.to_le_bytes(), u64::from(number) * 8);
        }
    }
}
