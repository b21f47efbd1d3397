//! What devices write, and what became of messages: asked of the carriers, for the cards that were written to of late or for all at
//! once, and kept once.

use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::intents::Connectors;
use crate::upstream::{self, At, Purpose, Told};
use crate::{network, news, notices};
use kachi_domain::carrier::{Answer, News, Uplink};
use kachi_domain::event::{Body, EventKind};
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{PlatformId, SimId};
use kachi_store::Tx;
use kachi_store::sims::Sim;
use kachi_store::sms::NewReply;

/// Days after a message in which its card is asked about.
const ASKED_DAYS: i64 = 3;
/// Cards of one platform asked about at once.
const CARDS_AT_ONCE: i64 = 500;

/// Asks every platform that sends messages for what it has waiting, and for what the devices of cards wrote that were written to in the
/// last three days; the answer is how many messages are new. Promised: one that comes again is kept and told once. Not promised: a message
/// of a device that nobody wrote to, where the platform has to be asked card by card; nor one that a platform hands out once while we
/// stop working.
pub fn collect(engine: &Engine, connectors: &Connectors) -> Result<usize> {
    let mut new = 0;
    for (platform, connector) in connectors.iter().filter(|(_, c)| c.capabilities().sms) {
        let at: At<'_> = (*platform, connector.as_ref());
        if connector.hands_out()
            && let Some(news) =
                told(engine, *platform, upstream::ask(engine, at, Purpose::Sync, &|call| connector.waiting(call))?)
        {
            new += keep_news(engine, *platform, news)?;
        }
        if !connector.tells_uplinks() {
            continue;
        }
        let mut after = SimId(0);
        while let Some(last) = collect_some(engine, at, after, &mut new)? {
            after = last;
        }
    }
    Ok(new)
}

/// Asks about the next cards of the platform; the answer is the last of them, none: there are no more, or it gave no answer.
fn collect_some(engine: &Engine, at: At<'_>, after: SimId, new: &mut usize) -> Result<Option<SimId>> {
    let (platform, since) = (at.0, engine.now().plus(-ASKED_DAYS * DAY_SECONDS));
    let sims = engine.read(|tx, _| {
        let ids: Vec<i64> = tx.sims_messaged(platform, since, (after, CARDS_AT_ONCE))?.iter().map(|s| s.0).collect();
        Ok(if ids.is_empty() { Vec::new() } else { tx.sims_by_id(&ids)? })
    })?;
    let Some(last) = sims.iter().map(|s| s.id).max() else { return Ok(None) };
    let cards: Vec<_> = sims.iter().map(network::named).collect();
    let answer = upstream::ask(engine, at, Purpose::Sync, &|call| at.1.uplinks(call, &cards))?;
    let Some(uplinks) = told(engine, platform, answer) else { return Ok(None) };
    *new += keep(engine, platform, sims, uplinks)?;
    Ok(Some(last))
}

/// What was told; a platform that is silent is asked again in a moment.
fn told<T>(engine: &Engine, platform: PlatformId, answer: Told<T>) -> Option<T> {
    match answer {
        Ok(told) => Some(told),
        Err(Answer::Later { .. } | Answer::InDoubt { .. } | Answer::NoLogin { .. }) => None,
        Err(refused) => {
            let catalogue = engine.catalogue_last();
            let platform = catalogue.platform_code(platform);
            tracing::warn!(platform, reason = %refused, "the platform does not tell what devices wrote");
            None
        }
    }
}

fn keep_news(engine: &Engine, platform: PlatformId, waiting: Vec<News>) -> Result<usize> {
    if waiting.is_empty() {
        return Ok(0);
    }
    let kept = engine.write(move |tx, catalogue, how| {
        let mut kept = 0;
        for one in &waiting {
            kept += news::keep(tx, catalogue, how, platform, one)?;
        }
        Ok(kept)
    })?;
    engine.writes_settled().notify_waiters();
    Ok(kept)
}

fn keep(engine: &Engine, platform: PlatformId, sims: Vec<Sim>, uplinks: Vec<Uplink>) -> Result<usize> {
    if uplinks.is_empty() {
        return Ok(0);
    }
    engine.write(move |tx, catalogue, how| {
        let mut new = 0;
        for uplink in &uplinks {
            let known = |s: &&Sim| s.iccid == uplink.card || s.msisdn.as_ref() == Some(&uplink.card);
            match sims.iter().find(known) {
                Some(sim) => new += usize::from(keep_one(tx, catalogue, (platform, sim), uplink, how.now)?),
                None => log_stray(catalogue, platform, uplink),
            }
        }
        Ok(new)
    })
}

/// What a device wrote whose number is no card's here: it is nobody's message, but its platform may not hand it out again.
pub(crate) fn log_stray(catalogue: &Catalogue, platform: PlatformId, uplink: &Uplink) {
    let (platform, Uplink { card, id, .. }) = (catalogue.platform_code(platform), uplink);
    tracing::warn!(platform, number = %card, %id, "a device wrote that is no card here: its message is not kept");
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
