//! Connections to where a compartment has no business: the warden makes every socket, and says no.

use crate::channels::word;
use crate::intruder::Intruder;
use crate::report::{Asset, Facts};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::control::{DIALS_BUSY, Report};

const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const PULSE: Duration = Duration::from_millis(20);
/// When the whole house dials too often.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

/// Places that no compartment which dials may reach.
pub fn dial_about(intruder: &mut Intruder, facts: &Facts) {
    let here = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    for (asset, what, to) in [
        (Asset::Host, "another port of this host", facts.outside),
        (Asset::Host, "this host's shell", here(22)),
        (Asset::Host, "a port that is none", here(0)),
        (Asset::CloudCredentials, "the cloud's own address", ([169, 254, 169, 254], 80).into()),
        (Asset::StoredBodies, "a database of the inner network", ([10, 0, 0, 5], 5432).into()),
        (Asset::MailInFlight, "a stranger's HTTP", ([203, 0, 113, 9], 80).into()),
        (Asset::MailInFlight, "a stranger's DNS", ([203, 0, 113, 9], 53).into()),
    ] {
        let dialled = dial(intruder, to);
        let answer = dialled.as_ref().err().cloned().unwrap_or_else(|| "a socket".to_owned());
        word(intruder, asset, &format!("dial {what}"), dialled.is_err(), &answer);
    }
}

/// Ports of mail: where nobody has a question for a customer's server, `fetch` has no business.
pub fn dial_mail(intruder: &mut Intruder) {
    for port in [25, 465, 587] {
        let dialled = dial(intruder, ([203, 0, 113, 9], port).into());
        let answer = dialled.as_ref().err().cloned().unwrap_or_else(|| "a socket".to_owned());
        let act = format!("dial a stranger's mail server at port {port}");
        word(intruder, Asset::MailInFlight, &act, dialled.is_err(), &answer);
    }
}

fn dial(intruder: &mut Intruder, to: SocketAddr) -> Result<OwnedFd, String> {
    for call in 1..=TRIES {
        match dial_once(intruder, call, to) {
            Err(why) if why == DIALS_BUSY => std::thread::sleep(PAUSE),
            dialled => return dialled,
        }
    }
    Err(DIALS_BUSY.to_owned())
}

fn dial_once(intruder: &mut Intruder, call: u32, to: SocketAddr) -> Result<OwnedFd, String> {
    intruder.dialled.clear();
    let asked = intruder.house.report(&Report::Dial { call, to, from: None }, &[]);
    asked.map_err(|fault| fault.to_string())?;
    let until = Instant::now() + ANSWER_LIMIT;
    while Instant::now() < until {
        intruder.gather();
        if let Some(dialled) = intruder.dialled.remove(&call) {
            return dialled;
        }
        let _ = intruder.house.control.wait(PULSE);
    }
    Err("no answer".to_owned())
}
