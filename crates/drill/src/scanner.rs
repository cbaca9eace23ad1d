//! A hostile scanner: keeps the message in hand, and lies about it.

use crate::intruder::{Intruder, JOIN_LIMIT};
use std::time::{Duration, Instant};
use terms::Kind;
use wire::Parcel;
use wire::names::{Question, RecordKind};
use wire::scanner::{Examined, FromScanner, ToScanner};

const PULSE: Duration = Duration::from_millis(50);

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    if intruder.channel(Kind::Edge, JOIN_LIMIT).is_none() {
        return;
    }
    while Instant::now() < until && !intruder.is_called() {
        if !take_one(intruder) {
            return;
        }
    }
}

/// Waits a little for a message; false when the edge is gone.
fn take_one(intruder: &mut Intruder) -> bool {
    let Some(edge) = intruder.channel(Kind::Edge, Duration::ZERO) else { return false };
    match edge.wait(PULSE) {
        Ok(true) => {}
        Ok(false) => return true,
        Err(_) => return false,
    }
    let Ok(frame) = edge.receive(Some(PULSE)) else { return false };
    let Ok(ToScanner::Examine(mut task)) = frame.read() else { return true };
    let parcel = std::mem::replace(&mut task.message, Parcel::Inline(Vec::new()));
    // One question of its own, as every scanner may: a name that says what it has seen.
    let name = "seen.attacker.example".to_owned();
    let _ = edge.send(
        frame.call,
        &FromScanner::Question(Question { name, kind: RecordKind::Txt }),
        &[],
    );
    let _ = edge.receive(Some(Duration::from_secs(5)));
    let _ = edge.send(frame.call, &FromScanner::Examined(Box::new(lie())), &[]);
    if let Ok(message) = parcel.open(&frame.descriptors) {
        intruder.obtained("the message in hand", message);
    }
    if let Some(sender) = task.sender {
        intruder.obtained("its sender", sender.mail_from.into_bytes());
    }
    true
}

/// All is well, says the intruder.
fn lie() -> Examined {
    Examined {
        findings: Vec::new(),
        parts: 1,
        authentication: Vec::new(),
        authentication_results: String::new(),
        forged: Vec::new(),
        summary: Vec::new(),
        trace_digests: Vec::new(),
        header: Some(wire::scanner::Header::default()),
        micros: 1,
        report: None,
    }
}
