//! What carriers tell by themselves, by a call to us.
//!
//! Who acts: a carrier, whose connector knows its calls from a stranger's. Promised: a card that is told to have changed is
//! read at the carrier, for a call is a hint and no fact; a message has the carrier's last word on it, and what a device wrote
//! is kept, each once however often it is told; a card of another platform is none of this carrier's. What is told is kept in one
//! transaction before the carrier has its answer, so that it tells again what was lost. Not promised: that a carrier tells all.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::Result;
use crate::intents::{self, Connectors};
use crate::{card_reads, sms};
use kachi_domain::account::Path;
use kachi_domain::carrier::{Callback, News};
use kachi_domain::{Iccid, PlatformId};
use kachi_store::Tx;
use kachi_store::sims::Sim;

/// What became of a carrier's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is the carrier's; so many of the things that it tells are about something of ours.
    Kept(usize),
    /// It is not the carrier's, or does not read; why.
    Refused(String),
    /// There is no such platform, or it tells nothing by itself.
    NoPlatform,
}

/// Hears a call that came for the platform of that code.
pub fn hear(engine: &Engine, connectors: &Connectors, code: &str, callback: &Callback<'_>) -> Result<Heard> {
    let catalogue = engine.catalogue()?;
    let open = catalogue.platform_by_code(code).and_then(|p| Some((p.id, connectors.get(&p.id)?)));
    let Some((platform, connector)) = open.filter(|(_, c)| c.capabilities().callbacks) else { return Ok(Heard::NoPlatform) };
    let news = match connector.read_callback(callback, engine.now()) {
        Ok(news) => news,
        Err(refused) => return Ok(Heard::Refused(refused.to_string())),
    };
    let kept = engine.write(move |tx, catalogue, how| {
        let mut kept = 0;
        for one in &news {
            kept += keep(tx, catalogue, how, platform, one)?;
        }
        Ok(kept)
    })?;
    engine.writes_settled().notify_waiters();
    Ok(Heard::Kept(kept))
}

/// Keeps one of the things that a platform told; the answer is how many of ours it is about.
pub(crate) fn keep(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, platform: PlatformId, news: &News) -> Result<usize> {
    match news {
        News::Changed(change) => {
            let found = card(tx, catalogue, platform, (change.iccid.as_deref(), change.msisdn.as_deref()))?;
            let Some(sim) = found else { return Ok(0) };
            card_reads::want(tx, how, platform, &sim)?;
            Ok(1)
        }
        News::Message { job, answer } => intents::told_of_message(tx, catalogue, how, (platform, job), answer),
        News::Wrote(uplink) => {
            let number = Some(uplink.card.as_str());
            let found = match card(tx, catalogue, platform, (number, None))? {
                None => card(tx, catalogue, platform, (None, number))?,
                found => found,
            };
            let Some(sim) = found else {
                sms::log_stray(catalogue, platform, uplink);
                return Ok(0);
            };
            Ok(usize::from(sms::keep_uplink(tx, catalogue, (platform, &sim), uplink, how.now)?))
        }
    }
}

/// A card of this platform, by its own number or its telephone number.
fn card(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    platform: PlatformId,
    (iccid, msisdn): (Option<&str>, Option<&str>),
) -> Result<Option<Sim>> {
    let found = match (iccid.and_then(|text| Iccid::parse(text).ok()), msisdn) {
        (Some(iccid), _) => tx.sim_by_iccid(&Path::root(), iccid.as_str())?,
        (None, Some(msisdn)) => tx.sim_by_number(&Path::root(), "msisdn", msisdn)?,
        (None, None) => None,
    };
    Ok(found.filter(|sim| catalogue.product(sim.product).is_some_and(|p| p.platform == platform)))
}
