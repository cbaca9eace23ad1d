//! Whose names are whose: one table. No certificate covers names of two groups.

use terms::Kind;
use wire::control::Start;
use wire::pages::{LABELS, host_of};

/// Names that are served by the same kinds of compartments, under one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// SMTP, IMAP, POP3, submission.
    Mail,
    /// The public pages' own name. Those of our domains have a certificate each (`public`).
    Pages,
}

impl Group {
    pub const ALL: [Group; 2] = [Group::Mail, Group::Pages];

    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Pages => "pages",
        }
    }

    /// Who may have handshakes signed for these names.
    pub fn may_ask(self, kind: Kind) -> bool {
        match self {
            Self::Mail => matches!(kind, Kind::Edge | Kind::Access),
            Self::Pages => kind == Kind::Pages,
        }
    }

    /// The names of this group; addresses stand there only in the demo. None: it is not served.
    pub fn names(self, start: &Start) -> Vec<String> {
        let mut names = match self {
            Self::Mail => vec![start.host_name.to_ascii_lowercase()],
            Self::Pages => vec![host_of(&start.pages_url).to_ascii_lowercase()],
        };
        if self == Self::Mail && start.demo {
            names.extend(["mail.localhost", "localhost", "127.0.0.1", "::1"].map(str::to_owned));
        }
        names.sort();
        names.dedup();
        names.retain(|name| !name.is_empty());
        names
    }
}

/// Which group's certificate a peer of `kind` gets for a server name. Servers are asked under many
/// names (an MX may have any), so a name of nobody's gets the peer's own default; a name reserved
/// for another service gets nothing.
pub(crate) fn group_for(kind: Kind, server_name: Option<&str>) -> Option<Group> {
    let group = Group::ALL.into_iter().find(|group| group.may_ask(kind))?;
    let is_reserved = server_name.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        let label = name.split('.').next().unwrap_or_default();
        RESERVED.contains(&label) || (group == Group::Mail && LABELS.contains(&label))
    });
    (!is_reserved).then_some(group)
}

/// First labels of services that are neither: they will have groups of their own.
const RESERVED: [&str; 4] = ["login", "console", "view", "web"];
