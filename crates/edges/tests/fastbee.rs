//! The card door of FastBee: the five rows of the source's acceptance checklist, named after them, and what it refuses.
//! On SQLite and PostgreSQL.

#[path = "fastbee/client.rs"]
mod client;

use client::{ACME_TOKEN, Client, STRANGER_TOKEN, Tells};
use kachi_domain::Timestamp;
use kachi_domain::account::Switch;
use kachi_domain::carrier::{Answer, Counter, Line, Standing};
use kachi_domain::device::Report;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_engine::devices::{self, Heard};
use kachi_engine::{accounts, intents};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, STRANGER, World, line};
use serde_json::{Value, json};

/// A card that the carrier tells nothing of but where it stands.
fn stands(base: BaseState) -> Line {
    Line { standing: Some(Standing { base, raw: String::new(), since: None }), ..Line::default() }
}

fn report(w: &World, serial: &str, card: u64) {
    let report = Report { iccid: Some(World::iccid(card)), rssi: Some(-43), firmware: Some("1.2".into()), ..Report::default() };
    let heard = Heard { serial: serial.into(), product: "7".into(), report };
    w.engine.write(move |tx, catalogue, how| devices::take(tx, catalogue, how, &[heard])).expect("it is taken in");
}

/// "Card import: ICCID is unique and basic card information is complete."
#[test]
fn card_import() {
    each(|store| {
        let w = World::new(store);
        let c = Client::new(&w);
        let csv = "iccid,msisdn,imsi,cardStatus,dataAlertThreshold,remark\n\
                   898604293620c0000970,1440000000001,460001234567890,0,80,lift 3\n\
                   898604293620C0000970,1440000000002,460001234567891,0,80,twice\n\
                   8986,1440000000003,460001234567892,0,80,short\n\
                   89860429362000000971,1440000000004,,1,,\n";
        let done = c.post_text("/card/import?cardPlatformId=1", csv);
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!((&done.data()["total"], &done.data()["success"], &done.data()["failed"]), (&json!(4), &json!(2), &json!(2)));
        let failures: Vec<(i64, &str)> = done.data()["failures"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|f| (f["line"].as_i64().expect("a line"), f["msg"].as_str().expect("words")))
            .collect();
        assert_eq!(failures[0], (3, "iccid: 898604293620C0000970 is there already; an ICCID is unique"));
        assert!(failures[1].0 == 4 && failures[1].1.starts_with("iccid: must be 18"), "{failures:?}");
        let card = c.get("/card/898604293620C0000970");
        for (name, value) in [
            ("iccid", json!("898604293620C0000970")),
            ("msisdn", json!("1440000000001")),
            ("imsi", json!("460001234567890")),
            ("cardPlatformId", json!(1)),
            ("cardPlatformName", json!("hand")),
            ("dataAlertThreshold", json!(80)),
            ("remark", json!("lift 3")),
            ("operator", json!("INTL")),
            ("productCode", json!("1US-1")),
            ("tenantId", json!(ACME.0)),
        ] {
            assert_eq!(card.data()[name], value, "{name}: {card:?}");
        }
        // One by one, under the source's own path: there once, whoever adds it.
        let (iccid, number) = ("898604293620C0000970", "1440000000001");
        let again = c.post("/iot/card", &json!({"iccid": iccid, "cardPlatformId": 1}));
        assert_eq!((again.status, &again.json["field"]), (400, &json!("iccid")));
        // A number is one card's, too.
        let taken = c.post("/card", &json!({"iccid": "89860429362000000976", "cardPlatformId": 1, "msisdn": number}));
        assert_eq!((taken.status, &taken.json["field"]), (400, &json!("msisdn")), "{taken:?}");
        assert!(!taken.text.contains(iccid), "whose it is is not told");
        assert_eq!(c.as_token(STRANGER_TOKEN).get("/card/898604293620C0000970").status, 404, "a stranger's card is not there");
        let list = json!({"cardPlatformId": 1, "cards": [{"iccid": "89860429362000000972"}, {"iccid": "89860429362000000973", "colour": "red"}]});
        let done = c.post("/card/import", &list);
        assert_eq!((&done.data()["success"], &done.data()["failures"][0]["line"]), (&json!(1), &json!(2)));
        assert_eq!(c.get("/card/list").json["total"], 3);
        w.assert_sound();
    });
}

#[test]
fn the_numbers_by_which_a_carrier_is_asked_are_not_the_owners_to_change() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.add_cards(STRANGER, 2..3);
        let victim = w.card(2).sim.id;
        let numbered = move |tx: &mut kachi_store::Tx<'_>| -> kachi_engine::Result<()> {
            let sim = tx.sim_by_id(victim)?.expect("the card");
            Ok(tx.change_sim(victim, &kachi_store::sims::Sim { msisdn: Some("1490000000001".into()), ..sim })?)
        };
        w.engine.write(move |tx, _, _| numbered(tx)).expect("a number");
        let c = Client::new(&w);
        let mine = World::iccid(0);
        for (field, number) in [("msisdn", "1490000000001"), ("msisdn", "1490000000002"), ("imsi", "460000000000002")] {
            let mut change = json!({"iccid": mine.as_str(), "remark": "changed"});
            change[field] = json!(number);
            let refused = c.put("/card", &change);
            assert_eq!((refused.status, &refused.json["field"]), (400, &json!(field)), "{refused:?}");
            assert!(refused.json["msg"].as_str().expect("words").contains("by the operator alone"), "{refused:?}");
        }
        let row = c.get(&format!("/card/{mine}")).data().clone();
        assert_eq!((&row["msisdn"], &row["remark"]), (&Value::Null, &json!("")), "nothing half done");
        assert_eq!(c.put("/card", &row).status, 200, "sent back as it is");
        // The carrier, asked by the ICCID, knows better than anybody here.
        let told =
            Line { msisdn: Some("1490000000001".into()), imsi: Some("460000000000077".into()), ..stands(BaseState::Active) };
        let tells = Tells::of(&[(mine.as_str(), Ok(told))]);
        let read = c.working(&tells).post("/card/syncInfo", &json!({"iccid": mine.as_str()}));
        assert_eq!(
            (&read.data()["msisdn"], &read.data()["imsi"]),
            (&json!("1490000000001"), &json!("460000000000077")),
            "{read:?}"
        );
        assert_eq!(w.card(2).sim.msisdn, None, "it was never that card's");
        w.assert_sound();
    });
}

#[test]
fn an_account_adds_cards_only_where_the_operator_lets_it() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let c = Client::new(&w).as_token(STRANGER_TOKEN);
        let new = "89860429362000000971";
        let tells = Tells::of(&[(new, Ok(stands(BaseState::Active)))]);
        let add = |iccid: &str| c.post("/card", &json!({"iccid": iccid, "cardPlatformId": 1}));
        let sync = |iccid: &str| c.working(&tells).post("/card/syncInfo", &json!({"iccid": iccid, "cardPlatformId": 1}));
        let taken = World::iccid(0);
        for iccid in [new, taken.as_str()] {
            let refused = [add(iccid), sync(iccid), c.post_text("/card/import?cardPlatformId=1", &format!("iccid\n{iccid}\n"))];
            for no in refused {
                assert_eq!(no.status, 403, "{no:?}");
                assert!(no.json["msg"].as_str().expect("words").contains("fastbee: {claim: true}"), "{no:?}");
            }
        }
        assert_eq!(sync(new), sync(taken.as_str()), "another account's card answers as one that is not there");
        assert_eq!(c.get(&format!("/card/{new}")).status, 404);
        assert_eq!(c.get("/card/platform/list").json["total"], 0, "it has no card on any of them");
        assert_eq!(c.get("/card/platform/1").status, 400);
        w.engine
            .write(|tx, catalogue, how| {
                let account = catalogue.account(STRANGER).expect("an account").account.clone();
                tx.put_account(&kachi_store::accounts::Account { claims: true, ..account }, how.now)?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("the operator lets it");
        assert_eq!(sync(new).status, 200);
        assert_eq!(
            w.engine.read(|tx, _| Ok(tx.sims_by_iccid(&kachi_domain::account::Path::root(), &[new])?)).unwrap()[0].account,
            STRANGER
        );
        assert_eq!(c.get("/card/platform/list").json["total"], 2);
        w.assert_sound();
    });
}

/// "Device binding: Device detail can display the associated card information."
#[test]
fn device_binding() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let c = Client::new(&w);
        report(&w, "D1", 0);
        let device = c.get("/card/device/D1");
        assert_eq!((&device.data()["serialNumber"], &device.data()["rssi"]), (&json!("D1"), &json!(-43)), "{device:?}");
        let card = &device.data()["card"];
        assert_eq!((&card["iccid"], &card["cardStatus"]), (&json!(World::iccid(0).as_str()), &json!(2)), "no package: stopped");
        assert_eq!((&card["imsi"], &card["cardPlatformId"]), (&json!("460000000000000"), &json!(1)));
        // And the card shows the device.
        let id = device.data()["deviceId"].clone();
        let shown = c.get(&format!("/card/{}", World::iccid(0)));
        assert_eq!((&shown.data()["serialNumber"], &shown.data()["deviceId"]), (&json!("D1"), &id));
        assert_eq!(c.get(&format!("/card/list?deviceId={id}")).json["total"], 1);
        assert_eq!(c.as_token(STRANGER_TOKEN).get("/card/device/D1").status, 404, "a stranger's device is not there");
        // An account says itself which card is in which of its devices.
        let moved = c.put("/card", &json!({"iccid": World::iccid(1).as_str(), "serialNumber": "D1"}));
        assert_eq!((moved.status, &moved.data()["serialNumber"]), (200, &json!("D1")), "{moved:?}");
        assert_eq!(c.get(&format!("/card/{}", World::iccid(0))).data()["serialNumber"], Value::Null);
        w.assert_sound();
    });
}

/// "Device reporting: Reported ICCID can match an existing card."
#[test]
fn device_reporting() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.add_cards(STRANGER, 2..3);
        let c = Client::new(&w);
        // The payload of the source, its ICCID with a letter and without quotes.
        let created = c.post("/card", &json!({"iccid": "898604293620C0000970", "cardPlatformId": 1}));
        assert_eq!(created.status, 200, "{created:?}");
        let payload = br#"{"rssi": -43, "iccid": 898604293620C0000970, "cardPlatformId": 0, "summary": {"chip": "ESP8266"}}"#;
        let said = kachi_dialects::fastbee::report(payload).expect("it reads");
        let heard = Heard { serial: "D9".into(), product: "7".into(), report: said };
        w.engine.write(move |tx, catalogue, how| devices::take(tx, catalogue, how, &[heard])).expect("it is taken in");
        let device = c.get("/card/device/D9");
        assert_eq!((&device.data()["iccid"], &device.data()["claim"]), (&json!("898604293620C0000970"), &json!("bound")));
        assert_eq!(device.data()["summary"]["chip"], "ESP8266");
        // A card of another account is not matched; the device stays with the card it has.
        report(&w, "D1", 0);
        report(&w, "D1", 2);
        let device = c.get("/card/device/D1");
        assert_eq!((&device.data()["iccid"], &device.data()["claim"]), (&json!(World::iccid(0).as_str()), &json!("open")));
        w.assert_sound();
    });
}

/// "Usage query: Card status and traffic usage can be refreshed when platform API is configured."
#[test]
fn usage_query() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let c = Client::new(&w);
        let iccid = World::iccid(0);
        let counter = Counter { bytes: 3 * MB / 2, as_of: Timestamp(BEGIN - 60) };
        let line = Line { network: Some("ATT".into()), counter: Some(counter), ..Line::default() };
        let tells = Tells::of(&[(iccid.as_str(), Ok(line)), ("89860429362000000971", Ok(stands(BaseState::Ready)))]);
        let read = c.working(&tells).post("/card/syncTrafficInfo", &json!({"iccid": iccid.as_str()}));
        assert_eq!((read.status, &read.data()["counterData"]), (200, &json!(1.50)), "{read:?}");
        assert_eq!(read.data()["counterAsOf"], "2026-03-01 07:59:00");
        assert_eq!(
            c.working(&tells).post("/iot/card/syncStatus", &json!({"iccid": iccid.as_str(), "cardPlatformId": 1})).status,
            200
        );
        assert_eq!(w.card(0).sim.network, "ATT", "what is read is kept");
        // As the source's own page adds a card: by reading it at its platform, which must know it.
        let added = c.working(&tells).post("/card/syncInfo", &json!({"iccid": "89860429362000000971", "cardPlatformId": 1}));
        assert_eq!((added.status, &added.data()["cardStatus"]), (200, &json!(1)), "{added:?}");
        // What the carrier tells of it later is what is shown.
        for (told, status) in [(BaseState::Active, 2), (BaseState::Closed, 3)] {
            let tells = Tells::of(&[("89860429362000000971", Ok(stands(told)))]);
            let read = c.working(&tells).post("/card/syncStatus", &json!({"iccid": "89860429362000000971"}));
            assert_eq!(
                (read.status, &read.data()["cardStatus"], &read.data()["state"]),
                (200, &json!(status), &json!(told.word()))
            );
        }
        let unknown = c.working(&tells).post("/card/syncInfo", &json!({"iccid": "89860429362000000972", "cardPlatformId": 1}));
        assert_eq!((unknown.status, &unknown.json["msg"]), (502, &json!("the card platform says: 404 no such card")));
        assert_eq!(c.get("/card/89860429362000000972").status, 404, "it is not added");
        // A platform that is silent is asked on, and the caller told so.
        let silent = Tells::of(&[(iccid.as_str(), Err(Answer::InDoubt { reason: "no answer in time".into() }))]);
        let read = c.working(&silent).impatient().post("/card/syncTrafficInfo", &json!({"iccid": iccid.as_str()}));
        assert_eq!(read.status, 202, "{read:?}");
        w.pass(1);
        let read = c.working(&tells).post("/card/syncTrafficInfo", &json!({"iccid": iccid.as_str()}));
        assert_eq!(read.status, 200, "the wish that waited is the same one: {read:?}");
        w.assert_sound();
    });
}

/// "Abnormal handling: Suspended, expired, or over-limit cards can be identified quickly."
#[test]
fn abnormal_handling() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..5);
        let c = Client::new(&w);
        for card in 0..4 {
            w.buy(card, "Q100-30D", &format!("o{card}")).expect("bought");
        }
        w.cdr("used up", &line(1, 1, BEGIN, BEGIN + 60, 100 * MB));
        w.cdr("in part", &line(2, 3, BEGIN, BEGIN + 60, 50 * MB));
        w.pass(120);
        let stopped = c.post(&format!("/card/suspend/{}", World::iccid(2)), &json!({}));
        assert_eq!(
            (stopped.status, &stopped.data()["cardStatus"]),
            (202, &json!(0)),
            "not before the carrier's word: {stopped:?}"
        );
        let open = w.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("intents");
        assert_eq!(c.post(&format!("/card/suspend/{}", World::iccid(2)), &json!({})).status, 202);
        assert_eq!(w.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("intents").len(), open.len(), "asked once");
        // One that was not sent yet gives way to its contrary, and that again.
        for act in ["activate", "suspend"] {
            assert_eq!(c.post(&format!("/card/{act}/{}", World::iccid(2)), &json!({})).status, 202);
        }
        let open = w.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("intents");
        assert_eq!(open.len(), 1, "not both at once: {open:?}");
        intents::confirm(&w.engine, open[0].id, "Ann").expect("a person did it");
        let shown = |card: u64| c.get(&format!("/card/{}", World::iccid(card))).data().clone();
        assert_eq!((&shown(2)["cardStatus"], &shown(2)["blocks"]), (&json!(2), &json!(["owner_stop"])));
        assert_eq!((&shown(3)["dataUsed"], &shown(3)["trafficProportion"]), (&json!(50.0), &json!(50.0)));
        let threshold = c.put("/card", &json!({"iccid": World::iccid(3).as_str(), "dataAlertThreshold": 50}));
        assert_eq!((threshold.status, &threshold.data()["alertFlag"]), (200, &json!(true)));
        w.pass(31 * 86_400);
        w.buy(3, "Q100-30D", "o9").expect("bought");
        let id = w.card(3).sim.id;
        let messages_off = w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, "active", Blocks::SMS_OFF.0, None)?));
        messages_off.expect("its data goes through");
        let listed = |query: &str| -> Vec<String> {
            let found = c.get(&format!("/card/list?{query}"));
            assert_eq!(found.status, 200, "{found:?}");
            let rows = found.json["rows"].as_array().expect("rows").iter();
            rows.map(|r| r["iccid"].as_str().expect("an ICCID").to_owned()).collect()
        };
        let cards = |n: &[u64]| n.iter().map(|n| World::iccid(*n).to_string()).collect::<Vec<_>>();
        assert_eq!(listed("abnormal=suspended"), cards(&[2]));
        assert_eq!(listed("abnormal=expired"), cards(&[0, 2]));
        assert_eq!(listed("abnormal=over_limit"), cards(&[1]));
        assert_eq!(listed("cardStatus=0"), cards(&[3]));
        assert_eq!(listed("cardStatus=2&pageSize=2&pageNum=2"), cards(&[2, 4]));
        assert_eq!(listed("operator=CMCC"), cards(&[]));
        assert_eq!(listed(&format!("iccid={}&cardStatus=0", World::iccid(3))), cards(&[3]));
        assert_eq!(listed(&format!("imsi=460000000000001&iccid={}", World::iccid(2))), cards(&[]));
        let numbers = c.get("/card/statistics");
        for (name, n) in [
            ("totalCount", 5),
            ("normalCount", 1),
            ("shutdownCount", 4),
            ("suspendedCount", 1),
            ("expiredCount", 2),
            ("overLimitCount", 1),
        ] {
            assert_eq!(numbers.data()[name], n, "{name}: {numbers:?}");
        }
        assert_eq!(numbers.data()["platformVOList"][0]["count"], 5);
        // Let on again; what else is in its way stays, and is shown.
        let on = c.post(&format!("/card/activate/{}", World::iccid(2)), &json!({}));
        assert_eq!(on.status, 202, "{on:?}");
        assert!(on.json["msg"].as_str().expect("words").contains("left in its way: expired"), "{on:?}");
        let open = w.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("intents");
        intents::confirm(&w.engine, open[0].id, "Ann").expect("a person did it");
        assert_eq!(shown(2)["blocks"], json!(["expired"]));
        assert_eq!(c.post(&format!("/card/activate/{}", World::iccid(2)), &json!({})).status, 200, "it is so already");
        // What others keep off is refused before anything is sent, with who can lift it.
        let id = w.card(2).sim.id;
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, "active", Blocks::REGION.0, None)?)).expect("it stands so");
        let barred = c.post(&format!("/card/resume/{}", World::iccid(2)), &json!({}));
        assert!(barred.status == 409 && barred.text.contains("region") && barred.text.contains("the carrier"), "{barred:?}");
        assert_eq!(w.engine.read(|tx, _| Ok(tx.intents(true, 10)?)).expect("intents").len(), 0);
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, "active", Blocks::EXPIRED.0, None)?)).expect("it stands so");
        w.assert_sound();
    });
}

#[test]
fn cards_are_changed_and_taken_out_only_as_may_be() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let c = Client::new(&w);
        w.buy(0, "Q100-30D", "o0").expect("bought");
        let row = c.get(&format!("/card/{}", World::iccid(0))).data().clone();
        // The source's pages send a whole row back: what it may not change is let be as long as it is the same.
        let mut whole = row.clone();
        whole["remark"] = json!("changed");
        whole["expireTime"] = Value::Null;
        let changed = c.put("/iot/card", &whole);
        assert_eq!((changed.status, &changed.data()["remark"]), (200, &json!("changed")), "{changed:?}");
        for (field, value, words) in [
            ("cardStatus", json!(2), "changes at the carrier"),
            ("cardPlatformId", json!(2), "belongs to the card's product"),
            ("productCode", json!("other"), "is changed by the operator"),
            ("imsi", json!("12"), "must be 15 digits, not \"12\""),
            ("dataAlertThreshold", json!(101), "must be a percentage from 0 to 100"),
            ("openTime", json!("tomorrow"), "must be a time such as"),
            ("imis", json!("1"), "there is no such field"),
            ("remark", json!(["x"]), "must be a text or a number"),
        ] {
            let mut wrong = json!({"id": row["id"]});
            wrong[field] = value;
            let refused = c.put("/card", &wrong);
            assert_eq!((refused.status, &refused.json["field"]), (400, &json!(field)), "{refused:?}");
            assert!(refused.json["msg"].as_str().expect("words").contains(words), "{refused:?}");
        }
        let kept = c.delete(&format!("/card/{},{}", World::iccid(1), World::iccid(0)));
        assert_eq!((kept.status, &kept.json["field"]), (400, &json!("ids")), "{kept:?}");
        assert!(kept.json["msg"].as_str().expect("words").contains("has orders and is kept"), "{kept:?}");
        assert_eq!(c.get("/card/list").json["total"], 3, "all of them or none");
        report(&w, "D1", 1);
        let gone = c.delete(&format!("/card/{},{}", World::iccid(1), World::iccid(2)));
        assert_eq!((gone.status, gone.data()), (200, &json!(2)), "{gone:?}");
        assert_eq!(c.get("/card/device/D1").status, 200, "the device stays");
        assert_eq!(c.get(&format!("/card/{}", World::iccid(1))).status, 404);
        assert_eq!(c.get("/card/list").json["total"], 1);
        // It may come again.
        let again = c.post("/card", &json!({"iccid": World::iccid(1).as_str(), "productCode": "1US-1"}));
        assert_eq!(again.status, 200, "{again:?}");
        w.assert_sound();
    });
}

#[test]
fn a_request_without_a_good_token_or_with_senseless_words_is_refused() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let c = Client::new(&w);
        for token in [None, Some(""), Some("wrong"), Some("acme-toke")] {
            let refused = c.with(token).get("/card/list");
            assert_eq!((refused.status, &refused.json["code"]), (401, &json!(401)), "{token:?}");
        }
        assert_eq!(c.as_token(ACME_TOKEN).get("/iot/cardPlatform/list").json["total"], 2);
        let platform = c.get("/card/platform/1");
        assert_eq!((&platform.data()["name"], &platform.data()["productCodes"]), (&json!("hand"), &json!(["1US-1"])));
        assert!(platform.text.find("settings").is_none(), "logins are not told");
        for (path, field) in [
            ("/card/list?pageSize=0", "pageSize"),
            ("/card/list?pageSize=501", "pageSize"),
            ("/card/list?pageNum=0", "pageNum"),
            ("/card/list?cardStatus=7", "cardStatus"),
            ("/card/list?abnormal=odd", "abnormal"),
            ("/card/list?iccid=1", "iccid"),
            ("/card/list?colour=red", "colour"),
            ("/card/list?cardPlatformId=x", "cardPlatformId"),
            ("/card/platform/9", "id"),
            ("/card/nonsense", "id"),
        ] {
            let refused = c.get(path);
            assert_eq!((refused.status, &refused.json["field"]), (400, &json!(field)), "{path}: {refused:?}");
        }
        for (body, field) in [
            (json!([]), "body"),
            (json!({}), "iccid"),
            (json!({"iccid": "8986"}), "iccid"),
            (json!({"iccid": 8.98604293620e19}), "iccid"),
            (json!({"iccid": "89860429362000000971", "cardPlatformId": 9}), "cardPlatformId"),
            (json!({"iccid": "89860429362000000971", "cardPlatformId": 2}), "cardPlatformId"),
            (json!({"iccid": "89860429362000000971", "productCode": "none"}), "productCode"),
            (json!({"iccid": "89860429362000000971", "tenantId": STRANGER.0}), "tenantId"),
            (json!({"iccid": "89860429362000000971", "cardStatus": 3}), "cardStatus"),
        ] {
            let refused = c.post("/card", &body);
            assert_eq!((refused.status, &refused.json["field"]), (400, &json!(field)), "{body}: {refused:?}");
        }
        assert_eq!(c.post_text("/card/import", "imsi\n1\n").json["field"], "header");
        assert_eq!(c.post("/card/activate/89860429362000000971", &json!({})).status, 404);
        assert_eq!(c.delete("/card/list").status, 405);
        let large = json!({"remark": "x".repeat(2 << 20)});
        assert_eq!(c.post("/card", &large).status, 413);
        assert_eq!(c.get("/card/list").json["total"], 1, "nothing was done");
    });
}

#[test]
fn an_account_that_is_off_is_not_let_in_and_a_paused_one_may_ask() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let c = Client::new(&w);
        let switch = |to| {
            let done = w.engine.write(move |tx, catalogue, how| accounts::switch(tx, catalogue, how, ACME, (to, "me")));
            done.expect("an account")
        };
        let card = json!({"iccid": World::iccid(1).as_str(), "productCode": "1US-1"});
        switch(Switch::Paused);
        assert_eq!((c.get("/card/list").status, c.post("/card", &card).status), (200, 403));
        switch(Switch::Off);
        assert_eq!((c.get("/card/list").status, c.post("/card", &card).status), (403, 403));
        switch(Switch::On);
        assert_eq!((c.get("/card/list").json["total"].clone(), c.post("/card", &card).status), (json!(1), 200));
    });
}
