//! One batch, from the keys to the last outcome.

use crate::Fault;
use crate::fates::{Fate, Leg, Obstacle};
use crate::neighbours::{Batch, Neighbours};
use crate::opening::{Hand, Opened};
use crate::road::Care;
use crate::{accepted, follow, here, onward, outside, spread, told, web};
use notice::Action;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use wire::control::Report;
use wire::post::{Errand, Hop, Load, Outcome, Why};

/// What a batch has while it is carried.
pub(crate) struct Hands {
    pub hand: Hand,
    /// The batch's descriptors: sealed bodies lie in them.
    pub held: Vec<OwnedFd>,
}

/// Carries everything. A fault ends the instance; what nobody said anything about is tried again.
pub(crate) fn carry(batch: Batch, house: &mut Neighbours) -> Result<(), Fault> {
    let Batch { tenant, loads, held } = batch;
    let agreed = house.hand.take().filter(|hand| hand.serves(tenant));
    let is_agreed = agreed.is_some();
    let hand = match agreed.map_or_else(|| Hand::open(tenant, house), Ok) {
        Ok(hand) => hand,
        Err(fault) => return put_off(&loads, &fault, house),
    };
    let mut hands = Hands { hand, held };
    let mut legs = open_envelopes(&loads, &hands, house);
    // A vault that was started anew knows nothing of what was agreed before.
    if is_agreed && matches!(legs, Err(Fault::NotReleased)) {
        hands.hand = match Hand::open(tenant, house) {
            Ok(hand) => hand,
            Err(fault) => return put_off(&loads, &fault, house),
        };
        legs = open_envelopes(&loads, &hands, house);
    }
    let legs = match legs {
        Ok(legs) => legs,
        Err(fault) => return put_off(&loads, &fault, house),
    };
    let Sorted { mut outward, lists, apart } = end_what_stays(legs, &hands, house)?;
    let firsts = outward.iter().filter_map(|legs| legs.front());
    house.ask_ahead(tenant, firsts.filter_map(careful_domain));
    while let Some(legs) = outward.pop_front() {
        outside::carry((legs, &mut outward), &hands, house)?;
    }
    follow::carry(apart, &hands, house)?;
    for mut leg in lists {
        if !leg.goes(&hands, house)? {
            continue;
        }
        spread::spread(&mut leg, &hands, house);
        leg.end(&hands, house)?;
    }
    house.hand = Some(hands.hand);
    Ok(())
}

/// What a batch's legs are, once those that stay are at their end.
#[derive(Default)]
struct Sorted {
    /// Legs that share a way out.
    outward: VecDeque<VecDeque<Leg>>,
    lists: Vec<Leg>,
    /// Legs whose recipients go different ways by now.
    apart: Vec<(Leg, follow::Ways)>,
}

/// Brings to its end what needs no way out; gives back the rest. Lists go behind all others, for
/// they may be long.
fn end_what_stays(
    mut legs: Vec<Leg>,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Sorted, Fault> {
    let mut sorted = Sorted::default();
    ask_post(legs.iter_mut().filter(|leg| stays(leg)), house)?;
    for mut leg in legs {
        if !onward::may_be_asked(&leg, hands) {
            refuse(&leg, house)?;
            continue;
        }
        let ways = follow::follow(&mut leg, hands.hand.tenant(), house);
        match (leg.load.errand, &leg.envelope.hop) {
            _ if !ways.is_empty() => sorted.apart.push((leg, ways)),
            // Nobody of it has a way today.
            (Errand::Carry, _) if leg.open().is_empty() => leg.end(hands, house)?,
            (Errand::TellLate, _) => tell_late(&mut leg, hands, house)?,
            (Errand::GiveBack, _) => {
                leg.give_up();
                leg.end(hands, house)?;
            }
            (Errand::Cancelled, _) => {
                leg.call_off();
                leg.end(hands, house)?;
            }
            (Errand::Unreleased, _) => {
                leg.stay_held();
                leg.end(hands, house)?;
            }
            (Errand::Carry, Hop::Here) => {
                if !leg.goes(hands, house)? {
                    continue;
                }
                here::deliver(&mut leg, hands, house);
                leg.end(hands, house)?;
            }
            (Errand::Carry, Hop::On) => {
                if !leg.goes(hands, house)? {
                    continue;
                }
                onward::pass_on(&mut leg, hands, house);
                leg.end(hands, house)?;
            }
            (Errand::Carry, Hop::Web { host, path }) => {
                let (host, path) = (host.clone(), path.clone());
                if !leg.goes(hands, house)? {
                    continue;
                }
                web::hand_up(&mut leg, (&host, &path), hands, house);
                leg.end(hands, house)?;
            }
            (Errand::Carry, Hop::List) => sorted.lists.push(leg),
            (Errand::Carry, _) => {
                match sorted.outward.iter_mut().find(|way| is_same_way(way, &leg)) {
                    Some(way) => way.push_back(leg),
                    None => sorted.outward.push_back(VecDeque::from([leg])),
                }
            }
        }
    }
    Ok(sorted)
}

/// Whether it needs no connection of ours to be at its end.
fn stays(leg: &Leg) -> bool {
    leg.load.errand == Errand::Carry
        && matches!(leg.envelope.hop, Hop::Here | Hop::On | Hop::Web { .. })
}

/// Another tenant's carrier asks what is not its to ask. Nobody is told: who wrote it is that
/// carrier's word.
fn refuse(leg: &Leg, house: &mut Neighbours) -> Result<(), Fault> {
    let (message, number) = (leg.load.message, leg.load.leg);
    let what = format!("{message}, leg {number}, was handed over and is none to be passed on");
    house.report(&Report::Alarm { what });
    house.ended(message, number, Outcome::Failed { sent: 0, why: Why::Ours }, Vec::new())
}

/// The domain that a leg goes to, if that domain's policy counts for it.
fn careful_domain(leg: &Leg) -> Option<String> {
    match (&leg.envelope.hop, Care::of(&leg.envelope)) {
        (Hop::Domain(domain), Care::Usual | Care::Required) => Some(domain.clone()),
        _ => None,
    }
}

/// Whether a leg can share connections with these: their time is the same.
fn is_same_way(legs: &VecDeque<Leg>, leg: &Leg) -> bool {
    legs.front().is_some_and(|first| {
        let (one, other) = (&first.envelope, &leg.envelope);
        let is_same_time = first.load.is_passed_on == leg.load.is_passed_on;
        one.hop == other.hop && Care::of(one) == Care::of(other) && is_same_time
    })
}

/// Something of ours is in the way: it is tried again soon.
fn later() -> Outcome {
    Outcome::Later { sent: 0, rest: None, why: Why::Ours, for_all: false }
}

/// Nothing of the batch can be opened now: it comes back soon.
fn put_off(loads: &[Load], fault: &Fault, house: &mut Neighbours) -> Result<(), Fault> {
    house.report(&Report::Note { text: format!("depart: a batch is put off: {fault}") });
    for load in loads {
        house.ended(load.message, load.leg, later(), Vec::new())?;
    }
    Ok(())
}

fn open_envelopes(
    loads: &[Load],
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Vec<Leg>, Fault> {
    let opened = hands.hand.envelopes(loads, &hands.held, house)?;
    let mut legs = Vec::with_capacity(loads.len());
    for (load, envelope) in loads.iter().zip(opened) {
        match envelope {
            Opened::Envelope(envelope) => legs.push(Leg::new(load.clone(), envelope)),
            Opened::NotNow => {
                house.ended(load.message, load.leg, later(), Vec::new())?;
            }
            Opened::Never => cannot_be_opened(load, house)?,
        }
    }
    Ok(legs)
}

/// Nobody can be told, for who sent it stands in what does not open. It stays until its time is
/// over, and somebody hears of it.
fn cannot_be_opened(load: &Load, house: &mut Neighbours) -> Result<(), Fault> {
    let what = format!("the envelope of {}, leg {}, does not open", load.message, load.leg);
    house.report(&Report::Alarm { what });
    let outcome = match load.errand {
        Errand::GiveBack | Errand::Cancelled | Errand::Unreleased => {
            Outcome::Failed { sent: 0, why: Why::Ours }
        }
        Errand::TellLate => Outcome::ToldLate,
        Errand::Carry => later(),
    };
    house.ended(load.message, load.leg, outcome, Vec::new())
}

fn tell_late(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) -> Result<(), Fault> {
    let obstacles: Vec<Obstacle> =
        (0..leg.fates.len()).map(|place| leg.last_obstacle(place)).collect();
    let who: Vec<(usize, &Obstacle)> = obstacles.iter().enumerate().collect();
    house.begins(&leg.load)?;
    let outcome = match told::tell(Action::Delayed, leg, &who, hands, house) {
        Ok(_) => Outcome::ToldLate,
        Err(fault) => {
            house.report(&Report::Note { text: format!("depart: {fault}") });
            later()
        }
    };
    house.ended(leg.load.message, leg.load.leg, outcome, Vec::new())
}

/// As many as are about to be handed over together are asked about at once.
pub(crate) fn ask_post<'a>(
    legs: impl Iterator<Item = &'a mut Leg>,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let legs: Vec<&mut Leg> = legs.collect();
    if legs.is_empty() {
        return Ok(());
    }
    let names = legs.iter().map(|leg| (leg.load.message, leg.load.leg)).collect();
    let answers = house.may_go(names)?;
    legs.into_iter().zip(answers).for_each(|(leg, may_go)| leg.may_go = Some(may_go));
    Ok(())
}

impl Leg {
    /// Whether it may be handed over now; what may not is at its end here.
    pub(crate) fn goes(&mut self, hands: &Hands, house: &mut Neighbours) -> Result<bool, Fault> {
        if self.may_go.is_none() {
            ask_post(std::iter::once(&mut *self), house)?;
        }
        let goes = self.may_go.take() == Some(true);
        if goes {
            house.begins(&self.load)?;
        } else {
            self.is_stopped = true;
            self.end(hands, house)?;
        }
        Ok(goes)
    }

    /// Tells whom it concerns, then post. What could not be told is tried again. A part of a leg
    /// ends with the whole.
    pub(crate) fn end(&mut self, hands: &Hands, house: &mut Neighbours) -> Result<(), Fault> {
        if self.is_part() {
            return Ok(());
        }
        if self.is_stopped {
            if self.fates.iter().all(|fate| matches!(fate, Fate::Left(None))) {
                return house.ended(self.load.message, self.load.leg, Outcome::Stopped, Vec::new());
            }
            self.settle(|| Fate::Left(Some(Obstacle::ours("it may not go now"))));
        }
        house.begins(&self.load)?;
        let told = spread::tell_returned(self, house);
        if let Err(fault) = told.and_then(|()| told::tell_all(self, hands, house)) {
            house.report(&Report::Note { text: format!("depart: {fault}") });
            for fate in &mut self.fates {
                if matches!(fate, Fate::Failed(_)) {
                    *fate = Fate::Left(Some(Obstacle::ours("the notice could not be kept")));
                }
            }
        }
        accepted::note(self, house);
        let (outcome, held) = self.outcome(hands)?;
        house.ended(self.load.message, self.load.leg, outcome, held)
    }
}
