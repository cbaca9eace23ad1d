//! What a tenant lets leave, and who gets what nobody has an address for.

use crate::approvals::{perform, permission};
use crate::credentials;
use crate::domains;
use crate::passing::redirect;
use crate::peers::{Answer, Peers, Refusal};
use crate::people::{self, one_tenant};
use crate::places;
use serde_json::{Value, json};
use wire::admin::{SendingChange, SignIn};
use wire::approval::Act;
use wire::directory::{Domain, FromAdmin, SendingSettings, SmartHost, ToAdmin};
use wire::pages::{TransportMode, TransportPolicy};
use wire::post::HopTls;
use wire::redirection::Redirection;
use wire::tls_report::Kept;

/// `tenant set`: what limits as much is done at once, what limits less is an act for two. A sign-in
/// is there before mail goes where it is asked for.
pub fn set(
    peers: &mut Peers<'_>,
    name: String,
    change: SendingChange,
    (sign_in, no_sign_in): (Option<SignIn>, bool),
) -> Answer {
    if let Some(host) = &change.smart_host {
        is_dialled(host.port, &peers.ports_of_hosts(), "--smart-host")?;
    }
    let tenant = one_tenant(peers, &name)?;
    let changes_more = change != SendingChange::default();
    let settings = changed(&tenant.sending, change);
    if let Some(sign_in) = sign_in {
        credentials::set(peers, tenant.tenant, settings.smart_host.as_ref(), sign_in)?;
    }
    if no_sign_in {
        credentials::forget(peers, tenant.tenant)?;
    }
    if !changes_more {
        return places::show_tenant(peers, name);
    }
    if settings.is_weaker_than(&tenant.sending) {
        let permission = permission(peers)?;
        let act = Act::ChangeSending { tenant: tenant.tenant, settings };
        return perform(peers, act, permission);
    }
    let question = FromAdmin::Sending { tenant: name.clone(), settings };
    places::directory(peers, &question, |answer| match answer {
        ToAdmin::Tenant(tenant) => Some(places::tenant_json(&tenant)),
        _ => None,
    })?;
    places::show_tenant(peers, name)
}

/// A host at a port that nobody may dial would take no mail.
pub fn is_dialled(port: u16, allowed: &[u16], option: &str) -> Result<(), Refusal> {
    if allowed.contains(&port) {
        return Ok(());
    }
    let shown = allowed.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let hint = format!("{option} HOST:PORT; `relay.smart_host_ports` in the settings allows more");
    Err(Refusal::new(&format!("one of the ports {shown}"), &port.to_string(), &hint))
}

fn changed(before: &SendingSettings, change: SendingChange) -> SendingSettings {
    let smart_host = match change.no_smart_host {
        true => None,
        false => change.smart_host.or_else(|| before.smart_host.clone()),
    };
    let source = match change.no_source {
        true => None,
        false => change.source.or(before.source),
    };
    SendingSettings {
        in_ten_minutes: change.in_ten_minutes.unwrap_or(before.in_ten_minutes),
        in_a_day: change.in_a_day.unwrap_or(before.in_a_day),
        bytes: change.bytes.unwrap_or(before.bytes),
        delay_ms: change.delay_ms.unwrap_or(before.delay_ms),
        refused_kinds: kinds(&before.refused_kinds, &change.refuse_kinds, &change.allow_kinds),
        notice: change.notice.unwrap_or_else(|| before.notice.clone()),
        smart_host,
        source,
    }
}

/// Those refused until now, with the new ones and without those let go.
fn kinds(before: &[String], refused: &[String], allowed: &[String]) -> Vec<String> {
    let plain = |kind: &String| kind.trim().trim_start_matches('.').to_lowercase();
    let allowed: Vec<String> = allowed.iter().map(plain).collect();
    let mut kinds = before.to_vec();
    for kind in refused.iter().map(plain) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.retain(|kind| !allowed.contains(kind));
    kinds
}

pub fn sending_json(settings: &SendingSettings) -> Value {
    json!({
        "in_ten_minutes": settings.in_ten_minutes,
        "in_a_day": settings.in_a_day,
        "bytes": settings.bytes,
        "delay_seconds": settings.delay_ms / 1_000,
        "refused_kinds": settings.refused_kinds,
        "notice": settings.notice,
        "smart_host": settings.smart_host.as_ref().map(host_json),
        "source": settings.source.map(|source| source.to_string()),
    })
}

pub fn host_json(host: &SmartHost) -> Value {
    let tls = match host.tls {
        HopTls::Implicit => "implicit",
        HopTls::StartTls => "starttls",
        HopTls::IfOffered => "if-offered",
    };
    json!({ "host": host.name, "port": host.port, "tls": tls })
}

/// What `domain set` may change; what is left away stays as it is.
pub struct DomainWish {
    pub catch_all: Option<String>,
    pub mta_sts: Option<String>,
    pub max_age_seconds: Option<u32>,
}

/// `domain set`.
pub fn set_domain(peers: &mut Peers<'_>, domain: String, wish: DomainWish) -> Answer {
    let mode = match wish.mta_sts {
        Some(word) => {
            let hint = "testing asks for reports only; enforce has mail wait rather than go unsafe";
            let mode = TransportMode::parse(&word);
            Some(mode.ok_or_else(|| Refusal::new("testing, enforce or none", &word, hint))?)
        }
        None => None,
    };
    let max_age_seconds = wish.max_age_seconds;
    let mut done = None;
    if mode.is_some() || max_age_seconds.is_some() {
        let named = domain.clone();
        let change = Redirection::Transport { domain: named, mode, max_age_seconds };
        let mut told = redirect(peers, change)?;
        // To have it enforced is nothing where no sender can believe it, or worse.
        if mode == Some(TransportMode::Enforce) {
            let policy = TransportPolicy { mode: TransportMode::Enforce, ..Default::default() };
            let domain = told.get("domain").and_then(Value::as_str).unwrap_or(&domain);
            let warnings = domains::trust::warnings(peers, domain, policy);
            people::set(&mut told, "warnings", json!(warnings));
        }
        done = Some(told);
    }
    match wish.catch_all.as_deref() {
        Some("none") => {
            let question = FromAdmin::CatchAll { domain, address: None };
            done = Some(places::directory(peers, &question, |answer| match answer {
                ToAdmin::Domain(domain) => Some(domain_json(&domain)),
                _ => None,
            })?);
        }
        Some(address) => {
            let address = address.to_owned();
            done = Some(redirect(peers, Redirection::CatchAll { domain, address })?);
        }
        None => {}
    }
    let hint = "--catch-all ADDRESS|none, --mta-sts MODE, --mta-sts-max-age SECONDS";
    done.ok_or_else(|| Refusal::new("something to set", "nothing", hint))
}

pub fn domain_json(domain: &Domain) -> Value {
    let mut shown = json!({
        "domain": domain.domain,
        "tenant": domain.tenant,
        "catch_all": domain.catch_all,
        "mta_sts": {
            "mode": domain.transport.mode.word(),
            "max_age": domain.transport.max_age_seconds,
        },
    });
    crate::domains::in_letters(&mut shown, &domain.domain);
    if domain.is_untold {
        crate::people::set(&mut shown, "warning", json!(crate::passing::NOBODY_TOLD));
    }
    shown
}

/// `tls-reports list` and `send`: what is counted for reports about TLS (RFC 8460).
pub fn tls_reports(peers: &mut Peers<'_>, send: bool) -> Answer {
    places::directory(peers, &FromAdmin::TlsReports { send }, |answer| match answer {
        ToAdmin::TlsReports(kept) => Some(places::items(kept.iter().map(kept_json).collect())),
        _ => None,
    })
}

fn kept_json(kept: &Kept) -> Value {
    let day = evidence::rfc3339(kept.day_ms);
    json!({
        "tenant": kept.tenant,
        "domain": Some(&kept.domain).filter(|domain| !domain.is_empty()),
        "day": day.get(..10),
        "due": evidence::rfc3339(kept.due_ms),
        "to": kept.to,
        "successful_sessions": kept.good,
        "failed_sessions": kept.failed,
        "uncounted_sessions": kept.others,
    })
}

#[cfg(test)]
mod tests {
    use super::{SendingChange, changed, is_dialled};
    use wire::directory::{SendingSettings, SmartHost};
    use wire::post::HopTls;

    #[test]
    fn a_smart_host_is_at_a_port_that_is_dialled() {
        assert!(is_dialled(465, &[25, 465, 587], "--smart-host").is_ok());
        let Err(crate::peers::Refusal::Wanting { expected, found, .. }) =
            is_dialled(8_226, &[25, 465, 587], "--smart-host")
        else {
            panic!("dialled");
        };
        assert_eq!((expected.as_str(), found.as_str()), ("one of the ports 25, 465, 587", "8226"));
    }

    #[test]
    fn what_is_left_away_stays_as_it_is() {
        let before = SendingSettings {
            in_a_day: 5,
            notice: "Kaede".to_owned(),
            refused_kinds: vec!["exe".to_owned(), "zip".to_owned()],
            smart_host: Some(SmartHost {
                name: "relay.example".to_owned(),
                port: 587,
                tls: HopTls::StartTls,
            }),
            source: Some("192.0.2.1".parse().unwrap()),
            ..SendingSettings::default()
        };
        assert_eq!(changed(&before, SendingChange::default()), before);
        let change = SendingChange {
            in_ten_minutes: Some(3),
            notice: Some(String::new()),
            refuse_kinds: vec![".EXE".to_owned(), "7z".to_owned()],
            allow_kinds: vec!["zip".to_owned()],
            no_smart_host: true,
            no_source: true,
            ..SendingChange::default()
        };
        let after = changed(&before, change);
        assert_eq!((after.in_ten_minutes, after.in_a_day), (3, 5));
        assert_eq!(after.refused_kinds, ["exe", "7z"]);
        assert!(after.notice.is_empty() && after.smart_host.is_none() && after.source.is_none());
    }
}
