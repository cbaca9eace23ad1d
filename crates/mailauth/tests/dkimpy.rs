//! What we sign and seal, verified by dkimpy where the test command has fetched it and Python is
//! there (Ed25519 if it has PyNaCl).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use mailauth::arc::seal::Set;
use mailauth::sign::{BodyDigest, SigningAs, dkim};
use mailauth::{ArcResult, SigningKey};
use std::path::{Path, PathBuf};
use std::process::Command;

const NOW: u64 = 1_789_999_000;
const DOMAIN: &str = "kaede.example";

const HEADERS: &[&str] = &[
    "From: Aoi <aoi@kaede.example>\r\nTo: ken@momiji.example\r\nSubject: hi\r\n",
    "from:Aoi <aoi@kaede.example>\r\nSUBJECT:\t見積書  の件\r\n  続き \t \r\nTo:\r\n ken@momiji.example\r\n",
    "Received: from a\r\n\tby b;\r\n\tnow\r\nFrom: aoi@kaede.example\r\nSubject: =?utf-8?B?6KaL56mN?=\r\n \
     =?utf-8?B?5pu4?=\r\nDate: Sun, 29 Nov 2026 12:00:00 +0900\r\nMessage-ID: <1@kaede.example>\r\n\
     MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"=_a;b\"\r\n\
     Content-Transfer-Encoding: 8bit\r\n",
    "From: aoi@kaede.example\r\nList-Id: <a.example>\r\nList-Unsubscribe: <https://a.example/u?a=b>\r\n\
     List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nReferences: <a@b>\r\n <c@d>\r\nIn-Reply-To: <c@d>\r\n",
    "From: aoi@kaede.example\r\nTo: a@b.example\r\nTo: c@d.example\r\nSubject:\r\nCc: \r\nReply-To:  x@y.example\r\n",
];

const BODIES: &[&str] = &[
    "",
    "\r\n",
    "\r\n\r\n \r\n",
    "Hello,\r\n\r\n two  words\t \r\n\r\n\r\n",
    "no line end",
    "見積書を送ります。  \r\n . \r\n\tよろしく\r\n",
    " \r\n\r\nspace first \r\n",
];

/// Where dkimpy lies.
fn suite() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let root = std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from);
    Some(root.join("dkimpy")).filter(|folder| folder.join("dkim").is_dir())
}

fn signed(keys: [(&str, SigningKey<'_>); 2], header: &str, body: &str) -> String {
    let digest = BodyDigest::of(body.as_bytes());
    let mut fields = String::new();
    for (algorithm, key) in keys {
        let selector = &algorithm[..1];
        let by = SigningAs { domain: DOMAIN, selector, algorithm, now: NOW };
        let unsigned = dkim(header.as_bytes(), &digest, &by);
        fields += &unsigned.finish(&key.sign(unsigned.canonical()).unwrap());
    }
    let (algorithm, key) = keys[0];
    let by = SigningAs { domain: DOMAIN, selector: "r", algorithm, now: NOW };
    let mut header = fields + header;
    for state in [ArcResult::None, ArcResult::Pass] {
        let results =
            "Authentication-Results: mx.example.jp;\r\n\tdmarc=pass header.from=a.example\r\n";
        let set = Set::begin(header.as_bytes(), state, results).unwrap();
        let unsigned = set.message_signature(header.as_bytes(), &digest, &by);
        let signature = unsigned.finish(&key.sign(unsigned.canonical()).unwrap());
        let unsigned = set.seal(header.as_bytes(), &signature, &by);
        let seal = unsigned.finish(&key.sign(unsigned.canonical()).unwrap());
        header = set.fields(&signature, &seal) + &header;
    }
    format!("{header}\r\n{body}")
}

#[test]
fn dkimpy_takes_what_we_sign() {
    let Some(suite) = suite() else { return println!("absent: dkimpy in the folder of suites") };
    let folder = std::env::temp_dir().join(format!("mailauth-dkimpy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let keys =
        [("rsa-sha256", SigningKey::Rsa(&rsa)), ("ed25519-sha256", SigningKey::Ed25519(&ed25519))];
    let records = keys.map(|(algorithm, key)| {
        format!("{}._domainkey.{DOMAIN} {}\n", &algorithm[..1], key.record().unwrap())
    });
    std::fs::write(folder.join("keys.txt"), records.concat()).unwrap();
    let mut count = 0;
    for header in HEADERS {
        for body in BODIES {
            let name = format!("{count:03}.eml");
            std::fs::write(folder.join(name), signed(keys, header, body)).unwrap();
            count += 1;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dkimpy.py");
    let ran = Command::new("python3").arg(script).arg(suite).arg(&folder).output();
    let _ = std::fs::remove_dir_all(&folder);
    let Ok(ran) = ran else { return println!("absent: python3") };
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(told.lines().count(), count);
    for line in told.lines() {
        let (_, verdict) = line.split_once(' ').unwrap();
        assert!(["pass arc=pass", "pass pass arc=pass"].contains(&verdict), "{line}");
    }
    println!("dkimpy: {count} messages of ours taken, {} signatures each", {
        told.lines().next().map_or(0, |line| line.split(' ').count() - 2)
    });
}
