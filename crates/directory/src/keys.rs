//! What the directory has done to keys: destroyed at the end of a contract, held until then.

use crate::Fault;
use crate::friends::Friends;
use wire::directory::Part;

impl Friends {
    pub fn shred(&mut self, _part: Part) -> Result<Option<u64>, Fault> {
        Err(Fault::VaultAway)
    }

    pub fn last_open(&mut self, _part: Part) -> Result<Option<u64>, Fault> {
        Err(Fault::VaultAway)
    }

    pub fn hold(&mut self, _part: Part, _on: bool) -> Result<(), Fault> {
        Err(Fault::VaultAway)
    }
}
