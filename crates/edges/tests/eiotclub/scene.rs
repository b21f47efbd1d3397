//! A world in which every operation can do its good act, with a name for each number that a request may need.

use kachi_domain::carrier::Capabilities;
use kachi_domain::ids::Imei;
use kachi_domain::{AccountId, Iccid, PlatformId};
use kachi_engine::{imei, sims};
use kachi_store::catalogue::{Package, Product};
use kachi_store::imei::ImeiGroup;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::trade::{ACME, CARD, CHINESE, CLOSED, FOREIGN, NOBODY, OPERATOR, OTHER, READY, Trade};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of [`CARD`].
pub const EID: &str = "89049032000000000000000000000001";
/// Of [`READY`].
pub const READY_EID: &str = "89049032000000000000000000000003";
/// In every IMEI group.
pub const OWN: &str = "867530912345678";
/// In none.
pub const STRANGE: &str = "355000000000017";

/// The names of the numbers.
pub type Names = BTreeMap<String, Value>;

/// The world.
pub struct Scene {
    /// Accounts, cards, packages and the clock.
    pub trade: Trade,
    /// The carrier of `1US-1`.
    pub carrier: Carrier,
}

impl Scene {
    /// Builds it in an empty database.
    pub fn build(store: kachi_store::Store) -> Scene {
        let trade = Trade::build(store);
        let carrier = Carrier::of(&trade.engine, "1US-1", json!({"lag_seconds": 60}), &["ATT", "TMobile", "VAT"]);
        carrier.remember(&trade.engine);
        trade.esim_goods("ESIM-US", "GJ-100M-30D", 400, &["8910300000000000001", "8910300000000000002", "8910300000000000003"]);
        trade.esim_goods("ESIM-NONE", "GJ-100M-30D", 400, &[]);
        trade.esim_goods("ESIM-DEAR", "GJ-DEAR", 10_000_000, &["8910300000000000004"]);
        let scene = Scene { trade, carrier };
        scene.zone();
        scene.eid(FOREIGN, "89049032000000000000000000000008");
        scene.eid(READY, READY_EID);
        for iccid in [CARD, READY] {
            scene.carrier.world.connect(iccid, scene.trade.now());
        }
        scene
    }

    /// The product keeps its zone beside the carrier's networks.
    fn zone(&self) {
        let done = self.trade.engine.write(|tx, catalogue, _| {
            let (us, cn) = (catalogue.product_by_code("1US-1").expect("one"), catalogue.product_by_code("CN-1").expect("one"));
            let parse = |p: &Product| serde_json::from_str::<Value>(&p.details).expect("JSON");
            let mut details = parse(us);
            details["zone"] = parse(cn)["zone"].clone();
            tx.put_product(&Product { details: details.to_string(), ..us.clone() })?;
            Ok(tx.touch_catalogue()?)
        });
        done.expect("a zone");
    }

    /// What can be named from the start.
    pub fn names() -> Names {
        let many = |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<Vec<_>>().join(",");
        let texts = [
            ("card", CARD.to_owned()),
            ("ready", READY.into()),
            ("chinese", CHINESE.into()),
            ("closed", CLOSED.into()),
            ("foreign", FOREIGN.into()),
            ("nobody", NOBODY.into()),
            ("eid", EID.into()),
            ("ready_eid", READY_EID.into()),
            ("foreign_eid", "89049032000000000000000000000008".into()),
            ("no_eid", "89049032000000000000000000000099".into()),
            ("chinese_eid", "89049032000000000000000000000002".into()),
            ("closed_eid", "89049032000000000000000000000004".into()),
            ("imsi", "460001234567890".into()),
            ("own", OWN.into()),
            ("strange", STRANGE.into()),
            ("many", many(101, &|_| CARD.into())),
            ("many_eids", many(101, &|i| format!("{i:032}"))),
            ("many_ids", many(101, &|i| (i + 1).to_string())),
            ("fifty_one", many(51, &|i| format!("n{i}"))),
        ];
        texts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect()
    }

    /// Lets something happen that no request does: a verb and what it is about, names without their `$`.
    pub fn happen(&self, words: &[&str], names: &Names) {
        let named = |name: &str| names.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name}: no such name"));
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{text}: no number"));
        match *words {
            ["pass", seconds] => self.trade.pass(number(seconds)),
            ["use", card, bytes] => {
                self.trade.pass(60);
                self.trade.traffic(named(card), self.trade.now().plus(-30), number(bytes));
            }
            ["see", card, imei] => {
                self.trade.pass(10);
                self.trade.traffic_in(named(card), self.trade.now(), 1, named(imei));
            }
            ["eid", card, eid] => self.eid(named(card), named(eid)),
            ["group", id, account] => self.group(number(id), if account == "acme" { ACME } else { OTHER }),
            ["join", card, group] => self.join(named(card), number(group)),
            ["leave", card] => self.leave(named(card)),
            ["product", card, product] => self.product(named(card), product),
            ["work"] => {
                self.carrier.work(&self.trade.engine);
                self.trade.pass(60);
                self.carrier.work(&self.trade.engine);
            }
            ["stack", package, most] => self.stack(package, number(most)),
            ["unable"] => self.unable(),
            _ => panic!("nothing happens so: {words:?}"),
        }
    }

    /// Lets a pool have so many of a type at once.
    fn stack(&self, code: &str, stack_max: i64) {
        let code = code.to_owned();
        let done = self.trade.engine.write(move |tx, catalogue, _| {
            let package = catalogue.pool_type_by_code(&code).map(|(package, _)| package.clone()).expect("a pool type");
            tx.put_package(&Package { stack_max, ..package })?;
            Ok(tx.touch_catalogue()?)
        });
        done.expect("a package");
    }

    /// Gives a card an EID.
    fn eid(&self, iccid: &str, eid: &str) {
        crate::cloudesim::known_by(&self.trade, iccid, eid);
    }

    fn group(&self, id: i64, account: AccountId) {
        let group = ImeiGroup { id, account, code: format!("g{id}"), unlocks_per_month: 3, bound_sim: None };
        let made = self.trade.engine.write(move |tx, _, how| {
            tx.add_imei_group(&group, how.now)?;
            tx.add_imei(&group, &Imei::parse(OWN).expect("an IMEI"))?;
            Ok(())
        });
        made.expect("a group");
    }

    fn join(&self, iccid: &str, group: i64) {
        let (actor, iccid) = (self.trade.actor(OPERATOR), Iccid::parse(iccid).expect("an ICCID"));
        let group = ImeiGroup { id: group, account: ACME, code: format!("g{group}"), unlocks_per_month: 3, bound_sim: None };
        let joined =
            self.trade.engine.write(move |tx, catalogue, how| imei::join(tx, catalogue, how, &actor, (&iccid, &group), None));
        joined.expect("it joins");
    }

    fn leave(&self, iccid: &str) {
        let (actor, iccid) = (self.trade.actor(OPERATOR), Iccid::parse(iccid).expect("an ICCID"));
        let left = self.trade.engine.write(move |tx, catalogue, how| imei::leave(tx, catalogue, how, &actor, &iccid));
        assert!(left.expect("it leaves").is_some());
    }

    fn product(&self, iccid: &str, product: &str) {
        let (actor, iccid) = (self.trade.actor(OPERATOR), Iccid::parse(iccid).expect("an ICCID"));
        let product = product.to_owned();
        let one_platform = self.trade.engine.write(|tx, catalogue, _| {
            let (us, cn) = (catalogue.product_by_code("1US-1").expect("one"), catalogue.product_by_code("CN-1").expect("one"));
            tx.put_product(&Product { platform: us.platform, ..cn.clone() })?;
            Ok(tx.touch_catalogue()?)
        });
        one_platform.expect("both are of one platform");
        let other = self
            .trade
            .engine
            .write(move |tx, catalogue, how| sims::switch_product(tx, catalogue, how, &actor, (&iccid, &product)));
        other.expect("another product");
    }

    /// The carrier can do nothing but make packages real.
    fn unable(&self) {
        let unable = Capabilities { subscribe: true, look: true, ..Capabilities::default() };
        let known = self.trade.engine.write(move |tx, catalogue, _| {
            let platform = catalogue.platform_by_code("virtual").map_or(PlatformId(0), |p| p.id);
            tx.put_platform_capabilities(platform, unable)?;
            Ok(tx.touch_catalogue()?)
        });
        known.expect("it is kept");
    }
}
