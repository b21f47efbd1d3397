//! Messages to many cards at once, what became of each, and handing that out once.

use crate::act::{Actor, Once, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::{Engine, fresh_enough};
use crate::error::{Fail, Result, fault};
use crate::network::{self, CardKey};
use kachi_domain::carrier::{Request, Write};
use kachi_domain::sms::{BATCH_NUMBERS_MAX, HANDED_MAX, parts, refuse_length};
use kachi_domain::{Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Wish;
use kachi_store::sims::Sim;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the text came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carriage {
    /// As it is.
    Plain,
    /// Encrypted on its way to our door; from here on it is as it is.
    Sealed,
}

impl Carriage {
    /// What the write of such a message is stored for.
    pub(super) fn cause(self) -> &'static str {
        match self {
            Carriage::Plain => "sms",
            Carriage::Sealed => "sms_sealed",
        }
    }
}

/// What was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// How many messages.
    pub count: i64,
    /// How many they count as, long ones as several.
    pub fee: i64,
    /// The batch, which reports name.
    pub task: String,
}

/// What became of a message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The batch.
    pub task: String,
    /// The number.
    pub mobile: String,
    /// `DELIVRD`, or the carrier's code.
    pub state: String,
    /// When.
    pub at: Timestamp,
}

/// What a card's device wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The carrier's number of it.
    pub id: String,
    /// The card's number.
    pub mobile: String,
    /// To which number.
    pub to: String,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Queues a text for cards, each once, under a batch name that no other has. A card that the account does not see, or
/// whose life is over, or whose platform is known not to send messages, refuses the whole.
fn send(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (cards, text, task, carriage): (&[CardKey], &str, &str, Carriage),
) -> Result<Sent> {
    refuse_length(text)?;
    if cards.is_empty() {
        return Err(Refusal::BadField { field: "mobile".into(), rule: "at least one number".into() }.into());
    }
    if cards.len() > BATCH_NUMBERS_MAX {
        return Err(Refusal::TooMany { max: BATCH_NUMBERS_MAX as i64 }.into());
    }
    let mut found: BTreeMap<SimId, Sim> = BTreeMap::new();
    let write = Write::SendSms { text: text.to_owned() };
    for card in cards {
        let sim = card.find(tx, actor)?;
        network::refuse_out_of_service(tx, &sim)?;
        network::refuse_unable(catalogue, &sim, &write)?;
        found.insert(sim.id, sim);
    }
    let mut messages = Vec::with_capacity(found.len());
    for (n, sim) in found.values().enumerate() {
        let reference = format!("{task}-{n}");
        let request = Request { reference: reference.clone(), card: network::named(sim), write: write.clone() };
        let request = serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?;
        let platform = network::platform(catalogue, sim)?.id;
        let (cause, asked_by) = (carriage.cause(), Some(actor.account));
        let wish =
            Wish { account: sim.account, sim: sim.id, platform, cause, task: None, asked_by, matter: 0, request: &request };
        tx.add_wish(&wish, how.now)?;
        let mobile = sim.msisdn.clone().unwrap_or_else(|| sim.iccid.clone());
        messages.push((sim.id, mobile, reference));
    }
    tx.add_sms_batch((actor.account, task), &messages, (text, ""), how.now)?;
    let count = found.len() as i64;
    Ok(Sent { count, fee: count * parts(text), task: task.to_owned() })
}

impl Engine {
    /// Queues a text for cards; the same request again gets the same answer.
    pub async fn send_iot_sms(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (cards, text, task, carriage): (Vec<CardKey>, String, String, Carriage),
        render: impl Fn(&Sent) -> String + Send + 'static,
    ) -> Result<Once> {
        let act = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            send(tx, catalogue, how, actor, (&cards, &text, &task, carriage))
        };
        self.command(catalogue, actor, key, act, render).await
    }

    /// Hands out reports on the account's messages, the oldest first: each once, whether or not the answer arrives.
    pub async fn take_sms_reports(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Vec<Report>> {
        let (account, now, catalogue) = (actor.account, self.now(), catalogue.clone());
        let taken = self.store().write_in_lane(account.0, move |tx| {
            tx.lock_requests(account)?;
            fresh_enough(tx, &catalogue)?;
            Ok::<_, Fail>(tx.take_sms_reports(account, HANDED_MAX, now)?)
        });
        let report = |(task, mobile, state, at)| Report { task, mobile, state, at: Timestamp(at) };
        Ok(taken.await?.into_iter().map(report).collect())
    }

    /// Hands out what devices of the account's cards wrote, the oldest first: each once, whether or not the answer arrives.
    pub async fn take_sms_replies(&self, catalogue: &Arc<Catalogue>, actor: &Actor) -> Result<Vec<Reply>> {
        let (account, now, catalogue) = (actor.account, self.now(), catalogue.clone());
        let taken = self.store().write_in_lane(account.0, move |tx| {
            tx.lock_requests(account)?;
            fresh_enough(tx, &catalogue)?;
            Ok::<_, Fail>(tx.take_sms_replies(account, HANDED_MAX, now)?)
        });
        let reply = |(id, mobile, to, text, at)| Reply { id, mobile, to, text, at: Timestamp(at) };
        Ok(taken.await?.into_iter().map(reply).collect())
    }
}
