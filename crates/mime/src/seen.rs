//! Every finding of this crate: its id and its weight. The words stand in policy's catalogues.

use terms::Finding;

/// A kind of finding: a stable id and the points it usually carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub id: &'static str,
    pub weight: f32,
}

impl Seen {
    pub(crate) fn with(self, detail: impl Into<String>) -> Finding {
        Finding::new(self.id, self.weight, detail)
    }
}

/// Findings kept from one message: enough to explain, too few to flood a ledger.
pub(crate) const FINDINGS_KEPT: usize = 100;
/// Of one id, so that a thousand equal oddities do not hide the one that matters.
const SAME_KEPT: usize = 3;

/// The findings of one message, few of each kind.
#[derive(Default)]
pub(crate) struct Notes {
    kept: Vec<Finding>,
}

impl Notes {
    pub(crate) fn note(&mut self, seen: Seen, detail: impl Into<String>) {
        self.add(seen.with(detail));
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let same = self.kept.iter().filter(|kept| kept.id == finding.id);
        let known = self.kept.contains(&finding);
        if !known && same.count() < SAME_KEPT && self.kept.len() < FINDINGS_KEPT {
            self.kept.push(finding);
        }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.kept
    }
}

macro_rules! seen {
    ($($name:ident $id:literal $weight:literal;)*) => {
        $(pub(crate) const $name: Seen = Seen { id: $id, weight: $weight };)*
        /// All kinds, for catalogues and manuals.
        pub const FINDINGS: &[Seen] = &[$($name,)*];
    };
}

seen! {
    PARTS_MANY "mime.parts.many" 6.0;
    DEPTH_GREAT "mime.depth.great" 6.0;
    FIELDS_MANY "mime.header.many" 4.0;
    FIELD_LONG "mime.header.long" 3.0;
    FIELD_MALFORMED "mime.header.malformed" 1.0;
    HEADER_UNENDED "mime.header.unended" 1.0;
    FIELD_SPACED "mime.header.spaced" 2.0;
    FIELD_TWICE "mime.header.duplicate" 2.0;
    UNWALKED "mime.unwalked" 6.0;
    PARTIAL "mime.partial" 6.0;
    EXTERNAL "mime.external" 2.5;
    READINGS "mime.readings" 8.0;
    TYPE_TWICE "mime.type.duplicate" 3.0;
    TYPE_CONFLICT "mime.type.conflict" 5.0;
    ENCODING_TWICE "mime.encoding.duplicate" 3.0;
    ENCODING_CONFLICT "mime.encoding.conflict" 5.0;
    ENCODING_UNKNOWN "mime.encoding.unknown" 1.5;
    ENCODING_COMPOSITE "mime.encoding.composite" 2.0;
    PARAMETER_TWICE "mime.parameter.duplicate" 3.0;
    PARAMETERS_MANY "mime.parameter.many" 3.0;
    BOUNDARY_ABSENT "mime.boundary.absent" 2.0;
    BOUNDARY_EMPTY "mime.boundary.empty" 3.0;
    BOUNDARY_LONG "mime.boundary.long" 2.0;
    BOUNDARY_PREFIX "mime.boundary.prefix" 3.0;
    BOUNDARY_SAME "mime.boundary.same" 3.0;
    BOUNDARY_NEAR "mime.boundary.near" 1.5;
    BOUNDARY_REOPENED "mime.boundary.reopened" 3.0;
    PART_OUTSIDE "mime.part.outside" 3.0;
    BOUNDARY_UNSEEN "mime.boundary.unseen" 2.0;
    BOUNDARY_UNCLOSED "mime.boundary.unclosed" 0.5;
    CHARSET_LYING "mime.charset.lying" 0.5;
    CHARSET_UTF7 "mime.charset.utf7" 2.0;
    BASE64_JUNK "mime.base64.junk" 1.0;
    RAW_NUL "mime.nul" 2.0;

    EICAR "content.eicar" 100.0;
    GTUBE "content.gtube" 8.0;
    UNEXAMINED "content.unexamined" 4.0;
    BOMB_SIZE "content.bomb.size" 10.0;
    BOMB_RATIO "content.bomb.ratio" 10.0;
    BOMB_ENTRIES "content.bomb.entries" 10.0;
    BOMB_OVERLAP "content.bomb.overlap" 10.0;
    ARCHIVE_DEEP "content.bomb.depth" 10.0;
    ARCHIVE_ENCRYPTED "content.archive.encrypted" 2.5;
    ARCHIVE_OPAQUE "content.archive.opaque" 2.5;
    ARCHIVE_METHOD "content.archive.method" 4.0;
    ZIP_DIFFERS "content.zip.differs" 6.0;
    ZIP_BEHIND "content.zip.behind" 6.0;
    ZIP_HIDDEN "content.zip.hidden" 6.0;
    TYPE_PROGRAM "content.type.program" 10.0;
    TYPE_CARRIER "content.type.carrier" 6.0;
    TYPE_LIES "content.type.lies" 4.0;
    TYPE_DECLARED "content.type.declared" 1.5;
    NAME_PROGRAM "content.name.program" 10.0;
    NAME_SCRIPT "content.name.script" 10.0;
    NAME_CARRIER "content.name.carrier" 6.0;
    NAME_MACRO "content.name.macro" 3.0;
    NAME_DOUBLE "content.name.double" 5.0;
    NAME_DIRECTION "content.name.direction" 8.0;
    OFFICE_MACRO "content.office.macro" 5.0;
    OFFICE_REMOTE "content.office.remote" 6.0;
    OFFICE_PACKAGE "content.office.package" 3.0;
    OFFICE_ENCRYPTED "content.office.encrypted" 2.5;
    PDF_SCRIPT "content.pdf.script" 3.0;
    PDF_OPENS "content.pdf.opens" 5.0;
    PDF_LAUNCH "content.pdf.launch" 8.0;
    PDF_FILE "content.pdf.file" 2.0;
    PDF_ACTIVE "content.pdf.active" 1.5;
    PDF_ENCRYPTED "content.pdf.encrypted" 1.0;
    PAGE_FORM "content.page.form" 1.5;
    PAGE_PASSWORD "content.page.password" 5.0;
    PAGE_SCRIPT "content.page.script" 2.0;
    PAGE_SCRIPT_LINK "content.page.script-link" 4.0;
    PAGE_DATA_LINK "content.page.data-link" 4.0;
    PAGE_FILE_LINK "content.page.file-link" 4.0;
    PAGE_FRAME "content.page.frame" 1.5;
    PAGE_REFRESH "content.page.refresh" 3.0;
    PAGE_BASE "content.page.base" 1.0;
    PAGE_HIDDEN "content.page.hidden" 0.5;
    PAGE_ATTACHED "content.page.attached" 1.5;
    PAGE_SMUGGLING "content.page.smuggling" 8.0;
    LINK_ELSEWHERE "content.link.elsewhere" 3.0;
    LINK_USER "content.link.user" 3.0;
    LINK_NUMBER "content.link.number" 2.5;
    LOOKALIKE_DOMAIN "content.lookalike.domain" 5.0;
    LOOKALIKE_SCRIPTS "content.lookalike.scripts" 5.0;
    LOOKALIKE_WORN "content.lookalike.worn" 4.0;
    KANA_FACE "content.lookalike.kana" 3.0;
    INLINE_UUENCODE "content.inline.uuencode" 1.0;
    INLINE_YENC "content.inline.yenc" 1.5;
    INLINE_BINHEX "content.inline.binhex" 2.0;
    TEXT_SCRIPTS "content.text.scripts" 2.0;
    SENDER_ABSENT "content.sender.absent" 1.5;
    SENDER_MALFORMED "content.sender.malformed" 3.0;
    SENDER_SEVERAL "content.sender.several" 6.0;
    SENDER_TWICE "content.sender.twice" 10.0;
    SENDER_DISPLAY "content.sender.display" 4.0;
    SENDER_HOUSE "content.sender.house" 3.5;
    SENDER_REPLY "content.sender.reply" 0.5;
}
