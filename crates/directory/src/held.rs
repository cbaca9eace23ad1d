//! What is held in a person's name, and their word about it: by a link in a letter that only they
//! can read (decision 0019).
//!
//! Nothing is kept of a question. Its token says whose it is, which message, and until when, under
//! a keyed hash; the queue knows whether that very hold still stands. An answer is kept until the
//! question's time is over: it counts once, however often a button is pressed.

use crate::changes::Changes;
use crate::statements::is_ended;
use crate::tables::Tables;
use crate::{Desk, Fault};
use compartment::now_ms;
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use terms::{MessageId, TenantId, UserId};
use wire::control::Report;
use wire::directory::{Part, ToAdmin, ToDispatch};
use wire::pages::{HELD_MESSAGE, ToPages};
use wire::post::{Awaited, QueueAct};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS answered (
  message BLOB PRIMARY KEY, user BLOB NOT NULL, tenant BLOB NOT NULL, until_s INTEGER NOT NULL,
  word INTEGER NOT NULL, is_locked INTEGER NOT NULL) WITHOUT ROWID;
";

/// User, message, second; then the keyed hash over them.
const NAMED_BYTES: usize = 8 + 16 + 4;
/// People told to identity at once; the next come with its next question.
const ROBBED: usize = 100;

/// The token of a question about this message.
fn token(key: &RowKey, user: UserId, message: MessageId, until_s: u32) -> Vec<u8> {
    let named = [&user.0[..], &message.0[..], &until_s.to_be_bytes()].concat();
    let proof = key.token("held-mail", &named);
    [named, proof.to_vec()].concat()
}

/// Whom and what a token is about. `None`: it is none of ours.
fn read(key: &RowKey, said: &[u8]) -> Option<(UserId, MessageId, u32)> {
    let user = UserId::from_slice(said.get(..8)?)?;
    let message = MessageId::from_slice(said.get(HELD_MESSAGE)?)?;
    let until_s = u32::from_be_bytes(said.get(HELD_MESSAGE.end..NAMED_BYTES)?.try_into().ok()?);
    (token(key, user, message, until_s) == said).then_some((user, message, until_s))
}

/// As the queue counts them.
fn seconds(ms: u64) -> u32 {
    u32::try_from(ms / 1_000).unwrap_or(u32::MAX)
}

impl Desk {
    /// For a dispatch that holds mail of its own person.
    pub(crate) fn ask_about_held(
        &self,
        (_, user): (TenantId, UserId),
        message: MessageId,
        until_ms: u64,
    ) -> ToDispatch {
        match &self.key {
            Some(key) => ToDispatch::Awaited(token(key, user, message, seconds(until_ms))),
            None => ToDispatch::Later,
        }
    }

    /// Whoever has the token is the person whose letter it stood in.
    pub(crate) fn hear_person(&mut self, said: &[u8], is_theirs: bool) -> ToPages {
        let Some(mut change) = self.changes() else { return ToPages::Later };
        let heard = match change.hear_person(said, is_theirs) {
            Ok(Some(heard)) => heard,
            Ok(None) => return ToPages::Unknown,
            Err(fault) => {
                compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
                return ToPages::Later;
            }
        };
        let Heard { word, message, of: (tenant, user), is_new, more } = heard;
        if is_new && matches!(word, Word::Discarded | Word::TooLate) {
            // Its act and its count first: the ledger keeps 160 octets.
            let what = format!(
                "user {user} of tenant {tenant} says that message {message} is not theirs, {more} \
                 more held: app passwords for sending end"
            );
            let _ = self.hub.send(self.warden, 0, &Report::Attention { what }, Vec::new());
        }
        match word {
            Word::Mine => ToPages::Done,
            Word::Discarded => ToPages::Discarded { more },
            Word::TooLate => ToPages::TooLate { more },
        }
    }
}

/// What a person's word led to; their numbers stand in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It leaves.
    Mine = 0,
    /// It does not leave.
    Discarded = 1,
    /// It was held no more when they said that it was not theirs.
    TooLate = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub word: Word,
    pub message: MessageId,
    /// Whose word it is.
    pub of: (TenantId, UserId),
    /// Else it was said before.
    pub is_new: bool,
    /// Of who says no: what else waits for their word.
    pub more: u32,
}

impl Changes<'_> {
    /// Recorded before it counts, and only while there is something to say yes to. Who says no is
    /// heard as long as the question stands, whatever has become of the message: somebody sends in
    /// their name. `None`: the token is forged, its time over, or somebody else has decided.
    pub fn hear_person(&mut self, said: &[u8], is_theirs: bool) -> Result<Option<Heard>, Fault> {
        let Some((user, message, until_s)) = read(self.key, said) else { return Ok(None) };
        let Some((tenant, person)) = self.tables.person(self.key, user)? else { return Ok(None) };
        let is_over = seconds(now_ms()) >= until_s;
        if is_over || person.disabled || is_ended(self.tables, self.key, tenant, user)? {
            return Ok(None);
        }
        // Asked before anything is decided: without an answer nothing is.
        let held = if is_theirs { 0 } else { self.friends.still_held(tenant, user)? };
        let before = self.tables.answer(message)?;
        if let Some(word) = before.filter(|word| (*word == Word::Mine) == is_theirs) {
            return Ok(Some(Heard {
                word,
                message,
                of: (tenant, user),
                is_new: false,
                more: held,
            }));
        }
        let awaited = Awaited { tenant, user, message, until_s };
        let waits = self.friends.is_awaited(awaited)?;
        let more = held.saturating_sub(u32::from(waits));
        let word = match (is_theirs, waits) {
            (true, false) => return Ok(None),
            (true, true) => {
                self.record_word(&awaited, "release")?;
                if !self.friends.release_held(awaited)? {
                    return Ok(None);
                }
                Word::Mine
            }
            (false, waits) => self.stop(&awaited, waits)?,
        };
        self.tables.keep_answer(&awaited, word)?;
        Ok(Some(Heard { word, message, of: (tenant, user), is_new: true, more }))
    }

    fn stop(&mut self, awaited: &Awaited, waits: bool) -> Result<Word, Fault> {
        let Awaited { tenant, user, .. } = *awaited;
        let mut word = Word::TooLate;
        if waits {
            self.record_word(awaited, "cancel")?;
            if self.friends.cancel_held(*awaited)? {
                word = Word::Discarded;
            }
        }
        self.friends.record_change(tenant, Some(user), "app-password.lock-by-link")?;
        Ok(word)
    }

    /// An operator decides about a letter of this person's.
    pub fn note_queue_act(
        &mut self,
        part: Part,
        message: MessageId,
        act: QueueAct,
    ) -> Result<ToAdmin, Fault> {
        let what = format!("outgoing.{}-by-operator {message}", act.word());
        self.friends.record_change(part.tenant, part.user, &what)?;
        Ok(ToAdmin::Done)
    }

    /// In the person's name, with the message's own number.
    fn record_word(&mut self, awaited: &Awaited, verb: &str) -> Result<(), Fault> {
        let Awaited { tenant, user, message, .. } = awaited;
        let what = format!("outgoing.{verb}-by-link {message}");
        self.friends.record_change(*tenant, Some(*user), &what)
    }
}

impl Tables {
    /// What its person said of this message before.
    fn answer(&self, message: MessageId) -> Result<Option<Word>, Fault> {
        let number: Option<u8> = self
            .db
            .prepare_cached("SELECT word FROM answered WHERE message = ?1")
            .and_then(|mut query| query.query_row((&message.0[..],), |row| row.get(0)).optional())
            .map_err(Fault::store("looking up an answer"))?;
        let words = [Word::Mine, Word::Discarded, Word::TooLate];
        Ok(number.and_then(|number| words.into_iter().find(|word| *word as u8 == number)))
    }

    fn keep_answer(&self, awaited: &Awaited, word: Word) -> Result<(), Fault> {
        let Awaited { tenant, user, message, until_s } = awaited;
        let fault = Fault::store("keeping an answer");
        self.db
            .execute(
                "DELETE FROM answered WHERE until_s < ?1 AND (word = 0 OR is_locked)",
                params![seconds(now_ms())],
            )
            .map_err(&fault)?;
        let (message, user, tenant) = (&message.0[..], &user.0[..], &tenant.0[..]);
        self.db
            .execute(
                "INSERT OR REPLACE INTO answered
                 (message, user, tenant, until_s, word, is_locked)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0)",
                params![message, user, tenant, until_s, word as u8],
            )
            .map_err(&fault)?;
        Ok(())
    }

    /// Whose app passwords identity has still to revoke.
    pub fn robbed(&self) -> Result<Vec<Part>, Fault> {
        let sql = "SELECT DISTINCT user, tenant FROM answered WHERE word > 0 AND NOT is_locked";
        let part = |(user, tenant): (Vec<u8>, Vec<u8>)| {
            let user = Some(UserId::from_slice(&user)?);
            Some(Part { tenant: TenantId::from_slice(&tenant)?, user })
        };
        Ok(self.many(sql, &[])?.into_iter().take(ROBBED).filter_map(part).collect())
    }

    /// They are revoked.
    pub fn note_locked(&self, part: Part) -> Result<(), Fault> {
        let Part { tenant, user: Some(user) } = part else { return Ok(()) };
        self.db
            .execute(
                "UPDATE answered SET is_locked = 1
                 WHERE user = ?1 AND tenant = ?2 AND word > 0",
                params![&user.0[..], &tenant.0[..]],
            )
            .map_err(Fault::store("noting whose app passwords ended"))?;
        Ok(())
    }
}
