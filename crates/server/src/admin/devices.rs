//! `kachi admin device` and `kachi admin claim`: devices that report, and their claims to cards.

use super::sim::operator;
use super::{account, code, instant};
use crate::args::{Claim, Device, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::device::ClaimState;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::Engine;
use kachi_engine::devices::claims::{self, Adding, Line};
use kachi_store::devices::Device as Row;
use serde_json::{Map, Value, json};

/// Reports shown with a device.
const REPORTS: i64 = 20;

const DEVICE: [&str; 18] = [
    "serial",
    "account",
    "iccid",
    "claim",
    "named_iccid",
    "imei",
    "rssi",
    "status",
    "firmware",
    "longitude",
    "latitude",
    "product",
    "platform",
    "user",
    "reports",
    "first_reported_at",
    "reported_at",
    "summary",
];
const REPORT: [&str; 9] = ["received_at", "iccid", "imei", "platform", "rssi", "status", "firmware", "longitude", "latitude"];

/// Runs the verb.
pub fn devices(engine: &Engine, verb: Device) -> Result<(), Exit> {
    match verb {
        Device::List { account: of, limit, shape } => {
            let owner = of.map_or(Ok(OPERATOR), |code| account(engine, &code))?;
            let sees = engine.catalogue()?.actor(owner).map(|a| a.sees).unwrap_or_default();
            let found = engine.read(|tx, _| Ok(tx.devices_newest(&sees, limit)?))?;
            let rows = found.iter().map(|d| row(engine, d)).collect::<Result<Vec<_>, _>>()?;
            let shown = if shape.json { DEVICE.len() } else { 9 };
            let rows: Vec<Vec<Value>> = rows.into_iter().map(|r| r[..shown].to_vec()).collect();
            print::table(&DEVICE[..shown], &rows, shape.json)
        }
        Device::Show { serial, shape } => show(engine, &serial, shape),
        Device::Aside { limit, shape } => aside(engine, limit, shape),
    }
}

fn row(engine: &Engine, d: &Row) -> Result<Vec<Value>, Exit> {
    let iccid = match d.sim {
        None => None,
        Some(sim) => engine.read(|tx, _| Ok(tx.sim_by_id(sim)?))?.map(|s| s.iccid),
    };
    Ok(vec![
        json!(d.serial),
        json!(code(engine, d.account)?),
        json!(iccid),
        json!(d.claim.map(ClaimState::word)),
        json!(d.iccid),
        json!(d.imei),
        json!(d.rssi),
        json!(d.status),
        json!(d.firmware),
        json!(d.longitude),
        json!(d.latitude),
        json!(d.product),
        json!(d.platform),
        json!(d.user),
        json!(d.reports),
        json!(instant(d.created_at)),
        json!(instant(d.reported_at)),
        serde_json::from_str(&d.summary).unwrap_or(Value::Null),
    ])
}

fn named(names: &[&str], row: &[Value]) -> Value {
    names.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<Map<_, _>>().into()
}

fn show(engine: &Engine, serial: &str, shape: Shape) -> Result<(), Exit> {
    let sees = operator(engine)?.sees;
    let found = engine.read(|tx, _| Ok(tx.device_by_serial(&sees, serial)?))?;
    let Some(device) = found else {
        return Err(Exit::refused(format!("SERIAL: there is no device {serial}; `kachi admin device list` lists them")));
    };
    let facts = row(engine, &device)?;
    let reports = engine.read(|tx, _| Ok(tx.device_reports(device.id, REPORTS)?))?;
    let reports: Vec<Vec<Value>> = reports
        .into_iter()
        .map(|r| {
            let (at, iccid, imei, platform, rssi, status, firmware, longitude, latitude) = r;
            vec![
                json!(instant(at)),
                json!(iccid),
                json!(imei),
                json!(platform),
                json!(rssi),
                json!(status),
                json!(firmware),
                json!(longitude),
                json!(latitude),
            ]
        })
        .collect();
    if shape.json {
        let reports: Vec<Value> = reports.iter().map(|r| named(&REPORT, r)).collect();
        return print::json(&json!({"device": named(&DEVICE, &facts), "reports": reports}));
    }
    let of_facts: Vec<Vec<Value>> = DEVICE.iter().zip(facts).skip(1).map(|(n, v)| vec![json!(n), v]).collect();
    print::table(&["device", serial], &of_facts, false)?;
    print::line("")?;
    print::table(&REPORT, &reports, false)
}

fn aside(engine: &Engine, limit: i64, shape: Shape) -> Result<(), Exit> {
    let (found, all) = engine.read(|tx, _| Ok(tx.device_asides(limit)?))?;
    let columns = ["id", "topic", "reason", "received_at", "payload"];
    let rows: Vec<Vec<Value>> = found
        .into_iter()
        .map(|(id, topic, payload, reason, at)| vec![json!(id), json!(topic), json!(reason), json!(instant(at)), json!(payload)])
        .collect();
    if shape.json {
        let kept: Vec<Value> = rows.iter().map(|r| named(&columns, r)).collect();
        return print::json(&json!({"payloads": all, "kept": kept}));
    }
    print::table(&columns, &rows, false)?;
    print::line(format_args!("{all} payloads could not be read since the beginning"))
}

/// Runs the verb.
pub fn claims(engine: &Engine, verb: Claim) -> Result<(), Exit> {
    match verb {
        Claim::List { all, limit, shape } => list(engine, !all, limit, shape),
        Claim::Settle { id, accept: true, by, product, account, shape, .. } => accept(engine, (id, by), product, account, shape),
        Claim::Settle { id, by, reason, shape, .. } => {
            let (who, reason) = (by.clone(), reason.unwrap_or_default());
            engine.write(move |tx, _, how| claims::refuse(tx, how, (id, &who), &reason))?;
            settled(id, "refused", &by, shape)
        }
    }
}

fn list(engine: &Engine, waiting_only: bool, limit: i64, shape: Shape) -> Result<(), Exit> {
    let actor = operator(engine)?;
    let found = engine.read(|tx, _| claims::list(tx, &actor, waiting_only, limit))?;
    let columns = [
        "id",
        "device",
        "account",
        "iccid",
        "imei",
        "platform",
        "state",
        "doubt",
        "words",
        "tries",
        "asked_next_at",
        "settled_by",
        "created_at",
    ];
    let mut rows = Vec::new();
    for Line { claim, device } in found {
        rows.push(vec![
            json!(claim.id),
            json!(device.serial),
            json!(code(engine, claim.account)?),
            json!(claim.iccid),
            json!(Some(claim.imei).filter(|i| *i != 0).map(kachi_domain::imei::text)),
            json!(claim.platform),
            json!(claim.state.word()),
            json!(Some(claim.doubt).filter(|d| !d.is_empty())),
            json!(Some(claim.words).filter(|w| !w.is_empty())),
            json!(claim.tries),
            json!(claim.due_at.map(instant)),
            json!(Some(claim.settled_by).filter(|w| !w.is_empty())),
            json!(instant(claim.created_at)),
        ]);
    }
    print::table(&columns, &rows, shape.json)
}

fn accept(
    engine: &Engine,
    (id, by): (i64, String),
    product: Option<String>,
    owner: Option<String>,
    shape: Shape,
) -> Result<(), Exit> {
    let catalogue = engine.catalogue()?;
    let adding = match product {
        None => None,
        Some(wanted) => {
            let missing = || Exit::refused(format!("--product: there is no product {wanted}: `kachi apply` makes products"));
            let product = catalogue.product_by_code(&wanted).ok_or_else(missing)?.id;
            Some(Adding { product, account: owner.map_or(Ok(OPERATOR), |code| account(engine, &code))? })
        }
    };
    let who = by.clone();
    engine.write(move |tx, catalogue, how| claims::accept(tx, catalogue, how, (id, &who), adding))?;
    settled(id, "bound", &by, shape)
}

fn settled(id: i64, state: &str, by: &str, shape: Shape) -> Result<(), Exit> {
    if shape.json {
        return print::json(&json!({"claim": id, "state": state, "by": by}));
    }
    print::line(format_args!("claim {id}: {state}"))
}
