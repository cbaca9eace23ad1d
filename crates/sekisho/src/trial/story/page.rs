//! Both histories side by side, calm, from 40 columns on.

use crate::demo::screen::{Tone, tinted};
use serde_json::Value;

/// Wider lines are hard to read; narrower than this, the histories stand one below the other.
const WIDEST: usize = 116;
const BESIDE: usize = 76;
const NARROWEST: usize = 36;
const USUAL: usize = 80;
/// Marks that no line begins with.
const CLOSING: &str = "、。」）・ー：；％%,.;:)";

/// A title, what happened then, what happened here.
struct Row {
    title: String,
    then: String,
    here: String,
    tone: Tone,
}

pub fn show(told: &Value, is_japanese: bool) {
    let columns = compartment::terminal_columns().map(usize::from);
    let columns = columns.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
    let width = columns.unwrap_or(USUAL).clamp(NARROWEST, WIDEST);
    for (line, tone) in lines(told, is_japanese, width) {
        println!("{}", tinted(tone, &line));
    }
}

/// Every line of the page with its tone; a line of two columns is toned by its right half.
fn lines(told: &Value, is_japanese: bool, width: usize) -> Vec<(String, Tone)> {
    let say = |ja: &str, en: &str| if is_japanese { ja.to_owned() } else { en.to_owned() };
    let mut page = vec![(String::new(), Tone::Plain)];
    let title = say("━━ ふたつの記録", "━━ Two histories");
    page.push((title, Tone::Plain));
    let intro = say(
        "左は公表された事実、右はいまこの計算機で測った値です。Web 画面はまだ無いので、外に面した \
         access と edge を代役として乗っ取りました。",
        "Left: what was published. Right: what was measured on this machine just now. There are no \
         web pages yet, so access and edge, which face the network, were taken over in their place.",
    );
    page.push((String::new(), Tone::Plain));
    page.extend(wrap(&intro, width).into_iter().map(|line| (line, Tone::Quiet)));
    let heads = (say("当時 2024–2025", "then, 2024–2025"), say("ここ いま", "here, now"));
    for (number, row) in rows(told, is_japanese).into_iter().enumerate() {
        page.push((String::new(), Tone::Plain));
        page.push((format!("{} {}", number + 1, row.title), Tone::Plain));
        if width < BESIDE {
            for (head, text, tone) in
                [(&heads.0, &row.then, Tone::Quiet), (&heads.1, &row.here, row.tone)]
            {
                page.push((format!("  {head}"), Tone::Quiet));
                page.extend(wrap(text, width - 4).into_iter().map(|l| (format!("    {l}"), tone)));
            }
        } else {
            let half = (width - 5) / 2;
            let (left, right) = (wrap(&row.then, half), wrap(&row.here, half));
            for at in 0..left.len().max(right.len()) {
                let then = left.get(at).map_or("", String::as_str);
                let here = right.get(at).map_or("", String::as_str);
                let blank = " ".repeat(half.saturating_sub(columns_of(then)));
                page.push((format!("  {then}{blank}   {here}").trim_end().to_owned(), row.tone));
            }
        }
    }
    page.push((String::new(), Tone::Plain));
    page.extend(end(told, is_japanese, width));
    page
}

fn end(told: &Value, is_japanese: bool, width: usize) -> Vec<(String, Tone)> {
    let broken = told.get("broken").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines: Vec<(String, Tone)> = Vec::new();
    for one in broken.iter().filter_map(Value::as_str) {
        lines.extend(wrap(one, width).into_iter().map(|line| (line, Tone::Stopped)));
    }
    let mut sources: Vec<String> = Vec::new();
    for source in told.pointer("/then/sources").and_then(Value::as_object).into_iter().flatten() {
        let source = source.1.as_str().unwrap_or_default().to_owned();
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    let head = if is_japanese { "出典: " } else { "Sources: " };
    let text = format!("{head}{}", sources.join(" · "));
    lines.extend(wrap(&text, width).into_iter().map(|line| (line, Tone::Quiet)));
    lines
}

fn rows(told: &Value, is_japanese: bool) -> Vec<Row> {
    let n = |path: &str| number(told, path);
    let row = |title: (&str, &str), then: (&str, &str), here: (String, String), good: bool| {
        let pick = |(ja, en): (&str, &str)| if is_japanese { ja } else { en }.to_owned();
        let here = if is_japanese { here.0 } else { here.1 };
        let tone = if good { Tone::Good } else { Tone::Watch };
        Row { title: pick(title), then: pick(then), here, tone }
    };
    let mut rows = vec![
        row(
            ("侵入", "The way in"),
            (
                "2024-08-03、Web メールの任意機能の未知の欠陥（CVE-2025-42599）から。その機能は \
                 2025 年 2 月に提供を終えていた。",
                "2024-08-03, through an unknown flaw in an optional web mail (CVE-2025-42599), \
                 an option that was withdrawn in February 2025.",
            ),
            (
                format!(
                    "{} 組織の家で、access と edge の中身を攻撃コードに置き換えた。",
                    n("organisations")
                ),
                format!(
                    "In a house of {} organisations, the code of access and edge was replaced \
                         by an intruder's.",
                    n("organisations")
                ),
            ),
            false,
        ),
        row(
            ("その場にある道具", "Tools of the host"),
            (
                "目立つ不正プログラムを使わない手口で、「ふだん効く通信の警報が鳴らなかった」。",
                "Living off the land: \"the alert that normally works did not fire\".",
            ),
            (
                format!(
                    "シェル・curl・メモリ読み取りなど {} 回を試み、成功 {}。警報 {} 件、最も遅いもので {} ms。",
                    n("tools/tried"),
                    n("tools/worked"),
                    n("tools/alarms"),
                    n("tools/slowest_alarm_ms")
                ),
                format!(
                    "{} tries with shells, curl, others' memory and more: {} worked. {} alarms, \
                         the slowest after {} ms.",
                    n("tools/tried"),
                    n("tools/worked"),
                    n("tools/alarms"),
                    n("tools/slowest_alarm_ms")
                ),
            ),
            true,
        ),
        row(
            ("資格情報", "Credentials"),
            (
                "488 契約のクラウド連携の認証情報、132 契約 311,288 件のアカウント情報。",
                "Cloud credentials of 488 contracts; 311,288 accounts of 132 contracts.",
            ),
            (
                format!(
                    "資格情報・鍵・保管庫のファイルを {} 回開こうとし、開けたもの {}。スマートホストの資格情報は金庫に封じてある。",
                    n("files/tried"),
                    n("files/opened")
                ),
                format!(
                    "{} tries to open files of credentials, keys and stores: {} opened. Sign-ins \
                         to smart hosts lie sealed with the vault.",
                    n("files/tried"),
                    n("files/opened")
                ),
            ),
            true,
        ),
        row(
            ("横への移動", "Sideways"),
            (
                "警報の出た機器から、横への移動の跡をさかのぼって最初の入口に至った。",
                "The trail was followed back, machine by machine, to the first entry.",
            ),
            (
                format!(
                    "隣の区画に {} 通りの越権を求め、応じたもの {}。ほかの組織の言葉で手に入ったもの {}。",
                    n("neighbours/asked"),
                    n("neighbours/gave"),
                    n("neighbours/others_words_in_hand")
                ),
                format!(
                    "{} requests beyond its rights to its neighbours: {} granted. Words of other \
                         organisations in hand: {}.",
                    n("neighbours/asked"),
                    n("neighbours/gave"),
                    n("neighbours/others_words_in_hand")
                ),
            ),
            true,
        ),
    ];
    rows.extend(later_rows(told, &row));
    rows
}

type MakeRow<'a> = dyn Fn((&str, &str), (&str, &str), (String, String), bool) -> Row + 'a;

fn later_rows(told: &Value, row: &MakeRow<'_>) -> Vec<Row> {
    let n = |path: &str| number(told, path);
    let months = "simulated/hasty";
    let doors = told.pointer("/here/elsewhere").and_then(Value::as_array);
    let opened = doors.into_iter().flatten().filter(|door| door["opened"] == true).count();
    let tried = doors.map_or(0, Vec::len);
    vec![
        row(
            ("大量の読み取り", "Reading in bulk"),
            (
                "250 日のあいだに、6 契約のメールの本文とヘッダが漏れた。",
                "In 250 days, bodies and headers of the mail of 6 contracts.",
            ),
            (
                format!(
                    "サインインした 1 人の {} 通。1 通ごとに台帳に残った。［模擬時間 250 日、予算は本物のコード］\
                         急げば {} 通で警報（{} 分）、{} 分で停止。遅ければ警報の下だが、セッションは 24 時間で必ず終わる。",
                    n("reading/messages"),
                    n(&format!("{months}/bodies_before_alarm")),
                    n(&format!("{months}/first_alarm_minute")),
                    n(&format!("{months}/first_stop_minute"))
                ),
                format!(
                    "{} letters of the one person who signed in, each in the ledger. [simulated 250 \
                         days, with the real budget code] In haste: an alarm past {} bodies (minute {}), \
                         stopped at minute {}. Slowly: below the alarm, but a session ends for good \
                         after 24 hours.",
                    n("reading/messages"),
                    n(&format!("{months}/bodies_before_alarm")),
                    n(&format!("{months}/first_alarm_minute")),
                    n(&format!("{months}/first_stop_minute"))
                ),
            ),
            false,
        ),
        row(
            ("盗んだ合い言葉をよそで", "Stolen secrets elsewhere"),
            (
                "漏れたものには、他社のクラウドサービスの認証情報（488 契約）が含まれていた。",
                "Among what leaked: credentials for other companies' cloud services (488 contracts).",
            ),
            (
                format!(
                    "打ち込まれた合い言葉で {tried} の扉を試し、開いたのは {opened}（本人の扉のみ。記録され、失効できる）。"
                ),
                format!(
                    "The secret that was typed, at {tried} doors: {opened} opened (its own person's, \
                         recorded, revocable)."
                ),
            ),
            true,
        ),
        row(
            ("去った顧客", "Customers who had left"),
            (
                "契約を終えた顧客のアカウント名とクラウドの認証情報が、機器に残っていた。",
                "Account names and cloud credentials of ended contracts were still there.",
            ),
            (left_behind(told, true), left_behind(told, false)),
            true,
        ),
        row(
            ("気づく", "Noticed"),
            (
                "250 日後の 2025-04-10。総務省は漏えいの終わりを 04-17 とする。",
                "After 250 days, on 2025-04-10; the ministry counts the leak on to 04-17.",
            ),
            (
                format!(
                    "最初の逸脱から {} ms。次の逸脱した実体はその場で終わらせ、新しいものに替えた。",
                    n("noticed/first_alarm_ms")
                ),
                format!(
                    "{} ms after its first call off charter; the next instance to make one was ended \
                         on the spot and replaced.",
                    n("noticed/first_alarm_ms")
                ),
            ),
            true,
        ),
        row(
            ("誰の、何が", "Whose, and what"),
            (
                "まず全 6,493 契約・4,072,650 件を「否定できない」とし、12 日後に 586 契約まで絞った。",
                "First all 6,493 contracts and 4,072,650 accounts \"cannot be ruled out\"; narrowed to \
                 586 contracts after 12 days.",
            ),
            (extent(told, true), extent(told, false)),
            true,
        ),
    ]
}

/// What a contract that ended before the intruder came has left behind.
fn left_behind(told: &Value, is_japanese: bool) -> String {
    let n = |path: &str| number(told, &format!("left/measured/{path}"));
    let (ms, files, found, keys) = (n("ended_ms"), n("files"), n("found"), n("keys_destroyed"));
    let (before, after) = (n("ciphertexts_on_disk_before"), n("ciphertexts_on_disk_after"));
    let (stolen, opened) = (n("owned_vault/stolen"), n("owned_vault/opened"));
    let living = n("owned_vault/opened_of_the_living");
    let in_hand = number(told, "left/words_in_hand");
    match is_japanese {
        true => format!(
            "一つの契約を侵入の前に終わらせた。{ms} ms で破棄、鍵 {keys} 個、証明書は写しの連署つき。\
             {files} 個のファイルに残る平文の語 {found}、暗号文と包まれた鍵は {before} から {after} へ。\
             侵入者の手に渡った語 {in_hand}。先に暗号文 {stolen} 通を盗んでおき、あとで金庫ごと\
             乗っ取っても、開いたもの {opened}（続いている契約のものは {living} 通）。本人の合い言葉でも入れない。"
        ),
        false => format!(
            "One contract ended before the intruder came: destroyed in {ms} ms, {keys} key, with a \
             cosigned certificate. In {files} files {found} of its words; of its ciphertexts and \
             wrapped keys {before} lay there before, {after} after. Of its words the intruder got \
             {in_hand}. A thief who had copied {stolen} of its letters, and owned the whole vault \
             afterwards, opened {opened} (of a contract that goes on: {living}). Its own secret \
             opens nothing."
        ),
    }
}

/// Contracts by name, and how exact the ledger was.
fn extent(told: &Value, is_japanese: bool) -> String {
    let n = |path: &str| number(told, path);
    let list = told.pointer("/here/extent/contracts").and_then(Value::as_array);
    let contracts = list.into_iter().flatten().map(|one| {
        let text = |name: &str| one.get(name).map(plain).unwrap_or_default();
        match is_japanese {
            true => {
                format!("{}（{} 人、{} 通）", text("tenant"), text("accounts"), text("messages"))
            }
            false => format!(
                "{} (people {}, messages {})",
                text("tenant"),
                text("accounts"),
                text("messages")
            ),
        }
    });
    let contracts: Vec<String> = contracts.collect();
    let (scope, recall) = (n("extent/scope_ms"), share(told, "recall"));
    let (precision, count) = (share(told, "precision"), contracts.len());
    let names = contracts.join(if is_japanese { "、" } else { ", " });
    match is_japanese {
        true => format!(
            "台帳だけから {scope} ms で: {count} 契約、{names}。実際に読まれたものとの一致 — 再現率 {recall}、適合率 {precision}。"
        ),
        false => format!(
            "From the ledger alone, in {scope} ms: {count} contract, {names}. Against what was really \
             read: recall {recall}, precision {precision}."
        ),
    }
}

fn share(told: &Value, name: &str) -> String {
    let share = told.pointer(&format!("/here/extent/{name}")).and_then(Value::as_f64);
    share.map_or_else(|| "–".to_owned(), |share| format!("{share:.2}"))
}

fn number(told: &Value, path: &str) -> String {
    told.pointer(&format!("/here/{path}")).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        other => other.to_string(),
    }
}

/// 20000 as 20,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Columns on a terminal.
fn columns_of(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

fn width_of(one: char) -> usize {
    match one {
        ' '..='~' | '–' | '—' | '·' => 1,
        _ => 2,
    }
}

/// Lines of at most `width` columns: between words, or between any two letters of Japanese.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for piece in pieces(text) {
        let wide = columns_of(&piece);
        let fits = used + columns_of(piece.trim_end()) <= width;
        if !fits && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&piece);
        }
        used += wide;
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// What may not be broken: a word with the blank behind it, or a letter with its closing marks.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut is_open = false;
    for one in text.chars() {
        let is_word = width_of(one) == 1 && one != ' ';
        let goes_on = match pieces.last() {
            None => false,
            Some(last) if one == ' ' => !last.ends_with(' '),
            Some(_) if CLOSING.contains(one) => true,
            Some(last) => is_word && is_open && !last.ends_with(' '),
        };
        match pieces.last_mut().filter(|_| goes_on) {
            Some(last) => last.push(one),
            None => pieces.push(one.to_string()),
        }
        is_open = is_word;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{columns_of, grouped, lines, wrap};
    use serde_json::json;

    #[test]
    fn no_line_is_wider_than_the_terminal_in_either_language() {
        let told = json!({ "here": { "elsewhere": [], "left": null }, "broken": ["x"], "then": {
            "sources": { "entry": "CVE-2025-42599 (JVN#22348866)" } } });
        for width in [36, 40, 76, 80, 100, 116] {
            for is_japanese in [true, false] {
                for (line, _) in lines(&told, is_japanese, width) {
                    assert!(columns_of(&line) <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn lines_break_between_words_and_never_before_a_closing_mark() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("あいう。", 6), ["あい", "う。"]);
        assert_eq!(wrap("鍵は abc です", 8), ["鍵は abc", "です"]);
        assert_eq!(grouped(4_072_650), "4,072,650");
    }
}
