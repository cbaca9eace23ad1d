//! What tests share that put a compartment into its real walls: its birth, and an ear for calls
//! off its charter. Such a test program is its own compartment, for birth executes it again.
//!
//! Part of tests alone, and never of what is installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Policy, Spawned, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Start};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(30);
/// Users of compartments, as the warden numbers them unless it is told otherwise.
const FIRST_USER: u32 = 64_000;

/// The main of such a program: `live` is the compartment's, `trial` the test's. A kernel that
/// gives no listener for refused calls leaves nothing to hear, which is said.
pub fn main(live: fn() -> ExitCode, trial: impl FnOnce()) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return live();
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    trial();
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// A jailed process that is ready.
pub struct Born {
    pub kind: Kind,
    pub control: Channel,
    pub process: Spawned,
    /// What it said when it was.
    pub ready: Report,
    pub heard: Heard,
}

/// A keeper that has begun with this, or a zygote.
pub fn born(kind: Kind, start: Start) -> Born {
    born_with(kind, start, &[])
}

/// The same, with what lies beside the order to begin.
pub fn born_with(kind: Kind, start: Start, held: &[OwnedFd]) -> Born {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: kind.word().to_owned(), ..start };
    control.send(0, &Order::Begin(start), held).unwrap();
    let process = spawn(Birth {
        kind: kind.word(),
        instance: None,
        user: user(kind),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let mut jailed = control.receive(Some(LIMIT)).unwrap();
    let Report::Jailed { missing_walls } = jailed.read().unwrap() else { panic!("no walls") };
    println!("{}: missing walls: {missing_walls:?}", kind.word());
    let heard = Heard::default();
    // A zygote has none: each of its instances has.
    if let Some(listener) = jailed.descriptors.pop() {
        heard.listen(kind, listener);
    }
    let ready = control.receive(Some(LIMIT)).unwrap().read().unwrap();
    assert!(matches!(ready, Report::Ready { .. }), "{} is not ready", kind.word());
    Born { kind, control, process, ready, heard }
}

impl Born {
    /// Has the zygote bring forth an instance with this control channel.
    pub fn fork(&self, own: Channel) {
        let order = Order::Fork(InstanceId([3; 6]));
        self.control.send(0, &order, &[own.into()]).unwrap();
        let born = self.control.receive(Some(LIMIT)).unwrap();
        assert!(matches!(born.read().unwrap(), Report::Born(_)));
    }

    /// A channel of this process's, whose other end it is told to be somebody.
    pub fn join(&self, label: Label) -> Channel {
        join(&self.control, label)
    }

    /// Tells it to stop: it does, and made no call off its charter in its life.
    pub fn stop(&self) {
        self.control.send(0, &Order::Stop, &[]).unwrap();
        self.await_end();
        self.heard.assert_nothing_off_charter();
    }

    /// Waits for the end of the process.
    pub fn await_end(&self) {
        let mut ended = [PollFd::new(&self.process.pidfd, PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        let kind = self.kind.word();
        assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1, "{kind} did not end");
    }

    /// Waits for the end of the zygote's instance, which is a good one.
    pub fn ended_well(&self) {
        let ended = self.control.receive(Some(LIMIT)).unwrap();
        let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
        assert_eq!(status, 0);
    }
}

/// The other end of a channel that a process is told to be somebody.
pub fn join(control: &Channel, label: Label) -> Channel {
    let (ours, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    ours
}

fn user(kind: Kind) -> Option<u32> {
    compartment::is_root().then_some(FIRST_USER + kind.number())
}

/// An empty folder that belongs to a keeper of this kind.
pub fn folder(kind: Kind) -> PathBuf {
    let name = format!("{}-jailed-{}", kind.word(), std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    if walls().granted.contains(&Wall::OwnUser) {
        std::os::unix::fs::chown(&folder, user(kind), user(kind)).unwrap();
    }
    folder
}

/// What was heard of calls that are not simply allowed.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    listeners: u32,
    witnessed: u32,
    off_charter: Vec<String>,
}

impl Heard {
    /// Answers as the warden does: what is to be witnessed goes on, anything else is denied.
    pub fn listen(&self, kind: Kind, listener: OwnedFd) {
        let policy = Policy::of(kind.word()).unwrap();
        let (notices, calls) = (Notices::new(listener), self.0.clone());
        calls.lock().unwrap().listeners += 1;
        thread::spawn(move || {
            loop {
                let mut fds = [PollFd::new(&notices, PollFlags::IN)];
                poll(&mut fds, None).unwrap();
                if fds.iter().any(|fd| !fd.revents().contains(PollFlags::IN)) {
                    return;
                }
                let Ok(Some(notice)) = notices.receive() else { continue };
                let mut calls = calls.lock().unwrap();
                if policy.judge(notice.number) == Verdict::Witness {
                    calls.witnessed += 1;
                    notices.continue_(&notice).unwrap();
                } else {
                    calls.off_charter.push(format!("{} {:x?}", notice.call, notice.args));
                    notices.deny(&notice, 1).unwrap();
                }
            }
        });
    }

    /// Listens to an instance as soon as it says on its control channel that it is jailed.
    pub fn follow(&self, kind: Kind, control: &Channel) {
        let reports = Channel::from(control.as_fd().try_clone_to_owned().unwrap());
        let heard = self.clone();
        thread::spawn(move || {
            while let Ok(mut frame) = reports.receive(None) {
                if let (Ok(Report::Jailed { .. }), Some(listener)) =
                    (frame.read(), frame.descriptors.pop())
                {
                    heard.listen(kind, listener);
                }
            }
        });
    }

    /// So many processes were listened to. One that has ended may have said so before it was heard.
    pub fn assert_listeners(&self, expected: u32) {
        let begun = Instant::now();
        let heard = || self.0.lock().unwrap().listeners;
        while heard() < expected && begun.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(heard(), expected);
    }

    /// Opened files, mostly.
    pub fn witnessed(&self) -> u32 {
        self.0.lock().unwrap().witnessed
    }

    /// Calls with their arguments.
    pub fn off_charter(&self) -> Vec<String> {
        self.0.lock().unwrap().off_charter.clone()
    }

    pub fn assert_nothing_off_charter(&self) {
        assert_eq!(self.off_charter(), Vec::<String>::new(), "calls off charter");
    }
}
