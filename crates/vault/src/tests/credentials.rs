//! Sign-ins to smart hosts: kept, lent, changed, destroyed.

use super::leaving::{DEPART, Queue, told};
use super::*;

fn credential(host: &str, password: &str) -> Credential {
    let (host, user) = (host.to_owned(), "kaede".to_owned());
    Credential { host, port: 587, user, password: password.to_owned() }
}

struct House {
    queue: Queue,
    admin: Channel,
    folder: std::path::PathBuf,
}

impl House {
    fn open(name: &str, start: u8) -> Self {
        let queue = Queue::open(name, start);
        let admin = queue.running.join(Kind::Admin, InstanceId([60; 6]), None);
        let folder = std::env::temp_dir().join(format!("vault-{name}-{}", std::process::id()));
        Self { queue, admin, folder }
    }

    fn set(&mut self, credential: Credential) -> String {
        let question = FromAdmin::SetCredential { tenant: TENANT, credential };
        match ask(&mut self.admin, &question) {
            ToAdmin::Acted(acted) => format!("{} set", acted.keys),
            ToAdmin::Refused { expected, found, .. } => format!("{expected}: {found}"),
            _ => "away".to_owned(),
        }
    }

    fn shown(&mut self, tenant: TenantId) -> Vec<(String, String)> {
        match ask(&mut self.admin, &FromAdmin::Credentials(tenant)) {
            ToAdmin::Credentials(shown) => {
                shown.into_iter().map(|one| (one.host, one.user)).collect()
            }
            _ => panic!(),
        }
    }

    fn borrow(&mut self, grant: GrantId, host: &str) -> ToDepart {
        let question = FromDepart::Credential { grant, host: host.to_owned(), port: 587 };
        ask(&mut self.queue.depart, &question)
    }

    /// The password that comes, opened as a carrier opens it.
    fn password(&mut self, grant: &(GrantId, open::Grant), host: &str) -> String {
        let ToDepart::Lent(Some(lent)) = self.borrow(grant.0, host) else { panic!() };
        let plain = grant.1.take_lent(&lent, &purpose(host, 587)).unwrap();
        postcard::from_bytes::<Credential>(&plain).unwrap().password
    }

    fn uses(&self) -> Vec<(InstanceId, Option<TenantId>)> {
        let used = |deed| match deed {
            Body::CredentialUse { credential, instance, tenant, name } => {
                assert!(!name.as_str().contains("smart") && name.as_str().len() == 16);
                (credential.as_str() == "smart-host").then_some((instance, tenant))
            }
            _ => None,
        };
        self.queue.ledger.deeds().into_iter().filter_map(used).collect()
    }

    fn stands_in_file(&self, words: &[&str]) -> bool {
        let octets = std::fs::read(self.folder.join("keys")).unwrap();
        let is_there =
            |word: &&str| octets.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().any(is_there)
    }
}

const HOST: &str = "smart.example";

#[test]
fn a_sign_in_is_lent_to_whoever_has_the_tenant_s_mail_and_recorded_first() {
    let mut house = House::open("credential", 50);
    assert_eq!(house.set(credential(HOST, "open sesame")), "1 set");
    assert_eq!(house.shown(TENANT), [(HOST.to_owned(), "kaede".to_owned())]);
    assert_eq!(house.shown(TenantId([9; 8])), []);
    assert!(!house.stands_in_file(&["open sesame", "kaede", HOST]));
    let mail = house.queue.mail(USER, 1);
    // Nobody has mail in hand, so nobody borrows.
    assert_eq!(told(&house.borrow(GrantId([1; 16]), HOST)), "NoGrant");
    house.queue.hand(DEPART, &[&mail]);
    let grant = house.queue.begin(TENANT).unwrap();
    assert_eq!(house.password(&grant, HOST), "open sesame");
    assert_eq!(house.uses(), [(DEPART, Some(TENANT))]);
    // Another host is another matter, and is no use of a credential.
    assert_eq!(told(&house.borrow(grant.0, "evil.example")), "lent 0");
    assert_eq!(house.uses().len(), 1);
    // The next one destroys the one before, in the file too; that it is noted takes its room once.
    assert_eq!(house.set(credential(HOST, "open sesame")), "1 set");
    let before = std::fs::read(house.folder.join("keys")).unwrap().len();
    assert_eq!(house.set(credential(HOST, "close sesame")), "1 set");
    assert_eq!(std::fs::read(house.folder.join("keys")).unwrap().len(), before + 1);
    assert_eq!(house.password(&grant, HOST), "close sesame");
    let changed = |deed: &Body| match deed {
        Body::KeyCreate { what, tenant, .. } | Body::KeyRotate { what, tenant, .. } => {
            what.as_str() == "smart-host" && *tenant == Some(TENANT)
        }
        _ => false,
    };
    assert_eq!(house.queue.ledger.deeds().iter().filter(|deed| changed(deed)).count(), 3);
    // Without evidence it stays where it is.
    house.queue.ledger.mood(AWAY);
    assert_eq!(told(&house.borrow(grant.0, HOST)), "evidence away");
    house.queue.ledger.mood(TRUE);
    assert_eq!(house.queue.alarms(), Vec::<String>::new());
    house.queue.running.stop();
}

#[test]
fn sign_ins_live_and_die_with_their_tenant() {
    let mut house = House::open("credential-life", 51);
    assert_eq!(house.set(credential(HOST, "open sesame")), "1 set");
    let mail = house.queue.mail(USER, 1);
    house.queue.hand(DEPART, &[&mail]);
    let grant = house.queue.begin(TENANT).unwrap();
    let mut act = |house: &mut House, act: KeyAct| -> u64 {
        let desk = &mut house.queue.desk;
        let answer: ToAdmin = match act {
            KeyAct::ShredTenant { .. } => ask(&mut desk.directory, &FromDirectory::End(act)),
            act => ask(&mut desk.identity, &FromIdentity::Act(act)),
        };
        let ToAdmin::Acted(acted) = answer else { panic!() };
        acted.keys
    };
    act(&mut house, KeyAct::Rotate(Rotation::Tenant { tenant: TENANT }));
    act(&mut house, KeyAct::Rotate(Rotation::Root));
    assert_eq!(house.password(&grant, HOST), "open sesame");
    act(&mut house, KeyAct::SealTenant { tenant: TENANT });
    assert_eq!(told(&house.borrow(grant.0, HOST)), "evidence away");
    assert!(house.set(credential(HOST, "x")).starts_with("a tenant with a key"));
    act(&mut house, KeyAct::UnsealTenant { tenant: TENANT });
    assert_eq!(house.password(&grant, HOST), "open sesame");
    let keys = |house: &mut House| {
        let question = FromAdmin::Keys { tenant: Some(TENANT) };
        let ToAdmin::Keys(rows) = ask(&mut house.admin, &question) else { panic!() };
        rows[0].credentials
    };
    assert_eq!(keys(&mut house), 1);
    let answer = ask(&mut house.admin, &FromAdmin::ForgetCredentials(TENANT));
    assert!(matches!(answer, ToAdmin::Acted(Acted { keys: 1, .. })));
    assert_eq!((keys(&mut house), told(&house.borrow(grant.0, HOST))), (0, "lent 0".to_owned()));
    let answer = ask(&mut house.admin, &FromAdmin::ForgetCredentials(TENANT));
    assert!(matches!(answer, ToAdmin::Refused { .. }));
    // Three sign-ins are among the keys that the end of the contract destroys.
    let before = count_shredded(&mut house, &mut act);
    assert_eq!(before.1 - before.0, 3);
    assert_eq!(house.shown(TENANT), []);
    house.queue.running.stop();
}

/// Keys that a shredding destroys without sign-ins (of another vault), and with three.
fn count_shredded(
    house: &mut House,
    act: &mut impl FnMut(&mut House, KeyAct) -> u64,
) -> (u64, u64) {
    let mut plain = House::open("credential-plain", 52);
    let mail = plain.queue.mail(USER, 1);
    plain.queue.hand(DEPART, &[&mail]);
    let without = act(&mut plain, KeyAct::ShredTenant { tenant: TENANT });
    plain.queue.running.stop();
    for number in 0..3 {
        assert_eq!(house.set(credential(&format!("smart{number}.example"), "x")), "1 set");
    }
    let with = act(house, KeyAct::ShredTenant { tenant: TENANT });
    // Seals and their ends are rows of the tenant, too.
    (without + 2, with)
}

#[test]
fn what_is_no_sign_in_is_refused_and_never_said_again() {
    let mut house = House::open("credential-wrong", 53);
    let mut check = |change: &dyn Fn(&mut Credential), expected: &str| {
        let mut one = credential(HOST, "open sesame");
        change(&mut one);
        let answer = house.set(one);
        assert!(answer.starts_with(expected), "{answer}");
        assert!(!answer.contains("sesame"));
    };
    check(&|one| one.password = String::new(), "a password");
    check(&|one| one.password = "sesame\r\nQUIT".to_owned(), "a password");
    check(&|one| one.password = "sesame".repeat(1_000), "a password");
    check(&|one| one.user = "a\0b".to_owned(), "a name");
    check(&|one| one.host = String::new(), "a host");
    check(&|one| one.port = 0, "a host");
    for number in 0..8 {
        check(&|one| one.host = format!("h{number}.example"), "1 set");
    }
    check(&|one| one.host = "h9.example".to_owned(), "sign-ins to 8 hosts");
    check(&|one| one.host = "h7.example".to_owned(), "1 set");
    house.queue.running.stop();
}

#[test]
fn an_older_store_forgets_again_the_sign_ins_that_were_forgotten() {
    let mut house = House::open("credential-restored", 54);
    assert_eq!(house.set(credential(HOST, "open sesame")), "1 set");
    let old = folder("credential-old");
    std::fs::copy(house.folder.join("keys"), old.join("keys")).unwrap();
    let answer = ask(&mut house.admin, &FromAdmin::ForgetCredentials(TENANT));
    assert!(matches!(answer, ToAdmin::Acted(_)));
    let now = compartment::now_ms();
    let deeds = house.queue.ledger.deeds().into_iter();
    let shreds: Vec<Shred> = deeds.filter_map(|deed| Shred::of(&told_at(now, deed))).collect();
    assert_eq!(shreds, [Shred { tenant: TENANT, what: Destroyed::SignIns, at_ms: now }]);
    // A key of the signer's is nobody's mail: nothing of the tenant goes with it.
    let (what, tenant) = (evidence::Word::new("mail-key"), Some(TENANT));
    let body = Body::KeyShred { what, epoch: 1, tenant, user: None };
    assert_eq!(Shred::of(&told_at(now, body)), None);
    let sign_ins = |folder: &Path| {
        let keys = Keys::open(folder, RootKey::from_credential(&[5; 32]).unwrap(), 1).unwrap();
        assert!(keys.has(TENANT));
        keys.state.credentials.len()
    };
    // One that was set after it stays.
    let earlier = [Shred { at_ms: 5, ..shreds[0] }];
    assert_eq!((apply_shreds(&old, &earlier).unwrap(), sign_ins(&old)), (0, 1));
    assert_eq!((apply_shreds(&old, &shreds).unwrap(), sign_ins(&old)), (1, 0));
    assert_eq!(apply_shreds(&old, &shreds).unwrap(), 0);
    house.queue.running.stop();
}
