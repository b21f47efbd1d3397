//! `kachi admin renewal`: renewals that wait for the operator, approving and rejecting them.

use super::{code, instant};
use crate::args::{Renewal, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::time::day_text;
use kachi_domain::{Money, OrderId};
use kachi_engine::records::OrderName;
use kachi_engine::renewals::{self, Line};
use kachi_engine::{Engine, Result};
use kachi_store::orders::Order;
use serde_json::{Value, json};

const LINE: [&str; 15] = [
    "order",
    "number",
    "account",
    "iccid",
    "package",
    "months",
    "starts",
    "amount",
    "currency",
    "review",
    "state",
    "ordered_at",
    "decided_by",
    "remark",
    "reason",
];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Renewal) -> std::result::Result<(), Exit> {
    match verb {
        Renewal::List { all, limit, shape } => list(engine, !all, limit, shape),
        Renewal::Approve { order, by, shape } => {
            let name = name(&order);
            let done = engine.write(move |tx, catalogue, how| renewals::approve(tx, catalogue, how, &name, &by));
            decided(done, shape)
        }
        Renewal::Reject { order, reason, by, shape } => {
            let name = name(&order);
            let done = engine.write(move |tx, catalogue, how| renewals::reject(tx, catalogue, how, &name, (&by, &reason)));
            decided(done, shape)
        }
    }
}

/// An order by its number: digits alone are the short one.
pub fn name(order: &str) -> OrderName {
    order.parse().map_or_else(|_| OrderName::Number(order.to_owned()), |id| OrderName::Id(OrderId(id)))
}

fn decided(order: Result<Order>, shape: Shape) -> std::result::Result<(), Exit> {
    let order = order?;
    if shape.json {
        return print::json(&json!({"order": order.id.0, "number": order.number, "state": order.state.word()}));
    }
    print::line(format_args!("order {} ({}): {}", order.id, order.number, order.state.word()))
}

fn list(engine: &Engine, in_review_only: bool, limit: i64, shape: Shape) -> std::result::Result<(), Exit> {
    let found = engine.read(|tx, _| renewals::list(tx, in_review_only, limit))?;
    let catalogue = engine.catalogue()?;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for Line { renewal, order, iccid } in found {
        rows.push(vec![
            json!(order.id.0),
            json!(order.number),
            json!(code(engine, order.account)?),
            json!(iccid),
            json!(catalogue.package(order.package).map(|p| &p.code)),
            json!(renewal.months),
            json!(renewal.start_day.map(day_text)),
            json!(Money { minor: order.paid_minor, currency: order.currency }.to_decimal()),
            json!(order.currency.as_str()),
            json!(renewal.review.word()),
            json!(order.state.word()),
            json!(instant(order.created_at)),
            json!(renewal.decided_by),
            json!(renewal.remark),
            json!(renewal.reason),
        ]);
    }
    print::table(&LINE, &rows, shape.json)
}
