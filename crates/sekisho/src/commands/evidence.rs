//! `sekisho ledger` and `sekisho scope`: they read the log's own files, service or no service.

use super::named::Names;
use super::{losses, outside, site, whole, whose};
use crate::arguments::Arguments;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use crate::{printing, words};
use annals::{Acknowledgements, Lost};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HINT: &str = "give --data the folder of a service that has run, as a user who may read it";

pub fn fault(fault: impl std::fmt::Display) -> Trouble {
    Trouble::fault(fault.to_string(), HINT)
}

/// Whose loss it is, as the evidence has it.
const LEDGER: &str = "ledger";
const ACTS: &str = "verify, head, export, proof, publish, view, acknowledge-loss, \
    witness-request or witness-answer";

pub fn ledger(mut arguments: Arguments, as_json: bool) -> Answer {
    let (act, data) = arguments.act_and_data(ACTS)?;
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    match act.as_str() {
        "verify" => {
            arguments.finish()?;
            verify(&data, as_json)
        }
        "acknowledge-loss" => losses::acknowledge(arguments, &data),
        "head" => {
            arguments.finish()?;
            whole::must_be(&data)?;
            let head = ledger::head(&own, Some(&mirror)).map_err(fault)?;
            Ok(Outcome::Done(json!({
                "size": head.size,
                "root": head.root.to_base64(),
                "checkpoint": head.checkpoint,
                "cosigned": head.cosigned,
            })))
        }
        "export" => {
            let from = arguments.parsed("--from", "an index")?.unwrap_or(0);
            let to = arguments.parsed("--to", "an index")?.unwrap_or(u64::MAX);
            arguments.finish()?;
            if from > to {
                let hint = "--from is the smaller of the two";
                return Err(Trouble::wrong_use("--from before --to", "the reverse", hint));
            }
            export(&data, from, to)
        }
        "proof" => outside::proof(arguments, &data),
        "publish" => outside::publish(arguments, &data),
        "view" => outside::view(arguments, &data),
        "witness-request" => outside::witness_request(arguments, &data),
        "witness-answer" => outside::witness_answer(arguments, &data),
        other => Err(Trouble::wrong_use(ACTS, other, "sekisho help")),
    }
}

/// What whoever reads here saw last lies beside the data, not in it: a folder put back from an
/// old copy brings no memory along.
fn seen(data: &Path) -> annals::Seen {
    annals::Seen::at(&beside(data, "seen"))
}

/// `DIR.word`.
pub fn beside(data: &Path, word: &str) -> std::path::PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".");
    name.push(word);
    name.into()
}

/// How far behind the house's own memory of its ledger may be.
const REMEMBER_EVERY: Duration = Duration::from_secs(10);

/// Before a house starts: is its evidence still what was seen before? If not, the ledger is told,
/// and raises the alarm.
pub fn before_start(data: &Path) -> Result<(), Trouble> {
    // With other keys than its logs' a house would try to start, again and again. Where a key is
    // gone, its keeper alone cannot start, and says so (decision 0023).
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    if let Some(problem) = ledger::foreign_keys(&own, Some(&mirror)).into_iter().next() {
        let hint = "sekisho ledger verify says more: nothing was changed, and nothing was started";
        return Err(Trouble::fault(problem, hint));
    }
    for what in site::laid_amiss(data) {
        eprintln!("sekisho: {}", words::said(&what));
    }
    ledger::before_start(data, &beside(data, "seen")).map_err(fault)
}

/// While it runs: remembers how far the ledger has come, outside the ledger's folder.
pub fn attend(data: PathBuf) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(REMEMBER_EVERY);
            // A memory that lags is no fault of the house; the next look tries again.
            let _ = ledger::remember(&data);
        }
    });
}

/// What readers saw here before; what is known to be lost is no problem.
fn look_again(data: &Path, reader: &annals::Reader) -> Result<annals::Sight, Trouble> {
    // Asked only where something does not stand: it takes a look at the whole index.
    let is_known = |signed: &tlog::SignedCheckpoint| {
        let known = Acknowledgements::read(reader).unwrap_or_default();
        let lost = Lost { name: String::new(), signed: Some(signed.clone()) };
        known.of(LEDGER, &lost).is_some()
    };
    seen(data).look_past(reader, is_known).map_err(fault)
}

/// Everything, checked, and compared with what readers saw.
fn check(data: &Path) -> Result<ledger::Verified, Trouble> {
    let mut found = whole::checked(data)?;
    let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
    match look_again(data, &reader)? {
        // Said already, with the place of it.
        annals::Sight::Unreadable => {}
        before => found.problems.extend(before.problem()),
    }
    found.ok = found.problems.is_empty();
    Ok(found)
}

fn verify(data: &Path, as_json: bool) -> Answer {
    let mut found = check(data)?;
    if !as_json {
        let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
        let known = Acknowledgements::read(&reader).map_err(fault)?;
        losses::with_names(data, &known, &mut found.notes, say("ja", "en") == "ja");
    }
    let ok = found.problems.is_empty();
    let value = json!({
        "size": found.size,
        "root": found.root.to_base64(),
        "entries_checked": found.entries_checked,
        "chapters_checked": found.chapters_checked,
        "mirror_agrees": found.mirror_agrees,
        "mirror_size": found.mirror_size,
        "problems": found.problems,
        "missing": found.missing.iter().map(missing).collect::<Vec<_>>(),
        "notes": found.notes,
        "ok": ok,
    });
    Ok(if ok { Outcome::Done(value) } else { Outcome::Wanting(value) })
}

/// What was expected, what was found.
fn missing(one: &ledger::Missing) -> serde_json::Value {
    json!({
        "kept_in": one.kept_in,
        "expected": { "size": one.expected_size, "root": one.expected_root.to_base64() },
        "found": { "size": one.found_size, "root": one.found_root.map(|root| root.to_base64()) },
        "same_key": one.same_key,
    })
}

/// One line an entry. Readers without `--json` get the same lines: they are the readable form.
fn export(data: &Path, from: u64, to: u64) -> Answer {
    let doubts = whole::doubts(data)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    ledger::export(&data.join("ledger"), from, to, |line| {
        if broken.is_none() {
            broken = writeln!(out, "{}", printing::json_line(line)).err();
        }
    })
    .map_err(fault)?;
    match broken.or_else(|| out.flush().err()) {
        None => Ok(whole::told(&doubts, Outcome::Told(0))),
        Some(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Outcome::Told(0)),
        Some(error) => Err(fault(error)),
    }
}

/// What reading leaves behind, newest last, one readable line an entry.
pub fn newest(data: &Path, count: usize) -> Vec<String> {
    let mut kept = std::collections::VecDeque::new();
    let _ = ledger::entries(&data.join("ledger"), |index, entry| {
        if let Some(line) = readable(index, &entry) {
            kept.push_back(line);
        }
        if kept.len() > count {
            kept.pop_front();
        }
    });
    kept.into()
}

fn readable(index: u64, entry: &::evidence::Entry) -> Option<String> {
    use ::evidence::Body;
    let told = match &entry.body {
        Body::SignIn { instance, protocol, ok, user, .. } => {
            let who = user.map(|user| user.to_string()).unwrap_or_default();
            let how = match ok {
                true => say("がサインイン", "signed in"),
                false => say("のサインインを拒否", "was refused"),
            };
            format!("{who} {how} ({}, {instance})", protocol.as_str())
        }
        Body::Grant { instance, user, .. } => {
            let may = say("に閲覧を十五分間許可:", "for a quarter of an hour may read");
            format!("{instance} {may} {user}")
        }
        Body::Release { vault_seq, instance, user, released, .. } => {
            let what = match released {
                ::evidence::Released::Months(months) => {
                    let month = |month: &u32| format!("{:04}-{:02}", month / 100, month % 100);
                    let months: Vec<String> = months.iter().map(month).collect();
                    format!("{} {}", say("ヘッダー", "headers of"), months.join(", "))
                }
                ::evidence::Released::Summaries(messages) => {
                    match messages.iter().filter(|one| !one.is_no_mail()).count() {
                        0 => say("フォルダー名", "names of folders").to_owned(),
                        mail => format!("{} {mail}", say("ヘッダー", "headers:")),
                    }
                }
                ::evidence::Released::Bodies(bodies) => {
                    format!("{} {}", say("本文", "bodies:"), bodies.len())
                }
                ::evidence::Released::Transit(messages) => {
                    format!("{} {}", say("送信中のメール", "mail that leaves:"), messages.len())
                }
            };
            let release = say("開示", "release");
            format!("{release} {vault_seq} → {instance}: {what} ({user})")
        }
        Body::Alarm { instance, kind, pid, call, .. } => {
            let (alarm, called) = (say("警報", "ALARM"), say("の呼び出し:", "called"));
            format!("{alarm} {} {instance} pid {pid} {called} {}", kind.word(), call.as_str())
        }
        _ => return None,
    };
    Some(format!("leaf {index:<6} {:<8} {told}", entry.author.word()))
}

pub fn scope(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.data()?;
    let component = arguments.required("--component")?;
    let version = arguments.option("--version")?;
    let from = time(&arguments.required("--from")?)?;
    let to = time(&arguments.required("--to")?)?;
    let recheck = arguments.switch("--recheck");
    let statement = arguments.switch("--statement");
    let (people, messages) = (arguments.switch("--people"), arguments.switch("--messages"));
    if u8::from(statement) + u8::from(people) + u8::from(messages) > 1 {
        let hint = "--messages lists people, too, each with their messages";
        return Err(Trouble::wrong_use("one of --statement, --people, --messages", "more", hint));
    }
    let word = arguments.choice("--lang", &["ja", "en"])?;
    let word = word.as_deref().unwrap_or(say("ja", "en"));
    let language = ::scope::Language::parse(word).unwrap_or(::scope::Language::English);
    arguments.finish()?;
    let known = |kind: &terms::Kind| *kind == terms::Kind::Warden || wire::charter(*kind).is_some();
    let Some(kind) = terms::Kind::parse(&component).filter(known) else {
        let hint = "docs/generated/compartments.md lists them";
        return Err(Trouble::wrong_use("a compartment's name", component, hint));
    };
    if from > to {
        let hint = "--from is the earlier of the two";
        return Err(Trouble::wrong_use("--from before --to", "the reverse", hint));
    }
    let question = ::scope::Question { component: kind, version, from_ms: from, to_ms: to };
    let is_japanese = language == ::scope::Language::Japanese;
    let checked = match recheck {
        true => judged(check(&data)?, !as_json && is_japanese),
        false => {
            whole::must_be(&data)?;
            ::scope::Checked::Nothing
        }
    };
    let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
    if !recheck {
        look_again(&data, &reader)?.problem().map_or(Ok(()), |problem| {
            Err(Trouble::fault(problem, "sekisho ledger verify says more"))
        })?;
    }
    must_be_covered(&reader, &question)?;
    let (entries, root) = (reader.size(), reader.head().root.to_base64());
    let known = Acknowledgements::read(&reader).and_then(|known| known.lost(&reader));
    let proven = ::scope::Proven { entries, root, checked, losses: known.map_err(fault)? };
    let index = annals::Index::of(&reader);
    if people || messages {
        let wish = whose::Wish { with_messages: messages, as_json, language };
        return whose::tell(&data, &index, &question, &proven, &wish);
    }
    let names = Names::ask(&data, &losses::who_knew(&proven.losses));
    let name = |id: &str| names.tenant(id, is_japanese);
    if statement {
        let made = stated(&reader, question, proven)?;
        let text = ::scope::tell_statement(&made, language, name);
        let text = losses::named(text, &made.losses, &names, is_japanese);
        let is_wanting = made.checked == WANTING;
        return answer(text, &made, &names, is_wanting, (as_json, is_japanese));
    }
    let found = index.measure(&question, &proven).map_err(fault)?;
    let text = ::scope::tell(&found.scope, language, name);
    let text = losses::named(text, &found.scope.losses, &names, is_japanese);
    let is_wanting = found.scope.checked == WANTING;
    answer(text, &found.scope, &names, is_wanting, (as_json, is_japanese))
}

/// The statement on advanced encryption, from the entries.
fn stated(
    reader: &annals::Reader,
    question: ::scope::Question,
    proven: ::scope::Proven,
) -> Result<::scope::Statement, Trouble> {
    let mut maker = ::scope::StatementMaker::new(question);
    let note = |index, bytes: &[u8]| {
        if let Some(frame) = ::evidence::Frame::parse(bytes) {
            maker.note(index, &frame.entry);
        }
        true
    };
    reader.entries(0, note).map_err(fault)?;
    Ok(maker.finish(proven))
}

/// The word of a scope whose evidence was found wanting.
const WANTING: &str = "wanting";

/// What a check found, for a scope; its reasons in the reader's language.
fn judged(found: ledger::Verified, is_japanese: bool) -> ::scope::Checked {
    match (found.problems.is_empty(), found.mirror_agrees) {
        (true, Some(_)) => ::scope::Checked::Both,
        (true, None) => ::scope::Checked::Ledger,
        (false, _) => {
            let said = |what: String| match is_japanese {
                true => crate::words::in_japanese(&what).unwrap_or(what),
                false => what,
            };
            ::scope::Checked::Wanting(found.problems.into_iter().map(said).collect())
        }
    }
}

/// Sentences for people, the value for programs.
fn answer(
    text: String,
    value: &impl serde::Serialize,
    names: &Names,
    is_wanting: bool,
    (as_json, is_japanese): (bool, bool),
) -> Answer {
    if as_json {
        let mut value = serde_json::to_value(value).map_err(fault)?;
        names.beside(&mut value);
        return Ok(if is_wanting { Outcome::Wanting(value) } else { Outcome::Done(value) });
    }
    print!("{text}");
    if let Some(note) = names.note(is_japanese) {
        println!("{note}");
    }
    Ok(Outcome::Told(u8::from(is_wanting)))
}

/// Of a time that no log tells of, nothing would be found: in an incident the worst of answers.
fn must_be_covered(reader: &annals::Reader, question: &::scope::Question) -> Result<(), Trouble> {
    if reader.size() == 0 {
        return Ok(());
    }
    let first = reader.entry(0).map_err(fault)?;
    let Some(begins) = ::evidence::Frame::parse(&first).map(|first| first.entry.time_ms) else {
        // Whoever checks the log says so.
        return Ok(());
    };
    let (found, hint) = if question.to_ms < begins {
        let hint = format!("the log begins at {}", ::evidence::rfc3339(begins));
        (question.to_ms, hint)
    } else if question.from_ms > compartment::now_ms() {
        let hint = format!("it is {} now", ::evidence::rfc3339(compartment::now_ms()));
        (question.from_ms, hint)
    } else {
        return Ok(());
    };
    Err(Trouble::wrong_use("a window that the log covers", ::evidence::rfc3339(found), &hint))
}

/// RFC 3339, or seconds or milliseconds since 1970.
pub fn time(text: &str) -> Result<u64, Trouble> {
    let read = ::evidence::parse_moment(text);
    let hint = "such as 2026-11-22T09:00:00Z, or seconds or milliseconds since 1970";
    read.ok_or_else(|| Trouble::wrong_use("a time", text, hint))
}
