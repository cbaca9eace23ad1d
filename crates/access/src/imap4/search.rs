//! SEARCH: what can be said by numbers alone is said so; only then summaries are opened, and only
//! for BODY and TEXT bodies, within bounds.

use super::Imap;
use super::matching::{Facts, Question, decide, prepare};
use crate::fault::Trouble;
use crate::person::RELEASE_ITEMS;
use imap::{Code, Condition, Found, Key, Results, Search, Writer};
use wire::vault::Class;

/// Bodies opened for one SEARCH: each opening is recorded and counts against the budget.
const BODIES: usize = 500;
/// Charsets that a client may search in. Answered when it names another.
const CHARSETS: &[&str] = &["US-ASCII", "UTF-8", "ISO-2022-JP", "SHIFT_JIS", "EUC-JP"];

/// Whether a message could be looked into, from good to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looked {
    Into,
    /// Another session expunged it meanwhile.
    Gone,
    Unopened,
}

impl Imap<'_> {
    pub(super) fn search(&mut self, tag: &str, search: Search) -> Result<(), Trouble> {
        let Search { uid, charset, results, key } = search;
        if let Some(named) = &charset
            && !CHARSETS.iter().any(|known| known.eq_ignore_ascii_case(named))
        {
            let code = Some(Code::BadCharset(CHARSETS));
            self.writer().tagged(tag, Condition::No, code, "this charset is not known");
            return Ok(());
        }
        self.view()?;
        let by_modseq = has_modseq(&key);
        self.speak_condstore(by_modseq);
        let question = prepare(key, charset.as_deref());
        let found = self.matching(&question);
        self.forget_body();
        let (places, looked) = found?;
        self.show_found(tag, uid, results, by_modseq, &places)?;
        let code = match looked {
            Looked::Into => None,
            // RFC 5530 §3.
            Looked::Gone => Some(Code::Word("EXPUNGEISSUED")),
            Looked::Unopened => {
                return Err(Trouble::No("SERVERBUG", "a message could not be opened"));
            }
        };
        self.done_with(tag, code, "searched", uid)
    }

    fn show_found(
        &mut self,
        tag: &str,
        uid: bool,
        results: Option<Results>,
        by_modseq: bool,
        places: &[usize],
    ) -> Result<(), Trouble> {
        let view = self.view.as_ref().ok_or(Trouble::Ended)?;
        let numbers: Vec<u32> = match uid {
            true => view.uids(places),
            false => places.iter().filter_map(|place| u32::try_from(place + 1).ok()).collect(),
        };
        let rows = told_of(results, places).filter_map(|place| view.rows.get(place));
        let mod_seq = rows.map(|row| row.modseq).max().filter(|_| by_modseq);
        let found = Found { tag, uid, numbers: &numbers, mod_seq };
        let mut writer = Writer::new(&mut self.out);
        match results {
            Some(wanted) => writer.esearch(&found, wanted),
            None => writer.search(&found),
        }
        Ok(())
    }

    /// The places that fit, and the worst that became of a message which had to be looked into.
    fn matching(&mut self, question: &Question) -> Result<(Vec<usize>, Looked), Trouble> {
        let mut found = Vec::new();
        let mut looked = Looked::Into;
        let mut open: Vec<usize> = Vec::new();
        let view = self.view()?;
        for place in 0..view.rows.len() {
            match decide(question, &self.facts(place)) {
                Some(true) => found.push(place),
                Some(false) => {}
                None => open.push(place),
            }
        }
        let mut bodies = 0;
        for group in open.chunks(RELEASE_ITEMS) {
            self.open_summaries(group)?;
            for place in group {
                let mut decided = decide(question, &self.facts(*place));
                if decided.is_none() {
                    bodies += 1;
                    if bodies > BODIES {
                        return Err(Trouble::No("LIMIT", "narrow the search: too many bodies"));
                    }
                    decided = self.decide_by_body(question, *place)?;
                    looked = looked.max(self.looked_into(*place, Class::Body));
                }
                looked = looked.max(self.looked_into(*place, Class::Summary));
                if decided == Some(true) {
                    found.push(*place);
                }
            }
        }
        found.sort_unstable();
        Ok((found, looked))
    }

    fn looked_into(&mut self, place: usize, class: Class) -> Looked {
        let Self { view: Some(view), person: Some(person), ends, .. } = self else {
            return Looked::Unopened;
        };
        let Some(row) = view.rows.get(place) else { return Looked::Gone };
        let is_open = match class {
            Class::Summary => person.summary(view.folder, row.uid).is_some(),
            Class::Body => person.opened_body(view.folder, row.uid).is_some(),
        };
        if is_open {
            return Looked::Into;
        }
        ends.take_pushes();
        match ends.news.lost || ends.news.expunged.contains(&row.uid) {
            true => Looked::Gone,
            false => Looked::Unopened,
        }
    }

    fn facts(&self, place: usize) -> Facts<'_> {
        let view = self.view.as_ref();
        let row = view.and_then(|view| view.rows.get(place));
        let summary = match (view, row, &self.person) {
            (Some(view), Some(row), Some(person)) => person.summary(view.folder, row.uid),
            _ => None,
        };
        Facts { view, row, place, summary, body: None, last: false }
    }

    fn decide_by_body(
        &mut self,
        question: &Question,
        place: usize,
    ) -> Result<Option<bool>, Trouble> {
        let Some((folder, uid)) = self
            .view
            .as_ref()
            .and_then(|view| view.rows.get(place).map(|row| (view.folder, row.uid)))
        else {
            return Ok(None);
        };
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        person.body(self.ends, folder, uid)?;
        let mut facts = self.facts(place);
        facts.body = self.person.as_deref().and_then(|person| person.opened_body(folder, uid));
        facts.last = true;
        Ok(decide(question, &facts))
    }
}

/// RFC 4731 §3.2: asked for the first or the last only, the mod-sequence is that of what is told.
fn told_of(results: Option<Results>, places: &[usize]) -> impl Iterator<Item = usize> {
    let ends = results.filter(|wanted| (wanted.min || wanted.max) && !wanted.all && !wanted.count);
    let is_told = move |(at, count): (usize, usize)| {
        ends.is_none_or(|wanted| wanted.min && at == 0 || wanted.max && at + 1 == count)
    };
    let count = places.len();
    places.iter().copied().enumerate().filter(move |(at, _)| is_told((*at, count))).map(|(_, p)| p)
}

/// Depth is bounded by the parser.
fn has_modseq(key: &Key) -> bool {
    match key {
        Key::ModSeq(_) => true,
        Key::And(keys) => keys.iter().any(has_modseq),
        Key::Or(one, other) => has_modseq(one) || has_modseq(other),
        Key::Not(key) => has_modseq(key),
        _ => false,
    }
}
