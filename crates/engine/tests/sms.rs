//! Messages to many cards and to telephones: what is handed in, paid, reported and handed out once. On both engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::account::Path;
use kachi_domain::ids::Msisdn;
use kachi_domain::{AccountId, Refusal};
use kachi_engine::network::CardKey;
use kachi_engine::sms::{Carriage, PhoneSms, Sent, approve, send_waiting};
use kachi_engine::{Engine, Fail, Once, Result, sims, sms};
use kachi_store::Store;
use kachi_store::sims::Sim;
use kachi_store::sms::Template;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, STRANGER, World};
use serde_json::{Value, json};
use std::future::Future;

fn world(store: Store, settings: Value) -> (World, Carrier) {
    let w = World::new(store);
    w.add_cards(ACME, 0..6);
    w.add_cards(STRANGER, 6..7);
    w.engine
        .write(|tx, catalogue, how| {
            let there = tx.sim_by_iccid(&Path::root(), World::iccid(0).as_str())?.expect("a card");
            sims::put(tx, catalogue, how, &Sim { msisdn: Some("1064800000000".into()), ..there })?;
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            let notify = r#"{"cardboss_sms":"http://127.0.0.1:9/s"}"#.to_owned();
            tx.put_account(&kachi_store::accounts::Account { notify, ..acme }, how.now)?;
            let template = |code: &str, approved| Template {
                code: code.into(),
                account: ACME,
                text: "@1@您好, 流量剩余@2@".into(),
                signature: "【物联网卡运营平台】".into(),
                price_minor: 10,
                approved,
            };
            tx.put_sms_template(&template("T1", true))?;
            tx.put_sms_template(&template("T2", false))?;
            Ok(tx.touch_catalogue()?)
        })
        .unwrap();
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    carrier.remember(&w.engine);
    (w, carrier)
}

fn wait<T>(asked: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(asked)
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn shown(sent: &Sent) -> String {
    format!("{} {} {}", sent.count, sent.fee, sent.task)
}

fn iccids(cards: &[u64]) -> Vec<CardKey> {
    cards.iter().map(|n| CardKey::Iccid(World::iccid(*n))).collect()
}

fn send(w: &World, cards: Vec<CardKey>, text: &str, task: &str) -> Result<Once> {
    let (catalogue, actor) = (w.engine.catalogue().unwrap(), w.actor(ACME));
    let message = (cards, text.to_owned(), task.to_owned(), Carriage::Plain);
    wait(w.engine.send_iot_sms(&catalogue, &actor, World::key(task, text), message, shown))
}

fn phone(w: &World, account: AccountId, cmd: PhoneSms) -> Result<Once> {
    let (catalogue, actor) = (w.engine.catalogue().unwrap(), w.actor(account));
    let key = World::key(&format!("sign {}", cmd.task), &format!("{cmd:?}"));
    wait(w.engine.send_phone_sms(&catalogue, &actor, key, cmd, shown))
}

/// Reports handed out now: batch, number, state.
fn reports(engine: &Engine, w: &World, account: AccountId) -> Vec<String> {
    let (catalogue, actor) = (engine.catalogue().unwrap(), w.actor(account));
    let mut taken: Vec<String> = wait(engine.take_sms_reports(&catalogue, &actor))
        .unwrap()
        .into_iter()
        .map(|r| format!("{} {} {}", r.task, r.mobile, r.state))
        .collect();
    taken.sort();
    taken
}

fn replies(w: &World, account: AccountId) -> Vec<String> {
    let (catalogue, actor) = (w.engine.catalogue().unwrap(), w.actor(account));
    let taken = wait(w.engine.take_sms_replies(&catalogue, &actor)).unwrap();
    taken.into_iter().map(|r| format!("{} {} {}", r.id, r.mobile, r.text)).collect()
}

fn work(w: &World, carrier: &Carrier) {
    for _ in 0..6 {
        carrier.work(&w.engine);
        w.pass(60);
    }
}

/// Kinds of the notices that wait at the address for messages.
fn told(w: &World) -> Vec<String> {
    let rows = w.engine.read(|tx, _| Ok(tx.deliveries_newest(&[ACME], None, 1_000)?)).unwrap();
    rows.into_iter().filter(|d| d.4 == "cardboss_sms").map(|d| d.2).collect()
}

#[test]
fn each_card_gets_the_message_once_and_each_report_is_handed_out_once() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 30}));
        let msisdn = || CardKey::Msisdn(Msisdn::parse("1064800000000").unwrap());
        let cards = || vec![msisdn(), iccids(&[0]).remove(0), iccids(&[1]).remove(0), iccids(&[2]).remove(0)];
        let refused = Fault::Refused { code: "MA:0041".into(), reason: "no device".into() };
        carrier.world.fail_card(World::iccid(2).as_str(), refused);
        assert_eq!(
            send(&w, cards(), &"字".repeat(71), "t1").unwrap(),
            Once::Done("3 6 t1".into()),
            "one card named twice is one"
        );
        assert_eq!(send(&w, cards(), &"字".repeat(71), "t1").unwrap(), Once::Repeated("3 6 t1".into()));
        assert!(reports(&w.engine, &w, ACME).is_empty(), "submitted is not delivered");
        work(&w, &carrier);
        for card in 0..2 {
            assert_eq!(carrier.world.card(World::iccid(card).as_str(), w.now()).messages, ["字".repeat(71)]);
        }
        assert!(reports(&w.engine, &w, NORTH).is_empty() && reports(&w.engine, &w, STRANGER).is_empty());
        let first = reports(&w.engine, &w, ACME);
        let of = |card: u64, state: &str| format!("t1 {} {state}", World::iccid(card));
        let mut expected = vec!["t1 1064800000000 DELIVRD".to_owned(), of(1, "DELIVRD"), of(2, "MA:0041")];
        expected.sort();
        assert_eq!(first, expected);
        assert!(reports(&w.engine, &w, ACME).is_empty(), "handed out once");
        assert_eq!(told(&w), ["sms_reported"; 3]);
        w.assert_sound();
    });
}

#[test]
fn a_refused_message_goes_to_nobody() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        let one = || iccids(&[0]);
        for (cards, text, why) in [
            (iccids(&[0, 6]), "x".to_owned(), Refusal::UnknownSim),
            (iccids(&[0, 9]), "x".into(), Refusal::UnknownSim),
            (one(), "短".repeat(351), Refusal::SmsTooLong { max: 350 }),
            (one().into_iter().cycle().take(1001).collect(), "x".into(), Refusal::TooMany { max: 1000 }),
        ] {
            assert_eq!(refusal(send(&w, cards, &text, "t")), why);
        }
        for (cards, text) in [(vec![], "x"), (one(), " ")] {
            assert!(matches!(refusal(send(&w, cards, text, "t")), Refusal::BadField { .. }));
        }
        assert!(w.engine.read(|tx, _| Ok(tx.sms_newest(10)?)).unwrap().is_empty());
        assert!(w.engine.read(|tx, _| Ok(tx.intents(false, 10)?)).unwrap().is_empty());
    });
}

#[test]
fn what_devices_write_is_kept_once_and_handed_out_once() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        send(&w, iccids(&[0, 1]), "hello", "t1").unwrap();
        work(&w, &carrier);
        carrier.world.write_from(World::iccid(0).as_str(), "m1", "I am here", w.now());
        carrier.world.write_from(World::iccid(3).as_str(), "m2", "nobody asked me", w.now());
        carrier.world.fail_read(Fault::Overloaded { seconds: 30 });
        assert_eq!(carrier.collect(&w.engine), 0, "an overloaded platform tells it the next time");
        assert_eq!(carrier.collect(&w.engine), 1);
        assert_eq!(carrier.collect(&w.engine), 0, "the same message again is not another one");
        assert!(replies(&w, NORTH).is_empty());
        assert_eq!(replies(&w, ACME), ["m1 1064800000000 I am here"]);
        assert!(replies(&w, ACME).is_empty(), "handed out once");
        assert_eq!(told(&w).iter().filter(|kind| *kind == "sms_replied").count(), 1);
        // A card that was not written to for three days is not asked about any more.
        w.pass(4 * 86_400);
        carrier.world.write_from(World::iccid(1).as_str(), "m3", "late", w.now());
        assert_eq!(carrier.collect(&w.engine), 0);
    });
}

/// Cards are asked about 500 at once: many that were written to since do not hide an earlier one.
#[test]
fn a_device_is_heard_however_many_cards_were_written_to_since() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        w.add_cards(ACME, 10..520);
        send(&w, iccids(&[1]), "hello", "t1").unwrap();
        send(&w, iccids(&(10..520).collect::<Vec<_>>()), "hello", "t2").unwrap();
        work(&w, &carrier);
        carrier.world.write_from(World::iccid(1).as_str(), "m1", "I am here", w.now());
        carrier.world.write_from(World::iccid(519).as_str(), "m2", "so am I", w.now());
        assert_eq!(carrier.collect(&w.engine), 2);
        assert_eq!(replies(&w, ACME).len(), 2);
    });
}

#[test]
fn reports_are_handed_out_ten_thousand_at_a_time() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        w.engine
            .write(|tx, _, how| {
                let sim = sim_id_of(tx);
                tx.add_sms(ACME, sim, "n", "text", how.now)?;
                let sms = tx.sms("n")?.expect("a message");
                for _ in 0..10_003 {
                    tx.add_sms_report(&sms, "DELIVRD", how.now)?;
                }
                Ok(())
            })
            .unwrap();
        let counts: Vec<usize> = (0..3).map(|_| reports(&w.engine, &w, ACME).len()).collect();
        assert_eq!(counts, [10_000, 3, 0]);
    });
}

fn sim_id_of(tx: &mut kachi_store::Tx<'_>) -> kachi_domain::SimId {
    tx.sim_by_iccid(&Path::root(), World::iccid(0).as_str()).unwrap().expect("a card").id
}

fn to(numbers: &[&str], template: &str, content: &str, task: &str) -> PhoneSms {
    let numbers = numbers.iter().map(|n| (*n).to_owned()).collect();
    PhoneSms { numbers, template: template.into(), content: content.into(), task: task.into() }
}

#[test]
fn a_message_to_telephones_is_filled_paid_once_and_reported() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let (one, two) = ("13800010001", "13800010002");
        let cmd = || to(&[one, two, one], "T1", "@1@=甲|@2@=3MB", "p1");
        assert_eq!(phone(&w, ACME, cmd()).unwrap(), Once::Done("2 2 p1".into()));
        assert_eq!(phone(&w, ACME, cmd()).unwrap(), Once::Repeated("2 2 p1".into()));
        assert_eq!(w.balance(ACME), 10_000 - 20);
        let long = to(&[one], "T1", &format!("@1@={}|@2@=x", "长".repeat(60)), "p2");
        assert_eq!(phone(&w, ACME, long).unwrap(), Once::Done("1 2 p2".into()), "the signature counts");
        assert_eq!(w.balance(ACME), 10_000 - 40);
        work(&w, &carrier);
        let said = carrier.world.card("", w.now()).messages;
        assert_eq!(said[..2], [one, two].map(|n| format!("{n} 【物联网卡运营平台】甲您好, 流量剩余3MB")));
        let mut expected = vec![format!("p1 {one} DELIVRD"), format!("p1 {two} DELIVRD"), format!("p2 {one} DELIVRD")];
        expected.sort();
        assert_eq!(reports(&w.engine, &w, ACME), expected);
        w.assert_sound();
    });
}

#[test]
fn a_refused_message_to_telephones_costs_nothing() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        let (one, good) = ("13800010001", "@1@=a|@2@=b");
        for (account, cmd, why) in [
            (ACME, to(&[one], "T9", good, "p"), Refusal::UnknownTemplate),
            (NORTH, to(&[one], "T1", good, "p"), Refusal::UnknownTemplate),
            (ACME, to(&[one], "T2", good, "p"), Refusal::TemplateNotApproved),
            (ACME, to(&[one; 1001], "T1", good, "p"), Refusal::TooMany { max: 1000 }),
            (ACME, to(&[one], "T1", &format!("@1@={}|@2@=b", "x".repeat(350)), "p"), Refusal::SmsTooLong { max: 350 }),
        ] {
            assert_eq!(refusal(phone(&w, account, cmd)), why);
        }
        for (numbers, content, field) in
            [(vec!["1380001000"], good, "mobile"), (vec![], good, "mobile"), (vec![one], "@1@=a", "content")]
        {
            let why = refusal(phone(&w, ACME, to(&numbers, "T1", content, "p")));
            assert!(matches!(&why, Refusal::BadField { field: f, .. } if f == field), "{why:?}");
        }
        w.engine
            .write(|tx, _, _| {
                let known = tx.sms_template("T1")?.expect("a template");
                Ok(tx.put_sms_template(&Template { price_minor: 5_001, ..known })?)
            })
            .unwrap();
        assert_eq!(refusal(phone(&w, ACME, to(&[one, "13800010002"], "T1", good, "p"))), Refusal::InsufficientBalance);
        assert_eq!(w.balance(ACME), 10_000);
        assert!(w.engine.read(|tx, _| Ok(tx.sms_newest(10)?)).unwrap().is_empty());
        w.assert_sound();
    });
}

#[test]
fn without_a_platform_that_sends_them_messages_to_telephones_wait_and_go_out_once() {
    each(|store| {
        let (w, carrier) = world(store, json!({"without": ["phone_sms"]}));
        let (one, two) = ("13800010001", "13800010002");
        let cmd = || to(&[one, two], "T1", "@1@=a|@2@=b", "p");
        assert_eq!(phone(&w, ACME, cmd()).unwrap(), Once::Done("2 2 p".into()));
        assert_eq!(phone(&w, ACME, cmd()).unwrap(), Once::Repeated("2 2 p".into()));
        let stand = |w: &World| {
            let all = w.engine.read(|tx, _| Ok(tx.sms_newest(10)?)).unwrap();
            all.into_iter().map(|s| (s.state.word().to_owned(), s.note)).collect::<Vec<_>>()
        };
        let waits = ("queued".to_owned(), "waits: no card platform sends messages to telephones".to_owned());
        assert_eq!((stand(&w), w.balance(ACME)), (vec![waits.clone(), waits.clone()], 10_000 - 20));
        work(&w, &carrier);
        assert_eq!((send_waiting(&w.engine).unwrap(), stand(&w)), (0, vec![waits.clone(), waits]));
        let carrier = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
        carrier.remember(&w.engine);
        w.engine.catalogue().unwrap();
        assert_eq!((send_waiting(&w.engine).unwrap(), send_waiting(&w.engine).unwrap()), (2, 0));
        work(&w, &carrier);
        assert_eq!(carrier.world.card("", w.now()).messages.len(), 2, "each once");
        assert_eq!(reports(&w.engine, &w, ACME).len(), 2);
        assert_eq!(w.balance(ACME), 10_000 - 20, "paid once");
        w.assert_sound();
    });
}

#[test]
fn messages_that_wait_for_a_way_are_refused_and_their_money_is_back() {
    each(|store| {
        let (w, carrier) = world(store, json!({"without": ["phone_sms"]}));
        let (one, two, three) = ("13800010001", "13800010002", "13800010003");
        let long = format!("@1@={}|@2@=x", "长".repeat(60));
        phone(&w, ACME, to(&[one, two, three], "T1", &long, "p")).unwrap();
        phone(&w, ACME, to(&[one], "T1", "@1@=a|@2@=b", "q")).unwrap();
        assert_eq!(w.balance(ACME), 10_000 - 60 - 10);
        let held = || w.engine.read(|tx, _| Ok(tx.sms_held(10)?)).unwrap().len();
        assert_eq!(held(), 4);
        // What a part costs now is not what was paid.
        let dearer = w.engine.write(|tx, _, _| {
            let known = tx.sms_template("T1")?.expect("a template");
            Ok(tx.put_sms_template(&Template { price_minor: 500, ..known })?)
        });
        dearer.unwrap();
        let refuse = |name: &'static str, reason: &'static str| {
            let refused = w.engine.write(move |tx, catalogue, how| sms::refuse(tx, catalogue, how, name, ("Li", reason)));
            refused.map(|r| (r.messages, r.back.minor))
        };
        assert!(matches!(refusal(refuse("p", " ")), Refusal::BadField { field, .. } if field == "reason"));
        assert_eq!(refuse("p-0", "no way").unwrap(), (1, 20));
        assert!(matches!(refusal(refuse("p-0", "no way")), Refusal::BadField { field, .. } if field == "message"), "once");
        assert_eq!(refuse("p", "no way").unwrap(), (2, 40), "the rest of the batch");
        assert_eq!((w.balance(ACME), held()), (10_000 - 10, 1));
        let all = w.engine.read(|tx, _| Ok(tx.sms_newest(10)?)).unwrap();
        assert_eq!(all.iter().filter(|s| s.state.word() == "failed" && s.note == "refused by Li: no way").count(), 3);
        assert_eq!(reports(&w.engine, &w, ACME), [one, two, three].map(|n| format!("p {n} REJECTD")));
        assert_eq!(told(&w), ["sms_reported"; 3]);
        // A way that comes later takes what still waits, and nothing else.
        Carrier::of(&w.engine, "1US-1", json!({}), &[]).remember(&w.engine);
        w.engine.catalogue().unwrap();
        assert_eq!(send_waiting(&w.engine).unwrap(), 1);
        assert!(matches!(refusal(refuse("q", "too late")), Refusal::BadField { .. }), "it is on its way");
        work(&w, &carrier);
        w.assert_sound();
    });
}

#[test]
fn messages_to_cards_whose_platform_cannot_send_are_refused_and_those_that_wait_may_be() {
    each(|store| {
        let (w, mute) = world(store, json!({"without": ["sms"]}));
        assert_eq!(refusal(send(&w, iccids(&[0, 1]), "hello", "b-0")), Refusal::Unsupported);
        assert!(w.engine.read(|tx, _| Ok(tx.sms_newest(10)?)).unwrap().is_empty(), "nothing is kept");
        // What was handed in before that was known waits.
        let able = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
        able.remember(&w.engine);
        w.engine.catalogue().unwrap();
        send(&w, iccids(&[0, 1]), "hello", "b-1").unwrap();
        send(&w, iccids(&[2]), "hello", "b-2").unwrap();
        let refuse = |name: &'static str| {
            w.engine.write(move |tx, catalogue, how| sms::refuse(tx, catalogue, how, name, ("Li", "no way"))).map(|r| r.messages)
        };
        assert!(matches!(refusal(refuse("b-1")), Refusal::BadField { field, .. } if field == "message"), "it is on its way");
        mute.work(&w.engine);
        assert_eq!((refuse("b-1-0").unwrap(), refuse("b-1").unwrap()), (1, 1));
        assert!(matches!(refusal(refuse("b-1")), Refusal::BadField { field, .. } if field == "message"), "once");
        assert_eq!(reports(&w.engine, &w, ACME).len(), 2);
        for _ in 0..3 {
            w.pass(3600);
            work(&w, &able);
        }
        let messages = |card: u64| able.world.card(World::iccid(card).as_str(), w.now()).messages.len();
        assert_eq!([0, 1, 2].map(messages), [0, 0, 1], "what was refused is never sent");
        w.assert_sound();
    });
}

#[test]
fn a_template_is_used_once_it_is_approved() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        let cmd = |task: &str| to(&["13800010001"], "T2", "@1@=a|@2@=b", task);
        assert_eq!(refusal(phone(&w, ACME, cmd("p1"))), Refusal::TemplateNotApproved);
        w.engine.write(|tx, _, _| approve(tx, "T2", true)).unwrap();
        assert!(matches!(phone(&w, ACME, cmd("p2")), Ok(Once::Done(_))));
        w.engine.write(|tx, _, _| approve(tx, "T2", false)).unwrap();
        assert_eq!(refusal(phone(&w, ACME, cmd("p3"))), Refusal::TemplateNotApproved);
        assert!(matches!(refusal(w.engine.write(|tx, _, _| approve(tx, "T9", true))), Refusal::BadField { .. }));
    });
}
