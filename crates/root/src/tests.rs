//! Every way to keep a root gives it back, to whoever should have it and to nobody else.

use super::*;
use crate::field::{invert, multiply};
use crate::shares::at_zero;

fn root() -> Root {
    Zeroizing::new(std::array::from_fn(|place| place as u8 * 7 + 1))
}

/// FIPS 197 §4.2 and §4.2.1, and every inverse.
#[test]
fn the_field_is_that_of_aes() {
    assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
    assert_eq!(multiply(0x57, 0x10), 0x07);
    assert_eq!((0..=255).filter(|a| multiply(*a, invert(*a)) == 1).count(), 255);
    assert_eq!(invert(0), 0);
}

/// draft-mcgrew-tss-03, the test case: "test\0" in two shares, both needed.
#[test]
fn published_shares_are_joined() {
    let (one, two) = ([0xb9, 0xfa, 0x07, 0xe1, 0x85], [0xf5, 0x40, 0x9b, 0x45, 0x11]);
    let joined: Vec<u8> = one.iter().zip(&two).map(|(a, b)| at_zero(&[(1, *a), (2, *b)])).collect();
    assert_eq!(joined, b"test\0");
}

#[test]
fn any_three_of_five_make_the_root_and_two_do_not() {
    let kept = Shares::of("3/5").unwrap().seal(&root()).unwrap();
    assert_eq!(kept.len(), 5);
    let mut ways = 0;
    for chosen in 0u32..32 {
        let some: Vec<String> =
            (0..5).filter(|at| chosen >> at & 1 == 1).map(|at| kept[at].clone()).collect();
        match Shares::any().open(&some) {
            Ok(found) => {
                assert!(some.len() >= 3);
                assert_eq!(*found, *root());
                ways += 1;
            }
            Err(_) => assert!(some.len() < 3),
        }
    }
    assert_eq!(ways, 16);
    let twice = [kept[0].clone(), kept[0].clone(), kept[1].clone()];
    assert!(matches!(Shares::any().open(&twice), Err(Fault::TooFew { needed: 3, found: 2, .. })));
    let others = Shares::of("3/5").unwrap().seal(&root()).unwrap();
    let mixed = [kept[0].clone(), kept[1].clone(), others[2].clone()];
    assert!(matches!(Shares::any().open(&mixed), Err(Fault::OtherSet { index: 3, .. })));
}

#[test]
fn a_share_is_read_as_people_write_it_and_never_mistyped() {
    let kept = Shares::of("2/2").unwrap().seal(&root()).unwrap();
    let written = format!("A share.\n  {}  \nKeep it.\n", kept[0].to_lowercase());
    assert_eq!(Share::read(&written).unwrap().index, 1);
    for place in HEAD_LENGTH..kept[0].len() {
        let mut letters: Vec<char> = kept[0].chars().collect();
        if letters[place] == ' ' {
            continue;
        }
        letters[place] = if letters[place] == 'A' { 'B' } else { 'A' };
        assert!(Share::read(&letters.into_iter().collect::<String>()).is_err(), "at {place}");
    }
    for wrong in ["1/2", "3/2", "2/17", "0/0", "2", "a/b", "300/400"] {
        assert!(Shares::of(wrong).is_err(), "{wrong}");
    }
}

const HEAD_LENGTH: usize = shares::HEAD.len();

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let phrase = Passphrase::new("関所を通る者は手形を見せる事\n").unwrap();
    let kept = phrase.seal(&root()).unwrap();
    let around = vec![format!("# sealed\n{}\n", kept[0])];
    assert_eq!(*phrase.open(&around).unwrap(), *root());
    let other = Passphrase::new("somebody else's words").unwrap();
    assert!(matches!(other.open(&kept), Err(Fault::Refused)));
    let touched = vec![kept[0].replacen("65536", "65535", 1)];
    assert!(matches!(phrase.open(&touched), Err(Fault::Refused)));
    let greedy = vec![kept[0].replacen("65536", "99999999", 1)];
    assert!(matches!(phrase.open(&greedy), Err(Fault::Shape { .. })));
    assert!(Passphrase::new("short").is_err());
}

#[test]
fn a_text_says_what_it_is() {
    let check = |text: &str, expected: Option<Kept>| assert_eq!(kept_as(text), expected);
    let share = Shares::of("2/3").unwrap().seal(&root()).unwrap().remove(0);
    check(&share, Some(Kept::Share));
    let plain = Plain.seal(&root()).unwrap().remove(0);
    assert_eq!(*Plain.open(&[format!("{plain}\n")]).unwrap(), *root());
    check(&format!("{plain}\n"), Some(Kept::Plain));
    let sealed = Passphrase::new("twelve letters").unwrap().seal(&root()).unwrap().remove(0);
    check(&sealed, Some(Kept::Passphrase));
    check("", None);
    check("anything else", None);
    assert!(matches!(Tpm.seal(&root()), Err(Fault::NotHere { .. })));
}

#[test]
fn no_text_makes_a_reader_fall() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let share = Shares::of("2/3").unwrap().seal(&root()).unwrap().remove(0);
    let sealed = format!("{}argon2id 8 1 1 AAAA AAAAAAAA", passphrase::HEAD);
    for seed in [share, sealed] {
        for _ in 0..5_000 {
            let mut bytes = seed.clone().into_bytes();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                bytes[at] = (state >> 32) as u8;
            }
            let text = String::from_utf8_lossy(&bytes);
            let _ = (Share::read(&text), kept_as(&text));
        }
    }
}

#[test]
fn a_root_is_known_again_by_its_mark() {
    let (one, other) = (make().unwrap(), make().unwrap());
    assert_eq!(mark(&one), mark(&one));
    assert_ne!(mark(&one), mark(&other));
    assert_eq!(mark(&one).len(), 32);
}
