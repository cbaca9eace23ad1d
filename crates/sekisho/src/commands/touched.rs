//! `sekisho touched`: who touched my data? Told to a person or a tenant, from the ledger alone.
//!
//! Each line carries the entry, its way up the tree and the checkpoint, so that it can be checked
//! by somebody who trusts nobody here. Names and reasons are put to ids while the service runs; a
//! reason whose digest does not match the ledger's is said to be another.

mod marks;

use super::certificate::proven;
use super::deeds::deed;
use super::evidence::{fault, time};
use super::losses;
use super::named::Names;
use super::people::folder;
use super::subject::{self, Subject};
use super::whole;
use crate::arguments::Arguments;
use crate::client;
use crate::outcome::{Answer, Outcome, Trouble};
use crate::words;
use ::scope::Language;
use annals::Acknowledgements;
use evidence::{Body, Entry, rfc3339};
use marks::{Mark, Marks};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use terms::plain::shown;
use terms::{InstanceId, RequestId, TenantId, UserId};
use wire::admin::Request;

const HINT: &str = "give --data the folder of the service, as a user who may read it";
/// People named in one line.
const TOLD: usize = 8;

/// What follows from entries seen before: requests and passes that concern the subject.
#[derive(Default)]
struct Threads {
    requests: HashSet<RequestId>,
    passes: HashMap<InstanceId, String>,
    marks: Marks,
}

impl Subject {
    /// Whether an entry tells of this subject's data. Entries come in order.
    fn is_touched(&self, index: u64, entry: &Entry, threads: &mut Threads) -> bool {
        let is_theirs = self.is_told_of(entry, threads);
        threads.marks.follow(index, entry, is_theirs);
        is_theirs
    }

    fn is_told_of(&self, entry: &Entry, threads: &mut Threads) -> bool {
        let is = |tenant: &TenantId, user: Option<&UserId>| {
            *tenant == self.tenant && (self.user.is_none() || user == self.user.as_ref())
        };
        // What is done to the whole contract is done to each of its people.
        let covers = |tenant: &Option<TenantId>, user: &Option<UserId>| {
            *tenant == Some(self.tenant)
                && (self.user.is_none() || user.is_none() || *user == self.user)
        };
        match &entry.body {
            Body::Deliver { tenant, messages, .. } => match self.user {
                None => *tenant == self.tenant,
                Some(user) => *tenant == self.tenant && messages.iter().any(|one| one.user == user),
            },
            Body::Queue { tenant, messages, .. } | Body::Sent { tenant, messages, .. } => {
                match self.user {
                    None => *tenant == self.tenant,
                    Some(user) => {
                        *tenant == self.tenant && messages.iter().any(|one| one.user == user)
                    }
                }
            }
            Body::Release { tenant, user, .. }
            | Body::Send { tenant, user, .. }
            | Body::Grant { tenant, user, .. } => is(tenant, Some(user)),
            Body::SignIn { tenant: Some(tenant), user, .. } => is(tenant, user.as_ref()),
            Body::CredentialUse { credential, instance, name, tenant: Some(tenant) } => {
                let is_pass = matches!(credential.as_str(), "export" | "case");
                if is_pass && *tenant == self.tenant {
                    threads.passes.insert(*instance, name.as_str().to_owned());
                }
                is_pass
                    && *tenant == self.tenant
                    && (self.user.is_none()
                        || RequestId::parse(name.as_str())
                            .is_some_and(|request| threads.requests.contains(&request)))
            }
            Body::RuleChange { tenant, user, .. }
            | Body::KeyShred { tenant, user, .. }
            | Body::KeyRotate { tenant, user, .. }
            | Body::Export { tenant, user, .. }
            | Body::Freeze { tenant, user, .. }
            | Body::Unfreeze { tenant, user, .. }
            | Body::KeyFreeze { tenant, user, .. } => covers(tenant, user),
            Body::Request { request, tenant, user, .. } => {
                let is_of_it = covers(tenant, user);
                if is_of_it {
                    threads.requests.insert(*request);
                }
                is_of_it
            }
            Body::Approve { request, .. }
            | Body::Deny { request, .. }
            | Body::Expire { request }
            | Body::CarryOut { request, .. } => threads.requests.contains(request),
            Body::Ending { tenant, user, .. }
            | Body::Destroyed { tenant, user, .. }
            | Body::Hold { tenant, user, .. } => covers(&Some(*tenant), user),
            Body::KeySeal { tenant, .. } => *tenant == self.tenant,
            Body::KeyHold { tenant, user, .. } => covers(&Some(*tenant), user),
            _ => false,
        }
    }
}

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let person = arguments.option("--person")?;
    let tenant = arguments.option("--tenant")?;
    let from = arguments.option("--from")?.map_or(Ok(0), |text| time(&text))?;
    let to = arguments.option("--to")?.map_or(Ok(u64::MAX), |text| time(&text))?;
    if from > to {
        let hint = "sekisho touched … --from 2026-11-01 --to 2026-12-01";
        return Err(Trouble::wrong_use("--from before --to", "the other way round", hint));
    }
    let is_japanese = is_japanese(arguments.option("--lang")?.as_deref())?;
    arguments.finish()?;
    let data = folder(data)?;
    let subject = subject::find(&data, person.as_deref(), tenant.as_deref())?;
    let doubts = whole::doubts(&data)?;
    let mut threads = Threads::default();
    let proofs = ledger::prove(&data.join("ledger"), Some(&data.join("mirror")), |index, entry| {
        // Every entry is followed; only those of the window are told.
        subject.is_touched(index, entry, &mut threads) && (from..=to).contains(&entry.time_ms)
    })
    .map_err(|error| Trouble::fault(error.to_string(), HINT))?;
    let (lost, is_wanting) = lost(&data, from, to)?;
    let names = Names::ask(&data, &named(&proofs.found, &lost));
    let reasons = reasons(&data, &proofs.found);
    let mut counts: HashMap<String, u64> = HashMap::new();
    for proof in &proofs.found {
        *counts.entry(proof.entry.body.word().to_owned()).or_default() += 1;
    }
    let (names, reasons, threads) = (&names, &reasons, &threads);
    let teller = Teller { names, reasons, threads, subject: &subject, is_japanese };
    let items: Vec<Value> =
        proofs.found.iter().map(|proof| marked(proof, proofs.size, &teller)).collect();
    if !as_json {
        if let Some(left) = &subject.left {
            let what = format!("has left; everything of theirs was destroyed at {left}");
            let japanese = is_japanese.then(|| words::in_japanese(&what)).flatten();
            println!("{}", japanese.unwrap_or(what));
        }
        proofs.found.iter().zip(&items).for_each(|(proof, item)| teller.print(proof, item));
    }
    let value = json!({
        "person": person,
        "tenant": tenant,
        "left": subject.left,
        "from": from,
        "to": (to != u64::MAX).then_some(to),
        "counts": counts,
        "reasons": reasons,
        "names": names.people(),
        "losses": lost,
        "lower_bound": is_wanting,
        "items": items,
        "next": null,
        "cut": proofs.cut,
        "checkpoint": proofs.checkpoint,
        "cosigned": proofs.cosigned,
        "size": proofs.size,
        "root": proofs.root.to_base64(),
        "ledger_key": proofs.ledger_key,
        "mirror_key": proofs.mirror_key,
    });
    if as_json {
        return Ok(whole::told(&doubts, Outcome::Done(value)));
    }
    tell_end(&proofs, names, is_japanese);
    tell_lost(&lost, is_wanting, names, is_japanese);
    Ok(whole::told(&doubts, Outcome::Told(0)))
}

/// What the log is known to have lost, and whether any of it can be of this time.
fn lost(data: &Path, from: u64, to: u64) -> Result<(Vec<::scope::Loss>, bool), Trouble> {
    let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
    let lost = Acknowledgements::read(&reader).and_then(|known| known.lost(&reader));
    let lost = lost.map_err(fault)?;
    let is_wanting = lost.iter().any(|one| one.from_ms <= to && one.to_ms >= from);
    Ok((lost, is_wanting))
}

/// What is not told above, because nobody has it any more.
fn tell_lost(lost: &[::scope::Loss], is_wanting: bool, names: &Names, is_japanese: bool) {
    let language = if is_japanese { Language::Japanese } else { Language::English };
    let text = ::scope::tell_losses(lost, language);
    print!("{}", losses::named(text, lost, names, is_japanese));
    if is_wanting {
        let label = language.say("注意", "attention");
        println!("{label}: {}", ::scope::lower_bound(language));
    }
}

/// What stands below all entries: how many, and by what they can be checked.
fn tell_end(proofs: &ledger::Proofs, names: &Names, is_japanese: bool) {
    let entries = if is_japanese { "件数" } else { "entries:" };
    println!("{entries} {} / {}", proofs.found.len(), proofs.size);
    print!("{}", proofs.checkpoint);
    if let Some(note) = names.note(is_japanese) {
        println!("{note}");
    }
}

/// A proven entry with what it says and what became of it.
fn marked(proof: &ledger::Proof, size: u64, teller: &Teller<'_>) -> Value {
    let mut item = proven(proof, size);
    let marks = &teller.threads.marks;
    let mark = marks.of(proof.index, &proof.entry);
    super::insert(&mut item, "told", json!(teller.tell(&proof.entry)));
    super::insert(&mut item, "mark", json!(mark.word()));
    if let Body::Request { request, .. } = &proof.entry.body {
        super::insert(&mut item, "end", json!(marks.end(request).word()));
    }
    item
}

/// The longest mark in Japanese and in English is eight columns wide.
const MARK_COLUMNS: usize = 8;

fn columns_of(mark: &str) -> String {
    let blanks = MARK_COLUMNS.saturating_sub(crate::outcome::columns(mark));
    format!("{mark}{}", " ".repeat(blanks))
}

/// How a request ended, beside its words.
fn end_words(end: Mark) -> [&'static str; 2] {
    match end {
        Mark::Asked => ["まだ決まっていない", "not decided"],
        Mark::Approved => ["承認ずみ、まだ実行されていない", "approved, not yet done"],
        Mark::Refused => ["却下された", "refused, not done"],
        Mark::Expired => ["期限切れ、実行されていない", "ran out, not done"],
        Mark::Begun => ["承認され、着手された", "approved and begun"],
        Mark::Done => ["承認され、実行された", "approved and done"],
    }
}

fn is_japanese(language: Option<&str>) -> Result<bool, Trouble> {
    match language {
        None => Ok(crate::demo::screen::say("ja", "en") == "ja"),
        Some("ja") => Ok(true),
        Some("en") => Ok(false),
        Some(other) => Err(Trouble::wrong_use("ja or en", other, "--lang ja")),
    }
}

/// Everybody who is named.
fn named(proofs: &[ledger::Proof], lost: &[::scope::Loss]) -> HashSet<UserId> {
    let mut users = losses::who_knew(lost);
    for proof in proofs {
        ::scope::facts(proof.index, &proof.entry, |fact| {
            users.extend(fact.person.and_then(|person| person.user));
        });
        match &proof.entry.body {
            Body::Request { user, requester, .. } => {
                users.extend(user.iter().chain(requester.iter()));
            }
            Body::RuleChange { what, .. } => users.extend(reader(what.as_str())),
            _ => {}
        }
    }
    users
}

/// Who came to read a group's mail, by such a word of an entry.
fn reader(word: &str) -> Option<UserId> {
    let (deed, id) = word.split_once('/')?;
    (deed == "group.reader").then(|| UserId::parse(id)).flatten()
}

/// The words of each request, if they are those whose digest stands in the ledger.
fn reasons(data: &Path, proofs: &[ledger::Proof]) -> HashMap<String, String> {
    let mut reasons = HashMap::new();
    for proof in proofs {
        let Body::Request { request, digest, .. } = &proof.entry.body else { continue };
        let id = request.to_string();
        let Ok(shown) = client::value(data, &Request::ApprovalShow { id: id.clone() }) else {
            continue;
        };
        let field = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_it = field("digest") == data_encoding::HEXLOWER.encode(&digest.0);
        let reason = if is_it { field("reason") } else { "(not the words that were recorded)" };
        reasons.insert(id, reason.to_owned());
    }
    reasons
}

struct Teller<'a> {
    names: &'a Names,
    reasons: &'a HashMap<String, String>,
    threads: &'a Threads,
    subject: &'a Subject,
    is_japanese: bool,
}

impl Teller<'_> {
    /// One line of an entry.
    fn print(&self, proof: &ledger::Proof, item: &Value) {
        let mark = self.threads.marks.of(proof.index, &proof.entry);
        let shown = columns_of(self.say_both(mark.words()));
        let told = item.get("told").and_then(Value::as_str).unwrap_or_default();
        println!("{}  {shown}  {told}  [{}]", rfc3339(proof.entry.time_ms), proof.index);
    }

    fn name(&self, user: &UserId) -> String {
        self.names.person(&user.to_string(), self.is_japanese)
    }

    fn say(&self, japanese: &str, english: &str) -> String {
        if self.is_japanese { japanese.to_owned() } else { english.to_owned() }
    }

    fn say_both<'b>(&self, [japanese, english]: [&'b str; 2]) -> &'b str {
        if self.is_japanese { japanese } else { english }
    }

    /// The words for a word of the ledger; itself, if there are none yet.
    fn deed(&self, word: &str) -> String {
        // Behind a blank stands which message.
        let (front, message) = word.split_once(' ').unwrap_or((word, ""));
        let said = deed(front);
        said.map_or_else(
            || word.to_owned(),
            |[japanese, english]| match message {
                "" => self.say(japanese, english),
                message => format!("{} {message}", self.say(japanese, english)),
            },
        )
    }

    fn reason(&self, request: &RequestId) -> String {
        self.reasons.get(&request.to_string()).map(|reason| shown(reason)).unwrap_or_default()
    }

    /// One line, for the person whose data it is.
    /// What was changed, whose, and what became weaker by it.
    fn tell_change(&self, what: &str, user: Option<&UserId>, weakened: Option<&str>) -> String {
        let who = user.map_or_else(String::new, |user| format!(" {}", self.name(user)));
        let weak = weakened.map_or_else(String::new, |word| self.weak(word));
        // Who reads it now, and with whom.
        let reads = reader(what).map_or_else(String::new, |user| {
            let along = self.say(" ／もとからの人:", ", as before:");
            format!(" {}{along}", self.name(&user))
        });
        format!("{}{reads}{who}{weak}", self.deed(what))
    }

    fn tell(&self, entry: &Entry) -> String {
        match &entry.body {
            Body::SignIn { protocol, ok: true, user: Some(user), .. }
                if matches!(protocol.as_str(), "export" | "case") =>
            {
                let what = self.say("の郵便箱を他の人が開いた", "'s mailbox was opened by another");
                format!("{}{what} ({})", self.name(user), protocol.as_str())
            }
            Body::SignIn { protocol, ok: true, user: Some(user), .. } => {
                let what = self.say("サインイン", "signed in");
                format!("{} {what} ({})", self.name(user), protocol.as_str())
            }
            Body::SignIn { protocol, .. } => {
                let what = self.say("サインインを拒否", "a sign-in was refused");
                format!("{what} ({})", protocol.as_str())
            }
            Body::Release { instance, user, released, .. } => {
                self.tell_release(instance, user, released)
            }
            Body::Deliver { .. } | Body::Queue { .. } | Body::Sent { .. } => {
                self.tell_messages(&entry.body)
            }
            Body::Request { request, what, requester, .. } => {
                let who = requester.as_ref().map_or_else(
                    || self.say("コマンドライン", "the command line"),
                    |user| self.name(user),
                );
                let asks = self.say("が申請", "asks for");
                let [japanese, english] = end_words(self.threads.marks.end(request));
                let (what, end) = (self.deed(what.as_str()), self.say(japanese, english));
                format!("{who} {asks}: {what} ({request}) [{end}] {}", self.reason(request))
            }
            Body::Approve { request, approver, .. } => {
                format!("{} {} ({request})", self.name(approver), self.say("が承認", "agreed"))
            }
            Body::Deny { request, approver, .. } => {
                format!("{} {} ({request})", self.name(approver), self.say("が却下", "refused"))
            }
            Body::Expire { request } => {
                format!("{} ({request})", self.say("申請の期限切れ", "a request ran out"))
            }
            Body::CarryOut { request, what, .. } => {
                // The entry stands before the act does; its mark says whether that came.
                let done = self.say("承認のもとで実行に移された", "was begun as approved");
                format!("{}: {done} ({request})", self.deed(what.as_str()))
            }
            Body::RuleChange { what, user, weakened, .. } => {
                let weakened = weakened.as_ref().map(|word| word.as_str());
                format!(
                    "{}: {}",
                    self.changed(entry),
                    self.tell_change(what.as_str(), user.as_ref(), weakened)
                )
            }
            Body::CredentialUse { credential, name, .. } => {
                let used = self.say("閲覧許可が使われた", "a pass was used");
                format!("{used}: {} ({})", credential.as_str(), name.as_str())
            }
            Body::Grant { user, until_ms, .. } => {
                let (name, until) = (self.name(user), rfc3339(*until_ms));
                match self.is_japanese {
                    true => format!("{name} のメールの閲覧を {until} まで許可"),
                    false => format!("the mail of {name} may be read until {until}"),
                }
            }
            _ => self.tell_other(entry),
        }
    }

    /// What a change went without.
    fn weak(&self, word: &str) -> String {
        match word {
            "first-password" => self.say(
                " [最初のパスワードによる。作った人も知っている]",
                " [by the first password, which whoever made it knows]",
            ),
            word => format!(" [{}: {word}]", self.say("弱められた手順", "weakened")),
        }
    }

    /// Who orders it writes that down before another does it, who may refuse.
    fn changed(&self, entry: &Entry) -> String {
        match marks::is_order(entry) {
            true => self.say("指示", "ordered"),
            false => self.say("変更", "changed"),
        }
    }

    fn tell_other(&self, entry: &Entry) -> String {
        let word = match &entry.body {
            Body::KeySeal { sealed: false, .. } => "key.unseal",
            Body::KeyHold { on: false, .. } => "key.hold-off",
            Body::Hold { placed: false, .. } => "hold-off",
            Body::KeyFreeze { on: false, .. } => "key.thaw",
            body => body.word(),
        };
        let (said, whom) = (self.deed(word), self.whom(entry));
        let state = match &entry.body {
            Body::Ending { state, .. } => Some(state.as_str()),
            Body::KeyCreate { what, .. }
            | Body::KeyRotate { what, .. }
            | Body::KeyShred { what, .. } => Some(what.as_str()),
            _ => None,
        };
        match state.map(|state| self.state(state)) {
            Some(state) => format!("{said}: {state}{whom}"),
            None => format!("{said}{whom}"),
        }
    }

    /// The state of a contract, or whose a key is.
    fn state(&self, word: &str) -> String {
        let [japanese, english] = match word {
            "active" => ["有効", "in force"],
            "grace" => ["猶予期間", "days of grace"],
            "destroying" => ["破棄の途中", "being destroyed"],
            "destroyed" => ["破棄ずみ", "destroyed"],
            "root" => ["ルート", "the root's"],
            "tenant" => ["組織", "the organisation's"],
            "user" => ["利用者", "a person's"],
            "pairs" | "pair" => ["利用者の鍵の組", "a person's pair"],
            "smart-host" => ["スマートホストの認証情報", "the sign-in to a smart host"],
            "sums" => ["鍵の記録に検証値を付けた", "the vault's records have sums"],
            other => return other.to_owned(),
        };
        self.say(japanese, english)
    }

    /// Whom an entry names, once each.
    fn whom(&self, entry: &Entry) -> String {
        let mut named = Vec::new();
        ::scope::facts(0, entry, |fact| {
            named.extend(fact.person.and_then(|person| person.user));
        });
        named.sort_unstable();
        named.dedup();
        named.iter().map(|user| format!(" {}", self.name(user))).collect()
    }

    /// For a person their own messages, for a tenant everybody's.
    fn tell_messages(&self, body: &Body) -> String {
        let (what, whose): (String, Vec<UserId>) = match body {
            Body::Queue { messages, .. } => (
                self.say("送信するメールを受け付けた", "mail was taken to be sent"),
                messages.iter().map(|one| one.user).collect(),
            ),
            Body::Sent { messages, .. } => {
                (self.deed("sent"), messages.iter().map(|one| one.user).collect())
            }
            Body::Deliver { messages, .. } => (
                self.say("メールを保管し封をした", "mail was kept and sealed"),
                messages.iter().map(|one| one.user).collect(),
            ),
            _ => return String::new(),
        };
        let mut counts: BTreeMap<UserId, u64> = BTreeMap::new();
        for one in whose.into_iter().filter(|one| self.subject.user.is_none_or(|user| user == *one))
        {
            *counts.entry(one).or_default() += 1;
        }
        let told = counts.iter().take(TOLD).map(|(user, count)| match count {
            1 => self.name(user),
            count => format!("{} ×{count}", self.name(user)),
        });
        let told = told.collect::<Vec<String>>().join(", ");
        match counts.len().saturating_sub(TOLD) {
            0 => format!("{what}: {told}"),
            more => format!("{what}: {told}, +{more}"),
        }
    }

    fn tell_release(
        &self,
        instance: &InstanceId,
        user: &UserId,
        released: &evidence::Released,
    ) -> String {
        let what = match released {
            evidence::Released::Months(months) => {
                let month = |month: &u32| format!("{:04}-{:02}", month / 100, month % 100);
                let months: Vec<String> = months.iter().map(month).collect();
                format!("{} {}", self.say("ヘッダー（月）", "headers of months"), months.join(", "))
            }
            evidence::Released::Summaries(messages) => {
                match messages.iter().filter(|one| !one.is_no_mail()).count() {
                    0 => self.say("フォルダー名", "names of folders"),
                    mail => format!("{} {mail}", self.say("ヘッダー", "headers:")),
                }
            }
            evidence::Released::Transit(messages) => {
                let sent = self.say("のメールを送るために開いた", "'s mail was opened to be sent:");
                return format!("{}{sent} {} ({instance})", self.name(user), messages.len());
            }
            evidence::Released::Bodies(bodies) => {
                format!("{} {}", self.say("本文", "bodies:"), bodies.len())
            }
        };
        let by = match self.threads.passes.get(instance) {
            // By an app password; who else may have seen one made is told where it was made.
            None => self.say("本人の名義のセッション", "a session in their name"),
            Some(request) => {
                format!("{} {request}", self.say("他の人、申請", "another, under request"))
            }
        };
        let opened = self.say("を開いた", "opened");
        format!("{}: {what} {opened} ({by}, {instance})", self.name(user))
    }
}
