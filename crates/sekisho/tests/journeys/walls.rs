//! What lies on the disk says nothing, alone opens nothing, and comes back after a restart.

use super::house::{Demo, Wishes, shared};
use super::letters::{assert_whole, letter};
use super::post::{Sender, deliver};
use super::reader::Reader;
use data_encoding::{BASE64, BASE64_NOPAD};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Words of a letter, its subject, its addresses and a folder that stand nowhere by chance.
const WORDS: &[&str] = &[
    "heliotrope-manuscript",
    "quarterly-xylophone",
    "aoi@example.jp",
    "zebulon.pike",
    "sender.example",
    "Ledgerdemain",
    "Example Japan",
    "朝顔の観察日記",
    "見積書の件名",
    "請求書フォルダ",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn utf16(text: &str, is_big: bool) -> Vec<u8> {
    let units = text.encode_utf16();
    units.flat_map(|unit| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// Modified UTF-7 of one folder name (RFC 3501 §5.1.3), all of it outside ASCII.
fn utf7(text: &str) -> Vec<u8> {
    format!("&{}-", BASE64_NOPAD.encode(&utf16(text, true)).replace('/', ",")).into_bytes()
}

/// Base64 of a text at its three alignments, without the octets that depend on neighbours.
fn base64s(text: &[u8]) -> Vec<Vec<u8>> {
    let shifted = |shift: usize| {
        let padded = [vec![0; shift], text.to_vec()].concat();
        let whole = BASE64.encode(&padded).into_bytes();
        let start = [0, 2, 3][shift];
        let kept = whole.len().saturating_sub(4);
        (kept > start + 8).then(|| whole[start..kept].to_vec())
    };
    (0..3).filter_map(shifted).collect()
}

/// All forms in which a word could lie about, in lower case where it has one.
fn forms(word: &str) -> Vec<(bool, Vec<u8>)> {
    let plain = word.to_lowercase().into_bytes();
    let mut all = vec![(true, plain), (false, utf16(word, false)), (false, utf16(word, true))];
    all.extend(base64s(word.as_bytes()).into_iter().map(|form| (false, form)));
    if !word.is_ascii() {
        for encoding in [encoding_rs::ISO_2022_JP, encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP] {
            let (octets, _, _) = encoding.encode(word);
            // Without the escapes of ISO-2022-JP, which may stand elsewhere.
            let octets = octets.strip_prefix(b"\x1b$B").unwrap_or(&octets);
            let octets = octets.strip_suffix(b"\x1b(B").unwrap_or(octets);
            all.push((false, octets.to_vec()));
        }
        all.push((false, utf7(word)));
    }
    all
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn search(what: &str, octets: &[u8]) {
    let lower = octets.to_ascii_lowercase();
    for word in WORDS {
        for (is_folded, form) in forms(word) {
            let place = if is_folded { &lower } else { octets };
            assert!(!holds(place, &form), "{what} holds {word:?} as {form:02x?}");
        }
    }
}

fn fill(demo: &Demo) {
    let text = "heliotrope-manuscript\r\n朝顔の観察日記\r\n".repeat(40);
    let sent = letter("quarterly-xylophone 見積書の件名", &text);
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let from = "zebulon.pike@sender.example";
    for _ in 0..3 {
        let reply = sender.letter(from, &["aoi@example.jp"], &sent).unwrap();
        assert_eq!(reply.code, 250);
    }
    let jis = encoding_rs::ISO_2022_JP.encode("朝顔の観察日記").0.into_owned();
    let mut sent = letter("in-jis", "");
    sent.splice(0..0, *b"Content-Type: text/plain; charset=iso-2022-jp\r\n");
    sent.extend_from_slice(&jis);
    sent.extend_from_slice(b"\r\n");
    assert_eq!(sender.letter(from, &["aoi@example.jp"], &sent).unwrap().code, 250);
    // Refused, quarantined and unknown ones leave no word either.
    sender.say("RSET");
    sender.say(&format!("MAIL FROM:<{from}>"));
    sender.say("RCPT TO:<heliotrope-manuscript@example.jp>");
    let mut reader = Reader::inbox(demo, "aoi@example.jp");
    let name = String::from_utf8(utf7("請求書フォルダ")).unwrap();
    reader.must("CREATE Ledgerdemain");
    reader.must(&format!("CREATE {name}"));
    reader.must("STORE 1 +FLAGS ($Ledgerdemain \\Seen)");
    reader.must("COPY 1 Ledgerdemain");
    reader.must(&format!("MOVE 2 {name}"));
    reader.append("Ledgerdemain", "", &letter("heliotrope-manuscript", "朝顔の観察日記"));
    reader.must("SEARCH SUBJECT quarterly-xylophone");
    reader.must("FETCH 1:* (ENVELOPE BODY.PEEK[])");
    let wrong = format!("LOGIN zebulon.pike@example.jp {}", "x".repeat(20));
    Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap().say(&wrong);
    demo.ask(&["trace", "heliotrope-manuscript"]);
}

#[test]
fn the_disk_and_the_log_say_nothing() {
    let mut demo = Demo::with_sample("words");
    fill(&demo);
    std::thread::sleep(Duration::from_secs(2)); // evidence is entered in batches of 1 s
    let secrets: Vec<String> = demo.ready["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|account| ["password", "app_password"].map(|name| account[name].to_string()))
        .map(|secret| secret.trim_matches('"').to_owned())
        .collect();
    let look = |demo: &Demo| {
        let mut all = Vec::new();
        files(demo.data(), &mut all);
        assert!(all.len() > 8, "{all:?}");
        for file in all {
            let Ok(octets) = fs::read(&file) else { continue }; // a journal that was rotated
            let what = file.display().to_string();
            search(&what, &octets);
            for secret in &secrets {
                assert!(!holds(&octets, secret.as_bytes()), "{what} holds a secret");
            }
        }
        search("the log", demo.said().as_bytes());
    };
    look(&demo);
    demo.stop();
    look(&demo);
}

/// The search above would find what it looks for.
#[test]
fn the_search_finds() {
    for word in WORDS {
        for wrapped in [word.to_uppercase().into_bytes(), utf16(word, false), utf16(word, true)] {
            let octets = [&b"\x00\x01before"[..], &wrapped, b"after\xff"].concat();
            assert!(std::panic::catch_unwind(|| search("a trap", &octets)).is_err(), "{word}");
        }
        let encoded = BASE64.encode(format!("To: {word} and some more").as_bytes());
        assert!(std::panic::catch_unwind(|| search("a trap", encoded.as_bytes())).is_err());
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn copied_away_it_opens_nothing() {
    let mut demo = Demo::fresh("original");
    let sent = letter("quarterly-xylophone", "heliotrope-manuscript");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    demo.stop();
    let wishes = Wishes::new("copy");
    copy(demo.data(), &wishes.data);
    // Without the credential, which lies elsewhere, nothing starts; the old secrets are known.
    let (address, old) = ("aoi@example.jp", demo.account("aoi@example.jp"));
    match Demo::try_start(wishes) {
        Err(said) => assert!(said.contains("credential") || said.contains("vault"), "{said}"),
        Ok(thief) => {
            assert!(Reader::try_sign_in(&thief, &old).is_err(), "the old secret was taken");
            let own = thief.account(address);
            if let Ok(mut reader) = Reader::try_sign_in(&thief, &own) {
                let answer = reader.say("EXAMINE INBOX");
                let read = reader.say("FETCH 1:* BODY.PEEK[]");
                let text = answer.text() + &read.text();
                assert!(!text.contains("heliotrope"), "{text}");
            }
        }
    }
}

#[test]
fn a_restart_shows_the_same() {
    let demo = Demo::fresh("restart");
    let sent = letter("before the restart", "still here");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("CREATE Kept");
    reader.must("STORE 1 +FLAGS (\\Flagged $Mine)");
    reader.must("COPY 1 Kept");
    let validity = |text: &str| {
        let start = text.find("UIDVALIDITY ").unwrap();
        text[start..].split(']').next().unwrap().to_owned()
    };
    let before = validity(&reader.must("EXAMINE INBOX").text());
    let (accounts, authority) =
        (demo.ready["accounts"].clone(), fs::read(demo.authority()).unwrap());
    let demo = demo.again();
    assert_eq!(demo.ready["accounts"], accounts, "the same secrets");
    assert_eq!(fs::read(demo.authority()).unwrap(), authority, "the same authority");
    let mut reader = Reader::sign_in(&demo, "aoi@example.jp");
    assert_eq!(validity(&reader.must("EXAMINE INBOX").text()), before);
    assert_whole(&reader.whole("INBOX")[0], &sent);
    let flags = reader.must("FETCH 1 FLAGS").text();
    assert!(flags.contains("\\Flagged") && flags.contains("$Mine"), "{flags}");
    assert_whole(&reader.whole("Kept")[0], &sent);
    let (value, code) = demo.ask(&["ledger", "verify"]);
    assert_eq!(code, 0, "{value}");
}

#[test]
fn folders_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut all = Vec::new();
    files(shared().data(), &mut all);
    for file in all.iter().filter(|file| !file.ends_with("warden.lock")) {
        let mode = fs::metadata(file).unwrap().permissions().mode() & 0o077;
        // Public keys and the log's own checkpoint may be read by who can enter the folder.
        let folder = fs::metadata(file.parent().unwrap()).unwrap().permissions().mode();
        assert!(mode == 0 || folder & 0o077 == 0, "{} has mode {mode:o}", file.display());
    }
}
