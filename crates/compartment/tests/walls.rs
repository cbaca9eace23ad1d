//! Hostile acts inside the real walls: each refused, each heard by name, as root and as an
//! ordinary user. This program is its own compartment: birth re-executes it.
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::control::{Order, Report, Start};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return match words[1].as_str() {
            "edge" => compartment::zygote_main(misbehave),
            "scanner" => compartment::prepared_zygote_main(prepare, draw),
            _ => keep_files(House::begin().unwrap()),
        };
    }
    if words.iter().any(|word| word == "--list") {
        println!("walls: test");
        return ExitCode::SUCCESS;
    }
    let found = walls();
    println!(
        "granted {:?}\nmissing {:?}\nlandlock {}",
        found.granted, found.missing, found.landlock
    );
    if !found.granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    instances_are_refused_and_heard();
    println!("ok  an instance is refused and heard               {:?}", started.elapsed());
    siblings_cannot_signal_each_other();
    println!("ok  siblings cannot signal each other              {:?}", started.elapsed());
    keepers_reach_their_own_folder_only();
    println!("ok  a keeper reaches its own folder only           {:?}", started.elapsed());
    forks_never_draw_the_same();
    println!("ok  1,000 forks draw 1,000 different first bytes   {:?}", started.elapsed());
    if cfg!(target_arch = "x86_64") {
        a_foreign_program_stands_in_the_same_jail();
        println!("ok  a drill's program stands in the same jail         {:?}", started.elapsed());
    }
    println!("test result: ok. 5 passed; 0 failed");
    ExitCode::SUCCESS
}

// ---- inside -------------------------------------------------------------------------------

/// One act: what to call it, and what it answers (-1 and errno, as libc).
type Act = (&'static str, fn() -> i64);

/// The acts, in order, each named by the call that the warden must hear.
const ACTS: &[Act] = &[
    ("execve", || unsafe {
        let none: [*const libc::c_char; 1] = [std::ptr::null()];
        libc::execve(c"/bin/true".as_ptr(), none.as_ptr(), none.as_ptr()).into()
    }),
    ("execveat", || unsafe {
        libc::syscall(libc::SYS_execveat, -1, c"/bin/true".as_ptr(), 0, 0, 0)
    }),
    ("ptrace", || unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_ATTACH, 1, 0, 0) }),
    ("process_vm_readv", || unsafe { libc::syscall(libc::SYS_process_vm_readv, 1, 0, 0, 0, 0, 0) }),
    ("openat", || unsafe { libc::openat(libc::AT_FDCWD, c"/etc/passwd".as_ptr(), 0).into() }),
    ("openat2", || unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, c"/".as_ptr(), 0, 0)
    }),
    ("socket", || unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0).into() }),
    ("socket", || unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).into() }),
    ("socketpair", || unsafe {
        let mut ends = [0; 2];
        libc::socketpair(libc::AF_INET, libc::SOCK_STREAM, 0, ends.as_mut_ptr()).into()
    }),
    ("connect", || unsafe { libc::connect(0, std::ptr::null(), 0).into() }),
    ("bind", || unsafe { libc::bind(0, std::ptr::null(), 0).into() }),
    ("unshare", || unsafe { libc::unshare(libc::CLONE_NEWUSER).into() }),
    ("setns", || unsafe { libc::setns(0, 0).into() }),
    ("clone", || unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) }),
    ("clone", || unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER, 0, 0, 0, 0) }),
    ("io_uring_setup", || unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, 0) }),
    ("kill", || unsafe { libc::kill(1, libc::SIGKILL).into() }),
    ("tgkill", || unsafe { libc::syscall(libc::SYS_tgkill, 1, 1, libc::SIGKILL) }),
    ("pidfd_open", || unsafe { libc::syscall(libc::SYS_pidfd_open, 1, 0) }),
    ("pidfd_getfd", || unsafe { libc::syscall(libc::SYS_pidfd_getfd, 0, 0, 0) }),
    ("mmap", || unsafe {
        let rwx = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        libc::mmap(std::ptr::null_mut(), 4096, rwx, private, -1, 0) as i64
    }),
    ("mprotect", || unsafe { libc::mprotect(std::ptr::null_mut(), 4096, libc::PROT_EXEC).into() }),
    ("prctl", || unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1).into() }),
    ("seccomp", || unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, 0) }),
    ("bpf", || unsafe { libc::syscall(libc::SYS_bpf, 0, 0, 0) }),
    ("mount", || unsafe { libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0) }),
    ("keyctl", || unsafe { libc::syscall(libc::SYS_keyctl, 0, 0, 0, 0, 0) }),
    ("userfaultfd", || unsafe { libc::syscall(libc::SYS_userfaultfd, 0) }),
    ("init_module", || unsafe { libc::syscall(libc::SYS_init_module, 0, 0, 0) }),
    ("unlinkat", || unsafe { libc::unlinkat(libc::AT_FDCWD, c"/etc/passwd".as_ptr(), 0).into() }),
];

fn misbehave(house: House) -> ExitCode {
    let say = |text: String| house.report(&Report::Note { text }, &[]).unwrap();
    // What ordinary work does: memory, threads, clocks, a second of sleep cut short.
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| vec![1u8; 1 << 20].len())).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 1 << 20);
    }
    std::thread::sleep(Duration::from_millis(1));
    let words =
        std::fs::File::from(house.descriptors.first().map(|fd| fd.try_clone().unwrap()).unwrap());
    drop(words);
    say("worked".to_owned());
    if house.start.host_name == "signal" {
        let target: i32 = house.start.zones.parse().unwrap();
        let answer = unsafe { libc::kill(target, libc::SIGKILL) };
        say(format!("kill {answer} {}", std::io::Error::last_os_error().raw_os_error().unwrap()));
        return ExitCode::SUCCESS;
    }
    if house.start.host_name == "wait" {
        say(format!("{}", std::process::id()));
        let _ = house.control.receive(Some(LIMIT));
        return ExitCode::SUCCESS;
    }
    for (name, act) in ACTS {
        let answer = act();
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        say(format!("{name} {answer} {errno}"));
    }
    say("done".to_owned());
    #[cfg(target_arch = "x86_64")]
    // A call in another processor's tongue (i386 getpid): kills.
    unsafe {
        std::arch::asm!("int 0x80", inout("eax") 20 => _, options(nostack));
    }
    ExitCode::SUCCESS
}

/// Whoever made what is made once.
static PREPARED_BY: AtomicU32 = AtomicU32::new(0);
/// What an instance leaves with.
const LEFT_WITH: u8 = 42;

fn prepare() {
    PREPARED_BY.store(std::process::id(), Ordering::Relaxed);
}

/// Aborts where an end is not the kernel's alone.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        std::process::abort();
    }
}

thread_local!(static LAST: Last = const { Last });

fn draw(house: House) -> ExitCode {
    LAST.with(|_| ());
    let prepared_by = PREPARED_BY.load(Ordering::Relaxed);
    assert!(prepared_by != 0 && prepared_by != std::process::id(), "made by {prepared_by}");
    let text = compartment::random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    house.report(&Report::Note { text }, &[]).unwrap();
    ExitCode::from(LEFT_WITH)
}

fn keep_files(mut house: House) -> ExitCode {
    let folder = house.start.folder.clone().unwrap();
    let early = format!("{folder}/early");
    std::fs::write(&early, "x").unwrap();
    house.jail().unwrap();
    house.ready(None, None).unwrap();
    let say = |text: String| house.report(&Report::Note { text }, &[]).unwrap();
    let late = std::fs::write(format!("{folder}/late"), "x");
    say(format!("own {}", late.is_ok()));
    say(format!("outside {}", std::fs::read("/etc/passwd").is_ok()));
    say(format!("root {}", std::fs::write("/tmp/sekisho-outside", "x").is_ok()));
    say("done".to_owned());
    ExitCode::SUCCESS
}

// ---- outside ------------------------------------------------------------------------------

/// A warden in miniature: one birth, and an ear for its notices.
struct Born {
    control: Channel,
    spawned: compartment::Spawned,
}

fn birth(kind: Kind, start: Start) -> Born {
    let (ours, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: kind.word().to_owned(), ..start };
    ours.send(0, &Order::Begin(start), &[]).unwrap();
    // Where descriptors are parked on the way: a warden of a large house comes so far.
    let theirs = rustix::io::fcntl_dupfd_cloexec(OwnedFd::from(theirs), 200).unwrap();
    let spawned = spawn(Birth {
        kind: kind.word(),
        instance: None,
        user: compartment::is_root().then_some(64_000 + kind.number()),
        host_network: false,
        control: theirs,
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    Born { control: ours, spawned }
}

fn report(control: &Channel) -> (Report, Vec<OwnedFd>) {
    let frame = control.receive(Some(LIMIT)).expect("a report");
    (frame.read().unwrap(), frame.descriptors)
}

fn fork(zygote: &Born, number: u8, kind: Kind, start: Start) -> (Channel, OwnedFd) {
    let (ours, theirs) = Channel::pair().unwrap();
    let instance = InstanceId([number; 6]);
    let kind_word = kind.word().to_owned();
    let gift = std::fs::File::open("/dev/null").unwrap();
    ours.send(0, &Order::Begin(Start { instance, kind_word, ..start }), &[gift.into()]).unwrap();
    zygote.control.send(0, &Order::Fork(instance), &[theirs.into()]).unwrap();
    let (Report::Born(born), mut fds) = report(&zygote.control) else { panic!("not born") };
    assert_eq!(born, instance);
    (ours, fds.pop().unwrap())
}

fn zygote(kind: Kind) -> Born {
    let zygote = birth(kind, Start::default());
    let (Report::Jailed { missing_walls }, fds) = report(&zygote.control) else { panic!() };
    assert!(fds.is_empty());
    println!("    {} zygote lacks {missing_walls:?} {:?}", kind.word(), zygote.spawned.missing);
    assert!(matches!(report(&zygote.control).0, Report::Ready { .. }));
    zygote
}

fn listener(control: &Channel) -> Notices {
    let (Report::Jailed { .. }, mut fds) = report(control) else { panic!("not jailed") };
    Notices::new(fds.pop().expect("a listener"))
}

/// Answers notices (deny, or continue what `pass` names) until the instance says `done` or ends.
fn attend(
    control: &Channel,
    notices: &Notices,
    policy: &Policy,
    pass: &str,
) -> (Vec<String>, Vec<(String, Verdict)>) {
    use rustix::event::{PollFd, PollFlags, poll};
    let (mut notes, mut heard) = (Vec::new(), Vec::new());
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        let mut fds = [
            PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(notices.as_fd(), PollFlags::IN),
        ];
        poll(&mut fds, None).unwrap();
        let listening = fds[1].revents();
        if listening.contains(PollFlags::IN)
            && let Some(notice) = notices.receive().unwrap()
        {
            assert_ne!(notice.pid, 0);
            let verdict = policy.judge(notice.number);
            heard.push((notice.call.to_owned(), verdict));
            if verdict == Verdict::Witness || notice.call == pass {
                notices.continue_(&notice).unwrap();
            } else {
                notices.deny(&notice, libc::EPERM).unwrap();
            }
        }
        match control.take() {
            Ok(Some(frame)) => match frame.read().unwrap() {
                Report::Note { text } if text == "done" => return (notes, heard),
                Report::Note { text } => notes.push(text),
                _ => {}
            },
            Ok(None) => {}
            Err(_) => return (notes, heard),
        }
    }
    panic!("no end after {LIMIT:?}: {notes:?} {heard:?}");
}

fn instances_are_refused_and_heard() {
    let zygote = zygote(Kind::Edge);
    let policy = Policy::of("edge").unwrap();
    let (control, _pidfd) = fork(&zygote, 7, Kind::Edge, Start::default());
    let notices = listener(&control);
    let (notes, heard) = attend(&control, &notices, &policy, "");
    assert_eq!(notes.first().map(String::as_str), Some("worked"));
    let expected: Vec<String> = ACTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let refused: Vec<String> = ACTS.iter().map(|(name, _)| format!("{name} -1 1")).collect();
    assert_eq!(heard.iter().map(|(call, _)| call.clone()).collect::<Vec<_>>(), expected);
    assert!(heard.iter().all(|(_, verdict)| *verdict == Verdict::OffCharter));
    assert_eq!(notes[1..], refused);
    let (Report::Ended { status, .. }, _) = report(&zygote.control) else { panic!("not ended") };
    if cfg!(target_arch = "x86_64") {
        assert_eq!(libc::WTERMSIG(status), libc::SIGSYS, "a foreign tongue kills");
    }
    end(zygote);
}

fn siblings_cannot_signal_each_other() {
    let zygote = zygote(Kind::Edge);
    let policy = Policy::of("edge").unwrap();
    let waiting = Start { host_name: "wait".to_owned(), ..Start::default() };
    let (victim, pidfd) = fork(&zygote, 1, Kind::Edge, waiting);
    let _ears = listener(&victim);
    let Report::Note { .. } = report(&victim).0 else { panic!() };
    let Report::Note { text: pid } = report(&victim).0 else { panic!() };
    let outside = compartment::signals::pid_behind(&pidfd).unwrap();
    let words = std::fs::read_to_string(format!("/proc/{outside}/cmdline")).unwrap();
    assert_eq!(words.trim_end_matches('\0'), "sekisho\x00edge\x00010101010101");
    let signalling = Start { host_name: "signal".to_owned(), zones: pid, ..Start::default() };
    let (attacker, _pidfd) = fork(&zygote, 2, Kind::Edge, signalling);
    let notices = listener(&attacker);
    // The notice is let go on: the fence itself must refuse.
    let (notes, heard) = attend(&attacker, &notices, &policy, "kill");
    assert_eq!(heard.len(), 1);
    if walls().granted.contains(&Wall::NewestFence) {
        assert_eq!(notes.last().unwrap(), "kill -1 1");
    } else {
        println!("absent: this kernel's Landlock has no signal scope");
    }
    drop(victim);
    end(zygote);
}

fn keepers_reach_their_own_folder_only() {
    let folder = std::env::temp_dir().join(format!("sekisho-walls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if walls().granted.contains(&Wall::OwnUser) {
        let user = Some(64_000 + Kind::Directory.number());
        std::os::unix::fs::chown(&folder, user, user).unwrap();
    }
    let policy = Policy::of("directory").unwrap();
    let text = folder.to_str().unwrap().to_owned();
    let keeper = birth(Kind::Directory, Start { folder: Some(text), ..Start::default() });
    let notices = listener(&keeper.control);
    assert!(matches!(report(&keeper.control).0, Report::Ready { .. }));
    let (notes, heard) = attend(&keeper.control, &notices, &policy, "");
    if walls().granted.contains(&Wall::Fence) {
        assert_eq!(notes, ["own true", "outside false", "root false"]);
    } else {
        println!("absent: no Landlock here");
    }
    assert!(heard.iter().all(|(call, verdict)| call == "openat" && *verdict == Verdict::Witness));
    assert_eq!(heard.len(), 3);
    end(keeper);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn forks_never_draw_the_same() {
    let zygote = zygote(Kind::Scanner);
    let mut seen = BTreeSet::new();
    for round in 0..1000u32 {
        let (control, _pidfd) = fork(&zygote, round as u8, Kind::Scanner, Start::default());
        let _ears = listener(&control);
        let Report::Note { text } = report(&control).0 else { panic!("no draw") };
        assert!(seen.insert(text), "two forks drew the same");
        let (Report::Ended { status, .. }, _) = report(&zygote.control) else { panic!() };
        assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, LEFT_WITH.into()));
    }
    assert_eq!(seen.len(), 1000);
    end(zygote);
}

/// A static program in 200 octets: opens a file, then leaves with 42.
fn hostile_program() -> OwnedFd {
    const BASE: u64 = 0x40_0000;
    let code: &[u8] = &[
        0xb8, 0x01, 0x01, 0, 0, // mov eax, 257 (openat)
        0xbf, 0x9c, 0xff, 0xff, 0xff, // mov edi, AT_FDCWD
        0x48, 0x8d, 0x35, 0x10, 0, 0, 0, // lea rsi, [rip + 16]
        0x31, 0xd2, // xor edx, edx
        0x0f, 0x05, // syscall
        0xb8, 0xe7, 0, 0, 0, // mov eax, 231 (exit_group)
        0xbf, 0x2a, 0, 0, 0, // mov edi, 42
        0x0f, 0x05, // syscall
        b'/', b'e', b't', b'c', 0,
    ];
    let size = 120 + code.len() as u64;
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    program.extend([2u8, 0, 62, 0, 1, 0, 0, 0]); // an executable for x86_64
    for word in [BASE + 120, 64, 0] {
        program.extend(word.to_le_bytes());
    }
    program.extend([0u8, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    program.extend([1u8, 0, 0, 0, 5, 0, 0, 0]); // one segment, to be read and run
    for word in [0, BASE, BASE, size, size, 0x1000] {
        program.extend(word.to_le_bytes());
    }
    program.extend(code);
    let file = rustix::fs::memfd_create("drill", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(rustix::io::write(&file, &program).unwrap(), program.len());
    file
}

fn a_foreign_program_stands_in_the_same_jail() {
    let zygote = zygote(Kind::Edge);
    let policy = Policy::of("edge").unwrap();
    let (ours, theirs) = Channel::pair().unwrap();
    let instance = InstanceId([9; 6]);
    let kind_word = "edge".to_owned();
    let start = Start { instance, kind_word, drill: true, ..Start::default() };
    let (_report, its_end) = Channel::pair().unwrap();
    let frames = rustix::fs::memfd_create("frames", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let gifts = [its_end.into(), frames, hostile_program()];
    ours.send(0, &Order::Begin(start), &gifts).unwrap();
    zygote.control.send(0, &Order::Fork(instance), &[theirs.into()]).unwrap();
    assert!(matches!(report(&zygote.control).0, Report::Born(_)));
    let notices = listener(&ours);
    let (_, heard) = attend(&ours, &notices, &policy, "execveat");
    let calls: Vec<&str> = heard.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(calls, ["execveat", "openat"]);
    let (Report::Ended { status, .. }, _) = report(&zygote.control) else { panic!() };
    assert_eq!(libc::WEXITSTATUS(status), 42);
    end(zygote);
}

fn end(born: Born) {
    let _ = born.control.send(0, &Order::Stop, &[]);
    drop(born.control);
    let _ = compartment::birth::reap(born.spawned.pid);
}
