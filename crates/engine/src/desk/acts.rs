//! What doors ask of the carrier for cards, of tasks, and of messages.

use super::Engine;
use crate::act::{Actor, Once, RequestKey};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::network::{self, CardKey, Paced};
use crate::{sms, tasks};
use kachi_domain::Iccid;
use std::sync::Arc;

impl Engine {
    /// The networks a card may switch to, and the one it is on as far as is known.
    pub async fn switch_options(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        card: CardKey,
    ) -> Result<(Vec<String>, String)> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, catalogue| network::options(tx, catalogue, &actor, &card)).await
    }

    /// Asks the carrier to let the card use a network; the same request again gets the same answer.
    pub async fn switch_network(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (card, network, reference): (CardKey, String, String),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(
            catalogue,
            actor,
            key,
            move |tx, catalogue, how, actor| network::switch(tx, catalogue, how, actor, (&card, &network, &reference)),
            render,
        )
        .await
    }

    /// Asks the carrier for an act that may be asked for once in a while; the same request again gets the same answer.
    pub async fn ask_carrier(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (card, act, reference): (CardKey, Paced, String),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(
            catalogue,
            actor,
            key,
            move |tx, catalogue, how, actor| network::ask(tx, catalogue, how, actor, (&card, act, &reference)),
            render,
        )
        .await
    }

    /// Queues a message under the number; the same request again gets the same answer.
    pub async fn send_sms(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (iccid, text, number): (Iccid, String, String),
        render: impl Fn(&()) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(
            catalogue,
            actor,
            key,
            move |tx, catalogue, how, actor| sms::send(tx, catalogue, how, actor, (&iccid, &text, &number)),
            render,
        )
        .await
    }

    /// Makes a task that resets the cards; its number is rendered, and the same request again gets the same answer.
    pub async fn reset_cards(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        iccids: Vec<Iccid>,
        render: impl Fn(&i64) -> String + Send + 'static,
    ) -> Result<Once> {
        self.command(catalogue, actor, key, move |tx, _, how, actor| tasks::reset(tx, how, actor, &iccids), render).await
    }

    /// Where tasks stand; those the account does not see are left out.
    pub async fn tasks(&self, catalogue: &Arc<Catalogue>, actor: &Actor, ids: Vec<i64>) -> Result<Vec<tasks::Progress>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| tasks::query(tx, &actor, &ids)).await
    }
}
