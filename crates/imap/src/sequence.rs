//! Sets of message numbers or UIDs: `1:3,7,10:*`. RFC 3501 §9, sequence-set.

use crate::words::{Why, Words};
use std::ops::RangeInclusive;

/// Ranges as written; 0 stands for `*`, which no message bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSet {
    ranges: Vec<(u32, u32)>,
}

impl SequenceSet {
    /// One range, already known to be in order.
    pub fn of(range: RangeInclusive<u32>) -> Self {
        Self { ranges: vec![(*range.start(), *range.end())] }
    }

    /// The numbers meant when `last` is the highest in the folder (0: it is empty): ascending,
    /// apart, never above `last`.
    ///
    /// `*` is the last even if the other end lies above it: `559:*` always includes the last.
    pub fn resolve(&self, last: u32) -> Vec<RangeInclusive<u32>> {
        if last == 0 {
            return Vec::new();
        }
        let mut ranges: Vec<(u32, u32)> = self
            .ranges
            .iter()
            .map(|(from, to)| {
                let from = if *from == 0 { last } else { *from };
                let to = if *to == 0 { last } else { *to };
                (from.min(to), from.max(to).min(last))
            })
            .filter(|(from, to)| from <= to)
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<RangeInclusive<u32>> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(before) if from <= before.end().saturating_add(1) => {
                    *before = *before.start()..=to.max(*before.end());
                }
                _ => merged.push(from..=to),
            }
        }
        merged
    }

    /// Whether `number` is meant, when `last` is the highest.
    pub fn contains(&self, number: u32, last: u32) -> bool {
        self.ranges.iter().any(|(from, to)| {
            let from = if *from == 0 { last } else { *from };
            let to = if *to == 0 { last } else { *to };
            (from.min(to)..=from.max(to)).contains(&number)
        })
    }

    /// The highest number written out, `None` when `*` or a range up to it stands in the set.
    pub fn highest(&self) -> Option<u32> {
        let open = self.ranges.iter().any(|(from, to)| *from == 0 || *to == 0);
        let highest = self.ranges.iter().map(|(from, to)| *from.max(to)).max();
        highest.filter(|_| !open)
    }
}

pub(crate) fn sequence_set(words: &mut Words) -> Result<SequenceSet, Why> {
    let mut ranges = Vec::new();
    loop {
        let from = bound(words)?;
        let to = if words.eat(b':') { bound(words)? } else { from };
        ranges.push((from, to)); // bounded by the command's length
        if !words.eat(b',') {
            return Ok(SequenceSet { ranges });
        }
    }
}

fn bound(words: &mut Words) -> Result<u32, Why> {
    if words.eat(b'*') {
        return Ok(0);
    }
    match words.number_u32() {
        Ok(0) | Err(_) => Err("expected a message number"),
        Ok(number) => Ok(number),
    }
}

/// Numbers in the order given, with runs drawn together: `1:3,7`.
pub fn write_numbers(numbers: impl IntoIterator<Item = u32>, out: &mut Vec<u8>) {
    let mut run: Option<(u32, u32)> = None;
    let mut first = true;
    let mut flush = |run: Option<(u32, u32)>, out: &mut Vec<u8>| {
        let Some((from, to)) = run else { return };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        crate::writer::decimal(out, u64::from(from));
        if to > from {
            out.push(b':');
            crate::writer::decimal(out, u64::from(to));
        }
    };
    for number in numbers {
        match &mut run {
            Some((_, to)) if to.checked_add(1) == Some(number) => *to = number,
            _ => {
                flush(run, out);
                run = Some((number, number));
            }
        }
    }
    flush(run, out);
}
