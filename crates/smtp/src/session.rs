//! The conversation: which command may come when, and what the session answers by itself.

mod incoming;
mod signing;

use crate::command::{self, Command, Hello, Mail, Rcpt};
use crate::event::{Event, Patience, Why};
use crate::input::Input;
use crate::limits::Limits;
use crate::path::Dots;
use crate::reply::Reply;
use crate::sign_in::{Wanted, wipe};
use crate::text::{Lines, Oddity, Text};
use memchr::memchr3;

/// How far the envelope is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stranger,
    Greeted,
    Sender,
    Recipients(usize),
}

/// What the input means at the moment.
enum Mode {
    Lines,
    /// A command line too long: this much of it is gone.
    SkipLine(usize),
    Text(Text),
    /// Octets of a BDAT chunk still to come.
    Chunk {
        left: u64,
        last: bool,
    },
    /// Octets of a chunk that nobody wants, and the answer behind them.
    SkipChunk {
        left: u64,
        reply: Reply,
    },
    /// AUTH is answered with a question.
    SignIn(Wanted),
    Tls,
    Closed(Why),
}

/// Who owes whom: the event that the caller has not answered yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Nothing,
    Mail { smtputf8: bool },
    Rcpt,
    Data,
    FirstChunk { octets: u64, last: bool },
    End,
    SignIn,
    StartTls,
}

/// What `next_event` found, without a loan of the buffer.
enum Found {
    /// Go on with what is here.
    Nothing,
    /// Only more input helps.
    Dry,
    Event(Event<'static>),
    Octets(usize, usize),
}

/// One SMTP session, the server's side.
pub struct Session {
    limits: Limits,
    our_name: String,
    is_tls: bool,
    starttls_offered: bool,
    /// People hand in mail here; strangers do not.
    takes_submissions: bool,
    is_signed_in: bool,
    input: Input,
    at: usize,
    output: Vec<u8>,
    mode: Mode,
    ask: Ask,
    stage: Stage,
    extended: bool,
    smtputf8: bool,
    /// The text so far: octets, and where BDAT brought it, its lines.
    text_octets: usize,
    drained_octets: usize,
    chunks: Option<Lines>,
    /// The answer to a text that is lost.
    lost: Option<Reply>,
    commands: usize,
    errors: usize,
}

impl Session {
    /// `our_name` stands in the greeting. Says nothing yet: `greet` does.
    pub fn new(limits: Limits, our_name: &str, is_tls: bool, starttls_offered: bool) -> Self {
        Self {
            limits,
            our_name: our_name.to_owned(),
            is_tls,
            starttls_offered: starttls_offered && !is_tls,
            takes_submissions: false,
            is_signed_in: false,
            input: Input::default(),
            at: 0,
            output: Vec::new(),
            mode: Mode::Lines,
            ask: Ask::Nothing,
            stage: Stage::Stranger,
            extended: false,
            smtputf8: false,
            text_octets: 0,
            drained_octets: 0,
            chunks: None,
            lost: None,
            commands: 0,
            errors: 0,
        }
    }

    /// One for people of ours (RFC 6409): nothing is taken before they signed in, and nobody signs
    /// in without TLS.
    pub fn submission(limits: Limits, our_name: &str, is_tls: bool) -> Self {
        Self { takes_submissions: true, ..Self::new(limits, our_name, is_tls, !is_tls) }
    }

    /// 220. Not said again after STARTTLS.
    pub fn greet(&mut self) {
        self.write(&Reply::plain(220, format!("{} ESMTP", self.our_name)));
    }

    /// Takes input, in pieces of any size. Feed when an event says `Read`, at most a socket's
    /// buffer at a time: what is fed is held.
    pub fn feed(&mut self, bytes: &[u8]) {
        if matches!(self.mode, Mode::Closed(_)) {
            return;
        }
        self.input.forget(self.at);
        self.at = 0;
        self.input.push(bytes);
    }

    /// The same without a copy: `fill` writes up to `most` octets, and says how many it wrote.
    pub fn feed_by<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.input.forget(self.at);
        self.at = 0;
        let came = self.input.fill(most, fill)?;
        if matches!(self.mode, Mode::Closed(_)) {
            self.input.forget(came);
        }
        Ok(came)
    }

    /// What is to be written to the client; empty if nothing is.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The session after the handshake. RFC 3207 §4.2: everything learnt before it is forgotten;
    /// what was used up is not.
    pub fn secured(self) -> Self {
        let mut fresh = Self::new(self.limits, &self.our_name, true, false);
        fresh.takes_submissions = self.takes_submissions;
        fresh.commands = self.commands;
        fresh.errors = self.errors;
        fresh
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The word behind `with` in Received, RFC 3848 and RFC 6531 §4.3.
    pub fn protocol(&self) -> &'static str {
        match (self.smtputf8, self.extended, self.is_tls) {
            _ if self.is_signed_in && self.smtputf8 => "UTF8SMTPSA",
            _ if self.is_signed_in => "ESMTPSA",
            (true, _, true) => "UTF8SMTPS",
            (true, _, false) => "UTF8SMTP",
            (_, true, true) => "ESMTPS",
            (_, true, false) => "ESMTP",
            _ => "SMTP",
        }
    }

    /// How long the next read may take.
    pub fn patience(&self) -> Patience {
        match &self.mode {
            Mode::Text(text) if text.has_false_end() => Patience::FalseEnd,
            Mode::Text(_) | Mode::Chunk { .. } | Mode::SkipChunk { .. } => Patience::Text,
            _ => Patience::Command,
        }
    }

    /// The client was silent for longer than that.
    pub fn timed_out(&mut self) {
        match &self.mode {
            Mode::Closed(_) => {}
            Mode::Text(text) if text.has_false_end() => self.end_lost_text(),
            _ => {
                self.close(Reply::new(421, (4, 2), "you were silent too long"), Why::TimedOut);
            }
        }
    }

    /// We are going down, or have had enough: says `reply` and closes.
    pub fn close(&mut self, reply: Reply, why: Why) {
        if !matches!(self.mode, Mode::Closed(_)) {
            self.write(&reply);
            self.mode = Mode::Closed(why);
            self.ask = Ask::Nothing;
        }
    }

    /// Refuses the text that is coming: it is read to its end, then answered so.
    pub fn refuse_text(&mut self, reply: Reply) {
        match &mut self.mode {
            Mode::Text(text) => text.abandon(),
            Mode::Chunk { .. } => {}
            _ => return,
        }
        self.lost.get_or_insert(reply);
    }

    pub fn next_event(&mut self) -> Event<'_> {
        loop {
            if self.ask != Ask::Nothing {
                // A caller that forgets to answer must not leave its client without one.
                self.reply(Reply::new(451, (3, 0), "try again later"));
            }
            if self.errors > self.limits.errors {
                let enough = Reply::new(421, (7, 0), "too many errors in one session");
                self.close(enough, Why::TooManyErrors);
            }
            let found = match &mut self.mode {
                Mode::Closed(why) => return Event::Close(*why),
                Mode::Lines => self.line(),
                Mode::SkipLine(_) => self.skip_line(),
                Mode::Text(_) => self.text(),
                Mode::Chunk { .. } => self.chunk(),
                Mode::SkipChunk { .. } => self.skip_chunk(),
                Mode::SignIn(_) => self.sign_in_line(),
                Mode::Tls if self.at < self.input.len() => self.too_early(),
                Mode::Tls => Found::Dry,
            };
            match found {
                Found::Nothing => {}
                Found::Dry => return Event::Read,
                Found::Event(event) => return event,
                Found::Octets(start, end) => {
                    return Event::Octets(self.input.get(start..end).unwrap_or_default());
                }
            }
        }
    }

    /// Answers the event that asked. Positive: it is so; otherwise it never was.
    pub fn reply(&mut self, reply: Reply) {
        let yes = reply.is_positive();
        match std::mem::replace(&mut self.ask, Ask::Nothing) {
            Ask::Nothing => return,
            Ask::Mail { smtputf8 } if yes => {
                self.stage = Stage::Sender;
                self.smtputf8 = smtputf8;
            }
            Ask::Rcpt if yes => self.stage = Stage::Recipients(self.recipients() + 1),
            Ask::Mail { .. } | Ask::Rcpt => {}
            Ask::Data if yes => self.mode = Mode::Text(Text::new(self.limits.text_line_bytes)),
            Ask::Data => return self.refuse_data(reply),
            Ask::FirstChunk { octets, last } if yes => {
                self.chunks = Some(Lines::default());
                self.mode = Mode::Chunk { left: octets, last };
                return;
            }
            Ask::FirstChunk { octets, .. } => {
                self.forget_envelope();
                self.mode = Mode::SkipChunk { left: octets, reply };
                return;
            }
            Ask::End => self.forget_envelope(),
            Ask::SignIn => self.is_signed_in = yes,
            Ask::StartTls if yes => self.mode = Mode::Tls,
            Ask::StartTls => {}
        }
        self.write(&reply);
    }

    // ---- command lines -------------------------------------------------------------------------

    /// One command line, if it is here in full.
    fn line(&mut self) -> Found {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let found = memchr3(b'\r', b'\n', 0, rest);
        let is_chunk = command::is_chunk(rest);
        if is_chunk && found.unwrap_or(rest.len()) > self.line_bytes(rest) {
            return self.refuse_line(line_too_long(), is_chunk);
        }
        let end = match found.map(|end| (end, rest.get(end..end + 2).unwrap_or_default())) {
            None if rest.len() > self.line_bytes(rest) => {
                self.mode = Mode::SkipLine(0);
                return Found::Nothing;
            }
            None => return Found::Dry,
            Some((end, b"\r\n")) => end,
            Some((end, _)) => return self.odd_line(end),
        };
        let line = self.at..self.at + end;
        self.at += end + 2;
        let most = self.line_bytes(self.input.get(line.clone()).unwrap_or_default());
        if end + 2 > most {
            return self.refuse_line(line_too_long(), is_chunk);
        }
        self.commands += 1;
        if self.commands > self.limits.commands {
            let reply = Reply::new(421, (7, 0), "too many commands in one session");
            self.close(reply, Why::TooManyCommands);
            return Found::Nothing;
        }
        let dots = match self.takes_submissions {
            true => Dots::AsTheyCome,
            false => Dots::AsInTheGrammar,
        };
        let command = command::command(self.input.get(line.clone()).unwrap_or_default(), dots);
        if matches!(command, Ok(Command::Auth { .. })) {
            wipe(self.input.get_mut(line));
        }
        match command {
            Ok(command) => self.obey(command),
            Err(refusal) => self.refuse_line(refusal, is_chunk),
        }
    }

    /// RFC 3030 §2: the octets of a chunk come behind its command at once, whatever we answer.
    /// Where their number cannot be read, nobody knows where the next command begins.
    fn refuse_line(&mut self, refusal: Reply, is_chunk: bool) -> Found {
        if is_chunk {
            self.close(refusal, Why::OutOfStep);
            return Found::Nothing;
        }
        self.error(refusal)
    }

    /// RFC 5321 §2.3.8: nothing but CRLF ends a line. Whoever sends anything else does not mean
    /// what we would read, so nothing behind it is read either.
    fn odd_line(&mut self, end: usize) -> Found {
        let oddity = match self.input.get(self.at + end) {
            Some(b'\r') if self.at + end + 1 == self.input.len() => return Found::Dry,
            Some(b'\r') => Oddity::BareCr,
            Some(b'\n') => Oddity::BareLf,
            _ => Oddity::Nul,
        };
        let words = format!("{} in a command; only CRLF ends a line; closing", oddity.name());
        self.close(Reply::new(500, (5, 2), words), Why::OddLine(oddity));
        Found::Nothing
    }

    fn skip_line(&mut self) -> Found {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let found = memchr3(b'\r', b'\n', 0, rest);
        if let Some(end) = found {
            if rest.get(end..end + 2) != Some(b"\r\n") {
                return self.odd_line(end);
            }
            self.at += end + 2;
            self.mode = Mode::Lines;
            return self.error(line_too_long());
        }
        let gone = rest.len();
        self.at += gone;
        if let Mode::SkipLine(skipped) = &mut self.mode {
            *skipped += gone;
            if *skipped > self.limits.skip_bytes() {
                self.close(line_too_long(), Why::TooLarge);
                return Found::Nothing;
            }
        }
        Found::Dry
    }

    /// One command whose form is right: is this its time?
    fn obey(&mut self, command: Command) -> Found {
        match command {
            Command::Hello(hello) => self.hello(hello),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.data(),
            Command::Bdat { octets, last } => self.bdat(octets, last),
            Command::Rset => self.rset(),
            Command::Noop => self.say(Reply::ok()),
            Command::Vrfy => self.say(Reply::new(252, (0, 0), "send some mail and see")),
            Command::Expn => self.error(Reply::new(502, (5, 1), "lists are not expanded here")),
            Command::Help => self.say(Reply::new(214, (0, 0), "see RFC 5321")),
            Command::Quit => self.quit(),
            Command::StartTls => self.starttls(),
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_ref()),
            Command::Web => {
                self.close(Reply::new(554, (5, 1), "this is not a web server"), Why::Web);
                Found::Nothing
            }
        }
    }

    fn hello(&mut self, hello: Hello) -> Found {
        self.forget_envelope();
        self.stage = Stage::Greeted;
        self.extended = hello.extended;
        let mut reply = Reply::plain(250, self.our_name.clone());
        if hello.extended {
            let size = format!("SIZE {}", self.limits.message_bytes);
            reply.lines.extend(["PIPELINING".into(), size.into(), "8BITMIME".into()]);
            reply.lines.extend(["SMTPUTF8".into(), "CHUNKING".into()]);
            if self.starttls_offered {
                reply.lines.push("STARTTLS".into());
            }
            if self.takes_submissions {
                // RFC 3461 §4: what is asked for about notices is heeded for people of ours.
                reply.lines.push("DSN".into());
            }
            if self.takes_submissions && self.is_tls {
                reply.lines.push("REQUIRETLS".into());
                reply.lines.extend((!self.is_signed_in).then(|| "AUTH PLAIN LOGIN".into()));
            }
            reply.lines.push("ENHANCEDSTATUSCODES".into());
        }
        self.write(&reply);
        Found::Event(Event::Hello(hello))
    }

    fn mail(&mut self, mail: Mail) -> Found {
        match self.stage {
            Stage::Stranger => return self.error(out_of_order("say EHLO first")),
            _ if self.takes_submissions && !self.is_signed_in => {
                return self.error(self.sign_in_first());
            }
            Stage::Greeted => {}
            _ => return self.error(out_of_order("a sender is already named")),
        }
        // RFC 8689 §4.1: only where it was offered; RFC 4954 §5 likewise.
        let is_offered = self.takes_submissions && self.is_tls;
        if (mail.require_tls || mail.vouched) && !is_offered {
            return self.error(command::unknown_parameter());
        }
        let limit = self.limits.message_bytes as u64;
        if mail.size.is_some_and(|size| size > limit) {
            return self.say(too_large(limit));
        }
        self.ask = Ask::Mail { smtputf8: mail.smtputf8 };
        Found::Event(Event::Mail(mail))
    }

    fn rcpt(&mut self, rcpt: Rcpt) -> Found {
        if matches!(self.stage, Stage::Stranger | Stage::Greeted) {
            return self.error(out_of_order("name a sender first"));
        }
        if self.chunks.is_some() {
            return self.error(out_of_order("the text has begun"));
        }
        if rcpt.is_utf8 && !self.smtputf8 {
            return self.error(Reply::new(553, (6, 7), "an address in UTF-8 needs SMTPUTF8"));
        }
        if self.recipients() >= self.limits.recipients {
            return self.say(Reply::new(
                452,
                (5, 3),
                "too many recipients; send again to the rest",
            ));
        }
        self.ask = Ask::Rcpt;
        Found::Event(Event::Rcpt(rcpt))
    }

    fn rset(&mut self) -> Found {
        self.forget_envelope();
        self.write(&Reply::ok());
        Found::Event(Event::Forget(Why::Reset))
    }

    fn quit(&mut self) -> Found {
        self.close(Reply::new(221, (0, 0), "bye"), Why::Quit);
        Found::Nothing
    }

    fn starttls(&mut self) -> Found {
        if self.is_tls {
            return self.error(out_of_order("TLS is on"));
        }
        if !self.starttls_offered {
            return self.error(Reply::new(502, (5, 1), "no TLS here"));
        }
        // RFC 3207 §4.2 and CVE-2011-0411: what was sent in clear must not be read as if it had
        // come through TLS, and nobody honest sends it.
        if self.at < self.input.len() {
            return self.too_early();
        }
        self.ask = Ask::StartTls;
        Found::Event(Event::StartTls)
    }

    /// RFC 4954 §6 and RFC 3207 §4.
    fn sign_in_first(&self) -> Reply {
        let why = if self.is_tls { "sign in first" } else { "say STARTTLS and sign in first" };
        Reply::new(530, (7, 0), why)
    }

    // ---- tools ---------------------------------------------------------------------------------

    /// RFC 4954 §4: a response may be longer than a command.
    fn line_bytes(&self, line: &[u8]) -> usize {
        let is_auth = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        match is_auth && self.takes_submissions {
            true => signing::LINE_BYTES,
            false => self.limits.command_bytes,
        }
    }

    fn recipients(&self) -> usize {
        match self.stage {
            Stage::Recipients(count) => count,
            _ => 0,
        }
    }

    fn forget_envelope(&mut self) {
        if self.stage != Stage::Stranger {
            self.stage = Stage::Greeted;
        }
        self.smtputf8 = false;
        self.text_octets = 0;
        self.drained_octets = 0;
        self.chunks = None;
        self.lost = None;
    }

    fn too_early(&mut self) -> Found {
        let reply = Reply::new(554, (5, 0), "input came before its time; closing");
        self.close(reply, Why::InputTooEarly);
        Found::Nothing
    }

    fn write(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
    }

    fn say(&mut self, reply: Reply) -> Found {
        self.write(&reply);
        Found::Nothing
    }

    /// Says no to the form or the time of a command, and counts it.
    fn error(&mut self, reply: Reply) -> Found {
        self.errors += 1;
        self.say(reply)
    }
}

fn line_too_long() -> Reply {
    Reply::new(500, (5, 2), "this line is too long")
}

fn out_of_order(why: &'static str) -> Reply {
    Reply::new(503, (5, 1), why)
}

fn too_large(limit: u64) -> Reply {
    match limit {
        0 => Reply::new(552, (3, 4), "this message is too large"),
        limit => Reply::new(552, (3, 4), format!("this message is larger than {limit} octets")),
    }
}
