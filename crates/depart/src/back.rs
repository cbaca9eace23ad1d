//! A notice that is kept in no mailbox by whoever writes it: it goes through the queue, from the
//! null sender. To a sender of ours whose mail goes on, by those ways; to a sender outside, of mail
//! that was passed on and failed. Of one whose domain did not prove itself when the mail came, the
//! edge has written that nobody is to be told (NOTIFY=NEVER). And they hear of the address that
//! they wrote to, never of where its mail goes.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::Leg;
use crate::neighbours::{Neighbours, Who, canonical};
use crate::onward::is_guest_s;
use copies::Leaving;
use notice::Action;
use smtp::Address;
use std::time::Duration;
use terms::{Kind, MessageId, TenantId, UserId};
use wire::directory::{self, Onward, Path, Statement, catch_all, server_of};
use wire::post::{Envelope, Finish, FromDepart, Hop, Receiver, Route, ToSender};

/// The directory answers from memory.
const ROUTE_LIMIT: Duration = Duration::from_secs(6);
const NOBODY: UserId = UserId([0; 8]);

/// Where a sender is.
pub(crate) struct Way {
    /// As the notice names them.
    pub to: String,
    /// Where it goes: to a mailbox here, and wherever else their mail does.
    ends: Vec<(String, Hop)>,
}

/// The way to a sender of this tenant who has no mailbox that is theirs alone: a person all of
/// whose mail goes on, or somebody behind the tenant's own server. They wrote it themselves, and
/// hear of it what others do. `None`: nobody has the address, or somebody else by now.
pub(crate) fn own(
    sender: &str,
    (leg, tenant): (&Leg, TenantId),
    house: &mut Neighbours,
) -> Result<Option<Way>, Fault> {
    let Some(address) = canonical(sender).filter(|_| !leg.load.is_passed_on) else {
        return Ok(None);
    };
    let is_server = leg.load.user == server_of(tenant);
    let found = match house.who_is(&address) {
        Who::Unknown | Who::Later if is_server => house.who_is(&of_domain(&address)),
        found => found,
    };
    let statement = match found {
        Who::Known(statement) if statement.tenant == tenant => statement,
        Who::Later => return Err(Fault::Away("directory")),
        Who::Known(_) | Who::Unknown | Who::Foreign => return Ok(None),
    };
    let is_theirs = |way: &Onward| match way.path {
        Path::AsItCame => is_server,
        _ => is_server || way.user == leg.load.user,
    };
    let is_here = is_server && !statement.recipients.is_empty();
    Ok(ends((sender, address), statement, is_here, is_theirs))
}

/// In whose name a domain's mail for everybody else is stated. A server that was let in to send as
/// an address takes mail for it, whatever the list of its recipients says or its own server has
/// still to say: that list is for strangers.
fn of_domain(address: &str) -> String {
    catch_all(address.rsplit_once('@').map_or("", |(_, domain)| domain))
}

/// Wherever mail for an address of ours goes.
fn ends(
    (written, address): (&str, String),
    statement: Statement,
    is_here: bool,
    is_theirs: impl Fn(&Onward) -> bool,
) -> Option<Way> {
    let here = is_here.then(|| (address.clone(), Hop::Here));
    let on = |way: Onward| match way.path {
        // The server beyond knows its addresses' case and details.
        Path::AsItCame => Some((written.to_owned(), way.hop)),
        Path::Rewritten => Some((way.to, way.hop)),
        Path::Null | Path::List | Path::Word | Path::Report => None,
    };
    let onward = statement.onward.into_iter().filter(is_theirs).filter_map(on);
    let ends: Vec<(String, Hop)> = here.into_iter().chain(onward).collect();
    (!ends.is_empty()).then_some(Way { to: address, ends })
}

/// The way to the sender of mail that was passed on; `None`: nobody is to be told. Only a failure
/// is worth a notice to somebody outside.
pub(crate) fn way(
    sender: &str,
    action: Action,
    (leg, tenant): (&Leg, TenantId),
    house: &mut Neighbours,
) -> Result<Option<Way>, Fault> {
    let goes_on = matches!(
        leg.envelope.finish,
        Finish::Seal { .. } | Finish::Spread { .. } | Finish::PassedOn { .. }
    );
    let is_passed_on = goes_on || leg.envelope.hop == Hop::On;
    if action != Action::Failed || !is_passed_on {
        return Ok(None);
    }
    let Some(address) = canonical(sender) else { return Ok(None) };
    Ok(match house.who_is(&address) {
        Who::Known(statement) => {
            // A return path of ours leads on to whoever wrote.
            match statement.onward.iter().find(|way| way.path == Path::Null) {
                Some(back) => {
                    let ends = vec![(back.to.clone(), back.hop.clone())];
                    Some(Way { to: back.to.clone(), ends })
                }
                None => {
                    let is_here = !statement.recipients.is_empty();
                    ends((sender, address), statement, is_here, |_| true)
                }
            }
        }
        Who::Foreign => match Address::parse(sender) {
            Some(address) => {
                let to = address.written();
                let ends = vec![(to.clone(), house.way(tenant, &to)?)];
                Some(Way { to, ends })
            }
            None => None,
        },
        Who::Unknown => None,
        Who::Later => return Err(Fault::Away("directory")),
    })
}

/// Queues the notice; under the same id it stands there once.
pub(crate) fn send(
    octets: &[u8],
    id: MessageId,
    way: Way,
    (leg, hands): (&Leg, &Hands),
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let hops: Vec<Hop> = way.ends.iter().map(|(_, hop)| hop.clone()).collect();
    let routes = house.routes(&hops)?;
    let envelope = |(to, hop): (String, Hop)| Envelope {
        // RFC 5321 §4.5.5.
        from: String::new(),
        hop,
        needs_utf8: leg.envelope.needs_utf8 || !to.is_ascii() || !way.to.is_ascii(),
        recipients: vec![Receiver { address: to, notify: None, original: None }],
        returns_all: None,
        envelope_id: None,
        require_tls: leg.envelope.require_tls,
        has_eight_bits: !octets.is_ascii(),
        finish: Finish::AsItIs,
        found: Vec::new(),
        heard: Vec::new(),
        heedless: false,
    };
    let legs: Vec<(Envelope, Route)> = way.ends.into_iter().map(envelope).zip(routes).collect();
    let leaving = Leaving {
        tenant: hands.hand.tenant(),
        // What a guest's letter is answered with is no guest's.
        user: match is_guest_s(leg, hands) {
            true => NOBODY,
            false => leg.load.user,
        },
        message: id,
        transit: &hands.hand.transit(),
        at_ms: compartment::now_ms(),
        added: b"",
        bytes: octets.len() as u64,
    };
    let (outgoing, held) = copies::leave::<Fault>(&leaving, &legs, |push| Ok(push(octets)?))?;
    match house.ask_post(&FromDepart::Queue(Box::new(outgoing)), &held) {
        Ok(ToSender::Queued) => Ok(()),
        _ => Err(Fault::Away("post")),
    }
}

impl Neighbours {
    /// The way outside to an address, as this tenant's mail goes.
    pub(crate) fn way(&mut self, tenant: TenantId, to: &str) -> Result<Hop, Fault> {
        let question = directory::FromDepart::Way(tenant, to.to_owned());
        match self.ask(Kind::Directory, &question, ROUTE_LIMIT)? {
            directory::ToDepart::Way(Some(hop)) => Ok(hop),
            directory::ToDepart::Way(None) => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// The tokens of these next hops, in their order.
    pub(crate) fn routes(&mut self, hops: &[Hop]) -> Result<Vec<Route>, Fault> {
        let question = directory::FromDepart::Routes(hops.iter().map(Hop::word).collect());
        match self.ask(Kind::Directory, &question, ROUTE_LIMIT)? {
            directory::ToDepart::Routes(Some(tokens)) if tokens.len() == hops.len() => {
                Ok(tokens.into_iter().map(Route).collect())
            }
            directory::ToDepart::Routes(None) => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }
}
