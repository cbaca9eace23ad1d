//! What `seal` sealed opens here; whatever was touched, cut, moved or renamed does not.

use super::*;
use terms::{MessageId, TenantId};

const CHUNK: usize = sealed::CHUNK_BYTES;

fn place() -> Place {
    Place { tenant: TenantId([1; 8]), message: MessageId([2; 16]), class: Class::Body }
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn every_length_comes_back() {
    for length in [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 77] {
        let (sealed, key) = seal::seal_content(&place(), &plain(length)).unwrap();
        assert_eq!(sealed.len() as u64, sealed_length(length as u64));
        assert_eq!(open_content(&key, &place(), &sealed).unwrap(), plain(length));
        let mut out = Vec::new();
        open_stream(&key, &place(), &mut sealed.as_slice(), &mut out).unwrap();
        assert_eq!(out, plain(length));
        // In crumbs, so that every boundary falls inside a push.
        let mut opener = Opener::new(Vec::new(), &key, &place()).unwrap();
        sealed.chunks(4_093).for_each(|crumb| opener.push(crumb).unwrap());
        assert_eq!(opener.finish().unwrap(), plain(length));
    }
}

#[test]
fn a_stream_is_sealed_like_a_slice() {
    let mut sealed = Vec::new();
    let text = plain(3 * CHUNK + 5);
    let key = seal::seal_stream(&place(), &mut text.as_slice(), &mut sealed).unwrap();
    assert_eq!(open_content(&key, &place(), &sealed).unwrap(), text);
}

#[test]
fn a_range_reads_only_its_chunks() {
    let text = plain(3 * CHUNK + 100);
    let (sealed, key) = seal::seal_content(&place(), &text).unwrap();
    let check = |start: usize, count: usize| {
        let mut reads = 0;
        let read_at = |offset: u64, buffer: &mut [u8]| {
            reads += 1;
            let offset = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&sealed[offset..offset + buffer.len()]);
            Ok(())
        };
        let (from, many) = (start as u64, count as u64);
        let found = open_range(&key, &place(), sealed.len() as u64, read_at, from, many).unwrap();
        let end = (start + count).min(text.len());
        assert_eq!(found, text[start.min(end)..end]);
        reads
    };
    assert_eq!(check(0, 10), 2);
    assert_eq!(check(CHUNK - 5, 10), 3);
    assert_eq!(check(CHUNK, CHUNK), 2);
    assert_eq!(check(3 * CHUNK + 90, 1_000), 2);
    assert_eq!(check(0, text.len()), 5);
    assert_eq!(check(text.len(), 5), 0);
}

#[test]
fn a_touched_content_is_refused() {
    let (sealed, key) = seal::seal_content(&place(), &plain(2 * CHUNK + 9)).unwrap();
    let refused = |bytes: &[u8]| open_content(&key, &place(), bytes).is_err();
    // Every octet of the header, and a sample of the rest, with one bit turned.
    for at in (0..40).chain((40..sealed.len()).step_by(997)).chain(sealed.len() - 30..sealed.len())
    {
        let mut touched = sealed.clone();
        touched[at] ^= 1;
        assert!(refused(&touched), "octet {at}");
    }
    for cut in [0, 5, 10, 26, sealed.len() - 1, sealed.len() - 25, sealed.len() - 25 - CHUNK - 16] {
        assert!(refused(&sealed[..cut]), "cut to {cut}");
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert!(refused(&longer));
    let chunk = sealed::SEALED_CHUNK_BYTES;
    let (first, second) = (10..10 + chunk, 10 + chunk..10 + 2 * chunk);
    let swapped =
        [&sealed[..10], &sealed[second.clone()], &sealed[first], &sealed[10 + 2 * chunk..]];
    assert!(refused(&swapped.concat()));
    assert!(refused(&[&sealed[..10], &sealed[second], &sealed[10 + 2 * chunk..]].concat()));
}

#[test]
fn another_place_or_key_is_refused() {
    let (sealed, key) = seal::seal_content(&place(), b"hello").unwrap();
    let (_, other) = seal::seal_content(&place(), b"hello").unwrap();
    let places = [
        Place { tenant: TenantId([9; 8]), ..place() },
        Place { message: MessageId([9; 16]), ..place() },
        Place { class: Class::Summary, ..place() },
    ];
    for wrong in places {
        assert!(open_content(&key, &wrong, &sealed).is_err());
    }
    assert!(open_content(&other, &place(), &sealed).is_err());
    assert!(open_content(&key, &place(), &sealed).is_ok());
}

#[test]
fn pages_open_at_their_place_only() {
    let (_, key) = seal::seal_content(&place(), b"").unwrap();
    let page = seal_page(&key, b"user 1 page 4", b"subjects").unwrap();
    assert_eq!(page.len(), 8 + PAGE_OVERHEAD_BYTES);
    assert_eq!(open_page(&key, b"user 1 page 4", &page).unwrap(), b"subjects");
    assert!(open_page(&key, b"user 1 page 5", &page).is_err());
    for at in 0..page.len() {
        let mut touched = page.clone();
        touched[at] ^= 1;
        assert!(open_page(&key, b"user 1 page 4", &touched).is_err());
        assert!(open_page(&key, b"user 1 page 4", &page[..at]).is_err());
    }
}
