//! A hostile post: reads its whole queue, hands over what it has not got, tells of letters that
//! never left, and is silent when mail is handed in.

use crate::channels::{ask, forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use crate::{keeper, ledgers};
use evidence::Body;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use wire::ledger::{FromLedger, ToLedger};
use wire::post::{FromSender, ToSender};
use wire::vault::{FromPost, ToPost};

const PULSE: Duration = Duration::from_millis(10);
/// Of one body that was handed in.
const BODY_BYTES: usize = 1024 * 1024;
/// More than goes into one hand.
const TOO_MANY: usize = 600;

pub fn abuse(intruder: &mut Intruder, _: &Facts) {
    keeper::read_store(intruder);
    keeper::look_for_channels(intruder);
    claim_a_sending(intruder);
    ledgers::write_for_others(intruder);
    hand_over_nothing(intruder);
    let items = Vec::new();
    let grant = GrantId::default();
    let release = wire::vault::FromDepart::Release { grant, items };
    let act = "have keys released as a depart would";
    forbidden(intruder, Asset::MailInFlight, Kind::Vault, &release, act);
}

/// Of a person, to nobody: in its own name, as only the keeper of the queue may say it.
fn claim_a_sending(intruder: &mut Intruder) {
    let Some(mut author) = intruder.author.take() else { return };
    let sent = Body::Send {
        instance: InstanceId(compartment::random()),
        tenant: TenantId::default(),
        user: UserId::default(),
        message: MessageId(compartment::random()),
        recipients: 1,
        bytes: 1,
    };
    let entries = author.sign(compartment::now_ms(), sent).into_iter().collect();
    intruder.author = Some(author);
    let append = ToLedger::Append { entries, prove: false };
    let (taken, answer) = ask(intruder, Kind::Ledger, &append, "a sending that never was");
    let is_taken = matches!(
        postcard::from_bytes(&answer),
        Ok(FromLedger::Taken { .. } | FromLedger::Proved { .. })
    );
    let asset = Asset::Evidence;
    match is_taken {
        true => {
            let what = "a sending that never was, in its own name".to_owned();
            intruder.tell(&Told::Partly { asset, what });
        }
        false => {
            word(intruder, asset, "tell of a sending that never was", true, &format!("{taken:?}"));
        }
    }
}

/// Tells the vault that an instance of its choice has mail that is not in the queue: the vault
/// lets that be asked for, and has no key in the queue's name that would open it.
fn hand_over_nothing(intruder: &mut Intruder) {
    for (count, act) in [(1, "hand over mail that it has not got"), (TOO_MANY, "fill a hand")] {
        let messages =
            (0..count).map(|_| (UserId::default(), MessageId(compartment::random()))).collect();
        let instance = InstanceId(compartment::random());
        let handed = FromPost::Handed { instance, tenant: TenantId::default(), messages };
        let (taken, answer) = ask(intruder, Kind::Vault, &handed, act);
        // No key comes back, whatever is said.
        let held = matches!(postcard::from_bytes(&answer), Ok(ToPost::Noted)) || answer.is_empty();
        word(intruder, Asset::MailInFlight, act, held, &format!("{taken:?}"));
    }
}

/// Lets everybody send, takes what is handed in, and says nothing.
pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    let _ = intruder.channel(Kind::Ledger, JOIN_LIMIT);
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard: Vec<(Vec<u8>, Vec<OwnedFd>)> = Vec::new();
        for (_, channel) in &intruder.held {
            while let Ok(Some(frame)) = channel.take() {
                let yes = match frame.read() {
                    Ok(FromSender::May { .. }) => Some(ToSender::May(None)),
                    Ok(FromSender::Room { .. }) => Some(ToSender::Room(u32::MAX)),
                    _ => None,
                };
                yes.map(|yes| channel.send(frame.call, &yes, &[]));
                heard.push((frame.payload, frame.descriptors));
            }
        }
        for (payload, held) in heard {
            intruder.obtained("what it was asked", payload);
            held.into_iter().for_each(|body| intruder.obtained("what was handed in", read(body)));
        }
        std::thread::sleep(PULSE);
    }
}

fn read(body: OwnedFd) -> Vec<u8> {
    let mut octets = vec![0; BODY_BYTES];
    let count = File::from(body).read_at(&mut octets, 0).unwrap_or(0);
    octets.truncate(count);
    octets
}
