//! One real server in its real walls, alone, with this test as its warden.

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, Spawned, spawn, zygote_main};
use rustix::event::{PollFd, PollFlags, poll};
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::directory::server_of;
use wire::vault::{FromSigner, ToSigner};
use wire::{Channel, Label};

use crate::LIMIT;

pub const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));
const USER_BASE: u32 = 64_200;
const AGAIN: &str = "asks for its key again and again";

/// What this program is when birth executes it again.
pub fn be(kind: &str) -> ExitCode {
    let house = || House::begin().unwrap();
    match Kind::parse(kind).unwrap() {
        Kind::Ledger => ledger::run(house()),
        Kind::Mirror => mirror::run(house()),
        Kind::Vault => vault::run(house()),
        Kind::Directory => directory::run(house()),
        Kind::Identity => identity::run(house()),
        Kind::Mailbox => mailbox::run(house()),
        Kind::Signer => signer::run(house()),
        Kind::Names => names::run(house()),
        Kind::Sentinel => sentinel::run(house()),
        Kind::Post => post::run(house()),
        Kind::Fetch => fetch::run(house()),
        Kind::Scanner => zygote_main(scanner::serve),
        Kind::Dispatch => zygote_main(dispatch::serve),
        other => panic!("{} serves nobody in the charter", other.word()),
    }
}

pub struct Server {
    kind: Kind,
    control: Channel,
    /// Control channels of instances, where the server is a zygote.
    instances: Vec<Channel>,
    /// A vault that gave the signer its key, so that it answers at once.
    vault: Option<Channel>,
    life: Spawned,
    folder: PathBuf,
    off_charter: Arc<Mutex<Vec<String>>>,
    alarms: Vec<String>,
    next: u8,
    pulses: usize,
}

impl Server {
    pub fn born(kind: Kind) -> Self {
        let folder = std::env::temp_dir().join(format!(
            "sekisho-channels-{}-{}",
            kind.word(),
            std::process::id()
        ));
        fs::create_dir_all(&folder).unwrap();
        if walls().granted.contains(&Wall::OwnUser) {
            let user = Some(USER_BASE + kind.number());
            std::os::unix::fs::chown(&folder, user, user).unwrap();
        }
        let (control, theirs) = Channel::pair().unwrap();
        control.send(0, &Order::Begin(start(kind, &folder)), &credential(kind)).unwrap();
        let life = spawn(Birth {
            kind: kind.word(),
            instance: None,
            user: compartment::is_root().then_some(USER_BASE + kind.number()),
            host_network: kind == Kind::Names,
            control: theirs.into(),
            more: Vec::new(),
            environment: Vec::new(),
        })
        .unwrap();
        let (instances, alarms) = (Vec::new(), Vec::new());
        let off_charter = Arc::default();
        let mut server = Self {
            kind,
            control,
            instances,
            vault: None,
            life,
            folder,
            off_charter,
            alarms,
            next: 0,
            pulses: 0,
        };
        server.settled(None);
        if kind == Kind::Signer {
            server.vault = Some(server.unlocked());
        }
        server
    }

    pub fn is_zygote(&self) -> bool {
        wire::charter(self.kind).unwrap().has_zygote
    }

    /// Plays the vault for the signer until its key is handed over.
    fn unlocked(&mut self) -> Channel {
        let vault = self.join(Kind::Vault);
        let asked = vault.receive(Some(LIMIT)).unwrap();
        let FromSigner::StorageKey = asked.read().unwrap();
        let answer = ToSigner::Key { storage: vec![9; 32], demo_seed: None };
        vault.send(asked.call, &answer, &[]).unwrap();
        vault
    }

    /// Waits until it stands in its walls, and listens to its filter from then on.
    fn settled(&self, instance: Option<&Channel>) {
        let control = instance.unwrap_or(&self.control);
        loop {
            let mut frame = control.receive(Some(LIMIT)).unwrap();
            match frame.read().unwrap() {
                Report::Jailed { .. } => {
                    if let Some(listener) = frame.descriptors.pop() {
                        listen(self.kind, Notices::new(listener), self.off_charter.clone());
                    }
                }
                Report::Ready { .. } => return,
                _ => {}
            }
        }
    }

    /// A channel on which the server takes us for an `asker`, an instance of its own each time.
    pub fn join(&mut self, asker: Kind) -> Channel {
        self.next = self.next.wrapping_add(1);
        let instance = InstanceId([asker.number() as u8, 0, 0, 0, 0, self.next]);
        let person = match (asker, self.kind) {
            (Kind::Access | Kind::Dispatch | Kind::Depart, _) => Some(PERSON),
            (Kind::Edge, Kind::Dispatch) => Some((PERSON.0, server_of(PERSON.0))),
            _ => None,
        };
        let (own, theirs) = Channel::pair().unwrap();
        let order = Order::Join(Label { instance, kind: asker, person });
        if self.is_zygote() {
            let (warden, child) = Channel::pair().unwrap();
            warden.send(0, &Order::Begin(start(self.kind, &self.folder)), &[]).unwrap();
            self.control.send(0, &Order::Fork(instance), &[child.into()]).unwrap();
            self.settled(Some(&warden));
            warden.send(0, &order, &[theirs.into()]).unwrap();
            self.instances.push(warden);
        } else {
            self.control.send(0, &order, &[theirs.into()]).unwrap();
        }
        own
    }

    /// Reads whatever it has reported by now; the number of alarms since its birth.
    pub fn alarms(&mut self) -> usize {
        let is_open = |control: &Channel, alarms: &mut Vec<String>, pulses: &mut usize| loop {
            match control.take() {
                Ok(Some(frame)) => match frame.read().unwrap() {
                    // The vault's of an honest asker: each probe asks for the same key, and comes
                    // two seconds later where no ledger answers, as here.
                    Report::Alarm { what } if what.ends_with(AGAIN) => {}
                    Report::Alarm { what } | Report::Attention { what } => alarms.push(what),
                    Report::Alive => *pulses += 1,
                    _ => {}
                },
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let (alarms, pulses) = (&mut self.alarms, &mut self.pulses);
        assert!(is_open(&self.control, alarms, pulses), "{} is gone", self.kind.word());
        self.instances.retain(|control| is_open(control, alarms, pulses));
        self.alarms.len()
    }

    /// Waits for that many alarms.
    pub fn alarmed(&mut self, count: usize, what: &str) {
        let until = Instant::now() + LIMIT;
        while self.alarms() < count {
            assert!(Instant::now() < until, "{what}: no alarm; heard {:?}", self.alarms);
            std::thread::yield_now();
        }
        assert_eq!(self.alarms(), count, "{what}: {:?}", self.alarms);
    }

    /// Waits until it has answered a pulse: it lives, and has seen what came before.
    pub fn lives(&mut self) {
        if self.is_zygote() {
            return;
        }
        let (before, until) = (self.pulses, Instant::now() + LIMIT);
        self.control.send(0, &Order::Pulse, &[]).unwrap();
        while self.pulses == before {
            assert!(Instant::now() < until, "{} answers no pulse", self.kind.word());
            let _ = self.control.wait(LIMIT);
            self.alarms();
        }
    }

    /// What its descriptors are; not the files of its own folder, which it opens as it needs them.
    pub fn descriptors(&self) -> Vec<String> {
        let all = fs::read_dir(format!("/proc/{}/fd", self.life.pid)).into_iter().flatten();
        let links = all.flatten().filter_map(|one| fs::read_link(one.path()).ok());
        let links = links.map(|link| link.display().to_string());
        let is_own = |link: &String| {
            let sent = ["/dev/", "/memfd:"];
            link.starts_with('/') && !sent.iter().any(|place| link.starts_with(place))
        };
        links.filter(|link| !is_own(link)).collect()
    }

    /// The most memory that it ever held, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.life.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it; nothing that it was sent may have led it off its charter.
    pub fn stop(mut self) {
        self.alarms();
        self.instances.clear();
        self.control.send(0, &Order::Stop, &[]).unwrap();
        let mut ended = [PollFd::new(&self.life.pidfd, PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: LIMIT.as_secs() as i64, tv_nsec: 0 };
        assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1, "{} stays", self.kind.word());
        let off_charter = self.off_charter.lock().unwrap();
        assert_eq!(*off_charter, Vec::<String>::new(), "{} off charter", self.kind.word());
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn start(kind: Kind, folder: &std::path::Path) -> Start {
    let ledger = tlog::NoteSigner::new(tlog::LOG_ORIGIN, &[7; 32]).unwrap();
    let mirror = tlog::Cosigner::new(tlog::MIRROR_NAME, &[8; 32]).unwrap();
    let has_folder = wire::charter(kind).unwrap().has_folder;
    Start {
        instance: InstanceId([kind.number() as u8; 6]),
        kind_word: kind.word().to_owned(),
        folder: has_folder.then(|| folder.to_str().unwrap().to_owned()),
        host_name: "mx.house.example".to_owned(),
        pages_url: "https://pages.house.example".to_owned(),
        ledger_key: Some(ledger.verifier().key_bytes()),
        mirror_key: Some(mirror.public().key_bytes()),
        has_credential: kind == Kind::Vault,
        ..Start::default()
    }
}

fn credential(kind: Kind) -> Vec<OwnedFd> {
    if kind != Kind::Vault {
        return Vec::new();
    }
    let file = rustix::fs::memfd_create("credential", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = fs::File::from(file);
    file.write_all(&[5; 32]).unwrap();
    vec![file.into()]
}

fn listen(kind: Kind, notices: Notices, off_charter: Arc<Mutex<Vec<String>>>) {
    let policy = Policy::of(kind.word()).unwrap();
    std::thread::spawn(move || {
        loop {
            let mut fds = [PollFd::new(&notices, PollFlags::IN)];
            if poll(&mut fds, None).is_err() {
                continue;
            }
            if !fds[0].revents().contains(PollFlags::IN) {
                return;
            }
            let Ok(Some(notice)) = notices.receive() else { continue };
            if policy.judge(notice.number) == Verdict::Witness {
                let _ = notices.continue_(&notice);
            } else {
                let what = format!("{} {:x?}", notice.call, notice.args);
                off_charter.lock().unwrap().push(what);
                let _ = notices.deny(&notice, 1);
            }
        }
    });
}
