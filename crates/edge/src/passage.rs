//! What is asked for mail that is passed on: return paths, routes, and the queue.

use crate::Fault;
use crate::neighbours::{DIRECTORY_LIMIT, KEEP_LIMIT, Neighbours, Queued};
use crate::onward::Parting;
use std::time::Duration;
use terms::{Kind, TenantId, UserId};
use wire::directory::{FromEdge, ToEdge};
use wire::lists::{Answer, Question};
use wire::post::{FromSender, Hop, Limits, Route, ToSender};

/// The queue only counts.
const COUNT_LIMIT: Duration = Duration::from_secs(4);

impl Neighbours {
    /// The return path for mail of this sender that is passed on for a domain of ours.
    pub(crate) fn return_path(&mut self, from: &str, domain: &str) -> Result<String, Fault> {
        let question = FromEdge::ReturnPath { from: from.to_owned(), domain: domain.to_owned() };
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)? {
            ToEdge::ReturnPath(Some(path)) => Ok(path),
            ToEdge::ReturnPath(None) => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// The tokens of these next hops, in their order.
    pub(crate) fn routes(&mut self, hops: &[Hop]) -> Result<Vec<Route>, Fault> {
        let question = FromEdge::Routes(hops.iter().map(Hop::word).collect());
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)? {
            ToEdge::Routes(Some(tokens)) if tokens.len() == hops.len() => {
                Ok(tokens.into_iter().map(Route).collect())
            }
            ToEdge::Routes(None) => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// The way outside to an address, as this tenant's mail goes.
    pub(crate) fn way(&mut self, tenant: TenantId, to: &str) -> Result<Hop, Fault> {
        let question = FromEdge::Way(tenant, to.to_owned());
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)? {
            ToEdge::Way(Some(hop)) => Ok(hop),
            ToEdge::Way(None) => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// What the directory says of a list, or makes of a word about one.
    pub(crate) fn ask_list(&mut self, question: Question) -> Result<Answer, Fault> {
        match self.ask(Kind::Directory, &FromEdge::List(question), DIRECTORY_LIMIT)? {
            ToEdge::List(answer) => Ok(answer),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// Hands a message to the queue; `Yes` means durable. Asked again after an answer that never
    /// came, the queue knows it by its id and it stands there once.
    pub(crate) fn queue(&mut self, parting: &Parting) -> Queued {
        let question = FromSender::Queue(Box::new(parting.outgoing.clone()));
        match self.ask_beside(Kind::Post, (&question, &parting.held), KEEP_LIMIT) {
            Ok(ToSender::Queued | ToSender::QueuedAndMay) => Queued::Yes,
            Ok(ToSender::Full) => Queued::Full,
            Ok(ToSender::Crowded) => Queued::Crowded,
            _ => Queued::No,
        }
    }

    /// Whether one more may leave in this person's name now.
    pub(crate) fn may_send(&mut self, user: UserId, limits: Limits) -> bool {
        let question = FromSender::May { user, recipients: 1, limits };
        matches!(self.ask(Kind::Post, &question, COUNT_LIMIT), Ok(ToSender::May(None)))
    }
}
