//! An operator's first day: init, run, people, a letter, a backup, a restore.

use super::house::{binary, command, folder, free_ports, within};
use super::post::{Sender, deliver};
use super::reader::Reader;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LETTER: &[u8] = b"From: Carol <carol@sender.example>\r\nTo: kei@kaede.example\r\n\
Subject: The first letter\r\nMessage-ID: <first@sender.example>\r\n\r\nWelcome.\r\n";

/// `sekisho run` on a settings file of its own.
pub struct Service {
    process: Child,
    data: PathBuf,
    pub ports: u16,
}

impl Service {
    fn start(home: &Path, name: &str, ports: u16) -> Self {
        let unseal = format!("file = {:?}", home.join("unseal"));
        Self::start_with(home, name, ports, &unseal, &[], Stdio::null())
    }

    pub fn start_with(
        home: &Path,
        name: &str,
        ports: u16,
        unseal: &str,
        given: &[&str],
        stdin: Stdio,
    ) -> Self {
        let data = home.join(name);
        let process = Self::run(home, name, ports, unseal).args(given).stdin(stdin).spawn();
        let service = Self { process: process.unwrap(), data, ports };
        let status = || service.try_ask(&["status"]).1 == 0;
        within(Duration::from_secs(60), "the service answers", status);
        service
    }

    /// `sekisho run`, with its settings written.
    fn run(home: &Path, name: &str, ports: u16, unseal: &str) -> Command {
        let data = home.join(name);
        let settings = home.join(format!("{name}.toml"));
        let (smtp, submissions, imaps) = (ports + 25, ports + 65, ports + 93);
        let text = format!(
            "[house]\ndata = {data:?}\nhost_name = \"mail.localhost\"\n[listen]\n\
             smtp = [\"127.0.0.1:{smtp}\"]\nimaps = [\"127.0.0.1:{imaps}\"]\npop3s = []\n\
             submissions = [\"127.0.0.1:{submissions}\"]\nsubmission = []\n\
             [dns]\nservers = [\"127.0.0.1\"]\nport = {}\n[unseal]\n{unseal}\n",
            ports + 53,
        );
        std::fs::write(&settings, text).unwrap();
        let mut run = Command::new(binary());
        run.arg("run").arg("--config").arg(&settings).stdout(Stdio::null()).stderr(Stdio::null());
        run
    }

    pub fn try_ask(&self, words: &[&str]) -> (Value, i32) {
        let mut all = words.to_vec();
        let data = self.data.display().to_string();
        all.extend(["--data", &data]);
        command(&all)
    }

    pub fn ask(&self, words: &[&str]) -> Value {
        let mut answer = (Value::Null, -1);
        // A service that has just started may still be joining its parts to each other.
        within(Duration::from_secs(30), "an answer", || {
            answer = self.try_ask(words);
            answer.1 != 3
        });
        assert_eq!(answer.1, 0, "{words:?}: {}", answer.0);
        answer.0
    }

    pub fn inbox(&self, authority: &Path, secret: &str) -> Vec<Vec<u8>> {
        let at = format!("127.0.0.1:{}", self.ports + 93);
        let mut reader = Reader::connect(&at, authority).unwrap();
        reader.must(&format!("LOGIN kei@kaede.example {secret}"));
        reader.must("SELECT INBOX");
        reader.whole("INBOX")
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn stop(mut self) {
        super::house::signal(self.process.id(), rustix::process::Signal::TERM);
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

/// A name server that knows of nothing (NXDOMAIN), for the rest of this process's life.
pub fn answer_nothing_known(port: u16) {
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1_500];
        while let Ok((count, from)) = socket.recv_from(&mut packet) {
            // RFC 1035 §4.1.1: a response, recursion available, name error; the question stays.
            let Some(end) = question_end(&packet[..count]) else { continue };
            let mut reply = packet[..end].to_vec();
            reply[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
            let _ = socket.send_to(&reply, from);
        }
    });
}

/// Behind the one question: labels, an empty one, type and class.
fn question_end(packet: &[u8]) -> Option<usize> {
    let mut at = 12;
    while *packet.get(at)? != 0 {
        at += 1 + usize::from(packet[at]);
    }
    (at + 5 <= packet.len()).then_some(at + 5)
}

/// Off unless switched on; a stranger's first try is answered 4xx, and so is an early second.
fn greylisting_is_a_tenant_s_choice(service: &Service, smtp: &str) {
    let set = |word: &str| service.ask(&["tenant", "set", "Kaede", "--greylist", word]);
    assert_eq!(service.ask(&["tenant", "show", "Kaede"])["settings"]["greylist"], false);
    assert_eq!(set("on")["settings"]["greylist"], true);
    within(Duration::from_secs(30), "a stranger is put off", || {
        let mut sender = Sender::greeted(smtp);
        sender.say("MAIL FROM:<new@stranger.example>");
        sender.say("RCPT TO:<kei@kaede.example>").code == 451
    });
    let mut sender = Sender::greeted(smtp);
    sender.say("MAIL FROM:<new@stranger.example>");
    assert_eq!(sender.say("RCPT TO:<kei@kaede.example>").code, 451, "too early");
    assert_eq!(set("off")["settings"]["greylist"], false);
    within(Duration::from_secs(30), "nobody is put off", || {
        let mut sender = Sender::greeted(smtp);
        sender.say("MAIL FROM:<new@stranger.example>");
        sender.say("RCPT TO:<kei@kaede.example>").code == 250
    });
    let sealers = service.ask(&["tenant", "set", "Kaede", "--trust-sealer", "Lists.example"]);
    assert_eq!(sealers["settings"]["trusted_sealers"][0], "lists.example");
    let wrong = service.try_ask(&["tenant", "set", "Kaede", "--trust-sealer", "nowhere"]);
    assert_eq!(wrong.1, 1, "{}", wrong.0);
    let gone = service.ask(&["tenant", "set", "Kaede", "--distrust-sealer", "lists.example"]);
    assert!(gone["settings"]["trusted_sealers"].as_array().unwrap().is_empty());
}

#[test]
fn from_init_to_a_restored_letter() {
    let home = folder("install");
    let unseal = home.join("unseal");
    let data = home.join("data").display().to_string();
    let made = command(&["init", "--data", &data, "--unseal", &unseal.display().to_string()]);
    assert_eq!(made.1, 0, "{}", made.0);

    let other = home.join("other-unseal");
    let (of_other, text) = (home.join("other").display().to_string(), other.display().to_string());
    assert_eq!(command(&["init", "--data", &of_other, "--unseal", &text]).1, 0);
    let with_another = format!("file = {text:?}");
    let is_refused = || {
        let mut run = Service::run(&home, "data", free_ports(), &with_another);
        assert_eq!(run.status().unwrap().code(), Some(1), "another root than this data's");
    };
    is_refused();
    let service = Service::start(&home, "data", free_ports());
    service.ask(&["tenant", "add", "Kaede"]);
    service.ask(&["domain", "add", "kaede.example", "--tenant", "Kaede"]);
    service.ask(&["user", "add", "kei@kaede.example", "--tenant", "Kaede"]);
    let added = service.ask(&["app-password", "add", "kei@kaede.example", "--protocol", "imap"]);
    assert_eq!(added["weakened"], "single-operator");
    let listed = service.ask(&["app-password", "list", "kei@kaede.example"]);
    assert_eq!(listed["items"][0]["id"], added["id"]);
    let secret = added["secret"].as_str().unwrap().to_owned();
    let authority = home.join("ca.pem");
    let pem = service.ask(&["authority"]);
    std::fs::write(&authority, pem["ca"].as_str().unwrap()).unwrap();

    let smtp = format!("127.0.0.1:{}", service.ports + 25);
    // A DNS that does not answer may hide a policy: the sender is asked to come again.
    let reply = deliver(&smtp, &["kei@kaede.example"], LETTER);
    assert_eq!(reply.code, 451, "{reply:?}");
    answer_nothing_known(service.ports + 53);
    greylisting_is_a_tenant_s_choice(&service, &smtp);
    // A failure of the DNS is remembered for a moment (RFC 9520).
    let deliver_it = || deliver(&smtp, &["kei@kaede.example"], LETTER).code == 250;
    within(Duration::from_secs(60), "the letter is taken", deliver_it);
    let before = service.inbox(&authority, &secret);
    assert!(before[0].ends_with(b"Welcome.\r\n"));
    service.stop();
    is_refused();

    let (backup, keys) = (home.join("backup"), home.join("keys"));
    let (to, keys_to) = (backup.display().to_string(), keys.display().to_string());
    let kept = command(&["backup", "--data", &data, "--to", &to, "--keys-to", &keys_to]);
    assert_eq!(kept.1, 0, "{}", kept.0);
    let restored = home.join("restored").display().to_string();
    let back = command(&["restore", "--data", &restored, "--from", &to, "--keys-from", &keys_to]);
    assert_eq!((back.1, &back.0["ledger_ok"]), (0, &Value::Bool(true)), "{}", back.0);

    let service = Service::start(&home, "restored", free_ports());
    assert_eq!(service.inbox(&authority, &secret), before);
    service.stop();
    what_is_no_whole_backup_is_refused(&home, [&restored, &to, &keys_to]);
    keys_older_than_the_data_are_told(&home, &restored, &keys_to);
    let _ = std::fs::remove_dir_all(&home);
}

/// Swapped parts, keys of another house, and a backup that was killed between its two parts.
fn what_is_no_whole_backup_is_refused(home: &Path, [data, to, keys_to]: [&str; 3]) {
    let text = |name: &str| home.join(name).display().to_string();
    let into = text("refused");
    let restore = |from: &str, keys: &str| {
        let (told, code) =
            command(&["restore", "--data", &into, "--from", from, "--keys-from", keys]);
        assert!(!home.join("refused").exists(), "something is left: {told}");
        (told.to_string(), code)
    };
    let (told, code) = restore(keys_to, to);
    assert!(code == 1 && told.contains("a backup of data"), "{told}");
    let (from, keys) = (text("half"), text("half-keys"));
    let epochs = text("data.epochs");
    let words =
        ["backup", "--data", data, "--to", &from, "--keys-to", &keys, "--epoch-keys", &epochs];
    assert_eq!(command(&words).1, 0);
    // As it was killed: the keys' manifest is not there, or is, and the mark still is.
    for is_there in [false, true] {
        let mark = home.join("half/backup-not-ended");
        std::fs::write(&mark, &keys).unwrap();
        if !is_there {
            std::fs::remove_file(home.join("half-keys/MANIFEST.json")).unwrap();
        }
        let (told, code) = restore(&from, keys_to);
        assert!(code == 1 && told.contains("a backup that has ended"), "{told}");
        let (told, code) = command(&words);
        assert_eq!(code, 0, "begun anew: {told}");
        assert!(!mark.exists());
    }
    assert_eq!(command(&words).1, 1, "a whole one is not written over");
    // Keys of another house, as its backup would have them.
    let foreign = home.join("foreign");
    let copied = Command::new("cp").args(["-a", &from]).arg(&foreign).status().unwrap();
    assert!(copied.success());
    for (folder, name) in [("ledger", "key.pub"), ("mirror", "ledger.pub")] {
        let path = foreign.join(folder).join(name);
        let own = std::fs::read_to_string(&path).unwrap();
        let last = own.trim_end().len() - 6;
        let letter = if &own[last..=last] == "A" { "B" } else { "A" };
        std::fs::write(&path, [&own[..last], letter, &own[last + 1..]].concat()).unwrap();
    }
    let manifest = foreign.join("MANIFEST.json");
    let mut listed: Value =
        serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap()).unwrap();
    for name in ["ledger/key.pub", "mirror/ledger.pub"] {
        use sha2::Digest;
        let bytes = std::fs::read(foreign.join(name)).unwrap();
        let digest = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes));
        listed["files"][name] = Value::from(digest);
    }
    std::fs::write(&manifest, listed.to_string()).unwrap();
    let (told, code) = restore(&foreign.display().to_string(), &keys);
    assert!(code != 0, "{told}");
}

/// A key backup that is older than the data has no keys for whoever came later: nobody could ever
/// open what is sealed to them.
fn keys_older_than_the_data_are_told(home: &Path, data: &str, keys: &str) {
    let ports = free_ports();
    answer_nothing_known(ports + 53);
    let service = Service::start(home, "restored", ports);
    let added = service.ask(&["user", "add", "late@kaede.example", "--tenant", "Kaede"]);
    let late = added["user"].as_str().unwrap().to_owned();
    let code = |service: &Service, to: &str| {
        deliver(&format!("127.0.0.1:{}", service.ports + 25), &[to], LETTER).code
    };
    within(Duration::from_secs(60), "a letter", || code(&service, "late@kaede.example") == 250);
    service.stop();
    let (newer, into) = (home.join("newer"), home.join("older-keys"));
    let (newer, into_) = (newer.display().to_string(), into.display().to_string());
    assert_eq!(command(&["backup", "--data", data, "--to", &newer]).1, 0);
    let words = ["restore", "--data", &into_, "--from", &newer, "--keys-from", keys];
    let (refused, status) = command(&words);
    assert_eq!(status, 1, "{refused}");
    assert!(refused.to_string().contains(&late) && !into.exists(), "{refused}");
    let (taken, status) = command(&[&words[..], &["--without-missing-keys"]].concat());
    assert_eq!((status, &taken["without_keys"]), (0, &json!(1)), "{taken}");
    let ports = free_ports();
    answer_nothing_known(ports + 53);
    let service = Service::start(home, "older-keys", ports);
    within(Duration::from_secs(60), "a letter", || code(&service, "kei@kaede.example") == 250);
    let reply = code(&service, "late@kaede.example");
    assert!((400..500).contains(&reply), "{reply}");
    assert_eq!(service.ask(&["status"])["without_keys"][0]["user"], late.as_str());
    let told = service.try_ask(&["doctor"]).0;
    assert!(told["weakened"].to_string().contains(&late), "{told}");
    within(Duration::from_secs(30), "the alarm", || {
        service.ask(&["alarms", "list"]).to_string().contains("the key store has no keys for 1")
    });
    service.stop();
}

/// Two of three people start the house; keys change while mail is read; a backup of an epoch that
/// has ended opens no more.
#[test]
fn a_root_in_shares_and_keys_in_life() {
    let home = folder("keys-in-life");
    let text = |path: &Path| path.display().to_string();
    let (data, shares) = (text(&home.join("data")), home.join("shares"));
    let made =
        command(&["init", "--data", &data, "--shares", "2/3", "--shares-to", &text(&shares)]);
    assert_eq!((made.1, &made.0["kept_as"]), (0, &Value::from("shares")), "{}", made.0);
    let share = |number: u8| text(&shares.join(format!("share-{number}-of-3.txt")));
    let first = format!("shares = [{:?}]", share(1));
    let third = share(3);
    let start = |name: &str| {
        let given = ["--share", third.as_str()];
        let ports = free_ports();
        answer_nothing_known(ports + 53);
        Service::start_with(&home, name, ports, &first, &given, Stdio::null())
    };

    let service = start("data");
    for words in [
        &["tenant", "add", "Kaede"][..],
        &["domain", "add", "kaede.example", "--tenant", "Kaede"],
        &["user", "add", "kei@kaede.example", "--tenant", "Kaede"],
    ] {
        service.ask(words);
    }
    let added = service.ask(&["app-password", "add", "kei@kaede.example", "--protocol", "imap"]);
    let secret = added["secret"].as_str().unwrap().to_owned();
    let authority = home.join("ca.pem");
    std::fs::write(&authority, service.ask(&["authority"])["ca"].as_str().unwrap()).unwrap();
    let send = |service: &Service| {
        let reply = deliver(&format!("127.0.0.1:{}", service.ports + 25), KEI, LETTER);
        assert_eq!(reply.code, 250, "{reply:?}");
    };
    send(&service);
    let user = ["--user", "kei@kaede.example"];
    for (level, whose) in
        [("pairs", &user[..]), ("user", &user), ("tenant", &["--tenant", "Kaede"]), ("root", &[])]
    {
        let told = service.ask(&[&["keys", "rotate", "--level", level], whose].concat());
        assert!(
            told["entry"].as_u64().unwrap() > 0 && told["keys"].as_u64().unwrap() > 0,
            "{told}"
        );
        assert_eq!(service.inbox(&authority, &secret).len(), 1, "after {level}");
    }
    send(&service);
    let whole = service.inbox(&authority, &secret);
    assert_eq!(whole.len(), 2);
    assert_eq!(service.ask(&["tenant", "show", "Kaede"])["sealed"], false);
    service.ask(&["keys", "seal", "--tenant", "Kaede"]);
    assert_eq!(service.ask(&["tenant", "show", "Kaede"])["sealed"], true);
    assert_eq!(service.ask(&["tenant", "list"])["items"][0]["sealed"], true);
    let at = format!("127.0.0.1:{}", service.ports + 93);
    let mut reader = Reader::connect(&at, &authority).unwrap();
    reader.must(&format!("LOGIN kei@kaede.example {secret}"));
    let mut refused = String::new();
    for command in ["SELECT INBOX", "FETCH 1 BODY[]"] {
        // Or it says BYE and is gone.
        match reader.ask(command) {
            Ok(answer) => refused += &format!("{} {}\n", answer.text(), answer.end),
            Err(_) => refused += "[UNAVAILABLE] BYE\n",
        }
    }
    assert!(refused.contains("[UNAVAILABLE]"), "{refused}");
    assert!(!refused.contains("Welcome."), "{refused}");
    send(&service);
    service.ask(&["keys", "unseal", "--tenant", "Kaede"]);
    assert_eq!(service.inbox(&authority, &secret).len(), 3);
    let held = service.ask(&["keys", "hold", "--tenant", "Kaede"]);
    assert!(held["entry"].as_u64().is_some());
    assert_eq!(service.ask(&["keys", "list"])["items"][0]["holds"], 1);
    service.stop();

    let backup = |number: u8| {
        (text(&home.join(format!("data-{number}"))), text(&home.join(format!("keys-{number}"))))
    };
    let keep = |number: u8| {
        let (to, keys_to) = backup(number);
        let kept = command(&["backup", "--data", &data, "--to", &to, "--keys-to", &keys_to]);
        assert_eq!((kept.1, &kept.0["epoch"]), (0, &Value::from(number)), "{}", kept.0);
    };
    let restore = |number: u8, name: &str| {
        let (from, keys) = backup(number);
        let restored = text(&home.join(name));
        command(&["restore", "--data", &restored, "--from", &from, "--keys-from", &keys])
    };
    // The first backup of the epoch has its key elsewhere than usual; then no other key will do.
    let elsewhere = text(&home.join("elsewhere"));
    let (to, keys_to) = backup(1);
    let words = ["backup", "--data", &data, "--to", &to, "--keys-to", &keys_to];
    let kept = command(&[&words[..], &["--epoch-keys", &elsewhere]].concat());
    assert_eq!(kept.1, 0, "{}", kept.0);
    let second = (text(&home.join("data-0")), text(&home.join("keys-0")));
    let words = ["backup", "--data", &data, "--to", &second.0, "--keys-to", &second.1];
    let refused = command(&words);
    assert_eq!(refused.1, 1, "{}", refused.0);
    assert!(refused.0.to_string().contains("elsewhere"), "{}", refused.0);
    assert!(!home.join("data-0").exists() && !home.join("data.epochs/epoch-1.key").exists());
    let kept = command(&[&words[..], &["--epoch-keys", &elsewhere]].concat());
    assert_eq!(kept.1, 0, "{}", kept.0);
    // Copies of an older version: another key of the same epoch.
    let usual = home.join("data.epochs");
    std::fs::create_dir_all(&usual).unwrap();
    std::fs::write(usual.join("epoch-1.key"), format!("{}\n", "A".repeat(52))).unwrap();
    let copied = home.join("copied");
    std::fs::create_dir_all(&copied).unwrap();
    std::fs::copy(home.join("elsewhere/epoch-1.key"), copied.join("epoch-1.key")).unwrap();
    let service = start("data");
    service.ask(&["keys", "epochs", "start"]);
    // That one is destroyed, and the epoch is not over with it.
    let waits = service.try_ask(&["keys", "epochs", "end"]);
    assert_eq!((waits.1, &waits.0["ended"]), (1, &json!([])), "{}", waits.0);
    assert_eq!(waits.0["waiting"][0]["key_was_here"], true, "{}", waits.0);
    assert!(!usual.join("epoch-1.key").exists());
    let ended = service.ask(&["keys", "epochs", "end", "--epoch-keys", &elsewhere]);
    assert_eq!(ended["ended"][0]["key_was_here"], true, "{ended}");
    assert!(ended["ended"][0]["recorded"]["last_openable"].is_string(), "{ended}");
    // What is found of it later is destroyed, recorded as it is.
    let also = service.ask(&["keys", "epochs", "end", "--epoch-keys", &text(&copied)]);
    assert_eq!(also["also_destroyed"], json!([1]), "{also}");
    assert_eq!(std::fs::read_dir(&copied).unwrap().count(), 0);
    service.stop();
    let gone = restore(1, "gone");
    assert_eq!(gone.1, 1, "{}", gone.0);
    assert!(!home.join("gone").exists());
    keep(2);

    // From shares to a passphrase: the mail is the same, the shares open nothing any more.
    let (phrase, sealed) = (home.join("phrase"), home.join("sealed"));
    std::fs::write(&phrase, "seven words that nobody else knows\n").unwrap();
    let settings = text(&home.join("data.toml"));
    let reseal = |mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&phrase, mode).unwrap();
        let output = Command::new(binary())
            .args(["keys", "reseal", "--json", "--config", &settings, "--share", &third])
            .args(["--unseal", &text(&sealed), "--new-passphrase-fd", "0"])
            .stdin(std::fs::File::open(&phrase).unwrap())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // Not from a file that everybody can read.
    let (code, said) = reseal(0o644);
    assert!(code == Some(1) && said.contains("mode 0644"), "{said}");
    assert!(!sealed.exists());
    let (code, said) = reseal(0o600);
    assert_eq!(code, Some(0), "{said}");
    let file = format!("file = {sealed:?}");
    let given = ["--passphrase-fd", "0"];
    let stdin = std::fs::File::open(&phrase).unwrap().into();
    let service = Service::start_with(&home, "data", free_ports(), &file, &given, stdin);
    assert_eq!(service.inbox(&authority, &secret).len(), 3);
    let settings = text(&home.join("data.toml"));
    let told = command(&["doctor", "--config", &settings]).0;
    assert_eq!(told["root"]["kept_as"], "passphrase", "{told}");
    assert_eq!(told["keys"]["backup_epochs"][1]["key_here"], true, "{told}");
    service.stop();

    // From a passphrase to another by one descriptor: two lines, and never a credential in clear.
    let again = home.join("sealed-again");
    let both = "seven words that nobody else knows\nand seven others that nobody knows\n";
    for (given, expected) in [("seven words that nobody else knows\n", 1), (both, 0)] {
        std::fs::write(&phrase, given).unwrap();
        let output = Command::new(binary())
            .args(["keys", "reseal", "--json", "--config", &settings, "--unseal", &text(&again)])
            .args(["--passphrase", "--passphrase-fd", "0"])
            .stdin(std::fs::File::open(&phrase).unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{said}");
        assert_eq!(again.exists(), expected == 0, "{said}");
        assert!(expected == 1 || said.contains("\"kept_as\":\"passphrase\""), "{said}");
    }

    // The backup of the epoch that goes on opens, with the root of its day.
    let back = restore(2, "restored");
    assert_eq!((back.1, &back.0["ledger_ok"]), (0, &Value::Bool(true)), "{}", back.0);
    let service = start("restored");
    assert_eq!(service.inbox(&authority, &secret).len(), 3);
    service.stop();
    let _ = std::fs::remove_dir_all(&home);
}

const KEI: &[&str] = &["kei@kaede.example"];

const OWN_RULE: &str = "title: A program of the house\nid: 11111111-2222-4333-8444-555555555555\n\
author: Kei of Kaede\nlogsource:\n  product: linux\n  category: process_creation\n\
detection:\n  s:\n    Image|endswith: '/kaede'\n  condition: s\n";

/// Rules that are not shipped are read from a folder; what cannot be read is said and left out.
#[test]
fn rules_of_the_house_are_read_at_the_start() {
    let home = folder("rules");
    let unseal =
        format!("file = {:?}\n[sentinel]\nrules = {:?}", home.join("unseal"), home.join("sigma"));
    std::fs::create_dir_all(home.join("sigma/below")).unwrap();
    std::fs::write(home.join("sigma/below/own.yml"), OWN_RULE).unwrap();
    std::fs::write(home.join("sigma/broken.yml"), "title: broken\n").unwrap();
    let data = home.join("data");
    let kept = home.join("unseal");
    let words = ["init", "--data", data.to_str().unwrap(), "--unseal", kept.to_str().unwrap()];
    assert_eq!(command(&words).1, 0);
    let ports = free_ports();
    let service = Service::start_with(&home, "data", ports, &unseal, &[], Stdio::null());
    let rules = || service.ask(&["status"])["sentinel"]["rules"].as_u64();
    let (shipped, _) = command(&["sigma"]);
    let expected = shipped["read"].as_u64().map(|read| read + 1);
    within(Duration::from_secs(60), "the sentinel counts them", || rules() == expected);
    let (found, code) = command(&["sigma", home.join("sigma").to_str().unwrap()]);
    assert_eq!((code, found["read"].as_u64()), (1, Some(1)), "{found}");
    assert!(found["unread"].to_string().contains("broken.yml"), "{found}");
}
