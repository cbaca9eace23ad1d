//! What a tenant lets leave, as `tenant set` takes it from the command line.

use super::people::unknown;
use crate::arguments::Arguments;
use crate::outcome::Trouble;
use std::net::IpAddr;
use wire::admin::{Request, SendingChange};
use wire::directory::SmartHost;
use wire::post::HopTls;

const HOST_SHAPE: &str = "HOST:PORT[:implicit|starttls|if-offered]";

/// The change, if any of its options stands there; then no other setting may.
pub fn change(arguments: &mut Arguments) -> Result<Option<Request>, Trouble> {
    let no_smart_host = arguments.switch("--no-smart-host");
    let smart_host = arguments.option("--smart-host")?.map(|text| smart_host(&text)).transpose()?;
    if no_smart_host && smart_host.is_some() {
        let hint = "--smart-host HOST:PORT, or --no-smart-host";
        return Err(Trouble::wrong_use("one of the two", "both", hint));
    }
    let source = arguments.option("--source")?;
    let no_source = source.as_deref() == Some("none");
    let source = source.filter(|_| !no_source).map(|text| address(&text)).transpose()?;
    let count = "a number of recipients";
    let seconds = arguments.parsed::<u64>("--send-delay", "a number of seconds")?;
    let change = SendingChange {
        in_ten_minutes: arguments.parsed("--send-in-ten-minutes", count)?,
        in_a_day: arguments.parsed("--send-in-a-day", count)?,
        bytes: arguments.parsed("--send-bytes", "a number of octets")?,
        delay_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
        notice: arguments.option("--send-notice")?,
        refuse_kinds: arguments.options("--refuse-kind")?,
        allow_kinds: arguments.options("--allow-kind")?,
        smart_host,
        no_smart_host,
        source,
        no_source,
    };
    if change == SendingChange::default() {
        return Ok(None);
    }
    let name = arguments.word("the tenant's name")?;
    Ok(Some(Request::TenantSending { name, change }))
}

fn smart_host(text: &str) -> Result<SmartHost, Trouble> {
    let wrong = || Trouble::wrong_use(HOST_SHAPE, text, "--smart-host relay.example:587");
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
    Ok(SmartHost { name: name.trim_end_matches('.').to_lowercase(), port, tls })
}

fn address(text: &str) -> Result<IpAddr, Trouble> {
    text.parse().map_err(|_| unknown("an address of this machine, or none", text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{change, smart_host};
    use crate::arguments::Arguments;
    use wire::admin::Request;

    fn typed(text: &str) -> Option<Option<Request>> {
        let words = text.split_whitespace().map(str::to_owned).collect();
        change(&mut Arguments::new(words)).ok()
    }

    #[test]
    fn a_smart_host_has_a_name_a_port_and_tls() {
        let check = |text: &str, expected: &str| {
            let found =
                smart_host(text).map(|host| format!("{} {} {:?}", host.name, host.port, host.tls));
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
    }

    #[test]
    fn options_of_what_leaves_make_a_change_of_their_own() {
        assert!(matches!(typed("Kaede --junk-from 5"), Some(None)));
        let Some(Some(Request::TenantSending { name, change })) = typed(
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
            "Kaede --source here",
            "Kaede --smart-host relay.example:25 --no-smart-host",
            "--send-in-a-day 5",
        ] {
            assert!(typed(wrong).is_none(), "{wrong}");
        }
    }
}
