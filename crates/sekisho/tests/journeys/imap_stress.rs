//! Several clients at one folder at once, each with a model of what it was told: no response may
//! contradict it, and in the end what they were told piece by piece is what is there.
//!
//! `SEKISHO_STRESS_SECONDS` says how long, `SEKISHO_STRESS_SEED` with which chance.

use super::house::{Demo, folder};
use super::imap_value::{Value, parse};
use super::letters::letter;
use super::reader::Reader;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const PERSON: &str = "bob@example.net";
const CLIENTS: u64 = 5;
const SECONDS: u64 = 6;
/// From here on more is taken out than put in.
const MANY: usize = 60;
const FLAGS: &[&str] = &["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "one", "two"];

/// What is true for everybody: a UID is given once, and its message never changes.
#[derive(Default)]
struct Truth {
    given: HashSet<u32>,
    subjects: HashMap<u32, String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
    modseq: Option<u64>,
}

/// What may come while a command runs.
#[derive(Clone, Copy, PartialEq)]
enum During {
    /// FETCH, STORE, SEARCH by number: no EXPUNGE (RFC 3501 §7.4.1).
    Numbers,
    Anything,
}

struct Client<'a> {
    name: String,
    reader: Reader,
    chance: u64,
    truth: &'a Mutex<Truth>,
    messages: Vec<Known>,
    gone: HashSet<u32>,
    validity: Option<u64>,
    uid_next: u64,
    highest: u64,
    condstore: bool,
    searched: Option<Vec<u32>>,
    told: Vec<u32>,
    last: VecDeque<String>,
    tag: u32,
    commands: u64,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn many_clients_never_hear_a_contradiction() {
    let seed = setting("SEKISHO_STRESS_SEED", 1);
    let limit = Duration::from_secs(setting("SEKISHO_STRESS_SECONDS", SECONDS));
    let demo = Demo::fresh("imap-stress");
    let truth = Mutex::new(Truth::default());
    Reader::sign_in(&demo, PERSON).must("CREATE stress");
    Reader::sign_in(&demo, PERSON).must("CREATE aside");
    let until = Instant::now() + limit;
    let (demo, truth) = (&demo, &truth);
    let clients: Vec<Client> = std::thread::scope(|scope| {
        let run = |number: u64| {
            scope.spawn(move || {
                let mut client = Client::new(demo, truth, seed, number);
                while Instant::now() < until {
                    client.act();
                }
                client
            })
        };
        let all: Vec<_> = (0..CLIENTS).map(run).collect();
        all.into_iter()
            .map(|client| client.join().expect("a client without contradiction"))
            .collect()
    });
    let commands: u64 = clients.iter().map(|client| client.commands).sum();
    let mut ends: Vec<Vec<Known>> = Vec::new();
    for mut client in clients {
        ends.push(client.settle());
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "all see the same in the end");
    println!("imap stress: {commands} commands of {CLIENTS} clients, seed {seed}");
    assert!(commands > 50, "{commands} commands only");
    drop(folder("imap-stress-end"));
}

impl<'a> Client<'a> {
    fn new(demo: &Demo, truth: &'a Mutex<Truth>, seed: u64, number: u64) -> Self {
        let mut client = Self {
            name: format!("client {number}"),
            reader: Reader::sign_in(demo, PERSON),
            chance: (seed * 1_000 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            truth,
            messages: Vec::new(),
            gone: HashSet::new(),
            validity: None,
            uid_next: 0,
            highest: 0,
            condstore: number % 2 == 0,
            searched: None,
            told: Vec::new(),
            last: VecDeque::new(),
            tag: 0,
            commands: 0,
        };
        client.open();
        client
    }

    // ---- chance --------------------------------------------------------------------------------

    fn below(&mut self, limit: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as usize % limit.max(1)
    }

    fn number(&mut self) -> usize {
        self.below(self.messages.len()) + 1
    }

    /// A set of numbers that all exist, as the numbers and as its text.
    fn numbers(&mut self) -> (Vec<usize>, String) {
        let (from, to) = (self.number(), self.number());
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 5));
        match self.below(3) {
            0 => (vec![from], from.to_string()),
            1 => ((from..=to).collect(), format!("{from}:{to}")),
            _ => {
                let last = self.messages.len();
                let all: BTreeSet<usize> = [from, last].into();
                (all.into_iter().collect(), format!("{from},*"))
            }
        }
    }

    fn flags(&mut self) -> BTreeSet<String> {
        let count = self.below(3) + 1;
        (0..count).map(|_| FLAGS[self.below(FLAGS.len())].to_lowercase()).collect()
    }

    // ---- acts ----------------------------------------------------------------------------------

    fn act(&mut self) {
        self.commands += 1;
        let is_empty = self.messages.is_empty();
        let is_full = self.messages.len() > MANY;
        match self.below(100) {
            0..18 if !is_full => self.append(),
            _ if is_empty => self.say("NOOP", During::Anything),
            0..18 => self.take_out(),
            18..45 => self.store(),
            45..62 => self.fetch(),
            62..70 => self.search(),
            70..76 => self.take_out(),
            76..82 => self.copy(false),
            82..87 => self.copy(true),
            87..91 => self.say("NOOP", During::Anything),
            91..93 => self.say("CHECK", During::Anything),
            93..98 => self.idle(),
            _ => self.open(),
        }
    }

    fn open(&mut self) {
        self.messages.clear();
        let words = if self.condstore { "SELECT stress (CONDSTORE)" } else { "SELECT stress" };
        self.say(words, During::Anything);
    }

    fn append(&mut self) {
        let subject = format!("{} {}", self.name, self.commands);
        let flags: Vec<String> = self.flags().into_iter().filter(|f| f != "\\deleted").collect();
        let options = format!("({}) ", flags.join(" "));
        let answer = self.reader.append("stress", &options, &letter(&subject, "stress"));
        for line in &answer.untagged {
            self.hear(line, During::Anything);
        }
        let end = parse(answer.end.trim_end().as_bytes(), false);
        self.note(&format!("APPEND {options}: {}", answer.end.trim_end()));
        let Some(Value::List(code)) = end.get(1) else { self.fail("no APPENDUID") };
        let uid = code[2].number().unwrap() as u32;
        let mut truth = self.truth.lock().unwrap();
        assert!(truth.given.insert(uid), "UID {uid} was given twice");
        truth.subjects.insert(uid, subject);
        drop(truth);
        assert!(self.messages.iter().flat_map(|m| m.uid).filter(|u| *u != uid).all(|u| u != uid));
        if uid as u64 + 1 > self.uid_next {
            self.uid_next = uid as u64 + 1;
        }
    }

    fn store(&mut self) {
        let (numbers, set) = self.numbers();
        let flags = self.flags();
        let act = ["+", "-", ""][self.below(3)];
        let silent = if self.below(3) == 0 { ".SILENT" } else { "" };
        let words: Vec<&str> = flags.iter().map(String::as_str).collect();
        let words = words.join(" ");
        let uids: Option<Vec<u32>> = numbers.iter().map(|n| self.messages[n - 1].uid).collect();
        if let (0, Some(uids)) = (self.below(3), uids) {
            let set: Vec<String> = uids.iter().map(u32::to_string).collect();
            // Numbers may move within this command: what it did is learnt afterwards.
            self.say(
                &format!("UID STORE {} {act}FLAGS ({words})", set.join(",")),
                During::Anything,
            );
            return;
        }
        let before: Vec<Known> = numbers.iter().map(|n| self.messages[n - 1].clone()).collect();
        self.told.clear();
        let end = self.ask(&format!("STORE {set} {act}FLAGS{silent} ({words})"), During::Numbers);
        if !end.starts_with("OK") {
            // What is gone is told with the next command.
            assert!(end.contains("[EXPUNGEISSUED]"), "{}: {end}\n{:?}", self.name, self.last);
            for number in &numbers {
                self.messages[number - 1].flags = None;
            }
            return;
        }
        for (number, before) in numbers.iter().zip(before) {
            let told = self.told.contains(&(*number as u32));
            let now = &mut self.messages[number - 1];
            if told {
                // Ours came first, and in what was told of it ours is in force.
                continue;
            }
            assert!(!silent.is_empty(), "{}: {number} was not told\n{:?}", self.name, self.last);
            let after = before.flags.as_ref().map(|known| match act {
                "+" => known.union(&flags).cloned().collect(),
                "-" => known.difference(&flags).cloned().collect(),
                _ => flags.clone(),
            });
            // The modification sequence may have moved; only CONDSTORE speakers are told. What
            // should have changed and was not told to them is gone (RFC 2180 §4.2.2), and so it may
            // be for the others.
            now.flags = if after == before.flags { after } else { None };
            if !self.condstore {
                now.modseq = None;
            }
        }
    }

    fn fetch(&mut self) {
        let (numbers, set) = self.numbers();
        let items = match self.below(4) {
            0 => "(UID FLAGS)",
            1 if self.condstore => "(UID FLAGS MODSEQ)",
            2 => "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
            3 => "(UID BODY[TEXT])",
            _ => "(UID FLAGS RFC822.SIZE)",
        };
        self.told.clear();
        let end = self.ask(&format!("FETCH {set} {items}"), During::Numbers);
        if end.starts_with("OK") {
            for number in numbers {
                assert!(self.told.contains(&(number as u32)), "{number} was not told: {end}");
            }
        } else {
            assert!(end.contains("[EXPUNGEISSUED]"), "{}: {end}", self.name);
        }
    }

    fn search(&mut self) {
        self.searched = None;
        match self.below(2) {
            0 => {
                self.say("SEARCH ALL", During::Numbers);
                // Numbers cannot have moved; more may have come behind the answer.
                let found = self.searched.take().expect("a SEARCH response");
                assert!(found.iter().enumerate().all(|(at, number)| *number as usize == at + 1));
                assert!(found.len() <= self.messages.len());
            }
            _ => {
                self.say("UID SEARCH ALL", During::Anything);
                let found = self.searched.take().expect("a SEARCH response");
                assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
            }
        }
    }

    fn take_out(&mut self) {
        let (_, set) = self.numbers();
        let end = self.ask(&format!("STORE {set} +FLAGS (\\Deleted)"), During::Numbers);
        assert!(end.starts_with("OK") || end.contains("[EXPUNGEISSUED]"), "{end}");
        self.say("EXPUNGE", During::Anything);
    }

    fn copy(&mut self, moves: bool) {
        let (_, set) = self.numbers();
        let to = if self.below(2) == 0 { "stress" } else { "aside" };
        let verb = if moves { "MOVE" } else { "COPY" };
        let end = self.ask(&format!("{verb} {set} {to}"), During::Anything);
        assert!(end.starts_with("OK"), "{}: {end}", self.name);
        let end = parse(end.as_bytes(), false);
        if let (Some(Value::List(code)), "stress", false) = (end.get(1), to, moves) {
            self.given(&code[3].text());
        }
    }

    /// UIDs that a COPY has given: nobody had them before.
    fn given(&mut self, set: &str) {
        let mut truth = self.truth.lock().unwrap();
        for uid in expand(set) {
            assert!(truth.given.insert(uid), "UID {uid} was given twice");
        }
    }

    fn idle(&mut self) {
        self.tag += 1;
        let tag = format!("s{} ", self.tag);
        self.reader.send(format!("{tag}IDLE\r\n").as_bytes());
        loop {
            let line = self.reader.line().unwrap();
            if line.starts_with(b"+ ") {
                break;
            }
            self.hear(&line, During::Anything);
        }
        self.reader.send(b"DONE\r\n");
        self.listen(&tag, During::Anything);
    }

    // ---- the line ------------------------------------------------------------------------------

    fn say(&mut self, command: &str, during: During) {
        let end = self.ask(command, during);
        if !end.starts_with("OK") {
            self.fail(&format!("{command}: {end}"));
        }
    }

    fn ask(&mut self, command: &str, during: During) -> String {
        self.tag += 1;
        let tag = format!("s{} ", self.tag);
        self.note(command);
        self.reader.send(format!("{tag}{command}\r\n").as_bytes());
        self.listen(&tag, during)
    }

    fn listen(&mut self, tag: &str, during: During) -> String {
        loop {
            let line = self.reader.line().unwrap();
            if let Some(end) = line.strip_prefix(tag.as_bytes()) {
                let end = String::from_utf8_lossy(end).trim_end().to_owned();
                self.note(&end);
                return end;
            }
            self.hear(&line, during);
        }
    }

    fn note(&mut self, text: &str) {
        self.last.push_back(text.to_owned());
        if self.last.len() > 60 {
            self.last.pop_front();
        }
    }

    fn fail(&self, what: &str) -> ! {
        let last: Vec<&str> = self.last.iter().map(String::as_str).collect();
        panic!("{}: {what}\n{}", self.name, last.join("\n"))
    }

    // ---- the model -----------------------------------------------------------------------------

    fn hear(&mut self, line: &[u8], during: During) {
        self.note(String::from_utf8_lossy(line).trim_end());
        let Some(rest) = line.strip_prefix(b"* ") else { self.fail("not a response") };
        let words = parse(rest.trim_ascii_end(), false);
        let number = words[0].number();
        match (number, words.get(1)) {
            (Some(number), Some(word)) if word.is("EXISTS") => self.hear_exists(number as usize),
            (Some(number), Some(word)) if word.is("RECENT") => {
                if number as usize > self.messages.len() {
                    self.fail("more are recent than there are");
                }
            }
            (Some(number), Some(word)) if word.is("EXPUNGE") => {
                self.hear_expunge(number as usize, during);
            }
            (Some(number), Some(word)) if word.is("FETCH") => {
                let Some(Value::List(items)) = words.get(2) else { self.fail("no items") };
                self.hear_fetch(number as usize, items);
            }
            _ if words[0].is("SEARCH") => {
                self.searched =
                    Some(words[1..].iter().filter_map(Value::number).map(|n| n as u32).collect());
            }
            (None, Some(Value::List(code))) if words[0].is("OK") => self.hear_code(code),
            (None, _) if words[0].is("FLAGS") || words[0].is("OK") => {}
            _ => self.fail("an unknown response"),
        }
    }

    fn hear_exists(&mut self, count: usize) {
        if count < self.messages.len() {
            self.fail("EXISTS took messages away");
        }
        self.messages.resize(count, Known::default());
    }

    fn hear_expunge(&mut self, number: usize, during: During) {
        if during == During::Numbers {
            self.fail("EXPUNGE while numbers were in use");
        }
        if number == 0 || number > self.messages.len() {
            self.fail("EXPUNGE of what is not there");
        }
        let gone = self.messages.remove(number - 1);
        self.gone.extend(gone.uid);
    }

    fn hear_fetch(&mut self, number: usize, items: &[Value]) {
        if number == 0 || number > self.messages.len() {
            self.fail("FETCH of what is not there");
        }
        self.told.push(number as u32);
        let mut now = self.messages[number - 1].clone();
        let (mut flags, mut modseq) = (None, None);
        let mut subject = None;
        for pair in items.chunks(2) {
            let [name, value] = pair else { self.fail("an item without a value") };
            match (name.text().as_str(), value) {
                ("UID", value) => self.hear_uid(number, &mut now, value.number().unwrap() as u32),
                ("FLAGS", Value::List(list)) => {
                    let words = list.iter().map(|flag| flag.text().to_lowercase());
                    flags = Some(words.filter(|flag| flag != "\\recent").collect::<BTreeSet<_>>());
                }
                ("MODSEQ", Value::List(list)) => modseq = list[0].number(),
                (name, value) if name.starts_with("BODY[HEADER.FIELDS") => {
                    subject = Some(value.text());
                }
                _ => {}
            }
        }
        if let (Some(modseq), Some(before)) = (modseq, now.modseq)
            && modseq < before
        {
            self.fail("a mod-sequence went back");
        }
        let is_same = modseq.is_some() && modseq == now.modseq;
        if is_same && flags.is_some() && now.flags.is_some() && flags != now.flags {
            self.fail("other flags at the same mod-sequence");
        }
        if flags.is_some() {
            now.modseq = modseq;
            now.flags = flags;
        }
        if let (Some(subject), Some(uid)) = (subject, now.uid) {
            let mut truth = self.truth.lock().unwrap();
            let said = subject.trim().trim_start_matches("Subject: ").to_owned();
            let known = truth.subjects.entry(uid).or_insert_with(|| said.clone());
            assert_eq!(*known, said, "UID {uid} is another message now");
        }
        self.messages[number - 1] = now;
    }

    fn hear_uid(&self, number: usize, now: &mut Known, uid: u32) {
        if now.uid.is_some_and(|known| known != uid) || self.gone.contains(&uid) {
            self.fail("a number has another UID than before");
        }
        let before = self.messages[..number - 1].iter().rev().find_map(|known| known.uid);
        let after = self.messages[number..].iter().find_map(|known| known.uid);
        if before.is_some_and(|before| before >= uid) || after.is_some_and(|after| after <= uid) {
            self.fail("UIDs are not in order");
        }
        now.uid = Some(uid);
    }

    fn hear_code(&mut self, code: &[Value]) {
        let value = code.get(1).and_then(Value::number).unwrap_or(0);
        match code[0].text().as_str() {
            "UIDVALIDITY" if self.validity.is_some_and(|known| known != value) => {
                self.fail("UIDVALIDITY changed");
            }
            "UIDVALIDITY" => self.validity = Some(value),
            "UIDNEXT" if value < self.uid_next => self.fail("UIDNEXT went back"),
            "UIDNEXT" => self.uid_next = value,
            "HIGHESTMODSEQ" if value < self.highest => self.fail("HIGHESTMODSEQ went back"),
            "HIGHESTMODSEQ" => self.highest = value,
            _ => {}
        }
    }

    /// Nobody acts any more: what this client knows piece by piece must be what is there.
    fn settle(&mut self) -> Vec<Known> {
        self.say("NOOP", During::Anything);
        let tracked = self.messages.clone();
        if !tracked.is_empty() {
            self.say("FETCH 1:* (UID FLAGS)", During::Numbers);
        }
        for (number, (tracked, now)) in tracked.iter().zip(&self.messages).enumerate() {
            let is_told = tracked.flags.is_none() || tracked.flags == now.flags;
            if !is_told || tracked.uid.is_some_and(|uid| Some(uid) != now.uid) {
                self.fail(&format!("{}: told {tracked:?}, is {now:?}", number + 1));
            }
        }
        let plain = |known: &Known| Known { modseq: None, ..known.clone() };
        self.messages.iter().map(plain).collect()
    }
}

fn expand(set: &str) -> Vec<u32> {
    let ranges = set.split(',').map(|range| range.split_once(':').unwrap_or((range, range)));
    let number = |text: &str| text.parse::<u32>().unwrap();
    ranges.flat_map(|(from, to)| number(from)..=number(to)).collect()
}
