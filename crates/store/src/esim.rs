//! eSIM goods, their stock of profiles, and which orders bought one. Each profile is a card: the operator's while it is in
//! stock, the buyer's once it is taken.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::ledger::OPERATOR;
use kachi_domain::{AccountId, OrderId, PackageId, SimId};

/// What is sold: a profile with a first package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goods {
    /// Its number.
    pub id: i64,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The package that comes with it.
    pub package: PackageId,
    /// What a top-level account pays, minor units of the package's currency.
    pub price_minor: i64,
}

/// What an account pays and asks for goods where that differs from the goods' own price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoodsPrice {
    /// Whose.
    pub account: AccountId,
    /// For which goods.
    pub goods: i64,
    /// What it pays, minor units.
    pub price_minor: Option<i64>,
    /// What it asks of the accounts below, minor units.
    pub retail_minor: Option<i64>,
}

/// A profile of some goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its card.
    pub sim: SimId,
    /// Of which goods.
    pub goods: i64,
    /// What a device fetches it with.
    pub activation_code: String,
    /// The order that took it; none while it is in stock.
    pub order: Option<OrderId>,
}

type ProfileRow = (i64, i64, String, Option<i64>);
const PROFILE_COLUMNS: &str = "sim_id, goods_id, activation_code, order_id";

fn profile(r: ProfileRow) -> Profile {
    Profile { sim: SimId(r.0), goods: r.1, activation_code: r.2, order: r.3.map(OrderId) }
}

impl Tx<'_> {
    /// Every goods.
    pub fn esim_goods(&mut self) -> Result<Vec<Goods>, Error> {
        type R = (i64, String, String, i64, i64);
        let rows = self.rows::<R>("SELECT id, code, name, package_id, price_minor FROM esim_goods ORDER BY id", &[])?;
        let goods = |r: R| Goods { id: r.0, code: r.1, name: r.2, package: PackageId(r.3), price_minor: r.4 };
        Ok(rows.into_iter().map(goods).collect())
    }

    /// Creates or changes goods by their code.
    pub fn put_esim_goods(&mut self, g: &Goods) -> Result<(), Error> {
        self.run(
            "INSERT INTO esim_goods (code, name, package_id, price_minor) VALUES (?, ?, ?, ?)
             ON CONFLICT (code) DO UPDATE SET name = excluded.name, package_id = excluded.package_id, price_minor = excluded.price_minor",
            &binds![&g.code, &g.name, g.package.0, g.price_minor],
        )?;
        Ok(())
    }

    /// Every price of goods of every account.
    pub fn esim_prices(&mut self) -> Result<Vec<GoodsPrice>, Error> {
        type R = (i64, i64, Option<i64>, Option<i64>);
        let rows = self.rows::<R>("SELECT account_id, goods_id, price_minor, retail_minor FROM esim_price", &[])?;
        let price = |r: R| GoodsPrice { account: AccountId(r.0), goods: r.1, price_minor: r.2, retail_minor: r.3 };
        Ok(rows.into_iter().map(price).collect())
    }

    /// Creates or changes a price of goods.
    pub fn put_esim_price(&mut self, p: &GoodsPrice) -> Result<(), Error> {
        self.run(
            "INSERT INTO esim_price (account_id, goods_id, price_minor, retail_minor) VALUES (?, ?, ?, ?)
             ON CONFLICT (account_id, goods_id) DO UPDATE SET price_minor = excluded.price_minor,
             retail_minor = excluded.retail_minor",
            &binds![p.account.0, p.goods, p.price_minor, p.retail_minor],
        )?;
        Ok(())
    }

    /// The profile that a card is.
    pub fn esim_profile(&mut self, sim: SimId) -> Result<Option<Profile>, Error> {
        let text = format!("SELECT {PROFILE_COLUMNS} FROM esim_profile WHERE sim_id = ?");
        Ok(self.row::<ProfileRow>(&text, &binds![sim.0])?.map(profile))
    }

    /// Adds a profile to the stock, or changes the activation code of one.
    pub fn put_esim_profile(&mut self, goods: i64, sim: SimId, activation_code: &str) -> Result<(), Error> {
        self.run(
            "INSERT INTO esim_profile (sim_id, goods_id, activation_code) VALUES (?, ?, ?)
             ON CONFLICT (sim_id) DO UPDATE SET activation_code = excluded.activation_code",
            &binds![sim.0, goods, activation_code],
        )?;
        Ok(())
    }

    /// The profile that has been in stock the longest: the operator's card, for which nothing was ever bought. Those who take from the same goods wait for each other until the
    /// transaction ends, so that the last one is never promised twice, nor refused while it may still come back.
    pub fn esim_profile_in_stock(&mut self, goods: i64) -> Result<Option<Profile>, Error> {
        if self.must_lock("esim_goods", goods) {
            self.rows::<(i64,)>("SELECT id FROM esim_goods WHERE id = ? FOR UPDATE", &binds![goods])?;
        }
        let text = format!(
            "SELECT {PROFILE_COLUMNS} FROM esim_profile p WHERE goods_id = ? AND order_id IS NULL
             AND EXISTS (SELECT 1 FROM sim s WHERE s.id = p.sim_id AND s.account_id = ?)
             AND NOT EXISTS (SELECT 1 FROM subscription b WHERE b.sim_id = p.sim_id AND b.state <> 'void') ORDER BY sim_id LIMIT 1"
        );
        Ok(self.row::<ProfileRow>(&text, &binds![goods, OPERATOR.0])?.map(profile))
    }

    /// The order takes the profile from the stock; false if another has it.
    pub fn take_esim_profile(&mut self, account: AccountId, profile: &Profile, order: OrderId) -> Result<bool, Error> {
        let text = "UPDATE esim_profile SET order_id = ? WHERE sim_id = ? AND order_id IS NULL";
        if self.run(text, &binds![order.0, profile.sim.0])? == 0 {
            return Ok(false);
        }
        self.run(
            "INSERT INTO esim_order (order_id, account_id, goods_id, sim_id) VALUES (?, ?, ?, ?)",
            &binds![order.0, account.0, profile.goods, profile.sim.0],
        )?;
        Ok(true)
    }

    /// The profile of an order that came to nothing is in stock again; the answer is its card.
    pub fn return_esim_profile(&mut self, order: OrderId) -> Result<Option<SimId>, Error> {
        let text = "UPDATE esim_profile SET order_id = NULL WHERE order_id = ? RETURNING sim_id";
        Ok(self.row::<(i64,)>(text, &binds![order.0])?.map(|r| SimId(r.0)))
    }

    /// Those of the cards that are profiles in stock, or kept for an order that the carrier has not confirmed.
    pub fn esim_unsold(&mut self, sims: &[i64]) -> Result<Vec<SimId>, Error> {
        let (among, value) = self.among("p.sim_id", sims);
        let text = format!(
            "SELECT p.sim_id FROM esim_profile p LEFT JOIN orders o ON o.id = p.order_id
             WHERE {among} AND (p.order_id IS NULL OR o.state = 'pending')"
        );
        Ok(self.rows::<(i64,)>(&text, &[value])?.into_iter().map(|r| SimId(r.0)).collect())
    }

    /// The card that an eSIM order was for, and its activation code; none if it is no eSIM order.
    pub fn esim_order(&mut self, order: OrderId) -> Result<Option<(SimId, String)>, Error> {
        let text = "SELECT o.sim_id, p.activation_code FROM esim_order o JOIN esim_profile p ON p.sim_id = o.sim_id WHERE o.order_id = ?";
        Ok(self.row::<(i64, String)>(text, &binds![order.0])?.map(|r| (SimId(r.0), r.1)))
    }

    /// How many profiles of some goods are in stock.
    pub fn esim_stock(&mut self, goods: i64) -> Result<i64, Error> {
        let text = "SELECT COUNT(*) FROM esim_profile WHERE goods_id = ? AND order_id IS NULL";
        Ok(self.row::<(i64,)>(text, &binds![goods])?.map_or(0, |r| r.0))
    }
}
