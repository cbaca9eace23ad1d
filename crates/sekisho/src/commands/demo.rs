//! `sekisho demo`.

use crate::arguments::Arguments;
use crate::demo::{self, Wishes};
use crate::outcome::{Answer, Outcome, Trouble};
use crate::words;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const PORT_BASE: u16 = 2500;
/// Above it the highest offset (95) does not fit.
const HIGHEST_BASE: u16 = u16::MAX - 95;
const CREDENTIAL_BYTES: usize = 32;

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?.map(PathBuf::from);
    let port_base = arguments.parsed("--port-base", "a port number")?.unwrap_or(PORT_BASE);
    let outside = arguments.parsed("--outside", "a port number")?;
    let authority = arguments.option("--outside-authority")?.map(PathBuf::from);
    let sample = !arguments.switch("--no-sample");
    arguments.finish()?;
    if port_base > HIGHEST_BASE {
        let found = port_base.to_string();
        return Err(Trouble::wrong_use("a port base up to 65440", found, "--port-base 2500"));
    }
    // What can be wrong is looked at before anything is made.
    let authority = authority.map(read_authority).transpose()?;
    demo::are_free(port_base, outside.is_some())?;
    let data = match data {
        Some(data) => absolute(data)?,
        None => new_folder()?,
    };
    super::keeping::must_be_restored_whole(&data)?;
    make_folder(&data)?;
    let credential = credential(&data)?;
    let wishes = Wishes { data, port_base, as_json, sample, outside, authority };
    let code = demo::run(wishes, credential)?;
    Ok(Outcome::Told(if code == std::process::ExitCode::SUCCESS { 0 } else { 3 }))
}

fn read_authority(path: PathBuf) -> Result<String, Trouble> {
    let hint = "give --outside-authority a PEM file of the authority that the outside shows";
    let fault =
        |error: std::io::Error| Trouble::fault(format!("{}: {error}", path.display()), hint);
    let text = fs::read_to_string(&path).map_err(fault)?;
    let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
    match found.next() {
        Some(Ok(_)) => Ok(text),
        _ => {
            let found = format!("none in {}", path.display());
            Err(Trouble::refused("certificates in PEM", found, hint))
        }
    }
}

fn absolute(path: PathBuf) -> Result<PathBuf, Trouble> {
    let hint = "give --data a path that can be resolved";
    std::path::absolute(&path).map_err(|error| Trouble::fault(error.to_string(), hint))
}

fn new_folder() -> Result<PathBuf, Trouble> {
    let name = format!("sekisho-demo-{}", terms::InstanceId(compartment::random()));
    let data = std::env::temp_dir().join(name);
    eprintln!("{}", words::said(&format!("sekisho demo: data in {}", data.display())));
    Ok(data)
}

pub fn make_folder(data: &Path) -> Result<(), Trouble> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o711).create(data);
    made.map_err(|error| {
        let what = format!("{} could not be made: {error}", data.display());
        Trouble::fault(what, "give --data a folder that you may write to")
    })
}

/// The demo's unseal credential stands beside its data, so that a restart opens the same mail.
/// Data of another credential would start in vain, again and again.
fn credential(data: &Path) -> Result<Vec<u8>, Trouble> {
    let mut name = data.as_os_str().to_owned();
    name.push(".unseal");
    let path = PathBuf::from(name);
    let fault = |error: std::io::Error| {
        let what = format!("{}: {error}", path.display());
        Trouble::fault(what, "the credential must be a file of 32 octets, yours alone")
    };
    if let Some(found) = own_file(&path).map_err(fault)? {
        if found.len() != CREDENTIAL_BYTES {
            return Err(fault(std::io::ErrorKind::InvalidData.into()));
        }
        return match opens(data, &found)? {
            true => Ok(found),
            false => Err(foreign(data, &path, true)),
        };
    }
    let made: [u8; CREDENTIAL_BYTES] = compartment::random();
    // A new one opens only what is still to be made.
    if !opens(data, &made)? {
        return Err(foreign(data, &path, false));
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(fault)?;
    file.write_all(&made).and_then(|()| file.sync_all()).map_err(fault)?;
    Ok(made.to_vec())
}

/// Whether nothing speaks against this being the credential of this data.
fn opens(data: &Path, credential: &[u8]) -> Result<bool, Trouble> {
    let opens = vault::opens(&data.join("vault"), credential)
        .map_err(|fault| Trouble::fault(fault.to_string(), "see `sekisho doctor`"))?;
    Ok(opens.unwrap_or(true))
}

fn foreign(data: &Path, path: &Path, has_file: bool) -> Trouble {
    let expected = format!("the credential that {} was made with", data.display());
    let found = match has_file {
        true => format!("another credential at {}", path.display()),
        false => format!("no file at {}", path.display()),
    };
    let hint = "copy the file DIR.unseal from where this folder was made to beside it, under this \
        folder's name; or give --data a new folder";
    Trouble::refused(&expected, found, hint)
}

/// What stands in a file that is ours alone; `None` if there is none. Whoever laid a credential
/// there before us, or may read it, could open the mail sealed under it.
fn own_file(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use std::os::unix::fs::MetadataExt;
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let us = rustix::process::geteuid().as_raw();
    if !about.is_file() || about.uid() != us || about.mode() & 0o077 != 0 {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    fs::read(path).map(Some)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{credential, foreign, own_file};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_credential_is_ours_alone_or_none() {
        let folder = std::env::temp_dir().join(format!("sekisho-own-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("one.unseal");
        assert!(own_file(&path).unwrap().is_none());
        fs::write(&path, [7; 32]).unwrap();
        for (mode, is_taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(own_file(&path).is_ok(), is_taken, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let link = folder.join("link.unseal");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(own_file(&link).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
    #[test]
    fn a_credential_stays_and_a_foreign_one_is_told() {
        let folder = std::env::temp_dir().join(format!("sekisho-foreign-{}", std::process::id()));
        let data = folder.join("copy");
        fs::create_dir_all(data.join("vault")).unwrap();
        let kept = folder.join("copy.unseal");
        let own = credential(&data).ok().unwrap();
        assert_eq!((credential(&data).ok().unwrap(), fs::read(&kept).unwrap()), (own.clone(), own));
        for (has_file, japanese) in [(false, "ファイルがありません"), (true, "別の資格情報")]
        {
            let said = foreign(&data, &kept, has_file).for_people(true);
            assert!(said.contains(japanese) && said.contains("とともに作られた"), "{said}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
