//! Card platforms side by side in the built binary, on both engines: one that accepts and never answers holds up no other.

mod common;

use common::House;
use common::partner::Key;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

on_both!(a_silent_platform_holds_up_no_other);

const ACME: Key = Key { name: "000001", secret: "a1b1c1d1" };
/// Far less than the platform's patience of thirty seconds for each of its calls.
const SOON: Duration = Duration::from_secs(25);

fn a_silent_platform_holds_up_no_other(house: &House) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    // Connections are taken and kept open.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let note = move |_: &_| {
        count.fetch_add(1, Ordering::SeqCst);
    };
    std::thread::spawn(move || silent.incoming().inspect(note).collect::<Vec<_>>());
    house.apply(&format!(
        "accounts: [{{code: acme, id: 10002, currency: USD, opening_balance: \"100.00\", credentials: {{eiotclub: {{appkey: \"000001\", secret: a1b1c1d1}}}}}}]
platforms:
  - {{id: 1, code: mute, connector: eiotclub, settings: {{appkey: a, secret: b, url: \"http://{address}\", timeout_seconds: 30}}}}
  - {{id: 2, code: play, connector: sandbox}}
products: [{{code: M, name: M, carrier: INTL, platform: mute}}, {{code: P, name: P, carrier: INTL, platform: play}}]
packages:
  - {{code: M-100, name: M, product: M, data: 100MB, validity: 30d, price: \"1.00\", currency: USD, fulfil: carrier}}
  - {{code: P-100, name: P, product: P, data: 100MB, validity: 30d, price: \"1.00\", currency: USD, fulfil: carrier}}
sims:
{}{}",
        common::sims(0..5, "acme", "M"),
        common::sims(5..6, "acme", "P")
    ));
    let server = house.serve(&[("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.1"]"#)]);
    for card in 0..5 {
        ACME.bought(&server.address, card, "M-100", &format!("m{card}"));
    }
    common::until("the silent platform is asked", || (asked.load(Ordering::SeqCst) > 0).then_some(()));
    let order = ACME.bought(&server.address, 5, "P-100", "p");
    let began = Instant::now();
    while ACME.order_state(&server.address, 5, order) == 0 {
        assert!(began.elapsed() < SOON, "the order waits for another platform\n{}", server.log());
        std::thread::yield_now();
    }
    assert_eq!(ACME.order_state(&server.address, 5, order), 1);
    server.kill();
    house.assert_sound();
}
