//! Usage that comes before its card: when the card appears it ends as one that was there from the start. On both engines.

use kachi_domain::usage::{AHEAD_SECONDS_MAX, CdrRecord};
use kachi_domain::{AccountId, Timestamp};
use kachi_engine::import::{self, LINES_AT_ONCE};
use kachi_engine::sims;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, World};

/// There from the start, its records in order.
const KNOWN: u64 = 0;
/// Appears after its records, which come backwards.
const LATE: u64 = 1;

fn line(id: i64, card: u64, stop: i64, bytes: i64) -> String {
    let record = CdrRecord {
        source_id: id,
        start: Timestamp(stop - 30),
        stop: Timestamp(stop),
        iccid: World::iccid(card),
        imsi: 0,
        bytes,
        imei: 867_530_900_000_000 + 10 * (stop % 7),
        mccmnc: 46_000,
    };
    let mut out = Vec::new();
    kachi_domain::cdr::write_record(&mut out, &record);
    String::from_utf8(out).expect("ASCII")
}

/// The n-th record: three days of them, so that each file has some of each day.
fn stop(n: i64) -> i64 {
    BEGIN + n * 100
}

/// What must be alike.
fn shape(w: &World, card: u64) -> String {
    let now = w.card(card);
    let id = now.sim.id;
    let days = w.engine.read(|tx, catalogue| {
        let sees = catalogue.account(ACME).map(|a| a.sees.clone()).unwrap_or_default();
        Ok(tx.usage_of_days(&sees, &[id.0], 0, 100_000)?.first().map(|d| d.1))
    });
    let state = &now.state;
    format!("{:?} {:?} {} {:?} {:?}", days.unwrap(), now.as_of, state.outflow_bytes, state.last.map(|p| p.0), now.sim.imei)
}

/// Batches of the log, each covered by the by-card order now.
fn batches(w: &World) -> usize {
    let mut n = 0;
    loop {
        match import::index(&w.engine).unwrap() {
            0 => return n,
            more => n += more,
        }
    }
}

fn readings(w: &World, card: u64) -> i64 {
    let id = w.card(card).sim.id.0;
    w.engine.read(move |tx, _| Ok(tx.readings_of_sims(&[id], 0, 100_000)?)).unwrap().len() as i64
}

#[test]
fn a_card_that_appears_after_its_usage_ends_as_one_that_was_there() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, KNOWN..KNOWN + 1);
        let n = LINES_AT_ONCE + 500;
        w.set_now(stop(n) + 60);
        let in_order: String = (0..n).map(|i| line(i, KNOWN, stop(i), 1_000 + i)).collect();
        assert_eq!(w.cdr("in order", &in_order).loaded, n);
        batches(&w);
        // Two files, the later half first, each backwards, with repetitions and a conflict between the two.
        let late = |i: i64| line(10_000_000 + i, LATE, stop(i), 1_000 + i);
        let second: String = (n / 2..n).rev().map(late).collect();
        let first: String = (0..n / 2).rev().map(late).collect();
        let conflict = line(10_000_000 + n - 1, LATE, stop(n - 1), 7);
        let orphans = w.cdr("second", &second);
        assert_eq!((orphans.orphan, orphans.loaded), (n - n / 2, 0));
        assert_eq!(w.cdr("first", &format!("{first}{}{conflict}", late(5))).orphan, n / 2 + 1);

        w.add_cards(ACME, LATE..LATE + 1);
        assert_eq!(readings(&w, LATE), LINES_AT_ONCE, "one transaction takes no more");
        let rest = w.engine.read(|tx, _| Ok(tx.orphans_waiting()?)).unwrap();
        assert_eq!(import::adopt_stragglers(&w.engine).unwrap() as i64, rest);
        assert_eq!((import::adopt_stragglers(&w.engine).unwrap(), rest), (0, n + 1 - LINES_AT_ONCE));
        assert_eq!(shape(&w, KNOWN), shape(&w, LATE));
        // Two files with some days each, the first of them in two transactions: not a batch a line.
        let made = batches(&w);
        assert!(made <= 12, "{made} batches");

        w.pass(1);
        for card in [KNOWN, LATE] {
            w.buy(card, "Q100-30D", &format!("after-{card}")).unwrap();
            let now = w.now().0;
            w.cdr(&format!("new {card}"), &line(90_000_000 + card as i64, card, now, 40 * MB));
        }
        assert_eq!(shape(&w, KNOWN), shape(&w, LATE));
        w.assert_sound();
    });
}

#[test]
fn a_record_whose_key_is_known_is_a_duplicate_only_if_all_of_it_is_and_a_conflict_says_what_differs() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.set_now(stop(3) + 60);
        let known = line(1, 0, stop(1), 10);
        let fields: Vec<&str> = known.trim_end().split(',').collect();
        let other = |changes: &[(usize, &str)]| {
            let mut fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
            changes.iter().for_each(|(i, text)| fields[*i] = (*text).to_owned());
            fields.join(",") + "\n"
        };
        let card = World::iccid(1);
        let cases = [
            (other(&[(3, card.as_str())]), format!("card {}, here {card}", World::iccid(0))),
            (other(&[(4, "460009999999999")]), "IMSI none, here 460009999999999".to_owned()),
            (other(&[(6, "867530912345678")]), format!("IMEI {}, here 867530912345678", fields[6])),
            (other(&[(7, "31026")]), "network 46000, here 31026".to_owned()),
            (other(&[(5, "11"), (7, "")]), "10 bytes, here 11; network 46000, here none".to_owned()),
        ];
        w.cdr("known", &known);
        let said = |differs: &str| format!("id 1 is known that day with other content: {differs}");
        // By an earlier file, and that also where a line of the same one before it, or behind it, says as much.
        for (n, (text, differs)) in cases.iter().enumerate() {
            for (name, first, last) in [("later", "", ""), ("behind", known.as_str(), ""), ("before", "", known.as_str())] {
                let name = format!("{name} {n}");
                let report = w.cdr(&name, &format!("{first}{text}{last}"));
                let asides = w.engine.read(move |tx, _| Ok(tx.asides_of_file(report.file, 10)?)).unwrap();
                let told: Vec<&str> = asides.iter().map(|a| a.2.as_str()).collect();
                assert_eq!(told, [said(differs)], "{name}");
                assert_eq!((report.loaded, report.duplicate, report.bad), (0, i64::from(first != last), 1), "{name}");
            }
        }
        w.assert_sound();
    });
}

#[test]
fn lines_that_waited_too_long_or_contradict_keep_their_line_number() {
    each(|store| {
        let w = World::new(store);
        w.set_now(stop(3) + 60);
        let lines = [line(1, 5, stop(1), 10), line(2, 5, stop(2), 20)].concat();
        let file = w.cdr("before", &lines).file;
        w.set_now(stop(2) + 36 * 86_400);
        w.cdr("other content", &line(2, 5, stop(2) + 35 * 86_400, 20));
        w.add_cards(ACME, 5..6);
        let asides = w.engine.read(move |tx, _| Ok(tx.asides_of_file(file, 10)?)).unwrap();
        let late: Vec<(i64, &str)> = asides.iter().filter(|a| a.1 != "orphan").map(|a| (a.0, a.1.as_str())).collect();
        assert_eq!(late, [(1, "late"), (2, "late")]);
        assert_eq!(w.card(5).sim.account, ACME);
        w.assert_sound();
    });
}

#[test]
fn many_cards_that_appear_together_get_their_usage_together() {
    each(|store| {
        let w = World::new(store);
        w.set_now(stop(10) + 60);
        let lines: String = (0..100).flat_map(|card| (0..3).map(move |i| line(card * 10 + i, card as u64, stop(i), 5))).collect();
        w.cdr("all", &lines);
        let product = w.engine.catalogue().unwrap().product_by_code("1US-1").unwrap().id;
        let put = w.engine.write(move |tx, catalogue, how| {
            let mut arrivals = sims::Arrivals::default();
            for n in 0..100 {
                arrivals.put(tx, catalogue, how, &sims::blank(&World::iccid(n), AccountId(1), product))?;
            }
            arrivals.settle(tx, catalogue, how)
        });
        put.unwrap();
        assert!((0..100).all(|card| w.card(card).as_of == Some(Timestamp(stop(2)))));
        assert_eq!(batches(&w), 1, "of one file and day");
        w.assert_sound();
    });
}

#[test]
fn a_card_of_another_platform_is_not_known_to_this_one() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 5..6);
        w.set_now(stop(3) + 60);
        let other = w.engine.catalogue().unwrap().platform_by_code("play").unwrap().id;
        let lines = [line(1, 5, stop(1), 1_000), line(2, 5, stop(2), 20)].concat();
        let taken = |platform, name: &str, lines: &str| {
            let mut file = std::io::Cursor::new(lines.as_bytes().to_vec());
            let report = import::import(&w.engine, platform, name, &mut file, &mut |_| {}).unwrap();
            (report.loaded, report.orphan)
        };
        assert_eq!(taken(other, "there first", &lines), (0, 2));
        assert_eq!(taken(w.platform(), "own", &lines), (2, 0));
        assert_eq!(taken(other, "with other bytes", &line(3, 5, stop(2), 7)), (0, 1));
        assert_eq!(import::adopt_stragglers(&w.engine).unwrap(), 0, "they wait for a card there");
        assert_eq!(readings(&w, 5), 2);
        w.assert_sound();
    });
}

#[test]
fn a_line_ahead_of_the_clock_is_rated_when_its_time_has_come() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, KNOWN..KNOWN + 1);
        w.set_now(stop(1));
        let ahead = [line(1, KNOWN, stop(1), 10), line(2, KNOWN, stop(20), 200), line(3, KNOWN, stop(30), 3_000)].concat();
        let report = w.cdr("ahead", &ahead);
        assert_eq!((report.loaded, report.bad), (1, 2));
        let open = |fate: &'static str| {
            let rows = w.engine.read(move |tx, _| Ok(tx.asides(Some(fate), 10)?)).unwrap();
            rows.into_iter().map(|(file, line, ..)| (file, line)).collect::<Vec<_>>()
        };
        assert_eq!(open("ahead"), [("ahead".to_owned(), 3), ("ahead".to_owned(), 2)]);
        assert_eq!(import::adopt_due(&w.engine).unwrap(), 0, "it is not its time");
        w.set_now(stop(20) - AHEAD_SECONDS_MAX);
        assert_eq!((import::adopt_due(&w.engine).unwrap(), readings(&w, KNOWN)), (1, 2));
        assert_eq!(open("ahead"), [("ahead".to_owned(), 3)]);
        assert_eq!(w.cdr("once more", &line(2, KNOWN, stop(20), 200)).duplicate, 1);
        // Nobody looked until it was too late to be rated.
        w.set_now(stop(30) + 36 * 86_400);
        assert_eq!((import::adopt_due(&w.engine).unwrap(), readings(&w, KNOWN)), (1, 2));
        assert_eq!((open("ahead"), open("late")), (Vec::new(), vec![("ahead".to_owned(), 3)]));
        assert_eq!(import::adopt_due(&w.engine).unwrap(), 0);
        w.assert_sound();
    });
}
