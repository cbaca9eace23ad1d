//! Whose names are whose: one table. No certificate covers names of two groups.

use terms::Kind;

/// Names that are served by the same kinds of compartments, under one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    /// SMTP, IMAP, POP3, submission.
    Mail,
}

impl Group {
    pub const ALL: [Group; 1] = [Group::Mail];

    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
        }
    }

    /// Who may have handshakes signed for these names.
    pub fn may_ask(self, kind: Kind) -> bool {
        match self {
            Self::Mail => matches!(kind, Kind::Edge | Kind::Access),
        }
    }

    /// The names of this group; addresses stand there only in the demo.
    pub fn names(self, host_name: &str, demo: bool) -> Vec<String> {
        let Self::Mail = self;
        let mut names = vec![host_name.to_ascii_lowercase()];
        if demo {
            names.extend(["mail.localhost", "localhost", "127.0.0.1", "::1"].map(str::to_owned));
        }
        names.sort();
        names.dedup();
        names.retain(|name| !name.is_empty());
        names
    }
}

/// Which group's certificate a peer of `kind` gets for a server name. Mail servers are asked
/// under many names (an MX may have any), so a name of nobody's gets the peer's own default; a
/// name reserved for another service gets nothing.
pub(crate) fn group_for(kind: Kind, server_name: Option<&str>) -> Option<Group> {
    let group = Group::ALL.into_iter().find(|group| group.may_ask(kind))?;
    let reserved = server_name.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        RESERVED.iter().any(|label| name.split('.').next() == Some(label))
    });
    (!reserved).then_some(group)
}

/// First labels of services that are no mail servers: they will have groups of their own.
const RESERVED: [&str; 4] = ["login", "console", "view", "web"];
