//! Lists of cards are complete, without repeats, and stable under whoever reads them page by page. On both engines.

use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_domain::{AccountId, SimId};
use kachi_engine::lists::Part;
use kachi_engine::sims::{self, Arrivals};
use kachi_engine::{Catalogue, Fail, lists};
use kachi_store::Store;
use kachi_store::sims::Sim;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, NORTH, STRANGER, World, line};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const OPERATOR: AccountId = AccountId(1);
const ACCOUNTS: [AccountId; 4] = [OPERATOR, NORTH, ACME, STRANGER];
const DAY: i64 = 86_400;
/// Between these two cards go when they buy.
const STAGES_READ: [Stage; 2] = [Stage::Stopped, Stage::Working];

/// A page of the account's list and the number of its pages.
fn page(w: &World, account: AccountId, stage: Option<Stage>, number: i64, size: i64) -> (Vec<String>, i64) {
    let (engine, catalogue) = (&w.engine, w.engine.catalogue().expect("catalogue"));
    let stretch = ((number - 1) * size, size);
    let part = stage.map(Part::Of);
    if part.is_some() {
        settle(w, account);
    }
    let found = lists::cards(engine.store(), &catalogue, &w.actor(account), part, stretch, w.now()).expect("a page");
    (found.entries.into_iter().map(|c| c.sim.iccid).collect(), (found.total + size - 1) / size)
}

/// As a client reads the whole list.
fn walk(w: &World, account: AccountId, stage: Option<Stage>, size: i64) -> Vec<String> {
    let (mut all, mut number) = (Vec::new(), 1);
    loop {
        let (cards, pages) = page(w, account, stage, number, size);
        all.extend(cards);
        if number >= pages {
            return all;
        }
        number += 1;
    }
}

fn settle(w: &World, account: AccountId) {
    let now = w.now();
    while w.engine.write(move |tx, _, _| lists::settle_parts(tx, account, now)).expect("settled") > 0 {}
}

/// As a client that asks through the engine, which remembers that a list with holes is being read.
fn ask(w: &World, account: AccountId, number: i64, size: i64) -> Vec<String> {
    ask_part(w, account, None, number, size)
}

fn ask_part(w: &World, account: AccountId, part: Option<Part>, number: i64, size: i64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let list = kachi_engine::desk::CardList { part, names: None, offset: (number - 1) * size, limit: size };
    let catalogue = w.engine.catalogue().expect("catalogue");
    let found = runtime.block_on(w.engine.cards(&catalogue, &w.actor(account), list)).expect("a page");
    found.entries.into_iter().map(|c| c.sim.iccid).collect()
}

fn give(w: &World, card: u64, to: AccountId) {
    let actor = w.actor(OPERATOR);
    w.engine
        .write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &World::iccid(card), to))
        .expect("a move");
}

fn close(w: &World, card: u64) {
    let sim = w.card(card).sim;
    w.engine
        .write(move |tx, _, _| Ok(tx.set_sim_state(sim.id, BaseState::Closed.word(), sim.blocks, sim.activated_at)?))
        .expect("closed");
}

fn tidy(w: &World) {
    while lists::tidy(&w.engine).expect("tidied") > 0 {}
}

fn iccids(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| World::iccid(n).to_string()).collect()
}

fn sees(account: AccountId, owner: AccountId) -> bool {
    account == owner || account == OPERATOR || (account, owner) == (NORTH, ACME)
}

#[derive(Debug, Clone)]
enum Step {
    Add(usize, u64),
    Move(usize, usize),
    Close(usize),
    Buy(usize),
    Tidy,
    Rest,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4_usize, 1..5_u64).prop_map(|(account, n)| Step::Add(account, n)),
        4 => (any::<usize>(), 1..4_usize).prop_map(|(card, account)| Step::Move(card, account)),
        1 => any::<usize>().prop_map(Step::Close),
        2 => any::<usize>().prop_map(Step::Buy),
        1 => Just(Step::Tidy),
        1 => Just(Step::Rest),
    ]
}

/// The world with what should be in it: who owns each card, by number.
struct Model {
    w: World,
    owners: Vec<AccountId>,
    closed: BTreeSet<u64>,
    /// Cards that left an account's sight at any time.
    left: BTreeSet<(AccountId, String)>,
    bought: u64,
}

impl Model {
    fn new(store: Store) -> Model {
        Model { w: World::new(store), owners: Vec::new(), closed: BTreeSet::new(), left: BTreeSet::new(), bought: 0 }
    }

    fn open(&self, any: usize) -> Option<u64> {
        let open: Vec<u64> = (0..self.owners.len() as u64).filter(|n| !self.closed.contains(n)).collect();
        if open.is_empty() { None } else { Some(open[any % open.len()]) }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Add(account, n) => {
                let from = self.owners.len() as u64;
                self.w.add_cards(ACCOUNTS[*account], from..from + n);
                self.owners.extend(vec![ACCOUNTS[*account]; *n as usize]);
            }
            Step::Move(any, account) => {
                let to = ACCOUNTS[*account];
                let Some(card) = self.open(*any).filter(|c| self.owners[*c as usize] != to) else { return };
                give(&self.w, card, to);
                let from = std::mem::replace(&mut self.owners[card as usize], to);
                let lost = ACCOUNTS.into_iter().filter(|a| sees(*a, from) && !sees(*a, to));
                self.left.extend(lost.map(|a| (a, World::iccid(card).to_string())));
            }
            Step::Close(any) => {
                let Some(card) = self.open(*any) else { return };
                close(&self.w, card);
                self.closed.insert(card);
            }
            Step::Buy(any) => {
                let Some(card) = self.open(*any).filter(|c| self.owners[*c as usize] == ACME) else { return };
                self.bought += 1;
                let _ = self.w.buy(card, ["Q100-30D", "T-7D", "TOP20-5D"][*any % 3], &format!("o{}", self.bought));
            }
            Step::Tidy => tidy(&self.w),
            Step::Rest => {
                self.w.pass(lists::QUIET_SECONDS + 1);
                tidy(&self.w);
            }
        }
    }

    fn visible(&self, account: AccountId) -> BTreeSet<String> {
        let seen = (0..).zip(&self.owners).filter(|(_, owner)| sees(account, **owner));
        seen.map(|(n, _)| World::iccid(n).to_string()).collect()
    }

    /// The cards of a stage that the account sees.
    fn of_stage(&self, account: AccountId, stage: Stage) -> BTreeSet<String> {
        let mine = (0..self.owners.len()).filter(|n| sees(account, self.owners[*n])).map(|n| self.w.card(n as u64).sim);
        let is = |s: &Sim| Stage::of(BaseState::parse(&s.state).unwrap(), Blocks(s.blocks)) == stage;
        mine.filter(is).map(|s| s.iccid).collect()
    }

    /// Every list of every account holds exactly what it should, whatever the size of a page.
    fn check(&self) {
        for account in ACCOUNTS {
            let visible = self.visible(account);
            for size in [1, 3, 500] {
                let all = walk(&self.w, account, None, size);
                assert_eq!(all.iter().cloned().collect::<BTreeSet<_>>(), visible, "{account} by {size}");
                assert_eq!(all.len(), visible.len(), "no card twice");
            }
            let mut by_stage: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
            for n in (0..self.owners.len()).filter(|n| sees(account, self.owners[*n])) {
                let sim = self.w.card(n as u64).sim;
                let stage = Stage::of(BaseState::parse(&sim.state).unwrap(), Blocks(sim.blocks));
                by_stage.entry(stage.number()).or_default().insert(sim.iccid);
            }
            let counts = self.w.engine.read(|tx, _| lists::counts(tx, &self.w.actor(account))).unwrap();
            assert_eq!(counts.total(), visible.len() as i64);
            for stage in Stage::ALL {
                let all = walk(&self.w, account, Some(stage), 2);
                let wanted = by_stage.remove(&stage.number()).unwrap_or_default();
                assert_eq!((all.len(), counts.of(stage)), (wanted.len(), wanted.len() as i64), "{account} {stage:?}");
                assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), wanted, "{account} {stage:?}");
            }
        }
        self.w.assert_sound();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn pages_put_together_are_the_list(steps in prop::collection::vec(step(), 1..25), size in 1..4_i64) {
        each(|store| {
            let mut model = Model::new(store);
            (1..4).for_each(|account| model.apply(&Step::Add(account, 5)));
            let (before, meanwhile) = steps.split_at(steps.len() / 2);
            before.iter().for_each(|s| model.apply(s));
            model.check();
            // A client reads on while cards come and go: those that were there and stay are seen exactly once.
            let old: Vec<_> = ACCOUNTS.map(|a| model.visible(a)).into();
            model.left.clear();
            let mut seen: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); ACCOUNTS.len()];
            // The same of the cards of a stage: those that were of it and stay so.
            let mut parts = STAGES_READ.map(|stage| (stage, model.of_stage(NORTH, stage), BTreeMap::<String, u32>::new()));
            let mut meanwhile = meanwhile.iter().filter(|s| !matches!(s, Step::Rest));
            for number in 1..80 {
                for (account, seen) in ACCOUNTS.into_iter().zip(&mut seen) {
                    for iccid in ask(&model.w, account, number, size) {
                        *seen.entry(iccid).or_default() += 1;
                    }
                }
                for (stage, _, seen) in &mut parts {
                    for iccid in ask_part(&model.w, NORTH, Some(Part::Of(*stage)), number, size) {
                        *seen.entry(iccid).or_default() += 1;
                    }
                }
                if let Some(step) = meanwhile.next() {
                    model.apply(step);
                    for (stage, stayed, _) in &mut parts {
                        let now = model.of_stage(NORTH, *stage);
                        stayed.retain(|iccid| now.contains(iccid));
                    }
                }
            }
            for (stage, stayed, seen) in &parts {
                for iccid in stayed {
                    assert_eq!(seen.get(iccid).copied().unwrap_or(0), 1, "{stage:?}: times {iccid} was seen");
                }
            }
            for (i, account) in ACCOUNTS.into_iter().enumerate() {
                for iccid in &old[i] {
                    let times = seen[i].get(iccid).copied().unwrap_or(0);
                    let stayed = !model.left.contains(&(account, iccid.clone()));
                    assert!(if stayed { times == 1 } else { times <= 2 }, "{account} saw {iccid} {times} times");
                }
            }
            model.check();
        });
    }
}

#[test]
fn a_hole_stays_while_the_list_is_read_and_is_closed_at_rest() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..9);
        assert_eq!(ask(&w, ACME, 1, 3), iccids(0..3));
        give(&w, 1, STRANGER);
        w.pass(lists::QUIET_SECONDS - 1);
        tidy(&w);
        assert_eq!(ask(&w, ACME, 2, 3), iccids(3..6), "the second page is what it was");
        w.pass(lists::QUIET_SECONDS - 1);
        tidy(&w);
        assert_eq!(ask(&w, ACME, 3, 3), iccids(6..9), "the hole is old and the list is being read");
        assert_eq!(page(&w, ACME, None, 1, 3), (vec![World::iccid(0).to_string(), World::iccid(2).to_string()], 3));
        assert_eq!(walk(&w, NORTH, None, 500).len(), 8, "whoever no longer sees the card has a hole too");
        assert_eq!(page(&w, OPERATOR, None, 1, 3), (iccids(0..3), 3), "who still sees it has it in its place");
        w.pass(lists::QUIET_SECONDS);
        tidy(&w);
        let closed: Vec<String> = [iccids(0..1), iccids(2..4)].concat();
        assert_eq!(page(&w, ACME, None, 1, 3), (closed, 3), "eight cards on three pages");
        give(&w, 0, STRANGER);
        for _ in 0..300 {
            w.pass(lists::QUIET_SECONDS - 10);
            ask(&w, ACME, 1, 3);
            tidy(&w);
        }
        assert_eq!(page(&w, ACME, None, 1, 3), (iccids(2..5), 3), "a day is enough for any reader");
        w.assert_sound();
    });
}

#[test]
fn a_card_that_changes_its_stage_moves_no_other_while_the_stage_is_read() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..9);
        let ask = |stage, number| ask_part(&w, ACME, Some(Part::Of(stage)), number, 3);
        let named = |cards: &[u64]| cards.iter().map(|n| World::iccid(*n).to_string()).collect::<Vec<_>>();
        assert_eq!((ask(Stage::Stopped, 1), ask(Stage::Working, 1)), (iccids(0..3), vec![]));
        for (card, number) in [(4, "a"), (1, "b"), (0, "c")] {
            w.buy(card, "T-7D", number).unwrap();
        }
        assert_eq!(ask(Stage::Stopped, 2), named(&[3, 5]), "a card that left the stage left a hole");
        assert_eq!(ask(Stage::Stopped, 3), iccids(6..9), "and the later pages are what they were");
        assert_eq!(ask(Stage::Stopped, 1), named(&[2]));
        assert_eq!(ask(Stage::Working, 1), named(&[4, 1, 0]), "what comes to a stage stands last");
        give(&w, 3, STRANGER);
        assert_eq!(ask(Stage::Stopped, 2), named(&[5]), "a card that is a stranger's now is not shown");
        w.assert_sound();
        w.pass(lists::QUIET_SECONDS + 1);
        tidy(&w);
        assert_eq!((ask(Stage::Stopped, 1), ask(Stage::Stopped, 2)), (named(&[2, 5, 6]), named(&[7, 8])), "at rest");
        w.pass(7 * DAY);
        assert_eq!((ask(Stage::Stopped, 1), ask(Stage::Working, 1)), (named(&[2, 5, 6]), vec![]), "the packages are over");
        assert_eq!([ask(Stage::Stopped, 2), ask(Stage::Stopped, 3)].concat(), named(&[7, 8, 0, 1, 4]), "together: by number");
        w.assert_sound();
    });
}

#[test]
fn a_warning_that_comes_or_goes_moves_no_other_while_warnings_are_read() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..6);
        (0..6).for_each(|n| drop(w.buy(n, "T-7D", &format!("t{n}")).unwrap()));
        let page = |number: i64| -> Vec<String> {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let catalogue = w.engine.catalogue().expect("catalogue");
            let actor = w.actor(ACME);
            let asked = w.engine.warnings(&catalogue, &actor, (None, None), ((number - 1) * 2, 2));
            runtime.block_on(asked).expect("a page").entries.into_iter().map(|e| e.0).collect()
        };
        assert_eq!(page(1), iccids(0..2));
        w.buy(0, "Q1000-30D", "more").unwrap();
        give(&w, 4, STRANGER);
        assert_eq!((page(2), page(3)), (iccids(2..4), iccids(5..6)), "one has enough again, one is a stranger's");
        assert_eq!(page(1), iccids(1..2));
        w.assert_sound();
    });
}

#[test]
fn warnings_are_listed_of_international_cards_alone() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        (0..2).for_each(|n| drop(w.buy(n, "T-7D", &format!("t{n}")).unwrap()));
        let listed = || {
            settle(&w, ACME);
            let actor = w.actor(ACME);
            let found = w.engine.read(|tx, catalogue| {
                let whole = lists::warnings(tx, catalogue, &actor, (None, None), (0, 9))?;
                let one = lists::warnings(tx, catalogue, &actor, (None, Some(&World::iccid(1))), (0, 9))?;
                Ok((whole.entries.len(), one.entries.len()))
            });
            found.unwrap()
        };
        assert_eq!(listed(), (2, 1));
        let turn = |carrier: &'static str| {
            let done = w.engine.write(move |tx, catalogue, _| {
                let product = catalogue.product_by_code("1US-1").expect("the product").clone();
                tx.put_product(&kachi_store::catalogue::Product { carrier: carrier.into(), ..product })?;
                Ok(tx.touch_catalogue()?)
            });
            done.expect("a product");
        };
        turn("CM");
        assert_eq!(listed(), (0, 0));
        w.assert_sound();
        turn("INTL");
        assert_eq!(listed(), (2, 1));
        w.assert_sound();
    });
}

#[test]
fn the_warnings_are_kept_with_the_card() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1030);
        let warnings = |account: AccountId, alert_type: Option<i64>, (offset, limit): (i64, i64)| {
            settle(&w, account);
            let asked = |tx: &mut kachi_store::Tx<'_>, catalogue: &Catalogue| {
                lists::warnings(tx, catalogue, &w.actor(account), (alert_type, None), (offset, limit))
            };
            let found = w.engine.read(asked).unwrap();
            (found.entries, found.total)
        };
        let of = |n: u64, alert_type: i64| (World::iccid(n).to_string(), alert_type);
        for (card, package, number) in [(0, "Q1000-30D", "a"), (1, "Q100-30D", "b"), (1029, "T-7D", "c")] {
            w.buy(card, package, number).unwrap();
        }
        assert_eq!(warnings(ACME, None, (0, 9)), (vec![of(1029, 3)], 1), "seven days are left; 100 MB are not below 100 MB");
        w.pass(3600);
        let t = w.now().0;
        w.cdr("one", &[line(1, 0, t - 900, t - 600, 950 * MB), line(2, 1, t - 900, t - 600, MB)].concat());
        let all = vec![of(1029, 3), of(0, 1), of(0, 2), of(1, 1)]; // in the order in which they were seen to come
        assert_eq!(warnings(ACME, None, (0, 9)), (all.clone(), 4));
        for above in [NORTH, OPERATOR] {
            let (mut theirs, total) = warnings(above, None, (0, 500));
            assert_eq!(warnings(above, None, (3, 500)), (theirs[3..].to_vec(), 4));
            theirs.sort();
            assert_eq!((theirs, total), (vec![of(0, 1), of(0, 2), of(1, 1), of(1029, 3)], 4));
        }
        assert_eq!(warnings(ACME, Some(1), (1, 9)), (vec![of(1, 1)], 2));
        assert_eq!(warnings(STRANGER, None, (0, 9)), (vec![], 0));
        give(&w, 0, STRANGER);
        w.buy(1, "Q1000-30D", "d").unwrap();
        assert_eq!(warnings(ACME, None, (0, 9)), (vec![of(1029, 3)], 4), "one moved, one has plenty again: holes");
        assert_eq!(warnings(STRANGER, None, (0, 9)), (all[1..3].to_vec(), 2));
        w.pass(7 * DAY);
        assert_eq!(warnings(ACME, None, (0, 9)).0, vec![], "what is over warns no more");
        w.pass(301);
        tidy(&w);
        assert_eq!(warnings(ACME, None, (0, 9)), (vec![], 0), "and leaves no hole for ever");
        w.set_now(BEGIN + 23 * DAY);
        while kachi_engine::cards::settle_due(&w.engine).unwrap() > 0 {}
        assert_eq!(warnings(STRANGER, Some(3), (0, 9)), (vec![of(0, 3)], 1), "seven days before its end, by itself");
        w.assert_sound();
    });
}

#[test]
fn the_audit_finds_a_list_that_is_wrong() {
    let wrongs = [
        ("UPDATE sim_block SET cards = cards + 1 WHERE kind = 0", "counts by block"),
        ("UPDATE sim_block SET cards = cards + 1 WHERE kind = 24", "counts by block"),
        ("UPDATE sim_total SET cards = cards - 1 WHERE kind = 4", "its cards of stage 4"),
        ("UPDATE sim_total SET cards = cards - 1 WHERE kind = 6", "counts in all"),
        ("UPDATE sim SET ordered = 1", "ever had a package"),
        ("UPDATE sim SET blocks = 0 WHERE id = 1", "in the parts 0x10 of a list, not 0x8"),
        ("UPDATE sim SET eid = 'x' WHERE id = 1", "in the parts"),
        ("UPDATE sim_state SET warned = 1 WHERE sim_id = 1", "in the parts"),
        ("DELETE FROM sim_part WHERE sim_id = 1 AND account_id = 10001", "in the parts 0x0"),
        ("DELETE FROM sim_place WHERE sim_id = 1 AND account_id = 10001", "has no place"),
        (
            "UPDATE sim_place SET account_id = 10003 WHERE sim_id = 1 AND account_id = 10001",
            "a place in the list of an account that",
        ),
        (
            "UPDATE sim_part SET account_id = 10003 WHERE sim_id = 1 AND account_id = 10001",
            "in a part of the list of an account that",
        ),
    ];
    for (statement, words) in wrongs {
        each(|store| {
            let w = World::new(store.clone());
            w.add_cards(ACME, 0..3);
            tidy(&w);
            w.assert_sound();
            kachi_store::db::execute_in(store.place(), statement).unwrap();
            let found = kachi_engine::audit::audit(&w.engine).unwrap().violations;
            assert!(found.iter().any(|v| v.contains(words)), "{statement}: {found:?}");
        });
    }
}

/// What step 13 changed is put back, as it was without it.
const BEFORE_STEP_13: &str = "DROP TABLE sim_part; DROP TABLE sim_part_list; DROP TABLE sim_part_change; DROP TABLE record_walk;
     ALTER TABLE sim_place ADD COLUMN stage BIGINT NOT NULL DEFAULT 0; ALTER TABLE sim_place ADD COLUMN warned BIGINT NOT NULL DEFAULT 0;
     CREATE INDEX sim_place_stage ON sim_place (account_id, stage, place);
     CREATE INDEX sim_place_warned ON sim_place (account_id, place) WHERE warned <> 0;
     DROP INDEX sim_eid; CREATE INDEX sim_eid ON sim (account_id, id) WHERE eid IS NOT NULL;";

#[test]
fn the_migrations_make_the_lists_of_cards_that_are_there() {
    each(|store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..5);
        w.add_cards(STRANGER, 5..7);
        w.add_cards(NORTH, 7..9);
        w.buy(0, "T-7D", "a").unwrap();
        w.buy(1, "C100-30D", "b").unwrap();
        close(&w, 2);
        w.assert_sound();
        let warned = || {
            settle(&w, ACME);
            let asked = |tx: &mut kachi_store::Tx<'_>, catalogue: &Catalogue| {
                lists::warnings(tx, catalogue, &w.actor(ACME), (None, None), (0, 9))
            };
            w.engine.read(asked).unwrap().entries
        };
        let lists = || ACCOUNTS.map(|a| (walk(&w, a, None, 2), Stage::ALL.map(|s| BTreeSet::from_iter(walk(&w, a, Some(s), 2)))));
        let before = (lists(), warned());
        assert_eq!(before.1.len(), 1);
        let (seventh, thirteenth) = match store.place() {
            kachi_store::Place::File(_) => (
                include_str!("../../../migrations/sqlite/0007_lists.sql"),
                include_str!("../../../migrations/sqlite/0013_part_lists.sql"),
            ),
            kachi_store::Place::Postgres(_) => (
                include_str!("../../../migrations/postgres/0007_lists.sql"),
                include_str!("../../../migrations/postgres/0013_part_lists.sql"),
            ),
        };
        let fill = &seventh[seventh.find("UPDATE sim SET ordered").expect("where the tables are there")..];
        let run = |statements: &str| kachi_store::db::execute_in(store.place(), statements).unwrap();
        let empty = "DELETE FROM sim_place; DELETE FROM sim_list; DELETE FROM sim_total; DELETE FROM sim_block;
             DELETE FROM sim_count_change; DELETE FROM sim_part; UPDATE sim SET ordered = 0; UPDATE sim_state SET warned = 0;";
        run(empty);
        assert!(!kachi_engine::audit::audit(&w.engine).unwrap().clean);
        run(BEFORE_STEP_13);
        run(fill);
        run(thirteenth);
        w.assert_sound();
        assert_eq!(warned(), vec![], "what cannot be read off the rows");
        w.pass(1);
        assert_eq!((lists(), warned()), before, "is found out by the timers");
        w.add_cards(ACME, 9..10);
        assert_eq!(walk(&w, NORTH, None, 4).last(), Some(&World::iccid(9).to_string()));
        w.assert_sound();
        // Where warnings are known, the later step alone makes everything of them.
        let lines = (lists(), warned());
        run(BEFORE_STEP_13);
        run("UPDATE sim_place SET warned = (SELECT t.warned FROM sim_state t WHERE t.sim_id = sim_place.sim_id),
             stage = (SELECT CASE WHEN s.state IN ('pre_closed', 'closed', 'replaced') THEN 5 WHEN s.blocks = 0 THEN 3 ELSE 4 END
               FROM sim s WHERE s.id = sim_place.sim_id)");
        run(thirteenth);
        w.assert_sound();
        assert_eq!((lists(), warned()), lines);
    });
}

/// Adds cards in one transaction, as an import does.
fn add(w: &World, owner: AccountId, cards: &[u64]) -> kachi_engine::Result<()> {
    let cards = cards.to_vec();
    w.engine.write(move |tx, catalogue, how| {
        let product = catalogue.product_by_code("1US-1").map(|p| p.id).ok_or_else(|| Fail::fault("product"))?;
        let mut arrivals = Arrivals::default();
        for n in cards {
            arrivals.put(tx, catalogue, how, &sims::blank(&World::iccid(n), owner, product))?;
        }
        arrivals.settle(tx, catalogue, how)
    })
}

#[test]
fn whoever_reads_while_many_write_misses_nothing() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..40);
        let (next, done) = (AtomicU64::new(1000), AtomicBool::new(false));
        let (w, next, done) = (&w, &next, &done);
        std::thread::scope(|s| {
            let writers = [ACME, NORTH, STRANGER, ACME].map(|owner| {
                s.spawn(move || {
                    for _ in 0..12 {
                        let first = next.fetch_add(7, Ordering::SeqCst);
                        add(w, owner, &(first..first + 7).rev().collect::<Vec<_>>()).expect("added");
                    }
                })
            });
            let movers = [(0..20, STRANGER), (20..40, NORTH)].map(|(cards, to)| {
                s.spawn(move || {
                    for card in cards.step_by(2) {
                        give(w, card, to);
                        let _ = w.buy(card + 1, "T-7D", &format!("m{card}"));
                        give(w, card, ACME);
                    }
                })
            });
            let tidier = s.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    lists::tidy(&w.engine).expect("tidied");
                }
            });
            // The operator sees every card all the while: what it has read once stays where it was.
            let reader = s.spawn(move || {
                let mut known = walk(w, OPERATOR, None, 7);
                while !done.load(Ordering::SeqCst) {
                    let now = walk(w, OPERATOR, None, 7);
                    assert_eq!(now[..known.len()], known[..], "new cards stand behind the old ones");
                    known = now;
                }
            });
            writers.into_iter().for_each(|t| t.join().expect("a writer"));
            movers.into_iter().for_each(|t| t.join().expect("a mover"));
            done.store(true, Ordering::SeqCst);
            tidier.join().expect("the tidier");
            reader.join().expect("the reader");
        });
        let all = walk(w, OPERATOR, None, 500);
        assert_eq!(all.len(), 40 + 4 * 12 * 7);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        w.assert_sound();
        w.pass(lists::QUIET_SECONDS + 1);
        tidy(w);
        w.assert_sound();
    });
}

#[test]
fn a_card_of_which_only_the_number_is_known_changes_its_list_too() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.engine.write(|tx, _, _| Ok(tx.set_sim_state(SimId(1), BaseState::Active.word(), 0, Some(1))?)).unwrap();
        assert_eq!(walk(&w, ACME, Some(Stage::Working), 9), iccids(0..1));
        w.engine.write(|tx, _, _| Ok(tx.set_sim_state(SimId(77), BaseState::Active.word(), 0, None)?)).unwrap();
        w.assert_sound();
    });
}
