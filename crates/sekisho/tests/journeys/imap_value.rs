//! A response of IMAP as values: atoms, strings, lists. Patterns are read in the same way.

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Atom(String),
    Text(String),
    List(Vec<Value>),
    /// Only in patterns, `{a b}`: a list that has at least these.
    Has(Vec<Value>),
}

impl Value {
    pub fn text(&self) -> String {
        match self {
            Self::Atom(text) | Self::Text(text) => text.clone(),
            Self::List(values) | Self::Has(values) => {
                values.iter().map(Self::text).collect::<Vec<_>>().join(" ")
            }
        }
    }

    pub fn is(&self, word: &str) -> bool {
        match self {
            Self::Atom(text) | Self::Text(text) => text.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    pub fn number(&self) -> Option<u64> {
        self.text().parse().ok()
    }
}

/// In a pattern, `\n` in a string is a whole line end.
pub fn parse(octets: &[u8], pattern: bool) -> Vec<Value> {
    let mut at = 0;
    list(octets, &mut at, pattern, None)
}

fn list(octets: &[u8], at: &mut usize, pattern: bool, end: Option<u8>) -> Vec<Value> {
    let mut values = Vec::new();
    while let Some(octet) = octets.get(*at).copied() {
        *at += 1;
        match octet {
            b' ' | b'\r' | b'\n' => {}
            _ if Some(octet) == end => return values,
            b'(' => values.push(Value::List(list(octets, at, pattern, Some(b')')))),
            b'[' => values.push(Value::List(list(octets, at, pattern, Some(b']')))),
            b'{' if pattern => values.push(Value::Has(list(octets, at, pattern, Some(b'}')))),
            b'{' => values.push(literal(octets, at)),
            b'"' => values.push(quoted(octets, at, pattern)),
            _ => {
                *at -= 1;
                values.push(atom(octets, at));
            }
        }
    }
    values
}

fn quoted(octets: &[u8], at: &mut usize, pattern: bool) -> Value {
    let mut text = Vec::new();
    while let Some(octet) = octets.get(*at).copied() {
        *at += 1;
        match octet {
            b'"' => break,
            b'\\' => {
                let next = octets[*at];
                *at += 1;
                match next {
                    b'n' if pattern => text.extend_from_slice(b"\r\n"),
                    next => text.push(next),
                }
            }
            octet => text.push(octet),
        }
    }
    Value::Text(String::from_utf8_lossy(&text).into_owned())
}

fn literal(octets: &[u8], at: &mut usize) -> Value {
    let end = octets[*at..].iter().position(|octet| *octet == b'}').unwrap() + *at;
    let size: usize = std::str::from_utf8(&octets[*at..end]).unwrap().parse().unwrap();
    let start = end + 3;
    *at = start + size;
    // The line's own end may have been taken off a literal that is its last word.
    let text = &octets[start.min(octets.len())..(start + size).min(octets.len())];
    Value::Text(String::from_utf8_lossy(text).into_owned())
}

/// `BODY[HEADER.FIELDS (FROM)]<0>` is one atom.
fn atom(octets: &[u8], at: &mut usize) -> Value {
    let start = *at;
    let mut brackets = 0;
    while let Some(octet) = octets.get(*at) {
        match octet {
            b'[' => brackets += 1,
            b']' if brackets > 0 => brackets -= 1,
            b' ' | b'(' | b')' | b']' | b'}' | b'\r' if brackets == 0 => break,
            _ => {}
        }
        *at += 1;
    }
    if *at == start {
        *at += 1; // never stands still
    }
    Value::Atom(String::from_utf8_lossy(&octets[start..*at]).into_owned())
}
