//! One message to the operators: what happened, in lines with their numbers, in Japanese and in
//! English.

use evidence::rfc3339;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;
use terms::{InstanceId, Kind, TenantId, UserId};
use vigil::{Cause, Incident, shape};

/// Different lines in one message; what is beyond is counted.
const LINES: usize = 48;
/// Lines of one cause and kind: whoever makes up words shall leave room for others.
const LINES_OF_A_SORT: usize = 24;
/// Of the words of one line: all that the warden lets a report say, in ASCII, and how many more.
const WHAT_BYTES: usize = 240;
const RULE_BYTES: usize = 100;
/// Of a rule's title, and of the names of those who wrote it.
const CREDIT_BYTES: usize = 160;

/// Equal incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    cause: String,
    said: (String, String),
    kind: Option<Kind>,
    /// The first of them.
    instance: Option<InstanceId>,
    tenant: Option<TenantId>,
    user: Option<UserId>,
    rule: Option<String>,
    what: String,
    count: u64,
    first_ms: u64,
    last_ms: u64,
    /// A rule's title, and who wrote it: whoever tells of a match names them (DRL 1.1).
    credit: Option<(String, String)>,
}

impl Line {
    pub fn of(incident: &Incident, at_ms: u64) -> Self {
        let (japanese, english) = incident.cause.said();
        Self {
            cause: incident.cause.word().to_owned(),
            said: (japanese.to_owned(), english.to_owned()),
            kind: incident.kind,
            instance: incident.instance,
            tenant: incident.tenant,
            user: incident.user,
            rule: incident.rule.as_deref().map(|rule| cut(rule, RULE_BYTES)),
            what: cut(&incident.what, WHAT_BYTES),
            count: incident.count,
            first_ms: at_ms,
            last_ms: at_ms,
            credit: None,
        }
    }

    /// With the title of its rule, and the author.
    #[must_use]
    pub fn credited(mut self, rule: Option<(&str, &str)>) -> Self {
        let short = |text: &str| cut(text, CREDIT_BYTES);
        self.credit = rule.map(|(title, author)| (short(title), short(author)));
        self
    }

    /// An intruder who is replaced comes as another instance: that is the same storm. What a
    /// compartment says in other words is another.
    fn is_same(&self, other: &Self) -> bool {
        (&self.cause, self.kind, self.tenant, self.user, &self.rule)
            == (&other.cause, other.kind, other.tenant, other.user, &other.rule)
            && (!self.is_in_words() || shape(&self.what) == shape(&other.what))
            && (self.cause != Cause::Rule.word() || self.rule.is_some() || self.what == other.what)
    }

    fn is_in_words(&self) -> bool {
        let in_words = [Cause::OffCharter, Cause::Report, Cause::Attention];
        in_words.iter().any(|cause| self.cause == cause.word())
    }

    fn is_of_a_sort_with(&self, other: &Self) -> bool {
        (&self.cause, self.kind) == (&other.cause, other.kind)
    }

    fn shown(&self) -> Value {
        json!({
            "cause": self.cause,
            "words": { "ja": self.said.0, "en": self.said.1 },
            "component": self.kind.map(Kind::word),
            "instance": self.instance.map(|one| one.to_string()),
            "tenant": self.tenant.map(|one| one.to_string()),
            "user": self.user.map(|one| one.to_string()),
            "rule": self.rule,
            "rule_title": self.credit.as_ref().map(|(title, _)| title),
            "rule_author": self.credit.as_ref().map(|(_, author)| author),
            "what": self.what,
            "count": self.count,
            "first_at": rfc3339(self.first_ms),
            "last_at": rfc3339(self.last_ms),
        })
    }

    /// Whose it is, in ids.
    fn whose(&self) -> String {
        let mut text = self.kind.map_or("-", Kind::word).to_owned();
        let ids = [
            ("instance", self.instance.map(|one| one.to_string())),
            ("tenant", self.tenant.map(|one| one.to_string())),
            ("person", self.user.map(|one| one.to_string())),
            ("rule", self.rule.clone()),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                let _ = write!(text, " · {name} {id}");
            }
        }
        if let Some((title, author)) = &self.credit {
            let _ = write!(text, " (Sigma: {title}, by {author})");
        }
        text
    }
}

/// What is told at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    id: String,
    made_ms: u64,
    lines: Vec<Line>,
    /// Incidents for which there was no line left.
    unlisted: u64,
    /// Incidents before these that nobody took.
    given_up: u64,
}

impl Message {
    pub fn of(incident: &Incident, at_ms: u64) -> Self {
        let mut message = Self::default();
        message.add(Line::of(incident, at_ms));
        message.name(at_ms, 0);
        message
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn add(&mut self, line: Line) {
        if let Some(known) = self.lines.iter_mut().find(|known| known.is_same(&line)) {
            known.count += line.count;
            known.last_ms = known.last_ms.max(line.last_ms);
        } else if self.has_room(&line) {
            self.lines.push(line);
        } else {
            self.unlisted += line.count;
        }
    }

    fn has_room(&self, line: &Line) -> bool {
        let of_a_sort = self.lines.iter().filter(|known| known.is_of_a_sort_with(line)).count();
        self.lines.len() < LINES && (!line.is_in_words() || of_a_sort < LINES_OF_A_SORT)
    }

    /// From now on it has a number, and is that message.
    pub fn name(&mut self, now_ms: u64, given_up: u64) {
        let random: [u8; 12] = compartment::random();
        self.id = random.iter().fold(String::new(), |mut id, octet| {
            let _ = write!(id, "{octet:02x}");
            id
        });
        (self.made_ms, self.given_up) = (now_ms, given_up);
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    pub fn incidents(&self) -> u64 {
        self.lines.iter().map(|line| line.count).sum::<u64>() + self.unlisted
    }

    #[cfg(test)]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    #[cfg(test)]
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// For the webhook.
    pub fn json(&self, house: &str) -> Vec<u8> {
        let (japanese, english) = self.headline();
        json!({
            "id": self.id,
            "house": house,
            "at": rfc3339(self.made_ms),
            "incidents": self.incidents(),
            "words": { "ja": japanese, "en": english },
            "items": self.lines.iter().map(Line::shown).collect::<Vec<Value>>(),
            "unlisted": self.unlisted,
            "given_up": self.given_up,
        })
        .to_string()
        .into_bytes()
    }

    fn headline(&self) -> (String, String) {
        let Some(line) = self.lines.first() else { return Default::default() };
        let (japanese, english) = (&line.said.0, &line.said.1);
        match self.incidents() {
            1 => (japanese.clone(), english.clone()),
            all => (format!("{japanese}(計 {all} 件)"), format!("{english} ({all} in all)")),
        }
    }

    /// For a letter: its subject, and its text.
    pub fn letter(&self, house: &str) -> (String, String) {
        let (japanese, english) = self.headline();
        let subject = format!("[Sekisho {house}] {japanese} / {english}");
        let mut text = format!("{japanese}\n{english}\n\n{house}  {}\n", rfc3339(self.made_ms));
        for line in &self.lines {
            let _ = write!(
                text,
                "\n{} × {}  {} – {}\n  {}\n  {}\n  {}\n  {}\n",
                line.cause,
                line.count,
                rfc3339(line.first_ms),
                rfc3339(line.last_ms),
                line.said.0,
                line.said.1,
                line.whose(),
                line.what,
            );
        }
        if self.unlisted > 0 {
            let all = self.unlisted;
            let _ = write!(text, "\nほかに {all} 件 / {all} more are not listed\n");
        }
        if self.given_up > 0 {
            let all = self.given_up;
            let _ = write!(
                text,
                "\nこれより前の {all} 件は届けられませんでした / {all} before these could not be \
                 delivered\n"
            );
        }
        text.push_str(
            "\n記録は `sekisho alarms list` で読めます。\n\
             `sekisho alarms list` shows what was recorded.\n",
        );
        (subject, text)
    }
}

/// HMAC-SHA-256 over the timestamp in decimal, a dot, and the body: a receiver that knows the
/// secret believes nobody else, and nothing that is old.
pub fn sign(secret: &[u8], timestamp: u64, body: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret) else {
        return [0; 32]; // not reached: HMAC takes keys of every length
    };
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn cut(text: &str, bytes: usize) -> String {
    let mut text = terms::plain::in_a_line(text, bytes);
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use super::{Line, Message, sign};
    use terms::{InstanceId, Kind};
    use vigil::{Cause, Incident};

    #[test]
    fn both_languages_stand_in_the_json_and_in_the_letter() {
        let incident = Incident::new(Cause::OffCharter, "execve: refused\nX: y");
        let incident = incident.of(InstanceId([1; 6]), Kind::Edge);
        let mut message = Message::of(&incident, 1_764_406_800_000);
        message.add(Line::of(&incident, 1_764_406_860_000));
        let json: serde_json::Value = serde_json::from_slice(&message.json("mx.example")).unwrap();
        assert_eq!(json["incidents"], 2);
        assert_eq!(json["items"][0]["component"], "edge");
        assert_eq!(json["items"][0]["first_at"], "2025-11-29T09:00:00.000Z");
        assert_eq!(json["items"][0]["what"], "execve: refused X: y");
        assert!(json["words"]["ja"].as_str().unwrap().ends_with("(計 2 件)"));
        let (subject, text) = message.letter("mx.example");
        assert!(subject.starts_with("[Sekisho mx.example] 区画が"), "{subject}");
        assert!(text.contains("a compartment tried") && text.contains("off-charter × 2"));
    }

    #[test]
    fn a_rule_is_told_with_its_author() {
        let mut incident = Incident::new(Cause::Rule, "pid 7");
        incident.rule = Some("0123".to_owned());
        let line = Line::of(&incident, 1).credited(Some(("A title", "Kei of Kaede")));
        let mut message = Message::default();
        message.add(line);
        message.add(Line::of(&incident, 2).credited(Some(("A title", "Kei of Kaede"))));
        assert_eq!(message.lines().len(), 1);
        let json: serde_json::Value = serde_json::from_slice(&message.json("mx.example")).unwrap();
        assert_eq!(json["items"][0]["rule_author"], "Kei of Kaede");
        assert_eq!(json["items"][0]["rule_title"], "A title");
        let (_, text) = message.letter("mx.example");
        assert!(text.contains("rule 0123 (Sigma: A title, by Kei of Kaede)"), "{text}");
    }

    #[test]
    fn other_words_are_another_line() {
        let report = |kind, what: String| {
            Line::of(&Incident::new(Cause::Report, what).of(InstanceId([1; 6]), kind), 1)
        };
        let mut message = Message::default();
        for number in 0..50u64 {
            message.add(report(Kind::Vault, format!("user {number:016x} would write")));
        }
        message.add(report(Kind::Vault, "7 more: user 00 would write".to_owned()));
        let whole = format!("others would stand there, stands/{:032x}", 7).repeat(3);
        message.add(report(Kind::Vault, whole.clone()));
        let lines: Vec<(&str, u64)> =
            message.lines().iter().map(|line| (line.what.as_str(), line.count)).collect();
        assert_eq!(lines, [("user 0000000000000000 would write", 51), (&whole, 1)]);
        // Whoever makes up words takes not all the room.
        for number in 0..900 {
            let letter = char::from_u32(0x4e00 + number).unwrap();
            message.add(report(Kind::Edge, letter.to_string()));
        }
        assert_eq!(message.lines().len(), 2 + 24);
        message.add(report(Kind::Ledger, "the mirror says otherwise".to_owned()));
        assert_eq!(message.lines().len(), 27);
        assert_eq!(message.incidents(), 953);
    }

    /// RFC 4231 §4.3 has the key; what is signed is ours: `1.body`.
    #[test]
    fn the_signature_is_hmac_over_time_and_body() {
        let hex: String =
            sign(b"Jefe", 1, b"body").iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, "25d254c27761adb1423727084ca395476858b2401387226230b6358cf07fad8b");
        assert_ne!(sign(b"Jefe", 2, b"body"), sign(b"Jefe", 1, b"body"));
    }
}
