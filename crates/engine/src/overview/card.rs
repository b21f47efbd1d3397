//! Everything about one card.

use super::{About, CardLine, Days, NoticeLine, OrderLine, card_line, days, order_line, package_name};
use crate::act::Actor;
use crate::cards;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::diagnose;
use crate::error::Result;
use crate::sims::{self, Card};
use kachi_domain::diagnose::Pool;
use kachi_domain::order::{OrderState, SubscriptionState};
use kachi_domain::package::Resource;
use kachi_domain::rating::{CardState, Input, Live, Usage};
use kachi_domain::{Iccid, OrderId, SubscriptionId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::devices::Device;
use kachi_store::orders::Subscription;

/// Orders and notices listed with one card.
const OF_CARD_MAX: i64 = 20;

/// A subscription as a person reads it.
#[derive(Debug, Clone)]
pub struct SubscriptionLine {
    /// The order that bought it.
    pub order: i64,
    /// The package.
    pub package: String,
    /// Where it stands now.
    pub state: SubscriptionState,
    /// Whether the operator has still to let its order go.
    pub in_review: bool,
    /// Whether the next byte is its.
    pub pays: bool,
    /// Bytes used in all.
    pub used_bytes: i64,
    /// Bytes left in the present window; none where there is no limit or it is over.
    pub left_bytes: Option<i64>,
    /// What it counts in place of bytes, and (used, left) in its present window while it is in use or waits.
    pub counts: Option<(Resource, Option<(i64, i64)>)>,
    /// In use since.
    pub started_at: Option<Timestamp>,
    /// The end of its validity, or when it was over.
    pub ends_at: Option<Timestamp>,
    /// Why it was over.
    pub end_reason: Option<String>,
}

/// Everything about one card.
#[derive(Debug, Clone)]
pub struct CardPage {
    /// The card now.
    pub line: CardLine,
    /// As kept: numbers, network, group, remark.
    pub card: Card,
    /// Its subscriptions, newest first.
    pub subscriptions: Vec<SubscriptionLine>,
    /// Its newest orders, whoever bought.
    pub orders: Vec<OrderLine>,
    /// Its newest notices.
    pub notices: Vec<NoticeLine>,
    /// Its usage per day.
    pub usage: Days,
    /// The device it is in, by the device's own word.
    pub device: Option<Device>,
    /// The pool it is in, and how that stands to it.
    pub pool: Option<Pool>,
}

/// Everything about one card; refused alike if there is none and if it is a stranger's.
pub fn card(engine: &Engine, actor: &Actor, iccid: &Iccid) -> Result<CardPage> {
    let now = engine.now();
    engine.read(|tx, catalogue| {
        let read = tx.sim_and_state(iccid.as_str())?;
        let card = sims::card(catalogue, actor, read, now)?;
        let sim = card.sim.id;
        let mut orders = tx.orders_of_sim(sim)?;
        let in_review: Vec<OrderId> = orders.iter().filter(|o| o.state == OrderState::InReview).map(|o| o.id).collect();
        // As in its order record: what came to nothing is its buyer's alone.
        orders.retain(|o| actor.may_see(o.account) || o.state != OrderState::Failed);
        orders.reverse();
        orders.truncate(OF_CARD_MAX as usize);
        let payer = payer(&card.state, catalogue.zone(card.sim.account));
        let mut subscriptions = Vec::new();
        for s in tx.subscriptions(sim)?.iter().rev() {
            let line = subscription_line(tx, catalogue, (&card.state, payer), s)?;
            subscriptions.push(SubscriptionLine { in_review: in_review.contains(&s.order), ..line });
        }
        let notices = tx.deliveries_of_sim(&actor.sees, sim, OF_CARD_MAX)?;
        Ok(CardPage {
            line: card_line(catalogue, &card),
            subscriptions,
            orders: orders.iter().map(|o| order_line(catalogue, actor, o, About::Card(card.sim.iccid.clone()))).collect(),
            notices: notices.into_iter().map(|d| NoticeLine::of(actor, d)).collect(),
            device: tx.devices_of_sims(&[sim.0])?.pop(),
            pool: diagnose::pool(tx, &card)?,
            usage: days(tx, catalogue.zone(actor.account), actor, Some(sim), now)?,
            card,
        })
    })
}

/// Who would pay for one byte more: asked of the fold itself, so that its order of payers is told in one place.
pub(super) fn payer(state: &CardState, zone: &Zone) -> Option<SubscriptionId> {
    let mut after = state.clone();
    let usage = Usage { stop: after.now, start: Timestamp(i64::MAX), source_id: i64::MAX, bytes: 1 };
    after.apply(&Input::Usage(usage), zone, &mut Vec::new());
    let used = |l: &Live| after.live.iter().find(|a| a.id == l.id).is_none_or(|a| a.used > l.used);
    state.live.iter().find(|l| l.running.is_some() && used(l)).map(|l| l.id)
}

pub(super) fn subscription_line(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (state, payer): (&CardState, Option<SubscriptionId>),
    s: &Subscription,
) -> Result<SubscriptionLine> {
    let has_data = matches!(s.terms.resource, Resource::Data | Resource::Nb);
    let live = state.live.iter().find(|l| l.id == s.id);
    let running = live.and_then(|l| l.running);
    let now_state = match live {
        Some(_) if running.is_some() => SubscriptionState::Active,
        Some(_) => SubscriptionState::Waiting,
        // It ended by itself a moment ago and its row is written at the next beat of the timers.
        None if s.state == SubscriptionState::Active => SubscriptionState::Ended,
        None => s.state,
    };
    let used = match live.filter(|_| !has_data) {
        Some(live) => Some(cards::counted(tx, s.sim, live, state.now, catalogue.zone(s.account))?.unwrap_or(0)),
        None => None,
    };
    let counts = used.map(|used| (used, s.terms.allowance.saturating_sub(used).max(0)));
    Ok(SubscriptionLine {
        order: s.order.0,
        package: package_name(catalogue, s.package),
        state: now_state,
        in_review: false,
        pays: payer == Some(s.id),
        used_bytes: live.map_or(s.used_bytes, |l| l.used),
        left_bytes: live.filter(|_| has_data).and_then(|l| l.left()),
        counts: (!has_data).then_some((s.terms.resource, counts)),
        started_at: running.map(|(start, _)| start).or(s.started_at.map(Timestamp)),
        ends_at: running.map(|(_, end)| end).or(s.ended_at.or(s.ends_at).map(Timestamp)),
        end_reason: s.end_reason.clone(),
    })
}
