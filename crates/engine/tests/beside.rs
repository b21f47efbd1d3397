//! What figures of many cards are made of, asked for by one statement, is what each question tells by itself. On both engines.

use kachi_domain::Timestamp;
use kachi_domain::carrier::{Heard, Session, Standing, Stop};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_store::beside::{Ask, Held};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, MB, World, line, sim_id};

#[test]
fn what_is_known_of_many_cards_is_what_each_question_tells_by_itself() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let bought = ["n-1", "n-2"].map(|number| w.buy(0, "Q100-30D", number).expect("it is sold").order);
        w.pass(3_600);
        let stop = w.now().0;
        w.pass(3_600);
        w.refund(0, bought[1]).expect("it waits, so that it goes back");
        w.pass(60);
        w.cdr("one", &format!("{}{}", line(1, 0, stop - 9, stop, 120 * MB), line(2, 0, stop - 5, stop, 7)));
        let (sim, at) = (sim_id(&w, 0), |n: i64| Timestamp(1_000 + n));
        let session = Session { since: Some(at(1)), apn: Some("a".into()), ip: Some("b".into()), rat: Some("c".into()) };
        let word = Heard {
            standing: Some((Standing { base: BaseState::Stopped, raw: "04".into(), since: Some(at(2)) }, at(3))),
            stop: Some((Stop { blocks: Blocks::CREDIT, raw: "05".into(), words: "d".into() }, at(4))),
            sessions: Some((vec![session], at(5))),
            power: Some((true, at(6))),
        };
        let kept = word.clone();
        w.engine.write(move |tx, _, _| Ok(tx.put_carrier_word(sim, &kept)?)).expect("it is kept");
        let day = stop.div_euclid(86_400);
        let (known, alone, subs) = w
            .engine
            .read(move |tx, _| {
                let span = (Timestamp(0), Timestamp(i64::MAX));
                let (sims, days) = ([sim.0], (day - 2, day + 2));
                let ask = Ask { sims: &sims, accounts: &[ACME], days, span, voice_since: Timestamp(0), all: true };
                Ok((tx.beside(&ask)?, tx.carrier_word(sim)?, tx.subscriptions(sim)?))
            })
            .expect("it is told");
        assert_eq!(alone, word);
        // Why it is stopped is nobody's figure.
        assert_eq!(known.heard.get(&sim.0), Some(&Heard { stop: None, ..word }));
        assert_eq!(known.used.get(&sim.0), Some(&(120 * MB + 7, 2)));
        let held = |h: &Held| (h.bought_at, h.ended_at, h.used_bytes, h.refunded_at, h.state);
        let mut told: Vec<_> = known.held[&sim.0].iter().map(held).collect();
        let mut truly: Vec<_> = subs.iter().map(|s| (s.bought_at, s.ended_at, s.used_bytes, s.refunded_at, s.state)).collect();
        told.sort_by_key(|h| (h.2, h.3));
        truly.sort_by_key(|h| (h.2, h.3));
        assert_eq!(told, truly);
        assert!(truly.iter().any(|h| h.2 == 100 * MB && h.1.is_some()) && truly.iter().any(|h| h.3.is_some()), "{truly:?}");
    });
}
