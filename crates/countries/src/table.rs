//! The lists: one line a range, its columns between `|`.

/// Ranges in all: the five registries have some 400,000 together.
const RANGES: usize = 4_000_000;
/// Shown of a line that cannot be read.
const SHOWN: usize = 60;

/// Two letters (ISO 3166-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub [u8; 2]);

/// A line that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1 on.
    pub line: usize,
    pub expected: &'static str,
    pub found: String,
}

/// What was read so far: ranges with both their ends.
#[derive(Default)]
pub struct Table {
    pub(crate) four: Vec<(u32, u32, Country)>,
    /// The first 64 bits: nobody registers less.
    pub(crate) six: Vec<(u64, u64, Country)>,
}

impl Table {
    /// Takes one more list; how many of its ranges have a country.
    pub fn read(&mut self, text: &str) -> Result<usize, Wrong> {
        let before = self.len();
        let mut has_version = false;
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |expected| {
                let found = line.chars().take(SHOWN).collect();
                Wrong { line: place + 1, expected, found }
            };
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            match columns.as_slice() {
                // `2|apnic|20261130|…`: the version, the registry, and how many records there are.
                [version, _, _, _, ..] if !has_version => match version.split('.').next() {
                    Some("2") => has_version = true,
                    _ => return Err(wrong("the version first: 2|registry|…")),
                },
                [_, "*", _, "*", _, "summary", ..] => {}
                [_, country, kind, start, value, _, status, ..] => {
                    let record = (*country, *kind, *start, *value, *status);
                    self.take(record).map_err(wrong)?;
                }
                _ => return Err(wrong(EXPECTED)),
            }
            if self.len() > RANGES {
                return Err(wrong("4,000,000 ranges at most"));
            }
        }
        match has_version {
            true => Ok(self.len() - before),
            false => {
                let expected = "a list of a registry, beginning 2|registry|…";
                Err(Wrong { line: text.lines().count().max(1), expected, found: "its end".into() })
            }
        }
    }

    fn take(
        &mut self,
        (country, kind, start, value, status): (&str, &str, &str, &str, &str),
    ) -> Result<(), &'static str> {
        if !matches!(status, "allocated" | "assigned" | "available" | "reserved") {
            return Err("a status: allocated, assigned, available or reserved");
        }
        let is_held = matches!(status, "allocated" | "assigned");
        // What nobody has is nowhere, and neither is what is spread over the world.
        let country = match country.as_bytes() {
            [] | b"ZZ" => None,
            [one, other] if one.is_ascii_uppercase() && other.is_ascii_uppercase() => {
                Some(Country([*one, *other]))
            }
            _ => return Err("a country of two capital letters, or none"),
        };
        let country = country.filter(|_| is_held);
        match kind {
            "asn" => Ok(()),
            "ipv4" => {
                let start: std::net::Ipv4Addr =
                    start.parse().map_err(|_| "an address of version 4")?;
                let count: u32 = value.parse().map_err(|_| "a number of addresses")?;
                let start = start.to_bits();
                let end = count.checked_sub(1).and_then(|more| start.checked_add(more));
                let end = end.ok_or("a number of addresses that there are")?;
                self.four.extend(country.map(|country| (start, end, country)));
                Ok(())
            }
            "ipv6" => {
                let start: std::net::Ipv6Addr =
                    start.parse().map_err(|_| "an address of version 6")?;
                let length: u32 = value.parse().map_err(|_| "a prefix length from 1 to 128")?;
                if !(1..=128).contains(&length) {
                    return Err("a prefix length from 1 to 128");
                }
                let start = u64::try_from(start.to_bits() >> 64).unwrap_or_default();
                let rest = u64::MAX.checked_shr(length).unwrap_or_default();
                self.six.extend(country.map(|country| (start & !rest, start | rest, country)));
                Ok(())
            }
            _ => Err("asn, ipv4 or ipv6"),
        }
    }

    fn len(&self) -> usize {
        self.four.len() + self.six.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const EXPECTED: &str = "registry|country|asn, ipv4 or ipv6|start|value|date|status";
