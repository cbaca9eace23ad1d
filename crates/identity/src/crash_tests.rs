//! The power goes between any two sectors that the database writes: every change that was answered
//! is there, and the one on its way is there whole or not at all. `SEKISHO_POINTS`, `SEKISHO_SEED`.

use crate::tables::{AppPasswordRow, PersonRow, Tables};
use durable::{Dice, Film};
use rows::RowKey;
use std::path::PathBuf;
use terms::{TenantId, UserId};
use wire::identity::Protocol;

const POINTS: usize = 300;
const ACTS: usize = 40;
/// Ends that are tried for each act.
const ENDS: usize = 4;

fn folder(name: &str) -> PathBuf {
    let folder = durable::scratch().join(format!("identity-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn user(number: u64) -> UserId {
    UserId(number.to_be_bytes())
}

/// One change, as an enrolment, a device or a sign-in makes it.
fn change(tables: &Tables, key: &RowKey, act: u64, dice: &mut Dice) {
    match dice.below(4) {
        0 => {
            let row = PersonRow {
                tenant: TenantId([1; 8]),
                address: format!("person{act}@example.jp"),
                salt: vec![act as u8; 16],
                verifier: vec![act as u8; 32],
                disabled: false,
            };
            tables.keep_person(key, user(act % 7), &row).unwrap();
        }
        1 => {
            let row = AppPasswordRow {
                key: format!("look-up {}", act % 11),
                protocol: Protocol::Imap,
                device: "a telephone".to_owned(),
                verifier: vec![act as u8; 32],
                made_ms: act,
            };
            tables.add_app_password(key, user(act % 7), &row).unwrap();
        }
        2 => drop(tables.revoke(key, &format!("look-up {}", act % 11)).unwrap()),
        _ => tables.mark_used(key, &format!("look-up {}", act % 11), act).unwrap(),
    }
}

type View = (Vec<Option<String>>, Vec<Option<(u64, bool, Option<u64>)>>);

fn view(tables: &Tables, key: &RowKey) -> View {
    let person = |number| tables.person(key, user(number)).unwrap().map(|row| row.address);
    let password = |number: u64| {
        let found = tables.app_password(key, &format!("look-up {number}")).unwrap();
        found.map(|found| (found.row.made_ms, found.revoked, found.last_used_ms))
    };
    ((0..7).map(person).collect(), (0..11).map(password).collect())
}

#[test]
fn every_point_of_a_crash_keeps_what_was_answered() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted = number("SEKISHO_POINTS").unwrap_or(POINTS);
    let mut seed = number("SEKISHO_SEED").unwrap_or(1) as u64;
    let (mut points, key) = (0, RowKey::new(&[3; 32]));
    while points < wanted {
        let mut dice = Dice::new(seed);
        let life = folder("crash-life");
        let tables = Tables::open(&life).unwrap();
        let mut film = Film::of(&life.join("identity.db"));
        film.look();
        let mut views = vec![view(&tables, &key)];
        for act in 1..=ACTS as u64 {
            change(&tables, &key, act, &mut dice);
            film.look();
            views.push(view(&tables, &key));
        }
        for act in 0..film.acts() {
            for end in 0..ENDS {
                let left = folder("crash-left");
                film.lay(act, &mut dice, &left).unwrap();
                let which = format!("SEKISHO_SEED={seed}, act {act}, end {end}");
                let found = view(&Tables::open(&left).expect(&which), &key);
                assert!(found == views[act] || found == views[act + 1], "{which}: {found:?}");
                points += 1;
            }
        }
        seed += 1;
    }
    for name in ["crash-life", "crash-left"] {
        let _ = std::fs::remove_dir_all(folder(name));
    }
    println!("crash points: identity {points}");
}
