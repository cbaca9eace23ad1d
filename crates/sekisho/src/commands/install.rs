//! `sekisho init` and `sekisho run`.

use super::demo::make_folder;
use super::sealed;
use super::unsealing::{Given, Keeping, unseal};
use crate::arguments::Arguments;
use crate::demo::screen::{is_japanese, say};
use crate::outcome::{Answer, Outcome, Trouble};
use crate::words;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use settings::Settings;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use warden::{Happening, Plan};
use wire::control::Service;

/// Stands in a data folder from its `init` on: the keepers' folders come with the first start.
const MADE: &str = "initialised";

const ONCE_JA: &str = "unseal の一行は、この保管庫のすべての鍵を開く資格情報です。\
    表示はこの一度だけで、どこにも残りません。\
    所有者だけが読めるファイル（データフォルダーの外）に書き、設定の `unseal.file` で\
    その場所を示すか、systemd の LoadCredential= で渡してください。\
    失うとメールは二度と開けません。";
const ONCE_EN: &str = "The line `unseal` is the credential that opens every key of this house. \
    It is shown this once and kept nowhere. Write it into a file outside the data folder that \
    its owner alone may read, and name it by `unseal.file` in the settings of `sekisho run`, or \
    give it by LoadCredential= of systemd. If it is lost, the mail never opens again.";

/// Makes the data folder and the root, which is kept as asked: written or printed, once.
pub fn init(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = std::path::absolute(arguments.data()?)
        .map_err(|error| Trouble::fault(error.to_string(), "give an absolute path"))?;
    let keeping = Keeping::read(&mut arguments, &data)?;
    arguments.finish()?;
    if data.join(MADE).exists() || data.join("vault").exists() {
        // A second credential beside the first would leave it open which of them opens the mail.
        let hint = "`sekisho run` starts it. If its credential is lost and it never ran, remove \
                    the folder first; `sekisho keys reseal` changes a credential";
        let found = format!("{}, which is initialised already", data.display());
        return Err(Trouble::refused("a new data folder", found, hint));
    }
    let is_new = !data.exists();
    make_folder(&data)?;
    let root = root::make().map_err(|fault| Trouble::fault(fault.to_string(), "try again"))?;
    let mut shown = keeping.keep(&root).inspect_err(|_| {
        // What was refused leaves nothing behind; only an empty folder can be taken away so.
        if is_new {
            let _ = std::fs::remove_dir(&data);
        }
    })?;
    let text = format!("{}\nroot {}\n", evidence::rfc3339(now_ms()), root::mark(&root));
    let made = std::fs::write(data.join(MADE), text);
    made.map_err(|error| {
        let what = format!("{}: {error}", data.display());
        Trouble::fault(what, "give --data a folder that you may write to")
    })?;
    super::insert(&mut shown, "data", json!(data));
    if shown.get("unseal").is_some() {
        super::insert(&mut shown, "about", json!({ "ja": ONCE_JA, "en": ONCE_EN }));
    }
    let shown = Outcome::Done(shown);
    Ok(if as_json { shown } else { shown.in_one_language(is_japanese()) })
}

fn now_ms() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Runs the service in the foreground until SIGTERM or SIGINT.
pub fn run(mut arguments: Arguments) -> Answer {
    let path = PathBuf::from(arguments.required("--config")?);
    let given = Given::read(&mut arguments)?;
    arguments.finish()?;
    let settings = settings_in(&path)?;
    let data = &settings.house.data;
    if !data.is_dir() {
        // A mistyped path must not start an empty house beside the full one.
        return Err(no_folder(&path, data));
    }
    super::keeping::must_be_restored_whole(data)?;
    if data.join("directory/directory.db").exists() && !data.join("vault").exists() {
        // A vault without keys would make new ones, which open nothing of what is here.
        let hint = "this was restored without them; restore again with --keys-from";
        return Err(Trouble::refused("the keys of this data", data.display().to_string(), hint));
    }
    let root = unseal(&settings.unseal, given)?;
    require_own(data, &root)?;
    let mut plan = plan(&settings, root.as_slice())?;
    drop(root);
    super::evidence::before_start(data)?;
    // Begun by the warden's own thread: its signals are masked by then.
    let (mut tell, mut searched) = (plan.tell, Some(data.clone()));
    plan.tell = Box::new(move |happening| {
        tell(happening);
        if matches!(happening, Happening::Ready)
            && let Some(data) = searched.take()
        {
            super::evidence::attend(data.clone());
            super::remains::daily(data);
        }
    });
    let code = warden::run(plan);
    let _ = ledger::remember(&settings.house.data);
    Ok(Outcome::Told(if code == std::process::ExitCode::SUCCESS { 0 } else { 3 }))
}

/// Not made yet, or a disk that is not mounted.
fn no_folder(path: &Path, data: &Path) -> Trouble {
    let hint = "`house.data` names it; `sekisho init --data DIR` makes it";
    let (data, file) = (data.display(), path.display());
    Trouble::fault(
        match Settings::line_of(path, "house.data") {
            Some(line) => format!("there is no data folder {data} ({file}, line {line})"),
            None => format!("there is no data folder {data} ({file} does not set it)"),
        },
        hint,
    )
}

/// Another root than the one of this data opens nothing of it: said here, and not by a vault that
/// starts in vain again and again. Before the first start only `init` knows.
fn require_own(data: &Path, root: &root::Root) -> Result<(), Trouble> {
    let opens = vault::opens(&data.join("vault"), root.as_slice())
        .map_err(|fault| Trouble::fault(fault.to_string(), "see `sekisho doctor`"))?;
    let is_own = opens.unwrap_or_else(|| {
        let made = std::fs::read_to_string(data.join(MADE)).unwrap_or_default();
        let known = made.lines().find_map(|line| line.strip_prefix("root "));
        known.is_none_or(|known| known == root::mark(root))
    });
    let hint = "give the credential, the shares or the token that `init` made with this folder";
    is_own.then_some(()).ok_or_else(|| {
        let found = format!("one that does not open {}", data.display());
        Trouble::refused("the unseal credential of this data", found, hint)
    })
}

/// The settings in a file, or what is wrong with them: expected, found, the file and the line.
pub fn settings_in(path: &Path) -> Result<Settings, Trouble> {
    let settings = Settings::read(path).map_err(|fault| unfit(path, fault))?;
    believes_somebody(path, &settings.relay.authorities)?;
    Ok(settings)
}

/// A file of authorities without any would be believed to say that nobody is to be believed. One
/// that cannot be read is a fault of the start.
fn believes_somebody(path: &Path, file: &Path) -> Result<(), Trouble> {
    if file.as_os_str().is_empty() || !file.is_file() {
        return Ok(());
    }
    let mut found = CertificateDer::pem_file_iter(file).into_iter().flatten();
    if found.any(|one| one.is_ok()) {
        return Ok(());
    }
    let hint = "PEM, as authorities publish it: `-----BEGIN CERTIFICATE-----`";
    let (expected, found) = ("a file with a certificate", format!("none in {}", file.display()));
    let fault = Settings::wanting(path, "relay.authorities", (expected, found), hint);
    Err(unfit(path, fault))
}

fn unfit(path: &Path, fault: settings::Fault) -> Trouble {
    let path = path.display();
    match fault {
        settings::Fault::Read { source, .. } => {
            let hint = "give --config a file that you may read; dist/sekisho.toml is one to adapt";
            Trouble::fault(format!("{path}: {source}"), hint)
        }
        settings::Fault::Wanting { line, setting, expected, found, hint } => {
            let found = match (line, &setting) {
                (Some(line), _) => format!("{found} ({path}, line {line})"),
                (None, Some(_)) => format!("{found} ({path} does not set it)"),
                (None, None) => format!("{found} in {path}"),
            };
            let expected = match setting {
                Some(setting) => format!("in `{setting}` {expected}"),
                None => expected,
            };
            Trouble::wrong_use(&expected, found, hint)
        }
    }
}

fn plan(settings: &Settings, credential: &[u8]) -> Result<Plan, Trouble> {
    let mut plan = Plan::new(settings.house.data.clone());
    let listen = &settings.listen;
    let runs = |kind: &terms::Kind| match kind {
        terms::Kind::Zone => false,
        // What is switched off is not running.
        terms::Kind::Pages => !listen.https.is_empty(),
        terms::Kind::Metrics => !listen.metrics.is_empty(),
        _ => true,
    };
    plan.kinds = wire::CHARTERS.iter().map(|charter| charter.kind).filter(runs).collect();
    plan.pages_url = settings.pages_url();
    let of = |service: Service, at: &[SocketAddr]| {
        at.iter().map(|address| (service, *address)).collect::<Vec<_>>()
    };
    plan.listeners = of(Service::Smtp, &listen.smtp);
    plan.listeners.extend(of(Service::Imaps, &listen.imaps));
    plan.listeners.extend(of(Service::Pop3s, &listen.pop3s));
    plan.listeners.extend(of(Service::Submissions, &listen.submissions));
    plan.listeners.extend(of(Service::Submission, &listen.submission));
    plan.listeners.extend(of(Service::Https, &listen.https));
    plan.listeners.extend(of(Service::Metrics, &listen.metrics));
    plan.relay = relay(&settings.relay)?;
    plan.bounds = bounds(&settings.queue);
    plan.host_name = settings.house.host_name.clone();
    plan.dns_servers = resolvers(settings);
    plan.credential = Some(sealed(credential)?);
    plan.single_operator = settings.house.approvals != "two-persons";
    plan.user_base = settings.house.uid_base;
    let sentinel = &settings.sentinel;
    plan.syslog = sentinel.syslog.clone();
    plan.vigilance = wire::sentinel::Vigilance {
        freeze: sentinel.freeze,
        replace: sentinel.replace,
        isolate: sentinel.isolate,
        decoys: sentinel.decoys,
        watch_host: sentinel.watch_host,
        burst: sentinel.burst,
        silence_ms: u64::from(sentinel.silence_seconds) * 1_000,
        fold_ms: u64::from(sentinel.fold_seconds) * 1_000,
        gather_ms: u64::from(settings.alarms.gather_seconds) * 1_000,
        ..wire::sentinel::Vigilance::default()
    };
    (plan.outward, plan.alarm_secret) = super::outward::outward(&settings.alarms)?;
    plan.rules = super::rules::of_house(&sentinel.rules, &sentinel.rules_from)?;
    plan.countries = super::countries::of_house(&settings.brake.countries)?;
    plan.tell = Box::new(log);
    plan.said = words::said;
    Ok(plan)
}

/// Where Debian and its kin keep the authorities that the system believes.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What may wait in the queue, and how long.
fn bounds(queue: &settings::Queue) -> wire::post::Bounds {
    let octets = |mib: u64| mib.saturating_mul(1024 * 1024);
    let last = queue.retry_seconds.last().copied().unwrap_or(queue.late_seconds);
    let mut pauses = queue.retry_seconds.iter().copied().chain(std::iter::repeat(last));
    wire::post::Bounds {
        pauses_seconds: std::array::from_fn(|_| pauses.next().unwrap_or(last)),
        late_seconds: queue.late_seconds,
        expire_seconds: queue.expire_seconds,
        tenant_bytes: octets(queue.tenant_mib),
        tenant_messages: queue.tenant_messages,
        relayed_tenant_bytes: octets(queue.passed_on_tenant_mib),
        relayed_tenant_messages: queue.passed_on_tenant_messages,
        relayed_person_bytes: octets(queue.passed_on_person_mib),
        relayed_person_messages: queue.passed_on_person_messages,
        free_bytes: octets(queue.free_mib),
    }
}

/// How mail leaves. Without authorities nothing can be verified: mail that must be is not sent.
fn relay(settings: &settings::Relay) -> Result<wire::control::Relay, Trouble> {
    let given = &settings.authorities;
    let is_given = !given.as_os_str().is_empty();
    let path = if is_given { given.as_path() } else { Path::new(SYSTEM_AUTHORITIES) };
    let authorities = match std::fs::read_to_string(path) {
        Ok(authorities) => authorities,
        Err(error) if is_given => {
            let hint = "give `relay.authorities` a PEM file that you may read";
            return Err(Trouble::fault(format!("{}: {error}", path.display()), hint));
        }
        Err(_) => String::new(),
    };
    Ok(wire::control::Relay {
        port: settings.port,
        https_port: settings.https_port,
        smart_host_ports: settings.smart_host_ports.clone(),
        private: settings.private,
        authorities,
    })
}

/// The operator's log: one line an event, ids only.
pub fn log(happening: &Happening) {
    match happening {
        Happening::Ready => eprintln!("{}", words::said("sekisho: ready")),
        Happening::Alarm { instance, kind, pid, call, what, .. } => {
            let (alarm, what) = (say("警報", "ALARM"), words::said(what));
            eprintln!("sekisho: {alarm} {} {instance} pid {pid}: {call} {what}", kind.word());
        }
        Happening::Incident(incident) => {
            eprintln!("sekisho: {} {}", say("異常", "INCIDENT"), said(incident, is_japanese()));
        }
        Happening::Ended { kind, cause, .. } if cause == warden::NO_ROOM => {
            let what = "{} cannot go on: the disk is full; make room where the data lies, and it \
                goes on by itself";
            eprintln!("sekisho: {}", words::said(&what.replacen("{}", kind.word(), 1)));
        }
        Happening::Unable(part) => eprintln!("sekisho: {}", words::said(&part.what())),
        Happening::Able { kind } => {
            let what = format!("{} serves again", kind.word());
            eprintln!("sekisho: {}", words::said(&what));
        }
        Happening::Ended { instance, kind, clean: false, cause } => {
            let what = format!("{} {instance} ended: {cause}", kind.word());
            eprintln!("sekisho: {}", words::said(&what));
        }
        Happening::Jailed { kind, missing, .. } if !missing.is_empty() => {
            tell_once(kind.word(), &missing.join(", "));
        }
        Happening::Note { kind, text, .. } => {
            eprintln!("sekisho: {}: {}", kind.word(), words::said(text));
        }
        _ => {}
    }
}

/// An incident as one line: ids and words of ours; a rule with its author, as its licence asks.
fn said(incident: &wire::sentinel::Incident, is_japanese: bool) -> String {
    let mut line = incident.cause.clone();
    if let Some(kind) = incident.kind {
        line.push_str(&format!(" {}", kind.word()));
    }
    if let Some(instance) = incident.instance {
        line.push_str(&format!(" {instance}"));
    }
    let (what, count, after_ms) = (&incident.what, incident.count, incident.after_ms);
    line.push_str(&match is_japanese {
        true => {
            let what = words::in_japanese(what).unwrap_or_else(|| what.clone());
            format!(": {what}（{count} 回、{after_ms} ms）")
        }
        false => format!(": {what} ({count} times, {after_ms} ms)"),
    });
    if let Some(rule) = incident.rule.as_deref().and_then(super::rules::rule_of) {
        line.push_str(&format!("; Sigma: {}, by {}", rule.title, rule.author));
    }
    line
}

/// A wall that is missing everywhere is told once, not for every process.
fn tell_once(kind: &str, missing: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if TOLD.lock().is_ok_and(|mut told| told.insert(missing.to_owned())) {
        let what = format!("{kind} (and perhaps others) without {missing}; see `sekisho doctor`");
        eprintln!("sekisho: {}", words::said(&what));
    }
}

fn resolvers(settings: &Settings) -> Vec<SocketAddr> {
    let port = settings.dns.port;
    if !settings.dns.servers.is_empty() {
        return settings.dns.servers.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    }
    names::system_servers()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::{bounds, no_folder, settings_in};
    use crate::outcome::Trouble;

    /// Expected, found, the file, the line and the setting, in either language; all wrong use.
    #[test]
    fn settings_that_do_not_fit_are_told_in_sentences() {
        let name = format!("sekisho-unfit-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        let check = |octets: &[u8], english: &str, japanese: &str| {
            std::fs::write(&path, octets).unwrap();
            for (is_japanese, expected) in [(false, english), (true, japanese)] {
                let Err(trouble) = settings_in(&path) else { panic!("{english}") };
                assert!(matches!(trouble, Trouble::WrongUse { .. }), "{english}");
                let said = trouble.for_people(is_japanese);
                let said = said.replace(&path.display().to_string(), "FILE");
                assert_eq!(said, format!("sekisho: {expected}"));
            }
        };
        check(
            b"[queue]\nfree_mib = 999999999999\n",
            "expected in `queue.free_mib` a whole number from 0 to 1073741824, found 999999999999 \
             (FILE, line 2)\nhint: no disk is larger; 1024 does for most",
            "必要なもの: `queue.free_mib` に 0〜1073741824 の整数／実際: 999999999999（FILE の 2 \
             行目）\nヒント: これより大きいディスクはありません。たいていは 1024 で足ります",
        );
        check(
            b"[listen]\nsmtp = [\"127.0.0.1:0\"]\n",
            "expected in `listen.smtp` a port from 1 to 65535, found 127.0.0.1:0 (FILE, line 2)\n\
             hint: port 0 means any free one; name the port, or leave the list empty",
            "必要なもの: `listen.smtp` に 1〜65535 のポート／実際: 127.0.0.1:0（FILE の 2 行目）\n\
             ヒント: ポート 0 は「空いているどれか」の意味です。ポートを決めて書くか、一覧を空にして\
             ください",
        );
        check(
            b"[house]\ndata = /srv\n",
            "expected NAME = VALUE, or [SECTION], found data = /srv (FILE, line 2)\nhint: texts \
             stand in quotes, lists in brackets; what stands behind # is a comment",
            "必要なもの: 「名前 = 値」または「[セクション]」／実際: data = /srv（FILE の 2 行目）\n\
             ヒント: 文字列は引用符で、一覧は角括弧で囲みます。# から後ろは注釈です",
        );
        check(
            b"[dns]\ncolour = 1\n",
            "expected a setting of [dns]: servers, port, found colour (FILE, line 2)\n\
             hint: docs/generated/config.md lists every setting",
            "必要なもの: [dns] の設定のどれか（servers, port）／実際: colour（FILE の 2 行目）\n\
             ヒント: 設定の一覧は docs/generated/config.md",
        );
        check(
            b"# \x8a\xd6\x8f\x8a\n",
            "expected UTF-8, found the octet 0x8a (FILE, line 1)\n\
             hint: save the file as UTF-8: no Shift_JIS, EUC-JP or UTF-16",
            "必要なもの: UTF-8／実際: オクテット 0x8a（FILE の 1 行目）\nヒント: ファイルを UTF-8 \
             で保存してください（Shift_JIS、EUC-JP、UTF-16 は不可）",
        );
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_not_set_is_bounded_as_a_house_without_settings_is() {
        assert_eq!(bounds(&settings::Queue::default()), wire::post::Bounds::default());
    }

    /// The same address twice, and authorities of whom none is one: seen in the file and what it
    /// names, before anything is started.
    #[test]
    fn what_a_start_would_only_stumble_over_is_told_from_the_file() {
        let folder = std::env::temp_dir().join(format!("sekisho-twice-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("sekisho.toml");
        let check = |text: &str, words: [&[&str]; 2]| {
            std::fs::write(&path, text).unwrap();
            for (is_japanese, words) in [(false, words[0]), (true, words[1])] {
                let Err(trouble) = settings_in(&path) else { panic!("{text}") };
                assert!(matches!(trouble, Trouble::WrongUse { .. }));
                let told = trouble.for_people(is_japanese);
                assert!(words.iter().all(|word| told.contains(word)), "{told}");
            }
        };
        check(
            "[listen]\nsmtp = [\"127.0.0.1:2525\"]\nimaps = [\"127.0.0.1:2525\"]\n",
            [
                &["`listen.imaps`", "stands in `listen.smtp` already", "sekisho.toml, line 3"],
                &["`listen.imaps`", "`listen.smtp` にすでにある", "sekisho.toml の 3 行目"],
            ],
        );
        let file = folder.join("lib.py");
        std::fs::write(&file, "import this\n").unwrap();
        check(
            &format!("[relay]\nauthorities = \"{}\"\n", file.display()),
            [
                &["`relay.authorities` a file with a certificate", "sekisho.toml, line 2"],
                &["`relay.authorities`", "証明書の入ったファイル", "sekisho.toml の 2 行目"],
            ],
        );
        std::fs::write(&path, "[house]\ndata = \"/nowhere/at/all\"\n").unwrap();
        let trouble = || no_folder(&path, std::path::Path::new("/nowhere/at/all"));
        assert!(matches!(trouble(), Trouble::Fault { .. }));
        assert!(trouble().for_people(false).contains("sekisho.toml, line 2)"));
        let told = trouble().for_people(true);
        assert!(told.contains("データフォルダ /nowhere/at/all がありません"), "{told}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_incident_is_told_in_the_readers_language() {
        let incident = wire::sentinel::Incident {
            cause: "report".to_owned(),
            kind: Some(terms::Kind::Ledger),
            instance: None,
            tenant: None,
            user: None,
            count: 3,
            what: "pid 7 is traced".to_owned(),
            rule: None,
            after_ms: 0,
        };
        let english = "report ledger: pid 7 is traced (3 times, 0 ms)";
        assert_eq!(super::said(&incident, false), english);
        let japanese = "report ledger: pid 7 が外から追跡されています（3 回、0 ms）";
        assert_eq!(super::said(&incident, true), japanese);
    }
}
