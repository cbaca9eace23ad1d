//! What we sign and seal: our own reader takes it, and takes nothing that was changed.

use super::{Zone, changed, dkim, judge};
use crate::arc::seal::Set;
use crate::sign::{BodyDigest, SEALED, SigningAs, Unsigned};
use crate::{ArcResult, Signer, SigningKey, sign};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;

const NOW: u64 = 1_789_999_000;

struct Keys {
    rsa: RsaKeyPair,
    ed25519: Ed25519KeyPair,
    zone: Zone,
}

impl Keys {
    fn new() -> Self {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let mut zone = Zone::default();
        for domain in ["kaede.example", "list.example", "last.example"] {
            for (name, key) in [("r", SigningKey::Rsa(&rsa)), ("e", SigningKey::Ed25519(&ed25519))]
            {
                let name = format!("{name}._domainkey.{domain}");
                zone = zone.text(&name, &key.record().unwrap());
            }
        }
        Self { rsa, ed25519, zone }
    }

    /// As the key's holder does: the whole canonical header, nothing else.
    fn signature(&self, by: &SigningAs<'_>, unsigned: &Unsigned) -> Vec<u8> {
        let key = match by.algorithm {
            "rsa-sha256" => SigningKey::Rsa(&self.rsa),
            _ => SigningKey::Ed25519(&self.ed25519),
        };
        key.sign(unsigned.canonical()).unwrap()
    }

    /// Both signatures on top, RSA first.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let body = BodyDigest::of(&message[end..]);
        let mut fields = String::new();
        for (selector, algorithm) in [("r", "rsa-sha256"), ("e", "ed25519-sha256")] {
            let by = SigningAs { domain: "kaede.example", selector, algorithm, now: NOW };
            let unsigned = sign::dkim(&message[..end], &body, &by);
            fields.push_str(&unsigned.finish(&self.signature(&by, &unsigned)));
        }
        [fields.as_bytes(), message].concat()
    }

    fn seal(
        &self,
        message: &[u8],
        domain: &str,
        state: ArcResult,
        results: &str,
    ) -> Option<Vec<u8>> {
        let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
        let (header, body) = (&message[..end], BodyDigest::of(&message[end..]));
        let set = Set::begin(header, state, results)?;
        let by = SigningAs { domain, selector: "r", algorithm: "rsa-sha256", now: NOW };
        let unsigned = set.message_signature(header, &body, &by);
        let signature = unsigned.finish(&self.signature(&by, &unsigned));
        let unsigned = set.seal(header, &signature, &by);
        let seal = unsigned.finish(&self.signature(&by, &unsigned));
        Some([set.fields(&signature, &seal).as_bytes(), message].concat())
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn text(&mut self) -> String {
        let pieces = [
            "word",
            "見積書の件",
            "=?utf-8?B?6KaL56mN?=",
            "\r\n ",
            "\r\n\t",
            "  ",
            " ",
            "\t",
            ";",
            ":",
            "\"a b\"",
            "<a@b.example>",
            "é",
            "=",
            "ｶﾅ",
            ".",
            "\r\n \t ",
        ];
        (0..self.below(9)).map(|_| pieces[self.below(pieces.len())]).collect()
    }

    /// A message as clients and lists write them, and as they should not.
    fn message(&mut self) -> Vec<u8> {
        let mut fields = vec![format!(
            "From: {}<aoi@kaede.example>\r\n",
            self.text().replace(['<', '>', '"'], "")
        )];
        let names = [
            "Subject",
            "To",
            "Cc",
            "Date",
            "Message-ID",
            "Reply-To",
            "X-Mailer",
            "References",
            "MIME-Version",
            "Content-Type",
            "List-Unsubscribe",
            "sender",
            "List-Id",
            "Received",
            "CONTENT-TRANSFER-ENCODING",
            "Resent-To ",
        ];
        for _ in 0..self.below(14) {
            let name = names[self.below(names.len())];
            let space = ["", " ", "  ", "\t"][self.below(4)];
            fields.push(format!("{name}:{space}{}\r\n", self.text()));
        }
        let at = self.below(fields.len());
        fields.swap(0, at);
        let mut message = fields.concat();
        if self.once_in(12) {
            return message.into_bytes();
        }
        message.push_str("\r\n");
        for _ in 0..self.below(30) {
            let lines = [
                "\r\n",
                " \r\n",
                "text\r\n",
                "見積 もり \r\n",
                "a  b\t\r\n",
                ".\r\n",
                " x\r\n",
                "end",
            ];
            message.push_str(lines[self.below(lines.len())]);
        }
        message.into_bytes()
    }
}

#[test]
fn what_we_sign_holds_in_every_shape_of_message() {
    let keys = Keys::new();
    let mut chance = Chance(0x5EED_0001);
    for round in 0..400 {
        let message = chance.message();
        let signed = keys.sign(&message);
        let shown = String::from_utf8_lossy(&signed);
        assert_eq!(dkim(&signed, &keys.zone), "pass , pass", "round {round}:\n{shown}");
        assert!(keys.sign(&message) == signed);
        let own = signed.len() - message.len();
        let fields = std::str::from_utf8(&signed[..own]).unwrap();
        assert!(fields.lines().all(|line| line.len() <= 90), "{fields}");
        // One octet other than white space, changed anywhere in what is signed.
        let at = loop {
            let at = own + chance.below(message.len());
            if signed[at].is_ascii_alphabetic() {
                break at;
            }
        };
        let mut other = signed.clone();
        other[at] ^= 3;
        let told = dkim(&other, &keys.zone);
        let line_start = signed[..at].windows(2).rposition(|pair| pair == b"\r\n").unwrap() + 2;
        let line = String::from_utf8_lossy(&signed[line_start..]).to_ascii_lowercase();
        let is_unsigned = ["x-mailer", "received"].iter().any(|name| line.starts_with(name))
            || line.starts_with([' ', '\t']);
        assert!(told != "pass , pass" || is_unsigned, "round {round}, octet {at}:\n{shown}");
    }
}

#[test]
fn nothing_that_a_reader_would_see_is_added() {
    let keys = Keys::new();
    let signed =
        keys.sign(b"From: aoi@kaede.example\r\nSubject: one\r\nList-Id: <a.example>\r\n\r\nx\r\n");
    let fail = "fail signature does not match, fail signature does not match";
    for name in SEALED {
        let above = [format!("{name}: x\r\n").as_bytes(), &signed].concat();
        assert_eq!(dkim(&above, &keys.zone), fail, "{name}");
        let below = changed(&signed, "\r\n\r\n", &format!("\r\n{name}: x\r\n\r\n"));
        assert_eq!(dkim(&below, &keys.zone), fail, "{name}");
    }
    let second = [b"List-Id: <b.example>\r\n", &signed[..]].concat();
    assert_eq!(dkim(&second, &keys.zone), fail);
    // What relays and lists add where there was none is theirs.
    for field in ["Received: x", "List-Unsubscribe: <https://a.example>", "Sender: b@list.example"]
    {
        let added = [field.as_bytes(), b"\r\n", &signed].concat();
        assert_eq!(dkim(&added, &keys.zone), "pass , pass", "{field}");
    }
}

#[test]
fn names_are_signed_in_ascii() {
    let key = Keys::new();
    let by = SigningAs { domain: "鍵.Example", selector: "r", algorithm: "rsa-sha256", now: NOW };
    let field = sign::dkim(b"From: a@b.example\r\n\r\n", &[0; 32], &by).finish(b"x");
    assert!(field.contains(" d=xn--5y4a.example;"), "{field}");
    let signer =
        Signer { domain: "kaede.example", selector: "r", key: SigningKey::Rsa(&key.rsa), now: NOW };
    // A digest made in pieces and one made by the verifier's own means.
    let message = b"From: a@kaede.example\r\n\r\n two  words \r\n\r\n";
    let signed = [signer.sign(message).unwrap().as_bytes(), message].concat();
    assert_eq!(dkim(&signed, &key.zone), "pass");
}

#[test]
fn a_chain_that_we_carry_on_holds() {
    let keys = Keys::new();
    let mut chance = Chance(0x5EED_0002);
    for round in 0..120 {
        let mut message = keys.sign(&chance.message());
        for (number, domain) in ["kaede.example", "list.example", "last.example"].iter().enumerate()
        {
            let told = judge(&message, &keys.zone);
            let expected = if number == 0 { ArcResult::None } else { ArcResult::Pass };
            assert_eq!(told.arc.result, expected, "round {round}, {}", told.arc.reason);
            // A list changes what it likes before it seals.
            if chance.once_in(2) {
                message = [b"List-Id: <a.list.example>\r\n", &message[..]].concat();
            }
            message = keys.seal(&message, domain, told.arc.result, &told.header).unwrap();
        }
        let told = judge(&message, &keys.zone).arc;
        let shown = String::from_utf8_lossy(&message);
        assert_eq!(told.result, ArcResult::Pass, "round {round}: {}\n{shown}", told.reason);
        assert_eq!(told.sealers, ["kaede.example", "list.example", "last.example"]);
        assert!(told.last_results.starts_with("mx.example.jp;"), "{}", told.last_results);
        let other = changed(
            &message,
            "ARC-Seal: i=3; a=rsa-sha256; cv=pass",
            "ARC-Seal: i=3; a=rsa-sha256; cv=none",
        );
        assert_eq!(judge(&other, &keys.zone).arc.result, ArcResult::Fail);
        let other = changed(
            &message,
            "ARC-Authentication-Results: i=1;\r\n\tmx",
            "ARC-Authentication-Results: i=1;\r\n\tmy",
        );
        assert_eq!(judge(&other, &keys.zone).arc.result, ArcResult::Fail);
    }
}

#[test]
fn a_broken_chain_is_told_once() {
    let keys = Keys::new();
    let none = "Authentication-Results: mx.example.jp; arc=none\r\n";
    let fail = "Authentication-Results: mx.example.jp; arc=fail\r\n";
    let message = b"From: aoi@kaede.example\r\n\r\nhello\r\n";
    let sealed = keys.seal(message, "kaede.example", ArcResult::None, none).unwrap();
    let broken = changed(&sealed, "hello", "hullo");
    let told = judge(&broken, &keys.zone).arc;
    assert_eq!(
        (told.result, told.reason.as_str()),
        (ArcResult::Fail, "the body hash does not match")
    );
    let carried = keys.seal(&broken, "list.example", told.result, fail).unwrap();
    let shown = String::from_utf8_lossy(&carried);
    assert!(shown.starts_with("ARC-Seal: i=2; a=rsa-sha256; cv=fail; d=list.example;"), "{shown}");
    let told = judge(&carried, &keys.zone).arc;
    assert_eq!(
        (told.result, told.reason.as_str()),
        (ArcResult::Fail, "a sealer found the chain broken")
    );
    assert!(keys.seal(&carried, "last.example", told.result, fail).is_none());
    // What is said to have passed without a set, or not to exist with one, is broken too.
    let odd = |message: &[u8], state| {
        Set::begin(message, state, none)
            .unwrap()
            .seal(
                message,
                "x",
                &SigningAs {
                    domain: "a.example",
                    selector: "r",
                    algorithm: "rsa-sha256",
                    now: NOW,
                },
            )
            .finish(b"")
    };
    assert!(odd(message, ArcResult::Pass).contains("cv=fail"));
    assert!(odd(&sealed, ArcResult::None).contains("cv=fail"));
    assert!(odd(message, ArcResult::None).contains("cv=none"));
    // As long as chains may be.
    let long = b"ARC-Seal: i=50; cv=pass; b=x\r\nFrom: a@b.example\r\n\r\n";
    assert!(Set::begin(long, ArcResult::Fail, fail).is_none());
}
