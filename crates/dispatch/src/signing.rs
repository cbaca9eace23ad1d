//! DKIM: the signer signs the header and the body's digest, in the name of the author's domain.

use crate::draft::Draft;
use crate::neighbours::Neighbours;
use crate::stop::Step;
use mailauth::sign::{BodyDigest, Covered, SigningAs};
use wire::signer::CANONICAL_BYTES;

/// The header as it leaves, and its body's digest.
pub(crate) struct Canon {
    header: Vec<u8>,
    body: [u8; 32],
    /// Nothing in all of it has its eighth bit set.
    pub is_ascii: bool,
}

impl Canon {
    /// Of a text whose body begins at `body`.
    pub(crate) fn of(draft: &Draft, octets: &[u8], body: usize) -> Self {
        let mut header = draft.top.clone();
        let (mut digest, mut is_ascii) = (BodyDigest::new(), true);
        let mut take = |piece: &[u8]| {
            header.extend_from_slice(piece);
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(()) = draft.each_piece(octets, (0, body), &mut take);
        let mut take = |piece: &[u8]| {
            digest.update(piece);
            is_ascii &= piece.is_ascii();
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(()) = draft.each_piece(octets, (body, octets.len()), &mut take);
        is_ascii &= header.is_ascii();
        Self { header, body: digest.finish(), is_ascii }
    }
}

/// The signatures' fields; empty where a domain has no keys yet.
pub(crate) fn sign(
    canon: &Canon,
    domain: &str,
    at_ms: u64,
    house: &mut Neighbours,
) -> Step<String> {
    match sign_once(canon, domain, at_ms, house) {
        // A key that was remembered may be forgotten by now: others sign.
        Err(_) if house.forget_mail_keys() => sign_once(canon, domain, at_ms, house),
        signed => signed,
    }
}

fn sign_once(canon: &Canon, domain: &str, at_ms: u64, house: &mut Neighbours) -> Step<String> {
    let keys = house.mail_keys(domain)?;
    let covered = Covered::of(&canon.header);
    let unsigned = keys.iter().map(|key| {
        let (selector, algorithm, now) = (&*key.selector, &*key.algorithm, at_ms / 1000);
        covered.dkim(&canon.body, &SigningAs { domain, selector, algorithm, now })
    });
    let unsigned: Vec<_> = unsigned.collect();
    // The signer takes no more; such a header is signed by nobody, and leaves as it is.
    if unsigned.iter().any(|one| one.canonical().len() > CANONICAL_BYTES) {
        return Ok(String::new());
    }
    let asked = keys.iter().zip(&unsigned);
    let asked = asked.map(|(key, one)| (key.selector.clone(), one.canonical().to_vec()));
    let signatures = house.sign(domain, asked.collect())?;
    Ok(unsigned.iter().zip(&signatures).map(|(one, signature)| one.finish(signature)).collect())
}
