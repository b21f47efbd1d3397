//! One step of a write at its carrier: asked for if it was ever sent, else sent, alone or with others, and read back.
//!
//! Promised: that a write is on its way is stored, under the lease, in the transaction just before the call, so that whoever
//! finds it after a crash asks before it is sent again; a write whose card cools down waits for the end of that and holds up no
//! other; writes go together only where doing one twice does no harm, and each is settled by itself.

use super::{BY_COMMAND, Connectors, PERSON_SECONDS, already, text};
use crate::desk::Engine;
use crate::error::Result;
use crate::network::{self, Kept};
use crate::upstream::{self, Asked, At, Purpose, Told};
use crate::{direct, sms};
use kachi_domain::carrier::{Answer, BY_HAND, Call, Connector, Count, Facts, Request, Sent, Sight, Write};
use kachi_domain::{SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use std::collections::HashMap;

/// A claimed write with what is known of its sending.
pub(super) struct Due {
    pub intent: Intent,
    kept: Kept,
}

impl Due {
    pub fn of(intent: Intent) -> Result<Due> {
        Ok(Due { kept: network::kept(&intent)?, intent })
    }

    /// Whether it was never sent.
    fn is_fresh(&self) -> bool {
        self.kept.sent.is_none() && self.intent.state == "stored"
    }

    /// Whether it may be sent with others.
    fn may_join(&self) -> bool {
        self.is_fresh() && self.kept.request.write.sets() && !direct::is_direct(&self.intent)
    }

    fn joins(&self, part: &[Due]) -> bool {
        part.first().is_some_and(|first| {
            first.may_join()
                && first.intent.platform == self.intent.platform
                && first.kept.request.write == self.kept.request.write
        })
    }

    /// Whether our own pause for its card holds it. Of an act that is passed straight on the carrier's word is wanted.
    fn is_paced(&self) -> bool {
        self.kept.request.write.cools() && !direct::is_direct(&self.intent)
    }

    fn answered(self, answer: Answer) -> (Due, Word) {
        let kept = self.kept.clone();
        (self, Word { answer, counter: None, kept, cool_seconds: 0, by_hand: false })
    }
}

/// What the carrier said, and what is known from now on.
pub(super) struct Word {
    pub answer: Answer,
    /// What its counter showed, where that was asked for.
    pub counter: Option<Count>,
    /// The request with what is known of its sending.
    pub kept: Kept,
    /// Seconds in which the card takes no other write.
    pub cool_seconds: i64,
    /// Whether a person does it anyway.
    by_hand: bool,
}

impl Word {
    /// Whether the carrier had time enough for a last word on what it may have taken.
    pub fn is_overdue(&self, patience_seconds: i64, now: Timestamp) -> bool {
        let since = self.kept.first.filter(|_| self.kept.sent.is_some() && !self.by_hand && !self.answer.is_last());
        since.is_some_and(|first| now.since(first) >= patience_seconds)
    }

    /// What is said of a write that is left to a person. A message that was taken is let be: nobody tells what becomes of it.
    pub fn left(&self, patience_seconds: i64) -> Option<Answer> {
        let is_message = matches!(self.kept.request.write, Write::SendSms { .. } | Write::SendPhone { .. });
        let last = match &self.answer {
            Answer::Accepted { .. } if is_message => return None,
            Answer::Accepted { .. } => "the carrier has accepted it",
            Answer::Unknown => "the carrier does not know of it",
            Answer::Later { reason, .. } | Answer::InDoubt { reason } | Answer::NoLogin { reason } => reason,
            _ => "",
        };
        let hours = patience_seconds / 3600;
        let reason = format!("no last word within {hours} hours ({last}){BY_COMMAND}");
        Some(Answer::InDoubt { reason })
    }
}

/// Writes as they are sent: those of the same act for different cards together, where the platform takes them so.
pub(super) fn parts(connectors: &Connectors, claimed: Vec<Due>) -> Vec<Vec<Due>> {
    let mut parts: Vec<Vec<Due>> = Vec::new();
    for due in claimed {
        let most = connectors.get(&due.intent.platform).map_or(1, |c| usize::from(c.capabilities().submit_batch));
        // Writes for one card stay in their order.
        let of_card = |part: &Vec<Due>| part.iter().any(|other| other.intent.sim == due.intent.sim);
        let first = parts.iter().rposition(of_card).map_or(0, |last| last + 1);
        let fits = |part: &Vec<Due>| part.len() < most && due.joins(part);
        let place = if most > 1 && due.may_join() { parts[first..].iter().position(fits).map(|n| first + n) } else { None };
        match place {
            Some(place) => parts[place].push(due),
            None => parts.push(vec![due]),
        }
    }
    parts
}

/// Moves writes that go together one step on; those that another worker has by now are left out.
pub(super) fn work(engine: &Engine, connectors: &Connectors, token: i64, part: Vec<Due>) -> Result<Vec<(Due, Word)>> {
    let Some(platform) = part.first().map(|due| due.intent.platform) else { return Ok(Vec::new()) };
    let Some(connector) = connectors.get(&platform) else {
        let later = Answer::Later { seconds: 60, reason: format!("platform {platform} has no connector open") };
        return Ok(part.into_iter().map(|due| due.answered(later.clone())).collect());
    };
    let can = connector.capabilities();
    if !can.sms && part.iter().any(|due| matches!(due.kept.request.write, Write::SendSms { .. })) {
        let code = engine.catalogue()?.platform(platform).map(|p| p.code.clone()).unwrap_or_default();
        let later = Answer::Later { seconds: PERSON_SECONDS, reason: sms::unable(&code) };
        return Ok(part.into_iter().map(|due| due.answered(later.clone())).collect());
    }
    let at = (platform, connector.as_ref());
    let mut told = match <[Due; 1]>::try_from(part) {
        Ok([due]) => one(engine, at, token, due)?,
        Err(part) => submit(engine, at, token, part)?,
    };
    for (due, word) in &mut told {
        (word.answer, word.counter) = read_back(engine, at, &due.kept.request, word.answer.clone())?;
        if can.by_hand && matches!(word.answer, Answer::Accepted { .. }) {
            let reason = BY_HAND.into();
            (word.answer, word.by_hand) = (Answer::Later { seconds: PERSON_SECONDS, reason }, true);
        }
    }
    Ok(told)
}

/// A write by itself: asked for where it may have been taken, else sent.
fn one(engine: &Engine, at: At<'_>, token: i64, due: Due) -> Result<Vec<(Due, Word)>> {
    if due.is_fresh() {
        return submit(engine, at, token, vec![due]);
    }
    let (connector, request) = (at.1, &due.kept.request);
    let sent = due.kept.sent.clone().unwrap_or_else(|| Sent::in_doubt(Timestamp(due.intent.created_at)));
    let look = upstream::ask(engine, at, Purpose::Act, &|call| upstream::of_write(connector.look(call, request, &sent)))?;
    match look.unwrap_or_else(|not_asked| not_asked) {
        // The carrier never heard of it: it was lost on the way, so it is sent again under the same reference.
        Answer::Unknown => submit(engine, at, token, vec![due]),
        told => Ok(vec![due.answered(told)]),
    }
}

/// What a write came to just before it was to be sent.
#[derive(Debug, Clone)]
enum Marked {
    /// It is on its way from now on.
    Sent(Kept),
    /// Its card takes no other write for so many seconds.
    Cooling(i64),
    /// Another worker has it.
    Lost,
}

/// Sends writes, several as one batch.
fn submit(engine: &Engine, at: At<'_>, token: i64, part: Vec<Due>) -> Result<Vec<(Due, Word)>> {
    let lease = engine.settings().lease_seconds;
    let writes: Vec<(i64, SimId, Kept, bool)> =
        part.iter().map(|due| (due.intent.id, due.intent.sim, due.kept.clone(), due.is_paced())).collect();
    let note = move |tx: &mut Tx<'_>, now: Timestamp| mark(tx, &writes, (token, lease), now);
    let send = |call: &Call<'_>, marked: &Vec<Marked>| {
        let sent = |m: &Marked| if let Marked::Sent(kept) = m { Some(kept.request.clone()) } else { None };
        let requests: Vec<Request> = marked.iter().filter_map(sent).collect();
        hand_in(at.1, call, &requests)
    };
    let (marked, told) = match upstream::ask_noted(engine, at, (Purpose::Act, 1), note, &send)? {
        Asked::Told(marked, told) => (marked, told),
        Asked::Held { seconds, reason } => {
            let later = Answer::Later { seconds, reason };
            return Ok(part.into_iter().map(|due| due.answered(later.clone())).collect());
        }
    };
    let now = engine.now();
    let cool_seconds = at.1.capabilities().cool_down_seconds;
    let mut answers = told.map(Vec::into_iter);
    let mut words = Vec::with_capacity(part.len());
    for (due, marked) in part.into_iter().zip(marked) {
        let kept = match marked {
            Marked::Sent(kept) => kept,
            Marked::Lost => continue,
            Marked::Cooling(seconds) => {
                let reason = "its card takes no write so soon after another".into();
                words.push(due.answered(Answer::Later { seconds, reason }));
                continue;
            }
        };
        let missing = || Answer::InDoubt { reason: "the connector gave no answer for it".into() };
        let answer = match &mut answers {
            Ok(answers) => answers.next().unwrap_or_else(missing),
            Err(not_sent) => not_sent.clone(),
        };
        let answer = already::of_another(engine, at, &kept.request, due.kept.sent.as_ref(), answer)?;
        let answer = if direct::is_direct(&due.intent) { direct::firm(answer) } else { answer };
        let sent = sent_by(&answer, now);
        let may_be_taken = matches!(answer, Answer::Accepted { .. } | Answer::Confirmed | Answer::InDoubt { .. });
        let cool_seconds = if may_be_taken && kept.request.write.cools() { cool_seconds } else { 0 };
        let first = kept.first.filter(|_| sent.is_some());
        let kept = Kept { sent, first, ..kept };
        words.push((due, Word { answer, counter: None, kept, cool_seconds, by_hand: false }));
    }
    Ok(words)
}

/// Hands writes in; a login that is dead, or refused, for all of them is no answer to any.
fn hand_in(connector: &dyn Connector, call: &Call<'_>, requests: &[Request]) -> Told<Vec<Answer>> {
    let answers = match requests {
        [] => return Ok(Vec::new()),
        [request] => vec![connector.submit(call, request)],
        many => connector.submit_many(call, many),
    };
    let said_of_login: Option<Vec<Answer>> = answers.iter().map(|a| upstream::of_write(a.clone()).err()).collect();
    match said_of_login.and_then(|all| all.into_iter().next()) {
        Some(none) => Err(none),
        None => Ok(answers),
    }
}

/// Notes that these writes are on their way, those that are still this worker's and whose cards do not cool down.
fn mark(tx: &mut Tx<'_>, writes: &[(i64, SimId, Kept, bool)], (token, lease): (i64, i64), now: Timestamp) -> Result<Vec<Marked>> {
    let mut paced: Vec<i64> = writes.iter().filter(|w| w.3).map(|w| w.1.0).collect();
    paced.sort_unstable();
    let cooling: HashMap<SimId, Timestamp> = tx.cooling(&paced, now)?.into_iter().collect();
    let mut marked = Vec::with_capacity(writes.len());
    for (id, sim, kept, is_paced) in writes {
        if let Some(end) = cooling.get(sim).filter(|_| *is_paced) {
            marked.push(Marked::Cooling(end.since(now)));
            continue;
        }
        let kept = Kept { sent: Some(Sent::in_doubt(now)), first: kept.first.or(Some(now)), ..kept.clone() };
        let is_ours = tx.keep_intent(*id, token, now.plus(lease), (&text(&kept)?, None))?;
        marked.push(if is_ours { Marked::Sent(kept) } else { Marked::Lost });
    }
    Ok(marked)
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

/// Reads at the carrier what it says it has done, where that can be read and was not. What does not show is in doubt.
fn read_back(engine: &Engine, at: At<'_>, request: &Request, answer: Answer) -> Result<(Answer, Option<Count>)> {
    let (can, write) = (at.1.capabilities(), &request.write);
    let wanted = write.shown_by().and(can.facts);
    let was_seen = can.shows && answer == Answer::Confirmed && write.sets();
    // A network and a counter are nothing but what is told of them.
    let can_be_read = wanted != Facts::NONE || matches!(write, Write::SwitchNetwork { .. } | Write::RefreshUsage);
    if was_seen || !can_be_read || !matches!(answer, Answer::Confirmed | Answer::Already) {
        return Ok((answer, None));
    }
    let doubt = |words: String| (Answer::InDoubt { reason: format!("said to be done, but {words}") }, None);
    let line = match upstream::read(engine, at, Purpose::Act, (&request.card, wanted))? {
        Ok(line) => line,
        Err(Answer::Refused { code, reason }) => return Ok(doubt(format!("the card is not told: {code} {reason}"))),
        Err(not_told) => return Ok((not_told, None)),
    };
    Ok(match write.seen(&line) {
        Sight::Not(words) => doubt(words),
        Sight::Done | Sight::Untold => {
            let told = Count::all(can.cycle, &line).into_iter().next();
            (answer, told.filter(|_| *write == Write::RefreshUsage))
        }
    })
}
