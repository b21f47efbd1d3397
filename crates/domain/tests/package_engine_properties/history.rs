//! Random histories of a card, and what its happenings say about each subscription.

use kachi_domain::package::{Category, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::rating::{CardState, EndReason, Happening, Input, PoolStand, Purchase, Stake, Usage, fold};
use kachi_domain::{Span, SubscriptionId, Timestamp, Zone};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Histories start a week before a year's end, so that months and years turn in most of them.
const ORIGIN: Timestamp = Timestamp(1_798_000_000 / 86_400 * 86_400);
/// Midnight in UTC and in Shanghai lies on the grid.
const STEP_SECONDS: i64 = 4 * 3600;

/// A card's inputs, sorted and distinct, and the zone of whoever has it: of the months of what was bought in no known one.
#[derive(Debug, Clone)]
pub struct History {
    pub zone: Zone,
    pub inputs: Vec<Input>,
    /// After the last input, and after most of what it causes.
    pub horizon: Timestamp,
}

/// Instants on a coarse grid, so that many things happen at the same one.
pub fn instant() -> impl Strategy<Value = Timestamp> {
    (0..300_i64).prop_map(|step| ORIGIN.plus(step * STEP_SECONDS))
}

fn terms() -> impl Strategy<Value = Terms> {
    use Category::{IdleHours, Long, Month, Postpaid, Safety, Test, TopUp};
    let kind = prop_oneof![6 => Just(Kind::Quota), 1 => Just(Kind::Time), 2 => Just(Kind::Throttled)];
    let category = prop_oneof![
        6 => prop::sample::select(vec![Month, Long, Test, IdleHours]),
        5 => prop::sample::select(vec![TopUp, Safety]),
        1 => Just(Postpaid),
    ];
    let resource = prop_oneof![10 => Just(Resource::Data), 1 => prop::sample::select(Resource::ALL.to_vec())];
    let validity = prop_oneof![3 => (1..20_u32).prop_map(Span::Days), 1 => (1..3_u32).prop_map(Span::Months)];
    let window = prop_oneof![2 => Just(Window::Whole), 1 => Just(Window::CalendarMonth)];
    (kind, category, resource, 0..200_i64, validity, window).prop_map(
        |(kind, category, resource, allowance, validity, window)| Terms { kind, category, resource, allowance, validity, window },
    )
}

fn purchase() -> impl Strategy<Value = Purchase> {
    let start = prop_oneof![5 => Just(StartRule::Queue), 1 => Just(StartRule::Now), 1 => Just(StartRule::NextMonth)];
    let not_before = prop::option::weighted(0.2, instant());
    let used_before = prop_oneof![4 => Just(0), 1 => 0..250_i64];
    let left_seconds = prop::option::weighted(0.1, 1..30 * 86_400_i64);
    let parts =
        (instant(), terms(), start, not_before, used_before, prop::bool::weighted(0.2), left_seconds, prop::option::of(zone()));
    parts.prop_map(|(at, terms, start, not_before, used_before, moved, left_seconds, zone)| Purchase {
        package: kachi_domain::PackageId(7),
        order: kachi_domain::OrderId(10_000_001),
        subscription: SubscriptionId(0),
        at,
        terms,
        start,
        not_before,
        used_before,
        moved: moved || left_seconds.is_some(),
        left_seconds,
        zone,
    })
}

/// Any zone: one that never moves, one that is ahead, one whose clocks change.
pub fn zone() -> impl Strategy<Value = Zone> {
    prop::sample::select(vec!["Asia/Shanghai", "UTC", "America/New_York"]).prop_map(|name| Zone::find(name).expect("a zone"))
}

fn usage() -> impl Strategy<Value = Usage> {
    let bytes = prop_oneof![8 => 0..150_i64, 1 => Just(0), 1 => 1_i64 << 40..1 << 50];
    (instant(), 0..600_i64, bytes).prop_map(|(stop, lasted, bytes)| Usage {
        stop,
        start: stop.plus(-lasted),
        source_id: 0,
        bytes,
    })
}

/// Any history of one card.
pub fn history() -> impl Strategy<Value = History> {
    let purchases = prop::collection::vec(purchase(), 0..12);
    let usages = prop::collection::vec(usage(), 0..40);
    let refunds = prop::collection::vec((instant(), 1..14_i64), 0..5);
    let pools = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((instant(), prop::option::weighted(0.8, (instant(), 90..99_i64))), 1..6),
    ];
    let moves = prop::collection::vec((instant(), 1..14_i64), 0..3);
    (purchases, usages, refunds, moves, pools, zone()).prop_map(|(purchases, usages, refunds, moves, pools, zone)| {
        let mut inputs: Vec<Input> = Vec::new();
        // Numbers are given as bought, but what a carrier confirms late becomes available out of that order.
        inputs.extend((1..).zip(purchases).map(|(i, p)| Input::Purchase(Purchase { subscription: SubscriptionId(i), ..p })));
        inputs.extend((1..).zip(usages).map(|(source_id, u)| Input::Usage(Usage { source_id, ..u })));
        inputs.extend(refunds.into_iter().map(|(at, id)| Input::Refund(at, SubscriptionId(id))));
        let stand = |(until, last)| PoolStand { until, last: SubscriptionId(last) };
        inputs.extend(pools.into_iter().map(|(at, pool)| Input::Pool(at, pool.map(stand))));
        inputs.extend(moves.into_iter().map(|(at, id)| Input::Move(at, SubscriptionId(id))));
        inputs.sort_by_key(Input::position);
        inputs.dedup_by_key(|input| input.position());
        History { zone, inputs, horizon: ORIGIN.plus(400 * 86_400) }
    })
}

/// Any history of a card that is in a joint pool from time to time.
pub fn staking() -> impl Strategy<Value = History> {
    let stake = (prop::option::weighted(0.3, Just(())), any::<bool>());
    let stakes = prop::collection::vec((instant(), prop::option::weighted(0.8, stake)), 1..8);
    (history(), stakes).prop_map(|(mut history, stakes)| {
        history.inputs.retain(|i| !matches!(i, Input::Pool(..)));
        let package = kachi_domain::PackageId(7);
        let input = |(at, stake): (Timestamp, Option<(Option<()>, bool)>)| {
            Input::Stake(
                at,
                stake.map(|(over, capped)| Stake { package, until: over.map(|()| at), capped: over.is_some() && capped }),
            )
        };
        history.inputs.extend(stakes.into_iter().map(input));
        history.inputs.sort_by_key(Input::position);
        history.inputs.dedup_by_key(|input| input.position());
        history
    })
}

impl History {
    /// The state at the horizon and everything that happened.
    pub fn outcome(&self) -> (CardState, Vec<Happening>) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        fold(&mut state, &self.inputs, &self.zone, &mut out);
        state.advance(self.horizon, &self.zone, &mut out);
        (state, out)
    }

    /// All purchases by number.
    pub fn purchases(&self) -> impl Iterator<Item = &Purchase> {
        self.inputs.iter().filter_map(|input| if let Input::Purchase(p) = input { Some(p) } else { None })
    }

    /// What became of each main subscription.
    pub fn mains(&self, happenings: &[Happening]) -> Vec<Main> {
        let lives = lives(happenings);
        let is_main = |p: &&Purchase| {
            matches!(p.terms.resource, Resource::Data | Resource::Nb)
                && !matches!(p.terms.category, Category::TopUp | Category::Safety)
        };
        let main = |p: &Purchase| {
            let (start, end) = lives.get(&p.subscription).copied().unwrap_or_default();
            Main { id: p.subscription, at: p.at, eligible: p.eligible(&self.zone), start, end }
        };
        self.purchases().filter(is_main).map(main).collect()
    }
}

/// A main subscription's life as its happenings tell it.
#[derive(Debug, Clone, Copy)]
pub struct Main {
    pub id: SubscriptionId,
    pub at: Timestamp,
    pub eligible: Timestamp,
    pub start: Option<Timestamp>,
    pub end: Option<(Timestamp, EndReason)>,
}

impl Main {
    pub fn ended_by(&self, at: Timestamp) -> bool {
        self.end.is_some_and(|(end, _)| end <= at)
    }

    pub fn started_by(&self, at: Timestamp) -> bool {
        self.start.is_some_and(|start| start <= at)
    }
}

type Life = (Option<Timestamp>, Option<(Timestamp, EndReason)>);

/// Start and end by subscription.
pub fn lives(happenings: &[Happening]) -> BTreeMap<SubscriptionId, Life> {
    let mut lives: BTreeMap<SubscriptionId, Life> = BTreeMap::new();
    for happening in happenings {
        match happening {
            Happening::Started(id, at, _) => lives.entry(*id).or_default().0 = Some(*at),
            Happening::Ended(id, at, reason, _) => lives.entry(*id).or_default().1 = Some((*at, *reason)),
            _ => {}
        }
    }
    lives
}

/// The instant of a happening.
pub fn instant_of(happening: &Happening) -> Timestamp {
    happening.at()
}
