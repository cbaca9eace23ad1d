//! Somebody puts an older copy of the keys in their place while no vault runs.

use super::*;

const OLDER: &str = "the vault's keys are older than what was recorded of them";
const BLANK: &str = "the vault's keys remember nothing";

/// The keys, and how far they had come.
fn keep(from: &Path, to: &Path) {
    for name in ["tip", "keys"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

impl Scene {
    /// A new start, on the rows of this copy.
    fn set_back(self, start: u8, to: &Path) -> Self {
        self.restart_after(start, |folder| keep(to, folder))
    }

    /// What the warden has heard of the vault until it has compared: it opens nothing before.
    pub(super) fn alarms(&mut self) -> Vec<String> {
        let asked = Instant::now();
        let mut is_here = || match ask(&mut self.admin, &FromAdmin::Status) {
            ToAdmin::Status { evidence, .. } => evidence,
            _ => panic!("no status came"),
        };
        while !is_here() {
            assert!(asked.elapsed() < LIMIT);
            thread::sleep(Duration::from_millis(20));
        }
        let mut alarms = Vec::new();
        while let Ok(frame) = self.running.warden.receive(Some(Duration::from_millis(50))) {
            if let Ok(Report::Alarm { what }) = frame.read() {
                alarms.push(what);
            }
        }
        alarms
    }

    pub(super) fn state(&self) -> State {
        let (_, records) = rows_in(&copied(&self.folder).join("keys"));
        State::of(&records).unwrap()
    }

    /// With a copy from after its first deed.
    fn with_copy(name: &str, start: u8) -> (Self, std::path::PathBuf) {
        let mut scene = Self::open(name, start);
        scene.acted(KeyAct::StartBackupEpoch);
        let (host, user) = ("relay.example".to_owned(), "kaede".to_owned());
        let credential = Credential { host, port: 465, user, password: "open".to_owned() };
        let set = FromAdmin::SetCredential { tenant: TENANT, credential };
        assert!(matches!(ask(&mut scene.admin, &set), ToAdmin::Acted(_)));
        let old = folder(&format!("{name}-old"));
        keep(&scene.folder, &old);
        (scene, old)
    }
}

#[test]
fn what_was_ended_stays_ended_with_older_keys() {
    let (mut scene, old) = Scene::with_copy("older", 110);
    let (tenant, user) = (SECOND, Some(THIRD));
    let freeze = |on| KeyAct::Freeze(Freeze { on, tenant: Some(tenant), user, instance: None });
    scene.acted(KeyAct::Rotate(Rotation::Root));
    let forget = FromAdmin::ForgetCredentials(TENANT);
    assert!(matches!(ask(&mut scene.admin, &forget), ToAdmin::Acted(_)));
    scene.acted(freeze(true));
    scene.acted(KeyAct::ShredUser { tenant: TENANT, user: OTHER });
    scene.acted(KeyAct::SealTenant { tenant: TENANT });
    let mut scene = scene.set_back(111, &old);
    assert_eq!(scene.read(), "Stopped");
    let alarms = scene.alarms();
    let told = "of 6 changes what ended something is done again (2 destructions of keys, 2 seals, \
                freezes and holds); what was lifted since is not, 1 rotations are undone (rotate \
                again), and keys made since are gone";
    assert!(alarms.len() == 1 && alarms[0].starts_with(OLDER), "{alarms:?}");
    assert!(alarms[0].ends_with(told), "{alarms:?}");
    let state = scene.state();
    assert!(state.sealed.contains(&TENANT) && state.frozen.contains(&(Some(tenant), user)));
    assert!(state.shredded.contains_key(&(TENANT, Some(OTHER))) && state.backup_epoch() == 3);
    assert!(!state.users.contains_key(&(TENANT, OTHER)) && state.credentials.is_empty());
    let closed = folder("older-closed");
    keep(&scene.folder, &closed);
    // What it caught up with it knows.
    let mut scene = scene.restart(112);
    assert_eq!((scene.read(), scene.alarms()), ("Stopped".to_owned(), Vec::new()));
    scene.acted(KeyAct::UnsealTenant { tenant: TENANT });
    let mut scene = scene.restart(113);
    assert_eq!(scene.read(), "released [1]");
    // A copy from before it was let loose stays closed: the ledger alone lifts nothing.
    let mut scene = scene.set_back(114, &closed);
    assert_eq!((scene.read(), scene.alarms().len()), ("Stopped".to_owned(), 1));
    assert_eq!(scene.read(), "Stopped");
    scene.acted(KeyAct::UnsealTenant { tenant: TENANT });
    let mut scene = scene.restart(115);
    assert_eq!(scene.read(), "released [1]");
    scene.running.stop();
}

#[test]
fn rows_without_a_memory_are_older_too() {
    let mut scene = Scene::open("older-blank", 124);
    let old = folder("older-blank-old");
    keep(&scene.folder, &old);
    scene.acted(KeyAct::SealTenant { tenant: TENANT });
    let mut scene = scene.set_back(125, &old);
    assert_eq!(scene.read(), "Stopped");
    let alarms = scene.alarms();
    assert!(alarms.len() == 1 && alarms[0].starts_with(BLANK), "{alarms:?}");
    scene.running.stop();
}

#[test]
fn a_note_without_its_entry_is_no_age() {
    let (scene, _) = Scene::with_copy("older-crash", 116);
    let noted = scene.state().noted;
    scene.ledger.mood(SILENT);
    let seal = KeyAct::SealTenant { tenant: TENANT };
    scene.desk.identity.send(7, &FromIdentity::Act(seal), &[]).unwrap();
    let asked = Instant::now();
    while scene.state().noted == noted {
        assert!(asked.elapsed() < LIMIT);
        thread::yield_now();
    }
    let is_seal = |deed: &Body| matches!(deed, Body::KeySeal { .. });
    assert!(!scene.ledger.deeds().iter().any(is_seal), "noted first");
    let ledger = scene.ledger.clone();
    let mut scene = scene.restart_after(117, |_| ledger.mood(TRUE));
    assert_eq!(scene.alarms(), Vec::<String>::new());
    // And what was meant is done.
    assert_eq!(scene.read(), "Stopped");
    assert!(scene.ledger.deeds().iter().any(is_seal));
    scene.running.stop();
}

#[test]
fn an_intruder_s_word_and_a_stranger_s_end_nothing() {
    let (mut scene, old) = Scene::with_copy("older-intruder", 118);
    let mut scene = {
        scene = scene.restart(119);
        scene.acted(KeyAct::SealTenant { tenant: TENANT });
        scene.ledger.intruders.lock().unwrap().push(InstanceId([119; 6]));
        scene.set_back(120, &old)
    };
    assert_eq!(scene.read(), "released [1]");
    assert_eq!(scene.alarms(), [::journal::intruded(Kind::Vault)]);
    // A ledger that makes up what the vault did destroys nothing with it.
    let mut author = Author::new(Kind::Vault, InstanceId([121; 6]), &[121; 32]);
    let (what, tenant) = (evidence::Word::new("tenant"), Some(SECOND));
    let body = Body::KeyShred { what, epoch: 1, tenant, user: None };
    let frame = author.sign(compartment::now_ms(), body).unwrap();
    scene.ledger.append(vec![frame], false);
    let mut scene = scene.restart(122);
    assert_eq!(scene.read(), "released [1]");
    let alarms = scene.alarms();
    let told = "; 1 that this vault did not sign are told and not done";
    assert!(alarms.len() == 1 && alarms[0].ends_with(told), "{alarms:?}");
    assert_eq!(scene.stored(SECOND).len(), 4);
    scene.running.stop();
}
