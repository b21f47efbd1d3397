//! `kachi admin sim`: a card as it is now; stopping it, letting it on, forcing it off, closing it; giving it to another account, product or IMEI group.

use super::{account, code};
use crate::args::{OnOff, Shape, Sim};
use crate::exit::Exit;
use crate::{print, secrets};
use kachi_domain::carrier::{Function, Write};
use kachi_domain::diagnose::{Lang, listed};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::order::SubscriptionState;
use kachi_domain::package::Resource;
use kachi_domain::{Iccid, Refusal, Timestamp};
use kachi_engine::close::{self, Closed};
use kachi_engine::functions::{self, Set};
use kachi_engine::imei::{self, Joined};
use kachi_engine::overview::{self, CardPage, SubscriptionLine};
use kachi_engine::stock::Key;
use kachi_engine::switch::{self, Force, Forced, Switched};
use kachi_engine::{Actor, Engine, Fail, sims};
use kachi_store::imei::ImeiMember;
use serde_json::{Value, json};
use std::fmt::Display;

/// Where the package state comes from.
const SOURCE: &str = "cdr";
/// What is told of a subscription.
pub const SUBSCRIPTION: [&str; 11] = [
    "order",
    "package",
    "state",
    "pays",
    "used_bytes",
    "left_bytes",
    "used_other",
    "left_other",
    "started_at",
    "ends_at",
    "end_reason",
];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Sim) -> Result<(), Exit> {
    match verb {
        Sim::Show { iccid, shape } => show(engine, &iccid, shape),
        Sim::Stop { iccid, shape } => stop_or_resume(engine, &iccid, Write::Stop, shape),
        Sim::Resume { iccid, shape } => stop_or_resume(engine, &iccid, Write::Resume, shape),
        Sim::ForceStop { iccid, by, reason, shape } => force(engine, &iccid, (Force::Stop, by, reason), shape),
        Sim::ForceLift { iccid, by, reason, shape } => force(engine, &iccid, (Force::Lift, by, reason), shape),
        Sim::Close { iccid, by, reason, shape } => close(engine, &iccid, (by, reason), shape),
        Sim::Sms { iccid, to, shape } => function(engine, &iccid, (Function::Sms, to == OnOff::On), shape),
        Sim::Voice { iccid, to, shape } => function(engine, &iccid, (Function::Voice, to == OnOff::On), shape),
        Sim::Move { iccid, account, shape } => transfer(engine, &iccid, &account, shape),
        Sim::Product { iccid, product, shape } => switch_product(engine, &iccid, product, shape),
        Sim::Join { iccid, group, until, shape } => join(engine, &iccid, group, until.as_deref(), shape),
        Sim::Leave { iccid, shape } => leave(engine, &iccid, shape),
    }
}

/// A card's number, as a flag or an argument names it.
pub fn parse(iccid: &str) -> Result<Iccid, Exit> {
    Iccid::parse(iccid).map_err(|e| Exit::refused(format!("ICCID: {e}, not \"{iccid}\"")))
}

/// The operator, who sees every card.
pub fn operator(engine: &Engine) -> Result<Actor, Exit> {
    engine.catalogue()?.actor(OPERATOR).ok_or_else(|| Exit::cannot("there is no operator"))
}

/// Why nothing was done for a card, where it may be that there is none.
pub fn unknown(fail: kachi_engine::Fail, iccid: &Iccid) -> Exit {
    if overview::is_unknown_card(&fail) { no_card("ICCID", iccid) } else { fail.into() }
}

/// That there is no such card, as the argument names it.
pub fn no_card(argument: &str, number: impl Display) -> Exit {
    Exit::refused(Refusal::see(argument, format_args!("there is no card {number}"), "export sims"))
}

fn stop_or_resume(engine: &Engine, iccid: &str, write: Write, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let (key, act, reference) = (Key::Iccid(iccid.clone()), write.clone(), secrets::made());
    let switched =
        engine.write(move |tx, catalogue, how| switch::switch(tx, catalogue, how, &actor, (&key, act.clone(), &reference)));
    let opposite = format!("{iccid}: its carrier is still being asked for the opposite; `kachi admin intent list` shows it");
    let switched = switched.map_err(|e| match e {
        Fail::Refused(Refusal::SwitchBarred) => Exit::refused(opposite),
        other => unknown(other, &iccid),
    });
    let (word, says, left) = match switched? {
        Switched::Asked { left } => ("asked", "its carrier is being asked; `kachi admin intent list` shows its word", left),
        Switched::Waiting => {
            ("waiting", "its carrier is being asked already; `kachi admin intent list` shows its word", Vec::new())
        }
        Switched::Lifted { left } => ("lifted", "its owner's stop is taken away; its carrier was not asked", left),
        Switched::Already { left } if write == Write::Stop => ("already", "it is stopped already", left),
        Switched::Already { left } if left.iter().any(|cause| cause.keeps_data_off()) => {
            ("already", "nothing to lift: its owner has not stopped it", left)
        }
        Switched::Already { left } => ("already", "it is on already", left),
    };
    if shape.json {
        let left: Vec<&str> = left.iter().map(|cause| cause.word()).collect();
        return print::json(&json!({"iccid": iccid.as_str(), "outcome": word, "left": left}));
    }
    print::line(format_args!("{iccid}: {says}"))?;
    if left.is_empty() { Ok(()) } else { print::line(format_args!("left in its way: {}", listed(&left, Lang::En, |_| true))) }
}

fn force(engine: &Engine, iccid: &str, (force, by, reason): (Force, String, String), shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let card = iccid.clone();
    let forced = engine.write(move |tx, catalogue, how| switch::force(tx, catalogue, how, &actor, (&card, force, &by, &reason)));
    let (word, says) = match (forced.map_err(|e| unknown(e, &iccid))?, force) {
        (Forced::Changed, Force::Stop) => ("forced", "forced off; `kachi admin intent list` shows its carrier's word"),
        (Forced::Changed, Force::Lift) => {
            ("lifted", "the operator's force is lifted; `kachi admin intent list` shows its carrier's word")
        }
        (Forced::Already, Force::Stop) => ("already", "it is forced off already"),
        (Forced::Already, Force::Lift) => ("already", "it is not forced off"),
    };
    if shape.json {
        return print::json(&json!({"iccid": iccid.as_str(), "outcome": word}));
    }
    print::line(format_args!("{iccid}: {says}"))
}

fn close(engine: &Engine, iccid: &str, (by, reason): (String, String), shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let card = iccid.clone();
    let closed = engine.write(move |tx, catalogue, how| close::close(tx, catalogue, how, &actor, (&card, &by, &reason)));
    let (word, says) = match closed.map_err(|e| unknown(e, &iccid))? {
        Closed::Closed => ("closed", "closed: nothing is bought for it, asked of its carrier or read there from now on"),
        Closed::Already => ("already", "it is closed already"),
    };
    print::done(shape.json, &json!({"iccid": iccid.as_str(), "outcome": word}), format_args!("{iccid}: {says}"))
}

fn function(engine: &Engine, iccid: &str, (what, on): (Function, bool), shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let (card, reference) = (iccid.clone(), secrets::made());
    let set = engine.write(move |tx, c, how| functions::set(tx, c, how, &actor, (&card, (what, on), &reference)));
    let (word, says) = match set.map_err(|e| unknown(e, &iccid))? {
        Set::Asked => ("asked", "its carrier is being asked; `kachi admin intent list` shows its word"),
        Set::Waiting => ("waiting", "its carrier is being asked already; `kachi admin intent list` shows its word"),
        Set::Already => ("already", "it is so already"),
        Set::Lifted => ("lifted", "its present carrier has no such switch: what an earlier one had switched off counts no more"),
    };
    let told = json!({"iccid": iccid.as_str(), "function": what.word(), "on": on, "outcome": word});
    print::done(shape.json, &told, format_args!("{iccid}: {says}"))
}

fn transfer(engine: &Engine, iccid: &str, to: &str, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor, owner) = (parse(iccid)?, operator(engine)?, account(engine, to)?);
    let card = iccid.clone();
    let moved = engine.write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &actor, &card, owner));
    let moved = moved.map_err(|e| unknown(e, &iccid))?;
    let from = code(engine, moved.from)?;
    if shape.json {
        return print::json(&json!({
            "iccid": iccid.as_str(), "from": from, "to": to, "subscriptions": moved.subscriptions,
            "left_pool": moved.pool.map(|pool| pool.0),
        }));
    }
    let left = moved.pool.map_or_else(String::new, |pool| format!("; it left pool {pool}, which is {from}'s"));
    print::line(format_args!("{iccid}: moved from {from} to {to} with {} open subscriptions{left}", moved.subscriptions))
}

fn switch_product(engine: &Engine, iccid: &str, product: String, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let (card, code) = (iccid.clone(), product.clone());
    let switched = engine.write(move |tx, catalogue, how| sims::switch_product(tx, catalogue, how, &actor, (&card, &code)));
    switched.map_err(|e| unknown(e, &iccid))?;
    if shape.json {
        return print::json(&json!({"iccid": iccid.as_str(), "product": product}));
    }
    print::line(format_args!("{iccid}: sold as {product} from now on"))
}

fn join(engine: &Engine, iccid: &str, code: String, until: Option<&str>, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let until = until.map(Timestamp::parse_rfc3339).transpose().map_err(|e| Exit::refused(format!("--until: {e}")))?;
    let group = super::imei::group(engine, &code)?;
    let (card, id) = (iccid.clone(), group.id);
    let joined = engine.write(move |tx, catalogue, how| imei::join(tx, catalogue, how, &actor, (&card, &group), until));
    let joined = joined.map_err(|e| unknown(e, &iccid))?;
    if shape.json {
        let until = until.map(|t| t.to_string());
        return print::json(&json!({"iccid": iccid.as_str(), "imei_group": code, "id": id, "until": until}));
    }
    let until = until.map_or_else(String::new, |t| format!(" until {t}"));
    let words = if joined == Joined::Same { "is already" } else { "is now" };
    print::line(format_args!("{iccid}: {words} in IMEI group {code}{until}"))
}

fn leave(engine: &Engine, iccid: &str, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let card = iccid.clone();
    let left = engine.write(move |tx, catalogue, how| imei::leave(tx, catalogue, how, &actor, &card));
    let Some(id) = left.map_err(|e| unknown(e, &iccid))? else {
        return Err(Exit::refused(Refusal::see("ICCID", format_args!("{iccid} is in no IMEI group"), "admin imei list")));
    };
    if shape.json {
        return print::json(&json!({"iccid": iccid.as_str(), "left": id}));
    }
    print::line(format_args!("{iccid}: left IMEI group {id}"))
}

fn show(engine: &Engine, iccid: &str, shape: Shape) -> Result<(), Exit> {
    let (iccid, actor) = (parse(iccid)?, operator(engine)?);
    let page = overview::card(engine, &actor, &iccid).map_err(|e| unknown(e, &iccid))?;
    let rows: Vec<Vec<Value>> = page.subscriptions.iter().map(subscription).collect();
    let facts = facts(engine, &page)?;
    if shape.json {
        let named = |row: &Vec<Value>| -> Value {
            SUBSCRIPTION.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()
        };
        let mut whole: serde_json::Map<String, Value> = facts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        whole.insert("subscriptions".into(), rows.iter().map(named).collect());
        return print::json(&whole);
    }
    let rows_of_facts: Vec<Vec<Value>> = facts.into_iter().map(|(k, v)| vec![json!(k), plain(v)]).collect();
    print::table(&["card", iccid.as_str()], &rows_of_facts[1..], false)?;
    print::line("")?;
    print::table(&SUBSCRIPTION, &rows, false)
}

/// Everything but the subscriptions, in the order shown.
fn facts(engine: &Engine, page: &CardPage) -> Result<Vec<(&'static str, Value)>, Exit> {
    let (sim, line, state) = (&page.card.sim, &page.line, &page.card.state);
    let catalogue = engine.catalogue()?;
    let product = catalogue.product(sim.product);
    let counter = engine.read(|tx, _| Ok(tx.counter(sim.id)?))?;
    let heard = engine.read(|tx, _| Ok(tx.carrier_word(sim.id)?))?;
    let (standing, stop) = (heard.standing.as_ref(), heard.stop.as_ref());
    let platform = product.and_then(|p| catalogue.platform(p.platform));
    let member = engine.read(|tx, _| Ok(tx.imei_member(sim.id)?))?;
    let group = engine.read(|tx, _| Ok(member.as_ref().map(|m| tx.imei_group(m.group)).transpose()?.flatten()))?;
    let lock = member.as_ref().and_then(|m: &ImeiMember| m.membership.lock);
    Ok(vec![
        ("iccid", json!(sim.iccid)),
        ("imsi", json!(sim.imsi)),
        ("msisdn", json!(sim.msisdn)),
        ("eid", json!(sim.eid)),
        ("imei", json!(sim.imei)),
        ("imei_group", json!(group.map(|g| g.code))),
        ("imei_group_until", instant(page.card.imei_group.and_then(|g| g.until))),
        ("imei_unlocks", json!(page.card.imei_group.map(|g| g.unlocks))),
        ("locked_by_imei", json!(lock.map(|l| kachi_domain::imei::text(l.imei)))),
        ("locked_by_at", instant(lock.map(|l| l.at))),
        ("device", json!(page.device.as_ref().map(|d| &d.serial))),
        ("device_reported_at", instant(page.device.as_ref().map(|d| Timestamp(d.reported_at)))),
        ("account", json!(code(engine, sim.account)?)),
        ("product", json!(product.map(|p| &p.code))),
        ("platform", json!(platform.map(|p| &p.code))),
        ("network", json!(sim.network)),
        ("state", json!(line.state.word())),
        ("blocks", json!(line.blocks.names())),
        ("carrier_state", json!(standing.map(|(s, _)| s.base.word()))),
        ("carrier_raw", json!(standing.map(|(s, _)| &s.raw))),
        ("carrier_as_of", instant(standing.map(|(_, at)| *at))),
        ("stop_reason_raw", json!(stop.map(|(s, _)| &s.raw))),
        ("stop_reason", json!(stop.map(|(s, _)| s.blocks.names()))),
        ("stop_reason_as_of", instant(stop.map(|(_, at)| *at))),
        ("activated_at", instant(sim.activated_at.map(Timestamp))),
        ("alias", json!(sim.alias)),
        ("group", json!(sim.group)),
        ("remark", json!(sim.remark)),
        ("real_name", json!(sim.real_name)),
        ("package", json!(line.package)),
        ("used_bytes", json!(line.used_bytes)),
        ("left_bytes", json!(line.left_bytes)),
        ("ends_at", instant(line.ends_at)),
        ("waiting", json!(line.waiting)),
        ("pool", json!(page.pool.as_ref().map(|p| p.id))),
        ("pool_pays_until", instant(page.pool.as_ref().and_then(|p| p.until))),
        ("pool_is_over", json!(page.pool.as_ref().map(|p| p.is_over(engine.now())))),
        ("not_confirmed", json!(not_confirmed(page))),
        ("out_of_package_bytes", json!(state.outflow_bytes)),
        ("source", json!(SOURCE)),
        ("as_of", instant(line.as_of)),
        ("counter_bytes", json!(counter.map(|c| c.bytes))),
        ("counter_as_of", instant(counter.map(|c| c.as_of))),
    ])
}

/// The packages that are paid for and not confirmed: each with its order and whom it waits for.
fn not_confirmed(page: &CardPage) -> Vec<String> {
    let open = page.subscriptions.iter().filter(|s| s.state == SubscriptionState::Pending);
    let whom = |s: &SubscriptionLine| if s.in_review { "is in review" } else { "waits for its carrier" };
    open.map(|s| format!("{} of order {} {}", s.package, s.order, whom(s))).collect()
}

/// A subscription under [`SUBSCRIPTION`].
pub fn subscription(s: &SubscriptionLine) -> Vec<Value> {
    let other = |n: i64, of| if of == Resource::Voice { format!("{n} s of voice") } else { format!("{n} messages") };
    let counts = s.counts.and_then(|(of, counts)| counts.map(|(used, left)| (other(used, of), other(left, of))));
    let (used, left) = counts.unzip();
    vec![
        json!(s.order),
        json!(s.package),
        json!(s.state.word()),
        json!(s.pays),
        json!(s.counts.is_none().then_some(s.used_bytes)),
        json!(s.left_bytes),
        json!(used),
        json!(left),
        instant(s.started_at),
        instant(s.ends_at),
        json!(s.end_reason),
    ]
}

fn instant(at: Option<Timestamp>) -> Value {
    json!(at.map(|t| t.to_string()))
}

/// A list in words, an empty one and an empty text as nothing.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(words) if words.is_empty() => Value::Null,
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ").into(),
        Value::String(text) if text.is_empty() => Value::Null,
        other => other,
    }
}
