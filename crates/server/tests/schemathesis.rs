//! Schemathesis makes requests from the published contract, good and bad ones, signs them as a client does, and finds neither a
//! fault of ours nor an answer that is not declared: against the built binary, on both engines.

mod common;

use common::{House, finished};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

on_both!(schemathesis_finds_no_fault_and_no_answer_that_is_not_declared);

/// Requests of each kind, good and bad, for each operation.
const EXAMPLES: &str = "12";

const WORLD: &str = r#"
accounts:
  - {code: north, currency: USD, prices: [{package: GJ-100M-30D, price: "1.00"}]}
  - {code: acme, parent: north, currency: USD, language: en, opening_balance: "100000.00",
     credentials: {eiotclub: {appkey: acme-key, secret: acme-a1b1c1d1}}, prices: [{package: GJ-100M-30D, price: "1.30"}]}
  - {code: other, currency: USD}
platforms:
  - {code: hand, connector: manual}
  - {code: play, connector: sandbox, settings: {lag_seconds: 1}}
products:
  - code: 1US-1
    name: US
    platform: hand
    zone: {name: North America, img: na.png, countries: [{name: United States, img: us.png, operators: [{name: ATT, network_type: LTE}]}]}
  - {code: 1EU-1, name: Europe, platform: play, networks: [ATT, TMobile]}
packages:
  - {code: GJ-100M-30D, product: 1US-1, data: 100MB, validity: 30d, price: "0.80", retail_price: "2.00", currency: USD, stack_max: 1000}
  - {code: GJ-TIME-1MO, product: 1US-1, kind: time, validity: 1mo, price: "9.00", currency: USD, stack_max: 1000}
  - {code: EU-100M-30D, product: 1EU-1, data: 100MB, validity: 30d, price: "3.00", currency: USD, stack_max: 1000}
pool_types:
  - {code: POOL-100M-7D, product: 1US-1, lines: 2, days: 7, data: 100MB, price: "5.00", currency: USD}
esim_goods:
  - code: ESIM
    package: GJ-100M-30D
    price: "4.00"
    profiles:
      - {iccid: "8910300000000000001", activation_code: "LPA:1$smdp.example$1"}
      - {iccid: "8910300000000000002", activation_code: "LPA:1$smdp.example$2"}
imei_groups:
  - {id: 5, code: g1, account: acme, imeis: ["867530912345678"], sims: ["89860012345678901259"]}
sims:
  - {iccid: "89860012345678901234", eid: "89049032000000000000000000000001", imsi: "460001234567890", product: 1EU-1, account: acme, state: active}
  - {iccid: "89860012345678901291", eid: "89049032000000000000000000000005", product: 1EU-1, account: acme, state: active}
  - {iccid: "89860012345678901242", eid: "89049032000000000000000000000003", product: 1US-1, account: acme, state: active}
  - {iccid: "89860012345678901259", product: 1US-1, account: acme, state: active}
  - {iccid: "89860012345678901267", product: 1US-1, account: acme, state: closed}
  - {iccid: "89860012345678901275", product: 1US-1, account: other, state: active}
"#;

/// Numbers of that world, and good values, by the field (or operation and field) they go into.
fn known() -> Value {
    let (us, second, eu) = ("89860012345678901242", "89860012345678901259", "89860012345678901234");
    let (eid, other_eid) = ("89049032000000000000000000000001", "89049032000000000000000000000005");
    let (from, to) = (["2026-01-01 00:00:00"], ["2036-01-01 00:00:00"]);
    let mut known = json!({
        "iccid": [us, eu, second], "oldIccid": [us], "newIccid": [second], "iccids": [eu, format!("{eu},{us}")], "iccid_arr": [us],
        "card/switchOperator.iccid": [eu], "imsi": ["460001234567890"], "network": ["ATT"], "param": [us],
        "eid": [eid], "oldEid": [eid], "newEid": [other_eid], "eids": [eid],
        "cloudesim/refreshUsage.eid": [other_eid], "cloudesim/cancelSession.eid": [other_eid],
        "imei": ["867530912345678"], "plockGroupId": ["5"],
        "packageCode": ["GJ-100M-30D", "GJ-TIME-1MO"], "cloudesim/purchase.packageCode": ["EU-100M-30D"], "productCode": ["1US-1"],
        "eSIMGoodsCode": ["ESIM"], "pool_type_code": ["POOL-100M-7D"], "pool_type_code_arr": ["POOL-100M-7D"],
        "pageNum": ["1"], "page": ["1"], "pageSize": ["10"], "page_size": ["10"],
        "state": ["0", "1"], "stateArrStr": ["0,1"], "status_code_arr": ["3"], "type": ["1"], "orderBy": ["createDateDesc"],
        "cardStatus": ["ACTIVATED_NAME"], "remark": ["r"], "memo": ["kept"], "message": ["DEAR ALL"],
    });
    let more = json!({
        "dateType": ["daily", "monthly"], "startDate": ["2026-11-01"], "endDate": ["2026-11-30"], "month": ["2026-11"],
        "outputApi/listProfitInfo.startDate": from, "outputApi/listProfitInfo.endDate": to,
        "createDateStart": from, "createDateEnd": to, "updateDateStart": from, "updateDateEnd": to,
        "ifWithdrawDeposit": ["0"], "withdrawDepositType": ["1"], "order_no_arr": ["x"], "out_trade_no_arr": ["fourth"],
    });
    known.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    known
}

fn schemathesis_finds_no_fault_and_no_answer_that_is_not_declared(house: &House) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let made = finished(&mut Command::new(root.join("tests/schemathesis.sh")));
    assert_eq!(made.code, 0, "Schemathesis is needed for this test: {}", made.err);
    house.apply(WORLD);
    house.write("known.json", &known().to_string());
    let server = house.serve(&[]);
    let mut run = Command::new(made.out.trim());
    run.arg(root.join("tests/clients/eiotclub_schemathesis.py")).current_dir(house.path("."));
    run.args(["--base", &format!("http://{}", server.address), "--appkey", "acme-key", "--secret", "acme-a1b1c1d1"]);
    let done = finished(run.args(["--known", "known.json", "--examples", EXAMPLES, "--seed", "7"]));
    assert_eq!(done.code, 0, "{}\n{}", done.out, done.err);
    assert!(done.out.contains("requests to 58 operations"), "{}", done.out);
    // Its log has no error: a fault would be one.
    server.stop();
    house.assert_sound();
}
