//! File names that say what will happen when somebody opens them, or hide it.

use crate::seen::{self, Notes};

/// Endings that run, by how surely.
const PROGRAMS: &[&str] = &[
    "exe",
    "scr",
    "pif",
    "com",
    "dll",
    "cpl",
    "msi",
    "msp",
    "msix",
    "appx",
    "appinstaller",
    "jar",
    "sys",
    "ocx",
    "drv",
    "gadget",
    "application",
    "apk",
    "dmg",
    "pkg",
    "deb",
    "rpm",
    "elf",
    "run",
    "appimage",
    "xll",
    "wll",
    "diagcab",
    "msu",
    "paf",
];
const SCRIPTS: &[&str] = &[
    "bat",
    "cmd",
    "vbs",
    "vbe",
    "vb",
    "js",
    "jse",
    "mjs",
    "ws",
    "wsf",
    "wsc",
    "wsh",
    "hta",
    "ps1",
    "ps1xml",
    "ps2",
    "psm1",
    "psd1",
    "psc1",
    "msh",
    "msh1",
    "sct",
    "shb",
    "shs",
    "sh",
    "command",
    "csh",
    "ksh",
    "terminal",
    "workflow",
    "action",
    "scpt",
    "applescript",
    "reg",
    "inf",
    "scf",
    "ahk",
    "a3x",
    "jnlp",
    "py",
    "pyw",
    "pyz",
    "rb",
    "pl",
    "php",
];
/// Endings that carry something past the marks of the web, or open something elsewhere.
const CARRIERS: &[&str] = &[
    "lnk",
    "url",
    "website",
    "webloc",
    "desktop",
    "iso",
    "img",
    "vhd",
    "vhdx",
    "udf",
    "wim",
    "one",
    "onepkg",
    "chm",
    "hlp",
    "msc",
    "settingcontent-ms",
    "library-ms",
    "search-ms",
    "searchconnector-ms",
    "appref-ms",
    "theme",
    "themepack",
    "iqy",
    "oqy",
    "rqy",
    "dqy",
    "slk",
    "rdp",
    "ica",
    "mht",
    "mhtml",
    "xps",
    "job",
    "cab",
    "ace",
    "arj",
    "lzh",
    "wax",
    "asx",
    "svgz",
    "eml-lnk",
];
const MACRO_DOCUMENTS: &[&str] =
    &["docm", "dotm", "xlsm", "xltm", "xlam", "xlsb", "pptm", "potm", "ppam", "ppsm", "sldm"];
/// Endings that people trust; one before a program's ending is a disguise.
const TRUSTED: &[&str] = &[
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "rtf", "csv", "jpg", "jpeg", "png",
    "gif", "bmp", "tif", "tiff", "mp3", "mp4", "zip", "html", "htm", "xml", "odt", "ods", "eml",
    "jtd",
];

/// Every ending that is known.
pub(crate) fn endings() -> impl Iterator<Item = &'static str> {
    let tables = [PROGRAMS, SCRIPTS, CARRIERS, MACRO_DOCUMENTS, TRUSTED];
    tables.into_iter().flatten().copied()
}

/// The last ending in lower case, trailing dots and blanks off (Windows drops them too), and what
/// no file's name may end in there.
pub(crate) fn ending(name: &str) -> String {
    let drops = |letter: char| matches!(letter, '.' | '"' | '\\') || letter.is_whitespace();
    let name = name.trim_end_matches(drops);
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    match file.rsplit_once('.') {
        Some((_, ending)) => ending.trim().to_lowercase(),
        None => String::new(),
    }
}

pub(crate) fn is_program(ending: &str) -> bool {
    PROGRAMS.contains(&ending) || SCRIPTS.contains(&ending)
}

pub(crate) fn look(name: &str, notes: &mut Notes) {
    if name.is_empty() {
        return;
    }
    if name.chars().any(is_direction_mark) {
        notes.note(seen::NAME_DIRECTION, name);
    }
    let visible: String = name.chars().filter(|letter| !is_direction_mark(*letter)).collect();
    let ending = ending(&visible);
    let ending = ending.as_str();
    let seen = match ending {
        ending if PROGRAMS.contains(&ending) => Some(seen::NAME_PROGRAM),
        ending if SCRIPTS.contains(&ending) => Some(seen::NAME_SCRIPT),
        ending if CARRIERS.contains(&ending) => Some(seen::NAME_CARRIER),
        ending if MACRO_DOCUMENTS.contains(&ending) => Some(seen::NAME_MACRO),
        _ => None,
    };
    let Some(seen) = seen else { return };
    notes.note(seen, name);
    let stem = visible.trim_end_matches(['.', ' ']);
    let stem = stem.get(..stem.len().saturating_sub(ending.len() + 1)).unwrap_or_default();
    let before = self::ending(stem);
    let padded = stem.ends_with("   ") || stem.contains("          ");
    if TRUSTED.contains(&before.as_str()) || padded {
        notes.note(seen::NAME_DOUBLE, name);
    }
}

/// Marks that turn the direction of reading: `gpj.exe` is shown as `exe.jpg`.
pub(crate) fn is_direction_mark(letter: char) -> bool {
    matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
