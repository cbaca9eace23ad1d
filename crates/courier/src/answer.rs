//! What a remote answers: a code, perhaps an enhanced code, and words. Bounded, and nobody's
//! words reach a line of ours unwashed.

/// RFC 5321 §4.5.3.1.5 says 512 octets; some remotes say more.
const LINE_BYTES: usize = 4_096;
/// Lines of one answer: EHLO of the richest server has some thirty.
const LINES: usize = 200;
/// Words kept of one answer, for the notice that quotes it.
const TEXT_BYTES: usize = 1_024;
const ESCAPE: u8 = 0x1B;

/// One whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    /// RFC 3463, where the answer begins with one that fits its code.
    pub enhanced: Option<(u8, u16, u16)>,
    /// The lines without their codes, printable, in order; cut at a bound.
    pub lines: Vec<String>,
}

impl Answer {
    pub fn is_positive(&self) -> bool {
        matches!(self.code, 200..=299)
    }

    pub fn is_lasting(&self) -> bool {
        matches!(self.code, 500..=599)
    }

    /// The enhanced code, or the one that the basic code stands for.
    pub fn status(&self) -> (u8, u16, u16) {
        let class = u8::try_from(self.code / 100).unwrap_or(4).clamp(2, 5);
        self.enhanced.unwrap_or((class, 0, 0))
    }

    /// As it is quoted in a notice (RFC 3464 §2.3.6): one line, its enhanced code once.
    pub fn quoted(&self) -> String {
        let mut text = self.code.to_string();
        if let Some((class, subject, detail)) = self.enhanced {
            text.push_str(&format!(" {class}.{subject}.{detail}"));
        }
        for line in &self.lines {
            text.push(' ');
            text.push_str(line);
        }
        text
    }
}

/// Why what came is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A line that does not begin with a code.
    NoCode,
    /// Lines of one answer with different codes.
    CodesDiffer,
    LineTooLong,
    TooManyLines,
}

/// Octets in, answers out.
#[derive(Default)]
pub struct Answers {
    buffer: Vec<u8>,
    /// Without their codes, as they came.
    lines: Vec<Vec<u8>>,
    code: Option<u16>,
    enhanced: Option<(u8, u16, u16)>,
    kept: usize,
}

impl Answers {
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Whether anything is here that was not asked for.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty() || !self.lines.is_empty()
    }

    /// The next whole answer, if it is here. Lines end with LF, and a CR before it belongs to the
    /// end: here leniency cannot change what is meant.
    pub fn next(&mut self) -> Result<Option<Answer>, Malformed> {
        while let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
            if end > LINE_BYTES {
                return Err(Malformed::LineTooLong);
            }
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(answer) = self.line(line)? {
                return Ok(Some(answer));
            }
        }
        if self.buffer.len() > LINE_BYTES { Err(Malformed::LineTooLong) } else { Ok(None) }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Answer>, Malformed> {
        let code = line.get(..3).and_then(code_of).ok_or(Malformed::NoCode)?;
        let (is_last, words) = match line.get(3) {
            None => (true, &[] as &[u8]),
            Some(b' ') => (true, line.get(4..).unwrap_or(&[])),
            Some(b'-') => (false, line.get(4..).unwrap_or(&[])),
            Some(_) => return Err(Malformed::NoCode),
        };
        if *self.code.get_or_insert(code) != code {
            return Err(Malformed::CodesDiffer);
        }
        if self.lines.len() >= LINES {
            return Err(Malformed::TooManyLines);
        }
        let (enhanced, words) = enhanced_of(words, code);
        self.enhanced = self.enhanced.or(enhanced);
        let words = words.get(..TEXT_BYTES.saturating_sub(self.kept)).unwrap_or(words);
        self.kept += words.len();
        self.lines.push(words.to_vec());
        if !is_last {
            return Ok(None);
        }
        self.kept = 0;
        let (lines, enhanced) = (readable(&std::mem::take(&mut self.lines)), self.enhanced.take());
        Ok(self.code.take().map(|code| Answer { code, enhanced, lines }))
    }
}

fn code_of(digits: &[u8]) -> Option<u16> {
    let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = digits else {
        return None;
    };
    let value = |digit: &u8| u16::from(digit - b'0');
    Some(value(first) * 100 + value(second) * 10 + value(third))
}

/// `5.1.1 words`: the code must be of the answer's class (RFC 2034 §4).
fn enhanced_of(words: &[u8], code: u16) -> (Option<(u8, u16, u16)>, &[u8]) {
    let end = words.iter().position(|octet| *octet == b' ').unwrap_or(words.len());
    let read = || {
        let text = std::str::from_utf8(words.get(..end)?).ok()?;
        let mut parts = text.split('.');
        let number = |part: Option<&str>| -> Option<u16> {
            let part = part.filter(|part| (1..=3).contains(&part.len()))?;
            part.bytes().all(|octet| octet.is_ascii_digit()).then(|| part.parse().ok()).flatten()
        };
        let class = number(parts.next())?;
        let (subject, detail) = (number(parts.next())?, number(parts.next())?);
        let fits = parts.next().is_none() && class == code / 100;
        fits.then_some((u8::try_from(class).ok()?, subject, detail))
    };
    match read() {
        Some(enhanced) => (Some(enhanced), words.get(end + 1..).unwrap_or(&[])),
        None => (None, words),
    }
}

/// The words of one answer, at most [`TEXT_BYTES`] of them. Only UTF-8 may be said (RFC 6531
/// §3.7.4.2); servers in Japan say Shift_JIS, EUC-JP and ISO-2022-JP all the same. In which, all
/// lines together tell: one alone is often too short.
fn readable(lines: &[Vec<u8>]) -> Vec<String> {
    let said: Vec<&[u8]> =
        lines.iter().map(Vec::as_slice).filter(|line| !line.is_empty()).collect();
    let together = said.join(&b'\n');
    let is_utf8 = match std::str::from_utf8(&together) {
        // Every escape of ISO-2022-JP stands in ASCII.
        Ok(_) => !together.contains(&ESCAPE),
        // Our own bound may have cut its last letter.
        Err(error) => error.error_len().is_none() && together.len() >= TEXT_BYTES,
    };
    let charset = (!is_utf8).then(|| mime::decode_charset(None, &together).charset);
    let mut room = TEXT_BYTES;
    let line = |octets: &Vec<u8>| {
        let text = match charset {
            None => String::from_utf8_lossy(octets).into_owned(),
            said => mime::decode_charset(said, octets).text,
        };
        let text = washed(&text, room);
        room -= text.len();
        text
    };
    lines.iter().map(line).collect()
}

/// Printable, at most `room` octets: what has no meaning becomes `?`.
fn washed(text: &str, room: usize) -> String {
    let mut clean = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() || letter == '\u{fffd}' { '?' } else { letter };
        if clean.len() + letter.len_utf8() > room {
            break;
        }
        clean.push(letter);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::{Answer, Answers, Malformed};

    fn read(octets: &[u8]) -> Result<Option<Answer>, Malformed> {
        let mut answers = Answers::default();
        answers.feed(octets);
        answers.next()
    }

    #[test]
    fn answers_as_remotes_write_them() {
        let check = |octets: &str, code: u16, status: (u8, u16, u16), quoted: &str| {
            let answer = read(octets.as_bytes()).unwrap().unwrap();
            assert_eq!((answer.code, answer.status()), (code, status), "{octets:?}");
            assert_eq!(answer.quoted(), quoted);
        };
        check("250 2.0.0 OK\r\n", 250, (2, 0, 0), "250 2.0.0 OK");
        check("250\r\n", 250, (2, 0, 0), "250 ");
        check("550 5.1.1 nobody\n", 550, (5, 1, 1), "550 5.1.1 nobody");
        check("550-5.7.1 see\r\n550 5.7.1 there\r\n", 550, (5, 7, 1), "550 5.7.1 see there");
        check("451 5.7.1 another class\r\n", 451, (4, 0, 0), "451 5.7.1 another class");
        check("250 1.2 x\r\n", 250, (2, 0, 0), "250 1.2 x");
        check("250 2.1.0000 x\r\n", 250, (2, 0, 0), "250 2.1.0000 x");
        check("550 受信者がいません\r\n", 550, (5, 0, 0), "550 受信者がいません");
        check("550 a\x07b\x1b[2J\r\n", 550, (5, 0, 0), "550 a?b?[2J");
    }

    #[test]
    fn words_in_the_charsets_of_japan_are_read() {
        let check = |octets: &[u8], expected: &[&str]| {
            assert_eq!(read(octets).unwrap().unwrap().lines, expected, "{octets:?}");
        };
        let nobody = "宛先のユーザーが見つかりません";
        let shift_jis = b"550 5.1.1 \x88\xb6\x90\xe6\x82\xcc\x83\x86\x81\x5b\x83\x55\x81\x5b\
            \x82\xaa\x8c\xa9\x82\xc2\x82\xa9\x82\xe8\x82\xdc\x82\xb9\x82\xf1\r\n";
        check(shift_jis, &[nobody]);
        let euc_jp = b"550 5.1.1 \xb0\xb8\xc0\xe8\xa4\xce\xa5\xe6\xa1\xbc\xa5\xb6\xa1\xbc\
            \xa4\xac\xb8\xab\xa4\xc4\xa4\xab\xa4\xea\xa4\xde\xa4\xbb\xa4\xf3\r\n";
        check(euc_jp, &[nobody]);
        let iso_2022_jp =
            b"550-5.1.1 \x1b$B08@h$N%f!<%6!<$,8+$D$+$j$^$;$s\x1b(B\r\n550 5.1.1 x\r\n";
        check(iso_2022_jp, &[nobody, "x"]);
        // A word too short to tell by itself is told by the other line.
        let both = [&b"550-\x88\xb6\x90\xe6\r\n"[..], shift_jis].concat();
        check(&both, &["宛先", nobody]);
        // Half a letter, and controls that a charset may hide, are printable all the same.
        let lines = read(b"550 \x82\xa0\x82\xa2\x82\r\n").unwrap().unwrap().lines;
        assert!(!lines[0].contains(|letter: char| letter.is_control()), "{lines:?}");
        let lines = read(b"550 \x1b$B$\"\x07\x1b[2J\x1b(B\x9b\r\n").unwrap().unwrap().lines;
        assert!(!lines[0].contains(|letter: char| letter.is_control()), "{lines:?}");
    }

    #[test]
    fn what_is_no_answer() {
        let check = |octets: &[u8], malformed: Malformed| {
            assert_eq!(read(octets), Err(malformed), "{octets:?}");
        };
        check(b"hello\r\n", Malformed::NoCode);
        check(b"\r\n", Malformed::NoCode);
        check(b"99 x\r\n", Malformed::NoCode);
        check(b"150 x\r\n", Malformed::NoCode);
        check(b"250x\r\n", Malformed::NoCode);
        check(b"250-a\r\n251 b\r\n", Malformed::CodesDiffer);
        check(&[b'2'; 5_000], Malformed::LineTooLong);
        check(&b"250-x\r\n".repeat(300), Malformed::TooManyLines);
        assert_eq!(read(b"250 half"), Ok(None));
    }

    #[test]
    fn words_are_kept_up_to_a_bound() {
        let long = "x".repeat(900);
        let answer = read(format!("250-{long}\r\n250-{long}\r\n250 {long}\r\n").as_bytes());
        let lines = answer.unwrap().unwrap().lines;
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), 1_024);
        // Of UTF-8 cut within a letter, the letters before it are still read.
        let long = "あ".repeat(400);
        let lines = read(format!("250-{long}\r\n250 x\r\n").as_bytes()).unwrap().unwrap().lines;
        assert_eq!(lines[0].trim_end_matches('?'), "あ".repeat(341));
    }
}
