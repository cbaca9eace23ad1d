//! What a client can ask. RFC 1939 §3, §5, §7.

use terms::Cursor;
use zeroize::Zeroize;

/// A typed password; wiped when dropped.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Message numbers count from 1.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    User(Vec<u8>),
    Pass(Secret),
    Stat,
    List(Option<u32>),
    Uidl(Option<u32>),
    Retr(u32),
    Top { number: u32, lines: u32 },
    Dele(u32),
    Rset,
    Noop,
    Capa,
    Quit,
}

/// Reads one line without its end; the words are public and go into `-ERR`.
pub(crate) fn command(line: &[u8]) -> Result<Command, &'static str> {
    let mut cursor = Cursor::new(line);
    let word = cursor.take_while(|octet| octet.is_ascii_alphabetic()).to_ascii_uppercase();
    let command = match word.as_slice() {
        b"USER" => Command::User(text(&mut cursor)?.to_vec()),
        b"PASS" => Command::Pass(Secret(text(&mut cursor)?.to_vec())),
        b"STAT" => Command::Stat,
        b"LIST" => Command::List(maybe_number(&mut cursor)?),
        b"UIDL" => Command::Uidl(maybe_number(&mut cursor)?),
        b"RETR" => Command::Retr(number(&mut cursor)?),
        b"TOP" => top(&mut cursor)?,
        b"DELE" => Command::Dele(number(&mut cursor)?),
        b"RSET" => Command::Rset,
        b"NOOP" => Command::Noop,
        b"CAPA" => Command::Capa,
        b"QUIT" => Command::Quit,
        _ => return Err("unknown command"),
    };
    cursor.take_while(|octet| octet == b' ');
    if cursor.is_at_end() { Ok(command) } else { Err("something follows the command") }
}

/// All that is left: RFC 1939 §7 lets a password contain spaces.
fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], &'static str> {
    if !cursor.eat(b' ') || cursor.is_at_end() {
        return Err("expected an argument");
    }
    Ok(cursor.take_while(|_| true))
}

fn top(cursor: &mut Cursor) -> Result<Command, &'static str> {
    let number = number(cursor)?;
    let lines = digits(cursor)?;
    Ok(Command::Top { number, lines })
}

fn maybe_number(cursor: &mut Cursor) -> Result<Option<u32>, &'static str> {
    if cursor.is_at_end() { Ok(None) } else { number(cursor).map(Some) }
}

fn number(cursor: &mut Cursor) -> Result<u32, &'static str> {
    match digits(cursor)? {
        0 => Err("messages are numbered from 1"),
        number => Ok(number),
    }
}

fn digits(cursor: &mut Cursor) -> Result<u32, &'static str> {
    let spaced = cursor.eat(b' ');
    let digits = cursor.take_while(|octet| octet.is_ascii_digit());
    let value = digits
        .iter()
        .try_fold(0u32, |sum, digit| sum.checked_mul(10)?.checked_add(u32::from(digit - b'0')));
    value.filter(|_| spaced && !digits.is_empty()).ok_or("expected a number")
}
