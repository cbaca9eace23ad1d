//! The outside world of a journey: a server that takes what leaves, counts it, and behaves as badly
//! as a case wants.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A reply that comes much too late.
pub const ASLEEP: &str = "451 4.3.0 just woke up";

/// One transaction that the sink answered 250.
#[derive(Clone, Debug)]
pub struct Came {
    pub from: String,
    pub to: Vec<String>,
    /// With the parameters of MAIL and RCPT, as they came.
    pub commands: Vec<String>,
    pub text: Vec<u8>,
}

impl Came {
    /// The value of a header field, unfolded.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields(name).into_iter().next()
    }

    pub fn fields(&self, name: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let header = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n\t", " ");
        let header = header.replace("\r\n ", " ");
        let wanted = format!("{}:", name.to_ascii_lowercase());
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with(&wanted);
        header.lines().filter(is_it).map(|line| line[wanted.len()..].trim().to_owned()).collect()
    }
}

#[derive(Default)]
struct State {
    came: Mutex<Vec<Came>>,
    news: Condvar,
    /// Replies by the local part: to RCPT.
    replies: Mutex<HashMap<String, String>>,
}

/// A sink on a port of its own.
#[derive(Clone)]
pub struct Sink {
    pub port: u16,
    state: Arc<State>,
}

impl Sink {
    pub fn open() -> Self {
        Self::open_at(0)
    }

    pub fn open_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let sink = Self { port, state: Arc::default() };
        let server = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || drop(server.converse(stream)));
            }
        });
        sink
    }

    /// From now on, whoever has this local part is answered so.
    pub fn answer(&self, local: &str, reply: &str) {
        self.state.replies.lock().unwrap().insert(local.to_owned(), reply.to_owned());
    }

    /// They are taken again.
    pub fn welcome(&self, local: &str) {
        self.state.replies.lock().unwrap().remove(local);
    }

    pub fn came(&self) -> Vec<Came> {
        self.state.came.lock().unwrap().clone()
    }

    /// Waits for the first transaction that a case is looking for.
    pub fn wait(&self, what: &str, is_it: impl Fn(&Came) -> bool) -> Came {
        let until = Instant::now() + PATIENCE;
        let mut came = self.state.came.lock().unwrap();
        loop {
            if let Some(found) = came.iter().find(|one| is_it(one)) {
                return found.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; {} others did", came.len());
            came = self.state.news.wait_timeout(came, left).unwrap().0;
        }
    }

    pub fn wait_for_subject(&self, subject: &str) -> Came {
        self.wait(subject, |came| came.field("Subject").as_deref() == Some(subject))
    }

    fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        writer.write_all(b"220 sink.outside.example ESMTP\r\n")?;
        let mut letter =
            Came { from: String::new(), to: Vec::new(), commands: Vec::new(), text: Vec::new() };
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            assert!(line.ends_with("\r\n"), "a command without CRLF: {line:?}");
            let line = line.trim_end().to_owned();
            let upper = line.to_ascii_uppercase();
            let reply = if upper.starts_with("EHLO") {
                "250-sink.outside.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                 250-DSN\r\n250 SIZE 60000000"
                    .to_owned()
            } else if upper.starts_with("MAIL FROM:") {
                letter = Came {
                    from: path(&line),
                    to: Vec::new(),
                    commands: vec![line.clone()],
                    text: Vec::new(),
                };
                "250 ok".to_owned()
            } else if upper.starts_with("RCPT TO:") {
                let to = path(&line);
                let local = to.split('@').next().unwrap_or_default().to_owned();
                let reply = self.state.replies.lock().unwrap().get(&local).cloned();
                if reply.as_deref() == Some(ASLEEP) {
                    std::thread::sleep(Duration::from_secs(20));
                }
                if reply.is_none() {
                    letter.to.push(to);
                    letter.commands.push(line.clone());
                }
                reply.unwrap_or_else(|| "250 ok".to_owned())
            } else if upper == "DATA" {
                writer.write_all(b"354 go on\r\n")?;
                letter.text = text(&mut reader)?;
                let mut came = self.state.came.lock().unwrap();
                came.push(letter.clone());
                self.state.news.notify_all();
                drop(came);
                "250 taken".to_owned()
            } else if upper == "QUIT" {
                writer.write_all(b"221 bye\r\n")?;
                return Ok(());
            } else {
                "250 ok".to_owned()
            };
            writer.write_all(format!("{reply}\r\n").as_bytes())?;
        }
    }
}

fn path(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.find('>').unwrap_or(line.len());
    line[start..end].to_owned()
}

/// The text up to its end, unstuffed. A bare CR or LF in it is a fault of ours.
fn text(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let body = line.strip_suffix(b"\r\n").expect("a bare LF left the house");
        assert!(!body.contains(&b'\r'), "a bare CR left the house");
        if body == b"." {
            return Ok(text);
        }
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
