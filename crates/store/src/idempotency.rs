//! The first answer to each request that changed something.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::{AccountId, Timestamp};

/// What the key has seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Never.
    New,
    /// The same body: here is the answer it got.
    Same(String),
    /// Another body.
    Different,
}

impl Tx<'_> {
    /// What the key has seen before.
    pub fn request_seen(&mut self, account: AccountId, door: &str, key: &str, body_hash: &str) -> Result<Seen, Error> {
        let row = self.row::<(String, String)>(
            "SELECT body_hash, answer FROM idempotency WHERE account_id = ? AND door = ? AND request_key = ?",
            &binds![account.0, door, key],
        )?;
        Ok(match row {
            None => Seen::New,
            Some((hash, answer)) if hash == body_hash => Seen::Same(answer),
            Some(_) => Seen::Different,
        })
    }

    /// Keeps the first answer. A rival that came first makes this a constraint error.
    pub fn keep_answer(
        &mut self,
        account: AccountId,
        door: &str,
        key: &str,
        body_hash: &str,
        answer: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO idempotency (account_id, door, request_key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            &binds![account.0, door, key, body_hash, answer, now.0],
        )?;
        Ok(())
    }

    /// Forgets answers older than the instant; the answer is how many.
    pub fn forget_answers(&mut self, before: Timestamp) -> Result<usize, Error> {
        self.run("DELETE FROM idempotency WHERE created_at < ?", &binds![before.0])
    }
}
