//! Responses as octets. RFC 3501 §7; every function appends whole lines or whole data items.

use crate::command::StatusItem;
use crate::date::Moment;
use crate::fetch::{Section, SectionText};
use crate::flags::Flags;
use crate::limit::{PIECE_BYTES, QUOTED_BYTES};
use crate::search::Results;
use crate::sequence::write_numbers;
use crate::utf7::encode_utf7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl Condition {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::Preauth => "PREAUTH",
        }
    }
}

/// A response code, the part in brackets. RFC 3501 §7.1, RFC 5530 and the extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code<'a> {
    /// One that is only a word: `ALERT`, `READ-ONLY`, `TRYCREATE`, `UNAVAILABLE`, `OVERQUOTA`…
    Word(&'static str),
    Capability(&'a [&'a str]),
    /// What a client may set for good; `any` allows new keywords.
    PermanentFlags {
        system: Flags,
        keywords: &'a [&'a str],
        any: bool,
    },
    UidNext(u32),
    UidValidity(u32),
    Unseen(u32),
    HighestModSeq(u64),
    AppendUid {
        validity: u32,
        uid: u32,
    },
    CopyUid {
        validity: u32,
        from: &'a [u32],
        to: &'a [u32],
    },
    Modified(&'a [u32]),
    BadCharset(&'a [&'a str]),
}

/// What a SEARCH found, for both kinds of response.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub tag: &'a str,
    pub uid: bool,
    /// Ascending.
    pub numbers: &'a [u32],
    /// The highest mod-sequence among them, when MODSEQ was asked for and something was found.
    pub mod_seq: Option<u64>,
}

/// Appends responses to a buffer of the caller.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    pub fn tagged(&mut self, tag: &str, how: Condition, code: Option<Code>, text: &str) {
        self.text(tag);
        self.condition(how, code, text);
    }

    pub fn untagged(&mut self, how: Condition, code: Option<Code>, text: &str) {
        self.text("*");
        self.condition(how, code, text);
    }

    /// `+ text`: go on.
    pub fn go_on(&mut self, text: &str) {
        self.text("+ ");
        self.line(text);
    }

    pub fn capability(&mut self, names: &[&str]) {
        self.text("* CAPABILITY");
        self.words(names);
        self.end();
    }

    pub fn enabled(&mut self, names: &[&str]) {
        self.text("* ENABLED");
        self.words(names);
        self.end();
    }

    pub fn flags(&mut self, system: Flags, keywords: &[&str]) {
        self.text("* FLAGS ");
        flag_list(self.out, system, keywords.iter().copied());
        self.end();
    }

    pub fn exists(&mut self, count: u32) {
        self.counted(count, " EXISTS");
    }

    pub fn recent(&mut self, count: u32) {
        self.counted(count, " RECENT");
    }

    pub fn expunge(&mut self, number: u32) {
        self.counted(number, " EXPUNGE");
    }

    /// `attributes` with their backslashes; `separator` `None` for a flat name.
    pub fn list(&mut self, attributes: &[&str], separator: Option<u8>, name: &str) {
        self.text("* LIST (");
        self.listed(attributes, separator, name);
    }

    pub fn lsub(&mut self, attributes: &[&str], separator: Option<u8>, name: &str) {
        self.text("* LSUB (");
        self.listed(attributes, separator, name);
    }

    pub fn status(&mut self, folder: &str, items: &[(StatusItem, u64)]) {
        self.text("* STATUS ");
        folder_name(self.out, folder);
        self.text(" (");
        for (at, (item, value)) in items.iter().enumerate() {
            self.gap(at);
            self.text(item.word());
            self.out.push(b' ');
            decimal(self.out, *value);
        }
        self.line(")");
    }

    /// The plain SEARCH response; empty results are said too.
    pub fn search(&mut self, found: &Found) {
        self.text("* SEARCH");
        for number in found.numbers {
            self.out.push(b' ');
            decimal(self.out, u64::from(*number));
        }
        if let (Some(value), false) = (found.mod_seq, found.numbers.is_empty()) {
            self.text(" (MODSEQ ");
            decimal(self.out, value);
            self.out.push(b')');
        }
        self.end();
    }

    /// RFC 4731 §3.1: MIN, MAX and ALL are left out when nothing was found.
    pub fn esearch(&mut self, found: &Found, wanted: Results) {
        self.text("* ESEARCH (TAG ");
        string(self.out, found.tag.as_bytes());
        self.text(if found.uid { ") UID" } else { ")" });
        if let (true, Some(first)) = (wanted.min, found.numbers.first()) {
            self.text(" MIN ");
            decimal(self.out, u64::from(*first));
        }
        if let (true, Some(last)) = (wanted.max, found.numbers.last()) {
            self.text(" MAX ");
            decimal(self.out, u64::from(*last));
        }
        if wanted.count {
            self.text(" COUNT ");
            decimal(self.out, found.numbers.len() as u64);
        }
        if wanted.all && !found.numbers.is_empty() {
            self.text(" ALL ");
            write_numbers(found.numbers.iter().copied(), self.out);
        }
        if let (Some(value), false) = (found.mod_seq, found.numbers.is_empty()) {
            self.text(" MODSEQ ");
            decimal(self.out, value);
        }
        self.end();
    }

    /// One personal namespace, none of other users, none shared. RFC 2342.
    pub fn namespace(&mut self, separator: u8) {
        self.text("* NAMESPACE ((\"\" \"");
        self.out.push(separator);
        self.line("\")) NIL NIL");
    }

    /// `used` and `limit` in units of 1,024 octets. RFC 2087 §5.1.
    pub fn quota(&mut self, root: &str, used: u64, limit: u64) {
        self.text("* QUOTA ");
        string(self.out, root.as_bytes());
        self.text(" (STORAGE ");
        decimal(self.out, used);
        self.out.push(b' ');
        decimal(self.out, limit);
        self.line(")");
    }

    pub fn quota_root(&mut self, folder: &str, root: &str) {
        self.text("* QUOTAROOT ");
        folder_name(self.out, folder);
        self.out.push(b' ');
        string(self.out, root.as_bytes());
        self.end();
    }

    pub fn id(&mut self, pairs: &[(&str, &str)]) {
        self.text("* ID ");
        for (at, (field, value)) in pairs.iter().enumerate() {
            self.out.push(if at == 0 { b'(' } else { b' ' });
            string(self.out, field.as_bytes());
            self.out.push(b' ');
            string(self.out, value.as_bytes());
        }
        self.line(if pairs.is_empty() { "NIL" } else { ")" });
    }

    /// Begins `* n FETCH (`; the line ends with `FetchLine::end`.
    pub fn fetch(&mut self, number: u32) -> FetchLine<'_> {
        self.text("* ");
        decimal(self.out, u64::from(number));
        self.text(" FETCH (");
        FetchLine { out: self.out, first: true }
    }

    fn condition(&mut self, how: Condition, code: Option<Code>, text: &str) {
        self.out.push(b' ');
        self.text(how.word());
        self.out.push(b' ');
        if let Some(code) = code {
            self.out.push(b'[');
            self.code(code);
            self.text("] ");
        }
        // resp-text is one line of at least one character.
        for octet in text.bytes() {
            self.out.push(if (b' '..=b'~').contains(&octet) { octet } else { b'?' });
        }
        self.line(if text.is_empty() { "-" } else { "" });
    }

    fn code(&mut self, code: Code) {
        match code {
            Code::Word(word) => self.text(word),
            Code::Capability(names) => {
                self.text("CAPABILITY");
                self.words(names);
            }
            Code::PermanentFlags { system, keywords, any } => {
                self.text("PERMANENTFLAGS ");
                flag_list(self.out, system, keywords.iter().copied().chain(any.then_some("\\*")));
            }
            Code::UidNext(value) => self.numbered("UIDNEXT ", u64::from(value)),
            Code::UidValidity(value) => self.numbered("UIDVALIDITY ", u64::from(value)),
            Code::Unseen(value) => self.numbered("UNSEEN ", u64::from(value)),
            Code::HighestModSeq(value) => self.numbered("HIGHESTMODSEQ ", value),
            Code::AppendUid { validity, uid } => {
                self.numbered("APPENDUID ", u64::from(validity));
                self.numbered(" ", u64::from(uid));
            }
            Code::CopyUid { validity, from, to } => {
                self.numbered("COPYUID ", u64::from(validity));
                self.out.push(b' ');
                write_numbers(from.iter().copied(), self.out);
                self.out.push(b' ');
                write_numbers(to.iter().copied(), self.out);
            }
            Code::Modified(numbers) => {
                self.text("MODIFIED ");
                write_numbers(numbers.iter().copied(), self.out);
            }
            Code::BadCharset(names) => {
                self.text("BADCHARSET (");
                for (at, name) in names.iter().enumerate() {
                    self.gap(at);
                    self.text(name);
                }
                self.out.push(b')');
            }
        }
    }

    fn listed(&mut self, attributes: &[&str], separator: Option<u8>, name: &str) {
        for (at, attribute) in attributes.iter().enumerate() {
            self.gap(at);
            self.text(attribute);
        }
        match separator {
            Some(separator) => {
                self.text(") \"");
                self.out.push(separator);
                self.text("\" ");
            }
            None => self.text(") NIL "),
        }
        folder_name(self.out, name);
        self.end();
    }

    fn counted(&mut self, number: u32, what: &str) {
        self.text("* ");
        decimal(self.out, u64::from(number));
        self.line(what);
    }

    fn numbered(&mut self, what: &str, number: u64) {
        self.text(what);
        decimal(self.out, number);
    }

    fn words(&mut self, names: &[&str]) {
        for name in names {
            self.out.push(b' ');
            self.text(name);
        }
    }

    fn gap(&mut self, at: usize) {
        if at > 0 {
            self.out.push(b' ');
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn line(&mut self, text: &str) {
        self.text(text);
        self.end();
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// The data items of one message.
pub struct FetchLine<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl FetchLine<'_> {
    pub fn flags<'k>(&mut self, system: Flags, keywords: impl IntoIterator<Item = &'k str>) {
        self.item("FLAGS ");
        flag_list(self.out, system, keywords);
    }

    pub fn uid(&mut self, uid: u32) {
        self.item("UID ");
        decimal(self.out, u64::from(uid));
    }

    pub fn internal_date(&mut self, date: Moment) {
        self.item("INTERNALDATE ");
        date.write(self.out);
    }

    pub fn size(&mut self, octets: u64) {
        self.item("RFC822.SIZE ");
        decimal(self.out, octets);
    }

    pub fn mod_seq(&mut self, value: u64) {
        self.item("MODSEQ (");
        decimal(self.out, value);
        self.out.push(b')');
    }

    /// ENVELOPE, BODY or BODYSTRUCTURE as it was made ready when the message was taken apart.
    pub fn prepared(&mut self, name: &str, value: &[u8]) {
        self.item(name);
        self.out.push(b' ');
        self.out.extend_from_slice(value);
    }

    /// `label` is `RFC822`, `RFC822.HEADER`, `RFC822.TEXT` or what `section_label` made; `None`
    /// when the part does not exist.
    pub fn octets(&mut self, label: &str, octets: Option<&[u8]>) {
        self.item(label);
        self.out.push(b' ');
        match octets {
            Some(octets) => literal(self.out, octets),
            None => self.out.extend_from_slice(b"NIL"),
        }
    }

    /// As `octets`, for large ones: whenever a piece stands in the buffer, `drain` may send it.
    pub fn octets_in_pieces<E>(
        &mut self,
        label: &str,
        octets: &[u8],
        drain: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.item(label);
        self.out.extend_from_slice(b" {");
        decimal(self.out, octets.len() as u64);
        self.out.extend_from_slice(b"}\r\n");
        for piece in octets.chunks(PIECE_BYTES) {
            self.out.extend_from_slice(piece);
            drain(self.out)?;
        }
        Ok(())
    }

    pub fn end(self) {
        self.out.extend_from_slice(b")\r\n");
    }

    fn item(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(name.as_bytes());
    }
}

/// `BODY[1.HEADER.FIELDS (DATE)]<0>`: the section as asked, and where a part of it begins.
pub fn section_label(section: &Section, origin: Option<u32>) -> String {
    let spec = section_spec(section);
    match origin {
        Some(origin) => format!("BODY[{spec}]<{origin}>"),
        None => format!("BODY[{spec}]"),
    }
}

/// What stands between the brackets.
pub fn section_spec(section: &Section) -> String {
    let mut spec = String::new();
    for (at, number) in section.part.iter().enumerate() {
        spec.push_str(if at == 0 { "" } else { "." });
        spec.push_str(&number.to_string());
    }
    let (word, names) = match &section.text {
        SectionText::All => ("", None),
        SectionText::Header => ("HEADER", None),
        SectionText::Text => ("TEXT", None),
        SectionText::Mime => ("MIME", None),
        SectionText::HeaderFields(names) => ("HEADER.FIELDS", Some(names)),
        SectionText::HeaderFieldsNot(names) => ("HEADER.FIELDS.NOT", Some(names)),
    };
    if !section.part.is_empty() && !word.is_empty() {
        spec.push('.');
    }
    spec.push_str(word);
    for (at, name) in names.into_iter().flatten().enumerate() {
        spec.push_str(if at == 0 { " (" } else { " " });
        field_name(name, &mut spec);
    }
    spec.push_str(if names.is_some() { ")" } else { "" });
    spec
}

/// An odd but legal field name such as `X(y)` has to be quoted.
fn field_name(name: &str, label: &mut String) {
    if name.bytes().all(crate::words::is_astring) {
        label.push_str(name);
        return;
    }
    label.push('"');
    for letter in name.chars() {
        if matches!(letter, '"' | '\\') {
            label.push('\\');
        }
        label.push(letter);
    }
    label.push('"');
}

fn flag_list<'k>(out: &mut Vec<u8>, system: Flags, keywords: impl IntoIterator<Item = &'k str>) {
    out.push(b'(');
    let start = out.len();
    for (flag, word) in Flags::WORDS {
        if system.has(flag) {
            if out.len() > start {
                out.push(b' ');
            }
            out.extend_from_slice(word.as_bytes());
        }
    }
    for keyword in keywords {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(keyword.as_bytes());
    }
    out.push(b')');
}

/// A folder's name in modified UTF-7, quoted.
pub(crate) fn folder_name(out: &mut Vec<u8>, name: &str) {
    let mut coded = Vec::with_capacity(name.len());
    encode_utf7(name, &mut coded);
    string(out, &coded);
}

/// Quoted where RFC 3501 §9 allows it, else a literal. NUL, which neither may hold, is left out.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    let plain = text.len() <= QUOTED_BYTES
        && text.iter().all(|octet| octet.is_ascii() && !matches!(octet, 0 | b'\r' | b'\n'));
    if !plain {
        if text.contains(&0) {
            let kept: Vec<u8> = text.iter().copied().filter(|octet| *octet != 0).collect();
            return literal(out, &kept);
        }
        return literal(out, text);
    }
    out.push(b'"');
    for octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
}

fn literal(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(b'{');
    decimal(out, octets.len() as u64);
    out.extend_from_slice(b"}\r\n");
    out.extend_from_slice(octets);
}

/// Decimal digits without a detour through `fmt`: 100,000 FETCH lines are made of these.
pub(crate) fn decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut rest = value;
    let mut count = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}
