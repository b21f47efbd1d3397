//! A card goes to another account: what goes along, what stays, who is told. On both engines.

use kachi_domain::event::Body;
use kachi_domain::rating::CardState;
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Refusal};
use kachi_engine::sims::{self, Moved};
use kachi_engine::{Fail, Result, overview, refunds};
use kachi_store::accounts::Account;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line};

const DAY: i64 = 86_400;
const OPERATOR: AccountId = AccountId(1);

fn give(w: &World, actor: AccountId, card: u64, to: AccountId) -> Result<Moved> {
    let actor = w.actor(actor);
    w.engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &World::iccid(card), to))
}

/// Bytes of a card as an account is told, over the last days.
fn traffic(w: &World, account: AccountId, card: u64) -> Result<i64> {
    let (engine, actor) = (w.engine.clone(), w.actor(account));
    let day = w.now().0 / DAY;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let told = runtime.block_on(async {
        let catalogue = engine.catalogue()?;
        engine.traffic(&catalogue, &actor, vec![World::iccid(card)], day - 20, day + 1).await
    })?;
    Ok(told.first().map_or(0, |t| t.1))
}

/// Bytes of everything an account has owned.
fn account_total(w: &World, account: AccountId) -> i64 {
    let days = overview::figures(&w.engine, &w.actor(account)).expect("figures").usage.days;
    days.iter().map(|d| d.1).sum()
}

fn unknown<T: std::fmt::Debug>(result: Result<T>) -> bool {
    matches!(result, Err(Fail::Refused(Refusal::UnknownSim)))
}

/// What an account was told of bought subscriptions, oldest first: (card, state, partner number).
fn told(w: &World, account: AccountId) -> Vec<(String, i64, Option<String>)> {
    let events = w.engine.read(|tx, _| Ok(tx.events_newest(&[account], 1_000)?)).expect("events");
    let bought = events.iter().rev().filter(|e| e.3 == "subscription_bought");
    let body = |e: &kachi_store::events::EventRow| match serde_json::from_str(&e.5) {
        Ok(Body::Subscription(s)) => (s.iccid, s.state, s.out_trade_no),
        other => panic!("{other:?}"),
    };
    bought.map(body).collect()
}

#[test]
fn subscriptions_go_along_and_usage_stays() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.buy(0, "T-7D", "a").unwrap();
        w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("before", &line(1, 0, t - 900, t - 600, 40 * MB));
        assert_eq!(give(&w, OPERATOR, 0, STRANGER).unwrap(), Moved { from: ACME, subscriptions: 2, pool: None });
        w.pass(7 * DAY);
        let t = w.now().0;
        w.cdr("after", &line(2, 0, t - 900, t - 600, 30 * MB));
        let card = w.card(0);
        assert_eq!((card.sim.account, card.state.live[0].used), (STRANGER, 30 * MB), "the second began for the new owner");
        assert_eq!(traffic(&w, STRANGER, 0).unwrap(), 30 * MB);
        assert_eq!(traffic(&w, OPERATOR, 0).unwrap(), 70 * MB);
        assert!(unknown(traffic(&w, ACME, 0)) && unknown(traffic(&w, NORTH, 0)));
        assert_eq!([ACME, NORTH, STRANGER].map(|a| account_total(&w, a)), [40 * MB, 40 * MB, 30 * MB]);
        assert_eq!([ACME, STRANGER].map(|a| w.balance(a)), [10_000 - 630, 10_000], "no money moved");
        let iccid = World::iccid(0).to_string();
        assert_eq!(told(&w, STRANGER), [(iccid.clone(), 1, None), (iccid.clone(), 0, None)], "not the buyer's own numbers");
        assert_eq!(told(&w, ACME).len(), 2);
        let kinds = w.events(0);
        let from = kinds.iter().position(|k| k == "sim_moved").unwrap();
        let words = [
            "sim_moved",
            "sim_moved",
            "subscription_bought",
            "subscription_bought",
            "subscription_ended",
            "subscription_started",
            "usage_alert", // the second came down from 100 MB
        ];
        assert_eq!(kinds[from..], words);
        assert!(unknown(w.buy(0, "Q100-30D", "c")), "the old owner buys nothing for it any more");
        w.assert_sound();
        assert_eq!(give(&w, OPERATOR, 0, ACME).unwrap(), Moved { from: STRANGER, subscriptions: 1, pool: None });
        assert_eq!(traffic(&w, ACME, 0).unwrap(), 40 * MB, "it finds its own again");
        assert_eq!(told(&w, ACME).last().unwrap(), &(iccid, 1, Some("b".to_owned())));
        w.assert_sound();
    });
}

#[test]
fn a_late_record_and_a_pending_order_find_the_moved_card() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").unwrap();
        let pending = w.buy(0, "C100-30D", "b").unwrap();
        w.pass(DAY);
        let t = w.now().0;
        w.cdr("first", &line(1, 0, t - 100, t - 50, 10 * MB));
        assert_eq!(
            give(&w, OPERATOR, 0, STRANGER).unwrap().subscriptions,
            1,
            "what the carrier has not confirmed is not there yet"
        );
        w.pass(3600);
        w.cdr("late", &line(2, 0, t - 900, t - 800, 95 * MB));
        w.assert_sound();
        w.engine.write(move |tx, catalogue, how| kachi_engine::orders::fulfilled(tx, catalogue, how, pending.order)).unwrap();
        assert_eq!(told(&w, STRANGER).len(), 2);
        let card = w.card(0);
        assert_eq!((card.state.live.len(), card.state.outflow_bytes), (1, 5 * MB));
        assert_eq!(account_total(&w, ACME) + account_total(&w, STRANGER), 105 * MB);
        let violations = kachi_engine::audit::audit(&w.engine).unwrap().violations;
        assert_eq!(violations, Vec::<String>::new());
    });
}

#[test]
fn usage_is_of_the_owner_at_its_time_whenever_it_comes_in() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let accounts = [ACME, STRANGER, NORTH];
        let t = w.now().0;
        // Two hours with each owner, and the first one's again; three records in each time, one at the instant of the move.
        let owners = [ACME, STRANGER, NORTH, ACME];
        let records = |card: u64| -> Vec<String> {
            let of = |n: i64| line(100 * card as i64 + n, card, t + 2_400 * n - 60, t + 2_400 * n, 1 << n);
            (1..=11).map(of).collect()
        };
        for (n, owner) in owners.into_iter().enumerate() {
            if n > 0 {
                // Another has them in between, for no time.
                let between = accounts.into_iter().find(|a| ![owner, owners[n - 1]].contains(a)).expect("a third");
                for card in [0, 1] {
                    give(&w, OPERATOR, card, between).unwrap();
                    give(&w, OPERATOR, card, owner).unwrap();
                }
            }
            w.pass(7_200);
            let in_order: Vec<String> =
                records(0).into_iter().skip((3 * n).saturating_sub(1)).take(if n == 0 { 2 } else { 3 }).collect();
            w.cdr(&format!("in order {n}"), &in_order.concat());
        }
        // The other card's come at once and backwards.
        w.cdr("late", &records(1).into_iter().rev().collect::<String>());
        let of = |card| accounts.map(|a| traffic(&w, a, card).unwrap_or(-1));
        let days = |card: u64| {
            let id = w.card(card).sim.id;
            accounts.map(|a| w.engine.read(move |tx, _| Ok(tx.usage_of_days(&[a], &[id.0], 0, 100_000)?)).unwrap())
        };
        assert_eq!(of(1), of(0));
        assert_eq!(days(1).map(|d| d.first().map(|d| d.1)), days(0).map(|d| d.first().map(|d| d.1)));
        let bytes = |stops: std::ops::RangeInclusive<i64>| stops.map(|n| 1 << n).sum::<i64>();
        let (acme, stranger) = (bytes(1..=2) + bytes(9..=11), bytes(3..=5));
        assert_eq!(days(0).map(|d| d.first().map(|d| d.1)), [Some(acme), Some(stranger), Some(bytes(6..=8))]);
        w.assert_sound();
    });
}

#[test]
fn refused_moves_change_nothing() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.engine
            .write(|tx, _, _| {
                let id = tx.sims_of_iccids(&[World::iccid(1).as_str()])?[0].1;
                Ok(tx.set_sim_state(kachi_domain::SimId(id), BaseState::Closed.word(), 0, None)?)
            })
            .unwrap();
        let words = |r: Result<Moved>| r.unwrap_err().to_string();
        assert_eq!(words(give(&w, OPERATOR, 0, ACME)), format!("account: {} is acme's already", World::iccid(0)));
        assert!(words(give(&w, OPERATOR, 1, STRANGER)).contains("is closed; only a card"));
        assert!(words(give(&w, OPERATOR, 0, AccountId(77))).contains("there is no account 77"));
        assert!(words(give(&w, NORTH, 0, STRANGER)).contains("there is no account"), "a stranger is not there");
        assert!(unknown(give(&w, STRANGER, 0, STRANGER)) && unknown(give(&w, OPERATOR, 9, STRANGER)));
        assert_eq!(give(&w, NORTH, 0, NORTH).unwrap().from, ACME, "a reseller takes a card back");
        w.assert_sound();
    });
}

#[test]
fn what_its_owner_wrote_on_a_card_stays_with_that_owner() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let write = |w: &World| {
            let written = w.engine.write(|tx, catalogue, how| {
                let sim = tx.sim_by_iccid(&kachi_domain::account::Path::root(), World::iccid(0).as_str())?.expect("the card");
                let details = r#"{"apns":["iot"],"sbbh":"truck 7"}"#.to_owned();
                let (alias, group, remark) = ("a".into(), "g".into(), "pays late".into());
                sims::put(tx, catalogue, how, &kachi_store::sims::Sim { alias, group, remark, details, ..sim })
            });
            written.expect("written");
        };
        let read = |w: &World| {
            let sim = w.card(0).sim;
            (sim.alias, sim.group, sim.remark, serde_json::from_str::<serde_json::Value>(&sim.details).expect("JSON"))
        };
        let all =
            ("a".to_owned(), "g".to_owned(), "pays late".to_owned(), serde_json::json!({"apns": ["iot"], "sbbh": "truck 7"}));
        let none = (String::new(), String::new(), String::new(), serde_json::json!({"apns": ["iot"]}));
        write(&w);
        give(&w, OPERATOR, 0, NORTH).unwrap();
        assert_eq!(read(&w), all, "the account above has seen it all along");
        give(&w, OPERATOR, 0, ACME).unwrap();
        assert_eq!(read(&w), none, "what the account above wrote is not for the one below");
        write(&w);
        give(&w, OPERATOR, 0, STRANGER).unwrap();
        assert_eq!(read(&w), none, "nor for a stranger");
        w.assert_sound();
    });
}

/// A monthly package bought in Shanghai; the second record lies in April there and in March in New York, where the card goes.
#[test]
fn months_stay_those_of_the_zone_in_which_it_was_bought_whenever_a_record_comes_in() {
    const BEFORE: u64 = 0;
    const LATE: u64 = 1;
    const ALL_LATE: u64 = 2;
    const OF_OLD: u64 = 3;
    const OF_OLD_IN_TIME: u64 = 4;
    const HOUR: i64 = 3_600;
    each(|store| {
        let w = World::new(store);
        w.pass(27 * DAY);
        w.add_cards(ACME, 0..5);
        let cards = [BEFORE, LATE, ALL_LATE, OF_OLD, OF_OLD_IN_TIME];
        let orders = cards.map(|card| w.buy(card, "M50-3M", &format!("{card}")).unwrap().order);
        let turn = w.now().0 + 3 * DAY + 16 * HOUR;
        let record = |card: u64, n: i64, stop: i64, bytes: i64| line(10 * card as i64 + n, card, stop - 60, stop, bytes);
        let march = |card| record(card, 1, turn - 6 * HOUR, 40 * MB);
        let april = |card| record(card, 2, turn + 4 * HOUR, 40 * MB);
        let late = |card| record(card, 3, turn - DAY, 1);
        w.pass(5 * DAY);
        for card in [BEFORE, LATE, OF_OLD] {
            w.cdr(&format!("in time {card}"), &format!("{}{}", march(card), april(card)));
        }
        w.cdr("late", &late(BEFORE));
        as_kept_of_old(&w, OF_OLD);
        as_kept_of_old(&w, OF_OLD_IN_TIME);
        let below = AccountId(10_009);
        w.put_account_like(ACME, |acme| {
            let (code, path, time_zone) = ("below".into(), acme.path.child(below), "America/New_York".into());
            Account { id: below, code, path, time_zone, ..acme }
        });
        for card in cards {
            give(&w, ACME, card, below).unwrap();
        }
        w.pass(HOUR);
        w.cdr("later", &format!("{}{}", late(LATE), late(OF_OLD)));
        w.cdr("last", &format!("{}{}{}", march(ALL_LATE), april(ALL_LATE), late(ALL_LATE)));
        let shown = |card: u64| {
            let state = w.card(card).state;
            let live = state.live.first().expect("it is in use");
            let (actor, order) = (w.actor(ACME), orders[card as usize]);
            let act = w.engine.read(|tx, catalogue| refunds::quote(tx, catalogue, &actor, &World::iccid(card), order, w.now()));
            (live.running, live.refill, live.used, live.left(), state.outflow_bytes, act.unwrap().minor)
        };
        let [in_time, others @ .., _] = cards.map(shown);
        assert_eq!((in_time.2, in_time.3, in_time.4), (80 * MB + 1, Some(10 * MB), 0));
        assert_eq!(others, [in_time; 3], "(validity, refill, used, left, unpaid, refund)");
        w.pass(35 * DAY);
        let june = turn + 61 * DAY;
        let refills = cards.map(|card| w.card(card).state.live[0].refill.map(|at| at.0));
        assert_eq!(refills, [Some(june); 5], "the month after the next begins where the last did");
        w.assert_sound();
    });
}

/// The card's state as it was written before it was kept in which zone a subscription was bought.
fn as_kept_of_old(w: &World, card: u64) {
    let sim = w.card(card).sim.id;
    let act = w.engine.write(move |tx, _, _| {
        let mut row = tx.state_locked(sim)?;
        let mut state = CardState::from_bytes(&row.head).expect("a state");
        state.live.iter_mut().for_each(|live| live.zone = None);
        row.head = state.to_bytes();
        tx.put_state_base(sim, None)?;
        Ok(tx.put_states(&[row])?)
    });
    act.expect("the state is written");
}
