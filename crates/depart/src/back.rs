//! A notice to a sender outside, of mail that was passed on and failed: nobody of this house sent
//! it, so it goes through the queue, from the null sender. Of a sender whose domain did not prove
//! itself when the mail came, the edge has written that nobody is to be told (NOTIFY=NEVER). And
//! they hear of the address that they wrote to, never of where its mail goes.

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
use wire::directory::{self, Path};
use wire::post::{Envelope, Finish, FromDepart, Hop, Receiver, Route, ToSender};

/// The directory answers from memory.
const ROUTE_LIMIT: Duration = Duration::from_secs(6);
/// A durable commit on a busy disk.
const QUEUE_LIMIT: Duration = Duration::from_secs(30);
const NOBODY: UserId = UserId([0; 8]);

/// Where a sender is.
pub(crate) struct Way {
    pub to: String,
    hop: Hop,
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
            let back = statement.onward.into_iter().find(|way| way.path == Path::Null);
            let here = || Way { to: address, hop: Hop::Here };
            let is_somebody = !statement.recipients.is_empty();
            back.map(|way| Way { to: way.to, hop: way.hop }).or(is_somebody.then(here))
        }
        Who::Foreign => match Address::parse(sender) {
            Some(address) => {
                let to = address.written();
                Some(Way { hop: house.way(tenant, &to)?, to })
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
    let route = house.route(&way.hop)?;
    let envelope = Envelope {
        // RFC 5321 §4.5.5.
        from: String::new(),
        hop: way.hop,
        needs_utf8: leg.envelope.needs_utf8 || !way.to.is_ascii(),
        recipients: vec![Receiver { address: way.to, notify: None, original: None }],
        returns_all: None,
        envelope_id: None,
        require_tls: leg.envelope.require_tls,
        has_eight_bits: !octets.is_ascii(),
        finish: Finish::AsItIs,
        found: Vec::new(),
        heard: Vec::new(),
    };
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
    let (outgoing, held) =
        copies::leave::<Fault>(&leaving, &[(envelope, route)], |push| Ok(push(octets)?))?;
    let post = house.counting_post()?;
    match post.ask(&FromDepart::Queue(Box::new(outgoing)), &held, QUEUE_LIMIT) {
        Ok((ToSender::Queued, _)) => Ok(()),
        _ => Err(Fault::Away("post")),
    }
}

impl Neighbours {
    fn route(&mut self, hop: &Hop) -> Result<Route, Fault> {
        let routes = self.routes(std::slice::from_ref(hop))?;
        routes.first().copied().ok_or(Fault::Strange { peer: "directory" })
    }

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
