//! Flood, replay, reorder, malformed frames and wrong descriptors on every channel of the charter:
//! who breaks the rules is cut and reported, and nothing else stops. The servers are the real ones
//! in their real walls; this program is their warden and plays every asker. It is also its own
//! compartments: birth executes it again.
//!
//! `SEKISHO_SEED` gives other octets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod packets;
mod probes;
mod server;

use packets::{Packet, Random};
use server::Server;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::{CHARTERS, Channel};

/// For whatever is waited for; a machine under load takes its time.
pub const LIMIT: Duration = Duration::from_secs(30);
const FLOOD: u32 = 10_000;
/// Fewer than the messages after which a scanner retires.
const REPLAYS: u32 = 12;
/// No server may ever hold more than this, whatever it is sent: a quarter of the least that the
/// charter gives a keeper. Of scanners it is the zygote that is measured; instances end when cut.
const PEAK_KIB: u64 = 64 * 1024;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return server::be(&words[1]);
    }
    if words.iter().any(|word| word == "--list") {
        println!("channels: test");
        return ExitCode::SUCCESS;
    }
    let seed = std::env::var("SEKISHO_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut random = Random(seed.unwrap_or(0x5eed_0012));
    println!("seed {}", random.0);
    let pairs: Vec<(Kind, Kind)> = CHARTERS
        .iter()
        .flat_map(|charter| charter.asks.iter().map(|server| (charter.kind, *server)))
        .collect();
    every_pair_is_tried(&pairs);
    let servers: BTreeSet<&str> = pairs.iter().map(|(_, server)| server.word()).collect();
    for word in servers {
        let kind = Kind::parse(word).unwrap();
        let of_it = pairs.iter().filter(|(_, server)| *server == kind);
        let askers: Vec<Kind> = of_it.map(|(asker, _)| *asker).collect();
        let begun = Instant::now();
        let mut server = Server::born(kind);
        askers.iter().for_each(|asker| try_pair(&mut server, *asker, kind, &pairs, &mut random));
        let (alarms, peak) = (server.alarms(), server.peak_kib());
        assert!(peak < PEAK_KIB, "{word} held {peak} KiB");
        server.stop();
        let took = begun.elapsed().as_millis();
        println!(
            "{word}: {} askers, {alarms} cut and reported, {peak} KiB, {took} ms",
            askers.len()
        );
    }
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn every_pair_is_tried(pairs: &[(Kind, Kind)]) {
    for (asker, server) in pairs {
        let is_tried = probes::question(*asker, *server).is_some();
        assert!(is_tried, "{} asks {}: nobody tries it", asker.word(), server.word());
    }
    println!("{} channels", pairs.len());
}

/// Another peer on the same server, which must be answered whatever the first one does.
struct Bystander {
    asker: Kind,
    channel: Channel,
    question: Vec<u8>,
    call: u32,
}

impl Bystander {
    fn is_answered(&mut self, server: &mut Server, after: &str) {
        self.call += 1;
        if server.is_zygote() {
            self.channel = server.join(self.asker);
        }
        Packet::of(self.call, &self.question).send(&self.channel).unwrap();
        loop {
            let frame = self.channel.receive(Some(LIMIT));
            let frame =
                frame.unwrap_or_else(|fault| panic!("nobody is served after {after}: {fault}"));
            if frame.call == self.call {
                return;
            }
        }
    }
}

fn try_pair(
    server: &mut Server,
    asker: Kind,
    kind: Kind,
    pairs: &[(Kind, Kind)],
    random: &mut Random,
) {
    let Some(question) = probes::question(asker, kind) else { return };
    let name = |case: &str| format!("{case} from {} to {}", asker.word(), kind.word());
    let witness = probes::witness(asker, kind);
    let Some(asked) = probes::question(witness, kind) else { return };
    let channel = server.join(witness);
    let mut bystander = Bystander { asker: witness, channel, question: asked, call: 0 };
    bystander.is_answered(server, &name("nothing"));
    let descriptors = server.descriptors().len();
    for (case, packet) in packets::malformed(&question, random) {
        let case = name(&case);
        let alarms = server.alarms();
        let hostile = server.join(asker);
        packet.send(&hostile).unwrap();
        is_cut(&hostile, &case);
        server.alarmed(alarms + 1, &case);
        bystander.is_answered(server, &case);
    }
    let others = pairs.iter().filter_map(|(one, other)| probes::question(*one, *other));
    for foreign in others.collect::<BTreeSet<_>>() {
        // It may happen to be a question here as well; if not, its sender is cut and reported.
        let alarms = server.alarms();
        let hostile = server.join(asker);
        Packet::of(1, &foreign).send(&hostile).unwrap();
        server.lives();
        bystander.is_answered(server, &name("another pair's question"));
        // A zygote's instance has its own time: nothing that the bystander heard came after it.
        let patience = if server.is_zygote() { LIMIT } else { Duration::ZERO };
        if !matches!(hostile.wait(patience), Ok(true)) || hostile.take().is_ok() {
            continue;
        }
        server.alarmed(alarms + 1, &name("another pair's question"));
    }
    let calls = random.shuffled((1..=REPLAYS).collect());
    for (calls, case) in [(vec![7; REPLAYS as usize], "a replay"), (calls, "another order")] {
        are_taken(server, (asker, witness), &question, calls, &name(case));
        bystander.is_answered(server, &name(case));
    }
    let loud = server.join(asker);
    let sent = (1..=FLOOD).take_while(|call| Packet::of(*call, &question).send(&loud).is_ok());
    let sent = sent.count();
    assert!(sent > 0, "{}", name("a flood"));
    bystander.is_answered(server, &name("a flood"));
    drop(loud);
    server.lives();
    bystander.is_answered(server, &name("everything"));
    descriptors_return(server, descriptors, &name("everything"));
}

/// Extra descriptors beside a good question are dropped; the question is one like any other. Each
/// is answered, if there is an answer to it.
fn are_taken(
    server: &mut Server,
    (asker, witness): (Kind, Kind),
    question: &[u8],
    calls: Vec<u32>,
    case: &str,
) {
    let peer = server.join(asker);
    for call in &calls {
        Packet::of(*call, question).with(packets::strays()).send(&peer).unwrap();
    }
    let mut wanted = if asker == witness { calls } else { Vec::new() };
    server.lives();
    while !wanted.is_empty() {
        let frame = peer.receive(Some(LIMIT));
        let frame =
            frame.unwrap_or_else(|fault| panic!("{case}: {} unanswered: {fault}", wanted.len()));
        if let Some(place) = wanted.iter().position(|call| *call == frame.call) {
            wanted.swap_remove(place);
        }
    }
}

fn is_cut(channel: &Channel, case: &str) {
    loop {
        match channel.receive(Some(LIMIT)) {
            Ok(_) => {}
            Err(wire::Fault::Gone | wire::Fault::Unread) => return,
            Err(fault) => panic!("{case}: not cut: {fault}"),
        }
    }
}

fn descriptors_return(server: &mut Server, before: usize, case: &str) {
    let until = Instant::now() + LIMIT;
    while server.descriptors().len() > before {
        let now = server.descriptors();
        assert!(Instant::now() < until, "{case}: {before} descriptors, then {now:?}");
        server.lives();
        std::thread::yield_now();
    }
}
