//! What is asked: each operation reads its fields, asks the engine and writes the answer. All of them answer HTTP 200,
//! refusals too; `code` tells.

mod acts;
mod cards;
mod direct;
mod sms;

use super::Door;
use super::auth::{self, Caller};
use super::errors::No;
use super::wire;
use crate::http;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use kachi_dialects::cardboss::{Form, Method, Operation, Written, codes, read};
use kachi_engine::Catalogue;
use std::net::IpAddr;
use std::sync::Arc;

/// Under this name signatures are counted that came again with another body.
const REUSED: &str = "signature with another body";

/// How often a request begins again because the catalogue changed under it.
const ATTEMPTS_MAX: u32 = 3;

/// Answers one request.
pub async fn serve(door: &Door, operation: Operation, request: Request) -> Response {
    let method = match operation.method() {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let is_wrong = request.method().as_str() != method;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let asked = http::take(request, door.settings.body_bytes_max, door.engine.now()).await;
    let outcome = match (is_wrong, operation.method(), &asked.body) {
        (true, ..) => Err(No::Code(codes::METHOD_WRONG, format!("请使用{method}方式请求"))),
        (_, Method::Get, _) => answer(door, operation, query.as_bytes(), asked.peer).await,
        (_, Method::Post, Some(body)) => answer(door, operation, body, asked.peer).await,
        (_, Method::Post, None) => Err(No::said(codes::VALUE_WRONG, "请求内容过长或不完整")),
    };
    let (code, text) = match outcome {
        Ok(answer) => (codes::SUCCESS, answer),
        Err(no) => {
            match &no {
                No::Fault(Some(words)) => tracing::error!(request = %asked.id, operation = operation.path(), "{words}"),
                No::Stale => {
                    tracing::error!(request = %asked.id, operation = operation.path(), "the catalogue changed at every attempt")
                }
                No::Reused => {
                    tracing::warn!(request = %asked.id, operation = operation.path(), peer = ?asked.peer, "a signature came again with another body");
                    door.counts.add(REUSED, no.code());
                }
                No::Fault(None) | No::Code(..) | No::NotRenewed { .. } | No::Passed { .. } => {}
            }
            (no.code(), wire::refusal(&no).into())
        }
    };
    door.counts.add(operation.path(), code);
    http::json(StatusCode::OK, text, &asked.id)
}

async fn answer(door: &Door, operation: Operation, raw: &[u8], peer: Option<IpAddr>) -> Result<Bytes, No> {
    let form = match read(operation, raw) {
        Ok(form) => form,
        Err(fault) => {
            keep_malformed(door, operation, raw, peer).await?;
            return Err(fault.into());
        }
    };
    let sid = form.get("sid");
    if door.is_locked_out(sid, peer) {
        return Err(No::said(codes::TOO_MANY_REQUESTS, "签名错误次数过多, 请稍后重试"));
    }
    let mut catalogue = door.engine.catalogue_last();
    let mut attempt = 1;
    loop {
        let caller = auth::authenticate(door, &catalogue, (operation, &form), peer);
        let verdict = caller.as_ref().err().map(No::code);
        let written = caller.as_ref().ok().map(|c| c.written);
        let outcome = match caller {
            Ok(_) if operation.is_retired() && !door.settings.retired => Err(No::said(codes::RETIRED, "该接口已停用")),
            Ok(caller) => {
                let outcome = Ask { door, catalogue: &catalogue, caller: &caller, operation, form: &form }.operate().await;
                match &outcome {
                    Err(No::Reused) => {
                        let from = peer.map_or_else(String::new, |p| p.to_string());
                        door.engine.note_reused(&caller.actor, &auth::request_key(operation, &form), &from).await?;
                    }
                    Err(no) if no.is_refusal() => keep_refused(door, (operation, &form), &caller, None).await?,
                    _ => {}
                }
                outcome
            }
            Err(no) => Err(no),
        };
        // A key, secret or network may be newer than the catalogue at hand.
        let again = attempt < ATTEMPTS_MAX && (verdict.is_some() || matches!(outcome, Err(No::Stale)));
        let again = again && outcome.as_ref().is_err_and(No::may_pass_later);
        if again {
            let newer = newer(door, &catalogue).await?;
            // Without a newer one a card was moved while the request waited for it: the next attempt finds it where it is now.
            if newer.is_some() || verdict.is_none() {
                (catalogue, attempt) = (newer.unwrap_or(catalogue), attempt + 1);
                continue;
            }
        }
        if let Some(written) = written.filter(|_| operation.signed().iter().any(|name| !form.get(name).is_ascii())) {
            door.counts.add(written_as(written), codes::SUCCESS);
        }
        door.note_signature(sid, peer, verdict == Some(codes::AUTHENTICATION_FAILED));
        return outcome;
    }
}

/// A signature is good for the body that it came with first, also where that was refused: what it does not cover (v2.2.2,
/// 3.4.1: `repetition`, `startdate`, `audit`) is not changed by whoever saw it.
///
/// `unread` is the body where it was not read whole: then it is the body's bytes that the signature is bound to.
async fn keep_refused(
    door: &Door,
    (operation, form): (Operation, &Form),
    caller: &Caller,
    unread: Option<&[u8]>,
) -> Result<(), No> {
    if operation.method() == Method::Post {
        let key = unread.map_or_else(|| auth::request_key(operation, form), |raw| auth::unread_key(operation, form, raw));
        door.engine.note_refused(&caller.actor, &key).await?;
    }
    Ok(())
}

/// The same of a request whose fields are against their grammar, or whose body does not read: its signature may fit all the same.
async fn keep_malformed(door: &Door, operation: Operation, raw: &[u8], peer: Option<IpAddr>) -> Result<(), No> {
    if operation.method() != Method::Post {
        return Ok(());
    }
    let (form, unread) = match Form::parse(raw) {
        Ok(form) => (form, None),
        Err(_) => (Form::salvage(raw), Some(raw)),
    };
    if door.is_locked_out(form.get("sid"), peer) {
        return Ok(());
    }
    match auth::authenticate(door, &door.engine.catalogue_last(), (operation, &form), peer) {
        Ok(caller) => keep_refused(door, (operation, &form), &caller, unread).await,
        Err(_) => Ok(()),
    }
}

/// Under which name texts beyond ASCII are counted.
fn written_as(written: Written) -> &'static str {
    match written {
        Written::Utf8 => "text in utf-8",
        Written::Gb2312 => "text in gb2312",
    }
}

/// The catalogue as it is now, if it is newer than the one at hand.
async fn newer(door: &Door, at_hand: &Catalogue) -> Result<Option<Arc<Catalogue>>, No> {
    let fresh = door.engine.off_thread(|engine| engine.catalogue()).await?;
    Ok(Some(fresh).filter(|fresh| fresh.version > at_hand.version))
}

/// One authenticated request.
struct Ask<'a> {
    door: &'a Door,
    catalogue: &'a Arc<Catalogue>,
    caller: &'a Caller,
    operation: Operation,
    form: &'a Form,
}

impl Ask<'_> {
    async fn operate(&self) -> Result<Bytes, No> {
        let text = match self.operation {
            Operation::CustomerGet => self.customer().await,
            Operation::CardList => self.card_list().await,
            Operation::CardDetail => return self.card_detail().await,
            Operation::UsageCurrent => return self.usage_current().await,
            Operation::UsagePast => self.usage_past().await,
            Operation::CardAbnormal => self.card_abnormal().await,
            Operation::PkgGet => self.pkg_get().await,
            Operation::UsageDay => self.usage_day().await,
            Operation::PoolList => self.pool_list().await,
            Operation::PkgRenew => self.renew().await,
            Operation::StopTest => self.end_test().await,
            Operation::ForActive => self.activate().await,
            Operation::StopKeep => self.stop_or_resume().await,
            Operation::SwitchNet => self.switch_data().await,
            Operation::VoiceWhitelist => self.voice_whitelist().await,
            Operation::SmsIot => self.sms_iot().await,
            Operation::SmsIotEncrypted => self.sms_iot_encrypted().await,
            Operation::SmsReport => self.sms_reports().await,
            Operation::SmsMo => self.sms_replies().await,
            Operation::SmsPhone => self.sms_phone().await,
        };
        text.map(Bytes::from)
    }
}
