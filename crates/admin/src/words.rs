//! What an act will do, in sentences, Japanese and English: for whoever must agree to it.

use crate::passing::fingerprint;
use serde_json::{Value, json};
use std::net::IpAddr;
use wire::approval::{Act, Purpose, WhoseLog};
use wire::directory::{OutletTerms, SendingSettings, SmartHost};
use wire::identity::Whose;
use wire::lists::Command;
use wire::redirection::Redirection;
use wire::vault::{Freeze, KeyAct, Rotation};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Whom an act is about, by the names that are known.
pub struct About<'a> {
    pub tenant: &'a str,
    pub person: &'a str,
}

/// Both wordings of one act.
pub fn told(act: &Act, about: &About<'_>) -> Value {
    let [japanese, english] = sentences(act, about);
    json!({ "ja": japanese, "en": english })
}

fn sentences(act: &Act, about: &About<'_>) -> [String; 2] {
    let About { tenant, person } = about;
    match act {
        Act::AppPassword { protocol, .. } => [
            format!("{person} の {} 用アプリパスワードを新しく作る", protocol.word()),
            format!("a new {} app password is made for {person}", protocol.word()),
        ],
        Act::ResetPassword { .. } => [
            format!(
                "{person} のパスワードを新しくする。今のパスワードは使えなくなり、新しいものは実行した人に表示される"
            ),
            format!(
                "{person} gets a new password; the present one is no longer valid, and whoever \
                 carries this out sees the new one"
            ),
        ],
        Act::AddPerson { address, role, .. } if role == "operator" => [
            format!(
                "{tenant} に {address} を役割 operator で加える。この人も、{tenant} の承認者も、この環境全体のことを\
                 決められるようになる"
            ),
            format!(
                "{address} is added to {tenant} as operator: they, and every approver of \
                 {tenant}, may decide for the whole house from then on"
            ),
        ],
        Act::AddPerson { address, role, .. } => [
            format!("{tenant} に {address} を役割 {role} で加える。申請を承認できる人が増える"),
            format!("{address} is added to {tenant} as {role}: one more who may approve"),
        ],
        Act::ChangeSettings { .. } => [
            format!("{tenant} の設定を変える。以前より守りが弱くなる"),
            format!("the settings of {tenant} change: they protect less than before"),
        ],
        Act::ChangeSending { settings, .. } => sending(settings, tenant),
        Act::Redirect { change, .. } => redirected(change, about),
        Act::Read { purpose, for_ms, .. } => reading(*purpose, *for_ms, person),
        Act::TerminateTenant { grace_ms, .. } => ending(tenant, *grace_ms),
        Act::TerminateUser { grace_ms, .. } => ending(person, *grace_ms),
        Act::LiftHold { .. } => [
            format!("{tenant} の保全を解く。その後は破棄できる"),
            format!("a hold on {tenant} is lifted: what it kept may be destroyed from then on"),
        ],
        Act::Disable { disabled: true, .. } => [
            format!("{person} の利用を止める。申請を承認できる人が減る"),
            format!("{person} is shut out: one less who may approve"),
        ],
        Act::Disable { disabled: false, .. } => [
            format!("{person} の利用を再開する。申請を承認できる人が増える"),
            format!("{person} is let in again: one more who may approve"),
        ],
        Act::SingleOperator => [
            "二人による承認をやめる。以後は一人で何でもできる".to_owned(),
            "two persons no longer decide: one operator may do everything".to_owned(),
        ],
        Act::AcknowledgeLoss { whose, size, .. } => known_loss(*whose, *size),
        Act::Thaw(Whose::Person(..)) => thaw(person),
        Act::Thaw(Whose::Tenant(_)) => thaw(tenant),
        Act::Thaw(Whose::Kind(kind)) => thaw(kind.word()),
        Act::Rejoin(kind) => [
            format!("切り離した {} を戻す", kind.word()),
            format!("{}, which is isolated, is let in again", kind.word()),
        ],
        Act::Keys(act) => keys(act, about),
        Act::Other { what, .. } => [what.clone(), what.clone()],
    }
}

/// What is acknowledged of a log. `size`: of the checkpoint that was lost; 0: nobody knows.
fn known_loss(whose: WhoseLog, size: u64) -> [String; 2] {
    match size {
        _ if whose == WhoseLog::Directory => [
            "ディレクトリが記録より古いことを承知し、このまま続ける。それ以後の変更は失われる。事実は記録に残る"
                .to_owned(),
            "that the directory is older than what was recorded of it is acknowledged, and the \
             house goes on without what was changed since; it stays recorded"
                .to_owned(),
        ],
        _ if whose == WhoseLog::Mailbox => [
            "メールの保管が記録より古いことを承知し、このまま続ける。失われたメールは戻らない。事実は記録に残る"
                .to_owned(),
            "that the mailbox is older than what was recorded of it is acknowledged, and the house \
             goes on without the mail that is gone; it stays recorded"
                .to_owned(),
        ],
        0 => [
            "台帳がなくなったことを承知し、このまま続ける。事実は記録に残る".to_owned(),
            "the ledger was gone: that is acknowledged, and the house goes on; it stays recorded"
                .to_owned(),
        ],
        size => [
            format!(
                "連署された {size} 件のうち失われた記録があることを承知し、このまま続ける。事実は記録に残る"
            ),
            format!(
                "that records were lost, of {size} that were cosigned, is acknowledged, and the \
                 house goes on; it stays recorded"
            ),
        ],
    }
}

/// A smart host sees all of the tenant's mail: it is named whether it is new or not.
fn sending(settings: &SendingSettings, tenant: &str) -> [String; 2] {
    match &settings.smart_host {
        None => [
            format!("{tenant} の送信の設定を変える。制限が以前より緩くなる"),
            format!("what {tenant} may send changes: its limits are wider than before"),
        ],
        Some(SmartHost { name, port, .. }) => [
            format!(
                "{tenant} の送信の設定を変える。制限または経路が以前より緩くなり、外へのメールはすべて {name}:{port} に渡る"
            ),
            format!(
                "what {tenant} may send changes: its limits or its way are wider than before, and \
                 all its mail to the outside goes to {name}:{port}"
            ),
        ],
    }
}

/// Whose server speaks for a tenant, from where, and who vouches for it.
fn outlet(terms: &OutletTerms, tenant: &str) -> [String; 2] {
    let names = terms.names.join(", ");
    let network = |(address, bits): &(IpAddr, u8)| format!("{address}/{bits}");
    let from = terms.from.iter().map(network).collect::<Vec<_>>().join(", ");
    let own = terms.authorities.iter().map(|one| fingerprint(one)).collect::<Vec<_>>().join(", ");
    let [japanese, english] = match own.is_empty() {
        true => ["公的な認証局".to_owned(), "every public authority".to_owned()],
        false => [
            format!("指定した認証局 (SHA-256 {own})"),
            format!("authorities of its own (SHA-256 {own})"),
        ],
    };
    [
        format!(
            "{from} にある {names} のサーバーが {tenant} の名前で送信できる。証明するのは{japanese}"
        ),
        format!(
            "the server of {names}, at {from}, may send in the name of {tenant}; it is vouched \
             for by {english}"
        ),
    ]
}

/// Whose mail goes where, or who speaks for whom.
fn redirected(change: &Redirection, about: &About<'_>) -> [String; 2] {
    let About { tenant, person } = about;
    match change {
        Redirection::Forward { to, keep, .. } => {
            let to = to.join(", ");
            let (japanese, english) = match keep {
                true => ("控えは本人の手元に残る", "a copy stays with them"),
                false => ("本人の手元には残らない", "no copy stays with them"),
            };
            [
                format!("{person} 宛のメールを {to} に転送する。{japanese}"),
                format!("mail for {person} goes on to {to}; {english}"),
            ]
        }
        Redirection::Away { .. } => [
            format!("{person} にメールを送った人に、本人の名前で不在の返信をする"),
            format!("whoever writes to {person} is answered in their name"),
        ],
        Redirection::CatchAll { domain, address } => [
            format!("{domain} の未登録の宛先へのメールを {address} が受け取る"),
            format!("{address} gets mail for every unknown address of {domain}"),
        ],
        Redirection::Transport { domain, .. } => [
            format!("{domain} 宛のメールが、以前より安全でない経路でも届くようになる"),
            format!("mail for {domain} may come by a less safe way than before"),
        ],
        Redirection::Group { address, with, .. } => reached(address, with, "グループ", "group"),
        Redirection::List(Command::Members { address, with, .. }) => {
            reached(address, with, "メーリングリスト", "mailing list")
        }
        Redirection::List(Command::Set { address, .. }) => [
            format!("メーリングリスト {address} に書ける人、または組織の外の管理者が増える"),
            format!("more people may write to the mailing list {address}, or own it from outside"),
        ],
        Redirection::List(Command::Add { address, change, .. }) => {
            let owners = change.with_owners.join(", ");
            [
                format!("メーリングリスト {address} を作り、{owners} が管理者となる"),
                format!("a mailing list {address} is made, owned by {owners}"),
            ]
        }
        Redirection::List(_) => [format!("{tenant} のリスト"), format!("a list of {tenant}")],
        Redirection::Gateway { domain, host, .. } => [
            format!("{domain} 宛のメールをすべて {} に渡す", host.name),
            format!("all mail for {domain} goes to {}", host.name),
        ],
        Redirection::GatewayListed { domain, host, list, .. } => [
            format!(
                "{domain} 宛のメールを、一覧にある {} 件の宛先だけ {} に渡す",
                list.recipients, host.name
            ),
            format!(
                "mail for {domain} goes to {}, for the {} recipients of a list",
                host.name, list.recipients
            ),
        ],
        Redirection::Outlet { terms, .. } => outlet(terms, tenant),
        Redirection::Share { address, with, .. } => {
            let with = with.join(", ");
            [
                format!("{with} が {address} の名前で送信できるようになる"),
                format!("{with} may write as {address}"),
            ]
        }
        Redirection::Person { address, .. } => [
            format!("{address} 宛のメールは、組織のサーバーではなくここに届くようになる"),
            format!("mail for {address} comes here, and to the tenant's own server no longer"),
        ],
    }
}

fn reached(address: &str, with: &[String], japanese: &str, english: &str) -> [String; 2] {
    let with = with.join(", ");
    [
        format!("{japanese} {address} 宛のメールが {with} にも届くようになる"),
        format!("mail for the {english} {address} reaches {with}, too"),
    ]
}

fn reading(purpose: Purpose, for_ms: u64, person: &str) -> [String; 2] {
    let hours = for_ms.div_ceil(HOUR_MS);
    let (japanese, english) = match purpose {
        Purpose::Export => ("書き出し", "for an export"),
        Purpose::Case => ("調査", "for a case"),
    };
    [
        format!("他の人が {person} のメールを最長 {hours} 時間読める（{japanese}、読み取りのみ）"),
        format!("another may read the mail of {person} for up to {hours} h, {english}, read only"),
    ]
}

fn ending(whose: &str, grace_ms: u64) -> [String; 2] {
    // Rounded down: sooner than said is worse than later.
    let count = |unit: (&str, &str), many: u64| {
        let s = if many == 1 { "" } else { "s" };
        (format!("{many} {}後に", unit.0), format!("in {many} {}{s}", unit.1))
    };
    let (japanese, english) = match grace_ms / 1_000 {
        0 => ("直ちに".to_owned(), "at once".to_owned()),
        seconds @ ..120 => count(("秒", "second"), seconds),
        seconds @ ..7_200 => count(("分", "minute"), seconds / 60),
        seconds if grace_ms < 2 * DAY_MS => count(("時間", "hour"), seconds / 3_600),
        _ => count(("日", "day"), grace_ms / DAY_MS),
    };
    [
        format!(
            "{whose} の契約を終える。{japanese}鍵とメールをすべて破棄し、元に戻せない。\
             手作業で写したデータフォルダは、当時の資格情報があれば開く"
        ),
        format!(
            "the contract of {whose} ends: {english} its keys and mail are destroyed; a copy of \
             the data folder made by hand still opens with the credential of its time"
        ),
    ]
}

fn thaw(whose: &str) -> [String; 2] {
    [
        format!("{whose} の凍結を解く。再びメールを読める"),
        format!("the freeze of {whose} is lifted: mail can be read again"),
    ]
}

/// An act upon keys.
fn keys(act: &KeyAct, about: &About<'_>) -> [String; 2] {
    let About { tenant, person } = about;
    // A person where one is named, else the whole contract.
    let whose = if person.is_empty() { tenant } else { person };
    match act {
        KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. } => [
            format!("{whose} の鍵をすべて破棄する。保存されたメールは二度と開けない"),
            format!("every key of {whose} is destroyed: no stored mail of theirs opens ever again"),
        ],
        KeyAct::SealTenant { .. } => [
            format!("{tenant} の鍵を封じる。解くまで誰も読めない。受信は続く"),
            format!("the keys of {tenant} are sealed: nobody reads until unsealed; mail arrives"),
        ],
        KeyAct::UnsealTenant { .. } => [
            format!("{tenant} の鍵の封を解く。再びメールを読める"),
            format!("the keys of {tenant} are unsealed: its people read again"),
        ],
        KeyAct::Hold { on: true, .. } => [
            format!("{whose} の鍵を保全する。その間は破棄できない"),
            format!("the keys of {whose} are held: nothing of theirs can be destroyed meanwhile"),
        ],
        KeyAct::Hold { on: false, .. } => [
            format!("{whose} の鍵の保全を解く。その後は破棄できる"),
            format!("the hold on the keys of {whose} is released: they may be destroyed from then"),
        ],
        KeyAct::Freeze(Freeze { on: true, .. }) => [
            format!("{whose} の鍵の開示を止める"),
            format!("no key of {whose} is given out any more"),
        ],
        KeyAct::Freeze(Freeze { on: false, .. }) => [
            format!("{whose} の鍵の開示を再び許す"),
            format!("keys of {whose} are given out again"),
        ],
        KeyAct::Rotate(rotation) => rotated(rotation, about),
        KeyAct::StartBackupEpoch => [
            "鍵バックアップの新しい期を始める".to_owned(),
            "key backups are sealed under another key from now on".to_owned(),
        ],
        KeyAct::EpochDestroyed { epoch } | KeyAct::EpochKeyDestroyed { epoch, .. } => [
            format!("鍵バックアップの第 {epoch} 期の鍵は破棄されたと記録する"),
            format!("it is recorded that the key of backup epoch {epoch} exists no more"),
        ],
        KeyAct::EpochGone { epoch } => [
            format!("鍵バックアップの第 {epoch} 期の鍵は、示せないがもう無いものとして記録する"),
            format!("the key of backup epoch {epoch} counts as gone, though nobody can show it"),
        ],
    }
}

fn rotated(rotation: &Rotation, about: &About<'_>) -> [String; 2] {
    let About { tenant, person } = about;
    match rotation {
        Rotation::Root => [
            "すべての組織の鍵を包むルート鍵を更新する。メールはそのまま読める".to_owned(),
            "the key that wraps every tenant's keys is replaced; mail stays readable".to_owned(),
        ],
        Rotation::Tenant { .. } => [
            format!("{tenant} の鍵を更新し、全員の鍵を包み直す。メールはそのまま読める"),
            format!("the key of {tenant} is replaced, its people's keys are wrapped anew"),
        ],
        Rotation::User { .. } => [
            format!("{person} の鍵を更新する。メールはそのまま読める"),
            format!("the key of {person} is replaced; their mail stays readable"),
        ],
        Rotation::Pairs { .. } => [
            format!("{person} 宛の新しいメールを新しい鍵で封じる。以前のメールは以前の鍵で開く"),
            format!("new mail for {person} is sealed to new keys; the old ones open older mail"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::{About, ending, told};
    use terms::{TenantId, UserId};
    use wire::approval::Act;
    use wire::directory::{OutletTerms, SendingSettings, SmartHost};
    use wire::post::HopTls;
    use wire::redirection::Redirection;
    use wire::vault::{KeyAct, Rotation};

    /// Whoever approves an end agrees to its time.
    #[test]
    fn an_ending_says_its_time_as_it_is() {
        let check = |grace_ms: u64, japanese: &str, english: &str| {
            let [ja, en] = ending("Kaede", grace_ms);
            assert!(ja.contains(&format!("を終える。{japanese}鍵とメールを")), "{ja}");
            assert!(en.contains(&format!("ends: {english} its keys and mail")), "{en}");
        };
        let (second, minute, hour) = (1_000, 60_000, 3_600_000);
        check(0, "直ちに", "at once");
        check(999, "直ちに", "at once");
        check(second, "1 秒後に", "in 1 second");
        check(90 * minute, "90 分後に", "in 90 minutes");
        check(25 * hour, "25 時間後に", "in 25 hours");
        check(48 * hour, "2 日後に", "in 2 days");
        check(30 * 24 * hour, "30 日後に", "in 30 days");
    }

    /// Who must agree reads who gets the mail, and who vouches for whom.
    #[test]
    fn the_way_out_is_named() {
        let about = About { tenant: "Kaede", person: "" };
        let check = |act: &Act, japanese: &str, english: &str| {
            let told = told(act, &about);
            let says = |language: &str, words: &str| {
                told[language].as_str().is_some_and(|it| it.contains(words))
            };
            assert!(says("ja", japanese) && says("en", english), "{told}");
        };
        let host = SmartHost { name: "smart.example".into(), port: 587, tls: HopTls::StartTls };
        let sending = |smart_host| Act::ChangeSending {
            tenant: TenantId([1; 8]),
            settings: SendingSettings { smart_host, ..SendingSettings::default() },
        };
        let (japanese, english) = ("すべて smart.example:587 に渡る", "goes to smart.example:587");
        check(&sending(Some(host)), japanese, english);
        check(&sending(None), "制限が以前より緩くなる", "its limits are wider");
        let outlet = |authorities| Act::Redirect {
            tenant: TenantId([1; 8]),
            user: None,
            change: Box::new(Redirection::Outlet {
                tenant: "Kaede".to_owned(),
                terms: OutletTerms {
                    names: vec!["mail.kaede.example".to_owned()],
                    authorities,
                    from: vec![("192.0.2.0".parse().unwrap(), 24)],
                    in_a_day: 1,
                },
                is_fresh: false,
            }),
        };
        let public = outlet(Vec::new());
        check(&public, "証明するのは公的な認証局", "mail.kaede.example, at 192.0.2.0/24, may send");
        check(&public, "192.0.2.0/24 にある mail.kaede.example", "by every public authority");
        let own = outlet(vec![b"abc".to_vec()]);
        check(&own, "(SHA-256 BA:78:16:BF:", "authorities of its own (SHA-256 BA:78:16:BF:");
    }

    #[test]
    fn whose_mail_goes_where_is_said() {
        let change = Redirection::Forward {
            address: "aoi@example.jp".to_owned(),
            to: vec!["x@home.example".to_owned()],
            keep: false,
        };
        let user = Some(UserId([2; 8]));
        let act = Act::Redirect { tenant: TenantId([1; 8]), user, change: Box::new(change) };
        let about = About { tenant: "Example Japan", person: "aoi@example.jp" };
        let told = told(&act, &about).to_string();
        for words in [
            "mail for aoi@example.jp goes on to x@home.example; no copy stays with them",
            "aoi@example.jp 宛のメールを x@home.example に転送する。本人の手元には残らない",
        ] {
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn an_act_upon_keys_says_whose_and_what() {
        let (tenant, user) = (TenantId([1; 8]), UserId([2; 8]));
        let check = |act: KeyAct, person: &str, japanese: &str, english: &str| {
            let about = About { tenant: "Example Japan", person };
            let told = told(&Act::Keys(act), &about).to_string();
            assert!(told.contains(japanese) && told.contains(english), "{told}");
        };
        let aoi = "aoi@example.jp";
        check(
            KeyAct::SealTenant { tenant },
            "",
            "Example Japan の鍵を封じる",
            "keys of Example Japan are sealed",
        );
        check(
            KeyAct::Rotate(Rotation::Pairs { tenant, user }),
            aoi,
            "aoi@example.jp 宛の新しいメール",
            "new mail for aoi@example.jp",
        );
        check(
            KeyAct::Hold { tenant, user: Some(user), on: false },
            aoi,
            "aoi@example.jp の鍵の保全を解く",
            "hold on the keys of aoi@example.jp is released",
        );
        check(
            KeyAct::Hold { tenant, user: None, on: false },
            "",
            "Example Japan の鍵の保全を解く",
            "hold on the keys of Example Japan is released",
        );
        check(KeyAct::Rotate(Rotation::Root), "", "ルート鍵を更新", "every tenant's keys");
    }
}
