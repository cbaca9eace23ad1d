//! POP3 on the same ground: INBOX as a numbered list, read whole, deleted at QUIT.

use crate::ends::{Ends, Woken};
use crate::fault::{Fault, Trouble};
use crate::keeper;
use crate::line::Line;
use crate::person::{Entry, Opened, Person};
use pop3::{Command, Reader, Step, Stuffer, Writer};
use std::time::{Duration, Instant};
use terms::FolderId;
use wire::identity::Protocol;
use wire::mailbox::{FromAccess, Row, SpecialUse, flag};

/// RFC 1939 §3: at least 10 minutes.
const SILENCE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Before sign-in.
const STRANGER_LIMIT: Duration = Duration::from_secs(60);
const REST_AFTER: Duration = Duration::from_secs(2);
const REFUSALS: u32 = 3;
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// Octets of answers gathered before they are sent.
const OUT_BYTES: usize = 64 * 1024;

const CAPABILITIES: &[&str] = &[
    "USER",
    "TOP",
    "UIDL",
    "PIPELINING",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "EXPIRE NEVER",
    "IMPLEMENTATION Sekisho",
];

/// RFC 1939 §4 to §6: the mailbox as it was at sign-in.
struct Maildrop {
    folder: FolderId,
    uid_validity: u32,
    rows: Vec<Row>,
    deleted: Vec<bool>,
}

struct Pop<'a> {
    line: Line,
    ends: &'a mut Ends,
    reader: Reader,
    out: Vec<u8>,
    user: Option<Vec<u8>>,
    person: Option<Box<Person>>,
    mailbox: Option<Maildrop>,
    refusals: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Goes,
    Ends,
}

/// The whole conversation.
pub fn serve(line: Line, ends: &mut Ends) -> Result<(), Fault> {
    let mut pop = Pop {
        line,
        ends,
        reader: Reader::new(),
        out: Vec::new(),
        user: None,
        person: None,
        mailbox: None,
        refusals: 0,
    };
    pop.writer().ok("Sekisho is ready");
    let served = pop.converse();
    let flushed = pop.flush();
    pop.line.close();
    served.and(flushed)
}

impl Pop<'_> {
    fn converse(&mut self) -> Result<(), Fault> {
        loop {
            let next = match self.reader.step() {
                Step::NeedMore => self.listen()?,
                Step::Command(command) => self.obey(command)?,
                Step::Bad(why) => self.err(None, why),
                Step::Close(why) => {
                    self.err(None, why);
                    Next::Ends
                }
            };
            if next == Next::Ends {
                return Ok(());
            }
            if self.out.len() >= OUT_BYTES {
                self.flush()?;
            }
        }
    }

    fn listen(&mut self) -> Result<Next, Fault> {
        self.flush()?;
        let began = Instant::now();
        let limit = if self.person.is_some() { SILENCE_LIMIT } else { STRANGER_LIMIT };
        let mut rested = false;
        loop {
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
                    return Ok(Next::Goes);
                }
                Woken::News => {}
                Woken::Closing => return Ok(self.leave("[SYS/TEMP] the server is going down")),
                Woken::Late if !rested => {
                    rested = true;
                    self.reader.rest();
                    if let Some(person) = &mut self.person {
                        person.rest();
                    }
                    compartment::give_memory_back();
                }
                Woken::Late if began.elapsed() >= limit => {
                    return Ok(self.leave("nothing was heard for too long"));
                }
                Woken::Late => {}
            }
        }
    }

    fn leave(&mut self, why: &str) -> Next {
        self.err(None, why);
        Next::Ends
    }

    fn obey(&mut self, command: Command) -> Result<Next, Fault> {
        let signed_in = self.person.is_some();
        let done = match command {
            Command::Capa => self.capa(),
            Command::Quit => return Ok(self.quit()),
            Command::User(_) | Command::Pass(_) if signed_in => {
                Err(Trouble::Misplaced("you are signed in already"))
            }
            Command::User(name) => {
                self.user = Some(name);
                self.writer().ok("and the app password?");
                Ok(())
            }
            Command::Pass(secret) => return self.pass(&secret.0),
            _ if !signed_in => Err(Trouble::Misplaced("sign in first")),
            Command::Stat => self.stat(),
            Command::List(number) => self.list(number),
            Command::Uidl(number) => self.uidl(number),
            Command::Retr(number) => self.show(number, None),
            Command::Top { number, lines } => self.show(number, Some(lines)),
            Command::Dele(number) => self.dele(number),
            Command::Rset => self.rset(),
            Command::Noop => {
                self.writer().ok("");
                Ok(())
            }
        };
        match done {
            Ok(()) => Ok(Next::Goes),
            Err(Trouble::Line) => Err(Fault::Line),
            Err(trouble) => Ok(self.refuse(trouble)),
        }
    }

    fn refuse(&mut self, trouble: Trouble) -> Next {
        let (_, text) = trouble.words();
        let code = match trouble {
            Trouble::Unavailable | Trouble::Stopped | Trouble::Away(_) | Trouble::Full => {
                Some("SYS/TEMP")
            }
            Trouble::Broken => Some("SYS/PERM"),
            // RFC 2449 §8.1.2: signed in, and yet not let in.
            Trouble::No(code @ "IN-USE", _) => Some(code),
            _ => None,
        };
        self.err(code, text);
        if trouble == Trouble::Ended { Next::Ends } else { Next::Goes }
    }

    fn capa(&mut self) -> Result<(), Trouble> {
        let mut writer = self.writer();
        writer.ok("what is offered");
        CAPABILITIES.iter().for_each(|name| writer.capability(name));
        writer.end();
        Ok(())
    }

    fn pass(&mut self, secret: &[u8]) -> Result<Next, Fault> {
        let Some(user) = self.user.take() else {
            return Ok(self.err(None, "USER comes first"));
        };
        let why = match Person::sign_in(self.ends, Protocol::Pop3, &user, secret) {
            Ok(Entry::Welcome(person)) => {
                self.person = Some(person);
                match self.open_inbox() {
                    Ok(()) => return Ok(Next::Goes),
                    Err(trouble) => {
                        self.refuse(trouble);
                        return Ok(Next::Ends); // a person is bound to this process for good
                    }
                }
            }
            Ok(Entry::NotAppPassword) => "this line takes app passwords only",
            Ok(Entry::Refused) => "name or app password is wrong",
            Err(trouble) => return Ok(self.refuse(trouble)),
        };
        std::thread::sleep(REFUSAL_PAUSE);
        self.refusals += 1;
        self.err(Some("AUTH"), why);
        Ok(if self.refusals >= REFUSALS { Next::Ends } else { Next::Goes })
    }

    fn open_inbox(&mut self) -> Result<(), Trouble> {
        keeper::maildrop(self.ends, true)?;
        let fronts = keeper::folders(self.ends)?;
        let inbox = fronts.iter().find(|front| front.special == Some(SpecialUse::Inbox));
        let folder = inbox.ok_or(Trouble::NoSuchFolder)?.folder;
        let found = keeper::rows(self.ends, folder, None)?;
        let deleted = vec![false; found.rows.len()];
        let uid_validity = found.uid_validity;
        self.mailbox = Some(Maildrop { folder, uid_validity, rows: found.rows, deleted });
        self.writer().ok("welcome");
        Ok(())
    }

    /// A message that stands here and is not deleted.
    fn message(&self, number: u32) -> Result<(FolderId, usize, Row), Trouble> {
        let none = Trouble::Misplaced("there is no such message");
        let mailbox = self.mailbox.as_ref().ok_or(none)?;
        let place = number as usize - 1;
        let row = mailbox.rows.get(place).ok_or(none)?;
        if mailbox.deleted.get(place) != Some(&false) {
            return Err(Trouble::Misplaced("the message is deleted"));
        }
        Ok((mailbox.folder, place, *row))
    }

    /// Numbers and rows of what is not deleted.
    fn standing(&self) -> Vec<(u32, Row)> {
        let Some(mailbox) = &self.mailbox else { return Vec::new() };
        let rows = mailbox.rows.iter().zip(&mailbox.deleted).zip(1..);
        rows.filter(|((_, deleted), _)| !**deleted).map(|((row, _), n)| (n, *row)).collect()
    }

    fn stat(&mut self) -> Result<(), Trouble> {
        let standing = self.standing();
        let octets = standing.iter().map(|(_, row)| u64::from(row.size)).sum();
        self.writer().stat(standing.len() as u64, octets);
        Ok(())
    }

    fn list(&mut self, number: Option<u32>) -> Result<(), Trouble> {
        if let Some(number) = number {
            let (_, _, row) = self.message(number)?;
            self.writer().ok(&format!("{number} {}", row.size));
            return Ok(());
        }
        let standing = self.standing();
        let mut writer = self.writer();
        writer.ok("sizes follow");
        standing.iter().for_each(|(number, row)| writer.entry(*number, &row.size.to_string()));
        writer.end();
        Ok(())
    }

    fn uidl(&mut self, number: Option<u32>) -> Result<(), Trouble> {
        let validity = self.mailbox.as_ref().map_or(0, |mailbox| mailbox.uid_validity);
        let unique = |row: &Row| format!("{validity:08x}{:08x}", row.uid);
        if let Some(number) = number {
            let (_, _, row) = self.message(number)?;
            self.writer().ok(&format!("{number} {}", unique(&row)));
            return Ok(());
        }
        let standing = self.standing();
        let mut writer = self.writer();
        writer.ok("unique ids follow");
        standing.iter().for_each(|(number, row)| writer.entry(*number, &unique(row)));
        writer.end();
        Ok(())
    }

    /// RETR, or TOP with `lines`. Where only the header is asked for, and the summary holds all of
    /// it, the body stays closed.
    fn show(&mut self, number: u32, lines: Option<u32>) -> Result<(), Trouble> {
        let (folder, _, row) = self.message(number)?;
        let Self { person: Some(person), ends, line, out, .. } = self else {
            return Err(Trouble::Ended);
        };
        let gone = Trouble::No("", "the message is gone");
        let mut header = None;
        if lines == Some(0) {
            person.open_summaries(ends, folder, &[row.uid])?;
            header = person.summary(folder, row.uid).and_then(Opened::header);
        }
        let octets = match &header {
            Some(header) => header,
            None => person.body(ends, folder, row.uid)?.ok_or(gone)?,
        };
        let octets = lines.map_or(octets, |lines| pop3::top(octets, lines));
        Writer::new(out).ok("the message follows");
        let mut stuffer = Stuffer::new();
        for piece in octets.chunks(OUT_BYTES) {
            stuffer.write(piece, out);
            line.write(out).map_err(|_| Trouble::Line)?;
            out.clear();
        }
        stuffer.end(out);
        person.forget_body();
        Ok(())
    }

    fn dele(&mut self, number: u32) -> Result<(), Trouble> {
        let (_, place, _) = self.message(number)?;
        if let Some(deleted) = self.mailbox.as_mut().and_then(|m| m.deleted.get_mut(place)) {
            *deleted = true;
        }
        self.writer().ok("marked");
        Ok(())
    }

    fn rset(&mut self) -> Result<(), Trouble> {
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.deleted.fill(false);
        }
        self.writer().ok("nothing is marked any more");
        Ok(())
    }

    /// RFC 1939 §6: only QUIT deletes. The maildrop is free before the goodbye: whoever hears it
    /// may come again at once.
    fn quit(&mut self) -> Next {
        let deleted = self.delete_marked();
        if self.mailbox.is_some() {
            let _ = keeper::maildrop(self.ends, false);
        }
        match deleted {
            Ok(()) => self.writer().ok("goodbye"),
            Err(trouble) => {
                self.refuse(trouble);
            }
        }
        Next::Ends
    }

    fn delete_marked(&mut self) -> Result<(), Trouble> {
        let Some(mailbox) = &self.mailbox else { return Ok(()) };
        let marked = mailbox.rows.iter().zip(&mailbox.deleted).filter(|(_, deleted)| **deleted);
        let uids: Vec<u32> = marked.map(|(row, _)| row.uid).collect();
        if uids.is_empty() {
            return Ok(());
        }
        let folder = mailbox.folder;
        // A mailbox that was restarted meanwhile has forgotten whose it was.
        keeper::maildrop(self.ends, true)?;
        let store = FromAccess::Store {
            folder,
            uids: uids.clone(),
            add: flag::DELETED,
            remove: 0,
            replace: false,
            unchanged_since: None,
        };
        keeper::ask(self.ends, &store, false)?;
        keeper::expunge(self.ends, folder, Some(uids)).map(|_| ())
    }

    fn err(&mut self, code: Option<&str>, text: &str) -> Next {
        self.writer().err(code, text);
        Next::Goes
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(&mut self.out)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.line.write(&self.out)?;
        self.out = Vec::new();
        Ok(())
    }
}
