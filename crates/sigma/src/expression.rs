//! Texts without which a regular expression matches nothing, so that it is not tried in vain: the
//! expressions here are weighed in linear time, and that is still the dearest thing that a rule
//! can ask of an event.
//!
//! What is not understood needs no text, which is always true.

/// Ways in which one stretch of an expression may be spelt.
const WAYS: usize = 32;
/// Groups in groups.
const DEPTH: usize = 16;

/// What a part of an expression matches.
struct Part {
    /// All that it matches, if that is little.
    exact: Option<Vec<String>>,
    /// One of these stands in whatever it matches.
    needed: Option<Vec<String>>,
}

impl Part {
    fn exact(ways: Vec<String>) -> Self {
        Self { exact: Some(ways), needed: None }
    }

    fn anything() -> Self {
        Self { exact: None, needed: None }
    }
}

/// Texts in small letters of which one stands in every value that the expression matches.
pub(crate) fn needed(expression: &str) -> Option<Vec<String>> {
    let letters: Vec<char> = expression.chars().collect();
    let mut reader = Reader { letters: &letters, at: 0 };
    let part = reader.either(0)?;
    let is_whole = reader.at == letters.len();
    let texts = better(part.exact, part.needed)?;
    (is_whole && texts.iter().all(|text| !text.is_empty())).then_some(texts)
}

/// The one whose shortest text is longer.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let worth = |texts: &Option<Vec<String>>| {
        texts.as_ref().and_then(|texts| texts.iter().map(String::len).min()).unwrap_or(0)
    };
    if worth(&one) >= worth(&other) { one.or(other) } else { other }
}

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn takes(&mut self, letter: char) -> bool {
        let is = self.peek() == Some(letter);
        self.at += usize::from(is);
        is
    }

    /// `a|b|c`, up to a closing bracket.
    fn either(&mut self, depth: usize) -> Option<Part> {
        let mut all = self.sequence(depth)?;
        while self.takes('|') {
            let other = self.sequence(depth)?;
            let needed = |part: &Part| better(part.exact.clone(), part.needed.clone());
            let both = needed(&all).zip(needed(&other)).map(|(one, other)| [one, other].concat());
            let exact = all.exact.zip(other.exact).map(|(one, other)| [one, other].concat());
            all = Part {
                exact: exact.filter(|ways| ways.len() <= WAYS),
                needed: both.filter(|ways| ways.len() <= WAYS),
            };
        }
        Some(all)
    }

    fn sequence(&mut self, depth: usize) -> Option<Part> {
        let (mut run, mut best, mut is_exact) = (vec![String::new()], None, true);
        while self.peek().is_some_and(|letter| !matches!(letter, '|' | ')')) {
            let part = self.part(depth)?;
            let (least, is_repeated) = self.repeated()?;
            let ways = part.exact.filter(|ways| least > 0 && ways.len() * run.len() <= WAYS);
            match ways {
                Some(ways) => {
                    let with = |start: &String| {
                        let start = start.clone();
                        ways.iter().map(move |way| format!("{start}{way}")).collect::<Vec<_>>()
                    };
                    run = run.iter().flat_map(with).collect();
                }
                None => {
                    let needed = part.needed.filter(|_| least > 0);
                    best = better(better(best, Some(std::mem::take(&mut run))), needed);
                    (run, is_exact) = (vec![String::new()], false);
                }
            }
            if is_repeated {
                best = better(best, Some(std::mem::take(&mut run)));
                (run, is_exact) = (vec![String::new()], false);
            }
        }
        let needed = better(best, Some(run.clone()));
        Some(Part { exact: is_exact.then_some(run), needed })
    }

    /// How often the part before is there at least, and whether it may be there more often.
    fn repeated(&mut self) -> Option<(usize, bool)> {
        let found = match self.peek() {
            Some('*' | '?') => {
                self.at += 1;
                (0, true)
            }
            Some('+') => {
                self.at += 1;
                (1, true)
            }
            Some('{') => {
                let rest = self.letters.get(self.at + 1..)?;
                let end = rest.iter().position(|letter| *letter == '}')?;
                let inside: String = rest.get(..end)?.iter().collect();
                self.at += end + 2;
                let least = inside.split(',').next().and_then(|least| least.trim().parse().ok())?;
                (least, true)
            }
            _ => return Some((1, false)),
        };
        self.takes('?');
        // A repetition of a repetition is left alone.
        (!self.is_repetition()).then_some(found)
    }

    fn is_repetition(&self) -> bool {
        matches!(self.peek(), Some('*' | '+' | '?' | '{'))
    }

    fn part(&mut self, depth: usize) -> Option<Part> {
        let letter = self.next()?;
        Some(match letter {
            '(' => {
                if self.takes('?') && !self.flags()? {
                    // A repetition after flags is one of what stood before them.
                    return (!self.is_repetition()).then(|| Part::exact(vec![String::new()]));
                }
                let inner = if depth < DEPTH { self.either(depth + 1)? } else { return None };
                if !self.takes(')') {
                    return None;
                }
                inner
            }
            '[' => {
                self.class()?;
                Part::anything()
            }
            '.' => Part::anything(),
            '^' | '$' => Part::exact(vec![String::new()]),
            '\\' => match self.next()? {
                'b' | 'B' | 'A' | 'z' => Part::exact(vec![String::new()]),
                'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' => Part::anything(),
                mark if mark.is_ascii_punctuation() => Part::exact(vec![mark.to_string()]),
                _ => return None,
            },
            letter => Part::exact(vec![letter.to_lowercase().collect()]),
        })
    }

    /// After `(?`. Whether a group follows, rather than flags for what comes after.
    fn flags(&mut self) -> Option<bool> {
        loop {
            match self.next()? {
                ':' => return Some(true),
                ')' => return Some(false),
                'i' | 'm' | 's' | '-' => {}
                _ => return None,
            }
        }
    }

    /// To the end of a class in square brackets.
    fn class(&mut self) -> Option<()> {
        self.takes('^');
        // A closing bracket that comes first stands for itself.
        self.takes(']');
        loop {
            match self.next()? {
                ']' => return Some(()),
                '\\' => drop(self.next()?),
                '[' => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::needed;
    use regex_lite::Regex;

    #[test]
    fn texts_that_an_expression_needs() {
        let check = |expression: &str, expected: &[&str]| {
            let mut found = needed(expression).unwrap_or_default();
            found.sort();
            assert_eq!(found, expected, "{expression}");
        };
        check("abc", &["abc"]);
        check("^ABC$", &["abc"]);
        check(r"x\.tar\.gz", &["x.tar.gz"]);
        check("ab+cd", &["ab"]);
        check("ab?cde", &["cde"]);
        check("a(b|c)d", &["abd", "acd"]);
        check("(lamp|oil)", &["lamp", "oil"]);
        check("lamp|oil", &["lamp", "oil"]);
        check("lamp|.", &[]);
        check("(.){200,}", &[]);
        check(r"\s-[OP]\s", &["-"]);
        check(r".*(-(W|R)( |;)(([0-9a-f]{2}) ){2,20}).*", &["-r ", "-r;", "-w ", "-w;"]);
        check(r"(?i)/lib/x3\.([5-9]|[0-9]{2})/oil/", &["/lib/x3."]);
        check("(-s|--size[=x])0", &["--size", "-s"]);
        check("ab{2}c", &["ab"]);
        check("ab+{0,1}c", &[]);
        check("(?:ab){2}c", &["ab"]);
        check("(ab)*c", &["c"]);
        check("[]a]bcd", &["bcd"]);
        check(r"[\]]bcd", &["bcd"]);
        check("(?x) a b", &[]);
        check(r"\x41bcd", &[]);
        check("", &[]);
        check("a{0}bc", &["bc"]);
    }

    /// Whatever matches has one of the texts.
    #[test]
    fn fuzz_needed_texts_stand_in_what_matches() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % below
        };
        let pieces = [
            "a", "b", "ab", "-", r"\.", ".", "[ab]", r"\s", "(", ")", "|", "*", "+", "?", "{2}",
            "{0,1}", "(?:", "^", "$", "B", "(?i)",
        ];
        let letters = ['a', 'b', 'A', 'B', '-', '.', ' '];
        let (mut tried, mut matched) = (0, 0);
        for _ in 0..60_000 {
            let expression: String = (0..1 + next(8)).map(|_| pieces[next(pieces.len())]).collect();
            let (Ok(regex), Some(texts)) = (Regex::new(&expression), needed(&expression)) else {
                continue;
            };
            tried += 1;
            for _ in 0..8 {
                let value: String = (0..next(9)).map(|_| letters[next(letters.len())]).collect();
                if regex.is_match(&value) {
                    matched += 1;
                    let small = value.to_lowercase();
                    let is_there = texts.iter().any(|text| small.contains(text.as_str()));
                    assert!(is_there, "{expression} matches {value:?}, needs {texts:?}");
                }
            }
        }
        assert!(tried > 5_000 && matched > 5_000, "{tried} {matched}");
    }
}
