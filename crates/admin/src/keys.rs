//! Keys in life: listed, rotated, sealed, held. Each act is the vault's to record and to do.

use crate::approvals;
use crate::called;
use crate::peers::{Answer, Peers, Refusal};
use crate::people;
use crate::places::directory;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{Kind, TenantId, UserId};
use wire::approval::{Act, Permission};
use wire::identity::{FromAdmin as FromOperator, ToAdmin as ToOperator};
use wire::vault::{Freeze, FromAdmin, KeyAct, Rotation, TenantKeys, ToAdmin};

/// Whom or what an act is about.
pub struct Named {
    pub tenant: Option<String>,
    pub user: Option<String>,
    pub epoch: Option<u32>,
    pub witness: Option<String>,
}

/// Every tenant by its keys, with its name if the directory still knows it.
pub fn list(peers: &mut Peers<'_>, tenant: Option<String>) -> Answer {
    // Keys of an ended contract are gone, and their row says when: under the name it had.
    let called = called::tenants(peers)?;
    let mut found = rows(peers, None)?;
    if let Some(wanted) = tenant {
        // A name may have been another contract's before.
        found.retain(|row| {
            let is_named = called.get(&row.tenant).is_some_and(|called| called.name == wanted);
            is_named || row.tenant.to_string() == wanted
        });
        if found.is_empty() {
            return Err(Refusal::new("the name of a tenant", &wanted, "see `keys list`"));
        }
    }
    let name = |row: &TenantKeys| called.get(&row.tenant).map(|called| &called.name);
    let items: Vec<Value> = found.iter().map(|row| shown(row, name(row))).collect();
    Ok(json!({ "items": items, "next": null }))
}

pub fn rows(peers: &mut Peers<'_>, of: Option<TenantId>) -> Result<Vec<TenantKeys>, Refusal> {
    match ask(peers, &FromAdmin::Keys { tenant: of })? {
        ToAdmin::Keys(rows) => Ok(rows),
        _ => Err(Refusal::unexpected(Kind::Vault)),
    }
}

fn shown(row: &TenantKeys, name: Option<&String>) -> Value {
    json!({
        "tenant_id": row.tenant.to_string(),
        "tenant": name,
        "epoch": row.epoch,
        "users": row.users,
        "pairs": row.pairs,
        "credentials": row.credentials,
        "sealed": row.sealed,
        "holds": row.held.len(),
        "shredded": row.shredded_ms.map(evidence::rfc3339),
    })
}

pub fn epochs(peers: &mut Peers<'_>) -> Answer {
    let ToAdmin::BackupEpochs(epochs) = ask(peers, &FromAdmin::BackupEpochs)? else {
        return Err(Refusal::unexpected(Kind::Vault));
    };
    let items: Vec<Value> = epochs
        .iter()
        .map(|epoch| {
            json!({
                "epoch": epoch.epoch,
                "started": evidence::rfc3339(epoch.started_ms),
                "ended": epoch.ended_ms.map(evidence::rfc3339),
                "destroyed": epoch.destroyed_ms.map(evidence::rfc3339),
            })
        })
        .collect();
    Ok(json!({ "items": items, "next": null }))
}

/// What protects, and what belongs to a destruction, is done at once; every other act upon keys
/// is an act for two, and reaches the vault by identity's word.
pub fn act(peers: &mut Peers<'_>, word: &str, named: Named) -> Answer {
    let act = understood(peers, word, named)?;
    if let KeyAct::SealTenant { tenant } = &act {
        must_be_open(&rows(peers, Some(*tenant))?, *tenant)?;
    }
    if act.needs_two() {
        let permission = approvals::permission(peers)?;
        return act_under(peers, act, permission);
    }
    let answer = ask(peers, &FromAdmin::Act(act.clone()))?;
    acted_json(&act, answer, None)
}

/// A request to seal what is sealed would wait, and be carried out after somebody unsealed it.
fn must_be_open(rows: &[TenantKeys], tenant: TenantId) -> Result<(), Refusal> {
    match rows.iter().any(|row| row.tenant == tenant && row.sealed) {
        true => {
            let hint = "see `keys list`";
            Err(Refusal::new(
                "a tenant that is not sealed",
                "sealed already: nothing was to be done",
                hint,
            ))
        }
        false => Ok(()),
    }
}

/// An act upon keys, with the grounds for it.
pub fn act_under(peers: &mut Peers<'_>, act: KeyAct, permission: Permission) -> Answer {
    let question = FromOperator::Carry { act: Act::Keys(act.clone()), permission };
    match approvals::ask(peers, &question)? {
        ToOperator::Acted { answer, weakened } => acted_json(&act, done(*answer)?, weakened),
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

fn acted_json(act: &KeyAct, answer: ToAdmin, weakened: Option<String>) -> Answer {
    let ToAdmin::Acted(acted) = answer else {
        return Err(Refusal::unexpected(Kind::Vault));
    };
    Ok(json!({
        "act": act.word().trim_start_matches("keys."),
        "entry": acted.entry,
        "at": evidence::rfc3339(acted.at_ms),
        "keys": acted.keys,
        "last_openable": acted.last_openable_ms.map(evidence::rfc3339),
        "epochs_to_destroy": acted.epochs_to_destroy,
        "weakened": weakened,
    }))
}

fn understood(peers: &mut Peers<'_>, word: &str, named: Named) -> Result<KeyAct, Refusal> {
    let epoch = named.epoch;
    Ok(match word {
        "rotate-root" => KeyAct::Rotate(Rotation::Root),
        "epoch-start" => KeyAct::StartBackupEpoch,
        "epoch-destroyed" => match witness(named.witness.as_deref())? {
            Some(witness) => KeyAct::EpochKeyDestroyed { epoch: numbered(epoch)?, witness },
            None => KeyAct::EpochDestroyed { epoch: numbered(epoch)? },
        },
        "epoch-gone" => KeyAct::EpochGone { epoch: numbered(epoch)? },
        "rotate-tenant" => KeyAct::Rotate(Rotation::Tenant { tenant: whose(peers, named)?.0 }),
        "seal" => KeyAct::SealTenant { tenant: whose(peers, named)?.0 },
        "unseal" => KeyAct::UnsealTenant { tenant: whose(peers, named)?.0 },
        "hold" | "release-hold" => {
            let ((tenant, user), on) = (whose(peers, named)?, word == "hold");
            KeyAct::Hold { tenant, user, on }
        }
        "freeze" | "thaw" => {
            let ((tenant, user), on) = (whose(peers, named)?, word == "freeze");
            KeyAct::Freeze(Freeze { on, tenant: Some(tenant), user, instance: None })
        }
        "rotate-user" | "rotate-pairs" => {
            let (tenant, user) = whose(peers, named)?;
            let needs = || Refusal::new("a person's address", "none", "--user ADDRESS");
            let user = user.ok_or_else(needs)?;
            KeyAct::Rotate(match word {
                "rotate-user" => Rotation::User { tenant, user },
                _ => Rotation::Pairs { tenant, user },
            })
        }
        other => return Err(Refusal::new("an act upon keys", other, "sekisho help")),
    })
}

fn numbered(epoch: Option<u32>) -> Result<u32, Refusal> {
    epoch.ok_or_else(|| Refusal::new("the epoch's number", "none", "see `keys epochs`"))
}

fn witness(text: Option<&str>) -> Result<Option<[u8; 32]>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let octets = HEXLOWER.decode(text.as_bytes()).ok().and_then(|octets| octets.try_into().ok());
    let wrong = || Refusal::new("32 octets in hexadecimal", "another text", "sekisho help");
    octets.map(Some).ok_or_else(wrong)
}

/// The tenant, and the person if one is named.
fn whose(peers: &mut Peers<'_>, named: Named) -> Result<(TenantId, Option<UserId>), Refusal> {
    if let Some(address) = named.user {
        let user = people::find(peers, address)?;
        return Ok((user.tenant_id, Some(user.user)));
    }
    let needs = || Refusal::new("a tenant or a person", "neither", "--tenant T or --user ADDRESS");
    let name = named.tenant.ok_or_else(needs)?;
    Ok((find_tenant(&names(peers)?, &name)?, None))
}

fn names(peers: &mut Peers<'_>) -> Result<HashMap<TenantId, String>, Refusal> {
    let mut names = HashMap::new();
    directory(peers, &wire::directory::FromAdmin::TenantList, |answer| match answer {
        wire::directory::ToAdmin::Tenants(tenants) => {
            names = tenants.into_iter().map(|one| (one.tenant, one.name)).collect();
            Some(Value::Null)
        }
        _ => None,
    })?;
    Ok(names)
}

fn find_tenant(names: &HashMap<TenantId, String>, name: &str) -> Result<TenantId, Refusal> {
    let found = names.iter().find(|(tenant, known)| *known == name || tenant.to_string() == name);
    let missing = || Refusal::new("the name of a tenant", name, "see `tenant list`");
    found.map(|(tenant, _)| *tenant).ok_or_else(missing)
}

pub fn ask(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<ToAdmin, Refusal> {
    done(peers.ask(Kind::Vault, question)?)
}

fn done(answer: ToAdmin) -> Result<ToAdmin, Refusal> {
    match answer {
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::EvidenceAway => Err(Refusal::Fault(
            "the ledger or its mirror is away: nothing was done; try again in a moment".to_owned(),
        )),
        answer => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, TenantKeys, must_be_open};
    use terms::TenantId;

    #[test]
    fn what_is_sealed_is_not_asked_to_be_sealed() {
        let row = |number: u8, sealed| TenantKeys {
            tenant: TenantId([number; 8]),
            epoch: 1,
            users: 1,
            pairs: 1,
            credentials: 0,
            sealed,
            held: Vec::new(),
            shredded_ms: None,
        };
        let rows = [row(1, false), row(2, true)];
        assert!(must_be_open(&rows, TenantId([1; 8])).is_ok());
        let refused = must_be_open(&rows, TenantId([2; 8]));
        let said = |one: Refusal| match one {
            Refusal::Wanting { found, .. } => found.starts_with("sealed already"),
            _ => false,
        };
        assert!(refused.is_err_and(said));
    }
}
