//! The queue written down whole, so that the log before it can go: one file, renamed into place.

use crate::Fault;
use crate::entry::Passage;
use crate::senders::Senders;
use crate::table::{Hand, Leg, Message, Table, put_leg};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use terms::TenantId;
use wire::post::{Decided, Route, Why};

const MAGIC: &[u8; 8] = b"SKpost2\0";
const NAME: &str = "queue.written";
const NEW_NAME: &str = "queue.writing";
/// Octets before the body: magic, mark, length, sum.
const HEAD_BYTES: usize = 8 + 8 + 8 + 8;

/// Everything but what is under way. Rows are written with their slots.
#[derive(Serialize, Deserialize)]
struct Written {
    tenants: Vec<(u32, TenantId)>,
    roads: Vec<(u32, Route)>,
    messages: Vec<(u32, Message)>,
    legs: Vec<(u32, Leg)>,
    senders: Senders,
    passed: Vec<Passage>,
    next_seq: u64,
}

/// What came later stands behind the rows, so that an older queue is read as it was written.
#[derive(Default, Serialize, Deserialize)]
struct Later {
    /// By message's slot.
    decided: Vec<(u32, Decided)>,
}

/// And behind it.
#[derive(Default, Serialize, Deserialize)]
struct Latest {
    /// Slots of messages that are passed on.
    of_others: Vec<u32>,
    relayed: Senders,
}

/// And behind that: how far legs have come that were tried.
#[derive(Default, Serialize, Deserialize)]
struct Tried {
    legs: Vec<TriedLeg>,
}

/// And behind that: slots of messages that are notices.
#[derive(Default, Serialize, Deserialize)]
struct Notices {
    slots: Vec<u32>,
}

/// And behind that: since when the time of messages counts that were let go from a hold, by slot.
#[derive(Default, Serialize, Deserialize)]
struct LetGo {
    from_s: Vec<(u32, u32)>,
}

/// And behind that: what the queue knows of the entries that tell of it.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    runs: Option<journal::Runs>,
}

#[derive(Serialize, Deserialize)]
struct TriedLeg {
    slot: u32,
    settled: (u16, u16),
    why: Option<Why>,
}

/// Writes the table as it stands at `mark`; durable when this returns.
pub fn write(folder: &Path, table: &Table, mark: u64) -> Result<u64, Fault> {
    let fault = |source| Fault::Snapshot { doing: "write", source };
    let body = encode(table)?;
    let mut octets = Vec::with_capacity(HEAD_BYTES + body.len());
    octets.extend_from_slice(MAGIC);
    octets.extend_from_slice(&mark.to_le_bytes());
    octets.extend_from_slice(&(body.len() as u64).to_le_bytes());
    octets.extend_from_slice(&sum(&body).to_le_bytes());
    octets.extend_from_slice(&body);
    put(folder, &octets).map_err(fault)?;
    Ok(octets.len() as u64)
}

/// As `durable::put` does it, under the name that an interrupted one has always left.
fn put(folder: &Path, octets: &[u8]) -> std::io::Result<()> {
    let (beside, path) = (folder.join(NEW_NAME), folder.join(NAME));
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(&beside)?;
    durable::cut(&file, 0)?;
    durable::write_at(&file, octets, 0)?;
    durable::sync(&file)?;
    durable::rename(&beside, &path)?;
    durable::sync_folder(&File::open(folder)?)
}

fn encode(table: &Table) -> Result<Vec<u8>, Fault> {
    let slot = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let messages: Vec<(u32, Message)> = table
        .messages
        .iter()
        .enumerate()
        .filter_map(|(place, row)| row.clone().map(|row| (slot(place), row)))
        .collect();
    // Legs of messages that are gone are zombies of their lanes, which a start does not have.
    let mut legs = Vec::with_capacity(table.legs.len());
    for (place, _) in &messages {
        for leg in table.legs_of(*place) {
            legs.extend(table.leg(leg).cloned().map(|row| (leg, row)));
        }
    }
    let mut tenants: Vec<u32> = messages.iter().map(|(_, row)| row.tenant).collect();
    let mut roads: Vec<u32> = legs.iter().map(|(_, row)| row.road).collect();
    [&mut tenants, &mut roads].into_iter().for_each(|places| {
        places.sort_unstable();
        places.dedup();
    });
    let written = Written {
        tenants: named(&tenants, |place| table.tenants.of(place)),
        roads: named(&roads, |place| table.roads.of(place)),
        messages,
        legs,
        senders: table.senders.clone(),
        passed: table.passed.iter().copied().collect(),
        next_seq: table.next_seq,
    };
    let decided = |(slot, row): &(u32, Message)| row.decided.map(|decided| (*slot, decided));
    let later = Later { decided: written.messages.iter().filter_map(decided).collect() };
    let of_others = written.messages.iter().filter(|(_, row)| row.hand == Hand::Others);
    let of_others = of_others.map(|(slot, _)| *slot).collect();
    let latest = Latest { of_others, relayed: table.relayed.clone() };
    let tried = Tried { legs: written.legs.iter().filter_map(tried).collect() };
    let notices = written.messages.iter().filter(|(_, row)| row.is_notice);
    let notices = Notices { slots: notices.map(|(slot, _)| *slot).collect() };
    let let_go = written.messages.iter().filter(|(_, row)| row.from_s != row.at_s);
    let let_go = LetGo { from_s: let_go.map(|(slot, row)| (*slot, row.from_s)).collect() };
    let told = Told { runs: table.runs.clone() };
    postcard::to_stdvec(&(written, later, latest, tried, notices, let_go, told))
        .map_err(|_| Fault::Note { octets: 0 })
}

fn tried((slot, leg): &(u32, Leg)) -> Option<TriedLeg> {
    let (slot, settled, why) = (*slot, leg.settled, leg.why);
    (settled != (0, 0) || why.is_some()).then_some(TriedLeg { slot, settled, why })
}

fn named<T>(places: &[u32], of: impl Fn(u32) -> Option<T>) -> Vec<(u32, T)> {
    places.iter().filter_map(|place| of(*place).map(|id| (*place, id))).collect()
}

/// Reads what was written last: the table and its mark. Nothing was: an empty one.
pub fn read(folder: &Path, late_seconds: u32) -> Result<(Table, u64), Fault> {
    let fault = |source| Fault::Snapshot { doing: "read", source };
    let mut octets = Vec::new();
    match File::open(folder.join(NAME)) {
        Ok(mut file) => file.read_to_end(&mut octets).map_err(fault)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Table::new(late_seconds), 0));
        }
        Err(error) => return Err(fault(error)),
    };
    let torn = |expected: &str, found: String| Fault::Torn { expected: expected.to_owned(), found };
    let mut cursor = terms::Cursor::new(&octets);
    if cursor.take(MAGIC.len()) != Some(MAGIC) {
        return Err(torn("a queue written by post", "another file".to_owned()));
    }
    let mut number = || Some(u64::from_le_bytes(cursor.take(8)?.try_into().ok()?));
    let (mark, length, wanted) = (number(), number(), number());
    let body = octets.get(HEAD_BYTES..).unwrap_or(&[]);
    if length != Some(body.len() as u64) {
        return Err(torn(&format!("{length:?} octets"), body.len().to_string()));
    }
    if wanted != Some(sum(body)) {
        return Err(torn("the sum that was written", "another sum".to_owned()));
    }
    let others = |_| torn("rows of a queue", "others".to_owned());
    let (mut written, rest) = postcard::take_from_bytes::<Written>(body).map_err(others)?;
    let (later, rest) = behind::<Later>(rest).map_err(others)?;
    let (latest, rest) = behind::<Latest>(rest).map_err(others)?;
    let (tried, rest) = behind::<Tried>(rest).map_err(others)?;
    let (notices, rest) = behind::<Notices>(rest).map_err(others)?;
    let (let_go, rest) = behind::<LetGo>(rest).map_err(others)?;
    let (told, _) = behind::<Told>(rest).map_err(others)?;
    let from_s: std::collections::HashMap<u32, u32> = let_go.from_s.into_iter().collect();
    for (slot, row) in &mut written.messages {
        row.from_s = from_s.get(slot).copied().unwrap_or(row.at_s);
    }
    let mut table = table_of(written, late_seconds);
    table.runs = told.runs;
    later.decided.into_iter().for_each(|(slot, decided)| table.decide(slot, Some(decided)));
    for slot in latest.of_others {
        if let Some(row) = table.message_mut(slot) {
            row.hand = Hand::Others;
        }
    }
    for slot in notices.slots {
        if let Some(row) = table.message_mut(slot) {
            row.is_notice = true;
        }
    }
    table.relayed = latest.relayed;
    for TriedLeg { slot, settled, why } in tried.legs {
        if let Some(leg) = table.leg_mut(slot) {
            (leg.settled, leg.why) = (settled, why);
        }
    }
    Ok((table, mark.unwrap_or(0)))
}

/// What stands behind, and the rest; an older queue ends here.
fn behind<T>(octets: &[u8]) -> Result<(T, &[u8]), postcard::Error>
where
    T: Default + serde::de::DeserializeOwned,
{
    if octets.is_empty() { Ok((T::default(), octets)) } else { postcard::take_from_bytes(octets) }
}

/// Shared ids get new places; rows keep their slots.
fn table_of(written: Written, late_seconds: u32) -> Table {
    let mut table = Table::new(late_seconds);
    let tenants: std::collections::HashMap<u32, TenantId> = written.tenants.into_iter().collect();
    let roads: std::collections::HashMap<u32, Route> = written.roads.into_iter().collect();
    for (slot, mut leg) in written.legs {
        // A leg that is over has given its road back; nobody asks for it again.
        if !crate::table::is_over(leg.state)
            && let Some(route) = roads.get(&leg.road)
        {
            leg.road = table.take_road(*route);
        }
        put_leg(&mut table, slot, leg);
    }
    for (slot, mut message) in written.messages {
        if let Some(tenant) = tenants.get(&message.tenant) {
            message.tenant = table.take_tenant(*tenant);
        }
        table.by_id.insert(message.message, slot);
        table.settle_message(slot, message);
    }
    table.senders = written.senders;
    table.passed = written.passed.into();
    table.next_seq = written.next_seq;
    table.find_free();
    table
}

/// FNV-1a over words: against tears, not against intruders, who hold this whole folder anyway.
fn sum(octets: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    for word in octets.chunks(8) {
        let mut padded = [0u8; 8];
        if let Some(place) = padded.get_mut(..word.len()) {
            place.copy_from_slice(word);
        }
        sum = (sum ^ u64::from_le_bytes(padded)).wrapping_mul(0x0000_0100_0000_01b3);
        sum ^= sum >> 29;
    }
    sum ^ octets.len() as u64
}
