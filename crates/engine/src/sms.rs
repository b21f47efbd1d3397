//! Messages to cards.
//!
//! Who acts: a partner's key, for a card the account sees. Promised: a message is kept with its carrier write in one
//! transaction, is handed to the carrier once, and keeps what became of it. One to a card whose platform is known not to send
//! messages is refused; where that was not known yet it stays queued and its note says so: it goes out once the platform can, or
//! is refused by the operator ([`refuse()`]). Not promised: that a device is switched on.

mod batch;
mod phone;
mod refuse;
mod uplinks;

pub use batch::{Carriage, Reply, Report, Sent};
pub use phone::{PhoneSms, approve, send_waiting};
pub use refuse::{Refused, refuse};
pub use uplinks::collect;
pub(crate) use uplinks::{keep_one as keep_uplink, log_stray};

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::{cards, network, notices};
use kachi_domain::carrier::{Answer, Write};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::package::Resource;
use kachi_domain::sms::{CHARS_MAX, DELIVERED, SmsState};
use kachi_domain::task::ItemState;
use kachi_domain::{Iccid, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::sms::Sms;

/// Queues a message for the card under a number that no other message has (made at the roof).
pub fn send(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (iccid, text, number): (&Iccid, &str, &str),
) -> Result<()> {
    if text.trim().is_empty() || text.chars().count() > CHARS_MAX {
        return Err(Refusal::BadField { field: "message".into(), rule: format!("1 to {CHARS_MAX} characters") }.into());
    }
    let sim = tx.sim_by_iccid(&actor.path, iccid.as_str())?.ok_or(Refusal::UnknownSim)?;
    network::refuse_out_of_service(tx, &sim)?;
    let write = Write::SendSms { text: text.to_owned() };
    network::refuse_unable(catalogue, &sim, &write)?;
    tx.add_sms(actor.account, sim.id, number, text, how.now)?;
    network::wish(tx, catalogue, &sim, ("sms", None, actor.account), (number, write), how.now)?;
    Ok(())
}

/// Why a message stays queued.
pub(crate) fn unable(platform: &str) -> String {
    format!("waits: card platform {platform} cannot send messages")
}

/// The carrier's word on a message. The last word on one of a batch is kept as a report, and its sender is told.
pub(crate) fn told(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, number: &str, answer: &Answer) -> Result<()> {
    let now = how.now;
    if let Some(sms) = tx.sms(number)? {
        let note = match answer {
            Answer::Confirmed | Answer::Already => "delivered".to_owned(),
            Answer::Accepted { .. } => "sent, not known to be delivered".to_owned(),
            Answer::Later { reason, .. } => reason.clone(),
            _ => ItemState::told(answer).1,
        };
        let state = sms.state.told(answer);
        tx.set_sms(number, state, &note, now)?;
        let taken = |s: SmsState| matches!(s, SmsState::Sent | SmsState::Delivered);
        if taken(state) && !taken(sms.state) && sms.sim != SimId(0) {
            cards::spent(tx, catalogue, how, sms.sim, Resource::Sms)?;
        }
        if state.is_settled() && !sms.state.is_settled() && !sms.batch.is_empty() {
            let word = match answer {
                Answer::Refused { code, .. } => code,
                _ => DELIVERED,
            };
            report(tx, catalogue, &sms, word, now)?;
        }
    }
    Ok(())
}

fn report(tx: &mut Tx<'_>, catalogue: &Catalogue, sms: &Sms, state: &str, now: Timestamp) -> Result<()> {
    tx.add_sms_report(sms, state, now)?;
    let body = Body::SmsReport { mobile: sms.mobile.clone(), state: state.to_owned(), task: sms.batch.clone() };
    let card = (sms.sim != SimId(0)).then_some(sms.sim);
    notices::emit(tx, catalogue, sms.account, card, EventKind::SmsReported, &body, now, now)
}
