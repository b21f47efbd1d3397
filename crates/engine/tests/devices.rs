//! Devices and their claims to cards, from a report to a person's word. On both engines.

use kachi_domain::carrier::{Answer, Call, Capabilities, Card, Connector, Facts, Line, Login, Request, Sent};
use kachi_domain::device::{ClaimState, Report};
use kachi_domain::ids::Imei;
use kachi_domain::{AccountId, Iccid, PlatformId, Refusal, Timestamp};
use kachi_engine::devices::claims::{self, Adding};
use kachi_engine::devices::{self, Heard, look};
use kachi_engine::imei::{self};
use kachi_engine::intents::Connectors;
use kachi_engine::{Fail, sims};
use kachi_store::devices::{Claim, Device};
use kachi_store::imei::ImeiGroup;
use kachi_testkit::db::each;
use kachi_testkit::world::{ACME, BEGIN, MB, NORTH, STRANGER, World, line_in};
use std::sync::{Arc, Mutex};

const OPERATOR: AccountId = AccountId(1);
const OWN: i64 = 867_530_912_345_678;
const FOREIGN: i64 = 355_000_000_000_017;

/// A report of the device that names a card.
fn names(serial: &str, card: u64) -> Heard {
    let report = Report { iccid: Some(World::iccid(card)), ..Report::default() };
    Heard { serial: serial.into(), product: "7".into(), report }
}

fn with_imei(mut heard: Heard, imei: i64) -> Heard {
    heard.report.imei = Some(Imei::parse(&imei.to_string()).expect("an IMEI"));
    heard
}

fn take(w: &World, heard: &[Heard]) {
    let heard = heard.to_vec();
    w.engine.write(move |tx, catalogue, how| devices::take(tx, catalogue, how, &heard)).expect("reports are taken in");
}

fn device(w: &World, serial: &str) -> Device {
    let found =
        w.engine.read(|tx, _| Ok(tx.device_by_serial(&[OPERATOR, NORTH, ACME, STRANGER], serial)?)).expect("the database");
    found.unwrap_or_else(|| panic!("there is no device {serial}"))
}

/// The card that a device is bound to, by its number in the world.
fn card_of(w: &World, serial: &str) -> Option<String> {
    let sim = device(w, serial).sim?;
    w.engine.read(|tx, _| Ok(tx.sim_by_id(sim)?)).expect("the database").map(|s| s.iccid)
}

fn all_claims(w: &World) -> Vec<Claim> {
    let actor = w.actor(OPERATOR);
    w.engine.read(|tx, _| claims::list(tx, &actor, false, 1_000)).expect("claims").into_iter().map(|l| l.claim).collect()
}

/// The doubt of the device's claim that waits for a person.
fn doubt(w: &World, serial: &str) -> Option<String> {
    let id = device(w, serial).id;
    all_claims(w).into_iter().find(|c| c.device == id && c.state == ClaimState::Open).map(|c| c.doubt)
}

fn open_claim(w: &World, serial: &str) -> i64 {
    let id = device(w, serial).id;
    all_claims(w).into_iter().find(|c| c.device == id && c.state.is_waiting()).expect("a claim that waits").id
}

fn accept(w: &World, id: i64, adding: Option<Adding>) -> kachi_engine::Result<()> {
    w.engine.write(move |tx, catalogue, how| claims::accept(tx, catalogue, how, (id, "Ann"), adding))
}

fn refuse(w: &World, id: i64) -> kachi_engine::Result<()> {
    w.engine.write(move |tx, _, how| claims::refuse(tx, how, (id, "Ann"), "not ours"))
}

fn is_locked(w: &World, card: u64) -> bool {
    w.card(card).blocks().names().contains(&"imei_lock")
}

fn iccid(card: u64) -> Option<String> {
    Some(World::iccid(card).to_string())
}

#[test]
fn a_report_makes_the_device_and_binds_the_card_it_names() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        let mut full = with_imei(names("D1", 0), OWN);
        full.report.rssi = Some(-43);
        full.report.firmware = Some("1.2".into());
        full.report.summary = Some(r#"{"name":"FastBee"}"#.into());
        take(&w, &[full, names("D2", 1), Heard { report: Report::default(), ..names("D3", 0) }]);
        let d = device(&w, "D1");
        assert_eq!((d.account, d.rssi, d.firmware.as_str(), d.reports), (ACME, Some(-43), "1.2", 1));
        assert_eq!(["D1", "D2", "D3"].map(|d| card_of(&w, d)), [iccid(0), iccid(1), None]);
        assert_eq!(device(&w, "D3").account, OPERATOR, "nobody's yet");
        assert_eq!(w.card(0).sim.imei, Some(OWN.to_string()), "the card's page tells the device it was seen in");
        // What a later report leaves out stays.
        w.pass(60);
        let later = Report { rssi: Some(-99), ..Report::default() };
        take(&w, &[Heard { report: later, ..names("D1", 0) }]);
        let d = device(&w, "D1");
        assert_eq!((d.rssi, d.firmware.as_str(), d.reports, d.reported_at), (Some(-99), "1.2", 2, BEGIN + 60));
        let kept = w.engine.read(|tx, _| Ok(tx.device_reports(d.id, 10)?)).expect("reports");
        assert_eq!(kept.iter().map(|r| (r.0, r.4)).collect::<Vec<_>>(), [(BEGIN + 60, Some(-99)), (BEGIN, Some(-43))]);
        assert!(w.events(0).contains(&"device_bound".to_owned()));
        w.assert_sound();
    });
}

#[test]
fn a_card_that_moves_to_a_new_device_leaves_the_old_one() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        take(&w, &[names("D1", 0), names("D2", 1)]);
        take(&w, &[names("D3", 0)]);
        assert_eq!(["D1", "D2", "D3"].map(|d| card_of(&w, d)), [None, iccid(1), iccid(0)]);
        // Two swap their cards within one batch.
        take(&w, &[names("D2", 0), names("D3", 1)]);
        assert_eq!(["D2", "D3"].map(|d| card_of(&w, d)), [iccid(0), iccid(1)]);
        w.assert_sound();
        // The card that was taken over is claimed back: two devices name it by turns, which is for a person.
        take(&w, &[names("D1", 0)]);
        assert_eq!((card_of(&w, "D2"), doubt(&w, "D1").as_deref()), (iccid(0), Some("device")));
        take(&w, &[names("D2", 0), names("D1", 0)]);
        assert_eq!(card_of(&w, "D2"), iccid(0));
        accept(&w, open_claim(&w, "D1"), None).expect("a person says so");
        assert_eq!(["D1", "D2"].map(|d| card_of(&w, d)), [iccid(0), None]);
        take(&w, &[names("D2", 0)]);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D2").as_deref()), (iccid(0), Some("device")));
        refuse(&w, open_claim(&w, "D2")).expect("a person says so");
        take(&w, &[names("D2", 0)]);
        assert_eq!((card_of(&w, "D1"), device(&w, "D2").claim), (iccid(0), Some(ClaimState::Refused)));
        w.assert_sound();
    });
}

#[test]
fn a_claim_to_a_card_of_another_account_waits_for_a_person() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.add_cards(STRANGER, 2..3);
        take(&w, &[names("D1", 0)]);
        take(&w, &[names("D1", 2)]);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D1").as_deref()), (iccid(0), Some("owner")));
        // A device that says it is an account's may claim no other's; a number that is no account says nothing.
        let mut told = names("D2", 1);
        told.report.user = Some(STRANGER.0);
        take(&w, &[told.clone()]);
        assert_eq!((card_of(&w, "D2"), doubt(&w, "D2").as_deref()), (None, Some("owner")));
        let words = &all_claims(&w)[0].words;
        assert_eq!(words, "the device is operator's and says it is stranger's; the card is acme's");
        told.serial = "D3".into();
        told.report.user = Some(2);
        take(&w, &[told]);
        assert_eq!(card_of(&w, "D3"), iccid(1));
        // A person's word brings the device to the card's account, and is asked for once.
        let id = open_claim(&w, "D1");
        accept(&w, id, None).expect("a person says so");
        assert_eq!((card_of(&w, "D1"), device(&w, "D1").account), (iccid(2), STRANGER));
        take(&w, &[names("D1", 2), names("D1", 2)]);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D1")), (iccid(2), None));
        assert!(matches!(accept(&w, id, None), Err(Fail::Refused(Refusal::BadField { .. }))), "it is settled");
        w.assert_sound();
    });
}

#[test]
fn a_claim_against_the_networks_word_on_the_imei_waits_until_they_agree() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..2);
        w.cdr("seen", &line_in(1, 0, BEGIN - 60, BEGIN, MB, FOREIGN));
        w.pass(60);
        take(&w, &[with_imei(names("D1", 0), OWN)]);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D1").as_deref()), (None, Some("imei")));
        assert_eq!(w.card(0).sim.imei, Some(FOREIGN.to_string()), "a claim that is not believed changes nothing");
        refuse(&w, open_claim(&w, "D1")).expect("a person says so");
        take(&w, &[with_imei(names("D1", 0), OWN)]);
        assert_eq!(device(&w, "D1").claim, Some(ClaimState::Refused));
        // Another one that says the same: the network sees it there a minute later, and the next report binds.
        take(&w, &[with_imei(names("D2", 0), OWN)]);
        assert_eq!(doubt(&w, "D2").as_deref(), Some("imei"));
        w.cdr("moved", &line_in(2, 0, BEGIN + 60, BEGIN + 61, MB, OWN));
        take(&w, &[with_imei(names("D2", 0), OWN)]);
        assert_eq!((card_of(&w, "D2"), doubt(&w, "D2")), (iccid(0), None));
        // Seen elsewhere afterwards, the binding is in doubt and stays until a person takes it away.
        w.pass(60);
        w.cdr("stolen", &line_in(3, 0, BEGIN + 100, BEGIN + 110, MB, FOREIGN));
        take(&w, &[with_imei(names("D2", 0), OWN)]);
        assert_eq!((card_of(&w, "D2"), doubt(&w, "D2").as_deref()), (iccid(0), Some("imei")));
        w.assert_sound();
        refuse(&w, open_claim(&w, "D2")).expect("a person says so");
        assert_eq!(card_of(&w, "D2"), None);
        w.assert_sound();
    });
}

#[test]
fn a_report_is_a_sighting_for_the_cards_imei_group() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..3);
        w.add_cards(STRANGER, 3..4);
        let group = ImeiGroup { id: 7, account: ACME, code: "g".into(), unlocks_per_month: 3, bound_sim: None };
        let actor = w.actor(OPERATOR);
        w.engine
            .write(move |tx, catalogue, how| {
                tx.add_imei_group(&group, how.now)?;
                tx.add_imei(&group, &Imei::parse(&OWN.to_string()).expect("an IMEI"))?;
                for card in 0..3 {
                    imei::join(tx, catalogue, how, &actor, (&World::iccid(card), &group), None)?;
                }
                Ok(())
            })
            .expect("a group");
        w.pass(60);
        take(&w, &[with_imei(names("D1", 0), OWN)]);
        assert_eq!((is_locked(&w, 0), card_of(&w, "D1")), (false, iccid(0)));
        take(&w, &[with_imei(names("D2", 1), FOREIGN)]);
        assert_eq!((is_locked(&w, 1), card_of(&w, "D2"), doubt(&w, "D2").as_deref()), (true, None, Some("imei")));
        assert_eq!(w.events(1).iter().filter(|e| *e == "sim_locked").count(), 1);
        take(&w, &[with_imei(names("D2", 1), FOREIGN)]);
        assert_eq!(w.events(1).iter().filter(|e| *e == "sim_locked").count(), 1, "locked once, told once");
        // A stranger's device that names the card does not lock it.
        take(&w, &[names("D3", 3)]);
        take(&w, &[with_imei(names("D3", 2), FOREIGN)]);
        assert_eq!((is_locked(&w, 2), doubt(&w, "D3").as_deref()), (false, Some("owner")));
        w.assert_sound();
    });
}

/// A platform that knows some cards, fails to answer about others, and counts what it was asked.
struct Knows(Vec<Iccid>, Arc<Mutex<Vec<String>>>, &'static str, Option<Answer>);

impl Connector for Knows {
    fn capabilities(&self) -> Capabilities {
        Capabilities { facts: Facts::ALL, ..Capabilities::default() }
    }
    fn renew(&self, call: &Call<'_>) -> Result<Login, Answer> {
        Ok(call.login.clone())
    }
    fn submit(&self, _: &Call<'_>, _: &Request) -> Answer {
        Answer::Unknown
    }
    fn look(&self, _: &Call<'_>, _: &Request, _: &Sent) -> Answer {
        Answer::Unknown
    }
    fn read(&self, _: &Call<'_>, card: &Card, _: Facts) -> Result<Line, Answer> {
        self.1.lock().expect("a lock").push(self.2.to_owned());
        match &self.3 {
            Some(broken) => Err(broken.clone()),
            None if self.0.iter().any(|i| i.as_str() == card.iccid) => Ok(Line::default()),
            None => Err(Answer::Refused { code: "404".into(), reason: "no such card".into() }),
        }
    }
}

struct Carriers {
    asked: Arc<Mutex<Vec<String>>>,
    open: Connectors,
}

impl Carriers {
    /// The world's two platforms and a third; the product of the world is the first's.
    fn new(w: &World, second: &[u64], first_broken: Option<Answer>) -> Carriers {
        w.engine
            .write(|tx, _, _| {
                tx.put_platform(0, "third", "sandbox", "{}")?;
                Ok(tx.touch_catalogue()?)
            })
            .expect("a platform");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let cards = |known: &[u64]| known.iter().map(|n| World::iccid(*n)).collect::<Vec<_>>();
        let id = |code: &str| w.engine.catalogue().expect("catalogue").platform_by_code(code).expect("a platform").id;
        let mut open = Connectors::new();
        for (code, known, broken) in
            [("hand", cards(second), None), ("play", cards(&[]), first_broken), ("third", cards(second), None)]
        {
            let connector: Arc<dyn Connector> = Arc::new(Knows(known, asked.clone(), code, broken));
            open.insert(id(code), connector);
        }
        Carriers { asked, open }
    }

    fn step(&self, w: &World, token: i64) -> Vec<String> {
        look::step(&w.engine, &self.open, token).expect("a step");
        std::mem::take(&mut *self.asked.lock().expect("a lock"))
    }
}

#[test]
fn every_platform_is_asked_until_one_knows_the_card() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        let carriers = Carriers::new(&w, &[5], None);
        take(&w, &[names("D1", 5), names("D2", 6), names("D1", 5)]);
        assert_eq!(device(&w, "D1").claim, Some(ClaimState::Looking));
        let asked = carriers.step(&w, 1);
        assert_eq!(asked, ["hand", "hand", "play", "third"], "D1's card is known to the first; D2's to none of the three");
        assert_eq!((card_of(&w, "D1"), card_of(&w, "D2")), (iccid(5), None));
        let card = w.card(5).sim;
        assert_eq!((card.account, card.state.as_str()), (OPERATOR, "unknown"), "found, and nothing more is known of it");
        assert_eq!(device(&w, "D2").claim, Some(ClaimState::Unknown));
        assert!(carriers.step(&w, 2).is_empty(), "not asked again at once");
        w.pass(86_400);
        assert_eq!(carriers.step(&w, 3), ["hand", "play", "third"]);
        // The card appears by other means: the next report binds it.
        w.add_cards(ACME, 6..7);
        take(&w, &[names("D2", 6)]);
        assert_eq!(card_of(&w, "D2"), iccid(6));
        w.assert_sound();
    });
}

#[test]
fn a_device_brings_its_account_no_card_that_the_operator_does_not_let_it_add() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(STRANGER, 0..1);
        w.add_cards(ACME, 1..2);
        let carriers = Carriers::new(&w, &[5, 6], None);
        take(&w, &[names("D1", 0), names("D2", 1)]);
        take(&w, &[names("D1", 5), names("D2", 6)]);
        carriers.step(&w, 1);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D1").as_deref()), (iccid(0), Some("owner")));
        let claim = all_claims(&w).into_iter().find(|c| c.id == open_claim(&w, "D1")).expect("a claim");
        assert_eq!(claim.words, "nobody has the card here, and account stranger, whose the device is, may not add cards itself");
        let known = w.engine.read(|tx, _| Ok(tx.sims_of_iccids(&[World::iccid(5).as_str()])?)).expect("the database");
        assert!(known.is_empty(), "{known:?}");
        assert_eq!(card_of(&w, "D2"), iccid(6), "the operator lets acme");
        w.assert_sound();
    });
}

#[test]
fn a_platform_that_does_not_answer_keeps_nobody_from_being_asked() {
    each(|store| {
        let w = World::new(store);
        let carriers = Carriers::new(&w, &[5], Some(Answer::InDoubt { reason: "no answer in time".into() }));
        let mut third = names("D1", 5);
        third.report.platform = Some(PlatformId(3));
        take(&w, &[third]);
        assert_eq!(carriers.step(&w, 1), ["third"], "only the platform that the device names");
        assert_eq!(doubt(&w, "D1").as_deref(), Some("product"), "it has no product: as what is the card to be added?");
        let id = open_claim(&w, "D1");
        assert!(matches!(accept(&w, id, None), Err(Fail::Refused(Refusal::BadField { .. }))), "that must be said");
        let product = w.engine.catalogue().expect("catalogue").product_by_code("1US-1").expect("a product").id;
        accept(&w, id, Some(Adding { product, account: ACME })).expect("a person says so");
        assert_eq!((card_of(&w, "D1"), device(&w, "D1").account), (iccid(5), ACME));
        // One that nobody knows while one platform is silent: asked again soon, and all of them.
        take(&w, &[names("D2", 9)]);
        assert_eq!(carriers.step(&w, 2), ["hand", "play", "third"]);
        assert_eq!(device(&w, "D2").claim, Some(ClaimState::Looking));
        assert_eq!(all_claims(&w)[0].words, "play: no answer in time");
        w.pass(10);
        assert_eq!(carriers.step(&w, 3), ["hand", "play", "third"]);
        // A platform that is not there is for a person.
        let mut nowhere = names("D3", 9);
        nowhere.report.platform = Some(PlatformId(99));
        take(&w, &[nowhere]);
        assert!(carriers.step(&w, 4).is_empty());
        assert_eq!(doubt(&w, "D3").as_deref(), Some("platform"));
        w.assert_sound();
    });
}

#[test]
fn a_device_goes_along_with_its_card() {
    each(|store| {
        let w = World::new(store);
        w.add_cards(ACME, 0..1);
        take(&w, &[names("D1", 0)]);
        let operator = w.actor(OPERATOR);
        w.engine
            .write(move |tx, catalogue, how| sims::transfer(tx, catalogue, how, &operator, &World::iccid(0), STRANGER))
            .expect("it moves");
        assert_eq!(device(&w, "D1").account, STRANGER);
        w.assert_sound();
        take(&w, &[with_imei(names("D1", 0), OWN)]);
        assert_eq!((card_of(&w, "D1"), doubt(&w, "D1")), (iccid(0), None));
    });
}

#[test]
fn work_of_one_process_is_given_back_or_runs_out() {
    each(|store| {
        let w = World::new(store);
        let take = |token: i64| {
            let until = |now: Timestamp| now.plus(60);
            w.engine.write(move |tx, _, how| Ok(tx.take_lease("x", token, until(how.now), how.now)?)).expect("the database")
        };
        assert_eq!([take(1), take(2), take(1)], [true, false, true]);
        w.engine.write(|tx, _, _| Ok(tx.give_lease("x", 2)?)).expect("the database");
        assert!(!take(2), "another's is not given back");
        w.engine.write(|tx, _, _| Ok(tx.give_lease("x", 1)?)).expect("the database");
        assert!(take(2));
        w.pass(61);
        assert!(take(3));
    });
}
