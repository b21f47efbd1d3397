//! Acts that are passed to the carrier, whose word is the answer; and its rules, kept on our side too.

use crate::contract;
use crate::shop::{Answer, MSISDN, MSISDN_CN, MSISDN_FOREIGN, SID, Shop, settings};
use kachi_connectors::sandbox::Fault;
use kachi_dialects::cardboss::Operation;
use kachi_domain::Iccid;
use kachi_domain::carrier::{Line, Standing};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_edges::cardboss::DoorSettings;
use kachi_engine::{card_reads, sims};
use kachi_store::Store;
use kachi_store::sims::Sim;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, READY};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: &str = "通道方返回错误码:13009,同一卡号 3 分钟内不能通过此类接口重复办理业务";

/// A shop whose carrier is there for the cards of both products, and does what it is asked when its workers are let.
fn shop(store: Store) -> (Shop, Carrier) {
    let shop = Shop::with(store, DoorSettings { carrier_wait: Duration::ZERO, ..settings() });
    let carrier =
        Carrier::of(&shop.trade.engine, "1US-1", json!({"lag_seconds": 0, "cool_down_seconds": 0, "stop_cards": false}), &[]);
    carrier.remember(&shop.trade.engine);
    (shop, carrier)
}

/// What the same request, repeated while the workers work, comes to.
fn done(shop: &Shop, carrier: &Carrier, operation: Operation, fields: Value) -> Answer {
    let form = shop.sealed(SID, operation, &fields);
    shop.send(operation, &form);
    for _ in 0..5 {
        carrier.work(&shop.trade.engine);
        shop.trade.pass(20);
    }
    shop.send(operation, &form)
}

fn stands(shop: &Shop, iccid: &str) -> (String, bool, bool) {
    let sim = shop.trade.engine.store().read(|tx| tx.sim_by_iccid(&kachi_domain::account::Path::root(), iccid));
    let sim = sim.expect("the database").expect("a card");
    let has = |block: Blocks| sim.blocks & block.0 != 0;
    (sim.state.clone(), has(Blocks::OWNER_STOP), has(Blocks::DATA_OFF))
}

fn place(shop: &Shop, iccid: &str, base: BaseState) {
    let id = shop.trade.sim(iccid);
    let placed = shop.trade.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, base.word(), Blocks::NO_PACKAGE.0, None)?));
    placed.expect("the card stands so");
}

/// The card's test lasts until then, as `apply` says.
fn until(shop: &Shop, iccid: &'static str, test_until: &'static str) {
    let put = shop.trade.engine.write(move |tx, catalogue, how| {
        let sim = tx.sim_by_iccid(&kachi_domain::account::Path::root(), iccid)?.expect("a card");
        sims::put(tx, catalogue, how, &Sim { details: json!({"test_until": test_until}).to_string(), ..sim })
    });
    put.expect("the card is so");
}

fn keep_off(shop: &Shop, blocks: Blocks) {
    let (id, blocks) = (shop.trade.sim(CARD), Blocks::NO_PACKAGE.0 | blocks.0);
    let placed = shop.trade.engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, BaseState::Active.word(), blocks, None)?));
    placed.expect("the card stands so");
}

#[test]
fn each_act_is_done_when_the_carrier_says_so() {
    db::each(|store| {
        let (shop, carrier) = shop(store);
        let good = |operation, fields: Value| {
            let answer = done(&shop, &carrier, operation, fields);
            assert_eq!((answer.status, answer.code()), (200, "0"), "{operation:?}: {}", answer.text);
            assert_eq!(contract::faults(operation, &answer.json), Vec::<String>::new());
        };
        carrier.world.stand(READY, BaseState::Ready, shop.trade.now());
        good(Operation::ForActive, json!({"iccid": READY}));
        assert_eq!(stands(&shop, READY).0, "active");
        place(&shop, READY, BaseState::Testing);
        until(&shop, READY, "2026-04-30T16:00:00Z");
        assert_eq!(
            shop.good(Operation::CardDetail, json!({"iccids": READY}))["cards"][0]["stoptestdate"],
            "2026-04-30",
            "its last day"
        );
        carrier.world.stand(READY, BaseState::Testing, shop.trade.now());
        good(Operation::StopTest, json!({"iccid": READY}));
        assert_eq!(stands(&shop, READY).0, "ready");
        let tested = &shop.good(Operation::CardDetail, json!({"iccids": READY}))["cards"][0];
        assert_eq!(tested["stoptestdate"], "2026-03-01", "its test ended before its time");
        good(Operation::StopKeep, json!({"msisdn": MSISDN, "iccid": CARD, "stopkeep": "0"}));
        assert!(stands(&shop, CARD).1);
        let stopped = &shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0];
        assert_eq!((&stopped["msstatus"], &stopped["state"]), (&json!("3"), &json!("1")), "the card, and its owner's switch");
        shop.trade.pass(180);
        good(Operation::StopKeep, json!({"msisdn": MSISDN, "stopkeep": "1"}));
        assert!(!stands(&shop, CARD).1);
        let on = &shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0];
        assert_eq!(
            (&on["msstatus"], &on["pkgcode"]),
            (&json!("2"), &json!("")),
            "its carrier has it on, without a package here too"
        );
        good(Operation::SwitchNet, json!({"msisdn": MSISDN, "opertype": "0"}));
        assert!(stands(&shop, CARD).2);
        shop.trade.pass(180);
        good(Operation::SwitchNet, json!({"msisdn": MSISDN, "opertype": "1", "marginrat": "0"}));
        assert!(!stands(&shop, CARD).2);
        good(Operation::VoiceWhitelist, json!({"msisdn": MSISDN, "opertype": "1", "taskid": "77", "content": "13800000001"}));
        assert_eq!(carrier.world.card(CARD, shop.trade.now()).voice_group, "77", "the carrier is told the group");
        shop.trade.assert_sound();
    });
}

/// `msstatus` and `cycle` are the card's at its carrier: by the carrier's last word, and without one as it was left there.
#[test]
fn a_card_is_stopped_where_its_carrier_has_it_stopped() {
    db::each(|store| {
        let shop = Shop::new(store);
        let (id, engine) = (shop.trade.sim(CHINESE), &shop.trade.engine);
        let shown = || {
            let card = shop.good(Operation::CardDetail, json!({"iccids": CHINESE}))["cards"][0].clone();
            format!("{} {}", card["msstatus"].as_str().expect("text"), card["cycle"].as_str().expect("text"))
        };
        let stands = |base: BaseState, blocks: Blocks| {
            let blocks = blocks.0 | Blocks::NO_PACKAGE.0;
            engine.write(move |tx, _, _| Ok(tx.set_sim_state(id, base.word(), blocks, None)?)).expect("it stands so");
        };
        let says = |base: Option<BaseState>| {
            let said = engine.write(move |tx, _, how| {
                tx.forget_carrier_word(id)?;
                let standing = base.map(|base| Standing { base, raw: base.word().into(), since: None });
                let word = tx.carrier_word(id)?.hear(&Line { standing, ..Line::default() }, how.now);
                Ok(tx.put_carrier_word(id, &word)?)
            });
            said.expect("its word");
        };
        for (base, blocks, told, expected) in [
            (BaseState::Active, Blocks::NONE, None, "2 3"),
            (BaseState::Active, Blocks::NONE, Some(BaseState::Active), "2 3"),
            (BaseState::Active, Blocks::NONE, Some(BaseState::Stopped), "3 3"),
            (BaseState::Active, Blocks::DATA_OFF, None, "2 3"),
            (BaseState::Active, Blocks::OWNER_STOP, None, "3 3"),
            (BaseState::Active, Blocks::OWNER_STOP, Some(BaseState::Active), "2 3"),
            (BaseState::Active, Blocks::FORCED, None, "3 3"),
            (BaseState::Active, Blocks::NONE, Some(BaseState::Unknown), "2 3"),
            (BaseState::Active, Blocks::NONE, Some(BaseState::Ready), "1 2"),
            (BaseState::Stopped, Blocks::NONE, None, "3 3"),
            (BaseState::Testing, Blocks::NONE, None, "6 1"),
            (BaseState::Ready, Blocks::NONE, None, "1 2"),
            (BaseState::Inventory, Blocks::NONE, None, "0 0"),
            (BaseState::PreClosed, Blocks::NONE, None, "4 0"),
            (BaseState::Closed, Blocks::NONE, Some(BaseState::Active), "4 0"),
            (BaseState::Unknown, Blocks::NONE, None, "5 0"),
        ] {
            stands(base, blocks);
            says(told);
            assert_eq!(shown(), expected, "{base:?} {:?} {told:?}", blocks.names());
        }
        stands(BaseState::Active, Blocks::NONE);
        says(None);
        shop.buy(CHINESE, "CN-50M-7D", "n-1");
        shop.trade.traffic(CHINESE, shop.trade.now(), 110 << 20);
        assert_eq!(shown(), "2 3", "used up, and nobody stops such cards");
        let stopping = engine.write(|tx, _, _| {
            tx.put_platform(1, "hand", "manual", r#"{"stop_cards":true}"#)?;
            Ok(tx.touch_catalogue()?)
        });
        stopping.expect("a setting");
        assert_eq!(shown(), "3 3", "used up, and stopped for that");
    });
}

/// A card that came here active is so since its carrier has it on, and not since its first package here.
#[test]
fn a_card_is_activated_since_its_carrier_says_so() {
    db::each(|store| {
        let (shop, carrier) = shop(store);
        let engine = &shop.trade.engine;
        let told = |days: i64| {
            carrier.world.stand(CARD, BaseState::Active, shop.trade.now().plus(-days * 86_400));
            let actor = shop.trade.actor(ACME);
            let asked = engine.write(move |tx, catalogue, how| {
                let iccid = Iccid::parse(CARD).expect("a number");
                let ask = card_reads::Ask { iccid, platform: None, product: None, what: card_reads::What::Status };
                card_reads::ask(tx, catalogue, how, &actor, &ask)
            });
            asked.expect("it is to be read");
            carrier.read(engine);
            shop.trade.pass(60);
        };
        let shown = || shop.good(Operation::CardDetail, json!({"msisdns": MSISDN}))["cards"][0]["activedate"].clone();
        shop.buy(CARD, "GJ-TIME-1MO", "n-1");
        assert_eq!(shown(), "2026-02-28", "as far as is known");
        told(40);
        assert_eq!(shown(), "2026-01-20");
        told(0);
        assert_eq!(shown(), "2026-01-20", "since when its state is what it is now is no new day");
    });
}

#[test]
fn the_carriers_rules_are_kept_here_too() {
    db::each(|store| {
        let (shop, carrier) = shop(store);
        let stop = json!({"msisdn": MSISDN, "stopkeep": "0"});
        assert_eq!(done(&shop, &carrier, Operation::StopKeep, stop).code(), "0");
        let again = shop.ask(Operation::StopKeep, json!({"msisdn": MSISDN, "stopkeep": "1"}));
        assert_eq!((again.code(), &again.json["msg"], &again.json["detail"]), ("1099", &json!("上级错误"), &json!(SOON)));

        let voice = |opertype: &str, content: &str| {
            let fields = json!({"msisdn": MSISDN, "opertype": opertype, "content": content});
            done(&shop, &carrier, Operation::VoiceWhitelist, fields)
        };
        let next = || shop.trade.pass(60);
        let refused = |answer: Answer, status: &str| {
            assert_eq!(
                (answer.status, &answer.json["status"], &answer.json["result"]),
                (200, &json!(status), &json!([])),
                "{}",
                answer.text
            );
            assert!(answer.json.get("code").is_none() && answer.json["message"].is_string(), "the carrier's own envelope");
        };
        for n in 1..=4 {
            assert_eq!(voice("1", &format!("1380000000{n}")).code(), "0");
        }
        let form =
            shop.sealed(SID, Operation::VoiceWhitelist, &json!({"msisdn": MSISDN, "opertype": "1", "content": "13800000005"}));
        assert_eq!(shop.send(Operation::VoiceWhitelist, &form).code(), "1099", "asked, and not answered in time");
        let soon = shop.ask(Operation::VoiceWhitelist, json!({"msisdn": MSISDN, "opertype": "1", "content": "13800000001"}));
        refused(soon, "13010");
        carrier.work(&shop.trade.engine);
        next();
        refused(voice("1", "13800000006"), "19019");
        assert_eq!(voice("0", "13800000001_13800000002").code(), "0");
        next();
        refused(voice("0", "13800000003"), "12144");

        // What others keep off is refused before anything is sent, with the code that the carrier has for it.
        shop.trade.pass(180);
        keep_off(&shop, Blocks::FORCED);
        let no = shop.ask(Operation::StopKeep, json!({"msisdn": MSISDN, "stopkeep": "1"}));
        let detail = no.json["detail"].as_str().expect("words");
        assert!(no.code() == "1099" && detail.starts_with("通道方返回错误码:12098,平台强制停机"), "{}", no.text);
        keep_off(&shop, Blocks(Blocks::FORCED.0 | Blocks::OWNER_STOP.0));
        let lifted = shop.ask(Operation::StopKeep, json!({"msisdn": MSISDN, "iccid": CARD, "stopkeep": "1"}));
        let left = "复机已办理，仍有：该卡无套餐（卡所属账户: card/pkg/renew：为该卡订购套餐）；平台强制停机（平台运营方：事由解决后，由平台解除强制停机）";
        assert_eq!((lifted.code(), lifted.json["detail"].as_str()), ("0", Some(left)), "this door's own way");
        assert!(!stands(&shop, CARD).1);
        keep_off(&shop, Blocks::NONE);

        carrier.world.fail(Fault::Refused { code: "12089".into(), reason: "not now".into() });
        let no = done(&shop, &carrier, Operation::SwitchNet, json!({"msisdn": MSISDN, "opertype": "0"}));
        assert_eq!((no.code(), &no.json["detail"]), ("1099", &json!("通道方返回错误码:12089,not now")));
        assert!(!stands(&shop, CARD).2);
        shop.trade.assert_sound();
    });
}

#[test]
fn what_cannot_be_asked_has_its_code_and_changes_nothing() {
    db::each(|store| {
        let (shop, _carrier) = shop(store);
        let before = shop.whole();
        let net = |fields: Value| (Operation::SwitchNet, fields);
        for ((operation, fields), code) in [
            ((Operation::StopTest, json!({})), "1012"),
            ((Operation::StopTest, json!({"msisdn": MSISDN_FOREIGN})), "1032"),
            ((Operation::ForActive, json!({"msisdn": MSISDN, "iccid": CHINESE})), "1032"),
            ((Operation::ForActive, json!({"iccid": CLOSED})), "1099"),
            ((Operation::StopKeep, json!({"msisdn": MSISDN})), "1012"),
            ((Operation::StopKeep, json!({"msisdn": MSISDN, "stopkeep": "2"})), "1031"),
            (net(json!({"msisdn": MSISDN_CN, "opertype": "0"})), "1031"),
            (net(json!({"msisdn": MSISDN_CN, "opertype": "0", "apnname": "CMNET"})), "1031"),
            (net(json!({"msisdn": MSISDN, "opertype": "1", "marginrat": "30"})), "1099"),
            (net(json!({"msisdn": MSISDN, "opertype": "1", "marginrat": "101"})), "1031"),
            ((Operation::VoiceWhitelist, json!({"msisdn": MSISDN, "opertype": "1"})), "1012"),
            ((Operation::VoiceWhitelist, json!({"msisdn": MSISDN, "opertype": "1", "content": "1"})), "1008"),
        ] {
            let answer = shop.ask(operation, fields.clone());
            assert_eq!((answer.status, answer.code()), (200, code), "{operation:?} {fields}: {}", answer.text);
        }
        let several = shop.ask(Operation::SwitchNet, json!({"msisdn": MSISDN_CN, "opertype": "0"}));
        assert_eq!(
            several.json["detail"],
            "该卡开通多个 APN 上网功能 CMIOT,M2MIOT, apnname 参数不能为空, 必须指定需要操作的 APN 名称"
        );
        assert_eq!(shop.whole(), before, "nothing changed");
    });
}
