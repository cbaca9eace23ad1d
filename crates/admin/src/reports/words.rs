//! What reports say, as sentences: a catalogue, Japanese and English.

use evidence::rfc3339;
use notice::{Reason, say};
use serde_json::{Value, json};
use wire::reports::{Feedback, Kept, Report, Returned, TlsFailure, TlsPolicy, TlsReport};

/// Sentences about one report; of a long one the first.
const SENTENCES: usize = 6;

/// What a report says, and what to do about it.
pub struct Told {
    pub said: Value,
    pub todo: Value,
}

/// One text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Text {
    ja: String,
    en: String,
}

impl Text {
    fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }

    fn json(self) -> Value {
        json!({ "ja": self.ja, "en": self.en })
    }
}

/// The sentences of one, with what is to be done at the end.
pub fn of(kept: &Kept, sender: Option<&str>) -> Told {
    let (mut said, todo) = match &kept.report {
        Report::Tls(report) => tls(report, &by(kept)),
        Report::Feedback(feedback) => complaint(feedback, kept, sender),
        Report::Returned(returned) => back(returned, kept, sender),
    };
    if !kept.is_proven && !matches!(kept.report, Report::Returned(_)) {
        let Text { ja, en } = by(kept);
        said.ja = format!("（{ja} からの報告であるとは確認できていません）{}", said.ja);
        said.en = format!("(Not proven to come from {en}.) {}", said.en);
    }
    match todo {
        Some(todo) => {
            said.ja = format!("{}対処：{}", said.ja, todo.ja);
            said.en = format!("{} What to do: {}", said.en, todo.en);
            Told { said: said.json(), todo: todo.json() }
        }
        None => Told { said: said.json(), todo: Value::Null },
    }
}

fn by(kept: &Kept) -> Text {
    match kept.by.as_str() {
        "" => Text::new("不明な送信元", "an unknown sender"),
        by => Text::new(by, by),
    }
}

// ---- TLS ---------------------------------------------------------------------------------------

fn tls(report: &TlsReport, by: &Text) -> (Text, Option<Text>) {
    let day = days(report.begin_s, report.end_s);
    let (mut ja, mut en) = (Vec::new(), Vec::new());
    let mut todo: Option<Text> = None;
    for policy in &report.policies {
        let (said, what) = policy_words(policy, &day, by);
        for text in said {
            ja.push(text.ja);
            en.push(text.en);
        }
        todo = todo.or(what);
    }
    let more = ja.len().saturating_sub(SENTENCES);
    ja.truncate(SENTENCES);
    en.truncate(SENTENCES);
    if more > 0 {
        ja.push(format!("ほかに {more} 件あります。"));
        en.push(format!("There are {more} more."));
    }
    (Text::new(ja.concat(), en.join(" ")), todo)
}

fn policy_words(policy: &TlsPolicy, day: &Text, by: &Text) -> (Vec<Text>, Option<Text>) {
    let TlsPolicy { domain, successful, failed, failures, .. } = policy;
    let total = successful.saturating_add(*failed);
    if *failed == 0 {
        let ja = format!(
            "{}、{} から {domain} 宛ての接続 {total} 回は、すべて正しく暗号化されました。",
            day.ja, by.ja
        );
        let en = format!(
            "On {}, all {total} sessions of {} with {domain} were encrypted as they should be.",
            day.en, by.en
        );
        return (vec![Text { ja, en }], None);
    }
    let unsaid = TlsFailure { what: String::new(), mx: String::new(), sessions: *failed };
    let failures = if failures.is_empty() { std::slice::from_ref(&unsaid) } else { failures };
    let sentence = |failure: &TlsFailure| {
        let (why, _) = failure_words(&failure.what);
        let host = if failure.mx.is_empty() { domain } else { &failure.mx };
        let count = failure.sessions;
        let ja = format!(
            "{}、{} から {domain} 宛ての接続 {total} 回のうち {count} 回で、{host} との TLS が成立しませんでした：{}。",
            day.ja, by.ja, why.ja
        );
        let en = format!(
            "On {}, {} could not deliver in {count} of {total} sessions for {domain} to {host} with TLS: {}.",
            day.en, by.en, why.en
        );
        Text { ja, en }
    };
    let todo = failures.first().map(|failure| failure_words(&failure.what).1);
    (failures.iter().map(sentence).collect(), todo)
}

/// Why it failed (RFC 8460 §4.3), and what helps.
#[rustfmt::skip]
fn failure_words(what: &str) -> (Text, Text) {
    let (ja, en, todo_ja, todo_en) = match what {
        "starttls-not-supported" => ("サーバーが STARTTLS を提示しませんでした", "the server offered no STARTTLS",
            "`certificate install` で証明書が入っているか確かめ、MX とサーバーの間で STARTTLS を消す機器がないか調べてください。", "see that a certificate is installed (`certificate install`), and that no device between the MX and the server takes STARTTLS away."),
        "certificate-host-mismatch" => ("証明書の名前が MX のホスト名と一致しませんでした", "the certificate is for another name than the MX host's",
            "MX のホスト名を含む証明書を `certificate install` で入れてください。MX レコードがこのサーバーの名前を指しているかは `domain check` で確かめられます。", "install a certificate that has the MX host's name (`certificate install`); `domain check` says whether the MX record leads to this server's name."),
        "certificate-expired" => ("証明書の有効期限が切れていました", "the certificate had expired",
            "新しい証明書を `certificate install` で入れ、更新を自動にしてください。", "install a new certificate (`certificate install`), and have it renewed by itself."),
        "certificate-not-trusted" => ("証明書が信頼できる認証局のものではありませんでした", "the certificate is of no authority that is trusted",
            "公的な認証局の証明書を、中間証明書とともに `certificate install` で入れてください。", "install a certificate of a public authority, with its intermediate ones (`certificate install`)."),
        "validation-failure" => ("証明書を検証できませんでした", "the certificate could not be validated",
            "証明書とその連鎖を確かめ、`certificate install` で入れ直してください。", "look at the certificate and its chain, and install it anew (`certificate install`)."),
        "tlsa-invalid" => ("TLSA レコードが証明書と一致しないか、正しくありませんでした", "the TLSA record does not fit the certificate, or is none",
            "TLSA レコードを今の証明書に合わせてください。証明書を替えるときは、先に新しい TLSA を公開します。", "make the TLSA record fit today's certificate; publish the next one's before the certificate changes."),
        "dnssec-invalid" => ("DNSSEC の署名を検証できませんでした", "the DNSSEC signatures could not be validated",
            "ドメインの DNSSEC（DS と鍵、署名の期限）を DNS の事業者とともに確かめてください。", "check the domain's DNSSEC (DS, keys, signatures' dates) with whoever runs its DNS."),
        "dane-required" => ("送信側が DANE を求めましたが、使える TLSA がありませんでした", "the sender requires DANE, and no TLSA record could be used",
            "この送信側のメールを受けるには、DNSSEC と TLSA レコードが要ります。", "to take this sender's mail, the domain needs DNSSEC and TLSA records."),
        "sts-policy-fetch-error" => ("MTA-STS の方針を取得できませんでした", "the MTA-STS policy could not be fetched",
            "https://mta-sts.ドメイン/.well-known/mta-sts.txt が開けるか確かめてください（`domain check`）。", "see that https://mta-sts.DOMAIN/.well-known/mta-sts.txt opens (`domain check`)."),
        "sts-policy-invalid" => ("MTA-STS の方針が正しくありませんでした", "the MTA-STS policy is not valid",
            "`domain check` が示す方針の文面を、そのまま公開してください。", "publish the policy's text just as `domain check` shows it."),
        "sts-webpki-invalid" => ("MTA-STS の方針を公開するサーバーの証明書が正しくありませんでした", "the certificate of the server that publishes the MTA-STS policy is not valid",
            "mta-sts.ドメイン の名前の証明書を `certificate install` で入れてください。", "install a certificate for the name mta-sts.DOMAIN (`certificate install`)."),
        "" => ("理由は書かれていません", "the report does not say why",
            "証明書と MTA-STS を `domain check` で確かめてください。", "look at the certificate and at MTA-STS with `domain check`."),
        other => {
            let why = Text::new(format!("「{other}」と書かれています"), format!("it says \"{other}\""));
            let todo = Text::new("証明書と MTA-STS を `domain check` で確かめてください。", "look at the certificate and at MTA-STS with `domain check`.");
            return (why, todo);
        }
    };
    (Text::new(ja, en), Text::new(todo_ja, todo_en))
}

// ---- complaints --------------------------------------------------------------------------------

fn complaint(feedback: &Feedback, kept: &Kept, sender: Option<&str>) -> (Text, Option<Text>) {
    let day = day(kept.at_ms / 1_000);
    let reader = match feedback.reader.as_str() {
        "" => by(kept),
        reader => Text::new(reader, reader),
    };
    let what = reported_as(&feedback.kind);
    let Some(sent) = kept.sent else {
        let ja = format!(
            "{}、{} の受取人が、あるメールを{}と報告しました。当サービスから出たメールとは確認できません。",
            day.ja, reader.ja, what.ja
        );
        let en = format!(
            "On {}, a reader at {} reported a message as {}. It is not known to have left here.",
            day.en, reader.en, what.en
        );
        let todo = Text::new(
            "報告のメールに元のメールが付いていれば、ヘッダーで出所を確かめてください。なりすましなら DMARC を `domain check` で確かめます。",
            "if the report has the message with it, look at its header for where it came from; if somebody pretends to be you, look at DMARC with `domain check`.",
        );
        return (Text { ja, en }, Some(todo));
    };
    let who = whose(sender);
    let way = match sent.is_passed_on {
        true => Text::new(
            format!("{} の転送で出たメール", who.ja),
            format!("a message that went on by the forward of {}", who.en),
        ),
        false => Text::new(
            format!("{} が送ったメール", who.ja),
            format!("a message that {} sent", who.en),
        ),
    };
    let ja =
        format!("{}、{} の受取人が、{}を{}と報告しました。", day.ja, reader.ja, way.ja, what.ja);
    let en =
        format!("On {}, a reader at {} reported {} as {}.", day.en, reader.en, way.en, what.en);
    if !feedback.is_complaint() {
        return (Text { ja, en }, None);
    }
    if sent.is_passed_on {
        let todo = Text::new(
            "転送先で迷惑メールが報告されると、転送元の評判が下がります。迷惑メールを転送しない設定か、転送の停止を勧めてください。",
            "what is reported where it is forwarded to speaks against this house: advise them to end the forward (`user forward ADDRESS --none`).",
        );
        return (Text { ja, en }, Some(todo));
    }
    let count = kept.complaints;
    let ja = format!("{ja}この送信者への苦情は 30 日で {count} 件です。");
    let en = format!("{en} Complaints about this sender in 30 days: {count}.");
    let todo = Text::new(
        format!(
            "{} に、受取人が受信に同意していたかを尋ね、宛先から外してもらってください。本人が送っていないなら `freeze` で止め、パスワードを変えてください。",
            who.ja
        ),
        format!(
            "ask {} whether the reader had agreed to get such mail, and have the address taken off. If they did not send it, stop them with `freeze` and change the password.",
            who.en
        ),
    );
    (Text { ja, en }, Some(todo))
}

/// What a reader calls the message.
fn reported_as(kind: &str) -> Text {
    match kind {
        "abuse" => Text::new("迷惑メールだ", "unwanted (spam)"),
        "fraud" => Text::new("詐欺だ", "fraud (phishing)"),
        "virus" => Text::new("ウイルスだ", "carrying malware"),
        "not-spam" => Text::new("迷惑メールではない", "wanted: it is no spam"),
        "auth-failure" => {
            Text::new("送信ドメイン認証に通らない", "not authenticated (SPF, DKIM, DMARC)")
        }
        other => Text::new(format!("「{other}」"), format!("\"{other}\"")),
    }
}

fn whose(sender: Option<&str>) -> Text {
    match sender {
        Some(sender) => Text::new(sender, sender),
        None => Text::new("すでにいない利用者", "somebody who is no longer here"),
    }
}

// ---- what came back ----------------------------------------------------------------------------

fn back(returned: &Returned, kept: &Kept, sender: Option<&str>) -> (Text, Option<Text>) {
    let (day, who) = (day(kept.at_ms / 1_000), whose(sender));
    let (mut ja, mut en) = match returned.is_late {
        true => (
            format!("{}、{} のメールがまだ届いていないと知らされました。", day.ja, who.ja),
            format!("On {}, word came that a message of {} has not arrived yet.", day.en, who.en),
        ),
        false => (
            format!("{}、{} のメールが戻されました。", day.ja, who.ja),
            format!("On {}, a message of {} was given back.", day.en, who.en),
        ),
    };
    for victim in returned.victims.iter().take(SENTENCES) {
        let (why_ja, why_en) = say(Reason::of_word(&victim.reason));
        let status =
            victim.status.map(|(class, subject, detail)| format!("{class}.{subject}.{detail}"));
        let (place_ja, place_en) = match victim.domain.as_str() {
            "" => ("宛先".to_owned(), "A recipient".to_owned()),
            domain => (format!("{domain} の宛先"), format!("A recipient at {domain}")),
        };
        let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
        ja.push_str(&format!("{place_ja}{status}：{why_ja}"));
        en.push_str(&format!(" {place_en}{status}: {why_en}"));
    }
    let more = returned.victims.len().saturating_sub(SENTENCES);
    if more > 0 {
        ja.push_str(&format!("ほかに {more} 件の宛先があります。"));
        en.push_str(&format!(" There are {more} more."));
    }
    (Text { ja, en }, None)
}

// ---- days --------------------------------------------------------------------------------------

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day, or the first and the last of several (UTC, as the reports have it).
fn days(begin_s: u64, end_s: u64) -> Text {
    // A report that ends at midnight tells of the day before.
    let (first, last) = (day(begin_s), day(end_s.saturating_sub(1).max(begin_s)));
    if first == last {
        return first;
    }
    Text::new(format!("{}から{}まで", first.ja, last.ja), format!("{} to {}", first.en, last.en))
}

fn day(seconds: u64) -> Text {
    let date = rfc3339(seconds.saturating_mul(1_000));
    let mut numbers = date.get(..10).unwrap_or_default().split('-');
    let mut number = || numbers.next().and_then(|word| word.parse::<usize>().ok()).unwrap_or(1);
    let (year, month, day) = (number(), number(), number());
    let name = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or_default();
    Text::new(format!("{year}年{month}月{day}日"), format!("{day} {name} {year}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{MessageId, UserId};
    use wire::reports::{Sent, TlsPolicyKind, Victim};

    fn kept(report: Report) -> Kept {
        Kept {
            id: [1; 16],
            tenant: "Kaede".into(),
            at_ms: 1_795_939_200_000,
            to: "abuse@kaede.example".into(),
            by: "there.example".into(),
            is_proven: true,
            report,
            sent: None,
            complaints: 0,
        }
    }

    fn sent(is_passed_on: bool) -> Option<Sent> {
        Some(Sent { message: MessageId([2; 16]), user: UserId([3; 8]), is_passed_on })
    }

    fn check(kept: &Kept, sender: Option<&str>, en: &str, ja: &str) {
        let said = of(kept, sender).said;
        assert!(said["en"].as_str().unwrap().starts_with(en), "{said}");
        assert!(said["ja"].as_str().unwrap().starts_with(ja), "{said}");
    }

    fn tls_report(failed: u64, failures: &[(&str, &str, u64)]) -> Report {
        let failure = |(what, mx, sessions): &(&str, &str, u64)| TlsFailure {
            what: (*what).into(),
            mx: (*mx).into(),
            sessions: *sessions,
        };
        let policy = TlsPolicy {
            kind: TlsPolicyKind::Sts,
            domain: "kaede.example".into(),
            successful: 117,
            failed,
            failures: failures.iter().map(failure).collect(),
        };
        Report::Tls(TlsReport {
            organisation: "There".into(),
            id: "r1".into(),
            begin_s: 1_795_824_000,
            end_s: 1_795_910_400,
            policies: vec![policy],
        })
    }

    #[test]
    fn who_could_not_reach_us_and_why() {
        check(
            &kept(tls_report(3, &[("certificate-expired", "mx1.kaede.example", 3)])),
            None,
            "On 28 November 2026, there.example could not deliver in 3 of 120 sessions for \
             kaede.example to mx1.kaede.example with TLS: the certificate had expired. What to do: \
             install a new certificate",
            "2026年11月28日、there.example から kaede.example 宛ての接続 120 回のうち 3 回で、\
             mx1.kaede.example との TLS が成立しませんでした：証明書の有効期限が切れていました。対処：",
        );
        check(
            &kept(tls_report(0, &[])),
            None,
            "On 28 November 2026, all 117 sessions of there.example with kaede.example were",
            "2026年11月28日、there.example から kaede.example 宛ての接続 117 回は、すべて正しく",
        );
        let unproven = Kept { is_proven: false, ..kept(tls_report(1, &[])) };
        check(
            &unproven,
            None,
            "(Not proven to come from there.example.) On 28 November 2026, there.example could",
            "（there.example からの報告であるとは確認できていません）2026年11月28日、",
        );
        let many = [("new-trouble", "", 1); 20];
        let told = of(&kept(tls_report(20, &many)), None).said;
        assert!(told["en"].as_str().unwrap().contains("it says \"new-trouble\""), "{told}");
        assert!(told["en"].as_str().unwrap().contains("There are 14 more."), "{told}");
    }

    #[test]
    fn each_failure_of_the_standard_has_words_of_its_own() {
        let standard = [
            "starttls-not-supported",
            "certificate-host-mismatch",
            "certificate-expired",
            "certificate-not-trusted",
            "validation-failure",
            "tlsa-invalid",
            "dnssec-invalid",
            "dane-required",
            "sts-policy-fetch-error",
            "sts-policy-invalid",
            "sts-webpki-invalid",
        ];
        for what in standard {
            let (why, todo) = failure_words(what);
            assert!(!why.en.contains(what) && !why.ja.contains(what), "{what}");
            assert!(todo.en.ends_with('.') && todo.ja.ends_with('。'), "{what}");
        }
    }

    #[test]
    fn who_complained_about_what() {
        let feedback = |kind: &str| {
            Report::Feedback(Feedback {
                kind: kind.into(),
                agent: String::new(),
                about: "m1@kaede.example".into(),
                reader: "reader.example".into(),
                source_ip: None,
                arrived_s: None,
                incidents: 1,
            })
        };
        let own = Kept { sent: sent(false), complaints: 3, ..kept(feedback("abuse")) };
        check(
            &own,
            Some("aoi@kaede.example"),
            "On 29 November 2026, a reader at reader.example reported a message that \
             aoi@kaede.example sent as unwanted (spam). Complaints about this sender in 30 days: 3. \
             What to do: ask aoi@kaede.example",
            "2026年11月29日、reader.example の受取人が、aoi@kaede.example が送ったメールを\
             迷惑メールだと報告しました。この送信者への苦情は 30 日で 3 件です。対処：",
        );
        let passed = Kept { sent: sent(true), ..own.clone() };
        check(
            &passed,
            None,
            "On 29 November 2026, a reader at reader.example reported a message that went on by \
             the forward of somebody who is no longer here as unwanted",
            "2026年11月29日、reader.example の受取人が、すでにいない利用者 の転送で出たメールを",
        );
        let told = of(&Kept { sent: sent(false), ..kept(feedback("not-spam")) }, None);
        assert_eq!(told.todo, Value::Null);
        check(
            &kept(feedback("fraud")),
            None,
            "On 29 November 2026, a reader at reader.example reported a message as fraud",
            "2026年11月29日、reader.example の受取人が、あるメールを詐欺だと報告しました。",
        );
    }

    #[test]
    fn what_came_back() {
        let victim = |reason: &str| Victim {
            domain: "there.example".into(),
            status: Some((5, 1, 1)),
            reason: reason.into(),
        };
        let report = |is_late, victims| {
            Report::Returned(Returned { is_late, about: "m1@kaede.example".into(), victims })
        };
        let gone = kept(report(false, vec![victim("user-unknown"), victim("mailbox-full")]));
        check(
            &Kept { sent: sent(false), is_proven: false, ..gone },
            Some("aoi@kaede.example"),
            "On 29 November 2026, a message of aoi@kaede.example was given back. A recipient at \
             there.example (5.1.1): Nobody has this address. A recipient at there.example (5.1.1): \
             The mailbox is full.",
            "2026年11月29日、aoi@kaede.example のメールが戻されました。there.example の宛先 \
             (5.1.1)：そのアドレスの利用者がいません。",
        );
        check(
            &kept(report(true, vec![victim("unreachable")])),
            Some("aoi@kaede.example"),
            "On 29 November 2026, word came that a message of aoi@kaede.example has not arrived",
            "2026年11月29日、aoi@kaede.example のメールがまだ届いていないと知らされました。",
        );
    }

    #[test]
    fn days_of_reports() {
        let check = |begin, end, expected: &str| assert_eq!(days(begin, end).en, expected);
        check(1_795_824_000, 1_795_910_399, "28 November 2026");
        check(1_795_824_000, 1_795_910_400, "28 November 2026");
        check(1_795_824_000, 1_795_996_800, "28 November 2026 to 29 November 2026");
        check(0, 0, "1 January 1970");
    }
}
