//! What is left of a subscription goes to another card: both cards are as if every record had come in time. On both engines.

use kachi_domain::order::SubscriptionState;
use kachi_domain::{AccountId, OrderId, Refusal};
use kachi_engine::records::OrderName;
use kachi_engine::transfers::{self, Move, Moved};
use kachi_engine::{Fail, Result};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, STRANGER, World, line};

const DAY: i64 = 86_400;

fn go(w: &World, account: AccountId, order: OrderId, from: u64, to: u64) -> Result<Moved> {
    let (actor, now) = (w.actor(account), w.now().0);
    let number = format!("{now:016}{:016}", order.0);
    let (from, to) = (World::iccid(from), World::iccid(to));
    let cmd = Move { from, to, order: OrderName::Id(order), memo: "a new device".into(), number };
    w.engine.write(move |tx, catalogue, how| transfers::transfer(tx, catalogue, how, &actor, &cmd))
}

/// A card's subscriptions, in the order bought: (state, started, end, used, left to use).
type Shown = Vec<(SubscriptionState, Option<i64>, Option<i64>, i64, i64)>;

fn shown(w: &World, card: u64) -> Shown {
    let seen = w.card(card);
    let subs = w.engine.read(|tx, _| Ok(tx.subscriptions(seen.sim.id)?)).expect("subscriptions");
    let line = |s: &kachi_store::orders::Subscription| {
        let live = seen.state.live.iter().find(|l| l.id == s.id);
        let used = live.map_or(s.used_bytes, |l| l.used);
        (s.state, s.started_at, s.ended_at.or(s.ends_at), used, live.and_then(|l| l.left()).unwrap_or(0))
    };
    subs.iter().map(line).collect()
}

#[test]
fn what_is_left_goes_along() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let order = w.buy(0, "Q100-30D", "a").unwrap().order;
        w.pass(5 * DAY);
        let (begun, t) = (w.now().0 - 5 * DAY, w.now().0);
        w.cdr("used", &line(1, 0, t - 200, t - 100, 40 * MB));
        let balance = w.balance(ACME);
        let moved = go(&w, ACME, order, 0, 1).unwrap();
        assert_eq!(shown(&w, 0), [(SubscriptionState::Ended, Some(begun), Some(t), 40 * MB, 0)]);
        assert_eq!(shown(&w, 1), [(SubscriptionState::Active, Some(t), Some(begun + 30 * DAY), 0, 60 * MB)]);
        assert_eq!(w.balance(ACME), balance, "no money moves");
        let tail = |card| w.events(card).into_iter().filter(|k| k != "sim_state_changed").collect::<Vec<_>>();
        assert_eq!(tail(0)[3..], ["usage_alert", "subscription_ended", "sim_stopped"]);
        assert_eq!(tail(1), ["subscription_bought", "subscription_started", "sim_restored"]);
        let refused = |r: Result<i64>| matches!(r, Err(Fail::Refused(Refusal::NotRefundable)));
        assert!(refused(w.refund(0, order)) && refused(w.refund(1, moved.order)), "neither of the two gives money back");
        let not_movable = |r: Result<Moved>| matches!(r, Err(Fail::Refused(Refusal::NotMovable)));
        assert!(not_movable(go(&w, ACME, order, 0, 1)), "it is gone");

        w.pass(DAY);
        let t = w.now().0;
        w.cdr("more", &format!("{}{}", line(2, 1, t - 200, t - 100, 50 * MB), line(3, 0, t - 200, t - 100, MB)));
        assert_eq!((w.card(0).state.outflow_bytes, shown(&w, 1)[0].4), (MB, 10 * MB));
        go(&w, ACME, moved.order, 1, 2).unwrap();
        assert_eq!(shown(&w, 2), [(SubscriptionState::Active, Some(t), Some(begun + 30 * DAY), 0, 10 * MB)]);
        w.pass(40 * DAY);
        assert_eq!(shown(&w, 2)[0].0, SubscriptionState::Ended);
        w.assert_sound();
    });
}

#[test]
fn what_waits_on_the_new_card_has_its_time_when_it_starts() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let order = w.buy(0, "Q100-30D", "a").unwrap().order;
        let waiting = w.buy(0, "M50-3M", "b").unwrap().order;
        w.buy(1, "T-7D", "c").unwrap();
        w.pass(10 * DAY - 1);
        w.buy(1, "T-7D", "d").unwrap();
        w.pass(1);
        let t = w.now().0;
        go(&w, ACME, order, 0, 1).unwrap();
        go(&w, ACME, waiting, 0, 1).unwrap();
        assert_eq!(shown(&w, 0).iter().map(|s| s.0).collect::<Vec<_>>(), [SubscriptionState::Ended; 2]);
        let (end_of_d, rest) = (t - 1 + 7 * DAY, 20 * DAY);
        w.pass(8 * DAY);
        let here = shown(&w, 1);
        assert_eq!(here[2], (SubscriptionState::Active, Some(end_of_d), Some(end_of_d + rest), 0, 100 * MB));
        assert_eq!(
            (here[3].0, here[3].1),
            (SubscriptionState::Waiting, None),
            "the other came unstarted, with all of its validity"
        );
        w.pass(30 * DAY);
        assert_eq!(shown(&w, 1)[3].1, Some(end_of_d + rest));
        w.assert_sound();
    });
}

/// A record of the table below: (card, day and seconds after the beginning, MB).
type Record = (u64, i64, i64);

/// Runs the story of `moves` at days, with records that come in time, or all of them at the end.
fn story(store: kachi_store::Store, records: &[Record], late: bool) -> Vec<(Shown, i64)> {
    let w = World::new(store);
    w.add_cards(ACME, 0..3);
    let begin = w.now().0;
    let first = w.buy(0, "Q100-30D", "a").unwrap().order;
    let second = w.buy(0, "Q1000-30D", "b").unwrap().order;
    w.buy(1, "TOP20-5D", "c").unwrap();
    let text = |records: &mut dyn Iterator<Item = (usize, &Record)>| {
        records.map(|(i, (card, at, mb))| line(i as i64, *card, begin + at - 60, begin + at, mb * MB)).collect::<String>()
    };
    let mut orders = [first, second];
    for day in 1..=12 {
        let (from, to) = ((day - 1) * DAY, day * DAY);
        w.pass(DAY);
        if !late {
            let of_day = &mut records.iter().enumerate().filter(|(_, r)| r.1 > from && r.1 <= to);
            w.cdr(&format!("day {day}"), &text(of_day));
        }
        // A record of the instant of a move is after it.
        let mut move_on = |n: usize, from, to| orders[n] = go(&w, ACME, orders[n], from, to).unwrap().order;
        match day {
            4 => move_on(1, 0, 1),
            6 => move_on(0, 0, 1),
            9 => move_on(0, 1, 2),
            _ => {}
        }
    }
    if late {
        for (i, record) in records.iter().enumerate().rev() {
            w.cdr(&format!("late {i}"), &text(&mut [(i, record)].into_iter()));
        }
    }
    w.pass(1);
    w.assert_sound();
    let view = |card| {
        let seen = w.card(card);
        (shown(&w, card), seen.state.outflow_bytes)
    };
    (0..3).map(view).collect()
}

#[test]
fn late_records_count_where_they_were_used_and_what_was_left_follows() {
    let tables: [&[Record]; 4] = [
        // A little of each, before and after each move.
        &[(0, 2 * DAY + 5, 30), (0, 5 * DAY, 20), (1, 7 * DAY, 10), (1, 8 * DAY, 5), (2, 10 * DAY, 7)],
        // The first is used up before it moves at last: nothing of it is left, and the second had begun before it moved.
        &[(0, DAY, 60), (0, 5 * DAY + 7, 39), (1, 7 * DAY, 25), (0, 11 * DAY, 3)],
        // Used after it went away: out of package.
        &[(0, 7 * DAY, 50), (1, 2 * DAY, 3), (2, DAY, 9)],
        &[],
    ];
    each(|store| {
        for records in tables {
            let like = || kachi_testkit::db::Database::like(&store);
            let (a, b) = (like(), like());
            let in_time = story(a.open(), records, false);
            assert_eq!(story(b.open(), records, true), in_time, "{records:?}");
        }
    });
}

#[test]
fn a_record_that_uses_it_up_before_it_moved_leaves_nothing() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let order = w.buy(0, "Q100-30D", "a").unwrap().order;
        w.pass(2 * DAY);
        let t = w.now().0;
        go(&w, ACME, order, 0, 1).unwrap();
        w.pass(3600);
        w.cdr("late", &line(1, 0, t - 900, t - 800, 120 * MB));
        assert_eq!(shown(&w, 1)[0].0, SubscriptionState::Active, "until it is followed");
        w.pass(1);
        assert_eq!(shown(&w, 0), [(SubscriptionState::Ended, Some(t - 2 * DAY), Some(t - 800), 100 * MB, 0)]);
        assert_eq!(shown(&w, 1), [(SubscriptionState::Ended, Some(t), Some(t), 0, 0)]);
        assert_eq!((w.card(0).state.outflow_bytes, w.card(1).state.block.is_some()), (20 * MB, true));
        let due = w.engine.read(|tx, _| Ok(tx.transfers_due(10)?)).unwrap();
        assert!(due.is_empty());
        w.assert_sound();
    });
}

#[test]
fn refused_moves_change_nothing() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        w.add_cards(STRANGER, 3..4);
        let order = w.buy(0, "T-7D", "a").unwrap().order;
        let carried = w.buy(2, "C100-30D", "b").unwrap().order;
        let why = |r: Result<Moved>| match r {
            Err(Fail::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        let operator = AccountId(1);
        assert_eq!(why(go(&w, ACME, order, 0, 9)), Refusal::UnknownSim);
        assert_eq!(why(go(&w, ACME, order, 0, 3)), Refusal::UnknownSim);
        assert_eq!(why(go(&w, operator, order, 0, 3)), Refusal::UnknownSim, "not to another account's card");
        assert_eq!(why(go(&w, STRANGER, order, 0, 1)), Refusal::UnknownSim);
        assert_eq!(why(go(&w, ACME, order, 1, 2)), Refusal::UnknownOrder, "not that card's order");
        assert_eq!(why(go(&w, ACME, OrderId(7), 0, 1)), Refusal::UnknownOrder);
        assert!(matches!(why(go(&w, ACME, order, 0, 0)), Refusal::BadField { .. }));
        assert_eq!(why(go(&w, ACME, carried, 2, 1)), Refusal::MadeByCarrier);
        w.pass(7 * DAY);
        assert_eq!(why(go(&w, ACME, order, 0, 1)), Refusal::NotMovable, "it is over");
        assert!(shown(&w, 1).is_empty());
        w.assert_sound();
    });
}
