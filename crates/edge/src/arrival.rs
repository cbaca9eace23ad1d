//! The story of one message, from the end of its text to its reply.

use crate::absent;
use crate::addressee::Addressee;
use crate::examination::examine;
use crate::judgement::{Judged, judge};
use crate::listing::{Word, weigh_posting};
use crate::neighbours::{Kept, Neighbours, Queued};
use crate::onward::{Parting, pass_on};
use crate::reports;
use crate::sealing::{Sealed, seal};
use flight::Text;
use smtp::{Address, Reply};
use std::net::IpAddr;
use terms::MessageId;
use wire::control::Report;
use wire::scanner::Examined as Seen;

/// An envelope that SMTP has agreed to.
pub(crate) struct Offered {
    pub client_ip: IpAddr,
    /// What the client calls itself.
    pub helo: String,
    /// The word behind `with` in Received.
    pub protocol: &'static str,
    /// TLS version and suite, if there is TLS.
    pub tls: Option<String>,
    /// `None`: the null sender.
    pub from: Option<Address>,
    pub terms: Terms,
    pub addressees: Vec<Addressee>,
}

/// What the sender asks of whoever passes the message on.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    /// RET.
    pub returns_all: Option<bool>,
    /// ENVID, as xtext.
    pub envelope_id: Option<String>,
    pub require_tls: bool,
    pub smtputf8: bool,
}

impl Terms {
    pub(crate) fn of(mail: &smtp::Mail) -> Self {
        Self {
            returns_all: mail.returned.map(|returned| returned == smtp::Return::Full),
            envelope_id: mail.envelope_id.as_deref().map(smtp::xtext),
            require_tls: mail.require_tls,
            smtputf8: mail.smtputf8,
        }
    }
}

/// A whole message, in our hands: it has an id and a time of ours.
pub(crate) struct Received {
    pub offered: Offered,
    pub text: Text,
    pub id: MessageId,
    pub at_ms: u64,
}

impl Received {
    /// The return path; empty: the null sender.
    pub(crate) fn from(&self) -> String {
        self.offered.from.as_ref().map(Address::written).unwrap_or_default()
    }
}

/// A message and what the scanner said of it.
pub(crate) struct Examined {
    pub received: Received,
    pub seen: Seen,
}

/// From the end of the text to its one reply.
pub(crate) fn arrive(offered: Offered, text: Text, house: &mut Neighbours) -> Reply {
    let received = receive(offered, text);
    let examined = match examine(received, house) {
        Ok(examined) => examined,
        Err(fault) => return try_later(house, &fault.to_string()),
    };
    if let Some(header) = &examined.seen.header {
        if header.is_overlong {
            return overlong(house);
        }
        if header.received > terms::HOPS {
            return going_round(house);
        }
    }
    if let Some(word) = Word::of(&examined.received) {
        return word.hear(&examined, house);
    }
    let mut judged = judge(examined, house);
    if let Some(reply) = reports::hear(&judged, house) {
        return reply;
    }
    match judged.together() {
        policy::Reply::Defer => return put_off(house),
        policy::Reply::Refuse => return refuse(judged, house),
        policy::Reply::Keep => {}
    }
    if let Some(refusal) = weigh_posting(&mut judged, house) {
        return refusal;
    }
    let partings = match pass_on(&judged, house) {
        Ok(partings) => partings,
        Err(fault) => return try_later(house, &fault.to_string()),
    };
    judged.is_back =
        partings.is_empty() && judged.passing.iter().any(|passing| judged.goes_on(passing));
    if partings.is_empty() && judged.people.is_empty() {
        house.record_refused(&judged);
        return going_round(house);
    }
    let sealed = match seal(&judged, &partings, house) {
        Ok(sealed) => sealed,
        Err(fault) => return try_later(house, &fault.to_string()),
    };
    if let Err(reply) = reports::note(&judged, house) {
        return reply;
    }
    if !house.are_still_stated(&judged.received.offered.addressees) {
        return ended_meanwhile(house);
    }
    commit(&judged, sealed, partings, house)
}

/// One reply over the queue and the mailbox: 250 when both have it, and nothing is lost by any
/// other, for the sender tries again. What may stand twice then is what the queue took before the
/// mailbox failed: it is passed on once more. The other order would keep mail twice whenever the
/// queue fails, which is full sooner than a mailbox that was asked for room at RCPT.
fn commit(
    judged: &Judged,
    sealed: Sealed,
    partings: Vec<Parting>,
    house: &mut Neighbours,
) -> Reply {
    for parting in &partings {
        match house.queue(parting) {
            Queued::Yes => {}
            Queued::Full => {
                return Reply::new(452, (3, 1), "no room for mail; try again later");
            }
            // As long as it does not leave: whoever it is passed on to may be down.
            Queued::Crowded => {
                let words = "too much waits to be passed on for a recipient; try again later";
                return Reply::new(452, (3, 1), words);
            }
            Queued::No => return try_later(house, "the queue did not take a message"),
        }
    }
    let id = judged.id();
    let kept = house.keep(sealed);
    // A keeper may have taken long.
    if !house.are_still_stated(&judged.received.offered.addressees) {
        return ended_meanwhile(house);
    }
    if judged.people.is_empty() {
        // All that the mailbox was told is the message's way, for `trace`.
        return Reply::new(250, (0, 0), format!("{id} queued"));
    }
    match kept {
        Kept::Yes => {
            absent::answer(judged, house);
            Reply::new(250, (0, 0), format!("{id} kept"))
        }
        // RFC 3463: 4.2.2 mailbox full, 4.3.1 system full.
        Kept::OverQuota => Reply::new(452, (2, 2), "a recipient's mailbox is full"),
        Kept::Full => Reply::new(452, (3, 1), "no room for mail; try again later"),
        Kept::No => try_later(house, "the mailbox did not keep a message"),
        Kept::Unknown => {
            let text = "the mailbox left without an answer".to_owned();
            house.report(&Report::Note { text });
            in_doubt()
        }
    }
}

fn receive(offered: Offered, text: Text) -> Received {
    let id = MessageId(compartment::random());
    Received { offered, text, id, at_ms: compartment::now_ms() }
}

/// Nobody takes it; that it came is recorded for `trace` all the same.
fn refuse(judged: Judged, house: &mut Neighbours) -> Reply {
    let words = judged.refusal_words();
    house.record_refused(&judged);
    Reply::new(550, (7, 1), words)
}

/// RFC 7372 §3.2 has no code for a DNS that fails; 4.4.3 is the directory's.
fn put_off(house: &mut Neighbours) -> Reply {
    house.report(&Report::Note { text: "deferred: the sender's DNS does not answer".to_owned() });
    Reply::new(451, (4, 3), "the DNS of the domain in From does not answer; try again later")
}

/// RFC 3463: 5.6.0 is another fault of its contents.
fn overlong(house: &mut Neighbours) -> Reply {
    house.report(&Report::Note { text: "refused: its header is too long".to_owned() });
    Reply::new(554, (6, 0), "this message's header is too long, or has too many fields")
}

/// RFC 3463: 5.4.6 is a routing loop.
fn going_round(house: &mut Neighbours) -> Reply {
    house.report(&Report::Note { text: "refused: it goes round in a circle".to_owned() });
    Reply::new(554, (4, 6), "this message has been here before, or comes through too many hosts")
}

/// Asked again, the directory says for good what is no more.
fn ended_meanwhile(house: &mut Neighbours) -> Reply {
    try_later(house, "a recipient of a message is no longer known, or cannot be looked up")
}

/// Whoever had everything did not say what it made of it. A sender that is asked to try again does
/// so, as one does that hears nothing (RFC 1047): a letter may stand twice then, and none is lost.
pub(crate) fn in_doubt() -> Reply {
    Reply::new(451, (3, 0), "whether this was kept is not known now; try again later")
}

pub(crate) fn try_later(house: &mut Neighbours, why: &str) -> Reply {
    house.report(&Report::Note { text: format!("deferred: {why}") });
    Reply::new(451, (3, 0), "try again later")
}
