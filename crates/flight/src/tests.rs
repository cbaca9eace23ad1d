//! A text gives back what it was given, small or large, without what is cut out.

use crate::{Fault, Text};
use wire::INLINE_BYTES;

fn pieces(text: &Text, without: &[(u64, u64)]) -> Vec<u8> {
    let mut all = Vec::new();
    text.each_piece(without, |piece| {
        all.extend_from_slice(piece);
        Ok::<_, Fault>(())
    })
    .unwrap();
    all
}

#[test]
fn texts_of_every_size() {
    let large = compartment::Slab::BYTES;
    for size in [0, 1, 100, INLINE_BYTES, INLINE_BYTES + 1, 3 * INLINE_BYTES + 7, large, large + 1]
    {
        let announced = [0, size as u64, 1_000_000, u64::MAX].map(Text::to_examine);
        for text in announced.into_iter().chain([Text::new()]) {
            of_size(size, text);
        }
    }
}

fn of_size(size: usize, mut text: Text) {
    let octets: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    for piece in octets.chunks(65_536) {
        text.push(piece).unwrap();
    }
    let text = text.finish().unwrap();
    assert_eq!(text.len(), size as u64);
    assert!(pieces(&text, &[]) == octets, "{size}");
    assert!(text.behind().is_none_or(|behind| behind == octets), "{size}");
    let (parcel, held) = text.parcel().unwrap();
    assert!(parcel.open(&held).unwrap() == octets, "{size}");
    let (again, held) = text.parcel().unwrap();
    assert!(again.open(&held).unwrap() == octets, "a second scanner gets the same");
    if size > 50 {
        let end = size as u64;
        let cut = pieces(&text, &[(0, 10), (20, 30), (end - 5, end)]);
        let expected = [&octets[10..20], &octets[30..size - 5]].concat();
        assert!(cut == expected, "{size}");
    }
}
