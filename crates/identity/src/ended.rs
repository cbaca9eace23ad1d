//! Ended contracts leave these tables: the directory says whose, identity erases and answers.

use crate::Fault;
use crate::people::People;
use wire::directory::Part;

impl People<'_> {
    /// Erases the rows of everybody whose destruction has begun. Told again after a crash: what is
    /// gone already is gone.
    pub fn destroy_ended(&mut self) -> Result<(), Fault> {
        if self.friends.directory.is_none() {
            return Ok(());
        }
        for part in self.friends.ending()? {
            let rows = self.destroy(part)?;
            self.friends.erased(part, rows)?;
        }
        Ok(())
    }

    fn destroy(&mut self, part: Part) -> Result<u64, Fault> {
        let everybody = self.tables.everybody(self.key)?;
        let is_meant = |user, tenant| match part.user {
            Some(wanted) => wanted == user,
            None => part.tenant == tenant,
        };
        let mut rows = 0;
        for (user, tenant) in everybody {
            if is_meant(user, tenant) {
                self.sessions.end_of(Some(user), None, self.friends);
                rows += self.tables.erase(self.key, user)?;
            }
        }
        // Requests tell of people and of reasons: they go with the contract they concern.
        for request in self.tables.requests(self.key)? {
            let is_of_it = match part.user {
                Some(user) => request.act.user() == Some(user),
                None => request.act.tenant() == Some(part.tenant),
            };
            if is_of_it {
                self.tables.forget_request(request.request)?;
                rows += 1;
            }
        }
        rows += self.marks.forget((&*self.tables, self.key), part.tenant, part.user)?;
        self.tables.wipe()?;
        Ok(rows)
    }
}
