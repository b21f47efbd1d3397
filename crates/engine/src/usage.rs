//! Questions about usage. Every figure says up to when it is known.

use crate::act::Actor;
use crate::error::Result;
use kachi_store::Tx;

/// Bytes of the cards over local days `first..=last`: only cards the account sees, and of those only usage its accounts
/// owned when it happened: (iccid, bytes), cards without usage left out.
pub fn of_days(tx: &mut Tx<'_>, actor: &Actor, iccids: &[&str], first: i64, last: i64) -> Result<Vec<(String, i64)>> {
    let seen: Vec<(String, i64)> = tx
        .sims_of_iccids(iccids)?
        .into_iter()
        .filter(|(_, _, account)| actor.may_see(kachi_domain::AccountId(*account)))
        .map(|(iccid, sim, _)| (iccid, sim))
        .collect();
    let ids: Vec<i64> = seen.iter().map(|s| s.1).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let bytes: std::collections::HashMap<i64, i64> = tx.usage_of_days(&actor.sees, &ids, first, last)?.into_iter().collect();
    Ok(seen.into_iter().filter_map(|(iccid, sim)| bytes.get(&sim).map(|b| (iccid, *b))).collect())
}
