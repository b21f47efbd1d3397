//! The order record of a card: its orders and what they bought, page by page.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::orders::{Order, SUB_COLUMNS, SubRow, Subscription, subscription};
use kachi_domain::order::SubscriptionState;
use kachi_domain::{AccountId, OrderId, SimId, SubscriptionId, Timestamp};
use std::collections::HashMap;

/// Which orders of a card; every field given narrows.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Where the subscription stands: one of these.
    pub states: Option<Vec<SubscriptionState>>,
    /// One of these orders.
    pub orders: Option<Vec<i64>>,
    /// Bought from here on, and not after.
    pub created: [Option<i64>; 2],
    /// Changed last from here on, and not after; usage changes a subscription that is in use.
    pub updated: [Option<i64>; 2],
    /// No order newer than this.
    pub newest: Option<OrderId>,
}

/// The orders of a card: all that gave it something, and of those that came to nothing what these accounts wanted to buy.
#[derive(Debug, Clone, Copy)]
pub struct RecordsOf<'a> {
    /// The card.
    pub sim: SimId,
    /// The accounts.
    pub accounts: &'a [AccountId],
    /// Which of them.
    pub filter: &'a RecordFilter,
}

impl Tx<'_> {
    fn record_clause(&self, of: RecordsOf<'_>) -> (String, Vec<Value<'static>>) {
        let filter = of.filter;
        let mut clause = format!(
            "FROM subscription b JOIN orders o ON o.id = b.order_id AND o.sim_id = b.sim_id JOIN sim_state t ON t.sim_id = b.sim_id
             WHERE b.sim_id = ? AND (o.state <> 'failed' OR {})",
            self.one_of("o.account_id")
        );
        let mut values: Vec<Value<'static>> = vec![of.sim.0.into(), self.list(of.accounts.iter().map(|a| a.0)).into()];
        let mut and = |words: &str, with: &[Value<'static>]| {
            clause.push_str(" AND ");
            clause.push_str(words);
            values.extend_from_slice(with);
        };
        if let Some(orders) = &filter.orders {
            and(&self.one_of("o.id"), &[self.list(orders.iter().copied()).into()]);
        }
        if let Some(states) = &filter.states {
            let words: Vec<String> = states.iter().map(|s| format!("'{}'", s.word())).collect();
            and(&if words.is_empty() { "1 = 0".to_owned() } else { format!("b.state IN ({})", words.join(", ")) }, &[]);
        }
        let [from, to] = filter.created;
        for (words, at) in [("o.created_at >= ?", from), ("o.created_at <= ?", to)] {
            if let Some(at) = at {
                and(words, &[at.into()]);
            }
        }
        let [from, to] = filter.updated;
        for (words, at) in [
            ("(o.updated_at >= ? OR b.updated_at >= ? OR (b.state = 'active' AND t.used_at >= ?))", from),
            ("o.updated_at <= ? AND b.updated_at <= ? AND (b.state <> 'active' OR t.used_at <= ?)", to),
        ] {
            if let Some(at) = at {
                and(words, &[at.into(), at.into(), at.into()]);
            }
        }
        if let Some(newest) = filter.newest {
            and("o.id <= ?", &[newest.0.into()]);
        }
        (clause, values)
    }

    /// Orders with their subscriptions by number, the newest or the oldest first: `offset` passed over, at most `limit`.
    pub fn records(
        &mut self,
        of: RecordsOf<'_>,
        newest_first: bool,
        (offset, limit): (i64, i64),
    ) -> Result<Vec<(Order, Subscription)>, Error> {
        let (clause, mut values) = self.record_clause(of);
        values.extend(binds![limit, offset]);
        let turn = if newest_first { " DESC" } else { "" };
        let text = format!("SELECT o.id, b.id {clause} ORDER BY o.id{turn} LIMIT ? OFFSET ?");
        let found = self.rows_once::<(i64, i64)>(&text, &values)?;
        let orders = self.orders_by_id(&found.iter().map(|f| OrderId(f.0)).collect::<Vec<_>>())?;
        let (among, value) = self.among("id", &found.iter().map(|f| f.1).collect::<Vec<_>>());
        let text = format!("SELECT {SUB_COLUMNS} FROM subscription WHERE {among}");
        let bought: Vec<Subscription> =
            self.rows::<SubRow>(&text, &[value])?.into_iter().map(subscription).collect::<Result<_, _>>()?;
        let mut orders: HashMap<OrderId, Order> = orders.into_iter().map(|o| (o.id, o)).collect();
        let mut bought: HashMap<SubscriptionId, Subscription> = bought.into_iter().map(|s| (s.id, s)).collect();
        let pair = |(order, sub): (i64, i64)| Some((orders.remove(&OrderId(order))?, bought.remove(&SubscriptionId(sub))?));
        Ok(found.into_iter().filter_map(pair).collect())
    }

    /// How many there are.
    pub fn records_count(&mut self, of: RecordsOf<'_>) -> Result<i64, Error> {
        let (clause, values) = self.record_clause(of);
        Ok(self.rows_once::<(i64,)>(&format!("SELECT COUNT(*) {clause}"), &values)?.first().map_or(0, |r| r.0))
    }

    /// The newest order of the card that was there when the account read the first page of its record, if it has read a page
    /// since `quiet`.
    pub fn record_walk(&mut self, account: AccountId, sim: SimId, quiet: Timestamp) -> Result<Option<OrderId>, Error> {
        let text = "SELECT newest_order FROM record_walk WHERE account_id = ? AND sim_id = ? AND asked_at > ?";
        Ok(self.row::<(i64,)>(text, &binds![account.0, sim.0, quiet.0])?.map(|r| OrderId(r.0)))
    }

    /// The account reads the card's record, of which this is the newest order.
    pub fn note_record_walk(&mut self, account: AccountId, sim: SimId, newest: OrderId, now: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO record_walk (account_id, sim_id, newest_order, asked_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (account_id, sim_id) DO UPDATE SET newest_order = excluded.newest_order, asked_at = excluded.asked_at",
            &binds![account.0, sim.0, newest.0, now.0],
        )?;
        Ok(())
    }

    /// Forgets who read what before `quiet`; the answer is how many, of some thousand at most.
    pub fn forget_record_walks(&mut self, quiet: Timestamp) -> Result<usize, Error> {
        let text = "DELETE FROM record_walk WHERE (account_id, sim_id) IN
             (SELECT account_id, sim_id FROM record_walk WHERE asked_at <= ? LIMIT 5000)";
        self.run(text, &binds![quiet.0])
    }
}
