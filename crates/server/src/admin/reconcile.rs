//! `kachi admin reconcile`: where records and carriers' counts are apart.

use super::{code, instant, sync};
use crate::args::Reconcile;
use crate::exit::Exit;
use crate::print;
use kachi_engine::Engine;
use kachi_store::reconcile::Listed;
use serde_json::{Value, json};

/// What is told of a finding.
pub const COLUMNS: [&str; 12] = [
    "iccid",
    "account",
    "platform",
    "month_from",
    "record_bytes",
    "record_as_of",
    "carrier_bytes",
    "carrier_as_of",
    "difference",
    "first_seen",
    "last_seen",
    "resolved_at",
];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Reconcile) -> Result<(), Exit> {
    match verb {
        Reconcile::List { platform, all, limit, shape } => {
            print::table(&COLUMNS, &rows(engine, platform, all, limit)?, shape.json)
        }
        Reconcile::Run { platform, shape } => {
            let report = sync::compare(engine, platform)?;
            if shape.json {
                return print::json(&json!({"compared": report.compared, "apart": report.apart, "settled": report.settled}));
            }
            print::line(format_args!(
                "{} months of cards compared: {} apart, {} settled",
                report.compared, report.apart, report.settled
            ))
        }
    }
}

/// The findings, a row each.
pub fn rows(engine: &Engine, platform: Option<String>, all: bool, limit: i64) -> Result<Vec<Vec<Value>>, Exit> {
    let only = platform.map(|code| sync::number(engine, &code)).transpose()?;
    let found = engine.read(|tx, _| Ok(tx.findings(only, !all, limit)?))?;
    found.iter().map(|f| row(engine, f)).collect()
}

fn row(engine: &Engine, listed: &Listed) -> Result<Vec<Value>, Exit> {
    let f = &listed.finding;
    let catalogue = engine.catalogue()?;
    Ok(vec![
        json!(listed.iccid),
        json!(code(engine, f.account)?),
        json!(catalogue.platform(f.platform).map(|p| &p.code)),
        json!(instant(f.cycle_from.0)),
        json!(f.record_bytes),
        json!(f.record_as_of.map(instant)),
        json!(f.carrier_bytes),
        json!(instant(f.carrier_as_of)),
        json!(f.record_bytes - f.carrier_bytes),
        json!(instant(listed.first_seen)),
        json!(instant(listed.last_seen)),
        json!(listed.resolved_at.map(instant)),
    ])
}
