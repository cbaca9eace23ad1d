//! Every command: how it is typed, what it is for, what its options and exit codes mean, and an
//! example. One table, which `help` shows and `cargo xtask generate` prints.

/// The same in every language: this is what is typed.
pub const USAGE: &str = "  sekisho demo [--data DIR] [--port-base N] [--json] [--no-sample]
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

/// What each command is for: Japanese, English.
#[rustfmt::skip]
pub const SUMMARIES: &[(&str, &str, &str)] = &[
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

/// What each act of a command does: the command, the act, Japanese, English.
#[rustfmt::skip]
pub const ACTS: &[(&str, &str, &str, &str)] = &[
    ("tenant", "add", "組織を登録する", "takes an organisation in"),
    ("tenant", "list", "組織の一覧", "all of them"),
    ("tenant", "show", "設定と今の様子", "its settings and how it stands"),
    ("tenant", "terminate", "契約を終える（猶予ののち、鍵から破棄する）", "ends its contract: after the grace keys are destroyed, then the rest"),
    ("tenant", "cancel", "猶予のうちに、終了を取りやめる", "takes that back while the grace lasts"),
    ("tenant", "endings", "終わりつつある契約の進み具合", "how far contracts that end are"),
    ("tenant", "certificate", "破棄の証明書", "the certificate of a destruction"),
    ("tenant", "search-remains", "破棄した組織の名残を探す", "searches for what is left of who was destroyed"),
    ("tenant", "set", "判定または送信の設定を変える", "changes how its mail is judged, or what may leave"),
    ("tenant", "outlet", "組織自身のサーバーからの送信を受け付ける", "its own server may send out through this one"),
    ("domain", "add", "ドメインを加え、公開すべき DNS レコードを示す", "takes a domain in and tells the DNS records to publish"),
    ("domain", "list", "ドメインの一覧", "all of them"),
    ("domain", "check", "DNS が実際に何と答えるかを確かめる", "compares what the DNS really says"),
    ("domain", "keys", "署名に使う鍵", "the keys that sign"),
    ("domain", "set", "宛先不明の受取人、MTA-STS を変える", "changes the catch-all and the MTA-STS policy"),
    ("domain", "gateway", "メールを自社サーバーへ渡す", "passes the domain's mail on to its own server"),
    ("domain", "rotate-keys", "次の署名鍵へ切り替える", "goes over to the next pair of keys"),
    ("user", "add", "利用者を加える（パスワードの表示は一度だけ）", "takes a person in; the password is shown once"),
    ("user", "list", "利用者の一覧", "all of them"),
    ("user", "disable", "サインインを止める", "lets them sign in no more"),
    ("user", "enable", "また使えるようにする", "lets them in again"),
    ("user", "reset", "パスワードを作り直す", "makes a new password"),
    ("user", "quota", "容量を示す、変える", "tells or changes how much they may keep"),
    ("user", "forward", "転送先を決める", "where their mail goes on to"),
    ("user", "away", "不在時の返信を決める", "what is answered while they are away"),
    ("user", "password", "本人のパスワードを変える", "changes a person's own password"),
    ("user", "terminate", "利用者の契約を終える", "ends with a person as `tenant terminate` does"),
    ("user", "cancel", "猶予のうちに取りやめる", "takes that back while the grace lasts"),
    ("group", "add", "グループを作る", "makes a group"),
    ("group", "list", "グループの一覧", "all of them"),
    ("group", "show", "届く人", "whom it reaches"),
    ("group", "set", "人を加える、外す", "takes members in or out"),
    ("group", "remove", "グループをなくす", "ends it"),
    ("group", "share", "このアドレスの名前で送れる人を決める", "who may write as its address"),
    ("list", "add", "メーリングリストを作る", "makes a list"),
    ("list", "set", "設定を変える", "changes its settings"),
    ("list", "list", "メーリングリストの一覧", "all of them"),
    ("list", "show", "設定と会員", "its settings and members"),
    ("list", "remove", "メーリングリストをなくす", "ends it"),
    ("list", "member", "会員を加える、外す", "takes members in or out"),
    ("app-password", "add", "パスワードを作る（表示は一度だけ）", "makes one; it is shown once"),
    ("app-password", "list", "本人のパスワードの一覧", "those of a person"),
    ("app-password", "revoke", "使えなくする", "ends one"),
    ("approval", "list", "申請の一覧", "the requests"),
    ("approval", "show", "申請の内容と、誰が答えたか", "what is asked for, and who answered"),
    ("approval", "approve", "承認する", "agrees"),
    ("approval", "deny", "断る。申請者は取り下げる", "refuses; who asked takes it back so"),
    ("approval", "carry-out", "承認された申請を実行する", "does what was agreed upon"),
    ("approval", "mode", "一人で決めるか、二人で決めるか", "whether one person decides or two"),
    ("hold", "add", "保全を始める", "begins a hold"),
    ("hold", "list", "保全の一覧", "all of them"),
    ("hold", "lift", "保全を解く", "ends one"),
    ("quarantine", "list", "隔離したメールの一覧", "what was set aside"),
    ("quarantine", "show", "一通の様子", "one of them"),
    ("quarantine", "release", "受取人に届ける", "gives it to its recipient"),
    ("queue", "list", "待っているメールの一覧", "what waits"),
    ("queue", "show", "何を待っているか、誰が決めたか", "what it waits for, and who decided"),
    ("queue", "status", "キュー全体の様子", "how the queue stands"),
    ("queue", "hold", "止める（still_held は、同じ差出人のメールのうち、まだ止まっている数）", "stops it (still_held: how many of this sender's letters wait for a word now)"),
    ("queue", "release", "すぐに送る（still_held は、同じ差出人のメールのうち、まだ止まっている数）", "tries it at once (still_held: how many of this sender's letters still wait)"),
    ("queue", "cancel", "取り消し、差出人に戻す（still_held は、同じ差出人のメールのうち、まだ止まっている数）", "gives it back to its sender (still_held: how many of this sender's letters still wait)"),
    ("tls-reports", "list", "配送先ごとの状況", "how it stands with each"),
    ("tls-reports", "send", "報告を今すぐ送る", "sends the reports now"),
    ("reports", "list", "報告の一覧", "all of them"),
    ("reports", "show", "一つの報告の内容", "one in words"),
    ("ledger", "verify", "台帳・写し・鍵を検査する", "checks ledger, mirror and keys"),
    ("ledger", "head", "件数、根、チェックポイント", "size, root and checkpoint"),
    ("ledger", "export", "記録を一行に一件書き出す", "the entries, one a line"),
    ("ledger", "proof", "一件が台帳にある証明", "the proof that an entry stands in it"),
    ("ledger", "publish", "C2SP のタイルを書き出す", "writes C2SP tiles"),
    ("ledger", "view", "一契約分の記録を、証明つきで書き出す", "writes one contract's entries with their proofs"),
    ("ledger", "acknowledge-loss", "失われた記録があることを承知して続ける", "goes on without what a log lost"),
    ("ledger", "witness-request", "外部の証人への依頼", "what a foreign witness is asked"),
    ("ledger", "witness-answer", "その返事を収める", "takes its answer in"),
    ("alarms", "list", "知らせの一覧", "all of them"),
    ("alarm", "test", "すべての知らせ先に一件送る", "sends one by each route"),
    ("freeze", "list", "止めているもの", "what is stopped"),
    ("isolate", "list", "切り離しているもの", "what is isolated"),
    ("decoy", "add", "おとりを作る", "makes one"),
    ("keys", "list", "鍵の一覧", "all of them"),
    ("keys", "rotate", "鍵を更新する", "renews them"),
    ("keys", "seal", "組織の鍵を封印する", "shuts a tenant's keys away"),
    ("keys", "unseal", "その封印を解く", "gives them back"),
    ("keys", "hold", "鍵を破棄させない", "lets nobody destroy them"),
    ("keys", "freeze", "鍵を使わせない", "lets nobody use them"),
    ("keys", "epochs", "バックアップの世代を示す、始める、終える", "tells, begins and ends epochs of backups"),
    ("keys", "reseal", "根の守り方を変える（停止中）", "keeps the root in another way, of a stopped service"),
    ("certificate", "install", "証明書を入れる", "takes one in"),
    ("certificate", "remove", "自前の認証局の証明書に戻す", "goes back to that of our own authority"),
    ("certificate", "renew", "自前の認証局の証明書の鍵を更新する", "new keys for those of our own authority"),
];

/// What each option means: the commands that it is of (none: all that take it), the option,
/// Japanese, English.
#[rustfmt::skip]
pub const OPTIONS: &[(&str, &str, &str, &str)] = &[
    ("", "--data", "サービスのデータフォルダ", "the data folder of the service"),
    ("demo", "--data", "データフォルダ（省くと一時フォルダを作り、場所を示す）", "the data folder; without it a temporary one, whose path is told"),
    ("doctor", "--data", "見るデータフォルダ（省くと、この機械の防壁だけを見る）", "the data folder to look at; without it only this machine's walls"),
    ("init", "--data", "新しく作るデータフォルダ", "the data folder to make"),
    ("", "--config", "起動の設定ファイル（TOML）", "the start-up file (TOML)"),
    ("demo", "--port-base", "ポートの起点（既定 2500。SMTP は +25、IMAP は +93）", "where the ports begin (2500): SMTP +25, IMAP +93"),
    ("demo", "--json", "準備ができたら一行だけ出力する", "one line when everything serves, and nothing after it"),
    ("demo", "--no-sample", "見本のメールを送らない", "without sample mail"),
    ("demo", "--outside", "出ていくメールをこのポートへ渡す", "mail that leaves goes to this port"),
    ("demo", "--outside-authority", "そこで信頼する認証局（PEM）", "whose certificates are believed there (PEM)"),
    ("init", "--unseal", "根の資格情報を置くファイル（データの外）", "the file for the root credential, outside the data"),
    ("init", "--passphrase", "根をパスフレーズで守る", "the root is kept under a passphrase"),
    ("", "--passphrase-fd", "パスフレーズを読み取る記述子", "the descriptor that the passphrase is read from"),
    ("keys", "--new-passphrase-fd", "新しいパスフレーズを読み取る記述子", "the descriptor that the new passphrase is read from"),
    ("init", "--shares", "根を N 個に分け、T 個で開く", "the root in N shares, of which T open it"),
    ("init", "--shares-to", "断片を書くフォルダ", "the folder for the shares"),
    ("run", "--share", "断片のファイル（繰り返せる）", "a file with a share; once for each"),
    ("run", "--share-fd", "断片を読み取る記述子（繰り返せる）", "a descriptor that a share is read from; once for each"),
    ("init", "--token", "根を守る PKCS#11 トークンのラベル", "the label of the PKCS#11 token that keeps the root"),
    ("init", "--token-module", "トークンの PKCS#11 モジュール", "the token's PKCS#11 module"),
    ("init", "--token-helper", "それを読み込む補助プログラム", "the helper program that loads it"),
    ("", "--tenant", "組織の名前", "the organisation's name"),
    ("tenant user", "--grace", "破棄までの猶予（30d、24h、0 など）", "how long until the destruction (30d, 24h, 0)"),
    ("tenant", "--to", "証明書を書くフォルダ", "the folder for the certificate"),
    ("tenant", "--junk-from", "迷惑メールとする点数（--tag-from なども同じ）", "the score from which mail is junk (and --tag-from and the like)"),
    ("tenant", "--obey-dmarc", "差出人のドメインの DMARC の求めに従うか", "whether the DMARC wish of the From domain is obeyed"),
    ("tenant", "--greylist", "知らない送信元を一度待たせるか", "whether strangers are asked to come again"),
    ("tenant", "--trust-sealer", "ARC の封印を信頼するドメイン", "a domain whose ARC seal is believed"),
    ("tenant", "--distrust-sealer", "その信頼をやめるドメイン", "a domain that is believed no more"),
    ("tenant", "--send-in-ten-minutes", "一人が 10 分に送れる宛先の数", "recipients that one person may write to in ten minutes"),
    ("tenant", "--send-in-a-day", "一人が一日に送れる宛先の数", "recipients that one person may write to in a day"),
    ("tenant", "--send-bytes", "送れるメールの大きさ（オクテット）", "the largest letter that may leave, in octets"),
    ("tenant", "--send-delay", "取り消せるように送信を待つ秒数", "seconds that mail waits so that it can be called back"),
    ("tenant", "--send-notice", "出ていくメールの末尾に付ける注記", "words below each letter that leaves"),
    ("tenant", "--refuse-kind", "送らせないファイルの種類（exe、macro、application/pdf など）", "a kind of file that may not leave (exe, macro, application/pdf)"),
    ("tenant", "--allow-kind", "また送れるようにする種類", "a kind that may leave again"),
    ("tenant", "--smart-host", "すべての送信を渡す中継先", "the host that takes all that leaves"),
    ("tenant", "--no-smart-host", "中継先をやめ、直接送る", "mail leaves directly again"),
    ("tenant", "--send-user", "中継先にサインインする名前", "the name to sign in with at the smart host"),
    ("tenant", "--send-password-file", "そのパスワードのファイル（0600）", "the file with its password (0600)"),
    ("tenant", "--send-password-fd", "そのパスワードを読み取る記述子", "the descriptor that its password is read from"),
    ("tenant", "--no-send-user", "サインインをやめる", "signs in no more"),
    ("tenant", "--source", "送信元の IP アドレス（none: ホストに任せる）", "the address of this host that mail leaves from; none: any"),
    ("tenant", "--certificate", "組織のサーバーが示す証明書の名前", "the name in the certificate that the tenant's server shows"),
    ("tenant", "--from", "そのサーバーのネットワーク", "the network that it comes from"),
    ("tenant", "--authority", "その証明書を出した認証局（PEM）。`public` で公的な認証局", "the authority of that certificate (PEM); `public`: those of the web"),
    ("tenant", "--in-a-day", "一日に受け取る宛先の数", "recipients taken from it in a day"),
    ("tenant", "--new-header", "秘密のヘッダーを作り直す", "makes its secret header field anew"),
    ("tenant", "--none", "この経路をやめる", "ends it"),
    ("domain", "--allow", "SPF レコードに加えてよい項目", "a term that the SPF record may have beside ours"),
    ("domain", "--catch-all", "知らない宛先のメールを受け取る人（none: 断る）", "who gets mail for unknown addresses; none: it is refused"),
    ("domain", "--mta-sts", "MTA-STS ポリシー", "the MTA-STS policy"),
    ("domain", "--mta-sts-max-age", "ポリシーを覚えていてよい秒数", "seconds for which the policy may be remembered"),
    ("domain", "--host", "メールを渡す自社サーバー", "the server that the domain's mail goes to"),
    ("domain", "--recipients", "受け付ける宛先の一覧のファイル（any: すべて）", "a file with the recipients that are taken; any: all"),
    ("domain", "--check-new", "一覧にない宛先をそのサーバーに一度尋ねる", "asks that server, once, for a name that is not in it"),
    ("domain", "--none", "自社サーバーへ渡すのをやめる", "the mail is kept here again"),
    ("domain", "--retire", "もう署名に使わない鍵を片付ける", "forgets keys that sign no more"),
    ("domain", "--dangerous-unchecked", "新しい鍵が公開されたか確かめずに切り替える", "goes on though the DNS does not show the new key"),
    ("user", "--role", "役割: user、approver、auditor、tenant-admin、operator", "user, approver, auditor, tenant-admin or operator"),
    ("user", "--alias", "別名のアドレス（繰り返せる）", "another address of theirs; may be repeated"),
    ("user", "--mib", "容量（MiB。省くと今の値を示す）", "how much they may keep; without it what stands is told"),
    ("user", "--to", "転送先（繰り返せる）", "where their mail goes on to; may be repeated"),
    ("user", "--keep", "手元にも残す", "it is kept here, too"),
    ("user", "--none", "転送をやめる", "it goes on no more"),
    ("user", "--text", "不在時に返す文", "what is answered"),
    ("user", "--subject", "返信の件名（省くと「Auto: 元の件名」）", "the answer's subject; without it \"Auto: \" and that of the mail"),
    ("user", "--until", "不在の最後の日", "the last day away"),
    ("user", "--back", "返信をやめる", "answers no more"),
    ("group", "--member", "届く人（繰り返せる）", "whom it reaches; may be repeated"),
    ("group", "--without", "外す人（繰り返せる）", "who leaves; may be repeated"),
    ("group", "--with", "このアドレスの名前で送れる人", "who may write as this address"),
    ("group", "--none", "誰もこのアドレスの名前で送れなくする", "nobody may"),
    ("list", "--owner", "管理者（繰り返せる）", "who is told what becomes of it; may be repeated"),
    ("list", "--without-owner", "管理者から外す人", "an owner who leaves"),
    ("list", "--name", "リストの名前（List-Id に入る）", "its name, which stands in List-Id"),
    ("list", "--language", "会員に知らせる言語", "the language in which members are told"),
    ("list", "--posting", "投稿できる人", "who may post"),
    ("list", "--bytes", "投稿の大きさの上限", "the largest post, in octets"),
    ("app-password", "--protocol", "使えるプロトコル", "the one protocol that it is for"),
    ("app-password", "--device", "端末の名前", "the device's name"),
    ("approval", "--state", "この状態の申請だけ（繰り返せる）", "only requests in this state; may be repeated"),
    ("approval", "--as", "答える人のアドレス", "who answers"),
    ("hold", "--reason", "保全の理由", "why nothing may be destroyed"),
    ("quarantine", "--about", "Message-ID、差出人、件名のどれかと合うか", "whether it has this Message-ID, sender or subject"),
    ("queue reports", "--after", "この ID の次から", "what comes after this id"),
    ("reports", "--domain", "このドメインについてだけ", "only about this domain"),
    ("reports", "--kind", "この種類だけ", "only of this kind"),
    ("", "--lang", "出力の言語", "the language of what is told"),
    ("", "--person", "利用者のアドレス", "a person's address"),
    ("export", "--to", "書き出すフォルダ", "the folder to write to"),
    ("export", "--imaps", "サービスの IMAP の口", "where the service speaks IMAP"),
    ("export", "--case", "調査のための閲覧として記録する（本人の touched に示す）", "it is read for this case, which the person is told by `touched`"),
    ("export", "--format", "ファイルの形式（既定 eml）", "how the mail is written (eml)"),
    ("export", "--host-name", "証明書の名前（既定 mail.localhost）", "the name in the certificate (mail.localhost)"),
    ("", "--from", "この時刻から", "from this time on"),
    ("", "--to", "この時刻まで", "until this time"),
    ("restore", "--from", "`backup --to` のフォルダ", "the folder of `backup --to`"),
    ("scan", "--client-ip", "送信元の IP（既定 127.0.0.1）", "where it came from (127.0.0.1)"),
    ("scan", "--helo", "送信元が名乗った名前", "the name that the sender said in EHLO"),
    ("scan", "--mail-from", "エンベロープの差出人", "the envelope's sender"),
    ("scan", "--auth", "dns: SPF・DKIM・DMARC を DNS で確かめる。none（既定）: 確かめない（失敗とはしない）", "dns: SPF, DKIM and DMARC are asked of the DNS; none (default): nothing is known, which is not failed"),
    ("ledger", "--from", "この番号（view では時刻）から", "from this index (view: time) on"),
    ("ledger", "--to", "この番号まで。または書き出すフォルダ", "up to this index; or the folder to write to"),
    ("ledger", "--until", "この時刻まで", "until this time"),
    ("ledger", "--index", "記録の番号", "the entry's index"),
    ("", "--user", "利用者", "the person"),
    ("ledger", "--old", "証人が前に見た件数", "the size that the witness saw last"),
    ("ledger", "--key", "証人の公開鍵", "the witness's public key"),
    ("", "--component", "区画の名前", "the compartment"),
    ("scope", "--version", "この版のインスタンスだけ", "only instances of this version"),
    ("scope", "--recheck", "先に台帳・写し・鍵を検査する", "checks ledger, mirror and keys first"),
    ("scope", "--statement", "人が読む報告", "a statement for people"),
    ("scope", "--people", "該当する全員", "everybody, one a line"),
    ("scope", "--messages", "全員とそのメール", "everybody with their messages"),
    ("drill", "--compartment", "この区画だけ（繰り返せる）", "only this compartment; may be repeated"),
    ("drill", "--program", "牢の中で走らせる静的な実行ファイル", "a static executable to run inside"),
    ("drill", "--attacks", "外からの攻撃だけ", "only the attacks from outside"),
    ("drill", "--story", "実際の侵害の再演", "the breach that we answer, played again"),
    ("alarms", "--since", "この時刻から", "from this time on"),
    ("alarms", "--raw", "判断の元になった知らせも", "the notices behind them, too"),
    ("alarms", "--rules", "知らせの元になった自前の検知ルールのフォルダ", "the folder of the house's own rules, whose names are told"),
    ("", "--yes", "尋ねずに行う", "does not ask back"),
    ("soak", "--minutes", "続ける分数（既定 60）", "how many minutes (60)"),
    ("keys", "--level", "どの段の鍵か", "which level of keys"),
    ("keys", "--off", "保全または凍結を解く", "ends the hold or the freeze"),
    ("", "--epoch-keys", "世代の鍵を置くフォルダ", "the folder of the epochs' keys"),
    ("keys", "--gone", "鍵を失った世代の番号", "the epoch whose key is lost"),
    ("backup", "--to", "書き出すフォルダ", "the folder for the data"),
    ("backup", "--keys-to", "鍵の控えのフォルダ（データとは別の場所）", "the folder for the keys, apart from the data"),
    ("restore", "--keys-from", "`backup --keys-to` のフォルダ", "the folder of `backup --keys-to`"),
    ("restore", "--shreds-from", "破棄の記録を取るデータフォルダ", "the data folder that tells what was destroyed since"),
    ("restore", "--without-missing-keys", "古い鍵のまま復元し、鍵のない人あては待たせる", "takes older keys; mail for those who have none waits"),
    ("certificate", "--chain", "証明書のチェーン（PEM、サーバーのものが先頭）", "the certificates (PEM), the leaf first"),
    ("certificate", "--key", "その秘密鍵（PEM、0600）", "its private key (PEM, 0600)"),
];

/// One command line for each.
#[rustfmt::skip]
pub const EXAMPLES: &[(&str, &str)] = &[
    ("demo", "sekisho demo --port-base 2500"),
    ("init", "sekisho init --data /var/lib/sekisho --unseal /root/sekisho.unseal"),
    ("run", "sekisho run --config /etc/sekisho/sekisho.toml"),
    ("tenant", "sekisho tenant add acme --data DIR"),
    ("domain", "sekisho domain check acme.example --data DIR"),
    ("user", "sekisho user add ann@acme.example --tenant acme --data DIR"),
    ("group", "sekisho group add desk@acme.example --tenant acme --member ann@acme.example --data DIR"),
    ("list", "sekisho list member add news@acme.example ann@acme.example --data DIR"),
    ("app-password", "sekisho app-password add ann@acme.example --protocol imap --device laptop --data DIR"),
    ("approval", "sekisho approval approve ID --as bob@acme.example --data DIR"),
    ("hold", "sekisho hold add acme --reason \"case 12\" --data DIR"),
    ("trace", "sekisho trace ann@acme.example --data DIR"),
    ("quarantine", "sekisho quarantine release ID --data DIR"),
    ("queue", "sekisho queue list --tenant acme --data DIR"),
    ("tls-reports", "sekisho tls-reports list --data DIR"),
    ("reports", "sekisho reports list --kind feedback --data DIR"),
    ("export", "sekisho export --person ann@acme.example --to out --imaps 127.0.0.1:993 --data DIR"),
    ("touched", "sekisho touched --person ann@acme.example --data DIR"),
    ("scan", "sekisho scan letter.eml --auth dns --client-ip 192.0.2.1 --mail-from ann@acme.example"),
    ("ledger", "sekisho ledger verify --data DIR"),
    ("scope", "sekisho scope --component scanner --from 2026-12-01T00:00:00Z --to 2026-12-02T00:00:00Z --data DIR"),
    ("drill", "sekisho drill --compartment scanner"),
    ("alarms", "sekisho alarms list --since 2026-12-01T00:00:00Z --data DIR"),
    ("alarm", "sekisho alarm test --data DIR"),
    ("freeze", "sekisho freeze ann@acme.example --data DIR"),
    ("unfreeze", "sekisho unfreeze ann@acme.example --data DIR"),
    ("isolate", "sekisho isolate access --data DIR"),
    ("release", "sekisho release access --data DIR"),
    ("decoy", "sekisho decoy add old.boss@acme.example --tenant acme --data DIR"),
    ("sigma", "sekisho sigma rules/"),
    ("soak", "sekisho soak --minutes 5"),
    ("keys", "sekisho keys rotate --level tenant --tenant acme --data DIR"),
    ("backup", "sekisho backup --to data.backup --keys-to /mnt/keys --data DIR"),
    ("restore", "sekisho restore --from data.backup --keys-from /mnt/keys --data NEW"),
    ("status", "sekisho status --data DIR"),
    ("authority", "sekisho authority --data DIR > ca.pem"),
    ("certificate", "sekisho certificate install --chain chain.pem --key key.pem --data DIR"),
    ("doctor", "sekisho doctor --config /etc/sekisho/sekisho.toml"),
    ("help", "sekisho help queue release"),
    ("version", "sekisho version"),
];

/// What an exit code means in general: Japanese, English.
const EXIT: [&str; 2] = [
    "0 完了、1 拒否または不備、2 使い方の誤り、3 障害",
    "0 done, 1 refused or found wanting, 2 wrong use, 3 fault",
];

/// What it means where that is not plain: the command, Japanese, English.
#[rustfmt::skip]
const EXITS: &[(&str, &str, &str)] = &[
    ("scan", "判定が何であれ 0（判定は出力にあります）。3: 挙げたファイルがない", "0 whatever the verdicts, which are in the output; 3 where a file that was named is not there"),
    ("doctor", "1: wanting に挙げたものがある。weaker_by_choice（管理者一人の運用など）だけなら 0。3: 証拠がそろっていない", "1 where `wanting` names something; 0 where only `weaker_by_choice` does (one operator); 3 where the evidence is not whole"),
    ("status", "1: 起動できない部分、応答しない部分、いっぱいのディスクがある。3: 証拠がそろっていない", "1 where a part cannot start or does not answer, or a disk is full; 3 where the evidence is not whole"),
    ("trace", "1: 見つからない", "1 where nothing was found"),
    ("domain", "check は、公開されたレコードに不備があれば 1", "`check`: 1 where a record or a way around the checks is found wanting"),
    ("tenant", "search-remains は、名残が見つかれば 1", "`search-remains`: 1 where something is left"),
    ("ledger", "verify は、問題があれば 1。ほかは、証拠がそろっていなければ 3", "`verify`: 1 where something is wrong; the others: 3 where the evidence is not whole"),
    ("scope", "--recheck で問題があれば 1", "`--recheck`: 1 where something is wrong"),
    ("drill", "1: 破られた防壁がある", "1 where a wall did not hold"),
    ("alarm", "1: 届かなかった知らせ先がある", "1 where a route did not take it"),
    ("sigma", "1: 読めないルールがある", "1 where a rule cannot be read"),
    ("soak", "1: 誤報があった", "1 where there was a false alarm"),
    ("export", "1: 二人の承認を待っている人がいる", "1 where somebody's mail waits for two persons to approve"),
];

/// Above the first line of each command stands what it is for.
pub fn explained(lines: &[&str], is_japanese: bool) -> Vec<String> {
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

/// All about one command: these of its lines, their options, exit codes, an example.
pub fn page(command: &str, lines: &[&str], is_japanese: bool) -> Vec<String> {
    let one = |ja: &'static str, en: &'static str| if is_japanese { ja } else { en };
    let mut shown = explained(lines, is_japanese);
    let acts = acts_in(command, lines);
    let width = acts.iter().map(|(act, ..)| act.len()).max().unwrap_or(0);
    shown.extend((!acts.is_empty()).then(String::new));
    let told = acts.into_iter().map(|(act, ja, en)| format!("  {act:width$}  {}", one(ja, en)));
    shown.extend(told);
    let options = options_in(lines);
    let width = options.iter().map(|name| name.len()).max().unwrap_or(0);
    if !options.is_empty() {
        shown.extend([String::new(), one("オプション:", "Options:").to_owned()]);
    }
    shown.extend(options.into_iter().filter_map(|name| {
        let (ja, en) = meaning(command, name)?;
        Some(format!("  {name:width$}  {}", one(ja, en)))
    }));
    let exit = format!("{} {}", one("終了コード:", "Exit:"), one(EXIT[0], EXIT[1]));
    shown.extend([String::new(), exit]);
    let special = EXITS.iter().find(|(known, ..)| *known == command);
    shown.extend(special.map(|(_, ja, en)| format!("  {command}: {}", one(ja, en))));
    let example = EXAMPLES.iter().find(|(known, _)| *known == command);
    shown.extend(example.map(|(_, line)| format!("{} {line}", one("例:", "Example:"))));
    shown
}

/// Acts of the command that stand in these lines, with what each does.
fn acts_in(command: &str, lines: &[&str]) -> Vec<(&'static str, &'static str, &'static str)> {
    let stands = |act: &str| lines.iter().any(|line| line.split(' ').any(|word| word == act));
    let of = ACTS.iter().filter(|(of, act, ..)| *of == command && stands(act));
    of.map(|(_, act, ja, en)| (*act, *ja, *en)).collect()
}

/// Each option that stands in these lines, once, in their order.
pub fn options_in<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let is_between = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let mut found: Vec<&str> = Vec::new();
    for word in lines.iter().flat_map(|line| line.split(is_between)) {
        if word.len() > 2 && word.starts_with("--") && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

/// What an option means to a command: Japanese, English.
pub fn meaning(command: &str, option: &str) -> Option<(&'static str, &'static str)> {
    let of_option = || OPTIONS.iter().filter(|(_, name, ..)| *name == option);
    let own = of_option().find(|(of, ..)| of.split(' ').any(|one| one == command));
    let any = || of_option().find(|(of, ..)| of.is_empty());
    own.or_else(any).map(|(_, _, ja, en)| (*ja, *en))
}

pub fn command_of(line: &str) -> Option<&str> {
    line.strip_prefix("  sekisho ")?.split(' ').next()
}

/// A command's own lines of the help: each begins with it, and goes on as far as it is indented.
pub fn lines_of(command: &str) -> Vec<&'static str> {
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
