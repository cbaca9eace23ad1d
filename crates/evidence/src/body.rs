//! The deeds, one table: name in exports, number in CBOR, fields with their keys. Numbers and
//! keys never change meaning; new fields are optional and take new keys.

use crate::cbor::{Reader, Writer};
use crate::item::{Delivery, Digest, Field, PublicKey, Queued, Released, Word};
use std::net::IpAddr;
use terms::{
    ConnectionId, GrantId, HoldId, InstanceId, Kind, MessageId, RequestId, TenantId, UserId,
};

/// In a sign-in, in the protocol's place: a decoy was tried, and refused.
pub const DECOY: &str = "decoy";

macro_rules! deeds {
    ($(
        $(#[$doc:meta])*
        $variant:ident $word:literal $number:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)*
        }
    )*) => {
        /// What was done.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Body {
            $($(#[$doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)*
        }

        impl Body {
            /// The name in exports.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $word,)* }
            }

            /// Its number in the log, for indexes. Ours are all below 256.
            pub fn deed_number(&self) -> u8 {
                u8::try_from(self.number()).unwrap_or(u8::MAX)
            }

            pub(crate) fn number(&self) -> u64 {
                match self { $(Self::$variant { .. } => $number,)* }
            }

            pub(crate) fn write(&self, to: &mut Writer) {
                match self {
                    $(Self::$variant { $($field,)* } => {
                        to.map(0 $(+ usize::from($field.is_present()))*);
                        $($field.write_field($key, to);)*
                    })*
                }
            }

            pub(crate) fn read(number: u64, from: &mut Reader) -> Option<Self> {
                let mut left = from.map()?;
                let body = match number {
                    $($number => Self::$variant {
                        $($field: Field::read_field($key, from, &mut left)?,)*
                    },)*
                    _ => return None,
                };
                (left == 0).then_some(body)
            }

            pub(crate) fn json(&self, to: &mut String) {
                match self {
                    $(Self::$variant { $($field,)* } => {
                        let _ = &to;
                        $($field.json_field(stringify!($field), to);)*
                    })*
                }
            }
        }
    };
}

/// How the warden's alarm of a refused call begins.
pub const REFUSED: &str = "refused (";

deeds! {
    /// The warden started a process. An author's first start names its key here.
    ProcessStart "process.start" 1 {
        instance: InstanceId = 0,
        kind: Kind = 1,
        pid: u32 = 2,
        version: Word = 3,
        zygote: Option<InstanceId> = 4,
        key: Option<PublicKey> = 5,
        /// A scanner's edge: whose messages pass through it.
        serves: Option<InstanceId> = 6,
    }
    /// The warden saw a process end. `last_seq` closes an author's series.
    ProcessStop "process.stop" 2 {
        instance: InstanceId = 0,
        clean: bool = 1,
        cause: Word = 2,
        last_seq: Option<u64> = 3,
    }
    /// The gate handed a connection to an instance.
    Connection "connection" 3 {
        connection: ConnectionId = 0,
        instance: InstanceId = 1,
        peer: IpAddr = 2,
        service: Word = 3,
    }
    /// The mailbox kept messages that passed through an instance.
    Deliver "deliver" 4 {
        instance: InstanceId = 0,
        tenant: TenantId = 1,
        messages: Vec<Delivery> = 2,
        connection: Option<ConnectionId> = 3,
    }
    /// The vault is about to hand out keys. `vault_seq` runs on across starts without a gap.
    Release "release" 5 {
        vault_seq: u64 = 0,
        instance: InstanceId = 1,
        grant: GrantId = 2,
        tenant: TenantId = 3,
        user: UserId = 4,
        released: Released = 5,
    }
    /// A message left through an instance.
    Send "send" 6 {
        instance: InstanceId = 0,
        tenant: TenantId = 1,
        user: UserId = 2,
        message: MessageId = 3,
        recipients: u32 = 4,
        bytes: u64 = 5,
    }
    /// Somebody tried to sign in; tenant and user stand here only if they exist.
    SignIn "sign-in" 7 {
        instance: InstanceId = 0,
        protocol: Word = 1,
        ok: bool = 2,
        tenant: Option<TenantId> = 3,
        user: Option<UserId> = 4,
        /// The id of the app password that was right, or of the pass.
        credential: Option<Word> = 5,
    }
    /// Permission to ask the vault was given.
    Grant "grant" 8 {
        grant: GrantId = 0,
        instance: InstanceId = 1,
        tenant: TenantId = 2,
        user: UserId = 3,
        until_ms: u64 = 4,
    }
    /// A credential was used for an instance: `credential` is its sort, `name` its opaque name.
    CredentialUse "credential.use" 9 {
        credential: Word = 0,
        instance: InstanceId = 1,
        name: Word = 2,
        tenant: Option<TenantId> = 3,
    }
    KeyCreate "key.create" 10 {
        what: Word = 0,
        epoch: u64 = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    KeyRotate "key.rotate" 11 {
        what: Word = 0,
        epoch: u64 = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    /// A key was destroyed: what it sealed is gone.
    KeyShred "key.shred" 12 {
        what: Word = 0,
        epoch: u64 = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    /// A rule, address or person changed. `weakened` says which safeguard it went without; `by`,
    /// which process asked, where it brought a secret with it; `credential` is the id of the app
    /// password or pass that was made or ended.
    RuleChange "rule.change" 13 {
        what: Word = 0,
        tenant: Option<TenantId> = 1,
        user: Option<UserId> = 2,
        weakened: Option<Word> = 3,
        by: Option<InstanceId> = 4,
        credential: Option<Word> = 5,
    }
    /// A person agreed to a request.
    Approve "approve" 14 {
        request: RequestId = 0,
        tenant: TenantId = 1,
        approver: UserId = 2,
    }
    /// Data left the house on command.
    Export "export" 15 {
        what: Word = 0,
        count: u64 = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    /// A process did what its charter does not allow.
    Alarm "alarm" 16 {
        instance: InstanceId = 0,
        kind: Kind = 1,
        pid: u32 = 2,
        call: Word = 3,
        what: Word = 4,
    }
    /// The author lives: silence is visible. A keeper of mail says by it that it let go of some
    /// lately, by somebody's word or at its end.
    Heartbeat "heartbeat" 17 {}
    /// A tenant's keys leave the vault's memory, or come back.
    KeySeal "key.seal" 30 {
        sealed: bool = 0,
        tenant: TenantId = 1,
    }
    /// Keys may not be destroyed from now on, or may again.
    KeyHold "key.hold" 31 {
        on: bool = 0,
        tenant: TenantId = 1,
        user: Option<UserId> = 2,
    }
    /// A backup epoch: `what` is `start`; of its key `destroyed`, or `gone` where two persons said
    /// so.
    KeyBackup "key.backup" 32 {
        what: Word = 0,
        epoch: u64 = 1,
    }
    /// The vault releases nothing more to somebody, or does again.
    KeyFreeze "key.freeze" 33 {
        on: bool = 0,
        tenant: Option<TenantId> = 1,
        user: Option<UserId> = 2,
        instance: Option<InstanceId> = 3,
    }
    /// Somebody asked for what needs two persons. `digest` binds the act, its reason and its end,
    /// whose words stay with identity.
    Request "approval.request" 37 {
        request: RequestId = 0,
        what: Word = 1,
        digest: Digest = 2,
        until_ms: u64 = 3,
        tenant: Option<TenantId> = 4,
        user: Option<UserId> = 5,
        requester: Option<UserId> = 6,
    }
    /// A person refused a request, for good.
    Deny "approval.deny" 38 {
        request: RequestId = 0,
        tenant: TenantId = 1,
        approver: UserId = 2,
    }
    /// A request's time ran out.
    Expire "approval.expire" 39 {
        request: RequestId = 0,
    }
    /// The one use of an approved request.
    CarryOut "approval.carry-out" 40 {
        request: RequestId = 0,
        what: Word = 1,
        digest: Digest = 2,
        tenant: Option<TenantId> = 3,
        user: Option<UserId> = 4,
    }
    /// A contract, or one person's part of it, passed into another state.
    Ending "contract.state" 41 {
        tenant: TenantId = 0,
        state: Word = 1,
        until_ms: Option<u64> = 2,
        user: Option<UserId> = 3,
    }
    /// What a contract (or a person) had here is destroyed: after `last_open_ms` no copy opens.
    Destroyed "contract.destroyed" 42 {
        tenant: TenantId = 0,
        users: u64 = 1,
        messages: u64 = 2,
        bytes: u64 = 3,
        rows: u64 = 4,
        last_open_ms: u64 = 5,
        user: Option<UserId> = 6,
        /// Binds the contract's name ([`Digest::of_name`]); the salt stands in the certificate
        /// and nowhere here, so that nobody can try names.
        name: Option<Digest> = 7,
    }
    /// A hold was placed or lifted.
    Hold "hold" 43 {
        hold: HoldId = 0,
        placed: bool = 1,
        tenant: TenantId = 2,
        user: Option<UserId> = 3,
    }
    /// A search for what is left of ended contracts.
    Searched "remains.search" 44 {
        contracts: u64 = 0,
        files: u64 = 1,
        bytes: u64 = 2,
        found: u64 = 3,
    }
    /// The house's deciders know that a log lost what was cosigned: `whose` is `ledger`, `mirror`
    /// or `both`. Size and root are of the checkpoint that is lost; 0 where nobody knows how far
    /// the log had come. Without a request it was one operator, and `weakened` says so.
    LossAcknowledged "loss.acknowledged" 45 {
        whose: Word = 0,
        size: u64 = 1,
        root: Digest = 2,
        request: Option<RequestId> = 3,
        weakened: Option<Word> = 4,
    }
    /// The sentinel judged what happened; `count` equal ones are folded into this one.
    Incident "incident" 18 {
        cause: Word = 0,
        kind: Option<Kind> = 1,
        instance: Option<InstanceId> = 2,
        tenant: Option<TenantId> = 3,
        user: Option<UserId> = 4,
        count: u64 = 5,
        what: Word = 6,
        /// The Sigma rule, by its id.
        rule: Option<Word> = 7,
        /// From the first sight to the judgement, by the sentinel's clock.
        after_ms: u64 = 8,
    }
    /// Grants of a person, a tenant or a component end, and no new one is minted.
    Freeze "freeze" 19 {
        what: Word = 0,
        by: Word = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    Unfreeze "unfreeze" 20 {
        what: Word = 0,
        by: Word = 1,
        tenant: Option<TenantId> = 2,
        user: Option<UserId> = 3,
    }
    /// A kind of compartment is taken out of the house.
    Isolate "isolate" 21 {
        kind: Kind = 0,
        by: Word = 1,
    }
    Rejoin "rejoin" 22 {
        kind: Kind = 0,
        by: Word = 1,
    }
    /// Messages passed through an instance and were not kept: refused, or lost with it.
    NotKept "not-kept" 25 {
        instance: InstanceId = 0,
        connection: ConnectionId = 1,
        messages: u32 = 2,
        bytes: u64 = 3,
    }
    /// The queue took messages that passed through an instance.
    Queue "queue" 50 {
        instance: InstanceId = 0,
        tenant: TenantId = 1,
        messages: Vec<Queued> = 2,
    }
    /// Messages of one person left through an instance; where it is one, `Send` says so.
    Sent "sent" 51 {
        instance: InstanceId = 0,
        tenant: TenantId = 1,
        messages: Vec<Queued> = 2,
    }
}

impl Body {
    /// Entries that their author does not wait for: the ledger acknowledges them without a proof.
    pub fn is_lazy(&self) -> bool {
        matches!(
            self,
            Self::ProcessStart { .. }
                | Self::ProcessStop { .. }
                | Self::Connection { .. }
                | Self::Deliver { .. }
                | Self::Heartbeat { .. }
                | Self::NotKept { .. }
                | Self::Queue { .. }
        )
    }

    /// Deeds that change what their author keeps in tables of its own: an older copy of the tables
    /// does not know of them, and the log does. Keys that are made (`KeyCreate`) are none of these:
    /// there are many, they end nothing, and nobody could make the same ones again. Those of mail
    /// are told by keepers of mail alone, after their tables have it.
    pub fn changes_tables(&self) -> bool {
        matches!(
            self,
            Self::RuleChange { .. }
                | Self::Request { .. }
                | Self::Approve { .. }
                | Self::Deny { .. }
                | Self::Expire { .. }
                | Self::CarryOut { .. }
                | Self::Ending { .. }
                | Self::Destroyed { .. }
                | Self::Hold { .. }
                | Self::LossAcknowledged { .. }
                | Self::Freeze { .. }
                | Self::Unfreeze { .. }
                | Self::KeyRotate { .. }
                | Self::KeyShred { .. }
                | Self::KeySeal { .. }
                | Self::KeyHold { .. }
                | Self::KeyBackup { .. }
                | Self::KeyFreeze { .. }
                | Self::Deliver { .. }
                | Self::Queue { .. }
                | Self::Send { .. }
                | Self::Sent { .. }
                | Self::Heartbeat {}
        )
    }

    /// Whom a warden's alarm says to have made a call off its charter: nobody who is what it should
    /// be makes one.
    pub fn off_charter(&self) -> Option<(Kind, InstanceId)> {
        match self {
            Self::Alarm { instance, kind, what, .. } if what.as_str().starts_with(REFUSED) => {
                Some((*kind, *instance))
            }
            _ => None,
        }
    }

    /// The process whose deed this is, where there is one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::ProcessStart { instance, .. }
            | Self::ProcessStop { instance, .. }
            | Self::Connection { instance, .. }
            | Self::Deliver { instance, .. }
            | Self::Release { instance, .. }
            | Self::Send { instance, .. }
            | Self::SignIn { instance, .. }
            | Self::Grant { instance, .. }
            | Self::CredentialUse { instance, .. }
            | Self::NotKept { instance, .. }
            | Self::Queue { instance, .. }
            | Self::Sent { instance, .. }
            | Self::Alarm { instance, .. } => Some(*instance),
            Self::KeyCreate { .. }
            | Self::KeyRotate { .. }
            | Self::KeyShred { .. }
            | Self::RuleChange { .. }
            | Self::Approve { .. }
            | Self::Export { .. }
            | Self::Heartbeat {}
            | Self::KeySeal { .. }
            | Self::KeyHold { .. }
            | Self::KeyBackup { .. }
            | Self::Request { .. }
            | Self::Deny { .. }
            | Self::Expire { .. }
            | Self::CarryOut { .. }
            | Self::Ending { .. }
            | Self::Destroyed { .. }
            | Self::Hold { .. }
            | Self::Searched { .. }
            | Self::LossAcknowledged { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. }
            | Self::Isolate { .. }
            | Self::Rejoin { .. } => None,
            // The process is whom it was done to, and did nothing by it.
            Self::KeyFreeze { .. } => None,
            Self::Incident { instance, .. } => *instance,
        }
    }
}
