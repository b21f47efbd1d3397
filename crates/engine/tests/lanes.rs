//! Acts of one lane may share a transaction: each still stands or falls by itself. On both engines.

use kachi_domain::ledger::{Journal, top_up};
use kachi_engine::{Fail, Result};
use kachi_store::{Store, Tx};
use kachi_testkit::db::{Database, each};
use kachi_testkit::world::{ACME, BEGIN, NORTH, World};
use std::sync::mpsc;

const BEFORE: i64 = 10_000;

fn give(tx: &mut Tx<'_>, minor: i64) -> Result<()> {
    tx.lock_balances(&[ACME])?;
    tx.post(ACME, Journal::TopUp, "test", &top_up(ACME, minor), kachi_domain::Timestamp(BEGIN))?;
    Ok(())
}

/// What becomes of the n-th act after it has given n: refused, in a panic, or well.
fn act(n: i64) -> impl FnMut(&mut Tx<'_>) -> Result<i64> + Send + 'static {
    move |tx| {
        give(tx, n)?;
        match n % 4 {
            0 => Err(Fail::fault("refused")),
            1 => panic!("on purpose"),
            _ => Ok(n),
        }
    }
}

#[test]
fn one_of_a_group_undoes_only_itself() {
    each(|store: Store| {
        let w = World::new(store.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let answers = runtime.block_on(async {
            let acts: Vec<_> = (0..200)
                .map(|n| {
                    let store = store.clone();
                    tokio::spawn(async move { store.write_in_lane(n % 2, act(n)).await })
                })
                .collect();
            let mut answers = Vec::new();
            for act in acts {
                answers.push(act.await.unwrap());
            }
            answers
        });
        let mut given = 0;
        for (n, answer) in answers.iter().enumerate() {
            match (n % 4, answer) {
                (0, Err(e)) => assert!(e.to_string().contains("refused"), "{e}"),
                (1, Err(e)) => assert!(e.to_string().contains("panicked"), "{e}"),
                (2 | 3, Ok(own)) => {
                    assert_eq!(*own, n as i64, "each gets its own answer");
                    given += own;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(w.balance(ACME), BEFORE + given);
        w.assert_sound();
    });
}

/// PostgreSQL alone has locks of rows: the act that meets one in a group is undone and done again by itself.
#[test]
fn an_act_that_meets_a_lock_is_done_again_once_the_lock_is_gone() {
    let database = Database::postgres();
    let store = database.open();
    let w = World::new(store.clone());
    let (held, holding) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let holder = {
        let store = store.clone();
        std::thread::spawn(move || {
            store.write(move |tx| {
                tx.lock_balances(&[NORTH, ACME])?;
                held.send(()).expect("the test waits");
                released.recv().expect("the test says when");
                Ok::<(), Fail>(())
            })
        })
    };
    holding.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (tried, tries) = mpsc::channel();
    let act = {
        let store = store.clone();
        runtime.spawn(async move {
            let act = move |tx: &mut Tx<'_>| {
                tried.send(()).expect("the test waits");
                give(tx, 5)
            };
            store.write_in_lane(1, act).await
        })
    };
    tries.recv().unwrap();
    tries.recv().expect("the group gave it up and it is tried again");
    release.send(()).unwrap();
    holder.join().unwrap().unwrap();
    runtime.block_on(act).unwrap().unwrap();
    assert!(tries.recv().is_err(), "twice is enough");
    assert_eq!(w.balance(ACME), BEFORE + 5);
    w.assert_sound();
}

#[test]
fn each_that_asks_for_a_card_is_told_of_its_own() {
    each(|store: Store| {
        let w = World::new(store.clone());
        w.add_cards(ACME, 0..40);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let asked = (0..400_u64).map(|n| {
            let store = store.clone();
            // Twelve in a row are not there; some are asked for by many at once.
            (n, runtime.spawn(async move { store.card(World::iccid(n * 7 % 52).as_str()).await }))
        });
        for (n, told) in asked.collect::<Vec<_>>() {
            let card = runtime.block_on(told).unwrap().unwrap();
            let wanted = Some(World::iccid(n * 7 % 52).to_string()).filter(|_| n * 7 % 52 < 40);
            assert_eq!(card.map(|c| c.sim.iccid), wanted);
        }
    });
}
