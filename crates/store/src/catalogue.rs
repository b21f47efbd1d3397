//! What is sold and through whom: platforms, products, packages and prices. Changes raise one version number, so that
//! caches know when to read again.

use crate::binds;
use crate::db::{Error, Tx};
use kachi_domain::carrier::Capabilities;
use kachi_domain::package::{Fulfil, StartRule, Terms};
use kachi_domain::{AccountId, Currency, PackageId, PlatformId, ProductId};

/// The carrier's own days rate.
const BY_COUNTER: &str = "counter";

/// One upstream account at a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Its number.
    pub id: PlatformId,
    /// Our word for it.
    pub code: String,
    /// The connector's name.
    pub connector: String,
    /// The connector's settings, JSON.
    pub settings: String,
    /// What its connector can do, as it was last opened; none: not known.
    pub capabilities: Option<Capabilities>,
    /// Whether its cards are kept up with.
    pub sync: bool,
    /// Whether its cards are rated by the carrier's own days instead of records.
    pub by_counter: bool,
}

/// What a card is sold as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub id: ProductId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// CM, CT, CU, CB or INTL.
    pub carrier: String,
    /// The platform its cards live on.
    pub platform: PlatformId,
    /// Whether a card without a package may still be used.
    pub bare_use: bool,
    /// Networks and zone, JSON.
    pub details: String,
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its number.
    pub id: PackageId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The name the retail shop gives it.
    pub retail_name: String,
    /// The product it fits.
    pub product: ProductId,
    /// Allowance and validity.
    pub terms: Terms,
    /// When it may start.
    pub start: StartRule,
    /// Who makes it real.
    pub fulfil: Fulfil,
    /// What a top-level account pays, minor units.
    pub price_minor: i64,
    /// The retail price, minor units.
    pub retail_minor: i64,
    /// The currency of both.
    pub currency: Currency,
    /// Whether the retail shop shows it.
    pub listed: bool,
    /// How many may wait or run on one card.
    pub stack_max: i64,
    /// The speed at which a `throttled` one goes on without allowance, kilobits (1024 bits) a second; none: the usual one.
    pub speed_kbps: Option<u32>,
    /// The code under which its carrier knows it, where that is not its own: several packages may be one there. Orders that were placed
    /// keep the one that they were placed with.
    pub carrier_code: Option<String>,
}

impl Package {
    /// The code under which it is ordered at its carrier.
    pub fn at_carrier(&self) -> &str {
        self.carrier_code.as_deref().unwrap_or(&self.code)
    }
}

/// What an account pays and asks for a package where that differs from the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Whose.
    pub account: AccountId,
    /// For which package.
    pub package: PackageId,
    /// What it pays, minor units.
    pub price_minor: Option<i64>,
    /// What it asks, minor units.
    pub retail_minor: Option<i64>,
    /// Whether its shop shows it.
    pub listed: Option<bool>,
}

type PackageRow =
    (i64, String, String, String, i64, String, String, String, i64, i64, String, i64, i64, Option<i64>, Option<String>);

fn package(r: PackageRow) -> Result<Package, Error> {
    let broken = |e: String| Error::Engine(format!("package {}: {e}", r.1));
    Ok(Package {
        id: PackageId(r.0),
        terms: serde_json::from_str(&r.5).map_err(|e| broken(e.to_string()))?,
        start: StartRule::parse(&r.6).map_err(broken)?,
        fulfil: Fulfil::parse(&r.7).map_err(broken)?,
        currency: Currency::parse(&r.10).map_err(broken)?,
        code: r.1,
        name: r.2,
        retail_name: r.3,
        product: ProductId(r.4),
        price_minor: r.8,
        retail_minor: r.9,
        listed: r.11 != 0,
        stack_max: r.12,
        speed_kbps: r.13.and_then(|kbps| u32::try_from(kbps).ok()),
        carrier_code: r.14,
    })
}

impl Tx<'_> {
    /// The catalogue's version; it grows with every change of an account, key, platform, product, package or price.
    pub fn catalogue_version(&mut self) -> Result<i64, Error> {
        self.catalogue_once(|tx| {
            Ok(tx.row::<(i64,)>("SELECT number FROM version WHERE name = 'catalogue'", &[])?.map_or(0, |r| r.0))
        })
    }

    /// Raises the catalogue's version.
    pub fn touch_catalogue(&mut self) -> Result<(), Error> {
        self.run("UPDATE version SET number = number + 1 WHERE name = 'catalogue'", &[])?;
        Ok(())
    }

    /// Every platform.
    pub fn platforms(&mut self) -> Result<Vec<Platform>, Error> {
        type R = (i64, String, String, String, String, i64, String);
        let text = "SELECT id, code, connector, settings, capabilities, sync, usage FROM platform ORDER BY id";
        let platform = |(id, code, connector, settings, can, sync, usage): R| Platform {
            id: PlatformId(id),
            code,
            connector,
            settings,
            capabilities: serde_json::from_str(&can).ok(),
            sync: sync != 0,
            by_counter: usage == BY_COUNTER,
        };
        Ok(self.rows::<R>(text, &[])?.into_iter().map(platform).collect())
    }

    /// Whether a platform's cards are kept up with, and whether they are rated by the carrier's own days.
    pub fn put_platform_sync(&mut self, code: &str, sync: bool, by_counter: bool) -> Result<(), Error> {
        let usage = if by_counter { BY_COUNTER } else { "cdr" };
        let known = self.row::<(i64, i64)>("SELECT id, sync FROM platform WHERE code = ?", &binds![code])?;
        if let Some((id, _)) = known.filter(|(_, was)| !sync || *was == 0) {
            self.look_away(PlatformId(id))?;
        }
        self.run("UPDATE platform SET sync = ?, usage = ? WHERE code = ?", &binds![sync, usage, code])?;
        Ok(())
    }

    /// Keeps what a platform's connector can do.
    pub fn put_platform_capabilities(&mut self, id: PlatformId, can: Capabilities) -> Result<(), Error> {
        let text = serde_json::to_string(&can).map_err(|e| Error::Engine(e.to_string()))?;
        self.run("UPDATE platform SET capabilities = ? WHERE id = ?", &binds![text, id.0])?;
        Ok(())
    }

    /// Creates or changes a platform by its code; a number of 0 lets the database choose. With other settings it is logged in
    /// anew.
    pub fn put_platform(&mut self, id: i64, code: &str, connector: &str, settings: &str) -> Result<(), Error> {
        let next = self.row::<(i64,)>("SELECT COALESCE(MAX(id), 0) + 1 FROM platform", &[])?.map_or(1, |r| r.0);
        let text = "SELECT id FROM platform WHERE code = ? AND (connector <> ? OR settings <> ?)";
        if let Some((other,)) = self.row::<(i64,)>(text, &binds![code, connector, settings])? {
            // It may be another account now, which the old login does not open.
            self.put_platform_login(PlatformId(other), "{}")?;
            self.forget_renewal(PlatformId(other))?;
        }
        let text = "SELECT id FROM platform WHERE code = ? AND connector <> ?";
        if let Some((other,)) = self.row::<(i64,)>(text, &binds![code, connector])? {
            self.look_away(PlatformId(other))?;
        }
        self.run(
            "INSERT INTO platform (id, code, connector, settings, login) VALUES (?, ?, ?, ?, '{}')
             ON CONFLICT (code) DO UPDATE SET connector = excluded.connector, settings = excluded.settings",
            &binds![if id == 0 { next } else { id }, code, connector, settings],
        )?;
        Ok(())
    }

    /// The platform's stored login, JSON.
    pub fn platform_login(&mut self, id: PlatformId) -> Result<String, Error> {
        Ok(self.row::<(String,)>("SELECT login FROM platform WHERE id = ?", &binds![id.0])?.map_or_else(|| "{}".into(), |r| r.0))
    }

    /// Keeps the platform's new login, JSON.
    pub fn put_platform_login(&mut self, id: PlatformId, login: &str) -> Result<(), Error> {
        self.run("UPDATE platform SET login = ? WHERE id = ?", &binds![login, id.0])?;
        Ok(())
    }

    /// Every product.
    pub fn products(&mut self) -> Result<Vec<Product>, Error> {
        type R = (i64, String, String, String, i64, i64, String);
        let rows =
            self.rows::<R>("SELECT id, code, name, carrier, platform_id, bare_use, details FROM product ORDER BY id", &[])?;
        let product = |r: R| Product {
            id: ProductId(r.0),
            code: r.1,
            name: r.2,
            carrier: r.3,
            platform: PlatformId(r.4),
            bare_use: r.5 != 0,
            details: r.6,
        };
        Ok(rows.into_iter().map(product).collect())
    }

    /// Creates or changes a product by its code.
    pub fn put_product(&mut self, p: &Product) -> Result<(), Error> {
        let text = "SELECT id, carrier, platform_id FROM product WHERE code = ?";
        if let Some((id, carrier, platform)) = self.row::<(i64, String, i64)>(text, &binds![&p.code])? {
            if carrier != p.carrier {
                self.relist_product(ProductId(id))?;
            }
            if platform != p.platform.0 {
                // Nothing of its cards is known there yet.
                self.run("UPDATE product SET watched_since = NULL WHERE id = ?", &binds![id])?;
            }
        }
        self.run(
            "INSERT INTO product (code, name, carrier, platform_id, bare_use, details) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (code) DO UPDATE SET name = excluded.name, carrier = excluded.carrier, platform_id = excluded.platform_id,
             bare_use = excluded.bare_use, details = excluded.details",
            &binds![&p.code, &p.name, &p.carrier, p.platform.0, p.bare_use, &p.details],
        )?;
        Ok(())
    }

    /// Every package.
    pub fn packages(&mut self) -> Result<Vec<Package>, Error> {
        let text = "SELECT id, code, name, retail_name, product_id, terms, start_rule, fulfil, price_minor, retail_minor, currency, listed, stack_max,
                    speed_kbps, carrier_code FROM package ORDER BY id";
        self.rows::<PackageRow>(text, &[])?.into_iter().map(package).collect()
    }

    /// Creates or changes a package by its code. What was sold before keeps its own terms.
    pub fn put_package(&mut self, p: &Package) -> Result<(), Error> {
        let terms = serde_json::to_string(&p.terms).map_err(|e| Error::Engine(e.to_string()))?;
        self.run(
            "INSERT INTO package (code, name, retail_name, product_id, terms, start_rule, fulfil, price_minor, retail_minor, currency, listed, stack_max,
             speed_kbps, carrier_code)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (code) DO UPDATE SET name = excluded.name, retail_name = excluded.retail_name, product_id = excluded.product_id,
             terms = excluded.terms, start_rule = excluded.start_rule, fulfil = excluded.fulfil, price_minor = excluded.price_minor,
             retail_minor = excluded.retail_minor, currency = excluded.currency, listed = excluded.listed, stack_max = excluded.stack_max,
             speed_kbps = excluded.speed_kbps, carrier_code = excluded.carrier_code",
            &binds![
                &p.code, &p.name, &p.retail_name, p.product.0, terms, p.start.word(), p.fulfil.word(), p.price_minor, p.retail_minor,
                p.currency.as_str(), p.listed, p.stack_max, p.speed_kbps.map(i64::from),
                p.carrier_code.as_deref()
            ],
        )?;
        Ok(())
    }

    /// Every price of every account.
    pub fn prices(&mut self) -> Result<Vec<Price>, Error> {
        type R = (i64, i64, Option<i64>, Option<i64>, Option<i64>);
        let rows = self.rows::<R>("SELECT account_id, package_id, price_minor, retail_minor, listed FROM price", &[])?;
        let price = |r: R| Price {
            account: AccountId(r.0),
            package: PackageId(r.1),
            price_minor: r.2,
            retail_minor: r.3,
            listed: r.4.map(|l| l != 0),
        };
        Ok(rows.into_iter().map(price).collect())
    }

    /// Creates or changes a price.
    pub fn put_price(&mut self, p: &Price) -> Result<(), Error> {
        self.run(
            "INSERT INTO price (account_id, package_id, price_minor, retail_minor, listed) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (account_id, package_id) DO UPDATE SET price_minor = excluded.price_minor,
             retail_minor = excluded.retail_minor, listed = excluded.listed",
            &binds![p.account.0, p.package.0, p.price_minor, p.retail_minor, p.listed.map(i64::from)],
        )?;
        Ok(())
    }
}
