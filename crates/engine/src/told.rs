//! What a carrier told of a card, kept: the one room for it, whoever asked.
//!
//! Counts are readings of their own: each with its source, what it counts, and its instant; one that fell is kept as it was
//! told, with what it fell from, and nothing is ever computed as if it had run backwards. A count of a billing month belongs to the
//! month that holds the last second it counts, whenever it is told. Where a card stands is what the carrier says, but for what
//! only we know: a card that is stopped because of a block of ours stays active with that block; and what was read before the
//! carrier confirmed a write says nothing of what that changed.

use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::error::{Result, fault};
use crate::{arrears, cards, direct, imei, network, notices, sims, switch};
use kachi_domain::carrier::{Count, Cycle, Line, Matter, Of, Standing};
use kachi_domain::event::EventKind;
use kachi_domain::ids::Imei;
use kachi_domain::imei::Sighting;
use kachi_domain::package::Resource;
use kachi_domain::service::KEPT_OFF;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::sync::What;
use kachi_domain::time::DAY_SECONDS;
use kachi_domain::{AccountId, PlatformId, SimId, Timestamp, device};
use kachi_store::Tx;
use kachi_store::counters::NewCount;
use kachi_store::lists::NewState;
use kachi_store::sims::Sim;
use kachi_store::states::StateRow;
use kachi_store::sync::Asked;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A count of a card and whose card it is.
pub(crate) type Counted = (SimId, AccountId, Count);

/// Keeps everything that was told of one card of the platform, asked for at an instant.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (sim, platform): (&Sim, PlatformId),
    (line, asked_at): (&Line, Timestamp),
) -> Result<()> {
    let told: Vec<Counted> =
        Count::all(cycle(catalogue, platform), line).into_iter().map(|count| (sim.id, sim.account, count)).collect();
    counts(tx, platform, &told, how.now)?;
    spoke(tx, catalogue, how, sim.id, line)?;
    if let Some(network) = &line.network {
        tx.state_locked(sim.id)?;
        if tx.confirmed_since(&[sim.id.0], &[Matter::Network], asked_at)?.is_empty() {
            network::switched(tx, sim.id, network, how.now)?;
        }
    }
    sims::learn_numbers(tx, sim.id, line)?;
    let outdated = stand(tx, catalogue, how, &[(sim.id, line)], asked_at)?;
    if line.standing.is_none() {
        return Ok(());
    }
    if outdated.contains(&sim.id) {
        return Ok(tx.forget_asked(What::State.word(), &[sim.id.0])?); // so that it is read again
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

/// The cards, each once, stand as the carrier tells, and were seen in the devices it names. What was asked for at an instant says
/// nothing of what the carrier has confirmed since: where such a card stands, or whether its data is on, stays as it was written. The
/// answer is the cards whose state was outdated so.
pub(crate) fn stand(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    read: &[(SimId, &Line)],
    asked_at: Timestamp,
) -> Result<BTreeSet<SimId>> {
    let mut lines: BTreeMap<SimId, Cow<'_, Line>> = read.iter().map(|(id, line)| (*id, Cow::Borrowed(*line))).collect();
    let ids: Vec<i64> = lines.keys().map(|id| id.0).collect();
    let rows = tx.states(&ids)?;
    // Under the cards' locks, as everything that forgets a carrier's word: no two wait for each other.
    let mut outdated = BTreeSet::new();
    for (id, matter) in tx.confirmed_since(&ids, &[Matter::Service, Matter::Data], asked_at)? {
        let Some(line) = lines.get_mut(&SimId(id)).map(Cow::to_mut) else { continue };
        (line.sessions, line.power) = (None, None);
        if matter == Matter::Service.number() {
            (line.standing, line.stop) = (None, None);
            outdated.insert(SimId(id));
        } else {
            line.apns = None;
        }
    }
    let lines: Vec<(SimId, Cow<'_, Line>)> = lines.into_iter().collect();
    switch::heard(tx, &lines, how.now)?;
    let sims = tx.sims_by_id(&ids)?;
    if (rows.len(), sims.len()) != (ids.len(), ids.len()) {
        return Err(fault("a card vanished"));
    }
    let told = sims.into_iter().zip(&lines).map(|(sim, (_, line))| (sim, line.apns.as_deref().unwrap_or_default()));
    let sims = direct::told(tx, told.collect(), how.now)?;
    let (mut changed, mut news, mut on) = (Vec::new(), Vec::new(), Vec::new());
    for ((sim, with_data), (_, line)) in sims.iter().zip(&lines) {
        let before = BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown);
        let is_on = line.standing.as_ref().is_some_and(|told| told.base == BaseState::Active);
        on.extend(is_on.then_some(sim.id.0));
        let blocks = match &line.stop {
            Some(stop) => with_data & !CARRIERS.0 | stop.blocks.0 & CARRIERS.0,
            // A reason to stop is over with the state that it was the reason of, as in what is kept of the carrier's word.
            None if is_on => with_data & !CARRIERS.0,
            None => *with_data,
        };
        let mut base = line.standing.as_ref().map_or(before, |told| stands(before, told.base, Blocks(blocks)));
        if before.is_dormant() && base == BaseState::Stopped && switch::stop_stands(tx, catalogue, sim)? {
            base = before; // by us: it is what it was once that is lifted
        }
        let activated_at = activated(sim, base, line.standing.as_ref(), how.now);
        if (base, blocks, activated_at) != (before, sim.blocks, sim.activated_at) {
            changed.push(NewState { before: sim, state: base.word(), blocks, activated_at });
        }
        if (base, blocks) != (before, sim.blocks) {
            let detail = format!("{} -> {}, as the carrier tells", before.word(), base.word());
            news.push(notices::record(sim, EventKind::SimStateChanged, &detail, how.now)?);
        }
    }
    tx.change_sim_states(&changed)?;
    tx.owe_no_activations(&on)?;
    arrears::stood(tx, catalogue, &changed, how.now)?;
    tx.tell(&news, how.now)?;
    seen(tx, catalogue, how, &lines, rows)?;
    Ok(outdated)
}

/// Since when a card is activated that stands so now: since when its carrier has it on, where that is a day or more before what is
/// kept, as it is of a card that came here active; else as it is kept, or from now on.
fn activated(sim: &Sim, base: BaseState, told: Option<&Standing>, now: Timestamp) -> Option<i64> {
    let since =
        told.filter(|told| told.base == BaseState::Active).and_then(|told| told.since).filter(|at| *at <= now).map(|at| at.0);
    match sim.activated_at {
        Some(kept) => Some(since.filter(|since| kept - since >= DAY_SECONDS).unwrap_or(kept)),
        None => since.or((base == BaseState::Active && BaseState::parse(&sim.state) != Ok(base)).then_some(now.0)),
    }
}

/// The cards, locked, were seen in the devices that the carrier names.
fn seen(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    lines: &[(SimId, Cow<'_, Line>)],
    rows: Vec<StateRow>,
) -> Result<()> {
    let (mut watched, mut moved) = (Vec::new(), Vec::new());
    for ((id, line), mut row) in lines.iter().zip(rows) {
        let imei = line.imei.as_deref().and_then(|text| Imei::parse(text).ok());
        let digits = imei.map_or(0, |imei| device::digits(Some(imei.as_str())));
        if digits == 0 {
            continue;
        }
        let seen = Sighting { at: how.now, imei: digits };
        if row.imei_group.is_some() {
            watched.push((*id, vec![seen]));
        }
        row.seen = row.seen.max(seen);
        moved.push(row);
    }
    imei::watch(tx, catalogue, how, &watched)?;
    Ok(tx.put_states(&moved)?)
}

/// Where a card stands of which the carrier tells this. A card that is stopped because of what is in its data's way here is active
/// for us, and that tells why; one that was never on and is kept off is what it was.
fn stands(before: BaseState, told: BaseState, blocks: Blocks) -> BaseState {
    match told {
        BaseState::Unknown => before,
        BaseState::Stopped if before == BaseState::Active && !blocks.let_data_through() => before,
        BaseState::Stopped if before.is_dormant() && blocks.has(KEPT_OFF) => before,
        told => told,
    }
}
