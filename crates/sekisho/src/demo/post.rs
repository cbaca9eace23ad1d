//! The sample senders' SMTP client.

use super::sample::{Letter, Manner};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver answered: the last reply, and to which command.
pub struct Sent {
    pub code: u16,
    pub reply: String,
    pub accepted: bool,
}

/// Sends one letter in one session.
pub fn send(to: SocketAddr, letter: &Letter, octets: &[u8]) -> std::io::Result<Sent> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut line = Line { reader: BufReader::new(stream.try_clone()?), stream };
    line.reply()?;
    let mut commands =
        vec![format!("EHLO {}", letter.helo), format!("MAIL FROM:<{}>", letter.mail_from)];
    commands.extend(letter.rcpt_to.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".to_owned());
    for command in commands {
        let reply = line.say(&command)?;
        if !matches!(reply.0, 200..400) {
            let _ = line.say("QUIT");
            return Ok(sent(reply));
        }
    }
    match letter.manner {
        Manner::Proper => line.stream.write_all(&stuffed(octets))?,
        Manner::Smuggler => line.stream.write_all(octets)?,
    }
    line.stream.write_all(b"\r\n.\r\n")?;
    let reply = line.reply()?;
    let _ = line.say("QUIT");
    Ok(sent(reply))
}

fn sent((code, reply): (u16, String)) -> Sent {
    Sent { code, reply, accepted: (200..300).contains(&code) }
}

/// RFC 5321 §4.5.2; without the last line end, which the end of data brings.
fn stuffed(octets: &[u8]) -> Vec<u8> {
    let octets = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let mut out = Vec::with_capacity(octets.len() + 16);
    let mut is_line_start = true;
    for byte in octets {
        if is_line_start && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        is_line_start = *byte == b'\n';
    }
    out
}

struct Line {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
}

impl Line {
    fn say(&mut self, command: &str) -> std::io::Result<(u16, String)> {
        self.stream.write_all(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> std::io::Result<(u16, String)> {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                let gone = "the receiver closed the connection";
                return Ok((421, gone.to_owned()));
            }
            let (code, rest) = line.trim_end().split_at_checked(3).unwrap_or(("000", ""));
            whole.push_str(rest.trim_start_matches(['-', ' ']));
            if !rest.starts_with('-') {
                return Ok((code.parse().unwrap_or(0), whole));
            }
            whole.push(' ');
        }
    }
}
