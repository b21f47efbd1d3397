//! Why cards are stopped, where the reason costs requests of its own.
//!
//! Read when nothing else is due at the platform, of cards that their carrier shows stopped and that nothing of ours stopped, once a
//! stop, and within a number of requests a day (`sync.reason_requests`), which are let go hour by hour: a day on which the carrier stops a
//! fifth of all cards must not cost a request for each. What is left over is read on the days after; whoever asks for a card has its
//! reason at once. One that the carrier does not tell is asked for again after a day.

use super::{AGAIN_SECONDS, READS_AT_ONCE, Went, Work, china, is_silent, named, noted_no, one_by_one};
use crate::error::{Fail, Result};
use crate::told;
use kachi_domain::carrier::{Answer, Card, Fact, Facts, Line};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{SimId, Timestamp};
use kachi_store::sync::Asked;
use std::collections::HashMap;

/// What they are called among the requests made, and among what is asked of cards.
pub(super) const REASON: &str = "reason";
/// Seconds by which the day's requests are let go ahead of the clock.
const AHEAD_SECONDS: i64 = 3_600;

/// How many of a day's requests are let go by now, one at least.
fn let_go(most: i64, now: Timestamp) -> i64 {
    let of_day = now.since(china().start_of_day(china().day(now))) + AHEAD_SECONDS;
    most.saturating_mul(of_day.min(DAY_SECONDS)).saturating_add(DAY_SECONDS - 1) / DAY_SECONDS
}

impl Work<'_> {
    /// Reads the reasons of some cards, if today's requests for them are not used up.
    pub(super) fn reasons(&mut self) -> Result<Went> {
        let (wanted, connector, platform) = (Facts::of(&[Fact::StopReason]), self.connector, self.platform);
        let most = self.engine.settings().sync.reason_requests;
        if most == 0 || !self.can.facts.has(Fact::StopReason) {
            return Ok(Went::On);
        }
        // What is told was so at this instant, not when it is kept.
        let (now, cost) = (self.engine.now(), i64::from(connector.cost(wanted).max(1)));
        let today = china().day(now);
        let some = i64::try_from(self.at_once(wanted).min(READS_AT_ONCE)).unwrap_or(1);
        let cards = self.engine.store().look(|tx| {
            let made = tx.sync_calls(platform, today).map_err(Fail::from)?;
            let made = made.iter().find(|(what, _)| what == REASON).map_or(0, |(_, calls)| *calls);
            tx.unexplained_stops((platform, REASON), now, some.min((let_go(most, now) - made) / cost)).map_err(Fail::from)
        })?;
        let cards: Vec<Card> = cards.iter().map(named).collect();
        if cards.is_empty() {
            return Ok(Went::On);
        }
        let (requests, before) = (connector.cost(wanted).saturating_mul(cards.len() as u32), self.made);
        let told = match self.ask(requests, &|call| one_by_one(connector, call, &cards, wanted))? {
            Err(no) => return self.no_answer(no),
            Ok(told) => told,
        };
        if let Some(Err(silent)) = told.first().filter(|first| is_silent(first)) {
            return self.no_answer(silent.clone());
        }
        let read: HashMap<String, _> = cards.iter().map(|card| card.iccid.clone()).zip(told).collect();
        self.explained(read, now, self.made - before)
    }

    fn explained(&mut self, read: HashMap<String, super::Told<Line>>, asked_at: Timestamp, requests: u32) -> Result<Went> {
        let platform = self.platform;
        self.under_lease(move |tx, catalogue, how| {
            let iccids: Vec<&str> = read.keys().map(String::as_str).collect();
            let mut sims = tx.sims_by_iccid(&kachi_domain::account::Path::root(), &iccids)?;
            sims.sort_unstable_by_key(|s| s.id);
            // Of the reason alone: where the card stands was read before, and is read again by itself.
            let alone = |line: &Line| Line { stop: line.stop.clone(), ..Line::default() };
            let told = sims.iter().filter_map(|sim| Some((sim.id, alone(read.get(&sim.iccid)?.as_ref().ok()?))));
            let told: Vec<(SimId, Line)> = told.collect();
            let told: Vec<(SimId, &Line)> = told.iter().map(|(id, line)| (*id, line)).collect();
            // Of a card that a write was confirmed about meanwhile the carrier's word is forgotten: it is asked about when it is read to be
            // stopped again.
            told::stand(tx, catalogue, how, &told, asked_at)?;
            let mut asked = Vec::with_capacity(sims.len());
            for sim in &sims {
                let (wait, words) = match read.get(&sim.iccid) {
                    None => continue,
                    // Told: until its next stop nobody asks again, and then at once.
                    Some(Ok(line)) if line.stop.is_some() => (None, String::new()),
                    Some(Ok(_)) => (Some(DAY_SECONDS), String::new()),
                    Some(Err(no @ Answer::Refused { .. })) => (Some(DAY_SECONDS), noted_no(no)),
                    Some(Err(silent)) => (Some(AGAIN_SECONDS), noted_no(silent)),
                };
                asked.push(Asked {
                    sim: sim.id.0,
                    as_of: Some(how.now.0),
                    held_until: wait.map(|wait| how.now.plus(wait).0),
                    words,
                });
            }
            tx.note_asked(platform, REASON, &asked, how.now)?;
            Ok(tx.add_sync_calls(platform, china().day(how.now), REASON, i64::from(requests))?)
        })
    }
}
