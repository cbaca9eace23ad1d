//! What is done to a text just before it leaves (`wire::post::Finish`): an answer that nobody's
//! client wrote is signed, mail of others that is passed on is sealed, in our domain's name.
//!
//! Of mail of others nothing is read here but its header's fields, by the readers that `mailauth`
//! has for the scanner.

use crate::Fault;
use crate::neighbours::{Neighbours, SIGNER_LIMIT};
use crate::opening::Text;
use mailauth::ArcResult;
use mailauth::arc::seal::Set;
use mailauth::sign::{BodyDigest, SigningAs, Unsigned, dkim};
use terms::Kind;
use wire::post::Finish;
use wire::signer::{CANONICAL_BYTES, FromSigner, MailKey, ToSigner};

/// Octets of a header that is signed; the signer takes half of it.
const HEADER_BYTES: u64 = 256 * 1024;

/// A text as signatures see it.
struct Canon {
    /// Raw fields, without the empty line.
    header: Vec<u8>,
    body: [u8; 32],
}

/// The fields that finish a text; none where a domain has no keys, for then it leaves as it is.
pub(crate) fn on_top(
    finish: &Finish,
    text: &Text,
    house: &mut Neighbours,
) -> Result<String, Fault> {
    let (domain, own) = match finish {
        Finish::AsItIs
        | Finish::Spread { .. }
        | Finish::AsItStood { .. }
        | Finish::PassedOn { .. } => {
            return Ok(String::new());
        }
        Finish::Sign { domain } | Finish::Seal { domain } | Finish::Report { domain } => {
            (domain, String::new())
        }
        Finish::Copy { domain, mail, link } => (domain, leaving(mail, link)),
    };
    let keys = house.mail_keys(domain)?;
    if keys.is_empty() {
        return Ok(own);
    }
    let Some(mut canon) = Canon::of(text)? else { return Ok(own) };
    if matches!(finish, Finish::Copy { .. }) && !may_sign(&canon.header, domain, house.host_name())
    {
        return Ok(own);
    }
    canon.header.splice(..0, own.bytes());
    let fields = match finish {
        Finish::Seal { .. } => sealed(&canon, (domain, &keys), house)?,
        _ => signed(&canon, (domain, &keys), house)?,
    };
    Ok(fields.unwrap_or_default() + &own)
}

/// What a stranger posts in the name of the list's own domain, or of one below it, would be that
/// author's by our signature: the way here must have proven it. What has no results of ours was
/// handed in by somebody of ours, who writes as nobody else.
fn may_sign(header: &[u8], domain: &str, host_name: &str) -> bool {
    let is_ours = |author: &String| mailauth::is_at_or_below(author, domain);
    if !mailauth::author_domains(header).iter().any(is_ours) {
        return true;
    }
    let header = String::from_utf8_lossy(header);
    let ours = format!("authentication-results: {};", host_name.to_lowercase());
    let mut results = folded_fields(&header).filter(|field| {
        let field = field.to_lowercase();
        field.starts_with(&ours)
    });
    results.all(|field| field.lines().any(|line| line.starts_with("\tdmarc=pass")))
}

/// How a list's member leaves it: by one click, where there are pages, and by mail (RFC 8058, RFC
/// 2369). The token is that member's.
fn leaving(mail: &str, link: &str) -> String {
    if link.is_empty() {
        return format!("List-Unsubscribe: <mailto:{mail}>\r\n");
    }
    format!(
        "List-Unsubscribe: <{link}>,\r\n\t<mailto:{mail}>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
}

impl Canon {
    /// `None`: its header has no end, or one that nobody reads as far as.
    fn of(text: &Text) -> Result<Option<Self>, Fault> {
        let mut header = text.head(HEADER_BYTES)?;
        let Some(end) = header.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        header.truncate(end + 2);
        let mut digest = BodyDigest::new();
        // What is left of the header and its empty line.
        let mut above = end + 4;
        text.each_piece::<Fault>(|piece| {
            digest.update(piece.get(above..).unwrap_or_default());
            above = above.saturating_sub(piece.len());
            Ok(())
        })?;
        Ok(Some(Self { header, body: digest.finish() }))
    }
}

/// DKIM, by each key of the domain: RSA first.
fn signed(
    canon: &Canon,
    (domain, keys): (&str, &[MailKey]),
    house: &mut Neighbours,
) -> Result<Option<String>, Fault> {
    let mut fields = String::new();
    for key in keys {
        let unsigned = dkim(&canon.header, &canon.body, &signing_as(domain, key));
        let Some(field) = house.finished(domain, key, &unsigned)? else { return Ok(None) };
        fields.push_str(&field);
    }
    Ok(Some(fields))
}

/// A set of ARC, which says what was found when the message came. By the RSA key: not everybody
/// reads Ed25519 there.
fn sealed(
    canon: &Canon,
    (domain, keys): (&str, &[MailKey]),
    house: &mut Neighbours,
) -> Result<Option<String>, Fault> {
    let Some(key) = keys.iter().find(|key| key.algorithm == "rsa-sha256") else { return Ok(None) };
    let Some((state, results)) = found(&canon.header, house.host_name()) else { return Ok(None) };
    // A chain that is known to be broken, or as long as chains may be, goes on as it is.
    let Some(set) = Set::begin(&canon.header, state, &results) else { return Ok(None) };
    let by = signing_as(domain, key);
    let unsigned = set.message_signature(&canon.header, &canon.body, &by);
    let Some(signature) = house.finished(domain, key, &unsigned)? else { return Ok(None) };
    let unsigned = set.seal(&canon.header, &signature, &by);
    let Some(seal) = house.finished(domain, key, &unsigned)? else { return Ok(None) };
    Ok(Some(set.fields(&signature, &seal)))
}

/// What was found when the message came: the chain's state, and our Authentication-Results, which
/// stands under our Received and nowhere else.
fn found(header: &[u8], host_name: &str) -> Option<(ArcResult, String)> {
    let header = header.get(..header.len().min(64 * 1024))?;
    let header = String::from_utf8_lossy(header);
    let mut fields = folded_fields(&header);
    let received = fields.next()?;
    let results = fields.next()?;
    let is_ours = received.starts_with("Received: ")
        && results.starts_with(&format!("Authentication-Results: {host_name};"));
    let word = results.lines().filter_map(|line| line.strip_prefix("\tarc=")).next_back()?;
    let word = word.split(|letter: char| !letter.is_ascii_alphabetic()).next();
    let state = match word {
        Some("none") => ArcResult::None,
        Some("pass") => ArcResult::Pass,
        Some("fail") => ArcResult::Fail,
        _ => return None,
    };
    is_ours.then(|| (state, results.to_owned()))
}

/// Fields with the lines that they are folded into.
fn folded_fields(header: &str) -> impl Iterator<Item = &str> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive("\r\n") {
            if end > 0 && !line.starts_with([' ', '\t']) {
                break;
            }
            end += line.len();
        }
        let (field, behind) = rest.split_at_checked(end).filter(|(field, _)| !field.is_empty())?;
        rest = behind;
        Some(field)
    })
}

fn signing_as<'k>(domain: &'k str, key: &'k MailKey) -> SigningAs<'k> {
    let now = compartment::now_ms() / 1000;
    SigningAs { domain, selector: &key.selector, algorithm: &key.algorithm, now }
}

impl Neighbours {
    /// The keys of a domain of our tenant; none if it has none.
    fn mail_keys(&mut self, domain: &str) -> Result<Vec<MailKey>, Fault> {
        let question = ToSigner::MailKeys { domain: domain.to_owned() };
        match self.ask(Kind::Signer, &question, SIGNER_LIMIT)? {
            FromSigner::MailKeys(keys) => Ok(keys),
            // They cannot be had now; what can be signed waits rather than leaves unsigned.
            FromSigner::Refused => Err(Fault::Away("signer")),
            _ => Err(Fault::Strange { peer: "signer" }),
        }
    }

    /// The finished field; `None`: its header is too large for the signer, or the key is gone.
    fn finished(
        &mut self,
        domain: &str,
        key: &MailKey,
        unsigned: &Unsigned,
    ) -> Result<Option<String>, Fault> {
        let canonical = unsigned.canonical().to_vec();
        if canonical.len() > CANONICAL_BYTES {
            return Ok(None);
        }
        let (domain, selector) = (domain.to_owned(), key.selector.clone());
        let question = ToSigner::SignMail { domain, selector, canonical };
        match self.ask(Kind::Signer, &question, SIGNER_LIMIT)? {
            FromSigner::Signature(octets) => Ok(Some(unsigned.finish(&octets))),
            FromSigner::Refused => Ok(None),
            _ => Err(Fault::Strange { peer: "signer" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{folded_fields, found};

    #[test]
    fn fields_are_whole() {
        let check = |header: &str, expected: &[&str]| {
            assert_eq!(folded_fields(header).collect::<Vec<_>>(), expected);
        };
        check("", &[]);
        check(
            "A: b\r\nC: d\r\n\te\r\n f\r\nG: h\r\n",
            &["A: b\r\n", "C: d\r\n\te\r\n f\r\n", "G: h\r\n"],
        );
        check(" odd\r\n more\r\nA: b", &[" odd\r\n more\r\n", "A: b"]);
    }

    #[test]
    fn fuzz_fields_are_all_of_a_header() {
        let words = [
            "Received: x",
            "\r\n",
            "\t",
            " ",
            "Authentication-Results: mx.here.example;",
            "\tarc=pass",
            "\n",
            "\r",
            "é",
            ":",
        ];
        let mut state = 5u64;
        let mut roll = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..5_000 {
            let header: String = (0..roll(60)).map(|_| words[roll(words.len())]).collect();
            assert_eq!(folded_fields(&header).collect::<String>(), header);
            let results = found(header.as_bytes(), "mx.here.example");
            assert!(results.is_none_or(|(_, field)| header.contains(&field)));
        }
    }

    #[test]
    fn only_our_own_results_count() {
        let check = |header: &str, expected: &str| {
            let found = found(header.as_bytes(), "mx.here.example");
            let found = found.map(|(state, _)| state.word());
            assert_eq!(found.unwrap_or(""), expected, "{header}");
        };
        let received = "Received: from x\r\n\tby mx.here.example;\r\n";
        let results = "Authentication-Results: mx.here.example;\r\n\tspf=pass;\r\n\tarc=";
        check(&format!("{received}{results}pass\r\nSubject: x\r\n"), "pass");
        check(&format!("{received}{results}fail reason=\"x\"\r\n"), "fail");
        check(&format!("{received}{results}none\r\n"), "none");
        check(&format!("{received}{results}odd\r\n"), "");
        check(&format!("{received}Subject: x\r\n{results}pass\r\n"), "");
        check(&format!("Subject: x\r\n{results}pass\r\n"), "");
        check(&format!("{results}pass\r\n"), "");
        check(&format!("{received}Authentication-Results: other;\r\n\tarc=pass\r\n"), "");
        check(
            &format!("{received}Authentication-Results: mx.here.example.evil;\r\n\tarc=pass\r\n"),
            "",
        );
        check("", "");
    }
}
