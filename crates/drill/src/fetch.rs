//! A hostile fetch: answers with what nobody sent, and dials where nothing is to be fetched.

use crate::intruder::Intruder;
use crate::report::{Facts, Told};
use crate::{dials, keeper};
use std::time::{Duration, Instant};
use wire::fetch::{Answer, Ask};

const PULSE: Duration = Duration::from_millis(10);
/// A policy that lets mail go to whoever claims to be the destination.
const LIE: &[u8] =
    b"version: STSv1\r\nmode: none\r\nmx: mx.attacker.example\r\nmax_age: 604800\r\n";

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    keeper::abuse(intruder, facts);
    dials::dial_about(intruder, facts);
    dials::dial_mail(intruder);
}

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    intruder.tell(&Told::Lies);
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard = Vec::new();
        for (_, channel) in &intruder.held {
            while let Ok(Some(frame)) = channel.take() {
                if let Ok(Ask::Get { .. } | Ask::Post { .. }) = frame.read() {
                    let content_type = "text/plain".to_owned();
                    let answer = Answer::Got { status: 200, content_type, body: LIE.to_vec() };
                    let _ = channel.send(frame.call, &answer, &[]);
                }
                heard.push(frame.payload);
            }
        }
        heard.into_iter().for_each(|payload| intruder.obtained("what it was asked", payload));
        std::thread::sleep(PULSE);
    }
}
