//! What post counts of ours: which legs are in our hands, and how those ended that it has not said
//! to have kept. It may die at any moment. Its successor is told of these first, so that nothing
//! that a remote has taken, or may take, is handed to anybody else.

use crate::Fault;
use crate::neighbours::Neighbours;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{Kind, MessageId};
use wire::post::{FromDepart, InHand, LegNumber, Load, Outcome, ToDepart};
use wire::{Channel, Frame};

/// A durable commit on a busy disk.
const POST_LIMIT: Duration = Duration::from_secs(30);
/// A post that died in the middle of a question is back within this, or away.
const NEXT_POST: Duration = Duration::from_secs(10);
/// Who waits for post looks at the warden's orders so often.
const TICK: Duration = Duration::from_millis(550);
/// For what is not kept an instance stays so long, whatever keeps the next post from its work.
const KEPT_LIMIT: Duration = Duration::from_secs(5 * 60);
/// The same where the house stops.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// How a leg ended, until it is kept.
struct Told {
    hand: InHand,
    outcome: Outcome,
    held: Vec<OwnedFd>,
}

/// What is in our hands.
#[derive(Default)]
pub(crate) struct Account {
    /// Legs that are being handed over, or whose senders are being told.
    begun: Vec<InHand>,
    told: Vec<Told>,
    /// No post is spoken to any more.
    pub has_left: bool,
}

impl Account {
    /// Post has these, or says that it need not.
    pub(crate) fn are_kept(&mut self, legs: &[(MessageId, LegNumber)]) {
        self.told.retain(|told| !legs.contains(&(told.hand.message, told.hand.leg)));
    }

    fn has_begun(&self, message: MessageId, leg: LegNumber) -> bool {
        self.begun.iter().any(|hand| (hand.message, hand.leg) == (message, leg))
    }
}

impl Neighbours {
    /// The channel to a post. To one that comes after another our first word is what we hold.
    pub(crate) fn meet_post(&mut self, post: Channel) {
        // Whoever waits for us sees it closed.
        if self.account.has_left {
            return;
        }
        // What the one before had to say, it said.
        self.hears_post();
        self.posts += 1;
        if self.posts > 1 {
            // A post that is gone again has a successor.
            let _ = self.tell_what_we_hold(&post);
        }
        self.channels.insert(Kind::Post, post);
    }

    fn tell_what_we_hold(&self, post: &Channel) -> Result<(), wire::Fault> {
        let Account { begun, told, .. } = &self.account;
        let all = begun.iter().chain(told.iter().map(|told| &told.hand));
        post.send(0, &FromDepart::Holds(all.copied().collect()), &[])?;
        told.iter().try_for_each(|told| post.send(0, &ended(told), &told.held))
    }

    /// Whether somebody still counts what we carry: the post that handed it over. Its successor
    /// knows what is begun, and has the rest for others.
    pub(crate) fn is_counted(&mut self) -> bool {
        self.settle();
        self.counted_by == self.posts && self.hears_post() && !self.closing
    }

    /// Hears what post has kept; whether it is there. It says nothing else while a batch is in
    /// hand.
    fn hears_post(&mut self) -> bool {
        while let Some(post) = self.channels.get(&Kind::Post) {
            match post.take() {
                Ok(Some(frame)) => self.hear_kept(&frame),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn hear_kept(&mut self, frame: &Frame) {
        if let Ok(ToDepart::Kept(legs)) = frame.read() {
            self.account.are_kept(&legs);
        }
    }

    /// A leg is in our hands from here to its end. It is not if another post has given it away.
    pub(crate) fn begins(&mut self, load: &Load) -> Result<(), Fault> {
        let (message, leg) = (load.message, load.leg);
        if self.account.has_begun(message, leg) {
            return Ok(());
        }
        if self.counted_by != self.posts {
            return Err(Fault::Away("post"));
        }
        Ok(self.account.begun.push(InHand { message, leg, errand: load.errand }))
    }

    /// Whether a text may be ended: a post that came while it was carried may have given it away.
    pub(crate) fn may_end(&mut self, load: &Load) -> bool {
        self.settle();
        if self.counted_by == self.posts {
            return true;
        }
        let question = FromDepart::Begin(vec![(load.message, load.leg)]);
        let answer = self.ask_post(&question, &[]);
        // One that is gone again has a successor, which hears of it before it hands it out.
        answer.map_or(true, |answer| matches!(answer, ToDepart::Begun(yes) if yes == [true]))
    }

    /// Tells how a leg ended. What was begun is told again until post has kept it.
    pub(crate) fn ended(
        &mut self,
        message: MessageId,
        leg: LegNumber,
        outcome: Outcome,
        held: Vec<OwnedFd>,
    ) -> Result<(), Fault> {
        let begun = &mut self.account.begun;
        let place = begun.iter().position(|hand| (hand.message, hand.leg) == (message, leg));
        let hand = place.map(|place| begun.swap_remove(place));
        let is_nothing = matches!(outcome, Outcome::Untried | Outcome::Stopped);
        let Some(hand) = hand.filter(|_| !is_nothing) else {
            let told = FromDepart::Ended { message, leg, outcome };
            let post = self.channels.get(&Kind::Post).filter(|_| self.counted_by == self.posts);
            let post = post.ok_or(Fault::Away("post"))?;
            return post.send(0, &told, &held).map_err(|_| Fault::Away("post"));
        };
        let told = Told { hand, outcome, held };
        if let Some(post) = self.channels.get(&Kind::Post) {
            let _ = post.send(0, &ended(&told), &told.held);
        }
        Ok(self.account.told.push(told))
    }

    /// Which of these may be handed over now: what was held or cancelled meanwhile may not.
    pub(crate) fn may_go(&mut self, legs: Vec<(MessageId, LegNumber)>) -> Result<Vec<bool>, Fault> {
        if self.counted_by != self.posts {
            return Err(Fault::Away("post"));
        }
        let count = legs.len();
        match self.ask_post_once(&FromDepart::Begin(legs), &[])? {
            ToDepart::Begun(may_go) if may_go.len() == count => Ok(may_go),
            _ => Err(Fault::Strange { peer: "post" }),
        }
    }

    /// Asks post. Its successor, if it dies meanwhile: what stands in the queue stands there once.
    pub(crate) fn ask_post<A>(
        &mut self,
        question: &FromDepart,
        held: &[OwnedFd],
    ) -> Result<A, Fault>
    where
        A: serde::de::DeserializeOwned,
    {
        let posts = self.posts;
        match self.ask_post_once(question, held) {
            Err(Fault::Away(_)) if self.has_successor(posts) => self.ask_post_once(question, held),
            answered => answered,
        }
    }

    fn ask_post_once<A>(&mut self, question: &FromDepart, held: &[OwnedFd]) -> Result<A, Fault>
    where
        A: serde::de::DeserializeOwned,
    {
        const AWAY: Fault = Fault::Away("post");
        let posts = self.posts;
        let post = self.channels.get_mut(&Kind::Post).ok_or(AWAY)?;
        let call = post.next_call();
        post.send(call, question, held).map_err(|_| AWAY)?;
        let until = Instant::now() + POST_LIMIT;
        while self.posts == posts {
            let left = until.saturating_duration_since(Instant::now());
            let post = self.channels.get(&Kind::Post).ok_or(AWAY)?;
            match post.receive(Some(left.min(TICK))) {
                Ok(frame) if frame.call == call => {
                    return frame.read().map_err(|_| Fault::Strange { peer: "post" });
                }
                Ok(frame) => self.hear_kept(&frame),
                Err(wire::Fault::Silent) if left > TICK => self.settle(),
                Err(_) => break,
            }
        }
        Err(AWAY)
    }

    /// Whether another post than that one is there, or comes soon.
    fn has_successor(&mut self, posts: u32) -> bool {
        let until = Instant::now() + NEXT_POST;
        self.settle();
        while self.posts == posts && !self.closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.wait_for_warden(left);
            self.settle();
        }
        self.posts != posts
    }

    /// Stays until post has kept what ended here: the next one, if this one is gone. What is begun
    /// and has no end is in our hands no longer.
    pub(crate) fn wait_until_kept(&mut self) {
        self.account.begun.clear();
        let since = Instant::now();
        while !self.account.told.is_empty() {
            self.settle();
            let limit = if self.closing { STOP_LIMIT } else { KEPT_LIMIT };
            if since.elapsed() >= limit {
                break;
            }
            if !self.hears_post() {
                self.channels.remove(&Kind::Post);
                if self.closing {
                    break;
                }
            }
            if !self.account.told.is_empty() {
                self.wait_for_orders(Some(since + limit));
            }
        }
    }
}

fn ended(told: &Told) -> FromDepart {
    let InHand { message, leg, .. } = told.hand;
    FromDepart::Ended { message, leg, outcome: told.outcome.clone() }
}
