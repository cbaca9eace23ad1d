//! The rows of a folder laid together while nobody asks for them: a session that idles on a large
//! mailbox holds a third of what one that works does. Each number is told as its difference from
//! the row before, in groups of seven bits (LEB128).

use terms::Received;
use wire::mailbox::Row;

/// What is in the place of a row before the first.
fn none() -> Row {
    Row { uid: 0, flags: 0, modseq: 0, size: 0, received: Received::default() }
}

pub struct Folded {
    count: usize,
    octets: Box<[u8]>,
}

impl Folded {
    /// `rows` by their UIDs.
    pub fn of(rows: &[Row]) -> Self {
        let mut octets = Vec::new();
        let mut last = none();
        for row in rows {
            put(&mut octets, u64::from(row.uid.wrapping_sub(last.uid)));
            put(&mut octets, row.flags);
            put(&mut octets, difference(row.modseq, last.modseq));
            put(&mut octets, u64::from(row.size));
            put(&mut octets, difference(row.received.number(), last.received.number()));
            last = *row;
        }
        Self { count: rows.len(), octets: octets.into_boxed_slice() }
    }

    pub fn rows(&self) -> Vec<Row> {
        let mut octets = self.octets.iter().copied();
        let mut rows = Vec::with_capacity(self.count);
        let mut last = none();
        for _ in 0..self.count {
            last = Row {
                uid: last.uid.wrapping_add(take_short(&mut octets)),
                flags: take(&mut octets),
                modseq: sum(last.modseq, take(&mut octets)),
                size: take_short(&mut octets),
                received: Received::from_number(sum(last.received.number(), take(&mut octets))),
            };
            rows.push(last);
        }
        rows
    }
}

/// How far `to` lies from `from`, in either direction: small both ways.
fn difference(to: u64, from: u64) -> u64 {
    let far = to.wrapping_sub(from).cast_signed();
    (far << 1 ^ far >> 63).cast_unsigned()
}

fn sum(from: u64, difference: u64) -> u64 {
    let far = (difference >> 1).cast_signed() ^ -(difference & 1).cast_signed();
    from.wrapping_add(far.cast_unsigned())
}

fn put(octets: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        octets.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    octets.push(number.to_le_bytes()[0]);
}

fn take(octets: &mut impl Iterator<Item = u8>) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some(octet) = octets.next() else { break };
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    number
}

fn take_short(octets: &mut impl Iterator<Item = u8>) -> u32 {
    u32::try_from(take(octets)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Folded, none};
    use terms::Received;
    use wire::mailbox::Row;

    fn at(minute: u64) -> Received {
        Received::new(1_764_500_000_000 + minute * 60_000, 540)
    }

    #[test]
    fn what_is_folded_comes_back() {
        let highest = Row {
            uid: u32::MAX,
            flags: u64::MAX,
            modseq: u64::MAX,
            size: u32::MAX,
            received: Received::from_number(u64::MAX),
        };
        // Times and modseqs may go back, all may lie far apart.
        for rows in [
            vec![],
            vec![none()],
            vec![highest],
            vec![none(), highest, highest],
            vec![
                Row { uid: 7, flags: 1, modseq: 900, size: 4_096, received: at(0) },
                Row { uid: 9, flags: 0, modseq: 12, size: 0, received: Received::new(1, 540) },
                Row { uid: 2_000_000_000, flags: 1 << 63, modseq: u64::MAX, ..none() },
            ],
        ] {
            assert_eq!(Folded::of(&rows).rows(), rows);
        }
    }

    #[test]
    fn an_ordinary_row_takes_a_third() {
        let rows: Vec<Row> = (1..=1_000u32)
            .map(|uid| Row {
                uid,
                flags: 1,
                modseq: u64::from(uid) * 3,
                size: 4_000 + uid,
                received: at(u64::from(uid)),
            })
            .collect();
        let folded = Folded::of(&rows);
        assert!(folded.octets.len() * 3 <= rows.len() * size_of::<Row>());
    }
}
