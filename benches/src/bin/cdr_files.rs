//! CDR files to customers: writing one half hour's files of many accounts, against reading the hour for each account by itself.
//!
//! `cargo run --release -p kachi-bench --bin cdr_files -- [ACCOUNTS] [RECORDS] [sqlite|postgres]`

use kachi_bench::{NOW, engine, place, platform, report};
use kachi_domain::account::Path;
use kachi_domain::cdr::delivery::{Protocol, Slot, Target};
use kachi_domain::cdr::write_record;
use kachi_domain::usage::CdrRecord;
use kachi_domain::{AccountId, Iccid, Timestamp};
use kachi_engine::{Engine, Settings, cdr_deliveries, import, sims};
use kachi_store::accounts::Account;
use std::io::Cursor;
use std::time::Instant;

const FIRST: i64 = 20_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: i64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (accounts, records) = (number(0, 200), number(1, 200_000));
    let which = args.get(2).cloned().unwrap_or_else(|| "sqlite".into());
    let dir = tempfile::tempdir().expect("a folder");
    let engine = engine(place(&which, dir.path(), "cdr_files"), 0, Settings::default());
    add_accounts(&engine, accounts);
    let mut lines = Vec::new();
    for n in 0..records {
        let stop = Timestamp(NOW - 5_000 + n * 3_000 / records);
        let (source_id, iccid) = (n, iccid(FIRST + n % accounts));
        let record = CdrRecord {
            source_id,
            start: stop.plus(-60),
            stop,
            iccid,
            imsi: 460_001_234_500_000,
            bytes: 1,
            imei: 0,
            mccmnc: 46_000,
        };
        write_record(&mut lines, &record);
    }
    import::import(&engine, platform(&engine), "hour.csv", &mut Cursor::new(lines), &mut |_| {}).expect("an import");
    assert_eq!(cdr_deliveries::make_due(&engine).expect("the half hour"), 1);

    let began = Instant::now();
    let mut written = 0;
    for token in 1..=accounts {
        let job = cdr_deliveries::claim(&engine, token).expect("an answer").expect("a file");
        written += cdr_deliveries::content(&engine, &job).expect("its content").records;
    }
    let ours = accounts as f64 / began.elapsed().as_secs_f64();
    assert_eq!(written, records);

    let (slot, began) = (Slot::at(Timestamp(NOW)), Instant::now());
    for id in FIRST..FIRST + accounts {
        let window = slot.window();
        let alone = engine.store().read(|tx| {
            let mut found = 0;
            for mut batch in tx.cdr_batches(slot.instant(), window.start, window.end)? {
                loop {
                    let some = tx.cdr_records(&mut batch, &[AccountId(id)], 10_000)?.len();
                    found += some as i64;
                    if some == 0 {
                        break;
                    }
                }
            }
            Ok::<_, kachi_store::Error>(found)
        });
        assert!(alone.expect("records") > 0);
    }
    let each = accounts as f64 / began.elapsed().as_secs_f64();
    report(&format!("CDR files of {accounts} accounts, {records} records"), &which, ours, each, "files/s");
}

/// Accounts with a folder and a card each.
fn add_accounts(engine: &Engine, accounts: i64) {
    engine
        .write(move |tx, catalogue, how| {
            let above = catalogue.account(AccountId(1)).map(|a| a.account.clone()).expect("the operator");
            for id in FIRST..FIRST + accounts {
                let path = Path::root().child(AccountId(id));
                tx.put_account(&Account { id: AccountId(id), code: format!("a{id}"), path, ..above.clone() }, how.now)?;
                tx.put_cdr_target(AccountId(id), &target(), how.now.plus(-86_400))?;
            }
            Ok(tx.touch_catalogue()?)
        })
        .expect("accounts");
    engine
        .write(move |tx, catalogue, how| {
            let product = catalogue.product_by_code("P").map(|p| p.id).expect("the product");
            for id in FIRST..FIRST + accounts {
                sims::put(tx, catalogue, how, &sims::blank(&iccid(id), AccountId(id), product))?;
            }
            Ok(())
        })
        .expect("cards");
}

fn iccid(account: i64) -> Iccid {
    Iccid::parse(&format!("8986002{account:013}")).expect("well-formed")
}

fn target() -> Target {
    Target {
        protocol: Protocol::Ftp,
        host: "127.0.0.1".into(),
        port: 21,
        user: "u".into(),
        password: "p".into(),
        private_key: String::new(),
        directory: String::new(),
        fingerprint: String::new(),
    }
}
