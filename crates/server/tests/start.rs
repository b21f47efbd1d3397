//! What the program says when it is started in the wrong place, or cannot start. On both engines where they differ.

mod common;

use common::{Done, House, finished};
use kachi_store::Place;
use kachi_testkit::db::Database;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// `kachi` with these words in a folder.
fn kachi(folder: &Path, words: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
    command.args(words).current_dir(folder);
    command.env("KACHI_LISTEN__CARDBOSS_DATA", "127.0.0.1:0").env("KACHI_LISTEN__CARDBOSS_DIRECT", "127.0.0.1:0");
    finished(&mut command)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").next().is_none()
}

/// Verbs that only ask or mend.
const ASKING: [&[&str]; 7] = [
    &["admin", "audit"],
    &["admin", "user", "list"],
    &["admin", "intent", "confirm", "1"],
    &["admin", "sim", "show", "89860012345678901234"],
    &["admin", "orphan", "list"],
    &["admin", "aside", "list"],
    &["admin", "doctor"],
];

#[test]
fn nobody_who_only_asks_makes_a_database() {
    let folder = TempDir::new().expect("a folder");
    for words in ASKING {
        let done = kachi(folder.path(), &[&["--data-dir", "elsewhere"], words].concat());
        let all = format!("{}{}", done.out, done.err);
        let wanted = "database.url: there is no database of Kachi's at elsewhere/kachi.db: name its folder with --data-dir";
        assert!(all.contains(wanted) && done.code == if words[1] == "doctor" { 1 } else { 3 }, "{words:?}: {done:?}");
    }
    let missing = kachi(folder.path(), &["apply", "nofile.yaml"]);
    assert!(missing.code == 1 && missing.err.contains("nofile.yaml: cannot be read ("), "{missing:?}");
    for kind in ["cdr", "sims"] {
        assert_eq!(kachi(folder.path(), &["import", kind, "nofile.csv", "--platform", "hand"]).code, 1);
    }
    assert!(is_empty(folder.path()), "nothing was made");

    let database = Database::postgres();
    for words in ASKING {
        let done = kachi(folder.path(), &[&["--database-url", database.url().as_str()], words].concat());
        let all = format!("{}{}", done.out, done.err);
        assert!(all.contains("database.url: there is no database of Kachi's at postgres://"), "{words:?}: {done:?}");
    }
    assert!(!database.place.is_made().expect("it is reached"), "no table was made");
    assert_eq!(kachi(folder.path(), &["--database-url", &database.url(), "migrate"]).code, 0);
    assert_eq!(kachi(folder.path(), &["--database-url", &database.url(), "admin", "audit"]).code, 0);
    assert_eq!(kachi(folder.path(), &["migrate"]).code, 0);
    assert_eq!(kachi(folder.path(), &["admin", "audit"]).code, 0);
}

#[test]
fn a_database_that_takes_no_writes_is_told() {
    let (folder, database) = (TempDir::new().expect("a folder"), Database::postgres());
    let url = database.url();
    assert_eq!(kachi(folder.path(), &["--database-url", &url, "migrate"]).code, 0);
    let doctor = || kachi(folder.path(), &["--database-url", &url, "admin", "doctor"]);
    assert!(doctor().code == 0 && doctor().out.contains("takes what is written"), "{:?}", doctor());
    let store = database.open();
    store.check().expect("it takes writes");

    // So are all transactions of a standby.
    let name = url.split('?').next().and_then(|address| address.rsplit('/').next()).expect("a name");
    for text in [
        format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        kachi_store::db::execute(&kachi_testkit::db::postgres_url(), &text).expect("it is done");
    }
    let words: Vec<String> = (0..20).filter_map(|_| store.check().err().map(|e| e.to_string())).collect();
    assert!(words.len() == 20 && words[19].contains("PostgreSQL takes no writes (transaction_read_only is on)"), "{words:?}");
    let found = doctor();
    assert!(found.code == 1 && found.out.contains(&words[19]), "in one voice: {found:?}");
}

#[test]
fn a_database_that_cannot_be_opened_is_named_with_what_is_to_be_done() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("letter.db"), "dear sirs, this is no database at all".repeat(40)).expect("a file");
    let newer = Database::sqlite();
    drop(newer.open());
    kachi_store::db::execute_in(&newer.place, "INSERT INTO schema_step VALUES (9999)").expect("a step");
    let others = [Database::sqlite(), Database::postgres()];
    others.iter().for_each(|d| kachi_store::db::execute_in(&d.place, "CREATE TABLE account (n BIGINT)").expect("a table"));
    let server = Database::postgres();
    let Place::Postgres(server) = &server.place else { panic!("a PostgreSQL") };
    let (_, host) = server.rsplit_once('@').expect("a user and a host");
    let host = host.split('/').next().unwrap_or_default();
    let table = [
        ("sqlite:letter.db".to_owned(), "letter.db: ", "file is not a database: name another file"),
        ("sqlite:no/such/x.db".to_owned(), "no/such/x.db: ", "unable to open database file"),
        ("sqlite:no/such/x.db".to_owned(), "no/such/x.db: ", ": make its folder"),
        (newer.url(), "schema 9999 and this program knows up to ", ": use the newer program\n"),
        (others[0].url(), "table account already exists", ": these are the tables of another program: name an empty database"),
        (others[1].url(), "\"account\" already exists", ": these are the tables of another program: name an empty database"),
        (format!("postgres://nobody_here@{host}/postgres"), "postgres://nobody_here@", "(createuser)"),
        (
            format!("Postgres://postgres@{host}/no_such_db"),
            "postgres://postgres@",
            "\"no_such_db\" does not exist: make it in PostgreSQL (createdb)",
        ),
        ("postgres://u:topsecret@127.0.0.1:1/d".to_owned(), "postgres://u:***@127.0.0.1:1/d: ", ": start PostgreSQL there"),
        ("postgres://u:topsecret@no.such.host.invalid/d".to_owned(), "postgres://u:***@", ": mend the host in the address"),
        ("postgres://u:top%secret@h/d".to_owned(), "a % that stands for itself", "%25"),
        ("postgres://u:topsecret@x/y@h/d".to_owned(), "write %40", "%2F"),
        ("postgres://u:topsecret?x@h/d".to_owned(), "write %40", "%3F"),
        ("mysql://u:topsecret@h/d".to_owned(), "\"mysql://u:***@h/d\" is neither sqlite", "postgres://"),
        ("POSTGRESQL://u:topsecret@h/d?sslmode=require".to_owned(), "this build has no TLS", "sslmode=disable"),
    ];
    for (url, place, words) in table {
        let done = kachi(folder.path(), &["--database-url", &url, "migrate"]);
        assert!(done.code == 3 && done.err.starts_with("kachi: database.url: "), "{url}: {done:?}");
        assert!(done.err.contains(place) && done.err.contains(words), "{url}: {done:?}");
        assert!(done.err.lines().count() == 1 && !done.err.contains("secret"), "{url}: {done:?}");
    }
    for other in &others {
        let ours = kachi_store::db::execute_in(&other.place, "SELECT number FROM schema_step");
        assert!(ours.is_err(), "nothing of ours was left there");
    }
}

/// As a file of another owner is. The tests may run as root, who writes any file: SQLite is told to read this one only.
#[test]
fn a_database_that_can_only_be_read_is_told_before_a_server_is_ready() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(kachi(folder.path(), &["--database-url", "sqlite:t.db", "migrate"]).code, 0);
    let url = "sqlite:file:t.db?mode=ro";
    std::fs::write(folder.path().join("file:t.db?mode=ro"), "its address").expect("a file");
    let says = |all: &str| all.contains("readonly database: change its owner, or name a folder that you may write to");
    let doctor = kachi(folder.path(), &["--database-url", url, "admin", "doctor"]);
    assert!(doctor.code == 1 && says(&doctor.out), "{doctor:?}");
    let server = kachi(folder.path(), &["--database-url", url, "--listen", "127.0.0.1:0", "serve"]);
    assert!(server.code == 3 && says(&server.err) && server.err.contains("mode=ro"), "{server:?}");
    assert_eq!(kachi(folder.path(), &["--database-url", url, "admin", "account", "list"]).code, 0, "it can be read");
}

/// A server that is told to stop leaves one file behind, with all that it did; its log begins with which data it works on.
#[test]
fn what_a_server_leaves_behind_is_one_file_and_its_log_names_it() {
    let database = Database::sqlite();
    let Place::File(path) = database.place.clone() else { panic!("a file") };
    let house = House::new(database);
    let begins = |log: &str| {
        let first = log.lines().find(|line| line.contains("Kachi begins")).unwrap_or_else(|| panic!("{log}")).to_owned();
        assert!(first.contains(&format!("database={}", path.display())) && first.contains("version=\"0."), "{first}");
        log.contains("WARN kachi::serve: there was no database and a new one is made")
    };
    assert!(begins(&house.serve(&[]).stop()), "a new one is told");
    house.apply("accounts: [{code: acme, currency: USD}]");
    let server = house.serve(&[]);
    let beside = |name: &str| path.with_file_name(name).exists();
    assert!(beside("kachi.db-wal"), "the server has it open");
    assert!(!begins(&server.stop()), "it was there");
    assert!(!beside("kachi.db-wal") && !beside("kachi.db-shm"), "all is in the one file");
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::copy(&path, folder.path().join("data/kachi.db")).expect("copied alone");
    assert!(kachi(folder.path(), &["admin", "account", "list"]).out.contains("acme"));
}

/// On either engine, and from each to the other.
#[test]
fn a_copy_is_made_beside_a_server_and_becomes_a_database() {
    for (from, to) in [(Database::sqlite(), Database::postgres()), (Database::postgres(), Database::sqlite())] {
        let house = House::new(from);
        house.apply("accounts: [{code: acme, currency: USD}]");
        let server = house.serve(&[]);
        let told = house.done(&["backup", "copy.db", "--json"]).json();
        assert_eq!(told["bytes"], house.path("copy.db").metadata().expect("a file").len(), "{told}");
        let again = house.run(&["backup", "copy.db"], &[]);
        assert!(again.code == 1 && again.err.contains("FILE: copy.db is there already; name a new file"), "{again:?}");
        let nowhere = house.run(&["backup", "no/such/copy.db"], &[]);
        assert!(
            nowhere.code == 1 && nowhere.err.contains("FILE: no/such/copy.db.") && nowhere.err.contains(".part: No such file"),
            "{nowhere:?}"
        );
        // What comes after the copy is not in it.
        house.apply("accounts: [{code: later, currency: USD}]");
        server.stop();
        let taken = house.run(&["restore", "copy.db"], &[]);
        assert!(taken.code == 1 && taken.err.contains("database.url: ") && taken.err.contains(" already"), "{taken:?}");
        let url = to.url();
        let there = |words: &[&str]| kachi(&house.path(""), &[&["--database-url", url.as_str()], words].concat());
        let wrong = there(&["restore", "world.yaml"]);
        assert!(wrong.code == 1 && wrong.err.contains("name a file that `kachi backup` made"), "{wrong:?}");
        let made = there(&["restore", "copy.db"]);
        assert!(made.code == 0 && made.out.contains("made out of copy.db") && made.out.contains("clean: 0 cards"), "{made:?}");
        let accounts = there(&["admin", "account", "list"]).out;
        assert!(accounts.contains("acme") && !accounts.contains("later"), "{accounts}");
        house.write("more.yaml", "accounts: [{code: another, currency: USD}]");
        assert_eq!(there(&["apply", "more.yaml"]).code, 0, "numbers go on");
        assert_eq!(there(&["admin", "audit"]).code, 0);
    }
}

/// Where the copy would have been whole, had there been a whole database.
#[test]
fn a_copy_of_a_damaged_file_is_the_databases_fault() {
    let database = Database::sqlite();
    let Place::File(path) = database.place.clone() else { panic!("a file") };
    let house = House::new(database);
    let cards = common::sims(0..500, "acme", "P");
    house.apply(&format!(
        "accounts: [{{code: acme, currency: USD}}]\nplatforms: [{{code: hand, connector: manual}}]\nproducts: [{{code: P, platform: hand}}]\nsims:\n{cards}"
    ));
    let mut bytes = std::fs::read(&path).expect("a file");
    let last = bytes.len() - 16 * 4096;
    bytes[last..].fill(0xff);
    std::fs::write(&path, bytes).expect("damaged");
    house.done(&["admin", "account", "list"]);
    let copied = house.run(&["backup", "copy.db"], &[]);
    let words = format!("kachi: database.url: {}: ", path.display());
    assert!(copied.code == 3 && copied.err.starts_with(&words) && copied.err.contains("malformed: put a copy"), "{copied:?}");
    assert!(!house.path("copy.db").exists());
}

/// What a damaged copy holds is not known before all of it was looked at; until then nothing is made of it.
#[test]
fn a_damaged_copy_is_refused_by_its_name_and_nothing_is_left_of_it() {
    let house = House::new(Database::sqlite());
    let cards = common::sims(0..500, "acme", "P");
    house.apply(&format!(
        "accounts: [{{code: acme, currency: USD}}]\nplatforms: [{{code: hand, connector: manual}}]\nproducts: [{{code: P, platform: hand}}]\nsims:\n{cards}"
    ));
    house.done(&["backup", "copy.db"]);
    let copy = std::fs::read(house.path("copy.db")).expect("a file");
    let card = common::iccid(250);
    let at = copy.windows(card.len()).position(|part| part == card.as_bytes()).expect("the card");
    let mut zeroed = copy.clone();
    zeroed[at..at + 200].fill(0);
    let change = |text: &str| {
        let path = house.path("changed.db");
        std::fs::write(&path, &copy).expect("a file");
        kachi_store::db::execute_in(&Place::File(path.clone()), text).expect("changed");
        std::fs::read(&path).expect("a file")
    };
    let is_damaged = |to: &Database, name: &str, bytes: &[u8]| {
        std::fs::write(house.path(name), bytes).expect("a file");
        let url = to.url();
        let refused = kachi(&house.path(""), &["--database-url", &url, "--data-dir", "there", "restore", name]);
        let (begins, ends) = (format!("kachi: FILE: {name} is damaged ("), "), and nothing was made of it: take another copy\n");
        assert!(refused.code == 1 && refused.err.starts_with(&begins) && refused.err.ends_with(ends), "{refused:?}");
        assert!(refused.err.lines().count() == 1 && is_empty(&house.path("there")), "{refused:?}");
        match &to.place {
            Place::File(path) => assert!(is_empty(path.parent().expect("a folder")), "{name}"),
            Place::Postgres(_) => assert!(name == "text.db" || !to.place.is_made().expect("it answers"), "{name}"),
        }
    };
    for to in [Database::sqlite(), Database::postgres()] {
        is_damaged(&to, "zeroed.db", &zeroed);
        is_damaged(&to, "cut.db", &copy[..copy.len() / 2]);
        // No engine sees what is wrong there.
        is_damaged(&to, "state.db", &change("UPDATE sim_state SET head = x'ffff'"));
        if let Place::Postgres(_) = to.place {
            is_damaged(&to, "text.db", &change("UPDATE sim SET alias = char(97, 0, 98)"));
        }
        let there = |file: &str| kachi(&house.path(""), &["--database-url", &to.url(), "--data-dir", "there", "restore", file]);
        let folder = there(".");
        assert!(folder.code == 1 && folder.err.starts_with("kachi: FILE: .: Is a directory"), "{folder:?}");
        let good = there("copy.db");
        assert!(good.code == 0 && good.out.contains("clean: 500 cards"), "{good:?}");
        std::fs::remove_dir_all(house.path("there")).expect("removed");
    }
}

/// A hang-up (its terminal is closed, its log rotated) does not stop a server.
#[test]
fn a_server_stays_when_its_terminal_goes() {
    let house = House::new(Database::sqlite());
    let server = house.serve(&[]);
    server.signal("HUP");
    common::until("it says that it stays", || server.log().contains("SIGHUP changes nothing").then_some(()));
    server.stop();
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_is_made() {
    let folder = TempDir::new().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let web = kachi(folder.path(), &["--listen", &address, "serve", "--demo"]);
    assert!(web.code == 3 && web.err.contains(&format!("listen.web: {address} cannot be opened")), "{web:?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
    command.args(["--listen", "127.0.0.1:0", "serve", "--demo"]).current_dir(folder.path());
    command.env("KACHI_LISTEN__CARDBOSS_DATA", &address).env("KACHI_LISTEN__CARDBOSS_DIRECT", "127.0.0.1:0");
    let cardboss = finished(&mut command);
    assert!(cardboss.code == 3 && cardboss.err.contains(&format!("listen.cardboss_data: {address}")), "{cardboss:?}");
    assert!(is_empty(folder.path()), "no demo without its login");
}

/// A bare Debian has no package of them.
#[test]
fn a_system_without_certificates_of_authorities_serves_all_the_same_and_says_so() {
    let (house, none) = (House::new(Database::sqlite()), TempDir::new().expect("a folder"));
    house.apply("accounts: [{code: acme, currency: USD}]");
    let none = none.path().display().to_string();
    let log = house.serve(&[("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", &none)]).stop();
    assert!(log.contains("no https address is trusted: install ca-certificates and start again"), "{log}");
}
