//! The door at which carriers call: what is the carrier's is kept once, what is not is refused. On SQLite and PostgreSQL.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{
    Answer, Call, Callback, Capabilities, Card, Change, Connector, Facts, Line, Login, News, Request as Write, Sent, Standing,
    Uplink,
};
use kachi_domain::order::OrderState;
use kachi_domain::sim::BaseState;
use kachi_domain::sms::SmsState;
use kachi_domain::{AccountId, Timestamp};
use kachi_edges::carriers::{Door, router};
use kachi_engine::{card_reads, sms};
use kachi_store::Store;
use kachi_testkit::carrier::Carrier;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, World};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

/// A carrier that numbers messages by our references, has every card stopped, and calls in lines of words under a key.
#[derive(Default)]
struct Telling {
    /// Readings that it has no time for.
    busy: AtomicUsize,
    /// What it hands out to whoever asks first.
    waiting: Mutex<String>,
}

fn news(text: &str, now: Timestamp) -> Vec<News> {
    let news = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["changed", iccid] => News::Changed(Change { iccid: Some(iccid.into()), msisdn: None, standing: None }),
        ["message", job, "done"] => News::Message { job: job.into(), answer: Answer::Confirmed },
        ["message", job, code] => {
            News::Message { job: job.into(), answer: Answer::Refused { code: code.into(), reason: "no".into() } }
        }
        ["wrote", id, card, text] => {
            News::Wrote(Uplink { id: id.into(), card: card.into(), to: "106".into(), text: text.into(), at: now })
        }
        _ => panic!("{line}"),
    };
    text.lines().map(news).collect()
}

impl Connector for Telling {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sms: true, subscribe: true, look: true, callbacks: true, facts: Facts::ALL, ..Capabilities::default() }
    }
    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        Ok(call.login.clone())
    }
    fn submit(&self, _: &Call<'_>, request: &Write) -> Answer {
        Answer::Accepted { job: Some(format!("{} and what it keeps", request.reference)) }
    }
    fn look(&self, _: &Call<'_>, _: &Write, sent: &Sent) -> Answer {
        Answer::Accepted { job: sent.job.clone() }
    }
    fn read(&self, _: &Call<'_>, _: &Card, _: Facts) -> Result<Line, Answer> {
        if self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Answer::Later { seconds: 30, reason: "busy".into() });
        }
        let standing = Standing { base: BaseState::Stopped, raw: "3".into(), since: None };
        Ok(Line { standing: Some(standing), ..Line::default() })
    }
    fn read_callback(&self, callback: &Callback<'_>, now: Timestamp) -> Result<Vec<News>, Answer> {
        let signed = callback.headers.iter().any(|(name, value)| (*name, *value) == ("x-key", "good"));
        if !signed {
            return Err(Answer::Refused { code: "signature".into(), reason: "no good key".into() });
        }
        let text = String::from_utf8_lossy(callback.body).into_owned() + callback.query;
        Ok(news(&text, now))
    }
    fn hands_out(&self) -> bool {
        true
    }
    fn waiting(&self, call: &Call<'_>) -> Result<Vec<News>, Answer> {
        Ok(news(&std::mem::take(&mut *self.waiting.lock().expect("what waits")), call.now))
    }
}

struct Scene {
    w: World,
    carrier: Carrier,
}

impl Scene {
    fn of(store: Store, connector: Arc<dyn Connector>) -> Scene {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let carrier = Carrier::by(&w.engine, "1US-1", ("sandbox", json!({}), connector), &[]);
        Scene { w, carrier }
    }

    /// What the door answers to a call: its status and words.
    fn call(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        let connectors = Arc::new(self.carrier.connectors.clone());
        let door = Door::new(self.w.engine.clone(), Arc::new(move || Ok(connectors.clone())), 4_096);
        let request = Request::builder().method(method).uri(path).header("x-key", key).body(Body::from(body.to_owned()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let response = router(door).oneshot(request.expect("a request")).await.expect("an answer");
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), 4_096).await.expect("a body");
            (status, String::from_utf8_lossy(&body).into_owned())
        })
    }

    fn tell(&self, body: &str) -> u16 {
        self.call("POST", "/carrier/virtual", "good", body).0
    }

    fn read(&self) -> usize {
        card_reads::step(&self.w.engine, &self.carrier.connectors, self.w.now().0).expect("cards are read")
    }

    fn send(&self, card: u64, number: &'static str) {
        let actor = self.w.actor(ACME);
        let send = move |tx: &mut kachi_store::Tx<'_>, catalogue: &_, how: &_| {
            sms::send(tx, catalogue, how, &actor, (&World::iccid(card), "hello", number))
        };
        self.w.engine.write(send).expect("it is queued");
    }

    fn message(&self, number: &str) -> SmsState {
        self.w.engine.read(|tx, _| Ok(tx.sms(number)?)).expect("the database").expect("a message").state
    }
}

#[test]
fn a_card_that_is_told_to_have_changed_is_read_and_stands_as_it_is() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        s.w.buy(1, "Q100-30D", "o-1").expect("it has a package");
        let changed = format!("changed {}", World::iccid(1));
        assert_eq!(s.call("GET", &format!("/carrier/virtual?{}", changed.replace(' ', "%20")), "bad", "").0, 403);
        assert_eq!((s.tell(&changed), s.tell(&changed)), (200, 200));
        assert_eq!(s.w.card(1).sim.state, "active", "a call is a hint and no fact");
        assert_eq!((s.read(), s.read()), (1, 0), "once, however often it is told");
        assert_eq!((s.w.card(1).sim.state.as_str(), s.w.card(0).sim.state.as_str()), ("stopped", "active"));
        assert_eq!(s.tell(&changed), 200);
        assert_eq!(s.read(), 1, "told anew, read anew");
        assert_eq!((s.tell(&format!("changed {}", World::iccid(99))), s.read()), (200, 0), "not ours");
        s.w.assert_sound();
    });
}

#[test]
fn a_carrier_that_is_busy_is_asked_for_a_changed_card_until_it_is_not() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling { busy: AtomicUsize::new(6), ..Telling::default() }));
        s.w.buy(1, "Q100-30D", "o-1").expect("it has a package");
        assert_eq!(s.tell(&format!("changed {}", World::iccid(1))), 200);
        for _ in 0..6 {
            assert_eq!((s.read(), s.read()), (1, 0), "not at once");
            assert_eq!(s.w.card(1).sim.state, "active");
            s.w.pass(600);
        }
        assert_eq!((s.read(), s.w.card(1).sim.state.as_str()), (1, "stopped"));
        s.w.pass(86_400);
        assert_eq!(s.read(), 0, "told once, read once");
    });
}

#[test]
fn a_message_has_the_word_that_its_carrier_tells_of_it() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        s.send(0, "m-1");
        s.send(1, "m-2");
        s.carrier.work(&s.w.engine);
        assert_eq!((s.message("m-1"), s.message("m-2")), (SmsState::Sent, SmsState::Sent));
        assert_eq!(s.tell("message m-1 done\nmessage m-2 9"), 200);
        assert_eq!((s.message("m-1"), s.message("m-2")), (SmsState::Delivered, SmsState::Failed));
        assert_eq!(s.tell("message m-1 9\nmessage m-9 done"), 200);
        assert_eq!(s.message("m-1"), SmsState::Delivered, "its last word is its last");
        s.w.pass(60);
        s.carrier.work(&s.w.engine);
        assert_eq!(s.message("m-1"), SmsState::Delivered);
    });
}

#[test]
fn an_order_has_the_word_that_its_carrier_tells_of_it() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        let (yes, no) = (s.w.buy(0, "C100-30D", "o-1").expect("an order"), s.w.buy(1, "C100-30D", "o-2").expect("an order"));
        s.carrier.work(&s.w.engine);
        let state = |order| s.w.engine.read(|tx, _| Ok(tx.order_by_id(order)?)).expect("the database").expect("an order").state;
        assert_eq!((state(yes.order), state(no.order)), (OrderState::Pending, OrderState::Pending), "taken is not done");
        let told = format!("message {} done\nmessage {} 9\nmessage and done", yes.number, no.number);
        assert_eq!((s.tell(&told), s.tell(&told)), (200, 200));
        assert_eq!((state(yes.order), state(no.order)), (OrderState::Done, OrderState::Failed));
        s.w.assert_sound();
    });
}

#[test]
fn what_a_platform_hands_out_once_is_kept_whoever_it_is_about() {
    each(|store| {
        let telling = Arc::new(Telling::default());
        let s = Scene::of(store, telling.clone());
        let collect = || sms::collect(&s.w.engine, &s.carrier.connectors).expect("it is asked");
        s.send(0, "m-1");
        s.carrier.work(&s.w.engine);
        *telling.waiting.lock().unwrap() =
            format!("message m-1 done\nwrote u-1 {} up\nwrote u-2 {} up", World::iccid(2), World::iccid(77));
        assert_eq!((collect(), collect()), (2, 0), "nobody wrote to the card, and another is not ours");
        assert_eq!(s.message("m-1"), SmsState::Delivered);
        assert!(s.w.events(2).contains(&"sms_replied".to_owned()));
    });
}

#[test]
fn what_a_device_wrote_is_kept_once() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        let wrote = format!("wrote u-1 {} up", World::iccid(2));
        assert_eq!((s.tell(&wrote), s.tell(&wrote)), (200, 200));
        let now = s.w.now();
        let take =
            |account: AccountId| s.w.engine.write(move |tx, _, _| Ok(tx.take_sms_replies(account, 10, now)?)).expect("replies");
        let replies = take(ACME);
        assert_eq!(replies.len(), 1);
        assert_eq!((replies[0].0.as_str(), replies[0].3.as_str()), ("u-1", "up"));
        assert!(s.w.events(2).contains(&"sms_replied".to_owned()));
    });
}

#[test]
fn a_carrier_tells_nothing_of_another_platforms_cards() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        // The product, and with it the cards, live elsewhere now.
        s.w.engine
            .write(move |tx, catalogue, _| {
                let hand = catalogue.platform_by_code("hand").expect("a platform").id;
                let product = catalogue.product_by_code("1US-1").expect("a product").clone();
                tx.put_product(&kachi_store::catalogue::Product { platform: hand, ..product })?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("it moves");
        assert_eq!(s.tell(&format!("changed {}\nwrote u-1 {} up", World::iccid(0), World::iccid(0))), 200);
        assert_eq!((s.read(), s.w.events(0).contains(&"sms_replied".to_owned())), (0, false));
    });
}

#[test]
fn what_is_no_platforms_or_too_large_is_refused() {
    each(|store| {
        let s = Scene::of(store, Arc::new(Telling::default()));
        assert_eq!(s.call("POST", "/carrier/nowhere", "good", "").0, 404);
        assert_eq!(s.call("POST", "/carrier/hand", "good", "").0, 404, "a person tells nothing by a call");
        assert_eq!(s.call("POST", "/carrier/virtual", "good", &"x".repeat(5_000)).0, 413);
        assert_eq!(s.call("DELETE", "/carrier/virtual", "good", "").0, 405);
        let (status, words) = s.call("POST", "/carrier/virtual", "bad", "changed x");
        assert_eq!((status, words.as_str()), (403, "this call is not the carrier's\n"));
    });
}

/// What Jasper posts, signed over the timestamp with the secret `s3cret` (HMAC-SHA256, made by Python's `hmac`).
const SIGNED: &str = "eventId=1&eventType=SIM_STATE_CHANGE&timestamp=2026-03-01T00%3A00%3A00Z\
    &signature2=TadoqCbcDIYxzebxT3AqHxbbcpnPM0rp%2FQ5Ah0Kl1WU%3D&data=%3Ca%3E%3Ciccid%3EICCID%3C%2Ficcid%3E%3C%2Fa%3E";

#[test]
fn jasper_is_heard_under_its_signature() {
    each(|store| {
        let settings = json!({"username": "u", "api_key": "k", "url": "http://127.0.0.1:9", "push_secret": "s3cret"});
        let world = kachi_connectors::sandbox::World::default();
        let jasper = kachi_connectors::open("jasper", &settings, &world, &Addresses::any()).expect("it opens");
        let s = Scene::of(store, Arc::from(jasper));
        let event = SIGNED.replace("ICCID", World::iccid(1).as_str());
        assert_eq!(s.tell(&event), 200);
        assert_eq!(s.tell(&event.replace("2026", "2027")), 403);
        let wanted = s.w.engine.read(|tx, catalogue| {
            let due = catalogue.platform_ids().into_iter().map(|platform| tx.card_reads_due(platform, s.w.now()));
            Ok(due.collect::<Result<Vec<bool>, _>>()?)
        });
        assert!(wanted.expect("the database").contains(&true), "the card is wanted");
    });
}
