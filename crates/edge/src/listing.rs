//! Mail for a list: may its author post, and what words about a subscription mean.
//!
//! Who may not post hears why in words that are the same for everybody: whether an address is a
//! member's is nobody's to learn by writing in its name.

use crate::addressee::Fare;
use crate::arrival::{Examined, Received, try_later};
use crate::judgement::Judged;
use crate::neighbours::Neighbours;
use policy::{Authentication, DmarcPolicy, Outcome};
use smtp::Reply;
use wire::lists::{self, Answer, May, Question};

/// A word about a list's subscription.
pub(crate) struct Word {
    word: lists::Word,
    address: String,
}

impl Word {
    /// It stands alone in its envelope.
    pub(crate) fn of(received: &Received) -> Option<Self> {
        let addressee = received.offered.addressees.first()?;
        let word = (addressee.fare() == Fare::Word).then(|| lists::word(&addressee.address));
        Some(Self { word: word.flatten()?, address: addressee.address.clone() })
    }

    /// The token is the authority, whoever writes; nothing of the message is kept.
    pub(crate) fn hear(self, examined: &Examined, house: &mut Neighbours) -> Reply {
        let Self { word, address } = self;
        let question = match word {
            lists::Word::Unsubscribe => Question::Unsubscribe { address },
            lists::Word::Returned => {
                let header = examined.seen.header.as_ref();
                if !header.is_some_and(|header| header.is_lost) {
                    return Reply::new(250, (0, 0), "noted");
                }
                Question::Returned { address }
            }
        };
        match (word, house.ask_list(question)) {
            (lists::Word::Unsubscribe, Ok(Answer::Done)) => {
                Reply::new(250, (0, 0), "you are no longer a member of this list")
            }
            (_, Ok(Answer::Done)) => Reply::new(250, (0, 0), "noted"),
            (_, Ok(Answer::Unknown)) => {
                Reply::new(550, (1, 1), "this subscription is over; nothing was changed")
            }
            (_, Ok(_)) => try_later(house, "the directory takes no word about a subscription"),
            (_, Err(fault)) => try_later(house, &fault.to_string()),
        }
    }
}

/// Why a message for a list is not spread. `None`: it is, or it is for none.
pub(crate) fn weigh_posting(judged: &mut Judged, house: &mut Neighbours) -> Option<Reply> {
    let addressee = judged.received.offered.addressees.first()?;
    if addressee.fare() != Fare::List {
        return None;
    }
    let list = addressee.address.clone();
    let header = judged.seen.header.as_ref();
    // RFC 3834 §2, and RFC 2919 of other lists' mail, this one's too: what no person wrote to
    // it could turn in a circle.
    if header.is_none_or(|header| header.is_automatic) {
        let words = "a mailing list takes no mail of programs or of other lists";
        return Some(Reply::new(550, (7, 1), words));
    }
    let facts = judged.authentication.as_ref();
    if facts.is_some_and(would_be_refused_elsewhere) {
        let words = "your domain's DMARC policy wants its signature (DKIM), which is missing: \
                     members could not be given this message";
        return Some(Reply::new(550, (7, 26), words));
    }
    let author = author(judged);
    let bytes = judged.kept_bytes();
    match house.ask_list(Question::MayPost { list, author, bytes }) {
        Ok(Answer::May(May::Yes { permit })) => {
            judged.permit = Some(permit);
            None
        }
        Ok(Answer::May(May::No)) => {
            let words = "not everybody may post to this list: write from an address that may, with \
                         mail that is proven to be its own (DMARC)";
            Some(Reply::new(550, (7, 2), words))
        }
        Ok(Answer::May(May::TooLarge { limit })) => {
            let words = format!("this list spreads messages of at most {limit} octets");
            Some(Reply::new(552, (3, 4), words))
        }
        Ok(Answer::Unknown) => Some(Reply::new(550, (1, 1), "nobody of that name here")),
        Ok(_) => Some(try_later(house, "the directory says nothing of a list")),
        Err(fault) => Some(try_later(house, &fault.to_string())),
    }
}

/// It comes from us to the members, and what proved it here, its own server's address, is missing.
fn would_be_refused_elsewhere(facts: &Authentication) -> bool {
    !facts.author_signed && facts.dmarc_policy != DmarcPolicy::None
}

/// The author, if the message is proven to be theirs.
fn author(judged: &Judged) -> Option<String> {
    let facts = judged.authentication.as_ref()?;
    let author = judged.seen.header.as_ref().map(|header| header.author.as_str())?;
    let (_, domain) = author.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(&facts.from_domain) {
        return None;
    }
    let from = judged.received.offered.from.as_ref();
    let is_by_server = facts.spf == Outcome::Pass
        && from.is_some_and(|from| from.domain().eq_ignore_ascii_case(domain));
    let is_proven = match facts.dmarc {
        Outcome::Pass => true,
        // A domain without a policy: what DMARC would have aligned.
        Outcome::None => facts.author_signed || is_by_server,
        _ => false,
    };
    is_proven.then(|| author.to_owned())
}
