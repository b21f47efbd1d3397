//! Writes that a carrier must confirm.
//!
//! An act stores its wish in its own transaction; a worker claims it under a lease, calls the connector with no
//! transaction open, and settles it under the same lease token. What the carrier accepted is asked for again until it
//! is confirmed or refused; a lost answer is settled by asking, never by guessing. "Accepted" is never shown as done, and
//! what can be read at the carrier (a card's network, its counter) is read before the carrier's word counts. The last word
//! moves what waited for it: an order, a card's network, a message, a card of a task.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::{network, orders, sms, stock, tasks};
use kachi_domain::carrier::{Answer, Connector, Counter, Login, Request, Write};
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

/// Keeps what each open connector can do, so that an act it cannot do is refused when it is asked for.
pub fn remember(engine: &Engine, connectors: &Connectors) -> Result<()> {
    let open: Vec<_> = connectors.iter().map(|(platform, connector)| (*platform, connector.capabilities())).collect();
    engine.write(move |tx, catalogue, _| {
        let known = |id| catalogue.platform(id).and_then(|p| p.capabilities);
        let news: Vec<_> = open.iter().filter(|(id, can)| known(*id) != Some(*can)).collect();
        for (id, can) in &news {
            tx.put_platform_capabilities(*id, *can)?;
        }
        if news.is_empty() { Ok(()) } else { Ok(tx.touch_catalogue()?) }
    })
}

/// Moves every due write one step on; the answer is how many were claimed. `token` must be new each time.
pub fn step(engine: &Engine, connectors: &Connectors, token: i64) -> Result<usize> {
    let lease = engine.settings().lease_seconds;
    let claimed = engine.write(move |tx, _, how| Ok(tx.claim_intents(how.now, how.now.plus(lease), token, CLAIM_MAX)?))?;
    let n = claimed.len();
    for intent in claimed {
        let word = call(engine, connectors, &intent)?;
        settle(engine, intent, token, word)?;
    }
    Ok(n)
}

/// What the carrier said, and what its counter showed where that was asked for.
struct Word {
    answer: Answer,
    counter: Option<Counter>,
}

impl From<Answer> for Word {
    fn from(answer: Answer) -> Word {
        Word { answer, counter: None }
    }
}

/// One call to the carrier, with the platform's stored login, and no transaction open.
fn call(engine: &Engine, connectors: &Connectors, intent: &Intent) -> Result<Word> {
    let (request, platform) = (network::asked(intent)?, intent.platform);
    let Some(connector) = connectors.get(&platform) else {
        return Ok(Answer::Later { seconds: 60, reason: format!("platform {platform} has no connector open") }.into());
    };
    if matches!(request.write, Write::SendSms { .. }) && !connector.capabilities().sms {
        let code = engine.catalogue()?.platform(platform).map(|p| p.code.clone()).unwrap_or_default();
        return Ok(Answer::Later { seconds: PERSON_SECONDS, reason: sms::unable(&code) }.into());
    }
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
    let (word, after) = read_back(connector.as_ref(), after, &request, answer, now);
    if after != before {
        let text = serde_json::to_string(&after).map_err(|e| fault(e.to_string()))?;
        engine.write(move |tx, _, _| Ok(tx.put_platform_login(platform, &text)?))?;
    }
    Ok(if connector.capabilities().by_hand && word.answer == Answer::Accepted {
        let reason = "waits for a person: kachi admin intent confirm|refuse".into();
        Answer::Later { seconds: PERSON_SECONDS, reason }.into()
    } else {
        word
    })
}

/// Reads at the carrier what it says it has done, where that can be read. What does not show is in doubt.
fn read_back(connector: &dyn Connector, login: Login, request: &Request, answer: Answer, now: Timestamp) -> (Word, Login) {
    let can_be_read = matches!(request.write, Write::SwitchNetwork { .. } | Write::RefreshUsage);
    if !can_be_read || !matches!(answer, Answer::Confirmed | Answer::Already) {
        return (answer.into(), login);
    }
    let (line, login) = connector.read(login, &request.iccid, now);
    let word = match (line, &request.write) {
        (Err(not_told), _) => not_told.into(),
        (Ok(line), Write::SwitchNetwork { network }) if line.network.as_ref() != Some(network) => {
            let seen = line.network.map_or_else(|| "none that it tells".to_owned(), |n| format!("\"{n}\""));
            Answer::InDoubt { reason: format!("said to be done, but the card's network is {seen}") }.into()
        }
        (Ok(line), Write::RefreshUsage) if line.counter.is_none() => {
            Answer::InDoubt { reason: "said to be done, but no counter is told".into() }.into()
        }
        (Ok(line), _) => Word { answer, counter: line.counter },
    };
    (word, login)
}

fn settle(engine: &Engine, intent: Intent, token: i64, Word { answer, counter }: Word) -> Result<()> {
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
        if let Some(counter) = counter {
            tx.put_counter((intent.sim, intent.account, intent.platform), counter, how.now)?;
        }
        finish(tx, catalogue, how, &intent, &answer)
    })
}

/// The word moves what waited for it.
fn finish(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, intent: &Intent, answer: &Answer) -> Result<()> {
    let request = network::asked(intent)?;
    tasks::told(tx, intent, answer, how.now)?;
    match (&request.write, answer) {
        (Write::SwitchNetwork { network }, Answer::Confirmed | Answer::Already) => {
            network::switched(tx, intent.sim, network, how.now)?;
        }
        (write @ (Write::Stop | Write::Resume), Answer::Confirmed | Answer::Already) => {
            stock::switched(tx, intent, write, how.now)?;
        }
        (Write::SendSms { .. }, _) => sms::told(tx, &request.reference, answer, how.now)?,
        _ => {}
    }
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
