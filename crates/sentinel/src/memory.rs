//! What is learned: hours of the week in which people read, by opaque ids. Losing it costs two
//! weeks of learning and nothing else, so it is written now and then, in one piece.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use vigil::Hours;

/// Twenty thousand people take a tenth of it.
const BYTES: u64 = 64 << 20;

/// Where it is kept.
pub struct Memory {
    file: File,
}

/// Opens what was learned, or begins.
pub fn open(folder: &Path) -> io::Result<(Memory, Hours)> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(folder.join("hours"))?;
    let mut bytes = Vec::new();
    (&mut file).take(BYTES).read_to_end(&mut bytes)?;
    Ok((Memory { file }, read(&bytes).unwrap_or_default()))
}

/// Eight octets of length first: a piece that is torn is nothing.
fn read(bytes: &[u8]) -> Option<Hours> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    postcard::from_bytes(rest.get(..length)?).ok()
}

impl Memory {
    /// Writes what was learned until now.
    pub fn keep(&self, hours: &Hours) -> io::Result<()> {
        let plain = postcard::to_stdvec(hours).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut bytes = (plain.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&plain);
        // What stood behind a shorter memory is gone too.
        self.file.write_all_at(&bytes, 0)?;
        self.file.set_len(bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{open, read};
    use terms::{TenantId, UserId};

    #[test]
    fn what_was_learned_is_there_again_and_a_torn_piece_is_nothing() {
        let folder = std::env::temp_dir().join(format!("sentinel-memory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (memory, mut hours) = open(&folder).unwrap();
        hours.count(7_200_000, TenantId([1; 8]), UserId([2; 8]), 3, 50);
        memory.keep(&hours).unwrap();
        assert_eq!(open(&folder).unwrap().1, hours);
        let bytes = std::fs::read(folder.join("hours")).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
