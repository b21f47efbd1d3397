//! Events and the deliveries they cause, written in the transaction of what they tell.

use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use kachi_domain::alert::Crossing;
use kachi_domain::event::{Body, EventKind, SubscriptionSnapshot};
use kachi_domain::money::Money;
use kachi_domain::order::{Channel, SubscriptionState};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use kachi_store::states::StateRow;

/// Writes an event and one delivery for each door at which its account wants notices.
#[allow(clippy::too_many_arguments)]
pub fn emit(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    account: AccountId,
    sim: Option<SimId>,
    kind: EventKind,
    body: &Body,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let text = serde_json::to_string(body).map_err(|e| fault(e.to_string()))?;
    let event = tx.add_event(account, sim, kind, at, &text, now)?;
    if !kind.is_notice() {
        return Ok(());
    }
    if let Some(info) = catalogue.account(account) {
        for door in info.notify.keys() {
            tx.add_delivery(account, sim, event, door, now)?;
        }
    }
    Ok(())
}

/// A subscription was bought, has started or is over.
pub fn subscription(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    row: &StateRow,
    s: &Subscription,
    kind: EventKind,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let state = match kind {
        EventKind::SubscriptionBought => SubscriptionState::Waiting,
        EventKind::SubscriptionStarted => SubscriptionState::Active,
        EventKind::SubscriptionEnded => SubscriptionState::Ended,
        _ => s.state,
    };
    let body = snapshot(tx, catalogue, row, s, state)?;
    emit(tx, catalogue, row.account, Some(row.sim), kind, &body, at, now)
}

/// A subscription was bought for the card by the order.
pub fn bought(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (sim, order): (&Sim, &Order),
    s: &Subscription,
    now: Timestamp,
) -> Result<()> {
    let body = snapshot_of(catalogue, sim, Some(order), s, SubscriptionState::Waiting);
    emit(tx, catalogue, sim.account, Some(sim.id), EventKind::SubscriptionBought, &body, now, now)
}

/// A subscription came along with its card: the new owner is told as if it had been bought, with the state it is in.
pub fn moved_here(tx: &mut Tx<'_>, catalogue: &Catalogue, row: &StateRow, s: &Subscription, now: Timestamp) -> Result<()> {
    let body = snapshot(tx, catalogue, row, s, s.state)?;
    emit(tx, catalogue, row.account, Some(row.sim), EventKind::SubscriptionBought, &body, now, now)
}

fn snapshot(tx: &mut Tx<'_>, catalogue: &Catalogue, row: &StateRow, s: &Subscription, state: SubscriptionState) -> Result<Body> {
    let Some(sim) = tx.sim_by_id(row.sim)? else { return Err(fault(format!("card {} vanished", row.sim))) };
    let order = tx.order_by_id(s.order)?;
    Ok(snapshot_of(catalogue, &Sim { account: row.account, ..sim }, order.as_ref(), s, state))
}

fn snapshot_of(catalogue: &Catalogue, sim: &Sim, order: Option<&Order>, s: &Subscription, state: SubscriptionState) -> Body {
    let package = catalogue.package(s.package);
    // A buyer's own number is told to whom the buyer sees, not to a stranger to whom the card was moved.
    let buyer_sees = |o: &&Order| catalogue.account(o.account).is_some_and(|b| b.sees.binary_search(&sim.account).is_ok());
    let text = |f: fn(&kachi_store::catalogue::Package) -> &String| package.map_or_else(String::new, |p| f(p).clone());
    Body::Subscription(SubscriptionSnapshot {
        iccid: sim.iccid.clone(),
        eid: sim.eid.clone(),
        order: s.order.0,
        package_code: text(|p| &p.code),
        package_name: text(|p| &p.name),
        retail_name: text(|p| &p.retail_name),
        package_type: s.terms.kind.package_type(),
        state: state.wire(),
        channel: order.map_or_else(|| Channel::System.word().to_owned(), |o| o.channel.clone()),
        out_trade_no: order.filter(buyer_sees).and_then(|o| o.out_trade_no.clone()),
        bought_at: s.bought_at,
        started_at: s.started_at,
        ends_at: s.ended_at.or(s.ends_at),
    })
}

/// A warning line was crossed.
pub fn alert(tx: &mut Tx<'_>, catalogue: &Catalogue, row: &StateRow, crossing: &Crossing, now: Timestamp) -> Result<()> {
    let Some(sim) = tx.sim_by_id(row.sim)? else { return Err(fault(format!("card {} vanished", row.sim))) };
    let body = Body::Alert { iccid: sim.iccid, alert_type: crossing.alert_type, threshold: crossing.threshold };
    emit(tx, catalogue, row.account, Some(row.sim), EventKind::UsageAlert, &body, crossing.at, now)
}

/// The last usable subscription is over.
pub fn stopped(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    row: &StateRow,
    reason: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let Some(sim) = tx.sim_by_id(row.sim)? else { return Err(fault(format!("card {} vanished", row.sim))) };
    let body = Body::Sim { iccid: sim.iccid, detail: reason.to_owned() };
    emit(tx, catalogue, row.account, Some(row.sim), EventKind::SimStopped, &body, at, now)
}

/// Something usable is there again; for the record only.
pub fn restored(tx: &mut Tx<'_>, row: &StateRow, at: Timestamp, now: Timestamp) -> Result<()> {
    let Some(sim) = tx.sim_by_id(row.sim)? else { return Err(fault(format!("card {} vanished", row.sim))) };
    sim_event(tx, row, &sim.iccid, EventKind::SimRestored, "a subscription can pay again", at, now)
}

/// A card is sold as another product.
pub fn product_switched(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<()> {
    let product_code = catalogue.product(sim.product).map_or_else(String::new, |p| p.code.clone());
    let body = Body::Product { iccid: sim.iccid.clone(), eid: sim.eid.clone(), product_code };
    emit(tx, catalogue, sim.account, Some(sim.id), EventKind::ProductSwitched, &body, now, now)
}

/// Something about the card alone, for the record only.
pub fn sim_event(
    tx: &mut Tx<'_>,
    row: &StateRow,
    iccid: &str,
    kind: EventKind,
    detail: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let body = Body::Sim { iccid: iccid.to_owned(), detail: detail.to_owned() };
    let text = serde_json::to_string(&body).map_err(|e| fault(e.to_string()))?;
    tx.add_event(row.account, Some(row.sim), kind, at, &text, now)?;
    Ok(())
}

/// Something about a pool, for the record only.
pub fn pool(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    pool: &kachi_store::pools::Pool,
    detail: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let body = Body::Pool { pool: pool.id.0, detail: detail.to_owned() };
    emit(tx, catalogue, pool.account, None, EventKind::PoolChanged, &body, at, now)
}

/// Money went back. The card's owner is told.
pub fn refunded(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    owner: AccountId,
    order: &Order,
    iccid: &str,
    minor: i64,
    now: Timestamp,
) -> Result<()> {
    let amount = |minor| Money { minor, currency: order.currency }.to_decimal();
    let body = Body::Refund {
        iccid: iccid.to_owned(),
        order: order.id.0,
        out_trade_no: order.out_trade_no.clone(),
        paid: amount(order.paid_minor),
        refunded: amount(minor),
    };
    emit(tx, catalogue, owner, Some(order.sim), EventKind::Refunded, &body, now, now)
}
