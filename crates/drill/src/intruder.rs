//! The intruder's life: it waits for what the drill asks, does it, and says what came of it.

use crate::report::{Ask, Facts, Sealed, Told};
use crate::{
    access, acts, admin, bulk, depart, directory, dispatch, edge, fetch, flood, gate, identity,
};
use crate::{keeper, ledgers, pages, post, scanner, sentinel, signer, sockets, vault};
use compartment::House;
use evidence::Author;
use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::{Order, Report, Service};
use wire::{Channel, Label};

/// How long a channel that the charter names is waited for.
pub const JOIN_LIMIT: Duration = Duration::from_secs(3);
const PULSE: Duration = Duration::from_millis(20);
/// What `names` may send beside a descriptor: nothing, so that its words must fit a frame.
const WORD_BYTES: usize = 64 * 1024;

type Open = Box<dyn Fn(&Sealed) -> Option<open::MessageKey>>;
type Abuse = fn(&mut Intruder, &Facts);
type Serve = fn(&mut Intruder, Duration);

/// What the vault's own code does with the vault's keys.
pub struct Opener {
    pub statement_key: [u8; 32],
    pub open: Open,
    /// Sign-ins to smart hosts, all of them.
    pub credentials: Vec<Vec<u8>>,
}

pub struct Intruder {
    pub house: House,
    pub kind: Kind,
    talk: Channel,
    asked: VecDeque<Ask>,
    /// Of the compartment's own channels, those in use; the newest of a kind last.
    pub held: Vec<(Label, Channel)>,
    pub listeners: Vec<(Service, OwnedFd)>,
    /// Sockets to DNS servers.
    pub resolvers: Vec<OwnedFd>,
    /// What the warden answered to each request for a connection.
    pub dialled: HashMap<u32, Result<OwnedFd, String>>,
    pub author: Option<Author>,
    pub hand: Option<depart::Hand>,
    pub access: access::Loot,
    pub opener: Option<Opener>,
    /// The warden asked whether we live.
    pub was_pulsed: bool,
}

/// What a kind's intruder does beside what all do.
struct Part {
    abuse: Abuse,
    serve: Serve,
}

/// A kind without a line of its own does what every keeper's intruder does.
fn part(kind: Kind) -> Part {
    let (abuse, serve): (Abuse, Serve) = match kind {
        Kind::Scanner => (keeper::nothing, scanner::serve),
        Kind::Edge => (edge::abuse, edge::serve),
        Kind::Access => (access::abuse, access::serve),
        Kind::Pages => (pages::abuse, pages::serve),
        Kind::Dispatch => (dispatch::abuse, dispatch::serve),
        Kind::Post => (post::abuse, post::serve),
        Kind::Depart => (depart::abuse, depart::serve),
        Kind::Fetch => (fetch::abuse, fetch::serve),
        Kind::Signer => (keeper::abuse, signer::serve),
        Kind::Gate => (gate::abuse, gate::serve),
        Kind::Admin => (admin::abuse, keeper::serve),
        Kind::Names | Kind::Zone => (sockets::abuse, keeper::serve),
        Kind::Directory => (directory::abuse, keeper::serve),
        Kind::Identity => (identity::abuse, identity::serve),
        Kind::Ledger => (ledgers::abuse_ledger, ledgers::serve_ledger),
        Kind::Mirror => (ledgers::abuse_mirror, ledgers::serve_mirror),
        _ => (keeper::abuse, keeper::serve),
    };
    Part { abuse, serve }
}

/// An instance, jailed already.
pub fn hostile(mut house: House) -> ExitCode {
    let (Some(talk), Ok(kind)) = (house.descriptors.pop(), house.kind()) else {
        return ExitCode::from(2);
    };
    let _ = house.ready(None, None);
    Intruder::new(house, kind, talk.into()).live()
}

/// A keeper, which raises its own walls: the same ones as always. It holds what the keeper would:
/// its folder, its keys, its pen.
pub fn hostile_keeper(mut house: House, take_vault: fn(&mut House) -> Option<Opener>) -> ExitCode {
    let Ok(kind) = house.kind() else { return ExitCode::from(2) };
    let is_program = compartment::drill::has_program(&house);
    let opener = if kind == Kind::Vault { take_vault(&mut house) } else { None };
    let public = match &opener {
        Some(opener) => Some(opener.statement_key),
        None => log_key(kind, house.start.folder.as_deref()),
    };
    if house.jail().is_err() {
        return ExitCode::from(2);
    }
    let seed = compartment::random::<32>();
    let is_author = wire::charter(kind).is_some_and(|charter| charter.is_author);
    let author = is_author.then(|| Author::new(kind, house.start.instance, &seed));
    let _ = house.ready(author.as_ref().map(|author| author.public_key().0), public);
    if is_program {
        let seed: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        return compartment::drill::become_program(house, &format!(",\"author_seed\":\"{seed}\""));
    }
    let Some(talk) = house.descriptors.pop() else { return ExitCode::from(2) };
    let mut intruder = Intruder::new(house, kind, talk.into());
    (intruder.author, intruder.opener) = (author, opener);
    intruder.live()
}

/// The public half of the ledger's or mirror's key, from their own folder: another one would stop
/// the house, and the intruder wants it to go on.
fn log_key(kind: Kind, folder: Option<&str>) -> Option<[u8; 32]> {
    let seed = std::fs::read(Path::new(folder?).join("key")).ok()?;
    let seed: [u8; 32] = seed.try_into().ok()?;
    match kind {
        Kind::Ledger => {
            let signer = tlog::NoteSigner::new(tlog::LOG_ORIGIN, &seed)?;
            Some(signer.verifier().key_bytes())
        }
        Kind::Mirror => {
            let cosigner = tlog::Cosigner::new(tlog::MIRROR_NAME, &seed)?;
            Some(cosigner.public().key_bytes())
        }
        _ => None,
    }
}

impl Intruder {
    fn new(house: House, kind: Kind, talk: Channel) -> Self {
        Self {
            house,
            kind,
            talk,
            asked: VecDeque::new(),
            held: Vec::new(),
            listeners: Vec::new(),
            resolvers: Vec::new(),
            dialled: HashMap::new(),
            author: None,
            hand: None,
            access: access::Loot::default(),
            opener: None,
            was_pulsed: false,
        }
    }

    fn live(mut self) -> ExitCode {
        let part = part(self.kind);
        loop {
            let Some(ask) = self.next_ask(None) else { return ExitCode::SUCCESS };
            match ask {
                Ask::Acts(facts) => acts::try_everything(&mut self, &facts),
                Ask::Abuse(facts) => (part.abuse)(&mut self, &facts),
                Ask::Serve { seconds } => {
                    (part.serve)(&mut self, Duration::from_secs(seconds.into()));
                }
                Ask::Swallow { seconds } => {
                    dispatch::swallow(&mut self, Duration::from_secs(seconds.into()));
                }
                Ask::Replay(items) => access::replay(&mut self, items),
                Ask::Carry { tenant, items } => depart::carry_foreign(&mut self, tenant, items),
                Ask::Open(sealed) => vault::open_stolen(&mut self, &sealed),
                Ask::Lie => self.lie(),
                Ask::Devour => bulk::devour(&mut self),
                Ask::Flood => flood::flood(&mut self),
                Ask::FallSilent { lively_seconds, silent_seconds } => {
                    let lively = Duration::from_secs(lively_seconds.into());
                    keeper::fall_silent(
                        &mut self,
                        lively,
                        Duration::from_secs(silent_seconds.into()),
                    );
                }
                Ask::Assert { address } => identity::assert(&mut self, address),
                Ask::Persuade { address } => identity::persuade(&mut self, address),
                Ask::ShutAll => sentinel::shut_all(&mut self),
                Ask::Overreach(reach) => sentinel::overreach(&self, reach),
                Ask::KeepInside { seconds } => {
                    sentinel::keep_inside(&mut self, Duration::from_secs(seconds.into()));
                }
                Ask::OneAct => acts::one(&mut self),
                Ask::Leave => return ExitCode::SUCCESS,
            }
            self.tell(&Told::Finished);
        }
    }

    pub fn tell(&self, told: &Told) {
        let _ = self.talk.send(0, told, &[]);
    }

    pub fn obtained(&self, how: &str, mut bytes: Vec<u8>) {
        if self.kind == Kind::Names {
            bytes.truncate(WORD_BYTES);
        }
        if !bytes.is_empty() {
            self.tell(&Told::Obtained { how: how.to_owned(), bytes });
        }
    }

    /// Whether the drill wants something else by now.
    pub fn is_called(&mut self) -> bool {
        if let Ok(true) = self.talk.wait(Duration::ZERO)
            && let Some(ask) = self.receive(None)
        {
            self.asked.push_back(ask);
        }
        !self.asked.is_empty()
    }

    fn next_ask(&mut self, limit: Option<Duration>) -> Option<Ask> {
        self.asked.pop_front().or_else(|| self.receive(limit))
    }

    fn receive(&mut self, limit: Option<Duration>) -> Option<Ask> {
        self.talk.receive(limit).ok()?.read().ok()
    }

    /// Takes in what the warden has handed out by now.
    pub fn gather(&mut self) {
        while let Ok(Some((order, mut fds))) = self.house.next_order() {
            match (order, fds.pop()) {
                (Order::Join(label), Some(fd)) => self.held.push((label, fd.into())),
                (Order::Dialled { call, refused }, socket) => {
                    let why = refused.unwrap_or_else(|| "no socket".to_owned());
                    self.dialled.insert(call, socket.ok_or(why));
                }
                (Order::Pulse, _) => self.was_pulsed = true,
                (Order::Listen(service), Some(fd)) => self.listeners.push((service, fd)),
                (Order::Resolvers { .. }, Some(fd)) => {
                    self.resolvers.push(fd);
                    self.resolvers.append(&mut fds);
                }
                _ => {}
            }
        }
    }

    /// The newest channel to a peer, if the warden gave one.
    pub fn channel(&mut self, kind: Kind, limit: Duration) -> Option<&mut Channel> {
        let until = Instant::now() + limit;
        loop {
            self.gather();
            let is_there = self.held.iter().any(|(held, _)| held.kind == kind);
            if is_there || Instant::now() >= until {
                break;
            }
            let _ = self.house.control.wait(PULSE);
        }
        let found = self.held.iter_mut().rev().find(|(held, _)| held.kind == kind);
        found.map(|(_, channel)| channel)
    }

    /// The same, for good.
    pub fn take_channel(&mut self, kind: Kind, limit: Duration) -> Option<Channel> {
        self.channel(kind, limit)?;
        let place = self.held.iter().rposition(|(held, _)| held.kind == kind)?;
        Some(self.held.remove(place).1)
    }

    /// The newest channel of a kind is worn out.
    pub fn lost(&mut self, kind: Kind) {
        if let Some(place) = self.held.iter().rposition(|(held, _)| held.kind == kind) {
            self.held.remove(place);
        }
    }

    /// Says to the warden what only others may say.
    fn lie(&mut self) {
        let report = Report::Bind {
            instance: self.house.start.instance,
            tenant: terms::TenantId::default(),
            user: terms::UserId::default(),
            purpose: wire::control::Purpose::Read,
        };
        let _ = self.house.report(&report, &[]);
    }
}
