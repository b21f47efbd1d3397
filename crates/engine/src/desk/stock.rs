//! Cards as their owner keeps them, and devices, as the doors see them.

use super::{Engine, fresh_enough};
use crate::act::Actor;
use crate::card_reads::{self, Ask};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result};
use crate::lists::Page;
use crate::sims::Card;
use crate::stock::{self, Kept, Key, New, Said, Statistics, Which};
use crate::switch::{self, Switched};
use kachi_domain::SimId;
use kachi_domain::carrier::Write;
use kachi_store::Tx;
use kachi_store::devices::Device;
use std::sync::Arc;
use std::time::Duration;

/// How often an answer that is waited for is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What became of a reading that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The carrier has told, and it is kept.
    Done,
    /// It will not tell; its words.
    Failed(String),
    /// No answer yet; it is being asked on.
    Waiting,
}

impl Engine {
    /// An act of a door that needs no first answer: done again it does nothing more.
    async fn act<T: Send + 'static>(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        act: impl Fn(&mut Tx<'_>, &Catalogue, &Settling, &Actor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (catalogue, actor, how) = (catalogue.clone(), actor.clone(), self.settling());
        let acted = self.store.write_async(move |tx| {
            fresh_enough(tx, &catalogue)?;
            act(tx, &catalogue, &how, &actor)
        });
        acted.await
    }

    /// A page of the cards that are looked for.
    pub async fn find_cards(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        which: Which,
        stretch: (i64, i64),
    ) -> Result<Page<Kept>> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| stock::find(tx, catalogue, &actor, &which, stretch, now)).await
    }

    /// One card with the device it is in.
    pub async fn kept_card(&self, catalogue: &Arc<Catalogue>, actor: &Actor, key: Key) -> Result<Kept> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| stock::show(tx, catalogue, &actor, &key, now)).await
    }

    /// A device with the card in it.
    pub async fn kept_device(&self, catalogue: &Arc<Catalogue>, actor: &Actor, serial: String) -> Result<(Device, Option<Card>)> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| stock::device(tx, catalogue, &actor, &serial, now)).await
    }

    /// What the account's cards are, in numbers.
    pub async fn card_statistics(&self, catalogue: &Arc<Catalogue>, actor: &Actor, top: i64) -> Result<Statistics> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, catalogue| stock::statistics(tx, catalogue, &actor, top, now)).await
    }

    /// Adds cards, each by itself: one that is refused holds no other back. The answers are in their order.
    pub async fn create_cards(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        door: &'static str,
        cards: Vec<New>,
    ) -> Result<Vec<std::result::Result<SimId, kachi_domain::Refusal>>> {
        self.act(catalogue, actor, move |tx, catalogue, how, actor| {
            stock::may_add(catalogue, actor)?;
            let mut outcomes = Vec::with_capacity(cards.len());
            for card in &cards {
                match stock::create(tx, catalogue, how, actor, door, card.clone()) {
                    Ok(id) => outcomes.push(Ok(id)),
                    Err(Fail::Refused(no)) => outcomes.push(Err(no)),
                    Err(other) => return Err(other),
                }
            }
            Ok(outcomes)
        })
        .await
    }

    /// Changes what an owner may change of a card.
    pub async fn change_card(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        door: &'static str,
        (key, said): (Key, Said),
    ) -> Result<SimId> {
        self.act(catalogue, actor, move |tx, catalogue, how, actor| stock::change(tx, catalogue, how, actor, door, (&key, &said)))
            .await
    }

    /// Takes cards out to which nothing has happened, all or none; the answer is how many.
    pub async fn delete_cards(&self, catalogue: &Arc<Catalogue>, actor: &Actor, keys: Vec<Key>) -> Result<usize> {
        self.act(catalogue, actor, move |tx, _, how, actor| stock::delete(tx, how, actor, &keys)).await
    }

    /// Asks the carrier to stop a card, or to let it on.
    pub async fn switch_card(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (key, write, reference): (Key, Write, String),
    ) -> Result<Switched> {
        self.act(catalogue, actor, move |tx, catalogue, how, actor| {
            switch::switch(tx, catalogue, how, actor, (&key, write.clone(), &reference))
        })
        .await
    }

    /// Asks the carrier how a card is, and waits a while for the answer.
    pub async fn read_card(&self, catalogue: &Arc<Catalogue>, actor: &Actor, ask: Ask, patience: Duration) -> Result<Reading> {
        let id =
            self.act(catalogue, actor, move |tx, catalogue, how, actor| card_reads::ask(tx, catalogue, how, actor, &ask)).await?;
        let answered = async {
            loop {
                let read = self.ask(move |store| store.look(|tx| tx.card_read(id).map_err(Fail::from))).await?;
                match read.as_ref().map(|r| r.state.as_str()) {
                    Some("waiting") => tokio::time::sleep(LOOK_AGAIN).await,
                    Some("failed") => return Ok(Reading::Failed(read.map(|r| r.words).unwrap_or_default())),
                    // Settled, and forgotten because it was asked for again.
                    _ => return Ok(Reading::Done),
                }
            }
        };
        tokio::time::timeout(patience, answered).await.unwrap_or(Ok(Reading::Waiting))
    }
}
