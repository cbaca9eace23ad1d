//! Mail: whose keys sign it, what is a header, and the life of a pair.

use super::*;
use crate::mail_shape::{Asked, is_mail_header};
use mailauth::arc::seal::Set;
use mailauth::sign::{BodyDigest, SigningAs, dkim};
use mailauth::{Answer, ArcResult, Envelope, Record, RecordKind, Resolver};
use wire::signer::{CANONICAL_BYTES, MailKey, MailRecord};

const KAEDE: TenantId = TenantId([1; 8]);
const MOMIJI: TenantId = TenantId([2; 8]);
const NOW: u64 = 1_800_000_000;

fn person(tenant: TenantId) -> Option<(TenantId, UserId)> {
    Some((tenant, UserId([7; 8])))
}

fn make(admin: &mut Channel, tenant: TenantId, domain: &str) -> Option<Vec<MailRecord>> {
    records(ask(admin, ToSigner::MakeMailKeys { tenant, domain: domain.to_owned() }))
}

fn rotate(admin: &mut Channel, retire: bool) -> Vec<MailRecord> {
    let domain = "kaede.example".to_owned();
    records(ask(admin, ToSigner::RotateMailKeys { domain, retire })).unwrap()
}

fn records(answer: FromSigner) -> Option<Vec<MailRecord>> {
    match answer {
        FromSigner::MailRecords(records) => Some(records),
        _ => None,
    }
}

fn keys(dispatch: &mut Channel, domain: &str) -> Option<Vec<MailKey>> {
    match ask(dispatch, ToSigner::MailKeys { domain: domain.to_owned() }) {
        FromSigner::MailKeys(keys) => Some(keys),
        _ => None,
    }
}

fn signed(dispatch: &mut Channel, selector: &str, canonical: &[u8]) -> Option<Vec<u8>> {
    let (domain, selector) = ("kaede.example".to_owned(), selector.to_owned());
    let canonical = canonical.to_vec();
    match ask(dispatch, ToSigner::SignMail { domain, selector, canonical }) {
        FromSigner::Signature(signature) => Some(signature),
        _ => None,
    }
}

/// The records' selectors; those that sign in brackets.
fn told(records: &[MailRecord]) -> String {
    let selector = |record: &MailRecord| {
        let selector = record.name.strip_suffix("._domainkey.kaede.example").unwrap().to_owned();
        if record.signs { format!("[{selector}]") } else { selector }
    };
    records.iter().map(selector).collect::<Vec<_>>().join(" ")
}

struct Zone(Vec<MailRecord>);

impl Resolver for Zone {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        match self.0.iter().find(|record| record.name == name) {
            Some(record) if kind == RecordKind::Text => {
                Answer::Records(vec![Record::Text(record.text.clone().into_bytes())])
            }
            _ => Answer::NoSuchName,
        }
    }
}

const LETTER: &str = "From: Aoi <aoi@kaede.example>\r\nTo: ken@momiji.example\r\n\
    Subject: =?utf-8?B?5LqI566X?=\r\nDate: Sun, 29 Nov 2026 12:00:00 +0900\r\n\
    Message-ID: <1@kaede.example>\r\n\r\nHello,\r\n\r\nthere.\r\n";

fn sign_letter(dispatch: &mut Channel) -> String {
    let body = BodyDigest::of(b"Hello,\r\n\r\nthere.\r\n");
    let mut fields = String::new();
    for key in keys(dispatch, "kaede.example").unwrap() {
        let (selector, algorithm) = (key.selector.as_str(), key.algorithm.as_str());
        let by = SigningAs { domain: "kaede.example", selector, algorithm, now: NOW };
        let unsigned = dkim(LETTER.as_bytes(), &body, &by);
        let signature = signed(dispatch, selector, unsigned.canonical()).unwrap();
        fields.push_str(&unsigned.finish(&signature));
    }
    fields + LETTER
}

fn verdict(message: &str, records: &[MailRecord]) -> String {
    let envelope = Envelope {
        client_ip: "192.0.2.1".parse().unwrap(),
        helo: "mx.kaede.example",
        mail_from: "aoi@kaede.example",
        our_name: "mx.example.jp",
        now: NOW,
    };
    let told = mailauth::check(&envelope, message.as_bytes(), &mut Zone(records.to_vec()));
    let words: Vec<String> =
        told.dkim.iter().map(|one| format!("{} {}", one.algorithm, one.result.word())).collect();
    words.join(", ")
}

#[test]
fn mail_of_a_tenant_is_signed_by_both_keys_of_its_domain() {
    let running = Running::start(&folder("mail"), false).with_vault(None);
    let ledger = running.join(Kind::Ledger, 6);
    let mut admin = running.join(Kind::Admin, 3);
    let records = make(&mut admin, KAEDE, "kaede.example").unwrap();
    assert_eq!(told(&records), "[sk1r] [sk1e]");
    let mut dispatch = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let message = sign_letter(&mut dispatch);
    assert_eq!(verdict(&message, &records), "rsa-sha256 pass, ed25519-sha256 pass");
    assert!(message.lines().all(|line| line.len() <= 100), "{message}");
    // Without keys is not without a signer.
    for domain in ["elsewhere.example", "", "../mail"] {
        assert!(keys(&mut dispatch, domain).unwrap().is_empty(), "{domain}");
    }
    assert_eq!(running.alarms(), 0);
    // The keys made, and one use for the instance, however often it signs.
    let entries = |count: usize| {
        let frame = ledger.receive(Some(LIMIT)).unwrap();
        let ToLedger::Append { entries, .. } = frame.read().unwrap() else { panic!() };
        ledger.send(frame.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
        count + entries.len()
    };
    let mut count = 0;
    while count < 2 {
        count = entries(count);
    }
    assert_eq!(count, 2);
    running.stop();
}

#[test]
fn mail_waits_for_a_signer_that_is_locked() {
    let running = Running::start(&folder("locked-mail"), false);
    let mut dispatch = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    assert!(keys(&mut dispatch, "kaede.example").is_none());
    running.stop();
}

#[test]
fn nobody_signs_in_another_tenant_s_name() {
    let running = Running::start(&folder("whose"), false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    make(&mut admin, KAEDE, "kaede.example").unwrap();
    let mut own = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let by =
        SigningAs { domain: "kaede.example", selector: "sk1r", algorithm: "rsa-sha256", now: NOW };
    let unsigned = dkim(LETTER.as_bytes(), &[0; 32], &by);
    let canonical = unsigned.canonical();
    assert!(signed(&mut own, "sk1r", canonical).is_some());
    // Who carries a tenant's mail signs what nobody's client wrote, and seals what is passed on.
    let mut depart = running.join_for(Kind::Depart, 7, person(KAEDE));
    assert!(signed(&mut depart, "sk1r", canonical).is_some());
    // A pair that is gone: no alarm, it may have been named before.
    assert!(signed(&mut own, "sk9r", canonical).is_none());
    assert_eq!(running.alarms(), 0);
    // The other key of the domain signs only what names it.
    assert!(signed(&mut own, "sk1e", canonical).is_none());
    assert!(signed(&mut own, "sk1r", &canonical[1..]).is_none());
    assert!(signed(&mut own, "sk1r", &[7; 32]).is_none());
    assert_eq!(running.alarms(), 3);
    for (kind, person) in [
        (Kind::Dispatch, person(MOMIJI)),
        (Kind::Dispatch, None),
        (Kind::Depart, person(MOMIJI)),
        (Kind::Depart, None),
        (Kind::Edge, None),
        (Kind::Access, person(KAEDE)),
        (Kind::Admin, None),
    ] {
        let mut other = running.join_for(kind, 8, person);
        assert!(signed(&mut other, "sk1r", canonical).is_none(), "{}", kind.word());
        assert!(keys(&mut other, "kaede.example").is_none(), "{}", kind.word());
    }
    assert_eq!(running.alarms(), 14);
    let domain = "kaede.example".to_owned();
    let question = ToSigner::MakeMailKeys { tenant: MOMIJI, domain: domain.clone() };
    assert!(matches!(ask(&mut own, question), FromSigner::Refused));
    let question = ToSigner::RotateMailKeys { domain, retire: true };
    assert!(matches!(ask(&mut own, question), FromSigner::Refused));
    assert_eq!(running.alarms(), 2);
    running.stop();
}

#[test]
fn both_keys_sign_at_once_or_none_does() {
    let running = Running::start(&folder("at-once"), false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    let records = make(&mut admin, KAEDE, "kaede.example").unwrap();
    let mut own = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let body = BodyDigest::of(b"Hello,\r\n\r\nthere.\r\n");
    let unsigned =
        [("sk1r", "rsa-sha256"), ("sk1e", "ed25519-sha256")].map(|(selector, algorithm)| {
            let by = SigningAs { domain: "kaede.example", selector, algorithm, now: NOW };
            (selector.to_owned(), dkim(LETTER.as_bytes(), &body, &by))
        });
    let all: Vec<(String, Vec<u8>)> = unsigned
        .iter()
        .map(|(selector, unsigned)| (selector.clone(), unsigned.canonical().to_vec()))
        .collect();
    let sign = |channel: &mut Channel, asked: &[(String, Vec<u8>)]| {
        let (domain, asked) = ("kaede.example".to_owned(), asked.to_vec());
        match ask(channel, ToSigner::SignMailByAll { domain, asked }) {
            FromSigner::Signatures(signatures) => Some(signatures),
            FromSigner::Refused => None,
            _ => panic!("neither signatures nor a refusal"),
        }
    };
    let signatures = sign(&mut own, &all).unwrap();
    let fields = unsigned.iter().zip(&signatures);
    let fields: String = fields.map(|((_, one), signature)| one.finish(signature)).collect();
    let both = "rsa-sha256 pass, ed25519-sha256 pass";
    assert_eq!(verdict(&(fields + LETTER), &records), both);
    // One that is gone is gone for all; what is no header is no header beside one, either.
    assert!(sign(&mut own, &[all[0].clone(), ("sk9r".to_owned(), all[1].1.clone())]).is_none());
    assert_eq!(running.alarms(), 0);
    assert!(sign(&mut own, &[all[0].clone(), ("sk1e".to_owned(), vec![7; 32])]).is_none());
    assert_eq!(running.alarms(), 1);
    assert!(sign(&mut own, &vec![all[0].clone(); 5]).is_none());
    let mut others = running.join_for(Kind::Dispatch, 6, person(MOMIJI));
    assert!(sign(&mut others, &all).is_none());
    let mut depart = running.join_for(Kind::Depart, 7, person(KAEDE));
    assert!(sign(&mut depart, &all).is_none());
    assert_eq!(running.alarms(), 2);
    running.stop();
}

#[test]
fn signatures_asked_for_at_once_count_each() {
    let running = Running::start(&folder("counted"), false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    make(&mut admin, KAEDE, "kaede.example").unwrap();
    let mut loud = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let domain = || "kaede.example".to_owned();
    let nothing = || vec![("sk9r".to_owned(), Vec::new()); 1_000];
    for _ in 0..20 {
        ask(&mut loud, ToSigner::SignMailByAll { domain: domain(), asked: nothing() });
    }
    assert!(keys(&mut loud, "kaede.example").is_none());
    assert_eq!(running.alarms(), 1);
    running.stop();
}

#[test]
fn a_dispatch_asks_no_more_than_a_session_needs() {
    let running = Running::start(&folder("enough"), false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    make(&mut admin, KAEDE, "kaede.example").unwrap();
    let mut loud = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let asked = (0..20_010).filter(|_| keys(&mut loud, "kaede.example").is_some()).count();
    assert_eq!(asked, 20_000);
    assert_eq!(running.alarms(), 1);
    let mut other = running.join_for(Kind::Dispatch, 6, person(KAEDE));
    assert!(keys(&mut other, "kaede.example").is_some());
    running.stop();
}

#[test]
fn a_depart_has_no_more_signed_than_it_can_carry() {
    let running = Running::start(&folder("carried"), false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    make(&mut admin, KAEDE, "kaede.example").unwrap();
    let mut loud = running.join_for(Kind::Depart, 5, person(KAEDE));
    let asked = (0..100_010).filter(|_| keys(&mut loud, "kaede.example").is_some()).count();
    assert_eq!(asked, 100_000);
    assert_eq!(running.alarms(), 1);
    let mut other = running.join_for(Kind::Depart, 6, person(KAEDE));
    assert!(keys(&mut other, "kaede.example").is_some());
    running.stop();
}

#[test]
fn a_next_pair_waits_signs_rests_and_is_forgotten() {
    let folder = folder("pairs");
    let running = Running::start(&folder, false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    let mut dispatch = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    let first = make(&mut admin, KAEDE, "kaede.example").unwrap();
    assert!(make(&mut admin, KAEDE, "kaede.example").unwrap() == first);
    let before = sign_letter(&mut dispatch);
    assert_eq!(told(&rotate(&mut admin, false)), "[sk1r] [sk1e] sk2r sk2e");
    assert!(sign_letter(&mut dispatch) == before);
    let both = rotate(&mut admin, false);
    assert_eq!(told(&both), "sk1r sk1e [sk2r] [sk2e]");
    assert!(both[0].text == first[0].text);
    let after = sign_letter(&mut dispatch);
    for message in [&before, &after] {
        assert_eq!(verdict(message, &both), "rsa-sha256 pass, ed25519-sha256 pass");
    }
    assert_eq!(verdict(&after, &first), "rsa-sha256 permerror, ed25519-sha256 permerror");
    running.stop();
    // A restart finds them.
    let running = Running::start(&folder, false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    let mut dispatch = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    assert!(sign_letter(&mut dispatch) == after);
    assert_eq!(told(&rotate(&mut admin, true)), "[sk2r] [sk2e]");
    assert_eq!(told(&rotate(&mut admin, true)), "[sk2r] [sk2e]");
    // The domain goes to another tenant: nothing of the first one's is left, no selector returns.
    assert_eq!(told(&make(&mut admin, MOMIJI, "kaede.example").unwrap()), "[sk3r] [sk3e]");
    assert!(keys(&mut dispatch, "kaede.example").is_none());
    let mut other = running.join_for(Kind::Dispatch, 9, person(MOMIJI));
    assert_eq!(keys(&mut other, "kaede.example").unwrap().len(), 2);
    for domain in ["", ".", "a..b", "Kaede.example", "../mail", "kaede.example.", "鍵.example"] {
        assert!(make(&mut admin, KAEDE, domain).is_none(), "{domain}");
    }
    assert!(matches!(
        ask(&mut admin, ToSigner::RotateMailKeys { domain: "no.example".into(), retire: false }),
        FromSigner::Refused
    ));
    // What is there to rest is bounded.
    for round in 0..20 {
        let domain = "kaede.example".to_owned();
        match records(ask(&mut admin, ToSigner::RotateMailKeys { domain, retire: false })) {
            Some(records) => assert!(records.len() <= 16, "round {round}"),
            None => assert!(round > 10),
        }
    }
    running.stop();
    // Nothing on the disk is a key in clear, or a name.
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert!(!has(b"kaede") && !name.contains("kaede"), "{name}");
        assert!(!has(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]), "{name}");
    }
}

const KEY: Asked<'static> =
    Asked { domain: "kaede.example", selector: "sk1r", algorithm: "rsa-sha256" };

const HASH: &str = "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=";

/// A canonical header with this last field; `HASH` stands for a body's hash.
fn header(fields: &str, last: &str) -> Vec<u8> {
    format!("{fields}{last}").replace('\n', "\r\n").replace("HASH", HASH).into_bytes()
}

#[test]
fn a_mail_s_header_is_told_from_everything_else() {
    let check = |fields: &str, last: &str, expected: bool| {
        assert_eq!(is_mail_header(&header(fields, last), KEY), expected, "{fields}{last}");
    };
    let own = "a=rsa-sha256; c=relaxed/relaxed; d=kaede.example; s=sk1r; t=1800000000; ";
    let dkim = |more: &str| format!("dkim-signature:v=1; {own}{more}");
    let from = "from:aoi@kaede.example\n";
    let good = dkim("h=From:To:Subject: Date; bh=HASH; b=");
    check(from, &good, true);
    check("from:aoi@kaede.example\nsubject:\nx:y\n", &good, false);
    check("from:aoi@kaede.example\nsubject:a b\n", &good, true);
    check("subject:a\nfrom:aoi@kaede.example\n", &good, false);
    check("", &good, true);
    check(from, &dkim("i=aoi@kaede.example; h=From; bh=HASH; b="), true);
    check(from, &dkim("i=@kaede.example; x=1800000001; h=From; bh=HASH; b="), true);
    for wrong in [
        "i=aoi@other.example; h=From; bh=HASH; b=",
        "h=To; bh=HASH; b=",
        "h=From; bh=HASH; b=AAAA",
        "h=From; bh=HASH; b=;",
        "h=From; bh=HASH; b= ",
        "bh=HASH; b=",
        "h=From; b=",
        "h=From; bh=AAAA; b=",
        "h=From; b=; bh=HASH",
        "h=From; bh=HASH; l=10; b=",
        "h=From; bh=HASH; z=From:x; b=",
        "h=From; bh=HASH; bh=HASH; b=",
    ] {
        check(from, &dkim(wrong), false);
    }
    for (this, that) in [
        ("v=1", "v=2"),
        ("d=kaede.example", "d=momiji.example"),
        ("d=kaede.example", "d=kaede.example.jp"),
        ("s=sk1r", "s=sk1e"),
        ("rsa-sha256", "ed25519-sha256"),
        ("rsa-sha256", "rsa-sha1"),
        ("relaxed/relaxed", "relaxed/simple"),
        ("relaxed/relaxed", "simple/relaxed"),
        ("t=1800000000", "t=now"),
        ("dkim-signature:", "DKIM-Signature:"),
        ("dkim-signature:", "dkim-signature: "),
        ("dkim-signature:", "x-dkim-signature:"),
        ("; ", ";  "),
        ("; ", ";\t"),
    ] {
        check(from, &good.replacen(this, that, 1), false);
    }
    for odd in ["From:x\n", "from :x\n", "from: x\n", "from:x \n", "from\n", "\n", "from:a  b\n"] {
        check(odd, &good, false);
    }
    let bare = String::from_utf8(header(from, &good)).unwrap().replace("\r\n", "\n");
    assert!(!is_mail_header(bare.as_bytes(), KEY));
    assert!(!is_mail_header(&[&header(from, &good)[..], b"\r\n"].concat(), KEY));
    let long = |octets: usize| {
        let empty = header("from:\n", &good).len();
        let value = "x".repeat(octets - empty);
        is_mail_header(&header(&format!("from:{value}\n"), &good), KEY)
    };
    assert!(long(CANONICAL_BYTES));
    assert!(!long(CANONICAL_BYTES + 1));
}

#[test]
fn a_set_of_a_chain_is_told_from_everything_else() {
    let check = |fields: &str, last: &str, expected: bool| {
        assert_eq!(is_mail_header(&header(fields, last), KEY), expected, "{fields}{last}");
    };
    let own = "a=rsa-sha256; d=kaede.example; s=sk1r; t=1800000000; ";
    let signature = |more: &str| format!("arc-message-signature:i=2; {own}{more}");
    let covered = "c=relaxed/relaxed; h=from:dkim-signature; bh=HASH; b=";
    check("from:x\n", &signature(covered), true);
    check("from:x\ndkim-signature:y\n", &signature(covered), true);
    check("from:x\n", &signature(&covered.replace("from:dkim", "from:arc-seal:dkim")), false);
    check("from:x\n", &signature(covered).replace("i=2", "i=0"), false);
    check("from:x\n", &signature(covered).replace("i=2", "i=51"), false);
    check("from:x\n", &signature(covered).replace("i=2", "v=1; i=2"), false);
    let set = |number: u8| {
        format!(
            "arc-authentication-results:i={number}; mx.example; dmarc=pass\n\
                 arc-message-signature:i={number}; a=rsa-sha256; b=xx\n"
        )
    };
    let sealed = |number: u8| format!("arc-seal:i={number}; a=rsa-sha256; b=xx\n");
    let seal = |number: u8, state: &str| format!("arc-seal:i={number}; cv={state}; {own}b=");
    check(&set(1), &seal(1, "none"), true);
    check(&set(1), &seal(1, "pass"), false);
    check(&set(1), &seal(1, "fail"), true);
    check(&set(2), &seal(2, "fail"), true);
    check(&set(2), &seal(2, "pass"), false);
    let both = set(1) + &sealed(1) + &set(2);
    check(&both, &seal(2, "pass"), true);
    check(&both, &seal(2, "none"), false);
    check(&both, &seal(2, "fail"), false);
    check(&both, &seal(3, "pass"), false);
    check(&(set(1) + &set(2)), &seal(2, "pass"), false);
    check(&(set(2) + &sealed(2) + &set(1)), &seal(2, "pass"), false);
    check("from:x\n", &seal(1, "none"), false);
    check(&set(1), &seal(1, "none").replace("; b=", "; h=from; b="), false);
}

#[test]
fn fuzz_no_header_makes_the_reader_fall() {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let by = SigningAs {
        domain: KEY.domain,
        selector: KEY.selector,
        algorithm: KEY.algorithm,
        now: NOW,
    };
    let seed = dkim(LETTER.as_bytes(), &[3; 32], &by).canonical().to_vec();
    assert!(is_mail_header(&seed, KEY));
    let odd = [" ", ";", "=", ":", "\r\n", "\r", "\n", "b=", "d=", "\u{9375}", "\0", "i=1"];
    for _ in 0..30_000 {
        let mut bytes = seed.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes.truncate(at.max(1)),
                1 => drop(bytes.splice(at..at, odd[next(odd.len())].bytes())),
                _ => bytes[at] = u8::try_from(next(256)).unwrap(),
            }
        }
        if is_mail_header(&bytes, KEY) {
            // Whatever else was changed, it still ends in the field that this key is named in.
            let last = bytes.rsplit(|byte| *byte == b'\n').next().unwrap();
            assert!(last.starts_with(b"dkim-signature:") && last.ends_with(b"b="));
            let has = |text: &[u8]| last.windows(text.len()).any(|window| window == text);
            assert!(has(b"d=kaede.example;") && has(b"s=sk1r;") && has(b"a=rsa-sha256;"));
        }
    }
}

/// Whatever a message's header looks like: what is made of it to be signed is known as such.
#[test]
fn fuzz_what_mail_gives_to_sign_is_never_refused() {
    let mut state = 0x0dd1_5eed_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let by = SigningAs {
        domain: KEY.domain,
        selector: KEY.selector,
        algorithm: KEY.algorithm,
        now: NOW,
    };
    let set = "ARC-Seal: i=1; cv=none; b=x\r\nARC-Message-Signature:i=1;b=y\r\n\
               ARC-Authentication-Results: i=1; mx.example; none\r\n";
    let seed =
        format!("{set}DKIM-Signature: v=1; b=x\r\nTo :\r\n a\r\n\tb  \r\nSENDER:x\r\n{LETTER}");
    let odd: [&[u8]; 12] =
        [b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n ", b":", b";", b"\0", b"\xff", b"To:", b"\x0b"];
    for round in 0..6_000 {
        let mut message = seed.clone().into_bytes();
        for _ in 0..=next(6) {
            let at = next(message.len());
            match next(3) {
                0 => drop(message.splice(at..at, odd[next(odd.len())].iter().copied())),
                1 => drop(message.remove(at)),
                _ => message[at] = u8::try_from(next(256)).unwrap(),
            }
        }
        let shown = String::from_utf8_lossy(&message);
        let unsigned = dkim(&message, &[7; 32], &by);
        assert!(is_mail_header(unsigned.canonical(), KEY), "round {round}:\n{shown}");
        for result in [ArcResult::None, ArcResult::Pass, ArcResult::Fail] {
            let results = "Authentication-Results: mx.example;\r\n\tspf=pass\r\n";
            let Some(set) = Set::begin(&message, result, results) else { continue };
            let unsigned = set.message_signature(&message, &[7; 32], &by);
            assert!(is_mail_header(unsigned.canonical(), KEY), "round {round}:\n{shown}");
            let signature = unsigned.finish(&[7; 256]);
            let unsigned = set.seal(&message, &signature, &by);
            // Only a chain that was found good is said to have passed.
            let is_good = result == ArcResult::Fail;
            assert!(
                !is_good || is_mail_header(unsigned.canonical(), KEY),
                "round {round}:\n{shown}"
            );
        }
    }
    let good = Set::begin(seed.as_bytes(), ArcResult::Pass, "A: mx.example; none").unwrap();
    let signature = good.message_signature(seed.as_bytes(), &[7; 32], &by).finish(&[7; 256]);
    let seal = good.seal(seed.as_bytes(), &signature, &by);
    assert!(is_mail_header(seal.canonical(), KEY));
}

/// Files of domains' keys, and of what was brought for pages.
fn key_files(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let is_key = |name: &str| name.starts_with("dkim-") || name.starts_with("page-");
    names.filter(|name| is_key(&name.to_string_lossy())).count()
}

#[test]
fn a_contract_s_end_leaves_no_key_of_its_domains() {
    let folder = folder("ends");
    let running = Running::start(&folder, false).with_vault(None);
    let mut admin = running.join(Kind::Admin, 3);
    let mut directory = running.join(Kind::Directory, 4);
    make(&mut admin, KAEDE, "kaede.example").unwrap();
    make(&mut admin, MOMIJI, "momiji.example").unwrap();
    rotate(&mut admin, false);
    let mut dispatch = running.join_for(Kind::Dispatch, 5, person(KAEDE));
    sign_letter(&mut dispatch);
    let mut files = |of: ToSigner| match ask(&mut directory, of) {
        FromSigner::KeyFiles(files) => files.len(),
        _ => panic!("no files"),
    };
    let both = [(KAEDE, "kaede.example".to_owned()), (KAEDE, "momiji.example".to_owned())];
    assert_eq!(files(ToSigner::KeyFiles { after: None }), 2);
    assert_eq!(files(ToSigner::KeyFilesOf { domains: both.to_vec() }), 1);
    let domains = both.map(|(_, domain)| domain).to_vec();
    let question = || ToSigner::ForgetKeys { tenant: KAEDE, domains: domains.clone() };
    // Nobody but the directory ends anything.
    assert!(matches!(ask(&mut admin, question()), FromSigner::Refused));
    assert_eq!(key_files(&folder), 2);
    let mut forget = || match ask(&mut directory, question()) {
        FromSigner::Forgotten { keys } => keys,
        _ => panic!("not forgotten"),
    };
    // Another contract's stay, whatever is asked; once more, there is nothing.
    assert_eq!((forget(), forget()), (2, 0));
    assert_eq!(key_files(&folder), 1);
    assert!(keys(&mut dispatch, "kaede.example").unwrap().is_empty());
    let mut other = running.join_for(Kind::Dispatch, 6, person(MOMIJI));
    assert_eq!(keys(&mut other, "momiji.example").unwrap().len(), 2);
    // Whoever gets the domain next has selectors of their own.
    let records = make(&mut admin, MOMIJI, "kaede.example").unwrap();
    assert_eq!(told(&records), "[sk3r] [sk3e]");
    running.stop();
}
