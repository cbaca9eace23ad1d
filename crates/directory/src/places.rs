//! Where people write from, for the takeover brake: since when each network and each country is
//! known of a person, as sealed rows under keyed hashes, so that a restart makes nobody a stranger
//! at home. They go with their person, with their contract, and after 36 days without a letter.
//!
//! A person has so many and no more; then what is new stays new until something is forgotten.
//! Whoever writes from a thousand places drives out none of the person's own.

use crate::tables::{Tables, seal, unseal};
use crate::tls_rows::DAY_MS;
use crate::{Desk, Fault, keyed};
use compartment::now_ms;
use rows::RowKey;
use rusqlite::params;
use terms::{TenantId, UserId};
use wire::directory::server_of;

/// Tables of this file; see `tables` for the others. The day is that of the last letter.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS place (
  user BLOB NOT NULL, token BLOB NOT NULL, tenant BLOB NOT NULL, day INTEGER NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (user, token)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS place_tenant ON place (tenant);
CREATE INDEX IF NOT EXISTS place_day ON place (day);
";

/// Not written from for so long, a place is forgotten.
const DAYS: u64 = 36;
/// Networks and countries of one person: who travels has a dozen.
const KEPT: u64 = 100;

type Person = (TenantId, UserId);

impl Desk {
    /// Milliseconds since this person first wrote from there; `None`: nobody can say now.
    pub(crate) fn place_since(&self, person: Person, digest: &[u8; 32]) -> Option<u64> {
        let key = self.key.as_ref()?;
        let token = keyed(key, "sent-from", person.0, digest);
        let since = self.tables.place_since(key, person, token, now_ms());
        let told = |fault: &Fault| {
            compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
        };
        since.inspect_err(told).ok()
    }
}

impl Tables {
    /// Milliseconds since the first letter from there; 0 when this is the first.
    fn place_since(
        &self,
        key: &RowKey,
        (tenant, user): Person,
        token: [u8; 16],
        now_ms: u64,
    ) -> Result<u64, Fault> {
        let today = now_ms / DAY_MS;
        let name = [&user.0[..], &token[..]].concat();
        let sql = "SELECT day, sealed FROM place WHERE user = ?1 AND token = ?2";
        let fault = Fault::store("looking up where somebody writes from");
        let found = self.db.prepare_cached(sql).and_then(|mut query| {
            let rows = query.query_map(params![&user.0[..], &token[..]], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            rows.collect::<Result<Vec<(i64, Vec<u8>)>, _>>()
        });
        let found = found.map_err(&fault)?.into_iter().next().and_then(|(day, sealed)| {
            let first_ms: u64 = unseal(key, "place", &name, &sealed)?;
            let is_kept = day.cast_unsigned() + DAYS >= today;
            // A clock that jumped back behind it begins anew.
            (is_kept && first_ms <= now_ms).then_some((day.cast_unsigned(), first_ms))
        });
        let first_ms = found.map_or(now_ms, |(_, first_ms)| first_ms);
        // Written once a day: mail is frequent, and a day is as exact as forgetting has to be.
        let is_written = found.is_some_and(|(day, _)| day == today);
        if !is_written && (found.is_some() || self.has_place_left(key, (tenant, user), today)?) {
            let sealed = seal(key, "place", &name, &first_ms)?;
            let keep = "INSERT OR REPLACE INTO place (user, token, tenant, day, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5)";
            let row = params![&user.0[..], &token[..], &tenant.0[..], today.cast_signed(), sealed];
            self.db
                .prepare_cached(keep)
                .and_then(|mut keep| keep.execute(row))
                .map_err(Fault::store("keeping where somebody writes from"))?;
        }
        Ok(now_ms - first_ms)
    }

    /// Whether one more may be kept of this person, who is still here. Drops what is old, of all.
    fn has_place_left(
        &self,
        key: &RowKey,
        (tenant, user): Person,
        day: u64,
    ) -> Result<bool, Fault> {
        // Of whoever has left the house nothing is written down again.
        let is_here = match user == server_of(tenant) {
            true => self.tenant(key, tenant)?.is_some(),
            false => self.person(key, user)?.is_some_and(|(of, _)| of == tenant),
        };
        if !is_here {
            return Ok(false);
        }
        let oldest = day.saturating_sub(DAYS).cast_signed();
        self.db
            .prepare_cached("DELETE FROM place WHERE day < ?1")
            .and_then(|mut drop| drop.execute(params![oldest]))
            .map_err(Fault::store("forgetting where people wrote from"))?;
        let many = "SELECT COUNT(*) FROM place WHERE user = ?1";
        Ok(self.count_rows(many, params![&user.0[..]])? < KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::{DAYS, KEPT, Person};
    use crate::tables::Tables;
    use crate::tests::World;
    use crate::tls_rows::DAY_MS;
    use terms::UserId;
    use wire::directory::{Part, server_of};

    const NOW: u64 = 20_000 * DAY_MS;

    fn settled(name: &str) -> (World, Person) {
        let mut world = World::new(name);
        world.settle();
        let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
        let user = world.tables.person_by_address(&world.key, "aoi@kaede.example");
        (world, (tenant, user.unwrap().unwrap()))
    }

    fn since(world: &World, person: Person, place: u64, now: u64) -> u64 {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&place.to_le_bytes());
        world.tables.place_since(&world.key, person, token, now).unwrap()
    }

    fn kept(world: &World) -> u64 {
        world.tables.count_rows("SELECT COUNT(*) FROM place", ()).unwrap()
    }

    #[test]
    fn where_somebody_writes_from_outlives_a_restart() {
        let (mut world, aoi) = settled("places");
        assert_eq!(since(&world, aoi, 1, NOW), 0);
        assert_eq!(since(&world, aoi, 1, NOW + 5_000), 5_000);
        world.tables = Tables::open(&world.folder).unwrap();
        assert_eq!(since(&world, aoi, 1, NOW + DAY_MS), DAY_MS, "after a restart, too");
        // Another's word, of a person or of their tenant's server, is about another.
        assert_eq!(since(&world, (aoi.0, server_of(aoi.0)), 1, NOW + DAY_MS), 0);
        // Used, it stays; not used, it is forgotten.
        assert_eq!(since(&world, aoi, 1, NOW + (DAYS + 1) * DAY_MS), (DAYS + 1) * DAY_MS);
        assert_eq!(since(&world, aoi, 1, NOW + (2 * DAYS + 2) * DAY_MS), 0);
        assert_eq!(since(&world, aoi, 1, NOW), 0, "a clock that jumped back begins anew");
    }

    #[test]
    fn a_flood_of_places_drives_out_none_of_the_person_s_own() {
        let (world, aoi) = settled("places-flood");
        assert_eq!(since(&world, aoi, 0, NOW), 0);
        for place in 1..KEPT + 20 {
            assert_eq!(since(&world, aoi, place, NOW + 1), 0);
        }
        assert_eq!(kept(&world), KEPT);
        assert_eq!(since(&world, aoi, KEPT + 19, NOW + 2), 0, "new as long as there is no room");
        assert_eq!(since(&world, aoi, 0, NOW + 2), 2);
        let later = NOW + (DAYS + 1) * DAY_MS;
        assert_eq!([since(&world, aoi, KEPT, later), since(&world, aoi, KEPT, later + 1)], [0, 1]);
        assert_eq!(kept(&world), 1, "what is old has made room");
    }

    #[test]
    fn places_go_with_their_person_and_with_their_contract() {
        let (mut world, aoi) = settled("places-erased");
        let server = (aoi.0, server_of(aoi.0));
        let stranger = (aoi.0, UserId([7; 8]));
        for person in [aoi, server, stranger] {
            since(&world, person, 1, NOW);
        }
        assert_eq!(kept(&world), 2, "nothing is kept of whoever is not here");
        world.tables.erase(&world.key, Part { tenant: aoi.0, user: Some(aoi.1) }).unwrap();
        since(&world, aoi, 1, NOW);
        assert_eq!(kept(&world), 1);
        world.tables.erase(&world.key, Part { tenant: aoi.0, user: None }).unwrap();
        assert_eq!(kept(&world), 0);
    }
}
