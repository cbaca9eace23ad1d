//! The drill's house: two organisations on loopback in a folder that is thrown away.

use super::markers::{Marker, Side, word};
use super::watch::Watch;
use crate::client;
use crate::demo::accounts::{self, Account};
use crate::demo::outside;
use crate::demo::post;
use crate::demo::sample::{Letter, Manner};
use crate::demo::senders::Senders;
use crate::demo::{self, Ports};
use crate::outcome::Trouble;
use drill::Asset;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use warden::{Drills, Happening, Patience, Plan};
use wire::admin::{Request, SendingChange, SignIn};
use wire::directory::SmartHost;
use wire::fetch::{MailRoute, RelaySecurity};

/// Port bases tried before we say that none is free.
const TRIES: u16 = 200;
const FIRST_BASE: u16 = 21_000;
const OFFSETS: &[u16] = &[25, 26, 43, 44, 53, 65, 87, 90, 93, 95, 97];
/// Datagrams and connections counted at once.
const ARRIVALS: usize = 1_000;
const SETTLE_TRIES: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
/// Letters planted for each side before anything hostile runs.
const PLANTED: usize = 3;

/// The person of each side whose mail is planted.
const AOI: &str = "aoi@example.jp";
const ALICE: &str = "alice@example.net";

/// Where each side has a sign-in.
pub const SMART_HOSTS: [&str; 2] = ["smart.example.jp", "smart.example.net"];

pub struct Set {
    pub data: PathBuf,
    pub credential: [u8; 32],
    pub ports: Ports,
    /// Whether alarms have a way outside.
    pub has_route: bool,
}

impl Set {
    /// In the given folder, which whoever gave it takes away at the worst; or in one of our own.
    pub fn open(folder: Option<&Path>) -> Result<Self, Trouble> {
        let data = folder.map_or_else(fresh_folder, Path::to_owned);
        crate::commands::make_folder(&data)?;
        let credential: [u8; 32] = compartment::random();
        // As in the demo, the credential stands beside the data: something worth stealing.
        let _ = std::fs::write(beside(&data), credential);
        Ok(Self { data, credential, ports: free_ports()?, has_route: false })
    }

    pub fn unseal(&self) -> PathBuf {
        beside(&self.data)
    }

    /// Where alarms go that leave.
    fn relay(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base + 97))
    }

    pub fn clear(&self) {
        clear(&self.data);
    }
}

pub fn fresh_folder() -> PathBuf {
    let name = format!("sekisho-drill-{}", terms::InstanceId(compartment::random()));
    std::env::temp_dir().join(name)
}

/// Takes a stage away, with the credential beside it.
pub fn clear(data: &Path) {
    let _ = std::fs::remove_file(beside(data));
    let _ = std::fs::remove_dir_all(data);
}

fn beside(data: &std::path::Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".unseal");
    name.into()
}

fn free_ports() -> Result<Ports, Trouble> {
    let [low, high] = compartment::random::<2>();
    let start = u16::from_le_bytes([low, high]) % 30_000;
    let is_free = |base: &u16| {
        OFFSETS.iter().all(|offset| {
            let at = ("127.0.0.1", base + offset);
            TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok()
        })
    };
    let bases = (0..TRIES).map(|one| FIRST_BASE + start.wrapping_add(one * 100) % 30_000);
    let base = bases.into_iter().find(is_free);
    let found = base.ok_or_else(|| Trouble::fault("no free ports", "stop something"))?;
    Ok(Ports { base: found })
}

/// Starts the house, plays, stops it. Call it before any other thread exists.
pub fn perform<T: Send + 'static>(
    set: &Set,
    play: impl FnOnce(&mut House) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let senders = Senders::new(&set.credential);
    let zones = senders.zones().map_err(|e| Trouble::fault(e.to_string(), "report this"))?;
    let mut plan = demo::plan(&set.data, set.ports, zones, &set.credential, channel().0)?;
    let (tell, told) = channel();
    let drills = Drills::default();
    plan.drills = drills.clone();
    if set.has_route {
        give_a_route(&mut plan, set.relay());
    }
    let (give, result) = channel();
    let house = House::new(set, told, drills);
    let mut waiting = Some((house, play));
    plan.tell = Box::new(move |happening| {
        let _ = tell.send((Instant::now(), happening.clone()));
        if matches!(happening, Happening::Ready)
            && let Some((mut house, play)) = waiting.take()
        {
            let give = give.clone();
            std::thread::spawn(move || {
                let _ = give.send(play(&mut house));
                // The warden takes its own TERM as it would an operator's.
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
                while house.watch.until(Duration::from_secs(20), |_| false) {}
            });
        }
    });
    let _ = warden::run(plan);
    result
        .try_recv()
        .map_err(|_| Trouble::fault("the drill's house did not stand", "see `sekisho doctor`"))?
}

/// A relay that takes what it is told. In a drill nobody waits for minutes until an alarm is
/// missed.
fn give_a_route(plan: &mut Plan, at: SocketAddr) {
    plan.outward.mail = Some(MailRoute {
        host: "relay.outside.example".to_owned(),
        port: at.port(),
        security: RelaySecurity::IfOffered,
        at: Some(at),
        from: "sekisho@mail.localhost".to_owned(),
        to: vec!["operators@outside.example".to_owned()],
    });
    plan.vigilance.gather_ms = 1_000;
    plan.patience = Patience { prompt: Duration::from_secs(10), pause: Duration::from_secs(5) };
}

/// A letter that nobody looks for.
pub fn poke(ports: Ports) {
    let letter = Letter {
        about: "a drill's letter",
        helo: "mail.sender.example",
        mail_from: "poke@sender.example",
        rcpt_to: vec![AOI],
        octets: b"From: <poke@sender.example>\r\nSubject: poke\r\n\r\npoke\r\n".to_vec(),
        signed_by: None,
        manner: Manner::Proper,
    };
    let _ = post::send(ports.smtp(), &letter, &letter.octets);
}

/// The standing house, from the drill's own thread.
pub struct House {
    pub data: PathBuf,
    pub unseal: PathBuf,
    pub ports: Ports,
    credential: [u8; 32],
    pub watch: Watch,
    pub drills: Drills,
    pub accounts: Vec<Account>,
    pub markers: Vec<Marker>,
    pub hidden: String,
    pub authority: String,
    /// Whose letters are kept, by their senders.
    pub letters: Vec<(Side, String)>,
    /// The sender of every letter that was written, each its own.
    pub senders: Vec<String>,
    /// Every letter that was written, either way.
    pub written: Vec<Written>,
    pub outside: Outside,
    /// Where mail goes that leaves.
    pub world: outside::Outside,
    /// Where alarms go, if they have a way outside.
    relay: outside::Outside,
}

/// One letter of the drill's own.
pub struct Written {
    /// Its sender, or whom it is for: an address that no other letter has.
    pub who: String,
    /// The markers of its header and its text.
    pub words: Vec<String>,
}

/// What a person hands in.
pub struct Handed {
    pub to: Vec<String>,
    pub octets: Vec<u8>,
}

/// Somewhere else on this host: what arrives here has got out.
pub struct Outside {
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    pub at: SocketAddr,
    /// What came in datagrams, as long as somebody might look at it.
    came: Mutex<Vec<u8>>,
}

impl Outside {
    fn open() -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").ok();
        let at = udp.as_ref().and_then(|udp| udp.local_addr().ok());
        let at = at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9)));
        let tcp = TcpListener::bind(at).ok();
        let _ = udp.as_ref().map(|udp| udp.set_nonblocking(true));
        let _ = tcp.as_ref().map(|tcp| tcp.set_nonblocking(true));
        Self { udp, tcp, at, came: Mutex::default() }
    }

    /// What has arrived since: datagrams and connections.
    pub fn arrived(&self) -> u64 {
        let mut octets = [0u8; 2_000];
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let datagrams = std::iter::from_fn(|| {
            let count = self.udp.as_ref()?.recv(&mut octets).ok()?;
            came.extend_from_slice(octets.get(..count).unwrap_or_default());
            Some(())
        });
        let datagrams = datagrams.take(ARRIVALS).count();
        let calls = std::iter::from_fn(|| self.tcp.as_ref()?.accept().ok()).take(ARRIVALS).count();
        (datagrams + calls) as u64
    }

    /// What came in datagrams since this was asked.
    pub fn take_octets(&self) -> Vec<u8> {
        std::mem::take(&mut *self.came.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl House {
    fn new(set: &Set, told: Receiver<(Instant, Happening)>, drills: Drills) -> Self {
        let (accounts, markers) = Default::default();
        Self {
            data: set.data.clone(),
            unseal: set.unseal(),
            ports: set.ports,
            credential: set.credential,
            watch: Watch::new(told),
            drills,
            accounts,
            markers,
            hidden: format!("{}@example.net", word()),
            authority: String::new(),
            letters: Vec::new(),
            senders: Vec::new(),
            written: Vec::new(),
            outside: Outside::open(),
            world: outside::Outside::open(set.ports.outside()).unwrap_or_default(),
            relay: set
                .has_route
                .then(|| outside::Outside::open(set.relay()).ok())
                .flatten()
                .unwrap_or_default(),
        }
    }

    /// Accounts, an address that nobody has written to, and three letters for each side.
    pub fn furnish(&mut self) -> Result<(), Trouble> {
        self.world.serve();
        self.relay.serve();
        self.accounts = self.settle()?;
        let answer = client::value(&self.data, &Request::Authority)?;
        let pem = answer.get("ca").and_then(serde_json::Value::as_str);
        self.authority = pem.unwrap_or_default().to_owned();
        for account in &self.accounts {
            let side = if account.address.ends_with(".jp") { Side::A } else { Side::B };
            for secret in [&account.password, &account.app_password, &account.pop3_password] {
                self.markers.push(Marker::new(Asset::AccountSecrets, side, secret.as_str()));
            }
        }
        let add = Request::UserAdd {
            address: self.hidden.clone(),
            tenant: "Example Net".to_owned(),
            role: None,
            aliases: Vec::new(),
            password: None,
        };
        client::value(&self.data, &add)?;
        self.markers.push(Marker::new(Asset::OtherTenants, Side::B, self.hidden.as_str()));
        for side in [Side::A, Side::B] {
            self.plant_sign_in(side)?;
            for _ in 0..PLANTED {
                self.plant(side, Asset::StoredHeaders, Asset::StoredBodies)?;
            }
        }
        Ok(())
    }

    /// A side's password for a smart host. Its mail does not leave by it: that has other markers.
    fn plant_sign_in(&mut self, side: Side) -> Result<(), Trouble> {
        let (name, host, password) = match side {
            Side::A => ("Example Japan", SMART_HOSTS[0], word()),
            Side::B => ("Example Net", SMART_HOSTS[1], word()),
        };
        self.markers.push(Marker::new(Asset::CloudCredentials, side, password.as_str()));
        let tls = wire::post::HopTls::StartTls;
        let smart_host = Some(SmartHost { name: host.to_owned(), port: 587, tls });
        let sign_in = Some(SignIn { user: "sekisho".to_owned(), password });
        let set = SendingChange { smart_host, ..SendingChange::default() };
        let unset = SendingChange { no_smart_host: true, ..SendingChange::default() };
        for (change, sign_in) in [(set, sign_in), (unset, None)] {
            let name = name.to_owned();
            let request = Request::TenantSending { name, change, sign_in, no_sign_in: false };
            client::value(&self.data, &request)?;
        }
        Ok(())
    }

    /// Messages of alarms that have come to the relay since this was asked.
    pub fn alarms_came(&self) -> usize {
        self.relay.take().len()
    }

    /// One letter of markers, kept for a side's person.
    pub fn plant(&mut self, side: Side, header: Asset, body: Asset) -> Result<(), Trouble> {
        let to = if side == Side::A { AOI } else { ALICE };
        let sender = self.post(side, to, header, body)?;
        self.letters.push((side, sender));
        Ok(())
    }

    /// The same for anybody else of a side.
    pub fn plant_at(&mut self, to: &str, side: Side) -> Result<(), Trouble> {
        self.post(side, to, Asset::StoredHeaders, Asset::StoredBodies).map(drop)
    }

    /// One more person, with a secret to read by, which is a marker like any.
    pub fn settle_in(&mut self, who: &str, tenant: &str, side: Side) -> Result<String, Trouble> {
        let (address, tenant) = (who.to_owned(), tenant.to_owned());
        let (role, aliases, password) = (None, Vec::new(), None);
        let user = Request::UserAdd { address, tenant, role, aliases, password };
        client::value(&self.data, &user)?;
        let add = Request::AppPasswordAdd {
            address: who.to_owned(),
            protocol: "imap".to_owned(),
            device: Some(word()),
            secret_seed: None,
        };
        let made = client::value(&self.data, &add)?;
        let secret = made.get("secret").and_then(serde_json::Value::as_str);
        let secret = secret.unwrap_or_default().to_owned();
        self.markers.push(Marker::new(Asset::AccountSecrets, side, secret.as_str()));
        Ok(secret)
    }

    /// On a busy machine a compartment may serve before its neighbours have been joined to it.
    fn settle(&self) -> Result<Vec<Account>, Trouble> {
        let mut left = SETTLE_TRIES;
        loop {
            match accounts::settle(&self.data, &self.credential) {
                Err(Trouble::Fault { .. }) if left > 0 => left -= 1,
                settled => return settled,
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    /// One letter in flight for the first side while something hostile runs; its sender.
    pub fn post_in_flight(&mut self) -> Result<String, Trouble> {
        self.post(Side::A, AOI, Asset::MailInFlight, Asset::MailInFlight)
    }

    /// The same, without waiting for what becomes of it.
    pub fn letter_in_flight(&mut self) -> std::thread::JoinHandle<bool> {
        let (_, letter) = self.write(Side::A, AOI, Asset::MailInFlight, Asset::MailInFlight);
        let to = self.ports.smtp();
        std::thread::spawn(move || {
            post::send(to, &letter, &letter.octets).is_ok_and(|sent| sent.accepted)
        })
    }

    /// A letter of a side's person for somebody outside; `to`: for somebody certain instead.
    pub fn write_out(&mut self, side: Side, to: Option<&str>) -> Handed {
        let (subject, text, local) = (word(), word(), word());
        for text in [&subject, &text, &local] {
            self.markers.push(Marker::new(Asset::MailInFlight, side, text.as_str()));
        }
        let from = self.account(side).map_or("", |account| account.address);
        let friend = format!("{local}@outside.example");
        let octets =
            format!("From: <{from}>\r\nTo: <{friend}>\r\nSubject: {subject}\r\n\r\n{text}\r\n");
        let to = vec![to.map_or_else(|| friend.clone(), str::to_owned)];
        self.written.push(Written { who: friend, words: vec![subject, text] });
        Handed { to, octets: octets.into_bytes() }
    }

    fn post(
        &mut self,
        side: Side,
        to: &str,
        header: Asset,
        body: Asset,
    ) -> Result<String, Trouble> {
        let (from, letter) = self.write(side, to, header, body);
        let trouble = |what: String| Trouble::fault(what, "the drill's own mail must pass first");
        match post::send(self.ports.smtp(), &letter, &letter.octets) {
            Ok(sent) if sent.accepted => Ok(from),
            Ok(sent) => Err(trouble(format!("a letter was answered {} {}", sent.code, sent.reply))),
            Err(error) => Err(trouble(error.to_string())),
        }
    }

    /// A letter full of markers, and its sender.
    fn write(&mut self, side: Side, to: &str, header: Asset, body: Asset) -> (String, Letter) {
        let (subject, text, local, host) = (word(), word(), word(), word());
        if header == Asset::MailInFlight {
            self.markers.push(Marker::new(header, side, host.clone()));
        }
        let helo = format!("{host}.sender.example");
        let from = format!("{local}@sender.example");
        let octets = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{local}@x>\r\n\
             Date: Sun, 22 Nov 2026 04:00:00 +0000\r\n\r\n{text}\r\n"
        );
        self.senders.push(from.clone());
        let words = vec![subject.clone(), text.clone()];
        self.written.push(Written { who: from.clone(), words });
        self.markers.push(Marker::new(header, side, subject));
        self.markers.push(Marker::new(header, side, local));
        self.markers.push(Marker::new(body, side, text));
        let letter = Letter {
            about: "a drill's letter",
            // A few short names for the length of one drill.
            helo: Box::leak(helo.into_boxed_str()),
            mail_from: Box::leak(from.clone().into_boxed_str()),
            rcpt_to: vec![Box::leak(to.to_owned().into_boxed_str())],
            octets: octets.into_bytes(),
            signed_by: None,
            manner: Manner::Proper,
        };
        (from, letter)
    }

    /// The number under which a sender's letter was kept.
    pub fn kept_as(&self, sender: &str) -> Vec<terms::MessageId> {
        let found = client::value(&self.data, &Request::Trace { query: sender.to_owned() });
        let items = found.ok().and_then(|value| value.get("items")?.as_array().cloned());
        let id = |item: &serde_json::Value| terms::MessageId::parse(item.get("id")?.as_str()?);
        items.unwrap_or_default().iter().filter_map(id).collect()
    }

    pub fn account(&self, side: Side) -> Option<&Account> {
        let address = if side == Side::A { AOI } else { ALICE };
        self.accounts.iter().find(|account| account.address == address)
    }
}
