//! Which page a request is for: by its host, then by its path.

use crate::words::{Language, words};
use crate::{autoconfig, held, sheet, unsubscribe};
use http::{Answer, Method, Request};
use wire::control::{Service, Start};
use wire::pages::{FromPages, Hosted, ToPages, domain_of, host_of, token_in};

/// Mail programs ask once; a change is seen within the hour.
const AN_HOUR: &str = "max-age=3600";
/// Senders ask for a policy again when its id in the DNS has changed: it must not be an old one.
const SHORTLY: &str = "max-age=60";
const NOTHING: &str = "no-store";

/// Whoever knows a domain: the directory.
pub(crate) type Asking<'a> = dyn FnMut(&FromPages) -> ToPages + 'a;

/// What one connection may be asked for.
pub(crate) struct Site {
    /// Our own name, as mail programs and MX records have it.
    host_name: String,
    /// Where lists are left, and people are asked about held mail.
    pages_host: String,
    ports: Vec<(Service, u16)>,
    /// The name that the client's handshake was for.
    server_name: Option<String>,
    /// The domain asked for last, and what it is.
    known: Option<(String, Hosted)>,
}

impl Site {
    pub fn new(start: &Start, server_name: Option<String>) -> Self {
        Self {
            host_name: start.host_name.clone(),
            pages_host: host_of(&start.pages_url).to_ascii_lowercase(),
            ports: start.ports.clone(),
            server_name,
            known: None,
        }
    }

    pub fn answer(&mut self, request: Request, ask: &mut Asking<'_>) -> Answer {
        let host = request.host.as_str();
        let is_lasting = host != domain_of(host) || host == self.pages_host;
        let answer = guarded(self.route(request, ask));
        if is_lasting && answer.status != 421 {
            // Below a domain's own name stand its owner's servers, too: that is theirs to say.
            return answer.with("Strict-Transport-Security", "max-age=31536000");
        }
        answer
    }

    fn route(&mut self, request: Request, ask: &mut Asking<'_>) -> Answer {
        // RFC 9110 §15.5.20: a certificate for one name is no licence to ask for another.
        let served = self.server_name.as_ref().unwrap_or(&self.pages_host);
        if request.host.is_empty() || request.host != *served {
            return misdirected();
        }
        if request.host == self.pages_host {
            if let Some((side, spelled)) = held::Side::of(&request.path) {
                return answer_held((side, spelled), &request, ask);
            }
            return match request.path.strip_prefix("/unsubscribe/") {
                Some(spelled) => leave(spelled, &request, ask),
                None if request.path == "/" => only_read(&request, || root(Language::of(&request))),
                None => unknown(),
            };
        }
        let domain = domain_of(&request.host).to_owned();
        let hosted = match self.hosted(&domain, ask) {
            Ok(Some(hosted)) => hosted,
            Ok(None) => return misdirected(),
            Err(Away) => return later(),
        };
        let label = request.host.strip_suffix(&domain).unwrap_or_default().trim_end_matches('.');
        self.of_domain(label, &domain, hosted, &request)
    }

    fn of_domain(&self, label: &str, domain: &str, hosted: Hosted, request: &Request) -> Answer {
        let offer = autoconfig::Offer { domain, host: &self.host_name, ports: &self.ports };
        match (label, request.path.as_str()) {
            ("mta-sts", "/.well-known/mta-sts.txt") => only_read(request, || {
                let text = hosted.transport.text(&self.host_name);
                Answer::text(200, text).with("Cache-Control", SHORTLY)
            }),
            // Where to read is its own server's to say, as `domain check` has it.
            _ if hosted.reads_elsewhere => unknown(),
            ("autoconfig", "/mail/config-v1.1.xml")
            | ("", "/.well-known/autoconfig/mail/config-v1.1.xml") => only_read(request, || {
                Answer::new(200, "text/xml; charset=utf-8", offer.for_thunderbird())
                    .with("Cache-Control", AN_HOUR)
            }),
            // Outlook writes it with capitals, others as it is documented.
            ("autodiscover", path)
                if path.eq_ignore_ascii_case("/autodiscover/autodiscover.xml") =>
            {
                match request.method {
                    Method::Post => {
                        let xml = offer.for_outlook(&request.body);
                        Answer::new(200, "text/xml; charset=utf-8", xml)
                            .with("Cache-Control", NOTHING)
                    }
                    _ => not_allowed("POST"),
                }
            }
            _ => unknown(),
        }
    }

    fn hosted(&mut self, domain: &str, ask: &mut Asking<'_>) -> Result<Option<Hosted>, Away> {
        if let Some((_, hosted)) = self.known.as_ref().filter(|(known, _)| known == domain) {
            return Ok(Some(*hosted));
        }
        match ask(&FromPages::Domain(domain.to_owned())) {
            ToPages::Domain(hosted) => {
                self.known = hosted.map(|hosted| (domain.to_owned(), hosted));
                Ok(hosted)
            }
            _ => Err(Away),
        }
    }
}

/// The directory cannot say now.
struct Away;

/// A list's reader leaves. A page that is only looked at, or fetched ahead by a mail program,
/// changes nothing (RFC 8058 §1): that takes a POST.
fn leave(spelled: &str, request: &Request, ask: &mut Asking<'_>) -> Answer {
    let language = Language::of(request);
    let page = match (token_in(spelled), request.method) {
        (None, _) => unsubscribe::page(unsubscribe::State::Unknown, language, None),
        (Some(token), Method::Get | Method::Head) => {
            // Who cannot be told now may leave all the same.
            let (state, meant) = match ask(&FromPages::Subscription { token }) {
                ToPages::Subscription(meant) => (unsubscribe::State::Asks, Some(meant)),
                ToPages::Over => (unsubscribe::State::Over, None),
                ToPages::Unknown => (unsubscribe::State::Unknown, None),
                _ => (unsubscribe::State::Asks, None),
            };
            unsubscribe::page(state, language, meant.as_ref())
        }
        (Some(token), Method::Post) => match unsubscribe::read(request) {
            Ok(form) => {
                let state = match ask(&FromPages::Unsubscribe { token }) {
                    ToPages::Done => unsubscribe::State::Done,
                    ToPages::Over => unsubscribe::State::Over,
                    ToPages::Unknown => unsubscribe::State::Unknown,
                    _ => unsubscribe::State::Later,
                };
                unsubscribe::page(state, form.language.unwrap_or(language), None)
            }
            Err(answer) => answer,
        },
        (Some(_), Method::Other) => not_allowed("GET, HEAD, POST"),
    };
    page.with("Cache-Control", NOTHING)
}

/// A person says whether held mail is theirs; as with lists, only a POST does.
fn answer_held(
    (side, spelled): (held::Side, &str),
    request: &Request,
    ask: &mut Asking<'_>,
) -> Answer {
    let language = Language::of(request);
    let page = match (token_in(spelled), request.method) {
        (None, _) => held::page(held::State::Unknown, (side, &[]), language),
        (Some(token), Method::Get | Method::Head) => {
            held::page(held::State::Asks, (side, &token), language)
        }
        (Some(token), Method::Post) => match held::read(request, side) {
            Ok(chosen) => {
                let is_theirs = side == held::Side::Mine;
                let question = FromPages::Held { token: token.clone(), is_theirs };
                let state = held::State::of(&ask(&question));
                held::page(state, (side, &token), chosen.unwrap_or(language))
            }
            Err(answer) => answer,
        },
        (Some(_), Method::Other) => not_allowed("GET, HEAD, POST"),
    };
    page.with("Cache-Control", NOTHING)
}

/// Whoever comes without a link is told what is here.
fn root(language: Language) -> Answer {
    let words = words(language);
    let (title, text, has_switch) = (words.root_title, words.root, true);
    let (notes, also, button, other_way) = (Vec::new(), None, None, None);
    let status = 200;
    sheet::Sheet { status, language, title, text, notes, also, button, other_way, has_switch }
        .answer()
}

fn only_read(request: &Request, answer: impl FnOnce() -> Answer) -> Answer {
    match request.method {
        Method::Get | Method::Head => answer(),
        Method::Post | Method::Other => not_allowed("GET, HEAD"),
    }
}

fn not_allowed(allowed: &str) -> Answer {
    Answer::text(405, format!("expected one of {allowed}; found another method\n"))
        .with("Allow", allowed)
}

fn unknown() -> Answer {
    Answer::text(404, "there is no such page here\n")
}

fn misdirected() -> Answer {
    Answer::text(421, "this host is not served here, or not on this connection\n")
}

fn later() -> Answer {
    Answer::text(503, "the answer is not to be had now; please ask again in a minute\n")
        .with("Retry-After", "60")
}

/// With the fields that every answer has: no script, no frame, nothing from elsewhere.
pub(crate) fn guarded(answer: Answer) -> Answer {
    answer
        .with("Content-Security-Policy", sheet::POLICY)
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Frame-Options", "DENY")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Permissions-Policy", "interest-cohort=()")
}
