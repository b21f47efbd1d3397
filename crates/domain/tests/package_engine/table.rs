//! Reads a line of the table, folds it, and compares the facts. Also counts the bytes, and folds it once more with the
//! state written to bytes and read back after each input, which must not matter.

use kachi_domain::PackageId;
use kachi_domain::package::{Category, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::rating::{CardState, Happening, Input, PackageBlock, PoolStand, Purchase, Stake, Usage, fold};
use kachi_domain::{Span, SubscriptionId, Timestamp, Zone};
use std::collections::BTreeMap;

struct Script {
    zone: Zone,
    inputs: Vec<Input>,
    see: Option<Timestamp>,
}

/// Runs one line; the error shows the line and how the facts differ.
pub fn run(line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let &[_, script, expected] = &parts[..] else { return Err(format!("{line}\n   three parts are needed")) };
    let fail = |why: String| format!("{line}\n   {why}");
    let script = read_script(script).map_err(fail)?;
    let (state, happenings) = outcome(&script);
    conserved(&script, &state).map_err(fail)?;
    stored_between_inputs(&script, &state, &happenings).map_err(fail)?;
    compare(&script.zone, expected, &state, &happenings).map_err(fail)
}

fn outcome(script: &Script) -> (CardState, Vec<Happening>) {
    let (mut state, mut out) = (CardState::new(), Vec::new());
    fold(&mut state, &script.inputs, &script.zone, &mut out);
    state.advance(script.see.unwrap_or(state.now), &script.zone, &mut out);
    (state, out)
}

fn conserved(script: &Script, state: &CardState) -> Result<(), String> {
    let mut distinct = script.inputs.clone();
    distinct.dedup_by_key(|input| input.position());
    let bytes_in: i64 = distinct
        .iter()
        .map(|input| match input {
            Input::Refund(..) | Input::Move(..) | Input::Pool(..) | Input::Stake(..) => 0,
            Input::Purchase(p) if p.moved => 0,
            Input::Purchase(p) => p.used_before,
            Input::Usage(u) => u.bytes,
        })
        .sum();
    let attributed = state.total_used() + state.outflow_bytes;
    if attributed == bytes_in { Ok(()) } else { Err(format!("{bytes_in} bytes came in, {attributed} are attributed")) }
}

fn stored_between_inputs(script: &Script, end: &CardState, happenings: &[Happening]) -> Result<(), String> {
    let (mut state, mut out) = (CardState::new(), Vec::new());
    for input in &script.inputs {
        state.apply(input, &script.zone, &mut out);
        state = CardState::from_bytes(&state.to_bytes())?;
    }
    state.advance(end.now, &script.zone, &mut out);
    if state == *end && out == happenings { Ok(()) } else { Err("stored between its inputs it comes out otherwise".into()) }
}

fn compare(zone: &Zone, expected: &str, state: &CardState, happenings: &[Happening]) -> Result<(), String> {
    let mut facts = facts(zone, state, happenings);
    let mut missing = Vec::new();
    for fact in expected.split(';').map(str::trim).filter(|f| !f.is_empty()) {
        let fact = canonical(zone, fact)?;
        if let Some(i) = facts.iter().position(|f| *f == fact) {
            facts.remove(i);
        } else if !questions(zone, state, happenings).contains(&fact) {
            missing.push(fact);
        }
    }
    if missing.is_empty() && facts.is_empty() {
        return Ok(());
    }
    Err(format!("wrong: {}\n   is: {}; {}", missing.join("; "), facts.join("; "), questions(zone, state, happenings).join("; ")))
}

/// Facts that must all be written.
fn facts(zone: &Zone, state: &CardState, happenings: &[Happening]) -> Vec<String> {
    let mut facts = Vec::new();
    let mut started: BTreeMap<SubscriptionId, String> = BTreeMap::new();
    let mut block = "block no_package".to_string();
    for happening in happenings {
        match happening {
            Happening::Started(id, at, _) => drop(started.insert(*id, show(zone, *at))),
            Happening::Ended(id, at, reason, used) => facts.push(match started.get(id) {
                Some(start) => format!("{} {start}..{} {} {used}", name(*id), show(zone, *at), reason.word()),
                None => format!("{} never {used}", name(*id)),
            }),
            Happening::Moved(id, at, rest) => {
                let left = rest.left_seconds.map_or("all".to_string(), |s| format!("{s}s"));
                facts.push(format!("rest {}@{} {} {left}", name(*id), show(zone, *at), rest.used_bytes));
            }
            Happening::Refilled(id, at) => facts.push(format!("refill {}@{}", name(*id), show(zone, *at))),
            Happening::Slowed(id, at) => facts.push(format!("slow {}@{}", name(*id), show(zone, *at))),
            Happening::PoolOver(id, at) => facts.push(format!("over {}@{}", name(*id), show(zone, *at))),
            Happening::Blocked(b, at, _) => block = format!("block {}@{}", word(*b), show(zone, *at)),
            Happening::Unblocked(at) => block = format!("free@{}", show(zone, *at)),
        }
    }
    facts.push(block);
    facts.extend(state.live.iter().map(|live| match live.running {
        Some((start, end)) => format!("{} {}..{} runs {}", name(live.id), show(zone, start), show(zone, end), live.used),
        None => format!("{} waits {}", name(live.id), live.used),
    }));
    facts.extend((state.outflow_bytes != 0).then(|| format!("outflow {}", state.outflow_bytes)));
    facts
}

/// Facts that may be written.
fn questions(zone: &Zone, state: &CardState, happenings: &[Happening]) -> Vec<String> {
    let changes = happenings.iter().filter_map(|happening| match happening {
        Happening::Blocked(b, at, _) => Some(format!(" {}@{}", word(*b), show(zone, *at))),
        Happening::Unblocked(at) => Some(format!(" free@{}", show(zone, *at))),
        _ => None,
    });
    let or_never = |at: Option<Timestamp>| at.map_or("never".to_string(), |at| show(zone, at));
    vec![
        format!("told{}", changes.collect::<String>()),
        format!("stops {}", state.stops),
        format!("left {}", state.remaining_bytes()),
        format!("until {}", or_never(state.expected_end(zone))),
        format!("due {}", or_never(state.next_due(zone))),
    ]
}

/// The fact with each time written as [`show`] writes it.
fn canonical(zone: &Zone, fact: &str) -> Result<String, String> {
    let (first, words) = fact.split_once(' ').unwrap_or((fact, ""));
    let time = |text: &str| read_time(zone, text).map(|at| show(zone, at));
    let is_time_alone = matches!(first, "until" | "due") && words != "never";
    let mut texts = Vec::new();
    for text in fact.split(' ') {
        texts.push(match (text.split_once('@'), text.split_once("..")) {
            (Some((what, at)), _) => format!("{what}@{}", time(at)?),
            (_, Some((from, to))) => format!("{}..{}", time(from)?, time(to)?),
            _ if is_time_alone && text == words => time(text)?,
            _ => text.to_string(),
        });
    }
    Ok(texts.join(" "))
}

fn read_script(text: &str) -> Result<Script, String> {
    let mut script = Script { zone: Zone::find("Asia/Shanghai")?, inputs: Vec::new(), see: None };
    for (i, statement) in text.split(';').map(str::trim).enumerate() {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let at = |text: &str| read_time(&script.zone, text.trim_start_matches('@'));
        match &words[..] {
            ["zone", name] => script.zone = Zone::find(name)?,
            ["see", time] => script.see = Some(at(time)?),
            ["refund", name, time] => script.inputs.push(Input::Refund(at(time)?, id(name))),
            ["move", name, time] => script.inputs.push(Input::Move(at(time)?, id(name))),
            ["use", bytes, time] => {
                let stop = at(time)?;
                let bytes = bytes.parse().map_err(|_| format!("{bytes} is not a number"))?;
                script.inputs.push(Input::Usage(Usage { stop, start: stop.plus(-60), source_id: i as i64, bytes }));
            }
            ["pool", "none", time] => script.inputs.push(Input::Pool(at(time)?, None)),
            ["pool", last, until, time] => {
                script.inputs.push(Input::Pool(at(time)?, Some(PoolStand { until: at(until)?, last: id(last) })));
            }
            ["stake", "none", time] => script.inputs.push(Input::Stake(at(time)?, None)),
            ["stake", word @ ("open" | "over" | "capped"), time] => {
                let (at, package) = (at(time)?, PackageId(1));
                let stake = Stake { package, until: (*word != "open").then_some(at), capped: *word == "capped" };
                script.inputs.push(Input::Stake(at, Some(stake)));
            }
            // The same record again.
            ["again"] => script.inputs.extend(script.inputs.last().cloned()),
            ["buy", name, kind, allowance, validity, options @ .., time] => {
                let purchase = read_purchase(&script.zone, [name, kind, allowance, validity], options, at(time)?)?;
                script.inputs.push(Input::Purchase(purchase));
            }
            _ => return Err(format!("\"{statement}\" is not a statement")),
        }
    }
    script.inputs.sort_by_key(Input::position);
    Ok(script)
}

fn read_purchase(zone: &Zone, fixed: [&str; 4], options: &[&str], at: Timestamp) -> Result<Purchase, String> {
    let [name, kind, allowance, validity] = fixed;
    let terms = Terms {
        kind: Kind::parse(kind)?,
        category: Category::Long,
        resource: Resource::Data,
        allowance: allowance.parse().map_err(|_| format!("{allowance} is not a number"))?,
        validity: Span::parse(validity)?,
        window: Window::Whole,
    };
    let mut p = Purchase::plain(id(name).0, at, terms);
    for option in options {
        if let Some(date) = option.strip_prefix("from=") {
            p.not_before = Some(read_time(zone, date)?);
        } else if let Some(used) = option.strip_prefix("used=") {
            p.used_before = used.parse().map_err(|_| format!("{used} is not a number"))?;
        } else if let Some(left) = option.strip_prefix("left=") {
            (p.moved, p.left_seconds) = (true, Some(left.parse().map_err(|_| format!("{left} is not a number"))?));
        } else if let Some(name) = option.strip_prefix("in=") {
            p.zone = Some(Zone::find(name)?);
        } else if *option == "monthly" {
            p.terms.window = Window::CalendarMonth;
        } else if let Ok(category) = Category::parse(option) {
            p.terms.category = category;
        } else if let Ok(resource) = Resource::parse(option) {
            p.terms.resource = resource;
        } else {
            p.start = StartRule::parse(option)?;
        }
    }
    Ok(p)
}

fn origin(zone: &Zone) -> Timestamp {
    zone.parse("2026-01-01").expect("a date")
}

fn read_time(zone: &Zone, text: &str) -> Result<Timestamp, String> {
    if text.contains("-") && !text.contains('d') {
        return zone.parse(&text.replace('T', " "));
    }
    let bad = || format!("\"{text}\" is not a time");
    let (days, rest) = text.split_once('d').ok_or_else(bad)?;
    let days: i64 = days.parse().map_err(|_| bad())?;
    let seconds: i64 = if rest.is_empty() { 0 } else { rest.trim_end_matches('s').parse().map_err(|_| bad())? };
    Ok(origin(zone).plus(days * 86_400 + seconds))
}

fn show(zone: &Zone, at: Timestamp) -> String {
    let seconds = at.since(origin(zone));
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    match rest {
        0 => format!("{days}d"),
        1 => format!("{days}d+1s"),
        86_399 => format!("{}d-1s", days + 1),
        _ => zone.text(at).replace(' ', "T"),
    }
}

fn word(block: PackageBlock) -> &'static str {
    match block {
        PackageBlock::NoPackage => "no_package",
        PackageBlock::Quota => "quota",
        PackageBlock::Expired => "expired",
        PackageBlock::PoolExhausted => "pool_exhausted",
    }
}

fn id(name: &str) -> SubscriptionId {
    SubscriptionId(i64::from(name.as_bytes()[0] - b'a') + 1)
}

fn name(id: SubscriptionId) -> char {
    char::from(b'a' + (id.0 - 1) as u8)
}
