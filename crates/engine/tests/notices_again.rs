//! Notices that are sent again by a person once their receiver is mended. On both engines.

use kachi_domain::event::{Body, EventKind};
use kachi_domain::{AccountId, Refusal, SimId, Timestamp};
use kachi_engine::webhooks::{self, Posted, Replay, Replayed, Silent};
use kachi_engine::{Fail, Settings};
use kachi_store::accounts::Account;
use kachi_store::events::NewEvent;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, NORTH, STRANGER, World};
use std::cell::Cell;
use std::collections::BTreeMap;

const DOOR: &str = "eiotclub";
/// Between the two attempts of the schedule.
const WAIT: i64 = 60;

struct Scene {
    w: World,
    token: Cell<i64>,
}

impl Scene {
    fn new(store: kachi_store::Store) -> Scene {
        let w = World::with(store, Settings { retry_seconds: vec![0, WAIT], ..Settings::default() });
        w.engine
            .write(|tx, catalogue, how| {
                for account in [ACME, STRANGER] {
                    let before = catalogue.account(account).expect("an account").account.clone();
                    let notify = r#"{"eiotclub":"http://127.0.0.1:9/n"}"#.to_owned();
                    tx.put_account(&Account { notify, ..before }, how.now)?;
                }
                Ok(tx.touch_catalogue()?)
            })
            .expect("addresses");
        Scene { w, token: Cell::new(1) }
    }

    /// Something happens to a card of the account now.
    fn tell(&self, account: AccountId, card: i64) {
        let iccid = World::iccid(card as u64).to_string();
        let body = Body::Alert { iccid, eid: None, alert_type: 1, threshold: 100 };
        let event = NewEvent {
            account,
            sim: Some(SimId(card)),
            kind: EventKind::UsageAlert,
            at: self.w.now(),
            body: serde_json::to_string(&body).expect("JSON"),
            doors: vec![DOOR.into()],
            once: None,
        };
        self.w.engine.write(move |tx, _, how| Ok(tx.tell(std::slice::from_ref(&event), how.now)?)).expect("told");
    }

    /// Posts all that is due, to a receiver that acknowledges or not; the answer is what was posted, lane by lane.
    fn post(&self, acknowledged: bool) -> Vec<Vec<i64>> {
        self.token.set(self.token.get() + 1);
        let claim = webhooks::claim(&self.w.engine, self.token.get(), &Silent::default()).expect("claimed");
        assert!(claim.unsendable.is_empty());
        let lanes = claim.lanes.iter().map(|lane| lane.iter().map(|job| job.id).collect()).collect();
        let said = || Posted { acknowledged, status: Some(500), answer: "no".into(), millis: 1 };
        let posted = claim.lanes.into_iter().flatten().map(|job| (job, said())).collect();
        webhooks::settle(&self.w.engine, self.token.get(), posted).expect("settled");
        lanes
    }

    /// Posts until the whole schedule is used up.
    fn use_up(&self) {
        self.post(false);
        self.w.pass(WAIT);
        self.post(false);
    }

    /// The notice's state, and the numbers of its attempts.
    fn notice(&self, id: i64) -> (String, i64, Vec<i64>) {
        self.w
            .engine
            .read(|tx, _| {
                let all = tx.deliveries_newest(&[ACME, STRANGER], None, 100)?;
                let one = all.into_iter().find(|d| d.0 == id).expect("the notice");
                Ok((one.5, one.6, tx.delivery_attempts(id)?.iter().map(|a| a.0).collect()))
            })
            .expect("read")
    }

    fn again(&self, of: &Replay, most: i64) -> Replayed {
        webhooks::replay(&self.w.engine, of, most, "Li").expect("sent again")
    }
}

fn of(account: AccountId) -> Replay {
    Replay { account: Some(account), ..Replay::default() }
}

fn counted(of: &[(AccountId, i64)]) -> BTreeMap<webhooks::Endpoint, i64> {
    of.iter().map(|(account, n)| ((*account, DOOR.to_owned()), *n)).collect()
}

#[test]
fn the_dead_notices_of_an_account_are_sent_again_in_order_each_with_its_whole_schedule() {
    each(|store| {
        let s = Scene::new(store);
        // 1 to 4: three of one card, one of another; 5: a stranger's.
        [(ACME, 7), (ACME, 7), (ACME, 8), (ACME, 7), (STRANGER, 9)].into_iter().for_each(|(account, card)| s.tell(account, card));
        s.use_up();
        assert_eq!(s.notice(1), ("dead".into(), 2, vec![1, 2]));
        // Its account and those above see them; they are counted, and nothing is done.
        for account in [ACME, NORTH] {
            let found = webhooks::replayable(&s.w.engine, &of(account)).expect("counted");
            assert_eq!(found, Replayed { notices: counted(&[(ACME, 4)]), more: 0, acknowledged: 0 });
        }
        assert_eq!(s.post(true), Vec::<Vec<i64>>::new(), "counting sends nothing");

        let some = s.again(&of(ACME), 3);
        assert_eq!((some.notices, some.more), (counted(&[(ACME, 3)]), 1), "the oldest first, and no more than asked");
        s.tell(ACME, 7);
        assert_eq!(s.post(false), [vec![1, 2, 6], vec![3]], "a card's in their order, before what is newer");
        assert_eq!(s.notice(1), ("waiting".into(), 3, vec![1, 2, 3]), "one try is not its last");
        s.w.pass(WAIT);
        s.post(false);
        assert_eq!(s.notice(1), ("dead".into(), 4, vec![1, 2, 3, 4]));
        assert_eq!(s.again(&of(ACME), 100).total(), 5);
        s.post(true);
        assert_eq!((s.notice(1), s.notice(4)), (("done".into(), 5, vec![1, 2, 3, 4, 5]), ("done".into(), 3, vec![1, 2, 3])));
        assert_eq!(s.notice(5).0, "dead", "nobody asked for the stranger's");
        s.w.assert_sound();
    });
}

#[test]
fn which_are_sent_again_is_bounded_by_door_time_and_number_and_who_did_it_is_kept() {
    each(|store| {
        let s = Scene::new(store);
        s.tell(ACME, 7);
        s.w.pass(1_000);
        let later = s.w.now();
        s.tell(ACME, 7);
        s.use_up();
        let total = |of: &Replay| webhooks::replayable(&s.w.engine, of).expect("counted").total();
        assert_eq!(total(&Replay { door: Some("cardboss_data".into()), ..of(ACME) }), 0);
        assert_eq!(total(&Replay { since: Some(later), ..of(ACME) }), 1);
        assert_eq!(total(&Replay { since: Some(Timestamp(0)), ..of(ACME) }), 2);
        assert_eq!(total(&Replay { numbers: Some((2, 9)), ..Replay::default() }), 1);
        assert_eq!(total(&of(STRANGER)), 0);
        let unsaid = webhooks::replay(&s.w.engine, &of(ACME), 9, " ");
        assert!(matches!(unsaid, Err(Fail::Refused(Refusal::BadField { field, .. })) if field == "by"));

        s.again(&Replay { numbers: Some((2, 2)), ..Replay::default() }, 9);
        s.post(true);
        let numbers = Replay { numbers: Some((1, 2)), ..Replay::default() };
        let found = webhooks::replayable(&s.w.engine, &numbers).expect("counted");
        assert_eq!((found.total(), found.acknowledged), (1, 1));
        assert_eq!(s.again(&Replay { done: true, ..numbers }, 9).total(), 2);
        let events = s.w.engine.read(|tx, _| Ok(tx.events_newest(&[ACME], 10)?)).expect("events");
        let acts: Vec<&String> = events.iter().filter(|e| e.3 == "notices_replayed").map(|e| &e.5).collect();
        assert!(acts.len() == 2 && acts[0].contains("2 notices of eiotclub are sent again, by Li"), "{acts:?}");
    });
}
