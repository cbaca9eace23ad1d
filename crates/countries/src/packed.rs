//! Sorted columns: all starts, all ends, all countries, of either family. A look-up touches a few
//! pages of them, wherever they lie.

use crate::{Country, Table};
use std::collections::HashSet;
use std::net::IpAddr;

/// What stands first: that it is this, in this version.
const MARK: &[u8; 8] = b"places 1";
const HEAD: usize = MARK.len() + 8;

impl Table {
    /// Everything that was read, as [`find`] takes it. Where two lists have the same address the
    /// smaller range counts, and of equal ones the first.
    pub fn packed(&self) -> Vec<u8> {
        let (four, six) = (flat(&self.four), flat(&self.six));
        let mut out = MARK.to_vec();
        for many in [four.len(), six.len()] {
            out.extend(u32::try_from(many).unwrap_or(u32::MAX).to_le_bytes());
        }
        four.iter().for_each(|(start, ..)| out.extend(start.to_le_bytes()));
        four.iter().for_each(|(_, end, _)| out.extend(end.to_le_bytes()));
        four.iter().for_each(|(.., country)| out.extend(country.0));
        six.iter().for_each(|(start, ..)| out.extend(start.to_le_bytes()));
        six.iter().for_each(|(_, end, _)| out.extend(end.to_le_bytes()));
        six.iter().for_each(|(.., country)| out.extend(country.0));
        out
    }
}

/// Numbers that have a next and a previous one.
trait Step: Copy + Ord {
    fn next(self) -> Option<Self>;
    fn previous(self) -> Option<Self>;
}

impl Step for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Step for u64 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

/// Ranges in order, none of which overlaps another, and neighbours of one country joined.
fn flat<N: Step>(ranges: &[(N, N, Country)]) -> Vec<(N, N, Country)> {
    let mut sorted = ranges.to_vec();
    // By start; of those that start together the larger first, so that the smaller lies on it.
    sorted.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
    let mut out: Vec<(N, N, Country)> = Vec::with_capacity(sorted.len());
    // Ranges that are open where we are, the innermost last: each ends before those below it.
    let mut open: Vec<(N, Country)> = Vec::new();
    let mut at: Option<N> = None;
    let mut before = None;
    for (start, end, country) in sorted {
        close(&mut open, &mut at, Some(start), &mut out);
        if let (Some((_, outer)), Some(from)) = (open.last(), at)
            && let Some(last) = start.previous().filter(|last| from <= *last)
        {
            push(&mut out, (from, last, *outer));
        }
        at = Some(start);
        // Of equal ranges the first counts.
        if before == Some((start, end)) {
            continue;
        }
        before = Some((start, end));
        // What would reach out of the one around it is cut.
        let end = open.last().map_or(end, |(outer, _)| end.min(*outer));
        open.push((end, country));
    }
    close(&mut open, &mut at, None, &mut out);
    out
}

/// Ends what ends before `until`.
fn close<N: Step>(
    open: &mut Vec<(N, Country)>,
    at: &mut Option<N>,
    until: Option<N>,
    out: &mut Vec<(N, N, Country)>,
) {
    while let Some((end, country)) = open.last().copied() {
        if until.is_some_and(|until| end >= until) {
            return;
        }
        open.pop();
        if let Some(from) = at.filter(|from| *from <= end) {
            push(out, (from, end, country));
            *at = end.next();
        }
    }
}

fn push<N: Step>(out: &mut Vec<(N, N, Country)>, (start, end, country): (N, N, Country)) {
    match out.last_mut() {
        Some(last) if last.2 == country && last.1.next() == Some(start) => last.1 = end,
        _ => out.push((start, end, country)),
    }
}

/// Where the columns lie.
struct Columns<'a> {
    octets: &'a [u8],
    four: usize,
    six: usize,
}

impl<'a> Columns<'a> {
    /// `None`: these octets are not what [`Table::packed`] makes.
    fn of(octets: &'a [u8]) -> Option<Self> {
        let many = |at: usize| {
            let many = octets.get(at..at + 4)?.first_chunk().map(|four| u32::from_le_bytes(*four));
            usize::try_from(many?).ok()
        };
        let (four, six) = (many(MARK.len())?, many(MARK.len() + 4)?);
        let length = four.checked_mul(10)?.checked_add(six.checked_mul(18)?)?.checked_add(HEAD)?;
        (octets.starts_with(MARK) && octets.len() == length).then_some(Self { octets, four, six })
    }

    fn number<const BYTES: usize>(&self, column: usize, place: usize) -> Option<[u8; BYTES]> {
        let at = column + place * BYTES;
        self.octets.get(at..at + BYTES)?.first_chunk().copied()
    }

    fn find_four(&self, address: u32) -> Option<Country> {
        let (starts, ends) = (HEAD, HEAD + self.four * 4);
        let number = |column, place| self.number(column, place).map(u32::from_le_bytes);
        let place = last_not_above(self.four, |place| number(starts, place), address)?;
        let is_in = number(ends, place).is_some_and(|end| address <= end);
        is_in.then(|| self.number(HEAD + self.four * 8, place).map(Country)).flatten()
    }

    fn find_six(&self, address: u64) -> Option<Country> {
        let starts = HEAD + self.four * 10;
        let ends = starts + self.six * 8;
        let number = |column, place| self.number(column, place).map(u64::from_le_bytes);
        let place = last_not_above(self.six, |place| number(starts, place), address)?;
        let is_in = number(ends, place).is_some_and(|end| address <= end);
        is_in.then(|| self.number(ends + self.six * 8, place).map(Country)).flatten()
    }
}

/// The place of the last of so many sorted numbers that is not above this one.
fn last_not_above<N: Ord>(
    many: usize,
    at: impl Fn(usize) -> Option<N>,
    number: N,
) -> Option<usize> {
    let (mut low, mut high) = (0, many);
    while low < high {
        let middle = low + (high - low) / 2;
        match at(middle)? <= number {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low.checked_sub(1)
}

/// The country in which an address is registered, if any is.
pub fn find(octets: &[u8], address: IpAddr) -> Option<Country> {
    let columns = Columns::of(octets)?;
    match address.to_canonical() {
        IpAddr::V4(four) => columns.find_four(four.to_bits()),
        IpAddr::V6(six) => columns.find_six(u64::try_from(six.to_bits() >> 64).ok()?),
    }
}

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub four: usize,
    pub six: usize,
    pub countries: usize,
}

/// `None`: these octets are not what [`Table::packed`] makes.
pub fn counted(octets: &[u8]) -> Option<Counted> {
    let columns = Columns::of(octets)?;
    let Columns { four, six, .. } = columns;
    let in_four = (0..four).filter_map(|place| columns.number::<2>(HEAD + four * 8, place));
    let column = HEAD + four * 10 + six * 16;
    let in_six = (0..six).filter_map(|place| columns.number::<2>(column, place));
    let countries: HashSet<[u8; 2]> = in_four.chain(in_six).collect();
    Some(Counted { four, six, countries: countries.len() })
}
