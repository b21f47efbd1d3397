//! What a person sees who looks at the house: accounts, cards, usage, orders, notices, each figure with its age.
//!
//! Who asks: a login's session. Promised: nothing outside the account and those below it is shown, and every figure that
//! is not of this very moment says up to when it is known. Nothing here changes anything but the session itself. The
//! counts of [`figures`] read whole tables; the door asks for them seldom and shows their age.

mod card;
mod order;

pub use card::{CardPage, SubscriptionLine, card};
pub use order::{OrderPage, order};

use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::sims::{self, Card};
use kachi_domain::account::Switch;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::order::OrderState;
use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, Money, OrderId, Refusal, SimId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::files::Orphan;
use kachi_store::lists::Counts;
use kachi_store::orders::Order;
pub use kachi_store::orders::OrdersIn;
pub use kachi_store::sims::Cards;
pub use kachi_store::webhooks::DeliveriesIn;
use kachi_store::webhooks::DeliveryLine;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// How long a session lasts: 12 hours.
pub const SESSION_SECONDS: i64 = 12 * 3600;

/// Days that a usage chart shows.
pub const USAGE_DAYS: i64 = 90;

/// Unknown cards that one page lists.
const ORPHANS_MAX: i64 = 25;

/// Accounts that one page lists.
const ACCOUNTS_MAX: usize = 100;

/// A person who has logged in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The login's name.
    pub login: String,
    /// Its role, as its word.
    pub role: String,
    /// The account it acts for.
    pub actor: Actor,
}

/// The account and password hash of a login.
pub fn login(engine: &Engine, name: &str) -> Result<Option<(AccountId, String)>> {
    Ok(engine.store().look(|tx| tx.login(name))?.map(|(account, _, hash)| (account, hash)))
}

/// Opens a session for a login (with its account and password hash) whose password was verified against that hash; whether it still
/// is the login's. Only the token's digest is kept. `token` must be fresh and unguessable (from the roof).
pub async fn open_session(engine: &Engine, login: (String, AccountId, String), token: &str) -> Result<bool> {
    let ((name, account, password_hash), hash, now) = (login, digest(token), engine.now());
    let until = now.plus(SESSION_SECONDS);
    engine.store().write_async(move |tx| Ok(tx.put_session(&hash, (&name, account, &password_hash), until, now)?)).await
}

/// Ends a session; an unknown one is over already.
pub async fn close_session(engine: &Engine, token: &str) -> Result<()> {
    let hash = digest(token);
    engine.store().write_async(move |tx| Ok(tx.close_session(&hash)?)).await
}

/// The person behind a token; none if the session is over, its login is gone or the account is switched off.
pub fn session_actor(engine: &Engine, token: &str) -> Result<Option<Session>> {
    let hash = digest(token);
    engine.read(|tx, catalogue| {
        let Some((login, account)) = tx.session(&hash, engine.now())? else { return Ok(None) };
        let Some((_, role, _)) = tx.login(&login)?.filter(|(of, _, _)| *of == account) else { return Ok(None) };
        let actor = catalogue.actor(account).filter(|_| catalogue.switch(account) != Switch::Off);
        Ok(actor.map(|actor| Session { login, role, actor }))
    })
}

fn digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the database answers and takes what is written.
pub fn ready(engine: &Engine) -> Result<()> {
    Ok(engine.store().check()?)
}

/// Counts over everything an account sees, as they were at `as_of`.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// When they were counted; none where nothing was yet.
    pub as_of: Option<Timestamp>,
    /// Cards of each account, without those of accounts below it.
    pub cards_of: HashMap<AccountId, i64>,
    /// All its cards, as they are kept.
    pub cards: Counts,
    /// Orders in each state (its word).
    pub orders: Vec<(String, i64)>,
    /// Deliveries in each state (its word).
    pub deliveries: Vec<(String, i64)>,
    /// Cards that something keeps off: stopped, not known, or active with something in their data's way. Those that only lack a
    /// package are not among them.
    pub kept_off: i64,
    /// Lines of usage that wait for their card, and the first cards by number with what waits for each; the operator's alone.
    pub orphans: Option<(i64, Vec<OrphanLine>)>,
    /// Usage of the last [`USAGE_DAYS`] days.
    pub usage: Days,
}

impl Figures {
    /// Active cards that only lack a package.
    pub fn bare(&self) -> i64 {
        (self.cards.of(Stage::Stopped) - self.kept_off).max(0)
    }
}

/// Usage of one platform that waits for a card.
#[derive(Debug, Clone)]
pub struct OrphanLine {
    /// What waits.
    pub orphan: Orphan,
    /// The platform's code.
    pub platform: String,
}

/// Usage per day, oldest first, days without usage included.
#[derive(Debug, Clone, Default)]
pub struct Days {
    /// (days since 1970-01-01 in the owner's zone, bytes).
    pub days: Vec<(i64, i64)>,
    /// The latest instant up to which any of it is known.
    pub as_of: Option<Timestamp>,
}

/// Counts everything the account sees: cards from the numbers kept of them, orders and deliveries by reading whole tables.
pub fn figures(engine: &Engine, actor: &Actor) -> Result<Figures> {
    let now = engine.now();
    engine.read(|tx, catalogue| {
        // An account's number counts the accounts below it, so theirs are taken off.
        let seen: Vec<(AccountId, i64)> = tx.cards_seen(&actor.sees)?;
        let mut cards_of: HashMap<AccountId, i64> = seen.iter().copied().collect();
        for (account, cards) in seen {
            if let Some(above) = catalogue.parent(account).and_then(|parent| cards_of.get_mut(&parent)) {
                *above -= cards;
            }
        }
        Ok(Figures {
            as_of: Some(now),
            cards_of,
            cards: tx.card_counts(actor.account)?,
            orders: tx.orders_counted(&actor.sees)?,
            deliveries: tx.deliveries_counted(&actor.sees)?,
            kept_off: tx.sims_kept_off(&actor.sees)?,
            orphans: if actor.account == OPERATOR { Some(orphans(tx, catalogue)?) } else { None },
            usage: days(tx, catalogue.zone(actor.account), actor, None, now)?,
        })
    })
}

fn orphans(tx: &mut Tx<'_>, catalogue: &Catalogue) -> Result<(i64, Vec<OrphanLine>)> {
    let code = |o: &Orphan| catalogue.platform(o.platform).map_or_else(|| o.platform.to_string(), |p| p.code.clone());
    let line = |orphan: Orphan| OrphanLine { platform: code(&orphan), orphan };
    Ok((tx.orphans_waiting()?, tx.orphans(ORPHANS_MAX)?.into_iter().map(line).collect()))
}

fn days(tx: &mut Tx<'_>, zone: &Zone, actor: &Actor, sim: Option<SimId>, now: Timestamp) -> Result<Days> {
    let last = zone.day(now);
    let first = last - USAGE_DAYS + 1;
    let rows = tx.usage_days(&actor.sees, sim, first, last)?;
    let as_of = rows.iter().map(|r| r.2).max().map(Timestamp);
    let bytes: HashMap<i64, i64> = rows.into_iter().map(|(day, bytes, _)| (day, bytes)).collect();
    Ok(Days { days: (first..=last).map(|day| (day, bytes.get(&day).copied().unwrap_or(0))).collect(), as_of })
}

/// An account with what it has.
#[derive(Debug, Clone)]
pub struct AccountLine {
    /// Its number.
    pub id: AccountId,
    /// Levels below the one who asks.
    pub depth: usize,
    /// The one right above it, unless that is above the one who asks.
    pub parent: Option<String>,
    /// Our word for it.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it may spend, credit not counted.
    pub available: Money,
    /// Held for orders that the carrier has not confirmed.
    pub held: Money,
    /// What it may owe.
    pub credit: Money,
    /// What it owes of shares that went back after it had spent them; what comes in pays this first.
    pub owed: Money,
}

/// The accounts that the asker sees, parents before children, and how many more there are.
pub fn accounts(engine: &Engine, actor: &Actor) -> Result<(Vec<AccountLine>, usize)> {
    engine.read(|tx, catalogue| {
        let mut seen: Vec<_> = actor.sees.iter().filter_map(|id| catalogue.account(*id)).collect();
        seen.sort_by_key(|i| i.account.path.chain());
        let more = seen.len().saturating_sub(ACCOUNTS_MAX);
        seen.truncate(ACCOUNTS_MAX);
        let ids: Vec<AccountId> = seen.iter().map(|i| i.account.id).collect();
        let balances: HashMap<i64, (i64, i64, i64)> =
            tx.balances(&ids)?.into_iter().map(|(id, available, held, credit)| (id, (available, held, credit))).collect();
        let owed: HashMap<i64, i64> = tx.owed(&ids)?.into_iter().collect();
        let own_depth = actor.path.chain().len();
        let line = |info: &&crate::catalogue::AccountInfo| {
            let a = &info.account;
            let (available, held, credit) = balances.get(&a.id.0).copied().unwrap_or((0, 0, a.credit_minor));
            let money = |minor| Money { minor, currency: a.currency };
            let chain = a.path.chain();
            let depth = chain.len().saturating_sub(own_depth);
            let above = chain.iter().rev().nth(1).filter(|_| depth > 0);
            AccountLine {
                id: a.id,
                depth,
                parent: above.and_then(|id| catalogue.account(*id)).map(|info| info.account.code.clone()),
                code: a.code.clone(),
                name: a.name.clone(),
                available: money(available),
                held: money(held),
                credit: money(credit),
                owed: money(owed.get(&a.id.0).copied().unwrap_or(0)),
            }
        };
        Ok((seen.iter().map(line).collect(), more))
    })
}

/// A card with what is true of it now.
#[derive(Debug, Clone)]
pub struct CardLine {
    /// Its number with us; the next page begins below it.
    pub id: SimId,
    /// The card.
    pub iccid: String,
    /// The owner's alias.
    pub alias: String,
    /// The owner's name.
    pub owner: String,
    /// What it is sold as.
    pub product: String,
    /// Where it stands in its life.
    pub state: BaseState,
    /// What is in its way.
    pub blocks: Blocks,
    /// The package in use.
    pub package: Option<String>,
    /// Bytes used of the allowance in use.
    pub used_bytes: i64,
    /// Bytes left of it; none where there is no limit.
    pub left_bytes: Option<i64>,
    /// The end of the package in use.
    pub ends_at: Option<Timestamp>,
    /// Packages that wait.
    pub waiting: usize,
    /// Up to when its usage is known.
    pub as_of: Option<Timestamp>,
}

/// Which cards of a list.
#[derive(Debug, Clone, Default)]
pub struct CardQuestion {
    /// Any known number, how it begins, or how an ICCID or MSISDN ends (4 characters at least); empty = the newest cards.
    pub number: String,
    /// Of the newest cards, only such.
    pub of: Cards,
    /// Only cards made before this one.
    pub before: Option<i64>,
    /// Cards at most.
    pub limit: i64,
}

/// A page of cards, newest first, or those that a number fits. An exact number comes alone.
pub fn cards(engine: &Engine, actor: &Actor, question: &CardQuestion) -> Result<Vec<CardLine>> {
    let now = engine.now();
    engine.read(|tx, catalogue| {
        let number = question.number.to_ascii_uppercase();
        let mut found = if number.is_empty() {
            tx.sims_of_before(question.of, &actor.sees, question.before, question.limit)?
        } else {
            by_number(tx, actor, &number, question.limit)?
        };
        let mut known = std::collections::HashSet::new();
        found.retain(|sim| known.insert(sim.id));
        found.truncate(usize::try_from(question.limit).unwrap_or(0));
        let mut lines = Vec::with_capacity(found.len());
        for sim in found {
            let read = tx.sim_and_state(&sim.iccid)?;
            lines.push(card_line(catalogue, &sims::card(catalogue, actor, read, now)?));
        }
        Ok(lines)
    })
}

fn by_number(tx: &mut Tx<'_>, actor: &Actor, number: &str, limit: i64) -> Result<Vec<kachi_store::sims::Sim>> {
    if !number.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Vec::new());
    }
    // Numbers are digits and A-F: everything that begins with this one is below it with the next letter behind.
    let exact = tx.sims_by_number(&actor.sees, number, &format!("{number}0"), limit)?;
    if !exact.is_empty() || number.len() < 4 {
        return Ok(exact);
    }
    // Four digits may begin nearly every number: half the room is for those that end so.
    let mut found = tx.sims_by_tail(&actor.sees, number, limit)?;
    let others = found.split_off(found.len().min(usize::try_from(limit / 2).unwrap_or(0)));
    found.extend(tx.sims_by_number(&actor.sees, number, &format!("{number}G"), limit)?);
    found.extend(others);
    Ok(found)
}

fn card_line(catalogue: &Catalogue, card: &Card) -> CardLine {
    let used = card.in_use();
    CardLine {
        id: card.sim.id,
        iccid: card.sim.iccid.clone(),
        alias: card.sim.alias.clone(),
        owner: catalogue.account(card.sim.account).map_or_else(String::new, |a| a.account.name.clone()),
        product: catalogue.product(card.sim.product).map_or_else(String::new, |p| p.name.clone()),
        state: card.base_state(),
        blocks: card.blocks(),
        package: used.map(|l| package_name(catalogue, l.package)),
        used_bytes: used.map_or(0, |l| l.window_used),
        left_bytes: used.and_then(|l| l.left()),
        ends_at: used.and_then(|l| l.running).map(|(_, end)| end),
        waiting: card.state.live.iter().filter(|l| l.running.is_none()).count(),
        as_of: card.as_of,
    }
}

fn package_name(catalogue: &Catalogue, id: kachi_domain::PackageId) -> String {
    catalogue.package(id).map_or_else(|| format!("#{id}"), |p| p.name.clone())
}

/// Who bought, as the asker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Buyer {
    /// An account by its name.
    Seen(String),
    /// A level above.
    Above,
    /// An account that had the card before.
    Before,
}

/// What an order or a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A card that the asker sees.
    Card(String),
    /// A card that is by now with an account which the asker does not see.
    Gone(String),
    /// A pool: its owner's note, else its code, else its number.
    Pool(String),
    /// Neither.
    Nothing,
}

impl About {
    fn card(actor: &Actor, iccid: String, owner: AccountId) -> About {
        if actor.may_see(owner) { About::Card(iccid) } else { About::Gone(iccid) }
    }
}

/// An order as a person reads it.
#[derive(Debug, Clone)]
pub struct OrderLine {
    /// Its number.
    pub id: i64,
    /// Who bought.
    pub buyer: Buyer,
    /// For what.
    pub about: About,
    /// Which package.
    pub package: String,
    /// Where it stands.
    pub state: OrderState,
    /// What was paid, and what of it went back; none: that is the business of a buyer whom the asker does not see.
    pub paid: Option<(Money, Money)>,
    /// When.
    pub at: Timestamp,
}

/// A page of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Its lines.
    pub lines: Vec<T>,
    /// Below which number the next page begins; none: nothing is older.
    pub older: Option<i64>,
}

/// The newest orders the account sees, with numbers below `before`, all or those that stand so; of the latter some 100,000 orders are
/// looked through for a page.
pub fn orders(
    engine: &Engine,
    actor: &Actor,
    of: Option<OrdersIn>,
    (before, limit): (Option<i64>, i64),
) -> Result<Page<OrderLine>> {
    engine.read(|tx, catalogue| {
        let (found, older) = match of {
            Some(of) => tx.orders_in_state(of, &actor.sees, before, limit)?,
            // One more tells whether there are older ones.
            None => cut(tx.orders_before(&actor.sees, before, limit + 1)?, limit, |o| o.id.0),
        };
        let about = abouts(tx, actor, &found)?;
        let line = |o: &Order| order_line(catalogue, actor, o, about.get(&o.id.0).cloned().unwrap_or(About::Nothing));
        Ok(Page { lines: found.iter().map(line).collect(), older })
    })
}

/// So many of the lines, and below which number the next page begins if there are more.
fn cut<T>(mut lines: Vec<T>, limit: i64, id: impl Fn(&T) -> i64) -> (Vec<T>, Option<i64>) {
    let most = usize::try_from(limit).unwrap_or(0);
    let has_more = lines.len() > most;
    lines.truncate(most);
    let older = lines.last().filter(|_| has_more).map(id);
    (lines, older)
}

/// By order, what it is for.
fn abouts(tx: &mut Tx<'_>, actor: &Actor, orders: &[Order]) -> Result<HashMap<i64, About>> {
    let mut sims: Vec<i64> = orders.iter().map(|o| o.sim.0).collect();
    sims.sort_unstable();
    sims.dedup();
    let sims: HashMap<SimId, _> = tx.sims_by_id(&sims)?.into_iter().map(|sim| (sim.id, sim)).collect();
    let of_card = |o: &Order| Some((o.id.0, sims.get(&o.sim).map(|s| About::card(actor, s.iccid.clone(), s.account))?));
    let mut about: HashMap<i64, About> = orders.iter().filter_map(of_card).collect();
    let of_pools: Vec<OrderId> = orders.iter().filter(|o| o.sim == SimId(0)).map(|o| o.id).collect();
    for (order, pool, code, note) in tx.pools_of_orders(&of_pools)? {
        let name = Some(note).filter(|n| !n.is_empty()).or(code).unwrap_or_else(|| pool.to_string());
        about.insert(order, About::Pool(name));
    }
    Ok(about)
}

fn order_line(catalogue: &Catalogue, actor: &Actor, o: &Order, about: About) -> OrderLine {
    let money = |minor| Money { minor, currency: o.currency };
    let name = || catalogue.account(o.account).map_or_else(String::new, |a| a.account.name.clone());
    let buyer = match actor.may_see(o.account) {
        true => Buyer::Seen(name()),
        false if catalogue.sees(o.account, actor.account) => Buyer::Above,
        false => Buyer::Before,
    };
    OrderLine {
        id: o.id.0,
        paid: matches!(buyer, Buyer::Seen(_)).then(|| (money(o.paid_minor), money(o.refunded_minor))),
        buyer,
        about,
        package: package_name(catalogue, o.package),
        state: o.state,
        at: Timestamp(o.created_at),
    }
}

/// A notice on its way, or told.
#[derive(Debug, Clone)]
pub struct NoticeLine {
    /// The delivery.
    pub delivery: DeliveryLine,
    /// What it is about.
    pub about: About,
}

impl NoticeLine {
    fn of(actor: &Actor, delivery: DeliveryLine) -> NoticeLine {
        let card = delivery.iccid.clone().zip(delivery.owner);
        let about = card.map_or(About::Nothing, |(iccid, owner)| About::card(actor, iccid, owner));
        NoticeLine { delivery, about }
    }
}

/// The newest notices the account sees, as [`orders`].
pub fn notices(
    engine: &Engine,
    actor: &Actor,
    of: Option<DeliveriesIn>,
    (before, limit): (Option<i64>, i64),
) -> Result<Page<NoticeLine>> {
    let (found, older) = engine.read(|tx, _| match of {
        Some(of) => Ok(tx.deliveries_in_state(of, &actor.sees, before, limit)?),
        None => Ok(cut(tx.deliveries_before(&actor.sees, before, limit + 1)?, limit, |d| d.id)),
    })?;
    Ok(Page { lines: found.into_iter().map(|d| NoticeLine::of(actor, d)).collect(), older })
}

/// Whether a fail only says that there is no such card.
pub fn is_unknown_card(fail: &crate::Fail) -> bool {
    matches!(fail, crate::Fail::Refused(Refusal::UnknownSim))
}
