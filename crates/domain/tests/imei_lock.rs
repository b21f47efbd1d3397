//! The rules of IMEI locks as a table: one case a line, `what happened | what must be true`.
//!
//! Left, steps in the order in which they come to us, joined by `;`, each with the instant at which it comes:
//!   `0d join`, `0d join until 5d`: the card comes into a group that holds device `a`, or comes back into one
//!   `3d seen b`, `3d seen b at 2d`: a record of the card in a device, of now or of earlier
//!   `4d unlock`
//!   `limit 2`: unlocks in a month, 3 unless said
//! Times: `5d`, `5d+1s`, `5d-1s` count from 2026-01-01 00:00 in China; `2026-02-01` is that day there.
//!
//! Right, complete: `free` or `locked b@2d` (why), `told N` (how often it was locked), `unlocks N` (in the month of the last
//! step; left out if 0), and in their order the refusals `too soon`, `used up`, `not locked`.

use kachi_domain::imei::{Membership, Sighting, UNLOCKS_PER_MONTH, Unlocks};
use kachi_domain::{Refusal, Timestamp, Zone};
use proptest::prelude::*;

const CASES: &str = include_str!("imei_lock/cases.txt");

fn zone() -> Zone {
    Zone::find("Asia/Shanghai").unwrap()
}

fn when(text: &str) -> Timestamp {
    let zone = zone();
    if let Ok(at) = zone.parse(text) {
        return at;
    }
    let (days, seconds) = text.split_once('d').unwrap_or_else(|| panic!("{text} is no time"));
    let seconds: i64 = seconds.strip_suffix('s').map_or(0, |n| n.parse().expect("seconds"));
    zone.parse("2026-01-01").unwrap().plus(days.parse::<i64>().expect("days") * 86_400 + seconds)
}

fn seen_in(device: &str, at: Timestamp) -> Sighting {
    let letter = device.bytes().next().expect("a device");
    Sighting { at, imei: 860_000_000_000_000 + i64::from(letter - b'a') * 10 }
}

/// What is true after the steps, in words.
fn outcome(script: &str) -> String {
    let mut limit = UNLOCKS_PER_MONTH;
    let mut card = Membership::new(Timestamp(i64::MAX), None, Unlocks::NONE);
    let (mut told, mut refusals, mut now) = (0, Vec::new(), Timestamp(0));
    for step in script.split(';').map(str::trim) {
        let words: Vec<&str> = step.split(' ').collect();
        if let ["limit", n] = words[..] {
            limit = n.parse().expect("a limit");
            continue;
        }
        now = when(words[0]);
        match words[1..] {
            ["join"] => card = Membership::new(now, None, card.unlocks),
            ["join", "until", until] => card = Membership::new(now, Some(when(until)), card.unlocks),
            ["seen", device] => told += i64::from(see(&mut card, now, device, now)),
            ["seen", device, "at", at] => told += i64::from(see(&mut card, now, device, when(at))),
            ["unlock"] => match card.unlock(limit, now, &zone()) {
                Ok(()) => {}
                Err(Refusal::NotLocked) => refusals.push("not locked".to_owned()),
                Err(Refusal::UnlockTooSoon) => refusals.push("too soon".into()),
                Err(Refusal::UnlocksUsedUp { .. }) => refusals.push("used up".into()),
                Err(other) => panic!("{other}"),
            },
            _ => panic!("{step} is no step"),
        }
    }
    let state = card.lock.map_or_else(|| "free".to_owned(), |l| format!("locked {}@{}", letter(l), day(l.at)));
    let mut facts = vec![state, format!("told {told}")];
    let unlocks = card.unlocks_this_month(now);
    facts.extend((unlocks > 0).then(|| format!("unlocks {unlocks}")));
    facts.extend(refusals);
    facts.join("; ")
}

fn see(card: &mut Membership, now: Timestamp, device: &str, at: Timestamp) -> bool {
    card.see(now, Some(seen_in(device, at)).filter(|_| device != "a"))
}

fn letter(seen: Sighting) -> char {
    char::from(b'a' + u8::try_from((seen.imei - 860_000_000_000_000) / 10).expect("a letter"))
}

fn day(at: Timestamp) -> String {
    let seconds = at.since(when("0d"));
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    if rest == 0 { format!("{days}d") } else { format!("{days}d+{rest}s") }
}

#[test]
fn every_case_of_the_table() {
    let lines = CASES.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut wrong = Vec::new();
    for line in lines {
        let (script, expected) = line.split_once('|').unwrap_or_else(|| panic!("{line}: two parts are needed"));
        let found = outcome(script.trim());
        if found != expected.trim() {
            wrong.push(format!("{line}\n   {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases fail\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A card that joined at 100, was unlocked at 200 after a lock, and will leave at 400.
fn unlocked() -> Membership {
    let mut card = Membership::new(Timestamp(100), Some(Timestamp(400)), Unlocks::NONE);
    assert!(card.see(Timestamp(150), [Sighting { at: Timestamp(140), imei: 9 }]));
    card.unlock(3, Timestamp(200), &zone()).unwrap();
    card
}

proptest! {
    #[test]
    fn sightings_in_any_order_late_and_twice_lock_alike(
        sightings in proptest::collection::vec((0..500_i64, 0..4_i64), 0..20),
        order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
        cut in 1..7_usize,
    ) {
        let sightings: Vec<Sighting> =
            sightings.into_iter().map(|(at, imei)| Sighting { at: Timestamp(at), imei }).collect();
        let mut at_once = unlocked();
        let locks = at_once.see(Timestamp(300), sightings.iter().copied());

        // In another order, some of them several times, in parts.
        let mut shuffled: Vec<Sighting> =
            if sightings.is_empty() { Vec::new() } else { order.iter().map(|i| *i.get(&sightings)).collect() };
        shuffled.extend(&sightings);
        let mut in_parts = unlocked();
        let told = shuffled.chunks(cut).filter(|part| in_parts.see(Timestamp(300), part.iter().copied())).count();
        prop_assert_eq!(&in_parts, &at_once);
        prop_assert_eq!(told, usize::from(locks), "told once");
        let counts = |s: &Sighting| s.imei != 0 && s.at > Timestamp(200) && s.at < Timestamp(400);
        prop_assert_eq!(at_once.lock, sightings.iter().copied().filter(counts).min());
    }
}
