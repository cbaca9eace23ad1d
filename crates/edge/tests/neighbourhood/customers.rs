//! Customers' own servers: what they show, what the directory says of it, and their dispatches.

use super::Seen;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, Mutex};
use std::thread;
use terms::{InstanceId, Kind, TenantId};
use wire::control::Order;
use wire::directory::{Admitted, Vouched, Wanted, server_of};
use wire::dispatch::{FromAccess, ToAccess};
use wire::{Channel, Label};

/// One of them.
#[derive(Clone)]
pub struct Customer {
    pub tenant: TenantId,
    pub name: &'static str,
    /// Who vouches for it (DER).
    pub authority: Vec<u8>,
    pub secret: &'static str,
}

/// A certificate, and its key.
pub struct Shown {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

pub struct Authority {
    pub der: Vec<u8>,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: rcgen::Issuer::new(params, key) }
    }

    pub fn shows(&self, name: &str) -> Shown {
        self.shows_all(&[name])
    }

    pub fn shows_all(&self, names: &[&str]) -> Shown {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(names).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![leaf.der().clone()];
        Shown { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

/// What the directory and the warden make of them.
pub struct Customers {
    all: Vec<Customer>,
    control: Arc<Channel>,
    seen: Arc<Mutex<Seen>>,
}

impl Customers {
    pub fn new(all: Vec<Customer>, control: Arc<Channel>, seen: Arc<Mutex<Seen>>) -> Self {
        Self { all, control, seen }
    }

    pub fn wanted(&self) -> Wanted {
        let vouched = |one: &Customer| Vouched {
            names: vec![one.name.to_owned()],
            authorities: vec![one.authority.clone()],
        };
        Wanted { vouched: self.all.iter().map(vouched).collect(), ..Wanted::default() }
    }

    pub fn admit(&self, shown: &[Vouched], secret: &str, has: Option<TenantId>) -> Admitted {
        let is_shown = |one: &Customer| {
            let (names, authorities) = (vec![one.name.to_owned()], vec![one.authority.clone()]);
            shown.contains(&Vouched { names, authorities })
        };
        let is_it = |one: &&Customer| one.secret == secret && is_shown(one);
        let Some(customer) = self.all.iter().find(is_it) else { return Admitted::No };
        if has != Some(customer.tenant) {
            self.play_dispatch(customer.tenant);
        }
        Admitted::For(customer.tenant)
    }

    fn play_dispatch(&self, tenant: TenantId) {
        let (near, far) = Channel::pair().unwrap();
        let person = Some((tenant, server_of(tenant)));
        let label = Label { instance: InstanceId([8; 6]), kind: Kind::Dispatch, person };
        self.control.send(0, &Order::Join(label), &[far.into()]).unwrap();
        let seen = self.seen.clone();
        thread::spawn(move || {
            while let Ok(frame) = near.receive(None) {
                let FromAccess::Submit(submission) = frame.read().unwrap() else { panic!() };
                let answer = match submission.from.starts_with("refused") {
                    true => {
                        let text = "not your address".to_owned();
                        ToAccess::No { code: 550, enhanced: (7, 1), text }
                    }
                    false => ToAccess::Queued { text: format!("of {tenant}"), ahead: 0 },
                };
                seen.lock().unwrap().submitted.push((tenant, *submission));
                near.send(frame.call, &answer, &[]).unwrap();
            }
        });
    }
}
