//! What devices write: asked of the carriers for the cards that were written to of late, and kept once.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::intents::Connectors;
use crate::upstream::{self, Purpose};
use crate::{network, notices};
use kachi_domain::PlatformId;
use kachi_domain::carrier::{Answer, Uplink};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::time::DAY_SECONDS;
use kachi_store::Tx;
use kachi_store::sims::Sim;
use kachi_store::sms::NewReply;

/// Days after a message in which its card is asked about.
const ASKED_DAYS: i64 = 3;
/// Cards of one platform asked about at once.
const CARDS_AT_ONCE: i64 = 500;

/// Asks every platform that sends messages for what the devices of cards wrote that were written to in the last three days;
/// the answer is how many messages are new. Promised: one that comes again is kept and told once. Not promised: a message
/// of a device that nobody wrote to.
pub fn collect(engine: &Engine, connectors: &Connectors) -> Result<usize> {
    let mut new = 0;
    for (platform, connector) in connectors.iter().filter(|(_, c)| c.capabilities().sms) {
        let (platform, since) = (*platform, engine.now().plus(-ASKED_DAYS * DAY_SECONDS));
        let sims = engine.read(|tx, _| {
            let mut ids: Vec<i64> = tx.sims_messaged(platform, since, CARDS_AT_ONCE)?.iter().map(|s| s.0).collect();
            ids.sort_unstable();
            Ok(if ids.is_empty() { Vec::new() } else { tx.sims_by_id(&ids)? })
        })?;
        if sims.is_empty() {
            continue;
        }
        let cards: Vec<_> = sims.iter().map(network::named).collect();
        match upstream::ask(engine, (platform, connector.as_ref()), Purpose::Sync, &|call| connector.uplinks(call, &cards))? {
            Ok(uplinks) => new += keep(engine, platform, sims, uplinks)?,
            // It is asked again in a moment.
            Err(Answer::Later { .. } | Answer::InDoubt { .. } | Answer::NoLogin { .. }) => {}
            Err(refused) => tracing::warn!(%platform, ?refused, "the platform does not tell what devices wrote"),
        }
    }
    Ok(new)
}

fn keep(engine: &Engine, platform: PlatformId, sims: Vec<Sim>, uplinks: Vec<Uplink>) -> Result<usize> {
    if uplinks.is_empty() {
        return Ok(0);
    }
    engine.write(move |tx, catalogue, how| {
        let mut new = 0;
        for uplink in &uplinks {
            let known = |s: &&Sim| s.iccid == uplink.card || s.msisdn.as_ref() == Some(&uplink.card);
            if let Some(sim) = sims.iter().find(known) {
                new += usize::from(keep_one(tx, catalogue, (platform, sim), uplink, how.now)?);
            }
        }
        Ok(new)
    })
}

/// Keeps what a card's device wrote, and tells its owner; false if it is there already.
pub(crate) fn keep_one(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (platform, sim): (PlatformId, &Sim),
    uplink: &Uplink,
    now: kachi_domain::Timestamp,
) -> Result<bool> {
    // Whose the card is now, whoever it was when it was asked about.
    let account = tx.sim_by_id(sim.id)?.map_or(sim.account, |s| s.account);
    let mobile = sim.msisdn.as_deref().unwrap_or(&sim.iccid);
    let reply = NewReply {
        account,
        platform,
        carrier_id: &uplink.id,
        sim: sim.id,
        mobile,
        sent_to: &uplink.to,
        text: &uplink.text,
        at: uplink.at,
    };
    if !tx.add_sms_reply(&reply, now)? {
        return Ok(false);
    }
    let body =
        Body::SmsReply { mobile: mobile.to_owned(), id: uplink.id.clone(), to: uplink.to.clone(), text: uplink.text.clone() };
    notices::emit(tx, catalogue, account, Some(sim.id), EventKind::SmsReplied, &body, uplink.at, now)?;
    Ok(true)
}
