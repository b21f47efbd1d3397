//! `kachi sign`: for partners' developers who look for their mistake.

use crate::args::{SignCardboss, SignEiotclub};
use crate::exit::Exit;
use crate::print;
use kachi_dialects::cardboss::{self, Operation, Written};
use kachi_dialects::eiotclub::{Form, Limits, Params, canonical, is_ambiguous, sign, verify};
use std::io::Read;

/// Prints the signature of a body and the text that is signed, or says whether the body's own `sign` fits.
pub fn eiotclub(args: SignEiotclub) -> Result<(), Exit> {
    let body = match args.body {
        Some(body) => body,
        None => {
            let mut body = String::new();
            let limit = Limits::default().bytes as u64 + 1;
            std::io::stdin().take(limit).read_to_string(&mut body).map_err(|e| Exit::refused(format!("standard input: {e}")))?;
            body
        }
    };
    let params = Params::parse(body.trim().as_bytes(), Limits::default()).map_err(Exit::refused)?;
    if is_ambiguous(&params) {
        eprintln!(
            "kachi: a name or value holds & or =, so that another body has the same signature; servers answer one signature for one body only"
        );
    }
    if args.verify { check(&params, &args.secret) } else { show(&params, &args.secret) }
}

/// Prints the signature of a query or form and the text that is signed, or says whether its own `sign` fits.
pub fn cardboss(args: SignCardboss) -> Result<(), Exit> {
    let path = args.path.trim_start_matches('/').trim_start_matches("iotapi/rest/v2/");
    let Some(operation) = Operation::find(path) else {
        let all: Vec<_> = Operation::ALL.iter().map(|o| o.path()).collect();
        return Err(Exit::refused(format!("there is no operation {path}; there are {}", all.join(", "))));
    };
    let raw = if args.verify { args.form.clone() } else { format!("{}&sign=0", without_sign(&args.form)) };
    let form = cardboss::read(operation, raw.as_bytes())
        .map_err(|fault| Exit::refused(format!("{}{}: code {}", fault.field, fault.rule, fault.code)))?;
    if args.verify {
        return match cardboss::verify(operation, &form, &args.apikey) {
            Some(Written::Utf8) => print::line("ok"),
            Some(Written::Gb2312) => print::line("ok, over GB2312 bytes"),
            None => {
                show_cardboss(operation, &form, &args.apikey)?;
                Err(Exit::refused("sign: does not fit; compare the signed text above with yours, then the apikey".to_owned()))
            }
        };
    }
    show_cardboss(operation, &form, &args.apikey)
}

fn show_cardboss(operation: Operation, form: &cardboss::Form, apikey: &str) -> Result<(), Exit> {
    print::line(format_args!("sign: {}", cardboss::sign(operation, form, apikey, Written::Utf8).unwrap_or_default()))?;
    let ascii = operation.signed().iter().all(|name| form.get(name).is_ascii());
    if let Some(gb) = cardboss::sign(operation, form, apikey, Written::Gb2312).filter(|_| !ascii) {
        print::line(format_args!("sign, over GB2312 bytes: {gb}"))?;
    }
    print::line(format_args!("signed text: {}", cardboss::signed_text(operation, form)))
}

/// The form without a `sign` of its own.
fn without_sign(form: &str) -> String {
    form.split('&').filter(|piece| !piece.starts_with("sign=")).collect::<Vec<_>>().join("&")
}

fn show(params: &Params, secret: &str) -> Result<(), Exit> {
    print::line(format_args!("sign: {}", sign(params, secret, Form::CANONICAL)))?;
    print::line(format_args!("signed text: {}&secret=***", canonical(params, Form::CANONICAL)))
}

fn check(params: &Params, secret: &str) -> Result<(), Exit> {
    match verify(params, secret) {
        Some(form) if form == Form::CANONICAL => print::line("ok"),
        Some(form) => print::line(format_args!("ok, in the accepted form {}", form.label())),
        None => {
            let given = params.text("sign").map(|s| s.into_owned());
            show(params, secret)?;
            Err(Exit::refused(difference(given.as_deref(), params, secret)))
        }
    }
}

/// The most likely mistake, in a sentence.
fn difference(given: Option<&str>, params: &Params, secret: &str) -> String {
    let Some(given) = given else { return "sign: is missing; add it to the body as text".into() };
    if given.len() != 40 || !given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return format!("sign: \"{given}\" is not 40 hexadecimal digits; send SHA-1 as hex");
    }
    let is = |secret: &str| sign(params, secret, Form::CANONICAL).eq_ignore_ascii_case(given);
    if secret.trim() != secret && is(secret.trim()) {
        return "secret: fits without the blanks around it".into();
    }
    for absent in ["timestamp", "nonce", "appkey"] {
        if params.get(absent).is_none() {
            return format!("sign: does not fit, and {absent} is not in the body; sign the body that is sent, with every field");
        }
    }
    for (name, _) in params.iter().filter(|(name, _)| *name != "sign") {
        if without(params, name).is_some_and(|rest| sign(&rest, secret, Form::CANONICAL).eq_ignore_ascii_case(given)) {
            return format!("{name}: was left out of the signed text; every field of the body is signed");
        }
    }
    "sign: does not fit in any accepted form; compare the signed text above with yours, then the secret".into()
}

/// The same parameters less one.
fn without(params: &Params, name: &str) -> Option<Params> {
    let kept: Vec<String> = params
        .iter()
        .filter(|(n, _)| *n != name)
        .map(|(n, raw)| format!("{}:{}", serde_json::Value::from(n), raw.get()))
        .collect();
    Params::parse(format!("{{{}}}", kept.join(",")).as_bytes(), Limits::default()).ok()
}
