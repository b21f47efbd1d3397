//! An EID, a telephone number, a subscriber identity is one card's.

use kachi_domain::Refusal;
use kachi_domain::sim::BaseState;
use kachi_engine::sims::{self, Put};
use kachi_engine::{Fail, Result};
use kachi_store::sims::Sim;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, STRANGER, World};

const EID: &str = "89049032000000000000000000000001";

/// Puts a card with this EID, as `apply` and an import do.
fn put(w: &World, card: u64, account: kachi_domain::AccountId, eid: &str) -> Result<Put> {
    let eid = eid.to_owned();
    w.engine.write(move |tx, catalogue, how| {
        let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
        let blank = sims::blank(&World::iccid(card), account, product);
        sims::put(tx, catalogue, how, &Sim { eid: Some(eid), state: BaseState::Active.word().into(), ..blank })
    })
}

/// The card that the EID leads to.
fn found(w: &World) -> Option<String> {
    let path = w.actor(kachi_domain::AccountId(1)).path;
    w.engine.read(|tx, _| Ok(tx.sim_by_eid(&path, EID)?)).unwrap().map(|s| s.iccid)
}

fn refused(outcome: Result<Put>) -> String {
    match outcome {
        Err(Fail::Refused(Refusal::BadField { field, rule })) if field == "eid" => rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_card_with_an_eid_is_refused_while_the_first_lives() {
    each(|store| {
        let w = World::new(store);
        put(&w, 0, ACME, EID).unwrap();
        assert!(matches!(put(&w, 0, ACME, EID), Ok(Put::Same(_))), "the card itself keeps it");
        for account in [ACME, STRANGER] {
            let rule = refused(put(&w, 1, account, EID));
            assert!(rule.contains(World::iccid(0).as_str()) && rule.contains("close it"), "{rule}");
        }
        put(&w, 2, ACME, "89049032000000000000000000000002").unwrap();
        refused(put(&w, 2, ACME, EID));
        assert_eq!(w.card(2).sim.eid.as_deref(), Some("89049032000000000000000000000002"), "nothing half done");
        assert_eq!(found(&w), Some(World::iccid(0).to_string()));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_is_over_gives_its_eid_to_the_one_that_comes_after_it() {
    each(|store| {
        let w = World::new(store);
        put(&w, 0, ACME, EID).unwrap();
        let sim = w.card(0).sim;
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, BaseState::Replaced.word(), 0, None)?)).unwrap();
        put(&w, 1, ACME, EID).unwrap();
        assert_eq!(found(&w), Some(World::iccid(1).to_string()));
        assert_eq!((w.card(0).sim.eid, w.card(1).sim.eid.as_deref()), (None, Some(EID)));
        w.assert_sound();
    });
}

/// A card with this number of that kind, beside the others that it has.
fn numbered(w: &World, card: u64, kind: &str, number: &str) -> Result<Put> {
    let (number, kind) = (Some(number.to_owned()), kind.to_owned());
    w.engine.write(move |tx, catalogue, how| {
        let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
        let blank = Sim { state: BaseState::Active.word().into(), ..sims::blank(&World::iccid(card), ACME, product) };
        let wanted = if kind == "imsi" { Sim { imsi: number, ..blank } } else { Sim { msisdn: number, ..blank } };
        sims::put(tx, catalogue, how, &wanted)
    })
}

#[test]
fn a_telephone_number_and_an_identity_are_one_cards() {
    each(|store| {
        let w = World::new(store);
        for (kind, number, first) in [("msisdn", "1490000000001", 0), ("imsi", "460001111111111", 10)] {
            let leads = || {
                let path = w.actor(kachi_domain::AccountId(1)).path;
                w.engine.read(|tx, _| Ok(tx.sim_by_number(&path, kind, number)?)).unwrap().map(|s| s.iccid)
            };
            numbered(&w, first, kind, number).unwrap();
            numbered(&w, first + 1, kind, if kind == "imsi" { "460001111111112" } else { "1490000000002" }).unwrap();
            for card in [first + 1, first + 2] {
                let refused = numbered(&w, card, kind, number);
                let Err(Fail::Refused(Refusal::BadField { field, rule })) = refused else { panic!("{refused:?}") };
                assert!(field == kind && rule.contains(World::iccid(first).as_str()), "{field}: {rule}");
            }
            assert_eq!(leads(), Some(World::iccid(first).to_string()));
            // The carrier gives the number of a card that is over out again.
            let sim = w.card(first).sim;
            w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, BaseState::Closed.word(), 0, None)?)).unwrap();
            numbered(&w, first + 2, kind, number).unwrap();
            assert_eq!(leads(), Some(World::iccid(first + 2).to_string()));
            w.assert_sound();
        }
    });
}
