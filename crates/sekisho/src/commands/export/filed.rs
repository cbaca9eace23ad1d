//! Exported mail on the disk: what IMAP has of a message, in the form that was asked for. All of it
//! is somebody's plaintext, so only who exports may read it.

use imap::Day;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Mbox,
    Maildir,
    Eml,
}

/// A message as IMAP has it.
#[derive(Debug, PartialEq)]
pub struct Letter<'a> {
    pub octets: &'a [u8],
    /// System flags with their backslash, and keywords.
    pub flags: Vec<String>,
    /// INTERNALDATE, in seconds since 1970 (UTC).
    pub received: u64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Of the week, from the first of 1970 on.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_SECONDS: u64 = 86_400;
/// Letters of a maildir's info, in the order of the alphabet, as its readers demand.
const LETTERS: [(&str, char); 5] = [
    ("\\Draft", 'D'),
    ("\\Flagged", 'F'),
    ("\\Answered", 'R'),
    ("\\Seen", 'S'),
    ("\\Deleted", 'T'),
];
/// Letters of `X-Status`, as mutt and dovecot write them.
const MARKS: [(&str, char); 4] =
    [("\\Answered", 'A'), ("\\Flagged", 'F'), ("\\Draft", 'T'), ("\\Deleted", 'D')];
/// Keywords have the letters `a` to `z` in the names of a maildir.
const KEYWORDS: usize = 26;
/// No folder of a person begins with a dot (`file_name`), so it is in nobody's way.
const INDEX: &str = ".flags.tsv";
const KEYWORDS_FILE: &str = "dovecot-keywords";

impl Letter<'_> {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|one| one.eq_ignore_ascii_case(flag))
    }

    fn keywords(&self) -> impl Iterator<Item = &String> {
        self.flags.iter().filter(|flag| !flag.starts_with('\\'))
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.received)
    }
}

/// One folder of a person, while it is written.
pub struct Filing {
    form: Form,
    path: PathBuf,
    /// By the letter of each, in the order in which they came.
    keywords: Vec<String>,
    /// A line for each message, where the form has no place for flags.
    index: String,
    has_left_out: bool,
}

impl Filing {
    pub fn of(form: Form, folder: &Path, name: &str) -> Self {
        let index = "file\treceived\tflags\n".to_owned();
        let (path, keywords) = (path_of(folder, name), Vec::new());
        Self { form, path, keywords, index, has_left_out: false }
    }

    pub fn take(&mut self, letter: &Letter<'_>, number: u64) -> io::Result<()> {
        match self.form {
            Form::Eml => {
                make_folder(&self.path)?;
                let name = format!("{number:06}.eml");
                put(&self.path.join(&name), letter.octets, Some(letter.time()))?;
                self.note(letter, &name);
                Ok(())
            }
            Form::Maildir => {
                for part in ["cur", "new", "tmp"] {
                    make_folder(&self.path.join(part))?;
                }
                let info = self.info(letter);
                // What has no mark at all is new to whoever opens the folder.
                let (part, info) = match info.is_empty() {
                    true => ("new", info),
                    false => ("cur", format!(":2,{info}")),
                };
                let name = format!("{}.{number:06}.sekisho{info}", letter.received);
                put(&self.path.join(part).join(&name), letter.octets, Some(letter.time()))?;
                self.note(letter, &name);
                Ok(())
            }
            Form::Mbox => {
                if let Some(parent) = self.path.parent() {
                    make_folder(parent)?;
                }
                let mut last = self.path.file_name().unwrap_or_default().to_owned();
                last.push(".mbox");
                let mut options = File::options();
                // The first message begins the file anew: what an earlier try left is not doubled.
                match number {
                    1 => options.write(true).create(true).truncate(true),
                    _ => options.append(true).create(true),
                };
                let mut file = options.mode(0o600).open(self.path.with_file_name(last))?;
                file.set_permissions(Permissions::from_mode(0o600))?;
                file.write_all(&mbox_entry(letter))
            }
        }
    }

    /// Letters of flags and keywords, in order.
    fn info(&mut self, letter: &Letter<'_>) -> String {
        let flags = LETTERS.iter().filter(|(flag, _)| letter.has(flag)).map(|(_, mark)| *mark);
        let mut info: String = flags.collect();
        let mut marks = Vec::new();
        for keyword in letter.keywords() {
            let known = self.keywords.iter().position(|one| one == keyword);
            let at = known.unwrap_or(self.keywords.len());
            if at >= KEYWORDS {
                self.has_left_out = true;
                continue;
            }
            if known.is_none() {
                self.keywords.push(keyword.clone());
            }
            marks.extend(('a'..='z').nth(at));
        }
        marks.sort_unstable();
        info.extend(marks);
        info
    }

    fn note(&mut self, letter: &Letter<'_>, name: &str) {
        let received = evidence::rfc3339(letter.received.saturating_mul(1_000));
        self.index.push_str(&format!("{name}\t{received}\t{}\n", letter.flags.join(" ")));
    }

    /// What stands beside the messages; the file that tells their flags, if there is one.
    pub fn finish(self) -> io::Result<Option<PathBuf>> {
        if !self.keywords.is_empty() {
            let lines = self.keywords.iter().enumerate();
            let text: String = lines.map(|(at, keyword)| format!("{at} {keyword}\n")).collect();
            put(&self.path.join(KEYWORDS_FILE), text.as_bytes(), None)?;
        }
        let is_wanted = match self.form {
            Form::Eml => self.path.is_dir(),
            Form::Maildir => self.has_left_out,
            Form::Mbox => false,
        };
        let index = is_wanted.then(|| self.path.join(INDEX));
        index.map(|path| put(&path, self.index.as_bytes(), None).map(|()| path)).transpose()
    }
}

/// A folder for its owner alone, with those above it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A file for its owner alone, also where an earlier try left one.
pub fn put(path: &Path, octets: &[u8], at: Option<SystemTime>) -> io::Result<()> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(octets)?;
    at.map_or(Ok(()), |at| file.set_modified(at))
}

/// The person's own folder, also where an earlier version left it open to others.
pub fn make_own(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// A folder's name as a path: its levels are folders, and nothing in it leads elsewhere.
pub fn path_of(base: &Path, name: &str) -> PathBuf {
    let levels = name.split('/').filter(|level| !level.is_empty());
    levels.fold(base.to_owned(), |path, level| path.join(file_name(level)))
}

/// A level's name as that of a file, and of no other level: what leads elsewhere, or is the name of
/// what we put there ourselves, is escaped as in a URL.
pub fn file_name(name: &str) -> String {
    let own = ["cur", "new", "tmp", KEYWORDS_FILE];
    let is_ours = own.contains(&name) || name.ends_with(".eml") || name.ends_with(".mbox");
    let mut safe = String::new();
    for (at, one) in name.chars().enumerate() {
        let is_first = at == 0 && (one == '.' || is_ours);
        match is_first || one == '/' || one == '%' || one.is_control() {
            true => {
                let mut octets = [0; 4];
                let octets = one.encode_utf8(&mut octets).bytes();
                octets.for_each(|octet| safe.push_str(&format!("%{octet:02X}")));
            }
            false => safe.push(one),
        }
    }
    safe
}

/// `dd-Mon-yyyy hh:mm:ss +zzzz` (RFC 3501 §9, date-time), in seconds since 1970.
pub fn seconds_of(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let day = date.next()?.parse().ok()?;
    let month = date.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year = date.next()?.parse().ok()?;
    let mut time = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let (sign, zone) = match zone.split_at_checked(1)? {
        ("-", zone) => (-1, zone),
        (_, zone) => (1, zone),
    };
    let zone: i64 = zone.parse().ok()?;
    let east = sign * (zone / 100 * 60 + zone % 100);
    let Day(days) = Day::from_civil(year, i64::try_from(month).ok()? + 1, day);
    let minutes = (days * 24 + hour) * 60 + minute - east;
    u64::try_from(minutes * 60 + second).ok()
}

/// As C's `asctime`, in UTC: what stands in a separator of an mbox.
fn asctime(seconds: u64) -> String {
    let days = seconds / DAY_SECONDS;
    let (year, month, day) = Day(i64::try_from(days).unwrap_or_default()).civil();
    let name = usize::try_from(days % 7).ok().and_then(|at| DAYS.get(at)).unwrap_or(&"Thu");
    let month = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"Jan");
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{name} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year:04}")
}

/// One entry of an mbox file, lines that look like a separator marked (mboxrd), ends of lines as
/// Unix writes them. What IMAP says of it stands before its own header.
fn mbox_entry(letter: &Letter<'_>) -> Vec<u8> {
    let read = if letter.has("\\Seen") { "RO" } else { "O" };
    let mut head = format!("From sekisho@localhost {}\n", asctime(letter.received));
    head.push_str(&format!("Status: {read}\n"));
    let marks: String =
        MARKS.iter().filter(|(flag, _)| letter.has(flag)).map(|(_, mark)| *mark).collect();
    if !marks.is_empty() {
        head.push_str(&format!("X-Status: {marks}\n"));
    }
    let keywords: Vec<&str> = letter.keywords().map(String::as_str).collect();
    if !keywords.is_empty() {
        head.push_str(&format!("X-Keywords: {}\n", keywords.join(" ")));
    }
    let mut entry = head.into_bytes();
    for line in letter.octets.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        let marks = bare.iter().take_while(|byte| **byte == b'>').count();
        if bare.get(marks..).unwrap_or_default().starts_with(b"From ") {
            entry.push(b'>');
        }
        entry.extend_from_slice(bare);
        entry.push(b'\n');
    }
    entry.push(b'\n');
    entry
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::{Filing, Form, Letter, asctime, mbox_entry, path_of, seconds_of};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    const AT: u64 = 1_796_000_000;

    fn letter<'a>(octets: &'a [u8], flags: &[&str]) -> Letter<'a> {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Letter { octets, flags, received: AT }
    }

    /// Everything below a folder, and whether it is its owner's alone.
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if kind.is_dir() { 0o700 } else { 0o600 }, "{:?}", entry.path());
            match kind.is_dir() {
                true => below(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }

    /// The files of one folder with these two letters.
    fn filed(form: Form) -> (PathBuf, Vec<String>) {
        let name = format!("sekisho-filed-{form:?}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        super::make_own(&folder).unwrap();
        let mut filing = Filing::of(form, &folder, "INBOX");
        filing.take(&letter(b"Subject: a\r\n\r\na", &[]), 1).unwrap();
        let flags = ["\\Seen", "\\Flagged", "\\Draft", "\\Answered", "\\Deleted", "$Work", "b"];
        filing.take(&letter(b"Subject: b\r\n\r\nb", &flags), 2).unwrap();
        filing.finish().unwrap();
        let mut found = Vec::new();
        below(&folder, &mut found);
        found.sort();
        for path in &found {
            let is_letter = fs::read(path).unwrap().starts_with(b"Subject: ");
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            let is_then = modified == SystemTime::UNIX_EPOCH + Duration::from_secs(AT);
            assert_eq!(is_letter, is_then, "{path:?}");
        }
        let short = |path: &PathBuf| path.strip_prefix(&folder).unwrap().display().to_string();
        let names = found.iter().map(short).collect();
        (folder, names)
    }

    #[test]
    fn what_imap_has_goes_along() {
        let (folder, names) = filed(Form::Maildir);
        let expected = [
            "INBOX/cur/1796000000.000002.sekisho:2,DFRSTab",
            "INBOX/dovecot-keywords",
            "INBOX/new/1796000000.000001.sekisho",
        ];
        assert_eq!(names, expected);
        let keywords = fs::read_to_string(folder.join("INBOX/dovecot-keywords")).unwrap();
        assert_eq!(keywords, "0 $Work\n1 b\n");
        fs::remove_dir_all(folder).unwrap();
        let (folder, names) = filed(Form::Eml);
        assert_eq!(names, ["INBOX/.flags.tsv", "INBOX/000001.eml", "INBOX/000002.eml"]);
        let index = fs::read_to_string(folder.join("INBOX/.flags.tsv")).unwrap();
        let last = index.lines().last().unwrap();
        let at = evidence::rfc3339(AT * 1_000);
        let flags = "\\Seen \\Flagged \\Draft \\Answered \\Deleted $Work b";
        assert_eq!(last, format!("000002.eml\t{at}\t{flags}"));
        fs::remove_dir_all(folder).unwrap();
        let (folder, names) = filed(Form::Mbox);
        assert_eq!(names, ["INBOX.mbox"]);
        let text = fs::read_to_string(folder.join("INBOX.mbox")).unwrap();
        let from = format!("From sekisho@localhost {}\n", asctime(AT));
        let marks = "Status: RO\nX-Status: AFTD\nX-Keywords: $Work b\n";
        let first = format!("{from}Status: O\nSubject: a\n\na\n\n");
        assert_eq!(text, format!("{first}{from}{marks}Subject: b\n\nb\n\n"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_has_no_letter_left_stands_beside() {
        let folder = std::env::temp_dir().join(format!("sekisho-many-{}", std::process::id()));
        let mut filing = Filing::of(Form::Maildir, &folder, "INBOX");
        let many: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        filing.take(&letter(b"x", &many), 1).unwrap();
        let index = filing.finish().unwrap().unwrap();
        assert!(fs::read_to_string(index).unwrap().contains("k28 k29\n"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(seconds_of(text), expected, "{text}");
        };
        check("01-Jan-1970 00:00:00 +0000", Some(0));
        check("29-Feb-2028 23:59:59 +0900", Some(1_835_449_199));
        check("17-Jul-1996 02:44:25 -0700", Some(837_596_665));
        check(" 7-Feb-1994 21:52:25 -0800", Some(760_686_745));
        check("31-Dec-1969 00:00:00 +0000", None);
        check("soon", None);
        assert_eq!(asctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(asctime(837_596_665), "Wed Jul 17 09:44:25 1996");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let check = |name: &str, expected: &str| {
            assert_eq!(path_of(Path::new("/to"), name), Path::new(expected), "{name}");
        };
        check("INBOX", "/to/INBOX");
        check("請求書/2026", "/to/請求書/2026");
        check("../../etc/passwd", "/to/%2E./%2E./etc/passwd");
        check("/etc", "/to/etc");
        check("a\0b%00", "/to/a%00b%2500");
        // No two folders are one, and none is what an export puts there itself.
        check(".archive", "/to/%2Earchive");
        check("_archive", "/to/_archive");
        check("AB/000001.eml", "/to/AB/%3000001.eml");
        check("AB.mbox/new", "/to/%41B.mbox/%6Eew");
        check("請求書.eml", "/to/%E8%AB%8B求書.eml");
    }

    #[test]
    fn an_mbox_comes_apart_where_it_was_put_together() {
        let octets = b"Subject: x\r\n\r\nFrom here\r\n>From there\r\nend";
        let text = String::from_utf8(mbox_entry(&letter(octets, &[]))).unwrap();
        assert!(text.contains("\n>From here\n>>From there\nend\n\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("From ")).count(), 1);
    }
}
