//! The first answer to each request that changed something; of one that was refused, the body that its key came with.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{BulkColumn, Error, Tx};
use kachi_domain::{AccountId, OrderId, Timestamp};

/// The first answer to a request, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct FirstAnswer<'a> {
    /// Who asked.
    pub account: AccountId,
    /// At which door.
    pub door: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// Hash of the whole body.
    pub body_hash: &'a str,
    /// What was answered.
    pub answer: &'a str,
    /// The order with which it is kept, if it is found by the buyer's own number.
    pub order: Option<OrderId>,
}

/// What a key has seen before: (key, hash of the body, answer, when).
type SeenRow = (String, String, String, i64);

/// A key that came again with another body: (account, door, key, where it came from last, how often, first, last).
pub type ReusedRow = (i64, String, String, String, i64, i64, i64);

impl Tx<'_> {
    /// What the account's keys at a door have seen before: (key, hash of the body, answer, when).
    pub fn requests_seen(&mut self, account: AccountId, door: &str, keys: &[&str]) -> Result<Vec<SeenRow>, Error> {
        let list = serde_json::to_string(keys).map_err(|e| Error::Engine(e.to_string()))?;
        let rows = self.row_each("idempotency i", "i.account_id = ? AND i.door = ? AND i.request_key = k.value");
        let text = format!("SELECT i.request_key, i.body_hash, i.answer, i.created_at FROM {rows}");
        self.rows(&text, &binds![list, account.0, door])
    }

    /// What the requests at a door that placed the account's orders with these numbers of its own have seen: as
    /// [`Tx::requests_seen`].
    pub fn orders_seen(&mut self, account: AccountId, door: &str, numbers: &[&str]) -> Result<Vec<SeenRow>, Error> {
        let list = serde_json::to_string(numbers).map_err(|e| Error::Engine(e.to_string()))?;
        let rows = self.row_each("orders o", "o.account_id = ? AND o.out_trade_no = k.value");
        let text = format!(
            "SELECT a.request_key, a.body_hash, a.answer, a.created_at FROM {rows} JOIN order_answer a ON a.order_id = o.id AND a.door = ?"
        );
        self.rows(&text, &binds![list, account.0, door])
    }

    /// Keeps first answers. A rival that came first makes this a constraint error.
    pub fn keep_answers(&mut self, answers: &[FirstAnswer<'_>], now: Timestamp) -> Result<(), Error> {
        let (of_orders, apart): (Vec<FirstAnswer<'_>>, Vec<FirstAnswer<'_>>) = answers.iter().partition(|a| a.order.is_some());
        self.keep_in("idempotency", ("account_id", |a| Some(a.account.0)), &apart, now)?;
        self.keep_in("order_answer", ("order_id", |a| a.order.map(|o| o.0)), &of_orders, now)
    }

    /// Keeps them in the table whose rows belong to what the column names.
    fn keep_in(
        &mut self,
        table: &str,
        (column, of): (&'static str, fn(&FirstAnswer<'_>) -> Option<i64>),
        answers: &[FirstAnswer<'_>],
        now: Timestamp,
    ) -> Result<(), Error> {
        use BulkColumn::{Int, Text};
        let columns = [Int(column), Text("door"), Text("request_key"), Text("body_hash"), Text("answer"), Int("created_at")];
        fn row<'a>(a: &FirstAnswer<'a>, of: Option<i64>, now: Timestamp) -> Vec<Value<'a>> {
            binds![of, a.door, a.key, a.body_hash, a.answer, now.0].into()
        }
        let rows: Vec<_> = answers.iter().map(|a| row(a, of(a), now)).collect();
        self.add_rows(table, &columns, &rows, "")
    }

    /// Keeps which body a refused request's key came with, without an answer; a key that is known stays as it is.
    pub fn keep_refused_request(
        &mut self,
        account: AccountId,
        (door, key): (&str, &str),
        body_hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO idempotency (account_id, door, request_key, body_hash, answer, created_at) VALUES (?, ?, ?, ?, '', ?)
             ON CONFLICT (account_id, door, request_key) DO NOTHING",
            &binds![account.0, door, key, body_hash, now.0],
        )?;
        Ok(())
    }

    /// Forgets that a request was refused, if it was: it has an answer now.
    pub fn forget_refused_request(&mut self, account: AccountId, (door, key): (&str, &str)) -> Result<(), Error> {
        let text = "DELETE FROM idempotency WHERE account_id = ? AND door = ? AND request_key = ? AND answer = ''";
        self.run(text, &binds![account.0, door, key])?;
        Ok(())
    }

    /// Keeps that a request's key came again with another body, and from where: one row a key.
    pub fn note_reused_request(
        &mut self,
        account: AccountId,
        (door, key): (&str, &str),
        peer: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO reused_request (account_id, door, request_key, peer, times, first_at, last_at) VALUES (?, ?, ?, ?, 1, ?, ?)
             ON CONFLICT (account_id, door, request_key) DO UPDATE SET peer = excluded.peer, times = reused_request.times + 1,
             last_at = excluded.last_at",
            &binds![account.0, door, key, peer, now.0, now.0],
        )?;
        Ok(())
    }

    /// Keys that came again with another body, the last seen first.
    pub fn reused_requests(&mut self, limit: i64) -> Result<Vec<ReusedRow>, Error> {
        let text = "SELECT account_id, door, request_key, peer, times, first_at, last_at FROM reused_request
                    ORDER BY last_at DESC, request_key LIMIT ?";
        self.rows(text, &binds![limit])
    }

    /// Forgets those not seen since the instant; the answer is how many.
    pub fn forget_reused_requests(&mut self, before: Timestamp) -> Result<usize, Error> {
        self.run("DELETE FROM reused_request WHERE last_at < ?", &binds![before.0])
    }

    /// Forgets answers older than the instant; the answer is how many.
    pub fn forget_answers(&mut self, before: Timestamp) -> Result<usize, Error> {
        let with_orders = self.run("DELETE FROM order_answer WHERE created_at < ?", &binds![before.0])?;
        Ok(with_orders + self.run("DELETE FROM idempotency WHERE created_at < ?", &binds![before.0])?)
    }
}
