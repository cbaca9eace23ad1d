//! Values of header fields, charsets, transfer encodings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::Encoding;

fuzz_target!(|octets: &[u8]| {
    mime::content_type(octets).parameter("name");
    mime::disposition(octets);
    mime::addresses(octets);
    mime::epoch_seconds(octets);
    mime::decode_words(octets);
    for label in [None, Some("utf-8"), Some("iso-2022-jp"), Some("cp932"), Some("euc-jp")] {
        mime::decode_charset(label, octets);
    }
    for encoding in [Encoding::Base64, Encoding::QuotedPrintable, Encoding::Uuencode] {
        mime::decode_transfer(encoding, octets);
    }
});
