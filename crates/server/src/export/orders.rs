//! `kachi export orders`: the orders of a period, for whoever closes a month or answers for a bill.
//!
//! Promised: the sum of `cost` over the orders that were placed in the days is what they cost their buyers by now, as their journals
//! say too (`kachi admin audit`). Not promised: that a refund falls into the same days; `kachi export journal` tells when it was.

use super::{Days, Sheet, plain};
use crate::admin;
use crate::args::ExportDays;
use crate::exit::Exit;
use kachi_domain::order::OrderState;
use kachi_domain::time::day_text;
use kachi_domain::{Money, Timestamp};
use kachi_engine::Engine;
use kachi_store::orders::Order;
use std::collections::HashMap;

/// Orders read at once.
const ORDERS_AT_ONCE: i64 = 1_000;

const COLUMNS: [&str; 17] = [
    "order",
    "number",
    "out_trade_no",
    "account",
    "iccid",
    "pool",
    "package",
    "months",
    "state",
    "currency",
    "price",
    "held",
    "refunded",
    "cost",
    "day",
    "placed_at",
    "changed_at",
];

/// Runs the verb.
pub fn run(engine: &Engine, args: &ExportDays) -> Result<(), Exit> {
    let days = Days::of(engine, args)?;
    let mut sheet = Sheet::open(&args.target, &COLUMNS)?;
    let mut before = None;
    loop {
        let (page, cards, pools, months) = engine.read(|tx, _| {
            let page = tx.orders_before(&days.accounts, before, ORDERS_AT_ONCE)?;
            let (sims, ids): (Vec<_>, Vec<_>) = page.iter().map(|o| (o.sim, o.id)).unzip();
            Ok((page, tx.iccids_of(&sims)?, tx.pools_of_orders(&ids)?, tx.months_of_orders(&ids)?))
        })?;
        let Some(last) = page.last() else { return sheet.close() };
        before = Some(last.id.0);
        let cards: HashMap<i64, String> = cards.into_iter().collect();
        let pools: HashMap<i64, String> =
            pools.into_iter().map(|(order, pool, code, _)| (order, code.unwrap_or_else(|| pool.to_string()))).collect();
        let months: HashMap<i64, i64> = months.into_iter().collect();
        for order in page.iter().filter(|o| (days.from..days.to).contains(&Timestamp(o.created_at))) {
            let of = |map: &HashMap<i64, String>, id: i64| map.get(&id).cloned().unwrap_or_default();
            let months = months.get(&order.id.0).map_or_else(String::new, i64::to_string);
            let whose = (of(&cards, order.sim.0), of(&pools, order.id.0));
            sheet.row(&row(engine, order, whose, months, &days)?)?;
        }
    }
}

/// The card or pool that it is for; for how many months, where it is a renewal: the price is for all of them.
fn row(engine: &Engine, o: &Order, (iccid, pool): (String, String), months: String, days: &Days) -> Result<Vec<String>, Exit> {
    let money = |minor| Money { minor, currency: o.currency }.to_decimal();
    let (held, cost) = match o.state {
        OrderState::InReview | OrderState::Pending => (o.paid_minor, 0),
        OrderState::Done | OrderState::Refunded => (0, o.paid_minor - o.refunded_minor),
        OrderState::Failed => (0, 0),
    };
    let package = engine.catalogue()?.package(o.package).map(|p| p.code.clone()).unwrap_or_default();
    Ok(vec![
        o.id.to_string(),
        o.number.clone(),
        plain(o.out_trade_no.as_deref().unwrap_or_default()),
        admin::code(engine, o.account)?,
        iccid,
        pool,
        package,
        months,
        o.state.word().to_owned(),
        o.currency.to_string(),
        money(o.paid_minor),
        money(held),
        money(o.refunded_minor),
        money(cost),
        day_text(days.zone.day(Timestamp(o.created_at))),
        admin::instant(o.created_at),
        admin::instant(o.updated_at),
    ])
}
