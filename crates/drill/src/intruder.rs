//! The intruder's life: it waits for what the drill asks, does it, and says what came of it.

use crate::report::{Ask, Told};
use crate::{access, acts, edge, gate, scanner};
use compartment::House;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;
use terms::Kind;
use wire::Channel;
use wire::control::Report;

/// How long a channel that the charter names is waited for.
pub const JOIN_LIMIT: Duration = Duration::from_secs(3);

pub struct Intruder {
    pub house: House,
    pub kind: Kind,
    talk: Channel,
    asked: VecDeque<Ask>,
    /// Of the compartment's own channels, those in use.
    pub held: Vec<(Kind, Channel)>,
    pub access: access::Loot,
}

/// An instance, jailed already.
pub fn hostile(mut house: House) -> ExitCode {
    let (Some(talk), Ok(kind)) = (house.descriptors.pop(), house.kind()) else {
        return ExitCode::from(2);
    };
    let _ = house.ready(None, None);
    Intruder::new(house, kind, talk.into()).live()
}

/// A keeper, which raises its own walls: the same ones as always.
pub fn hostile_keeper(mut house: House) -> ExitCode {
    if house.jail().is_err() {
        return ExitCode::from(2);
    }
    if compartment::drill::has_program(&house) {
        return compartment::drill::become_program(house);
    }
    let (Some(talk), Ok(kind)) = (house.descriptors.pop(), house.kind()) else {
        return ExitCode::from(2);
    };
    // Only the gate's word is taken: a false key of another keeper's would stop the house.
    if kind == Kind::Gate {
        let author = evidence::Author::new(kind, house.start.instance, &compartment::random());
        let _ = house.ready(Some(author.public_key().0), None);
    }
    Intruder::new(house, kind, talk.into()).live()
}

impl Intruder {
    fn new(house: House, kind: Kind, talk: Channel) -> Self {
        let (asked, held) = (VecDeque::new(), Vec::new());
        Self { house, kind, talk, asked, held, access: access::Loot::default() }
    }

    fn live(mut self) -> ExitCode {
        loop {
            let Some(ask) = self.next_ask(None) else { return ExitCode::SUCCESS };
            match ask {
                Ask::Acts(facts) => acts::try_everything(&mut self, &facts),
                Ask::Abuse(facts) => match self.kind {
                    Kind::Edge => edge::abuse(&mut self, &facts),
                    Kind::Access => access::abuse(&mut self, &facts),
                    Kind::Gate => gate::abuse(&mut self, &facts),
                    _ => {}
                },
                Ask::Serve { seconds } => {
                    let limit = Duration::from_secs(seconds.into());
                    match self.kind {
                        Kind::Scanner => scanner::serve(&mut self, limit),
                        Kind::Edge => edge::serve(&mut self, limit),
                        Kind::Access => access::serve(&mut self, limit),
                        Kind::Gate => gate::serve(&mut self, limit),
                        _ => {}
                    }
                }
                Ask::Replay(items) => access::replay(&mut self, items),
                Ask::Lie => self.lie(),
                Ask::OneAct => acts::one(&mut self),
                Ask::Leave => return ExitCode::SUCCESS,
            }
            self.tell(&Told::Finished);
        }
    }

    pub fn tell(&self, told: &Told) {
        let _ = self.talk.send(0, told, &[]);
    }

    pub fn obtained(&self, how: &str, bytes: Vec<u8>) {
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

    /// The channel to a peer, if the warden gave one; kept for the next question.
    pub fn channel(&mut self, kind: Kind, limit: Duration) -> Option<&mut Channel> {
        if let Ok((fresh, _)) = self.house.next_join(kind, Duration::ZERO) {
            self.held.retain(|(held, _)| *held != kind);
            self.held.push((kind, fresh));
        }
        if !self.held.iter().any(|(held, _)| *held == kind) {
            let (found, _) = self.house.next_join(kind, limit).ok()?;
            self.held.push((kind, found));
        }
        self.held.iter_mut().find(|(held, _)| *held == kind).map(|(_, channel)| channel)
    }

    /// Says to the warden what only others may say.
    fn lie(&mut self) {
        let report = Report::Bind {
            instance: self.house.start.instance,
            tenant: terms::TenantId::default(),
            user: terms::UserId::default(),
        };
        let _ = self.house.report(&report, &[]);
    }
}
