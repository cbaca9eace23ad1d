//! Letters about lists and TLS, on their way to the queue: sealed to the tenant's transit key of
//! today, and forgotten here once the queue has them. Each is written in words of `notice` alone.

use crate::Fault;
use crate::changes::Changes;
use crate::friends::Friends;
use crate::lists::{LetterRow, Telling, Token};
use crate::resolve::{Lookup, NOBODY};
use compartment::now_ms;
use copies::Leaving;
use flight::date;
use notice::list::{Letter, Told, write};
use notice::{redirected, tls};
use rows::RowKey;
use terms::{MessageId, TenantId};
use wire::lists::{self, Language};
use wire::post::{Envelope, Finish, Hop, Receiver, Route};

/// Letters handed over at once: others wait for an answer meanwhile.
const AT_ONCE: usize = 8;

impl Changes<'_> {
    /// Hands over what waits. Whether more does.
    pub fn send_letters(&mut self) -> Result<bool, Fault> {
        for _ in 0..AT_ONCE {
            let Some((place, tenant, row)) = self.tables.next_letter(self.key)? else {
                return Ok(false);
            };
            if self.tables.tenant(self.key, tenant)?.is_some() {
                let ways = match &row.what {
                    Telling::Redirected { .. } => vec![(row.to.clone(), Hop::Here)],
                    _ => self.ways(&row.to, tenant)?,
                };
                for (number, (to, hop)) in ways.into_iter().enumerate() {
                    let id = letter_id(self.key, &place, number);
                    send(self.key, self.friends, (tenant, id), (&row, &to, hop), self.host_name)?;
                }
            }
            self.tables.drop_letter(&place)?;
        }
        Ok(true)
    }

    /// Where a letter for this address goes today.
    fn ways(&self, to: &str, tenant: TenantId) -> Result<Vec<(String, Hop)>, Fault> {
        if let Some((host, path)) = route::report_resource(to) {
            return Ok(vec![(to.to_owned(), Hop::Web { host, path })]);
        }
        let domain = to.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let to = match self.tables.domain(self.key, domain)? {
            Some(_) => self.kept(to)?,
            None => to.to_owned(),
        };
        let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
        let found = look.lead(&to, tenant)?;
        let here = (!found.people.is_empty()).then_some((to, Hop::Here));
        let onward = found.onward.into_iter().map(|way| (way.to, way.hop));
        Ok(here.into_iter().chain(onward).collect())
    }
}

/// The same letter has the same id, however often it is handed over: it stands there once.
fn letter_id(key: &RowKey, place: &Token, number: usize) -> MessageId {
    MessageId(key.token("letter-id", &[&place[..], &number.to_be_bytes()].concat()))
}

fn send(
    key: &RowKey,
    friends: &mut Friends,
    (tenant, message): (TenantId, MessageId),
    (row, to, hop): (&LetterRow, &str, Hop),
    host_name: &str,
) -> Result<(), Fault> {
    let octets = match (&hop, &row.what) {
        (Hop::Web { .. }, Telling::TlsReport { packed, .. }) => packed.clone(),
        _ => written(row, message, host_name),
    };
    let domain = row.list.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    let route = Route(key.token("route", hop.word().as_bytes()));
    let envelope = Envelope {
        // RFC 3834 §3.3: nobody answers it, and it comes back to nobody.
        from: String::new(),
        hop: hop.clone(),
        recipients: vec![Receiver { address: to.to_owned(), notify: None, original: None }],
        returns_all: None,
        envelope_id: None,
        require_tls: false,
        has_eight_bits: !octets.is_ascii(),
        needs_utf8: !octets.is_ascii() || !to.is_ascii(),
        found: Vec::new(),
        heard: Vec::new(),
        heedless: false,
        finish: match (&hop, &row.what) {
            (Hop::Web { .. }, _) => Finish::AsItIs,
            (_, Telling::Redirected { stood: (statement, signature), .. }) => {
                let (statement, signature) = (statement.clone(), signature.clone());
                Finish::AsItStood { statement, signature }
            }
            (_, Telling::TlsReport { .. }) => Finish::Report { domain: domain.to_owned() },
            _ => Finish::Sign { domain: domain.to_owned() },
        },
    };
    let leaving = Leaving {
        tenant,
        user: NOBODY,
        message,
        transit: &friends.transit(tenant)?,
        at_ms: now_ms(),
        added: b"",
        bytes: octets.len() as u64,
    };
    let (outgoing, held) =
        copies::leave::<copies::Fault>(&leaving, &[(envelope, route)], |push| push(&octets))
            .map_err(|_| Fault::Encode)?;
    friends.queue(outgoing, &held)
}

fn written(row: &LetterRow, id: MessageId, host_name: &str) -> Vec<u8> {
    let (date, message_id) = (date(row.at_ms), format!("{id}@{host_name}"));
    let told = match &row.what {
        Telling::Left => Told::Left,
        Telling::Suspended { member } => Told::Suspended { member },
        Telling::Undelivered { member, why } => {
            Told::Undelivered { member, why: notice::Reason::of_word(why) }
        }
        Telling::Redirected { to, keep, answer, .. } => {
            let change = match to.is_empty() {
                true => redirected::Change::Answered { text: answer },
                false => redirected::Change::GoesOn { to, keep: *keep },
            };
            return redirected::write(&redirected::Letter {
                change,
                to: &row.to,
                host_name,
                date: &date,
                message_id: &message_id,
            });
        }
        Telling::TlsReport { about, id: report, time, packed } => {
            return tls::write(&tls::Report {
                name: &row.name,
                from: &row.list,
                to: &row.to,
                about,
                id: report,
                time: *time,
                packed,
                date: &date,
                message_id: &message_id,
                boundary: &format!("report-{id}"),
            });
        }
    };
    write(&Letter {
        told,
        to: &row.to,
        list: &row.list,
        name: &row.name,
        owner: &lists::owner(&row.list),
        is_japanese: row.language == Language::Japanese,
        date: &date,
        message_id: &message_id,
    })
}
