//! What cards spoke, where a platform's batches tell their data alone: a request a card, for those with a voice package in use.

use super::{Went, Work, china, what};
use crate::error::Result;
use crate::upstream::Told;
use crate::{cards, told};
use kachi_domain::account::Path;
use kachi_domain::carrier::{Answer, Ask, Card, Fact, Facts, Line};
use kachi_domain::package::Resource;
use kachi_domain::sync::What;
use kachi_store::sync::Candidate;
use std::collections::HashMap;

/// Whether the card had a voice package in use after its last input.
pub(super) fn is_in_use(card: &Candidate) -> Result<bool> {
    if card.head.is_empty() {
        return Ok(false);
    }
    Ok(cards::decode(&card.head)?.live.iter().any(|l| l.terms.resource == Resource::Voice && l.running.is_some()))
}

/// Cards of which an answer told something, and nothing of what they spoke.
pub(super) fn mute(cards: &[Card], told: &[Told<Line>]) -> Vec<Card> {
    let silent = |(_, told): &(&Card, &Told<Line>)| told.as_ref().is_ok_and(|line| line.voice.is_none());
    cards.iter().zip(told).filter(silent).map(|(card, _)| card.clone()).collect()
}

impl Work<'_> {
    /// Asks for what these cards spoke in the running month, as far as they have a package for it: whenever their newest data is
    /// asked for, which is once a day where days are told.
    pub(super) fn voices(&mut self, ask: Ask, cards: &[Card]) -> Result<Went> {
        let (wanted, connector) = (Facts::of(&[Fact::Voice]), self.connector);
        let is_newest = match ask {
            Ask::State => false,
            Ask::Day(_) => true,
            Ask::Month(month) => month == self.can.cycle.month(china().day(self.engine.now())),
        };
        if !is_newest || !self.can.facts.has(Fact::Voice) {
            return Ok(Went::On);
        }
        let cards: Vec<Card> = cards.iter().filter(|c| self.speaking.contains(&c.iccid)).cloned().collect();
        for part in cards.chunks(self.at_once(wanted)) {
            let (requests, before) = (connector.cost(wanted).saturating_mul(part.len() as u32), self.made);
            let read = self.ask(requests, &|call| {
                let mut read = Vec::with_capacity(part.len());
                for card in part {
                    match connector.read(call, card, wanted) {
                        Ok(line) => read.push((card.iccid.clone(), line)),
                        // It is asked again with its next figure.
                        Err(Answer::Refused { .. }) => {}
                        Err(silent) if read.is_empty() => return Err(silent),
                        Err(_) => break,
                    }
                }
                Ok(read)
            })?;
            let read = match read {
                Ok(read) => read,
                Err(silent) => return self.no_answer(silent),
            };
            if self.heard(what(ask), read, self.made - before)? == Went::Rests {
                return Ok(Went::Rests);
            }
        }
        Ok(Went::On)
    }

    fn heard(&mut self, what: What, read: Vec<(String, Line)>, requests: u32) -> Result<Went> {
        let (platform, read) = (self.platform, read.into_iter().collect::<HashMap<_, _>>());
        self.under_lease(move |tx, catalogue, how| {
            let iccids: Vec<&str> = read.keys().map(String::as_str).collect();
            let mut sims = tx.sims_by_iccid(&Path::root(), &iccids)?;
            sims.sort_unstable_by_key(|s| s.id);
            for sim in &sims {
                if let Some(line) = read.get(&sim.iccid) {
                    told::spoke(tx, catalogue, how, sim.id, line)?;
                }
            }
            Ok(tx.add_sync_calls(platform, china().day(how.now), what.word(), i64::from(requests))?)
        })
    }
}
