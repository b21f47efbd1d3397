//! Moving a card's state on: time passes, then an input is applied.

use super::meter::add_bytes;
use super::{CardState, EndReason, Happening, Input, Live, PackageBlock, Purchase, Stake};
use crate::ids::SubscriptionId;
use crate::time::{Timestamp, Zone};

/// Folds inputs that are sorted by [`Input::position`] into the state.
pub fn fold(state: &mut CardState, inputs: &[Input], zone: &Zone, out: &mut Vec<Happening>) {
    for input in inputs {
        state.apply(input, zone, out);
    }
}

impl Default for CardState {
    fn default() -> Self {
        CardState::new()
    }
}

impl CardState {
    /// A card that never had a package, before all time.
    pub fn new() -> CardState {
        CardState {
            now: Timestamp(i64::MIN),
            last: None,
            live: Vec::new(),
            pool: None,
            stake: None,
            block: Some(PackageBlock::NoPackage),
            told: Some(PackageBlock::NoPackage),
            stops: 0,
            ended_bytes: 0,
            outflow_bytes: 0,
        }
    }

    /// Lets time pass up to and including `to`: ends, refills and starts happen at their exact instants (rule 9), at one
    /// instant in this order and then in the order bought. Never goes back. Taken as said: no more input comes for `to`.
    pub fn advance(&mut self, to: Timestamp, zone: &Zone, out: &mut Vec<Happening>) {
        if to >= self.now {
            self.pass(to, zone, out);
            self.tell(out);
        }
    }

    /// Lets time pass up to the instant of an input that is about to be applied, as [`CardState::apply`] would: for whoever
    /// asks what the state is just before it.
    pub fn reach(&mut self, input: &Input, zone: &Zone, out: &mut Vec<Happening>) {
        let position = input.position();
        if self.last.is_none_or(|last| position > last) {
            self.pass(position.0, zone, out);
        }
    }

    /// Lets time pass up to the input's instant, then applies it. Inputs come in the order of [`Input::position`]; the
    /// same one again changes nothing. Whether it blocked or unblocked the card is told when its instant is over: by the
    /// next later input, or by [`CardState::advance`].
    ///
    /// # Panics
    /// When the bytes of the card reach 2^63.
    pub fn apply(&mut self, input: &Input, zone: &Zone, out: &mut Vec<Happening>) {
        let position = input.position();
        if self.last.is_some_and(|last| position <= last) {
            debug_assert_eq!(self.last, Some(position), "inputs are folded in order");
            return;
        }
        debug_assert!(position.0 >= self.now, "a state that was moved on takes no earlier input");
        self.pass(position.0, zone, out);
        match input {
            Input::Refund(_, id) => self.take_out(*id, EndReason::Refunded, zone, out),
            Input::Move(_, id) => self.take_out(*id, EndReason::Moved, zone, out),
            Input::Purchase(p) => self.buy(p, zone, out),
            Input::Usage(u) => self.burn(u.bytes, zone, out),
            Input::Pool(_, stand) => self.pool = *stand,
            Input::Stake(_, stake) => self.stake_now(*stake, zone, out),
        }
        self.settle();
        self.last = Some(position);
    }

    /// The next instant at which something happens by itself: an end, a refill, a start, or (`now`) the telling of a
    /// block that the last input changed. None when nothing will.
    pub fn next_due(&self, _zone: &Zone) -> Option<Timestamp> {
        if self.told == self.verdict() { self.due() } else { Some(self.now) }
    }

    /// The next instant at which something happens by itself, whatever was told.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let main_place_free = self.current_main().is_none();
        // The end of the pool matters to a card that lives of it alone.
        let mut due = self.pool.map(|p| p.until).filter(|until| *until > self.now && self.block.is_some());
        for live in &self.live {
            let at = match live.running {
                Some((_, end)) => live.refill.map_or(end, |refill| refill.min(end)),
                None if main_place_free || !live.is_main() => live.eligible,
                None => continue,
            };
            due = Some(due.map_or(at, |earlier| earlier.min(at)));
        }
        due
    }

    /// Lets time pass up to and including `to`; what the instant `to` comes to is not told yet.
    pub(super) fn pass(&mut self, to: Timestamp, zone: &Zone, out: &mut Vec<Happening>) {
        while let Some(at) = self.due().filter(|at| *at <= to) {
            self.move_to(at, out);
            self.end_expired(out);
            self.refill(zone, out);
            self.start_ready(zone, out);
            self.settle();
        }
        self.move_to(to, out);
    }

    fn move_to(&mut self, at: Timestamp, out: &mut Vec<Happening>) {
        if at > self.now {
            self.tell(out);
            self.now = at;
        }
    }

    fn tell(&mut self, out: &mut Vec<Happening>) {
        let (before, verdict) = (self.told, self.verdict());
        if before == verdict {
            return;
        }
        self.told = verdict;
        self.stops += u32::from(before.is_none());
        let by_pool = |block: Option<PackageBlock>| block == Some(PackageBlock::PoolExhausted);
        if before.is_some() && verdict.is_some() && (by_pool(before) || by_pool(verdict)) {
            return; // stopped before and after: a card that joins or leaves a used up pool is not stopped again
        }
        if let (true, Some(pool)) = (by_pool(verdict), self.pool) {
            out.push(Happening::PoolOver(pool.last, self.now));
        }
        if let (true, Some(own)) = (by_pool(verdict), self.capped_stake()) {
            out.push(Happening::PoolOver(own, self.now));
        }
        out.push(verdict.map_or(Happening::Unblocked(self.now), |block| Happening::Blocked(block, self.now, self.stops)));
    }

    /// Decides the block from what runs. Where nothing runs, the last end of this or an earlier instant has left its
    /// reason in `block`.
    pub(super) fn settle(&mut self) {
        if self.live.iter().any(|l| l.can_pay() || l.can_pay_slowly()) {
            self.block = None;
        } else if self.live.iter().any(|l| l.running.is_some() && l.takes_bytes()) {
            self.block = Some(PackageBlock::Quota);
        } else {
            self.block.get_or_insert(PackageBlock::NoPackage);
        }
    }

    fn end_expired(&mut self, out: &mut Vec<Happening>) {
        let now = self.now;
        let is_over = |l: &Live| l.running.is_some_and(|(_, end)| end <= now);
        while let Some(i) = self.live.iter().position(is_over) {
            self.end(i, EndReason::Expired, out);
        }
    }

    fn end(&mut self, i: usize, reason: EndReason, out: &mut Vec<Happening>) {
        let live = self.live.remove(i);
        self.ended_bytes = add_bytes(self.ended_bytes, live.used);
        if live.running.is_some() && live.takes_bytes() {
            self.block = Some(reason.block());
        }
        out.push(Happening::Ended(live.id, self.now, reason, live.used));
    }

    fn refill(&mut self, zone: &Zone, out: &mut Vec<Happening>) {
        let now = self.now;
        for live in self.live.iter_mut().filter(|l| l.refill.is_some_and(|at| at <= now)) {
            live.window_used = 0;
            live.slow = false;
            live.refill = live.next_refill(now, zone);
            out.push(Happening::Refilled(live.id, now));
            slow_down(live, now, out);
        }
    }

    fn start_ready(&mut self, zone: &Zone, out: &mut Vec<Happening>) {
        while let Some(i) = self.startable() {
            let live = &mut self.live[i];
            let end = live.begin(self.now, zone);
            out.push(Happening::Started(live.id, self.now, end));
            slow_down(live, self.now, out);
            if live.is_finished() {
                self.end(i, EndReason::Quota, out);
            } else if end <= self.now {
                self.end(i, EndReason::Expired, out);
            }
        }
    }

    fn startable(&self) -> Option<usize> {
        let main_place_free = self.current_main().is_none();
        let ready = |l: &Live| l.running.is_none() && l.eligible <= self.now && (main_place_free || !l.is_main());
        self.live.iter().position(ready)
    }

    fn buy(&mut self, purchase: &Purchase, zone: &Zone, out: &mut Vec<Happening>) {
        // A subscription is bought once; a second purchase under its number is the same one.
        if let Err(i) = self.find(purchase.subscription) {
            self.live.insert(i, Live::bought(purchase, zone));
            self.mark_staked();
            self.start_ready(zone, out);
        }
    }

    /// The card has a stake in a joint pool, or no longer. What its stake paid beyond its own allowance ends it then.
    fn stake_now(&mut self, stake: Option<Stake>, zone: &Zone, out: &mut Vec<Happening>) {
        self.stake = stake;
        self.mark_staked();
        while let Some(i) = self.live.iter().position(|l| l.running.is_some() && l.is_finished()) {
            self.end(i, EndReason::Quota, out);
        }
        self.start_ready(zone, out);
    }

    /// Marks the subscriptions that are the card's stake.
    pub(super) fn mark_staked(&mut self) {
        let package = self.stake.map(|s| s.package);
        self.live.iter_mut().for_each(|l| l.staked = l.takes_bytes() && Some(l.package) == package);
    }

    /// The subscription of which the card took all it may.
    fn capped_stake(&self) -> Option<SubscriptionId> {
        self.stake.filter(|s| s.capped)?;
        self.live.iter().find(|l| l.staked && l.running.is_some()).map(|l| l.id)
    }

    fn take_out(&mut self, id: SubscriptionId, reason: EndReason, zone: &Zone, out: &mut Vec<Happening>) {
        if let Ok(i) = self.find(id) {
            if reason == EndReason::Moved {
                out.push(Happening::Moved(id, self.now, self.live[i].rest(self.now)));
            }
            self.end(i, reason, out);
            self.start_ready(zone, out);
        }
    }

    fn find(&self, id: SubscriptionId) -> Result<usize, usize> {
        self.live.binary_search_by_key(&id, |l| l.id)
    }

    /// Attributes bytes at `now`. Whenever an allowance is used up the order of who pays is asked anew, because the next
    /// subscription may have started at this very instant (rules 2 and 3).
    pub(super) fn burn(&mut self, bytes: i64, zone: &Zone, out: &mut Vec<Happening>) {
        debug_assert!(bytes >= 0, "bytes are not negative");
        let mut rest = bytes.max(0);
        while rest > 0 {
            let Some(i) = self.next_payer() else { break };
            let live = &mut self.live[i];
            let part = live.left().map_or(rest, |left| left.min(rest));
            live.charge(part);
            rest -= part;
            slow_down(live, self.now, out);
            if live.is_finished() {
                self.end(i, EndReason::Quota, out);
                self.start_ready(zone, out);
            }
        }
        if rest > 0 {
            self.burn_without_allowance(rest);
        }
    }

    /// Bytes that the next to pay has left; none where nobody can pay.
    pub fn payable(&self) -> Option<i64> {
        self.next_payer().map(|i| self.live[i].left().unwrap_or(i64::MAX))
    }

    fn next_payer(&self) -> Option<usize> {
        let main_end = self.current_main().and_then(|main| main.running).map(|(_, end)| end);
        let payers = self.live.iter().enumerate().filter(|(_, l)| l.can_pay());
        // A stake that is used up pays when nothing else can: what all cards took of it is known only afterwards.
        let used_up = self.is_stake_used_up();
        payers.min_by_key(|(_, l)| (used_up && l.staked, l.turn(main_end))).map(|(i, _)| i)
    }

    /// Bytes beyond every allowance: to the slowed main, else to a slowed side package, else out of package (rule 6).
    fn burn_without_allowance(&mut self, bytes: i64) {
        let slowed = self.live.iter_mut().filter(|l| l.can_pay_slowly());
        match slowed.min_by_key(|l| l.turn(None)) {
            Some(live) => live.charge(bytes),
            None => self.outflow_bytes = add_bytes(self.outflow_bytes, bytes),
        }
    }
}

/// Lowers the speed once per window, when the allowance of a `throttled` one is used up.
fn slow_down(live: &mut Live, at: Timestamp, out: &mut Vec<Happening>) {
    if live.can_pay_slowly() && !live.slow && live.left() == Some(0) {
        live.slow = true;
        out.push(Happening::Slowed(live.id, at));
    }
}
