//! Folder names and keyword lists: what people call their folders is sealed, the mailbox knows
//! numbers.
//!
//! Both are sealed like summaries of the person, under two message ids that no message bears. They
//! are not bound to their folder's number: the mailbox decides what stands in which folder anyway,
//! so exchanging two names gains it nothing that it has not.

use crate::ends::Ends;
use crate::fault::Trouble;
use crate::keeper;
use crate::person::Person;
use std::collections::BTreeMap;
use terms::{FolderId, MessageId};
use wire::mailbox::{Folder, SealedPart, SpecialUse};

/// What separates levels in names.
pub const SEPARATOR: u8 = b'/';
/// Octets of one whole name in UTF-8.
pub const NAME_BYTES: usize = 512;
/// Levels of one name.
pub const LEVELS: usize = 16;

const NAMES: MessageId = MessageId::FOLDER_NAMES;
const KEYWORDS: MessageId = MessageId::KEYWORDS;

/// Before the name of a folder that is none: somebody subscribed to that name, and deleted its
/// folder. The name stays subscribed (RFC 3501 §6.3.6), kept by an empty folder of a name that
/// nobody can give.
const LEFT: &str = "\u{1}left/";

/// A folder with its name in the clear.
pub struct Named {
    pub front: Folder,
    pub name: String,
}

/// Names opened in this session: sealed names do not change often, and each opening is recorded.
#[derive(Default)]
pub struct Names {
    known: BTreeMap<FolderId, (Vec<u8>, String)>,
}

impl Names {
    /// Every folder, INBOX first, the others by name.
    pub fn all(&mut self, ends: &mut Ends, person: &mut Person) -> Result<Vec<Named>, Trouble> {
        Ok(self.all_and_left(ends, person)?.0)
    }

    /// Every folder; and names that are subscribed without one.
    pub fn all_and_left(
        &mut self,
        ends: &mut Ends,
        person: &mut Person,
    ) -> Result<(Vec<Named>, Vec<Named>), Trouble> {
        let (left, all) =
            self.every(ends, person)?.into_iter().partition(|named| named.name.starts_with(LEFT));
        let bare = |named: Named| {
            let name = named.name.strip_prefix(LEFT).unwrap_or_default().to_owned();
            Named { name, ..named }
        };
        let left: Vec<Named> = left;
        Ok((all, left.into_iter().map(bare).collect()))
    }

    fn every(&mut self, ends: &mut Ends, person: &mut Person) -> Result<Vec<Named>, Trouble> {
        let fronts = keeper::folders(ends)?;
        self.open(ends, person, &fronts)?;
        let mut named: Vec<Named> =
            fronts.into_iter().map(|front| Named { name: self.name(&front), front }).collect();
        named.sort_by(|one, other| {
            let rank = |named: &Named| (named.name != "INBOX", named.name.clone());
            rank(one).cmp(&rank(other))
        });
        Ok(named)
    }

    /// The folder of this name.
    pub fn find(
        &mut self,
        ends: &mut Ends,
        person: &mut Person,
        name: &str,
    ) -> Result<Named, Trouble> {
        // Special folders need no key, and so no evidence.
        if let Some(special) = special_of(name) {
            let fronts = keeper::folders(ends)?;
            let front = fronts.into_iter().find(|front| front.special == Some(special));
            return match front {
                Some(front) => Ok(Named { front, name: name.to_owned() }),
                None => Err(Trouble::NoSuchFolder),
            };
        }
        let mut all = self.all(ends, person)?;
        let at = position(&all, name).ok_or(Trouble::NoSuchFolder)?;
        Ok(all.swap_remove(at))
    }

    fn open(
        &mut self,
        ends: &mut Ends,
        person: &mut Person,
        fronts: &[Folder],
    ) -> Result<(), Trouble> {
        let unknown = |front: &&Folder| {
            front.name.as_ref().is_some_and(|name| {
                self.known.get(&front.folder).is_none_or(|(known, _)| *known != name.wrapped)
            })
        };
        let unknown: Vec<&Folder> = fronts.iter().filter(unknown).collect();
        let parts: Vec<&SealedPart> =
            unknown.iter().filter_map(|front| front.name.as_ref()).collect();
        if parts.is_empty() {
            return Ok(());
        }
        let opened = person.open_own(ends, NAMES, &parts)?;
        for ((front, part), name) in unknown.iter().zip(&parts).zip(opened) {
            let name = name.and_then(|name| String::from_utf8(name).ok());
            let name = name.unwrap_or_else(|| format!("unreadable-{}", front.folder));
            self.known.insert(front.folder, (part.wrapped.clone(), name));
        }
        Ok(())
    }

    fn name(&self, front: &Folder) -> String {
        match front.special {
            Some(special) => special_name(special).to_owned(),
            None => self
                .known
                .get(&front.folder)
                .map_or_else(|| format!("unreadable-{}", front.folder), |(_, name)| called(name)),
        }
    }
}

/// As it is told, and asked for: a name that was given as it came is reached all the same.
fn called(name: &str) -> String {
    imap::inbox_in_capitals(name.to_owned())
}

/// Where the folder of this name stands: as it was written, else in another form of its letters.
/// Macs write their marks apart, and a folder of an older version may be kept so.
pub fn position(all: &[Named], name: &str) -> Option<usize> {
    let composed = terms::composed(name);
    let exact = all.iter().position(|named| named.name == name);
    exact.or_else(|| all.iter().position(|named| terms::composed(&named.name) == composed))
}

/// Under which name a subscription is kept whose folder is deleted.
pub fn left_name(name: &str) -> String {
    format!("{LEFT}{name}")
}

pub fn seal_name(ends: &mut Ends, person: &Person, name: &str) -> Result<SealedPart, Trouble> {
    person.seal_own(ends, NAMES, name.as_bytes())
}

/// Keywords by bit, as the folder's front carries them.
pub fn open_keywords(
    ends: &mut Ends,
    person: &mut Person,
    front: &Folder,
) -> Result<Vec<String>, Trouble> {
    let Some(part) = &front.keywords else { return Ok(Vec::new()) };
    let opened = person.open_own(ends, KEYWORDS, &[part])?;
    let list = opened.into_iter().next().flatten();
    Ok(list.and_then(|list| postcard::from_bytes(&list).ok()).unwrap_or_default())
}

pub fn seal_keywords(
    ends: &mut Ends,
    person: &Person,
    keywords: &[String],
) -> Result<SealedPart, Trouble> {
    let list = postcard::to_stdvec(keywords).map_err(|_| Trouble::Broken)?;
    person.seal_own(ends, KEYWORDS, &list)
}

pub fn special_name(special: SpecialUse) -> &'static str {
    match special {
        SpecialUse::Inbox => "INBOX",
        SpecialUse::Drafts => "Drafts",
        SpecialUse::Sent => "Sent",
        SpecialUse::Junk => "Junk",
        SpecialUse::Trash => "Trash",
        SpecialUse::Archive => "Archive",
    }
}

/// RFC 6154's attribute; INBOX has none.
pub fn special_attribute(special: SpecialUse) -> Option<&'static str> {
    match special {
        SpecialUse::Inbox => None,
        SpecialUse::Drafts => Some("\\Drafts"),
        SpecialUse::Sent => Some("\\Sent"),
        SpecialUse::Junk => Some("\\Junk"),
        SpecialUse::Trash => Some("\\Trash"),
        SpecialUse::Archive => Some("\\Archive"),
    }
}

fn special_of(name: &str) -> Option<SpecialUse> {
    use SpecialUse::{Archive, Drafts, Inbox, Junk, Sent, Trash};
    [Inbox, Drafts, Sent, Junk, Trash, Archive]
        .into_iter()
        .find(|special| special_name(*special) == name)
}

/// A name that may be created: levels that are not empty, no wildcards, nothing that hides or turns
/// letters, within bounds.
pub fn is_good_name(name: &str) -> bool {
    let levels = name.split('/').count();
    name.len() <= NAME_BYTES
        && levels <= LEVELS
        && name.split('/').all(|level| !level.is_empty())
        && !name.contains(['%', '*'])
        && !name.chars().any(char::is_control)
        && !hides(name)
}

/// Signs that nobody sees make two names that look the same. Joiners stay between letters that are
/// written with them, and in pictures.
fn hides(name: &str) -> bool {
    let mut before = ' ';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let joins = matches!(letter, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}');
        let is_hidden = match letter.is_whitespace() {
            true => matches!(letter, '\u{2028}' | '\u{2029}'),
            false => terms::is_unseen(letter),
        };
        let is_joiner = matches!(letter, '\u{200c}' | '\u{200d}');
        // A keycap is drawn upon a digit.
        let is_apart = (before.is_ascii() && next != '\u{20e3}') || (is_joiner && next.is_ascii());
        if is_hidden && (!joins || is_apart) {
            return true;
        }
        before = letter;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_good_name;

    #[test]
    fn a_name_hides_nothing() {
        for good in [
            "見積書",
            "Été 2026",
            "家族 👨‍👩‍👧",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "می\u{200c}خواهم",
            "葛\u{e0100}城",
        ] {
            assert!(is_good_name(good), "{good}");
        }
        for hidden in [
            "Wo\u{200b}rk",
            "Work\u{200d}",
            "Wo\u{200c}rk",
            "\u{202e}kroW",
            "Work\u{feff}",
            "a\u{2066}b",
            "Wo\u{ad}rk",
            "Work\u{3164}",
            "Work\u{fe0f}",
            "a\u{2028}b",
            "\u{200d}",
        ] {
            assert!(!is_good_name(hidden), "{hidden:?}");
        }
    }
}
