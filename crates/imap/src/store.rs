//! STORE: setting, adding and taking away flags. RFC 3501 §6.4.6, RFC 7162 §3.1.3.

use crate::flags::{FlagSet, flag_set};
use crate::sequence::{SequenceSet, sequence_set};
use crate::words::{Why, Words};

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    pub set: SequenceSet,
    pub uid: bool,
    /// Messages changed after this mod-sequence are left alone and listed.
    pub unchanged_since: Option<u64>,
    pub act: StoreAct,
    pub silent: bool,
    pub flags: FlagSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAct {
    Replace,
    Add,
    Remove,
}

pub(crate) fn store(words: &mut Words, uid: bool) -> Result<Store, Why> {
    let set = sequence_set(words)?;
    words.space()?;
    let mut unchanged_since = None;
    if words.eat(b'(') {
        if !words.eat_word("UNCHANGEDSINCE") {
            return Err("expected UNCHANGEDSINCE");
        }
        words.space()?;
        unchanged_since = Some(words.number()?);
        words.close()?;
        words.space()?;
    }
    let act = if words.eat(b'+') {
        StoreAct::Add
    } else if words.eat(b'-') {
        StoreAct::Remove
    } else {
        StoreAct::Replace
    };
    let silent = match words.capitals()?.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err("expected FLAGS or FLAGS.SILENT"),
    };
    words.space()?;
    let flags = flag_set(words)?;
    Ok(Store { set, uid, unchanged_since, act, silent, flags })
}
