//! The rules of renewals as a table: one case a line, `package ; months | outcome` or `start ASKED ; dated D, D | outcome`.
//!
//! `follows RESOURCE CATEGORY ; RESOURCE CATEGORY | yes`: whether a renewal of the one is dated behind the end of the other; `queue`
//! where the card's queue sees to it.
//!
//! `taken DATE ; until INSTANT | no`, or the first day it could be: whether a date is refused because of a package until then.
//!
//! A package is its category, validity, window and allowance in MB: `month 1mo whole 100`. The outcome is either
//! `CYCLES cycles, VALIDITY WINDOW ALLOWANCE, cost PRICE/SHARE` for a package that costs 300 of which a level earns 7,
//! or `refused: RULE`. The last word before `|` may be `least`: then the outcome is the least months alone.
//! Starts: it is 2026-03-10 15:00 in China; a date, `-` for none. The outcome is `at once`, an instant there, or `refused`.

use kachi_domain::ledger::Share;
use kachi_domain::package::{Category, Kind, Resource, Terms, Window};
use kachi_domain::renewal::{cycles, follows, is_beside, least_months, number, price, refuse_taken, start, terms};
use kachi_domain::time::{day_text, parse_day};
use kachi_domain::{AccountId, Refusal, Span, Timestamp, Zone};

const CASES: &str = include_str!("renewal/cases.txt");
const MB: i64 = 1 << 20;

fn zone() -> Zone {
    Zone::find("Asia/Shanghai").unwrap()
}

fn package(words: &[&str]) -> Terms {
    let [category, validity, window, mb] = words[..] else { panic!("{words:?} is no package") };
    let kind = if mb == "0" { Kind::Time } else { Kind::Quota };
    Terms {
        kind,
        category: Category::parse(category).unwrap(),
        resource: Resource::Data,
        allowance: mb.parse::<i64>().unwrap() * MB,
        validity: Span::parse(validity).unwrap(),
        window: Window::parse(window).unwrap(),
    }
}

fn sold(of: &Terms, months: &str) -> String {
    if months == "least" {
        return least_months(of).to_string();
    }
    match cycles(of, months.parse().unwrap()) {
        Ok(n) => {
            let t = terms(of, n);
            let (cost, shares) = price(300, &[Share { account: AccountId(2), minor: 7 }], n).unwrap();
            let share = shares[0].minor;
            format!("{n} cycles, {} {} {}, cost {cost}/{share}", t.validity, t.window.word(), t.allowance / MB)
        }
        Err(Refusal::BadField { field, rule }) => format!("refused {field}: {rule}"),
        Err(other) => panic!("{other}"),
    }
}

fn starts(asked: &str, dated: &str) -> String {
    let zone = zone();
    let now = zone.parse("2026-03-10 15:00:00").unwrap();
    let dated: Vec<Timestamp> = dated.split(',').map(str::trim).filter(|d| *d != "-").map(|d| zone.parse(d).unwrap()).collect();
    let asked = (asked != "-").then(|| parse_day(asked).unwrap());
    match start(asked, &dated, now, &zone) {
        Ok(None) => "at once".into(),
        Ok(Some(at)) => zone.text(at),
        Err(Refusal::BadField { field, .. }) => format!("refused {field}"),
        Err(other) => panic!("{other}"),
    }
}

fn taken(asked: &str, until: &str) -> String {
    match refuse_taken(parse_day(asked).unwrap(), zone().parse(until).unwrap(), &zone()) {
        Ok(()) => "no".into(),
        Err(Refusal::DateTaken { free }) => day_text(free),
        Err(other) => panic!("{other}"),
    }
}

fn behind(of: [&str; 2], there: &str) -> String {
    let terms = |[resource, category]: [&str; 2]| {
        let resource = Resource::parse(resource).unwrap();
        Terms { resource, ..package(&[category, "1mo", "whole", "1"]) }
    };
    let (resource, category) = there.split_once(' ').unwrap();
    let (of, there) = (terms(of), terms([resource, category]));
    match (is_beside(&of), follows(&of, &there)) {
        (false, _) => "queue".into(),
        (true, yes) => if yes { "yes" } else { "no" }.into(),
    }
}

#[test]
fn every_case_of_the_table() {
    let mut wrong = Vec::new();
    for line in CASES.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (given, expected) = line.split_once(" | ").unwrap_or_else(|| panic!("{line}: no outcome"));
        let (first, second) = given.split_once(';').unwrap_or_else(|| panic!("{line}: no second part"));
        let words: Vec<&str> = first.split_whitespace().collect();
        let second = second.trim();
        let outcome = match words[..] {
            ["follows", resource, category] => behind([resource, category], second),
            ["taken", asked] => taken(asked, second.strip_prefix("until").unwrap_or(second).trim()),
            ["start", asked] => starts(asked, second.strip_prefix("dated").unwrap_or(second).trim()),
            _ => sold(&package(&words), second),
        };
        if outcome != expected.trim() {
            wrong.push(format!("{line}\n   is: {outcome}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_sum_beyond_any_amount_is_none() {
    assert_eq!(price(i64::MAX / 2, &[], 3), None);
    assert_eq!(price(1, &[Share { account: AccountId(2), minor: i64::MAX }], 2), None);
}

#[test]
fn the_order_number_is_as_published() {
    let at = zone().parse("2019-09-11 16:03:21").unwrap();
    assert_eq!(number(at, 8752, &zone()), "CR1909111603218752");
    assert_eq!(number(at, 10_007, &zone()), "CR1909111603210007");
}
