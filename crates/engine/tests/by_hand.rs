//! Money that a person books: the day on which it reached the bank, and what is kept beside it. On SQLite and PostgreSQL.

use kachi_domain::time::day_text;
use kachi_domain::{Currency, Money};
use kachi_engine::money::{self, ByHand};
use kachi_engine::{Fail, Result};
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};

fn book(w: &World, reference: &str, value_day: Option<i64>, remark: Option<&str>) -> Result<bool> {
    let (amount, remark) = (Money { minor: 500, currency: Currency::USD }, remark.map(str::to_owned));
    let act = ByHand { correction: None, account: ACME, amount, reference: reference.into(), by: "Li".into(), value_day, remark };
    w.engine.write(move |tx, catalogue, how| money::book(tx, catalogue, &act, how.now))
}

#[test]
fn a_value_date_is_a_day_of_the_last_year_and_is_kept_as_it_was_first_said() {
    each(|store| {
        let w = World::new(store);
        let today = w.engine.catalogue().unwrap().zone(ACME).day(w.now());
        let now = day_text(today);
        let refused = [
            (Some(today + 1), None, format!("value_date: {} is after today, {now}", day_text(today + 1))),
            (Some(today - 367), None, format!("value_date: {} is more than 366 days before today, {now}", day_text(today - 367))),
            (None, Some(" "), "remark: must have 1 to 200 characters".into()),
        ];
        for (day, remark, says) in refused {
            match book(&w, "bank 1", day, remark) {
                Err(Fail::Refused(refusal)) => assert!(refusal.to_string().contains(&says), "{refusal}"),
                other => panic!("{says}: {other:?}"),
            }
        }
        for (reference, day, remark) in [("bank 1", Some(today - 366), Some("for May")), ("bank 2", Some(today), None)] {
            assert!(book(&w, reference, day, remark).unwrap(), "{reference}");
        }
        let booked_at = w.now();
        w.pass(3 * 86_400);
        for (day, remark) in [(Some(today - 366), Some("for May")), (Some(today), Some("for June")), (None, None)] {
            assert!(!book(&w, "bank 1", day, remark).unwrap(), "it is the same act");
        }
        let kept = w.engine.read(|tx, _| Ok(tx.money_act("bank 1")?)).unwrap().expect("an act");
        assert_eq!((kept.at, kept.value_day, &*kept.remark), (booked_at, Some(today - 366), "for May"));
        assert_eq!(w.balance(ACME), 10_000 + 1_000);
        w.assert_sound();
    });
}
