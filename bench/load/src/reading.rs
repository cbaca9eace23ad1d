//! Readers: a large mailbox, single openings, a hundred overviews.

use crate::corpus::Corpus;
use crate::figures::{ms, share};
use crate::imap::{Imap, Place};
use crate::{Outcome, Wishes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Messages in one breath of APPEND, so that a filling does not wait for each answer.
const BREATH: usize = 50;

/// Sessions that fill a mailbox together, so that one commit of the keeper takes several.
const FILLERS: usize = 12;

/// Fills the account's INBOX up to so many messages.
pub fn fill(wishes: &Wishes) -> Outcome<Value> {
    let place = Arc::new(Place::read(wishes.text("ready")?)?);
    let account = wishes.number_or("account", 0)?;
    let wanted = wishes.number_or("messages", 1_000)?;
    let there = place.sign_in(account)?.ask("SELECT INBOX")?.exists;
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(there));
    let fillers = (0..FILLERS).map(|_| {
        let (place, next) = (place.clone(), next.clone());
        std::thread::spawn(move || fill_along(&place, account, &next, wanted))
    });
    let fillers: Vec<_> = fillers.collect();
    for filler in fillers {
        filler.join().map_err(|_| "a filler died")??;
    }
    let took = begin.elapsed();
    let appended = wanted.saturating_sub(there);
    Ok(json!({ "messages": wanted, "appended": appended, "seconds": ms(took) / 1e3 }))
}

fn fill_along(place: &Place, account: usize, next: &AtomicUsize, wanted: usize) -> Outcome<()> {
    let mut imap = place.sign_in(account)?;
    let corpus = Corpus::new(600, b"")?;
    loop {
        let number = next.fetch_add(BREATH, Ordering::Relaxed);
        let count = BREATH.min(wanted.saturating_sub(number));
        if count == 0 {
            let _ = imap.ask("LOGOUT");
            return Ok(());
        }
        for at in 0..count {
            let (_, letter) = corpus.letter(number + at, "aoi@example.jp")?;
            let letter = letter.strip_suffix(b".\r\n").unwrap_or(&letter);
            imap.tell(&format!("APPEND INBOX {{{}+}}", letter.len()))?;
            imap.line.send(letter)?;
            imap.line.send(b"\r\n")?;
        }
        imap.heard()?;
    }
}

/// All the readings, each as often as it can be told from noise.
pub fn read(wishes: &Wishes) -> Outcome<Value> {
    let place = Arc::new(Place::read(wishes.text("ready")?)?);
    let account = wishes.number_or("account", 0)?;
    let releases = wishes.number_or("releases", 200)?;
    let clients = wishes.number_or("clients", 64)?;
    let mut imap = place.sign_in(account)?;
    let exists = imap.ask("SELECT INBOX")?.exists;
    let mut select: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        imap.ask("UNSELECT")?;
        select.push(timed(&mut imap, "SELECT INBOX")?);
    }
    let mut flags = Vec::new();
    let mut flags_octets = 0;
    for _ in 0..3 {
        let (time, octets) = counted(&mut imap, "FETCH 1:* (FLAGS)", exists)?;
        flags.push(time);
        flags_octets = octets;
    }
    let last = exists.min(1_000);
    let (mut store, mut unstore) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        store.push(counted(&mut imap, &format!("STORE 1:{last} +FLAGS (\\Flagged)"), last)?.0);
        unstore.push(counted(&mut imap, &format!("STORE 1:{last} -FLAGS (\\Flagged)"), last)?.0);
    }
    let mut overviews = Overviews::default();
    overviews.look(&place, account, exists)?;
    let mut opening = Vec::new();
    for number in 1..=releases.min(exists) {
        let at = (number * 7919) % exists + 1;
        opening.push(timed(&mut imap, &format!("FETCH {at} (BODY.PEEK[])"))?);
    }
    let _ = imap.ask("LOGOUT");
    let (rate, failed, mut crowd) = crowd(&place, clients, releases)?;
    Ok(json!({
        "messages": exists,
        "select_ms": share(&mut select, 50),
        "fetch_flags_octets": flags_octets,
        "fetch_flags_ms": share(&mut flags, 50),
        "store_1000_ms": share(&mut store, 50),
        "unstore_1000_ms": share(&mut unstore, 50),
        "summaries_100_cold_ms": share(&mut overviews.cold, 50),
        "summaries_100_warm_ms": share(&mut overviews.warm, 50),
        "release_p50_ms": share(&mut opening, 50),
        "release_p99_ms": share(&mut opening, 99),
        "clients": clients,
        "releases_per_second": rate,
        "releases_failed": failed,
        "crowd_p50_ms": share(&mut crowd, 50),
        "crowd_p99_ms": share(&mut crowd, 99),
    }))
}

/// A hundred overviews: first in a fresh session, then once more in it.
#[derive(Default)]
struct Overviews {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
}

impl Overviews {
    fn look(&mut self, place: &Place, account: usize, exists: usize) -> Outcome<()> {
        for round in 0..3 {
            let mut imap = place.sign_in(account)?;
            imap.ask("SELECT INBOX")?;
            let first = exists.saturating_sub(100 * (round + 1)).max(1);
            let command = format!("FETCH {first}:{} (ENVELOPE)", (first + 99).min(exists));
            let hundred = exists.min(100);
            self.cold.push(counted(&mut imap, &command, hundred)?.0);
            self.warm.push(counted(&mut imap, &command, hundred)?.0);
            let _ = imap.ask("LOGOUT");
        }
        Ok(())
    }
}

fn timed(imap: &mut Imap, command: &str) -> Outcome<Duration> {
    Ok(counted(imap, command, 0)?.0)
}

/// An answer of fewer lines than there must be is no answer to be timed.
fn counted(imap: &mut Imap, command: &str, lines: usize) -> Outcome<(Duration, usize)> {
    let begin = Instant::now();
    let heard = imap.ask(command)?;
    match heard.lines >= lines {
        true => Ok((begin.elapsed(), heard.octets)),
        false => Err(format!("{command}: {} lines of {lines}", heard.lines).into()),
    }
}

/// So many clients, each opening one message after the other: releases a second, how many were
/// refused, and the time of each.
fn crowd(place: &Arc<Place>, clients: usize, each: usize) -> Outcome<(f64, usize, Vec<Duration>)> {
    let mut sessions = Vec::with_capacity(clients);
    for client in 0..clients {
        // All people but the one with the large mailbox, who has been read already.
        let account = 1 + client % place.accounts.len().saturating_sub(1).max(1);
        let mut imap = place.sign_in(account)?;
        let exists = imap.ask("SELECT INBOX")?.exists;
        if exists > 0 {
            sessions.push((imap, exists));
        }
    }
    let failed = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let threads: Vec<_> = sessions
        .into_iter()
        .enumerate()
        .map(|(client, (mut imap, exists))| {
            let failed = failed.clone();
            std::thread::spawn(move || {
                let mut times = Vec::with_capacity(each);
                for number in 0..each {
                    let at = (client * 31 + number * 17) % exists + 1;
                    match timed(&mut imap, &format!("FETCH {at} (BODY.PEEK[])")) {
                        Ok(time) => times.push(time),
                        Err(fault) => {
                            if failed.fetch_add(1, Ordering::Relaxed) == 0 {
                                eprintln!("load: {fault}");
                            }
                            break;
                        }
                    }
                }
                times
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| "a reader died")?);
    }
    let rate = (all.len() as f64 / begin.elapsed().as_secs_f64()).round();
    Ok((rate, failed.load(Ordering::Relaxed), all))
}
