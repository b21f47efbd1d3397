//! A file is loaded first and rated afterwards, some cards at a time: wherever that is cut, the answer is that of one
//! transaction. On both engines.

use kachi_engine::import::Watch;
use kachi_engine::stock::{self, Key};
use kachi_engine::{Fail, Settings, import};
use kachi_store::Store;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, World, line};
use std::io::{Cursor, Read, Seek, SeekFrom};

const CARDS: u64 = 9;
const LINES: i64 = 60;

/// A file that can be read only so far after it was looked at once as a whole.
struct Torn {
    content: Cursor<Vec<u8>>,
    good_bytes: u64,
    looks: u32,
}

impl Read for Torn {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.looks > 2 && self.content.position() >= self.good_bytes {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let most = if self.looks > 2 { out.len().min((self.good_bytes - self.content.position()) as usize) } else { out.len() };
        self.content.read(&mut out[..most])
    }
}

impl Seek for Torn {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.looks += 1;
        self.content.seek(to)
    }
}

fn settings(import_rows: usize, rate_rows: usize) -> Settings {
    Settings { import_rows, rate_rows, ..Settings::default() }
}

fn lines(now: i64) -> String {
    (0..LINES).map(|n| line(n + 1, n as u64 * 7 % CARDS, now - 3_000 + n * 40, now - 2_990 + n * 40, MB * (n % 5 + 1))).collect()
}

/// Cards with a package each, some of which the traffic uses up. Every third has a record that is later than all of the
/// file's, so that its history must be told again while the file is rated.
fn begin(store: &Store, settings: Settings) -> World {
    let now = World::new(store.clone()).now();
    let w = World::open(store.clone(), settings);
    w.set_now(now.0);
    w.add_cards(ACME, 0..CARDS);
    for card in 0..CARDS {
        w.buy(card, if card % 2 == 0 { "Q100-30D" } else { "TOP20-5D" }, &format!("o{card}")).unwrap();
    }
    w.pass(3_600);
    let now = w.now().0;
    let later: String = (0..CARDS).step_by(3).map(|n| line(9_000 + n as i64, n, now - 100, now - 90, 1)).collect();
    w.cdr("later", &later);
    w
}

fn shape(w: &World) -> Vec<String> {
    let card = |n| {
        let c = w.card(n);
        format!("{:?} {} {:?}", c.state.live, c.state.outflow_bytes, c.blocks().names())
    };
    let days = w.engine.read(|tx, catalogue| {
        let sees = catalogue.account(ACME).map(|a| a.sees.clone()).unwrap_or_default();
        Ok(tx.usage_by_day(&sees, 0)?)
    });
    (0..CARDS).map(card).chain([format!("{:?}", days.unwrap())]).collect()
}

#[test]
fn any_size_of_stretch_and_round_gives_the_same_cards() {
    each(|store| {
        let mut wanted: Option<Vec<String>> = None;
        for (import_rows, rate_rows) in [(1_000, 1_000), (7, 1_000), (7, 20), (1, 1), (10, 60)] {
            let database = kachi_testkit::db::Database::like(&store);
            let w = begin(&database.open(), settings(import_rows, rate_rows));
            let report = w.cdr("all", &lines(w.now().0));
            assert_eq!((report.loaded, report.bad), (LINES, 0));
            w.assert_sound();
            let found = shape(&w);
            assert_eq!(wanted.get_or_insert_with(|| found.clone()), &found, "stretches of {import_rows}, rounds of {rate_rows}");
        }
    });
}

#[test]
fn a_file_that_breaks_off_goes_on_at_its_marks() {
    each(|store| {
        let whole = kachi_testkit::db::Database::like(&store);
        let reference = begin(&whole.open(), Settings::default());
        let content = lines(reference.now().0);
        reference.cdr("all", &content);
        for (at, part) in [(1_100, 20), (2_300, 1_000), (5_000, 15)] {
            let database = kachi_testkit::db::Database::like(&store);
            let w = begin(&database.open(), settings(5, part));
            let mut torn = Torn { content: Cursor::new(content.clone().into_bytes()), good_bytes: at, looks: 0 };
            let broken = import::import(&w.engine, w.platform(), "all", &mut torn, &mut |_| {});
            assert!(broken.is_err(), "{broken:?}");
            // What is loaded and not rated is in no answer, and the audit says how much that is.
            let audit = kachi_engine::audit::audit(&w.engine).unwrap();
            assert!(audit.clean && audit.readings > 0, "{audit:?}");
            let report = w.cdr("all", &content);
            assert_eq!((report.loaded, report.duplicate, report.known), (LINES, 0, false));
            assert_eq!(shape(&w), shape(&reference));
            assert!(w.cdr("all", &content).known);
            w.assert_sound();
        }
    });
}

#[test]
fn what_an_importer_left_loaded_is_rated_without_it() {
    each(|store| {
        let w = begin(&store, settings(5, 1_000));
        let content = lines(w.now().0);
        let mut torn = Torn { content: Cursor::new(content.clone().into_bytes()), good_bytes: 3_000, looks: 0 };
        import::import(&w.engine, w.platform(), "all", &mut torn, &mut |_| {}).unwrap_err();
        let before = kachi_engine::audit::audit(&w.engine).unwrap();
        assert!(before.clean && before.unrated > 0 && before.unrated + 3 == before.readings, "{before:?}");
        assert_eq!(import::finish_left(&w.engine).unwrap(), 0, "it may still come back");
        w.pass(601);
        assert_eq!(import::finish_left(&w.engine).unwrap(), 1);
        assert_eq!(import::finish_left(&w.engine).unwrap(), 0);
        let after = kachi_engine::audit::audit(&w.engine).unwrap();
        assert!(after.clean && after.unrated == 0 && after.readings == before.readings, "{after:?}");
        // A late record for a card tells its history again: what was rated in parts is in it once.
        w.cdr("late", &line(999, 0, w.now().0 - 9_000, w.now().0 - 8_990, MB));
        let report = w.cdr("all", &content);
        assert_eq!(report.loaded, LINES);
        w.assert_sound();
    });
}

/// A file during whose reading, after it was looked at for what waits, something else happens once.
struct Interrupted<F: FnOnce()> {
    content: Cursor<Vec<u8>>,
    looks: u32,
    meanwhile: Option<F>,
}

impl<F: FnOnce()> Read for Interrupted<F> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.looks > 2
            && let Some(meanwhile) = self.meanwhile.take()
        {
            meanwhile();
        }
        self.content.read(out)
    }
}

impl<F: FnOnce()> Seek for Interrupted<F> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.looks += 1;
        self.content.seek(to)
    }
}

#[test]
fn a_file_that_was_left_holds_up_taking_cards_out_for_a_while_only() {
    each(|store| {
        let w = begin(&store, settings(5, 1_000));
        w.add_cards(ACME, 50..51);
        let take_out = || {
            let (actor, key) = (w.actor(ACME), [Key::Iccid(World::iccid(50))]);
            w.engine.write(move |tx, _, how| stock::delete(tx, how, &actor, &key))
        };
        let content = format!("{}{}", lines(w.now().0), line(8_000, 50, w.now().0 - 60, w.now().0 - 30, 5));
        let mut torn = Torn { content: Cursor::new(content.clone().into_bytes()), good_bytes: 3_000, looks: 0 };
        import::import(&w.engine, w.platform(), "all", &mut torn, &mut |_| {}).unwrap_err();
        let refused = take_out().unwrap_err().to_string();
        assert!(refused.contains("less than 10 minutes ago"), "{refused}");
        w.pass(601);
        assert!(take_out().is_err(), "what it loaded is not rated yet");
        assert_eq!(import::finish_left(&w.engine).unwrap(), 1);
        w.pass(601);
        // An importer that was only asleep has looked the card up before: it must not go on with that.
        let slept = || {
            w.pass(601);
            assert_eq!(take_out().unwrap(), 1);
        };
        let mut asleep = Interrupted { content: Cursor::new(content.clone().into_bytes()), looks: 0, meanwhile: Some(slept) };
        let second = import::import(&w.engine, w.platform(), "all", &mut asleep, &mut |_| {});
        assert!(second.is_err(), "its file was moved under its hands: {second:?}");
        let report = w.cdr("all", &content);
        assert_eq!((report.loaded, report.orphan), (LINES, 1));
        w.assert_sound();
    });
}

#[test]
fn what_another_worker_rates_meanwhile_is_not_rated_again() {
    each(|store| {
        let w = begin(&store, settings(5, 1_000));
        let content = lines(w.now().0);
        let mut torn = Torn { content: Cursor::new(content.clone().into_bytes()), good_bytes: 3_000, looks: 0 };
        import::import(&w.engine, w.platform(), "all", &mut torn, &mut |_| {}).unwrap_err();
        let rate = || {
            w.pass(601);
            assert_eq!(import::finish_left(&w.engine).unwrap(), 1);
        };
        let mut content_again =
            Interrupted { content: Cursor::new(content.clone().into_bytes()), looks: 0, meanwhile: Some(rate) };
        let second = import::import(&w.engine, w.platform(), "all", &mut content_again, &mut |_| {});
        assert!(matches!(second, Err(Fail::InHand { .. })), "its file was moved under its hands: {second:?}");
        w.assert_sound();
        assert_eq!(w.cdr("all", &content).loaded, LINES);
        w.assert_sound();
    });
}

#[test]
fn who_waits_for_a_file_is_told_when_the_other_is_done_or_does_not_get_on() {
    each(|store| {
        let w = begin(&store, settings(5, 1_000));
        let content = lines(w.now().0);
        let take_up_to = |good_bytes: u64| {
            let mut torn = Torn { content: Cursor::new(content.clone().into_bytes()), good_bytes, looks: 0 };
            import::import(&w.engine, w.platform(), "all", &mut torn, &mut |_| {}).unwrap_err();
        };
        take_up_to(1_500);
        let mut watch = Watch::begin(&w.engine, 2).unwrap(); // the world has taken in one before
        w.pass(59);
        assert!(!watch.is_free(&w.engine).unwrap());
        take_up_to(3_000);
        assert!(!watch.is_free(&w.engine).unwrap());
        w.pass(59);
        assert!(!watch.is_free(&w.engine).unwrap(), "it got on 59 seconds ago");
        w.pass(1);
        assert!(watch.is_free(&w.engine).unwrap(), "limits.lease_seconds are over");
        let mut watch = Watch::begin(&w.engine, 2).unwrap();
        assert!(!watch.is_free(&w.engine).unwrap());
        w.cdr("all", &content);
        assert!(watch.is_free(&w.engine).unwrap(), "it is done");
        assert!(w.cdr("all", &content).known);
        w.assert_sound();
    });
}

/// Days that are new come in another way than those that are known, where they are many.
#[test]
fn days_are_added_up_whether_they_were_known_or_not() {
    each(|store| {
        const MANY: u64 = 80;
        let w = World::new(store);
        w.add_cards(ACME, 0..MANY);
        let day = w.now().0 / 86_400 - 3;
        let file = |first: i64, days: &[i64], bytes: i64| -> String {
            let at = |d: i64, n: u64| (day + d) * 86_400 + 3_600 + n as i64;
            let line = |d: i64, n: u64| line(first + d * MANY as i64 + n as i64, n, at(d, n), at(d, n) + 10, bytes);
            days.iter().flat_map(|d| (0..MANY).map(move |n| line(*d, n))).collect()
        };
        w.cdr("the first day", &file(1, &[0], 3));
        w.cdr("that day again, and the next", &file(10_000, &[0, 1], 5));
        w.cdr("a day that only some have", &line(50_000, 0, (day + 2) * 86_400, (day + 2) * 86_400 + 1, 7));
        w.cdr("all three", &file(60_000, &[0, 1, 2], 11));
        let days = w.engine.read(|tx, catalogue| {
            let sees = catalogue.account(ACME).map(|a| a.sees.clone()).unwrap_or_default();
            Ok(tx.usage_by_day(&sees, 0)?)
        });
        let many = MANY as i64;
        assert_eq!(days.unwrap(), [(day, 19 * many), (day + 1, 16 * many), (day + 2, 11 * many + 7)]);
        w.assert_sound();
    });
}
