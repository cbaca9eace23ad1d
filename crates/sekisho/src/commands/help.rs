//! `sekisho help`: every command with its options, and what each is for, in the reader's language.

use crate::arguments::Arguments;
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};

const TITLE: [&str; 2] = [
    "sekisho (関所): 防壁の内側で、多くの組織のメールを扱います",
    "sekisho (関所): mail for many organisations, behind walls",
];

/// The same in every language: this is what is typed.
const USAGE: &str = "  sekisho demo [--data DIR] [--port-base N] [--json] [--no-sample]
               [--outside PORT [--outside-authority FILE]]
  sekisho init --data DIR [--unseal FILE] [--passphrase | --passphrase-fd N]
               [--shares T/N [--shares-to DIR]]
               [--token LABEL --token-module FILE --token-helper FILE]
  sekisho run --config FILE [--passphrase-fd N] [--share FILE]… [--share-fd N]…
  sekisho tenant add NAME | list | show NAME                             --data DIR
               | terminate NAME [--grace 30d] | cancel NAME | endings
               | certificate NAME [--to DIR] | search-remains [NAME]
  sekisho tenant set NAME [--junk-from N]… [--obey-dmarc on|off] [--greylist on|off]
               [--trust-sealer DOMAIN]… [--distrust-sealer DOMAIN]…      --data DIR
  sekisho tenant set NAME [--send-in-ten-minutes N] [--send-in-a-day N] [--send-bytes N]
               [--send-delay SECONDS] [--send-notice TEXT] [--refuse-kind K]… [--allow-kind K]…
               [--smart-host HOST:PORT[:implicit|starttls|if-offered] | --no-smart-host]
               [--send-user NAME [--send-password-file FILE | --send-password-fd N]
               | --no-send-user] [--source IP|none]                      --data DIR
  sekisho tenant outlet NAME [--certificate HOST… --from NETWORK… [--authority FILE|public]
               [--in-a-day N] [--new-header] | --none]                   --data DIR
  sekisho domain add DOMAIN --tenant T | list [--tenant T]               --data DIR
               | check DOMAIN [--allow SPF-TERM]… | keys DOMAIN
               | set DOMAIN [--catch-all ADDRESS|none]
                 [--mta-sts testing|enforce|none] [--mta-sts-max-age SECONDS]
               | gateway DOMAIN [--host HOST:PORT[:implicit|starttls|if-offered]
                 [--recipients FILE|any] [--check-new] | --none]
               | rotate-keys DOMAIN [--retire | --dangerous-unchecked]
  sekisho user add ADDRESS --tenant T [--role R] [--alias A]…
               | list [--tenant T] | disable | enable | reset ADDRESS    --data DIR
               | quota ADDRESS [--mib N]
               | forward ADDRESS [--to A… [--keep] | --none]
               | away ADDRESS --text T [--subject S] [--until YYYY-MM-DD] | --back
               | password ADDRESS | terminate ADDRESS [--grace 30d] | cancel ADDRESS
  sekisho group add ADDRESS --tenant T --member A… | list [--tenant T] | show ADDRESS
               | set ADDRESS [--member A]… [--without A]… | remove ADDRESS   --data DIR
               | share ADDRESS --with A… [--without A]… | --none
  sekisho list add ADDRESS --tenant T [--owner A]… [--name TEXT] [--language ja|en]
               [--posting members|owners|anyone] [--bytes N]             --data DIR
               | set ADDRESS [the same] [--without-owner A]… | list [--tenant T] | show ADDRESS
               | remove ADDRESS | member add|remove ADDRESS MEMBER…
  sekisho app-password add ADDRESS --protocol imap|pop3|smtp [--device TEXT]
               | list ADDRESS | revoke ID                                --data DIR
  sekisho approval list [--state S]… | show ID | approve ID --as ADDRESS
               | deny ID --as ADDRESS | carry-out ID                     --data DIR
               | mode [two-persons|single-operator]
  sekisho hold add TENANT|ADDRESS --reason TEXT | list | lift ID         --data DIR
  sekisho trace QUERY                                                    --data DIR
  sekisho quarantine list [--tenant T] [--about TEXT]                    --data DIR
               | show ID [--about TEXT] | release ID
  sekisho queue list [--tenant T] [--after ID] | show ID | status
               | hold ID | release ID | cancel ID                        --data DIR
  sekisho tls-reports list | send                                        --data DIR
  sekisho reports list [--tenant T | --domain D] [--kind tls|feedback|returned] [--after ID]
               | show ID [--lang ja|en]                                  --data DIR
  sekisho export --tenant T | --person ADDRESS --to DIR --imaps HOST:PORT
               [--case TEXT] [--format eml|mbox|maildir] [--host-name NAME] --data DIR
  sekisho touched --person ADDRESS | --tenant T [--from T] [--to T] [--lang ja|en] --data DIR
  sekisho scan FILE|DIR… [--client-ip IP] [--helo NAME] [--mail-from A] [--auth dns|none]
  sekisho ledger verify | head | export [--from I] [--to I] | proof --index I
               | publish --to DIR | view --tenant T [--user A] [--from T] [--until T] --to DIR
               | acknowledge-loss
               | witness-request [--old N] | witness-answer --key K      --data DIR
  sekisho scope --component C [--version V] --from T --to T [--recheck]
               [--statement | --people | --messages] [--lang ja|en]      --data DIR
  sekisho drill [--compartment C]… [--program ELF] [--attacks]
  sekisho drill --story [--lang ja|en]
  sekisho alarms list [--since T] [--raw] [--rules DIR]                  --data DIR
  sekisho alarm test                                                     --data DIR
  sekisho freeze ADDRESS | --tenant T | --component access [--yes] | list --data DIR
  sekisho unfreeze ADDRESS | --tenant T | --component access             --data DIR
  sekisho isolate C [--yes] | list                                       --data DIR
  sekisho release C                                                      --data DIR
  sekisho decoy add ADDRESS --tenant T                                   --data DIR
  sekisho sigma [FILE|DIR…]
  sekisho soak [--minutes N]
  sekisho keys list [--tenant T] | rotate --level root|tenant|user|pairs [--tenant T] [--user A]
               | seal | unseal --tenant T | hold | freeze [--off] (--tenant T | --user A)
               | epochs list|start|end [--epoch-keys DIR | --gone EPOCH] --data DIR
  sekisho keys reseal --config FILE [how the new root is kept, as for init]
               [--passphrase-fd N: kept by a passphrase now and then, two lines, now's first]
               [--new-passphrase-fd N]
  sekisho backup --to DIR [--keys-to DIR [--epoch-keys DIR]]             --data DIR
  sekisho restore --from DIR [--keys-from DIR [--epoch-keys DIR]]
               [--shreds-from DIR] [--without-missing-keys]              --data DIR
  sekisho status                                                         --data DIR
  sekisho authority                                                      --data DIR
  sekisho certificate install --chain FILE --key FILE | remove | renew   --data DIR
  sekisho doctor [--data DIR] [--config FILE]
  sekisho help [COMMAND]
  sekisho version";

const ENDS: [&str; 2] = [
    "\
二人で決める運用では、重要なコマンドに --reason TEXT [--as ADDRESS] [--expires 24h] を付けると申請に
なります。パスワードは端末、標準入力、--password-fd N のどれかから読み取ります。
どのコマンドも --lang ja|en で言語を選べ、--json で一行に一つの値を返します（`scan` と
`ledger export` は一通・一件ごと）。終了コード: 0 完了、1 拒否または不備、2 使い方の誤り、3 障害。",
    "\
Where two persons decide, privileged commands take --reason TEXT [--as ADDRESS] [--expires 24h] and
answer with a request; passwords are read from the terminal, standard input or --password-fd N.
Every command takes --lang ja|en, and --json, which gives one value on one line; `scan` and
`ledger export` give one a message or entry. Exit: 0 done, 1 refused or found wanting, 2 wrong use,
3 fault.",
];

/// What each command is for: Japanese, English.
#[rustfmt::skip]
const SUMMARIES: &[(&str, &str, &str)] = &[
    ("demo", "この機械だけで動くデモ。二つの組織と見本のメール", "a demo on this machine alone: two organisations and sample mail"),
    ("init", "データフォルダと、それを開く根の鍵を一度だけ作る", "makes the data folder and the root key that opens it, once"),
    ("run", "サービスを前面で動かす", "runs the service in the foreground"),
    ("tenant", "組織: 登録、判定と送信の設定、契約の終わり", "organisations: added, their judgement and sending, the end of a contract"),
    ("domain", "ドメインと DNS レコード、宛先不明の受取人、自社サーバー、署名鍵", "domains and their DNS records, catch-alls, gateways, signing keys"),
    ("user", "利用者、容量、転送、不在時の返信", "people, how much they may keep, where their mail is forwarded, what answers while they are away"),
    ("group", "複数の人に届くアドレス", "addresses that reach several people"),
    ("list", "メーリングリスト", "mailing lists"),
    ("app-password", "端末ごとのパスワード", "a password for each device"),
    ("approval", "二人の承認を待つ申請", "what waits for two persons"),
    ("hold", "保全。ある間は破棄しない", "holds: while one stands nothing is destroyed"),
    ("trace", "そのメールがどうなったか、宛先ごとの結果と理由", "what became of a message, for each destination, and why"),
    ("quarantine", "隔離したメールを確かめ、解放する", "what was set aside, and its release"),
    ("queue", "送信キュー", "mail that leaves"),
    ("tls-reports", "配送先との TLS の状況", "how TLS fares with destinations that want to hear of it"),
    ("reports", "外から届いた報告", "what others report of our mail"),
    ("export", "メールの引き渡し", "hands a person's or an organisation's mail over"),
    ("touched", "誰がデータに触れたか", "who touched the data"),
    ("scan", "ファイルのメールを判定する", "judges messages in files"),
    ("ledger", "台帳の検証と書き出し", "checks the evidence and writes it out"),
    ("scope", "乗っ取られた区画から誰のメールに届き得たか", "whose mail a compartment that was taken over could reach"),
    ("drill", "牢の中で攻撃コードを試す", "runs hostile code inside the walls"),
    ("alarms", "見張りの知らせ", "what the sentinel judged to be an incident"),
    ("alarm", "知らせの届き方を試す", "tries whether alarms arrive"),
    ("freeze", "閲覧の許可を止める", "stops reading"),
    ("unfreeze", "閲覧の許可を戻す", "allows reading again"),
    ("isolate", "区画を切り離す", "takes a compartment out of the house"),
    ("release", "切り離した区画を戻す", "lets an isolated compartment in again"),
    ("decoy", "おとりの利用者", "a mailbox that nobody has: whoever touches it is a thief"),
    ("sigma", "検知ルール", "rules of detection"),
    ("soak", "負荷の下での誤報を測る", "counts false alarms under load"),
    ("keys", "鍵の更新、封印、保全、世代", "keys: renewed, sealed, held, their epochs"),
    ("backup", "バックアップを取る（停止中）", "a backup, of a service that is stopped"),
    ("restore", "バックアップから復元する（停止中）", "what a backup holds, put back"),
    ("status", "保管役の様子、切り離した区画、凍結", "what the keepers say of themselves, who is isolated or frozen"),
    ("authority", "メールソフトに信頼させる証明書", "the certificate that mail programs must trust"),
    ("certificate", "公的な証明書を入れる", "a certificate of a public authority"),
    ("doctor", "立っている防壁、弱めている点", "which walls stand, and what is weakened"),
    ("help", "この一覧、または一つのコマンド", "this list, or one command"),
    ("version", "版", "the version"),
];

/// All of it, or the lines of one command.
pub fn help(mut arguments: Arguments) -> Answer {
    let japanese = is_japanese();
    let shown = match arguments.word("a command") {
        Ok(word) => {
            let act = arguments.word("an act of it").ok();
            arguments.finish()?;
            let mut lines = lines_of(&word);
            if lines.is_empty() {
                return Err(Trouble::wrong_use("a command", word, "sekisho help"));
            }
            if let Some(act) = act {
                lines = lines_about(&lines, &act);
                if lines.is_empty() {
                    let hint = "`sekisho help COMMAND` shows all of them";
                    let expected = format!("something that `{word}` does");
                    return Err(Trouble::wrong_use(&expected, act, hint));
                }
            }
            explained(&lines, japanese)
        }
        Err(_) => {
            let one = |[ja, en]: [&str; 2]| if japanese { ja.to_owned() } else { en.to_owned() };
            let (title, ends) = (one(TITLE), one(ENDS));
            let usage = explained(&USAGE.lines().collect::<Vec<_>>(), japanese);
            [vec![title, String::new()], usage, vec![String::new(), ends]].concat()
        }
    };
    shown.iter().for_each(|line| println!("{line}"));
    Ok(Outcome::Told(0))
}

/// Above the first line of each command stands what it is for.
fn explained(lines: &[&str], is_japanese: bool) -> Vec<String> {
    let mut shown = Vec::with_capacity(2 * lines.len());
    let mut last = "";
    for line in lines {
        let command = command_of(line);
        if let Some(word) = command.filter(|word| *word != last) {
            last = word;
            let known = SUMMARIES.iter().find(|(command, ..)| *command == word);
            let summary = known.map(|(_, ja, en)| if is_japanese { *ja } else { *en });
            shown.extend(summary.map(|summary| format!("# {summary}")));
        }
        shown.push((*line).to_owned());
    }
    shown
}

fn command_of(line: &str) -> Option<&str> {
    line.strip_prefix("  sekisho ")?.split(' ').next()
}

/// A command's own lines of the help: each begins with it, and goes on as far as it is indented.
fn lines_of(command: &str) -> Vec<&'static str> {
    let mut is_its_own = false;
    let mut lines = Vec::new();
    for line in USAGE.lines() {
        match command_of(line) {
            Some(word) => is_its_own = word == command,
            None => is_its_own &= line.starts_with("   "),
        }
        if is_its_own {
            lines.push(line);
        }
    }
    lines
}

/// Of a command's lines those of one act: whole usages, as several acts share their options.
fn lines_about(lines: &[&'static str], act: &str) -> Vec<&'static str> {
    let is_between = |letter: char| !letter.is_alphanumeric() && letter != '-';
    let names = |line: &&str| line.split(is_between).any(|word| word == act);
    let usages = lines.chunk_by(|_, next| command_of(next).is_none());
    usages.filter(|usage| usage.iter().any(names)).flatten().copied().collect()
}

/// Whether any command takes such an option.
pub fn has_option(name: &str) -> bool {
    let is_end = |next: Option<char>| next.is_none_or(|one| !one.is_alphanumeric() && one != '-');
    let is_in = |text: &str| {
        text.match_indices(name)
            .any(|(at, _)| is_end(text.get(at + name.len()..).and_then(|rest| rest.chars().next())))
    };
    is_in(USAGE) || is_in(ENDS[1])
}

#[cfg(test)]
mod tests {
    use super::{ENDS, SUMMARIES, USAGE, command_of, explained, has_option, lines_about, lines_of};
    use crate::outcome::columns;

    #[test]
    fn help_is_of_one_command() {
        let of = |command| lines_of(command).join("\n");
        assert!(lines_of("tenant").len() > 8, "{}", of("tenant"));
        assert!(of("tenant").contains("search-remains") && !of("tenant").contains("domain add"));
        assert!(of("keys").ends_with("[--new-passphrase-fd N]"), "{}", of("keys"));
        assert_eq!(lines_of("version").len(), 1);
        assert_eq!(lines_of("release").len(), 1);
        assert!(lines_of("dance").is_empty());
    }

    #[test]
    fn help_is_of_one_act() {
        let of = |command, act| lines_about(&lines_of(command), act).join("\n");
        let told = of("tenant", "terminate");
        assert!(told.contains("terminate NAME") && !told.contains("tenant outlet"), "{told}");
        assert!(of("ledger", "acknowledge-loss").contains("acknowledge-loss"));
        assert!(of("tenant", "outlet").starts_with("  sekisho tenant outlet NAME"));
        assert_eq!(of("tenant", "dance"), "");
    }

    #[test]
    fn every_command_says_what_it_is_for_in_both_languages() {
        let commands: Vec<&str> = USAGE.lines().filter_map(command_of).collect();
        for command in &commands {
            let known = SUMMARIES.iter().find(|(known, ..)| known == command);
            let (_, japanese, english) = known.unwrap_or_else(|| panic!("{command}"));
            assert!(!japanese.is_ascii() && english.is_ascii(), "{command}");
        }
        for (command, ..) in SUMMARIES {
            assert!(commands.contains(command), "{command}");
        }
        let shown = explained(&lines_of("tenant"), true);
        assert_eq!(shown.iter().filter(|line| line.starts_with('#')).count(), 1, "{shown:?}");
    }

    #[test]
    fn help_fits_a_hundred_columns_and_names_the_same_options() {
        let lines = USAGE.lines().chain(ENDS[0].lines()).chain(ENDS[1].lines());
        lines.for_each(|line| assert!(columns(line) <= 100, "{line}"));
        for option in ["--reason", "--as", "--expires", "--password-fd", "--lang", "--json"] {
            assert!(ENDS.iter().all(|end| end.contains(option)), "{option}");
        }
    }

    #[test]
    fn options_of_any_command() {
        assert!(has_option("--tenant") && has_option("--as") && has_option("--role"));
        assert!(has_option("--lang") && has_option("--json"));
        assert!(!has_option("--roel") && !has_option("--ten") && !has_option("--"));
    }
}
