//! The root in shares (Shamir, over GF(2^8)): any `threshold` of them make it, fewer say nothing.
//!
//! A share is a text that can be written down: `sekisho-share-1`, then eighteen groups of four
//! base32 letters: version 1 · set (4) · threshold · count · index · value (36) · checksum (4).
//! What is shared is the root and four octets of its hash, so that shares which fit one another
//! and make a wrong root are noticed.

use crate::field::{invert, multiply};
use crate::{Fault, ROOT_BYTES, Root, RootSeal, random};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

pub(crate) const HEAD: &str = "sekisho-share-1";
const VERSION: u8 = 1;
const SET_BYTES: usize = 4;
const CHECK_BYTES: usize = 4;
const VALUE_BYTES: usize = ROOT_BYTES + CHECK_BYTES;
const SHARE_BYTES: usize = 1 + SET_BYTES + 3 + VALUE_BYTES + CHECK_BYTES;
/// People who keep a share: more cannot be called together.
pub const SHARES: RangeInclusive<u8> = 2..=16;

type Value = Zeroizing<[u8; VALUE_BYTES]>;

/// How many shares, and how many of them are enough.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    threshold: u8,
    count: u8,
}

/// One share, as it was read.
pub struct Share {
    pub set: [u8; SET_BYTES],
    pub threshold: u8,
    pub count: u8,
    pub index: u8,
    value: Value,
}

impl Shares {
    /// `3/5`: three of five.
    pub fn of(text: &str) -> Result<Self, Fault> {
        let limit = Fault::Limit {
            limit: "other numbers: shares are T/N, two to sixteen, T of them enough",
        };
        let numbers = text.split_once('/').map(|(t, n)| (t.parse().ok(), n.parse().ok()));
        let Some((Some(threshold), Some(count))) = numbers else { return Err(limit) };
        if !SHARES.contains(&threshold) || !SHARES.contains(&count) || threshold > count {
            return Err(limit);
        }
        Ok(Self { threshold, count })
    }

    /// For opening: the shares say themselves how many they are.
    pub fn any() -> Self {
        Self { threshold: *SHARES.start(), count: *SHARES.end() }
    }

    pub fn threshold(&self) -> u8 {
        self.threshold
    }
}

impl RootSeal for Shares {
    fn word(&self) -> &'static str {
        "shares"
    }

    fn seal(&self, root: &Root) -> Result<Vec<String>, Fault> {
        let mut set = [0u8; SET_BYTES];
        random(&mut set)?;
        let mut coefficients = vec![shared(root)];
        for _ in 1..self.threshold {
            let mut coefficient = Value::new([0; VALUE_BYTES]);
            random(coefficient.as_mut_slice())?;
            coefficients.push(coefficient);
        }
        let share = |index| {
            let value = evaluate(&coefficients, index);
            let (threshold, count) = (self.threshold, self.count);
            Share { set, threshold, count, index, value }.write()
        };
        Ok((1..=self.count).map(share).collect())
    }

    fn open(&self, kept: &[String]) -> Result<Root, Fault> {
        let mut shares: Vec<Share> = Vec::new();
        for text in kept {
            let share = Share::read(text)?;
            if let Some(first) = shares.first()
                && !first.is_beside(&share)
            {
                let (expected, found) = (HEXLOWER.encode(&first.set), HEXLOWER.encode(&share.set));
                return Err(Fault::OtherSet { index: share.index, expected, found });
            }
            if shares.iter().all(|known| known.index != share.index) {
                shares.push(share);
            }
        }
        let first = shares.first().ok_or(Fault::Shape { expected: "a share" })?;
        let (needed, set) = (first.threshold, HEXLOWER.encode(&first.set));
        if shares.len() < usize::from(needed) {
            let found = u8::try_from(shares.len()).unwrap_or(u8::MAX);
            return Err(Fault::TooFew { set, needed, found });
        }
        shares.truncate(usize::from(needed));
        let value = interpolate(&shares);
        let (root, _) = value.split_first_chunk::<ROOT_BYTES>().ok_or(Fault::Refused)?;
        let root = Zeroizing::new(*root);
        if *shared(&root) != *value {
            return Err(Fault::Refused);
        }
        Ok(root)
    }
}

impl Share {
    /// One line; people's words around it may stand.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let shape = || Fault::Shape { expected: "a share" };
        let line = text.lines().find_map(|line| line.trim().strip_prefix(HEAD));
        let letters: String = line
            .ok_or_else(shape)?
            .chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        let letters = Zeroizing::new(letters);
        let bytes = BASE32_NOPAD.decode(letters.as_bytes()).map_err(|_| shape())?;
        let bytes = Zeroizing::new(bytes);
        let (told, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or_else(shape)?;
        let share = Self::take(told).filter(|_| bytes.len() == SHARE_BYTES).ok_or_else(shape)?;
        if checksum(told) != *check {
            return Err(Fault::Mistyped { index: share.index });
        }
        Ok(share)
    }

    fn take(told: &[u8]) -> Option<Self> {
        let (&[VERSION], rest) = told.split_first_chunk()? else { return None };
        let (set, rest) = rest.split_first_chunk()?;
        let (&[threshold, count, index], rest) = rest.split_first_chunk()?;
        let value = Zeroizing::new(rest.try_into().ok()?);
        let fits = SHARES.contains(&threshold) && threshold <= count && SHARES.contains(&count);
        (fits && (1..=count).contains(&index)).then_some(Self {
            set: *set,
            threshold,
            count,
            index,
            value,
        })
    }

    fn write(&self) -> String {
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend_from_slice(&self.set);
        bytes.extend_from_slice(&[self.threshold, self.count, self.index]);
        bytes.extend_from_slice(self.value.as_slice());
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        let letters = Zeroizing::new(BASE32_NOPAD.encode(&bytes));
        let mut text = HEAD.to_owned();
        for (place, letter) in letters.chars().enumerate() {
            if place % 4 == 0 {
                text.push(' ');
            }
            text.push(letter);
        }
        text
    }

    pub fn set_text(&self) -> String {
        HEXLOWER.encode(&self.set)
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.set == other.set && self.threshold == other.threshold && self.count == other.count
    }
}

/// What is shared: the root, and enough of its hash.
fn shared(root: &Root) -> Value {
    let mut hash = Sha256::new();
    hash.update(b"sekisho root v1\0");
    hash.update(root.as_slice());
    let mut value = Value::new([0; VALUE_BYTES]);
    let octets = root.iter().copied().chain(hash.finalize());
    value.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
    value
}

fn checksum(told: &[u8]) -> [u8; CHECK_BYTES] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(told));
    [a, b, c, d]
}

/// The polynomials' values at `x` (Horner's rule), one polynomial for each octet.
fn evaluate(coefficients: &[Value], x: u8) -> Value {
    let mut value = Value::new([0; VALUE_BYTES]);
    for coefficient in coefficients.iter().rev() {
        for (to, add) in value.iter_mut().zip(coefficient.iter()) {
            *to = multiply(*to, x) ^ add;
        }
    }
    value
}

/// Their values at 0 (Lagrange), from different places.
fn interpolate(shares: &[Share]) -> Value {
    let points: Vec<(u8, &[u8])> =
        shares.iter().map(|share| (share.index, share.value.as_slice())).collect();
    let mut value = Value::new([0; VALUE_BYTES]);
    for (octet, to) in value.iter_mut().enumerate() {
        let at = |(x, values): &(u8, &[u8])| (*x, values.get(octet).copied().unwrap_or_default());
        *to = at_zero(&points.iter().map(at).collect::<Vec<_>>());
    }
    value
}

pub(crate) fn at_zero(points: &[(u8, u8)]) -> u8 {
    points.iter().fold(0, |sum, (x, y)| {
        let others = points.iter().map(|(other, _)| *other).filter(|other| other != x);
        let weight =
            others.fold(1, |weight, other| multiply(weight, multiply(other, invert(other ^ x))));
        sum ^ multiply(weight, *y)
    })
}
