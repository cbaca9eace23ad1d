//! A drill's findings as a calm table.

use crate::demo::screen::{Tone, heading, tinted};
use crate::words;
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
        println!("  {}", tinted(Tone::Stopped, &in_words(one.as_str().unwrap_or_default())));
    }
    println!("\n  {} alarms; {}", list("alarms").len(), in_words(&text(found, "said")));
}

/// What is to be said of all of it: that denials held only where one was put to the test.
pub fn closing(found: &Value) -> String {
    let list = |name: &str| found.get(name).and_then(Value::as_array).into_iter().flatten();
    if list("broken").next().is_some() {
        return "a denial did NOT hold".to_owned();
    }
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let is_tried = |kind: &str| {
        let own = |of: &&Value| text(of, "compartment") == kind;
        list("cells").filter(own).any(|cell| number(cell, "attempted") > 0)
            || list("turns").filter(own).any(|turn| number(turn, "asked") > 0)
    };
    let kinds: Vec<String> = list("turns").map(|turn| text(turn, "compartment")).collect();
    let untried: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|kind| !is_tried(kind)).collect();
    match untried.len() {
        0 => "every denial held".to_owned(),
        all if all == kinds.len() => "nothing was attempted that anybody saw".to_owned(),
        _ => {
            let of = untried.join(", ");
            format!("every denial held; nothing was attempted that anybody saw in {of}")
        }
    }
}

/// Part by part, in the reader's language.
fn in_words(what: &str) -> String {
    what.split("; ").map(words::said).collect::<Vec<_>>().join("; ")
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
        tinted(Tone::Quiet, &in_words(&text(cell, "what"))),
        scope_of(cell),
    );
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::closing;
    use serde_json::json;

    #[test]
    fn denials_are_said_to_have_held_only_where_one_was_tried() {
        let turn = |kind: &str, asked: u64| json!({ "compartment": kind, "asked": asked });
        let cell =
            |kind: &str, attempted: u64| json!({ "compartment": kind, "attempted": attempted });
        let check = |cells: [u64; 2], asked: u64, broken: &[&str], expected: &str| {
            let found = json!({
                "cells": [cell("edge", cells[0]), cell("mailbox", cells[1])],
                "turns": [turn("edge", 0), turn("mailbox", asked)],
                "broken": broken,
            });
            assert_eq!(closing(&found), expected);
        };
        check([3, 1], 0, &[], "every denial held");
        check([0, 0], 0, &[], "nothing was attempted that anybody saw");
        check(
            [3, 0],
            0,
            &[],
            "every denial held; nothing was attempted that anybody saw in mailbox",
        );
        check([3, 0], 2, &[], "every denial held");
        check([0, 0], 0, &["edge: x"], "a denial did NOT hold");
    }
}
