//! People who read and write while something hostile runs, and strangers who try what was stolen.

use super::markers::Side;
use super::stage::House;
use crate::demo::reading::Reader;
use std::net::SocketAddr;
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

/// Letters fetched by one reader.
const COMMANDS: &[&str] = &["SELECT INBOX", "FETCH 1:* (BODY.PEEK[])"];

/// What became of one reading.
pub struct Reading {
    /// Everything that was read.
    pub octets: Vec<u8>,
    /// The last answer to a command, or why there was none.
    pub said: String,
    pub let_in: bool,
    pub millis: u64,
}

/// Reads somebody's inbox with a name and a secret, in a thread of its own.
pub fn reading(house: &House, name: &str, secret: &str) -> JoinHandle<Reading> {
    let (imaps, authority) = (house.ports.imaps(), house.authority.clone());
    let login = format!("LOGIN {name} {secret}");
    spawn(move || {
        let begun = Instant::now();
        let mut reading =
            Reading { octets: Vec::new(), said: String::new(), let_in: false, millis: 0 };
        if let Err(error) = read_all(imaps, &authority, &login, &mut reading) {
            reading.said = error.to_string();
        }
        reading.millis = begun.elapsed().as_millis() as u64;
        reading
    })
}

fn read_all(
    imaps: SocketAddr,
    authority: &str,
    login: &str,
    reading: &mut Reading,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut reader = Reader::connect(imaps, authority)?;
    (_, reading.said) = reader.say(login)?;
    reading.let_in = is_ok(&reading.said);
    for command in COMMANDS.iter().filter(|_| reading.let_in) {
        let (untagged, said) = reader.say(command)?;
        reading.octets.extend(untagged.concat());
        reading.said = said;
        if !is_ok(&reading.said) {
            break;
        }
    }
    Ok(())
}

fn is_ok(said: &str) -> bool {
    said.split_whitespace().nth(1) == Some("OK")
}

/// The person of a side, reading as every day.
pub fn person_reading(house: &House, side: Side) -> Option<JoinHandle<Reading>> {
    let account = house.account(side)?;
    Some(reading(house, account.address, &account.app_password))
}
