//! What is wrong with a name by itself: told before anybody is asked, by the keepers' own rules.

use crate::arguments::Arguments;
use crate::outcome::Trouble;

/// The name of a tenant that is to be made.
pub fn tenant(arguments: &mut Arguments) -> Result<String, Trouble> {
    let name = arguments.word("the tenant's name")?;
    match directory::is_tenant_name(&name) {
        true => Ok(name),
        false => {
            let hint = "choose another name";
            Err(Trouble::wrong_use("a tenant's name of 1 to 100 octets", told(&name), hint))
        }
    }
}

/// An address that is to be given out.
pub fn address(arguments: &mut Arguments) -> Result<String, Trouble> {
    sound(arguments.word("the address")?)
}

/// More of them for the same person.
pub fn aliases(arguments: &mut Arguments) -> Result<Vec<String>, Trouble> {
    arguments.options("--alias")?.into_iter().map(sound).collect()
}

fn sound(address: String) -> Result<String, Trouble> {
    match directory::is_address(address.trim()) {
        true => Ok(address),
        false => {
            let hint = "letters, digits, dot, hyphen, underscore; no `+` (it marks a detail)";
            Err(Trouble::wrong_use("an address local@domain", told(&address), hint))
        }
    }
}

/// An address of anybody: whether somebody is there, others know.
pub fn elsewhere(address: &str) -> Result<(), Trouble> {
    let (local, domain) = address.trim().rsplit_once('@').unwrap_or_default();
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == ',';
    if local.is_empty() || domain.is_empty() || address.trim().contains(is_odd) {
        let hint = "one address a word, such as ann@example.jp";
        return Err(Trouble::wrong_use("an address local@domain", told(address), hint));
    }
    Ok(())
}

/// A domain that is to be ours.
pub fn domain(name: String) -> Result<String, Trouble> {
    directory::domain_to_be(&name)
        .map_err(|(expected, hint)| Trouble::wrong_use(expected, told(&name), hint))
}

/// What an app password is for.
pub fn device(arguments: &mut Arguments) -> Result<Option<String>, Trouble> {
    let device = arguments.option("--device")?;
    match device.as_ref().map_or(0, String::len) {
        0..=identity::DEVICE_BYTES => Ok(device),
        length => {
            let found = format!("one of {length} octets");
            let hint = "--device \"Ann's phone\"";
            Err(Trouble::wrong_use("a device's name of 100 octets at most", found, hint))
        }
    }
}

fn told(name: &str) -> String {
    match name.trim() {
        "" => "an empty word".to_owned(),
        name => name.to_owned(),
    }
}
