//! The rules of devices' claims as a table: one case a line, `claim and card | what a person must look at`.

use kachi_domain::PlatformId;
use kachi_domain::device::{CardDevices, Claim, digits};

const CASES: &str = include_str!("device_claim/cases.txt");

fn number(text: &str) -> i64 {
    digits(Some(text).filter(|t| *t != "-"))
}

fn outcome(columns: &[&str]) -> String {
    let [owner, imei, known, named, lives] = columns else { panic!("six columns") };
    let devices = match known.split_once(' ') {
        Some(("seen", seen)) => CardDevices::LastSeen(number(seen)),
        Some(("group", word)) => CardDevices::Group { holds: word == "holds" },
        _ => panic!("{known} is nothing that is known"),
    };
    let platform = Some(number(named)).filter(|n| *n != 0).map(PlatformId);
    let claim = Claim { owner_fits: *owner == "yes", imei: number(imei), platform };
    claim.doubt(devices, PlatformId(number(lives))).map_or_else(|| "none".to_owned(), |d| d.word().to_owned())
}

#[test]
fn a_claim_binds_unless_it_contradicts_what_is_known() {
    let mut cases = 0;
    for (i, line) in CASES.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let (expected, given) = columns.split_last().expect("columns");
        assert_eq!(outcome(given), *expected, "line {}: {line}", i + 1);
        cases += 1;
    }
    assert!(cases > 15, "{cases} cases");
}
