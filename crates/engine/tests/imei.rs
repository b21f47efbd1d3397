//! IMEI groups from inside: readings lock cards, membership begins and ends, the carrier is asked. On both engines.

use kachi_domain::ids::Imei;
use kachi_domain::imei::Sighting;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, Refusal, Timestamp};
use kachi_engine::imei::{self, Joined};
use kachi_engine::{Fail, Result, Settings, audit, sims};
use kachi_store::imei::{ImeiGroup, ImeiMember};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, NORTH, STRANGER, World, line_in};

const DAY: i64 = 86_400;
const OPERATOR: AccountId = AccountId(1);
/// Of the group.
const OWN: i64 = 867_530_912_345_678;
/// Not of the group.
const FOREIGN: i64 = 355_000_000_000_017;
const OTHER: i64 = 355_000_000_000_025;

/// A group of the account that holds [`OWN`], with these cards in it.
fn group(w: &World, account: AccountId, id: i64, cards: std::ops::Range<u64>) -> ImeiGroup {
    let group = ImeiGroup { id, account, code: format!("g{id}"), unlocks_per_month: 3, bound_sim: None };
    let made = group.clone();
    w.engine
        .write(move |tx, _, how| {
            tx.add_imei_group(&made, how.now)?;
            tx.add_imei(&made, &Imei::parse(&OWN.to_string()).expect("an IMEI"))?;
            Ok(())
        })
        .expect("a group");
    for card in cards {
        assert_eq!(join(w, card, &group, None).expect("it joins"), Joined::Joined);
    }
    group
}

fn join(w: &World, card: u64, group: &ImeiGroup, until: Option<i64>) -> Result<Joined> {
    let (actor, group, until) = (w.actor(OPERATOR), group.clone(), until.map(Timestamp));
    w.engine.write(move |tx, catalogue, how| imei::join(tx, catalogue, how, &actor, (&World::iccid(card), &group), until))
}

fn leave(w: &World, card: u64) -> Option<i64> {
    let actor = w.actor(OPERATOR);
    w.engine.write(move |tx, catalogue, how| imei::leave(tx, catalogue, how, &actor, &World::iccid(card))).expect("it leaves")
}

fn unlock(w: &World, card: u64) -> Result<i64> {
    let actor = w.actor(ACME);
    w.engine.write(move |tx, catalogue, how| imei::unlock(tx, catalogue, how, &actor, &World::iccid(card)))
}

fn member(w: &World, card: u64) -> Option<ImeiMember> {
    let sim = w.card(card).sim.id;
    w.engine.read(|tx, _| Ok(tx.imei_member(sim)?)).expect("the database")
}

fn is_locked(w: &World, card: u64) -> bool {
    w.card(card).blocks().names().contains(&"imei_lock")
}

/// The card's events about groups and locks, oldest first, with their instants.
fn told(w: &World, card: u64) -> Vec<(String, i64)> {
    let sim = w.card(card).sim.id;
    let mut events = w.engine.read(|tx, _| Ok(tx.events_newest(&[ACME, NORTH, STRANGER], 1_000)?)).expect("events");
    events.reverse();
    let about = ["sim_locked", "sim_unlocked", "imei_group_joined", "imei_group_left"];
    let ours = events.into_iter().filter(|e| e.2 == Some(sim.0) && about.contains(&e.3.as_str()));
    ours.map(|e| (e.3, e.4)).collect()
}

fn kinds(w: &World, card: u64) -> Vec<String> {
    told(w, card).into_iter().map(|(kind, _)| kind).collect()
}

/// What the carrier was asked for the card, oldest first.
fn asked(w: &World, card: u64) -> Vec<String> {
    let iccid = World::iccid(card).to_string();
    let mut intents = w.engine.read(|tx, _| Ok(tx.intents(false, 1_000)?)).expect("intents");
    intents.reverse();
    let requests = intents.iter().map(|i| serde_json::from_str::<serde_json::Value>(&i.request).expect("JSON"));
    requests.filter(|r| r["iccid"] == iccid).map(|r| r["write"]["act"].as_str().expect("an act").to_owned()).collect()
}

#[test]
fn readings_in_any_order_and_split_lock_a_card_alike_and_once() {
    each(|store| {
        // Few records are rated at once, so files are rated from what was spilled, too.
        let w = World::with(store, Settings { rate_rows: 5, import_rows: 2, ..Settings::default() });
        w.add_cards(ACME, 0..3);
        group(&w, ACME, 7, 0..2);
        w.pass(2 * DAY);
        let records = |card: u64| -> Vec<String> {
            let devices = [OWN, 0, FOREIGN, OTHER, OWN, FOREIGN];
            // The first is of before it joined.
            let at = |i: i64| if i == 0 { BEGIN - 600 } else { BEGIN + i * 3600 };
            let of = |i: i64| if i == 0 { FOREIGN } else { devices[(i % 6) as usize] };
            (0..30).map(|i| line_in(1000 * card as i64 + i, card, at(i) - 60, at(i), MB, of(i))).collect()
        };
        w.cdr("in order", &records(0).concat());
        let mut mixed = records(1);
        mixed.reverse();
        mixed.swap(3, 20);
        for (i, part) in mixed.chunks(4).enumerate() {
            w.cdr(&format!("part {i}"), &part.concat());
        }
        w.cdr("once more, and another's", &[records(1), records(2)].concat().concat());
        let (a, b) = (member(&w, 0).unwrap().membership, member(&w, 1).unwrap().membership);
        assert_eq!(a, b);
        assert_eq!(a.lock.map(|l| (l.at.0, l.imei)), Some((BEGIN + 2 * 3600, FOREIGN)), "the earliest that counts");
        assert_eq!([0, 1, 2].map(|c| is_locked(&w, c)), [true, true, false]);
        assert_eq!([0, 1].map(|c| kinds(&w, c)), [["imei_group_joined", "sim_locked"], ["imei_group_joined", "sim_locked"]]);
        assert_eq!([0, 1, 2].map(|c| asked(&w, c).len()), [1, 1, 0]);
        let imei = |c: u64| w.card(c).sim.imei;
        assert_eq!([0, 1, 2].map(imei), [FOREIGN, FOREIGN, FOREIGN].map(|i| Some(i.to_string())), "by the records' time");
        assert_eq!(w.card(0).state.outflow_bytes, 30 * MB, "what a locked card uses is rated like anything else");
        w.assert_sound();
    });
}

#[test]
fn the_device_last_seen_is_the_latest_readings_not_the_last_to_come() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        w.pass(DAY);
        let imei = || w.card(0).sim.imei;
        assert_eq!(imei(), None);
        w.cdr("a", &line_in(1, 0, BEGIN, BEGIN + 3600, 1, OTHER));
        w.cdr("b", &line_in(2, 0, BEGIN, BEGIN + 60, 1, FOREIGN));
        assert_eq!(imei(), Some(OTHER.to_string()));
        w.cdr("c", &line_in(3, 0, BEGIN, BEGIN + 7200, 1, 0));
        assert_eq!(imei(), Some(OTHER.to_string()), "a record without a device says nothing");
        w.cdr("d", &line_in(4, 0, BEGIN, BEGIN + 7200, 1, 12_345_678_901_237));
        assert_eq!(imei(), Some("012345678901237".into()));
    });
}

#[test]
fn a_lock_cuts_the_card_off_and_lifting_it_lets_it_on_again() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let g = group(&w, NORTH, 7, 0..2);
        w.pass(DAY);
        w.cdr("seen", &[0, 1].map(|c| line_in(c, c as u64, BEGIN, BEGIN + 60, 1, FOREIGN)).concat());
        assert_eq!([0, 1].map(|c| asked(&w, c)), [["stop"], ["stop"]]);
        // The second is stopped by its owner as well.
        let sim = w.card(1).sim;
        let blocks = sim.blocks | Blocks::OWNER_STOP.0;
        w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, &sim.state, blocks, None)?)).unwrap();
        assert_eq!([0, 1].map(|c| unlock(&w, c).unwrap()), [1, 1]);
        assert_eq!([0, 1].map(|c| is_locked(&w, c)), [false, false]);
        assert_eq!(asked(&w, 0), ["stop", "resume"]);
        assert_eq!(asked(&w, 1), ["stop"], "its owner's stop stands");
        // The block goes with the card when it leaves, and stays when a device is added.
        w.pass(DAY);
        let t = w.now().0;
        w.cdr("again", &[2, 3].map(|id| line_in(id, id as u64 - 2, t - 120, t - 60, 1, FOREIGN)).concat());
        let actor = w.actor(NORTH);
        w.engine.write(move |tx, _, _| imei::add_imei(tx, &actor, 7, &Imei::parse(&FOREIGN.to_string()).unwrap())).unwrap();
        assert!(is_locked(&w, 0) && is_locked(&w, 1));
        assert_eq!(leave(&w, 0), Some(g.id));
        assert_eq!((is_locked(&w, 0), leave(&w, 0)), (false, None));
        let all = ["imei_group_joined", "sim_locked", "sim_unlocked", "sim_locked", "sim_unlocked", "imei_group_left"];
        assert_eq!(kinds(&w, 0), all);
        w.assert_sound();
    });
}

#[test]
fn a_device_taken_out_of_a_group_counts_for_what_was_before() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        group(&w, ACME, 7, 0..2);
        w.pass(DAY);
        let own = Imei::parse(&OWN.to_string()).unwrap();
        let remove = || {
            let (actor, own) = (w.actor(ACME), own.clone());
            w.engine.write(move |tx, _, how| imei::remove_imei(tx, how, &actor, 7, &own)).unwrap()
        };
        assert_eq!((remove(), remove()), (true, false));
        let gone = w.now().0;
        w.pass(3600);
        w.cdr("late", &line_in(1, 0, gone - 60, gone, 1, OWN));
        assert!(!is_locked(&w, 0), "it was in the group then");
        w.cdr("after", &line_in(2, 0, gone - 60, gone + 1, 1, OWN));
        assert!(is_locked(&w, 0));
        let actor = w.actor(ACME);
        w.engine.write(move |tx, _, _| imei::add_imei(tx, &actor, 7, &own)).unwrap();
        w.cdr("again", &line_in(3, 1, gone - 60, gone + 2, 1, OWN));
        assert!(!is_locked(&w, 1), "it is in the group again");
        w.assert_sound();
    });
}

#[test]
fn a_time_in_a_group_ends_at_its_instant() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let g = group(&w, ACME, 7, 0..0);
        let end = BEGIN + 5 * DAY;
        for card in 0..2 {
            assert_eq!(join(&w, card, &g, Some(end)).unwrap(), Joined::Joined);
        }
        assert_eq!(join(&w, 0, &g, Some(end)).unwrap(), Joined::Same);
        assert!(matches!(join(&w, 2, &g, Some(BEGIN)), Err(Fail::Refused(Refusal::BadField { .. }))), "it lies in the past");
        w.set_now(end - 1);
        w.cdr("seen", &line_in(1, 0, end - 7200, end - 3600, 1, FOREIGN));
        assert!(is_locked(&w, 0) && w.card(0).imei_group.is_some());
        w.set_now(end + 60);
        assert!(w.card(1).imei_group.is_none(), "its time has passed, whoever looks");
        w.cdr("late", &line_in(2, 1, end - 7200, end - 3600, 1, FOREIGN));
        assert!(!is_locked(&w, 1), "its time in the group is over when the record comes");
        w.pass(0);
        assert_eq!([0, 1].map(|c| member(&w, c)), [None, None]);
        assert_eq!([0, 1].map(|c| is_locked(&w, c)), [false, false]);
        let left = ("imei_group_left".to_owned(), end);
        assert_eq!(told(&w, 0)[2..], [("sim_unlocked".to_owned(), end), left.clone()]);
        assert_eq!(told(&w, 1)[1..], [left]);
        w.pass(DAY);
        assert_eq!(told(&w, 1).len(), 2, "it leaves once");

        // A time that is made shorter than the sighting is old frees the card; without an end it stays.
        let (a, b) = (w.now().0, w.now().0 + 1800);
        assert_eq!(join(&w, 2, &g, Some(a + 9 * DAY)).unwrap(), Joined::Joined);
        w.set_now(a + 900);
        w.cdr("ahead", &line_in(3, 2, a, a + 1000, 1, FOREIGN));
        assert!(is_locked(&w, 2));
        assert_eq!(join(&w, 2, &g, Some(a + 950)).unwrap(), Joined::Changed);
        assert!(!is_locked(&w, 2));
        assert_eq!(join(&w, 2, &g, None).unwrap(), Joined::Changed);
        w.set_now(b + 9 * DAY);
        w.pass(0);
        assert!(member(&w, 2).is_some());
        w.assert_sound();
    });
}

#[test]
fn a_card_is_in_one_group_of_an_account_that_sees_it() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        let (of_north, of_acme) = (group(&w, NORTH, 7, 0..2), group(&w, ACME, 9, 0..1));
        assert_eq!(member(&w, 0).unwrap().group, 9);
        assert_eq!(kinds(&w, 0), ["imei_group_joined", "imei_group_left", "imei_group_joined"]);
        let of_stranger = group(&w, STRANGER, 0, 0..0);
        let refused = join(&w, 0, &of_stranger, None);
        assert!(matches!(refused, Err(Fail::Refused(Refusal::BadField { .. }))), "{refused:?}");
        // Lent to the group's owner above, it stays in its group; given to a stranger, it leaves.
        let give = |card: u64, to: AccountId| {
            let actor = w.actor(OPERATOR);
            let gave =
                move |tx: &mut kachi_store::Tx<'_>, catalogue: &kachi_engine::Catalogue, how: &kachi_engine::cards::Settling| {
                    sims::transfer(tx, catalogue, how, &actor, &World::iccid(card), to)
                };
            w.engine.write(gave).unwrap();
        };
        give(1, NORTH);
        assert_eq!(member(&w, 1).unwrap().group, of_north.id);
        give(0, NORTH);
        assert_eq!((member(&w, 0), of_acme.id), (None, 9), "its group's owner sees it no longer");
        give(1, STRANGER);
        assert_eq!(member(&w, 1), None);
        assert_eq!(kinds(&w, 1), ["imei_group_joined", "imei_group_left"]);
        w.assert_sound();
    });
}

#[test]
fn the_audit_asks_every_lock_for_its_reason() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        group(&w, ACME, 7, 1..2);
        w.assert_sound();
        let violations = || audit::audit(&w.engine).unwrap().violations;
        let block = |card: u64, on: bool| {
            let sim = w.card(card).sim;
            let blocks = if on { sim.blocks | Blocks::IMEI_LOCK.0 } else { sim.blocks & !Blocks::IMEI_LOCK.0 };
            w.engine.write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, &sim.state, blocks, None)?)).unwrap();
        };
        let number = |card: u64| w.card(card).sim.id;
        block(0, true);
        assert_eq!(violations(), [format!("card {}: is locked without a sighting outside its IMEI group", number(0))]);
        block(0, false);
        let mut seen = member(&w, 1).unwrap();
        let mut lock_at = |at: i64| {
            seen.membership.lock = Some(Sighting { at: Timestamp(at), imei: FOREIGN });
            let seen = seen.clone();
            w.engine.write(move |tx, _, _| Ok(tx.put_imei_member(ACME, &seen)?)).unwrap();
        };
        lock_at(BEGIN + 5);
        assert_eq!(violations(), [format!("card {}: was seen outside its IMEI group and is not locked", number(1))]);
        block(1, true);
        assert_eq!(violations(), [""; 0]);
        lock_at(BEGIN);
        assert_eq!(violations().len(), 1, "it joined at that instant");
    });
}
