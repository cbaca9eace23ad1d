//! A small world around `access`: a warden, a gate, and peers that answer as the real ones do.
//! Every connection to the listener is served by an instance of its own, on a thread.

pub mod client;
pub mod dispatch;
pub mod keeper;
pub mod vault;

use compartment::House;
use keeper::Shelves;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use terms::{ConnectionId, GrantId, InstanceId, Kind, TenantId, UserId};
use vault::Vault;
use wire::control::{Order, Service, Start};
use wire::gate::{FromGate, ToGate};
use wire::identity::{FromAccess as ToIdentity, Protocol, ToAccess as FromIdentity};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label};

pub const TENANT: TenantId = TenantId([3; 8]);
pub const USER: UserId = UserId([4; 8]);
pub const SECRET: &str = "sk-iabcdefghijklmnop-abcdefghijklmnopqrstuvwxyz-2345";

/// What all connections share.
pub struct World {
    pub address: SocketAddr,
    pub shelves: Arc<Mutex<Shelves>>,
    pub vault: Arc<Vault>,
    /// Ledger or mirror are away.
    pub away: Arc<AtomicBool>,
    /// Secrets that identity was shown.
    pub asked: Arc<AtomicU32>,
    pub authority: Vec<u8>,
    pub closing: Arc<Mutex<Vec<Channel>>>,
    /// What was handed in.
    pub desk: Arc<dispatch::Desk>,
    links: Arc<Mutex<Vec<Link>>>,
    /// The warden's ends of instances that live in processes of their own.
    born: Mutex<Vec<Channel>>,
}

/// A channel of a signed-in instance, as the warden and its peer know it.
struct Link {
    kind: Kind,
    warden: Arc<Channel>,
    session: Vec<u8>,
    end: OwnedFd,
}

/// What serves the channels of signed-in instances.
#[derive(Clone)]
struct Peers {
    shelves: Arc<Mutex<Shelves>>,
    vault: Arc<Vault>,
    desk: Arc<dispatch::Desk>,
    links: Arc<Mutex<Vec<Link>>>,
}

impl Peers {
    fn join(&self, kind: Kind, warden: &Arc<Channel>, session: Vec<u8>) {
        let (theirs, ours) = Channel::pair().unwrap();
        let end = rustix::io::dup(&ours).unwrap();
        let link = Link { kind, warden: warden.clone(), session: session.clone(), end };
        self.links.lock().unwrap().push(link);
        let (vault, shelves) = (self.vault.clone(), self.shelves.clone());
        let desk = self.desk.clone();
        thread::spawn(move || match kind {
            Kind::Dispatch => desk.attend(&ours),
            Kind::Vault => vault.attend(&ours, &session),
            _ => keeper::attend(&ours, &shelves),
        });
        send_join(warden, kind, theirs, Some((TENANT, USER)));
    }
}

impl World {
    /// A peer dies and comes back, with new channels for everybody.
    pub fn restart(&self, kind: Kind) {
        let (ended, kept) =
            self.links.lock().unwrap().drain(..).partition(|link: &Link| link.kind == kind);
        *self.links.lock().unwrap() = kept;
        let ended: Vec<Link> = ended;
        for link in &ended {
            rustix::net::shutdown(&link.end, rustix::net::Shutdown::Both).unwrap();
        }
        thread::sleep(std::time::Duration::from_millis(300)); // it takes a moment to come back
        for link in ended {
            self.peers().join(kind, &link.warden, link.session);
        }
    }

    fn peers(&self) -> Peers {
        let (shelves, vault) = (self.shelves.clone(), self.vault.clone());
        Peers { shelves, vault, desk: self.desk.clone(), links: self.links.clone() }
    }

    pub fn new(service: Service) -> Arc<Self> {
        Self::with_instances(service, Vec::new())
    }

    /// The first connections are served by these instances.
    pub fn with_instances(service: Service, born: Vec<Channel>) -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["mail.localhost".to_owned()]).unwrap();
        let leaf = params.self_signed(&key).unwrap().der().to_vec();
        let key = Arc::new(key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let away = Arc::new(AtomicBool::new(false));
        let vault = Arc::new(Vault::new(away.clone()));
        let shelves = Arc::new(Mutex::new(Shelves::new()));
        let world = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            shelves,
            vault,
            away,
            asked: Arc::new(AtomicU32::new(0)),
            authority: leaf.clone(),
            closing: Arc::default(),
            desk: Arc::default(),
            links: Arc::default(),
            born: Mutex::new(born),
        });
        let shared = world.clone();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                shared.connection(socket.into(), service, leaf.clone(), key.clone());
            }
        });
        world
    }

    /// A message arrives: sealed to the person as the edge does.
    pub fn deliver(&self, message: &str) {
        self.deliver_with("", message);
    }

    pub fn deliver_with(&self, added: &str, message: &str) {
        let copy = self.vault.seal(added, message.as_bytes());
        self.shelves.lock().unwrap().append(1, 0, copy, &[]);
    }

    pub fn authority_pem(&self) -> String {
        let coded = data_encoding::BASE64.encode(&self.authority);
        format!("-----BEGIN CERTIFICATE-----\n{coded}\n-----END CERTIFICATE-----\n")
    }

    fn connection(&self, socket: OwnedFd, service: Service, leaf: Vec<u8>, key: Arc<KeyPair>) {
        let (control, warden) = match self.born.lock().unwrap().pop() {
            Some(warden) => (None, warden),
            None => {
                let (control, warden) = Channel::pair().unwrap();
                (Some(control), warden)
            }
        };
        let instance = InstanceId([7; 6]);
        let start = Start { instance, kind_word: "access".to_owned(), ..Start::default() };
        warden.send(0, &Order::Begin(start), &[]).unwrap();
        let warden = Arc::new(warden);
        let join = |kind| {
            let (theirs, ours) = Channel::pair().unwrap();
            send_join(&warden, kind, theirs, None);
            ours
        };
        let gate = join(Kind::Gate);
        let handed = FromGate::Handed {
            connection: ConnectionId([1; 8]),
            peer: self.address,
            local: self.address,
            service,
        };
        gate.send(0, &handed, &[socket]).unwrap();
        let copy = rustix::io::dup(&gate).unwrap();
        self.closing.lock().unwrap().push(copy.into());
        thread::spawn(move || attend_gate(&gate));
        let signer = join(Kind::Signer);
        thread::spawn(move || sign(&signer, &leaf, &key));
        let identity = join(Kind::Identity);
        let (peers, asked, held) = (self.peers(), self.asked.clone(), warden.clone());
        thread::spawn(move || identify(&identity, &held, &peers, &asked));
        if let Some(control) = control {
            thread::spawn(move || {
                access::serve(House::begin_on(control).unwrap());
                drop(warden);
            });
        }
    }
}

fn send_join(warden: &Channel, kind: Kind, channel: Channel, person: Option<(TenantId, UserId)>) {
    let label = Label { instance: InstanceId([9; 6]), kind, person };
    warden.send(0, &Order::Join(label), &[OwnedFd::from(channel)]).unwrap();
}

fn attend_gate(gate: &Channel) {
    while let Ok(frame) = gate.receive(None) {
        match frame.read().unwrap() {
            ToGate::Allow { .. } => gate.send(frame.call, &FromGate::Allowed(true), &[]).unwrap(),
            ToGate::Done { .. } => return,
            _ => {}
        }
    }
}

fn sign(signer: &Channel, leaf: &[u8], key: &KeyPair) {
    while let Ok(frame) = signer.receive(None) {
        let answer = match frame.read().unwrap() {
            ToSigner::Chain { .. } => FromSigner::Chain {
                certificates: vec![leaf.to_vec()],
                schemes: vec![0x0403],
                key: [0; 16],
            },
            ToSigner::Sign { message, .. } => FromSigner::Signature(key.sign(&message).unwrap()),
            _ => FromSigner::Refused,
        };
        signer.send(frame.call, &answer, &[]).unwrap();
    }
}

fn identify(identity: &Channel, warden: &Arc<Channel>, peers: &Peers, asked: &AtomicU32) {
    let mut grants = 0u8;
    while let Ok(frame) = identity.receive(None) {
        grants += 1;
        let grant = GrantId([grants; 16]);
        let answer = match frame.read().unwrap() {
            ToIdentity::SignIn { protocol: Protocol::Smtp, name, secret, .. } => {
                // A name without a secret: it may be a decoy's.
                asked.fetch_add(u32::from(!secret.is_empty()), Ordering::SeqCst);
                let grant = GrantId::default();
                match (name.as_str(), secret.as_str()) {
                    ("aoi@example.jp", SECRET) => {
                        if !peers.desk.is_away.load(Ordering::SeqCst) {
                            peers.join(Kind::Dispatch, warden, Vec::new());
                        }
                        let ends_ms = compartment::now_ms() + 3_600_000;
                        let (tenant, user, reads_only) = (TENANT, USER, false);
                        FromIdentity::Welcome { tenant, user, grant, ends_ms, reads_only }
                    }
                    ("later@example.jp", _) => FromIdentity::Later,
                    _ => FromIdentity::Refused,
                }
            }
            ToIdentity::SignIn { name, secret, session, .. } => {
                // A name without a secret: it may be a decoy's.
                asked.fetch_add(u32::from(!secret.is_empty()), Ordering::SeqCst);
                if name == "aoi@example.jp" && secret == SECRET {
                    peers.join(Kind::Vault, warden, session.clone());
                    peers.join(Kind::Mailbox, warden, session);
                    let ends_ms = compartment::now_ms() + 3_600_000;
                    let (tenant, user, reads_only) = (TENANT, USER, false);
                    FromIdentity::Welcome { tenant, user, grant, ends_ms, reads_only }
                } else {
                    FromIdentity::Refused
                }
            }
            ToIdentity::Renew { .. } => FromIdentity::Granted(grant),
        };
        identity.send(frame.call, &answer, &[]).unwrap();
    }
}
