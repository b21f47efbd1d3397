//! Pools, who is in them, what they paid of which reading, and how they stood to their members. A pool's orders and
//! subscriptions are rows of `orders` and `subscription` with card 0.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::orders::{SUB_COLUMNS, SubRow, Subscription, subscription};
use kachi_domain::{AccountId, OrderId, PackageId, PoolId, SimId, SubscriptionId, Timestamp};

/// A pool as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its number.
    pub id: PoolId,
    /// Whose it is.
    pub account: AccountId,
    /// The code of one that came from a file.
    pub code: Option<String>,
    /// The type it was made of.
    pub package: PackageId,
    /// How many cards it takes; 0: a joint pool, of as many as come.
    pub slots: i64,
    /// The most bytes that one card takes of one subscription.
    pub member_cap_bytes: Option<i64>,
    /// The owner's note.
    pub memo: String,
    /// After its last input, JSON; empty before the first.
    pub state: String,
    /// When something happens by itself.
    pub due_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When it was deleted; what was used in it stays.
    pub deleted_at: Option<i64>,
}

type PoolRow = (i64, i64, Option<String>, i64, i64, Option<i64>, String, String, Option<i64>, i64, Option<i64>);
const COLUMNS: &str =
    "p.id, p.account_id, p.code, p.package_id, p.slots, p.member_cap_bytes, p.memo, p.state, p.due_at, p.created_at,
    p.deleted_at";

fn pool(r: PoolRow) -> Pool {
    Pool {
        id: PoolId(r.0),
        account: AccountId(r.1),
        code: r.2,
        package: PackageId(r.3),
        slots: r.4,
        member_cap_bytes: r.5,
        memo: r.6,
        state: r.7,
        due_at: r.8,
        created_at: r.9,
        deleted_at: r.10,
    }
}

/// A card's stay in a pool; `left_at` itself is no longer in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The card.
    pub sim: SimId,
    /// The pool.
    pub pool: PoolId,
    /// From when.
    pub joined_at: i64,
    /// Until when; none = still.
    pub left_at: Option<i64>,
}

/// What a pool paid of a reading: (card, stop, start, source id, pool, bytes).
pub type Payment = (i64, i64, i64, i64, i64, i64);

/// How a pool stood to a card from an instant on: (card, at, pool, until, last subscription).
pub type Stand = (i64, i64, i64, Option<i64>, Option<i64>);

/// Rows in one statement.
const GROUP: usize = 100;
/// Cards in one list.
const LIST: usize = 2_000;

/// An order for a pool: (order, pool, its code, its owner's note).
pub type PoolOrder = (i64, i64, Option<String>, String);

impl Tx<'_> {
    /// The packages that are sold for pools, each with its slots.
    pub fn pool_types(&mut self) -> Result<Vec<(PackageId, i64)>, Error> {
        let rows = self.rows::<(i64, i64)>("SELECT package_id, slots FROM pool_type ORDER BY package_id", &[])?;
        Ok(rows.into_iter().map(|(id, slots)| (PackageId(id), slots)).collect())
    }

    /// The package is sold for pools of so many slots.
    pub fn put_pool_type(&mut self, package: PackageId, slots: i64) -> Result<(), Error> {
        self.run(
            "INSERT INTO pool_type (package_id, slots) VALUES (?, ?) ON CONFLICT (package_id) DO UPDATE SET slots = excluded.slots",
            &binds![package.0, slots],
        )?;
        Ok(())
    }

    /// Adds a pool; a number of 0 lets the database choose. A known number or code is a constraint error.
    pub fn add_pool(&mut self, p: &Pool) -> Result<PoolId, Error> {
        let columns = "account_id, code, package_id, slots, member_cap_bytes, memo, state, created_at";
        let (account, code, cap) = (p.account.0, p.code.as_deref(), p.member_cap_bytes);
        if p.id.0 == 0 {
            let text = format!("INSERT INTO pool ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id");
            let values = binds![account, code, p.package.0, p.slots, cap, &p.memo, &p.state, p.created_at];
            return Ok(PoolId(self.row::<(i64,)>(&text, &values)?.map_or(0, |r| r.0)));
        }
        let text = format!("INSERT INTO pool (id, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        self.run(&text, &binds![p.id.0, account, code, p.package.0, p.slots, cap, &p.memo, &p.state, p.created_at])?;
        if self.is_postgres() {
            // A number that was given must not be made again.
            let text = "SELECT setval(pg_get_serial_sequence('pool', 'id'), (SELECT MAX(id) FROM pool))";
            self.rows::<(i64,)>(text, &[])?;
        }
        Ok(p.id)
    }

    /// Changes what a file may change.
    pub fn set_pool(&mut self, id: PoolId, member_cap_bytes: Option<i64>, memo: &str) -> Result<(), Error> {
        self.run("UPDATE pool SET member_cap_bytes = ?, memo = ? WHERE id = ?", &binds![member_cap_bytes, memo, id.0])?;
        Ok(())
    }

    /// The pool is no more.
    pub fn set_pool_deleted(&mut self, id: PoolId, now: Timestamp) -> Result<(), Error> {
        self.run("UPDATE pool SET deleted_at = ? WHERE id = ?", &binds![now.0, id.0])?;
        Ok(())
    }

    /// The accounts' pools, by number.
    pub fn pools(&mut self, accounts: &[AccountId]) -> Result<Vec<Pool>, Error> {
        let text =
            format!("SELECT {COLUMNS} FROM pool p WHERE {} AND p.deleted_at IS NULL ORDER BY p.id", self.one_of("p.account_id"));
        let list = self.list(accounts.iter().map(|a| a.0));
        Ok(self.rows::<PoolRow>(&text, &binds![list])?.into_iter().map(pool).collect())
    }

    /// A pool by its number, whoever's it is, deleted or not.
    pub fn pool_by_id(&mut self, id: PoolId) -> Result<Option<Pool>, Error> {
        let text = format!("SELECT {COLUMNS} FROM pool p WHERE p.id = ?");
        Ok(self.row::<PoolRow>(&text, &binds![id.0])?.map(pool))
    }

    /// A pool by its number or code, whoever's it is, deleted or not; locked where the engine locks rows. Pools are locked
    /// before the states of their cards, the lowest number first.
    pub fn pool_locked(&mut self, id: PoolId) -> Result<Option<Pool>, Error> {
        let text = format!("SELECT {COLUMNS} FROM pool p WHERE p.id = ?{}", self.for_update());
        Ok(self.row::<PoolRow>(&text, &binds![id.0])?.map(pool))
    }

    /// A pool by the code that a file gave it.
    pub fn pool_by_code(&mut self, code: &str) -> Result<Option<Pool>, Error> {
        let text = format!("SELECT {COLUMNS} FROM pool p WHERE p.code = ?");
        Ok(self.row::<PoolRow>(&text, &binds![code])?.map(pool))
    }

    /// Writes a locked pool's state.
    pub fn put_pool_state(&mut self, id: PoolId, state: &str, due_at: Option<i64>) -> Result<(), Error> {
        self.run("UPDATE pool SET state = ?, due_at = ? WHERE id = ?", &binds![state, due_at, id.0])?;
        Ok(())
    }

    /// Pools for which something is due.
    pub fn pools_due(&mut self, now: Timestamp, limit: i64) -> Result<Vec<PoolId>, Error> {
        let text = "SELECT id FROM pool WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?";
        Ok(self.rows::<(i64,)>(text, &binds![now.0, limit])?.into_iter().map(|r| PoolId(r.0)).collect())
    }

    /// The newest state that was kept before the first input of a day up to `day`: (its day, state).
    pub fn pool_mark(&mut self, id: PoolId, day: i64) -> Result<Option<(i64, String)>, Error> {
        let text = "SELECT day, state FROM pool_mark WHERE pool_id = ? AND day <= ? ORDER BY day DESC LIMIT 1";
        self.row(text, &binds![id.0, day])
    }

    /// Keeps a state from before the first input of the day.
    pub fn put_pool_mark(&mut self, id: PoolId, day: i64, state: &str) -> Result<(), Error> {
        self.run(
            "INSERT INTO pool_mark (pool_id, day, state) VALUES (?, ?, ?) ON CONFLICT (pool_id, day) DO UPDATE SET state = excluded.state",
            &binds![id.0, day, state],
        )?;
        Ok(())
    }

    /// Forgets the states kept of days after `day`: they are told again.
    pub fn drop_pool_marks_after(&mut self, id: PoolId, day: i64) -> Result<(), Error> {
        self.run("DELETE FROM pool_mark WHERE pool_id = ? AND day > ?", &binds![id.0, day])?;
        Ok(())
    }

    /// Forgets the states of days before `day` but the newest of them: nothing older changes any more.
    pub fn prune_pool_marks(&mut self, id: PoolId, day: i64) -> Result<(), Error> {
        self.run(
            "DELETE FROM pool_mark WHERE pool_id = ? AND day < (SELECT MAX(day) FROM pool_mark WHERE pool_id = ? AND day <= ?)",
            &binds![id.0, id.0, day],
        )?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Whether any card was ever in a pool.
    pub fn any_pool_member(&mut self) -> Result<bool, Error> {
        Ok(self.row::<(i64,)>("SELECT id FROM pool_member LIMIT 1", &[])?.is_some())
    }

    /// Every stay of these cards in any pool.
    pub fn pool_stays_of(&mut self, sims: &[i64]) -> Result<Vec<Stay>, Error> {
        let text =
            format!("SELECT sim_id, pool_id, joined_at, left_at FROM pool_member WHERE {} ORDER BY id", self.one_of("sim_id"));
        let mut found = Vec::new();
        for part in sims.chunks(LIST) {
            let list = self.list(part.iter().copied());
            found.extend(self.rows::<(i64, i64, i64, Option<i64>)>(&text, &binds![list])?.into_iter().map(stay));
        }
        Ok(found)
    }

    /// The stays in a pool that were not over at `from`.
    pub fn pool_stays(&mut self, id: PoolId, from: Timestamp) -> Result<Vec<Stay>, Error> {
        let text =
            "SELECT sim_id, pool_id, joined_at, left_at FROM pool_member WHERE pool_id = ? AND (left_at IS NULL OR left_at >= ?)
                    ORDER BY id";
        Ok(self.rows::<(i64, i64, i64, Option<i64>)>(text, &binds![id.0, from.0])?.into_iter().map(stay).collect())
    }

    /// The cards in a pool, as they joined: (card, iccid, since).
    pub fn pool_members(&mut self, id: PoolId) -> Result<Vec<(i64, String, i64)>, Error> {
        let text = "SELECT m.sim_id, s.iccid, m.joined_at FROM pool_member m JOIN sim s ON s.id = m.sim_id
                    WHERE m.pool_id = ? AND m.left_at IS NULL ORDER BY m.id";
        self.rows(text, &binds![id.0])
    }

    /// How many cards are in each pool that has any.
    pub fn pool_member_counts(&mut self, pools: &[PoolId]) -> Result<Vec<(i64, i64)>, Error> {
        let text = format!(
            "SELECT pool_id, COUNT(*) FROM pool_member WHERE {} AND left_at IS NULL GROUP BY pool_id",
            self.one_of("pool_id")
        );
        let list = self.list(pools.iter().map(|p| p.0));
        self.rows(&text, &binds![list])
    }

    /// A card joins a pool. One that is in a pool already is a constraint error.
    pub fn join_pool(&mut self, id: PoolId, sim: SimId, account: AccountId, at: Timestamp) -> Result<(), Error> {
        self.run(
            "INSERT INTO pool_member (pool_id, sim_id, account_id, joined_at) VALUES (?, ?, ?, ?)",
            &binds![id.0, sim.0, account.0, at.0],
        )?;
        self.count_pool_move(sim)
    }

    /// A card leaves the pool it is in.
    pub fn leave_pool(&mut self, id: PoolId, sim: SimId, at: Timestamp) -> Result<(), Error> {
        let text = "UPDATE pool_member SET left_at = ? WHERE pool_id = ? AND sim_id = ? AND left_at IS NULL";
        self.run(text, &binds![at.0, id.0, sim.0])?;
        self.count_pool_move(sim)
    }

    fn count_pool_move(&mut self, sim: SimId) -> Result<(), Error> {
        self.run("UPDATE sim_state SET pool_moves = pool_moves + 1 WHERE sim_id = ?", &binds![sim.0])?;
        Ok(())
    }
}

fn stay(r: (i64, i64, i64, Option<i64>)) -> Stay {
    Stay { sim: SimId(r.0), pool: PoolId(r.1), joined_at: r.2, left_at: r.3 }
}

impl Tx<'_> {
    /// What pools paid of readings of these cards that stopped at `from` or later.
    pub fn pool_payments(&mut self, sims: &[i64], from: Timestamp) -> Result<Vec<Payment>, Error> {
        let text = format!(
            "SELECT sim_id, stop_at, start_at, source_id, pool_id, bytes FROM pool_payment WHERE {} AND stop_at >= ?",
            self.one_of("sim_id")
        );
        let mut found = Vec::new();
        for part in sims.chunks(LIST) {
            let list = self.list(part.iter().copied());
            found.extend(self.rows::<Payment>(&text, &binds![list, from.0])?);
        }
        Ok(found)
    }

    /// Writes what a pool paid; 0 bytes is nothing.
    pub fn put_pool_payments(&mut self, payments: &[Payment]) -> Result<(), Error> {
        let (paid, unpaid): (Vec<&Payment>, Vec<&Payment>) = payments.iter().partition(|p| p.5 > 0);
        for p in unpaid {
            let text = "DELETE FROM pool_payment WHERE sim_id = ? AND stop_at = ? AND start_at = ? AND source_id = ?";
            self.run(text, &binds![p.0, p.1, p.2, p.3])?;
        }
        let text = "INSERT INTO pool_payment (sim_id, stop_at, start_at, source_id, pool_id, bytes) VALUES {}
             ON CONFLICT (sim_id, stop_at, start_at, source_id) DO UPDATE SET pool_id = excluded.pool_id, bytes = excluded.bytes";
        for part in paid.chunks(GROUP) {
            let values: Vec<Value<'_>> = part.iter().flat_map(|p| binds![p.0, p.1, p.2, p.3, p.4, p.5]).collect();
            self.run_group(text, "(?, ?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(())
    }

    /// How any pool stood to a card after `from`, by instant.
    pub fn pool_stands_of(&mut self, sim: SimId, from: Timestamp) -> Result<Vec<Stand>, Error> {
        let text = "SELECT sim_id, at, pool_id, until_at, last_id FROM pool_stand WHERE sim_id = ? AND at >= ? ORDER BY at";
        self.rows(text, &binds![sim.0, from.0])
    }

    /// How a pool stood to any of these cards from `from` on.
    pub fn pool_stands(&mut self, id: PoolId, sims: &[i64], from: Timestamp) -> Result<Vec<Stand>, Error> {
        let text = format!(
            "SELECT sim_id, at, pool_id, until_at, last_id FROM pool_stand WHERE {} AND at >= ? AND pool_id = ?",
            self.one_of("sim_id")
        );
        let mut found = Vec::new();
        for part in sims.chunks(LIST) {
            let list = self.list(part.iter().copied());
            found.extend(self.rows::<Stand>(&text, &binds![list, from.0, id.0])?);
        }
        Ok(found)
    }

    /// Writes how a pool stands.
    pub fn put_pool_stands(&mut self, stands: &[Stand]) -> Result<(), Error> {
        let text = "INSERT INTO pool_stand (sim_id, at, pool_id, until_at, last_id) VALUES {}
             ON CONFLICT (sim_id, at, pool_id) DO UPDATE SET until_at = excluded.until_at, last_id = excluded.last_id";
        for part in stands.chunks(GROUP) {
            let values: Vec<Value<'_>> = part.iter().flat_map(|s| binds![s.0, s.1, s.2, s.3, s.4]).collect();
            self.run_group(text, "(?, ?, ?, ?, ?)", part.len(), GROUP, &values)?;
        }
        Ok(())
    }

    /// A stand that was told and is not so.
    pub fn drop_pool_stand(&mut self, s: &Stand) -> Result<(), Error> {
        self.run("DELETE FROM pool_stand WHERE sim_id = ? AND at = ? AND pool_id = ?", &binds![s.0, s.1, s.2])?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Every subscription of a pool, in the order bought.
    pub fn subscriptions_of_pool(&mut self, id: PoolId) -> Result<Vec<Subscription>, Error> {
        let text = format!("SELECT {SUB_COLUMNS} FROM subscription WHERE pool_id = ? ORDER BY id");
        self.rows::<SubRow>(&text, &binds![id.0])?.into_iter().map(subscription).collect()
    }

    /// Those of the orders that are for pools.
    pub fn pools_of_orders(&mut self, orders: &[OrderId]) -> Result<Vec<PoolOrder>, Error> {
        let (among, value) = self.among("s.order_id", &orders.iter().map(|o| o.0).collect::<Vec<_>>());
        // Pools are few beside cards: theirs are found by the index of those that are of pools.
        let text = format!(
            "SELECT s.order_id, p.id, p.code, p.memo FROM subscription s JOIN pool p ON p.id = s.pool_id
             WHERE s.pool_id IS NOT NULL AND {among}"
        );
        self.rows(&text, &[value])
    }

    /// Adds a subscription of a pool (its card is 0); the answer is its number.
    pub fn add_pool_subscription(&mut self, id: PoolId, s: &Subscription) -> Result<SubscriptionId, Error> {
        let added = self.add_subscription(s)?;
        self.run("UPDATE subscription SET pool_id = ? WHERE id = ?", &binds![id.0, added.0])?;
        Ok(added)
    }

    /// Bytes that pools paid for each card: (card, bytes).
    pub fn audit_paid_by_card(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows("SELECT sim_id, CAST(SUM(bytes) AS BIGINT) FROM pool_payment GROUP BY sim_id", &[])
    }

    /// Bytes that each pool paid: (pool, bytes).
    pub fn audit_paid_by_pool(&mut self) -> Result<Vec<(i64, i64)>, Error> {
        self.rows("SELECT pool_id, CAST(SUM(bytes) AS BIGINT) FROM pool_payment GROUP BY pool_id", &[])
    }

    /// Every pool after `after`, for the audit.
    pub fn pools_page(&mut self, after: i64, limit: i64) -> Result<Vec<Pool>, Error> {
        let text = format!("SELECT {COLUMNS} FROM pool p WHERE p.id > ? ORDER BY p.id LIMIT ?");
        Ok(self.rows::<PoolRow>(&text, &binds![after, limit])?.into_iter().map(pool).collect())
    }

    /// What must not be about pools, in sentences.
    pub fn audit_pools(&mut self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for (sentence, query) in AUDITS {
            for (id,) in self.rows::<(i64,)>(query, &[])? {
                found.push(sentence.replace("{}", &id.to_string()));
            }
        }
        Ok(found)
    }
}

/// Sentences for the audit: each query lists what must not be.
const AUDITS: &[(&str, &str)] = &[
    (
        "card {}: in two pools at once",
        "SELECT a.sim_id FROM pool_member a JOIN pool_member b ON b.sim_id = a.sim_id AND b.id > a.id AND b.joined_at < COALESCE(a.left_at, b.joined_at + 1)
         AND b.joined_at < COALESCE(b.left_at, b.joined_at + 1) LIMIT 50",
    ),
    (
        "pool {}: more cards than slots",
        "SELECT p.id FROM pool p JOIN (SELECT pool_id, COUNT(*) AS n FROM pool_member WHERE left_at IS NULL GROUP BY pool_id) m
         ON m.pool_id = p.id WHERE p.slots > 0 AND m.n > p.slots LIMIT 50",
    ),
    (
        "pool {}: deleted with cards in it",
        "SELECT p.id FROM pool p WHERE p.deleted_at IS NOT NULL AND EXISTS
         (SELECT 1 FROM pool_member m WHERE m.pool_id = p.id AND m.left_at IS NULL) LIMIT 50",
    ),
    (
        "card {}: in a pool of another account",
        "SELECT s.id FROM pool_member m JOIN pool p ON p.id = m.pool_id JOIN sim s ON s.id = m.sim_id
         WHERE m.left_at IS NULL AND s.account_id <> p.account_id LIMIT 50",
    ),
    (
        "card {}: in a pool of another product",
        "SELECT s.id FROM pool_member m JOIN pool p ON p.id = m.pool_id JOIN package k ON k.id = p.package_id JOIN sim s ON s.id = m.sim_id
         WHERE m.left_at IS NULL AND s.product_id <> k.product_id LIMIT 50",
    ),
    (
        "card {}: its count of pool moves is wrong",
        "SELECT t.sim_id FROM sim_state t JOIN (SELECT sim_id, SUM(CASE WHEN left_at IS NULL THEN 1 ELSE 2 END) AS n FROM pool_member GROUP BY sim_id) m
         ON m.sim_id = t.sim_id WHERE m.n <> t.pool_moves LIMIT 50",
    ),
];
