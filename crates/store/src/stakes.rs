//! Joint pools: how the stake of each of their cards stood from when, and which of them are to be added up anew. The pools
//! themselves, and who is in them, are in [`crate::pools`].

use crate::binds;
use crate::db::{Error, Tx};
use crate::pools::Pool;
use kachi_domain::{PoolId, SimId, Timestamp};

impl Pool {
    /// Whether its cards bring their own packages as stakes, instead of taking of what was bought for it.
    pub fn is_joint(&self) -> bool {
        self.slots == 0
    }
}

/// How a card's stake stood from an instant on: (card, at, pool, package or none, nothing left since, by its own cap).
pub type StakeRow = (i64, i64, i64, Option<i64>, Option<i64>, i64);

impl Tx<'_> {
    /// Keeps how a card's stake stands from an instant on; the newer word on the same instant counts.
    pub fn put_pool_stake(&mut self, s: &StakeRow) -> Result<(), Error> {
        self.run(
            "INSERT INTO pool_stake (sim_id, at, pool_id, package_id, until_at, capped) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (sim_id, at, pool_id) DO UPDATE SET package_id = excluded.package_id, until_at = excluded.until_at,
             capped = excluded.capped",
            &binds![s.0, s.1, s.2, s.3, s.4, s.5],
        )?;
        Ok(())
    }

    /// How a card's stake stood from `from` on, by instant.
    pub fn pool_stakes_of(&mut self, sim: SimId, from: Timestamp) -> Result<Vec<StakeRow>, Error> {
        let text = "SELECT sim_id, at, pool_id, package_id, until_at, capped FROM pool_stake WHERE sim_id = ? AND at >= ?
                    ORDER BY at, pool_id";
        self.rows(text, &binds![sim.0, from.0])
    }

    /// Something of these cards changed: their pools are to be added up. The caller holds their states.
    pub fn stir_pools(&mut self, sims: &[SimId]) -> Result<(), Error> {
        for sim in sims {
            self.run("INSERT INTO pool_stir (sim_id) VALUES (?) ON CONFLICT (sim_id) DO NOTHING", &binds![sim.0])?;
        }
        Ok(())
    }

    /// The cards in joint pools, for the audit.
    pub fn audit_joint_members(&mut self) -> Result<Vec<i64>, Error> {
        let text = "SELECT m.sim_id FROM pool_member m JOIN pool p ON p.id = m.pool_id WHERE m.left_at IS NULL AND p.slots = 0";
        Ok(self.rows::<(i64,)>(text, &[])?.into_iter().map(|r| r.0).collect())
    }

    /// Pools that are to be added up.
    pub fn pools_stirred(&mut self, limit: i64) -> Result<Vec<PoolId>, Error> {
        let text =
            "SELECT DISTINCT m.pool_id FROM pool_stir s JOIN pool_member m ON m.sim_id = s.sim_id AND m.left_at IS NULL LIMIT ?";
        Ok(self.rows::<(i64,)>(text, &binds![limit])?.into_iter().map(|r| PoolId(r.0)).collect())
    }

    /// The pools of these cards were added up. The caller holds their states.
    pub fn calm_pools(&mut self, sims: &[i64]) -> Result<(), Error> {
        let text = format!("DELETE FROM pool_stir WHERE {}", self.one_of("sim_id"));
        let list = self.list(sims.iter().copied());
        self.run(&text, &binds![list])?;
        Ok(())
    }
}
