//! What a customer's own server needs of us: the directory's word, and a dispatch of its tenant's.

use super::{DIRECTORY_LIMIT, Neighbours};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{Kind, TenantId};
use wire::Channel;
use wire::directory::{Admitted, FromEdge, ToEdge, Vouched, Wanted};
use wire::dispatch::{FromAccess, Submission, ToAccess};

/// A dispatch is forked and joined in milliseconds; one that is not there by now does not come.
const DISPATCH_LIMIT: Duration = Duration::from_secs(4);
/// Two scanners at their limit, and a durable commit. RFC 5321 §4.5.3.2.6 lets a client wait ten
/// minutes.
const SUBMIT_LIMIT: Duration = Duration::from_secs(4 * 60);

impl Neighbours {
    /// What a customer's server that sends from there must show; without an answer nobody is one.
    pub(crate) fn outlets(&mut self, from: IpAddr) -> Wanted {
        match self.ask(Kind::Directory, &FromEdge::Outlets(from), DIRECTORY_LIMIT) {
            Ok(ToEdge::Outlets(Some(wanted))) => wanted,
            _ => Wanted::default(),
        }
    }

    /// Whether address, certificate and secret agree, and for whom.
    pub(crate) fn admit(
        &mut self,
        (from, shown): (IpAddr, &[Vouched]),
        secret: String,
    ) -> Admitted {
        let is_gone = |channel: &Channel| matches!(channel.wait(Duration::ZERO), Ok(true) | Err(_));
        if self.channels.get(&Kind::Dispatch).is_none_or(is_gone) {
            self.forget_dispatch();
        }
        let (shown, has) = (shown.to_vec(), self.outlet);
        let question = FromEdge::Admit { from, shown, secret, has };
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT) {
            Ok(ToEdge::Admitted(admitted)) => admitted,
            _ => Admitted::Later,
        }
    }

    fn forget_dispatch(&mut self) {
        self.channels.remove(&Kind::Dispatch);
        self.outlet = None;
    }

    /// Hands a message to that tenant's dispatch. `Err`: it did not take it, or (`true`) it had
    /// everything and said nothing.
    pub(crate) fn submit(
        &mut self,
        tenant: TenantId,
        submission: Submission,
        held: &[OwnedFd],
    ) -> Result<ToAccess, bool> {
        if self.outlet != Some(tenant) {
            self.forget_dispatch();
        }
        let until = Instant::now() + DISPATCH_LIMIT;
        while self.outlet != Some(tenant) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.closing {
                return Err(false);
            }
            let _ = self.house.control.wait(left);
            self.settle();
        }
        let dispatch = self.channels.get_mut(&Kind::Dispatch).ok_or(false)?;
        let question = FromAccess::Submit(Box::new(submission));
        match dispatch.ask(&question, held, SUBMIT_LIMIT) {
            Ok((answer, _)) => Ok(answer),
            Err(_) => {
                self.forget_dispatch();
                Err(true)
            }
        }
    }
}
