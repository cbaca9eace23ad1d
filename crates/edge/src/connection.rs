//! One connection, from greeting to goodbye. A verb of SMTP is a function of that name.

use crate::Fault;
use crate::addressee::{Addressee, Wishes, hindrance};
use crate::arrival::{Offered, Terms, arrive};
use crate::line::{Line, Woken};
use crate::neighbours::{Handed, Neighbours, Room, Who, canonical};
use crate::outlet::{self, Outlet, Way, hand_on, secret_in};
use flight::Text;
use smtp::{Event, Limits, Mail, Patience, Rcpt, Recipient, Reply, Session, Why};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use wire::post::Receiver;

/// RFC 5321 §4.5.3.2.7, for a whole command: an octet now and then does not begin it anew.
const COMMAND_LIMIT: Duration = Duration::from_secs(5 * 60);
/// RFC 5321 §4.5.3.2.5, for the next piece of a text.
const PIECE_LIMIT: Duration = Duration::from_secs(3 * 60);
/// For a whole text: the largest message at 256 kbit/s.
const TEXT_LIMIT: Duration = Duration::from_secs(30 * 60);
/// A text that is lost and looked ended: whoever smuggles waits for an answer, and gets it.
const FALSE_END_LIMIT: Duration = Duration::from_secs(3);
/// A whole connection: one octet now and then shall not hold a process for ever.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Told to finish: what is left of the five seconds after the warden's word.
const CLOSING_LIMIT: Duration = Duration::from_secs(4);
/// Unknown recipients in one connection: a sender of real mail has a few, a list has hundreds.
const UNKNOWN: u32 = 10;
/// Read at once, at first and at most: twice as much whenever so much came.
const FIRST_READ_BYTES: usize = 8 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// Asked for before a text of unknown size, and again whenever it is used up.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

struct Connection<'a> {
    line: Line,
    session: Session,
    house: &'a mut Neighbours,
    client_ip: IpAddr,
    helo: String,
    tls: Option<String>,
    envelope: Option<Envelope>,
    text: Option<Text>,
    unknown: u32,
    /// Recipients whose own server did not say whether it has them: a list, perhaps.
    unsaid: u32,
    /// A customer's own server, perhaps.
    outlet: Outlet,
    /// When we last replied.
    since: Instant,
    until: Instant,
    is_closing: bool,
    /// Octets that are read at once.
    reads: usize,
}

/// The sender and the recipients agreed to so far.
struct Envelope {
    mail: Mail,
    addressees: Vec<Addressee>,
    /// All of them, where a customer's own server sends: those elsewhere too.
    receivers: Vec<Receiver>,
    is_relayed: bool,
}

/// Serves one client. A client that breaks off is no fault.
pub(crate) fn converse(handed: Handed, house: &mut Neighbours) -> Result<(), Fault> {
    let Ok(line) = Line::new(handed.socket) else { return Ok(()) };
    let has_tls = house.signer().is_some();
    let session = Session::new(Limits::default(), house.host_name(), false, has_tls);
    let mut connection = Connection {
        line,
        session,
        house,
        client_ip: handed.peer.ip().to_canonical(),
        helo: String::new(),
        tls: None,
        envelope: None,
        text: None,
        unknown: 0,
        unsaid: 0,
        outlet: Outlet::default(),
        since: Instant::now(),
        until: Instant::now() + CONNECTION_LIMIT,
        is_closing: false,
        reads: FIRST_READ_BYTES,
    };
    connection.session.greet();
    let _ = connection.talk();
    if connection.unknown > 0 {
        connection.house.unknown_recipients(connection.unknown);
    }
    connection.line.close();
    Ok(())
}

impl Connection<'_> {
    /// Events in, replies out. `Err`: the client is gone.
    fn talk(&mut self) -> std::io::Result<()> {
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
                        Some(text) => take_in(text, octets, self.house).err(),
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
                Event::Mail(mail) => self.mail(mail),
                Event::Rcpt(rcpt) => self.rcpt(rcpt),
                Event::Data => self.data(),
                // Not at this port: the session never says it.
                Event::SignIn(_) => Reply::new(502, (5, 1), "nobody signs in at this port"),
                Event::End => self.end(),
            };
            self.session.reply(reply);
            if self.unknown + self.unsaid > UNKNOWN && !self.is_spared() {
                let enough = Reply::new(421, (7, 0), "too many unknown recipients");
                self.session.close(enough, Why::TooManyErrors);
            }
        }
    }

    // ---- verbs ---------------------------------------------------------------------------------

    fn mail(&mut self, mail: Mail) -> Reply {
        if self.house.is_worn() {
            self.session.close(Reply::new(421, (3, 2), "enough for one connection"), Why::Refused);
        }
        let (addressees, receivers) = (Vec::new(), Vec::new());
        self.envelope = Some(Envelope { mail, addressees, receivers, is_relayed: false });
        Reply::new(250, (1, 0), "sender noted")
    }

    /// A recipient counts only by the vault's signed word about it; nobody else is relayed for.
    fn rcpt(&mut self, rcpt: Rcpt) -> Reply {
        let is_spared = self.is_spared();
        let nobody = Reply::new(550, (1, 1), "nobody of that name here");
        let address = match &rcpt.to {
            Recipient::Postmaster => Some(format!("postmaster@{}", self.house.host_name())),
            Recipient::Mailbox(address) => canonical(address),
        };
        let (Some(address), Some(envelope)) = (address, &mut self.envelope) else {
            self.unknown += 1;
            return nobody;
        };
        let statement = match self.house.who_is(&address) {
            Who::Known(statement) => statement,
            Who::Unknown => {
                self.unknown += 1;
                return nobody;
            }
            Who::Foreign => return self.rcpt_elsewhere(rcpt),
            Who::Unsaid => {
                self.unsaid += 1;
                // It is away, or answers neither yes nor no.
                let text = "this recipient's own server does not say now whether it takes them";
                return Reply::new(451, (4, 1), text);
            }
            Who::Later => return Reply::new(451, (3, 0), "recipients cannot be looked up now"),
        };
        // By whichever of its spellings.
        if envelope.addressees.iter().any(|known| known.address == statement.address) {
            return Reply::new(250, (1, 5), "recipient noted already");
        }
        let from = envelope.mail.from.as_ref();
        if let Some(refusal) = hindrance(&statement, from, &envelope.addressees) {
            return refusal;
        }
        let size = envelope.mail.size.unwrap_or(0);
        for person in &statement.recipients {
            match self.house.room_for(person.user, size) {
                Room::Yes => {}
                Room::No => return Reply::new(452, (2, 2), "this mailbox is full"),
                Room::Unsaid => {
                    return Reply::new(451, (3, 0), "no mailbox answers now; try again later");
                }
            }
        }
        if statement.settings.greylist && !is_spared {
            let from = from.map(smtp::Address::written).unwrap_or_default();
            let three = (from.as_str(), address.as_str());
            if !self.house.is_familiar(statement.tenant, self.client_ip, three) {
                // RFC 6647 §3: a stranger who is a mail server comes again.
                return Reply::new(451, (7, 1), "not seen before; try again in five minutes");
            }
        }
        let written = match &rcpt.to {
            Recipient::Postmaster => address,
            Recipient::Mailbox(address) => address.written(),
        };
        let wishes = Wishes::new(rcpt.notify, rcpt.original.as_ref());
        if self.outlet.is_proven() {
            envelope.receivers.push(receiver(&written, &wishes));
        }
        envelope.addressees.push(Addressee::new(written, *statement, wishes));
        Reply::new(250, (1, 5), "recipient noted")
    }

    /// Elsewhere, a customer's own server may write; whether it is one is known with the text.
    fn rcpt_elsewhere(&mut self, rcpt: Rcpt) -> Reply {
        let address = match (&rcpt.to, self.outlet.is_proven()) {
            (Recipient::Mailbox(address), true) => address.written(),
            _ => {
                self.unknown += 1;
                return self.outlet.refusal();
            }
        };
        let Some(envelope) = &mut self.envelope else {
            return Reply::new(503, (5, 1), "MAIL comes first");
        };
        let wishes = Wishes::new(rcpt.notify, rcpt.original.as_ref());
        envelope.receivers.push(receiver(&address, &wishes));
        envelope.is_relayed = true;
        Reply::new(250, (1, 5), "recipient noted")
    }

    /// The text may come if there is room for it in the memory that all mail in flight shares.
    fn data(&mut self) -> Reply {
        let size = self.envelope.as_ref().and_then(|envelope| envelope.mail.size);
        // The first step: what is only announced keeps nobody else's mail out.
        if !self.house.allow_memory(size.unwrap_or(1).min(STEP_BYTES)) {
            return Reply::new(452, (3, 1), "too much mail is on its way; try again later");
        }
        self.text = Some(Text::to_examine(size.unwrap_or(0)));
        Reply::go_ahead()
    }

    /// CRLF.CRLF: the message is ours to answer for, one way or the other.
    fn end(&mut self) -> Reply {
        let protocol = self.session.protocol();
        let (Some(envelope), Some(text)) = (self.envelope.take(), self.text.take()) else {
            return Reply::new(451, (3, 0), "try again later");
        };
        let text = match text.finish() {
            Ok(text) => text,
            Err(_) => {
                self.house.after_message();
                return Reply::new(451, (3, 0), "try again later");
            }
        };
        let secret = self.outlet.is_proven().then(|| secret_in(&text)).flatten();
        if envelope.is_relayed || secret.is_some() {
            let Envelope { mail, receivers, .. } = envelope;
            let envelope = outlet::Envelope { mail, receivers };
            let (helo, tls) = (self.helo.as_str(), self.tls.clone());
            let way = Way { client_ip: self.client_ip, helo, protocol, tls };
            let reply = hand_on(envelope, &way, (&self.outlet, secret), text, self.house);
            self.house.after_message();
            return reply;
        }
        let offered = Offered {
            client_ip: self.client_ip,
            helo: self.helo.clone(),
            protocol,
            tls: self.tls.clone(),
            terms: Terms::of(&envelope.mail),
            from: envelope.mail.from,
            addressees: envelope.addressees,
        };
        let reply = arrive(offered, text, self.house);
        self.house.after_message();
        reply
    }

    /// RFC 3207: after the handshake everything begins anew.
    fn starttls(&mut self) -> std::io::Result<()> {
        self.outlet = Outlet::at(self.client_ip, self.house);
        let asks = self.outlet.asks();
        let config = self.house.signer().and_then(|link| match asks {
            true => tls::asking_config(&link).ok(),
            false => tls::server_config(&link, &[]).ok(),
        });
        let Some(config) = config else {
            self.session.reply(Reply::new(454, (7, 0), "TLS is not at hand now"));
            return Ok(());
        };
        self.session.reply(Reply::ready_for_tls());
        self.write()?;
        self.tls = Some(self.line.secure(config)?);
        self.outlet.look(&self.line.shown());
        self.forget();
        self.helo = String::new();
        let placeholder = Session::new(Limits::default(), "", true, false);
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
            self.house.after_message();
        }
    }

    /// In the demo everybody is at home on loopback.
    fn is_spared(&self) -> bool {
        self.house.is_demo() && self.client_ip.is_loopback()
    }

    // ---- the line ------------------------------------------------------------------------------

    fn write(&mut self) -> std::io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        // A reply means that the client had said something in full.
        self.since = Instant::now();
        self.line.write(&output)
    }

    /// Feeds the session with what comes, or with the fact that nothing does.
    fn read(&mut self) -> std::io::Result<()> {
        if self.is_closing && self.text.is_none() {
            self.session.close(going_down(), Why::TimedOut);
            return Ok(());
        }
        if self.take(|line, room| Ok(line.read_held(room)))? > 0 {
            return Ok(());
        }
        // The next piece of a text is mostly there: waiting for it would be one more call.
        if self.text.is_some() && self.has_come(Line::read_at_hand)? {
            return Ok(());
        }
        let now = Instant::now();
        let until = match self.session.patience() {
            Patience::Command => self.since + COMMAND_LIMIT,
            Patience::Text => {
                let whole = self.text.as_ref().map(|text| text.time_to_come(PIECE_LIMIT));
                let whole = self.since + whole.unwrap_or(TEXT_LIMIT).min(TEXT_LIMIT);
                whole.min(now + PIECE_LIMIT)
            }
            Patience::FalseEnd => now + FALSE_END_LIMIT,
        };
        loop {
            let others = if self.is_closing { Vec::new() } else { self.house.watched() };
            match self.line.wait(&others, until.min(self.until))? {
                Woken::Readable => {}
                Woken::TimedOut => {
                    self.session.timed_out();
                    return Ok(());
                }
                Woken::Other => {
                    if self.is_told_to_close() {
                        return Ok(());
                    }
                    continue;
                }
            }
            if self.has_come(Line::read)? {
                return Ok(());
            }
        }
    }

    /// Whether something came. `Err`: the client is gone.
    fn has_come(
        &mut self,
        read: impl FnOnce(&mut Line, &mut [u8]) -> std::io::Result<usize>,
    ) -> std::io::Result<bool> {
        match self.take(read) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(fault) if fault.kind() == ErrorKind::Interrupted => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Reads straight to where the session looks at it.
    fn take(
        &mut self,
        read: impl FnOnce(&mut Line, &mut [u8]) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        let line = &mut self.line;
        let came = self.session.feed_by(self.reads, |room| read(line, room))?;
        if came == self.reads {
            self.reads = (2 * self.reads).min(READ_BYTES);
        }
        Ok(came)
    }

    /// Told to finish: between messages at once, within one as soon as it is answered.
    fn is_told_to_close(&mut self) -> bool {
        if !self.house.is_closing() {
            return false;
        }
        self.is_closing = true;
        self.until = self.until.min(Instant::now() + CLOSING_LIMIT);
        if self.text.is_none() {
            self.session.close(going_down(), Why::TimedOut);
        }
        self.text.is_none()
    }
}

fn receiver(address: &str, wishes: &Wishes) -> Receiver {
    let Wishes { notify, original } = wishes.clone();
    Receiver { address: address.to_owned(), notify, original }
}

fn going_down() -> Reply {
    Reply::new(421, (3, 2), "going down; try again later")
}

/// One more piece of text, if there is memory for it.
fn take_in(text: &mut Text, octets: &[u8], house: &mut Neighbours) -> Result<(), Reply> {
    let wanted = text.len() + octets.len() as u64;
    // A step at a time, so that a large text asks a few times and a small one once.
    let step = if wanted > STEP_BYTES { wanted.next_multiple_of(STEP_BYTES) } else { wanted };
    if !house.allow_memory(step) {
        return Err(Reply::new(452, (3, 1), "too much mail is on its way; try again later"));
    }
    text.push(octets).map_err(|_| Reply::new(451, (3, 0), "try again later"))
}
