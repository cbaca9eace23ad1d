//! Landlock: which files and TCP ports a compartment can reach at all, best effort by kernel.
//!
//! A zygote's fence is shared by what it forks, so each instance adds a layer of its own: only
//! then are siblings in different domains and cannot signal each other.

use crate::Fault;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use std::io;
use std::path::Path;

/// The ground on which a compartment stands: everything that it may reach beyond its descriptors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grounds<'a> {
    /// The one folder that it may read and write, if any.
    pub own_folder: Option<&'a Path>,
    /// TCP ports that it may connect to.
    pub connect_ports: &'a [u16],
    /// TCP ports that it may bind.
    pub bind_ports: &'a [u16],
    /// Address space in bytes; 0 leaves it unlimited (measured and capped by the warden instead).
    pub memory_bytes: u64,
    /// Open descriptors at most; 0 means the default of [`crate::jail::DESCRIPTORS`].
    pub descriptors: u64,
}

/// The newest rules that we know; older kernels apply what they have.
const NEWEST: ABI = ABI::V6;

/// Raises the fence around the calling process; whether all, some or none of it stands.
///
/// # Errors
/// `Fault::Refused` when the own folder cannot be opened.
pub fn raise(grounds: &Grounds<'_>) -> Result<RulesetStatus, Fault> {
    let broken = |source| Fault::Refused { step: "raise its Landlock fence", source };
    let folder = match grounds.own_folder {
        Some(path) => Some(PathFd::new(path).map_err(|fault| broken(io::Error::other(fault)))?),
        None => None,
    };
    build(grounds, folder).map_err(|fault| broken(io::Error::other(fault)))
}

fn build(
    grounds: &Grounds<'_>,
    folder: Option<PathFd>,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let files = AccessFs::from_all(NEWEST);
    let mut fence = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(files)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if let Some(folder) = folder {
        // Its own files, and no program among them.
        let own = files & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
        fence = fence.add_rule(PathBeneath::new(folder, own))?;
    }
    for port in grounds.connect_ports {
        fence = fence.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    for port in grounds.bind_ports {
        fence = fence.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    Ok(fence.restrict_self()?.ruleset)
}

/// The instance's own layer: the same fence once more, in a domain that no sibling shares.
///
/// # Errors
/// As [`raise`].
pub fn raise_own_layer(grounds: &Grounds<'_>) -> Result<RulesetStatus, Fault> {
    raise(grounds)
}
