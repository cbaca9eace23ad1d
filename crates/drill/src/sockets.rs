//! A hostile `names` or `zone`: turns the sockets that it was given towards somebody else.

use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::keeper;
use crate::report::{Asset, Facts, Told};
use compartment::hostile::misdirect;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Report;

const PULSE: Duration = Duration::from_millis(20);

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    keeper::abuse(intruder, facts);
    if intruder.kind == Kind::Names {
        for server in [0, 9, u16::MAX] {
            for over_tcp in [false, true] {
                let report = Report::Resolvers { server, over_tcp, sockets: 4 };
                let _ = intruder.house.report(&report, &[]);
            }
        }
    }
    let until = Instant::now() + JOIN_LIMIT;
    while Instant::now() < until && intruder.resolvers.is_empty() && intruder.listeners.is_empty() {
        intruder.gather();
        std::thread::sleep(PULSE);
    }
    let listeners = intruder.listeners.iter().map(|(_, fd)| fd.as_fd());
    let sockets: Vec<_> = intruder.resolvers.iter().map(AsFd::as_fd).chain(listeners).collect();
    for socket in sockets {
        for (act, call, done) in misdirect(socket, facts.outside) {
            let errno = done.err().map(|error| error.raw_os_error().unwrap_or(-1));
            // What got out is for whoever listens there to say: a call that worked is no proof.
            let errno = errno.or(Some(0));
            let (asset, act, call) = (Asset::Host, act.to_owned(), call.to_owned());
            intruder.tell(&Told::Act { asset, act, call, errno });
        }
    }
}
