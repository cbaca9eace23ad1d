//! `sekisho tenant certificate`: that everything is destroyed, with proof, for people and machines.
//!
//! The numbers are those of the ledger's own entry; what proves it (the signed entry, its way up
//! the tree, the checkpoint with its signatures, the keys) stands beside it and needs no service.

use super::evidence::beside;
use super::outside::WITNESSED;
use super::people::folder;
use super::whole;
use crate::arguments::Arguments;
use crate::client;
use crate::outcome::{Answer, Outcome, Trouble};
use data_encoding::{BASE64, HEXLOWER};
use evidence::{Body, Entry, rfc3339};
use ledger::Proof;
use scope::Belongings;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use terms::{InstanceId, Kind, TenantId, UserId};
use tlog::SignedCheckpoint;
use wire::admin::Request;

/// What is certified, as `tenant endings` tells it.
struct Ended {
    tenant: TenantId,
    user: Option<UserId>,
    name: Option<String>,
    /// What the name is bound with in the ledger.
    name_salt: Option<String>,
}

pub fn run(mut arguments: Arguments, data: Option<String>, as_json: bool) -> Answer {
    let to = arguments.option("--to")?.map(PathBuf::from);
    let name = arguments.word("the name of an ended contract, or a person's id")?;
    arguments.finish()?;
    let data = folder(data)?;
    let ended = find(&data, &name)?;
    let certificate = certify(&data, &ended)?;
    let Some(to) = to else {
        if as_json {
            return Ok(Outcome::Done(certificate));
        }
        println!("{}\n\n{}", page(&certificate, &JAPANESE), page(&certificate, &ENGLISH));
        return Ok(Outcome::Told(0));
    };
    let files = [
        ("certificate.json", format!("{certificate}\n")),
        ("certificate.ja.txt", page(&certificate, &JAPANESE)),
        ("certificate.en.txt", page(&certificate, &ENGLISH)),
    ];
    fs::create_dir_all(&to).map_err(|error| fault(&to, &error))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = to.join(name);
        fs::write(&path, text).map_err(|error| fault(&path, &error))?;
        written.push(path.display().to_string());
    }
    Ok(Outcome::Done(match as_json {
        true => json!({ "certificate": certificate, "files": written }),
        false => json!({ "files": written }),
    }))
}

fn fault(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::fault(format!("{}: {error}", path.display()), "give --to a folder of your own")
}

fn find(data: &Path, name: &str) -> Result<Ended, Trouble> {
    let endings = client::value(data, &Request::Endings)?;
    let items = endings.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |item: &Value, field: &str| item.get(field)?.as_str().map(str::to_owned);
    let is_meant = |item: &&Value| {
        let is = |field: &str| word(item, field).as_deref() == Some(name);
        is("tenant")
            || is("user_id")
            || is("person")
            || (is("tenant_id") && word(item, "user_id").is_none())
    };
    let item = items.iter().rfind(is_meant);
    let no_such = || format!("no such name: {name}");
    let state = item.and_then(|item| word(item, "state")).unwrap_or_else(no_such);
    let (Some(item), "destroyed") = (item, state.as_str()) else {
        let waits = item.and_then(|item| word(item, "waits_for"));
        let state = waits.map_or(state.clone(), |waits| format!("{state}: {waits}"));
        let hint = "`tenant endings` tells how far it is; a person who is destroyed is called by \
                    the `user_id` that it prints";
        return Err(Trouble::refused("a contract that is destroyed", state, hint));
    };
    let tenant = word(item, "tenant_id").and_then(|id| TenantId::parse(&id));
    let tenant = tenant.ok_or_else(|| Trouble::fault("an ending without an id", "try again"))?;
    let user = word(item, "user_id").and_then(|id| UserId::parse(&id));
    let name = word(item, "tenant").or_else(|| word(item, "contract"));
    Ok(Ended { tenant, user, name, name_salt: word(item, "name_salt") })
}

/// Under a checkpoint that foreign witnesses signed, if one covers it; else under the newest.
fn certify(data: &Path, ended: &Ended) -> Result<Value, Trouble> {
    whole::must_be(data)?;
    let witnessed = fs::read(beside(data, WITNESSED)).ok();
    let witnessed = witnessed.and_then(|note| SignedCheckpoint::parse(&note));
    if let Some(signed) = &witnessed
        && let Ok(certificate) = certify_under(data, ended, Some(signed))
    {
        return Ok(certificate);
    }
    certify_under(data, ended, None)
}

fn certify_under(
    data: &Path,
    ended: &Ended,
    under: Option<&SignedCheckpoint>,
) -> Result<Value, Trouble> {
    let hint = "give --data the folder of the service, as a user who may read it";
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    let mut had = Belongings::of(ended.tenant, ended.user);
    let wanted = |_, entry: &Entry| had.weigh(entry) || names_an_author(entry);
    let proofs = ledger::prove_under(&own, Some(&mirror), under, wanted)
        .map_err(|error| Trouble::fault(error.to_string(), hint))?;
    let history: Vec<&Proof> =
        proofs.found.iter().filter(|one| !names_an_author(&one.entry)).collect();
    let is_it = |proof: &&&Proof| matches!(proof.entry.body, Body::Destroyed { .. });
    let Some(proof) = history.iter().rfind(is_it) else {
        let hint = "the mirror has not cosigned it yet: try again in a moment";
        return Err(Trouble::refused("the entry of the destruction", "none", hint));
    };
    let Body::Destroyed { users, messages, bytes, rows, last_open_ms, .. } = proof.entry.body
    else {
        return Err(Trouble::fault("another entry", hint));
    };
    let proven = |some: &[&Proof]| -> Vec<Value> {
        some.iter().map(|each| proven(each, proofs.size)).collect()
    };
    Ok(json!({
        "certificate": "destruction",
        "contract": ended.name,
        "name_salt": ended.name_salt,
        "tenant_id": ended.tenant.to_string(),
        "user_id": ended.user.map(|user| user.to_string()),
        "destroyed": rfc3339(proof.entry.time_ms),
        "last_moment_any_copy_could_open": rfc3339(last_open_ms),
        "users": users,
        "messages": messages,
        "bytes": bytes,
        "rows": rows,
        "sign_ins_revoked": had.sign_ins,
        "outlets_revoked": had.outlets,
        "holds_at_the_end": had.holds,
        "entry": self::proven(proof, proofs.size),
        "history": proven(&history),
        "authors": proven(&named(&proofs.found, &history)),
        "checkpoint": proofs.checkpoint,
        "cosigned": proofs.cosigned,
        "size": proofs.size,
        "root": proofs.root.to_base64(),
        "ledger_key": proofs.ledger_key,
        "mirror_key": proofs.mirror_key,
    }))
}

/// Of the entries by which processes got their names and keys: those of whoever signed the
/// history, and of the wardens who said so.
fn named<'a>(found: &'a [Proof], history: &[&Proof]) -> Vec<&'a Proof> {
    let mut speakers: HashSet<InstanceId> = history.iter().map(|one| one.entry.start).collect();
    let of = |one: &Proof| match &one.entry.body {
        Body::ProcessStart { instance, .. } => Some(*instance),
        _ => None,
    };
    let wardens = found.iter().filter(|one| of(one).is_some_and(|of| speakers.contains(&of)));
    let wardens: Vec<InstanceId> = wardens.map(|one| one.entry.start).collect();
    speakers.extend(wardens);
    found.iter().filter(|one| of(one).is_some_and(|of| speakers.contains(&of))).collect()
}

/// Whether an entry gives a process that signs entries its name.
fn names_an_author(entry: &Entry) -> bool {
    entry.author == Kind::Warden && matches!(entry.body, Body::ProcessStart { key: Some(_), .. })
}

/// An entry with all that a foreign verifier needs.
pub fn proven(proof: &ledger::Proof, size: u64) -> Value {
    let entry = serde_json::from_str(&proof.entry.to_json(proof.index)).unwrap_or(Value::Null);
    let hashes: Vec<String> = proof.hashes.iter().map(|hash| hash.to_base64()).collect();
    json!({
        "entry": entry,
        "index": proof.index,
        "tree_size": size,
        "leaf": BASE64.encode(&proof.leaf),
        "leaf_hash": HEXLOWER.encode(&tlog::leaf_hash(&proof.leaf).0),
        "inclusion": hashes,
    })
}

/// The words of the readable page.
struct Words {
    title: &'static str,
    contract: &'static str,
    person: &'static str,
    destroyed: &'static str,
    last_open: &'static str,
    counts: [&'static str; 6],
    means: &'static str,
    check: &'static str,
    entry: &'static str,
    kept: &'static str,
}

const JAPANESE: Words = Words {
    title: "データ消去証明書",
    contract: "契約",
    person: "利用者（識別子。アドレスそのものは残していません）",
    destroyed: "消去が完了した時刻",
    last_open: "この証明の及ぶ写しを開くことができた最後の時刻",
    counts: [
        "利用者数",
        "メッセージ数",
        "容量（バイト）",
        "削除した行数",
        "破棄した外部サービスの認証情報",
        "廃止した自社サーバーからの送信口",
    ],
    means: "上の契約のメールの鍵を、稼働中の保管庫と、`sekisho backup` で作った鍵のバックアップの\n\
            すべてから破棄し、その契約のドメインの署名鍵も破棄しました。残っている暗号文は、データの\n\
            バックアップも含め、上の時刻より後にはこれらの鍵では開きません。この証明が及ばないもの：\n\
            それより前に手作業で写したデータフォルダ（スナップショットやディスクの複製）と、当時の\n\
            開封用の資格情報がそろった場合。その写しにあったものは開きます。写しを破棄するか、その\n\
            資格情報を失効させれば（`keys reseal` のあと古い資格情報をすべて破棄する、または\n\
            トークンで守る）、それも開かなくなります。また、受け渡しや判定をした稼働中のプロセスの\n\
            メモリには、入れ替わるか、遅くとも次に起動し直すまで、平文の断片が残ることがあります。\n\
            そのうえで、本文・ヘッダー・隔離・配送履歴・名簿・認証情報の行を削除し、\n\
            ディスク上の不要領域も書き直しました。外部サービス（スマートホスト）の認証情報も鍵とともに\n\
            破棄しました。相手のサービス側でも、その認証情報を無効にしてください。",
    check: "この証明は、サービスに問い合わせずに確かめられます。お渡しした鍵を使って\n\
            `sekisho-verify certificate certificate.json --ledger-key K --mirror-key K` を\n\
            実行してください。\n\
            ほかの道具でも確かめられます。certificate.json の leaf を RFC 6962 のとおりハッシュし、\n\
            inclusion と合わせて root を計算し、checkpoint の署名を ledger_key と mirror_key で\n\
            検証してください。",
    entry: "記録の番号",
    kept: "利用者のアドレスは、この契約のグループ、メーリングリスト、転送、受取人の設定から除きました。\n\
           ほかの契約の利用者が自分の設定に書いたアドレスは、その人たちのものとして残ります。\n\
           別に残すもの：契約名と、解約・消去の日時、それ自体では意味をもたない識別子\n\
           だけの監査記録。利用者のアドレスの鍵つきハッシュ（残存検索のため）。請求と照会に\n\
           答えるため、名簿の保管庫に封をして置きます。",
};

const ENGLISH: Words = Words {
    title: "Certificate of destruction",
    contract: "Contract",
    person: "Person (id; the address itself is not kept)",
    destroyed: "Destruction completed",
    last_open: "Last moment at which a copy covered here could open",
    counts: [
        "People",
        "Messages",
        "Octets",
        "Rows deleted",
        "Sign-ins elsewhere destroyed",
        "Outlets of own servers ended",
    ],
    means: "The keys of this contract's mail were destroyed in the vault and in every key backup\n\
            that `sekisho backup` made, and the keys that signed mail of its domains in the\n\
            signer. What is left of the ciphertext, in backups of the data too, opens with none\n\
            of them after the moment above. Not covered: a copy of the data folder that somebody\n\
            made by hand before (a snapshot, a disk image), together with the unseal credential\n\
            of that time; it opens what it held. Whoever destroys such copies, or that\n\
            credential (`keys reseal`, then every copy of the old one destroyed; or a token),\n\
            ends that. Nor is the memory of running processes that took or judged such mail,\n\
            which may hold pieces of it until each is replaced, at the latest by the next start.\n\
            Bodies, headers, quarantine, journeys, directory and sign-in rows were deleted, and\n\
            the disk's dead space was rewritten. Sign-ins to other services (smart hosts) went\n\
            with the keys; end them at those services, too.",
    check: "This can be checked without asking the service, with the keys that you were given:\n\
            `sekisho-verify certificate certificate.json --ledger-key K --mirror-key K`.\n\
            Other tools do it, too: hash `leaf` of certificate.json as RFC 6962 says, compute\n\
            `root` with `inclusion`, and verify the signatures of `checkpoint` with `ledger_key`\n\
            and `mirror_key`.",
    entry: "Entry in the ledger",
    kept: "A person's addresses were taken out of this contract's groups, lists, forwards and\n\
           catch-alls. Where people of other contracts wrote such an address down themselves (a\n\
           forward, a group, a list), it is theirs and stays.\n\
           Kept apart: a keyed hash of each such address, by which a search finds it; the\n\
           contract's name, the dates of its end, and the evidence with opaque ids only;\n\
           sealed in the directory, to answer questions and invoices.",
};

fn page(certificate: &Value, words: &Words) -> String {
    let word = |name: &str| match certificate.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut text = format!("{}\n{}\n\n", words.title, "=".repeat(40));
    let index = certificate.pointer("/entry/index").map(Value::to_string).unwrap_or_default();
    let [users, messages, bytes, rows, sign_ins, outlets] = words.counts;
    let lines = [
        (words.contract, format!("{} ({})", word("contract"), word("tenant_id"))),
        (words.person, word("user_id")),
        (words.destroyed, word("destroyed")),
        (words.last_open, word("last_moment_any_copy_could_open")),
        (users, word("users")),
        (messages, word("messages")),
        (bytes, word("bytes")),
        (rows, word("rows")),
        (sign_ins, word("sign_ins_revoked")),
        (outlets, word("outlets_revoked")),
        (words.entry, format!("{index} / {}", word("size"))),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "{name}: {value}");
    }
    let checkpoint = word("checkpoint");
    let _ = write!(text, "\n{}\n\n{}\n\n{}\n\n{checkpoint}", words.means, words.check, words.kept);
    text
}
