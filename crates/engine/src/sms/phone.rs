//! Messages to people's telephones, by template, paid from the balance (CardBOSS v2.2.2, 3.5.5).
//!
//! Promised: where no card platform sends such messages, one stays queued and its note says so; it goes out once when one
//! does ([`send_waiting`]), unless the operator refuses it before ([`super::refuse()`]).

use super::Sent;
use crate::act::{Actor, Once, RequestKey};
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::money;
use kachi_domain::carrier::{Card, Request, Write};
use kachi_domain::ledger::{self, Journal};
use kachi_domain::sms::{BATCH_NUMBERS_MAX, fill, parts, refuse_length};
use kachi_domain::{AccountId, PlatformId, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::intents::Wish;
use kachi_store::ledger::NewJournal;
use kachi_store::sms::Template;
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
    let sent = Sent { count: numbers.len() as i64, fee: numbers.len() as i64 * parts(&text), task: cmd.task.clone() };
    let price = template.price_minor.checked_mul(sent.fee).ok_or_else(|| fault("the price of messages is beyond any amount"))?;
    tx.lock_balances(&[actor.account])?;
    let (available, _, credit) = tx.balance(actor.account)?;
    if available.saturating_add(credit) < price {
        return Err(Refusal::InsufficientBalance.into());
    }
    let (cause, postings) = (format!("sms {}", cmd.task), ledger::sms_charge(actor.account, price));
    money::post_all(tx, vec![NewJournal { account: actor.account, name: Journal::SmsCharge, cause, postings }], how.now)?;
    let messages: Vec<(SimId, String, String)> =
        numbers.into_iter().enumerate().map(|(n, to)| (SimId(0), to, format!("{}-{n}", cmd.task))).collect();
    let Some(platform) = channel(catalogue) else {
        tx.add_sms_batch((actor.account, &cmd.task), &messages, (&text, NO_CHANNEL), how.now)?;
        tx.set_sms_unsent(actor.account, &cmd.task)?;
        return Ok(sent);
    };
    for (_, to, reference) in &messages {
        wish(tx, platform, actor.account, (to, &text, reference), how.now)?;
    }
    tx.add_sms_batch((actor.account, &cmd.task), &messages, (&text, ""), how.now)?;
    Ok(sent)
}

/// Why a message stays queued.
const NO_CHANNEL: &str = "waits: no card platform sends messages to telephones";

/// Stores the carrier write of one message: to whom, what it says, under which reference.
fn wish(
    tx: &mut Tx<'_>,
    platform: PlatformId,
    account: AccountId,
    (to, text, reference): (&str, &str, &str),
    now: Timestamp,
) -> Result<()> {
    let write = Write::SendPhone { to: to.to_owned(), text: text.to_owned() };
    let request = Request { reference: reference.to_owned(), card: Card::default(), write };
    let request = serde_json::to_string(&request).map_err(|e| fault(e.to_string()))?;
    let wish = Wish {
        account,
        sim: SimId(0),
        platform,
        cause: "phone_sms",
        task: None,
        asked_by: Some(account),
        matter: 0,
        request: &request,
    };
    tx.add_wish(&wish, now)?;
    Ok(())
}

/// Hands messages over in one transaction, at most.
const WAITING_AT_ONCE: i64 = 200;

/// Lets messages go that waited for a platform that sends them; the answer is how many.
pub fn send_waiting(engine: &Engine) -> Result<usize> {
    if channel(&engine.catalogue_last()).is_none() {
        return Ok(0);
    }
    engine.write(|tx, catalogue, how| {
        let Some(platform) = channel(catalogue) else { return Ok(0) };
        let waiting = tx.sms_unsent(WAITING_AT_ONCE)?;
        for sms in &waiting {
            if tx.set_sms_on_its_way(sms.id, how.now)? {
                wish(tx, platform, sms.account, (&sms.mobile, &sms.text, &sms.number), how.now)?;
            }
        }
        Ok(waiting.len())
    })
}

/// Approves a template, or withdraws it.
pub fn approve(tx: &mut Tx<'_>, code: &str, approved: bool) -> Result<()> {
    let missing = || Refusal::see("code", format!("there is no template {code}"), "admin template list");
    let template = tx.sms_template(code)?.ok_or_else(missing)?;
    Ok(tx.put_sms_template(&Template { approved, ..template })?)
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
