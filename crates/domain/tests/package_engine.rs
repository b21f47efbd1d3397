//! The package engine's rules as a table: one case a line, `rule N | what happened | what must be true`.
//!
//! Left, in any order, joined by `;` (the fold sorts by position):
//!   `buy NAME KIND ALLOWANCE VALIDITY [WORDS] @WHEN`: names are letters, a = subscription 1. Words: a category, a
//!       resource, a start rule, `monthly` (the allowance refills each calendar month), `from=WHEN`, `used=BYTES`,
//!       `left=SECONDS` (of validity, of one moved here),
//!       `in=ZONE` (in which it was bought: its months are those of that zone)
//!   `use BYTES @WHEN`, `refund NAME @WHEN`, `move NAME @WHEN` (to another card)
//!   `pool NAME UNTIL @WHEN`: from then on the card's pool can pay until UNTIL, NAME being its last to pay; `pool none @WHEN`
//!   `see @WHEN`: look at the card then; without it, just after the last input
//!   `zone NAME`: Asia/Shanghai unless said
//! Times: `5d`, `5d+1s`, `5d-1s` count from 2026-01-01 00:00 of the zone; `2026-02-28` and `2026-02-28T10:00:00` are local.
//!
//! Right, complete (a fact that is missing or too many fails), in any order:
//!   `a 0d..10d runs 60`, `a 0d..2d quota 100` (or expired, refunded, moved), `a waits 0`, `a never 0` (taken away unstarted)
//!   `rest a@2d 30 691200s` (what went along: bytes used, seconds left or `all`)
//!   `outflow 20`, `slow a@2d`, `refill a@2026-02-01`
//!   `over z@5d`: the card is stopped because its pool has nothing left
//!   `free@0d`, `block quota@2d`: the last change of the block and its instant; `block no_package` if it never changed
//! and, checked only where written: `told free@0d quota@2d ...` (every change), `left BYTES`, `until WHEN` (expected end),
//! `due WHEN` (or `due never`).

#[path = "package_engine/table.rs"]
mod table;

fn check(cases: &str) {
    let lines = || cases.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let failures: Vec<String> = lines().filter_map(|line| table::run(line).err()).collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n\n{}", failures.len(), lines().count(), failures.join("\n\n"));
}

macro_rules! tables {
    ($($name:ident $file:literal),+ $(,)?) => { $(#[test] fn $name() { check(include_str!($file)); })+ };
}

tables!(
    rule_1_one_main_at_a_time_the_rest_wait_in_the_order_bought "package_engine/rule_1.txt",
    rule_2_an_end_and_the_next_start_are_one_instant "package_engine/rule_2.txt",
    rule_3_a_record_counts_at_its_stop_and_is_split_only_by_quota "package_engine/rule_3.txt",
    rule_4_a_top_up_burns_first_if_it_ends_sooner "package_engine/rule_4.txt",
    rule_5_blocks_and_what_never_blocks "package_engine/rule_5.txt",
    rule_6_what_ended_stays_ended_and_outflow_is_kept "package_engine/rule_6.txt",
    rule_7_and_8_order_and_repetition "package_engine/rule_7_8.txt",
    a_card_in_a_pool_lives_of_it_and_of_its_own "package_engine/pool_member.txt",
    what_is_left_goes_to_another_card "package_engine/moves.txt",
    months_are_those_of_the_zone_in_which_it_was_bought "package_engine/zones.txt",
    a_stake_pays_until_all_together_used_the_sum "package_engine/stake.txt",
    rule_9_things_happen_at_their_instant_without_traffic "package_engine/rule_9.txt",
);

#[test]
fn a_table_line_that_is_wrong_fails() {
    for line in [
        "rule 2 | buy a quota 100 10d @0d; use 60 @1d | a 0d..10d runs 61; free@0d",
        "rule 2 | buy a quota 100 10d @0d; use 60 @1d | a 0d..10d runs 60",
        "rule 2 | buy a quota 100 10d @0d; use 60 @1d | a 0d..10d runs 60; free@0d; outflow 1",
        "rule 2 | buy a quota 100 10d @0d; use 60 @1d | a 0d..10d runs 60; free@0d; left 41",
        "rule 2 | buy a quota 100 10d @0d; nonsense | a 0d..10d runs 60; free@0d",
    ] {
        assert!(table::run(line).is_err(), "{line}");
    }
}
