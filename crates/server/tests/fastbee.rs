//! The card door in the built binary, called by a client that shares no code with it, on both engines.

mod common;

use common::{House, client, finished};

on_both!(a_client_of_the_source_adds_stops_and_reads_cards, a_token_of_the_apply_file_is_kept_as_its_digest);

const WORLD: &str = r"
accounts: [{code: acme, id: 10002, currency: USD, fastbee: {token: acme-token-1, claim: true}}]
platforms: [{id: 1, code: play, connector: sandbox}]
products: [{code: P, name: P, carrier: CM, platform: play}]
";

fn a_client_of_the_source_adds_stops_and_reads_cards(house: &House) {
    house.apply(WORLD);
    let server = house.serve(&[]);
    let base = format!("http://{}", server.address);
    let done = finished(client("fastbee.py").args([&base, "acme-token-1", "898604293620C0000970"]));
    assert_eq!(done.code, 0, "{done:?}\n{}", server.log());
    server.stop();
    house.assert_sound();
}

fn a_token_of_the_apply_file_is_kept_as_its_digest(house: &House) {
    house.apply(WORLD);
    let again = house.done(&["apply", "world.yaml"]);
    assert!(again.out.contains("nothing changed"), "{again:?}");
    house.write("other.yaml", "accounts: [{code: acme, fastbee: {token: acme-token-2}}]");
    let changed = house.done(&["apply", "other.yaml"]);
    assert!(changed.out.contains("~ token acme fastbee: token"), "{changed:?}");
    house.write("barred.yaml", "accounts: [{code: acme, fastbee: {claim: false}}]");
    let barred = house.done(&["apply", "barred.yaml"]);
    assert!(barred.out.contains("~ account acme: fastbee.claim"), "{barred:?}");
    house.write("made.yaml", "accounts: [{code: beta, currency: USD, fastbee: {}}]");
    let made = house.done(&["apply", "made.yaml"]);
    assert!(made.out.contains("beta fastbee: token, shown once: "), "{made:?}");
    house.write("taken.yaml", "accounts: [{code: gamma, currency: USD, fastbee: {token: acme-token-2}}]");
    let taken = house.run(&["apply", "taken.yaml"], &[]);
    assert_eq!(taken.code, 1, "{taken:?}");
    assert!(taken.err.contains("accounts[0].fastbee.token: is another account's; choose another"), "{taken:?}");
    let keys = house.done(&["admin", "key", "list", "--json"]);
    assert!(!keys.out.contains("acme-token"), "{keys:?}");
}
