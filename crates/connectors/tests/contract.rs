//! What the engine relies on, asked of every connector alike.
//!
//! One suite, chosen by capabilities: a connector that works by hand must keep every write open; one that reaches a
//! carrier must bring it to an end. The sandbox's world counts what really happened, so "once" is proven and not
//! believed. A connector listed in `NAMES` without a case here fails `every_connector_is_held_to_the_contract`.

use kachi_connectors::sandbox::{Fault, World};
use kachi_connectors::{NAMES, open};
use kachi_domain::carrier::{Answer, Connector, Line, Login, Request, Write};
use kachi_domain::time::Timestamp;
use serde_json::{Value, json};

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
        let connector = open(name, &settings, &world).expect("opens");
        Case { name, settings, world, connector }
    }

    fn sandbox(settings: Value) -> Case {
        Case::new("sandbox", settings)
    }

    fn submit(&self, request: &Request, now: Timestamp) -> Answer {
        self.connector.submit(Login::default(), request, now).0
    }

    fn look(&self, request: &Request, now: Timestamp) -> Answer {
        self.connector.look(Login::default(), request, now).0
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
        Write::ResetSession => all.session_reset,
        Write::SwitchNetwork { .. } => all.network,
        Write::RefreshUsage => all.usage,
        Write::SendSms { .. } => all.sms,
    }
}

fn writes() -> [Write; 8] {
    let [reset, switch, refresh, sms] = line_acts();
    [subscribe(), Write::Unsubscribe { package: "P1".into() }, Write::Stop, Write::Resume, reset, switch, refresh, sms]
}

/// What is asked of a card's line besides packages and being on.
fn line_acts() -> [Write; 4] {
    [
        Write::ResetSession,
        Write::SwitchNetwork { network: "ATT".into() },
        Write::RefreshUsage,
        Write::SendSms { text: "hello".into() },
    ]
}

fn subscribe() -> Write {
    Write::Subscribe { package: "P1".into() }
}

fn request(reference: &str, write: Write) -> Request {
    Request { reference: reference.into(), iccid: format!("8986{reference}"), write }
}

/// What the engine does with an intent: look when in doubt, wait when told, send again only what is unknown.
fn settle(case: &Case, request: &Request, start: Timestamp) -> (Answer, Timestamp) {
    let (mut login, mut now) = (Login::default(), start);
    let mut answer;
    (answer, login) = case.connector.submit(login, request, now);
    for _ in 0..50 {
        let (next, after) = match answer {
            Answer::Confirmed | Answer::Already | Answer::Refused { .. } => return (answer, now),
            Answer::Unknown => case.connector.submit(login, request, now),
            Answer::Later { seconds, .. } => {
                assert!(seconds > 0);
                now = now.plus(seconds);
                case.connector.submit(login, request, now)
            }
            Answer::Accepted | Answer::InDoubt { .. } => {
                now = now.plus(30);
                case.connector.look(login, request, now)
            }
        };
        (answer, login) = (next, after);
    }
    panic!("{} {}: {request:?} never ends, last {answer:?}", case.name, case.settings);
}

#[test]
fn every_connector_is_held_to_the_contract() {
    for name in NAMES {
        assert!(cases().iter().any(|case| case.name == *name), "{name} has no case in this suite");
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
                assert_eq!(case.connector.submit(login.clone(), &request, now), (Answer::Accepted, login.clone()));
                assert_eq!(case.connector.look(login.clone(), &request, now), (Answer::Accepted, login.clone()));
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
    assert_eq!(case.look(&request, START.plus(LAG_SECONDS - 1)), Answer::Accepted);
    assert!(case.world.card(&request.iccid, START.plus(LAG_SECONDS - 1)).packages.is_empty());
    assert_eq!(case.look(&request, START.plus(LAG_SECONDS + 9)), Answer::Confirmed);
    let card = case.world.card(&request.iccid, START.plus(LAG_SECONDS + 9));
    assert_eq!(card.packages.get("P1"), Some(&START.plus(LAG_SECONDS)), "at its instant, not when asked");
}

#[test]
fn the_same_reference_has_one_effect() {
    for case in remote(&subscribe()) {
        let request = request("1", subscribe());
        assert_eq!(case.submit(&request, START), Answer::Accepted);
        assert!(matches!(case.submit(&request, START), Answer::Accepted | Answer::Already), "{}", case.settings);
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
        assert!(case.world.card(&stop.iccid, START.plus(1000)).stopped.is_some());
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
    let act = |reference: &str, write| Request { iccid: "89860".into(), ..request(reference, write) };
    let (on, off) = (Timestamp(START.0 + 1), Timestamp(START.0 + 2));
    assert_eq!(case.submit(&act("r0", Write::Resume), START), Answer::Already, "it is on");
    case.submit(&act("s", subscribe()), START);
    assert_eq!(case.submit(&act("c", Write::Stop), on), Answer::Accepted);
    assert_eq!(case.submit(&act("r", Write::Resume), off), Answer::Accepted, "behind a waiting stop it queues");
    let card = case.world.card("89860", START.plus(1000));
    assert_eq!((card.stopped, card.packages.len()), (None, 1));
    assert_eq!(case.submit(&act("s2", subscribe()), START.plus(1000)), Answer::Already, "another reference, the same state");
    assert_eq!(case.world.effects("s2"), 0);
    assert_eq!(settle(&case, &act("u", writes()[1].clone()), START.plus(1000)).0, Answer::Confirmed);
    assert!(case.world.card("89860", START.plus(2000)).packages.is_empty());
}

#[test]
fn a_cooling_card_answers_later_and_a_later_submit_works() {
    let case = Case::sandbox(json!({"cool_down_seconds": 180}));
    let act = |reference: &str, write| Request { iccid: "89860".into(), ..request(reference, write) };
    assert_eq!(case.submit(&act("1", Write::Stop), START), Answer::Accepted);
    let second = act("2", Write::Resume);
    let Answer::Later { seconds, reason } = case.submit(&second, START.plus(80)) else { panic!("not cooling") };
    assert_eq!(seconds, 100);
    assert!(reason.starts_with("13009"), "{reason}");
    assert_eq!(case.look(&second, START.plus(80)), Answer::Unknown);
    assert_eq!(case.submit(&request("3", Write::Stop), START.plus(80)), Answer::Accepted, "one card does not cool another");
    assert_eq!(case.submit(&act("1", Write::Stop), START.plus(80)), Answer::Already, "a known reference is only told");
    assert_eq!(case.submit(&second, START.plus(80 + seconds)), Answer::Accepted);
    assert_eq!(settle(&case, &second, START.plus(400)).0, Answer::Already);
}

#[test]
fn a_login_is_reused_and_renewed() {
    let case = Case::sandbox(json!({"token_seconds": 100}));
    let ask = |login: &Login, reference: &str, now| case.connector.submit(login.clone(), &request(reference, Write::Stop), now);
    let (_, first) = ask(&Login::default(), "1", START);
    assert_eq!(first.expires, Some(START.plus(100)));
    let (_, same) = ask(&first, "2", START.plus(99));
    assert_eq!((&same, case.world.logins("sandbox")), (&first, 1), "a live login comes back as it was");
    let (answer, expired) = ask(&first, "3", START.plus(100));
    assert_eq!((answer, case.world.logins("sandbox")), (Answer::Accepted, 2));
    case.world.kill_token("sandbox");
    let (answer, killed) = case.connector.look(expired.clone(), &request("3", Write::Stop), START.plus(101));
    assert_eq!((answer, case.world.logins("sandbox")), (Answer::Confirmed, 3));
    assert_ne!(killed.token, expired.token);
    let (answer, stale) = ask(&expired, "4", START.plus(102));
    assert_eq!(answer, Answer::Accepted, "one killed by another's login is renewed within the call");
    assert_ne!(stale.token, killed.token);
}

#[test]
fn one_live_token_an_account() {
    let world = World::default();
    let client = |account: &str| open("sandbox", &json!({"account": account}), &world).expect("opens");
    let (a, a_too, b) = (client("a"), client("a"), client("b"));
    let (_, login) = a.submit(Login::default(), &request("1", Write::Stop), START);
    b.submit(Login::default(), &request("2", Write::Stop), START);
    assert_eq!(a.look(login.clone(), &request("1", Write::Stop), START), (Answer::Confirmed, login.clone()));
    a_too.look(Login::default(), &request("1", Write::Stop), START);
    assert_ne!(a.look(login.clone(), &request("1", Write::Stop), START).1, login);
    assert_eq!(b.look(Login::default(), &request("1", Write::Stop), START).0, Answer::Unknown, "references are an account's own");
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
    assert_eq!(case.submit(&request("1", subscribe()), START), Answer::Accepted);
    assert_eq!((case.world.effects("1"), case.world.logins("sandbox")), (1, 2));
    case.world.fail(Fault::TokenKilled);
    case.world.fail(Fault::TokenKilled);
    let again = case.submit(&request("2", subscribe()), START);
    assert!(matches!(again, Answer::Later { .. }), "killed twice: not now, and nothing taken");
    assert_eq!(case.look(&request("2", subscribe()), START), Answer::Unknown);
}

#[test]
fn accepted_and_never_applied_is_never_confirmed() {
    let case = Case::sandbox(json!({}));
    let (ever, bounded) = (request("1", subscribe()), request("2", subscribe()));
    case.world.fail_card(&bounded.iccid, Fault::NeverApplied { forget_seconds: Some(600) });
    case.world.fail_card(&ever.iccid, Fault::NeverApplied { forget_seconds: None });
    for request in [&ever, &bounded] {
        assert_eq!(case.submit(request, START), Answer::Accepted);
        assert_eq!(case.look(request, START.plus(599)), Answer::Accepted);
    }
    assert_eq!(case.look(&ever, START.plus(40_000_000)), Answer::Accepted);
    assert_eq!(case.submit(&ever, START.plus(40_000_000)), Answer::Accepted);
    assert_eq!(case.look(&bounded, START.plus(600)), Answer::Unknown);
    assert_eq!(settle(&case, &bounded, START.plus(600)).0, Answer::Confirmed);
    assert_eq!((case.world.effects("1"), case.world.effects("2")), (0, 1));
}

/// Whether the world shows the act done to a card that was connected and had used 7 bytes.
fn shows(case: &Case, request: &Request, now: Timestamp) -> bool {
    let card = case.world.card(&request.iccid, now);
    match &request.write {
        Write::ResetSession => card.sessions == 2 && card.session > Some(START),
        Write::SwitchNetwork { network } => card.network.as_ref() == Some(network),
        Write::RefreshUsage => card.counter.is_some_and(|c| c.bytes == 7),
        Write::SendSms { text } => card.messages == [text.as_str()],
        _ => false,
    }
}

/// The act, for a card whose device is connected and has used 7 bytes.
fn connected(case: &Case, write: &Write) -> Request {
    let request = request("1", write.clone());
    case.world.connect(&request.iccid, START);
    case.world.spend(&request.iccid, 7, START);
    request
}

#[test]
fn an_act_on_the_line_is_done_once_whatever_goes_wrong() {
    let passing = [
        None,
        Some(Fault::Lost),
        Some(Fault::AppliedTimedOut),
        Some(Fault::Garbage),
        Some(Fault::TokenKilled),
        Some(Fault::Overloaded { seconds: 30 }),
        Some(Fault::Cooling { seconds: 180 }),
        Some(Fault::NeverApplied { forget_seconds: Some(90) }),
    ];
    for write in line_acts() {
        for fault in &passing {
            for case in remote(&write) {
                let request = connected(&case, &write);
                fault.iter().for_each(|fault| case.world.fail(fault.clone()));
                let (end, now) = settle(&case, &request, START.plus(1));
                assert!(matches!(end, Answer::Confirmed | Answer::Already), "{write:?} {fault:?}: {end:?}");
                assert_eq!(case.submit(&request, now), Answer::Already, "{write:?} {fault:?}");
                assert_eq!(case.world.effects("1"), 1, "{write:?} {fault:?} {}", case.settings);
                assert!(shows(&case, &request, now), "{write:?} {fault:?} {}", case.settings);
            }
        }
    }
}

#[test]
fn an_act_on_the_line_that_is_refused_changes_nothing() {
    for write in line_acts() {
        for case in remote(&write) {
            let request = connected(&case, &write);
            case.world.fail(Fault::Refused { code: "12089".into(), reason: "not allowed".into() });
            assert!(matches!(settle(&case, &request, START.plus(1)).0, Answer::Refused { .. }));
            assert!(!shows(&case, &request, START.plus(1000)) && case.world.effects("1") == 0, "{write:?}");
        }
    }
}

#[test]
fn a_card_that_is_not_connected_has_no_session_to_cut() {
    for case in remote(&Write::ResetSession) {
        assert_eq!(case.submit(&request("1", Write::ResetSession), START), Answer::Already);
    }
}

#[test]
fn what_was_done_can_be_read() {
    for case in cases().into_iter().filter(|case| !case.connector.capabilities().by_hand) {
        let can = case.connector.capabilities();
        let card = request("0", Write::Stop).iccid;
        let read = |now| case.connector.read(Login::default(), &card, now).0.expect("it is told");
        assert_eq!(read(START), Line::default(), "nothing is known of a card that never did anything");
        case.world.connect(&card, START);
        case.world.spend(&card, 7, START);
        assert_eq!(read(START), Line { session: Some(START), ..Line::default() }, "the counter is not brought up to date yet");
        let mut now = START.plus(1);
        for (n, write) in line_acts().into_iter().enumerate() {
            let act = Request { reference: n.to_string(), iccid: card.clone(), write };
            now = settle(&case, &act, now).1;
        }
        let line = read(now);
        assert_eq!(line.network.as_deref(), can.network.then_some("ATT"), "{}", case.settings);
        assert_eq!(line.counter.map(|c| c.bytes), can.usage.then_some(7), "{}", case.settings);
        assert!(line.counter.is_none_or(|c| START < c.as_of && c.as_of <= now), "{line:?}");
        case.world.spend(&card, 1, now);
        assert_eq!(read(now.plus(86_400)), line, "reading changes nothing");
    }
}

#[test]
fn a_reading_that_fails_says_how() {
    for case in cases() {
        let read = || case.connector.read(Login::default(), "89860", START).0;
        if case.connector.capabilities().by_hand {
            assert!(matches!(read(), Err(Answer::Refused { .. })), "there is nobody to ask");
            continue;
        }
        case.world.fail_read(Fault::Overloaded { seconds: 30 });
        assert!(matches!(read(), Err(Answer::Later { seconds: 30, .. })));
        for fault in [Fault::Lost, Fault::Garbage] {
            case.world.fail_read(fault);
            assert!(matches!(read(), Err(Answer::InDoubt { .. })));
        }
        case.world.fail_read(Fault::TokenKilled);
        assert!(read().is_ok(), "one more login");
        case.world.kill_token("sandbox");
        assert!(read().is_ok());
    }
}

#[test]
fn a_carrier_that_only_says_so_is_found_out_by_reading() {
    let switch = Write::SwitchNetwork { network: "ATT".into() };
    for case in remote(&switch) {
        case.world.fail(Fault::Hollow);
        let request = request("1", switch.clone());
        assert_eq!(settle(&case, &request, START).0, Answer::Confirmed);
        assert_eq!(case.world.effects("1"), 0);
        assert_eq!(case.connector.read(Login::default(), &request.iccid, START.plus(1000)).0, Ok(Line::default()));
    }
}

/// One run under faults: what each card came to, and when.
fn storm(every: u64, seed: u64) -> Vec<(Answer, Timestamp)> {
    let faults = json!(["lost", "applied_timed_out", "token_killed", "overloaded", "garbage", "refused", "cooling",
        {"never_applied": {"forget_seconds": 200}}]);
    let case = Case::sandbox(json!({"lag_seconds": LAG_SECONDS, "cool_down_seconds": 180, "token_seconds": 50,
        "fault_every": every, "faults": faults, "seed": seed}));
    let mut ends = Vec::new();
    for n in 0..40 {
        let request = request(&n.to_string(), subscribe());
        let (end, now) = settle(&case, &request, START.plus(n));
        let active = case.world.card(&request.iccid, START.plus(10_000_000)).packages.len() as u32;
        let expected = if matches!(end, Answer::Refused { .. }) { 0 } else { 1 };
        assert_eq!((case.world.effects(&request.reference), active), (expected, expected), "every {every} seed {seed}: {end:?}");
        ends.push((end, now));
    }
    ends
}

#[test]
fn under_every_fault_each_write_ends_as_told_and_at_most_once() {
    for every in 2..7 {
        for seed in 0..20 {
            let ends = storm(every, seed);
            assert!(ends.iter().any(|(end, _)| *end == Answer::Confirmed));
            assert_eq!(ends, storm(every, seed), "the same seed, the same story");
        }
    }
    assert_ne!(storm(3, 0), storm(3, 1), "another seed, another story");
}
