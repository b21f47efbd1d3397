//! Cards by EID.

use crate::binds;
use crate::db::sql::Value;
use crate::db::{Error, Tx};
use crate::page::integers;
use crate::sims::{SIM_COLUMNS, Sim, SimRow, below, sim};
use kachi_domain::AccountId;
use kachi_domain::account::Path;
use kachi_domain::sim::Stage;

/// Which cards with an EID; every field given narrows.
#[derive(Debug, Clone, Copy, Default)]
pub struct EidFilter<'a> {
    /// Only of this stage.
    pub stage: Option<Stage>,
    /// Only with one of these EIDs.
    pub eids: Option<&'a [String]>,
}

impl Tx<'_> {
    /// The card with this EID among those the account sees.
    pub fn sim_by_eid(&mut self, actor: &Path, eid: &str) -> Result<Option<Sim>, Error> {
        let text = format!(
            "SELECT {SIM_COLUMNS} FROM sim_key k JOIN sim s ON s.id = k.sim_id JOIN account a ON a.id = s.account_id
             WHERE k.number = ? AND k.kind = 'eid' AND a.path LIKE ?"
        );
        Ok(self.row::<SimRow>(&text, &binds![eid, below(actor)])?.map(sim))
    }

    /// ICCIDs of cards with an EID that the account sees (`sees`: itself and all below), by the time they were added: `offset`
    /// passed over, at most `limit`.
    pub fn eid_iccids(
        &mut self,
        (account, sees): (AccountId, &[AccountId]),
        filter: &EidFilter<'_>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        let (clause, mut values) = self.eid_clause(account, sees, filter)?;
        values.extend(binds![limit, offset]);
        let text = format!("SELECT s.iccid {clause} ORDER BY s.id LIMIT ? OFFSET ?");
        Ok(self.rows_once::<(String,)>(&text, &values)?.into_iter().map(|r| r.0).collect())
    }

    /// How many there are.
    pub fn eid_count(&mut self, (account, sees): (AccountId, &[AccountId]), filter: &EidFilter<'_>) -> Result<i64, Error> {
        let (clause, values) = self.eid_clause(account, sees, filter)?;
        Ok(self.rows_once::<(i64,)>(&format!("SELECT COUNT(*) {clause}"), &values)?.first().map_or(0, |r| r.0))
    }

    fn eid_clause(
        &self,
        account: AccountId,
        sees: &[AccountId],
        filter: &EidFilter<'_>,
    ) -> Result<(String, Vec<Value<'static>>), Error> {
        let (mut clause, mut values) = (String::from("FROM sim s"), Vec::new());
        if let Some(stage) = filter.stage {
            clause += " JOIN sim_place p ON p.sim_id = s.id AND p.account_id = ? AND p.stage = ?";
            values.extend(binds![account.0, stage.number()]);
        }
        clause += &format!(" WHERE s.account_id IN ({}) AND s.eid IS NOT NULL", integers(sees.iter().map(|a| a.0)));
        if let Some(eids) = filter.eids {
            clause += &format!(" AND {}", self.one_of_texts("s.eid"));
            values.push(serde_json::to_string(eids).map_err(|e| Error::Engine(e.to_string()))?.into());
        }
        Ok((clause, values))
    }
}
