//! Messages that wait and are refused by the operator: to telephones that no platform reaches, and to cards whose platform has not
//! taken them.

use super::Carriage;
use crate::act::refuse_unsaid;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::intents::order;
use crate::{money, network};
use kachi_domain::ledger::{self, Journal};
use kachi_domain::sms::{REJECTED, SmsState};
use kachi_domain::{Money, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::ledger::NewJournal;
use kachi_store::sms::Sms;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Messages.
    pub messages: usize,
    /// What their sender has back for them.
    pub back: Money,
}

/// The operator refuses messages that wait: one by its number, or those of a batch by its name. Each is given back at what was paid
/// for it, and one of a batch is reported to its sender as one that nobody sends. What a carrier has heard of is left alone.
pub fn refuse(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    name: &str,
    (who, reason): (&str, &str),
) -> Result<Refused> {
    refuse_unsaid(&[("by", who), ("reason", reason)])?;
    let missing = || Refusal::BadField {
        field: "message".into(),
        rule: format!("no message {name} waits that nobody has taken; `kachi admin sms list --waiting` names those that do"),
    };
    let waiting = tx.sms_held_named(name)?;
    let account = waiting.first().map(|sms| sms.account).ok_or_else(missing)?;
    let currency = catalogue.account(account).map(|info| info.account.currency).ok_or_else(|| fault("an account vanished"))?;
    tx.lock_balances(&[account])?;
    let mut refused = Refused { messages: 0, back: Money { minor: 0, currency } };
    for sms in waiting.iter().filter(|sms| sms.account == account) {
        let is_given_up = if sms.sim == SimId(0) { tx.set_sms_on_its_way(sms.id, how.now)? } else { give_up(tx, sms, how.now)? };
        if !is_given_up {
            continue; // a platform has it by now
        }
        let paid = tx.journal_amount(account, Journal::SmsCharge, &format!("sms {}", sms.batch))?.map_or(0, |minor| -minor);
        // A batch has one text, so each of its messages was paid alike.
        let back = paid / tx.sms_in_batch(account, &sms.batch)?.max(1);
        if back > 0 {
            let postings = ledger::refund(account, back, back, &[]);
            let cause = format!("sms {}", sms.number);
            money::post_all(tx, vec![NewJournal { account, name: Journal::Refund, cause, postings }], how.now)?;
        }
        tx.set_sms(&sms.number, SmsState::Failed, &format!("refused by {who}: {reason}"), how.now)?;
        if !sms.batch.is_empty() {
            super::report(tx, catalogue, sms, REJECTED, how.now)?;
        }
        refused.messages += 1;
        refused.back.minor += back;
    }
    if refused.messages == 0 { Err(missing().into()) } else { Ok(refused) }
}

/// Gives up the write of a message to a card; false if its carrier has heard of it.
fn give_up(tx: &mut Tx<'_>, sms: &Sms, now: Timestamp) -> Result<bool> {
    for cause in [Carriage::Plain, Carriage::Sealed].map(Carriage::cause) {
        for open in tx.open_intents(sms.sim, cause)? {
            if network::asked(&open)?.reference == sms.number {
                return Ok(order::is_unsent(&open)? && !order::supersede(tx, &[open], now)?.is_empty());
            }
        }
    }
    Ok(false)
}
