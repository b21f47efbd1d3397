//! Keeping up with a carrier: what is asked of it, and what is kept of what it tells. On both engines.

#[allow(dead_code)]
#[path = "sync/scene.rs"]
mod scene;

use kachi_domain::account::Path;
use kachi_domain::carrier::{Answer, Batches, Capabilities, Cycle, Fact, Facts};
use kachi_domain::package::{Resource, Terms};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{PackageId, Timestamp};
use kachi_engine::figures::{self, Depth, Numbers};
use kachi_engine::{sims, sync};
use kachi_store::catalogue::{Package, Product};
use kachi_store::sims::Sim;
use kachi_store::sync::SyncPlace;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, World};
use scene::{Scene, at, day};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Tells states one by one, and what changed.
fn feeding() -> Capabilities {
    Capabilities { facts: Facts::of(&[Fact::State]), changes: true, ..Capabilities::default() }
}

/// Tells days of many cards.
fn daily() -> Capabilities {
    Capabilities { batches: Batches { day: 100, ..Batches::default() }, ..Capabilities::default() }
}

/// Tells the running month of one card.
fn monthly(cycle: Cycle) -> Capabilities {
    Capabilities { facts: Facts::of(&[Fact::Month]), cycle, ..Capabilities::default() }
}

#[test]
fn every_card_is_read_once_and_then_the_changes_are_followed() {
    each(|store| {
        let s = Scene::new(store, feeding(), 3);
        s.fake.book().states.insert(1, BaseState::Testing);
        let mut first = s.work();
        first.sort();
        assert_eq!(first, ["feed 03-10 page 0", "state: 0", "state: 1", "state: 2"]);
        assert_eq!((s.state(0).as_str(), s.state(1).as_str()), ("active", "testing"));

        s.fake.book().states.insert(2, BaseState::Testing);
        s.fake.book().feed.insert(day("03-10"), vec![vec![(1, true)], vec![(2, true)]]);
        assert_eq!(s.later(HOUR - 1), Vec::<String>::new(), "within the freshness nothing is asked");
        assert_eq!(s.later(301), ["feed 03-10 page 0", "feed 03-10 page 1"]);
        assert_eq!(s.state(2), "testing");

        // A state that the feed does not tell is read, and a card that is new too.
        s.fake.book().states.insert(0, BaseState::PreClosed);
        s.fake.book().feed.insert(day("03-10"), vec![vec![(0, false)]]);
        s.w.add_cards(ACME, 3..4);
        let mut told = s.later(HOUR + 300);
        told.sort();
        assert_eq!(told, ["feed 03-10 page 0", "state: 0", "state: 3"]);
        assert_eq!(s.state(0), "pre_closed");
    });
}

#[test]
fn what_the_carrier_stopped_a_card_for_is_over_when_it_says_that_the_card_is_on() {
    each(|store| {
        let s = Scene::new(store, feeding(), 1);
        s.fake.book().states.insert(0, BaseState::Stopped);
        let stopped = |blocks: Blocks| {
            let sim = s.w.card(0).sim;
            let kept = sim.blocks | blocks.0;
            s.w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, "stopped", kept, None)?)).expect("it stands so");
        };
        stopped(Blocks(Blocks::REAL_NAME.0 | Blocks::REGION.0 | Blocks::IMEI_LOCK.0));
        s.work();
        assert_eq!(s.w.card(0).blocks().names(), ["no_package", "real_name", "imei_lock", "region"], "no reason is told");
        s.fake.book().states.insert(0, BaseState::Active);
        s.fake.book().feed.insert(day("03-10"), vec![vec![(0, true)]]);
        s.later(HOUR + 300);
        assert_eq!((s.state(0).as_str(), s.w.card(0).blocks().names()), ("active", vec!["no_package", "imei_lock"]));
    });
}

#[test]
fn a_day_is_followed_until_a_walk_began_after_its_end_and_days_missed_are_caught_up() {
    each(|store| {
        let s = Scene::new(store, feeding(), 1);
        s.work();
        s.w.set_now(at("03-10 23:30").0);
        assert_eq!(s.work(), ["feed 03-10 page 0"]);
        s.w.set_now(at("03-11 00:15").0);
        assert_eq!(s.work(), ["feed 03-10 page 0"], "the walk that closes the day");
        s.w.set_now(at("03-11 01:30").0);
        assert_eq!(s.work(), ["feed 03-11 page 0"]);
        s.w.set_now(at("03-14 02:00").0);
        assert_eq!(s.work(), ["feed 03-11 page 0", "feed 03-12 page 0", "feed 03-13 page 0"]);
        // Longer than the carrier answers for: every card is read again.
        s.w.set_now(at("03-25 12:00").0);
        assert_eq!(s.work(), ["state: 0", "feed 03-25 page 0"]);
    });
}

#[test]
fn a_walk_goes_on_at_its_page_whoever_died() {
    each(|store| {
        let s = Scene::new(store, feeding(), 1);
        s.work();
        let pages: Vec<Vec<(u64, bool)>> = (0..3).map(|_| vec![(0, true)]).collect();
        s.fake.book().feed.insert(day("03-10"), pages);
        // A worker settled the first page and died.
        let (platform, engine) = (s.platform, &s.w.engine);
        s.w.pass(HOUR + 300);
        engine
            .write(move |tx, _, _| {
                let row = tx.sync_place(platform)?;
                let (feed_page, walk_began) = (Some("1".to_owned()), row.walk_due);
                Ok(tx.put_sync_place(platform, &SyncPlace { feed_page, walk_began, walk_pages: 1, ..row })?)
            })
            .expect("it stands there");
        assert_eq!(s.work(), ["feed 03-10 page 1", "feed 03-10 page 2"]);
    });
}

#[test]
fn a_platform_that_a_dead_worker_had_is_free_when_its_lease_is_over() {
    each(|store| {
        let s = Scene::new(store, feeding(), 1);
        let name = format!("sync {}", s.platform);
        let until = s.w.now().plus(60);
        s.w.engine.write(move |tx, _, how| Ok(tx.take_lease(&name, 1, until, how.now)?)).expect("another has it");
        assert_eq!(s.work(), Vec::<String>::new());
        assert_eq!(s.later(61), ["state: 0", "feed 03-10 page 0"]);
    });
}

#[test]
fn what_a_worker_brings_home_after_its_lease_counts_for_nothing() {
    each(|store| {
        let s = Scene::new(store, daily(), 1);
        s.fake.book().days.insert((0, day("03-09")), MB);
        let (engine, name) = (s.w.engine.clone(), format!("sync {}", s.platform));
        // While the platform is asked, another takes the work over and gives it back.
        s.fake.book().meanwhile = Some(Box::new(move || {
            let other = engine.write(move |tx, _, how| {
                let later = how.now.plus(3_600);
                assert!(tx.take_lease(&name, 99, later.plus(60), later)?, "the first one's lease is over by then");
                Ok(tx.give_lease(&name, 99)?)
            });
            other.expect("another works");
        }));
        let made = sync::at(&s.w.engine, (s.platform, s.fake.as_ref()), 7).expect("a step");
        assert_eq!((made, s.counts(0)), (1, vec![]));
        assert_eq!(s.work(), ["day 03-09: 1 cards"], "it is asked again");
        assert_eq!(s.counts(0).len(), 1);
    });
}

#[test]
fn what_the_platform_does_not_tell_holds_up_nobody_and_is_asked_for_again_later() {
    each(|store| {
        let s = Scene::new(store, feeding(), 3);
        s.fake.book().unknown.insert(0);
        assert_eq!(s.work(), ["state: 0", "state: 1", "state: 2", "feed 03-10 page 0"]);
        assert_eq!(s.later(HOUR + 300), ["feed 03-10 page 0"], "a card that it refuses waits for a day");
        s.fake.book().unknown.clear();
        let mut told = s.later(DAY);
        told.retain(|a| a.starts_with("state"));
        assert_eq!(told, ["state: 0"]);
    });
}

#[test]
fn a_platform_without_budget_says_when_to_come_again() {
    each(|store| {
        let s = Scene::new(store, daily(), 2);
        s.fake.book().no = Some(Answer::Later { seconds: 900, reason: "enough for now".into() });
        assert_eq!(s.work(), ["day 03-09: 2 cards"]);
        let shown = sync::show(&s.w.engine, Some(s.platform)).expect("it is shown").remove(0);
        assert_eq!((shown.due_at, shown.words.as_str()), (s.w.now().plus(900).0, "enough for now"));
        s.fake.book().no = None;
        assert_eq!(s.later(899), Vec::<String>::new());
        assert_eq!(s.later(1), ["day 03-09: 2 cards"]);
    });
}

#[test]
fn the_days_of_cards_are_asked_for_once_they_are_over() {
    each(|store| {
        let s = Scene::new(store, daily(), 150);
        s.fake.book().days.insert((3, day("03-09")), 5 * MB);
        assert_eq!(s.work(), ["day 03-09: 100 cards", "day 03-09: 50 cards"]);
        assert_eq!(s.later(HOUR), Vec::<String>::new());
        assert_eq!(s.counts(3), [("day".into(), at("03-09 00:00"), at("03-10 00:00"), 5 * MB, None)]);
        assert_eq!(s.counts(4), [("day".into(), at("03-09 00:00"), at("03-10 00:00"), 0, None)]);
        // Three days later: those in between one after another, the oldest first.
        s.w.set_now(at("03-13 04:00").0);
        let asked = s.work();
        assert_eq!(asked.len(), 6, "{asked:?}");
        assert_eq!((asked[0].as_str(), asked[5].as_str()), ("day 03-10: 100 cards", "day 03-12: 50 cards"));
        let shown = sync::show(&s.w.engine, Some(s.platform)).expect("it is shown").remove(0);
        assert_eq!(shown.calls_today, [("day".to_owned(), 6)]);
        assert_eq!((shown.facts[0].cards, shown.facts[0].never, shown.facts[0].stale), (150, 0, 0));
    });
}

/// What a carrier bills from the 27th of February on is its March.
#[test]
fn what_was_spoken_is_told_under_the_month_that_its_carrier_bills() {
    each(|store| {
        let cycle = Cycle { first_day: 27 };
        let s = Scene::new(store, monthly(cycle), 2);
        let (sim, actor) = (s.sim(0), s.w.actor(ACME));
        let spoke = s.w.engine.write(move |tx, _, how| {
            for (from, seconds) in [("01-27 00:00", 30), ("02-27 00:00", 61), ("03-27 00:00", 700)] {
                tx.put_voice(sim, at(from), seconds, how.now)?;
            }
            Ok(())
        });
        spoke.expect("it is kept");
        let told = |card: u64, first: &str, last: &str| {
            let numbers = Numbers::Iccids(vec![World::iccid(card).as_str().to_owned()]);
            let (days, now) = ((day(first), day(last)), s.w.now());
            let figures = s.w.engine.read(|tx, catalogue| figures::of(tx, catalogue, &actor, (&numbers, Depth::Use), days, now));
            figures.expect("figures")[0].voice_seconds
        };
        assert_eq!([told(0, "02-01", "02-28"), told(0, "03-01", "03-31"), told(0, "04-01", "04-30")], [30, 61, 700]);
        assert_eq!(told(1, "03-01", "03-31"), 0);
    });
}

/// A platform whose batches tell data alone is asked for the voice of the cards that have a package for it, and of no others.
#[test]
fn what_cards_with_a_voice_package_spoke_is_read_where_no_batch_tells_it() {
    each(|store| {
        let can = Capabilities { facts: Facts::of(&[Fact::Voice]), ..daily() };
        let s = Scene::new(store, can, 3);
        let sold = s.w.engine.write(|tx, catalogue, _| {
            let like = catalogue.package_by_code("Q100-30D").cloned().expect("a package");
            let terms = Terms { resource: Resource::Voice, allowance: 6_000, ..like.terms.clone() };
            tx.put_package(&Package { id: PackageId(0), code: "VOICE".into(), terms, ..like })?;
            Ok(tx.touch_catalogue()?)
        });
        sold.expect("a package");
        for card in [1, 2] {
            s.w.buy(card, "VOICE", &format!("o-{card}")).expect("it has a package");
        }
        s.fake.book().voices.extend([(0, 60), (1, 120)]);
        assert_eq!(s.work(), ["day 03-09: 3 cards", "voice: 1", "voice: 2"]);
        let spoke = |card: u64| {
            let (sim, from) = (s.sim(card), at("03-01 00:00"));
            let told = s.w.engine.read(|tx, _| Ok(tx.voice_months(sim)?)).expect("the database");
            told.iter().find(|v| v.0 == from.0).map(|v| v.1)
        };
        assert_eq!((spoke(0), spoke(1), spoke(2)), (None, Some(120), None));
        s.fake.book().voices.insert(2, 30);
        assert_eq!(s.later(DAY), ["day 03-10: 3 cards", "voice: 1", "voice: 2"]);
        assert_eq!(spoke(2), Some(30));
        s.fake.book().unknown.insert(1);
        assert_eq!(s.later(DAY).len(), 2, "what it does not tell of is not asked further");
    });
}

#[test]
fn a_counter_that_falls_is_kept_and_says_so() {
    each(|store| {
        let s = Scene::new(store, monthly(Cycle::NATURAL), 1);
        for (hours, bytes) in [(0, 40), (6, 50), (6, 30), (6, 35)] {
            s.w.pass(hours * HOUR);
            let now = s.w.now();
            s.fake.book().months.insert(0, (bytes * MB, now));
            assert_eq!(s.work(), ["month: 0"]);
        }
        let kept: Vec<_> = s.counts(0).into_iter().map(|(of, from, _, bytes, fell)| (of, from, bytes / MB, fell)).collect();
        let march = at("03-01 00:00");
        let of = |bytes, fell| ("month".to_owned(), march, bytes, fell);
        assert_eq!(kept, [of(40, None), of(50, None), of(30, Some(50 * MB)), of(35, None)]);
        let shown = sync::show(&s.w.engine, Some(s.platform)).expect("it is shown").remove(0);
        assert_eq!(shown.fallen.iter().map(|f| (f.bytes, f.fell_from)).collect::<Vec<_>>(), [(30 * MB, 50 * MB)]);
        let newest = s.w.engine.read(|tx, _| Ok(tx.count(s.sim(0))?)).expect("a look").expect("a counter");
        let told = (newest.of.word(), newest.from, newest.counter.bytes);
        assert_eq!(told, ("month", march, 35 * MB), "what doors show is the newest word, of what it counts");
    });
}

#[test]
fn a_month_that_is_over_keeps_what_is_told_of_it_late() {
    each(|store| {
        let s = Scene::new(store, monthly(Cycle::NATURAL), 1);
        s.w.set_now(at("03-31 23:00").0);
        s.fake.book().months.insert(0, (900 * MB, at("03-31 23:00")));
        assert_eq!(s.work(), ["month: 0"]);
        s.w.set_now(at("04-01 03:00").0);
        assert_eq!(s.work(), Vec::<String>::new(), "the carrier may still tell March's figure as April's");
        // As it stood at midnight: March's, told in April.
        s.w.set_now(at("04-01 06:00").0);
        s.fake.book().months.insert(0, (901 * MB, at("04-01 00:00")));
        assert_eq!(s.work(), ["month: 0"]);
        s.w.set_now(at("04-01 12:00").0);
        s.fake.book().months.insert(0, (2 * MB, at("04-01 12:00")));
        assert_eq!(s.work(), ["month: 0"]);
        let kept: Vec<_> = s.counts(0).into_iter().map(|(_, from, as_of, bytes, fell)| (from, as_of, bytes / MB, fell)).collect();
        let (march, april) = (at("03-01 00:00"), at("04-01 00:00"));
        let expected = [(march, at("03-31 23:00"), 900, None), (march, april, 901, None), (april, at("04-01 12:00"), 2, None)];
        assert_eq!(kept, expected, "nothing fell: each month has its own count");
    });
}

#[test]
fn a_billing_month_from_the_27th_to_the_26th() {
    each(|store| {
        let s = Scene::new(store, monthly(Cycle { first_day: 27 }), 1);
        for (now, bytes) in [("03-26 23:00", 80), ("03-27 06:00", 1)] {
            s.w.set_now(at(now).0);
            s.fake.book().months.insert(0, (bytes * MB, at(now)));
            assert_eq!(s.work(), ["month: 0"]);
        }
        let kept: Vec<_> = s.counts(0).into_iter().map(|(_, from, _, bytes, fell)| (from, bytes / MB, fell)).collect();
        assert_eq!(kept, [(at("02-27 00:00"), 80, None), (at("03-27 00:00"), 1, None)]);
    });
}

#[test]
fn the_most_at_risk_are_read_first() {
    each(|store| {
        let s = Scene::new(store, monthly(Cycle::NATURAL), 3);
        s.w.buy(1, "Q100-30D", "1").expect("a package");
        s.w.buy(2, "Q100-30D", "2").expect("a package");
        let now = s.w.now().0;
        let used = kachi_testkit::world::line(1, 2, now - 60, now, 97 * MB);
        let report = s.w.try_cdr("a.csv", &used).expect("it is taken in");
        assert_eq!(report.loaded, 1);
        assert_eq!(s.work(), ["month: 2", "month: 0", "month: 1"], "three of a hundred megabytes are left on card 2");
    });
}

#[test]
fn a_platform_that_is_switched_off_is_asked_nothing() {
    each(|store| {
        let s = Scene::new(store, daily(), 1);
        let set = |on: bool| {
            s.w.engine
                .write(move |tx, _, _| {
                    tx.put_platform_sync("far", on, false)?;
                    Ok(tx.touch_catalogue()?)
                })
                .expect("it is set");
        };
        set(false);
        assert_eq!(s.work(), Vec::<String>::new());
        set(true);
        assert_eq!(s.work(), ["day 03-09: 1 cards"]);
    });
}

#[test]
fn a_card_that_was_taken_out_leaves_nothing_behind() {
    each(|store| {
        let s = Scene::new(store, daily(), 2);
        s.work();
        let sim = s.w.card(1).sim;
        let (id, gone) = (sim.id, sim.clone());
        s.w.engine.write(move |tx, _, how| Ok(tx.remove_sim(&gone, how.now)?)).expect("it is taken out");
        assert_eq!(s.w.engine.read(|tx, _| Ok(tx.counts_of(id)?)).expect("a look"), []);
        s.w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &sim)).expect("it comes again");
        assert_eq!(s.later(HOUR), ["day 03-09: 1 cards"]);
    });
}

/// Bytes that the card used, by what is rated.
fn used(w: &World, card: u64) -> i64 {
    let sim = kachi_testkit::world::sim_id(w, card);
    let days = w.engine.read(|tx, _| Ok(tx.usage_days(&[ACME], Some(sim), 0, 100_000)?)).expect("days");
    days.into_iter().map(|d| d.1).sum()
}

#[test]
fn where_there_are_no_records_the_carriers_days_rate() {
    each(|store| {
        let s = Scene::new(store, daily(), 3);
        s.w.engine
            .write(|tx, _, _| {
                tx.put_platform_sync("far", true, true)?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("it is set");
        s.w.set_now(at("03-08 12:00").0);
        s.w.buy(0, "Q100-30D", "1").expect("a package");
        s.w.set_now(at("03-10 12:00").0);
        s.fake.book().days.insert((0, day("03-09")), 30 * MB);
        s.work();
        assert_eq!((used(&s.w, 0), used(&s.w, 1)), (30 * MB, 0));
        assert_eq!(s.w.card(0).state.remaining_bytes(), 70 * MB);
        let readings = |s: &Scene| s.w.engine.read(|tx, _| Ok(tx.audit_readings()?)).expect("a look").0;
        assert_eq!(readings(&s), 1, "a day without usage is no record");

        // The reading is lost before it was noted, as when the worker dies there: the same day comes again, and is known.
        let sims: Vec<i64> = (0..3).map(|card| s.sim(card).0).collect();
        s.w.engine.write(move |tx, _, _| Ok(tx.forget_asked("day", &sims)?)).expect("it is forgotten");
        assert_eq!(s.later(HOUR), ["day 03-09: 3 cards"]);
        assert_eq!((used(&s.w, 0), readings(&s)), (30 * MB, 1));
        let days: Vec<Timestamp> = s.counts(0).into_iter().map(|c| c.1).collect();
        assert_eq!(days, [at("03-09 00:00")]);
        s.w.assert_sound();
    });
}

#[test]
fn why_a_card_is_stopped_is_learned_where_it_costs_nothing() {
    for (costs, blocks) in [(0, vec!["no_package", "real_name"]), (1, vec!["no_package"])] {
        each(|store| {
            let can = Capabilities { facts: Facts::of(&[Fact::State, Fact::StopReason]), ..Capabilities::default() };
            let s = Scene::new(store, can, 1);
            s.fake.book().reason_costs = costs;
            s.fake.book().states.insert(0, BaseState::Stopped);
            s.fake.book().reasons.insert(0, Blocks::REAL_NAME);
            assert_eq!(s.work(), ["state: 0"], "what is in the way here is why, as far as that costs a request");
            assert_eq!(s.w.card(0).blocks().names(), blocks);
        });
    }
}

/// What the operator was told of the platforms' readings.
fn told_of_age(w: &World) -> Vec<String> {
    let mut told = w.engine.read(|tx, _| Ok(tx.events_newest(&[kachi_domain::AccountId(1)], 100)?)).expect("events");
    told.reverse();
    let detail =
        |body: &str| serde_json::from_str::<serde_json::Value>(body).expect("JSON")["detail"].as_str().map(str::to_owned);
    let of_age = told.iter().filter(|e| e.3.starts_with("readings_"));
    of_age.map(|e| format!("{}: {}", e.3, detail(&e.5).unwrap_or_default())).collect()
}

#[test]
fn what_comes_to_a_platform_has_its_time_to_become_fresh() {
    each(|store| {
        let s = Scene::new(store, Capabilities { facts: Facts::of(&[Fact::State]), ..Capabilities::default() }, 2);
        let look = || sync::watch(&s.w.engine, s.platform).expect("a look");
        let sold_as = |code: &'static str, platform| {
            let made = s.w.engine.write(move |tx, catalogue, _| {
                let known = catalogue.product_by_code("1US-1").cloned().expect("a product");
                tx.put_product(&Product { platform, code: code.into(), ..known })?;
                Ok(tx.touch_catalogue()?)
            });
            made.expect("a product");
        };
        let kept_up = |on: bool| {
            let put = s.w.engine.write(move |tx, _, _| {
                tx.put_platform_sync("far", on, false)?;
                Ok(tx.touch_catalogue()?)
            });
            put.expect("a switch");
        };
        look();
        s.later(25 * HOUR);
        assert_eq!(look(), 0, "all is fresh");
        // The product goes elsewhere for a week, where nobody looks, and comes back.
        sold_as("1US-1", s.w.platform());
        s.w.pass(168 * HOUR);
        assert_eq!(look(), 0);
        sold_as("1US-1", s.platform);
        assert_eq!(look(), 0, "it is looked at from now on");
        s.w.pass(23 * HOUR);
        assert_eq!(look(), 0);
        s.w.pass(2 * HOUR);
        assert_eq!(look(), 1, "for a day nobody has read them");
        s.later(HOUR);
        assert_eq!(look(), 1);
        // So it is when the platform is switched off for a week, told to be stale or not.
        s.w.pass(26 * HOUR);
        assert_eq!(look(), 1);
        kept_up(false);
        s.w.pass(168 * HOUR);
        assert_eq!(look(), 0);
        kept_up(true);
        assert_eq!(look(), 0);
        s.w.pass(23 * HOUR);
        assert_eq!(look(), 0);
        s.w.pass(2 * HOUR);
        assert_eq!(look(), 1, "what was told before it was switched off is told again");
        s.later(HOUR);
        assert_eq!(look(), 1);
        // And with a single card: products are of one platform now, but one may have gone to another before that was so.
        sold_as("NEAR", s.w.platform());
        let switch = |code: &'static str| {
            let switched = s.w.engine.write(move |tx, catalogue, _| {
                let sim = tx.sim_by_iccid(&Path::root(), World::iccid(1).as_str())?.expect("a card");
                let product = catalogue.product_by_code(code).expect("a product").id;
                Ok(tx.change_sim(sim.id, &Sim { product, ..sim.clone() })?)
            });
            switched.expect("it is switched");
        };
        switch("NEAR");
        s.later(168 * HOUR);
        assert_eq!(look(), 0, "the other card is fresh");
        switch("1US-1");
        assert_eq!(look(), 0);
        s.fake.book().unknown.insert(1);
        s.later(23 * HOUR);
        assert_eq!(look(), 0);
        s.later(2 * HOUR);
        assert_eq!(look(), 1);
        let two = "readings_stale: far: state of 2 of 2 cards";
        let one = "readings_stale: far: state of 1 of 2 cards";
        assert_eq!(told_of_age(&s.w), [two, "readings_fresh: far", two, two, "readings_fresh: far", one]);
    });
}

/// What is told, and after how many hours, while the platform is up and down by chance, cards come, and one is hidden for a while; and
/// how often every card was looked at.
fn told_by_chance(store: kachi_store::Store, looks_anew: bool) -> (Vec<(usize, String)>, usize) {
    let (day, facts) = (Batches { day: 100, ..Batches::default() }, Facts::of(&[Fact::State]));
    let s = Scene::new(store.clone(), Capabilities { facts, batches: day, ..Capabilities::default() }, 3);
    let (mut seed, mut told, mut walks, mut cards) = (11_u64, Vec::new(), 0, 3);
    let mut draw = |of: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % of
    };
    let (mut down, mut hidden) = (0, 0);
    for hour in 0..600 {
        (down, hidden) = (i64::max(down - 1, 0), i64::max(hidden - 1, 0));
        match draw(100) {
            0 => down = 36,
            1 => hidden = 40,
            2 => {
                s.w.add_cards(ACME, cards..cards + 1);
                cards += 1;
            }
            _ => {}
        }
        s.fake.book().no = (down > 0).then(|| Answer::InDoubt { reason: "down".into() });
        s.fake.book().unknown = if hidden > 0 { [1].into() } else { [].into() };
        s.later(HOUR);
        let quiet = || {
            let (platform, now) = (s.platform, s.w.now());
            let looked = s.w.engine.write(move |tx, _, _| Ok(tx.look_at_age(platform, (now.plus(-86_400), now), 86_400)?));
            let looked = looked.expect("a look");
            looked.quiet_until.is_some_and(|until| until > now) && !looked.is_stale
        };
        walks += usize::from(!quiet());
        if looks_anew {
            kachi_store::db::execute_in(store.place(), "UPDATE sync_place SET quiet_until = NULL").expect("forgotten");
        }
        sync::watch(&s.w.engine, s.platform).expect("a look");
        told.extend(told_of_age(&s.w).into_iter().skip(told.len()).map(|words| (hour, words)).collect::<Vec<_>>());
    }
    (told, walks)
}

#[test]
fn every_card_is_looked_at_no_oftener_than_something_can_be_too_old() {
    each(|store| {
        let (told, walks) = told_by_chance(store, false);
        let database = kachi_testkit::db::Database::sqlite();
        let (wanted, _) = told_by_chance(database.open(), true);
        assert_eq!(told, wanted, "each at its hour");
        assert!(told.len() > 4, "{told:?}");
        assert!(walks < 400, "{walks} walks in 600 looks");
    });
}

#[test]
fn readings_that_are_too_old_are_told_once_and_once_when_they_are_not_any_more() {
    each(|store| {
        let s = Scene::new(store, Capabilities { facts: Facts::of(&[Fact::State]), ..Capabilities::default() }, 2);
        let look = || sync::watch(&s.w.engine, s.platform).expect("a look");
        assert_eq!(look(), 0, "it had no time yet");
        s.fake.book().no = Some(Answer::InDoubt { reason: "down".into() });
        s.later(12 * HOUR);
        assert_eq!(look(), 0);
        s.later(13 * HOUR);
        assert_eq!([look(), look()], [1, 0], "once");
        s.fake.book().no = None;
        s.fake.book().unknown.insert(1);
        s.later(HOUR);
        assert_eq!(look(), 0, "one card is still not read");
        s.fake.book().unknown.clear();
        s.later(25 * HOUR);
        assert_eq!([look(), look()], [1, 0]);
        assert_eq!(told_of_age(&s.w), ["readings_stale: far: state of 2 of 2 cards", "readings_fresh: far"]);
        // Nothing is read for more than a day: told again.
        s.w.pass(26 * HOUR);
        assert_eq!(look(), 1);
        assert_eq!(told_of_age(&s.w).len(), 3);
    });
}
