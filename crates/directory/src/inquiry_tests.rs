//! A gateway's new recipients: what an edge hears while the customer's server is asked.

use crate::leaving_tests::House;
use crate::tests::agreed;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::Report;
use wire::directory::*;
use wire::fetch::{Inquiry, Verdict};
use wire::post::HopTls;
use wire::redirection::Redirection;
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(5);

/// A house with a gateway at `kaede.example` and its list; its fetch and an edge.
fn settled(name: &str, taken: Taken) -> (House, Channel, Channel) {
    let mut house = House::open(name);
    set(&mut house, "mail.kaede.example", taken);
    let (fetch, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([5; 6]), kind: Kind::Fetch, person: None };
    house.desk.join(label, theirs);
    let edge = house.join(Kind::Edge, None);
    (house, fetch, edge)
}

fn set(house: &mut House, host: &str, taken: Taken) {
    let host = SmartHost { name: host.to_owned(), port: 2525, tls: HopTls::StartTls };
    let domain = "kaede.example".to_owned();
    let page = FromAdmin::GatewayList {
        domain: domain.clone(),
        addresses: vec!["listed@kaede.example".to_owned()],
        sync_ms: None,
        is_last: true,
        is_asked: true,
    };
    let ToAdmin::Gateway(told) = house.desk.answer_admin(page) else { panic!() };
    let list = told.asked.unwrap();
    let change = match taken {
        Taken::Any => Redirection::Gateway { domain, host, taken },
        _ => Redirection::GatewayListed { domain, host, taken, list },
    };
    assert!(matches!(agreed(&mut house.desk, change), ToAdmin::Gateway(_)));
}

fn hears(house: &mut House, edge: &Channel, local: &str) -> &'static str {
    let question = FromEdge::Address(format!("{local}@kaede.example"));
    match house.ask(edge, &question) {
        Some(ToEdge::Stated(Stated::Known { .. })) => "known",
        Some(ToEdge::Stated(Stated::Unknown)) => "unknown",
        Some(ToEdge::Stated(Stated::Checking)) => "checking",
        Some(ToEdge::Stated(Stated::Unsaid)) => "unsaid",
        _ => "another",
    }
}

/// The question that came to `fetch`, answered.
fn answer(fetch: &Channel, verdict: Verdict) -> Inquiry {
    let frame = fetch.receive(Some(LIMIT)).unwrap();
    fetch.send(frame.call, &verdict, &[]).unwrap();
    frame.read().unwrap()
}

#[test]
fn the_server_is_asked_for_whom_its_list_lacks() {
    let (mut house, fetch, edge) = settled("inquiry", Taken::ListedOrChecked);
    assert_eq!(hears(&mut house, &edge, "listed"), "known");
    assert_eq!(hears(&mut house, &edge, "aoi"), "known", "who has a mailbox here");
    assert!(fetch.take().unwrap().is_none(), "nobody is asked for those");
    assert_eq!(hears(&mut house, &edge, "New+tag"), "checking");
    assert_eq!(hears(&mut house, &edge, "new"), "checking");
    // The warden is told first; the host is the row's.
    let told = house.warden.receive(Some(LIMIT)).unwrap();
    assert!(matches!(told.read(), Ok(Report::Inquiry { port: 2525 })));
    let inquiry = answer(&fetch, Verdict::Has);
    assert_eq!(inquiry.address, "new@kaede.example");
    assert_eq!((inquiry.host.name.as_str(), inquiry.from), ("mail.kaede.example", None));
    let later = |house: &mut House, local| {
        let first = hears(house, &edge, local);
        // The answer may have come beside the question.
        if first == "checking" { hears(house, &edge, local) } else { first }
    };
    assert_eq!(later(&mut house, "new"), "known");
    assert!(fetch.take().unwrap().is_none(), "asked once");
    for (local, verdict, expected) in [
        ("gone", Verdict::HasNot, "unknown"),
        ("full", Verdict::NotNow, "unsaid"),
        ("sleeps", Verdict::Away, "unsaid"),
        ("after", Verdict::Away, "unsaid"),
    ] {
        if hears(&mut house, &edge, local) == "checking" {
            assert_eq!(answer(&fetch, verdict).address, format!("{local}@kaede.example"));
        }
        assert_eq!(later(&mut house, local), expected, "{local}");
    }
    assert!(fetch.take().unwrap().is_none(), "a server that is away rests");
    // Another server is another matter, and the old one's word about it counts for nothing.
    set(&mut house, "other.kaede.example", Taken::ListedOrChecked);
    assert_eq!(hears(&mut house, &edge, "gone"), "checking");
    set(&mut house, "mail.kaede.example", Taken::ListedOrChecked);
    assert_eq!(answer(&fetch, Verdict::Has).host.name, "other.kaede.example");
    assert_ne!(later(&mut house, "gone"), "known");
}

#[test]
fn nobody_is_asked_where_a_list_is_the_last_word() {
    let (mut house, fetch, edge) = settled("inquiry-listed", Taken::Listed);
    assert_eq!(hears(&mut house, &edge, "new"), "unknown");
    let (mut open, other, at_open) = settled("inquiry-any", Taken::Any);
    assert_eq!(hears(&mut open, &at_open, "new"), "known");
    let (mut house2, third, edge2) = settled("inquiry-words", Taken::ListedOrChecked);
    // What we write ourselves, and what is no address, is nobody's at any server.
    for local in ["srs0=aaaaaaaa=aa=sender.example=bob", "a b", "..", ""] {
        assert_eq!(hears(&mut house2, &edge2, local), "unknown", "{local:?}");
    }
    let disable = FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled: true };
    house2.desk.answer_admin(disable);
    assert_eq!(hears(&mut house2, &edge2, "aoi"), "unknown", "who is shut out is shut out");
    for fetch in [fetch, other, third] {
        assert!(fetch.take().unwrap().is_none());
    }
}

#[test]
fn without_a_fetch_nothing_is_said() {
    let (mut house, fetch, edge) = settled("inquiry-alone", Taken::ListedOrChecked);
    drop(fetch);
    for event in house.desk.hub.wait(Some(LIMIT)).unwrap() {
        if matches!(event, wire::Event::Gone(peer, _) if house.desk.inquiries.is_fetch(peer)) {
            house.desk.inquiries.gone();
        }
    }
    assert_eq!(hears(&mut house, &edge, "new"), "unsaid");
    assert_eq!(hears(&mut house, &edge, "listed"), "known");
}
