//! What outlives a restart: learned hours of the week in which people read, by opaque ids; alarms
//! that could not be sent yet. Losing it costs two weeks of learning, or a message about what
//! stands in the ledger anyway, so it is written now and then, in one piece.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Twenty thousand people take a tenth of it.
const BYTES: u64 = 64 << 20;

pub const HOURS: &str = "hours";
pub const UNSENT: &str = "unsent";

/// Where one piece is kept.
pub struct Memory {
    file: File,
}

/// Opens what was kept under that name, or begins.
pub fn open<T: DeserializeOwned + Default>(folder: &Path, name: &str) -> io::Result<(Memory, T)> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(folder.join(name))?;
    let mut bytes = Vec::new();
    (&mut file).take(BYTES).read_to_end(&mut bytes)?;
    Ok((Memory { file }, read(&bytes).unwrap_or_default()))
}

/// Eight octets of length first: a piece that is torn is nothing.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    postcard::from_bytes(rest.get(..length)?).ok()
}

impl Memory {
    /// Writes what there is now.
    pub fn keep<T: Serialize>(&self, what: &T) -> io::Result<()> {
        let plain = postcard::to_stdvec(what).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut bytes = (plain.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&plain);
        // What stood behind a shorter memory is gone too.
        self.file.write_all_at(&bytes, 0)?;
        self.file.set_len(bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{HOURS, open, read};
    use terms::{TenantId, UserId};
    use vigil::Hours;

    #[test]
    fn what_was_learned_is_there_again_and_a_torn_piece_is_nothing() {
        let folder = std::env::temp_dir().join(format!("sentinel-memory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (memory, mut hours) = open::<Hours>(&folder, HOURS).unwrap();
        hours.count(7_200_000, TenantId([1; 8]), UserId([2; 8]), 3, 50);
        memory.keep(&hours).unwrap();
        assert_eq!(open::<Hours>(&folder, HOURS).unwrap().1, hours);
        let bytes = std::fs::read(folder.join("hours")).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(read::<Hours>(&bytes[..cut]), None);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
