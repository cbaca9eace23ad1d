//! Listening ports, the command line's socket, and the data folder with its lock.

use crate::{Fault, Plan};
use compartment::walls::Wall;
use rustix::fs::{FlockOperation, Mode, chmodat, flock};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::Path;
use terms::Kind;
use wire::charter;
use wire::control::Service;

/// Connections that the kernel holds for us while `gate` is busy or being replaced.
pub const BACKLOG: i32 = 1_024;

/// Binds what `gate` and `zone` will be given: for each service its sockets.
pub fn bind_all(plan: &Plan) -> Result<Vec<(Service, OwnedFd)>, Fault> {
    let mut bound = Vec::new();
    for (service, address) in &plan.listeners {
        let unable = |source: rustix::io::Errno| Fault::Unable {
            doing: "listen on",
            what: address.to_string(),
            source: source.into(),
        };
        if *service == Service::Zone {
            bound.push((*service, open(*address, SocketType::DGRAM).map_err(unable)?));
        }
        bound.push((*service, open(*address, SocketType::STREAM).map_err(unable)?));
    }
    Ok(bound)
}

fn open(address: SocketAddr, form: SocketType) -> rustix::io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, form, SocketFlags::CLOEXEC, None)?;
    if form == SocketType::STREAM {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    if form == SocketType::STREAM {
        rustix::net::listen(&socket, BACKLOG)?;
    }
    Ok(socket)
}

/// Takes the data folder for this warden alone; the lock lasts as long as the file is held.
pub fn lock_folder(data: &Path) -> Result<File, Fault> {
    let unable =
        |doing| move |source| Fault::Unable { doing, what: data.display().to_string(), source };
    fs::create_dir_all(data).map_err(unable("make the data folder"))?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data.join("warden.lock"))
        .map_err(unable("lock the data folder"))?;
    // Whoever may read it could hold the lock in our place: the folder lets everybody pass.
    let private = fs::Permissions::from_mode(0o600);
    lock.set_permissions(private).map_err(unable("lock the data folder"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(_) => Err(Fault::Taken { folder: data.display().to_string() }),
    }
}

/// The command line's socket: for root and the data folder's owner.
pub fn open_admin(data: &Path) -> Result<OwnedFd, Fault> {
    let path = data.join("admin.sock");
    let unable = |source: io::Error| Fault::Unable {
        doing: "open the command socket",
        what: path.display().to_string(),
        source,
    };
    // The lock is ours, so a socket that stands here is a dead warden's.
    let _ = fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).map_err(unable)?;
    let mode = Mode::RUSR | Mode::WUSR;
    chmodat(rustix::fs::CWD, &path, mode, rustix::fs::AtFlags::empty())
        .map_err(|errno| unable(errno.into()))?;
    listener.set_nonblocking(true).map_err(unable)?;
    Ok(listener.into())
}

/// Nobody answers there any more.
pub fn close_admin(data: &Path) {
    let _ = fs::remove_file(data.join("admin.sock"));
}

/// Takes one caller of the command socket; `None` when none waits or it may not call.
pub fn accept_caller(listener: &OwnedFd, data: &Path) -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let caller = rustix::net::accept_with(listener, flags).ok()?;
    let peer = sockopt::socket_peercred(&caller).ok()?.uid.as_raw();
    let owner = fs::metadata(data).ok()?.uid();
    (peer == 0 || peer == owner).then_some(caller)
}

/// Who owns a compartment's files and runs it: a user of its own where root may give one, and
/// where that user could reach the folder at all.
pub fn own_user(plan: &Plan, kind: Kind) -> Option<u32> {
    let granted = compartment::is_root() && compartment::walls().granted.contains(&Wall::OwnUser);
    let has_folder = charter(kind).is_some_and(|charter| charter.has_folder);
    let reachable = !has_folder || is_open_to_others(&plan.data);
    (granted && reachable).then(|| plan.user_base + kind.number())
}

/// Makes `DIR/<kind>`, for its compartment alone.
pub fn make_folder(plan: &Plan, kind: Kind) -> Result<Option<String>, Fault> {
    if !charter(kind).is_some_and(|charter| charter.has_folder) {
        return Ok(None);
    }
    let path = plan.data.join(kind.word());
    let unable = |source| Fault::Unable {
        doing: "make the folder",
        what: path.display().to_string(),
        source,
    };
    fs::create_dir_all(&path).map_err(unable)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(unable)?;
    let owner = own_user(plan, kind);
    if compartment::is_root() && fs::metadata(&path).map_err(unable)?.uid() != owner.unwrap_or(0) {
        give(&path, owner.unwrap_or(0)).map_err(unable)?;
    }
    Ok(Some(path.display().to_string()))
}

/// Gives a folder and the files in it to a user: after a restore, or a change of the base.
fn give(folder: &Path, user: u32) -> io::Result<()> {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(path) = waiting.pop() {
        if fs::symlink_metadata(&path)?.is_symlink() {
            continue;
        }
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
        // Never through a link: what stood there a moment ago may be another's by now.
        lchown(&path, Some(user), Some(user))?;
    }
    Ok(())
}

/// Lets other users pass through the data folder (not list it), if every folder above does.
pub fn open_way(plan: &Plan) {
    if compartment::is_root() {
        let _ = fs::set_permissions(&plan.data, fs::Permissions::from_mode(0o711));
    }
}

fn is_open_to_others(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    folder.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|about| about.permissions().mode() & 0o001 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::lock_folder;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nobody_else_can_hold_the_lock() {
        let folder = std::env::temp_dir().join(format!("sekisho-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("warden.lock");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let held = lock_folder(&folder).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(lock_folder(&folder).is_err());
        drop(held);
        fs::remove_dir_all(&folder).unwrap();
    }
}
