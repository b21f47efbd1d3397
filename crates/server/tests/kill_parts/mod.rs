//! Parts of the kill test: its world, its dice, the driver of orders, the files, and what must add up at the end.

pub mod check;
pub mod driver;
pub mod files;
pub mod renewals;

use crate::common::sims;
use renewals::{APIKEY, SID};

/// Cards that are known; all of them get traffic and orders.
pub const CARDS: u64 = 100;
/// The first card of the virtual carrier's product.
pub const CARRIER_CARD: u64 = 200;
/// How many there are.
pub const CARRIER_CARDS: u64 = 10;
/// The first cards that are renewed, of the local product and of the virtual carrier's, and how many there are of each.
pub const RENEW_CARD: u64 = 300;
pub const RENEW_CARRIER_CARD: u64 = 400;
pub const RENEWALS: u64 = 20;
/// What the account has at the start, in cents.
pub const OPENING: i64 = 10_000_000;
/// The account.
pub const ACME: i64 = 10_002;

/// A fixed sequence of numbers that look random (splitmix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// One customer, small packages that are soon used up, and a virtual carrier.
pub fn world(notify: &str) -> String {
    let head = format!(
        r#"
accounts:
  - {{code: acme, id: 10002, parent: north, currency: USD, language: en, opening_balance: "100000.00",
     credentials: {{eiotclub: {{appkey: kill-key, secret: kill-a1b1c1d1}}, cardboss: {{sid: {SID}, apikey: "{APIKEY}"}}}}, notify: {{eiotclub: "{notify}"}},
     prices: [{{package: GJ-100M-30D, price: "1.30"}}]}}
  - {{code: north, id: 10001, currency: USD, prices: [{{package: GJ-100M-30D, price: "1.00"}}]}}
platforms:
  - {{code: hand, connector: manual}}
  - {{code: play, connector: sandbox, settings: {{lag_seconds: 1, fault_every: 5, faults: [applied_timed_out, lost, garbage]}}}}
products:
  - {{code: 1US-1, platform: hand}}
  - {{code: 1EU-1, platform: play}}
packages:
  - {{code: GJ-100M-30D, product: 1US-1, data: 100MB, validity: 30d, price: "0.80", retail_price: "2.00", currency: USD, stack_max: 1000}}
  - {{code: EU-CARRIER, product: 1EU-1, data: 100MB, validity: 30d, price: "3.00", currency: USD, fulfil: carrier, stack_max: 1000}}
sims:
"#
    );
    let cards = |first: u64, n: u64, product| sims(first..first + n, "acme", product);
    let renewed = [cards(RENEW_CARD, RENEWALS, "1US-1"), cards(RENEW_CARRIER_CARD, RENEWALS, "1EU-1")].concat();
    [head, cards(0, CARDS, "1US-1"), cards(CARRIER_CARD, CARRIER_CARDS, "1EU-1"), renewed].concat()
}
