//! Every operation of the contract with a good call and each refusal, from `tests/contracts/cardboss.calls.txt`: a good answer
//! held field by field against the contract, a refused call against everything there was before it.

use crate::contract;
use crate::shop::{
    Answer, MSISDN, MSISDN_CN, MSISDN_FOREIGN, NORTH_SID, OTHER_SID, SID, Shop, apikey, renewable, settings, templates,
};
use kachi_connectors::sandbox::Fault;
use kachi_dialects::cardboss::codes::TABLE as CODES;
use kachi_dialects::cardboss::{Method, Operation, Port, Written, seal};
use kachi_domain::account::Switch;
use kachi_domain::order::Channel;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{Iccid, Timestamp};
use kachi_edges::cardboss::DoorSettings;
use kachi_engine::{accounts, pools};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, OTHER, READY};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TABLE: &str = include_str!("../../../../tests/contracts/cardboss.calls.txt");
const QUIRKS: &str = include_str!("../../src/cardboss/QUIRKS.md");

/// What every operation may answer with, whatever is asked; 1098 and 1090 have tests of their own.
const COMMON: [&str; 9] = ["1001", "1004", "1005", "1006", "1012", "1024", "1030", "1090", "1098"];

struct Call {
    operation: Operation,
    /// `0`, `1031`, `status 12144`.
    code: &'static str,
    /// The refusal is the carrier's own.
    asks: bool,
    fields: &'static str,
}

fn call(line: &'static str) -> Call {
    let mut columns = line.splitn(3, " | ").map(str::trim);
    let mut column = || columns.next().unwrap_or_else(|| panic!("a column is missing: {line}"));
    let (operation, code, fields) = (contract::operation(column()), column(), column());
    Call { operation, code: code.trim_start_matches('~'), asks: code.starts_with('~'), fields }
}

fn calls() -> Vec<Call> {
    TABLE.lines().filter(|l| l.contains(" | ") && !l.starts_with('#')).map(call).collect()
}

/// The codes that the table has calls for, by operation.
fn listed(operation: Operation) -> BTreeSet<&'static str> {
    calls().into_iter().filter(|c| c.operation == operation).map(|c| c.code).collect()
}

/// The numbers of the scene, by name.
fn names() -> BTreeMap<&'static str, String> {
    let sealed = |mobiles: &str, content: &str| seal(mobiles, content, &apikey(SID), Written::Utf8).expect("sealed");
    [
        ("card", CARD.to_owned()),
        ("ready", READY.into()),
        ("chinese", CHINESE.into()),
        ("closed", CLOSED.into()),
        ("foreign", FOREIGN.into()),
        ("nobody", NOBODY.into()),
        ("msisdn", MSISDN.into()),
        ("msisdn_cn", MSISDN_CN.into()),
        ("msisdn_foreign", MSISDN_FOREIGN.into()),
        ("many", vec![MSISDN; 101].join(",")),
        ("too_many", vec![MSISDN; 1001].join(",")),
        ("too_many_phones", vec!["13800000001"; 1001].join(",")),
        ("sealed", sealed(MSISDN, "wake")),
        ("sealed_nobody", sealed("", "wake")),
        ("sealed_nothing", sealed(MSISDN, "")),
        ("sealed_foreign", sealed(MSISDN_FOREIGN, "wake")),
        ("sealed_junk", seal(MSISDN, "wake", &"f".repeat(32), Written::Utf8).expect("sealed")),
    ]
    .into()
}

/// The fields with the names replaced and repeated texts written out.
fn filled(text: &str) -> Value {
    let mut fields: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    for value in fields.as_object_mut().expect("fields").values_mut() {
        let mut said = value.as_str().expect("a text").to_owned();
        let mut names: Vec<_> = names().into_iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, number) in names {
            said = said.replace(&format!("${name}"), &number);
        }
        assert!(!said.contains('$'), "{said}: no such name");
        *value = match said.split_once(" * ") {
            Some((head, n)) => {
                let last = head.chars().next_back().expect("a character");
                let more = n.parse::<usize>().expect("a number") - 1;
                format!("{head}{}", last.to_string().repeat(more)).into()
            }
            None => said.into(),
        };
    }
    fields
}

fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        Value::Object(fields) => fields.values().any(has_empty_list),
        _ => false,
    }
}

/// A call without each of the parameters that the contract requires; of a card's two numbers one is enough.
fn without_required(operation: Operation, good: &Value) -> Vec<Value> {
    let pairs = [["msisdn", "iccid"], ["msisdns", "iccids"]];
    let params = contract::row(operation)["params"].as_object().expect("parameters");
    let is_paired = |name: &str| pairs.iter().any(|pair| pair.contains(&name) && pair.iter().all(|n| params.contains_key(*n)));
    let without = |gone: &[&str]| {
        let mut fields = good.clone();
        gone.iter().for_each(|name| fields[*name] = Value::Null);
        fields
    };
    let required = params.iter().filter(|(name, kind)| kind.as_str().is_some_and(|k| k.starts_with("req")) && !is_paired(name));
    let mut all: Vec<Value> = required.map(|(name, _)| without(&[name])).collect();
    all.extend(pairs.iter().filter(|pair| is_paired(pair[0])).map(|pair| without(pair)));
    all
}

struct Run {
    shop: Shop,
    carrier: Carrier,
    /// Operations that had a good call, and whether all lists had entries in one.
    seen: BTreeMap<&'static str, bool>,
}

impl Run {
    fn begin(store: Store) -> Run {
        let shop = Shop::with(store, DoorSettings { carrier_wait: Duration::ZERO, ..settings() });
        renewable(&shop);
        templates(&shop);
        let carrier =
            Carrier::of(&shop.trade.engine, "1US-1", json!({"lag_seconds": 0, "cool_down_seconds": 0, "stop_cards": false}), &[]);
        carrier.remember(&shop.trade.engine);
        Run { shop, carrier, seen: BTreeMap::new() }
    }

    fn work(&self) {
        for _ in 0..4 {
            self.carrier.work(&self.shop.trade.engine);
            self.shop.trade.pass(15);
        }
    }

    /// What it comes to; an act at the carrier is asked for, worked on, and asked for again.
    fn ask(&self, operation: Operation, fields: &Value) -> Answer {
        // A second on: a signature is good for the body that it came with first.
        self.shop.trade.pass(1);
        let form = self.shop.sealed(SID, operation, fields);
        let answer = self.shop.send(operation, &form);
        if operation.port() == Port::Data || !answer.text.contains("业务处理中") {
            return answer;
        }
        self.work();
        self.shop.send(operation, &form)
    }

    fn refused(&self, operation: Operation, fields: &Value, code: &str) {
        let (answer, what) = (self.ask(operation, fields), format!("{operation:?} {fields}"));
        let given = if let Some(status) = answer.json["status"].as_str() {
            assert_eq!((answer.json.as_object().expect("an object").len(), &answer.json["result"]), (3, &json!([])), "{what}");
            format!("status {status}")
        } else {
            let said = answer.code().parse().ok().and_then(kachi_dialects::cardboss::codes::message);
            assert_eq!(answer.json["msg"].as_str(), said, "{what}: the words of its code");
            let (detail, result) = (answer.json["detail"].as_str().expect("text"), answer.json.get("result"));
            assert!(!detail.is_empty() && (result.is_some() == (code == "1080")), "{what}: {}", answer.text);
            assert!(detail.contains(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{what}: not in this door's language: {detail}");
            answer.code().to_owned()
        };
        assert_eq!((answer.status, given.as_str()), (200, code), "{what}: {}", answer.text);
    }

    fn call(&mut self, call: &Call) {
        let fields = filled(call.fields);
        if call.code == "0" {
            let (name, first) = (call.operation.path(), !self.seen.contains_key(call.operation.path()));
            if first {
                let before = self.shop.whole();
                for less in without_required(call.operation, &fields) {
                    self.refused(call.operation, &less, "1012");
                }
                assert_eq!(self.shop.whole(), before, "{name}: nothing changed");
            }
            let answer = self.ask(call.operation, &fields);
            assert_eq!((answer.status, answer.code()), (200, "0"), "{name} {fields}: {}", answer.text);
            assert_eq!(contract::faults(call.operation, &answer.json), Vec::<String>::new(), "{}", answer.text);
            *self.seen.entry(name).or_default() |= !has_empty_list(&answer.json);
            return;
        }
        let (before, stands) = (self.shop.whole(), self.stands());
        self.refused(call.operation, &fields, call.code);
        if call.asks {
            assert_eq!(self.stands(), stands, "the cards stand as they stood");
        } else {
            assert_eq!(self.shop.whole(), before, "{} {fields}: nothing changed", call.operation.path());
        }
    }

    fn stands(&self) -> Vec<String> {
        self.shop.whole().into_iter().filter(|row| row.starts_with("sim: ") || row.starts_with("voice_number: ")).collect()
    }

    fn happen(&self, words: &str) {
        let (names, engine, now) = (names(), &self.shop.trade.engine, self.shop.trade.now());
        let named = |name: &str| names.get(name).unwrap_or_else(|| panic!("{name}: no such name")).as_str();
        match words.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["pass", seconds] => self.shop.trade.pass(seconds.parse().expect("a number")),
            ["work"] => self.work(),
            ["buy", card, package] => self.shop.buy(named(card), package, "n-1"),
            ["debt", card, minor] => {
                let minor = minor.parse().expect("a number");
                engine.note_carrier_balance(self.shop.trade.sim(named(card)), minor, now).expect("it is kept");
            }
            ["uplink", card, id, text] => {
                self.carrier.world.write_from(named(card), id, text, now);
                self.carrier.collect(engine);
            }
            ["fault", code, ..] => {
                let reason = words.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
                self.carrier.world.fail(Fault::Refused { code: code.into(), reason });
            }
            ["stand", card, state] => {
                let (sim, base) = (self.shop.trade.sim(named(card)), BaseState::parse(state).expect("a state"));
                let placed = engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim, base.word(), Blocks::NO_PACKAGE.0, None)?));
                placed.expect("the card stands so");
                self.carrier.world.stand(named(card), base, now);
            }
            ["pool", card] => self.pool(named(card)),
            ["ask", operation, ..] => {
                let fields = words.splitn(3, ' ').nth(2).expect("fields");
                self.shop.ask(contract::operation(operation), filled(fields));
            }
            _ => panic!("nothing happens so: {words}"),
        }
    }

    fn pool(&self, card: &str) {
        let (actor, iccid) = (self.shop.trade.actor(ACME), Iccid::parse(card).expect("a number"));
        let made = self.shop.trade.engine.write(move |tx, catalogue, how| {
            let type_code = "POOL-100M-7D".to_owned();
            let create = pools::Create { type_code: type_code.clone(), memo: "gates".into(), ..Default::default() };
            let pool = pools::create(tx, catalogue, how, &actor, &create)?;
            let (out_trade_no, number) = ("p-1".into(), "p1".into());
            let subscribe = pools::Subscribe { pool, type_code, out_trade_no, channel: Channel::Api, number };
            pools::subscribe(tx, catalogue, how, &actor, &subscribe)?;
            pools::add(tx, catalogue, how, &actor, (pool, &[iccid]))
        });
        made.expect("a pool");
    }
}

fn run(database: &db::Database) {
    let mut run = Run::begin(database.open());
    for line in TABLE.lines().filter(|l| !l.is_empty() && !l.starts_with('#') && !l.starts_with("never ")) {
        match line.strip_prefix("@ ") {
            Some(words) => run.happen(words),
            None => run.call(&call(line)),
        }
    }
    for operation in Operation::ALL {
        assert_eq!(run.seen.get(operation.path()), Some(&true), "{operation:?}: no good call whose lists have entries");
    }
    run.shop.trade.assert_sound();
}

#[test]
fn every_operation_does_its_good_call_and_gives_each_refusal_and_changes_nothing_then_on_sqlite() {
    run(&db::Database::sqlite());
}

#[test]
fn every_operation_does_its_good_call_and_gives_each_refusal_and_changes_nothing_then_on_postgres() {
    run(&db::Database::postgres());
}

#[test]
fn every_error_of_the_contract_has_a_call() {
    for operation in Operation::ALL.iter().copied() {
        let (row, listed) = (contract::row(operation), listed(operation));
        let wanted = row["errors"].as_object().into_iter().flatten().map(|(code, _)| code.clone());
        // The white-list's failures stand in its notes: `12144 monthly delete used up`.
        let notes = row["notes"].as_str().filter(|_| operation == Operation::VoiceWhitelist).unwrap_or_default();
        let passed = notes.split(|c: char| !c.is_ascii_digit()).filter(|n| n.len() == 5).map(|n| format!("status {n}"));
        for code in wanted.chain(passed).chain(["0".to_owned()]) {
            assert!(listed.contains(code.as_str()), "{operation:?}: {code} stands in the contract and has no call");
        }
        let fields = row["params"].as_object().expect("parameters").len() > 3;
        assert!(!fields || listed.len() > 1, "{operation:?} has fields of its own and no refusal");
    }
}

#[test]
fn every_published_code_is_given_or_says_why_not() {
    let given: BTreeSet<&str> = calls().iter().map(|c| c.code).chain(COMMON).collect();
    let said = TABLE.lines().filter_map(|l| l.strip_prefix("never ")?.split_once(": "));
    let never: BTreeMap<&str, &str> = said.collect();
    for code in CODES.iter().map(|(code, _)| code.to_string()) {
        let code = code.as_str();
        assert!(given.contains(code) != never.contains_key(code), "{code}: given by a call, or `never` with its reason");
    }
    for (code, why) in never {
        assert!(!why.is_empty() && QUIRKS.contains(&format!("\n- {code}: {why}\n")), "{code}: QUIRKS.md says why");
    }
}

#[test]
fn every_operation_refuses_who_may_not_ask_alike() {
    db::each(|store| {
        let shop = Shop::with(store, DoorSettings { lockout: Some(20), ..settings() });
        let set = shop.trade.engine.write(|tx, catalogue, how| {
            let acme = tx.accounts()?.into_iter().find(|a| a.id == ACME).expect("an account");
            tx.put_account(&Account { ip_allow: r#"["127.0.0.1"]"#.into(), ..acme }, Timestamp(0))?;
            accounts::switch(tx, catalogue, how, OTHER, (Switch::Off, "me"))?;
            Ok(tx.touch_catalogue()?)
        });
        set.expect("a list and a switch");
        let good: BTreeMap<&str, Value> =
            calls().into_iter().filter(|c| c.code == "0").map(|c| (c.operation.path(), filled(c.fields))).collect();
        let before = shop.whole();
        for (i, operation) in Operation::ALL.iter().copied().enumerate() {
            let with = |sid: &str, more: Value| {
                let mut fields = good[operation.path()].clone();
                fields.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
                shop.sealed(sid, operation, &fields)
            };
            let wrong = if operation.method() == Method::Get { Method::Post } else { Method::Get };
            let sent = |form: &str, method, peer: &str| shop.send_to(operation.path(), method, operation.port(), form, peer);
            let as_is = operation.method();
            for (form, method, peer, code) in [
                (with(SID, json!({})), wrong, "127.0.0.1", "1004"),
                (with(SID, json!({"sign": "0".repeat(32)})), as_is, "127.0.0.1", "1005"),
                (with("nobody", json!({})), as_is, "127.0.0.1", "1005"),
                (with(SID, json!({"ts": shop.ts(-301)})), as_is, "127.0.0.1", "1005"),
                (with(SID, json!({"ts": "20260230120000"})), as_is, "127.0.0.1", "1024"),
                (with(SID, json!({"ts": "2026"})), as_is, "127.0.0.1", "1024"),
                (with(SID, json!({})), as_is, "192.0.2.1", "1006"),
                (with(OTHER_SID, json!({})), as_is, "127.0.0.1", "1001"),
            ] {
                let answer = sent(&form, method, peer);
                assert_eq!((answer.status, answer.code()), (200, code), "{operation:?}: {}", answer.text);
                assert!(answer.json.get("result").is_none() && answer.json.get("customer").is_none(), "{}", answer.text);
            }
            let (peer, bad) = (format!("127.1.0.{i}"), with(NORTH_SID, json!({"sign": "0"})));
            (0..20).for_each(|_| assert_eq!(sent(&bad, as_is, &peer).code(), "1005"));
            assert_eq!(sent(&with(NORTH_SID, json!({})), as_is, &peer).code(), "1030", "{operation:?}");
        }
        assert_eq!(shop.whole(), before, "nothing changed");
    });
}

#[test]
fn a_broken_database_is_a_1090_that_tells_nothing() {
    for database in [db::Database::sqlite(), db::Database::postgres()] {
        let shop = Shop::with(database.open(), settings());
        assert_eq!(shop.ask(Operation::CustomerGet, json!({})).code(), "0");
        let tables = shop.trade.engine.store().read(|tx| tx.dump()).expect("every table").into_keys();
        let gone: String = tables.map(|t| format!("ALTER TABLE \"{t}\" RENAME TO \"gone_{t}\";")).collect();
        kachi_store::db::execute_in(&database.place, &gone).expect("renamed");
        for call in calls().into_iter().filter(|c| c.code == "0") {
            let answer = shop.ask(call.operation, filled(call.fields));
            assert_eq!((answer.status, answer.code()), (200, "1090"), "{:?}: {}", call.operation, answer.text);
            assert!(!answer.text.contains("gone") && !answer.text.contains("table"), "{}", answer.text);
        }
    }
}
