//! One connection: a handshake, then requests one after the other, each within its time.

use crate::Fault;
use crate::ends::{Ends, Woken};
use crate::line::Line;
use crate::site::Site;
use compartment::now_ms;
use http::{Answer, CONTINUE, Ending, Method, Reader, Step};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Requests of one connection: a browser asks for three.
const REQUESTS: u32 = 100;
/// From the first octet of a request to its last; whoever sends one octet a second is let go.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// Between two requests.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// A connection's life, whatever is asked.
const LIFE_LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn serve(socket: OwnedFd, ends: &mut Ends) -> Result<(), Fault> {
    let config = tls::server_config(ends.signer(), &[b"http/1.1"]).map_err(Fault::Tls)?;
    let mut line = Line::open(socket, config)?;
    let mut site = Site::new(ends.start(), line.server_name());
    let mut reader = Reader::default();
    let end = Instant::now() + LIFE_LIMIT;
    for round in 1..=REQUESTS {
        let Some(answered) = next(&mut line, &mut reader, ends, end)? else { break };
        let (answer, method, keeps) = match answered {
            Next::Request(request) => {
                let (method, keeps) = (request.method, request.keeps);
                (site.answer(request, &mut |question| ends.ask(question)), method, keeps)
            }
            Next::Refused(answer) => (answer, Method::Get, false),
        };
        let is_last = !keeps || round == REQUESTS || ends.is_closing || Instant::now() > end;
        let ending = if is_last { Ending::Closes } else { Ending::Keeps };
        line.write(&answer.octets(now_ms(), method == Method::Head, ending))?;
        if is_last {
            break;
        }
    }
    line.close();
    Ok(())
}

enum Next {
    Request(http::Request),
    Refused(Answer),
}

/// The next request, or what is said instead of an answer to one; `None`: it is over.
fn next(
    line: &mut Line,
    reader: &mut Reader,
    ends: &mut Ends,
    end: Instant,
) -> Result<Option<Next>, Fault> {
    let mut until = (Instant::now() + IDLE_LIMIT).min(end);
    let mut has_begun = false;
    loop {
        match reader.next_step() {
            Step::Request(request) => return Ok(Some(Next::Request(request))),
            Step::Refused(refusal) => {
                let answer = Answer::text(refusal.status(), refusal.words());
                return Ok(Some(Next::Refused(crate::site::guarded(answer))));
            }
            Step::Continue => line.write(CONTINUE)?,
            Step::Read => {}
        }
        if reader.is_inside() && !has_begun {
            has_begun = true;
            until = (Instant::now() + REQUEST_LIMIT).min(end);
        }
        let came = line.read()?;
        if !came.is_empty() {
            reader.feed(&came);
            continue;
        }
        match ends.wait(line.as_fd(), until)? {
            Woken::Line => {}
            Woken::Late if has_begun => {
                let words = "expected a whole request within 15 seconds; found a part of one\n";
                return Ok(Some(Next::Refused(crate::site::guarded(Answer::text(408, words)))));
            }
            Woken::Late | Woken::Closing => return Ok(None),
        }
    }
}
