//! Wycheproof's vectors of the families that we use, where the test command has fetched them: all
//! that is valid is taken, all that is invalid is refused.

use crate::pair::agreed;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sealed::Suite;
use serde_json::Value;
use sha2::Sha256;

fn bytes(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// Runs each test of a file through `opinion`; `None`: not a thing that we do.
fn check(file: &str, least: usize, opinion: impl Fn(&Value, &Value) -> Option<bool>) {
    let root = std::env::var("SEKISHO_SUITES")
        .unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/suites").to_owned());
    let Ok(text) = std::fs::read_to_string(format!("{root}/wycheproof/src/data/{file}.json"))
    else {
        return println!("absent: wycheproof/{file} in the folder of suites");
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    let (mut agreed, mut apart, mut open) = (0, 0, 0);
    for group in all["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let result = test["result"].as_str().unwrap();
            match (opinion(group, test), result) {
                (None, _) => apart += 1,
                (Some(_), "acceptable") => open += 1,
                (Some(taken), result) => {
                    assert_eq!(taken, result == "valid", "{file} {}: {test}", test["tcId"]);
                    agreed += 1;
                }
            }
        }
    }
    println!("wycheproof {file}: {agreed} as they should, {open} left to us, {apart} not ours");
    assert!(agreed >= least, "{file}: {agreed}");
}

#[test]
fn aes_256_gcm() {
    check("aes_gcm_test", 60, |group, test| {
        let is_ours = group["keySize"] == 256 && group["ivSize"] == 96 && group["tagSize"] == 128;
        is_ours.then(|| {
            let cipher = Aes256Gcm::new_from_slice(&bytes(&test["key"])).unwrap();
            let nonce: [u8; 12] = bytes(&test["iv"]).try_into().unwrap();
            let sealed = [bytes(&test["ct"]), bytes(&test["tag"])].concat();
            let payload = Payload { msg: &sealed, aad: &bytes(&test["aad"]) };
            cipher.decrypt(&nonce.into(), payload).is_ok_and(|plain| plain == bytes(&test["msg"]))
        })
    });
}

/// Private keys are numbers there; ours have 32 octets.
fn private(value: &Value) -> Option<Vec<u8>> {
    let plain = bytes(value);
    let digits: Vec<u8> = plain.into_iter().skip_while(|octet| *octet == 0).collect();
    let pad = 32usize.checked_sub(digits.len())?;
    Some([vec![0; pad], digits].concat())
}

#[test]
fn ecdh_p256() {
    check("ecdh_secp256r1_ecpoint_test", 200, |_, test| {
        let public = bytes(&test["public"]);
        // RFC 9180 §7.1.1: points are written uncompressed; others are refused unread.
        let made = agreed(Suite::P256, &private(&test["private"])?, &public);
        Some(made.is_some_and(|shared| shared == bytes(&test["shared"])))
    });
}

#[test]
fn x25519() {
    check("x25519_test", 250, |_, test| {
        let made = agreed(Suite::X25519, &bytes(&test["private"]), &bytes(&test["public"]));
        Some(made.is_some_and(|shared| shared == bytes(&test["shared"])))
    });
}

#[test]
fn hmac_sha256() {
    check("hmac_sha256_test", 150, |group, test| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes(&test["key"])).unwrap();
        mac.update(&bytes(&test["msg"]));
        let octets = usize::try_from(group["tagSize"].as_u64().unwrap() / 8).unwrap();
        Some(mac.finalize().into_bytes()[..octets] == bytes(&test["tag"])[..])
    });
}

#[test]
fn hkdf_sha256() {
    check("hkdf_sha256_test", 70, |_, test| {
        let size = usize::try_from(test["size"].as_u64().unwrap()).unwrap();
        let mut made = vec![0; size];
        let expanded = Hkdf::<Sha256>::new(Some(&bytes(&test["salt"])), &bytes(&test["ikm"]))
            .expand(&bytes(&test["info"]), &mut made);
        Some(expanded.is_ok() && made == bytes(&test["okm"]))
    });
}

#[test]
fn ed25519() {
    check("ed25519_test", 140, |group, test| {
        let key: [u8; 32] = bytes(&group["publicKey"]["pk"]).try_into().unwrap();
        let Ok(key) = VerifyingKey::from_bytes(&key) else { return Some(false) };
        let Ok(signature) = Signature::from_slice(&bytes(&test["sig"])) else { return Some(false) };
        Some(key.verify_strict(&bytes(&test["msg"]), &signature).is_ok())
    });
}
