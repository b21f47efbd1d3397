//! Holds what is known of a card against the list of causes.

use super::{Act, Card, Cause, Certainty, Look, Piece, Reader, Topic, Why};
use crate::account::Switch;
use crate::sim::{BaseState, Blocks};
use crate::time::{DAY_SECONDS, Timestamp};

/// A carrier's word is taken as it is for so long after it was read; what rests on an older one is likely at most.
pub const FRESH_SECONDS: i64 = DAY_SECONDS;
/// A session that was seen so long ago or less says that the card is on line.
pub const ONLINE_SECONDS: i64 = 3_600;

/// What to look at at the device.
const AT_THE_DEVICE: [Topic; 8] =
    [Topic::Session, Topic::Power, Topic::LastUse, Topic::Counter, Topic::Findings, Topic::Imei, Topic::Network, Topic::Device];

/// A cause that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub cause: Cause,
    /// How sure it is.
    pub certainty: Certainty,
    /// What takes it away: its row's act, or another where that cannot work for the card.
    pub act: Act,
    /// What it is about, where the card alone does not say: the number of a write or order, a pool.
    pub of: String,
}

impl Found {
    /// The command of ours that takes it away, where there is one: for the operator.
    pub fn command(&self, iccid: &str) -> Option<String> {
        self.act.command(iccid, &self.of)
    }

    /// The operations of our doors that take it away.
    pub fn operations(&self, iccid: &str) -> Vec<String> {
        self.act.operations().iter().map(|o| o.replace("{card}", iccid)).collect()
    }
}

/// A card's diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What is known of it.
    pub card: Card,
    /// When the carrier showed the card on line, where that was a moment ago ([`ONLINE_SECONDS`]).
    pub online: Option<Timestamp>,
    /// Causes, in their order.
    pub causes: Vec<Found>,
}

impl Report {
    /// What was looked at for a cause, and what could not be.
    pub fn looks<'z>(&self, found: &Found, reader: impl Into<Reader<'z>>) -> Vec<Look> {
        let reader = reader.into();
        found.cause.row().topics.iter().map(|topic| self.card.look(*topic, reader)).collect()
    }

    /// What there is to look at at the device.
    pub fn at_the_device<'z>(&self, reader: impl Into<Reader<'z>>) -> Vec<Look> {
        let reader = reader.into();
        // Where records and the carrier agree there is nothing to tell.
        let tells = |topic: &&Topic| **topic != Topic::Findings || self.card.findings.known().is_some();
        AT_THE_DEVICE.iter().filter(tells).map(|topic| self.card.look(*topic, reader)).collect()
    }
}

/// Why the card has no network, as far as that is known.
pub fn diagnose(card: Card) -> Report {
    let mut judge = Judge { card: &card, found: Vec::new() };
    judge.life();
    judge.blocks();
    judge.carrier();
    judge.on_its_way();
    judge.around();
    let mut causes = judge.found;
    causes.sort_by_key(|f| (f.certainty, f.cause.row().who, f.cause));
    let connected = card.sessions.known().is_some_and(|sessions| !sessions.is_empty());
    let on_line = |at: &Timestamp| connected && card.now.since(*at) <= ONLINE_SECONDS;
    let online = card.sessions.as_of().filter(on_line);
    Report { online, causes, card }
}

fn is_fresh(card: &Card, at: Timestamp) -> bool {
    card.now.since(at) <= FRESH_SECONDS
}

struct Judge<'c> {
    card: &'c Card,
    found: Vec<Found>,
}

impl Judge<'_> {
    /// Finds a cause, once for each thing it is about.
    fn find(&mut self, cause: Cause, certainty: Certainty, of: &str) {
        if self.found.iter().any(|f| f.cause == cause && f.of == of) {
            return;
        }
        let act = match cause.row().act {
            Act::Read if !self.is_readable() => Act::LookThere,
            act => act,
        };
        self.found.push(Found { cause, certainty, act, of: of.to_owned() });
    }

    /// Whether its platform can tell how the card stands.
    fn is_readable(&self) -> bool {
        !matches!(self.card.standing, Piece::Not { why: Why::ByHand | Why::CannotTell, .. })
    }

    fn has(&self, cause: Cause) -> bool {
        self.found.iter().any(|f| f.cause == cause)
    }

    /// Where it stands with us. That it is stopped is a cause of its own only where nothing tells why.
    fn life(&mut self) {
        if let Some(cause) = Cause::of_state(self.card.base).filter(|c| *c != Cause::Stopped) {
            self.find(cause, cause.row().certainty, "");
        }
    }

    /// What is in its way with us. Packages keep no card off that may be used without one, or that is over; one that is paid for is
    /// waited for, and not bought again.
    fn blocks(&mut self) {
        for block in self.card.blocks.each() {
            let Some(cause) = Cause::of_block(block) else { continue };
            let of_packages = block.only_package();
            if of_packages && self.card.base.is_over() {
                continue;
            }
            let bare = self.card.bare_use && of_packages;
            let certainty = if bare { Certainty::Possible } else { cause.row().certainty };
            if of_packages && self.is_paid_for() {
                self.orders(certainty);
                continue;
            }
            let of = match (cause, &self.card.pool, &self.card.group) {
                (Cause::PoolExhausted, Some(pool), _) => pool.id.to_string(),
                (Cause::ImeiLock, _, Some(group)) => group.code.clone(),
                (Cause::Credit, ..) => self.card.account.0.clone(),
                _ => String::new(),
            };
            self.find(cause, certainty, &of);
        }
    }

    /// Whether a package is paid for and not the card's yet.
    fn is_paid_for(&self) -> bool {
        !self.card.ordered.is_empty() || self.card.renewal.is_some()
    }

    /// Whom those packages wait for.
    fn orders(&mut self, certainty: Certainty) {
        for ordered in &self.card.ordered {
            self.find(ordered.cause(), certainty, &ordered.write.to_string());
        }
        if let Some(number) = &self.card.renewal {
            self.find(Cause::RenewalInReview, certainty, number);
        }
    }

    /// What the carrier says, as sure as it is fresh.
    fn carrier(&mut self) {
        let card = self.card;
        let sure = |cause: Cause, at: Option<Timestamp>| {
            let fresh = at.is_some_and(|at| is_fresh(card, at));
            if fresh { cause.row().certainty } else { cause.row().certainty.max(Certainty::Likely) }
        };
        let told = card.standing.known().map(|s| s.base);
        let stop = card.stop.known();
        for reason in Cause::carriers(card.blocks, stop.map_or(Blocks::NONE, |s| s.blocks)).each() {
            if let Some(cause) = Cause::of_stop(reason) {
                self.find(cause, sure(cause, card.stop.as_of()), "");
            }
        }
        let (unnamed, at) = (stop.is_some_and(|s| s.blocks.is_empty() && !s.words.is_empty()), card.standing.as_of());
        let differs = match told {
            Some(told) if told.is_over() && !card.base.is_over() => Some(Cause::CarrierClosed),
            Some(BaseState::Inventory | BaseState::Testing | BaseState::Ready) if card.base.is_activated() => {
                Some(Cause::CarrierDormant)
            }
            Some(BaseState::Stopped) if unnamed => Some(Cause::CarrierUnnamed),
            _ => None,
        };
        if let Some(cause) = differs {
            self.find(cause, sure(cause, at), "");
        }
        let stopped_there = told == Some(BaseState::Stopped);
        if (stopped_there || card.base == BaseState::Stopped) && !self.tells_why() {
            let certainty = if stopped_there { sure(Cause::Stopped, at) } else { Cause::Stopped.row().certainty };
            self.find(Cause::Stopped, certainty, "");
        }
    }

    /// Whether something found would make a carrier stop the card.
    fn tells_why(&self) -> bool {
        self.found.iter().any(|f| f.certainty <= Certainty::Likely && f.cause.row().topics.contains(&Topic::CarrierState))
    }

    /// Writes and renewals that have no last word yet, and refusals, which explain only why something else still stands. An order
    /// explains nothing of a card that lacks no package.
    fn on_its_way(&mut self) {
        let (card, others) = (self.card, !self.found.is_empty());
        for write in &card.writes {
            let is_order = write.act == "subscribe";
            if is_order && (!self.lacks_package() || self.is_paid_for()) {
                continue;
            }
            let cause = match (write.state.as_str(), write.by_hand) {
                ("refused", _) if matches!(write.act.as_str(), "resume" | "activate") => Cause::LetOnRefused,
                ("refused", _) if is_order => Cause::OrderRefused,
                ("refused", _) => Cause::WriteRefused,
                (_, true) => Cause::WaitsForPerson,
                (_, false) => Cause::WriteOpen,
            };
            let explains = others || write.state != "refused";
            let certainty = if explains { cause.row().certainty } else { Certainty::Possible };
            self.find(cause, certainty, &write.id.to_string());
        }
        if let Some(number) = &card.renewal {
            self.find(Cause::RenewalInReview, self.with_package_block(Cause::RenewalInReview), number);
        }
        if !card.waiting.is_empty() && self.lacks_package() && !self.is_paid_for() {
            self.find(Cause::PackageWaits, Cause::PackageWaits.row().certainty, "");
        }
    }

    /// What may have to do with it.
    fn around(&mut self) {
        if !self.card.apns_off.is_empty() && !self.has(Cause::DataOff) {
            self.find(Cause::AccessPointOff, Cause::AccessPointOff.row().certainty, "");
        }
        let (code, switch) = &self.card.account;
        let switched = match switch {
            Switch::On => None,
            Switch::Paused => Some(Cause::AccountPaused),
            Switch::Off => Some(Cause::AccountOff),
        };
        if let Some(cause) = switched {
            self.find(cause, cause.row().certainty, code);
        }
        let spent = |b: &super::Balance| b.available.minor.saturating_add(b.credit.minor) <= 0;
        if self.lacks_package() && !self.is_paid_for() && self.card.balance.known().is_some_and(spent) {
            self.find(Cause::BalanceShort, Cause::BalanceShort.row().certainty, "");
        }
    }

    fn lacks_package(&self) -> bool {
        self.card.blocks.0 & Blocks::PACKAGE.0 != 0 && !self.card.base.is_over()
    }

    /// What would bring a package explains something only where one is missing.
    fn with_package_block(&self, cause: Cause) -> Certainty {
        if self.lacks_package() { cause.row().certainty } else { Certainty::Possible }
    }
}
