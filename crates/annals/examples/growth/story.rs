//! An invented house: mail comes, people sign in, read and write, processes live and die. What
//! it says is what the compartments would; the same number always tells the same story.

use evidence::{Body, Delivery, Queued, Released, Word, month_of};
use std::collections::VecDeque;
use terms::{ConnectionId, GrantId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};

/// Contracts, and people of each.
pub const TENANTS: u64 = 200;
pub const PEOPLE: u64 = 50;
/// When it begins: 2026-01-01.
pub const BEGIN_MS: u64 = 1_767_225_600_000;

/// The authors, and the processes that they are.
pub const AUTHORS: [(Kind, InstanceId); 6] = [
    (Kind::Warden, InstanceId([0xa0; 6])),
    (Kind::Gate, InstanceId([0xa1; 6])),
    (Kind::Mailbox, InstanceId([0xa2; 6])),
    (Kind::Identity, InstanceId([0xa3; 6])),
    (Kind::Vault, InstanceId([0xa4; 6])),
    (Kind::Post, InstanceId([0xa5; 6])),
];

pub struct Story {
    random: u64,
    pub now_ms: u64,
    /// Between two deeds.
    step_ms: u64,
    next: u64,
    vault_seq: u64,
    ready: VecDeque<(Kind, Body)>,
    /// Messages that somebody may open.
    kept: VecDeque<(u64, u64, MessageId)>,
}

pub fn tenant(number: u64) -> TenantId {
    TenantId((number + 1).to_be_bytes())
}

pub fn user(tenant: u64, number: u64) -> UserId {
    UserId(((tenant + 1) << 16 | (number + 1)).to_be_bytes())
}

impl Story {
    pub fn new(seed: u64, step_ms: u64) -> Self {
        let ready = VecDeque::new();
        let kept = VecDeque::new();
        let random = seed | 1;
        let mut story =
            Self { random, now_ms: BEGIN_MS, step_ms, next: 0, vault_seq: 0, ready, kept };
        for (kind, instance) in AUTHORS.into_iter().filter(|one| one.0 != Kind::Warden) {
            let version = Word::new("0.2.0");
            let (pid, zygote, key, serves) = (7, None, None, None);
            let start = Body::ProcessStart { instance, kind, pid, version, zygote, key, serves };
            story.ready.push_back((Kind::Warden, start));
        }
        story
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn id<const N: usize>(&mut self) -> [u8; N] {
        self.next += 1;
        let mut id = [0; N];
        let number = (self.next ^ 0x5555).to_be_bytes();
        id.iter_mut().rev().zip(number.iter().rev()).for_each(|(to, byte)| *to = *byte);
        if let Some(first) = id.first_mut() {
            *first ^= self.draw(256) as u8;
        }
        id
    }

    /// The next deed: who says it, and what.
    pub fn next(&mut self) -> (Kind, Body) {
        self.now_ms += self.draw(self.step_ms * 2);
        while self.ready.is_empty() {
            match self.draw(10) {
                0..=4 => self.mail_comes(),
                5..=7 => self.somebody_reads(),
                8 => self.somebody_writes(),
                _ => self.ready.push_back((Kind::Warden, Body::Heartbeat {})),
            }
        }
        self.ready.pop_front().unwrap_or((Kind::Warden, Body::Heartbeat {}))
    }

    fn start(&mut self, kind: Kind, serves: Option<InstanceId>) -> InstanceId {
        let instance = InstanceId(self.id());
        let version = Word::new(if self.draw(20) == 0 { "0.2.1" } else { "0.2.0" });
        let start =
            Body::ProcessStart { instance, kind, pid: 7, version, zygote: None, key: None, serves };
        self.ready.push_back((Kind::Warden, start));
        instance
    }

    fn stop(&mut self, instance: InstanceId) {
        let cause = Word::new("exit 0");
        let stop = Body::ProcessStop { instance, clean: true, cause, last_seq: None };
        self.ready.push_back((Kind::Warden, stop));
    }

    fn connection(&mut self, instance: InstanceId, service: &str) -> ConnectionId {
        let connection = ConnectionId(self.id());
        let peer = std::net::IpAddr::from([203, 0, 113, self.draw(250) as u8]);
        let service = Word::new(service);
        self.ready
            .push_back((Kind::Gate, Body::Connection { connection, instance, peer, service }));
        connection
    }

    fn mail_comes(&mut self) {
        let edge = self.start(Kind::Edge, None);
        let scanner = self.start(Kind::Scanner, Some(edge));
        for _ in 0..=self.draw(4) {
            let connection = self.connection(edge, "smtp");
            // Some connections bring nothing that is kept.
            for _ in 0..self.draw(4) {
                let place = self.draw(TENANTS);
                let message = MessageId(self.id());
                let people = 1 + self.draw(3);
                let first = self.draw(PEOPLE);
                let messages: Vec<Delivery> = (0..people)
                    .map(|more| Delivery {
                        message,
                        user: user(place, (first + more) % PEOPLE),
                        bytes: 21_000,
                        verdict: Verdict::Deliver,
                    })
                    .collect();
                self.kept.push_back((place, first, message));
                let (tenant, connection) = (tenant(place), Some(connection));
                let body = Body::Deliver { instance: edge, tenant, messages, connection };
                self.ready.push_back((Kind::Mailbox, body));
            }
        }
        while self.kept.len() > 4_096 {
            self.kept.pop_front();
        }
        self.stop(scanner);
        self.stop(edge);
    }

    fn somebody_reads(&mut self) {
        let place = self.draw(self.kept.len().max(1) as u64) as usize;
        let Some((place, person, _)) = self.kept.get(place).copied() else { return };
        let (tenant, user) = (tenant(place), user(place, person));
        let instance = self.start(Kind::Access, None);
        self.connection(instance, "imap");
        let protocol = Word::new("imap");
        let sign_in = Body::SignIn {
            instance,
            protocol,
            ok: true,
            tenant: Some(tenant),
            user: Some(user),
            credential: None,
        };
        self.ready.push_back((Kind::Identity, sign_in));
        let grant = GrantId(self.id());
        let until_ms = self.now_ms + 900_000;
        let given = Body::Grant { grant, instance, tenant, user, until_ms };
        self.ready.push_back((Kind::Identity, given));
        let months = Released::Months(vec![month_of(self.now_ms)]);
        let mut released = vec![months];
        for _ in 0..self.draw(8) {
            let at = self.draw(self.kept.len() as u64) as usize;
            let bodies = self.kept.get(at).map(|kept| kept.2).into_iter().collect();
            released.push(Released::Bodies(bodies));
        }
        for released in released {
            let vault_seq = self.vault_seq;
            self.vault_seq += 1;
            let body = Body::Release { vault_seq, instance, grant, tenant, user, released };
            self.ready.push_back((Kind::Vault, body));
        }
        self.stop(instance);
    }

    fn somebody_writes(&mut self) {
        let (place, person) = (self.draw(TENANTS), self.draw(PEOPLE));
        let (tenant, user) = (tenant(place), user(place, person));
        let access = self.start(Kind::Access, None);
        self.connection(access, "submissions");
        let protocol = Word::new("smtp");
        let sign_in = Body::SignIn {
            instance: access,
            protocol,
            ok: true,
            tenant: Some(tenant),
            user: Some(user),
            credential: None,
        };
        self.ready.push_back((Kind::Identity, sign_in));
        let dispatch = self.start(Kind::Dispatch, Some(access));
        let scanner = self.start(Kind::Scanner, Some(dispatch));
        // Some hand in nothing, or what is refused.
        let count = self.draw(4);
        let letter = |message| Queued { message, user, recipients: 2, bytes: 4_000 };
        let messages: Vec<Queued> = (0..count).map(|_| letter(MessageId(self.id()))).collect();
        if !messages.is_empty() {
            self.ready
                .push_back((Kind::Post, Body::Queue { instance: dispatch, tenant, messages }));
        }
        [scanner, dispatch, access].into_iter().for_each(|instance| self.stop(instance));
    }
}
