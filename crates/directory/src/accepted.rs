//! Who took mail that left, as sealed rows: the hosts' names and words, found by a keyed hash of
//! the message's id. They go with their contract, after a month, and when there are too many.

use crate::Fault;
use crate::changes::Changes;
use crate::tables::{Tables, seal, unseal};
use crate::tls_rows::DAY_MS;
use compartment::now_ms;
use rows::RowKey;
use rusqlite::params;
use terms::{MessageId, TenantId};
use wire::accepted::{self, Accepted};
use wire::directory::ToAdmin;

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS accepted (
  number INTEGER PRIMARY KEY, token BLOB NOT NULL, tenant BLOB NOT NULL, day INTEGER NOT NULL,
  sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS accepted_token ON accepted (token);
CREATE INDEX IF NOT EXISTS accepted_tenant ON accepted (tenant);
";

/// Whoever asks where a letter went asks within days.
const DAYS: u64 = 31;
/// Rows of the house: about 120 MB.
const KEPT: i64 = if cfg!(test) { 500 } else { 400_000 };
/// What is shown of one message, which may have gone to a thousand hosts.
const SHOWN: u32 = 1_000;

fn token(key: &RowKey, message: MessageId) -> [u8; 16] {
    key.token("accepted", &message.0)
}

impl Tables {
    /// All of it or, with a fault, nothing.
    fn add_accepted(
        &self,
        key: &RowKey,
        tenant: TenantId,
        (lines, day): (&[Accepted], u64),
    ) -> Result<(), Fault> {
        self.try_out()?;
        let added = lines.iter().try_for_each(|line| self.add_accepted_one(key, tenant, line, day));
        let added = added.and_then(|()| self.drop_old_accepted(day));
        self.decide(added.is_ok())?;
        added
    }

    fn add_accepted_one(
        &self,
        key: &RowKey,
        tenant: TenantId,
        line: &Accepted,
        day: u64,
    ) -> Result<(), Fault> {
        let token = token(key, line.message);
        let sealed = seal(key, "accepted", &token, line)?;
        let insert = "INSERT INTO accepted (token, tenant, day, sealed) VALUES (?1, ?2, ?3, ?4)";
        self.db
            .prepare_cached(insert)
            .and_then(|mut insert| {
                insert.execute(params![&token[..], &tenant.0[..], day.cast_signed(), sealed])
            })
            .map_err(Fault::store("keeping who took a message"))?;
        Ok(())
    }

    /// Rows are numbered as they come, so that the oldest are found without a search.
    fn drop_old_accepted(&self, day: u64) -> Result<(), Fault> {
        let fault = Fault::store("dropping who took old messages");
        let oldest = day.saturating_sub(DAYS).cast_signed();
        let delete = "DELETE FROM accepted WHERE number IN
             (SELECT number FROM accepted ORDER BY number LIMIT ?1)
             AND (day < ?2 OR number <= (SELECT MAX(number) FROM accepted) - ?3)";
        self.db
            .prepare_cached(delete)
            .and_then(|mut delete| {
                delete.execute(params![2 * accepted::LINES as i64, oldest, KEPT])
            })
            .map_err(&fault)?;
        Ok(())
    }

    fn accepted(&self, key: &RowKey, message: MessageId) -> Result<Vec<Accepted>, Fault> {
        let token = token(key, message);
        let fault = Fault::store("reading who took a message");
        let mut query = self
            .db
            .prepare_cached("SELECT sealed FROM accepted WHERE token = ?1 ORDER BY number LIMIT ?2")
            .map_err(&fault)?;
        let rows = query
            .query_map(params![&token[..], SHOWN], |row| row.get(0))
            .and_then(Iterator::collect::<Result<Vec<Vec<u8>>, _>>)
            .map_err(&fault)?;
        let open = |sealed: &Vec<u8>| unseal(key, "accepted", &token, sealed);
        Ok(rows.iter().filter_map(open).collect())
    }
}

impl Changes<'_> {
    /// `false`: it is nothing that could be told.
    pub fn note_accepted(&mut self, tenant: TenantId, lines: &[Accepted]) -> Result<bool, Fault> {
        if lines.len() > accepted::LINES || !lines.iter().all(Accepted::is_sound) {
            return Ok(false);
        }
        // Of a contract that is over nothing is kept.
        if self.tables.tenant(self.key, tenant)?.is_some() {
            self.tables.add_accepted(self.key, tenant, (lines, now_ms() / DAY_MS))?;
        }
        Ok(true)
    }

    pub fn show_accepted(&self, message: MessageId) -> Result<ToAdmin, Fault> {
        Ok(ToAdmin::Accepted(self.tables.accepted(self.key, message)?))
    }
}

#[cfg(test)]
mod tests {
    use super::KEPT;
    use crate::tests::World;
    use terms::MessageId;
    use wire::accepted::{Accepted, LINES, Safety};
    use wire::directory::{FromAdmin, ToAdmin};

    fn line(message: u16, words: &str) -> Accepted {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&message.to_be_bytes());
        Accepted {
            message: MessageId(id),
            leg: 0,
            at_ms: 1,
            recipients: 2,
            host: "mx.out.example".to_owned(),
            address: Some([192, 0, 2, 1].into()),
            people: Vec::new(),
            safety: Safety::Dane,
            tls: Some("TLSv1_3".to_owned()),
            words: words.to_owned(),
        }
    }

    fn shown(world: &mut World, message: u16) -> Vec<String> {
        let question = FromAdmin::Accepted(line(message, "").message);
        let ToAdmin::Accepted(lines) = world.change(question) else { panic!() };
        lines.into_iter().map(|line| line.words).collect()
    }

    #[test]
    fn who_took_it_is_found_by_its_id_and_stands_in_no_clear_row() {
        let mut world = World::new("accepted");
        world.settle();
        let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
        let note = |world: &mut World, lines: &[Accepted]| {
            world.changes_now().note_accepted(tenant, lines).unwrap()
        };
        assert!(note(&mut world, &[line(1, "250 first"), line(2, "250 other")]));
        assert!(note(&mut world, &[line(1, "250 second")]));
        assert_eq!(shown(&mut world, 1), ["250 first", "250 second"]);
        assert!(shown(&mut world, 3).is_empty());
        // Whoever tells what cannot be told is no depart of ours.
        assert!(!note(&mut world, &[line(1, "250 for x@y.example")]));
        assert!(!note(&mut world, &[line(1, &"x".repeat(300))]));
        assert!(!note(&mut world, &vec![line(1, "250 ok"); LINES + 1]));
        for round in 0..20 {
            let lines: Vec<Accepted> =
                (0..100).map(|number| line(100 + round * 100 + number, "250 ok")).collect();
            assert!(note(&mut world, &lines));
        }
        assert!(shown(&mut world, 1).is_empty(), "the oldest make room");
        assert_eq!(shown(&mut world, 2_099).len(), 1);
        let kept = world.tables.count_rows("SELECT COUNT(*) FROM accepted", ()).unwrap();
        assert!(kept <= KEPT as u64, "{kept}");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&world.folder).unwrap() {
            files.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let holds = |text: &[u8]| files.windows(text.len()).any(|window| window == text);
        assert!(!holds(b"out.example") && !holds(b"250 ok") && files.len() > 50_000);
    }
}
