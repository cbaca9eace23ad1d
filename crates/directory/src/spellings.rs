//! In which spelling an address is kept. New rows are kept folded; rows of an older version may
//! stand in another one (`ｔａｒｏ@…`), and stay in it: what the vault has signed names them so.
//!
//! An address is looked up as it was written first: where two people had spellings that fold to
//! one, each keeps their own mail (`docs/decisions/0025-spellings.md`).

use crate::Fault;
use crate::address::{canonical, folded, is_sound, spoken};
use crate::changes::{Changes, refused};
use crate::lists::{Token, place};
use crate::tables::Tables;
use crate::ways::Beyond;
use compartment::now_ms;
use rows::RowKey;
use std::collections::HashMap;
use terms::Odd;
use wire::directory::ToAdmin;
use wire::lists::owner;

/// Of each folded spelling the one in which it is kept; `None`: two are, and neither is meant.
pub(crate) type Older = HashMap<String, Option<String>>;

/// The name of the note of them.
pub(crate) const NOTE: &[u8] = b"older spellings";
/// More of them are not noted, but looked for at each start.
const NOTED: usize = 100_000;

impl Tables {
    /// The spelling in which somebody's address is kept; if it is nobody's, the folded one.
    pub fn kept_spelling(
        &self,
        key: &RowKey,
        typed: &str,
        host_name: &str,
    ) -> Result<String, Fault> {
        let (spoken, folded) = (spoken(typed, host_name), canonical(typed, host_name));
        let is_folded = spoken == folded;
        if !is_folded && self.has(key, &spoken)? {
            return Ok(spoken);
        }
        let older = self.older_spelling(key, &folded)?;
        if (is_folded && older.is_none()) || self.has(key, &folded)? {
            return Ok(folded);
        }
        if let Some(older) = older
            && self.has(key, &older)?
        {
            return Ok(older);
        }
        // What a gateway's server has it knows in its own spelling.
        let domain = spoken.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let is_beyond = is_sound(&spoken) && self.gateway(key, domain)?.is_some();
        Ok(if is_beyond { spoken } else { folded })
    }

    fn has(&self, key: &RowKey, address: &str) -> Result<bool, Fault> {
        Ok(self.person_by_address(key, address)?.is_some()
            || self.group(key, address)?.is_some()
            || self.list(key, address)?.is_some()
            || self.owned(key, address)?.is_some()
            || self.beyond(key, address, now_ms())? != Beyond::Unknown)
    }

    /// No new row is kept so: they are looked for once, and noted, for that reads every row. What
    /// went since is found out by its row.
    fn older_spelling(&self, key: &RowKey, folded: &str) -> Result<Option<String>, Fault> {
        if let Some(known) = &*self.older.borrow() {
            return Ok(known.get(folded).cloned().flatten());
        }
        let noted = self.note(key, NOTE)?.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        let older = match noted {
            Some(older) => older,
            None => {
                let older = self.all_older(key)?;
                if older.len() <= NOTED
                    && let Ok(bytes) = postcard::to_stdvec(&older)
                {
                    self.keep_note(key, NOTE, &bytes)?;
                }
                older
            }
        };
        let found = older.get(folded).cloned().flatten();
        *self.older.borrow_mut() = Some(older);
        Ok(found)
    }

    fn all_older(&self, key: &RowKey) -> Result<Older, Fault> {
        let mut all = Vec::new();
        for (tenant, _) in self.tenants(key)? {
            for (_, person) in self.people(key, tenant)? {
                all.extend(person.aliases);
                all.push(person.address);
            }
        }
        all.extend(self.groups(key)?.into_iter().map(|(_, group)| group.address));
        for (_, list) in self.lists(key)? {
            all.push(owner(&list.address));
            all.push(list.address);
        }
        let mut older = Older::new();
        for kept in all.into_iter().filter(|kept| !kept.is_ascii()) {
            let folded = folded(&kept);
            if folded != kept {
                older.entry(folded).and_modify(|one| *one = None).or_insert(Some(kept));
            }
        }
        Ok(older)
    }

    /// The place of a list's member: that of the address as it was written, else of the folded one.
    pub fn member_place(&self, key: &RowKey, list: &str, member: &str) -> Result<Token, Fault> {
        let written = place(key, list, &member.to_lowercase());
        match member.is_ascii() || self.member(key, &written)?.is_some() {
            true => Ok(written),
            false => Ok(place(key, list, &folded(member))),
        }
    }
}

impl Changes<'_> {
    /// An address as it is kept here.
    pub fn kept(&self, address: &str) -> Result<String, Fault> {
        self.tables.kept_spelling(self.key, address, self.host_name)
    }
}

/// A new address that people would take for another one.
pub(crate) fn refuse_letters(address: &str) -> Option<ToAdmin> {
    let (expected, found, hint) = odd_address(address)?;
    Some(refused(expected, &found, hint))
}

/// What is expected instead of such an address, what was found in it, and a hint.
pub fn odd_address(address: &str) -> Option<(&'static str, String, &'static str)> {
    let address = folded(address);
    let (local, _) = address.rsplit_once('@')?;
    let number = |letter: char| format!("U+{:04X}", u32::from(letter));
    Some(match terms::odd_letter(local)? {
        Odd::Unseen(letter) => (
            "an address of letters that are seen",
            format!("{}, which nobody sees", number(letter)),
            "type it anew: with such a sign in it, it looks like another address",
        ),
        Odd::Rare(letter) => (
            "letters that people write with",
            format!("{}, which is hardly known", number(letter)),
            "type it anew: such a letter is taken for another one",
        ),
        Odd::Mixed(one, other) => (
            "letters of one script, or of those of Japanese, Chinese or Korean",
            format!("{address}, which mixes {one} and {other}"),
            "type it anew: a letter of another script looks like one that is meant",
        ),
    })
}
