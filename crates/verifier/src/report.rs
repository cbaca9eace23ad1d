//! What was found, in JSON or in sentences.

use crate::options::Options;
use scope::{Language, Scope, tell};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::ExitCode;
use tlog::Hash;

pub struct Report {
    pub what: &'static str,
    pub size: u64,
    pub root: Hash,
    pub entries: u64,
    pub cosigned_at: Option<u64>,
    pub ledger: String,
    pub mirror: Option<String>,
    pub problems: Vec<String>,
    pub notes: Vec<String>,
    pub scope: Option<Scope>,
}

impl Report {
    /// The keys in the folder must be those that the user was given.
    pub fn judge_keys(&mut self, options: &Options) {
        match &options.ledger_key {
            Some(key) if *key != self.ledger => {
                self.problems.push("the ledger's key is not the one that was given".to_owned());
            }
            Some(_) => {}
            None => self.notes.push("the ledger's key is believed as it lies here".to_owned()),
        }
        match (&options.mirror_key, &self.mirror) {
            (Some(key), Some(found)) if key == found => {}
            (Some(_), _) => {
                self.problems.push("the mirror's key is not the one that was given".to_owned());
            }
            (None, Some(_)) => {
                self.notes.push("the mirror's key is believed as it lies here".to_owned());
            }
            (None, None) => self.notes.push("there is no mirror's cosignature".to_owned()),
        }
    }

    pub fn tell(self, options: &Options) -> ExitCode {
        let ok = self.problems.is_empty();
        match options.as_json {
            true => println!("{}", self.to_json()),
            false => print!("{}", self.to_text(options)),
        }
        ExitCode::from(u8::from(!ok))
    }

    fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "size": self.size,
            "root": self.root.to_base64(),
            "entries": self.entries,
            "cosigned_at": self.cosigned_at,
            "ledger_key": self.ledger,
            "mirror_key": self.mirror,
            "ok": self.problems.is_empty(),
            "problems": self.problems,
            "notes": self.notes,
            "scope": self.scope,
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
        let labelled = |label: &'static str| {
            move |what: &String| match is_japanese {
                true => format!("{label}: {}", in_japanese(what)),
                false => format!("{label}: {what}"),
            }
        };
        lines.extend(self.problems.iter().map(labelled(say("問題", "problem"))));
        lines.extend(self.notes.iter().map(labelled(say("注意", "note"))));
        let mut text = lines.join("\n") + "\n";
        if let Some(scope) = &self.scope {
            let names = names(options);
            text.push('\n');
            text.push_str(&tell(scope, options.language, |id| names.get(id).cloned()));
        }
        text
    }
}

/// Our own fixed sentences; a problem that names places stays as it is.
fn in_japanese(what: &str) -> &str {
    match what {
        "a view cannot show that nothing was left out" => {
            "view だけでは、省かれた記録がないことは示せない"
        }
        "the ledger's key is believed as it lies here" => {
            "台帳の鍵は、フォルダーにあるものをそのまま信じている"
        }
        "the mirror's key is believed as it lies here" => {
            "写しの鍵は、フォルダーにあるものをそのまま信じている"
        }
        "there is no mirror's cosignature" => "写しの副署がない",
        "the ledger's key is not the one that was given" => "台帳の鍵が、与えられたものと違う",
        "the mirror's key is not the one that was given" => "写しの鍵が、与えられたものと違う",
        "without --seen it is not known whether more was here before" => {
            "--seen がないので、以前ここにもっと多くの記録があったかどうかは分からない"
        }
        other => other,
    }
}

/// Names by opaque id, for those who were given them.
fn names(options: &Options) -> HashMap<String, String> {
    let text = options.names.as_ref().and_then(|path| std::fs::read(path).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}
