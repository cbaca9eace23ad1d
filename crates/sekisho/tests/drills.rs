//! Hostile code inside each real sandbox: every denial asserted, every attempt off charter noticed
//! within a second. The drill itself observes; these cases say what must come of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

const ASSETS: &[&str] = &[
    "account-secrets",
    "stored-bodies",
    "stored-headers",
    "mail-in-flight",
    "cloud-credentials",
    "other-tenants",
    "evidence",
    "host",
];
const ALARM_MS: u64 = 1_000;

fn binary() -> PathBuf {
    let named = std::env::var_os("SEKISHO_BINARY").map(PathBuf::from);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_sekisho").into())
}

fn drill(arguments: &[&str]) -> (Value, bool) {
    let output = Command::new(binary()).args(["drill", "--json"]).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one line of JSON: {text}");
    (serde_json::from_str(&text).unwrap(), output.status.success())
}

fn cell<'a>(found: &'a Value, compartment: &str, asset: &str) -> &'a Value {
    let cells = found["cells"].as_array().unwrap();
    let is_it = |cell: &&Value| cell["compartment"] == compartment && cell["asset"] == asset;
    cells.iter().find(is_it).unwrap_or_else(|| panic!("no cell {compartment} {asset}"))
}

/// A compartment yields exactly these assets, within bounds, and nothing else.
fn check(found: &Value, compartment: &str, bounded: &[&str]) {
    let is_deaf = !found["absent"].as_array().unwrap().is_empty();
    for asset in ASSETS {
        let cell = cell(found, compartment, asset);
        let expected = if bounded.contains(asset) { "bounded" } else { "nothing" };
        assert_eq!(cell["got"], expected, "{compartment} {asset}: {}", cell["what"]);
        assert!(cell["attempted"].as_u64().unwrap() > 0 || is_deaf, "{compartment} {asset}");
        match cell["alarm_ms"].as_u64() {
            Some(late) => assert!(late <= ALARM_MS, "{compartment} {asset} after {late} ms"),
            None => assert!(is_deaf, "{compartment} {asset}: no alarm"),
        }
    }
    if is_deaf {
        println!("absent: alarms of {compartment}: {}", found["absent"]);
    }
}

#[test]
fn hostile_code_gets_what_passes_through_it_and_nothing_else() {
    let (found, held) = drill(&[]);
    assert!(held, "{}", found["broken"]);
    check(&found, "scanner", &["mail-in-flight"]);
    check(&found, "edge", &["mail-in-flight"]);
    check(&found, "access", &["account-secrets", "stored-bodies", "stored-headers"]);
    check(&found, "gate", &["mail-in-flight", "evidence"]);
    let replaced = found["replaced"].as_array().unwrap();
    assert!(replaced.iter().all(|one| one["replaced"] == true), "{replaced:?}");
    // Every alarm names its process, its call, and a leaf of its own in the ledger.
    let alarms = found["alarms"].as_array().unwrap();
    let leaves: BTreeSet<u64> = alarms.iter().filter_map(|one| one["entry"].as_u64()).collect();
    assert_eq!(leaves.len(), alarms.len());
    for alarm in alarms {
        assert_eq!(alarm["instance"].as_str().unwrap().len(), 12);
        assert!(alarm["pid"].as_u64().unwrap() > 0 && !alarm["call"].as_str().unwrap().is_empty());
    }
    // The scope names every message that a scanner had in hand.
    let scope = cell(&found, "scanner", "mail-in-flight");
    assert_eq!(scope["scope_recall"], 1.0);
    assert_eq!(cell(&found, "access", "stored-bodies")["scope_recall"], 1.0);
}

#[test]
fn a_foreign_program_stands_in_the_same_walls() {
    let source = "
        static long call(long n, long a, long b, long c) {
            long r;
            __asm__ volatile (\"syscall\" : \"=a\"(r) : \"a\"(n), \"D\"(a), \"S\"(b), \"d\"(c)
                : \"rcx\", \"r11\", \"memory\");
            return r;
        }
        void _start(void) {
            call(41, 2, 1, 0);
            call(59, (long)\"/bin/sh\", 0, 0);
            call(101, 16, 1, 0);
            call(2, (long)\"/etc/passwd\", 0, 0);
            for (;;) call(34, 0, 0, 0);
        }";
    let folder = std::env::temp_dir().join(format!("sekisho-hostile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (code, program) = (folder.join("hostile.c"), folder.join("hostile"));
    std::fs::write(&code, source).unwrap();
    let built = Command::new("gcc")
        .args(["-static", "-nostdlib", "-O1", "-fno-stack-protector", "-o"])
        .args([&program, &code])
        .status();
    if !cfg!(target_arch = "x86_64") || !built.is_ok_and(|status| status.success()) {
        println!("absent: gcc for this machine; no foreign program was built");
        return;
    }
    let program = program.to_str().unwrap();
    let (found, held) = drill(&["--compartment", "edge", "--program", program]);
    let _ = std::fs::remove_dir_all(&folder);
    if !found["absent"].as_array().unwrap().is_empty() {
        return println!("absent: {}", found["absent"]);
    }
    assert!(held, "{}", found["broken"]);
    let alarms = found["alarms"].as_array().unwrap();
    for call in ["socket", "execve", "ptrace", "open"] {
        assert!(alarms.iter().any(|alarm| alarm["call"] == call), "{call}: {alarms:?}");
    }
}
