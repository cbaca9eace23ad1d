//! Questions to `directory`, and the statements that it answers with.

use crate::accepted;
use crate::approval::Act;
pub use crate::ending::{Ending, EndingState, EndingWait, Hold, Part, STATED_FOR};
pub use crate::judging::{TRUSTED_SEALERS, TenantSettings};
use crate::lists;
pub use crate::outlet::{
    Admitted, OUTLET_AUTHORITIES, OUTLET_FIELD, OUTLET_NAMES, OUTLET_NETWORKS, Outlet, OutletTerms,
    Vouched, Wanted, guest_of, server_of,
};
pub use crate::passing::{
    ABSENCE_SUBJECT_BYTES, ABSENCE_TEXT_BYTES, Absence, AbsenceTold, Forward, GRACES, Gateway,
    Grace, Group, LIST_PAGE, ListAsked, ONWARD, Onward, Path, Taken, WAY_BACK, catch_all,
    is_own_mailbox, own_mailbox,
};
use crate::post::{Hop, QueueAct};
use crate::reports;
pub use crate::sending::{
    LEAST_BYTES, LONGEST_DELAY_MS, MOST_RECIPIENTS, NOTICE_BYTES, REFUSED_KINDS, SENDING_DOMAIN,
    Sending, SendingSettings, SmartHost,
};
use crate::sts;
use crate::tls_report;
pub use crate::voices::{APPROVING, DECOY_ROLE, ROLES, Standing, Who, is_of_house};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::{MessageId, TenantId, UserId};

/// From `edge`: one address at a time, and no list.
#[derive(Serialize, Deserialize)]
pub enum FromEdge {
    /// `local@domain`, domain in lower case A-label form.
    Address(String),
    /// Keyed hashes for `trace`, in the order given.
    Tokens {
        tenant: TenantId,
        digests: Vec<[u8; 32]>,
    },
    /// The return path (SRS) for mail of this sender that is passed on for an address of `domain`.
    ReturnPath {
        from: String,
        domain: String,
    },
    /// How long ago was this first seen? The digest says who tries what; kept as a keyed hash.
    FirstSeen {
        tenant: TenantId,
        digest: [u8; 32],
    },
    /// As [`FromDispatch::Routes`].
    Routes(Vec<String>),
    /// Whose own servers send from this address, and what each of them must show.
    Outlets(IpAddr),
    /// A message came from such an address, with this secret in its header. `shown`: of what is
    /// wanted there, what its certificate proved, each with the one name that was found in it.
    /// `has`: whose dispatch the edge has already.
    Admit {
        from: IpAddr,
        shown: Vec<Vouched>,
        secret: String,
        has: Option<TenantId>,
    },
    List(lists::Question),
    /// A report of others came to an address of ours. Answered by `Report`.
    Report(Box<reports::Told>),
    /// The way outside to an address, as this tenant's settings want it: for answers of people who
    /// are away.
    Way(TenantId, String),
    /// As [`FromDepart::Answered`]; answered by `FirstAnswer`.
    Answered {
        tenant: TenantId,
        digest: [u8; 32],
    },
    /// Whether a domain that mail says to come from is a tenant's here. That is no secret: its MX
    /// records say so.
    HasDomain(String),
}

#[derive(Serialize, Deserialize)]
pub enum ToEdge {
    Stated(Stated),
    Tokens(Vec<[u8; 16]>),
    /// Milliseconds since the first time; `None`: nobody can say now.
    FirstSeen(Option<u64>),
    /// `None`: nobody can say now.
    ReturnPath(Option<String>),
    /// `None`: nobody can say now.
    Routes(Option<Vec<[u8; 16]>>),
    /// `None`: nobody can say now.
    Outlets(Option<Wanted>),
    Admitted(Admitted),
    List(lists::Answer),
    Report(reports::Noted),
    /// `None`: nobody can say now.
    Way(Option<Hop>),
    /// `None`: nobody can say now.
    FirstAnswer(Option<bool>),
    HasDomain(bool),
}

#[derive(Serialize, Deserialize)]
pub enum Stated {
    /// A [`Statement`] (postcard) and the vault's signature over it.
    Known { statement: Vec<u8>, signature: Vec<u8> },
    /// The domain is ours, the address is nobody's.
    Unknown,
    /// Not our domain: no relay.
    Foreign,
    /// No valid statement now: 451.
    Later,
    /// The address's own server is being asked whether it has it: ask again in a moment.
    Checking,
    /// The address's own server does not say whether it has it: 451.
    Unsaid,
}

/// From `dispatch`, over a channel labelled with its person.
#[derive(Serialize, Deserialize)]
pub enum FromDispatch {
    /// May this person write as that address? Answered by `Sending`, or `NotTheirs`.
    Sending(String),
    /// As [`FromEdge::Address`]: is that recipient one of ours?
    Address(String),
    /// Keyed hashes for `trace`, of the person's tenant, in the order given.
    Tokens(Vec<[u8; 32]>),
    /// Route tokens for these next hops ([`crate::post::Hop::word`]), in the order given.
    Routes(Vec<String>),
    /// As [`FromEdge::FirstSeen`], of the person's tenant: where do they write from?
    FirstSeen([u8; 32]),
    List(lists::Question),
    /// What the person answers by, who is asked whether a message, held until then, is theirs.
    Awaited(MessageId, u64),
    /// The person writes to so many more from places that are new for them. Answered by `Strange`.
    Strange(u32),
}

#[derive(Serialize, Deserialize)]
pub enum ToDispatch {
    /// A [`Sending`] (postcard) and the vault's signature over it.
    Sending {
        statement: Vec<u8>,
        signature: Vec<u8>,
    },
    NotTheirs,
    /// No valid statement now: 451.
    Later,
    Stated(Stated),
    Tokens(Vec<[u8; 16]>),
    Routes(Vec<[u8; 16]>),
    /// Milliseconds since the first time; `None`: nobody can say now.
    FirstSeen(Option<u64>),
    List(lists::Answer),
    /// A token ([`crate::pages::held_urls`]).
    Awaited(Vec<u8>),
    /// To so many in the last day, over all their connections.
    Strange(u32),
}

/// From `depart`: recipients and senders of ours, one at a time.
#[derive(Serialize, Deserialize)]
pub enum FromDepart {
    Address(String),
    Tokens {
        tenant: TenantId,
        digests: Vec<[u8; 32]>,
    },
    /// From which of our addresses this tenant's mail leaves, and what is known of the policies of
    /// these domains outside, at most [`sts::DOMAINS`]. Those of the tenant that the channel's
    /// label names, and of no other.
    Source {
        tenant: TenantId,
        domains: Vec<String>,
    },
    /// A policy that was just fetched, to be kept for the same tenant. Answered by `Noted`.
    Policy(sts::Policy),
    /// As [`FromDispatch::Routes`], for notices to senders outside and for lists.
    Routes(Vec<String>),
    List(lists::Question),
    /// How TLS fared with destinations that want to hear of it, at most
    /// [`tls_report::FINDINGS`]. Of the tenant that the channel's label names, and of no other.
    Tls(Vec<tls_report::Finding>),
    /// As [`FromEdge::Way`], for notices to senders outside.
    Way(TenantId, String),
    /// As [`FromEdge::ReturnPath`], for a domain of the tenant that the channel's label names.
    ReturnPath {
        from: String,
        domain: String,
    },
    /// Somebody of this tenant answers, being away: does this sender hear it for the first time?
    Answered {
        tenant: TenantId,
        digest: [u8; 32],
    },
    /// Who took mail, at most [`accepted::LINES`]: of the tenant that the channel's label names,
    /// and of no other. Answered by `Noted`.
    Accepted(Vec<accepted::Accepted>),
    /// Who keeps mail that went on in this person's name and came to nothing; where that is nobody,
    /// who answers for the tenant. Of the tenant that the channel's label names, and of no other.
    Own(UserId),
}

#[derive(Serialize, Deserialize)]
pub enum ToDepart {
    Stated(Stated),
    Tokens(Vec<[u8; 16]>),
    /// `None`: from whichever the system takes.
    Source {
        from: Option<std::net::IpAddr>,
        /// Those that hold, of the first so many domains.
        policies: Vec<sts::Known>,
        answered: usize,
    },
    /// Nobody can say now.
    Later,
    /// `None`: nobody can say now.
    Routes(Option<Vec<[u8; 16]>>),
    List(lists::Answer),
    /// It is on the disk.
    Noted,
    ReturnPath(String),
    /// `None`: nobody can say now.
    Way(Option<Hop>),
    /// `None`: nobody can say now.
    FirstAnswer(Option<bool>),
    /// About an [`own_mailbox`], and whether mail that goes on is kept there as well.
    Own(Stated, bool),
}

/// What the vault signs: who an address is, and under which keys mail for it is sealed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    pub address: String,
    pub tenant: TenantId,
    /// Nobody, where all of it is passed on.
    pub recipients: Vec<Recipient>,
    /// Where it is passed on to as well: a person's own forward, a group's members elsewhere, the
    /// server of a gateway tenant.
    pub onward: Vec<Onward>,
    /// The tenant's transit key of today, where something is passed on or answered.
    pub transit: Option<PublicKey>,
    /// A person who is away answers by themselves, as RFC 3834 has it.
    pub absence: Option<Absence>,
    pub settings: TenantSettings,
    /// Milliseconds since 1970.
    pub issued_ms: u64,
    pub valid_until_ms: u64,
}

/// Separates statements from everything else that is ever signed.
pub const STATEMENT_DOMAIN: &[u8] = b"sekisho statement v1\0";

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    pub user: UserId,
    pub body: PublicKey,
    pub summary: PublicKey,
}

/// A public key to seal to. Its epoch says which private half opens.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicKey {
    pub suite: u8,
    /// Body pairs: the year. Summary pairs: year × 12 + month.
    pub epoch: u32,
    pub bytes: Vec<u8>,
}

/// From `identity`.
#[derive(Serialize, Deserialize)]
pub enum FromIdentity {
    Person(String),
    /// Who proves themselves, with what they may approve.
    Who(String),
    /// How many may approve what concerns this tenant (none: the house).
    Able(Option<TenantId>),
    /// What a person, or anybody of a contract, has a voice in.
    Standing(Part),
    /// An act that identity found permitted.
    Carry(Act),
    /// Contracts and persons whose rows are to be destroyed.
    Ending,
    /// Their rows in identity's tables are gone.
    Erased {
        part: Part,
        rows: u64,
    },
    /// People who said that mail in their name was not theirs: the app passwords that they send
    /// with are to be revoked.
    Robbed,
    /// They are.
    Locked(Part),
    /// Whether these tables are older than what was recorded of them.
    IsOlder,
}

#[derive(Serialize, Deserialize)]
pub enum ToIdentity {
    Person(Option<(TenantId, UserId)>),
    Who(Option<Who>),
    /// `known`: with those who are shut out, or whose contract ends.
    Able {
        able: u32,
        known: u32,
    },
    Standing(Standing),
    Carried(Box<ToAdmin>),
    Ending(Vec<Part>),
    Done,
    Robbed(Vec<Part>),
    /// So many entries stand up to the newest that they do not know of; `None`: they know of all.
    Older(Option<u64>),
}

/// From `admin`. Each change is recorded before it counts.
#[derive(Clone, Serialize, Deserialize)]
pub enum FromAdmin {
    TenantAdd {
        name: String,
    },
    TenantList,
    TenantShow {
        name: String,
    },
    DomainAdd {
        domain: String,
        tenant: String,
    },
    DomainList {
        tenant: Option<String>,
    },
    UserAdd {
        address: String,
        tenant: String,
        role: String,
        aliases: Vec<String>,
    },
    UserList {
        tenant: Option<String>,
    },
    UserDisable {
        address: String,
        disabled: bool,
    },
    UserFind {
        address: String,
    },
    /// For rendering traces and quarantine lists.
    Names {
        users: Vec<UserId>,
    },
    /// Keyed hashes of what a `trace` looks for, in every tenant.
    TraceTokens {
        digests: Vec<[u8; 32]>,
    },
    /// Settings that protect as much as those before, or more; less is an act for two.
    Settings {
        tenant: String,
        settings: TenantSettings,
    },
    /// A termination taken back before its grace ended.
    Cancel(Part),
    EndingList,
    /// Of people who had this address, answered by `Endings`.
    EndingsOf {
        address: String,
    },
    /// What binds the names in certificates of destruction, answered by `NameSalts`.
    NameSalts,
    /// What endings wait for that others must do, answered by `EndingWaits`.
    EndingWaits,
    HoldAdd {
        part: Part,
        reason: String,
    },
    HoldList,
    /// What a search for remains looks for: ids and tokens of ended contracts.
    Patterns,
    /// What a search found.
    Searched {
        contracts: u64,
        files: u64,
        bytes: u64,
        found: Vec<String>,
        unread: Vec<String>,
    },
    /// An operator holds, releases or cancels a letter in the queue: recorded before it counts.
    /// Answered by `Done`.
    QueueAct {
        part: Part,
        message: MessageId,
        act: QueueAct,
    },
    /// What leaves, limited as before or more; less is an act for two.
    Sending {
        tenant: String,
        settings: SendingSettings,
    },
    /// Who gets mail for the domain's unknown addresses; `None`: nobody.
    CatchAll {
        domain: String,
        address: Option<String>,
    },
    /// What a domain's MTA-STS policy says; what is `None` stays as it is.
    Transport {
        domain: String,
        mode: Option<crate::pages::TransportMode>,
        max_age_seconds: Option<u32>,
    },
    /// Where a person's mail goes on to; nowhere: it is kept. `None`: only shown.
    Forward {
        address: String,
        change: Option<(Vec<String>, bool)>,
    },
    /// What is answered while a person is away; `None`: they are back.
    Away {
        address: String,
        absence: Option<AbsenceTold>,
    },
    /// A group made (with its tenant), or its members changed.
    GroupChange {
        address: String,
        tenant: Option<String>,
        with: Vec<String>,
        without: Vec<String>,
    },
    GroupRemove {
        address: String,
    },
    /// One group, those of a tenant, or all.
    GroupList {
        address: Option<String>,
        tenant: Option<String>,
    },
    /// The server that a domain's mail goes to, and for whom; `None`: it is mail of ours again.
    Gateway {
        domain: String,
        host: Option<SmartHost>,
        taken: Taken,
        list: Option<ListAsked>,
    },
    GatewayShow {
        domain: String,
    },
    /// A tenant's own server that sends out through us: set (with a new secret, the first time and
    /// where `is_fresh`), taken away (`terms` left away), or (without `change`) only shown.
    Outlet {
        tenant: String,
        change: Option<(Option<OutletTerms>, bool)>,
    },
    /// A page of a gateway's recipients; `sync_ms` is what the first page was answered.
    GatewayList {
        domain: String,
        addresses: Vec<String>,
        sync_ms: Option<u64>,
        is_last: bool,
        /// A gateway is to be asked for with it: until then it counts for nothing.
        is_asked: bool,
    },
    List(lists::Command),
    /// Reports about TLS that are kept; with `send` they are written now.
    TlsReports {
        send: bool,
    },
    Reports(reports::Query),
    /// Who took this message, in the order in which they did.
    Accepted(MessageId),
    /// Who of a group's people may write as its address; `none`: nobody any more.
    GroupShare {
        address: String,
        with: Vec<String>,
        without: Vec<String>,
        none: bool,
    },
    /// Whether its tables are older than the evidence: then all mail waits.
    IsOlder,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Tenant(Tenant),
    Tenants(Vec<Tenant>),
    Domain(Domain),
    Domains(Vec<Domain>),
    User(User),
    Users(Vec<User>),
    Names(Vec<Option<String>>),
    TraceTokens(Vec<[u8; 16]>),
    Endings(Vec<Ending>),
    /// Of each part that is destroyed: with it, whoever holds a certificate can check the name.
    NameSalts(Vec<(Part, [u8; 16])>),
    EndingWaits(Vec<(Part, EndingWait)>),
    Hold(Hold),
    Holds(Vec<Hold>),
    /// Ids; rows that still name an address of a person who is destroyed (whose, and where); files
    /// of the signer with keys of domains that no contract has.
    #[rustfmt::skip]
    Patterns { ids: Vec<Vec<u8>>, named: Vec<(UserId, String)>, keys: Vec<String> },
    Forward(Forward),
    Groups(Vec<Group>),
    Gateway(Gateway),
    Outlet(Outlet),
    Lists(Vec<lists::List>),
    Done,
    Refused {
        expected: String,
        found: String,
        hint: String,
    },
    Fault(String),
    TlsReports(Vec<tls_report::Kept>),
    Accepted(Vec<accepted::Accepted>),
    Reports(reports::Page),
    /// Nothing was changed: it has mail of this part go to others, or others speak for it, and is
    /// an act for two persons ([`crate::redirection`]).
    ForTwo(Part),
    IsOlder(bool),
}

impl ToAdmin {
    /// One ending, as an answer.
    pub fn endings(ending: Ending) -> Self {
        Self::Endings(vec![ending])
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub tenant: TenantId,
    pub name: String,
    pub domains: u32,
    pub users: u32,
    pub settings: TenantSettings,
    /// Once its contract is ending.
    pub ending: Option<Ending>,
    pub holds: u32,
    pub sending: SendingSettings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Domain {
    pub domain: String,
    pub tenant: String,
    /// Who gets mail for its unknown addresses.
    pub catch_all: Option<String>,
    pub transport: crate::pages::TransportPolicy,
    /// It is a gateway's, and nobody of its tenant hears of mail that fails there.
    pub is_untold: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub user: UserId,
    pub tenant_id: TenantId,
    pub tenant: String,
    pub address: String,
    pub role: String,
    pub aliases: Vec<String>,
    pub disabled: bool,
    /// Addresses of several that this person may write as.
    pub writes_as: Vec<String>,
}
