//! Files written into a text without MIME, however the text is declared: decoded and looked at as
//! attachments are, because readers and helpers of readers do so.

use super::file::{File, Files};
use super::{inflate, names};
use crate::inline::{self, Inline};
use crate::seen::{self, Seen};
use memchr::memmem;

/// Files of one kind in one text. Whoever writes more says so by it.
const FILES: usize = 20;

struct Kind {
    mark: &'static [u8],
    decode: fn(&[u8], usize) -> Option<Inline>,
    seen: Seen,
}

const KINDS: &[Kind] = &[
    Kind {
        mark: inline::UU_MARK,
        decode: |text, _| inline::uuencoded(text),
        seen: seen::INLINE_UUENCODE,
    },
    Kind {
        mark: inline::UU_BASE64_MARK,
        decode: |text, _| inline::uuencoded_in_base64(text),
        seen: seen::INLINE_UUENCODE,
    },
    Kind {
        mark: inline::YENC_MARK,
        decode: |text, _| inline::yencoded(text),
        seen: seen::INLINE_YENC,
    },
    Kind { mark: inline::BINHEX_MARK, decode: inline::binhexed, seen: seen::INLINE_BINHEX },
];

/// Whether a file of this name or type is such a text, whatever else is said of it.
pub(crate) fn is_text(name: &str, declared: &str) -> bool {
    let ending = names::ending(name);
    let known = ["uu", "uue", "hqx", "yenc", "ync"];
    let is_page = declared == "text/html";
    known.contains(&ending.as_str())
        || declared.starts_with("text/") && !is_page
        || matches!(declared, "application/mac-binhex40" | "application/x-uuencode")
}

/// Puts what is written into `text` on the list.
pub(crate) fn look(text: &[u8], depth: usize, files: &mut Files<'_>) {
    for kind in KINDS {
        look_for(kind, text, depth, files);
    }
}

/// Linear: what one file spans is not searched for another.
fn look_for(kind: &Kind, text: &[u8], depth: usize, files: &mut Files<'_>) {
    let mut behind = 0;
    let mut taken = 0;
    for at in memmem::find_iter(text, kind.mark) {
        let begins_line = at == 0 || text.get(at - 1) == Some(&b'\n');
        if at < behind || !begins_line {
            continue;
        }
        let limit = files.inflate_left;
        let from = text.get(at..).unwrap_or_default();
        let Some(found) = (kind.decode)(from, limit) else { continue };
        behind = at + found.length;
        if found.octets.is_empty() {
            continue;
        }
        files.notes.note(kind.seen, found.name.as_str());
        if taken == FILES {
            files.notes.note(seen::UNEXAMINED, found.name);
            return;
        }
        taken += 1;
        if kind.mark == inline::BINHEX_MARK {
            files.inflate_left = limit.saturating_sub(found.octets.len());
            inflate::note_size(found.octets.len(), found.length, found.cut, &found.name, files);
        }
        let (name, declared) = (found.name, String::new());
        files.add(File { name, declared, octets: found.octets.into(), depth: depth + 1 });
    }
}
