//! `kachi admin sync`: keeping up with what carriers know.

use super::instant;
use crate::args::Sync;
use crate::exit::Exit;
use crate::{print, workers};
use kachi_domain::PlatformId;
use kachi_engine::intents::Connectors;
use kachi_engine::sync::{self, Shown};
use kachi_engine::{Engine, reconcile};
use serde_json::{Value, json};
use std::sync::Arc;

const SHOWN: [&str; 9] = ["platform", "on", "usage", "fact", "cards", "never read", "stale", "oldest", "feed of changes"];
/// Said of a platform that is switched off.
const OFF: &str = "not kept up with";

/// Runs the verb; `open` opens the connectors where they are needed.
pub fn run(engine: &Engine, verb: Sync, open: impl FnOnce() -> Result<Arc<Connectors>, Exit>) -> Result<(), Exit> {
    match verb {
        Sync::Show { platform, shape } => {
            let shown = sync::show(engine, platform.map(|code| number(engine, &code)).transpose()?)?;
            if shape.json { print::json(&shown) } else { show(&shown) }
        }
        Sync::Run { platform, shape } => {
            let only = platform.map(|code| number(engine, &code)).transpose()?;
            let connectors = open()?;
            let mut rows = Vec::new();
            let mut platforms: Vec<_> = connectors.iter().filter(|(id, _)| only.is_none_or(|only| only == **id)).collect();
            platforms.sort_by_key(|(id, _)| **id);
            for (id, connector) in platforms {
                sync::hurry(engine, *id)?;
                let (mut requests, token) = (0, workers::token());
                loop {
                    match sync::at(engine, (*id, connector.as_ref()), token)? {
                        0 => break,
                        made => requests += made,
                    }
                }
                let after = sync::show(engine, Some(*id))?.pop();
                if let Some(after) = after {
                    let next = match next(&after) {
                        Ok(at) => json!(at),
                        Err(_) if shape.json => Value::Null,
                        Err(words) => json!(words),
                    };
                    rows.push(vec![json!(after.platform), json!(requests), next, json!(after.words)]);
                }
            }
            print::table(&["platform", "requests", "next", "words"], &rows, shape.json)
        }
    }
}

/// A card platform by its code.
pub fn number(engine: &Engine, code: &str) -> Result<PlatformId, Exit> {
    let found = engine.catalogue()?.platform_by_code(code).map(|p| p.id);
    found.ok_or_else(|| Exit::refused(format!("--platform: there is no platform {code}: `kachi apply` makes platforms")))
}

fn show(shown: &[Shown]) -> Result<(), Exit> {
    let mut rows = Vec::new();
    for p in shown {
        for f in &p.facts {
            rows.push(vec![
                json!(p.platform),
                json!(p.on),
                json!(p.usage),
                json!(f.what),
                json!(f.cards),
                json!(f.never),
                json!(f.stale),
                json!(f.oldest.map(instant)),
                json!(if f.what == "state" { p.feed.as_str() } else { "" }),
            ]);
        }
    }
    print::table(&SHOWN, &rows, false)?;
    for p in shown {
        let calls: Vec<String> = p.calls_today.iter().map(|(what, n)| format!("{n} for {what}")).collect();
        let calls = if calls.is_empty() { "none".to_owned() } else { calls.join(", ") };
        let words = if p.words.is_empty() { String::new() } else { format!("; its last word: {}", p.words) };
        let again = match next(p) {
            Ok(at) => format!("looked at again {at}"),
            Err(words @ OFF) => words.to_owned(),
            Err(words) => format!("looked at {words}"),
        };
        print::line(format_args!("{}: requests today: {calls}; {again}{words}", p.platform))?;
        for f in &p.fallen {
            print::line(format_args!(
                "{}: the {} counter of {} fell from {} to {} bytes at {}",
                p.platform,
                f.counts,
                f.iccid,
                f.fell_from,
                f.bytes,
                instant(f.as_of)
            ))?;
        }
    }
    Ok(())
}

/// When a platform is looked at next, or why no time is known.
fn next(p: &Shown) -> Result<String, &'static str> {
    match (p.on, p.due_at) {
        (false, _) => Err(OFF),
        (true, 0) => Err("at once"),
        (true, at) => Ok(instant(at)),
    }
}

/// Compares every card now.
pub fn compare(engine: &Engine, platform: Option<String>) -> Result<reconcile::Report, Exit> {
    let only = platform.map(|code| number(engine, &code)).transpose()?;
    Ok(reconcile::run(engine, only, workers::token())?)
}
