//! eSIM goods: a profile from stock together with its first package, in one act.
//!
//! Who acts: a partner's key. Promised: one profile is sold once, whoever asks at once; the card, the order, the money and
//! the notice are there together, or nothing is. The profile is the operator's card until the order has taken effect, and
//! the buyer's from then on. Where the package must be confirmed by the carrier, the money is held, the profile is kept for
//! the order, and neither its number nor its activation code is told; nobody buys anything else for it meanwhile, so a
//! refused one goes back to the stock as it was. A refunded profile does not go back: its code has been told.

use crate::act::{Actor, Once, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::refunds::{self, RefundQuote};
use crate::{arrears, money, network, notices, orders, profits, sims};
use kachi_domain::carrier::{Request, Write};
use kachi_domain::event::EventKind;
use kachi_domain::ledger::{self, Journal, OPERATOR, Share};
use kachi_domain::order::{Channel, OrderState};
use kachi_domain::package::Fulfil;
use kachi_domain::{AccountId, Iccid, OrderId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Package;
use kachi_store::ledger::NewJournal;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use std::sync::Arc;

/// What is to be bought.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// Which goods.
    pub goods_code: String,
    /// The partner's own number, 1-32 characters.
    pub out_trade_no: String,
    /// The caller's own data.
    pub custom_data: Option<String>,
    /// A number for the order that no other has (made at the roof).
    pub number: String,
}

/// An eSIM order as its buyer is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EsimOrder {
    /// Its number.
    pub order: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// The card and its activation code; none unless the order is done.
    pub profile: Option<(String, String)>,
}

/// Buys one: checks, takes the profile and the money, and makes the order with its subscription or the carrier's intent.
pub fn purchase(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Purchase) -> Result<EsimOrder> {
    tx.lock_balances(&[actor.account])?;
    if let Some(o) = tx.order_by_out_trade_no(actor.account, &cmd.out_trade_no)? {
        return Err(Refusal::DuplicateOrder { order: o.id.0, number: o.number }.into());
    }
    let offer = catalogue.goods(actor.account).find(|(g, ..)| g.code == cmd.goods_code);
    let (goods, price_minor, shares) = offer.ok_or(Refusal::UnknownGoods)?;
    let package = catalogue.package(goods.package).ok_or(Refusal::UnknownGoods)?;
    orders::lock_sale(tx, actor.account, &shares)?;
    let profile = tx.esim_profile_in_stock(goods.id)?.ok_or(Refusal::OutOfStock)?;
    let (available, _, credit) = tx.balance(actor.account)?;
    if available.saturating_add(credit) < price_minor {
        return Err(Refusal::InsufficientBalance.into());
    }
    let local = package.fulfil == Fulfil::Local;
    let stocked = tx.sim_by_id(profile.sim)?.ok_or_else(|| fault(format!("card {} vanished", profile.sim)))?;
    let sim = if local { handed(tx, catalogue, stocked, actor.account, how.now)? } else { stocked };
    let order = new_order(actor, cmd, package, &sim, (price_minor, shares.as_slice()), local, how)?;
    let order = Order { id: tx.add_order(&order)?, ..order };
    if !tx.take_esim_profile(actor.account, &profile, order.id)? {
        return Err(fault(format!("the profile of card {} was taken twice", profile.sim)));
    }
    let (name, postings) = match local {
        true => (Journal::Purchase, ledger::purchase(order.account, order.paid_minor, &shares)),
        false => (Journal::Hold, ledger::hold(order.account, order.paid_minor)),
    };
    let cause = format!("order {}", order.id);
    money::post_all(tx, vec![NewJournal { account: order.account, name, cause, postings }], how.now)?;
    if local {
        profits::earned(tx, &order, &shares, how.now)?;
    }
    let sub = orders::new_subscription(catalogue, (&sim, &order), package, local, how.now);
    // Where its carrier has yet to confirm, the card is not the buyer's yet, but its months are to be.
    let sub = Subscription { zone: Some(catalogue.zone(order.account).clone()), ..sub };
    let sub = Subscription { id: tx.add_subscription(&sub)?, ..sub };
    if local {
        orders::start(tx, catalogue, how, (&sim, &order), &sub)?;
    } else {
        let write = Write::subscribe(package.at_carrier());
        let request = Request { reference: order.number.clone(), card: network::named(&sim), write };
        orders::store_intent(tx, catalogue, &sim, &order, &request, how.now)?;
        let detail = format!("order {}: waits for the carrier", order.id);
        let of_buyer = Sim { account: order.account, ..sim.clone() };
        tx.tell(&[notices::sim(catalogue, &of_buyer, EventKind::OrderHeld, &detail, how.now)?], how.now)?;
    }
    let profile = local.then_some((sim.iccid, profile.activation_code));
    Ok(EsimOrder { order: order.id, state: order.state, profile })
}

fn new_order(
    actor: &Actor,
    cmd: &Purchase,
    package: &Package,
    sim: &Sim,
    (paid_minor, shares): (i64, &[Share]),
    local: bool,
    how: &Settling,
) -> Result<Order> {
    Ok(Order {
        id: OrderId(0),
        account: actor.account,
        number: cmd.number.clone(),
        sim: sim.id,
        package: package.id,
        out_trade_no: Some(cmd.out_trade_no.clone()),
        state: if local { OrderState::Done } else { OrderState::Pending },
        paid_minor,
        currency: package.currency,
        shares: serde_json::to_string(shares).map_err(|e| fault(e.to_string()))?,
        channel: Channel::Api.word().to_owned(),
        custom_data: cmd.custom_data.clone(),
        renewal: false,
        created_at: how.now.0,
        updated_at: how.now.0,
        refunded_minor: 0,
        origin: None,
    })
}

/// A card of the stock becomes the buyer's.
fn handed(tx: &mut Tx<'_>, catalogue: &Catalogue, stocked: Sim, buyer: AccountId, now: Timestamp) -> Result<Sim> {
    if stocked.account == buyer {
        return Ok(stocked);
    }
    tx.state_locked(stocked.id)?;
    let sim = sims::give(tx, catalogue, &stocked, buyer, now)?;
    tx.tell(&[notices::sim(catalogue, &sim, EventKind::SimMoved, "from the stock of eSIM goods", now)?], now)?;
    arrears::moved(tx, catalogue, sim.id, now)?;
    tx.sim_by_id(sim.id)?.ok_or_else(|| fault(format!("card {} vanished", sim.id)))
}

/// The carrier confirmed an order: if it was for an eSIM, its card is the buyer's from now on. The answer is the card.
pub(crate) fn hand_over(tx: &mut Tx<'_>, catalogue: &Catalogue, order: &Order, sim: Sim, now: Timestamp) -> Result<Sim> {
    match tx.esim_order(order.id)? {
        Some(_) => handed(tx, catalogue, sim, order.account, now),
        None => Ok(sim),
    }
}

/// The carrier refused an order: if it was for an eSIM, the profile is in stock again. The answer is then its card, which
/// never was anybody's, as of the one who is told of it: the buyer.
pub(crate) fn put_back(tx: &mut Tx<'_>, order: &Order, sim: &Sim) -> Result<Option<Sim>> {
    let returned = tx.return_esim_profile(order.id)?;
    Ok(returned.map(|_| Sim { account: order.account, ..sim.clone() }))
}

/// Refuses what would go to whoever buys the profile: its first package comes with the goods, and it is the buyer's card
/// only then. Only the operator's cards can be profiles that are not sold.
pub(crate) fn refuse_unsold<'s>(tx: &mut Tx<'_>, sims: impl IntoIterator<Item = &'s Sim>) -> Result<()> {
    let of_operator: Vec<&Sim> = sims.into_iter().filter(|s| s.account == OPERATOR).collect();
    if of_operator.is_empty() {
        return Ok(());
    }
    let unsold = tx.esim_unsold(&of_operator.iter().map(|s| s.id.0).collect::<Vec<_>>())?;
    match of_operator.iter().find(|s| unsold.contains(&s.id)) {
        Some(sim) => {
            let rule = format!("{} is a profile of eSIM goods that is not sold yet; sell it first", sim.iccid);
            Err(Refusal::BadField { field: "iccid".into(), rule }.into())
        }
        None => Ok(()),
    }
}

/// An eSIM order that the account sees, and the ICCID of its card.
pub fn find(tx: &mut Tx<'_>, actor: &Actor, id: OrderId) -> Result<(EsimOrder, Iccid)> {
    let order = tx.order(&actor.sees, id)?.ok_or(Refusal::UnknownOrder)?;
    let (sim, activation_code) = tx.esim_order(id)?.ok_or(Refusal::UnknownOrder)?;
    let sim = tx.sim_by_id(sim)?.ok_or_else(|| fault(format!("card {sim} vanished")))?;
    let iccid = Iccid::parse(&sim.iccid).map_err(|e| fault(e.to_string()))?;
    let told = order.state == OrderState::Done && actor.may_see(sim.account);
    let profile = told.then_some((sim.iccid, activation_code));
    Ok((EsimOrder { order: order.id, state: order.state, profile }, iccid))
}

impl Engine {
    /// Buys eSIM goods; the same request again gets the same answer.
    pub async fn esim_purchase(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Purchase,
        render: impl Fn(&EsimOrder) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            purchase(tx, catalogue, how, actor, &cmd)
        };
        self.command(catalogue, actor, key, act, render).await
    }

    /// Takes an eSIM order back; the same request again gets the same answer.
    pub async fn esim_refund(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (order, remark): (OrderId, String),
        render: impl Fn(&RefundQuote) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            let (_, iccid) = find(tx, actor, order)?;
            refunds::refund(tx, catalogue, how, actor, &iccid, order, &remark).map_err(of_another_by_now)
        };
        self.command(catalogue, actor, key, act, render).await
    }

    /// An eSIM order as it stands.
    pub async fn esim_order(&self, catalogue: &Arc<Catalogue>, actor: &Actor, order: OrderId) -> Result<EsimOrder> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| Ok(find(tx, &actor, order)?.0)).await
    }

    /// What would be given back for an eSIM order now.
    pub async fn esim_refund_quote(&self, catalogue: &Arc<Catalogue>, actor: &Actor, order: OrderId) -> Result<RefundQuote> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| {
            let (_, iccid) = find(tx, &actor, order)?;
            refunds::quote(tx, catalogue, &actor, &iccid, order, now).map_err(of_another_by_now)
        })
        .await
    }
}

/// The order is the account's, but its card is not any more: nothing is given back.
fn of_another_by_now(fail: Fail) -> Fail {
    match fail {
        Fail::Refused(Refusal::UnknownSim) => Fail::Refused(Refusal::NotRefundable),
        other => other,
    }
}
