//! What is taken out of the house, written down in `DIR/isolated`: it outlives us, as a freeze
//! outlives `identity`. Only an operator's word ends it.

use crate::household::Household;
use crate::plan::Happening;
use evidence::{Body, Word};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use terms::Kind;
use wire::control::Isolation;
use wire::sentinel::{may_be_isolated, may_be_isolated_unasked};

/// One line for each: the kind, since when, by whose word.
const NOTE: &str = "isolated";
const NEW: &str = "isolated.new";
/// Kinds are few and lines short.
const NOTE_BYTES: u64 = 4 * 1024;

/// Whether it is for `by` to take a kind out (`isolated`) or to let it in again.
pub fn is_for(by: Kind, kind: Kind, isolated: bool) -> bool {
    match by {
        Kind::Admin => true,
        Kind::Sentinel => isolated && may_be_isolated_unasked(kind),
        _ => false,
    }
}

/// What was written down when we ran last.
pub fn read(data: &Path) -> io::Result<Vec<Isolation>> {
    let path = data.join(NOTE);
    let length = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        about => about?.len(),
    };
    if length > NOTE_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let text = fs::read_to_string(&path)?;
    text.lines().map(|line| parse(line).ok_or(ErrorKind::InvalidData.into())).collect()
}

fn parse(line: &str) -> Option<Isolation> {
    let mut words = line.split(' ');
    let kind = Kind::parse(words.next()?).filter(|kind| may_be_isolated(*kind))?;
    let since_ms = words.next()?.parse().ok()?;
    let by = Kind::parse(words.next()?)?;
    words.next().is_none().then_some(Isolation { kind, since_ms, by })
}

/// Written whole, and on the disk, before it is acted upon.
fn write(data: &Path, isolations: &[Isolation]) -> io::Result<()> {
    let (path, new) = (data.join(NOTE), data.join(NEW));
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    for Isolation { kind, since_ms, by } in isolations {
        writeln!(file, "{} {since_ms} {}", kind.word(), by.word())?;
    }
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(data)?.sync_all()
}

impl Household {
    /// Takes out of the house again what was out of it when we ended.
    pub fn recall_isolations(&mut self) {
        let found = match read(&self.plan.data) {
            Ok(found) => found,
            Err(error) => {
                let what = format!("the note of what is isolated cannot be read: {error}");
                return self.say_of_isolations(&what);
            }
        };
        for isolation in found {
            let Some(part) = self.part_mut(isolation.kind) else { continue };
            part.isolation = Some(isolation);
            let kind = isolation.kind.word();
            self.note(format!("{kind} stays isolated; `release {kind}` lets it in again"));
        }
    }

    pub fn isolations(&self) -> Vec<Isolation> {
        self.parts.iter().filter_map(|part| part.isolation).collect()
    }

    /// Takes a kind out of the house, or lets it in again. Recorded by us.
    pub fn isolate(&mut self, kind: Kind, isolated: bool, by: Kind) {
        let own = self.part_mut(kind).filter(|part| part.isolation.is_some() != isolated);
        let (Some(part), true) = (own, may_be_isolated(kind)) else { return };
        let since_ms = compartment::now_ms();
        part.isolation = isolated.then_some(Isolation { kind, since_ms, by });
        let holder = part.holder;
        if let Err(error) = write(&self.plan.data, &self.isolations()) {
            let what = format!("what is isolated could not be written down: {error}");
            self.say_of_isolations(&what);
        }
        if by == Kind::Sentinel {
            // By us, too: a sentinel in wrong hands takes nobody away in silence.
            let what = format!("isolated by the sentinel: {}", kind.word());
            let pid = std::process::id();
            self.raise_alarm(self.own, Kind::Warden, pid, "attention", &what, None);
        }
        let by = Word::new(by.word());
        self.recorder.record(match isolated {
            true => Body::Isolate { kind, by },
            false => Body::Rejoin { kind, by },
        });
        match (isolated, holder) {
            // Its instances end with their zygote, and nobody new is born for those who asked.
            (true, holder) => {
                self.wants.forget_numbered(kind);
                holder.into_iter().for_each(|holder| self.dismiss_member(holder, true));
            }
            (false, _) => self.fill_pool(kind),
        }
        let text = if isolated { "is isolated" } else { "is let in again" };
        self.note(format!("{} {text}", kind.word()));
    }

    fn say_of_isolations(&mut self, what: &str) {
        self.raise_alarm(self.own, Kind::Warden, std::process::id(), "report", what, None);
    }

    fn note(&mut self, text: String) {
        let instance = self.own;
        (self.plan.tell)(&Happening::Note { instance, kind: Kind::Warden, text });
    }
}

#[cfg(test)]
mod tests {
    use super::{is_for, parse, read, write};
    use std::fs;
    use terms::Kind;
    use wire::control::Isolation;

    #[test]
    fn only_an_operator_lets_anybody_in_again() {
        let check = |by, kind, isolated, expected| {
            assert_eq!(is_for(by, kind, isolated), expected, "{by:?} {kind:?} {isolated}");
        };
        check(Kind::Sentinel, Kind::Scanner, true, true);
        check(Kind::Sentinel, Kind::Scanner, false, false);
        for vital in [Kind::Vault, Kind::Ledger, Kind::Mirror, Kind::Mailbox, Kind::Gate] {
            check(Kind::Sentinel, vital, true, false);
        }
        check(Kind::Admin, Kind::Scanner, false, true);
        check(Kind::Admin, Kind::Vault, true, true);
        check(Kind::Edge, Kind::Scanner, true, false);
    }

    #[test]
    fn what_is_written_down_is_read_again() {
        let data = std::env::temp_dir().join(format!("sekisho-isolated-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        assert_eq!(read(&data).unwrap(), []);
        let one = |kind, since_ms| Isolation { kind, since_ms, by: Kind::Admin };
        let all = [one(Kind::Scanner, 7), one(Kind::Vault, 8)];
        write(&data, &all).unwrap();
        assert_eq!(read(&data).unwrap(), all);
        write(&data, &[]).unwrap();
        assert_eq!(read(&data).unwrap(), []);
        fs::write(data.join(super::NOTE), "scanner\n").unwrap();
        assert!(read(&data).is_err());
        // Nobody could let it in again: such a line is no note of ours.
        assert_eq!(parse("ledger 7 admin"), None);
        fs::remove_dir_all(&data).unwrap();
    }
}
