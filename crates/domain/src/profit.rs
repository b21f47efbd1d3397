//! What each level between buyer and operator earned on a sale, as its list of profits tells it.

use crate::ids::AccountId;
use crate::ledger::Share;
use crate::package::words;

words!(/// Who began the paying out of profits.
WithdrawalKind {
    /// A person (partner number 1).
    Manual = "manual",
    /// The system, once a day (2).
    Daily = "daily",
});

words!(/// Where the paying out of profits stands. A line that no withdrawal has taken waits for one (partner number 0).
WithdrawalState {
    /// Looked at by the operator; the money is held (1).
    Review = "review",
    /// Paid out (2).
    Done = "done",
    /// Refused: the money is the account's to spend again (3).
    Failed = "failed",
});

/// One level's line of a sale, or with the signs turned of what went back of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profit {
    /// Who earned.
    pub account: AccountId,
    /// Its own part, minor units.
    pub minor: i64,
    /// The parts of the levels below it, minor units: with its own part, everything above what it pays itself.
    pub child_minor: i64,
}

/// The lines of a sale with these shares (listed from the top down).
pub fn of_sale(shares: &[Share]) -> Vec<Profit> {
    let mut below = 0;
    let mut lines = Vec::with_capacity(shares.len());
    for share in shares.iter().rev().filter(|s| s.minor != 0) {
        lines.push(Profit { account: share.account, minor: share.minor, child_minor: below });
        below += share.minor;
    }
    lines.reverse();
    lines
}

/// The lines of a refund of `back` of `paid`: exactly those of the sale with the signs turned where all is given back.
/// `shares` are the ones that are reversed.
pub fn of_refund(paid: i64, back: i64, shares: &[Share]) -> Vec<Profit> {
    let parts: Vec<Share> = shares.iter().map(|s| Share { minor: -s.part_of(paid, back), ..*s }).collect();
    of_sale(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{self, Bucket};
    use proptest::prelude::*;

    #[test]
    fn each_level_sees_its_own_part_and_those_below() {
        let shares = [Share { account: AccountId(2), minor: 33 }, Share { account: AccountId(3), minor: 7 }];
        let line = |account, minor, child_minor| Profit { account: AccountId(account), minor, child_minor };
        assert_eq!(of_sale(&shares), [line(2, 33, 7), line(3, 7, 0)]);
        assert_eq!(of_refund(200, 200, &shares), [line(2, -33, -7), line(3, -7, 0)]);
        assert_eq!(of_refund(200, 100, &shares), [line(2, -16, -3), line(3, -3, 0)]);
        assert_eq!(of_refund(0, 0, &shares), []);
    }

    proptest! {
        #[test]
        fn the_list_is_what_the_journals_posted(paid in 1i64..1_000_000, part in 0i64..1_000_000, a in 0i64..1000, b in 0i64..1000) {
            let (buyer, back) = (AccountId(9), part.min(paid));
            let shares = [Share { account: AccountId(2), minor: a }, Share { account: AccountId(3), minor: b }];
            let sale = ledger::purchase(buyer, paid, &shares);
            let refund = ledger::refund(buyer, paid, back, &shares);
            for (lines, postings) in [(of_sale(&shares), sale), (of_refund(paid, back, &shares), refund)] {
                for account in [AccountId(2), AccountId(3)] {
                    let listed: i64 = lines.iter().filter(|l| l.account == account).map(|l| l.minor).sum();
                    let own = |p: &&ledger::Posting| p.account == account && p.bucket == Bucket::Available;
                    prop_assert_eq!(listed, postings.iter().filter(own).map(|p| p.minor).sum::<i64>());
                }
            }
            let all: i64 = of_sale(&shares).iter().chain(&of_refund(paid, paid, &shares)).map(|l| l.minor + l.child_minor).sum();
            prop_assert_eq!(all, 0);
        }
    }
}
