//! The part of YAML in which Sigma rules are written: block maps and lists, flow lists of scalars,
//! plain, quoted and block scalars, comments. No anchors, tags, or maps in braces: a text with
//! those is refused.

use crate::Wrong;

/// The longest rule is 20 kB.
const TEXT_BYTES: usize = 256 * 1024;
/// Rules nest four deep.
const DEPTH: usize = 24;
const LINES: usize = 10_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Null,
    /// `true`: it stood in quotes or as a block, so that it is a text whatever it looks like.
    Text(String, bool),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }
}

/// Reads one document.
pub fn read(text: &str) -> Result<Node, Wrong> {
    if text.len() > TEXT_BYTES {
        return Err(Wrong::Beyond("256 KiB of text"));
    }
    let lines: Vec<Line> = text.lines().enumerate().map(|(at, line)| Line::new(at, line)).collect();
    if lines.len() > LINES {
        return Err(Wrong::Beyond("10,000 lines"));
    }
    one_document(&lines)?;
    let mut reader = Reader { lines, at: 0 };
    reader.skip_empty();
    let node = reader.block(0, 0)?;
    reader.skip_empty();
    match reader.lines.get(reader.at) {
        Some(line) => Err(line.wrong("something after the end of the rule")),
        None => Ok(node),
    }
}

/// A second document is a rule of its own, or weighs others together: nothing that may be read
/// as a part of the first.
fn one_document(lines: &[Line]) -> Result<(), Wrong> {
    let mut has_begun = false;
    let mut divider = None;
    for line in lines {
        match (line.raw.trim_end(), line.text.is_empty(), divider) {
            ("---", _, _) if has_begun => divider = Some(line),
            (_, false, Some(divider)) => return Err(divider.wrong("a second document")),
            (_, is_empty, _) => has_begun |= !is_empty,
        }
    }
    Ok(())
}

struct Line {
    number: usize,
    indent: usize,
    /// Without its indent and trailing blanks.
    text: String,
    raw: String,
}

impl Line {
    fn new(at: usize, raw: &str) -> Self {
        let text = raw.trim_start_matches(' ');
        let indent = raw.len() - text.len();
        let mut text = text.trim_end().to_owned();
        if (indent == 0 && matches!(text.as_str(), "---" | "...")) || text.starts_with('#') {
            text.clear();
        }
        Line { number: at + 1, indent, text, raw: raw.to_owned() }
    }

    fn wrong(&self, why: &'static str) -> Wrong {
        Wrong::Text { line: self.number, why }
    }
}

struct Reader {
    lines: Vec<Line>,
    at: usize,
}

impl Reader {
    fn skip_empty(&mut self) {
        while self.lines.get(self.at).is_some_and(|line| line.text.is_empty()) {
            self.at += 1;
        }
    }

    fn wrong(&self, why: &'static str) -> Wrong {
        let last = self.lines.last().map_or(0, |line| line.number);
        Wrong::Text { line: self.lines.get(self.at).map_or(last, |line| line.number), why }
    }

    /// What stands here at `indent` or deeper.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Node, Wrong> {
        if depth > DEPTH {
            return Err(Wrong::Beyond("24 levels"));
        }
        self.skip_empty();
        let Some(line) = self.lines.get(self.at).filter(|line| line.indent >= indent) else {
            return Ok(Node::Null);
        };
        if line.text.starts_with('\t') {
            return Err(line.wrong("a tab as indent"));
        }
        let own = line.indent;
        match (is_item(&line.text), split_key(&line.text).is_some()) {
            (true, _) => self.list(own, depth),
            (false, true) => self.map(own, depth),
            (false, false) => {
                let text = line.text.clone();
                self.at += 1;
                self.scalar(&text, own.saturating_sub(1))
            }
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Node, Wrong> {
        let mut items = Vec::new();
        loop {
            self.skip_empty();
            let Some(line) = self.lines.get_mut(self.at) else { break };
            if line.indent != indent || !is_item(&line.text) {
                break;
            }
            let rest = line.text.get(1..).unwrap_or_default();
            let text = rest.trim_start().to_owned();
            if text.is_empty() || text.starts_with('#') {
                self.at += 1;
                items.push(self.block(indent + 1, depth + 1)?);
            } else if is_item(&text) || split_key(&text).is_some() {
                // The item's own block begins on this very line.
                line.indent += 1 + rest.len() - text.len();
                line.text = text;
                items.push(self.block(indent + 1, depth + 1)?);
            } else {
                self.at += 1;
                items.push(self.scalar(&text, indent)?);
            }
        }
        self.ends_well(indent)?;
        Ok(Node::List(items))
    }

    fn map(&mut self, indent: usize, depth: usize) -> Result<Node, Wrong> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        loop {
            self.skip_empty();
            let Some(line) = self.lines.get(self.at) else { break };
            if line.indent != indent || is_item(&line.text) {
                break;
            }
            let Some((key, rest)) = split_key(&line.text) else {
                return Err(line.wrong("expected `key: value`"));
            };
            if pairs.iter().any(|(name, _)| *name == key) {
                return Err(line.wrong("a key for the second time"));
            }
            let rest = rest.to_owned();
            self.at += 1;
            let node = if rest.is_empty() || rest.starts_with('#') {
                self.below_key(indent, depth)?
            } else {
                self.scalar(&rest, indent)?
            };
            pairs.push((key, node));
        }
        self.ends_well(indent)?;
        Ok(Node::Map(pairs))
    }

    /// A list may stand at its key's own indent.
    fn below_key(&mut self, indent: usize, depth: usize) -> Result<Node, Wrong> {
        self.skip_empty();
        match self.lines.get(self.at) {
            Some(line) if line.indent == indent && is_item(&line.text) => {
                self.list(indent, depth + 1)
            }
            Some(line) if line.indent > indent => self.block(indent + 1, depth + 1),
            _ => Ok(Node::Null),
        }
    }

    fn ends_well(&mut self, indent: usize) -> Result<(), Wrong> {
        self.skip_empty();
        match self.lines.get(self.at) {
            Some(line) if line.indent > indent => Err(line.wrong("an indent of its own")),
            _ => Ok(()),
        }
    }

    /// A value that begins with `text`; lines deeper than `indent` may belong to it.
    fn scalar(&mut self, text: &str, indent: usize) -> Result<Node, Wrong> {
        match text.chars().next() {
            Some('|' | '>') => self.block_scalar(text, indent),
            Some(quote @ ('\'' | '"')) => {
                let (whole, end) = self.quoted(text, quote)?;
                let after = whole.get(end + 1..).unwrap_or_default().trim();
                if !after.is_empty() && !after.starts_with('#') {
                    return Err(self.wrong("something after a closing quote"));
                }
                let inner = whole.get(1..end).unwrap_or_default();
                Ok(Node::Text(unquoted(inner, quote).ok_or(self.wrong("an escape"))?, true))
            }
            Some('[') => self.flow(text),
            Some('&' | '*' | '!' | '%' | '@' | '`' | '{') => {
                Err(self.wrong("an anchor, a tag or a map in braces"))
            }
            _ => self.plain(text, indent),
        }
    }

    /// A quoted text with all its lines, and where it is closed. Each line is looked at once.
    fn quoted(&mut self, text: &str, quote: char) -> Result<(String, usize), Wrong> {
        let (mut whole, mut seen) = (text.to_owned(), 1);
        loop {
            if let Some(end) = closing_after(&whole, seen, quote) {
                return Ok((whole, end));
            }
            let Some(line) = self.lines.get(self.at) else {
                return Err(self.wrong("a quote that is never closed"));
            };
            // A backslash at a line's end escapes what is put between it and the next.
            let backslashes = whole.len() - whole.trim_end_matches('\\').len();
            seen = whole.len() + usize::from(quote == '"' && backslashes % 2 == 1);
            whole.push(if line.text.is_empty() { '\n' } else { ' ' });
            whole.push_str(line.raw.trim());
            self.at += 1;
        }
    }

    fn plain(&mut self, text: &str, indent: usize) -> Result<Node, Wrong> {
        let mut whole = uncommented(text).to_owned();
        let is_cut = whole.len() < text.len();
        while !is_cut
            && let Some(line) = self.lines.get(self.at)
            && line.indent > indent
            && !line.text.is_empty()
        {
            if split_key(&line.text).is_some() {
                return Err(line.wrong("a key within a text"));
            }
            whole.push(' ');
            whole.push_str(uncommented(&line.text));
            self.at += 1;
        }
        Ok(match whole.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Node::Null,
            _ => Node::Text(whole, false),
        })
    }

    fn block_scalar(&mut self, text: &str, indent: usize) -> Result<Node, Wrong> {
        let head = uncommented(text);
        if !matches!(head, "|" | "|-" | "|+" | ">" | ">-" | ">+") {
            return Err(self.wrong("a block scalar of another kind"));
        }
        let mut lines = Vec::new();
        let mut own = None;
        while let Some(line) = self.lines.get(self.at) {
            let is_blank = line.raw.trim().is_empty();
            if !is_blank && line.indent <= indent {
                break;
            }
            let own = *own.get_or_insert(line.indent);
            lines.push(line.raw.get(own..).unwrap_or_default().trim_end());
            self.at += 1;
        }
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        let between = if head.starts_with('|') { "\n" } else { " " };
        Ok(Node::Text(lines.join(between), true))
    }

    /// `[a, 'b']`, on one line or more.
    fn flow(&mut self, text: &str) -> Result<Node, Wrong> {
        let mut whole = uncommented(text).to_owned();
        while !whole.ends_with(']') {
            let Some(line) = self.lines.get(self.at) else {
                return Err(self.wrong("a list that is never closed"));
            };
            whole.push(' ');
            whole.push_str(uncommented(&line.text));
            self.at += 1;
        }
        let inner = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let mut rest = inner.unwrap_or_default().trim();
        let mut items = Vec::new();
        while !rest.is_empty() {
            let (item, after) = match rest.chars().next() {
                Some(quote @ ('\'' | '"')) => {
                    let end = closing(rest, quote).ok_or(self.wrong("a quote in a list"))?;
                    let inner = rest.get(1..end).unwrap_or_default();
                    let text = unquoted(inner, quote).ok_or(self.wrong("an escape"))?;
                    (Node::Text(text, true), rest.get(end + 1..).unwrap_or_default())
                }
                Some('[' | '{') => return Err(self.wrong("a list in a list")),
                _ => {
                    let (item, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                    (Node::Text(item.trim().to_owned(), false), after)
                }
            };
            items.push(item);
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => "",
                None => return Err(self.wrong("expected a comma")),
            };
        }
        Ok(Node::List(items))
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// `key: rest`; the key plain or in quotes.
fn split_key(text: &str) -> Option<(String, &str)> {
    let (key, rest) = match text.chars().next()? {
        quote @ ('\'' | '"') => {
            let end = closing(text, quote)?;
            (unquoted(text.get(1..end)?, quote)?, text.get(end + 1..)?)
        }
        '[' | '{' | '#' | '|' | '>' => return None,
        _ => {
            let end = text.find(": ").or_else(|| text.strip_suffix(':').map(str::len))?;
            if text.get(..end)?.contains(" #") {
                return None;
            }
            (text.get(..end)?.trim_end().to_owned(), text.get(end..)?)
        }
    };
    let rest = rest.strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (key, rest.trim_start()))
}

/// Where the quote that `text` begins with is closed.
fn closing(text: &str, quote: char) -> Option<usize> {
    closing_after(text, 1, quote)
}

/// As [`closing`], from the octet `seen` on.
fn closing_after(text: &str, seen: usize, quote: char) -> Option<usize> {
    let mut letters = text.get(seen..)?.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && quote == '"' {
            letters.next();
        } else if letter == quote {
            let is_doubled = quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == '\'');
            if !is_doubled {
                return Some(seen + at);
            }
            letters.next();
        }
    }
    None
}

fn unquoted(inner: &str, quote: char) -> Option<String> {
    if quote == '\'' {
        return Some(inner.replace("''", "'"));
    }
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        let plain = if letter == '\\' { escaped(&mut letters)? } else { letter };
        out.push(plain);
    }
    Some(out)
}

fn escaped(letters: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match letters.next()? {
        '\\' => '\\',
        '"' => '"',
        '/' => '/',
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'e' => '\u{1b}',
        'x' => return hexadecimal(letters, 2),
        'u' => return hexadecimal(letters, 4),
        _ => return None,
    })
}

fn hexadecimal(letters: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let digits: String = letters.by_ref().take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

/// Without the comment at its end.
fn uncommented(text: &str) -> &str {
    let end = text.find(" #").unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_end()
}
