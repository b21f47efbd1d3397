//! `kill -9` at any moment of import, order and delivery, in a loop; then everything adds up.
//!
//! Each cycle starts a server and importers over the same database, drives orders, refunds and renewals, and kills all of them at
//! a moment drawn from a fixed sequence. What was acknowledged must be there exactly once, what was not acknowledged is
//! asked again, and what arrives at the receiver and stands in the books is compared with what the test knows.
//! `KILL_TEST_CYCLES` (per engine) and `KILL_TEST_SEED` make it longer and other.

mod common;
mod kill_parts;

use common::{House, PATIENCE, until};
use kill_parts::driver::{Driver, KEY};
use kill_parts::files::{Files, Oracle};
use kill_parts::{Dice, check};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

on_both!(killed_at_any_moment);

/// Cycles on each engine.
const CYCLES: u64 = 25;
/// Cycles between two audits.
const AUDIT_EVERY: u64 = 5;
/// Small stretches, short leases and quick retries: many transactions and takeovers in little time.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("KACHI_LIMITS__IMPORT_ROWS", "10"),
    ("KACHI_LIMITS__RATE_ROWS", "45"),
    ("KACHI_LIMITS__LEASE_SECONDS", "5"),
    ("KACHI_WEBHOOKS__RETRY", r#"["0s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]"#),
    ("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#),
];

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn killed_at_any_moment(house: &House) {
    let began = Instant::now();
    let receiver = common::receiver::Receiver::start(KEY.secret);
    house.apply(&kill_parts::world(&receiver.url));
    let mut dice = Dice(from_environment("KILL_TEST_SEED", 20_260_301));
    let cycles = from_environment("KILL_TEST_CYCLES", CYCLES);
    let mut oracle = Oracle::default();
    let mut files = Files::default();
    let mut driver = Driver::default();
    for n in 1..=cycles {
        cycle(house, &mut dice, &mut files, &mut oracle, &mut driver);
        if n % AUDIT_EVERY == 0 {
            house.assert_sound();
        }
    }
    let server = house.serve(&ENVIRONMENT);
    driver.resolve(&server.address);
    driver.renewals.ask_again(&server.open("listen.cardboss_data")).expect("nobody kills this server");
    house.assert_sound();
    driver.renewals.decide(house);
    check::carriers(house);
    check::tasks(house, &server.address, &driver);
    check::imports(house, &files, &oracle);
    check::orders(&server.address, &driver);
    check::usage(&server.address, &oracle);
    check::money(house, &driver);
    check::notices(house, &receiver, &driver);
    server.stop();
    let readings = house.assert_sound();
    assert_eq!(readings, oracle.records(), "each distinct record is loaded once");
    println!(
        "kill -9: {cycles} cycles, {} importers killed at work, {} orders ({} answers lost), {} refunds, {} renewals, {} tasks, {readings} records, {} notices in {} attempts, {:.0?}",
        files.killed,
        driver.orders.len(),
        driver.lost,
        driver.refunded(),
        driver.renewals.len(),
        driver.tasks.len(),
        receiver.look(|a| a.notices.len()),
        receiver.look(|a| a.attempts),
        began.elapsed()
    );
}

/// One life of a server and its importers.
fn cycle(house: &House, dice: &mut Dice, files: &mut Files, oracle: &mut Oracle, driver: &mut Driver) {
    let batch = files.next(house, dice, oracle);
    let mut server = house.start(&ENVIRONMENT);
    if dice.below(10) == 0 {
        std::thread::sleep(Duration::from_millis(dice.below(150))); // the moment drawn: while it boots
        return server.kill();
    }
    server.wait_ready();
    let mut importers = vec![importer(house, &batch)];
    if dice.below(4) == 0 {
        importers.push(importer(house, &batch)); // two workers at once
    }
    let wanted = driver.answered() + dice.below(12);
    let moment = Duration::from_millis(5 + dice.below(296));
    let after_progress = dice.below(2) == 0;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let answered = driver.counter();
        let (address, cardboss) = (server.address.clone(), server.open("listen.cardboss_data"));
        let seed = dice.roll();
        let (driver, stop) = (&mut *driver, &stop);
        scope.spawn(move || driver.drive((&address, &cardboss), &mut Dice(seed), stop));
        if after_progress {
            until("the driver gets its answers", || (answered.load(Ordering::SeqCst) >= wanted).then_some(()));
        }
        std::thread::sleep(moment); // the moment drawn
        let server_first = seed.is_multiple_of(2);
        if server_first {
            server.kill();
            importers.into_iter().for_each(|child| files.end(child));
        } else {
            importers.into_iter().for_each(|child| files.end(child));
            server.kill();
        }
        stop.store(true, Ordering::SeqCst);
    });
}

fn importer(house: &House, batch: &[String]) -> Child {
    let words: Vec<&str> = ["import", "cdr", "--platform", "hand"].into_iter().chain(batch.iter().map(String::as_str)).collect();
    let mut command = house.command(&words, &ENVIRONMENT);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the importer starts")
}

#[test]
fn patience_is_longer_than_a_lease() {
    assert!(PATIENCE > Duration::from_secs(30), "a killed worker's lease must run out within the waits of these tests");
}
