//! A drill's findings as a calm table.

use crate::demo::screen::{Tone, heading, tinted};
use serde_json::Value;

pub fn show(found: &Value) {
    let list = |name: &str| found.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut last = String::new();
    for cell in list("cells") {
        if text(&cell, "compartment") != last {
            last = text(&cell, "compartment");
            heading(&last);
        }
        show_cell(&cell);
    }
    let attacks = list("attacks");
    if !attacks.is_empty() {
        heading("attacks");
    }
    attacks.iter().for_each(show_attack);
    println!();
    for one in list("replaced") {
        let is_replaced = one.get("replaced") == Some(&Value::Bool(true));
        let how =
            if is_replaced { "ended at its first call, and replaced" } else { "NOT replaced" };
        println!("  {:10} {how}", text(&one, "compartment"));
    }
    let turns = list("turns");
    let controls: Vec<bool> =
        turns.iter().filter_map(|turn| turn.get("control")?.get("held")?.as_bool()).collect();
    let held = controls.iter().filter(|held| **held).count();
    println!(
        "  control    nothing lost, no alarm without an intruder: {held} of {}",
        controls.len()
    );
    for absent in list("absent") {
        println!("  absent     {}", absent.as_str().unwrap_or_default());
    }
    let broken = list("broken");
    for one in &broken {
        println!("  {}", tinted(Tone::Stopped, one.as_str().unwrap_or_default()));
    }
    let words = if broken.is_empty() { "every denial held" } else { "a denial did NOT hold" };
    println!("\n  {} alarms; {words}", list("alarms").len());
}

fn show_attack(attack: &Value) {
    let tone = match attack.get("got").and_then(Value::as_str) {
        Some("nothing") => Tone::Good,
        _ => Tone::Watch,
    };
    let ms = attack.get("noticed_ms").and_then(Value::as_u64);
    let noticed = match ms {
        Some(ms) => format!("{} after {ms} ms", text(attack, "noticed_by")),
        None => "by nobody, recorded".to_owned(),
    };
    println!(
        "  {:9} {:32} {} noticed {noticed}  {}{}",
        text(attack, "compartment"),
        text(attack, "attack"),
        tinted(tone, &format!("{:8}", text(attack, "got"))),
        tinted(Tone::Quiet, &text(attack, "what")),
        scope_of(attack),
    );
}

/// How well the ledger's scope fits what was really in hand, where mail passed.
fn scope_of(value: &Value) -> String {
    let share = |name: &str| value.get(name).and_then(Value::as_f64);
    let scope = share("scope_precision").zip(share("scope_recall"));
    let of = match value.get("scope_of").and_then(Value::as_str) {
        Some("could") => " of what it could open",
        Some("unseen") => " (not in any ledger, and the scope says so)",
        _ => "",
    };
    scope.map_or(String::new(), |(precision, recall)| {
        format!("  scope {precision:.2}/{recall:.2}{of}")
    })
}

fn show_cell(cell: &Value) {
    let tone = match cell.get("got").and_then(Value::as_str) {
        Some("nothing") => Tone::Good,
        Some("bounded") => Tone::Watch,
        _ => Tone::Stopped,
    };
    let number = |name: &str| cell.get(name).and_then(Value::as_u64);
    let alarm = number("alarm_ms").map_or("—".to_owned(), |ms| format!("{ms} ms"));
    println!(
        "  {:18} {} {:2} off charter, alarm {:6}  {}{}",
        text(cell, "asset"),
        tinted(tone, &format!("{:10}", text(cell, "got"))),
        number("attempted").unwrap_or(0),
        alarm,
        tinted(Tone::Quiet, &text(cell, "what")),
        scope_of(cell),
    );
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
