//! Policies and programs, as cases.

use crate::filter::{Otherwise, Prepared, coarse, compile, simulate};
use crate::numbers::{name_of, number_of};
use crate::policy::{Policy, TEXTS, Verdict};

const OWN_PID: u32 = 42;

fn answer(policy: &str, call: &str, arguments: [u64; 6]) -> String {
    let policy = Policy::of(policy).unwrap();
    let program = compile(&policy, OWN_PID, Otherwise::Notify).unwrap();
    let value = simulate(&program, number_of(call).unwrap(), &arguments).unwrap();
    match value {
        libc::SECCOMP_RET_ALLOW => "allowed".to_owned(),
        libc::SECCOMP_RET_USER_NOTIF => "noticed".to_owned(),
        value if value & 0xffff_0000 == libc::SECCOMP_RET_ERRNO => {
            format!("errno {}", value & 0xffff)
        }
        _ => "killed".to_owned(),
    }
}

fn check(policy: &str, call: &str, arguments: &[u64], expected: &str) {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    assert_eq!(answer(policy, call, all), expected, "{policy}: {call} {arguments:x?}");
}

#[test]
fn what_is_prepared_once_is_what_is_compiled_for_each_process() {
    for charter in wire::CHARTERS {
        let kind = charter.kind.word();
        let (policy, prepared) = (Policy::of(kind).unwrap(), Prepared::of(kind).unwrap());
        for (pid, otherwise) in
            [(1, Otherwise::Notify), (OWN_PID, Otherwise::Notify), (7, Otherwise::Refuse)]
        {
            let compiled = compile(&policy, pid, otherwise).unwrap();
            assert_eq!(prepared.program(pid, otherwise).unwrap(), compiled, "{kind}");
        }
    }
}

#[test]
fn every_kind_has_a_policy_that_compiles() {
    for charter in wire::CHARTERS {
        let policy = Policy::of(charter.kind.word()).unwrap();
        assert!(compile(&policy, 1, Otherwise::Notify).unwrap().len() < 1000);
        assert_eq!(policy.judge(number_of("execve").unwrap()), Verdict::OffCharter);
    }
    for (name, text) in TEXTS {
        Policy::parse(name, text).unwrap();
    }
}

#[test]
fn calls_are_judged_by_number_and_argument() {
    let thread: u64 = 0x3d0f00; // what glibc asks for a thread
    let process: u64 = 0x1200011; // what glibc asks for a fork
    check("edge", "read", &[], "allowed");
    check("edge", "clone", &[thread], "allowed");
    check("edge", "clone", &[process], "noticed");
    check("edge", "clone", &[thread | 0x1000_0000], "noticed");
    check("edge", "clone3", &[], "errno 38");
    check("edge", "openat", &[], "noticed");
    check("edge", "socket", &[2], "noticed");
    check("edge", "socketpair", &[1], "allowed");
    check("edge", "socketpair", &[2], "noticed");
    check("edge", "mmap", &[0, 4096, 3], "allowed");
    check("edge", "mmap", &[0, 4096, 7], "noticed");
    check("edge", "tgkill", &[42], "allowed");
    check("edge", "tgkill", &[43], "noticed");
    check("edge", "fcntl", &[0, 1030], "allowed");
    check("edge", "fcntl", &[0, 8], "noticed");
    check("edge", "ioctl", &[0, 0x5421], "allowed");
    check("edge", "ioctl", &[0, 0x5401], "errno 25");
    check("edge", "ioctl", &[0, 0x5412], "noticed");
    check("edge", "accept4", &[], "noticed");
    check("gate", "accept4", &[], "allowed");
    check("gate", "socket", &[2], "noticed");
    check("names", "socket", &[2], "noticed");
    check("names", "connect", &[], "noticed");
    check("ledger", "fdatasync", &[], "allowed");
    check("ledger", "statx", &[], "allowed");
    check("edge", "statx", &[], "errno 38");
    check("edge", "newfstatat", &[], "errno 2");
    check("ledger", "newfstatat", &[], "allowed");
    check("edge", "fdatasync", &[], "noticed");
    // High halves are not looked at: the kernel does not either.
    check("edge", "mmap", &[0, 4096, 0xdead_0000_0000_0003], "allowed");
}

#[test]
fn nothing_is_reached_but_the_peer_of_a_descriptor() {
    const FASTOPEN: u64 = 0x2000_0000;
    const NOSIGNAL: u64 = 0x4000;
    // Data and connection in one call, without `connect`: past the notice and past Landlock.
    for kind in ["gate", "edge", "zone", "ledger"] {
        check(kind, "sendto", &[3, 0, 1, NOSIGNAL], "allowed");
        check(kind, "sendto", &[3, 0, 1, NOSIGNAL | FASTOPEN, 1, 16], "noticed");
        check(kind, "sendmsg", &[3, 0, NOSIGNAL], "allowed");
        check(kind, "sendmsg", &[3, 0, FASTOPEN], "noticed");
        check(kind, "sendmmsg", &[3, 0, 1, FASTOPEN], "noticed");
    }
    // A datagram to an address: the host's log, by its path, from within any namespace.
    check("edge", "sendto", &[3, 0, 1, NOSIGNAL, 0x7fff_0000, 110], "noticed");
    // A connected datagram socket still sends anywhere if a message has an address: only the
    // warden's channel takes messages, and no other descriptor can take its place.
    check("names", "sendto", &[7, 0, 1, NOSIGNAL, 0x7fff_0000, 16], "noticed");
    check("names", "sendto", &[7, 0, 1, NOSIGNAL], "allowed");
    check("names", "sendmsg", &[3, 0, NOSIGNAL], "allowed");
    check("names", "sendmsg", &[7, 0, NOSIGNAL], "noticed");
    check("names", "sendmmsg", &[7, 0, 1, NOSIGNAL], "noticed");
    check("names", "close", &[3], "noticed");
    check("names", "close", &[7], "allowed");
    check("names", "dup2", &[7, 3], "noticed");
    check("names", "dup3", &[7, 3, 0], "noticed");
    check("names", "dup3", &[7, 9, 0], "allowed");
    check("names", "close_range", &[3, 9, 0], "noticed");
    for (form, expected) in [(1, "allowed"), (5, "allowed"), (2, "noticed"), (3, "noticed")] {
        for flags in [0, 0x8_0000, 0x800, 0x8_0800] {
            check("edge", "socketpair", &[1, form | flags], expected);
        }
    }
    for form in [1, 2, 3, 5] {
        check("names", "socket", &[2, form | 0x8_0000, 0], "noticed");
    }
}

#[test]
fn sockets_are_not_given_programs_or_protocols() {
    check("edge", "setsockopt", &[3, 1, 20], "allowed"); // receive time-out
    check("edge", "setsockopt", &[3, 6, 1], "allowed"); // no delay
    check("edge", "setsockopt", &[3, 1, 26], "noticed"); // a filter program
    check("edge", "setsockopt", &[3, 1, 50], "noticed"); // another
    check("edge", "setsockopt", &[3, 6, 31], "noticed"); // a protocol on top
    check("gate", "setsockopt", &[3, 6, 19], "noticed"); // repair
    check("gate", "setsockopt", &[3, 41, 1], "noticed");
}

#[test]
fn the_warden_tells_witnessed_calls_from_calls_off_charter() {
    let judge = |kind: &str, call: &str| Policy::of(kind).unwrap().judge(number_of(call).unwrap());
    assert_eq!(judge("mailbox", "openat"), Verdict::Witness);
    assert_eq!(judge("names", "connect"), Verdict::OffCharter);
    assert_eq!(judge("edge", "openat"), Verdict::OffCharter);
    assert_eq!(judge("mailbox", "socket"), Verdict::OffCharter);
}

#[test]
fn wrong_policies_say_where() {
    let check = |text: &str, expected: &str| {
        let fault = Policy::parse("p", text).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some(expected), "{text}");
    };
    check("allow", "policy p, line 1: a line is a verb and a call");
    check("\nallow raed", "policy p, line 2: no such call");
    check(
        "permit read",
        "policy p, line 1: the verbs are include, allow, tolerate, notify and forbid",
    );
    check("tolerate read", "policy p, line 1: tolerate needs an errno");
    check("tolerate read EWHAT", "policy p, line 1: no such errno");
    check("allow read arg9 in 1", "policy p, line 1: arguments are arg0 to arg5");
    check("allow read arg0 in", "policy p, line 1: a constant is missing or unknown");
    check("allow read arg0 near 1", "policy p, line 1: the tests are in, has, lacks and is SELF");
    check("include nothing", "policy nothing, line 0: there is no such policy");
}

#[test]
fn names_and_numbers_agree() {
    for call in ["read", "execve", "landlock_restrict_self", "clone3"] {
        assert_eq!(name_of(number_of(call).unwrap()), call);
    }
    assert_eq!(name_of(99_999), "unknown");
    assert_eq!(simulate(&coarse(), 59, &[0; 6]), Some(libc::SECCOMP_RET_ALLOW));
}

/// The parser takes any text without a panic and in linear time (a seeded mini-fuzzer).
#[test]
fn any_text_is_taken_calmly() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let seed = include_str!("../policy/base.policy").as_bytes();
    for _ in 0..20_000 {
        let start = next() as usize % seed.len();
        let length = (next() as usize % 200).min(seed.len() - start);
        let mut bytes = seed[start..start + length].to_vec();
        for _ in 0..next() % 4 {
            if !bytes.is_empty() {
                let place = next() as usize % bytes.len();
                bytes[place] = next() as u8;
            }
        }
        if let Ok(policy) = Policy::parse("fuzz", &String::from_utf8_lossy(&bytes)) {
            let program = compile(&policy, 1, Otherwise::Notify);
            for call in [0, 56, 59, 231] {
                assert!(program.as_ref().is_ok_and(|p| simulate(p, call, &[7; 6]).is_some()));
            }
        }
    }
}
