//! Writes that a carrier must confirm.
//!
//! An act stores its wish in its own transaction; a worker claims it under a lease, calls the connector with no
//! transaction open, and settles it under the same lease token. What the carrier accepted is asked for again until it
//! is confirmed or refused; a lost answer is settled by asking, never by guessing. "Accepted" is never shown as done, and
//! what can be read at the carrier (where a card stands, its data, its network, its counter) is read before the carrier's word
//! counts. What has no last word after `carriers.last_word_hours` is left to a person, and says so. The last word moves what
//! waited for it: an order, a card's network, a message, a card of a task. How a write is sent: `intents/send.rs`.

mod already;
pub(crate) mod order;
mod send;

use crate::act::refuse_unsaid;
use crate::cards::{Settling, speed};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::{direct, functions, network, notices, orders, service, sms, switch, tasks, told};
use kachi_domain::carrier::{Answer, Connector, Write};
use kachi_domain::event::EventKind;
use kachi_domain::{OrderId, PlatformId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use send::{Due, Word};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// The connectors that are open, by platform.
pub type Connectors = HashMap<PlatformId, Arc<dyn Connector>>;

/// Writes claimed at once: as many as the largest batch of a carrier.
const CLAIM_MAX: i64 = 100;
/// Seconds until a write is asked about again: twice as long as it is under way, within these.
const ASK_AGAIN_SECONDS: (i64, i64) = (1, 600);
/// Seconds for which a carrier may put a write off; none waits longer for its next try.
pub const PUT_OFF_SECONDS_MAX: i64 = 86_400;
/// Seconds between two looks at a write that a person must do.
const PERSON_SECONDS: i64 = 3600;
/// The end of what is said of a write that is left to a person: for the operator alone.
pub(crate) const BY_COMMAND: &str = ": settle it with kachi admin intent confirm|refuse";
/// Seconds to wait when a fresh login was killed too: another client logs in at the same time.
const LOGIN_SECONDS: i64 = 1;

/// Keeps what each open connector can do, so that an act it cannot do is refused when it is asked for.
pub fn remember(engine: &Engine, connectors: &Connectors) -> Result<()> {
    let open: Vec<_> = connectors.iter().map(|(platform, connector)| (*platform, connector.capabilities())).collect();
    engine.write(move |tx, catalogue, _| {
        let known = |id| catalogue.platform(id).and_then(|p| p.capabilities);
        for (id, _) in &open {
            // Whoever starts the workers anew may have put the login right.
            tx.forget_failed_renewal(*id)?;
        }
        let news: Vec<_> = open.iter().filter(|(id, can)| known(*id) != Some(*can)).collect();
        for (id, can) in &news {
            tx.put_platform_capabilities(*id, *can)?;
        }
        if news.is_empty() { Ok(()) } else { Ok(tx.touch_catalogue()?) }
    })
}

/// Moves every due write one step on, platform by platform; the answer is how many were claimed. `token` must be new each time.
pub fn step(engine: &Engine, connectors: &Connectors, token: i64) -> Result<usize> {
    engine.catalogue()?.platform_ids().into_iter().map(|platform| at(engine, connectors, platform, token)).sum()
}

/// The same at one platform. Each has a worker of its own: one that gives no answer holds up no other.
pub fn at(engine: &Engine, connectors: &Connectors, platform: PlatformId, token: i64) -> Result<usize> {
    let now = engine.now();
    if !engine.store().look(|tx| tx.intents_due(platform, now).map_err(Fail::from))? {
        return Ok(0);
    }
    let lease = engine.settings().lease_seconds;
    let one_matter = connectors.get(&platform).map_or(&[][..], |connector| connector.capabilities().one_matter());
    let claimed = engine.write(move |tx, _, how| {
        let claimed = tx.claim_intents(how.now, (how.now.plus(lease), token), (platform, one_matter), CLAIM_MAX)?;
        claimed.into_iter().map(Due::of).collect::<Result<Vec<Due>>>()
    })?;
    let n = claimed.len();
    for part in send::parts(connectors, claimed) {
        for (due, word) in send::work(engine, connectors, token, part)? {
            settle(engine, due.intent, token, word)?;
            engine.writes_settled().notify_waiters();
        }
    }
    Ok(n)
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| fault(e.to_string()))
}

fn settle(engine: &Engine, intent: Intent, token: i64, word: Word) -> Result<()> {
    let patience = engine.settings().last_word_seconds;
    engine.write(move |tx, catalogue, how| {
        let Word { kept, counter, cool_seconds, .. } = &word;
        let is_over = word.is_overdue(patience, how.now);
        let left = if is_over { word.left(patience) } else { None };
        let answer = left.clone().unwrap_or_else(|| word.answer.clone());
        // It is found by the carrier's own number; what the connector keeps behind it is the connector's.
        let job = kept.sent.as_ref().and_then(|sent| sent.job.as_deref()?.split(' ').next());
        tx.keep_intent(intent.id, token, how.now, (&text(kept)?, job))?;
        let under_way = kept.sent.as_ref().map_or(0, |sent| how.now.since(sent.at));
        let again = how.now.plus((2 * under_way).clamp(ASK_AGAIN_SECONDS.0, ASK_AGAIN_SECONDS.1));
        let (state, due): (&str, Option<Timestamp>) = match &answer {
            Answer::Confirmed | Answer::Already => ("confirmed", None),
            Answer::Refused { .. } => ("refused", None),
            Answer::Accepted { .. } => ("sent", Some(again)),
            Answer::InDoubt { .. } | Answer::Unknown => ("in_doubt", Some(again)),
            Answer::NoLogin { .. } => (intent.state.as_str(), Some(how.now.plus(LOGIN_SECONDS))),
            Answer::Later { seconds, .. } => {
                (intent.state.as_str(), Some(how.now.plus((*seconds).clamp(1, PUT_OFF_SECONDS_MAX))))
            }
        };
        let due = due.filter(|_| !is_over);
        if !tx.settle_intent(intent.id, token, state, due, &text(&answer)?, how.now)? {
            return Ok(()); // the lease was lost: whoever holds it now decides
        }
        if *cool_seconds > 0 {
            tx.cool(intent.sim, how.now.plus(*cool_seconds))?;
        }
        if let Some(counter) = *counter {
            told::counts(tx, intent.platform, &[(intent.sim, intent.account, counter)], how.now)?;
        }
        if let Some(Answer::InDoubt { reason }) = &left {
            tell_left(tx, &intent, reason, how.now)?;
            service::left(tx, catalogue, &intent, how.now)?;
            speed::left(tx, catalogue, &intent, how.now)?;
        }
        finish(tx, catalogue, how, &intent, &answer)
    })
}

/// A write that is left to a person is on its card's record.
fn tell_left(tx: &mut Tx<'_>, intent: &Intent, reason: &str, now: Timestamp) -> Result<()> {
    let sim = tx.sim_by_id(intent.sim)?;
    let card = sim.as_ref().map_or("", |sim| sim.iccid.as_str());
    tracing::warn!(write = intent.id, card, %reason, "a carrier write is left to a person");
    let Some(sim) = sim else { return Ok(()) };
    let detail = format!("write {}: {reason}", intent.id);
    Ok(tx.tell(&[notices::record(&sim, EventKind::WriteLeft, &detail, now)?], now)?)
}

/// The word moves what waited for it.
fn finish(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, intent: &Intent, answer: &Answer) -> Result<()> {
    let request = network::asked(intent)?;
    tasks::told(tx, intent, answer, how.now)?;
    service::told(tx, catalogue, (intent, &request.write), answer, how.now)?;
    match (&request.write, answer) {
        (Write::SwitchNetwork { network }, Answer::Confirmed | Answer::Already) => {
            network::switched(tx, intent.sim, network, how.now)?;
        }
        (write, Answer::Confirmed | Answer::Already) if direct::is_direct(intent) => {
            direct::done(tx, catalogue, (intent, write), how.now)?;
            if matches!(write, Write::DataOn { .. }) {
                speed::data_is_on(tx, catalogue, intent.sim, how.now)?;
            }
        }
        (write @ (Write::Stop | Write::Resume | Write::Activate), Answer::Confirmed | Answer::Already) => {
            switch::switched(tx, catalogue, (intent, write), how.now)?;
        }
        (Write::SetFunction { function, on }, Answer::Confirmed | Answer::Already) => {
            functions::done(tx, catalogue, intent, (*function, *on), how.now)?;
        }
        (Write::LimitSpeed { kbps }, answer) => speed::told(tx, catalogue, how, (intent, *kbps), answer)?,
        (Write::SendSms { .. } | Write::SendPhone { .. }, _) => sms::told(tx, catalogue, how, &request.reference, answer)?,
        _ => {}
    }
    if matches!(answer, Answer::Confirmed | Answer::Already) {
        service::was_let_on(tx, catalogue, (intent.sim, &request.write), how.now)?;
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

/// The carrier's own word on the messages and orders that it took under this number; the answer is how many are settled by it.
pub(crate) fn told_of_message(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (platform, job): (PlatformId, &str),
    answer: &Answer,
) -> Result<usize> {
    let state = match answer {
        Answer::Confirmed | Answer::Already => "confirmed",
        Answer::Refused { .. } => "refused",
        _ => return Ok(0),
    };
    let mut settled = 0;
    for intent in tx.intents_of_job(platform, job)? {
        let write = network::asked(&intent)?.write;
        let is_told = matches!(write, Write::SendSms { .. } | Write::SendPhone { .. } | Write::Subscribe { .. });
        if is_told && tx.settle_intent_by_hand(intent.id, state, &text(answer)?, how.now)? {
            finish(tx, catalogue, how, &intent, answer)?;
            settled += 1;
        }
    }
    Ok(settled)
}

/// A person says the write was done.
pub fn confirm(engine: &Engine, id: i64, who: &str) -> Result<()> {
    refuse_unsaid(&[("by", who)])?;
    by_hand(engine, id, "confirmed", Answer::Confirmed, who)
}

/// A person says the write will not be done.
pub fn refuse(engine: &Engine, id: i64, who: &str, reason: &str) -> Result<()> {
    refuse_unsaid(&[("by", who), ("reason", reason)])?;
    by_hand(engine, id, "refused", Answer::Refused { code: "by hand".into(), reason: reason.to_owned() }, who)
}

fn by_hand(engine: &Engine, id: i64, state: &'static str, answer: Answer, who: &str) -> Result<()> {
    let words = format!("{state} by {who}");
    engine.write(move |tx, catalogue, how| {
        let missing = || Refusal::see("intent", format!("there is no write {id}"), "admin intent list");
        let intent = tx.intent(id)?.ok_or_else(missing)?;
        if !tx.settle_intent_by_hand(id, state, &words, how.now)? {
            let now = tx.intent(id)?.map_or(intent.state, |now| now.state);
            return Err(Refusal::see("intent", format!("write {id} is {now} already"), "admin intent list --all").into());
        }
        finish(tx, catalogue, how, &intent, &answer)
    })?;
    engine.writes_settled().notify_waiters();
    Ok(())
}
