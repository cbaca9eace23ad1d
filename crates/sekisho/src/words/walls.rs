//! The catalogue, names of walls and of sources of evidence, as `doctor` and `status` list them.
//! English, Japanese.

#[rustfmt::skip]
pub const WORDS: &[(&str, &str)] = &[
    ("a wall is missing: {}", "防壁が欠けています: {}"),
    ("user namespace", "ユーザー名前空間"),
    ("process namespace", "プロセス名前空間"),
    ("network namespace", "ネットワーク名前空間"),
    ("ipc namespace", "IPC 名前空間"),
    ("name namespace", "ホスト名の名前空間"),
    ("mount namespace", "マウント名前空間"),
    ("own user id", "専用のユーザー ID"),
    ("landlock", "Landlock"),
    ("landlock ports and scopes", "Landlock のポートとスコープ"),
    ("call filter", "システムコールのフィルター"),
    ("notices of refused calls", "拒んだ呼び出しの通知"),
    ("resource limits", "資源の上限"),
    ("seccomp notices", "seccomp の通知"),
    ("process events", "プロセスの出来事"),
    ("program starts", "プログラムの起動"),
    ("audit records", "監査の記録"),
    ("file writes", "ファイルへの書き込み"),
];
