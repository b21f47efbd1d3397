//! Renewing a card's package for some months (CardBOSS v2.2.2, 3.4.1).
//!
//! Who acts: a partner's key, for a card the account sees; the operator approves or rejects. Promised: the balance is
//! checked and the money set aside in the order's own transaction; it is taken when the carrier confirms (at once for a
//! package fulfilled locally that needs no review) and goes back when the carrier refuses or the operator rejects, and the
//! buyer is told either way. While a renewal of a card is not settled, another one is refused unless it is said to be
//! meant. A renewal is an order like any other: its steps are those of [`crate::orders`]. Not promised: when the operator
//! looks at it.

use crate::act::{Actor, Once, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::network::{self, CardKey};
use crate::records::OrderName;
use crate::{esim, notices, orders, sims};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::ledger::Share;
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::{Fulfil, Terms};
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{AccountId, Money, OrderId, Refusal, Timestamp, Zone, renewal};
use kachi_store::catalogue::Package;
use kachi_store::orders::{Order, Subscription};
use kachi_store::renewals::Renewal;
use kachi_store::sims::Sim;
use kachi_store::{Error, Tx};
use std::sync::Arc;

pub use kachi_domain::renewal::Review;

/// Characters of a remark at most.
pub const REMARK_CHARS_MAX: usize = 200;
/// Order numbers of one second.
const NUMBERS: u32 = 10_000;
/// How often a number that another transaction took at the same moment is replaced by another one.
const TRIES: u32 = 4;

/// Whether another renewal may be asked for while one of the card is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No.
    Refuse,
    /// Yes: it is meant.
    Allow,
}

/// What is to be renewed.
#[derive(Debug, Clone)]
pub struct Renew {
    /// The card.
    pub card: CardKey,
    /// Which package.
    pub package_code: String,
    /// For how many months.
    pub months: u32,
    /// What to do if a renewal of the card is not settled.
    pub again: Again,
    /// The day from which it is to count (days since 1970-01-01 in the card owner's zone); none: after what is there.
    pub start_day: Option<i64>,
    /// Who lets it go.
    pub review: Review,
    /// The buyer's own words.
    pub remark: Option<String>,
    /// Any number: its last four digits end the order's number (made at the roof).
    pub digits: u32,
}

/// What was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The order.
    pub order: OrderId,
    /// Its long number.
    pub number: String,
    /// When it was ordered.
    pub at: Timestamp,
    /// What it costs.
    pub amount: Money,
    /// Where it stands.
    pub state: OrderState,
    /// The card's telephone number, empty where it is not known.
    pub msisdn: String,
    /// The card.
    pub iccid: String,
}

/// What a renewal sells, and for how much.
struct Chosen<'c> {
    sim: Sim,
    package: &'c Package,
    terms: Terms,
    price_minor: i64,
    shares: Vec<Share>,
}

/// Orders a renewal: the money is set aside until the operator and the carrier have said yes, or taken at once where
/// nobody has to.
pub fn renew(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Renew) -> Result<Renewed> {
    let chosen = choose(tx, catalogue, actor, cmd)?;
    orders::lock_sale(tx, actor.account, &chosen.shares)?;
    if tx.state_locked(chosen.sim.id)?.account != chosen.sim.account {
        return Err(Fail::Stale);
    }
    if let Some((number, buyer)) = tx.open_renewal(chosen.sim.id)?.filter(|_| cmd.again == Again::Refuse) {
        // What an account above has ordered is in the way all the same, but not told.
        let number = if actor.may_see(buyer) { number } else { String::new() };
        return Err(Refusal::DuplicateRenewal { number }.into());
    }
    let there = tx.subscriptions(chosen.sim.id)?;
    orders::refuse_overstacked(there.iter().map(|s| (s.package, s.state)), chosen.package)?;
    let not_before = starts(catalogue, &chosen, &there, cmd.start_day, how.now)?;
    if let Some(day) = cmd.start_day.filter(|_| renewal::is_main(&chosen.terms)) {
        let (card, zone) = (sims::present(tx, catalogue, &chosen.sim, how.now)?, catalogue.zone(chosen.sim.account));
        renewal::refuse_taken(day, card.main_free_at(not_before.unwrap_or(how.now), zone), zone)?;
    }
    let local = chosen.package.fulfil == Fulfil::Local && cmd.review == Review::Automatic;
    let state = match cmd.review {
        Review::Manual => OrderState::InReview,
        Review::Automatic if local => OrderState::Done,
        Review::Automatic => OrderState::Pending,
    };
    let order = Order { state, number: free_number(tx, how.now, cmd.digits)?, ..new_order(actor, &chosen, &there, how.now)? };
    let order = Order { id: tx.add_order(&order)?, ..order };
    orders::pay(tx, actor, &order, &chosen.shares, local, how.now)?;
    tx.add_renewal(&asked(cmd, &order))?;
    let sub = orders::new_subscription(catalogue, (&chosen.sim, &order), chosen.package, local, how.now);
    let sub = Subscription { terms: chosen.terms, not_before: not_before.map(|at| at.0), ..sub };
    let sub = Subscription { id: tx.add_subscription(&sub)?, ..sub };
    match state {
        OrderState::InReview => hold(tx, catalogue, &chosen.sim, &order, "the operator", how.now)?,
        OrderState::Pending => ask_carrier(tx, catalogue, &chosen.sim, &order, how.now)?,
        _ => {
            orders::start(tx, catalogue, how, (&chosen.sim, &order), &sub)?;
            settled(tx, catalogue, &chosen.sim, &order, Ok(()), how.now)?;
        }
    }
    Ok(Renewed {
        order: order.id,
        number: order.number,
        at: how.now,
        amount: Money { minor: order.paid_minor, currency: order.currency },
        state,
        msisdn: chosen.sim.msisdn.unwrap_or_default(),
        iccid: chosen.sim.iccid,
    })
}

/// The card is seen and not over, the package fits it and has a price for so many months.
fn choose<'c>(tx: &mut Tx<'_>, catalogue: &'c Catalogue, actor: &Actor, cmd: &Renew) -> Result<Chosen<'c>> {
    if cmd.remark.as_ref().is_some_and(|r| r.chars().count() > REMARK_CHARS_MAX) {
        return Err(Refusal::BadField { field: "remark".into(), rule: format!("at most {REMARK_CHARS_MAX} characters") }.into());
    }
    let sim = cmd.card.find(tx, actor)?;
    network::refuse_over(&sim)?;
    esim::refuse_unsold(tx, [&sim])?;
    let package = catalogue.package_by_code(&cmd.package_code).ok_or(Refusal::UnknownPackage)?;
    if package.product != sim.product {
        return Err(Refusal::PackageMisfit.into());
    }
    let cycles = renewal::cycles(&package.terms, cmd.months)?;
    let quote = catalogue.quote(actor.account, package).ok_or(Refusal::NoPrice)?;
    let too_much = || Refusal::BadField { field: "month".into(), rule: "fewer: the price of so many cannot be written".into() };
    let (price_minor, shares) = renewal::price(quote.price_minor, &quote.shares, cycles).ok_or_else(too_much)?;
    Ok(Chosen { sim, package, terms: renewal::terms(&package.terms, cycles), price_minor, shares })
}

/// Not before which instant it starts.
fn starts(
    catalogue: &Catalogue,
    chosen: &Chosen<'_>,
    there: &[Subscription],
    day: Option<i64>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let zone = catalogue.zone(chosen.sim.account);
    let open = |s: &&Subscription| !matches!(s.state, SubscriptionState::Ended | SubscriptionState::Void);
    let open = there.iter().filter(open);
    let dated: Vec<Timestamp> = if renewal::is_beside(&chosen.terms) {
        open.filter(|s| renewal::follows(&chosen.terms, &s.terms)).map(|s| expected_end(s, now, zone)).collect()
    } else if renewal::is_main(&chosen.terms) {
        open.filter(|s| renewal::is_main(&s.terms)).filter_map(|s| s.not_before).map(Timestamp).collect()
    } else {
        Vec::new()
    };
    Ok(renewal::start(day, &dated, now, zone)?)
}

/// When a subscription that waits for nothing but its date is over if only time passes.
fn expected_end(s: &Subscription, now: Timestamp, zone: &Zone) -> Timestamp {
    let starts = s.not_before.map_or(now, Timestamp).max(now);
    s.ends_at.map_or_else(|| s.zone.as_ref().unwrap_or(zone).end_of(starts, s.terms.validity), Timestamp)
}

/// A number that no renewal has.
fn free_number(tx: &mut Tx<'_>, now: Timestamp, digits: u32) -> Result<String> {
    let china = Zone::find(DEFAULT_ZONE).map_err(fault)?;
    for n in 0..NUMBERS {
        let number = renewal::number(now, (digits % NUMBERS + n) % NUMBERS, &china);
        if tx.renewal_order(&number)?.is_none() {
            return Ok(number);
        }
    }
    Err(fault("every renewal number of this second is taken"))
}

fn new_order(actor: &Actor, chosen: &Chosen<'_>, there: &[Subscription], now: Timestamp) -> Result<Order> {
    Ok(Order {
        id: OrderId(0),
        account: actor.account,
        number: String::new(),
        sim: chosen.sim.id,
        package: chosen.package.id,
        out_trade_no: None,
        state: OrderState::InReview,
        paid_minor: chosen.price_minor,
        currency: chosen.package.currency,
        shares: serde_json::to_string(&chosen.shares).map_err(|e| fault(e.to_string()))?,
        channel: Channel::Api.word().to_owned(),
        custom_data: None,
        renewal: there.iter().any(|s| s.state != SubscriptionState::Void),
        created_at: now.0,
        updated_at: now.0,
        refunded_minor: 0,
        origin: None,
    })
}

fn asked(cmd: &Renew, order: &Order) -> Renewal {
    Renewal {
        order: order.id,
        account: order.account,
        sim: order.sim,
        number: order.number.clone(),
        months: cmd.months,
        start_day: cmd.start_day,
        review: cmd.review,
        remark: cmd.remark.clone().unwrap_or_default(),
        decided_by: None,
        decided_at: None,
        reason: String::new(),
    }
}

fn hold(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, order: &Order, whom: &str, now: Timestamp) -> Result<()> {
    let detail = format!("order {}: waits for {whom}", order.id);
    Ok(tx.tell(&[notices::sim(catalogue, sim, EventKind::OrderHeld, &detail, now)?], now)?)
}

fn ask_carrier(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, order: &Order, now: Timestamp) -> Result<()> {
    let renewal = tx.renewal(order.id)?.ok_or_else(|| fault(format!("order {} is no renewal", order.id)))?;
    let from = renewal.start_day.map(|day| catalogue.zone(sim.account).start_of_day(day)).filter(|at| *at > now);
    orders::store_subscribe(tx, catalogue, (sim, order), (Some(renewal.months), from), now)?;
    hold(tx, catalogue, sim, order, "the carrier", now)
}

/// An order has its last word; if it is a renewal, its buyer is told. The error is why it did not take effect.
pub(crate) fn settled(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    sim: &Sim,
    order: &Order,
    outcome: std::result::Result<(), &str>,
    now: Timestamp,
) -> Result<()> {
    let Some(renewal) = tx.renewal(order.id)? else { return Ok(()) };
    if let Err(reason) = outcome {
        tx.set_renewal_reason(order.id, reason)?;
    }
    let package = catalogue.package(order.package).ok_or_else(|| fault(format!("package {} vanished", order.package)))?;
    let details: serde_json::Value = serde_json::from_str(&sim.details).unwrap_or_default();
    let body = Body::Renewal {
        iccid: sim.iccid.clone(),
        msisdn: sim.msisdn.clone().unwrap_or_default(),
        imsi: sim.imsi.clone().unwrap_or_default(),
        equipment: details["sbbh"].as_str().unwrap_or_default().to_owned(),
        number: order.number.clone(),
        package_code: package.code.clone(),
        package_name: package.name.clone(),
        months: renewal.months,
        done: outcome.is_ok(),
        waits: outcome.is_ok() && tx.subscription_of_order(order.id, order.sim)?.is_some_and(|s| s.started_at.is_none()),
        reason: outcome.err().unwrap_or_default().to_owned(),
    };
    notices::emit(tx, catalogue, order.account, Some(sim.id), EventKind::RenewalSettled, &body, now, now)
}

/// The operator lets a renewal go: to the carrier, or into effect where nobody has to confirm it.
pub fn approve(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, name: &OrderName, who: &str) -> Result<Order> {
    let (order, sim) = in_review(tx, catalogue, name)?;
    network::refuse_over(&sim)?;
    tx.decide_renewal(order.id, who, how.now)?;
    let package = catalogue.package(order.package).ok_or_else(|| fault(format!("package {} vanished", order.package)))?;
    if package.fulfil == Fulfil::Local {
        orders::fulfilled(tx, catalogue, how, order.id)?;
        return Ok(Order { state: OrderState::Done, ..order });
    }
    tx.set_order_state(order.id, OrderState::Pending, how.now)?;
    ask_carrier(tx, catalogue, &sim, &order, how.now)?;
    Ok(Order { state: OrderState::Pending, ..order })
}

/// The operator refuses a renewal: the money goes back and the buyer is told why.
pub fn reject(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    name: &OrderName,
    (who, reason): (&str, &str),
) -> Result<Order> {
    let (order, _) = in_review(tx, catalogue, name)?;
    if reason.trim().is_empty() {
        return Err(Refusal::BadField { field: "reason".into(), rule: "say why, the buyer is told".into() }.into());
    }
    tx.decide_renewal(order.id, who, how.now)?;
    orders::failed(tx, catalogue, how, order.id, reason)?;
    Ok(Order { state: OrderState::Failed, ..order })
}

fn in_review(tx: &mut Tx<'_>, catalogue: &Catalogue, name: &OrderName) -> Result<(Order, Sim)> {
    let id = match name {
        OrderName::Id(id) => Some(*id),
        OrderName::Number(number) => tx.renewal_order(number)?,
    };
    let all: Vec<AccountId> = catalogue.accounts().map(|a| a.account.id).collect();
    let found = id.map(|id| tx.order_locked(&all, id)).transpose()?.flatten();
    let words = match name {
        OrderName::Id(id) => id.to_string(),
        OrderName::Number(number) => number.clone(),
    };
    let missing = || Refusal::BadField {
        field: "order".into(),
        rule: format!("there is no renewal {words} in review; `kachi admin renewal list` names those that are"),
    };
    let order = found.filter(|o| o.state == OrderState::InReview).ok_or_else(missing)?;
    let sim = tx.sim_by_id(order.sim)?.ok_or_else(|| fault(format!("card {} vanished", order.sim)))?;
    Ok((order, sim))
}

/// A renewal with its order and card, for a list.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was asked for.
    pub renewal: Renewal,
    /// Its order.
    pub order: Order,
    /// The card's printed number.
    pub iccid: String,
}

/// Renewals, newest first: those in review, or all.
pub fn list(tx: &mut Tx<'_>, in_review_only: bool, limit: i64) -> Result<Vec<Line>> {
    let found = tx.renewals_newest(in_review_only, limit)?;
    let orders = tx.orders_by_id(&found.iter().map(|r| r.order).collect::<Vec<_>>())?;
    let iccids = tx.iccids_of(&found.iter().map(|r| r.sim).collect::<Vec<_>>())?;
    let line = |renewal: Renewal| {
        let order = orders.iter().find(|o| o.id == renewal.order).cloned()?;
        let iccid = iccids.iter().find(|(id, _)| *id == renewal.sim.0).map(|(_, iccid)| iccid.clone())?;
        Some(Line { renewal, order, iccid })
    };
    Ok(found.into_iter().filter_map(line).collect())
}

impl Engine {
    /// Orders a renewal; the same request again gets the same answer.
    pub async fn renew(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Renew,
        render: impl Fn(&Renewed) -> String + Send + Sync + 'static,
    ) -> Result<Once> {
        let render = Arc::new(render);
        let mut tries = 0;
        loop {
            // A number that another transaction took at the same moment: the next time it is seen to be taken.
            let cmd = Renew { digits: cmd.digits.wrapping_add(tries * (NUMBERS / TRIES + 1)), ..cmd.clone() };
            let write = render.clone();
            let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
                renew(tx, catalogue, how, actor, &cmd)
            };
            let done = self.command(catalogue, actor, key.clone(), act, move |renewed: &Renewed| write(renewed)).await;
            tries += 1;
            if tries == TRIES || !matches!(done, Err(Fail::Fault(Error::Constraint(_)))) {
                return done;
            }
        }
    }
}
