//! The questions of one access, one after the other. A verb of SMTP is a function of that name.

use crate::Fault;
use crate::brake::{Brake, PRESSED};
use crate::handing::{Offered, Queued, hand_in};
use crate::mailboxes::needs_quotes;
use crate::neighbours::{May, Neighbours, Who, Whose};
use crate::stop::{Step, Stop};
use flight::Text;
use smtp::Address;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use wire::Frame;
use wire::control::Report;
use wire::directory::{Onward, Path, Sending, SendingSettings};
use wire::dispatch::{FromAccess, Submission, ToAccess};
use wire::lists;
use wire::post::{Hop, Limits, Receiver};

/// What is known of the person before there is a header: the last address that was theirs.
struct Desk {
    house: Neighbours,
    brake: Brake,
    settings: SendingSettings,
}

/// One recipient and where it is.
pub(crate) struct Addressed {
    pub receiver: Receiver,
    pub place: Place,
}

pub(crate) enum Place {
    /// People of this house.
    Here,
    /// A domain in A-label form, or an address literal in brackets.
    Elsewhere { domain: String },
    /// A way that the directory knows: a gateway tenant's own server.
    By(Hop),
    /// Where an address of this house leads on, whoever set that up; `is_all`: and nowhere else.
    On { is_all: bool },
    /// A list that this person may post to.
    List { permit: [u8; 16] },
}

/// Serves until the access is gone.
pub(crate) fn attend(house: Neighbours) -> ExitCode {
    let (brake, settings) = (Brake::default(), SendingSettings::default());
    let mut desk = Desk { house, brake, settings };
    while let Some(frame) = desk.house.next_question() {
        if !desk.serve(frame) {
            desk.house.has_heard_nonsense();
            return ExitCode::FAILURE;
        }
        if desk.house.is_worn() {
            break;
        }
    }
    ExitCode::SUCCESS
}

impl Desk {
    /// Answers one question; whether it was one that an access puts.
    fn serve(&mut self, mut frame: Frame) -> bool {
        let (call, held) = (frame.call, std::mem::take(&mut frame.descriptors));
        let Ok(question) = frame.read() else { return false };
        let answer = match question {
            FromAccess::From(from) => self.mail(&from).map(|()| ToAccess::Yes),
            FromAccess::To(to) => self.rcpt(&to),
            FromAccess::Room(many) => self.room(many),
            FromAccess::Many(many) => self.data(many).map(|()| ToAccess::Yes),
            FromAccess::Submit(submission) => match self.submit(*submission, &held) {
                Ok(queued) => {
                    self.house.answer(call, &queued.answer(self.house.ahead()));
                    queued.tell(&mut self.house);
                    return true;
                }
                Err(stop) => Err(stop),
            },
        };
        let (answer, note) = match answer {
            Ok(yes) => (yes, None),
            Err(stop) => stop.answer(),
        };
        if let Some(text) = note {
            self.house.report(&Report::Note { text });
        }
        self.house.answer(call, &answer);
        true
    }

    // ---- verbs ---------------------------------------------------------------------------------

    /// The null sender has nothing to show before its header.
    fn mail(&mut self, from: &str) -> Step<()> {
        if !from.is_empty() {
            self.settings = own(&mut self.house, from)?.settings;
        }
        Ok(())
    }

    fn rcpt(&mut self, to: &str) -> Step<ToAccess> {
        let found = find(&mut self.house, to, 0)?;
        let is_elsewhere = |found: &Found| match &found.place {
            Place::Elsewhere { domain } => self.house.is_foreign_domain(domain),
            _ => false,
        };
        Ok(match found.iter().all(is_elsewhere) {
            true => ToAccess::YesElsewhere,
            false => ToAccess::Yes,
        })
    }

    /// The recipient that goes over a limit is refused; those before it stay. What is refused is
    /// not lost: its client hands it in with another message (RFC 5321 §4.5.3.1.10), or later.
    fn room(&mut self, many: u32) -> Step<ToAccess> {
        let most = self.settings.in_ten_minutes.min(self.settings.in_a_day);
        if let Err((limit, time)) = ever(many, &self.settings) {
            let text = format!("{limit} recipients in {time}: no more in one message");
            return Err(Stop::no(452, (5, 3), text));
        }
        let room = self.house.room(limits(&self.settings))?;
        if many <= room {
            return Ok(ToAccess::Room(room.min(most)));
        }
        // Whoever presses on is taken at their word once, and asked: then all of it may come.
        doubt(self.house.agree(many, limits(&self.settings))?)?;
        Ok(ToAccess::Room(most))
    }

    fn data(&mut self, many: u32) -> Step<()> {
        can_ever(many, &self.settings)?;
        let answer = self.house.agree(many, limits(&self.settings))?;
        doubt(answer).map(|_| ())
    }

    /// Nothing that was agreed to before is believed: it may be another access by now that asks.
    fn submit(&mut self, submission: Submission, held: &[OwnedFd]) -> Step<Queued> {
        let text = Text::of(submission.text.clone(), held)?;
        if submission.recipients.is_empty() || submission.recipients.len() > terms::RECIPIENTS {
            return Err(Stop::no(550, (5, 3), "no recipients, or too many"));
        }
        let from = match submission.from.as_str() {
            "" => None,
            from => Some(own(&mut self.house, from)?),
        };
        let mut addressed = Vec::with_capacity(submission.recipients.len());
        for receiver in &submission.recipients {
            let found = find(&mut self.house, &receiver.address, text.len())?;
            addressed.extend(found.into_iter().map(|found| found.with(receiver)));
        }
        let offered = Offered { submission, from, addressed, text };
        hand_in(offered, &mut self.brake, &mut self.house)
    }
}

/// What a recipient's address turns out to be.
struct Found {
    /// As it goes on the wire.
    address: String,
    place: Place,
}

impl Found {
    fn with(self, asked: &Receiver) -> Addressed {
        // Of its success whoever keeps a copy here tells.
        let notify = match self.place {
            Place::On { is_all: false } => asked.notify.map(|(_, fail, late)| (false, fail, late)),
            _ => asked.notify,
        };
        let receiver = Receiver { address: self.address, notify, ..asked.clone() };
        Addressed { receiver, place: self.place }
    }
}

/// The statement for an address that this person writes as.
pub(crate) fn own(house: &mut Neighbours, address: &str) -> Step<Sending> {
    // Behind a plus, quotes would hide another address: nobody here has one that needs them.
    let plain = Address::parse(address).filter(|address| !needs_quotes(address));
    let Some(canonical) = plain.as_ref().and_then(canonical) else {
        return Err(Stop::no(550, (7, 1), "this sender's address is none of ours"));
    };
    match house.whose(&canonical) {
        Whose::Theirs(sending) => Ok(*sending),
        Whose::NotTheirs => {
            Err(Stop::no(550, (7, 1), "you may not write as this sender: it is not your address"))
        }
        Whose::Later => Err(Fault::Away("the directory's word").into()),
    }
}

/// One address may lead to several places: kept here, and passed on.
fn find(house: &mut Neighbours, to: &str, bytes: u64) -> Step<Vec<Found>> {
    let unreadable = || Stop::no(501, (1, 3), "this recipient's address cannot be read");
    let address = Address::parse(to).ok_or_else(unreadable)?;
    let domain = mailauth::ascii_name(address.domain());
    if domain.is_empty() || !domain.is_ascii() {
        return Err(Stop::no(550, (1, 2), "this recipient's domain cannot be"));
    }
    // Only a local part in UTF-8 needs a way that knows it; a domain has its A-labels.
    let written = written(&address, &domain);
    let canonical = canonical(&address).ok_or_else(unreadable)?;
    match house.who_is(&canonical) {
        Who::Here { users, onward } => {
            // A bounce's way back is for bounces, and reports come from other mail systems.
            if onward.iter().any(|way| matches!(way.path, Path::Null | Path::Report)) {
                return Err(Stop::no(550, (1, 1), "nobody of that name here"));
            }
            if let Some(list) = onward.iter().find(|way| way.path == Path::List) {
                let permit = house.may_post(&list.to, bytes)?;
                return Ok(vec![Found { address: canonical, place: Place::List { permit } }]);
            }
            if lists::word(&canonical) == Some(lists::Word::Returned) {
                return Err(Stop::no(
                    550,
                    (7, 1),
                    "this address takes notices of failed mail only",
                ));
            }
            let own = |place| Found { address: written.clone(), place };
            let here = (!users.is_empty()).then(|| own(Place::Here));
            let leads_on = |way: &Onward| way.path == Path::Rewritten;
            let is_all = here.is_none() && onward.iter().all(leads_on);
            let on = onward.iter().any(leads_on).then(|| own(Place::On { is_all }));
            // A gateway's own server knows its addresses' case and details.
            let by = |way: Onward| match way.path {
                Path::AsItCame => own(Place::By(way.hop)),
                _ => Found { address: way.to, place: Place::By(way.hop) },
            };
            let others = onward.into_iter().filter(|way| !leads_on(way)).map(by);
            Ok(here.into_iter().chain(on).chain(others).collect())
        }
        Who::Elsewhere => Ok(vec![Found { address: written, place: Place::Elsewhere { domain } }]),
        Who::Unknown => Err(Stop::no(550, (1, 1), "nobody of that name here")),
        Who::Later => Err(Stop::no(451, (3, 0), "recipients cannot be looked up now")),
    }
}

fn written(address: &Address, domain: &str) -> String {
    let whole = address.written();
    match whole.rsplit_once('@') {
        Some((local, _)) => format!("{local}@{domain}"),
        None => whole,
    }
}

/// Whether so many recipients are within this person's limits now; and why somebody has to look at
/// it all the same.
pub(crate) fn may(
    house: &mut Neighbours,
    many: u32,
    settings: &SendingSettings,
) -> Step<Option<&'static str>> {
    can_ever(many, settings)?;
    let answer = house.may_send(many, limits(settings))?;
    doubt(answer)
}

/// What is more than a limit at once is so at any time: who is told to try again tries for ever.
fn can_ever(many: u32, settings: &SendingSettings) -> Step<()> {
    let Err((limit, time)) = ever(many, settings) else { return Ok(()) };
    let text = format!("{many} recipients in one message: you may send to {limit} in {time}");
    // RFC 3463: 5.5.3 too many recipients.
    Err(Stop::no(552, (5, 3), text))
}

/// The limit that so many are over at any time.
fn ever(many: u32, settings: &SendingSettings) -> Result<(), (u32, &'static str)> {
    let limits = [(settings.in_ten_minutes, "ten minutes"), (settings.in_a_day, "a day")];
    limits.into_iter().find(|(limit, _)| many > *limit).map_or(Ok(()), Err)
}

fn limits(settings: &SendingSettings) -> Limits {
    let SendingSettings { in_ten_minutes, in_a_day, .. } = settings;
    Limits { in_ten_minutes: *in_ten_minutes, in_a_day: *in_a_day }
}

fn doubt(answer: May) -> Step<Option<&'static str>> {
    let seconds = match answer {
        May::Yes => return Ok(None),
        May::Doubtful => return Ok(Some("outgoing.returns.many")),
        May::Pressed => return Ok(Some(PRESSED)),
        May::NotBefore { seconds } => seconds,
    };
    let minutes = seconds.div_ceil(60);
    let text = format!("too many recipients lately; try again in {minutes} minutes");
    Err(Stop::no(450, (7, 1), text))
}

/// The one spelling that the directory looks up: lower case, without what stands behind a plus, in
/// quotes only where the grammar needs them, the domain in A-labels.
fn canonical(address: &Address) -> Option<String> {
    let (plain, _) = address.split_tag();
    let plain = plain.in_small_letters();
    let domain = mailauth::ascii_name(plain.domain());
    domain.is_ascii().then(|| written(&plain, &domain))
}
