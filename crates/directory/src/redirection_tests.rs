//! What has others read somebody's mail, or speak for somebody, waits for two persons; what only
//! takes it back does not.

use crate::lists::Telling;
use crate::tests::{FREED, World, is_refused};
use terms::TenantId;
use wire::approval::Act;
use wire::directory::*;
use wire::ledger::{FromLedger, ToLedger};
use wire::lists::{Change, Command, Posting};
use wire::pages::TransportMode;
use wire::post::HopTls;
use wire::redirection::Redirection;

const AOI: &str = "aoi@kaede.example";

fn settled(name: &str) -> (World, TenantId) {
    let mut world = World::new(name);
    world.settle();
    let tenant = world.tables.domain(&world.key, "kaede.example").unwrap().unwrap();
    (world, tenant)
}

/// What one person alone can do: `for two`, of a person or of the tenant, or `done`.
fn alone(world: &mut World, question: FromAdmin) -> &'static str {
    match world.change_alone(question, None) {
        ToAdmin::ForTwo(Part { user: Some(_), .. }) => "for two, a person's",
        ToAdmin::ForTwo(Part { user: None, .. }) => "for two",
        ToAdmin::Refused { .. } | ToAdmin::Fault(_) => "refused",
        _ => "done",
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn nobody_redirects_a_persons_mail_alone() {
    let (mut world, _) = settled("redirects-person");
    let forward = |to: &[&str], keep| FromAdmin::Forward {
        address: AOI.into(),
        change: Some((strings(to), keep)),
    };
    let out = ["a@out.example", "b@out.example"];
    assert_eq!(alone(&mut world, forward(&out, true)), "for two, a person's");
    let shown = world.change(FromAdmin::Forward { address: AOI.into(), change: None });
    assert!(matches!(shown, ToAdmin::Forward(way) if way.to.is_empty()), "nothing was changed");
    world.change(forward(&out, true));
    // They hear of it in their own mailbox, wherever their mail goes on to.
    let heard = |world: &mut World| {
        let found = world.tables.next_letter(&world.key).unwrap();
        let Some((place, _, row)) = found else { return "nothing".to_owned() };
        world.tables.drop_letter(&place).unwrap();
        assert_eq!(row.to, AOI);
        let Telling::Redirected { to, keep, answer, stood } = row.what else { panic!() };
        let said: Statement = postcard::from_bytes(&stood.0).unwrap();
        assert_eq!((said.recipients.len(), said.onward.len()), (1, 0), "as it was before");
        format!("{} {keep} {answer}", to.join(","))
    };
    assert_eq!(heard(&mut world), "a@out.example,b@out.example true ");
    // The same again, fewer, none.
    for to in [&out[..], &out[..1], &[]] {
        assert_eq!(alone(&mut world, forward(to, true)), "done");
    }
    world.change(forward(&out[..1], true));
    assert_eq!(alone(&mut world, forward(&out[..1], false)), "for two, a person's");
    world.change(forward(&[], false));
    assert_eq!(heard(&mut world), "a@out.example true ", "the last one before that");
    assert_eq!(heard(&mut world), "nothing");
    world.change(forward(&out[..1], false));
    assert_eq!(heard(&mut world), "a@out.example false ");
    assert_eq!(alone(&mut world, forward(&out[..1], true)), "done");
    assert_eq!(alone(&mut world, forward(&[], true)), "done");

    let away = |text: Option<&str>| FromAdmin::Away {
        address: AOI.into(),
        absence: text.map(|text| AbsenceTold {
            subject: String::new(),
            text: text.to_owned(),
            until_ms: None,
        }),
    };
    assert_eq!(alone(&mut world, away(Some("Pay to another account."))), "for two, a person's");
    world.change(away(Some("I am away.")));
    assert_eq!(heard(&mut world), " true I am away.");
    assert_eq!(alone(&mut world, away(Some("I am away."))), "done");
    assert_eq!(alone(&mut world, away(None)), "done");
    assert_eq!(heard(&mut world), "nothing");
}

#[test]
fn nobody_redirects_a_domain_alone() {
    let (mut world, _) = settled("redirects-domain");
    let domain = || "kaede.example".to_owned();
    let all = |address: Option<&str>| FromAdmin::CatchAll {
        domain: domain(),
        address: address.map(str::to_owned),
    };
    assert_eq!(alone(&mut world, all(Some(AOI))), "for two");
    world.change(all(Some(AOI)));
    assert_eq!(alone(&mut world, all(Some(AOI))), "done");
    assert_eq!(alone(&mut world, all(None)), "done");

    let policy =
        |mode| FromAdmin::Transport { domain: domain(), mode: Some(mode), max_age_seconds: None };
    assert_eq!(alone(&mut world, policy(TransportMode::Enforce)), "done");
    assert_eq!(alone(&mut world, policy(TransportMode::Testing)), "for two");
    assert_eq!(alone(&mut world, policy(TransportMode::None)), "for two");

    let host = |name: &str| SmartHost { name: name.into(), port: 25, tls: HopTls::StartTls };
    let gateway = |name: Option<&str>, taken| FromAdmin::Gateway {
        domain: domain(),
        host: name.map(host),
        taken,
        list: None,
    };
    let ours = Some("mail.kaede.example");
    assert_eq!(alone(&mut world, gateway(ours, Taken::Any)), "for two");
    world.change(gateway(ours, Taken::Any));
    let list = Some(crate::passing_tests::asked(&mut world, &["ben@kaede.example"]));
    let listed =
        FromAdmin::Gateway { domain: domain(), host: ours.map(host), taken: Taken::Listed, list };
    assert_eq!(alone(&mut world, listed), "done");
    assert_eq!(alone(&mut world, gateway(ours, Taken::Listed)), "done");
    // To end a list opens its domain to every name.
    assert_eq!(alone(&mut world, gateway(ours, Taken::ListedOrChecked)), "for two");
    assert_eq!(alone(&mut world, gateway(ours, Taken::Any)), "for two");
    assert_eq!(alone(&mut world, gateway(Some("evil.example"), Taken::Listed)), "for two");
    // What the server has does not become somebody's here.
    let add = |address: &str| FromAdmin::UserAdd {
        address: address.to_owned(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: Vec::new(),
    };
    assert_eq!(alone(&mut world, add("chief@kaede.example")), "for two");
    let group = FromAdmin::GroupChange {
        address: "sales@kaede.example".into(),
        tenant: Some("Kaede".into()),
        with: strings(&[AOI]),
        without: Vec::new(),
    };
    assert_eq!(alone(&mut world, group), "for two");
    assert_eq!(alone(&mut world, gateway(None, Taken::Any)), "done");
    assert_eq!(alone(&mut world, add("chief@kaede.example")), "done");
}

#[test]
fn nobody_lets_outsiders_into_a_group_or_list_alone() {
    let (mut world, _) = settled("redirects-group");
    world.change(FromAdmin::UserAdd {
        address: "ben@kaede.example".into(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: Vec::new(),
    });
    let address = || "team@kaede.example".to_owned();
    let group = |tenant: Option<&str>, with: &[&str], without: &[&str]| FromAdmin::GroupChange {
        address: address(),
        tenant: tenant.map(str::to_owned),
        with: strings(with),
        without: strings(without),
    };
    assert_eq!(alone(&mut world, group(Some("Kaede"), &["x@out.example"], &[])), "for two");
    assert_eq!(alone(&mut world, group(Some("Kaede"), &[AOI], &[])), "done");
    // Nor a colleague, whose account may have been made for it.
    assert_eq!(alone(&mut world, group(None, &["ben@kaede.example"], &[])), "for two");
    world.change(group(None, &["ben@kaede.example"], &[]));
    assert_eq!(alone(&mut world, group(None, &["ben@kaede.example"], &[])), "done", "is in it");
    assert_eq!(alone(&mut world, group(None, &[], &["ben@kaede.example"])), "done");
    assert_eq!(alone(&mut world, group(None, &["x@out.example"], &[])), "for two");
    world.change(group(None, &["x@out.example"], &[]));
    assert_eq!(alone(&mut world, group(None, &[], &["x@out.example"])), "done");

    let list = || "news@kaede.example".to_owned();
    let set = |change: Change| FromAdmin::List(Command::Set { address: list(), change });
    let posting = |posting| set(Change { posting: Some(posting), ..Change::default() });
    let member = |one: &str| {
        let (with, without) = (strings(&[one]), Vec::new());
        FromAdmin::List(Command::Members { address: list(), with, without })
    };
    let owners = Change {
        posting: Some(Posting::Owners),
        with_owners: strings(&[AOI]),
        ..Change::default()
    };
    let add = Command::Add { address: list(), tenant: "Kaede".into(), change: owners };
    assert_eq!(alone(&mut world, FromAdmin::List(add)), "done");
    assert_eq!(alone(&mut world, member("reader@out.example")), "done");
    assert_eq!(alone(&mut world, posting(Posting::Members)), "for two");
    world.change(posting(Posting::Members));
    assert_eq!(alone(&mut world, member("other@out.example")), "for two");
    // Nor a colleague, once members write to each other.
    assert_eq!(alone(&mut world, member("ben@kaede.example")), "for two");
    world.change(member("ben@kaede.example"));
    assert_eq!(alone(&mut world, member("ben@kaede.example")), "done", "is in it");
    assert_eq!(alone(&mut world, posting(Posting::Anyone)), "for two");
    assert_eq!(alone(&mut world, posting(Posting::Owners)), "done");
    let owner = Change { with_owners: strings(&["x@out.example"]), ..Change::default() };
    assert_eq!(alone(&mut world, set(owner.clone())), "for two");
    // Made anew it is the same.
    assert_eq!(alone(&mut world, FromAdmin::List(Command::Remove { address: list() })), "done");
    let add = Command::Add { address: list(), tenant: "Kaede".into(), change: owner };
    assert_eq!(alone(&mut world, FromAdmin::List(add.clone())), "for two");
    let made = world.change(FromAdmin::List(add));
    assert!(matches!(made, ToAdmin::Lists(lists) if lists[0].owners == ["x@out.example"]));
}

/// Whatever comes to have an address that was somebody's gets what is still written to them.
#[test]
fn nobody_gives_a_freed_address_out_anew_alone() {
    let (mut world, _) = settled("redirects-freed");
    let user = |address: &str, aliases: &[&str]| FromAdmin::UserAdd {
        address: address.to_owned(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: strings(aliases),
    };
    let group = FromAdmin::GroupChange {
        address: FREED.to_owned(),
        tenant: Some("Kaede".into()),
        with: strings(&[AOI]),
        without: Vec::new(),
    };
    let owners = Change { with_owners: strings(&[AOI]), ..Change::default() };
    let list = Command::Add { address: FREED.into(), tenant: "Kaede".into(), change: owners };
    assert_eq!(alone(&mut world, group), "for two");
    assert_eq!(alone(&mut world, FromAdmin::List(list)), "for two");
    assert_eq!(alone(&mut world, user("new@kaede.example", &[FREED])), "for two");
    assert_eq!(alone(&mut world, user(FREED, &[])), "for two");
    assert_eq!(alone(&mut world, user("new@kaede.example", &[])), "done");
    // Nor one that speaks for the domain.
    assert_eq!(
        alone(&mut world, user("n2@kaede.example", &["postmaster@kaede.example"])),
        "for two"
    );
    assert_eq!(alone(&mut world, user("admin@kaede.example", &[])), "for two");
    assert!(matches!(world.change(user(FREED, &[])), ToAdmin::User(_)));
}

#[test]
fn nobody_lets_a_server_speak_alone() {
    let (mut world, _) = settled("redirects-outlet");
    let terms = |networks: &[&str], in_a_day| OutletTerms {
        names: strings(&["mail.kaede.example"]),
        authorities: Vec::new(),
        from: networks.iter().map(|one| (one.parse().unwrap(), 32)).collect(),
        in_a_day,
    };
    let outlet = |terms: Option<OutletTerms>, is_fresh| FromAdmin::Outlet {
        tenant: "Kaede".into(),
        change: Some((terms, is_fresh)),
    };
    let two = ["192.0.2.1", "192.0.2.2"];
    assert_eq!(alone(&mut world, outlet(Some(terms(&two, 10)), false)), "for two");
    world.change(outlet(Some(terms(&two, 10)), false));
    assert_eq!(alone(&mut world, outlet(Some(terms(&two[..1], 5)), false)), "done");
    assert_eq!(alone(&mut world, outlet(Some(terms(&two[..1], 5)), true)), "for two");
    assert_eq!(alone(&mut world, outlet(Some(terms(&two[..1], 6)), false)), "for two");
    assert_eq!(alone(&mut world, outlet(Some(terms(&["192.0.2.9"], 5)), false)), "for two");
    assert_eq!(alone(&mut world, outlet(None, false)), "done");
}

/// Approvers of one tenant agree for their own part, whatever is brought to them.
#[test]
fn what_was_agreed_upon_counts_for_its_own_part() {
    let (mut world, tenant) = settled("redirects-part");
    let user = world.tables.person_by_address(&world.key, AOI).unwrap();
    let to = strings(&["a@out.example"]);
    let act = |tenant, user| Act::Redirect {
        tenant,
        user,
        change: Box::new(Redirection::Forward { address: AOI.into(), to: to.clone(), keep: true }),
    };
    let part = "the part that was agreed upon";
    assert!(is_refused(&world.carry(act(TenantId([7; 8]), user)), part));
    assert!(is_refused(&world.carry(act(tenant, None)), part));
    assert!(matches!(world.carry(act(tenant, user)), ToAdmin::Forward(way) if way.to == to));
}

/// Those who read a group's mail are told, in the evidence, who reads it now as well.
#[test]
fn whoever_joins_a_group_is_named_to_those_in_it() {
    use std::sync::{Arc, Mutex};
    let (mut world, tenant) = settled("joins-group");
    let mut add = |address: &str| {
        let added = world.change(FromAdmin::UserAdd {
            address: address.into(),
            tenant: "Kaede".into(),
            role: "user".into(),
            aliases: Vec::new(),
        });
        let ToAdmin::User(user) = added else { panic!("{address}") };
        user.user
    };
    let (ben, cho) = (add("ben@kaede.example"), add("cho@kaede.example"));
    let aoi = world.tables.person_by_address(&world.key, AOI).unwrap().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    world.friends.journal.join(crate::tests::answering(move |question: ToLedger| {
        if let ToLedger::Append { entries, .. } = &question {
            for entry in entries {
                let body = evidence::Frame::parse(entry).unwrap().entry.body;
                if let evidence::Body::RuleChange { what, tenant, user, .. } = body {
                    seen.lock().unwrap().push((what.as_str().to_owned(), tenant, user));
                }
            }
        }
        FromLedger::Taken { first_index: 0 }
    }));
    let group = |tenant: Option<&str>, with: &[&str]| FromAdmin::GroupChange {
        address: "team@kaede.example".into(),
        tenant: tenant.map(str::to_owned),
        with: strings(with),
        without: Vec::new(),
    };
    world.change(group(Some("Kaede"), &[AOI, "ben@kaede.example"]));
    let readers = || {
        let told = std::mem::take(&mut *told.lock().unwrap());
        told.into_iter().filter(|(what, ..)| what.starts_with("group.reader")).collect::<Vec<_>>()
    };
    assert_eq!(readers(), [], "it is new");
    world.change(group(None, &["cho@kaede.example"]));
    let what = format!("group.reader/{cho}");
    let mut found = readers();
    found.sort_by_key(|(_, _, user)| *user != Some(aoi));
    let entry = |user| (what.clone(), Some(tenant), Some(user));
    assert_eq!(found, [entry(aoi), entry(ben)]);
}
