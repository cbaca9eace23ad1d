//! The page by which somebody says whether mail that is held in their name is theirs.

use crate::sheet::{Button, Sheet};
use crate::words::{Held, Language, held};
use http::{Answer, Request};
use wire::pages::{ToPages, held_message};

/// The field that means it, beside the address: a form sent by mistake, or ahead, has none.
const FIELD: &str = "answer";

/// Which of the two addresses it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Mine,
    NotMine,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::NotMine => "not-mine",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Mine => Self::NotMine,
            Self::NotMine => Self::Mine,
        }
    }

    /// The side that a path is of, and what stands behind it.
    pub fn of(path: &str) -> Option<(Self, &str)> {
        let (word, spelled) = path.strip_prefix('/')?.split_once('/')?;
        let side = [Self::Mine, Self::NotMine].into_iter().find(|side| side.word() == word)?;
        Some((side, spelled))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Asks,
    Done,
    /// It does not leave; so many others in that name wait for a word.
    Discarded {
        more: u32,
    },
    /// What was to be stopped had left already, or been cancelled.
    TooLate {
        more: u32,
    },
    Unknown,
    Later,
}

impl State {
    pub fn of(answer: &ToPages) -> Self {
        match answer {
            ToPages::Done => Self::Done,
            ToPages::Discarded { more } => Self::Discarded { more: *more },
            ToPages::TooLate { more } => Self::TooLate { more: *more },
            ToPages::Unknown => Self::Unknown,
            ToPages::Domain(_) | ToPages::Subscription(_) | ToPages::Over | ToPages::Later => {
                Self::Later
            }
        }
    }
}

/// Whether a POST is the one that means this side; the language of the page that it was on.
pub(crate) fn read(request: &Request, side: Side) -> Result<Option<Language>, Answer> {
    if request.content_type != "application/x-www-form-urlencoded" {
        return Err(Answer::text(415, "expected application/x-www-form-urlencoded\n"));
    }
    let body = String::from_utf8_lossy(&request.body);
    let mut pairs = body.trim_end().split('&').filter_map(|pair| pair.split_once('='));
    let language = pairs.clone().find(|(name, _)| *name == "lang");
    match pairs.any(|(name, value)| name == FIELD && value == side.word()) {
        true => Ok(language.and_then(|(_, code)| Language::parse(code))),
        false => {
            let expected = side.word();
            let words = format!("expected {FIELD}={expected} in the body; found something else\n");
            Err(Answer::text(400, words))
        }
    }
}

pub(crate) fn page(state: State, (side, token): (Side, &[u8]), language: Language) -> Answer {
    let words = held(language);
    let (status, title, text) = told(state, side, words);
    let is_asking = matches!(state, State::Asks | State::Later);
    let text_on_it = match side {
        Side::Mine => words.mine_button,
        Side::NotMine => words.not_mine_button,
    };
    let button = is_asking.then(|| Button { name: FIELD, value: side.word(), text: text_on_it });
    let spelled: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    let contrary = match side {
        Side::Mine => words.to_not_mine,
        Side::NotMine => words.to_mine,
    };
    let other_way = is_asking.then(|| (format!("/{}/{spelled}", side.other().word()), contrary));
    let number = held_message(token).filter(|_| is_asking);
    let number = number.map(|number| format!("{}{number}", words.number));
    let notes = number.into_iter().chain(rest(state, words)).collect();
    let has_switch = is_asking || state == State::Unknown;
    let other = held(language.other());
    let also = (!has_switch).then(|| told(state, side, other)).map(|(_, title, text)| {
        let rest = rest(state, other).map(|rest| format!(" {rest}")).unwrap_or_default();
        (title, format!("{text}{rest}"))
    });
    Sheet { status, language, title, text, notes, also, button, other_way, has_switch }.answer()
}

fn told(state: State, side: Side, words: &Held) -> (u16, &'static str, &'static str) {
    match (state, side) {
        (State::Asks, Side::Mine) => (200, words.mine_title, words.mine),
        (State::Asks, Side::NotMine) => (200, words.not_mine_title, words.not_mine),
        (State::Done, _) => (200, words.sent_title, words.sent),
        (State::Discarded { .. }, _) => (200, words.discarded_title, words.discarded),
        (State::TooLate { .. }, _) => (200, words.stopped_title, words.stopped),
        (State::Unknown, _) => (404, words.unknown_title, words.unknown),
        (State::Later, _) => (503, words.later_title, words.later),
    }
}

/// How much else in their name waits for a word: whoever stopped one letter is not done yet.
fn rest(state: State, words: &Held) -> Option<String> {
    let (State::Discarded { more } | State::TooLate { more }) = state else { return None };
    Some(match more {
        0 => words.no_more.to_owned(),
        1 => words.one_more.to_owned(),
        more => words.more.replace("{}", &more.to_string()),
    })
}
