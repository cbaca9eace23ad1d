//! `gate` and the instances that take its connections (`edge`, `access`).

use crate::control::Service;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use terms::ConnectionId;

/// From `gate` to an instance.
#[derive(Serialize, Deserialize)]
pub enum FromGate {
    /// A connection; its socket is the one descriptor. One at a time.
    Handed { connection: ConnectionId, peer: SocketAddr, local: SocketAddr, service: Service },
    /// Answer to `Allow`.
    Allowed(bool),
    /// Finish within five seconds: 421, BYE.
    Closing,
}

/// From an instance to `gate`.
#[derive(Serialize, Deserialize)]
pub enum ToGate {
    /// The connection ended. `last`: the instance retires and takes no other.
    Done { connection: ConnectionId, last: bool },
    /// May I hold so many octets more of mail in flight? Answered by `Allowed`.
    Allow { bytes: u64 },
    /// They are held no longer.
    Release { bytes: u64 },
    /// This client's unknown recipients in this connection, for the rate over connections.
    Unknown { count: u32 },
    /// Said before the first octet: the connection is in hand. Until then the gate keeps a copy,
    /// and hands it to another instance if this one dies.
    Begun { connection: ConnectionId },
}
