//! Fills a log with an invented house's deeds and asks it for scopes as it grows:
//! `cargo run --release -p annals --example growth -- FOLDER ENTRIES…` (sizes in millions), and
//! `… -- FOLDER ask` asks again of what was filled before (`… -- FOLDER ask KIND…` only these, in
//! this order, and prints each whole answer), and `… -- FOLDER compare` compares the answers of
//! every component with what the entries say, one by one. Times are of the clock, and then of the
//! processors.
//! The entries carry no signatures: scope reads none. What it prints stands in
//! `docs/benchmarks-ledger.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod story;

use annals::{Binder, Folder, Index, Keys, Reader, Segments, Shelf, chapter_name, names};
use evidence::{Entry, Frame};
use scope::{Proven, Question};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use story::{AUTHORS, BEGIN_MS, Story, tenant, user};
use terms::Kind;
use tlog::{Note, NoteSigner, SignedCheckpoint, Store, leaf_hash};

const ORIGIN: &str = tlog::LOG_ORIGIN;
/// A thousand million entries a year.
const STEP_MS: u64 = 32;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let words: Vec<String> = arguments.collect();
    if words.first().is_some_and(|word| word == "ask") {
        let signer = NoteSigner::new(ORIGIN, &[1; 32]).unwrap();
        let keys = Keys { ledger: signer.verifier(), mirror: None };
        let size = Reader::open(&folder, keys).unwrap().size();
        let now_ms = BEGIN_MS + size * STEP_MS + 1_000_000;
        if let Some(kinds) = words.get(1..).filter(|kinds| !kinds.is_empty()) {
            return ask_these(&folder, &signer, kinds, now_ms);
        }
        println!("{}", measure(&folder, &signer, size, 0.0, now_ms));
        return;
    }
    if words.first().is_some_and(|word| word == "compare") {
        return compare(&folder);
    }
    let sizes: Vec<u64> =
        words.iter().map(|size| (size.parse::<f64>().unwrap() * 1e6) as u64).collect();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let signer = NoteSigner::new(ORIGIN, &[1; 32]).unwrap();
    fs::write(folder.join(names::PUBLIC), signer.verifier().to_text()).unwrap();
    let mut story = Story::new(7, STEP_MS);
    let mut seqs = HashMap::new();
    let mut made = 0;
    println!("entries log tiles index made/s start scope:all scope:month scope:version person rss");
    for size in sizes {
        let begun = Instant::now();
        grow(&folder, &signer, &mut story, &mut seqs, size);
        let rate = (size - made) as f64 / begun.elapsed().as_secs_f64();
        made = size;
        println!("{}", measure(&folder, &signer, size, rate, story.now_ms));
    }
}

/// Some components, in this order: the first one is asked of an index that this process has not
/// looked at.
fn ask_these(folder: &Path, signer: &NoteSigner, kinds: &[String], now_ms: u64) {
    let keys = Keys { ledger: signer.verifier(), mirror: None };
    let reader = Reader::open(folder, keys).unwrap();
    for word in kinds {
        let component = *Kind::ALL.iter().find(|kind| kind.word() == word).expect("a component");
        let question = Question { component, version: None, from_ms: BEGIN_MS, to_ms: now_ms + 1 };
        let (begun, before, from_disk) = (Instant::now(), busy(), read_mb());
        let found = Index::of(&reader).measure(&question, &Proven::default()).unwrap();
        let (clock, processors) = (begun.elapsed(), busy() - before);
        let (read, peak) = (read_mb() - from_disk, peak_mb());
        eprintln!("{word} {clock:.2?} (processors {processors:.2?}) disk {read} MB peak {peak} MB");
        println!("{:#?}", found.scope);
    }
}

/// Every component, of the whole log and of its middle.
fn compare(folder: &Path) {
    let signer = NoteSigner::new(ORIGIN, &[1; 32]).unwrap();
    let keys = Keys { ledger: signer.verifier(), mirror: None };
    let reader = Reader::open(folder, keys).unwrap();
    let end_ms = BEGIN_MS + reader.size() * STEP_MS + 1_000_000;
    let middle_ms = BEGIN_MS + reader.size() * STEP_MS * 2 / 3;
    for (component, to_ms) in
        Kind::ALL.iter().flat_map(|kind| [(*kind, end_ms), (*kind, middle_ms)])
    {
        let question = Question { component, version: None, from_ms: BEGIN_MS, to_ms };
        let begun = Instant::now();
        let found = Index::of(&reader).measure(&question, &Proven::default()).unwrap().scope;
        let by_sums = begun.elapsed();
        let begun = Instant::now();
        let expected = scope::measure(&question, Proven::default(), |seen| {
            reader.entries(0, |index, bytes| {
                Frame::parse(bytes).iter().for_each(|frame| seen(index, &frame.entry));
                true
            })
        });
        let expected = expected.unwrap();
        let is_same = found == expected;
        println!(
            "{} {}: {} {by_sums:?}, by entries {:?}: instances {} upper {} lower {}",
            component.word(),
            if to_ms == end_ms { "all" } else { "two thirds" },
            if is_same { "agrees," } else { "DIFFERS," },
            begun.elapsed(),
            expected.instances,
            expected.upper,
            expected.lower,
        );
        assert!(is_same, "the index says what its entries say");
    }
}

fn grow(
    folder: &Path,
    signer: &NoteSigner,
    story: &mut Story,
    seqs: &mut HashMap<Kind, u64>,
    size: u64,
) {
    let shelf = Folder(folder.to_owned());
    let anchor = shelf.get(names::ANCHOR).unwrap();
    let anchor = anchor.and_then(|bytes| tlog::Anchor::decode(&bytes));
    let key = signer.verifier();
    let believed = |signed: &SignedCheckpoint| signed.note.is_signed_by(&key);
    let volumes = Segments::volumes(folder).unwrap();
    let (mut store, _) = Store::open(volumes, anchor.as_ref(), believed, |_, _| {}).unwrap();
    let (mut binder, _) = annals::take_up(&store, folder).unwrap();
    while store.size() < size {
        let chapter = batch(&mut store, signer, story, seqs, &mut binder, &shelf, size);
        if chapter && let Some(anchor) = store.anchor(Vec::new()).unwrap() {
            shelf.put(names::ANCHOR, &anchor.encode()).unwrap();
        }
    }
}

fn batch(
    store: &mut Store<Segments>,
    signer: &NoteSigner,
    story: &mut Story,
    seqs: &mut HashMap<Kind, u64>,
    binder: &mut Binder,
    shelf: &Folder,
    size: u64,
) -> bool {
    let mut closed = false;
    for _ in 0..8_192.min(size - store.staged_size()) {
        let (author, body) = story.next();
        let (_, start) = AUTHORS.iter().find(|(kind, _)| *kind == author).unwrap();
        let seq = seqs.entry(author).or_default();
        let entry = Entry { author, start: *start, seq: *seq, time_ms: story.now_ms, body };
        *seq += 1;
        let mut frame = entry.encode().unwrap();
        frame.extend_from_slice(&[0; 64]);
        store.stage(&frame).unwrap();
        if let Some((number, index)) = binder.take(leaf_hash(&frame), Some(&entry)) {
            shelf.put(&chapter_name(number), &index).unwrap();
            closed = true;
        }
    }
    let checkpoint = store.checkpoint(ORIGIN);
    let text = checkpoint.to_text();
    let signatures = vec![signer.sign(&text)];
    store.write(SignedCheckpoint { note: Note { text, signatures }, checkpoint }).unwrap();
    store.flush().unwrap();
    closed
}

fn measure(folder: &Path, signer: &NoteSigner, size: u64, rate: f64, now_ms: u64) -> String {
    let begun = Instant::now();
    let keys = Keys { ledger: signer.verifier(), mirror: None };
    let reader = Reader::open(folder, keys).unwrap();
    let start = begun.elapsed();
    let index = Index::of(&reader);
    let proven = Proven::default();
    let ask = |component, version: Option<&str>, from_ms, to_ms| {
        let version = version.map(str::to_owned);
        let question = Question { component, version, from_ms, to_ms };
        let (begun, before) = (Instant::now(), busy());
        let found = index.measure(&question, &proven).unwrap();
        assert_eq!(found.rebuilt, 0);
        eprintln!(
            "{} {:?} (processors {:?}): instances {} upper {} lower {}",
            component.word(),
            begun.elapsed(),
            busy() - before,
            found.scope.instances,
            found.scope.upper,
            found.scope.lower
        );
        begun.elapsed()
    };
    let day = 86_400_000;
    let last = now_ms.saturating_sub(day).max(BEGIN_MS);
    let all = ask(Kind::Access, None, BEGIN_MS, now_ms + 1);
    let edge = ask(Kind::Edge, None, BEGIN_MS, now_ms + 1);
    let one = ask(Kind::Edge, None, last, now_ms + 1);
    let version = ask(Kind::Edge, Some("0.2.1"), BEGIN_MS, now_ms + 1);
    let mut others = Vec::new();
    for kind in [Kind::Vault, Kind::Mailbox, Kind::Identity, Kind::Gate, Kind::Post, Kind::Scanner]
    {
        others.push((kind.word(), ask(kind, None, BEGIN_MS, now_ms + 1)));
    }
    let begun = Instant::now();
    let mut touched = 0u64;
    index
        .touching(tenant(3), Some(user(3, 4)), (0, u64::MAX), |_, _| {
            touched += 1;
            true
        })
        .unwrap();
    let person = begun.elapsed();
    let bytes = |prefix: &str| {
        let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let named = files.filter(|one| one.file_name().to_string_lossy().starts_with(prefix));
        named.map(|one| one.metadata().unwrap().len()).sum::<u64>() / 1_000_000
    };
    let chapters: u64 = (0..index.full())
        .map(|number| fs::metadata(folder.join(chapter_name(number))).unwrap().len())
        .sum();
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let others: String =
        others.iter().map(|(word, time)| format!("{word} {} ", seconds(*time))).collect();
    format!(
        "{size} log {} MB tiles {} MB index {} MB made {rate:.0}/s start {} access {} edge {} \
         edge-day {} edge-version {} {others}person {} ({touched}) peak {} MB",
        bytes("log"),
        bytes("tiles"),
        chapters / 1_000_000,
        seconds(start),
        seconds(all),
        seconds(edge),
        seconds(one),
        seconds(version),
        seconds(person),
        peak_mb(),
    )
}

/// What our threads have had of the processors: on a busy machine the clock tells little.
fn busy() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn peak_mb() -> u64 {
    told_of_self("status", "VmHWM") / 1_024
}

/// What was not in the page cache.
fn read_mb() -> u64 {
    told_of_self("io", "read_bytes") / 1_000_000
}

fn told_of_self(name: &str, word: &str) -> u64 {
    let all = fs::read_to_string(format!("/proc/self/{name}")).unwrap();
    let line = all.lines().find(|line| line.starts_with(word)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
