//! Pools: an allowance that cards share.
//!
//! A pool is made of a type (slots, days, bytes): a package that is sold for pools. Subscriptions bought for it burn one
//! after another, as those of one card do, and the usage of a member burns the pool before the member's own packages.
//! Who acts: a partner's key or a file, for pools the account sees. Promised: one partner number buys once, for ever; a
//! card is in one pool at a time and slots bound the members; what was bought can be taken back whole until the first byte
//! and not at all after it; all of an act is done or none of it. Not promised: that an unused subscription keeps its days:
//! they run from its turn on, with traffic or without. A joint pool is another thing: `stakes`.
//!
//! Locks, always in this order: balances, pools by number, states of cards by number. Files: `burn` rates, `members`
//! says who is in it, `stakes` adds up joint pools.

mod burn;
mod members;
mod stakes;

use burn::settle;
pub use burn::{AllNews, CardFigures, News, Rated, Supply, figures, rate};
pub(crate) use burn::{decode, present};
pub use members::{add, addable, leave_all, members, of_card, remove, with_slots_of_card};
pub use stakes::{CreateJoint, Sum, create as create_joint, join, sum, sum_and_end, take_out};

use crate::act::Actor;
use crate::cards::{self, Settling};
use crate::catalogue::{Catalogue, Quote};
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::orders::Placed;
use crate::{notices, orders, profits, records};
use kachi_domain::ledger::Share;
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::StartRule;
use kachi_domain::rating::pool::PoolInput;
use kachi_domain::rating::{EndReason, Live};
use kachi_domain::refund::PoolRefundBasis;
use kachi_domain::{Iccid, OrderId, PoolId, Refusal, SimId, SubscriptionId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Package;
use kachi_store::orders::{Order, Subscription};
use kachi_store::pools::Pool;

/// A new pool.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Of which type.
    pub type_code: String,
    /// The owner's note.
    pub memo: String,
    /// The most bytes that one member takes of one subscription.
    pub member_cap_bytes: Option<i64>,
    /// A number and a code given by a file.
    pub named: Option<(PoolId, String)>,
}

/// Makes an empty pool for the account.
pub fn create(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Create) -> Result<PoolId> {
    let (package, slots) = catalogue.pool_type_by_code(&cmd.type_code).ok_or(Refusal::UnknownPackage)?;
    catalogue.quote(actor.account, package).ok_or(Refusal::NoPrice)?;
    let (id, code) = cmd.named.clone().map_or((PoolId(0), None), |(id, code)| (id, Some(code)));
    let mut pool = Pool {
        id,
        account: actor.account,
        code,
        package: package.id,
        slots,
        member_cap_bytes: cmd.member_cap_bytes,
        memo: cmd.memo.clone(),
        state: String::new(),
        due_at: None,
        created_at: how.now.0,
        deleted_at: None,
    };
    pool.id = tx.add_pool(&pool)?;
    notices::pool(tx, catalogue, &pool, "made", how.now, how.now)?;
    Ok(pool.id)
}

/// Lets time pass for pools on which something is due, and adds up those of which a card changed; the answer is how many.
pub fn settle_due(engine: &Engine) -> Result<usize> {
    Ok(burn::settle_due(engine)? + stakes::add_up_stirred(engine)?)
}

/// A pool with slots that the account sees; a stranger's, or a deleted one, is not there.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, id: PoolId) -> Result<Pool> {
    let seen = |p: &Pool| actor.may_see(p.account) && p.deleted_at.is_none() && !p.is_joint();
    Ok(tx.pool_by_id(id)?.filter(seen).ok_or(Refusal::UnknownPool)?)
}

/// As [`find`], locked.
fn find_locked(tx: &mut Tx<'_>, actor: &Actor, id: PoolId) -> Result<Pool> {
    find(tx, actor, id)?;
    let seen = |p: &Pool| actor.may_see(p.account) && p.deleted_at.is_none() && !p.is_joint();
    Ok(tx.pool_locked(id)?.filter(seen).ok_or(Refusal::UnknownPool)?)
}

/// Deletes a pool without cards. What it still has of its subscriptions lapses with it, so one that could be taken back
/// for its money must be, first.
pub fn delete(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, id: PoolId) -> Result<()> {
    let pool = find_locked(tx, actor, id)?;
    if !tx.pool_members(id)?.is_empty() || has_money_to_take_back(tx, catalogue, &pool, how.now)? {
        return Err(Refusal::PoolNotEmpty.into());
    }
    tx.set_pool_deleted(id, how.now)?;
    notices::pool(tx, catalogue, &pool, "deleted", how.now, how.now)
}

fn has_money_to_take_back(tx: &mut Tx<'_>, catalogue: &Catalogue, pool: &Pool, now: Timestamp) -> Result<bool> {
    let (state, subs) = burn::present(tx, catalogue, pool, now)?;
    let unused = |s: &&Subscription| state.burn.live.iter().any(|l| l.id == s.id && l.used == 0);
    let orders = tx.orders_by_id(&subs.iter().filter(unused).map(|s| s.order).collect::<Vec<_>>())?;
    Ok(orders.iter().any(|o| o.state == OrderState::Done && o.paid_minor > 0))
}

/// What is to be bought for a pool.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Which pool.
    pub pool: PoolId,
    /// Which type: of the pool's product and with as many slots.
    pub type_code: String,
    /// The partner's own number, 1-32 characters.
    pub out_trade_no: String,
    /// Who buys.
    pub channel: Channel,
    /// A number for the order that no other has (made at the roof).
    pub number: String,
}

/// Buys a subscription for a pool; it starts at once where nothing runs, else after what is there.
pub fn subscribe(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Subscribe) -> Result<Placed> {
    tx.lock_balances(&[actor.account])?;
    orders::refuse_repeated(tx, actor, Some(&cmd.out_trade_no))?;
    let seen = find(tx, actor, cmd.pool)?;
    let (package, quote) = choose(catalogue, actor, &seen, &cmd.type_code)?;
    tx.lock_balances(&quote.shares.iter().rev().map(|s| s.account).collect::<Vec<_>>())?;
    let mut pool = find_locked(tx, actor, cmd.pool)?;
    let subs = tx.subscriptions_of_pool(pool.id)?;
    orders::refuse_overstacked(subs.iter().map(|s| (s.package, s.state)), package)?;
    let order = new_order(actor, cmd, package, &quote, !subs.is_empty(), how.now)?;
    let order = Order { id: tx.add_order(&order)?, ..order };
    orders::pay(tx, actor, &order, &quote.shares, true, how.now)?;
    let sub = new_subscription(catalogue, &pool, package, &order, how.now);
    let sub = Subscription { id: tx.add_pool_subscription(pool.id, &sub)?, ..sub };
    let words = format!("subscription {} bought by order {}", sub.id, order.id);
    notices::pool(tx, catalogue, &pool, &words, how.now, how.now)?;
    let purchase = cards::purchase(&sub).ok_or_else(|| fault("a pool's subscription is available at once"))?;
    lock_members(tx, pool.id, &[])?;
    settle(tx, catalogue, how, &mut pool, &[PoolInput::Purchase(purchase)], None)?;
    Ok(Placed { order: order.id, number: order.number, state: order.state })
}

fn choose<'c>(catalogue: &'c Catalogue, actor: &Actor, pool: &Pool, type_code: &str) -> Result<(&'c Package, Quote)> {
    let (package, slots) = catalogue.pool_type_by_code(type_code).ok_or(Refusal::UnknownPackage)?;
    let made_of = catalogue.package(pool.package).ok_or_else(|| fault(format!("package {} vanished", pool.package)))?;
    if package.product != made_of.product || slots != pool.slots {
        return Err(Refusal::PackageMisfit.into());
    }
    let quote = catalogue.quote(actor.account, package).ok_or(Refusal::NoPrice)?;
    Ok((package, quote))
}

fn new_order(actor: &Actor, cmd: &Subscribe, package: &Package, quote: &Quote, renewal: bool, now: Timestamp) -> Result<Order> {
    Ok(Order {
        id: OrderId(0),
        account: actor.account,
        number: cmd.number.clone(),
        sim: SimId(0),
        package: package.id,
        out_trade_no: Some(cmd.out_trade_no.clone()),
        state: OrderState::Done,
        paid_minor: quote.price_minor,
        currency: package.currency,
        shares: serde_json::to_string(&quote.shares).map_err(|e| fault(e.to_string()))?,
        channel: cmd.channel.word().to_owned(),
        custom_data: None,
        renewal,
        created_at: now.0,
        updated_at: now.0,
        refunded_minor: 0,
        origin: None,
    })
}

fn new_subscription(catalogue: &Catalogue, pool: &Pool, package: &Package, order: &Order, now: Timestamp) -> Subscription {
    Subscription {
        id: SubscriptionId(0),
        account: pool.account,
        sim: SimId(0),
        order: order.id,
        package: package.id,
        terms: package.terms.clone(),
        start: StartRule::Queue,
        not_before: None,
        bought_at: now.0,
        available_at: Some(now.0),
        used_before: 0,
        state: SubscriptionState::Waiting,
        started_at: None,
        ends_at: None,
        ended_at: None,
        end_reason: None,
        used_bytes: 0,
        refunded_at: None,
        updated_at: now.0,
        zone: Some(catalogue.zone(pool.account).clone()),
    }
}

/// Locks the states of a pool's cards, and of others, by number.
fn lock_members(tx: &mut Tx<'_>, id: PoolId, others: &[SimId]) -> Result<Vec<kachi_store::states::StateRow>> {
    let mut sims: Vec<i64> = tx.pool_members(id)?.iter().map(|m| m.0).chain(others.iter().map(|s| s.0)).collect();
    sims.sort_unstable();
    sims.dedup();
    Ok(tx.states(&sims)?)
}

/// Which subscription of a pool: the order's number, the partner's own, or both.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// The order's long number.
    pub number: Option<String>,
    /// The partner's own number.
    pub out_trade_no: Option<String>,
}

/// Takes a subscription of a pool back before its first use: all of the money goes back. After it: refused.
pub fn unsubscribe(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (id, which): (PoolId, &Which),
) -> Result<()> {
    find(tx, actor, id)?;
    let found = order_of(tx, catalogue, actor, id, which)?;
    let shares: Vec<Share> = serde_json::from_str(&found.shares).map_err(|e| fault(e.to_string()))?;
    if !actor.may_see(found.account) {
        return Err(Refusal::NotRefundable.into()); // bought by a level above, to which the money would go
    }
    let order = tx.order_locked(&actor.sees, found.id)?.ok_or(Refusal::UnknownOrder)?;
    orders::lock_sale(tx, order.account, &shares)?;
    let mut pool = find_locked(tx, actor, id)?;
    let (state, subs) = burn::present(tx, catalogue, &pool, how.now)?;
    let sub = subs.iter().find(|s| s.order == order.id).ok_or(Refusal::UnknownOrder)?;
    let live = state.burn.live.iter().find(|l| l.id == sub.id);
    let basis = PoolRefundBasis { paid_minor: order.paid_minor, used_bytes: live.map(|l| l.used) };
    let minor = basis.refundable_minor().filter(|_| order.state == OrderState::Done).ok_or(Refusal::NotRefundable)?;
    profits::go_back(tx, &order, minor, &shares, how.now)?;
    let basis = serde_json::to_string(&basis).map_err(|e| fault(e.to_string()))?;
    tx.set_order_refunded(order.id, minor, &basis, "pool unsubscribed", how.now)?;
    let at = Timestamp(how.now.0.max(sub.bought_at));
    tx.set_subscription_refunded(sub.id, at)?;
    let words = format!("subscription {} taken back, order {}", sub.id, order.id);
    notices::pool(tx, catalogue, &pool, &words, at, how.now)?;
    lock_members(tx, id, &[])?;
    settle(tx, catalogue, how, &mut pool, &[PoolInput::Refund(at, sub.id)], None)
}

fn order_of(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, id: PoolId, which: &Which) -> Result<Order> {
    for s in tx.subscriptions_of_pool(id)? {
        let Some(order) = tx.order_by_id(s.order)?.map(|o| records::as_seen(catalogue, actor, o)) else { continue };
        let fits = |wanted: &Option<String>, is: Option<&String>| wanted.as_ref().is_none_or(|w| Some(w) == is);
        if fits(&which.number, Some(&order.number)) && fits(&which.out_trade_no, order.out_trade_no.as_ref()) {
            return Ok(order);
        }
    }
    Err(Refusal::UnknownOrder.into())
}

/// An act that changes a pool and has nothing to say.
#[derive(Debug, Clone)]
pub enum PoolAct {
    /// Deletes it.
    Delete,
    /// Takes a subscription back.
    Unsubscribe(Which),
    /// Puts cards in.
    Add(Vec<Iccid>),
    /// Takes cards out.
    Remove(Vec<Iccid>),
}

/// A pool as it is now.
#[derive(Debug, Clone)]
pub struct View {
    /// The pool.
    pub pool: Pool,
    /// Cards in it.
    pub members: i64,
    /// The subscription in use.
    pub active: Option<Live>,
    /// That it has used up, or let expire, all it ever had.
    pub over: Option<Over>,
}

/// The end of the last that a pool had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Since when it has nothing.
    pub since: Timestamp,
    /// Why.
    pub why: Option<EndReason>,
}

/// The account's pools with slots by number, those with one of the numbers and the text in their note.
pub fn list(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (ids, memo): (Option<&[i64]>, Option<&str>),
    now: Timestamp,
) -> Result<Vec<View>> {
    let mut pools = tx.pools(&actor.sees)?;
    pools.retain(|p| !p.is_joint() && ids.is_none_or(|ids| ids.contains(&p.id.0)) && memo.is_none_or(|m| p.memo.contains(m)));
    let counts = tx.pool_member_counts(&pools.iter().map(|p| p.id).collect::<Vec<_>>())?;
    let mut views = Vec::with_capacity(pools.len());
    for pool in pools {
        let (state, subs) = burn::present(tx, catalogue, &pool, now)?;
        let members = counts.iter().find(|c| c.0 == pool.id.0).map_or(0, |c| c.1);
        let active = state.burn.current_main().cloned();
        let ended = subs.iter().filter(|s| s.refunded_at.is_none()).filter_map(|s| s.ended_at.map(|at| (at, s)));
        let last = ended.max_by_key(|(at, s)| (*at, s.id)).filter(|_| active.is_none());
        let why = |s: &Subscription| s.end_reason.as_deref().and_then(EndReason::parse);
        let over = last.map(|(at, s)| Over { since: Timestamp(at), why: why(s) });
        views.push(View { pool, members, active, over });
    }
    Ok(views)
}

/// A subscription of a pool with its order.
#[derive(Debug, Clone)]
pub struct PoolRecord {
    /// The order.
    pub order: Order,
    /// What it bought, as it is now.
    pub subscription: Subscription,
    /// Bytes used so far.
    pub used_bytes: i64,
}

/// What was bought for a pool, oldest first: by its owner, or by a level above.
pub fn records(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, id: PoolId, now: Timestamp) -> Result<Vec<PoolRecord>> {
    let pool = find(tx, actor, id)?;
    let (state, subs) = burn::present(tx, catalogue, &pool, now)?;
    let mut found = Vec::new();
    for subscription in subs {
        if let Some(order) = tx.order_by_id(subscription.order)?.map(|o| records::as_seen(catalogue, actor, o)) {
            let live = state.burn.live.iter().find(|l| l.id == subscription.id);
            let used_bytes = live.map_or(subscription.used_bytes, |l| l.used);
            found.push(PoolRecord { order, subscription, used_bytes });
        }
    }
    Ok(found)
}

/// A type of pool that the account can buy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The package.
    pub package: kachi_domain::PackageId,
    /// Cards that fit in.
    pub slots: i64,
}

/// The types of pool that the account can buy: all, those for a card's product, those that fit a pool, or both.
pub fn offers(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (iccid, pool): (Option<&Iccid>, Option<PoolId>),
) -> Result<Vec<Offer>> {
    let product = match iccid {
        Some(iccid) => Some(tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?.product),
        None => None,
    };
    let pool = pool.map(|id| find(tx, actor, id)).transpose()?;
    let mut found = Vec::new();
    for (package, slots) in catalogue.pool_types() {
        let fits = pool.as_ref().is_none_or(|p| choose(catalogue, actor, p, &package.code).is_ok());
        if fits && product.is_none_or(|p| p == package.product) && catalogue.quote(actor.account, package).is_some() {
            found.push(Offer { package: package.id, slots });
        }
    }
    Ok(found)
}
