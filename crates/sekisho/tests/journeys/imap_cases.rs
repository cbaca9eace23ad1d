//! IMAP by cases: command and what must come back, from RFC 3501, 4315, 4731, 5258, 6851, 7162.
//!
//! The tables stand in `imap/*.case`; their notation is told in `imap/README.md`. Untagged
//! responses are compared as sets, and variables (`$uid1`) are bound at their first use.

use super::house::Demo;
use super::imap_value::{Value, parse};
use super::reader::{Answer, Reader};
use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

const PERSON: &str = "bob@example.net";

type Bound = HashMap<String, Value>;

/// One group of a table: its connections, its folder, what its variables are.
struct Group<'a> {
    demo: &'a Demo,
    name: String,
    folder: String,
    letters: &'a HashMap<String, Vec<u8>>,
    readers: HashMap<String, Reader>,
    bound: Bound,
    last: Option<Answer>,
    line: String,
}

/// The whole table; every group in a folder of its own.
fn run(table: &str) {
    let name = format!("imap/{table}.case");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journeys").join(&name);
    let here = Path::new(file!()).with_file_name("imap").join(format!("{table}.case"));
    let table = std::fs::read_to_string(if beside.exists() { beside } else { here }).unwrap();
    static DEMO: OnceLock<Demo> = OnceLock::new();
    let demo = DEMO.get_or_init(|| Demo::fresh("imap-cases"));
    let (letters, groups) = read(&table);
    assert!(!groups.is_empty());
    for (name, lines) in groups {
        let folder = format!("case-{}", name.replace(' ', "-"));
        let mut group = Group {
            demo,
            folder,
            name,
            letters: &letters,
            readers: HashMap::new(),
            bound: Bound::new(),
            last: None,
            line: String::new(),
        };
        lines.iter().for_each(|line| group.step(line));
        group.end();
    }
}

type Groups = Vec<(String, Vec<String>)>;

/// `@name … .` are letters, `== name` begins a group, `#` a remark.
fn read(table: &str) -> (HashMap<String, Vec<u8>>, Groups) {
    let mut letters = HashMap::new();
    let mut groups: Groups = Vec::new();
    let mut lines = table.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('@') {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != ".").collect();
            letters.insert(name.to_owned(), format!("{}\r\n", text.join("\r\n")).into_bytes());
        } else if let Some(name) = line.strip_prefix("== ") {
            groups.push((name.to_owned(), Vec::new()));
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            groups.last_mut().expect("a group").1.push(line.to_owned());
        }
    }
    (letters, groups)
}

impl Group<'_> {
    fn step(&mut self, line: &str) {
        self.line = line.to_owned();
        let trimmed = line.trim_start();
        match trimmed.split_at(1) {
            ("+", pattern) => self.expect(pattern.trim(), true),
            ("-", pattern) => self.expect(pattern.trim(), false),
            (">", pattern) => self.expect_end(pattern.trim()),
            _ => self.command(trimmed),
        }
    }

    fn fail(&self, what: &str) -> ! {
        let said = self.last.as_ref().map(Answer::text).unwrap_or_default();
        panic!("{}: {}\n{what}\nbound {:?}\nsaid {said}", self.name, self.line, self.bound)
    }

    /// `1: COMMAND`, `1 no: COMMAND`, `1 append [flags] [date]: letter`, `1 idle: `, `1 done: `.
    fn command(&mut self, line: &str) {
        // The date of an APPEND has colons of its own.
        let split = match line.contains(" append") {
            true => line.rsplit_once(": "),
            false => line.split_once(':'),
        };
        let Some((head, rest)) = split else { self.fail("no colon") };
        let rest = self.filled(rest.trim());
        let (who, how) = head.split_once(' ').unwrap_or((head, ""));
        let (who, how) = (who.to_owned(), how.to_owned());
        let demo = self.demo;
        let reader = self.readers.entry(who).or_insert_with(|| Reader::sign_in(demo, PERSON));
        let (verb, options) = how.split_once(' ').unwrap_or((&how, ""));
        let answer = match verb {
            "append" => {
                let Some(letter) = self.letters.get(&rest) else { panic!("no letter {rest}") };
                let space = if options.is_empty() { "" } else { " " };
                reader.append(&self.folder, &format!("{options}{space}"), letter)
            }
            "idle" => {
                reader.send(b"w IDLE\r\n");
                let line = reader.line().unwrap();
                assert!(line.starts_with(b"+ "), "{line:?}");
                Answer { untagged: Vec::new(), end: "OK".to_owned() }
            }
            // So many lines of news while it idles.
            "news" => {
                reader.patience(Duration::from_secs(20));
                let count: usize = rest.parse().unwrap();
                let untagged = (0..count).map(|_| reader.line().unwrap()).collect();
                Answer { untagged, end: "OK".to_owned() }
            }
            "done" => {
                reader.send(b"DONE\r\n");
                let mut untagged = Vec::new();
                loop {
                    let line = reader.line().unwrap();
                    match line.strip_prefix(b"w ") {
                        Some(end) => {
                            let end = String::from_utf8_lossy(end).into_owned();
                            break Answer { untagged, end };
                        }
                        None => untagged.push(line),
                    }
                }
            }
            _ => reader.say(&rest),
        };
        let wanted = if matches!(verb, "no" | "bad") { verb } else { "ok" };
        let is_so = verb == "any" || answer.end.to_lowercase().starts_with(wanted);
        self.last = Some(answer);
        if !is_so {
            self.fail("another end was expected");
        }
    }

    /// Variables that are bound already, in a command.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("$box", &self.folder);
        let mut names: Vec<&String> = self.bound.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            text = text.replace(&format!("${name}"), &self.bound[name].text());
        }
        text
    }

    fn expect(&mut self, pattern: &str, wanted: bool) {
        let pattern = parse(pattern.replace("$box", &self.folder).as_bytes(), true);
        let answer = self.last.as_ref().expect("a command first");
        let found = answer.untagged.iter().find_map(|line| {
            let value = parse(line.strip_prefix(b"* ")?.trim_ascii_end(), false);
            let mut bound = self.bound.clone();
            matches_all(&pattern, &value, &mut bound).then_some(bound)
        });
        match (found, wanted) {
            (Some(bound), true) => self.bound = bound,
            (None, false) => {}
            (None, true) => self.fail("this response did not come"),
            (Some(_), false) => self.fail("this response came"),
        }
    }

    fn expect_end(&mut self, pattern: &str) {
        let pattern = parse(pattern.replace("$box", &self.folder).as_bytes(), true);
        let end = self.last.as_ref().expect("a command first").end.trim_end().to_owned();
        let mut bound = self.bound.clone();
        if !matches_all(&pattern, &parse(end.as_bytes(), false), &mut bound) {
            self.fail("this end was expected");
        }
        self.bound = bound;
    }

    /// Takes the folders of this group away.
    fn end(mut self) {
        self.readers.clear();
        let mut reader = Reader::sign_in(self.demo, PERSON);
        let listed = reader.must(&format!("LIST \"\" \"{}*\"", self.folder)).text();
        for line in listed.lines().filter(|line| !line.contains("\\Noselect")) {
            let name = line.rsplit_once("\"/\" ").map(|(_, name)| name.trim());
            if let Some(name) = name {
                reader.must(&format!("DELETE {name}"));
            }
        }
    }
}

/// A response fits when it begins as the pattern says; `...` at the end leaves the rest open.
fn matches_all(pattern: &[Value], value: &[Value], bound: &mut Bound) -> bool {
    let open = pattern.last().is_some_and(|last| last.is("..."));
    let pattern = if open { &pattern[..pattern.len() - 1] } else { pattern };
    if value.len() < pattern.len() || (!open && value.len() > pattern.len()) {
        return false;
    }
    let is_fetch = value.get(1).is_some_and(|word| word.is("FETCH"));
    pattern.iter().zip(value).enumerate().all(|(at, (wanted, found))| {
        let before = at.checked_sub(1).and_then(|at| value.get(at));
        match (wanted, found) {
            (Value::List(wanted), Value::List(found)) if is_fetch && at == 2 => {
                items_match(wanted, found, bound)
            }
            _ => one_matches(wanted, found, before, bound),
        }
    })
}

/// Items of a FETCH come in any order, and more may come than were asked for.
fn items_match(wanted: &[Value], found: &[Value], bound: &mut Bound) -> bool {
    wanted.chunks(2).all(|pair| {
        found.chunks(2).any(|other| {
            pair[0].is(&other[0].text()) && one_matches(&pair[1], &other[1], other.first(), bound)
        })
    })
}

fn one_matches(wanted: &Value, found: &Value, before: Option<&Value>, bound: &mut Bound) -> bool {
    match (wanted, found) {
        (Value::Atom(name), found) if name.starts_with('$') => {
            let known = bound.entry(name[1..].to_owned()).or_insert_with(|| found.clone());
            known.text() == found.text()
        }
        (Value::Atom(any), _) if any == "_" => true,
        (Value::List(wanted), Value::List(found)) => {
            let is_set = before.is_some_and(|word| word.is("FLAGS") || word.is("PERMANENTFLAGS"));
            if is_set {
                return same_flags(wanted, found);
            }
            matches_all(wanted, found, bound)
        }
        // Attributes of LIST: those named must be there, others may.
        (Value::Text(wanted), Value::Text(found)) => wanted == found,
        (Value::Atom(_) | Value::Text(_), Value::Atom(_) | Value::Text(_)) => {
            wanted.is(&found.text())
        }
        (Value::Has(wanted), Value::List(found)) => {
            wanted.iter().all(|one| found.iter().any(|other| other.is(&one.text())))
        }
        _ => false,
    }
}

/// As sets; \Recent is not ours to foresee.
fn same_flags(wanted: &[Value], found: &[Value]) -> bool {
    let words = |list: &[Value]| {
        let mut words: Vec<String> = list.iter().map(|word| word.text().to_lowercase()).collect();
        words.retain(|word| word != "\\recent");
        words.sort();
        words
    };
    words(wanted) == words(found)
}

#[test]
fn cases_of_mailboxes() {
    run("mailboxes");
}

#[test]
fn cases_of_messages() {
    run("messages");
}

#[test]
fn cases_of_fetch() {
    run("fetch");
}

#[test]
fn cases_of_search() {
    run("search");
}

/// What mail programs say in their own way, recorded as habits.
#[test]
fn cases_of_clients() {
    run("clients");
}
