//! Watched folders: what is taken in is kept, whatever it is called. On both engines.

use kachi_edges::files::Watched;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, World, line};
use std::collections::BTreeSet;

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
