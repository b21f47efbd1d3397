//! What cards used over days, and what the carrier and its pools say of them: each asked of many cards in one statement.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::order::SubscriptionState;
use kachi_domain::sms::{SmsState, parts_of};
use kachi_domain::{AccountId, PoolId, SimId, Timestamp};
use std::collections::BTreeMap;

/// The cards in a pool: (pool, cards, of them activated, up to when usage of any of them is known).
pub type PoolFigure = (i64, i64, i64, Option<i64>);

/// A card's usage of a day while it was an account's: (card, iccid, account, day, bytes, records, as of).
pub type UseOfDay = (i64, String, i64, i64, i64, i64, i64);

impl Tx<'_> {
    /// Usage of cards on days `first..=last` while they were these accounts', card by card and day by day, of cards numbered above
    /// `after`; of so many cards.
    pub fn use_by_card(
        &mut self,
        accounts: &[AccountId],
        (first, last): (i64, i64),
        after: i64,
        cards: i64,
    ) -> Result<Vec<UseOfDay>, Error> {
        let text = format!(
            "SELECT d.sim_id, s.iccid, d.account_id, d.day, d.bytes, d.records, d.as_of FROM sim_day d JOIN sim s ON s.id = d.sim_id
             WHERE d.sim_id IN (SELECT id FROM sim WHERE id > ? ORDER BY id LIMIT ?) AND d.day >= ? AND d.day <= ? AND {}
             ORDER BY d.sim_id, d.day, d.account_id",
            self.one_of("d.account_id")
        );
        let accounts = self.list(accounts.iter().map(|a| a.0));
        self.rows(&text, &binds![after, cards, first, last, accounts])
    }

    /// The highest number of the next so many cards above `after`; none: there are no more.
    pub fn next_cards(&mut self, after: i64, cards: i64) -> Result<Option<i64>, Error> {
        let text = "SELECT MAX(id) FROM (SELECT id FROM sim WHERE id > ? ORDER BY id LIMIT ?) AS x";
        Ok(self.row::<(Option<i64>,)>(text, &binds![after, cards])?.and_then(|r| r.0))
    }

    /// Bytes and records per card over days `first..=last`, of the usage these accounts owned: (card, bytes, records).
    pub fn use_of_days(
        &mut self,
        accounts: &[AccountId],
        sims: &[i64],
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, CAST(SUM(bytes) AS BIGINT), CAST(SUM(records) AS BIGINT) FROM sim_day
             WHERE {} AND day >= ? AND day <= ? AND {} GROUP BY sim_id",
            self.one_of("sim_id"),
            self.one_of("account_id")
        );
        let (sims, accounts) = (self.list(sims.iter().copied()), self.list(accounts.iter().map(|a| a.0)));
        self.rows(&text, &binds![sims, first, last, accounts])
    }

    /// When the last of each card's subscriptions was over: (card, when); of the cards that had any.
    pub fn last_ends(&mut self, sims: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, MAX(ended_at) FROM subscription WHERE {} AND state = ? AND ended_at IS NOT NULL GROUP BY sim_id",
            self.one_of("sim_id")
        );
        let list = self.list(sims.iter().copied());
        self.rows(&text, &binds![list, SubscriptionState::Ended.word()])
    }

    /// Messages to cards that their carriers took, handed in at `from` or later and before `to`: (card, messages), of a longer one each
    /// of its parts.
    pub fn messages_of(&mut self, sims: &[i64], from: Timestamp, to: Timestamp) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT sim_id, COUNT(*), CAST(LENGTH(text) AS BIGINT) FROM sms
             WHERE {} AND created_at >= ? AND created_at < ? AND state IN (?, ?) GROUP BY sim_id, LENGTH(text)",
            self.one_of("sim_id")
        );
        let list = self.list(sims.iter().copied());
        let values = binds![list, from.0, to.0, SmsState::Sent.word(), SmsState::Delivered.word()];
        let mut messages: BTreeMap<i64, i64> = BTreeMap::new();
        for (sim, count, chars) in self.rows::<(i64, i64, i64)>(&text, &values)? {
            *messages.entry(sim).or_default() += count * parts_of(chars);
        }
        Ok(messages.into_iter().collect())
    }

    /// Keeps what a card's own account at the carrier has; an older word changes nothing.
    pub fn put_carrier_balance(&mut self, sim: SimId, minor: i64, as_of: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO carrier_balance (sim_id, minor, as_of) VALUES (?, ?, ?) ON CONFLICT (sim_id) DO UPDATE
             SET minor = excluded.minor, as_of = excluded.as_of WHERE carrier_balance.as_of <= excluded.as_of",
            &binds![sim.0, minor, as_of.0],
        )?;
        Ok(())
    }

    /// What the cards' own accounts at the carrier have: (card, minor units of yuan).
    pub fn carrier_balances(&mut self, sims: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!("SELECT sim_id, minor FROM carrier_balance WHERE {}", self.one_of("sim_id"));
        let list = self.list(sims.iter().copied());
        self.rows(&text, &binds![list])
    }

    /// A page of the accounts' cards that owe their carrier, by number: (card, minor units); and how many there are.
    pub fn cards_in_debt(&mut self, accounts: &[AccountId], offset: i64, limit: i64) -> Result<(Vec<(i64, i64)>, i64), Error> {
        let among =
            format!("FROM carrier_balance b JOIN sim s ON s.id = b.sim_id WHERE b.minor < 0 AND {}", self.one_of("s.account_id"));
        let list = self.list(accounts.iter().map(|a| a.0));
        let total = self.row::<(i64,)>(&format!("SELECT COUNT(*) {among}"), &binds![&list])?.map_or(0, |r| r.0);
        let text = format!("SELECT b.sim_id, b.minor {among} ORDER BY b.sim_id LIMIT ? OFFSET ?");
        Ok((self.rows(&text, &binds![&list, limit, offset])?, total))
    }

    /// The cards in pools: (pool, cards, of them activated, up to when usage of any of them is known).
    pub fn pool_figures(&mut self, pools: &[PoolId]) -> Result<Vec<PoolFigure>, Error> {
        let text = format!(
            "SELECT m.pool_id, COUNT(*), CAST(SUM(CASE WHEN s.state IN ('active', 'stopped') THEN 1 ELSE 0 END) AS BIGINT), MAX(t.as_of)
             FROM pool_member m JOIN sim s ON s.id = m.sim_id JOIN sim_state t ON t.sim_id = m.sim_id
             WHERE {} AND m.left_at IS NULL GROUP BY m.pool_id",
            self.one_of("m.pool_id")
        );
        let list = self.list(pools.iter().map(|p| p.0));
        self.rows(&text, &binds![list])
    }
}
