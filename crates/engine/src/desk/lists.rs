//! Lists of cards as the doors see them.

use super::{Engine, fresh_enough};
use crate::act::Actor;
use crate::catalogue::Catalogue;
use crate::error::{Fail, Result};
use crate::lists::{self, Counts, Page};
use crate::sims::Card;
use kachi_domain::Iccid;
use kachi_domain::sim::Stage;
use std::sync::Arc;

/// Which cards of a list, and which stretch of it.
#[derive(Debug, Clone, Default)]
pub struct CardList {
    /// Only of this stage; none = all.
    pub stage: Option<Stage>,
    /// Only these, in a number that the caller bounds; none = all.
    pub iccids: Option<Vec<String>>,
    /// Cards to pass over.
    pub offset: i64,
    /// Cards at most.
    pub limit: i64,
}

impl Engine {
    /// A page of the cards the account sees, and how many there are in all.
    pub async fn cards(&self, catalogue: &Arc<Catalogue>, actor: &Actor, list: CardList) -> Result<Page<Card>> {
        let (catalogue, who, now) = (catalogue.clone(), actor.clone(), self.now());
        let page = self.ask(move |store| {
            store.look(|tx| fresh_enough(tx, &catalogue))?;
            let (actor, stretch) = (&who, (list.offset, list.limit));
            let Some(iccids) = &list.iccids else { return lists::cards(store, &catalogue, actor, list.stage, stretch, now) };
            let iccids: Vec<&str> = iccids.iter().map(String::as_str).collect();
            lists::named(store, &catalogue, actor, (&iccids, list.stage), stretch, now)
        });
        let page = page.await?;
        if page.holes {
            let account = actor.account;
            self.store.write_async(move |tx| tx.note_walk(account, now).map_err(Fail::from)).await?;
        }
        Ok(page)
    }

    /// How many cards the account sees, and what they are.
    pub async fn card_counts(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Counts> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| lists::counts(tx, &actor)).await
    }

    /// A page of the warnings (ICCID, type 1 to 3) of the cards the account sees, of one type or all, of one card or all; and
    /// how many there are.
    pub async fn warnings(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (alert_type, iccid): (Option<i64>, Option<Iccid>),
        stretch: (i64, i64),
    ) -> Result<Page<(String, i64)>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| lists::warnings(tx, &actor, alert_type, iccid.as_ref(), stretch)).await
    }
}
