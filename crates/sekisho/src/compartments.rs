//! Which main function belongs to which kind. This is the one place where they all meet.

use compartment::{House, abort_on_panic, prepared_zygote_main, zygote_main};
use std::process::ExitCode;
use terms::{InstanceId, Kind};

/// Becomes a compartment if the arguments say so: `KIND INSTANCE`, as the warden starts them.
pub fn run_as_one(arguments: &[String]) -> Option<ExitCode> {
    let [kind, instance] = arguments else { return None };
    let kind = Kind::parse(kind)?;
    let is_named = InstanceId::parse(instance).is_some() || instance == compartment::title::NO_ID;
    if !is_named {
        return None;
    }
    abort_on_panic(kind.word());
    Some(match kind {
        Kind::Edge => {
            prepared_zygote_main(edge::prepare, |house| unless_drilled(house, edge::serve))
        }
        Kind::Scanner => {
            prepared_zygote_main(scanner::prepare, |house| unless_drilled(house, scanner::serve))
        }
        Kind::Access => zygote_main(|house| unless_drilled(house, access::serve)),
        Kind::Pages => zygote_main(|house| unless_drilled(house, pages::serve)),
        Kind::Admin => zygote_main(|house| unless_drilled(house, admin::serve)),
        Kind::Gate => keep(gate::run),
        Kind::Names => keep(names::run),
        Kind::Signer => keep(signer::run),
        Kind::Mailbox => keep(mailbox::run),
        Kind::Directory => keep(directory::run),
        Kind::Identity => keep(identity::run),
        Kind::Vault => keep(vault::run),
        Kind::Ledger => keep(ledger::run),
        Kind::Mirror => keep(mirror::run),
        Kind::Sentinel => keep(sentinel::run),
        Kind::Zone => keep(zone::run),
        Kind::Dispatch => {
            prepared_zygote_main(dispatch::prepare, |house| unless_drilled(house, dispatch::serve))
        }
        Kind::Depart => zygote_main(|house| unless_drilled(house, depart::serve)),
        Kind::Post => keep(post::run),
        Kind::Fetch => keep(fetch::run),
        Kind::Metrics => keep(metrics::run),
        Kind::Warden => return None,
    })
}

fn keep(run: fn(House) -> ExitCode) -> ExitCode {
    match House::begin() {
        Ok(house) if house.start.drill => drill::hostile_keeper(house, take_vault),
        Ok(house) => run(house),
        Err(fault) => {
            eprintln!("sekisho: a compartment could not begin: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// What whoever owns the vault's process has: the vault's keys, and its code to use them.
fn take_vault(house: &mut House) -> Option<drill::Opener> {
    let owned = vault::Owned::dangerous_take(house)?;
    let (statement_key, credentials) = (owned.statement_key(), owned.dangerous_credentials());
    let open = move |one: &drill::Sealed| {
        let class = drill::sealed_class(one.class);
        let (person, item) = ((one.tenant, one.user), (one.message, class));
        owned.dangerous_open(person, item, one.epoch, &one.wrapped)
    };
    Some(drill::Opener { statement_key, open: Box::new(open), credentials })
}

/// An instance's own work, unless a drill has its place taken.
fn unless_drilled(house: House, serve: fn(House) -> ExitCode) -> ExitCode {
    if house.start.drill { drill::hostile(house) } else { serve(house) }
}
