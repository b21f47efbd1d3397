//! What is asked: query parameters, JSON bodies and lines of a CSV list, each field read once under the names that the
//! source's own pages send. A number may come as text and a text as a number; null and "" are as good as absent.

use super::errors::No;
use super::wire;
use kachi_domain::ids::{Imsi, Msisdn};
use kachi_domain::sim::{BaseState, Blocks};
use kachi_domain::{AccountId, Iccid, PlatformId, SimId};
use kachi_engine::Catalogue;
use kachi_engine::stock::{Find, Key, New, Said, Which};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Rows of a page where none is asked for (the source's own pages begin with 10).
const PAGE_SIZE: i64 = 10;
/// Characters of a text, at most.
const TEXT_MAX: usize = 200;

/// What a list may be filtered by.
const FILTERS: [&str; 10] =
    ["iccid", "imsi", "msisdn", "operator", "cardStatus", "cardPlatformId", "deviceId", "abnormal", "pageNum", "pageSize"];
/// What the source's pages send along with a list and has no meaning here.
const LIST_NOISE: [&str; 3] = ["orderByColumn", "isAsc", "reasonable"];

/// What is kept of a card besides our own fields.
const KEPT: [&str; 6] = ["accessNumber", "dataPlan", "dataAlertThreshold", "notifyUsers", "openTime", "expireTime"];
/// What an answer has and a request cannot change: the source's pages send a whole row back.
const SHOWN_ONLY: [&str; 27] = [
    "imei",
    "operator",
    "totalData",
    "dataUsed",
    "dataRemaining",
    "activateTime",
    "downTime",
    "deviceId",
    "deviceName",
    "cardPlatformName",
    "tenantId",
    "tenantName",
    "trafficProportion",
    "alertFlag",
    "blocks",
    "asOf",
    "state",
    "createBy",
    "createTime",
    "updateBy",
    "updateTime",
    "delFlag",
    "params",
    "searchValue",
    "counterData",
    "counterAsOf",
    "renewableUntil",
];

/// The fields of one card, as a body or a line of a list gives them.
#[derive(Debug, Clone, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a JSON object.
    pub fn of_json(body: &[u8]) -> Result<Fields, No> {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(No::field("body", "must be a JSON object")),
            Err(e) => Err(No::field("body", format!("must be a JSON object ({e})"))),
        }
    }

    /// The fields of a value inside a list.
    pub fn of_value(value: Value) -> Result<Fields, No> {
        match value {
            Value::Object(fields) => Ok(Fields(fields)),
            _ => Err(No::field("body", "every entry must be a JSON object")),
        }
    }

    /// The fields of a line under a header.
    pub fn of_line(header: &[String], line: &csv::StringRecord) -> Result<Fields, No> {
        if line.len() > header.len() {
            return Err(No::field("line", format!("has {} columns, the header {}", line.len(), header.len())));
        }
        Ok(Fields(header.iter().cloned().zip(line.iter().map(|cell| Value::from(cell.trim()))).collect()))
    }

    /// Takes what is missing here from the whole request.
    pub fn or(mut self, whole: &Fields) -> Fields {
        for name in ["cardPlatformId", "productCode"] {
            if self.text(name).ok().flatten().is_none()
                && let Some(value) = whole.0.get(name)
            {
                self.0.insert(name.to_owned(), value.clone());
            }
        }
        self
    }

    /// A list of entries, taken out.
    pub fn take_list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.0.remove(name) {
            Some(Value::Array(list)) => Some(list),
            Some(other) => {
                self.0.insert(name.to_owned(), other);
                None
            }
            None => None,
        }
    }

    /// Sets a field that was given elsewhere.
    pub fn set(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), Value::from(text));
    }

    /// A text or number, if there is one.
    pub fn text(&self, name: &str) -> Result<Option<String>, No> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) if text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) => {
                Err(No::field(name, format!("must have at most {TEXT_MAX} characters, all printable")))
            }
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            // Twenty digits do not fit a number that JSON readers keep: they must come in quotes.
            Some(Value::Number(n)) if n.is_f64() && n.to_string().contains(['e', 'E']) => {
                Err(No::field(name, "is too long for a number; put it in quotes"))
            }
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            Some(_) => Err(No::field(name, "must be a text or a number")),
        }
    }

    fn parsed<T, E: std::fmt::Display>(&self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, No> {
        let read =
            |text: String| parse(&text).map_err(|e| No::field(name, format!("{}, not \"{text}\"", rule(&e.to_string(), name))));
        self.text(name)?.map(read).transpose()
    }

    /// The card's number.
    pub fn iccid(&self) -> Result<Iccid, No> {
        self.parsed("iccid", Iccid::parse)?.ok_or_else(|| No::field("iccid", "is missing; name the card"))
    }

    /// Which card: its own number, or ours.
    pub fn key(&self) -> Result<Key, No> {
        let id = self.parsed("id", whole)?.or(self.parsed("cardId", whole)?);
        match (id, self.text("iccid")?) {
            (Some(id), _) => Ok(Key::Id(SimId(id))),
            (None, Some(_)) => Ok(Key::Iccid(self.iccid()?)),
            (None, None) => Err(No::field("id", "is missing; name the card by id or iccid")),
        }
    }

    /// The number of a card platform; 0 is as good as absent.
    pub fn platform(&self) -> Result<Option<PlatformId>, No> {
        Ok(self.parsed("cardPlatformId", whole)?.filter(|n| *n != 0).map(PlatformId))
    }

    /// A card to be added.
    pub fn new_card(&self) -> Result<New, No> {
        self.known(&["tenantId"])?;
        let status = self.parsed("cardStatus", wire::base_state)?;
        Ok(New {
            iccid: self.iccid()?,
            account: self.parsed("tenantId", whole)?.map(AccountId),
            product: self.text("productCode")?,
            platform: self.platform()?,
            state: status,
            said: self.said()?,
        })
    }

    /// What is said of a card.
    pub fn said(&self) -> Result<Said, No> {
        let mut details = Map::new();
        for name in KEPT {
            let Some(value) = self.0.get(name) else { continue };
            let kept = match (name, value) {
                (_, Value::Null) => Value::Null,
                ("dataAlertThreshold", _) => self.parsed(name, percent)?.map_or(Value::Null, Value::from),
                ("openTime" | "expireTime", _) => self.parsed(name, instant)?.map_or(Value::Null, Value::from),
                ("notifyUsers", Value::Array(_)) => value.clone(),
                _ => self.text(name)?.map_or(Value::Null, Value::from),
            };
            details.insert(name.to_owned(), kept);
        }
        Ok(Said {
            imsi: self.parsed("imsi", Imsi::parse)?,
            msisdn: self.parsed("msisdn", Msisdn::parse)?,
            alias: self.told("alias")?,
            remark: self.told("remark")?,
            device: self.text("serialNumber")?,
            details,
        })
    }

    /// A text that may be made empty.
    fn told(&self, name: &str) -> Result<Option<String>, No> {
        Ok(match self.0.get(name) {
            None => None,
            Some(_) => Some(self.text(name)?.unwrap_or_default()),
        })
    }

    /// Refuses fields that nobody knows: a misspelt one must not be lost.
    pub fn known(&self, also: &[&str]) -> Result<(), No> {
        let ours = [
            "id",
            "cardId",
            "iccid",
            "imsi",
            "msisdn",
            "cardStatus",
            "cardPlatformId",
            "productCode",
            "alias",
            "remark",
            "serialNumber",
        ];
        let is_known =
            |name: &str| ours.contains(&name) || KEPT.contains(&name) || SHOWN_ONLY.contains(&name) || also.contains(&name);
        match self.0.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                Err(No::field(name, format!("there is no such field; there are {}, {}", ours.join(", "), KEPT.join(", "))))
            }
        }
    }
}

/// The rule of an error that begins with a field's name of its own.
fn rule<'t>(words: &'t str, name: &str) -> &'t str {
    words.strip_prefix(name).map_or(words, |rest| rest.trim_start_matches([':', ' ']))
}

fn whole(text: &str) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| "must be a whole number".to_owned())
}

fn percent(text: &str) -> Result<i64, String> {
    let number = text.split_once('.').map_or(text, |(whole, part)| if part.bytes().all(|b| b == b'0') { whole } else { text });
    whole(number).ok().filter(|n| (0..=100).contains(n)).ok_or_else(|| "must be a percentage from 0 to 100".to_owned())
}

fn instant(text: &str) -> Result<String, String> {
    let read = super::CHINA.parse(text).map_err(|_| "must be a time such as 2026-01-31 08:00:00".to_owned())?;
    Ok(super::CHINA.text(read))
}

/// A card's place in a path or list: our number, or an ICCID.
pub fn key(text: &str) -> Result<Key, No> {
    let text = text.trim();
    if (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Key::Id(SimId(whole(text).map_err(|e| No::field("id", e))?)));
    }
    Iccid::parse(text).map(Key::Iccid).map_err(|_| No::field("id", format!("\"{text}\" is neither a card's id nor an ICCID")))
}

/// What a list is asked for: which cards, how many to pass over, how many at most.
pub fn list(catalogue: &Catalogue, query: &HashMap<String, String>, page_max: i64) -> Result<(Which, (i64, i64)), No> {
    let noise = |name: &str| LIST_NOISE.contains(&name) || name.starts_with("params");
    if let Some(name) = query.keys().find(|name| !FILTERS.contains(&name.as_str()) && !noise(name)) {
        return Err(No::field(name, format!("there is no such filter; there are {}", FILTERS.join(", "))));
    }
    let fields = Fields(query.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect());
    let page = fields.parsed("pageNum", whole)?.unwrap_or(1);
    let size = fields.parsed("pageSize", whole)?.unwrap_or(PAGE_SIZE.min(page_max));
    if page < 1 {
        return Err(No::field("pageNum", "must be 1 or more"));
    }
    if !(1..=page_max).contains(&size) {
        return Err(No::field("pageSize", format!("must be from 1 to {page_max}")));
    }
    let find = Find {
        states: fields.parsed("cardStatus", wire::states_of)?,
        odd: fields.parsed("abnormal", abnormal)?,
        products: products(catalogue, &fields)?,
        device: fields.parsed("deviceId", whole)?,
    };
    let mut numbers: Vec<(&'static str, String)> = Vec::new();
    numbers.extend(fields.parsed("iccid", Iccid::parse)?.map(|n| ("iccid", n.to_string())));
    numbers.extend(fields.parsed("imsi", Imsi::parse)?.map(|n| ("imsi", n.to_string())));
    numbers.extend(fields.parsed("msisdn", Msisdn::parse)?.map(|n| ("msisdn", n.to_string())));
    let which = if numbers.is_empty() { Which::Found(find) } else { Which::Numbers(numbers, find) };
    Ok((which, ((page - 1).saturating_mul(size), size)))
}

/// The products that a filter by platform and operator means; none = any.
fn products(catalogue: &Catalogue, fields: &Fields) -> Result<Option<Vec<i64>>, No> {
    let (platform, operator) = (fields.platform()?, fields.text("operator")?);
    if platform.is_none() && operator.is_none() {
        return Ok(None);
    }
    let of_operator =
        |carrier: &str| operator.as_ref().is_none_or(|o| carrier == o.as_str() || wire::operator(carrier) == o.as_str());
    let fitting = catalogue.products().filter(|p| platform.is_none_or(|id| p.platform == id) && of_operator(&p.carrier));
    Ok(Some(fitting.map(|p| p.id.0).collect()))
}

/// Cards with which something is wrong, by what it is.
fn abnormal(word: &str) -> Result<(Vec<BaseState>, Blocks), String> {
    match word {
        "suspended" => Ok((vec![BaseState::Stopped], wire::SUSPENDED)),
        "expired" => Ok((Vec::new(), Blocks::EXPIRED)),
        "over_limit" => Ok((Vec::new(), wire::OVER_LIMIT)),
        _ => Err("must be one of suspended, expired, over_limit".to_owned()),
    }
}
