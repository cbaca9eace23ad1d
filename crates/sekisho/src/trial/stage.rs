//! The drill's house: two organisations on loopback in a folder that is thrown away.

use super::Wishes;
use super::markers::{Marker, Side, word};
use super::play::{self, Played};
use super::watch::Watch;
use crate::client;
use crate::demo::accounts::{self, Account};
use crate::demo::post;
use crate::demo::sample::{Letter, Manner};
use crate::demo::senders::Senders;
use crate::demo::{self, Ports};
use crate::outcome::Trouble;
use drill::Asset;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use warden::{Drills, Happening};
use wire::admin::Request;

/// Port bases tried before we say that none is free.
const TRIES: u16 = 200;
const FIRST_BASE: u16 = 21_000;
const OFFSETS: &[u16] = &[25, 53, 93, 95];
/// Letters planted for each side before anything hostile runs.
const PLANTED: usize = 3;

/// The person of each side whose mail is planted.
const AOI: &str = "aoi@example.jp";
const ALICE: &str = "alice@example.net";

pub struct Set {
    pub data: PathBuf,
    pub credential: [u8; 32],
    pub ports: Ports,
}

impl Set {
    pub fn open() -> Result<Self, Trouble> {
        let name = format!("sekisho-drill-{}", terms::InstanceId(compartment::random()));
        let data = std::env::temp_dir().join(name);
        crate::commands::make_folder(&data)?;
        let credential: [u8; 32] = compartment::random();
        // As in the demo, the credential stands beside the data: something worth stealing.
        let _ = std::fs::write(beside(&data), credential);
        Ok(Self { data, credential, ports: free_ports()? })
    }

    pub fn unseal(&self) -> PathBuf {
        beside(&self.data)
    }

    pub fn clear(&self) {
        let _ = std::fs::remove_file(self.unseal());
        let _ = std::fs::remove_dir_all(&self.data);
    }
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
pub fn perform(set: &Set, wishes: &Wishes) -> Result<Played, Trouble> {
    let senders = Senders::new(&set.credential);
    let zones = senders.zones().map_err(|e| Trouble::fault(e.to_string(), "report this"))?;
    let (tell, told) = channel();
    let mut plan = demo::plan(&set.data, set.ports, zones, &set.credential, tell.clone())?;
    let drills = Drills::default();
    plan.drills = drills.clone();
    let (give, result) = channel();
    let house = House::new(set, told, drills);
    let wishes = (wishes.kinds.clone(), wishes.program.clone());
    let mut waiting = Some((house, wishes));
    plan.tell = Box::new(move |happening| {
        let _ = tell.send(happening.clone());
        if matches!(happening, Happening::Ready)
            && let Some((mut house, (kinds, program))) = waiting.take()
        {
            let give = give.clone();
            std::thread::spawn(move || {
                let _ = give.send(play::everything(&mut house, &kinds, program.as_deref()));
                // The warden takes its own TERM as it would an operator's.
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
                while house.watch.until(std::time::Duration::from_secs(20), |_| false) {}
            });
        }
    });
    let _ = warden::run(plan);
    result
        .try_recv()
        .map_err(|_| Trouble::fault("the drill's house did not stand", "see `sekisho doctor`"))?
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
}

impl House {
    fn new(set: &Set, told: std::sync::mpsc::Receiver<Happening>, drills: Drills) -> Self {
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
        }
    }

    /// Accounts, an address that nobody has written to, and three letters for each side.
    pub fn furnish(&mut self) -> Result<(), Trouble> {
        self.accounts = accounts::settle(&self.data, &self.credential)?;
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
        for (side, to) in [(Side::A, AOI), (Side::B, ALICE)] {
            for _ in 0..PLANTED {
                self.post(side, to, Asset::StoredHeaders, Asset::StoredBodies)?;
            }
        }
        Ok(())
    }

    /// One letter in flight for the first side while something hostile runs; its sender.
    pub fn post_in_flight(&mut self) -> Result<String, Trouble> {
        self.post(Side::A, AOI, Asset::MailInFlight, Asset::MailInFlight)
    }

    fn post(
        &mut self,
        side: Side,
        to: &str,
        header: Asset,
        body: Asset,
    ) -> Result<String, Trouble> {
        let (subject, text, local) = (word(), word(), word());
        let from = format!("{local}@sender.example");
        let octets = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{local}@x>\r\n\
             Date: Sun, 22 Nov 2026 04:00:00 +0000\r\n\r\n{text}\r\n"
        );
        self.markers.push(Marker::new(header, side, subject));
        self.markers.push(Marker::new(header, side, local));
        self.markers.push(Marker::new(body, side, text));
        let letter = Letter {
            about: "a drill's letter",
            helo: "mail.sender.example",
            // A few short names for the length of one drill.
            mail_from: Box::leak(from.clone().into_boxed_str()),
            rcpt_to: vec![Box::leak(to.to_owned().into_boxed_str())],
            octets: octets.into_bytes(),
            signed_by: None,
            manner: Manner::Proper,
        };
        let trouble = |what: String| Trouble::fault(what, "the drill's own mail must pass first");
        let sent = post::send(self.ports.smtp(), &letter, &letter.octets);
        match sent {
            Ok(sent) if sent.accepted => Ok(from),
            Ok(sent) => Err(trouble(format!("a letter was answered {} {}", sent.code, sent.reply))),
            Err(error) => Err(trouble(error.to_string())),
        }
    }

    /// The number under which a sender's letter was kept.
    pub fn kept_as(&self, sender: &str) -> Vec<terms::MessageId> {
        let found = client::value(&self.data, &Request::Trace { query: sender.to_owned() });
        let items = found.ok().and_then(|value| value.get("items")?.as_array().cloned());
        let id = |item: &serde_json::Value| terms::MessageId::parse(item.get("id")?.as_str()?);
        items.unwrap_or_default().iter().filter_map(id).collect()
    }

    pub fn authority(&self) -> String {
        let answer = client::value(&self.data, &Request::Authority);
        answer.ok().and_then(|v| Some(v.get("ca")?.as_str()?.to_owned())).unwrap_or_default()
    }

    pub fn account(&self, side: Side) -> Option<&Account> {
        let address = if side == Side::A { AOI } else { ALICE };
        self.accounts.iter().find(|account| account.address == address)
    }
}
