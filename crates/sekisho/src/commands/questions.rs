//! What `doctor` asks of a house that runs: everything at once, and nobody is waited for once it is
//! known that somebody is silent.

use super::status::{silent, unable};
use crate::client::{self, value};
use serde_json::Value;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use wire::admin::Request;

/// Who lives has answered when the house has said who does not.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// What was answered; of a folder in which nothing runs, nothing.
#[derive(Default)]
pub struct Told {
    pub status: Option<Value>,
    pub endings: Option<Value>,
    pub tenants: Option<Value>,
    pub domains: Option<Value>,
    pub queue: Option<Value>,
}

/// Asks whoever runs on this data folder.
pub fn asked(data: &Path) -> Told {
    let endings = begin(data, Request::Endings);
    let tenants = begin(data, Request::TenantList);
    let domains = begin(data, Request::DomainList { tenant: None });
    let queue = begin(data, Request::QueueStatus);
    let status = value(data, &Request::Status).ok();
    let patience = if is_somebody_silent(status.as_ref()) { AFTERWARDS } else { client::PATIENCE };
    let until = Instant::now() + patience;
    let hear = |answer: Receiver<Option<Value>>| {
        answer.recv_timeout(until.saturating_duration_since(Instant::now())).ok().flatten()
    };
    Told {
        endings: hear(endings),
        tenants: hear(tenants),
        domains: hear(domains),
        queue: hear(queue),
        status,
    }
}

/// A question on a thread of its own, which ends with us at the latest.
fn begin(data: &Path, request: Request) -> Receiver<Option<Value>> {
    let (answered, answer) = channel();
    let data = data.to_owned();
    thread::spawn(move || drop(answered.send(value(&data, &request).ok())));
    answer
}

fn is_somebody_silent(status: Option<&Value>) -> bool {
    let Some(status) = status else { return true };
    let is_cut_off =
        status.get("isolated").and_then(Value::as_array).is_none_or(|one| !one.is_empty());
    is_cut_off || !unable(status).is_empty() || !silent(status).is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_somebody_silent;
    use serde_json::json;

    #[test]
    fn who_is_silent_is_waited_for_by_nobody() {
        let well = json!({ "isolated": [], "unable": [], "away": [] });
        assert!(!is_somebody_silent(Some(&well)));
        assert!(is_somebody_silent(None));
        let vault = json!({ "isolated": [], "unable": [], "away": ["vault"] });
        let cannot = json!([{ "component": "vault", "what": "vault cannot start: signal 6" }]);
        let cannot = json!({ "isolated": [], "unable": cannot, "away": [] });
        let cut_off = json!({ "isolated": [{ "component": "vault" }], "unable": [], "away": [] });
        for status in [vault, cannot, cut_off] {
            assert!(is_somebody_silent(Some(&status)), "{status}");
        }
    }
}
