//! A scope and a statement in sentences, Japanese and English alike. Names, where somebody is
//! entitled to them, are handed in; else opaque ids stand.

use crate::checked;
use crate::contained::{Containment, ToDo};
use crate::finish::{EVERYTHING_AT_HAND, OPENS_ALL, PART_LOST, UNSEEN};
use crate::lost::{self, NOT_THERE};
use crate::made::ByCredentials;
use crate::measure::{Contract, Scope};
use crate::statement::{Ciphertexts, Statement};
use std::fmt::Write;

/// Detections told one by one; the value has more, and their number.
const TOLD: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Japanese,
    English,
}

impl Language {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ja" => Some(Self::Japanese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    pub fn say<'a>(self, japanese: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Japanese => japanese,
            Self::English => english,
        }
    }
}

/// What a class of data is called.
pub fn class(language: Language, word: &str) -> &str {
    match word {
        "addresses" => language.say("メールアドレス", "addresses"),
        "headers" => language.say("ヘッダー", "headers"),
        "bodies" => language.say("本文", "bodies"),
        "verifiers" => language.say("認証情報", "verifiers"),
        "credentials" => language.say("クラウド等の資格情報", "credentials"),
        other => other,
    }
}

fn condition(language: Language, word: &str) -> &str {
    match word {
        "instances ended" => language.say("対象プロセスの終了", word),
        "no live grant" => language.say("有効な許可なし", word),
        "no alarm since" => language.say("以後の警報なし", word),
        "decoys silent" => language.say("おとりへの接触なし", word),
        "credentials rotated" => language.say("資格情報の更新", word),
        "credentials it saw ended" => language.say("対象が受け取った認証情報の失効", word),
        "keys it held changed" => language.say("対象が保持し得た鍵の更新", word),
        "no evidence lost since" => language.say("以後の証跡の欠損なし", word),
        "credentials it made ended" => language.say("対象が発行した認証情報の失効", word),
        other => other,
    }
}

/// A scope as sentences. `name` gives the name of an opaque id where it is known.
pub fn tell(scope: &Scope, language: Language, name: impl Fn(&str) -> Option<String>) -> String {
    let say = |japanese, english| language.say(japanese, english);
    let mut to = String::new();
    let none = say("なし", "none");
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| none.to_owned());
    let mut line = |label: &str, value: String| {
        let _ = writeln!(to, "{label}: {value}");
    };
    if scope.checked == "wanting" {
        line(say("注意", "attention"), checked::warning(language).to_owned());
    }
    if scope.lower_bound {
        line(say("注意", "attention"), lost::lower_bound(language).to_owned());
    }
    line(
        say("対象", "component"),
        match &scope.version {
            Some(version) => format!("{} {version}", scope.component),
            None => scope.component.to_owned(),
        },
    );
    line(say("期間", "window"), format!("{} – {}", scope.from, scope.to));
    line(say("発生（最初の活動）", "first use"), or_none(&scope.first_use));
    line(say("発生（最後の活動）", "last use"), or_none(&scope.last_use));
    if let Some(given) = &scope.given_before {
        line(
            say(
                "期間前に渡り、期間中も動作していたプロセスが保持していたもの（件数に含む）",
                "given before the window to processes that lived into it (counted, too)",
            ),
            format!("{} – {}", given.first, given.last),
        );
    }
    for (label, value) in told_detections(&scope.containment, language) {
        line(&label, value);
    }
    line(say("露出の終了", "exposure ended"), or_none(&scope.containment.exposure_ended));
    for (label, value) in told_figures(scope, language) {
        line(label, value);
    }
    for one in &scope.contracts {
        let who = name(&one.tenant).unwrap_or_else(|| one.tenant.clone());
        line(&format!("  {who}"), told_contract(one, language));
    }
    for (label, value) in told_containment(&scope.containment, language) {
        line(&label, value);
    }
    let checked = told_checked(scope.checked, &scope.losses, language);
    line(
        say("根拠", "basis"),
        format!("{} {} · {} · {checked}", scope.entries, say("件", "entries"), scope.root),
    );
    for problem in &scope.problems {
        line(say("問題", "problem"), problem.clone());
    }
    to.push_str(&lost::tell_losses(&scope.losses, language));
    to
}

/// What was checked, and that what is lost is not in it.
pub(crate) fn told_checked(word: &str, losses: &[lost::Loss], language: Language) -> String {
    let checked = checked::told(word, language);
    match losses.is_empty() {
        true => checked.to_owned(),
        false => {
            let [japanese, english] = NOT_THERE;
            let and = language.say("。", "; ");
            format!("{checked}{and}{}", language.say(japanese, english))
        }
    }
}

/// How many, and what that means.
fn told_figures(scope: &Scope, language: Language) -> Vec<(&'static str, String)> {
    let say = |japanese, english| language.say(japanese, english);
    let mut told = Vec::new();
    let mut line = |label, value| told.push((label, value));
    line(say("対象プロセス数", "instances"), scope.instances.to_string());
    line(
        match scope.lower_bound {
            false => say("閲覧され得たメール（上限）", "messages that can have been read, at most"),
            true => say(
                "閲覧され得たメール（残っている証跡による下限）",
                "messages that can have been read, by what is left, at least",
            ),
        },
        scope.upper.to_string(),
    );
    line(say("確実に開示されたメール", "messages certainly opened"), scope.lower.to_string());
    line(
        say("内容不明の接続", "connections of which the content is not known"),
        scope.unattributed_connections.to_string(),
    );
    line(
        say("通過し保存されなかったメール", "messages that passed and were not kept"),
        scope.not_kept.to_string(),
    );
    let bound = match scope.bound {
        OPENS_ALL => say("保存されたすべてを開き得た。下限は記録された開示", OPENS_ALL),
        EVERYTHING_AT_HAND => say(
            "動作中は家のすべてに手が届き、何を取ったかはどの台帳にも現れない。\
             件数はその時までに保存されたすべて（上限）",
            EVERYTHING_AT_HAND,
        ),
        PART_LOST => say(
            "下限。ここで数えるべき証跡が失われており、そこに何があったかは誰にも数えられない",
            PART_LOST,
        ),
        UNSEEN => say(
            "動作中に届いたすべて（上限）。みずから応答した接続は、どの台帳にも現れない",
            UNSEEN,
        ),
        other => say("開示は正確、通過は上限", other),
    };
    line(say("件数の意味", "what the figures mean"), bound.to_owned());
    if let Some(made) = &scope.by_credentials {
        line(
            say("対象が発行した認証情報", "credentials that it made"),
            told_credentials(made, language),
        );
        line(say("それらによる開示", "opened with them"), told_opened(made, language));
    }
    told
}

fn told_credentials(made: &ByCredentials, language: Language) -> String {
    let ByCredentials { app_passwords, passes, passwords, live, .. } = made;
    match language {
        Language::Japanese => format!(
            "アプリパスワード {app_passwords}、閲覧許可 {passes}、パスワード {passwords}\
             （うち {live} は今も有効）"
        ),
        Language::English => format!(
            "{app_passwords} app passwords, {passes} passes, {passwords} passwords ({live} of them \
             still good)"
        ),
    }
}

fn told_opened(made: &ByCredentials, language: Language) -> String {
    let ByCredentials { sign_ins, releases, messages, months, .. } = made;
    let last = made.last_use.as_deref().unwrap_or("–");
    let mut value = match language {
        Language::Japanese => {
            format!(
                "サインイン {sign_ins} 回、開示 {releases} 回、メール {messages} 通、最終 {last}"
            )
        }
        Language::English => format!(
            "{sign_ins} sign-ins, {releases} releases, {messages} messages; the last at {last}"
        ),
    };
    if *months > 0 {
        let more = language.say("月単位の見出し", "whole months of headers");
        let _ = write!(value, ", {more}: {months}");
    }
    if made.after_window {
        let after = language.say("期間後も続いた", "it went on after the window");
        let _ = write!(value, " · {after}");
    }
    value
}

/// When it was detected, and by what.
fn told_detections(containment: &Containment, language: Language) -> Vec<(String, String)> {
    let say = |japanese, english| language.say(japanese, english);
    let detected = containment.detected.clone();
    let detected = detected.unwrap_or_else(|| say("なし", "none").to_owned());
    let mut told = vec![(say("検知", "detected").to_owned(), detected)];
    for one in containment.detections.iter().take(TOLD) {
        let who = say("証跡", "entry");
        let by = format!("{} · {} · {who} {}", one.call, one.instance, one.entry);
        told.push((format!("  {}", one.at), by));
    }
    let more = containment.detections_in_all.saturating_sub(TOLD as u64);
    if more > 0 {
        told.push((format!("  {}", say("ほかの検知", "further detections")), more.to_string()));
    }
    told
}

/// Whether it is contained, and by which entries.
fn told_containment(containment: &Containment, language: Language) -> Vec<(String, String)> {
    let say = |japanese, english| language.say(japanese, english);
    let contained = match containment.contained {
        true => say("はい", "yes"),
        false => say("いいえ", "no"),
    };
    let mut lines = vec![(say("封じ込め", "contained").to_owned(), contained.to_owned())];
    for one in &containment.conditions {
        let shown = match (&one.missing, one.entry) {
            (Some(missing), _) => {
                format!("{}: {}", say("未達", "missing"), lacking(language, missing))
            }
            (None, Some(entry)) => format!("{} {entry}", say("証跡", "shown by entry")),
            (None, None) => say("達成", "met").to_owned(),
        };
        lines.push((format!("  {}", condition(language, one.condition)), shown));
        if let Some(next) = &one.next {
            let label = format!("    {}", say("次の手順", "next"));
            lines.push((label, language.say(&next.ja, &next.en).to_owned()));
        }
        for left in &one.to_do {
            lines.push((format!("    {}", of_whom(language, left)), say_to_do(language, left)));
        }
    }
    lines
}

fn of_whom(language: Language, left: &ToDo) -> String {
    match (&left.tenant, language) {
        (None, _) => left.credential.clone(),
        (Some(tenant), Language::Japanese) => format!("{tenant} の {}", left.credential),
        (Some(tenant), Language::English) => format!("{} of {tenant}", left.credential),
    }
}

fn say_to_do(language: Language, left: &ToDo) -> String {
    language.say(&left.ja, &left.en).to_owned()
}

/// What a condition lacks; ids and times stand as they are.
fn lacking(language: Language, missing: &str) -> String {
    if language == Language::English {
        return missing.to_owned();
    }
    let live = missing.strip_suffix(" live").and_then(|counts| counts.split_once(" of "));
    match (missing, live) {
        (one, _) if one.starts_with("every private key was within its reach") => {
            "すべての秘密鍵に手が届いた。これまでに封じたものは、鍵を写した者には開ける".to_owned()
        }
        (one, _) if one.starts_with("entries are lost of ") => {
            one.replace("entries are lost of ", "証跡が失われている: ")
        }
        (one, _) if one.starts_with("the key that it signs with") => {
            "署名鍵に手が届いた。これを更新するコマンドはまだない".to_owned()
        }
        ("the exposure has not ended", _) => "露出がまだ終わっていない".to_owned(),
        (_, Some((alive, all))) => format!("{all} のうち {alive} が動作中"),
        _ => {
            let until = missing.strip_prefix("a grant lives until ");
            let good = missing.strip_prefix("still good: ").and_then(|one| one.split_once(" of "));
            match (until, good) {
                (Some(until), _) => format!("許可が {until} まで有効"),
                (_, Some((live, all))) => format!("{all} のうち {live} が今も有効"),
                _ => missing.replace("entry ", "証跡 ").replace(" at ", " "),
            }
        }
    }
}

fn told_contract(one: &Contract, language: Language) -> String {
    let classes: Vec<&str> = one.classes.iter().map(|word| class(language, word)).collect();
    // Of whom nothing was read: people are counted who were.
    if classes.is_empty() && one.could_open > 0 {
        return match language {
            Language::Japanese => format!("開示の記録なし、開示し得たメール {} 通", one.could_open),
            Language::English => {
                format!("nobody recorded as read; could have opened {} messages", one.could_open)
            }
        };
    }
    let mut value = match language {
        Language::Japanese => {
            format!("{} 名、メール {} 通、{}", one.accounts, one.messages, classes.join("・"))
        }
        Language::English => {
            format!("{} people, {} messages: {}", one.accounts, one.messages, classes.join(", "))
        }
    };
    if one.could_open > 0 {
        let could = language.say("開示し得たもの", "could have opened");
        let _ = write!(value, " ({could} {})", one.could_open);
    }
    if one.by_credential > 0 {
        let by = language.say("対象が発行した認証情報による", "by a credential that it made");
        let _ = write!(value, " ({by} {})", one.by_credential);
    }
    value
}

/// A statement as sentences.
pub fn tell_statement(
    statement: &Statement,
    language: Language,
    name: impl Fn(&str) -> Option<String>,
) -> String {
    let say = |japanese, english| language.say(japanese, english);
    let mut to = String::new();
    let window = format!("{} – {}", statement.from, statement.to);
    let head = match language {
        Language::Japanese => format!(
            "高度な暗号化等に関する説明書\n{} が保持していた暗号文について、期間 {window}",
            statement.component
        ),
        Language::English => format!(
            "Statement on advanced encryption\nof the ciphertexts that {} held, in {window}",
            statement.component
        ),
    };
    let _ = writeln!(to, "{head}");
    if statement.lower_bound {
        let _ = writeln!(to, "{}: {}", say("注意", "attention"), lost::lower_bound(language));
    }
    for one in &statement.ciphertexts {
        let who = name(&one.tenant).unwrap_or_else(|| one.tenant.clone());
        let _ = writeln!(
            to,
            "  {who}: {} {}, {} {}",
            one.copies,
            say("通", "copies"),
            one.bytes,
            say("オクテット", "octets")
        );
        tell_destroyed(&mut to, one, language);
    }
    let _ = writeln!(to, "{}: {}", say("方式", "suites"), statement.suites.join("; "));
    let _ = writeln!(
        to,
        "{}: {} · {} {} · {} {}",
        say("鍵の開示", "releases of keys"),
        statement.releases_in_window,
        say("対象へ", "to this component"),
        statement.releases_to_component,
        say("連番の欠落", "gaps in their numbers"),
        match statement.lower_bound {
            false => statement.gaps.to_string(),
            true =>
                format!("{} ({})", statement.gaps, say("欠損の間は不明", "not known over a loss")),
        },
    );
    tell_more_releases(&mut to, statement, language);
    let _ = writeln!(to, "{}", told_holds(statement.holds, language));
    let (basis, entries) = (say("根拠", "basis"), say("件", "entries"));
    let checked = told_checked(statement.checked, &statement.losses, language);
    let _ =
        writeln!(to, "{basis}: {} {entries} · {} · {checked}", statement.entries, statement.root);
    for problem in &statement.problems {
        let _ = writeln!(to, "{}: {problem}", say("問題", "problem"));
    }
    to.push_str(&lost::tell_losses(&statement.losses, language));
    to
}

/// Releases that reached it in other ways than by its own asking in the window, if any.
fn tell_more_releases(to: &mut String, statement: &Statement, language: Language) {
    let say = |japanese, english| language.say(japanese, english);
    let more = [
        (
            statement.releases_before_to_living,
            say(
                "期間前に渡り、期間中も動作していたプロセスが保持していた鍵の開示",
                "releases before the window to processes of it that lived into it",
            ),
        ),
        (
            statement.releases_by_credentials,
            say(
                "対象が発行した認証情報によるサインインへの鍵の開示",
                "releases to sign-ins with credentials that it made",
            ),
        ),
    ];
    for (count, label) in more.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(to, "{label}: {count}");
    }
}

/// What of a contract's ciphertexts was destroyed, and when.
fn tell_destroyed(to: &mut String, one: &Ciphertexts, language: Language) {
    let say = |japanese, english| language.say(japanese, english);
    for (what, label) in [
        (
            &one.destroyed_since,
            say(
                "うち、その後鍵とともに消去（それまでに外へ出ていても、誰にも開けない）",
                "of these destroyed with their keys since (what left before opens for nobody)",
            ),
        ),
        (
            &one.no_longer_there,
            say(
                "ほかに、期間の前に消去済み（期間中はもう存在せず、出ることもない）",
                "beside these, destroyed before the window (no longer there, and could not \
                 leave in it)",
            ),
        ),
    ] {
        if let (Some(at), Some(entry)) = (&what.at, what.entry) {
            let (copies, octets) = (say("通", "copies"), say("オクテット", "octets"));
            let (copies_, bytes, shown) = (what.copies, what.bytes, say("証跡", "entry"));
            let _ = writeln!(
                to,
                "    {label}: {copies_} {copies}, {bytes} {octets} · {at} · {shown} {entry}"
            );
        }
    }
}

fn told_holds(holds: bool, language: Language) -> &'static str {
    match holds {
        true => language.say(
            "この期間、対象に復号鍵は渡っていない。\
             期間前に鍵を受け取り、期間中も動作していたプロセスもない。",
            "In this window no key that opens them was given to this component, and no process of \
             it that lived into the window had been given one before.",
        ),
        false => language.say(
            "対象に鍵が渡ったか、渡っていないことを示せない。",
            "Keys were given to this component, or it cannot be shown that none were.",
        ),
    }
}
