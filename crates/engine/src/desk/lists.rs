//! Lists of cards as the doors see them.

use super::{Engine, fresh_enough};
use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result};
use crate::lists::{self, Counts, Names, Page, Part};
use crate::sims::Card;
use kachi_domain::{AccountId, Iccid};
use std::sync::Arc;

/// Steps in which changes are put into parts before one of them is read, each of 5,000 cards at most.
const SETTLED_AT_MOST: usize = 20;

/// Which cards of a list, and which stretch of it.
#[derive(Debug, Clone, Default)]
pub struct CardList {
    /// Only of this part; none = all.
    pub part: Option<Part>,
    /// Only these, in a number that the caller bounds; none = all.
    pub names: Option<Names>,
    /// Cards to pass over.
    pub offset: i64,
    /// Cards at most.
    pub limit: i64,
}

impl Engine {
    /// A page of the cards the account sees, and how many there are in all.
    pub async fn cards(&self, catalogue: &Arc<Catalogue>, actor: &Actor, list: CardList) -> Result<Page<Card>> {
        let (catalogue, who, now) = (catalogue.clone(), actor.clone(), self.now());
        if list.part.is_some() && list.names.is_none() {
            self.settle_parts(actor.account).await?;
        }
        let page = self.ask(move |store| {
            store.look(|tx| fresh_enough(tx, &catalogue))?;
            let (actor, stretch) = (&who, (list.offset, list.limit));
            match &list.names {
                None => lists::cards(store, &catalogue, actor, list.part, stretch, now),
                Some(names) => lists::named(store, &catalogue, actor, (names, list.part), stretch, now),
            }
        });
        let page = page.await?;
        self.note_walk(actor, &page).await?;
        Ok(page)
    }

    /// What has changed of the account's cards goes into the parts of its list before one is read: all of it, but for so many
    /// cards that whoever asks would wait for long.
    async fn settle_parts(&self, account: AccountId) -> Result<()> {
        for _ in 0..SETTLED_AT_MOST {
            if !self.ask(move |store| store.look(|tx| tx.has_part_changes(account).map_err(Fail::from))).await? {
                break;
            }
            let now = self.now();
            self.store.write_async(move |tx| lists::settle_parts(tx, account, now)).await?;
        }
        Ok(())
    }

    /// A list with holes is being read: they stay for the pages that follow.
    async fn note_walk<T>(&self, actor: &Actor, page: &Page<T>) -> Result<()> {
        if page.holes {
            let (account, now) = (actor.account, self.now());
            self.store.write_async(move |tx| tx.note_walk(account, now).map_err(Fail::from)).await?;
        }
        Ok(())
    }

    /// How many cards the account sees, and what they are.
    pub async fn card_counts(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Counts> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| lists::counts(tx, &actor)).await
    }

    /// A page of the warnings (ICCID, type 1 to 3) of the international cards the account sees, of one type or all, of one
    /// card or all; and how many there are.
    pub async fn warnings(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (alert_type, iccid): (Option<i64>, Option<Iccid>),
        stretch: (i64, i64),
    ) -> Result<Page<(String, i64)>> {
        let who = actor.clone();
        if iccid.is_none() {
            self.settle_parts(actor.account).await?;
        }
        let asked = move |tx: &mut kachi_store::Tx<'_>, catalogue: &Catalogue| {
            lists::warnings(tx, catalogue, &who, (alert_type, iccid.as_ref()), stretch)
        };
        let page = self.question(catalogue, asked).await?;
        self.note_walk(actor, &page).await?;
        Ok(page)
    }
}
