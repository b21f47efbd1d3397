//! What a customer can have done to a card, whether it may be done now, and the way from its acceptance to its effect.

use super::card::{Base, Card, CutOff, Edit, Offer, Stop};
use super::{Event, World};

/// An act on one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Out of one state into another: the moves of a card's youth, and retiring it.
    Move(Base, Base),
    /// Stopped at the owner's wish.
    Suspend,
    /// The owner's stop is lifted.
    Resume,
    /// Data on an APN, or on all.
    Data { apn: Option<String>, on: bool },
    /// Messages.
    Sms(bool),
    /// Voice.
    Voice(bool),
    /// The session ends and begins anew.
    Reset,
    /// A feature of the card by its name in Jasper's words.
    Edit(&'static str, String),
    /// A communication plan that lets data through, whatever the one before did.
    Plan(String),
    /// A line above which data is cut.
    CutOff(Option<CutOff>),
    /// A lower speed by the carrier's code.
    Speed(Option<String>),
    /// The device that the card is held to.
    Bind(Option<String>),
    /// Another package.
    Order(Offer),
    /// A package less.
    Unsubscribe(String),
    /// A place in a pool, with its own limit; or none.
    Pool(Option<(u32, Option<u64>)>),
}

/// Why an act is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The card was written to a moment ago.
    TooSoon,
    /// A write to the card is under way.
    Busy,
    /// Not in the card's present state.
    State,
    /// The card is stopped for a reason that the owner cannot lift.
    NotOwners,
    /// The card is stopped because its package expired.
    Expired,
    /// The carrier has frozen the card.
    Frozen,
    /// It is so already.
    Already,
}

impl Act {
    /// Whether the act may be done to the card as it is.
    pub(crate) fn check(&self, card: &Card) -> Result<(), Refusal> {
        let over = matches!(card.base, Base::Closed | Base::Replaced);
        match self {
            _ if card.frozen && matches!(self, Act::Suspend | Act::Resume) => Err(Refusal::Frozen),
            Act::Suspend if card.base == Base::Active => Ok(()),
            Act::Suspend => Err(Refusal::State),
            Act::Resume if card.base != Base::Stopped => Err(Refusal::State),
            Act::Resume if card.stops.contains(&Stop::OfferExpired) => Err(Refusal::Expired),
            Act::Resume if card.stops.iter().any(|s| *s != Stop::Owner) => Err(Refusal::NotOwners),
            Act::Resume => Ok(()),
            Act::Move(from, _) if card.base != *from => Err(Refusal::State),
            Act::Order(offer) if card.offers.iter().any(|o| o.id == offer.id) => Err(Refusal::Already),
            Act::Unsubscribe(id) if !card.offers.iter().any(|o| o.id == *id) => Err(Refusal::Already),
            _ if over => Err(Refusal::State),
            _ => Ok(()),
        }
    }

    /// Does it.
    fn apply(self, card: &mut Card, at: i64) {
        match self {
            Act::Move(_, to) => {
                card.base = to;
                if to == Base::Stopped {
                    card.stops.insert(Stop::Owner);
                } else if to == Base::Active {
                    card.stops.clear();
                }
            }
            Act::Suspend => card.stop(Stop::Owner),
            Act::Resume => {
                card.resume(Stop::Owner);
                if card.stops.is_empty() {
                    card.base = Base::Active;
                }
            }
            Act::Data { apn, on } => {
                for name in card.apns.clone().into_iter().filter(|n| apn.as_ref().is_none_or(|a| a == n)) {
                    if on {
                        card.data_off.remove(&name)
                    } else {
                        card.data_off.insert(name)
                    };
                }
            }
            Act::Sms(on) => card.sms_off = !on,
            Act::Voice(on) => card.voice_off = !on,
            Act::Reset => card.sessions += 1,
            Act::Edit(field, to) => edit(card, field, to, at),
            Act::Plan(name) => {
                card.data_off.clear();
                if card.communication_plan != name {
                    edit(card, "communicationPlan", name, at);
                }
            }
            Act::CutOff(line) => card.cut_off = line,
            Act::Speed(code) => card.speed = code,
            Act::Bind(imei) => card.bound_imei = imei,
            Act::Order(offer) => card.offers.push(offer),
            Act::Unsubscribe(id) => card.offers.retain(|o| o.id != id || o.main),
            Act::Pool(place) => {
                card.pool = place.map(|p| p.0);
                card.pool_limit = place.and_then(|p| p.1);
            }
        }
    }
}

fn edit(card: &mut Card, field: &'static str, to: String, at: i64) {
    let place = match field {
        "ratePlan" => &mut card.rate_plan,
        "communicationPlan" => &mut card.communication_plan,
        "overageLimitOverride" => &mut card.overage,
        other => card.custom.entry(other.to_owned()).or_default(),
    };
    let from = std::mem::replace(place, to.clone());
    card.edits.push(Edit { at, field: field.to_owned(), from, to });
}

/// An accepted write on its way.
#[derive(Debug)]
pub(super) struct Pending {
    card: u32,
    act: Act,
    /// Whether it will only be said to be done.
    hollow: bool,
    job: Option<(String, usize)>,
}

/// A batch and what came of it.
#[derive(Debug)]
pub(crate) struct Job {
    /// When it was accepted, unix seconds.
    pub(crate) at: i64,
    /// The cards and, once known, whether it was done.
    pub(crate) rows: Vec<(u32, Option<Result<(), Refusal>>)>,
}

impl World {
    /// The write will take effect after so many seconds; at once if that is none.
    pub(crate) fn accept(&mut self, card: u32, act: Act, seconds: i64, hollow: bool, job: Option<(String, usize)>) {
        let number = self.next_number();
        self.cards[card as usize].written = self.now;
        self.cards[card as usize].busy_until = self.now + seconds;
        self.pendings.insert(number, Pending { card, act, hollow, job });
        if seconds <= 0 {
            self.take_effect(number);
        } else {
            self.at(self.now + seconds, Event::Write(number));
        }
    }

    pub(super) fn take_effect(&mut self, number: u64) {
        let Some(Pending { card, act, hollow, job }) = self.pendings.remove(&number) else { return };
        let may = act.check(&self.cards[card as usize]);
        if may.is_ok() && !hollow {
            let now = self.now;
            if let Act::Pool(place) = &act {
                self.move_in_pools(card, place.map(|p| p.0));
            }
            self.change(card, |card| act.apply(card, now));
        }
        if let Some((id, row)) = job
            && let Some(job) = self.jobs.get_mut(&id)
        {
            job.rows[row].1 = Some(may);
        }
    }

    fn move_in_pools(&mut self, card: u32, to: Option<u32>) {
        for (at, pool) in self.pools.iter_mut().enumerate() {
            if Some(at as u32) == to {
                pool.members.insert(card)
            } else {
                pool.members.remove(&card)
            };
        }
    }

    /// Whether a write to the card was accepted less than so many seconds ago.
    pub(crate) fn is_cooling(&self, card: u32, seconds: i64) -> bool {
        self.now < self.cards[card as usize].written.saturating_add(seconds)
    }
}
