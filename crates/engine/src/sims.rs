//! Cards: adding and changing them, and what is true of one now.

use crate::act::Actor;
use crate::cards::{self, Settling};
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::{network, notices};
use kachi_domain::carrier::Line;
use kachi_domain::event::EventKind;
use kachi_domain::ids::{Imsi, Msisdn};
use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::package::Kind;
use kachi_domain::rating::{CardState, Live};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Iccid, PackageId, PoolId, ProductId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::orders::Subscription;
use kachi_store::sims::{Sim, SimAndState};

/// A card and its package state as they are now.
#[derive(Debug, Clone)]
pub struct Card {
    /// The card.
    pub sim: Sim,
    /// Its package state, moved on to now.
    pub state: CardState,
    /// The latest instant up to which usage is known.
    pub as_of: Option<Timestamp>,
    /// Its place in an IMEI group now.
    pub imei_group: Option<InImeiGroup>,
    /// Whether it is, or ever was, in a pool.
    pub was_pooled: bool,
}

/// A card's place in an IMEI group now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InImeiGroup {
    /// The group.
    pub group: i64,
    /// When it leaves by itself.
    pub until: Option<Timestamp>,
    /// How often it was unlocked this month.
    pub unlocks: i64,
}

impl Card {
    /// Its blocks as they are now.
    pub fn blocks(&self) -> Blocks {
        Blocks(self.sim.blocks).with_state(&self.state)
    }

    /// Its base state.
    pub fn base_state(&self) -> BaseState {
        BaseState::parse(&self.sim.state).unwrap_or(BaseState::Unknown)
    }

    /// Whether its user's real name is known: the carrier's word that it is missing counts more than what was said here.
    pub fn has_real_name(&self) -> bool {
        self.sim.real_name && self.blocks().0 & Blocks::REAL_NAME.0 == 0
    }

    /// What is in use: the main package, or the first of those that run beside.
    pub fn in_use(&self) -> Option<&Live> {
        self.state.current_main().or_else(|| self.state.live.iter().find(|l| l.running.is_some()))
    }

    /// When the passing of time alone next changes its package state; none: it does not.
    pub fn changes_at(&self, catalogue: &Catalogue) -> Option<Timestamp> {
        self.state.next_due(catalogue.zone(self.sim.account))
    }

    /// Bytes of all allowances, waiting ones too.
    pub fn allowance_bytes(&self) -> i64 {
        self.state.live.iter().filter(|l| l.terms.kind != Kind::Time).fold(0, |sum, l| sum.saturating_add(l.terms.allowance))
    }
}

/// The card's package state moved on to now.
pub fn present(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<CardState> {
    let head = tx.sim_and_state(&sim.iccid)?.and_then(|s| s.head).unwrap_or_default();
    moved_on(catalogue, sim, &head, now)
}

fn moved_on(catalogue: &Catalogue, sim: &Sim, head: &[u8], now: Timestamp) -> Result<CardState> {
    let mut state = cards::decode(head)?;
    state.advance(now, catalogue.zone(sim.account), &mut Vec::new());
    Ok(state)
}

/// What was read of a card, made into what is true now; refused alike if there is none and if it is a stranger's.
pub fn card(catalogue: &Catalogue, actor: &Actor, read: Option<SimAndState>, now: Timestamp) -> Result<Card> {
    let Some(read) = read.filter(|r| actor.may_see(r.sim.account)) else { return Err(Refusal::UnknownSim.into()) };
    let state = moved_on(catalogue, &read.sim, read.head.as_deref().unwrap_or_default(), now)?;
    let mut sim = read.sim;
    if read.imei != 0 {
        sim.imei = Some(kachi_domain::imei::text(read.imei));
    }
    let place = read.imei_group.filter(|p| p.until.is_none_or(|until| Timestamp(until) > now));
    let imei_group = place.map(|p| InImeiGroup {
        group: p.group,
        until: p.until.map(Timestamp),
        unlocks: if now.0 < p.unlocks_until { p.unlocks } else { 0 },
    });
    Ok(Card { sim, state, as_of: read.as_of.map(Timestamp), imei_group, was_pooled: read.pool_moves > 0 })
}

/// What became of a card given by a file or import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Added(SimId),
    /// It was there and was changed.
    Changed(SimId),
    /// It was there and is the same.
    Same(SimId),
}

impl Put {
    /// The card's number.
    pub fn id(self) -> SimId {
        match self {
            Put::Added(id) | Put::Changed(id) | Put::Same(id) => id,
        }
    }
}

/// Adds a card or changes what may be changed. A new card's waiting orphans become its readings at once, if they are not too
/// many for one transaction ([`crate::import::LINES_AT_ONCE`]); the rest soon.
pub fn put(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, wanted: &Sim) -> Result<Put> {
    let mut arrivals = Arrivals::default();
    let put = arrivals.put(tx, catalogue, how, wanted)?;
    arrivals.settle(tx, catalogue, how)?;
    Ok(put)
}

/// Cards put one after another in one transaction: the new ones take their places in the accounts' lists together, which
/// is cheaper, and locks the lists for the end of the transaction only.
#[derive(Debug, Default)]
#[must_use = "new cards are in no list before `settle`"]
pub struct Arrivals(Vec<Sim>);

impl Arrivals {
    /// As [`put`], but for the places and orphans. One that is refused changes nothing, so others may follow it in the same
    /// transaction.
    pub fn put(&mut self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, wanted: &Sim) -> Result<Put> {
        let operator = kachi_domain::account::Path::root();
        match tx.sim_by_iccid(&operator, &wanted.iccid)? {
            Some(there) if there.account != wanted.account => Err(Refusal::BadField {
                field: "iccid".into(),
                rule: format!("{} belongs to another account; move it with `kachi admin sim move`", wanted.iccid),
            }
            .into()),
            Some(there) => {
                let changed = Sim {
                    id: there.id,
                    state: there.state.clone(),
                    blocks: there.blocks,
                    activated_at: there.activated_at,
                    imei: there.imei.clone(),
                    network: there.network.clone(),
                    ..wanted.clone()
                };
                if changed == there {
                    return Ok(Put::Same(there.id));
                }
                // What may be refused comes first: a refused card is as it was.
                refuse_other_platform(catalogue, &there, changed.product)?;
                take_numbers(tx, &changed, Some(&there))?;
                if changed.product != there.product {
                    crate::pools::leave_all(tx, catalogue, how, &there)?;
                }
                tx.change_sim(there.id, &changed)?;
                if changed.product != there.product {
                    notices::product_switched(tx, catalogue, &changed, how.now)?;
                    crate::service::look_again(tx, catalogue, there.id, how.now)?;
                }
                Ok(Put::Changed(there.id))
            }
            None => {
                take_numbers(tx, wanted, None)?;
                let id = tx.add_sim(wanted, how.now)?;
                self.0.push(Sim { id, ..wanted.clone() });
                Ok(Put::Added(id))
            }
        }
    }

    /// Gives the new cards their places, in the order they came, stops those of accounts in arrears, and gives them the usage that
    /// waited for them.
    pub fn settle(self, tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling) -> Result<()> {
        tx.place_new(&self.0)?;
        crate::arrears::came(tx, catalogue, &self.0, how.now)?;
        crate::import::adopt_orphans(tx, catalogue, how, &self.0.iter().map(|s| s.iccid.as_str()).collect::<Vec<_>>())?;
        Ok(())
    }
}

/// The numbers by which a card is asked about, here or at its carrier, besides its ICCID.
fn numbers(sim: &Sim) -> [(&'static str, Option<&str>); 3] {
    [("imsi", sim.imsi.as_deref()), ("msisdn", sim.msisdn.as_deref()), ("eid", sim.eid.as_deref())]
}

/// Cards that have a number which the card is to get, each with the number's kind.
pub(crate) fn holders(tx: &mut Tx<'_>, wanted: &Sim, before: Option<&Sim>) -> Result<Vec<(String, Sim)>> {
    let had = before.map_or([None; 3], |b| numbers(b).map(|(_, number)| number));
    let new: Vec<(&str, &str)> = numbers(wanted)
        .into_iter()
        .zip(had)
        .filter_map(|((kind, number), had)| Some((kind, number.filter(|_| number != had)?)))
        .collect();
    let mut found = Vec::new();
    for (kind, sim) in tx.sims_with_numbers(&new)? {
        found.extend(tx.sim_by_id(SimId(sim))?.filter(|s| s.iccid != wanted.iccid).map(|holder| (kind, holder)));
    }
    Ok(found)
}

/// A number names one card: acts, and carriers, go by it. A card that is over gives its number to the one that comes after it (the
/// carrier gives it out again; an eSIM's chip holds another profile now); one that is not keeps it, and a second card with it is refused.
fn take_numbers(tx: &mut Tx<'_>, wanted: &Sim, before: Option<&Sim>) -> Result<()> {
    let holders = holders(tx, wanted, before)?;
    let lives = |(_, holder): &&(String, Sim)| !BaseState::parse(&holder.state).is_ok_and(BaseState::is_over);
    if let Some((kind, holder)) = holders.iter().find(lives) {
        let number = numbers(wanted).into_iter().find(|(k, _)| k == kind).and_then(|(_, number)| number).unwrap_or_default();
        let rule = format!(
            "{number} is that of {} already: take it from that card first, or close it (`kachi admin sim close`)",
            holder.iccid
        );
        return Err(Refusal::BadField { field: kind.clone(), rule }.into());
    }
    take_from(tx, holders)
}

fn take_from(tx: &mut Tx<'_>, holders: Vec<(String, Sim)>) -> Result<()> {
    for (kind, holder) in holders {
        let Some(now) = tx.sim_by_id(holder.id)? else { continue };
        let without = match kind.as_str() {
            "imsi" => Sim { imsi: None, ..now },
            "msisdn" => Sim { msisdn: None, ..now },
            _ => Sim { eid: None, ..now },
        };
        tx.change_sim(holder.id, &without)?;
    }
    Ok(())
}

/// The carrier, asked by the ICCID, tells the card's telephone number and identity: its word decides whose they are.
pub(crate) fn learn_numbers(tx: &mut Tx<'_>, id: SimId, told: &Line) -> Result<()> {
    if told.msisdn.is_none() && told.imsi.is_none() {
        return Ok(());
    }
    let Some(there) = tx.sim_by_id(id)? else { return Ok(()) };
    let msisdn = told.msisdn.as_deref().and_then(|text| Msisdn::parse(text).ok()).map(|n| n.as_str().to_owned());
    let imsi = told.imsi.as_deref().and_then(|text| Imsi::parse(text).ok()).map(|n| n.as_str().to_owned());
    let wanted = Sim { msisdn: msisdn.or(there.msisdn.clone()), imsi: imsi.or(there.imsi.clone()), ..there.clone() };
    if wanted == there {
        return Ok(());
    }
    let holders = holders(tx, &wanted, Some(&there))?;
    take_from(tx, holders)?;
    Ok(tx.change_sim(id, &wanted)?)
}

/// A new card with everything optional empty.
pub fn blank(iccid: &Iccid, account: AccountId, product: ProductId) -> Sim {
    Sim {
        id: SimId(0),
        account,
        iccid: iccid.as_str().to_owned(),
        imsi: None,
        msisdn: None,
        eid: None,
        imei: None,
        product,
        state: BaseState::Inventory.word().to_owned(),
        blocks: Blocks::NO_PACKAGE.0,
        activated_at: None,
        network: String::new(),
        real_name: false,
        alias: String::new(),
        group: String::new(),
        remark: String::new(),
        details: "{}".to_owned(),
    }
}

/// A package the card may buy, with what the account pays and asks for it.
pub struct Offer<'c> {
    /// The package.
    pub package: &'c kachi_store::catalogue::Package,
    /// Its price for the account.
    pub quote: crate::catalogue::Quote,
}

/// The packages the account can buy for the card.
pub fn offers<'c>(tx: &mut Tx<'_>, catalogue: &'c Catalogue, actor: &Actor, iccid: &Iccid) -> Result<(Sim, Vec<Offer<'c>>)> {
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let offers = catalogue
        .packages_of(sim.product)
        .into_iter()
        .filter_map(|package| catalogue.quote(actor.account, package).map(|quote| Offer { package, quote }))
        .collect();
    Ok((sim, offers))
}

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whose card it was.
    pub from: AccountId,
    /// Open subscriptions that went along.
    pub subscriptions: usize,
    /// The pool that it left.
    pub pool: Option<PoolId>,
}

/// Gives a card to another account.
///
/// Who acts: whoever sees both accounts. Promised: subscriptions go along with what is left of them and the new owner is
/// told of each open one; the alias, group and remark of the owner before are not told to one that did not see them; what was due
/// until now is told to the owner until now; usage is of the account that owned the card when it counts, also where its record comes in
/// after the move. No money moves and orders stay their buyer's, so the two may pay in different currencies. The calendar months of what
/// was bought stay those of the time zone in which it was.
pub fn transfer(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    iccid: &Iccid,
    to: AccountId,
) -> Result<Moved> {
    let bad = |field: &str, rule: String| Err(Refusal::BadField { field: field.into(), rule }.into());
    let seen = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    // A pool is one account's: the card leaves the one it is in. Pools are locked before the states of cards.
    let pool = crate::pools::of_card(tx, actor, iccid)?;
    crate::pools::leave_all(tx, catalogue, how, &seen)?;
    let mut row = tx.state_locked(seen.id)?;
    if crate::pools::of_card(tx, actor, iccid)?.is_some() {
        return Err(crate::Fail::Stale); // it joined another meanwhile
    }
    // Read again: another may have moved it while the lock was waited for.
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let Some(owner) = catalogue.account(to).filter(|_| actor.may_see(to)) else {
        return bad("account", format!("there is no account {to}"));
    };
    if sim.account == to {
        return bad("account", format!("{iccid} is {}'s already", owner.account.code));
    }
    if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) {
        return bad("iccid", format!("{iccid} is {}; only a card that is in use or in stock is moved", sim.state));
    }
    // What is in stock would still be sold, to somebody else.
    crate::esim::refuse_unsold(tx, [&sim])?;
    cards::settle(tx, catalogue, how, &mut row, &[])?;
    crate::imei::before_move(tx, catalogue, how, &sim, to)?;
    let here = give(tx, catalogue, &sim, to, how.now)?;
    row.account = to;
    let mut events = vec![
        notices::sim(catalogue, &sim, EventKind::SimMoved, "moved away", how.now)?,
        notices::sim(catalogue, &here, EventKind::SimMoved, "moved here", how.now)?,
    ];
    let open = |s: &&Subscription| matches!(s.state, SubscriptionState::Waiting | SubscriptionState::Active);
    let subs = tx.subscriptions(sim.id)?;
    let orders = tx.orders_by_id(&subs.iter().map(|s| s.order).collect::<Vec<_>>())?;
    for s in subs.iter().filter(open) {
        // The new owner is told as if it had been bought, with the state it is in.
        let order = orders.iter().find(|o| o.id == s.order);
        events.push(notices::subscription(catalogue, (&here, order), s, EventKind::SubscriptionBought, how.now)?);
    }
    tx.tell(&events, how.now)?;
    crate::arrears::moved(tx, catalogue, here.id, how.now)?;
    cards::settle(tx, catalogue, how, &mut row, &[])?;
    tx.put_states(&[row])?;
    Ok(Moved { from: sim.account, subscriptions: subs.iter().filter(open).count(), pool })
}

/// What of a card's details is its owner's own: its number there (C `sbbh`).
const OWNERS_DETAILS: [&str; 1] = ["sbbh"];

/// The card is the other account's from now on; the answer is the card as it is there. What its owner wrote on it stays with that
/// owner, unless the new one is above it and has seen it all along.
pub(crate) fn give(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, to: AccountId, now: Timestamp) -> Result<Sim> {
    let mut here = Sim { account: to, ..sim.clone() };
    if !catalogue.sees(to, sim.account) {
        let mut details: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&sim.details).unwrap_or_default();
        details.retain(|name, _| !OWNERS_DETAILS.contains(&name.as_str()));
        let details = serde_json::to_string(&details).map_err(|e| fault(e.to_string()))?;
        here = Sim { alias: String::new(), group: String::new(), remark: String::new(), details, ..here };
        tx.change_sim(sim.id, &here)?;
    }
    tx.move_sim(sim.id, to, now)?;
    Ok(here)
}

/// A card lives on its platform: its carrier is asked there, and tells there what it uses. It is sold as products of that one alone.
fn refuse_other_platform(catalogue: &Catalogue, sim: &Sim, product: ProductId) -> Result<()> {
    let here = network::platform(catalogue, sim)?;
    let Some(wanted) = catalogue.product(product).filter(|p| p.platform != here.id) else { return Ok(()) };
    let there = catalogue.platform(wanted.platform).map_or("another", |p| p.code.as_str());
    let mut codes: Vec<&str> = catalogue.products().filter(|p| p.platform == here.id).map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    let rule = format!(
        "platform {} has no product {}, which is one of platform {there}: {} lives on {0} and stays there; there are {}",
        here.code,
        wanted.code,
        sim.iccid,
        codes.join(", ")
    );
    Err(Refusal::BadField { field: "product".into(), rule }.into())
}

/// Sells a card as another product of its platform from here on; what it has bought stays its own, and it leaves the pool it is
/// in. The owner is told.
pub fn switch_product(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, product_code): (&Iccid, &str),
) -> Result<()> {
    let bad = |field: &str, rule: String| Err(Refusal::BadField { field: field.into(), rule }.into());
    let seen = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    // A pool is for cards of one product.
    crate::pools::leave_all(tx, catalogue, how, &seen)?;
    tx.state_locked(seen.id)?;
    if crate::pools::of_card(tx, actor, iccid)?.is_some() {
        return Err(crate::Fail::Stale); // it joined another meanwhile
    }
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    let Some(product) = catalogue.product_by_code(product_code) else {
        return bad("product", format!("there is no product {product_code}: `kachi apply` makes products"));
    };
    if product.id == sim.product {
        return bad("product", format!("{iccid} is {product_code} already"));
    }
    if BaseState::parse(&sim.state).is_ok_and(BaseState::is_over) {
        return bad("iccid", format!("{iccid} is {}; its product is settled", sim.state));
    }
    refuse_other_platform(catalogue, &sim, product.id)?;
    let changed = Sim { product: product.id, ..sim };
    tx.change_sim(changed.id, &changed)?;
    notices::product_switched(tx, catalogue, &changed, how.now)?;
    crate::service::look_again(tx, catalogue, changed.id, how.now)
}

/// What a card already had in another system.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The package.
    pub package: PackageId,
    /// When it was bought there, and in the card's queue from then on.
    pub started: Timestamp,
    /// Bytes used there.
    pub used_bytes: i64,
    /// A number for its order that no other has (made at the roof).
    pub number: String,
}

/// Gives a card what it already had in another system: a subscription that started there, with no money moved.
pub fn bring_subscription(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: &Sim, brought: Brought) -> Result<bool> {
    let Brought { package, started, used_bytes, number } = brought;
    let package = catalogue.package(package).ok_or(Refusal::UnknownPackage)?;
    crate::esim::refuse_unsold(tx, [sim])?;
    let known = tx.subscriptions(sim.id)?.iter().any(|s| s.package == package.id && s.bought_at == started.0);
    if known {
        return Ok(false);
    }
    let mut order = kachi_store::orders::Order {
        id: kachi_domain::OrderId(0),
        account: sim.account,
        number,
        sim: sim.id,
        package: package.id,
        out_trade_no: None,
        state: OrderState::Done,
        paid_minor: 0,
        currency: package.currency,
        shares: "[]".into(),
        channel: Channel::Platform.word().to_owned(),
        custom_data: None,
        renewal: false,
        created_at: started.0,
        updated_at: how.now.0,
        refunded_minor: 0,
        origin: None,
    };
    order.id = tx.add_order(&order)?;
    let mut sub = Subscription {
        id: kachi_domain::SubscriptionId(0),
        account: sim.account,
        sim: sim.id,
        order: order.id,
        package: package.id,
        terms: package.terms.clone(),
        start: package.start,
        not_before: None,
        bought_at: started.0,
        available_at: Some(started.0),
        used_before: used_bytes,
        state: SubscriptionState::Waiting,
        started_at: None,
        ends_at: None,
        ended_at: None,
        end_reason: None,
        used_bytes: 0,
        refunded_at: None,
        updated_at: how.now.0,
        zone: Some(catalogue.zone(sim.account).clone()),
    };
    sub.id = tx.add_subscription(&sub)?;
    let input = kachi_domain::rating::Input::Purchase(cards::purchase(&sub).ok_or_else(|| fault("available"))?);
    let mut row = tx.state_locked(sim.id)?;
    let brought = notices::subscription(catalogue, (sim, Some(&order)), &sub, EventKind::SubscriptionBrought, started)?;
    tx.tell(&[brought], how.now)?;
    // It may have begun long ago: history is told again from the start.
    tx.put_state_base(sim.id, None)?;
    cards::settle(tx, catalogue, how, &mut row, &[input])?;
    tx.put_states(&[row])?;
    Ok(true)
}
