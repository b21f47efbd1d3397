//! Usage records: kept for tests, and written as the files that a carrier sends, one a platform and hour.

use super::World;
use crate::Platform;
use crate::calendar;
use crate::settings::Settings;
use crate::world::card::Card;
use crate::world::usage::Counted;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// A usage record: a session, or what was left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The carrier's number of the record: unique, and rising for each card.
    pub id: i64,
    /// Unix seconds.
    pub start: i64,
    /// Unix seconds; the instant at which it counts.
    pub stop: i64,
    /// The card.
    pub iccid: String,
    /// The subscriber.
    pub imsi: String,
    /// Bytes.
    pub bytes: u64,
    /// The device at the time.
    pub imei: String,
    /// Country and network.
    pub mccmnc: &'static str,
}

/// A record that knows its card by number.
#[derive(Debug, Clone)]
struct Brief {
    card: u32,
    id: i64,
    start: i64,
    stop: i64,
    bytes: u64,
    imei: u64,
}

/// The records of a world since its start.
#[derive(Debug)]
pub(super) struct Records {
    since: i64,
    keep: bool,
    kept: BTreeMap<Platform, Vec<Brief>>,
    dir: Option<PathBuf>,
    seconds: i64,
    waiting: BTreeMap<Platform, Vec<Brief>>,
}

impl Records {
    pub(super) fn new(settings: &Settings) -> Records {
        Records {
            since: settings.start,
            keep: settings.keep_records,
            kept: BTreeMap::new(),
            dir: settings.cdr_dir.clone(),
            seconds: settings.cdr_seconds.max(0),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn file_seconds(&self) -> i64 {
        self.seconds
    }

    pub(super) fn keep(&mut self, card: &Card, counted: Counted) {
        let burst = counted.burst;
        if burst.stop < self.since || !(self.keep || self.dir.is_some()) {
            return;
        }
        let imei = card.imei.parse().unwrap_or(0);
        let brief = Brief { card: card.number, id: counted.id, start: burst.start, stop: burst.stop, bytes: burst.bytes, imei };
        if self.dir.is_some() {
            self.waiting.entry(card.platform).or_default().push(brief.clone());
        }
        if self.keep {
            self.kept.entry(card.platform).or_default().push(brief);
        }
    }
}

impl World {
    /// All records of a platform that count in a window, by their instant.
    pub(crate) fn records(&mut self, platform: Platform, from: i64, to: i64) -> Vec<Record> {
        self.settle_all(self.now);
        let kept = self.records.kept.get(&platform).into_iter().flatten();
        let mut briefs: Vec<&Brief> = kept.filter(|b| (from..to).contains(&b.stop)).collect();
        briefs.sort_by_key(|b| (b.stop, b.id));
        briefs.into_iter().map(|b| self.full(b)).collect()
    }

    /// The records of one card that count in a window, if records are kept.
    pub(crate) fn records_of(&mut self, number: u32, from: i64, to: i64) -> Vec<Record> {
        self.settle(number, self.now);
        let kept = self.records.kept.get(&self.cards[number as usize].platform).into_iter().flatten();
        let own = kept.filter(|b| b.card == number && (from..to).contains(&b.stop));
        own.map(|b| self.full(b)).collect()
    }

    fn full(&self, brief: &Brief) -> Record {
        let card = &self.cards[brief.card as usize];
        Record {
            id: brief.id,
            start: brief.start,
            stop: brief.stop,
            iccid: card.iccid.clone(),
            imsi: card.imsi.clone(),
            bytes: brief.bytes,
            imei: format!("{:015}", brief.imei),
            mccmnc: card.platform.network(),
        }
    }

    pub(crate) fn settle_all(&mut self, to: i64) {
        for number in 0..self.cards.len() {
            self.settle(number as u32, to);
        }
    }

    /// A file of the records of a window, by its name and its bytes, in the published form.
    pub(crate) fn cdr_file(&mut self, platform: Platform, from: i64, to: i64) -> (String, Vec<u8>) {
        let records = self.records(platform, from, to);
        (file_name(platform, from, to, self.now), file(records.into_iter()))
    }

    /// Writes the files of the hour that ends at `end`: each whole, under its name, or not at all.
    pub(super) fn write_files(&mut self, end: i64) {
        let Some(dir) = self.records.dir.clone() else { return };
        self.settle_all(end);
        for platform in Platform::ALL {
            let Some(waiting) = self.records.waiting.get_mut(&platform) else { continue };
            let (mut due, later): (Vec<Brief>, Vec<Brief>) = std::mem::take(waiting).into_iter().partition(|b| b.stop < end);
            *waiting = later;
            due.sort_by_key(|b| (b.stop, b.id));
            if due.is_empty() {
                continue;
            }
            let name = file_name(platform, end - 3600, end, self.now);
            let part = dir.join(format!("{name}.part"));
            let bytes = file(due.iter().map(|b| self.full(b)));
            if let Err(e) = fs::write(&part, bytes).and_then(|()| fs::rename(&part, dir.join(&name))) {
                eprintln!("kachi simulate: {}: {e}: its records go into the next hour's file", dir.join(&name).display());
                self.records.waiting.entry(platform).or_default().append(&mut due);
            }
        }
    }
}

fn file_name(platform: Platform, from: i64, to: i64, made: i64) -> String {
    let digits = |at| calendar::utc(at, "%Y%m%d%H%M%S");
    format!("cdr_{}_{}_{}_{}.csv", platform.name(), digits(from), digits(to), digits(made))
}

fn file(records: impl Iterator<Item = Record>) -> Vec<u8> {
    let mut out = String::from("id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc\n");
    let time = |at| calendar::utc(at, "%Y-%m-%d %H:%M:%S");
    for r in records {
        let (start, stop) = (time(r.start), time(r.stop));
        let _ = writeln!(out, "{},{start},{stop},{},{},{},{},{}", r.id, r.iccid, r.imsi, r.bytes, r.imei, r.mccmnc);
    }
    out.into_bytes()
}
