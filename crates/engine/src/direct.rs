//! Acts on one card that are passed straight to its carrier, whose word is the answer (CardBOSS v2.2.2, 3.4.2 to 3.4.6).
//!
//! Who acts: a partner's key, for a card the account sees. Promised: the write is stored in a transaction of its own before
//! the carrier hears of it, and is asked for once, however often the request comes and whoever dies; a resume that the
//! carrier would refuse, or that would let a card on which something keeps off here, is refused with what is in the card's way
//! ([`crate::switch`]), and so is activating such a card or ending its test; the answer to all else is the
//! carrier's last word, waited for as long as the caller says; what is not known by then goes on without the caller. A "not
//! now" of the carrier is its last word: nothing is done later that the caller was told had failed. The carrier's pauses a
//! card are kept on our side too, in whatever process. What the card is with us changes when the carrier has confirmed.

use crate::act::{Actor, Once, RequestKey};
use crate::cards::{Settling, speed};
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Result, fault};
use crate::network::{self, CardKey};
use crate::{service, sims, switch};
use kachi_domain::carrier::{Answer, Apn, Write};
use kachi_domain::diagnose::Cause;
use kachi_domain::rating::CardState;
use kachi_domain::resume::Resume;
use kachi_domain::service::KEPT_OFF;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{Refusal, SimId, Timestamp, Zone, voice};
use kachi_store::Tx;
use kachi_store::intents::Intent;
use kachi_store::sims::Sim;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Seconds before the same act may be asked for again for the same card (code 13009).
pub const PAUSE_SECONDS: i64 = 180;
/// The same for the list of numbers, adding and deleting together (code 13010).
pub const VOICE_PAUSE_SECONDS: i64 = 60;
/// How often a write that another process settles is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What is asked of the carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// End the card's test period.
    EndTest,
    /// Make it an active one.
    Activate,
    /// Stop it.
    Stop,
    /// Let it on again.
    Resume,
    /// Switch its data off.
    DataOff {
        /// At which access point; none: the only one.
        apn: Option<String>,
    },
    /// Switch its data on.
    DataOn {
        /// At which access point; none: the only one.
        apn: Option<String>,
        /// Only while more than this share of its allowance is left; 0: whatever is left.
        margin_percent: u32,
    },
    /// Let it call numbers.
    VoiceAdd {
        /// The numbers.
        numbers: Vec<String>,
        /// The group it belongs to, which the carrier is told; empty: none.
        group: String,
    },
    /// Do not let it call numbers any more.
    VoiceDelete {
        /// The numbers.
        numbers: Vec<String>,
        /// The same.
        group: String,
    },
}

pub(crate) const END_TEST: &str = "end_test";
const STOP_KEEP: &str = "stop_keep";
const SWITCH_NET: &str = "switch_net";
const VOICE_ADD: &str = "voice_add";
const VOICE_DELETE: &str = "voice_delete";
const CAUSES: [&str; 6] = [END_TEST, "activate", STOP_KEEP, SWITCH_NET, VOICE_ADD, VOICE_DELETE];

impl Act {
    /// What the write is stored for: acts of one interface pause together.
    fn cause(&self) -> &'static str {
        match self {
            Act::EndTest => END_TEST,
            Act::Activate => "activate",
            Act::Stop | Act::Resume => STOP_KEEP,
            Act::DataOff { .. } | Act::DataOn { .. } => SWITCH_NET,
            Act::VoiceAdd { .. } => VOICE_ADD,
            Act::VoiceDelete { .. } => VOICE_DELETE,
        }
    }
}

/// The access points of a card, each with whether its data is off.
pub type Apns = Vec<(String, bool)>;

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done {
        /// What still keeps the card from the network.
        left: Vec<Cause>,
    },
    /// The carrier has taken it; its last word was not here in time.
    Accepted,
    /// The carrier refused.
    Refused {
        /// Its code.
        code: String,
        /// Its words.
        reason: String,
    },
    /// Not known yet; it goes on.
    Unanswered,
}

/// Whether the write is one of these acts.
pub(crate) fn is_direct(intent: &Intent) -> bool {
    CAUSES.contains(&intent.cause.as_str())
}

/// The carrier's answer to a write of one of these acts that it did not take: "not now" is a refusal. Its code is the first
/// word where that is one.
pub(crate) fn firm(answer: Answer) -> Answer {
    let Answer::Later { reason, .. } = answer else { return answer };
    match reason.split_once(' ') {
        Some((code, words)) if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) => {
            Answer::Refused { code: code.to_owned(), reason: words.to_owned() }
        }
        _ => Answer::Refused { code: "later".into(), reason },
    }
}

/// Where an act stands after it was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The carrier has nothing to do.
    AtOnce(SimId),
    /// Its write.
    Write(i64),
}

impl Asked {
    fn text(&self) -> String {
        match self {
            Asked::AtOnce(sim) => format!("card {sim}"),
            Asked::Write(id) => format!("write {id}"),
        }
    }

    fn parse(text: &str) -> Result<Asked> {
        let read = |n: &str| n.parse().map_err(|_| fault(format!("the kept answer \"{text}\" does not read")));
        match text.split_once(' ') {
            Some(("card", n)) => Ok(Asked::AtOnce(SimId(read(n)?))),
            Some(("write", n)) => Ok(Asked::Write(read(n)?)),
            _ => Err(fault(format!("the kept answer \"{text}\" does not read"))),
        }
    }
}

/// Stores what the carrier is to be asked, or refuses.
fn ask(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    actor: &Actor,
    (card, act, reference): (&CardKey, &Act, &str),
) -> Result<Asked> {
    let sim = card.lock(tx, actor)?;
    network::refuse_out_of_service(tx, &sim)?;
    let write = write(tx, catalogue, &sim, act, how.now)?;
    network::refuse_unable(catalogue, &sim, &write)?;
    match act {
        Act::VoiceAdd { .. } | Act::VoiceDelete { .. } => {
            pace(tx, sim.id, &[VOICE_ADD, VOICE_DELETE], VOICE_PAUSE_SECONDS, how.now)?;
        }
        _ => pace(tx, sim.id, &[act.cause()], PAUSE_SECONDS, how.now)?,
    }
    let goes = match act {
        Act::Resume => resume(tx, catalogue, &sim, how.now)?,
        Act::EndTest | Act::Activate => begin(tx, catalogue, &sim, act, how.now)?,
        _ => Goes::ToCarrier,
    };
    if goes == Goes::Nowhere {
        return Ok(Asked::AtOnce(sim.id));
    }
    Ok(Asked::Write(network::wish(tx, catalogue, &sim, (act.cause(), None, actor.account), (reference, write), how.now)?))
}

/// Where an act goes that is not refused.
#[derive(Debug, PartialEq, Eq)]
enum Goes {
    /// To the carrier.
    ToCarrier,
    /// There is nothing for the carrier to do.
    Nowhere,
}

/// A resume, by the rule for all doors. One that would lift nothing is refused: the carrier itself has said that the card is on, or
/// the card is stopped there until its next package starts.
fn resume(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<Goes> {
    match switch::decide(tx, catalogue, sim, now)? {
        (Resume::Barred { by }, _) => Err(Refusal::KeptOff { by }.into()),
        (Resume::On { left: by }, heard) if !by.is_empty() && (heard.base().is_some() || kept_off(tx, catalogue, sim, now)?) => {
            Err(Refusal::KeptOff { by }.into())
        }
        (Resume::Lift { .. }, _) => {
            switch::lift(tx, catalogue, sim, now)?;
            Ok(Goes::Nowhere)
        }
        (Resume::On { .. } | Resume::Ask { .. }, _) => Ok(Goes::ToCarrier),
    }
}

/// Activating a card, or ending its test. At some carriers that is to let it on, so what keeps a card off bars these too, and one
/// that is stopped is let on by a resume alone. The test of a card that is on has ended.
fn begin(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, act: &Act, now: Timestamp) -> Result<Goes> {
    let base = BaseState::parse(&sim.state).unwrap_or(BaseState::Unknown);
    let bars = Blocks(sim.blocks & KEPT_OFF.0);
    if !bars.is_empty() {
        return Err(Refusal::KeptOff { by: Cause::all(bars, Blocks::NONE) }.into());
    }
    let kept = |by| Err(Refusal::KeptOff { by }.into());
    let stopped = || kept(vec![Cause::of_state(base).unwrap_or(Cause::Stopped)]);
    let goes = match base {
        base if base.is_dormant() => Goes::ToCarrier,
        _ => match switch::decide(tx, catalogue, sim, now)? {
            (Resume::On { left: by }, _) if kept_off(tx, catalogue, sim, now)? => return kept(by),
            (Resume::On { .. }, heard) if *act == Act::EndTest && heard.base() != Some(BaseState::Testing) => Goes::Nowhere,
            (Resume::On { .. }, _) => Goes::ToCarrier,
            (Resume::Barred { by }, _) => return kept(by),
            (Resume::Ask { .. } | Resume::Lift { .. }, _) => return stopped(),
        },
    };
    // A stop that is on its way counts: this would go after it.
    if switch::last_asked(tx, catalogue, sim)? == Some(Write::Stop) { stopped() } else { Ok(goes) }
}

/// Whether something keeps the card off now that its owner cannot lift.
fn kept_off(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, now: Timestamp) -> Result<bool> {
    let blocks = Blocks(sim.blocks).with_state(&sims::present(tx, catalogue, sim, now)?);
    service::keeps_off(tx, catalogue, sim, blocks)
}

/// What the act asks of the carrier, if the rules of the card let it.
fn write(tx: &mut Tx<'_>, catalogue: &Catalogue, sim: &Sim, act: &Act, now: Timestamp) -> Result<Write> {
    Ok(match act {
        Act::EndTest => Write::EndTest,
        Act::Activate => Write::Activate,
        Act::Stop => Write::Stop,
        Act::Resume => Write::Resume,
        Act::DataOff { apn } => Write::DataOff { apn: which(sim, apn.as_deref())? },
        Act::DataOn { apn, margin_percent } => {
            let apn = which(sim, apn.as_deref())?;
            refuse_below_margin(&sims::present(tx, catalogue, sim, now)?, *margin_percent)?;
            Write::DataOn { apn, kbps: speed::with_data(tx, catalogue, sim)? }
        }
        Act::VoiceAdd { numbers, group } => {
            let numbers = voice::numbers(numbers, voice::NUMBERS_MAX)?;
            let mut there = tx.voice_numbers(sim.id)?;
            for open in tx.open_intents(sim.id, VOICE_ADD)? {
                if let Write::AllowCalls { numbers, .. } = network::asked(&open)?.write {
                    there.extend(numbers);
                }
            }
            voice::refuse_full(&there, &numbers)?;
            Write::AllowCalls { numbers, group: group.clone() }
        }
        Act::VoiceDelete { numbers, group } => {
            let numbers = voice::numbers(numbers, voice::DELETED_AT_ONCE)?;
            let last = tx.last_standing_intent(sim.id, VOICE_DELETE)?.map(|i| Timestamp(i.created_at));
            voice::refuse_second_delete(last, now, &Zone::find(DEFAULT_ZONE).map_err(fault)?)?;
            Write::BarCalls { numbers, group: group.clone() }
        }
    })
}

/// The same interface not again so soon; what the carrier refused, or was given up before it was sent, does not count.
fn pace(tx: &mut Tx<'_>, sim: SimId, causes: &[&str], pause: i64, now: Timestamp) -> Result<()> {
    for cause in causes {
        let last = tx.last_standing_intent(sim, cause)?.map(|i| Timestamp(i.created_at));
        if let Some(seconds) = last.map(|at| pause - now.since(at)).filter(|s| *s > 0) {
            return Err(Refusal::TooSoon { seconds }.into());
        }
    }
    Ok(())
}

/// The access points a card has, as it was told to us.
fn apns(sim: &Sim) -> Vec<String> {
    let details: serde_json::Value = serde_json::from_str(&sim.details).unwrap_or_default();
    let named: Vec<String> = serde_json::from_value(details["apns"].clone()).unwrap_or_default();
    named.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The access point that is meant. Of several one must be named.
fn which(sim: &Sim, named: Option<&str>) -> Result<Option<String>> {
    let apns = apns(sim);
    match named {
        // The digits that say what is to be done stand right behind the name where such a request is signed: of a card
        // whose access points are not known, a name that ends like them could be another request's.
        Some(name) if apns.is_empty() && name.ends_with(['0', '1']) => Err(Refusal::UnknownApn { apns }.into()),
        Some(name) if !apns.is_empty() && !apns.iter().any(|a| a == name) => Err(Refusal::UnknownApn { apns }.into()),
        Some(name) => Ok(Some(name.to_owned())),
        None if apns.len() > 1 => Err(Refusal::WhichApn { apns }.into()),
        None => Ok(apns.into_iter().next()),
    }
}

/// Refuses to let a card on whose packages in use have no more than the share left. One without a limit, or one that lives
/// of a pool, has all of it.
fn refuse_below_margin(state: &CardState, margin_percent: u32) -> Result<()> {
    if margin_percent > 100 {
        let rule = "a percentage, 0 to 100".to_owned();
        return Err(Refusal::BadField { field: "marginrat".into(), rule }.into());
    }
    let running = || state.live.iter().filter(|l| l.running.is_some() && l.takes_bytes());
    if margin_percent > 0 && state.is_stake_used_up() && state.verdict().is_some() {
        return Err(Refusal::BelowMargin { left_percent: 0, margin_percent: i64::from(margin_percent) }.into());
    }
    if margin_percent == 0 || running().any(|l| l.left().is_none()) || state.pool.is_some() && !state.is_pool_exhausted() {
        return Ok(());
    }
    let left: i128 = running().filter_map(|l| l.left()).map(i128::from).sum();
    let total: i128 = running().map(|l| i128::from(l.terms.allowance)).sum();
    if left * 100 > i128::from(margin_percent) * total {
        return Ok(());
    }
    let left_percent = if total == 0 { 0 } else { i64::try_from(left * 100 / total).unwrap_or(0) };
    Err(Refusal::BelowMargin { left_percent, margin_percent: i64::from(margin_percent) }.into())
}

/// The carrier, or a person, says that one of these acts is done.
pub(crate) fn done(tx: &mut Tx<'_>, catalogue: &Catalogue, (intent, write): (&Intent, &Write), now: Timestamp) -> Result<()> {
    let row = tx.state_locked(intent.sim)?;
    let card = tx.sim_by_id(intent.sim)?.ok_or_else(|| fault(format!("card {} vanished", intent.sim)))?;
    let sim = Sim { account: row.account, ..card };
    match write {
        Write::EndTest | Write::Activate | Write::Stop | Write::Resume => switch::done(tx, catalogue, (&sim, write), now),
        Write::DataOff { apn } => {
            tx.put_apn_off(sim.id, apn.as_deref().unwrap_or_default(), now)?;
            switched(tx, &sim, "off", apn.as_deref(), now)
        }
        Write::DataOn { apn, .. } => {
            match apn {
                // Which there are is not known: all of them are meant.
                None if apns(&sim).is_empty() => tx.remove_apns_off(sim.id)?,
                apn => tx.remove_apn_off(sim.id, apn.as_deref().unwrap_or_default())?,
            }
            switched(tx, &sim, "on", apn.as_deref(), now)
        }
        Write::AllowCalls { numbers, .. } => numbers.iter().try_for_each(|n| Ok(tx.put_voice_number(sim.id, n, now)?)),
        Write::BarCalls { numbers, .. } => numbers.iter().try_for_each(|n| Ok(tx.remove_voice_number(sim.id, n)?)),
        _ => Ok(()),
    }
}

/// The card's blocks with that of its data, which follows from the access points: it stands while none of them has data.
fn blocks<'a>(sim: &Sim, off: impl IntoIterator<Item = &'a String>) -> i64 {
    let (off, apns) = (off.into_iter().collect::<BTreeSet<_>>(), apns(sim));
    let all_off = if apns.is_empty() { !off.is_empty() } else { apns.iter().all(|a| off.contains(a)) };
    if all_off { sim.blocks | Blocks::DATA_OFF.0 } else { sim.blocks & !Blocks::DATA_OFF.0 }
}

/// Keeps cards' access points as their carrier tells them, with whether data is on there: their names where nobody named them
/// before. The answer is each card with them, and its blocks: that of its data is over where there is data again, and is not set by
/// this, for what the carrier cut by itself it lets on by itself. What is told without a name is told of all of them.
pub(crate) fn told(tx: &mut Tx<'_>, cards: Vec<(Sim, &[Apn])>, now: Timestamp) -> Result<Vec<(Sim, i64)>> {
    let asked: Vec<SimId> = cards.iter().filter(|(_, told)| !told.is_empty()).map(|(sim, _)| sim.id).collect();
    let before: BTreeSet<(SimId, String)> = tx.apns_off(&asked)?.into_iter().map(|(sim, apn)| (SimId(sim), apn)).collect();
    let (mut after, mut stand) = (before.clone(), Vec::with_capacity(cards.len()));
    for (mut sim, told) in cards {
        let mut off: BTreeSet<String> = before.iter().filter(|(of, _)| *of == sim.id).map(|(_, apn)| apn.clone()).collect();
        let names: Vec<&str> = told.iter().map(|a| a.name.as_str()).filter(|name| !name.is_empty()).collect();
        if apns(&sim).is_empty() && !names.is_empty() {
            let mut details: serde_json::Value = serde_json::from_str(&sim.details).unwrap_or_default();
            if !details.is_object() {
                details = serde_json::json!({});
            }
            details["apns"] = names.into_iter().collect();
            sim.details = details.to_string();
            tx.change_sim(sim.id, &sim)?;
            if told.iter().all(|a| a.on.is_some()) {
                off.clear(); // whatever it was called, it is one of these
            }
        }
        for apn in told {
            match apn.on {
                Some(true) if apn.name.is_empty() => off.clear(),
                Some(true) => _ = off.remove(&apn.name),
                Some(false) => _ = off.insert(apn.name.clone()),
                None => {}
            }
        }
        let is_told = told.iter().any(|a| a.on.is_some());
        let blocks = if is_told { sim.blocks & blocks(&sim, &off) } else { sim.blocks };
        if !told.is_empty() {
            after.retain(|(of, _)| *of != sim.id);
            after.extend(off.into_iter().map(|apn| (sim.id, apn)));
        }
        stand.push((sim, blocks));
    }
    tx.put_apns_off(&after.difference(&before).cloned().collect::<Vec<_>>(), now)?;
    let mut on: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (sim, apn) in before.difference(&after) {
        on.entry(apn).or_default().push(sim.0);
    }
    for (apn, sims) in on {
        tx.remove_apn_off_of(apn, &sims)?;
    }
    Ok(stand)
}

fn switched(tx: &mut Tx<'_>, sim: &Sim, word: &str, apn: Option<&str>, now: Timestamp) -> Result<()> {
    let off: Vec<String> = tx.apns_off(&[sim.id])?.into_iter().map(|(_, apn)| apn).collect();
    let blocks = blocks(sim, &off);
    let detail = format!("data {word}{}", apn.map_or_else(String::new, |a| format!(" at {a}")));
    tx.forget_carrier_word(sim.id)?;
    switch::stand(tx, sim, (&sim.state, blocks), &detail, now)
}

/// What is known of a write; none while that is nothing final.
fn last_word(tx: &mut Tx<'_>, id: i64) -> Result<std::result::Result<Outcome, Outcome>> {
    let intent = tx.intent(id)?.ok_or_else(|| fault(format!("write {id} vanished")))?;
    Ok(match intent.state.as_str() {
        "confirmed" => Ok(Outcome::Done { left: left(tx, intent.sim)? }),
        "refused" | "superseded" => Ok(refused(intent.last_answer.as_deref().unwrap_or_default())),
        "sent" => Err(Outcome::Accepted),
        _ => Err(Outcome::Unanswered),
    })
}

/// What keeps the card from the network: ours, and what its carrier gave as its reasons.
fn left(tx: &mut Tx<'_>, sim: SimId) -> Result<Vec<Cause>> {
    let ours = tx.sim_by_id(sim)?.map_or(Blocks::NONE, |s| Blocks(s.blocks));
    Ok(Cause::all(ours, tx.carrier_word(sim)?.reasons()))
}

/// The carrier's refusal as it was kept; a person's is in words.
fn refused(words: &str) -> Outcome {
    match serde_json::from_str(words) {
        Ok(Answer::Refused { code, reason }) => Outcome::Refused { code, reason },
        _ => Outcome::Refused { code: "by hand".into(), reason: words.to_owned() },
    }
}

/// The access points of cards: (card, each with whether its data is off); of the cards that the account sees.
fn apns_of(tx: &mut Tx<'_>, actor: &Actor, sims: &[SimId]) -> Result<Vec<(SimId, Apns)>> {
    let off = tx.apns_off(sims)?;
    let mut ids: Vec<i64> = sims.iter().map(|s| s.0).collect();
    ids.sort_unstable();
    let seen = tx.sims_by_id(&ids)?.into_iter().filter(|s| actor.may_see(s.account));
    let of = |sim: Sim| {
        let is_off = |apn: &str| off.iter().any(|(id, name)| *id == sim.id.0 && name == apn);
        let apns = apns(&sim).into_iter().map(|apn| (apn.clone(), is_off(&apn))).collect();
        (sim.id, apns)
    };
    Ok(seen.map(of).collect())
}

impl Engine {
    /// Passes an act to the card's carrier and waits for its last word, so long at most. The same request again waits for the
    /// same write. `reference` is a text that no other write has (made at the roof).
    pub async fn act_now(
        &self,
        catalogue: &Arc<Catalogue>,
        actor: &Actor,
        key: RequestKey,
        (card, act, reference): (CardKey, Act, String),
        wait: Duration,
    ) -> Result<Outcome> {
        let ask = move |tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor| {
            ask(tx, catalogue, how, actor, (&card, &act, &reference))
        };
        let (Once::Done(kept) | Once::Repeated(kept)) = self.command(catalogue, actor, key, ask, Asked::text).await?;
        match Asked::parse(&kept)? {
            Asked::AtOnce(sim) => self.question(catalogue, move |tx, _| Ok(Outcome::Done { left: left(tx, sim)? })).await,
            Asked::Write(id) => self.wait_for(id, wait).await,
        }
    }

    async fn wait_for(&self, id: i64, wait: Duration) -> Result<Outcome> {
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        loop {
            // Heard of from here on: what is settled while we look is not missed.
            let settled = self.writes_settled().notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let so_far = match self.ask(move |store| store.read(|tx| last_word(tx, id))).await? {
                Ok(outcome) => return Ok(outcome),
                Err(so_far) => so_far,
            };
            tokio::select! {
                () = &mut deadline => return Ok(so_far),
                () = settled => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The access points of cards, each with whether its data is off; cards that the account does not see are left out.
    pub async fn apns(&self, catalogue: &Arc<Catalogue>, actor: &Actor, sims: Vec<SimId>) -> Result<Vec<(SimId, Apns)>> {
        let actor = actor.clone();
        self.question(catalogue, move |tx, _| apns_of(tx, &actor, &sims)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_not_now_is_a_refusal_with_the_carriers_code() {
        let later = |reason: &str| Answer::Later { seconds: 9, reason: reason.into() };
        let refused = |code: &str, reason: &str| Answer::Refused { code: code.into(), reason: reason.into() };
        assert_eq!(firm(later("13009 too many writes")), refused("13009", "too many writes"));
        assert_eq!(firm(later("the platform is overloaded")), refused("later", "the platform is overloaded"));
        assert_eq!(firm(later("busy")), refused("later", "busy"));
        assert_eq!(firm(Answer::ACCEPTED), Answer::ACCEPTED);
    }

    #[test]
    fn what_was_asked_for_is_kept_and_read() {
        for asked in [Asked::AtOnce(SimId(7)), Asked::Write(12)] {
            assert_eq!(Asked::parse(&asked.text()).unwrap(), asked);
        }
        assert!(Asked::parse("nothing").is_err());
    }
}
