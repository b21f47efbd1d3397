//! What the engine relies on, asked of every connector alike.
//!
//! One suite, chosen by capabilities: a connector that works by hand must keep every write open; one that reaches a
//! carrier must bring it to an end. The sandbox's world counts what really happened, so "once" is proven and not
//! believed. Connectors that dial are held to it by `carriers.rs` and `upstreams.rs`, and by `once.rs`. A connector listed in `NAMES` without a case here fails `every_connector_is_held_to_the_contract`.

use kachi_connectors::sandbox::{Fault, World};
use kachi_connectors::{NAMES, open};
use kachi_domain::address::Addresses;
use kachi_domain::carrier::{Answer, Call, Card, Connector, Facts, Function, Line, Login, Request, Sent, Write, logged_in};
use kachi_domain::time::Timestamp;
use serde_json::{Value, json};

mod line;
mod once;
mod readings;
mod storm;

const START: Timestamp = Timestamp(1_767_225_600);
const LAG_SECONDS: i64 = 60;

/// A connector with its settings and the carrier behind it.
struct Case {
    name: &'static str,
    settings: Value,
    world: World,
    connector: Box<dyn Connector>,
}

impl Case {
    fn new(name: &'static str, settings: Value) -> Case {
        let world = World::default();
        let connector = open(name, &settings, &world, &Addresses::default()).expect("opens");
        Case { name, settings, world, connector }
    }

    fn sandbox(settings: Value) -> Case {
        Case::new("sandbox", settings)
    }

    fn submit(&self, request: &Request, now: Timestamp) -> Answer {
        self.client().submit(request, now)
    }

    fn look(&self, request: &Request, now: Timestamp) -> Answer {
        self.client().look(request, now)
    }

    fn read(&self, iccid: &str, wanted: Facts, now: Timestamp) -> Result<Line, Answer> {
        let card = Card::of_iccid(iccid);
        self.client().call(now, &|call| self.connector.read(call, &card, wanted))
    }

    fn client(&self) -> Client<'_> {
        Client { connector: self.connector.as_ref(), login: Login::default(), number: 0 }
    }
}

/// Somebody who keeps a login and renews it when told.
struct Client<'c> {
    connector: &'c dyn Connector,
    login: Login,
    number: u64,
}

impl Client<'_> {
    fn call<T>(&mut self, now: Timestamp, ask: &dyn Fn(&Call<'_>) -> Result<T, Answer>) -> Result<T, Answer> {
        let number = &mut self.number;
        let mut next = || {
            *number += 1;
            *number
        };
        logged_in(self.connector, &mut self.login, now, &mut next, ask)
    }

    fn submit(&mut self, request: &Request, now: Timestamp) -> Answer {
        let connector = self.connector;
        self.call(now, &|call| connector.submit(call, request).or_no_login()).unwrap_or_else(|none| none)
    }

    fn look(&mut self, request: &Request, now: Timestamp) -> Answer {
        let connector = self.connector;
        let sent = Sent::in_doubt(now);
        self.call(now, &|call| connector.look(call, request, &sent).or_no_login()).unwrap_or_else(|none| none)
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new("manual", json!({})),
        Case::sandbox(json!({})),
        Case::sandbox(json!({"lag_seconds": LAG_SECONDS})),
        Case::sandbox(json!({"lag_seconds": LAG_SECONDS, "cool_down_seconds": 180, "token_seconds": 1})),
        Case::sandbox(json!({"without": ["stop_resume"]})),
        Case::sandbox(json!({"without": ["subscribe", "unsubscribe"]})),
        Case::sandbox(json!({"without": ["session_reset", "network", "usage", "sms"]})),
        Case::sandbox(
            json!({"without": ["activate", "end_test", "data_switch", "functions", "speed", "voice_list", "changes", "batches"]}),
        ),
    ]
}

/// The cases that reach a carrier and can do this act.
fn remote(write: &Write) -> impl Iterator<Item = Case> {
    let write = write.clone();
    cases().into_iter().filter(move |case| !case.connector.capabilities().by_hand && able(case, &write))
}

fn able(case: &Case, write: &Write) -> bool {
    let all = case.connector.capabilities();
    match write {
        Write::Subscribe { .. } => all.subscribe,
        Write::Unsubscribe { .. } => all.unsubscribe,
        Write::Stop | Write::Resume => all.stop_resume,
        Write::Activate => all.activate,
        Write::EndTest => all.end_test,
        Write::DataOff { .. } | Write::DataOn { .. } => all.data_switch,
        Write::SetFunction { .. } => all.functions,
        Write::LimitSpeed { .. } => all.speed,
        Write::AllowCalls { .. } | Write::BarCalls { .. } => all.voice_list,
        Write::ResetSession => all.session_reset,
        Write::SwitchNetwork { .. } => all.network,
        Write::RefreshUsage => all.usage,
        Write::SendSms { .. } => all.sms,
        Write::SendPhone { .. } => all.phone_sms,
    }
}

fn writes() -> Vec<Write> {
    let base = [subscribe(), Write::Unsubscribe { package: "P1".into(), of: None }, Write::Stop, Write::Resume];
    base.into_iter().chain(line_acts()).chain(card_acts()).collect()
}

/// What changes a card itself, each from the state that the one before left.
fn card_acts() -> [Write; 10] {
    let numbers = vec!["13800000000".to_owned()];
    [
        Write::EndTest,
        Write::Activate,
        Write::DataOff { apn: None },
        Write::DataOn { apn: None, kbps: None },
        Write::SetFunction { function: Function::Sms, on: false },
        Write::SetFunction { function: Function::Sms, on: true },
        Write::LimitSpeed { kbps: Some(512) },
        Write::LimitSpeed { kbps: None },
        Write::AllowCalls { numbers: numbers.clone(), group: String::new() },
        Write::BarCalls { numbers, group: String::new() },
    ]
}

/// What is asked of a card's line besides packages and being on.
fn line_acts() -> [Write; 5] {
    [
        Write::ResetSession,
        Write::SwitchNetwork { network: "ATT".into() },
        Write::RefreshUsage,
        Write::SendSms { text: "hello".into() },
        Write::SendPhone { to: "13800010001".into(), text: "hello".into() },
    ]
}

fn subscribe() -> Write {
    Write::subscribe("P1")
}

fn request(reference: &str, write: Write) -> Request {
    Request { reference: reference.into(), card: Card::of_iccid(&format!("8986{reference}")), write }
}

/// What the engine does with an intent: look when in doubt, wait when told, send again only what is unknown.
fn settle(case: &Case, request: &Request, start: Timestamp) -> (Answer, Timestamp) {
    let (mut client, mut now) = (case.client(), start);
    let mut answer = client.submit(request, now);
    for _ in 0..50 {
        answer = match answer {
            Answer::Confirmed | Answer::Already | Answer::Refused { .. } => return (answer, now),
            Answer::Unknown => client.submit(request, now),
            Answer::Later { seconds, .. } => {
                assert!(seconds > 0);
                now = now.plus(seconds);
                client.submit(request, now)
            }
            Answer::NoLogin { .. } => {
                now = now.plus(1);
                client.submit(request, now)
            }
            Answer::Accepted { .. } | Answer::InDoubt { .. } => {
                now = now.plus(30);
                client.look(request, now)
            }
        };
    }
    panic!("{} {}: {request:?} never ends, last {answer:?}", case.name, case.settings);
}

#[test]
fn every_connector_is_held_to_the_contract() {
    let elsewhere = [include_str!("../carriers.rs"), include_str!("../upstreams.rs")];
    for name in NAMES {
        let there = elsewhere.iter().any(|suite| suite.contains(&format!("\"{name}\"")));
        assert!(there || cases().iter().any(|case| case.name == *name), "{name} has no case in a suite");
    }
}

#[test]
fn by_hand_stays_open_until_a_person_says_so() {
    for case in cases().into_iter().filter(|case| case.connector.capabilities().by_hand) {
        let login = Login { token: "kept".into(), expires: None };
        for write in writes().into_iter().filter(|write| able(&case, write)) {
            let request = request("1", write);
            for days in [0, 1, 400] {
                let now = START.plus(days * 86_400);
                let call = Call::new(&login, now, 1);
                assert_eq!(case.connector.submit(&call, &request), Answer::ACCEPTED);
                assert_eq!(case.connector.look(&call, &request, &Sent::in_doubt(START)), Answer::ACCEPTED);
                assert_eq!((case.connector.renew(&call), call.requests()), (Ok(login.clone()), 0));
            }
        }
    }
}

#[test]
fn what_it_cannot_do_is_refused_with_a_reason() {
    let mut seen = 0;
    for case in cases() {
        for write in writes().into_iter().filter(|write| !able(&case, write)) {
            let request = request("1", write);
            for answer in [case.submit(&request, START), case.look(&request, START)] {
                let Answer::Refused { code, reason } = answer else { panic!("{}: {answer:?}", case.name) };
                assert!(!code.is_empty() && !reason.is_empty());
                seen += 1;
            }
            assert_eq!((case.world.effects("1"), case.world.logins("sandbox")), (0, 0));
        }
    }
    assert!(seen > 0);
}

#[test]
fn an_accepted_write_is_finally_confirmed() {
    for case in remote(&subscribe()) {
        let request = request("1", subscribe());
        assert_eq!(settle(&case, &request, START).0, Answer::Confirmed, "{}", case.settings);
        assert_eq!(case.world.effects("1"), 1);
    }
}

#[test]
fn submitted_is_not_done() {
    let case = Case::sandbox(json!({"lag_seconds": LAG_SECONDS}));
    let request = request("1", subscribe());
    case.submit(&request, START);
    assert_eq!(case.look(&request, START.plus(LAG_SECONDS - 1)), Answer::ACCEPTED);
    assert!(case.world.card(&request.card.iccid, START.plus(LAG_SECONDS - 1)).bought.is_empty());
    assert_eq!(case.look(&request, START.plus(LAG_SECONDS + 9)), Answer::Confirmed);
    let card = case.world.card(&request.card.iccid, START.plus(LAG_SECONDS + 9));
    assert_eq!(card.packages().get("P1"), Some(&START.plus(LAG_SECONDS)), "at its instant, not when asked");
}

#[test]
fn the_same_reference_has_one_effect() {
    for case in remote(&subscribe()) {
        let request = request("1", subscribe());
        assert_eq!(case.submit(&request, START), Answer::ACCEPTED);
        assert!(matches!(case.submit(&request, START), Answer::Accepted { .. } | Answer::Already), "{}", case.settings);
        settle(&case, &request, START);
        for later in [LAG_SECONDS, 86_400] {
            assert_eq!(case.submit(&request, START.plus(later)), Answer::Already, "{}", case.settings);
        }
        case.look(&request, START.plus(200_000));
        assert_eq!(case.world.effects("1"), 1, "{}", case.settings);
    }
}

#[test]
fn the_same_reference_from_many_threads_has_one_effect() {
    let case = Case::sandbox(json!({"lag_seconds": 30}));
    let request = request("1", subscribe());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| settle(&case, &request, START));
        }
    });
    assert_eq!(case.look(&request, START.plus(1000)), Answer::Confirmed);
    assert_eq!(case.world.effects("1"), 1);
}

#[test]
fn one_reference_is_one_act() {
    for case in remote(&Write::Stop) {
        let stop = request("1", Write::Stop);
        case.submit(&stop, START);
        let other = Request { write: Write::Resume, ..stop.clone() };
        assert!(matches!(case.submit(&other, START), Answer::Refused { .. }));
        assert!(matches!(settle(&case, &stop, START).0, Answer::Confirmed | Answer::Already), "{}", case.settings);
        assert!(case.world.card(&stop.card.iccid, START.plus(1000)).stopped.is_some());
    }
}

#[test]
fn an_unknown_reference_is_unknown() {
    for case in remote(&subscribe()) {
        assert_eq!(case.look(&request("never", subscribe()), START), Answer::Unknown);
    }
}

#[test]
fn a_card_takes_acts_in_their_order() {
    let case = Case::sandbox(json!({"lag_seconds": LAG_SECONDS}));
    let act = |reference: &str, write| Request { card: Card::of_iccid("89860"), ..request(reference, write) };
    let (on, off) = (Timestamp(START.0 + 1), Timestamp(START.0 + 2));
    assert_eq!(case.submit(&act("r0", Write::Resume), START), Answer::Already, "it is on");
    case.submit(&act("s", subscribe()), START);
    assert_eq!(case.submit(&act("c", Write::Stop), on), Answer::ACCEPTED);
    assert_eq!(case.submit(&act("r", Write::Resume), off), Answer::ACCEPTED, "behind a waiting stop it queues");
    let card = case.world.card("89860", START.plus(1000));
    assert_eq!((card.stopped, card.bought.len()), (None, 1));
    assert_eq!(settle(&case, &act("u", writes()[1].clone()), START.plus(1000)).0, Answer::Confirmed);
    assert!(case.world.card("89860", START.plus(2000)).bought.is_empty());
}

#[test]
fn each_purchase_of_a_package_is_taken_back_by_itself() {
    let case = Case::sandbox(json!({}));
    let act = |reference: &str, write| Request { card: Card::of_iccid("89860"), ..request(reference, write) };
    let back = |of: &str| Write::Unsubscribe { package: "P1".into(), of: Some(of.into()) };
    let has = || case.world.card("89860", START).bought.into_keys().collect::<Vec<_>>();
    for reference in ["s1", "s2"] {
        assert_eq!(settle(&case, &act(reference, subscribe()), START).0, Answer::Confirmed);
    }
    assert_eq!(has(), ["s1", "s2"]);
    assert_eq!(settle(&case, &act("b2", back("s2")), START).0, Answer::Confirmed);
    assert_eq!(has(), ["s1"]);
    assert_eq!(case.submit(&act("b3", back("s3")), START), Answer::Already, "there is none to take back");
    assert_eq!(has(), ["s1"]);
}

#[test]
fn a_card_that_has_a_package_once_is_told_so_and_the_purchase_is_not_known_after() {
    let case = Case::sandbox(json!({"stacks": false}));
    let act = |reference: &str, write| Request { card: Card::of_iccid("89860"), ..request(reference, write) };
    assert_eq!(settle(&case, &act("s1", subscribe()), START).0, Answer::Confirmed);
    assert_eq!(case.submit(&act("s2", subscribe()), START), Answer::Already, "by the first");
    assert_eq!((case.world.effects("s2"), case.look(&act("s2", subscribe()), START)), (0, Answer::Unknown));
    let back = Write::Unsubscribe { package: "P1".into(), of: Some("s2".into()) };
    assert_eq!(case.submit(&act("b2", back), START), Answer::Already);
    assert_eq!(case.world.card("89860", START).bought.into_keys().collect::<Vec<_>>(), ["s1"]);
}

#[test]
fn a_cooling_card_answers_later_and_a_later_submit_works() {
    let case = Case::sandbox(json!({"cool_down_seconds": 180}));
    let act = |reference: &str, write| Request { card: Card::of_iccid("89860"), ..request(reference, write) };
    assert_eq!(case.submit(&act("1", Write::Stop), START), Answer::ACCEPTED);
    let second = act("2", Write::Resume);
    let Answer::Later { seconds, reason } = case.submit(&second, START.plus(80)) else { panic!("not cooling") };
    assert_eq!(seconds, 100);
    assert!(reason.starts_with("13009"), "{reason}");
    assert_eq!(case.look(&second, START.plus(80)), Answer::Unknown);
    assert_eq!(case.submit(&request("3", Write::Stop), START.plus(80)), Answer::ACCEPTED, "one card does not cool another");
    assert_eq!(case.submit(&act("1", Write::Stop), START.plus(80)), Answer::Already, "a known reference is only told");
    assert_eq!(case.submit(&second, START.plus(80 + seconds)), Answer::ACCEPTED);
    assert_eq!(settle(&case, &second, START.plus(400)).0, Answer::Already);
}

#[test]
fn a_login_that_is_over_is_told_and_never_renewed_by_the_way() {
    let case = Case::sandbox(json!({"token_seconds": 100}));
    let ask =
        |login: &Login, reference: &str, now| case.connector.submit(&Call::new(login, now, 1), &request(reference, Write::Stop));
    let renew = |now| case.connector.renew(&Call::new(&Login::default(), now, 1)).expect("a login");
    let logins = || case.world.logins("sandbox");
    assert!(matches!(ask(&Login::default(), "0", START), Answer::NoLogin { .. }));
    assert_eq!(logins(), 0);
    let first = renew(START);
    assert_eq!(first.expires, Some(START.plus(100)));
    assert_eq!((ask(&first, "1", START), ask(&first, "2", START.plus(99))), (Answer::ACCEPTED, Answer::ACCEPTED));
    assert!(matches!(ask(&first, "3", START.plus(100)), Answer::NoLogin { .. }), "it is over");
    let second = renew(START.plus(100));
    assert_eq!(ask(&second, "3", START.plus(100)), Answer::ACCEPTED);
    case.world.kill_token("sandbox");
    assert!(matches!(ask(&second, "4", START.plus(101)), Answer::NoLogin { .. }), "killed, which only asking tells");
    let request = request("4", Write::Stop);
    let looked = |login: &Login| case.connector.look(&Call::new(login, START.plus(101), 1), &request, &Sent::in_doubt(START));
    assert!(matches!(looked(&second), Answer::NoLogin { .. }));
    assert_eq!((looked(&renew(START.plus(101))), logins()), (Answer::Unknown, 3), "nothing was taken under the dead one");
}

#[test]
fn one_live_token_an_account() {
    let world = World::default();
    let open = |account: &str| open("sandbox", &json!({"account": account}), &world, &Addresses::default()).expect("opens");
    let (a, b) = (open("a"), open("b"));
    let (mut a, mut b) = (
        Client { connector: a.as_ref(), login: Login::default(), number: 0 },
        Client { connector: b.as_ref(), login: Login::default(), number: 0 },
    );
    a.submit(&request("1", Write::Stop), START);
    b.submit(&request("2", Write::Stop), START);
    assert_eq!(a.look(&request("1", Write::Stop), START), Answer::Confirmed);
    assert_eq!((world.logins("a"), world.logins("b")), (1, 1), "each with its own");
    let mut other = Client { connector: a.connector, login: Login::default(), number: 0 };
    other.look(&request("1", Write::Stop), START);
    assert_eq!((a.look(&request("1", Write::Stop), START), world.logins("a")), (Answer::Confirmed, 3), "the other's killed ours");
    assert_eq!(b.look(&request("1", Write::Stop), START), Answer::Unknown, "references are an account's own");
}

#[test]
fn refused_stays_refused() {
    for case in remote(&subscribe()) {
        case.world.fail(Fault::Refused { code: "12100".into(), reason: "package quota exhausted".into() });
        let request = request("1", subscribe());
        let refused = Answer::Refused { code: "12100".into(), reason: "package quota exhausted".into() };
        assert_eq!(case.submit(&request, START), refused);
        assert_eq!(case.look(&request, START.plus(86_400)), refused);
        assert_eq!(case.submit(&request, START.plus(86_400)), refused);
        assert_eq!(case.world.effects("1"), 0);
    }
}

#[test]
fn a_doubt_is_settled_by_asking() {
    for (fault, taken) in [(Fault::AppliedTimedOut, 1), (Fault::Garbage, 1), (Fault::Lost, 0)] {
        for case in remote(&subscribe()) {
            case.world.fail(fault.clone());
            let request = request("1", subscribe());
            assert!(matches!(case.submit(&request, START), Answer::InDoubt { .. }), "{fault:?}");
            let told = case.look(&request, START.plus(1000));
            assert_eq!(told, if taken == 1 { Answer::Confirmed } else { Answer::Unknown }, "{fault:?}");
            assert_eq!(case.world.effects("1"), taken);
            let (end, _) = settle(&case, &request, START.plus(1000));
            assert!(matches!(end, Answer::Confirmed | Answer::Already), "{fault:?}: {end:?}");
            assert_eq!(case.world.effects("1"), 1);
        }
    }
}

#[test]
fn a_fault_that_passes_takes_nothing() {
    for (fault, wait) in [(Fault::Overloaded { seconds: 30 }, 30), (Fault::Cooling { seconds: 180 }, 180)] {
        for case in remote(&subscribe()) {
            case.world.fail(fault.clone());
            let request = request("1", subscribe());
            assert!(matches!(case.submit(&request, START), Answer::Later { seconds, .. } if seconds == wait));
            assert_eq!(case.look(&request, START), Answer::Unknown);
            assert_eq!(settle(&case, &request, START.plus(wait)).0, Answer::Confirmed);
            assert_eq!(case.world.effects("1"), 1);
        }
    }
}

#[test]
fn a_token_killed_on_the_way_costs_one_login() {
    let case = Case::sandbox(json!({}));
    case.world.fail(Fault::TokenKilled);
    assert_eq!(case.submit(&request("1", subscribe()), START), Answer::ACCEPTED);
    assert_eq!((case.world.effects("1"), case.world.logins("sandbox")), (1, 2));
    case.world.fail(Fault::TokenKilled);
    case.world.fail(Fault::TokenKilled);
    let again = case.submit(&request("2", subscribe()), START);
    assert!(matches!(again, Answer::NoLogin { .. }), "killed twice: not now, and nothing taken");
    assert_eq!(case.look(&request("2", subscribe()), START), Answer::Unknown);
}

#[test]
fn accepted_and_never_applied_is_never_confirmed() {
    let case = Case::sandbox(json!({}));
    let (ever, bounded) = (request("1", subscribe()), request("2", subscribe()));
    case.world.fail_card(&bounded.card.iccid, Fault::NeverApplied { forget_seconds: Some(600) });
    case.world.fail_card(&ever.card.iccid, Fault::NeverApplied { forget_seconds: None });
    for request in [&ever, &bounded] {
        assert_eq!(case.submit(request, START), Answer::ACCEPTED);
        assert_eq!(case.look(request, START.plus(599)), Answer::ACCEPTED);
    }
    assert_eq!(case.look(&ever, START.plus(40_000_000)), Answer::ACCEPTED);
    assert_eq!(case.submit(&ever, START.plus(40_000_000)), Answer::ACCEPTED);
    assert_eq!(case.look(&bounded, START.plus(600)), Answer::Unknown);
    assert_eq!(settle(&case, &bounded, START.plus(600)).0, Answer::Confirmed);
    assert_eq!((case.world.effects("1"), case.world.effects("2")), (0, 1));
}
