//! What must not be done twice, at every platform that is dialled: an answer that does not say whether it was taken is a doubt, never
//! "not now" and never a no, for the money would go back while the carrier may have done it.

use super::*;
use kachi_domain::address::Network;
use kachi_domain::carrier::{Fact, LOGIN_REFUSED_SECONDS};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[path = "../parts/listen.rs"]
mod listen;

/// An HTTP status and a body; none: the connection is cut.
type Reply = Option<(&'static str, String)>;

/// A platform that says yes to everything but the so-manieth requests, of which the answers are others.
#[derive(Default)]
struct Far {
    made: AtomicUsize,
    fails: Mutex<Vec<(usize, Reply)>>,
}

impl Far {
    /// Counts from here on, with these answers.
    fn begin(&self, fails: Vec<(usize, Reply)>) {
        *self.fails.lock().expect("faults") = fails;
        self.made.store(0, Ordering::SeqCst);
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

fn serving(far: Arc<Far>, good: Value) -> String {
    listen::listen(move |_, _| {
        let made = far.made.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = far.fails.lock().expect("faults").iter().find(|(at, _)| *at == made).cloned();
        fails.map_or_else(|| Some(("200 OK", good.to_string())), |(_, reply)| reply)
    })
}

/// A connector that dials, by what it needs besides an address, how its platform says yes, and how no.
struct Dialled {
    settings: Value,
    good: Value,
    no: Value,
}

fn dialled(name: &str) -> Option<Dialled> {
    let yes = |settings: Value, good: Value, no: Value| Some(Dialled { settings, good, no });
    let of_telecom = json!({"RESULT": "0", "SMSG": "14912345678", "resultCode": "0", "data": {"messageId": "1"}});
    let no = json!({"status": "12089", "resultCode": "77", "code": "1080", "errorCode": "30000001", "errorMessage": "no"});
    match name {
        "manual" | "sandbox" => None,
        "onelink" => yes(
            json!({"appid": "1", "password": "p", "main_offer": "1", "sms_action": "T", "voice_param": "v"}),
            json!({"status": "0", "result": [{"orderNum": "1"}]}),
            no,
        ),
        "ctwing" => yes(json!({"app_key": "a", "secret_key": "SECRET123", "cust_number": "C1"}), of_telecom, no),
        "telecom_des" => yes(json!({"user_id": "u", "password": "p", "key": "k1ak2bk3c"}), of_telecom, no),
        "unicom" => yes(
            json!({"app_id": "a", "app_secret": "s", "open_id": "o", "nac_on": "1", "nac_off": "2", "nac_speeds": "128=3"}),
            json!({"status": "0000", "data": {"resultCode": "0000", "nacId": "7"}}),
            json!({"status": "0000", "data": {"resultCode": "1074", "resultDesc": "no data"}}),
        ),
        "jasper" => yes(
            json!({"username": "u", "api_key": "k", "plan_on": "1", "plan_off": "2", "plan_speeds": "128=3"}),
            json!({"iccid": "8986", "smsMessageId": "1", "communicationPlan": "7"}),
            json!({"errorCode": "20000030", "errorMessage": "no"}),
        ),
        "eiotclub" => yes(json!({"appkey": "a", "secret": "s"}), json!({"code": "200", "data": {"orderId": "1"}}), no),
        "cardboss" => {
            yes(json!({"sid": "s", "apikey": "k"}), json!({"code": "0", "result": {"orderid": "1", "taskid": "1"}}), no)
        }
        _ => panic!("{name}: how does its platform say yes, and no?"),
    }
}

/// The connector, with its platform on the other side.
fn dial(name: &str, dialled: &Dialled) -> (Box<dyn Connector>, Arc<Far>) {
    let (far, mut settings) = (Arc::<Far>::default(), dialled.settings.clone());
    let address = serving(far.clone(), dialled.good.clone());
    settings["url"] = json!(address);
    if name == "cardboss" {
        settings["direct_url"] = json!(address);
    }
    let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
    (open(name, &settings, &World::default(), &addresses).expect("opens"), far)
}

fn asked(write: &Write) -> Request {
    let card = Card { iccid: "89860412345678901234".into(), msisdn: Some("1440123456789".into()) };
    Request { reference: "0123456789abcdef0123456789abcdef".into(), card, write: write.clone() }
}

/// Answers that do not say whether it was done: of a gateway or a server in trouble, whatever they carry, and those that do not read.
fn doubtful() -> Vec<Reply> {
    let html = "<html><body>busy</body></html>";
    let told = r#"{"timestamp": 1, "status": 500, "error": "Internal Server Error", "code": "500", "path": "/"}"#;
    let no = r#"{"status": "12089", "resultCode": "77", "code": "1080", "errorCode": "30000001", "errorMessage": "no", "message": "no"}"#;
    let mut all = vec![None];
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"] {
        all.extend([html, told, no, ""].map(|body| Some((status, body.to_owned()))));
    }
    all.extend(["<html>", "{", ""].map(|body| Some(("200 OK", body.to_owned()))));
    all
}

#[test]
fn what_must_not_be_done_twice_is_in_doubt_when_its_answer_does_not_say() {
    let mut seen = Vec::new();
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        let login = Login { token: "t".into(), expires: None };
        let once =
            [subscribe(), Write::SendSms { text: "hello".into() }, Write::SendPhone { to: "138".into(), text: "a".into() }];
        for write in once.into_iter().filter(|write| connector.capabilities().can(write)) {
            let request = asked(&write);
            let submit = |fails: Option<(usize, Reply)>| {
                far.begin(fails.into_iter().collect());
                connector.submit(&Call::new(&login, START, 1), &request)
            };
            let taken = submit(None);
            assert!(matches!(taken, Answer::Accepted { .. }), "{name} {write:?}: {taken:?}");
            let last = far.made();
            for reply in doubtful() {
                let told = submit(Some((last, reply.clone())));
                assert!(matches!(told, Answer::InDoubt { .. }), "{name} {write:?} after {reply:?}: {told:?}");
                // What was asked before it was sent is no doubt about it.
                for before in 1..last {
                    let told = submit(Some((before, reply.clone())));
                    assert!(matches!(told, Answer::Later { .. }), "{name} {write:?}, before it {reply:?}: {told:?}");
                    assert_eq!(far.made(), before, "{name} {write:?}: nothing was sent");
                }
            }
            let busy = submit(Some((last, Some(("429 Too Many Requests", "{}".into())))));
            assert!(matches!(busy, Answer::Later { .. }), "{name} {write:?}: that it was not taken is known: {busy:?}");
            seen.push((*name, write));
        }
    }
    let orders: Vec<&str> = seen.iter().filter(|(_, write)| *write == subscribe()).map(|(name, _)| *name).collect();
    assert_eq!(orders, ["onelink", "telecom_des", "unicom", "jasper", "eiotclub", "cardboss"]);
    assert_eq!(seen.len() - orders.len(), 5, "{seen:?}: messages to devices");
}

/// A write that counted as not sent would be given up without its contrary, and refused to whoever waits for its word.
#[test]
fn a_write_that_a_busy_gateway_may_have_passed_on_is_in_doubt_where_it_can_be_looked_for() {
    let (login, mut seen) = (Login { token: "t".into(), expires: None }, Vec::new());
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        for write in writes().into_iter().filter(|write| connector.capabilities().can(write)) {
            let submit = |fails: Vec<(usize, Reply)>| {
                far.begin(fails);
                connector.submit(&Call::new(&login, START, 1), &asked(&write))
            };
            let (taken, last) = (submit(Vec::new()), far.made());
            let told = submit(vec![(last, Some(("503 Service Unavailable", "busy".into())))]);
            match taken {
                Answer::Accepted { .. } => assert!(matches!(told, Answer::InDoubt { .. }), "{name} {write:?}: {told:?}"),
                // Nobody is asked about it afterwards: it is done again.
                _ if last > 0 => assert!(matches!(told, Answer::Later { .. }), "{name} {write:?}: {told:?}"),
                _ => continue,
            }
            seen.push((*name, write));
        }
    }
    let of = |write: &Write| seen.iter().filter(|(_, seen)| seen == write).count();
    assert_eq!([Write::Stop, Write::Resume, Write::DataOff { apn: None }].map(|write| of(&write)), [6, 6, 6], "{seen:?}");
}

/// What a platform says that refuses who asks.
fn login_refused(name: &str) -> Vec<Reply> {
    let told = |status: &'static str, words: Value| Some((status, words.to_string()));
    let ok = |words: Value| told("200 OK", words);
    match name {
        "onelink" => ["12021", "12004", "12022"].map(|code| ok(json!({"status": code, "message": "鉴权失败"}))).into(),
        "ctwing" | "telecom_des" => vec![
            ok(json!({"resultCode": "-1", "resultMsg": "用户名或密码错误"})),
            ok(json!({"RESULT": "-3", "SMSG": "签名错误"})),
        ],
        "unicom" => [("1003", "token校验失败"), ("1002", "app_id或openId无效"), ("1004", "timestamp超出允许范围")]
            .map(|(status, message)| ok(json!({"status": status, "message": message})))
            .into(),
        "jasper" => vec![
            told("401 Unauthorized", json!({"errorMessage": "Full authentication is required to access this resource"})),
            told("401 Unauthorized", json!({"errorMessage": "Invalid credentials", "errorCode": "10000001"})),
            told("403 Forbidden", json!({"errorMessage": "no"})),
        ],
        "eiotclub" => ["502", "42101", "42104", "42203"].map(|code| ok(json!({"code": code, "message": "no"}))).into(),
        "cardboss" => ["1001", "1005", "1006", "1025"].map(|code| ok(json!({"code": code, "msg": "no"}))).into(),
        _ => panic!("{name}: how does its platform refuse who asks?"),
    }
}

/// Who asks is looked at before anything else: nothing was taken, and nothing is refused for good. The login is renewed, or put right by
/// somebody, and what was asked for is sent then.
#[test]
fn a_login_that_is_refused_refuses_no_write_and_leaves_none_in_doubt() {
    let (login, mut orders) = (Login { token: "t".into(), expires: None }, Vec::new());
    let is_not_now = |told: &Answer| match told {
        Answer::NoLogin { .. } => true,
        Answer::Later { seconds, .. } => *seconds == LOGIN_REFUSED_SECONDS,
        _ => false,
    };
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        for write in writes().into_iter().filter(|write| connector.capabilities().can(write)) {
            let request = asked(&write);
            let submit = |fails: Vec<(usize, Reply)>| {
                far.begin(fails);
                connector.submit(&Call::new(&login, START, 1), &request)
            };
            submit(Vec::new());
            for (reply, at) in login_refused(name).iter().flat_map(|reply| (1..=far.made()).map(move |at| (reply, at))) {
                let told = submit(vec![(at, reply.clone())]);
                assert!(is_not_now(&told), "{name} {write:?}, request {at}, {reply:?}: {told:?}");
                assert_eq!(far.made(), at, "{name} {write:?}: nothing is asked after it");
                far.begin(vec![(1, reply.clone())]);
                let told = connector.look(&Call::new(&login, START, 2), &request, &Sent::in_doubt(START));
                assert!(far.made() == 0 || is_not_now(&told), "{name} {write:?}, asked about: {told:?}");
            }
            if write == subscribe() {
                orders.push(*name);
            }
        }
        for reply in login_refused(name) {
            far.begin(vec![(1, reply.clone())]);
            let told = connector.read(&Call::new(&login, START, 1), &asked(&subscribe()).card, Facts::of(&[Fact::State]));
            assert!(told.as_ref().is_err_and(is_not_now), "{name} {reply:?}: {told:?}");
        }
    }
    assert_eq!(orders, ["onelink", "telecom_des", "unicom", "jasper", "eiotclub", "cardboss"]);
}

/// What a platform says that is in trouble and does not say more, with HTTP 200.
fn trouble(name: &str) -> Vec<Value> {
    match name {
        "onelink" => vec![json!({"status": "19010", "message": "其他错误"}), json!({"status": "19010"})],
        "ctwing" | "telecom_des" => vec![json!({"resultCode": "-99", "resultMsg": "系统错误"})],
        "unicom" => ["系统错误", "系统繁忙，请稍后再试"]
            .map(|words| json!({"status": "0000", "data": {"resultCode": "9999", "resultDesc": words}}))
            .into(),
        "jasper" => vec![json!({"errorCode": "30000001", "errorMessage": "Unknown server error"})],
        "eiotclub" => vec![json!({"code": "500", "message": "操作失败,请稍后再试"})],
        "cardboss" => vec![
            json!({"code": "1090", "msg": "系统内部错误"}),
            json!({"code": "1099", "msg": "上级错误", "detail": "通道方返回错误码:19010,其他错误"}),
        ],
        _ => panic!("{name}: what does its platform say in trouble?"),
    }
}

/// That there is an error is no word on what was asked for: a write may have been taken, and a question is asked again.
#[test]
fn an_error_that_says_no_more_is_a_doubt_about_a_write_and_no_answer_to_a_question() {
    let (login, mut orders) = (Login { token: "t".into(), expires: None }, Vec::new());
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        let error = |words: &Value| Some(("200 OK", words.to_string()));
        for write in writes().into_iter().filter(|write| connector.capabilities().can(write)) {
            let request = asked(&write);
            let submit = |fails: Vec<(usize, Reply)>| {
                far.begin(fails);
                connector.submit(&Call::new(&login, START, 1), &request)
            };
            if !matches!(submit(Vec::new()), Answer::Accepted { .. }) {
                continue;
            }
            let last = far.made();
            for words in trouble(name) {
                let told = submit(vec![(last, error(&words))]);
                assert!(matches!(told, Answer::InDoubt { .. }), "{name} {write:?}, {words}: {told:?}");
                for before in 1..last {
                    let told = submit(vec![(before, error(&words))]);
                    assert!(matches!(told, Answer::Later { .. }), "{name} {write:?}, before it {words}: {told:?}");
                    assert_eq!(far.made(), before, "{name} {write:?}: nothing was sent");
                }
                far.begin(vec![(1, error(&words))]);
                let told = connector.look(&Call::new(&login, START, 2), &request, &Sent::in_doubt(START));
                assert!(matches!(told, Answer::InDoubt { .. } | Answer::Unknown), "{name} {write:?}, asked about: {told:?}");
                assert!(far.made() == 0 || told != Answer::Unknown, "{name} {write:?}: it would be sent again");
            }
            if write == subscribe() {
                orders.push(*name);
            }
        }
        for words in trouble(name) {
            far.begin(vec![(1, error(&words))]);
            let told = connector.read(&Call::new(&login, START, 1), &asked(&subscribe()).card, Facts::of(&[Fact::State]));
            assert!(matches!(told, Err(Answer::InDoubt { .. } | Answer::Later { .. })), "{name} {words}: {told:?}");
        }
    }
    assert_eq!(orders, ["onelink", "telecom_des", "unicom", "jasper", "eiotclub", "cardboss"]);
}

/// A row of a job that is over is told with what became of it, whatever the reason.
#[test]
fn an_error_that_says_no_more_is_a_no_in_a_job_that_is_over() {
    let dialled = dialled("onelink").expect("it dials");
    let (connector, far) = dial("onelink", &dialled);
    let (login, stop) = (Login { token: "t".into(), expires: None }, asked(&Write::Stop));
    let row = json!({"resultId": stop.card.msisdn, "status": "19010", "message": "其他错误"});
    let told = json!({"status": "0", "result": [{"jobStatus": "3", "resultList": [row]}]});
    far.begin(vec![(1, Some(("200 OK", told.to_string())))]);
    let sent = Sent { at: START, accepted: Some(START), job: Some("1".into()) };
    let told = connector.look(&Call::new(&login, START, 2), &stop, &sent);
    assert!(matches!(&told, Answer::Refused { code, .. } if code == "19010"), "{told:?}");
}

/// What the question is refused with is no word on what it asks about, at any platform and of any write.
#[test]
fn a_refused_question_says_nothing_of_the_write() {
    let mut orders = Vec::new();
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        let login = Login { token: "t".into(), expires: None };
        for write in writes().into_iter().filter(|write| connector.capabilities().can(write)) {
            let request = asked(&write);
            let Answer::Accepted { job } = connector.submit(&Call::new(&login, START, 1), &request) else { continue };
            let already = json!({"status": "12047", "code": "42002", "resultCode": "-5"});
            for (no, sent) in [&dialled.no, &already].into_iter().flat_map(|no| {
                [Sent { at: START, accepted: Some(START), job: job.clone() }, Sent::in_doubt(START)].map(|s| (no, s))
            }) {
                far.begin(vec![(1, Some(("200 OK", no.to_string())))]);
                let told = connector.look(&Call::new(&login, START, 2), &request, &sent);
                assert!(!matches!(told, Answer::Refused { .. } | Answer::Already), "{name} {write:?} {sent:?}: {told:?}");
                far.begin(Vec::new());
            }
            if write == subscribe() {
                orders.push(*name);
            }
        }
    }
    assert_eq!(orders, ["onelink", "telecom_des", "unicom", "jasper", "eiotclub", "cardboss"]);
}

/// A platform that refuses what is so already is asked whether it is. Without an answer that is not known: an earlier sending, whose answer was
/// lost, may have made it so.
#[test]
fn a_refusal_is_a_doubt_where_it_is_not_told_whether_it_is_so_already() {
    let (login, mut seen) = (Login { token: "t".into(), expires: None }, Vec::new());
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        for write in writes().into_iter().filter(|write| connector.capabilities().can(write)) {
            let submit = |fails: Vec<(usize, Reply)>| {
                far.begin(fails);
                connector.submit(&Call::new(&login, START, 1), &asked(&write))
            };
            if !matches!(submit(Vec::new()), Answer::Accepted { .. }) {
                continue;
            }
            let last = far.made();
            let refused = (last, Some(("200 OK", dialled.no.to_string())));
            let told = submit(vec![refused.clone()]);
            if far.made() == last {
                assert!(matches!(told, Answer::Refused { .. }), "{name} {write:?}: {told:?}");
                continue;
            }
            let told = submit(vec![refused.clone(), (last + 1, None)]);
            assert!(matches!(told, Answer::InDoubt { .. }), "{name} {write:?}: {told:?}");
            // Of a card that the platform does not know, or that is another's, it refuses to tell anything.
            let told = submit((last..last + 3).map(|at| (at, refused.1.clone())).collect());
            assert!(matches!(told, Answer::Refused { .. }), "{name} {write:?}: {told:?}");
            seen.push((*name, write));
        }
    }
    let of = |name: &str| seen.iter().filter(|(of, _)| *of == name).count();
    assert!(["onelink", "ctwing", "telecom_des", "unicom", "jasper"].iter().all(|name| of(name) >= 2), "{seen:?}");
    assert!(["unicom", "jasper"].iter().all(|name| seen.contains(&(*name, subscribe()))), "{seen:?}");
}

/// Where a platform takes one order for one package from now on, what is more is refused before anything is sent; a plan lasts until it is
/// changed.
#[test]
fn what_a_platform_cannot_be_told_of_an_order_is_refused_before_it_is_sent() {
    let login = Login { token: "t".into(), expires: None };
    let order = |months, lasts, from| Write::Subscribe { package: "P1".into(), months, lasts, from };
    let (several, later) = (order(Some(3), Some(1), None), order(None, Some(1), Some(START.plus(86_400))));
    let without_months = order(Some(2), None, None);
    let mut seen = 0;
    for name in NAMES {
        let Some(dialled) = dialled(name) else { continue };
        let (connector, far) = dial(name, &dialled);
        if !connector.capabilities().subscribe {
            continue;
        }
        let takes = match *name {
            "onelink" | "telecom_des" | "eiotclub" => [false; 3],
            "unicom" | "jasper" => [true, true, false],
            "cardboss" => [true; 3],
            other => panic!("{other}: what can it be told of an order?"),
        };
        for (write, taken) in [&several, &without_months, &later].into_iter().zip(takes) {
            far.begin(Vec::new());
            let told = connector.submit(&Call::new(&login, START, 1), &asked(write));
            let expected = if taken { matches!(told, Answer::Accepted { .. }) } else { matches!(told, Answer::Refused { .. }) };
            assert!(expected, "{name} {write:?}: {told:?}");
            assert_eq!(far.made() > 0, taken, "{name} {write:?}");
            seen += 1;
        }
        let whole = connector.submit(&Call::new(&login, START, 1), &asked(&order(Some(3), Some(3), None)));
        assert!(matches!(whole, Answer::Accepted { .. }), "{name}: {whole:?}");
    }
    assert_eq!(seen, 18);
}

/// Nobody can take back what the platform could be asked for yesterday, and not today.
#[test]
fn a_sent_write_that_can_be_asked_about_no_more_is_in_doubt() {
    for (name, settings, write) in [
        ("onelink", json!({"appid": "1", "password": "p"}), subscribe()),
        ("onelink", json!({"appid": "1", "password": "p"}), Write::SendSms { text: "hello".into() }),
        ("unicom", json!({"app_id": "a", "app_secret": "s", "open_id": "o"}), Write::DataOff { apn: None }),
        ("jasper", json!({"username": "u", "api_key": "k"}), Write::LimitSpeed { kbps: None }),
    ] {
        let connector = open(name, &settings, &World::default(), &Addresses::default()).expect("opens");
        let (login, sent) = (Login::default(), Sent { at: START, accepted: Some(START), job: Some("1".into()) });
        let call = Call::new(&login, START, 1);
        let refused = connector.submit(&call, &request("1", write.clone()));
        assert!(matches!(refused, Answer::Refused { .. }), "{name} {write:?}: {refused:?}");
        let told = connector.look(&call, &request("1", write.clone()), &sent);
        assert!(matches!(told, Answer::InDoubt { .. }), "{name} {write:?}: {told:?}");
        assert_eq!(call.requests(), 0);
    }
}
