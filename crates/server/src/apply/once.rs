//! Nothing stands twice in a file: the second would be taken for a change of the first, at every apply anew.

use super::file::Document;
use kachi_domain::Iccid;
use std::collections::HashSet;

impl Document {
    /// The first place whose name stands before it already, with that name.
    pub fn twice(&self) -> Option<(String, String)> {
        let card = |text: &String| Iccid::parse(text).map_or_else(|_| text.clone(), |iccid| iccid.to_string());
        let had = |iccid: &String, package: &str, start: &str| format!("{} {package} from {start}", card(iccid));
        in_list("platforms", "code", self.platforms.iter().map(|e| e.code.clone()))
            .or_else(|| in_list("products", "code", self.products.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("packages", "code", self.packages.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("pool_types", "code", self.pool_types.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("pools", "code", self.pools.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("imei_groups", "code", self.imei_groups.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("esim_goods", "code", self.esim_goods.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("sms_templates", "code", self.sms_templates.iter().map(|e| e.code.clone())))
            .or_else(|| in_list("sims", "iccid", self.sims.iter().map(|e| card(&e.iccid))))
            .or_else(|| {
                let all = self.subscriptions.iter().map(|e| had(&e.iccid, &e.package, &e.start));
                in_list("subscriptions", "iccid", all)
            })
            .or_else(|| self.within())
    }

    /// The same inside of accounts and goods.
    fn within(&self) -> Option<(String, String)> {
        let account = |(i, a): (usize, &super::file::Account)| {
            let prices = in_list(&format!("accounts[{i}].prices"), "package", a.prices.iter().map(|p| p.package.clone()));
            prices.or_else(|| in_list(&format!("accounts[{i}].users"), "login", a.users.iter().map(|u| u.login.clone())))
        };
        let goods = |(i, g): (usize, &super::file::EsimGoods)| {
            in_list(&format!("esim_goods[{i}].prices"), "account", g.prices.iter().map(|p| p.account.clone()))
        };
        self.accounts.iter().enumerate().find_map(account).or_else(|| self.esim_goods.iter().enumerate().find_map(goods))
    }
}

fn in_list(list: &str, key: &str, names: impl Iterator<Item = String>) -> Option<(String, String)> {
    let mut seen = HashSet::new();
    let twice = names.enumerate().find(|(_, name)| !seen.insert(name.clone()));
    twice.map(|(i, name)| (format!("{list}[{i}].{key}"), name))
}
