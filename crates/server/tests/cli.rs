//! The binary as a person at a terminal meets it, on both engines.

use kachi_domain::{AccountId, Iccid};
use kachi_engine::network::CardKey;
use kachi_engine::renewals::{self, Again, Renew, Review};
use kachi_engine::{Clock, Engine, Settings};
use kachi_store::Place;
use kachi_testkit::db::each;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A working folder with a database.
struct Desk {
    folder: TempDir,
    url: String,
}

/// What a command came to.
#[derive(Debug)]
struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn at(place: &Place) -> Desk {
        let url = match place {
            Place::File(path) => format!("sqlite:{}", path.display()),
            Place::Postgres(url) => url.clone(),
        };
        Desk { folder: TempDir::with_prefix("kachi_cli_").expect("a folder"), url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn run(&self, words: &[&str]) -> Done {
        run(self.folder.path(), &[&["--database-url", self.url.as_str()], words].concat(), &[])
    }

    /// Runs and wants it done.
    fn done(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
        done.out
    }
}

fn run(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kachi"));
    command.args(words).current_dir(folder).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Done { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn on_both(test: impl Fn(&Desk)) {
    each(|store| test(&Desk::at(store.place())));
}

const WORLD: &str = r#"
accounts:
  - {code: acme, id: 10001, parent: north, name: Acme Devices, currency: USD, opening_balance: "100.00", credit: "5.00",
     credentials: {eiotclub: {appkey: "000001", secret: a1b1c1d1}}, notify: {eiotclub: "http://127.0.0.1:9999/n"},
     ip_allow: [127.0.0.1], prices: [{package: GJ-100M-30D, price: "1.50", retail_price: "2.00"}],
     users: [{login: owner1, role: owner, password_file: owner1.pw}], language: en, contact: {linkman: Li}}
  - {code: north, currency: USD, credentials: {eiotclub: {}}, users: [{login: north1, role: viewer}],
     prices: [{package: GJ-100M-30D, price: "1.30"}]}
platforms:
  - {code: hand, connector: manual}
  - {id: 7, code: play, connector: sandbox, settings: {lag_seconds: 1}}
products:
  - {code: 1US-1, name: US 3 networks, carrier: INTL, platform: hand, networks: [ATT], bare_use: false, zone: {name: North America}}
packages:
  - {code: GJ-100M-30D, name: 100M 30 days, product: 1US-1, kind: quota, category: long, resource: data, data: 100MB,
     validity: 30d, window: whole, price: "1.00", retail_price: "2.00", currency: USD, listed: true, stack_max: 24,
     sms: 0, voice: 0, start: queue, speed: null, fulfil: local}
sims:
  - {iccid: "89860012345678901234", imsi: "460001234567890", msisdn: "1440000000001", eid: null, product: 1US-1, account: acme,
     state: active, apns: [CMIOT], sbbh: "", alias: one, group: "", real_name: true, test_until: null}
  - {iccid: "8988303000000614224", product: 1US-1, account: acme, state: active}
subscriptions:
  - {iccid: "89860012345678901234", package: GJ-100M-30D, start: "2026-01-01T00:00:00Z", used: 5MB}
sms_templates:
  - {code: T1, account: acme, text: "@1@ left of @2@", signature: 【ACME】, price: "0.05", approved: true}
"#;

fn world(desk: &Desk) {
    desk.write("owner1.pw", "correct horse\n");
    desk.write("world.yaml", WORLD);
    desk.done(&["apply", "world.yaml"]);
}

#[test]
fn applying_twice_changes_nothing_and_trying_changes_nothing() {
    on_both(|desk| {
        desk.write("owner1.pw", "correct horse\n");
        desk.write("world.yaml", WORLD);
        let tried = desk.done(&["apply", "--dry-run", "world.yaml"]);
        assert!(tried.contains("+ account acme") && tried.contains("a try: nothing was changed"), "{tried}");
        assert!(!tried.contains("shown once"), "{tried}");
        assert_eq!(desk.done(&["admin", "key", "list", "--json"]).trim(), "[]");
        let first = desk.run(&["apply", "world.yaml"]);
        assert_eq!(first.code, 0, "{first:?}");
        for words in ["+ opening balance acme 100.00 USD", "+ sim 89860012345678901234", "+ subscription 89860012345678901234"] {
            assert!(first.out.contains(words), "{first:?}");
        }
        assert_eq!(first.out.matches("shown once").count(), 2, "north's key and password: {first:?}");
        assert!(first.err.contains("1 ICCIDs fail the Luhn check"), "{first:?}");
        let second = desk.done(&["apply", "world.yaml"]);
        assert!(second.starts_with("nothing changed (+ 0 new, ~ 0 changed, = "), "{second}");
        desk.write(
            "more.yaml",
            "accounts: [{code: acme, name: Acme, credit: \"9.00\"}]\nsims: [{iccid: \"8988303000000614224\", alias: two}]\n\
             sms_templates: [{code: T1, signature: 【甲乙】}]",
        );
        let more = desk.done(&["apply", "more.yaml"]);
        assert!(more.contains("~ account acme: name, credit 5.00 -> 9.00 USD\n~ sim 8988303000000614224: alias\n~ sms template T1: signature\n+ 0 new, ~ 3 changed"), "{more}");
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 2 cards"));
    });
}

#[test]
fn pools_are_applied_and_stay() {
    on_both(|desk| {
        world(desk);
        let types = "pool_types:\n  - {code: POOL-50M-7D, product: 1US-1, lines: 2, days: 7, data: 50MB, price: \"5.00\"}\n";
        let pool = |rest: &str| format!("{types}pools:\n  - {{id: 380, code: p1, account: acme, type: POOL-50M-7D{rest}}}\n");
        let first = "89860012345678901234";
        desk.write("pools.yaml", &pool(&format!(", members: [\"{first}\"], member_cap: null")));
        let made = desk.done(&["apply", "pools.yaml"]);
        assert!(made.contains("+ pool type POOL-50M-7D\n+ pool p1\n+ 2 new"), "{made}");
        assert!(desk.done(&["apply", "pools.yaml"]).starts_with("nothing changed"));
        desk.write("more.yaml", &pool(", members: [\"8988303000000614224\"], member_cap: 10MB, memo: shelf"));
        let more = desk.done(&["apply", "more.yaml"]);
        assert!(more.contains("~ pool p1: member_cap, memo, members\n"), "{more}");
        assert!(desk.done(&["apply", "more.yaml"]).starts_with("nothing changed"));
        let table = [
            (pool(", members: [\"89860099999999999999\"]"), "bad.yaml: pools[0].members: there is no such card"),
            (pool(", members: [\"12\"]"), "bad.yaml: pools[0].members[0]: iccid: must be 18 to 22"),
            (pool("").replace("380", "381"), "bad.yaml: pools[0].id: p1 has number 380, which never changes"),
            (pool("").replace("code: p1", "code: p2"), "bad.yaml: pools[0].id: 380 is pool p1; choose another"),
            (pool("").replace("acme", "north"), "bad.yaml: pools[0].account: p1 is acme's, which never changes"),
            (format!("{types}pools: [{{code: p3, account: acme}}]"), "bad.yaml: pools[0].type: is missing"),
            ("pools: [{code: p3, account: acme, type: GJ-100M-30D}]".into(), "pools[0].type: there is no pool type GJ-100M-30D"),
            (
                "pools: [{code: p3, account: acme, type: POOL-50M-7D, package: GJ-100M-30D}]".into(),
                "pools[0].package: stands beside",
            ),
            (types.replace("lines: 2", "lines: 0"), "bad.yaml: pool_types[0].lines: must be 1 or more"),
            (types.replace("POOL-50M-7D", "GJ-100M-30D"), "pool_types[0].code: GJ-100M-30D is a package for cards"),
            (types.replace(", price", ", currency: CNY, price"), "pool_types[0].currency: POOL-50M-7D is sold in USD"),
            (
                format!("subscriptions: [{{iccid: \"{first}\", package: POOL-50M-7D, start: \"2026-01-01T00:00:00Z\"}}]"),
                "bad.yaml: subscriptions[0].package: POOL-50M-7D is sold for pools",
            ),
        ];
        for (text, words) in table {
            desk.write("bad.yaml", &text);
            let refused = desk.run(&["apply", "bad.yaml"]);
            assert!(refused.code == 1 && refused.err.contains(words), "{text}\n{refused:?}");
        }
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 2 cards"));
    });
}

#[test]
fn a_refused_file_leaves_nothing_behind() {
    on_both(|desk| {
        world(desk);
        let new = "accounts: [{code: beta, currency: USD}]\n";
        let package = "packages: [{code: P, product: 1US-1, data: 1MB, validity: 30d, price: \"1.00\", currency: USD";
        let table = [
            (format!("{new}nonsense: 1"), "bad.yaml: nonsense: there is no such key; leave it out, or write one of accounts,"),
            (format!("{new}sims: {{}}"), "bad.yaml: sims: must be a list, not keys with their values; write"),
            (
                format!("{new}sims: [{{iccid: \"12\", account: beta, product: 1US-1}}]"),
                "bad.yaml: sims[0]: iccid: must be 18 to 22 hexadecimal digits, not \"12\"",
            ),
            (
                format!("{new}accounts: [{{code: c, currency: usd}}]").replacen(new, "", 1),
                "accounts[0].currency: \"usd\" is no currency of ISO 4217",
            ),
            (format!("{new}sims: [{{iccid: \"8988303000000614224\", account: beta}}]"), "bad.yaml: sims[0]: iccid"),
            (
                format!("{new}sms_templates: [{{code: T1, account: nobody, text: x}}]"),
                "bad.yaml: sms_templates[0].account: there is no account nobody",
            ),
            (
                format!("{new}sms_templates: [{{code: T1, account: acme, text: x, signature: us}}]"),
                "bad.yaml: sms_templates[0].signature: \"us\" is not a name of 2 to 20 characters in 【】",
            ),
            (format!("{new}{package}, category: postpaid}}]"), "bad.yaml: packages[0].category: postpaid: not supported"),
            (
                format!("{new}{package}, kind: fast}}]"),
                "bad.yaml: packages[0].kind: \"fast\" is not one of quota, time, throttled",
            ),
            ("accounts: [{code: acme, currency: CNY}]".into(), "accounts[0].currency: acme pays in USD"),
            ("accounts: [{code: acme, parent: operator}]".into(), "accounts[0].parent: acme stands under north"),
            ("accounts: [{code: beta, id: 10001}]".into(), "accounts[0].id: 10001 is account acme"),
            ("accounts: [{code: beta, parent: nobody}]".into(), "accounts[0].parent: there is no account nobody"),
            (
                "accounts: [{code: beta, currency: CNY, prices: [{package: GJ-100M-30D}]}]".into(),
                "accounts[0].prices[0].package: GJ-100M-30D is sold in USD, beta pays in CNY",
            ),
            (
                "accounts: [{code: acme, prices: [{package: GJ-100M-30D, price: \"1.29\"}]}]".into(),
                "acme would pay 1.29 for GJ-100M-30D, but its parent pays 1.30 itself",
            ),
            (format!("{new}platforms: [{{code: x, connector: onelnk}}]"), "platforms[0]: there is no connector \"onelnk\""),
            (
                format!("{new}subscriptions: [{{iccid: \"8988303000000614224\", package: X, start: \"2026-01-01T00:00:00Z\"}}]"),
                "subscriptions[0].package: there is no package X",
            ),
        ];
        for (text, words) in table {
            desk.write("bad.yaml", &text);
            let done = desk.run(&["apply", "bad.yaml"]);
            assert!(done.code == 1 && done.err.contains(words), "{text}\nwanted {words}\n{done:?}");
        }
        let beta = desk.run(&["admin", "key", "create", "--account", "beta"]);
        assert!(beta.code == 1 && beta.err.contains("there is no account beta"), "{beta:?}");
    });
}

/// Eight columns of a record today, so that it is neither late nor ahead.
fn record(id: u32, iccid: &str, bytes: &str) -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]).output().expect("date");
    let minute = String::from_utf8(output.stdout).expect("text");
    let minute = minute.trim();
    format!("{id},{minute}:00,{minute}:00,{iccid},460001234567890,{bytes},867530912345678,310410\n")
}

#[test]
fn a_cdr_file_with_bad_lines_loads_the_good_ones() {
    on_both(|desk| {
        world(desk);
        let one = "89860012345678901234";
        let text = [record(1, one, "1000"), record(2, one, "-5"), record(3, "89860099999999999999", "7"), record(4, one, "2000")];
        desk.write("cdr_1.csv", &text.concat());
        let done = desk.run(&["import", "cdr", "cdr_1.csv", "--platform", "hand"]);
        assert!(done.code == 1 && done.out.contains("loaded 2, duplicate 0, orphan 1, bad 1"), "{done:?}");
        let bad = desk.read("cdr_1.csv.bad.csv");
        assert!(bad.starts_with("line,fate,reason,text\n2,bad,") && bad.lines().count() == 2, "{bad}");
        let again = desk.run(&["import", "cdr", "cdr_1.csv", "--platform", "hand", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
        assert_eq!((&report[0]["loaded"], &report[0]["duplicate"], &report[0]["known"]), (&0.into(), &2.into(), &true.into()));
        let orphans: serde_json::Value = serde_json::from_str(&desk.done(&["admin", "orphan", "list", "--json"])).expect("JSON");
        let wanted = serde_json::json!([{
            "iccid": "89860099999999999999", "platform": "hand", "lines": 1, "bytes": 7, "files": 1, "newest_file": "cdr_1.csv",
        }]);
        assert_eq!(orphans, wanted);
        assert!(desk.done(&["admin", "doctor"]).contains("1 lines wait for a card that is not known: kachi admin orphan list"));
        let aside = desk.done(&["admin", "aside", "list", "--fate", "bad"]);
        assert!(aside.contains("cdr_1.csv") && !aside.contains("89860099999999999999"), "{aside}");
        desk.write(
            "sims.csv",
            "\u{feff}iccid,alias,real_name\n89860099999999999999,three,yes\n123,four,no\n8988303000000614224,,\n",
        );
        let sims = desk.run(&["import", "sims", "sims.csv", "--platform", "hand", "--account", "acme"]);
        assert!(sims.code == 1 && sims.out.contains("loaded 1, changed 0, duplicate 1, bad 1"), "{sims:?}");
        assert!(
            desk.read("sims.csv.bad.csv")
                .contains("3,bad,\"iccid: must be 18 to 22 hexadecimal digits, not \"\"123\"\"\",\"123,four,no\"")
        );
        assert_eq!(desk.done(&["admin", "orphan", "list", "--json"]).trim(), "[]", "the card's usage was waiting for it");
        let audit: serde_json::Value = serde_json::from_str(&desk.done(&["admin", "audit", "--json"])).expect("JSON");
        assert_eq!((&audit["clean"], &audit["cards"], &audit["readings"]), (&true.into(), &3.into(), &3.into()));
        let nowhere = desk.run(&["import", "cdr", "cdr_1.csv", "--platform", "nowhere"]);
        assert!(nowhere.code == 1 && nowhere.err.contains("no platform nowhere; there are hand, play"), "{nowhere:?}");
    });
}

#[test]
fn a_file_whose_last_subscription_is_bad_leaves_nothing_at_all() {
    on_both(|desk| {
        world(desk);
        let card = "89860099999999999999";
        desk.write("cdr_1.csv", &record(1, card, "7000000"));
        desk.done(&["import", "cdr", "cdr_1.csv", "--platform", "hand"]);
        let before = desk.done(&["admin", "audit"]);
        let good = format!(
            "accounts: [{{code: beta, parent: north, currency: USD, opening_balance: \"7.00\", credentials: {{eiotclub: {{}}}}}}]
packages: [{{code: B, product: 1US-1, data: 100MB, validity: 30d, price: \"1.00\", currency: USD}}]
sims: [{{iccid: \"{card}\", product: 1US-1, account: beta, state: active}}]
subscriptions:
  - {{iccid: \"{card}\", package: B, start: \"2026-02-01T00:00:00Z\", used: 1MB}}\n"
        );
        let start = "2026-02-01T00:00:00Z";
        let table = [
            (
                format!("  - {{iccid: \"{card}\", package: X, start: \"{start}\"}}"),
                "subscriptions[1].package: there is no package X",
            ),
            (format!("  - {{iccid: \"{card}\", package: B, start: \"2999-01-01T00:00:00Z\"}}"), "subscriptions[1].start: 2999"),
            (
                format!("  - {{iccid: \"8988303000000614299\", package: B, start: \"{start}\"}}"),
                "subscriptions[1].iccid: there is no card",
            ),
        ];
        for (last, words) in table {
            desk.write("bad.yaml", &format!("{good}{last}\n"));
            for flags in [&["apply", "bad.yaml"][..], &["apply", "--dry-run", "bad.yaml"]] {
                let done = desk.run(flags);
                assert!(
                    done.code == 1 && done.err.contains(words) && done.err.contains("nothing was changed"),
                    "{words}: {done:?}"
                );
            }
            assert_eq!(desk.run(&["admin", "key", "create", "--account", "beta"]).code, 1, "no account");
            assert_eq!(desk.run(&["admin", "sim", "show", card]).code, 1, "no card");
            assert!(desk.done(&["admin", "orphan", "list"]).contains(card), "its usage waits on");
            assert_eq!(desk.done(&["admin", "audit"]), before);
        }
        desk.write("good.yaml", &good);
        assert!(desk.done(&["apply", "--dry-run", "good.yaml"]).contains(&format!("+ subscription {card} B")));
        assert_eq!(desk.done(&["admin", "audit"]), before);
        desk.done(&["apply", "good.yaml"]);
        assert_eq!(desk.done(&["admin", "orphan", "list", "--json"]).trim(), "[]", "adopted in the same transaction");
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 3 cards, 1 readings"));
    });
}

#[test]
fn a_card_is_shown_and_moved() {
    on_both(|desk| {
        world(desk);
        let (one, two) = ("89860012345678901234", "8988303000000614224");
        let card = |iccid: &str| -> serde_json::Value {
            serde_json::from_str(&desk.done(&["admin", "sim", "show", iccid, "--json"])).expect("JSON")
        };
        let shown = card(one);
        assert_eq!((&shown["account"], &shown["state"], &shown["source"]), (&"acme".into(), &"active".into(), &"cdr".into()));
        assert_eq!((&shown["subscriptions"][0]["used_bytes"], &shown["imsi"]), (&5_242_880.into(), &"460001234567890".into()));
        assert_eq!(card(two)["blocks"], serde_json::json!(["no_package"]));
        desk.write("cdr_1.csv", &record(1, two, "1000"));
        desk.done(&["import", "cdr", "cdr_1.csv", "--platform", "hand"]);
        let text = desk.done(&["admin", "sim", "show", two]);
        assert!(text.contains("blocks                no_package") && text.contains("out_of_package_bytes  1000"), "{text}");
        assert!(card(two)["as_of"].is_string());
        let moved = desk.done(&["admin", "sim", "move", one, "--account", "north"]);
        assert!(moved.starts_with(&format!("{one}: moved from acme to north with ")), "{moved}");
        assert_eq!(card(one)["account"], "north");
        for (words, refusal) in [
            ([one, "north"], "is north's already"),
            ([one, "nowhere"], "there is no account nowhere"),
            (["8986009999999999999", "north"], "ICCID: there is no card"),
            (["12", "north"], "ICCID: "),
        ] {
            let done = desk.run(&["admin", "sim", "move", words[0], "--account", words[1]]);
            assert!(done.code == 1 && done.err.contains(refusal), "{refusal}: {done:?}");
        }
        let again = desk.run(&["apply", "world.yaml"]);
        assert!(
            again.code == 1 && again.err.contains("belongs to another account; move it with `kachi admin sim move`"),
            "{again:?}"
        );
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 2 cards"));
    });
}

#[test]
fn a_card_goes_into_a_group_out_of_it_and_to_another_product() {
    on_both(|desk| {
        world(desk);
        let (one, two) = ("89860012345678901234", "8988303000000614224");
        let file = |sims: &str, limit: &str| {
            format!("imei_groups:\n  - {{id: 5, code: g1, account: acme, imeis: [\"867530912345678\"], sims: [{sims}]{limit}}}\n")
        };
        desk.write("group.yaml", &file(&format!("\"{one}\", {{iccid: \"{two}\", until: \"2999-01-01T00:00:00Z\"}}"), ""));
        assert!(desk.done(&["apply", "--dry-run", "group.yaml"]).contains("+ IMEI group g1"));
        desk.done(&["apply", "group.yaml"]);
        assert!(desk.done(&["apply", "group.yaml"]).contains("nothing changed"));
        desk.write("less.yaml", &file(&format!("\"{two}\""), ", unlocks_per_month: 1"));
        assert!(desk.done(&["apply", "less.yaml"]).contains("~ IMEI group g1: unlocks_per_month, sims"));
        let show = |iccid: &str| -> serde_json::Value {
            serde_json::from_str(&desk.done(&["admin", "sim", "show", iccid, "--json"])).expect("JSON")
        };
        assert_eq!((show(one)["imei_group"].as_str(), show(two)["imei_group_until"].as_str()), (Some("g1"), None));
        assert!(desk.done(&["admin", "sim", "leave", one]).contains("left IMEI group 5"));
        assert_eq!(desk.run(&["admin", "sim", "leave", one]).code, 1, "it is in none");
        desk.done(&["admin", "sim", "join", one, "--group", "g1", "--until", "2999-01-01T00:00:00Z"]);
        assert_eq!(show(one)["imei_group_until"], "2999-01-01T00:00:00Z");
        for (words, said) in [
            (&["join", one, "--group", "g2"][..], "there is no IMEI group g2"),
            (&["join", one, "--group", "g1", "--until", "2001-01-01T00:00:00Z"], "until"),
            (&["join", one, "--group", "g1", "--until", "tomorrow"], "--until"),
            (&["join", "89860099999999999999", "--group", "g1"], "ICCID"),
            (&["product", one, "--product", "no-such"], "product"),
            (&["product", one, "--product", "1US-1"], "already"),
        ] {
            let done = desk.run(&[&["admin", "sim"], words].concat());
            assert!(done.code == 1 && done.err.contains(said), "{words:?}: {done:?}");
        }
        let groups: serde_json::Value = serde_json::from_str(&desk.done(&["admin", "imei", "list", "--json"])).expect("JSON");
        let group = serde_json::json!({"id": 5, "code": "g1", "account": "acme", "unlocks_per_month": 1, "imeis": 1, "sims": 2});
        assert_eq!(groups, serde_json::json!([group]));
        let shown = desk.done(&["admin", "imei", "show", "g1"]);
        assert!([one, two, "867530912345678"].iter().all(|w| shown.contains(w)), "{shown}");
        desk.done(&["admin", "imei", "remove", "g1", "867530912345678"]);
        for words in [["remove", "g1", "867530912345678"], ["remove", "g1", "8675"], ["remove", "g2", "867530912345678"]] {
            assert_eq!(desk.run(&[&["admin", "imei"], &words[..]].concat()).code, 1, "{words:?}");
        }
        let shown: serde_json::Value =
            serde_json::from_str(&desk.done(&["admin", "imei", "show", "g1", "--json"])).expect("JSON");
        assert_eq!((&shown["imeis"], &shown["sims"][1]["iccid"]), (&serde_json::json!([]), &serde_json::json!(two)));
        desk.write("product.yaml", "products:\n  - {code: 1CN-1, name: China, carrier: CM, platform: hand}\n");
        desk.done(&["apply", "product.yaml"]);
        desk.done(&["admin", "sim", "product", one, "--product", "1CN-1"]);
        assert_eq!(show(one)["product"], "1CN-1");
        let told = desk.done(&["admin", "delivery", "list", "--json"]);
        for kind in ["imei_group_joined", "imei_group_left", "product_switched"] {
            assert!(told.contains(kind), "{kind}: {told}");
        }
        for (text, place) in [
            (file("", "").replace("id: 5", "id: 6"), "imei_groups[0].id"),
            (file("", "").replace("acme", "north"), "imei_groups[0].account"),
            (file("", "").replace("g1", "g 1"), "imei_groups[0].code"),
            (file("", "").replace("g1", "g2"), "imei_groups[0].id"),
            (file("", ", unlocks_per_month: -1"), "imei_groups[0].unlocks_per_month"),
            (file("", "").replace("912345678", ""), "imei_groups[0].imeis[0]"),
            (file("\"89860099999999999999\"", ""), "imei_groups[0].sims[0]"),
        ] {
            desk.write("bad.yaml", &text);
            let done = desk.run(&["apply", "bad.yaml"]);
            assert!(done.code == 1 && done.err.contains(place), "{place}: {done:?}");
        }
        desk.done(&["admin", "audit"]);
    });
}

#[test]
fn people_keys_and_the_doctor() {
    on_both(|desk| {
        world(desk);
        let added = desk.done(&["admin", "user", "add", "boss", "--json"]);
        let added: serde_json::Value = serde_json::from_str(&added).expect("JSON");
        assert_eq!(added["password"].as_str().map(str::len), Some(32));
        assert!(desk.done(&["admin", "user", "list"]).contains("boss    operator  owner"));
        assert_eq!(desk.done(&["admin", "user", "remove", "boss"]), "boss: taken away\n");
        assert!(desk.run(&["admin", "user", "remove", "boss"]).err.contains("`kachi admin user list` shows all logins"));
        let taken = desk.run(&["admin", "user", "add", "owner1"]);
        assert!(taken.code == 1 && taken.err.contains("owner1 belongs to another account"), "{taken:?}");
        let key = desk.done(&["admin", "key", "create", "--account", "acme", "--name", "k2"]);
        assert!(key.starts_with("acme: eiotclub appkey k2\nsecret, shown once: "), "{key}");
        let first = desk.done(&["admin", "key", "create", "--account", "acme", "--name", "000000"]);
        assert!(first.contains("signed with this secret from now on, with that of 000001 until now"), "{first}");
        let taken = desk.run(&["admin", "key", "create", "--account", "north", "--name", "k2"]);
        assert!(taken.code == 1 && taken.err.contains("k2 belongs to another account"), "{taken:?}");
        let keys = desk.done(&["admin", "key", "list"]);
        assert!(keys.contains("000001") && !keys.contains("a1b1c1d1"), "{keys}");
        assert!(desk.done(&["admin", "delivery", "list"]).contains("eiotclub"));
        assert_eq!(desk.done(&["admin", "intent", "list", "--json"]).trim(), "[]");
        assert_eq!(desk.run(&["admin", "intent", "confirm", "99"]).code, 1);
        let doctor = desk.run(&["admin", "doctor"]);
        assert!(doctor.code == 0 && !doctor.out.contains("trouble"), "{doctor:?}");
        let pushed = "notify: {cardboss_data: \"http://127.0.0.1:9999/d\", cardboss_sms: \"http://127.0.0.1:9999/s\"}";
        desk.write("more.yaml", &format!("accounts: [{{code: pushed, currency: USD, {pushed}}}]"));
        desk.done(&["apply", "more.yaml"]);
        let doctor = desk.run(&["admin", "doctor"]);
        let remedy = ["admin", "key", "create", "--account", "pushed", "--door", "cardboss"];
        assert!(doctor.code == 1 && doctor.out.matches(&remedy.join(" ")).count() == 1, "{doctor:?}");
        desk.done(&remedy);
        assert_eq!(desk.run(&["admin", "doctor"]).code, 0);
        desk.write("kachi.toml", "[cdr]\nwatch = [{dir = \"in\", platform = \"hand\"}]");
        let doctor = desk.run(&["admin", "doctor"]);
        assert!(doctor.code == 1 && doctor.out.contains("in cannot be read"), "{doctor:?}");
        // Nobody makes files there.
        desk.write("kachi.toml", "[cdr]\nwatch = [{dir = \"/proc\", platform = \"hand\"}]");
        let doctor = desk.run(&["admin", "doctor"]);
        assert!(doctor.code == 1 && doctor.out.contains("cdr.watch: /proc cannot be written to"), "{doctor:?}");
    });
}

#[test]
fn exit_codes_and_the_configuration() {
    let here = TempDir::new().expect("a folder");
    let kachi = |words: &[&str], environment: &[(&str, &str)]| run(here.path(), words, environment);
    assert_eq!(kachi(&["version"], &[]).out, concat!("kachi ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(kachi(&["nonsense"], &[]).code, 2);
    assert_eq!(kachi(&["config", "check"], &[]).out, "the configuration is good\n");
    let unknown = kachi(&["config", "check"], &[("KACHI_LISTEN__WEBB", "x")]);
    assert!(
        unknown.code == 1 && unknown.err.contains("KACHI_LISTEN__WEBB: there is no key listen.webb; did you mean listen.web?")
    );
    assert_eq!(kachi(&["migrate"], &[("KACHI_LISTEN__WEBB", "x")]).code, 3);
    std::fs::write(here.path().join("kachi.toml"), "[limits]\npages = 3\n").expect("a file");
    let unknown = kachi(&["migrate"], &[]);
    assert!(unknown.code == 3 && unknown.err.contains("kachi.toml: there is no key limits.pages"), "{unknown:?}");
    std::fs::write(here.path().join("kachi.toml"), "[limits]\npage_max = 3\n").expect("a file");
    let printed = kachi(&["config", "print", "--database-url", "postgres://u:pw@h/d"], &[]).out;
    assert!(
        printed.contains("page_max = 3  # kachi.toml") && printed.contains("u:***@h/d") && !printed.contains("pw@"),
        "{printed}"
    );
    let (made, there) = (kachi(&["migrate"], &[]).out, kachi(&["migrate"], &[]).out);
    assert!(made.contains("up to date: 0 -> ") && there.contains("up to date: ") && !there.contains("->"), "{made}{there}");
    let gone = kachi(&["migrate", "--database-url", "postgres://u@127.0.0.1:1/d"], &[]);
    assert!(gone.code == 3 && gone.err.starts_with("kachi: database.url: "), "{gone:?}");
}

#[test]
fn esim_goods_and_their_stock_are_applied() {
    on_both(|desk| {
        world(desk);
        let goods = |code: &str, more: &str| {
            format!(
                "esim_goods:\n  - {{code: ESIM, package: GJ-100M-30D, price: \"4.00\", profiles: [{{iccid: \"8910300000000000001\", activation_code: \"{code}\"}}{more}]}}\n"
            )
        };
        desk.write("goods.yaml", &goods("LPA:1$smdp.example$A", ""));
        let first = desk.done(&["apply", "goods.yaml"]);
        assert!(first.contains("+ esim goods ESIM\n+ esim profile 8910300000000000001"), "{first}");
        assert!(desk.done(&["apply", "goods.yaml"]).starts_with("nothing changed"));
        assert!(desk.done(&["admin", "sim", "show", "8910300000000000001"]).contains("inventory"), "the operator's card");
        desk.write("goods.yaml", &goods("LPA:1$smdp.example$B", ""));
        assert!(desk.done(&["apply", "goods.yaml"]).contains("~ esim profile 8910300000000000001: activation_code"));
        let another = ", {iccid: \"8988303000000614224\", activation_code: \"LPA:1$x$y\"}";
        for (text, words) in [
            (goods("LPA:2$x$y", ""), "esim_goods[0].profiles[0].activation_code: \"LPA:2$x$y\" is not of the form LPA:1$"),
            (goods("LPA:1$smdp.example$B", another), "esim_goods[0].profiles[1].iccid: 8988303000000614224 is a card already"),
            ("esim_goods: [{code: E2, price: \"1.00\"}]".to_owned(), "esim_goods[0].package: is missing"),
            ("esim_goods: [{code: E2, package: GJ-100M-30D}]".to_owned(), "esim_goods[0].price (E2): is missing"),
            (
                "esim_goods: [{code: E2, package: NO, price: \"1.00\"}]".to_owned(),
                "esim_goods[0].package: there is no package NO",
            ),
            ("products: [{code: 1US-1, zone: {land: x}}]".to_owned(), "products[0].zone.land: there is no such key"),
        ] {
            desk.write("bad.yaml", &text);
            let done = desk.run(&["apply", "bad.yaml"]);
            assert!(done.code == 1 && done.err.contains(words), "{text}\nwanted {words}\n{done:?}");
        }
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 3 cards"));
    });
}

/// A renewal of the first card of the world, ordered by its owner and waiting for the operator.
fn ordered(desk: &Desk, months: u32) -> String {
    let place = desk.url.strip_prefix("sqlite:").map_or_else(|| Place::Postgres(desk.url.clone()), |p| Place::File(p.into()));
    let clock = Clock::new(|| kachi_domain::Timestamp(1_772_337_600));
    let engine =
        Engine::open(kachi_store::Store::open(place, 2).expect("the database"), clock, Settings::default()).expect("it opens");
    let cmd = Renew {
        card: CardKey::Iccid(Iccid::parse("89860012345678901234").expect("well-formed")),
        package_code: "GJ-100M-30D".into(),
        months,
        again: Again::Allow,
        start_day: None,
        review: Review::Manual,
        remark: Some("by the window".into()),
        digits: 1,
    };
    let actor = engine.catalogue().expect("catalogue").actor(AccountId(10_001)).expect("acme");
    engine.write(move |tx, catalogue, how| renewals::renew(tx, catalogue, how, &actor, &cmd)).expect("ordered").number
}

#[test]
fn renewals_are_listed_approved_and_rejected() {
    on_both(|desk| {
        world(desk);
        let (two, three) = (ordered(desk, 2), ordered(desk, 3));
        let list = |words: &[&str]| -> serde_json::Value {
            serde_json::from_str(&desk.done(&[&["admin", "renewal", "list", "--json"], words].concat())).expect("JSON")
        };
        let waiting = list(&[]);
        assert_eq!((&waiting[0]["number"], &waiting[1]["number"]), (&three.clone().into(), &two.clone().into()));
        assert_eq!(
            (&waiting[1]["amount"], &waiting[1]["months"], &waiting[1]["state"]),
            (&"3.00".into(), &2.into(), &"in_review".into())
        );
        assert_eq!((&waiting[1]["account"], &waiting[1]["remark"]), (&"acme".into(), &"by the window".into()));
        let approved = desk.done(&["admin", "renewal", "approve", &two, "--by", "Li", "--json"]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&approved).expect("JSON")["state"], "done");
        let id = waiting[0]["order"].to_string();
        let rejected = desk.done(&["admin", "renewal", "reject", &id, "--reason", "no contract"]);
        assert_eq!(rejected, format!("order {id} ({three}): failed\n"));
        assert_eq!(list(&[]), serde_json::json!([]));
        let all = list(&["--all"]);
        assert_eq!((&all[0]["reason"], &all[1]["decided_by"]), (&"no contract".into(), &"Li".into()));
        let again = desk.run(&["admin", "renewal", "approve", &three]);
        assert!(again.code == 1 && again.err.contains(&format!("order: there is no renewal {three} in review")), "{again:?}");
        let sheet = desk.done(&["export", "orders", "--from", "2026-01-01", "--to", "2099-12-31"]);
        assert!(sheet.contains(",GJ-100M-30D,2,done,USD,3.00,") && sheet.contains(",GJ-100M-30D,3,failed,USD,"), "{sheet}");
        assert!(desk.done(&["admin", "audit"]).starts_with("clean: 2 cards"));
    });
}
