//! Lies about the evidence: by its authors, by the ledger, by the mirror.

use crate::channels::{ask, forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::keeper;
use crate::report::{Asset, Facts, Told};
use annals::Segments;
use evidence::{Author, Body, Frame as Leaf, Word};
use std::path::Path;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use tlog::{LOG_ORIGIN, Note, NoteSigner, SignedCheckpoint, Store};
use wire::ledger::{FromLedger, FromMirror, ToLedger, ToMirror};

const PULSE: Duration = Duration::from_millis(10);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Somebody else's name under our own signature, our own under a stranger's, and a lie in our own.
pub fn write_for_others(intruder: &mut Intruder) {
    if intruder.channel(Kind::Ledger, JOIN_LIMIT / 3).is_none() {
        return;
    }
    let own = intruder.house.start.instance;
    let seed = compartment::random();
    let vault = Author::new(Kind::Vault, InstanceId([7; 6]), &seed);
    forge(intruder, vault, "write as another vault");
    forge(intruder, Author::new(Kind::Warden, own, &seed), "write as the warden");
    forge(intruder, Author::new(intruder.kind, own, &seed), "write with a stranger's key");
    let releases = ToLedger::Releases { since_ms: 0, from_index: 0 };
    forbidden(intruder, Asset::Evidence, Kind::Ledger, &releases, "read every release");
    // Last, and in its own name: what comes of it stands in the log for the drill to find.
    if let Some(mut author) = intruder.author.take() {
        let entries = author.sign(compartment::now_ms(), lie(author.start())).into_iter().collect();
        intruder.author = Some(author);
        let append = ToLedger::Append { entries, prove: false };
        let _ = ask(intruder, Kind::Ledger, &append, "a lie in its own name");
    }
}

fn lie(start: InstanceId) -> Body {
    let word = Word::new("forged-by-a-drill");
    Body::Alarm {
        instance: start,
        kind: Kind::Vault,
        pid: 1,
        call: Word::new("forged"),
        what: word,
    }
}

/// An entry in another's name. The ledger's answer decides; the log itself is read afterwards.
fn forge(intruder: &mut Intruder, mut author: Author, act: &str) {
    let what = lie(author.start());
    let entries = author.sign(compartment::now_ms(), what).into_iter().collect();
    let append = ToLedger::Append { entries, prove: false };
    let (taken, answer) = ask(intruder, Kind::Ledger, &append, act);
    let accepted = matches!(
        postcard::from_bytes::<FromLedger>(&answer),
        Ok(FromLedger::Taken { .. } | FromLedger::Proved { .. })
    );
    word(intruder, Asset::Evidence, act, !accepted, &format!("{taken:?}"));
}

/// A ledger that writes into its own log what nobody said, and has the mirror sign it.
pub fn abuse_ledger(intruder: &mut Intruder, _: &Facts) {
    keeper::read_store(intruder);
    rewrite_history(intruder);
    if forged_tree(intruder).is_none() {
        word(intruder, Asset::Evidence, "sign a tree with a forged entry", true, "not possible");
    }
}

/// Other leaves where some stand already.
fn rewrite_history(intruder: &mut Intruder) {
    let Some(mirror) = intruder.channel(Kind::Mirror, JOIN_LIMIT) else { return };
    let leaves = vec![b"another past".to_vec(); 4];
    let add = ToMirror::Add { first_index: 0, leaves, checkpoint: b"no note".to_vec() };
    let answer = mirror.ask::<_, FromMirror>(&add, &[], ANSWER_LIMIT);
    let cosigned = matches!(answer, Ok((FromMirror::Cosigned { .. }, _)));
    let act = "have the mirror sign another past";
    word(intruder, Asset::Evidence, act, !cosigned, "refused");
}

/// One leaf in the vault's name under a stranger's key, in a tree that is sound otherwise.
fn forged_tree(intruder: &mut Intruder) -> Option<()> {
    let folder = intruder.house.start.folder.clone()?;
    let folder = Path::new(&folder);
    let seed: [u8; 32] = std::fs::read(folder.join("key")).ok()?.try_into().ok()?;
    let signer = NoteSigner::new(LOG_ORIGIN, &seed)?;
    let own = signer.verifier();
    let volumes = Segments::volumes(folder).ok()?;
    let (mut store, _) =
        Store::open(volumes, None, |signed| signed.note.is_signed_by(&own), |_, _| {}).ok()?;
    let mut author = Author::new(Kind::Vault, InstanceId([7; 6]), &compartment::random());
    let leaf = author.sign(compartment::now_ms(), lie(author.start()))?;
    let first_index = store.size();
    store.stage(&leaf)?;
    let checkpoint = store.checkpoint(LOG_ORIGIN);
    let text = checkpoint.to_text();
    let note = Note { signatures: vec![signer.sign(&text)], text };
    let signed = SignedCheckpoint { checkpoint, note };
    let bytes = signed.note.to_text().into_bytes();
    store.write(signed).ok()?;
    store.flush().ok()?;
    let mirror = intruder.channel(Kind::Mirror, JOIN_LIMIT)?;
    let add = ToMirror::Add { first_index, leaves: vec![leaf], checkpoint: bytes };
    let answer = mirror.ask::<_, FromMirror>(&add, &[], ANSWER_LIMIT).ok()?;
    let cosigned = matches!(answer.0, FromMirror::Cosigned { .. });
    // Whether anybody believes the tree is for the log's readers to say.
    let said = if cosigned { "the mirror signed" } else { "the mirror refused" };
    word(intruder, Asset::Evidence, "sign a tree with a forged entry", true, said);
    Some(())
}

/// Says "taken" to everybody, and keeps nothing. Asked to show what it took, it makes that up.
pub fn serve_ledger(intruder: &mut Intruder, limit: Duration) {
    intruder.tell(&Told::Lies);
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard = Vec::new();
        for (_, channel) in &intruder.held {
            while let Ok(Some(frame)) = channel.take() {
                match frame.read() {
                    Ok(ToLedger::Append { entries, .. }) => {
                        let taken = FromLedger::Taken { first_index: 0 };
                        let _ = channel.send(frame.call, &taken, &[]);
                        let whose = entries.iter().filter_map(|entry| Leaf::parse(entry)).count();
                        heard.push(format!("dropped {whose} entries").into_bytes());
                    }
                    Ok(ToLedger::Show { count, .. }) => {
                        let _ = channel.send(frame.call, &shown_falsely(count), &[]);
                    }
                    _ => {}
                }
                heard.push(frame.payload);
            }
        }
        heard.into_iter().for_each(|payload| intruder.obtained("what it was asked", payload));
        std::thread::sleep(PULSE);
    }
}

/// What it would have to show, made up.
fn shown_falsely(count: u32) -> FromLedger {
    FromLedger::Shown {
        places: (0..u64::from(count)).collect(),
        proof: vec![[7; 32]; 8],
        checkpoint: b"forged".to_vec(),
    }
}

pub fn abuse_mirror(intruder: &mut Intruder, facts: &Facts) {
    keeper::abuse(intruder, facts);
}

/// Signs with another key, and holds nothing.
pub fn serve_mirror(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard = Vec::new();
        for (_, channel) in &intruder.held {
            while let Ok(Some(frame)) = channel.take() {
                let answer = match frame.read() {
                    Ok(ToMirror::Standing) => FromMirror::Standing { size: 0, lost: Vec::new() },
                    Ok(ToMirror::Fetch { from_index }) => FromMirror::Leaves {
                        first_index: from_index,
                        leaves: vec![b"forged".to_vec()],
                        checkpoint: b"forged".to_vec(),
                    },
                    _ => FromMirror::Cosigned { size: u64::MAX, cosignature: vec![7; 100] },
                };
                let _ = channel.send(frame.call, &answer, &[]);
                heard.push(frame.payload);
            }
        }
        heard.into_iter().for_each(|payload| intruder.obtained("what it was asked", payload));
        std::thread::sleep(PULSE);
    }
}
