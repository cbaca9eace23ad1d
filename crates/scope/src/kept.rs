//! The last reading: the messages that stand behind released months, and behind keys that could
//! open everything.

use crate::counted::Mark;
use crate::fact::{Deed, Fact, Person};
use crate::measure::Tally;
use crate::shares::{Class, Classes, EVERYTHING, IN_TRANSIT};
use evidence::month_of;
use terms::Kind;

const DAY_MS: u64 = 86_400_000;

impl Tally {
    /// Whether the last reading has anything to look for.
    pub fn needs_more(&self) -> bool {
        self.half.counts_people() && (!self.months.is_empty() || self.opens_all())
    }

    /// Whether this component holds keys that open stored mail, or can ask for any.
    pub fn opens_all(&self) -> bool {
        matches!(self.question.component, Kind::Vault | Kind::Identity | Kind::Warden)
            && (self.is_more || !self.asked.instances.is_empty())
    }

    /// Whoever starts everybody can read everybody: nothing in the house is kept from a warden.
    pub fn has_everything(&self) -> bool {
        self.question.component == Kind::Warden
    }

    /// Instances asked about stand in columns.
    pub fn has_more(&mut self) {
        self.is_more = true;
    }

    /// Whether it opens mail that waits to leave, too: identity's grants do not.
    fn opens_all_on_its_way(&self) -> bool {
        matches!(self.question.component, Kind::Vault | Kind::Warden) && self.opens_all()
    }

    /// Whether deliveries of a time can matter to the last reading.
    pub fn looks_at(&self, from_ms: u64, to_ms: u64) -> bool {
        let (from, to) = (month_of(from_ms), month_of(to_ms));
        self.opens_all() || self.months.has_any(from..=to)
    }

    /// Whether the keys of this component could open what such a deed kept.
    pub fn could_open(&self, deed: Deed) -> bool {
        match deed {
            Deed::Deliver => self.opens_all(),
            Deed::Send | Deed::Queue => self.opens_all_on_its_way(),
            // Nobody's mail, but whose secret it was.
            Deed::SignIn => self.has_everything() && self.opens_all(),
            _ => false,
        }
    }

    /// Facts of which sorts the last reading hears.
    pub fn hears_kept(&self) -> impl Fn(Deed) -> bool + use<> {
        let is_on_its_way = self.opens_all_on_its_way();
        let has_everything = self.has_everything();
        move |deed| match deed {
            Deed::Deliver => true,
            Deed::Send | Deed::Queue => is_on_its_way,
            Deed::SignIn => has_everything,
            _ => false,
        }
    }

    /// The last reading: every message of a released month counts, whenever it was kept.
    pub fn note_kept(&mut self, fact: &Fact) {
        self.note_could_open(fact);
        self.note_released(fact);
    }

    /// A message that was kept, if the keys of this component could open it.
    pub fn note_could_open(&mut self, fact: &Fact) {
        if fact.person.is_some_and(|person| person.user.is_some()) && self.could_open(fact.deed) {
            self.count_could_open(fact);
        }
    }

    /// A message that was kept, if its month was released.
    pub fn note_released(&mut self, fact: &Fact) {
        let Some(person @ Person { user: Some(_), .. }) = fact.person else { return };
        if fact.deed != Deed::Deliver {
            return;
        }
        let day = fact.at_ms / DAY_MS;
        if self.last_day.0 != day {
            self.last_day = (day, month_of(fact.at_ms));
        }
        let until_ms = self.months.until(person, self.last_day.1);
        if until_ms.is_some_and(|until_ms| fact.at_ms < until_ms)
            && let Some(number) = self.share(fact, 0)
        {
            self.add_message(number, fact, Class::Headers.bit(), Mark::OPENED);
        }
    }

    fn count_could_open(&mut self, fact: &Fact) {
        let Some(person) = fact.person.filter(|_| self.half.counts_people()) else { return };
        if fact.at_ms >= self.question.to_ms {
            return;
        }
        let number = self.take_could(person);
        match fact.deed {
            Deed::SignIn => self.tell_list(fact, None, EVERYTHING, Mark::COULD),
            _ => self.add_message(number, fact, self.could_classes(), Mark::COULD),
        }
    }

    /// Whoever could have been read counts with the messages, not among the people who were; of a
    /// warden nobody can say who was not.
    pub fn take_could(&mut self, person: Person) -> u32 {
        match self.has_everything() {
            true => self.shares.note(person, EVERYTHING),
            false => self.shares.note(Person { user: None, ..person }, 0),
        }
    }

    /// What of a message could be opened.
    fn could_classes(&self) -> Classes {
        match self.has_everything() {
            true => IN_TRANSIT,
            false => Class::Headers.bit() | Class::Bodies.bit(),
        }
    }
}
