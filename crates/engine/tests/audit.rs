//! What the audit finds. On SQLite and PostgreSQL.

use kachi_domain::ledger::{self, Journal, Posting};
use kachi_domain::order::SubscriptionState;
use kachi_domain::{Currency, Money};
use kachi_engine::audit;
use kachi_engine::money::{self, ByHand};
use kachi_store::orders::Subscription;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};

fn violations(w: &World) -> Vec<String> {
    audit::audit(&w.engine).expect("the audit runs").violations
}

fn ended(w: &World, card: u64) -> Vec<Subscription> {
    let sim = w.card(card).sim.id;
    let mut subs = w.engine.read(|tx, _| Ok(tx.subscriptions(sim)?)).expect("subscriptions");
    subs.retain(|s| s.state == SubscriptionState::Ended);
    subs
}

fn write(w: &World, sub: Subscription) {
    w.engine.write(move |tx, _, _| Ok(tx.set_subscription_verdicts(std::slice::from_ref(&sub))?)).expect("written");
}

#[test]
fn bytes_of_a_subscription_that_is_over_are_what_its_card_says() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        // One is used up by traffic; one ends with time alone, after the card's last input.
        w.buy(0, "Q100-30D", "a").expect("bought");
        w.buy(1, "Q100-30D", "b").expect("bought");
        w.cdr("both", &[line(1, 0, BEGIN, BEGIN + 60, 100 * MB), line(2, 1, BEGIN, BEGIN + 60, 30 * MB)].concat());
        w.pass(31 * 86_400);
        w.assert_sound();
        for (card, words) in [(0, "its subscriptions that are over say"), (1, "over with")] {
            let there = ended(&w, card).pop().unwrap_or_else(|| panic!("card {card}: one is over"));
            write(&w, Subscription { used_bytes: there.used_bytes + 1, ..there.clone() });
            let found = violations(&w);
            assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
            write(&w, there);
            w.assert_sound();
        }
    });
}

#[test]
fn an_order_is_paid_in_the_currency_of_its_account() {
    each(|store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..1);
        let order = w.buy(0, "Q100-30D", "a").expect("bought").order;
        w.assert_sound();
        kachi_store::db::execute_in(store.place(), "UPDATE orders SET currency = 'EUR'").expect("changed");
        assert_eq!(violations(&w), [format!("order {order}: paid in EUR, its account acme has USD")]);
    });
}

fn post(w: &World, name: Journal, cause: &str, postings: Vec<Posting>) {
    let cause = cause.to_owned();
    w.engine.write(move |tx, _, how| Ok(tx.post(ACME, name, &cause, &postings, how.now)?)).expect("posted");
}

#[test]
fn what_an_order_and_an_act_by_hand_cost_is_what_their_journals_say() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let order = w.buy(0, "Q100-30D", "a").expect("bought").order;
        let back = w.buy(1, "Q100-30D", "b").expect("bought").order;
        assert_eq!(w.refund(1, back).expect("refunded"), 130);
        let amount = Money { minor: 500, currency: Currency::USD };
        let (reference, by) = ("bank 1".into(), "Li".into());
        let act = ByHand { correction: None, account: ACME, amount, reference, by, value_day: None, remark: None };
        w.engine.write(move |tx, catalogue, how| money::book(tx, catalogue, &act, how.now)).expect("booked");
        w.assert_sound();
        let (ours, refunded) = (format!("order {order}"), format!("order {back}"));
        let table = [
            (
                Journal::Refund,
                &*ours,
                ledger::refund(ACME, 130, 40, &[]),
                "it cost acme 1.30 USD by what it says, 0.90 USD by its journals",
            ),
            (
                Journal::Purchase,
                &*ours,
                ledger::purchase(ACME, 7, &[]),
                "it cost acme 1.30 USD by what it says, 1.37 USD by its journals",
            ),
            (
                Journal::Hold,
                &*refunded,
                ledger::purchase(ACME, 7, &[]),
                "it cost acme 0.00 USD by what it says, 0.07 USD by its journals",
            ),
            (
                Journal::Purchase,
                "order 99",
                ledger::purchase(ACME, 7, &[]),
                "it cost acme 0.00 USD by what it says, 0.07 USD by its journals",
            ),
            (
                Journal::TopUp,
                "bank 1, by Li",
                ledger::top_up(ACME, 3),
                "5.00 USD for acme by what it says, 5.03 USD by its journal",
            ),
        ];
        for (name, cause, postings, words) in table {
            let undone = postings.iter().map(|p| Posting { minor: -p.minor, ..*p }).collect();
            post(&w, name, cause, postings);
            let found = violations(&w);
            assert!(found.len() == 1 && found[0].ends_with(words), "{name:?} {cause}: {found:?}");
            post(&w, name, cause, undone);
            w.assert_sound();
        }
    });
}
