//! Real mail clients read the demo. A client that is not installed is said to be absent.

use super::house::{Demo, folder, is_there};
use super::letters::letter;
use super::post::deliver;
use super::reader::Reader;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// One demo with the sample for all clients; each has a person of its own.
fn demo() -> &'static Demo {
    static CLIENTS: OnceLock<Demo> = OnceLock::new();
    CLIENTS.get_or_init(|| Demo::with_sample("clients"))
}

fn port(name: &str) -> String {
    demo().port(name).rsplit_once(':').unwrap().1.to_owned()
}

fn script(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journeys").join(name);
    let here = Path::new(file!()).with_file_name(name);
    if beside.exists() { beside } else { here }
}

/// A file that only we may read: clients insist.
fn write_closed(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a client to its end; what it said when it failed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

fn messages(address: &str) -> usize {
    Reader::sign_in(demo(), address).exists("INBOX")
}

fn files_below(folder: &Path) -> usize {
    let all = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    all.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => files_below(&entry.path()),
        false => 1,
    })
    .sum()
}

#[test]
fn imaplib_reads() {
    if !is_there("python3") {
        return;
    }
    let aoi = demo().account("aoi@example.jp");
    let said = run(Command::new("python3")
        .arg(script("imap_reading.py"))
        .args(["localhost", &port("imaps")])
        .arg(demo().authority())
        .args([&aoi.address, &aoi.imap, &port("smtp")]));
    assert!(said.contains("read by imaplib"), "{said}");
}

#[test]
fn poplib_reads() {
    if !is_there("python3") {
        return;
    }
    let mina = demo().account("mina@example.jp");
    for number in 0..3 {
        let sent = letter(&format!("for poplib {number}"), ".a dot\r\n..two");
        assert_eq!(deliver(&demo().port("smtp"), &["mina@example.jp"], &sent).code, 250);
    }
    let said = run(Command::new("python3")
        .arg(script("pop3_reading.py"))
        .args(["localhost", &port("pop3s")])
        .arg(demo().authority())
        .args([&mina.address, &mina.pop3]));
    assert!(said.contains("read by poplib"), "{said}");
}

#[test]
fn mbsync_reads() {
    if !is_there("mbsync") {
        return;
    }
    let (home, bob) = (folder("mbsync"), demo().account("bob@example.net"));
    let (mail, settings) = (home.join("mail"), home.join("rc"));
    fs::create_dir_all(&mail).unwrap();
    let text = format!(
        "IMAPAccount demo\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\n\
         CertificateFile {}\n\nIMAPStore far\nAccount demo\n\nMaildirStore near\nPath {m}/\n\
         Inbox {m}/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\n\
         Create Both\nExpunge Both\nSyncState *\n",
        port("imaps"),
        bob.address,
        bob.imap,
        demo().authority().display(),
        m = mail.display()
    );
    write_closed(&settings, &text);
    let sync = || run(Command::new("mbsync").arg("-c").arg(&settings).arg("-a").env("HOME", &home));
    sync();
    let count = messages("bob@example.net");
    let near = mail.join("INBOX");
    let kept = files_below(&near.join("new")) + files_below(&near.join("cur"));
    assert_eq!(kept, count);
    // A letter written here is carried over; a second run finds nothing to do.
    fs::write(near.join("new/1.written.here"), letter("from mbsync", "written offline")).unwrap();
    sync();
    assert_eq!(messages("bob@example.net"), count + 1);
    sync();
    assert_eq!(messages("bob@example.net"), count + 1);
    let _ = fs::remove_dir_all(home);
}

#[test]
fn offlineimap_reads() {
    if !is_there("offlineimap") {
        return;
    }
    let (home, alice) = (folder("offlineimap"), demo().account("alice@example.net"));
    let settings = home.join("rc");
    let text = format!(
        "[general]\naccounts = demo\nmetadata = {h}/state\nui = quiet\n\
         [Account demo]\nlocalrepository = near\nremoterepository = far\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {h}/mail\n\
         [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = {}\n\
         remotepass = {}\nssl = yes\nsslcacertfile = {}\nfolderfilter = lambda name: name == 'INBOX'\n",
        port("imaps"),
        alice.address,
        alice.imap,
        demo().authority().display(),
        h = home.display()
    );
    write_closed(&settings, &text);
    let mut command = Command::new("offlineimap");
    run(command.arg("-c").arg(&settings).args(["-o", "-1"]).env("HOME", &home));
    assert_eq!(files_below(&home.join("mail")), messages("alice@example.net"));
    let _ = fs::remove_dir_all(home);
}

#[test]
fn fetchmail_reads() {
    if !is_there("fetchmail") {
        return;
    }
    let (home, sato) = (folder("fetchmail"), demo().account("sato@example.jp"));
    for number in 0..3 {
        let sent = letter(&format!("for fetchmail {number}"), "to be fetched");
        assert_eq!(deliver(&demo().port("smtp"), &["sato@example.jp"], &sent).code, 250);
    }
    let count = messages("sato@example.jp");
    for (protocol, port, secret) in
        [("imap", port("imaps"), &sato.imap), ("pop3", port("pop3s"), &sato.pop3)]
    {
        let settings = home.join(format!("{protocol}rc"));
        let fetched = home.join(protocol);
        let text = format!(
            "poll localhost protocol {protocol} port {port}\n  user \"{}\" password \"{secret}\"\n  \
             ssl sslcertck sslcertfile \"{}\"\n  keep fetchall\n  mda \"cat >> {}\"\n",
            sato.address,
            demo().authority().display(),
            fetched.display()
        );
        write_closed(&settings, &text);
        let mut command = Command::new("fetchmail");
        command.arg("-f").arg(&settings).args(["--nodetach", "--nosyslog", "-i"]);
        run(command.arg(home.join("ids")).env("HOME", &home).env("FETCHMAILHOME", &home));
        let text = fs::read_to_string(&fetched).unwrap();
        let found = text.matches("Subject: for fetchmail").count();
        assert_eq!(found, 3, "{protocol} of {count}");
    }
    let _ = fs::remove_dir_all(home);
}

#[test]
fn mutt_reads() {
    if !is_there("mutt") {
        return;
    }
    let (home, haru) = (folder("mutt"), demo().account("haru@example.jp"));
    let settings = home.join("rc");
    let kept = home.join("kept");
    let text = format!(
        "set imap_user=\"{}\"\nset imap_pass=\"{}\"\nset ssl_force_tls=yes\n\
         set certificate_file=\"{}\"\nset ssl_verify_host=no\nset confirmappend=no\n\
         set delete=no\nset copy=no\nset mbox_type=Maildir\nset folder=\"{}\"\n\
         set header_cache=\"\"\nset move=no\n\
         push \"<tag-pattern>~A<enter><tag-prefix><copy-message>{}<enter>y<exit>\"\n",
        haru.address,
        haru.imap,
        demo().authority().display(),
        home.display(),
        kept.display()
    );
    write_closed(&settings, &text);
    let url = format!("imaps://localhost:{}/INBOX", port("imaps"));
    // mutt wants a terminal; `script` gives it one.
    if !is_there("script") {
        return;
    }
    let line = format!("mutt -n -F {} -f {url}", settings.display());
    let output = Command::new("timeout")
        .args(["60", "script", "-qec", &line, "/dev/null"])
        .env("HOME", &home)
        .env("TERM", "vt100")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(kept.is_dir(), "{said}");
    assert_eq!(files_below(&kept), messages("haru@example.jp"), "{said}");
    let _ = fs::remove_dir_all(home);
}

#[test]
fn curl_reads() {
    if !is_there("curl") {
        return;
    }
    let olga = demo().account("olga@example.net");
    let sent = letter("for curl", "over and over");
    assert_eq!(deliver(&demo().port("smtp"), &["olga@example.net"], &sent).code, 250);
    let curl = |url: String, secret: &str, options: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "30", "--cacert"]).arg(demo().authority());
        run(command.args(["-u", &format!("{}:{secret}", olga.address)]).args(options).arg(url))
    };
    let imap = format!("imaps://localhost:{}", port("imaps"));
    assert!(curl(imap.clone(), &olga.imap, &[]).contains("INBOX"));
    let found = curl(format!("{imap}/INBOX"), &olga.imap, &["-X", "SEARCH SUBJECT curl"]);
    assert!(found.contains("* SEARCH 1"), "{found}");
    let body = curl(format!("{imap}/INBOX;MAILINDEX=1"), &olga.imap, &[]);
    assert!(body.contains("over and over"), "{body}");
    let pop3 = format!("pop3s://localhost:{}/1", port("pop3s"));
    let body = curl(pop3, &olga.pop3, &[]);
    assert!(body.contains("over and over"), "{body}");
}

#[test]
fn imapflow_reads() {
    if !is_there("node") {
        return;
    }
    let binary = super::house::binary();
    let places = binary.ancestors().map(|folder| folder.join("clients/node_modules"));
    let Some(modules) = places.into_iter().find(|place| place.join("imapflow").is_dir()) else {
        return println!("absent: imapflow (below target/clients/node_modules)");
    };
    let haru = demo().account("haru@example.jp");
    let said = run(Command::new("node")
        .arg(script("imapflow_reading.mjs"))
        .arg(modules)
        .arg(port("imaps"))
        .arg(demo().authority())
        .args([&haru.address, &haru.imap]));
    assert!(said.contains("read by imapflow"), "{said}");
}

/// What arrives is pushed within a moment to everybody who waits.
#[test]
fn idle_is_told() {
    let demo = Demo::fresh("idle");
    let mut readers: Vec<Reader> = (0..5).map(|_| Reader::inbox(&demo, "aoi@example.jp")).collect();
    for reader in &mut readers {
        reader.send(b"i IDLE\r\n");
        assert!(reader.line().unwrap().starts_with(b"+"));
        reader.patience(Duration::from_secs(5));
    }
    let sent = letter("news", "pushed");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    for reader in &mut readers {
        let line = reader.line().unwrap();
        assert_eq!(String::from_utf8_lossy(&line).trim(), "* 1 EXISTS");
    }
}
