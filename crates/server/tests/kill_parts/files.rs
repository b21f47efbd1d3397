//! CDR files with everything that happens to them: rows of the file before, the same row twice, unknown cards, broken
//! lines; and what must come of them.

use super::{CARDS, Dice};
use crate::common::{House, now};
use kachi_testkit::world::line;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;

/// Distinct records of known cards in one file.
const RECORDS: i64 = 200;
/// Rows taken over from the file before.
const AGAIN: usize = 30;
/// Lines of unknown cards, and broken ones.
const ORPHANS: i64 = 5;
const BROKEN: i64 = 3;
/// A card that nobody has.
const NOBODY: u64 = 9_999;
/// Records are spread over the time before their file.
const SPREAD_SECONDS: u64 = 3 * 86_400;

/// What is known of everything written so far.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Bytes by card.
    pub bytes: BTreeMap<u64, i64>,
    records: i64,
    orphans: BTreeSet<i64>,
}

impl Oracle {
    pub fn records(&self) -> i64 {
        self.records
    }

    pub fn orphans(&self) -> i64 {
        self.orphans.len() as i64
    }
}

/// The files and the importers that read them.
#[derive(Debug, Default)]
pub struct Files {
    /// Every file written: its name.
    pub names: Vec<String>,
    /// Importers that were at work when they were killed.
    pub killed: usize,
    /// The first file that was not seen to its end.
    open: usize,
    last: Vec<String>,
}

impl Files {
    /// The files to be imported next: those that are open, and a new one.
    pub fn next(&mut self, house: &House, dice: &mut Dice, oracle: &mut Oracle) -> Vec<String> {
        let rows = self.rows(dice, oracle);
        let name = format!("cdr_{:03}.csv", self.names.len());
        house.write(&name, &rows.concat());
        self.names.push(name);
        self.names[self.open..].to_vec()
    }

    fn rows(&mut self, dice: &mut Dice, oracle: &mut Oracle) -> Vec<String> {
        let mut rows = Vec::new();
        let stop = |dice: &mut Dice| now() - dice.below(SPREAD_SECONDS) as i64;
        for _ in 0..RECORDS {
            oracle.records += 1;
            let (card, at, bytes) = (dice.below(CARDS), stop(dice), dice.below(8 << 20) as i64);
            *oracle.bytes.entry(card).or_default() += bytes;
            rows.push(line(oracle.records, card, at - 60, at, bytes));
        }
        rows.append(&mut self.last);
        self.last = rows[..AGAIN].to_vec();
        rows.extend_from_within(10..20);
        for n in 0..ORPHANS {
            let id = 1_000_000_000 + self.names.len() as i64 * ORPHANS + n;
            oracle.orphans.insert(id);
            let at = stop(dice);
            rows.push(line(id, NOBODY, at, at, 7));
        }
        rows.extend((0..BROKEN).map(|n| format!("{n},no time,,x,,-1,,\n")));
        for i in (1..rows.len()).rev() {
            rows.swap(i, dice.below(i as u64 + 1) as usize);
        }
        rows
    }

    /// Kills an importer. One that came to its end by itself has seen every file.
    pub fn end(&mut self, mut importer: Child) {
        match importer.try_wait().expect("its state") {
            // 1 says that there are bad lines; 3, that it could not go on.
            Some(status) => match status.code() {
                Some(0 | 1) => self.open = self.names.len(),
                Some(3) => {}
                _ => panic!("the importer ended with {status}"),
            },
            None => {
                self.killed += 1;
                let _ = importer.kill();
                let _ = importer.wait();
            }
        }
    }

    /// Lines that are set aside as bad, in each file.
    pub fn bad_lines() -> i64 {
        BROKEN
    }
}
