//! Watched folders: what is taken in is kept, whatever it is called. On both engines.

use kachi_edges::files::Watched;
use kachi_engine::Settings;
use kachi_store::Place;
use kachi_store::db::execute_in;
use kachi_store::files::CdrFile;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, World, line};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, SystemTime};

#[test]
fn a_file_that_was_taken_in_is_never_written_over() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.set_now(BEGIN + 3600);
        let folder = tempfile::tempdir().unwrap();
        let mut watched = Watched::new(folder.path().to_owned(), w.platform());
        let mut lay = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            // It is taken once it has not grown between two looks.
            [watched.look(&w.engine), watched.look(&w.engine)]
        };
        let texts = [line(1, 0, BEGIN, BEGIN + 60, 5), line(2, 0, BEGIN, BEGIN + 90, 7)];
        let laid = [("cdr.csv", 0), ("cdr.csv", 1), ("cdr.csv", 0), ("cdr.csv", 0), ("bare", 0), ("bare", 1), ("cdr.tar.csv", 1)];
        for (name, text) in laid {
            assert_eq!(lay(name, &texts[text]), [0, 1], "{name}");
        }
        let kept: BTreeSet<(String, String)> = std::fs::read_dir(folder.path().join("imported"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).unwrap()))
            .collect();
        let wanted = [
            ("cdr.csv", 0),
            ("cdr.2.csv", 1),
            ("cdr.1.csv", 0),
            ("cdr.1.2.csv", 0),
            ("bare", 0),
            ("bare.2", 1),
            ("cdr.tar.csv", 1),
        ];
        assert_eq!(kept, wanted.map(|(name, text)| (name.to_owned(), texts[text].clone())).into());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left but `imported`");
        w.assert_sound();
    });
}

#[test]
fn what_is_written_after_a_pause_is_taken_in_and_bad_lines_lie_beside_the_moved_file() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.set_now(BEGIN + 3600);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cdr.csv");
        let lines: Vec<String> = (0..8).map(|n| line(n + 1, 0, BEGIN + n, BEGIN + n + 1, 5)).collect();
        // The writer pauses in the middle of a line, and keeps the file open.
        let (half, rest) = lines[6].split_at(20);
        let mut writer = std::fs::File::create(&path).unwrap();
        writer.write_all((lines[..6].concat() + half).as_bytes()).unwrap();
        let mut watched = Watched::new(folder.path().to_owned(), w.platform());
        assert_eq!([watched.look(&w.engine), watched.look(&w.engine)], [0, 1]);
        let moved = folder.path().join("imported/cdr.csv");
        let bad = folder.path().join("imported/cdr.csv.bad.csv");
        let told = std::fs::read_to_string(&bad).expect("the bad lines");
        assert!(told.starts_with("line,fate,reason,text\n7,bad,") && told.ends_with(&format!("\"{half}\"\n")), "{told}");
        for _ in 0..10 {
            assert_eq!(watched.look(&w.engine), 0, "nothing came");
        }
        writer.write_all(rest.as_bytes()).unwrap();
        assert_eq!(watched.look(&w.engine), 0, "it grew since the last look");
        writer.write_all(lines[7].as_bytes()).unwrap();
        let looks = [(); 3].map(|()| watched.look(&w.engine));
        assert_eq!(looks, [0, 1, 0], "it has stopped growing");
        let mark = w.engine.read(|tx, _| Ok(tx.cdr_file(2)?)).unwrap();
        assert_eq!((mark.done, mark.loaded, mark.duplicate, mark.bad), (true, 2, 6, 0));
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), lines.concat());
        assert!(!bad.exists(), "no line of it is bad any more");
        // A file that somebody took away is not missed.
        std::fs::remove_file(&moved).unwrap();
        assert_eq!(watched.look(&w.engine), 0);
        w.assert_sound();
    });
}

#[test]
fn what_came_to_a_moved_file_around_a_restart_is_taken_in() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.set_now(BEGIN + 7200);
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> = (0..5).map(|n| line(n + 1, 0, BEGIN + n, BEGIN + n + 1, 5)).collect();
        let start = || Watched::new(folder.path().to_owned(), w.platform());
        for (name, text) in [("old.csv", &lines[0]), ("young.csv", &lines[1])] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut watched = start();
        assert_eq!([(); 3].map(|()| watched.look(&w.engine)), [0, 2, 0]);
        let write_on = |name: &str, text: &str, at: i64| {
            let mut file = std::fs::File::options().append(true).open(folder.path().join("imported").join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at.unsigned_abs())).unwrap();
        };
        // While nobody looks.
        drop(watched);
        write_on("young.csv", &lines[2], BEGIN + 3600);
        write_on("old.csv", &lines[3], BEGIN + 3599);
        std::fs::File::create(folder.path().join("imported/empty.csv")).unwrap();
        let mut watched = start();
        assert_eq!([(); 4].map(|()| watched.look(&w.engine)), [0, 1, 0, 0]);
        let mark = w.engine.read(|tx, _| Ok(tx.cdr_file(3)?)).unwrap();
        assert_eq!((mark.done, mark.loaded, mark.duplicate), (true, 1, 1), "the young one as it is now");
        // Known as it is at the next start, and looked at from then on.
        let mut watched = start();
        assert_eq!([(); 3].map(|()| watched.look(&w.engine)), [0, 0, 0]);
        write_on("young.csv", &lines[4], BEGIN + 7200);
        assert_eq!([(); 3].map(|()| watched.look(&w.engine)), [0, 1, 0]);
        // PostgreSQL gives no number twice, also where the content was known.
        let mark = (4..7).find_map(|file| w.engine.read(|tx, _| Ok(tx.cdr_file(file)?)).ok()).unwrap();
        assert_eq!((mark.done, mark.loaded, mark.duplicate), (true, 1, 2));
        w.assert_sound();
    });
}

/// Moves the mark of a file whenever it is loaded further, as another worker does who has it in hand.
const HOLDER: [&str; 2] = [
    "CREATE TRIGGER holder AFTER UPDATE OF lines ON cdr_file BEGIN UPDATE cdr_file SET rounds = rounds + 1 WHERE id = NEW.id; END",
    "CREATE FUNCTION moves() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN NEW.rounds = NEW.rounds + 1; RETURN NEW; END';
     CREATE TRIGGER holder BEFORE UPDATE OF lines ON cdr_file FOR EACH ROW EXECUTE FUNCTION moves()",
];

#[test]
fn a_file_that_another_worker_has_in_hand_is_left_to_it_until_it_stands_still() {
    const LINES: i64 = 40;
    each(|store| {
        let w = World::with(store.clone(), Settings { import_rows: 1, ..Settings::default() });
        w.add_cards(ACME, 0..1);
        w.set_now(BEGIN + 3600);
        let is_postgres = matches!(store.place(), Place::Postgres(_));
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..LINES).map(|n| line(n + 1, 0, BEGIN + n, BEGIN + n + 1, 5)).collect();
        std::fs::write(folder.path().join("cdr.csv"), text).unwrap();
        let mut watched = Watched::new(folder.path().to_owned(), w.platform());
        execute_in(store.place(), HOLDER[usize::from(is_postgres)]).unwrap();
        assert_eq!([watched.look(&w.engine), watched.look(&w.engine)], [0, 0]);
        let drop = if is_postgres { "DROP TRIGGER holder ON cdr_file" } else { "DROP TRIGGER holder" };
        execute_in(store.place(), drop).unwrap();
        let mark = || w.engine.read(|tx, _| Ok(tx.cdr_file(1)?)).unwrap();
        assert!(!mark().done && (1..LINES).contains(&mark().loaded), "{:?}", mark());
        for _ in 0..3 {
            let before = mark();
            let moved = CdrFile { duplicate: before.duplicate + 1, ..before };
            let mark_of_holder = moved.clone();
            w.engine.write(move |tx, _, how| Ok(tx.advance_file(&mark_of_holder, how.now)?)).unwrap();
            assert_eq!(watched.look(&w.engine), 0, "the other gets on");
            w.pass(59);
            assert_eq!(watched.look(&w.engine), 0, "it got on 59 seconds ago");
            assert_eq!(mark(), moved, "nobody else moves the file meanwhile");
        }
        w.pass(1);
        assert_eq!(watched.look(&w.engine), 1, "limits.lease_seconds are over");
        assert!(mark().done && mark().loaded == LINES, "{:?}", mark());
        assert!(folder.path().join("imported/cdr.csv").exists());
        w.assert_sound();
    });
}
