//! What a tenant lets leave, as `tenant set` takes it from the command line.

use super::people::{folder, unknown};
use super::sources;
use crate::arguments::Arguments;
use crate::client::ask;
use crate::outcome::{Answer, Trouble};
use std::net::IpAddr;
use wire::admin::{Request, SendingChange, SignIn};
use wire::directory::{LEAST_BYTES, LONGEST_DELAY_MS, MOST_RECIPIENTS, SmartHost};
use wire::post::HopTls;

const HOST_SHAPE: &str = "HOST:PORT[:implicit|starttls|if-offered]";

/// `tls-reports`: what destinations will be told of TLS with them; `send` tells them now.
pub fn tls_reports(mut arguments: Arguments) -> Answer {
    const ACTS: &str = "list or send";
    let data = arguments.option("--data")?;
    let send = match arguments.word(ACTS)?.as_str() {
        "list" => false,
        "send" => true,
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &Request::TlsReports { send })
}

/// The change, if any of its options stands there; then no other setting may.
pub fn change(arguments: &mut Arguments) -> Result<Option<Request>, Trouble> {
    let no_smart_host = arguments.switch("--no-smart-host");
    let smart_host = arguments.option("--smart-host")?;
    let smart_host = smart_host.map(|text| smart_host_at("--smart-host", &text)).transpose()?;
    if no_smart_host && smart_host.is_some() {
        let hint = "--smart-host HOST:PORT, or --no-smart-host";
        return Err(Trouble::wrong_use("one of the two", "both", hint));
    }
    let source = arguments.option("--source")?;
    let no_source = source.as_deref() == Some("none");
    let source = source.filter(|_| !no_source).map(|text| sources::checked(&text)).transpose()?;
    let count = "a number of recipients";
    let seconds = arguments.parsed::<u64>("--send-delay", "a number of seconds")?;
    let change = SendingChange {
        in_ten_minutes: arguments.parsed("--send-in-ten-minutes", count)?,
        in_a_day: arguments.parsed("--send-in-a-day", count)?,
        bytes: arguments.parsed("--send-bytes", "a number of octets")?,
        delay_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
        notice: arguments.option("--send-notice")?,
        refuse_kinds: kinds(arguments.options("--refuse-kind")?)?,
        allow_kinds: arguments.options("--allow-kind")?,
        smart_host,
        no_smart_host,
        source,
        no_source,
    };
    if let Some(wrong) = out_of_bounds(&change) {
        return Err(wrong);
    }
    let user = arguments.option("--send-user")?;
    let no_sign_in = arguments.switch("--no-send-user");
    let from = arguments.option("--send-password-file")?;
    let descriptor = arguments.parsed::<u32>("--send-password-fd", "a descriptor's number")?;
    if let Some(wrong) = contradiction(user.is_some(), no_sign_in, from.is_some(), descriptor) {
        return Err(wrong);
    }
    if change == SendingChange::default() && user.is_none() && !no_sign_in {
        return Ok(None);
    }
    let name = arguments.word("the tenant's name")?;
    let sign_in = user.map(|user| read_sign_in(user, from, descriptor)).transpose()?;
    Ok(Some(Request::TenantSending { name, change, sign_in, no_sign_in }))
}

const STANDS: &str = "tenant show NAME tells what stands now";

/// Numbers that no tenant can have: known without asking anybody.
fn out_of_bounds(change: &SendingChange) -> Option<Trouble> {
    let wrong = |option: &str, number: Option<u64>, least: u64, most: u64, what: &str| {
        let number = number.filter(|number| !(least..=most).contains(number))?;
        let expected = format!("{option}: {least} to {most} {what}");
        Some(Trouble::wrong_use(&expected, number.to_string(), STANDS))
    };
    let (ten, day) = (change.in_ten_minutes.map(u64::from), change.in_a_day.map(u64::from));
    let seconds = change.delay_ms.map(|delay| delay / 1_000);
    let recipients = u64::from(MOST_RECIPIENTS);
    wrong("--send-in-ten-minutes", ten, 1, recipients, "recipients")
        .or_else(|| wrong("--send-in-a-day", day, 1, recipients, "recipients"))
        .or_else(|| {
            let most = terms::MESSAGE_BYTES as u64;
            wrong("--send-bytes", change.bytes, LEAST_BYTES, most, "octets")
        })
        .or_else(|| wrong("--send-delay", seconds, 0, LONGEST_DELAY_MS / 1_000, "seconds"))
}

/// A name alone, or nothing but an end to it.
fn contradiction(user: bool, none: bool, file: bool, descriptor: Option<u32>) -> Option<Trouble> {
    let wrong = |expected, found| {
        let hint = "--send-user NAME [--send-password-file FILE | --send-password-fd N]";
        Some(Trouble::wrong_use(expected, found, hint))
    };
    match (user, none, file, descriptor.is_some()) {
        (true, true, ..) => wrong("--send-user or --no-send-user", "both"),
        (false, _, true, _) | (false, _, _, true) => wrong("--send-user NAME", "a password alone"),
        (_, _, true, true) => wrong("a file or a descriptor", "both"),
        _ => None,
    }
}

/// The password: from a file, a descriptor, the terminal or standard input. No argument carries it.
fn read_sign_in(
    user: String,
    file: Option<String>,
    descriptor: Option<u32>,
) -> Result<SignIn, Trouble> {
    let Some(file) = file else {
        let prompt = format!("Password of {user} at the smart host");
        let password = super::grounds::password(&prompt, ("--send-password-fd", descriptor))?;
        return Ok(SignIn { user, password });
    };
    let text = super::terminal::read_file(std::path::Path::new(&file))?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    Ok(SignIn { user, password })
}

/// Kinds of file as dispatch finds them: by the scanner's words, by what a file really is, by its
/// ending or its declared type. An ending or type that no table knows is written as what it is.
fn kinds(kinds: Vec<String>) -> Result<Vec<String>, Trouble> {
    let known = mime::detect::kinds_of_files();
    for kind in &kinds {
        let plain = kind.trim().to_lowercase();
        let is_ending = plain.strip_prefix('.').is_some_and(|ending| !ending.is_empty());
        if !is_ending && !plain.contains('/') && !known.contains(&plain.as_str()) {
            let known = known.iter().copied().collect::<Vec<_>>().join(", ");
            let hint = format!("one of {known}");
            let expected = "a kind of file that is known, or an ending with its dot (.bogus)";
            return Err(Trouble::wrong_use(expected, kind.clone(), &hint));
        }
    }
    Ok(kinds)
}

/// `HOST:PORT[:implicit|starttls|if-offered]`, as the value of that option.
pub fn smart_host_at(option: &str, text: &str) -> Result<SmartHost, Trouble> {
    let wrong = || Trouble::wrong_use(HOST_SHAPE, text, &format!("{option} relay.example:587"));
    let word = |tls| match tls {
        "implicit" => Some(HopTls::Implicit),
        "starttls" => Some(HopTls::StartTls),
        "if-offered" => Some(HopTls::IfOffered),
        _ => None,
    };
    let (front, last) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (place, tls) = match word(last) {
        Some(tls) => (front, tls),
        None => (text, HopTls::StartTls),
    };
    let (name, port) = place.rsplit_once(':').ok_or_else(wrong)?;
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let port = port.parse().map_err(|_| wrong())?;
    let is_literal = name.contains(':') && name.parse::<IpAddr>().is_err();
    if name.is_empty() || is_literal {
        return Err(wrong());
    }
    Ok(SmartHost { name: terms::dns_name(name), port, tls })
}

#[cfg(test)]
mod tests {
    use super::{change, smart_host_at};
    use crate::arguments::Arguments;
    use crate::outcome::Trouble;
    use wire::admin::Request;

    fn typed(text: &str) -> Option<Option<Request>> {
        let words = text.split_whitespace().map(str::to_owned).collect();
        change(&mut Arguments::new(words)).ok()
    }

    #[test]
    fn a_smart_host_has_a_name_a_port_and_tls() {
        let check = |text: &str, expected: &str| {
            let found = smart_host_at("--host", text)
                .map(|host| format!("{} {} {:?}", host.name, host.port, host.tls));
            assert_eq!(found.unwrap_or_else(|_| "wrong".to_owned()), expected, "{text}");
        };
        check("relay.example:587", "relay.example 587 StartTls");
        check("Relay.Example.:465:implicit", "relay.example 465 Implicit");
        check("relay.example:25:if-offered", "relay.example 25 IfOffered");
        check("192.0.2.1:25:starttls", "192.0.2.1 25 StartTls");
        check("[2001:db8::1]:25", "2001:db8::1 25 StartTls");
        check("relay.example", "wrong");
        check("relay.example:smtp", "wrong");
        check("relay.example:25:maybe", "wrong");
        check("relay:x:25", "wrong");
        check(":25", "wrong");
        check("relay.example:70000", "wrong");
        let Err(Trouble::WrongUse { hint, .. }) = smart_host_at("--host", "foo") else {
            panic!("no wrong use");
        };
        assert!(hint.starts_with("--host "), "{hint}");
    }

    #[test]
    fn options_of_what_leaves_make_a_change_of_their_own() {
        assert!(matches!(typed("Kaede --junk-from 5"), Some(None)));
        let Some(Some(Request::TenantSending { name, change, .. })) = typed(
            "Kaede --send-in-a-day 10 --send-delay 60 --refuse-kind exe --refuse-kind zip \
             --allow-kind pdf --source none --no-smart-host --send-notice=",
        ) else {
            panic!("no change");
        };
        assert_eq!(
            (name.as_str(), change.in_a_day, change.delay_ms),
            ("Kaede", Some(10), Some(60_000))
        );
        assert_eq!((change.refuse_kinds.len(), change.allow_kinds.len()), (2, 1));
        assert!(change.no_source && change.no_smart_host);
        assert_eq!(change.notice.as_deref(), Some(""));
        for wrong in [
            "Kaede --send-in-a-day many",
            "Kaede --send-delay 5m",
            "Kaede --send-delay 999999999",
            "Kaede --send-delay 86401",
            "Kaede --send-in-ten-minutes 0",
            "Kaede --send-in-a-day 1000001",
            "Kaede --send-bytes 1",
            "Kaede --send-bytes 1023",
            "Kaede --refuse-kind bogus",
            "Kaede --refuse-kind .",
            "Kaede --source here",
            "Kaede --smart-host relay.example:25 --no-smart-host",
            "--send-in-a-day 5",
            "Kaede --send-user a --no-send-user",
            "Kaede --send-password-file f",
            "Kaede --send-user a --send-password-file f --send-password-fd 3",
            "Kaede --send-user a --send-password-file /nowhere/at/all",
        ] {
            assert!(typed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_read_and_never_an_argument() {
        let file = std::env::temp_dir().join(format!("send-password-{}", std::process::id()));
        std::fs::write(&file, "open sesame\r\nmore\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, mode).unwrap();
        let words = format!("Kaede --send-user kaede --send-password-file {}", file.display());
        let Some(Some(Request::TenantSending { name, change, sign_in, no_sign_in })) =
            typed(&words)
        else {
            panic!("no change");
        };
        std::fs::remove_file(&file).unwrap();
        let sign_in = sign_in.unwrap();
        assert_eq!((name.as_str(), sign_in.user.as_str()), ("Kaede", "kaede"));
        assert_eq!(sign_in.password, "open sesame");
        assert!(!no_sign_in && change == wire::admin::SendingChange::default());
        let forgets = typed("Kaede --no-send-user");
        assert!(matches!(forgets, Some(Some(Request::TenantSending { no_sign_in: true, .. }))));
    }
}
