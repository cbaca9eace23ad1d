//! The command line's side of `DIR/admin.sock`.

use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use wire::admin::{Grounds, Request, Response};

/// The slowest answer waits for new keys to be recorded, or for a compartment to return.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the running service.
pub fn ask(data: &Path, request: &Request) -> Answer {
    Ok(Outcome::Done(value(data, request)?))
}

/// Asks the running service for what may need two persons, on these grounds.
pub fn ask_on(data: &Path, request: &Request, grounds: &Grounds) -> Answer {
    let fault = |error: serde_json::Error| Trouble::fault(error.to_string(), "try again");
    let mut line = serde_json::to_value(request).map_err(fault)?;
    if let Some(fields) = line.as_object_mut() {
        fields.insert("asking".to_owned(), serde_json::to_value(grounds).map_err(fault)?);
    }
    said(data, &line)
}

/// Asks the running service; the bare value.
pub fn value(data: &Path, request: &Request) -> Result<Value, Trouble> {
    let fault = |error: serde_json::Error| Trouble::fault(error.to_string(), "try again");
    match said(data, &serde_json::to_value(request).map_err(fault)?)? {
        Outcome::Done(value) => Ok(value),
        Outcome::Wanting(value) => Err(waits(&value)),
        Outcome::Told(_) | Outcome::Part(..) => Err(Trouble::fault("no answer", "try again")),
    }
}

/// A request that waits for two persons, where a value was needed.
fn waits(value: &Value) -> Trouble {
    let found = value.get("request").and_then(Value::as_str).unwrap_or_default();
    Trouble::refused("an approved act", format!("request {found}, which waits"), "approval list")
}

fn said(data: &Path, request: &Value) -> Answer {
    let path = data.join("admin.sock");
    let not_running = |error: std::io::Error| {
        let what = format!("no service answers at {}: {error}", path.display());
        Trouble::fault(what, "start it with `sekisho run` or `sekisho demo`, as this same user")
    };
    let mut socket = UnixStream::connect(&path).map_err(not_running)?;
    let fault = |what: String| Trouble::fault(what, "look at the service's own output, try again");
    let _ = socket.set_read_timeout(Some(PATIENCE));
    let mut line = serde_json::to_vec(request).map_err(|error| fault(error.to_string()))?;
    line.push(b'\n');
    socket.write_all(&line).map_err(not_running)?;
    let mut answer = String::new();
    BufReader::new(socket)
        .read_line(&mut answer)
        .map_err(|error| fault(format!("the service did not answer: {error}")))?;
    match serde_json::from_str(&answer) {
        Ok(Response::Done { value }) => {
            serde_json::from_str(&value).map(Outcome::Done).map_err(|e| fault(e.to_string()))
        }
        Ok(Response::Wanting { value }) => {
            serde_json::from_str(&value).map(Outcome::Wanting).map_err(|e| fault(e.to_string()))
        }
        Ok(Response::Refused { expected, found, hint }) => {
            Err(Trouble::Refused { expected, found, hint })
        }
        Ok(Response::Fault { what }) if what.contains(" is away") => {
            let hint = "if it was isolated: `release` it; else see the service's output, try again";
            Err(Trouble::fault(what, hint))
        }
        Ok(Response::Fault { what }) => Err(fault(what)),
        Err(_) => Err(fault("the service closed the connection without an answer".to_owned())),
    }
}
