//! A demo of one's own: started, awaited, stopped, with nothing left behind.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A start is promised within 2 s on a quiet machine; tests share theirs with others.
const START: Duration = Duration::from_secs(60);
/// Orderly stop (architecture §7), and some patience for a busy machine.
const STOP: Duration = Duration::from_secs(15);
/// The sample of the demo in its mailboxes, at least: of 33 letters some are refused.
const SAMPLE: u64 = 24;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The binary under test.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("SEKISHO_BINARY").map(PathBuf::from);
    named.or_else(|| option_env!("CARGO_BIN_EXE_sekisho").map(PathBuf::from)).expect("a binary")
}

/// A new empty folder that others may pass through.
pub fn folder(name: &str) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let process = std::process::id();
    let path = std::env::temp_dir().join(format!("sekisho-journey-{process}-{number}-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A port base whose offsets are free now, below the kernel's own range of passing ports.
pub fn free_ports() -> u16 {
    for _ in 0..200 {
        let number = NEXT.fetch_add(1, Ordering::SeqCst) * 97 + std::process::id() * 131;
        let start = 10_000 + u16::try_from(number % 200).unwrap() * 100;
        let is_free = |offset| TcpListener::bind(("127.0.0.1", start + offset)).is_ok();
        let is_named = UdpSocket::bind(("127.0.0.1", start + 53)).is_ok();
        if is_named && [25, 26, 43, 53, 65, 87, 90, 93, 95].into_iter().all(is_free) {
            return start;
        }
    }
    panic!("no free ports");
}

/// Ends the demo when this process ends in whatever way: it holds the other end of a pipe.
struct Guard {
    process: Child,
    _pipe: ChildStdin,
}

impl Guard {
    fn over(pid: u32, folder: &Path) -> Self {
        let act = format!(
            "cat >/dev/null; kill -TERM {pid}; for i in 1 2 3 4 5 6 7 8 9; do \
             kill -0 {pid} 2>/dev/null || break; sleep 1; done; kill -KILL {pid}; rm -rf \"$0\""
        );
        let mut process = Command::new("sh")
            .args(["-c", &act])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = process.stdin.take().unwrap();
        Self { process, _pipe: pipe }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a demo is started.
#[derive(Clone)]
pub struct Wishes {
    pub data: PathBuf,
    pub port_base: u16,
    pub sample: bool,
    /// A program in front, such as `setpriv` with its options.
    pub through: Vec<String>,
    /// How long the ready line is waited for.
    pub patience: Duration,
    /// Another binary than the one under test: its copy.
    pub program: Option<PathBuf>,
    /// Where mail that leaves goes.
    pub outside: Option<u16>,
    /// Whose certificates are believed there (PEM).
    pub authority: Option<PathBuf>,
}

impl Wishes {
    pub fn new(name: &str) -> Self {
        let data = folder(name).join("data");
        Self {
            data,
            port_base: free_ports(),
            sample: false,
            through: Vec::new(),
            patience: START,
            program: None,
            outside: None,
            authority: None,
        }
    }

    pub fn command(&self) -> Command {
        let program = self.program.clone().unwrap_or_else(binary);
        let mut words = self.through.clone();
        words.push(program.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["demo", "--json", "--data"]).arg(&self.data);
        command.args(["--port-base", &self.port_base.to_string()]);
        if let Some(port) = self.outside {
            command.args(["--outside", &port.to_string()]);
        }
        if let Some(file) = &self.authority {
            command.arg("--outside-authority").arg(file);
        }
        if !self.sample {
            command.arg("--no-sample");
        }
        command
    }
}

#[derive(Clone, Debug)]
pub struct Account {
    pub address: String,
    pub imap: String,
    pub pop3: String,
    pub smtp: String,
}

/// One running demo.
pub struct Demo {
    pub wishes: Wishes,
    pub ready: Value,
    process: Child,
    guard: Option<Guard>,
    out: Mutex<Receiver<String>>,
    err: Arc<Mutex<Vec<u8>>>,
    is_kept: bool,
}

impl Demo {
    pub fn start(wishes: Wishes) -> Self {
        Self::try_start(wishes).expect("a ready line")
    }

    /// Gives what it said when it did not get ready.
    pub fn try_start(wishes: Wishes) -> Result<Self, String> {
        let mut demo = Self::spawn(wishes)?;
        demo.await_ready()?;
        Ok(demo)
    }

    /// Waits for its ready line.
    pub fn await_ready(&mut self) -> Result<(), String> {
        let said = |demo: &Self| format!("{:?}", demo.said());
        let line = self.out.lock().unwrap().recv_timeout(self.wishes.patience);
        let line = line.map_err(|_| said(self))?;
        self.ready = serde_json::from_str(&line).map_err(text)?;
        // What it refuses is one line of JSON too.
        if self.ready["ready"] == true { Ok(()) } else { Err(line) }
    }

    /// Begun, and not waited for.
    pub fn spawn(wishes: Wishes) -> Result<Self, String> {
        let mut command = wishes.command();
        command.process_group(0).stdin(Stdio::null());
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(text)?;
        let folder = wishes.data.parent().unwrap();
        let guard = Some(Guard::over(process.id(), folder));
        let (tell, out) = channel();
        let out = Mutex::new(out);
        let lines = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            lines.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        let err = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut stderr) = (err.clone(), process.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut piece) {
                kept.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        let ready = Value::Null;
        Ok(Self { wishes, ready, process, guard, out, err, is_kept: false })
    }

    pub fn fresh(name: &str) -> Self {
        Self::start(Wishes::new(name))
    }

    /// With the sample letters in their mailboxes.
    pub fn with_sample(name: &str) -> Self {
        let mut wishes = Wishes::new(name);
        wishes.sample = true;
        let demo = Self::start(wishes);
        let mut before = 0;
        within(Duration::from_secs(60), "the sample", || {
            let now = demo.kept_messages();
            let is_settled = now >= SAMPLE && now == before;
            before = now;
            std::thread::sleep(Duration::from_millis(700));
            is_settled
        });
        demo
    }

    /// How many messages the mailbox keeps.
    pub fn kept_messages(&self) -> u64 {
        let (value, _) = self.ask(&["doctor"]);
        value["service"]["mailbox"]["messages"].as_u64().unwrap_or(0)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn data(&self) -> &Path {
        &self.wishes.data
    }

    /// Everything that it wrote to stderr until now.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    /// Lines after the first on stdout; the contract promises none.
    pub fn more_lines(&self) -> Vec<String> {
        self.out.lock().unwrap().try_iter().collect()
    }

    pub fn port(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    pub fn authority(&self) -> PathBuf {
        PathBuf::from(self.ready["ca"].as_str().unwrap())
    }

    pub fn account(&self, address: &str) -> Account {
        let all = self.ready["accounts"].as_array().unwrap();
        let found = all.iter().find(|account| account["address"] == address).unwrap();
        let word = |name: &str| found[name].as_str().unwrap().to_owned();
        Account {
            address: address.to_owned(),
            imap: word("app_password"),
            pop3: word("app_password_pop3"),
            smtp: word("app_password_smtp"),
        }
    }

    /// A command of the binary against this demo: its JSON value and its exit code.
    pub fn ask(&self, words: &[&str]) -> (Value, i32) {
        let (value, code) = command(&[words, &["--data", self.data().to_str().unwrap()]].concat());
        (value, code)
    }

    /// Every entry of the ledger.
    pub fn entries(&self) -> Vec<Value> {
        entries(self.data())
    }

    /// The processes of this demo but the first: kind, instance, pid.
    pub fn processes(&self) -> Vec<Process> {
        descendants(self.pid())
    }

    /// The first living process of a kind.
    pub fn pid_of(&self, kind: &str) -> u32 {
        let found = self.processes().into_iter().find(|process| process.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).pid
    }

    /// SIGTERM, and how long it took; the exit code.
    pub fn stop(&mut self) -> (Duration, Option<i32>) {
        let started = Instant::now();
        signal(self.pid(), rustix::process::Signal::TERM);
        while started.elapsed() < STOP {
            if let Ok(Some(status)) = self.process.try_wait() {
                return (started.elapsed(), status.code());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        (started.elapsed(), None)
    }

    /// kill -9 of the started process; all others must follow it.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Stops and starts again on the same folder.
    pub fn again(mut self) -> Self {
        self.stop();
        self.is_kept = true;
        let wishes = self.wishes.clone();
        drop(self);
        Self::start(wishes)
    }

    /// The folder stays when this demo is dropped.
    pub fn keep_folder(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.stop();
            self.kill();
        }
        self.guard = None;
        if !self.is_kept
            && let Some(parent) = self.wishes.data.parent()
        {
            let _ = fs::remove_dir_all(parent);
        }
    }
}

/// One demo with the sample for every journey that only reads.
pub fn shared() -> &'static Demo {
    static SHARED: OnceLock<Demo> = OnceLock::new();
    SHARED.get_or_init(|| Demo::with_sample("shared"))
}

/// One demo without the sample for every journey that sends letters of its own.
pub fn post_office() -> &'static Demo {
    static SHARED: OnceLock<Demo> = OnceLock::new();
    SHARED.get_or_init(|| Demo::fresh("post"))
}

/// Runs the binary with `--json`; its one JSON value and its exit code.
pub fn command(words: &[&str]) -> (Value, i32) {
    let output = Command::new(binary()).args(words).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{words:?} printed {text}");
    (serde_json::from_str(&text).unwrap(), output.status.code().unwrap())
}

/// As people read it: what stands on standard output, what on the other, the exit code.
pub fn plainly(words: &[&str], language: &str) -> (String, String, i32) {
    let mut command = Command::new(binary());
    command.args(words).env("LC_ALL", language).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

pub fn entries(data: &Path) -> Vec<Value> {
    let mut command = Command::new(binary());
    command.args(["ledger", "export", "--json", "--data"]).arg(data);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One compartment's process, as its argv tells.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    pub arguments: Vec<String>,
    pub kind: String,
}

/// All descendants of a process, by /proc.
pub fn descendants(root: u32) -> Vec<Process> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let mut fields = rest.split(' ');
        let is_dead = fields.next() == Some("Z");
        let parent = fields.next().and_then(|field| field.parse::<u32>().ok());
        if let (false, Some(parent)) = (is_dead, parent) {
            parents.insert(pid, parent);
        }
    }
    let is_below = |pid: u32| {
        let line = std::iter::successors(parents.get(&pid), |parent| parents.get(parent));
        line.take(64).any(|parent| *parent == root)
    };
    let all = parents.keys().copied().filter(|pid| is_below(*pid));
    let named = all.map(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        let arguments: Vec<String> =
            words.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
        let kind = arguments.get(1).cloned().unwrap_or_default();
        Process { pid, arguments, kind }
    });
    named.collect()
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}

/// Asks again until it is so.
pub fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Is this program installed? Says so when it is not.
pub fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        println!("absent: {program}");
    }
    found
}

fn text(fault: impl std::fmt::Display) -> String {
    fault.to_string()
}
