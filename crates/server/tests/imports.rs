//! What `kachi import` says of what it took in, and what `kachi export` writes. On both engines.

mod common;

use common::{House, iccid, now};
use kachi_domain::ledger::{self, Journal, Share};
use kachi_domain::time::{day_text, parse_day};
use kachi_domain::{AccountId, Timestamp, Zone};
use kachi_store::Tx;
use kachi_store::db::Place;
use kachi_store::money_acts::MoneyAct;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

on_both!(
    every_line_that_is_not_loaded_is_named_by_its_number,
    a_known_card_keeps_its_state_and_a_line_that_has_another_is_told,
    a_file_that_is_no_text_is_refused_with_what_it_is_and_what_to_do,
    what_is_wrong_with_a_line_of_records_is_told_with_what_to_do,
    what_is_in_is_said_whatever_fails_afterwards,
    a_persons_text_is_no_formula_in_a_spreadsheet,
    usage_is_written_out_in_the_days_of_its_account_with_their_zone,
    the_journal_of_days_tells_every_posting_between_what_was_there_before_and_after,
    a_file_whose_import_was_killed_is_named_by_the_doctor_until_it_is_taken_in,
    a_report_that_finds_no_room_leaves_the_one_before_as_it_was,
    a_reader_that_goes_away_ends_an_export_quietly,
);

fn world(house: &House) {
    let world = r#"
accounts: [{code: acme, currency: USD}]
platforms: [{code: hand, connector: manual}]
products: [{code: P1, platform: hand}]
sims:
"#;
    house.apply(&format!("{world}{}", common::sims(0..3, "acme", "P1")));
}

/// A record of a minute ago, so that it is neither late nor ahead.
fn record(id: i64, card: u64, bytes: i64) -> String {
    let at = now() / 60 * 60 - 60;
    kachi_testkit::world::line(id, card, at - 30, at, bytes)
}

fn import(house: &House, words: &[&str]) -> common::Done {
    house.run(&[&["import", "cdr", "--platform", "hand"], words].concat(), &[])
}

fn every_line_that_is_not_loaded_is_named_by_its_number(house: &House) {
    world(house);
    house.write("first.csv", &[record(1, 0, 10), record(2, 1, 20)].concat());
    assert_eq!(import(house, &["first.csv"]).code, 0);
    // Known with other content: by an earlier file in line 3, by this one in line 4.
    house.write("second.csv", &[record(3, 0, 30), record(1, 0, 10), record(2, 1, 21), record(3, 0, 31)].concat());
    let second = import(house, &["second.csv", "--json"]);
    assert_eq!((second.code, &second.json()[0]["bad"], &second.json()[0]["loaded"]), (1, &json!(2), &json!(1)), "{second:?}");
    let bad = std::fs::read_to_string(house.path("second.csv.bad.csv")).expect("the lines not loaded");
    let fates: Vec<&str> = bad.lines().skip(1).map(|l| &l[..l.len().min(11)]).collect();
    assert_eq!(fates, ["3,conflict,", "4,conflict,"], "{bad}");

    let mut sheet = format!("iccid,alias\n{},one\n", iccid(0)).into_bytes();
    sheet.extend_from_slice(iccid(1).as_bytes());
    // Two characters of GBK.
    sheet.extend_from_slice(b",\xbf\xa8\xb3\xd8\n");
    std::fs::write(house.path("sims.csv"), sheet).expect("a file");
    let sims = house.run(&["import", "sims", "sims.csv", "--platform", "hand", "--account", "acme"], &[]);
    assert!(sims.code == 1 && sims.out.contains("changed 1, duplicate 0, bad 1"), "{sims:?}");
    let bad = std::fs::read_to_string(house.path("sims.csv.bad.csv")).expect("the lines not loaded");
    let line = format!("3,bad,is not UTF-8: save the sheet as CSV (UTF-8),\"{},", iccid(1));
    assert!(bad.lines().nth(1).is_some_and(|l| l.starts_with(&line)), "{bad}");

    // Whatever ends its lines and however many are blank, a bad one has its number, and its text can be put right and imported again.
    for end in ["\n", "\r\n", "\r"] {
        let good = format!("{},\"a, b\"", iccid(0));
        let lines = ["\u{feff}iccid,alias", "", &good, "", "", "12,\"c, \"\"d\"\"\"", &format!("{},", iccid(1)), "", "13,e", ""];
        house.write("ends.csv", &lines.join(end));
        let sims = house.run(&["import", "sims", "ends.csv", "--platform", "hand", "--account", "acme"], &[]);
        assert_eq!(sims.code, 1, "{sims:?}");
        let mut bad = csv::Reader::from_path(house.path("ends.csv.bad.csv")).expect("the lines not loaded");
        let rows: Vec<csv::StringRecord> = bad.records().map(|r| r.expect("a row")).collect();
        let told: Vec<(&str, &str)> = rows.iter().map(|r| (&r[0], &r[3])).collect();
        assert_eq!(told, [("6", "12,\"c, \"\"d\"\"\""), ("9", "13,e")], "{end:?}");
        house.write("head.csv", &["", "", "iccid,aliass", &good].join(end));
        let sims = house.run(&["import", "sims", "head.csv", "--platform", "hand", "--account", "acme"], &[]);
        assert!(sims.code == 1 && sims.err.contains("head.csv:3: there is no column \"aliass\""), "{sims:?}");
    }
    for end in ["\n", "\r\n"] {
        house.write("records.csv", &["\u{feff}", "", record(9, 0, 1).trim(), "", "", "x", ""].join(end));
        assert_eq!(import(house, &["records.csv"]).code, 1);
        let bad = std::fs::read_to_string(house.path("records.csv.bad.csv")).expect("the lines not loaded");
        assert!(bad.lines().nth(1).is_some_and(|line| line.starts_with("6,bad,")), "{end:?}: {bad}");
    }
    house.assert_sound();
}

fn a_known_card_keeps_its_state_and_a_line_that_has_another_is_told(house: &House) {
    world(house);
    let import = |name: &str, lines: &[String], more: &[&str]| {
        house.write(name, &format!("iccid,state,alias\n{}\n", lines.join("\n")));
        house.run(&[&["import", "sims", name, "--platform", "hand", "--account", "acme"], more].concat(), &[])
    };
    let of = |card: u64, rest: &str| format!("{},{rest}", iccid(card));
    let lines = [
        of(0, "active,"),
        String::new(),
        of(1, "stopped,new"),
        of(2, "closed,"),
        of(7, "ready,"),
        of(7, "testing,"),
        of(0, ","),
        of(0, "broken,"),
    ];
    let first = import("states.csv", &lines, &[]);
    let counts = "states.csv: loaded 1, changed 1, duplicate 4, bad 1, states kept 3; the lines not loaded are in";
    assert!(first.code == 1 && first.out.starts_with(counts), "{first:?}");
    let told: Vec<&str> = first.err.lines().filter(|line| line.contains("is known as")).collect();
    let wanted = [
        format!(
            "kachi: states.csv:4: {} is known as active; stopped is not taken over: `kachi admin sim stop` stops it",
            iccid(1)
        ),
        format!(
            "kachi: states.csv:5: {} is known as active; closed is not taken over: `kachi admin sim close` closes it, if its life here is over",
            iccid(2)
        ),
        format!(
            "kachi: states.csv:7: {} is known as ready; testing is not taken over: its carrier's word and its packages move it on, and \
             no command does",
            iccid(7)
        ),
    ];
    assert_eq!(told, wanted);
    let show = |card: u64| house.done(&["admin", "sim", "show", &iccid(card), "--json"]).json();
    assert_eq!((&show(1)["state"], &show(1)["alias"], &show(7)["state"]), (&json!("active"), &json!("new"), &json!("ready")));

    // What is as the file has it is not told, and a state that is kept is no fault of the file.
    house.done(&["admin", "sim", "close", &iccid(2), "--by", "Ann", "--reason", "lost"]);
    let again = import("again.csv", &[of(2, "closed,"), of(2, "active,"), of(7, "active,")], &["--json"]);
    let told = json!([
        {"line": 3, "iccid": iccid(2), "state": "closed", "not_taken_over": "active", "remedy": "its life here is over, which nothing undoes"},
        {"line": 4, "iccid": iccid(7), "state": "ready", "not_taken_over": "active",
         "remedy": "`kachi admin sim resume` lets it on, or activates one that was never on"},
    ]);
    assert_eq!((again.code, &again.json()["states_kept"], &again.json()["duplicate"]), (0, &told, &json!(3)), "{again:?}");
    let many = import("many.csv", &vec![of(0, "testing,"); 23], &[]);
    assert_eq!((many.code, many.err.matches("is not taken over").count()), (0, 20), "{many:?}");
    assert!(
        many.err.contains("many.csv: 3 more cards keep their state") && many.out.ends_with("bad 0, states kept 23\n"),
        "{many:?}"
    );
    house.assert_sound();
}

fn a_file_that_is_no_text_is_refused_with_what_it_is_and_what_to_do(house: &House) {
    world(house);
    house.write("good.csv", &record(1, 0, 10));
    let wide: Vec<u8> = format!("iccid\r\n{}\r\n", iccid(0)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let table: [(&[u8], &[u8], &str); 4] = [
        (b"\x1f\x8b\x08\0", b"\n\n", "is compressed with gzip: unpack it (`gunzip`) and take in the CSV file"),
        (
            b"PK\x03\x04",
            b"\n",
            "is a ZIP archive, as XLSX sheets are: unpack it, or save the sheet as CSV (UTF-8), and take in the CSV file",
        ),
        (b"\xff\xfe", &wide, "is UTF-16: save it as CSV (UTF-8), or change it with `iconv -f UTF-16 -t UTF-8`, and take in that"),
        (b"", &wide, "is UTF-16LE: save it as CSV (UTF-8), or change it with `iconv -f UTF-16LE -t UTF-8`, and take in that"),
    ];
    for (begin, rest, words) in table {
        std::fs::write(house.path("odd.csv"), [begin, rest].concat()).expect("a file");
        let cdr = import(house, &["good.csv", "odd.csv"]);
        let sims = house.run(&["import", "sims", "odd.csv", "--platform", "hand", "--account", "acme"], &[]);
        for refused in [cdr, sims] {
            assert!(refused.code == 1 && refused.out.is_empty(), "{refused:?}");
            assert_eq!(refused.err, format!("kachi: odd.csv: {words}\n"));
        }
    }
    assert_eq!(house.assert_sound(), 0, "nothing is taken in unless all can be read");
}

fn what_is_wrong_with_a_line_of_records_is_told_with_what_to_do(house: &House) {
    world(house);
    let good = record(1, 0, 10);
    let (good, cut) = (good.trim(), record(5, 0, 10)[..40].to_owned());
    let (few, many) = (good.rsplit_once(',').map_or("", |l| l.0), good.replace(",10,", ",1,0,"));
    house.write("odd.csv", &[good, few, &many, &good.replace(',', ";"), &cut].join("\n"));
    assert_eq!(import(house, &["odd.csv"]).code, 1);
    let mut bad = csv::Reader::from_path(house.path("odd.csv.bad.csv")).expect("the lines not loaded");
    let rows: Vec<csv::StringRecord> = bad.records().map(|r| r.expect("a row")).collect();
    let told: Vec<(&str, &str)> = rows.iter().map(|r| (&r[0], &r[2])).collect();
    let wanted = [
        ("2", "7 columns instead of 8: write id,start_time,stop_time,iccid,imsi,data_usage,imei,mccmnc, an empty one too"),
        (
            "3",
            "imei: 0 is not empty or 14 to 16 digits (9 columns instead of 8: take out the comma that is too many, or put its value in \
             double quotes)",
        ),
        ("4", "1 columns instead of 8: they are parted by semicolons; write commas"),
        ("5", "file ends in the middle of this line, in column 3 of 8: get the whole file"),
    ];
    assert_eq!(told, wanted);
    assert_eq!(house.assert_sound(), 1);
}

fn a_persons_text_is_no_formula_in_a_spreadsheet(house: &House) {
    world(house);
    house.write("texts.csv", &format!("iccid,alias,group,remark\n{},=HYPERLINK(1),-2+3,@SUM(1) - a\n", iccid(0)));
    let import = house.run(&["import", "sims", "texts.csv", "--platform", "hand", "--account", "acme"], &[]);
    assert_eq!(import.code, 0, "{import:?}");
    let sheet = house.run(&["export", "sims"], &[]).out;
    let line = sheet.lines().find(|l| l.starts_with(&iccid(0))).expect("the card");
    assert!(line.ends_with(",'=HYPERLINK(1),'-2+3,'@SUM(1) - a"), "{line}");
    let others = sheet.lines().filter(|l| l.contains('\''));
    assert_eq!(others.count(), 1, "nothing else is touched: {sheet}");
}

fn what_is_in_is_said_whatever_fails_afterwards(house: &House) {
    world(house);
    house.write("a.csv", &record(1, 0, 10));
    house.write("b.csv", &[record(2, 1, 20), record(3, 1, -1)].concat());
    house.write("c.csv", &record(4, 2, 40));
    for (missing, words) in [("none.csv", "none.csv: cannot be read ("), (".", ".: is a folder: name a CSV file")] {
        let refused = import(house, &["a.csv", missing, "--json"]);
        assert!(refused.code == 1 && refused.out.is_empty() && refused.err.contains(words), "{refused:?}");
        let sims = house.run(&["import", "sims", missing, "--platform", "hand"], &[]);
        assert!(sims.code == 1 && sims.err.contains(words), "{sims:?}");
    }
    assert_eq!(house.assert_sound(), 0, "nothing is taken in unless all can be read");
    // A folder stands where the bad lines are to go.
    std::fs::create_dir(house.path("b.csv.bad.csv")).expect("a folder");
    let done = import(house, &["a.csv", "b.csv", "c.csv", "--json"]);
    let counts: Vec<_> =
        done.json().as_array().expect("a list").iter().map(|r| (r["loaded"].clone(), r["bad"].clone())).collect();
    assert_eq!(counts, [(json!(1), json!(0)), (json!(1), json!(1))], "{done:?}");
    let said = |words: &str| done.err.contains(words);
    assert!(done.code == 3 && said("b.csv.bad.csv: cannot be written (") && said("the good lines are in"), "{done:?}");
    assert!(said("; not taken in: c.csv"), "{done:?}");
    let plain = import(house, &["b.csv"]);
    assert!(plain.code == 3 && plain.out.contains("loaded 0, duplicate 1, orphan 0, bad 1 (known before"), "{plain:?}");
    std::fs::remove_dir(house.path("b.csv.bad.csv")).expect("an empty folder");
    assert_eq!(import(house, &["b.csv", "c.csv"]).code, 1);
    std::fs::create_dir(house.path("sims.csv.bad.csv")).expect("a folder");
    house.write("sims.csv", &format!("iccid\n{}\n12\n", iccid(7)));
    let sims = house.run(&["import", "sims", "sims.csv", "--platform", "hand"], &[]);
    assert!(sims.code == 3 && sims.out.contains("loaded 1, changed 0, duplicate 0, bad 1\n"), "{sims:?}");
    assert!(sims.err.contains("sims.csv.bad.csv: cannot be written ("), "{sims:?}");
    assert_eq!(house.assert_sound(), 3);
}

fn usage_is_written_out_in_the_days_of_its_account_with_their_zone(house: &House) {
    world(house);
    house.write("zone.yaml", "accounts: [{code: acme, time_zone: America/New_York}]");
    let changed = house.done(&["apply", "zone.yaml"]).err;
    assert!(
        changed.contains("accounts[0].time_zone: usage of acme that is in already stays in the days of Asia/Shanghai"),
        "{changed}"
    );
    let at = now() - 60;
    let line = |id, card, bytes| kachi_testkit::world::line(id, card, at - 30, at, bytes);
    house.write("a.csv", &[line(1, 0, 10), line(2, 0, 20), line(3, 1, 40)].concat());
    assert_eq!(import(house, &["a.csv"]).code, 0);
    let day = day_text(Zone::find("America/New_York").expect("a zone").day(Timestamp(at)));
    let sheet = house.done(&["export", "usage", "--from", &day, "--to", &day]).out;
    let row =
        |card, bytes, records| format!("{},acme,{day},{bytes},{records},{},records,America/New_York", iccid(card), Timestamp(at));
    let header = "iccid,account,day,bytes,records,as_of,source,zone".to_owned();
    assert_eq!(sheet.lines().collect::<Vec<_>>(), [header, row(0, 30, 2), row(1, 40, 1)]);
    house.assert_sound();
}

/// Acme's money around March of 2020 in China: as the month begins, in its last second, and around it.
fn booked_around_march(house: &House) {
    house.apply("accounts: [{code: north, currency: USD}, {code: acme, id: 10001, parent: north, currency: USD, opening_balance: \"100.00\"}]");
    let (acme, north) = (AccountId(10_001), AccountId(10_002));
    let booked = [
        ("2020-02-29T15:59:59Z", Journal::TopUp, "bank 1, by Li", ledger::top_up(acme, 5_000)),
        (
            "2020-02-29T16:00:00Z",
            Journal::Purchase,
            "order 1",
            ledger::purchase(acme, 130, &[Share { account: north, minor: 30 }]),
        ),
        ("2020-03-31T15:59:59Z", Journal::Hold, "order 2", ledger::hold(acme, 200)),
        ("2020-03-31T16:00:00Z", Journal::TopUp, "=1+1, by Li", ledger::top_up(acme, 700)),
    ];
    for (at, name, cause, postings) in booked {
        let at = Timestamp::parse_rfc3339(at).expect("an instant");
        house.store().write(move |tx: &mut Tx<'_>| tx.post(acme, name, cause, &postings, at)).expect("posted");
    }
    let by_hand = MoneyAct {
        reference: "=1+1".into(),
        account: acme,
        name: Journal::TopUp.word().into(),
        minor: 700,
        said_by: "Li".into(),
        reason: String::new(),
        at: Timestamp::parse_rfc3339("2020-03-31T16:00:00Z").expect("an instant"),
        value_day: Some(parse_day("2020-03-30").expect("a day")),
        remark: "=2+2".into(),
    };
    house.store().write(move |tx: &mut Tx<'_>| tx.add_money_act(&by_hand)).expect("kept");
}

/// The lines of an export without the numbers of the journals.
fn journal(house: &House, words: &[&str]) -> Vec<String> {
    let sheet = house.done(&[&["export", "journal"], words].concat()).out;
    let rest = |line: &str| line.split_once(',').expect("columns").1.to_owned();
    sheet.lines().map(rest).collect()
}

fn the_journal_of_days_tells_every_posting_between_what_was_there_before_and_after(house: &House) {
    booked_around_march(house);
    let march = ["--from", "2020-03-01", "--to", "2020-03-31"];
    assert_eq!(
        journal(house, &march),
        [
            "at,day,account,bucket,currency,act,act_of,cause,amount,balance,value_date,remark",
            "2020-02-29T16:00:00Z,2020-03-01,operator,cash,USD,opening,,,,-50.00,,",
            "2020-02-29T16:00:00Z,2020-03-01,acme,available,USD,opening,,,,50.00,,",
            "2020-02-29T16:00:00Z,2020-03-01,acme,available,USD,purchase,acme,order 1,-1.30,48.70,,",
            "2020-02-29T16:00:00Z,2020-03-01,operator,revenue,USD,purchase,acme,order 1,1.00,1.00,,",
            "2020-02-29T16:00:00Z,2020-03-01,north,available,USD,purchase,acme,order 1,0.30,0.30,,",
            "2020-03-31T15:59:59Z,2020-03-31,acme,available,USD,hold,acme,order 2,-2.00,46.70,,",
            "2020-03-31T15:59:59Z,2020-03-31,acme,held,USD,hold,acme,order 2,2.00,2.00,,",
            "2020-03-31T16:00:00Z,2020-03-31,operator,cash,USD,closing,,,,-50.00,,",
            "2020-03-31T16:00:00Z,2020-03-31,operator,revenue,USD,closing,,,,1.00,,",
            "2020-03-31T16:00:00Z,2020-03-31,acme,available,USD,closing,,,,46.70,,",
            "2020-03-31T16:00:00Z,2020-03-31,acme,held,USD,closing,,,,2.00,,",
            "2020-03-31T16:00:00Z,2020-03-31,north,available,USD,closing,,,,0.30,,",
        ]
    );
    // An account's own statement is in its own days: in New York that month begins later and ends later.
    house.write("zone.yaml", "accounts: [{code: acme, time_zone: America/New_York}]");
    house.done(&["apply", "zone.yaml"]);
    assert_eq!(
        journal(house, &[&march[..], &["--account", "acme"]].concat())[1..],
        [
            "2020-03-01T05:00:00Z,2020-03-01,acme,available,USD,opening,,,,48.70,,",
            "2020-03-31T15:59:59Z,2020-03-31,acme,available,USD,hold,acme,order 2,-2.00,46.70,,",
            "2020-03-31T15:59:59Z,2020-03-31,acme,held,USD,hold,acme,order 2,2.00,2.00,,",
            "2020-03-31T16:00:00Z,2020-03-31,acme,available,USD,top_up,acme,\"'=1+1, by Li\",7.00,53.70,2020-03-30,'=2+2",
            "2020-04-01T04:00:00Z,2020-03-31,acme,available,USD,closing,,,,53.70,,",
            "2020-04-01T04:00:00Z,2020-03-31,acme,held,USD,closing,,,,2.00,,",
        ]
    );
    // What it ends with is what there is.
    let ever = journal(house, &["--from", "2019-01-01", "--to", "2099-12-31"]);
    let last = ever.iter().rfind(|l| l.contains(",acme,available,USD,closing,")).expect("a closing line");
    let shown = house.done(&["admin", "balance", "show", "acme", "--json"]).json();
    assert_eq!((last.rsplit(',').nth(2), shown["available"].as_str()), (Some("153.70"), Some("153.70")));
    let turned = house.run(&["export", "journal", "--from", "2020-03-31", "--to", "2020-03-01"], &[]);
    assert!(turned.code == 2 && turned.err.contains("--from is after --to"), "{turned:?}");
    let nobody = house.run(&[&["export", "journal", "--account", "nobody"], &march[..]].concat(), &[]);
    assert!(nobody.code == 1 && nobody.err.contains("--account: there is no account nobody"), "{nobody:?}");
}

fn a_file_whose_import_was_killed_is_named_by_the_doctor_until_it_is_taken_in(house: &House) {
    const LINES: i64 = 40_000;
    world(house);
    let at = now() - 7_200;
    let line = |n: i64| kachi_testkit::world::line(n + 1, (n % 3) as u64, at + n % 3_000, at + n % 3_000 + 60, 1_000);
    house.write("usage.csv", &(0..LINES).map(line).collect::<String>());
    let words = ["import", "cdr", "usage.csv", "--platform", "hand"];
    let mut importer = house.command(&words, &[("KACHI_LIMITS__IMPORT_ROWS", "20")]).spawn().expect("it starts");
    common::until("some of it is in", || house.store().read(|tx| tx.cdr_file(1)).ok().filter(|file| file.loaded > 0));
    importer.kill().expect("it is killed");
    importer.wait().expect("it ends");
    // A commit that was on its way to PostgreSQL is done all the same.
    if let Place::Postgres(url) = house.store().place() {
        kachi_store::db::execute(url, "BEGIN; LOCK TABLE cdr_file IN EXCLUSIVE MODE; COMMIT").expect("nobody is at it");
    }
    let left = house.store().read(|tx| tx.cdr_file(1)).expect("the file");
    assert!(!left.done, "it was killed in the middle: {left:?}");
    // What the doctor says of usage so many seconds later, with a watched folder or without.
    let usage = |seconds: i64, watch: &str| {
        let offset = seconds.to_string();
        let environment =
            [("KACHI_CLOCK__TEST", "true"), ("KACHI_CLOCK__OFFSET_SECONDS", offset.as_str()), ("KACHI_CDR__WATCH", watch)];
        let rows = house.run(&["admin", "doctor", "--json"], &environment).json();
        let row = rows.as_array().expect("a list").iter().find(|row| row["check"] == "usage").expect("the check").clone();
        (row["state"] == "trouble", row["words"].as_str().expect("words").to_owned())
    };
    let (trouble, told) = usage(0, "[]");
    assert!(!trouble && !told.contains("usage.csv"), "somebody may be at it: {told}");
    let bytes = house.path("usage.csv").metadata().expect("a file").len();
    let words = format!("usage.csv of platform hand was left at {} of {bytes} bytes, ", left.offset_bytes);
    let (trouble, told) = usage(700, "[]");
    assert!(trouble && told.contains(&words), "{told}");
    assert!(told.ends_with("import it again, it goes on there: kachi import cdr --platform hand usage.csv"), "{told}");
    let (trouble, told) = usage(8 * 86_400, "[]");
    assert!(!trouble && told.contains(&words), "it is told for good: {told}");
    std::fs::create_dir(house.path("in")).expect("a folder");
    std::fs::copy(house.path("usage.csv"), house.path("in/usage.csv")).expect("copied");
    let (trouble, told) = usage(700, r#"[{dir = "in", platform = "hand"}]"#);
    assert!(trouble && told.contains(&words) && told.contains("it lies in in, which kachi serve watches"), "{told}");
    assert!(!told.contains("import cdr"), "{told}");
    assert_eq!(import(house, &["usage.csv"]).code, 0);
    let (trouble, told) = usage(700, "[]");
    assert!(!trouble && !told.contains("usage.csv"), "{told}");
    assert_eq!(house.assert_sound(), LINES);
}

/// More cards than a pipe holds.
fn many_cards(house: &House) {
    world(house);
    let more = common::sims(3..3_000, "acme", "P1");
    house.write("more.yaml", &format!("sims:\n{more}"));
    house.done(&["apply", "more.yaml"]);
}

fn a_report_that_finds_no_room_leaves_the_one_before_as_it_was(house: &House) {
    many_cards(house);
    let text = |name: &str| std::fs::read_to_string(house.path(name)).expect("a file");
    let parts = || {
        let names = house.path("").read_dir().expect("a folder").map(|file| file.expect("a file").file_name());
        names.filter(|name| name.to_string_lossy().contains(".part")).count()
    };
    house.write("cards.csv", "kept");
    std::fs::set_permissions(house.path("cards.csv"), PermissionsExt::from_mode(0o600)).expect("its rights");
    std::os::unix::fs::symlink("cards.csv", house.path("link.csv")).expect("a link");
    // No file may grow above 50 or 100 KB, by which of the shells it is.
    let full = |words: &[&str]| {
        let whole = house.command(words, &[]);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]).arg(whole.get_program()).args(whole.get_args());
        common::finished(command.current_dir(house.path("")).stdin(Stdio::null()))
    };
    let over = full(&["export", "sims", "--out", "cards.csv", "--overwrite"]);
    assert!(text("cards.csv") == "kept" && parts() == 0, "{over:?}");
    let new = full(&["export", "sims", "--out", "new.csv"]);
    assert!(!house.path("new.csv").exists() && parts() == 0, "nothing is there under its name: {new:?}");
    assert!(
        new.code == 3 && new.err.contains("--out: new.csv cannot be written to (") && new.err.contains(": make room"),
        "{new:?}"
    );
    assert_eq!((over.code, over.err), (3, new.err.replace("new.csv", "cards.csv")));
    let copy = full(&["backup", "copy.db"]);
    assert_eq!(copy.code, 3, "{copy:?}");
    for words in [&["export", "sims", "--out"][..], &["backup"]] {
        let nowhere = house.run(&[words, &["no/such/file"]].concat(), &[]);
        assert!(nowhere.code == 1 && nowhere.err.contains("in a folder where you may write"), "{nowhere:?}");
    }
    assert!(!house.path("copy.db").exists() && parts() == 0, "nothing is left of any");
    let sheet = house.done(&["export", "sims"]).out;
    assert_eq!(sheet.lines().count(), 3_001);
    house.done(&["export", "sims", "--out", "link.csv", "--overwrite"]);
    assert!(text("cards.csv") == sheet && parts() == 0, "the file is written to which the link leads");
    assert!(house.path("link.csv").is_symlink());
    assert_eq!(house.path("cards.csv").metadata().expect("a file").permissions().mode() & 0o777, 0o600, "as readable as it was");
    house.done(&["export", "sims", "--out", "new.csv"]);
    assert!(text("new.csv") == sheet && parts() == 0);
}

fn a_reader_that_goes_away_ends_an_export_quietly(house: &House) {
    many_cards(house);
    let mut export = house.command(&["export", "sims"], &[]).spawn().expect("it starts");
    let mut first = String::new();
    BufReader::new(export.stdout.take().expect("its rows")).read_line(&mut first).expect("a line");
    assert!(first.starts_with("iccid,"), "{first}");
    let output = export.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
