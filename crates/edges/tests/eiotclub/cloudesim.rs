//! Cards by EID: the same acts, usage in bytes, and the notices of their own.

use crate::answers::good;
use crate::client::{Client, settings};
use crate::contract::{self, object_faults};
use kachi_domain::event::EventKind;
use kachi_edges::eiotclub::{DoorSettings, notice};
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, FOREIGN, NORTH, OTHER, START, Trade, secret};
use serde_json::{Value, json};

/// Of [`CARD`].
pub const EID: &str = "89049032000000000000000000000001";
/// Of no card.
const NO_EID: &str = "89049032000000000000000000000009";

const LIST: &str = "cloudesim/list";
const RECORD: &str = "cloudesim/pkg/record/list";
const BUY: &str = "cloudesim/purchase";
const STATUS: &str = "cloudesim/orderStatus";
const REFUND: &str = "cloudesim/refund";
const AMOUNT: &str = "cloudesim/queryRefundAmount";

/// Gives a card an EID.
pub fn known_by(trade: &Trade, iccid: &str, eid: &str) {
    let (sim, eid) = (trade.sim(iccid), eid.to_owned());
    let done = trade.engine.write(move |tx, _, _| {
        let mut changed = tx.sim_by_id(sim)?.expect("the card");
        changed.eid = Some(eid);
        Ok(tx.change_sim(sim, &changed)?)
    });
    done.expect("an EID");
}

fn buy(client: &Client<'_>, package: &str, number: &str) -> Value {
    good(client, BUY, json!({"eid": EID, "packageCode": package, "outTradeNo": number}))
}

/// The notices of a card's events, oldest first, each as the contract declares it: the event and what it says.
pub fn told(trade: &Trade, iccid: &str) -> Vec<(String, Value)> {
    let sim = trade.sim(iccid);
    let mut events = trade.engine.read(|tx, _| Ok(tx.events_newest(&[NORTH, ACME, OTHER], 1_000)?)).expect("events");
    events.reverse();
    let mut found = Vec::new();
    for (_, _, of, kind, _, body) in events {
        if of != Some(sim.0) || !EventKind::parse(&kind).expect("a kind").is_notice() {
            continue;
        }
        let text = notice(&kind, &body, "CNTUlkm0pzRujPBr2tN8NNa7", trade.now().0, 40_974, &secret("acme")).expect(&body);
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(data) = value.get("data") {
            value["data"] = serde_json::from_str(data.as_str().expect("data is JSON text")).expect("JSON");
        }
        let event = value["event"].as_str().expect("an event").to_owned();
        let wrong = object_faults(&value, &contract::notice(&event), &event);
        assert!(wrong.is_empty(), "{wrong:#?}");
        found.push((event, value));
    }
    found
}

#[test]
fn a_card_is_asked_about_by_its_eid() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let bare = good(&client, "cloudesim/get", json!({"eid": EID}));
        assert_eq!(
            (&bare["cardStatus"], &bare["packageCode"], &bare["packageType"]),
            (&json!("DEACTIVATED_NAME"), &json!(""), &json!(0))
        );
        let first = buy(&client, "GJ-100M-30D", "c-1");
        assert_eq!((&first["outTradeNo"], first["orderId"].as_str().map(str::len)), (&json!("c-1"), Some(32)));
        buy(&client, "GJ-SLOW-30D", "c-2");
        trade.pass(3600);
        trade.traffic(CARD, START.plus(1800), 1_000_001);
        let card = good(&client, "cloudesim/get", json!({"eid": EID}));
        assert_eq!(
            card,
            json!({"eid": EID, "activateDate": "2026-02-28 12:00:00", "cardStatus": "ACTIVATED_NAME",
                   "currentPkgRemainBytes": 103_857_599, "currentPkgUsedBytes": 1_000_001, "currentPkgTotalBytes": 104_857_600,
                   "totalFlowBytes": 209_715_200, "remainFlowBytes": 208_715_199, "expectedEndDate": "2026-04-30 12:00:00",
                   "productCode": "1US-1", "packageEndDate": "2026-03-31 12:00:00", "packageCode": "GJ-100M-30D", "packageType": 2,
                   "packageName": "name of GJ-100M-30D"})
        );
        known_by(&trade, CHINESE, "89049032000000000000000000000002");
        let list = |fields: Value| {
            let mut all = json!({"pageNum": "1"});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let data = good(&client, LIST, all);
            let eids: Vec<String> =
                data["cardInfoList"].as_array().unwrap().iter().map(|c| c["eid"].as_str().unwrap()[31..].to_owned()).collect();
            (eids.concat(), data["totalPage"].as_i64().unwrap())
        };
        assert_eq!(list(json!({})), ("12".into(), 1), "cards without an EID are not listed");
        assert_eq!(list(json!({"pageNum": 2, "pageSize": 1})), ("2".into(), 2));
        assert_eq!(list(json!({"eids": format!("{EID},{NO_EID},{EID}")})), ("1".into(), 1));
        assert_eq!(list(json!({"cardStatus": "ACTIVATED_NAME"})), ("1".into(), 1));

        let offers = good(&client, "cloudesim/pkg/list", json!({"eid": EID}));
        let line = &offers["list"][0];
        assert_eq!(
            (&line["packageCode"], &line["price"], &line["flowSizeBytes"]),
            (&json!("GJ-100M-30D"), &json!(130), &json!(104_857_600))
        );
        assert_eq!(
            (&line["productCode"], &line["zone"]["countries"][0]["operators"][1]["networkType"]),
            (&json!("1US-1"), &json!("5G"))
        );
    });
}

#[test]
fn what_is_bought_by_eid_is_recorded_and_refunded() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = buy(&client, "GJ-100M-30D", "c-1");
        trade.pass(60);
        let second = buy(&client, "GJ-TIME-1MO", "c-2");
        let carried = buy(&client, "GJ-CARRIER", "c-3");
        trade.traffic(CARD, START.plus(30), 600);
        let record = |fields: Value| {
            let mut all = json!({"eid": EID});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            good(&client, RECORD, all)
        };
        let all = record(json!({}));
        assert_eq!(
            all["list"][0],
            json!({"eid": EID, "orderId": first["eshopOrderId"], "eshopOrderId": first["eshopOrderId"], "packageName": "name of GJ-100M-30D",
                   "packageCode": "GJ-100M-30D", "packageType": 2, "gzhPackageName": "retail GJ-100M-30D", "state": 1, "price": 1.3,
                   "currency": "USD", "createDate": "2026-03-01 12:00:00", "startDate": "2026-03-01 12:00:00",
                   "endDate": "2026-03-31 12:00:00", "totalActive": 30, "periodType": 2, "flowTotalBytes": 104_857_600,
                   "flowRemainBytes": 104_857_000, "renew": 0, "isRefund": 0})
        );
        let ids = |data: &Value| data["list"].as_array().unwrap().iter().map(|r| r["eshopOrderId"].clone()).collect::<Vec<_>>();
        assert_eq!((ids(&all).len(), &all["total"]), (3, &json!(3)));
        let second_id = vec![second["eshopOrderId"].clone()];
        assert_eq!(ids(&record(json!({"orderIdArrStr": second_id[0].to_string()}))), second_id);
        assert_eq!(ids(&record(json!({"createDateStart": "2026-03-01 12:01:00", "page": 1, "pageSize": 1}))), second_id);
        assert_eq!(
            record(json!({"pageSize": 1000, "state": "nonsense"}))["total"],
            3,
            "a thousand a page; what is not published is ignored"
        );

        let by_id = json!({"eshopOrderId": first["eshopOrderId"]});
        let by_number = json!({"orderId": first["orderId"]});
        assert_eq!(good(&client, STATUS, by_id.clone()), json!({"status": 2, "eid": EID}));
        assert_eq!(good(&client, STATUS, by_number.clone())["status"], 2);
        assert_eq!(good(&client, STATUS, json!({"eshopOrderId": carried["eshopOrderId"]}))["status"], 1);
        assert_eq!(good(&client, AMOUNT, by_id.clone()), json!({"amount": 130, "currency": "USD"}));
        let mut refund = by_number;
        refund["remark"] = "r".into();
        let balance = trade.balance(ACME);
        assert_eq!(good(&client, REFUND, refund.clone()), json!({}));
        assert_eq!(trade.balance(ACME), balance + 130);
        assert_eq!(good(&client, STATUS, by_id.clone())["status"], 3);
        assert_eq!((client.ask(REFUND, refund).code(), client.ask(AMOUNT, by_id).code()), ("45113", "45113"));
        trade.assert_sound();
    });
}

#[test]
fn a_page_of_records_has_its_usual_size_unless_another_is_asked_for() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::at(&trade, DoorSettings { page_max: 2, ..settings() });
        for number in ["p-1", "p-2", "p-3"] {
            buy(&client, "GJ-100M-30D", number);
        }
        for (fields, lines) in [
            (json!({"eid": EID}), 2),
            (json!({"eid": EID, "page": 2}), 1),
            (json!({"eid": EID, "pageSize": 3}), 3),
            (json!({"eid": EID, "pageSize": 1000}), 3),
        ] {
            let record = good(&client, RECORD, fields.clone());
            assert_eq!((record["list"].as_array().unwrap().len(), &record["total"]), (lines, &json!(3)), "{fields}");
        }
    });
}

#[test]
fn a_card_known_by_eid_has_notices_of_its_own() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = buy(&client, "GJ-ONCE", "n-1");
        trade.pass(60);
        trade.traffic(CARD, trade.now(), 104_857_600 - 1_000);
        trade.pass(60);
        trade.traffic(CARD, trade.now(), 2_000);
        trade.pass(60);
        let second = buy(&client, "GJ-100M-30D", "n-2");
        let undo = json!({"eshopOrderId": second["eshopOrderId"], "remark": "r"});
        good(&client, REFUND, undo);
        let told = told(&trade, CARD);
        let events: Vec<&str> = told.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(
            events,
            [
                "CloudESimSubPkgList",
                "CloudESimPkgActivate",
                "CloudESimFlowAlert",
                "CloudESimFlowAlert",
                "CloudESimPkgDeactivate",
                "CloudESimCardStopped",
                "CloudESimSubPkgList",
                "CloudESimPkgActivate",
                "CloudESimRefund",
                "CloudESimPkgDeactivate",
                "CloudESimCardStopped"
            ]
        );
        let bought = &told[0].1["data"][0];
        assert_eq!((&bought["eid"], &bought["eshopOrderId"], &bought["state"]), (&json!(EID), &first["eshopOrderId"], &json!(0)));
        assert_eq!((&told[1].1["data"]["eid"], &told[1].1["data"]["startDate"]), (&json!(EID), &json!("2026-03-01 12:00:00")));
        assert_eq!((&told[2].1["eid"], &told[5].1["eid"]), (&json!(EID), &json!(EID)));
        let refund = &told[8].1;
        assert_eq!((&refund["eshopOrderId"], &refund["refundAmount"]), (&second["eshopOrderId"], &json!("1.30")));
    });
}

#[test]
fn what_is_refused() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let first = buy(&client, "GJ-ONCE", "taken");
        known_by(&trade, FOREIGN, "89049032000000000000000000000008");
        let theirs = client.ask_as(
            "other",
            BUY,
            json!({"eid": "89049032000000000000000000000008", "packageCode": "GJ-100M-30D", "outTradeNo": "o"}),
        );
        assert_eq!(theirs.code(), "200", "{}", theirs.text);
        let plain = client.order(CHINESE, "CN-100M-30D", "plain").data()["orderId"].clone();
        let balance = trade.balance(ACME);
        let many = (0..101).map(|i| format!("{i:032}")).collect::<Vec<_>>().join(",");
        let order = |eid: &str, package: Value, number: Value| json!({"eid": eid, "packageCode": package, "outTradeNo": number});
        let mut table = vec![
            (LIST, json!({}), "42403"),
            (LIST, json!({"pageNum": "0"}), "42403"),
            (LIST, json!({"pageNum": "1", "pageSize": 501}), "42407"),
            (LIST, json!({"pageNum": "1", "cardStatus": "active"}), "43332"),
            (LIST, json!({"pageNum": "1", "eids": "12"}), "41001"),
            (LIST, json!({"pageNum": "1", "eids": " "}), "41001"),
            (LIST, json!({"pageNum": "1", "eids": format!("{EID},")}), "41001"),
            (LIST, json!({"pageNum": "1", "eids": many}), "41007"),
            (RECORD, json!({"eid": EID, "pageSize": 1001}), "42407"),
            (RECORD, json!({"eid": EID, "page": 0}), "42403"),
            (RECORD, json!({"eid": EID, "orderIdArrStr": "x"}), "42003"),
            (RECORD, json!({"eid": EID, "createDateEnd": "2026-02-30 00:00:00"}), "42409"),
            (BUY, order(EID, json!(null), json!("n")), "41018"),
            (BUY, order(EID, json!("no-such"), json!("n")), "42007"),
            (BUY, order(EID, json!("CN-100M-30D"), json!("n")), "41050"),
            (BUY, order(EID, json!("GJ-ONCE"), json!("n")), "41036"),
            (BUY, order(EID, json!("GJ-DEAR"), json!("n")), "45112"),
            (BUY, order(EID, json!("GJ-100M-30D"), json!(null)), "42001"),
            (BUY, order(EID, json!("GJ-100M-30D"), json!("x".repeat(33))), "42001"),
            (BUY, order(EID, json!("GJ-100M-30D"), json!("1,2")), "42001"),
            (REFUND, json!({"eshopOrderId": first["eshopOrderId"]}), "45106"),
            (REFUND, json!({"remark": "r"}), "42003"),
            (REFUND, json!({"eshopOrderId": plain, "remark": "r"}), "45111"),
        ];
        for path in ["cloudesim/get", "cloudesim/pkg/list", RECORD, BUY] {
            for (eid, code) in [
                (json!(null), "41003"),
                (json!("123"), "41003"),
                (json!(NO_EID), "42405"),
                (json!("89049032000000000000000000000008"), "42405"),
            ] {
                table.push((path, json!({"eid": eid, "packageCode": "GJ-100M-30D", "outTradeNo": "n"}), code));
            }
        }
        for path in [STATUS, AMOUNT] {
            for (fields, code) in [
                (json!({}), "42003"),
                (json!({"eshopOrderId": "x"}), "42003"),
                (json!({"eshopOrderId": 99_999_999}), "45111"),
                (json!({"eshopOrderId": theirs.data()["eshopOrderId"]}), "45111"),
                (json!({"orderId": theirs.data()["orderId"]}), "45111"),
                (json!({"eshopOrderId": plain}), "45111"),
            ] {
                table.push((path, fields, code));
            }
        }
        for (path, fields, code) in table {
            let answer = client.ask(path, fields.clone());
            assert_eq!(
                (answer.status, answer.code(), answer.data()),
                (200, code, &Value::Null),
                "{path} {fields}: {}",
                answer.text
            );
        }
        let again = client.ask(BUY, order(EID, json!("GJ-100M-30D"), json!("taken")));
        assert_eq!((again.code(), again.data()), ("42002", &first), "the order that has the number");
        assert_eq!(trade.balance(ACME), balance, "nothing was charged");
    });
}

#[test]
fn a_card_in_a_pool_shows_what_its_pool_has_for_it() {
    db::each(|store| {
        let trade = Trade::build(store);
        let client = Client::new(&trade);
        let pool = good(&client, "pool/create", json!({"pool_type_code": "POOL-100M-7D", "memo": ""}))["pool_object_id"].clone();
        let bought = json!({"pool_object_id": pool, "pool_type_code": "POOL-100M-7D", "out_trade_no": "p"});
        good(&client, "pool/sub", bought);
        good(&client, "pool/card/add", json!({"pool_object_id": pool, "iccid_arr": CARD}));
        trade.pass(3600);
        trade.traffic(CARD, trade.now().plus(-60), 10 << 20);
        let flows = |card: &Value| ["cardStatus", "totalFlowBytes", "remainFlowBytes"].map(|name| card[name].clone());
        let one = good(&client, "cloudesim/get", json!({"eid": EID}));
        assert_eq!(flows(&one), [json!("ACTIVATED_NAME"), json!(100 << 20), json!(90 << 20)]);
        let list = good(&client, LIST, json!({"pageNum": 1, "eids": EID}));
        assert_eq!(flows(&list["cardInfoList"][0]), flows(&one));
    });
}
