//! Events and the deliveries they cause. [`kachi_store::Tx::tell`] writes them in the transaction of what they tell.

use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use kachi_domain::alert::Crossing;
use kachi_domain::event::{Body, EventKind, SubscriptionSnapshot};
use kachi_domain::money::Money;
use kachi_domain::order::{Channel, SubscriptionState};
use kachi_domain::{AccountId, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::events::NewEvent;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;

/// Something about the card alone, for the record: nobody is told.
pub fn record(sim: &Sim, kind: EventKind, detail: &str, at: Timestamp) -> Result<NewEvent> {
    let body = Body::Sim { iccid: sim.iccid.clone(), eid: sim.eid.clone(), detail: detail.to_owned() };
    let body = serde_json::to_string(&body).map_err(|e| fault(e.to_string()))?;
    Ok(NewEvent { account: sim.account, sim: Some(sim.id), kind, at, body, doors: Vec::new(), once: None })
}

/// An event with one delivery for each door at which its account wants notices.
pub fn event(
    catalogue: &Catalogue,
    account: AccountId,
    sim: Option<SimId>,
    kind: EventKind,
    body: &Body,
    at: Timestamp,
) -> Result<NewEvent> {
    let body = serde_json::to_string(body).map_err(|e| fault(e.to_string()))?;
    let told = |info: &crate::catalogue::AccountInfo| info.notify.keys().filter(|door| kind.told_at(door)).cloned().collect();
    let doors = catalogue.account(account).map_or_else(Vec::new, told);
    Ok(NewEvent { account, sim, kind, at, body, doors, once: None })
}

/// Writes one event with its deliveries.
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
    Ok(tx.tell(&[event(catalogue, account, sim, kind, body, at)?], now)?)
}

/// A subscription of a card as its owner is told of it, in the state it is told to be in.
pub fn subscription(
    catalogue: &Catalogue,
    (sim, order): (&Sim, Option<&Order>),
    s: &Subscription,
    kind: EventKind,
    at: Timestamp,
) -> Result<NewEvent> {
    let state = match kind {
        EventKind::SubscriptionStarted => SubscriptionState::Active,
        EventKind::SubscriptionEnded => SubscriptionState::Ended,
        _ => s.state,
    };
    event(catalogue, sim.account, Some(sim.id), kind, &snapshot(catalogue, sim, order, s, state), at)
}

fn snapshot(catalogue: &Catalogue, sim: &Sim, order: Option<&Order>, s: &Subscription, state: SubscriptionState) -> Body {
    let package = catalogue.package(s.package);
    // A buyer's own number and data are told to whom the buyer sees, not to a stranger to whom the card was moved.
    let buyer_sees = |o: &&Order| catalogue.sees(o.account, sim.account);
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
        // Told of its start, it will end when it is to end, also where history by now knows that it ended sooner.
        ends_at: if state == SubscriptionState::Active { s.ends_at } else { s.ended_at.or(s.ends_at) },
        custom_data: order.filter(buyer_sees).and_then(|o| o.custom_data.clone()),
        origin: order.and_then(|o| o.origin.as_deref()).and_then(|text| serde_json::from_str(text).ok()),
    })
}

/// A warning line was crossed.
pub fn alert(catalogue: &Catalogue, sim: &Sim, crossing: &Crossing) -> Result<NewEvent> {
    let body = Body::Alert {
        iccid: sim.iccid.clone(),
        eid: sim.eid.clone(),
        alert_type: crossing.alert_type,
        threshold: crossing.threshold,
    };
    event(catalogue, sim.account, Some(sim.id), EventKind::UsageAlert, &body, crossing.at)
}

/// A card is sold as another product.
pub fn product_switched(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<()> {
    let product_code = catalogue.product(sim.product).map_or_else(String::new, |p| p.code.clone());
    let body = Body::Product { iccid: sim.iccid.clone(), eid: sim.eid.clone(), product_code };
    emit(tx, catalogue, sim.account, Some(sim.id), EventKind::ProductSwitched, &body, now, now)
}

/// Something about the card alone, in words.
pub fn sim(catalogue: &Catalogue, sim: &Sim, kind: EventKind, detail: &str, at: Timestamp) -> Result<NewEvent> {
    let body = Body::Sim { iccid: sim.iccid.clone(), eid: sim.eid.clone(), detail: detail.to_owned() };
    event(catalogue, sim.account, Some(sim.id), kind, &body, at)
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

/// Money went back. The card's owner is told; of how much only if he sees the buyer, to whom it went, else 0.
pub fn refunded(catalogue: &Catalogue, sim: &Sim, order: &Order, minor: i64, now: Timestamp) -> Result<NewEvent> {
    let is_his = catalogue.sees(sim.account, order.account);
    let amount = |minor| Money { minor: if is_his { minor } else { 0 }, currency: order.currency }.to_decimal();
    let body = Body::Refund {
        iccid: sim.iccid.clone(),
        eid: sim.eid.clone(),
        order: order.id.0,
        number: order.number.clone(),
        out_trade_no: order.out_trade_no.clone().filter(|_| catalogue.sees(order.account, sim.account)),
        paid: amount(order.paid_minor),
        refunded: amount(minor),
    };
    event(catalogue, sim.account, Some(sim.id), EventKind::Refunded, &body, now)
}
