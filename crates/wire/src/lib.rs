//! How compartments speak: channels, frames, and one enum of messages per pair of peers.
//!
//! A channel is one end of a Unix `SOCK_SEQPACKET` pair that the warden made; one packet is one
//! frame. Who may hold a channel to whom is one table, [`CHARTERS`].

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod accepted;
pub mod admin;
pub mod approval;
mod channel;
mod charter;
pub mod control;
mod crowding;
pub mod directory;
pub mod dispatch;
pub mod ending;
mod fault;
pub mod fetch;
pub mod gate;
mod hub;
pub mod identity;
mod judging;
pub mod ledger;
pub mod lists;
pub mod mailbox;
pub mod metrics;
pub mod names;
pub mod outlet;
pub mod pages;
mod parcel;
pub mod passing;
pub mod post;
pub mod redirection;
pub mod reports;
pub mod scanner;
mod sending;
pub mod sentinel;
pub mod signer;
pub mod sts;
pub mod tls_report;
pub mod vault;
mod voices;

pub use channel::{
    Channel, FRAME_BYTES, Frame, INLINE_BYTES, let_go_of_long_frames, tell_of_crowding,
};
pub use charter::{CHARTERS, Charter, Network, charter};
pub use control::Label;
pub use crowding::on_crowding;
pub use fault::Fault;
pub use hub::{Event, Hub, OUTGOING_FRAMES, Peer, UNREAD};
pub use parcel::{LENT_BYTES, PARCEL_BYTES, Parcel};
