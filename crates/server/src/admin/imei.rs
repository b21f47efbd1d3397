//! `kachi admin imei`: the IMEI groups with their devices and cards, and taking a device out.

use super::code;
use super::sim::operator;
use crate::args::{ImeiGroups, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::Refusal;
use kachi_domain::ids::Imei;
use kachi_engine::{Engine, imei};
use kachi_store::imei::ImeiGroup;
use serde_json::{Value, json};

const CARD: [&str; 6] = ["iccid", "since", "until", "locked_by_imei", "locked_by_at", "unlocked_at"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: ImeiGroups) -> Result<(), Exit> {
    match verb {
        ImeiGroups::List(shape) => list(engine, shape),
        ImeiGroups::Show { group, shape } => show(engine, &group, shape),
        ImeiGroups::Remove { group, imei, shape } => remove(engine, &group, &imei, shape),
    }
}

/// The group of that code.
pub fn group(engine: &Engine, code: &str) -> Result<ImeiGroup, Exit> {
    let found = engine.read(|tx, _| Ok(tx.imei_group_by_code(code)?))?.filter(|g| g.bound_sim.is_none());
    found.ok_or_else(|| Exit::refused(format!("there is no IMEI group {code}: `kachi apply` makes groups")))
}

fn list(engine: &Engine, shape: Shape) -> Result<(), Exit> {
    let mut rows = Vec::new();
    for (group, devices, cards) in engine.read(|tx, _| Ok(tx.imei_groups()?))? {
        let owner = code(engine, group.account)?;
        rows.push(vec![
            json!(group.id),
            json!(group.code),
            json!(owner),
            json!(group.unlocks_per_month),
            json!(devices),
            json!(cards),
        ]);
    }
    print::table(&["id", "code", "account", "unlocks_per_month", "imeis", "sims"], &rows, shape.json)
}

fn show(engine: &Engine, code: &str, shape: Shape) -> Result<(), Exit> {
    let id = group(engine, code)?.id;
    let (imeis, members, iccids) = engine.read(|tx, _| {
        let members = tx.imei_members_of_group(id)?;
        let sims: Vec<_> = members.iter().map(|m| m.sim).collect();
        let iccids = if sims.is_empty() { Vec::new() } else { tx.iccids_of(&sims)? };
        Ok((tx.imeis_of_group(id)?, members, iccids))
    })?;
    let mut cards: Vec<Vec<Value>> = Vec::new();
    for m in members {
        let (m, sim) = (m.membership, m.sim);
        let iccid = iccids.iter().find(|(id, _)| *id == sim.0).map(|(_, iccid)| iccid);
        let at = |at: Option<kachi_domain::Timestamp>| json!(at.map(|t| t.to_string()));
        let by = m.lock.map(|l| kachi_domain::imei::text(l.imei));
        cards.push(vec![json!(iccid), at(Some(m.since)), at(m.until), json!(by), at(m.lock.map(|l| l.at)), at(m.unlocks.last)]);
    }
    if shape.json {
        let named = |row: &Vec<Value>| -> Value {
            CARD.iter().map(|n| (*n).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()
        };
        let sims: Vec<Value> = cards.iter().map(named).collect();
        return print::json(&json!({"id": id, "code": code, "imeis": imeis, "sims": sims}));
    }
    let devices: Vec<Vec<Value>> = imeis.into_iter().map(|imei| vec![json!(imei)]).collect();
    print::table(&["imei"], &devices, false)?;
    print::line("")?;
    print::table(&CARD, &cards, false)
}

fn remove(engine: &Engine, code: &str, text: &str, shape: Shape) -> Result<(), Exit> {
    let device = Imei::parse(text).map_err(|e| Exit::refused(format!("IMEI: {e}, not \"{text}\"")))?;
    let (id, actor) = (group(engine, code)?.id, operator(engine)?);
    let gone = device.clone();
    let was_there = engine.write(move |tx, _, how| imei::remove_imei(tx, how, &actor, id, &gone))?;
    if !was_there {
        let what = format_args!("{device} is not in IMEI group {code}");
        return Err(Exit::refused(Refusal::see("IMEI", what, &format!("admin imei show {code}"))));
    }
    if shape.json {
        return print::json(&json!({"imei_group": code, "removed": device.as_str()}));
    }
    print::line(format_args!("{device}: no longer in IMEI group {code}; a card seen in it from now on is locked"))
}
