//! A card that is closed: what bars it, what goes with it, and that nothing is asked for it afterwards.

use super::*;
use kachi_engine::close::{self, Closed};
use kachi_engine::sims;
use kachi_store::sims::Sim;

fn close(w: &World, card: u64, why: &'static str) -> Result<Closed> {
    let operator = w.actor(AccountId(1));
    w.engine.write(move |tx, catalogue, how| close::close(tx, catalogue, how, &operator, (&World::iccid(card), "Li", why)))
}

fn bars(w: &World, card: u64) -> String {
    refusal(close(w, card, "the end")).to_string()
}

#[test]
fn a_closed_card_is_asked_about_no_more_and_gives_its_numbers_away() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        add_bare(&w, 10..12);
        assert!(matches!(refusal(close(&w, 10, " ")), Refusal::BadField { field, .. } if field == "reason"));
        assert!(w.card(10).imei_group.is_some());
        assert_eq!(close(&w, 10, "returned").expect("it is closed"), Closed::Closed);
        assert_eq!(close(&w, 10, "returned").expect("it is so"), Closed::Already);
        let card = w.card(10);
        assert_eq!((card.sim.state.as_str(), card.imei_group), ("closed", None));
        work(&w, &carrier, 5, 1);
        assert_eq!(story(&w, 10), "", "its carrier is asked nothing");
        for write in [Write::Stop, Write::Resume] {
            let refused = refusal(switch(&w, 10, write, "r"));
            assert_eq!((&refused, refused.to_string().contains("asked of its carrier")), (&Refusal::SimOver, true));
        }
        assert!(matches!(w.buy(10, "Q100-30D", "late"), Err(Fail::Refused(Refusal::SimOver))));
        assert!(w.events(10).iter().any(|kind| kind == "sim_state_changed"), "who closed it is on its record");
        // A card that comes after it has its numbers.
        let imsi = card.sim.imsi.expect("a number");
        let next = Sim { imsi: Some(imsi.clone()), ..w.card(11).sim };
        w.engine.write(move |tx, catalogue, how| sims::put(tx, catalogue, how, &next)).expect("the number is free");
        assert_eq!((w.card(10).sim.imsi, w.card(11).sim.imsi), (None, Some(imsi)));
        w.assert_sound();
    });
}

#[test]
fn a_card_is_not_closed_over_what_it_has_or_is_being_asked_for_it() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 60}));
        assert!(bars(&w, 0).contains("has packages that run or wait (1)"), "{}", bars(&w, 0));
        add_bare(&w, 10..11);
        switch(&w, 10, Write::Stop, "s").expect("it is asked for");
        let open = writes(&w)[0].id;
        assert!(
            bars(&w, 10)
                .contains(&format!("has an open write: wait for its carrier's word, or `kachi admin intent confirm {open}`"))
        );
        carrier.work(&w.engine);
        assert!(bars(&w, 10).contains("has an open write"), "sent, and not answered yet");
        assert_eq!((w.card(10).sim.state.as_str(), w.card(10).imei_group.is_some()), ("active", true), "nothing half done");
        work(&w, &carrier, 900, 5);
        assert_eq!(close(&w, 10, "returned").expect("it is closed"), Closed::Closed);
        w.assert_sound();
    });
}
