//! Signing in, and the sessions that follow: one per instance, one person each, for good.

use crate::Fault;
use crate::friends::Friends;
use crate::marks::{DECOY_TOUCHED, Marks};
use crate::tables::{Found, Tables};
use compartment::{now_ms, random};
use evidence::{Body, Word};
use rows::RowKey;
use std::collections::{HashMap, HashSet};
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};
use wire::Peer;
use wire::control::{Purpose, Report};
use wire::identity::{FromAccess, Protocol, ToAccess, Whose};
use wire::vault::{Grant, Proven};

/// A grant's life; the session asks for the next one before.
const GRANT_MS: u64 = 15 * 60 * 1000;
/// An IMAP session's absolute end.
const SESSION_MS: u64 = 24 * 60 * 60 * 1000;
/// Wrong secrets on one connection before it is answered no more.
const TRIES: u32 = 5;
/// A session's public key; see `open`.
const SESSION_KEY_BYTES: usize = 256;
const HOUR_MS: u64 = 60 * 60 * 1000;

struct Session {
    instance: InstanceId,
    tenant: TenantId,
    user: UserId,
    look_up: String,
    grant: GrantId,
    grant_expires_ms: u64,
    public: Vec<u8>,
    ends_ms: u64,
    /// The grant's entry, as the ledger proved it.
    recorded: Option<Proven>,
    /// What it came for: its app password says so.
    purpose: Purpose,
}

/// Every live session, by the channel of its instance.
#[derive(Default)]
pub struct Sessions {
    live: HashMap<Peer, Session>,
    tries: HashMap<Peer, u32>,
    /// Connections on which a decoy was touched: nobody comes in there any more.
    burnt: HashSet<Peer>,
    /// Instances whose session was ended from here, until the warden is told.
    shut_out: Vec<InstanceId>,
}

impl Sessions {
    /// Its channel is gone.
    pub fn gone(&mut self, peer: Peer, friends: &mut Friends) {
        self.end(peer, friends);
        self.burnt.remove(&peer);
    }

    fn end(&mut self, peer: Peer, friends: &mut Friends) {
        self.tries.remove(&peer);
        if let Some(session) = self.live.remove(&peer) {
            friends.revoke(session.grant);
        }
    }

    /// Ends the sessions of a person, or of one of their app passwords.
    pub fn end_of(&mut self, user: Option<UserId>, look_up: Option<&str>, friends: &mut Friends) {
        let ended: Vec<Peer> = self
            .live
            .iter()
            .filter(|(_, session)| {
                user == Some(session.user) || look_up == Some(session.look_up.as_str())
            })
            .map(|(peer, _)| *peer)
            .collect();
        for peer in ended {
            self.shut_out.extend(self.live.get(&peer).map(|session| session.instance));
            self.end(peer, friends);
        }
    }

    /// Instances that serve nobody any more: a revoked grant opens nothing, but what is on their
    /// channels could still change and delete.
    pub fn take_shut_out(&mut self) -> Vec<InstanceId> {
        std::mem::take(&mut self.shut_out)
    }

    /// Ends the sessions of those who were frozen.
    pub fn end_whose(&mut self, whose: Whose, friends: &mut Friends) {
        let is_meant = |session: &Session| match whose {
            Whose::Person(tenant, user) => (session.tenant, session.user) == (tenant, user),
            Whose::Tenant(tenant) => session.tenant == tenant,
            Whose::Kind(kind) => kind == Kind::Access,
        };
        let live = self.live.iter().filter(|(_, session)| is_meant(session));
        let ended: Vec<Peer> = live.map(|(peer, _)| *peer).collect();
        for peer in ended {
            // Without a grant nothing opens; mail would go on leaving.
            let writes = |session: &&Session| session.purpose == Purpose::Send;
            let writer = self.live.get(&peer).filter(writes).map(|session| session.instance);
            self.shut_out.extend(writer);
            self.end(peer, friends);
        }
    }

    /// A vault that was started anew knows no grants: those still running are handed in again.
    pub fn restore(&mut self, friends: &mut Friends) {
        let now = now_ms();
        for session in self.live.values().filter(|session| session.grant_expires_ms > now) {
            if let Some(recorded) = session.recorded.clone() {
                let _ = friends.grant(session.grant(), recorded);
            }
        }
    }
}

impl Session {
    fn grant(&self) -> Grant {
        Grant {
            grant: self.grant,
            tenant: self.tenant,
            user: self.user,
            instance: self.instance,
            bodies: true,
            summaries: true,
            expires_ms: self.grant_expires_ms,
            session: self.public.clone(),
        }
    }
}

/// Where people come in.
pub struct Door<'a> {
    pub tables: &'a Tables,
    pub key: &'a RowKey,
    pub friends: &'a mut Friends,
    pub sessions: &'a mut Sessions,
    pub marks: &'a Marks,
}

impl Door<'_> {
    /// The answer to the instance, and what the warden is asked to do.
    pub fn answer(
        &mut self,
        peer: Peer,
        instance: InstanceId,
        question: FromAccess,
    ) -> (ToAccess, Option<Report>) {
        match question {
            FromAccess::SignIn { protocol, name, secret, session } => {
                self.sign_in(peer, instance, protocol, &name, &secret, session)
            }
            FromAccess::Renew { session } => (self.renew(peer, session), None),
        }
    }

    fn sign_in(
        &mut self,
        peer: Peer,
        instance: InstanceId,
        protocol: Protocol,
        name: &str,
        secret: &str,
        public: Vec<u8>,
    ) -> (ToAccess, Option<Report>) {
        let tries = self.sessions.tries.entry(peer).or_default();
        *tries += 1;
        if *tries > TRIES || public.len() > SESSION_KEY_BYTES {
            return (ToAccess::Refused, None);
        }
        match self.decoy(name, secret) {
            Ok(None) => {}
            Ok(Some(decoy)) => {
                self.sessions.burnt.insert(peer);
                let answer = self.turn_away(instance, protocol, decoy);
                return match self.revoke_session(peer) {
                    Ok(()) => answer,
                    Err(_) => (ToAccess::Later, answer.1),
                };
            }
            Err(_) => return (ToAccess::Later, None),
        }
        if self.sessions.live.contains_key(&peer) {
            return (ToAccess::Refused, None);
        }
        let known = match self.recognise(protocol, name, secret) {
            Ok(known) => known,
            Err(_) => return (ToAccess::Later, None),
        };
        if self.sessions.burnt.contains(&peer) {
            // Who touches a decoy and has somebody's secret stole both. The entry names whose.
            let noted = self.note_sign_in(instance, protocol, known.as_ref(), false);
            let revoked = known.iter().try_for_each(|Known { tenant, found, .. }| {
                self.revoke(*tenant, found.user, &found.row.key)
            });
            return (self.refusal(noted.and(revoked)), None);
        }
        // Whoever took in a secret that is right knows it, let in or not: its entry says which.
        let noted = self.note_sign_in(instance, protocol, known.as_ref(), true);
        let person = known.filter(|known| known.comes_in);
        let (Ok(()), Some(Known { tenant, found, .. })) = (&noted, person) else {
            return (self.refusal(noted), None);
        };
        let now = now_ms();
        let session = Session {
            instance,
            tenant,
            user: found.user,
            look_up: found.row.key.clone(),
            grant: GrantId(random()),
            grant_expires_ms: now + GRANT_MS,
            public,
            ends_ms: now + SESSION_MS,
            recorded: None,
            purpose: match found.row.protocol {
                Protocol::Pass(_) => Purpose::ReadOnly,
                Protocol::Smtp => Purpose::Send,
                Protocol::Imap | Protocol::Pop3 => Purpose::Read,
            },
        };
        self.admit(peer, session)
    }

    /// Which decoy is touched: whoever comes in its name, or with its secret, took it from
    /// somewhere.
    fn decoy(&mut self, name: &str, secret: &str) -> Result<Option<(TenantId, UserId)>, Fault> {
        if !self.marks.has_decoys() {
            return Ok(None);
        }
        if let Some(typed) = secret::parse(secret)
            && let Some(found) = self.tables.app_password(self.key, &typed.key)?
            && let Some(decoy) = self.marks.decoy(found.user)
        {
            return Ok(Some(decoy));
        }
        Ok(self.friends.person(name)?.and_then(|(_, user)| self.marks.decoy(user)))
    }

    /// Refused like anybody who is wrong, told to the warden, and recorded with whose name it was:
    /// the sentinel acts upon the entry, never upon a report's words.
    fn turn_away(
        &mut self,
        instance: InstanceId,
        protocol: Protocol,
        (tenant, user): (TenantId, UserId),
    ) -> (ToAccess, Option<Report>) {
        let noted = self.note(instance, evidence::DECOY, Some((tenant, user)), None, false);
        let answer = self.refusal(noted);
        let by = protocol.word();
        let what =
            format!("{DECOY_TOUCHED}: {by} at {instance}, for user {user} of tenant {tenant}");
        (answer, Some(Report::Alarm { what }))
    }

    /// By whose session a decoy was touched.
    fn revoke_session(&mut self, peer: Peer) -> Result<(), Fault> {
        let Some(session) = self.sessions.live.get(&peer) else { return Ok(()) };
        let (tenant, user, look_up) = (session.tenant, session.user, session.look_up.clone());
        self.revoke(tenant, user, &look_up)
    }

    /// Whoever touches a decoy and has somebody's app password stole both. The sentinel freezes
    /// the person; a freeze is lifted some day, and the secret is known to a thief for ever.
    fn revoke(&mut self, tenant: TenantId, user: UserId, look_up: &str) -> Result<(), Fault> {
        let body = Body::RuleChange {
            what: "app-password.revoke".into(),
            tenant: Some(tenant),
            user: Some(user),
            weakened: None,
            by: None,
            credential: Some(look_up.into()),
        };
        self.friends.journal.record(body).map_err(Fault::Unrecorded)?;
        self.tables.revoke(self.key, look_up)?;
        self.sessions.end_of(None, Some(look_up), self.friends);
        Ok(())
    }

    fn admit(&mut self, peer: Peer, mut session: Session) -> (ToAccess, Option<Report>) {
        let recorded = match session.purpose {
            // Whoever only writes opens nothing: there is no grant to hand out, and the sign-in
            // is recorded by itself.
            Purpose::Send => self.friends.journal.flush().map_err(Fault::Unrecorded),
            Purpose::Read | Purpose::ReadOnly => self.hand_out(&mut session),
        };
        if recorded.is_err() {
            return (ToAccess::Later, None);
        }
        let Session { instance, tenant, user, grant, ends_ms, purpose, .. } = session;
        let reads_only = purpose == Purpose::ReadOnly;
        let welcome = ToAccess::Welcome { tenant, user, grant, ends_ms, reads_only };
        let bind = Report::Bind { instance, tenant, user, purpose };
        self.sessions.live.insert(peer, session);
        (welcome, Some(bind))
    }

    fn renew(&mut self, peer: Peer, public: Vec<u8>) -> ToAccess {
        let now = now_ms();
        let writes = |session: &Session| session.purpose == Purpose::Send;
        if self.sessions.live.get(&peer).is_some_and(writes) {
            return ToAccess::Refused;
        }
        let Some(mut session) = self.sessions.live.remove(&peer) else { return ToAccess::Refused };
        let is_over = now >= session.ends_ms
            || public.len() > SESSION_KEY_BYTES
            || self.marks.is_frozen(session.tenant, session.user);
        if is_over {
            self.friends.revoke(session.grant);
            return ToAccess::Refused;
        }
        let before = session.grant;
        session.grant = GrantId(random());
        session.grant_expires_ms = (now + GRANT_MS).min(session.ends_ms);
        session.public = public;
        let answer = match self.hand_out(&mut session) {
            Ok(()) => {
                self.friends.revoke(before);
                ToAccess::Granted(session.grant)
            }
            Err(_) => ToAccess::Later,
        };
        self.sessions.live.insert(peer, session);
        answer
    }

    /// A grant counts only after the ledger has its entry and the mirror has signed for it: the
    /// vault wants to see both.
    fn hand_out(&mut self, session: &mut Session) -> Result<(), Fault> {
        let body = Body::Grant {
            grant: session.grant,
            instance: session.instance,
            tenant: session.tenant,
            user: session.user,
            until_ms: session.grant_expires_ms,
        };
        let proven = self.friends.journal.prove(body).map_err(Fault::Unrecorded)?;
        let (entry, proof, checkpoint) = proven;
        let recorded = Proven { entry, proof, checkpoint };
        session.recorded = Some(recorded.clone());
        self.friends.grant(session.grant(), recorded)
    }

    /// The person whose app password this is, and whether it opens what was asked for. Whatever is
    /// wrong, the peer learns only "refused".
    fn recognise(
        &mut self,
        protocol: Protocol,
        name: &str,
        secret: &str,
    ) -> Result<Option<Known>, Fault> {
        // Anything that we did not make is refused unpassed: nobody's own password goes further.
        let Some(typed) = secret::parse(secret) else { return Ok(None) };
        let Some(found) = self.tables.app_password(self.key, &typed.key)? else {
            return Ok(None);
        };
        let verifier = &found.row.verifier;
        let is_same = self.friends.compare("app-password", &typed.digest, verifier)?;
        let is_meant = match found.row.protocol {
            Protocol::Pass(_) => protocol == Protocol::Imap && is_pass_live(&found.row.device),
            own => own == protocol,
        };
        if !is_same || found.revoked {
            return Ok(None);
        }
        let Some(person) = self.tables.person(self.key, found.user)? else { return Ok(None) };
        let tenant = person.tenant;
        let is_named = self.friends.person(name)? == Some((tenant, found.user));
        let is_frozen = self.marks.is_frozen(tenant, found.user);
        if !is_meant || !is_named || person.disabled || is_frozen {
            return Ok(Some(Known { tenant, found, comes_in: false }));
        }
        let now = now_ms();
        if found.last_used_ms.is_none_or(|last| now > last + HOUR_MS) {
            self.tables.mark_used(self.key, &typed.key, now)?;
        }
        Ok(Some(Known { tenant, found, comes_in: true }))
    }

    /// Nobody is refused unrecorded, either.
    fn refusal(&mut self, noted: Result<(), Fault>) -> ToAccess {
        let mut flushed = || self.friends.journal.flush().map_err(Fault::Unrecorded);
        match noted.and_then(|()| flushed()) {
            Ok(()) => ToAccess::Refused,
            Err(_) => ToAccess::Later,
        }
    }

    /// Taken down; whoever comes in has it recorded together with the grant, in one append.
    /// `comes_in`: whoever is recognised does.
    fn note_sign_in(
        &mut self,
        instance: InstanceId,
        protocol: Protocol,
        known: Option<&Known>,
        comes_in: bool,
    ) -> Result<(), Fault> {
        // Somebody else's reading is recorded as such, with the request it stands under.
        let protocol = known.map_or(protocol, |Known { found, .. }| match found.row.protocol {
            pass @ Protocol::Pass(_) => pass,
            _ => protocol,
        });
        if let (Protocol::Pass(purpose), Some(Known { tenant, found, .. })) = (protocol, known) {
            let request = found.row.device.split_once(':').map_or("", |(_, request)| request);
            let body = Body::CredentialUse {
                credential: purpose.word().into(),
                instance,
                name: request.into(),
                tenant: Some(*tenant),
            };
            self.friends.journal.note(body).map_err(Fault::Unrecorded)?;
        }
        let credential = known.map(|known| known.found.row.key.as_str().into());
        let person = known.map(|known| (known.tenant, known.found.user));
        let ok = comes_in && known.is_some_and(|known| known.comes_in);
        self.note(instance, protocol.word(), person, credential, ok)
    }

    fn note(
        &mut self,
        instance: InstanceId,
        protocol: &str,
        person: Option<(TenantId, UserId)>,
        credential: Option<Word>,
        ok: bool,
    ) -> Result<(), Fault> {
        let (tenant, user) = person.unzip();
        let protocol = protocol.into();
        let body = Body::SignIn { instance, protocol, ok, tenant, user, credential };
        self.friends.journal.note(body).map_err(Fault::Unrecorded)
    }
}

/// Whose secret was right.
struct Known {
    tenant: TenantId,
    found: Found,
    /// It opens what was asked for, in the name that was given, and its person is neither disabled
    /// nor frozen.
    comes_in: bool,
}

/// A pass carries its end in front: `milliseconds:request`.
pub(crate) fn is_pass_live(device: &str) -> bool {
    let until = device.split_once(':').and_then(|(until, _)| until.parse::<u64>().ok());
    until.is_some_and(|until| now_ms() < until)
}
