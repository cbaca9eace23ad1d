//! The command line's side of `DIR/admin.sock`.

use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use wire::admin::{Request, Response};

/// The slowest answer waits for new keys to be recorded, or for a compartment to return.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the running service.
pub fn ask(data: &Path, request: &Request) -> Answer {
    Ok(Outcome::Done(value(data, request)?))
}

/// Asks the running service; the bare value.
pub fn value(data: &Path, request: &Request) -> Result<Value, Trouble> {
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
            serde_json::from_str(&value).map_err(|error| fault(error.to_string()))
        }
        Ok(Response::Refused { expected, found, hint }) => {
            Err(Trouble::Refused { expected, found, hint })
        }
        Ok(Response::Fault { what }) => Err(fault(what)),
        Err(_) => Err(fault("the service closed the connection without an answer".to_owned())),
    }
}
