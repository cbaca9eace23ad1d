//! A hostile admin: with one caller's request in hand it asks for everything that any caller may.

use crate::channels::{ask, forbidden};
use crate::intruder::Intruder;
use crate::report::{Asset, Facts, Told};
use terms::Kind;
use wire::directory::{FromAdmin, ToAdmin};
use wire::identity::Protocol;

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    let list = FromAdmin::UserList { tenant: None };
    let _ = ask(intruder, Kind::Directory, &list, "every address");
    make_a_secret(intruder, &facts.person);
    let journeys = wire::mailbox::FromAdmin::Trace { tokens: Vec::new(), limit: 100 };
    let _ = ask(intruder, Kind::Mailbox, &journeys, "the newest journeys");
    let list = wire::mailbox::FromAdmin::QuarantineList { tenant: None };
    let _ = ask(intruder, Kind::Mailbox, &list, "the quarantine");
    let folder = terms::FolderId([0, 0, 0, 1]);
    let class = wire::vault::Class::Body;
    let fetch = wire::mailbox::FromAccess::Fetch { folder, uids: vec![1, 2, 3], class };
    forbidden(intruder, Asset::StoredBodies, Kind::Mailbox, &fetch, "fetch as an access would");
    let release = wire::vault::FromAccess::Release {
        grant: terms::GrantId::default(),
        class,
        items: Vec::new(),
    };
    forbidden(intruder, Asset::StoredBodies, Kind::Vault, &release, "have keys released");
    let sign = wire::vault::FromDirectory::PolicyKey;
    forbidden(intruder, Asset::AccountSecrets, Kind::Vault, &sign, "ask for the policy key");
    let releases = wire::ledger::ToLedger::Releases { since_ms: 0, from_index: 0 };
    forbidden(intruder, Asset::Evidence, Kind::Ledger, &releases, "read every release");
}

/// An app password for somebody else, which the drill then tries.
fn make_a_secret(intruder: &mut Intruder, address: &str) {
    let find = FromAdmin::UserFind { address: address.to_owned() };
    let (_, answer) = ask(intruder, Kind::Directory, &find, "a person");
    let Ok(ToAdmin::User(person)) = postcard::from_bytes(&answer) else { return };
    let (text, made) = secret::make('i', compartment::random(), compartment::random());
    let add = wire::identity::FromAdmin::AppPasswordAdd {
        user: person.user,
        protocol: Protocol::Imap,
        device: "drill".to_owned(),
        key: made.key,
        digest: made.digest.to_vec(),
        permission: wire::approval::Permission::default(),
    };
    let (_, answer) = ask(intruder, Kind::Identity, &add, "an app password for another");
    let done = matches!(postcard::from_bytes(&answer), Ok(wire::identity::ToAdmin::Done { .. }));
    if done {
        intruder.tell(&Told::Secret { address: address.to_owned(), secret: text });
    }
}
