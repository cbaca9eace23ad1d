//! Return paths of mail that is passed on (SRS), so that SPF holds at the next server and a bounce
//! finds its way back: `SRS0=HASH=DAY=domain=local@ours`.
//!
//! Everything is spelled so that it survives lower case and the cutting of a `+` detail: letters of
//! upper case, and whatever is no letter, digit, dot or hyphen, stand as `_` and two digits. A
//! sender that does not fit into a local part of 64 octets (RFC 5321 §4.5.3.1.1) is kept as a row,
//! and the path names the row: `SRS0=HASH=DAY=ROW@ours`.

use crate::Fault;
use crate::tables::Tables;
use data_encoding::BASE32_NOPAD;
use rows::RowKey;
use std::fmt::Write;
use terms::TenantId;
use wire::directory::WAY_BACK;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Mail is tried for days, and its bounce too; afterwards the path is anybody's guess.
const DAYS: u32 = 30;
/// Days are told in two letters of base 32: they come again after 1,024.
const CYCLE: u32 = 1_024;
const LOCAL_BYTES: usize = 64;
/// Octets of the keyed hash, eight letters: nobody guesses one within the limit of the directory.
const HASH_BYTES: usize = 5;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The return path for mail of `from` that is passed on for `domain`. `None`: there is none.
pub fn rewrite(
    tables: &Tables,
    key: &RowKey,
    (from, domain, tenant): (&str, &str, TenantId),
    now: u64,
) -> Result<Option<String>, Fault> {
    let Some((local, sender)) = from.rsplit_once('@') else { return Ok(None) };
    let (day, stamp) = stamp(now);
    let sender = sender.to_lowercase();
    let whole = format!("{}={}", escape(&sender), escape(local));
    let hash = hash(key, &stamp, &whole, domain);
    let path = format!("SRS0={hash}={stamp}={whole}");
    if path.len() <= LOCAL_BYTES {
        return Ok(Some(format!("{path}@{domain}")));
    }
    let from = format!("{local}@{sender}");
    let token = key.token("way-back", format!("{day} {from} {domain}").as_bytes());
    let days = (day, day.saturating_sub(DAYS));
    tables.keep_way_back(key, (tenant, &token), &from, days)?;
    let row = lower(&token);
    let hash = self::hash(key, &stamp, &row, domain);
    Ok(Some(format!("SRS0={hash}={stamp}={row}@{domain}")))
}

/// The sender behind a return path of ours (in the directory's spelling). `None`: it is not one, or
/// an old one.
pub fn sender(
    tables: &Tables,
    key: &RowKey,
    address: &str,
    now: u64,
) -> Result<Option<String>, Fault> {
    let Some((local, domain)) = address.rsplit_once('@') else { return Ok(None) };
    let Some(said) = local.strip_prefix(WAY_BACK) else { return Ok(None) };
    let mut parts = said.splitn(3, '=');
    let (Some(hash), Some(stamp), Some(whole)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    if !is_young(stamp, now) || hash != self::hash(key, stamp, whole, domain) {
        return Ok(None);
    }
    match whole.split_once('=') {
        Some((domain, local)) => {
            let read = unescape(local).zip(unescape(domain));
            Ok(read.map(|(local, domain)| format!("{local}@{domain}")))
        }
        None => match BASE32_NOPAD.decode(whole.to_ascii_uppercase().as_bytes()) {
            Ok(token) => tables.way_back(key, &token),
            Err(_) => Ok(None),
        },
    }
}

fn stamp(now: u64) -> (u32, String) {
    let day = u32::try_from(now / DAY_MS).unwrap_or(u32::MAX);
    let letter = |number: u32| LETTERS.get(number as usize % 32).copied().map_or('a', char::from);
    (day, [letter(day / 32), letter(day)].iter().collect())
}

fn is_young(stamp: &str, now: u64) -> bool {
    let number = |letter: u8| LETTERS.iter().position(|known| *known == letter);
    let [high, low] = stamp.as_bytes() else { return false };
    let Some((high, low)) = number(*high).zip(number(*low)) else { return false };
    let said = (high * 32 + low) as u32;
    let (today, _) = self::stamp(now);
    // A day of leave for a clock that was ahead.
    let age = (today + 1 + CYCLE - said % CYCLE) % CYCLE;
    age <= DAYS + 1
}

fn hash(key: &RowKey, stamp: &str, whole: &str, domain: &str) -> String {
    let token = key.token("srs", format!("{stamp} {whole} {domain}").as_bytes());
    lower(token.get(..HASH_BYTES).unwrap_or_default())
}

fn lower(octets: &[u8]) -> String {
    BASE32_NOPAD.encode(octets).to_ascii_lowercase()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut octets = text.bytes().peekable();
    while let Some(octet) = octets.next() {
        // A local part neither ends with a dot nor has two in a row, unless it is quoted.
        let is_inner = octet == b'.' && octets.peek().is_some_and(|next| *next != b'.');
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => out.push(octet.into()),
            _ if is_inner => out.push('.'),
            _ => drop(write!(out, "_{octet:02x}")),
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'_' {
            out.push(octet);
            continue;
        }
        let digits = [octets.next()?, octets.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, LOCAL_BYTES, escape, rewrite, sender, unescape};
    use crate::canonical;
    use crate::tests::World;
    use terms::TenantId;

    const NOW: u64 = 20_786 * DAY_MS + 5;

    #[test]
    fn a_sender_is_found_again_from_its_return_path() {
        let world = World::new("srs");
        let tenant = TenantId([1; 8]);
        let check = |from: &str, expected: &str| {
            let told = (from, "kaede.example", tenant);
            let path = rewrite(&world.tables, &world.key, told, NOW).unwrap().unwrap();
            assert!(path.starts_with("SRS0=") && path.ends_with("@kaede.example"), "{path}");
            assert!(path.rsplit_once('@').unwrap().0.len() <= LOCAL_BYTES, "{path}");
            let address = canonical(&path, "mx.example");
            let back = |now| sender(&world.tables, &world.key, &address, now).unwrap();
            for days in [0, 1, 29, 30] {
                assert_eq!(back(NOW + days * DAY_MS).as_deref(), Some(expected), "{days} {path}");
            }
            assert_eq!(back(NOW - DAY_MS).as_deref(), Some(expected), "a clock was ahead");
            for days in [31, 400, 990] {
                assert_eq!(back(NOW + days * DAY_MS), None, "{days} {path}");
            }
            for at in 0..address.len() {
                let mut touched = address.clone().into_bytes();
                touched[at] = if touched[at] == b'q' { b'r' } else { b'q' };
                let touched = String::from_utf8(touched).unwrap();
                assert_eq!(sender(&world.tables, &world.key, &touched, NOW).unwrap(), None);
            }
        };
        check("bob@sender.example", "bob@sender.example");
        check("Bob+Offers@Sender.Example", "Bob+Offers@sender.example");
        check("a=b_c@s.example", "a=b_c@s.example");
        check("\"two  words.\"@s.example", "\"two  words.\"@s.example");
        check("葵@例.example", "葵@例.example");
        check("root@[192.0.2.1]", "root@[192.0.2.1]");
        let long = format!("bounces+{}@mailer.news.example", "x9".repeat(28));
        check(&long, &long);
        let twice = "SRS0=abcdefgh=ab=sender.example=bob@forwarder.example";
        check(twice, twice);
    }

    /// Whoever writes from many long addresses has their own tenant's oldest forgotten, and no
    /// other's; and none of it keeps a letter out.
    #[test]
    fn of_too_many_ways_back_the_oldest_of_whoever_has_most_go() {
        let world = World::new("srs-many");
        let path = |tenant: u8, number: u64, day: u64| {
            let from = format!("bounces+{}{number}@mailer.example", "x9".repeat(28));
            let told = (from.as_str(), "kaede.example", TenantId([tenant; 8]));
            rewrite(&world.tables, &world.key, told, NOW + day * DAY_MS).unwrap().unwrap()
        };
        let is_known = |path: &str, day: u64| {
            let address = canonical(path, "mx.example");
            let found = sender(&world.tables, &world.key, &address, NOW + day * DAY_MS);
            found.unwrap().is_some()
        };
        let quiet = path(2, 1_000, 0);
        let old: Vec<String> = (0..50).map(|number| path(1, number, 0)).collect();
        let young: Vec<String> = (50..120).map(|number| path(1, number, 1)).collect();
        let late = path(2, 1_001, 1);
        assert!(is_known(&quiet, 1) && is_known(&late, 1));
        assert!(young.iter().all(|path| is_known(path, 1)));
        let count = || {
            let sql = "SELECT COUNT(*) FROM way_back";
            world.tables.count_rows(sql, ()).unwrap()
        };
        assert!((98..=100).contains(&count()), "{}", count());
        assert!(old.iter().filter(|path| is_known(path, 1)).count() < 50);
        // What is a month old is dropped once, on the next day.
        path(2, 1_002, 40);
        assert_eq!(count(), 1);
    }

    #[test]
    fn what_was_never_written_here_leads_to_nobody() {
        let world = World::new("srs-false");
        for address in [
            "srs0=@kaede.example",
            "srs0=a=b=c=d@kaede.example",
            "srs0=aaaaaaaa=ab=sender.example=bob@kaede.example",
            "srs0=aaaaaaaa=ab@kaede.example",
            "srs0===@kaede.example",
            "bob@kaede.example",
            "",
        ] {
            let found = sender(&world.tables, &world.key, address, NOW).unwrap();
            assert_eq!(found, None, "{address}");
        }
        let nobody = ("nobody", "kaede.example", TenantId([1; 8]));
        assert_eq!(rewrite(&world.tables, &world.key, nobody, NOW).unwrap(), None);
        assert_eq!(unescape("a_4"), None);
        assert_eq!(unescape("_zz"), None);
        assert_eq!(escape("a..b."), "a_2e.b_2e");
    }
}
