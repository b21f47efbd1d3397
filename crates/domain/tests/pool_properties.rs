//! What pools promise over random histories: no byte paid twice or beyond what was sold, and the same answer however the
//! fold is cut, kept, or fed.

use kachi_domain::package::{Category, Kind, Resource, Terms, Window};
use kachi_domain::rating::pool::{PoolHappening, PoolInput, PoolRules, PoolState};
use kachi_domain::rating::{CardState, Happening, Input, PoolStand, Purchase, Usage, fold};
use kachi_domain::{SimId, Span, SubscriptionId, Timestamp, Zone};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ORIGIN: Timestamp = Timestamp(1_798_000_000 / 86_400 * 86_400);

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..200_i64).prop_map(|step| ORIGIN.plus(step * 6 * 3600))
}

fn purchase(id: i64, at: Timestamp, allowance: i64, days: u32) -> Purchase {
    let terms = Terms {
        kind: Kind::Quota,
        category: Category::Long,
        resource: Resource::Data,
        allowance,
        validity: Span::Days(days),
        window: Window::Whole,
    };
    Purchase::plain(id, at, terms)
}

#[derive(Debug, Clone)]
struct History {
    inputs: Vec<PoolInput>,
    member_cap: Option<i64>,
    horizon: Timestamp,
}

fn history() -> impl Strategy<Value = History> {
    let sims = || (1..5_i64).prop_map(SimId);
    let purchases = prop::collection::vec((instant(), 1..200_i64, 1..12_u32), 0..8);
    let usages = prop::collection::vec((sims(), instant(), 0..90_i64), 0..50);
    let moves = prop::collection::vec((sims(), instant(), any::<bool>()), 0..12);
    let refunds = prop::collection::vec((instant(), 1..9_i64), 0..3);
    (purchases, usages, moves, refunds, prop::option::of(1..120_i64)).prop_map(
        |(purchases, usages, moves, refunds, member_cap)| {
            let mut inputs: Vec<PoolInput> = Vec::new();
            inputs.extend((1..).zip(purchases).map(|(id, (at, bytes, days))| PoolInput::Purchase(purchase(id, at, bytes, days))));
            inputs.extend(refunds.into_iter().map(|(at, id)| PoolInput::Refund(at, SubscriptionId(id))));
            inputs.extend(moves.into_iter().map(
                |(sim, at, joins)| {
                    if joins { PoolInput::Join(at, sim) } else { PoolInput::Leave(at, sim) }
                },
            ));
            inputs.extend((1..).zip(usages).map(|(source_id, (sim, stop, bytes))| {
                PoolInput::Usage(sim, Usage { stop, start: stop.plus(-60), source_id, bytes })
            }));
            inputs.sort_by_key(PoolInput::position);
            inputs.dedup_by_key(|i| i.position());
            History { inputs, member_cap, horizon: ORIGIN.plus(400 * 86_400) }
        },
    )
}

impl History {
    fn zone() -> Zone {
        Zone::find("UTC").expect("a zone")
    }

    fn outcome(&self) -> (PoolState, Vec<PoolHappening>) {
        let mut state = PoolState::default();
        let out = self.fold(&mut state, &self.inputs);
        self.end(state, out)
    }

    fn fold(&self, state: &mut PoolState, inputs: &[PoolInput]) -> Vec<PoolHappening> {
        let zone = History::zone();
        let mut out = Vec::new();
        for input in inputs {
            state.apply(input, PoolRules { zone: &zone, member_cap: self.member_cap }, &mut out);
        }
        out
    }

    fn end(&self, mut state: PoolState, mut out: Vec<PoolHappening>) -> (PoolState, Vec<PoolHappening>) {
        let zone = History::zone();
        state.advance(self.horizon, PoolRules { zone: &zone, member_cap: self.member_cap }, &mut out);
        (state, out)
    }
}

/// What each subscription was sold for.
fn allowances(history: &History) -> BTreeMap<SubscriptionId, i64> {
    let sold = |i: &PoolInput| if let PoolInput::Purchase(p) = i { Some((p.subscription, p.terms.allowance)) } else { None };
    history.inputs.iter().filter_map(sold).collect()
}

/// The inputs that a card gets of its pool: its readings less what was paid, and how the pool stood.
fn inputs_of_card(sim: SimId, out: &[PoolHappening]) -> Vec<Input> {
    let mut stands = BTreeMap::new();
    let mut inputs = Vec::new();
    for happening in out {
        match happening {
            PoolHappening::Paid(of, usage, paid) if *of == sim => {
                inputs.push(Input::Usage(Usage { bytes: usage.bytes - paid, ..*usage }));
            }
            PoolHappening::Stand(of, at, stand) if *of == sim => drop(stands.insert(*at, *stand)),
            _ => {}
        }
    }
    inputs.extend(stands.into_iter().map(|(at, stand)| Input::Pool(at, stand)));
    inputs.sort_by_key(Input::position);
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every byte is paid once at most and by a subscription that had it, and what the pool did not pay is the card's.
    #[test]
    fn no_byte_is_lost_or_paid_twice(history in history()) {
        let (state, out) = history.outcome();
        let (mut paid, mut read) = (0, 0);
        for happening in &out {
            if let PoolHappening::Paid(_, usage, bytes) = happening {
                prop_assert!((0..=usage.bytes).contains(bytes));
                (paid, read) = (paid + bytes, read + usage.bytes);
            }
        }
        prop_assert_eq!((paid, 0), (state.burn.total_used(), state.burn.outflow_bytes));
        let sold = allowances(&history);
        for happening in &out {
            if let PoolHappening::Subscription(Happening::Ended(id, _, _, used)) = happening {
                prop_assert!(*used <= sold[id]);
            }
        }
        let mut of_cards = 0;
        for sim in (1..5).map(SimId) {
            let mut card = CardState::new();
            fold(&mut card, &inputs_of_card(sim, &out), &History::zone(), &mut Vec::new());
            of_cards += card.total_used() + card.outflow_bytes;
        }
        prop_assert_eq!(of_cards + paid, read, "cards and pool together bear every byte");
    }

    /// A member without a package of its own is stopped exactly while its pool has nothing left for it.
    #[test]
    fn a_member_is_stopped_while_its_pool_is_used_up(history in history(), at in instant()) {
        let seen = History { inputs: history.inputs.iter().filter(|i| i.position().0 <= at).cloned().collect(), horizon: at, ..history };
        let (state, out) = seen.outcome();
        for (sim, member) in &state.members {
            let mut card = CardState::new();
            fold(&mut card, &inputs_of_card(*sim, &out), &History::zone(), &mut Vec::new());
            card.advance(at, &History::zone(), &mut Vec::new());
            let pays = state.burn.payable().is_some() && member.capped.is_none();
            prop_assert_eq!(card.verdict().is_none(), pays, "{:?} of {:?}", card.pool, state);
        }
    }

    /// A state written and read back between any inputs changes nothing, nor does the same input again.
    #[test]
    fn cutting_the_fold_changes_nothing(history in history()) {
        let (mut state, mut out) = (PoolState::default(), Vec::new());
        for input in &history.inputs {
            out.extend(history.fold(&mut state, std::slice::from_ref(input)));
            out.extend(history.fold(&mut state, std::slice::from_ref(input)));
            state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        }
        prop_assert_eq!(history.end(state, out), history.outcome());
    }

    /// Told again from any state kept on the way, what follows is what followed.
    #[test]
    fn any_kept_state_will_do(history in history(), cut in 0..80_usize) {
        let cut = cut.min(history.inputs.len());
        let mut state = PoolState::default();
        let mut out = history.fold(&mut state, &history.inputs[..cut]);
        let kept = state.clone();
        out.extend(history.fold(&mut state, &history.inputs[cut..]));
        let mut again = kept;
        let told = history.fold(&mut again, &history.inputs[cut..]);
        prop_assert_eq!(&again, &state);
        prop_assert!(out.ends_with(&told));
    }

    /// What a caller knows who looks after every input, and takes what is told of the instant it looks at and later as
    /// replacing what was told of these before, is what is told to one who looks once.
    #[test]
    fn what_is_told_of_an_instant_can_be_told_again(history in history()) {
        let stands = |out: &[PoolHappening]| -> BTreeMap<(SimId, Timestamp), Option<PoolStand>> {
            let stand = |h: &PoolHappening| if let PoolHappening::Stand(sim, at, s) = h { Some(((*sim, *at), *s)) } else { None };
            out.iter().filter_map(stand).collect()
        };
        let (mut state, mut known) = (PoolState::default(), BTreeMap::new());
        for input in &history.inputs {
            let from = state.burn.now;
            let out = history.fold(&mut state, std::slice::from_ref(input));
            let look = History { horizon: input.position().0, ..history.clone() };
            let (_, out) = look.end(state.clone(), out);
            known.retain(|(_, at), _| *at < from);
            known.extend(stands(&out));
        }
        let from = state.burn.now;
        known.retain(|(_, at), _| *at < from);
        known.extend(stands(&history.end(state, Vec::new()).1));
        prop_assert_eq!(known, stands(&history.outcome().1));
    }
}
