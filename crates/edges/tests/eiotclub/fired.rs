//! Which act fires which notice: every event of the contract, from the act to the body that is sent, for a card known by its
//! ICCID and for one known by its EID.

use crate::client::Client;
use crate::cloudesim::told;
use crate::contract;
use crate::examples::notices_cover_their_examples;
use crate::scene::{EID, Names, Scene};
use kachi_edges::eiotclub::{acknowledged, notice};
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is done to a card, and the events that this and nothing else fires: of a card without an EID, and of one with.
const ACTS: &[(&str, &[&str], &[&str])] = &[
    ("buy a", &["SubPkgList", "PkgEffective"], &["CloudESimSubPkgList", "CloudESimPkgActivate"]),
    ("use 10000000", &["FlowAlert"], &["CloudESimFlowAlert"]),
    (
        "use 94857600",
        &["FlowAlert", "PkgQuantityList", "CardStopped"],
        &["CloudESimFlowAlert", "CloudESimPkgDeactivate", "CloudESimCardStopped"],
    ),
    ("buy b", &["SubPkgList", "PkgEffective"], &["CloudESimSubPkgList", "CloudESimPkgActivate"]),
    ("buy c", &["SubPkgList"], &["CloudESimSubPkgList"]),
    ("refund c", &["Refund", "PkgQuantityList"], &["CloudESimRefund", "CloudESimPkgDeactivate"]),
    (
        "refund b",
        &["Refund", "PkgQuantityList", "CardStopped"],
        &["CloudESimRefund", "CloudESimPkgDeactivate", "CloudESimCardStopped"],
    ),
    ("product", &["SwitchProduct"], &["CloudESimSwitchProduct"]),
    ("join", &["CardMovedInIMEIPool"], &["CardMovedInIMEIPool"]),
    ("see own", &[], &[]),
    ("see strange", &["CardIMEILocked"], &["CloudESimLocked"]),
    ("unlock", &["IMEIUnLock"], &["CloudESimUnLock"]),
    ("leave", &["CardMovedOutIMEIPool"], &["CardMovedOutIMEIPool"]),
];

struct Acts<'w> {
    scene: &'w Scene,
    client: &'w Client<'w>,
    names: Names,
    iccid: &'static str,
    orders: BTreeMap<&'static str, String>,
}

impl Acts<'_> {
    fn good(&self, path: &str, fields: Value) -> Value {
        let answer = self.client.ask(path, fields);
        assert_eq!(answer.any_code(), "200", "{path}: {}", answer.text);
        answer.data().clone()
    }

    fn happen(&self, words: &[&str]) {
        self.scene.happen(words, &self.names);
    }

    fn act(&mut self, what: &'static str) {
        self.scene.trade.pass(1);
        let (verb, about) = what.split_once(' ').unwrap_or((what, ""));
        let (package, other) = if self.iccid == CARD { ("GJ-100M-30D", "CN-1") } else { ("CN-100M-30D", "1US-1") };
        match verb {
            "buy" => {
                let number = format!("{about}-{}", self.iccid);
                let fields = json!({"iccid": self.iccid, "packageCode": package, "outTradeNo": number});
                let order = self.good("package/orderPackage", fields);
                self.orders.insert(about, order["orderId"].to_string());
            }
            "refund" => {
                let fields = json!({"iccid": self.iccid, "orderId": self.orders[about], "remark": "r"});
                self.good("package/refundPackage", fields);
            }
            "use" => self.happen(&["use", "this", about]),
            "product" => self.happen(&["product", "this", other]),
            "join" => self.happen(&["join", "this", "7"]),
            "leave" => self.happen(&["leave", "this"]),
            "see" => self.happen(&["see", "this", about]),
            "unlock" => drop(self.good("card/imeiUnlock", json!({"iccid": self.iccid}))),
            _ => panic!("{what}: no such act"),
        }
    }
}

/// The answer that each event's receiver is published to give acknowledges it, and where that says something, nothing else.
fn taken_as_published(scene: &Scene) {
    let events = scene.trade.engine.read(|tx, _| Ok(tx.events_newest(&[ACME], 1_000)?)).expect("events");
    let mut bare = BTreeSet::new();
    for (_, _, _, kind, _, body) in events {
        let Some(text) = notice(&kind, &body, "i", 1, 10_000, "s") else { continue };
        let event = serde_json::from_str::<Value>(&text).expect("JSON")["event"].as_str().expect("an event").to_owned();
        let asks = contract::asks_for_status(&event);
        assert!(acknowledged(&kind, &body, 200, br#"{"status":"SUCCESS"}"#), "{event}");
        for (status, answer) in [(200, "{}"), (204, ""), (200, r#"{"status":"FAIL"}"#)] {
            assert_eq!(acknowledged(&kind, &body, status, answer.as_bytes()), !asks, "{event} {status} {answer}");
        }
        assert!(!acknowledged(&kind, &body, 500, b"{}") && !acknowledged(&kind, &body, 302, b"{}"), "{event}");
        if !asks {
            bare.insert(event);
        }
    }
    let wanted = ["CardMovedInIMEIPool", "CardMovedOutIMEIPool", "CloudESimLocked", "CloudESimUnLock"];
    assert_eq!(bare, wanted.map(str::to_owned).into());
}

#[test]
fn every_event_of_the_contract_is_fired_by_its_act_and_by_no_other() {
    db::each(|store| {
        let scene = Scene::build(store);
        let client = Client::new(&scene.trade);
        let mut sent: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        scene.happen(&["group", "7", "acme"], &Scene::names());
        for iccid in [CHINESE, CARD] {
            let mut names = Scene::names();
            names.insert("this".into(), iccid.into());
            let mut acts = Acts { scene: &scene, client: &client, names, iccid, orders: BTreeMap::new() };
            let mut before = told(&scene.trade, iccid).len();
            assert_eq!(before, 0);
            for (what, plain, by_eid) in ACTS {
                acts.act(what);
                let all = told(&scene.trade, iccid);
                let fired: BTreeSet<&str> = all[before..].iter().map(|(event, _)| event.as_str()).collect();
                let wanted = if iccid == CARD { by_eid } else { plain };
                assert_eq!(fired, wanted.iter().copied().collect(), "{what} of {iccid}: {:#?}", &all[before..]);
                for (event, body) in &all[before..] {
                    let named = serde_json::to_string(body).expect("JSON");
                    assert!(named.contains(if iccid == CARD && event.starts_with("CloudESim") { EID } else { iccid }), "{named}");
                    sent.entry(event.clone()).or_default().push(body.clone());
                }
                before = all.len();
            }
        }
        let fired: BTreeSet<&str> = sent.keys().map(String::as_str).collect();
        assert_eq!(fired.len(), 20);
        assert_eq!(fired, contract::events().collect(), "an event that no act fires, or that is not published");
        notices_cover_their_examples(&sent);
        taken_as_published(&scene);
        scene.trade.assert_sound();
    });
}
