//! Ended contracts and holds, as sealed rows: what is to be destroyed, and what must not be.

use crate::Fault;
use crate::tables::{Tables, seal, unseal};
use rows::{RowKey, TOKEN_BYTES};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use terms::{HoldId, TenantId, UserId};
use wire::directory::{Ending, Hold, Part};

/// An ending with its steps: each is noted before the next begins, so that a restart goes on.
#[derive(Clone, Serialize, Deserialize)]
pub struct EndingRow {
    pub ending: Ending,
    /// Everybody whose keys and mail go; still looked for afterwards, as opaque ids.
    pub people: Vec<UserId>,
    pub keys_destroyed: bool,
    pub shredded_ms: u64,
    /// How many of `people` have no mail any more, and whether that is all.
    pub erased: usize,
    pub mail_erased: bool,
    pub identity_erased: bool,
    pub rows_erased: bool,
    /// Where no dead byte of it lies in packs any more.
    pub swept: Swept,
    /// What is left of their addresses: keyed hashes, so that a search knows one that it meets.
    /// They stand behind the rest in the row, where older ones have nothing.
    #[serde(skip)]
    pub addresses: Vec<[u8; 16]>,
    /// The grace is over and nobody holds it: its mail is refused, and its keys go once whoever
    /// remembers a statement of ours has forgotten it. Behind the addresses in the row.
    #[serde(skip)]
    pub withdrawn: bool,
    /// What those who come next had before anything of it was erased. Last in the row.
    #[serde(skip)]
    pub counted: Option<Counted>,
}

/// What the mailbox and the queue hold of a few people, who are about to have nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub messages: u64,
    pub bytes: u64,
    pub rows: u64,
    /// In the queue.
    pub waiting: u64,
    pub waiting_bytes: u64,
}

/// Each store is noted by itself: one that has said "nothing left" would begin anew if asked
/// again. The first two stand for what older rows say, no and yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Swept {
    #[default]
    Nothing,
    Both,
    Mail,
    Queue,
}

impl Swept {
    pub fn of(mail: bool, queue: bool) -> Self {
        match (mail, queue) {
            (false, false) => Self::Nothing,
            (true, true) => Self::Both,
            (true, false) => Self::Mail,
            (false, true) => Self::Queue,
        }
    }

    pub fn is_mail(self) -> bool {
        matches!(self, Self::Both | Self::Mail)
    }

    pub fn is_queue(self) -> bool {
        matches!(self, Self::Both | Self::Queue)
    }
}

impl EndingRow {
    pub fn new(ending: Ending) -> Self {
        Self {
            ending,
            people: Vec::new(),
            keys_destroyed: false,
            shredded_ms: 0,
            erased: 0,
            mail_erased: false,
            identity_erased: false,
            rows_erased: false,
            swept: Swept::Nothing,
            addresses: Vec::new(),
            withdrawn: false,
            counted: None,
        }
    }
}

fn unseal_ending(key: &RowKey, token: &[u8], sealed: &[u8]) -> Option<EndingRow> {
    let plain = key.open("ending", token, sealed)?;
    let (row, behind) = postcard::take_from_bytes::<EndingRow>(&plain).ok()?;
    let (addresses, behind) = match behind.is_empty() {
        true => (Vec::new(), behind),
        false => postcard::take_from_bytes(behind).ok()?,
    };
    let (withdrawn, behind) = match behind.is_empty() {
        true => (false, behind),
        false => postcard::take_from_bytes(behind).ok()?,
    };
    let counted = match behind.is_empty() {
        true => None,
        false => postcard::from_bytes(behind).ok()?,
    };
    Some(EndingRow { addresses, withdrawn, counted, ..row })
}

/// The name of an ending's row: a token, so that the id itself stands nowhere in the clear.
fn name_of(part: Part) -> Vec<u8> {
    let user = part.user.map(|user| user.0).unwrap_or_default();
    [&part.tenant.0[..], &user, &[u8::from(part.user.is_some())]].concat()
}

/// What binds the contract's name in the entry of its destruction. Made from the key of the rows,
/// so that it is written down nowhere.
pub fn name_salt(key: &RowKey, part: Part) -> [u8; TOKEN_BYTES] {
    key.token("certificate", &name_of(part))
}

impl Tables {
    pub fn ending(&self, key: &RowKey, part: Part) -> Result<Option<EndingRow>, Fault> {
        let token = key.token("ending", &name_of(part));
        let found = self.one("SELECT token, sealed FROM ending WHERE token = ?1", &token)?;
        Ok(found.and_then(|(token, sealed)| unseal_ending(key, &token, &sealed)))
    }

    pub fn keep_ending(&self, key: &RowKey, row: &EndingRow) -> Result<(), Fault> {
        let token = key.token("ending", &name_of(row.ending.part));
        let whole = (row, &row.addresses, row.withdrawn, row.counted);
        let sealed = seal(key, "ending", &token, &whole)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO ending (token, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&token[..], sealed]))
            .map_err(Fault::store("keeping an ending"))?;
        Ok(())
    }

    pub fn forget_ending(&self, key: &RowKey, part: Part) -> Result<(), Fault> {
        let token = key.token("ending", &name_of(part));
        self.db
            .execute("DELETE FROM ending WHERE token = ?1", (&token[..],))
            .map_err(Fault::store("forgetting an ending"))?;
        Ok(())
    }

    pub fn endings(&self, key: &RowKey) -> Result<Vec<EndingRow>, Fault> {
        let rows = self.many("SELECT token, sealed FROM ending", &[])?;
        let mut all: Vec<EndingRow> = rows
            .into_iter()
            .filter_map(|(token, sealed)| unseal_ending(key, &token, &sealed))
            .collect();
        all.sort_by_key(|row| (row.ending.asked_ms, row.ending.part));
        Ok(all)
    }

    pub fn keep_hold(&self, key: &RowKey, hold: &Hold) -> Result<(), Fault> {
        let id = hold.hold.0;
        let sealed = seal(key, "hold", &id, hold)?;
        self.db
            .execute(
                "INSERT OR REPLACE INTO hold (hold, sealed) VALUES (?1, ?2)",
                params![&id[..], sealed],
            )
            .map_err(Fault::store("keeping a hold"))?;
        Ok(())
    }

    pub fn forget_hold(&self, hold: HoldId) -> Result<(), Fault> {
        self.db
            .execute("DELETE FROM hold WHERE hold = ?1", (&hold.0[..],))
            .map_err(Fault::store("lifting a hold"))?;
        Ok(())
    }

    pub fn holds(&self, key: &RowKey) -> Result<Vec<Hold>, Fault> {
        let rows = self.many("SELECT hold, sealed FROM hold", &[])?;
        let mut all: Vec<Hold> =
            rows.into_iter().filter_map(|(id, sealed)| unseal(key, "hold", &id, &sealed)).collect();
        all.sort_by_key(|hold| (hold.made_ms, hold.hold));
        Ok(all)
    }

    /// Every row of a contract, or of one person of it; how many went.
    pub fn erase(&mut self, key: &RowKey, part: Part) -> Result<u64, Fault> {
        let people = match part.user {
            Some(user) => vec![user],
            None => self.people(key, part.tenant)?.into_iter().map(|(user, _)| user).collect(),
        };
        let mut addresses = self.addresses_of(key, &people)?;
        if part.user.is_none() {
            let domains = self.domains(key, Some(part.tenant))?;
            addresses.extend(domains.iter().map(|domain| format!("postmaster@{domain}")));
        }
        let fault = Fault::store("erasing rows");
        let change = self.db.transaction().map_err(&fault)?;
        let mut rows = 0;
        let mut run = |sql: &str, by: &[u8]| {
            change.execute(sql, (by,)).map(|count| rows += count as u64).map_err(&fault)
        };
        for address in &addresses {
            let token = key.token("statement", address.as_bytes());
            run("DELETE FROM statement WHERE token = ?1", &token)?;
        }
        for user in &people {
            run("DELETE FROM address WHERE user = ?1", &user.0)?;
            run("DELETE FROM person WHERE user = ?1", &user.0)?;
            run("DELETE FROM way WHERE user = ?1", &user.0)?;
            run("DELETE FROM answered WHERE user = ?1", &user.0)?;
            run("DELETE FROM report WHERE user = ?1", &user.0)?;
            run("DELETE FROM place WHERE user = ?1", &user.0)?;
        }
        if part.user.is_none() {
            let TenantId(tenant) = part.tenant;
            run("DELETE FROM person WHERE tenant = ?1", &tenant)?;
            run("DELETE FROM domain WHERE tenant = ?1", &tenant)?;
            for table in [
                "way",
                "members",
                "gateway",
                "beyond",
                "asked_list",
                "outlet",
                "way_back",
                "list",
                "subscription",
                "ended_link",
                "letter",
                "tls_report",
                "sts_policy",
                "report",
                "accepted",
                "place",
                "undelivered",
            ] {
                run(&format!("DELETE FROM {table} WHERE tenant = ?1"), &tenant)?;
            }
            run("DELETE FROM tenant WHERE tenant = ?1", &tenant)?;
        }
        change.commit().map_err(&fault)?;
        // They are counted anew.
        self.ways_back.take();
        Ok(rows)
    }

    /// Rewrites the file and empties its log, so that no page of what was erased stays.
    pub fn wipe(&self) -> Result<(), Fault> {
        self.db
            .execute_batch("VACUUM")
            .and_then(|()| self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())))
            .map_err(Fault::store("wiping"))
    }
}
