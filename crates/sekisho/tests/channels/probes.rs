//! One valid question for every pair of the charter: none is excused.

use crate::server::PERSON;
use serde::Serialize;
use terms::Kind::{self, *};
use terms::{InstanceId, MessageId, UserId, Verdict};
use wire::post::HopTls;
use wire::{Channel, Parcel};

/// Who is asked whether the server goes on, where `asker` has no question that is answered: a
/// `depart` says that it is idle, and hears nothing until there is something to carry.
pub fn witness(asker: Kind, server: Kind) -> Kind {
    match (asker, server) {
        (Depart, Post) => Admin,
        _ => asker,
    }
}

/// The octets of a question as they stand in a frame.
fn recorded<M: Serialize>(question: &M) -> Option<Vec<u8>> {
    let (one, other) = Channel::pair().unwrap();
    one.send(1, question, &[]).unwrap();
    other.take().unwrap().map(|frame| frame.payload)
}

/// A question that the server answers by itself, whoever of its own peers is missing.
pub fn question(asker: Kind, server: Kind) -> Option<Vec<u8>> {
    match (asker, server) {
        (Ledger, Mirror) => recorded(&wire::ledger::ToMirror::Standing),
        (_, Ledger) => recorded(&wire::ledger::ToLedger::Head),
        (Directory, Vault) => recorded(&wire::vault::FromDirectory::BackupEpochs),
        (Identity, Vault) => {
            let purpose = "login".to_owned();
            recorded(&wire::vault::FromIdentity::Digest { purpose, digest: vec![1; 32] })
        }
        (Signer, Vault) => recorded(&wire::vault::FromSigner::StorageKey),
        (Access, Vault) => recorded(&wire::vault::FromAccess::Current),
        (Admin, Vault) => recorded(&wire::vault::FromAdmin::Status),
        (Edge, Directory) => {
            recorded(&wire::directory::FromEdge::Address("aoi@example.jp".to_owned()))
        }
        (Pages, Directory) => recorded(&wire::pages::FromPages::Domain("example.jp".to_owned())),
        (Identity, Directory) => recorded(&wire::directory::FromIdentity::Able(None)),
        (Admin, Directory) => recorded(&wire::directory::FromAdmin::TenantList),
        (Access, Identity) => recorded(&wire::identity::FromAccess::Renew { session: vec![1; 32] }),
        (Admin, Identity) => recorded(&wire::identity::FromAdmin::Mode),
        (Sentinel, Identity) => recorded(&wire::identity::FromSentinel::Decoys),
        (Edge | Depart, Mailbox) => {
            recorded(&wire::mailbox::FromEdge::Room { user: UserId([2; 8]), bytes: 10 })
        }
        (Access, Mailbox) => recorded(&wire::mailbox::FromAccess::Quota),
        (Admin, Mailbox) => recorded(&wire::mailbox::FromAdmin::Status),
        (Directory, Mailbox) => recorded(&wire::mailbox::FromDirectory::Sweep),
        (Directory, Signer) => recorded(&wire::signer::ToSigner::KeyFiles { after: None }),
        (Edge | Access | Pages | Admin, Signer) => {
            recorded(&wire::signer::ToSigner::Chain { server_name: None })
        }
        (Edge | Depart | Fetch | Admin, Names) => {
            let name = "mx.sender.example".to_owned();
            recorded(&wire::names::Question { name, kind: wire::names::RecordKind::A })
        }
        (Edge | Dispatch, Scanner) => {
            let message = Parcel::Inline(b"Subject: hi\r\n\r\nhello\r\n".to_vec());
            let host_name = "mx.house.example".to_owned();
            let task = wire::scanner::Task { sender: None, host_name, message };
            recorded(&wire::scanner::ToScanner::Examine(task))
        }
        (Edge | Dispatch, Post) => {
            let limits = wire::post::Limits { in_ten_minutes: 600, in_a_day: 10_000 };
            let (user, recipients) = (PERSON.1, 1);
            recorded(&wire::post::FromSender::May { user, recipients, limits })
        }
        (Admin, Post) => recorded(&wire::post::FromAdmin::Status),
        (Depart, Post) => recorded(&wire::post::FromDepart::Idle { tenant: None }),
        (Directory, Post) => {
            let message = MessageId([3; 16]);
            let (tenant, user, until_s) = (PERSON.0, PERSON.1, 1_900_000_000);
            let awaited = wire::post::Awaited { tenant, user, message, until_s };
            recorded(&wire::post::FromDirectory::Waits(awaited))
        }
        (Post, Vault) => {
            let instance = InstanceId([5; 6]);
            let (tenant, messages) = (PERSON.0, vec![(PERSON.1, MessageId([3; 16]))]);
            recorded(&wire::vault::FromPost::Handed { instance, tenant, messages })
        }
        (Depart, Vault) => {
            let (tenant, session) = (PERSON.0, vec![4; 32]);
            recorded(&wire::vault::FromDepart::Open { tenant, session })
        }
        (Dispatch, Directory) => recorded(&wire::directory::FromDispatch::Strange(1)),
        (Depart, Directory) => {
            recorded(&wire::directory::FromDepart::Routes(vec!["domain there.example".to_owned()]))
        }
        (Dispatch | Depart, Signer) => {
            let domain = "example.jp".to_owned();
            recorded(&wire::signer::ToSigner::MailKeys { domain })
        }
        (Dispatch, Mailbox) => {
            let journeys = vec![journey()];
            recorded(&wire::mailbox::FromEdge::Keep { copies: Vec::new(), journeys, more: false })
        }
        // Each of an instance of its own, which asks nobody for this.
        (Access | Edge, Dispatch) => recorded(&wire::dispatch::FromAccess::From(String::new())),
        (Depart, Fetch) => {
            let (host, path) = ("mta-sts.there.example".to_owned(), "/policy".to_owned());
            recorded(&wire::fetch::Ask::Get { host, path, limit: 1_000 })
        }
        (Directory, Fetch) => {
            let (name, port, tls) = ("mx.there.example".to_owned(), 25, HopTls::IfOffered);
            let host = wire::directory::SmartHost { name, port, tls };
            let address = "aoi@there.example".to_owned();
            recorded(&wire::fetch::Inquiry { address, host, from: None })
        }
        (Sentinel, Fetch) => {
            let (timestamp, signature, body) = (1, [1; 32], b"{}".to_vec());
            recorded(&wire::fetch::FromSentinel::Webhook { timestamp, signature, body })
        }
        (Admin, Sentinel) => recorded(&wire::sentinel::FromAdmin::Status),
        _ => None,
    }
}

/// What a person handed in.
fn journey() -> wire::mailbox::Journey {
    wire::mailbox::Journey {
        tenant: PERSON.0,
        message: MessageId([3; 16]),
        tokens: Vec::new(),
        at_ms: 1_700_000_000_000,
        state: wire::mailbox::State::Queued,
        verdict: Verdict::Deliver,
        reasons: Vec::new(),
        recipients: vec![PERSON.1],
    }
}
