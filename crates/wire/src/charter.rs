//! Who may talk to whom, hold what, and reach where: one table on one screen.
//!
//! Its golden copy is `docs/generated/compartments.md`; a difference there is a security review.

use terms::Kind;

/// What part of the network a compartment may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// An empty network namespace.
    None,
    /// Accepts on listeners that the warden bound; opens none.
    Listeners,
    /// One connected socket at a time, passed to it.
    Passed,
    /// Sockets that the warden connected to the DNS servers; opens none.
    Dns,
    /// Sockets that the warden dialled for it, at the ports that it may reach; opens none.
    Dialled,
}

/// One compartment's contract.
#[derive(Debug)]
pub struct Charter {
    pub kind: Kind,
    pub duty: &'static str,
    pub network: Network,
    /// Owns `DIR/<kind>`; all others have no files at all.
    pub has_folder: bool,
    /// Forked per connection or message from a zygote.
    pub has_zygote: bool,
    /// Signs entries of the ledger.
    pub is_author: bool,
    pub memory_mib: u64,
    /// Those it may ask. Nobody else can be reached: no channel exists.
    pub asks: &'static [Kind],
}

const fn row(
    kind: Kind,
    network: Network,
    shape: (bool, bool, bool),
    memory_mib: u64,
    asks: &'static [Kind],
    duty: &'static str,
) -> Charter {
    let (has_folder, has_zygote, is_author) = shape;
    Charter { kind, duty, network, has_folder, has_zygote, is_author, memory_mib, asks }
}

use Kind::*;
const FOLDER: (bool, bool, bool) = (true, false, false);
const KEEPER: (bool, bool, bool) = (true, false, true);
const AUTHOR: (bool, bool, bool) = (false, false, true);
const ZYGOTE: (bool, bool, bool) = (false, true, false);
const PLAIN: (bool, bool, bool) = (false, false, false);

/// The table.
#[rustfmt::skip]
pub const CHARTERS: &[Charter] = &[
    row(Ledger,    Network::None,      FOLDER, 2048, &[Mirror], "keeps the evidence, append-only"),
    row(Mirror,    Network::None,      FOLDER, 2048, &[], "keeps a second copy of the evidence and cosigns"),
    row(Vault,     Network::None,      KEEPER, 1024, &[Ledger], "holds every private mail key and releases against proof"),
    row(Directory, Network::None,      KEEPER, 1024, &[Vault, Mailbox, Post, Signer, Ledger, Fetch], "knows tenants, domains, addresses, settings"),
    row(Identity,  Network::None,      KEEPER, 1024, &[Vault, Directory, Ledger], "signs people in and mints grants"),
    row(Mailbox,   Network::None,      KEEPER, 4096, &[Ledger], "keeps sealed mail, flags and numbered folders"),
    row(Signer,    Network::None,      KEEPER, 256,  &[Vault, Ledger], "signs TLS handshakes and mail for our own names"),
    row(Names,     Network::Dns,       PLAIN,  512,  &[], "asks the DNS"),
    row(Gate,      Network::Listeners, AUTHOR, 256,  &[Ledger], "accepts connections and hands them on"),
    row(Edge,      Network::Passed,    ZYGOTE, 512,  &[Names, Scanner, Directory, Signer, Mailbox, Dispatch, Post], "receives mail: SMTP, judge, seal, keep"),
    row(Scanner,   Network::None,      ZYGOTE, 512,  &[], "takes one message apart"),
    row(Access,    Network::Passed,    ZYGOTE, 512,  &[Signer, Identity, Vault, Mailbox, Dispatch], "serves one IMAP, POP3 or submission connection"),
    row(Pages,     Network::Passed,    ZYGOTE, 256,  &[Signer, Directory], "answers one HTTPS connection: what is public"),
    row(Dispatch,  Network::None,      ZYGOTE, 512,  &[Scanner, Directory, Signer, Mailbox, Post], "judges one person's outgoing mail and seals it"),
    row(Post,      Network::None,      KEEPER, 2048, &[Vault, Ledger], "keeps mail that leaves until it has left"),
    row(Depart,    Network::Dialled,   ZYGOTE, 512,  &[Names, Fetch, Directory, Vault, Mailbox, Signer, Post], "carries mail to its destination: SMTP, notices"),
    row(Fetch,     Network::Dialled,   PLAIN,  256,  &[Names], "fetches one outside HTTPS resource at a time; carries alarms out; asks customers' servers for addresses"),
    row(Admin,     Network::Passed,    ZYGOTE, 512,  &[Names, Directory, Identity, Vault, Mailbox, Post, Signer, Ledger, Sentinel], "serves one request of the command line"),
    row(Sentinel,  Network::None,      KEEPER, 256,  &[Ledger, Identity, Fetch], "judges what happens: alarms, freezes, isolates"),
    row(Metrics,   Network::Listeners, PLAIN,  128,  &[], "tells whoever watches the newest numbers"),
    row(Zone,      Network::Listeners, PLAIN,  128,  &[], "serves the demo's local zones"),
];

/// The charter of a kind; the warden has none, it is what holds the others.
pub fn charter(kind: Kind) -> Option<&'static Charter> {
    CHARTERS.iter().find(|charter| charter.kind == kind)
}
