//! What the played directory knows of lists.

use terms::UserId;
use wire::lists::{Answer, Copy, Page, Posting, Question};
use wire::post::Hop;

pub const LIST: &str = "news@here.example";
pub const PERMIT: [u8; 16] = [9; 16];

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
        Question::Returned { .. } => Answer::Done,
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
