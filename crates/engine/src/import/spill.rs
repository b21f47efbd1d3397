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

    /// Hands out all facts in the order of their cards, whole cards at a time: (up to which card, facts). It is empty
    /// afterwards.
    pub fn drain(&mut self) -> impl Iterator<Item = Result<(i64, Vec<Fact>)>> + '_ {
        let span = self.cards_per_part;
        let mut ranges: Vec<Range> = (0..self.parts.len())
            .rev()
            .map(|i| Range { part: i, first: span * i as i64, last: span * (i as i64 + 1) - 1 })
            .collect();
        if let Some(last) = ranges.first_mut() {
            last.last = last.last.max(self.highest);
        }
        std::iter::from_fn(move || match self.next(&mut ranges) {
            Ok(None) => {
                (self.parts, self.file, self.end, self.len) = (Vec::new(), None, 0, 0);
                None
            }
            Ok(Some(found)) => Some(Ok(found)),
            Err(e) => Some(Err(self.cannot(&e))),
        })
    }

    fn next(&mut self, ranges: &mut Vec<Range>) -> io::Result<Option<(i64, Vec<Fact>)>> {
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

    fn check(sims: &[i64], at_once: usize, last_sim: i64) {
        let mut spill = Spill::new(std::env::temp_dir(), at_once, last_sim);
        let mut wanted: BTreeMap<i64, Vec<Fact>> = BTreeMap::new();
        for (n, sim) in sims.iter().enumerate() {
            wanted.entry(*sim).or_default().push(fact(*sim, n as i64));
            spill.extend(&[fact(*sim, n as i64)]).unwrap();
        }
        assert_eq!(spill.len(), sims.len());
        let mut mark = 0;
        for part in spill.drain() {
            let (up_to, facts) = part.unwrap();
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
        assert!(wanted.is_empty(), "lost: {wanted:?}");
        assert!(spill.is_empty());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_once_by_card(
            sims in proptest::collection::vec(prop_oneof![1..40_i64, 1..20_000_i64, Just(5_i64)], 0..3_000),
            at_once in 1..500_usize,
            last_sim in prop_oneof![Just(0_i64), Just(30), Just(10_000)],
        ) {
            check(&sims, at_once, last_sim);
        }
    }

    #[test]
    fn one_card_may_have_more_than_a_part() {
        check(&vec![3; 10_000], 100, 1_000_000);
        check(&vec![900_000; 10_000], 100, 1_000);
    }
}
