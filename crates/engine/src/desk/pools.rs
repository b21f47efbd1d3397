//! Pools as doors call them: each method is one transaction, and an act asked for twice is done once.

use super::Engine;
use crate::act::{Actor, Once, RequestKey};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::orders::Placed;
use crate::pools::{self, CardFigures, Create, Offer, PoolAct, PoolRecord, Subscribe, View};
use crate::sims::Card;
use kachi_domain::{Iccid, PoolId, SimId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

impl Engine {
    /// Makes a pool; the same request again gets the same answer.
    pub async fn pool_create(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Create,
        render: impl Fn(&PoolId) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, c, how, actor| pools::create(tx, c, how, actor, &cmd), render).await
    }

    /// Buys a subscription for a pool; the same request again gets the same answer.
    pub async fn pool_subscribe(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: Subscribe,
        render: impl Fn(&Placed) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, c, how, actor| pools::subscribe(tx, c, how, actor, &cmd), render).await
    }

    /// Changes a pool; the same request again gets the same answer.
    pub async fn pool_act(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (id, act): (PoolId, PoolAct),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut kachi_store::Tx<'_>, c: &Catalogue, how: &crate::cards::Settling, actor: &Actor| match &act {
            PoolAct::Delete => pools::delete(tx, c, how, actor, id),
            PoolAct::Unsubscribe(which) => pools::unsubscribe(tx, c, how, actor, (id, which)),
            PoolAct::Add(iccids) => pools::add(tx, c, how, actor, (id, iccids)),
            PoolAct::Remove(iccids) => pools::remove(tx, c, how, actor, (id, iccids)),
        };
        self.command(catalogue, actor, key, act, render).await
    }

    /// The types of pool that can be bought, for a card, for a pool, or at all.
    pub async fn pool_offers(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (iccid, pool): (Option<Iccid>, Option<PoolId>),
    ) -> Result<Vec<Offer>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, c| pools::offers(tx, c, &actor, (iccid.as_ref(), pool))).await
    }

    /// Pools as they are now, by number; `ids` none = all.
    pub async fn pool_list(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (ids, memo): (Option<Vec<i64>>, Option<String>),
    ) -> Result<(Vec<View>, Timestamp)> {
        let (actor, now) = (actor.clone(), self.now());
        let views = self.question(catalogue, move |tx, c| pools::list(tx, c, &actor, (ids.as_deref(), memo.as_deref()), now));
        Ok((views.await?, now))
    }

    /// What was bought for a pool, oldest first.
    pub async fn pool_records(&self, catalogue: &Arc<Catalogue>, actor: &Actor, id: PoolId) -> Result<Vec<PoolRecord>> {
        let (actor, now) = (actor.clone(), self.now());
        self.question(catalogue, move |tx, c| pools::records(tx, c, &actor, id, now)).await
    }

    /// Those of the cards that could be put into a pool now.
    pub async fn pool_addable(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        (id, iccids): (PoolId, Vec<Iccid>),
    ) -> Result<Vec<String>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, c| pools::addable(tx, c, &actor, id, &iccids)).await
    }

    /// The cards in a pool, as they joined: (iccid, since).
    pub async fn pool_members(&self, catalogue: &Arc<Catalogue>, actor: &Actor, id: PoolId) -> Result<Vec<(String, Timestamp)>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| pools::members(tx, &actor, id)).await
    }

    /// What pools have to do with the figures of cards; a card that never was in one is not in the answer, nor asked about.
    pub async fn pooled_figures(&self, catalogue: &Arc<Catalogue>, cards: &[Card]) -> Result<HashMap<SimId, CardFigures>> {
        let sims: Vec<SimId> = cards.iter().filter(|c| c.was_pooled).map(|c| c.sim.id).collect();
        if sims.is_empty() {
            return Ok(HashMap::new());
        }
        let now = self.now();
        self.question(catalogue, move |tx, c| pools::figures(tx, c, &sims, now)).await
    }

    /// The pool with slots that a card is in.
    pub async fn pool_of_card(&self, catalogue: &Arc<Catalogue>, actor: &Actor, iccid: &Iccid) -> Result<Option<PoolId>> {
        let (actor, iccid) = (actor.clone(), iccid.clone());
        self.question(catalogue, move |tx, _| pools::with_slots_of_card(tx, &actor, &iccid)).await
    }
}
