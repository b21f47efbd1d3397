//! What is left of a subscription goes to another card of the same product and account.
//!
//! Who acts: whoever sees the cards, and with them the orders behind what they have. Promised: the old card's subscription ends and the new card's begins or
//! waits with exactly what was left, in one transaction; no money moves, the new order costs nothing and names its origin.
//! A record of before the move that comes later counts on the old card, and what that takes from the rest is taken from
//! the new subscription too, by [`follow_due`]: in the end both cards are as if it had come in time. Not promised: that
//! the new card shows that at the same instant. Refused: what a carrier has made real, because it lives on the old
//! profile there.

use crate::act::{Actor, Once, RequestKey};
use crate::cards::{self, Settling};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::records::{self, OrderName};
use crate::{esim, notices, orders};
use kachi_domain::event::EventKind;
use kachi_domain::event::Origin;
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::{Fulfil, StartRule};
use kachi_domain::rating::{EndReason, Happening, Input, Purchase, Rest};
use kachi_domain::sim::BaseState;
use kachi_domain::{Iccid, OrderId, PackageId, Refusal, SimId, SubscriptionId, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::{Order, Subscription};
use kachi_store::sims::Sim;
use kachi_store::transfers::Transfer;
use std::sync::Arc;

/// What is to be moved.
#[derive(Debug, Clone)]
pub struct Move {
    /// From which card.
    pub from: Iccid,
    /// To which card.
    pub to: Iccid,
    /// The order whose subscription it is.
    pub order: OrderName,
    /// Why, in the caller's words.
    pub memo: String,
    /// A number for the new order that no other has (made at the roof).
    pub number: String,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The new order.
    pub order: OrderId,
    /// What it is for.
    pub package: PackageId,
}

/// Moves what is left.
pub fn transfer(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &Move) -> Result<Moved> {
    let (old, new) = sims(tx, actor, cmd)?;
    let order = records::find(tx, actor, &cmd.order)?;
    let order = tx.order_locked(&[order.account], order.id)?.filter(|o| o.sim == old.id).ok_or(Refusal::UnknownOrder)?;
    let package = catalogue.package(order.package).ok_or(Refusal::UnknownPackage)?;
    if package.fulfil == Fulfil::Carrier {
        return Err(Refusal::MadeByCarrier.into());
    }
    let mut ids = [old.id.0, new.id.0];
    ids.sort_unstable();
    let mut rows = tx.states(&ids)?;
    // Read again: one may have become another product, or another's, or been closed, while the locks were waited for.
    let (old, new) = sims(tx, actor, cmd)?;
    if rows.len() != 2 || rows.iter().any(|r| r.account != old.account) {
        return Err(Fail::Stale);
    }
    let sub =
        tx.subscription_of_order(order.id, old.id)?.ok_or_else(|| fault(format!("order {} has no subscription", order.id)))?;
    let at = Timestamp(how.now.0.max(sub.available_at.unwrap_or(how.now.0)));
    let mut present = cards::decode(&rows[usize::from(ids[0] != old.id.0)].head)?;
    present.advance(at, catalogue.zone(old.account), &mut Vec::new());
    let live = present.live.iter().find(|l| l.id == sub.id).filter(|_| order.state == OrderState::Done);
    let rest = live.ok_or(Refusal::NotMovable)?.rest(at);
    let there = tx.holdings(new.id)?;
    orders::refuse_overstacked(there.iter().copied(), package)?;
    let renewal = there.iter().any(|(_, state)| *state != SubscriptionState::Void);
    let made = new_order(&order, &old, &new, cmd, renewal, at)?;
    let made = Order { id: tx.add_order(&made)?, ..made };
    let moved = new_subscription(&sub, &made, rest, at);
    let moved = Subscription { id: tx.add_subscription(&moved)?, ..moved };
    let (subscription, to_subscription, memo) = (sub.id, moved.id, cmd.memo.clone());
    let account = actor.account;
    tx.add_transfer(&Transfer {
        subscription,
        account,
        sim: old.id,
        at: at.0,
        to_subscription,
        to_sim: new.id,
        rest,
        given: rest,
        memo,
    })?;
    let purchase = cards::purchase(&moved).ok_or_else(|| fault("a moved subscription is available at once"))?;
    let here = Input::Purchase(Purchase { moved: true, left_seconds: rest.left_seconds, ..purchase });
    rows.sort_by_key(|r| r.sim != old.id);
    let [row_old, row_new] = &mut rows[..] else { return Err(fault("two cards have two states")) };
    cards::settle(tx, catalogue, how, row_old, &[Input::Move(at, sub.id)])?;
    let bought = notices::subscription(catalogue, (&new, Some(&made)), &moved, EventKind::SubscriptionBought, how.now)?;
    tx.tell(&[bought], how.now)?;
    cards::settle(tx, catalogue, how, row_new, &[here])?;
    tx.put_states(&rows)?;
    Ok(Moved { order: made.id, package: package.id })
}

/// The two cards: both seen, of one account and product, and the new one in use or in stock.
fn sims(tx: &mut Tx<'_>, actor: &Actor, cmd: &Move) -> Result<(Sim, Sim)> {
    let old = tx.sim_by_iccid(&actor.path, cmd.from.as_str())?.ok_or(Refusal::UnknownSim)?;
    let new = tx.sim_by_iccid(&actor.path, cmd.to.as_str())?.ok_or(Refusal::UnknownSim)?;
    if old.id == new.id {
        let rule = "must be another card than the old one".to_owned();
        return Err(Refusal::BadField { field: "new card".into(), rule }.into());
    }
    if old.account != new.account {
        return Err(Refusal::UnknownSim.into());
    }
    if old.product != new.product {
        return Err(Refusal::PackageMisfit.into());
    }
    if BaseState::parse(&new.state).is_ok_and(BaseState::is_over) {
        return Err(Refusal::SimOver.into());
    }
    esim::refuse_unsold(tx, [&new])?;
    Ok((old, new))
}

fn new_order(order: &Order, old: &Sim, new: &Sim, cmd: &Move, renewal: bool, at: Timestamp) -> Result<Order> {
    let origin = Origin { order: order.id.0, iccid: old.iccid.clone(), eid: old.eid.clone() };
    Ok(Order {
        id: OrderId(0),
        number: cmd.number.clone(),
        sim: new.id,
        out_trade_no: None,
        state: OrderState::Done,
        paid_minor: 0,
        shares: "[]".into(),
        channel: Channel::Transfer.word().to_owned(),
        renewal,
        created_at: at.0,
        updated_at: at.0,
        refunded_minor: 0,
        origin: Some(serde_json::to_string(&origin).map_err(|e| fault(e.to_string()))?),
        ..order.clone()
    })
}

/// What had started goes on as soon as it can; what had not keeps its rule of when to start.
fn new_subscription(sub: &Subscription, made: &Order, rest: Rest, at: Timestamp) -> Subscription {
    let started = rest.left_seconds.is_some();
    Subscription {
        id: SubscriptionId(0),
        sim: made.sim,
        order: made.id,
        start: if started { StartRule::Queue } else { sub.start },
        not_before: sub.not_before.filter(|_| !started),
        bought_at: at.0,
        available_at: Some(at.0),
        used_before: rest.used_bytes,
        state: SubscriptionState::Waiting,
        started_at: None,
        ends_at: None,
        ended_at: None,
        end_reason: None,
        used_bytes: 0,
        refunded_at: None,
        updated_at: at.0,
        ..sub.clone()
    }
}

/// What the table of transfers adds to a card's history.
pub(crate) fn add_to_history(tx: &mut Tx<'_>, sim: SimId, inputs: &mut Vec<Input>) -> Result<()> {
    for t in tx.transfers_of(sim)? {
        if t.sim == sim {
            inputs.push(Input::Move(Timestamp(t.at), t.subscription));
        }
        let here = inputs.iter_mut().find_map(|input| match input {
            Input::Purchase(p) if p.subscription == t.to_subscription => Some(p),
            _ => None,
        });
        if let Some(purchase) = here {
            (purchase.moved, purchase.left_seconds) = (true, t.given.left_seconds);
        }
    }
    Ok(())
}

/// A card's history was told, perhaps again: what was left of those that went away is noted as it says. One that was over
/// before it went away has left nothing.
pub(crate) fn note_rests(tx: &mut Tx<'_>, sim: SimId, told: &[Happening], subs: &[Subscription]) -> Result<()> {
    for t in tx.transfers_of(sim)?.into_iter().filter(|t| t.sim == sim) {
        let moved = told.iter().rev().find_map(|h| match h {
            Happening::Moved(id, _, rest) if *id == t.subscription => Some(*rest),
            _ => None,
        });
        let over = || {
            let sub = subs.iter().find(|s| s.id == t.subscription)?;
            let nothing = Rest { used_bytes: sub.terms.allowance.max(0), left_seconds: Some(0) };
            (sub.end_reason.as_deref() != Some(EndReason::Moved.word())).then_some(nothing)
        };
        if let Some(rest) = moved.or_else(over).filter(|rest| *rest != t.rest) {
            tx.set_transfer_rest(t.subscription, rest)?;
        }
    }
    Ok(())
}

/// Transfers followed in one go by [`follow_due`].
const DUE_AT_ONCE: i64 = 50;

/// Gives moved subscriptions what was really left, where late records have changed it. The answer is how many there were.
pub fn follow_due(engine: &Engine) -> Result<usize> {
    let due = engine.read(|tx, _| Ok(tx.transfers_due(DUE_AT_ONCE)?))?;
    let mut trouble = None;
    for subscription in &due {
        let subscription = *subscription;
        // One that cannot be followed now holds up no other.
        if let Err(e) = engine.write(move |tx, catalogue, how| follow(tx, catalogue, how, subscription)) {
            trouble.get_or_insert(e);
        }
    }
    trouble.map_or(Ok(due.len()), Err)
}

fn follow(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, subscription: SubscriptionId) -> Result<()> {
    let Some(seen) = tx.transfer(subscription)? else { return Ok(()) };
    let mut row = tx.state_locked(seen.to_sim)?;
    // Read again: another may have followed it while the lock was waited for.
    let Some(t) = tx.transfer(subscription)?.filter(|t| t.rest != t.given) else { return Ok(()) };
    tx.give_transfer_rest(&t, t.rest)?;
    let subs = tx.subscriptions(t.to_sim)?;
    let purchase = subs.iter().find(|s| s.id == t.to_subscription).and_then(cards::purchase);
    let purchase = purchase.ok_or_else(|| fault(format!("subscription {} vanished", t.to_subscription)))?;
    let input = Input::Purchase(Purchase { moved: true, left_seconds: t.rest.left_seconds, ..purchase });
    // What was settled before stands on the old rest: history is told again from the start.
    tx.put_state_base(t.to_sim, None)?;
    cards::settle(tx, catalogue, how, &mut row, &[input])?;
    tx.put_states(&[row])?;
    Ok(())
}

impl Engine {
    /// Moves what is left of a subscription to another card; the same request again gets the same answer.
    pub async fn transfer_subscription(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Move,
        render: impl Fn(&Moved) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            transfer(tx, catalogue, how, actor, &cmd)
        };
        self.command(catalogue, actor, key, act, render).await
    }
}
