//! `sekisho export`: a customer's mail into a folder, through the front door.
//!
//! Nothing here opens a store or a key. For each person a pass is asked for (an act for two), the
//! mail is read over IMAP with it, every release is recorded and weighed like anybody's, and the
//! pass is revoked at the end. Over budget, the export waits and goes on.

mod filed;

use super::grounds::{self, duration_ms};
use crate::arguments::Arguments;
use crate::client::{ask_on, value};
use crate::demo::reading::Reader;
use crate::outcome::{Answer, Outcome, Trouble};
use filed::{Filing, Form, Letter, file_name};
use serde_json::{Value, json};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::admin::{Grounds, Request};
use wire::identity::A_DECOY;

/// A pass for one export: a mailbox of a hundred thousand letters within budget.
const PASS_MS: u64 = 24 * 60 * 60 * 1000;
/// Messages of one FETCH: one release of bodies for each.
const TOGETHER: u32 = 50;
/// Over budget or without evidence, between two tries; and how often.
const PAUSE: Duration = Duration::from_secs(60);
const TRIES: u32 = 120;
const HINT: &str = "start again: a person's folder that is whole is passed over";

struct Wish {
    data: PathBuf,
    to: PathBuf,
    form: Form,
    imaps: SocketAddr,
    host_name: String,
    grounds: Grounds,
    for_ms: u64,
    /// `export`, or `case`: what each person is told that their mail was read for.
    purpose: &'static str,
}

pub fn run(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let person = arguments.option("--person")?;
    let tenant = arguments.option("--tenant")?;
    let to = PathBuf::from(arguments.required("--to")?);
    let form = match arguments.option("--format")?.as_deref() {
        None | Some("eml") => Form::Eml,
        Some("mbox") => Form::Mbox,
        Some("maildir") => Form::Maildir,
        Some(other) => {
            return Err(Trouble::wrong_use("mbox, maildir or eml", other, "--format eml"));
        }
    };
    let imaps = arguments.required("--imaps")?;
    let imaps_at = address(&imaps)?;
    let host_name = arguments.option("--host-name")?.unwrap_or_else(|| "mail.localhost".to_owned());
    let for_ms = arguments.option("--for")?.map_or(Ok(PASS_MS), |text| duration_ms(&text))?;
    let case = arguments.option("--case")?;
    let grounds = of_case(grounds::take(&mut arguments)?, case.as_deref());
    arguments.finish()?;
    let purpose = if case.is_some() { "case" } else { "export" };
    let is_whole = person.is_none();
    let people = people(&data, person.as_deref(), tenant)?;
    let wish = Wish { data, to, form, imaps: imaps_at, host_name, grounds, for_ms, purpose };
    export(&wish, &people, is_whole)
}

/// Which case it is, before any other reason: those who are asked to agree read it.
fn of_case(mut grounds: Grounds, case: Option<&str>) -> Grounds {
    grounds.reason = match (case, grounds.reason) {
        (Some(case), Some(reason)) => Some(format!("{case}: {reason}")),
        (Some(case), None) => Some(case.to_owned()),
        (None, reason) => reason,
    };
    grounds
}

/// `HOST:PORT`; of several addresses the first that speaks IPv4, as the demo listens.
fn address(text: &str) -> Result<SocketAddr, Trouble> {
    let hint = "--imaps HOST:PORT of the running service, such as localhost:993";
    let wrong = || Trouble::wrong_use("a host and a port that can be found", text, hint);
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|_| wrong())?.collect();
    found.iter().find(|one| one.is_ipv4()).or(found.first()).copied().ok_or_else(wrong)
}

fn people(
    data: &Path,
    person: Option<&str>,
    tenant: Option<String>,
) -> Result<Vec<String>, Trouble> {
    if let Some(address) = person {
        return Ok(vec![directory::folded_address(address)]);
    }
    if tenant.is_none() {
        let hint = "export --tenant NAME, or export --person ADDRESS";
        return Err(Trouble::wrong_use("a tenant or a person", "neither", hint));
    }
    let found = value(data, &Request::UserList { tenant })?;
    let items = found.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let address = |item: &Value| item.get("address")?.as_str().map(str::to_owned);
    Ok(items.iter().filter_map(address).collect())
}

/// Everybody whose pass is granted is exported; for the others, the requests that wait.
fn export(wish: &Wish, people: &[String], is_whole: bool) -> Answer {
    let authority = value(&wish.data, &Request::Authority)?;
    let authority = authority.get("ca").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut done, mut waiting) = (Vec::new(), Vec::new());
    let is_left = |address: &String| !wish.to.join(file_name(address)).join(".whole").exists();
    if people.iter().any(is_left) {
        // An approval serves once: it is not used up, nor asked for, where nothing can be read.
        connect(wish, &authority)?;
    }
    for address in people {
        let folder = wish.to.join(file_name(address));
        if folder.join(".whole").exists() {
            done.push(json!({ "person": address, "folder": folder, "passed_over": true }));
            continue;
        }
        let (address, purpose) = (address.clone(), wish.purpose.to_owned());
        let request = Request::ReadPass { address: address.clone(), purpose, for_ms: wish.for_ms };
        let pass = match ask_on(&wish.data, &request, &wish.grounds) {
            Ok(Outcome::Done(pass)) => pass,
            Ok(Outcome::Wanting(request)) => {
                waiting.push(request);
                continue;
            }
            Ok(Outcome::Told(_)) => continue,
            Ok(Outcome::Part(_, trouble)) => return Err(trouble),
            // Nobody's mail lies there, and to sign in as one would be an alarm.
            Err(Trouble::Refused { found, .. }) if is_whole && found == A_DECOY => continue,
            Err(trouble) => return Err(trouble),
        };
        let word = |name: &str| pass.get(name).and_then(Value::as_str).unwrap_or_default();
        let exported = one(wish, &address, word("secret"), &authority, &folder);
        let revoke = Request::AppPasswordRevoke { id: word("id").to_owned() };
        let revoked = value(&wish.data, &revoke);
        done.push(exported?);
        revoked?;
    }
    let needs = waiting.first().and_then(|one| one.get("needs").cloned());
    let request = waiting.first().and_then(|one| one.get("request").cloned());
    let found = json!({
        "to": wish.to, "purpose": wish.purpose, "exported": done, "waiting": waiting,
        "request": request, "needs": needs,
    });
    Ok(match waiting.is_empty() {
        true => Outcome::Done(found),
        false => Outcome::Wanting(found),
    })
}

fn one(
    wish: &Wish,
    address: &str,
    secret: &str,
    authority: &str,
    folder: &Path,
) -> Result<Value, Trouble> {
    let disk = |error: std::io::Error| Trouble::fault(format!("export: {error}"), HINT);
    let mut reader = connect(wish, authority)?;
    let (_, said) = reader.say(&format!("LOGIN {address} {secret}")).map_err(disk)?;
    if !said.contains(" OK") {
        let hint = "is the person disabled, or the pass over?";
        return Err(Trouble::refused("a sign-in with the pass", said, hint));
    }
    filed::make_own(folder).map_err(disk)?;
    let (mut folders, mut messages) = (Vec::new(), 0u64);
    let (listed, _) = reader.say("LIST \"\" \"*\"").map_err(disk)?;
    for line in listed {
        let Some((name, raw)) = folder_of(&line) else { continue };
        let mut filing = Filing::of(wish.form, folder, &name);
        let count =
            read_folder(&mut reader, &raw, &mut |letter, number| filing.take(letter, number))?;
        let flags = filing.finish().map_err(disk)?;
        messages += count;
        folders.push(json!({ "folder": name, "messages": count, "flags": flags }));
    }
    let _ = reader.say("LOGOUT");
    filed::put(&folder.join(".whole"), b"", None).map_err(disk)?;
    Ok(json!({ "person": address, "folder": folder, "messages": messages, "folders": folders }))
}

fn connect(wish: &Wish, authority: &str) -> Result<Reader, Trouble> {
    let away = |error: Box<dyn std::error::Error>| {
        let hint = "--imaps is where the service listens; --host-name the name in its certificate";
        Trouble::fault(format!("no IMAP at {}: {error}", wish.imaps), hint)
    };
    Reader::connect_to(wish.imaps, &wish.host_name, authority).map_err(away)
}

/// A LIST response's folder: as people read it, and as the protocol writes it.
fn folder_of(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let line = line.strip_prefix(b"* LIST ")?;
    let flags_end = line.iter().position(|byte| *byte == b')')?;
    if line.get(..flags_end)?.windows(9).any(|flag| flag.eq_ignore_ascii_case(b"\\Noselect")) {
        return None;
    }
    // `(flags) "/" name`, or a literal behind its announcement.
    let rest = line.get(flags_end + 1..)?;
    let rest = rest.get(rest.iter().skip(1).position(|byte| *byte == b' ')? + 2..)?;
    let raw = match rest.first()? {
        b'{' => rest.get(rest.iter().position(|byte| *byte == b'\n')? + 1..)?.to_vec(),
        b'"' => unquoted(rest.get(1..)?),
        _ => rest.to_vec(),
    };
    let end = raw.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'))? + 1;
    let raw = raw.get(..end)?.to_vec();
    Some((imap::decode_utf7(&raw)?, raw))
}

fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(quoted.len());
    let mut octets = quoted.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => break,
            b'\\' => plain.extend(octets.next()),
            octet => plain.push(*octet),
        }
    }
    plain
}

/// Takes one message, and its number in the folder.
type Each<'a> = &'a mut dyn FnMut(&Letter<'_>, u64) -> std::io::Result<()>;

/// Every message of a folder, opened read only and without marking it as read.
fn read_folder(reader: &mut Reader, raw: &[u8], each: Each<'_>) -> Result<u64, Trouble> {
    let disk = |error: std::io::Error| Trouble::fault(format!("export: {error}"), HINT);
    let name = String::from_utf8_lossy(raw).replace('\\', "\\\\").replace('"', "\\\"");
    let (told, said) = reader.say(&format!("EXAMINE \"{name}\"")).map_err(disk)?;
    if !said.contains(" OK") {
        return Err(Trouble::fault(format!("{name}: {said}"), HINT));
    }
    let exists = told.iter().find_map(|line| {
        let text = std::str::from_utf8(line).ok()?.strip_prefix("* ")?;
        text.strip_suffix(" EXISTS\r\n")?.parse::<u32>().ok()
    });
    let (mut count, mut first) = (0u64, 1u32);
    let exists = exists.unwrap_or(0);
    while first <= exists {
        let last = exists.min(first.saturating_add(TOGETHER - 1));
        let command = format!("FETCH {first}:{last} (FLAGS INTERNALDATE BODY.PEEK[])");
        let mut tries = 0;
        let responses = loop {
            let (responses, said) = reader.say(&command).map_err(disk)?;
            if said.contains(" OK") {
                break responses;
            }
            tries += 1;
            if tries > TRIES {
                return Err(Trouble::fault(format!("{name}: {said}"), HINT));
            }
            // The budget of the hour is used up, or evidence is away.
            std::thread::sleep(PAUSE);
        };
        for response in &responses {
            let Some(letter) = message_of(response) else { continue };
            count += 1;
            each(&letter, count).map_err(disk)?;
        }
        first = last + 1;
    }
    Ok(count)
}

/// The literal of a FETCH response, and what is said of the message before and behind it.
fn message_of(response: &[u8]) -> Option<Letter<'_>> {
    let line_end = response.windows(2).position(|pair| pair == b"\r\n")?;
    let head = response.get(..line_end)?;
    let open = head.iter().rposition(|byte| *byte == b'{')?;
    let size = std::str::from_utf8(head.get(open + 1..head.len() - 1)?).ok()?;
    let size: usize = size.parse().ok()?;
    let octets = response.get(line_end + 2..line_end + 2 + size)?;
    let tail = response.get(line_end + 2 + size..)?;
    let said = String::from_utf8_lossy(&[head, tail].concat()).into_owned();
    let between = |from: &str, to: char| {
        let rest = said.split_once(from)?.1;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let flags = between("FLAGS (", ')').unwrap_or_default();
    // It tells of this session, not of the message.
    let flags = flags.split_whitespace().filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"));
    let flags = flags.map(str::to_owned).collect();
    let received = between("INTERNALDATE \"", '"').and_then(|text| filed::seconds_of(&text));
    Some(Letter { octets, flags, received: received.unwrap_or_default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{address, folder_of, message_of};

    #[test]
    fn folders_as_people_named_them() {
        let check = |line: &str, expected: Option<&str>| {
            let found = folder_of(line.as_bytes()).map(|(name, _)| name);
            assert_eq!(found.as_deref(), expected, "{line}");
        };
        check("* LIST (\\HasNoChildren) \"/\" INBOX\r\n", Some("INBOX"));
        check(
            "* LIST () \"/\" \"&Uh1,IpAQZ4c-\"\r\n",
            imap::decode_utf7(b"&Uh1,IpAQZ4c-").as_deref(),
        );
        check("* LIST () \"/\" \"&ZeVnLIqe-/a \\\"b\\\"\"\r\n", Some("日本語/a \"b\""));
        check("* LIST (\\Noselect) \"/\" x\r\n", None);
        check("* OK nothing\r\n", None);
        check("* LIST (", None);
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in ["localhost:993", "127.0.0.1:993"] {
            assert_eq!(address(text).ok().unwrap().to_string(), "127.0.0.1:993");
        }
        for text in ["localhost", "", "127.0.0.1:x"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_and_their_marks() {
        let check = |plain: &[u8], flags: &[&str], received: u64| {
            let found = message_of(plain).unwrap();
            assert_eq!((found.octets, found.received), (&b"abcde"[..], received));
            assert_eq!(found.flags, flags);
        };
        check(b"* 1 FETCH (FLAGS (\\Seen) BODY[] {5}\r\nabcde)\r\n", &["\\Seen"], 0);
        let plain = b"* 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[] {5}\r\nabcde \
                      FLAGS (\\Recent $Work \\Flagged))\r\n";
        check(plain, &["$Work", "\\Flagged"], 837_596_665);
        check(b"* 1 FETCH (BODY[] {5}\r\nabcde FLAGS ())\r\n", &[], 0);
        assert_eq!(message_of(b"* 1 FETCH (BODY[] {50}\r\nabc"), None);
        assert_eq!(message_of(b"* 1 FETCH (FLAGS ())\r\n"), None);
    }
}
