//! The last act: hostile code inside one live scanner, for real; what stops it, and its scope.

use super::Stage;
use super::sample::{Letter, Manner};
use super::screen::{Tone, because, heading, is_japanese, say, step};
use crate::client;
use crate::trial::{Watch, scope_of};
use drill::Ask;
use scope::{Language, class};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use warden::Drill;
use wire::admin::Request;

/// A birth, a letter in hand, an end.
const PATIENCE: Duration = Duration::from_secs(15);
/// A delivery is recorded, and readable, within so long.
const RECORD_LAG: Duration = Duration::from_millis(2_500);
/// Idle scanners are gone by then, and no letter is counted to their end.
const SETTLING: Duration = Duration::from_millis(700);
/// How often, and how long apart, the log is looked at.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(500);

/// While the act plays, the stage tells what happens, and the log is quiet.
pub static ON_STAGE: AtomicBool = AtomicBool::new(false);

/// Plays it. The house is as it was afterwards.
pub fn play(stage: &Stage) {
    ON_STAGE.store(true, Ordering::Relaxed);
    act(stage);
    ON_STAGE.store(false, Ordering::Relaxed);
}

fn act(stage: &Stage) {
    heading(say("攻撃をひとつ", "One attack"));
    let mut watch = Watch::new(channel().1);
    stage.told.try_iter().for_each(|happening| watch.note(Instant::now(), happening));
    let (give, talks) = channel();
    // What arrived before is recorded by then, and counted to nobody of this act.
    std::thread::sleep(RECORD_LAG);
    let from_ms = compartment::now_ms();
    stage.drills.arm(Drill { kind: Kind::Scanner, program: None, lives_on: false, talks: give });
    // The next letter's scanner is a new one, and hostile.
    watch.end_all(Kind::Scanner);
    std::thread::sleep(SETTLING);
    let drills = stage.drills.clone();
    let intruder = std::thread::spawn(move || {
        let born = talks.recv_timeout(PATIENCE).ok();
        drills.disarm();
        let (instance, talk) = born?;
        step("scanner", Tone::Stopped, &opening(instance));
        let _ = talk.send(0, &Ask::OneAct, &[]);
        // The channel stays until its end.
        let _ = talk.receive(Some(Duration::from_secs(1)));
        Some(instance)
    });
    let sent = stage.send(&letter());
    let born = intruder.join().ok().flatten();
    let Some(instance) = born else {
        return step("warden", Tone::Quiet, "no scanner was born in time");
    };
    let until = Instant::now() + RECORD_LAG;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let Ok(happening) = stage.told.recv_timeout(left) else { break };
        watch.note(Instant::now(), happening);
    }
    tell_end(&watch, instance);
    match sent {
        Ok(sent) => step("edge", Tone::Good, &format!("{} {}", sent.code, sent.reply)),
        Err(error) => step("edge", Tone::Stopped, &error.to_string()),
    }
    tell_scope(stage, instance, from_ms);
}

fn opening(instance: InstanceId) -> String {
    let words = say(
        "検査プロセスの中身を攻撃コードにすり替えました",
        "the code of this scanner is an intruder's now; it holds one letter and runs a shell",
    );
    format!("{instance}  {words}")
}

fn tell_end(watch: &Watch, instance: InstanceId) {
    for alarm in watch.alarms.iter().filter(|alarm| alarm.instance == instance) {
        let leaf = alarm.number.and_then(|number| watch.leaf(number));
        let leaf = leaf.map_or_else(|| "—".to_owned(), |leaf| leaf.to_string());
        let (call, late, pid) = (&alarm.call, alarm.after_ms, alarm.pid);
        let denied = say("拒否・警報", "denied and alarmed after");
        let line = format!("pid {pid} {call}: {denied} {late} ms · ledger leaf {leaf}");
        step("warden", Tone::Stopped, &line);
    }
    if let Some(cause) = watch.ended.get(&instance) {
        let replaced = say(
            "その場で終了させ、新しい検査プロセスが同じ手紙を調べ直しました",
            "ended at once; a fresh scanner examined the same letter again",
        );
        step("warden", Tone::Good, &format!("{cause}: {replaced}"));
    }
}

fn tell_scope(stage: &Stage, instance: InstanceId, from_ms: u64) {
    let ours = [instance].into_iter().collect();
    let measured = || {
        let to_ms = compartment::now_ms();
        scope_of(&stage.wishes.data, Kind::Scanner, &ours, from_ms, to_ms)
    };
    let mut scope = measured();
    // Readers see a delivery a little after it was recorded.
    for _ in 0..LOOKS {
        if scope.as_ref().is_some_and(|scope| !scope.messages.is_empty()) {
            break;
        }
        std::thread::sleep(LOOK);
        scope = measured();
    }
    let Some(scope) = scope else {
        return step("scope", Tone::Quiet, "the ledger could not be read");
    };
    let exact = say("この検査プロセスを通った手紙", "letters that passed through this scanner");
    step("scope", Tone::Plain, &format!("{exact}: {}", scope.messages.len()));
    for contract in &scope.contracts {
        let (accounts, messages) = (contract.accounts, contract.messages);
        let language = if is_japanese() { Language::Japanese } else { Language::English };
        let classes = contract.classes.iter().map(|word| class(language, word));
        let classes = classes.collect::<Vec<_>>().join(" + ");
        let counted = match is_japanese() {
            true => format!("{accounts} 人、{messages} 通、{classes}"),
            false => format!("people {accounts}, messages {messages}, {classes}"),
        };
        because(&format!("{}: {counted}", name_of(stage, &contract.tenant)));
    }
    let nothing = say(
        "保存された手紙・鍵・パスワード・ほかの組織: なし",
        "stored mail, keys, passwords, other organisations: none",
    );
    because(nothing);
}

/// The ledger knows ids only; the house puts the name to it for its operator.
fn name_of(stage: &Stage, id: &str) -> String {
    let tenants = client::value(&stage.wishes.data, &Request::TenantList).unwrap_or_default();
    let items = tenants.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let found = items.iter().find(|item| text(item, "id").as_deref() == Some(id));
    found.and_then(|item| text(item, "tenant")).unwrap_or_else(|| id.to_owned())
}

fn letter() -> Letter {
    let octets = b"From: Yamada <yamada@sender.example>\r\nTo: <aoi@example.jp>\r\n\
        Subject: Minutes of Friday\r\nMessage-ID: <minutes-of-friday@sender.example>\r\n\
        Date: Sun, 22 Nov 2026 09:00:00 +0900\r\n\r\nThe minutes are below.\r\n";
    Letter {
        about: "minutes",
        helo: "mail.sender.example",
        mail_from: "yamada@sender.example",
        rcpt_to: vec!["aoi@example.jp"],
        octets: octets.to_vec(),
        signed_by: Some("sender.example"),
        manner: Manner::Proper,
    }
}
