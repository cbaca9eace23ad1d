//! Evidence for those outside: proofs, the log laid out for everybody, views of one contract,
//! and what passes between us and a foreign witness.

use super::evidence::{beside, fault, time};
use super::subject::{self, Subject};
use super::whole;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble};
use annals::{Index, Keys, Reader, find_keys, names};
use serde_json::json;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tlog::{CosignerKey, SignedCheckpoint};
use witness::LatticeKey;

/// A witness's answer is read no further.
const ANSWER_BYTES: u64 = 256 * 1024;
/// Looks at what the mirror writes over, and what lies between two of them.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Signatures of foreign witnesses on the newest checkpoint that was sent to them.
pub const WITNESSED: &str = "witnessed";

/// The ledger, the newest checkpoint that both sides signed, and whose cosignature it is.
struct Evidence {
    reader: Reader,
    signed: SignedCheckpoint,
    mirror: Option<CosignerKey>,
}

fn read(data: &Path) -> Result<Evidence, Trouble> {
    // What goes to those outside is whole, or it is not given.
    whole::must_be(data)?;
    let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
    let folder = data.join("mirror");
    let mirrored = match folder.join("log").exists() {
        true => {
            let keys: Keys = find_keys(&folder).map_err(fault)?;
            let copy = Reader::open(&folder, keys.clone()).map_err(fault)?;
            let same = |signed: &&SignedCheckpoint| {
                reader.root_at(signed.checkpoint.size) == Some(signed.checkpoint.root)
            };
            copy.newest().filter(same).cloned().zip(keys.mirror)
        }
        false => None,
    };
    match (mirrored, reader.newest().cloned()) {
        (Some((signed, mirror)), _) => Ok(Evidence { reader, signed, mirror: Some(mirror) }),
        (None, Some(signed)) => Ok(Evidence { reader, signed, mirror: None }),
        (None, None) => {
            Err(Trouble::refused("a checkpoint", "an empty ledger", "start the service"))
        }
    }
}

/// One entry's proof, as C2SP tlog-proof writes it.
pub fn proof(mut arguments: Arguments, data: &Path) -> Answer {
    let index: Option<u64> = arguments.parsed("--index", "an index")?;
    arguments.finish()?;
    let hint = "sekisho ledger export shows every entry with its index";
    let index = index.ok_or_else(|| Trouble::wrong_use("--index", "nothing", hint))?;
    let Evidence { reader, signed, .. } = read(data)?;
    let size = signed.checkpoint.size;
    if index >= size {
        return Err(Trouble::refused(&format!("an index below {size}"), index.to_string(), hint));
    }
    let proof = annals::proof_text(&reader, &signed, index).map_err(fault)?;
    let entry = data_encoding::BASE64.encode(&reader.entry(index).map_err(fault)?);
    Ok(Outcome::Done(json!({ "index": index, "entry": entry, "proof": proof })))
}

/// The log as tiles (C2SP tlog-tiles), into a folder that any web server may serve.
pub fn publish(mut arguments: Arguments, data: &Path) -> Answer {
    let to = arguments.required("--to")?;
    arguments.finish()?;
    let Evidence { reader, signed, mirror } = read(data)?;
    let (folder, twice) = (Path::new(&to), twice_cosigned(data, &reader, &signed));
    // Never one that is smaller than what was published before.
    let before = fs::read(folder.join("checkpoint")).ok();
    let before = before.and_then(|bytes| SignedCheckpoint::parse(&bytes));
    let before = before.map_or(0, |before| before.checkpoint.size);
    let twice = twice.filter(|(twice, _)| twice.checkpoint.size >= before);
    let signed = twice.as_ref().map_or(&signed, |(twice, _)| twice);
    let done = annals::publish(&reader, signed, folder).map_err(fault)?;
    if let Some((_, key)) = &twice {
        fs::write(folder.join(names::LATTICE_KEY), key.to_text()).map_err(fault)?;
    }
    let told = Outcome::Done(json!({
        "to": to,
        "size": done.size,
        "tiles": done.tiles,
        "bundles": done.bundles,
        "cosigned": mirror.is_some(),
        "cosigned_ml_dsa_44": twice.is_some(),
    }));
    // Those outside must know that less was published than there should be.
    let dropped = twice.is_none().then(|| second_cosignature(data)).flatten();
    Ok(whole::told(&Vec::from_iter(dropped), told))
}

/// The checkpoint that the mirror cosigned with ML-DSA-44 as well, if it stands in this log: at
/// most a second older than the newest one, while entries come.
fn twice_cosigned(
    data: &Path,
    reader: &Reader,
    newest: &SignedCheckpoint,
) -> Option<(SignedCheckpoint, LatticeKey)> {
    let folder = data.join("mirror");
    let key = fs::read_to_string(folder.join(names::LATTICE_KEY)).ok()?;
    let (key, keys) = (LatticeKey::parse(&key)?, find_keys(&folder).ok()?);
    // The mirror writes over it while it is read.
    (0..LOOKS).find_map(|look| {
        std::thread::sleep(BETWEEN_LOOKS * look);
        let signed = SignedCheckpoint::parse(&fs::read(folder.join(names::LATTICE)).ok()?)?;
        let size = signed.checkpoint.size;
        let stands =
            size <= newest.checkpoint.size && reader.root_at(size) == Some(signed.checkpoint.root);
        let is_signed = keys.believe(&signed) && key.cosigned(&signed.note).is_some();
        (stands && is_signed).then(|| (signed, key.clone()))
    })
}

/// What is wrong with the mirror's second cosignature, which those outside rely on. One that was
/// never made is none.
pub fn second_cosignature(data: &Path) -> Option<String> {
    let folder = data.join("mirror");
    let place = folder.join(names::LATTICE);
    place.metadata().ok().filter(|about| about.len() > 0)?;
    let holds = || {
        let key = LatticeKey::parse(&fs::read_to_string(folder.join(names::LATTICE_KEY)).ok()?)?;
        let signed = SignedCheckpoint::parse(&fs::read(&place).ok()?)?;
        let keys = find_keys(&folder).ok()?;
        (keys.believe(&signed) && key.cosigned(&signed.note).is_some()).then_some(())
    };
    // The mirror writes over it while it is read.
    let is_sound = (0..LOOKS).any(|look| {
        std::thread::sleep(BETWEEN_LOOKS * look);
        holds().is_some()
    });
    let place = place.display();
    (!is_sound).then(|| {
        format!(
            "the mirror's cosignature by ML-DSA-44 does not hold: `{place}`, or the key beside it, \
             was changed; a house that runs writes it anew with its next entries"
        )
    })
}

/// What concerns one contract, for `sekisho-verify`.
pub fn view(mut arguments: Arguments, data: &Path) -> Answer {
    let (tenant, user) = (arguments.required("--tenant")?, arguments.option("--user")?);
    let Subject { tenant, user, .. } = subject::of_contract(data, &tenant, user.as_deref())?;
    let from_ms = arguments.option("--from")?.map_or(Ok(0), |text| time(&text))?;
    let to_ms = arguments.option("--until")?.map_or(Ok(u64::MAX), |text| time(&text))?;
    let to = arguments.required("--to")?;
    arguments.finish()?;
    let Evidence { reader, signed, mirror } = read(data)?;
    let index = Index::of(&reader);
    let view = annals::View { tenant, user, from_ms, to_ms };
    let to_folder = Path::new(&to);
    let shown = annals::write_view(&index, &reader, &signed, mirror.as_ref(), &view, to_folder)
        .map_err(fault)?;
    let told = json!({
        "tenant": tenant.to_string(),
        "user": user.map(|user| user.to_string()),
        "from_ms": from_ms,
        "until_ms": (to_ms != u64::MAX).then_some(to_ms),
        "entries": shown,
        "size": signed.checkpoint.size,
        "root": signed.checkpoint.root.to_base64(),
        "to": to,
    });
    fs::write(to_folder.join("view.json"), format!("{told}\n")).map_err(fault)?;
    Ok(Outcome::Done(told))
}

/// The body of an `add-checkpoint` (C2SP tlog-witness) for the newest checkpoint.
pub fn witness_request(mut arguments: Arguments, data: &Path) -> Answer {
    let old: u64 = arguments.parsed("--old", "a size")?.unwrap_or(0);
    arguments.finish()?;
    let Evidence { reader, signed, .. } = read(data)?;
    let size = signed.checkpoint.size;
    let proof = reader.consistency(old, size).ok_or_else(|| {
        let hint = "a witness's 409 says what it cosigned last";
        Trouble::wrong_use(&format!("--old up to {size}"), old.to_string(), hint)
    })?;
    print!("{}", witness::AddCheckpoint { old, proof, signed }.to_text());
    Ok(Outcome::Told(0))
}

/// A witness's answer, read from the input: its cosignature is checked and kept.
pub fn witness_answer(mut arguments: Arguments, data: &Path) -> Answer {
    let status: u16 = arguments.parsed("--status", "an HTTP status")?.unwrap_or(200);
    let key = arguments.required("--key")?;
    arguments.finish()?;
    let mut body = Vec::new();
    std::io::stdin().take(ANSWER_BYTES).read_to_end(&mut body).map_err(fault)?;
    let hint = "give --status and, on the input, the body as the witness sent them";
    let answer = witness::Answer::parse(status, &body)
        .ok_or_else(|| Trouble::refused("a witness's answer", "something else", hint))?;
    let witness::Answer::Cosigned(lines) = answer else {
        let old = match answer {
            witness::Answer::Conflict(size) => Some(size),
            _ => None,
        };
        return Ok(Outcome::Wanting(json!({ "status": status, "old": old, "cosigned_at": null })));
    };
    let Evidence { mut signed, .. } = read(data)?;
    // The witness may have answered for an older checkpoint than the newest.
    let times = |signed: &SignedCheckpoint, line: &tlog::NoteSignature| {
        let plain = CosignerKey::parse(&key).and_then(|key| key.time_of(&signed.note.text, line));
        let lattice = || witness::LatticeKey::parse(&key)?.time_of(&signed.checkpoint, line);
        plain.or_else(lattice)
    };
    let found = lines.iter().find_map(|line| times(&signed, line).map(|time| (time, line)));
    let Some((time, line)) = found else {
        let hint = "the answer must belong to the newest checkpoint: ask again";
        return Err(Trouble::refused("a cosignature by this key", "none", hint));
    };
    signed.note.signatures.push(line.clone());
    let name = beside(data, WITNESSED);
    fs::write(&name, signed.note.to_text()).map_err(fault)?;
    Ok(Outcome::Done(json!({
        "status": status,
        "cosigned_at": time,
        "size": signed.checkpoint.size,
        "kept": name,
    })))
}
