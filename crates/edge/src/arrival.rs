//! The story of one message, from the end of its text to its reply.

use crate::examination::examine;
use crate::judgement::{Judged, judge};
use crate::neighbours::{Kept, Neighbours};
use crate::sealing::seal;
use flight::Text;
use smtp::{Address, Reply};
use std::net::IpAddr;
use terms::{MessageId, TenantId};
use wire::control::Report;
use wire::directory::{Recipient, TenantSettings};
use wire::scanner::Examined as Seen;

/// An envelope that SMTP has agreed to.
pub(crate) struct Offered {
    pub client_ip: IpAddr,
    /// What the client calls itself.
    pub helo: String,
    /// The word behind `with` in Received.
    pub protocol: &'static str,
    /// TLS version and suite, if there is TLS.
    pub tls: Option<String>,
    /// `None`: the null sender.
    pub from: Option<Address>,
    pub addressees: Vec<Addressee>,
}

/// One recipient as the vault's signed statement has it.
pub(crate) struct Addressee {
    /// In the one spelling that the directory uses.
    pub address: String,
    pub tenant: TenantId,
    pub people: Vec<Recipient>,
    pub settings: TenantSettings,
}

/// A whole message, in our hands: it has an id and a time of ours.
pub(crate) struct Received {
    pub offered: Offered,
    pub text: Text,
    pub id: MessageId,
    pub at_ms: u64,
}

/// A message and what the scanner said of it.
pub(crate) struct Examined {
    pub received: Received,
    pub seen: Seen,
}

/// From the end of the text to its one reply. `None`: nobody knows whether it was kept, so nothing
/// may be said; the sender, left without an answer, tries again and it may stand twice (RFC 1047).
pub(crate) fn arrive(offered: Offered, text: Text, house: &mut Neighbours) -> Option<Reply> {
    let received = receive(offered, text);
    let examined = match examine(received, house) {
        Ok(examined) => examined,
        Err(fault) => return Some(try_later(house, &fault.to_string())),
    };
    let judged = judge(examined, house);
    match judged.together() {
        policy::Reply::Defer => return Some(put_off(house)),
        policy::Reply::Refuse => return Some(refuse(judged, house)),
        policy::Reply::Keep => {}
    }
    let id = judged.id();
    let sealed = match seal(judged, house) {
        Ok(sealed) => sealed,
        Err(fault) => return Some(try_later(house, &fault.to_string())),
    };
    Some(match house.keep(sealed) {
        Kept::Yes => Reply::new(250, (0, 0), format!("{id} kept")),
        // RFC 3463: 4.2.2 mailbox full, 4.3.1 system full.
        Kept::OverQuota => Reply::new(452, (2, 2), "a recipient's mailbox is full"),
        Kept::Full => Reply::new(452, (3, 1), "no room for mail; try again later"),
        Kept::No => try_later(house, "the mailbox did not keep a message"),
        Kept::Unknown => {
            let text = "the mailbox left without an answer".to_owned();
            house.report(&Report::Note { text });
            return None;
        }
    })
}

fn receive(offered: Offered, text: Text) -> Received {
    let id = MessageId(compartment::random());
    Received { offered, text, id, at_ms: compartment::now_ms() }
}

/// Nobody takes it; that it came is recorded for `trace` all the same.
fn refuse(judged: Judged, house: &mut Neighbours) -> Reply {
    let words = judged.refusal_words();
    house.record_refused(&judged);
    Reply::new(550, (7, 1), words)
}

/// RFC 7372 §3.2 has no code for a DNS that fails; 4.4.3 is the directory's.
fn put_off(house: &mut Neighbours) -> Reply {
    house.report(&Report::Note { text: "deferred: the sender's DNS does not answer".to_owned() });
    Reply::new(451, (4, 3), "the DNS of the domain in From does not answer; try again later")
}

fn try_later(house: &mut Neighbours, why: &str) -> Reply {
    house.report(&Report::Note { text: format!("deferred: {why}") });
    Reply::new(451, (3, 0), "try again later")
}
