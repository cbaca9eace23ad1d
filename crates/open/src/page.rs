//! Opened summaries are written back as sealed symmetric pages, so that each is opened
//! asymmetrically once. Page: suite, nonce (12, random), ciphertext, tag.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use sealed::{Fault, MessageKey, TAG_BYTES};
use terms::Cursor;

const PAGE_SUITE: u8 = 1;
const NONCE_BYTES: usize = 12;
/// What sealing adds to a page.
pub const PAGE_OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;
const DOMAIN: &[u8] = b"sekisho page v1";

/// Seals one page. `key` is the page key that the vault released with the summaries; `context`
/// names the place of the page (user, folder, number) and must be given again to open it.
pub fn seal_page(key: &MessageKey, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut nonce = [0u8; NONCE_BYTES];
    rand::fill(&mut nonce).map_err(|_| Fault::NoRandomness)?;
    let mut sealed = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated(context)),
            &mut sealed,
        )
        .map_err(|_| Fault::Refused)?;
    let mut page = Vec::with_capacity(plain.len() + PAGE_OVERHEAD_BYTES);
    page.push(PAGE_SUITE);
    page.extend_from_slice(&nonce);
    page.extend_from_slice(&sealed);
    Ok(page)
}

/// Opens one page; refused under any other key or context.
pub fn open_page(key: &MessageKey, context: &[u8], page: &[u8]) -> Result<Vec<u8>, Fault> {
    let shape = || Fault::Shape { shape: "page" };
    let mut cursor = Cursor::new(page);
    if !cursor.eat(PAGE_SUITE) {
        return Err(shape());
    }
    let nonce = cursor.take(NONCE_BYTES).and_then(|bytes| bytes.try_into().ok());
    let nonce = Nonce::assume_unique_for_key(nonce.ok_or_else(shape)?);
    let mut plain = cursor.rest().to_vec();
    let opened = cipher(key)?.open_in_place(nonce, Aad::from(associated(context)), &mut plain);
    let length = opened.map_err(|_| Fault::Refused)?.len();
    plain.truncate(length);
    Ok(plain)
}

fn associated(context: &[u8]) -> Vec<u8> {
    [DOMAIN, context].concat()
}

fn cipher(key: &MessageKey) -> Result<LessSafeKey, Fault> {
    UnboundKey::new(&AES_256_GCM, key.secret().dangerous_expose().as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| Fault::Refused)
}
