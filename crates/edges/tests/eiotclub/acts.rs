//! Acts that go to the carrier, tasks and messages: each answer as published, each refusal with its code, and what the
//! virtual carrier then shows.

use crate::client::{Answer, Client};
use crate::contract::{self, faults};
use kachi_connectors::sandbox::Fault;
use kachi_domain::carrier::Capabilities;
use kachi_domain::{Iccid, PlatformId};
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db;
use kachi_testkit::trade::{CARD, CHINESE, CLOSED, FOREIGN, NOBODY, READY, Trade};
use serde_json::{Value, json};

const EID: &str = "89049032000000000000000000000001";
const FOREIGN_EID: &str = "89049032000000000000000000000009";
const NO_EID: &str = "89049032000000000000000000009999";
const IMSI: &str = "460001234567890";

const OPTIONS: &str = "card/switchOptions";
const SWITCH: &str = "card/switchOperator";
const USAGE: &str = "card/refreshUsage";
const REFRESH: &str = "card/refreshCard";
const CANCEL: &str = "card/cancelLocation";
const RESET: &str = "card/reset";
const TASK: &str = "task/query";
const SMS: &str = "sms/sendSms";
const CLOUD_USAGE: &str = "cloudesim/refreshUsage";
const CLOUD_CANCEL: &str = "cloudesim/cancelSession";

/// The carrier of `1US-1`, with the networks the source names.
fn carrier(trade: &Trade) -> Carrier {
    let carrier = Carrier::of(&trade.engine, "1US-1", json!({"lag_seconds": 60}), &["ATT", "TMobile", "VAT"]);
    carrier.remember(&trade.engine);
    for iccid in [CARD, READY] {
        carrier.world.connect(iccid, trade.now());
    }
    carrier
}

/// A minute passes and the workers do what is due.
fn minute(trade: &Trade, carrier: &Carrier) {
    carrier.work(&trade.engine);
    trade.pass(60);
    carrier.work(&trade.engine);
}

/// A success as the contract declares it.
fn good(client: &Client<'_>, path: &str, fields: Value) -> Answer {
    let answer = client.ask(path, fields);
    assert_eq!((answer.status, answer.code()), (200, "200"), "{path}: {}", answer.text);
    let mut declared = answer.json.clone();
    if path == RESET {
        // Ours: without the task's number nobody could ask for it.
        declared.as_object_mut().expect("an object").remove("data");
    }
    let wrong = faults(&declared, contract::answer(path), path);
    assert!(wrong.is_empty(), "{wrong:#?}");
    answer
}

/// How many writes, tasks and messages are kept.
fn kept(trade: &Trade) -> (usize, usize, usize) {
    let count = |tx: &mut kachi_store::Tx<'_>| {
        Ok::<_, kachi_store::Error>((tx.intents(false, 1_000)?.len(), tx.tasks_newest(1_000)?.len(), tx.sms_newest(1_000)?.len()))
    };
    trade.engine.store().read(count).expect("counts")
}

#[test]
fn a_card_is_switched_to_another_network() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        let options = || good(&client, OPTIONS, json!({"iccid": CARD})).data().clone();
        assert_eq!(options(), json!({"operators": ["ATT", "TMobile", "VAT"], "network": "VAT"}));
        assert_eq!(good(&client, OPTIONS, json!({"iccid": CHINESE})).data(), &json!({"operators": [], "network": ""}));
        let done = good(&client, SWITCH, json!({"iccid": CARD, "network": "ATT"}));
        assert_eq!(done.json, json!({"code": "200", "message": "Success"}));
        carrier.work(&trade.engine);
        assert_eq!(options()["network"], "VAT", "submitted is not done");
        minute(&trade, &carrier);
        assert_eq!(options()["network"], "ATT");
        assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": CARD})).data()["network"], "ATT");
        assert_eq!(carrier.world.card(CARD, trade.now()).network.as_deref(), Some("ATT"));
        for (fields, network) in [
            (json!({"imsi": IMSI, "network": "TMobile"}), "TMobile"),
            (json!({"imsi": IMSI, "iccid": CARD, "network": "VAT"}), "VAT"),
        ] {
            good(&client, SWITCH, fields);
            minute(&trade, &carrier);
            assert_eq!(options()["network"], network);
        }
    });
}

#[test]
fn a_switch_under_way_holds_the_next_one() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        carrier.world.fail(Fault::NeverApplied { forget_seconds: Some(150) });
        let switch = |network: &str| client.ask(SWITCH, json!({"iccid": CARD, "network": network})).code().to_owned();
        assert_eq!(switch("ATT"), "200");
        minute(&trade, &carrier);
        assert_eq!((switch("TMobile"), switch("ATT")), ("45105".into(), "200".into()));
        assert_eq!(kept(&trade).0, 1, "the same is asked for once");
        for _ in 0..5 {
            minute(&trade, &carrier);
        }
        assert_eq!(good(&client, OPTIONS, json!({"iccid": CARD})).data()["network"], "ATT");
        assert_eq!(switch("TMobile"), "200");
    });
}

#[test]
fn a_refresh_and_the_end_of_a_session_are_asked_for_once_in_five_minutes() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        carrier.world.spend(CARD, 12_345, trade.now());
        let body = client.sealed("acme", &json!({"iccid": CARD}));
        let first = client.post(USAGE, &body);
        assert_eq!(first.json, json!({"code": "200", "message": "Success"}));
        assert_eq!(client.post(USAGE, &body), first, "the same request gets the first answer");
        good(&client, CANCEL, json!({"iccid": CARD}));
        for (path, fields) in [
            (USAGE, json!({"iccid": CARD})),
            (CANCEL, json!({"iccid": CARD})),
            (CLOUD_USAGE, json!({"eid": EID})),
            (CLOUD_CANCEL, json!({"eid": EID})),
        ] {
            let again = client.ask(path, fields);
            assert_eq!((again.code(), again.data()), ("44001", &Value::Null), "{path}: one card, by whichever number");
        }
        minute(&trade, &carrier);
        let (sim, counter) = (trade.sim(CARD), |sim| trade.engine.store().read(|tx| tx.counter(sim)).expect("a look"));
        assert_eq!(counter(sim).map(|c| c.bytes), Some(12_345));
        assert_eq!(carrier.world.card(CARD, trade.now()).sessions, 2);
        assert_eq!(good(&client, "card/getCardsInfo", json!({"iccid": CARD})).data()["totalUseFlow"], 0, "CDRs rate");
        trade.pass(239);
        assert_eq!(client.ask(USAGE, json!({"iccid": CARD})).code(), "44001");
        trade.pass(1);
        for (path, fields) in [(CLOUD_USAGE, json!({"eid": EID})), (CLOUD_CANCEL, json!({"eid": EID}))] {
            assert_eq!(good(&client, path, fields).data(), &json!({}));
        }
        minute(&trade, &carrier);
        assert_eq!(carrier.world.card(CARD, trade.now()).sessions, 3);
        assert_eq!(kept(&trade).0, 4);
    });
}

#[test]
fn the_old_refresh_still_answers_and_says_that_it_is_old() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        carrier.world.spend(CARD, 7, trade.now());
        let answer = good(&client, REFRESH, json!({"iccid": CARD}));
        assert_eq!(answer.deprecation.as_deref(), Some("@1761062400"), "2025-10-22 in China");
        assert_eq!(client.ask(REFRESH, json!({"iccid": CARD})).code(), "44001");
        assert_eq!(good(&client, USAGE, json!({"iccid": CARD})).deprecation, None, "its own five minutes");
        minute(&trade, &carrier);
        let sim = trade.sim(CARD);
        let counter = trade.engine.store().read(|tx| tx.counter(sim)).expect("a look");
        assert_eq!(counter.map(|c| c.bytes), Some(7));
        assert_eq!(carrier.world.card(CARD, trade.now()).sessions, 1, "the session goes on");
    });
}

#[test]
fn many_cards_are_reset_as_a_task() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        carrier.world.fail_card(READY, Fault::Cooling { seconds: 600 });
        let body = client.sealed("acme", &json!({"iccids": format!("{CARD},{READY},{CLOSED},{CARD}")}));
        let made = client.post(RESET, &body);
        assert_eq!(client.post(RESET, &body), made, "the same request makes no second task");
        let id = made.data()["taskId"].as_str().expect("a task").to_owned();
        let task = || {
            let data = good(&client, TASK, json!({"ids": format!("{id}, 99999,{id}")})).data().clone();
            assert_eq!(data.as_array().map(Vec::len), Some(1), "each once, an unknown one not at all");
            assert_eq!(data[0]["id"], id.as_str());
            let result: Value = serde_json::from_str(data[0]["result"].as_str().expect("text")).expect("JSON");
            let states: Vec<String> =
                result["cards"].as_array().expect("cards").iter().map(|c| c["state"].as_str().expect("a word").into()).collect();
            (data[0]["status"].as_str().expect("a number").to_owned(), states.join(" "), result)
        };
        let (status, states, result) = task();
        assert_eq!((status.as_str(), states.as_str(), &result["open"]), ("0", "waiting waiting waiting", &json!(3)));
        minute(&trade, &carrier);
        minute(&trade, &carrier);
        let (status, states, result) = task();
        assert_eq!((status.as_str(), states.as_str()), ("1", "done sent failed"), "a cooling card holds nobody");
        assert_eq!(result["cards"][1]["result"], "later: 13009 too many writes for one card");
        (0..11).for_each(|_| minute(&trade, &carrier));
        let (status, states, result) = task();
        assert_eq!((status.as_str(), states.as_str()), ("2", "done done failed"));
        assert_eq!(result["cards"][2], json!({"iccid": CLOSED, "state": "failed", "result": "the card is closed"}));
        assert_eq!((&result["total"], &result["done"], &result["failed"]), (&json!(3), &json!(2), &json!(1)));
        for iccid in [CARD, READY] {
            assert_eq!(carrier.world.card(iccid, trade.now()).sessions, 2, "{iccid}");
        }
        assert_eq!(client.ask_as("other", TASK, json!({"ids": id})).data(), &json!([]), "a stranger's is not there");
    });
}

#[test]
fn a_message_reaches_the_device() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        let text = "好".repeat(300);
        let body = client.sealed("acme", &json!({"iccid": CARD, "message": text}));
        let sent = client.post(SMS, &body);
        assert_eq!(client.post(SMS, &body), sent, "the same request sends no second message");
        let number = sent.data()["trans_id"].as_str().expect("a name").to_owned();
        let state = || trade.engine.store().read(|tx| tx.sms(&number)).expect("a look").expect("a message").state.word();
        assert_eq!(state(), "queued");
        carrier.work(&trade.engine);
        assert_eq!(state(), "sent");
        minute(&trade, &carrier);
        assert_eq!(state(), "delivered");
        assert_eq!(carrier.world.card(CARD, trade.now()).messages, std::slice::from_ref(&text));
        let lines = "line 1\r\nline 2\t(3)";
        let again = good(&client, SMS, json!({"iccid": CARD, "message": lines}));
        assert_ne!(again.data()["trans_id"], number.as_str());
        minute(&trade, &carrier);
        assert_eq!(carrier.world.card(CARD, trade.now()).messages, [text, lines.to_owned()], "line by line as it was sent");
        assert_eq!(client.ask(SMS, json!({"iccid": CARD, "message": "a\u{0}b"})).code(), "42000", "no database keeps that");
    });
}

/// What each operation refuses.
fn refused() -> Vec<(&'static str, Value, &'static str)> {
    let many = vec![CARD; 101].join(",");
    let ids = (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let switch = |iccid: &str, network: Value| json!({"iccid": iccid, "network": network});
    let sms = |message: Value| json!({"iccid": CARD, "message": message});
    let mut table = vec![
        (SWITCH, json!({"network": "ATT"}), "41003"),
        (SWITCH, json!({"imsi": "46000", "network": "ATT"}), "41013"),
        (SWITCH, json!({"imsi": [IMSI], "network": "ATT"}), "41013"),
        (SWITCH, json!({"imsi": IMSI, "iccid": "12", "network": "ATT"}), "41003"),
        (SWITCH, json!({"imsi": "460009999999999", "network": "ATT"}), "42405"),
        (SWITCH, json!({"imsi": IMSI, "iccid": READY, "network": "ATT"}), "42405"),
        (SWITCH, switch(CARD, json!(null)), "41014"),
        (SWITCH, switch(CARD, json!("  ")), "41014"),
        (SWITCH, switch(CARD, json!(["ATT"])), "41014"),
        (SWITCH, switch(CARD, json!("Verizon")), "45107"),
        (SWITCH, switch(CARD, json!("att")), "45107"),
        (SWITCH, switch(READY, json!("ATT")), "45105"),
        (SWITCH, switch(CLOSED, json!("ATT")), "45105"),
        (RESET, json!({}), "41001"),
        (RESET, json!({"iccids": ""}), "41001"),
        (RESET, json!({"iccids": [CARD]}), "41001"),
        (RESET, json!({"iccids": format!("{CARD},12")}), "41002"),
        (RESET, json!({"iccids": format!("{CARD},")}), "41002"),
        (RESET, json!({"iccids": many}), "41007"),
        (TASK, json!({}), "43332"),
        (TASK, json!({"ids": ""}), "43332"),
        (TASK, json!({"ids": "1,a"}), "43332"),
        (TASK, json!({"ids": "-1"}), "43332"),
        (TASK, json!({"ids": [1]}), "43332"),
        (TASK, json!({"ids": ids}), "43332"),
        (SMS, json!({"message": "hello"}), "41003"),
        (SMS, json!({"iccid": CLOSED, "message": "hello"}), "45101"),
        (SMS, sms(json!(null)), "42000"),
        (SMS, sms(json!(" ")), "42000"),
        (SMS, sms(json!({"a": 1})), "42000"),
        (SMS, sms(json!("好".repeat(301))), "42000"),
    ];
    for path in [OPTIONS, USAGE, REFRESH, CANCEL] {
        table.push((path, json!({}), "41003"));
        table.push((path, json!({"iccid": "123"}), "41003"));
        table.push((path, json!({"iccid": [CARD]}), "41003"));
    }
    for path in [USAGE, REFRESH, CANCEL] {
        table.push((path, json!({"iccid": CLOSED}), "44002"));
    }
    for path in [CLOUD_USAGE, CLOUD_CANCEL] {
        table.push((path, json!({}), "41003"));
        table.push((path, json!({"eid": "11111111111111111111111111"}), "41003"));
        table.push((path, json!({"eid": NO_EID}), "42405"));
    }
    table
}

#[test]
fn a_refused_act_has_its_code_and_asks_nobody() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        for (path, fields, code) in refused() {
            let answer = client.ask(path, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{path} {fields}: {}", answer.text);
            assert_eq!(answer.data(), &Value::Null, "{path} {fields}");
            assert_eq!(answer.deprecation.is_some(), path == REFRESH, "{path}");
        }
        carrier.work(&trade.engine);
        assert_eq!(kept(&trade), (0, 0, 0));
    });
}

#[test]
fn what_the_platform_cannot_do_is_told_at_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        Carrier::of(&trade.engine, "1US-1", json!({}), &["ATT"]);
        let unable = Capabilities { subscribe: true, look: true, ..Capabilities::default() };
        let known = trade.engine.write(move |tx, catalogue, _| {
            let platform = catalogue.platform_by_code("virtual").map_or(PlatformId(0), |p| p.id);
            tx.put_platform_capabilities(platform, unable)?;
            Ok(tx.touch_catalogue()?)
        });
        known.expect("it is kept");
        for (path, fields) in [
            (SWITCH, json!({"iccid": CARD, "network": "ATT"})),
            (USAGE, json!({"iccid": CARD})),
            (REFRESH, json!({"iccid": CARD})),
            (CANCEL, json!({"iccid": CARD})),
            (CLOUD_USAGE, json!({"eid": EID})),
            (CLOUD_CANCEL, json!({"eid": EID})),
            (SMS, json!({"iccid": CARD, "message": "hello"})),
        ] {
            assert_eq!(client.ask(path, fields).code(), "41032", "{path}");
        }
        assert_eq!(kept(&trade), (0, 0, 0));
    });
}

#[test]
fn a_stranger_card_is_not_there_for_any_act() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let _carrier = carrier(&trade);
        let actor = trade.actor(kachi_domain::AccountId(1));
        let printed = trade.engine.write(move |tx, catalogue, how| {
            let iccid = Iccid::parse(FOREIGN).expect("well-formed");
            let card = tx.sim_by_iccid(&actor.path, iccid.as_str())?.expect("a card");
            let imsi = Some("460007777777777".to_owned());
            kachi_engine::sims::put(tx, catalogue, how, &kachi_store::sims::Sim { eid: Some(FOREIGN_EID.into()), imsi, ..card })
        });
        printed.expect("its numbers");
        for (path, foreign, nobody) in [
            (OPTIONS, json!({"iccid": FOREIGN}), json!({"iccid": NOBODY})),
            (SWITCH, json!({"iccid": FOREIGN, "network": "ATT"}), json!({"iccid": NOBODY, "network": "ATT"})),
            (SWITCH, json!({"imsi": "460007777777777", "network": "ATT"}), json!({"imsi": "460009999999999", "network": "ATT"})),
            (USAGE, json!({"iccid": FOREIGN}), json!({"iccid": NOBODY})),
            (REFRESH, json!({"iccid": FOREIGN}), json!({"iccid": NOBODY})),
            (CANCEL, json!({"iccid": FOREIGN}), json!({"iccid": NOBODY})),
            (RESET, json!({"iccids": format!("{CARD},{FOREIGN}")}), json!({"iccids": format!("{CARD},{NOBODY}")})),
            (SMS, json!({"iccid": FOREIGN, "message": "m"}), json!({"iccid": NOBODY, "message": "m"})),
            (CLOUD_USAGE, json!({"eid": FOREIGN_EID}), json!({"eid": NO_EID})),
            (CLOUD_CANCEL, json!({"eid": FOREIGN_EID}), json!({"eid": NO_EID})),
        ] {
            let (foreign, nobody) = (client.ask(path, foreign), client.ask(path, nobody));
            assert_eq!(foreign.code(), "42405", "{path}: {}", foreign.text);
            assert_eq!(foreign.text, nobody.text, "{path}");
        }
        assert_eq!(kept(&trade), (0, 0, 0));
        assert_eq!(client.ask_as("north", USAGE, json!({"iccid": CARD})).code(), "200", "the level above sees it");
    });
}

#[test]
fn sixty_four_at_once_ask_the_carrier_once() {
    db::each(|store| {
        let trade = Trade::build(store);
        let (client, carrier) = (Client::new(&trade), carrier(&trade));
        let bodies = (0..64).map(|n| client.sealed(if n % 2 == 0 { "acme" } else { "north" }, &json!({"iccid": CARD}))).collect();
        let answers = client.race(CANCEL, bodies);
        let count = |code: &str| answers.iter().filter(|a| a.code() == code).count();
        assert_eq!((count("200"), count("44001")), (1, 63));
        minute(&trade, &carrier);
        assert_eq!(carrier.world.card(CARD, trade.now()).sessions, 2);
    });
}
