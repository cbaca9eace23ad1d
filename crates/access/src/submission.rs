//! A person hands in mail: SMTP of RFC 6409, answered by the dispatch that was born for them.

use crate::ends::{Ends, Woken};
use crate::fault::{Fault, Trouble};
use crate::line::Line;
use crate::person::{Knocked, knock};
use compartment::now_ms;
use flight::Text;
use rustls::ServerConfig;
use smtp::{Credentials, Event, Limits, Mail, Patience, Rcpt, Reply, Return, Session, Why};
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::dispatch::{
    AHEAD, FOREIGN, FromAccess as ToDispatch, Submission, ToAccess as FromDispatch,
};
use wire::identity::Protocol;
use wire::post::Receiver;

/// RFC 5321 §4.5.3.2.7, for a whole command.
const COMMAND_LIMIT: Duration = Duration::from_secs(5 * 60);
/// Before sign-in, as with the other protocols.
const STRANGER_LIMIT: Duration = Duration::from_secs(60);
/// RFC 5321 §4.5.3.2.5, for the next piece of a text.
const PIECE_LIMIT: Duration = Duration::from_secs(3 * 60);
/// For a whole text: the largest message at 256 kbit/s.
const TEXT_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A text that is lost and looked ended: whoever smuggles waits for an answer, and gets it.
const FALSE_END_LIMIT: Duration = Duration::from_secs(3);
/// A whole connection.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Told to finish: what is left of the five seconds after the warden's word.
const CLOSING_LIMIT: Duration = Duration::from_secs(4);
/// A dispatch is forked and joined in milliseconds; one that is not there by now does not come.
const DISPATCH_LIMIT: Duration = Duration::from_secs(4);
/// It may ask the directory, which asks the vault.
const QUESTION_LIMIT: Duration = Duration::from_secs(20);
/// Two scanners at their limit, and a durable commit. RFC 5321 §4.5.3.2.6 lets a client wait ten
/// minutes.
const SUBMIT_LIMIT: Duration = Duration::from_secs(4 * 60);
/// Refused sign-ins on one connection.
const REFUSALS: u32 = 3;
/// A wrong secret costs its sender time, and nobody else.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// Refused recipients on one connection: an address book that has grown old has some, a list of
/// guesses has more.
const UNKNOWN: u32 = 100;
/// Memory that a connection keeps between its messages once it has asked: small ones ask once.
const KEPT_BYTES: u64 = 1024 * 1024;
/// Asked for at a time while a text of unknown size comes.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

/// A sender that dispatch said yes to is not asked about again for so long: it remembers longer.
const FROM: Duration = Duration::from_secs(30);
/// Domains of others remembered, each for [`FOREIGN`].
const FOREIGN_DOMAINS: usize = 256;

/// The sender and the recipients that dispatch agreed to.
struct Envelope {
    mail: Mail,
    recipients: Vec<Receiver>,
    /// To how many it may go, as it stood then.
    room: Option<(Instant, u32)>,
    /// What the first was told who went over a limit: the others hear the same, and count once.
    over: Option<Reply>,
}

/// What this session's dispatch said lately. Nothing hangs on it but a question less: it weighs
/// everything once more when the text is there.
#[derive(Default)]
struct Said {
    /// Which dispatch it was.
    by: u32,
    /// The last sender that it said yes to.
    from: Option<(Instant, String)>,
    /// To how many the next message may go.
    ahead: Option<(Instant, u32)>,
    /// Domains that are nobody's here.
    foreign: HashMap<String, Instant>,
}

impl Said {
    fn knows_sender(&self, from: &str) -> bool {
        self.from.as_ref().is_some_and(|(since, known)| known == from && since.elapsed() < FROM)
    }

    fn knows_domain(&self, domain: &str) -> bool {
        self.foreign.get(domain).is_some_and(|since| since.elapsed() < FOREIGN)
    }

    fn note_domain(&mut self, domain: &str) {
        if self.foreign.len() >= FOREIGN_DOMAINS {
            self.foreign.clear();
        }
        self.foreign.insert(domain.to_owned(), Instant::now());
    }

    fn would_take(&self, recipients: u32) -> bool {
        self.ahead.is_some_and(|(since, many)| recipients <= many && since.elapsed() < AHEAD)
    }

    /// It holds for one message.
    fn takes(&mut self, recipients: u32) -> bool {
        let takes = self.would_take(recipients);
        self.ahead = None;
        takes
    }
}

struct Conversation<'a> {
    line: Line,
    session: Session,
    ends: &'a mut Ends,
    /// Until STARTTLS, where that is how TLS begins.
    config: Option<Arc<ServerConfig>>,
    client_ip: IpAddr,
    helo: String,
    /// Signed in, and until when.
    ends_ms: Option<u64>,
    envelope: Option<Envelope>,
    text: Option<Text>,
    granted: u64,
    refusals: u32,
    unknown: u32,
    /// The dispatch did not come, or is gone: a new connection gets another.
    is_deserted: bool,
    /// What the dispatch has said that need not be asked again.
    said: Said,
    /// When we last replied.
    since: Instant,
    until: Instant,
    is_closing: bool,
}

/// The whole conversation. `config`: the line is still in clear.
pub fn serve(
    line: Line,
    config: Option<Arc<ServerConfig>>,
    client_ip: IpAddr,
    ends: &mut Ends,
) -> Result<(), Fault> {
    let session = Session::submission(Limits::default(), ends.host_name(), config.is_none());
    let mut conversation = Conversation {
        line,
        session,
        ends,
        config,
        client_ip,
        helo: String::new(),
        ends_ms: None,
        envelope: None,
        text: None,
        granted: 0,
        refusals: 0,
        unknown: 0,
        is_deserted: false,
        said: Said::default(),
        since: Instant::now(),
        until: Instant::now() + CONNECTION_LIMIT,
        is_closing: false,
    };
    conversation.session.greet();
    let served = conversation.talk();
    conversation.line.close();
    served
}

impl Conversation<'_> {
    /// Events in, replies out. `Err`: the client is gone.
    fn talk(&mut self) -> Result<(), Fault> {
        loop {
            let reply = match self.session.next_event() {
                Event::Read => {
                    self.write()?;
                    self.read()?;
                    continue;
                }
                Event::Close(_) => return self.write(),
                Event::Octets(octets) => {
                    let lost = match &mut self.text {
                        Some(text) => take_in(text, octets, &mut self.granted, self.ends).err(),
                        None => None,
                    };
                    if let Some(refusal) = lost {
                        self.forget_text();
                        self.session.refuse_text(refusal);
                    }
                    continue;
                }
                Event::Hello(hello) => {
                    self.forget();
                    self.helo = hello.name;
                    continue;
                }
                Event::Forget(why) => {
                    self.forget_for(why);
                    continue;
                }
                Event::StartTls => {
                    self.starttls()?;
                    continue;
                }
                Event::SignIn(typed) => self.auth(&typed),
                Event::Mail(mail) => self.mail(mail),
                Event::Rcpt(rcpt) => self.rcpt(rcpt),
                Event::Data => self.data(),
                Event::End => self.end(),
            };
            self.session.reply(reply);
            if self.refusals >= REFUSALS {
                let enough = Reply::new(421, (7, 0), "too many refused sign-ins");
                self.session.close(enough, Why::TooManyErrors);
            }
            if self.unknown > UNKNOWN {
                let enough = Reply::new(421, (7, 0), "too many unknown recipients");
                self.session.close(enough, Why::TooManyErrors);
            }
            if self.is_deserted {
                let alone = Reply::new(421, (3, 0), "nobody takes mail on this connection now");
                self.session.close(alone, Why::Refused);
            }
        }
    }

    // ---- verbs ---------------------------------------------------------------------------------

    fn auth(&mut self, typed: &Credentials) -> Reply {
        let secret = (typed.name.as_slice(), typed.secret.as_slice());
        let why = match knock(self.ends, Protocol::Smtp, secret, Vec::new()) {
            Ok(Knocked::Welcome { ends_ms, .. }) => {
                self.ends_ms = Some(ends_ms);
                return Reply::welcome();
            }
            Ok(Knocked::NotAppPassword) => {
                "this line takes app passwords only: never type your account password here"
            }
            Ok(Knocked::Refused) => "name or app password is wrong",
            Err(trouble) => return Reply::new(454, (7, 0), trouble.words().1),
        };
        std::thread::sleep(REFUSAL_PAUSE);
        self.refusals += 1;
        Reply::new(535, (7, 8), why)
    }

    fn mail(&mut self, mail: Mail) -> Reply {
        if self.ends_ms.is_none_or(|ends_ms| now_ms() >= ends_ms) {
            let over = Reply::new(421, (7, 0), "this session is over; sign in again");
            self.session.close(over, Why::Refused);
            return try_later();
        }
        let from = mail.from.as_ref().map(smtp::Address::written).unwrap_or_default();
        let answer = match self.said_now().knows_sender(&from) {
            true => Ok(FromDispatch::Yes),
            false => self.ask_sender(from),
        };
        match answer {
            Ok(FromDispatch::Yes) => {
                let (recipients, room, over) = (Vec::new(), None, None);
                self.envelope = Some(Envelope { mail, recipients, room, over });
                Reply::new(250, (1, 0), "sender noted")
            }
            answer => refusal(answer),
        }
    }

    fn ask_sender(&mut self, from: String) -> Result<FromDispatch, Trouble> {
        self.said.from = None;
        let answer = self.ask(&ToDispatch::From(from.clone()))?;
        let is_yes = answer == FromDispatch::Yes;
        self.said_now().from = is_yes.then(|| (Instant::now(), from));
        Ok(answer)
    }

    /// What the dispatch that is there now has said.
    fn said_now(&mut self) -> &mut Said {
        let by = self.ends.dispatch_starts;
        if self.said.by != by {
            self.said = Said { by, ..Said::default() };
        }
        &mut self.said
    }

    fn rcpt(&mut self, rcpt: Rcpt) -> Reply {
        let address = match &rcpt.to {
            smtp::Recipient::Postmaster => format!("postmaster@{}", self.ends.host_name()),
            smtp::Recipient::Mailbox(address) => address.written(),
        };
        let Some(envelope) = &self.envelope else { return try_later() };
        if envelope.recipients.iter().any(|known| known.address == address) {
            return Reply::new(250, (1, 5), "recipient noted already");
        }
        match self.ask_recipient(&rcpt.to, &address) {
            Ok(FromDispatch::Yes | FromDispatch::YesElsewhere) => {}
            answer => {
                self.unknown += u32::from(matches!(answer, Ok(FromDispatch::No { code: 550, .. })));
                return refusal(answer);
            }
        }
        if let Err(reply) = self.has_room() {
            return reply;
        }
        let notify = rcpt.notify.map(|said| (said.success, said.failure, said.delay));
        let original = rcpt.original.map(|said| {
            let text = smtp::xtext(&said.address);
            format!("{};{text}", said.kind)
        });
        if let Some(envelope) = &mut self.envelope {
            envelope.recipients.push(Receiver { address, notify, original });
        }
        Reply::new(250, (1, 5), "recipient noted")
    }

    /// Whether one more is within this person's limits, as far as that is known before DATA.
    fn has_room(&mut self) -> Result<(), Reply> {
        let Some(envelope) = &self.envelope else { return Err(try_later()) };
        if let Some(over) = &envelope.over {
            return Err(over.clone());
        }
        let many = u32::try_from(envelope.recipients.len() + 1).unwrap_or(u32::MAX);
        let knows = |(since, room): (Instant, u32)| many <= room && since.elapsed() < AHEAD;
        if envelope.room.is_some_and(knows) || self.said_now().would_take(many) {
            return Ok(());
        }
        let answer = self.ask(&ToDispatch::Room(many));
        let Some(envelope) = &mut self.envelope else { return Err(try_later()) };
        match answer {
            Ok(FromDispatch::Room(room)) if many <= room => {
                envelope.room = Some((Instant::now(), room));
                Ok(())
            }
            answer => {
                let is_limit = matches!(answer, Ok(FromDispatch::No { .. }));
                let reply = refusal(answer);
                envelope.over = is_limit.then(|| reply.clone());
                Err(reply)
            }
        }
    }

    fn ask_recipient(
        &mut self,
        to: &smtp::Recipient,
        address: &str,
    ) -> Result<FromDispatch, Trouble> {
        let domain = match to {
            smtp::Recipient::Mailbox(address) => address.domain().to_ascii_lowercase(),
            smtp::Recipient::Postmaster => String::new(),
        };
        if self.said_now().knows_domain(&domain) {
            return Ok(FromDispatch::YesElsewhere);
        }
        let answer = self.ask(&ToDispatch::To(address.to_owned()))?;
        if answer == FromDispatch::YesElsewhere {
            self.said_now().note_domain(&domain);
        }
        Ok(answer)
    }

    /// The text may come if so many may be written to now, and if there is room for it in the
    /// memory that all mail in flight shares.
    fn data(&mut self) -> Reply {
        let Some(envelope) = &self.envelope else { return try_later() };
        let many = u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX);
        let size = envelope.mail.size.unwrap_or(1);
        if !self.said_now().takes(many) {
            match self.ask(&ToDispatch::Many(many)) {
                Ok(FromDispatch::Yes) => {}
                answer => return refusal(answer),
            }
        }
        // The first step: what is only announced keeps nobody else's mail out.
        if !allow(self.ends, &mut self.granted, size.min(STEP_BYTES)) {
            return too_much();
        }
        self.text = Some(Text::new());
        Reply::go_ahead()
    }

    /// CRLF.CRLF: dispatch answers for the message, one way or the other.
    fn end(&mut self) -> Reply {
        let (Some(envelope), Some(text)) = (self.envelope.take(), self.text.take()) else {
            return try_later();
        };
        let reply = match self.submit(envelope, text) {
            Ok(FromDispatch::Queued { text, ahead }) => {
                self.said_now().ahead = Some((Instant::now(), ahead));
                Reply::new(250, (0, 0), text)
            }
            // It had everything and went away, or is silent: it may stand in the queue (RFC 1047).
            Err(Trouble::Away(_) | Trouble::Ended) => {
                Reply::new(451, (3, 0), "whether this was queued is not known; try again later")
            }
            answer => refusal(answer),
        };
        self.give_back();
        reply
    }

    fn submit(&mut self, envelope: Envelope, text: Text) -> Result<FromDispatch, Trouble> {
        let whole = text.finish().map_err(|_| Trouble::Broken)?;
        let (text, held) = whole.parcel().map_err(|_| Trouble::Broken)?;
        let Envelope { mail, recipients, .. } = envelope;
        let submission = Submission {
            client_ip: self.client_ip,
            helo: self.helo.clone(),
            protocol: self.session.protocol().to_owned(),
            tls: self.line.tls_words(),
            from: mail.from.as_ref().map(smtp::Address::written).unwrap_or_default(),
            recipients,
            returns_all: mail.returned.map(|returned| returned == Return::Full),
            envelope_id: mail.envelope_id.map(|id| smtp::xtext(&id)),
            require_tls: mail.require_tls,
            smtputf8: mail.smtputf8,
            text,
        };
        let question = ToDispatch::Submit(Box::new(submission));
        let asked = self.ends.ask_within(SUBMIT_LIMIT, Kind::Dispatch, &question, &held, true);
        asked.map(|(answer, _)| answer)
    }

    /// RFC 3207: after the handshake everything begins anew.
    fn starttls(&mut self) -> Result<(), Fault> {
        let Some(config) = self.config.take() else {
            self.session.reply(Reply::new(454, (7, 0), "TLS is not at hand now"));
            return Ok(());
        };
        self.session.reply(Reply::ready_for_tls());
        self.write()?;
        self.line.secure(config)?;
        self.forget();
        self.helo = String::new();
        let placeholder = Session::submission(Limits::default(), "", true);
        self.session = std::mem::replace(&mut self.session, placeholder).secured();
        Ok(())
    }

    fn forget_for(&mut self, why: Why) {
        match why {
            // The envelope is over with its answer; until then only the text is.
            Why::Odd(_) | Why::TooLarge | Why::Refused => self.forget_text(),
            _ => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.envelope = None;
        self.forget_text();
    }

    fn forget_text(&mut self) {
        if self.text.take().is_some() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(bytes) = self.granted.checked_sub(KEPT_BYTES).filter(|bytes| *bytes > 0) {
            self.granted = KEPT_BYTES;
            self.ends.release(bytes);
        }
    }

    /// A small question to the dispatch of this person.
    fn ask(&mut self, question: &ToDispatch) -> Result<FromDispatch, Trouble> {
        if !self.ends.await_peer(Kind::Dispatch, DISPATCH_LIMIT) {
            self.is_deserted = true;
            return Err(Trouble::Unavailable);
        }
        let asked = self.ends.ask_within(QUESTION_LIMIT, Kind::Dispatch, question, &[], true);
        asked.map(|(answer, _)| answer)
    }

    // ---- the line ------------------------------------------------------------------------------

    fn write(&mut self) -> Result<(), Fault> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        // A reply means that the client had said something in full.
        self.since = Instant::now();
        self.line.write(&output)
    }

    fn feed(&mut self, mut octets: Vec<u8>) {
        self.session.feed(&octets);
        if self.ends_ms.is_none() {
            zeroize::Zeroize::zeroize(&mut octets);
        }
    }

    /// Feeds the session with what comes, or with the fact that nothing does.
    fn read(&mut self) -> Result<(), Fault> {
        if self.is_closing && self.text.is_none() {
            self.session.close(going_down(), Why::TimedOut);
            return Ok(());
        }
        let mut held = Vec::new();
        self.line.read_held(&mut held)?;
        if !held.is_empty() {
            self.feed(held);
            return Ok(());
        }
        let now = Instant::now();
        let until = match self.session.patience() {
            Patience::Command if self.ends_ms.is_none() => self.since + STRANGER_LIMIT,
            Patience::Command => self.since + COMMAND_LIMIT,
            Patience::Text => {
                let whole = self.text.as_ref().map(|text| text.time_to_come(PIECE_LIMIT));
                let whole = self.since + whole.unwrap_or(TEXT_LIMIT).min(TEXT_LIMIT);
                whole.min(now + PIECE_LIMIT)
            }
            Patience::FalseEnd => now + FALSE_END_LIMIT,
        };
        let until = until.min(self.until);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let woken = match self.is_closing {
                // Its word is known; now only the client is waited for.
                true => self.line.wait_readable(left)?,
                false => self.ends.wait(self.line.as_fd(), left)?,
            };
            match woken {
                Woken::Line => {
                    let mut octets = Vec::new();
                    self.line.read(&mut octets)?;
                    if octets.is_empty() {
                        continue;
                    }
                    self.feed(octets);
                    return Ok(());
                }
                Woken::News => {}
                Woken::Closing => {
                    self.is_closing = true;
                    self.until = self.until.min(Instant::now() + CLOSING_LIMIT);
                    return Ok(());
                }
                Woken::Late => {
                    self.session.timed_out();
                    return Ok(());
                }
            }
        }
    }
}

/// Makes sure that `bytes` of mail in flight are ours to hold.
fn allow(ends: &mut Ends, granted: &mut u64, bytes: u64) -> bool {
    let Some(more) = bytes.checked_sub(*granted).filter(|more| *more > 0) else { return true };
    let more = more.max(KEPT_BYTES);
    let is_allowed = ends.allow(more);
    if is_allowed {
        *granted += more;
    }
    is_allowed
}

/// One more piece of text, if there is memory for it.
fn take_in(
    text: &mut Text,
    octets: &[u8],
    granted: &mut u64,
    ends: &mut Ends,
) -> Result<(), Reply> {
    let wanted = text.len() + octets.len() as u64;
    // A step at a time, so that a large text asks a few times and a small one once.
    let step = if wanted > STEP_BYTES { wanted.next_multiple_of(STEP_BYTES) } else { wanted };
    if !allow(ends, granted, step) {
        return Err(too_much());
    }
    text.push(octets).map_err(|_| try_later())
}

/// What dispatch says no with, in the words of SMTP.
fn refusal(answer: Result<FromDispatch, Trouble>) -> Reply {
    match answer {
        // Dispatch's word, and still a refusal whatever it is.
        Ok(FromDispatch::No { code: code @ 400..=599, enhanced, text }) => {
            Reply::new(code, enhanced, text)
        }
        _ => try_later(),
    }
}

fn try_later() -> Reply {
    Reply::new(451, (3, 0), "this cannot be taken now; try again later")
}

fn too_much() -> Reply {
    Reply::new(452, (3, 1), "too much mail is on its way; try again later")
}

fn going_down() -> Reply {
    Reply::new(421, (3, 2), "going down; try again later")
}
