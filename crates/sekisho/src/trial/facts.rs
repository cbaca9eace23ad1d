//! What an intruder is told of the house: more than a real one would know.

use super::markers::Side;
use super::stage::House;
use drill::{Asset, Facts};
use terms::Kind;

/// Somebody of the other organisation whose mail nobody reads in a drill.
pub const NEIGHBOUR: &str = "bob@example.net";

pub fn facts(house: &mut House, kind: Kind) -> Facts {
    house.watch.pump();
    let victim = if kind == Kind::Vault { Kind::Mailbox } else { Kind::Vault };
    let victim = house.watch.alive.iter().find(|alive| alive.kind == victim);
    let mut files: Vec<(Asset, String)> =
        FILES.iter().map(|(asset, path)| (*asset, (*path).to_owned())).collect();
    files.push((Asset::AccountSecrets, house.unseal.display().to_string()));
    for (asset, owner) in STORES {
        if *owner == kind {
            continue;
        }
        let folder = house.data.join(owner.word());
        let inside = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let first = inside.map(|entry| entry.path()).find(|path| path.is_file());
        files.push((*asset, first.unwrap_or(folder).display().to_string()));
    }
    Facts {
        files,
        victim: victim.map_or(1, |alive| alive.pid),
        other: house.hidden.clone(),
        domain: "example.net".to_owned(),
        outside: house.outside.at,
        colleague: "haru@example.jp".to_owned(),
        neighbour: NEIGHBOUR.to_owned(),
        round: 0,
        smart_hosts: super::stage::SMART_HOSTS.map(str::to_owned).to_vec(),
        person: house.account(Side::B).map_or("", |account| account.address).to_owned(),
    }
}

/// Where an intruder looks who lives off the land.
const FILES: &[(Asset, &str)] = &[
    (Asset::Host, "/etc/passwd"),
    (Asset::Host, "/etc/shadow"),
    (Asset::Host, "/proc/self/mem"),
    (Asset::Host, "/proc/1/environ"),
    (Asset::Host, "/proc/net/tcp"),
    (Asset::Host, "/root/.bash_history"),
    (Asset::Host, "/root/.ssh/id_ed25519"),
    (Asset::CloudCredentials, "/root/.aws/credentials"),
    (Asset::CloudCredentials, "/root/.config/gcloud/credentials.db"),
    (Asset::CloudCredentials, "/root/.azure/msal_token_cache.json"),
    (Asset::CloudCredentials, "/var/run/secrets/kubernetes.io/serviceaccount/token"),
    (Asset::MailInFlight, "/proc/1/fd/4"),
    (Asset::MailInFlight, "/var/spool/mail/root"),
];

/// Whose folder holds what.
const STORES: &[(Asset, Kind)] = &[
    (Asset::AccountSecrets, Kind::Vault),
    (Asset::AccountSecrets, Kind::Identity),
    (Asset::StoredBodies, Kind::Mailbox),
    (Asset::StoredHeaders, Kind::Mailbox),
    (Asset::OtherTenants, Kind::Directory),
    (Asset::Evidence, Kind::Ledger),
    (Asset::Evidence, Kind::Mirror),
];
