//! Mail is signed: for the tenant that a domain's keys were made for, and for nobody else.

use crate::Fault;
use crate::mail_keys::{KeptKeys, OpenKeys, Stage};
use crate::mail_shape::{Asked, is_mail_header};
use crate::signer::Signer;
use evidence::{Body, Word};
use std::collections::HashMap;
use terms::{Kind, TenantId};
use wire::Label;
use wire::signer::{FromSigner, SIGNATURES, ToSigner};

/// Domains whose keys are open at once; others are opened when they are asked for.
const OPEN_DOMAINS: usize = 1_024;
/// Questions of one dispatch: it serves one session of 10,000 commands, at least three a message,
/// and asks for each message's keys and up to four signatures.
const QUESTIONS: u32 = 20_000;
/// And of one depart: it carries for ten minutes, and for each letter that it signs it asks for the
/// keys and up to three signatures. More than this signer makes for all in that time.
const DEPART_QUESTIONS: u32 = 100_000;
/// RFC 1035 §2.3.4, without the final dot.
const NAME_OCTETS: usize = 253;
/// Pairs of one domain: they fit into its file many times over.
const PAIRS: usize = 8;
/// What entries call these keys.
pub(crate) const WHAT: &str = "mail-key";

/// Keys in use, by domain, each with the moment of its last use.
#[derive(Default)]
pub(crate) struct OpenDomains {
    open: HashMap<String, (OpenKeys, u64)>,
    uses: u64,
}

impl OpenDomains {
    fn put(&mut self, domain: &str, keys: OpenKeys) {
        if self.open.len() >= OPEN_DOMAINS
            && let Some(oldest) = self.open.iter().min_by_key(|(_, (_, used))| *used)
        {
            let oldest = oldest.0.clone();
            self.open.remove(&oldest);
        }
        self.open.insert(domain.to_owned(), (keys, self.uses));
    }

    pub fn forget(&mut self, domain: &str) {
        self.open.remove(domain);
    }

    fn used(&mut self, domain: &str) -> Option<&OpenKeys> {
        self.uses += 1;
        let (keys, used) = self.open.get_mut(domain)?;
        *used = self.uses;
        Some(keys)
    }
}

impl Signer {
    pub(crate) fn mail(&mut self, label: &Label, asked: ToSigner) -> FromSigner {
        // Each signature counts, however many are asked for at once.
        let questions = match &asked {
            ToSigner::SignMailByAll { asked, .. } => asked.len().max(1),
            _ => 1,
        };
        let most = match label.kind {
            Kind::Dispatch => QUESTIONS,
            Kind::Depart => DEPART_QUESTIONS,
            _ => u32::MAX,
        };
        if most < u32::MAX && !(0..questions).all(|_| self.may_ask(label, most)) {
            return FromSigner::Refused;
        }
        let answer = match (label.kind, asked) {
            (Kind::Dispatch | Kind::Depart, ToSigner::MailKeys { domain }) => {
                self.mail_keys(label, &domain)
            }
            (Kind::Dispatch | Kind::Depart, ToSigner::SignMail { domain, selector, canonical }) => {
                self.sign_mail(label, &domain, &selector, &canonical)
            }
            (Kind::Dispatch, ToSigner::SignMailByAll { domain, asked }) => {
                self.sign_mail_by_all(label, &domain, &asked)
            }
            (Kind::Admin, ToSigner::MakeMailKeys { tenant, domain }) => {
                self.make_mail_keys(tenant, &domain)
            }
            (Kind::Admin, ToSigner::RotateMailKeys { domain, retire }) => {
                self.rotate_mail_keys(&domain, retire)
            }
            (Kind::Directory, of_ends) => self.of_ends(of_ends),
            _ => {
                self.alarm(format!("{} asked for what is not its own", label.kind.word()));
                Ok(None)
            }
        };
        match answer {
            Ok(answer) => answer.unwrap_or(FromSigner::Refused),
            Err(fault) => {
                self.alarm(fault.to_string());
                FromSigner::Refused
            }
        }
    }

    /// Whether an instance has asked no more than its work can need; told once if it has.
    fn may_ask(&mut self, label: &Label, most: u32) -> bool {
        let asked = self.asked_of.entry(label.instance).or_default();
        *asked = asked.saturating_add(1);
        let asked = *asked;
        if asked == most.saturating_add(1) {
            let (kind, instance) = (label.kind.word(), label.instance);
            self.alarm(format!("{kind} {instance} asks for more than a session needs"));
        }
        asked <= most
    }

    fn mail_keys(&mut self, label: &Label, domain: &str) -> Result<Option<FromSigner>, Fault> {
        if !self.open_domain(domain)? && self.storage().is_some() {
            return Ok(Some(FromSigner::MailKeys(Vec::new())));
        }
        Ok(self.own_keys(label, domain)?.map(|keys| FromSigner::MailKeys(keys.keys())))
    }

    fn sign_mail(
        &mut self,
        label: &Label,
        domain: &str,
        selector: &str,
        canonical: &[u8],
    ) -> Result<Option<FromSigner>, Fault> {
        let Some(keys) = self.own_keys(label, domain)? else { return Ok(None) };
        let tenant = keys.tenant;
        // A pair may have been forgotten since it was named.
        let Some(algorithm) = keys.algorithm(selector) else { return Ok(None) };
        if !is_mail_header(canonical, Asked { domain, selector, algorithm }) {
            self.alarm(format!(
                "{} {} asked to sign what is no header of its own",
                label.kind.word(),
                label.instance
            ));
            return Ok(None);
        }
        let Some(signature) = keys.sign(selector, canonical) else { return Err(Fault::Key) };
        self.count_use(label, WHAT, selector, Some(tenant));
        Ok(Some(FromSigner::Signature(signature)))
    }

    fn sign_mail_by_all(
        &mut self,
        label: &Label,
        domain: &str,
        asked: &[(String, Vec<u8>)],
    ) -> Result<Option<FromSigner>, Fault> {
        if asked.len() > SIGNATURES {
            return Ok(None);
        }
        let mut signatures = Vec::with_capacity(asked.len());
        for (selector, canonical) in asked {
            match self.sign_mail(label, domain, selector, canonical)? {
                Some(FromSigner::Signature(signature)) => signatures.push(signature),
                _ => return Ok(None),
            }
        }
        Ok(Some(FromSigner::Signatures(signatures)))
    }

    /// The keys of a domain for one of its own tenant's instances.
    fn own_keys(&mut self, label: &Label, domain: &str) -> Result<Option<&OpenKeys>, Fault> {
        if !self.open_domain(domain)? {
            return Ok(None);
        }
        let tenant = self.open_domains.open.get(domain).map(|(keys, _)| keys.tenant);
        if label.person.map(|(tenant, _)| tenant) != tenant {
            self.alarm(format!(
                "{} {} asked for another tenant's mail keys",
                label.kind.word(),
                label.instance
            ));
            return Ok(None);
        }
        Ok(self.open_domains.used(domain))
    }

    /// Whether there are keys; they are open then.
    fn open_domain(&mut self, domain: &str) -> Result<bool, Fault> {
        if self.open_domains.open.contains_key(domain) {
            return Ok(true);
        }
        let Some(kept) = self.kept_keys(domain)? else { return Ok(false) };
        self.open_domains.put(domain, OpenKeys::open(&kept)?);
        Ok(true)
    }

    pub(crate) fn kept_keys(&self, domain: &str) -> Result<Option<KeptKeys>, Fault> {
        match self.storage() {
            Some(key) if is_domain(domain) => self.store().mail_keys(domain, key),
            _ => Ok(None),
        }
    }

    // --- what an operator does

    fn make_mail_keys(
        &mut self,
        tenant: TenantId,
        domain: &str,
    ) -> Result<Option<FromSigner>, Fault> {
        if !is_domain(domain) {
            return Ok(None);
        }
        let kept = self.kept_keys(domain)?;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.tenant == tenant) {
            return records(kept);
        }
        // A domain that went to another tenant gets keys of its own: nothing that the first
        // tenant's mail was signed with signs the second's.
        let forgotten = self.store().last_forgotten()?;
        let last = kept.as_ref().map_or(0, |kept| kept.last).max(forgotten);
        let fresh = KeptKeys::new(domain, tenant, last)?;
        self.keep_keys(&fresh)?;
        for pair in kept.iter().flat_map(|kept| &kept.pairs) {
            let tenant = kept.as_ref().map(|kept| kept.tenant);
            let (what, epoch) = (Word::new(WHAT), pair.number.into());
            self.record(Body::KeyShred { what, epoch, tenant, user: None });
        }
        let (what, epoch) = (Word::new(WHAT), fresh.last.into());
        self.record(Body::KeyCreate { what, epoch, tenant: Some(tenant), user: None });
        records(&fresh)
    }

    fn rotate_mail_keys(
        &mut self,
        domain: &str,
        retire: bool,
    ) -> Result<Option<FromSigner>, Fault> {
        let Some(mut kept) = self.kept_keys(domain)? else { return Ok(None) };
        let tenant = Some(kept.tenant);
        let what = || Word::new(WHAT);
        if retire {
            let gone = kept.retire();
            self.keep_keys(&kept)?;
            for number in gone {
                let epoch = number.into();
                self.record(Body::KeyShred { what: what(), epoch, tenant, user: None });
            }
        } else if kept.waits() {
            kept.advance();
            self.keep_keys(&kept)?;
            let epoch = kept.last.into();
            self.record(Body::KeyRotate { what: what(), epoch, tenant, user: None });
        } else if kept.pairs.len() >= PAIRS {
            return Ok(None);
        } else {
            kept.add(Stage::Waits)?;
            self.keep_keys(&kept)?;
            let epoch = kept.last.into();
            self.record(Body::KeyCreate { what: what(), epoch, tenant, user: None });
        }
        records(&kept)
    }

    /// Durable first: a record in the DNS whose key was lost would be of no use.
    fn keep_keys(&mut self, kept: &KeptKeys) -> Result<(), Fault> {
        let key = self.storage().ok_or(Fault::Key)?;
        self.store().keep_mail_keys(key, kept)?;
        self.open_domains.put(&kept.domain, OpenKeys::open(kept)?);
        Ok(())
    }
}

fn records(kept: &KeptKeys) -> Result<Option<FromSigner>, Fault> {
    let records = OpenKeys::open(kept)?.records(&kept.domain)?;
    Ok(Some(FromSigner::MailRecords(records)))
}

/// A name in A-label form, lower case, as the directory keeps it.
pub(crate) fn is_domain(text: &str) -> bool {
    let is_letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_letter);
    text.len() <= NAME_OCTETS && text.split('.').all(is_label)
}
