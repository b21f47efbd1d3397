//! Which calls to a carrier come next, as a table: one case a line.

use kachi_domain::carrier::{Ask, Batches, Capabilities, Cycle, Fact, Facts};
use kachi_domain::sync::{CLOSE_SECONDS, Feed, Known, Place, Risk, Step, Terms, Walk, What, lost_track, plan};
use kachi_domain::time::{Timestamp, Zone, day_text, parse_day};
use std::collections::HashMap;

const CASES: &str = include_str!("sync/cases.txt");
const DAY: i64 = 86_400;

fn at(text: &str) -> Timestamp {
    let zone = Zone::find("Asia/Shanghai").expect("a zone");
    zone.parse(&format!("2026-{text}:00")).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// What a platform can do, and what a single reading of each fact costs.
fn platform(text: &str) -> (Capabilities, HashMap<&str, u32>) {
    let (mut can, mut facts, mut costs) = (Capabilities::default(), Vec::new(), HashMap::new());
    for word in text.split(' ').filter(|w| *w != "-") {
        if let Some((what, n)) = word.split_once('*') {
            let n: u16 = n.parse().expect("a number");
            match what {
                "state" => can.batches.state = n,
                "day" => can.batches.day = n,
                "month" => can.batches = Batches { month: n, ..can.batches },
                other => panic!("{other}*"),
            }
            continue;
        }
        let (what, n) = word.split_once('=').unwrap_or((word, "1"));
        match what {
            "cycle" => can.cycle = Cycle { first_day: n.parse().expect("a day") },
            "state" => facts.push(Fact::State),
            "month" => facts.push(Fact::Month),
            "counter" => facts.push(Fact::Counter),
            other => panic!("{other} is nothing a platform can"),
        }
        costs.insert(what, n.parse().expect("a number"));
    }
    can.facts = Facts::of(&facts);
    (can, costs)
}

fn feed(text: &str) -> Feed {
    match text {
        "absent" => Feed::Absent,
        "on" => Feed::On { due: false },
        "due" => Feed::On { due: true },
        other => Feed::Filling(at(other.strip_prefix("filling ").expect("a feed"))),
    }
}

/// `card fact as-of [risk] [held until] [since]`; a card is one letter.
fn known(text: &str) -> Known {
    let words: Vec<&str> = text.split(' ').collect();
    let time = |i: usize| at(&format!("{} {}", words[i], words[i + 1]));
    let what = What::ALL.into_iter().find(|w| w.word() == words[1]).expect("a fact");
    let (as_of, mut i) = if words[2] == "never" { (None, 3) } else { (Some(time(2)), 4) };
    let card = i64::from(words[0].as_bytes()[0]);
    let mut known = Known { card, what, as_of, held_until: None, since: at("01-01 00:00"), risk: Risk::Usual };
    while i < words.len() {
        match words[i] {
            "idle" => known.risk = Risk::Idle,
            "near" => known.risk = Risk::Near,
            "brink" => known.risk = Risk::Brink,
            "held" => known.held_until = Some(time(i + 1)),
            "since" => known.since = time(i + 1),
            other => panic!("{other} is nothing that is known"),
        }
        i += if matches!(words[i], "held" | "since") { 3 } else { 1 };
    }
    known
}

fn text(step: &Step) -> String {
    match step {
        Step::Feed { pages } => format!("feed {pages}"),
        Step::Read { ask, cards, .. } => {
            let what = match ask {
                Ask::State => "state".to_owned(),
                Ask::Day(day) => format!("day {}", &day_text(*day)[5..]),
                Ask::Month(month) => format!("month {month}"),
            };
            let cards: Vec<String> = cards.iter().map(|c| char::from(u8::try_from(*c).expect("a letter")).to_string()).collect();
            format!("{what}: {}", cards.join(" "))
        }
    }
}

#[test]
fn the_cheapest_the_stalest_and_the_most_at_risk_come_first() {
    let mut cases = 0;
    for (i, line) in CASES.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [can, now, fed, cards, budget, expected] = columns[..] else { panic!("line {}: six columns", i + 1) };
        let (can, costs) = platform(can);
        let cost = |facts: Facts| {
            let of = |fact, word: &str| if facts.has(fact) { costs.get(word).copied().unwrap_or(0) } else { 0 };
            of(Fact::State, "state") + of(Fact::Month, "month") + of(Fact::Counter, "counter")
        };
        let place = Place::new(at(now), can, feed(fed), Terms::default());
        let cards: Vec<Known> = cards.split(", ").filter(|c| *c != "-").map(known).collect();
        let steps = plan(&place, &cards, &cost, budget.parse().expect("a number"));
        let found: Vec<String> = steps.iter().map(text).collect();
        let found = if found.is_empty() { "-".to_owned() } else { found.join("; ") };
        assert_eq!(found, expected, "line {}: {line}", i + 1);
        let spent: u32 = steps.iter().map(|s| if let Step::Read { requests, .. } = s { *requests } else { 0 }).sum();
        assert!(spent <= budget.parse().expect("a number"), "line {}: {spent} requests", i + 1);
        cases += 1;
    }
    assert!(cases > 45, "{cases} cases");
}

#[test]
fn risk_is_what_is_left_and_how_long() {
    let day = Some(DAY);
    for (in_use, left, ends, risk) in [
        (true, None, None, Risk::Usual),
        (true, Some(201), Some(3 * DAY + 1), Risk::Usual),
        (true, Some(200), None, Risk::Near),
        (true, None, Some(3 * DAY), Risk::Near),
        (true, Some(50), None, Risk::Brink),
        (true, Some(900), day, Risk::Brink),
        (false, Some(0), day, Risk::Idle),
    ] {
        assert_eq!(Risk::of(in_use, left, ends), risk, "{in_use} {left:?} {ends:?}");
    }
}

/// Every walk of the days from the 10th until `end`, each with `pages` pages.
fn walks(terms: Terms, pages: impl Fn(Timestamp) -> i64, end: Timestamp) -> Vec<Walk> {
    let (mut day, mut due) = (parse_day("2026-03-10").expect("a day"), at("03-10 00:00"));
    let mut walks = Vec::new();
    while due < end {
        let walk = Walk { day, began: due, pages: pages(due) };
        walks.push(walk);
        let next = walk.next(terms);
        assert!(next.1 > due && (next.0 == day || next.0 == day + 1), "{walk:?} {next:?}");
        (day, due) = next;
    }
    walks
}

#[test]
fn a_day_is_walked_until_a_walk_began_when_it_was_over() {
    let found = walks(Terms::default(), |_| 7, at("03-11 02:00"));
    let of_day = |day: &str| found.iter().filter(|w| w.day == parse_day(day).expect("a day")).count();
    assert_eq!((of_day("2026-03-10"), of_day("2026-03-11")), (25, 1), "each hour, then the one that closes; then the next day");
    let closing = found.iter().rfind(|w| w.day == parse_day("2026-03-10").expect("a day")).expect("a walk");
    assert_eq!(closing.began, at("03-11 00:00").plus(CLOSE_SECONDS));
}

#[test]
fn a_day_of_20_000_changes_costs_no_more_than_1_500_pages_whenever_they_come() {
    let begin = at("03-10 00:00");
    for hours in [0, 1, 3, 6, 12, 18, 23] {
        for spread in [false, true] {
            let pages = |now: Timestamp| {
                let passed = now.since(begin);
                let all = passed >= hours * 3_600;
                let share = if spread { passed.min(DAY) * 400 / DAY } else { i64::from(all) * 400 };
                7 + share
            };
            let closed = at("03-11 00:00").plus(CLOSE_SECONDS + 1);
            let made: i64 = walks(Terms::default(), pages, closed).iter().map(|w| w.pages).sum();
            assert!(made <= 1_500, "{made} pages, all after {hours} hours or spread: {spread}");
        }
    }
}

#[test]
fn days_that_were_missed_are_caught_up_at_once_and_too_many_are_lost() {
    let now = at("03-10 12:00");
    let walk = Walk { day: parse_day("2026-03-07").expect("a day"), began: now, pages: 7 };
    let (day, due) = walk.next(Terms::default());
    assert_eq!(day_text(day), "2026-03-08");
    assert!(due <= now, "it is over too");
    assert!(!lost_track(parse_day("2026-03-03").expect("a day"), now));
    assert!(lost_track(parse_day("2026-03-02").expect("a day"), now));
}
