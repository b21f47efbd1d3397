//! Other platforms as our upstreams, against a server that answers as their contracts do and keeps what it was asked.

use kachi_connectors::{open, sandbox};
use kachi_dialects::cardboss::{self, Operation, read};
use kachi_dialects::eiotclub::{Limits, Params, verify};
use kachi_domain::address::{Addresses, Network};
use kachi_domain::carrier::{
    Answer, Ask, Call, Callback, Card, Connector, Fact, Facts, Login, Month, News, Request, Sent, Session, Uplink, Write,
};
use kachi_domain::sim::BaseState;
use kachi_domain::time::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[path = "parts/listen.rs"]
mod listen;

const ICCID: &str = "89860412345678901234";
const NOW: Timestamp = Timestamp(1_773_100_800); // 2026-03-10 08:00:00 in China

/// What was asked: the path with its query, and the body.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// A server that answers each request with what `tell` says; none: the connection is cut.
fn serving(tell: impl Fn(&str, &str) -> Option<Value> + Send + 'static) -> (String, Asked) {
    let asked = Asked::default();
    let kept = asked.clone();
    let address = listen::listen(move |path, body| {
        kept.lock().expect("a list").push((path.to_owned(), body.to_owned()));
        tell(path, body).map(|answer| ("200 OK", answer.to_string()))
    });
    (address, asked)
}

fn connector(name: &str, settings: &Value) -> Box<dyn Connector> {
    let addresses = Addresses::allowing(vec![Network::parse("127.0.0.1").expect("a network")]);
    open(name, settings, &sandbox::World::default(), &addresses).expect("opens")
}

fn card() -> Card {
    Card { iccid: ICCID.into(), msisdn: Some("1440123456789".into()) }
}

fn request(write: Write) -> Request {
    Request { reference: "0123456789abcdef0123456789abcdef".into(), card: card(), write }
}

fn call(login: &Login) -> Call<'_> {
    Call::new(login, NOW, 7)
}

fn eiotclub(tell: impl Fn(&str, &Value) -> Option<Value> + Send + 'static) -> (Box<dyn Connector>, Asked) {
    let tell = move |path: &str, body: &str| {
        let params = Params::parse(body.as_bytes(), Limits::default()).expect("an object");
        assert!(verify(&params, "s3cret").is_some(), "signed as the door checks it");
        let body: Value = serde_json::from_str(body).expect("an object");
        assert!(body["nonce"].as_u64().is_some_and(|n| (10_000..=99_999).contains(&n)), "as published: {}", body["nonce"]);
        tell(path, &body)
    };
    let (url, asked) = serving(tell);
    (connector("eiotclub", &json!({"appkey": "a", "secret": "s3cret", "url": url})), asked)
}

fn ok(data: Value) -> Option<Value> {
    Some(json!({"code": "200", "message": "成功", "data": data}))
}

fn no(code: &str) -> Option<Value> {
    Some(json!({"code": code, "message": "words", "data": null}))
}

fn class(answer: &Answer) -> String {
    serde_json::to_value(answer).expect("JSON")["answer"].as_str().expect("a word").to_owned()
}

#[test]
fn an_order_goes_upstream_once_under_our_reference() {
    let orders = Arc::new(Mutex::new(Vec::<Value>::new()));
    let (upstream, asked) = eiotclub(move |path, body| {
        let mut orders = orders.lock().expect("orders");
        match path {
            "/api/v3/package/orderPackage" => {
                let known = orders.iter().any(|o| o["outTradeNo"] == body["outTradeNo"]);
                if known {
                    return no("42002");
                }
                let lost = orders.is_empty();
                orders.push(json!({"outTradeNo": body["outTradeNo"], "packageCode": body["packageCode"], "orderId": 10000001}));
                // The first is taken, and its answer never comes.
                if lost { None } else { ok(json!({"orderNumber": "N", "orderId": 10000001})) }
            }
            "/api/v3/package/packageOrderRecord" => ok(json!(*orders)),
            _ => no("500"),
        }
    });
    let (login, order) = (Login::default(), request(Write::subscribe("P1")));
    let doubt = Sent::in_doubt(NOW);
    assert_eq!(upstream.look(&call(&login), &order, &doubt), Answer::Unknown, "nothing was sent yet");
    assert_eq!(class(&upstream.submit(&call(&login), &order)), "in_doubt");
    assert_eq!(upstream.look(&call(&login), &order, &doubt), Answer::Confirmed);
    assert_eq!(upstream.submit(&call(&login), &order), Answer::ACCEPTED, "and a second time is the same order");
    let bought = asked.lock().expect("a list").iter().filter(|(path, _)| path.ends_with("orderPackage")).count();
    assert_eq!(bought, 2);
}

#[test]
fn an_upstream_is_told_an_integer_of_five_digits_whatever_the_number_of_the_request() {
    let (upstream, asked) = eiotclub(|_, _| no("501"));
    for number in [0, 1, 9_999, 89_999, 90_000, 99_999, u64::MAX, 7] {
        let login = Login::default();
        let call = Call::new(&login, NOW, number);
        upstream.read(&call, &card(), Facts::of(&[Fact::State])).expect_err("later");
    }
    assert_eq!(asked.lock().expect("a list").len(), 8, "none was cut off");
}

#[test]
fn every_code_of_an_upstream_has_its_class() {
    for (code, expected) in [
        ("42402", "later"),
        ("42102", "later"),
        ("44001", "later"),
        ("501", "later"),
        ("500", "in_doubt"),
        ("43331", "in_doubt"),
        ("45105", "refused"),
        ("900911", "refused"),
        ("41032", "refused"),
    ] {
        let (upstream, _) = eiotclub(move |_, _| no(code));
        let login = Login::default();
        assert_eq!(class(&upstream.submit(&call(&login), &request(Write::ResetSession))), expected, "{code}");
        let read = upstream.read(&call(&login), &card(), Facts::of(&[Fact::State]));
        assert_eq!(class(&read.expect_err("an error")), expected, "{code}");
    }
}

#[test]
fn a_card_is_read_upstream_and_many_at_once() {
    let (upstream, _) = eiotclub(|path, body| match path {
        "/api/v3/card/getCardsInfo" => {
            ok(json!({"iccid": body["iccid"], "imsi": "460", "cardStatus": "ACTIVATED_NAME", "network": "ATT",
            "totalUseFlow": 1.5, "packageCode": "P1", "dataFlow": 100, "monthUseFlow": 0.5, "packageEndDate": "2026-04-01 00:00:00"}))
        }
        "/api/v3/cdr/traffic/query" => ok(json!([{"iccid": ICCID, "traffic": "1048576"}])),
        _ => no("500"),
    });
    let login = Login::default();
    let line = upstream.read(&call(&login), &card(), Facts::ALL).expect("it is told");
    assert_eq!(line.standing.map(|s| s.base), Some(BaseState::Active));
    assert_eq!(line.counter.map(|c| (c.bytes, c.as_of)), Some((1_572_864, NOW)));
    assert_eq!((line.network.as_deref(), line.month.map(|m| m.counter.bytes)), (Some("ATT"), Some(1_048_576)));
    assert_eq!(line.packages.expect("it is told")[0].total_bytes, Some(100 << 20));
    let month = Ask::Month(Month::parse("202602").expect("a month"));
    let lines = upstream.read_many(&call(&login), &[card(), Card::of_iccid("8986")], month).expect("they are told");
    let bytes: Vec<i64> = lines.into_iter().map(|l| l.expect("each").month.expect("a month").counter.bytes).collect();
    assert_eq!(bytes, [1_048_576, 0]);
    let many: Vec<Card> = (0..51).map(|_| card()).collect();
    assert_eq!(class(&upstream.read_many(&call(&login), &many, month).expect_err("too many")), "refused");
}

fn cardboss(tell: impl Fn(&str, &str) -> Option<Value> + Send + 'static) -> (Box<dyn Connector>, Asked) {
    let tell = move |path: &str, body: &str| {
        let (name, query) = path.split_once('?').unwrap_or((path, body));
        let operation = Operation::find(name.trim_start_matches("/iotapi/rest/v2/")).expect("an operation");
        let form = read(operation, query.as_bytes()).expect("in the door's grammar");
        assert!(cardboss::verify(operation, &form, "k").is_some(), "signed as the door checks it");
        tell(path, body)
    };
    let (url, asked) = serving(tell);
    (connector("cardboss", &json!({"sid": "s", "apikey": "k", "url": url, "direct_url": url})), asked)
}

#[test]
fn acts_go_straight_to_the_carrier_and_count_by_what_the_card_shows() {
    let stopped = Arc::new(Mutex::new(false));
    let (upstream, asked) = cardboss(move |path, body| {
        let mut stopped = stopped.lock().expect("a state");
        if path.starts_with("/iotapi/rest/v2/card/stopkeep") {
            *stopped = body.contains("stopkeep=0");
            return Some(json!({"code": "0", "msg": "ok", "detail": ""}));
        }
        let status = if *stopped { "3" } else { "2" };
        let card = json!({"msisdn": "1440123456789", "iccid": ICCID, "imsi": "460", "msstatus": status, "online": "在线", "ip": "10.0.0.1",
            "apnstatus": "CMIOT:正常,M2MIOT:暂停", "flowusage": "2048", "voiceusage": 7, "monthsincdate": "2026-03-10 07:00:00"});
        Some(json!({"code": "0", "msg": "ok", "detail": "", "result": {"count": 1, "cards": [card]}}))
    });
    let login = Login::default();
    let line = upstream.read(&call(&login), &card(), Facts::ALL.without(Facts::of(&[Fact::Packages]))).expect("it is told");
    let apns: Vec<(String, Option<bool>)> = line.apns.expect("they are told").into_iter().map(|a| (a.name, a.on)).collect();
    assert_eq!(apns, [("CMIOT".to_owned(), Some(true)), ("M2MIOT".to_owned(), Some(false))]);
    assert_eq!(line.month.map(|m| (m.counter.bytes, NOW.since(m.counter.as_of))), Some((2 << 20, 3_600)));
    assert_eq!(line.voice.map(|v| (v.seconds, NOW.since(v.as_of))), Some((420, 3_600)), "minutes");
    let stop = request(Write::Stop);
    let doubt = Sent::in_doubt(NOW);
    assert_eq!(class(&upstream.look(&call(&login), &stop, &doubt)), "in_doubt", "it may still show");
    assert_eq!(upstream.look(&call(&login), &stop, &Sent::in_doubt(NOW.plus(-600))), Answer::Unknown);
    assert_eq!(upstream.submit(&call(&login), &stop), Answer::ACCEPTED);
    assert_eq!(upstream.look(&call(&login), &stop, &doubt), Answer::Confirmed);
    let asked = asked.lock().expect("a list");
    let form = &asked.iter().find(|(path, _)| path.contains("stopkeep")).expect("it was asked").1;
    // MD5 of sid, apikey, ts, msisdn, iccid, stopkeep: sk 20260310080000 1440123456789 89860412345678901234 0.
    assert!(form.contains("ts=20260310080000") && form.contains("sign=39b66ce6fa4d4d866558342a0edbf0b6"), "{form}");
}

#[test]
fn a_carriers_code_that_is_passed_on_is_understood() {
    for (code, detail, expected) in [
        ("1099", "13009 同一张卡三分钟内", "later"),
        ("1099", "12089", "refused"),
        ("13009", "", "later"),
        ("13010", "", "later"),
        ("1001", "", "later"),
        ("1005", "", "later"),
        ("1006", "", "later"),
        ("1021", "", "later"),
        ("1025", "", "later"),
        ("1030", "", "later"),
        ("1034", "", "in_doubt"),
        ("1090", "", "in_doubt"),
        ("1091", "", "in_doubt"),
        ("1092", "", "in_doubt"),
        ("1080", "duplicate", "refused"),
    ] {
        let (upstream, _) = cardboss(move |_, _| Some(json!({"code": code, "msg": "no", "detail": detail})));
        assert_eq!(class(&upstream.submit(&call(&Login::default()), &request(Write::Stop))), expected, "{code} {detail}");
    }
}

#[test]
fn an_order_whose_answer_was_lost_is_never_sent_twice() {
    let (upstream, _) = cardboss(|path, _| {
        if path.contains("renew") {
            return None;
        }
        let package = json!({"pkgcode": "P1", "pkgname": "n", "totalflow": "1024", "enddate": "2026-04-01"});
        Some(json!({"code": "0", "msg": "", "detail": "", "result": {"count": 1, "pkgs": [package]}}))
    });
    let (login, order) = (Login::default(), request(Write::subscribe("P1")));
    assert_eq!(class(&upstream.submit(&call(&login), &order)), "in_doubt");
    assert_eq!(class(&upstream.look(&call(&login), &order, &Sent::in_doubt(NOW.plus(-86_400)))), "in_doubt", "a person looks");
    let taken = Sent { at: NOW, accepted: Some(NOW), job: Some("CR1".into()) };
    assert_eq!(class(&upstream.look(&call(&login), &order, &taken)), "accepted", "that it has the package says nothing");
}

/// A renewal buys the package that the card has already: it is done when the card has more of it than before.
#[test]
fn a_renewal_is_done_when_the_card_has_more_of_its_package() {
    let ends = Arc::new(Mutex::new(vec!["2026-04-30"]));
    let shown = ends.clone();
    let (upstream, _) = cardboss(move |path, _| {
        if path.contains("renew") {
            return Some(json!({"code": "0", "msg": "", "detail": "", "result": {"orderid": "CR2603100800001234"}}));
        }
        let row = |end: &&str| json!({"pkgcode": "P1", "pkgname": "n", "totalflow": "1024", "enddate": end});
        let other = json!({"pkgcode": "P2", "pkgname": "m", "enddate": "2030-01-01"});
        let rows: Vec<Value> = shown.lock().expect("rows").iter().map(row).chain([other]).collect();
        Some(json!({"code": "0", "msg": "", "detail": "", "result": {"count": rows.len(), "pkgs": rows}}))
    });
    let login = Login::default();
    let order = request(Write::Subscribe { package: "P1".into(), months: Some(12), lasts: Some(1), from: None });
    let Answer::Accepted { job: Some(job) } = upstream.submit(&call(&login), &order) else { panic!("it is taken") };
    assert_eq!(job.split(' ').next(), Some("CR2603100800001234"), "the upstream's number comes first: {job}");
    let sent = Sent { at: NOW, accepted: Some(NOW), job: Some(job.clone()) };
    let look = || upstream.look(&call(&login), &order, &sent);
    assert_eq!(look(), Answer::Accepted { job: Some(job) }, "it has the package, as it had before");
    for later in [vec!["2027-04-30"], vec!["2026-04-30", "2026-04-30"], vec!["2026-04-30", "2027-04-30"]] {
        *ends.lock().expect("rows") = later.clone();
        assert_eq!(look(), Answer::Confirmed, "{later:?}");
    }
    *ends.lock().expect("rows") = Vec::new();
    assert_eq!(class(&look()), "accepted", "what ran out shows no renewal");
}

#[test]
fn the_first_package_of_a_card_can_be_bought_where_having_none_is_no_data() {
    let (upstream, asked) = cardboss(|path, _| {
        let told = |code: &str| json!({"code": code, "msg": "", "detail": "", "result": {"orderid": "CR2603100800001235"}});
        Some(told(if path.contains("renew") { "0" } else { "1032" }))
    });
    let login = Login::default();
    let order = request(Write::Subscribe { package: "P1".into(), months: None, lasts: Some(12), from: None });
    let Answer::Accepted { job: Some(job) } = upstream.submit(&call(&login), &order) else { panic!("it is taken") };
    let sent = Sent { at: NOW, accepted: Some(NOW), job: Some(job) };
    assert_eq!(class(&upstream.look(&call(&login), &order, &sent)), "accepted", "not there yet is no refusal");
    let asked = format!("{:?}", asked.lock().expect("a list"));
    assert!(asked.contains("month=12"), "an order that names no months is for those that the package lasts: {asked}");
}

#[test]
fn a_signed_push_is_the_last_word_on_a_renewal() {
    let (upstream, _) = cardboss(|_, _| None);
    assert!(upstream.capabilities().callbacks);
    let push = |sid: &str, apikey: &str, sn: &str, data: &str| {
        let push = cardboss::Push { sid, id: "1", sn, level: "info", api: "", time: "2026-03-10 08:00:00", data, desc: "" };
        cardboss::push_body(&push, apikey)
    };
    let read = |body: &str| upstream.read_callback(&Callback { query: "", headers: &[], body: body.as_bytes() }, NOW);
    let done = r#"{"status":"1","msg":"ok","orderid":"CR1","msisdn":"1440123456789"}"#;
    let no = done.replace(r#""status":"1""#, r#""status":0"#);
    let word = |answer| Ok(vec![News::Message { job: "CR1".into(), answer }]);
    assert_eq!(read(&push("s", "k", "OD1002", done)), word(Answer::Confirmed));
    assert_eq!(read(&push("s", "k", " OD1002", done)), word(Answer::Confirmed), "as the source's example has it");
    assert_eq!(read(&push("s", "k", "OD1002", &no)), word(Answer::Refused { code: "OD1002".into(), reason: "ok".into() }));
    assert_eq!(read(&push("s", "k", "OD1010", "{}")), Ok(vec![]), "its warnings are about its own figures");
    let signed = push("s", "k", "OD1002", done);
    let null = push("s", "k", "OD1002", done).replace(r#""desc":"""#, r#""desc":null"#);
    assert_eq!(read(&null), word(Answer::Confirmed), "null is signed as an empty text");
    for bad in [
        push("s", "other", "OD1002", done),
        push("t", "k", "OD1002", done),
        signed.replace("CR1", "CR2"),
        signed.replace(r#"\"1\""#, r#"\"0\""#),
        push("s", "k", "OD1002", "[]"),
        push("s", "k", "OD1002", r#"{"orderid":"CR1"}"#),
        "{}".to_owned(),
        "status=1&orderid=CR1".to_owned(),
    ] {
        assert_eq!(read(&bad).err().as_ref().map(class).as_deref(), Some("refused"), "{bad}");
    }
}

/// The upstream hands each report and each reply out once: both are taken whole, whoever they are about.
#[test]
fn reports_and_replies_of_an_upstream_are_taken_as_it_hands_them_out() {
    let (upstream, asked) = cardboss(|path, _| {
        let result = if path.contains("rpt/get") {
            json!({"count": 2, "rpts": [{"stat": "DELIVRD", "mobile": "1440123456789", "taskid": "T1"},
                {"state": "MA:0041", "mobile": "1440123456780", "taskid": "T2", "rpttime": ""}, {"mobile": "1"}]})
        } else {
            json!({"count": 1, "mos": [{"content": "here", "apmid": "A1", "spcode": "10648", "mobile": "1440123456789"}, {"content": "x"}]})
        };
        Some(json!({"code": "0", "msg": "", "detail": "", "result": result}))
    });
    assert!(upstream.hands_out());
    let news = upstream.waiting(&call(&Login::default())).expect("it is told");
    let refused = Answer::Refused { code: "MA:0041".into(), reason: "not delivered".into() };
    let wrote = Uplink { id: "A1".into(), card: "1440123456789".into(), to: "10648".into(), text: "here".into(), at: NOW };
    assert_eq!(
        news,
        [
            News::Message { job: "T1".into(), answer: Answer::Confirmed },
            News::Message { job: "T2".into(), answer: refused },
            News::Wrote(wrote)
        ]
    );
    assert_eq!(asked.lock().expect("a list").len(), 2);
    // What was handed out once is kept though the next question has no answer.
    let (upstream, _) = cardboss(|path, _| {
        let rpts = json!([{"stat": "DELIVRD", "mobile": "1440123456789", "taskid": "T1"}]);
        path.contains("rpt/get").then(|| json!({"code": "0", "msg": "", "detail": "", "result": {"count": 1, "rpts": rpts}}))
    });
    assert_eq!(upstream.waiting(&call(&Login::default())).map(|n| n.len()), Ok(1));
}

/// What a page says of a session: `apn` is how a card is connected, `rat` where to.
#[test]
fn a_page_tells_a_session_and_much_else_for_one_request() {
    let page = |more: Value| {
        let mut told = json!({"msisdn": "1440123456789", "iccid": ICCID, "msstatus": "2", "flowusage": 1, "voiceusage": 3, "imei": "867530912345678"});
        told.as_object_mut().expect("a card").extend(more.as_object().expect("fields").clone());
        let (upstream, asked) = cardboss(move |_, _| {
            Some(json!({"code": "0", "msg": "", "detail": "", "result": {"count": 1, "cards": [told.clone()]}}))
        });
        let mut lines = upstream.read_many(&call(&Login::default()), &[card()], Ask::State).expect("they are told");
        assert_eq!(asked.lock().expect("a list").len(), 1);
        lines.pop().expect("a card").expect("it is told")
    };
    let power = |more: Value| page(more).power;
    assert_eq!([power(json!({"onoff": "开机"})), power(json!({"onOff": "1"})), power(json!({}))], [Some(true), Some(true), None]);
    assert_eq!([power(json!({"onoff": "关机"})), power(json!({"onOff": "0"}))], [Some(false), Some(false)]);
    let line = page(json!({"online": "在线", "apn": "4G", "rat": "cmiot", "ip": "10.0.0.1", "apnstatus": "CMIOT:暂停"}));
    let session = Session { since: None, apn: Some("cmiot".into()), ip: Some("10.0.0.1".into()), rat: Some("4G".into()) };
    assert_eq!(line.sessions, Some(vec![session]));
    assert_eq!((line.standing.map(|s| s.base), line.imei), (Some(BaseState::Active), None), "nobody says when it was in there");
    assert_eq!((line.voice.map(|v| v.seconds), line.month.map(|m| m.counter.bytes)), (Some(180), Some(1024)));
    assert_eq!(line.apns.map(|apns| apns.len()), Some(1));
    assert_eq!(page(json!({"gprsStatus": "离线"})).sessions, Some(Vec::new()));
    for silent in [json!({"online": ""}), json!({}), json!({"online": "?"})] {
        let line = page(silent.clone());
        assert_eq!((line.sessions, line.apns), (None, None), "{silent}: it does not say that it is not connected");
    }
}

/// Each number is a request of its own: what comes after the first says nothing of those before it.
#[test]
fn a_part_of_a_white_list_is_not_a_refusal() {
    for (which, expected) in [(0, "later"), (1, "in_doubt")] {
        let seen = Mutex::new(0);
        let (upstream, _) = cardboss(move |_, _| {
            let mut seen = seen.lock().expect("a count");
            *seen += 1;
            Some(if *seen == which + 1 { json!({"status": "13010", "message": "1 minute"}) } else { json!({"code": "0"}) })
        });
        let numbers = vec!["13800000001".to_owned(), "13800000002".to_owned()];
        let write = request(Write::AllowCalls { numbers, group: String::new() });
        assert_eq!(class(&upstream.submit(&call(&Login::default()), &write)), expected, "{which}");
    }
}
