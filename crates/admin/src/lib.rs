//! `admin` is the other end of the command line: one request, one answer, one process.
//!
//! # Holds          the request in hand; a secret that it has just made, until it is shown
//! # May ask        names, directory, identity, vault, mailbox, signer, ledger, sentinel; the
//! #                warden (to isolate)
//! # Network        none; one connection of `DIR/admin.sock`, passed to it
//! # If taken over  what its caller's request may do, recorded; no stored mail, no private key
//! # Never          opens a store; shows a secret twice; serves a second request

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod approvals;
mod called;
mod credentials;
mod domains;
mod endings;
mod keys;
mod lists;
mod outgoing;
mod passing;
mod peers;
mod people;
mod places;
mod quarantine;
mod queue;
mod records;
mod reports;
mod watch;
mod words;

use compartment::House;
use peers::{Answer, Peers, Refusal};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;
use terms::Kind;
use wire::admin::{Asking, Grounds, REQUEST_BYTES, Request, Response};
use wire::directory::FromAdmin;

/// How long a caller may take to write its one line.
const CALLER_PATIENCE: Duration = Duration::from_secs(10);
/// The connection follows the birth at once, or never.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Serves the one request that this process was born for.
pub fn serve(mut house: House) -> ExitCode {
    let Ok((connection, _)) = house.next_join(Kind::Admin, CONNECTION_PATIENCE) else {
        return ExitCode::SUCCESS; // stopped before anybody called
    };
    let mut connection = File::from(OwnedFd::from(connection));
    let response = match read_request(&mut connection) {
        Ok((request, grounds)) => answer(&mut Peers::new(&mut house, grounds), request),
        Err(what) => Response::Refused {
            expected: "one JSON request on one line".to_owned(),
            found: what,
            hint: "use the `sekisho` command line of the same version".to_owned(),
        },
    };
    let mut line = serde_json::to_vec(&response).unwrap_or_default();
    line.push(b'\n');
    match connection.write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_request(connection: &mut File) -> Result<(Request, Grounds), String> {
    let mut line = Vec::new();
    let mut chunk = [0u8; 4096];
    while !line.contains(&b'\n') {
        if line.len() > REQUEST_BYTES {
            return Err(format!("more than {REQUEST_BYTES} octets"));
        }
        if !is_readable(connection) {
            return Err("nothing for 10 seconds".to_owned());
        }
        match connection.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => line.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) => return Err(error.to_string()),
        }
    }
    let request = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
    let Asking { asking } = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
    Ok((request, asking))
}

fn is_readable(connection: &File) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec { tv_sec: CALLER_PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::new(connection, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0)
}

fn answer(peers: &mut Peers<'_>, request: Request) -> Response {
    match act(peers, request) {
        Ok(value) => Response::Done { value: value.to_string() },
        Err(Refusal::Wanting { expected, found, hint }) => {
            Response::Refused { expected, found, hint }
        }
        Err(Refusal::Pending(value)) => Response::Wanting { value: value.to_string() },
        Err(Refusal::Fault(what)) => Response::Fault { what },
    }
}

/// Which act a request asks for.
fn act(peers: &mut Peers<'_>, request: Request) -> Answer {
    match request {
        Request::TenantAdd { name } => places::add_tenant(peers, name),
        Request::TenantList => places::list_tenants(peers),
        Request::TenantShow { name } => places::show_tenant(peers, name),
        Request::DomainAdd { domain, tenant } => domains::add(peers, domain, tenant),
        Request::DomainList { tenant } => domains::list(peers, tenant),
        Request::DomainCheck { domain, allow } => domains::check_domain(peers, &domain, &allow),
        Request::DomainKeys { domain } => domains::keys(peers, &domain),
        Request::DomainRotateKeys { domain, retire, unchecked } => {
            domains::rotate(peers, &domain, retire, unchecked)
        }
        Request::UserAdd { address, tenant, role, aliases, password } => {
            people::add(peers, people::New { address, tenant, role, aliases, password })
        }
        Request::UserQuota { address, bytes } => people::quota(peers, address, bytes),
        Request::UserList { tenant } => people::list(peers, tenant),
        Request::UserDisable { address, disabled } => people::disable(peers, address, disabled),
        Request::UserReset { address } => people::reset(peers, address),
        Request::AppPasswordAdd { address, protocol, device, secret_seed } => {
            people::add_app_password(peers, address, &protocol, device, secret_seed)
        }
        Request::AppPasswordRevoke { id } => people::revoke_app_password(peers, id),
        Request::AppPasswordList { address } => people::list_app_passwords(peers, address),
        Request::Trace { query } => records::trace(peers, &query),
        Request::QuarantineList { tenant, about } => quarantine::list(peers, tenant, about),
        Request::QuarantineShow { id, about } => quarantine::show(peers, &id, about),
        Request::QuarantineRelease { id } => quarantine::release(peers, &id),
        Request::QueueList { tenant, after } => queue::list(peers, tenant, after),
        Request::QueueShow { id } => queue::show(peers, &id),
        Request::QueueStatus => queue::status(peers),
        Request::QueueAct { act, id } => queue::act(peers, &act, &id),
        Request::ReportsList { tenant, domain, kind, after } => {
            reports::list(peers, (tenant, domain), kind, after)
        }
        Request::ReportsShow { id } => reports::show(peers, &id),
        Request::Authority => places::authority(peers),
        Request::CertificateInstall { chain, key } => places::install(peers, &chain, key),
        Request::CertificateRenew => places::renew(peers),
        Request::Status => records::status(peers),
        Request::TenantSet { .. } => approvals::set_tenant(peers, request),
        Request::TenantSending { name, change, sign_in, no_sign_in } => {
            outgoing::set(peers, name, change, (sign_in, no_sign_in))
        }
        Request::DomainSet { domain, catch_all, mta_sts, max_age_seconds } => {
            let wish = outgoing::DomainWish { catch_all, mta_sts, max_age_seconds };
            outgoing::set_domain(peers, domain, wish)
        }
        Request::UserForward { address, to, keep } => passing::forward(peers, address, to, keep),
        Request::UserAway { address, absence } => passing::away(peers, address, absence),
        Request::GroupChange { address, tenant, with, without } => {
            passing::change_group(peers, address, tenant, (with, without))
        }
        Request::List { list } => lists::act(peers, list),
        Request::TlsReports { send } => outgoing::tls_reports(peers, send),
        Request::GroupRemove { address } => passing::remove_group(peers, address),
        Request::GroupShare { address, with, without, none } => {
            passing::share_group(peers, address, (with, without), none)
        }
        Request::GroupList { address, tenant } => passing::list_groups(peers, address, tenant),
        Request::DomainGateway { domain, host, taken, list } => {
            passing::set_gateway(peers, FromAdmin::Gateway { domain, host, taken, list })
        }
        Request::DomainGatewayAny { domain } => passing::end_list(peers, domain),
        Request::TenantOutlet { name, change } => passing::outlet(peers, name, change),
        Request::DomainGatewayShow { domain } => {
            passing::set_gateway(peers, FromAdmin::GatewayShow { domain })
        }
        Request::DomainGatewayList { domain, addresses, sync_ms, is_last, is_asked } => {
            let page = FromAdmin::GatewayList { domain, addresses, sync_ms, is_last, is_asked };
            passing::set_gateway(peers, page)
        }
        Request::TenantTerminate { name, grace_ms } => {
            endings::terminate_tenant(peers, &name, grace_ms)
        }
        Request::UserTerminate { address, grace_ms } => {
            endings::terminate_user(peers, &address, grace_ms)
        }
        Request::TerminationCancel { name } => endings::cancel(peers, &name),
        Request::Endings => endings::list(peers, None),
        Request::EndingsOf { address } => endings::list(peers, Some(address)),
        Request::HoldAdd { name, reason } => endings::hold(peers, &name, reason),
        Request::HoldList => endings::list_holds(peers),
        Request::HoldLift { id } => endings::lift(peers, &id),
        Request::Patterns => endings::patterns(peers),
        Request::Searched { contracts, files, bytes, found, unread } => {
            endings::searched(peers, (contracts, files, bytes), found, unread)
        }
        Request::ReadPass { address, purpose, for_ms } => {
            approvals::pass(peers, address, &purpose, for_ms)
        }
        Request::ApprovalList => approvals::list(peers),
        Request::ApprovalShow { id } => approvals::show(peers, &id),
        Request::ApprovalAnswer { id, agree } => approvals::answer(peers, &id, agree),
        Request::ApprovalCarryOut { id } => approvals::carry_out(peers, &id),
        Request::ApprovalMode { mode } => approvals::mode(peers, mode.as_deref()),
        Request::PasswordChange { address, password, new } => {
            people::change_password(peers, &address, &password, &new)
        }
        Request::Render { users, tenants } => called::render(peers, users, tenants),
        Request::KeysList { tenant } => keys::list(peers, tenant),
        Request::KeysAct { act, tenant, user, epoch, witness } => {
            keys::act(peers, &act, keys::Named { tenant, user, epoch, witness })
        }
        Request::KeysEpochs => keys::epochs(peers),
        Request::DecoyAdd { address, tenant } => watch::add_decoy(peers, address, tenant),
        Request::Freeze { address, tenant, component, frozen } => {
            watch::freeze(peers, watch::Meant { address, tenant, component }, frozen)
        }
        Request::FreezeList => watch::list_freezes(peers),
        Request::AcknowledgeLoss { whose, size, root } => {
            approvals::acknowledge(peers, &whose, size, &root)
        }
        Request::AlarmTest => watch::test_alarms(peers),
        Request::Isolate { component, isolated: true } => watch::isolate(peers, &component),
        Request::Isolate { component, isolated: false } => watch::rejoin(peers, &component),
        Request::IsolateList => watch::list_isolated(peers),
    }
}
