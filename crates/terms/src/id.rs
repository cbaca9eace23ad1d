//! Ids are types, so that a user can never be handed in where a tenant is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Reads what `Display` wrote: lower-case hexadecimal.
            pub fn parse(text: &str) -> Option<Self> {
                let mut bytes = [0u8; $bytes];
                if text.len() != bytes.len() * 2 || !text.is_ascii() {
                    return None;
                }
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let pair = std::str::from_utf8(pair).ok()?;
                    *byte = u8::from_str_radix(pair, 16).ok()?;
                }
                Some(Self(bytes))
            }

            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id!(/// One organisation, one contract.
    TenantId, 8);
id!(/// One person or shared mailbox.
    UserId, 8);
id!(/// One kept message, the same for every recipient's copy of one arrival plus a copy number.
    MessageId, 16);
id!(/// A folder of one user; its name is sealed elsewhere.
    FolderId, 4);
id!(/// One accepted connection.
    ConnectionId, 8);
id!(/// One permission to open, minted by `identity`.
    GrantId, 16);
id!(/// One request for what needs two persons.
    RequestId, 8);
id!(/// One hold: what it covers is not destroyed while it stands.
    HoldId, 8);
id!(/// One run of one process: printed as 12 characters.
    InstanceId, 6);

impl MessageId {
    /// Under it a session seals the names of its person's folders: no mail, and nobody's.
    pub const FOLDER_NAMES: Self = Self(*b"\0\0\0\0\0\0\0\0folder-n");
    /// The same of a folder's keywords.
    pub const KEYWORDS: Self = Self(*b"\0\0\0\0\0\0\0\0keywords");

    /// Whether it names what a session keeps for itself; no mail is kept under such a name.
    pub fn is_no_mail(self) -> bool {
        self == Self::FOLDER_NAMES || self == Self::KEYWORDS
    }
}
