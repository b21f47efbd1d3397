//! One Kachi sells another's cards: the built binary as the upstream of the built binary, by both partner APIs.

mod common;

use common::partner::Key;
use common::{House, iccid, until};
use kachi_testkit::db::Database;
use serde_json::Value;

on_both!(orders_and_stops_go_upstream_once_and_come_back_done);

const APIKEY: &str = "0123456789abcdef0123456789abcdef";
/// What the reseller buys with, and what its customer does.
const SHOP: Key = Key { name: "shop-key", secret: "shop-a1b1c1d1" };
const ACME: Key = Key { name: "acme-key", secret: "acme-a1b1c1d1" };
/// A card bought by each API.
const OPEN: u64 = 0;
const BOSS: u64 = 1;
const MSISDN: &str = "1064700000001";

/// Above: the cards' own platform is the virtual carrier.
fn above() -> String {
    format!(
        r#"
accounts:
  - {{code: shop, id: 10001, currency: USD, opening_balance: "10.00", credentials: {{eiotclub: {{appkey: {key}, secret: {secret}}}}}}}
  - {{code: boss, id: 10002, currency: CNY, opening_balance: "30.00", credentials: {{cardboss: {{sid: "10002", apikey: {APIKEY}}}}}}}
platforms:
  - {{code: play, connector: sandbox, settings: {{lag_seconds: 0}}}}
products:
  - {{code: US, platform: play, networks: [ATT, TMobile], bare_use: true}}
  - {{code: CN, carrier: CM, platform: play, bare_use: true}}
packages:
  - {{code: GJ-100M, product: US, data: 100MB, validity: 30d, price: "1.00", currency: USD}}
  - {{code: CN-1G, product: CN, kind: quota, category: month, window: calendar_month, data: 1GB, validity: 1mo, price: "2.00", currency: CNY}}
sims:
  - {{iccid: "{open}", product: US, account: shop, state: active}}
  - {{iccid: "{boss}", msisdn: "{MSISDN}", product: CN, account: boss, state: active}}
"#,
        key = SHOP.name,
        secret = SHOP.secret,
        open = iccid(OPEN),
        boss = iccid(BOSS),
    )
}

/// Below: the same cards, whose platforms are the one above.
fn below(web: &str, data: &str, direct: &str) -> String {
    format!(
        r#"
accounts:
  - {{code: acme, id: 10003, currency: USD, opening_balance: "10.00", credentials: {{eiotclub: {{appkey: {key}, secret: {secret}}}}}}}
platforms:
  - {{code: open, connector: eiotclub, settings: {{appkey: {up}, secret: {up_secret}, url: "http://{web}"}}}}
  - {{code: boss, connector: cardboss, settings: {{sid: "10002", apikey: {APIKEY}, url: "http://{data}", direct_url: "http://{direct}", cool_down_seconds: 0}}}}
products:
  - {{code: US, platform: open, networks: [ATT, TMobile], bare_use: true}}
  - {{code: CN, carrier: CM, platform: boss, bare_use: true}}
packages:
  - {{code: GJ-100M, product: US, data: 100MB, validity: 30d, price: "3.00", currency: USD, fulfil: carrier}}
  - {{code: CN-1G, product: CN, data: 1GB, validity: 12mo, window: calendar_month, price: "4.00", currency: USD, fulfil: carrier}}
sims:
  - {{iccid: "{open}", product: US, account: acme, state: active}}
  - {{iccid: "{boss}", msisdn: "{MSISDN}", product: CN, account: acme, state: active}}
"#,
        key = ACME.name,
        secret = ACME.secret,
        up = SHOP.name,
        up_secret = SHOP.secret,
        open = iccid(OPEN),
        boss = iccid(BOSS),
    )
}

/// How often the card has a package there.
fn bought(house: &House, account: i64, card: &str) -> usize {
    let (card, account) = (card.to_owned(), kachi_domain::AccountId(account));
    let read = house.store().read(move |tx| {
        let id = tx.sims_by_iccid(&kachi_domain::account::Path::root(), &[card.as_str()])?.remove(0).id;
        Ok::<_, kachi_store::Error>(tx.orders_of_sim(id)?.into_iter().filter(|o| o.account == account).count())
    });
    read.expect("its orders")
}

/// What keeps the card off there.
fn blocks(house: &House, card: &str) -> Value {
    house.done(&["admin", "sim", "show", card, "--json"]).json()["blocks"].clone()
}

fn orders_and_stops_go_upstream_once_and_come_back_done(house: &House) {
    let top = House::new(Database::sqlite());
    top.apply(&above());
    let up = top.serve(&[]);
    let (data, direct) = (up.open("listen.cardboss_data"), up.open("listen.cardboss_direct"));
    house.apply(&below(&up.address, &data, &direct));
    let server = house.serve(&[("KACHI_OUTBOUND__ALLOW", r#"["127.0.0.0/8"]"#)]);

    // Before the orders: a package that starts lets its card on, and above a card is switched once in three minutes.
    house.done(&["admin", "sim", "force-stop", &iccid(BOSS), "--by", "Ann", "--reason", "unpaid"]);
    until("it is stopped above", || blocks(&top, &iccid(BOSS)).to_string().contains("owner_stop").then_some(()));

    for (card, package, order, account) in [(OPEN, "GJ-100M", "o-1", 10_001), (BOSS, "CN-1G", "o-2", 10_002)] {
        let number = ACME.bought(&server.address, card, package, order);
        until("the order is done", || (ACME.order_state(&server.address, card, number) == 1).then_some(()));
        assert_eq!(bought(&top, account, &iccid(card)), 1, "{package}: once");
    }
    assert_eq!(
        (top.money(10_001), top.money(10_002)),
        ((900, 0), (600, 0)),
        "the reseller paid above: one order, and twelve months"
    );
    assert_eq!(house.money(10_003), (300, 0), "and was paid below");
    server.stop();
    up.stop();
    house.assert_sound();
    top.assert_sound();
}
