//! Messages to people's telephones, by template, paid from the balance (CardBOSS v2.2.2, 3.5.5).

use super::Sent;
use crate::act::{Actor, Once, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use kachi_domain::carrier::{Card, Request, Write};
use kachi_domain::ledger::{self, Journal};
use kachi_domain::sms::{BATCH_NUMBERS_MAX, fill, parts, refuse_length};
use kachi_domain::{PlatformId, Refusal, SimId};
use kachi_store::Tx;
use kachi_store::intents::Wish;
use std::sync::Arc;

/// A message to people's telephones.
#[derive(Debug, Clone)]
pub struct PhoneSms {
    /// The telephones.
    pub numbers: Vec<String>,
    /// The template's code.
    pub template: String,
    /// Its values, such as `@1@=a|@2@=b`.
    pub content: String,
    /// A name for the batch that no other has (made at the roof).
    pub task: String,
}

/// Fills the template, takes what it costs and queues a message for each telephone: all of it or nothing. It is paid when
/// it is handed in; what a carrier refuses later is not given back.
fn send(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, cmd: &PhoneSms) -> Result<Sent> {
    let numbers = telephones(&cmd.numbers)?;
    let template = tx.sms_template(&cmd.template)?.filter(|t| t.account == actor.account).ok_or(Refusal::UnknownTemplate)?;
    if !template.approved {
        return Err(Refusal::TemplateNotApproved.into());
    }
    let text = format!("{}{}", template.signature, fill(&template.text, &cmd.content)?);
    refuse_length(&text)?;
    let platform = channel(catalogue).ok_or(Refusal::NoChannel)?;
    let sent = Sent { count: numbers.len() as i64, fee: numbers.len() as i64 * parts(&text), task: cmd.task.clone() };
    let price = template.price_minor.checked_mul(sent.fee).ok_or_else(|| fault("the price of messages is beyond any amount"))?;
    tx.lock_balances(&[actor.account])?;
    let (available, _, credit) = tx.balance(actor.account)?;
    if available.saturating_add(credit) < price {
        return Err(Refusal::InsufficientBalance.into());
    }
    let postings = ledger::sms_charge(actor.account, price);
    tx.post(actor.account, Journal::SmsCharge, &format!("sms {}", cmd.task), &postings, how.now)?;
    let mut messages = Vec::with_capacity(numbers.len());
    for (n, to) in numbers.into_iter().enumerate() {
        let reference = format!("{}-{n}", cmd.task);
        let write = Write::SendPhone { to: to.clone(), text: text.clone() };
        let request = Request { reference: reference.clone(), card: Card::default(), write };
        let request = serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?;
        let (account, cause) = (actor.account, "phone_sms");
        let wish = Wish { account, sim: SimId(0), platform, cause, task: None, asked_by: account, request: &request };
        tx.add_wish(&wish, how.now)?;
        messages.push((SimId(0), to, reference));
    }
    tx.add_sms_batch((actor.account, &cmd.task), &messages, (&text, ""), how.now)?;
    Ok(sent)
}

/// The telephones, each once.
fn telephones(given: &[String]) -> Result<Vec<String>> {
    if given.len() > BATCH_NUMBERS_MAX {
        return Err(Refusal::TooMany { max: BATCH_NUMBERS_MAX as i64 }.into());
    }
    let mut numbers: Vec<String> = given.iter().map(|n| n.trim().to_owned()).collect();
    let good = |n: &String| n.len() == 11 && n.starts_with('1') && n.bytes().all(|b| b.is_ascii_digit());
    if numbers.is_empty() || !numbers.iter().all(good) {
        let rule = "telephone numbers of 11 digits that begin with 1, joined by commas".to_owned();
        return Err(Refusal::BadField { field: "mobile".into(), rule }.into());
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// The first platform that sends messages to telephones.
fn channel(catalogue: &Catalogue) -> Option<PlatformId> {
    catalogue.platforms().filter(|p| p.capabilities.is_some_and(|can| can.phone_sms)).map(|p| p.id).min()
}

impl Engine {
    /// Sends a message to people's telephones; the same request again gets the same answer and is paid once.
    pub async fn send_phone_sms(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        cmd: PhoneSms,
        render: impl Fn(&Sent) -> String + Send + 'static,
    ) -> Result<Once> {
        let act =
            move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| send(tx, catalogue, how, actor, &cmd);
        self.command(catalogue, actor, key, act, render).await
    }
}
