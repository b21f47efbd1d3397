//! eSIM goods and their stock of profiles. Each profile becomes a card of the operator's until it is sold.

use super::file;
use super::work::{Step, Work, check_code, differing};
use kachi_domain::account::Path;
use kachi_domain::esim::ActivationCode;
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{Iccid, ProductId};
use kachi_engine::Catalogue;
use kachi_engine::sims;
use kachi_store::esim::Goods;

impl Work<'_, '_> {
    /// eSIM goods. Profiles are only ever added: one that a file no longer lists stays in stock.
    pub fn esim_goods(&mut self, catalogue: &Catalogue, entries: &[file::EsimGoods]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("esim_goods[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.esim_goods()?.into_iter().find(|g| g.code == entry.code);
            let (wanted, product) = self.wanted_goods(&place, entry, known.as_ref())?;
            match &known {
                None => self.outcome.added("esim goods", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("name", k.name != wanted.name),
                        ("package", k.package != wanted.package),
                        ("price", k.price_minor != wanted.price_minor),
                    ]);
                    self.outcome.compared("esim goods", &entry.code, &fields);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_esim_goods(&wanted)?;
            }
            let id = self.tx.esim_goods()?.into_iter().find(|g| g.code == entry.code).map_or(0, |g| g.id);
            for (j, profile) in entry.profiles.iter().enumerate() {
                self.profile(catalogue, &format!("{place}.profiles[{j}]"), (id, product), profile)?;
            }
        }
        Ok(())
    }

    fn wanted_goods(&mut self, place: &str, entry: &file::EsimGoods, known: Option<&Goods>) -> Step<(Goods, ProductId)> {
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
        let price = self.amount(&format!("{place}.price"), entry.price.as_deref(), package.currency)?;
        let price = price.or(known.map(|k| k.price_minor));
        let price_minor = self.at(&format!("{place}.price"), price.ok_or("is missing; write what one costs"))?;
        let name = entry.name.clone().or_else(|| known.map(|k| k.name.clone())).unwrap_or_else(|| entry.code.clone());
        let id = known.map_or(0, |k| k.id);
        Ok((Goods { id, code: entry.code.clone(), name, package: package.id, price_minor }, package.product))
    }

    fn profile(
        &mut self,
        catalogue: &Catalogue,
        place: &str,
        (goods, product): (i64, ProductId),
        entry: &file::EsimProfile,
    ) -> Step {
        let iccid = self.at(place, Iccid::parse(&entry.iccid))?;
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
