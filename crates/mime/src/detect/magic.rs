//! What a file really is, by its first octets, and whether its name and declared type agree.

use super::names;
use crate::seen::{self, Notes};
use terms::Cursor;

/// A kind of file by the octets at one place.
pub struct Kind {
    pub name: &'static str,
    at: usize,
    octets: &'static [u8],
}

const fn kind(name: &'static str, at: usize, octets: &'static [u8]) -> Kind {
    Kind { name, at, octets }
}

/// The table. The first that fits wins, so longer marks stand before shorter ones.
pub const KINDS: &[Kind] = &[
    kind("pdf", 0, b"%PDF-"),
    kind("zip", 0, b"PK\x03\x04"),
    kind("zip", 0, b"PK\x05\x06"),
    kind("zip", 0, b"PK\x07\x08PK"),
    kind("zip", 0, b"PK00PK\x03\x04"),
    kind("gzip", 0, b"\x1F\x8B\x08"),
    kind("7z", 0, b"7z\xBC\xAF\x27\x1C"),
    kind("rar5", 0, b"Rar!\x1A\x07\x01\x00"),
    kind("rar4", 0, b"Rar!\x1A\x07\x00"),
    kind("bzip2", 0, b"BZh"),
    kind("xz", 0, b"\xFD7zXZ\x00"),
    kind("zstd", 0, b"\x28\xB5\x2F\xFD"),
    kind("lz4", 0, b"\x04\x22\x4D\x18"),
    kind("lzip", 0, b"LZIP\x01"),
    kind("compress", 0, b"\x1F\x9D"),
    kind("cab", 0, b"MSCF\0\0\0\0"),
    kind("arj", 0, b"\x60\xEA"),
    kind("ace", 7, b"**ACE**"),
    kind("lzh", 2, b"-lh"),
    kind("alz", 0, b"ALZ\x01"),
    kind("egg", 0, b"EGGA\0\x01"),
    kind("cpio", 0, b"070701"),
    kind("cpio", 0, b"070702"),
    kind("cpio", 0, b"070707"),
    kind("xar", 0, b"xar!"),
    kind("zpaq", 0, b"7kSt\xA0\x31\x83\xD3\x8C\xB2\x28\xB0\xD3"),
    kind("zpaq", 0, b"zPQ"),
    // A file for whoever has a password (RFC 9580 §5.3), in the old and in the new framing.
    kind("gpg", 0, b"\x8C\x0D\x04"),
    kind("gpg", 0, b"\xC3\x0D\x04"),
    kind("tar", 257, b"ustar"),
    kind("ole", 0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
    kind("rtf", 0, b"{\\rt"),
    kind("onenote", 0, b"\xE4\x52\x5C\x7B\x8C\xD8\xA7\x4D\xAE\xB1\x53\x78\xD0\x29\x96\xD3"),
    kind("lnk", 0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xC0\0\0\0"),
    kind("chm", 0, b"ITSF\x03"),
    kind("hlp", 0, b"?_\x03\0"),
    kind("iso", 0x8001, b"CD001"),
    kind("iso", 0x8801, b"CD001"),
    kind("udf", 0x8001, b"BEA01"),
    kind("vhd", 0, b"conectix"),
    kind("vhdx", 0, b"vhdxfile"),
    kind("vmdk", 0, b"KDMV"),
    kind("vmdk", 0, b"# Disk DescriptorFile"),
    kind("wim", 0, b"MSWIM\0\0\0"),
    kind("qcow", 0, b"QFI\xFB"),
    kind("exe", 0, b"MZ"),
    kind("elf", 0, b"\x7FELF"),
    kind("macho", 0, b"\xCF\xFA\xED\xFE"),
    kind("macho", 0, b"\xCE\xFA\xED\xFE"),
    kind("macho", 0, b"\xFE\xED\xFA\xCE"),
    kind("macho", 0, b"\xFE\xED\xFA\xCF"),
    kind("class", 0, b"\xCA\xFE\xBA\xBE"),
    kind("dex", 0, b"dex\n03"),
    kind("wasm", 0, b"\0asm"),
    kind("deb", 0, b"!<arch>\ndebian"),
    kind("rpm", 0, b"\xED\xAB\xEE\xDB"),
    kind("script", 0, b"#!/"),
    kind("script", 0, b"#! /"),
    kind("encoded-script", 0, b"#@~^"),
    kind("reg", 0, b"Windows Registry Editor"),
    kind("reg", 0, b"REGEDIT4"),
    kind("url", 0, b"[InternetShortcut]"),
    kind("png", 0, b"\x89PNG\r\n\x1A\n"),
    kind("jpeg", 0, b"\xFF\xD8\xFF"),
    kind("gif", 0, b"GIF87a"),
    kind("gif", 0, b"GIF89a"),
    kind("tiff", 0, b"II*\0"),
    kind("tiff", 0, b"MM\0*"),
    kind("webp", 8, b"WEBP"),
    kind("ico", 0, b"\0\0\x01\0"),
    kind("psd", 0, b"8BPS"),
    kind("jp2", 0, b"\0\0\0\x0CjP  "),
    kind("emf", 40, b" EMF"),
    kind("wmf", 0, b"\xD7\xCD\xC6\x9A"),
    kind("mp4", 4, b"ftyp"),
    kind("wav", 8, b"WAVE"),
    kind("avi", 8, b"AVI "),
    kind("mkv", 0, b"\x1A\x45\xDF\xA3"),
    kind("ogg", 0, b"OggS"),
    kind("flac", 0, b"fLaC"),
    kind("mp3", 0, b"ID3"),
    kind("swf", 0, b"FWS"),
    kind("swf", 0, b"CWS"),
    kind("swf", 0, b"ZWS"),
    kind("postscript", 0, b"%!PS"),
    kind("sqlite", 0, b"SQLite format 3\0"),
    kind("pst", 0, b"!BDN"),
    kind("mdb", 4, b"Standard Jet DB"),
    kind("mdb", 4, b"Standard ACE DB"),
    kind("woff", 0, b"wOFF"),
    kind("woff", 0, b"wOF2"),
    kind("pgp", 0, b"-----BEGIN PGP"),
    kind("pcap", 0, b"\xD4\xC3\xB2\xA1"),
    kind("bmp", 0, b"BM"),
];

/// Some readers look for `%PDF-` in the first kilobyte; so do those who hide one.
const PDF_SEARCH_BYTES: usize = 1_024;

/// The kind that the octets show, if one of the table does.
pub fn true_kind(octets: &[u8]) -> Option<&'static str> {
    let cursor = Cursor::new(octets);
    let found = KINDS.iter().find(|kind| {
        cursor.slice(kind.at, kind.at + kind.octets.len()) == kind.octets && is_real(kind, octets)
    });
    if let Some(kind) = found {
        return Some(kind.name);
    }
    if octets.len() > 512 && cursor.slice(octets.len() - 512, octets.len()).starts_with(b"conectix")
    {
        return Some("vhd");
    }
    let start = cursor.slice(0, PDF_SEARCH_BYTES);
    memchr::memmem::find(start, b"%PDF-").map(|_| "pdf")
}

/// Two-letter marks are words of text as well: they need company.
fn is_real(kind: &Kind, octets: &[u8]) -> bool {
    let cursor = Cursor::new(octets);
    match kind.name {
        "exe" | "bmp" | "arj" => cursor.slice(0, 64).iter().any(|byte| *byte == 0 || *byte > 0xF0),
        "bzip2" => matches!(octets.get(3), Some(b'1'..=b'9')),
        "lzh" => octets.get(6) == Some(&b'-'),
        // Digits are words of text as well: such a head has a hundred of them in octal or hex.
        "cpio" => {
            cursor.slice(0, 76).len() == 76 && cursor.slice(0, 76).iter().all(u8::is_ascii_hexdigit)
        }
        "zpaq" if kind.octets.len() == 3 => {
            octets.get(3).is_some_and(|level| (1..=2).contains(level))
        }
        "ico" => octets.get(5) == Some(&0) && octets.get(4) != Some(&0),
        _ => true,
    }
}

/// Kinds that run.
fn runs(kind: &str) -> bool {
    matches!(
        kind,
        "exe"
            | "elf"
            | "macho"
            | "class"
            | "dex"
            | "script"
            | "encoded-script"
            | "lnk"
            | "reg"
            | "chm"
            | "hlp"
            | "deb"
            | "rpm"
            | "wasm"
    )
}

/// Kinds that carry files past their marks.
fn carries(kind: &str) -> bool {
    matches!(kind, "iso" | "udf" | "vhd" | "vhdx" | "vmdk" | "wim" | "onenote" | "qcow")
}

/// Kinds that are packed in a way that is not unpacked here.
const PACKED: &[&str] = &[
    "bzip2", "xz", "zstd", "lz4", "lzip", "compress", "cab", "arj", "ace", "lzh", "alz", "egg",
    "cpio", "xar", "zpaq", "gpg",
];

pub(crate) fn packs(kind: &str) -> bool {
    PACKED.contains(&kind)
}

/// Compares what a file is with what its name and its declared type say.
pub(crate) fn compare(kind: Option<&str>, name: &str, declared: &str, notes: &mut Notes) {
    let Some(kind) = kind else { return };
    let ending = names::ending(name);
    let detail = format!("{name} ({kind})");
    if runs(kind) {
        notes.note(seen::TYPE_PROGRAM, detail.as_str());
        let open = names::is_program(&ending) || ending.is_empty() || ending == kind;
        if !open {
            notes.note(seen::TYPE_LIES, detail.as_str());
        }
        return;
    }
    if carries(kind) {
        notes.note(seen::TYPE_CARRIER, detail.as_str());
    }
    let expected = expected_kinds(&ending);
    if !expected.is_empty() && !expected.contains(&kind) {
        notes.note(seen::TYPE_LIES, detail.as_str());
        return;
    }
    let picture = matches!(kind, "png" | "jpeg" | "gif" | "bmp" | "webp" | "tiff");
    let says_picture = declared.starts_with("image/");
    let says_text = declared.starts_with("text/");
    if (says_picture && !picture && matches!(kind, "zip" | "pdf" | "ole" | "rar4" | "rar5" | "7z"))
        || (says_text && matches!(kind, "zip" | "ole" | "rar4" | "rar5" | "7z"))
    {
        notes.note(seen::TYPE_DECLARED, format!("{declared} ({kind})"));
    }
}

/// What a file of this ending may be; empty: nothing is expected of it.
pub(crate) fn expected_kinds(ending: &str) -> &'static [&'static str] {
    match ending {
        "pdf" => &["pdf"],
        "png" | "jpg" | "jpeg" | "gif" | "bmp" | "webp" | "tif" | "tiff" | "heic" => {
            &["png", "jpeg", "gif", "bmp", "webp", "tiff", "mp4", "jp2", "ico"]
        }
        // Word opens RTF, HTML and zip under its old ending, and people rename them so.
        "doc" | "xls" | "ppt" | "dot" | "xlt" => &["ole", "rtf", "zip"],
        "docx" | "xlsx" | "pptx" | "docm" | "xlsm" | "pptm" => &["zip", "ole"],
        "odt" | "ods" | "odp" | "zip" | "epub" | "jar" => &["zip"],
        "rtf" => &["rtf"],
        "txt" | "csv" | "html" | "htm" | "xml" | "json" | "ics" => &["script", "pgp"],
        "7z" => &["7z"],
        "rar" => &["rar4", "rar5"],
        "gz" | "tgz" => &["gzip"],
        _ => &[],
    }
}
