//! Journeys through the whole system: the real binary, its demo on loopback, real sockets and
//! real mail clients. Each promise of the black-box contract is a case here.
//!
//! `SEKISHO_BINARY` names another binary; `SEKISHO_KILLS` says how often the kill run kills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alarms;
mod arc;
mod arrival;
mod asked;
mod bcc;
mod clients;
mod commands;
mod contracts;
mod dates;
mod endings;
mod house;
mod imap_cases;
mod imap_stress;
mod imap_value;
mod imaptest;
mod install;
mod kills;
mod leaks;
mod leaving;
mod leaving_kills;
mod letters;
mod lists;
mod losses;
mod maildrop;
mod older;
mod onward;
mod outlet;
mod post;
mod probes;
mod proof;
mod public;
mod reader;
mod releases;
mod reports;
mod sentinel;
mod shared;
mod sink;
mod smart_host;
mod spellings;
mod stopping;
mod tls_reports;
mod unable;
mod waiting;
mod walls;
mod watching;
mod weather;
mod web;
