//! Where mail goes on: `user forward`, `user away`, `group`, `domain gateway`.

use super::grounds;
use super::outgoing::smart_host_at;
use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on, value};
use crate::outcome::{Answer, Outcome, Trouble};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use wire::admin::{OutletChange, Request};
use wire::directory::{ABSENCE_TEXT_BYTES, AbsenceTold, LIST_PAGE, ListAsked, OutletTerms, Taken};

const GROUP_ACTS: &str = "add, list, show, set, share or remove";
/// Recipients a day of a company's server, unless more are agreed upon.
const OUTLET_A_DAY: u32 = 100_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub fn forward(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let to = arguments.options("--to")?;
    let keep = arguments.switch("--keep");
    let none = arguments.switch("--none");
    let address = arguments.word("the address")?;
    if none && (keep || !to.is_empty()) {
        return Err(Trouble::wrong_use("one of the two", "both", "--to ADDRESS…, or --none"));
    }
    if keep && to.is_empty() {
        return Err(Trouble::wrong_use("--to ADDRESS…", "nothing", "--keep leaves a copy here"));
    }
    to.iter().try_for_each(|to| super::spelled::elsewhere(to))?;
    let to = (none || !to.is_empty()).then_some(to);
    Ok(Request::UserForward { address, to, keep })
}

pub fn away(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let is_back = arguments.switch("--back");
    let subject = arguments.option("--subject")?;
    let text = arguments.option("--text")?;
    let until_ms = arguments.option("--until")?.map(|day| end_of(&day)).transpose()?;
    let address = arguments.word("the address")?;
    let absence = match (is_back, text) {
        (true, None) if subject.is_none() && until_ms.is_none() => None,
        (true, _) => {
            return Err(Trouble::wrong_use("one of the two", "both", "--text TEXT, or --back"));
        }
        (false, None) => {
            let hint = "--text TEXT says what is answered; --back ends it";
            return Err(Trouble::wrong_use("--text TEXT", "nothing", hint));
        }
        (false, Some(text)) if text.trim().is_empty() || text.len() > ABSENCE_TEXT_BYTES => {
            let found = format!("{} octets", text.trim().len());
            return Err(Trouble::wrong_use("a text of 1 to 4,000 octets", found, "--text TEXT"));
        }
        (false, Some(text)) => {
            Some(AbsenceTold { subject: subject.unwrap_or_default(), text, until_ms })
        }
    };
    Ok(Request::UserAway { address, absence })
}

/// The end of a day (UTC), which still counts; or a moment in RFC 3339.
fn end_of(day: &str) -> Result<u64, Trouble> {
    let start = evidence::parse_rfc3339(&format!("{day}T00:00:00Z"));
    let end = start.map(|start| start + DAY_MS).or_else(|| evidence::parse_rfc3339(day));
    end.ok_or_else(|| Trouble::wrong_use("a day", day, "--until 2027-01-31"))
}

pub fn group(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(GROUP_ACTS)?.as_str() {
        "add" => Request::GroupChange {
            tenant: Some(arguments.required("--tenant")?),
            with: members(&mut arguments)?,
            without: Vec::new(),
            address: super::spelled::address(&mut arguments)?,
        },
        "set" => set_group(&mut arguments)?,
        "list" => Request::GroupList { address: None, tenant: arguments.option("--tenant")? },
        "show" => {
            Request::GroupList { address: Some(arguments.word("the address")?), tenant: None }
        }
        "share" => share(&mut arguments)?,
        "remove" => Request::GroupRemove { address: arguments.word("the address")? },
        other => return Err(unknown(GROUP_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

fn set_group(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let (with, without) = (arguments.options("--member")?, arguments.options("--without")?);
    let address = arguments.word("the address")?;
    if with.is_empty() && without.is_empty() {
        return Err(super::contracts::nothing_to_set("--member ADDRESS…, --without ADDRESS…"));
    }
    with.iter().try_for_each(|member| super::spelled::elsewhere(member))?;
    Ok(Request::GroupChange { tenant: None, with, without, address })
}

/// Who writes as a group's address.
fn share(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let (with, without) = (arguments.options("--with")?, arguments.options("--without")?);
    let none = arguments.switch("--none");
    let address = arguments.word("the address")?;
    let hint = "--with ADDRESS… [--without ADDRESS]…, or --none";
    match (none, with.is_empty() && without.is_empty()) {
        (true, false) => Err(Trouble::wrong_use("one of the two", "both", hint)),
        (false, true) => Err(Trouble::wrong_use("--with ADDRESS…", "nothing", hint)),
        _ => Ok(Request::GroupShare { address, with, without, none }),
    }
}

/// A group is made with somebody in it.
fn members(arguments: &mut Arguments) -> Result<Vec<String>, Trouble> {
    let members = arguments.options("--member")?;
    members.iter().try_for_each(|member| super::spelled::elsewhere(member))?;
    match members.is_empty() {
        false => Ok(members),
        true => Err(Trouble::wrong_use("--member ADDRESS…", "none", "one or more, up to 100")),
    }
}

pub fn gateway(mut arguments: Arguments, data: Option<String>) -> Answer {
    let host =
        arguments.option("--host")?.map(|text| smart_host_at("--host", &text)).transpose()?;
    let recipients = arguments.option("--recipients")?;
    let (checks, none) = (arguments.switch("--check-new"), arguments.switch("--none"));
    let domain = super::people::named_domain(&mut arguments)?;
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    if none && (host.is_some() || recipients.is_some()) {
        return Err(Trouble::wrong_use("one of the two", "both", "--host HOST:PORT, or --none"));
    }
    let data = folder(data)?;
    let ends_list = recipients.as_deref() == Some("any") && host.is_none();
    if ends_list && !checks {
        return ask_on(&data, &Request::DomainGatewayAny { domain }, &grounds);
    }
    if host.is_some() && recipients.is_none() {
        keeps_its_list(&data, &domain)?;
    }
    let file = recipients.filter(|word| word != "any");
    let list = file.as_deref().map(|file| read_list(file, &domain)).transpose()?;
    if checks && (host.is_none() || list.is_none()) {
        let hint = "--host HOST:PORT --recipients FILE --check-new";
        return Err(Trouble::wrong_use("a host and a list", "--check-new alone", hint));
    }
    let taken = match (&list, checks) {
        (None, _) => Taken::Any,
        (Some(_), false) => Taken::Listed,
        (Some(_), true) => Taken::ListedOrChecked,
    };
    if host.is_some() || none {
        // The list goes first, and counts for nothing until the host does: who must agree sees of
        // how many it is, and it is there when they have agreed.
        let asked = list.map(|list| ask_with(&data, &domain, &list)).transpose()?;
        let request = Request::DomainGateway { domain, host, taken, list: asked };
        return ask_on(&data, &request, &grounds);
    }
    match list {
        Some(list) => tell_list((&data, &domain), &list, false),
        None => ask(&data, &Request::DomainGatewayShow { domain }),
    }
}

/// Tells the list that a gateway is asked for with; how it is named there.
fn ask_with(data: &Path, domain: &str, list: &[Listed]) -> Result<ListAsked, Trouble> {
    let told = match tell_list((data, domain), list, true)? {
        Outcome::Done(told) => told,
        _ => Value::Null,
    };
    let asked = told.get("asked").and_then(|asked| serde_json::from_value(asked.clone()).ok());
    let hint = "restart the service: its command line and itself are of different versions";
    asked.ok_or_else(|| Trouble::fault("the list was not kept".to_owned(), hint))
}

/// Whoever names a host anew and says nothing of recipients would open a listed domain to all.
fn keeps_its_list(data: &Path, domain: &str) -> Result<(), Trouble> {
    let request = Request::DomainGatewayShow { domain: domain.to_owned() };
    let shown = crate::client::value(data, &request).ok();
    match shown.and_then(|shown| shown.get("recipients").and_then(Value::as_u64)) {
        None => Ok(()),
        Some(_) => {
            let hint = "--recipients FILE keeps a list; --recipients any takes mail for every name";
            Err(Trouble::wrong_use("--recipients beside --host", "a list that it would end", hint))
        }
    }
}

/// `tenant outlet`: the tenant's own server that sends out through us.
pub fn outlet(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let names = arguments.options("--certificate")?;
    let networks = arguments.options("--from")?;
    let authority = arguments.option("--authority")?;
    let in_a_day = arguments.parsed("--in-a-day", "a number of recipients")?;
    let (is_fresh, none) = (arguments.switch("--new-header"), arguments.switch("--none"));
    let name = arguments.word("the tenant's name")?;
    let is_set = !names.is_empty() || !networks.is_empty();
    if none && (is_set || is_fresh) {
        let hint = "--certificate HOST --from NETWORK, or --none";
        return Err(Trouble::wrong_use("one of the two", "both", hint));
    }
    if none {
        let change = OutletChange { terms: None, is_fresh: false, keeps_authorities: false };
        let change = Some(change);
        return Ok(Request::TenantOutlet { name, change });
    }
    let has_more = is_fresh || authority.is_some() || in_a_day.is_some();
    let found = match (names.is_empty(), networks.is_empty()) {
        (true, true) if has_more => "neither",
        (true, true) => return Ok(Request::TenantOutlet { name, change: None }),
        (true, false) => "--from alone",
        (false, true) => "--certificate alone",
        (false, false) => "",
    };
    if !found.is_empty() {
        let hint = "name all of it: --certificate HOST --from NETWORK [--authority FILE] …";
        return Err(Trouble::wrong_use("--certificate and --from", found, hint));
    }
    let keeps_authorities = authority.is_none();
    let file = authority.filter(|word| word != "public");
    let terms = OutletTerms {
        names: names.iter().map(|name| terms::dns_name(name)).collect(),
        authorities: file.as_deref().map_or_else(|| Ok(Vec::new()), read_authorities)?,
        from: networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?,
        in_a_day: in_a_day.unwrap_or(OUTLET_A_DAY),
    };
    let change = OutletChange { terms: Some(terms), is_fresh, keeps_authorities };
    Ok(Request::TenantOutlet { name, change: Some(change) })
}

/// `192.0.2.0/24`, or one address.
fn network(text: &str) -> Result<(IpAddr, u8), Trouble> {
    let wrong = || Trouble::wrong_use("an address or a network", text, "--from 192.0.2.0/24");
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    // As the directory has it, to whom the command alone tells no more.
    let least = if address.is_ipv4() { 8 } else { 16 };
    let bits = bits.unwrap_or(whole);
    let expected = "networks of /8 to /32, or /16 to /128 in version 6";
    match (least..=whole).contains(&bits) {
        true => Ok((address, bits)),
        false => Err(Trouble::wrong_use(expected, text, "--from 192.0.2.0/24")),
    }
}

fn read_authorities(file: &str) -> Result<Vec<Vec<u8>>, Trouble> {
    let hint = "PEM, as authorities publish it: `-----BEGIN CERTIFICATE-----`";
    let wrong = |found: String| Trouble::refused("certificates in PEM", found, hint);
    fs::metadata(file).map_err(|error| Trouble::fault(format!("{file}: {error}"), hint))?;
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(format!("{file}: {error}")))?;
    match found.is_empty() {
        true => Err(wrong(format!("none in {file}"))),
        false => Ok(found.iter().map(|one| one.to_vec()).collect()),
    }
}

/// A page at a time. What a broken-off list lacks stays until a whole one was told.
fn tell_list((data, domain): (&Path, &str), list: &[Listed], is_asked: bool) -> Answer {
    let mut pages = list.chunks(LIST_PAGE).peekable();
    let mut sync_ms = None;
    loop {
        let page = pages.next().unwrap_or_default();
        let is_last = pages.peek().is_none();
        let (domain, addresses) = (domain.to_owned(), page.iter().map(|one| one.1.clone()));
        let addresses = addresses.collect();
        let request = Request::DomainGatewayList { domain, addresses, sync_ms, is_last, is_asked };
        let at_line = |trouble| at_line(trouble, page);
        if is_last {
            return ask(data, &request).map_err(at_line);
        }
        let told = value(data, &request).map_err(at_line)?;
        sync_ms = told.get("sync_ms").and_then(Value::as_u64);
    }
}

/// A refusal of one address, with the line that it stands on.
fn at_line(trouble: Trouble, page: &[Listed]) -> Trouble {
    let Trouble::Refused { expected, found, hint } = trouble else { return trouble };
    let line = page.iter().find(|(_, address)| directory::folded_address(address) == found);
    let found = line.map_or(found, |(number, text)| format!("line {number}: {text}"));
    Trouble::Refused { expected, found, hint }
}

/// The number of a line, and the address on it.
type Listed = (usize, String);

/// One address a line; empty lines and those that begin with `#` say nothing.
fn read_list(path: &str, domain: &str) -> Result<Vec<Listed>, Trouble> {
    let hint = "a text file with one address a line, or --recipients any";
    let text = fs::read_to_string(path)
        .map_err(|error| Trouble::fault(format!("{path}: {error}"), hint))?;
    let list = listed(&text, domain)?;
    match list.is_empty() {
        false => Ok(list),
        true => Err(Trouble::wrong_use("a file of addresses", format!("none in {path}"), hint)),
    }
}

/// What is plainly no address of the domain is found before anything is changed.
fn listed(text: &str, domain: &str) -> Result<Vec<Listed>, Trouble> {
    let domain = terms::dns_name(domain);
    let mut list = Vec::new();
    // A byte order mark: editors of Windows put one in front.
    let text = text.trim_start_matches('\u{feff}');
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (local, of) = line.rsplit_once('@').unwrap_or_default();
        let is_word = !local.is_empty() && !local.contains(|one: char| one.is_whitespace());
        if !is_word || terms::dns_name(of) != domain {
            let expected = format!("an address of {domain} on each line");
            let found = format!("line {}: {line}", at + 1);
            let hint = "correct the line, or put # before it; nothing was changed";
            return Err(Trouble::refused(&expected, found, hint));
        }
        list.push((at + 1, line.to_owned()));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, at_line, away, end_of, forward, listed, share};
    use crate::arguments::Arguments;
    use crate::outcome::Trouble;
    use wire::admin::Request;

    fn typed(text: &str) -> Arguments {
        Arguments::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let check = |day: &str, expected: Option<u64>| {
            assert_eq!(end_of(day).ok(), expected.map(|days| days * DAY_MS), "{day}");
        };
        check("1970-01-01", Some(1));
        check("2000-02-29", Some(11_017));
        check("2026-11-29", Some(20_787));
        check("2027-02-29", None);
        check("2027-13-01", None);
        check("2027-1-1", None);
        check("tomorrow", None);
        check("", None);
    }

    #[test]
    fn a_forward_says_where_to_or_none() {
        let check = |text: &str, expected: Option<(Option<usize>, bool)>| {
            let found = forward(&mut typed(text)).ok().map(|request| match request {
                Request::UserForward { to, keep, .. } => (to.map(|to| to.len()), keep),
                _ => panic!("{text}"),
            });
            assert_eq!(found, expected, "{text}");
        };
        check("a@b.example --to c@d.example --to e@f.example", Some((Some(2), false)));
        check("a@b.example --to c@d.example --keep", Some((Some(1), true)));
        check("a@b.example --none", Some((Some(0), false)));
        check("a@b.example", Some((None, false)));
        check("a@b.example --keep", None);
        check("a@b.example --none --to c@d.example", None);
        check("--none", None);
    }

    #[test]
    fn who_writes_as_a_group_is_named() {
        let check = |text: &str, expected: Option<(usize, usize, bool)>| {
            let found = share(&mut typed(text)).ok().map(|request| match request {
                Request::GroupShare { with, without, none, .. } => {
                    (with.len(), without.len(), none)
                }
                _ => panic!("{text}"),
            });
            assert_eq!(found, expected, "{text}");
        };
        check("g@b.example --with a@b.example --with c@b.example", Some((2, 0, false)));
        check("g@b.example --without a@b.example", Some((0, 1, false)));
        check("g@b.example --none", Some((0, 0, true)));
        check("g@b.example", None);
        check("g@b.example --none --with a@b.example", None);
        check("--none", None);
    }

    #[test]
    fn who_is_away_says_so_or_is_back() {
        let check = |text: &str, expected: Option<bool>| {
            let found = away(&mut typed(text)).ok().map(|request| match request {
                Request::UserAway { absence, .. } => absence.is_some(),
                _ => panic!("{text}"),
            });
            assert_eq!(found, expected, "{text}");
        };
        check("a@b.example --text away --until 2027-01-31", Some(true));
        check("a@b.example --back", Some(false));
        check("a@b.example", None);
        check("a@b.example --back --text away", None);
        check("a@b.example --text away --until soon", None);
        check("a@b.example --text=", None);
        check(&format!("a@b.example --text {}", "x".repeat(4_000)), Some(true));
        check(&format!("a@b.example --text {}", "x".repeat(4_001)), None);
    }
    #[test]
    fn a_bad_line_is_named() {
        let found = |text: &str| match listed(text, "Kaede.example") {
            Ok(list) => format!("{}", list.len()),
            Err(Trouble::Refused { found, .. }) => found,
            Err(_) => "another trouble".to_owned(),
        };
        assert_eq!(found("# ours\n\na@kaede.example\n b@KAEDE.example \n"), "2");
        assert_eq!(found("\u{feff}a@kaede.example\r\nb@ｋａｅｄｅ。example\r\n"), "2");
        assert_eq!(found("a@kaede.example\n\nb@other.example"), "line 3: b@other.example");
        assert_eq!(found("a b@kaede.example"), "line 1: a b@kaede.example");
        assert_eq!(found("nobody"), "line 1: nobody");
        let page = [(3, "A..b@kaede.example".to_owned())];
        let refused = Trouble::refused("an address", "a..b@kaede.example", "");
        let Trouble::Refused { found, .. } = at_line(refused, &page) else { panic!() };
        assert_eq!(found, "line 3: A..b@kaede.example");
    }
}
