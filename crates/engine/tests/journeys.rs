//! The two journeys from inside: a package is bought and given back; traffic arrives and is rated. On both engines.

use kachi_domain::Refusal;
use kachi_domain::alert::Lines;
use kachi_domain::sim::Blocks;
use kachi_engine::{Fail, Settings};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, NORTH, STRANGER, World, line};

const DAY: i64 = 86_400;

fn refusal<T: std::fmt::Debug>(result: kachi_engine::Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_package_is_bought_used_up_and_followed_by_the_next() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        assert!(w.card(0).blocks().names().contains(&"no_package"));
        w.buy(0, "Q100-30D", "a").unwrap();
        w.buy(0, "Q100-30D", "b").unwrap();
        assert_eq!(w.balance(ACME), 10_000 - 260);
        assert!(w.card(0).blocks().is_empty());
        w.pass(3600);
        let t = w.now().0;
        let report = w.cdr("one", &[line(1, 0, t - 900, t - 600, 60 * MB), line(2, 0, t - 600, t - 300, 70 * MB)].concat());
        assert_eq!((report.loaded, report.bad), (2, 0));
        let card = w.card(0);
        assert_eq!(card.state.live.len(), 1, "the first is used up");
        assert_eq!(card.state.live[0].window_used, 30 * MB, "the split goes to the next");
        assert_eq!(card.state.live[0].running.unwrap().0.0, t - 300, "which starts at that very instant");
        w.cdr("two", &line(3, 0, t - 200, t - 100, 80 * MB));
        let card = w.card(0);
        assert_eq!(card.blocks(), Blocks::QUOTA);
        assert_eq!(card.state.outflow_bytes, 10 * MB);
        assert_eq!(
            w.events(0),
            [
                "subscription_bought",
                "subscription_started",
                "sim_restored",
                "subscription_bought",
                "usage_alert",
                "subscription_ended",
                "subscription_started",
                "usage_alert",
                "subscription_ended",
                "sim_stopped"
            ]
        );
        w.assert_sound();
    });
}

#[test]
fn the_same_records_in_any_order_and_split_give_the_same_card() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        for card in 0..2 {
            w.buy(card, "Q100-30D", &format!("a{card}")).unwrap();
            w.buy(card, "TOP20-5D", &format!("t{card}")).unwrap();
        }
        w.pass(6 * DAY);
        let records = |card: u64| -> Vec<String> {
            (0..40).map(|i| line(1000 * card as i64 + i, card, BEGIN + i * 9000, BEGIN + i * 9000 + 3600, (i % 7) * MB)).collect()
        };
        w.cdr("in order", &records(0).concat());
        let mut mixed = records(1);
        mixed.reverse();
        mixed.swap(3, 30);
        for (i, part) in mixed.chunks(7).enumerate() {
            w.cdr(&format!("part {i}"), &part.concat());
        }
        let (a, b) = (w.card(0), w.card(1));
        assert_eq!((a.state.outflow_bytes, a.state.ended_bytes), (b.state.outflow_bytes, b.state.ended_bytes));
        let shape = |c: &kachi_engine::sims::Card| c.state.live.iter().map(|l| (l.window_used, l.running)).collect::<Vec<_>>();
        assert_eq!(shape(&a), shape(&b));
        w.assert_sound();
    });
}

#[test]
fn duplicates_conflicts_orphans_late_and_bad_lines_have_their_fates() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.set_now(BEGIN + 60 * DAY);
        let now = w.now().0;
        let good = line(1, 0, now - 100, now - 50, 5);
        let file = [
            good.as_str(),
            good.as_str(),
            &line(1, 0, now - 100, now - 50, 6),
            &line(2, 9, now - 100, now - 50, 7),
            &line(3, 0, now - 36 * DAY, now - 36 * DAY, 8),
            &line(4, 0, now, now + 301, 9),
            "garbage\n",
            &line(5, 1, now - 100, now - 50, 11),
        ]
        .concat();
        let r = w.cdr("mixed", &file);
        assert_eq!((r.loaded, r.duplicate, r.orphan, r.bad), (2, 1, 1, 4), "{r:?}");
        let again = w.cdr("mixed again", &file);
        assert!(again.known, "the same content is the same file");
        let other = w.cdr(
            "overlap",
            &[
                good.as_str(),
                &line(6, 0, now - 10, now - 5, 1),
                &line(5, 1, now - 100, now - 50, 12),
                &line(2, 9, now - 100, now - 50, 7),
            ]
            .concat(),
        );
        assert_eq!((other.loaded, other.duplicate, other.bad), (1, 2, 1), "{other:?}");
        w.add_cards(ACME, 9..10);
        assert_eq!(w.card(9).state.outflow_bytes, 7, "the orphan found its card");
        w.assert_sound();
    });
}

#[test]
fn ends_happen_at_their_instant_without_traffic() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.buy(0, "T-7D", "a").unwrap();
        w.buy(0, "T-7D", "b").unwrap();
        w.pass(7 * DAY);
        assert_eq!(w.card(0).state.current_main().unwrap().running.unwrap().0.0, BEGIN + 7 * DAY);
        w.pass(7 * DAY);
        assert_eq!(w.card(0).blocks(), Blocks::EXPIRED);
        assert_eq!(w.events(0).last().unwrap(), "sim_stopped");
        w.assert_sound();
    });
}

#[test]
fn refunds_follow_the_formula_and_reverse_the_shares() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let placed = w.buy(0, "Q100-30D", "a").unwrap();
        assert_eq!(w.refund(0, placed.order).unwrap(), 130);
        assert_eq!(w.balance(ACME), 10_000);
        assert_eq!(refusal(w.refund(0, placed.order)), Refusal::NotRefundable);
        let second = w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(15 * DAY);
        assert_eq!(w.refund(0, second.order).unwrap(), 65);
        assert_eq!(w.card(0).blocks(), Blocks::NO_PACKAGE);
        assert_eq!(w.balance(NORTH), 10_000);
        w.assert_sound();
    });
}

#[test]
fn the_refund_of_a_monthly_allowance_counts_every_month() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        // Three months from 1 March, 08:00 in China: four allowances of 50 MB, the last one for eight hours.
        let orders = [0, 1].map(|card| w.buy(card, "M50-3M", &format!("m{card}")).unwrap().order);
        w.pass(DAY);
        let t = w.now().0;
        w.cdr("all of March", &[line(1, 0, t - 60, t, 50 * MB), line(2, 1, t - 60, t, 50 * MB)].concat());
        assert_eq!(w.refund(0, orders[0]).unwrap(), 300 * 150 / 200, "91 of 92 days are more");
        w.pass(39 * DAY);
        assert_eq!(w.card(1).state.remaining_bytes(), 50 * MB, "April's");
        assert_eq!(w.refund(1, orders[1]).unwrap(), 300 * 52 / 92, "150 of 200 MB are more");
        w.assert_sound();
    });
}

#[test]
fn refusals_change_nothing() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.add_cards(STRANGER, 5..6);
        assert_eq!(refusal(w.buy(5, "Q100-30D", "x")), Refusal::UnknownSim);
        assert_eq!(refusal(w.buy(77, "Q100-30D", "x")), Refusal::UnknownSim);
        assert_eq!(refusal(w.buy(0, "NOPE", "x")), Refusal::UnknownPackage);
        let placed = w.buy(0, "Q100-30D", "x").unwrap();
        assert_eq!(
            refusal(w.buy(0, "Q100-30D", "x")),
            Refusal::DuplicateOrder { order: placed.order.0, number: placed.number.clone() }
        );
        for i in 0..11 {
            w.buy(1, "Q1000-30D", &format!("big{i}")).map(|_| ()).unwrap_or_else(|e| assert!(i > 9, "{i}: {e}"));
        }
        assert_eq!(refusal(w.buy(1, "Q1000-30D", "one more")), Refusal::InsufficientBalance);
        w.assert_sound();
    });
}

#[test]
fn a_stop_is_told_once_even_when_the_card_buys_again() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("all of it", &line(1, 0, t - 60, t, 100 * MB));
        w.pass(60);
        w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(60);
        let events = w.events(0);
        assert_eq!(events.iter().filter(|k| *k == "sim_stopped").count(), 1, "{events:?}");
        assert_eq!(events.iter().filter(|k| *k == "subscription_started").count(), 2, "{events:?}");
        w.assert_sound();
    });
}

#[test]
fn a_line_is_told_once_until_the_allowance_refills_or_more_is_bought() {
    each(|store| {
        let w =
            World::with(store, Settings { lines: Lines { remaining_bytes: 20 * MB, ..Lines::default() }, ..Settings::default() });
        w.add_cards(ACME, 0..2);
        let alerts = |card: u64| w.events(card).iter().filter(|k| *k == "usage_alert").count();
        let mut used = 0;
        let mut uses = |card: u64, mb: i64| {
            used += 1;
            w.pass(60);
            w.cdr(&format!("{used}"), &line(used, card, w.now().0 - 30, w.now().0, mb * MB));
            alerts(card)
        };
        w.buy(0, "M50-3M", "a").unwrap();
        assert_eq!([uses(0, 31), uses(0, 1), uses(0, 15), uses(0, 2)], [1, 1, 2, 2], "20 MB, then 10 %, each once");
        w.pass(31 * DAY);
        assert_eq!([uses(0, 46), uses(0, 1)], [4, 4], "both in one record, of the next month");
        w.buy(0, "TOP20-5D", "b").unwrap();
        assert_eq!([uses(0, 2), uses(0, 2)], [4, 5], "bought more, it came down to 20 MB again");
        // A record that comes late tells the month again, and none of it twice.
        w.cdr("late", &line(900, 0, w.now().0 - 2000, w.now().0 - 1000, 1));
        assert_eq!(alerts(0), 5);
        w.buy(1, "Q100-30D", "c").unwrap();
        assert_eq!([uses(1, 81), uses(1, 10), uses(1, 5)], [1, 2, 2]);
        w.assert_sound();
    });
}

#[test]
fn orphans_with_one_id_on_two_days_are_two() {
    each(|store| {
        let w = World::new(store);
        w.set_now(BEGIN + 10 * DAY);
        let t = w.now().0;
        let first = w.cdr("day one", &line(7, 4, t - DAY - 60, t - DAY, 3));
        let second = w.cdr("day two", &line(7, 4, t - 60, t, 5));
        assert_eq!((first.orphan, second.orphan, second.duplicate), (1, 1, 0));
        w.add_cards(ACME, 4..5);
        assert_eq!(w.card(4).state.outflow_bytes, 8);
        w.assert_sound();
    });
}

#[test]
fn a_refund_in_the_second_of_its_purchase_takes_the_package_away() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let placed = w.buy(0, "Q100-30D", "a").unwrap();
        assert_eq!(w.refund(0, placed.order).unwrap(), 130);
        w.pass(1);
        assert!(w.card(0).state.live.is_empty());
        assert_eq!(w.events(0).iter().filter(|k| *k == "sim_stopped").count(), 1, "{:?}", w.events(0));
        assert_eq!(w.card(0).blocks(), Blocks::NO_PACKAGE);
        w.assert_sound();
    });
}

/// ACME is told warnings with the card's figures too.
fn tell_warnings(w: &World) {
    let told = w.engine.write(|tx, catalogue, how| {
        let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
        let notify = r#"{"eiotclub":"http://127.0.0.1:9/n","cardboss_data":"http://127.0.0.1:9/d"}"#.into();
        tx.put_account(&kachi_store::accounts::Account { notify, ..acme }, how.now)?;
        tx.put_platform(1, "hand", "manual", r#"{"stop_cards":true}"#)?;
        Ok(tx.touch_catalogue()?)
    });
    told.expect("an address");
}

/// How often a card was told to be stopped, and its owner warned of that.
fn stops(w: &World, card: u64) -> (usize, usize) {
    (w.events(card).iter().filter(|k| *k == "sim_stopped").count(), warned(w, card, "stopped_at_cap"))
}

/// How often the owner of a card was warned so.
fn warned(w: &World, card: u64, warning: &str) -> usize {
    let told = w.engine.read(|tx, _| Ok(tx.events_newest(&[ACME], 10_000)?)).expect("events");
    let (id, word) = (w.card(card).sim.id.0, format!("\"{warning}\""));
    told.iter().filter(|e| e.2 == Some(id) && e.3 == "card_warning" && e.5.contains(&word)).count()
}

#[test]
fn a_month_that_is_used_up_is_told_once_whatever_comes_late() {
    each(|store| {
        let w = World::new(store);
        tell_warnings(&w);
        w.add_cards(ACME, 0..1);
        w.buy(0, "M50-3M", "a").unwrap();
        w.pass(12 * 3600);
        let t = w.now().0;
        let use_up = |name: &str, id: i64, at: i64, mb: i64| w.cdr(name, &line(id, 0, at - 60, at, mb * MB));
        use_up("one", 1, t - 7200, 30);
        use_up("two", 2, t - 60, 30);
        assert_eq!(stops(&w, 0), (1, 1));
        use_up("late", 3, t - 3600, 25);
        assert_eq!(stops(&w, 0), (1, 1), "the same stop, an hour sooner");
        // More is bought and used up: another stop of that month.
        w.buy(0, "TOP20-5D", "b").unwrap();
        w.pass(3600);
        use_up("more", 4, w.now().0, 20);
        assert_eq!(stops(&w, 0), (2, 2));
        w.pass(31 * DAY);
        use_up("next month", 5, w.now().0, 51);
        assert_eq!(stops(&w, 0), (3, 3));
        use_up("late again", 6, w.now().0 - 600, 51);
        assert_eq!(stops(&w, 0), (3, 3));
        w.assert_sound();
    });
}

#[test]
fn a_stop_that_a_late_record_brings_is_told_at_once_and_not_taken_for_an_earlier_one() {
    each(|store| {
        let w = World::new(store);
        tell_warnings(&w);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").unwrap();
        w.pass(3600);
        let use_up = |name: &str, id: i64, at: i64, mb: i64| w.cdr(name, &line(id, 0, at - 60, at, mb * MB));
        use_up("all", 1, w.now().0, 100);
        assert_eq!(stops(&w, 0), (1, 1));
        w.pass(3600);
        w.buy(0, "M50-3M", "b").unwrap();
        w.pass(3600);
        let t = w.now().0;
        use_up("most", 2, t, 40);
        assert_eq!(stops(&w, 0), (1, 1));
        use_up("late", 3, t - 600, 20);
        assert!(!w.card(0).blocks().is_empty());
        assert_eq!(stops(&w, 0), (2, 2));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_stays_stopped_for_another_reason_is_not_told_again() {
    each(|store| {
        let w = World::new(store);
        tell_warnings(&w);
        w.add_cards(ACME, 0..2);
        let orders = [0, 1].map(|card| w.buy(card, "M50-3M", &format!("a{card}")).unwrap().order);
        w.pass(3600);
        let t = w.now().0;
        w.cdr("all of March", &[line(1, 0, t - 60, t, 50 * MB), line(2, 1, t - 60, t, 50 * MB)].concat());
        w.pass(3600);
        w.refund(0, orders[0]).unwrap();
        w.pass(3600);
        assert_eq!((w.card(0).blocks(), stops(&w, 0)), (Blocks::NO_PACKAGE, (1, 1)), "it has no package now");
        assert_eq!((w.card(1).blocks(), stops(&w, 1)), (Blocks::QUOTA, (1, 1)));
        w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(3600);
        w.cdr("all of that", &line(3, 0, w.now().0 - 60, w.now().0, 100 * MB));
        assert_eq!(stops(&w, 0), (2, 2), "let on again, and stopped again");
        w.assert_sound();
    });
}

#[test]
fn a_stop_by_a_package_that_lasted_an_instant_is_told_once_whatever_comes_late() {
    each(|store| {
        let w = World::new(store);
        tell_warnings(&w);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").unwrap();
        w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(4 * 3600);
        let t = w.now().0;
        let record = |id: i64, stop: i64, mb: i64| line(id, 0, stop - 60, stop, mb * MB);
        w.cdr("both at once", &[record(1, t - 3600, 60), record(2, t - 60, 140)].concat());
        w.pass(3600);
        assert_eq!((w.card(0).blocks(), stops(&w, 0)), (Blocks::QUOTA, (1, 1)));
        w.cdr("the first ended before", &record(3, t - 7200, 40));
        w.pass(3600);
        assert_eq!((w.card(0).blocks(), stops(&w, 0)), (Blocks::QUOTA, (1, 1)), "it is the same stop");
        w.assert_sound();
    });
}

/// An earlier version counted no stops, and told each by what ended then.
#[test]
fn a_stop_that_an_earlier_version_told_is_not_told_again() {
    each(|store| {
        let w = World::new(store.clone());
        tell_warnings(&w);
        w.add_cards(ACME, 0..3);
        for card in 0..3 {
            w.buy(card, if card < 2 { "Q100-30D" } else { "TOP20-5D" }, &format!("a{card}")).unwrap();
        }
        w.pass(3600);
        let t = w.now().0;
        w.cdr("all of it", &[line(1, 0, t - 60, t, 100 * MB), line(2, 1, t - 60, t, 100 * MB)].concat());
        w.pass(6 * DAY);
        // Its state is known behind the stop.
        w.cdr("more", &line(3, 1, w.now().0 - 60, w.now().0, MB));
        w.pass(3600);
        let told = [0, 1, 2].map(|card| stops(&w, card));
        assert_eq!(told, [(1, 1), (1, 1), (1, 0)]);
        for id in [0, 1, 2].map(|card| w.card(card).sim.id) {
            let uncounted = w.engine.write(move |tx, _, _| {
                let mut row = tx.state_locked(id)?;
                let counted = kachi_engine::cards::decode(&row.head)?;
                // Without packages the count is the last byte but one; they come behind it.
                let at = kachi_domain::rating::CardState { live: Vec::new(), ..counted }.to_bytes().len() - 2;
                row.head[0] &= !4;
                row.head.remove(at);
                kachi_engine::cards::decode(&row.head)?;
                Ok(tx.put_states(&[row])?)
            });
            uncounted.expect("as it was written then");
        }
        let run = |statements: &str| kachi_store::db::execute_in(store.place(), statements).expect("done");
        run("DELETE FROM announced WHERE kind LIKE '%#'");
        run(match store.place() {
            kachi_store::Place::File(_) => include_str!("../../../migrations/sqlite/0051_used_up_warnings.sql"),
            kachi_store::Place::Postgres(_) => include_str!("../../../migrations/postgres/0051_used_up_warnings.sql"),
        });
        w.pass(3600);
        assert_eq!([0, 1, 2].map(|card| stops(&w, card)), told, "nothing happened");
        for card in 0..3 {
            w.buy(card, "Q100-30D", &format!("b{card}")).unwrap();
        }
        w.pass(3600);
        let all = |card: u64| line(10 + card as i64, card, w.now().0 - 60, w.now().0, 100 * MB);
        w.cdr("all of that", &[all(0), all(1), all(2)].concat());
        assert_eq!([0, 1, 2].map(|card| stops(&w, card)), [(2, 2), (2, 2), (2, 1)], "stopped again");
        w.assert_sound();
    });
}

#[test]
fn a_late_record_moves_a_stop_and_tells_none_again() {
    each(|store| {
        let w = World::new(store);
        tell_warnings(&w);
        w.add_cards(ACME, 1..4);
        let hour = 3600;
        let use_up = |id: i64, card: u64, at: i64, mb: i64| {
            w.cdr(&id.to_string(), &line(id, card, at - 60, at, mb * MB));
        };
        let use_both = |id: i64, at: i64, mb: i64| {
            use_up(id, 1, at, mb);
            use_up(id + 1, 2, at, mb);
            (stops(&w, 1), stops(&w, 2))
        };
        for card in 1..4 {
            w.buy(card, "M50-3M", &format!("month {card}")).unwrap();
        }
        w.pass(2 * hour);
        // It stopped when both were used up; it had stopped before the second was bought, it turns out.
        w.buy(3, "TOP20-5D", "e").unwrap();
        w.pass(hour);
        use_up(2, 3, w.now().0, 70);
        w.pass(hour);
        assert_eq!(stops(&w, 3), (1, 1));
        use_up(3, 3, BEGIN + hour, 50);
        assert_eq!(stops(&w, 3), (2, 2), "as often as it was stopped");
        // They stop at their end, and it turns out that they were used up hours before; one has another package by then.
        w.set_now(BEGIN + 92 * DAY);
        w.pass(hour);
        assert_eq!((w.card(1).blocks(), stops(&w, 1), stops(&w, 2)), (Blocks::EXPIRED, (1, 0), (1, 0)));
        w.buy(2, "Q100-30D", "f").unwrap();
        w.pass(hour);
        assert_eq!(use_both(10, BEGIN + 92 * DAY - 4 * hour, 50), ((1, 1), (1, 1)), "the same stop, sooner");
        w.buy(1, "Q100-30D", "g").unwrap();
        w.pass(hour);
        assert_eq!(use_both(20, BEGIN + 92 * DAY - 5 * hour, 1), ((1, 1), (1, 1)));
        assert_eq!(use_both(30, w.now().0, 100), ((2, 2), (2, 2)), "let on again, and stopped again");
        w.assert_sound();
    });
}

#[test]
fn the_end_is_told_once_of_each_last_package() {
    each(|store| {
        let w = World::with(store, Settings { lines: Lines { remaining_days: 10, ..Lines::default() }, ..Settings::default() });
        tell_warnings(&w);
        w.add_cards(ACME, 0..3);
        // Days at which the second is bought; the warnings by then, before it is in use, and when all is over.
        for (card, second, told) in [(0, 24, [1, 2, 2]), (1, 29, [1, 1, 1]), (2, 0, [0, 1, 1])] {
            let begin = w.now().0;
            let ends = || (w.events(card).iter().filter(|k| *k == "usage_alert").count(), warned(&w, card, "card_ending"));
            let until = |day: i64| {
                w.set_now(begin + day * DAY);
                w.pass(1);
                ends()
            };
            w.buy(card, "Q100-30D", &format!("first {card}")).unwrap();
            until(second);
            w.buy(card, "T-7D", &format!("second {card}")).unwrap();
            let days = [second.max(26), 30, 40];
            assert_eq!(days.map(until), told.map(|n| (n, n)), "card {card}, the second bought on day {second}");
        }
        w.assert_sound();
    });
}

#[test]
fn a_start_is_told_with_the_end_that_was_to_be() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.buy(0, "Q100-30D", "a").unwrap();
        w.buy(0, "Q100-30D", "b").unwrap();
        w.pass(3600);
        let t = w.now().0;
        // One file uses up both, so the second starts and ends before anything is told of it.
        w.cdr("both", &[line(1, 0, t - 900, t - 600, 100 * MB), line(2, 0, t - 500, t - 400, 100 * MB)].concat());
        let mut told = w.engine.read(|tx, _| Ok(tx.events_newest(&[ACME], 100)?)).unwrap();
        told.reverse();
        let ends = |kind: &str| -> Vec<Option<i64>> {
            let of_kind = told.iter().filter(|e| e.3 == kind);
            of_kind.map(|e| serde_json::from_str::<serde_json::Value>(&e.5).expect("JSON")["ends_at"].as_i64()).collect()
        };
        assert_eq!(ends("subscription_started"), [Some(BEGIN + 30 * DAY), Some(t - 600 + 30 * DAY)]);
        assert_eq!(ends("subscription_ended"), [Some(t - 600), Some(t - 400)]);
    });
}
