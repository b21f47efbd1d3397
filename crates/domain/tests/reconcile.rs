//! When two numbers of the same usage agree, as a table and as laws.

use kachi_domain::reconcile::{Tolerance, difference};
use proptest::prelude::*;

const CASES: &str = include_str!("reconcile/cases.txt");

fn number(text: &str) -> i64 {
    text.trim().parse().unwrap_or_else(|e| panic!("\"{text}\": {e}"))
}

#[test]
fn a_difference_over_the_tolerance_is_one() {
    let mut cases = 0;
    for (i, line) in CASES.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [records, counted, tolerance, expected] = columns[..] else { panic!("line {}: four columns", i + 1) };
        let (bytes, permille) = tolerance.split_once(' ').expect("two numbers");
        let tolerance = Tolerance { bytes: number(bytes), permille: number(permille) };
        let found = difference(number(records), number(counted), tolerance).map_or_else(|| "none".into(), |d| d.to_string());
        assert_eq!(found, expected, "line {}: {line}", i + 1);
        cases += 1;
    }
    assert!(cases > 15, "{cases} cases");
}

proptest! {
    #[test]
    fn a_number_agrees_with_itself_and_swapping_turns_the_sign(
        a in 0..i64::MAX, b in 0..i64::MAX, bytes in 0..1_i64 << 40, permille in 0..1_000_i64
    ) {
        let tolerance = Tolerance { bytes, permille };
        prop_assert_eq!(difference(a, a, tolerance), None);
        prop_assert_eq!(difference(a, b, tolerance), difference(b, a, tolerance).map(|d| -d));
    }

    #[test]
    fn a_wider_tolerance_finds_nothing_new(
        a in 0..1_i64 << 50, b in 0..1_i64 << 50, bytes in 0..1_i64 << 40, more in 0..1_i64 << 40, permille in 0..500_i64
    ) {
        let narrow = Tolerance { bytes, permille };
        let wide = Tolerance { bytes: bytes + more, permille: permille * 2 };
        prop_assert!(difference(a, b, narrow).is_some() || difference(a, b, wide).is_none());
        prop_assert!(difference(a, b, narrow).is_none_or(|d| d == a - b && d.abs() > bytes));
    }
}
