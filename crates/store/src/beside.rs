//! What is known of cards beside their own rows, for figures of many cards at once: one statement, whose parts tell of use, messages,
//! moves, voice, subscriptions, balances and carriers' words. Where each statement is a way to another process, that way is most of
//! what such a question costs.

use crate::carrier_words::heard;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use kachi_domain::carrier::Heard;
use kachi_domain::order::SubscriptionState;
use kachi_domain::package::Terms;
use kachi_domain::sms::{SmsState, parts_of};
use kachi_domain::{AccountId, Timestamp};
use std::collections::HashMap;

/// What is asked of which cards.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The cards.
    pub sims: &'a [i64],
    /// The accounts whose usage counts, and between which a card does not move away.
    pub accounts: &'a [AccountId],
    /// The first and the last day of use (days since 1970-01-01).
    pub days: (i64, i64),
    /// Messages that were handed in at the first instant or later and before the second; subscriptions bought or ended since the first.
    pub span: (Timestamp, Timestamp),
    /// Voice of billing months that began at the instant or later.
    pub voice_since: Timestamp,
    /// Whether subscriptions, balances and carriers' words are told too.
    pub all: bool,
}

/// As much of a subscription as figures need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// When it was bought.
    pub bought_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Bytes it paid for.
    pub used_bytes: i64,
    /// When it was taken back.
    pub refunded_at: Option<i64>,
    /// Where it stands.
    pub state: SubscriptionState,
    /// What was sold.
    pub terms: Terms,
}

/// A card's coming from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedIn {
    /// When.
    pub at: Timestamp,
    /// The billing month it came in, and the seconds that it had spoken of it by then; none: nothing was ever told.
    pub spoke: Option<(Timestamp, i64)>,
}

/// What is known, by card.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Bytes and records of the days, of the usage that these accounts owned.
    pub used: HashMap<i64, (i64, i64)>,
    /// Messages that their carriers took.
    pub messages: HashMap<i64, i64>,
    /// When each last went from an account that is none of these to another one; of those that ever did.
    pub moved: HashMap<i64, MovedIn>,
    /// What they spoke: (card, the billing month's beginning, seconds).
    pub voice: Vec<(i64, Timestamp, i64)>,
    /// What was bought or ended of late.
    pub held: HashMap<i64, Vec<Held>>,
    /// What their own accounts at the carrier have, minor units of yuan.
    pub balances: HashMap<i64, i64>,
    /// Where they stand, whether they are connected and switched on as their carriers last said, without why they are stopped.
    pub heard: HashMap<i64, Heard>,
}

/// (part, card, and what the part tells).
type Row =
    (i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>, Option<String>);

impl Tx<'_> {
    /// What is known of the cards.
    pub fn beside(&mut self, ask: &Ask<'_>) -> Result<Beside, Error> {
        let (sim, account) = (self.one_of("sim_id"), self.one_of("account_id"));
        let mut text = format!(
            "SELECT CAST(1 AS BIGINT), sim_id, CAST(SUM(bytes) AS BIGINT), CAST(SUM(records) AS BIGINT), CAST(NULL AS BIGINT),
             CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
             FROM sim_day WHERE {sim} AND day >= ? AND day <= ? AND {account} GROUP BY sim_id
             UNION ALL SELECT 2, sim_id, COUNT(*), CAST(LENGTH(text) AS BIGINT), NULL, NULL, NULL, NULL, NULL, NULL FROM sms
             WHERE {sim} AND created_at >= ? AND created_at < ? AND state IN (?, ?) GROUP BY sim_id, LENGTH(text)
             UNION ALL SELECT 3, m.sim_id, m.at, m.voice_from, m.voice_seconds, NULL, NULL, NULL, NULL, NULL FROM sim_move m
             WHERE {} AND NOT ({}) AND m.at = (SELECT MAX(x.at) FROM sim_move x WHERE x.sim_id = m.sim_id AND NOT ({}))
             UNION ALL SELECT 4, sim_id, from_at, seconds, NULL, NULL, NULL, NULL, NULL, NULL FROM voice_use WHERE {sim} AND from_at >= ?",
            self.one_of("m.sim_id"),
            self.one_of("m.from_account"),
            self.one_of("x.from_account")
        );
        let sims = || Value::Owned(self.list(ask.sims.iter().copied()));
        let accounts = || Value::Owned(self.list(ask.accounts.iter().map(|a| a.0)));
        let int = |n: i64| Value::Int(Some(n));
        let (from, to) = (ask.span.0.0, ask.span.1.0);
        let taken = [SmsState::Sent, SmsState::Delivered].map(|state| Value::Text(Some(state.word())));
        let mut values = vec![sims(), int(ask.days.0), int(ask.days.1), accounts(), sims(), int(from), int(to)];
        values.extend(taken);
        values.extend([sims(), accounts(), accounts(), sims(), int(ask.voice_since.0)]);
        if ask.all {
            text += &format!(
                "
             UNION ALL SELECT 5, sim_id, bought_at, ended_at, used_bytes, refunded_at, NULL, state, terms, NULL FROM subscription
             WHERE {sim} AND (bought_at >= ? OR ended_at >= ?)
             UNION ALL SELECT 6, sim_id, minor, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM carrier_balance WHERE {sim}
             UNION ALL SELECT 7, sim_id, standing_at, since, sessions_at, power, power_at, base, raw, sessions FROM carrier_word WHERE {sim}"
            );
            values.extend([sims(), int(from), int(from), sims(), sims()]);
        }
        let rows = self.rows::<Row>(&text, &values)?;
        let mut beside = Beside::default();
        for row in rows {
            beside.add(row)?;
        }
        Ok(beside)
    }
}

impl Beside {
    fn add(&mut self, (part, sim, a, b, c, d, e, x, y, z): Row) -> Result<(), Error> {
        let n = a.unwrap_or(0);
        match part {
            1 => _ = self.used.insert(sim, (n, b.unwrap_or(0))),
            2 => *self.messages.entry(sim).or_default() += n * parts_of(b.unwrap_or(0)),
            3 => {
                let spoke = b.map(Timestamp).zip(c);
                self.moved.insert(sim, MovedIn { at: Timestamp(n), spoke });
            }
            4 => self.voice.push((sim, Timestamp(n), b.unwrap_or(0))),
            5 => {
                let terms = serde_json::from_str(&y.unwrap_or_default());
                let held = Held {
                    bought_at: n,
                    ended_at: b,
                    used_bytes: c.unwrap_or(0),
                    refunded_at: d,
                    state: SubscriptionState::parse(&x.unwrap_or_default()).map_err(Error::Engine)?,
                    terms: terms.map_err(|e| Error::Engine(format!("a subscription of card {sim}: {e}")))?,
                };
                self.held.entry(sim).or_default().push(held);
            }
            6 => _ = self.balances.insert(sim, n),
            _ => self.heard.extend([heard((sim, x, y, b, a, None, None, None, None, z, c, d, e))]),
        }
        Ok(())
    }
}
