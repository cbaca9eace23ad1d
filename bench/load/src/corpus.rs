//! Letters made up here: signed by the demo's senders, no two alike, a quarter of them Japanese.

use crate::Outcome;
use aws_lc_rs::signature::Ed25519KeyPair;
use data_encoding::BASE64;
use hkdf::Hkdf;
use mailauth::{Signer, SigningKey};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// The domains that the demo's DNS knows keys and SPF records of.
const DOMAINS: [&str; 2] = ["sender.example", "letters.example"];
const SELECTOR: &str = "demo";
/// Bodies that are made once; what makes each message differ stands in its header.
const BODIES: usize = 16;
const JAPANESE: [&str; 6] = [
    "お世話になっております。",
    "先日お送りいただいた見積書につきまして、社内で検討いたしました。",
    "来週の打ち合わせは火曜日の午後三時からでお願いいたします。",
    "添付の資料をご確認のうえ、ご返信くださいますようお願い申し上げます。",
    "新しい倉庫への移転作業は予定どおり進んでおります。",
    "ご不明な点がございましたら、いつでもお問い合わせください。",
];
const ENGLISH: [&str; 6] = [
    "Thank you for the drawings that came on Monday; the workshop has begun with them.",
    "The second delivery leaves the harbour on Thursday and needs four days.",
    "Could you tell us which of the two colours you would rather have in the hall?",
    "We have put the minutes of the meeting on the shared drive, as agreed.",
    "The invoice for the last quarter follows under separate cover.",
    "Nobody has asked for the old forms since spring, so we stop printing them.",
];

/// Writes letters of one size.
pub struct Corpus {
    bodies: Vec<String>,
    keys: Vec<(&'static str, Ed25519KeyPair)>,
    run: u64,
    now: u64,
}

impl Corpus {
    /// `credential`: what the demo derives its senders' keys from; empty: nobody verifies.
    pub fn new(octets: usize, credential: &[u8]) -> Outcome<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let derive = Hkdf::<Sha256>::new(None, credential);
        let mut keys = Vec::new();
        for domain in DOMAINS {
            let mut seed = [0u8; 32];
            derive
                .expand(format!("demo sender {domain}").as_bytes(), &mut seed)
                .map_err(|_| "no key could be derived")?;
            let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| "no such key")?;
            keys.push((domain, key));
        }
        let bodies = (0..BODIES).map(|number| body(number, octets)).collect();
        Ok(Self { bodies, keys, run: now.as_nanos() as u64, now: now.as_secs() })
    }

    /// The envelope sender and the whole letter, dot-stuffed, with the end of data.
    pub fn letter(&self, number: usize, to: &str) -> Outcome<(String, Vec<u8>)> {
        let (domain, key) = &self.keys[number % self.keys.len()];
        let is_japanese = number % 4 == 0;
        let from = format!("office{}@{domain}", number % 10);
        let (subject, kind) = match is_japanese {
            true => {
                let subject = format!("見積書の件 {number}");
                (format!("=?UTF-8?B?{}?=", BASE64.encode(subject.as_bytes())), "base64")
            }
            false => (format!("About the delivery, {number}"), "7bit"),
        };
        let header = format!(
            "From: Office <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\
             Date: Sun, 22 Nov 2026 04:00:00 +0000\r\nMessage-ID: <{number}.{}@{domain}>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: {kind}\r\n\r\n",
            self.run
        );
        // Japanese bodies stand at every fourth place, as their letters do.
        let octets = header + &self.bodies[number % BODIES];
        let key = SigningKey::Ed25519(key);
        let signer = Signer { domain, selector: SELECTOR, key, now: self.now };
        let mut letter = signer.sign(octets.as_bytes())?.into_bytes();
        letter.extend_from_slice(octets.as_bytes());
        letter.extend_from_slice(b".\r\n");
        Ok((from, letter))
    }
}

/// About so many octets; no line begins with a dot.
fn body(number: usize, octets: usize) -> String {
    let sentences = if number % 4 == 0 { &JAPANESE } else { &ENGLISH };
    let plain = if number % 4 == 0 { octets / 4 * 3 } else { octets };
    let mut text = String::with_capacity(octets + 200);
    let mut at = number;
    while text.len() < plain {
        text.push_str(sentences[at % sentences.len()]);
        text.push_str("\r\n");
        at = at * 7 + 3;
        at %= 1009;
    }
    if number % 4 != 0 {
        return text;
    }
    let mut folded = String::with_capacity(octets + 200);
    for line in BASE64.encode(text.as_bytes()).as_bytes().chunks(76) {
        folded.push_str(&String::from_utf8_lossy(line));
        folded.push_str("\r\n");
    }
    folded
}
