//! Rating pools: which bytes of its members' readings a pool pays.
//!
//! [`settle`] is called inside the caller's transaction with the pool's row locked and before any of its cards' states. It
//! folds fresh inputs into the pool's state ([`kachi_domain::rating::pool`]), or, if one of them belongs before the last,
//! folds the pool's history again from the state kept before that UTC day. It then compares what the pool paid, and how it
//! stood to its members, with what is written, writes the difference, and answers it as [`News`] card by card: what is
//! new goes into a card's state like any input; where something told before is different, the card's history is told
//! again. So the cards follow their pools and no card's answer depends on the order in which records came.

use crate::cards::{self, Settle, Settling};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::import::Fact;
use crate::notices;
use kachi_domain::order::SubscriptionState;
use kachi_domain::rating::pool::{PoolHappening, PoolInput, PoolRules, PoolState};
use kachi_domain::rating::{CardState, Happening, Input, PoolStand, Position, Usage};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{PoolId, SimId, Timestamp};
use kachi_store::orders::Subscription;
use kachi_store::pools::{Payment, Pool, Stand, Stay};
use kachi_store::{Error, Tx};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What the rating of pools means for one card.
#[derive(Debug, Default)]
pub struct News {
    /// How its pool stands, as newly told.
    pub stands: Vec<Input>,
    /// The first place at which something told before is different.
    pub retell: Option<Position>,
}

impl News {
    fn retell(&mut self, from: Position) {
        self.retell = Some(self.retell.map_or(from, |r| r.min(from)));
    }
}

/// News by card.
pub type AllNews = BTreeMap<i64, News>;

/// What pools made of the facts of one transaction.
#[derive(Debug, Default)]
pub struct Rated {
    /// For the cards.
    pub news: AllNews,
    /// Bytes that pools paid of the facts, by card and place.
    paid: Paid,
    moves: HashMap<i64, i64>,
}

impl Rated {
    /// Bytes of a fact that a pool paid.
    pub fn paid(&self, fact: &Fact) -> i64 {
        if self.paid.is_empty() {
            return 0;
        }
        self.paid.get(&(fact.sim, Input::Usage(fact.usage()).position())).copied().unwrap_or(0)
    }

    /// Refuses a card that joined or left a pool while its facts were on the way to its pools: the transaction is done again.
    pub fn check(&self, sim: SimId, pool_moves: i64) -> Result<()> {
        if self.moves.get(&sim.0).copied().unwrap_or(0) == pool_moves {
            return Ok(());
        }
        Err(Error::Constraint(format!("card {sim} joined or left a pool meanwhile")).into())
    }
}

/// Rates facts (sorted by card) in the pools of their cards. Asks one question if there are no pools.
pub fn rate(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, facts: &[Fact]) -> Result<Rated> {
    let mut rated = Rated::default();
    if !tx.any_pool_member()? {
        return Ok(rated);
    }
    let mut sims: Vec<i64> = facts.iter().map(|f| f.sim).collect();
    sims.dedup();
    let pools: BTreeSet<PoolId> = tx.pool_stays_of(&sims)?.iter().map(|s| s.pool).collect();
    if pools.is_empty() {
        return Ok(rated);
    }
    let mut locked = Vec::with_capacity(pools.len());
    for id in pools {
        locked.push(lock(tx, id)?);
    }
    // The stakes of a joint pool pay by themselves.
    locked.retain(|p| !p.is_joint());
    // Read again: now nobody joins or leaves.
    let stays = Stays::new(tx.pool_stays_of(&sims)?);
    rated.moves = stays.moves();
    let mut by_pool: HashMap<PoolId, Vec<PoolInput>> = HashMap::new();
    for f in facts {
        if let Some(id) = stays.pool_at(f.sim, f.stop) {
            by_pool.entry(id).or_default().push(PoolInput::Usage(SimId(f.sim), f.usage()));
        }
    }
    for pool in &mut locked {
        let Some(mut fresh) = by_pool.remove(&pool.id) else { continue };
        fresh.sort_by_key(PoolInput::position);
        let (news, paid) = fold_and_write(tx, catalogue, how, pool, &fresh, None)?;
        merge(&mut rated.news, news);
        rated.paid.extend(paid);
    }
    Ok(rated)
}

/// The pool's row, locked.
pub fn lock(tx: &mut Tx<'_>, id: PoolId) -> Result<Pool> {
    tx.pool_locked(id)?.ok_or_else(|| fault(format!("pool {id} vanished")))
}

/// Folds inputs that are not usage (their rows are already written) into a locked pool, or, with `from`, everything from
/// that instant's day on again; then tells its cards.
pub fn settle(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    pool: &mut Pool,
    fresh: &[PoolInput],
    from: Option<Timestamp>,
) -> Result<()> {
    let (news, _) = fold_and_write(tx, catalogue, how, pool, fresh, from)?;
    let ids: Vec<i64> = news.keys().copied().collect();
    let mut rows = tx.states(&ids)?;
    let mut settle = Settle::default();
    let mut late = Vec::new();
    for row in &rows {
        let Some(news) = news.get(&row.sim.0) else { continue };
        if news.retell.is_some() || cards::is_late(row, news.stands.first().map(Input::position))? {
            late.push(row.sim.0);
        }
    }
    settle.expect_late(late);
    for row in &mut rows {
        if let Some(news) = news.get(&row.sim.0) {
            settle.fold_told(tx, catalogue, how, row, &news.stands, news.retell)?;
        }
    }
    settle.finish(tx, catalogue, how)?;
    tx.put_states(&rows)?;
    Ok(())
}

/// Pools settled in one look by [`settle_due`].
const DUE_AT_ONCE: i64 = 50;

/// Lets time pass for pools on which something is due; the answer is how many were.
pub(super) fn settle_due(engine: &Engine) -> Result<usize> {
    let now = engine.now();
    let due = engine.store().look(|tx| tx.pools_due(now, DUE_AT_ONCE).map_err(crate::Fail::from))?;
    let n = due.len();
    for id in due {
        engine.write(move |tx, catalogue, how| {
            let mut pool = lock(tx, id)?;
            settle(tx, catalogue, how, &mut pool, &[], None)
        })?;
    }
    Ok(n)
}

/// The pool's state after its last input.
pub fn decode(pool: &Pool) -> Result<PoolState> {
    if pool.state.is_empty() {
        return Ok(PoolState::default());
    }
    serde_json::from_str(&pool.state).map_err(|e| fault(format!("the state of pool {} does not read: {e}", pool.id)))
}

/// The pool's state moved on to `now`, and its subscriptions as they are then.
pub fn present(tx: &mut Tx<'_>, catalogue: &Catalogue, pool: &Pool, now: Timestamp) -> Result<(PoolState, Vec<Subscription>)> {
    let mut state = decode(pool)?;
    let mut out = Vec::new();
    state.advance(now.max(state.burn.now), rules(catalogue, pool), &mut out);
    let mut subs = tx.subscriptions_of_pool(pool.id)?;
    subscription_happenings(&out).for_each(|h| cards::note(&mut subs, h));
    Ok((state, subs))
}

/// What a pool has for one of its members now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supply {
    /// Bytes of the subscription in use.
    pub total_bytes: i64,
    /// Bytes that the member can still take of it.
    pub left_bytes: i64,
}

/// What pools have to do with the figures of a card that is, or ever was, in one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardFigures {
    /// All bytes that the card used, its pools' too.
    pub used_bytes: i64,
    /// What its pool has for it now; none: nothing.
    pub supply: Option<Supply>,
}

/// What pools have to do with the figures of these cards.
pub fn figures(tx: &mut Tx<'_>, catalogue: &Catalogue, sims: &[SimId], now: Timestamp) -> Result<HashMap<SimId, CardFigures>> {
    let used: HashMap<i64, i64> = tx.used_in_all(&sims.iter().map(|s| s.0).collect::<Vec<_>>())?.into_iter().collect();
    let supplies = supplies(tx, catalogue, sims, now)?;
    let of = |sim: &SimId| CardFigures { used_bytes: used.get(&sim.0).copied().unwrap_or(0), supply: supplies.get(sim).copied() };
    Ok(sims.iter().map(|sim| (*sim, of(sim))).collect())
}

/// What their pools have for these cards now; a card whose pool has nothing for it is not in the answer.
fn supplies(tx: &mut Tx<'_>, catalogue: &Catalogue, sims: &[SimId], now: Timestamp) -> Result<HashMap<SimId, Supply>> {
    let mut states: HashMap<PoolId, (PoolState, Option<i64>)> = HashMap::new();
    let mut found = HashMap::new();
    let stays = tx.pool_stays_of(&sims.iter().map(|s| s.0).collect::<Vec<_>>())?;
    for stay in stays.into_iter().filter(|s| s.left_at.is_none()) {
        let (state, cap) = match states.entry(stay.pool) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let Some(pool) = tx.pool_by_id(stay.pool)? else { continue };
                let mut state = decode(&pool)?;
                state.advance(now.max(state.burn.now), rules(catalogue, &pool), &mut Vec::new());
                place.insert((state, pool.member_cap_bytes))
            }
        };
        let Some(live) = state.burn.current_main() else { continue };
        let taken = state.members.get(&stay.sim).map_or(0, |m| m.taken_bytes);
        let own = cap.map_or(i64::MAX, |cap| cap.saturating_sub(taken).max(0));
        let supply = Supply { total_bytes: live.terms.allowance, left_bytes: live.left().unwrap_or(0).min(own) };
        if supply.left_bytes > 0 {
            found.insert(stay.sim, supply);
        }
    }
    Ok(found)
}

fn rules<'c>(catalogue: &'c Catalogue, pool: &Pool) -> PoolRules<'c> {
    PoolRules { zone: catalogue.zone(pool.account), member_cap: pool.member_cap_bytes }
}

fn subscription_happenings(out: &[PoolHappening]) -> impl Iterator<Item = &Happening> {
    out.iter().filter_map(|h| if let PoolHappening::Subscription(h) = h { Some(h) } else { None })
}

type Paid = HashMap<(i64, Position), i64>;

fn fold_and_write(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    pool: &mut Pool,
    fresh: &[PoolInput],
    from: Option<Timestamp>,
) -> Result<(AllNews, Paid)> {
    let head = decode(pool)?;
    let first = fresh.first().map(PoolInput::position);
    let late = from.is_some() || first.is_some_and(|f| head.last.is_some_and(|last| f <= last));
    let mut story = if late {
        let at = [from, first.map(|f| f.0)].into_iter().flatten().min().unwrap_or(how.now);
        Story::from_mark(tx, pool, how.now, day(at))?
    } else {
        Story { base: head, base_day: None, inputs: fresh.to_vec() }
    };
    cards::keep_zones(&mut story.base.burn, || Ok(tx.subscriptions_of_pool(pool.id)?))?;
    let rules = rules(catalogue, pool);
    let (mut state, mut out) = (story.base.clone(), Vec::new());
    let mut marked = false;
    for input in std::mem::take(&mut story.inputs) {
        let today = day(input.position().0);
        if state.last.is_none_or(|last| day(last.0) < today) {
            tx.put_pool_mark(pool.id, today, &encode(&state)?)?;
            marked = true;
        }
        state.apply(&input, rules, &mut out);
    }
    if marked {
        // A record older than this is set aside, so no older state is asked for any more.
        tx.prune_pool_marks(pool.id, day(how.now) - how.late_days - 1)?;
    }
    let mut present = state.clone();
    present.advance(how.now.max(state.burn.now), rules, &mut out);
    write_verdicts(tx, catalogue, how, pool, &story, &out)?;
    let mut news = AllNews::new();
    write_stands(tx, pool.id, story.base.burn.now, &out, &mut news)?;
    let paid = write_payments(tx, pool.id, &story, fresh, &out, &mut news)?;
    (pool.state, pool.due_at) = (encode(&state)?, present.next_due(rules.zone).map(|t| t.0));
    tx.put_pool_state(pool.id, &pool.state, pool.due_at)?;
    Ok((news, paid))
}

fn encode(state: &PoolState) -> Result<String> {
    serde_json::to_string(state).map_err(|e| fault(e.to_string()))
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_SECONDS)
}

/// What is folded: a state, and the inputs after it.
struct Story {
    base: PoolState,
    /// Of history that is told again: the day from which on, all days if none was kept.
    base_day: Option<i64>,
    inputs: Vec<PoolInput>,
}

impl Story {
    /// The pool's history from the newest state that holds nothing of `day` or later.
    fn from_mark(tx: &mut Tx<'_>, pool: &Pool, now: Timestamp, day: i64) -> Result<Story> {
        let (base_day, base) = match tx.pool_mark(pool.id, day)? {
            Some((day, state)) => (day, decode(&Pool { state, ..pool.clone() })?),
            None => (i64::MIN / DAY_SECONDS, PoolState::default()),
        };
        tx.drop_pool_marks_after(pool.id, base_day)?;
        let start = Timestamp(base_day.saturating_mul(DAY_SECONDS));
        let mut inputs = Vec::new();
        for s in tx.subscriptions_of_pool(pool.id)? {
            inputs.extend(cards::purchase(&s).map(PoolInput::Purchase));
            inputs.extend(s.refunded_at.map(|at| PoolInput::Refund(Timestamp(at), s.id)));
        }
        let stays = Stays::new(tx.pool_stays(pool.id, start)?);
        for stay in stays.all() {
            inputs.push(PoolInput::Join(Timestamp(stay.joined_at), stay.sim));
            inputs.extend(stay.left_at.map(|at| PoolInput::Leave(Timestamp(at), stay.sim)));
        }
        for (sim, stop, start, source_id, bytes) in
            tx.readings_of_sims(&stays.sims(), base_day, now.0.div_euclid(DAY_SECONDS) + 1)?
        {
            if stays.pool_at(sim, stop).is_some() {
                let usage = Usage { stop: Timestamp(stop), start: Timestamp(start), source_id, bytes };
                inputs.push(PoolInput::Usage(SimId(sim), usage));
            }
        }
        inputs.retain(|i| i.position().0 >= start);
        inputs.sort_by_key(PoolInput::position);
        Ok(Story { base, base_day: Some(base_day), inputs })
    }
}

/// Stays by card; those that were over as they began count for nothing but the moves.
struct Stays(HashMap<i64, Vec<Stay>>);

impl Stays {
    fn new(all: Vec<Stay>) -> Stays {
        let mut by_card: HashMap<i64, Vec<Stay>> = HashMap::new();
        for stay in all {
            by_card.entry(stay.sim.0).or_default().push(stay);
        }
        Stays(by_card)
    }

    fn all(&self) -> impl Iterator<Item = &Stay> {
        self.0.values().flatten().filter(|s| s.left_at != Some(s.joined_at))
    }

    fn sims(&self) -> Vec<i64> {
        let mut sims: Vec<i64> = self.0.keys().copied().collect();
        sims.sort_unstable();
        sims
    }

    /// The pool in which the card was at the instant.
    fn pool_at(&self, sim: i64, at: i64) -> Option<PoolId> {
        let in_it = |s: &&Stay| s.joined_at <= at && s.left_at.is_none_or(|left| at < left);
        self.0.get(&sim)?.iter().find(in_it).map(|s| s.pool)
    }

    fn moves(&self) -> HashMap<i64, i64> {
        let moves = |stays: &Vec<Stay>| stays.iter().map(|s| 1 + i64::from(s.left_at.is_some())).sum();
        self.0.iter().map(|(sim, stays)| (*sim, moves(stays))).collect()
    }
}

/// Writes what the happenings mean for the pool's subscriptions; each start and end becomes an event once.
fn write_verdicts(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    pool: &Pool,
    story: &Story,
    out: &[PoolHappening],
) -> Result<()> {
    if story.base_day.is_none() && subscription_happenings(out).next().is_none() {
        return Ok(());
    }
    let mut subs = tx.subscriptions_of_pool(pool.id)?;
    let before = subs.clone();
    if story.base_day.is_some() {
        cards::reset_open(&mut subs, &CardState { last: story.base.last, ..story.base.burn.clone() });
    }
    for happening in subscription_happenings(out) {
        cards::note(&mut subs, happening);
    }
    for (new, old) in subs.iter_mut().zip(&before).filter(|(new, old)| new != old) {
        new.updated_at = how.now.0;
        tx.set_subscription_verdicts(std::slice::from_ref(new))?;
        let word = match new.state {
            SubscriptionState::Active => "started",
            SubscriptionState::Ended => "ended",
            _ => continue,
        };
        if old.state != new.state && tx.announce(NO_CARD, word, new.id.0)? {
            let at = Timestamp(new.ended_at.or(new.started_at).unwrap_or(how.now.0));
            notices::pool(tx, catalogue, pool, &format!("subscription {} {word}", new.id), at, how.now)?;
        }
    }
    Ok(())
}

/// What is told once of a pool is kept under this number.
const NO_CARD: SimId = SimId(0);

/// Writes how the pool stands to its members from `from` on, where that is new or different.
fn write_stands(tx: &mut Tx<'_>, id: PoolId, from: Timestamp, out: &[PoolHappening], news: &mut AllNews) -> Result<()> {
    let mut told: BTreeMap<(i64, i64), Option<PoolStand>> = BTreeMap::new();
    for happening in out {
        if let PoolHappening::Stand(sim, at, stand) = happening {
            told.insert((sim.0, at.0), *stand);
        }
    }
    let mut sims: Vec<i64> = tx.pool_stays(id, from)?.iter().map(|s| s.sim.0).collect();
    sims.sort_unstable();
    sims.dedup();
    let mut fresh: Vec<Stand> = Vec::new();
    for old in tx.pool_stands(id, &sims, from)? {
        match told.remove(&(old.0, old.1)) {
            Some(stand) if row(old.0, old.1, id, stand) == old => continue,
            Some(stand) => fresh.push(row(old.0, old.1, id, stand)),
            None => tx.drop_pool_stand(&old)?,
        }
        let place = Input::Pool(Timestamp(old.1), None).position();
        news.entry(old.0).or_default().retell(place);
    }
    for ((sim, at), stand) in told {
        fresh.push(row(sim, at, id, stand));
        news.entry(sim).or_default().stands.push(Input::Pool(Timestamp(at), stand));
    }
    tx.put_pool_stands(&fresh)?;
    Ok(())
}

fn row(sim: i64, at: i64, id: PoolId, stand: Option<PoolStand>) -> Stand {
    (sim, at, id.0, stand.map(|s| s.until.0), stand.map(|s| s.last.0))
}

/// Writes what the pool paid where that is new or different; the answer is what it paid of the fresh readings.
fn write_payments(
    tx: &mut Tx<'_>,
    id: PoolId,
    story: &Story,
    fresh: &[PoolInput],
    out: &[PoolHappening],
    news: &mut AllNews,
) -> Result<Paid> {
    let mut before: HashMap<(i64, i64, i64, i64), i64> = HashMap::new();
    if let Some(day) = story.base_day {
        let start = Timestamp(day.saturating_mul(DAY_SECONDS));
        let sims = Stays::new(tx.pool_stays(id, start)?).sims();
        before.extend(tx.pool_payments(&sims, start)?.into_iter().filter(|p| p.4 == id.0).map(|p| ((p.0, p.1, p.2, p.3), p.5)));
    }
    let fresh: HashSet<(i64, Position)> = fresh.iter().filter_map(usage_place).collect();
    let (mut paid, mut rows): (Paid, Vec<Payment>) = (Paid::new(), Vec::new());
    for happening in out {
        let PoolHappening::Paid(sim, u, bytes) = happening else { continue };
        let was = before.remove(&(sim.0, u.stop.0, u.start.0, u.source_id)).unwrap_or(0);
        let place = Input::Usage(*u).position();
        if was != *bytes {
            rows.push((sim.0, u.stop.0, u.start.0, u.source_id, id.0, *bytes));
        }
        if fresh.contains(&(sim.0, place)) {
            paid.insert((sim.0, place), *bytes);
        } else if was != *bytes {
            news.entry(sim.0).or_default().retell(place);
        }
    }
    for ((sim, stop, start, source_id), _) in before {
        rows.push((sim, stop, start, source_id, id.0, 0));
        news.entry(sim).or_default().retell(Position(Timestamp(stop), 2, start, source_id));
    }
    tx.put_pool_payments(&rows)?;
    Ok(paid)
}

/// The card of a usage input, and its place in the card's own history.
fn usage_place(input: &PoolInput) -> Option<(i64, Position)> {
    if let PoolInput::Usage(sim, u) = input { Some((sim.0, Input::Usage(*u).position())) } else { None }
}

fn merge(all: &mut AllNews, news: AllNews) {
    for (sim, n) in news {
        let there = all.entry(sim).or_default();
        there.stands.extend(n.stands);
        if let Some(from) = n.retell {
            there.retell(from);
        }
    }
}
