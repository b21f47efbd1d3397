//! Warnings of voice, messages and connections (CardBOSS v2.2.2, 4.2: types 12 to 14 and 22 to 24).
//!
//! What counts: a message when its carrier takes it, seconds of voice when the carrier tells them, a connection with its
//! usage record. Voice and messages are held against the card's packages of that kind in use, since the beginning of their
//! present window; connections of the month against `alerts.connections`, as no package is sold for them. Promised: each
//! warning comes with the act that crosses its line, once a card and window. Not promised: that anything stops; these
//! packages only live and expire.

use super::Settling;
use super::warnings::{of_card, wanted};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::notices;
use kachi_domain::alert;
use kachi_domain::event::{Body, EventKind, Warning, WarningKind};
use kachi_domain::package::{Resource, Window};
use kachi_domain::rating::{CardState, Live};
use kachi_domain::{AccountId, SimId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::events::NewEvent;
use kachi_store::sims::Sim;
use std::collections::BTreeMap;

/// One kind of warning: little is left, and more than all was used, each with the name under which it is told once.
type Kinds = [(WarningKind, &'static str); 2];

const VOICE: Kinds = [(WarningKind::VoiceLow, "warned12"), (WarningKind::VoiceOver, "warned22")];
const MESSAGES: Kinds = [(WarningKind::SmsLow, "warned13"), (WarningKind::SmsOver, "warned23")];
const CONNECTIONS: Kinds = [(WarningKind::ConnectionsLow, "warned14"), (WarningKind::ConnectionsOver, "warned24")];

/// Something of the kind (voice or messages) was counted for the card: its owner is warned of what that crossed.
pub(crate) fn spent(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, id: SimId, resource: Resource) -> Result<()> {
    let Some(read) = tx.sims_and_states_of(&[id.0])?.pop().filter(|r| wanted(catalogue, r.sim.account)) else { return Ok(()) };
    let zone = catalogue.zone(read.sim.account);
    let mut state = super::decode(read.head.as_deref().unwrap_or_default())?;
    state.advance(how.now, zone, &mut Vec::new());
    let sold = |l: &&Live| l.running.is_some() && l.terms.resource == resource && l.terms.is_limited();
    let running: Vec<&Live> = state.live.iter().filter(sold).collect();
    let Some(from) = running.iter().filter_map(|l| window_start(l, how.now, zone)).min() else { return Ok(()) };
    let kinds = if resource == Resource::Voice { &VOICE } else { &MESSAGES };
    let used = count(tx, id, resource, from, how.now)?;
    let total = running.iter().map(|l| l.terms.allowance).fold(0, i64::saturating_add);
    let last = running.last().copied();
    let about = |warning: Warning| Warning {
        package_name: last.and_then(|l| catalogue.package(l.package)).map_or_else(String::new, |p| p.name.clone()),
        package_ends_at: last.and_then(|l| l.running).map(|(_, end)| end.0),
        ..warning
    };
    let subject = (&read.sim, &state, read.imei);
    tell(tx, catalogue, how, subject, (kinds, from.0), (total, used), &about)
}

/// What a package of voice (seconds) or messages that is in use stands at, in its present window: none of data.
pub(crate) fn counted(tx: &mut Tx<'_>, id: SimId, live: &Live, now: Timestamp, zone: &Zone) -> Result<Option<i64>> {
    let from = window_start(live, now, zone).filter(|_| !live.takes_bytes());
    from.map(|from| count(tx, id, live.terms.resource, from, now)).transpose()
}

fn count(tx: &mut Tx<'_>, id: SimId, resource: Resource, from: Timestamp, now: Timestamp) -> Result<i64> {
    match resource {
        Resource::Voice => voice(tx, id, from),
        _ => Ok(tx.messages_of(&[id.0], from, now.plus(1))?.first().map_or(0, |m| m.1)),
    }
}

/// Usage records of these cards were counted: their owners are warned of the month's connections, where they have a line.
pub(crate) fn connected(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, sims: &[i64]) -> Result<()> {
    if how.lines.connections == 0 || sims.is_empty() {
        return Ok(());
    }
    let mut by_account: BTreeMap<AccountId, Vec<_>> = BTreeMap::new();
    for read in tx.sims_and_states_of(sims)?.into_iter().filter(|r| wanted(catalogue, r.sim.account)) {
        by_account.entry(read.sim.account).or_default().push(read);
    }
    for (account, cards) in by_account {
        let zone = catalogue.zone(account);
        let (first, today) = (zone.day(month_start(how.now, zone)), zone.day(how.now));
        let mut ids: Vec<i64> = cards.iter().map(|c| c.sim.id.0).collect();
        ids.sort_unstable();
        let used = tx.use_of_days(&[account], &ids, first, today)?;
        for read in &cards {
            let records = used.iter().find(|u| u.0 == read.sim.id.0).map_or(0, |u| u.2);
            let state = super::decode(read.head.as_deref().unwrap_or_default())?;
            let subject = (&read.sim, &state, read.imei);
            tell(tx, catalogue, how, subject, (&CONNECTIONS, first), (how.lines.connections, records), &|warning| warning)?;
        }
    }
    Ok(())
}

fn tell(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (sim, state, seen): (&Sim, &CardState, i64),
    (kinds, window): (&Kinds, i64),
    (total, used): (i64, i64),
    about: &dyn Fn(Warning) -> Warning,
) -> Result<()> {
    let (low, over) = alert::spent(total, used, &how.lines);
    let mut events = Vec::new();
    for ((kind, name), _) in kinds.iter().zip([low, over]).filter(|(_, crossed)| *crossed) {
        let warning = about(of_card(catalogue, sim, (state, seen), (*kind, how.now)));
        let body = Body::Warning(Warning { total, used, outflow: used.saturating_sub(total).max(0), ..warning });
        let event = notices::event(catalogue, sim.account, Some(sim.id), EventKind::CardWarning, &body, how.now)?;
        events.push(NewEvent { once: Some(((*name).into(), window)), ..event });
    }
    if events.is_empty() { Ok(()) } else { Ok(tx.tell(&events, how.now)?) }
}

/// When the present window of a running package began.
fn window_start(live: &Live, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
    let (started, _) = live.running?;
    Some(if live.terms.window == Window::CalendarMonth { started.max(month_start(now, live.zone(zone))) } else { started })
}

fn month_start(now: Timestamp, zone: &Zone) -> Timestamp {
    let of_month = zone.text(now)[8..10].parse::<i64>().unwrap_or(1);
    zone.start_of_day(zone.day(now) - of_month + 1)
}

/// Seconds of voice since an instant: of the billing month that it lies in, and of those after it.
fn voice(tx: &mut Tx<'_>, id: SimId, from: Timestamp) -> Result<i64> {
    let months = tx.voice_months(id)?;
    let first = months.iter().map(|m| m.0).filter(|at| *at <= from.0).max().unwrap_or(from.0);
    Ok(months.iter().filter(|m| m.0 >= first).map(|m| m.1).fold(0, i64::saturating_add))
}
