//! One message, many destinations: who goes with whom. No leg knows of another's recipients.

use crate::desk::{Addressed, Place};
use wire::directory::SmartHost;
use wire::post::{Envelope, Finish, Found, Hop, Receiver};

/// Recipients of one leg. RFC 5321 §4.5.3.1.8: every host takes so many.
const RECIPIENTS: usize = 100;

/// What all legs of a message have in common.
pub(crate) struct Common {
    pub from: String,
    pub returns_all: Option<bool>,
    pub envelope_id: Option<String>,
    pub require_tls: bool,
    /// `TLS-Required: No`: what leaves goes however TLS fares.
    pub heedless: bool,
    pub has_eight_bits: bool,
    /// The header itself is in UTF-8, or the return path.
    pub needs_utf8: bool,
    pub found: Vec<Found>,
}

/// The envelopes, by destination in the order in which they were first named.
pub(crate) fn split(
    addressed: Vec<Addressed>,
    common: &Common,
    smart_host: Option<&SmartHost>,
) -> Vec<Envelope> {
    let mut hops: Vec<((Hop, Finish, Option<String>), Vec<Receiver>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for Addressed { receiver, place } in addressed {
        let (finish, of) = (finish(&place), whose(&place, &receiver));
        let hop = (hop(place, smart_host), finish, of);
        let at = *places.entry(hop.clone()).or_insert(hops.len());
        if at == hops.len() {
            hops.push((hop, Vec::new()));
        }
        if let Some((_, receivers)) = hops.get_mut(at) {
            receivers.push(receiver);
        }
    }
    let mut envelopes = Vec::new();
    for (hop, receivers) in hops {
        for receivers in receivers.chunks(RECIPIENTS) {
            let (hop, finish, _) = hop.clone();
            envelopes.push(envelope((hop, finish), receivers, common));
        }
    }
    envelopes
}

/// Hosts that others have set are shared, and change hands: each domain's mail goes there by
/// itself, and two tenants have no domain in common.
fn whose(place: &Place, receiver: &Receiver) -> Option<String> {
    let is_of_others = matches!(place, Place::By(Hop::Host { .. }));
    let (_, domain) = receiver.address.rsplit_once('@').filter(|_| is_of_others)?;
    Some(domain.to_ascii_lowercase())
}

fn finish(place: &Place) -> Finish {
    match place {
        Place::List { permit } => Finish::Spread { permit: *permit },
        _ => Finish::AsItIs,
    }
}

fn hop(place: Place, smart_host: Option<&SmartHost>) -> Hop {
    match (place, smart_host) {
        (Place::Here, _) => Hop::Here,
        (Place::By(hop), _) => hop,
        (Place::List { .. }, _) => Hop::List,
        (Place::On { .. }, _) => Hop::On,
        (Place::Elsewhere { .. }, Some(host)) => {
            Hop::Host { name: host.name.clone(), port: host.port, tls: host.tls }
        }
        (Place::Elsewhere { domain }, None) => Hop::Domain(domain),
    }
}

fn envelope((hop, finish): (Hop, Finish), receivers: &[Receiver], common: &Common) -> Envelope {
    let is_ascii = |receiver: &Receiver| receiver.address.is_ascii();
    // A remote's rules are its own.
    let stays = matches!(hop, Hop::Here | Hop::List | Hop::On);
    let found = if stays { common.found.clone() } else { Vec::new() };
    Envelope {
        finish,
        found,
        heard: Vec::new(),
        heedless: common.heedless,
        from: common.from.clone(),
        hop,
        recipients: receivers.to_vec(),
        returns_all: common.returns_all,
        envelope_id: common.envelope_id.clone(),
        require_tls: common.require_tls,
        has_eight_bits: common.has_eight_bits,
        needs_utf8: common.needs_utf8 || !receivers.iter().all(is_ascii),
    }
}

#[cfg(test)]
mod tests {
    use super::{Common, split};
    use crate::desk::{Addressed, Place};
    use wire::directory::SmartHost;
    use wire::post::{Hop, HopTls, Receiver};

    fn to(address: &str) -> Addressed {
        let receiver = Receiver { address: address.to_owned(), notify: None, original: None };
        let domain = address.rsplit_once('@').unwrap().1.to_owned();
        let place = match domain.as_str() {
            "ours.example" => Place::Here,
            gateway if gateway.starts_with("gateway") => {
                let (name, tls) = ("shared.example".to_owned(), HopTls::StartTls);
                Place::By(Hop::Host { name, port: 25, tls })
            }
            _ => Place::Elsewhere { domain },
        };
        Addressed { receiver, place }
    }

    fn check(addresses: &[&str], smart: bool, expected: &str) {
        let common = Common {
            from: "aoi@ours.example".to_owned(),
            returns_all: None,
            envelope_id: None,
            require_tls: false,
            heedless: false,
            has_eight_bits: false,
            needs_utf8: false,
            found: Vec::new(),
        };
        let host = SmartHost { name: "out.example".into(), port: 587, tls: HopTls::StartTls };
        let addressed = addresses.iter().map(|address| to(address)).collect();
        let legs = split(addressed, &common, smart.then_some(&host));
        let leg = |leg: &wire::post::Envelope| {
            let mark = if leg.needs_utf8 { " utf8" } else { "" };
            format!("{}={}{mark}", leg.hop.word(), leg.recipients.len())
        };
        assert_eq!(legs.iter().map(leg).collect::<Vec<_>>().join("; "), expected);
    }

    #[test]
    fn recipients_are_gathered_by_destination() {
        check(&["a@ours.example"], false, "here=1");
        check(
            &["a@x.example", "b@ours.example", "c@x.example", "d@y.example", "e@ours.example"],
            false,
            "domain x.example=2; here=2; domain y.example=1",
        );
        check(
            &["a@x.example", "b@ours.example", "d@y.example"],
            true,
            "host out.example 587=2; here=1",
        );
        check(
            &["あ@x.example", "b@y.example"],
            false,
            "domain x.example=1 utf8; domain y.example=1",
        );
        // Two customers behind one provider's host.
        check(
            &["a@gateway1.example", "b@gateway2.example", "c@gateway1.example"],
            true,
            "host shared.example 25=2; host shared.example 25=1",
        );
        check(&["a@[192.0.2.1]"], false, "domain [192.0.2.1]=1");
        let many: Vec<String> = (0..250).map(|n| format!("p{n}@x.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, false, "domain x.example=100; domain x.example=100; domain x.example=50");
    }
}
