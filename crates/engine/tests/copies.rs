//! A copy of a database, and a database out of it, hold the same to the letter, from each engine to each.

use kachi_engine::Settings;
use kachi_store::db::{Named, execute_in};
use kachi_store::{RestoreError, Store, restore};
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, MB, World, line};

/// More than a float can tell from its neighbours.
const LARGE: i64 = (1 << 53) + 1;
const STRANGE: &str = r#"a ''quote'', "two", \back\slash, \n and \\x00, {"json": null}, 卡池 🐟, a
line, a	tab and a?mark"#;

/// A row in every table, with a value in every column that other ways of writing it might spoil.
fn add_strange_rows(store: &Store) {
    let bytes = match store.place() {
        kachi_store::Place::File(_) => "x'00ff5c27'",
        kachi_store::Place::Postgres(_) => r"'\x00ff5c27'",
    };
    let value = |c: &Named| match (c.text, c.bytes) {
        (true, _) => format!("'{STRANGE}'"),
        (_, true) => bytes.to_owned(),
        _ => LARGE.to_string(),
    };
    let tables = store.read(|tx| tx.tables()).expect("tables");
    for table in tables.iter().filter(|t| *t != "schema_step") {
        let columns = store.read(|tx| tx.columns(table)).expect("columns");
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let values: Vec<String> = columns.iter().map(value).collect();
        let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
        execute_in(store.place(), &insert).unwrap_or_else(|e| panic!("{table}: {e}"));
    }
}

#[test]
fn a_copy_holds_every_row_of_every_table_to_the_letter_on_whichever_engine() {
    each(|store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..1_500);
        add_strange_rows(&store);
        let all = store.read(|tx| tx.dump()).expect("every row");
        assert!(all.values().all(|rows| !rows.is_empty()), "no table is empty");
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy.db");
        store.copy_to(&copy).expect("copied");
        let left: Vec<_> = folder.path().read_dir().expect("a folder").map(|f| f.expect("a file").file_name()).collect();
        assert_eq!(left, ["copy.db"], "the one file is all of it");
        let before = std::fs::read(&copy).expect("a file");
        for target in [Database::sqlite(), Database::postgres()] {
            restore(&target.place, &copy, &folder.path().join("scratch"), |_| Ok(())).expect("restored");
            assert_eq!(target.open().read(|tx| tx.dump()).expect("every row"), all, "in {}", target.place);
            let again = restore(&target.place, &copy, &folder.path().join("scratch"), |_| Ok(()));
            assert!(matches!(again, Err(RestoreError::Taken(_))), "nothing is written over: {again:?}");
        }
        assert!(std::fs::read(&copy).expect("a file") == before, "the copy stays as it is");
    });
}

#[test]
fn a_database_out_of_a_copy_goes_on_where_the_copy_was_made() {
    each(|store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..3);
        let bought = w.buy(0, "TOP20-5D", "before").expect("bought");
        w.cdr("one.csv", &line(1, 0, BEGIN, BEGIN + 60, 3 * MB));
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy.db");
        store.copy_to(&copy).expect("copied");
        for target in [Database::sqlite(), Database::postgres()] {
            restore(&target.place, &copy, &folder.path().join("scratch"), |_| Ok(())).expect("restored");
            let again = World::open(target.open(), Settings::default());
            assert_eq!(again.balance(ACME), w.balance(ACME));
            assert!(again.buy(1, "TOP20-5D", "before").is_err(), "the number has bought already");
            let next = again.buy(1, "TOP20-5D", "after").expect("bought");
            assert!(next.order > bought.order, "numbers go on: {} after {}", next.order, bought.order);
            again.cdr("two.csv", &line(2, 1, BEGIN, BEGIN + 60, MB));
            again.assert_sound();
        }
    });
}

#[test]
fn what_is_no_copy_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "accounts: []").expect("a file");
    std::fs::write(at("empty"), "").expect("a file");
    for target in [Database::sqlite(), Database::postgres()] {
        for (name, words) in [("text", "not a database"), ("empty", "other tables"), ("missing", "No such file")] {
            match restore(&target.place, &at(name), &at("scratch"), |_| Ok(())) {
                Err(RestoreError::Copy(told)) => assert!(told.contains(words) && told.contains(name), "{told}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(!target.place.is_made().expect("asked"), "nothing was made at {}", target.place);
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 2, "nothing is left beside");
    }
}
