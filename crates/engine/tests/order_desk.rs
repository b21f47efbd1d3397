//! Orders as the operator looks at them and takes them back by hand. On both engines.

use kachi_domain::order::{Channel, OrderState, SubscriptionState};
use kachi_domain::{AccountId, OrderId, Refusal};
use kachi_engine::orders::{self, Place};
use kachi_engine::overview::{self, About, OrderPage};
use kachi_engine::records::OrderName;
use kachi_engine::refunds::{self, RefundQuote};
use kachi_engine::{Fail, Result, pools, transfers};
use kachi_store::orders::OrderFilter;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, NORTH, STRANGER, World, line, sim_id};

const DAY: i64 = 86_400;
const OPERATOR: AccountId = AccountId(1);

fn buy_as(w: &World, account: AccountId, card: u64, package: &str) -> OrderId {
    let (iccid, package_code) = (World::iccid(card), package.to_owned());
    let number = format!("{account}-{card}-{package}");
    let place = Place { iccid, package_code, out_trade_no: None, channel: Channel::User, custom_data: None, number };
    let actor = w.actor(account);
    w.engine.write(move |tx, catalogue, how| orders::place(tx, catalogue, how, &actor, &place)).expect("bought").order
}

fn by_hand(w: &World, order: OrderId, (who, why): (&'static str, &'static str)) -> Result<i64> {
    let operator = w.actor(OPERATOR);
    let act = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
        refunds::by_hand(tx, catalogue, how, &operator, (&OrderName::Id(order), who, why))
    };
    w.engine.write(act).map(|(_, RefundQuote { minor, .. })| minor)
}

fn quote(w: &World, order: OrderId) -> Result<i64> {
    let operator = w.actor(OPERATOR);
    let quoted = w.engine.read(|tx, c| refunds::quote_by_hand(tx, c, &operator, &OrderName::Id(order), w.now()));
    quoted.map(|(_, back)| back.minor)
}

fn page(w: &World, order: OrderId) -> OrderPage {
    overview::order(&w.engine, &w.actor(OPERATOR), &OrderName::Id(order)).expect("there is such an order")
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Fail::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn orders_are_found_by_buyer_card_and_state_the_newest_first() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.add_cards(STRANGER, 50..51);
        let own = w.buy(0, "Q100-30D", "a").unwrap().order;
        let held = w.buy(1, "C100-30D", "b").unwrap().order;
        let above = buy_as(&w, NORTH, 0, "Q100-30D");
        let foreign = buy_as(&w, STRANGER, 50, "Q1000-30D");
        let back = w.buy(0, "TOP20-5D", "c").unwrap().order;
        w.refund(0, back).unwrap();
        let (all, below) = (OrderFilter::default(), [NORTH, ACME]);
        let bought_by = |accounts| OrderFilter { accounts: Some(accounts), ..all };
        let of_card = OrderFilter { sim: Some(sim_id(&w, 0)), ..all };
        let in_state = |state| OrderFilter { state: Some(state), ..all };
        let table = [
            (all, vec![back, foreign, above, held, own]),
            (OrderFilter { before: Some(above.0), ..all }, vec![held, own]),
            (OrderFilter { before: Some(own.0), ..all }, vec![]),
            (bought_by(&below[..]), vec![back, above, held, own]),
            (bought_by(&below[1..]), vec![back, held, own]),
            (OrderFilter { before: Some(held.0), ..bought_by(&below[1..]) }, vec![own]),
            (bought_by(&[]), vec![]),
            (of_card, vec![back, above, own]),
            (OrderFilter { before: Some(back.0), ..of_card }, vec![above, own]),
            (OrderFilter { accounts: Some(&[NORTH]), ..of_card }, vec![above]),
            (in_state(OrderState::Done), vec![foreign, above, own]),
            (in_state(OrderState::Pending), vec![held]),
            (in_state(OrderState::Refunded), vec![back]),
            (in_state(OrderState::Failed), vec![]),
            (OrderFilter { state: Some(OrderState::Done), accounts: Some(&[ACME]), ..of_card }, vec![own]),
        ];
        for (filter, wanted) in table {
            for limit in [1, 2, 100] {
                let found = w.engine.read(|tx, _| Ok(tx.orders_found(filter, limit)?)).unwrap();
                let found: Vec<OrderId> = found.iter().map(|o| o.id).collect();
                assert_eq!(found, wanted[..wanted.len().min(limit as usize)], "{filter:?}, {limit}");
            }
        }
    });
}

#[test]
fn an_orders_page_tells_what_it_bought_what_its_journals_moved_and_what_its_carrier_was_asked() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let (first, next) = (w.buy(0, "Q100-30D", "a").unwrap(), w.buy(0, "Q100-30D", "b").unwrap());
        let held = w.buy(1, "C100-30D", "c").unwrap().order;
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &line(1, 0, t - 900, t - 600, 60 * MB));
        let moved = |p: &OrderPage| -> Vec<(String, String, i64)> {
            p.postings.iter().map(|p| (p.name.clone(), p.bucket.clone(), p.minor)).collect()
        };
        let of = |name: &str, bucket: &str, minor| (name.to_owned(), bucket.to_owned(), minor);

        let shown = page(&w, first.order);
        assert_eq!(shown.about, About::Card(World::iccid(0).to_string()));
        let sub = &shown.subscription;
        assert_eq!(
            (sub.state, sub.pays, sub.used_bytes, sub.left_bytes),
            (SubscriptionState::Active, true, 60 * MB, Some(40 * MB))
        );
        assert_eq!(moved(&shown), [of("purchase", "available", -130), of("purchase", "revenue", 130)]);
        assert_eq!((shown.writes.len(), shown.refund), (0, None));
        let by_long = overview::order(&w.engine, &w.actor(OPERATOR), &OrderName::Number(first.number)).unwrap();
        assert_eq!(by_long.order.id, first.order);

        by_hand(&w, next.order, ("Li", "bought twice")).unwrap();
        let shown = page(&w, next.order);
        assert_eq!((shown.order.state, shown.subscription.state), (OrderState::Refunded, SubscriptionState::Ended));
        let both = [("purchase", -130), ("refund", 130)].map(|(n, m)| [of(n, "available", m), of(n, "revenue", -m)]).concat();
        assert_eq!(moved(&shown), both);
        let (remark, basis) = shown.refund.expect("it was taken back");
        assert!(remark == "refunded by Li (bought twice)" && basis.contains("\"paid_minor\":130"), "{remark} {basis}");

        let shown = page(&w, held);
        assert_eq!(shown.subscription.state, SubscriptionState::Pending);
        assert_eq!(moved(&shown), [of("hold", "available", -200), of("hold", "held", 200)]);
        let writes: Vec<_> = shown.writes.iter().map(|w| (w.state.as_str(), w.request.contains("C100-30D"))).collect();
        assert_eq!(writes, [("stored", true)]);
        assert_eq!(refusal(overview::order(&w.engine, &w.actor(OPERATOR), &OrderName::Id(OrderId(1)))), Refusal::UnknownOrder);
    });
}

#[test]
fn an_order_is_taken_back_by_hand_as_its_buyer_would() {
    // A package, what passes, what the card uses.
    let table = [
        ("Q100-30D", 0, 0),
        ("Q100-30D", DAY - 1, 60),
        ("Q100-30D", 15 * DAY, 0),
        ("Q100-30D", 2 * DAY, 60),
        ("Q100-30D", 31 * DAY, 0),
        ("T-7D", 3 * DAY, 0),
        ("M50-3M", 40 * DAY, 20),
        ("TOP20-5D", 2 * DAY, 20),
    ];
    for (package, seconds, mb) in table {
        each(|store| {
            let w = World::new(store);
            w.add_cards(ACME, 0..2);
            let [one, twin] = [0, 1].map(|card| w.buy(card, package, &format!("{card}")).unwrap().order);
            w.pass(seconds);
            let t = w.now().0;
            if mb > 0 {
                let used = [0, 1].map(|card| line(1 + card as i64, card, t - 900, t - 600, mb * MB));
                assert_eq!(w.cdr("used", &used.concat()).loaded, 2);
            }
            let before = w.balance(ACME);
            let (quoted, done) = (quote(&w, one), by_hand(&w, one, ("Li", "the wrong package")));
            let back = w.balance(ACME) - before;
            let by_buyer = w.refund(1, twin);
            assert_eq!(format!("{done:?}"), format!("{by_buyer:?}"), "{package} {seconds} {mb}");
            assert_eq!(format!("{quoted:?}"), format!("{done:?}"), "{package} {seconds} {mb}");
            assert_eq!(back, done.unwrap_or_default(), "{package} {seconds} {mb}");
            assert_eq!(w.events(0), w.events(1), "its owner is told as of the twin");
            if quoted.is_ok() {
                assert_eq!(refusal(by_hand(&w, one, ("Li", "again"))), Refusal::NotRefundable);
                assert_eq!(refusal(quote(&w, one)), Refusal::NotRefundable);
            }
            assert_eq!(w.balance(ACME), before + 2 * back, "once each");
            w.assert_sound();
        });
    }
}

#[test]
fn what_cannot_be_taken_back_by_hand_is_refused_with_the_reason_and_nothing_is_changed() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let done = w.buy(0, "Q100-30D", "a").unwrap().order;
        let held = w.buy(1, "C100-30D", "b").unwrap().order;
        let gone = w.buy(2, "Q100-30D", "c").unwrap().order;
        let (actor, to) = (w.actor(ACME), World::iccid(1));
        let cmd = transfers::Move { from: World::iccid(2), to, order: OrderName::Id(gone), memo: "x".into(), number: "m".into() };
        let came = w.engine.write(move |tx, c, how| transfers::transfer(tx, c, how, &actor, &cmd)).unwrap().order;
        let pools = pool_order(&w);
        let before = w.balance(ACME);
        let table = [
            (held, "the order cannot be refunded in its present state"),
            (gone, "the order cannot be refunded in its present state"),
            (came, "the order cannot be refunded in its present state"),
            (OrderId(1), "there is no such order"),
            (pools, "is of a pool: its buyer takes it back by pool/unsub, before its first use"),
        ];
        for (order, words) in table {
            for refused in [refusal(quote(&w, order)), refusal(by_hand(&w, order, ("Li", "why")))] {
                assert!(refused.to_string().contains(words), "{order}: {refused}");
            }
        }
        for (who, why, field) in [("", "why", "by"), ("Li", " ", "reason"), ("Li", "a\nb", "reason")] {
            let refused = refusal(by_hand(&w, done, (who, why)));
            assert!(matches!(&refused, Refusal::BadField { field: f, .. } if f == field), "{refused}");
        }
        assert_eq!((w.balance(ACME), page(&w, done).order.state), (before, OrderState::Done));
        let shown = page(&w, pools);
        assert_eq!((&shown.about, shown.subscription.left_bytes), (&About::Pool("gates".into()), Some(1000 * MB)));
        w.assert_sound();
    });
}

/// An order of a pool.
fn pool_order(w: &World) -> OrderId {
    let actor = w.actor(ACME);
    let sold = w.engine.write(|tx, catalogue, _| {
        tx.put_pool_type(catalogue.package_by_code("Q1000-30D").expect("a package").id, 2)?;
        Ok(tx.touch_catalogue()?)
    });
    sold.expect("a type");
    let buy = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
        let type_code = || "Q1000-30D".to_owned();
        let create = pools::Create { type_code: type_code(), memo: "gates".into(), ..pools::Create::default() };
        let pool = pools::create(tx, catalogue, how, &actor, &create)?;
        let (out_trade_no, number) = ("P-1".to_owned(), "p1".to_owned());
        let cmd = pools::Subscribe { pool, type_code: type_code(), out_trade_no, channel: Channel::Api, number };
        pools::subscribe(tx, catalogue, how, &actor, &cmd)
    };
    w.engine.write(buy).expect("a pool's package").order
}
