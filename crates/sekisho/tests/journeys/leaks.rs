//! An address that nobody but its owner and whoever wrote to it may learn, and a search for it: in
//! clear, in base64 wherever it stands, in quoted-printable, in hexadecimal, and as a digest that
//! anybody could make.

use data_encoding::{BASE64, HEXLOWER};
use memchr::memmem;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Octets of a digest that would tell as much as the whole.
const DIGEST_BYTES: usize = 12;

pub struct Secret {
    pub address: String,
    /// Its local part, which stands nowhere else.
    pub mark: String,
    /// Whose case says nothing, and whose case is all: what to look for, and what it is.
    folded: Vec<(Vec<u8>, &'static str)>,
    exact: Vec<(Vec<u8>, &'static str)>,
}

impl Secret {
    pub fn new(mark: &str, domain: &str) -> Self {
        let address = format!("{mark}@{domain}");
        let mut folded = vec![(mark.as_bytes().to_vec(), "in clear")];
        folded.push((HEXLOWER.encode(mark.as_bytes()).into_bytes(), "in hexadecimal"));
        let mut exact = Vec::new();
        for shift in 0..3 {
            exact.push((inside_base64(mark.as_bytes(), shift), "in base64"));
        }
        let quoted: String = mark.bytes().map(|octet| format!("={octet:02x}")).collect();
        folded.push((quoted.into_bytes(), "in quoted-printable"));
        for of in [&address, mark, &format!("<{address}>"), &format!("rfc822;{address}")] {
            let hash = Sha256::digest(of.as_bytes());
            let trace = Sha256::digest([b"sekisho trace v1\0", of.as_bytes()].concat());
            for digest in [&hash[..], &trace[..]] {
                let short = &digest[..DIGEST_BYTES];
                exact.push((short.to_vec(), "as a digest"));
                folded.push((HEXLOWER.encode(short).into_bytes(), "as a digest, hexadecimal"));
                exact.push((BASE64.encode(short).into_bytes(), "as a digest, base64"));
            }
        }
        Self { address, mark: mark.to_owned(), folded, exact }
    }

    pub fn is_not_in(&self, place: &str, octets: &[u8]) {
        if let Some(how) = self.found_in(&Readings::of(octets)) {
            let text = String::from_utf8_lossy(octets);
            let text: String = text.chars().take(20_000).collect();
            panic!("{} stands {how} in {place}:\n{text}", self.address);
        }
    }

    fn found_in(&self, readings: &Readings) -> Option<&'static str> {
        let is_in = |what: &[u8], all: &[&Vec<u8>]| {
            all.iter().any(|octets| memmem::find(octets, what).is_some())
        };
        let folded = [&readings.folded, &readings.joined_folded];
        let exact = [&readings.whole, &readings.joined];
        let found = self.folded.iter().find(|(what, _)| is_in(what, &folded));
        found.or_else(|| self.exact.iter().find(|(what, _)| is_in(what, &exact))).map(|one| one.1)
    }
}

/// One text as it is, in lower case, and without the line ends that an encoding puts in.
struct Readings {
    whole: Vec<u8>,
    folded: Vec<u8>,
    joined: Vec<u8>,
    joined_folded: Vec<u8>,
}

impl Readings {
    fn of(octets: &[u8]) -> Self {
        let mut joined = Vec::with_capacity(octets.len());
        let mut rest = octets;
        while let Some((first, more)) = rest.split_first() {
            // A soft line end of quoted-printable, and any other.
            if let Some(more) = rest.strip_prefix(b"=\r\n") {
                rest = more;
                continue;
            }
            if !matches!(first, b'\r' | b'\n') {
                joined.push(*first);
            }
            rest = more;
        }
        let (folded, joined_folded) = (octets.to_ascii_lowercase(), joined.to_ascii_lowercase());
        Self { whole: octets.to_vec(), folded, joined, joined_folded }
    }
}

/// The letters that stand for this text alone, `shift` octets behind the start of a group.
fn inside_base64(text: &[u8], shift: usize) -> Vec<u8> {
    let whole = [&[0; 3][..shift], text].concat();
    let coded = BASE64.encode(&whole).into_bytes();
    coded[(shift * 8).div_ceil(6)..whole.len() * 8 / 6].to_vec()
}

/// Every file below a folder.
pub fn search_folder(folder: &Path, secrets: &[&Secret]) {
    let (mut folders, mut files, mut bytes) = (vec![folder.to_path_buf()], 0, 0);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().filter_map(Result::ok) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            }
            if !kind.is_file() {
                continue;
            }
            let octets = std::fs::read(entry.path()).unwrap();
            (files, bytes) = (files + 1, bytes + octets.len());
            let readings = Readings::of(&octets);
            for secret in secrets {
                let found = secret.found_in(&readings);
                assert!(found.is_none(), "{} {found:?} in {:?}", secret.address, entry.path());
            }
        }
    }
    println!("{files} files, {bytes} octets searched");
    assert!(files > 10 && bytes > 100_000, "{files} files, {bytes} octets");
}

#[test]
fn each_form_is_found() {
    let secret = Secret::new("hush0123abcd", "hidden.example");
    let is_found = |text: &[u8]| secret.found_in(&Readings::of(text)).is_some();
    let address = secret.address.as_bytes();
    assert!(!is_found(b"hush0123 abcd"));
    assert!(is_found(b"x HUSH0123abcD@y") && is_found(b"hush01=\r\n23abcd"));
    for front in ["", "x", "xy", "xyz"] {
        let text = [front.as_bytes(), address].concat();
        let coded = BASE64.encode(&text);
        assert!(is_found(coded.as_bytes()), "{front}");
        let (one, two) = coded.split_at(9);
        assert!(is_found(format!("{one}\r\n{two}").as_bytes()), "{front}");
    }
    let digest = Sha256::digest(address);
    assert!(is_found(&digest) && is_found(HEXLOWER.encode(&digest).to_uppercase().as_bytes()));
    assert!(is_found(BASE64.encode(&digest).as_bytes()));
}
