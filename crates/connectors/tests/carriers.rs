//! The connectors of carriers against the other side of their wire, which shares no code with them: what each can do, with and
//! without faults. The simulator knows the truth, so "done once" is proven and not believed.

use kachi_connectors::{open, sandbox};
use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::{
    Answer, Ask, Call, Card, Connector, Fact, Facts, Function, Line, Login, Request, Sent, Write, logged_in,
};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::time::{Timestamp, Zone, day_text};
use kachi_simulator::{Base, CardSpec, Fault, FaultKind, Platform, Settings, Simulator, Stop};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};

#[path = "carriers/cards.rs"]
mod cards;
#[path = "carriers/gateway.rs"]
mod gateway;
#[path = "carriers/table.rs"]
mod table;

/// Seconds after which a write that does not show is sent again.
const APPLY_SECONDS: i64 = 60;
const MB: u64 = 1 << 20;

/// Every carrier with the name of its connector.
const CARRIERS: [(Platform, &str); 5] = [
    (Platform::OneLink, "onelink"),
    (Platform::CtWing, "ctwing"),
    (Platform::Telecom, "telecom_des"),
    (Platform::Unicom, "unicom"),
    (Platform::Jasper, "jasper"),
];

fn login(platform: Platform) -> Value {
    match platform {
        Platform::OneLink => json!({"appid": "100001", "password": "pw123", "sms_action": "T1", "main_offer": "1"}),
        Platform::CtWing => json!({"app_key": "demoAppKey", "secret_key": "SECRET123", "cust_number": "C1"}),
        Platform::Telecom => json!({"user_id": "demoUser", "password": "demoPass1", "key": "k1ak2bk3c"}),
        Platform::Unicom => json!({
            "app_id": "demoApp001", "app_secret": "demoSecret9876", "open_id": "demoOpen1",
            "nac_on": "COMM-1", "nac_off": "NAC-OFF", "nac_speeds": "1024=NAC-1M,128=NAC-128K",
        }),
        Platform::Jasper => json!({
            "username": "demoUser", "api_key": "demoKey1",
            "plan_on": "COMM-1", "plan_off": "COMM-OFF", "plan_speeds": "1024=COMM-1M,128=COMM-128K",
        }),
    }
}

/// A carrier, and a client that keeps a login and renews it when told.
struct Far {
    platform: Platform,
    name: &'static str,
    sim: Simulator,
    connector: Box<dyn Connector>,
    login: RefCell<Login>,
    number: Cell<u64>,
}

impl Far {
    fn of(carrier: (Platform, &'static str), cards: Vec<CardSpec>) -> Far {
        Far::with(carrier, cards, &[])
    }

    fn with((platform, name): (Platform, &'static str), cards: Vec<CardSpec>, more: &[(&str, &str)]) -> Far {
        let sim = Simulator::start(Settings { seed: 7, cards, ..Settings::default() }).expect("it starts");
        let mut settings = login(platform);
        settings["url"] = json!(sim.url(platform));
        settings["apply_seconds"] = json!(APPLY_SECONDS);
        settings["timeout_seconds"] = json!(5);
        more.iter().for_each(|(key, value)| settings[*key] = json!(value));
        let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
        let connector = open(name, &settings, &sandbox::World::default(), &addresses).expect("opens");
        Far { platform, name, sim, connector, login: RefCell::default(), number: Cell::new(0) }
    }

    /// The same, by a connector that waits for an answer for a second.
    fn impatient(self) -> Far {
        let mut settings = login(self.platform);
        settings["url"] = json!(self.sim.url(self.platform));
        settings["timeout_seconds"] = json!(1);
        let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
        let connector = open(self.name, &settings, &sandbox::World::default(), &addresses).expect("opens");
        Far { connector, ..self }
    }

    /// Every carrier with one card in this state.
    fn each(base: Base) -> impl Iterator<Item = (Far, Card)> {
        CARRIERS.into_iter().map(move |(platform, name)| {
            let far = Far::of((platform, name), vec![CardSpec::new(platform).base(base)]);
            let card = far.card(0);
            (far, card)
        })
    }

    fn card(&self, n: usize) -> Card {
        let truth = self.sim.card(&self.sim.iccids(self.platform)[n]);
        Card { iccid: truth.iccid, msisdn: Some(truth.msisdn) }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.sim.now())
    }

    fn next(&self) -> u64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    fn call<T>(&self, ask: &dyn Fn(&Call<'_>) -> Result<T, Answer>) -> Result<T, Answer> {
        let (mut login, mut number) = (self.login.borrow().clone(), || self.next());
        let told = logged_in(self.connector.as_ref(), &mut login, self.now(), &mut number, ask);
        self.login.replace(login);
        told
    }

    fn submit(&self, request: &Request) -> Answer {
        self.call(&|call| self.connector.submit(call, request).or_no_login()).unwrap_or_else(|none| none)
    }

    fn read(&self, card: &Card, facts: &[Fact]) -> Line {
        let told = self.call(&|call| self.connector.read(call, card, Facts::of(facts)));
        told.unwrap_or_else(|e| panic!("{}: {facts:?}: {e:?}", self.name))
    }

    /// What the engine does with an intent: look when in doubt, wait when told, send again only what is unknown.
    fn settle(&self, request: &Request) -> Answer {
        let (mut answer, mut sent) = (Answer::Unknown, Sent::in_doubt(self.now()));
        let mut seen = Vec::new();
        for _ in 0..60 {
            answer = match answer {
                last if last.is_last() => return last,
                Answer::Accepted { .. } | Answer::InDoubt { .. } => {
                    self.sim.advance(5);
                    self.call(&|call| self.connector.look(call, request, &sent).or_no_login()).unwrap_or_else(|none| none)
                }
                other => {
                    if let Answer::Later { seconds, .. } = other {
                        assert!(seconds > 0);
                        self.sim.advance(seconds);
                    }
                    let answer = self.submit(request);
                    sent = Sent::in_doubt(self.now());
                    if let Answer::Accepted { job } = &answer {
                        (sent.accepted, sent.job) = (Some(self.now()), job.clone());
                    }
                    answer
                }
            };
            seen.push(format!("{answer:?}"));
        }
        panic!("{}: {request:?} never ends: {seen:#?}", self.name);
    }

    fn can(&self, write: &Write) -> bool {
        self.connector.capabilities().can(write)
    }

    fn base(&self, card: &Card) -> Base {
        self.sim.card(&card.iccid).base
    }
}

fn request(card: &Card, write: Write) -> Request {
    Request { reference: format!("{write:?}"), card: card.clone(), write }
}

#[test]
fn a_card_is_stopped_and_resumed_and_says_so() {
    for (far, card) in Far::each(Base::Active) {
        assert_eq!(far.settle(&request(&card, Write::Stop)), Answer::Confirmed, "{}", far.name);
        assert_eq!(far.base(&card), Base::Stopped, "{}", far.name);
        let line = far.read(&card, &[Fact::State, Fact::StopReason]);
        assert_eq!(line.standing.map(|s| s.base), Some(BaseState::Stopped), "{}", far.name);
        assert_eq!(far.settle(&request(&card, Write::Resume)), Answer::Confirmed, "{}", far.name);
        assert_eq!(far.base(&card), Base::Active, "{}", far.name);
        far.sim.advance(3_600);
        assert!(far.settle(&request(&card, Write::Resume)).is_last(), "{}: what is so already ends too", far.name);
        assert_eq!(far.base(&card), Base::Active, "{}", far.name);
    }
}

#[test]
fn a_card_is_activated_and_its_test_ended() {
    for (write, from, to) in [(Write::Activate, Base::Ready, Base::Active), (Write::EndTest, Base::Testing, Base::Ready)] {
        for (far, card) in Far::each(from).filter(|(far, _)| far.can(&write)) {
            let end = far.settle(&request(&card, write.clone()));
            assert!(matches!(end, Answer::Confirmed | Answer::Already), "{} {write:?}: {end:?}", far.name);
            let base = far.base(&card);
            assert!(base == to || (to == Base::Ready && base == Base::TestEnded), "{} {write:?}: {base:?}", far.name);
        }
    }
}

#[test]
fn a_cards_messages_and_voice_are_switched_off_and_on_by_themselves() {
    let switch = |function, on| Write::SetFunction { function, on };
    let mut able = 0;
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&switch(Function::Sms, false))) {
        let off = || (far.sim.card(&card.iccid).sms_off, far.sim.card(&card.iccid).voice_off);
        for (function, on, stands) in [
            (Function::Sms, false, (true, false)),
            (Function::Voice, false, (true, true)),
            (Function::Sms, true, (false, true)),
            (Function::Voice, true, (false, false)),
        ] {
            assert_eq!(far.settle(&request(&card, switch(function, on))), Answer::Confirmed, "{}", far.name);
            assert_eq!(off(), stands, "{} {function:?} {on}", far.name);
            far.sim.advance(200);
        }
        able += 1;
    }
    assert_eq!(able, 1, "OneLink alone has such an act");
}

#[test]
fn a_session_is_cut_and_begins_anew() {
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&Write::ResetSession)) {
        far.sim.advance(600);
        let since = |far: &Far| far.read(&card, &[Fact::Session]).sessions.expect("it is told").first().and_then(|s| s.since);
        let before = since(&far);
        assert_eq!(far.settle(&request(&card, Write::ResetSession)), Answer::Confirmed, "{}", far.name);
        far.sim.advance(600);
        assert!(before.is_some() && since(&far) != before, "{}: {before:?}", far.name);
    }
}

#[test]
fn a_message_reaches_the_device_once() {
    let hello = Write::SendSms { text: "hello".into() };
    for (far, card) in Far::each(Base::Active).filter(|(far, _)| far.can(&hello)) {
        let message = request(&card, hello.clone());
        let answer = far.submit(&message);
        let Answer::Accepted { job } = answer else { panic!("{}: {answer:?}", far.name) };
        far.sim.advance(600);
        let sent = Sent { at: far.now(), accepted: Some(far.now()), job };
        let told = far.call(&|call| Ok(far.connector.look(call, &message, &sent))).expect("an answer");
        assert!(matches!(told, Answer::Confirmed | Answer::Accepted { .. }), "{}: {told:?}", far.name);
        assert_eq!(far.sim.card(&card.iccid).sms.len(), 1, "{}", far.name);
        let lost = far.call(&|call| Ok(far.connector.look(call, &message, &Sent::in_doubt(far.now())))).expect("an answer");
        assert!(matches!(lost, Answer::InDoubt { .. }), "{}: {lost:?} would send it twice", far.name);
    }
}

#[test]
fn what_is_read_is_what_is_so() {
    for (far, card) in Far::each(Base::Active) {
        far.sim.use_bytes(&card.iccid, 3 * MB);
        far.sim.advance(7_200);
        let can = far.connector.capabilities().facts;
        let wanted: Vec<Fact> = Fact::ALL.into_iter().filter(|f| can.has(*f)).collect();
        let (truth, line) = (far.sim.card(&card.iccid), far.read(&card, &wanted));
        assert_eq!(line.standing.map(|s| s.base), Some(BaseState::Active), "{}", far.name);
        assert_eq!(line.imsi, Some(truth.imsi), "{}", far.name);
        assert_eq!(line.msisdn, Some(truth.msisdn), "{}", far.name);
        assert_eq!(line.imei, Some(truth.imei), "{}", far.name);
        assert_eq!(line.sessions.map(|s| s.len()), Some(usize::from(truth.online)), "{}", far.name);
        assert_eq!(line.power, can.has(Fact::Power).then_some(truth.powered), "{}", far.name);
        assert_eq!(line.apns.map(|apns| apns[0].on), Some(Some(true)), "{}", far.name);
        let codes: Vec<String> = line.packages.expect("they are told").into_iter().map(|p| p.code).collect();
        let plan = matches!(far.platform, Platform::Unicom | Platform::Jasper);
        let truly: Vec<String> = if plan { vec![truth.rate_plan] } else { truth.offers.iter().map(|o| o.id.clone()).collect() };
        assert!(!truly.is_empty() && codes == truly, "{}: {codes:?}, truly {truly:?}", far.name);
        let month = line.month.expect("it is told");
        assert_eq!(month.counter.bytes.unsigned_abs(), far.sim.month_bytes(&card.iccid), "{}", far.name);
        assert!(month.from <= month.counter.as_of && month.counter.as_of <= far.now(), "{}: {month:?}", far.name);
        let alone = far.read(&card, &[Fact::State]);
        assert_eq!(Line { standing: None, ..alone }, Line::default(), "{}: what is not wanted is not told", far.name);
    }
}

#[test]
fn a_reading_makes_no_more_requests_than_it_says() {
    for (far, card) in Far::each(Base::Active) {
        for fact in Fact::ALL.into_iter().filter(|f| far.connector.capabilities().facts.has(*f)) {
            let cost = far.connector.cost(Facts::of(&[fact]));
            let made = far.call(&|call| far.connector.read(call, &card, Facts::of(&[fact])).map(|_| call.requests()));
            assert!(made.clone().is_ok_and(|made| 0 < made && made <= cost), "{} {fact:?}: {made:?} of {cost}", far.name);
        }
    }
}

#[test]
fn many_cards_are_read_at_once() {
    let zone = Zone::find("Asia/Shanghai").expect("a zone");
    for (platform, name) in CARRIERS {
        let far = Far::of((platform, name), (0..30).map(|_| CardSpec::new(platform)).collect());
        let cards: Vec<Card> = (0..30).map(|n| far.card(n)).collect();
        let batches = far.connector.capabilities().batches;
        let yesterday = zone.day(far.now());
        for (n, card) in cards.iter().enumerate().take(5) {
            far.sim.use_bytes(&card.iccid, (n as u64 + 1) * MB);
        }
        far.sim.advance(86_400);
        let month = far.connector.capabilities().cycle.month(zone.day(far.now()));
        for (ask, most) in [(Ask::State, batches.state), (Ask::Month(month), batches.month), (Ask::Day(yesterday), batches.day)] {
            let told = far.call(&|call| far.connector.read_many(call, &cards, ask).map(|lines| (lines, call.requests())));
            if most == 0 {
                assert!(matches!(told, Err(Answer::Refused { .. })), "{name} {ask:?}");
                continue;
            }
            let (lines, requests) = told.unwrap_or_else(|e| panic!("{name} {ask:?}: {e:?}"));
            assert_eq!((lines.len(), requests), (30, 1), "{name} {ask:?}");
            for (card, line) in cards.iter().zip(lines) {
                let line = line.unwrap_or_else(|e| panic!("{name} {ask:?}: {e:?}"));
                let date: u32 = day_text(yesterday).replace('-', "").parse().expect("a date");
                match ask {
                    Ask::State => assert_eq!(line.standing.map(|s| s.base), Some(BaseState::Active), "{name}"),
                    Ask::Month(_) => {
                        let bytes = line.month.expect("a month").counter.bytes.unsigned_abs();
                        assert_eq!(bytes, far.sim.month_bytes(&card.iccid), "{name}");
                    }
                    Ask::Day(_) => {
                        let bytes = line.day.expect("a day").counter.bytes.unsigned_abs();
                        assert_eq!(bytes, far.sim.day_bytes(&card.iccid, date), "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_changed_is_told() {
    let zone = Zone::find("Asia/Shanghai").expect("a zone");
    for (platform, name) in CARRIERS {
        let far = Far::of((platform, name), (0..60).map(|_| CardSpec::new(platform).base(Base::Ready)).collect());
        if !far.connector.capabilities().changes {
            continue;
        }
        far.sim.advance(2 * 86_400);
        let mut changed: Vec<String> = (0..55).map(|n| far.card(n).iccid).collect();
        changed.iter().for_each(|iccid| far.sim.set(iccid, |card| card.base = Base::Active));
        far.sim.advance(60);
        let (mut found, mut from) = (Vec::new(), None::<String>);
        for _ in 0..20 {
            let page = far.call(&|call| far.connector.changes(call, zone.day(far.now()), from.as_deref()));
            let page = page.unwrap_or_else(|e| panic!("{name}: {e:?}"));
            found.extend(page.changes.into_iter().filter(|c| c.standing.as_ref().is_none_or(|s| s.base == BaseState::Active)));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        let mut found: Vec<String> = found.into_iter().filter_map(|c| c.iccid).collect();
        found.sort();
        changed.sort();
        assert_eq!((found, from), (changed, None), "{name}");
    }
}

#[test]
fn every_fault_ends_in_one_act_or_in_a_no() {
    for kind in [
        FaultKind::AppliedButTimedOut,
        FaultKind::AcceptedNeverApplied,
        FaultKind::TooSoon,
        FaultKind::ErrorBody,
        FaultKind::NotGranted,
        FaultKind::GarbageXml,
        FaultKind::Http500,
        FaultKind::RateLimited,
        FaultKind::TokenKilled,
    ] {
        for (far, card) in Far::each(Base::Active) {
            if far.sim.fault(Fault::new(far.platform, kind).count(1)).is_err() {
                continue; // this carrier has no such fault
            }
            let end = far.settle(&request(&card, Write::Stop));
            let base = far.base(&card);
            match end {
                Answer::Refused { .. } => {
                    assert!(kind == FaultKind::NotGranted && base == Base::Active, "{} {kind:?}: {end:?} {base:?}", far.name);
                }
                _ => assert_eq!(base, Base::Stopped, "{} {kind:?}: {end:?}", far.name),
            }
            assert_eq!(far.sim.faults_left(far.platform, kind), 0, "{} {kind:?} struck", far.name);
            let stops = far.sim.card(&card.iccid).changes.iter().filter(|c| c.to == Base::Stopped).count();
            assert!(stops <= 1, "{} {kind:?}: {stops} times", far.name);
        }
    }
}

#[test]
fn a_lost_answer_is_in_doubt_and_never_taken_for_a_no() {
    for (far, card) in Far::each(Base::Active) {
        far.read(&card, &[Fact::State]);
        far.sim.fault(Fault::new(far.platform, FaultKind::AppliedButTimedOut).count(1)).expect("every carrier loses answers");
        let answer = far.submit(&request(&card, Write::Stop));
        assert!(matches!(answer, Answer::InDoubt { .. }), "{}: {answer:?}", far.name);
    }
}

#[test]
fn a_reading_under_faults_says_that_it_failed() {
    use FaultKind::{ErrorBody, GarbageXml, Http500, NotGranted, RateLimited, Unavailable};
    for kind in [ErrorBody, NotGranted, GarbageXml, Http500, RateLimited, Unavailable] {
        for (far, card) in Far::each(Base::Active) {
            far.read(&card, &[Fact::State]);
            if far.sim.fault(Fault::new(far.platform, kind).count(1)).is_err() {
                continue;
            }
            let told = far.call(&|call| far.connector.read(call, &card, Facts::of(&[Fact::State])));
            assert!(told.is_err(), "{} {kind:?}: {told:?}", far.name);
            assert!(far.read(&card, &[Fact::State]).standing.is_some(), "{} {kind:?}: and then it is told", far.name);
        }
    }
}

#[test]
fn gbk_is_read() {
    for (far, card) in Far::each(Base::Active) {
        if far.sim.fault(Fault::new(far.platform, FaultKind::Gbk).count(3)).is_ok() {
            assert_eq!(far.read(&card, &[Fact::State]).standing.map(|s| s.base), Some(BaseState::Active), "{}", far.name);
        }
    }
}

#[test]
fn months_begin_when_the_carrier_begins_them() {
    for (platform, name) in CARRIERS {
        let far = Far::of((platform, name), vec![CardSpec::new(platform)]);
        let card = far.card(0);
        far.sim.use_bytes(&card.iccid, 5 * MB);
        // From 10 March to 28 March: Unicom's next month has begun, the others' has not.
        far.sim.advance(18 * 86_400);
        far.sim.use_bytes(&card.iccid, MB);
        far.sim.advance(7_200);
        let month = far.read(&card, &[Fact::Month]).month.expect("it is told");
        let late = far.connector.capabilities().cycle.first_day == 27;
        let (from, bytes) = if late { ("2026-03-27", MB) } else { ("2026-03-01", 6 * MB) };
        let zone = Zone::find("Asia/Shanghai").expect("a zone");
        assert_eq!((zone.text(month.from).get(..10), month.counter.bytes.unsigned_abs()), (Some(from), bytes), "{name}");
    }
}

#[test]
fn one_live_token_an_account_and_a_killed_one_is_told() {
    let far = Far::of(CARRIERS[0], vec![CardSpec::new(Platform::OneLink)]);
    let card = far.card(0);
    let renew = || far.connector.renew(&Call::new(&Login::default(), far.now(), far.next())).expect("a login");
    let ask = |login: &Login| far.connector.read(&Call::new(login, far.now(), far.next()), &card, Facts::of(&[Fact::State]));
    let first = renew();
    assert!(ask(&first).is_ok());
    far.sim.advance(1);
    let second = renew();
    assert!(matches!(ask(&first), Err(Answer::NoLogin { .. })));
    assert!(ask(&second).is_ok());
    assert!(second.expires.is_some_and(|end| far.now() < end));
    far.sim.advance(4_000);
    let calls = far.sim.calls(Platform::OneLink);
    assert!(matches!(ask(&second), Err(Answer::NoLogin { .. })), "it is over");
    assert_eq!(far.sim.calls(Platform::OneLink), calls, "nothing is sent under one that is over");
}

#[test]
fn one_cooling_card_poisons_no_batch() {
    let far = Far::of(CARRIERS[0], (0..5).map(|_| CardSpec::new(Platform::OneLink)).collect());
    let stop = |n| request(&far.card(n), Write::Stop);
    assert!(far.settle(&stop(2)).is_last());
    far.sim.set(&far.card(2).iccid, |card| card.resume(Stop::Owner));
    let all: Vec<Request> = (0..5).map(stop).collect();
    let answers = far.call(&|call| Ok(far.connector.submit_many(call, &all))).expect("answers");
    for (n, answer) in answers.iter().enumerate() {
        let expected = if n == 2 { matches!(answer, Answer::Later { .. }) } else { matches!(answer, Answer::Accepted { .. }) };
        assert!(expected, "{n}: {answers:?}");
    }
    far.sim.advance(10);
    let stopped: Vec<bool> = (0..5).map(|n| far.base(&far.card(n)) == Base::Stopped).collect();
    assert_eq!(stopped, [true, true, false, true, true]);
}

#[test]
fn a_batch_is_a_job_and_each_card_has_its_own_word() {
    let far = Far::of(CARRIERS[0], (0..4).map(|_| CardSpec::new(Platform::OneLink)).collect());
    let all: Vec<Request> = (0..4).map(|n| request(&far.card(n), Write::Stop)).collect();
    far.sim.fault(Fault::new(Platform::OneLink, FaultKind::RowFails).iccid(&far.card(1).iccid)).expect("it has that fault");
    let submit = |call: &Call<'_>| match far.connector.submit_many(call, &all) {
        answers if answers.iter().any(|a| matches!(a, Answer::NoLogin { .. })) => Err(answers[0].clone()),
        answers => Ok((answers, call.requests())),
    };
    let (answers, requests) = far.call(&submit).expect("answers");
    assert_eq!(requests, 1);
    let look = |n: usize| {
        let Answer::Accepted { job: Some(job) } = &answers[n] else { panic!("{answers:?}") };
        let sent = Sent { at: far.now(), accepted: Some(far.now()), job: Some(job.clone()) };
        far.call(&|call| Ok(far.connector.look(call, &all[n], &sent))).expect("an answer")
    };
    assert!((0..4).all(|n| matches!(look(n), Answer::Accepted { .. })), "it runs");
    far.sim.advance(30);
    let ends: Vec<Answer> = (0..4).map(look).collect();
    assert!(matches!(&ends[1], Answer::Refused { code, .. } if code == "12089"), "{ends:?}");
    assert!([0, 2, 3].iter().all(|n| ends[*n] == Answer::Confirmed), "{ends:?}");
}

#[test]
fn a_stop_that_is_not_ours_is_read_and_its_resume_refused() {
    let far = Far::of(CARRIERS[0], vec![CardSpec::new(Platform::OneLink)]);
    let card = far.card(0);
    far.sim.set(&card.iccid, |card| card.stop(Stop::Credit));
    far.sim.set(&card.iccid, |card| card.stop(Stop::Forced));
    let stop = far.read(&card, &[Fact::StopReason]).stop.expect("it is told");
    assert_eq!((stop.raw.as_str(), stop.blocks), ("000020000020", Blocks(Blocks::CREDIT.0 | Blocks::FORCED.0)));
    let end = far.settle(&request(&card, Write::Resume));
    assert!(matches!(&end, Answer::Refused { code, .. } if code == "12098"), "{end:?}");
}

#[test]
fn a_card_that_is_not_ours_holds_up_no_other() {
    let far = Far::of(CARRIERS[0], (0..9).map(|_| CardSpec::new(Platform::OneLink)).collect());
    let mut cards: Vec<Card> = (0..9).map(|n| far.card(n)).collect();
    cards.insert(4, Card::of_iccid("89860099999999999999"));
    let day = Zone::find("Asia/Shanghai").expect("a zone").day(far.now()) - 1;
    let lines = far.call(&|call| far.connector.read_many(call, &cards, Ask::Day(day))).expect("answers");
    let told: Vec<bool> = lines.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, true, true, true, false, true, true, true, true, true], "{:?}", lines[4]);
    // Nor does one for which the carrier has no better word than that there is an error.
    let fault = Fault::new(Platform::OneLink, FaultKind::ErrorBody).iccid(&cards[2].iccid).on("daily").count(100);
    far.sim.fault(fault).expect("it has that fault");
    let lines = far.call(&|call| far.connector.read_many(call, &cards[..4], Ask::Day(day))).expect("answers");
    let told: Vec<bool> = lines.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, true, false, true], "{lines:?}");
    assert!(matches!(&lines[2], Err(Answer::InDoubt { .. })), "{lines:?}");
}

#[test]
fn a_wrong_telephone_number_with_us_touches_no_other_card() {
    for (platform, name) in CARRIERS {
        let far = Far::of((platform, name), vec![CardSpec::new(platform).base(Base::Active); 2]);
        let (mine, other) = (far.card(0), far.card(1));
        let wrong = Card { iccid: mine.iccid.clone(), msisdn: other.msisdn.clone() };
        assert_eq!(far.settle(&request(&wrong, Write::Stop)), Answer::Confirmed, "{name}");
        assert_eq!((far.base(&mine) == Base::Active, far.base(&other)), (false, Base::Active), "{name}");
        let line = far.read(&wrong, &[Fact::State, Fact::Numbers]);
        assert_eq!(line.standing.expect("told").base, BaseState::Stopped, "{name}: the card of the ICCID is read");
        assert!(line.msisdn.is_none_or(|told| Some(told) == mine.msisdn), "{name}");
    }
}

#[test]
fn a_second_account_or_process_never_repeats_a_number() {
    let far = Far::of(CARRIERS[0], vec![CardSpec::new(Platform::OneLink)]);
    let card = far.card(0);
    for _ in 0..30 {
        far.read(&card, &[Fact::State, Fact::Imei, Fact::Apns, Fact::Month]);
    }
    let login = far.login.borrow().clone();
    let again = |number| far.connector.read(&Call::new(&login, far.now(), number), &card, Facts::of(&[Fact::State]));
    assert!(again(far.next()).is_ok());
    assert!(again(1_000).is_ok() && again(1_000).is_err(), "the carrier refuses a number that was used");
}

#[test]
fn requests_may_be_posted_and_the_clock_set() {
    let set = [(CARRIERS[0], ("verb", "POST")), (CARRIERS[1], ("clock", "GMT"))];
    for (carrier, setting) in set {
        let far = Far::with(carrier, vec![CardSpec::new(carrier.0)], &[setting]);
        let card = far.card(0);
        assert_eq!(far.settle(&request(&card, Write::Stop)), Answer::Confirmed, "{}", far.name);
        assert_eq!(far.base(&card), Base::Stopped, "{}", far.name);
    }
    let far = Far::with(CARRIERS[1], vec![CardSpec::new(Platform::CtWing)], &[("clock", "China")]);
    let told = far.call(&|call| far.connector.read(call, &far.card(0), Facts::of(&[Fact::State])));
    assert!(told.is_err(), "a clock that is not the carrier's is refused: {told:?}");
}
