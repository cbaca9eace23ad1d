//! Whether a customer's own server has an address: asked as any sender would ask it, up to RCPT.
//!
//! What it says becomes one of five words. A server that is somebody else's by now, or lies, can
//! make us take an address that it would refuse, or refuse one that it would take, of its own
//! domain; nothing else.

use crate::Fault;
use crate::desk::Desk;
use crate::exchange::Place;
use crate::talk;
use courier::{Answer, Broken, Outcome, Tls, Unfit, Want};
use smtp::Address;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wire::fetch::{Inquiry, Verdict};
use wire::post::HopTls;

/// All of one inquiry: the sender at our door waits five seconds, and others wait for their turn.
pub(crate) const INQUIRY: Duration = Duration::from_secs(4);

/// Asks. A fault is the end of this process.
pub(crate) fn ask(inquiry: &Inquiry, desk: &mut Desk, until: Instant) -> Result<Verdict, Fault> {
    let until = until.min(Instant::now() + INQUIRY);
    let Some(address) = Address::parse(&inquiry.address) else { return Ok(Verdict::Away) };
    let tls = match inquiry.host.tls {
        HopTls::Implicit => Tls::Already,
        HopTls::StartTls => Tls::Required,
        HopTls::IfOffered => Tls::IfOffered,
    };
    let asked = ask_once(inquiry, (&address, tls), desk, until)?;
    // As mail goes there, too: in clear, where TLS fails that nobody demanded.
    let verdict = match asked {
        Err(TlsFailed) if tls == Tls::IfOffered => {
            ask_once(inquiry, (&address, Tls::Never), desk, until)?
        }
        asked => asked,
    };
    Ok(verdict.unwrap_or(Verdict::Away))
}

/// Another connection may do without it.
struct TlsFailed;

fn ask_once(
    inquiry: &Inquiry,
    (address, tls): (&Address, Tls),
    desk: &mut Desk,
    until: Instant,
) -> Result<Result<Verdict, TlsFailed>, Fault> {
    let host = &inquiry.host;
    let at = host.name.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, host.port));
    let place = Place { port: host.port, at, from: inquiry.from, is_anybodys: false };
    let Ok(mut talk) = talk::begin(&host.name, (place, tls), desk, until)? else {
        return Ok(Ok(Verdict::Away));
    };
    let mut has_asked = false;
    let verdict = loop {
        if Instant::now() >= until {
            break Ok(Verdict::Away);
        }
        match talk.step(desk) {
            Want::Letter if !has_asked => {
                has_asked = true;
                talk.courier.inquire(address.clone());
            }
            Want::Outcomes(outcomes) => break Ok(outcomes.first().map_or(Verdict::Away, verdict)),
            Want::Broken(Broken::TlsFailed(_)) => break Err(TlsFailed),
            Want::Read(_) | Want::Secure => {}
            Want::Letter | Want::Text | Want::Broken(_) | Want::Close => break Ok(Verdict::Away),
        }
    };
    // It was asked what was to be asked; whether it says good-bye is its own affair.
    let goodbye = talk.courier.take_output();
    if !goodbye.is_empty() {
        let _ = talk.line.write(&goodbye, until);
    }
    talk.line.close();
    Ok(verdict)
}

fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Taken(_) => Verdict::Has,
        Outcome::Refused(answer) if is_nobody(answer) => Verdict::HasNot,
        Outcome::Later(answer) if answer.code == 421 => Verdict::Away,
        Outcome::Refused(_) | Outcome::Later(_) => Verdict::NotNow,
        // No server without SMTPUTF8 has such an address (RFC 6531 §3.5).
        Outcome::Unfit(Unfit::NeedsUtf8) => Verdict::HasNot,
        Outcome::Unfit(_) | Outcome::Unknown(_) => Verdict::Away,
    }
}

/// Whether a lasting refusal says that there is nobody of that name. A full mailbox, a block list
/// or a closed door says nothing of the kind, and a sender who came again could be heard.
fn is_nobody(answer: &Answer) -> bool {
    match answer.enhanced {
        // 5.1.x: the address. RFC 3463 §3.2.
        Some((5, 1, _)) => true,
        // A mailbox that is shut for good (§3.3); and how Exchange Online's edge says "nobody".
        Some((5, 2, 1) | (5, 4, 1)) => true,
        Some(_) => false,
        // RFC 5321 §4.2.3.
        None => matches!(answer.code, 550 | 551 | 553),
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use courier::{Answers, Broken, Outcome, Unfit};
    use wire::fetch::Verdict;

    #[test]
    fn what_a_server_s_words_mean() {
        let check = |line: &str, expected: Verdict| {
            let mut answers = Answers::default();
            answers.feed(format!("{line}\r\n").as_bytes());
            let answer = answers.next().unwrap().unwrap();
            let outcome = match answer.code {
                200..=299 => Outcome::Taken(answer),
                500..=599 => Outcome::Refused(answer),
                _ => Outcome::Later(answer),
            };
            assert_eq!(verdict(&outcome), expected, "{line}");
        };
        check("250 2.1.5 ok", Verdict::Has);
        check("251 will forward", Verdict::Has);
        check("252 cannot VRFY, but will take it", Verdict::Has);
        check("550 5.1.1 nobody", Verdict::HasNot);
        check("550 no such user", Verdict::HasNot);
        check("553 5.1.3 bad address", Verdict::HasNot);
        check("550 5.4.1 Recipient address rejected: Access denied", Verdict::HasNot);
        check("550 5.2.1 disabled", Verdict::HasNot);
        check("552 5.2.2 full", Verdict::NotNow);
        check("552 full", Verdict::NotNow);
        check("550 5.7.1 blocked", Verdict::NotNow);
        check("554 relay access denied", Verdict::NotNow);
        check("530 5.7.0 must issue a STARTTLS command first", Verdict::NotNow);
        check("450 4.2.0 greylisted", Verdict::NotNow);
        check("421 going down", Verdict::Away);
        check("354 go ahead", Verdict::NotNow);
        assert_eq!(verdict(&Outcome::Unfit(Unfit::NeedsUtf8)), Verdict::HasNot);
        assert_eq!(verdict(&Outcome::Unknown(Broken::Silent)), Verdict::Away);
    }
}
