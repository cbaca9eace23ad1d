//! Those whom a request is carried to.

use compartment::House;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};
use terms::Kind;
use wire::Channel;
use wire::admin::Grounds;
use wire::control::Order;

/// A new channel is there within a restart of the peer.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);
/// New keys wait for the ledger and the mirror; a full disk is answered, not waited out.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Whoever asks how the house is waits so long for all who are silent together, for one of them,
/// and for each when that is over: who lives has answered by then.
const IN_HASTE: Duration = Duration::from_millis(2_000);
const ONE_IN_HASTE: Duration = Duration::from_millis(1_500);
const LAST_IN_HASTE: Duration = Duration::from_millis(100);
/// Who listens for somebody else before it answers is asked first and heard last.
const OTHERS_LISTEN: Duration = Duration::from_millis(2_300);

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
    haste: Option<Haste>,
    /// Who asks, and why.
    pub grounds: Grounds,
}

/// A question whose answer is heard later.
pub struct UnderWay {
    peer: Kind,
    call: u32,
    until: Instant,
}

/// Of a request that asks everybody and must be answered whoever is away.
struct Haste {
    until: Instant,
    /// Asked once, or known: they are not asked again.
    away: BTreeSet<Kind>,
}

impl Haste {
    fn patience(&self, usual: Duration) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        usual.min(ONE_IN_HASTE).min(left.max(LAST_IN_HASTE))
    }
}

impl<'a> Peers<'a> {
    pub fn new(house: &'a mut House, grounds: Grounds) -> Self {
        Self { house, joined: HashMap::new(), haste: None, grounds }
    }

    /// From here on nobody is waited for long, and nobody twice.
    pub fn hurry(&mut self) {
        self.haste = Some(Haste { until: Instant::now() + IN_HASTE, away: BTreeSet::new() });
    }

    /// One who is known not to answer.
    pub fn is_away(&mut self, peer: Kind) {
        if let Some(haste) = &mut self.haste {
            haste.away.insert(peer);
        }
    }

    /// Who did not answer since it was begun to hurry.
    pub fn away(&self) -> Vec<Kind> {
        self.haste.iter().flat_map(|haste| &haste.away).copied().collect()
    }

    fn patience(&self, usual: Duration) -> Duration {
        self.haste.as_ref().map_or(usual, |haste| haste.patience(usual))
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

    /// Where no place is left, by the warden's word.
    pub fn full(&mut self) -> Result<Vec<wire::control::Full>, Refusal> {
        self.hear(&wire::control::Report::Places, |order| match order {
            Order::Full(kinds) => Some(kinds),
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
        let until = Instant::now() + self.patience(JOIN_PATIENCE);
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
        self.channel(peer)?;
        let patience = self.patience(patience);
        let answer = self.joined.get_mut(&peer).map(|one| one.ask(question, &[], patience));
        match answer {
            Some(Ok((answer, _))) => Ok(answer),
            _ => Err(self.silent(peer)),
        }
    }

    /// Asks a peer that itself listens for another one; others are asked meanwhile.
    pub fn begin<Q: Serialize>(&mut self, peer: Kind, question: &Q) -> Result<UnderWay, Refusal> {
        let channel = self.channel(peer)?;
        let (call, until) = (channel.next_call(), Instant::now() + OTHERS_LISTEN);
        if channel.send(call, question, &[]).is_err() {
            return Err(self.silent(peer));
        }
        Ok(UnderWay { peer, call, until })
    }

    /// The answer to what was begun.
    pub fn hear_out<A: DeserializeOwned>(&mut self, asked: UnderWay) -> Result<A, Refusal> {
        let UnderWay { peer, call, until } = asked;
        let until = until.max(Instant::now() + LAST_IN_HASTE);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let frame = self.channel(peer)?.receive(Some(left));
            match frame {
                Ok(frame) if frame.call != call => {}
                Ok(frame) => return frame.read().map_err(|_| Refusal::unexpected(peer)),
                Err(_) => return Err(self.silent(peer)),
            }
        }
    }

    fn silent(&mut self, peer: Kind) -> Refusal {
        self.is_away(peer);
        Refusal::Fault(format!("{} is away; try again in a moment", peer.word()))
    }

    /// The channel to a peer, once it is there.
    pub fn channel(&mut self, peer: Kind) -> Result<&mut Channel, Refusal> {
        let away = || Refusal::Fault(format!("{} is away", peer.word()));
        if self.haste.as_ref().is_some_and(|haste| haste.away.contains(&peer)) {
            return Err(away());
        }
        if !self.joined.contains_key(&peer) {
            let Ok((channel, _)) = self.house.next_join(peer, self.patience(JOIN_PATIENCE)) else {
                self.is_away(peer);
                return Err(away());
            };
            self.joined.insert(peer, channel);
        }
        self.joined.get_mut(&peer).ok_or_else(away)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_PATIENCE, Haste, IN_HASTE, JOIN_PATIENCE, LAST_IN_HASTE, OTHERS_LISTEN};
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};
    use terms::Kind;

    /// Each that a request may ask is silent: their waits together are what a person waits.
    #[test]
    fn a_hurried_request_is_answered_in_three_seconds_whoever_is_away() {
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        for _ in 0..=Kind::ALL.len().min(8) {
            let left = IN_HASTE.saturating_sub(waited);
            let haste = Haste { until: begun + left, away: BTreeSet::new() };
            let patience = haste.patience(JOIN_PATIENCE.max(ANSWER_PATIENCE));
            assert!(patience >= LAST_IN_HASTE);
            waited += patience;
        }
        let waited = waited.max(OTHERS_LISTEN) + LAST_IN_HASTE;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    }
}
