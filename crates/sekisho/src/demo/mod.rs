//! The demo: two organisations on loopback, a day's mail, one reader, one intruder.

pub mod accounts;
mod attack;
pub mod leaving;
pub mod outside;
pub mod post;
pub mod reading;
pub mod sample;
pub mod screen;
pub mod senders;
mod show;
mod words;

use crate::outcome::Trouble;
use accounts::Account;
use outside::Outside;
use senders::Senders;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use warden::{Happening, Plan};
use wire::control::{Relay, Service};

/// A start takes a second; on a machine that does much else, some.
const START_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Ten seconds and more of trying: longer than any compartment is away.
const SETTLE_TRIES: u32 = 50;
const SETTLE_PAUSE: Duration = Duration::from_millis(200);
/// The warden looks five times a second.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);

/// What was asked for.
pub struct Wishes {
    pub data: PathBuf,
    pub port_base: u16,
    pub as_json: bool,
    pub sample: bool,
    /// Mail that leaves goes to this port, where somebody else listens; `None`: to the demo's own
    /// outside world.
    pub outside: Option<u16>,
    /// Whose certificates are believed there (PEM).
    pub authority: Option<String>,
}

/// The demo's ports (architecture §7).
#[derive(Clone, Copy)]
pub struct Ports {
    pub base: u16,
}

impl Ports {
    fn at(self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base.saturating_add(offset)))
    }

    pub fn smtp(self) -> SocketAddr {
        self.at(25)
    }

    pub fn imaps(self) -> SocketAddr {
        self.at(93)
    }

    pub fn pop3s(self) -> SocketAddr {
        self.at(95)
    }

    pub fn submissions(self) -> SocketAddr {
        self.at(65)
    }

    pub fn submission(self) -> SocketAddr {
        self.at(87)
    }

    pub fn https(self) -> SocketAddr {
        self.at(43)
    }

    pub fn metrics(self) -> SocketAddr {
        self.at(90)
    }

    /// The public pages.
    pub fn pages_url(self) -> String {
        format!("https://{}:{}", senders::PAGES_NAME, self.https().port())
    }

    pub fn dns(self) -> SocketAddr {
        self.at(53)
    }

    /// The same doors at ::1, which `localhost` means first on many machines; none where the
    /// machine has no IPv6. The DNS is asked by its address alone.
    fn also_at_six(self) -> Vec<(Service, SocketAddr)> {
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
            return Vec::new();
        }
        let doors = self.doors().into_iter();
        let at = |four: SocketAddr| SocketAddr::from((Ipv6Addr::LOCALHOST, four.port()));
        doors.map(|(service, four)| (service, at(four))).collect()
    }

    fn doors(self) -> [(Service, SocketAddr); 7] {
        [
            (Service::Smtp, self.smtp()),
            (Service::Imaps, self.imaps()),
            (Service::Pop3s, self.pop3s()),
            (Service::Submissions, self.submissions()),
            (Service::Submission, self.submission()),
            (Service::Https, self.https()),
            (Service::Metrics, self.metrics()),
        ]
    }

    /// Where the demo's outside world takes mail, and serves HTTPS.
    pub fn outside(self) -> SocketAddr {
        self.at(26)
    }

    pub fn outside_https(self) -> SocketAddr {
        self.at(44)
    }
}

/// Whether nobody listens yet where the demo is going to.
pub fn are_free(base: u16, has_outside: bool) -> Result<(), Trouble> {
    let ports = Ports { base };
    let doors = ports.doors().into_iter().chain(ports.also_at_six());
    let mut all: Vec<SocketAddr> = doors.map(|(_, at)| at).chain([ports.dns()]).collect();
    if !has_outside {
        all.extend([ports.outside(), ports.outside_https()]);
    }
    let taken = all.into_iter().find_map(|at| Some((at, TcpListener::bind(at).err()?)));
    let taken = taken.or_else(|| Some((ports.dns(), UdpSocket::bind(ports.dns()).err()?)));
    taken.map_or(Ok(()), |(at, error)| {
        let hint = "give another --port-base: the demo needs 100 ports from there";
        Err(Trouble::fault(format!("{at}: {error}"), hint))
    })
}

/// Runs until it is stopped.
pub fn run(wishes: Wishes, credential: Vec<u8>) -> Result<ExitCode, Trouble> {
    let ports = Ports { base: wishes.port_base };
    let senders = Senders::new(&credential);
    let zones = senders.zones().map_err(|e| Trouble::fault(e.to_string(), "report this"))?;
    let (tell, told) = channel();
    let outside = match wishes.outside {
        Some(_) => Outside::default(),
        None => Outside::open(ports.outside()).map_err(|error| {
            let what = format!("{}: {error}", ports.outside());
            Trouble::fault(what, "give another --port-base: the demo needs 100 ports from there")
        })?,
    };
    let mut plan = plan(&wishes.data, ports, zones, &credential, tell)?;
    plan.listeners.extend(ports.also_at_six());
    plan.relay.port = wishes.outside.unwrap_or(plan.relay.port);
    plan.relay.authorities = wishes.authority.clone().unwrap_or_default();
    crate::commands::before_start(&wishes.data)?;
    let (drills, data) = (plan.drills.clone(), wishes.data.clone());
    let published = plan.published.clone();
    let mut stage = Some(Stage {
        wishes,
        ports,
        senders,
        credential,
        told,
        accounts: Vec::new(),
        drills,
        published,
        outside,
    });
    let mut forward = std::mem::replace(&mut plan.tell, Box::new(|_| {}));
    let (served, begun) = channel();
    let mut begun = Some(begun);
    // The warden owns this thread; the play begins on another when everything serves.
    plan.tell = Box::new(move |happening| {
        forward(happening);
        if let Some(begun) = begun.take() {
            std::thread::spawn(move || give_up_in_time(&begun));
        }
        if goes_on_without(happening) {
            let _ = served.send(());
        }
        if matches!(happening, Happening::Ready)
            && let Some(stage) = stage.take()
        {
            let _ = served.send(());
            crate::commands::attend(stage.wishes.data.clone());
            crate::commands::search_daily(stage.wishes.data.clone());
            std::thread::spawn(move || stage.play());
        }
    });
    let code = warden::run(plan);
    let _ = ledger::remember(&data);
    Ok(code)
}

/// Without evidence a house takes mail, has said what it lacks, and waits for whoever mends that.
fn goes_on_without(happening: &Happening) -> bool {
    let Happening::Unable(part) = happening else { return false };
    matches!(part.kind, terms::Kind::Ledger | terms::Kind::Mirror)
}

/// A house in which something else cannot start is said to be one, not waited for.
fn give_up_in_time(begun: &Receiver<()>) {
    if begun.recv_timeout(START_LIMIT).is_ok() {
        return;
    }
    let what = format!(
        "not everything serves after {} s; the lines above say what does not",
        START_LIMIT.as_secs()
    );
    let hint = "hint: is DIR.unseal the one that this data was made with? `sekisho doctor` knows \
        more; `sekisho ledger verify` judges the evidence and its keys";
    eprintln!("sekisho demo: {}\n{}", crate::words::said(&what), crate::words::said(hint));
    std::process::exit(3);
}

/// The whole house on loopback.
pub fn plan(
    data: &Path,
    ports: Ports,
    zones: String,
    credential: &[u8],
    tell: Sender<Happening>,
) -> Result<Plan, Trouble> {
    let mut plan = Plan::new(data.to_owned());
    plan.kinds = wire::CHARTERS.iter().map(|charter| charter.kind).collect();
    plan.listeners = vec![(Service::Zone, ports.dns())];
    plan.listeners.extend(ports.doors());
    plan.pages_url = ports.pages_url();
    plan.relay = Relay {
        port: ports.outside().port(),
        https_port: ports.outside_https().port(),
        private: true,
        ..Relay::default()
    };
    plan.host_name = senders::HOST_NAME.to_owned();
    plan.dns_servers = vec![ports.dns()];
    plan.credential = Some(crate::commands::sealed(credential)?);
    plan.zones = zones;
    plan.demo = true;
    plan.single_operator = true;
    plan.tell = Box::new(move |happening| {
        if !attack::ON_STAGE.load(std::sync::atomic::Ordering::Relaxed) {
            crate::commands::log(happening);
        }
        let _ = tell.send(happening.clone());
    });
    Ok(plan)
}

struct Stage {
    wishes: Wishes,
    ports: Ports,
    senders: Senders,
    credential: Vec<u8>,
    told: Receiver<Happening>,
    accounts: Vec<Account>,
    drills: warden::Drills,
    published: warden::Published,
    outside: Outside,
}

impl Stage {
    fn play(mut self) {
        self.outside.serve();
        match self.settle() {
            Ok(accounts) => self.accounts = accounts,
            Err(trouble) => {
                let what = format!("the accounts could not be made: {}", trouble.told());
                eprintln!("sekisho demo: {}", crate::words::said(&what));
                // All others end with this process; a demo without people is of no use.
                std::process::exit(3);
            }
        }
        self.publish();
        match self.wishes.as_json {
            true => self.announce(),
            false => self.perform(),
        }
        // What still happens is said to nobody here; whoever plays outside plays on.
        drop(self.told);
        loop {
            std::thread::park();
        }
    }

    /// On a busy machine a compartment may be up before its neighbours have been joined to it, or
    /// one of them may be killed meanwhile: what was not made is made a moment later.
    fn settle(&self) -> Result<Vec<Account>, Trouble> {
        let mut left = SETTLE_TRIES;
        loop {
            match accounts::settle(&self.wishes.data, &self.credential) {
                Err(Trouble::Fault { .. }) if left > 0 => left -= 1,
                settled => return settled,
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    /// What `domain check` tells to publish for our own domains stands in the demo's DNS, as a new
    /// user's would once it was pasted. Mail goes without it, too.
    fn publish(&self) {
        let keys: Vec<_> =
            accounts::DOMAINS.iter().flat_map(|(_, domain)| self.keys_of(domain)).collect();
        let zones = self.senders.zones_with(&keys, self.ports);
        if !zones.is_ok_and(|zones| self.published.say(zones, PUBLISH_LIMIT)) {
            let what = screen::say(
                "sekisho demo: 署名鍵をデモの DNS に登録できませんでした",
                "sekisho demo: the signing keys do not stand in the demo's DNS",
            );
            compartment::tell(format_args!("{what}"));
        }
    }

    /// The names and texts of a domain's keys; of one that has ended there are none.
    fn keys_of(&self, domain: &str) -> Vec<(String, String)> {
        let question = wire::admin::Request::DomainKeys { domain: domain.to_owned() };
        let shown = crate::client::value(&self.wishes.data, &question).unwrap_or_default();
        let records = shown.get("records").and_then(Value::as_array).into_iter().flatten();
        let word = |record: &Value, name| Some(record.get(name)?.as_str()?.to_owned());
        records.filter_map(|record| Some((word(record, "name")?, word(record, "value")?))).collect()
    }

    /// One line when everything answers, and the sample on its way.
    fn announce(&self) {
        println!("{}", self.ready_line());
        if self.wishes.sample {
            for letter in sample::letters() {
                let _ = self.send(&letter);
            }
        }
    }

    fn perform(&self) {
        let show = show::Show { stage: self };
        if self.wishes.sample {
            show.everything();
        }
        show.how_to_connect();
    }

    fn send(&self, letter: &sample::Letter) -> std::io::Result<post::Sent> {
        let now_seconds = compartment::now_ms() / 1000;
        let octets = match letter.signed_by {
            Some(domain) => self.senders.sign(domain, &letter.octets, now_seconds),
            None => letter.octets.clone(),
        };
        post::send(self.ports.smtp(), letter, &octets)
    }

    fn ready_line(&self) -> Value {
        json!({
            "ready": true,
            "smtp": self.ports.smtp().to_string(),
            "submissions": self.ports.submissions().to_string(),
            "submission": self.ports.submission().to_string(),
            "imaps": self.ports.imaps().to_string(),
            "pop3s": self.ports.pop3s().to_string(),
            "dns": self.ports.dns().to_string(),
            "outside": self.outside_address().to_string(),
            "metrics": format!("http://{}/metrics", self.ports.metrics()),
            "https": null,
            "pages": self.ports.pages_url(),
            "login": null,
            "console": null,
            "ca": self.authority_file(),
            "data": self.wishes.data,
            "accounts": self.accounts.iter().map(Account::json).collect::<Vec<_>>(),
        })
    }

    fn outside_address(&self) -> SocketAddr {
        let own = self.ports.outside();
        self.wishes.outside.map_or(own, |port| SocketAddr::new(own.ip(), port))
    }

    fn authority(&self) -> String {
        let answer = crate::client::value(&self.wishes.data, &wire::admin::Request::Authority);
        let pem = answer.ok().and_then(|v| Some(v.get("ca")?.as_str()?.to_owned()));
        pem.unwrap_or_default()
    }

    /// The authority's certificate as a file beside the data folder, for mail clients.
    fn authority_file(&self) -> String {
        let mut name = self.wishes.data.clone().into_os_string();
        name.push(".ca.pem");
        let path = PathBuf::from(name);
        // Clients read it meanwhile, and after a restart it says the same: never half of it, and
        // nothing in its place while `admin` is away.
        let (pem, beside) = (self.authority(), path.with_extension("new"));
        if !pem.is_empty() && std::fs::write(&beside, pem).is_ok() {
            let _ = std::fs::rename(&beside, &path);
        }
        path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Ports, are_free};
    use std::net::TcpListener;

    #[test]
    fn taken_ports_are_found_before_anything_is_made() {
        let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = held.local_addr().unwrap().port().saturating_sub(93);
        assert_eq!(Ports { base }.imaps().port(), base + 93);
        assert!(are_free(base, false).is_err());
    }

    #[test]
    fn every_door_is_open_at_both_loopbacks_where_there_are_two() {
        let ports = Ports { base: 2_500 };
        let six = ports.also_at_six();
        let has_six = TcpListener::bind(("::1", 0)).is_ok();
        assert_eq!(six.len(), if has_six { ports.doors().len() } else { 0 });
        for ((service, four), (same, six)) in ports.doors().into_iter().zip(six) {
            assert_eq!((service, four.port()), (same, six.port()));
            assert!(six.is_ipv6() && six.ip().is_loopback());
        }
    }
}
