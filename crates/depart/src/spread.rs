//! A list's mail, spread to its members: one message for the queue, its text sealed once, with an
//! envelope for each member. The members are the directory's to tell, against the permit that
//! was given for this very list when its author was found to be one who may post.
//!
//! Nothing that is signed is altered: the fields of the list stand on top. What differs from member
//! to member (how to leave, and our signature over that) is put there when the copy leaves.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle, Taken};
use crate::finish;
use crate::neighbours::{Neighbours, Who, canonical};
use crate::onward::hand_over;
use copies::Leaving;
use notice::Reason;
use notice::list::phrase;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use terms::{Kind, MessageId, UserId};
use wire::control::Report;
use wire::directory::{FromDepart, ToDepart};
use wire::lists::{self, Answer, Copy, MEMBERS, PAGE, Page, Posting, Question};
use wire::post::{self, Envelope, Finish, Hop, Load, Receiver, Route, ToSender};

/// A page of members, each followed to where their mail goes.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(20);
/// Copies of one message in the queue.
const COPIES: usize = terms::RECIPIENTS;
/// Pages of the largest list, and one that is the end.
const PAGES: usize = MEMBERS / PAGE + 1;
/// Next hops in one question.
const ROUTES: usize = 1_000;
const NOBODY: UserId = UserId([0; 8]);

/// Everybody to whom a message goes.
struct Members {
    name: String,
    posting: Posting,
    copies: Vec<Copy>,
}

/// Gives the leg its fate.
pub(crate) fn spread(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) {
    let Some(list) = leg.receiver(0).map(|receiver| receiver.address.clone()) else { return };
    let fate = match lists::word(&list) {
        Some(_) => hear(list, house),
        None => spread_by_its_own(&list, leg, hands, house),
    };
    let fate = fate.unwrap_or_else(|fault| {
        house.report(&Report::Note { text: format!("depart: {fault}") });
        Fate::Left(Some(Obstacle::ours("it could not be spread")))
    });
    leg.settle(|| fate.clone());
}

/// A word about a subscription, from one of our own people.
fn hear(address: String, house: &mut Neighbours) -> Result<Fate, Fault> {
    match house.ask_list(Question::Unsubscribe { address })? {
        Answer::Done => Ok(taken()),
        Answer::Unknown => {
            let over = Obstacle::answered((5, 1, 1), "this subscription is over");
            Ok(Fate::Failed(over.because(Reason::UserUnknown)))
        }
        _ => Err(Fault::Away("directory")),
    }
}

fn taken() -> Fate {
    Fate::Sent(Taken { remote: None, answer: None, tells_itself: false, met: None })
}

/// A list's mail is spread by its own tenant: it has the keys that sign, and the ways out.
fn spread_by_its_own(
    list: &str,
    leg: &mut Leg,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Fate, Fault> {
    let receiver = leg.receiver(0).cloned();
    match canonical(list).map(|address| house.who_is(&address)).zip(receiver) {
        Some((Who::Known(statement), receiver)) if statement.tenant != hands.hand.tenant() => {
            hand_over(leg, &receiver, &statement, hands, house)
        }
        Some((Who::Later, _)) => Err(Fault::Away("directory")),
        _ => spread_to(list, leg, hands, house),
    }
}

fn spread_to(
    list: &str,
    leg: &mut Leg,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Fate, Fault> {
    let Finish::Spread { permit } = leg.envelope.finish else {
        return Err(Fault::Strange { peer: "an envelope" });
    };
    let Some(members) = members(list, permit, house)? else {
        let gone = Obstacle::answered((5, 1, 1), "there is no such list any more");
        return Ok(Fate::Failed(gone.because(Reason::UserUnknown)));
    };
    let text = leg.text(hands, house)?;
    let domain = list.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default().to_owned();
    // What was found when it came is sealed once for all, below the list's own fields.
    let seal = finish::on_top(&Finish::Seal { domain: domain.clone() }, &text, house)?;
    let added = fields(list, &members) + &seal;
    let routes = routes(&members.copies, house)?;
    for (number, copies) in members.copies.chunks(COPIES).enumerate() {
        let mut legs = Vec::with_capacity(copies.len());
        for copy in copies {
            let route = routes.get(&copy.hop).copied().ok_or(Fault::Away("directory"))?;
            legs.push((envelope(copy, (leg, &added, &domain), house), route));
        }
        let leaving = Leaving {
            tenant: hands.hand.tenant(),
            user: NOBODY,
            message: copy_id(leg, number),
            transit: &hands.hand.transit(),
            at_ms: compartment::now_ms(),
            added: added.as_bytes(),
            bytes: text.len(),
        };
        let (outgoing, held) = copies::leave::<Fault>(&leaving, &legs, |push| {
            text.each_piece(|piece| push(piece).map_err(Fault::Copies))
        })?;
        match house.ask_post(&post::FromDepart::Queue(Box::new(outgoing)), &held) {
            Ok(ToSender::Queued) => {}
            _ => return Err(Fault::Away("post")),
        }
    }
    Ok(taken())
}

/// Under the same id it stands in the queue once, however often it is spread; and whoever asks what
/// became of the post finds it by that.
fn copy_id(leg: &Leg, number: usize) -> MessageId {
    let Load { message, leg, .. } = &leg.load;
    MessageId(trace::copies(&message.to_string(), *leg, number))
}

/// Everybody, once: somebody whose mail is reached by two addresses gets one copy. `None`: there is
/// no such list, or it was not ours to spread to.
fn members(list: &str, permit: [u8; 16], house: &mut Neighbours) -> Result<Option<Members>, Fault> {
    let mut members: Option<Members> = None;
    let mut known = HashSet::new();
    let mut people: HashSet<UserId> = HashSet::new();
    let mut after = None;
    for _ in 0..PAGES {
        let question = Question::Copies { list: list.to_owned(), permit, after };
        let page = match house.ask_list(question)? {
            Answer::Copies(page) => page,
            Answer::Unknown => return Ok(None),
            _ => return Err(Fault::Away("directory")),
        };
        let Page { name, posting, copies, next } = *page;
        let all = members.get_or_insert(Members { name, posting, copies: Vec::new() });
        for copy in copies {
            let is_had = !copy.users.is_empty() && copy.users.iter().all(|of| people.contains(of));
            if !is_had && known.insert(terms::folded_local(&copy.to)) {
                people.extend(copy.users.iter().copied());
                all.copies.push(copy);
            }
        }
        match next {
            Some(place) => after = Some(place),
            None => break,
        }
    }
    Ok(members)
}

/// RFC 2369, RFC 2919; nothing of them is any member's own.
fn fields(list: &str, members: &Members) -> String {
    let owner = lists::owner(list);
    let post = match members.posting {
        Posting::Owners => "NO (the owners' alone)".to_owned(),
        Posting::Members | Posting::Anyone => format!("<mailto:{}>", in_uri(list)),
    };
    format!(
        "List-Id: {} <{}>\r\nList-Post: {post}\r\nList-Help: <mailto:{owner}?subject=help>\r\n\
         List-Owner: <mailto:{owner}>\r\nPrecedence: list\r\n",
        phrase(&members.name),
        list_id(list),
        owner = in_uri(&owner),
    )
}

/// RFC 2919 §2: the list's name as a label of its domain.
fn list_id(list: &str) -> String {
    let (local, domain) = list.rsplit_once('@').unwrap_or((list, ""));
    let spelled = local.bytes().fold(String::new(), |label, octet| match octet {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => label + &char::from(octet).to_string(),
        _ => format!("{label}={octet:02x}"),
    });
    format!("{spelled}.{domain}")
}

/// RFC 6068 §2: an address in a `mailto:`.
fn in_uri(address: &str) -> String {
    address.bytes().fold(String::new(), |uri, octet| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'@' | b'~' | b'\'' => {
            uri + &char::from(octet).to_string()
        }
        _ => format!("{uri}%{octet:02X}"),
    })
}

fn routes(copies: &[Copy], house: &mut Neighbours) -> Result<HashMap<Hop, Route>, Fault> {
    let hops: HashSet<&Hop> = copies.iter().map(|copy| &copy.hop).collect();
    let hops: Vec<Hop> = hops.into_iter().cloned().collect();
    let mut routes = HashMap::with_capacity(hops.len());
    for hops in hops.chunks(ROUTES) {
        routes.extend(hops.iter().cloned().zip(house.routes(hops)?));
    }
    Ok(routes)
}

fn envelope(copy: &Copy, (leg, added, domain): (&Leg, &str, &str), house: &Neighbours) -> Envelope {
    let pages = house.pages_url();
    let link = match pages.is_empty() {
        true => String::new(),
        false => wire::pages::unsubscribe_url(pages, &copy.token),
    };
    let posted = &leg.envelope;
    Envelope {
        from: copy.from.clone(),
        hop: copy.hop.clone(),
        recipients: vec![Receiver { address: copy.to.clone(), notify: None, original: None }],
        returns_all: Some(false),
        envelope_id: None,
        require_tls: posted.require_tls,
        has_eight_bits: posted.has_eight_bits || !added.is_ascii(),
        needs_utf8: posted.needs_utf8 || !copy.to.is_ascii(),
        found: posted.found.clone(),
        heard: Vec::new(),
        heedless: posted.heedless,
        finish: Finish::Copy { domain: domain.to_owned(), mail: copy.unsubscribe.clone(), link },
    }
}

/// Of a member's copy its writer is not told: the directory counts it, because there is no such
/// address, or for another reason, of which the list's owners hear.
pub(crate) fn tell_returned(leg: &Leg, house: &mut Neighbours) -> Result<(), Fault> {
    if !matches!(leg.envelope.finish, Finish::Copy { .. }) {
        return Ok(());
    }
    let failed = leg.fates.iter().find_map(|fate| match fate {
        Fate::Failed(obstacle) => Some(obstacle),
        Fate::Left(_) | Fate::Sent(_) => None,
    });
    let Some(obstacle) = failed else { return Ok(()) };
    let address = leg.envelope.from.clone();
    let question = match obstacle.reason() {
        lost if lost.is_lost() => Question::Returned { address },
        // The house's own people decided that it does not go.
        Reason::Cancelled | Reason::Unreleased => return Ok(()),
        // Why it waited until then says more.
        reason => {
            let why = obstacle.last.unwrap_or(reason).word().to_owned();
            Question::Undelivered { address, why }
        }
    };
    match house.ask_list(question)? {
        // The subscription is over: nothing is to be counted.
        Answer::Done | Answer::Unknown => Ok(()),
        _ => Err(Fault::Away("directory")),
    }
}

impl Neighbours {
    fn ask_list(&mut self, question: Question) -> Result<Answer, Fault> {
        match self.ask(Kind::Directory, &FromDepart::List(question), DIRECTORY_LIMIT)? {
            ToDepart::List(answer) => Ok(answer),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Members, fields, in_uri, list_id};
    use wire::lists::Posting;

    #[test]
    fn a_list_says_what_it_is() {
        let check = |posting, expected: &str| {
            let members = Members { name: "Kaede, News".into(), posting, copies: Vec::new() };
            assert_eq!(fields("news@kaede.example", &members), expected);
        };
        let name = "=?UTF-8?B?S2FlZGUsIE5ld3M=?=";
        let rest = "List-Help: <mailto:news-owner@kaede.example?subject=help>\r\n\
            List-Owner: <mailto:news-owner@kaede.example>\r\nPrecedence: list\r\n";
        let id = format!("List-Id: {name} <news.kaede.example>\r\n");
        check(Posting::Members, &format!("{id}List-Post: <mailto:news@kaede.example>\r\n{rest}"));
        check(Posting::Owners, &format!("{id}List-Post: NO (the owners' alone)\r\n{rest}"));
    }

    #[test]
    fn odd_names_are_spelled() {
        assert_eq!(list_id("葵@kaede.example"), "=e8=91=b5.kaede.example");
        assert_eq!(in_uri("a&b?c@kaede.example"), "a%26b%3Fc@kaede.example");
    }
}
