//! Why a card has no network: everything that is known of it, gathered in one look and held against the list of causes.
//!
//! Who asks: an account, for a card it sees, by any number of the card's. Promised: one read transaction, so that no two
//! pieces contradict each other because something happened between them; nothing is asked of anybody and nothing is changed;
//! each piece has its source and age, or the reason why it is not known; a stranger's card is "no such card". What the carrier
//! said is as old as its last reading. Whoever wants it fresh has the card read first ([`Engine::read_card`], which a worker
//! does) and hands on what came of it: a reading that was not told, or not in time, is told as that. The judging itself is
//! pure: [`kachi_domain::diagnose`]. Not promised: that the list is complete, nor what becomes of the card.

use crate::act::Actor;
use crate::card_reads::{Ask, What};
use crate::catalogue::Catalogue;
use crate::desk::{Engine, Reading};
use crate::error::Result;
use crate::network;
use crate::sims::{self, Card};
use kachi_domain::account::Switch;
use kachi_domain::carrier::{Answer, Fact, Facts, Write};
use kachi_domain::diagnose::{self, Apart, Balance, Cause, Group, Ordered, Package, Piece, Pool, Report, Source, Why, WriteSeen};
use kachi_domain::order::SubscriptionState;
use kachi_domain::package::Resource;
use kachi_domain::rating::Live;
use kachi_domain::sim::Blocks;
use kachi_domain::{AccountId, Iccid, Money, Refusal, SimId, Timestamp};
use kachi_store::Tx;
use kachi_store::catalogue::Platform;
use kachi_store::intents::Intent;
use kachi_store::orders::Subscription;
use kachi_store::sims::Sim;
use std::time::Duration;

/// Days of usage that are looked at.
const DAYS: i64 = 90;
/// Writes that are looked at, the newest.
const WRITES: i64 = 50;
/// Days for which a refused write is looked at.
const REFUSED_DAYS: i64 = 30;

/// The card that a printed number names: ICCID, MSISDN, IMSI or EID. A stranger's is not there.
pub fn find(engine: &Engine, actor: &Actor, number: &str) -> Result<Iccid> {
    let number = number.trim().to_ascii_uppercase();
    let bad = |rule: String| Refusal::BadField { field: "card".into(), rule };
    if !(11..=32).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad(format!("an ICCID, MSISDN, IMSI or EID is 11 to 32 digits, not \"{number}\"")).into());
    }
    let mut found = engine.read(|tx, _| Ok(tx.sims_by_number(&actor.sees, &number, &format!("{number}0"), 10)?))?;
    found.dedup_by_key(|sim| sim.id);
    if found.len() > 1 {
        let cards: Vec<&str> = found.iter().map(|sim| sim.iccid.as_str()).collect();
        return Err(bad(format!("{number} names several cards: give one of {}", cards.join(", "))).into());
    }
    let sim = found.pop().ok_or(Refusal::UnknownSim)?;
    Iccid::parse(&sim.iccid).map_err(|e| bad(e.to_string()).into())
}

/// Why the card has no network. `asked` is what came of having it read just now, if it was.
pub fn diagnose(engine: &Engine, actor: &Actor, iccid: &Iccid, asked: Option<&Reading>) -> Result<Report> {
    let now = engine.now();
    let known = engine.read(|tx, catalogue| {
        let card = sims::card(catalogue, actor, tx.sim_and_state(iccid.as_str())?, now)?;
        gather(tx, catalogue, actor, (&card, asked), now)
    })?;
    Ok(diagnose::diagnose(known))
}

impl Engine {
    /// Has the card read at its carrier, and waits a while for it; then why it has no network.
    pub async fn diagnose_fresh(&self, actor: &Actor, iccid: Iccid, patience: Duration) -> Result<(Report, Reading)> {
        let catalogue = self.catalogue()?;
        let ask = Ask { iccid: iccid.clone(), platform: None, product: None, what: What::Status };
        let reading = self.read_card(&catalogue, actor, ask, patience).await?;
        Ok((diagnose(self, actor, &iccid, Some(&reading))?, reading))
    }
}

fn gather(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    actor: &Actor,
    (card, asked): (&Card, Option<&Reading>),
    now: Timestamp,
) -> Result<diagnose::Card> {
    let (sim, platform) = (&card.sim, network::platform(catalogue, &card.sim)?);
    let word = tx.carrier_word(sim.id)?;
    let device = tx.devices_of_sims(&[sim.id.0])?.pop();
    let intents = tx.intents_of_sim(sim.id, WRITES)?;
    let words =
        |d: &kachi_store::devices::Device| d.rssi.map_or_else(|| d.serial.clone(), |dbm| format!("{}, {dbm} dBm", d.serial));
    Ok(diagnose::Card {
        iccid: sim.iccid.clone(),
        now,
        base: card.base_state(),
        blocks: card.blocks(),
        bare_use: catalogue.product(sim.product).is_some_and(|p| p.bare_use),
        standing: read(word.standing, untold(platform, Fact::State, asked)),
        stop: read(word.stop, untold(platform, Fact::StopReason, asked)),
        sessions: read(word.sessions, untold(platform, Fact::Session, asked)),
        power: read(word.power, untold(platform, Fact::Power, asked)),
        apns_off: tx.apns_off(&[sim.id])?.into_iter().map(|(_, apn)| apn).collect(),
        package: package(tx, catalogue, card)?,
        waiting: waiting(catalogue, card),
        ordered: ordered(tx, catalogue, (sim.id, platform), &intents)?,
        pool: pool(tx, card)?,
        outflow_bytes: card.state.outflow_bytes,
        group: group(tx, card, now)?,
        imei: seen(tx, card)?,
        writes: writes(platform, &intents, now)?,
        renewal: tx.renewal_in_review(sim.id)?,
        balance: balance(tx, catalogue, card, now)?,
        account: account(catalogue, sim.account),
        real_name: sim.real_name,
        voice_numbers: tx.voice_numbers(sim.id)?.len(),
        network: sim.network.clone(),
        last_use: last_use(tx, catalogue, actor, card, now)?,
        counter: read(tx.count(sim.id)?.map(|c| (c, c.counter.as_of)), untold(platform, Fact::Counter, asked)),
        findings: findings(tx, sim.id)?,
        device: device.map_or_else(
            || Piece::None,
            |d| Piece::Known { value: words(&d), source: Source::Device, as_of: Timestamp(d.reported_at) },
        ),
    })
}

/// Where records and the carrier's count are apart, as they were last compared.
fn findings(tx: &mut Tx<'_>, sim: SimId) -> Result<Piece<Vec<Apart>>> {
    let found = tx.open_findings_of(sim)?;
    let seen = found.iter().map(|f| f.last_seen).max();
    let apart = |f: &kachi_store::reconcile::Listed| Apart {
        from: f.finding.cycle_from,
        record_bytes: f.finding.record_bytes,
        record_as_of: f.finding.record_as_of.map(Timestamp),
        carrier_bytes: f.finding.carrier_bytes,
        carrier_as_of: Timestamp(f.finding.carrier_as_of),
    };
    let known = |seen| Piece::Known { value: found.iter().map(apart).collect(), source: Source::Kept, as_of: Timestamp(seen) };
    Ok(seen.map_or(Piece::None, known))
}

/// The carrier's word with the time it was read, or why there is none.
fn read<T>(word: Option<(T, Timestamp)>, untold: Piece<T>) -> Piece<T> {
    word.map_or(untold, |(value, as_of)| Piece::Known { value, source: Source::Carrier, as_of })
}

/// Why the carrier has not told a fact.
fn untold<T>(platform: &Platform, fact: Fact, asked: Option<&Reading>) -> Piece<T> {
    let can = platform.capabilities;
    let counts = [Fact::Counter, Fact::Month];
    let tells = |facts: Facts| if counts.contains(&fact) { facts.any(&counts) } else { facts.has(fact) };
    match asked {
        _ if can.is_some_and(|can| can.by_hand) => Piece::not(Why::ByHand),
        _ if can.is_some_and(|can| !tells(can.facts)) => Piece::not(Why::CannotTell),
        Some(Reading::Failed(words)) => Piece::Not { why: Why::Failed, words: words.clone() },
        Some(Reading::Waiting) => Piece::not(Why::NoAnswer),
        Some(Reading::Done) | None => Piece::not(Why::NeverRead),
    }
}

fn name(catalogue: &Catalogue, package: kachi_domain::PackageId) -> String {
    catalogue.package(package).map_or_else(|| format!("#{package}"), |p| p.name.clone())
}

fn live(catalogue: &Catalogue, l: &Live, at: Option<Timestamp>) -> Package {
    let (name, refills_at) = (name(catalogue, l.package), l.refill);
    Package { name, used_bytes: l.window_used, left_bytes: l.left(), at, refills_at, over: None }
}

/// The packages that wait, in the order in which they start.
fn waiting(catalogue: &Catalogue, card: &Card) -> Vec<Package> {
    let starts = card.state.starts(catalogue.zone(card.sim.account));
    starts.into_iter().map(|(l, start)| live(catalogue, l, Some(start))).collect()
}

/// The package in use, or the last that was.
fn package(tx: &mut Tx<'_>, catalogue: &Catalogue, card: &Card) -> Result<Option<Package>> {
    if let Some(in_use) = card.in_use() {
        return Ok(Some(live(catalogue, in_use, in_use.running.map(|(_, end)| end))));
    }
    let over = tx.subscriptions(card.sim.id)?.into_iter().filter(|s| s.ended_at.is_some());
    Ok(over.max_by_key(|s| (s.ended_at, s.id)).map(|s| Package {
        name: name(catalogue, s.package),
        used_bytes: s.used_bytes,
        left_bytes: None,
        at: s.ended_at.map(Timestamp),
        refills_at: None,
        over: Some(s.end_reason.unwrap_or_default()),
    }))
}

/// The packages of data that are paid for and that the carrier has not confirmed.
fn ordered(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    (sim, platform): (SimId, &Platform),
    intents: &[Intent],
) -> Result<Vec<Ordered>> {
    let by_hand = platform.capabilities.is_some_and(|can| can.by_hand);
    let is_data = |s: &Subscription| matches!(s.terms.resource, Resource::Data | Resource::Nb);
    let pending = tx.subscriptions(sim)?.into_iter().filter(|s| s.state == SubscriptionState::Pending && is_data(s));
    let of = |s: Subscription| {
        let write = intents.iter().find(|i| i.order == Some(s.order.0) && network::is_open(i))?;
        let by_hand = by_hand || !network::is_under_way(write);
        Some(Ordered { order: s.order.0, name: name(catalogue, s.package), write: write.id, by_hand })
    };
    Ok(pending.filter_map(of).collect())
}

/// Causes as they are told of a card, of which packages that are missing are none where one is paid for and waited for.
pub(crate) fn told(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, mut causes: Vec<Cause>) -> Result<Vec<Cause>> {
    let of_packages: Vec<Cause> = Blocks::PACKAGE.each().filter_map(Cause::of_block).collect();
    if !causes.iter().any(|cause| of_packages.contains(cause)) {
        return Ok(causes);
    }
    let (platform, intents) = (network::platform(catalogue, sim)?, tx.intents_of_sim(sim.id, WRITES)?);
    let mut paid: Vec<Cause> = ordered(tx, catalogue, (sim.id, platform), &intents)?.iter().map(Ordered::cause).collect();
    paid.extend(tx.renewal_in_review(sim.id)?.map(|_| Cause::RenewalInReview));
    if !paid.is_empty() {
        causes.retain(|cause| !of_packages.contains(cause));
        causes.append(&mut paid);
        causes.sort_unstable();
        causes.dedup();
    }
    Ok(causes)
}

/// The pool that the card is in, and how that stands to it.
pub(crate) fn pool(tx: &mut Tx<'_>, card: &Card) -> Result<Option<Pool>> {
    let stays = tx.pool_stays_of(&[card.sim.id.0])?;
    let stay = stays.into_iter().find(|stay| stay.left_at.is_none());
    let joint = card.state.stake;
    let until = joint.map_or_else(|| card.state.pool.map(|stand| stand.until), |stake| stake.until);
    Ok(stay.map(|stay| Pool { id: stay.pool.0, until, joint: joint.is_some() }))
}

fn group(tx: &mut Tx<'_>, card: &Card, now: Timestamp) -> Result<Option<Group>> {
    let Some(member) = tx.imei_member(card.sim.id)?.filter(|m| !m.membership.is_over(now)) else { return Ok(None) };
    let group = tx.imei_group(member.group)?;
    Ok(group.map(|g| Group {
        code: g.code,
        lock: member.membership.lock.map(|l| (kachi_domain::imei::text(l.imei), l.at)),
        unlocks: (member.membership.unlocks_this_month(now), g.unlocks_per_month),
    }))
}

/// The device the card was last seen in, by its records, sessions or the device's own word: by which is not kept.
fn seen(tx: &mut Tx<'_>, card: &Card) -> Result<Piece<String>> {
    let row = tx.states_page(card.sim.id.0 - 1, 1)?.pop().filter(|row| row.sim == card.sim.id && row.seen.imei != 0);
    Ok(row.map_or_else(
        || Piece::None,
        |row| Piece::Known { value: kachi_domain::imei::text(row.seen.imei), source: Source::Kept, as_of: row.seen.at },
    ))
}

/// Open writes, and of each kind the last where that was refused not long ago.
fn writes(platform: &Platform, intents: &[Intent], now: Timestamp) -> Result<Vec<WriteSeen>> {
    let by_hand = platform.capabilities.is_some_and(|can| can.by_hand);
    let mut told: Vec<std::mem::Discriminant<Write>> = Vec::new();
    let mut found = Vec::new();
    for intent in intents {
        let write = network::asked(intent)?.write;
        let kind = std::mem::discriminant(&write);
        let newest = !told.contains(&kind);
        told.push(kind);
        let recent = now.since(Timestamp(intent.created_at)) <= REFUSED_DAYS * kachi_domain::time::DAY_SECONDS;
        let tells = network::is_open(intent) || intent.state == "refused" && newest && recent;
        if tells && has_to_do_with_the_network(&write) {
            found.push(WriteSeen {
                id: intent.id,
                act: act(&write)?,
                by_hand,
                at: Timestamp(intent.created_at),
                words: said(intent),
                state: intent.state.clone(),
            });
        }
    }
    Ok(found)
}

fn has_to_do_with_the_network(write: &Write) -> bool {
    !matches!(
        write,
        Write::AllowCalls { .. } | Write::BarCalls { .. } | Write::SendSms { .. } | Write::SendPhone { .. } | Write::RefreshUsage
    )
}

/// The act as it is kept: `stop`, `resume`, `subscribe` and the like.
fn act(write: &Write) -> Result<String> {
    let kept = serde_json::to_value(write).map_err(|e| crate::error::fault(e.to_string()))?;
    Ok(kept["act"].as_str().unwrap_or_default().to_owned())
}

/// The carrier's last word on a write; a person's is in words.
fn said(intent: &Intent) -> String {
    let Some(words) = &intent.last_answer else { return String::new() };
    match serde_json::from_str(words) {
        Ok(Answer::Refused { code, reason }) => format!("{code} {reason}"),
        Ok(Answer::Later { reason, .. } | Answer::InDoubt { reason } | Answer::NoLogin { reason }) => reason,
        Ok(Answer::Accepted { .. } | Answer::Confirmed | Answer::Already | Answer::Unknown) => String::new(),
        Err(_) => words.clone(),
    }
}

fn balance(tx: &mut Tx<'_>, catalogue: &Catalogue, card: &Card, now: Timestamp) -> Result<Piece<Balance>> {
    let (minor, _, credit) = tx.balance(card.sim.account)?;
    let Some(info) = catalogue.account(card.sim.account) else { return Ok(Piece::None) };
    let money = |minor| Money { minor, currency: info.account.currency };
    let owed = tx.owed(&[card.sim.account])?.first().map_or(0, |o| o.1);
    let value = Balance { available: money(minor), credit: money(credit), owed: money(owed) };
    Ok(Piece::Known { value, source: Source::Kept, as_of: now })
}

/// The account whose switch decides what the owner may do: its own, or the nearest above that is as strict as any.
fn account(catalogue: &Catalogue, owner: AccountId) -> (String, Switch) {
    let strictest = catalogue.switch(owner);
    let chain = catalogue.account(owner).map(|info| info.account.path.chain()).unwrap_or_default();
    let mut above = chain.into_iter().rev().filter_map(|id| catalogue.account(id));
    let found = above.find(|info| info.account.switch == strictest);
    (found.map_or_else(|| owner.to_string(), |info| info.account.code.clone()), strictest)
}

/// The last usage record with the bytes of the last days.
fn last_use(tx: &mut Tx<'_>, catalogue: &Catalogue, actor: &Actor, card: &Card, now: Timestamp) -> Result<Piece<i64>> {
    let Some(as_of) = card.as_of else { return Ok(Piece::None) };
    let today = catalogue.zone(card.sim.account).day(now);
    let days = tx.usage_days(&actor.sees, Some(card.sim.id), today - DAYS + 1, today)?;
    Ok(Piece::Known { value: days.iter().map(|day| day.1).fold(0, i64::saturating_add), source: Source::Cdr, as_of })
}
