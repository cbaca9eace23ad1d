//! Addresses that tenants' mail leaves from: each must be one of this host's, or their mail waits.

use crate::outcome::Trouble;
use serde_json::Value;
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

/// Whether the warden could send from there: it binds the address as is done here. `None`: the
/// system does not say. A host that binds addresses which it has not got yet
/// (`ip_nonlocal_bind`, for those that move between two hosts) is believed.
fn is_here(address: IpAddr) -> Option<bool> {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => Some(true),
        // No such address, or none of that family.
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Some(false),
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) =>
        {
            Some(false)
        }
        Err(_) => None,
    }
}

/// The address of `--source`.
pub fn checked(text: &str) -> Result<IpAddr, Trouble> {
    let expected = "an address of this host, or none";
    let hint = "`ip address` lists them; mail of the tenant leaves from this one";
    let address: IpAddr =
        text.parse().map_err(|_| Trouble::wrong_use(expected, text, "--source 192.0.2.1"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(Trouble::refused(expected, text, hint));
    }
    match is_here(address) {
        Some(false) => {
            let found = format!("{address}, which this host does not have");
            Err(Trouble::refused(expected, found, hint))
        }
        _ => Ok(address),
    }
}

/// Tenants (as `tenant list` tells them) whose source address is gone, with the address.
pub fn gone(tenants: &Value) -> Vec<(String, IpAddr)> {
    let items = tenants.get("items").and_then(Value::as_array).into_iter().flatten();
    let gone = items.filter_map(|tenant| {
        let name = tenant.get("tenant")?.as_str()?;
        let source: IpAddr = tenant.pointer("/sending/source")?.as_str()?.parse().ok()?;
        (is_here(source) == Some(false)).then(|| (name.to_owned(), source))
    });
    gone.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{checked, gone};
    use serde_json::json;

    /// Nobody has it: it is for documentation (RFC 5737).
    const ELSEWHERE: &str = "203.0.113.77";

    /// Where a host binds what it has not got, nothing can be told.
    fn binds_anything() -> bool {
        let path = "/proc/sys/net/ipv4/ip_nonlocal_bind";
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
    }

    #[test]
    fn a_source_is_an_address_of_this_host() {
        assert!(checked("127.0.0.1").is_ok());
        for wrong in ["here", "0.0.0.0", "224.0.0.1", "::"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
        assert_eq!(checked(ELSEWHERE).is_ok(), binds_anything());
    }

    #[test]
    fn a_source_that_is_gone_is_named_with_its_tenant() {
        let tenant = |name: &str, source: serde_json::Value| {
            let sending = json!({ "source": source });
            json!({ "tenant": name, "sending": sending })
        };
        let here = tenant("Ume", json!("127.0.0.1"));
        let items = [tenant("Kaede", json!(ELSEWHERE)), here, tenant("Sakura", json!(null))];
        let found = gone(&json!({ "items": items }));
        let expected = if binds_anything() { vec![] } else { vec!["Kaede"] };
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected);
    }
}
