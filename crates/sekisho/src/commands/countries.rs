//! In which country addresses are registered: the lists that `brake.countries` names.

use super::sealed;
use crate::outcome::Trouble;
use countries::{Table, counted};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The largest registry's list is some 20 MB.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// As `dispatch` takes it; `None`: the settings name no list.
pub fn of_house(files: &[PathBuf]) -> Result<Option<OwnedFd>, Trouble> {
    match files.is_empty() {
        true => Ok(None),
        false => sealed(&packed(files)?).map(Some),
    }
}

/// For `doctor`: what is known, or that nothing is.
pub fn told(files: &[PathBuf]) -> Value {
    if files.is_empty() {
        let hint = "`brake.countries` names lists of the registries";
        return json!({ "known": false, "hint": hint });
    }
    let found = packed(files).map(|packed| counted(&packed));
    match found {
        Ok(Some(found)) => json!({
            "known": true,
            "countries": found.countries,
            "ranges_v4": found.four,
            "ranges_v6": found.six,
        }),
        Ok(None) => json!({ "known": false }),
        Err(trouble) => json!({ "known": false, "fault": trouble.told() }),
    }
}

fn packed(files: &[PathBuf]) -> Result<Vec<u8>, Trouble> {
    let mut table = Table::default();
    for file in files {
        let text = read(file)?;
        table.read(&text).map_err(|wrong| {
            let found = format!("{}, line {}: {}", file.display(), wrong.line, wrong.found);
            let hint = "`brake.countries` names lists in the registries' extended format";
            Trouble::refused(wrong.expected, found, hint)
        })?;
    }
    Ok(table.packed())
}

fn read(file: &Path) -> Result<String, Trouble> {
    let hint = "`brake.countries` names files that may be read";
    let fault =
        |error: std::io::Error| Trouble::fault(format!("{}: {error}", file.display()), hint);
    let length = std::fs::metadata(file).map_err(fault)?.len();
    if length > FILE_BYTES {
        let found = format!("{} of {length} octets", file.display());
        return Err(Trouble::refused("a list of 256 MiB at most", found, hint));
    }
    let octets = std::fs::read(file).map_err(fault)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{packed, told};
    use std::path::PathBuf;

    #[test]
    fn lists_are_read_or_what_is_wrong_is_said() {
        let folder = std::env::temp_dir().join(format!("countries-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let head = "2|apnic|1|1|1|1|0\n";
        let good = write("good", &format!("{head}a|JP|ipv4|192.0.2.0|256|1|assigned\n"));
        let more = write("more", &format!("{head}a|DE|ipv6|2001:db8::|32|1|allocated\n"));
        let broken = write("broken", &format!("{head}a|JP|ipv4|192.0.2.0|x|1|assigned\n"));
        let found = told(&[good.clone(), more]);
        assert_eq!(found["known"], true, "{found}");
        assert_eq!((&found["countries"], &found["ranges_v4"]), (&2.into(), &1.into()));
        let words = packed(&[good, broken]).err().unwrap().told();
        assert!(words.contains("line 2") && words.contains("number of addresses"), "{words}");
        assert!(told(&[folder.join("away")])["fault"].is_string());
        assert_eq!(told(&[])["known"], false);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
