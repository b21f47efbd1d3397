//! Loaded facts on their way to the rating, parted by ranges of card numbers: few in memory, the rest in a file without
//! a name that goes when the process does. What is lost is found again in the log.

use super::rate::Fact;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Ranges of cards.
const PARTS: i64 = 4_096;
/// Facts of a range kept in memory.
const KEPT: usize = 64;
/// Bytes of a fact in the file.
const FACT_BYTES: usize = 56;

/// The facts that wait.
pub struct Spill {
    dir: PathBuf,
    /// Facts handed out at once, at least if there are as many; at most twice as many and one card's.
    at_once: usize,
    cards_per_part: i64,
    /// The highest card so far.
    highest: i64,
    parts: Vec<Part>,
    file: Option<File>,
    end: u64,
    len: usize,
}

#[derive(Default)]
struct Part {
    kept: Vec<Fact>,
    /// Offsets of runs of [`KEPT`] facts in the file.
    runs: Vec<u64>,
}

impl Spill {
    /// An empty one, for the cards known now; newer ones are in the last range.
    pub fn open(engine: &Engine) -> Result<Spill> {
        let last = engine.store().look(|tx| tx.last_state().map_err(Fail::from))?;
        let settings = engine.settings();
        Ok(Spill::new(settings.scratch_dir.clone(), settings.import_rows, last))
    }

    fn new(dir: PathBuf, at_once: usize, last_sim: i64) -> Spill {
        Spill { dir, at_once, cards_per_part: last_sim / PARTS + 1, highest: 0, parts: Vec::new(), file: None, end: 0, len: 0 }
    }

    /// Facts in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds facts.
    pub fn extend(&mut self, facts: &[Fact]) -> Result<()> {
        if self.parts.is_empty() && !facts.is_empty() {
            self.parts.resize_with(PARTS as usize, Part::default);
        }
        for fact in facts {
            let i = (fact.sim / self.cards_per_part).clamp(0, PARTS - 1) as usize;
            self.highest = self.highest.max(fact.sim);
            let part = &mut self.parts[i];
            part.kept.push(*fact);
            if part.kept.len() == KEPT {
                let kept = std::mem::take(&mut part.kept);
                let run = self.write(&kept).map_err(|e| self.cannot(&e))?;
                self.parts[i].runs.push(run);
            }
        }
        self.len += facts.len();
        Ok(())
    }

    fn cannot(&self, e: &io::Error) -> Fail {
        fault(format!("data_dir: {} cannot hold the facts to be rated ({e}): give it room", self.dir.display()))
    }

    fn write(&mut self, run: &[Fact]) -> io::Result<u64> {
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(&self.dir)?);
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let mut bytes = Vec::with_capacity(run.len() * FACT_BYTES);
        for f in run {
            for number in [f.sim, f.account, f.stop, f.start, f.source_id, f.bytes, f.imei] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let at = self.end;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&bytes)?;
        self.end += bytes.len() as u64;
        Ok(at)
    }

    /// From which card numbers on lanes begin (the first lane at 0), so that each of at most `lanes` has about as many facts and
    /// more than are handed out at once.
    pub fn lanes(&self, lanes: usize) -> Vec<i64> {
        let lanes = lanes.min(self.len / self.at_once.max(1)).max(1);
        let (mut from, mut before) = (vec![0], 0);
        for (i, part) in self.parts.iter().enumerate() {
            if before >= from.len() * self.len / lanes && from.len() < lanes {
                from.push(self.cards_per_part * i as i64 - 1);
            }
            before += part.kept.len() + KEPT * part.runs.len();
        }
        from
    }

    /// The way through the facts of cards above `after`, up to `last`.
    pub fn walk(&self, after: i64, last: i64) -> Walk {
        let (span, end) = (self.cards_per_part, self.parts.len());
        let of = |i: usize| {
            let upper = if i + 1 == end { i64::MAX } else { span * (i as i64 + 1) - 1 };
            Range { part: i, first: (span * i as i64).max(after + 1), last: upper.min(last).min(self.highest) }
        };
        Walk((0..end).rev().map(of).filter(|r| r.first <= r.last).collect())
    }

    /// The next facts on the way, in the order of their cards, whole cards at a time: (up to which card, facts).
    pub fn next(&mut self, walk: &mut Walk) -> Result<Option<(i64, Vec<Fact>)>> {
        self.read_on(&mut walk.0).map_err(|e| self.cannot(&e))
    }

    /// Lets go of all facts.
    pub fn clear(&mut self) {
        (self.parts, self.file, self.end, self.len) = (Vec::new(), None, 0, 0);
    }

    fn read_on(&mut self, ranges: &mut Vec<Range>) -> io::Result<Option<(i64, Vec<Fact>)>> {
        let mut facts = Vec::new();
        let mut up_to = 0;
        while facts.len() < self.at_once {
            let Some(range) = ranges.pop() else { break };
            let before = facts.len();
            if self.read(&range, &mut facts)? {
                up_to = range.last;
            } else {
                facts.truncate(before);
                let middle = range.first + (range.last - range.first) / 2;
                ranges.push(Range { first: middle + 1, ..range });
                ranges.push(Range { last: middle, ..range });
            }
        }
        Ok(if facts.is_empty() { None } else { Some((up_to, facts)) })
    }

    /// Adds the facts of a range; false if they are too many and the range can be split.
    fn read(&mut self, range: &Range, facts: &mut Vec<Fact>) -> io::Result<bool> {
        let part = &self.parts[range.part];
        let bound = facts.len().saturating_add(self.at_once);
        let wanted = |f: &Fact| (range.first..=range.last).contains(&f.sim);
        facts.extend(part.kept.iter().filter(|f| wanted(f)));
        if let Some(file) = &mut self.file {
            let mut bytes = [0; KEPT * FACT_BYTES];
            for run in &part.runs {
                file.seek(SeekFrom::Start(*run))?;
                file.read_exact(&mut bytes)?;
                facts.extend(bytes.chunks_exact(FACT_BYTES).map(fact).filter(|f| wanted(f)));
                if facts.len() > bound && range.first < range.last {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// A way through the facts of some cards: the ranges that are still to come, the next one last.
pub struct Walk(Vec<Range>);

/// Cards `first..=last` of a part.
#[derive(Clone, Copy)]
struct Range {
    part: usize,
    first: i64,
    last: i64,
}

fn fact(bytes: &[u8]) -> Fact {
    let mut numbers = [0_i64; 7];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = i64::from_le_bytes(bytes.try_into().unwrap_or_default());
    }
    let [sim, account, stop, start, source_id, bytes, imei] = numbers;
    Fact { sim, account, stop, start, source_id, bytes, imei }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn fact(sim: i64, n: i64) -> Fact {
        Fact { sim, account: 7, stop: n, start: n - 1, source_id: -n, bytes: i64::MAX - n, imei: n }
    }

    /// All facts come out once, card by card, whichever lanes they are parted into.
    fn check(sims: &[i64], at_once: usize, last_sim: i64, lanes: usize) {
        let mut spill = Spill::new(std::env::temp_dir(), at_once, last_sim);
        let mut wanted: BTreeMap<i64, Vec<Fact>> = BTreeMap::new();
        for (n, sim) in sims.iter().enumerate() {
            wanted.entry(*sim).or_default().push(fact(*sim, n as i64));
            spill.extend(&[fact(*sim, n as i64)]).unwrap();
        }
        assert_eq!(spill.len(), sims.len());
        let from = spill.lanes(lanes);
        assert!(from[0] == 0 && from.is_sorted_by(|a, b| a < b) && from.len() <= lanes.max(1), "{from:?}");
        for (i, after) in from.iter().enumerate() {
            let last = from.get(i + 1).copied().unwrap_or(i64::MAX);
            let mut walk = spill.walk(*after, last);
            let mut mark = *after;
            while let Some((up_to, facts)) = spill.next(&mut walk).unwrap() {
                assert!(up_to <= last);
                let mut found: BTreeMap<i64, Vec<Fact>> = BTreeMap::new();
                for f in &facts {
                    assert!(mark < f.sim && f.sim <= up_to, "{} is not in {mark}..{up_to}", f.sim);
                    found.entry(f.sim).or_default().push(*f);
                }
                let most = found.values().map(Vec::len).max().unwrap_or(0);
                assert!(facts.len() - most <= 2 * at_once + KEPT, "{} facts at once", facts.len());
                for (sim, mut of_card) in found {
                    of_card.sort_by_key(|f| f.stop);
                    assert_eq!(wanted.remove(&sim), Some(of_card), "all of a card come at once");
                }
                mark = up_to;
            }
        }
        assert!(wanted.is_empty(), "lost: {wanted:?}");
        spill.clear();
        assert!(spill.is_empty());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_once_by_card(
            sims in proptest::collection::vec(prop_oneof![1..40_i64, 1..20_000_i64, Just(5_i64)], 0..3_000),
            at_once in 1..500_usize,
            last_sim in prop_oneof![Just(0_i64), Just(30), Just(10_000)],
            lanes in 1..4_usize,
        ) {
            check(&sims, at_once, last_sim, lanes);
        }
    }

    #[test]
    fn lanes_have_about_as_many_facts_each() {
        let mut spill = Spill::new(std::env::temp_dir(), 100, 40_000);
        spill.extend(&(0..80_000).map(|n| fact(n / 2, n)).collect::<Vec<_>>()).unwrap();
        let from = spill.lanes(2);
        assert!(from.len() == 2 && (19_900..20_100).contains(&from[1]), "{from:?}");
        let mut few = Spill::new(std::env::temp_dir(), 100, 40_000);
        few.extend(&(0..150).map(|n| fact(n * 100, n)).collect::<Vec<_>>()).unwrap();
        assert_eq!(few.lanes(2), [0], "few facts are not worth a second lane");
    }

    #[test]
    fn one_card_may_have_more_than_a_part() {
        check(&vec![3; 10_000], 100, 1_000_000, 2);
        check(&vec![900_000; 10_000], 100, 1_000, 2);
    }
}
