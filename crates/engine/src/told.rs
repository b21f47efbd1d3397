//! What a carrier told of a card, kept: the one room for it, whoever asked.
//!
//! Counts are readings of their own: each with its source, what it counts, and its instant; one that fell is kept as it was
//! told, with what it fell from, and nothing is ever computed as if it had run backwards. A count of a billing month belongs to the
//! month that holds the last second it counts, whenever it is told. Where a card stands is what the carrier says, but for what
//! only we know: a card that is stopped because of a block of ours stays active with that block.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::{cards, direct, imei, network, notices, sims, switch};
use kachi_domain::carrier::{Count, Cycle, Line, Of};
use kachi_domain::event::EventKind;
use kachi_domain::ids::Imei;
use kachi_domain::imei::Sighting;
use kachi_domain::package::Resource;
use kachi_domain::service::KEPT_OFF;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::sync::What;
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp, device};
use kachi_store::Tx;
use kachi_store::counters::NewCount;
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use kachi_store::sync::Asked;
use std::collections::BTreeMap;

/// A count of a card and whose card it is.
pub(crate) type Counted = (SimId, AccountId, Count);

/// Keeps everything that was told of one card of the platform.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (sim, platform): (&Sim, PlatformId),
    line: &Line,
) -> Result<()> {
    let told: Vec<Counted> =
        Count::all(cycle(catalogue, platform), line).into_iter().map(|count| (sim.id, sim.account, count)).collect();
    counts(tx, platform, &told, how.now)?;
    spoke(tx, catalogue, how, sim.id, line)?;
    if let Some(network) = &line.network {
        network::switched(tx, sim.id, network, how.now)?;
    }
    sims::learn_numbers(tx, sim.id, line)?;
    stand(tx, catalogue, how, sim.id, line)?;
    if line.standing.is_none() {
        return Ok(());
    }
    // Whoever asked: the state is fresh now.
    let known = Asked { sim: sim.id.0, as_of: Some(how.now.0), held_until: None, words: String::new() };
    Ok(tx.note_asked(platform, What::State.word(), &[known], how.now)?)
}

/// The platform's billing months, as far as its connector was ever opened.
pub(crate) fn cycle(catalogue: &Catalogue, platform: PlatformId) -> Cycle {
    catalogue.platform(platform).and_then(|p| p.capabilities).unwrap_or_default().cycle
}

/// Keeps what the platform's counters showed.
pub(crate) fn counts(tx: &mut Tx<'_>, platform: PlatformId, told: &[Counted], now: Timestamp) -> Result<()> {
    let mut by_kind: BTreeMap<(Of, Timestamp), Vec<&Counted>> = BTreeMap::new();
    for one in told {
        by_kind.entry((one.2.of, one.2.from)).or_default().push(one);
    }
    for ((of, from), alike) in by_kind {
        let sims: Vec<i64> = alike.iter().map(|(sim, ..)| sim.0).collect();
        let before = tx.last_counts(of, from, &sims)?;
        let new = |(sim, account, count): &&Counted| NewCount {
            sim: *sim,
            account: *account,
            count: *count,
            fell_from: count.fell_from(before.get(&sim.0).copied()),
        };
        tx.put_counts(platform, &alike.iter().map(new).collect::<Vec<_>>(), now)?;
    }
    Ok(())
}

/// Keeps what the card spoke, if that was told; its owner is warned of what that crosses.
pub(crate) fn spoke(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sim: SimId, line: &Line) -> Result<()> {
    let Some(spoken) = line.voice else { return Ok(()) };
    tx.put_voice(sim, spoken.from, spoken.seconds, spoken.as_of)?;
    cards::spent(tx, catalogue, how, sim, Resource::Voice)
}

/// Blocks that nobody but the carrier sets and lifts.
pub(crate) const CARRIERS: Blocks =
    Blocks(Blocks::REAL_NAME.0 | Blocks::REGION.0 | Blocks::SEPARATION.0 | Blocks::CARRIER_MANAGEMENT.0);

/// The card stands as the carrier tells, and was seen in the device it names.
pub(crate) fn stand(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: SimId, line: &Line) -> Result<()> {
    let mut row = tx.state_locked(id)?;
    // Under the card's lock, as everything that forgets the carrier's word: no two wait for each other.
    switch::heard(tx, id, line, how.now)?;
    let Some(sim) = tx.sim_by_id(id)? else { return Err(fault(format!("card {id} vanished"))) };
    let told = line.apns.as_deref().unwrap_or_default();
    let (sim, with_data) = direct::told(tx, sim, told, how.now)?;
    let before = BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown);
    let is_on = line.standing.as_ref().is_some_and(|told| told.base == BaseState::Active);
    let blocks = match &line.stop {
        Some(stop) => with_data & !CARRIERS.0 | stop.blocks.0 & CARRIERS.0,
        // A reason to stop is over with the state that it was the reason of, as in what is kept of the carrier's word.
        None if is_on => with_data & !CARRIERS.0,
        None => with_data,
    };
    let base = line.standing.as_ref().map_or(before, |told| stands(before, told.base, Blocks(blocks)));
    if (base, blocks) != (before, sim.blocks) {
        let activated_at = sim.activated_at.or((base == BaseState::Active).then_some(how.now.0));
        tx.change_sim_states(&[NewState { before: &sim, state: base.word(), blocks, activated_at }])?;
        let detail = format!("{} -> {}, as the carrier tells", before.word(), base.word());
        tx.tell(&[notices::record(&sim, EventKind::SimStateChanged, &detail, how.now)?], how.now)?;
    }
    let digits =
        line.imei.as_deref().and_then(|text| Imei::parse(text).ok()).map_or(0, |imei| device::digits(Some(imei.as_str())));
    if digits == 0 {
        return Ok(());
    }
    let seen = Sighting { at: how.now, imei: digits };
    if row.imei_group.is_some() {
        imei::watch(tx, catalogue, how, &[(id, vec![seen])])?;
    }
    row.seen = row.seen.max(seen);
    Ok(tx.put_states(&[row])?)
}

/// Where a card stands of which the carrier tells this. A card that is stopped because of what is in its way here is active
/// for us, and what is in its way tells why; one that was never on and is kept off is what it was.
fn stands(before: BaseState, told: BaseState, blocks: Blocks) -> BaseState {
    match told {
        BaseState::Unknown => before,
        BaseState::Stopped if before == BaseState::Active && !blocks.is_empty() => before,
        BaseState::Stopped if before.is_dormant() && blocks.has(KEPT_OFF) => before,
        told => told,
    }
}
