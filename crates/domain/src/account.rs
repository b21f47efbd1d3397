//! Accounts are a tree; an account sees itself and everything below it, and nothing else.

use crate::ids::AccountId;
use crate::package::words;

words!(/// The operator's switch of an account: what its people and programs may do with us. It says nothing of its cards.
Switch {
    /// Everything.
    On = "on",
    /// Ask, and change nothing.
    Paused = "paused",
    /// Nothing: no door lets it in.
    Off = "off",
});

/// The place of an account in the tree: `/1/4/9/` is account 9 under 4 under the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The operator's own path.
    pub fn root() -> Path {
        Path("/1/".to_owned())
    }

    /// Takes a path as stored.
    pub fn stored(text: String) -> Path {
        Path(text)
    }

    /// The path of a child.
    pub fn child(&self, id: AccountId) -> Path {
        Path(format!("{}{}/", self.0, id.0))
    }

    /// Whether `other` is this account or below it.
    pub fn sees(&self, other: &Path) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The stored text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The accounts from the operator down to this one.
    pub fn chain(&self) -> Vec<AccountId> {
        self.0.split('/').filter_map(|p| p.parse().ok()).map(AccountId).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_sees_itself_and_below() {
        let four = Path::root().child(AccountId(4));
        let nine = four.child(AccountId(9));
        let forty = Path::root().child(AccountId(40));
        assert!(four.sees(&nine) && four.sees(&four) && !nine.sees(&four) && !four.sees(&forty));
        assert_eq!(nine.chain(), [AccountId(1), AccountId(4), AccountId(9)]);
    }
}
