//! IMAP: the conversation. A command comes in, a verb of that name answers.

mod append;
mod fetch;
mod folder;
mod matching;
mod message;
mod search;
mod selected;
mod signing;

use crate::ends::{Ends, Woken};
use crate::fault::{Fault, Trouble};
use crate::folders::Names;
use crate::line::Line;
use crate::person::Person;
use crate::view::View;
use append::Coming;
use imap::{Code, Command, Condition, Reader, Secret, Step, Verb, Writer};
use std::time::{Duration, Instant};

/// Before sign-in a connection may be silent so long. RFC 3501 §5.4 speaks of sessions only.
const STRANGER_LIMIT: Duration = Duration::from_secs(60);
/// RFC 3501 §5.4: at least 30 minutes.
const SILENCE_LIMIT: Duration = Duration::from_secs(31 * 60);
/// After so long without a command, memory is given back.
const REST_AFTER: Duration = Duration::from_secs(2);
/// Octets of answers gathered before they are sent.
const OUT_BYTES: usize = 64 * 1024;
/// Buffers larger than this are not kept while idle.
const IDLE_BYTES: usize = 4 * 1024;

/// Offered before sign-in.
const GREETING: &[&str] = &["IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "LITERAL+", "ID", "ENABLE"];
/// Offered after it. Every word is kept by this crate.
const CAPABILITIES: &[&str] = &[
    "IMAP4rev1",
    "LITERAL+",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "UIDPLUS",
    "UNSELECT",
    "MOVE",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "SPECIAL-USE",
    "ESEARCH",
    "CONDSTORE",
    "QUOTA",
];

/// What the next plain line is.
enum Awaited {
    Nothing,
    /// The SASL response of AUTHENTICATE.
    Password {
        tag: String,
    },
    /// The DONE of IDLE.
    Done {
        tag: String,
    },
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Goes,
    Ends,
}

pub struct Imap<'a> {
    line: Line,
    ends: &'a mut Ends,
    reader: Reader,
    out: Vec<u8>,
    person: Option<Box<Person>>,
    names: Names,
    view: Option<View>,
    /// The client speaks CONDSTORE. RFC 7162 §3.1.
    condstore: bool,
    awaited: Awaited,
    coming: Option<Coming>,
    refusals: u32,
}

/// The whole conversation.
pub fn serve(line: Line, ends: &mut Ends) -> Result<(), Fault> {
    let mut imap = Imap {
        line,
        ends,
        reader: Reader::new(),
        out: Vec::new(),
        person: None,
        names: Names::default(),
        view: None,
        condstore: false,
        awaited: Awaited::Nothing,
        coming: None,
        refusals: 0,
    };
    let greeting = Some(Code::Capability(GREETING));
    imap.writer().untagged(Condition::Ok, greeting, "Sekisho is ready");
    let served = imap.converse();
    let flushed = imap.flush();
    imap.line.close();
    served.and(flushed)
}

impl Imap<'_> {
    fn converse(&mut self) -> Result<(), Fault> {
        loop {
            let next = match self.reader.step() {
                Step::NeedMore => self.listen()?,
                Step::Continue => {
                    self.writer().go_on("go on");
                    Next::Goes
                }
                Step::Command(command) => self.obey(command)?,
                Step::Append(append) => self.offered(append),
                Step::Octets(octets) => self.octets(&octets),
                Step::AppendEnd { bad } => self.append_end(bad)?,
                Step::Line(line) => self.plain_line(&Secret(line))?,
                Step::Bad { tag, why } => self.bad(tag.as_deref(), why),
                Step::Close(why) => self.bye(why),
            };
            if next == Next::Ends {
                return Ok(());
            }
        }
    }

    /// Waits for the client; tells it what happens meanwhile if it idles.
    fn listen(&mut self) -> Result<Next, Fault> {
        self.flush()?;
        let began = Instant::now();
        let limit = if self.person.is_some() { SILENCE_LIMIT } else { STRANGER_LIMIT };
        let mut rested = false;
        loop {
            if self.person.as_ref().is_some_and(|person| person.is_over()) {
                return Ok(self.bye("the session has reached its end, sign in again"));
            }
            let left = limit.saturating_sub(began.elapsed());
            let pause = if rested { left } else { left.min(REST_AFTER) };
            match self.ends.wait(rustix::fd::AsFd::as_fd(&self.line), pause)? {
                Woken::Line => {
                    let mut octets = Vec::new();
                    self.line.read(&mut octets)?;
                    if octets.is_empty() {
                        continue;
                    }
                    self.reader.feed(&octets);
                    zeroize::Zeroize::zeroize(&mut octets);
                    self.wake();
                    return Ok(Next::Goes);
                }
                Woken::News if self.idles() => {
                    self.wake();
                    rested = false;
                    let _ = self.tell_changes(true);
                    self.flush()?;
                }
                // It waits for the next command.
                Woken::News => {}
                Woken::Closing => return Ok(self.bye("the server is going down")),
                Woken::Late if !rested => {
                    rested = true;
                    self.rest();
                }
                Woken::Late if began.elapsed() >= limit => {
                    return Ok(self.bye("nothing was heard for too long"));
                }
                Woken::Late => {}
            }
        }
    }

    /// Between IDLE and its DONE.
    fn idles(&self) -> bool {
        matches!(self.awaited, Awaited::Done { .. })
    }

    /// Gives memory back while nothing is asked.
    fn rest(&mut self) {
        self.reader.rest();
        if let Some(person) = &mut self.person {
            person.rest();
        }
        if let Some(view) = &mut self.view {
            view.rest();
        }
        self.out = Vec::new();
        compartment::give_memory_back();
    }

    fn wake(&mut self) {
        if let Some(view) = &mut self.view {
            view.wake();
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next, Fault> {
        let Command { tag, verb } = command;
        match self.carry_out(&tag, verb) {
            Ok(next) => {
                self.flush_if_large()?;
                Ok(next)
            }
            Err(trouble) => self.refuse(&tag, trouble),
        }
    }

    /// Says why a command was not carried out.
    fn refuse(&mut self, tag: &str, trouble: Trouble) -> Result<Next, Fault> {
        let (code, text) = trouble.words();
        match trouble {
            Trouble::Line => return Err(Fault::Line),
            Trouble::Ended => return Ok(self.bye(text)),
            Trouble::Misplaced(text) => {
                self.writer().tagged(tag, Condition::Bad, None, text);
            }
            _ => {
                let code = (!code.is_empty()).then_some(Code::Word(code));
                self.writer().tagged(tag, Condition::No, code, text);
            }
        }
        Ok(Next::Goes)
    }

    fn carry_out(&mut self, tag: &str, verb: Verb) -> Result<Next, Trouble> {
        match verb {
            Verb::Capability => self.capability(tag),
            Verb::Noop => self.done(tag, None, "done"),
            Verb::Logout => return Ok(self.logout(tag)),
            Verb::Id(_) => self.id(tag),
            Verb::StartTls => Err(Trouble::Misplaced("this line speaks TLS already")),
            Verb::Login { user, password } => return self.login(tag, &user, &password.0),
            Verb::Authenticate { mechanism, initial } => {
                return self.authenticate(tag, &mechanism, initial);
            }
            verb => self.carry_out_signed_in(tag, verb),
        }?;
        Ok(Next::Goes)
    }

    fn carry_out_signed_in(&mut self, tag: &str, verb: Verb) -> Result<(), Trouble> {
        self.person()?;
        match verb {
            Verb::Enable(names) => self.enable(tag, &names),
            Verb::Select { folder, condstore, read_only } => {
                self.select(tag, &folder, condstore, read_only)
            }
            Verb::Create(name) => self.create(tag, &name),
            Verb::Delete(name) => self.delete(tag, &name),
            Verb::Rename { from, to } => self.rename(tag, &from, &to),
            Verb::Subscribe(name) => self.subscribe(tag, &name, true),
            Verb::Unsubscribe(name) => self.subscribe(tag, &name, false),
            Verb::List(list) => self.list(tag, &list),
            Verb::Lsub { reference, pattern } => self.lsub(tag, &reference, &pattern),
            Verb::Status { folder, items } => self.status(tag, &folder, &items),
            Verb::Namespace => self.namespace(tag),
            Verb::Quota { root } => self.quota(tag, &root),
            Verb::QuotaRoot { folder } => self.quota_root(tag, &folder),
            Verb::SetQuota => Err(Trouble::No("NOPERM", "quotas are set by the operator")),
            Verb::Check => self.view().map(|_| ()).and_then(|()| self.done(tag, None, "done")),
            Verb::Idle => self.idle(tag),
            Verb::Close => self.close(tag),
            Verb::Unselect => self.unselect(tag),
            Verb::Expunge(set) => self.expunge(tag, set.as_ref()),
            Verb::Search(search) => self.search(tag, search),
            Verb::Fetch(fetch) => self.fetch(tag, &fetch),
            Verb::Store(store) => self.store(tag, &store),
            Verb::Copy { set, folder, uid } => self.copy(tag, &set, &folder, uid, false),
            Verb::Move { set, folder, uid } => self.copy(tag, &set, &folder, uid, true),
            _ => Err(Trouble::Misplaced("this cannot be asked here")),
        }
    }

    fn plain_line(&mut self, line: &Secret) -> Result<Next, Fault> {
        match std::mem::replace(&mut self.awaited, Awaited::Nothing) {
            Awaited::Password { tag } => match self.sasl_response(&tag, &line.0) {
                Ok(next) => Ok(next),
                Err(trouble) => self.refuse(&tag, trouble),
            },
            Awaited::Done { tag } if line.0.eq_ignore_ascii_case(b"DONE") => {
                match self.done(&tag, None, "idled") {
                    Ok(()) => Ok(Next::Goes),
                    Err(trouble) => self.refuse(&tag, trouble),
                }
            }
            Awaited::Done { tag } => Ok(self.bad(Some(&tag), "expected DONE")),
            Awaited::Nothing => Ok(self.bad(None, "expected a command")),
        }
    }

    fn idle(&mut self, tag: &str) -> Result<(), Trouble> {
        self.writer().go_on("idling");
        self.reader.expect_line();
        self.awaited = Awaited::Done { tag: tag.to_owned() };
        let _ = self.tell_changes(true);
        Ok(())
    }

    /// Ends a command well: first what others did, then its own OK.
    fn done(&mut self, tag: &str, code: Option<Code>, text: &str) -> Result<(), Trouble> {
        self.done_with(tag, code, text, true)
    }

    /// As `done`; `expunges` is false for FETCH, STORE and SEARCH by number, during which numbers
    /// must not move. RFC 3501 §7.4.1.
    fn done_with(
        &mut self,
        tag: &str,
        code: Option<Code>,
        text: &str,
        expunges: bool,
    ) -> Result<(), Trouble> {
        match self.tell_changes(expunges) {
            Err(Trouble::Ended) => return Err(Trouble::Ended),
            // What could not be asked now is told with the next command.
            _ => self.writer().tagged(tag, Condition::Ok, code, text),
        }
        Ok(())
    }

    fn bad(&mut self, tag: Option<&str>, why: &str) -> Next {
        self.awaited = Awaited::Nothing;
        match tag {
            Some(tag) => self.writer().tagged(tag, Condition::Bad, None, why),
            None => self.writer().untagged(Condition::Bad, None, why),
        }
        Next::Goes
    }

    fn bye(&mut self, why: &str) -> Next {
        self.writer().untagged(Condition::Bye, None, why);
        Next::Ends
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.out)
    }

    fn person(&mut self) -> Result<&mut Person, Trouble> {
        self.person.as_deref_mut().ok_or(Trouble::Misplaced("sign in first"))
    }

    fn flush_if_large(&mut self) -> Result<(), Fault> {
        if self.out.len() >= OUT_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.line.write(&self.out)?;
        self.out.clear();
        if self.out.capacity() > IDLE_BYTES.max(OUT_BYTES * 2) {
            self.out = Vec::new();
        }
        Ok(())
    }
}
