//! What the short words of the ledger mean, in sentences for the person whose data it is.

/// A word of an entry (`rule.change` and requests) in Japanese and English.
pub fn deed(word: &str) -> Option<[&'static str; 2]> {
    if word.starts_with("stands/") {
        return Some(STANDS);
    }
    // Behind the slash stands who it is.
    let word = if word.starts_with("group.reader/") { "group.reader" } else { word };
    DEEDS.iter().find(|(known, ..)| *known == word).map(|(_, ja, en)| [*ja, *en])
}

/// Behind the slash stands a keyed hash, which says something to the vault alone.
const STANDS: [&str; 2] =
    ["宛先の届け先（人・転送・不在返信）", "whom an address leads to (people, ways on, answers)"];

const DEEDS: &[(&str, &str, &str)] = &[
    (
        "app-password.add",
        "アプリパスワードの追加（作った人に表示）",
        "a new app password, shown to its maker",
    ),
    ("app-password.revoke", "アプリパスワードの取り消し", "an app password revoked"),
    ("password.change", "本人によるパスワードの変更", "a password changed by its owner"),
    (
        "person.add",
        "最初のパスワードの作成（作った人に表示）",
        "a first password made, and shown to its maker",
    ),
    (
        "person.reset",
        "パスワードの再設定（実行した人に表示）",
        "a password made again, and shown to its maker",
    ),
    ("person.disable", "サインインの停止", "a person cannot sign in any more"),
    ("person.enable", "サインインの再開", "a person can sign in again"),
    ("decoy.add", "おとりの設置", "a decoy made"),
    ("user.add", "利用者の追加", "a person added"),
    ("user.disable", "利用の停止", "a person disabled"),
    ("user.enable", "利用の再開", "a person enabled"),
    ("user.forward", "転送先", "where mail is forwarded"),
    ("user.away", "不在時の返信", "the answer while away"),
    (
        "group.reader",
        "グループ宛のメールを新たに読む人",
        "mail for a group reaches somebody new, too:",
    ),
    ("user.terminate", "利用者の契約の終了", "the end of a person's part"),
    ("tenant.add", "組織の登録", "an organisation added"),
    ("tenant.settings", "判定の設定", "the settings of judgement"),
    ("tenant.sending", "送信の設定", "the settings of sending"),
    ("tenant.outlet", "自社サーバーからの送信", "the organisation's own server that sends"),
    ("tenant.outlet.end", "自社サーバーからの送信の廃止", "the end of the own server's sending"),
    ("outgoing.hold-by-operator", "管理者による送信メールの保留", "a letter held by an operator"),
    ("outgoing.release-by-operator", "管理者による保留の解除", "a letter released by an operator"),
    (
        "outgoing.cancel-by-operator",
        "管理者による送信の取り消し",
        "a letter cancelled by an operator",
    ),
    ("outgoing.release-by-link", "本人による保留の解除", "a letter released by its sender"),
    ("outgoing.cancel-by-link", "本人による送信の取り消し", "a letter cancelled by its sender"),
    (
        "app-password.lock-by-link",
        "本人の申告による送信用パスワードの停止",
        "app passwords ended by their owner's word",
    ),
    ("ledger.acknowledge-loss", "記録の欠損の承知", "what a log lost is acknowledged by the house"),
    ("tenant.terminate", "契約の終了", "the end of the contract"),
    ("domain.add", "ドメインの登録", "a domain added"),
    ("domain.catch-all", "未登録の宛先の受取人", "who gets mail for unknown addresses"),
    (
        "domain.gateway",
        "ドメインのメールの転送先サーバー",
        "the server that a domain's mail goes to",
    ),
    ("domain.gateway-list", "転送先サーバーの宛先一覧", "the recipients of that server"),
    ("domain.mta-sts", "暗号化の方針（MTA-STS）", "the policy of encryption (MTA-STS)"),
    ("group.add", "グループの作成", "a group made"),
    ("group.set", "グループの変更", "a group changed"),
    ("group.remove", "グループの削除", "a group removed"),
    ("group.share", "グループの名前で送信できる人の変更", "who may write as a group's address"),
    ("list.add", "メーリングリストの作成", "a mailing list made"),
    ("list.set", "メーリングリストの変更", "a mailing list changed"),
    ("list.remove", "メーリングリストの削除", "a mailing list removed"),
    ("list.member-add", "メーリングリストへの参加", "members added to a mailing list"),
    ("list.member-remove", "メーリングリストからの削除", "members taken off a mailing list"),
    ("list.suspend", "メーリングリストの配信停止", "a member of a mailing list suspended"),
    ("list.unsubscribe", "メーリングリストからの退会", "a member left a mailing list"),
    ("read.export", "書き出しのための閲覧", "reading for an export"),
    ("read.case", "調査のための閲覧", "reading for a case"),
    ("hold.lift", "保全の解除", "a hold lifted"),
    ("freeze.lift", "凍結の解除", "a freeze lifted"),
    ("component.release", "切り離した区画の復帰", "an isolated compartment let in again"),
    ("approvals.two-persons", "二人による承認の開始", "two persons decide from now on"),
    ("approvals.single-operator", "二人による承認の廃止", "one operator decides alone"),
    ("keys.seal", "組織の鍵の封印", "the organisation's keys sealed"),
    ("keys.unseal", "組織の鍵の封印の解除", "the organisation's keys unsealed"),
    ("keys.hold", "鍵の破棄の禁止", "keys kept from being destroyed"),
    ("keys.release-hold", "鍵の破棄の禁止の解除", "keys that may be destroyed again"),
    ("keys.freeze", "鍵の利用の凍結", "the use of keys frozen"),
    ("keys.thaw", "鍵の利用の再開", "the use of keys allowed again"),
    ("keys.rotate-root", "ルート鍵の更新", "the root key renewed"),
    ("keys.rotate-tenant", "組織の鍵の更新", "the organisation's key renewed"),
    ("keys.rotate-user", "利用者の鍵の更新", "a person's key renewed"),
    ("keys.rotate-pairs", "利用者の鍵の組の更新", "a person's pairs of keys renewed"),
    ("keys.shred-tenant", "組織の鍵の破棄", "the organisation's keys destroyed"),
    ("keys.shred-user", "利用者の鍵の破棄", "a person's keys destroyed"),
    // Other entries, by their own names.
    ("key.create", "鍵を作った", "a key was made"),
    ("key.rotate", "鍵を更新した", "a key was renewed"),
    ("key.shred", "鍵を破棄した", "a key was destroyed"),
    ("key.seal", "鍵を封印した", "keys were sealed"),
    ("key.unseal", "鍵の封印を解いた", "keys were unsealed"),
    ("key.hold", "鍵の破棄を禁じた", "keys may not be destroyed"),
    ("key.hold-off", "鍵の破棄の禁止を解いた", "keys may be destroyed again"),
    ("export", "データを書き出した", "data was exported"),
    ("key.freeze", "鍵の利用を凍結した", "the use of keys was frozen"),
    ("key.thaw", "鍵の利用を再開した", "the use of keys is allowed again"),
    ("freeze", "閲覧を凍結した", "reading was frozen"),
    ("unfreeze", "閲覧の凍結を解いた", "reading is allowed again"),
    ("contract.state", "契約の状態", "the state of the contract"),
    ("contract.destroyed", "データをすべて破棄した", "everything was destroyed"),
    ("hold", "保全を始めた", "a hold was placed"),
    ("hold-off", "保全を解いた", "a hold was lifted"),
    ("send", "メールを送信した", "mail was sent"),
    ("sent", "メールを送信した", "mail was sent"),
    ("approval.expire", "申請の期限切れ", "a request ran out"),
    ("credential.use", "資格情報の利用", "a credential was used"),
];

#[cfg(test)]
mod tests {
    use super::{DEEDS, deed};
    use terms::{HoldId, TenantId, UserId};
    use wire::approval::{Act, Purpose, WhoseLog};
    use wire::identity::Whose;
    use wire::vault::{Freeze, KeyAct, Rotation};

    #[test]
    fn what_two_persons_decide_has_words() {
        let (tenant, user) = (TenantId([1; 8]), UserId([2; 8]));
        let freeze = Freeze { on: true, tenant: Some(tenant), user: None, instance: None };
        let acts = [
            Act::Keys(KeyAct::SealTenant { tenant }),
            Act::Keys(KeyAct::UnsealTenant { tenant }),
            Act::Keys(KeyAct::Rotate(Rotation::Root)),
            Act::Keys(KeyAct::Rotate(Rotation::Pairs { tenant, user })),
            Act::Keys(KeyAct::Freeze(freeze)),
            Act::Read { tenant, user, purpose: Purpose::Case, for_ms: 1 },
            Act::LiftHold { tenant, hold: HoldId([3; 8]) },
            Act::Thaw(Whose::Tenant(tenant)),
            Act::Rejoin(terms::Kind::Scanner),
            Act::SingleOperator,
            Act::AcknowledgeLoss { whose: WhoseLog::Both, size: 1, root: [0; 32] },
        ];
        for act in acts {
            assert!(deed(act.word()).is_some(), "{}", act.word());
        }
        assert!(
            deed("stands/114c0011").is_some()
                && deed("group.reader/0011223344556677") == deed("group.reader")
                && deed("group.reader").is_some()
                && deed("no.such").is_none()
        );
    }

    #[test]
    fn each_word_stands_once() {
        for (at, (word, ..)) in DEEDS.iter().enumerate() {
            assert_eq!(DEEDS.iter().position(|(other, ..)| other == word), Some(at), "{word}");
        }
    }
}
