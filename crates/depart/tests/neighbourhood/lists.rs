//! What the played directory knows of lists, forwards and groups.

use super::{OTHER, SENDER, TENANT};
use terms::{TenantId, UserId};
use wire::directory::{Onward, Path};
use wire::lists::{Answer, Copy, Page, Posting, Question};
use wire::post::Hop;

pub const LIST: &str = "news@here.example";
pub const PERMIT: [u8; 16] = [9; 16];

pub const THEIR_LIST: &str = "club@other.example";

pub fn return_path(from: &str, domain: &str) -> String {
    let (local, sender) = from.rsplit_once('@').unwrap();
    format!("SRS0=back=tt={sender}={local}@{domain}")
}

/// Where addresses lead on, and whose they are.
pub fn onward(address: &str) -> Option<(TenantId, Vec<Onward>)> {
    let way = |user: u8, to: &str, hop: Hop, path| Onward {
        user: UserId([user; 8]),
        to: to.to_owned(),
        hop,
        path,
    };
    let there = || Hop::Domain("there.example".to_owned());
    let private = || way(2, "private@there.example", there(), Path::Rewritten);
    let group = || {
        let gone = way(0, "gone@there.example", there(), Path::Rewritten);
        vec![gone, private(), way(0, "cy@here.example", Hop::Here, Path::Rewritten)]
    };
    Some(match address {
        "forward@here.example" => (TENANT, vec![private()]),
        "group@here.example" => (TENANT, group()),
        "forward@other.example" => (OTHER, vec![private()]),
        THEIR_LIST => (OTHER, vec![way(0, THEIR_LIST, Hop::List, Path::List)]),
        "srs0=back=tt=here.example=aoi@here.example" => {
            assert_eq!(SENDER, UserId([1; 8]));
            (TENANT, vec![way(0, "aoi@here.example", Hop::Here, Path::Null)])
        }
        _ => return None,
    })
}

/// Returned mail is counted, one subscription can be left, and a list is told in two pages.
pub fn answer(question: &Question) -> Answer {
    let outside = || Hop::Domain("there.example".to_owned());
    let here = |users: &[u8]| users.iter().map(|user| UserId([*user; 8])).collect::<Vec<_>>();
    match question {
        Question::Copies { list, permit, after } if list == LIST && *permit == PERMIT => {
            let (copies, next) = match after {
                None => (
                    vec![
                        copy("bob@there.example", outside(), Vec::new()),
                        copy("cy@here.example", Hop::Here, here(&[5])),
                    ],
                    Some([1; 16]),
                ),
                Some(_) => (
                    vec![
                        copy("BOB@there.example", outside(), Vec::new()),
                        copy("cy.alias@here.example", Hop::Here, here(&[5])),
                        copy("dee@there.example", outside(), Vec::new()),
                    ],
                    None,
                ),
            };
            let (name, posting) = ("かえで通信".to_owned(), Posting::Members);
            Answer::Copies(Box::new(Page { name, posting, copies, next }))
        }
        Question::Unsubscribe { address } if address.contains("-aaa") => Answer::Done,
        Question::Returned { .. } | Question::Undelivered { .. } => Answer::Done,
        _ => Answer::Unknown,
    }
}

fn copy(to: &str, hop: Hop, users: Vec<UserId>) -> Copy {
    let local = to.split('@').next().unwrap();
    Copy {
        to: to.to_owned(),
        hop,
        users,
        from: format!("bounce-{local}@here.example"),
        unsubscribe: format!("unsubscribe-{local}@here.example"),
        token: local.as_bytes().to_vec(),
    }
}
