//! Tables that are older than what was recorded of them: somebody put an older copy in their place,
//! or took them away, while nobody looked. The evidence has no names, so nobody can tell who lives
//! at which address since: all mail waits, nothing is changed, and it is an alarm, until the right
//! folder is back or those who decide say that they know.

use crate::changes::refused;
use crate::tables::{Tables, seal, unseal};
use crate::{Desk, Fault};
use journal::{Age, Behind, Notes};
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use std::rc::Rc;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::approval::{Act, WhoseLog};
use wire::control::Report;
use wire::directory::{FromAdmin, Stated, ToAdmin};

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS note (
  token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
";
/// The note of deeds.
const DEEDS: &[u8] = b"deeds";
/// Between two questions to a ledger that does not answer.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(200);

/// The tables' own memory of their deeds, by a way of its own: it is durable before what the deed
/// itself changes.
struct Own {
    tables: Tables,
    key: Rc<RowKey>,
}

impl Notes for Own {
    fn read(&mut self) -> Option<Vec<u8>> {
        self.tables.note(&self.key, DEEDS).ok().flatten()
    }

    fn keep(&mut self, noted: &[u8]) -> bool {
        self.tables.keep_note(&self.key, DEEDS, noted).is_ok()
    }
}

impl Tables {
    /// What these tables know of themselves, under a name.
    pub(crate) fn note(&self, key: &RowKey, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let token = key.token("note", name);
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM note WHERE token = ?1")
            .and_then(|mut query| query.query_row((&token[..],), |row| row.get(0)).optional())
            .map_err(Fault::store("looking up a note"))?;
        Ok(sealed.and_then(|sealed| unseal(key, "note", &token, &sealed)))
    }

    pub(crate) fn keep_note(&self, key: &RowKey, name: &[u8], note: &[u8]) -> Result<(), Fault> {
        let token = key.token("note", name);
        let sealed = seal(key, "note", &token, &note)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO note (token, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&token[..], sealed]))
            .map_err(Fault::store("keeping a note"))?;
        Ok(())
    }
}

/// Whether these tables know of all that was recorded of them.
pub(crate) enum Known {
    /// Without their key nobody can tell.
    Locked(Tables),
    /// The ledger has not said. Whom they know they know; whom they do not know may be new.
    Unsure(Box<dyn Notes>, Instant),
    Sure,
    Older(Behind),
}

impl Known {
    pub fn is_sure(&self) -> bool {
        matches!(self, Self::Sure)
    }

    pub fn is_older(&self) -> bool {
        matches!(self, Self::Older(_))
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Self::Locked(_) | Self::Unsure(..))
    }

    /// What is said of an address, as far as these tables may say it.
    pub fn temper(&self, stated: Stated) -> Stated {
        match (self, stated) {
            (Self::Sure, stated) => stated,
            (Self::Older(_), _) | (_, Stated::Unknown | Stated::Foreign) => Stated::Later,
            (_, stated) => stated,
        }
    }

    /// How many entries stand up to the newest that they do not know of.
    pub fn forgotten(&self) -> Option<u64> {
        match self {
            Self::Older(behind) => Some(behind.last.index + 1),
            _ => None,
        }
    }
}

impl Desk {
    /// A silent ledger is not asked at each turn.
    pub(crate) fn compare_at_times(&mut self) {
        match &self.known {
            Known::Unsure(_, next) if *next > Instant::now() => {}
            _ => self.compare(),
        }
    }

    /// Holds these tables against what the ledger knows of them, once.
    pub(crate) fn compare(&mut self) {
        let Some(key) = &self.key else { return };
        let notes = match std::mem::replace(&mut self.known, Known::Sure) {
            Known::Locked(tables) => Box::new(Own { tables, key: Rc::clone(key) }),
            Known::Unsure(notes, _) => notes,
            known => {
                self.known = known;
                return;
            }
        };
        self.known = match self.friends.journal.remember_in(notes) {
            Ok(Age::Current) => Known::Sure,
            Ok(Age::Ahead { known, stands }) => {
                self.alarm(journal::ahead(Kind::Directory, known, stands));
                Known::Sure
            }
            Ok(Age::Intruded(last)) => {
                // Mail does not wait for an intruder's word. If it cannot be kept that this was
                // said, the next start says it again.
                self.alarm(journal::intruded(Kind::Directory));
                self.friends.journal.catch_up(last);
                Known::Sure
            }
            Ok(Age::Older(behind)) => {
                self.alarm(what(&behind));
                Known::Older(behind)
            }
            Err(notes) => Known::Unsure(notes, Instant::now() + BETWEEN_QUESTIONS),
        };
    }

    fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
    }

    /// The answer to an act that these tables cannot carry out; and to the one that lets them.
    pub(crate) fn unless_older(&mut self, act: &Act) -> Option<ToAdmin> {
        let is_word = matches!(act, Act::AcknowledgeLoss { whose: WhoseLog::Directory, .. });
        match (&self.known, is_word) {
            (Known::Older(behind), true) => {
                Some(match self.friends.journal.catch_up(behind.last) {
                    true => {
                        self.known = Known::Sure;
                        self.statements.forget_all();
                        ToAdmin::Done
                    }
                    false => ToAdmin::Fault("the tables could not note it".to_owned()),
                })
            }
            (Known::Older(_), false) => Some(refusal()),
            (_, true) => Some(refused("tables that are older than the evidence", "none", "")),
            (_, false) => None,
        }
    }
}

fn what(behind: &Behind) -> String {
    let how = match behind.is_blank {
        true => "remember nothing of what was",
        false => "are older than what was",
    };
    format!(
        "the directory's tables {how} recorded of them: somebody put an older copy of \
         DIR/directory in its place, or removed it; all mail waits and nothing is changed until \
         the right folder is back, or until `ledger acknowledge-loss`"
    )
}

/// What these tables do not carry out.
pub fn answer(question: &FromAdmin) -> ToAdmin {
    match question {
        FromAdmin::IsOlder => ToAdmin::IsOlder(true),
        _ => refusal(),
    }
}

fn refusal() -> ToAdmin {
    let found = "tables that are older than what was recorded of them";
    let hint = "stop the house and put the newest copy of DIR/directory back; or, if there is \
                none, sekisho ledger acknowledge-loss, and make anew what is missing";
    refused("the directory as it was", found, hint)
}

/// What is answered all the same: whoever puts it right must see what there is.
pub fn only_tells(question: &FromAdmin) -> bool {
    matches!(
        question,
        FromAdmin::TenantList
            | FromAdmin::TenantShow { .. }
            | FromAdmin::DomainList { .. }
            | FromAdmin::UserList { .. }
            | FromAdmin::UserFind { .. }
            | FromAdmin::Names { .. }
            | FromAdmin::TraceTokens { .. }
            | FromAdmin::EndingList
            | FromAdmin::EndingsOf { .. }
            | FromAdmin::HoldList
            | FromAdmin::NameSalts
            | FromAdmin::Patterns
            | FromAdmin::GroupList { .. }
            | FromAdmin::GatewayShow { .. }
            | FromAdmin::Accepted(_)
            | FromAdmin::Reports(_)
    )
}
