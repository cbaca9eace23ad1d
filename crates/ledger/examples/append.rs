//! How fast the ledger takes entries, and how soon a release is proved, with a mirror beside it
//! on the same disk: `cargo run --release -p ledger --example append [FOLDER]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use evidence::{Author, Body, Delivery, Released, Word};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
use wire::control::Order;
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(30);

/// Ledger and mirror in threads, and the control channel of the ledger.
struct Bench {
    control: Channel,
    mirror: Channel,
    warden: Author,
    warden_channel: Channel,
    next: u8,
}

fn label(kind: Kind, instance: InstanceId) -> Label {
    Label { kind, instance, person: None }
}

impl Bench {
    fn start(folder: &Path) -> Self {
        let (control, theirs) = Channel::pair().unwrap();
        let (key, told) = mpsc::channel();
        let own = folder.join("ledger");
        thread::spawn(move || {
            ledger::serve_unjailed(theirs, &own, |public| key.send(public).unwrap()).unwrap();
        });
        let (copy, notes) =
            mirror::open(&folder.join("mirror"), Some(told.recv().unwrap())).unwrap();
        let (mirror, theirs) = Channel::pair().unwrap();
        thread::spawn(move || mirror::serve(theirs, copy, notes).unwrap());
        let (one, other) = Channel::pair().unwrap();
        let instance = InstanceId([9; 6]);
        control.send(0, &Order::Join(label(Kind::Mirror, instance)), &[one.into()]).unwrap();
        mirror.send(0, &Order::Join(label(Kind::Ledger, instance)), &[other.into()]).unwrap();
        let start = InstanceId([1; 6]);
        let mut warden = Author::new(Kind::Warden, start, &[1; 32]);
        let mut warden_channel = join(&control, label(Kind::Warden, start));
        let body = named(Kind::Warden, &warden);
        let frame = warden.sign(1, body).unwrap();
        taken(&mut warden_channel, vec![frame]);
        Self { control, mirror, warden, warden_channel, next: 2 }
    }

    fn author(&mut self, kind: Kind) -> (Author, Channel) {
        let start = InstanceId([self.next; 6]);
        let author = Author::new(kind, start, &[self.next; 32]);
        self.next += 1;
        let frame = self.warden.sign(1, named(kind, &author)).unwrap();
        taken(&mut self.warden_channel, vec![frame]);
        (author, join(&self.control, label(kind, start)))
    }
}

fn join(control: &Channel, label: Label) -> Channel {
    let (own, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    own
}

fn named(kind: Kind, author: &Author) -> Body {
    Body::ProcessStart {
        instance: author.start(),
        kind,
        pid: 1,
        version: Word::new("bench"),
        zygote: None,
        key: Some(author.public_key()),
        serves: None,
    }
}

fn taken(channel: &mut Channel, entries: Vec<Vec<u8>>) {
    let question = ToLedger::Append { entries, prove: false };
    let (answer, _) = channel.ask::<_, FromLedger>(&question, &[], LIMIT).unwrap();
    assert!(matches!(answer, FromLedger::Taken { .. }));
}

fn deliver(number: u64) -> Body {
    let mut message = [0; 16];
    message[..8].copy_from_slice(&number.to_be_bytes());
    let one = Delivery {
        message: MessageId(message),
        user: UserId([3; 8]),
        bytes: 21_000,
        verdict: Verdict::Deliver,
    };
    Body::Deliver {
        instance: InstanceId([5; 6]),
        tenant: TenantId([2; 8]),
        messages: vec![one; 4],
        connection: None,
    }
}

fn release(number: u64) -> Body {
    Body::Release {
        vault_seq: number,
        instance: InstanceId([5; 6]),
        grant: GrantId([1; 16]),
        tenant: TenantId([2; 8]),
        user: UserId([3; 8]),
        released: Released::Bodies(vec![MessageId([4; 16])]),
    }
}

fn in_batches(bench: &mut Bench) {
    const BATCH: usize = 512;
    const BATCHES: usize = 200;
    let (mut author, mut channel) = bench.author(Kind::Mailbox);
    let mut frames = Vec::new();
    for number in 0..(BATCH * BATCHES) as u64 {
        frames.push(author.sign(2, deliver(number)).unwrap());
    }
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let mut asked = 0;
    for batch in frames.chunks(BATCH) {
        let call = channel.next_call();
        let entries = batch.to_vec();
        channel.send(call, &ToLedger::Append { entries, prove: false }, &[]).unwrap();
        asked += 1;
        // Sixteen batches on the way.
        if asked >= 16 {
            channel.receive(Some(LIMIT)).unwrap();
        }
    }
    for _ in 0..15 {
        channel.receive(Some(LIMIT)).unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    let rate = frames.len() as f64 / took;
    println!("append: {rate:.0} entries/s of {} octets, durable", bytes / frames.len());
}

fn one_at_a_time(author: &mut Author, channel: &mut Channel) {
    let mut times = Vec::new();
    for number in 0..300 {
        let entries = vec![author.sign(3, release(number)).unwrap()];
        let begun = Instant::now();
        let question = ToLedger::Append { entries, prove: true };
        let (answer, _) = channel.ask::<_, FromLedger>(&question, &[], LIMIT).unwrap();
        times.push(begun.elapsed());
        assert!(matches!(answer, FromLedger::Proved { .. }));
    }
    times.sort();
    println!("release, one at a time: p50 {:?}, p99 {:?}", times[150], times[296]);
}

fn many_at_once(author: &mut Author, channel: &mut Channel) {
    let begun = Instant::now();
    let mut sent = Vec::new();
    let mut times = Vec::new();
    for number in 0..4_000u64 {
        if number >= 64 {
            let frame = channel.receive(Some(LIMIT)).unwrap();
            assert!(matches!(frame.read().unwrap(), FromLedger::Proved { .. }));
            times.push(Instant::now().duration_since(sent[times.len()]));
        }
        let entries = vec![author.sign(3, release(number + 300)).unwrap()];
        sent.push(Instant::now());
        let call = channel.next_call();
        channel.send(call, &ToLedger::Append { entries, prove: true }, &[]).unwrap();
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("release, 64 at once: {rate:.0}/s, p50 {p50:?}, p99 {p99:?}");
}

fn main() {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let folder = given.unwrap_or_else(|| std::env::temp_dir().join("sekisho-append"));
    let _ = std::fs::remove_dir_all(&folder);
    let mut bench = Bench::start(&folder);

    in_batches(&mut bench);
    let (mut author, mut channel) = bench.author(Kind::Vault);
    one_at_a_time(&mut author, &mut channel);
    many_at_once(&mut author, &mut channel);

    bench.mirror.send(0, &Order::Stop, &[]).unwrap();
    bench.control.send(0, &Order::Stop, &[]).unwrap();
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    let head = ledger::head(&folder.join("ledger"), None).unwrap();
    println!("head: {} entries read and hashed in {:?}", head.size, begun.elapsed());
    let begun = Instant::now();
    let found = ledger::verify(&folder.join("ledger"), Some(&folder.join("mirror"))).unwrap();
    println!("verify: {} entries in {:?}, ok {}", found.entries_checked, begun.elapsed(), found.ok);
    println!("{:?}", found.problems);
    let _ = std::fs::remove_dir_all(&folder);
}
