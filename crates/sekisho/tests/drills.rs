//! Hostile code inside each real sandbox: every denial asserted, every attempt off charter noticed
//! within a second. The drill itself observes; these cases say what must come of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
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

fn attack<'a>(found: &'a Value, compartment: &str, name: &str) -> &'a Value {
    let attacks = found["attacks"].as_array().unwrap();
    let is_it = |one: &&Value| one["compartment"] == compartment && one["attack"] == name;
    attacks.iter().find(is_it).unwrap_or_else(|| panic!("no attack {compartment} {name}: {found}"))
}

/// A compartment yields these assets as a whole or within bounds, and nothing else.
fn check(found: &Value, compartment: &str, everything: &[&str], bounded: &[&str]) {
    let is_deaf = !found["absent"].as_array().unwrap().is_empty();
    for asset in ASSETS {
        let cell = cell(found, compartment, asset);
        let expected = match (everything.contains(asset), bounded.contains(asset)) {
            (true, _) => "everything",
            (_, true) => "bounded",
            _ => "nothing",
        };
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
    let mail = ["stored-bodies", "stored-headers"];
    check(&found, "scanner", &[], &["mail-in-flight"]);
    check(&found, "edge", &[], &["mail-in-flight"]);
    check(&found, "access", &[], &["account-secrets", mail[0], mail[1]]);
    check(&found, "gate", &[], &["mail-in-flight", "evidence"]);
    check(&found, "names", &[], &["mail-in-flight"]);
    check(&found, "signer", &[], &["evidence"]);
    check(&found, "mailbox", &[], &["evidence"]);
    check(&found, "mirror", &[], &[]);
    check(&found, "ledger", &[], &["evidence"]);
    check(&found, "zone", &[], &["host"]);
    check(&found, "admin", &["other-tenants"], &mail);
    // It records a change itself and redirects: whether mail passes before the vault's alarm ends
    // it is a race. All mail it never gets, and what it gets is the redirected address's.
    let redirected = cell(&found, "directory", "mail-in-flight")["got"] == "bounded";
    let lied = if redirected { &["mail-in-flight", "evidence"][..] } else { &["evidence"] };
    check(&found, "directory", &["other-tenants"], lied);
    // The stranger whom it would let in by a grant that nobody recorded reads nothing.
    let passed = ["account-secrets", "evidence"];
    check(&found, "identity", &["other-tenants"], &passed);
    // What leaves: whoever has it in hand gets that, and the queue's keeper has nothing to open it.
    check(&found, "dispatch", &[], &["mail-in-flight"]);
    check(&found, "post", &[], &["evidence"]);
    // The sign-in of a smart host is lent to it for one session, and no other is.
    check(&found, "depart", &[], &["mail-in-flight", "cloud-credentials"]);
    check(&found, "fetch", &[], &[]);
    check(&found, "pages", &[], &[]);
    check(&found, "metrics", &[], &[]);
    let kept = [mail[0], mail[1], "other-tenants", "cloud-credentials"];
    check(&found, "vault", &kept, &["evidence"]);
    let replaced = found["replaced"].as_array().unwrap();
    assert!(replaced.iter().all(|one| one["replaced"] == true), "{replaced:?}");
    // Every alarm names its process and its call, and a leaf of its own where there is a ledger.
    let alarms = found["alarms"].as_array().unwrap();
    assert!(alarms.len() > 500, "{}", alarms.len());
    for alarm in alarms {
        assert_eq!(alarm["instance"].as_str().unwrap().len(), 12);
        assert!(alarm["pid"].as_u64().unwrap() > 0 && !alarm["call"].as_str().unwrap().is_empty());
    }
    // The scope names every message that a scanner had in hand, and every one that was read.
    let scope = cell(&found, "scanner", "mail-in-flight");
    assert_eq!(scope["scope_recall"], 1.0);
    assert_eq!(cell(&found, "access", "stored-bodies")["scope_recall"], 1.0);
    // Of mail that leaves it names what passed, and nothing else.
    for kind in ["dispatch", "depart"] {
        let scope = cell(&found, kind, "mail-in-flight");
        let likeness = (&scope["scope_precision"], &scope["scope_recall"]);
        assert_eq!(likeness, (&Value::from(1.0), &Value::from(1.0)), "{kind}");
    }
    // Whatever is silent, whoever reads is answered within ten seconds.
    for turn in found["turns"].as_array().unwrap() {
        if let Some(late) = turn["reading_ms"].as_u64() {
            assert!(late <= 10_000, "{turn}");
        }
    }
    // The same traffic without an intruder loses nothing and alarms nobody.
    for turn in found["turns"].as_array().unwrap() {
        assert_eq!(turn["control"]["held"], true, "{turn}");
    }
    // Nothing that `names` has reaches another address.
    let got_out = |kind: &str| {
        let turns = found["turns"].as_array().unwrap();
        turns.iter().find(|turn| turn["compartment"] == kind).unwrap()["got_out"].as_u64()
    };
    assert_eq!(got_out("names"), Some(0));
}

#[test]
fn attacks_that_no_call_shows_are_bounded_noticed_and_exact_in_scope() {
    let (found, held) = drill(&["--attacks"]);
    assert!(held, "{}", found["broken"]);
    let check = |compartment, name, got: &str, by: Option<&str>, within_ms: u64| {
        let one = attack(&found, compartment, name);
        assert_eq!((one["got"].as_str(), one["noticed_by"].as_str()), (Some(got), by), "{one}");
        assert!(one["noticed_ms"].as_u64().is_none_or(|ms| ms <= within_ms), "{one}");
        one.clone()
    };
    // Within its budget it is silent, and known to the letter; beyond it the vault says no.
    let within = check("access", "bulk reading within budget", "bounded", None, 0);
    let beyond = check("access", "bulk reading beyond budget", "bounded", Some("vault"), 120_000);
    let asserted = check("identity", "asserts a sign-in", "bounded", None, 0);
    for one in [&within, &beyond, &asserted] {
        assert_eq!(one["scope_recall"], 1.0, "{one}");
    }
    for one in [&within, &beyond] {
        assert_eq!(one["scope_precision"], 1.0, "{one}");
    }
    assert!(beyond["what"].as_str().unwrap().starts_with("100000 bodies asked for"), "{beyond}");
    let lied = attack(&found, "identity", "lies to the directory");
    let said = lied["what"].as_str().unwrap();
    assert!(said.ends_with("is there: yes") && said.contains("1 recorded"), "{lied}");
    check("identity", "asserts a decoy's sign-in", "nothing", Some("sentinel"), 5_000);
    // Ten seconds without a word are silence; a busy machine hears of it later.
    check("mailbox", "falls silent", "nothing", Some("sentinel"), 20_000);
    check("sentinel", "falls silent", "nothing", Some("warden"), 20_000);
    check("sentinel", "keeps alarms inside", "nothing", Some("warden"), 30_000);
    // Its own powers: what it does others say, what it may not do ends it.
    check("sentinel", "shuts everybody out", "bounded", Some("identity"), 3_000);
    check("sentinel", "asks for a keeper to be isolated", "nothing", Some("warden"), 3_000);
    check("sentinel", "asks for a release", "nothing", Some("warden"), 3_000);
    let flood = check("post", "floods the ledger", "bounded", Some("ledger"), 90_000);
    assert!(flood["what"].as_str().unwrap().contains("then held back"), "{flood}");
}

#[test]
fn the_story_is_told_in_both_languages_and_holds() {
    let output = Command::new(binary()).args(["drill", "--story", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{}", told["broken"]);
    let here = &told["here"];
    assert_eq!(here["organisations"], 3);
    assert_eq!(here["tools"]["worked"], 0);
    assert_eq!(here["files"]["opened"], 0);
    assert_eq!(here["neighbours"]["others_words_in_hand"], 0);
    assert!(here["reading"]["messages"].as_u64().unwrap() >= 10);
    let left = &here["left"]["measured"];
    assert_eq!((&left["found"], &left["unread"]), (&0.into(), &0.into()), "{left}");
    assert_eq!((&left["certificate"], &left["door_opened"]), (&true.into(), &false.into()));
    assert!(left["keys_destroyed"].as_u64() > Some(0) && left["files"].as_u64() > Some(0));
    assert_eq!(here["left"]["words_in_hand"], 0);
    // What lay there before is there no more, and no key in the house opens a copy of it: the same
    // thief opens what goes on.
    assert!(left["ciphertexts_on_disk_before"].as_u64() > Some(0), "{left}");
    assert_eq!(left["ciphertexts_on_disk_after"], 0, "{left}");
    let thief = &left["owned_vault"];
    assert!(thief["stolen"].as_u64() >= Some(3) && thief["opened"] == 0, "{thief}");
    assert!(thief["opened_of_the_living"].as_u64() > Some(0), "{thief}");
    assert_eq!(here["extent"]["recall"], 1.0);
    assert_eq!(here["extent"]["contracts"].as_array().unwrap().len(), 1);
    let opened: Vec<bool> = here["elsewhere"]
        .as_array()
        .unwrap()
        .iter()
        .map(|door| door["opened"].as_bool().unwrap())
        .collect();
    assert_eq!(opened, [true, false, false, false, false]);
    assert_eq!(told["then"]["contracts"], 586);
}

/// A static program of this source, in a folder of its own; `None`, said: nothing here builds one.
fn built(name: &str, source: &str, more: &[&str]) -> Option<(PathBuf, PathBuf)> {
    let folder = std::env::temp_dir().join(format!("sekisho-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (code, program) = (folder.join("hostile.c"), folder.join("hostile"));
    std::fs::write(&code, source).unwrap();
    let built = Command::new("gcc")
        .args(["-static", "-nostdlib", "-O1", "-fno-stack-protector"])
        .args(more)
        .arg("-o")
        .args([&program, &code])
        .status();
    if !cfg!(target_arch = "x86_64") || !built.is_ok_and(|status| status.success()) {
        println!("absent: gcc for this machine; no foreign program was built");
        return None;
    }
    Some((folder, program))
}

#[test]
fn a_foreign_program_stands_in_the_same_walls() {
    let source = r#"
        static long call(long n, long a, long b, long c) {
            long r;
            __asm__ volatile ("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c)
                : "rcx", "r11", "memory");
            return r;
        }
        static int begins(const char *s, const char *with) {
            while (*with) if (*s++ != *with++) return 0;
            return 1;
        }
        static void act(long *stack) __attribute__((used));
        static void act(long *stack) {
            char **words = (char **)(stack + 1 + stack[0] + 1);
            char *told = 0;
            for (; *words; words++) if (begins(*words, "SEKISHO_DRILL=")) told = *words;
            long length = 0, report = -1, fd = 0;
            while (told && told[length]) {
                if (begins(told + length, "\"fd\":"))
                    for (fd = 0, length += 5; told[length] >= '0' && told[length] <= '9'; length++)
                        fd = fd * 10 + told[length] - '0';
                if (begins(told + length, "\"peer\":\"report\"")) report = fd;
                length++;
            }
            for (long at = 0; at < length; at += 32000)
                call(1, report, (long)(told + at), length - at < 32000 ? length - at : 32000);
            call(41, 2, 1, 0);
            call(59, (long)"/bin/sh", 0, 0);
            call(101, 16, 1, 0);
            call(2, (long)"/etc/passwd", 0, 0);
            for (fd = 3; fd < 40; fd++) if (fd != report) call(1, fd, (long)told, 900);
            for (;;) call(34, 0, 0, 0);
        }
        __attribute__((naked)) void _start(void) {
            __asm__ volatile ("mov %rsp, %rdi\n and $-16, %rsp\n call act");
        }"#;
    let Some((folder, program)) = built("hostile", source, &[]) else { return };
    let program = program.to_str().unwrap();
    let kinds = ["--compartment", "edge", "--compartment", "mailbox"];
    let (found, held) = drill(&[&kinds[..], &["--program", program]].concat());
    let _ = std::fs::remove_dir_all(&folder);
    if !found["absent"].as_array().unwrap().is_empty() {
        return println!("absent: {}", found["absent"]);
    }
    assert!(held, "{}", found["broken"]);
    let alarms = found["alarms"].as_array().unwrap();
    for call in ["socket", "execve", "ptrace", "open"] {
        assert!(alarms.iter().any(|alarm| alarm["call"] == call), "{call}");
    }
    // Each is told its descriptors, its own ids and frames that were recorded from real traffic.
    for turn in found["turns"].as_array().unwrap() {
        let told = turn["reported"].as_str().unwrap();
        let told = told.split_once("SEKISHO_DRILL=").unwrap().1;
        let mut told = serde_json::Deserializer::from_str(told).into_iter::<Value>();
        let told = told.next().unwrap().unwrap();
        assert_eq!(told["compartment"], turn["compartment"]);
        assert_eq!(told["ids"]["instance"].as_str().unwrap().len(), 12);
        let peers: Vec<&str> = told["channels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|channel| channel["peer"].as_str().unwrap())
            .collect();
        assert!(peers.contains(&"warden") && peers.contains(&"report"), "{peers:?}");
        let peer = if told["compartment"] == "edge" { "directory" } else { "edge" };
        assert!(peers.contains(&peer), "{peers:?}");
        let frames = told["frames"][peer].as_array().unwrap();
        assert!(!frames.is_empty() && frames[0]["hex"].as_str().unwrap().len() > 10);
    }
}

/// Takes whatever comes on its channels. `HEX`: and tells of it in hexadecimal, eight octets a
/// packet; otherwise it says nothing at all.
const TAKER: &str = r#"
    static long call(long n, long a, long b, long c) {
        long r;
        __asm__ volatile ("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c)
            : "rcx", "r11", "memory");
        return r;
    }
    static int begins(const char *s, const char *with) {
        while (*with) if (*s++ != *with++) return 0;
        return 1;
    }
    struct part { char *at; long length; };
    struct message {
        void *name; long name_length; struct part *parts; long count;
        void *beside; long beside_length; long flags;
    };
    static char taken[65536], beside[1024], hex[16];
    static void tell(long report, char *at, long length) {
        for (long i = 0; i < length; i += 4) {
            long n = length - i < 4 ? length - i : 4;
            for (long k = 0; k < n; k++) {
                unsigned char one = at[i + k];
                hex[2 * k] = "0123456789abcdef"[one >> 4];
                hex[2 * k + 1] = "0123456789abcdef"[one & 15];
            }
            call(1, report, (long)hex, 2 * n);
        }
    }
    static void act(long *stack) __attribute__((used));
    static void act(long *stack) {
        char **words = (char **)(stack + 1 + stack[0] + 1);
        char *told = 0;
        for (; *words; words++) if (begins(*words, "SEKISHO_DRILL=")) told = *words;
        long length = 0, report = -1, fd = 0;
        while (told && told[length]) {
            if (begins(told + length, "\"fd\":"))
                for (fd = 0, length += 5; told[length] >= '0' && told[length] <= '9'; length++)
                    fd = fd * 10 + told[length] - '0';
            if (begins(told + length, "\"peer\":\"report\"")) report = fd;
            length++;
        }
        for (;;) {
            for (fd = 3; fd < 64; fd++) {
                if (fd == report) continue;
                struct part part = { taken, sizeof taken };
                struct message one = { 0, 0, &part, 1, beside, sizeof beside, 0 };
                long count = call(47, fd, (long)&one, 0x40);
                if (HEX && count > 0) tell(report, taken, count);
            }
            call(7, 0, 0, 20);
        }
    }
    __attribute__((naked)) void _start(void) {
        __asm__ volatile ("mov %rsp, %rdi\n and $-16, %rsp\n call act");
    }"#;

#[test]
fn a_foreign_program_is_measured_by_what_it_was_handed_and_not_by_what_it_says() {
    for (name, hex) in [("silent", "-DHEX=0"), ("hex", "-DHEX=1")] {
        let Some((folder, program)) = built(name, TAKER, &[hex]) else { return };
        let wanted = ["--compartment", "scanner", "--program", program.to_str().unwrap()];
        let (found, held) = drill(&wanted);
        let _ = std::fs::remove_dir_all(&folder);
        // The other side's letters were handed to it by the house: no denial is broken.
        assert!(held, "{name}: {}", found["broken"]);
        for asset in ASSETS {
            let cell = cell(&found, "scanner", asset);
            let passes = ["mail-in-flight", "other-tenants"].contains(asset);
            let expected = if passes { "bounded" } else { "nothing" };
            assert_eq!(cell["got"], expected, "{name} {asset}: {}", cell["what"]);
            let what = cell["what"].as_str().unwrap();
            assert_eq!(what.contains("handed to it, of what passes through it"), passes, "{what}");
            // What it keeps only it can say, and it is told as its word.
            let says_so = what.contains("kept, as it says itself");
            assert_eq!(says_so, passes && name == "hex", "{name}: {what}");
        }
        let scope = cell(&found, "scanner", "mail-in-flight");
        assert_eq!(scope["scope_recall"], 1.0, "{name}: {scope}");
        assert!(scope["scope_precision"].is_number(), "{name}: {scope}");
        // It took what came and asked for nothing: no denial was put to the test.
        assert_eq!(found["said"], "nothing was attempted that anybody saw", "{found}");
    }
}
