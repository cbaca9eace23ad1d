//! What was found, in JSON or in sentences.

use crate::Answer;
use crate::options::Options;
use crate::said::Said;
use crate::shown;
use scope::{Language, Listed, Scope, Theirs, tell, tell_message, tell_person};
use serde_json::{Value, json};
use std::collections::HashMap;
use tlog::Hash;

pub struct Report {
    pub what: &'static str,
    pub size: u64,
    pub root: Hash,
    pub entries: u64,
    pub cosigned_at: Option<u64>,
    pub ledger: String,
    pub mirror: Option<String>,
    /// The mirror's ML-DSA-44 key, when it cosigned with it last, and how many entries.
    pub lattice: Option<String>,
    pub lattice_at: Option<u64>,
    pub lattice_size: Option<u64>,
    /// When a witness cosigned whose key was given.
    pub witnessed_at: Option<u64>,
    pub problems: Vec<Said>,
    pub notes: Vec<Said>,
    pub scope: Option<Scope>,
    /// Whose it is, if that was asked for.
    pub whose: Option<Vec<(Theirs, Vec<Listed>)>>,
    /// What a certificate says.
    pub summary: Option<Value>,
    /// What a view says that it was asked for, and whose entries it was found to show.
    pub view: Option<Value>,
    /// Names by opaque id.
    pub names: HashMap<String, String>,
}

impl Report {
    pub fn of(what: &'static str) -> Self {
        Self {
            what,
            size: 0,
            root: tlog::empty_root(),
            entries: 0,
            cosigned_at: None,
            ledger: String::new(),
            mirror: None,
            lattice: None,
            lattice_at: None,
            lattice_size: None,
            witnessed_at: None,
            problems: Vec::new(),
            notes: Vec::new(),
            scope: None,
            whose: None,
            summary: None,
            view: None,
            names: HashMap::new(),
        }
    }

    /// The keys in the folder must be those that the user was given.
    pub fn judge_keys(&mut self, options: &Options) {
        match &options.ledger_key {
            Some(key) if *key != self.ledger => {
                self.problems.push("the ledger's key is not the one that was given".into());
            }
            Some(_) => {}
            None => self.notes.push("the ledger's key is believed as it lies here".into()),
        }
        match (&options.mirror_key, &self.mirror) {
            (Some(key), Some(found)) if key == found => {}
            (Some(_), _) => {
                self.problems.push("the mirror's key is not the one that was given".into());
            }
            (None, Some(_)) => {
                self.notes.push("the mirror's key is believed as it lies here".into());
            }
            (None, None) => self.notes.push("there is no mirror's cosignature".into()),
        }
    }

    pub fn tell(self, options: &Options) -> Answer {
        let code = u8::from(!self.problems.is_empty());
        let text = match options.as_json {
            true => format!("{}\n", shown::json(&self.to_json().to_string())),
            false => self.to_text(options),
        };
        Answer { code, text }
    }

    fn to_json(&self) -> Value {
        let english =
            |some: &[Said]| -> Vec<String> { some.iter().map(|one| one.english.clone()).collect() };
        json!({
            "what": self.what,
            "size": self.size,
            "root": self.root.to_base64(),
            "entries": self.entries,
            "cosigned_at": self.cosigned_at,
            "ledger_key": self.ledger,
            "mirror_key": self.mirror,
            "mirror_ml_dsa_44_key": self.lattice,
            "cosigned_ml_dsa_44_at": self.lattice_at,
            "cosigned_ml_dsa_44_size": self.lattice_size,
            "ok": self.problems.is_empty(),
            "problems": english(&self.problems),
            "notes": english(&self.notes),
            "scope": self.scope,
            "people": self.whose.as_ref().map(|whose| people(whose)),
            "witnessed_at": self.witnessed_at,
            "certificate": self.summary,
            "view": self.view,
        })
    }

    fn to_text(&self, options: &Options) -> String {
        let is_japanese = options.language == Language::Japanese;
        let say = |japanese, english| if is_japanese { japanese } else { english };
        let mut lines = vec![
            match self.problems.is_empty() {
                true => say("正しい", "right").to_owned(),
                false => say("問題あり", "found wanting").to_owned(),
            },
            format!("{}: {}", say("記録数", "entries in the tree"), self.size),
            format!("{}: {}", say("示された記録", "entries shown"), self.entries),
            format!("{}: {}", say("根", "root"), self.root.to_base64()),
        ];
        if let Some(seconds) = self.lattice_at {
            let label = say("ML-DSA-44 による写しの副署", "cosigned by the mirror with ML-DSA-44");
            let (at, size) = (evidence::rfc3339(seconds.saturating_mul(1_000)), self.size);
            let upto = self.lattice_size.unwrap_or_default();
            lines.push(match is_japanese {
                true => format!("{label}: {at}（{size} 件のうち最初の {upto} 件）"),
                false => format!("{label}: {at}, the first {upto} of {size} entries"),
            });
        }
        if let Some(view) = &self.view {
            lines.extend(crate::view::lines(view, is_japanese));
        }
        let said = |field: &str| match self.summary.as_ref().and_then(|said| said.get(field)) {
            Some(Value::String(text)) => text.clone(),
            _ => "–".to_owned(),
        };
        if self.summary.is_some() {
            let (contract, id) = (said("contract"), said("tenant_id"));
            lines.push(format!("{}: {contract} ({id})", say("契約", "contract")));
            lines.push(format!("{}: {}", say("利用者", "person"), said("user_id")));
            lines.push(format!("{}: {}", say("消去", "destroyed"), said("destroyed")));
            let last_open = said("last_moment_any_copy_could_open");
            let label = say("開くことができた最後の時刻", "last moment at which a copy could open");
            lines.push(format!("{label}: {last_open}"));
        }
        let labelled = |label: &'static str| {
            move |what: &Said| match is_japanese {
                true => format!("{label}: {}", what.japanese),
                false => format!("{label}: {}", what.english),
            }
        };
        lines.extend(self.problems.iter().map(labelled(say("問題", "problem"))));
        lines.extend(self.notes.iter().map(labelled(say("注意", "note"))));
        // One line each, whatever they quote.
        let lines: Vec<String> = lines.iter().map(|line| shown::line(line)).collect();
        let mut text = lines.join("\n") + "\n";
        if let Some(scope) = &self.scope {
            let name = |id: &str| self.names.get(id).map(|name| shown::line(name));
            text.push('\n');
            text.push_str(&tell(scope, options.language, name));
            text.push_str(&self.told_people(options.language));
        }
        text
    }

    /// Everybody, each with their messages, by the names that were given.
    fn told_people(&self, language: Language) -> String {
        let name = |id: String| self.names.get(&id).map_or(id, |name| shown::line(name));
        let mut lines = String::new();
        for (theirs, messages) in self.whose.iter().flatten() {
            let (tenant, user) = (theirs.tenant.to_string(), theirs.user.to_string());
            lines.push_str(&tell_person(theirs, language, &name(tenant), &name(user)));
            lines.push('\n');
            for one in messages {
                lines.push_str(&tell_message(one, language));
                lines.push('\n');
            }
        }
        lines
    }
}

/// For programs: each person with their messages.
fn people(whose: &[(Theirs, Vec<Listed>)]) -> Vec<Value> {
    let of_one = |(theirs, messages): &(Theirs, Vec<Listed>)| {
        let lines: Vec<_> = messages.iter().filter_map(Listed::line).collect();
        let mut value = json!(theirs.line());
        if let Some(fields) = value.as_object_mut() {
            fields.insert("items".to_owned(), json!(lines));
        }
        value
    };
    whose.iter().map(of_one).collect()
}
