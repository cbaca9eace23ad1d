//! The system's own resolvers, when none are configured. resolv.conf(5).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use terms::Cursor;

/// Servers taken from the file: what the C library takes (MAXNS).
const SERVERS: usize = 3;
const DNS_PORT: u16 = 53;
/// The part of the file that is read.
const FILE_OCTETS: usize = 64 * 1024;

/// For whoever starts the house: a compartment reads no such file.
pub fn servers() -> Vec<SocketAddr> {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let servers = servers_in(&text);
    if servers.is_empty() {
        // What resolv.conf(5) says of a file without servers: ask this host.
        return vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DNS_PORT)];
    }
    servers
}

/// The `nameserver` lines. Addresses with a zone (`fe80::1%eth0`) are left out.
pub fn servers_in(text: &[u8]) -> Vec<SocketAddr> {
    let text = text.get(..FILE_OCTETS).unwrap_or(text);
    let mut cursor = Cursor::new(text);
    let mut servers = Vec::new();
    while let Some(line) = cursor.line() {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") || servers.len() == SERVERS {
            continue;
        }
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        servers.extend(address.map(|address| SocketAddr::new(address, DNS_PORT)));
    }
    servers
}
