//! Cards that something keeps off, told apart from those that merely have no package: as counted, as listed, and by the rule of stages.
//! On both engines.

use kachi_domain::sim::{BaseState, Blocks, Stage};
use kachi_engine::overview::{self, CardQuestion, Cards};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, STRANGER, World};

#[test]
fn whatever_is_in_a_cards_way_it_is_counted_and_listed_as_stopped_or_as_without_a_package() {
    each(|store| {
        let w = World::new(store);
        let mut sets: Vec<Blocks> = vec![Blocks::NONE];
        for block in Blocks::ALL {
            sets.extend([*block, Blocks(block.0 | Blocks::NO_PACKAGE.0), Blocks(block.0 | Blocks::SMS_OFF.0)]);
        }
        let all: Vec<(BaseState, Blocks)> =
            BaseState::ALL.iter().flat_map(|base| sets.iter().map(move |blocks| (*base, *blocks))).collect();
        w.add_cards(ACME, 0..all.len() as u64);
        w.add_cards(STRANGER, 9_000..9_001);
        let ids: Vec<_> = (0..all.len() as u64).map(|n| w.card(n).sim.id).collect();
        let given = all.clone();
        w.engine
            .write(move |tx, _, _| {
                for (id, (base, blocks)) in ids.iter().zip(&given) {
                    tx.set_sim_state(*id, base.word(), blocks.0, None)?;
                }
                Ok(())
            })
            .expect("they stand");
        let lacks_only = |base: BaseState, blocks: Blocks| {
            base == BaseState::Active && blocks.without(Blocks::BESIDE_DATA) == Blocks::NO_PACKAGE
        };
        let of = |bare: bool| -> Vec<String> {
            let is = |(_, (base, blocks)): &(usize, &(BaseState, Blocks))| {
                Stage::of(*base, *blocks) == Stage::Stopped && lacks_only(*base, *blocks) == bare
            };
            let mut found: Vec<String> =
                all.iter().enumerate().filter(is).map(|(n, _)| World::iccid(n as u64).to_string()).collect();
            found.reverse();
            found
        };
        for account in [ACME, NORTH] {
            let actor = w.actor(account);
            let figures = overview::figures(&w.engine, &actor).expect("counted");
            assert_eq!((figures.kept_off, figures.bare()), (of(false).len() as i64, of(true).len() as i64));
            for (cards, bare) in [(Cards::KeptOff, false), (Cards::Bare, true)] {
                let question = CardQuestion { number: String::new(), of: cards, before: None, limit: 1_000 };
                let found = overview::cards(&w.engine, &actor, &question).expect("listed");
                assert_eq!(found.into_iter().map(|c| c.iccid).collect::<Vec<_>>(), of(bare), "{cards:?}");
            }
        }
    });
}
