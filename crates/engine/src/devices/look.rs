//! Cards that a device names and nobody here knows: the platforms are asked, one after the other, until one knows it.
//!
//! A worker claims what is due under a lease, asks with no transaction open, and settles under the same lease: a card that
//! a platform knows is added and bound; one that none knows is asked for again later; a platform that gives no answer
//! does not keep the next one from being asked. Where it is not clear as which product a found card is to be added, or the device's
//! account may not add cards, a person decides. Crash anywhere: the lease runs out and the platforms are asked again, which changes nothing there.

use super::claims::Adding;
use super::reconsider;
use crate::cards::Settling;
use crate::catalogue::Catalogue;
use crate::desk::Engine;
use crate::error::{Fail, Result, fault};
use crate::intents::Connectors;
use crate::sims;
use crate::upstream::{self, Purpose};
use kachi_domain::carrier::{Answer, Card, Fact, Facts};
use kachi_domain::device::{ClaimState, Doubt};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, Iccid, PlatformId};
use kachi_store::Tx;
use kachi_store::devices::{Claim, Device};

/// What is asked of a platform to find out whether it knows a card.
const KNOWN_BY: Facts = Facts::of(&[Fact::Numbers, Fact::State]);
/// Claims worked on at once.
const AT_ONCE: i64 = 20;
/// Seconds until platforms that gave no answer are asked again, growing with the tries up to the last.
const AGAIN_SECONDS: [i64; 5] = [10, 60, 600, 3600, 6 * 3600];
/// Seconds until platforms that do not know a card are asked for it again.
const UNKNOWN_SECONDS: i64 = 86_400;

/// What the platforms say of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    At(PlatformId),
    Nowhere,
    /// None knows it, but not all gave an answer.
    NotSure(String),
    /// The device names a platform that is not there.
    NoSuchPlatform,
}

/// Asks for the cards that are due; the answer is how many. `token` must be new each time.
pub fn step(engine: &Engine, connectors: &Connectors, token: i64) -> Result<usize> {
    let now = engine.now();
    if engine.store().look(|tx| tx.claims_due(now).map_err(Fail::from))? == 0 {
        return Ok(0);
    }
    let lease = engine.settings().lease_seconds;
    let due = engine.write(move |tx, _, how| Ok(tx.claim_claims(how.now, how.now.plus(lease), token, AT_ONCE)?))?;
    let n = due.len();
    for claim in due {
        let found = ask(engine, connectors, &claim)?;
        engine.write(move |tx, catalogue, how| settle(tx, catalogue, how, &claim, token, &found))?;
    }
    Ok(n)
}

fn ask(engine: &Engine, connectors: &Connectors, claim: &Claim) -> Result<Found> {
    let catalogue = engine.catalogue()?;
    let mut platforms: Vec<PlatformId> = catalogue.platforms().map(|p| p.id).collect();
    platforms.sort_unstable();
    if let Some(named) = claim.platform.map(PlatformId) {
        if !platforms.contains(&named) {
            return Ok(Found::NoSuchPlatform);
        }
        platforms = vec![named];
    }
    let mut unsure = Vec::new();
    for platform in platforms {
        let code = || catalogue.platform(platform).map_or_else(|| platform.to_string(), |p| p.code.clone());
        let Some(connector) = connectors.get(&platform) else {
            unsure.push(format!("{}: no connector is open", code()));
            continue;
        };
        match upstream::read(engine, (platform, connector.as_ref()), Purpose::Act, (&Card::of_iccid(&claim.iccid), KNOWN_BY))? {
            Ok(_) => return Ok(Found::At(platform)),
            Err(Answer::Refused { .. } | Answer::Unknown) => {}
            Err(Answer::Later { reason, .. } | Answer::InDoubt { reason } | Answer::NoLogin { reason }) => {
                unsure.push(format!("{}: {reason}", code()))
            }
            Err(other) => unsure.push(format!("{}: {other:?}", code())),
        }
    }
    Ok(if unsure.is_empty() { Found::Nowhere } else { Found::NotSure(unsure.join("; ")) })
}

fn settle(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, claim: &Claim, token: i64, found: &Found) -> Result<()> {
    // The device is locked first, as reports lock it.
    let Some(device) = tx.device_locked(claim.device)? else { return Err(fault(format!("device {} vanished", claim.device))) };
    if !tx.holds_claim(claim.id, token)? {
        return Ok(()); // the lease was lost, or it was settled meanwhile: whoever did so decides
    }
    let stay = |state, doubt: &str, words: String, due_at| Claim {
        state,
        doubt: doubt.to_owned(),
        words,
        due_at,
        tries: claim.tries + 1,
        ..claim.clone()
    };
    let after = match found {
        _ if device.iccid.as_deref() != Some(claim.iccid.as_str()) => stay(ClaimState::Gone, "", String::new(), None),
        Found::At(platform) => match product(catalogue, *platform).and_then(|p| may_add(catalogue, &device).map(|()| p)) {
            Ok(product) => {
                let iccid = Iccid::parse(&claim.iccid).map_err(|e| fault(e.to_string()))?;
                if tx.sim_by_iccid(&kachi_domain::account::Path::root(), iccid.as_str())?.is_none() {
                    add(tx, catalogue, how, &iccid, Adding { product, account: owner(catalogue, &device) })?;
                }
                tx.put_claim(&stay(ClaimState::Looking, "", String::new(), None), how.now)?;
                reconsider(tx, catalogue, how, device)?;
                return Ok(());
            }
            Err((doubt, words)) => stay(ClaimState::Open, doubt.word(), words, None),
        },
        Found::NoSuchPlatform => {
            let words = format!("there is no card platform {}", claim.platform.unwrap_or(0));
            stay(ClaimState::Open, Doubt::Platform.word(), words, None)
        }
        Found::Nowhere => {
            let words = "no card platform that was asked knows the card".to_owned();
            stay(ClaimState::Unknown, "", words, Some(how.now.plus(UNKNOWN_SECONDS).0))
        }
        Found::NotSure(words) => {
            let wait = AGAIN_SECONDS[usize::try_from(claim.tries).unwrap_or(0).min(AGAIN_SECONDS.len() - 1)];
            stay(ClaimState::Looking, "", words.clone(), Some(how.now.plus(wait).0))
        }
    };
    tx.put_claim(&after, how.now)?;
    if after.state != ClaimState::Gone {
        tx.put_devices(&[Device { claim: Some(after.state), ..device }])?;
    }
    Ok(())
}

/// As which product a card found at the platform is added: the only one there is.
fn product(catalogue: &Catalogue, platform: PlatformId) -> std::result::Result<kachi_domain::ProductId, (Doubt, String)> {
    let code = catalogue.platform(platform).map_or_else(|| platform.to_string(), |p| p.code.clone());
    let mut products: Vec<_> = catalogue.products().filter(|p| p.platform == platform).collect();
    products.sort_unstable_by_key(|p| p.id);
    match products.as_slice() {
        [only] => Ok(only.id),
        [] => {
            let words = format!("platform {code} knows the card but has no product here: make one, or add the card by hand");
            Err((Doubt::Product, words))
        }
        _ => {
            let codes: Vec<&str> = products.iter().map(|p| p.code.as_str()).collect();
            Err((Doubt::Product, format!("platform {code} knows the card; it may be any of the products {}", codes.join(", "))))
        }
    }
}

/// A device brings its account a card that nobody has here only where the operator lets the account take cards.
fn may_add(catalogue: &Catalogue, device: &Device) -> std::result::Result<(), (Doubt, String)> {
    let account = owner(catalogue, device);
    if catalogue.may_add(account) {
        return Ok(());
    }
    let code = catalogue.account(account).map_or_else(|| account.to_string(), |a| a.account.code.clone());
    Err((Doubt::Owner, format!("nobody has the card here, and account {code}, whose the device is, may not add cards itself")))
}

/// Whose a found card is: the device's owner, or whose it says it is, or the operator's.
fn owner(catalogue: &Catalogue, device: &Device) -> AccountId {
    let said = device.user.map(AccountId).filter(|a| catalogue.account(*a).is_some());
    Some(device.account).filter(|a| *a != OPERATOR).or(said).unwrap_or(OPERATOR)
}

/// Adds a card with everything optional empty; its state is not known before the carrier tells it.
pub(crate) fn add(tx: &mut Tx<'_>, catalogue: &Catalogue, how: &Settling, iccid: &Iccid, adding: Adding) -> Result<()> {
    let mut sim = sims::blank(iccid, adding.account, adding.product);
    kachi_domain::sim::BaseState::Unknown.word().clone_into(&mut sim.state);
    sims::put(tx, catalogue, how, &sim)?;
    Ok(())
}
