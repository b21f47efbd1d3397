//! Accounts, keys, products, packages and prices in memory, read again when their version has grown.

use crate::act::Actor;
use crate::error::Result;
use kachi_domain::account::Switch;
use kachi_domain::coverage::Coverage;
use kachi_domain::ledger::{OPERATOR, Share};
use kachi_domain::package::Kind;
use kachi_domain::time::DEFAULT_ZONE;
use kachi_domain::{AccountId, Currency, PackageId, PlatformId, ProductId, Zone};
use kachi_store::accounts::Account;
use kachi_store::catalogue::{Package, Platform, Price, Product};
use kachi_store::esim::{Goods, GoodsPrice};
use kachi_store::{Store, Tx};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

/// An account with what is computed from it.
#[derive(Debug, Clone)]
pub struct AccountInfo {
    /// As kept.
    pub account: Account,
    /// Its days and months.
    pub zone: Zone,
    /// Door to notify address.
    pub notify: HashMap<String, String>,
    /// Networks that may call; empty = any.
    pub ip_allow: Vec<String>,
    /// Itself and all below, sorted.
    pub sees: Arc<Vec<AccountId>>,
    /// The strictest switch of itself and all above.
    pub switch: Switch,
}

/// What a package costs an account, and who earns what on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What the account pays, minor units.
    pub price_minor: i64,
    /// What its own shop asks, minor units.
    pub retail_minor: i64,
    /// Whether its shop shows it.
    pub listed: bool,
    /// What each level between it and the operator earns.
    pub shares: Vec<Share>,
}

/// Everything that changes rarely, at one version.
#[derive(Debug)]
pub struct Catalogue {
    /// The version it was read at.
    pub version: i64,
    accounts: HashMap<AccountId, AccountInfo>,
    credentials: HashMap<(String, String), (AccountId, String)>,
    platforms: HashMap<PlatformId, Platform>,
    stopping: HashSet<PlatformId>,
    products: HashMap<ProductId, Product>,
    coverages: HashMap<ProductId, Coverage>,
    packages: HashMap<PackageId, Package>,
    package_codes: HashMap<String, PackageId>,
    pool_slots: HashMap<PackageId, i64>,
    prices: HashMap<(AccountId, PackageId), Price>,
    goods: Vec<Goods>,
    goods_prices: HashMap<(AccountId, i64), GoodsPrice>,
    fallback_zone: Zone,
}

impl Catalogue {
    /// Reads everything in one consistent look.
    pub fn read(store: &Store) -> Result<Catalogue> {
        store.read(Catalogue::of)
    }

    /// The catalogue as a transaction sees it, with what it has put itself and not committed yet. Its version is the one
    /// before: it is for this transaction alone.
    pub fn of(tx: &mut Tx<'_>) -> Result<Catalogue> {
        let version = tx.catalogue_version()?;
        let accounts = tx.accounts()?;
        let mut infos = HashMap::new();
        for account in &accounts {
            let mut sees: Vec<AccountId> = accounts.iter().filter(|a| account.path.sees(&a.path)).map(|a| a.id).collect();
            sees.sort_unstable();
            let above = accounts.iter().filter(|a| a.path.sees(&account.path)).map(|a| a.switch);
            let switch = above.max().unwrap_or(account.switch);
            infos.insert(account.id, AccountInfo { switch, ..info(account, Arc::new(sees)) });
        }
        let credentials = tx.credentials()?.into_iter().map(|(door, name, id, secret)| ((door, name), (id, secret))).collect();
        let platforms = tx.platforms()?;
        let products: HashMap<ProductId, Product> = tx.products()?.into_iter().map(|p| (p.id, p)).collect();
        let packages: HashMap<PackageId, Package> = tx.packages()?.into_iter().map(|p| (p.id, p)).collect();
        Ok(Catalogue {
            version,
            accounts: infos,
            credentials,
            stopping: platforms.iter().filter(|p| stops_cards(p)).map(|p| p.id).collect(),
            platforms: platforms.into_iter().map(|p| (p.id, p)).collect(),
            coverages: products.values().map(|p| (p.id, Coverage::of_details(&p.details))).collect(),
            products,
            package_codes: packages.values().map(|p| (p.code.clone(), p.id)).collect(),
            packages,
            pool_slots: tx.pool_types()?.into_iter().collect(),
            prices: tx.prices()?.into_iter().map(|p| ((p.account, p.package), p)).collect(),
            goods: tx.esim_goods()?,
            goods_prices: tx.esim_prices()?.into_iter().map(|p| ((p.account, p.goods), p)).collect(),
            fallback_zone: Zone::find(DEFAULT_ZONE).map_err(crate::error::fault)?,
        })
    }

    /// An account.
    pub fn account(&self, id: AccountId) -> Option<&AccountInfo> {
        self.accounts.get(&id)
    }

    /// Whether the other account is this one or below it.
    pub fn sees(&self, account: AccountId, other: AccountId) -> bool {
        self.account(account).is_some_and(|a| a.sees.binary_search(&other).is_ok())
    }

    /// Every account.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountInfo> {
        self.accounts.values()
    }

    /// An account by its code.
    pub fn account_by_code(&self, code: &str) -> Option<&AccountInfo> {
        self.accounts.values().find(|a| a.account.code == code)
    }

    /// What an account may do with us.
    pub fn switch(&self, id: AccountId) -> Switch {
        self.accounts.get(&id).map_or(Switch::Off, |a| a.switch)
    }

    /// The zone of an account's days.
    pub fn zone(&self, id: AccountId) -> &Zone {
        self.accounts.get(&id).map_or(&self.fallback_zone, |a| &a.zone)
    }

    /// The account and secret behind a key at a door.
    pub fn credential(&self, door: &str, name: &str) -> Option<(AccountId, &str)> {
        self.credentials.get(&(door.to_owned(), name.to_owned())).map(|(id, secret)| (*id, secret.as_str()))
    }

    /// The secret of the account's key at a door (the first by name where it has several).
    pub fn secret_of(&self, door: &str, id: AccountId) -> Option<&str> {
        let of_account = self.credentials.iter().filter(|((d, _), (account, _))| d == door && *account == id);
        of_account.min_by(|a, b| a.0.cmp(b.0)).map(|(_, (_, secret))| secret.as_str())
    }

    /// The name of the account's key at a door (the first where it has several).
    pub fn key_of(&self, door: &str, id: AccountId) -> Option<&str> {
        let of_account = self.credentials.iter().filter(|((d, _), (account, _))| d == door && *account == id);
        of_account.map(|((_, name), _)| name.as_str()).min()
    }

    /// The account as one that acts.
    pub fn actor(&self, id: AccountId) -> Option<Actor> {
        self.accounts.get(&id).map(|a| Actor { account: id, path: a.account.path.clone(), sees: a.sees.clone() })
    }

    /// Whether the account may take cards of the operator's contracts that nobody has here.
    pub fn may_add(&self, id: AccountId) -> bool {
        id == OPERATOR || self.accounts.get(&id).is_some_and(|a| a.account.claims)
    }

    /// A platform.
    pub fn platform(&self, id: PlatformId) -> Option<&Platform> {
        self.platforms.get(&id)
    }

    /// The name of a platform, as a person knows it.
    pub fn platform_code(&self, id: PlatformId) -> &str {
        self.platform(id).map_or("", |p| p.code.as_str())
    }

    /// Every platform.
    pub fn platforms(&self) -> impl Iterator<Item = &Platform> {
        self.platforms.values()
    }

    /// The number of every platform, in order.
    pub fn platform_ids(&self) -> Vec<PlatformId> {
        let mut ids: Vec<PlatformId> = self.platforms.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// A platform by its code.
    pub fn platform_by_code(&self, code: &str) -> Option<&Platform> {
        self.platforms.values().find(|p| p.code == code)
    }

    /// Whether the platform's cards are stopped there when their packages are used up: its setting `stop_cards`; unless said,
    /// where its connector is known to do it without a person.
    pub fn stops_cards(&self, id: PlatformId) -> bool {
        self.stopping.contains(&id)
    }

    /// A product.
    pub fn product(&self, id: ProductId) -> Option<&Product> {
        self.products.get(&id)
    }

    /// Every product.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.products.values()
    }

    /// A product by its code.
    pub fn product_by_code(&self, code: &str) -> Option<&Product> {
        self.products.values().find(|p| p.code == code)
    }

    /// Where the cards of a product work.
    pub fn coverage(&self, id: ProductId) -> Option<&Coverage> {
        self.coverages.get(&id)
    }

    /// Whether any package goes on at a lower speed when its allowance is used up.
    pub fn throttles(&self) -> bool {
        self.packages.values().any(|p| p.terms.kind == Kind::Throttled)
    }

    /// A package.
    pub fn package(&self, id: PackageId) -> Option<&Package> {
        self.packages.get(&id)
    }

    /// A package for cards by its code.
    pub fn package_by_code(&self, code: &str) -> Option<&Package> {
        self.package_codes.get(code).and_then(|id| self.packages.get(id)).filter(|p| !self.pool_slots.contains_key(&p.id))
    }

    /// Every package for cards, by number.
    pub fn packages(&self) -> Vec<&Package> {
        let mut all: Vec<&Package> = self.packages.values().filter(|p| !self.pool_slots.contains_key(&p.id)).collect();
        all.sort_by_key(|p| p.id);
        all
    }

    /// The packages for cards of a product, by number.
    pub fn packages_of(&self, product: ProductId) -> Vec<&Package> {
        let mut found = self.packages();
        found.retain(|p| p.product == product);
        found
    }

    /// The eSIM goods that the account can buy, by number, each with what it pays and who earns on it: those in its
    /// currency that no level would sell below its own cost.
    pub fn goods(&self, id: AccountId) -> impl Iterator<Item = (&Goods, i64, Vec<Share>)> {
        self.goods.iter().filter_map(move |g| {
            let currency = self.package(g.package)?.currency;
            let (price, shares) = self.along_the_chain(id, currency, |account| self.goods_cost(account, g))?;
            Some((g, price, shares))
        })
    }

    /// What an account is asked for goods, minor units: as [`Catalogue::cost`] for packages.
    fn goods_cost(&self, id: AccountId, goods: &Goods) -> i64 {
        let set = |account: AccountId| self.goods_prices.get(&(account, goods.id));
        if let Some(minor) = set(id).and_then(|p| p.price_minor) {
            return minor;
        }
        let Some(parent) = self.parent(id).filter(|p| *p != OPERATOR) else { return goods.price_minor };
        set(parent).and_then(|p| p.retail_minor).unwrap_or_else(|| self.goods_cost(parent, goods))
    }

    /// What an account pays, and what each level between it and the operator earns; none if the currency is another's or a
    /// level would sell below its own cost.
    fn along_the_chain(&self, id: AccountId, currency: Currency, cost: impl Fn(AccountId) -> i64) -> Option<(i64, Vec<Share>)> {
        let account = self.accounts.get(&id)?;
        if account.account.currency != currency {
            return None;
        }
        let chain = account.account.path.chain();
        let costs: Vec<i64> = chain.iter().map(|a| cost(*a)).collect();
        let mut shares = Vec::new();
        for i in 1..chain.len().saturating_sub(1) {
            let minor = costs[i + 1] - costs[i];
            if minor < 0 || self.accounts.get(&chain[i])?.account.currency != currency {
                return None;
            }
            if minor > 0 {
                shares.push(Share { account: chain[i], minor });
            }
        }
        Some((*costs.last()?, shares))
    }

    /// The packages that are sold for pools, by number, each with its slots.
    pub fn pool_types(&self) -> Vec<(&Package, i64)> {
        let mut all: Vec<_> = self.pool_slots.iter().filter_map(|(id, slots)| Some((self.packages.get(id)?, *slots))).collect();
        all.sort_by_key(|(p, _)| p.id);
        all
    }

    /// A package that is sold for pools, by its code, with its slots.
    pub fn pool_type_by_code(&self, code: &str) -> Option<(&Package, i64)> {
        let id = self.package_codes.get(code)?;
        Some((self.packages.get(id)?, *self.pool_slots.get(id)?))
    }

    /// What an account is asked for a package, minor units, whether or not it can buy it: its own price if one is set; the
    /// catalogue's directly under the operator; else what its parent's shop asks, or what its parent pays.
    pub fn cost(&self, id: AccountId, package: &Package) -> i64 {
        self.cost_and_whose(id, package).0
    }

    /// As [`Catalogue::cost`], with the account for which the amount was set, itself or one above it; none: it is the package's own.
    pub fn cost_and_whose(&self, id: AccountId, package: &Package) -> (i64, Option<AccountId>) {
        let set = |account: AccountId| self.prices.get(&(account, package.id));
        if let Some(minor) = set(id).and_then(|p| p.price_minor) {
            return (minor, Some(id));
        }
        let Some(parent) = self.parent(id).filter(|p| *p != OPERATOR) else { return (package.price_minor, None) };
        let asks = set(parent).and_then(|p| p.retail_minor);
        asks.map_or_else(|| self.cost_and_whose(parent, package), |minor| (minor, Some(parent)))
    }

    /// What an account's shop asks for a package, minor units, and whether it shows it: the package's own unless said for the account,
    /// but no less than it pays itself.
    pub fn shop(&self, id: AccountId, package: &Package) -> (i64, bool) {
        let own = self.prices.get(&(id, package.id));
        let retail_minor = own.and_then(|p| p.retail_minor).unwrap_or_else(|| package.retail_minor.max(self.cost(id, package)));
        (retail_minor, own.and_then(|p| p.listed).unwrap_or(package.listed))
    }

    /// The account that an account stands under; none for the operator and for an unknown one.
    pub fn parent(&self, id: AccountId) -> Option<AccountId> {
        self.accounts.get(&id)?.account.path.chain().iter().rev().nth(1).copied()
    }

    /// The price set for the account itself.
    pub fn price(&self, id: AccountId, package: PackageId) -> Option<&Price> {
        self.prices.get(&(id, package))
    }

    /// What the package costs the account; none if it is of another currency or a level would sell below its own cost.
    pub fn quote(&self, id: AccountId, package: &Package) -> Option<Quote> {
        let (price_minor, shares) = self.along_the_chain(id, package.currency, |account| self.cost(account, package))?;
        let (retail_minor, listed) = self.shop(id, package);
        Some(Quote { price_minor, retail_minor, listed, shares })
    }
}

fn stops_cards(platform: &Platform) -> bool {
    let settings: serde_json::Value = serde_json::from_str(&platform.settings).unwrap_or_default();
    let by_itself = || platform.capabilities.is_some_and(|can| can.stop_resume && !can.by_hand);
    settings["stop_cards"].as_bool().unwrap_or_else(by_itself)
}

fn info(account: &Account, sees: Arc<Vec<AccountId>>) -> AccountInfo {
    let zone = Zone::find(&account.time_zone).or_else(|_| Zone::find(DEFAULT_ZONE)).expect("the default zone is compiled in");
    AccountInfo {
        zone,
        notify: serde_json::from_str(&account.notify).unwrap_or_default(),
        ip_allow: serde_json::from_str(&account.ip_allow).unwrap_or_default(),
        sees,
        switch: account.switch,
        account: account.clone(),
    }
}

/// The catalogue, shared; readers compare versions and ask for a fresh one when theirs is old.
#[derive(Clone)]
pub struct CatalogueCache {
    store: Store,
    current: Arc<RwLock<Arc<Catalogue>>>,
}

impl CatalogueCache {
    /// Reads the catalogue for the first time.
    pub fn open(store: Store) -> Result<CatalogueCache> {
        let first = Arc::new(Catalogue::read(&store)?);
        Ok(CatalogueCache { store, current: Arc::new(RwLock::new(first)) })
    }

    /// The same catalogue, asked for through another handle on the database.
    pub(crate) fn through(&self, store: &Store) -> CatalogueCache {
        CatalogueCache { store: store.clone(), current: self.current.clone() }
    }

    /// The catalogue as last read, without asking the database.
    pub fn last(&self) -> Arc<Catalogue> {
        self.current.read().expect("catalogue lock").clone()
    }

    /// The catalogue at least at this version.
    pub fn at_least(&self, version: i64) -> Result<Arc<Catalogue>> {
        let last = self.last();
        if last.version >= version {
            return Ok(last);
        }
        let fresh = Arc::new(Catalogue::read(&self.store)?);
        *self.current.write().expect("catalogue lock") = fresh.clone();
        Ok(fresh)
    }

    /// The catalogue as it is now: asks the database for its version.
    pub fn fresh(&self) -> Result<Arc<Catalogue>> {
        let version = self.store.look(|tx| tx.catalogue_version().map_err(crate::Fail::from))?;
        self.at_least(version)
    }
}
