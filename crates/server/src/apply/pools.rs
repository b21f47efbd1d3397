//! Pool types and pools.

use super::file;
use super::prices::priced;
use super::work::{Step, Work, check_code, differing};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::{Currency, Iccid, PackageId, PoolId, SimId, Span};
use kachi_engine::pools::{self, Create, CreateJoint};
use kachi_engine::{Actor, Catalogue};
use kachi_store::catalogue::Package;
use kachi_store::pools::Pool;

/// Subscriptions of one type that may wait or run in a pool.
const STACK_MAX: i64 = 24;

impl Work<'_, '_> {
    /// Pool types. What was sold before keeps its own terms, and a pool its slots.
    pub fn pool_types(&mut self, entries: &[file::PoolType]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("pool_types[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.packages()?.into_iter().find(|p| p.code == entry.code);
            let types = self.tx.pool_types()?;
            let slots = known.as_ref().and_then(|k| types.iter().find(|t| t.0 == k.id)).map(|t| t.1);
            if known.is_some() && slots.is_none() {
                return self
                    .refuse(&format!("{place}.code"), format!("{} is a package for cards; choose another code", entry.code));
            }
            let wanted = self.wanted_type(&place, entry, known.as_ref())?;
            let Some(lines) = entry.lines.or(slots).filter(|n| *n >= 1) else {
                return self.refuse(&format!("{place}.lines"), "must be 1 or more: how many cards fit in");
            };
            match &known {
                None => self.outcome.added("pool type", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("name", k.name != wanted.name),
                        ("lines", slots != Some(lines)),
                        ("data or days", k.terms != wanted.terms),
                        ("price", k.price_minor != wanted.price_minor),
                    ]);
                    let price = ("price", Some(k.price_minor), Some(wanted.price_minor));
                    self.outcome.priced("pool type", &entry.code, &fields, &[price], wanted.currency);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_package(&wanted)?;
            }
            let id = self.package(&place, &entry.code)?.id;
            self.tx.put_pool_type(id, lines)?;
        }
        Ok(())
    }

    fn wanted_type(&mut self, place: &str, entry: &file::PoolType, known: Option<&Package>) -> Step<Package> {
        let product = match (&entry.product, known) {
            (Some(code), known) => {
                let product = self.product(&format!("{place}.product"), code)?.id;
                if known.is_some_and(|k| k.product != product) {
                    return self.refuse(&format!("{place}.product"), format!("that of {} never changes", entry.code));
                }
                product
            }
            (None, Some(k)) => k.product,
            (None, None) => return self.refuse(&format!("{place}.product"), "is missing; name the product its cards are"),
        };
        let currency = self.currency_of_type(place, entry, known)?;
        let at_price = priced(place, "price", &entry.code);
        let price = self.price_amount(&at_price, entry.price.as_deref(), currency)?.or(known.map(|k| k.price_minor));
        let price_minor = self.at(&at_price, price.ok_or("is missing; write what a top-level account pays"))?;
        let data = self.at(&format!("{place}.data"), entry.data.as_ref().map(file::Size::bytes).transpose())?;
        let Some(allowance) = data.or(known.map(|k| k.terms.allowance)).filter(|n| *n >= 1) else {
            return self.refuse(&format!("{place}.data"), "a pool needs an allowance such as 50MB");
        };
        let validity = match (entry.days, known) {
            (Some(days), _) => self.at(&format!("{place}.days"), Span::parse(&format!("{days}d")))?,
            (None, Some(k)) => k.terms.validity,
            (None, None) => return self.refuse(&format!("{place}.days"), "is missing; write how many days it is valid"),
        };
        let name = entry.name.clone().or_else(|| known.map(|k| k.name.clone())).unwrap_or_else(|| entry.code.clone());
        let terms = Terms {
            kind: Kind::Quota,
            category: Category::Long,
            resource: Resource::Data,
            allowance,
            validity,
            window: Window::Whole,
        };
        Ok(Package {
            id: known.map_or(PackageId(0), |k| k.id),
            code: entry.code.clone(),
            retail_name: name.clone(),
            name,
            product,
            terms,
            start: StartRule::Queue,
            fulfil: Fulfil::Local,
            price_minor,
            retail_minor: price_minor,
            currency,
            listed: false,
            stack_max: STACK_MAX,
            speed_kbps: None,
            carrier_code: None,
        })
    }

    /// The currency of a type's price; it may be left out where every account pays in one.
    fn currency_of_type(&mut self, place: &str, entry: &file::PoolType, known: Option<&Package>) -> Step<Currency> {
        let place = format!("{place}.currency");
        let given = match &entry.currency {
            Some(text) => Some(self.currency(&place, text)?),
            None => None,
        };
        if let Some(k) = known {
            return match given.filter(|c| *c != k.currency) {
                None => Ok(k.currency),
                Some(_) => self.refuse(&place, format!("{} is sold in {}; make a new type instead", k.code, k.currency)),
            };
        }
        let mut all: Vec<Currency> = self.tx.accounts()?.iter().filter(|a| a.id != OPERATOR).map(|a| a.currency).collect();
        all.sort_unstable_by_key(|c| c.as_str().to_owned());
        all.dedup();
        match (given, &all[..]) {
            (Some(currency), _) => Ok(currency),
            (None, [one]) => Ok(*one),
            (None, _) => self.refuse(&place, "is missing; write the currency of its price"),
        }
    }

    /// Pools. Cards that are named join; a card that is not named stays where it is.
    pub fn pools(&mut self, catalogue: &Catalogue, entries: &[file::Pool]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("pools[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let cap = match &entry.member_cap {
                Some(Some(size)) => Some(Some(self.at(&format!("{place}.member_cap"), size.bytes())?)),
                Some(None) => Some(None),
                None => None,
            };
            let (pool, mut fields) = match self.tx.pool_by_code(&entry.code)? {
                Some(known) => self.known_pool(catalogue, &place, entry, &known, cap)?,
                None => (self.new_pool(catalogue, &place, entry, cap.flatten())?, None),
            };
            let joined = self.join(catalogue, &place, entry, &pool)?;
            match &mut fields {
                None => self.outcome.added("pool", &entry.code),
                Some(fields) => {
                    fields.extend(joined.then_some("members"));
                    self.outcome.compared("pool", &entry.code, fields);
                }
            }
        }
        Ok(())
    }

    fn new_pool(&mut self, catalogue: &Catalogue, place: &str, entry: &file::Pool, cap: Option<i64>) -> Step<Pool> {
        let id = PoolId(entry.id.unwrap_or(0));
        if let Some(other) = self.tx.pool_by_id(id)? {
            let name = other.code.unwrap_or_else(|| format!("one made over the API for account {}", other.account));
            return self.refuse(&format!("{place}.id"), format!("{id} is pool {name}; choose another"));
        }
        if id.0 < 0 {
            return self.refuse(&format!("{place}.id"), "must be 1 or more");
        }
        let Some(code) = &entry.account else {
            return self.refuse(&format!("{place}.account"), "is missing; name the account that owns the pool");
        };
        let account = self.account(&format!("{place}.account"), code)?;
        let memo = entry.memo.clone().unwrap_or_else(|| entry.code.clone());
        let type_code = match (&entry.r#type, &entry.package) {
            (Some(type_code), None) => type_code,
            (None, Some(package_code)) => {
                self.package(&format!("{place}.package"), package_code)?;
                let (actor, named) = (self.acting(catalogue, place, account.id)?, (id, entry.code.clone()));
                let cmd = CreateJoint { package_code: package_code.clone(), memo, member_cap_bytes: cap, named };
                let made = pools::create_joint(self.tx, catalogue, &self.how, &actor, &cmd);
                return self.made_pool(place, made);
            }
            (Some(_), Some(_)) => {
                return self
                    .refuse(&format!("{place}.package"), "stands beside `type`; keep one: a pool of slots, or of a package");
            }
            (None, None) => {
                return self
                    .refuse(&format!("{place}.type"), "is missing; name one of pool_types, or a `package` its cards share");
            }
        };
        if catalogue.pool_type_by_code(type_code).is_none() {
            return self.refuse(&format!("{place}.type"), format!("there is no pool type {type_code}; list it under pool_types"));
        }
        let actor = self.acting(catalogue, place, account.id)?;
        let cmd = Create { type_code: type_code.clone(), memo, member_cap_bytes: cap, named: Some((id, entry.code.clone())) };
        let made = pools::create(self.tx, catalogue, &self.how, &actor, &cmd);
        self.made_pool(place, made)
    }

    fn made_pool(&mut self, place: &str, made: kachi_engine::Result<PoolId>) -> Step<Pool> {
        let id = self.engine(place, made)?;
        let pool = self.tx.pool_by_id(id)?;
        self.at(place, pool.ok_or("the pool vanished"))
    }

    fn known_pool<'f>(
        &mut self,
        catalogue: &Catalogue,
        place: &str,
        entry: &file::Pool,
        known: &Pool,
        cap: Option<Option<i64>>,
    ) -> Step<(Pool, Option<Vec<&'f str>>)> {
        if known.deleted_at.is_some() {
            return self.refuse(&format!("{place}.code"), format!("pool {} was deleted; choose another code", entry.code));
        }
        let fixed = |words: &str| format!("{} {words}, which never changes", entry.code);
        if entry.id.is_some_and(|id| id != known.id.0) {
            return self.refuse(&format!("{place}.id"), fixed(&format!("has number {}", known.id)));
        }
        let owner = catalogue.account(known.account).map_or("", |a| &a.account.code);
        if entry.account.as_ref().is_some_and(|a| a != owner) {
            return self.refuse(&format!("{place}.account"), fixed(&format!("is {owner}'s")));
        }
        let made_of = catalogue.package(known.package).map_or("", |p| &p.code);
        let (of_type, of_package) = if known.is_joint() { (None, Some(made_of)) } else { (Some(made_of), None) };
        if entry.r#type.is_some() && entry.r#type.as_deref() != of_type {
            return self.refuse(&format!("{place}.type"), fixed(&format!("is a {made_of}")));
        }
        if entry.package.is_some() && entry.package.as_deref() != of_package {
            return self.refuse(&format!("{place}.package"), fixed(&format!("is of {made_of}")));
        }
        let wanted = Pool {
            member_cap_bytes: cap.unwrap_or(known.member_cap_bytes),
            memo: entry.memo.clone().unwrap_or_else(|| known.memo.clone()),
            ..known.clone()
        };
        let fields =
            differing(&[("member_cap", wanted.member_cap_bytes != known.member_cap_bytes), ("memo", wanted.memo != known.memo)]);
        if !fields.is_empty() {
            self.tx.set_pool(known.id, wanted.member_cap_bytes, &wanted.memo)?;
            if known.is_joint() {
                let there: Vec<SimId> = self.tx.pool_members(known.id)?.iter().map(|m| SimId(m.0)).collect();
                self.tx.stir_pools(&there)?;
            }
        }
        Ok((wanted, Some(fields)))
    }

    /// Puts in the cards that are named and not in it yet; the answer is whether there were any.
    fn join(&mut self, catalogue: &Catalogue, place: &str, entry: &file::Pool, pool: &Pool) -> Step<bool> {
        let there = self.tx.pool_members(pool.id)?;
        let mut new = Vec::new();
        for (n, text) in entry.members.iter().enumerate() {
            let iccid = self.number(&format!("{place}.members[{n}]"), text, Iccid::parse)?;
            if !there.iter().any(|m| m.1 == iccid.as_str()) {
                new.push(iccid);
            }
        }
        if new.is_empty() {
            return Ok(false);
        }
        let actor = self.acting(catalogue, place, pool.account)?;
        let added = match pool.is_joint() {
            true => pools::join(self.tx, catalogue, &self.how, &actor, (pool.id, &new)),
            false => pools::add(self.tx, catalogue, &self.how, &actor, (pool.id, &new)),
        };
        self.engine(&format!("{place}.members"), added)?;
        Ok(true)
    }

    fn acting(&self, catalogue: &Catalogue, place: &str, account: kachi_domain::AccountId) -> Step<Actor> {
        self.at(place, catalogue.actor(account).ok_or_else(|| format!("there is no account {account}")))
    }
}
