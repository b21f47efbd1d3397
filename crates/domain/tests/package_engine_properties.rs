//! The package engine's promises over random histories: nothing lost, one main at a time, no gap, and the same answer
//! however the fold is cut, stored, or fed.

#[path = "package_engine_properties/history.rs"]
mod history;

use history::{History, Main, history, instant, instant_of, lives, staking, zone};
use kachi_domain::rating::{CardState, EndReason, Happening, Input, PackageBlock, Position, fold};
use kachi_domain::{SubscriptionId, Timestamp, Zone};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The caller's side of rule 7: it keeps some states, and on a late input folds again from the newest one before it.
struct Caller<'a> {
    zone: &'a Zone,
    arrived: Vec<Input>,
    kept: Vec<(CardState, Vec<Happening>)>,
}

impl<'a> Caller<'a> {
    fn new(zone: &'a Zone) -> Caller<'a> {
        Caller { zone, arrived: Vec::new(), kept: vec![(CardState::new(), Vec::new())] }
    }

    fn receive(&mut self, input: Input, keep: bool) {
        let position = input.position();
        let place = self.arrived.partition_point(|i| i.position() < position);
        self.arrived.insert(place, input);
        self.kept.retain(|(state, _)| state.last < Some(position));
        if keep {
            let newest = self.outcome();
            self.kept.push(newest);
        }
    }

    fn outcome(&self) -> (CardState, Vec<Happening>) {
        let (mut state, mut out) = self.kept.last().expect("the first is never dropped").clone();
        let rest: Vec<Input> = self.arrived.iter().filter(|i| Some(i.position()) > state.last).cloned().collect();
        fold(&mut state, &rest, self.zone, &mut out);
        (state, out)
    }
}

fn bytes_in(inputs: &[Input]) -> i64 {
    let bytes = |input: &Input| match input {
        Input::Refund(..) | Input::Move(..) | Input::Pool(..) | Input::Stake(..) => 0,
        Input::Purchase(p) if p.moved => 0,
        Input::Purchase(p) => p.used_before,
        Input::Usage(u) => u.bytes,
    };
    inputs.iter().map(bytes).sum()
}

/// What must be true of a state after every input.
fn is_sound(state: &CardState, seen: &[Input]) -> Result<(), TestCaseError> {
    prop_assert_eq!(state.total_used() + state.outflow_bytes, bytes_in(seen));
    prop_assert!(state.live.iter().filter(|l| l.is_main() && l.running.is_some()).count() <= 1);
    prop_assert!(state.live.is_sorted_by_key(|l| l.id));
    for live in &state.live {
        prop_assert!(live.used >= 0 && live.window_used >= 0);
        prop_assert!(!live.terms.is_limited() || live.window_used <= live.terms.allowance);
        prop_assert!(live.running.is_none_or(|(start, end)| start <= state.now && state.now < end));
        prop_assert!(live.running.is_some() || live.eligible > state.now || (live.is_main() && state.current_main().is_some()));
    }
    let usable = state.live.iter().any(|l| {
        let throttled = l.terms.kind == kachi_domain::package::Kind::Throttled;
        l.running.is_some() && l.takes_bytes() && (throttled || l.left() != Some(0))
    });
    prop_assert_eq!(state.block.is_none(), usable);
    Ok(())
}

/// At every start of a main: none that was bought before it and could start is passed over, and since it could start
/// itself the place was taken without a gap.
fn starts_in_turn(mains: &[Main]) -> Result<(), TestCaseError> {
    for main in mains {
        let Some(start) = main.start else { continue };
        prop_assert!(start >= main.eligible);
        for other in mains.iter().filter(|o| o.id < main.id && o.at < start && o.eligible <= start) {
            prop_assert!(other.started_by(start) || other.ended_by(start), "{:?} passed over by {:?}", other, main);
        }
        is_taken(mains, main.eligible, start)?;
    }
    Ok(())
}

/// The main place is taken by one after another over the whole interval.
fn is_taken(mains: &[Main], from: Timestamp, to: Timestamp) -> Result<(), TestCaseError> {
    let mut at = from;
    while at < to {
        let holder = mains.iter().find(|m| m.started_by(at) && !m.ended_by(at));
        prop_assert!(holder.is_some(), "nobody is in use at {} although one waits", at.0);
        at = holder.and_then(|m| m.end).map_or(to, |(end, _)| end);
    }
    Ok(())
}

fn never_two_at_once(mains: &[Main]) -> Result<(), TestCaseError> {
    for (i, a) in mains.iter().enumerate() {
        for b in &mains[i + 1..] {
            let (Some(a_start), Some(b_start)) = (a.start, b.start) else { continue };
            prop_assert!(a.ended_by(b_start) || b.ended_by(a_start), "{:?} and {:?} overlap", a, b);
        }
    }
    Ok(())
}

/// Every main that ended while another could start was followed at that very instant.
fn no_gap_after_an_end(mains: &[Main], horizon: Timestamp) -> Result<(), TestCaseError> {
    let ends = mains.iter().filter(|m| m.start.is_some()).filter_map(|m| m.end);
    for (end, _) in ends.filter(|(end, _)| *end <= horizon) {
        let waits = |m: &Main| m.at < end && m.eligible <= end && !m.ended_by(end) && m.start.is_none_or(|s| s >= end);
        if mains.iter().any(waits) {
            prop_assert!(mains.iter().any(|m| m.start == Some(end)), "nothing started at {}", end.0);
        }
    }
    Ok(())
}

fn happened_once(happenings: &[Happening]) -> Result<(), TestCaseError> {
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::<SubscriptionId>::new());
    for happening in happenings {
        match happening {
            Happening::Started(id, ..) => prop_assert!(!ended.contains(id) && started.insert(*id)),
            Happening::Ended(id, ..) => prop_assert!(ended.insert(*id)),
            Happening::Moved(id, ..) => prop_assert!(!ended.contains(id)),
            Happening::Refilled(id, _) | Happening::Slowed(id, _) => {
                prop_assert!(started.contains(id) && !ended.contains(id));
            }
            Happening::PoolOver(..) | Happening::Blocked(..) | Happening::Unblocked(_) => {}
        }
    }
    Ok(())
}

/// What time does at one instant: ends, then refills, then starts; each in the order bought.
fn ties_are_in_order(happenings: &[Happening]) -> Result<(), TestCaseError> {
    let by_time = |happening: &Happening| match happening {
        Happening::Ended(id, at, EndReason::Expired, _) => Some((*at, 0, *id)),
        Happening::Refilled(id, at) => Some((*at, 1, *id)),
        _ => None,
    };
    prop_assert!(happenings.iter().filter_map(by_time).is_sorted());
    for (i, happening) in happenings.iter().enumerate() {
        let Happening::Started(_, start, _) = happening else { continue };
        prop_assert!(happenings[i..].iter().filter_map(by_time).all(|(at, ..)| at > *start));
    }
    Ok(())
}

/// Block changes come at most once an instant, last in it, and each changes something (the reason of a card that stays
/// stopped may change silently with its pool). Each stop has the next number, and keeps it while its reason changes.
fn blocks_do_not_flicker(happenings: &[Happening], pooled: bool) -> Result<(), TestCaseError> {
    let (mut block, mut stops) = (Some(PackageBlock::NoPackage), 0);
    for (i, happening) in happenings.iter().enumerate() {
        let (new, at) = match happening {
            Happening::Blocked(b, at, _) => (Some(*b), *at),
            Happening::Unblocked(at) => (None, *at),
            _ => continue,
        };
        prop_assert!(new != block || pooled);
        prop_assert!(new.is_some() || block.is_some());
        if let Happening::Blocked(.., number) = happening {
            stops += u32::from(block.is_none());
            prop_assert_eq!(*number, stops);
        }
        prop_assert!(happenings.get(i + 1).is_none_or(|next| instant_of(next) > at));
        block = new;
    }
    Ok(())
}

fn shuffled(history: &History, keys: &[u64]) -> Vec<Input> {
    let mut inputs: Vec<(u64, Input)> = keys.iter().cycle().copied().zip(history.inputs.iter().cloned()).collect();
    inputs.sort_by_key(|(key, _)| *key);
    inputs.into_iter().map(|(_, input)| input).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every byte is attributed once, an allowance is never exceeded, at most one main is in use, and the block says what
    /// is usable: after every input and at every instant in between.
    #[test]
    fn every_state_is_sound(history in history(), looks in prop::collection::vec(instant(), 1..10)) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        for (i, input) in history.inputs.iter().enumerate() {
            state.apply(input, &history.zone, &mut out);
            for at in looks.iter().filter(|at| **at >= state.now) {
                let mut seen = state.clone();
                seen.advance(*at, &history.zone, &mut Vec::new());
                is_sound(&seen, &history.inputs[..=i])?;
            }
        }
        let (end, _) = history.outcome();
        is_sound(&end, &history.inputs)?;
    }

    /// Rules 1, 2 and 6, as the happenings tell it.
    #[test]
    fn mains_run_one_after_another_in_turn_without_a_gap(history in history()) {
        let (_, happenings) = history.outcome();
        let mains = history.mains(&happenings);
        never_two_at_once(&mains)?;
        starts_in_turn(&mains)?;
        no_gap_after_an_end(&mains, history.horizon)?;
        happened_once(&happenings)?;
        ties_are_in_order(&happenings)?;
        blocks_do_not_flicker(&happenings, history.inputs.iter().any(|i| matches!(i, Input::Pool(..))))?;
        prop_assert!(happenings.is_sorted_by_key(instant_of));
    }

    /// Everything with an end ends by itself: nothing is in use beyond its validity, nothing waits beyond its turn.
    #[test]
    fn ends_and_starts_come_at_their_exact_instant(history in history()) {
        let (state, happenings) = history.outcome();
        let lives = lives(&happenings);
        for purchase in history.purchases().filter(|p| !p.terms.category.is_side()) {
            let Some((Some(start), end)) = lives.get(&purchase.subscription) else { continue };
            let whole = || purchase.zone.as_ref().unwrap_or(&history.zone).end_of(*start, purchase.terms.validity);
            let validity_end = purchase.left_seconds.map_or_else(whole, |left| start.plus(left));
            let running = state.live.iter().any(|l| l.id == purchase.subscription);
            prop_assert!(end.map_or(running, |(end, _)| end <= validity_end));
        }
    }

    /// Rule 8: a state written as JSON or bytes and read back between any inputs, and clones moved on at any instants,
    /// change nothing.
    #[test]
    fn cutting_the_fold_changes_nothing(history in history(), looks in prop::collection::vec(instant(), 1..10)) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        for (i, input) in history.inputs.iter().enumerate() {
            state.apply(input, &history.zone, &mut out);
            state.apply(input, &history.zone, &mut out);
            state.clone().advance(looks[i % looks.len()], &history.zone, &mut Vec::new());
            state = if i % 2 == 0 {
                serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap()
            } else {
                CardState::from_bytes(&state.to_bytes()).unwrap()
            };
        }
        state.advance(history.horizon, &history.zone, &mut out);
        prop_assert_eq!((state, out), history.outcome());
    }

    /// Rule 7: whatever the order of arrival and whichever states the caller kept, the end is the same.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        history in history(),
        keys in prop::collection::vec(any::<u64>(), 60),
        keeps in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut caller = Caller::new(&history.zone);
        for (input, keep) in shuffled(&history, &keys).into_iter().zip(keeps) {
            caller.receive(input, keep);
        }
        let (mut state, mut out) = caller.outcome();
        state.advance(history.horizon, &history.zone, &mut out);
        prop_assert_eq!((state, out), history.outcome());
    }

    /// Rule 7 of a card that goes from zone to zone, or whose owners take another: what was bought in a known zone keeps its months,
    /// whenever a record makes the past anew.
    #[test]
    fn another_zone_changes_nothing_of_what_was_bought(
        history in history(),
        keys in prop::collection::vec(any::<u64>(), 60),
        keeps in prop::collection::vec(any::<bool>(), 60),
        zones in prop::collection::vec(zone(), 60),
    ) {
        let mut history = history;
        for input in &mut history.inputs {
            if let Input::Purchase(p) = input {
                p.zone.get_or_insert_with(|| history.zone.clone());
            }
        }
        let mut caller = Caller::new(&history.zone);
        for ((input, keep), zone) in shuffled(&history, &keys).into_iter().zip(keeps).zip(&zones) {
            caller.zone = zone;
            caller.receive(input, keep);
        }
        let (mut state, mut out) = caller.outcome();
        state.advance(history.horizon, &zones[0], &mut out);
        prop_assert_eq!((state, out), history.outcome());
    }

    /// Rule 9: many small steps of time are one big one, and each small one is where `next_due` said.
    #[test]
    fn small_steps_are_one_big_step(history in history(), looks in prop::collection::vec(instant(), 1..20)) {
        let zone = &history.zone;
        let (mut state, mut out) = (CardState::new(), Vec::new());
        fold(&mut state, &history.inputs, zone, &mut out);
        let (mut stepped, mut stepped_out) = (state.clone(), Vec::new());
        let (mut waited, mut waited_out) = (state.clone(), Vec::new());
        let mut big_out = Vec::new();
        state.advance(history.horizon, zone, &mut big_out);

        let steps: BTreeSet<Timestamp> = looks.into_iter().chain([history.horizon]).collect();
        steps.iter().for_each(|at| stepped.advance(*at, zone, &mut stepped_out));
        prop_assert_eq!((&stepped, &stepped_out), (&state, &big_out));

        while let Some(due) = waited.next_due(zone).filter(|due| *due <= history.horizon) {
            let before = waited_out.len();
            waited.advance(due, zone, &mut waited_out);
            // The reason of a card that stays stopped changes silently with its pool.
            prop_assert!(waited_out.len() > before || history.inputs.iter().any(|i| matches!(i, Input::Pool(..))));
            prop_assert!(waited_out[before..].iter().all(|h| instant_of(h) == due));
        }
        waited.advance(history.horizon, zone, &mut waited_out);
        prop_assert_eq!((&waited, &waited_out), (&state, &big_out));
    }

    /// What is expected to be the end is the end, and what waits starts when it is said to, if only time passes.
    #[test]
    fn the_expected_end_comes_true(history in history()) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        fold(&mut state, &history.inputs, &history.zone, &mut out);
        let mains: BTreeSet<SubscriptionId> = state.live.iter().filter(|l| l.is_main()).map(|l| l.id).collect();
        // What is running and due at this very instant is over before anything is asked.
        state.advance(state.now, &history.zone, &mut out);
        let (expected, last) = (state.expected_end(&history.zone), state.last_end(&history.zone));
        let last_paying = state.last_paying_end(&history.zone);
        let paying: BTreeSet<SubscriptionId> = state.live.iter().filter(|l| l.takes_bytes()).map(|l| l.id).collect();
        let starts: BTreeSet<_> = state.starts(&history.zone).into_iter().map(|(live, start)| (live.id, start)).collect();
        let mut later = Vec::new();
        state.advance(history.horizon.plus(86_400 * 4_000), &history.zone, &mut later);
        let is_main_end = |h: &&Happening| matches!(h, Happening::Ended(id, ..) if mains.contains(id));
        prop_assert_eq!(expected, later.iter().filter(is_main_end).map(instant_of).max());
        let is_end = |h: &&Happening| matches!(h, Happening::Ended(..));
        prop_assert_eq!(last, later.iter().filter(is_end).map(instant_of).max());
        let is_paying_end = |h: &&Happening| matches!(h, Happening::Ended(id, ..) if paying.contains(id));
        prop_assert_eq!(last_paying, later.iter().filter(is_paying_end).map(instant_of).max());
        let started = later.iter().filter_map(|h| if let Happening::Started(id, at, _) = h { Some((*id, *at)) } else { None });
        prop_assert_eq!(starts, started.collect());
    }

    /// The stored form gives the state back, and nonsense is an error, not a fault.
    #[test]
    fn bytes_give_the_state_back(history in history(), cut in 0..200_usize, flip in any::<u8>(), noise: Vec<u8>) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        for input in &history.inputs {
            prop_assert_eq!(CardState::from_bytes(&state.to_bytes()), Ok(state.clone()));
            state.apply(input, &history.zone, &mut out);
        }
        let mut bytes = state.to_bytes();
        if cut < bytes.len() {
            prop_assert!(CardState::from_bytes(&bytes[..cut]).is_err());
            bytes[cut] ^= flip;
            drop(CardState::from_bytes(&bytes));
        }
        drop(CardState::from_bytes(&noise));
    }

    /// A stake changes who pays and never how much, loses nothing on its way to bytes, and is told alike however it arrives.
    #[test]
    fn a_card_with_a_stake_is_told_alike_in_any_order(
        (history, shuffled) in staking().prop_flat_map(|h| (Just(h.clone()), Just(h.inputs).prop_shuffle())),
        keep: Vec<bool>,
    ) {
        let (mut state, mut out) = (CardState::new(), Vec::new());
        for (n, input) in history.inputs.iter().enumerate() {
            state.apply(input, &history.zone, &mut out);
            prop_assert_eq!(CardState::from_bytes(&state.to_bytes()), Ok(state.clone()));
            prop_assert_eq!(state.total_used() + state.outflow_bytes, bytes_in(&history.inputs[..=n]));
            let pays = |l: &kachi_domain::rating::Live| l.staked && l.running.is_some();
            prop_assert!(!state.live.iter().any(pays) || state.block.is_none(), "a stake never ends at its allowance");
        }
        happened_once(&out)?;
        let mut caller = Caller::new(&history.zone);
        for (n, input) in shuffled.into_iter().enumerate() {
            caller.receive(input, keep.get(n).copied().unwrap_or(false));
        }
        prop_assert_eq!(caller.outcome(), (state, out));
    }

    /// Numbers at the edges survive.
    #[test]
    fn bytes_carry_any_number(numbers: [i64; 6], class: u8, stops: u32) {
        let [now, last, first, second, ended_bytes, outflow_bytes] = numbers;
        let last = Some(Position(Timestamp(last), class, first, second));
        let state = CardState { now: Timestamp(now), last, stops, ended_bytes, outflow_bytes, ..CardState::new() };
        prop_assert_eq!(CardState::from_bytes(&state.to_bytes()), Ok(state));
    }
}

#[test]
fn stored_bytes_are_few_and_their_version_is_checked() {
    let bytes = CardState::new().to_bytes();
    assert!(bytes.len() < 20);
    assert!(CardState::from_bytes(&[]).is_err());
    assert!(CardState::from_bytes(&[&[9], &bytes[1..]].concat()).unwrap_err().contains("version 9"));
    assert!(CardState::from_bytes(&[&bytes[..], &[0]].concat()).unwrap_err().contains("too many"));
}
