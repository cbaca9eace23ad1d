//! How each recipient of a leg fares, and what that makes of the leg.

use crate::Fault;
use crate::accepted::Met;
use crate::batch::Hands;
use crate::finish;
use crate::neighbours::Neighbours;
use crate::opening::Text;
use courier::Answer;
use notice::Reason;
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use wire::post::{
    Envelope, HEARD_LETTERS, Heard, Hop, Load, Outcome, Receiver, TlsFlaw, WayIn, Why,
};

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Still to be reached. What stood in the way last.
    Left(Option<Obstacle>),
    Sent(Taken),
    Failed(Obstacle),
}

/// Who took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `None`: a mailbox of ours.
    pub remote: Option<String>,
    pub answer: Option<String>,
    /// The remote tells of its success itself, as it was asked to (RFC 3461 §5.2.2).
    pub tells_itself: bool,
    /// Whom the connection reached. `None`: no host of SMTP.
    pub met: Option<Rc<Met>>,
}

/// What stood in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub why: Why,
    pub status: (u8, u16, u16),
    pub remote: Option<String>,
    /// What was said.
    pub answer: Option<String>,
    /// By the remote, and not by us.
    pub is_theirs: bool,
    /// Known better than from status and words.
    pub reason: Option<Reason>,
    /// What stood in the way before its time was over.
    pub last: Option<Reason>,
}

impl Obstacle {
    pub(crate) fn of(why: Why, status: (u8, u16, u16), answer: &str) -> Self {
        let answer = Some(answer.to_owned());
        Self { why, status, remote: None, answer, is_theirs: false, reason: None, last: None }
    }

    /// Ours to say, whatever the code's words: no remote refused anything. `is_named`: the tenant
    /// named the host, and all its mail there demands TLS.
    pub(crate) fn insecure(flaw: TlsFlaw, is_named: bool, words: &str) -> Self {
        let why = Why::Insecure { flaw, is_named };
        Self::of(why, (4, 7, 5), words).because(reason_of(flaw))
    }

    /// Ours to mend, and nothing that the receiver says of the letter: its sender is told so.
    pub(crate) fn not_signed_in(words: &str) -> Self {
        Self::of(Why::NotSignedIn, (4, 7, 8), words).because(Reason::OwnFault)
    }

    /// The same where nothing was said.
    pub(crate) fn no_way_in(way: WayIn, words: &str) -> Self {
        Self::of(Why::NoWayIn(way), (4, 7, 8), words).because(Reason::OwnFault)
    }

    pub(crate) fn ours(answer: &str) -> Self {
        Self::of(Why::Ours, (4, 3, 0), answer)
    }

    /// RFC 3463: X.4.3, for the DNS is a directory server. The destination's, as far as is known.
    pub(crate) fn no_names() -> Self {
        Self::answered((4, 4, 3), "the DNS does not answer").because(Reason::NoNames)
    }

    /// The same status, and nothing is known of the destination: it is ours that does not answer.
    pub(crate) fn no_resolver() -> Self {
        let words = "no resolver of this house answers";
        Self::of(Why::NoResolver, (4, 4, 3), words).because(Reason::NoResolver)
    }

    /// RFC 3463: X.4.2, the connection was there and broke, before anything could be taken.
    pub(crate) fn broken(words: &str) -> Self {
        Self::answered((4, 4, 2), words).because(Reason::HungUp)
    }

    /// The same behind the end of the text: whoever hears of it is to know that it may be there.
    pub(crate) fn maybe_taken(words: &str) -> Self {
        Self::of(Why::MaybeTaken, (4, 4, 2), words).because(Reason::MaybeTaken)
    }

    /// It lies with this status, for this mail.
    pub(crate) fn answered(status: (u8, u16, u16), answer: &str) -> Self {
        let (class, subject, detail) = status;
        Self::of(Why::Answered { class, subject, detail }, status, answer)
    }

    /// The remote's own words, with a class of ours: what it says may fit its code or not.
    pub(crate) fn said(class: u8, answer: &Answer) -> Self {
        let (_, subject, detail) = answer.status();
        let obstacle = Self::answered((class, subject, detail), &answer.quoted());
        Self { is_theirs: true, ..obstacle }
    }

    /// What there is to say of mail of which nothing was heard: from where it waits, and why.
    fn of_road(why: Option<Why>) -> Self {
        let (status, reason) = match why {
            Some(Why::Unreachable) => ((4, 4, 1), Reason::Unreachable),
            Some(Why::Ours) => ((4, 3, 0), Reason::OwnFault),
            Some(Why::NoResolver) => ((4, 4, 3), Reason::NoResolver),
            Some(Why::Unsafe) => ((4, 7, 5), Reason::NeedsTls),
            Some(Why::Insecure { flaw, .. }) => ((4, 7, 5), reason_of(flaw)),
            Some(Why::NotSignedIn | Why::NoWayIn(_)) => ((4, 7, 8), Reason::OwnFault),
            Some(Why::TurnedAway { class: 4, subject: 5, detail: 0 }) => {
                ((4, 5, 0), Reason::Nonsense)
            }
            Some(Why::TurnedAway { subject, detail, .. }) => {
                ((4, subject, detail), Reason::Blocked)
            }
            Some(Why::MaybeTaken) => ((4, 4, 2), Reason::MaybeTaken),
            Some(Why::Unproven) => ((5, 7, 30), Reason::Unproven),
            Some(Why::Answered { subject: 4, detail: 2, .. }) => ((4, 4, 2), Reason::HungUp),
            Some(Why::Answered { subject: 4, detail: 3, .. }) => ((4, 4, 3), Reason::NoNames),
            Some(Why::Answered { subject, detail, .. }) => {
                ((4, subject, detail), notice::reason(Some((4, subject, detail)), ""))
            }
            None => ((4, 4, 1), Reason::NoAnswer),
        };
        Self::of(why.unwrap_or(Why::Unreachable), status, "").because(reason)
    }

    fn heard(heard: &Heard) -> Self {
        let reason = Some(Reason::of_word(&heard.reason));
        let (status, is_theirs) = (heard.status, heard.words.is_some());
        let (remote, answer) = (heard.remote.clone(), heard.words.clone());
        Self { remote, answer, is_theirs, reason, ..Self::answered(status, "") }
    }

    /// The same, as the envelope keeps it. `None`: what this house lacks for a moment covers
    /// nothing that was heard, and where a destination lies there is nobody who said something.
    fn to_keep(&self) -> Option<Heard> {
        let is_kept = match self.why {
            Why::Ours | Why::NoResolver => self.reason.is_some(),
            Why::Unreachable => false,
            _ => true,
        };
        let said = self.answer.as_deref().filter(|_| self.is_theirs);
        let cut = |words: &str| words.chars().take(HEARD_LETTERS).collect();
        let (places, status) = (Vec::new(), self.status);
        let (remote, words) = (self.remote.clone(), said.map(cut));
        let reason = self.reason().word().to_owned();
        is_kept.then_some(Heard { places, status, reason, remote, words })
    }

    /// Why, from all that is known.
    pub(crate) fn reason(&self) -> Reason {
        let words = self.answer.as_deref().unwrap_or_default();
        self.reason.unwrap_or_else(|| notice::reason(Some(self.status), words))
    }

    /// Its time is over, and this was in the way until then: RFC 3464 §2.3.6, the words are those
    /// of whoever said them, and the status is ours. Whoever traces it finds what was in the way.
    fn expired(self) -> Self {
        let last = Some(self.reason());
        Self { status: (5, 4, 7), reason: Some(Reason::Expired), last, ..self }
    }

    fn unreleased() -> Self {
        Self::answered((5, 7, 1), "nobody let it go").because(Reason::Unreleased)
    }

    /// RFC 3463: 5.7.1, for what is not sent is not for want of trying.
    fn cancelled(is_late: bool) -> Self {
        let reason = if is_late { Reason::CancelledLate } else { Reason::Cancelled };
        Self::answered((5, 7, 1), "an operator cancelled it").because(reason)
    }

    pub(crate) fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    pub(crate) fn at(self, remote: &str) -> Self {
        Self { remote: Some(remote.to_owned()), ..self }
    }
}

/// A leg in hand: whom it is for, and how far it is with each.
pub(crate) struct Leg {
    pub load: Load,
    pub envelope: Envelope,
    /// In the order of the envelope's recipients.
    pub fates: Vec<Fate>,
    /// Connections that broke in the middle of it.
    pub breaks: u8,
    /// What broke one of them, where more is known than that it did.
    pub broke: Option<Obstacle>,
    /// Places at which one was lost.
    pub stops: Vec<usize>,
    /// Places that were welcome when one was lost at another's name: they go alone first.
    pub welcome: Vec<usize>,
    /// Its text, once it was asked for: each key is released once in a batch.
    text: Option<Rc<Text>>,
    /// Signed or sealed, if it is to be.
    is_finished: bool,
    /// It goes by another way than post knows: what stands in that way, stands in no other leg's.
    pub is_elsewhere: bool,
    /// Post's word whether it may be handed over, until it is used.
    pub may_go: Option<bool>,
    /// It was held or cancelled meanwhile: whoever is left is tried no further.
    pub is_stopped: bool,
    /// Where a part of a leg leaves what became of it.
    whole: Option<Rc<RefCell<Came>>>,
}

/// What became of a part of a leg.
#[derive(Default)]
pub(crate) struct Came {
    fates: Vec<Fate>,
    text: Option<Rc<Text>>,
    is_finished: bool,
    is_stopped: bool,
}

impl Leg {
    pub(crate) fn new(load: Load, envelope: Envelope) -> Self {
        let fates = vec![Fate::Left(None); envelope.recipients.len()];
        let (breaks, text, is_finished) = (0, None, false);
        let (broke, is_elsewhere, whole) = (None, false, None);
        let (stops, welcome) = (Vec::new(), Vec::new());
        Self {
            load,
            envelope,
            fates,
            breaks,
            broke,
            stops,
            welcome,
            text,
            is_finished,
            is_elsewhere,
            may_go: None,
            is_stopped: false,
            whole,
        }
    }

    /// Those at these places, to be carried by a way of their own. Their text is the whole's: its
    /// key is asked for once.
    pub(crate) fn part(&self, hop: Hop, places: &[usize]) -> (Self, Rc<RefCell<Came>>) {
        let of = |place: &usize| self.receiver(*place).cloned();
        let recipients = places.iter().filter_map(of).collect();
        let envelope = Envelope { hop, recipients, heard: Vec::new(), ..self.envelope.clone() };
        let whole = Rc::new(RefCell::new(Came::default()));
        let (text, is_finished) = (self.text.clone(), self.is_finished);
        let part = Self {
            text,
            is_finished,
            whole: Some(whole.clone()),
            ..Self::new(self.load.clone(), envelope)
        };
        (part, whole)
    }

    /// Whether it is one, whose end is the whole's to tell.
    pub(crate) fn is_part(&mut self) -> bool {
        let Some(whole) = self.whole.take() else { return false };
        let (fates, text) = (self.fates.clone(), self.text.take());
        let (is_finished, is_stopped) = (self.is_finished, self.is_stopped);
        *whole.borrow_mut() = Came { fates, text, is_finished, is_stopped };
        true
    }

    /// Takes in what became of those at these places.
    pub(crate) fn take_part(&mut self, places: &[usize], came: &Rc<RefCell<Came>>) {
        let Came { fates, text, is_finished, is_stopped } = came.take();
        self.is_stopped |= is_stopped;
        places.iter().zip(fates).for_each(|(place, fate)| self.set(*place, fate));
        if text.is_some() {
            (self.text, self.is_finished) = (text, is_finished);
        }
    }

    pub(crate) fn has_text(&self) -> bool {
        self.text.is_some()
    }

    pub(crate) fn take_text(&mut self, text: Text) {
        self.text = Some(Rc::new(text));
    }

    /// Its text as it leaves.
    pub(crate) fn text(
        &mut self,
        hands: &Hands,
        house: &mut Neighbours,
    ) -> Result<Rc<Text>, Fault> {
        let text = match &self.text {
            Some(text) => text.clone(),
            None => Rc::new(hands.hand.text(&self.load, &hands.held, house)?),
        };
        let text = self.text.insert(text);
        if !self.is_finished {
            let fields = finish::on_top(&self.envelope.finish, text, house)?;
            if let Some(text) = Rc::get_mut(text) {
                text.add_top(fields);
            }
            self.is_finished = true;
        }
        Ok(text.clone())
    }

    /// Its time is over: who is left fails.
    pub(crate) fn give_up(&mut self) {
        for place in self.open() {
            let last = self.last_obstacle(place);
            // RFC 8689 §4.2.1: it did not leave for want of what it asked for, and not of time.
            let is_for_tls = self.envelope.require_tls && last.reason().is_of_tls();
            let over = last.expired();
            let over = match is_for_tls {
                true => Obstacle {
                    status: (5, 7, 10),
                    why: Why::Answered { class: 5, subject: 7, detail: 10 },
                    ..over
                },
                false => over,
            };
            self.set(place, Fate::Failed(over));
        }
    }

    /// It was held, and its time is over.
    pub(crate) fn stay_held(&mut self) {
        self.settle(|| Fate::Failed(Obstacle::unreleased()));
    }

    /// What stood in the way to a recipient last. That nobody can reach the destination now is
    /// newer than what it said.
    pub(crate) fn last_obstacle(&self, place: usize) -> Obstacle {
        let heard = self.heard_before(place).as_ref().map(Obstacle::heard);
        match self.load.why {
            Some(Why::Unreachable) => Obstacle::of_road(self.load.why),
            why => heard.unwrap_or_else(|| Obstacle::of_road(why)),
        }
    }

    /// It does not leave, by an operator's word: who is left gets nothing.
    pub(crate) fn call_off(&mut self) {
        let is_late = self.load.why == Some(Why::MaybeTaken);
        self.settle(|| Fate::Failed(Obstacle::cancelled(is_late)));
    }

    /// The same fate for all who have none of their own yet.
    pub(crate) fn settle(&mut self, fate: impl Fn() -> Fate) {
        let fates = self.fates.iter_mut().filter(|known| matches!(known, Fate::Left(None)));
        fates.for_each(|known| *known = fate());
    }

    /// Those of whom nothing has been heard in this attempt.
    pub(crate) fn open(&self) -> Vec<usize> {
        let is_open =
            |(place, fate): (usize, &Fate)| matches!(fate, Fate::Left(None)).then_some(place);
        self.fates.iter().enumerate().filter_map(is_open).collect()
    }

    /// Of these, who goes together now.
    pub(crate) fn next_places(&self) -> Vec<usize> {
        let open = self.open();
        let welcome = |place: &usize| self.welcome.contains(place);
        let first: Vec<usize> = open.iter().copied().filter(welcome).collect();
        if first.is_empty() { open } else { first }
    }

    pub(crate) fn receiver(&self, place: usize) -> Option<&Receiver> {
        self.envelope.recipients.get(place)
    }

    pub(crate) fn set(&mut self, place: usize, fate: Fate) {
        if let Some(known) = self.fates.get_mut(place) {
            *known = fate;
        }
    }

    /// What post is told, as `wire::post` defines it.
    pub(crate) fn outcome(&self, hands: &Hands) -> Result<(Outcome, Vec<OwnedFd>), Fault> {
        let count = |is: fn(&Fate) -> bool| {
            let count = self.fates.iter().filter(|fate| is(fate)).count();
            u16::try_from(count).unwrap_or(u16::MAX)
        };
        let sent = count(|fate| matches!(fate, Fate::Sent(_)));
        let left = count(|fate| matches!(fate, Fate::Left(_)));
        if left == 0 {
            let failed = self.fates.iter().find_map(|fate| match fate {
                Fate::Failed(obstacle) => Some(obstacle.why),
                _ => None,
            });
            let outcome = match failed {
                None => Outcome::Sent { recipients: sent },
                Some(why) => Outcome::Failed { sent, why },
            };
            return Ok((outcome, Vec::new()));
        }
        let mut held = Vec::new();
        let is_all = usize::from(left) == self.fates.len();
        let rest = self.rest();
        let rest = match is_all && rest == self.envelope {
            true => None,
            false => Some((hands.hand.seal_rest(self, &rest, &mut held)?, left)),
        };
        let is_whole = is_all && !self.is_elsewhere;
        let (why, for_all) = (self.why(is_whole), is_whole && self.is_kept_by_named_host());
        Ok((Outcome::Later { sent, rest, why, for_all }, held))
    }

    /// The envelope of those who are left, with what was heard of each last. Those at whose names a
    /// connection was lost stand behind the others, who are then asked for before it is lost again.
    fn rest(&self) -> Envelope {
        let mut recipients = Vec::new();
        let mut heard: Vec<Heard> = Vec::new();
        let mut in_order: Vec<(usize, (&Receiver, &Fate))> =
            self.envelope.recipients.iter().zip(&self.fates).enumerate().collect();
        in_order.sort_by_key(|(place, _)| self.stops.contains(place));
        for (place, (receiver, fate)) in in_order {
            let Fate::Left(obstacle) = fate else { continue };
            let at = u16::try_from(recipients.len()).unwrap_or(u16::MAX);
            recipients.push(receiver.clone());
            let now = obstacle.as_ref().and_then(Obstacle::to_keep);
            let Some(now) = now.or_else(|| self.heard_before(place)) else { continue };
            match heard.iter_mut().find(|one| is_same(one, &now)) {
                Some(one) => one.places.push(at),
                None => heard.push(Heard { places: vec![at], ..now }),
            }
        }
        Envelope { recipients, heard, ..self.envelope.clone() }
    }

    fn heard_before(&self, place: usize) -> Option<Heard> {
        let is_it = |heard: &&Heard| heard.places.iter().any(|one| usize::from(*one) == place);
        self.envelope.heard.iter().find(is_it).cloned()
    }

    /// Whether everybody waits for what stands between the tenant and a host that it named.
    fn is_kept_by_named_host(&self) -> bool {
        let is_kept = |fate: &Fate| match fate {
            Fate::Left(Some(obstacle)) => obstacle.why.is_of_named_host(),
            _ => false,
        };
        self.fates.iter().all(is_kept)
    }

    /// The destination is only said to be unreachable when nobody of the leg was reached.
    fn why(&self, is_all: bool) -> Why {
        let obstacles = self.fates.iter().filter_map(|fate| match fate {
            Fate::Left(Some(obstacle)) => Some(obstacle.why),
            _ => None,
        });
        let whys: Vec<Why> = obstacles.collect();
        let first = |is: fn(&Why) -> bool| whys.iter().copied().find(|why| is(why));
        let answered = first(|why| matches!(why, Why::Answered { .. }));
        let ours = first(|why| matches!(why, Why::Ours | Why::NoResolver));
        let other = whys.first().copied();
        match answered.or(ours).or(other) {
            Some(Why::Unreachable) if !is_all => Why::Answered { class: 4, subject: 4, detail: 1 },
            Some(Why::TurnedAway { subject, detail, .. }) if !is_all => {
                Why::Answered { class: 4, subject, detail }
            }
            Some(why) => why,
            None => Why::Ours,
        }
    }
}

/// What its sender reads of it.
fn reason_of(flaw: TlsFlaw) -> Reason {
    match flaw {
        TlsFlaw::NotOffered => Reason::NoTls,
        TlsFlaw::OtherName => Reason::TlsName,
        TlsFlaw::Expired => Reason::TlsExpired,
        TlsFlaw::NotTrusted => Reason::TlsUntrusted,
        TlsFlaw::NoRecordMet => Reason::TlsRecord,
        TlsFlaw::NotInPolicy => Reason::TlsPolicy,
        TlsFlaw::NotMade => Reason::NeedsTls,
        TlsFlaw::NoAuthority => Reason::OwnFault,
    }
}

/// The same was heard of others.
fn is_same(one: &Heard, other: &Heard) -> bool {
    let said = |heard: &Heard| (heard.status, heard.reason.clone(), heard.remote.clone());
    said(one) == said(other) && one.words == other.words
}

#[cfg(test)]
mod tests {
    use super::Obstacle;
    use notice::Reason;
    use wire::post::TlsFlaw;

    #[test]
    fn a_road_that_is_not_safe_is_no_refusal_of_the_remote() {
        // The words of a policy (MTA-STS) that names other hosts; 4.7.5 alone reads as a refusal.
        let words = "no host of the domain is one that its policy (MTA-STS) names";
        let obstacle = |flaw| Obstacle::insecure(flaw, false, words);
        assert_eq!(obstacle(TlsFlaw::NotInPolicy).reason(), Reason::TlsPolicy);
        for flaw in TlsFlaw::ALL {
            // What this house lacks is no fault of theirs.
            let is_of_tls = flaw != TlsFlaw::NoAuthority;
            assert_eq!(obstacle(flaw).reason().is_of_tls(), is_of_tls, "{flaw:?}");
        }
        assert_ne!(Obstacle::answered((4, 7, 5), words).reason(), Reason::NeedsTls);
    }
}
