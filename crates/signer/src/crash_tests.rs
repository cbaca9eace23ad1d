//! The power goes at every step of keeping a certificate or a domain's mail keys: what was kept
//! before or the new one is there, whole. `SEKISHO_POINTS`, `SEKISHO_SEED`.

use crate::certificate::Kept;
use crate::house_names::Group;
use crate::mail_keys::KeptKeys;
use crate::store::Store;
use durable::{Dice, How, Tape};
use rows::RowKey;
use std::path::{Path, PathBuf};
use terms::TenantId;

const POINTS: usize = 300;
const ACTS: usize = 20;
/// The place behind the authority's and the groups'.
const MAIL: usize = Group::ALL.len() + 1;

fn folder(name: &str) -> PathBuf {
    let folder = durable::scratch().join(format!("signer-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A certificate of this number; the number stands in its end.
fn kept(number: u64) -> Kept {
    let (names, chain) = (vec!["mx.example.jp".to_owned()], vec![vec![7; 900]]);
    Kept { names, chain, pkcs8: vec![number as u8; 138], not_after_ms: number }
}

/// Mail keys of this number.
fn keys(number: u64) -> KeptKeys {
    let domain = "kaede.example".to_owned();
    KeptKeys { domain, tenant: TenantId([number as u8; 8]), last: number as u32, pairs: Vec::new() }
}

fn live(folder: &Path, key: &RowKey, dice: &mut Dice) {
    let mut store = Store::open(folder).unwrap();
    for number in 1..=ACTS as u64 {
        match dice.below(MAIL + 1) {
            MAIL => {
                store.keep_mail_keys(key, &keys(number)).unwrap();
                durable::said((MAIL as u64) << 32 | number);
            }
            0 => {
                store.keep_authority(&number.to_be_bytes()).unwrap();
                durable::said(number);
            }
            group => {
                store.keep(Group::ALL[group - 1], key, &kept(number)).unwrap();
                durable::said((group as u64) << 32 | number);
            }
        }
    }
}

/// The number that stands in a place, 0 for none.
fn stands(folder: &Path, place: usize, key: &RowKey, which: &str) -> u64 {
    let store = Store::open(folder).expect(which);
    match place {
        0 => {
            store.authority().map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().expect(which)))
        }
        MAIL => store.mail_keys("kaede.example", key).expect(which).map_or(0, |kept| {
            assert_eq!(kept.tenant, TenantId([kept.last as u8; 8]), "{which}");
            kept.last.into()
        }),
        group => store.kept(Group::ALL[group - 1], key).expect(which).map_or(0, |kept| {
            assert_eq!(kept.pkcs8, vec![kept.not_after_ms as u8; 138], "{which}");
            kept.not_after_ms
        }),
    }
}

#[test]
fn every_point_of_a_crash_keeps_every_certificate() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted = number("SEKISHO_POINTS").unwrap_or(POINTS);
    let mut seed = number("SEKISHO_SEED").unwrap_or(1) as u64;
    let (mut points, key) = (0, RowKey::new(&[3; 32]));
    while points < wanted {
        let mut dice = Dice::new(seed);
        let life = folder("crash-life");
        let (tape, ()) = Tape::record(&life, &[], || live(&life, &key, &mut dice));
        for point in 0..=tape.points() {
            let how = if dice.once_in(3) { How::Killed } else { How::PowerCut };
            let left = folder("crash-left");
            tape.survive(point, how, &mut dice, &left).unwrap();
            let which = format!("SEKISHO_SEED={seed}, step {point}, {how:?}");
            let told = tape.said(point);
            for place in 0..=MAIL {
                let of_place = told.iter().filter(|one| **one >> 32 == place as u64);
                let promised = of_place.last().map_or(0, |one| one & 0xFFFF_FFFF);
                let found = stands(&left, place, &key, &which);
                assert!(found >= promised, "{which}: {promised} promised, {found} stands");
            }
            points += 1;
        }
        seed += 1;
    }
    for name in ["crash-life", "crash-left"] {
        let _ = std::fs::remove_dir_all(folder(name));
    }
    println!("crash points: signer {points}");
}
