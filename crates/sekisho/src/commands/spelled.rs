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
    if let Some((expected, found, hint)) = directory::odd_address(&address) {
        return Err(Trouble::wrong_use(expected, found, hint));
    }
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
    if device.as_deref().is_some_and(|name| !terms::plain::is_plain(name)) {
        let found = "one with a line break, an escape or another hidden letter";
        let hint = "--device \"Ann's phone\"";
        return Err(Trouble::wrong_use("a device's name on one line", found, hint));
    }
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

#[cfg(test)]
mod tests {
    use super::device;
    use crate::arguments::Arguments;

    #[test]
    fn a_devices_name_hides_nothing() {
        let taken = |name: &str| {
            let typed = ["--device", name].map(str::to_owned).to_vec();
            device(&mut Arguments::new(typed)).map_err(|trouble| trouble.for_people(true))
        };
        for name in ["a\nb", "a\u{1b}[2Jb", "a\rb", "a\u{202e}b"] {
            let told = taken(name).err().unwrap_or_default();
            assert!(told.contains("端末名") && told.contains("見えない文字"), "{told}");
        }
        assert!(taken("葵のスマートフォン 📮").is_ok());
    }
}
