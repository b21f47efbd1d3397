//! `kachi admin diagnose`: why a card is off line, for people and for scripts.

use super::sim::{no_card, operator};
use crate::args::{Diagnose, Language};
use crate::exit::Exit;
use crate::print;
use kachi_domain::diagnose::{Found, Lang, Look, Report};
use kachi_engine::desk::Reading;
use kachi_engine::{Engine, diagnose, overview};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a fresh reading is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the verb.
pub fn run(engine: &Engine, asked: &Diagnose) -> Result<(), Exit> {
    let actor = operator(engine)?;
    let unknown = |fail: kachi_engine::Fail| {
        if overview::is_unknown_card(&fail) { no_card("CARD", &asked.card) } else { fail.into() }
    };
    let iccid = diagnose::find(engine, &actor, &asked.card).map_err(unknown)?;
    let (report, reading) = if asked.fresh {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Exit::cannot)?;
        let (report, reading) = runtime.block_on(engine.diagnose_fresh(&actor, iccid, PATIENCE)).map_err(unknown)?;
        (report, Some(reading))
    } else {
        (diagnose::diagnose(engine, &actor, &iccid, None).map_err(unknown)?, None)
    };
    let lang = match asked.language {
        Language::En => Lang::En,
        Language::Zh => Lang::Zh,
    };
    if asked.shape.json {
        return print::json(&whole(&report, reading.as_ref(), lang));
    }
    if let Some(words) = reading.as_ref().and_then(|reading| unread(reading, lang)) {
        print::line(words)?;
    }
    // What others told us must not steer the terminal.
    report.text(lang).lines().try_for_each(|line| print::line(line.replace(char::is_control, " ")))
}

/// What is said of a reading that was asked for and did not come.
fn unread(reading: &Reading, lang: Lang) -> Option<String> {
    match reading {
        Reading::Done => None,
        Reading::Failed(words) => {
            Some(lang.pick(format!("Not read now; the card platform says: {words}"), format!("未能读取，上级通道答复：{words}")))
        }
        Reading::Waiting => Some(
            lang.pick(
                "Not read now: no answer in 30 seconds. Is `kachi serve` running? It is asked on.",
                "未能读取：30 秒内无应答。请确认 kachi serve 在运行；系统会继续查询。",
            )
            .to_owned(),
        ),
    }
}

fn whole(report: &Report, reading: Option<&Reading>, lang: Lang) -> Value {
    let causes: Vec<Value> = report.causes.iter().map(|f| found(report, f, lang)).collect();
    let read = reading.map(|reading| match reading {
        Reading::Done => "done",
        Reading::Failed(_) => "failed",
        Reading::Waiting => "waiting",
    });
    json!({
        "iccid": report.card.iccid,
        "at": report.card.now.to_string(),
        "read": read,
        "verdict": report.verdict(lang),
        "online_as_of": report.online.map(|at| at.to_string()),
        "causes": causes,
        "device": looks(report, &report.at_the_device(lang)),
    })
}

fn found(report: &Report, f: &Found, lang: Lang) -> Value {
    let row = f.cause.row();
    json!({
        "cause": f.cause.word(),
        "title": f.cause.title(lang),
        "of": f.of,
        "certainty": f.certainty.word(),
        "who": row.who.word(),
        "act": f.act.word(),
        "what_to_do": f.act.says(lang),
        "command": f.command(&report.card.iccid),
        "operations": f.operations(&report.card.iccid),
        "looked_at": looks(report, &report.looks(f, lang)),
    })
}

/// Each with its source and age, or with why it is not known.
fn looks(report: &Report, all: &[Look]) -> Vec<Value> {
    let one = |look: &Look| match look {
        Ok(e) => json!({
            "topic": e.topic.word(),
            "value": e.value,
            "source": e.source.word(),
            "as_of": e.as_of.to_string(),
            "age_seconds": report.card.now.since(e.as_of),
        }),
        Err(g) => json!({"topic": g.topic.word(), "not_known": g.why.word(), "words": g.words}),
    };
    all.iter().map(one).collect()
}
