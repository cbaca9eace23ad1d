//! It starts once, shows who is who, stops within ten seconds, and leaves nothing behind.

use super::house::{Demo, Wishes, binary, descendants, is_there, shared, within};
use super::letters::letter;
use super::post::deliver;
use super::reader::Reader;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Architecture §7.
const STOP: Duration = Duration::from_secs(10);

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn argv_says_the_compartment_and_no_secret() {
    let demo = shared();
    let mut kinds = BTreeSet::new();
    for process in demo.processes() {
        let words = &process.arguments;
        assert_eq!(words.len(), 3, "{words:?}");
        assert_eq!(words[0], "sekisho");
        let is_hex = words[2].bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(words[2].len() == 12 && is_hex, "{words:?}");
        kinds.insert(process.kind);
    }
    for kind in [
        "gate",
        "edge",
        "scanner",
        "access",
        "mailbox",
        "directory",
        "identity",
        "vault",
        "ledger",
        "mirror",
        "names",
        "signer",
    ] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
}

#[test]
fn every_process_stands_in_its_walls() {
    if !is_root() {
        return println!("absent: root");
    }
    for process in shared().processes() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid));
        let Ok(status) = status else { continue }; // it ended meanwhile
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        assert_eq!(field("Seccomp:"), "2", "{process:?}");
        assert_eq!(field("NoNewPrivs:"), "1", "{process:?}");
        assert!(!field("Uid:").starts_with("0\t"), "{process:?}");
        assert_eq!(field("CapEff:"), "0000000000000000", "{process:?}");
    }
}

#[test]
fn sigterm_ends_all_in_ten_seconds() {
    let mut demo = Demo::fresh("stop");
    let pids: Vec<u32> = demo.processes().into_iter().map(|process| process.pid).collect();
    assert!(pids.len() > 12, "{pids:?}");
    let sent = letter("before-the-end", "kept over night");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    let mut idle = Reader::inbox(&demo, "aoi@example.jp");
    idle.send(b"a IDLE\r\n");
    let (took, code) = demo.stop();
    assert!(took < STOP, "{took:?}");
    assert_eq!(code, Some(0));
    let left: Vec<&u32> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(demo.more_lines().is_empty(), "the ready line is the only one");
}

/// Another credential opens nothing: no vault starts in vain, and none is made.
#[test]
fn data_without_its_credential_is_refused_at_once() {
    let mut demo = Demo::fresh("without-credential");
    demo.stop();
    let data = demo.data().to_path_buf();
    let [kept, away] = ["unseal", "away"].map(|end| data.with_extension(end));
    std::fs::rename(&kept, &away).unwrap();
    let refused = |expected: &str| {
        let output = demo.wishes.command().output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected) && said.contains("DIR.unseal"), "{said}");
    };
    refused("found no file");
    assert!(!kept.exists());
    std::fs::write(&kept, [7; 32]).unwrap();
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o600)).unwrap();
    refused("found another credential");
    std::fs::rename(&away, &kept).unwrap();
    drop(demo.again());
}

#[test]
fn killed_it_takes_all_with_it() {
    let mut demo = Demo::fresh("killed");
    let pids: Vec<u32> = demo.processes().into_iter().map(|process| process.pid).collect();
    demo.kill();
    within(Duration::from_secs(5), "all follow the first process", || {
        pids.iter().all(|pid| !is_alive(*pid))
    });
}

#[test]
fn a_second_start_on_the_same_data_is_refused() {
    let demo = Demo::fresh("twice");
    let mut wishes = demo.wishes.clone();
    wishes.port_base = super::house::free_ports();
    let mut command = wishes.command();
    let output = command.output().unwrap();
    let code = output.status.code().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!([1, 3].contains(&code), "{code}: {said}");
    assert!(said.contains("another") || said.contains("already"), "{said}");
    // The first one goes on.
    Reader::inbox(&demo, "aoi@example.jp");
}

#[test]
fn a_port_in_use_is_said() {
    let demo = shared();
    let mut wishes = Wishes::new("ports");
    wishes.port_base = demo.wishes.port_base;
    let output = wishes.command().output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let base = demo.wishes.port_base;
    let is_named = (base..base + 100).any(|port| said.contains(&port.to_string()));
    assert!(is_named, "names no port: {said}");
    let _ = std::fs::remove_dir_all(wishes.data.parent().unwrap());
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn open_to_all(path: &Path) {
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(path, open).unwrap();
}

#[test]
fn an_ordinary_user_may_run_it() {
    if !is_root() || !is_there("setpriv") {
        return println!("absent: root with setpriv (every journey runs as an ordinary user)");
    }
    let mut wishes = Wishes::new("ordinary");
    let folder = wishes.data.parent().unwrap().to_owned();
    open_to_all(&folder);
    // The build folder may lie where others cannot look.
    let program = folder.join("sekisho");
    std::fs::copy(binary(), &program).unwrap();
    let user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    wishes.through = user.map(str::to_owned).to_vec();
    wishes.program = Some(program);
    let demo = Demo::start(wishes);
    let sent = letter("ordinary", "without any privilege");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    let kept = reader.whole("INBOX");
    assert_eq!(kept.len(), 1);
    super::letters::assert_whole(&kept[0], &sent);
    assert!(descendants(demo.pid()).len() > 12);
    // It says which walls are missing.
    assert!(demo.said().contains(" without "), "{}", demo.said());
    let mut doctor = Command::new("setpriv");
    doctor.args(&demo.wishes.through[1..]).arg(folder.join("sekisho"));
    let output = doctor.args(["doctor", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("weakened") && said.contains("not root"), "{said}");
}
