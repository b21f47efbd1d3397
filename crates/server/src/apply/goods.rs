//! eSIM goods and their stock of profiles. Each profile becomes a card of the operator's until it is sold.

use super::file;
use super::prices::priced;
use super::work::{Step, Work, check_code, differing};
use kachi_domain::account::Path;
use kachi_domain::esim::ActivationCode;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, Iccid, ProductId};
use kachi_engine::Catalogue;
use kachi_engine::sims;
use kachi_store::catalogue::Package;
use kachi_store::esim::{Goods, GoodsPrice};

impl Work<'_, '_> {
    /// eSIM goods. Profiles are only ever added: one that a file no longer lists stays in stock.
    pub fn esim_goods(&mut self, catalogue: &Catalogue, entries: &[file::EsimGoods]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("esim_goods[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.esim_goods()?.into_iter().find(|g| g.code == entry.code);
            let (wanted, package) = self.wanted_goods(&place, entry, known.as_ref())?;
            match &known {
                None => self.outcome.added("esim goods", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("name", k.name != wanted.name),
                        ("package", k.package != wanted.package),
                        ("price", k.price_minor != wanted.price_minor),
                    ]);
                    let price = ("price", Some(k.price_minor), Some(wanted.price_minor));
                    self.outcome.priced("esim goods", &entry.code, &fields, &[price], package.currency);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_esim_goods(&wanted)?;
            }
            let id = self.tx.esim_goods()?.into_iter().find(|g| g.code == entry.code).map_or(0, |g| g.id);
            for (j, price) in entry.prices.iter().enumerate() {
                self.goods_price(catalogue, &format!("{place}.prices[{j}]"), &Goods { id, ..wanted.clone() }, price)?;
            }
            self.check_goods(&place, entry, id)?;
            for (j, profile) in entry.profiles.iter().enumerate() {
                self.profile(catalogue, &format!("{place}.profiles[{j}]"), (id, package.product), profile)?;
            }
        }
        Ok(())
    }

    fn wanted_goods(&mut self, place: &str, entry: &file::EsimGoods, known: Option<&Goods>) -> Step<(Goods, Package)> {
        let packages = self.tx.packages()?;
        let before = known.and_then(|k| packages.iter().find(|p| p.id == k.package));
        let package = match (&entry.package, before) {
            (Some(code), _) => self.package(&format!("{place}.package"), code)?,
            (None, Some(before)) => before.clone(),
            (None, None) => return self.refuse(&format!("{place}.package"), "is missing; name the package that comes with it"),
        };
        if let Some(before) = before.filter(|b| (b.product, b.currency) != (package.product, package.currency)) {
            let words = format!("{} has another product or currency than {}; make new goods instead", package.code, before.code);
            return self.refuse(&format!("{place}.package"), words);
        }
        let at_price = priced(place, "price", &entry.code);
        let price = self.price_amount(&at_price, entry.price.as_deref(), package.currency)?;
        let price = price.or(known.map(|k| k.price_minor));
        let price_minor = self.at(&at_price, price.ok_or("is missing; write what one costs"))?;
        let name = entry.name.clone().or_else(|| known.map(|k| k.name.clone())).unwrap_or_else(|| entry.code.clone());
        let id = known.map_or(0, |k| k.id);
        Ok((Goods { id, code: entry.code.clone(), name, package: package.id, price_minor }, package))
    }

    /// What an account pays for the goods, and what it asks of those below it, as `prices` of an account do for packages.
    fn goods_price(&mut self, catalogue: &Catalogue, place: &str, goods: &Goods, entry: &file::GoodsPrice) -> Step {
        let account = catalogue.account_by_code(&entry.account).map(|a| a.account.clone());
        let account = self.at(&format!("{place}.account"), account.ok_or(format!("there is no account {}", entry.account)))?;
        let currency = self.tx.packages()?.iter().find(|p| p.id == goods.package).map(|p| p.currency);
        if currency != Some(account.currency) {
            let words = format!("{} pays in {}, the goods are sold in another currency", account.code, account.currency);
            return self.refuse(&format!("{place}.account"), words);
        }
        let known = self.tx.esim_prices()?.into_iter().find(|p| p.account == account.id && p.goods == goods.id);
        let at = |key: &str| priced(place, key, &entry.account);
        let price = self.price_amount(&at("price"), entry.price.as_deref(), account.currency)?;
        let retail = self.price_amount(&at("retail_price"), entry.retail_price.as_deref(), account.currency)?;
        let wanted = GoodsPrice {
            account: account.id,
            goods: goods.id,
            price_minor: price.or(known.and_then(|k| k.price_minor)),
            retail_minor: retail.or(known.and_then(|k| k.retail_minor)),
        };
        let label = format!("{} {}", account.code, goods.code);
        match known {
            None => self.outcome.added("esim price", &label),
            Some(k) => {
                let fields = differing(&[
                    ("price", k.price_minor != wanted.price_minor),
                    ("retail_price", k.retail_minor != wanted.retail_minor),
                ]);
                let moved = [("price", k.price_minor, wanted.price_minor), ("retail_price", k.retail_minor, wanted.retail_minor)];
                self.outcome.priced("esim price", &label, &fields, &moved, account.currency);
            }
        }
        if known != Some(wanted) {
            self.tx.put_esim_price(&wanted)?;
        }
        Ok(())
    }

    /// Refuses prices at which some level would sell goods below what it pays itself, at the nearest one that the file sets.
    fn check_goods(&mut self, place: &str, entry: &file::EsimGoods, id: i64) -> Step {
        let now = Catalogue::of(self.tx);
        let now = self.engine(place, now)?;
        let currency = self.tx.esim_goods()?.iter().find(|g| g.id == id).and_then(|g| now.package(g.package)).map(|p| p.currency);
        let mut accounts: Vec<_> = now.accounts().map(|a| &a.account).filter(|a| a.id != OPERATOR).collect();
        // Who sells at a loss is above those who buy of it.
        accounts.sort_by_key(|a| (a.path.chain().len(), a.id));
        for account in accounts {
            let pays = |a: &AccountId| now.account(*a).map(|a| a.account.currency) == currency;
            let chain = account.path.chain();
            if chain.iter().skip(1).all(pays) && !now.goods(account.id).any(|(g, ..)| g.id == id) {
                let said =
                    |p: &file::GoodsPrice, code: &str| p.account == code && (p.price.is_some() || p.retail_price.is_some());
                let mut levels = chain.iter().rev().filter_map(|id| now.account(*id)).map(|level| level.account.code.as_str());
                let set = levels.find_map(|code| entry.prices.iter().position(|p| said(p, code)));
                let place = set.map_or_else(
                    || priced(place, "price", &entry.code),
                    |n| format!("{place}.prices[{n}] ({})", entry.prices[n].account),
                );
                let words = "would pay less than a level above it pays itself; raise the price, or lower the one above";
                return self.refuse(&place, format!("{} {words}", account.code));
            }
        }
        Ok(())
    }

    fn profile(
        &mut self,
        catalogue: &Catalogue,
        place: &str,
        (goods, product): (i64, ProductId),
        entry: &file::EsimProfile,
    ) -> Step {
        let iccid = self.number(place, &entry.iccid, Iccid::parse)?;
        let code = self.at(&format!("{place}.activation_code"), ActivationCode::parse(&entry.activation_code))?;
        let there = self.tx.sim_by_iccid(&Path::root(), iccid.as_str())?;
        let known = match &there {
            Some(sim) => self.tx.esim_profile(sim.id)?,
            None => None,
        };
        match (there, known) {
            (Some(_), Some(known)) if known.goods != goods => {
                self.refuse(&format!("{place}.iccid"), format!("{iccid} is a profile of other goods"))
            }
            (Some(_), Some(known)) if known.order.is_some() && known.activation_code != code.as_str() => {
                self.refuse(&format!("{place}.activation_code"), format!("{iccid} is sold; its code does not change any more"))
            }
            (Some(sim), Some(known)) => {
                let differs = known.activation_code != code.as_str();
                self.outcome.compared("esim profile", iccid.as_str(), &differing(&[("activation_code", differs)]));
                self.tx.put_esim_profile(goods, sim.id, code.as_str())?;
                Ok(())
            }
            (Some(_), None) => self.refuse(&format!("{place}.iccid"), format!("{iccid} is a card already")),
            (None, _) => {
                let put = sims::put(self.tx, catalogue, &self.how, &sims::blank(&iccid, OPERATOR, product));
                let sim = self.engine(place, put)?.id();
                self.tx.put_esim_profile(goods, sim, code.as_str())?;
                self.outcome.added("esim profile", iccid.as_str());
                Ok(())
            }
        }
    }
}
