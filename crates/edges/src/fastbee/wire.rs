//! Answers in the source's words: `code` and `msg`, `rows` and `total` of a list, `data` of anything else. Megabytes are
//! written from integers with two decimals at most, times as `yyyy-MM-dd HH:mm:ss` in China.

use super::errors::No;
use super::{CHINA, DOOR};
use kachi_domain::Timestamp;
use kachi_domain::device::ClaimState;
use kachi_domain::rating::Live;
use kachi_domain::sim::{BaseState, Blocks};
use kachi_engine::Catalogue;
use kachi_engine::sims::Card;
use kachi_engine::stock::{Alike, Device, Kept, Statistics};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// The words of a good answer, as the source gives them.
const FOUND: &str = "查询成功";
const DONE: &str = "操作成功";

/// What stops a card besides its packages.
pub const SUSPENDED: Blocks = Blocks(
    Blocks::OWNER_STOP.0
        | Blocks::FORCED.0
        | Blocks::CREDIT.0
        | Blocks::UNPAID.0
        | Blocks::REAL_NAME.0
        | Blocks::IMEI_LOCK.0
        | Blocks::REGION.0
        | Blocks::SEPARATION.0
        | Blocks::CARRIER_MANAGEMENT.0
        | Blocks::DATA_OFF.0,
);
/// What stops a card that has used up what it had.
pub const OVER_LIMIT: Blocks = Blocks(Blocks::QUOTA.0 | Blocks::POOL_EXHAUSTED.0);

/// The card status of a base state with blocks: 0 normal, 1 to be activated, 2 stopped, 3 cancelled, 99 unknown.
pub fn card_status(base: BaseState, blocks: Blocks) -> i64 {
    match base {
        BaseState::Active if blocks.let_data_through() => 0,
        BaseState::Inventory | BaseState::Testing | BaseState::Ready => 1,
        BaseState::Active | BaseState::Stopped => 2,
        BaseState::PreClosed | BaseState::Closed | BaseState::Replaced => 3,
        BaseState::Unknown => 99,
    }
}

/// The states that a card status means, with something in its data's way or nothing where that matters.
pub fn states_of(status: &str) -> Result<Vec<(BaseState, Option<bool>)>, String> {
    let any = |states: &[BaseState]| states.iter().map(|s| (*s, None)).collect();
    match status {
        "0" => Ok(vec![(BaseState::Active, Some(false))]),
        "1" => Ok(any(&[BaseState::Inventory, BaseState::Testing, BaseState::Ready])),
        "2" => Ok(vec![(BaseState::Active, Some(true)), (BaseState::Stopped, None)]),
        "3" => Ok(any(&[BaseState::PreClosed, BaseState::Closed, BaseState::Replaced])),
        "99" => Ok(any(&[BaseState::Unknown])),
        _ => Err(STATUSES.to_owned()),
    }
}

const STATUSES: &str = "must be one of 0 (normal), 1 (to be activated), 2 (stopped), 3 (cancelled), 99 (unknown)";

/// The base state in which a card of this status is added.
pub fn base_state(status: &str) -> Result<BaseState, String> {
    match status {
        "0" => Ok(BaseState::Active),
        "1" => Ok(BaseState::Ready),
        "2" => Ok(BaseState::Stopped),
        "99" => Ok(BaseState::Unknown),
        "3" => Err("a cancelled card (3) is not added; leave it out".to_owned()),
        _ => Err(STATUSES.to_owned()),
    }
}

/// The source's word for a carrier.
pub fn operator(carrier: &str) -> &str {
    match carrier {
        "CM" => "CMCC",
        "CT" => "CTCC",
        "CU" => "CUCC",
        other => other,
    }
}

/// A refusal: `code` is the HTTP status, `msg` names the field and what to do.
pub fn refusal(no: &No) -> String {
    let mut body = json!({"code": no.status().as_u16(), "msg": no.to_string()});
    if let Some(field) = no.of_field() {
        body["field"] = Value::from(field);
    }
    body.to_string()
}

/// A list with how many there are in all.
pub fn rows(rows: &[impl Serialize], total: i64) -> String {
    #[derive(Serialize)]
    struct Rows<'a, R> {
        total: i64,
        rows: &'a [R],
        code: u16,
        msg: &'static str,
    }
    write(&Rows { total, rows, code: 200, msg: FOUND })
}

/// One thing.
pub fn data(data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Data<'a, D> {
        code: u16,
        msg: &'static str,
        data: &'a D,
    }
    write(&Data { code: 200, msg: DONE, data })
}

/// An act that is under way, in words, with the card as it is meanwhile.
pub fn said(code: u16, msg: &str, data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Said<'a, D> {
        code: u16,
        msg: &'a str,
        data: &'a D,
    }
    write(&Said { code, msg, data })
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an answer can be written")
}

/// A card.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardRow<'a> {
    id: i64,
    iccid: &'a str,
    imsi: Option<&'a str>,
    msisdn: Option<&'a str>,
    access_number: Value,
    imei: Option<&'a str>,
    operator: &'a str,
    card_status: i64,
    /// Our own word for where it stands, and what is in its way.
    state: &'static str,
    blocks: Vec<&'static str>,
    total_data: Box<RawValue>,
    data_used: Box<RawValue>,
    data_remaining: Box<RawValue>,
    data_plan: Value,
    data_alert_threshold: Value,
    traffic_proportion: Option<Box<RawValue>>,
    alert_flag: bool,
    open_time: Value,
    activate_time: Option<String>,
    expire_time: Option<String>,
    device_id: Option<i64>,
    serial_number: Option<&'a str>,
    card_platform_id: Option<i64>,
    card_platform_name: Option<&'a str>,
    product_code: &'a str,
    tenant_id: i64,
    tenant_name: &'a str,
    notify_users: Value,
    alias: &'a str,
    remark: &'a str,
    /// Up to when usage is known.
    as_of: Option<String>,
    /// The carrier's own count, as it was last read there, and when that was.
    counter_data: Option<Box<RawValue>>,
    counter_as_of: Option<String>,
}

impl<'a> CardRow<'a> {
    /// A card with the device it is in.
    pub fn of(catalogue: &'a Catalogue, kept: &'a Kept) -> CardRow<'a> {
        CardRow {
            counter_data: kept.counter.map(|c| megabytes(c.bytes)),
            counter_as_of: kept.counter.map(|c| CHINA.text(c.as_of)),
            ..CardRow::with(catalogue, &kept.card, kept.device.as_ref())
        }
    }

    /// A card, with the device it is in where that is known.
    pub fn with(catalogue: &'a Catalogue, card: &'a Card, device: Option<&'a Device>) -> CardRow<'a> {
        let (sim, blocks, base) = (&card.sim, card.blocks(), card.base_state());
        let product = catalogue.product(sim.product);
        let platform = product.and_then(|p| catalogue.platform(p.platform));
        let details: Map<String, Value> = serde_json::from_str(&sim.details).unwrap_or_default();
        let kept = |name: &str| details.get(DOOR).and_then(|d| d.get(name)).cloned().unwrap_or(Value::Null);
        let (total, left) = data_of(card);
        let used = total.saturating_sub(left);
        let share = (total > 0).then(|| i128::from(used) * 10_000 / i128::from(total));
        let threshold = kept("dataAlertThreshold");
        let end = card.state.expected_end(catalogue.zone(sim.account));
        CardRow {
            id: sim.id.0,
            iccid: &sim.iccid,
            imsi: sim.imsi.as_deref(),
            msisdn: sim.msisdn.as_deref(),
            access_number: kept("accessNumber"),
            imei: sim.imei.as_deref(),
            operator: product.map_or("", |p| operator(&p.carrier)),
            card_status: card_status(base, blocks),
            state: base.word(),
            blocks: blocks.names(),
            total_data: megabytes(total),
            data_used: megabytes(used),
            data_remaining: megabytes(left),
            data_plan: plan(catalogue, card).map_or_else(|| kept("dataPlan"), Value::from),
            alert_flag: share.zip(threshold.as_i64()).is_some_and(|(share, percent)| share >= i128::from(percent) * 100),
            data_alert_threshold: threshold,
            traffic_proportion: share.map(hundredths),
            open_time: kept("openTime"),
            activate_time: sim.activated_at.map(|at| CHINA.text(Timestamp(at))),
            expire_time: end.map(|at| CHINA.text(at)).or_else(|| kept("expireTime").as_str().map(str::to_owned)),
            device_id: device.map(|d| d.id),
            serial_number: device.map(|d| d.serial.as_str()),
            card_platform_id: platform.map(|p| p.id.0),
            card_platform_name: platform.map(|p| p.code.as_str()),
            product_code: product.map_or("", |p| &p.code),
            tenant_id: sim.account.0,
            tenant_name: catalogue.account(sim.account).map_or("", |a| &a.account.name),
            notify_users: kept("notifyUsers"),
            alias: &sim.alias,
            remark: &sim.remark,
            as_of: card.as_of.map(|at| CHINA.text(at)),
            counter_data: None,
            counter_as_of: None,
        }
    }

    /// What is read of it by name, for what a request may repeat but not change.
    pub fn text_of(&self, name: &str) -> Option<String> {
        match name {
            "iccid" => Some(self.iccid.to_owned()),
            "cardStatus" => Some(self.card_status.to_string()),
            "cardPlatformId" => self.card_platform_id.map(|id| id.to_string()),
            "productCode" => Some(self.product_code.to_owned()),
            _ => None,
        }
    }
}

/// Bytes of all limited data packages in their present windows, waiting ones too, and what is left of them.
fn data_of(card: &Card) -> (i64, i64) {
    let limited = |l: &&Live| l.takes_bytes() && l.is_limited();
    let total = card.state.live.iter().filter(limited).fold(0, |sum: i64, l| sum.saturating_add(l.terms.allowance));
    (total, card.state.remaining_bytes().min(total))
}

/// The name of the package in use.
fn plan(catalogue: &Catalogue, card: &Card) -> Option<String> {
    card.in_use().and_then(|l| catalogue.package(l.package)).map(|p| p.name.clone())
}

/// Bytes as megabytes, rounded down to two decimals, so that used and left may add up to 0.01 less than the whole.
fn megabytes(bytes: i64) -> Box<RawValue> {
    hundredths(i128::from(bytes.max(0)) * 100 / (1 << 20))
}

fn hundredths(n: i128) -> Box<RawValue> {
    RawValue::from_string(format!("{}.{:02}", n / 100, n % 100)).expect("digits are JSON")
}

/// A card platform. Its settings are not told: they hold logins.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRow<'a> {
    id: i64,
    name: &'a str,
    platform: &'a str,
    product_codes: Vec<&'a str>,
    can_stop_resume: Option<bool>,
    can_tell_usage: Option<bool>,
}

impl PlatformRow<'_> {
    /// Every platform, by number.
    pub fn all(catalogue: &Catalogue) -> Vec<PlatformRow<'_>> {
        let codes = |id| {
            let mut codes: Vec<&str> = catalogue.products().filter(|p| p.platform == id).map(|p| p.code.as_str()).collect();
            codes.sort_unstable();
            codes
        };
        let row = |p: kachi_domain::PlatformId| {
            catalogue.platform(p).map(|p| PlatformRow {
                id: p.id.0,
                name: &p.code,
                platform: &p.connector,
                product_codes: codes(p.id),
                can_stop_resume: p.capabilities.map(|c| c.stop_resume),
                can_tell_usage: p.capabilities.map(|c| c.usage),
            })
        };
        let mut ids: Vec<_> = catalogue.platforms().map(|p| p.id).collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(row).collect()
    }

    /// Its number.
    pub fn id(&self) -> i64 {
        self.id
    }
}

/// A device with the card in it.
pub fn device(catalogue: &Catalogue, device: &Device, card: Option<&Card>) -> Value {
    let row = card.map(|card| serde_json::to_value(CardRow::with(catalogue, card, Some(device))).unwrap_or(Value::Null));
    json!({
        "deviceId": device.id,
        "serialNumber": device.serial,
        "productId": device.product,
        "status": device.status,
        "rssi": device.rssi,
        "firmwareVersion": device.firmware,
        "longitude": device.longitude,
        "latitude": device.latitude,
        "imei": device.imei,
        "iccid": card.map(|c| c.sim.iccid.clone()),
        "reportedIccid": device.iccid,
        "claim": device.claim.map(ClaimState::word),
        "reports": device.reports,
        "activeTime": CHINA.text(Timestamp(device.created_at)),
        "reportTime": CHINA.text(Timestamp(device.reported_at)),
        "summary": serde_json::from_str::<Value>(&device.summary).unwrap_or(Value::Null),
        "tenantId": device.account.0,
        "card": row,
    })
}

/// What an account's cards are, in numbers, with those that used most this month.
pub fn statistics(catalogue: &Catalogue, statistics: &Statistics) -> Value {
    let base = |a: &Alike| BaseState::parse(&a.1).unwrap_or(BaseState::Unknown);
    let count = |fits: &dyn Fn(&Alike) -> bool| statistics.alike.iter().filter(|a| fits(a)).map(|a| a.3).sum::<i64>();
    let of_status = |status: i64| count(&|a| card_status(base(a), Blocks(a.2)) == status);
    let with = |blocks: Blocks| count(&|a| a.2 & blocks.0 != 0);
    let product = |a: &Alike| catalogue.product(kachi_domain::ProductId(a.0));
    let mut operators: Vec<&str> = catalogue.products().map(|p| operator(&p.carrier)).chain(["CMCC", "CTCC", "CUCC"]).collect();
    operators.sort_unstable();
    operators.dedup();
    let operators: Vec<Value> = operators
        .into_iter()
        .map(|o| json!({"operator": o, "name": o, "count": count(&|a| product(a).is_some_and(|p| operator(&p.carrier) == o))}))
        .collect();
    let platforms: Vec<Value> = PlatformRow::all(catalogue)
        .iter()
        .map(|p| {
            let n = count(&|a| product(a).is_some_and(|product| product.platform.0 == p.id));
            json!({"id": p.id, "platform": p.platform, "name": p.name, "count": n})
        })
        .collect();
    let top: Vec<Value> = statistics
        .top
        .iter()
        .map(|(card, bytes)| {
            let mut row = serde_json::to_value(CardRow::with(catalogue, card, None)).unwrap_or(Value::Null);
            row["monthUsed"] = serde_json::to_value(megabytes(*bytes)).unwrap_or(Value::Null);
            row
        })
        .collect();
    json!({
        "totalCount": count(&|_| true),
        "normalCount": of_status(0),
        "pendingActivationCount": of_status(1),
        "shutdownCount": of_status(2),
        "accountTerminationCount": of_status(3),
        "unknownCount": of_status(99),
        "suspendedCount": count(&|a| base(a) == BaseState::Stopped || a.2 & SUSPENDED.0 != 0),
        "expiredCount": with(Blocks::EXPIRED),
        "overLimitCount": with(OVER_LIMIT),
        "operatorVOList": operators,
        "platformVOList": platforms,
        "cardVOList": top,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_asked_for_is_the_status_shown() {
        for base in BaseState::ALL {
            for blocks in [Blocks::NONE, Blocks::QUOTA, Blocks::OWNER_STOP, Blocks::SMS_OFF] {
                let shown = card_status(*base, blocks).to_string();
                let asked = states_of(&shown).expect("a status");
                let fits = asked.iter().any(|(s, blocked)| s == base && blocked.is_none_or(|b| b != blocks.let_data_through()));
                assert!(fits, "{base:?} {:?} is shown as {shown}", blocks.names());
            }
        }
        for (base, blocks, status) in [
            (BaseState::Active, Blocks::NONE, 0),
            (BaseState::Ready, Blocks::NO_PACKAGE, 1),
            (BaseState::Active, Blocks::EXPIRED, 2),
            (BaseState::Active, Blocks::BESIDE_DATA, 0),
            (BaseState::Stopped, Blocks::NONE, 2),
            (BaseState::Replaced, Blocks::NONE, 3),
            (BaseState::Unknown, Blocks::NONE, 99),
        ] {
            assert_eq!(card_status(base, blocks), status, "{base:?}");
        }
        assert!(states_of("4").is_err() && base_state("3").is_err());
    }

    #[test]
    fn megabytes_are_written_from_integers() {
        for (bytes, text) in [(0, "0.00"), (1, "0.00"), (10_486, "0.01"), (104_857_600, "100.00"), (i64::MAX, "8796093022207.99")]
        {
            assert_eq!(megabytes(bytes).get(), text);
        }
    }
}
