//! Why a card has no network: each part of the house has its say, with its source and age; and what cannot be lifted is
//! refused before anything is sent. On both engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::account::Switch;
use kachi_domain::carrier::{Line, Standing, Stop};
use kachi_domain::diagnose::{Cause, Lang, Report, Source, Topic, Why};
use kachi_domain::ids::Imei;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Iccid, Refusal, Timestamp};
use kachi_engine::card_reads::{self, Ask, What};
use kachi_engine::desk::Reading;
use kachi_engine::direct::{Act, Outcome};
use kachi_engine::network::CardKey;
use kachi_engine::renewals::{self, Again, Renew, Review};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Switched};
use kachi_engine::{Fail, RequestKey, Result, diagnose, imei, sims};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_store::card_reads::CardRead;
use kachi_store::imei::ImeiGroup;
use kachi_store::sims::Sim;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, line_in};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;
const OPERATOR: AccountId = AccountId(1);

/// Cards without a package, which are left on.
fn world(store: Store, mut settings: Value) -> (World, Carrier) {
    settings["stop_cards"] = json!(false);
    let w = World::new(store);
    w.add_cards(ACME, 0..3);
    let carrier = Carrier::of(&w.engine, "1US-1", settings, &[]);
    carrier.remember(&w.engine);
    (w, carrier)
}

fn why(w: &World, card: u64) -> Report {
    diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(card), None).expect("a report")
}

/// The causes, each with what it is about.
fn causes(report: &Report) -> Vec<String> {
    let one = |f: &kachi_domain::diagnose::Found| {
        let of = if f.of.is_empty() { String::new() } else { format!(" [{}]", f.of) };
        format!("{}{of} {}", f.cause.word(), f.certainty.word())
    };
    report.causes.iter().map(one).collect()
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The carrier's word on a card, kept as it is when the card is read.
fn told(w: &World, card: u64, base: BaseState, reasons: Blocks) {
    let line = Line {
        standing: Some(Standing { base, raw: "4".into(), since: None }),
        stop: Some(Stop { blocks: reasons, raw: "000020000020".into(), words: String::new() }),
        ..Line::default()
    };
    let sim = w.card(card).sim.id;
    let kept = move |tx: &mut kachi_store::Tx<'_>, at: Timestamp| -> Result<()> {
        let word = tx.carrier_word(sim)?.hear(&line, at);
        Ok(tx.put_carrier_word(sim, &word)?)
    };
    w.engine.write(move |tx, _, how| kept(tx, how.now)).expect("kept");
}

fn place(w: &World, card: u64, base: BaseState, blocks: Blocks) {
    let sim = w.card(card).sim;
    let kept = sim.blocks & Blocks::PACKAGE.0 | blocks.0;
    w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, base.word(), kept, None)?)).expect("placed");
}

fn read(w: &World, carrier: &Carrier, card: u64) {
    let ask = Ask { iccid: World::iccid(card), platform: None, product: None, what: What::Status };
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| card_reads::ask(tx, catalogue, how, &actor, &ask)).expect("asked");
    carrier.work(&w.engine);
}

fn switch(w: &World, card: u64, write: kachi_domain::carrier::Write, reference: &'static str) -> Result<Switched> {
    let (actor, key) = (w.actor(ACME), Key::Iccid(World::iccid(card)));
    w.engine.write(move |tx, catalogue, how| switch::switch(tx, catalogue, how, &actor, (&key, write.clone(), reference)))
}

fn resume(w: &World, card: u64, reference: &'static str) -> Result<Switched> {
    switch(w, card, kachi_domain::carrier::Write::Resume, reference)
}

fn directly(w: &World, card: u64, act: Act, key: &str) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let key =
        RequestKey { door: "test", key: key.into(), number: None, body_hash: format!("{card} {act:?}"), correct_seconds: 0 };
    let asked = (CardKey::Iccid(World::iccid(card)), act, format!("ref-{}", key.key));
    let catalogue = w.engine.catalogue().unwrap();
    runtime.block_on(w.engine.act_now(&catalogue, &w.actor(ACME), key, asked, Duration::ZERO))
}

fn writes(w: &World) -> usize {
    w.engine.read(|tx, _| Ok(tx.intents(false, 100)?)).unwrap().len()
}

#[test]
fn a_card_is_found_by_any_of_its_numbers_and_a_strangers_is_not_there() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        let eid = "89049032000000000000000000000001";
        let sim = Sim { msisdn: Some("1064800000001".into()), eid: Some(eid.into()), ..w.card(0).sim };
        w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &sim).map(|_| ())).unwrap();
        let find = |account, number: &str| diagnose::find(&w.engine, &w.actor(account), number);
        for number in [World::iccid(0).as_str(), "1064800000001", "460000000000000", eid, " 1064800000001 "] {
            for account in [ACME, NORTH, OPERATOR] {
                assert_eq!(find(account, number).unwrap(), World::iccid(0), "{number}");
            }
            assert_eq!(refusal(find(STRANGER, number)), Refusal::UnknownSim, "{number}");
        }
        assert_eq!(refusal(find(ACME, "1064800000002")), Refusal::UnknownSim, "foreign and unknown alike");
        for bad in ["", "123", "no card", "8986001000000000000000000000000000000"] {
            assert!(matches!(refusal(find(ACME, bad)), Refusal::BadField { field, .. } if field == "card"), "{bad}");
        }
        let stranger = diagnose::diagnose(&w.engine, &w.actor(STRANGER), &World::iccid(0), None);
        assert_eq!(refusal(stranger), Refusal::UnknownSim);
        let nobody = Iccid::parse("89860099999999999999").unwrap();
        assert_eq!(refusal(diagnose::diagnose(&w.engine, &w.actor(ACME), &nobody, None)), Refusal::UnknownSim);
    });
}

#[test]
fn what_waits_behind_a_used_up_month_is_named_with_its_start() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        w.buy(0, "M50-3M", "a").unwrap();
        w.buy(0, "T-7D", "b").unwrap();
        w.buy(0, "Q100-30D", "c").unwrap();
        w.pass(3600);
        let t = w.now().0;
        w.cdr("the month", &line(1, 0, t - 900, t - 600, 50 * MB));
        let month = w.card(0).state.live[0].clone();
        let ((_, end), refill) = (month.running.unwrap(), month.refill.unwrap());
        let report = why(&w, 0);
        assert_eq!(causes(&report), ["quota certain", "package_waits likely"]);
        assert!(!report.text(Lang::En).contains("nothing waits"), "{}", report.text(Lang::En));
        let said: Vec<String> = report.looks(&report.causes[0], Lang::En).into_iter().flatten().map(|e| e.value).collect();
        let used_up = format!("M50-3M name: used 50.0 MB, left 0 B, refills {refill}, until {end}");
        let next = end.plus(7 * DAY);
        let wait = format!("T-7D name: used 0 B, starts by {end}; Q100-30D name: used 0 B, left 100.0 MB, starts by {next}");
        assert!(said.contains(&used_up) && said.contains(&wait), "{said:?}");
        w.pass(refill.since(w.now()));
        assert_eq!(causes(&why(&w, 0)), Vec::<String>::new(), "the new month pays");
        for start in [end, next] {
            w.pass(start.since(w.now()));
            assert_eq!(w.card(0).state.live[0].running.unwrap().0, start);
        }
        w.assert_sound();
    });
}

#[test]
fn packages_pools_devices_renewals_and_writes_have_their_say() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        assert_eq!(causes(&why(&w, 0)), ["no_package certain"]);
        w.buy(0, "Q100-30D", "a").unwrap();
        assert_eq!(causes(&why(&w, 0)), Vec::<String>::new());
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &[line(1, 0, t - 900, t - 600, 100 * MB), line(2, 0, t - 500, t - 400, MB)].concat());
        let report = why(&w, 0);
        assert_eq!(causes(&report), ["quota certain"]);
        let said: Vec<String> = report.looks(&report.causes[0], Lang::En).into_iter().flatten().map(|e| e.value).collect();
        assert!(said[1].starts_with("Q100-30D name: used 100.0 MB") && said[1].ends_with("over: quota"), "{said:?}");
        assert!(said.contains(&"1.0 MB".to_owned()), "what nothing paid: {said:?}");
        let last = report.at_the_device(Lang::En).into_iter().flatten().find(|e| e.topic == Topic::LastUse).unwrap();
        assert_eq!(
            (last.source, last.as_of, last.value.as_str()),
            (Source::Cdr, Timestamp(t - 400), "101.0 MB in the last 90 days")
        );
        w.buy(0, "T-7D", "b").unwrap();
        w.pass(8 * DAY);
        assert_eq!(causes(&why(&w, 0)), ["expired certain"]);

        // A package that the carrier must make real, refused: the words are the carrier's.
        carrier.world.fail(Fault::Refused { code: "12099".into(), reason: "no offer".into() });
        w.buy(1, "C100-30D", "c").unwrap();
        let open = why(&w, 1);
        let (write, text) = (open.card.ordered[0].write, open.text(Lang::En));
        assert_eq!(causes(&open), [format!("order_open [{write}] certain")], "it is paid for: nobody is to buy another");
        assert!(text.contains(" C100-30D name: paid, waits for the carrier (kept here, now)"), "{text}");
        assert!(!text.contains("buy a package"), "{text}");
        assert_eq!(resume(&w, 1, "r").unwrap(), Switched::Already { left: vec![Cause::OrderOpen] });
        carrier.work(&w.engine);
        let refused = why(&w, 1);
        assert!(causes(&refused)[1].starts_with("order_refused ["), "{refused:?}");
        assert!(refused.text(Lang::En).contains(": 12099 no offer"), "{}", refused.text(Lang::En));
        w.pass(31 * DAY);
        assert_eq!(causes(&why(&w, 1)), ["no_package certain"], "what was refused a month ago explains nothing");

        // A renewal that waits for the operator.
        let cmd = Renew {
            card: CardKey::Iccid(World::iccid(1)),
            package_code: "Q100-30D".into(),
            months: 1,
            again: Again::Refuse,
            start_day: None,
            review: Review::Manual,
            remark: None,
            digits: 1,
        };
        let actor = w.actor(ACME);
        let order = w.engine.write(move |tx, c, how| renewals::renew(tx, c, how, &actor, &cmd)).unwrap();
        let report = why(&w, 1);
        assert_eq!(causes(&report), [format!("renewal_in_review [{}] certain", order.number)]);
        assert_eq!(report.causes[0].command(""), Some(format!("kachi admin renewal approve {}", order.number)));

        // An access point, and a device outside the group.
        let sim = w.card(2).sim.id;
        w.buy(2, "Q100-30D", "d").unwrap();
        w.engine.write(move |tx, _, how| Ok(tx.put_apn_off(sim, "CMIOT", how.now)?)).unwrap();
        assert_eq!(causes(&why(&w, 2)), ["access_point_off possible"]);
        locked(&w, 2);
        let report = why(&w, 2);
        assert_eq!(causes(&report)[0], "imei_lock [g7] certain");
        assert!(report.text(Lang::En).contains("g7: locked, seen in 355000000000017"), "{}", report.text(Lang::En));
        let imei = report.card.look(Topic::Imei, Lang::En).unwrap();
        assert_eq!(imei.source, Source::Kept, "by whom it was seen is not kept");
        w.assert_sound();
    });
}

#[test]
fn an_order_whose_last_word_never_came_waits_for_a_person() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 100 * DAY}));
        w.buy(0, "C100-30D", "a").unwrap();
        carrier.work(&w.engine);
        let write = why(&w, 0).card.ordered[0].write;
        assert_eq!(causes(&why(&w, 0)), [format!("order_open [{write}] certain")]);
        w.pass(4 * DAY);
        carrier.work(&w.engine);
        let report = why(&w, 0);
        assert_eq!(causes(&report), [format!("order_by_hand [{write}] certain")]);
        assert_eq!(report.causes[0].command(""), Some(format!("kachi admin intent confirm {write}")));
        w.assert_sound();
    });
}

/// The card is put into a group and seen in a device outside it.
fn locked(w: &World, card: u64) {
    let actor = w.actor(OPERATOR);
    w.engine
        .write(move |tx, catalogue, how| {
            let group = ImeiGroup { id: 7, account: ACME, code: "g7".into(), unlocks_per_month: 3, bound_sim: None };
            tx.add_imei_group(&group, how.now)?;
            tx.add_imei(&group, &Imei::parse("867530912345678").expect("an IMEI"))?;
            imei::join(tx, catalogue, how, &actor, (&World::iccid(card), &group), None).map(|_| ())
        })
        .unwrap();
    w.pass(600);
    let t = w.now().0;
    w.cdr("foreign", &line_in(9, card, t - 60, t - 30, MB, 355_000_000_000_017));
}

#[test]
fn the_carriers_word_is_kept_with_its_age_and_what_it_does_not_tell_is_said() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        w.buy(0, "Q100-30D", "a").unwrap();
        let gap = |report: &Report, topic| report.card.look(topic, Lang::En).unwrap_err();
        assert_eq!(gap(&why(&w, 0), Topic::CarrierState).why, Why::NeverRead);
        carrier.world.connect(World::iccid(0).as_str(), w.now());
        read(&w, &carrier, 0);
        w.pass(1800);
        let report = why(&w, 0);
        assert_eq!(report.online, Some(Timestamp(w.now().0 - 1800)));
        let state = report.card.look(Topic::CarrierState, Lang::En).unwrap();
        assert_eq!((state.source, state.as_of.0, state.value.starts_with("active")), (Source::Carrier, w.now().0 - 1800, true));
        w.pass(DAY);
        assert_eq!((why(&w, 0).online, causes(&why(&w, 0))), (None, vec![]), "yesterday's session says nothing of now");

        // It is stopped there, by somebody else; read again, that is so.
        carrier.world.stand(World::iccid(0).as_str(), BaseState::Stopped, w.now());
        read(&w, &carrier, 0);
        assert_eq!(causes(&why(&w, 0)), ["carrier_owner_stop certain"]);
        w.pass(2 * DAY);
        assert_eq!(causes(&why(&w, 0)), ["carrier_owner_stop likely"], "much can be lifted in two days");

        // What came of asking just now is told with what is still not known.
        let asked = |reading: Reading| diagnose::diagnose(&w.engine, &w.actor(ACME), &World::iccid(1), Some(&reading)).unwrap();
        assert_eq!(gap(&asked(Reading::Waiting), Topic::Session).why, Why::NoAnswer);
        let failed = gap(&asked(Reading::Failed("12010 unknown card".into())), Topic::StopReason);
        assert_eq!((failed.why, failed.words.as_str()), (Why::Failed, "12010 unknown card"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let fresh = runtime.block_on(w.engine.diagnose_fresh(&w.actor(ACME), World::iccid(1), Duration::ZERO)).unwrap();
        assert_eq!((fresh.1, gap(&fresh.0, Topic::Session).why), (Reading::Waiting, Why::NoAnswer));
        w.assert_sound();
    });
}

#[test]
fn the_account_that_is_switched_off_is_named_where_it_stands_in_the_tree() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        w.buy(0, "Q100-30D", "a").unwrap();
        let switched = |account: AccountId, switch: Switch| {
            w.engine
                .write(move |tx, catalogue, how| {
                    let there = catalogue.account(account).expect("an account").account.clone();
                    tx.put_account(&Account { switch, ..there }, how.now)?;
                    Ok(tx.touch_catalogue()?)
                })
                .unwrap();
            causes(&diagnose::diagnose(&w.engine, &w.actor(OPERATOR), &World::iccid(0), None).unwrap())
        };
        assert_eq!(switched(ACME, Switch::Paused), ["account_paused [acme] possible"]);
        assert_eq!(switched(NORTH, Switch::Off), ["account_off [north] possible"], "whoever is above decides");
        switched(NORTH, Switch::On);
        assert_eq!(switched(ACME, Switch::On), Vec::<String>::new());
    });
}

#[test]
fn a_person_or_a_platform_that_cannot_tell_is_named_as_that() {
    each(|store| {
        let (w, _carrier) = world(store, json!({}));
        let hand = w.platform();
        let can = kachi_domain::carrier::Capabilities { by_hand: true, ..Default::default() };
        let mute = kachi_domain::carrier::Capabilities::default();
        for (can, wanted) in [(can, Why::ByHand), (mute, Why::CannotTell)] {
            w.engine
                .write(move |tx, catalogue, _| {
                    let product = catalogue.product_by_code("1US-1").expect("the product").clone();
                    tx.put_product(&kachi_store::catalogue::Product { platform: hand, ..product })?;
                    tx.put_platform_capabilities(hand, can)?;
                    Ok(tx.touch_catalogue()?)
                })
                .unwrap();
            for topic in [Topic::CarrierState, Topic::StopReason, Topic::Session, Topic::Counter] {
                assert_eq!(why(&w, 0).card.look(topic, Lang::En).unwrap_err().why, wanted, "{}", topic.word());
            }
        }
    });
}

#[test]
fn a_resume_that_cannot_work_is_refused_before_anything_is_sent() {
    for (reason, cause) in [
        (Blocks::CREDIT, Cause::CarrierCredit),
        (Blocks::FORCED, Cause::CarrierForced),
        (Blocks::EXPIRED, Cause::CarrierExpired),
        (Blocks::REAL_NAME, Cause::RealName),
        (Blocks::REGION, Cause::Region),
        (Blocks::SEPARATION, Cause::Separation),
        (Blocks::CARRIER_MANAGEMENT, Cause::CarrierManagement),
    ] {
        each(|store| {
            let (w, carrier) = world(store, json!({}));
            // The carrier gave it as its reason when the card was last read.
            told(&w, 0, BaseState::Stopped, reason);
            let barred = Refusal::KeptOff { by: vec![cause] };
            assert_eq!(refusal(resume(&w, 0, "r1")), barred);
            assert_eq!(refusal(directly(&w, 0, Act::Resume, "r2")), barred);
            assert_eq!(writes(&w), 0, "nothing was asked of the carrier");
            let words = barred.to_string();
            assert!(words.contains(cause.word()) && words.contains(cause.row().who.says(Lang::En)), "{words}");

            // The owner's own stop is taken away all the same, and what is left is told.
            place(&w, 0, BaseState::Active, Blocks::OWNER_STOP);
            let left = Cause::all(Blocks::NO_PACKAGE, reason);
            assert_eq!(resume(&w, 0, "r3").unwrap(), Switched::Lifted { left: left.clone() });
            place(&w, 0, BaseState::Active, Blocks::OWNER_STOP);
            assert_eq!(directly(&w, 0, Act::Resume, "r4").unwrap(), Outcome::Done { left });
            assert_eq!((writes(&w), w.card(0).blocks()), (0, Blocks::NO_PACKAGE));

            // Read long ago, it says nothing of now: the carrier is asked, and has the last word.
            w.pass(DAY + 1);
            let carriers = [Blocks::REAL_NAME, Blocks::REGION, Blocks::SEPARATION, Blocks::CARRIER_MANAGEMENT];
            place(&w, 0, BaseState::Active, Blocks(carriers.iter().map(|b| b.0 & reason.0).sum()));
            carrier.world.fail(Fault::Refused { code: "12098".into(), reason: "no".into() });
            assert_eq!(resume(&w, 0, "r4a").unwrap(), Switched::Asked { left: vec![Cause::NoPackage] });
            carrier.work(&w.engine);
            let asked = writes(&w);

            // The next reading shows that it is lifted there: now the carrier is asked.
            place(&w, 0, BaseState::Active, Blocks::NONE);
            told(&w, 0, BaseState::Stopped, Blocks::OWNER_STOP);
            assert_eq!(resume(&w, 0, "r5").unwrap(), Switched::Asked { left: vec![Cause::NoPackage] });
            assert_eq!(writes(&w), asked + 1);
            carrier.work(&w.engine);
            w.assert_sound();
        });
    }
}

#[test]
fn an_answer_to_a_resume_says_what_is_left_and_a_stop_is_told_from_a_missing_package() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 0}));
        assert_eq!(resume(&w, 0, "a").unwrap(), Switched::Already { left: vec![Cause::NoPackage] });
        assert_eq!(switch(&w, 0, kachi_domain::carrier::Write::Stop, "b").unwrap(), Switched::Asked { left: vec![] });
        carrier.work(&w.engine);
        assert_eq!(refusal(resume(&w, 0, "c")), Refusal::SwitchBarred, "the opposite is on its way");
        for _ in 0..3 {
            carrier.work(&w.engine);
            w.pass(60);
        }
        assert_eq!(switch(&w, 0, kachi_domain::carrier::Write::Stop, "d").unwrap(), Switched::Already { left: vec![] });
        assert_eq!(causes(&why(&w, 0)), ["owner_stop certain", "no_package certain"]);
        assert_eq!(resume(&w, 0, "e").unwrap(), Switched::Asked { left: vec![Cause::NoPackage] });
        assert_eq!(resume(&w, 0, "f").unwrap(), Switched::Waiting);
        for _ in 0..3 {
            carrier.work(&w.engine);
            w.pass(60);
        }
        assert_eq!(causes(&why(&w, 0)), ["no_package certain"]);
        // The carrier has said itself that the card is on: a resume would lift nothing.
        told(&w, 0, BaseState::Active, Blocks::NONE);
        assert_eq!(refusal(directly(&w, 0, Act::Resume, "g")), Refusal::KeptOff { by: vec![Cause::NoPackage] });
        w.assert_sound();
    });
}

#[test]
fn a_card_that_is_said_to_have_changed_is_read_when_its_carrier_lets_it() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        let platform = *carrier.connectors.keys().next().unwrap();
        let wish = CardRead {
            id: 0,
            account: ACME,
            iccid: World::iccid(0).as_str().into(),
            sim: Some(w.card(0).sim.id),
            product: None,
            platform,
            what: "changed".into(),
            state: String::new(),
            words: String::new(),
            tries: 0,
        };
        let id = w.engine.write(move |tx, _, how| Ok(tx.add_card_read(&wish, how.now)?)).unwrap();
        let stands = || w.engine.read(|tx, _| Ok(tx.card_read(id)?)).unwrap().expect("it is kept").state;
        carrier.world.fail_read(Fault::Overloaded { seconds: 900 });
        carrier.read(&w.engine);
        assert_eq!(stands(), "waiting", "nobody waits for it, so it can wait");
        w.pass(899);
        carrier.read(&w.engine);
        assert_eq!(stands(), "waiting", "not before the carrier would have it");
        w.pass(1);
        carrier.read(&w.engine);
        assert_eq!(stands(), "done");
    });
}

#[test]
fn what_was_said_before_a_confirmed_write_says_nothing_of_after() {
    each(|store| {
        let (w, carrier) = world(store, json!({"cool_down_seconds": 0}));
        w.buy(0, "Q100-30D", "a").unwrap();
        read(&w, &carrier, 0);
        let word = || {
            let sim = w.card(0).sim.id;
            w.engine.read(move |tx, _| Ok(tx.carrier_word(sim)?)).unwrap()
        };
        assert!(word().standing.is_some());
        directly(&w, 0, Act::Stop, "s").unwrap();
        for _ in 0..3 {
            carrier.work(&w.engine);
            w.pass(60);
        }
        assert_eq!((word().standing, causes(&why(&w, 0))), (None, vec!["owner_stop certain".to_owned()]));
        w.assert_sound();
    });
}
