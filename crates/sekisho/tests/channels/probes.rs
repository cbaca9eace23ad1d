//! One valid question for every pair of the charter.

use serde::Serialize;
use terms::Kind::{self, *};
use terms::UserId;
use wire::{Channel, Parcel};

/// Pairs that are not tried, and why.
pub const NOT_TRIED: &[(Kind, Kind, &str)] = &[
    (Access, Dispatch, "it has one asker and no bystander: cases of `dispatch`"),
    (Edge, Dispatch, "it has one asker, as an access's: the journey of `outlet`"),
    (Dispatch, Scanner, "as an edge's, which is tried"),
    (Dispatch, Directory, "cases of `directory` (`leaving_tests`)"),
    (Dispatch, Signer, "cases of `signer` (`tests::mail`)"),
    (Dispatch, Mailbox, "the drill of `dispatch`"),
    (Dispatch, Post, "the drill of `dispatch`"),
    (Directory, Post, "journeys of lists: it takes sealed letters, and nothing that is empty"),
    (
        Directory,
        Fetch,
        "cases of `fetch` and `directory` (`inquiry_tests`), and a journey of `onward`",
    ),
    (Post, Vault, "cases of `vault` (`tests::leaving`)"),
    (Depart, Vault, "cases of `vault` (`tests::leaving`)"),
    (Depart, Directory, "cases of `directory` (`leaving_tests`)"),
    (Depart, Signer, "cases of `signer`"),
    (Depart, Mailbox, "as an edge's, which is tried"),
    (Depart, Post, "the drill of `depart`"),
    (Depart, Fetch, "cases of `fetch`"),
    (Sentinel, Fetch, "cases of `fetch`, and the journey `alarms`"),
];

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
        (Edge, Mailbox) => {
            recorded(&wire::mailbox::FromEdge::Room { user: UserId([2; 8]), bytes: 10 })
        }
        (Access, Mailbox) => recorded(&wire::mailbox::FromAccess::Quota),
        (Admin, Mailbox) => recorded(&wire::mailbox::FromAdmin::Status),
        (Directory, Mailbox) => recorded(&wire::mailbox::FromDirectory::Sweep),
        (Edge | Access | Pages | Admin, Signer) => {
            recorded(&wire::signer::ToSigner::Chain { server_name: None })
        }
        (Edge | Depart | Fetch | Admin, Names) => {
            let name = "mx.sender.example".to_owned();
            recorded(&wire::names::Question { name, kind: wire::names::RecordKind::A })
        }
        (Edge, Scanner) => {
            let message = Parcel::Inline(b"Subject: hi\r\n\r\nhello\r\n".to_vec());
            let host_name = "mx.house.example".to_owned();
            let task = wire::scanner::Task { sender: None, host_name, message };
            recorded(&wire::scanner::ToScanner::Examine(task))
        }
        (Edge, Post) => {
            let limits = wire::post::Limits { in_ten_minutes: 600, in_a_day: 10_000 };
            let (user, recipients) = (UserId([2; 8]), 1);
            recorded(&wire::post::FromSender::May { user, recipients, limits })
        }
        (Admin, Post) => recorded(&wire::post::FromAdmin::Status),
        (Admin, Sentinel) => recorded(&wire::sentinel::FromAdmin::Status),
        _ => None,
    }
}
