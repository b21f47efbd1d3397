//! What a state can be asked.

use super::{CardState, Live, PackageBlock};
use crate::ids::PackageId;
use crate::time::{Timestamp, Zone};

impl CardState {
    /// Why the card has no data left, none where its own subscriptions or its pool can pay. A member of a used up pool is
    /// stopped by the pool if it never had a package of its own or still lived of the pool when that ran out.
    pub fn verdict(&self) -> Option<PackageBlock> {
        let beside = |l: &Live| !l.staked && (l.can_pay() || l.can_pay_slowly());
        if self.block.is_none() && self.is_stake_used_up() && !self.live.iter().any(beside) {
            return Some(PackageBlock::PoolExhausted);
        }
        let own = self.block?;
        match self.pool {
            None => Some(own),
            Some(pool) if pool.until > self.now => None,
            Some(pool) => {
                let stopped = self.told == Some(PackageBlock::PoolExhausted) || pool.until == self.now;
                Some(if stopped || own == PackageBlock::NoPackage { PackageBlock::PoolExhausted } else { own })
            }
        }
    }

    /// The package at whose lower speed the card goes on, because nothing with an allowance is left to it; none: it is as fast as
    /// it can be.
    pub fn slowed_by(&self) -> Option<PackageId> {
        let pool_pays = self.pool.is_some_and(|pool| pool.until > self.now);
        if pool_pays || self.live.iter().any(Live::can_pay) {
            return None;
        }
        let slow = self.live.iter().filter(|l| l.slow && l.can_pay_slowly());
        slow.min_by_key(|l| l.turn(None)).map(|l| l.package)
    }

    /// Whether the card is in a pool, or joint pool, that has nothing left for it.
    pub fn is_pool_exhausted(&self) -> bool {
        self.pool.is_some_and(|pool| pool.until <= self.now) || self.is_stake_used_up()
    }

    /// Whether its joint pool has nothing left for the card.
    pub fn is_stake_used_up(&self) -> bool {
        self.stake.and_then(|s| s.until).is_some_and(|until| until <= self.now)
    }

    /// What the card's stake has in the present window: (bytes that it brings, bytes that it took). None: no package of it
    /// is in use.
    pub fn stake_of(&self, package: PackageId) -> Option<(i64, i64)> {
        let mut running = self.live.iter().filter(|l| l.running.is_some() && l.takes_bytes() && l.package == package).peekable();
        running.peek()?;
        Some(running.fold((0_i64, 0_i64), |(size, used), l| {
            (size.saturating_add(l.terms.allowance.max(0)), used.saturating_add(l.window_used))
        }))
    }

    /// The main subscription in use.
    pub fn current_main(&self) -> Option<&Live> {
        self.live.iter().find(|l| l.running.is_some() && l.is_main())
    }

    /// Bytes left in the present windows of all limited data subscriptions, waiting ones too. Stops counting at
    /// `i64::MAX`.
    pub fn remaining_bytes(&self) -> i64 {
        let limited = self.live.iter().filter(|l| l.takes_bytes() && l.is_limited());
        limited.filter_map(Live::left).fold(0, i64::saturating_add)
    }

    /// Bytes attributed to subscriptions, over or not, with what they brought along from another system, not from another
    /// card; out-of-package use is not in it.
    ///
    /// # Panics
    /// When the bytes of the card reach 2^63.
    pub fn total_used(&self) -> i64 {
        self.live.iter().map(|l| l.used).fold(self.ended_bytes, super::meter::add_bytes)
    }

    /// When the last of the card's main subscriptions is over if only time passes: the one in use, then the waiting ones
    /// one after another. None without a main subscription.
    pub fn expected_end(&self, zone: &Zone) -> Option<Timestamp> {
        self.queue(zone).last().map(|(_, _, end)| *end).or_else(|| self.main_end())
    }

    /// Those that wait, each with its start if only time passes, the earliest first: a main one when those before it are over, any
    /// other at its date.
    pub fn starts(&self, zone: &Zone) -> Vec<(&Live, Timestamp)> {
        let beside = self.live.iter().filter(|l| !l.is_main() && l.running.is_none());
        let mut starts: Vec<(&Live, Timestamp)> = beside.map(|l| (l, l.eligible.max(self.now))).collect();
        starts.extend(self.queue(zone).into_iter().map(|(live, start, _)| (live, start)));
        starts.sort_by_key(|(_, start)| *start);
        starts
    }

    /// The waiting main subscriptions in their order, each with its start and end if only time passes.
    fn queue(&self, zone: &Zone) -> Vec<(&Live, Timestamp, Timestamp)> {
        let mut free = self.main_end().unwrap_or(self.now);
        let mut waiting: Vec<&Live> = self.live.iter().filter(|l| l.is_main() && l.running.is_none()).collect();
        let mut queue = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let next = waiting.remove(next_in_queue(&waiting, free));
            let start = free.max(next.eligible);
            free = next.end_if_begun(start, zone);
            queue.push((next, start, free));
        }
        queue
    }

    fn main_end(&self) -> Option<Timestamp> {
        self.current_main().and_then(|main| main.running).map(|(_, end)| end)
    }

    /// The first instant, `at` or later, at which the card's one main place is free for a subscription that is bought now, if only
    /// time passes.
    pub fn main_free_at(&self, at: Timestamp, zone: &Zone) -> Timestamp {
        let (mut ahead, mut free) = (self.clone(), at.max(self.now));
        ahead.pass(free, zone, &mut Vec::new());
        while let Some((_, end)) = ahead.current_main().and_then(|main| main.running) {
            free = end;
            ahead.pass(free, zone, &mut Vec::new());
        }
        free
    }

    /// When the last of all the card's subscriptions is over if only time passes, whatever it is of: a main one, or one of those
    /// that run beside it, which wait for nothing but their date. None where it has none.
    pub fn last_end(&self, zone: &Zone) -> Option<Timestamp> {
        self.last_end_of(zone, |_| true)
    }

    /// The same of those that pay for bytes: not of voice and messages.
    pub fn last_paying_end(&self, zone: &Zone) -> Option<Timestamp> {
        self.last_end_of(zone, Live::takes_bytes)
    }

    fn last_end_of(&self, zone: &Zone, counts: fn(&Live) -> bool) -> Option<Timestamp> {
        let beside = self.live.iter().filter(|l| !l.is_main() && counts(l));
        let end = |l: &Live| l.running.map_or_else(|| l.end_if_begun(l.eligible.max(self.now), zone), |(_, end)| end);
        beside.map(end).chain(self.expected_end(zone)).max()
    }
}

/// The first bought of those that may start at `free`, else the first that may start later.
fn next_in_queue(waiting: &[&Live], free: Timestamp) -> usize {
    let by_turn = waiting.iter().enumerate().min_by_key(|(i, l)| (l.eligible.max(free), *i));
    by_turn.map_or(0, |(i, _)| i)
}
