//! The list of numbers that a card may call and be called by: how many it holds and how often one may be taken off
//! (CardBOSS v2.2.2, 3.4.6).

use crate::refusal::Refusal;
use crate::time::{Timestamp, Zone};

/// Numbers on the list at most.
pub const NUMBERS_MAX: usize = 5;
/// Numbers taken off at once at most.
pub const DELETED_AT_ONCE: usize = 2;

/// The numbers in order, each once; refused where there are none, too many, or one that is no telephone number.
pub fn numbers(given: &[String], most: usize) -> Result<Vec<String>, Refusal> {
    let mut numbers: Vec<String> = given.iter().map(|n| n.trim().to_owned()).collect();
    let good = |n: &String| (3..=20).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit());
    if numbers.is_empty() || numbers.len() > most || !numbers.iter().all(good) {
        let rule = format!("1 to {most} telephone numbers of 3 to 20 digits, joined by _");
        return Err(Refusal::BadField { field: "content".into(), rule });
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Refuses more numbers than the list holds. `there` are those on it or on their way to it.
pub fn refuse_full(there: &[String], added: &[String]) -> Result<(), Refusal> {
    let new = added.iter().filter(|n| !there.contains(n)).count();
    let mut all = there.to_vec();
    all.sort_unstable();
    all.dedup();
    if all.len() + new > NUMBERS_MAX { Err(Refusal::VoiceListFull { max: NUMBERS_MAX as i64 }) } else { Ok(()) }
}

/// Refuses a second deletion in a calendar month.
pub fn refuse_second_delete(last: Option<Timestamp>, now: Timestamp, zone: &Zone) -> Result<(), Refusal> {
    match last {
        Some(last) if now < zone.next_month(last) => Err(Refusal::VoiceDeleteUsedUp),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn numbers_are_digits_and_few() {
        for (given, most, good) in [
            ("13800010001", 2, true),
            ("13800010001 10086", 2, true),
            ("", 2, false),
            ("1 13800010001", 2, false),
            ("+8613800010001", 2, false),
            ("13800010001 13800010002 13800010003", 2, false),
            ("13800010001 13800010002 13800010003", 5, true),
        ] {
            assert_eq!(numbers(&list(given), most).is_ok(), good, "{given}");
        }
        assert_eq!(numbers(&list("222 111 222"), 5), Ok(list("111 222")));
    }

    #[test]
    fn the_list_holds_five_and_one_that_is_on_it_takes_no_further_place() {
        for (there, added, good) in [
            ("", "1 2 3 4 5", true),
            ("1 2 3 4", "5", true),
            ("1 2 3 4", "4 5", true),
            ("1 2 3 4", "5 6", false),
            ("1 2 3 4 5", "6", false),
            ("1 2 3 4 5", "5", true),
            ("1 2 3 4 4", "5", true),
        ] {
            assert_eq!(refuse_full(&list(there), &list(added)).is_ok(), good, "{there} + {added}");
        }
    }

    #[test]
    fn one_deletion_a_calendar_month_in_china() {
        let zone = Zone::find("Asia/Shanghai").unwrap();
        let at = |text: &str| zone.parse(text).unwrap();
        for (last, now, good) in [
            ("2026-03-01 00:00:00", "2026-03-31 23:59:59", false),
            ("2026-03-31 23:59:59", "2026-04-01 00:00:00", true),
            ("2026-03-10 10:00:00", "2026-03-10 10:00:00", false),
            ("2025-12-31 10:00:00", "2026-01-01 00:00:00", true),
        ] {
            assert_eq!(refuse_second_delete(Some(at(last)), at(now), &zone).is_ok(), good, "{last} {now}");
        }
        assert_eq!(refuse_second_delete(None, at("2026-03-01 00:00:00"), &zone), Ok(()));
    }
}
