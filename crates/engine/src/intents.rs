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
use crate::network::{self, Kept};
use crate::{direct, orders, sms, switch, tasks, told};
use kachi_domain::carrier::{self, Answer, Call, Connector, Count, Fact, Facts, Login, Request, Sent, Write, logged_in};
use kachi_domain::{OrderId, PlatformId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use serde::Serialize;
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
/// Seconds to wait when a fresh login was killed too: another client logs in at the same time.
const LOGIN_SECONDS: i64 = 1;
/// Calls that one step of one write makes, at most: look, submit and read.
const CALLS_MAX: i64 = 3 * carrier::CALLS_MAX;

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
    let claimed = engine.write(move |tx, _, how| {
        let claimed = tx.claim_intents(how.now, how.now.plus(lease), token, CLAIM_MAX)?;
        let mut numbered = Vec::with_capacity(claimed.len());
        for intent in claimed {
            let kept = network::kept(&intent)?;
            if kept.sent.is_none() {
                // Whoever finds it after this worker died asks before sending again.
                let begun = Kept { request: kept.request.clone(), sent: Some(Sent::in_doubt(how.now)) };
                tx.put_intent_request(intent.id, token, &text(&begun)?)?;
            }
            let first = tx.take_call_numbers(intent.platform, CALLS_MAX)?;
            numbered.push((intent, kept, first));
        }
        Ok(numbered)
    })?;
    let n = claimed.len();
    for (intent, kept, first) in claimed {
        let word = call(engine, connectors, (&intent, &kept), first)?;
        settle(engine, intent, token, (kept.request, word))?;
        engine.writes_settled().notify_waiters();
    }
    Ok(n)
}

/// What the carrier said, what its counter showed where that was asked for, and what is known of the sending from now on.
struct Word {
    answer: Answer,
    counter: Option<Count>,
    sent: Option<Sent>,
}

impl Word {
    fn of(answer: Answer, sent: Option<Sent>) -> Word {
        Word { answer, counter: None, sent }
    }
}

/// What a call told, or why it did not.
type Told<T> = std::result::Result<T, Answer>;

/// A platform's client with its login, for the calls of one write.
struct Line<'c> {
    connector: &'c dyn Connector,
    login: Login,
    now: Timestamp,
    number: u64,
}

impl Line<'_> {
    /// One call, with a login that works.
    fn call<T>(&mut self, ask: &dyn Fn(&Call<'_>) -> Told<T>) -> Told<T> {
        let number = &mut self.number;
        let mut next = || {
            *number += 1;
            *number - 1
        };
        logged_in(self.connector, &mut self.login, self.now, &mut next, ask)
    }

    fn submit(&mut self, request: &Request) -> Answer {
        let connector = self.connector;
        self.call(&|call| connector.submit(call, request).or_no_login()).unwrap_or_else(|not_sent| not_sent)
    }

    fn look(&mut self, request: &Request, sent: &Sent) -> Answer {
        let connector = self.connector;
        self.call(&|call| connector.look(call, request, sent).or_no_login()).unwrap_or_else(|not_asked| not_asked)
    }
}

/// One call to the carrier, with the platform's stored login, and no transaction open.
fn call(engine: &Engine, connectors: &Connectors, (intent, kept): (&Intent, &Kept), first: i64) -> Result<Word> {
    let (Kept { request, sent }, platform) = (kept, intent.platform);
    let Some(connector) = connectors.get(&platform) else {
        let reason = format!("platform {platform} has no connector open");
        return Ok(Word::of(Answer::Later { seconds: 60, reason }, sent.clone()));
    };
    if matches!(request.write, Write::SendSms { .. }) && !connector.capabilities().sms {
        let code = engine.catalogue()?.platform(platform).map(|p| p.code.clone()).unwrap_or_default();
        return Ok(Word::of(Answer::Later { seconds: PERSON_SECONDS, reason: sms::unable(&code) }, sent.clone()));
    }
    let stored = engine.store().look(|tx| tx.platform_login(platform).map_err(Fail::from))?;
    let before: Login = serde_json::from_str(&stored).unwrap_or_default();
    let (now, number) = (engine.now(), u64::try_from(first).unwrap_or_default());
    let mut line = Line { connector: connector.as_ref(), login: before.clone(), now, number };
    let looked = match sent {
        None if intent.state == "stored" => None,
        sent => Some(line.look(request, sent.as_ref().unwrap_or(&Sent::in_doubt(Timestamp(intent.created_at))))),
    };
    let (answer, sent) = match looked {
        // Never sent; or the carrier never heard of it: it was lost on the way, so it is sent again under the same reference.
        None | Some(Answer::Unknown) => {
            let answer = line.submit(request);
            let answer = if direct::is_direct(intent) { direct::firm(answer) } else { answer };
            let sent = sent_by(&answer, now);
            (answer, sent)
        }
        Some(told) => (told, sent.clone()),
    };
    let (answer, counter) = read_back(&mut line, request, answer);
    keep_login(engine, platform, &before, &line.login)?;
    Ok(if connector.capabilities().by_hand && matches!(answer, Answer::Accepted { .. }) {
        let reason = "waits for a person: kachi admin intent confirm|refuse".into();
        Word::of(Answer::Later { seconds: PERSON_SECONDS, reason }, sent)
    } else {
        Word { answer, counter, sent }
    })
}

/// Calls that one question makes, at most: itself twice and a login between.
const QUESTION_CALLS_MAX: i64 = 3;

/// Asks a platform something outside of any write, with its stored login and no transaction open.
pub(crate) fn ask<T>(
    engine: &Engine,
    (platform, connector): (PlatformId, &dyn Connector),
    question: &dyn Fn(&Call<'_>) -> Told<T>,
) -> Result<Told<T>> {
    let (first, stored) =
        engine.write(move |tx, _, _| Ok((tx.take_call_numbers(platform, QUESTION_CALLS_MAX)?, tx.platform_login(platform)?)))?;
    let before: Login = serde_json::from_str(&stored).unwrap_or_default();
    let number = u64::try_from(first).unwrap_or_default();
    let mut line = Line { connector, login: before.clone(), now: engine.now(), number };
    let told = line.call(question);
    keep_login(engine, platform, &before, &line.login)?;
    Ok(told)
}

/// Keeps a login that was renewed.
fn keep_login(engine: &Engine, platform: PlatformId, before: &Login, after: &Login) -> Result<()> {
    if after == before {
        return Ok(());
    }
    let text = text(after)?;
    engine.write(move |tx, _, _| Ok(tx.put_platform_login(platform, &text)?))
}

/// What is known of a write's sending by the answer to it. What was not taken counts as never sent.
fn sent_by(answer: &Answer, now: Timestamp) -> Option<Sent> {
    match answer {
        Answer::Accepted { job } => Some(Sent { at: now, accepted: Some(now), job: job.clone() }),
        Answer::Confirmed | Answer::Already => Some(Sent { at: now, accepted: Some(now), job: None }),
        Answer::InDoubt { .. } => Some(Sent::in_doubt(now)),
        Answer::Refused { .. } | Answer::Later { .. } | Answer::Unknown | Answer::NoLogin { .. } => None,
    }
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| fault(e.to_string()))
}

/// Reads at the carrier what it says it has done, where that can be read. What does not show is in doubt.
fn read_back(line: &mut Line<'_>, request: &Request, answer: Answer) -> (Answer, Option<Count>) {
    let can_be_read = matches!(request.write, Write::SwitchNetwork { .. } | Write::RefreshUsage);
    if !can_be_read || !matches!(answer, Answer::Confirmed | Answer::Already) {
        return (answer, None);
    }
    let connector = line.connector;
    let wanted = Facts::of(&[Fact::Network, Fact::Counter, Fact::Month]).and(connector.capabilities().facts);
    let told = line.call(&|call| connector.read(call, &request.card, wanted));
    let doubt = |reason: String| (Answer::InDoubt { reason }, None);
    match (told, &request.write) {
        (Err(not_told), _) => (not_told, None),
        (Ok(line), Write::SwitchNetwork { network }) if line.network.as_ref() != Some(network) => {
            let seen = line.network.map_or_else(|| "none that it tells".to_owned(), |n| format!("\"{n}\""));
            doubt(format!("said to be done, but the card's network is {seen}"))
        }
        (Ok(told), Write::RefreshUsage) => match Count::all(connector.capabilities().cycle, &told).into_iter().next() {
            None => doubt("said to be done, but no counter is told".into()),
            counter => (answer, counter),
        },
        (Ok(_), _) => (answer, None),
    }
}

fn settle(engine: &Engine, intent: Intent, token: i64, (request, word): (Request, Word)) -> Result<()> {
    let Word { answer, counter, sent } = word;
    engine.write(move |tx, catalogue, how| {
        let words = text(&answer)?;
        tx.put_intent_request(intent.id, token, &text(&Kept { request: request.clone(), sent: sent.clone() })?)?;
        let wait = |n: i64| how.now.plus(ASK_AGAIN_SECONDS[(n.max(0) as usize).min(ASK_AGAIN_SECONDS.len() - 1)]);
        let (state, due): (&str, Option<Timestamp>) = match &answer {
            Answer::Confirmed | Answer::Already => ("confirmed", None),
            Answer::Refused { .. } => ("refused", None),
            Answer::Accepted { .. } => ("sent", Some(wait(intent.attempts))),
            Answer::InDoubt { .. } | Answer::Unknown => ("in_doubt", Some(wait(intent.attempts))),
            Answer::NoLogin { .. } => (intent.state.as_str(), Some(how.now.plus(LOGIN_SECONDS))),
            Answer::Later { seconds, .. } => (intent.state.as_str(), Some(how.now.plus((*seconds).clamp(1, 86_400)))),
        };
        if !tx.settle_intent(intent.id, token, state, due, &words, how.now)? {
            return Ok(()); // the lease was lost: whoever holds it now decides
        }
        if let Some(counter) = counter {
            told::counts(tx, intent.platform, &[(intent.sim, intent.account, counter)], how.now)?;
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
        (write, Answer::Confirmed | Answer::Already) if direct::is_direct(intent) => direct::done(tx, intent, write, how.now)?,
        (write @ (Write::Stop | Write::Resume | Write::Activate), Answer::Confirmed | Answer::Already) => {
            switch::switched(tx, intent, write, how.now)?;
        }
        (Write::SendSms { .. } | Write::SendPhone { .. }, _) => sms::told(tx, catalogue, how, &request.reference, answer)?,
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
    })?;
    engine.writes_settled().notify_waiters();
    Ok(())
}
