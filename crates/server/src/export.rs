//! `kachi export`: cards, usage, money and findings for other programs, as CSV (RFC 4180). What is written is what is there while it is
//! read, some cards at a time; a card that comes meanwhile may be in it or not.

use crate::admin::{self, reconcile};
use crate::args::{Export, ExportDays, ExportReconcile, ExportSims, ExportUsage};
use crate::exit::Exit;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::sim::Blocks;
use kachi_domain::time::day_text;
use kachi_domain::{AccountId, Timestamp, Zone};
use kachi_engine::Engine;
use kachi_store::sims::Sim;
use serde_json::Value;
use std::sync::Arc;

mod journal;
mod orders;
mod sheet;

use sheet::Sheet;

/// Cards read at once.
const CARDS_AT_ONCE: i64 = 1_000;
/// Findings written out at most.
const FINDINGS_MAX: i64 = 10_000_000;

const SIMS: [&str; 15] = [
    "iccid",
    "imsi",
    "msisdn",
    "eid",
    "imei",
    "account",
    "product",
    "state",
    "blocks",
    "network",
    "activated_at",
    "real_name",
    "alias",
    "group",
    "remark",
];
const USAGE: [&str; 8] = ["iccid", "account", "day", "bytes", "records", "as_of", "source", "zone"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Export) -> Result<(), Exit> {
    match verb {
        Export::Sims(args) => sims(engine, &args),
        Export::Usage(args) => usage(engine, &args),
        Export::Orders(args) => orders::run(engine, &args),
        Export::Journal(args) => journal::run(engine, &args),
        Export::Reconcile(args) => findings(engine, &args),
    }
}

/// The account of that code and all below it; everything if none is named.
fn seen(engine: &Engine, account: Option<&String>) -> Result<Arc<Vec<AccountId>>, Exit> {
    let id = account.map_or(Ok(OPERATOR), |code| admin::account(engine, code))?;
    let found = engine.catalogue()?.account(id).map(|a| a.sees.clone());
    found.ok_or_else(|| Exit::cannot("the operator has no account"))
}

fn sims(engine: &Engine, args: &ExportSims) -> Result<(), Exit> {
    let accounts = seen(engine, args.account.as_ref())?;
    let mut sheet = Sheet::open(&args.target, &SIMS)?;
    let mut before = None;
    loop {
        let page = engine.read(|tx, _| Ok(tx.sims_before(&accounts, before, CARDS_AT_ONCE)?))?;
        let Some(last) = page.last() else { return sheet.close() };
        before = Some(last.id.0);
        for sim in &page {
            sheet.row(&sim_row(engine, sim)?)?;
        }
    }
}

fn sim_row(engine: &Engine, s: &Sim) -> Result<Vec<String>, Exit> {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let product = engine.catalogue_last().product(s.product).map(|p| p.code.clone()).unwrap_or_default();
    Ok(vec![
        s.iccid.clone(),
        text(&s.imsi),
        text(&s.msisdn),
        text(&s.eid),
        text(&s.imei),
        admin::code(engine, s.account)?,
        product,
        s.state.clone(),
        Blocks(s.blocks).names().join(" "),
        s.network.clone(),
        s.activated_at.map(admin::instant).unwrap_or_default(),
        s.real_name.to_string(),
        plain(&s.alias),
        plain(&s.group),
        plain(&s.remark),
    ])
}

/// A person's text as a spreadsheet shows it and does not run it: what would begin a formula has a `'` before it.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// Whose, and from the first instant of the first day to the last day's end.
struct Days {
    accounts: Arc<Vec<AccountId>>,
    zone: Zone,
    from: Timestamp,
    to: Timestamp,
}

impl Days {
    /// The days are those of the account named, or else the operator's: one zone for all that is written.
    fn of(engine: &Engine, args: &ExportDays) -> Result<Days, Exit> {
        check_days(args.between.from, args.between.to)?;
        let whose = args.account.as_ref().map_or(Ok(OPERATOR), |code| admin::account(engine, code))?;
        let zone = engine.catalogue()?.zone(whose).clone();
        let (from, to) = (zone.start_of_day(args.between.from), zone.start_of_day(args.between.to + 1));
        Ok(Days { accounts: seen(engine, args.account.as_ref())?, zone, from, to })
    }
}

/// The first day is not after the last one.
fn check_days(from: i64, to: i64) -> Result<(), Exit> {
    if from > to {
        return Err(Exit::usage("--from is after --to: give the first day and the last one"));
    }
    Ok(())
}

fn usage(engine: &Engine, args: &ExportUsage) -> Result<(), Exit> {
    check_days(args.between.from, args.between.to)?;
    let accounts = seen(engine, args.account.as_ref())?;
    let mut sheet = Sheet::open(&args.target, &USAGE)?;
    let mut after = 0;
    loop {
        let (rows, last) = engine.read(|tx, _| {
            let rows = tx.use_by_card(&accounts, (args.between.from, args.between.to), after, CARDS_AT_ONCE)?;
            Ok((rows, tx.next_cards(after, CARDS_AT_ONCE)?))
        })?;
        let catalogue = engine.catalogue()?;
        for (_, iccid, account, day, bytes, records, as_of) in rows {
            let zone = catalogue.account(AccountId(account)).map_or_else(String::new, |a| a.account.time_zone.clone());
            let (account, as_of) = (admin::code(engine, AccountId(account))?, admin::instant(as_of));
            let (day, bytes, records) = (day_text(day), bytes.to_string(), records.to_string());
            sheet.row(&[iccid, account, day, bytes, records, as_of, "records".to_owned(), zone])?;
        }
        match last {
            Some(last) => after = last,
            None => return sheet.close(),
        }
    }
}

fn findings(engine: &Engine, args: &ExportReconcile) -> Result<(), Exit> {
    let rows = reconcile::rows(engine, args.platform.clone(), args.all, FINDINGS_MAX)?;
    let mut sheet = Sheet::open(&args.target, &reconcile::COLUMNS)?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        sheet.row(&cells)?;
    }
    sheet.close()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
