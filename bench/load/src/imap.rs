//! As much of IMAP as a stop-watch needs.

use crate::Outcome;
use crate::line::{Line, trusting};
use rustls::ClientConfig;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// What `sekisho demo --json` said when it was ready, or the same words about a peer.
pub struct Place {
    pub imaps: SocketAddr,
    /// Address and app password of each account.
    pub accounts: Vec<(String, String)>,
    /// None where the place speaks without TLS (a peer, measured as its figures were).
    config: Option<Arc<ClientConfig>>,
}

impl Place {
    pub fn read(file: &str) -> Outcome<Self> {
        let text = std::fs::read_to_string(file)?;
        let ready: Value = serde_json::from_str(text.lines().next().unwrap_or_default())?;
        let word = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let authority = word(&ready, "ca");
        let config = if authority.is_empty() { None } else { Some(trusting(&authority)?) };
        let accounts = ready.get("accounts").and_then(Value::as_array);
        let accounts = accounts.into_iter().flatten();
        let accounts = accounts.map(|one| (word(one, "address"), word(one, "app_password")));
        Ok(Self {
            imaps: word(&ready, "imaps").parse()?,
            accounts: accounts.collect(),
            config,
        })
    }

    /// A connection whose greeting has come.
    pub fn connect(&self) -> Outcome<Imap> {
        let mut line = match &self.config {
            Some(config) => Line::tls(self.imaps, config)?,
            None => Line::plain(self.imaps)?,
        };
        line.next(&mut Vec::new())?;
        Ok(Imap { line, tag: 0 })
    }

    pub fn sign_in(&self, account: usize) -> Outcome<Imap> {
        let (address, password) = self.accounts.get(account).ok_or("no such account")?;
        let mut imap = self.connect()?;
        imap.ask(&format!("LOGIN {address} {password}"))?;
        Ok(imap)
    }
}

pub struct Imap {
    pub line: Line,
    tag: usize,
}

/// What came before the tagged answer.
pub struct Heard {
    pub lines: usize,
    pub octets: usize,
    pub exists: usize,
}

impl Imap {
    pub fn tell(&mut self, command: &str) -> Outcome<()> {
        self.tag += 1;
        self.line.send(format!("{} {command}\r\n", self.tag).as_bytes())
    }

    /// Says one command and waits for its `OK`.
    pub fn ask(&mut self, command: &str) -> Outcome<Heard> {
        self.tell(command)?;
        self.heard().map_err(|fault| format!("{}: {fault}", first_word(command)).into())
    }

    pub fn heard(&mut self) -> Outcome<Heard> {
        let tag = format!("{} ", self.tag);
        let mut line = Vec::new();
        let mut heard = Heard { lines: 0, octets: 0, exists: 0 };
        loop {
            let octets = self.line.next(&mut line)?;
            if octets == 0 {
                return Err("the connection ended".into());
            }
            heard.octets += octets;
            if line.starts_with(tag.as_bytes()) {
                return match line[tag.len()..].starts_with(b"OK") {
                    true => Ok(heard),
                    false => Err(String::from_utf8_lossy(&line).trim_end().to_owned().into()),
                };
            }
            if line.starts_with(b"+ ") {
                return Ok(heard);
            }
            heard.lines += 1;
            if let Some(literal) = literal(&line) {
                self.line.skip(literal)?;
                heard.octets += usize::try_from(literal)?;
            }
            if line.ends_with(b" EXISTS\r\n") {
                let number = String::from_utf8_lossy(&line[2..line.len() - 9]).into_owned();
                heard.exists = number.parse().unwrap_or(heard.exists);
            }
        }
    }
}

fn literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    String::from_utf8_lossy(&line[open + 1..]).parse().ok()
}

fn first_word(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}
