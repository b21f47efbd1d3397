//! The control port: the world's owner arms faults, moves the clock, and changes what the carriers only show.

use crate::fault::Fault;
use crate::house::House;
use crate::serve::{Shared, lock};
use crate::world::{Base, Card, Stop};
use crate::{Platform, calendar};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kachi_domain::ids::Imei;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most seconds by which one call moves the clock: ten years.
const ADVANCE_MAX: i64 = 3660 * 86_400;

pub(crate) fn routes(house: Shared) -> Router {
    Router::new()
        .route("/faults", get(list_faults).post(arm).delete(disarm))
        .route("/advance", post(advance))
        .route("/sms/mo", post(sms))
        .route("/imei", post(imei))
        .route("/card", post(change))
        .route("/card/{iccid}", get(show))
        .route("/world", get(world))
        .layer(DefaultBodyLimit::max(1 << 16))
        .with_state(house)
}

/// An answer, or why there is none: what is wrong in the body, or a card that is not there.
type Answer = Result<Json<Value>, (StatusCode, String)>;

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|e| bad(format!("the body is not as it should be: {e}")))
}

fn bad(words: impl Into<String>) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, words.into() + "\n")
}

fn find(house: &mut House, iccid: &str) -> Result<u32, (StatusCode, String)> {
    house.now();
    house.world.find_anywhere(iccid).ok_or((StatusCode::NOT_FOUND, format!("iccid: the world has no card {iccid}\n")))
}

async fn list_faults(State(house): State<Shared>) -> Json<Value> {
    Json(json!(lock(&house).faults.left()))
}

async fn arm(State(house): State<Shared>, body: Bytes) -> Answer {
    let fault: Fault = parse(&body)?;
    let mut house = lock(&house);
    if let Some(iccid) = &fault.iccid {
        find(&mut house, iccid)?;
    }
    house.faults.arm(fault).map_err(bad)?;
    Ok(Json(json!(house.faults.left())))
}

async fn disarm(State(house): State<Shared>) -> Json<Value> {
    lock(&house).faults.clear();
    Json(json!([]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

async fn advance(State(house): State<Shared>, body: Bytes) -> Answer {
    let Advance { seconds } = parse(&body)?;
    if !(0..=ADVANCE_MAX).contains(&seconds) {
        return Err(bad(format!("seconds: {seconds} is not within 0 to {ADVANCE_MAX}; the clock never goes back")));
    }
    let mut house = lock(&house);
    house.clock.advance(seconds);
    let now = house.now();
    Ok(Json(json!({"now": now, "china": calendar::stamp(now)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromCard {
    iccid: String,
    text: String,
}

async fn sms(State(house): State<Shared>, body: Bytes) -> Answer {
    let FromCard { iccid, text } = parse(&body)?;
    let mut house = lock(&house);
    let card = find(&mut house, &iccid)?;
    Ok(Json(json!({"id": house.world.receive_sms(card, &text)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    iccid: String,
    imei: String,
}

async fn imei(State(house): State<Shared>, body: Bytes) -> Answer {
    let device: Device = parse(&body)?;
    let imei = Imei::parse(&device.imei).map_err(|e| bad(e.to_string()))?;
    let mut house = lock(&house);
    let number = find(&mut house, &device.iccid)?;
    house.world.change(number, |card| card.imei = imei.as_str().to_owned());
    Ok(Json(truth(&mut house, number)))
}

/// What can be changed behind a carrier's back; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Truth {
    iccid: String,
    base: Option<Base>,
    stops: Option<BTreeSet<Stop>>,
    powered: Option<bool>,
    frozen: Option<bool>,
    real_name: Option<bool>,
    region_limited: Option<bool>,
    data_off: Option<BTreeSet<String>>,
    use_bytes: Option<u64>,
}

async fn change(State(house): State<Shared>, body: Bytes) -> Answer {
    let to: Truth = parse(&body)?;
    let mut house = lock(&house);
    let number = find(&mut house, &to.iccid)?;
    house.world.change(number, |card| {
        card.base = to.base.unwrap_or(card.base);
        card.powered = to.powered.unwrap_or(card.powered);
        card.frozen = to.frozen.unwrap_or(card.frozen);
        card.real_name = to.real_name.unwrap_or(card.real_name);
        card.region_limited = to.region_limited.unwrap_or(card.region_limited);
        if let Some(apns) = to.data_off {
            card.data_off = apns;
        }
        if let Some(stops) = to.stops {
            set_stops(card, stops);
        }
    });
    if let Some(bytes) = to.use_bytes {
        house.world.use_bytes(number, bytes);
    }
    Ok(Json(truth(&mut house, number)))
}

fn set_stops(card: &mut Card, stops: BTreeSet<Stop>) {
    for gone in card.stops.difference(&stops).copied().collect::<Vec<_>>() {
        card.resume(gone);
    }
    for reason in stops {
        card.stop(reason);
    }
}

async fn show(State(house): State<Shared>, Path(iccid): Path<String>) -> Answer {
    let mut house = lock(&house);
    let number = find(&mut house, &iccid)?;
    Ok(Json(truth(&mut house, number)))
}

/// A card as it truly is.
fn truth(house: &mut House, number: u32) -> Value {
    let now = house.world.now;
    let month = house.world.cycle_bytes(number, now);
    let card = house.world.card(number);
    json!({
        "platform": card.platform, "iccid": card.iccid, "msisdn": card.msisdn, "imsi": card.imsi, "imei": card.imei,
        "base": card.base, "stops": card.stops, "data_off": card.data_off, "sms_off": card.sms_off, "voice_off": card.voice_off,
        "frozen": card.frozen, "real_name": card.real_name, "powered": card.powered, "online": card.online,
        "session": card.session, "shape": card.shape, "month_bytes": month, "changes": card.changes, "sms": card.sms,
        "packages": card.offers, "cut_off": card.cut_off, "speed": card.speed, "bound_imei": card.bound_imei,
        "rate_plan": card.rate_plan, "communication_plan": card.communication_plan,
    })
}

async fn world(State(house): State<Shared>) -> Response {
    let mut house = lock(&house);
    let now = house.now();
    let mut platforms = serde_json::Map::new();
    for platform in Platform::ALL {
        let cards = house.world.cards.iter().filter(|c| c.platform == platform).count();
        let calls = house.calls.all.get(&platform).copied().unwrap_or(0);
        platforms.insert(platform.name().into(), json!({"cards": cards, "calls": calls}));
    }
    let answer = json!({"now": now, "china": calendar::stamp(now), "speed": house.settings.speed, "platforms": platforms});
    Json(answer).into_response()
}
