//! Subscriptions whose rest went to another card.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::rating::Rest;
use kachi_domain::{AccountId, SimId, SubscriptionId};

/// One that went to another card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The subscription that went away.
    pub subscription: SubscriptionId,
    /// Who did it.
    pub account: AccountId,
    /// The card it was on.
    pub sim: SimId,
    /// When, epoch seconds.
    pub at: i64,
    /// The subscription it became.
    pub to_subscription: SubscriptionId,
    /// That one's card.
    pub to_sim: SimId,
    /// What was left, by what is known of the first card now.
    pub rest: Rest,
    /// What the new subscription has of it.
    pub given: Rest,
    /// Why, in the caller's words.
    pub memo: String,
}

type Row = (i64, i64, i64, i64, i64, i64, String, String, String);
const COLUMNS: &str = "subscription_id, account_id, sim_id, at, to_subscription_id, to_sim_id, rest, given, memo";

fn read_rest(text: &str) -> Result<Rest, Error> {
    serde_json::from_str(text).map_err(|e| Error::Engine(format!("a stored rest does not read: {e}")))
}

fn written(rest: Rest) -> Result<String, Error> {
    serde_json::to_string(&rest).map_err(|e| Error::Engine(e.to_string()))
}

fn transfer(r: Row) -> Result<Transfer, Error> {
    Ok(Transfer {
        subscription: SubscriptionId(r.0),
        account: AccountId(r.1),
        sim: SimId(r.2),
        at: r.3,
        to_subscription: SubscriptionId(r.4),
        to_sim: SimId(r.5),
        rest: read_rest(&r.6)?,
        given: read_rest(&r.7)?,
        memo: r.8,
    })
}

impl Tx<'_> {
    /// Notes that a subscription went to another card.
    pub fn add_transfer(&mut self, t: &Transfer) -> Result<(), Error> {
        self.run(
            "INSERT INTO transfer (subscription_id, account_id, sim_id, at, to_subscription_id, to_sim_id, rest, given, memo)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &binds![
                t.subscription.0,
                t.account.0,
                t.sim.0,
                t.at,
                t.to_subscription.0,
                t.to_sim.0,
                written(t.rest)?,
                written(t.given)?,
                &t.memo
            ],
        )?;
        Ok(())
    }

    /// How a subscription went away, if it did.
    pub fn transfer(&mut self, subscription: SubscriptionId) -> Result<Option<Transfer>, Error> {
        let text = format!("SELECT {COLUMNS} FROM transfer WHERE subscription_id = ?");
        self.row::<Row>(&text, &binds![subscription.0])?.map(transfer).transpose()
    }

    /// What went away from, or came to, a card.
    pub fn transfers_of(&mut self, sim: SimId) -> Result<Vec<Transfer>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM transfer WHERE sim_id = ? UNION SELECT {COLUMNS} FROM transfer WHERE to_sim_id = ? ORDER BY 1"
        );
        self.rows::<Row>(&text, &binds![sim.0, sim.0])?.into_iter().map(transfer).collect()
    }

    /// Subscriptions of which what was left is not what the new one has.
    pub fn transfers_due(&mut self, limit: i64) -> Result<Vec<SubscriptionId>, Error> {
        let text = "SELECT subscription_id FROM transfer WHERE rest <> given ORDER BY subscription_id LIMIT ?";
        Ok(self.rows::<(i64,)>(text, &binds![limit])?.into_iter().map(|r| SubscriptionId(r.0)).collect())
    }

    /// The first card's history says otherwise by now.
    pub fn set_transfer_rest(&mut self, subscription: SubscriptionId, rest: Rest) -> Result<(), Error> {
        self.run("UPDATE transfer SET rest = ? WHERE subscription_id = ?", &binds![written(rest)?, subscription.0])?;
        Ok(())
    }

    /// Gives the new subscription what was left. The card's history must be told again.
    pub fn give_transfer_rest(&mut self, t: &Transfer, rest: Rest) -> Result<(), Error> {
        self.run("UPDATE transfer SET given = ? WHERE subscription_id = ?", &binds![written(rest)?, t.subscription.0])?;
        self.run("UPDATE subscription SET used_before = ? WHERE id = ?", &binds![rest.used_bytes, t.to_subscription.0])?;
        Ok(())
    }
}
