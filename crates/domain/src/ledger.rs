//! Money acts as a closed list of named journals, each balanced.
//!
//! An account has three buckets: `available`, `held`, and `owed`, which is below zero while it owes what a refund took back of a
//! share that it had spent. Against them stand three of the operator: `cash` (what came in from outside), `revenue` (what was
//! sold) and `adjust` (corrections). The postings of a journal sum to zero.

use crate::ids::AccountId;
use crate::package::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words!(/// The name of a money act.
Journal {
    /// Money came in.
    TopUp = "top_up",
    /// Bought and paid at once.
    Purchase = "purchase",
    /// Set aside until the carrier has confirmed.
    Hold = "hold",
    /// The held money is taken.
    Capture = "capture",
    /// The held money is given back.
    Release = "release",
    /// A sale is taken back, in part or whole.
    Refund = "refund",
    /// Messages to people's telephones were paid.
    SmsCharge = "sms_charge",
    /// Held money leaves: a profit is paid out.
    Withdrawal = "withdrawal",
    /// A correction.
    Correction = "correction",
});

words!(/// Where money lies.
Bucket {
    /// The account may spend it.
    Available = "available",
    /// Set aside for an order under way.
    Held = "held",
    /// Below zero: what it owes of shares that went back after it had spent them.
    Owed = "owed",
    /// Outside money that came in (operator only).
    Cash = "cash",
    /// Sales (operator only).
    Revenue = "revenue",
    /// What corrections took or gave (operator only).
    Adjust = "adjust",
});

/// One line of a journal: an amount added to a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Whose bucket.
    pub account: AccountId,
    /// Which bucket.
    pub bucket: Bucket,
    /// Minor units, negative for what leaves.
    pub minor: i64,
}

/// The share an account between the buyer and the operator earns on a sale, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Who earns it.
    pub account: AccountId,
    /// How much.
    pub minor: i64,
}

impl Share {
    /// What of the share is reversed when `back` of `paid` is given back: in proportion, rounded down, all of it for all.
    pub fn part_of(&self, paid: i64, back: i64) -> i64 {
        if paid == 0 { 0 } else { (i128::from(self.minor) * i128::from(back) / i128::from(paid)) as i64 }
    }
}

/// The operator's own account.
pub const OPERATOR: AccountId = AccountId(1);

fn post(account: AccountId, bucket: Bucket, minor: i64) -> Posting {
    Posting { account, bucket, minor }
}

fn sale(from: Posting, shares: &[Share]) -> Vec<Posting> {
    let paid = -from.minor;
    let shared: i64 = shares.iter().map(|s| s.minor).sum();
    let mut postings = vec![from, post(OPERATOR, Bucket::Revenue, paid - shared)];
    postings.extend(shares.iter().filter(|s| s.minor != 0).map(|s| post(s.account, Bucket::Available, s.minor)));
    postings
}

/// Money in from outside.
pub fn top_up(account: AccountId, minor: i64) -> Vec<Posting> {
    vec![post(account, Bucket::Available, minor), post(OPERATOR, Bucket::Cash, -minor)]
}

/// A person's correction: so much more that the account may spend, or less.
pub fn correction(account: AccountId, minor: i64) -> Vec<Posting> {
    vec![post(account, Bucket::Available, minor), post(OPERATOR, Bucket::Adjust, -minor)]
}

/// Paid at once; each level between earns its share.
pub fn purchase(account: AccountId, paid: i64, shares: &[Share]) -> Vec<Posting> {
    sale(post(account, Bucket::Available, -paid), shares)
}

/// Messages to people's telephones: paid at once, all of it the operator's.
pub fn sms_charge(account: AccountId, minor: i64) -> Vec<Posting> {
    sale(post(account, Bucket::Available, -minor), &[])
}

/// Set aside.
pub fn hold(account: AccountId, minor: i64) -> Vec<Posting> {
    vec![post(account, Bucket::Available, -minor), post(account, Bucket::Held, minor)]
}

/// The held money is taken; each level between earns its share.
pub fn capture(account: AccountId, paid: i64, shares: &[Share]) -> Vec<Posting> {
    sale(post(account, Bucket::Held, -paid), shares)
}

/// The held money is given back.
pub fn release(account: AccountId, minor: i64) -> Vec<Posting> {
    vec![post(account, Bucket::Held, -minor), post(account, Bucket::Available, minor)]
}

/// Held money leaves for the outside.
pub fn withdrawal(account: AccountId, minor: i64) -> Vec<Posting> {
    vec![post(account, Bucket::Held, -minor), post(OPERATOR, Bucket::Cash, minor)]
}

/// `refund` of `paid` goes back; each share is reversed in proportion, exactly for a full refund, the rounding
/// remainder borne by the operator.
pub fn refund(account: AccountId, paid: i64, refund: i64, shares: &[Share]) -> Vec<Posting> {
    let part = |s: &Share| post(s.account, Bucket::Available, -s.part_of(paid, refund));
    let reversed: Vec<Posting> = shares.iter().map(part).filter(|p| p.minor != 0).collect();
    let shared: i64 = reversed.iter().map(|p| p.minor).sum();
    let mut postings = vec![post(account, Bucket::Available, refund), post(OPERATOR, Bucket::Revenue, -refund - shared)];
    postings.extend(reversed);
    postings
}

/// A journal that gives money to accounts, where they pay what they owe first. `debts` are in minor units, above zero, and are
/// less by what is paid of them.
pub fn debts_first(postings: Vec<Posting>, debts: &mut BTreeMap<AccountId, i64>) -> Vec<Posting> {
    let mut split = Vec::with_capacity(postings.len());
    for p in postings {
        let debt = debts.get_mut(&p.account).filter(|d| **d > 0 && p.bucket == Bucket::Available && p.minor > 0);
        let Some(debt) = debt else {
            split.push(p);
            continue;
        };
        let paid = p.minor.min(*debt);
        *debt -= paid;
        split.push(post(p.account, Bucket::Owed, paid));
        split.extend((p.minor > paid).then_some(Posting { minor: p.minor - paid, ..p }));
    }
    split
}

/// Whether an account is in arrears, in minor units: it owes, or it has a credit line and used all of it. One that has nothing
/// left and no credit line can buy nothing, and what its cards have is paid.
pub fn in_arrears(available: i64, credit: i64, owed: i64) -> bool {
    owed > 0 || credit > 0 && available <= -credit
}

/// A refund of which each level pays what it can, in minor units, and owes the rest.
pub fn rest_owed(postings: Vec<Posting>, can_pay: &BTreeMap<AccountId, i64>) -> Vec<Posting> {
    let mut split = Vec::with_capacity(postings.len());
    for p in postings {
        let Some(can) = can_pay.get(&p.account).filter(|_| p.bucket == Bucket::Available && p.minor < 0) else {
            split.push(p);
            continue;
        };
        let paid = (-p.minor).min((*can).max(0));
        split.extend((paid > 0).then_some(Posting { minor: -paid, ..p }));
        split.extend((p.minor + paid < 0).then_some(post(p.account, Bucket::Owed, p.minor + paid)));
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_journal_sums_to_zero(paid in 0i64..1_000_000_000, back in 0i64..1_000_000_000, a in 0i64..1000, b in 0i64..1000) {
            let shares = [Share { account: AccountId(2), minor: a }, Share { account: AccountId(3), minor: b }];
            let who = AccountId(9);
            for postings in [top_up(who, paid), purchase(who, paid, &shares), hold(who, paid), capture(who, paid, &shares),
                             sms_charge(who, paid), release(who, paid), withdrawal(who, paid), correction(who, paid), correction(who, -paid),
                             refund(who, paid.max(back), back, &shares)] {
                prop_assert_eq!(postings.iter().map(|p| p.minor).sum::<i64>(), 0);
            }
        }
    }

    proptest! {
        #[test]
        fn what_cannot_be_paid_back_is_owed_and_paid_first(paid in 0i64..1000, a in 0i64..500, b in 0i64..500, has in 0i64..600, later in 0i64..900) {
            let (buyer, rich, poor) = (AccountId(9), AccountId(2), AccountId(3));
            let shares = [Share { account: rich, minor: a }, Share { account: poor, minor: b }];
            let plain = refund(buyer, paid, paid, &shares);
            let sum = |of: &[Posting], who, bucket| of.iter().filter(|p| p.account == who && p.bucket == bucket).map(|p| p.minor).sum::<i64>();
            let back = rest_owed(plain.clone(), &[(rich, i64::MAX), (poor, has)].into());
            for who in [OPERATOR, buyer, rich] {
                prop_assert!(plain.iter().filter(|p| p.account == who).eq(back.iter().filter(|p| p.account == who)));
            }
            let (took, owed) = (sum(&back, poor, Bucket::Available), sum(&back, poor, Bucket::Owed));
            prop_assert!(has + took >= 0 && owed <= 0 && took + owed == sum(&plain, poor, Bucket::Available));
            prop_assert!(owed == 0 || has + took == 0, "it pays what it can");
            let mut debts = BTreeMap::from([(poor, -owed)]);
            let sale = debts_first(purchase(buyer, later, &[Share { account: poor, minor: later }]), &mut debts);
            let (got, repaid) = (sum(&sale, poor, Bucket::Available), sum(&sale, poor, Bucket::Owed));
            prop_assert!(got + repaid == later && debts[&poor] == -owed - repaid && (got == 0 || debts[&poor] == 0));
            for postings in [back, sale] {
                prop_assert_eq!(postings.iter().map(|p| p.minor).sum::<i64>(), 0);
                prop_assert!(postings.iter().skip(2).all(|p| p.minor != 0));
            }
        }
    }

    #[test]
    fn an_account_is_in_arrears_that_owes_or_used_all_its_credit() {
        for (available, credit, owed, outcome) in [
            (0, 0, 0, false),
            (500, 0, 0, false),
            (0, 0, 1, true),
            (-99, 100, 0, false),
            (-100, 100, 0, true),
            (-100, 200, 0, false),
            (0, 100, 0, false),
        ] {
            assert_eq!(in_arrears(available, credit, owed), outcome, "{available} {credit} {owed}");
        }
    }

    #[test]
    fn a_full_refund_is_the_exact_negative_of_the_sale() {
        let shares = [Share { account: AccountId(2), minor: 33 }, Share { account: AccountId(3), minor: 7 }];
        let mut net = purchase(AccountId(9), 201, &shares);
        net.extend(refund(AccountId(9), 201, 201, &shares));
        for account in [1, 2, 3, 9] {
            assert_eq!(net.iter().filter(|p| p.account.0 == account).map(|p| p.minor).sum::<i64>(), 0);
        }
    }
}
