//! Holding the records of each card against what its carrier counted, billing month by billing month.
//!
//! Who acts: a worker, and the operator by command. Promised: for each card that was ours all along, of the months of which records
//! may still come (`usage.late_days`), the sum of its rated records up to the instant of the carrier's newest count is compared with
//! that count: the month's, or, where the carrier tells days and each of them is known, the days' sum if it is newer. Where the two
//! are further apart than the tolerance, a finding with both numbers and both instants is kept; it is settled when they agree again, as when
//! late records came. A count is held against the records only after `reconcile.after_seconds`, so that records have
//! time to come. Nothing is changed by it: records rate. One worker at a time looks at a platform, under a lease, some cards a
//! transaction; killed anywhere, the next goes on at the same cards.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result};
use crate::told;
use kachi_domain::carrier::{Cycle, Month};
use kachi_domain::reconcile::{Tolerance, difference};
use kachi_domain::time::{DAY_SECONDS, DEFAULT_ZONE};
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::reconcile::Finding;
use std::collections::{BTreeMap, HashMap};

/// Cards compared in one transaction.
const CARDS_AT_ONCE: i64 = 500;

/// How the two are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How far the two may be apart.
    pub tolerance: Tolerance,
    /// `reconcile.after_seconds`: how old a count is before it is held against the records.
    pub after_seconds: i64,
    /// `reconcile.every_seconds`: how long after all cards were looked at they are looked at again.
    pub every_seconds: i64,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { tolerance: Tolerance::default(), after_seconds: 21_600, every_seconds: 21_600 }
    }
}

/// What came of some cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Months of cards that were compared.
    pub compared: usize,
    /// Of them over the tolerance.
    pub apart: usize,
    /// Findings that were settled: the two agree again.
    pub settled: usize,
}

/// Compares some cards of each platform that is due; the answer is how many months of cards were compared. `token` must be new
/// each time.
pub fn step(engine: &Engine, token: i64) -> Result<usize> {
    let mut compared = 0;
    for platform in platforms(engine)? {
        let due = engine.store().look(|tx| tx.sync_place(platform).map_err(Fail::from))?.compare_due;
        if due <= engine.now() {
            compared += page(engine, platform, token)?.map_or(0, |(report, _)| report.compared);
        }
    }
    Ok(compared)
}

/// Compares every card of a platform, or of all, now.
pub fn run(engine: &Engine, of: Option<PlatformId>, token: i64) -> Result<Report> {
    let mut whole = Report::default();
    for platform in platforms(engine)?.into_iter().filter(|p| of.is_none_or(|of| *p == of)) {
        engine.write(move |tx, _, _| Ok(tx.put_compared(platform, 0, Timestamp(0))?))?;
        while let Some((report, more)) = page(engine, platform, token)? {
            whole.compared += report.compared;
            whole.apart += report.apart;
            whole.settled += report.settled;
            if !more {
                break;
            }
        }
    }
    Ok(whole)
}

fn platforms(engine: &Engine) -> Result<Vec<PlatformId>> {
    let mut all: Vec<PlatformId> = engine.catalogue()?.platforms().map(|p| p.id).collect();
    all.sort_unstable();
    Ok(all)
}

/// The next cards of a platform, and whether there are more; none while another looks at it.
fn page(engine: &Engine, platform: PlatformId, token: i64) -> Result<Option<(Report, bool)>> {
    let (terms, lease) = (engine.settings().reconcile, engine.settings().lease_seconds);
    engine.write(move |tx, catalogue, how| {
        let name = format!("reconcile {platform}");
        if !tx.take_lease(&name, token, how.now.plus(lease), how.now)? {
            return Ok(None);
        }
        let after = tx.sync_place(platform)?.compared_sim;
        let cards = tx.cards_of_platform(platform, after, CARDS_AT_ONCE)?;
        let mut report = Report::default();
        for month in months(told::cycle(catalogue, platform), how.now, how.late_days) {
            let one = compare(tx, catalogue, (platform, month), &cards, (how.now, terms))?;
            report.compared += one.compared;
            report.apart += one.apart;
            report.settled += one.settled;
        }
        let more = cards.len() as i64 == CARDS_AT_ONCE;
        match cards.last().filter(|_| more) {
            Some(last) => tx.put_compared(platform, last.0, Timestamp(0))?,
            None => tx.put_compared(platform, 0, how.now.plus(terms.every_seconds))?,
        }
        tx.give_lease(&name, token)?;
        Ok(Some((report, more)))
    })
}

/// A billing month: its first instant, and the first after it.
type Span = (Timestamp, Timestamp);

/// The months of which a record may still come, the present one too.
fn months(cycle: Cycle, now: Timestamp, late_days: i64) -> Vec<Span> {
    let month_of = |at: Timestamp| cycle.month(china().day(at));
    let (mut month, last): (Month, Month) = (month_of(now.plus(-late_days * DAY_SECONDS)), month_of(now));
    let mut all = Vec::new();
    while month <= last {
        all.push((cycle.start(month), cycle.start(month.after())));
        month = month.after();
    }
    all
}

/// What a carrier counted: bytes, and up to when.
type Counted = (i64, Timestamp);

fn compare(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (platform, month): (PlatformId, Span),
    cards: &[(i64, i64, i64)],
    (now, terms): (Timestamp, Terms),
) -> Result<Report> {
    // What a card used before it was ours is in none of our records.
    let ours: BTreeMap<i64, AccountId> =
        cards.iter().filter(|(.., since)| *since <= month.0.0).map(|(sim, account, _)| (*sim, AccountId(*account))).collect();
    let sims: Vec<i64> = ours.keys().copied().collect();
    let counted = counted(tx, &sims, month, now.plus(-terms.after_seconds))?;
    let records = records(tx, catalogue, month.0, &counted)?;
    let open = tx.open_findings(&sims)?;
    let (mut report, mut apart) = (Report { compared: counted.len(), ..Report::default() }, Vec::new());
    for (sim, (carrier_bytes, as_of)) in counted {
        let (record_bytes, record_as_of) = records.get(&sim).copied().unwrap_or((0, None));
        let finding = Finding {
            sim: SimId(sim),
            cycle_from: month.0,
            account: ours[&sim],
            platform,
            record_bytes,
            record_as_of,
            carrier_bytes,
            carrier_as_of: as_of.0,
        };
        if difference(record_bytes, carrier_bytes, terms.tolerance).is_some() {
            apart.push(finding);
        } else if open.contains(&(sim, month.0.0)) {
            report.settled += usize::from(tx.resolve_finding(&finding, now)?);
        }
    }
    report.apart = apart.len();
    tx.put_findings(&apart, now)?;
    Ok(report)
}

/// The newest count of each card's month, as of `until` or before.
fn counted(tx: &mut Tx<'_>, sims: &[i64], (from, to): Span, until: Timestamp) -> Result<BTreeMap<i64, Counted>> {
    let mut counted: BTreeMap<i64, Counted> =
        tx.month_counts(sims, from, until)?.into_iter().map(|(sim, bytes, as_of)| (sim, (bytes, Timestamp(as_of)))).collect();
    let first = china().day(from);
    for sum in tx.day_counts(sims, (from, to), until, DAY_SECONDS)? {
        let up_to = Timestamp(sum.last_from).plus(DAY_SECONDS);
        let whole = china().day(Timestamp(sum.last_from)) - first + 1 == sum.days;
        if whole && counted.get(&sum.sim).is_none_or(|(_, as_of)| *as_of < up_to) {
            counted.insert(sum.sim, (sum.bytes, up_to));
        }
    }
    Ok(counted)
}

/// What the records of each card add up to from an instant until that of its count, and when the last of them ended. Where the count is of
/// whole days of the zone that the card's owners live in, their days are enough.
fn records(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    from: Timestamp,
    counted: &BTreeMap<i64, Counted>,
) -> Result<HashMap<i64, (i64, Option<i64>)>> {
    let mut by_until: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for (sim, (_, as_of)) in counted {
        by_until.entry(*as_of).or_default().push(*sim);
    }
    let mut sums: HashMap<i64, (i64, Option<i64>)> = HashMap::new();
    for (until, sims) in by_until {
        let mut one_by_one = sims.clone();
        if china().start_of_day(china().day(until)) == until {
            let days = tx.use_by_account(&sims, china().day(from), china().day(until) - 1)?;
            let elsewhere: Vec<i64> = days.iter().filter(|d| !lives_in_china(catalogue, AccountId(d.1))).map(|d| d.0).collect();
            for (sim, _, bytes, as_of) in days.into_iter().filter(|d| !elsewhere.contains(&d.0)) {
                add(&mut sums, sim, bytes, as_of);
            }
            one_by_one = elsewhere;
            one_by_one.dedup();
        }
        let utc_day = |at: Timestamp| at.0.div_euclid(DAY_SECONDS);
        for (sim, stop, _, _, bytes) in tx.readings_of_sims(&one_by_one, utc_day(from), utc_day(until))? {
            if (from.0..until.0).contains(&stop) {
                add(&mut sums, sim, bytes, stop);
            }
        }
    }
    Ok(sums)
}

fn add(sums: &mut HashMap<i64, (i64, Option<i64>)>, sim: i64, bytes: i64, as_of: i64) {
    let sum = sums.entry(sim).or_default();
    *sum = (sum.0.saturating_add(bytes), sum.1.max(Some(as_of)));
}

fn lives_in_china(catalogue: &Catalogue, account: AccountId) -> bool {
    catalogue.account(account).is_none_or(|a| a.account.time_zone == DEFAULT_ZONE)
}

/// The zone in which carriers count days.
fn china() -> Zone {
    Zone::find(DEFAULT_ZONE).expect("it is compiled in")
}
