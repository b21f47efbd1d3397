//! What ARCHITECTURE.md says of the house, checked against the house: who imports whom, how large a file and a function
//! may be, where SQL, clocks, randomness and floats may stand, and that the documents name only what exists.

#[path = "tidy/source.rs"]
mod source;

use serde_json::Value;
use source::{Source, functions, lex, read, root, sources};
use std::collections::BTreeSet;
use std::process::Command;

/// Lines of a file: worth a look above the first, refused above the second.
const FILE_LINES: (usize, usize) = (300, 600);
/// Lines of a function, and of one in a test.
const FUNCTION_LINES: (usize, usize) = (70, 100);

/// Which of our crates each may import; a crate that is not here may import none.
const IMPORTS: &[(&str, &[&str])] = &[
    ("kachi-domain", &[]),
    ("kachi-dialects", &["kachi-domain"]),
    ("kachi-store", &["kachi-domain"]),
    ("kachi-connectors", &["kachi-domain", "kachi-dialects"]),
    ("kachi-engine", &["kachi-domain", "kachi-store"]),
    ("kachi-edges", &["kachi-domain", "kachi-dialects", "kachi-engine"]),
    // Each side of a carrier's wire checks the other, so neither may know the other.
    ("kachi-simulator", &["kachi-domain"]),
    (
        "kachi",
        &["kachi-domain", "kachi-dialects", "kachi-store", "kachi-connectors", "kachi-engine", "kachi-edges", "kachi-simulator"],
    ),
    ("kachi-testkit", &["kachi-domain", "kachi-dialects", "kachi-store", "kachi-connectors", "kachi-engine", "kachi-edges"]),
    (
        "kachi-bench",
        &["kachi-domain", "kachi-dialects", "kachi-store", "kachi-connectors", "kachi-engine", "kachi-edges", "kachi-simulator"],
    ),
];

/// Libraries that only these crates may import.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("diesel", &["kachi-store"]),
    ("libsqlite3-sys", &["kachi-store"]),
    ("pq-sys", &["kachi-store"]),
    ("axum", &["kachi-edges", "kachi", "kachi-bench", "kachi-simulator"]),
    ("reqwest", &["kachi-edges", "kachi-bench"]),
    ("ureq", &["kachi-connectors"]),
    ("suppaftp", &["kachi-edges"]),
    ("russh", &["kachi-edges"]),
    ("rumqttc", &["kachi-edges", "kachi-bench"]),
    ("rand", &["kachi", "kachi-bench"]),
    ("clap", &["kachi"]),
];

/// Crates that are told the time and handed their randomness.
const TIMELESS: &[&str] = &["domain", "dialects", "store", "connectors", "engine", "edges"];
const CLOCKS_AND_DICE: &[&str] =
    &["SystemTime::now", "Utc::now", "Zoned::now", "Instant::now", "rand::", "getrandom", "Uuid::new_v4", "Uuid::now_v7"];
/// Where and what is let be: how long a post took is measured, never decided upon.
const CLOCKS_LET_BE: &[(&str, &str)] = &[
    ("crates/edges/src/sender.rs", "Instant::now"),
    ("crates/edges/src/upload.rs", "Instant::now"),
    // How long a count took decides when the next may begin; no rule of the trade sees it.
    ("crates/edges/src/portal/figures.rs", "Instant::now"),
    // How long a caller has waited for the database; no rule of the trade sees it.
    ("crates/store/src/db/patience.rs", "Instant::now"),
];

/// Tests that wait for real time, each for a reason that stands there.
const SLEEPS_LET_BE: &[&str] = &[
    // Looks again at a condition of another process until it holds, up to a deadline.
    "crates/server/tests/common/mod.rs",
    // The drawn moment at which a process is killed; nothing is expected of the time itself.
    "crates/server/tests/kill.rs",
];

/// What only a statement begins with.
const SQL: &[&str] = &["SELECT ", "INSERT INTO ", "DELETE FROM ", "ON CONFLICT", "CREATE TABLE ", "CREATE INDEX ", "DROP TABLE "];

fn none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// `path:line: words` for each line of code in which one of the words stands.
fn mentions(source: &Source, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (n, line) in source.lines() {
        found.extend(words.iter().filter(|w| holds(line, w)).map(|w| format!("{}:{n}: {w}", source.path)));
    }
    found
}

/// Whether the word stands in the line and is not the tail of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let within = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(i, _)| !line[..i].chars().next_back().is_some_and(within))
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    all["packages"].as_array().expect("a list").clone()
}

/// (package, what it imports when it is not being tested).
fn imports() -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().expect("a list") {
            if dependency["kind"].as_str() != Some("dev") {
                let text = |v: &Value| v["name"].as_str().unwrap_or_default().to_owned();
                pairs.push((text(&package), text(dependency)));
            }
        }
    }
    pairs
}

#[test]
fn each_crate_imports_only_what_its_floor_may() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let unknown: Vec<String> =
        ours.iter().filter(|name| !IMPORTS.iter().any(|(n, _)| n == *name)).map(|n| format!("{n} has no row")).collect();
    none("a crate without a row in the table", &unknown);
    let allowed = |from: &str, to: &str| IMPORTS.iter().any(|(name, may)| *name == from && may.contains(&to));
    let mut found = Vec::new();
    for (from, to) in imports() {
        if ours.contains(to.as_str()) && !allowed(&from, &to) {
            found.push(format!("{from} imports {to}"));
        }
        if KEPT_TO.iter().any(|(library, to_whom)| *library == to && !to_whom.contains(&from.as_str())) {
            found.push(format!("{from} imports {to}"));
        }
    }
    none("imports that no floor allows", &found);
}

#[test]
fn files_and_functions_are_small() {
    let mut found = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES.1 {
            found.push(format!("{}: {lines} lines, at most {}", source.path, FILE_LINES.1));
        } else if lines > FILE_LINES.0 {
            println!("worth a look: {} has {lines} lines", source.path);
        }
        let most = if source.is_test() { FUNCTION_LINES.1 } else { FUNCTION_LINES.0 };
        for (name, line, lines) in functions(&source.code).into_iter().filter(|f| f.2 > most) {
            found.push(format!("{}:{line}: fn {name} has {lines} lines, at most {most}", source.path));
        }
    }
    none("too large", &found);
}

#[test]
fn money_and_bytes_are_never_floats() {
    let domain = sources().into_iter().filter(|s| s.path.starts_with("crates/domain/src/"));
    none("floats in domain", &domain.flat_map(|s| mentions(&s, &["f32", "f64"])).collect::<Vec<_>>());
}

#[test]
fn sql_stands_in_the_store_alone() {
    let outside = |s: &Source| {
        s.path.starts_with("crates/")
            && !s.path.starts_with("crates/store/")
            && !s.path.starts_with("crates/testkit/")
            && !s.is_test()
    };
    let mut found = Vec::new();
    for source in sources().into_iter().filter(outside) {
        let is_sql = |text: &str| SQL.iter().any(|w| text.contains(w)) || (text.contains("UPDATE ") && text.contains(" SET "));
        let sql = source.strings.iter().filter(|(_, text)| is_sql(text));
        found.extend(sql.map(|(n, text)| format!("{}:{n}: {text}", source.path)));
    }
    none("SQL outside the store", &found);
}

#[test]
fn money_moves_by_one_way_alone() {
    let inside = |s: &Source| {
        let ours = ["domain", "engine", "edges", "server"].iter().any(|c| s.path.starts_with(&format!("crates/{c}/src/")));
        ours && s.path != "crates/engine/src/money.rs" && !s.is_test()
    };
    let found = sources().into_iter().filter(inside).flat_map(|s| mentions(&s, &["tx.post(", "tx.post_all("]));
    none("journals that pay no debts first: book them with money::post_all", &found.collect::<Vec<_>>());
}

#[test]
fn time_and_chance_come_from_the_roof() {
    let inside = |s: &Source| TIMELESS.iter().any(|c| s.path.starts_with(&format!("crates/{c}/src/")));
    let let_be = |words: &String| CLOCKS_LET_BE.iter().any(|(path, word)| words.starts_with(path) && words.ends_with(word));
    let found = sources().into_iter().filter(inside).flat_map(|s| mentions(&s, CLOCKS_AND_DICE));
    none("clocks and randomness below the roof", &found.filter(|w| !let_be(w)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_open() {
    let unfinished = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore")];
    let waiting = [concat!("thread::", "sleep")];
    let mut found = Vec::new();
    for source in sources() {
        let holds = |words: &[&str]| -> Vec<String> {
            let at =
                |(n, line): (usize, &str)| words.iter().find(|w| line.contains(**w)).map(|w| format!("{}:{n}: {w}", source.path));
            source.lines().filter_map(at).collect()
        };
        found.extend(holds(&unfinished));
        if source.is_test() && !SLEEPS_LET_BE.contains(&source.path.as_str()) {
            found.extend(holds(&waiting));
        }
    }
    none("unfinished, ignored, or waiting for time to pass", &found);
}

#[test]
fn a_door_knows_no_other_door() {
    let doors = ["eiotclub", "fastbee", "portal"];
    let mut found = Vec::new();
    for source in sources() {
        for door in doors.iter().filter(|d| source.path.starts_with(&format!("crates/edges/src/{d}"))) {
            let others = doors.iter().filter(|d| d != &door).map(|d| format!("crate::{d}")).collect::<Vec<_>>();
            found.extend(mentions(&source, &others.iter().map(String::as_str).collect::<Vec<_>>()));
        }
    }
    none("a door that knows another", &found);
}

/// Texts in `backticks` outside of fenced blocks, each with its line and the folder that the last heading names.
fn quoted(markdown: &str) -> Vec<(usize, String, String)> {
    let (mut found, mut folder, mut fenced) = (Vec::new(), String::new(), false);
    for (i, line) in markdown.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let words: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        if line.starts_with('#') {
            folder = words.iter().find(|w| w.ends_with('/')).map_or_else(String::new, |w| (*w).to_owned());
        }
        found.extend(words.iter().map(|w| (i + 1, folder.clone(), (*w).to_owned())));
    }
    found
}

fn is_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    plain
        && !text.starts_with('/')
        && (text.contains('/') || [".rs", ".md", ".toml", ".sql", ".py"].iter().any(|e| text.ends_with(e)))
}

#[test]
fn every_path_that_the_map_names_exists() {
    let mut found = Vec::new();
    for (line, folder, text) in quoted(&read("ARCHITECTURE.md")).into_iter().filter(|q| is_path(&q.2)) {
        if !root().join(&text).exists() && !root().join(format!("{folder}{text}")).exists() {
            found.push(format!("ARCHITECTURE.md:{line}: {text}"));
        }
    }
    none("paths that are not there", &found);
}

/// A test's name, or another of ours, as documents quote it: words joined by `_`, three at least.
fn is_our_name(text: &str) -> bool {
    text.matches('_').count() >= 2 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Every word of code and of literals, comments left out; of this file only what it calls its functions.
fn words() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for source in sources() {
        if source.path.contains("testkit/tests/tidy") {
            all.extend(functions(&source.code).into_iter().map(|f| f.0));
            continue;
        }
        for text in source.strings.iter().map(|s| &s.1).chain([&source.code]) {
            all.extend(text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned));
        }
    }
    all
}

#[test]
fn every_test_that_a_document_names_exists() {
    let words = words();
    let mut found = Vec::new();
    for document in ["README.md", "README.zh.md", "ARCHITECTURE.md"] {
        let ours = quoted(&read(document)).into_iter().filter(|q| is_our_name(&q.2) && !words.contains(&q.2));
        found.extend(ours.map(|(line, _, text)| format!("{document}:{line}: {text}")));
    }
    none("names that are not there", &found);
}

#[test]
fn every_file_that_a_document_links_to_exists() {
    let mut found = Vec::new();
    for document in ["README.md", "README.zh.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        for rest in read(document).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !root().join(target).exists() {
                found.push(format!("{document}: {target}"));
            }
        }
    }
    none("links to what is not there", &found);
}

/// The fenced blocks of a document, in order.
fn blocks(markdown: &str) -> Vec<String> {
    markdown.split("\n```").skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_two_readmes_show_the_same_commands() {
    let (english, chinese) = (blocks(&read("README.md")), blocks(&read("README.zh.md")));
    assert!(english.len() > 2, "the README shows commands");
    assert_eq!(english, chinese);
}

#[test]
fn both_engines_have_the_same_migrations() {
    let steps = |engine: &str| -> BTreeSet<String> {
        let folder = root().join("migrations").join(engine);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    let (sqlite, postgres) = (steps("sqlite"), steps("postgres"));
    assert_eq!(sqlite, postgres);
    let compiled_in = read("crates/store/src/db/migrate.rs");
    for (i, name) in sqlite.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", i + 1)), "{name}: numbers go up by one from 0001");
        assert!(compiled_in.contains(&format!("step!({}, \"{name}\")", i + 1)), "{name} is not compiled in");
    }
}

#[test]
fn every_key_of_the_configuration_is_read() {
    let manual: toml::Table = read("config.default.toml").parse().expect("TOML");
    let mut keys = Vec::new();
    for (section, value) in &manual {
        match value.as_table() {
            Some(table) => keys.extend(table.keys().map(|k| format!("{section}.{k}"))),
            None => keys.push(section.clone()),
        }
    }
    let (_, strings) = lex(&read("crates/server/src/config.rs"));
    keys.retain(|key| !strings.iter().any(|(_, text)| text == key));
    none("keys that nobody reads", &keys);
}

#[test]
fn the_reader_of_sources_knows_code_from_words() {
    let text = "fn a<'x>(y: &'x [u8; 4]) -> char { // fn b() {\n  /* { /* } */ */ let s = \"\\\"{fn c() {\"; '{' }\nfn d();\nlet r = r#\"x\"}\"#;\n";
    let (code, strings) = lex(text);
    assert_eq!(strings, [(2, "\\\"{fn c() {".to_owned()), (4, "x\"}".to_owned())]);
    assert_eq!(functions(&code), [("a".to_owned(), 1, 2)]);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(holds("let a = rand::random()", "rand::") && !holds("operand::x", "rand::"));
}
