//! Platforms, products and packages.

use super::file;
use super::prices::priced;
use super::work::{Step, Work, check_code, differing};
use kachi_domain::address::Addresses;
use kachi_domain::carrier::Capabilities;
use kachi_domain::package::{Category, Fulfil, Kind, Resource, StartRule, Terms, Window};
use kachi_domain::{PackageId, PlatformId, ProductId, Span};
use kachi_store::catalogue::{Package, Platform, Product};
use serde_json::json;

/// What a card's carrier may be.
const CARRIERS: [&str; 5] = ["CM", "CT", "CU", "CB", "INTL"];
/// The highest speed that a package may be limited to, kilobits a second.
const SPEED_KBPS_MAX: i64 = 10_000_000;
/// Characters of a carrier's code.
const CARRIER_CODE_MAX: usize = 64;
/// Purchases of one package that may wait or run on a card, unless said.
const STACK_MAX: i64 = 24;

impl Work<'_, '_> {
    /// Card platforms.
    pub fn platforms(&mut self, entries: &[file::Platform]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("platforms[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let there = self.tx.platforms()?;
            let known = there.iter().find(|p| p.code == entry.code);
            let holder = entry.id.and_then(|id| there.iter().find(|p| p.id == PlatformId(id) && p.code != entry.code));
            if let Some(other) = holder {
                return self.refuse(&format!("{place}.id"), format!("{} is platform {}; choose another", other.id, other.code));
            }
            if let (Some(known), Some(id)) = (known, entry.id.filter(|id| known.is_some_and(|k| k.id.0 != *id))) {
                return self.refuse(
                    &format!("{place}.id"),
                    format!("{} has number {}, not {id}; it never changes", known.code, known.id),
                );
            }
            if entry.id.is_some_and(|id| id < 1) {
                return self.refuse(&format!("{place}.id"), "must be 1 or more");
            }
            let kept = known.map_or_else(|| "{}".to_owned(), |k| k.settings.clone());
            let settings = entry.settings.clone().unwrap_or_else(|| serde_json::from_str(&kept).unwrap_or_else(|_| json!({})));
            let world = kachi_connectors::sandbox::World::default();
            // Which addresses are dialled is a matter of whoever serves.
            let opened = kachi_connectors::open(&entry.connector, &settings, &world, &Addresses::any());
            let can = self.at(&place, opened.map(|connector| connector.capabilities()))?;
            let text = if entry.settings.is_some() { settings.to_string() } else { kept.clone() };
            let by_counter = self.at(&format!("{place}.usage"), by_counter(entry, known, can))?;
            // A virtual carrier invents what it tells.
            let sync = entry.sync.unwrap_or(known.map_or(entry.connector != "sandbox", |k| k.sync));
            match known {
                None => self.outcome.added("platform", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("connector", k.connector != entry.connector),
                        ("settings", kept != text),
                        ("sync", k.sync != sync),
                        ("usage", k.by_counter != by_counter),
                    ]);
                    self.outcome.compared("platform", &entry.code, &fields);
                }
            }
            self.tx.put_platform(entry.id.unwrap_or(0), &entry.code, &entry.connector, &text)?;
            self.tx.put_platform_sync(&entry.code, sync, by_counter)?;
        }
        Ok(())
    }

    /// Products.
    pub fn products(&mut self, entries: &[file::Product]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("products[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.products()?.into_iter().find(|p| p.code == entry.code);
            let wanted = self.wanted_product(&place, entry, known.as_ref())?;
            match &known {
                None => self.outcome.added("product", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("name", k.name != wanted.name),
                        ("carrier", k.carrier != wanted.carrier),
                        ("platform", k.platform != wanted.platform),
                        ("bare_use", k.bare_use != wanted.bare_use),
                        ("networks or zone", k.details != wanted.details),
                    ]);
                    self.outcome.compared("product", &entry.code, &fields);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_product(&wanted)?;
            }
        }
        Ok(())
    }

    fn wanted_product(&mut self, place: &str, entry: &file::Product, known: Option<&Product>) -> Step<Product> {
        let carrier = entry.carrier.clone().or_else(|| known.map(|k| k.carrier.clone())).unwrap_or_else(|| "INTL".into());
        if !CARRIERS.contains(&carrier.as_str()) {
            return self.refuse(&format!("{place}.carrier"), format!("\"{carrier}\" is not one of {}", CARRIERS.join(", ")));
        }
        let platform = match (&entry.platform, known) {
            (Some(code), _) => {
                let found = self.tx.platforms()?.into_iter().find(|p| p.code == *code);
                let words = format!("there is no platform {code}; list it under platforms");
                self.at(&format!("{place}.platform"), found.ok_or(words))?.id
            }
            (None, Some(k)) => k.platform,
            (None, None) => return self.refuse(&format!("{place}.platform"), "is missing; name the platform its cards live on"),
        };
        let mut details: serde_json::Map<String, serde_json::Value> =
            known.and_then(|k| serde_json::from_str(&k.details).ok()).unwrap_or_default();
        if let Some(networks) = &entry.networks {
            details.insert("networks".into(), json!(networks));
        }
        if let Some(zone) = &entry.zone {
            details.insert("zone".into(), json!(zone));
        }
        Ok(Product {
            id: known.map_or(ProductId(0), |k| k.id),
            code: entry.code.clone(),
            name: entry.name.clone().or_else(|| known.map(|k| k.name.clone())).unwrap_or_else(|| entry.code.clone()),
            carrier,
            platform,
            bare_use: entry.bare_use.or(known.map(|k| k.bare_use)).unwrap_or(false),
            details: serde_json::Value::Object(details).to_string(),
        })
    }

    /// Packages. What was sold before keeps its own terms.
    pub fn packages(&mut self, entries: &[file::Package]) -> Step {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("packages[{i}]");
            self.at(&format!("{place}.code"), check_code(&entry.code))?;
            let known = self.tx.packages()?.into_iter().find(|p| p.code == entry.code);
            let wanted = self.wanted_package(&place, entry, known.as_ref())?;
            self.warn_of_loss(&place, entry, &wanted);
            match &known {
                None => self.outcome.added("package", &entry.code),
                Some(k) => {
                    let fields = differing(&[
                        ("name", k.name != wanted.name),
                        ("retail_name", k.retail_name != wanted.retail_name),
                        ("product", k.product != wanted.product),
                        ("allowance or validity", k.terms != wanted.terms),
                        ("start", k.start != wanted.start),
                        ("fulfil", k.fulfil != wanted.fulfil),
                        ("price", k.price_minor != wanted.price_minor),
                        ("retail_price", k.retail_minor != wanted.retail_minor),
                        ("listed", k.listed != wanted.listed),
                        ("stack_max", k.stack_max != wanted.stack_max),
                        ("speed", k.speed_kbps != wanted.speed_kbps),
                        ("carrier_code", k.carrier_code != wanted.carrier_code),
                    ]);
                    let moved = [
                        ("price", Some(k.price_minor), Some(wanted.price_minor)),
                        ("retail_price", Some(k.retail_minor), Some(wanted.retail_minor)),
                    ];
                    self.outcome.priced("package", &entry.code, &fields, &moved, wanted.currency);
                }
            }
            if known.as_ref() != Some(&wanted) {
                self.tx.put_package(&wanted)?;
            }
        }
        Ok(())
    }

    fn wanted_package(&mut self, place: &str, entry: &file::Package, known: Option<&Package>) -> Step<Package> {
        let product = match (&entry.product, known) {
            (Some(code), _) => self.product(&format!("{place}.product"), code)?.id,
            (None, Some(k)) => k.product,
            (None, None) => return self.refuse(&format!("{place}.product"), "is missing; name the product it fits"),
        };
        let currency = match (&entry.currency, known) {
            (Some(text), _) => self.currency(&format!("{place}.currency"), text)?,
            (None, Some(k)) => k.currency,
            (None, None) => return self.refuse(&format!("{place}.currency"), "is missing; write the currency of its prices"),
        };
        if let Some(k) = known.filter(|k| k.currency != currency) {
            return self.refuse(
                &format!("{place}.currency"),
                format!("{} is sold in {}; make a new package instead", k.code, k.currency),
            );
        }
        let at_price = priced(place, "price", &entry.code);
        let price = self.price_amount(&at_price, entry.price.as_deref(), currency)?.or(known.map(|k| k.price_minor));
        let price_minor = self.at(&at_price, price.ok_or("is missing; write what a top-level account pays"))?;
        let retail = self.price_amount(&priced(place, "retail_price", &entry.code), entry.retail_price.as_deref(), currency)?;
        let name = entry.name.clone().or_else(|| known.map(|k| k.name.clone())).unwrap_or_else(|| entry.code.clone());
        let word = |text: &Option<String>, before: Option<&'static str>, default: &'static str| {
            text.clone().unwrap_or_else(|| before.unwrap_or(default).to_owned())
        };
        let start = word(&entry.start, known.map(|k| k.start.word()), "queue");
        let fulfil = word(&entry.fulfil, known.map(|k| k.fulfil.word()), "local");
        let stack_max = entry.stack_max.or(known.map(|k| k.stack_max)).unwrap_or(STACK_MAX);
        if !(1..=1000).contains(&stack_max) {
            return self.refuse(&format!("{place}.stack_max"), "must be from 1 to 1000");
        }
        let terms = self.terms(place, entry, known.map(|k| &k.terms))?;
        let start = self.at(&format!("{place}.start"), StartRule::parse(&start))?;
        if start != StartRule::Queue && !terms.category.is_side() {
            return self.refuse(&format!("{place}.start"), "only top_up and safety packages start otherwise than queue");
        }
        Ok(Package {
            id: known.map_or(PackageId(0), |k| k.id),
            code: entry.code.clone(),
            retail_name: entry
                .retail_name
                .clone()
                .or_else(|| known.map(|k| k.retail_name.clone()))
                .unwrap_or_else(|| name.clone()),
            name,
            product,
            terms,
            start,
            fulfil: self.at(&format!("{place}.fulfil"), Fulfil::parse(&fulfil))?,
            price_minor,
            retail_minor: retail.or(known.map(|k| k.retail_minor)).unwrap_or(price_minor),
            currency,
            listed: entry.listed.or(known.map(|k| k.listed)).unwrap_or(true),
            stack_max,
            speed_kbps: self.speed(place, entry, known)?,
            carrier_code: self.carrier_code(place, entry, known)?,
        })
    }

    /// The speed at which a throttled package goes on without allowance.
    fn speed(&self, place: &str, entry: &file::Package, known: Option<&Package>) -> Step<Option<u32>> {
        let Some(kbps) = entry.speed else { return Ok(known.and_then(|k| k.speed_kbps)) };
        let place = format!("{place}.speed");
        let kind = entry.kind.as_deref().or(known.map(|k| k.terms.kind.word())).unwrap_or("quota");
        if kind != Kind::Throttled.word() {
            return self.refuse(&place, format!("a {kind} package has none; leave it out or choose kind throttled"));
        }
        if !(1..=SPEED_KBPS_MAX).contains(&kbps) {
            return self.refuse(&place, format!("must be from 1 to {SPEED_KBPS_MAX}, in kilobits a second"));
        }
        Ok(u32::try_from(kbps).ok())
    }

    /// The code under which its carrier knows the package; none: its own. Orders that were placed keep theirs.
    fn carrier_code(&self, place: &str, entry: &file::Package, known: Option<&Package>) -> Step<Option<String>> {
        let Some(code) = &entry.carrier_code else { return Ok(known.and_then(|k| k.carrier_code.clone())) };
        if code.chars().count() > CARRIER_CODE_MAX || code.trim() != code || code.chars().any(char::is_control) {
            let text = format!("must be at most {CARRIER_CODE_MAX} characters, all printable, with no space at its ends");
            return self.refuse(&format!("{place}.carrier_code"), text);
        }
        Ok(Some(code.clone()).filter(|code| !code.is_empty() && *code != entry.code))
    }

    fn terms(&self, place: &str, entry: &file::Package, known: Option<&Terms>) -> Step<Terms> {
        let word = |text: &Option<String>, before: Option<&'static str>, default: &'static str| {
            text.clone().unwrap_or_else(|| before.unwrap_or(default).to_owned())
        };
        let at = |key: &str| format!("{place}.{key}");
        let kind = self.at(&at("kind"), Kind::parse(&word(&entry.kind, known.map(|k| k.kind.word()), "quota")))?;
        let category = word(&entry.category, known.map(|k| k.category.word()), "long");
        let resource = word(&entry.resource, known.map(|k| k.resource.word()), "data");
        let resource = self.at(&at("resource"), Resource::parse(&resource))?;
        let window = word(&entry.window, known.map(|k| k.window.word()), "whole");
        let validity = match (&entry.validity, known) {
            (Some(text), _) => self.at(&at("validity"), Span::parse(text))?,
            (None, Some(k)) => k.validity,
            (None, None) => return self.refuse(&at("validity"), "is missing; write 30d or 1mo"),
        };
        let (key, given) = match resource {
            Resource::Data | Resource::Nb => ("data", entry.data.as_ref().map(file::Size::bytes).transpose()),
            Resource::Sms => ("sms", Ok(entry.sms)),
            Resource::Voice => ("voice", Ok(entry.voice)),
        };
        let allowance = self.at(&at(key), given)?.or(known.map(|k| k.allowance)).unwrap_or(0);
        if kind == Kind::Time && allowance != 0 {
            return self.refuse(&at(key), "a time package is unlimited; leave it out or choose kind quota");
        }
        if kind != Kind::Time && allowance < 1 {
            return self.refuse(&at(key), format!("a {} package needs an allowance such as 100MB", kind.word()));
        }
        Ok(Terms {
            kind,
            category: self.at(&at("category"), Category::parse(&category))?,
            resource,
            allowance,
            validity,
            window: self.at(&at("window"), Window::parse(&window))?,
        })
    }
}

/// Whether the platform's cards are rated by the carrier's own days, which it must tell.
fn by_counter(entry: &file::Platform, known: Option<&Platform>, can: Capabilities) -> Result<bool, String> {
    let by_counter = match entry.usage.as_deref() {
        None => known.is_some_and(|k| k.by_counter),
        Some("cdr") => false,
        Some("counter") => true,
        Some(other) => return Err(format!("\"{other}\" is not one of cdr, counter")),
    };
    if by_counter && can.batches.day == 0 {
        return Err(format!(
            "connector {} does not tell the days of cards, so nothing can be rated by them; leave it at cdr",
            entry.connector
        ));
    }
    Ok(by_counter)
}
