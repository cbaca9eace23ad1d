//! New keys for TLS, while the old certificates are still good: after an intrusion, whoever had a
//! handshake signed may know more of the key than anybody should.

use crate::Fault;
use crate::ages::{Mark, mark};
use crate::house_names::Group;
use crate::signer::{Signer, served};
use compartment::now_ms;
use std::collections::BTreeMap;
use wire::signer::FromSigner;

/// The keys that serve, by group.
pub(crate) type Keys = BTreeMap<&'static str, Mark>;

impl Signer {
    /// Every certificate of our own authority's is issued anew, with a new key. Those that an
    /// operator brought stay: their new keys come with new certificates.
    pub(crate) fn renew(&mut self) -> FromSigner {
        if self.storage().is_none() {
            return FromSigner::Refused;
        }
        let before = self.keys_of_groups();
        let (mut renewed, mut others) = (Vec::new(), Vec::new());
        for group in Group::ALL {
            let names = group.names(self.start());
            match self.renew_group(group, &names) {
                Ok(true) => renewed.extend(names),
                Ok(false) => others.extend(names),
                Err(fault) => {
                    self.alarm(fault.to_string());
                    return FromSigner::Refused;
                }
            }
        }
        self.note_new_keys(&before, &[]);
        FromSigner::Renewed { names: renewed, others }
    }

    /// `false`: what serves there is from elsewhere.
    fn renew_group(&mut self, group: Group, names: &[String]) -> Result<bool, Fault> {
        if group == Group::Pages {
            self.close_names();
        }
        if names.is_empty() || self.is_brought(group)? {
            return Ok(false);
        }
        let Some(kept) = self.issue(names, group, now_ms())? else { return Ok(false) };
        self.keep_own(group, &kept)?;
        self.put_served(group, served(&kept)?);
        Ok(true)
    }

    /// The keys that serve now.
    pub(crate) fn keys_of_groups(&self) -> Keys {
        use aws_lc_rs::signature::KeyPair;
        let key = |group: Group| {
            let served = self.of_group(group)?;
            Some((group.word(), mark(served.key.public_key().as_ref())))
        };
        Group::ALL.into_iter().filter_map(key).collect()
    }
}
