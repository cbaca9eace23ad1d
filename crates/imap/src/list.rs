//! LIST with its selection and return options, and the match of a pattern. RFC 5258, RFC 5819.

use crate::command::{Folder, StatusItem};
use crate::limit::{FOLDER_BYTES, PATTERNS, PATTERNS_BYTES};
use crate::places::Places;
use crate::words::{Why, Words};
use std::collections::BTreeMap;

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
    let octets = |pattern: &Folder| list.reference.len() + pattern.len();
    if list.patterns.iter().map(octets).sum::<usize>() > PATTERNS_BYTES {
        return Err("the patterns are longer together than any folders' names");
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
/// At most one step an octet of the pattern; a step looks at 64 places of the name at once. Names
/// longer than [`FOLDER_BYTES`] are no folders and match nothing.
pub fn matches(pattern: &str, name: &str, separator: u8) -> bool {
    let name = name.as_bytes();
    let literals = pattern.bytes().filter(|octet| !is_wildcard(*octet)).count();
    if name.len() > FOLDER_BYTES || literals > name.len() {
        return false;
    }
    let within = Places::after(name, |octet| octet != separator);
    let mut after: BTreeMap<u8, Places> = BTreeMap::new();
    // Where in the name the pattern so far can end.
    let mut reached = Places::first(name.len());
    // Wildcards side by side are one, the strongest of them.
    let mut wildcard = None;
    for wanted in pattern.bytes() {
        if is_wildcard(wanted) {
            wildcard = wildcard.filter(|stronger| *stronger == b'*').or(Some(wanted));
            continue;
        }
        reached.spread(wildcard.take(), &within);
        let places = after.entry(wanted);
        reached.step(places.or_insert_with(|| Places::after(name, |found| found == wanted)));
        if reached.is_none() {
            return false;
        }
    }
    reached.spread(wildcard, &within);
    reached.holds(name.len())
}

fn is_wildcard(octet: u8) -> bool {
    matches!(octet, b'*' | b'%')
}
