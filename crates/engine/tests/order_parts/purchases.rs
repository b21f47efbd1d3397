//! Packages that the carrier activates: each order has its own there, and nobody else's answers for it.

use super::*;
use kachi_domain::OrderId;
use kachi_domain::order::OrderState;

const PACKAGE: &str = "C100-30D";

fn state(w: &World, order: OrderId) -> OrderState {
    w.engine.read(|tx, _| Ok(tx.order(&[ACME], order)?)).expect("the database").expect("an order").state
}

/// What the card has bought at its carrier, by our numbers.
fn bought(w: &World, carrier: &Carrier) -> Vec<String> {
    there(w, carrier, 0).bought.into_keys().collect()
}

#[test]
fn refunded_and_bought_again_a_card_has_the_new_one() {
    for settings in [json!({}), json!({"stacks": false})] {
        each(|store| {
            let (w, carrier) = world(store, settings.clone());
            let first = w.buy(0, PACKAGE, "f-1").expect("it is ordered");
            work(&w, &carrier, 5, 1);
            carrier.world.fail(OVERLOADED);
            w.refund(0, first.order).expect("it is taken back");
            carrier.work(&w.engine);
            let second = w.buy(0, PACKAGE, "f-2").expect("it is ordered");
            carrier.work(&w.engine);
            assert_eq!(story(&w, 0), "subscribe confirmed, unsubscribe stored, subscribe stored", "the second waits");
            work(&w, &carrier, 60, 1);
            assert_eq!(story(&w, 0), "subscribe confirmed, unsubscribe confirmed, subscribe confirmed");
            assert_eq!((state(&w, second.order), bought(&w, &carrier)), (OrderState::Done, vec![second.number]));
            w.assert_sound();
        });
    }
}

#[test]
fn of_two_orders_of_one_package_each_has_its_own_and_takes_back_its_own() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let first = w.buy(0, PACKAGE, "f-1").expect("it is ordered");
        let second = w.buy(0, PACKAGE, "f-2").expect("it is ordered");
        work(&w, &carrier, 5, 1);
        assert_eq!(bought(&w, &carrier), [first.number.clone(), second.number]);
        w.refund(0, second.order).expect("it waits, and is taken back");
        work(&w, &carrier, 5, 1);
        assert_eq!((bought(&w, &carrier), state(&w, first.order)), (vec![first.number], OrderState::Done));
        w.assert_sound();
    });
}

#[test]
fn an_order_for_a_package_that_the_card_has_by_another_is_refused_and_its_money_goes_back() {
    let faults = [None, Some(Fault::Lost), Some(Fault::AppliedTimedOut), Some(OVERLOADED), Some(Fault::TokenKilled)];
    for fault in faults {
        each(|store| {
            let (w, carrier) = world(store, json!({"stacks": false, "lag_seconds": 2}));
            let first = w.buy(0, PACKAGE, "f-1").expect("it is ordered");
            work(&w, &carrier, 30, 1);
            let before = w.balance(ACME);
            fault.iter().for_each(|f| carrier.world.fail(f.clone()));
            let second = w.buy(0, PACKAGE, "f-2").expect("it is ordered");
            work(&w, &carrier, 600, 5);
            assert_eq!((state(&w, first.order), state(&w, second.order)), (OrderState::Done, OrderState::Failed), "{fault:?}");
            assert_eq!(w.balance(ACME), before, "{fault:?}");
            assert!(writes(&w)[1].last_answer.as_ref().expect("words").contains("through another order"), "{fault:?}");
            assert!(w.refund(0, second.order).is_err(), "{fault:?}");
            work(&w, &carrier, 30, 1);
            assert_eq!(bought(&w, &carrier), std::slice::from_ref(&first.number), "{fault:?}");
            // When the first is gone it can be had.
            w.refund(0, first.order).expect("it is taken back");
            let third = w.buy(0, PACKAGE, "f-3").expect("it is ordered");
            work(&w, &carrier, 60, 1);
            assert_eq!((state(&w, third.order), bought(&w, &carrier)), (OrderState::Done, vec![third.number]), "{fault:?}");
            w.assert_sound();
        });
    }
}

#[test]
fn already_of_the_reference_that_was_sent_is_done() {
    for fault in [Fault::AppliedTimedOut, Fault::Garbage] {
        each(|store| {
            let (w, carrier) = world(store, json!({"stacks": false}));
            carrier.world.fail(fault.clone());
            let order = w.buy(0, PACKAGE, "f-1").expect("it is ordered");
            work(&w, &carrier, 60, 1);
            assert_eq!((state(&w, order.order), bought(&w, &carrier)), (OrderState::Done, vec![order.number]), "{fault:?}");
        });
    }
}
