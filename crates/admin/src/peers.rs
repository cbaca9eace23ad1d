//! Those whom a request is carried to.

use compartment::House;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::Channel;
use wire::admin::Grounds;
use wire::control::Order;

/// A new channel is there within a restart of the peer.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);
/// New keys wait for the ledger and the mirror; a full disk is answered, not waited out.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// What an act answers: a JSON value, or why not.
pub type Answer = Result<Value, Refusal>;

/// Why not.
pub enum Refusal {
    Wanting {
        expected: String,
        found: String,
        hint: String,
    },
    /// It waits for others: exit 1, with what there is to show.
    Pending(Value),
    Fault(String),
}

impl Refusal {
    pub fn new(expected: &str, found: &str, hint: &str) -> Self {
        Self::Wanting {
            expected: expected.to_owned(),
            found: found.to_owned(),
            hint: hint.to_owned(),
        }
    }

    pub fn unexpected(peer: Kind) -> Self {
        Self::Fault(format!("{} gave an answer to another question", peer.word()))
    }
}

/// The channels of this one request.
pub struct Peers<'a> {
    house: &'a mut House,
    joined: HashMap<Kind, Channel>,
    /// Who asks, and why.
    pub grounds: Grounds,
}

impl<'a> Peers<'a> {
    pub fn new(house: &'a mut House, grounds: Grounds) -> Self {
        Self { house, joined: HashMap::new(), grounds }
    }

    /// Whether this is the demo, where a caller may choose secrets.
    pub fn is_demo(&self) -> bool {
        self.house.start.demo
    }

    /// The host of the public pages; empty: there are none.
    pub fn pages_host(&self) -> &str {
        wire::pages::host_of(&self.house.start.pages_url)
    }

    /// The warden's rule: whoever carries mail may dial no other port.
    pub fn ports_of_hosts(&self) -> Vec<u16> {
        let relay = &self.house.start.relay;
        let mut ports = relay.smart_host_ports.clone();
        ports.push(relay.port);
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    pub fn host_name(&self) -> &str {
        &self.house.start.host_name
    }

    /// Tells the warden and waits until it has heard: the words of who has left are not read.
    pub fn report(&mut self, report: &wire::control::Report) -> Result<(), Refusal> {
        self.hear(report, |order| matches!(order, Order::Pulse).then_some(()))
    }

    /// What is out of the house, by the warden's word.
    pub fn isolated(&mut self) -> Result<Vec<wire::control::Isolation>, Refusal> {
        self.hear(&wire::control::Report::Isolated, |order| match order {
            Order::Isolated(kinds) => Some(kinds),
            _ => None,
        })
    }

    /// Which parts cannot start or go on, by the warden's word.
    pub fn unable(&mut self) -> Result<Vec<wire::control::Unable>, Refusal> {
        self.hear(&wire::control::Report::Unable, |order| match order {
            Order::Unable(parts) => Some(parts),
            _ => None,
        })
    }

    fn hear<T>(
        &mut self,
        report: &wire::control::Report,
        answer: impl Fn(Order) -> Option<T>,
    ) -> Result<T, Refusal> {
        let away = || Refusal::Fault("the warden is away".to_owned());
        self.house.report(report, &[]).map_err(|_| away())?;
        let until = Instant::now() + JOIN_PATIENCE;
        while Instant::now() < until {
            match self.house.next_order().map_err(|_| away())? {
                // A channel that comes meanwhile is for the next question.
                Some((Order::Join(label), held)) => {
                    let held = held.into_iter().next().map(Channel::from);
                    self.joined.extend(held.map(|channel| (label.kind, channel)));
                }
                Some((order, _)) => {
                    if let Some(heard) = answer(order) {
                        return Ok(heard);
                    }
                }
                None => drop(self.house.control.wait(Duration::from_millis(100))),
            }
        }
        Err(away())
    }

    /// Asks a peer and waits for its answer.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        peer: Kind,
        question: &Q,
    ) -> Result<A, Refusal> {
        self.ask_within(peer, question, ANSWER_PATIENCE)
    }

    /// The same, of a peer that itself has to wait for others.
    pub fn ask_within<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        peer: Kind,
        question: &Q,
        patience: Duration,
    ) -> Result<A, Refusal> {
        let away = |_| Refusal::Fault(format!("{} is away; try again in a moment", peer.word()));
        let channel = self.channel(peer)?;
        let (answer, _) = channel.ask(question, &[], patience).map_err(away)?;
        Ok(answer)
    }

    /// The channel to a peer, once it is there.
    pub fn channel(&mut self, peer: Kind) -> Result<&mut Channel, Refusal> {
        if !self.joined.contains_key(&peer) {
            let (channel, _) = self
                .house
                .next_join(peer, JOIN_PATIENCE)
                .map_err(|_| Refusal::Fault(format!("{} is away", peer.word())))?;
            self.joined.insert(peer, channel);
        }
        let away = || Refusal::Fault(format!("{} is away", peer.word()));
        self.joined.get_mut(&peer).ok_or_else(away)
    }
}
