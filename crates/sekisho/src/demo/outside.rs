//! The demo's outside world: a server that takes what leaves, as any host on the internet would.
//!
//! Three local parts behave as remotes do behave: `nobody` is unknown there (550), `busy` asks to
//! come again (451), everybody else takes what comes.

use smtp::{Event, Limits, Recipient, Reply, Session};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What it calls itself, for every domain that leads to it.
const NAME: &str = "mx.outside.example";
/// A remote that is silent for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Letters that are remembered: the screen shows them, nobody else asks.
const REMEMBERED: usize = 1_000;
/// Of each no more than this is kept.
const KEPT_OCTETS: usize = 64 * 1024;

/// What came.
#[derive(Clone, Default)]
pub struct Came {
    pub from: String,
    pub to: Vec<String>,
    pub text: Vec<u8>,
    pub octets: usize,
}

/// The server, for as long as the process lives.
#[derive(Clone, Default)]
pub struct Outside {
    listener: Arc<Mutex<Option<TcpListener>>>,
    came: Arc<Mutex<VecDeque<Came>>>,
}

impl Outside {
    /// Has that address. Nobody is served before [`Outside::serve`].
    pub fn open(at: SocketAddr) -> std::io::Result<Self> {
        let outside = Self::default();
        let listener = Some(TcpListener::bind(at)?);
        *outside.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
        Ok(outside)
    }

    /// Takes connections, each on a thread. Not before the warden runs: a thread that is older
    /// than its hold on signals would take an operator's TERM, and die of it with the house.
    pub fn serve(&self) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return };
        let server = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || drop(server.converse(stream)));
            }
        });
    }

    /// What has come since this was asked last.
    pub fn take(&self) -> Vec<Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    fn remember(&self, came: Came) {
        let mut all = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back(came);
    }

    fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Session::new(Limits::default(), NAME, false, false);
        session.greet();
        let mut came = Came::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let is_over = self.step(&mut session, &mut came);
            stream.write_all(&session.take_output())?;
            if is_over {
                return Ok(());
            }
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            session.feed(buffer.get(..count).unwrap_or_default());
        }
    }

    /// Answers what is there; whether the connection is over.
    fn step(&self, session: &mut Session, came: &mut Came) -> bool {
        loop {
            match session.next_event() {
                Event::Read => return false,
                Event::Close(_) => return true,
                Event::Mail(mail) => {
                    *came = Came::default();
                    came.from = mail.from.map(|from| from.written()).unwrap_or_default();
                    session.reply(Reply::ok());
                }
                Event::Rcpt(rcpt) => {
                    let address = match rcpt.to {
                        Recipient::Mailbox(address) => address.written(),
                        Recipient::Postmaster => "postmaster".to_owned(),
                    };
                    let reply = answer_to(&address);
                    if reply.is_positive() {
                        came.to.push(address);
                    }
                    session.reply(reply);
                }
                Event::Data => session.reply(Reply::go_ahead()),
                Event::Octets(octets) => {
                    came.octets += octets.len();
                    let room = KEPT_OCTETS.saturating_sub(came.text.len()).min(octets.len());
                    came.text.extend_from_slice(octets.get(..room).unwrap_or_default());
                }
                Event::End => {
                    self.remember(std::mem::take(came));
                    session.reply(Reply::ok());
                }
                _ => {}
            }
        }
    }
}

fn answer_to(address: &str) -> Reply {
    match address.split('@').next().unwrap_or_default() {
        "nobody" => Reply::new(550, (1, 1), "no such person here"),
        "busy" => Reply::new(451, (3, 2), "busy now; please come again"),
        _ => Reply::ok(),
    }
}
