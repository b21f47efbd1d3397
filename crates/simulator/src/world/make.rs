//! Making cards: those that are described, and a population drawn from the seed.

use super::{Card, Offer, Pool, World, begin_session, session_key};
use crate::Platform;
use crate::calendar;
use crate::settings::{CardSpec, Settings};
use crate::traffic::{Shape, draw};
use crate::world::usage::Usage;
use crate::world::{Base, Stop};
use kachi_domain::ids::{Iccid, Imei, Imsi, Msisdn};
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 86_400;

/// Most cards of a world.
const CARDS_MAX: usize = 2_000_000;

pub(super) fn populate(world: &mut World, settings: &Settings) -> Result<(), String> {
    let drawn: usize = settings.population.iter().map(|(_, n)| *n as usize).sum();
    if drawn + settings.cards.len() > CARDS_MAX {
        return Err(format!("{} cards are too many for one world: at most {CARDS_MAX}", drawn + settings.cards.len()));
    }
    for spec in &settings.cards {
        add(world, settings, spec)?;
    }
    for (platform, count) in &settings.population {
        for _ in 0..*count {
            add_drawn(world, settings, *platform)?;
        }
    }
    Ok(())
}

/// A card with features drawn from the seed: most work, most send a little every few hours.
fn add_drawn(world: &mut World, settings: &Settings, platform: Platform) -> Result<(), String> {
    let dice = draw(settings.seed, world.cards.len() as u64, 10);
    let (base, stop) = match dice % 100 {
        0..80 => (Base::Active, None),
        80..86 => (Base::Active, Some(Stop::Owner)),
        86..88 => (Base::Active, Some(Stop::Credit)),
        88 => (Base::Active, Some(Stop::OfferExpired)),
        89..94 => (Base::Ready, None),
        94..97 => (Base::Inventory, None),
        97..99 => (Base::Testing, None),
        _ => (Base::Closed, None),
    };
    let shape = match (dice >> 8) % 100 {
        0..70 => Shape::Steady,
        70..85 => Shape::Bursty,
        85..95 => Shape::Night,
        95 => Shape::Runaway,
        _ => Shape::Silent,
    };
    // Telecom knows no inventory.
    let base =
        if base == Base::Inventory && matches!(platform, Platform::CtWing | Platform::Telecom) { Base::Ready } else { base };
    let spec = CardSpec::new(platform).base(base).shape(shape).rate(32_768 + (dice >> 16) % (1 << 20));
    let pooled = if (dice >> 40).is_multiple_of(10) { spec.pool(&format!("{}00001", platform.port())) } else { spec };
    let number = add(world, settings, &pooled)?;
    let card = &mut world.cards[number as usize];
    card.powered = (dice >> 48) % 100 >= 3;
    if let Some(stop) = stop {
        card.stop(stop);
    }
    settle_in(card, world.seed);
    Ok(())
}

fn add(world: &mut World, settings: &Settings, spec: &CardSpec) -> Result<u32, String> {
    let number = u32::try_from(world.cards.len()).map_err(|_| "too many cards".to_owned())?;
    let mut card = card(settings, spec, number);
    for (name, ok) in [
        (&card.iccid, Iccid::parse(&card.iccid).is_ok()),
        (&card.msisdn, Msisdn::parse(&card.msisdn).is_ok()),
        (&card.imsi, Imsi::parse(&card.imsi).is_ok()),
        (&card.imei, Imei::parse(&card.imei).is_ok()),
    ] {
        if !ok {
            return Err(format!("card {number}: \"{name}\" is not a well-formed number of its kind"));
        }
    }
    if let Some(name) = &spec.pool {
        card.pool = Some(join(world, spec, name, number));
    }
    for name in card.names() {
        // ICCID and its short form may be one.
        if world.names.insert(name.to_owned(), number).is_some_and(|other| other != number) {
            return Err(format!("card {number}: {name} is the number of another card too"));
        }
    }
    settle_in(&mut card, world.seed);
    world.cards.push(card);
    Ok(number)
}

fn join(world: &mut World, spec: &CardSpec, name: &str, card: u32) -> u32 {
    let at = world.pool(spec.platform, name).unwrap_or_else(|| {
        let pool = Pool { number: name.to_owned(), platform: spec.platform, bytes: 0, members: BTreeSet::new() };
        world.pools.push(pool);
        world.pools.len() as u32 - 1
    });
    let pool = &mut world.pools[at as usize];
    pool.bytes += spec.package_bytes;
    pool.members.insert(card);
    at
}

fn card(settings: &Settings, spec: &CardSpec, number: u32) -> Card {
    let dice = draw(settings.seed, u64::from(number), 11);
    let opened = settings.start - (120 + (dice % 200) as i64) * DAY;
    let worked = matches!(spec.base, Base::Active | Base::Stopped | Base::PreClosed | Base::Closed | Base::Replaced);
    let activated = worked.then(|| opened + (10 + (dice >> 8) as i64 % 100) * DAY);
    let made = Numbers::of(spec.platform, number);
    let given = |text: &Option<String>, made: String| text.clone().unwrap_or(made);
    let begin = settings.start - i64::from(settings.history_days) * DAY;
    let mut card = Card {
        number,
        platform: spec.platform,
        pb: spec.pb,
        foreign: spec.foreign,
        iccid: given(&spec.iccid, made.iccid).to_ascii_uppercase(),
        msisdn: given(&spec.msisdn, made.msisdn),
        imsi: given(&spec.imsi, made.imsi),
        imei: given(&spec.imei, made.imei),
        base: spec.base,
        stops: BTreeSet::new(),
        apns: spec.apns.clone(),
        data_off: BTreeSet::new(),
        sms_off: false,
        voice_off: false,
        frozen: false,
        region_limited: false,
        real_name: true,
        powered: true,
        online: false,
        session: None,
        shape: spec.shape,
        rate: spec.rate,
        opened,
        activated,
        modified: activated.unwrap_or(opened),
        changes: Vec::new(),
        edits: Vec::new(),
        sms: Vec::new(),
        offers: vec![main_offer(settings, spec, opened)],
        pool: None,
        pool_limit: None,
        rate_plan: "PLAN-A".into(),
        communication_plan: "COMM-1".into(),
        overage: "DEFAULT".into(),
        custom: BTreeMap::new(),
        cut_off: None,
        speed: None,
        bound_imei: None,
        usage: Usage::from(activated.map_or(settings.start, |a| a.max(begin))),
        written: i64::MIN / 2,
        busy_until: i64::MIN / 2,
        region_asked: i64::MIN / 2,
        online_since: 0,
        sessions: 0,
    };
    if card.base == Base::Stopped {
        card.stop(Stop::Owner);
    }
    if let Some(at) = activated {
        card.changes.push(super::Change { at, from: Base::Ready, to: Base::Active });
    }
    card
}

/// The package with which a card is sold: so many bytes each cycle.
fn main_offer(settings: &Settings, spec: &CardSpec, opened: i64) -> Offer {
    let megabytes = spec.package_bytes >> 20;
    Offer {
        id: format!("{}{megabytes:03}", spec.platform.port()),
        name: format!("{megabytes} MB"),
        bytes: spec.package_bytes,
        from: calendar::start_of(spec.platform.cycle().around(calendar::day_of(opened)).start),
        until: settings.start + 365 * DAY,
        main: true,
    }
}

/// The device is in the network since the card's traffic is counted, or it is not.
fn settle_in(card: &mut Card, seed: u64) {
    card.sessions = 0;
    let since = card.usage.settled;
    begin_session(card, session_key(card), seed, since);
}

/// The numbers of a card, made of its place in the world.
struct Numbers {
    iccid: String,
    msisdn: String,
    imsi: String,
    imei: String,
}

impl Numbers {
    fn of(platform: Platform, number: u32) -> Numbers {
        let (issuer, phone, network) = match platform {
            Platform::OneLink => ("898604", "1440", "46004"),
            Platform::CtWing => ("898611", "1491", "46011"),
            Platform::Telecom => ("898603", "1492", "46003"),
            Platform::Unicom => ("898606", "1461", "46006"),
            Platform::Jasper => ("898609", "1462", "46009"),
        };
        Numbers {
            iccid: with_check_digit(&format!("{issuer}26{number:011}")),
            msisdn: format!("{phone}{:09}", 100_000_000 + number),
            imsi: format!("{network}{:010}", 1_000_000_000 + u64::from(number)),
            imei: with_check_digit(&format!("86753098{number:06}").chars().take(14).collect::<String>()),
        }
    }
}

/// The digits and their Luhn check digit.
pub(super) fn with_check_digit(digits: &str) -> String {
    let weigh = |(i, d): (usize, u32)| match (i % 2 == 0, d) {
        (true, d) if d > 4 => d * 2 - 9,
        (true, d) => d * 2,
        (false, d) => d,
    };
    let sum: u32 = digits.chars().rev().filter_map(|c| c.to_digit(10)).enumerate().map(weigh).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_numbers_are_well_formed_and_end_in_their_check_digit() {
        for platform in Platform::ALL {
            let made = Numbers::of(platform, 123_456);
            let iccid = Iccid::parse(&made.iccid).unwrap();
            assert!(iccid.luhn_ok() && made.iccid.len() == 20, "{iccid}");
            assert_eq!((made.msisdn.len(), made.imsi.len(), made.imei.len()), (13, 15, 15));
        }
        assert_eq!(with_check_digit("490154203237518"[..14].into()), "490154203237518");
    }
}
