//! What may leave: size, kinds of files, what the scanner found. The full language of rules takes
//! the place of [`weigh`]; facts go in, a refusal or a hold with its reasons comes out.

use crate::stop::{Step, Stop};
use policy::{Facts, HouseRules, Language, why};
use terms::{Finding, Verdict};
use wire::directory::SendingSettings;
use wire::post::{AtEnd, Hold};
use wire::scanner::Examined;

/// Findings that never leave, whatever the score: what harms, and what pretends to.
const REFUSED: &[&str] = &["content.eicar", "content.malware", "content.gtube"];
/// The reason that stands before all others of what is held.
const HELD: &str = "outgoing.held";
/// How long a message waits for somebody to look at it; then it goes back to its sender.
const HOLD_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest that mail can be told to wait by itself.
const DELAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Reasons recorded for `trace`, the heaviest first.
const REASONS: usize = 16;

/// A message that may leave, now or later.
pub(crate) struct Weighed {
    pub hold: Option<Hold>,
    pub verdict: Verdict,
    /// Ids of findings.
    pub reasons: Vec<String>,
}

impl Weighed {
    /// Somebody has to look at it, whatever it says.
    pub(crate) fn hold_for(&mut self, reason: &str, at_ms: u64) {
        let until_ms = at_ms.saturating_add(HOLD_MS);
        self.hold = Some(Hold { until_ms, then: AtEnd::Return });
        self.reasons.retain(|known| known != HELD);
        self.reasons.splice(0..0, [HELD.to_owned(), reason.to_owned()]);
    }

    /// Whether a person has to look at it before it leaves.
    pub(crate) fn is_held(&self) -> bool {
        self.hold.is_some_and(|hold| hold.then == AtEnd::Return)
    }
}

pub(crate) fn weigh(
    seen: &Examined,
    octets: u64,
    settings: &SendingSettings,
    at_ms: u64,
) -> Step<Weighed> {
    if octets > settings.bytes {
        let text = format!("messages that leave here have at most {} octets", settings.bytes);
        return Err(Stop::no(552, (3, 4), text));
    }
    if let Some(kind) = refused_kind(seen, &settings.refused_kinds) {
        let text = format!("files of the kind {kind} may not leave here, by your organisation");
        return Err(Stop::no(550, (7, 1), text));
    }
    let house = HouseRules::default();
    let (authentication, allowed, waited) = (None, false, false);
    let facts = Facts { findings: &seen.findings, authentication, house: &house, allowed, waited };
    let judged = policy::judge(&facts);
    let harmful = judged.reasons.iter().find(|reason| REFUSED.contains(&reason.id.as_str()));
    let heaviest = harmful.or(judged.reasons.first());
    if harmful.is_some() || judged.verdict == Verdict::Refuse {
        return Err(Stop::no(550, (7, 1), format!("refused: {}", words(heaviest))));
    }
    let mut reasons: Vec<String> =
        judged.reasons.iter().take(REASONS).map(|reason| reason.id.clone()).collect();
    let hold = hold(judged.verdict, settings.delay_ms, at_ms);
    if hold.is_some_and(|hold| hold.then == AtEnd::Return) {
        reasons.insert(0, HELD.to_owned());
    }
    Ok(Weighed { hold, verdict: judged.verdict, reasons })
}

fn hold(verdict: Verdict, delay_ms: u64, at_ms: u64) -> Option<Hold> {
    if verdict >= Verdict::Quarantine {
        return Some(Hold { until_ms: at_ms.saturating_add(HOLD_MS), then: AtEnd::Return });
    }
    let until_ms = at_ms.saturating_add(delay_ms.min(DELAY_MS));
    (delay_ms > 0).then_some(Hold { until_ms, then: AtEnd::Send })
}

fn words(reason: Option<&Finding>) -> String {
    match reason {
        // Details are the message's own words, and may be long or in any script.
        Some(reason) => why(&reason.id, Language::English, ""),
        None => "by its content".to_owned(),
    }
}

/// The first of these kinds that is in the message: by the scanner's findings (`program`,
/// `macro`, `encrypted`, and what a file really is, `exe`), by a file's ending, or by its declared
/// type (`application/pdf`, `video/*`).
fn refused_kind<'k>(seen: &Examined, kinds: &'k [String]) -> Option<&'k str> {
    if kinds.is_empty() {
        return None;
    }
    let summary: Option<mime::Summary> = postcard::from_bytes(&seen.summary).ok();
    let files = summary.map(|summary| summary.attachments).unwrap_or_default();
    let is_there = |kind: &&String| {
        let kind = kind.to_lowercase();
        let found = seen.findings.iter().any(|finding| finds(finding, &kind));
        found || files.iter().any(|file| is_file(file, &kind))
    };
    kinds.iter().find(is_there).map(String::as_str)
}

fn finds(finding: &Finding, kind: &str) -> bool {
    let area = finding.id.strip_prefix("content.").and_then(|id| id.rsplit_once('.'));
    let is_area = |area: &str| matches!(area, "type" | "name" | "archive" | "office" | "pdf");
    let by_id = area.is_some_and(|(area, what)| is_area(area) && what == kind);
    by_id
        || finding.detail.strip_suffix(')').is_some_and(|rest| {
            finding.id.starts_with("content.type.")
                && rest.rsplit_once('(').is_some_and(|(_, real)| real == kind)
        })
}

fn is_file(file: &mime::Attachment, kind: &str) -> bool {
    let declared = file.kind.to_lowercase();
    let of_family = kind.strip_suffix("/*").is_some_and(|family| {
        declared.strip_prefix(family).is_some_and(|rest| rest.starts_with('/'))
    });
    let ending = file.name.rsplit_once('.').map(|(_, ending)| ending.trim().to_lowercase());
    declared == kind || of_family || ending.as_deref() == Some(kind.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::{refused_kind, weigh};
    use crate::stop::Stop;
    use terms::{Finding, Verdict};
    use wire::directory::SendingSettings;
    use wire::post::AtEnd;
    use wire::scanner::Examined;

    fn seen(findings: &[(&str, f32, &str)], text: &str) -> Examined {
        let finding = |(id, weight, detail): &(&str, f32, &str)| {
            Finding::new(id, *weight, (*detail).to_owned())
        };
        Examined {
            findings: findings.iter().map(finding).collect(),
            parts: 1,
            authentication: Vec::new(),
            authentication_results: String::new(),
            forged: Vec::new(),
            summary: postcard::to_stdvec(&mime::summarise(text.as_bytes())).unwrap(),
            trace_digests: Vec::new(),
            header: None,
            micros: 0,
            report: None,
        }
    }

    #[test]
    fn kinds_by_finding_ending_and_type() {
        let text = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: \
            application/pdf; name=\"a.PDF\"\r\nContent-Disposition: attachment; \
            filename=\"report.PDF\"\r\n\r\nx\r\n--x--\r\n";
        let there = seen(
            &[("content.type.lies", 4.0, "a.pdf (exe)"), ("content.office.macro", 5.0, "b.doc")],
            text,
        );
        let check = |kind: &str, found: bool| {
            let kinds = vec![kind.to_owned()];
            assert_eq!(refused_kind(&there, &kinds).is_some(), found, "{kind}");
        };
        check("exe", true);
        check("macro", true);
        check("pdf", true);
        check(".pdf", true);
        check("application/pdf", true);
        check("application/*", true);
        check("video/*", false);
        check("lies", true);
        check("zip", false);
        check("script", false);
    }

    #[test]
    fn what_is_refused_held_delayed() {
        let check = |findings: &[(&str, f32, &str)], settings: SendingSettings, expected: &str| {
            let said = match weigh(&seen(findings, ""), 1_000, &settings, 5) {
                Ok(weighed) => {
                    let then = weighed.hold.map(|hold| (hold.until_ms, hold.then));
                    format!("{:?} {then:?} {:?}", weighed.verdict, weighed.reasons)
                }
                Err(Stop::Refused(code, _, text)) => format!("{code} {text}"),
                Err(Stop::Fault(fault)) => format!("{fault}"),
            };
            assert!(said.contains(expected), "{said}");
        };
        let usual = SendingSettings::default;
        check(&[], usual(), "Deliver None []");
        check(&[("content.eicar", 1.0, "")], usual(), "550 refused: ");
        check(&[("content.gtube", 8.0, "")], usual(), "550 refused: ");
        check(&[("test.odd", 30.0, "x")], usual(), "550 refused: test.odd");
        check(&[("scanner.killed", 0.0, "")], usual(), "Quarantine Some((86400005, Return))");
        check(&[("test.odd", 12.0, "")], usual(), "[\"outgoing.held\", \"test.odd\"]");
        check(&[("test.odd", 7.0, "")], usual(), "Junk None");
        check(&[], SendingSettings { bytes: 999, ..usual() }, "552 ");
        check(&[], SendingSettings { delay_ms: 300, ..usual() }, "Deliver Some((305, Send))");
        let long = SendingSettings { delay_ms: u64::MAX, ..usual() };
        check(&[], long, "Some((86400005, Send))");
        assert!(Verdict::Quarantine < Verdict::Refuse && AtEnd::Send != AtEnd::Return);
    }
}
