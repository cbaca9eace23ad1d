//! Where alarms go outside of this host: from the settings, and `sekisho alarm test`.

use super::terminal;
use crate::arguments::Arguments;
use crate::client::value;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::{Value, json};
use settings::Alarms;
use std::net::SocketAddr;
use std::path::Path;
use wire::admin::Request;
use wire::fetch::{MailRoute, Outward, RelaySecurity, Webhook};

/// Of HMAC-SHA-256's key: less could be guessed.
const SECRET_BYTES: usize = 16;

/// The routes, and the secret that signs what is posted.
pub fn outward(alarms: &Alarms) -> Result<(Outward, Vec<u8>), Trouble> {
    let at = |text: &str| text.parse::<SocketAddr>().ok();
    let mut secret = Vec::new();
    let webhook = match alarms.webhook() {
        Some((host, port, path)) => {
            secret = read_secret(&alarms.webhook_secret)?;
            let (host, path) = (host.to_ascii_lowercase(), path.to_owned());
            Some(Webhook { host, port, path, at: at(&alarms.webhook_at) })
        }
        None => None,
    };
    let mail = alarms.mail_relay().map(|(host, port, security)| MailRoute {
        host: host.to_ascii_lowercase(),
        port,
        security: match security {
            "implicit" => RelaySecurity::Implicit,
            "if-offered" => RelaySecurity::IfOffered,
            _ => RelaySecurity::StartTls,
        },
        at: at(&alarms.mail_relay_at),
        from: alarms.mail_from.clone(),
        to: alarms.mail_to.clone(),
    });
    Ok((Outward { webhook, mail }, secret))
}

fn read_secret(path: &Path) -> Result<Vec<u8>, Trouble> {
    let text = terminal::read_file(path)?;
    let secret = text.trim().as_bytes();
    if secret.len() < SECRET_BYTES {
        let found = format!("{} octets in {}", secret.len(), path.display());
        let hint = "`openssl rand -hex 32` makes one; give the receiver the same";
        return Err(Trouble::refused("a secret of 16 octets or more", found, hint));
    }
    Ok(secret.to_vec())
}

/// One alarm over every route; found wanting if a route that is configured does not take it.
pub fn alarm(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.data()?;
    match arguments.word("test")?.as_str() {
        "test" => arguments.finish()?,
        other => return Err(Trouble::wrong_use("test", other, "sekisho alarm test")),
    }
    let answer = value(&data, &Request::AlarmTest)?;
    let routes = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_failed = routes.iter().any(|route| route.get("arrived") == Some(&json!(false)));
    if !as_json {
        routes.iter().for_each(|route| println!("{}", plainly(route)));
        return Ok(Outcome::Told(u8::from(is_failed)));
    }
    Ok(if is_failed { Outcome::Wanting(answer) } else { Outcome::Done(answer) })
}

/// For people, in their language; a remote's own words stay as they are.
fn plainly(route: &Value) -> String {
    let word = |name: &str| route.get(name).and_then(Value::as_str).unwrap_or_default();
    let arrived = match route.get("arrived").and_then(Value::as_bool) {
        Some(true) => say("届いた", "taken"),
        Some(false) => say("届かない", "NOT taken"),
        None => say("未設定", "not configured"),
    };
    let name = match word("route") {
        "console" => say("画面(標準エラー)", "console"),
        "ledger" => say("台帳", "ledger"),
        "syslog" => say("syslog", "syslog"),
        "webhook" => say("ウェブフック", "webhook"),
        "mail" => say("メール", "mail"),
        other => other,
    };
    let said = match word("said") {
        "told to the warden" => say("番人に伝えた", "told to the warden"),
        "recorded" => say("記録された", "recorded"),
        "written" => say("書き込まれた", "written"),
        "not configured" => "",
        "no answer came in time" => say("時間内に応答なし", "no answer came in time"),
        "fetch is away" => say("fetch が止まっている", "fetch is away"),
        other => other,
    };
    format!("{name}: {arrived}  {said}").trim_end().to_owned()
}
