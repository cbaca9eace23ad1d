//! Reports of others that come by mail: told to the directory in the few words that the scanner
//! made of them.
//!
//! At an address that somebody has, the message is kept as all mail is, and what it reports beside.
//! At one that nobody has, nothing else is taken: whoever writes there is asked to write to the
//! postmaster, the same for everybody.

use crate::Fault;
use crate::addressee::{Addressee, Fare};
use crate::arrival::try_later;
use crate::judgement::Judged;
use crate::neighbours::{DIRECTORY_LIMIT, Neighbours};
use policy::{Authentication, Outcome};
use smtp::Reply;
use terms::{Kind, Verdict};
use wire::directory::{FromEdge, ToEdge};
use wire::reports::{Noted, Report, Told, is_for_reports};

/// A message for an address where reports alone are taken. `None`: it is for another.
pub(crate) fn hear(judged: &Judged, house: &mut Neighbours) -> Option<Reply> {
    let addressee = judged.received.offered.addressees.first()?;
    // A failing DNS is waited for here as elsewhere.
    let waits = judged.passing.iter().any(|one| one.judged.verdict == Verdict::Defer);
    if addressee.fare() != Fare::Report || waits {
        return None;
    }
    let told = told(judged, addressee).filter(|told| !matches!(told.report, Report::Returned(_)));
    let Some(told) = told else {
        house.record_refused(judged);
        let domain = addressee.domain();
        let words = format!(
            "this address takes reports of mail systems only (RFC 8460, RFC 5965); write to \
             postmaster@{domain}"
        );
        return Some(Reply::new(550, (7, 1), words));
    };
    Some(match house.tell(told) {
        Ok(Noted::Kept) => Reply::new(250, (0, 0), "report noted"),
        Ok(Noted::Foreign) => {
            Reply::new(550, (7, 1), "this report is about no domain or mail of this house")
        }
        Ok(Noted::Full) => Reply::new(452, (3, 1), "enough reports for now; try again later"),
        Ok(Noted::Later) => try_later(house, "the directory keeps no report"),
        Err(fault) => try_later(house, &fault.to_string()),
    })
}

/// What mail that is about to be kept, or passed on, reports. Before it is: what was answered with
/// 250 is shown from then on, and who hears 451 says it again, which makes the same row.
pub(crate) fn note(judged: &Judged, house: &mut Neighbours) -> Result<(), Reply> {
    let Some(report) = &judged.seen.report else { return Ok(()) };
    let is_returned = matches!(report, Report::Returned(_));
    let is_for = |one: &&Addressee| match is_returned {
        true => one.fare() == Fare::Kept && judged.received.offered.from.is_none(),
        false => is_for_reports(&one.address),
    };
    let addressee = judged.received.offered.addressees.iter().find(is_for);
    let Some(told) = addressee.and_then(|addressee| told(judged, addressee)) else { return Ok(()) };
    match house.tell(told) {
        Ok(Noted::Kept | Noted::Foreign) => Ok(()),
        Ok(Noted::Full) => {
            // Its reader has the message; that it stands in no table is said.
            let text = "a report came as mail and is in no table: enough of them for this hour";
            house.report(&wire::control::Report::Note { text: text.to_owned() });
            Ok(())
        }
        Ok(Noted::Later) => Err(try_later(house, "the directory keeps no report")),
        Err(fault) => Err(try_later(house, &fault.to_string())),
    }
}

/// `None`: it reports nothing, or its domain disowns it.
fn told(judged: &Judged, addressee: &Addressee) -> Option<Told> {
    let report = judged.seen.report.clone()?;
    let facts = judged.authentication.as_ref();
    if facts.is_some_and(|facts| facts.dmarc == Outcome::Fail) {
        return None;
    }
    let own = judged.seen.header.as_ref().map(|header| header.message_id.as_str());
    let own = own.filter(|own| !own.is_empty()).map(trace::digest).unwrap_or_default();
    Some(Told {
        to: addressee.address.clone(),
        by: facts.map(|facts| facts.from_domain.clone()).unwrap_or_default(),
        is_proven: facts.is_some_and(|facts| is_proven(facts, &report, judged)),
        own,
        report,
    })
}

/// RFC 8460 §3 has TLS reports signed by the domain that sends them. Complaints are as good as any
/// mail of their domain: signed, or from a server of its own.
fn is_proven(facts: &Authentication, report: &Report, judged: &Judged) -> bool {
    let from = judged.received.offered.from.as_ref().map(smtp::Address::domain);
    let is_by_server = facts.spf == Outcome::Pass
        && from.is_some_and(|from| from.eq_ignore_ascii_case(&facts.from_domain));
    match report {
        Report::Tls(_) => facts.author_signed || facts.report_signed,
        Report::Feedback(_) | Report::Returned(_) => {
            facts.author_signed || facts.dmarc == Outcome::Pass || is_by_server
        }
    }
}

impl Neighbours {
    fn tell(&mut self, told: Told) -> Result<Noted, Fault> {
        let question = FromEdge::Report(Box::new(told));
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)? {
            ToEdge::Report(noted) => Ok(noted),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }
}
