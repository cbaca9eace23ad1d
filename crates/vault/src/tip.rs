//! How far `keys` had come when that was last written down beside it, and how far the ledger was
//! seen then. Sums tell whatever is added, exchanged or taken out of the middle; that the newest
//! records are gone only somebody else can tell.
//!
//! It lags behind where the vault is killed, and is never ahead. Whoever has an older copy of both
//! may put both back: then what was recorded since tells (`older`).

use crate::Fault;
use crate::sums::{Chain, Contents, Sum};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use unseal::SecretsKey;

/// Beside the keys.
pub const TIP: &str = "tip";
const PURPOSE: &str = "tip";
const TIP_BYTES: usize = 88;
/// How far behind it may be: as what was seen of the ledger.
const EVERY: Duration = Duration::from_secs(10);
/// A first row is kept with the file itself; before that there was no tip.
const FIRST: u64 = 1;

/// Where one file stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Which file it was; zeroes: none with sums.
    salt: Sum,
    count: u64,
    last: Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    keys: Place,
    stood: Place,
    /// Entries of the ledger, as `sighted` says; 0: it said nothing yet.
    sighted: u64,
}

impl Place {
    fn of(chain: &Chain) -> Self {
        let (last, count) = chain.place();
        Self { salt: chain.head.salt, count, last }
    }

    fn octets(&self) -> Vec<u8> {
        [&self.salt[..], &self.count.to_be_bytes(), &self.last].concat()
    }

    fn read(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (salt, rest) = octets.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        Some((Self { salt: *salt, count: u64::from_be_bytes(*count), last: *last }, rest))
    }
}

impl At {
    fn octets(&self) -> Vec<u8> {
        [self.keys.octets(), self.stood.octets(), self.sighted.to_be_bytes().to_vec()].concat()
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let (keys, rest) = Place::read(octets)?;
        let (stood, rest) = Place::read(rest)?;
        let (sighted, _) = rest.split_first_chunk()?;
        Some(Self { keys, stood, sighted: u64::from_be_bytes(*sighted) })
    }
}

/// What is written down.
pub(crate) struct Tip {
    path: PathBuf,
    key: SecretsKey,
    kept: Option<At>,
    kept_at: Instant,
}

impl Tip {
    /// Reads what was written down, and says what of these contents does not fit it.
    pub fn open(folder: &Path, contents: &Contents, chain: &Chain) -> (Self, Vec<String>) {
        let (path, key, kept_at) = (folder.join(TIP), chain.key().again(), Instant::now());
        let mut tip = Self { path, key, kept: None, kept_at };
        let Ok(octets) = fs::read(&tip.path) else {
            let is_new = chain.count <= FIRST;
            let gone = "`vault/tip` is gone, which says how far `vault/keys` had come: somebody \
                        removed it";
            return (tip, if is_new { Vec::new() } else { vec![gone.to_owned()] });
        };
        let is_ours = octets
            .split_at_checked(TIP_BYTES)
            .is_some_and(|(front, sum)| tip.key.same(PURPOSE, front, sum));
        let Some(at) = At::read(&octets).filter(|_| is_ours) else {
            let what = "`vault/tip` is not what the vault wrote, and does not say any more how far \
                        `vault/keys` had come";
            return (tip, vec![what.to_owned()]);
        };
        tip.kept = Some(at);
        let told = at.keys.misfit("keys", contents, chain);
        (tip, told.into_iter().chain(at.unsighted(folder)).collect())
    }

    /// A file that was begun just now.
    pub fn begin(folder: &Path, chain: &Chain) -> Self {
        let (path, key) = (folder.join(TIP), chain.key().again());
        Self { path, key, kept: None, kept_at: Instant::now() }
    }

    /// Whether `stood` is what it was.
    pub fn misfit_of_stood(&self, contents: &Contents, chain: &Chain) -> Option<String> {
        self.kept?.stood.misfit("stood", contents, chain)
    }

    pub fn keep_if_due(&mut self, keys: &Chain, stood: Option<&Chain>, sighted: Option<u64>) {
        let is_same = self.kept.is_some_and(|at| {
            at.keys.salt == keys.head.salt
                && stood.is_none_or(|stood| at.stood.salt == stood.head.salt)
        });
        if !is_same || self.kept_at.elapsed() >= EVERY {
            // One that lags is no fault: the next time tries again.
            let _ = self.keep(keys, stood, sighted);
        }
    }

    pub fn keep(
        &mut self,
        keys: &Chain,
        stood: Option<&Chain>,
        sighted: Option<u64>,
    ) -> Result<(), Fault> {
        self.kept_at = Instant::now();
        let (was, known) = self.kept.map(|at| (at.stood, at.sighted)).unwrap_or_default();
        let at = At {
            keys: Place::of(keys),
            stood: stood.map_or(was, Place::of),
            sighted: sighted.unwrap_or(known),
        };
        if self.kept == Some(at) {
            return Ok(());
        }
        let mut octets = at.octets();
        octets.extend(self.key.verifier(PURPOSE, &octets).map_err(Fault::Key)?);
        let doing = "write beside";
        let put = durable::put(&self.path, &octets, 0o600).and_then(|()| self.give_to_owner());
        put.map_err(|source| Fault::Store { doing, source })?;
        self.kept = Some(at);
        Ok(())
    }

    /// Root writes it while no vault runs: it stays the vault's own.
    fn give_to_owner(&self) -> std::io::Result<()> {
        let Some(folder) = self.path.parent() else { return Ok(()) };
        let (owner, now) = (File::open(folder)?.metadata()?, File::open(&self.path)?.metadata()?);
        match (owner.uid(), owner.gid()) == (now.uid(), now.gid()) {
            true => Ok(()),
            false => chown(&self.path, Some(owner.uid()), Some(owner.gid())),
        }
    }
}

impl Place {
    fn misfit(&self, file: &str, contents: &Contents, chain: &Chain) -> Option<String> {
        // It was written anew, and no more came to be written down.
        if self.salt == chain.head.before || self.salt == Sum::default() {
            return None;
        }
        if self.salt != chain.head.salt {
            return Some(format!(
                "`vault/{file}` is not the file that was there last: somebody put an older copy in \
                 its place"
            ));
        }
        let (known, found) = (self.count, chain.count);
        let newest = usize::try_from(known).ok().and_then(|count| count.checked_sub(1));
        let there = match newest {
            Some(newest) => contents.records.get(newest).map(|record| record.sum),
            None => Some(chain.head.sum),
        };
        (there != Some(self.last)).then(|| {
            format!(
                "`vault/{file}` ends before its end: {known} records were there, {found} are left; \
                 somebody cut it off, or put an older copy in its place"
            )
        })
    }
}

impl At {
    /// Whether what was seen of the ledger is still written down.
    fn unsighted(&self, folder: &Path) -> Option<String> {
        if self.sighted == 0 {
            return None;
        }
        let text = fs::read_to_string(folder.join(crate::sighted::SIGHTED)).unwrap_or_default();
        // A checkpoint: whose it is, then how many entries it covers.
        let size = text.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
        match size {
            Some(size) if size >= self.sighted => None,
            Some(size) => Some(format!(
                "`vault/sighted` is older than it was: {} entries of the ledger were seen, it says \
                 {size}",
                self.sighted
            )),
            None => Some(
                "`vault/sighted` is gone, by which a ledger that was cut off is found: somebody \
                 removed it"
                    .to_owned(),
            ),
        }
    }
}
