//! Packages of ours that are one at their carrier: each is ordered under the code that the carrier has for it. On both engines.

use kachi_domain::PackageId;
use kachi_store::catalogue::Package;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use serde_json::json;
use std::collections::BTreeMap;

/// The package with another code of the carrier's; what it is sold as is another one where `code` says so.
fn put(w: &World, code: &'static str, carrier_code: &'static str) {
    let known = w.engine.catalogue().expect("catalogue").package_by_code("C100-30D").expect("it is sold").clone();
    let id = if known.code == code { known.id } else { PackageId(0) };
    let package = Package { id, code: code.into(), carrier_code: Some(carrier_code.into()), ..known };
    let kept = w.engine.write(move |tx, _, _| {
        tx.put_package(&package)?;
        Ok(tx.touch_catalogue()?)
    });
    kept.expect("it is kept");
}

#[test]
fn two_packages_are_one_at_their_carrier_and_each_is_taken_back_by_itself() {
    each(|store| {
        let w = World::new(store);
        let carrier = Carrier::of(&w.engine, "1US-1", json!({}), &[]);
        carrier.remember(&w.engine);
        w.add_cards(ACME, 0..1);
        let orders = ["C100-30D", "D100-30D", "E100-30D"].map(|code| {
            put(&w, code, if code == "E100-30D" { "3" } else { "2" });
            w.buy(0, code, code).expect("it is sold")
        });
        let has = || {
            for _ in 0..5 {
                carrier.work(&w.engine);
                w.pass(60);
            }
            let bought = carrier.world.card(World::iccid(0).as_str(), w.now()).bought;
            bought.into_iter().map(|(reference, (code, _))| (reference, code)).collect::<BTreeMap<_, _>>()
        };
        let [first, second, other] = orders.map(|placed| (placed.number, placed.order));
        let all =
            BTreeMap::from([(first.0, "2".to_owned()), (second.0.clone(), "2".to_owned()), (other.0.clone(), "3".to_owned())]);
        assert_eq!(has(), all);
        // It is another one there by now: what is taken back is what was bought.
        put(&w, "C100-30D", "9");
        w.refund(0, first.1).expect("it may go back");
        assert_eq!(has(), BTreeMap::from([(second.0, "2".to_owned()), (other.0, "3".to_owned())]));
        w.assert_sound();
    });
}
