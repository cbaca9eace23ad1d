//! FETCH: numbers from the mailbox's rows, headers from opened summaries, the rest from opened
//! bodies. What is opened was recorded before.

use super::selected::write_flags;
use super::{Imap, OUT_BYTES};
use crate::fault::Trouble;
use crate::keeper;
use crate::line::Line;
use crate::person::{Opened, Person, RELEASE_ITEMS};
use crate::view::View;
use imap::{Fetch, FetchLine, Item, Moment, Section, SectionText, Writer};
use std::borrow::Cow;
use wire::mailbox::{FromAccess, Row, ToAccess, flag};

/// What a FETCH needs, decided once for all its messages.
struct Plan {
    items: Vec<Item>,
    summaries: bool,
    bodies: bool,
    /// Header sections, which the summary answers unless the header was too long for it.
    headers: bool,
    marks_seen: bool,
    /// Asked for piece by piece: the next piece comes soon.
    partial: bool,
}

impl Plan {
    fn of(fetch: &Fetch, condstore: bool) -> Self {
        let mut items = fetch.items.clone();
        // RFC 3501 §6.4.8: UID FETCH always says the UID.
        if fetch.uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        // RFC 7162 §3.1.4.1: CHANGEDSINCE always says the mod-sequence.
        if fetch.changed_since.is_some() && condstore && !items.contains(&Item::ModSeq) {
            items.push(Item::ModSeq);
        }
        let overview =
            |item: &Item| matches!(item, Item::Envelope | Item::Body | Item::BodyStructure);
        let headers = items.iter().any(is_header);
        Self {
            summaries: headers || items.iter().any(overview),
            bodies: items.iter().any(|item| is_octets(item) && !is_header(item)),
            headers,
            marks_seen: items.iter().any(Item::marks_seen),
            partial: items
                .iter()
                .any(|item| matches!(item, Item::Section { partial: Some(_), .. })),
            items,
        }
    }
}

fn is_octets(item: &Item) -> bool {
    matches!(item, Item::Rfc822 | Item::Rfc822Header | Item::Rfc822Text | Item::Section { .. })
}

/// Sections of the message's own header.
fn is_header(item: &Item) -> bool {
    match item {
        Item::Rfc822Header => true,
        Item::Section { section, .. } => {
            section.part.is_empty() && !matches!(section.text, SectionText::All | SectionText::Text)
        }
        _ => false,
    }
}

impl Imap<'_> {
    pub(super) fn fetch(&mut self, tag: &str, fetch: &Fetch) -> Result<(), Trouble> {
        let asks_modseq = fetch.items.contains(&Item::ModSeq) || fetch.changed_since.is_some();
        let mut places = self.targets(&fetch.set, fetch.uid)?;
        self.speak_condstore(asks_modseq);
        let plan = Plan::of(fetch, self.condstore);
        let view = self.view()?;
        if let Some(since) = fetch.changed_since {
            places.retain(|place| view.rows.get(*place).is_some_and(|row| row.modseq > since));
        }
        let marks = plan.marks_seen && !view.read_only;
        let single = places.len() == 1;
        let mut missing = Missing::default();
        let mut shown = Vec::new();
        for group in places.chunks(RELEASE_ITEMS) {
            if plan.summaries {
                self.open_summaries(group)?;
            }
            for place in group {
                self.open_body(&plan, *place)?;
                if self.is_missing(&plan, *place, &mut missing) {
                    continue;
                }
                // One message is marked before, so that this very answer says so.
                let newly = marks && single && !self.mark_seen(&places)?.is_empty();
                self.fetch_one(&plan, *place, newly)?;
                shown.push(*place);
            }
        }
        if !plan.partial {
            self.forget_body();
        }
        if marks && !single {
            let seen = self.mark_seen(&shown)?;
            self.show_flags(&seen, fetch.uid);
        }
        missing.trouble().map_or_else(|| self.done_with(tag, None, "fetched", fetch.uid), Err)
    }

    pub(super) fn open_summaries(&mut self, places: &[usize]) -> Result<(), Trouble> {
        let view = self.view.as_ref().ok_or(Trouble::Ended)?;
        let uids = view.uids(places);
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        person.open_summaries(self.ends, view.folder, &uids)
    }

    /// What was shown whole is not kept: asked for again, it is released again.
    pub(super) fn forget_body(&mut self) {
        if let Some(person) = &mut self.person {
            person.forget_body();
        }
    }

    /// Opens the body if one of the items needs it.
    fn open_body(&mut self, plan: &Plan, place: usize) -> Result<(), Trouble> {
        let (folder, uid) = self.address(place)?;
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        let summary = person.summary(folder, uid);
        let cut = plan.headers && summary.is_some_and(|opened| opened.header().is_none());
        if plan.bodies || cut {
            person.body(self.ends, folder, uid)?;
        }
        Ok(())
    }

    fn address(&self, place: usize) -> Result<(terms::FolderId, u32), Trouble> {
        let view = self.view.as_ref().ok_or(Trouble::Ended)?;
        let row = view.rows.get(place).ok_or(Trouble::Broken)?;
        Ok((view.folder, row.uid))
    }

    /// Whether something that was asked for is not there; it is noted why.
    fn is_missing(&mut self, plan: &Plan, place: usize, missing: &mut Missing) -> bool {
        let Self { view: Some(view), person: Some(person), ends, .. } = self else { return true };
        let Some(row) = view.rows.get(place) else { return true };
        let is_short = Octets::of(person, view.folder, row.uid, plan).is_short_of(plan);
        if is_short {
            ends.take_pushes();
            missing.note(ends.news.lost || ends.news.expunged.contains(&row.uid));
        }
        is_short
    }

    /// `newly`: it was marked as seen just now, which is told even if nobody asked (§6.4.5).
    fn fetch_one(&mut self, plan: &Plan, place: usize, newly: bool) -> Result<(), Trouble> {
        let condstore = self.condstore;
        let Self { view: Some(view), person: Some(person), line, out, .. } = self else {
            return Err(Trouble::Ended);
        };
        let Some(row) = view.rows.get(place) else { return Ok(()) };
        let octets = Octets::of(person, view.folder, row.uid, plan).taken_apart(plan);
        let mut writer = Writer::new(out);
        let mut answer = writer.fetch(u32::try_from(place + 1).unwrap_or(0));
        for item in &plan.items {
            write_item(&mut answer, item, row, view, &octets, line)?;
        }
        if newly && !plan.items.contains(&Item::Flags) {
            write_flags(&mut answer, row, view);
        }
        if newly && condstore && !plan.items.contains(&Item::ModSeq) {
            answer.mod_seq(row.modseq);
        }
        answer.end();
        drop(octets);
        if out.len() >= OUT_BYTES {
            line.write(out).map_err(|_| Trouble::Line)?;
            out.clear();
        }
        Ok(())
    }

    /// Sets \Seen where it is missing; says where it was.
    fn mark_seen(&mut self, places: &[usize]) -> Result<Vec<usize>, Trouble> {
        let Some(view) = &mut self.view else { return Ok(Vec::new()) };
        let is_unseen =
            |place: &usize| view.rows.get(*place).is_some_and(|row| row.flags & flag::SEEN == 0);
        let unseen: Vec<usize> = places.iter().copied().filter(is_unseen).collect();
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let store = FromAccess::Store {
            folder: view.folder,
            uids: view.uids(&unseen),
            add: flag::SEEN,
            remove: 0,
            replace: false,
            unchanged_since: None,
        };
        match keeper::ask(self.ends, &store, false)? {
            ToAccess::Stored { changed, .. } => Ok(view.take_rows(&changed)),
            _ => Err(Trouble::Broken),
        }
    }
}

/// Messages that were asked for and could not be shown.
#[derive(Default)]
struct Missing {
    expunged: bool,
    unopened: bool,
}

impl Missing {
    fn note(&mut self, expunged: bool) {
        self.expunged |= expunged;
        self.unopened |= !expunged;
    }

    /// RFC 5530: why the answer is not whole.
    fn trouble(&self) -> Option<Trouble> {
        match (self.unopened, self.expunged) {
            (true, _) => Some(Trouble::No("SERVERBUG", "a message could not be opened")),
            (_, true) => Some(Trouble::No("EXPUNGEISSUED", "some messages have been deleted")),
            _ => None,
        }
    }
}

/// What is open of one message.
struct Octets<'a> {
    summary: Option<&'a Opened>,
    header: Option<Vec<u8>>,
    body: Option<&'a [u8]>,
    parsed: Option<mime::Message<'a>>,
}

impl<'a> Octets<'a> {
    fn of(person: &'a Person, folder: terms::FolderId, uid: u32, plan: &Plan) -> Self {
        let summary = person.summary(folder, uid).filter(|_| plan.summaries);
        let header = summary.filter(|_| plan.headers).and_then(Opened::header);
        let needed = plan.bodies || plan.headers && header.is_none();
        let body = person.opened_body(folder, uid).filter(|_| needed);
        Self { summary, header, body, parsed: None }
    }

    /// Only sections within the message make it necessary to take it apart.
    fn taken_apart(mut self, plan: &Plan) -> Self {
        let inner = |item: &Item| {
            !matches!(item, Item::Rfc822)
                && !matches!(item, Item::Section { section, .. } if *section == Section::default())
                && is_octets(item)
        };
        let body = self.body.filter(|_| plan.items.iter().any(inner));
        self.parsed = body.map(|octets| mime::parse(octets).0);
        self
    }

    /// The message is gone, or did not open.
    fn is_short_of(&self, plan: &Plan) -> bool {
        plan.summaries && self.summary.is_none()
            || plan.bodies && self.body.is_none()
            || plan.headers && self.header.is_none() && self.body.is_none()
    }

    fn section(&self, section: &Section) -> Option<Cow<'_, [u8]>> {
        if *section == Section::default() {
            return self.body.map(Cow::Borrowed);
        }
        let spec = imap::section_spec(section);
        if let Some(parsed) = &self.parsed {
            return mime::section(parsed, &spec);
        }
        let header = self.header.as_ref()?;
        if section.text == SectionText::Header {
            return Some(Cow::Borrowed(header));
        }
        let (message, _) = mime::parse(header);
        mime::section(&message, &spec).map(|octets| Cow::Owned(octets.into_owned()))
    }
}

fn write_item(
    answer: &mut FetchLine,
    item: &Item,
    row: &Row,
    view: &View,
    octets: &Octets,
    line: &mut Line,
) -> Result<(), Trouble> {
    let prepared = |value: fn(&mime::Summary) -> &[u8]| {
        octets.summary.map_or(&b"NIL"[..], |opened| value(&opened.summary))
    };
    let all = Section::default();
    let within = |text| Section { part: Vec::new(), text };
    match item {
        Item::Flags => write_flags(answer, row, view),
        Item::Uid => answer.uid(row.uid),
        Item::InternalDate => answer.internal_date(moment(row)),
        Item::Size => answer.size(u64::from(row.size)),
        Item::ModSeq => answer.mod_seq(row.modseq),
        Item::Envelope => answer.prepared("ENVELOPE", prepared(|s| &s.envelope)),
        Item::Body => answer.prepared("BODY", prepared(|s| &s.body)),
        Item::BodyStructure => answer.prepared("BODYSTRUCTURE", prepared(|s| &s.bodystructure)),
        Item::Rfc822 => write_octets(answer, "RFC822", octets.section(&all), line)?,
        Item::Rfc822Header => {
            let header = octets.section(&within(SectionText::Header));
            write_octets(answer, "RFC822.HEADER", header, line)?;
        }
        Item::Rfc822Text => {
            let text = octets.section(&within(SectionText::Text));
            write_octets(answer, "RFC822.TEXT", text, line)?;
        }
        Item::Section { section, partial, .. } => {
            let label = imap::section_label(section, partial.map(|(from, _)| from));
            let found = octets.section(section).map(|octets| cut(octets, *partial));
            write_octets(answer, &label, found, line)?;
        }
    }
    Ok(())
}

fn write_octets(
    answer: &mut FetchLine,
    label: &str,
    octets: Option<Cow<'_, [u8]>>,
    line: &mut Line,
) -> Result<(), Trouble> {
    match octets {
        Some(octets) if octets.len() > OUT_BYTES => {
            let mut send = |out: &mut Vec<u8>| {
                line.write(out).map_err(|_| Trouble::Line)?;
                out.clear();
                Ok(())
            };
            answer.octets_in_pieces(label, &octets, &mut send)
        }
        octets => {
            answer.octets(label, octets.as_deref());
            Ok(())
        }
    }
}

fn cut(octets: Cow<'_, [u8]>, partial: Option<(u32, u32)>) -> Cow<'_, [u8]> {
    let Some((from, count)) = partial else { return octets };
    let range = |octets: &[u8]| {
        let from = (from as usize).min(octets.len());
        from..from.saturating_add(count as usize).min(octets.len())
    };
    match octets {
        Cow::Borrowed(octets) => Cow::Borrowed(octets.get(range(octets)).unwrap_or_default()),
        Cow::Owned(octets) => Cow::Owned(octets.get(range(&octets)).unwrap_or_default().to_vec()),
    }
}

pub(super) fn moment(row: &Row) -> Moment {
    let seconds = (row.received.at_ms() / 1_000).cast_signed();
    Moment { seconds, zone_minutes: row.received.zone_minutes() }
}
