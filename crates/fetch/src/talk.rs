//! One connection to a mail server: `courier` says what to write, this writes and reads it until
//! its time is over.

use crate::Fault;
use crate::desk::Desk;
use crate::exchange::{Place, reach};
use courier::{Courier, Tls, Want};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls::{Anybody, Line, client_config};

/// Read at once.
const READ_BYTES: usize = 16 * 1024;

pub(crate) struct Talk {
    pub line: Line,
    pub courier: Courier,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    until: Instant,
}

/// A connection to that server, with TLS already where it begins with it. What must be TLS must
/// show a certificate of the host's.
pub(crate) fn begin(
    host: &str,
    (place, tls): (Place, Tls),
    desk: &mut Desk,
    until: Instant,
) -> Result<Result<Talk, String>, Fault> {
    let (config, name) = match security(host, tls, desk) {
        Ok(security) => security,
        Err(why) => return Ok(Err(why)),
    };
    let line = match reach(host, place, desk, until)? {
        Ok((line, _)) => line,
        Err(why) => return Ok(Err(why)),
    };
    let courier = Courier::new(&desk.host_name, tls);
    let mut talk = Talk { line, courier, config, name, until };
    if tls == Tls::Already
        && let Err(fault) = talk.secure(desk)
    {
        return Ok(Err(format!("TLS could not be made: {fault}")));
    }
    Ok(Ok(talk))
}

fn security(
    host: &str,
    tls: Tls,
    desk: &mut Desk,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
    let config = match tls {
        Tls::IfOffered | Tls::Never => client_config(Arc::new(Anybody), &[]),
        Tls::Already | Tls::Required => {
            let no_authority = || "no authority is known that could prove a certificate";
            client_config(desk.authorities().verifier().ok_or_else(no_authority)?, &[])
        }
    };
    let config = config.map_err(|fault| fault.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|fault| fault.to_string())?;
    Ok((config, name))
}

impl Talk {
    /// Writes what there is to say, and does what needs nobody else.
    pub(crate) fn step(&mut self, desk: &mut Desk) -> Want {
        let want = self.courier.next();
        let output = self.courier.take_output();
        if !output.is_empty() && self.line.write(&output, self.until).is_err() {
            self.courier.closed();
            return Want::Read(Duration::ZERO);
        }
        match want {
            Want::Read(_) => self.read(desk),
            Want::Secure => match self.secure(desk) {
                Ok(()) => self.courier.secured(),
                Err(fault) => self.courier.not_secured(fault.to_string()),
            },
            _ => {}
        }
        want
    }

    fn read(&mut self, desk: &mut Desk) {
        let mut buffer = [0; READ_BYTES];
        match desk.read(&mut self.line, &mut buffer, self.until) {
            Ok(0) => self.courier.closed(),
            Ok(count) => self.courier.feed(buffer.get(..count).unwrap_or(&[])),
            Err(fault) if fault.kind() == ErrorKind::TimedOut => self.courier.timed_out(),
            Err(_) => self.courier.closed(),
        }
    }

    fn secure(&mut self, desk: &mut Desk) -> io::Result<()> {
        let (config, name) = (self.config.clone(), self.name.clone());
        self.line.secure_meanwhile(config, name, self.until, &mut desk.meanwhile())
    }
}
