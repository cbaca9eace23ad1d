//! The power goes between any two sectors that the database writes: every change that was answered
//! is there, and the one on its way is there whole or not at all. `SEKISHO_POINTS`, `SEKISHO_SEED`.

use crate::lists::{LetterRow, Telling};
use crate::tables::{DomainRow, PersonRow, StatementRow, Tables};
use crate::tls_tests::finding;
use durable::{Dice, Film};
use rows::RowKey;
use std::path::PathBuf;
use terms::{TenantId, UserId};
use wire::lists::Language;
use wire::sts::{Mode, Policy};

const POINTS: usize = 300;
const ACTS: usize = 40;
/// Ends that are tried for each act.
const ENDS: usize = 4;

fn folder(name: &str) -> PathBuf {
    let folder = durable::scratch().join(format!("directory-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn user(number: u64) -> UserId {
    UserId(number.to_be_bytes())
}

const TENANT: TenantId = TenantId([1; 8]);

/// One change, as an operator or a day's end makes it.
fn change(tables: &mut Tables, key: &RowKey, act: u64, dice: &mut Dice) {
    let address = format!("person{act}@example.jp");
    match dice.below(10) {
        0 | 1 => {
            let row = PersonRow {
                address,
                role: "user".to_owned(),
                aliases: vec![format!("alias{act}@example.jp")],
                disabled: false,
                made_ms: act,
            };
            tables.add_person(key, user(act), TENANT, &row).unwrap();
        }
        2 => {
            let row = StatementRow {
                statement: vec![act as u8; 1_500],
                signature: vec![act as u8; 64],
                issued_ms: act,
                valid_until_ms: act + 1,
            };
            tables.keep_statement(key, "person1@example.jp", &row).unwrap();
        }
        6 | 7 => {
            let domain = format!("d{}.example", act % 4);
            let findings = [finding(&domain, 1, &[]), finding("there.example", 1, &[])];
            tables.add_tls(key, TENANT, (&findings, act % 3)).unwrap();
        }
        8 => {
            let due = tables.due_tls(u64::MAX, 1).unwrap();
            for (token, tenant) in due {
                let letters = [letter(act, "a@there.example"), letter(act, "b@there.example")];
                tables.report_tls(key, (&token, tenant), &letters).unwrap();
            }
        }
        9 => keep_policy(tables, key, act),
        3 => tables.add_domain(key, &format!("example{act}.jp"), TENANT).unwrap(),
        _ => {
            let mut rows = tables.domain_rows(key, Some(TENANT)).unwrap();
            match rows.pop() {
                Some(row) => {
                    let catch_all = Some(format!("person{act}@example.jp"));
                    tables.change_domain(key, &DomainRow { catch_all, ..row }).unwrap();
                }
                None => tables.add_domain(key, &format!("example{act}.jp"), TENANT).unwrap(),
            }
        }
    }
}

fn keep_policy(tables: &Tables, key: &RowKey, act: u64) {
    let policy = Policy {
        domain: format!("d{}.example", act % 3),
        id: act.to_string(),
        mode: Mode::Enforce,
        patterns: vec!["*.there.example".to_owned()],
        age_seconds: 3_600,
    };
    tables.keep_policy(key, (TENANT, policy), act).unwrap();
}

/// A letter of the house's.
fn letter(act: u64, to: &str) -> LetterRow {
    LetterRow {
        what: Telling::TlsReport {
            about: "there.example".to_owned(),
            id: act.to_string(),
            time: (act, act),
            packed: vec![act as u8; 3_000],
        },
        to: to.to_owned(),
        list: "postmaster@example.jp".to_owned(),
        name: "Kaede".to_owned(),
        language: Language::English,
        at_ms: act,
    }
}

type View = (
    Vec<(u64, String, bool)>,
    Vec<(String, Option<String>)>,
    Option<u64>,
    (Vec<Tls>, u64),
    Vec<Option<String>>,
);
/// A day, a domain, and its sessions.
type Tls = (u64, String, u64);

fn view(tables: &Tables, key: &RowKey) -> View {
    let people = tables.people(key, TENANT).unwrap();
    let mut people: Vec<(u64, String, bool)> = people
        .into_iter()
        .map(|(user, row)| {
            // A person without their addresses would be half a change.
            let is_found =
                |address: &str| tables.person_by_address(key, address).unwrap() == Some(user);
            let is_whole = is_found(&row.address) && row.aliases.iter().all(|one| is_found(one));
            (u64::from_be_bytes(user.0), row.address, is_whole)
        })
        .collect();
    people.sort();
    let domains = tables.domain_rows(key, Some(TENANT)).unwrap();
    let domains = domains.into_iter().map(|row| (row.name, row.catch_all)).collect();
    let statement = tables.statement(key, "person1@example.jp").unwrap();
    let mut counted: Vec<Tls> = Vec::new();
    for (token, _) in tables.due_tls(u64::MAX, 1_000).unwrap() {
        let row = tables.tls_row(key, &token).unwrap().expect("a row that opens");
        counted.push((row.day, row.domain, row.policies.iter().map(|one| one.good).sum()));
    }
    counted.sort();
    // A report whose letters are there is not counted any more, and one is not without the other.
    let letters = tables.count_letters().unwrap();
    assert_eq!(letters % 2, 0);
    let policy = |number: u64| {
        let domain = format!("d{number}.example");
        let known = tables.policy(key, (TENANT, &domain), 1_000).unwrap();
        known.map(|known| known.policy.id)
    };
    let policies = (0..3).map(policy).collect();
    (people, domains, statement.map(|row| row.issued_ms), (counted, letters), policies)
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
        let mut tables = Tables::open(&life).unwrap();
        let mut film = Film::of(&life.join("directory.db"));
        film.look();
        let mut views = vec![view(&tables, &key)];
        for act in 1..=ACTS as u64 {
            change(&mut tables, &key, act, &mut dice);
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
    println!("crash points: directory {points}");
}
