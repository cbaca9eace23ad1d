//! `sekisho tenant search-remains`: looks for what ended contracts may have left, octet by octet.
//!
//! Looked through are all files of the data folder, and of every folder named with `--also` (a
//! backup). Looked for are the opaque ids of those contracts and their people, as octets and as
//! hexadecimal, rows of the directory that still name an address of a person who is destroyed (it
//! knows those by a keyed hash), keys of the signer's for domains that no contract has, and
//! whatever `--marker` names (a word of an old letter, a wrapped key in hexadecimal behind
//! `hex:`); and keys of backup epochs that were destroyed and lie again
//! beside the data, or where they first lay (`returned`). In the evidence ids may stand: nothing
//! else tells what was done.

use super::people::folder;
use crate::arguments::Arguments;
use crate::client;
use crate::outcome::{Answer, Outcome, Trouble};
use crate::words;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use terms::{TenantId, UserId};
use wire::admin::Request;

/// Read at once; a file is never held whole.
const CHUNK_BYTES: usize = 1 << 20;
/// What is compared first: the shortest thing that can be looked for.
const FIRST: usize = 8;
/// Places that are told; more are counted.
const TOLD: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After a start, and after a search that could not be made.
const SOON: Duration = Duration::from_secs(20);
const LINK: &str = "a link is not followed: search where it leads with --also";
const STRAY: &str = "keys that sign the mail of a domain that no contract has; remove that file";
const HINT: &str = "search as the user that runs the service, or as root";

/// What is looked for: words by their first octets, and a sieve before the map.
struct Wanted {
    by_first: HashMap<[u8; FIRST], Vec<Vec<u8>>>,
    sieve: Vec<bool>,
    longest: usize,
}

impl Wanted {
    fn new(words: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut wanted = Self { by_first: HashMap::new(), sieve: vec![false; 1 << 16], longest: 0 };
        for word in words {
            let Some(first) = word.first_chunk::<FIRST>().copied() else { continue };
            if let Some(slot) = wanted.sieve.get_mut(sieved(&first)) {
                *slot = true;
            }
            wanted.longest = wanted.longest.max(word.len());
            wanted.by_first.entry(first).or_default().push(word);
        }
        wanted
    }

    /// Offsets in `bytes` where something wanted begins; only beginnings before `end` count.
    fn find(&self, bytes: &[u8], end: usize, mut each: impl FnMut(usize)) {
        for (offset, window) in bytes.windows(FIRST).take(end).enumerate() {
            let Some(first) = window.first_chunk::<FIRST>() else { continue };
            if !self.sieve.get(sieved(first)).copied().unwrap_or(false) {
                continue;
            }
            let Some(words) = self.by_first.get(first) else { continue };
            let rest = bytes.get(offset..).unwrap_or_default();
            if words.iter().any(|word| rest.starts_with(word)) {
                each(offset);
            }
        }
    }
}

fn sieved(first: &[u8; FIRST]) -> usize {
    let [one, two, three, four, ..] = *first;
    usize::from(u16::from_be_bytes([one ^ three, two ^ four]))
}

/// What a search saw.
#[derive(Default)]
struct Seen {
    files: u64,
    bytes: u64,
    found: Vec<String>,
    count: u64,
    unread: Vec<String>,
}

pub fn run(mut arguments: Arguments, data: Option<String>) -> Answer {
    let also = arguments.options("--also")?;
    let markers = arguments.options("--marker")?;
    let tenant = arguments.word("a tenant").ok();
    arguments.finish()?;
    let data = folder(data)?;
    let of = tenant.map(|name| match destroyed(&data, &name)? {
        (_, Some(user)) => Ok(HashSet::from([user.0.to_vec()])),
        (tenant, None) => ids_of(&data, tenant),
    });
    let of = of.transpose()?;
    let mut words = Vec::new();
    for marker in &markers {
        words.push(marker_bytes(marker)?);
    }
    let also: Vec<PathBuf> = also.into_iter().map(PathBuf::from).collect();
    let value = search(&data, &also, words, of.as_ref())?;
    let is_clean = value.get("found").and_then(Value::as_u64) == Some(0)
        && value.get("unread").and_then(Value::as_array).is_some_and(Vec::is_empty);
    Ok(if is_clean { Outcome::Done(value) } else { Outcome::Wanting(value) })
}

fn marker_bytes(marker: &str) -> Result<Vec<u8>, Trouble> {
    let bytes = match marker.strip_prefix("hex:") {
        Some(hex) => HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok(),
        None => Some(marker.as_bytes().to_vec()),
    };
    bytes.filter(|bytes| bytes.len() >= FIRST).ok_or_else(|| {
        Trouble::wrong_use("a marker of eight octets or more", marker, "--marker TEXT or hex:…")
    })
}

/// The contract of that name, or the person of that id, if it has been destroyed.
fn destroyed(data: &Path, name: &str) -> Result<(TenantId, Option<UserId>), Trouble> {
    let endings = client::value(data, &Request::Endings)?;
    let items = endings.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |item: &Value, field: &str| Some(item.get(field)?.as_str()?.to_owned());
    let is_it = |item: &&Value| {
        let named = match text(item, "user_id") {
            None => [text(item, "tenant"), text(item, "tenant_id")],
            user => [user, text(item, "person")],
        };
        named.iter().flatten().any(|known| known == name)
    };
    let found = items.iter().find(is_it);
    let state = found.and_then(|item| text(item, "state"));
    let tenant = found.and_then(|item| TenantId::parse(&text(item, "tenant_id")?));
    let user = found.and_then(|item| UserId::parse(&text(item, "user_id")?));
    match (state.as_deref(), tenant) {
        (Some("destroyed"), Some(tenant)) => Ok((tenant, user)),
        (other, _) => {
            let found = format!("{name}: {}", other.unwrap_or("no ended contract of that name"));
            let hint =
                "see `tenant endings`; a person who is destroyed has a `user_id` there alone";
            Err(Trouble::refused("a contract that is destroyed", found, hint))
        }
    }
}

/// The ids of a contract and of all its people, from the evidence: nothing else knows them now.
fn ids_of(data: &Path, tenant: TenantId) -> Result<HashSet<Vec<u8>>, Trouble> {
    super::whole::must_be(data)?;
    let mut ids = HashSet::from([tenant.0.to_vec()]);
    ledger::entries(&data.join("ledger"), |index, entry| {
        ::scope::facts(index, &entry, |fact| {
            if let Some(person) = fact.person.filter(|person| person.tenant == tenant) {
                ids.extend(person.user.map(|user| user.0.to_vec()));
            }
        });
    })
    .map_err(|error| Trouble::fault(error.to_string(), HINT))?;
    Ok(ids)
}

/// Searches, and has what was found recorded and (if it is anything) alarmed about. `of`: only for
/// these ids, else for those of every ended contract.
fn search(
    data: &Path,
    also: &[PathBuf],
    markers: Vec<Vec<u8>>,
    of: Option<&HashSet<Vec<u8>>>,
) -> Result<Value, Trouble> {
    let (mut ids, mut named, keys) = patterns(data)?;
    ids.retain(|id| of.is_none_or(|of| of.contains(&id.octets)));
    named.retain(|(user, _)| of.is_none_or(|of| of.contains(&user.0[..])));
    let contracts = ids.len() as u64;
    let words = |ids: &mut dyn Iterator<Item = &Id>| {
        let mut words = markers.clone();
        for id in ids {
            words.push(HEXLOWER.encode(&id.octets).into_bytes());
            words.push(id.octets.clone());
        }
        Wanted::new(words)
    };
    // The vault keeps a list of what was shredded, so that no backup brings it back.
    let wanted = Both {
        everywhere: words(&mut ids.iter()),
        in_vault: words(&mut ids.iter().filter(|id| !id.is_shredded)),
    };
    let mut seen = Seen::default();
    look_through(data, data, &wanted, &mut seen);
    for folder in also {
        look_through(folder, folder, &wanted, &mut seen);
    }
    let mut back = super::returned::search(data, also);
    seen.count += back.found.len() as u64;
    // Told first: it opens more than any other place.
    back.found.append(&mut seen.found);
    seen.found = back.found;
    seen.unread.append(&mut back.unread);
    seen.count += keys.len() as u64;
    seen.found.extend(
        keys.into_iter()
            .map(|file| format!("{}: {STRAY}", data.join("signer").join(file).display())),
    );
    seen.count += named.len() as u64;
    let room = TOLD.saturating_sub(seen.found.len());
    let places = named.into_iter().take(room);
    seen.found.extend(places.map(|(user, place)| format!("{place} names person {user}")));
    let Seen { files, bytes, found, count, unread } = seen;
    let told = unread.iter().take(TOLD).cloned().collect();
    let report = Request::Searched { contracts, files, bytes, found: found.clone(), unread: told };
    client::value(data, &report)?;
    Ok(json!({
        "ids": contracts,
        "files": files,
        "bytes": bytes,
        "found": count,
        "places": found,
        "unread": unread,
        "ids_may_stand_in": "ledger, mirror, and the vault's list of what was shredded",
    }))
}

/// An opaque id, and whether the vault's list of what was shredded may name it.
struct Id {
    octets: Vec<u8>,
    is_shredded: bool,
}

struct Both {
    everywhere: Wanted,
    in_vault: Wanted,
}

/// Where an address of that person stands.
type Named = (UserId, String);

/// Ids, rows that still name somebody, and files of the signer with keys of nobody's domains.
fn patterns(data: &Path) -> Result<(Vec<Id>, Vec<Named>, Vec<String>), Trouble> {
    let found = client::value(data, &Request::Patterns)?;
    let items = found.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let id = |item: &Value| {
        let octets = HEXLOWER.decode(item.get("id")?.as_str()?.as_bytes()).ok()?;
        Some(Id { octets, is_shredded: item.get("is_shredded")?.as_bool()? })
    };
    let named = found.get("named").and_then(Value::as_array).cloned().unwrap_or_default();
    let place = |item: &Value| {
        let user = UserId::parse(item.get("user")?.as_str()?)?;
        Some((user, item.get("place")?.as_str()?.to_owned()))
    };
    let keys = found.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let file = |item: &Value| item.as_str().map(str::to_owned);
    let ids = items.iter().filter_map(id).collect();
    Ok((ids, named.iter().filter_map(place).collect(), keys.iter().filter_map(file).collect()))
}

fn look_through(folder: &Path, root: &Path, wanted: &Both, seen: &mut Seen) {
    let Ok(entries) = fs::read_dir(folder) else {
        return seen.unread.push(folder.display().to_string());
    };
    for entry in entries {
        let Ok((path, kind)) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))
        else {
            seen.unread.push(folder.display().to_string());
            continue;
        };
        let is_evidence = path.parent() == Some(root)
            && matches!(path.file_name().and_then(|name| name.to_str()), Some("ledger" | "mirror"));
        if is_evidence {
            continue;
        }
        if kind.is_dir() {
            look_through(&path, root, wanted, seen);
        } else if kind.is_file() {
            let wanted = match folder.starts_with(root.join("vault")) {
                true => &wanted.in_vault,
                false => &wanted.everywhere,
            };
            if look_in(&path, wanted, seen).is_ok() || !path.exists() {
                continue;
            }
            seen.unread.push(format!("{} ({HINT})", path.display()));
        } else if kind.is_symlink() {
            // Where it leads may be anything: whoever knows names that folder.
            seen.unread.push(format!("{} ({LINK})", path.display()));
        }
    }
}

fn look_in(path: &Path, wanted: &Wanted, seen: &mut Seen) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    seen.files += 1;
    // What begins near the end of a chunk is looked at again with the next one.
    let overlap = wanted.longest.max(FIRST);
    let mut bytes: Vec<u8> = Vec::with_capacity(CHUNK_BYTES + overlap);
    let mut start = 0u64;
    loop {
        let have = bytes.len();
        bytes.resize(have + CHUNK_BYTES, 0);
        let read = file.read(bytes.get_mut(have..).unwrap_or_default())?;
        bytes.truncate(have + read);
        let is_last = read == 0;
        let end = if is_last { bytes.len() } else { bytes.len().saturating_sub(overlap) };
        wanted.find(&bytes, end, |offset| {
            seen.count += 1;
            if seen.found.len() < TOLD {
                seen.found.push(format!("{} at octet {}", path.display(), start + offset as u64));
            }
        });
        seen.bytes += read as u64;
        if is_last {
            return Ok(());
        }
        bytes.drain(..end);
        start += end as u64;
    }
}

/// Whether the key of an epoch of backups has been destroyed. A vault that is away is asked again.
fn has_destroyed_epoch(data: &Path) -> bool {
    let told = client::value(data, &Request::KeysEpochs).unwrap_or_default();
    let mut items = told.get("items").and_then(Value::as_array).into_iter().flatten();
    items.any(|item| item.get("destroyed").is_some_and(|at| !at.is_null()))
}

/// What a daily search is told of on the service's own screen.
fn worth_telling(value: &Value) -> Option<String> {
    let found = value.get("found").and_then(Value::as_u64).unwrap_or(0);
    let unread = value.get("unread").and_then(Value::as_array).map_or(0, Vec::len);
    match (found, unread) {
        (0, 0) => None,
        (0, _) => Some(format!("search for remains: {unread} places could not be read: {value}")),
        _ => Some(format!("REMAINS of an ended contract: {value}")),
    }
}

/// Searches every day as long as this process lives. Nothing is searched where nothing ended.
pub fn daily(data: PathBuf) {
    std::thread::spawn(move || {
        let mut searched: Option<Instant> = None;
        // A house that is about to stop answers nobody any more: what fails once is tried again
        // before it is told.
        let mut has_failed = false;
        loop {
            std::thread::sleep(SOON);
            end_epochs(&data);
            let is_early = searched.is_some_and(|then| then.elapsed() < DAY);
            let none_ended = || patterns(&data).is_ok_and(|(ids, ..)| ids.is_empty());
            if is_early || (none_ended() && !has_destroyed_epoch(&data)) {
                continue;
            }
            match search(&data, &[], Vec::new(), None) {
                Ok(value) => {
                    if let Some(line) = worth_telling(&value) {
                        eprintln!("sekisho: {line}");
                    }
                    searched = Some(Instant::now());
                    has_failed = false;
                }
                Err(trouble) if has_failed => {
                    let what = words::said("search for remains");
                    eprintln!("sekisho: {what}: {}", words::said(&trouble.told()));
                }
                Err(_) => has_failed = true,
            }
        }
    });
}

/// The keys of backup epochs that a destruction ended are destroyed without being asked for, where
/// they lie beside the data; elsewhere their keeper does it (`keys epochs end`).
fn end_epochs(data: &Path) {
    let Ok(endings) = client::value(data, &Request::Endings) else { return };
    let items = endings.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let waits = |item: &Value| item.get("state").and_then(Value::as_str) == Some("destroying");
    if items.iter().any(waits)
        && let Err(trouble) = super::keys::end_epochs(data, &super::epochs::beside(data))
    {
        eprintln!("sekisho: epochs of backups: {}", trouble.told());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Both, CHUNK_BYTES, Seen, Wanted, look_through, marker_bytes, worth_telling};
    use std::fs;

    #[test]
    fn every_octet_is_looked_at() {
        let folder = std::env::temp_dir().join(format!("sekisho-remains-{}", std::process::id()));
        let check = |offset: usize, length: usize, expected: u64| {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(folder.join("mailbox")).unwrap();
            fs::create_dir_all(folder.join("ledger")).unwrap();
            let mut bytes = vec![0u8; length];
            bytes[offset..offset + 8].copy_from_slice(b"\x01\x02remain");
            fs::write(folder.join("mailbox/index"), &bytes).unwrap();
            fs::write(folder.join("ledger/log"), &bytes).unwrap();
            let words = || [b"\x01\x02remain".to_vec(), b"another word".to_vec()];
            let wanted =
                Both { everywhere: Wanted::new(words()), in_vault: Wanted::new(Vec::new()) };
            let mut seen = Seen::default();
            look_through(&folder, &folder, &wanted, &mut seen);
            assert_eq!((seen.count, seen.files), (expected, 1), "{offset} of {length}");
        };
        check(0, 8, 1);
        check(100, 4_000, 1);
        check(3_992, 4_000, 1);
        for offset in CHUNK_BYTES - 14..CHUNK_BYTES + 2 {
            check(offset, CHUNK_BYTES + 64, 1);
        }
        check(CHUNK_BYTES * 2 - 8, CHUNK_BYTES * 2, 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_not_read_is_said() {
        let folder = std::env::temp_dir().join(format!("sekisho-unread-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/elsewhere", folder.join("mailbox")).unwrap();
        let words = || Wanted::new(Vec::new());
        let mut seen = Seen::default();
        look_through(&folder, &folder, &Both { everywhere: words(), in_vault: words() }, &mut seen);
        assert_eq!(seen.unread.len(), 1, "{:?}", seen.unread);
        assert!(seen.unread[0].contains("a link is not followed"), "{:?}", seen.unread);
        let told = |found: u64, unread: &[String]| {
            worth_telling(&serde_json::json!({ "found": found, "unread": unread }))
        };
        assert_eq!(told(0, &[]), None);
        assert!(told(0, &seen.unread).unwrap().contains("1 places could not be read"));
        assert!(told(1, &[]).unwrap().starts_with("REMAINS"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn markers() {
        assert!(marker_bytes("a word of an old letter").is_ok());
        assert_eq!(marker_bytes("hex:0011223344556677").ok().unwrap().len(), 8);
        assert!(marker_bytes("short").is_err());
        assert!(marker_bytes("hex:00").is_err());
    }
}
