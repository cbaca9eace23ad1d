//! One connection to a remote, from its greeting to our QUIT, with any number of letters between.

use crate::sign_in::Step;
use crate::{
    Answer, Answers, Bare, Extensions, Letter, Login, Malformed, Receiver, Stuffing, Unfit,
};
use smtp::Address;
use std::collections::VecDeque;
use std::time::Duration;

/// RFC 5321 §4.5.3.2, each named after what it waits for.
const GREETING: Duration = Duration::from_secs(5 * 60);
const MAIL: Duration = Duration::from_secs(5 * 60);
const RCPT: Duration = Duration::from_secs(5 * 60);
const DATA: Duration = Duration::from_secs(2 * 60);
const END: Duration = Duration::from_secs(10 * 60);
const OTHER: Duration = Duration::from_secs(2 * 60);
/// Recipients of one transaction unless the remote says less: what RFC 5321 §4.5.3.1.8 demands.
const RECIPIENTS: usize = 100;

/// Whether there must be TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the first octet: the connection is TLS already.
    Already,
    /// STARTTLS if it is offered.
    IfOffered,
    /// STARTTLS, or no letter.
    Required,
    /// It was tried on another connection and failed: this one is in clear.
    Never,
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Write `take_output`, then read, at most so long.
    Read(Duration),
    /// Write `take_output`, make TLS on this connection, then call `secured`.
    Secure,
    /// A letter may be begun, or `quit`.
    Letter,
    /// The remote takes the text: give it by `text`, then `end_text`.
    Text,
    /// One outcome for each receiver of the letter, in their order.
    Outcomes(Vec<Outcome>),
    /// Write `take_output` and close.
    Close,
    /// Nothing more can be done here.
    Broken(Broken),
}

/// How one recipient fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken(Answer),
    /// A 4xx, for this recipient or the text.
    Later(Answer),
    /// A 5xx.
    Refused(Answer),
    /// This remote cannot take the letter as it is.
    Unfit(Unfit),
    /// The connection broke before there was an answer.
    Unknown(Broken),
}

/// Why the connection is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It closed.
    Closed,
    Silent,
    Malformed(Malformed),
    /// It greeted or answered EHLO and HELO with something else than 2xx.
    Unwilling(Answer),
    /// TLS is required and not offered, or STARTTLS was refused.
    NoTls(Option<Answer>),
    /// TLS could not be made.
    TlsFailed(String),
    /// Octets in clear came behind the answer to STARTTLS (an injection).
    Injected,
    /// It did not let us in, or (without an answer) offers no way in that we know.
    NotSignedIn(Option<Answer>),
    /// 421, or an answer that was not asked for.
    Shut(Answer),
    /// Our own text has a bare CR or LF.
    Bare(Bare),
}

impl Broken {
    /// For whoever wants to know why mail waits.
    pub fn words(&self) -> String {
        match self {
            Self::Closed => "the connection broke".to_owned(),
            Self::Silent => "no answer came in time".to_owned(),
            Self::Malformed(Malformed::LineTooLong | Malformed::TooManyLines) => {
                "an answer without end came".to_owned()
            }
            Self::Malformed(_) => "what came is no answer".to_owned(),
            Self::Unwilling(answer) | Self::Shut(answer) => answer.quoted(),
            Self::NoTls(Some(answer)) => format!("TLS is refused: {}", answer.quoted()),
            Self::NotSignedIn(Some(answer)) => {
                format!("it does not let us in: {}", answer.quoted())
            }
            Self::NotSignedIn(None) => "it offers no way to sign in that we know".to_owned(),
            Self::NoTls(None) => "TLS is not offered".to_owned(),
            Self::TlsFailed(why) => format!("TLS could not be made: {why}"),
            Self::Injected => "octets in clear stood behind the answer to STARTTLS".to_owned(),
            Self::Bare(_) => "the text has a line end that cannot be sent".to_owned(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Hello { extended: bool },
    Starting,
    Securing,
    Idle,
    SigningIn(Step),
    Mail,
    Rcpt(usize),
    Data,
    Text,
    End,
    Reset,
    Quit,
    Closed,
}

/// The sending side of one connection.
pub struct Courier {
    our_name: String,
    tls: Tls,
    is_secure: bool,
    state: State,
    answers: Answers,
    out: Vec<u8>,
    remote: Extensions,
    letter: Option<Letter>,
    /// Nothing is sent: see [`Courier::inquire`].
    only_asks: bool,
    /// Until it has said who we are.
    login: Option<Login>,
    fates: Vec<Option<Outcome>>,
    stopped_at: Option<usize>,
    stuffing: Stuffing,
    ready: VecDeque<Want>,
    heard: u64,
}

impl Courier {
    /// A connection that was just made (and secured, for [`Tls::Already`]).
    pub fn new(our_name: &str, tls: Tls) -> Self {
        Self {
            our_name: our_name.to_owned(),
            tls,
            is_secure: tls == Tls::Already,
            state: State::Greeting,
            answers: Answers::default(),
            out: Vec::new(),
            remote: Extensions::default(),
            letter: None,
            only_asks: false,
            login: None,
            fates: Vec::new(),
            stopped_at: None,
            stuffing: Stuffing::default(),
            ready: VecDeque::new(),
            heard: 0,
        }
    }

    /// Whole answers so far: patience is for each of them, not for each octet.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    pub fn extensions(&self) -> &Extensions {
        &self.remote
    }

    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// How many recipients one letter may have here.
    pub fn recipients(&self) -> usize {
        let limit = self.remote.recipients.and_then(|limit| usize::try_from(limit).ok());
        limit.unwrap_or(RECIPIENTS).min(RECIPIENTS)
    }

    /// The receiver of the last letter at whose name the connection was lost.
    pub fn stopped_at(&self) -> Option<usize> {
        self.stopped_at
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub fn feed(&mut self, octets: &[u8]) {
        self.answers.feed(octets);
    }

    /// The remote closed. What it said before that counts, in the middle of a text too.
    pub fn closed(&mut self) {
        while !matches!(self.state, State::Securing | State::Closed)
            && let Ok(Some(answer)) = self.answers.next()
        {
            self.hear(answer);
        }
        self.break_off(Broken::Closed);
    }

    /// The remote said nothing for as long as it may.
    pub fn timed_out(&mut self) {
        self.break_off(Broken::Silent);
    }

    /// TLS stands: everything that was said before is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        if self.state == State::Securing {
            self.is_secure = true;
            self.remote = Extensions::default();
            self.answers = Answers::default();
            self.hello(true);
        }
    }

    pub fn not_secured(&mut self, why: String) {
        self.break_off(Broken::TlsFailed(why));
    }

    /// Signs in. Only when [`Want::Letter`] was said first, and never in clear. What follows is
    /// [`Want::Letter`] again, or [`Broken::NotSignedIn`]. What `take_output` gives meanwhile is
    /// secret.
    pub fn sign_in(&mut self, login: Login) {
        if self.state != State::Idle {
            return;
        }
        match login.begin(&self.remote).filter(|_| self.is_secure) {
            Some((line, step)) => {
                self.out.extend_from_slice(line.as_bytes());
                self.login = Some(login);
                self.state = State::SigningIn(step);
            }
            None => self.break_off(Broken::NotSignedIn(None)),
        }
    }

    /// Begins a letter. Only when [`Want::Letter`] was said.
    pub fn begin(&mut self, letter: Letter) {
        if let Err(unfit) = letter.fits(&self.remote) {
            let all = letter.receivers.iter().map(|_| Outcome::Unfit(unfit)).collect();
            self.ready.push_back(Want::Outcomes(all));
            return;
        }
        self.fates = vec![None; letter.receivers.len()];
        self.out.extend_from_slice(&letter.mail(&self.remote));
        // RFC 2920 §3.1: MAIL and RCPT may go together; DATA waits, so that nothing is sent to
        // nobody.
        if self.remote.pipelining {
            for receiver in &letter.receivers {
                self.out.extend_from_slice(&Letter::rcpt(receiver, &self.remote));
            }
        }
        self.letter = Some(letter);
        self.state = State::Mail;
    }

    /// Asks whether mail for this recipient would be taken, in nobody's name, and says good-bye.
    /// Only when [`Want::Letter`] was said. What follows is one outcome: `Taken` or a refusal of
    /// that recipient, or `Unknown` where it was not even asked for.
    pub fn inquire(&mut self, address: Address) {
        self.only_asks = true;
        let needs_utf8 = !address.is_ascii();
        self.begin(Letter {
            from: None,
            receivers: vec![Receiver { address, notify: None, original: None }],
            size: 0,
            has_eight_bits: false,
            needs_utf8,
            require_tls: false,
            returned: None,
            envelope_id: None,
        });
    }

    /// A piece of the text. Only when [`Want::Text`] was said.
    pub fn text(&mut self, piece: &[u8]) {
        if self.state == State::Text
            && let Err(bare) = self.stuffing.push(piece, &mut self.out)
        {
            // The remote must not take half a letter for a whole one: no end is sent.
            self.out.clear();
            self.break_off(Broken::Bare(bare));
        }
    }

    pub fn end_text(&mut self) {
        if self.state != State::Text {
            return;
        }
        match std::mem::take(&mut self.stuffing).finish(&mut self.out) {
            Ok(()) => self.state = State::End,
            Err(bare) => {
                self.out.clear();
                self.break_off(Broken::Bare(bare));
            }
        }
    }

    /// Says good-bye. Only when [`Want::Letter`] was said.
    pub fn quit(&mut self) {
        if self.state == State::Idle {
            self.out.extend_from_slice(b"QUIT\r\n");
            self.state = State::Quit;
        }
    }

    /// What is wanted now.
    pub fn next(&mut self) -> Want {
        loop {
            if let Some(want) = self.ready.pop_front() {
                return want;
            }
            match self.state {
                State::Idle if !self.answers.has_more() => return Want::Letter,
                State::Text => return Want::Text,
                State::Securing => return Want::Secure,
                State::Closed => return Want::Close,
                _ => {}
            }
            match self.answers.next() {
                Ok(Some(answer)) => self.hear(answer),
                Ok(None) => return Want::Read(self.patience()),
                Err(malformed) => self.break_off(Broken::Malformed(malformed)),
            }
        }
    }

    fn patience(&self) -> Duration {
        match self.state {
            State::Greeting => GREETING,
            State::Mail => MAIL,
            State::Rcpt(_) => RCPT,
            State::Data => DATA,
            State::End => END,
            _ => OTHER,
        }
    }

    fn hello(&mut self, extended: bool) {
        let verb = if extended { "EHLO" } else { "HELO" };
        self.out.extend_from_slice(format!("{verb} {}\r\n", self.our_name).as_bytes());
        self.state = State::Hello { extended };
    }

    fn hear(&mut self, answer: Answer) {
        self.heard += 1;
        // RFC 5321 §3.8: 421 may come at any time and means that it is over.
        if answer.code == 421 && self.state != State::Greeting {
            return self.break_off(Broken::Shut(answer));
        }
        match self.state {
            State::Greeting if answer.is_positive() => self.hello(true),
            State::Greeting => self.break_off(Broken::Unwilling(answer)),
            State::Hello { extended } => self.greeted(extended, answer),
            State::Starting => self.starting(answer),
            State::SigningIn(step) => self.signing_in(step, answer),
            State::Mail => self.mail(answer),
            State::Rcpt(at) => self.rcpt(at, answer),
            State::Data => self.data(answer),
            State::End => self.end(&answer),
            State::Reset if answer.is_positive() => self.state = State::Idle,
            State::Quit => self.state = State::Closed,
            _ => self.break_off(Broken::Shut(answer)),
        }
    }

    fn greeted(&mut self, extended: bool, answer: Answer) {
        if !answer.is_positive() {
            // RFC 5321 §3.2: a server that does not know EHLO knows HELO, and then no TLS.
            return match extended && answer.is_lasting() && !self.is_secure {
                true => self.hello(false),
                false => self.break_off(Broken::Unwilling(answer)),
            };
        }
        self.remote = if extended { Extensions::of(&answer) } else { Extensions::default() };
        if self.is_secure || self.tls == Tls::Never {
            self.state = State::Idle;
            return;
        }
        match (self.remote.starttls, self.tls) {
            (true, _) => {
                self.out.extend_from_slice(b"STARTTLS\r\n");
                self.state = State::Starting;
            }
            (false, Tls::Required) => self.break_off(Broken::NoTls(None)),
            (false, _) => self.state = State::Idle,
        }
    }

    fn starting(&mut self, answer: Answer) {
        if answer.code != 220 {
            return match self.tls {
                Tls::Required => self.break_off(Broken::NoTls(Some(answer))),
                _ => self.state = State::Idle,
            };
        }
        if self.answers.has_more() {
            return self.break_off(Broken::Injected);
        }
        self.state = State::Securing;
    }

    /// RFC 4954 §4: 334 is a challenge, 235 lets us in, and everything else does not.
    fn signing_in(&mut self, step: Step, answer: Answer) {
        if answer.is_positive() {
            self.login = None;
            self.state = State::Idle;
            return;
        }
        let said = self.login.as_ref().filter(|_| answer.code == 334);
        match said.and_then(|login| login.answer(step)) {
            Some((line, next)) => {
                self.out.extend_from_slice(line.as_bytes());
                self.state = State::SigningIn(next);
            }
            None => self.break_off(Broken::NotSignedIn(Some(answer))),
        }
    }

    fn mail(&mut self, answer: Answer) {
        let receivers = self.letter.as_ref().map_or(0, |letter| letter.receivers.len());
        if answer.is_positive() {
            self.state = State::Rcpt(0);
            self.say_rcpt(0);
            return;
        }
        // A word about our sender is none about the recipient.
        let fate = match self.only_asks {
            true => Outcome::Unknown(Broken::Unwilling(answer)),
            false => fate_of(&answer),
        };
        self.fill(&fate);
        // Pipelined RCPTs are answered all the same; their answers say nothing any more.
        if self.remote.pipelining && receivers > 0 {
            self.state = State::Rcpt(0);
        } else {
            self.report_and_reset();
        }
    }

    fn say_rcpt(&mut self, at: usize) {
        if self.remote.pipelining {
            return;
        }
        if let Some(letter) = &self.letter
            && let Some(receiver) = letter.receivers.get(at)
        {
            self.out.extend_from_slice(&Letter::rcpt(receiver, &self.remote));
        }
    }

    fn rcpt(&mut self, at: usize, answer: Answer) {
        if let Some(fate) = self.fates.get_mut(at)
            && fate.is_none()
        {
            match answer.is_positive() {
                true if self.only_asks => *fate = Some(Outcome::Taken(answer)),
                true => {}
                false => *fate = Some(fate_of(&answer)),
            }
        }
        let next = at + 1;
        if next < self.fates.len() {
            self.state = State::Rcpt(next);
            self.say_rcpt(next);
        } else if self.fates.iter().any(Option::is_none) {
            self.out.extend_from_slice(b"DATA\r\n");
            self.state = State::Data;
        } else {
            self.report_and_reset();
        }
    }

    fn data(&mut self, answer: Answer) {
        if answer.code == 354 {
            self.stuffing = Stuffing::default();
            self.state = State::Text;
            return;
        }
        // RFC 5321 §3.3: a 2xx to DATA is nonsense, and takes nothing.
        if answer.is_positive() {
            return self.break_off(Broken::Shut(answer));
        }
        self.fill(&fate_of(&answer));
        self.report_and_reset();
    }

    fn end(&mut self, answer: &Answer) {
        let fate = match answer.is_positive() {
            true => Outcome::Taken(answer.clone()),
            false => fate_of(answer),
        };
        self.fill(&fate);
        self.report();
        self.state = State::Idle;
    }

    fn fill(&mut self, fate: &Outcome) {
        self.fates.iter_mut().filter(|known| known.is_none()).for_each(|known| {
            *known = Some(fate.clone());
        });
    }

    fn report(&mut self) {
        self.letter = None;
        let fates = std::mem::take(&mut self.fates);
        let outcomes: Vec<Outcome> = fates.into_iter().flatten().collect();
        if !outcomes.is_empty() {
            self.ready.push_back(Want::Outcomes(outcomes));
        }
    }

    fn report_and_reset(&mut self) {
        self.report();
        let (word, state): (&[u8], State) = match self.only_asks {
            true => (b"QUIT\r\n", State::Quit),
            false => (b"RSET\r\n", State::Reset),
        };
        self.out.extend_from_slice(word);
        self.state = state;
    }

    fn break_off(&mut self, broken: Broken) {
        if self.state == State::Closed {
            return;
        }
        // After 421 in the middle of a letter each recipient that has no answer has this one.
        let fate = match &broken {
            Broken::Shut(answer) if answer.code == 421 => Outcome::Later(answer.clone()),
            // It would not hear the text to its end, and said why.
            Broken::Shut(answer) if self.state == State::Text && !answer.is_positive() => {
                fate_of(answer)
            }
            _ => Outcome::Unknown(broken.clone()),
        };
        if let State::Rcpt(at) = self.state {
            self.stopped_at = Some(at);
        }
        self.fill(&fate);
        self.report();
        let said_goodbye = self.state == State::Quit;
        self.state = State::Closed;
        self.login = None;
        if !said_goodbye {
            self.ready.push_back(Want::Broken(broken));
        }
    }
}

/// What a negative answer means: RFC 5321 §4.2.1, and what is neither is to be tried again.
fn fate_of(answer: &Answer) -> Outcome {
    match answer.is_lasting() {
        true => Outcome::Refused(answer.clone()),
        false => Outcome::Later(answer.clone()),
    }
}
