//! Cards whose carrier has yet to activate them: those that an earlier version left so, and those of which it is refused.

use super::*;
use kachi_engine::intents;

/// Cards that were never on: one of them is locked before its activation goes out, one is resumed alone since, of one it is on its way.
const LOCKED: u64 = 9;
const RESUMED: u64 = 10;
const ON_ITS_WAY: u64 = 11;

fn new_cards(w: &World, carrier: &Carrier) {
    add_bare(w, LOCKED..ON_ITS_WAY + 1);
    for card in LOCKED..=ON_ITS_WAY {
        carrier.world.stand(World::iccid(card).as_str(), BaseState::Ready, w.now());
        place(w, card, BaseState::Ready);
        w.buy(card, "Q100-30D", &format!("o-{card}")).expect("a package");
    }
}

/// Both as they stand here and at their carrier.
fn stands(w: &World, carrier: &Carrier, card: u64) -> [BaseState; 2] {
    [w.card(card).base_state(), there(w, carrier, card).base()]
}

#[test]
fn cards_that_an_earlier_version_left_without_their_activation_are_activated() {
    each(|store| {
        let run = |statements: &str| kachi_store::db::execute_in(store.place(), statements).expect("done");
        let (w, carrier) = world(store.clone(), json!({}));
        new_cards(&w, &carrier);
        lock(&w, LOCKED);
        lock(&w, RESUMED);
        carrier.world.fail_card(World::iccid(ON_ITS_WAY).as_str(), Fault::Cooling { seconds: 180 });
        work(&w, &carrier, 5, 1);
        // As an earlier version had it, which knew of none.
        run("UPDATE sim SET activation_owed_since = NULL");
        unlock(&w, RESUMED).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!(stands(&w, &carrier, RESUMED), [BaseState::Active, BaseState::Ready], "so it was left");
        run("ALTER TABLE sim DROP COLUMN activation_owed_since");
        run(match store.place() {
            kachi_store::Place::File(_) => include_str!("../../../../migrations/sqlite/0053_activation_owed.sql"),
            kachi_store::Place::Postgres(_) => include_str!("../../../../migrations/postgres/0053_activation_owed.sql"),
        });
        unlock(&w, LOCKED).expect("it is unlocked");
        w.pass(UNLOCK_PAUSE);
        lock(&w, RESUMED);
        work(&w, &carrier, 5, 1);
        unlock(&w, RESUMED).expect("it is unlocked");
        work(&w, &carrier, 180, 10);
        for card in [LOCKED, RESUMED, ON_ITS_WAY] {
            assert_eq!(stands(&w, &carrier, card), [BaseState::Active; 2], "{}", story(&w, card));
        }
        assert_eq!(story(&w, LOCKED), "activate superseded, stop confirmed, resume confirmed, activate confirmed");
        assert_eq!(story(&w, ON_ITS_WAY), "activate confirmed");
        let owed = w.engine.read(|tx, _| Ok(tx.activations_owed(&(1..100).collect::<Vec<_>>())?)).expect("the database");
        assert!(owed.is_empty(), "{owed:?}");
        w.assert_sound();
    });
}

#[test]
fn an_activation_that_is_refused_behind_the_lift_of_a_lock_is_none() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 3}));
        new_cards(&w, &carrier);
        lock(&w, LOCKED);
        work(&w, &carrier, 5, 1);
        unlock(&w, LOCKED).expect("it is unlocked");
        carrier.work(&w.engine);
        let no = Fault::Refused { code: "12000".into(), reason: "not granted".into() };
        carrier.world.fail_card(World::iccid(LOCKED).as_str(), no);
        work(&w, &carrier, 10, 1);
        let so_far = "activate superseded, stop confirmed, resume confirmed, activate refused";
        assert_eq!((story(&w, LOCKED).as_str(), stands(&w, &carrier, LOCKED)), (so_far, [BaseState::Ready; 2]));
        assert_eq!(w.card(LOCKED).sim.activated_at, None, "it was never on");
        // A lock and its lift want nothing; what is paid for it does.
        w.pass(UNLOCK_PAUSE);
        lock(&w, LOCKED);
        work(&w, &carrier, 5, 1);
        unlock(&w, LOCKED).expect("it is unlocked");
        work(&w, &carrier, 10, 1);
        assert_eq!(stands(&w, &carrier, LOCKED), [BaseState::Ready; 2], "{}", story(&w, LOCKED));
        w.buy(LOCKED, "Q100-30D", "again").expect("a package");
        work(&w, &carrier, 10, 1);
        assert_eq!(stands(&w, &carrier, LOCKED), [BaseState::Active; 2], "{}", story(&w, LOCKED));
        w.assert_sound();
    });
}

/// Most carriers stop no card that was never on. That this one was read as it was meanwhile is no reason to leave it so.
#[test]
fn a_card_that_is_read_as_it_was_while_it_is_locked_is_activated_with_the_lift() {
    each(|store| {
        let (w, carrier) = world(store, json!({}));
        new_cards(&w, &carrier);
        lock(&w, LOCKED);
        let no = Fault::Refused { code: "12089".into(), reason: "not in this state".into() };
        carrier.world.fail_card(World::iccid(LOCKED).as_str(), no);
        work(&w, &carrier, 5, 1);
        refused::read(&w, &carrier, LOCKED);
        assert_eq!(
            (story(&w, LOCKED).as_str(), w.card(LOCKED).base_state()),
            ("activate superseded, stop refused", BaseState::Ready)
        );
        unlock(&w, LOCKED).expect("it is unlocked");
        work(&w, &carrier, 5, 1);
        assert_eq!(story(&w, LOCKED), "activate superseded, stop refused, activate confirmed");
        assert_eq!(stands(&w, &carrier, LOCKED), [BaseState::Active; 2]);
        w.assert_sound();
    });
}

/// The stop was never done, as a person says, and so the resume behind it is refused: the card is activated all the same.
#[test]
fn an_activation_does_not_wait_for_the_lift_of_a_stop_that_was_none() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 3}));
        new_cards(&w, &carrier);
        carrier.world.fail_card(World::iccid(LOCKED).as_str(), Fault::Lost);
        lock(&w, LOCKED);
        carrier.work(&w.engine);
        unlock(&w, LOCKED).expect("it is unlocked");
        let stop = writes(&w).into_iter().find(|i| request(i)["write"]["act"] == "stop").expect("the stop");
        intents::refuse(&w.engine, stop.id, "a person", "it is not so").expect("it is settled");
        let no = Fault::Refused { code: "12089".into(), reason: "not in this state".into() };
        carrier.world.fail_card(World::iccid(LOCKED).as_str(), no);
        work(&w, &carrier, 20, 1);
        let wanted = "activate superseded, stop refused, resume refused, activate confirmed";
        assert_eq!((story(&w, LOCKED).as_str(), stands(&w, &carrier, LOCKED)), (wanted, [BaseState::Active; 2]));
        w.assert_sound();
    });
}

/// Stopped by us and read so, it is what it was once that is lifted: nobody takes it for one that was on.
#[test]
fn a_card_that_was_never_on_and_is_read_while_its_stop_is_lifted_is_no_active_one() {
    each(|store| {
        let (w, carrier) = world(store, json!({"lag_seconds": 3}));
        add_bare(&w, LOCKED..LOCKED + 1);
        carrier.world.stand(World::iccid(LOCKED).as_str(), BaseState::Ready, w.now());
        place(&w, LOCKED, BaseState::Ready);
        lock(&w, LOCKED);
        work(&w, &carrier, 5, 1);
        unlock(&w, LOCKED).expect("it is unlocked");
        carrier.work(&w.engine);
        refused::read(&w, &carrier, LOCKED);
        assert_eq!(stands(&w, &carrier, LOCKED), [BaseState::Ready, BaseState::Stopped]);
        work(&w, &carrier, 5, 1);
        assert_eq!(
            (story(&w, LOCKED).as_str(), stands(&w, &carrier, LOCKED)),
            ("stop confirmed, resume confirmed", [BaseState::Ready; 2])
        );
    });
}
