//! A dispatch that takes what it is given, and says no where a name says so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use wire::dispatch::{FromAccess, Submission, ToAccess};
use wire::{Channel, Parcel};

#[derive(Default)]
pub struct Desk {
    /// None is born.
    pub is_away: AtomicBool,
    /// To how many the next message may go unasked.
    pub ahead: AtomicU32,
    /// To how many it may go; `None`: to any.
    pub room: Mutex<Option<u32>>,
    pub asked: Mutex<Vec<String>>,
    pub taken: Mutex<Vec<(Submission, Vec<u8>)>>,
}

impl Desk {
    pub fn attend(&self, channel: &Channel) {
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read().unwrap() {
                FromAccess::From(from) => self.weigh("from", from),
                FromAccess::To(to) => self.weigh("to", to),
                FromAccess::Room(many) => self.room(many),
                FromAccess::Many(many) => self.weigh("many", many.to_string()),
                FromAccess::Submit(mut submission) => {
                    let empty = Parcel::Inline(Vec::new());
                    let text = std::mem::replace(&mut submission.text, empty);
                    let text = text.open(&frame.descriptors).unwrap();
                    if text.starts_with(b"Subject: die") {
                        let both = rustix::net::Shutdown::Both;
                        return rustix::net::shutdown(channel, both).unwrap();
                    }
                    self.taken.lock().unwrap().push((*submission, text));
                    let ahead = self.ahead.load(Ordering::SeqCst);
                    ToAccess::Queued { text: "0123 queued".to_owned(), ahead }
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    }

    fn room(&self, many: u32) -> ToAccess {
        self.asked.lock().unwrap().push(format!("room {many}"));
        let text = "too many recipients lately".to_owned();
        match *self.room.lock().unwrap() {
            Some(room) if many > room => ToAccess::No { code: 450, enhanced: (7, 1), text },
            room => ToAccess::Room(room.unwrap_or(many)),
        }
    }

    fn weigh(&self, what: &str, said: String) -> ToAccess {
        self.asked.lock().unwrap().push(format!("{what} {said}"));
        let no = |code, enhanced, text: &str| ToAccess::No { code, enhanced, text: text.into() };
        match said.as_str() {
            "ben@example.jp" => no(550, (7, 1), "not yours"),
            "nobody@example.jp" => no(550, (1, 1), "nobody of that name here"),
            "lie@example.jp" => no(250, (0, 0), "a lie"),
            far if far.ends_with("@far.example") => ToAccess::YesElsewhere,
            _ => ToAccess::Yes,
        }
    }
}
