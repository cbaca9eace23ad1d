//! Who is asked to come again: strangers of a tenant that greylists, and messages whose sender's
//! DNS is away. The directory remembers when something was first tried (decision 0007).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A stranger comes again after this. RFC 6647 §5: between a minute and a day; mail that cannot
/// wait does not come from strangers.
pub(crate) const STRANGER: Duration = Duration::from_secs(5 * 60);
/// A DNS that fails is waited for so long; then the message is judged by what is known. Senders
/// try for days (RFC 5321 §4.5.4.1), and tell their people after about this time.
pub(crate) const FAILING_DNS: Duration = Duration::from_secs(4 * 60 * 60);

/// What is remembered of a try. A pool of relays is one client: the network counts (RFC 6647 §4.9).
pub(crate) fn digest(what: &str, client: IpAddr, from: &str, to: &str) -> [u8; 32] {
    let network = match client.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() & 0xffff_ff00)),
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
    };
    trace::digest(&format!("{what} {network} <{from}> <{to}>"))
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_try_is_client_network_sender_and_recipient() {
        let of = |client: &str, from: &str, to: &str| {
            digest("stranger", client.parse().unwrap(), from, to)
        };
        let first = of("192.0.2.1", "a@b.example", "c@d.example");
        assert_eq!(first, of("192.0.2.200", "A@b.example", "c@d.example"));
        assert_eq!(first, of("::ffff:192.0.2.9", "a@b.example", "c@d.example"));
        assert_ne!(first, of("192.0.3.1", "a@b.example", "c@d.example"));
        assert_ne!(first, of("192.0.2.1", "x@b.example", "c@d.example"));
        assert_ne!(first, of("192.0.2.1", "a@b.example", "x@d.example"));
        assert_ne!(
            first,
            digest("dns", "192.0.2.1".parse().unwrap(), "a@b.example", "c@d.example")
        );
        assert_eq!(of("2001:db8::1", "", "c@d.example"), of("2001:db8::2", "", "c@d.example"));
        assert_ne!(of("2001:db8::1", "", "c@d.example"), of("2001:db8:0:1::1", "", "c@d.example"));
    }
}
