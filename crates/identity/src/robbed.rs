//! People in whose name somebody else sent: they said so by the link in the house's letter. The
//! directory says whose; identity revokes what opens their sending, and answers.

use crate::Fault;
use crate::people::People;
use wire::directory::Part;
use wire::identity::Protocol;

impl People<'_> {
    /// Told again after a crash: what is revoked already is revoked.
    pub fn lock_robbed(&mut self) -> Result<(), Fault> {
        if self.friends.directory.is_none() {
            return Ok(());
        }
        for part in self.friends.robbed()? {
            self.lock(part)?;
            self.friends.locked(part)?;
        }
        Ok(())
    }

    /// Their app passwords for SMTP, with the sessions of each. Reading goes on: they must be able
    /// to see what else is told to them.
    fn lock(&mut self, part: Part) -> Result<(), Fault> {
        let Part { tenant, user: Some(user) } = part else { return Ok(()) };
        let is_theirs = self.tables.person(self.key, user)?.is_some_and(|row| row.tenant == tenant);
        if !is_theirs {
            return Ok(());
        }
        for found in self.tables.app_passwords(self.key, user)? {
            if found.revoked || found.row.protocol != Protocol::Smtp {
                continue;
            }
            let key = Some(&*found.row.key);
            self.record_secret(tenant, user, "app-password.revoke", (None, key))?;
            self.tables.revoke(self.key, &found.row.key)?;
            self.sessions.end_of(None, Some(&found.row.key), self.friends);
        }
        Ok(())
    }
}
