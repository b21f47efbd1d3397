//! Checking every invariant against the data itself.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::{cards, pools};
use kachi_domain::rating::CardState;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, Currency, Money};
use kachi_store::Tx;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

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

/// Checks money, usage, subscriptions, lists, notices and locks. Reads only; may run while the server does.
pub fn audit(engine: &Engine) -> Result<Report> {
    let mut found = Vec::new();
    let (mut cards, mut readings, mut unrated) = (0, 0, 0);
    let catalogue = engine.catalogue()?;
    engine.store().read(|tx| {
        audit_money(tx, &catalogue, &mut found)?;
        for words in tx.audit_orders()? {
            found.push(words);
        }
        found.extend(tx.audit_imei(Blocks::IMEI_LOCK.0)?);
        found.extend(tx.audit_credit_stops()?);
        found.extend(tx.audit_lists()?);
        found.extend(tx.audit_devices()?);
        (readings, unrated) = tx.audit_readings()?;
        found.extend(tx.audit_pools()?);
        let paid = audit_pools(tx, &mut found)?;
        let joint: HashSet<i64> = tx.audit_joint_members()?.into_iter().collect();
        let by_sim = tx.audit_readings_by_sim()?;
        let brought: HashMap<i64, i64> = tx.audit_brought()?.into_iter().collect();
        let mut after = 0;
        loop {
            let page = tx.states_page(after, PAGE)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            let days: HashMap<i64, i64> = tx.audit_days(first.sim.0, last.sim.0)?.into_iter().collect();
            let mut ended: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
            for (sim, subscription, bytes) in tx.audit_ended(first.sim.0, last.sim.0)? {
                ended.entry(sim).or_default().push((subscription, bytes));
            }
            after = last.sim.0;
            for row in &page {
                cards += 1;
                let state = cards::decode(&row.head)?;
                let get = |map: &HashMap<i64, i64>| map.get(&row.sim.0).copied().unwrap_or(0);
                let sums = Sums { read: get(&by_sim), by_day: get(&days), brought: get(&brought), pooled: get(&paid) };
                check_card(row.sim.0, &state, &sums, &mut found);
                if state.stake.is_some() != joint.contains(&row.sim.0) {
                    found.push(format!("card {}: a stake without a joint pool, or the other way round", row.sim));
                }
                check_ended(row.sim.0, &state, ended.get(&row.sim.0).map_or(&[], Vec::as_slice), &mut found);
            }
        }
        Ok::<(), Fail>(())
    })?;
    Ok(Report { clean: found.is_empty(), cards, readings, unrated, violations: found })
}

/// Journals sum to zero and are whole; balances, shares, debts, withdrawals, orders and acts by hand are what their journals say.
fn audit_money(tx: &mut Tx<'_>, catalogue: &Catalogue, found: &mut Vec<String>) -> Result<()> {
    let code = |id: i64| catalogue.account(AccountId(id)).map_or_else(|| id.to_string(), |a| a.account.code.clone());
    let told = |id: i64, minor: i64| {
        let currency = catalogue.account(AccountId(id)).map_or(Currency::CNY, |a| a.account.currency);
        format!("{} {currency}", Money { minor, currency }.to_decimal())
    };
    for (journal, sum) in tx.audit_unbalanced()? {
        found.push(format!("journal {journal}: its postings sum to {sum}, not 0"));
    }
    for (journal,) in tx.audit_lost_journals()? {
        found.push(format!("journal {journal}: it has postings, and is not there itself"));
    }
    for (id, kept, summed, held, held_summed) in tx.audit_balances()? {
        let (kept, held, summed, held_summed) = (told(id, kept), told(id, held), told(id, summed), told(id, held_summed));
        let account = code(id);
        found
            .push(format!("account {account}: {kept} and {held} held are kept, {summed} and {held_summed} held by its postings"));
    }
    for (id, listed, posted) in tx.audit_profits()? {
        let (listed, posted) = (told(id, listed), told(id, posted));
        found.push(format!("account {}: its list of profits adds up to {listed}, its shares to {posted}", code(id)));
    }
    for (id, lines, last) in tx.audit_profit_numbers()? {
        found.push(format!("account {}: it has {lines} lines of profit, the last numbered {last}", code(id)));
    }
    for (id, more) in tx.audit_owed()? {
        found.push(format!("account {}: it paid {} more than it owed", code(id), told(id, more)));
    }
    for w in tx.audit_withdrawals()? {
        let [said, lines, held, paid] = [w.minor, w.lines, w.held, w.paid].map(|minor| told(w.account, minor));
        let (id, state, account) = (w.id, w.state, code(w.account));
        found.push(format!(
            "withdrawal {id}: {said} of {account}, {state}; its lines add up to {lines}, its journals hold {held} and paid out {paid}"
        ));
    }
    for (order, id, currency) in tx.audit_currencies()? {
        let own = catalogue.account(AccountId(id)).map_or(Currency::CNY, |a| a.account.currency);
        found.push(format!("order {order}: paid in {currency}, its account {} has {own}", code(id)));
    }
    for (order, id, said, booked) in tx.audit_costs()? {
        let (said, booked) = (told(id, said), told(id, booked));
        found.push(format!("{order}: it cost {} {said} by what it says, {booked} by its journals", code(id)));
    }
    for (reference, id, said, booked) in tx.audit_money_acts()? {
        let (said, booked) = (told(id, said), told(id, booked));
        found.push(format!("act by hand {reference}: {said} for {} by what it says, {booked} by its journal", code(id)));
    }
    Ok(())
}

/// Bytes of one card.
struct Sums {
    read: i64,
    by_day: i64,
    brought: i64,
    pooled: i64,
}

/// Bytes attributed to the card and its pools = bytes read; bytes per day = bytes read; at most one main package runs.
fn check_card(sim: i64, state: &CardState, sums: &Sums, found: &mut Vec<String>) {
    let Sums { read, by_day, brought, pooled } = sums;
    let attributed = state.total_used() + state.outflow_bytes + pooled;
    if attributed != read + brought {
        found.push(format!(
            "card {sim}: {attributed} bytes attributed, {pooled} of them to pools, {read} read and {brought} brought along"
        ));
    }
    if by_day != read {
        found.push(format!("card {sim}: {by_day} bytes in the daily roll-ups, {read} read"));
    }
    let mains = state.live.iter().filter(|l| l.running.is_some() && l.is_main()).count();
    if mains > 1 {
        found.push(format!("card {sim}: {mains} main packages in use at once"));
    }
}

/// What subscriptions that are over are said to have paid = what the card's state says of them. One that ended since the card's last
/// input is still in that state, with its own bytes.
fn check_ended(sim: i64, state: &CardState, ended: &[(i64, i64)], found: &mut Vec<String>) {
    let mut over = 0_i64;
    for (subscription, bytes) in ended {
        match state.live.iter().find(|l| l.id.0 == *subscription) {
            Some(live) if live.used != *bytes => {
                found.push(format!("subscription {subscription}: over with {bytes} bytes, by its card's state {}", live.used));
            }
            Some(_) => {}
            None => over = over.saturating_add(*bytes),
        }
    }
    if over != state.ended_bytes {
        found.push(format!("card {sim}: its subscriptions that are over say {over} bytes, its state {}", state.ended_bytes));
    }
}

/// Bytes that a pool's subscriptions burned = bytes it paid for its members; the answer is the bytes paid by card.
fn audit_pools(tx: &mut Tx<'_>, found: &mut Vec<String>) -> Result<HashMap<i64, i64>> {
    let by_pool: HashMap<i64, i64> = tx.audit_paid_by_pool()?.into_iter().collect();
    let mut after = 0;
    loop {
        let page = tx.pools_page(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.id.0;
        for pool in &page {
            let state = pools::decode(pool)?;
            let (burned, paid) = (state.burn.total_used(), by_pool.get(&pool.id.0).copied().unwrap_or(0));
            if burned != paid || state.burn.outflow_bytes != 0 {
                found.push(format!("pool {}: {burned} bytes burned, {paid} paid for its cards", pool.id));
            }
        }
    }
    Ok(tx.audit_paid_by_card()?.into_iter().collect())
}
