//! `kachi admin price`: the prices in force.

use super::account;
use crate::args::{Price, Shape};
use crate::exit::Exit;
use crate::print;
use kachi_domain::Money;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::{Catalogue, Engine};
use kachi_store::accounts::Account;
use kachi_store::catalogue::Package;
use serde_json::{Value, json};

/// `set_by` is empty where it is the package's own price.
const PRICE: [&str; 8] = ["account", "package", "price", "retail_price", "currency", "set_by", "listed", "orderable"];

/// Runs the verb.
pub fn run(engine: &Engine, verb: Price) -> Result<(), Exit> {
    let Price::List { account, package, shape } = verb;
    list(engine, account.as_deref(), package.as_deref(), shape)
}

/// Accounts parents before children, without the operator, who buys nothing; each with the packages by number.
fn list(engine: &Engine, of: Option<&str>, package: Option<&str>, shape: Shape) -> Result<(), Exit> {
    let asked = of.map(|of| account(engine, of)).transpose()?;
    let catalogue = engine.catalogue()?;
    let mut accounts: Vec<&Account> = catalogue.accounts().map(|a| &a.account).collect();
    accounts.retain(|a| asked.map_or(a.id != OPERATOR, |id| a.id == id));
    accounts.sort_by_key(|a| a.path.chain());
    let mut packages = catalogue.packages();
    packages.extend(catalogue.pool_types().into_iter().map(|(package, _)| package));
    packages.retain(|p| package.is_none_or(|code| p.code == code));
    if let (Some(code), true) = (package, packages.is_empty()) {
        return Err(Exit::refused(format!("--package: there is no package {code}: `kachi apply` makes packages")));
    }
    packages.sort_by_key(|p| p.id);
    let rows: Vec<Vec<Value>> = accounts.iter().flat_map(|a| packages.iter().map(|p| line(&catalogue, a, p))).collect();
    print::table(&PRICE, &rows, shape.json)
}

fn line(catalogue: &Catalogue, account: &Account, package: &Package) -> Vec<Value> {
    let money = |minor| json!(Money { minor, currency: package.currency }.to_decimal());
    let (price, set_by) = catalogue.cost_and_whose(account.id, package);
    let (retail, listed) = catalogue.shop(account.id, package);
    vec![
        json!(account.code),
        json!(package.code),
        money(price),
        money(retail),
        json!(package.currency.as_str()),
        json!(set_by.and_then(|id| catalogue.account(id)).map(|a| &a.account.code)),
        json!(listed),
        json!(catalogue.quote(account.id, package).is_some()),
    ]
}
