//! A shared allowance: which bytes of its members a pool pays, and what that means for each of them.
//!
//! A pool's subscriptions follow one another as those of one card do, so they are kept as a [`CardState`] of their own,
//! whose traffic is the traffic of all members. The fold answers per reading how many of its bytes the pool paid; the rest
//! is what the card's own fold is fed. And it answers, per member and instant, how the pool stands from there: until when
//! it can pay if only time passes. A card that knows this needs no word of the pool when that instant comes.
//!
//! What is promised: the answer is a pure function of the inputs in the order of [`PoolInput::position`]; a state kept
//! between two inputs changes the cost of the answer, never the answer. A pool never pays more than it was sold, and
//! never more than `member_cap` of one subscription to one member.

use super::{CardState, Happening, Input, Position, Purchase, Usage};
use crate::ids::{SimId, SubscriptionId};
use crate::time::{Timestamp, Zone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a pool stands to one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStand {
    /// It pays before this instant if only time passes; from it on it has nothing left for the card.
    pub until: Timestamp,
    /// The pool's subscription that is, or was, the last to pay.
    pub last: SubscriptionId,
}

/// Something that happened to the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolInput {
    /// A subscription was bought for it.
    Purchase(Purchase),
    /// A subscription was taken back at the instant.
    Refund(Timestamp, SubscriptionId),
    /// A card leaves: traffic at the instant is no longer the pool's.
    Leave(Timestamp, SimId),
    /// A card joins: traffic at the instant is the pool's.
    Join(Timestamp, SimId),
    /// Traffic of a card was seen. Source ids are distinct on one day: members live on one platform.
    Usage(SimId, Usage),
}

impl PoolInput {
    /// The input's place in the pool's history: instant, then purchases, refunds, leaves, joins and usage, then ties.
    pub fn position(&self) -> Position {
        match self {
            PoolInput::Purchase(p) => Position(p.at, 0, p.subscription.0, 0),
            PoolInput::Refund(at, id) => Position(*at, 1, id.0, 0),
            PoolInput::Leave(at, sim) => Position(*at, 2, sim.0, 0),
            PoolInput::Join(at, sim) => Position(*at, 3, sim.0, 0),
            PoolInput::Usage(_, u) => Position(u.stop, 4, u.start.0, u.source_id),
        }
    }
}

/// What came to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolHappening {
    /// One of the pool's subscriptions started or ended.
    Subscription(Happening),
    /// Of this reading the pool paid so many bytes, none or all.
    Paid(SimId, Usage, i64),
    /// From the instant on the pool stands so to the card; none: it is no member, or the pool never had anything.
    Stand(SimId, Timestamp, Option<PoolStand>),
}

/// What a pool knows of a member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Bytes it took of the subscription in use.
    pub taken_bytes: i64,
    /// Since when it has taken all it may of the subscription in use.
    pub capped: Option<Timestamp>,
    /// How the pool stands as it was last told.
    pub told: Option<PoolStand>,
}

/// A pool's state just after its last input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolState {
    /// The last input folded in.
    pub last: Option<Position>,
    /// Its subscriptions, as if the pool were one card. Its `outflow_bytes` stay 0.
    pub burn: CardState,
    /// Who is in it.
    pub members: BTreeMap<SimId, Member>,
    /// Who left at the instant `burn.now`, until that is over.
    pub leaving: BTreeMap<SimId, Member>,
    /// The end of the subscription that ended last.
    pub over: Option<PoolStand>,
    /// How it stood when an instant was last over.
    pub told: Option<PoolStand>,
    /// Whether a member joined, left, was capped or freed since.
    pub stirred: bool,
}

/// What a pool is folded with.
#[derive(Debug, Clone, Copy)]
pub struct PoolRules<'z> {
    /// The zone of its owner: of the months of what was bought in no known one.
    pub zone: &'z Zone,
    /// The most bytes that one member takes of one subscription; none = no limit.
    pub member_cap: Option<i64>,
}

impl PoolState {
    /// Lets time pass up to the input's instant, then applies it. Inputs come in the order of [`PoolInput::position`]; the
    /// same one again changes nothing. What the instant comes to is told when it is over.
    ///
    /// # Panics
    /// When the bytes of the pool reach 2^63.
    pub fn apply(&mut self, input: &PoolInput, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) {
        let position = input.position();
        if self.last.is_some_and(|last| position <= last) {
            return;
        }
        self.pass(position.0, rules, out);
        match input {
            PoolInput::Purchase(p) => self.sold(&Input::Purchase(p.clone()), rules, out),
            PoolInput::Refund(at, id) => self.sold(&Input::Refund(*at, *id), rules, out),
            PoolInput::Leave(_, sim) => {
                self.leaving.extend(self.members.remove(sim).map(|member| (*sim, member)));
                self.stirred = true;
            }
            PoolInput::Join(_, sim) => {
                let back = self.leaving.remove(sim).unwrap_or_default();
                self.members.entry(*sim).or_insert(back);
                self.stirred = true;
            }
            PoolInput::Usage(sim, usage) => {
                let paid = self.pay(*sim, usage.bytes, rules, out);
                out.push(PoolHappening::Paid(*sim, *usage, paid));
            }
        }
        self.last = Some(position);
    }

    /// Lets time pass up to and including `to`, and tells how the pool stands then. Taken as said: no more input comes
    /// for `to`; ask it of a clone.
    pub fn advance(&mut self, to: Timestamp, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) {
        if to >= self.burn.now {
            self.pass(to, rules, out);
            self.close(rules.zone, out);
            self.burn.advance(to, rules.zone, &mut Vec::new());
        }
    }

    /// The next instant at which something happens by itself.
    pub fn next_due(&self, zone: &Zone) -> Option<Timestamp> {
        self.burn.next_due(zone)
    }

    /// How it stands now to a member without a cap.
    pub fn stand(&self, zone: &Zone) -> Option<PoolStand> {
        match (self.burn.block, self.burn.live.last()) {
            (None, Some(last)) => self.burn.expected_end(zone).map(|until| PoolStand { until, last: last.id }),
            _ => self.over,
        }
    }

    fn pass(&mut self, to: Timestamp, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) {
        while let Some(at) = self.burn.due().filter(|at| *at < to) {
            self.move_to(at, rules, out);
        }
        self.move_to(to, rules, out);
    }

    fn move_to(&mut self, at: Timestamp, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) {
        if at > self.burn.now {
            self.close(rules.zone, out);
        }
        let mut heard = Vec::new();
        self.burn.pass(at, rules.zone, &mut heard);
        self.hear(heard, out);
    }

    fn sold(&mut self, input: &Input, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) {
        let mut heard = Vec::new();
        self.burn.apply(input, rules.zone, &mut heard);
        self.hear(heard, out);
    }

    /// Takes bytes for a member; the answer is how many the pool paid. What ends a subscription counts for that one: the
    /// members' shares begin anew with the next.
    fn pay(&mut self, sim: SimId, bytes: i64, rules: PoolRules<'_>, out: &mut Vec<PoolHappening>) -> i64 {
        let mut rest = bytes.max(0);
        while let (true, Some(left)) = (rest > 0, self.burn.payable()) {
            let now = self.burn.now;
            let Some(member) = self.members.get_mut(&sim) else { break };
            let allowed = rules.member_cap.map_or(rest, |cap| cap.saturating_sub(member.taken_bytes).max(0));
            let part = rest.min(left).min(allowed);
            member.taken_bytes += part;
            if rules.member_cap.is_some_and(|cap| member.taken_bytes >= cap) && member.capped.is_none() {
                member.capped = Some(now);
                self.stirred = true;
            }
            if part == 0 {
                break;
            }
            rest -= part;
            let mut heard = Vec::new();
            self.burn.burn(part, rules.zone, &mut heard);
            self.hear(heard, out);
        }
        self.burn.settle();
        bytes.max(0) - rest
    }

    fn hear(&mut self, heard: Vec<Happening>, out: &mut Vec<PoolHappening>) {
        for happening in heard {
            match happening {
                Happening::Started(..) => {
                    for member in self.members.values_mut().filter(|m| m.taken_bytes != 0) {
                        self.stirred |= member.capped.is_some();
                        (member.taken_bytes, member.capped) = (0, None);
                    }
                }
                Happening::Ended(id, at, ..) => self.over = Some(PoolStand { until: at, last: id }),
                _ => continue,
            }
            out.push(PoolHappening::Subscription(happening));
        }
    }

    /// The instant is over: a member to which the pool stands otherwise than it was told is told.
    fn close(&mut self, zone: &Zone, out: &mut Vec<PoolHappening>) {
        let (now, stand) = (self.burn.now, self.stand(zone));
        if stand == self.told && !self.stirred {
            return;
        }
        (self.told, self.stirred) = (stand, false);
        let left = std::mem::take(&mut self.leaving).into_iter().filter(|(_, member)| member.told.is_some());
        out.extend(left.map(|(sim, _)| PoolHappening::Stand(sim, now, None)));
        for (sim, member) in &mut self.members {
            let to_it = match (stand, member.capped) {
                (Some(s), Some(since)) if s.until > now => Some(PoolStand { until: since, last: s.last }),
                _ => stand,
            };
            if to_it != member.told {
                member.told = to_it;
                out.push(PoolHappening::Stand(*sim, now, to_it));
            }
        }
    }
}
