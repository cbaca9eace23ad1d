//! LIST with its selection and return options, and the match of a pattern. RFC 5258, RFC 5819.

use crate::command::{Folder, StatusItem};
use crate::limit::PATTERNS;
use crate::words::{Why, Words};

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct List {
    pub reference: Folder,
    pub patterns: Vec<Folder>,
    /// Any option or list of patterns was given, so the answer follows RFC 5258.
    pub extended: bool,
    pub only_subscribed: bool,
    pub only_special_use: bool,
    pub recursive_match: bool,
    pub show_subscribed: bool,
    pub show_children: bool,
    pub show_special_use: bool,
    /// RFC 5819: a STATUS response after each folder.
    pub status: Vec<StatusItem>,
}

pub(crate) fn list(words: &mut Words) -> Result<List, Why> {
    let mut list = List::default();
    if words.peek() == Some(b'(') {
        list.extended = true;
        words.listed(8, |words| select_option(words, &mut list))?;
        words.space()?;
    }
    // RFC 5258 §3.1: RECURSIVEMATCH never stands alone.
    if list.recursive_match && !list.only_subscribed && !list.only_special_use {
        return Err("RECURSIVEMATCH needs another selection option");
    }
    list.reference = words.folder()?;
    words.space()?;
    if words.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = words.listed(PATTERNS, Words::pattern)?;
    } else {
        list.patterns.push(words.pattern()?);
    }
    if words.eat(b' ') {
        if !words.eat_word("RETURN") {
            return Err("expected RETURN");
        }
        words.space()?;
        list.extended = true;
        words.listed(8, |words| return_option(words, &mut list))?;
    }
    // RFC 5258 §3.1: selecting the subscribed implies showing the attribute.
    list.show_subscribed |= list.only_subscribed;
    list.show_special_use |= list.only_special_use;
    Ok(list)
}

fn select_option(words: &mut Words, list: &mut List) -> Result<(), Why> {
    match words.capitals()?.as_str() {
        "SUBSCRIBED" => list.only_subscribed = true,
        "SPECIAL-USE" => list.only_special_use = true,
        "RECURSIVEMATCH" => list.recursive_match = true,
        "REMOTE" => {} // no remote folders exist
        _ => return Err("unknown LIST selection option"),
    }
    Ok(())
}

fn return_option(words: &mut Words, list: &mut List) -> Result<(), Why> {
    match words.capitals()?.as_str() {
        "SUBSCRIBED" => list.show_subscribed = true,
        "CHILDREN" => list.show_children = true,
        "SPECIAL-USE" => list.show_special_use = true,
        "STATUS" => {
            words.space()?;
            list.status = status_items(words)?;
        }
        _ => return Err("unknown LIST return option"),
    }
    Ok(())
}

pub(crate) fn status_items(words: &mut Words) -> Result<Vec<StatusItem>, Why> {
    let items = words.listed(2 * StatusItem::ALL.len(), |words| {
        let word = words.capitals()?;
        let item = StatusItem::ALL.iter().find(|item| item.word() == word);
        item.copied().ok_or("unknown STATUS item")
    })?;
    if items.is_empty() { Err("STATUS asks for nothing") } else { Ok(items) }
}

/// Whether `name` matches `pattern`: `*` is anything, `%` anything within one level.
///
/// Time is the product of both lengths, which `FOLDER_BYTES` bounds.
pub fn matches(pattern: &str, name: &str, separator: u8) -> bool {
    let name = name.as_bytes();
    // `reached` holds, for each place in the name, whether the pattern so far can end there.
    let mut reached = vec![false; name.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for wanted in pattern.as_bytes() {
        let mut before = false; // what `reached` was one place earlier, before this step
        let mut open = false; // for wildcards: a start lies to the left
        for (place, slot) in reached.iter_mut().enumerate() {
            let octet = place.checked_sub(1).and_then(|at| name.get(at)).copied();
            let was = *slot;
            *slot = match wanted {
                b'*' => was || open,
                b'%' => was || (open && octet != Some(separator)),
                _ => before && octet == Some(*wanted),
            };
            open = *slot;
            before = was;
        }
    }
    reached.last().copied().unwrap_or(false)
}
