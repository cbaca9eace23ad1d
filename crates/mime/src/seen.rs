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
    FIELD_TWICE "mime.header.duplicate" 2.0;
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
    BOUNDARY_UNSEEN "mime.boundary.unseen" 2.0;
    BOUNDARY_UNCLOSED "mime.boundary.unclosed" 0.5;
    CHARSET_LYING "mime.charset.lying" 0.5;
    CHARSET_UTF7 "mime.charset.utf7" 4.0;
    BASE64_JUNK "mime.base64.junk" 1.0;
    RAW_NUL "mime.nul" 2.0;
}
