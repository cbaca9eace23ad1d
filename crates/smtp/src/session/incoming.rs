//! The text of a message on its way in, by DATA and by BDAT.

use super::{Ask, Found, Mode, Session, Stage, out_of_order, too_large};
use crate::event::{Event, Why};
use crate::reply::Reply;
use crate::text::{Lines, Oddity, Then, is_continuation};

impl Session {
    pub(super) fn data(&mut self) -> Found {
        let why = match self.stage {
            _ if self.chunks.is_some() => "BDAT has begun this text",
            Stage::Recipients(_) => {
                self.ask = Ask::Data;
                return Found::Event(Event::Data);
            }
            Stage::Sender => "no recipient was accepted",
            _ => "name a sender and a recipient first",
        };
        self.errors += 1;
        self.refuse_data(out_of_order(why));
        Found::Nothing
    }

    /// RFC 2920 §3.1: DATA is the last of its group. If it is refused, whatever already stands
    /// behind it is a text that would now be read as commands.
    pub(super) fn refuse_data(&mut self, reply: Reply) {
        self.write(&reply);
        if self.at < self.input.len() {
            self.too_early();
        }
    }

    pub(super) fn text(&mut self) -> Found {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let Mode::Text(text) = &mut self.mode else {
            return Found::Nothing;
        };
        if rest.is_empty() {
            return Found::Dry;
        }
        let was_lost = self.lost.is_some();
        let step = text.read(rest);
        let start = self.at;
        self.at += step.text + step.gone;
        match step.then {
            Then::Odd(oddity) => {
                self.lost.get_or_insert(odd_text(oddity));
                return Found::Event(Event::Forget(Why::Odd(oddity)));
            }
            Then::End if was_lost => {
                self.end_lost_text();
                return Found::Nothing;
            }
            // The end is offered again once the octets before it are handed on.
            Then::End if step.text > 0 => self.at -= step.gone,
            Then::End => return self.end(),
            // The beginning of an end, or of none: the next octet tells.
            Then::More if step.text + step.gone == 0 => return Found::Dry,
            Then::More | Then::Again => {}
        }
        if was_lost {
            return self.drained(step.gone);
        }
        self.hand_on(start, step.text)
    }

    /// Gives text to the caller, unless it has become too much.
    fn hand_on(&mut self, start: usize, octets: usize) -> Found {
        let text = self.input.get(start..start + octets).unwrap_or_default();
        if self.text_octets == 0 && is_continuation(text) {
            self.refuse_text(odd_text(Oddity::Continues));
            return Found::Event(Event::Forget(Why::Odd(Oddity::Continues)));
        }
        self.text_octets += octets;
        if self.text_octets > self.limits.message_bytes {
            self.refuse_text(too_large(self.limits.message_bytes as u64));
            return Found::Event(Event::Forget(Why::TooLarge));
        }
        if octets == 0 {
            return Found::Nothing;
        }
        Found::Octets(start, start + octets)
    }

    fn drained(&mut self, octets: usize) -> Found {
        self.drained_octets += octets;
        if self.drained_octets > self.limits.drain_bytes() {
            let reply = self.lost.take().unwrap_or_else(|| too_large(0));
            self.close(reply, Why::TooLarge);
        }
        Found::Nothing
    }

    fn end(&mut self) -> Found {
        self.mode = Mode::Lines;
        self.ask = Ask::End;
        Found::Event(Event::End)
    }

    /// CRLF.CRLF of a text that is lost: only now is it answered, so that no part of it can be
    /// taken for a command.
    pub(super) fn end_lost_text(&mut self) {
        let Mode::Text(text) = std::mem::replace(&mut self.mode, Mode::Lines) else {
            return;
        };
        let lost = self.lost.take();
        // An oddity is for ever, so it outweighs an answer that invites to try again.
        let odd = text.oddity().map(odd_text);
        let reply = match lost {
            Some(lost) if lost.code >= 500 => lost,
            lost => odd.or(lost).unwrap_or_else(|| too_large(0)),
        };
        self.forget_envelope();
        if text.has_false_end() {
            self.close(reply, Why::FalseEnd);
        } else {
            self.write(&reply);
        }
    }

    // ---- BDAT, RFC 3030 ------------------------------------------------------------------------

    pub(super) fn bdat(&mut self, octets: u64, last: bool) -> Found {
        if octets > self.limits.drain_bytes() as u64 {
            self.close(too_large(self.limits.message_bytes as u64), Why::TooLarge);
            return Found::Nothing;
        }
        if self.recipients() == 0 {
            // RFC 3030 §2: the octets of a refused chunk come all the same.
            let reply = out_of_order("name a sender and a recipient first");
            self.errors += 1;
            self.mode = Mode::SkipChunk { left: octets, reply };
            return Found::Nothing;
        }
        if self.chunks.is_none() {
            self.ask = Ask::FirstChunk { octets, last };
            return Found::Event(Event::Data);
        }
        self.mode = Mode::Chunk { left: octets, last };
        Found::Nothing
    }

    pub(super) fn chunk(&mut self) -> Found {
        let Mode::Chunk { left, last } = &mut self.mode else {
            return Found::Nothing;
        };
        let last = *last;
        let here = self.input.get(self.at..).unwrap_or_default();
        let octets = here.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        if octets == 0 {
            return if *left == 0 { self.end_chunk(last) } else { Found::Dry };
        }
        *left -= octets as u64;
        let start = self.at;
        self.at += octets;
        if self.lost.is_some() {
            return self.drained(octets);
        }
        let here = here.get(..octets).unwrap_or_default();
        let line_limit = self.limits.text_line_bytes;
        let odd = self.chunks.as_mut().and_then(|lines| lines.check(here, line_limit));
        if let Some(oddity) = odd {
            self.lost = Some(odd_text(oddity));
            return Found::Event(Event::Forget(Why::Odd(oddity)));
        }
        self.hand_on(start, octets)
    }

    fn end_chunk(&mut self, last: bool) -> Found {
        self.mode = Mode::Lines;
        let unfinished = self.chunks.as_ref().filter(|_| last).and_then(Lines::finish);
        if let Some(oddity) = unfinished.filter(|_| self.lost.is_none()) {
            self.forget_envelope();
            self.write(&odd_text(oddity));
            return Found::Event(Event::Forget(Why::Odd(oddity)));
        }
        if let Some(reply) = self.lost.clone() {
            // Every chunk of a lost text gets the same answer; the last one ends it.
            self.write(&reply);
            if last {
                self.forget_envelope();
            }
            return Found::Nothing;
        }
        if last {
            return self.end();
        }
        self.say(Reply::new(250, (0, 0), "chunk taken"))
    }

    pub(super) fn skip_chunk(&mut self) -> Found {
        let Mode::SkipChunk { left, reply } = &mut self.mode else {
            return Found::Nothing;
        };
        let here = self.input.len().saturating_sub(self.at);
        let octets = here.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= octets as u64;
        self.at += octets;
        if *left == 0 {
            let reply = reply.clone();
            self.mode = Mode::Lines;
            return self.say(reply);
        }
        Found::Dry
    }
}

fn odd_text(oddity: Oddity) -> Reply {
    match oddity {
        Oddity::LongLine => Reply::new(500, (6, 0), "this message has a line that is too long"),
        _ => Reply::new(554, (6, 0), format!("{} in the message", oddity.name())),
    }
}
