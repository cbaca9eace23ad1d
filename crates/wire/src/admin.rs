//! The command line and `admin`: one JSON line in, one JSON line out, over `DIR/admin.sock`.

use crate::directory::{AbsenceTold, OutletTerms, SmartHost};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Who asks, why, and under which approved request: beside the request in the same line.
#[derive(Default, Serialize, Deserialize)]
pub struct Asking {
    #[serde(default)]
    pub asking: Grounds,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Grounds {
    #[serde(default)]
    pub reason: Option<String>,
    /// The address of the person who asks, and their password.
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
    #[serde(default)]
    pub lasts_ms: u64,
}

/// A request as the command line sends it (JSON, one line, at most [`REQUEST_BYTES`]).
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
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
    /// What the DNS says of a domain of ours, against what it should say.
    DomainCheck {
        domain: String,
        /// Terms of its SPF record that let others send, on purpose.
        #[serde(default)]
        allow: Vec<String>,
    },
    /// The keys that sign its mail, as they are published.
    DomainKeys {
        domain: String,
    },
    /// A next pair; asked again, once its records are published, it signs. `retire`: those that no
    /// longer sign are forgotten.
    DomainRotateKeys {
        domain: String,
        #[serde(default)]
        retire: bool,
        /// Without a look into the DNS.
        #[serde(default)]
        unchecked: bool,
    },
    UserAdd {
        address: String,
        tenant: String,
        role: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
        /// Only in the demo.
        password: Option<String>,
    },
    UserList {
        tenant: Option<String>,
    },
    UserDisable {
        address: String,
        /// `false`: they are let in again.
        disabled: bool,
    },
    UserReset {
        address: String,
    },
    /// `bytes`: from now on; none: only says it.
    UserQuota {
        address: String,
        bytes: Option<u64>,
    },
    AppPasswordAdd {
        address: String,
        protocol: String,
        device: Option<String>,
        /// Only in the demo: 16 octets, hexadecimal.
        secret_seed: Option<String>,
    },
    AppPasswordRevoke {
        id: String,
    },
    AppPasswordList {
        address: String,
    },
    Trace {
        query: String,
    },
    /// `about`: only what carries this sender, recipient, whole subject or Message-ID.
    QuarantineList {
        #[serde(default)]
        tenant: Option<String>,
        #[serde(default)]
        about: Option<String>,
    },
    /// `about`: whether it carries this.
    QuarantineShow {
        id: String,
        #[serde(default)]
        about: Option<String>,
    },
    QuarantineRelease {
        id: String,
    },
    /// Mail that leaves, a page of it after an id.
    QueueList {
        tenant: Option<String>,
        after: Option<String>,
    },
    QueueShow {
        id: String,
    },
    QueueStatus,
    /// `hold`, `release` or `cancel`.
    QueueAct {
        act: String,
        id: String,
    },
    Authority,
    /// DER in base64, leaf first, and the key as PKCS #8; none: our own authority serves again.
    CertificateInstall {
        chain: Vec<String>,
        key: String,
    },
    /// New keys for the certificates of our own authority.
    CertificateRenew,
    Status,
    /// Numbers left away stay as they are.
    TenantSet {
        name: String,
        tag_from: Option<f32>,
        junk_from: Option<f32>,
        quarantine_from: Option<f32>,
        refuse_from: Option<f32>,
        obey_dmarc: Option<bool>,
        greylist: Option<bool>,
        #[serde(default)]
        trust_sealers: Vec<String>,
        #[serde(default)]
        distrust_sealers: Vec<String>,
    },
    TenantTerminate {
        name: String,
        grace_ms: u64,
    },
    UserTerminate {
        address: String,
        grace_ms: u64,
    },
    /// Takes a termination back; `name`: a tenant's name or a person's address.
    TerminationCancel {
        name: String,
    },
    Endings,
    /// Of people who have left, by an address that they had.
    EndingsOf {
        address: String,
    },
    HoldAdd {
        name: String,
        reason: String,
    },
    HoldList,
    HoldLift {
        id: String,
    },
    Patterns,
    Searched {
        contracts: u64,
        files: u64,
        bytes: u64,
        found: Vec<String>,
        unread: Vec<String>,
    },
    /// A pass to read a person's mail: for an export, or for a case.
    ReadPass {
        address: String,
        purpose: String,
        for_ms: u64,
    },
    ApprovalList,
    ApprovalShow {
        id: String,
    },
    ApprovalAnswer {
        id: String,
        agree: bool,
    },
    ApprovalCarryOut {
        id: String,
    },
    ApprovalMode {
        mode: Option<String>,
    },
    PasswordChange {
        address: String,
        password: String,
        new: String,
    },
    /// Addresses and request texts for a list of ids, for reports made from the ledger.
    Render {
        users: Vec<String>,
        /// And the names of all contracts, ended ones too.
        #[serde(default)]
        tenants: bool,
    },
    /// Keys of one tenant or of all, without their people's.
    KeysList {
        tenant: Option<String>,
    },
    /// An act upon keys; which of the names it takes is its own word.
    KeysAct {
        /// `rotate-root`, `rotate-tenant`, `rotate-user`, `rotate-pairs`, `seal`, `unseal`,
        /// `hold`, `release-hold`, `freeze`, `thaw`, `epoch-start`, `epoch-destroyed` or
        /// `epoch-gone`.
        act: String,
        tenant: Option<String>,
        user: Option<String>,
        epoch: Option<u32>,
        /// Of `epoch-destroyed`: what its key alone gives, in hexadecimal.
        #[serde(default)]
        witness: Option<String>,
    },
    KeysEpochs,
    /// A tenant's decoy: a mailbox that nobody has, a credential that nobody uses.
    DecoyAdd {
        address: String,
        tenant: String,
    },
    /// `address`, `tenant` or `component`: one of them.
    Freeze {
        address: Option<String>,
        tenant: Option<String>,
        component: Option<String>,
        frozen: bool,
    },
    FreezeList,
    /// What a log lost is known; `whose` is `ledger`, `mirror`, `both` or `directory`, the
    /// root in base 64.
    AcknowledgeLoss {
        whose: String,
        size: u64,
        root: String,
    },
    /// One alarm over every route.
    AlarmTest,
    Isolate {
        component: String,
        isolated: bool,
    },
    IsolateList,
    TenantSending {
        name: String,
        #[serde(default)]
        change: SendingChange,
        /// The sign-in to its smart host: to the one that `change` names, or to today's.
        #[serde(default)]
        sign_in: Option<SignIn>,
        /// Its sign-ins to smart hosts are destroyed.
        #[serde(default)]
        no_sign_in: bool,
    },
    DomainSet {
        domain: String,
        /// An address of its tenant, or `none`.
        catch_all: Option<String>,
        /// `testing`, `enforce` or `none`.
        #[serde(default)]
        mta_sts: Option<String>,
        #[serde(default)]
        max_age_seconds: Option<u32>,
    },
    /// `to` left away: shown as it stands; empty: mail is kept.
    UserForward {
        address: String,
        to: Option<Vec<String>>,
        keep: bool,
    },
    /// `absence` left away: they are back.
    UserAway {
        address: String,
        absence: Option<AbsenceTold>,
    },
    /// With `tenant` it is made.
    GroupChange {
        address: String,
        tenant: Option<String>,
        with: Vec<String>,
        without: Vec<String>,
    },
    GroupRemove {
        address: String,
    },
    /// Who of its people may write as its address; `none`: nobody any more.
    GroupShare {
        address: String,
        with: Vec<String>,
        without: Vec<String>,
        none: bool,
    },
    GroupList {
        address: Option<String>,
        tenant: Option<String>,
    },
    /// `host` left away: its mail is kept here again.
    DomainGateway {
        domain: String,
        host: Option<SmartHost>,
        taken: crate::directory::Taken,
        list: Option<crate::directory::ListAsked>,
    },
    /// The gateway stays, and its list ends.
    DomainGatewayAny {
        domain: String,
    },
    /// `change` left away: shown as it stands; `terms` left away in it: ended.
    TenantOutlet {
        name: String,
        change: Option<OutletChange>,
    },
    DomainGatewayShow {
        domain: String,
    },
    DomainGatewayList {
        domain: String,
        addresses: Vec<String>,
        sync_ms: Option<u64>,
        is_last: bool,
        is_asked: bool,
    },
    List {
        list: crate::lists::Command,
    },
    /// What is counted for reports about TLS; with `send` they are written now.
    TlsReports {
        #[serde(default)]
        send: bool,
    },
    /// Reports of others, newest first, a page of them after an id; `kind`: `tls`, `feedback` or
    /// `returned`.
    ReportsList {
        tenant: Option<String>,
        domain: Option<String>,
        kind: Option<String>,
        after: Option<String>,
    },
    ReportsShow {
        id: String,
    },
}

/// What is to change of what leaves; what is left away stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendingChange {
    pub in_ten_minutes: Option<u32>,
    pub in_a_day: Option<u32>,
    pub bytes: Option<u64>,
    pub delay_ms: Option<u64>,
    pub notice: Option<String>,
    #[serde(default)]
    pub refuse_kinds: Vec<String>,
    #[serde(default)]
    pub allow_kinds: Vec<String>,
    pub smart_host: Option<SmartHost>,
    #[serde(default)]
    pub no_smart_host: bool,
    pub source: Option<IpAddr>,
    #[serde(default)]
    pub no_source: bool,
}

/// A tenant's own server that sends out through us.
#[derive(Serialize, Deserialize)]
pub struct OutletChange {
    pub terms: Option<OutletTerms>,
    /// With another secret than before.
    #[serde(default)]
    pub is_fresh: bool,
    /// Whoever vouched for it until now vouches on.
    #[serde(default)]
    pub keeps_authorities: bool,
}

/// A user name and a password of somebody else's service. Never shown again.
#[derive(Serialize, Deserialize)]
pub struct SignIn {
    pub user: String,
    pub password: String,
}

/// The answer (JSON, one line).
#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Response {
    Done {
        value: String,
    },
    /// Carried out as far as it may be, and not done: exit 1 with this value.
    Wanting {
        value: String,
    },
    Refused {
        expected: String,
        found: String,
        hint: String,
    },
    Fault {
        what: String,
    },
}

/// A request line's limit: the longest address list that a person would type.
pub const REQUEST_BYTES: usize = 64 * 1024;
