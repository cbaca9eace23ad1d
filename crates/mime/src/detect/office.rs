//! Documents that act: macros, remote templates, packed objects.

use crate::seen::{self, Notes};
use memchr::memmem;

/// OLE compound files: their directory names stand in UTF-16.
pub(crate) fn look_ole(octets: &[u8], name: &str, notes: &mut Notes) {
    let holds = |word: &str| {
        let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memmem::find(octets, &wide).is_some()
    };
    let source = memmem::find(octets, b"\0Attribut\0e \0").is_some();
    if holds("_VBA_PROJECT") || source || (holds("VBA") && holds("PROJECT")) {
        notes.note(seen::OFFICE_MACRO, name);
    }
    if holds("EncryptedPackage") || holds("EncryptionInfo") {
        notes.note(seen::OFFICE_ENCRYPTED, name);
    }
    if holds("Ole10Native") {
        notes.note(seen::OFFICE_PACKAGE, name);
    }
}

/// A member of an OOXML package, by its name.
pub(crate) fn look_member(member: &str, document: &str, notes: &mut Notes) {
    let member = member.to_ascii_lowercase();
    if member.ends_with("vbaproject.bin") || member.contains("xl/macrosheets/") {
        notes.note(seen::OFFICE_MACRO, document);
    }
    if member.contains("/embeddings/") && member.ends_with(".bin") {
        notes.note(seen::OFFICE_PACKAGE, document);
    }
}

/// A member of an OOXML package, by its contents.
pub(crate) fn look_inside(member: &str, octets: &[u8], document: &str, notes: &mut Notes) {
    if !member.ends_with(".rels") {
        return;
    }
    let text = String::from_utf8_lossy(octets);
    for relation in text.split("<Relationship ").skip(1).take(500) {
        let acts = ["attachedTemplate", "oleObject", "frame", "externalLink"];
        if relation.contains("\"External\"") && acts.iter().any(|kind| relation.contains(kind)) {
            notes.note(seen::OFFICE_REMOTE, document);
        }
    }
}

/// RTF with objects inside.
pub(crate) fn look_rtf(octets: &[u8], name: &str, notes: &mut Notes) {
    let acts: [&[u8]; 3] = [b"\\objdata", b"\\objupdate", b"\\objautlink"];
    if acts.iter().any(|word| memmem::find(octets, word).is_some()) {
        notes.note(seen::OFFICE_PACKAGE, name);
    }
    if memmem::find(octets, b"\\template http").is_some() {
        notes.note(seen::OFFICE_REMOTE, name);
    }
}
