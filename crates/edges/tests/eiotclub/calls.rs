//! Every operation with a good call and each refusal, from `tests/contracts/eiotclub.calls.txt`: each answer held field by
//! field against the contract, and a refused call against the whole database before it.

use crate::client::{Answer, Client, settings};
use crate::contract::{self, CODES, faults};
use crate::scene::{Names, Scene};
use kachi_domain::Timestamp;
use kachi_domain::account::Switch;
use kachi_edges::eiotclub::{DoorSettings, paths};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, KYOTO, OTHER, Trade};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const TABLE: &str = include_str!("../../../../tests/contracts/eiotclub.calls.txt");
const QUIRKS: &str = include_str!("../../src/eiotclub/QUIRKS.md");
const ERRORS: &str = include_str!("../../src/eiotclub/errors.rs");

/// What any operation may answer with: who asks, when, how it is signed, that the body is no request; and ours.
const COMMON: [u32; 14] = [200, 403, 500, 501, 42101, 42102, 42104, 42201, 42203, 42204, 42301, 42401, 42402, 43332];

type Database = BTreeMap<String, Vec<String>>;

/// Every row but those that say to which body a refused signature is bound: they have no answer.
fn everything(store: &Store) -> Database {
    let mut rows = store.read(|tx| tx.dump()).expect("every row");
    rows.entry("idempotency".into()).or_default().retain(|row| !row.contains("\"answer\":\"\""));
    rows
}

/// The rows that came, went or changed.
fn difference(before: &Database, after: &Database) -> Vec<String> {
    let rows = |of: &Database| -> BTreeSet<String> {
        of.iter().flat_map(|(table, rows)| rows.iter().map(move |row| format!("{table}: {row}"))).collect()
    };
    rows(before).symmetric_difference(&rows(after)).cloned().collect()
}

/// One line of the table that makes a call.
pub struct Call<'t> {
    pub account: &'t str,
    pub path: &'t str,
    pub code: u32,
    pub fields: &'t str,
    pub remember: &'t str,
}

impl<'t> Call<'t> {
    pub fn read(line: &'t str) -> Call<'t> {
        let mut columns = line.split(" | ").map(str::trim);
        let mut column = || columns.next().unwrap_or_default();
        let (who, code, fields, remember) = (column(), column(), column(), column());
        let (account, path) = who.split_once(": ").unwrap_or(("acme", who));
        Call { account, path, code: code.parse().unwrap_or_else(|_| panic!("no code: {line}")), fields, remember }
    }
}

/// The lines that begin with a word, as its two parts behind it: (operation or code, the rest).
fn said(word: &str) -> Vec<(&'static str, &'static str)> {
    let lines = TABLE.lines().filter_map(|l| l.strip_prefix(word)?.strip_prefix(' '));
    lines.map(|l| l.split_once([' ', ':']).unwrap_or_else(|| panic!("{word} {l}: says nothing"))).collect()
}

/// Whether a line `word operation field: reason` is there.
fn is_said(word: &str, path: &str, field: &str) -> bool {
    said(word).iter().any(|(p, rest)| *p == path && rest.split_once(':').is_some_and(|(f, why)| f == field && !why.is_empty()))
}

fn calls() -> Vec<Call<'static>> {
    TABLE.lines().filter(|l| l.contains(" | ") && !l.starts_with('#')).map(Call::read).collect()
}

/// The codes of each operation that the table has calls for.
fn listed() -> BTreeMap<&'static str, BTreeSet<u32>> {
    let mut all: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for call in calls() {
        all.entry(call.path).or_default().insert(call.code);
    }
    all
}

/// The fields with the names replaced: bare as JSON, in a text as text; a text `x * 33` repeated.
pub fn filled(text: &str, names: &Names) -> Value {
    let mut out = String::new();
    let mut quoted = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        quoted ^= c == '"';
        if c != '$' {
            out.push(c);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let value = names.get(&rest[..end]).unwrap_or_else(|| panic!("{text}: no name {}", &rest[..end]));
        out.push_str(&match value {
            Value::String(t) if quoted => t.clone(),
            other => other.to_string(),
        });
        rest = &rest[end..];
    }
    let mut fields: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
    for value in fields.as_object_mut().expect("fields").values_mut() {
        let repeated = value.as_str().and_then(|t| t.split_once(" * ")).map(|(t, n)| t.repeat(n.parse().expect("a number")));
        if let Some(text) = repeated {
            *value = text.into();
        }
    }
    fields
}

/// What of a refusal is not as published: its code's type, its words, and `data`, which is null or as the contract has it.
pub fn refusal_faults(path: &str, answer: &Answer) -> Vec<String> {
    let schema = &contract::answer(path)["properties"];
    let mut found = faults(&answer.json["code"], &schema["code"], &format!("{path}.code"));
    let code = answer.any_code().parse().unwrap_or_default();
    if !CODES.says(code, answer.json["message"].as_str().unwrap_or_default()) {
        found.push(format!("{path}.message: {} is not what the code says", answer.json["message"]));
    }
    for (name, value) in answer.json.as_object().expect("an object") {
        match name.as_str() {
            "code" | "message" => {}
            "data" if value.is_null() => {}
            _ if schema[name].is_object() => found.extend(faults(value, &schema[name], &format!("{path}.{name}"))),
            _ => found.push(format!("{path}.{name} is not declared")),
        }
    }
    let required = contract::answer(path)["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !["data", "message"].contains(name) && answer.json.get(name).is_none());
    found.extend(missing.map(|name| format!("{path}.{name} is missing")));
    found
}

/// Whether a list somewhere in the value is empty, so that nothing was seen of its entries.
fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        Value::Object(fields) => fields.values().any(has_empty_list),
        _ => false,
    }
}

/// Wrong values for each field of the contract, in a request that is good but for them.
fn spoilt(path: &str, good: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let schema = contract::request(path);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in schema["properties"].as_object().expect("properties").keys() {
        let mut wrong = if is_said("unread", path, name) { vec![] } else { vec![json!([1]), json!({"a": "1"}), json!(true)] };
        if required.contains(&name.as_str()) && !is_said("optional", path, name) {
            wrong.extend([json!(null), json!(""), json!(" ")]);
        }
        for value in wrong {
            let mut fields = good.clone();
            fields[name] = value.clone();
            all.push((format!("{name}: {value}"), fields));
        }
    }
    all
}

struct Run<'w> {
    client: Client<'w>,
    names: Names,
    seen: &'w mut BTreeMap<&'static str, bool>,
    /// What there was before the refused calls that came since, and which they were.
    before: Option<Database>,
    since: Vec<String>,
}

impl Run<'_> {
    fn refused(&mut self, what: String, call: &Call<'_>, fields: Value, allowed: &dyn Fn(u32) -> bool) {
        if self.before.is_none() {
            self.before = Some(everything(self.client.trade.engine.store()));
        }
        let answer = self.client.ask_as(call.account, call.path, fields);
        let code: u32 = answer.any_code().parse().expect("a number");
        assert!(answer.status == 200 && code != 200 && allowed(code), "{what}: {}", answer.text);
        let wrong = refusal_faults(call.path, &answer);
        assert!(wrong.is_empty(), "{what}: {wrong:#?}\n{}", answer.text);
        self.since.push(what);
    }

    /// Nothing changed since the first of the refused calls.
    fn unchanged(&mut self) {
        let Some(before) = self.before.take() else { return };
        let changed = difference(&before, &everything(self.client.trade.engine.store()));
        assert!(changed.is_empty(), "{changed:#?}\nchanged in one of {:#?}", self.since);
        self.since.clear();
    }

    /// A good call: each field of the answer as declared, and what is published nowhere is signed and not looked at.
    fn good(&mut self, call: &Call<'static>, mut fields: Value) {
        fields["publishedNowhere"] = json!({"a": [null, 1.50, "é/"], "b": {}});
        let answer = self.client.ask_as(call.account, call.path, fields.clone());
        assert_eq!((answer.status, answer.any_code().as_str()), (200, "200"), "{} {fields}: {}", call.path, answer.text);
        let wrong = faults(&contract::as_published(call.path, &answer.json), contract::answer(call.path), call.path);
        assert!(wrong.is_empty(), "{wrong:#?}");
        *self.seen.entry(call.path).or_default() |= !has_empty_list(&answer.json);
        for pair in call.remember.split_whitespace() {
            let (name, field) = pair.split_once('=').expect("name=field");
            let value = &answer.data()[field];
            assert!(!value.is_null(), "{} has no {field}", answer.text);
            self.names.insert(name.to_owned(), value.clone());
        }
    }

    fn call(&mut self, call: &Call<'static>) {
        let fields = filled(call.fields, &self.names);
        if call.code != 200 {
            let what = format!("{} {} {}", call.path, call.code, call.fields);
            return self.refused(what, call, fields, &|code| code == call.code);
        }
        if !self.seen.contains_key(call.path) {
            let codes = &listed()[call.path];
            for (what, fields) in spoilt(call.path, &fields) {
                self.refused(format!("{} {what}", call.path), call, fields, &|code| codes.contains(&code));
            }
        }
        self.unchanged();
        self.good(call, fields);
    }
}

/// The lines of each scene.
fn scenes() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = Vec::new();
    for line in TABLE.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        match line.strip_prefix("scene ") {
            Some(_) => all.push(Vec::new()),
            None => all.iter_mut().last().into_iter().for_each(|scene| scene.push(line)),
        }
    }
    all
}

fn run(database: impl Fn() -> db::Database) {
    let mut seen = BTreeMap::new();
    for lines in scenes() {
        let database = database();
        let scene = Scene::build(database.open());
        let client = Client::new(&scene.trade);
        let mut run = Run { client, names: Scene::names(), seen: &mut seen, before: None, since: Vec::new() };
        for line in lines {
            match line.strip_prefix("@ ") {
                Some(words) => {
                    run.unchanged();
                    scene.happen(&words.split_whitespace().collect::<Vec<_>>(), &run.names);
                }
                None => run.call(&Call::read(line)),
            }
        }
        run.unchanged();
        scene.trade.assert_sound();
    }
    for path in paths() {
        assert_eq!(seen.get(path), Some(&true), "{path}: no good call whose lists have entries");
    }
}

#[test]
fn every_operation_does_its_good_call_and_gives_each_refusal_and_changes_nothing_then_on_sqlite() {
    run(db::Database::sqlite);
}

#[test]
fn every_operation_does_its_good_call_and_gives_each_refusal_and_changes_nothing_then_on_postgres() {
    run(db::Database::postgres);
}

#[test]
fn routes_contract_and_table_name_the_same_operations() {
    let served: BTreeSet<&str> = paths().collect();
    let published: BTreeSet<&str> = contract::paths().collect();
    let called: BTreeSet<&str> = listed().into_keys().collect();
    assert_eq!(served.len(), 58);
    assert_eq!(served, published, "a route without its row in the contract, or the other way round");
    assert_eq!(served, called, "an operation without a call");
    for (path, codes) in listed() {
        assert!(codes.contains(&200) && codes.len() > 1 - usize::from(NEEDS_NOTHING.contains(&path)), "{path}: {codes:?}");
    }
    for (path, codes) in said("lists") {
        for code in codes.split_whitespace().map(|c| c.parse::<u32>().expect("a code")) {
            assert!(listed()[path].contains(&code), "{path}: {code} stands beside it in the source and has no call");
        }
    }
    for word in ["unread", "optional"] {
        for (path, rest) in said(word) {
            let (field, why) = rest.split_once(':').expect("a reason");
            assert!(contract::request(path)["properties"].get(field).is_some() && !why.is_empty(), "{word} {path} {rest}");
        }
    }
}

/// What an account that is paused may not do: each changes something here or at the carrier.
const ACTS: [&str; 26] = [
    "package/orderPackage",
    "package/refundPackage",
    "esim/purchase",
    "esim/refund",
    "cloudesim/purchase",
    "cloudesim/refund",
    "cloudesim/transferPkg",
    "cloudesim/refreshUsage",
    "cloudesim/cancelSession",
    "card/transferPkg",
    "card/imeiUnlock",
    "card/plockAddImei",
    "card/bindDevice",
    "card/unbindDevice",
    "card/switchOperator",
    "card/refreshUsage",
    "card/refreshCard",
    "card/cancelLocation",
    "card/reset",
    "pool/create",
    "pool/delete",
    "pool/sub",
    "pool/unsub",
    "pool/card/add",
    "pool/card/remove",
    "sms/sendSms",
];

/// Operations without a field of their own: nothing of them can be wrong but what is wrong for all.
const NEEDS_NOTHING: [&str; 3] = ["agent/balance", "outputApi/queryCardNumber", "esim/goods"];

#[test]
fn every_published_code_is_given_or_says_why_not() {
    let given: BTreeSet<u32> = listed().into_values().flatten().chain(COMMON).collect();
    let never: BTreeMap<u32, &str> = said("never").into_iter().map(|(code, why)| (code.parse().expect("a code"), why)).collect();
    for code in CODES.all().map(|c| u32::try_from(c).expect("a code")) {
        assert!(given.contains(&code) != never.contains_key(&code), "{code}: given by a call, or `never` with its reason");
    }
    for (code, why) in &never {
        assert!(
            !why.trim().is_empty() && QUIRKS.contains(&format!("\n- {code}: {}\n", why.trim())),
            "{code}: QUIRKS.md says why"
        );
    }
    let known = ERRORS.lines().filter_map(|l| l.strip_prefix("pub const ")?.rsplit_once("= ")?.1.strip_suffix(';'));
    for code in known.map(|c| c.replace('_', "").parse::<u32>().expect("a code")) {
        assert!(given.contains(&code), "{code} stands in errors.rs and no call provokes it");
    }
}

#[test]
fn every_operation_refuses_who_may_not_ask_alike() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let listed_address = trade.engine.store().write(|tx| {
            let mut accounts = tx.accounts()?;
            let mut acme = accounts.swap_remove(accounts.iter().position(|a| a.id == ACME).expect("acme"));
            acme.ip_allow = r#"["127.0.0.1"]"#.into();
            tx.put_account(&acme, Timestamp(0))?;
            for (id, switch) in [(OTHER, Switch::Off), (KYOTO, Switch::Paused)] {
                let account = tx.accounts()?.into_iter().find(|a| a.id == id).expect("an account");
                tx.put_account(&Account { switch, ..account }, Timestamp(0))?;
            }
            tx.touch_catalogue()
        });
        listed_address.expect("an address");
        let strict = Client::at(&trade, DoorSettings { lockout: Some(1), ..settings() });
        let now = trade.now().0;
        let before = everything(trade.engine.store());
        let mut given = BTreeSet::from([200, 500]);
        let mut check = |path: &str, answer: &Answer, code: u32| {
            assert_eq!((answer.status, answer.any_code()), (200, code.to_string()), "{path}: {}", answer.text);
            let wrong = refusal_faults(path, answer);
            assert!(wrong.is_empty(), "{wrong:#?}");
            given.insert(code);
        };
        let deep = format!(r#"{{"appkey":"key-acme","deep":{}{}}}"#, "[".repeat(16), "]".repeat(16));
        for (i, path) in paths().enumerate() {
            let peer = format!("127.1.0.{i}");
            for (fields, code) in [
                (json!({"appkey": ""}), 42101),
                (json!({"appkey": "key-nobody"}), 42102),
                (json!({"timestamp": null}), 42201),
                (json!({"timestamp": now - 301}), 42203),
                (json!({"timestamp": 1.5}), 42204),
                (json!({"nonce": null}), 42301),
                (json!({"sign": ""}), 42401),
                (json!({"sign": "0".repeat(40)}), 42402),
            ] {
                check(path, &client.ask(path, fields.clone()), code);
            }
            for body in [r#"{"appkey":"a","appkey":"b"}"#, "", "[]", "{}x", &deep] {
                check(path, &client.post(path, body), 43332);
            }
            check(path, &client.post_from("192.0.2.1", path, &client.sealed("acme", &json!({}))), 42104);
            check(path, &client.post(path, r#"{"appkey":"a","appkey":"b"}"#), 43332);
            check(path, &client.ask_as("other", path, json!({})), 403);
            let paused = client.ask_as("kyoto", path, json!({}));
            assert_eq!(paused.any_code() == "403", ACTS.contains(&path), "{path}: {}", paused.text);
            check(path, &strict.post_from(&peer, path, &strict.sealed("north", &json!({"sign": "0"}))), 42402);
            check(path, &strict.post_from(&peer, path, &strict.sealed("north", &json!({}))), 501);
        }
        assert_eq!(given, BTreeSet::from(COMMON), "what every operation may answer with");
        assert_eq!(difference(&before, &everything(trade.engine.store())), Vec::<String>::new());
    });
}

#[test]
fn a_broken_database_is_a_500_that_tells_nothing() {
    for database in [db::Database::sqlite(), db::Database::postgres()] {
        let trade = Trade::build(database.open());
        let client = Client::new(&trade);
        assert_eq!(client.ask("agent/balance", json!({})).code(), "200");
        let tables: Vec<String> = everything(trade.engine.store()).into_keys().collect();
        let gone: String = tables.iter().map(|t| format!("ALTER TABLE \"{t}\" RENAME TO \"gone_{t}\";")).collect();
        kachi_store::db::execute_in(&database.place, &gone).expect("renamed");
        let good: BTreeMap<&str, Call<'_>> = calls().into_iter().filter(|c| c.code == 200).map(|c| (c.path, c)).collect();
        let mut names = Scene::names();
        for path in paths() {
            for call in calls() {
                for name in call.remember.split_whitespace().filter_map(|p| p.split_once('=')) {
                    names.entry(name.0.to_owned()).or_insert_with(|| json!("10000001"));
                }
            }
            let answer = client.ask(path, filled(good[path].fields, &names));
            assert_eq!((answer.status, answer.any_code().as_str()), (200, "500"), "{path}: {}", answer.text);
            assert!(
                !answer.text.contains("gone") && !answer.text.contains("table") && answer.data().is_null(),
                "{}",
                answer.text
            );
            assert!(refusal_faults(path, &answer).is_empty());
        }
    }
}
