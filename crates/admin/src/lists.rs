//! Mailing lists, as they are shown.

use crate::peers::{Answer, Peers};
use crate::places::{directory, items};
use serde_json::{Value, json};
use wire::directory::{FromAdmin, ToAdmin};
use wire::lists::{Command, List, Member};
use wire::redirection::Redirection;

pub fn act(peers: &mut Peers<'_>, command: Command) -> Answer {
    if matches!(command, Command::Add { .. } | Command::Set { .. } | Command::Members { .. }) {
        return crate::passing::redirect(peers, Redirection::List(command));
    }
    let is_one = !matches!(command, Command::List { .. });
    directory(peers, &FromAdmin::List(command), |answer| match answer {
        ToAdmin::Lists(lists) if is_one => lists.first().map(list_json),
        ToAdmin::Lists(lists) => Some(items(lists.iter().map(list_json).collect())),
        _ => None,
    })
}

pub fn list_json(list: &List) -> Value {
    let mut value = json!({
        "address": list.address,
        "tenant": list.tenant,
        "name": list.name,
        "posting": list.posting.word(),
        "language": list.language.word(),
        "bytes": list.bytes,
        "owners": list.owners,
        "members": list.members,
        "suspended": list.suspended,
    });
    if let (Some(shown), Some(fields)) = (&list.shown, value.as_object_mut()) {
        fields.insert("items".to_owned(), shown.iter().map(member_json).collect());
    }
    value
}

fn member_json(member: &Member) -> Value {
    json!({
        "address": member.address,
        "since_ms": member.since_ms,
        "returned": member.returned,
        "undelivered": member.undelivered,
        "undelivered_why": member.undelivered_why,
        "suspended_ms": member.suspended_ms,
    })
}
