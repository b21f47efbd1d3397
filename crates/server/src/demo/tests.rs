//! The demo is whole or refused, and says what it promises. On both engines, with a short past.

use super::*;
use kachi_domain::order::OrderState;
use kachi_engine::{Clock, Settings};
use kachi_store::Store;
use kachi_testkit::db::each;

const SHORT: Extent = Extent { sims: 100, days: 12 };

fn engine(store: &Store) -> Engine {
    Engine::open(store.clone(), Clock::new(|| Timestamp(1_772_337_600)), Settings::default()).expect("the engine opens")
}

fn config(store: &Store) -> Config {
    let mut config = Config::load(&crate::config::ConfigArgs::default()).expect("defaults");
    if let Place::File(path) = store.place() {
        config.data_dir = path.parent().expect("a folder").to_owned();
    }
    config
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// An empty database as the program opens it: with its operator.
fn opened(store: &Store) -> Engine {
    crate::open::ensure_operator(store, Timestamp(1_772_337_600)).expect("an operator");
    engine(store)
}

#[test]
fn the_demo_has_an_order_in_every_state_and_tells_the_page_wherever_it_is_served() {
    each(|store| {
        let (engine, config) = (opened(&store), config(&store));
        let made = prepare_extent(&engine, &config, at("127.0.0.1:18080"), SHORT).expect("made");
        assert_eq!(made.password.as_ref().map(String::len), Some(20));
        let mut states = engine.read(|tx, _| Ok(tx.orders_counted(&[ACME])?)).expect("orders");
        states.retain(|(_, orders)| *orders > 0);
        let states: Vec<&str> = states.iter().map(|(state, _)| state.as_str()).collect();
        let mut all: Vec<&str> = OrderState::ALL.iter().map(|s| s.word()).collect();
        all.sort_unstable();
        assert_eq!(states, all);

        let told = |engine: &Engine, id| engine.catalogue().expect("catalogue").account(id).map(|a| a.account.notify.clone());
        for (served, wanted) in [
            ("127.0.0.1:18080", "127.0.0.1:18080"),
            ("0.0.0.0:18184", "127.0.0.1:18184"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            let again = prepare_extent(&engine, &config, at(served), SHORT).expect("it is there");
            assert_eq!(again.password, None);
            let url = format!("{{\"eiotclub\":\"http://{wanted}/demo/receiver\"}}");
            assert_eq!((told(&engine, ACME), told(&engine, SHOP)), (Some(url.clone()), Some(url)), "served on {served}");
        }
        let own = r#"{"eiotclub":"http://127.0.0.1:9/mine"}"#;
        let put = engine.write(move |tx, _, how| {
            let account = of(tx, SHOP)?;
            tx.put_account(&Account { notify: own.into(), ..account }, how.now)?;
            Ok(tx.touch_catalogue()?)
        });
        put.expect("an address of one's own");
        prepare_extent(&engine, &config, at("127.0.0.1:7"), SHORT).expect("it is there");
        assert_eq!(told(&engine, SHOP).as_deref(), Some(own), "left alone");
        let report = kachi_engine::audit::audit(&engine).expect("the audit runs");
        assert!(report.clean, "{:#?}", report.violations);
    });
}

#[test]
fn no_card_of_the_demo_is_used_before_it_is_activated() {
    each(|store| {
        let (engine, config) = (opened(&store), config(&store));
        prepare_extent(&engine, &config, at("127.0.0.1:18080"), SHORT).expect("made");
        let (cards, readings) = engine
            .read(|tx, _| {
                let cards = tx.sims_before(&[ACME, SHOP], None, 1_000)?;
                let ids: Vec<i64> = cards.iter().map(|c| c.id.0).collect();
                let today = engine.now().0 / 86_400;
                Ok((cards, tx.readings_of_sims(&ids, today - 2 * SHORT.days, today)?))
            })
            .expect("cards and what they used");
        assert_eq!(engine.read(|tx, _| Ok(tx.orphans_waiting()?)).expect("a count"), 0, "each record is of its card's platform");
        let used: std::collections::BTreeSet<i64> = readings.iter().map(|r| r.0).collect();
        assert!(used.len() > 30 && used.len() < cards.len(), "{} of {} cards were used", used.len(), cards.len());
        for (sim, _, start, ..) in readings {
            let card = cards.iter().find(|c| c.id.0 == sim).expect("a card of the demo");
            assert!(
                card.activated_at.is_some_and(|at| at <= start),
                "{} was used at {start}: {:?}",
                card.iccid,
                card.activated_at
            );
        }
    });
}

#[test]
fn a_demo_that_was_interrupted_is_refused_with_the_remedy() {
    each(|store| {
        let (engine, config) = (opened(&store), config(&store));
        // Interrupted just before its last transaction, the latest there can be.
        Past::open(&engine, &config, SHORT).expect("a past").make().expect("made");
        let refused = |engine: &Engine| match prepare_extent(engine, &config, at("127.0.0.1:1"), SHORT) {
            Err(exit) => exit,
            Ok(_) => panic!("half a demo is served"),
        };
        let words = match store.place() {
            Place::File(path) => format!("delete {}", path.display()),
            Place::Postgres(_) => "--database-url".to_owned(),
        };
        let exit = refused(&engine);
        assert!(
            exit.code == 1 && exit.words.contains("interrupted while it was made") && exit.words.contains(&words),
            "{exit:?}"
        );
        // A login that somebody made for it does not make it whole.
        engine.write(|tx, _, how| Ok(tx.put_login(LOGIN, AccountId(1), "owner", "x", how.now)?)).expect("a login");
        assert_eq!(refused(&engine), exit);
    });
}
