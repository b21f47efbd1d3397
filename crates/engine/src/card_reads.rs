//! A card as it is at its carrier now: asked for by its owner, read by a worker, kept here.
//!
//! Who acts: an account for a card it sees, or for one it wants to add that the platform must know. Promised: a reading
//! is asked for once while it has no answer, whoever asks again; what is read is kept with its source and instant; a
//! card that is to be added is there only if the platform knows it and the operator lets the account add cards; a platform that cannot tell, or refuses, is told as
//! that and changes nothing. The carrier is called with no transaction open, under a lease: a dead worker's reading is
//! asked again, which changes nothing there. Not promised: an answer before the caller's patience ends.

use crate::act::Actor;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::devices::{claims::Adding, look};
use crate::error::{Fail, Result, fault};
use crate::intents::Connectors;
use crate::upstream::{self, Purpose};
use crate::{network, stock, told};
use kachi_domain::account::Path;
use kachi_domain::carrier::{Answer, Card as Named, Fact, Facts, Line, Matter};
use kachi_domain::{Iccid, PlatformId, Refusal, Timestamp};
use kachi_store::Tx;
use kachi_store::card_reads::CardRead;
use kachi_store::sims::Sim;

/// Readings worked on at once.
const AT_ONCE: i64 = 20;
/// How often a platform that gives no answer is asked.
const TRIES_MAX: i64 = 3;
/// Seconds until it is asked again.
const AGAIN_SECONDS: i64 = 1;
/// Longest wait that a platform may ask for before a reading fails instead.
const LATER_SECONDS_MAX: i64 = 10;
/// What is wanted of a card that its carrier says has changed: nobody waits for it, so it is tried for longer.
const CHANGED: &str = "changed";
/// How often such a card is tried.
const CHANGED_TRIES_MAX: i64 = 50;
/// Longest wait between two of those tries, seconds, unless the carrier itself wants a longer one.
const CHANGED_SECONDS_MAX: i64 = 600;
/// Longest wait that a carrier is granted.
const CARRIERS_SECONDS_MAX: i64 = 86_400;

/// What is wanted of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Everything; a card that is not here is added.
    Info,
    /// Where it stands.
    Status,
    /// Its usage.
    Traffic,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            What::Info => "info",
            What::Status => "status",
            What::Traffic => "traffic",
        }
    }
}

/// What is asked: of which card, at which platform, as which product it is added if it is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The card.
    pub iccid: Iccid,
    /// The platform, where it is said.
    pub platform: Option<PlatformId>,
    /// The product's code, where it is said.
    pub product: Option<String>,
    /// What is wanted.
    pub what: What,
}

/// Asks for a reading; the answer is its number.
pub fn ask(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, actor: &Actor, ask: &Ask) -> Result<i64> {
    if let Some(open) = tx.open_card_read(actor.account, &ask.iccid, ask.what.word())? {
        return Ok(open.id);
    }
    let there = tx.sim_by_iccid(&Path::root(), ask.iccid.as_str())?;
    let seen = there.as_ref().filter(|s| actor.may_see(s.account));
    let (sim, product, platform) = match (seen, ask.what) {
        (Some(sim), _) => (Some(sim.id), None, network::platform(catalogue, sim)?.id),
        (None, What::Info) if ask.platform.is_some() || ask.product.is_some() => {
            if !catalogue.may_add(actor.account) {
                return Err(Refusal::MayNotAdd.into());
            }
            if there.is_some() {
                return bad("iccid", format!("{} is there already; an ICCID is unique", ask.iccid));
            }
            let product = stock::product(catalogue, ask.product.as_deref(), ask.platform)?;
            let lives = catalogue.product(product).map(|p| p.platform).ok_or_else(|| fault("the product vanished"))?;
            (None, Some(product), lives)
        }
        (None, _) => return Err(Refusal::UnknownSim.into()),
    };
    if let Some(named) = ask.platform.filter(|p| *p != platform) {
        return bad("cardPlatformId", format!("the card lives on card platform {platform}, not {named}; leave it out"));
    }
    let read = CardRead {
        id: 0,
        account: actor.account,
        iccid: ask.iccid.as_str().to_owned(),
        sim,
        product,
        platform,
        what: ask.what.word().to_owned(),
        state: String::new(),
        words: String::new(),
        tries: 0,
    };
    Ok(tx.add_card_read(&read, how.now)?)
}

/// Wants a card to be read because its carrier says that it changed, unless that is wanted already.
pub(crate) fn want(tx: &mut Tx<'_>, how: &Settling, platform: PlatformId, sim: &Sim) -> Result<()> {
    let iccid = Iccid::parse(&sim.iccid).map_err(|e| fault(e.to_string()))?;
    if tx.open_card_read(sim.account, &iccid, CHANGED)?.is_some() {
        return Ok(());
    }
    let read = CardRead {
        id: 0,
        account: sim.account,
        iccid: sim.iccid.clone(),
        sim: Some(sim.id),
        product: None,
        platform,
        what: CHANGED.to_owned(),
        state: String::new(),
        words: String::new(),
        tries: 0,
    };
    tx.add_card_read(&read, how.now)?;
    Ok(())
}

/// Reads what is due at the carriers; the answer is how many. `token` must be new each time.
pub fn step(engine: &Engine, connectors: &Connectors, token: i64) -> Result<usize> {
    engine.catalogue()?.platform_ids().into_iter().map(|platform| at(engine, connectors, platform, token)).sum()
}

/// The same at one platform. Each has a worker of its own: one that gives no answer holds up no other.
pub fn at(engine: &Engine, connectors: &Connectors, platform: PlatformId, token: i64) -> Result<usize> {
    let now = engine.now();
    if !engine.store().look(|tx| tx.card_reads_due(platform, now).map_err(Fail::from))? {
        return Ok(0);
    }
    let lease = engine.settings().lease_seconds;
    let due =
        engine.write(move |tx, _, how| Ok(tx.claim_card_reads(how.now, (how.now.plus(lease), token), (platform, AT_ONCE))?))?;
    let n = due.len();
    for wish in due {
        let asked_at = engine.now();
        let told = match connectors.get(&wish.platform) {
            Some(connector) => {
                let msisdn = known_number(engine, &wish)?;
                let card = Named { iccid: wish.iccid.clone(), msisdn };
                let at = (wish.platform, connector.as_ref());
                upstream::read(engine, at, Purpose::Act, (&card, facts(&wish.what)))?
            }
            None => Err(Answer::Refused { code: "closed".into(), reason: "the platform has no connector open".into() }),
        };
        engine.write(move |tx, catalogue, how| settle(tx, catalogue, how, (&wish, token), (&told, asked_at)))?;
    }
    Ok(n)
}

/// What is read for a wish of that name.
fn facts(what: &str) -> Facts {
    match what {
        "status" | CHANGED => Facts::of(&[Fact::State, Fact::StopReason, Fact::Session, Fact::Power, Fact::Imei, Fact::Network]),
        "traffic" => Facts::of(&[Fact::Month, Fact::Day, Fact::Counter, Fact::Packages, Fact::Voice]),
        _ => Facts::ALL,
    }
}

/// The card's telephone number, by which some carriers ask.
fn known_number(engine: &Engine, wish: &CardRead) -> Result<Option<String>> {
    let Some(sim) = wish.sim else { return Ok(None) };
    Ok(engine.store().look(|tx| tx.sim_by_id(sim).map_err(Fail::from))?.and_then(|s| s.msisdn))
}

fn settle(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    how: &Settling,
    (wish, token): (&CardRead, i64),
    (word, asked_at): (&std::result::Result<Line, Answer>, Timestamp),
) -> Result<()> {
    let is_patient = wish.what == CHANGED;
    let (tries_max, later_max) =
        if is_patient { (CHANGED_TRIES_MAX, CHANGED_SECONDS_MAX) } else { (TRIES_MAX, LATER_SECONDS_MAX) };
    let again = |seconds: i64| {
        let grown = if is_patient { seconds.min(later_max) << wish.tries.clamp(0, 10) } else { seconds };
        // Not before the carrier would have it.
        let wait = grown.min(later_max).max(seconds.min(CARRIERS_SECONDS_MAX));
        (wish.tries + 1 < tries_max).then(|| how.now.plus(wait))
    };
    // What was read as a write was confirmed says less than was asked for: the card is read once more, rather than told unread.
    let outdated = match (word, wish.sim) {
        (Ok(_), Some(sim)) if wish.tries + 1 < tries_max => {
            !tx.confirmed_since(&[sim.0], &[Matter::Service, Matter::Data, Matter::Network], asked_at)?.is_empty()
        }
        _ => false,
    };
    let meanwhile = Err(Answer::Later { seconds: 1, reason: "its carrier confirmed a write meanwhile".into() });
    let word = if outdated { &meanwhile } else { word };
    let (state, words, due) = match word {
        Ok(_) => ("done", String::new(), None),
        Err(Answer::Refused { code, reason }) => ("failed", format!("{code} {reason}"), None),
        Err(Answer::Later { seconds, reason }) if is_patient || *seconds <= later_max => {
            ("waiting", reason.clone(), again(*seconds))
        }
        Err(Answer::Later { reason, .. }) => ("failed", reason.clone(), None),
        Err(Answer::InDoubt { reason } | Answer::NoLogin { reason }) => ("waiting", reason.clone(), again(AGAIN_SECONDS)),
        Err(other) => ("failed", format!("{other:?}"), None),
    };
    let state = if state == "waiting" && due.is_none() { "failed" } else { state };
    if !tx.settle_card_read((wish.id, token), state, &words, due, how.now)? {
        return Ok(()); // the lease was lost: whoever holds it now decides
    }
    match word {
        Ok(line) => keep(tx, catalogue, how, wish, (line, asked_at)),
        Err(_) => Ok(()),
    }
}

/// Keeps what the carrier told; a card that is to be added is added first.
fn keep(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, wish: &CardRead, read: (&Line, Timestamp)) -> Result<()> {
    let there = tx.sim_by_iccid(&Path::root(), &wish.iccid)?;
    let sim = match (there, wish.product) {
        (Some(sim), _) => sim,
        (None, Some(product)) => {
            let iccid = Iccid::parse(&wish.iccid).map_err(|e| fault(e.to_string()))?;
            look::add(tx, catalogue, how, &iccid, Adding { product, account: wish.account })?;
            tx.sim_by_iccid(&Path::root(), &wish.iccid)?.ok_or_else(|| fault("an added card vanished"))?
        }
        (None, None) => return Ok(()), // it was taken out meanwhile
    };
    told::keep(tx, catalogue, how, (&sim, wish.platform), read)
}

fn bad<T>(field: &str, rule: String) -> Result<T> {
    Err(Refusal::BadField { field: field.into(), rule }.into())
}
