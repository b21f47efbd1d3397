//! Writes that a carrier must confirm.
//!
//! An order stores its wish in its own transaction; a worker claims it under a lease, calls the connector with no
//! transaction open, and settles it under the same lease token. What the carrier accepted is asked for again until it
//! is confirmed or refused; a lost answer is settled by asking, never by guessing. "Accepted" is never shown as done.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::orders;
use kachi_domain::carrier::{Answer, Connector, Login, Request, Write};
use kachi_domain::{OrderId, PlatformId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use std::collections::HashMap;
use std::sync::Arc;

/// The connectors that are open, by platform.
pub type Connectors = HashMap<PlatformId, Arc<dyn Connector>>;

/// Writes claimed at once.
const CLAIM_MAX: i64 = 50;
/// Seconds between two questions about the same write, growing with the number of calls up to the last.
const ASK_AGAIN_SECONDS: [i64; 6] = [1, 2, 5, 30, 120, 600];
/// Seconds between two looks at a write that a person must do.
const PERSON_SECONDS: i64 = 3600;

/// Moves every due write one step on; the answer is how many were claimed. `token` must be new each time.
pub fn step(engine: &Engine, connectors: &Connectors, token: i64) -> Result<usize> {
    let lease = engine.settings().lease_seconds;
    let claimed = engine.write(move |tx, _, how| Ok(tx.claim_intents(how.now, how.now.plus(lease), token, CLAIM_MAX)?))?;
    let n = claimed.len();
    for intent in claimed {
        let answer = call(engine, connectors, &intent)?;
        settle(engine, intent, token, answer)?;
    }
    Ok(n)
}

/// One call to the carrier, with the platform's stored login, and no transaction open.
fn call(engine: &Engine, connectors: &Connectors, intent: &Intent) -> Result<Answer> {
    let request: Request = serde_json::from_str(&intent.request).map_err(|e| fault(e.to_string()))?;
    let Some(connector) = connectors.get(&intent.platform) else {
        return Ok(Answer::Later { seconds: 60, reason: format!("platform {} has no connector open", intent.platform) });
    };
    let platform = intent.platform;
    let kept = engine.store().look(|tx| tx.platform_login(platform).map_err(Fail::from))?;
    let before: Login = serde_json::from_str(&kept).unwrap_or_default();
    let now = engine.now();
    let (answer, after) = if intent.state == "stored" {
        connector.submit(before.clone(), &request, now)
    } else {
        match connector.look(before.clone(), &request, now) {
            // The carrier never heard of it: it was lost on the way, so it is sent again under the same reference.
            (Answer::Unknown, login) => connector.submit(login, &request, now),
            answered => answered,
        }
    };
    if after != before {
        let text = serde_json::to_string(&after).map_err(|e| fault(e.to_string()))?;
        engine.write(move |tx, _, _| Ok(tx.put_platform_login(platform, &text)?))?;
    }
    Ok(if connector.capabilities().by_hand && answer == Answer::Accepted {
        Answer::Later { seconds: PERSON_SECONDS, reason: "waits for a person: kachi admin intent confirm|refuse".into() }
    } else {
        answer
    })
}

fn settle(engine: &Engine, intent: Intent, token: i64, answer: Answer) -> Result<()> {
    engine.write(move |tx, catalogue, how| {
        let words = serde_json::to_string(&answer).map_err(|e| fault(e.to_string()))?;
        let wait = |n: i64| how.now.plus(ASK_AGAIN_SECONDS[(n.max(0) as usize).min(ASK_AGAIN_SECONDS.len() - 1)]);
        let (state, due): (&str, Option<Timestamp>) = match &answer {
            Answer::Confirmed | Answer::Already => ("confirmed", None),
            Answer::Refused { .. } => ("refused", None),
            Answer::Accepted => ("sent", Some(wait(intent.attempts))),
            Answer::InDoubt { .. } | Answer::Unknown => ("in_doubt", Some(wait(intent.attempts))),
            Answer::Later { seconds, .. } => (intent.state.as_str(), Some(how.now.plus((*seconds).clamp(1, 86_400)))),
        };
        if !tx.settle_intent(intent.id, token, state, due, &words, how.now)? {
            return Ok(()); // the lease was lost: whoever holds it now decides
        }
        finish(tx, catalogue, how, &intent, &answer)
    })
}

/// A final word moves the order that waited for it.
fn finish(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, intent: &Intent, answer: &Answer) -> Result<()> {
    let request: Request = serde_json::from_str(&intent.request).map_err(|e| fault(e.to_string()))?;
    let Some(order) = intent.order.map(OrderId).filter(|_| matches!(request.write, Write::Subscribe { .. })) else {
        return Ok(());
    };
    match answer {
        Answer::Confirmed | Answer::Already => orders::fulfilled(tx, catalogue, how, order),
        Answer::Refused { code, reason } => orders::failed(tx, catalogue, how, order, &format!("{code} {reason}")),
        _ => Ok(()),
    }
}

/// A person says the write was done.
pub fn confirm(engine: &Engine, id: i64, who: &str) -> Result<()> {
    by_hand(engine, id, "confirmed", Answer::Confirmed, who)
}

/// A person says the write will not be done.
pub fn refuse(engine: &Engine, id: i64, who: &str, reason: &str) -> Result<()> {
    by_hand(engine, id, "refused", Answer::Refused { code: "by hand".into(), reason: reason.to_owned() }, who)
}

fn by_hand(engine: &Engine, id: i64, state: &'static str, answer: Answer, who: &str) -> Result<()> {
    let words = format!("{state} by {who}");
    engine.write(move |tx, catalogue, how| {
        let missing = || Refusal::BadField { field: "intent".into(), rule: format!("there is no open intent {id}") };
        let intent = tx.intent(id)?.ok_or_else(missing)?;
        if !tx.settle_intent_by_hand(id, state, &words, how.now)? {
            return Err(missing().into());
        }
        finish(tx, catalogue, how, &intent, &answer)
    })
}
