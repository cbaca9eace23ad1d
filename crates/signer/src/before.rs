//! Keys that served until a moment ago. Whoever took a chain before it was replaced asks for the
//! signature after that: without the old key, its client would hear a signature of another key.

use crate::house_names::Group;
use crate::signer::Served;
use std::time::{Duration, Instant};

/// A handshake signs at once after it took its chain, and processes ask for theirs every few
/// seconds. No more than this: the key of a certificate that was taken away should go.
const KEPT: Duration = Duration::from_secs(60);
/// As many as are replaced at once at most when many public names get theirs.
const MOST: usize = 64;

#[derive(Default)]
pub(crate) struct Before(Vec<(Group, Served, Instant)>);

impl Before {
    pub fn put(&mut self, group: Group, served: Option<Served>) {
        self.forget();
        if let Some(served) = served {
            if self.0.len() >= MOST {
                self.0.remove(0);
            }
            self.0.push((group, served, Instant::now()));
        }
    }

    pub fn of(&self, group: Group, key: &[u8; 16]) -> Option<&Served> {
        let is_it = |(of, served, since): &&(Group, Served, Instant)| {
            *of == group && served.number == *key && since.elapsed() < KEPT
        };
        self.0.iter().find(is_it).map(|(_, served, _)| served)
    }

    /// Those whose time is over.
    pub fn forget(&mut self) {
        self.0.retain(|(_, _, since)| since.elapsed() < KEPT);
    }
}
