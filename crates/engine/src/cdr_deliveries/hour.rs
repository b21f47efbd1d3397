//! The records of a half hour's files, read from the log once for all accounts that wait for theirs.
//!
//! Whoever needs a file first reads the hour and lays every account's lines into one nameless file of the data folder, in the
//! order in which that account alone would have read them; the others copy theirs out of it. What a file names never changes
//! ([`super`]), so what was laid down may be used for as long as it is there. It is kept for the last few half hours asked for.

use super::{BLOCK_BYTES, Content, RECORDS_AT_ONCE, unwritable};
use crate::desk::Engine;
use crate::error::{Fail, Result};
use kachi_domain::AccountId;
use kachi_domain::cdr::delivery::Slot;
use kachi_domain::cdr::{write_header, write_record};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard};

/// Bytes of all accounts that wait in memory to be laid down.
const WAITING_BYTES_MAX: usize = 1 << 24;

/// Half hours that are kept: the present one, and some that are tried again.
const HOURS_MAX: usize = 4;

/// The last half hours whose records were read, the latest asked for last.
#[derive(Default)]
pub struct Hours {
    last: Mutex<Vec<Hour>>,
}

/// One account's lines: where they lie, in order, and how many.
#[derive(Debug, Default)]
struct Lines {
    pieces: Vec<(u64, u64)>,
    records: i64,
    waiting: Vec<u8>,
}

/// A half hour, laid down.
struct Hour {
    slot: Slot,
    file: File,
    end: u64,
    lines: HashMap<AccountId, Lines>,
}

impl Hours {
    fn lock(&self) -> MutexGuard<'_, Vec<Hour>> {
        // A panic while it was held leaves at worst an hour that is read again.
        self.last.lock().unwrap_or_else(|poisoned| {
            let mut last = poisoned.into_inner();
            last.clear();
            last
        })
    }

    /// The account's file of the half hour. Those who ask at once wait for the one that reads.
    pub fn content(&self, engine: &Engine, slot: Slot, account: AccountId) -> Result<Content> {
        let mut last = self.lock();
        let there = last.iter().position(|hour| hour.slot == slot);
        let mut hour = match there.map(|i| last.remove(i)).filter(|hour| hour.lines.contains_key(&account)) {
            Some(hour) => hour,
            None => Hour::read(engine, slot, account)?,
        };
        let content = hour.copy(engine, account);
        last.push(hour);
        if last.len() > HOURS_MAX {
            last.remove(0);
        }
        content
    }
}

impl Hour {
    /// Reads the hour for the account and all others whose files of it are not delivered.
    fn read(engine: &Engine, slot: Slot, account: AccountId) -> Result<Hour> {
        let catalogue = engine.catalogue()?;
        let mut wanted: BTreeSet<AccountId> =
            engine.store().look(|tx| tx.cdr_accounts_waiting(slot.instant()).map_err(Fail::from))?.into_iter().collect();
        wanted.insert(account);
        // Which files a record of an account goes into.
        let mut files: HashMap<AccountId, Vec<AccountId>> = HashMap::new();
        for file in &wanted {
            for owner in catalogue.account(*file).map(|a| a.sees.iter()).into_iter().flatten() {
                files.entry(*owner).or_default().push(*file);
            }
        }
        let file = tempfile::tempfile_in(&engine.settings().scratch_dir).map_err(unwritable)?;
        let lines = wanted.iter().map(|a| (*a, Lines::default())).collect();
        let mut hour = Hour { slot, file, end: 0, lines };
        let mut owners: Vec<AccountId> = files.keys().copied().collect();
        owners.sort_unstable();
        let window = slot.window();
        let batches = engine.store().look(|tx| tx.cdr_batches(slot.instant(), window.start, window.end).map_err(Fail::from))?;
        let (mut line, mut waiting) = (Vec::new(), 0);
        for mut batch in batches {
            loop {
                let mut found =
                    engine.store().look(|tx| tx.cdr_records(&mut batch, &owners, RECORDS_AT_ONCE).map_err(Fail::from))?;
                if found.is_empty() {
                    break;
                }
                for (owner, card, record) in &mut found {
                    line.clear();
                    record.source_id = record.id_told(*card);
                    write_record(&mut line, record);
                    for file in files.get(&*owner).into_iter().flatten() {
                        waiting += hour.lines.get_mut(file).map_or(0, |lines| lines.add(&line));
                    }
                }
                if waiting >= WAITING_BYTES_MAX {
                    hour.lay_down()?;
                    waiting = 0;
                }
            }
        }
        hour.lay_down()?;
        Ok(hour)
    }

    /// Writes what waits in memory.
    fn lay_down(&mut self) -> Result<()> {
        for lines in self.lines.values_mut().filter(|l| !l.waiting.is_empty()) {
            self.file.write_all(&lines.waiting).map_err(unwritable)?;
            let bytes = lines.waiting.len() as u64;
            lines.pieces.push((self.end, bytes));
            self.end += bytes;
            lines.waiting = Vec::new();
        }
        Ok(())
    }

    /// The account's file, at its first byte.
    fn copy(&mut self, engine: &Engine, account: AccountId) -> Result<Content> {
        let mut file = tempfile::tempfile_in(&engine.settings().scratch_dir).map_err(unwritable)?;
        let Some(lines) = self.lines.get(&account) else { return Ok(Content { file, records: 0, bytes: 0 }) };
        let mut bytes = 0;
        if lines.records > 0 {
            let mut header = Vec::new();
            write_header(&mut header);
            bytes += header.len() as i64;
            file.write_all(&header).map_err(unwritable)?;
        }
        let mut block = vec![0; BLOCK_BYTES];
        for (from, length) in &lines.pieces {
            self.file.seek(SeekFrom::Start(*from)).map_err(unwritable)?;
            let mut left = *length;
            while left > 0 {
                let n = usize::try_from(left).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
                self.file.read_exact(&mut block[..n]).map_err(unwritable)?;
                file.write_all(&block[..n]).map_err(unwritable)?;
                (left, bytes) = (left - n as u64, bytes + n as i64);
            }
        }
        file.seek(SeekFrom::Start(0)).map_err(unwritable)?;
        Ok(Content { file, records: lines.records, bytes })
    }
}

impl Lines {
    /// The answer is how many bytes more wait.
    fn add(&mut self, line: &[u8]) -> usize {
        self.waiting.extend_from_slice(line);
        self.records += 1;
        line.len()
    }
}
