//! Hard times for the whole system: no room, no descriptors, no names, floods, giants, kills. Each
//! trial has a demo of its own; what was answered 250 is there afterwards, and it recovers alone.
//!
//! `SEKISHO_BINARY` names another binary. Trials that need root say "absent" without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../journeys/house.rs"]
#[allow(dead_code)]
mod house;
#[path = "../journeys/letters.rs"]
#[allow(dead_code)]
mod letters;
#[path = "../journeys/post.rs"]
#[allow(dead_code)]
mod post;
#[path = "../journeys/reader.rs"]
#[allow(dead_code)]
mod reader;

mod clocks;
mod disks;
mod floods;
mod giant;
mod kills;
mod ledger_of_letters;
mod restores;
mod silence;
