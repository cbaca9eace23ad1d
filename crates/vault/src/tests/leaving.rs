//! Mail that leaves: sealed to the day's transit pair, opened by whoever has it in hand.

use super::*;
use wire::directory::{PublicKey as Stated, SENDING_DOMAIN, Sending, SendingSettings};

pub(super) const POST: InstanceId = InstanceId([14; 6]);
pub(super) const DEPART: InstanceId = InstanceId([15; 6]);

/// A settled vault with a queue and a carrier.
pub(super) struct Queue {
    pub ledger: Ledger,
    pub running: Running,
    pub desk: Desk,
    post: Channel,
    pub depart: Channel,
    transit: Stated,
}

/// One message as a dispatch seals it: envelope and text under two keys.
pub(super) struct Mail {
    user: UserId,
    message: MessageId,
    parts: Vec<(TransitItem, Vec<u8>)>,
}

impl Queue {
    pub fn open(name: &str, start: u8) -> Self {
        let ledger = Ledger::new();
        // One day, also at midnight.
        let now = compartment::now_ms();
        let running = Running::start_at(&folder(name), &ledger, start, Box::new(move || now));
        let mut desk = running.settle();
        let post = running.join(Kind::Post, POST, None);
        let depart = running.join(Kind::Depart, DEPART, None);
        let transit = transit(&mut desk.directory).unwrap();
        Self { ledger, running, desk, post, depart, transit }
    }

    pub fn mail(&self, user: UserId, number: u8) -> Mail {
        let public = seal::public_key(&self.transit).unwrap();
        let message = MessageId([number; 16]);
        let part = |(class, sealed): (Class, seal::Class)| {
            let place = seal::Place { tenant: TENANT, message, class: sealed };
            let (content, key) = seal::seal_content(&place, b"good morning").unwrap();
            let context = seal::WrapContext { tenant: TENANT, user, message, class: sealed };
            let wrapped = seal::wrap(&public, &key, &context).unwrap().encode();
            let epoch = self.transit.epoch;
            (TransitItem { user, message, class, epoch, wrapped }, content)
        };
        let classes = [(Class::Summary, seal::Class::Summary), (Class::Body, seal::Class::Body)];
        Mail { user, message, parts: classes.into_iter().map(part).collect() }
    }

    pub fn hand(&mut self, instance: InstanceId, mails: &[&Mail]) {
        let messages = mails.iter().map(|mail| (mail.user, mail.message)).collect();
        let question = FromPost::Handed { instance, tenant: TENANT, messages };
        assert_eq!(ask::<_, ToPost>(&mut self.post, &question), ToPost::Noted);
    }

    pub fn begin(&mut self, tenant: TenantId) -> Result<(GrantId, open::Grant), String> {
        let (public, session) = open::Session::new(seal::Suite::P256).unwrap();
        let question = FromDepart::Open { tenant, session: public.encode() };
        match ask(&mut self.depart, &question) {
            ToDepart::Opened { grant, enc, transit } => {
                assert!(transit == self.transit);
                let context = open::GrantContext::transit(grant, tenant);
                Ok((grant, session.accept(&context, &enc).unwrap()))
            }
            other => Err(told(&other)),
        }
    }

    fn release(&mut self, grant: GrantId, mails: &[&Mail]) -> ToDepart {
        let items = mails.iter().flat_map(|mail| mail.parts.iter().map(|part| part.0.clone()));
        ask(&mut self.depart, &FromDepart::Release { grant, items: items.collect() })
    }

    fn released(&mut self, grant: GrantId, mails: &[&Mail]) -> String {
        told(&self.release(grant, mails))
    }

    /// What the warden heard since the last time.
    pub fn alarms(&self) -> Vec<String> {
        let mut alarms = Vec::new();
        while let Ok(frame) = self.running.warden.receive(Some(Duration::ZERO)) {
            if let Ok(Report::Alarm { what }) = frame.read() {
                alarms.push(what);
            }
        }
        alarms
    }

    fn transits(&self) -> Vec<(UserId, Vec<MessageId>)> {
        let told = |deed| match deed {
            Body::Release { user, instance, released: Released::Transit(messages), .. } => {
                assert_eq!(instance, DEPART);
                Some((user, messages))
            }
            _ => None,
        };
        self.ledger.deeds().into_iter().filter_map(told).collect()
    }
}

fn transit(directory: &mut Channel) -> Option<Stated> {
    match ask(directory, &FromDirectory::Transit(TENANT)) {
        ToDirectory::Transit(public) => Some(public),
        _ => None,
    }
}

pub(super) fn told(answer: &ToDepart) -> String {
    match answer {
        ToDepart::Opened { .. } => "opened".to_owned(),
        ToDepart::Released(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| u8::from(key.is_some())).collect();
            format!("released {keys:?}")
        }
        ToDepart::EvidenceAway => "evidence away".to_owned(),
        ToDepart::Refused(refusal) => format!("{refusal:?}"),
        ToDepart::Lent(lent) => format!("lent {}", u8::from(lent.is_some())),
    }
}

#[test]
fn what_is_in_hand_is_opened_recorded_by_sender() {
    let mut queue = Queue::open("leaving", 40);
    let (a, b, c) = (queue.mail(USER, 1), queue.mail(OTHER, 2), queue.mail(USER, 3));
    queue.hand(DEPART, &[&a, &b, &c]);
    let (grant, accepted) = queue.begin(TENANT).unwrap();
    // Senders come in any order; the answer is in the order asked.
    let mails = [&c, &b, &a];
    let ToDepart::Released(keys) = queue.release(grant, &mails) else { panic!() };
    let parts = mails.iter().flat_map(|mail| &mail.parts);
    for ((item, content), released) in parts.zip(keys) {
        let TransitItem { user, message, class, .. } = item;
        let class = match class {
            Class::Summary => seal::Class::Summary,
            Class::Body => seal::Class::Body,
        };
        let (user, message) = (*user, *message);
        let context = seal::WrapContext { tenant: TENANT, user, message, class };
        let key = accepted.unwrap(&released.unwrap(), &context).unwrap();
        let place = open::Place { tenant: TENANT, message, class };
        assert_eq!(open::open_content(&key, &place, content).unwrap(), b"good morning");
    }
    assert_eq!(queue.transits(), [(USER, vec![a.message, c.message]), (OTHER, vec![b.message])]);
    assert_eq!(queue.ledger.releases(), [0, 1]);
    let made = |deed: &Body| match deed {
        Body::KeyCreate { what, tenant, user: None, .. } => {
            what.as_str() == "transit-pair" && *tenant == Some(TENANT)
        }
        _ => false,
    };
    assert_eq!(queue.ledger.deeds().iter().filter(|deed| made(deed)).count(), 1);
    // A pair of another day, a touched key, and a key of another message do not open.
    let mut wrong = queue.mail(USER, 1);
    wrong.parts[0].0.epoch += 1;
    wrong.parts[1].0.wrapped[60] ^= 1;
    assert_eq!(queue.released(grant, &[&wrong]), "released [0, 0]");
    let moved = Mail { message: c.message, ..queue.mail(USER, 1) };
    let mut items = moved.parts;
    items.iter_mut().for_each(|(item, _)| item.message = c.message);
    let moved = Mail { user: USER, message: c.message, parts: items };
    assert_eq!(queue.released(grant, &[&moved]), "released [0, 0]");
    assert_eq!(queue.alarms(), Vec::<String>::new());
    queue.running.stop();
}

#[test]
fn a_gateway_s_mail_is_in_nobody_s_name() {
    let mut queue = Queue::open("gateway", 49);
    let nobody = queue.mail(UserId::default(), 1);
    let stranger = queue.mail(UserId([99; 8]), 2);
    queue.hand(DEPART, &[&nobody, &stranger]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    assert_eq!(queue.released(grant, &[&nobody, &stranger]), "released [1, 1, 0, 0]");
    assert!(queue.transits().contains(&(UserId::default(), vec![nobody.message])));
    queue.running.stop();
}

#[test]
fn who_asks_for_what_it_was_not_handed_is_refused_and_heard() {
    let mut queue = Queue::open("not-in-hand", 41);
    let (a, b) = (queue.mail(USER, 1), queue.mail(OTHER, 2));
    assert_eq!(queue.begin(TENANT).err().as_deref(), Some("NoGrant"));
    queue.hand(InstanceId([16; 6]), &[&b]);
    assert_eq!(queue.begin(TENANT).err().as_deref(), Some("NoGrant"));
    queue.hand(DEPART, &[&a]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    assert_eq!(queue.alarms(), Vec::<String>::new());
    for asked in [&[&b][..], &[&a, &b]] {
        assert_eq!(queue.released(grant, asked), "NotYours");
        let [alarm] = &queue.alarms()[..] else { panic!("one alarm") };
        assert!(alarm.contains("not in its hand") && alarm.contains(&DEPART.to_string()));
    }
    assert_eq!(queue.begin(TenantId([9; 8])).err().as_deref(), Some("NotYours"));
    assert_eq!(queue.alarms().len(), 1);
    assert_eq!(queue.transits(), []);
    // It goes on with what it has; the grant serves nobody else.
    assert_eq!(queue.released(grant, &[&a]), "released [1, 1]");
    assert_eq!(queue.released(GrantId([1; 16]), &[&a]), "NoGrant");
    let mut thief = queue.running.join(Kind::Depart, InstanceId([17; 6]), None);
    let items = a.parts.iter().map(|part| part.0.clone()).collect();
    let answer = ask(&mut thief, &FromDepart::Release { grant, items });
    assert_eq!(told(&answer), "NoGrant");
    // The next batch is in its hand, under the same grant, and the one before is not.
    queue.hand(DEPART, &[&b]);
    assert_eq!(queue.released(grant, &[&b]), "released [1, 1]");
    assert_eq!(queue.released(grant, &[&a]), "NotYours");
    // A stored body is no mail that leaves, whatever post says of it.
    let (stored, _) = sealed(&mut queue.desk.access, 9, seal::Class::Body);
    let Item { message, epoch, wrapped } = stored;
    let item = TransitItem { user: USER, message, class: Class::Body, epoch, wrapped };
    let stored = Mail { user: USER, message, parts: vec![(item, Vec::new())] };
    queue.hand(DEPART, &[&stored]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    assert_eq!(queue.released(grant, &[&stored]), "released [0]");
    queue.running.stop();
}

#[test]
fn hands_are_forgotten_with_the_queue_and_told_again() {
    let mut queue = Queue::open("forgotten", 42);
    let a = queue.mail(USER, 1);
    queue.hand(DEPART, &[&a]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    // The next start of the queue tells what it knows before the end of the last one is heard.
    let next = queue.running.join(Kind::Post, InstanceId([18; 6]), None);
    let last = std::mem::replace(&mut queue.post, next);
    queue.hand(InstanceId([19; 6]), &[&a]);
    drop(last);
    let gone = Instant::now();
    while queue.released(grant, &[&a]) != "NoGrant" {
        assert!(gone.elapsed() < LIMIT);
    }
    queue.hand(DEPART, &[&a]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    assert_eq!(queue.released(grant, &[&a]), "released [1, 1]");
    assert_eq!(queue.alarms(), Vec::<String>::new());
    queue.running.stop();
}

#[test]
fn nothing_leaves_of_whoever_is_frozen_sealed_or_erased() {
    let mut queue = Queue::open("stopped", 43);
    let (a, b) = (queue.mail(USER, 1), queue.mail(OTHER, 2));
    queue.hand(DEPART, &[&a, &b]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    let mut admin = queue.running.join(Kind::Admin, InstanceId([60; 6]), None);
    let mut act = |queue: &mut Queue, act: KeyAct| {
        let answer: ToAdmin = match act {
            KeyAct::ShredUser { .. } => ask(&mut queue.desk.directory, &FromDirectory::End(act)),
            act if act.needs_two() => ask(&mut queue.desk.identity, &FromIdentity::Act(act)),
            act => ask(&mut admin, &FromAdmin::Act(act)),
        };
        assert!(matches!(answer, ToAdmin::Acted(_)));
    };
    let freeze = |on, user, instance: Option<InstanceId>| {
        let tenant = instance.is_none().then_some(TENANT);
        KeyAct::Freeze(Freeze { on, tenant, user, instance })
    };
    act(&mut queue, freeze(true, Some(OTHER), None));
    assert_eq!(queue.released(grant, &[&a, &b]), "evidence away");
    assert_eq!(queue.released(grant, &[&b]), "evidence away");
    assert_eq!(queue.released(grant, &[&a]), "released [1, 1]");
    act(&mut queue, freeze(false, Some(OTHER), None));
    assert_eq!(queue.released(grant, &[&a, &b]), "released [1, 1, 1, 1]");
    act(&mut queue, freeze(true, None, None));
    assert_eq!(queue.released(grant, &[&a]), "evidence away");
    assert_eq!(queue.begin(TENANT).err().as_deref(), Some("evidence away"));
    act(&mut queue, freeze(false, None, None));
    act(&mut queue, KeyAct::SealTenant { tenant: TENANT });
    assert_eq!(queue.begin(TENANT).err().as_deref(), Some("evidence away"));
    // Mail is still sealed to the last pair.
    assert!(transit(&mut queue.desk.directory) == Some(queue.transit.clone()));
    act(&mut queue, KeyAct::UnsealTenant { tenant: TENANT });
    let (grant, _) = queue.begin(TENANT).unwrap();
    assert_eq!(queue.released(grant, &[&a]), "released [1, 1]");
    act(&mut queue, KeyAct::ShredUser { tenant: TENANT, user: OTHER });
    assert_eq!(queue.released(grant, &[&a, &b]), "released [1, 1, 0, 0]");
    act(&mut queue, freeze(true, None, Some(DEPART)));
    assert_eq!(queue.released(grant, &[&a]), "NoGrant");
    queue.running.stop();
}

/// `cargo test --release -p vault batch_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn batch_speed() {
    let mut queue = Queue::open("batch-speed", 46);
    let mails: Vec<Mail> = (0..50).map(|number| queue.mail(USER, number)).collect();
    let mails: Vec<&Mail> = mails.iter().collect();
    let start = Instant::now();
    for _ in 0..50 {
        queue.hand(DEPART, &mails);
        let (grant, _) = queue.begin(TENANT).unwrap();
        assert!(matches!(queue.release(grant, &mails), ToDepart::Released(_)));
    }
    println!("50 batches of 50 messages: {} ms", start.elapsed().as_millis());
    queue.running.stop();
}

#[test]
fn without_evidence_nothing_leaves() {
    let mut queue = Queue::open("no-evidence", 44);
    let (a, b) = (queue.mail(USER, 1), queue.mail(OTHER, 2));
    queue.hand(DEPART, &[&a, &b]);
    let (grant, _) = queue.begin(TENANT).unwrap();
    queue.ledger.mood(AWAY);
    assert_eq!(queue.released(grant, &[&a, &b]), "evidence away");
    queue.ledger.mood(TRUE);
    let back = Instant::now();
    while queue.released(grant, &[&a, &b]) != "released [1, 1, 1, 1]" {
        assert!(back.elapsed() < LIMIT);
        thread::sleep(Duration::from_millis(50));
    }
    let releases = queue.ledger.releases();
    assert_eq!(releases, (0..releases.len() as u64).collect::<Vec<_>>());
    queue.running.stop();
}

#[test]
fn a_sender_is_signed_for_as_whoever_stands_there() {
    let mut queue = Queue::open("sending", 45);
    let now = compartment::now_ms();
    let sending = Sending {
        address: "aoi@example.jp".to_owned(),
        tenant: TENANT,
        user: USER,
        transit: queue.transit.clone(),
        home: "aoi@example.jp".to_owned(),
        domain: "example.jp".to_owned(),
        settings: SendingSettings::default(),
        issued_ms: now,
        valid_until_ms: now + 3_600_000,
    };
    let root = RootKey::from_credential(&[5; 32]).unwrap();
    let key = unseal::StatementKey::new(&root).unwrap().public();
    let check = |desk: &mut Desk, what: &str, change: &dyn Fn(&mut Sending), expected: bool| {
        let mut said = sending.clone();
        change(&mut said);
        let bytes = postcard::to_stdvec(&said).unwrap();
        let answer = ask(&mut desk.directory, &FromDirectory::SignSending(bytes.clone()));
        let ToDirectory::Signature(signature) = answer else {
            return assert!(!expected, "{what}");
        };
        assert!(expected, "{what}");
        let believed = seal::verify_sending(&key, &bytes, &signature, now, &said.address);
        assert!(believed.is_ok());
        assert!(!seal::verify_signature(&key, &bytes, &signature));
        assert!(seal::verify_signature(&key, &[SENDING_DOMAIN, &bytes].concat(), &signature));
    };
    let desk = &mut queue.desk;
    check(desk, "as it is", &|_| {}, true);
    check(desk, "two days", &|one| one.valid_until_ms = now + 48 * 3_600_000, false);
    check(desk, "a stranger", &|one| one.user = UserId([9; 8]), false);
    check(desk, "another tenant", &|one| one.tenant = TenantId([9; 8]), false);
    check(desk, "another day's", &|one| one.transit.epoch -= 1, false);
    check(desk, "another key", &|one| one.transit.bytes[5] ^= 1, false);
    check(desk, "another domain", &|one| one.domain = "example.com".to_owned(), false);
    check(desk, "no address", &|one| one.address = "example.jp".to_owned(), false);
    let ToDirectory::Keys { body, summary } =
        ask(&mut desk.directory, &FromDirectory::Current { tenant: TENANT, user: OTHER })
    else {
        panic!()
    };
    let statement = |address: &str| Statement {
        onward: Vec::new(),
        transit: None,
        absence: None,
        address: address.to_owned(),
        tenant: TENANT,
        recipients: vec![Recipient { user: OTHER, body: body.clone(), summary: summary.clone() }],
        settings: TenantSettings::default(),
        issued_ms: now,
        valid_until_ms: now + 1,
    };
    let stands = |desk: &mut Desk, address: &str| {
        let bytes = postcard::to_stdvec(&statement(address)).unwrap();
        matches!(ask(&mut desk.directory, &FromDirectory::Sign(bytes)), ToDirectory::Signature(_))
    };
    assert!(stands(desk, "ben@example.jp"));
    check(desk, "as another", &|one| one.address = "ben@example.jp".to_owned(), false);
    // A tenant's own server speaks for whoever has no mailbox here, and in no other tenant's name.
    let server = |address: &'static str, tenant: TenantId| {
        move |one: &mut Sending| {
            (one.address, one.user) = (address.to_owned(), wire::directory::server_of(tenant));
        }
    };
    check(desk, "their server", &server("kaede@example.jp", TENANT), true);
    check(desk, "as ben", &server("ben@example.jp", TENANT), false);
    check(desk, "another's", &server("kaede@example.jp", TenantId([9; 8])), false);
    // What a gateway passes on to it has nobody here.
    let way = wire::directory::Onward {
        user: UserId([0; 8]),
        to: "beyond@example.jp".to_owned(),
        hop: wire::post::Hop::Host {
            name: "mail.example.jp".to_owned(),
            port: 25,
            tls: wire::post::HopTls::StartTls,
        },
        path: wire::directory::Path::AsItCame,
    };
    let (onward, recipients) = (vec![way], Vec::new());
    let transit = Some(sending.transit.clone());
    let beyond = Statement { onward, recipients, transit, ..statement("beyond@example.jp") };
    let bytes = postcard::to_stdvec(&beyond).unwrap();
    let answer = ask(&mut desk.directory, &FromDirectory::Sign(bytes));
    assert!(matches!(answer, ToDirectory::Signature(_)));
    check(desk, "beyond", &server("beyond@example.jp", TENANT), true);
    check(desk, "beyond, by a person", &|one| one.address = "beyond@example.jp".to_owned(), false);
    let own = |one: &mut Sending| {
        one.address = "ben@example.jp".to_owned();
        one.user = OTHER;
    };
    check(desk, "as themselves", &own, true);
    // Thousands of made-up addresses are the catch-all's, and take nobody's place.
    assert!(stands(desk, "*@example.jp"));
    assert!((0..50).all(|number| stands(desk, &format!("made-up-{number}@example.jp"))));
    check(desk, "not yet anybody's", &|one| one.address = "made-up-1@example.jp".to_owned(), true);
    let ToDirectory::Refused(_) = ask(&mut desk.directory, &FromDirectory::SignSending(vec![1]))
    else {
        panic!()
    };
    queue.running.stop();
}
