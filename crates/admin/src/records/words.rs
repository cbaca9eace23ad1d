//! What became of one recipient's copy, in sentences: Japanese and English.

pub fn arrived(state: &str) -> [&'static str; 2] {
    match state {
        "refused" => [
            "受け取りを断りました。",
            "it was refused: the sending server knows and tells its sender",
        ],
        "quarantined" => [
            "隔離しています。`quarantine list` で確認できます。",
            "it is in quarantine: see `quarantine list`",
        ],
        "no-longer-held" => [
            "隔離は終わっています（解放、または期限切れ）。",
            "it is in quarantine no longer: released, or its time ran out",
        ],
        "not-looked-for" => [
            "宛先が多いため確かめていません。`quarantine list` で確認できます。",
            "not looked for among so many: see `quarantine list`",
        ],
        "junk" => [
            "迷惑メールのフォルダー Junk に入りました。",
            "it was put into the mailbox, into the folder Junk",
        ],
        "kept-or-junk" => [
            "メールボックスに入りました。Junk に、差出人を許可している人では受信箱に\
             あります。",
            "it was put into Junk, or into the inbox of whoever allows its sender",
        ],
        _ => ["メールボックスに入りました。", "it is in the mailbox"],
    }
}

/// Of mail that was passed on and failed, in a tenant that has nobody who answers for it.
pub const UNTOLD: [&str; 2] = [
    "届きませんでした。このテナントには知らせを受け取る人（tenant-admin）がいないため、\
     差出人を確かめられないメールについては、誰にも知らせていません。",
    "it did not arrive. Its tenant has nobody who answers for it (tenant-admin): unless its sender \
     was proven, nobody could be told.",
];

/// Of mail of which only the queue knows.
pub const WITHOUT_JOURNEY: [&str; 2] = [
    "判定の記録は、まだ書かれていないか、停止のときに失われました。\
     送信の状態は送信キューによるものです。",
    "how it was judged is not written yet, or was lost when the service stopped; how far it came \
     is the queue's word.",
];
