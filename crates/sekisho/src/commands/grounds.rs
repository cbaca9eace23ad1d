//! Who asks, and why: what a privileged command says beside itself. No password is an argument.

use super::terminal;
use crate::arguments::Arguments;
use crate::outcome::Trouble;
use std::io::{BufRead, BufReader};
use std::path::Path;
use wire::admin::Grounds;

/// A line with a password on it.
const LINE_BYTES: u64 = 4 * 1024;

/// Takes `--as ADDRESS`, `--reason TEXT`, `--expires TIME` and `--password-fd N` out.
pub fn take(arguments: &mut Arguments) -> Result<Grounds, Trouble> {
    let by = arguments.option("--as")?;
    let reason = arguments.option("--reason")?;
    let lasts_ms = match arguments.option("--expires")? {
        Some(text) => duration_ms(&text)?,
        None => 0,
    };
    let descriptor = arguments.parsed::<u32>("--password-fd", "a descriptor's number")?;
    let password = match &by {
        Some(address) => {
            let prompt = format!("Password of {address}");
            Some(password(&prompt, ("--password-fd", descriptor))?)
        }
        None => None,
    };
    Ok(Grounds { reason, by, password, lasts_ms })
}

/// `30d`, `24h`, `15m`, `90s` or `0`.
pub fn duration_ms(text: &str) -> Result<u64, Trouble> {
    let wrong = || Trouble::wrong_use("a time such as 30d, 24h, 15m or 0", text, "sekisho help");
    let unit_at = text.find(|one: char| !one.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(unit_at).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "d" => 24 * 60 * 60 * 1000,
        "h" => 60 * 60 * 1000,
        "m" => 60 * 1000,
        "s" => 1000,
        "" if number == 0 => 0,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).ok_or_else(wrong)
}

/// The option that names a descriptor, and what it named.
pub type Named = (&'static str, Option<u32>);

/// One line, which is not shown.
pub fn password(prompt: &str, named: Named) -> Result<String, Trouble> {
    let mut lines = passwords(&[prompt], named)?;
    Ok(lines.pop().unwrap_or_default())
}

/// Lines from a descriptor, from the terminal without an echo, or from standard input.
pub fn passwords(prompts: &[&str], (option, descriptor): Named) -> Result<Vec<String>, Trouble> {
    let hint = format!("type it, write it to standard input, or name a descriptor: {option} N");
    let fault = |error: std::io::Error| Trouble::fault(error.to_string(), &hint);
    let mut lines = Vec::with_capacity(prompts.len());
    if descriptor.is_none() && terminal::is_there() {
        for prompt in prompts {
            lines.push(terminal::ask(prompt)?.trim_end_matches(['\r', '\n']).to_owned());
        }
    } else {
        let path = format!("/proc/self/fd/{}", descriptor.unwrap_or(0));
        let mut from = BufReader::new(super::secrets::open(Path::new(&path))?);
        for _ in prompts {
            lines.push(line_of(&mut from).map_err(fault)?);
        }
    }
    match lines.iter().any(String::is_empty) {
        false => Ok(lines),
        true => Err(Trouble::refused("a password", "nothing", &hint)),
    }
}

fn line_of(from: &mut dyn BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    std::io::Read::take(from, LINE_BYTES).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{duration_ms, line_of};

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration_ms(text).ok(), expected, "{text}");
        };
        check("30d", Some(2_592_000_000));
        check("24h", Some(86_400_000));
        check("15m", Some(900_000));
        check("1s", Some(1_000));
        check("0", Some(0));
        check("5", None);
        check("日", None);
        check("1日", None);
        check("", None);
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }

    #[test]
    fn a_password_is_one_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(line_of(&mut text.as_bytes()).unwrap(), expected);
        };
        check("secret\n", "secret");
        check("secret\r\nmore\n", "secret");
        check(" with blanks ", " with blanks ");
        check("", "");
    }
}
