//! What is decided about mail that waits or is being handed over: a gateway is taken away while its
//! server is down, and an operator cancels and holds what goes to a server that greets late.

use super::house::{Demo, Wishes, within};
use super::leaving::{letter, signed_in};
use super::post::Sender;
use super::sink::Sink;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);
const CAROL: &str = "carol@sender.example";

fn done(demo: &Demo, words: &[&str]) -> Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

/// Ids of what waits.
fn waiting(demo: &Demo) -> Vec<String> {
    let (list, _) = demo.ask(&["queue", "list"]);
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

fn first(demo: &Demo, id: &str) -> Value {
    let (shown, _) = demo.ask(&["queue", "show", id]);
    shown["outcomes"][0].clone()
}

/// The customer's people come into the house while their old server is away: what waits is theirs
/// here, and that server, once it is back, gets none of it.
#[test]
fn what_waits_for_a_gateway_goes_no_more_to_the_server_that_was_taken_away() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut wishes = Wishes::new("taken-away");
    wishes.outside = Some(away);
    let demo = Demo::start(wishes);
    let host = format!("127.0.0.1:{away}:if-offered");
    done(&demo, &["domain", "gateway", "example.net", "--host", &host, "--recipients", "any"]);
    let mut ids = Vec::new();
    for to in ["new@example.net", "gone@example.net"] {
        let mut sender = Sender::greeted(&demo.port("smtp"));
        let octets = letter(CAROL, to, &format!("for {to}"), "");
        assert_eq!(sender.letter(CAROL, &[to], &octets).unwrap().code, 250);
        within(PATIENCE, "it waits", || {
            let all = waiting(&demo);
            ids.extend(all.into_iter().filter(|id| !ids.contains(id)).collect::<Vec<_>>());
            ids.last().is_some_and(|id| demo.ask(&["queue", "show", id]).0["state"] == "delayed")
        });
    }
    let [new, gone] = ids.as_slice() else { panic!("{ids:?}") };
    done(&demo, &["domain", "gateway", "example.net", "--none"]);
    done(&demo, &["user", "add", "new@example.net", "--tenant", "Example Net"]);
    // It is back, where it was.
    let back = Sink::open_at(away);
    for id in [new, gone] {
        // It may be on its way by itself.
        demo.ask(&["queue", "release", id]);
    }
    within(PATIENCE, "the person has it", || {
        demo.ask(&["queue", "show", new]).0["state"] == "sent"
    });
    within(PATIENCE, "the other one waits", || {
        first(&demo, gone)["why"]["en"].as_str().is_some_and(|why| why.contains("4.1.1"))
    });
    assert!(back.came().is_empty(), "{:?}", back.came());
    assert_eq!(demo.ask(&["queue", "show", gone]).0["state"], "delayed");
    // The gateway is named anew: what waited goes there after all.
    done(&demo, &["domain", "gateway", "example.net", "--host", &host, "--recipients", "any"]);
    within(PATIENCE, "it goes on", || {
        demo.ask(&["queue", "release", gone]);
        std::thread::sleep(Duration::from_secs(1));
        back.came().iter().any(|came| came.to == ["gone@example.net"])
    });
}

/// A server that keeps silent until it is told to greet, and counts what it takes.
#[derive(Clone)]
struct Late {
    port: u16,
    state: Arc<(Mutex<(Step, usize, Vec<String>)>, Condvar)>,
}

/// How far it goes: to nothing, to the end of a text, or all the way.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Step {
    Silent,
    Text,
    All,
}

impl Late {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = (Mutex::new((Step::Silent, 0, Vec::new())), Condvar::new());
        let late = Self { port, state: Arc::new(state) };
        let server = late.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                server.state.0.lock().unwrap().1 += 1;
                std::thread::spawn(move || drop(server.converse(stream)));
            }
        });
        late
    }

    fn goes(&self, step: Step) {
        self.state.0.lock().unwrap().0 = step;
        self.state.1.notify_all();
    }

    fn wait(&self, step: Step) {
        let state = self.state.0.lock().unwrap();
        drop(self.state.1.wait_while(state, |state| state.0 < step).unwrap());
    }

    fn connections(&self) -> usize {
        self.state.0.lock().unwrap().1
    }

    /// Subjects whose text has come, whether it was answered or not.
    fn texts(&self) -> Vec<String> {
        self.state.0.lock().unwrap().2.clone()
    }

    fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        self.wait(Step::Text);
        writer.write_all(b"220 late.outside.example\r\n")?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            line.clear();
            let reply: &[u8] = match verb.as_str() {
                "DATA" => b"354 go on\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            writer.write_all(reply)?;
            if verb == "DATA" {
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") && reader.read_line(&mut text)? > 0 {}
                let subject = text.lines().find_map(|line| line.strip_prefix("Subject: "));
                self.state.0.lock().unwrap().2.push(subject.unwrap_or_default().to_owned());
                self.wait(Step::All);
                writer.write_all(b"250 taken\r\n")?;
            }
        }
        Ok(())
    }
}

/// The id of a letter to the late server, once it is on its way, be it over a connection that was
/// kept.
fn sent(demo: &Demo, late: &Late, subject: &str) -> String {
    let known = waiting(demo);
    let to = format!("{}@outside.example", subject.replace(' ', "-"));
    let mut sender = signed_in(demo, "aoi@example.jp");
    let octets = letter("aoi@example.jp", &to, subject, "");
    assert_eq!(sender.letter("aoi@example.jp", &[&to], &octets).unwrap().code, 250);
    let mut id = String::new();
    within(PATIENCE, "it is on its way", || {
        id = waiting(demo).into_iter().find(|id| !known.contains(id)).unwrap_or_default();
        late.connections() > 0 && demo.ask(&["queue", "show", &id]).0["state"] == "leaving"
    });
    id
}

/// Cancelled or held before the server greets, a letter does not go; with its text there, the
/// answer says that it may, and what is shown says what became of it.
#[test]
fn what_is_cancelled_or_held_in_time_does_not_go_and_what_is_late_is_told_so() {
    for (act, state) in [("cancel", "not-sent"), ("hold", "held")] {
        let late = Late::open();
        let mut wishes = Wishes::new(&format!("late-{act}"));
        wishes.outside = Some(late.port);
        let demo = Demo::start(wishes);
        let id = sent(&demo, &late, "in time");
        let told = done(&demo, &["queue", act, &id]);
        assert_eq!((&told["done"], &told["too_late_for"]), (&act.into(), &Value::Null), "{told}");
        late.goes(Step::Text);
        within(PATIENCE, state, || demo.ask(&["queue", "show", &id]).0["state"] == state);
        let id = sent(&demo, &late, "too late");
        within(PATIENCE, "its text", || late.texts() == ["too late"]);
        let told = done(&demo, &["queue", act, &id]);
        assert_eq!((&told["done"], &told["too_late_for"]), (&act.into(), &1.into()), "{told}");
        assert!(told["in_words"]["ja"].as_str().unwrap().contains("届く可能性"), "{told}");
        assert_eq!(demo.ask(&["queue", "show", &id]).0["state"], "leaving");
        if act == "cancel" {
            // It is cancelled, and not unknown.
            for next in ["hold", "release", "cancel"] {
                let (told, code) = demo.ask(&["queue", next, &id]);
                assert!(code == 1 && told.to_string().contains("cancelled already"), "{told}");
            }
        }
        late.goes(Step::All);
        within(PATIENCE, "its end", || demo.ask(&["queue", "show", &id]).0["state"] == "sent");
        if act == "cancel" {
            let why = first(&demo, &id)["why"]["en"].as_str().unwrap().to_owned();
            assert!(why.contains("when it was cancelled"), "{why}");
        }
        assert_eq!(late.texts(), ["too late"]);
    }
}
