//! `kachi admin order`: orders as they stand, and taking one back.

use super::sim::{SUBSCRIPTION, operator, parse, subscription, unknown};
use super::{account, code, instant, renewal};
use crate::args::{Order as Verb, Shape, WhichOrder};
use crate::exit::Exit;
use crate::print;
use kachi_domain::event::Origin;
use kachi_domain::ledger::Share;
use kachi_domain::order::OrderState;
use kachi_domain::package::Fulfil;
use kachi_domain::rating::EndReason;
use kachi_domain::{Money, Refusal, SimId};
use kachi_engine::overview::{self, About, OrderPage};
use kachi_engine::records::OrderName;
use kachi_engine::{Engine, Fail, refunds};
use kachi_store::orders::{Order, OrderFilter};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

const LINE: [&str; 13] = [
    "order",
    "number",
    "out_trade_no",
    "account",
    "iccid",
    "pool",
    "package",
    "state",
    "price",
    "refunded",
    "currency",
    "channel",
    "placed_at",
];
const POSTING: [&str; 6] = ["journal", "at", "act", "account", "bucket", "amount"];
const WRITE: [&str; 6] = ["id", "state", "attempts", "stored", "request", "answer"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Verb) -> Result<(), Exit> {
    match verb {
        Verb::List { account: of, iccid, state, limit, before, shape } => {
            list(engine, &Wanted { of, iccid, state, before }, limit, shape)
        }
        Verb::Show { which, shape } => show(engine, &which, shape),
        Verb::Refund { which, dry_run: true, shape, .. } => quote(engine, &which, shape),
        Verb::Refund { which, reason, by, shape, .. } => {
            refund(engine, &which, (by.unwrap_or_default(), reason.unwrap_or_default()), shape)
        }
    }
}

/// Which orders are listed.
struct Wanted {
    of: Option<String>,
    iccid: Option<String>,
    state: Option<OrderState>,
    before: Option<i64>,
}

fn list(engine: &Engine, wanted: &Wanted, limit: i64, shape: Shape) -> Result<(), Exit> {
    let catalogue = engine.catalogue()?;
    let of = wanted.of.as_ref().map(|of| account(engine, of)).transpose()?;
    let accounts = of.and_then(|id| catalogue.account(id)).map(|a| a.sees.as_slice());
    let sim = wanted.iccid.as_ref().map(|iccid| card(engine, iccid)).transpose()?;
    let filter = OrderFilter { accounts, sim, state: wanted.state, before: wanted.before };
    let (mut found, cards, pools) = engine.read(|tx, _| {
        // One more tells whether there are older ones.
        let found = tx.orders_found(filter, limit + 1)?;
        let (sims, ids): (Vec<_>, Vec<_>) = found.iter().map(|o| (o.sim, o.id)).unzip();
        Ok((found, tx.iccids_of(&sims)?, tx.pools_of_orders(&ids)?))
    })?;
    let older = found.len() as i64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(0));
    let cards: HashMap<i64, String> = cards.into_iter().collect();
    let pools: HashMap<i64, String> =
        pools.into_iter().map(|(order, pool, code, _)| (order, code.unwrap_or_else(|| pool.to_string()))).collect();
    let row = |o: &Order| line(engine, o, cards.get(&o.sim.0), pools.get(&o.id.0));
    let rows: Vec<Vec<Value>> = found.iter().map(row).collect::<Result<_, _>>()?;
    print::table(&LINE, &rows, shape.json)?;
    match found.last() {
        Some(last) if older && !shape.json => print::line(format_args!("there are older ones: --before {}", last.id)),
        _ => Ok(()),
    }
}

fn card(engine: &Engine, iccid: &str) -> Result<SimId, Exit> {
    let (iccid, operator) = (parse(iccid)?, operator(engine)?);
    let found = engine.read(|tx, _| Ok(tx.sim_by_iccid(&operator.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?.id));
    found.map_err(|e| unknown(e, &iccid))
}

fn line(engine: &Engine, o: &Order, iccid: Option<&String>, pool: Option<&String>) -> Result<Vec<Value>, Exit> {
    let money = |minor| json!(Money { minor, currency: o.currency }.to_decimal());
    Ok(vec![
        json!(o.id.0),
        json!(o.number),
        json!(o.out_trade_no),
        json!(code(engine, o.account)?),
        json!(iccid),
        json!(pool),
        json!(engine.catalogue()?.package(o.package).map(|p| &p.code)),
        json!(o.state.word()),
        money(o.paid_minor),
        money(o.refunded_minor),
        json!(o.currency.as_str()),
        json!(o.channel),
        json!(instant(o.created_at)),
    ])
}

/// The order that is meant; whether there is one is found out by who looks for it, unless the buyer's own number names it.
fn named(engine: &Engine, which: &WhichOrder) -> Result<OrderName, Exit> {
    if let (Some(of), Some(own)) = (&which.account, &which.out_trade_no) {
        let buyer = account(engine, of)?;
        let found = engine.read(|tx, _| Ok(tx.order_by_out_trade_no(buyer, own)?))?;
        let none = || Exit::refused(format!("--out-trade-no: {of} has no order {own}; `kachi admin order list --account {of}`"));
        return Ok(OrderName::Id(found.ok_or_else(none)?.id));
    }
    Ok(renewal::name(which.number.as_deref().unwrap_or_default()))
}

fn missing(fail: Fail, which: &WhichOrder) -> Exit {
    match (fail, &which.number) {
        (Fail::Refused(Refusal::UnknownOrder), Some(number)) => {
            Exit::refused(Refusal::see("NUMBER", format_args!("there is no order {number}"), "admin order list"))
        }
        (fail, _) => fail.into(),
    }
}

/// Why an order is not taken back: as [`missing`], or how it stands and what can be done.
fn kept(engine: &Engine, fail: Fail, which: &WhichOrder) -> Exit {
    if !matches!(fail, Fail::Refused(Refusal::NotRefundable)) {
        return missing(fail, which);
    }
    let found =
        operator(engine).and_then(|actor| overview::order(engine, &actor, &named(engine, which)?).map_err(|e| missing(e, which)));
    let OrderPage { order, subscription, .. } = match found {
        Ok(page) => page,
        Err(exit) => return exit,
    };
    let id = order.id;
    let why = match order.state {
        OrderState::InReview => format!("`kachi admin renewal reject {id}` gives its money back"),
        OrderState::Pending => {
            "its carrier has the word, and if that is no its money goes back: see `kachi admin intent list`".to_owned()
        }
        OrderState::Failed | OrderState::Refunded => format!("its money went back already: see `kachi admin order show {id}`"),
        OrderState::Done => {
            let past = match &subscription.end_reason {
                Some(reason) => format!("is over ({reason})"),
                None => "has nothing left".to_owned(),
            };
            if order.origin.is_some() || subscription.end_reason.as_deref() == Some(EndReason::Moved.word()) {
                format!("what it bought moved from one card to another, where it goes on: see `kachi admin order show {id}`")
            } else {
                format!("what it bought {past}; `kachi admin balance correct` books what is given back all the same")
            }
        }
    };
    let argument = if which.number.is_some() { "NUMBER" } else { "--out-trade-no" };
    Exit::refused(format_args!("{argument}: order {id} cannot be refunded, it is {}: {why}", order.state.word()))
}

fn show(engine: &Engine, which: &WhichOrder, shape: Shape) -> Result<(), Exit> {
    let page = overview::order(engine, &operator(engine)?, &named(engine, which)?).map_err(|e| missing(e, which))?;
    let facts = facts(engine, &page)?;
    let bought = subscription(&page.subscription);
    let postings: Vec<Vec<Value>> = page.postings.iter().map(|p| posting(engine, &page, p)).collect::<Result<_, _>>()?;
    let writes: Vec<Vec<Value>> = page.writes.iter().map(write).collect();
    if shape.json {
        let mut whole: Map<String, Value> = facts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        whole.insert("subscription".into(), object(&SUBSCRIPTION, &bought));
        whole.insert("postings".into(), postings.iter().map(|p| object(&POSTING, p)).collect());
        whole.insert("writes".into(), writes.iter().map(|w| object(&WRITE, w)).collect());
        return print::json(&whole);
    }
    let told = |value: &Value| if value.is_array() || value.is_object() { json!(value.to_string()) } else { value.clone() };
    let rows: Vec<Vec<Value>> = facts[1..].iter().map(|(k, v)| vec![json!(k), told(v)]).collect();
    print::table(&["order", &page.order.id.to_string()], &rows, false)?;
    print::line("")?;
    print::table(&SUBSCRIPTION, &[bought], false)?;
    print::line("")?;
    print::table(&POSTING, &postings, false)?;
    if writes.is_empty() {
        return Ok(());
    }
    print::line("")?;
    print::table(&WRITE, &writes, false)
}

fn object(columns: &[&str], row: &[Value]) -> Value {
    columns.iter().map(|c| (*c).to_owned()).zip(row.iter().cloned()).collect::<Map<_, _>>().into()
}

/// Everything of its row, in the order shown.
fn facts(engine: &Engine, page: &OrderPage) -> Result<Vec<(&'static str, Value)>, Exit> {
    let o = &page.order;
    let (iccid, pool) = match &page.about {
        About::Card(iccid) | About::Gone(iccid) => (Some(iccid), None),
        About::Pool(name) => (None, Some(name)),
        About::Nothing => (None, None),
    };
    let mut facts: Vec<(&'static str, Value)> = LINE.into_iter().zip(line(engine, o, iccid, pool)?).collect();
    let origin: Option<Origin> = o.origin.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let (remark, basis) = page.refund.clone().unzip();
    let basis: Option<Value> = basis.and_then(|text| serde_json::from_str(&text).ok());
    facts.extend([
        ("changed_at", json!(instant(o.updated_at))),
        ("had_one_before", json!(o.renewal)),
        ("shares", shares(engine, o)?),
        ("custom_data", json!(o.custom_data)),
        ("moved_from", json!(origin.map(|from| from.order))),
        ("refund_remark", json!(remark)),
        ("refund_basis", json!(basis)),
    ]);
    Ok(facts)
}

/// What each level between earns on it.
fn shares(engine: &Engine, o: &Order) -> Result<Value, Exit> {
    let shares: Vec<Share> = serde_json::from_str(&o.shares).map_err(Exit::cannot)?;
    let share = |s: &Share| {
        let amount = Money { minor: s.minor, currency: o.currency }.to_decimal();
        Ok(json!({"account": code(engine, s.account)?, "amount": amount}))
    };
    shares.iter().map(share).collect()
}

fn posting(engine: &Engine, page: &OrderPage, p: &kachi_store::ledger::Posted) -> Result<Vec<Value>, Exit> {
    Ok(vec![
        json!(p.journal),
        json!(instant(p.at.0)),
        json!(p.name),
        json!(code(engine, p.account)?),
        json!(p.bucket),
        json!(Money { minor: p.minor, currency: page.order.currency }.to_decimal()),
    ])
}

fn write(i: &kachi_store::intents::Intent) -> Vec<Value> {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    vec![
        json!(i.id),
        json!(i.state),
        json!(i.attempts),
        json!(instant(i.created_at)),
        parsed(&i.request),
        i.last_answer.as_deref().map_or(Value::Null, parsed),
    ]
}

fn quote(engine: &Engine, which: &WhichOrder, shape: Shape) -> Result<(), Exit> {
    let (name, actor) = (named(engine, which)?, operator(engine)?);
    let quoted = engine.read(|tx, catalogue| refunds::quote_by_hand(tx, catalogue, &actor, &name, engine.now()));
    let (order, back) = quoted.map_err(|e| kept(engine, e, which))?;
    let (told, mut words) = went_back(engine, (&order, back.minor), false)?;
    words += "; nothing was changed";
    print::done(shape.json, &told, words)
}

fn refund(engine: &Engine, which: &WhichOrder, (by, why): (String, String), shape: Shape) -> Result<(), Exit> {
    let (name, actor, said) = (named(engine, which)?, operator(engine)?, (by.clone(), why.clone()));
    let done = engine.write(move |tx, catalogue, how| refunds::by_hand(tx, catalogue, how, &actor, (&name, &said.0, &said.1)));
    let (order, back) = done.map_err(|e| kept(engine, e, which))?;
    let (mut told, mut words) = went_back(engine, (&order, back.minor), true)?;
    words += &format!(", by {by} ({why})");
    let asks = engine.catalogue()?.package(order.package).is_some_and(|p| p.fulfil == Fulfil::Carrier);
    if asks {
        words += "; its carrier is being asked to take it back, `kachi admin intent list` shows its word";
    }
    told.extend([("by".to_owned(), json!(by)), ("reason".to_owned(), json!(why)), ("carrier_asked".to_owned(), json!(asks))]);
    print::done(shape.json, &told, words)
}

fn went_back(engine: &Engine, (o, back): (&Order, i64), done: bool) -> Result<(Map<String, Value>, String), Exit> {
    let money = |minor| Money { minor, currency: o.currency }.to_decimal();
    let (buyer, paid, back, currency) = (code(engine, o.account)?, money(o.paid_minor), money(back), o.currency);
    let word = if done { "went back" } else { "would go back" };
    let words = format!("order {} ({}): {back} of {paid} {currency} {word} to {buyer}", o.id, o.number);
    let told = [
        ("order", json!(o.id.0)),
        ("number", json!(o.number)),
        ("account", json!(buyer)),
        ("price", json!(paid)),
        ("back", json!(back)),
        ("currency", json!(currency.as_str())),
        ("done", json!(done)),
    ];
    Ok((told.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(), words))
}
