//! Amounts of a file, and the rule that no level sells below what it pays itself. What is wrong with a price is told at the entry that
//! sets it, with the name of what it is the price of.

use super::file::{self, Account as Entry, Document, Price};
use super::work::{Step, Work};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, Currency, Money};
use kachi_engine::Catalogue;
use kachi_engine::money::BOOKED_MINOR_MAX;
use kachi_store::accounts::Account;
use kachi_store::catalogue::Package;

/// The place of a price, with whose or of what it is.
pub fn priced(place: &str, key: &str, of: &str) -> String {
    format!("{place}.{key} ({of})")
}

impl Work<'_, '_> {
    /// An amount that is not negative.
    pub fn amount(&self, place: &str, text: Option<&str>, currency: Currency) -> Step<Option<i64>> {
        let Some(text) = text else { return Ok(None) };
        let money = self.at(place, Money::parse(text, currency))?;
        if money.minor < 0 {
            let most = Money { minor: money.minor.saturating_neg(), currency }.to_decimal();
            return self.refuse(place, format!("\"{text}\" is less than zero; write 0 or more, such as {most}"));
        }
        Ok(Some(money.minor))
    }

    /// A price: an amount that one act may book.
    pub fn price_amount(&self, place: &str, text: Option<&str>, currency: Currency) -> Step<Option<i64>> {
        let amount = self.amount(place, text, currency)?;
        if amount.is_some_and(|minor| minor > BOOKED_MINOR_MAX) {
            let most = Money { minor: BOOKED_MINOR_MAX, currency }.to_decimal();
            let words = format!("\"{}\" is more than {most} {currency}, the most that one act books", text.unwrap_or_default());
            return self.refuse(place, format!("{words}; write what one sale costs"));
        }
        Ok(amount)
    }

    /// A package may be sold at a loss knowingly: whoever sets a retail price below its price is told so.
    pub fn warn_of_loss(&mut self, place: &str, entry: &file::Package, package: &Package) {
        if entry.price.is_none() && entry.retail_price.is_none() || package.retail_minor >= package.price_minor {
            return;
        }
        let words = |minor| Money { minor, currency: package.currency }.to_decimal();
        let (retail, price, currency) = (words(package.retail_minor), words(package.price_minor), package.currency);
        let place = priced(place, if entry.retail_price.is_some() { "retail_price" } else { "price" }, &entry.code);
        self.outcome.warnings.push(format!(
            "{}: {place}: the retail price of {retail} {currency} is below the price of {price}: a sale at it is a loss; look whether it is meant",
            self.file
        ));
    }

    /// Refuses prices at which some level would sell below what it pays itself.
    pub fn check_prices(&self, catalogue: &Catalogue, document: &Document) -> Step {
        let mut accounts: Vec<_> = catalogue.accounts().map(|a| &a.account).filter(|a| a.id != OPERATOR).collect();
        accounts.sort_by_key(|a| a.id);
        let mut packages = catalogue.packages();
        packages.extend(catalogue.pool_types().into_iter().map(|(package, _)| package));
        for account in accounts {
            for package in packages.iter().filter(|p| p.currency == account.currency) {
                self.check_price(catalogue, document, account, package)?;
            }
        }
        Ok(())
    }

    fn check_price(&self, catalogue: &Catalogue, document: &Document, account: &Account, package: &Package) -> Step {
        let words = |minor| Money { minor, currency: package.currency }.to_decimal();
        let (code, sold) = (&account.code, &package.code);
        let own = catalogue.cost(account.id, package);
        let Some(quote) = catalogue.quote(account.id, package) else {
            // It is not sold to the account: either a level above pays in another currency, or it is sold at a loss.
            let above = catalogue.parent(account.id).and_then(|p| catalogue.quote(p, package));
            return match above.map(|a| a.price_minor).filter(|cost| own < *cost) {
                None => Ok(()),
                Some(cost) => {
                    let text = format!("{code} would pay {} for {sold}, but its parent pays {} itself", words(own), words(cost));
                    let place = setting(catalogue, document, account, sold);
                    self.refuse(&place, format!("{text}; raise its price, or lower what its parent pays"))
                }
            };
        };
        let retail = catalogue.price(account.id, package.id).and_then(|p| p.retail_minor);
        match retail.filter(|retail| *retail < quote.price_minor) {
            None => Ok(()),
            Some(retail) => {
                let text = format!("{code} would sell {sold} at {}, but pays {} itself", words(retail), words(own));
                let asked = set(document, code, (sold, "retail_price"), |p| p.retail_price.is_some());
                let place = asked.unwrap_or_else(|| setting(catalogue, document, account, sold));
                self.refuse(&place, format!("{text}; raise the retail price"))
            }
        }
    }
}

/// Where the file sets what the account pays: at its own price, else at what the nearest level above asks or pays, else at the package.
fn setting(catalogue: &Catalogue, document: &Document, account: &Account, sold: &str) -> String {
    let code = |id: &AccountId| catalogue.account(*id).map(|level| level.account.code.as_str());
    let chain = account.path.chain();
    let levels = chain.iter().rev().filter_map(code).find_map(|level| {
        let asks =
            || set(document, level, (sold, "retail_price"), |p| p.retail_price.is_some()).filter(|_| level != account.code);
        asks().or_else(|| set(document, level, (sold, "price"), |p| p.price.is_some()))
    });
    let listed = |list: &str, n: Option<usize>| n.map(|n| priced(&format!("{list}[{n}]"), "price", sold));
    levels
        .or_else(|| listed("packages", document.packages.iter().position(|p| p.code == sold)))
        .or_else(|| listed("pool_types", document.pool_types.iter().position(|t| t.code == sold)))
        .unwrap_or_else(|| format!("prices ({sold})"))
}

/// Where the file sets a key of the account's price of a package, if it does.
fn set(document: &Document, account: &str, (sold, key): (&str, &str), has: fn(&Price) -> bool) -> Option<String> {
    let of = |(i, entry): (usize, &Entry)| {
        let n = entry.prices.iter().position(|p| p.package == sold && has(p))?;
        Some(priced(&format!("accounts[{i}].prices[{n}]"), key, sold))
    };
    document.accounts.iter().enumerate().filter(|(_, entry)| entry.code == account).find_map(of)
}
