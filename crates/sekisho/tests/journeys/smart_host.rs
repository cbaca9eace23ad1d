//! A smart host that lets its customers in by name and password, and what becomes of mail when the
//! password is another.

use super::house::{Demo, Wishes, folder, within};
use super::leaving::{letter, signed_in};
use super::web::shown;
use data_encoding::BASE64;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NAME: &str = "mx.outside.example";
const TENANT: &str = "Example Japan";
const PATIENCE: Duration = Duration::from_secs(90);

/// What it wants to hear and what it heard.
#[derive(Default)]
struct Memory {
    password: String,
    sign_ins: Vec<String>,
    texts: Vec<String>,
    in_clear: String,
}

#[derive(Clone)]
struct SmartHost {
    port: u16,
    memory: Arc<Mutex<Memory>>,
}

enum Stream {
    Clear(TcpStream),
    Secure(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut octet = [0];
            let count = match self {
                Self::Clear(stream) => stream.read(&mut octet),
                Self::Secure(stream) => stream.read(&mut octet),
            };
            match count {
                Ok(1) => line.push(octet[0]),
                _ => return None,
            }
        }
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn say(&mut self, text: &str) {
        let _ = match self {
            Self::Clear(stream) => stream.write_all(text.as_bytes()),
            Self::Secure(stream) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()),
        };
    }
}

impl SmartHost {
    /// A host, and the authority that vouches for it.
    fn open(password: &str) -> (Self, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let config = shown(leaf.der().clone(), &key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let memory = Memory { password: password.to_owned(), ..Memory::default() };
        let host = Self { port, memory: Arc::new(Mutex::new(memory)) };
        let server = host.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, config) = (server.clone(), config.clone());
                std::thread::spawn(move || server.converse(stream, config));
            }
        });
        (host, authority.pem())
    }

    fn accepts(&self, password: &str) {
        self.memory.lock().unwrap().password = password.to_owned();
    }

    fn converse(&self, stream: TcpStream, config: Arc<ServerConfig>) {
        let mut stream = Stream::Clear(stream);
        let mut is_in = false;
        stream.say("220 smart\r\n");
        while let Some(line) = stream.line() {
            let is_clear = matches!(stream, Stream::Clear(_));
            if is_clear {
                self.memory.lock().unwrap().in_clear.push_str(&line);
            }
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" if is_clear => "250-smart\r\n250 STARTTLS\r\n",
                "EHLO" => "250-smart\r\n250 AUTH PLAIN LOGIN\r\n",
                "STARTTLS" => "220 go\r\n",
                "AUTH" => match self.lets_in(&line) {
                    true => {
                        is_in = true;
                        "235 2.7.0 welcome\r\n"
                    }
                    false => "535 5.7.8 who are you?\r\n",
                },
                "MAIL" if !is_in => "530 5.7.0 sign in first\r\n",
                "DATA" => "354 go on\r\n",
                _ => "250 ok\r\n",
            };
            stream.say(reply);
            match verb.as_str() {
                "STARTTLS" => {
                    let Stream::Clear(socket) = stream else { return };
                    let connection = ServerConnection::new(config.clone()).unwrap();
                    stream = Stream::Secure(Box::new(StreamOwned::new(connection, socket)));
                }
                "DATA" => {
                    let mut text = String::new();
                    while let Some(line) = stream.line().filter(|line| line != ".") {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    self.memory.lock().unwrap().texts.push(text);
                    stream.say("250 taken\r\n");
                }
                "QUIT" => return,
                _ => {}
            }
        }
    }

    fn lets_in(&self, line: &str) -> bool {
        let words = line.strip_prefix("AUTH PLAIN ").unwrap_or_default();
        let words = BASE64.decode(words.as_bytes()).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        let mut memory = self.memory.lock().unwrap();
        let is_right = words == format!("\0sekisho\0{}", memory.password);
        memory.sign_ins.push(words);
        is_right
    }

    fn took(&self, subject: &str) -> bool {
        let memory = self.memory.lock().unwrap();
        memory.texts.iter().any(|text| text.contains(&format!("Subject: {subject}\n")))
    }
}

fn send(demo: &Demo, subject: &str) {
    let mut sender = signed_in(demo, "aoi@example.jp");
    let octets = letter("aoi@example.jp", "friend@outside.example", subject, "");
    let reply = sender.letter("aoi@example.jp", &["friend@outside.example"], &octets).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
}

fn set(demo: &Demo, words: &[&str], password: Option<&str>) -> Value {
    let mut words = [&["tenant", "set", TENANT], words].concat();
    let file = demo.data().parent().unwrap().join("password");
    let name = file.display().to_string();
    if let Some(password) = password {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, mode).unwrap();
        words.extend(["--send-password-file", &name]);
    }
    let (value, code) = demo.ask(&words);
    let _ = std::fs::remove_file(&file);
    assert_eq!(code, 0, "{value}");
    value
}

/// The only message that waits.
fn waiting(demo: &Demo) -> Option<Value> {
    let (list, _) = demo.ask(&["queue", "list"]);
    let id = list["items"].as_array()?.first()?["id"].as_str()?.to_owned();
    Some(demo.ask(&["queue", "show", &id]).0)
}

fn uses(demo: &Demo) -> usize {
    let is_use =
        |entry: &&Value| entry["entry"] == "credential.use" && entry["credential"] == "smart-host";
    demo.entries().iter().filter(is_use).count()
}

#[test]
fn a_tenant_s_mail_leaves_by_its_own_sign_in_or_waits() {
    let (host, authority) = SmartHost::open("open sesame");
    let mut wishes = Wishes::new("smart-host");
    wishes.outside = Some(host.port);
    let file = folder("authority").join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    wishes.authority = Some(file);
    let demo = Demo::start(wishes);
    // Where TLS proves nobody, no password goes.
    let at = format!("{NAME}:{}", host.port);
    let open = format!("{at}:if-offered");
    let words = ["tenant", "set", TENANT, "--smart-host", &open, "--send-user", "sekisho"];
    let nothing = [&words[..], &["--send-password-file", "/dev/null"]].concat();
    assert_eq!(demo.ask(&nothing).1, 1);

    set(&demo, &["--smart-host", &at, "--send-user", "sekisho"], Some("open sesame"));
    let (shown, _) = demo.ask(&["tenant", "show", TENANT]);
    let sign_ins = &shown["sending"]["sign_ins"];
    assert_eq!((&sign_ins[0]["host"], &sign_ins[0]["user"]), (&NAME.into(), &"sekisho".into()));
    assert_eq!(shown["sending"]["smart_host"]["sign_in"], "sekisho");
    assert!(!shown.to_string().contains("sesame"));
    send(&demo, "by the smart host");
    within(PATIENCE, "the letter", || host.took("by the smart host"));
    assert_eq!(uses(&demo), 1);
    let scope = demo.ask(&[
        "scope",
        "--component",
        "depart",
        "--from",
        "2026-01-01T00:00:00Z",
        "--to",
        "2099-01-01T00:00:00Z",
    ]);
    assert!(scope.0["contracts"][0]["classes"].to_string().contains("credentials"), "{scope:?}");

    // Another password there: the letter waits, and whoever asks is told why.
    host.accepts("close sesame");
    send(&demo, "after the change");
    within(PATIENCE, "the reason", || {
        let shown = waiting(&demo).unwrap_or_default();
        let why = shown["destinations"][0]["waits_for"].as_str().unwrap_or_default().to_owned();
        why.contains("sign-in")
    });
    let shown = waiting(&demo).unwrap();
    assert!(shown["destinations"][0]["waits_for_ja"].as_str().unwrap().contains("認証情報"));
    assert_eq!(shown["state"], "delayed");
    set(&demo, &["--send-user", "sekisho"], Some("close sesame"));
    let id = shown["id"].as_str().unwrap();
    assert_eq!(demo.ask(&["queue", "release", id]).1, 0);
    within(PATIENCE, "the letter that waited", || host.took("after the change"));

    // Forgotten: the host wants to know who we are, and nothing bounces.
    set(&demo, &["--no-send-user"], None);
    let (shown, _) = demo.ask(&["tenant", "show", TENANT]);
    assert_eq!(shown["sending"]["smart_host"]["sign_in"], false);
    send(&demo, "without a word");
    within(PATIENCE, "the reason", || {
        waiting(&demo)
            .is_some_and(|one| one["destinations"][0]["waits_for"].to_string().contains("sign-in"))
    });
    assert!(!host.took("without a word"));
    let memory = host.memory.lock().unwrap();
    assert!(!memory.in_clear.contains("AUTH"), "{}", memory.in_clear);
    drop(memory);
    // Neither the password nor the name lies anywhere.
    let octets = |name: &str| std::fs::read(demo.data().join("vault").join(name)).unwrap();
    let keys = octets("keys");
    for word in ["sesame", "mx.outside.example"] {
        assert!(!keys.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
}
