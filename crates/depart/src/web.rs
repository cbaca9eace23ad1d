//! Reports about TLS to whoever wants them by HTTPS (RFC 8460 §3): the packed report is handed up
//! as it is, by `fetch`. Nobody is told when it does not arrive: it was written by nobody.

use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle, Taken};
use crate::neighbours::Neighbours;
use notice::Reason;
use wire::control::Report;
use wire::fetch::{Answer, BUSY};
use wire::post::Why;

/// RFC 8460 §6.2.
const CONTENT_TYPE: &str = "application/tlsrpt+gzip";

/// Gives the leg its fate.
pub(crate) fn hand_up(leg: &mut Leg, place: (&str, &str), hands: &Hands, house: &mut Neighbours) {
    let packed = leg.text(hands, house).and_then(|text| text.whole());
    let fate = match packed {
        Ok(packed) => fate(place.0, house.hand_up(place, CONTENT_TYPE, packed)),
        Err(fault) => {
            house.report(&Report::Note { text: format!("depart: {fault}") });
            Fate::Left(Some(Obstacle::ours("it could not be opened")))
        }
    };
    leg.settle(|| fate.clone());
}

/// What a resource's answer is for a report. Not one word of its body is taken.
fn fate(host: &str, answer: Answer) -> Fate {
    let status = match answer {
        Answer::Got { status, .. } => status,
        Answer::Failed(why) if why == BUSY => return Fate::Left(Some(Obstacle::ours(&why))),
        Answer::Failed(why) => {
            let unreachable = Obstacle::of(Why::Unreachable, (4, 4, 1), &why);
            return Fate::Left(Some(unreachable.at(host)));
        }
    };
    let words = format!("HTTP status {status}");
    match status {
        200..=299 => {
            let (remote, answer) = (Some(host.to_owned()), Some(words));
            Fate::Sent(Taken { remote, answer, tells_itself: false, met: None })
        }
        // It will not have it, now or later. The others of this class speak of the moment.
        400..=499 if !matches!(status, 408 | 421 | 425 | 429) => {
            let unwanted = Obstacle::answered((5, 0, 0), &words).at(host);
            Fate::Failed(unwanted.because(Reason::System))
        }
        // Nobody goes where an answer points.
        _ => Fate::Left(Some(Obstacle::answered((4, 0, 0), &words).at(host))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_fates() {
        let check = |status: u16, expected: &str| {
            let (content_type, body) = ("text/html".to_owned(), b"anything".to_vec());
            let found = match fate("there.example", Answer::Got { status, content_type, body }) {
                Fate::Sent(_) => "sent",
                Fate::Failed(_) => "failed",
                Fate::Left(_) => "left",
            };
            assert_eq!(found, expected, "{status}");
        };
        for status in [200, 201, 202, 204] {
            check(status, "sent");
        }
        for status in [400, 401, 403, 404, 405, 410, 413, 415] {
            check(status, "failed");
        }
        for status in [301, 302, 308, 408, 425, 429, 500, 502, 503] {
            check(status, "left");
        }
        let away = fate("there.example", Answer::Failed("no address".to_owned()));
        assert!(matches!(away, Fate::Left(Some(Obstacle { why: Why::Unreachable, .. }))));
        let busy = fate("there.example", Answer::Failed(BUSY.to_owned()));
        assert!(matches!(busy, Fate::Left(Some(Obstacle { why: Why::Ours, .. }))));
    }
}
