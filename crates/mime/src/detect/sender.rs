//! Senders that pretend: a display name that is another address, a house's name over a stranger's
//! address, a domain that looks like another.

use super::header_text;
use super::lookalike::{self, HOUSES, belongs, registrable};
use super::names::is_direction_mark;
use crate::address::{Address, Entry, addresses, authors, mailboxes};
use crate::part::Message;
use crate::seen::{self, Notes};

/// Addresses of one field that are looked at.
const LOOKED_AT: usize = 20;

pub(crate) fn look(message: &Message<'_>, notes: &mut Notes) {
    let froms = froms(message);
    let own: Vec<String> = ["to", "cc"]
        .iter()
        .flat_map(|name| list(message, name))
        .map(|address| address.domain_text())
        .filter(|domain| domain.contains('.'))
        .collect();
    note_ambiguity(message, &froms, notes);
    for from in &froms {
        look_at_from(from, &own, notes);
    }
    let from_domain = froms.first().map(Address::domain_text).unwrap_or_default();
    if let Some(reply) = list(message, "reply-to").first() {
        let reply_domain = reply.domain_text();
        if registrable(&reply_domain) != registrable(&from_domain) {
            notes.note(seen::SENDER_REPLY, reply_domain.as_str());
        }
    }
    let subject = header_text(message, "subject");
    if lookalike::kanji_for_kana(&subject) {
        notes.note(seen::KANA_FACE, clipped(&subject));
    }
    if subject.split_whitespace().any(lookalike::mixes_scripts) {
        notes.note(seen::TEXT_SCRIPTS, clipped(&subject));
    }
}

/// Whoever reads another From than the one that was authenticated is deceived (RFC 5322 §3.6
/// allows exactly one field; more than one author is as rare as honest).
fn note_ambiguity(message: &Message<'_>, froms: &[Address], notes: &mut Notes) {
    let Some(root) = message.part(0) else { return };
    let fields = message.values(root, "from").take(2).count();
    match (fields, froms) {
        (0, _) => notes.note(seen::SENDER_ABSENT, ""),
        (1, []) => {
            notes.note(seen::SENDER_MALFORMED, "");
            note_empty_groups(message, notes);
        }
        // Old servers sign their bounces so; nobody is deceived by it.
        (1, [only]) if only.domain.is_empty() && is_daemon(only) => {}
        (1, [only]) if only.domain.is_empty() => notes.note(seen::SENDER_MALFORMED, ""),
        (1, [first, others @ ..]) => {
            let domain = first.domain_text();
            let same = |other: &Address| registrable(&other.domain_text()) == registrable(&domain);
            if !others.iter().all(same) {
                notes.note(seen::SENDER_SEVERAL, "");
            }
        }
        _ => notes.note(seen::SENDER_TWICE, ""),
    }
}

/// A group of nobody (`ceo@bank.example:;`) whose name readers show as the address that it is not.
fn note_empty_groups(message: &Message<'_>, notes: &mut Notes) {
    let root = message.part(0);
    let values = root.into_iter().flat_map(|root| message.values(root, "from"));
    for entry in values.flat_map(|value| addresses(&value)).take(LOOKED_AT) {
        let Entry::GroupStart(name) = entry else { continue };
        let group = Address { name, ..Address::default() };
        if let Some(shown) = domain_in(&group.display()) {
            notes.note(seen::SENDER_DISPLAY, format!("{shown} ≠ –"));
        }
    }
}

fn is_daemon(from: &Address) -> bool {
    let local = from.local.to_ascii_lowercase();
    [&b"mailer-daemon"[..], b"postmaster", b"mailer_daemon"].contains(&local.as_slice())
}

fn froms(message: &Message<'_>) -> Vec<Address> {
    let root = message.part(0);
    let values = root.into_iter().flat_map(|root| message.values(root, "from"));
    values.flat_map(|value| authors(&value)).take(LOOKED_AT).collect()
}

fn list(message: &Message<'_>, name: &str) -> Vec<Address> {
    let root = message.part(0);
    let values = root.into_iter().flat_map(|root| message.values(root, name));
    values.flat_map(|value| mailboxes(&value)).take(LOOKED_AT).collect()
}

fn look_at_from(from: &Address, own: &[String], notes: &mut Notes) {
    let display = from.display();
    let domain = from.domain_text();
    lookalike::look(&domain, own, notes);
    if display.chars().any(is_direction_mark) {
        notes.note(seen::NAME_DIRECTION, clipped(&display));
    }
    if lookalike::kanji_for_kana(&display) {
        notes.note(seen::KANA_FACE, clipped(&display));
    }
    if display.split_whitespace().any(lookalike::mixes_scripts) {
        notes.note(seen::TEXT_SCRIPTS, clipped(&display));
    }
    if let Some(shown) = domain_in(&display)
        && registrable(&shown) != registrable(&domain)
    {
        notes.note(seen::SENDER_DISPLAY, format!("{shown} ≠ {domain}"));
        return;
    }
    let lower = display.to_lowercase();
    let pretended = HOUSES.iter().find(|house| house.words.iter().any(|word| wears(&lower, word)));
    if let Some(house) = pretended
        && !belongs(&domain, house.domains)
    {
        notes.note(seen::SENDER_HOUSE, format!("{} ({domain})", clipped(&display)));
    }
}

/// A Latin word counts only whole: `amazon` is not in `amazonas`.
fn wears(display: &str, word: &str) -> bool {
    // Hardly a name wears one: whether it stands there at all is cheaper to see than where.
    display.contains(word)
        && display.match_indices(word).any(|(at, _)| {
            if !word.is_ascii() {
                return true;
            }
            let before = display.get(..at).and_then(|text| text.chars().next_back());
            let after = display.get(at + word.len()..).and_then(|text| text.chars().next());
            let joins =
                |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
            !joins(before) && !joins(after)
        })
}

/// The domain of an address that stands in a display name.
fn domain_in(display: &str) -> Option<String> {
    let (_, after) = display.split_once(['@', '＠'])?;
    let domain: String = after
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'))
        .take(253)
        .collect();
    let domain = domain.trim_matches('.').to_lowercase();
    domain.contains('.').then_some(domain)
}

fn clipped(text: &str) -> String {
    text.chars().take(60).collect()
}
