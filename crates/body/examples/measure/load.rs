//! The same load for every engine: writers in a closed loop, one committer that gathers them.

use body::{Bodies, Content, Fault, Key, Owner, Place};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

/// A message's index record: numbers, a wrapped key or two, tokens, evidence.
const NOTE_BYTES: usize = 700;
const MOVE_BUDGET: u64 = 64 * 1024 * 1024;

/// How an engine is opened in a folder.
pub type Open<'a> = &'a dyn Fn(&Path) -> Result<Box<dyn Bodies>, Fault>;

pub struct Measured {
    pub cpu_us: f64,
    pub wall_us: f64,
    pub flushes: f64,
    pub amplification: f64,
    pub kept_mib: f64,
    pub after_mib: f64,
}

struct Index(HashMap<u64, Place>);

impl Owner for Index {
    fn is_live(&mut self, key: Key, place: Place) -> bool {
        self.0.get(&key.id) == Some(&place)
    }

    fn moved(&mut self, key: Key, _from: Place, to: Place) {
        self.0.insert(key.id, to);
    }
}

fn cpu_us() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Octets this process has caused to be written to the disk.
fn written() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
}

/// Blocks that the folder takes, in MiB.
fn on_disk(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let mut blocks = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => blocks += data.blocks(),
                Err(_) => {}
            }
        }
    }
    blocks as f64 / 2048.0
}

pub fn run(open: Open<'_>, folder: &Path, size: usize, writers: usize) -> Result<Measured, Fault> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)
        .map_err(|source| Fault::Write { doing: "making a folder", source })?;
    let mut store = open(folder)?;
    let total = (256 * 1024 * 1024 / size).clamp(300, 6_000) / writers * writers;
    let mut index = Index(HashMap::new());
    let (cpu, disk, clock) = (cpu_us(), written(), Instant::now());
    let flushes = store.flushes();
    write_all(&mut *store, &mut index, size, writers, total)?;
    let count = total as f64;
    let mut measured = Measured {
        cpu_us: (cpu_us() - cpu) / count,
        wall_us: clock.elapsed().as_secs_f64() * 1e6 / count,
        flushes: (store.flushes() - flushes) as f64 / count,
        amplification: (written() - disk) / (count * (size + NOTE_BYTES) as f64),
        kept_mib: on_disk(folder),
        after_mib: 0.0,
    };
    delete_most(&mut *store, &mut index)?;
    measured.after_mib = on_disk(folder);
    drop(store);
    let _ = std::fs::remove_dir_all(folder);
    Ok(measured)
}

fn write_all(
    store: &mut dyn Bodies,
    index: &mut Index,
    size: usize,
    writers: usize,
    total: usize,
) -> Result<(), Fault> {
    // Sealed bytes do not compress: the payload is noise.
    let mut state = 0x5EED_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
    .take(size + 4_096)
    .collect();
    std::thread::scope(|scope| {
        let (offer, offers) = mpsc::channel::<(u64, mpsc::SyncSender<()>)>();
        for writer in 0..writers {
            let offer = offer.clone();
            scope.spawn(move || {
                let (done, answer) = mpsc::sync_channel(1);
                for round in 0..total / writers {
                    let id = (round * writers + writer) as u64;
                    if offer.send((id, done.clone())).is_err() || answer.recv().is_err() {
                        return;
                    }
                }
            });
        }
        drop(offer);
        while let Ok(first) = offers.recv() {
            let mut batch = vec![first];
            std::thread::yield_now();
            batch.extend(offers.try_iter());
            for (id, _) in &batch {
                let skew = (*id % 4_096) as usize;
                let bytes = noise.get(skew..skew + size).unwrap_or_default();
                let place = store.put(Key { id: *id, part: 1 }, Content::Pieces(&[bytes]))?;
                store.note(bytes.get(..NOTE_BYTES).unwrap_or_default())?;
                index.0.insert(*id, place);
            }
            store.commit()?;
            for (_, done) in batch {
                let _ = done.send(());
            }
        }
        Ok(())
    })
}

/// Three quarters go; then space is taken back until there is nothing more to take.
fn delete_most(store: &mut dyn Bodies, index: &mut Index) -> Result<(), Fault> {
    let gone: Vec<u64> = index.0.keys().copied().filter(|id| id % 4 != 0).collect();
    for id in gone {
        if let Some(place) = index.0.remove(&id) {
            store.delete(place)?;
        }
    }
    for _ in 0..10_000 {
        store.note(b"deleted")?;
        let mark = store.commit()?;
        store.forget(mark)?;
        if !store.compact(MOVE_BUDGET, index)? {
            break;
        }
    }
    let mark = store.commit()?;
    store.forget(mark)
}

/// Parts in one engine, the index's notes in another, each durable by itself.
pub struct Two<P, N> {
    pub parts: P,
    pub notes: N,
}

impl<P: Bodies, N: Bodies> Bodies for Two<P, N> {
    fn put(&mut self, key: Key, content: Content<'_>) -> Result<Place, Fault> {
        self.parts.put(key, content)
    }
    fn note(&mut self, note: &[u8]) -> Result<(), Fault> {
        self.notes.note(note)
    }
    fn commit(&mut self) -> Result<body::Mark, Fault> {
        self.parts.commit()?;
        self.notes.commit()
    }
    fn abandon(&mut self) {
        self.parts.abandon();
        self.notes.abandon();
    }
    fn read(&mut self, place: Place, range: Range<u32>, into: &mut Vec<u8>) -> Result<(), Fault> {
        self.parts.read(place, range, into)
    }
    fn delete(&mut self, place: Place) -> Result<(), Fault> {
        self.parts.delete(place)
    }
    fn replay(
        &mut self,
        after: body::Mark,
        each: &mut dyn FnMut(body::Mark, &[u8]),
    ) -> Result<body::Mark, Fault> {
        self.notes.replay(after, each)
    }
    fn forget(&mut self, mark: body::Mark) -> Result<(), Fault> {
        self.parts.forget(body::Mark(u64::MAX - 1))?;
        self.notes.forget(mark)
    }
    fn compact(&mut self, budget: u64, owner: &mut dyn Owner) -> Result<bool, Fault> {
        self.parts.compact(budget, owner)
    }
    fn sweep(&mut self) -> Result<bool, Fault> {
        self.parts.sweep()
    }
    fn space(&self) -> body::Space {
        self.parts.space()
    }
    fn flushes(&self) -> u64 {
        self.parts.flushes() + self.notes.flushes()
    }
}

pub fn table(engines: &[(&str, Open<'_>)], sizes: &[usize], folder: &Path) -> Result<(), Fault> {
    println!(
        "| engine | octets | writers | CPU µs | wall µs | commits a message \
         | written/stored | MiB | MiB after 3/4 deleted |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, open) in engines {
        for size in sizes {
            for writers in [1, 10, 50] {
                let m = run(*open, &folder.join(name), *size, writers)?;
                print!("| {name} | {size} | {writers} | {:.0} | {:.0} ", m.cpu_us, m.wall_us);
                print!("| {:.3} | {:.2} ", m.flushes, m.amplification);
                println!("| {:.0} | {:.0} |", m.kept_mib, m.after_mib);
            }
        }
    }
    Ok(())
}
