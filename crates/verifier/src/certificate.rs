//! A certificate of destruction, checked from its file: that the ledger's entry stands in the tree
//! whose root the ledger signed and the mirror cosigned, that it is its author's, and that every
//! field of the certificate says what the entries say.

use crate::json;
use crate::options::Options;
use crate::report::Report;
use crate::said::Said;
use annals::{Reader, Series, find_keys};
use data_encoding::{BASE64, HEXLOWER};
use evidence::{Body, Digest, Entry, Frame, rfc3339};
use scope::Belongings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use terms::Kind;
use tlog::{CosignerKey, Hash, NoteVerifier, SignedCheckpoint, leaf_hash, verify_inclusion};
use witness::LatticeKey;

/// Everything that stands in a certificate; what else stands there, nobody vouches for.
const FIELDS: &[&str] = &[
    "certificate",
    "contract",
    "name_salt",
    "tenant_id",
    "user_id",
    "destroyed",
    "last_moment_any_copy_could_open",
    "users",
    "messages",
    "bytes",
    "rows",
    "sign_ins_revoked",
    "outlets_revoked",
    "holds_at_the_end",
    "entry",
    "history",
    "authors",
    "checkpoint",
    "cosigned",
    "size",
    "root",
    "ledger_key",
    "mirror_key",
];
const ITEM_FIELDS: &[&str] = &["entry", "index", "tree_size", "leaf", "leaf_hash", "inclusion"];

/// Checks the certificate in `file`.
///
/// # Errors
/// A file that cannot be read, or is no JSON object.
pub fn check(file: &Path, options: &Options) -> Result<Report, String> {
    let name = || file.display().to_string();
    let text = std::fs::read(file).map_err(|error| format!("could not use {}: {error}", name()))?;
    let value =
        json::read(&text).map_err(|error| format!("{} is no certificate: {error}", name()))?;
    let fields = value.as_object().ok_or_else(|| format!("{} is no certificate", name()))?;
    let mut paper = Paper { fields, problems: Vec::new(), notes: Vec::new() };
    paper.equals("certificate", &json!("destruction"));
    paper.has_no_more();
    let mut report = Report::of("certificate");
    paper.name_keys(&mut report);
    if let Some(head) = paper.head(options, &mut report) {
        let items = paper.items(&head);
        report.entries = items.len() as u64;
        paper.judge_authors(&items);
        paper.judge_deeds(&items);
        match &options.mirror {
            None => paper.notes.push(Said::new(
                "what is counted from the history (sign-ins, outlets, holds) counts what stands \
                 here; that nothing was left out only a mirror shows (--mirror DIR)",
                "履歴から数えたもの（外部の認証情報、送信口、保全）は、ここにある記録だけによる。\
                 省略がないことは写しだけが示せる（--mirror DIR）",
            )),
            Some(folder) => paper.judge_by_mirror(folder, &head, &items)?,
        }
    }
    report.summary = Some(paper.summary());
    report.problems = paper.problems;
    report.notes = paper.notes;
    Ok(report)
}

/// The checkpoint under which everything must stand.
struct HeadOf {
    size: u64,
    root: Hash,
}

/// One proven entry.
struct Leaf {
    bytes: Vec<u8>,
    entry: Entry,
    /// It stands in the history, not only among the names of authors.
    is_history: bool,
}

type Leaves = BTreeMap<u64, Leaf>;

struct Paper<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<Said>,
    notes: Vec<Said>,
}

impl Paper<'_> {
    fn problem(&mut self, english: impl Into<String>, japanese: impl Into<String>) {
        self.problems.push(Said::new(english, japanese));
    }

    fn word(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// What the evidence says must stand there, in just that form.
    fn equals(&mut self, field: &str, expected: &Value) {
        let found = self.fields.get(field);
        if found != Some(expected) {
            let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
            self.problem(
                format!("`{field}`: the certificate says {found}, the evidence {expected}"),
                format!("`{field}`: 証明書には {found}、証跡には {expected} とある"),
            );
        }
    }

    fn has_no_more(&mut self) {
        let names = self.fields.keys().filter(|name| !FIELDS.contains(&name.as_str()));
        for name in names.cloned().collect::<Vec<_>>() {
            self.problem(
                format!("`{name}` is no field of a certificate: nothing vouches for it"),
                format!("`{name}` は証明書の項目ではなく、裏づけがない"),
            );
        }
    }

    fn name_keys(&self, report: &mut Report) {
        report.ledger = self.word("ledger_key").unwrap_or_default().to_owned();
        report.mirror = self.word("mirror_key").map(str::to_owned);
    }

    /// The checkpoint, its signatures, and what is said of it. Without it nothing can be checked.
    fn head(&mut self, options: &Options, report: &mut Report) -> Option<HeadOf> {
        let Some(ledger) = self.word("ledger_key").and_then(NoteVerifier::parse) else {
            self.problem("`ledger_key` is no key", "`ledger_key` が鍵になっていない");
            return None;
        };
        let signed =
            self.word("checkpoint").and_then(|note| SignedCheckpoint::parse(note.as_bytes()));
        let Some(signed) = signed else {
            self.problem("`checkpoint` cannot be read", "`checkpoint` が読めない");
            return None;
        };
        if !signed.note.is_signed_by(&ledger) {
            self.problem(
                "the checkpoint is not signed by the ledger",
                "checkpoint に台帳の署名がない（または合わない）",
            );
        }
        let mirror = self.word("mirror_key").and_then(CosignerKey::parse);
        report.cosigned_at = mirror.and_then(|mirror| mirror.cosigned(&signed.note));
        if self.fields.get("mirror_key").is_some_and(|key| !key.is_null())
            && report.cosigned_at.is_none()
        {
            self.problem(
                "the checkpoint is not cosigned by the mirror",
                "checkpoint に写しの副署がない（または合わない）",
            );
        }
        self.equals("cosigned", &json!(report.cosigned_at.is_some()));
        if let Some(key) = &options.witness_key {
            report.witnessed_at = witnessed(&signed, key);
            if report.witnessed_at.is_none() {
                self.problem(
                    "the checkpoint is not cosigned by the witness",
                    "checkpoint に、与えられた鍵の証人の副署がない（または合わない）",
                );
            }
        }
        (report.size, report.root) = (signed.checkpoint.size, signed.checkpoint.root);
        self.equals("size", &json!(report.size));
        self.equals("root", &json!(report.root.to_base64()));
        Some(HeadOf { size: report.size, root: report.root })
    }

    /// Every proven entry: of the destruction, of what led to it, of who signed.
    fn items(&mut self, head: &HeadOf) -> Leaves {
        let mut leaves = Leaves::new();
        for (list, is_history) in [("history", true), ("authors", false)] {
            let Some(items) = self.fields.get(list).and_then(Value::as_array) else {
                self.problem(
                    format!("`{list}`: expected entries, found none"),
                    format!("`{list}`: 記録があるはずだが、ない"),
                );
                continue;
            };
            let mut before = None;
            for (number, item) in items.iter().enumerate() {
                let place = format!("{list}[{number}]");
                let Some((index, leaf)) = self.item(&place, item, head) else { continue };
                if before.replace(index).is_some_and(|before| before >= index) {
                    self.problem(
                        format!("`{place}`: entry {index} is not in its order"),
                        format!("`{place}`: 記録 {index} の順序が違う"),
                    );
                }
                leaves.entry(index).or_insert(Leaf { is_history, ..leaf });
            }
        }
        let entry = self.fields.get("entry").cloned().unwrap_or_default();
        if let Some((index, _)) = self.item("entry", &entry, head)
            && !leaves.get(&index).is_some_and(|leaf| leaf.is_history)
        {
            self.problem(
                "`entry` does not stand in the history",
                "`entry` が履歴（history）に含まれていない",
            );
        }
        leaves
    }

    /// One of them, under the checkpoint, and told as it is.
    fn item(&mut self, place: &str, item: &Value, head: &HeadOf) -> Option<(u64, Leaf)> {
        let read = || {
            let index = item.get("index")?.as_u64()?;
            let bytes = BASE64.decode(item.get("leaf")?.as_str()?.as_bytes()).ok()?;
            let entry = Frame::parse(&bytes)?.entry;
            let hash = |hash: &Value| Hash::from_base64(hash.as_str()?.as_bytes());
            let hashes = item.get("inclusion")?.as_array()?.iter().map(hash);
            Some((index, bytes, entry, hashes.collect::<Option<Vec<Hash>>>()?))
        };
        let Some((index, bytes, entry, hashes)) = read() else {
            self.problem(
                format!("`{place}` cannot be read: an index, a leaf and its way up are wanted"),
                format!("`{place}` が読めない（index・leaf・inclusion が必要）"),
            );
            return None;
        };
        let hash = leaf_hash(&bytes);
        if !verify_inclusion(&hash, index, head.size, &hashes, &head.root) {
            self.problem(
                format!("`{place}`: entry {index} does not stand in the tree of the checkpoint"),
                format!("`{place}`: 記録 {index} は、checkpoint の木に含まれていない"),
            );
        }
        let told: Value = serde_json::from_str(&entry.to_json(index)).unwrap_or_default();
        let expected = [
            ("entry", told),
            ("tree_size", json!(head.size)),
            ("leaf_hash", json!(HEXLOWER.encode(&hash.0))),
        ];
        for (field, expected) in expected {
            if item.get(field) != Some(&expected) {
                self.problem(
                    format!("`{place}.{field}` is not what its leaf says: {expected}"),
                    format!("`{place}.{field}` が leaf の内容と違う（正しくは {expected}）"),
                );
            }
        }
        let more = item.as_object().into_iter().flat_map(|fields| fields.keys());
        for name in more.filter(|name| !ITEM_FIELDS.contains(&name.as_str())) {
            self.problem(
                format!("`{place}.{name}` is no field of a certificate: nothing vouches for it"),
                format!("`{place}.{name}` は証明書の項目ではなく、裏づけがない"),
            );
        }
        Some((index, Leaf { bytes, entry, is_history: false }))
    }

    /// Each entry is signed by the process that says it, and that has its key from the warden.
    fn judge_authors(&mut self, leaves: &Leaves) {
        let mut series = Series::with_gaps();
        for (index, leaf) in leaves {
            series.check(*index, &leaf.bytes);
        }
        self.problems.extend(series.finish().1.into_iter().map(Said::from));
    }

    /// What the entries say is what the certificate says.
    fn judge_deeds(&mut self, leaves: &Leaves) {
        let history = || leaves.iter().filter(|(_, leaf)| leaf.is_history);
        let is_end = |leaf: &Leaf| matches!(leaf.entry.body, Body::Destroyed { .. });
        let shown = self.fields.get("entry").and_then(|entry| entry.get("index")?.as_u64());
        let last = history().rfind(|(_, leaf)| is_end(leaf));
        let Some((index, leaf)) = last.filter(|(index, _)| shown == Some(**index)) else {
            let english = "`entry` is not the entry of a destruction, or not the last of them";
            return self.problem(english, "`entry` が消去の記録ではない、または最後のものではない");
        };
        let Entry { author, time_ms, body, .. } = &leaf.entry;
        let Body::Destroyed { tenant, users, messages, bytes, rows, last_open_ms, user, name } =
            body
        else {
            return;
        };
        if *author != Kind::Directory {
            let author = author.word();
            self.problem(
                format!("entry {index} is said by {author}, not by the directory"),
                format!("記録 {index} は directory ではなく {author} のもの"),
            );
        }
        let mut had = Belongings::of(*tenant, *user);
        let strange: Vec<u64> = history()
            .filter(|(_, leaf)| !had.weigh(&leaf.entry))
            .map(|(index, _)| *index)
            .collect();
        for index in strange {
            self.problem(
                format!("entry {index} of the history is not about this contract"),
                format!("履歴の記録 {index} は、この契約のものではない"),
            );
        }
        if had.shreds == 0 {
            self.problem(
                "no entry of the history says that the keys were destroyed",
                "鍵を破棄した記録が履歴にない",
            );
        }
        let expected = [
            ("tenant_id", json!(tenant.to_string())),
            ("user_id", json!(user.map(|user| user.to_string()))),
            ("destroyed", json!(rfc3339(*time_ms))),
            ("last_moment_any_copy_could_open", json!(rfc3339(*last_open_ms))),
            ("users", json!(users)),
            ("messages", json!(messages)),
            ("bytes", json!(bytes)),
            ("rows", json!(rows)),
            ("sign_ins_revoked", json!(had.sign_ins)),
            ("outlets_revoked", json!(had.outlets)),
            ("holds_at_the_end", json!(had.holds)),
        ];
        for (field, expected) in expected {
            self.equals(field, &expected);
        }
        self.judge_name(name.as_ref());
    }

    /// The name is not in the ledger; what binds it is.
    fn judge_name(&mut self, bound: Option<&Digest>) {
        let Some(bound) = bound else {
            return self.notes.push(Said::new(
                "the entry is of an earlier version and does not bind the contract's name: \
                 compare `tenant_id`",
                "以前の版の記録で、契約名は裏づけられない。`tenant_id` で照合すること",
            ));
        };
        let salt = self.word("name_salt").and_then(|salt| HEXLOWER.decode(salt.as_bytes()).ok());
        let fits = salt
            .zip(self.word("contract"))
            .is_some_and(|(salt, name)| Digest::of_name(&salt, name) == *bound);
        if !fits {
            self.problem(
                "`contract` (with `name_salt`) is not the name that the entry binds",
                "`contract`（と `name_salt`）が、記録に結びつけられた名前と違う",
            );
        }
    }

    /// A mirror's folder leaves nothing out: the same tree, and the same count over all of it.
    fn judge_by_mirror(
        &mut self,
        folder: &Path,
        head: &HeadOf,
        leaves: &Leaves,
    ) -> Result<(), String> {
        let told = |fault: annals::Fault| fault.to_string();
        let keys = find_keys(folder).map_err(told)?;
        let mirror = keys.mirror.as_ref().map(CosignerKey::to_text);
        if self.word("ledger_key") != Some(&keys.ledger.to_text())
            || self.word("mirror_key") != mirror.as_deref()
        {
            self.problem(
                "the mirror's folder is of other keys than the certificate",
                "写しのフォルダーの鍵が、証明書のものと違う",
            );
        }
        let reader = Reader::open(folder, keys).map_err(told)?;
        if reader.root_at(head.size) != Some(head.root) {
            self.problem(
                format!("the mirror does not hold the tree of the checkpoint ({})", head.size),
                format!("写しには、checkpoint の木（{}）がない", head.size),
            );
            return Ok(());
        }
        let end = leaves.values().rfind(|leaf| matches!(leaf.entry.body, Body::Destroyed { .. }));
        let Some(Leaf { entry: Entry { body: Body::Destroyed { tenant, user, .. }, .. }, .. }) =
            end
        else {
            return Ok(());
        };
        let mut had = Belongings::of(*tenant, *user);
        let mut left_out = Vec::new();
        let look = |index: u64, bytes: &[u8]| {
            if index < head.size
                && let Some(frame) = Frame::parse(bytes)
                && had.weigh(&frame.entry)
                && !leaves.get(&index).is_some_and(|leaf| leaf.is_history)
            {
                left_out.push(index);
            }
            index + 1 < head.size
        };
        reader.entries(0, look).map_err(told)?;
        for index in left_out {
            self.problem(
                format!("the history leaves out entry {index}, which the mirror has"),
                format!("写しにある記録 {index} が、履歴から省かれている"),
            );
        }
        Ok(())
    }

    /// What it certifies, for people.
    fn summary(&self) -> Value {
        let field = |name: &str| self.fields.get(name).cloned().unwrap_or_default();
        json!({
            "contract": field("contract"),
            "tenant_id": field("tenant_id"),
            "user_id": field("user_id"),
            "destroyed": field("destroyed"),
            "last_moment_any_copy_could_open": field("last_moment_any_copy_could_open"),
        })
    }
}

/// When a witness cosigned, by either sort of key.
fn witnessed(signed: &SignedCheckpoint, key: &str) -> Option<u64> {
    let plain = CosignerKey::parse(key).and_then(|key| key.cosigned(&signed.note));
    plain.or_else(|| LatticeKey::parse(key)?.cosigned(&signed.note))
}
