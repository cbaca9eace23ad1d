//! A whole SMTP session, in pieces of every size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Event, Limits, Reply, Session};

fuzz_target!(|data: &[u8]| {
    let Some((piece, octets)) = data.split_first() else { return };
    let (is_tls, offers) = (piece & 1 == 1, piece & 2 == 2);
    let mut session = match piece & 4 == 4 {
        true => Session::submission(Limits::default(), "mx.example", is_tls),
        false => Session::new(Limits::default(), "mx.example", is_tls, offers),
    };
    session.greet();
    for piece in octets.chunks(usize::from(*piece) + 1) {
        session.feed(piece);
        loop {
            match session.next_event() {
                Event::Read => break,
                Event::Close(_) => return,
                Event::Octets(_) | Event::Hello(_) | Event::Forget(_) => {}
                Event::StartTls => session.reply(Reply::new(454, (7, 0), "no")),
                Event::Data => session.reply(Reply::go_ahead()),
                _ => session.reply(Reply::new(250, (0, 0), "yes")),
            }
        }
        session.take_output();
    }
});
