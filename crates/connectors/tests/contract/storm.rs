//! Every fault in turn, over many writes.

use super::*;

/// One run under faults: what each card came to, and when.
fn storm(every: u64, seed: u64) -> Vec<(Answer, Timestamp)> {
    let faults = json!(["lost", "applied_timed_out", "token_killed", "overloaded", "garbage", "refused", "cooling",
        {"never_applied": {"forget_seconds": 200}}]);
    let case = Case::sandbox(json!({"lag_seconds": LAG_SECONDS, "cool_down_seconds": 180, "token_seconds": 50,
        "fault_every": every, "faults": faults, "seed": seed}));
    let mut ends = Vec::new();
    for n in 0..40 {
        let request = request(&n.to_string(), subscribe());
        let (end, now) = settle(&case, &request, START.plus(n));
        let active = case.world.card(&request.card.iccid, START.plus(10_000_000)).bought.len() as u32;
        let expected = if matches!(end, Answer::Refused { .. }) { 0 } else { 1 };
        assert_eq!((case.world.effects(&request.reference), active), (expected, expected), "every {every} seed {seed}: {end:?}");
        ends.push((end, now));
    }
    ends
}

#[test]
fn under_every_fault_each_write_ends_as_told_and_at_most_once() {
    for every in 2..7 {
        for seed in 0..20 {
            let ends = storm(every, seed);
            assert!(ends.iter().any(|(end, _)| *end == Answer::Confirmed));
            assert_eq!(ends, storm(every, seed), "the same seed, the same story");
        }
    }
    assert_ne!(storm(3, 0), storm(3, 1), "another seed, another story");
}
