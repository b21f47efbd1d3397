//! Checking every invariant against the data itself.

use crate::cards;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use kachi_domain::rating::CardState;
use kachi_domain::sim::Blocks;
use serde::Serialize;
use std::collections::HashMap;

/// What the audit looked at and what it found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Nothing was found.
    pub clean: bool,
    /// Cards looked at.
    pub cards: i64,
    /// Readings looked at.
    pub readings: i64,
    /// Those of them that are loaded and not rated yet: a file that is being taken in, or was left in the middle.
    pub unrated: i64,
    /// Each violation in a sentence.
    pub violations: Vec<String>,
}

/// Cards checked in one page.
const PAGE: i64 = 2_000;

/// Checks money, usage, subscriptions, notices and locks. Reads only; may run while the server does.
pub fn audit(engine: &Engine) -> Result<Report> {
    let mut found = Vec::new();
    let (mut cards, mut readings, mut unrated) = (0, 0, 0);
    engine.store().read(|tx| {
        for (journal, sum) in tx.audit_unbalanced()? {
            found.push(format!("journal {journal}: its postings sum to {sum}, not 0"));
        }
        for (account, kept, summed, held, held_summed) in tx.audit_balances()? {
            found.push(format!(
                "account {account}: balance {kept}/{held} kept, {summed}/{held_summed} by its postings (available/held)"
            ));
        }
        for (account, listed, posted) in tx.audit_profits()? {
            found.push(format!("account {account}: its list of profits adds up to {listed}, its shares to {posted}"));
        }
        for words in tx.audit_orders()? {
            found.push(words);
        }
        found.extend(tx.audit_imei(Blocks::IMEI_LOCK.0)?);
        (readings, unrated) = tx.audit_readings()?;
        let by_sim = tx.audit_readings_by_sim()?;
        let brought: HashMap<i64, i64> = tx.audit_brought()?.into_iter().collect();
        let mut after = 0;
        loop {
            let page = tx.states_page(after, PAGE)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            let days: HashMap<i64, i64> = tx.audit_days(first.sim.0, last.sim.0)?.into_iter().collect();
            after = last.sim.0;
            for row in &page {
                cards += 1;
                let state = cards::decode(&row.head)?;
                let get = |map: &HashMap<i64, i64>| map.get(&row.sim.0).copied().unwrap_or(0);
                check_card(row.sim.0, &state, get(&by_sim), get(&days), get(&brought), &mut found);
            }
        }
        Ok::<(), Fail>(())
    })?;
    Ok(Report { clean: found.is_empty(), cards, readings, unrated, violations: found })
}

/// Bytes attributed = bytes read; bytes per day = bytes read; at most one main package runs.
fn check_card(sim: i64, state: &CardState, read: i64, by_day: i64, brought: i64, found: &mut Vec<String>) {
    let attributed = state.total_used() + state.outflow_bytes;
    if attributed != read + brought {
        found.push(format!("card {sim}: {attributed} bytes attributed, {read} read and {brought} brought along"));
    }
    if by_day != read {
        found.push(format!("card {sim}: {by_day} bytes in the daily roll-ups, {read} read"));
    }
    let mains = state.live.iter().filter(|l| l.running.is_some() && l.is_main()).count();
    if mains > 1 {
        found.push(format!("card {sim}: {mains} main packages in use at once"));
    }
}
