#![allow(clippy::unwrap_used)]
use aws_lc_rs::{
    rand,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
fn main() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut out = vec![0; pair.public_modulus_len()];
    let random = rand::SystemRandom::new();
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        for _ in 0..1000 {
            pair.sign(&RSA_PKCS1_SHA256, &random, b"x", &mut out).unwrap();
        }
        println!("{} us", begun.elapsed().as_micros() / 1000);
    }
}
