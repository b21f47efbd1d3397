//! Cards by EID.

use crate::binds;
use crate::db::{Error, Tx};
use crate::sims::{BELOW, SIM_COLUMNS, Sim, SimRow, sim};
use kachi_domain::account::Path;

impl Tx<'_> {
    /// The card with this EID among those the account sees.
    pub fn sim_by_eid(&mut self, actor: &Path, eid: &str) -> Result<Option<Sim>, Error> {
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim_key k JOIN sim s ON s.id = k.sim_id JOIN account a ON a.id = s.account_id
             WHERE k.number = ? AND k.kind = 'eid' AND {BELOW}"
        );
        Ok(self.row::<SimRow>(&text, &binds![eid, actor.as_str(), actor.as_str()])?.map(sim))
    }
}
