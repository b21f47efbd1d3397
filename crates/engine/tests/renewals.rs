//! Renewals: who lets one go, when it starts, what is set aside, taken and given back, whatever happens in which order. On
//! both engines.

use kachi_connectors::sandbox::Fault;
use kachi_domain::ids::Msisdn;
use kachi_domain::order::OrderState;
use kachi_domain::package::{Category, Resource, Terms};
use kachi_domain::time::parse_day;
use kachi_domain::{AccountId, OrderId, PackageId, Refusal, Span, Timestamp, Zone};
use kachi_engine::network::CardKey;
use kachi_engine::records::OrderName;
use kachi_engine::renewals::{self, Again, Renew, Renewed, Review};
use kachi_engine::{Fail, Once, Result, intents, sims};
use kachi_store::Store;
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Price};
use kachi_store::orders::Subscription;
use kachi_store::sims::Sim;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, sim_id};
use proptest::prelude::*;
use serde_json::json;
use std::sync::mpsc;

const DAY: i64 = 86_400;
const CREDIT: i64 = 500;

fn msisdn(card: u64) -> String {
    format!("10648{card:08}")
}

/// Six cards of ACME with telephone numbers and one of a stranger. ACME has 100.00 and may owe 5.00; North earns 0.30 on
/// `Q100-30D`, which ACME buys at 1.30, and nothing on the rest.
fn world(store: Store) -> World {
    let w = World::new(store);
    w.add_cards(ACME, 0..6);
    w.add_cards(STRANGER, 6..7);
    w.engine
        .write(|tx, catalogue, how| {
            for card in 0..6 {
                let there = tx.sim_by_iccid(&kachi_domain::account::Path::root(), World::iccid(card).as_str())?.expect("a card");
                let details = json!({"sbbh": format!("machine {card}")}).to_string();
                sims::put(tx, catalogue, how, &Sim { msisdn: Some(msisdn(card)), details, ..there })?;
            }
            let acme = catalogue.account(ACME).map(|a| a.account.clone()).expect("acme");
            let notify = r#"{"cardboss_data":"http://127.0.0.1:9/d","eiotclub":"http://127.0.0.1:9/n"}"#.to_owned();
            tx.put_account(&Account { credit_minor: CREDIT, notify, ..acme }, how.now)?;
            let package = catalogue.package_by_code("Q100-30D").map(|p| p.id).expect("a package");
            tx.put_price(&Price { account: NORTH, package, price_minor: Some(100), retail_minor: Some(130), listed: None })?;
            Ok(tx.touch_catalogue()?)
        })
        .unwrap();
    w
}

fn cmd(card: u64, package: &str, months: u32, review: Review) -> Renew {
    Renew {
        card: CardKey::Line(Msisdn::parse(&msisdn(card)).unwrap(), World::iccid(card)),
        package_code: package.into(),
        months,
        again: Again::Refuse,
        start_day: None,
        review,
        remark: None,
        digits: 7,
    }
}

fn renew_as(w: &World, account: AccountId, cmd: Renew) -> Result<Renewed> {
    let actor = w.actor(account);
    w.engine.write(move |tx, catalogue, how| renewals::renew(tx, catalogue, how, &actor, &cmd))
}

fn renew(w: &World, cmd: Renew) -> Result<Renewed> {
    renew_as(w, ACME, cmd)
}

fn approve(w: &World, order: OrderId) -> Result<OrderState> {
    let done = w.engine.write(move |tx, catalogue, how| renewals::approve(tx, catalogue, how, &OrderName::Id(order), "Li"));
    done.map(|order| order.state)
}

fn reject(w: &World, number: &str, reason: &'static str) -> Result<OrderState> {
    let name = OrderName::Number(number.to_owned());
    let done = w.engine.write(move |tx, catalogue, how| renewals::reject(tx, catalogue, how, &name, ("Li", reason)));
    done.map(|order| order.state)
}

/// (available, held)
fn money(w: &World) -> (i64, i64) {
    let (available, held, _) = w.engine.read(|tx, _| Ok(tx.balance(ACME)?)).unwrap();
    (available, held)
}

fn state(w: &World, order: OrderId) -> OrderState {
    w.engine.read(|tx, _| Ok(tx.order_by_id(order)?)).unwrap().expect("an order").state
}

fn subscription(w: &World, card: u64, order: OrderId) -> Subscription {
    let sim = sim_id(w, card);
    w.engine.read(|tx, _| Ok(tx.subscription_of_order(order, sim)?)).unwrap().expect("a subscription")
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(r)) => r,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The results told at the door, oldest first: number, whether it took effect, why not.
fn told(w: &World) -> Vec<(String, bool, String)> {
    let read = w.engine.read(|tx, catalogue| {
        let sees = catalogue.account(AccountId(1)).map(|a| a.sees.clone()).unwrap_or_default();
        let mut rows = tx.deliveries_newest(&sees, None, 10_000)?;
        rows.reverse();
        let events = tx.events_newest(&sees, 10_000)?;
        Ok((rows, events))
    });
    let (rows, events) = read.unwrap();
    let theirs = ["renewal_settled", "card_warning"];
    assert!(rows.iter().all(|d| (d.4 == "cardboss_data") == theirs.contains(&d.2.as_str())), "{rows:?}");
    let body = |event: i64| -> serde_json::Value {
        let text = events.iter().find(|e| e.0 == event).map(|e| e.5.clone()).expect("an event");
        serde_json::from_str(&text).expect("JSON")
    };
    let of = |v: serde_json::Value| {
        let text = |name: &str| v[name].as_str().unwrap_or_default().to_owned();
        assert!(text("equipment").starts_with("machine ") && text("msisdn").len() == 13 && !text("imsi").is_empty(), "{v}");
        (text("number"), v["done"].as_bool().expect("a verdict"), text("reason"))
    };
    rows.iter().filter(|d| d.2 == "renewal_settled").map(|d| of(body(d.1))).collect()
}

fn china(at: Option<i64>) -> String {
    at.map_or_else(|| "-".into(), |at| Zone::find("Asia/Shanghai").unwrap().text(Timestamp(at)))
}

#[test]
fn what_nobody_has_to_confirm_takes_effect_at_once() {
    each(|store| {
        let w = world(store);
        let done = renew(&w, cmd(0, "M50-3M", 12, Review::Automatic)).unwrap();
        assert_eq!((done.state, done.amount.minor, done.msisdn.as_str()), (OrderState::Done, 1200, "1064800000000"));
        assert_eq!(done.number, "CR2603010800000007");
        assert_eq!(money(&w), (10_000 - 1200, 0));
        let s = subscription(&w, 0, done.order);
        assert_eq!(s.terms.allowance, 50 * MB);
        assert_eq!((china(s.started_at), china(s.ends_at)), ("2026-03-01 08:00:00".into(), "2027-03-01 08:00:00".into()));
        assert_eq!(told(&w), [(done.number, true, String::new())]);
        w.assert_sound();
    });
}

#[test]
fn the_operator_lets_a_renewal_go_or_refuses_it() {
    each(|store| {
        let w = world(store);
        let (yes, no) = (
            renew(&w, cmd(0, "Q100-30D", 3, Review::Manual)).unwrap(),
            renew(&w, cmd(1, "Q100-30D", 1, Review::Manual)).unwrap(),
        );
        assert_eq!((yes.state, no.state), (OrderState::InReview, OrderState::InReview));
        assert_ne!(yes.number, no.number, "of one second");
        assert_eq!(money(&w), (10_000 - 390 - 130, 390 + 130));
        assert!(w.card(0).state.live.is_empty(), "what is in review is not the card's");
        assert!(told(&w).is_empty());
        let waiting = w.engine.read(|tx, _| renewals::list(tx, true, 10)).unwrap();
        assert_eq!(waiting.iter().map(|l| l.renewal.number.as_str()).collect::<Vec<_>>(), [&no.number, &yes.number]);
        w.assert_sound();

        let north = w.balance(NORTH);
        assert_eq!(approve(&w, yes.order).unwrap(), OrderState::Done);
        assert_eq!(refusal(reject(&w, &no.number, "  ")), bad("reason", "say why, the buyer is told"));
        assert_eq!(reject(&w, &no.number, "no such contract").unwrap(), OrderState::Failed);
        assert_eq!(money(&w), (10_000 - 390, 0));
        assert_eq!(w.balance(NORTH) - north, 90, "the level between earns its part of every cycle");
        assert_eq!(subscription(&w, 0, yes.order).terms.allowance, 300 * MB);
        assert_eq!(told(&w), [(yes.number.clone(), true, String::new()), (no.number.clone(), false, "no such contract".into())]);
        for again in [approve(&w, yes.order), approve(&w, no.order), reject(&w, &yes.number, "late"), reject(&w, "CR1", "x")] {
            assert!(matches!(refusal(again), Refusal::BadField { field, .. } if field == "order"));
        }
        assert!(w.engine.read(|tx, _| renewals::list(tx, true, 10)).unwrap().is_empty());
        let all = w.engine.read(|tx, _| renewals::list(tx, false, 10)).unwrap();
        assert_eq!((all[0].renewal.reason.as_str(), all[0].renewal.decided_by.as_deref()), ("no such contract", Some("Li")));
        w.assert_sound();
    });
}

fn bad(field: &str, rule: &str) -> Refusal {
    Refusal::BadField { field: field.into(), rule: rule.into() }
}

#[test]
fn the_money_is_taken_when_the_carrier_confirms_and_goes_back_when_it_refuses() {
    let refused = || Fault::Refused { code: "12089".into(), reason: "not in this state".into() };
    for (fault, end) in [
        (None, OrderState::Done),
        (Some(Fault::AppliedTimedOut), OrderState::Done),
        (Some(Fault::Lost), OrderState::Done),
        (Some(Fault::Garbage), OrderState::Done),
        (Some(Fault::Cooling { seconds: 180 }), OrderState::Done),
        (Some(refused()), OrderState::Failed),
    ] {
        for review in [Review::Automatic, Review::Manual] {
            each(|store| {
                let w = world(store);
                let carrier = Carrier::of(&w.engine, "1US-1", json!({"lag_seconds": 60}), &[]);
                let order = renew(&w, cmd(0, "C100-30D", 2, review)).unwrap();
                if review == Review::Manual {
                    carrier.work(&w.engine);
                    assert_eq!(carrier.world.effects(&order.number), 0, "nothing is asked before the operator says yes");
                    assert_eq!(approve(&w, order.order).unwrap(), OrderState::Pending);
                }
                fault.iter().for_each(|f| carrier.world.fail(f.clone()));
                assert_eq!((state(&w, order.order), money(&w)), (OrderState::Pending, (10_000 - 400, 400)));
                for _ in 0..20 {
                    carrier.work(&w.engine);
                    w.pass(60);
                }
                let (left, reason) = if end == OrderState::Done { (9_600, "") } else { (10_000, "12089 not in this state") };
                assert_eq!((state(&w, order.order), money(&w)), (end, (left, 0)), "{fault:?}");
                assert_eq!(carrier.world.effects(&order.number), u32::from(end == OrderState::Done), "{fault:?}");
                assert_eq!(told(&w), [(order.number, end == OrderState::Done, reason.to_owned())], "{fault:?}");
                w.assert_sound();
            });
        }
    }
}

#[test]
fn while_one_is_not_settled_another_is_refused_unless_it_is_meant() {
    each(|store| {
        let w = world(store);
        let first = renew(&w, cmd(0, "C100-30D", 1, Review::Automatic)).unwrap();
        let duplicate = Refusal::DuplicateRenewal { number: first.number.clone() };
        for review in [Review::Manual, Review::Automatic] {
            assert_eq!(refusal(renew(&w, cmd(0, "Q100-30D", 1, review))), duplicate);
            assert_eq!(refusal(renew_as(&w, NORTH, cmd(0, "Q100-30D", 1, review))), duplicate, "whoever asks");
        }
        renew(&w, cmd(1, "C100-30D", 1, Review::Automatic)).unwrap();
        let meant = renew(&w, Renew { again: Again::Allow, ..cmd(0, "Q100-30D", 1, Review::Manual) }).unwrap();
        confirm_all(&w);
        assert_eq!(
            refusal(renew(&w, cmd(0, "Q100-30D", 1, Review::Manual))),
            Refusal::DuplicateRenewal { number: meant.number.clone() }
        );
        reject(&w, &meant.number, "twice").unwrap();
        renew(&w, cmd(0, "Q100-30D", 1, Review::Manual)).unwrap();
        w.assert_sound();
    });
}

fn confirm_all(w: &World) {
    for intent in w.engine.read(|tx, _| Ok(tx.intents(true, 1_000)?)).unwrap() {
        intents::confirm(&w.engine, intent.id, "a test").unwrap();
    }
}

#[test]
fn of_two_at_once_one_is_ordered() {
    each(|store| {
        let w = world(store);
        let (done, outcomes) = mpsc::channel();
        std::thread::scope(|threads| {
            for review in [Review::Manual, Review::Automatic, Review::Manual, Review::Automatic] {
                let (w, done) = (&w, done.clone());
                threads.spawn(move || done.send(renew(w, cmd(0, "C100-30D", 1, review))));
            }
        });
        drop(done);
        let (ordered, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(Result::is_ok);
        assert_eq!(ordered.len(), 1, "{ordered:?}");
        assert!(refused.into_iter().all(|r| matches!(refusal(r), Refusal::DuplicateRenewal { .. })));
        assert_eq!(money(&w), (9_800, 200));
        w.assert_sound();
    });
}

#[test]
fn the_same_request_is_ordered_once() {
    each(|store| {
        let w = world(store);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ask = |months: u32, body: &str| {
            let catalogue = w.engine.catalogue().unwrap();
            let cmd = Renew { again: Again::Allow, ..cmd(0, "Q100-30D", months, Review::Automatic) };
            let answer = |r: &Renewed| r.number.clone();
            runtime.block_on(w.engine.renew(&catalogue, &w.actor(ACME), World::key("sign", body), cmd, answer))
        };
        let Ok(Once::Done(number)) = ask(1, "one") else { panic!("it is ordered") };
        assert_eq!(ask(1, "one").unwrap(), Once::Repeated(number));
        assert_eq!(refusal(ask(9, "another")), Refusal::KeyReused);
        assert_eq!(money(&w), (10_000 - 130, 0));
    });
}

#[test]
fn a_refused_renewal_changes_nothing() {
    each(|store| {
        let w = world(store);
        let other = || Msisdn::parse(&msisdn(1)).unwrap();
        let base = || cmd(0, "M50-3M", 12, Review::Automatic);
        for (wrong, why) in [
            (Renew { months: 0, ..base() }, bad("month", "12 to 99 months, a multiple of 3")),
            (Renew { months: 5, ..base() }, bad("month", "12 to 99 months, a multiple of 3")),
            (Renew { months: 11, ..base() }, bad("month", "12 to 99 months, a multiple of 3")),
            (Renew { package_code: "NO-SUCH".into(), ..base() }, Refusal::UnknownPackage),
            (Renew { card: CardKey::Line(other(), World::iccid(0)), ..base() }, Refusal::UnknownSim),
            (Renew { card: CardKey::Iccid(World::iccid(6)), ..base() }, Refusal::UnknownSim),
            (Renew { card: CardKey::Iccid(World::iccid(9)), ..base() }, Refusal::UnknownSim),
            (Renew { remark: Some("x".repeat(201)), ..base() }, bad("remark", "at most 200 characters")),
            (
                Renew { start_day: parse_day("2026-02-28").ok(), ..base() },
                bad("startdate", "today or later, at most 3660 days ahead, such as 2026-01-31"),
            ),
            (cmd(0, "Q1000-30D", 12, Review::Manual), Refusal::InsufficientBalance),
            (cmd(0, "Q1000-30D", 12, Review::Automatic), Refusal::InsufficientBalance),
        ] {
            assert_eq!(refusal(renew(&w, wrong.clone())), why, "{wrong:?}");
        }
        assert_eq!(refusal(renew_as(&w, STRANGER, base())), Refusal::UnknownSim);
        let orders = w.engine.read(|tx, _| Ok(tx.orders_of_sim(sim_id(&w, 0))?)).unwrap();
        assert_eq!((money(&w), orders.len(), told(&w)), ((10_000, 0), 0, vec![]));
        assert!(renew_as(&w, NORTH, base()).is_ok(), "the card of a sub-account is seen, and the one who asks pays");
        assert_eq!(money(&w), (10_000, 0));
        w.assert_sound();
    });
}

/// When what is renewed starts and ends: what the card has, what is asked for, where each renewal comes to lie in China.
#[test]
fn a_renewal_comes_after_the_last_valid_package_or_at_once_or_at_its_date() {
    let on =
        |day: &str| Renew { start_day: parse_day(day).ok(), again: Again::Allow, ..cmd(0, "Q100-30D", 1, Review::Automatic) };
    let plain = || Renew { again: Again::Allow, ..cmd(0, "Q100-30D", 1, Review::Automatic) };
    each(|store| {
        let w = world(store);
        // The card's first package has run out when the next is bought: it counts from today.
        let spent = renew(&w, plain()).unwrap();
        w.pass(40 * DAY);
        let second = renew(&w, plain()).unwrap();
        assert_eq!(china(subscription(&w, 0, spent.order).ended_at), "2026-03-31 08:00:00");
        assert_eq!(china(subscription(&w, 0, second.order).started_at), "2026-04-10 08:00:00");
        // One with a date leaves a gap; one without comes after it; one dated into the gap goes first.
        let dated = renew(&w, on("2026-08-01")).unwrap();
        let after = renew(&w, plain()).unwrap();
        let gap = renew(&w, on("2026-06-01")).unwrap();
        w.pass(200 * DAY);
        let began = |order: OrderId| china(subscription(&w, 0, order).started_at);
        let [june, august, its_end] = ["2026-06-01 00:00:00", "2026-08-01 00:00:00", "2026-08-31 00:00:00"];
        assert_eq!([gap, dated, after].map(|r| began(r.order)), [june, august, its_end]);
        // A date on which the card still has a package is refused, and not moved to when that is over.
        let today = w.now().0 / DAY;
        let two = [2, 1].map(|months| renew(&w, Renew { months, ..plain() }).unwrap().order);
        let refused = [0, 10, 59, 60, 89].map(|day| refusal(renew(&w, Renew { start_day: Some(today + day), ..plain() })));
        assert!(refused.iter().all(|no| *no == Refusal::DateTaken { free: today + 90 }), "{refused:?}");
        let next = renew(&w, Renew { start_day: Some(today + 90), ..plain() }).unwrap().order;
        w.pass(100 * DAY);
        assert_eq!(subscription(&w, 0, next).started_at, subscription(&w, 0, two[1]).ended_at);
        w.assert_sound();
    });
}

/// Voice, messages and safety packages wait in no queue: a renewal of one starts when the last of its like is over.
#[test]
fn a_renewal_of_what_runs_beside_the_data_starts_when_the_last_of_its_like_is_over() {
    each(|store| {
        let w = world(store);
        let sold = w.engine.write(|tx, catalogue, _| {
            let like = catalogue.package_by_code("Q100-30D").cloned().expect("a package");
            for (code, resource, category) in [
                ("V-12M", Resource::Voice, Category::Month),
                ("S-12M", Resource::Sms, Category::Month),
                ("SAFE-1M", Resource::Data, Category::Safety),
            ] {
                let terms = Terms { resource, category, allowance: 600, validity: Span::Months(1), ..like.terms.clone() };
                tx.put_package(&Package { id: PackageId(0), code: code.into(), price_minor: 10, terms, ..like.clone() })?;
            }
            Ok(tx.touch_catalogue()?)
        });
        sold.expect("packages");
        let again = |package: &str, months: u32, review: Review| Renew { again: Again::Allow, ..cmd(0, package, months, review) };
        let span = |order: OrderId| {
            let s = subscription(&w, 0, order);
            (china(s.started_at), china(s.ends_at))
        };
        let voice = renew(&w, again("V-12M", 12, Review::Automatic)).unwrap();
        let sms = renew(&w, again("S-12M", 12, Review::Automatic)).unwrap();
        let safety = renew(&w, again("SAFE-1M", 12, Review::Automatic)).unwrap();
        let top = renew(&w, again("Q100-30D", 1, Review::Automatic)).unwrap();
        for order in [voice.order, sms.order, safety.order, top.order] {
            assert_eq!(span(order).0, "2026-03-01 08:00:00", "nothing of its like is there");
        }
        w.pass(305 * DAY);
        let next: Vec<OrderId> = ["V-12M", "S-12M", "SAFE-1M"]
            .iter()
            .map(|package| renew(&w, again(package, 12, Review::Automatic)).unwrap().order)
            .collect();
        let reviewed = renew(&w, again("V-12M", 12, Review::Manual)).unwrap().order;
        assert_eq!(approve(&w, reviewed).unwrap(), OrderState::Done);
        let dated = renew(&w, Renew { start_day: parse_day("2027-01-15").ok(), ..again("V-12M", 12, Review::Automatic) });
        let dated = dated.unwrap().order;
        w.pass(800 * DAY);
        for order in next {
            assert_eq!(span(order), ("2027-03-01 08:00:00".into(), "2028-03-01 08:00:00".into()), "no paid month is lost");
        }
        assert_eq!(span(reviewed).0, "2028-03-01 08:00:00", "the second after the first");
        assert_eq!(span(dated).0, "2027-01-15 00:00:00", "a date is a date");
        w.assert_sound();
    });
}

#[derive(Debug, Clone)]
enum Step {
    Renew(u64, usize, Review),
    Approve(usize),
    Reject(usize),
    Confirm(usize),
    Refuse(usize),
    Refund(usize),
    Use(u64, i64),
    Pass(i64),
}

const PACKAGES: [(&str, u32, i64); 4] = [("Q100-30D", 2, 260), ("C100-30D", 3, 600), ("M50-3M", 12, 1200), ("T-7D", 1, 500)];

fn step() -> impl Strategy<Value = Step> {
    let review = prop_oneof![Just(Review::Manual), Just(Review::Automatic)];
    prop_oneof![
        6 => (0u64..6, 0usize..4, review).prop_map(|(card, package, review)| Step::Renew(card, package, review)),
        3 => (0usize..40).prop_map(Step::Approve),
        2 => (0usize..40).prop_map(Step::Reject),
        2 => (0usize..40).prop_map(Step::Confirm),
        2 => (0usize..40).prop_map(Step::Refuse),
        3 => (0usize..40).prop_map(Step::Refund),
        2 => (0u64..6, 1i64..300).prop_map(|(card, mb)| Step::Use(card, mb)),
        1 => (1i64..20).prop_map(Step::Pass),
    ]
}

/// What an account's money must be, kept apart from the ledger.
#[derive(Debug, Default)]
struct Model {
    /// (card, order, price), by when they were placed.
    orders: Vec<(u64, OrderId, i64)>,
    spent: i64,
    held: i64,
    lines: i64,
}

impl Model {
    fn at(&self, n: usize) -> Option<(u64, OrderId, i64)> {
        (!self.orders.is_empty()).then(|| self.orders[n % self.orders.len()])
    }

    /// Money that was set aside is not any more: it is spent, or back.
    fn settle(&mut self, before: OrderState, after: OrderState, price: i64) {
        if before.holds_money() && !after.holds_money() {
            self.held -= price;
            self.spent += if after == OrderState::Done { price } else { 0 };
        }
    }
}

/// The carrier's write of an order, by a person's word.
fn word(w: &World, order: OrderId, yes: bool) -> Result<()> {
    let open = w.engine.read(|tx, _| Ok(tx.intents(true, 1_000)?)).unwrap();
    match open.iter().find(|i| i.order == Some(order.0)) {
        Some(i) if yes => intents::confirm(&w.engine, i.id, "a test"),
        Some(i) => intents::refuse(&w.engine, i.id, "a test", "no"),
        None => Ok(()),
    }
}

fn take(w: &World, model: &mut Model, step: &Step) {
    match *step {
        Step::Renew(card, package, review) => {
            let (code, months, price) = PACKAGES[package];
            let again = if card < 3 { Again::Allow } else { Again::Refuse };
            match renew(w, Renew { again, ..cmd(card, code, months, review) }) {
                Ok(r) => {
                    assert_eq!(r.amount.minor, price);
                    model.orders.push((card, r.order, price));
                    let part = if r.state.holds_money() { &mut model.held } else { &mut model.spent };
                    *part += price;
                }
                Err(Fail::Refused(Refusal::InsufficientBalance)) => {
                    assert!(10_000 + CREDIT - model.spent - model.held < price, "there was money for it");
                }
                Err(Fail::Refused(Refusal::DuplicateRenewal { .. } | Refusal::StackFull { .. })) => {}
                Err(other) => panic!("{other}"),
            }
        }
        Step::Refund(n) => {
            let Some((card, order, _)) = model.at(n) else { return };
            if let Ok(back) = w.refund(card, order) {
                model.spent -= back;
            }
        }
        Step::Approve(n) | Step::Reject(n) | Step::Confirm(n) | Step::Refuse(n) => {
            let Some((_, order, price)) = model.at(n) else { return };
            let before = state(w, order);
            // What is not in review, or asks nothing of the carrier, answers so and stays as it is.
            let _ = match step {
                Step::Approve(_) => approve(w, order).map(|_| ()),
                Step::Confirm(_) => word(w, order, true),
                Step::Refuse(_) => word(w, order, false),
                _ => {
                    let name = OrderName::Id(order);
                    w.engine.write(move |tx, c, how| renewals::reject(tx, c, how, &name, ("Li", "no"))).map(|_| ())
                }
            };
            model.settle(before, state(w, order), price);
        }
        Step::Use(card, mb) => {
            model.lines += 1;
            let now = w.now().0;
            w.cdr(&format!("{}.csv", model.lines), &line(model.lines, card, now - 10, now, mb * MB));
        }
        Step::Pass(hours) => w.pass(hours * 3_600),
    }
}

fn holds(store: Store, steps: &[Step]) {
    let w = world(store);
    let mut model = Model::default();
    for step in steps {
        take(&w, &mut model, step);
        let (available, held) = money(&w);
        assert_eq!((available, held), (10_000 - model.spent - model.held, model.held), "after {step:?}: {model:?}");
        assert!(available >= -CREDIT && held >= 0, "{available} {held}");
    }
    let settled = model.orders.iter().filter(|(_, order, _)| !state(&w, *order).holds_money()).count();
    assert_eq!(told(&w).len(), settled, "each is told once, when it has its last word");
    w.assert_sound();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_balance_and_holds_are_right_on_sqlite(steps in prop::collection::vec(step(), 1..60)) {
        let database = Database::sqlite();
        holds(database.open(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_balance_and_holds_are_right_on_postgres(steps in prop::collection::vec(step(), 1..60)) {
        let database = Database::postgres();
        holds(database.open(), &steps);
    }
}

/// What is in use, in the queue, or waits for a person counts; what is over does not. It is bought again for who had anything before.
#[test]
fn what_is_open_of_a_package_is_counted_up_to_its_limit() {
    each(|store| {
        let w = world(store);
        let known = w.engine.catalogue().unwrap().package_by_code("Q100-30D").cloned().expect("a package");
        let few = Package { stack_max: 2, ..known };
        w.engine.write(move |tx, _, _| Ok(tx.put_package(&few).and_then(|()| tx.touch_catalogue())?)).unwrap();
        let again = |order: OrderId| w.engine.read(|tx, _| Ok(tx.order_by_id(order)?)).unwrap().expect("an order").renewal;
        let review = |card| renew(&w, cmd(card, "Q100-30D", 1, Review::Manual)).expect("it waits for a person").order;
        let number = |order: OrderId| w.engine.read(|tx, _| Ok(tx.order_by_id(order)?)).unwrap().expect("an order").number;
        let full = Refusal::StackFull { stack_max: 2 };
        // In use and in the queue.
        let first = w.buy(0, "Q100-30D", "a1").expect("bought");
        let second = w.buy(0, "Q100-30D", "a2").expect("bought");
        assert_eq!((again(first.order), again(second.order)), (false, true));
        assert_eq!(refusal(w.buy(0, "Q100-30D", "a3")), full);
        w.refund(0, second.order).expect("taken back");
        w.buy(0, "Q100-30D", "a4").expect("there is room");

        // In use, and for a person to look at.
        w.buy(1, "Q100-30D", "b1").expect("bought");
        let waits = review(1);
        assert_eq!(refusal(w.buy(1, "Q100-30D", "b2")), full);
        reject(&w, &number(waits), "no").expect("rejected");
        w.buy(1, "Q100-30D", "b3").expect("there is room");

        // Nothing in use: what waits for a person, and what never was.
        review(2);
        assert!(again(w.buy(2, "Q100-30D", "c1").expect("bought").order), "one waits");
        assert_eq!(refusal(w.buy(2, "Q100-30D", "c2")), full);
        reject(&w, &number(review(3)), "no").expect("rejected");
        assert!(!again(w.buy(3, "Q100-30D", "d1").expect("bought").order), "it never had one");

        w.pass(31 * DAY);
        assert!(again(w.buy(3, "Q100-30D", "d2").expect("bought").order), "it had one");
        w.buy(3, "Q100-30D", "d3").expect("there is room");
        assert_eq!(refusal(w.buy(3, "Q100-30D", "d4")), full);
        w.assert_sound();
    });
}
