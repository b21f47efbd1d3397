//! Cards, and what they already have when they are moved here.

use super::file;
use super::work::{Step, Work, differing};
use crate::secrets;
use kachi_domain::account::Path;
use kachi_domain::ids::{Eid, Imei, Imsi, Msisdn};
use kachi_domain::sim::BaseState;
use kachi_domain::{AccountId, Currency, Iccid, Money, ProductId, Timestamp};
use kachi_engine::Catalogue;
use kachi_engine::sims::{self, Arrivals, Brought, Put};
use kachi_store::sims::Sim;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

impl Work<'_, '_> {
    /// Cards. A known card keeps its state, and stays with its account; usage that waited for a new one becomes its own.
    pub fn sims(&mut self, catalogue: &Catalogue, entries: &[file::Sim]) -> Step {
        if entries.is_empty() {
            return Ok(());
        }
        let accounts: HashMap<String, AccountId> = self.tx.accounts()?.into_iter().map(|a| (a.code, a.id)).collect();
        let products: HashMap<String, ProductId> = self.tx.products()?.into_iter().map(|p| (p.code, p.id)).collect();
        let (mut doubtful, mut arrivals) = (Vec::new(), Arrivals::default());
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("sims[{i}]");
            let iccid = self.number(&place, &entry.iccid, Iccid::parse)?;
            if !iccid.luhn_ok() {
                doubtful.push(iccid.to_string());
            }
            let account = self.at(&format!("{place}.account"), named(&accounts, "account", entry.account.as_deref()))?;
            let product = self.at(&format!("{place}.product"), named(&products, "product", entry.product.as_deref()))?;
            self.sim(catalogue, &mut arrivals, &place, entry, &iccid, (account, product))?;
        }
        let settled = arrivals.settle(self.tx, catalogue, &self.how);
        self.engine("sims", settled)?;
        if let Some(first) = doubtful.first() {
            let n = doubtful.len();
            self.outcome.warnings.push(format!(
                "{}: sims: {n} ICCIDs fail the Luhn check (the first is {first}); look whether digits were lost",
                self.file
            ));
        }
        Ok(())
    }

    fn sim(
        &mut self,
        catalogue: &Catalogue,
        arrivals: &mut Arrivals,
        place: &str,
        entry: &file::Sim,
        iccid: &Iccid,
        (account, product): (Option<AccountId>, Option<ProductId>),
    ) -> Step {
        let there = self.tx.sim_by_iccid(&Path::root(), iccid.as_str())?;
        let base = match (&there, account, product) {
            (Some(sim), _, _) => sim.clone(),
            (None, Some(account), Some(product)) => sims::blank(iccid, account, product),
            (None, None, _) => {
                return self.refuse(&format!("{place}.account"), "is missing; name the account that owns the card");
            }
            (None, _, None) => return self.refuse(&format!("{place}.product"), "is missing; name the product the card is"),
        };
        let wanted = self.wanted_sim(
            place,
            entry,
            there.is_none(),
            Sim { account: account.unwrap_or(base.account), product: product.unwrap_or(base.product), ..base },
        )?;
        let put = arrivals.put(self.tx, catalogue, &self.how, &wanted);
        let put = self.engine(place, put)?;
        let balance_changed = self.carrier_balance(place, entry, put)?;
        let Some(there) = there.filter(|_| !matches!(put, Put::Added(_))) else {
            self.outcome.added("sim", iccid.as_str());
            return Ok(());
        };
        let fields = differing(&[
            ("imsi", there.imsi != wanted.imsi),
            ("msisdn", there.msisdn != wanted.msisdn),
            ("eid", there.eid != wanted.eid),
            ("product", there.product != wanted.product),
            ("real_name", there.real_name != wanted.real_name),
            ("alias", there.alias != wanted.alias),
            ("group", there.group != wanted.group),
            ("remark", there.remark != wanted.remark),
            ("details", there.details != wanted.details),
            ("balance", balance_changed),
        ]);
        self.outcome.compared("sim", iccid.as_str(), &fields);
        Ok(())
    }

    /// What the card's own account at the carrier has, in yuan; the answer is whether that is news.
    fn carrier_balance(&mut self, place: &str, entry: &file::Sim, put: Put) -> Step<bool> {
        let Some(text) = &entry.balance else { return Ok(false) };
        let minor = self.at(&format!("{place}.balance"), Money::parse(text, Currency::CNY))?.minor;
        let known = self.tx.carrier_balances(&[put.id().0])?;
        if known.iter().any(|(_, there)| *there == minor) {
            return Ok(false);
        }
        self.tx.put_carrier_balance(put.id(), minor, self.how.now)?;
        Ok(true)
    }

    fn wanted_sim(&self, place: &str, entry: &file::Sim, is_new: bool, base: Sim) -> Step<Sim> {
        macro_rules! number {
            ($type:ty, $key:ident) => {
                match &entry.$key {
                    Some(text) => Some(self.at(place, <$type>::parse(text))?.as_str().to_owned()),
                    None => base.$key.clone(),
                }
            };
        }
        let state = match entry.state.as_deref().map(BaseState::parse) {
            Some(read) => self.at(&format!("{place}.state"), read)?.word().to_owned(),
            None => base.state.clone(),
        };
        let mut details: Map<String, Value> = serde_json::from_str(&base.details).unwrap_or_default();
        if let Some(apns) = &entry.apns {
            details.insert("apns".into(), json!(apns));
        }
        if let Some(elastic) = entry.isxn {
            details.insert("isxn".into(), json!(elastic));
        }
        for (key, value) in [("sbbh", &entry.sbbh), ("test_until", &entry.test_until), ("sleep_until", &entry.sleep_until)] {
            let Some(text) = value else { continue };
            if key != "sbbh" {
                self.at(&format!("{place}.{key}"), Timestamp::parse_rfc3339(text))?;
            }
            details.insert(key.into(), json!(text));
        }
        Ok(Sim {
            imsi: number!(Imsi, imsi),
            msisdn: number!(Msisdn, msisdn),
            eid: number!(Eid, eid),
            imei: if is_new { number!(Imei, imei) } else { base.imei.clone() },
            state: if is_new { state } else { base.state.clone() },
            real_name: entry.real_name.unwrap_or(base.real_name),
            alias: entry.alias.clone().unwrap_or(base.alias),
            group: entry.group.clone().unwrap_or(base.group),
            remark: entry.remark.clone().unwrap_or(base.remark),
            details: Value::Object(details).to_string(),
            ..base
        })
    }

    /// What cards have from another system is brought along.
    pub fn subscriptions(&mut self, catalogue: &Catalogue, entries: &[file::Subscription]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("subscriptions[{i}]");
            let iccid = self.number(&place, &entry.iccid, Iccid::parse)?;
            let Some(sim) = self.tx.sim_by_iccid(&Path::root(), iccid.as_str())? else {
                return self.refuse(&format!("{place}.iccid"), format!("there is no card {iccid}; list it under sims"));
            };
            let package = self.package(&format!("{place}.package"), &entry.package)?;
            if catalogue.pool_type_by_code(&package.code).is_some() {
                return self.refuse(&format!("{place}.package"), format!("{} is sold for pools", package.code));
            }
            if package.product != sim.product {
                return self.refuse(&format!("{place}.package"), format!("{} does not fit the product of {iccid}", package.code));
            }
            let start = self.at(&format!("{place}.start"), Timestamp::parse_rfc3339(&entry.start))?;
            if start > self.how.now {
                return self.refuse(
                    &format!("{place}.start"),
                    format!("{start} is in the future; only what a card already has is brought along"),
                );
            }
            let used_bytes = entry.used.as_ref().map_or(Ok(0), file::Size::bytes);
            let used_bytes = self.at(&format!("{place}.used"), used_bytes)?;
            let label = format!("{iccid} {} from {start}", package.code);
            let brought = Brought { package: package.id, started: start, used_bytes, number: secrets::made() };
            let brought = sims::bring_subscription(self.tx, catalogue, &self.how, &sim, brought);
            if self.engine(&place, brought)? {
                self.outcome.added("subscription", &label);
            } else {
                self.outcome.compared("subscription", &label, &[]);
            }
        }
        Ok(())
    }
}

/// The number behind a code, if one is named.
fn named<T: Copy>(map: &HashMap<String, T>, kind: &str, code: Option<&str>) -> Result<Option<T>, String> {
    let Some(code) = code else { return Ok(None) };
    map.get(code).copied().map(Some).ok_or_else(|| format!("there is no {kind} {code}; list it under {kind}s"))
}
