//! EIOTCLUB signatures: the worked example, the ten forms, the traps.

use kachi_dialects::eiotclub::codes::{self, Language};
use kachi_dialects::eiotclub::{
    Booleans, Empties, Form, Limits, Nested, Order, Params, ParseError, System, SystemError, canonical, is_ambiguous,
    notice_body, sign, sign_notice, signed_value, verify,
};
use serde_json::json;

fn params(body: &str) -> Params {
    Params::parse(body.as_bytes(), Limits::default()).unwrap_or_else(|e| panic!("{body}: {e}"))
}

fn refused(body: &[u8], limits: Limits) -> ParseError {
    Params::parse(body, limits).expect_err("must be refused")
}

/// The body with a signature made in one form.
fn signed(body: &str, secret: &str, form: Form) -> Params {
    let sign = sign(&params(body), secret, form);
    params(&body.replacen('{', &format!("{{\"sign\":\"{sign}\","), 1))
}

const EXAMPLE: &str = r#"{"appkey":"000001","timestamp":1556595508,"nonce":24523,
    "sign":"963A56BAEBED746F2746E4D9B3B77BE0F2E171E7","userName":"wx","age":"24","sex":"1"}"#;

#[test]
fn the_worked_example() {
    let example = params(EXAMPLE);
    assert_eq!(canonical(&example, Form::CANONICAL), "age=24&appkey=000001&nonce=24523&sex=1&timestamp=1556595508&userName=wx");
    assert_eq!(sign(&example, "a1b1c1d1", Form::CANONICAL), "963A56BAEBED746F2746E4D9B3B77BE0F2E171E7");
    for form in Form::ALL {
        assert_eq!(sign(&example, "a1b1c1d1", form), "963A56BAEBED746F2746E4D9B3B77BE0F2E171E7", "a flat body has one form");
    }
    assert_eq!(verify(&example, "a1b1c1d1"), Some(Form::CANONICAL));
    assert_eq!(verify(&params(&EXAMPLE.to_lowercase().replace("username", "userName")), "a1b1c1d1"), Some(Form::CANONICAL));
    assert_eq!(verify(&example, "a1b1c1d2"), None);
    assert_eq!(verify(&params(&EXAMPLE.replace("\"24\"", "\"25\"")), "a1b1c1d1"), None);
    assert_eq!(verify(&params(&EXAMPLE.replace("userName", "username")), "a1b1c1d1"), None);
}

#[test]
fn the_ten_forms() {
    let body =
        params(r#"{"on":true,"off":false,"none":null,"blank":"","list":[ ],"map":{},"deep":{"u":"中/文", "n":[1.0, true]}}"#);
    let plain = r#"deep={"u":"中/文","n":[1.0,true]}"#;
    let escaped = r#"deep={"u":"\u4e2d\/\u6587","n":[1.0,true]}"#;
    let table = [
        (format!("{plain}&off=false&on=true"), "words/dropped/plain"),
        (format!("blank=&{plain}&off=0&on=1"), "digits/dropped/plain"),
        (format!("blank=&{plain}&list=[]&map={{}}&none=null&off=false&on=true"), "words/kept/plain"),
        (format!("blank=&{plain}&list=[]&map={{}}&none=null&off=0&on=1"), "digits/kept/plain"),
        (format!("{escaped}&off=false&on=true"), "words/dropped/escaped"),
        (format!("blank=&{escaped}&off=0&on=1"), "digits/dropped/escaped"),
        (format!("blank=&{escaped}&list=[]&map={{}}&none=null&off=false&on=true"), "words/kept/escaped"),
        (format!("blank=&{escaped}&list=[]&map={{}}&none=null&off=0&on=1"), "digits/kept/escaped"),
    ];
    let by_pairs = [(&table[0].0, "words/dropped/plain/pairs"), (&table[2].0, "words/kept/plain/pairs")];
    let table = table.iter().map(|(text, label)| (text, *label)).chain(by_pairs);
    for (i, (form, (text, label))) in Form::ALL.into_iter().zip(table).enumerate() {
        assert_eq!((&canonical(&body, form), form.label(), form.index()), (text, label, i));
    }
    assert_eq!(Form::ALL[0], Form::CANONICAL);
    let last = Form { booleans: Booleans::Words, empties: Empties::Kept, nested: Nested::Plain, order: Order::Pairs };
    assert_eq!(Form::ALL[9], last);
}

#[test]
fn every_form_verifies_as_itself() {
    let body = r#"{"on":true,"on1":7,"none":null,"deep":["a/b","é"]}"#;
    for form in Form::ALL {
        assert_eq!(verify(&signed(body, "s", form), "s"), Some(form));
    }
    let coinciding = signed(r#"{"on":1,"deep":["ab"]}"#, "s", Form::ALL[7]);
    assert_eq!(verify(&coinciding, "s"), Some(Form::CANONICAL), "forms that coincide answer as the canonical one");
}

/// Digests by coreutils' `sha1sum`, of the texts as the published Java sample joins them.
#[test]
fn the_order_of_the_published_java_sample_is_accepted_too() {
    for (sign, is_good, why) in [
        ("9F0AC50962259A52B486A69283F7D9C2BDF073F1", true, "a1=2&a=1"),
        ("6AA448C0AE70901E5F4480F8AA20A95FE61C32F3", true, "a=1&a1=2"),
        ("6AA448C0AE70901E5F4480F8AA20A95FE61C32F4", false, "neither"),
    ] {
        assert_eq!(verify(&params(&format!(r#"{{"a":"1","a1":2,"sign":"{sign}"}}"#)), "s").is_some(), is_good, "{why}");
    }
    for (sign, is_good, why) in [
        ("4B86DD7955359C9370E69DF2502EC19029B2B7F5", true, "x-=0&x.y=1&x0=null&x=true"),
        ("F66C5049C0C9C437FDA994F27658E12C95E8E2AC", false, "x-=0&x=true&x.y=1&x0=null"),
    ] {
        let body = format!(r#"{{"x0":null,"x":true,"x-":0,"x.y":"1","sign":"{sign}"}}"#);
        assert_eq!(verify(&params(&body), "s").is_some(), is_good, "{why}");
    }
}

#[test]
fn what_is_signed_alike_tells_the_same() {
    for (text, told) in [
        ("a=1&n=x&p=1", Some("x")),
        ("n=x&p=1", Some("x")),
        ("an=1&n1=2&n=", Some("")),
        ("a=1&n=x&n=y", Some("x")),
        ("a=n=x", None),
        ("", None),
    ] {
        assert_eq!(signed_value(text, "n"), told, "{text}");
    }
}

#[test]
fn a_client_that_drops_null_and_keeps_empty_texts_is_understood() {
    // PHP's http_build_query.
    for (body, text) in [
        (r#"{"memo":"","on":true,"none":null,"list":[]}"#, "memo=&on=1"),
        (r#"{"memo":"","none":null,"id":"7"}"#, "id=7&memo="),
        (r#"{"memo":"","id":"7"}"#, "id=7&memo="),
    ] {
        assert_eq!(canonical(&params(body), Form::ALL[1]), text);
        for form in Form::ALL {
            assert!(verify(&signed(body, "s", form), "s").is_some(), "{body} as {}", form.label());
        }
    }
    // With nothing that is dropped it is the form that keeps all.
    assert_eq!(verify(&signed(r#"{"memo":"","id":"7"}"#, "s", Form::ALL[1]), "s").map(Form::index), Some(2));
}

#[test]
fn numbers_keep_their_token() {
    for token in ["1e3", "1.0", "1E+3", "-0", "9007199254740993", "0.10", "123456789012345678901234567890", "1e400"] {
        let body = params(&format!("{{\"n\": {token} , \"d\":{{\"x\" : [ {token} ]}}}}"));
        assert_eq!(canonical(&body, Form::CANONICAL), format!("d={{\"x\":[{token}]}}&n={token}"));
    }
}

#[test]
fn names_sort_by_ascii_and_text_is_decoded() {
    let body = params(r#"{"b":"\u4e2d\u6587 \"x\" \/","B":"2","_a":"3","ab":"","a1":"5","a":"中文"}"#);
    assert_eq!(canonical(&body, Form::CANONICAL), "B=2&_a=3&a=中文&a1=5&b=中文 \"x\" /");
    let nested = params(r#"{"d":{ "q\"\\" : "\ud83d\ude00\n\u0001\/" , "z":[ "a b" ,null,"" ], "a":{}}}"#);
    assert_eq!(canonical(&nested, Form::CANONICAL), "d={\"q\\\"\\\\\":\"😀\\n\\u0001/\",\"z\":[\"a b\",null,\"\"],\"a\":{}}");
    let escaped = canonical(&nested, Form::ALL[4]);
    assert_eq!(escaped, "d={\"q\\\"\\\\\":\"\\ud83d\\ude00\\n\\u0001\\/\",\"z\":[\"a b\",null,\"\"],\"a\":{}}");
}

#[test]
fn a_sign_that_is_no_sign() {
    let good = sign(&params(r#"{"a":"1"}"#), "s", Form::CANONICAL);
    let cut = format!("\"{}\"", &good[..39]);
    let long = format!("\"{good}0\"");
    let other = format!("\"{}\"", "g".repeat(40));
    let wide = format!("\"{}\"", "é".repeat(20));
    for sign in ["\"\"", "null", "1", "[]", "{}", "true", &cut, &long, &other, &wide] {
        assert_eq!(verify(&params(&format!("{{\"a\":\"1\",\"sign\":{sign}}}")), "s"), None, "{sign}");
    }
    assert_eq!(verify(&params(r#"{"a":"1"}"#), "s"), None);
}

#[test]
fn bodies_that_are_no_parameters() {
    let limits = Limits { bytes: 64, depth: 3 };
    assert_eq!(refused(&[b' '; 65], limits), ParseError::TooLarge);
    assert_eq!(refused(br#"{"a":[[[]]]}"#, limits), ParseError::TooDeep);
    assert!(Params::parse(br#"{"a":[{}],"b":"[[[[[["}"#, limits).is_ok(), "brackets in a string are text");
    assert_eq!(canonical(&params("\u{feff}{\"a\":1}"), Form::CANONICAL), "a=1", "a byte order mark is no part of it");
    assert_eq!(refused(b"{\"a\":\"\xff\"}", limits), ParseError::NotText);
    assert_eq!(refused(br#"{"a":"\ud800"}"#, limits), ParseError::NotText);
    assert_eq!(refused(br#"{"a":["x",{"\udc00":1}]}"#, limits), ParseError::NotText);
    assert_eq!(refused(br#"{"a":1,"b":2,"a":1}"#, limits), ParseError::Duplicate("a".into()));
    assert_eq!(refused(br#"{"a":1,"\u0061":2}"#, limits), ParseError::Duplicate("a".into()));
    for body in [
        "",
        "\u{feff}",
        "\u{feff}\u{feff}{}",
        "[]",
        "null",
        "1",
        "\"a\"",
        "{",
        "{}x",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":tru}",
        "{\"\\ud800\":1}",
        "{\"a\":\"\n\"}",
    ] {
        assert!(matches!(refused(body.as_bytes(), limits), ParseError::NotAnObject(_)), "{body}");
    }
}

#[test]
fn the_escape_trap() {
    let (one, two) = (params(r#"{"remark":"x&zz=1"}"#), params(r#"{"remark":"x","zz":"1"}"#));
    assert_eq!(sign(&one, "s", Form::CANONICAL), sign(&two, "s", Form::CANONICAL));
    let ambiguous = [
        r#"{"r":"x&zz=1"}"#,
        r#"{"r":"x\u0026zz\u003d1"}"#,
        r#"{"r":"&secret="}"#,
        r#"{"r":"a && b&amount_int=3"}"#,
        r#"{"r":["x&zz=1"]}"#,
        r#"{"r":{"&a=":1}}"#,
        r#"{"a=1&b":"2"}"#,
    ];
    ambiguous.iter().for_each(|body| assert!(is_ambiguous(&params(body)), "{body}"));
    for body in
        [r#"{"r":"R&D"}"#, r#"{"r":"a=1"}"#, r#"{"r":"a & b = c"}"#, r#"{"r":"&=1"}"#, r#"{"sign":"&a=1"}"#, r#"{"r":"&1="}"#]
    {
        assert!(!is_ambiguous(&params(body)), "{body}");
    }
}

#[test]
fn control_characters_are_signed_as_they_are() {
    let table = [
        (r#"{"a":"x\ny","b":"1"}"#, "a=x\ny&b=1"),
        (r#"{"a":"x\u000ay","b":"1"}"#, "a=x\ny&b=1"),
        (r#"{"a":"\t\r\u0001\u007f"}"#, "a=\t\r\u{1}\u{7f}"),
        (r#"{"a":{"x":["l1\nl2"]}}"#, r#"a={"x":["l1\nl2"]}"#),
    ];
    for (body, text) in table {
        assert_eq!(canonical(&params(body), Form::CANONICAL), text, "{body}");
    }
}

#[test]
fn system_parameters() {
    let good = r#"{"appkey":"k","timestamp":"1556595508","nonce":10000,"sign":"S"}"#;
    let system = System { appkey: "k".into(), timestamp: 1_556_595_508, nonce: "10000".into(), sign: "S".into() };
    assert_eq!(System::extract(&params(good)), Ok(system.clone()));
    assert_eq!(System::extract(&params(EXAMPLE)).unwrap().nonce, "24523");
    let swap = |from: &str, to: &str| System::extract(&params(&good.replace(from, to))).map_err(|e| (e, e.code()));
    for empty in ["\"\"", "null", "[]", "true"] {
        assert_eq!(swap("\"k\"", empty), Err((SystemError::AppkeyEmpty, 42101)), "{empty}");
        assert_eq!(swap("10000", empty), Err((SystemError::NonceEmpty, 42301)), "{empty}");
        assert_eq!(swap("\"S\"", empty), Err((SystemError::SignEmpty, 42401)), "{empty}");
    }
    for missing in ["\"\"", "null"] {
        assert_eq!(swap("\"1556595508\"", missing), Err((SystemError::TimestampEmpty, 42201)));
    }
    for odd in ["\"x\"", "1e9", "1.5", "[]", "false", "\" 1\"", "99999999999999999999"] {
        assert_eq!(swap("\"1556595508\"", odd), Err((SystemError::TimestampMalformed, 42204)), "{odd}");
    }
    assert_eq!(swap("\"timestamp\"", "\"t\""), Err((SystemError::TimestampEmpty, 42201)));
    assert_eq!(System::extract(&params("{}")), Err(SystemError::AppkeyEmpty), "the first failure is answered");
}

#[test]
fn notices_sign_exactly_what_they_carry() {
    let data = r#"[{"iccid":"8986","name":"中/文"}]"#;
    let fields = [("iccid", json!("8986")), ("data", json!(data)), ("rest", json!(100.0)), ("share", json!(0.5))];
    let body = notice_body("n1", "SubPkgList", 1_700_000_000, 12345, &fields, "s");
    let notice = params(&body);
    let text = format!("data={data}&event=SubPkgList&iccid=8986&id=n1&nonce=12345&rest=100&share=0.5&timestamp=1700000000");
    assert_eq!(canonical(&notice, Form::CANONICAL), text);
    assert_eq!(notice.text("sign").unwrap(), sign_notice(&notice, "s"));
    assert_eq!(verify(&notice, "s"), Some(Form::CANONICAL));
    assert!(
        body.starts_with(r#"{"id":"n1","event":"SubPkgList","timestamp":1700000000,"nonce":12345,"iccid":"8986","data":"[{\""#)
    );
    let moved = params(&notice_body("n2", "CardMovedInIMEIPool", 1, 12345, &[], "s"));
    assert_eq!(moved.get("nonce").unwrap().get(), "\"12345\"");
}

#[test]
#[should_panic(expected = "names of their own")]
fn a_notice_field_must_not_stand_twice() {
    notice_body("n1", "FlowAlert", 1, 12345, &[("event", json!("x"))], "s");
}

#[test]
fn codes_are_sorted_and_speak_both_languages() {
    assert_eq!(codes::TABLE.len(), 89);
    assert!(codes::TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert_eq!(codes::message(codes::SUCCESS, Language::Zh), Some("成功"));
    assert_eq!(codes::message(codes::SIGN_WRONG, Language::En), Some("Invalid signature, check encryption method."));
    assert_eq!(
        codes::message(45112, Language::Zh),
        Some("balance insufficient"),
        "the words of the Chinese column, which are English"
    );
    assert_eq!(codes::message(45108, Language::Zh), Some("card product not found"));
    assert_eq!(codes::message(201, Language::En), None);
}
