//! A reader over IMAP and one over POP3, small enough to say exactly what a case wants.

use super::house::{Account, Demo};
use super::post::{Tls, socket, tls};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

pub struct Reader {
    stream: BufReader<Tls>,
    tag: u32,
}

/// Everything that came before the tagged end, and that.
#[derive(Debug)]
pub struct Answer {
    pub untagged: Vec<Vec<u8>>,
    pub end: String,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        self.end.starts_with("OK")
    }

    pub fn text(&self) -> String {
        let lines = self.untagged.iter().map(|line| String::from_utf8_lossy(line));
        format!("{}{}", lines.collect::<String>(), self.end)
    }

    /// The first literal of each response.
    pub fn literals(&self) -> Vec<Vec<u8>> {
        self.untagged.iter().filter_map(|response| first_literal(response)).collect()
    }
}

fn first_literal(response: &[u8]) -> Option<Vec<u8>> {
    let at = response.windows(3).position(|window| window == b"}\r\n")?;
    let size = literal(&response[..at + 3])?;
    Some(response[at + 3..at + 3 + size].to_vec())
}

/// The size of the literal that a line announces.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let start = line.iter().rposition(|byte| *byte == b'{')? + 1;
    std::str::from_utf8(&line[start..]).ok()?.parse().ok()
}

impl Reader {
    pub fn connect(to: &str, authority: &Path) -> std::io::Result<Self> {
        let mut reader = Self { stream: BufReader::new(tls(socket(to)?, authority)?), tag: 0 };
        let greeting = reader.line()?;
        match greeting.starts_with(b"* OK") {
            true => Ok(reader),
            false => Err(std::io::Error::other(String::from_utf8_lossy(&greeting).into_owned())),
        }
    }

    pub fn try_sign_in(demo: &Demo, account: &Account) -> std::io::Result<Self> {
        let mut reader = Self::connect(&demo.port("imaps"), &demo.authority())?;
        let answer = reader.ask(&format!("LOGIN {} {}", account.address, account.imap))?;
        match answer.is_ok() {
            true => Ok(reader),
            false => Err(std::io::Error::other(answer.end)),
        }
    }

    pub fn sign_in(demo: &Demo, address: &str) -> Self {
        Self::try_sign_in(demo, &demo.account(address)).unwrap()
    }

    /// Signed in with INBOX selected.
    pub fn inbox(demo: &Demo, address: &str) -> Self {
        let mut reader = Self::sign_in(demo, address);
        reader.must("SELECT INBOX");
        reader
    }

    pub fn patience(&mut self, limit: Duration) {
        self.stream.get_ref().sock.set_read_timeout(Some(limit)).unwrap();
    }

    pub fn ask(&mut self, command: &str) -> std::io::Result<Answer> {
        self.tag += 1;
        let tag = format!("j{} ", self.tag);
        self.stream.get_mut().write_all(format!("{tag}{command}\r\n").as_bytes())?;
        let mut untagged = Vec::new();
        loop {
            let line = self.line()?;
            match line.strip_prefix(tag.as_bytes()) {
                Some(end) => {
                    let end = String::from_utf8_lossy(end).into_owned();
                    return Ok(Answer { untagged, end });
                }
                None => untagged.push(line),
            }
        }
    }

    pub fn say(&mut self, command: &str) -> Answer {
        self.ask(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub fn must(&mut self, command: &str) -> Answer {
        let answer = self.say(command);
        assert!(answer.is_ok(), "{command}: {}", answer.text());
        answer
    }

    /// The number after EXISTS when the folder is looked at again.
    pub fn exists(&mut self, name: &str) -> usize {
        let answer = self.must(&format!("EXAMINE {name}"));
        let text = answer.text();
        let line = text.lines().find(|line| line.ends_with(" EXISTS")).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Every message of a folder, whole.
    pub fn whole(&mut self, name: &str) -> Vec<Vec<u8>> {
        match self.exists(name) {
            0 => Vec::new(),
            _ => self.must("FETCH 1:* BODY.PEEK[]").literals(),
        }
    }

    pub fn append(&mut self, folder: &str, options: &str, octets: &[u8]) -> Answer {
        self.tag += 1;
        let tag = format!("j{} ", self.tag);
        let command = format!("{tag}APPEND {folder} {options}{{{}+}}\r\n", octets.len());
        let stream = self.stream.get_mut();
        stream.write_all(command.as_bytes()).unwrap();
        stream.write_all(octets).unwrap();
        stream.write_all(b"\r\n").unwrap();
        let mut untagged = Vec::new();
        loop {
            let line = self.line().unwrap();
            if let Some(end) = line.strip_prefix(tag.as_bytes()) {
                return Answer { untagged, end: String::from_utf8_lossy(end).into_owned() };
            }
            untagged.push(line);
        }
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
    }

    /// One response with its literals.
    pub fn line(&mut self) -> std::io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            if self.stream.read_until(b'\n', &mut whole)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(size) = literal(&whole[start..]) else { return Ok(whole) };
            let mut octets = vec![0; size];
            self.stream.read_exact(&mut octets)?;
            whole.extend_from_slice(&octets);
        }
    }
}
