//! Pools as a table, one case a line: `pool | what happened | what must be true`; the rules are in `kachi_domain::rating::pool`.
//!
//! Left, in any order, joined by `;` (the fold sorts by position):
//!   `buy NAME BYTES VALIDITY @WHEN`, `unsub NAME @WHEN`: subscriptions, a letter each, a = 1
//!   `join CARD @WHEN`, `leave CARD @WHEN`, `use CARD BYTES @WHEN`: cards, a letter each from p on
//!   `cap BYTES`: the most one card takes of one subscription; `see @WHEN`: look at the pool then
//! Times count from 2026-01-01 in Shanghai: `5d`, `5d+1s`, `5d-1s`.
//!
//! Right, complete, in any order:
//!   `a 0d..7d runs 60`, `a 0d..2d quota 100` (or expired, refunded), `a waits`, `a never` (refunded unstarted)
//!   `p paid 60`: all that the pool paid of the card's traffic; a card without traffic is not mentioned
//! and, checked only where written: `p told 7d@0d none@3d`: how the pool stood to the card, each time it was told;
//!   `due WHEN`, `due never`

use kachi_domain::package::{Category, Kind, Resource, Terms, Window};
use kachi_domain::rating::pool::{PoolHappening, PoolInput, PoolRules, PoolState};
use kachi_domain::rating::{Happening, Purchase, Usage};
use kachi_domain::{SimId, Span, SubscriptionId, Timestamp, Zone};
use std::collections::BTreeMap;

const ORIGIN: Timestamp = Timestamp(1_767_196_800);

#[derive(Default)]
struct Script {
    inputs: Vec<PoolInput>,
    member_cap: Option<i64>,
    see: Option<Timestamp>,
}

fn zone() -> Zone {
    Zone::find("Asia/Shanghai").expect("a zone")
}

fn time(text: &str) -> Timestamp {
    let (days, rest) = text.trim_start_matches('@').split_once('d').unwrap_or_else(|| panic!("{text} is no time"));
    let seconds: i64 = if rest.is_empty() { 0 } else { rest.trim_end_matches('s').parse().expect("seconds") };
    ORIGIN.plus(days.parse::<i64>().expect("days") * 86_400 + seconds)
}

fn show(at: Timestamp) -> String {
    let seconds = at.since(ORIGIN);
    match (seconds.div_euclid(86_400), seconds.rem_euclid(86_400)) {
        (days, 0) => format!("{days}d"),
        (days, 86_399) => format!("{}d-1s", days + 1),
        (days, rest) => format!("{days}d+{rest}s"),
    }
}

fn number(name: &str) -> i64 {
    i64::from(name.as_bytes()[0] - b'a') + 1
}

fn name(number: i64) -> char {
    char::from(b'a' + (number - 1) as u8)
}

fn purchase(id: i64, bytes: i64, validity: &str, at: Timestamp) -> Purchase {
    let terms = Terms {
        kind: Kind::Quota,
        category: Category::Long,
        resource: Resource::Data,
        allowance: bytes,
        validity: Span::parse(validity).expect("a validity"),
        window: Window::Whole,
    };
    Purchase::plain(id, at, terms)
}

fn read(text: &str) -> Script {
    let mut script = Script::default();
    for (i, statement) in text.split(';').map(str::trim).enumerate() {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let bytes = |text: &str| text.parse::<i64>().expect("bytes");
        let input = match &words[..] {
            ["cap", cap] => {
                script.member_cap = Some(bytes(cap));
                continue;
            }
            ["see", at] => {
                script.see = Some(time(at));
                continue;
            }
            ["buy", id, allowance, validity, at] => {
                PoolInput::Purchase(purchase(number(id), bytes(allowance), validity, time(at)))
            }
            ["unsub", id, at] => PoolInput::Refund(time(at), SubscriptionId(number(id))),
            ["join", card, at] => PoolInput::Join(time(at), SimId(number(card))),
            ["leave", card, at] => PoolInput::Leave(time(at), SimId(number(card))),
            ["use", card, amount, at] => {
                let stop = time(at);
                let usage = Usage { stop, start: stop.plus(-60), source_id: i as i64, bytes: bytes(amount) };
                PoolInput::Usage(SimId(number(card)), usage)
            }
            _ => panic!("\"{statement}\" is not a statement"),
        };
        script.inputs.push(input);
    }
    script.inputs.sort_by_key(PoolInput::position);
    script
}

/// Folds the script, with the state written and read back between inputs or not.
fn outcome(script: &Script, stored: bool) -> (PoolState, Vec<PoolHappening>) {
    let zone = zone();
    let rules = PoolRules { zone: &zone, member_cap: script.member_cap };
    let (mut state, mut out) = (PoolState::default(), Vec::new());
    for input in &script.inputs {
        state.apply(input, rules, &mut out);
        state.apply(input, rules, &mut out);
        if stored {
            let looked = state.clone();
            state = serde_json::from_str(&serde_json::to_string(&looked).expect("JSON")).expect("a state");
        }
    }
    state.advance(script.see.unwrap_or(state.burn.now), rules, &mut out);
    (state, out)
}

/// Facts that must all be written, and those that may be.
fn facts(state: &PoolState, out: &[PoolHappening]) -> (Vec<String>, Vec<String>) {
    let (mut all, mut started) = (Vec::new(), BTreeMap::new());
    let (mut paid, mut told) = (BTreeMap::<i64, i64>::new(), BTreeMap::<i64, Vec<String>>::new());
    for happening in out {
        match happening {
            PoolHappening::Subscription(Happening::Started(id, at, _)) => drop(started.insert(*id, *at)),
            PoolHappening::Subscription(Happening::Ended(id, at, reason, used)) => all.push(match started.get(id) {
                Some(from) => format!("{} {}..{} {} {used}", name(id.0), show(*from), show(*at), reason.word()),
                None => format!("{} never", name(id.0)),
            }),
            PoolHappening::Subscription(_) => {}
            PoolHappening::Paid(sim, _, bytes) => *paid.entry(sim.0).or_default() += bytes,
            PoolHappening::Stand(sim, at, stand) => {
                let until = stand.map_or("none".to_owned(), |s| show(s.until));
                told.entry(sim.0).or_default().push(format!("{until}@{}", show(*at)));
            }
        }
    }
    all.extend(state.burn.live.iter().map(|l| match l.running {
        Some((from, to)) => format!("{} {}..{} runs {}", name(l.id.0), show(from), show(to), l.used),
        None => format!("{} waits", name(l.id.0)),
    }));
    all.extend(paid.iter().map(|(sim, bytes)| format!("{} paid {bytes}", name(*sim))));
    let mut may: Vec<String> = told.iter().map(|(sim, t)| format!("{} told {}", name(*sim), t.join(" "))).collect();
    may.push(format!("due {}", state.next_due(&zone()).map_or("never".to_owned(), show)));
    (all, may)
}

fn run(line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let &[_, script, expected] = &parts[..] else { return Err(format!("{line}\n   three parts are needed")) };
    let script = read(script);
    let (state, out) = outcome(&script, false);
    if (state.clone(), out.clone()) != outcome(&script, true) {
        return Err(format!("{line}\n   stored between its inputs it comes out otherwise"));
    }
    let paid: i64 = out.iter().map(|h| if let PoolHappening::Paid(_, _, bytes) = h { *bytes } else { 0 }).sum();
    if paid != state.burn.total_used() || state.burn.outflow_bytes != 0 {
        return Err(format!("{line}\n   {paid} bytes were paid, {} burned", state.burn.total_used()));
    }
    let (mut all, may) = facts(&state, &out);
    let mut wrong = Vec::new();
    for fact in expected.split(';').map(str::trim).filter(|f| !f.is_empty()) {
        match all.iter().position(|f| f == fact) {
            Some(i) => drop(all.remove(i)),
            None if may.iter().any(|m| m == fact) => {}
            None => wrong.push(fact),
        }
    }
    if wrong.is_empty() && all.is_empty() {
        return Ok(());
    }
    Err(format!("{line}\n   wrong: {}\n   is: {}; {}", wrong.join("; "), all.join("; "), may.join("; ")))
}

#[test]
fn pools_burn_as_the_table_says() {
    let cases = include_str!("pool/cases.txt");
    let lines = || cases.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let failures: Vec<String> = lines().filter_map(|l| run(l).err()).collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n\n{}", failures.len(), lines().count(), failures.join("\n\n"));
}

#[test]
fn a_case_that_is_wrong_fails() {
    for line in [
        "pool | buy a 100 7d @0d; join p @0d; use p 60 @1d | a 0d..7d runs 60; p paid 61",
        "pool | buy a 100 7d @0d; join p @0d; use p 60 @1d | a 0d..7d runs 60",
        "pool | buy a 100 7d @0d; join p @0d; use p 60 @1d | a 0d..7d runs 60; p paid 60; p told 6d@0d",
    ] {
        assert!(run(line).is_err(), "{line}");
    }
}
