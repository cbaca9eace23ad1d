//! What an idle connection costs: `cargo run --release -p access --example idle`.
//!
//! Instances are forked from one process, as from their zygote; each is signed in, has read a
//! message, and idles. Prints the CPU time of signing in and selecting (TLS included), and
//! proportional and private memory of one of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/world/mod.rs"]
#[allow(dead_code)]
mod world;

use compartment::{Forked, House, fork_instance};
use std::thread;
use std::time::Duration;
use wire::Channel;
use wire::control::Service;
use world::World;
use world::client::Client;

const INSTANCES: usize = 40;

fn main() {
    let mut born = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..INSTANCES {
        let (control, warden) = Channel::pair().unwrap();
        match fork_instance().unwrap() {
            Forked::Instance => {
                drop((warden, born));
                access::serve(House::begin_on(control).unwrap());
                return;
            }
            Forked::Zygote { pid, .. } => ids.push(pid),
        }
        born.push(warden);
    }
    let world = World::with_instances(Service::Imaps, born);
    world.deliver(&format!("Subject: x\r\n\r\n{}", "a line of text\r\n".repeat(2_000)));
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..INSTANCES {
        let mut client = Client::signed_in(&world);
        client.ask("SELECT INBOX");
        clients.push(client);
    }
    let cpu = |id: &i32| {
        let text = std::fs::read_to_string(format!("/proc/{id}/schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let nanoseconds = ids.iter().map(cpu).sum::<u64>() / INSTANCES as u64;
    println!("signing in and selecting: {} µs of CPU", nanoseconds / 1_000);
    for client in &mut clients {
        client.ask("FETCH 1 (ENVELOPE BODY.PEEK[])");
        client.send(b"i IDLE\r\n");
        client.line();
    }
    thread::sleep(Duration::from_secs(4));
    let sum = |name: &str| -> u64 {
        let of = |id: &i32| {
            let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        ids.iter().map(of).sum::<u64>() / INSTANCES as u64
    };
    println!(
        "an idle connection: {} KiB proportional, {} KiB private",
        sum("Pss:"),
        sum("Private_Dirty:")
    );
    if let Ok(maps) = std::fs::read_to_string(format!("/proc/{}/smaps", ids[3])) {
        let mut name = String::new();
        for line in maps.lines() {
            if !line.contains(':') || line.split_whitespace().count() > 4 {
                name = line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
            } else if line.starts_with("Private_Dirty:") && !line.contains(" 0 kB") {
                println!("{line}  {name}");
            }
        }
    }
}
