//! What the audit finds. On SQLite and PostgreSQL.

use kachi_domain::order::SubscriptionState;
use kachi_engine::audit;
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
