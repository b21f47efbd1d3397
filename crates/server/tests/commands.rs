//! Commands of the built binary: what a file may not say, money that a person books, and JSON everywhere. On both engines.

mod common;

use common::House;
use kachi_domain::ledger::{Bucket, Journal, OPERATOR, Posting};
use kachi_domain::time::day_text;
use kachi_domain::{AccountId, Timestamp, Zone};
use kachi_store::Tx;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Command;

on_both!(
    what_stands_twice_in_a_file_or_stands_under_itself_is_refused,
    a_wrong_price_is_told_at_the_entry_that_sets_it,
    a_package_may_be_sold_at_a_loss_and_whoever_sets_it_so_is_told,
    money_is_booked_once_a_reference_and_put_right,
    a_top_up_has_the_day_of_its_money_and_a_remark,
    a_changed_opening_balance_is_told_and_not_booked,
    a_file_that_several_take_in_at_once_is_told_of_by_each,
    a_file_whose_importer_is_killed_is_taken_over_by_who_waits_for_it,
    cards_are_switched_by_setting_and_by_command,
    a_packages_code_at_its_carrier_is_set_and_taken_away,
    a_card_is_sold_as_products_of_its_platform_alone,
    a_change_of_prices_or_credit_is_told_with_the_amounts,
    a_claim_is_settled_one_way_with_what_belongs_to_it,
    a_price_in_force_is_told_with_whose_it_is,
);

const WORLD: &str = r#"
accounts:
  - {code: north, currency: USD}
  - {code: acme, id: 10001, parent: north, currency: USD, opening_balance: "100.00", credit: "5.00"}
platforms: [{code: hand, connector: manual}]
products: [{code: 1US-1, name: US, carrier: INTL, platform: hand}]
packages: [{code: GJ-100M-30D, product: 1US-1, data: 100MB, validity: 30d, price: "1.00", currency: USD}]
"#;

fn what_stands_twice_in_a_file_or_stands_under_itself_is_refused(house: &House) {
    house.apply(WORLD);
    let table = [
        (
            r#"sims: [{iccid: "898860000000000000a1", alias: one, product: 1US-1, account: acme},
                {iccid: "898860000000000000A1", alias: two, product: 1US-1, account: acme}]"#,
            "sims[1].iccid: 898860000000000000A1 stands twice; keep one",
        ),
        (
            r#"packages: [{code: GJ-100M-30D, price: "1.00"}, {code: GJ-100M-30D, price: "1.10"}]"#,
            "packages[1].code: GJ-100M-30D stands twice; keep one",
        ),
        (
            r#"accounts: [{code: acme, prices: [{package: GJ-100M-30D, price: "1.50"}, {package: GJ-100M-30D, price: "1.60"}]}]"#,
            "accounts[0].prices[1].package: GJ-100M-30D stands twice; keep one",
        ),
        (
            r"platforms: [{code: hand, connector: manual}, {code: hand, connector: sandbox}]",
            "platforms[1].code: hand stands twice; keep one",
        ),
        (
            "accounts: [{code: a, parent: b, currency: USD}, {code: b, parent: a, currency: USD}]",
            "accounts[0].parent: a under b, b under a: one of them must stand elsewhere, or name no parent",
        ),
        (
            "accounts: [{code: c, parent: a, currency: USD}, {code: a, parent: a, currency: USD}]",
            "accounts[0].parent: a under a: one of them must stand elsewhere, or name no parent",
        ),
        (
            "accounts: [{code: a, currency: UDS}]",
            "accounts[0].currency: \"UDS\" is no currency of ISO 4217; write the code of one, such as USD, CNY or EUR",
        ),
        (
            r#"packages: [{code: NEW, product: 1US-1, data: 1MB, validity: 1d, price: "1", currency: UDS}]"#,
            "packages[0].currency: \"UDS\" is no currency of ISO 4217",
        ),
        (
            "accounts: [{code: a, parent: north, currency: JPY}]",
            "accounts[0].currency: a would pay in JPY under north, which pays in USD: nothing could be sold to it; write USD",
        ),
        ("accounts: [{code: a, parent: nobody}]", "accounts[0].parent: there is no account nobody; list it under accounts"),
    ];
    for (text, words) in table {
        house.write("odd.yaml", text);
        let done = house.run(&["apply", "odd.yaml"], &[]);
        assert!(done.code == 1 && done.err.contains(words) && done.err.contains("nothing was changed"), "{words}: {done:?}");
    }
}

fn a_wrong_price_is_told_at_the_entry_that_sets_it(house: &House) {
    house.apply(WORLD);
    house.apply(
        r#"accounts: [{code: north, prices: [{package: GJ-100M-30D, price: "1.30"}]},
             {code: acme, prices: [{package: GJ-100M-30D, price: "1.50", retail_price: "2.00"}]}, {code: shop, parent: acme, currency: USD}]
packages: [{code: EU-1G, product: 1US-1, data: 1GB, validity: 30d, price: "5.00", currency: USD}]
esim_goods: [{code: ESIM, package: EU-1G, price: "4.00", prices: [{account: acme, price: "4.50"}]}]"#,
    );
    let prices = |code: &str, key: &str, amount: &str| {
        format!(
            "accounts: [{{code: shop}}, {{code: {code}, prices: [{{package: EU-1G}}, {{package: GJ-100M-30D, {key}: \"{amount}\"}}]}}]"
        )
    };
    let table = [
        (prices("acme", "price", "1,5"), "accounts[1].prices[1].price (GJ-100M-30D): \"1,5\" is not an amount in USD"),
        (prices("acme", "retail_price", "-1"), "accounts[1].prices[1].retail_price (GJ-100M-30D): \"-1\" is less than zero; write 0 or more, such as 1.00"),
        (
            prices("acme", "price", "10000000000.01"),
            "accounts[1].prices[1].price (GJ-100M-30D): \"10000000000.01\" is more than 10000000000.00 USD, the most that one act books",
        ),
        (
            prices("acme", "price", "1.29"),
            "accounts[1].prices[1].price (GJ-100M-30D): acme would pay 1.29 for GJ-100M-30D, but its parent pays 1.30 itself; \
             raise its price, or lower what its parent pays",
        ),
        (prices("north", "price", "1.60"), "accounts[1].prices[1].price (GJ-100M-30D): acme would pay 1.50 for GJ-100M-30D, but its"),
        (
            prices("acme", "retail_price", "1.40"),
            "accounts[1].prices[1].retail_price (GJ-100M-30D): acme would sell GJ-100M-30D at 1.40, but pays 1.50 itself",
        ),
        (prices("acme", "price", "2.10"), "accounts[1].prices[1].price (GJ-100M-30D): acme would sell GJ-100M-30D at 2.00, but pays"),
        (
            r#"accounts: [{code: acme, prices: [{package: EU-1G, price: "5.50"}]}]
packages: [{code: GJ-100M-30D}, {code: EU-1G, price: "6.00"}]"#
                .to_owned(),
            "accounts[0].prices[0].price (EU-1G): acme would pay 5.50 for EU-1G, but its parent pays 6.00 itself",
        ),
        ("packages: [{code: GJ-100M-30D}, {code: EU-1G, price: 5.001}]".to_owned(), "packages[1].price (EU-1G): \"5.001\" is not"),
        (
            "pool_types: [{code: P-1, product: 1US-1, lines: 2, days: 30, data: 1GB, currency: USD}]".to_owned(),
            "pool_types[0].price (P-1): is missing",
        ),
        (
            r#"esim_goods: [{code: ESIM, prices: [{account: shop}, {account: acme, price: "3.99"}, {account: north, price: "4.60"}]}]"#
                .to_owned(),
            "esim_goods[0].prices[1] (acme): acme would pay less than a level above it pays itself",
        ),
        (
            r#"esim_goods: [{code: ESIM, prices: [{account: shop}, {account: north, price: "4.60"}]}]"#.to_owned(),
            "esim_goods[0].prices[1] (north): acme would pay less than a level above it pays itself",
        ),
    ];
    for (text, words) in table {
        house.write("odd.yaml", &text);
        let done = house.run(&["apply", "odd.yaml"], &[]);
        assert!(done.code == 1 && done.err.contains(words) && done.err.contains("nothing was changed"), "{words}: {done:?}");
    }
    // What a package of the file costs is raised past what the file says nothing of.
    house.apply(r#"accounts: [{code: acme, prices: [{package: EU-1G, price: "5.50"}]}]"#);
    house.write("odd.yaml", r#"packages: [{code: GJ-100M-30D}, {code: EU-1G, price: "6.00"}]"#);
    let done = house.run(&["apply", "odd.yaml"], &[]);
    assert!(done.code == 1 && done.err.contains("packages[1].price (EU-1G): acme would pay 5.50 for EU-1G, but its"), "{done:?}");
}

fn a_package_may_be_sold_at_a_loss_and_whoever_sets_it_so_is_told(house: &House) {
    house.apply(WORLD);
    let told = |text: &str| {
        house.write("loss.yaml", text);
        house.done(&["apply", "loss.yaml"]).err
    };
    let loss = |key: &str, retail: &str, price: &str| {
        format!(
            "loss.yaml: packages[0].{key} (GJ-100M-30D): the retail price of {retail} USD is below the price of {price}: a sale"
        )
    };
    let below = told(r#"packages: [{code: GJ-100M-30D, retail_price: "0.90"}]"#);
    assert!(below.contains(&loss("retail_price", "0.90", "1.00")), "{below}");
    let raised = told(r#"packages: [{code: GJ-100M-30D, price: "1.20"}]"#);
    assert!(raised.contains(&loss("price", "0.90", "1.20")), "{raised}");
    for text in [
        r"packages: [{code: GJ-100M-30D, name: still}]",
        r#"packages: [{code: GJ-100M-30D, price: "1.20", retail_price: "1.20"}]"#,
    ] {
        let quiet = told(text);
        assert!(!quiet.contains("below the price"), "{text}: {quiet}");
    }
    for (price, words) in [
        ("-1.70", "packages[0].price (GJ-100M-30D): \"-1.70\" is less than zero; write 0 or more, such as 1.70"),
        ("900000000000000.00", "packages[0].price (GJ-100M-30D): \"900000000000000.00\" is more than 10000000000.00 USD"),
    ] {
        house.write("odd.yaml", &format!("packages: [{{code: GJ-100M-30D, price: \"{price}\"}}]"));
        let refused = house.run(&["apply", "odd.yaml"], &[]);
        assert!(refused.code == 1 && refused.err.contains(words), "{price}: {refused:?}");
    }
    house.write("most.yaml", r#"packages: [{code: GJ-100M-30D, price: "10000000000.00", retail_price: "10000000000.00"}]"#);
    house.done(&["apply", "most.yaml"]);
}

fn a_price_in_force_is_told_with_whose_it_is(house: &House) {
    house.apply(WORLD);
    house.apply(
        r#"accounts:
  - {code: north, prices: [{package: GJ-100M-30D, price: "1.10"}, {package: EU-1G, retail_price: "6.00", listed: false}]}
  - {code: acme, prices: [{package: GJ-100M-30D, retail_price: "2.00"}]}
  - {code: shop, parent: acme, currency: USD}
  - {code: tokyo, currency: JPY}
packages: [{code: EU-1G, product: 1US-1, data: 1GB, validity: 30d, price: "5.00", retail_price: "7.50", currency: USD}]
pool_types: [{code: P-1, product: 1US-1, lines: 2, days: 30, data: 1GB, price: "9.00", currency: USD}]"#,
    );
    let list = |words: &[&str]| house.run(&[&["admin", "price", "list"], words].concat(), &[]);
    let all = list(&["--json"]).json();
    assert_eq!(all.as_array().map(Vec::len), Some(4 * 3), "each account with each package: {all}");
    let none = Value::Null;
    let table: [(&str, &str, &str, &str, Value, bool, bool); 9] = [
        ("north", "GJ-100M-30D", "1.10", "1.10", "north".into(), true, true),
        ("acme", "GJ-100M-30D", "1.10", "2.00", "north".into(), true, true),
        ("shop", "GJ-100M-30D", "2.00", "2.00", "acme".into(), true, true),
        ("tokyo", "GJ-100M-30D", "1.00", "1.00", none.clone(), true, false),
        ("north", "EU-1G", "5.00", "6.00", none.clone(), false, true),
        ("acme", "EU-1G", "6.00", "7.50", "north".into(), true, true),
        ("shop", "EU-1G", "6.00", "7.50", "north".into(), true, true),
        ("north", "P-1", "9.00", "9.00", none.clone(), false, true),
        ("tokyo", "P-1", "9.00", "9.00", none.clone(), false, false),
    ];
    for (account, package, price, retail, set_by, listed, orderable) in table {
        let rows = list(&["--account", account, "--package", package, "--json"]).json();
        let wanted = serde_json::json!([{"account": account, "package": package, "price": price, "retail_price": retail,
            "currency": "USD", "set_by": set_by, "listed": listed, "orderable": orderable}]);
        assert_eq!(rows, wanted, "{account} {package}");
        assert!(all.as_array().expect("a list").contains(&wanted[0]), "{account} {package}");
    }
    let text = list(&["--account", "shop"]).out;
    assert!(text.starts_with("account  package      price  retail_price  currency  set_by  listed  orderable\n"), "{text}");
    for (words, says) in [
        (["--account", "nobody"], "--account: there is no account nobody"),
        (["--package", "NONE"], "--package: there is no package NONE: `kachi apply` makes packages"),
    ] {
        let refused = list(&words);
        assert!(refused.code == 1 && refused.err.contains(says), "{words:?}: {refused:?}");
    }
}

fn a_claim_is_settled_one_way_with_what_belongs_to_it(house: &House) {
    house.apply(WORLD);
    let settle = |words: &[&str]| house.run(&[&["admin", "claim", "settle", "1"], words].concat(), &[]);
    for words in [
        &[][..],
        &["--accept", "--refuse"],
        &["--accept", "--reason", "seen in it"],
        &["--reason", "seen in it"],
        &["--product", "P1"],
        &["--refuse", "--product", "P1"],
        &["--accept", "--account", "acme"],
    ] {
        let done = settle(words);
        assert!(done.code == 2 && done.out.is_empty(), "{words:?}: {done:?}");
    }
    for words in [&["--accept"][..], &["--refuse"], &["--refuse", "--reason", "it lies here"]] {
        let done = settle(words);
        assert!(done.code == 1 && done.err.contains("there is no claim 1 that waits or was refused"), "{words:?}: {done:?}");
    }
    let help = settle(&["--help"]).out;
    for words in [
        "say whether the card is in the device, by --accept or --refuse",
        "Why it is refused",
        "only for a card that is not known here",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
}

fn a_packages_code_at_its_carrier_is_set_and_taken_away(house: &House) {
    house.apply(WORLD);
    let apply = |code: &str| {
        house.write("code.yaml", &format!("packages: [{{code: GJ-100M-30D, carrier_code: \"{code}\"}}]"));
        house.run(&["apply", "code.yaml"], &[])
    };
    let changed = "~ package GJ-100M-30D: carrier_code";
    for (code, says) in [("2", changed), ("2", "nothing changed"), ("", changed), ("GJ-100M-30D", "nothing changed")] {
        let done = apply(code);
        assert!(done.code == 0 && done.out.starts_with(says), "{code}: {done:?}");
    }
    let done = apply(" 2");
    let says = "packages[0].carrier_code: must be at most 64 characters, all printable, with no space at its ends";
    assert!(done.code == 1 && done.err.contains(says), "{done:?}");
}

fn money_is_booked_once_a_reference_and_put_right(house: &House) {
    house.apply(WORLD);
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let balance = |words: &[&str]| house.run(&[&["admin", "balance"], words].concat(), &[]);
    let available = || read(&balance(&["show", "acme", "--json"]).out)["available"].as_str().expect("text").to_owned();
    assert_eq!(available(), "100.00");
    let booked = balance(&["top-up", "acme", "50.00", "--reference", "bank 17", "--by", "Li"]);
    assert_eq!(booked.out, "acme: 50.00 USD under bank 17 booked; the balance is 150.00 USD\n", "{booked:?}");
    let again = balance(&["top-up", "acme", "50.00", "--reference", "bank 17", "--json"]);
    assert_eq!((&read(&again.out)["booked"], &read(&again.out)["balance"]), (&false.into(), &"150.00".into()));
    for (words, says) in [
        (vec!["top-up", "acme", "51.00", "--reference", "bank 17"], "reference: bank 17 booked top_up of 50.00 USD to acme at "),
        (vec!["top-up", "north", "50.00", "--reference", "bank 17"], "reference: bank 17 booked top_up of 50.00 USD to acme at "),
        (vec!["correct", "acme", "50.00", "--reference", "bank 17", "--reason", "x"], "reference: bank 17 booked"),
        (vec!["top-up", "acme", "0", "--reference", "bank 18"], "amount: must be more than zero"),
        (vec!["top-up", "acme", "1.005", "--reference", "bank 18"], "AMOUNT: "),
        (vec!["top-up", "acme", "1.00", "--reference", " "], "reference: must have 1 to 200 characters"),
        (vec!["top-up", "acme", "50.00", "--reference", "bank 17 "], "reference: must not begin or end with a blank"),
        (vec!["top-up", "acme", "50.00", "--reference", "\u{3000}bank 17"], "reference: must not begin or end with a blank"),
        (vec!["correct", "acme", "0", "--reference", "c1", "--reason", "x"], "amount: must not be zero; write how much more"),
        (vec!["top-up", "nobody", "1.00", "--reference", "bank 18"], "ACCOUNT: there is no account nobody"),
        (vec!["top-up", "operator", "1.00", "--reference", "bank 18"], "account: the operator has no balance"),
        (
            vec!["top-up", "acme", "10000000000.01", "--reference", "bank 18"],
            "amount: one act books at most 10000000000.00 USD; look whether it is meant",
        ),
        (
            vec!["top-up", "acme", "92233720368547758.07", "--reference", "bank 18"],
            "amount: one act books at most 10000000000.00 USD",
        ),
        (
            vec!["correct", "acme", "-92233720368547758.07", "--reference", "c1", "--reason", "x"],
            "amount: one act books at most 10000000000.00 USD",
        ),
        // It may owe 5.00.
        (
            vec!["correct", "acme", "-155.01", "--reference", "c1", "--reason", "x"],
            "amount: the account would fall below its credit line; -155.00 is the least",
        ),
    ] {
        let refused = balance(&words);
        assert!(refused.code == 1 && refused.err.contains(says), "{words:?}: {refused:?}");
    }
    assert_eq!(available(), "150.00");
    for _ in 0..2 {
        let right = balance(&["correct", "acme", "-155.00", "--reference", "c1", "--reason", "booked for another"]);
        assert_eq!(right.code, 0, "{right:?}");
    }
    assert_eq!(available(), "-5.00");
    balance(&["correct", "acme", "6.00", "--reference", "c2", "--reason", "back"]);
    assert_eq!(available(), "1.00");
    // Who owes is told so when money comes in that pays it.
    let of = |account, bucket, minor| Posting { account, bucket, minor };
    let owes = [of(AccountId(10_001), Bucket::Owed, -300), of(OPERATOR, Bucket::Adjust, 300)];
    let post = move |tx: &mut Tx<'_>| tx.post(AccountId(10_001), Journal::Refund, "a test", &owes, Timestamp(1));
    house.store().write(post).expect("posted");
    let paid = balance(&["top-up", "acme", "2.00", "--reference", "bank 18"]).out;
    assert_eq!(paid, "acme: 2.00 USD under bank 18 booked; the balance is 1.00 USD, and it owes 1.00 USD\n");
    let all = read(&balance(&["show", "--json"]).out);
    let shown: Vec<_> = all.as_array().expect("a list").iter().map(|a| (&a["account"], &a["available"], &a["owed"])).collect();
    let [none, one] = ["0.00", "1.00"].map(Value::from);
    assert_eq!(shown, [(&"north".into(), &none, &none), (&"acme".into(), &one, &one)], "all but the operator");
    let list = read(&balance(&["list", "--json"]).out);
    let of = |code: &str| read(&balance(&["list", "--account", code, "--json"]).out).as_array().expect("a list").len();
    assert_eq!((of("acme"), of("north")), (4, 0));
    let acts: Vec<_> = list.as_array().expect("a list").iter().map(|a| (a["reference"].clone(), a["act"].clone())).collect();
    assert!(acts.len() == 4 && acts.contains(&("bank 17".into(), "top_up".into())), "{list}");
    assert!(list.as_array().expect("a list").iter().any(|a| a["by"] == "Li" && a["amount"] == "50.00"), "{list}");
    house.assert_sound();
}

fn a_top_up_has_the_day_of_its_money_and_a_remark(house: &House) {
    house.apply(WORLD);
    let now = Timestamp(common::now());
    let day = |back: i64| day_text(Zone::find("Asia/Shanghai").expect("a zone").day(now) - back);
    let top_up = |reference: &str, more: &[&str]| {
        let words = ["admin", "balance", "top-up", "acme", "50.00", "--reference", reference, "--by", "Li"];
        house.run(&[&words[..], more].concat(), &[])
    };
    let (paid, other) = (day(5), day(6));
    let booked = top_up("bank 17", &["--value-date", &paid, "--remark", "March, \"late\""]);
    let beside = format!(", value date {paid}, remark \"March, \"late\"\"");
    assert_eq!(booked.out, format!("acme: 50.00 USD under bank 17 booked{beside}; the balance is 150.00 USD\n"), "{booked:?}");
    let again = top_up("bank 17", &["--value-date", &other, "--remark", "April"]);
    assert!(again.out.starts_with("acme: 50.00 USD under bank 17 was booked before, at ") && again.code == 0, "{again:?}");
    assert!(again.out.ends_with(&format!(" by Li{beside}: nothing changed; the balance is 150.00 USD\n")), "{again:?}");
    let again = top_up("bank 17", &["--json"]).json();
    assert_eq!((&again["booked"], &again["value_date"]), (&false.into(), &paid.as_str().into()));
    for (more, code, says) in [
        (["--value-date", &*day(-2)], 1, "value_date: "),
        (["--value-date", &*day(370)], 1, "value_date: "),
        (["--value-date", "1.3.2026"], 2, "is not a date such as 2026-01-31"),
        (["--remark", ""], 1, "remark: must have 1 to 200 characters"),
    ] {
        let refused = top_up("bank 18", &more);
        assert!(refused.code == code && refused.err.contains(says), "{more:?}: {refused:?}");
    }
    top_up("bank 19", &[]);
    let listed = house.done(&["admin", "balance", "list", "--json"]).json();
    let of = |reference: &str| {
        let found = listed.as_array().expect("a list").iter().find(|a| a["reference"] == reference).expect("an act");
        (found["value_date"].clone(), found["remark"].clone())
    };
    assert_eq!((of("bank 17"), of("bank 19")), ((paid.into(), "March, \"late\"".into()), (Value::Null, "".into())));
    house.assert_sound();
}

fn a_change_of_prices_or_credit_is_told_with_the_amounts(house: &House) {
    house.apply(WORLD);
    let tried = |text: &str| {
        house.write("prices.yaml", text);
        let told = house.done(&["apply", "--dry-run", "prices.yaml"]).out;
        house.done(&["apply", "prices.yaml"]);
        told.lines().next().expect("a line").to_owned()
    };
    for (text, says) in [
        (r#"accounts: [{code: acme, credit: "7.50"}]"#, "~ account acme: credit 5.00 -> 7.50 USD"),
        (
            r#"packages: [{code: GJ-100M-30D, price: "0.90", retail_price: "3.00", carrier_code: "2"}]"#,
            "~ package GJ-100M-30D: price 1.00 -> 0.90 USD, retail_price 1.00 -> 3.00 USD, carrier_code",
        ),
        (r#"accounts: [{code: acme, prices: [{package: GJ-100M-30D, price: "1.50"}]}]"#, "+ price acme GJ-100M-30D 1.50 USD"),
        (
            r#"accounts: [{code: acme, prices: [{package: GJ-100M-30D, price: "1.60"}]}]"#,
            "~ price acme GJ-100M-30D: price 1.50 -> 1.60 USD",
        ),
        (
            r#"accounts: [{code: acme, prices: [{package: GJ-100M-30D, retail_price: "2.00"}]}]"#,
            "~ price acme GJ-100M-30D: retail_price none -> 2.00 USD",
        ),
        (
            r#"accounts: [{code: acme, prices: [{package: GJ-100M-30D, retail_price: "2.00"}]}]"#,
            "nothing changed (+ 0 new, ~ 0 changed, = 2 same)",
        ),
    ] {
        assert_eq!(tried(text), says, "{text}");
    }
}

fn a_card_is_sold_as_products_of_its_platform_alone(house: &House) {
    house.apply(&format!("{WORLD}sims:\n{}", common::sims(0..1, "acme", "1US-1")));
    house.write("far.yaml", "platforms: [{code: far, connector: manual}]\nproducts: [{code: 9FAR-1, platform: far}]");
    house.done(&["apply", "far.yaml"]);
    let card = common::iccid(0);
    let says = format!(
        "platform hand has no product 9FAR-1, which is one of platform far: {card} lives on hand and stays there; there are 1US-1"
    );
    house.write("moved.yaml", &format!("sims: [{{iccid: \"{card}\", product: 9FAR-1}}]"));
    house.write("moved.csv", &format!("iccid\n{card}\n"));
    for words in [&["admin", "sim", "product", &card, "--product", "9FAR-1"][..], &["apply", "moved.yaml"]] {
        let refused = house.run(words, &[]);
        assert!(refused.code == 1 && refused.err.contains(&says), "{words:?}: {refused:?}");
    }
    let refused = house.run(&["import", "sims", "moved.csv", "--platform", "far", "--account", "acme"], &[]);
    let bad = std::fs::read_to_string(house.path("moved.csv.bad.csv")).expect("the lines not loaded");
    assert!(refused.code == 1 && bad.contains(&says), "{refused:?}: {bad}");
    assert_eq!(house.done(&["admin", "sim", "show", &card, "--json"]).json()["product"], "1US-1");
    house.assert_sound();
}

/// An opening balance is credited once; what is written there later is told and not booked.
fn a_changed_opening_balance_is_told_and_not_booked(house: &House) {
    house.apply(WORLD);
    house.write("later.yaml", "accounts: [{code: acme, opening_balance: \"500.00\"}]");
    let later = house.done(&["apply", "later.yaml"]);
    assert!(later.out.contains("nothing changed"), "{later:?}");
    assert!(later.err.contains("acme was opened with 100.00 USD and 500.00 is not applied"), "{later:?}");
    assert!(later.err.contains("kachi admin balance top-up acme AMOUNT --reference TEXT"), "{later:?}");
    assert_eq!(house.money(10_001), (10_000, 0));
}

/// Whoever finds that another has the file in hand waits for it, and says what came of it.
fn a_file_that_several_take_in_at_once_is_told_of_by_each(house: &House) {
    const LINES: i64 = 6_000;
    house.apply(&format!("{WORLD}sims:\n{}", common::sims(0..20, "acme", "1US-1")));
    let at = common::now() - 7_200;
    let record = |n: i64| kachi_testkit::world::line(n + 1, (n % 20) as u64, at + n % 3_000, at + n % 3_000 + 60, 1_000);
    house.write("usage.csv", &(0..LINES).map(record).collect::<String>());
    let words = ["import", "cdr", "usage.csv", "--platform", "hand", "--json"];
    let start = |_| house.command(&words, &[("KACHI_LIMITS__IMPORT_ROWS", "100")]).spawn().expect("it starts");
    let importers: Vec<std::process::Child> = (0..3).map(start).collect();
    let mut waited = 0;
    for importer in importers {
        let output = importer.wait_with_output().expect("it ends");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        let report: Value = serde_json::from_str(&out).expect("JSON");
        let of = |field: &str| report[0][field].as_i64().expect("a number");
        assert_eq!((of("loaded") + of("duplicate"), of("bad"), of("orphan")), (LINES, 0, 0), "{out}");
        let waits = err.matches(WAITS).count();
        let known = report[0]["known"] == Value::Bool(true);
        assert!(waits == 0 || waits == 1 && known, "{out}{err}");
        assert_eq!(known, of("loaded") == 0, "{out}");
        waited += waits;
    }
    assert!(waited > 0, "one of them at least met another");
    assert_eq!(house.assert_sound(), LINES);
}

/// What an import says that finds its file in another's hands.
const WAITS: &str = "another worker is taking this file in; waiting for it";

/// Of two that take in one file, the one that has it is killed while the other waits: that one takes it over.
fn a_file_whose_importer_is_killed_is_taken_over_by_who_waits_for_it(house: &House) {
    const LINES: i64 = 8_000;
    house.apply(&format!("{WORLD}sims:\n{}", common::sims(0..20, "acme", "1US-1")));
    let at = common::now() - 7_200;
    let record = |n: i64| kachi_testkit::world::line(n + 1, (n % 20) as u64, at + n % 3_000, at + n % 3_000 + 60, 1_000);
    house.write("usage.csv", &(0..LINES).map(record).collect::<String>());
    let words = ["import", "cdr", "usage.csv", "--platform", "hand", "--json"];
    let environment = [("KACHI_LIMITS__IMPORT_ROWS", "20"), ("KACHI_LIMITS__LEASE_SECONDS", "5")];
    let (says, said) = std::sync::mpsc::channel();
    let start = |n: usize| {
        let mut importer = house.command(&words, &environment).spawn().expect("it starts");
        let (lines, says) = (BufReader::new(importer.stderr.take().expect("its words")).lines(), says.clone());
        std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|line| line.contains(WAITS)).for_each(|_| _ = says.send(n))
        });
        importer
    };
    let mut importers = [start(0), start(1)];
    let waits = said.recv_timeout(common::PATIENCE).expect("one of them meets the other");
    let [first, second] = &mut importers;
    let has = if waits == 0 { second } else { first };
    assert!(has.try_wait().expect("its state").is_none(), "it is at work");
    has.kill().expect("it is killed");
    has.wait().expect("it ends");
    let [first, second] = importers;
    let output = if waits == 0 { first } else { second }.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&report[0]["known"], &report[0]["loaded"]), (&false.into(), &LINES.into()), "{out}");
    assert_eq!(house.assert_sound(), LINES);
}

/// An account's cards stop while it is in arrears if `apply` says so; one function of a card is switched by command.
fn cards_are_switched_by_setting_and_by_command(house: &House) {
    house.apply(&format!("{WORLD}sims:\n{}", common::sims(0..1, "acme", "1US-1")));
    house.write("arrears.yaml", "accounts: [{code: acme, credit_stop: true}]");
    let told = house.done(&["apply", "arrears.yaml"]);
    assert!(told.out.contains("credit_stop"), "{told:?}");
    assert!(house.done(&["apply", "arrears.yaml"]).out.contains("nothing changed"));
    let balance = |amount: &str, reference: &str| {
        house.done(&["admin", "balance", "correct", "acme", amount, "--reference", reference, "--reason", "test"]);
    };
    let card = common::iccid(0);
    let blocks = || house.done(&["admin", "sim", "show", &card, "--json"]).json()["blocks"].clone();
    let before = blocks();
    balance("-105.00", "all");
    let server = house.serve(&[]);
    common::until("the block", || blocks().as_array().expect("a list").contains(&"credit".into()).then_some(()));
    balance("0.01", "paid");
    common::until("it is gone", || (blocks() == before).then_some(()));
    server.stop();
    for (verb, block) in [("sms", "sms_off"), ("voice", "voice_off")] {
        let asked = house.done(&["admin", "sim", verb, &card, "off", "--json"]).json();
        assert_eq!((&asked["function"], &asked["on"], &asked["outcome"]), (&verb.into(), &false.into(), &"asked".into()));
        let open = house.done(&["admin", "intent", "list", "--json"]).json();
        let newest = open.as_array().expect("a list").iter().filter_map(|i| i["id"].as_i64().or(i["intent"].as_i64())).max();
        house.done(&["admin", "intent", "confirm", &newest.expect("a write").to_string()]);
        assert!(blocks().as_array().expect("a list").contains(&block.into()), "{}", blocks());
        assert_eq!(house.done(&["admin", "sim", verb, &card, "off", "--json"]).json()["outcome"], "already");
    }
    house.done(&["admin", "sim", "sms", &card, "on"]);
    let list = house.done(&["admin", "intent", "list", "--json"]).json();
    let mut open: Vec<i64> = list.as_array().expect("a list").iter().filter_map(|i| i["id"].as_i64()).collect();
    open.sort_unstable();
    let newest = open.last().expect("a write").to_string();
    let silent = house.run(&["admin", "intent", "refuse", &newest, "--reason", ""], &[]);
    assert!(silent.code == 1 && silent.err.contains("reason: must have 1 to 200 characters"), "{silent:?}");
    let close = |reason: &str| house.run(&["admin", "sim", "close", &card, "--by", "Ann", "--reason", reason, "--json"], &[]);
    assert!(close("lost").err.contains(&format!("`kachi admin intent confirm {newest}` or `refuse {newest}`")));
    for id in open {
        house.done(&["admin", "intent", "refuse", &id.to_string(), "--reason", "not any more"]);
    }
    assert!(close("").err.contains("reason: must have 1 to 200 characters"));
    assert_eq!([close("lost").json()["outcome"].clone(), close("lost").json()["outcome"].clone()], ["closed", "already"]);
    let over = house.run(&["admin", "sim", "resume", &card], &[]);
    assert!(
        over.code == 1 && over.err.contains("the card is closed: nothing can be bought for it or asked of its carrier"),
        "{over:?}"
    );
    house.assert_sound();
}

/// Every verb of `admin`, and each below it, prints JSON where it is asked to.
#[test]
fn every_verb_of_admin_prints_json() {
    let help = |words: &[&str]| common::finished(Command::new(env!("CARGO_BIN_EXE_kachi")).args(words).arg("--help")).out;
    let below = |text: &str| -> Vec<String> {
        let Some((_, commands)) = text.split_once("Commands:\n") else { return Vec::new() };
        let listed = commands.lines().take_while(|line| line.starts_with("  "));
        listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    };
    let (mut waiting, mut seen) = (vec![vec!["admin".to_owned()]], 0);
    while let Some(verb) = waiting.pop() {
        let text = help(&verb.iter().map(String::as_str).collect::<Vec<_>>());
        let verbs = below(&text);
        assert!(!verbs.is_empty() || text.contains("--json"), "kachi {}: {text}", verb.join(" "));
        seen += usize::from(verbs.is_empty());
        waiting.extend(verbs.into_iter().map(|v| [verb.clone(), vec![v]].concat()));
    }
    assert!(seen > 35, "{seen} verbs");
}
