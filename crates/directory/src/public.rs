//! What everybody may know of a domain, and what a list's token opens: asked by `pages`.

use crate::changes::{Changes, refused};
use crate::tables::{DomainRow, Tables};
use crate::{Desk, Fault};
use rows::RowKey;
use std::time::Instant;
use wire::directory::ToAdmin;
use wire::lists::Word;
use wire::pages::{
    FromPages, Hosted, MAX_AGE_SECONDS, Subscription, TOKEN_BYTES, ToPages, TransportMode,
    TransportPolicy, masked,
};

/// RFC 1035 §2.3.4.
const NAME_BYTES: usize = 253;

impl Desk {
    pub(crate) fn answer_pages(&mut self, question: FromPages) -> ToPages {
        match question {
            FromPages::Domain(name) => self.hosted(&name),
            FromPages::Unsubscribe { token } if token.len() > TOKEN_BYTES => ToPages::Unknown,
            FromPages::Unsubscribe { token } => self.unsubscribe(&token),
            FromPages::Subscription { token } if token.len() > TOKEN_BYTES => ToPages::Unknown,
            FromPages::Subscription { token } => self.subscription(&token),
            FromPages::Held { token, .. } if token.len() > TOKEN_BYTES => ToPages::Unknown,
            FromPages::Held { token, is_theirs } => self.hear_person(&token, is_theirs),
        }
    }

    fn hosted(&self, name: &str) -> ToPages {
        let Some(key) = &self.key else { return ToPages::Later };
        if name.len() > NAME_BYTES {
            return ToPages::Domain(None);
        }
        match self.tables.hosted(key, name) {
            Ok(hosted) => ToPages::Domain(hosted),
            Err(fault) => {
                compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
                ToPages::Later
            }
        }
    }

    fn subscription(&mut self, token: &[u8]) -> ToPages {
        match self.changes().map(|change| change.subscription(token)) {
            Some(Ok(found)) => found,
            Some(Err(_)) | None => ToPages::Later,
        }
    }

    fn unsubscribe(&mut self, token: &[u8]) -> ToPages {
        self.next_letters = Instant::now();
        match self.changes().map(|mut change| change.unsubscribe(token)) {
            Some(Ok(answer)) => answer,
            Some(Err(fault)) => {
                compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
                ToPages::Later
            }
            None => ToPages::Later,
        }
    }
}

impl Tables {
    pub fn hosted(&self, key: &RowKey, name: &str) -> Result<Option<Hosted>, Fault> {
        let Some(row) = self.domain_row(key, name)? else { return Ok(None) };
        let reads_elsewhere = self.gateway(key, name)?.is_some();
        Ok(Some(Hosted { transport: row.transport, reads_elsewhere }))
    }
}

impl Changes<'_> {
    /// What a token would end.
    pub fn subscription(&self, said: &[u8]) -> Result<ToPages, Fault> {
        let meant = self.tables.meant(self.key, Word::Unsubscribe, said)?;
        let Some((_, _, member)) = meant else { return self.over_or_unknown(said) };
        let Some((_, list)) = self.tables.list(self.key, &member.list)? else {
            return Ok(ToPages::Unknown);
        };
        let (name, member) = (list.name, masked(&member.address));
        Ok(ToPages::Subscription(Subscription { name, list: list.address, member }))
    }

    /// What a domain asks of those who send to it.
    pub fn change_transport(
        &mut self,
        domain: &str,
        mode: Option<TransportMode>,
        max_age_seconds: Option<u32>,
    ) -> Result<ToAdmin, Fault> {
        let (name, of) = match self.domain_of_house(domain)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        let Some(row) = self.tables.domain_row(self.key, &name)? else {
            return Ok(refused("a domain of this house", &name, "see `domain list`"));
        };
        let transport = TransportPolicy {
            mode: mode.unwrap_or(row.transport.mode),
            max_age_seconds: max_age_seconds.unwrap_or(row.transport.max_age_seconds),
        };
        if !MAX_AGE_SECONDS.contains(&transport.max_age_seconds) {
            let found = transport.max_age_seconds.to_string();
            let hint = "1209600 (two weeks) is usual; a day to a year is possible";
            return Ok(refused("86400 to 31557600 seconds", &found, hint));
        }
        if transport.is_weaker_than(row.transport)
            && let Some(answer) = self.unless_agreed(of, None)
        {
            return Ok(answer);
        }
        self.friends.record_change(of, None, "domain.mta-sts")?;
        let row = DomainRow { transport, ..row };
        self.tables.change_domain(self.key, &row)?;
        let tenant = self.tenant_name(of)?;
        Ok(ToAdmin::Domain(self.told_domain(row, of, tenant)?))
    }
}
