//! The operations: each reads its fields, asks the engine and writes the answer. The HTTP status tells, and `code` in the
//! body repeats it.

use super::errors::No;
use super::fields::{self, Fields};
use super::wire::{self, CardRow, PlatformRow};
use super::{DOOR, Door, auth};
use crate::http;
use axum::RequestExt;
use axum::extract::{Path, Query, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::MethodFilter;
use kachi_domain::ProductId;
use kachi_domain::carrier::Write;
use kachi_domain::diagnose::{Lang, listed};
use kachi_engine::card_reads::{self, What};
use kachi_engine::desk::Reading;
use kachi_engine::stock::{Kept, Key};
use kachi_engine::switch::Switched;
use kachi_engine::{Actor, Catalogue};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Cards that one import may add.
const IMPORT_MAX: usize = 10_000;
/// Cards that used most, in the statistics (the source's own pages show ten).
const TOP: i64 = 10;
/// How often a request begins again because the catalogue changed under it.
const ATTEMPTS_MAX: u32 = 3;

/// One operation of the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Card platforms.
    Platforms,
    /// One card platform.
    Platform,
    /// Cards, page by page, filtered.
    List,
    /// What the cards are, in numbers.
    Statistics,
    /// A device with the card in it.
    Device,
    /// One card.
    Card,
    /// Adds a card.
    Create,
    /// Changes a card.
    Change,
    /// Takes cards out.
    Delete,
    /// Adds many cards.
    Import,
    /// Reads everything of a card at its platform; adds one that is not here.
    SyncInfo,
    /// Reads where a card stands at its platform.
    SyncStatus,
    /// Reads a card's usage at its platform.
    SyncTraffic,
    /// Lets a card on.
    Activate,
    /// The same, by the name for a card that was stopped.
    Resume,
    /// Stops a card.
    Suspend,
}

/// What is said while the carrier has not.
const ASKED: &str = "the carrier is being asked; the card changes with its last word";

impl Operation {
    /// All of them.
    pub const ALL: &'static [Operation] = &[
        Operation::Platforms,
        Operation::Platform,
        Operation::List,
        Operation::Statistics,
        Operation::Device,
        Operation::Card,
        Operation::Create,
        Operation::Change,
        Operation::Delete,
        Operation::Import,
        Operation::SyncInfo,
        Operation::SyncStatus,
        Operation::SyncTraffic,
        Operation::Activate,
        Operation::Resume,
        Operation::Suspend,
    ];

    /// Those about card platforms, which have a prefix of their own in the source.
    pub const PLATFORMS: &'static [Operation] = &[Operation::Platforms, Operation::Platform];

    /// The path below `/card`.
    pub fn path(self) -> &'static str {
        match self {
            Operation::Platforms => "/platform/list",
            Operation::Platform => "/platform/{key}",
            Operation::List => "/list",
            Operation::Statistics => "/statistics",
            Operation::Device => "/device/{key}",
            Operation::Card | Operation::Delete => "/{key}",
            Operation::Create | Operation::Change => "",
            Operation::Import => "/import",
            Operation::SyncInfo => "/syncInfo",
            Operation::SyncStatus => "/syncStatus",
            Operation::SyncTraffic => "/syncTrafficInfo",
            Operation::Activate => "/activate/{key}",
            Operation::Resume => "/resume/{key}",
            Operation::Suspend => "/suspend/{key}",
        }
    }

    /// The path below a prefix.
    pub fn path_under(self, prefix: &str) -> &'static str {
        if prefix == "/iot/cardPlatform" { self.path().strip_prefix("/platform").unwrap_or_default() } else { self.path() }
    }

    /// The method it has.
    pub fn method(self) -> MethodFilter {
        match self {
            Operation::Platforms
            | Operation::Platform
            | Operation::List
            | Operation::Statistics
            | Operation::Device
            | Operation::Card => MethodFilter::GET,
            Operation::Change => MethodFilter::PUT,
            Operation::Delete => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Operation::Card => "card",
            Operation::Create => "create",
            Operation::Change => "change",
            Operation::Delete => "delete",
            other => other.path(),
        }
    }
}

/// What was asked, before it is known by whom.
struct Asked {
    key: String,
    query: Result<HashMap<String, String>, No>,
    token: Option<String>,
    is_csv: bool,
    body: Option<axum::body::Bytes>,
    peer: Option<IpAddr>,
}

/// Answers one request.
pub async fn serve(door: &Door, operation: Operation, mut request: Request) -> Response {
    let key = request.extract_parts::<Path<String>>().await.map(|Path(key)| key).unwrap_or_default();
    let query = Query::<HashMap<String, String>>::try_from_uri(request.uri()).map(|Query(q)| q);
    let token = auth::bearer(request.headers());
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_csv = kind.starts_with("text/");
    let taken = http::take(request, door.settings.body_bytes_max, door.engine.now()).await;
    let query = query.map_err(|e| No::field("query", format!("cannot be read ({e})")));
    let asked = Asked { key, query, token, is_csv, body: taken.body, peer: taken.peer };
    let (status, text) = match answer(door, operation, &asked).await {
        Ok(good) => good,
        Err(no) => {
            if let No::Fault(Some(words)) = &no {
                tracing::error!(request = %taken.id, operation = operation.name(), "{words}");
            }
            (no.status(), wire::refusal(&no))
        }
    };
    door.counts.add(operation.name(), u32::from(status.as_u16()));
    http::json(status, text, &taken.id)
}

type Good = (StatusCode, String);

/// One card of an import: the line or place it stands at, and what is said of it.
type Entry = (usize, Result<Fields, No>);

async fn answer(door: &Door, operation: Operation, asked: &Asked) -> Result<Good, No> {
    let mut catalogue = door.engine.catalogue_last();
    let mut attempt = 1;
    loop {
        let outcome =
            match auth::authenticate(&catalogue, (asked.token.as_deref(), operation.method() != MethodFilter::GET), asked.peer) {
                Ok(actor) => Ask { door, catalogue: &catalogue, actor: &actor, asked }.operate(operation).await,
                Err(no) => Err(no),
            };
        // A token or network may be newer than the catalogue at hand.
        if attempt < ATTEMPTS_MAX && outcome.as_ref().is_err_and(No::may_pass_later) {
            let fresh = door.engine.off_thread(|engine| engine.catalogue()).await?;
            // Stale without a newer one: a card was moved while the request waited for it, and is found where it is now.
            if fresh.version > catalogue.version || matches!(outcome, Err(No::Stale)) {
                (catalogue, attempt) = (fresh, attempt + 1);
                continue;
            }
        }
        return outcome;
    }
}

/// One authenticated request.
struct Ask<'a> {
    door: &'a Door,
    catalogue: &'a Arc<Catalogue>,
    actor: &'a Actor,
    asked: &'a Asked,
}

impl Ask<'_> {
    async fn operate(&self, operation: Operation) -> Result<Good, No> {
        let text = match operation {
            Operation::Platforms => self.platforms().await?,
            Operation::Platform => self.platform().await?,
            Operation::List => self.list().await?,
            Operation::Statistics => self.statistics().await?,
            Operation::Device => self.device().await?,
            Operation::Card => self.row(fields::key(&self.asked.key)?).await?,
            Operation::Create => self.create().await?,
            Operation::Change => self.change().await?,
            Operation::Delete => self.delete().await?,
            Operation::Import => self.import().await?,
            Operation::SyncInfo => return self.sync(What::Info).await,
            Operation::SyncStatus => return self.sync(What::Status).await,
            Operation::SyncTraffic => return self.sync(What::Traffic).await,
            Operation::Activate | Operation::Resume => return self.switch(Write::Resume).await,
            Operation::Suspend => return self.switch(Write::Stop).await,
        };
        Ok((StatusCode::OK, text))
    }

    fn body(&self) -> Result<&[u8], No> {
        let bytes_max = self.door.settings.body_bytes_max;
        self.asked.body.as_deref().ok_or(No::Body { bytes_max })
    }

    /// Every platform for who may add cards; for others those on which their cards live.
    async fn seen_platforms(&self) -> Result<Vec<PlatformRow<'_>>, No> {
        // What is told is the catalogue's alone, so it must be the one that counts.
        self.door.engine.is_current(self.catalogue).await?;
        let mut seen = PlatformRow::all(self.catalogue);
        if !self.catalogue.may_add(self.actor.account) {
            let alike = self.door.engine.card_statistics(self.catalogue, self.actor, 0).await?.alike;
            let lives = |product: i64| self.catalogue.product(ProductId(product)).map(|p| p.platform.0);
            let used: HashSet<i64> = alike.iter().filter_map(|a| lives(a.0)).collect();
            seen.retain(|p| used.contains(&p.id()));
        }
        Ok(seen)
    }

    async fn platforms(&self) -> Result<String, No> {
        let seen = self.seen_platforms().await?;
        Ok(wire::rows(&seen, seen.len() as i64))
    }

    async fn platform(&self) -> Result<String, No> {
        let seen = self.seen_platforms().await?;
        let found = seen.iter().find(|p| p.id().to_string() == self.asked.key);
        found.map(wire::data).ok_or_else(|| No::field("id", format!("there is no card platform {}", self.asked.key)))
    }

    async fn list(&self) -> Result<String, No> {
        let query = self.asked.query.as_ref().map_err(|no| No::field("query", no.to_string()))?;
        let (which, stretch) = fields::list(self.catalogue, query, self.door.settings.page_max)?;
        let page = self.door.engine.find_cards(self.catalogue, self.actor, which, stretch).await?;
        let rows: Vec<CardRow<'_>> = page.entries.iter().map(|kept| CardRow::of(self.catalogue, kept)).collect();
        Ok(wire::rows(&rows, page.total))
    }

    async fn statistics(&self) -> Result<String, No> {
        let statistics = self.door.engine.card_statistics(self.catalogue, self.actor, TOP).await?;
        Ok(wire::data(&wire::statistics(self.catalogue, &statistics)))
    }

    async fn device(&self) -> Result<String, No> {
        let (device, card) = self.door.engine.kept_device(self.catalogue, self.actor, self.asked.key.clone()).await?;
        Ok(wire::data(&wire::device(self.catalogue, &device, card.as_ref())))
    }

    async fn kept(&self, key: Key) -> Result<Kept, No> {
        Ok(self.door.engine.kept_card(self.catalogue, self.actor, key).await?)
    }

    async fn row(&self, key: Key) -> Result<String, No> {
        Ok(wire::data(&CardRow::of(self.catalogue, &self.kept(key).await?)))
    }

    async fn create(&self) -> Result<String, No> {
        let new = Fields::of_json(self.body()?)?.new_card()?;
        let added = self.door.engine.create_cards(self.catalogue, self.actor, DOOR, vec![new]).await?;
        match added.into_iter().next() {
            Some(Ok(id)) => self.row(Key::Id(id)).await,
            Some(Err(no)) => Err(No::Refused(no)),
            None => Err(No::Fault(Some("a card without an outcome".into()))),
        }
    }

    /// What names the card, or stands elsewhere, may be sent back as it is and not be changed.
    async fn change(&self) -> Result<String, No> {
        let fields = Fields::of_json(self.body()?)?;
        fields.known(&[])?;
        let (key, said) = (fields.key()?, fields.said()?);
        let kept = self.kept(key.clone()).await?;
        let row = CardRow::of(self.catalogue, &kept);
        for (name, how) in [
            ("iccid", "never changes"),
            ("cardStatus", "changes at the carrier: POST /card/activate/ICCID or /card/suspend/ICCID"),
            ("cardPlatformId", "belongs to the card's product, which the operator changes"),
            ("productCode", "is changed by the operator"),
        ] {
            let (given, there) = (fields.text(name)?, row.text_of(name));
            if given.as_ref().is_some_and(|g| there.as_ref().is_none_or(|t| !t.eq_ignore_ascii_case(g))) {
                return Err(No::field(name, format!("{how}; leave it out, or send {}", there.unwrap_or_default())));
            }
        }
        let id = self.door.engine.change_card(self.catalogue, self.actor, DOOR, (key, said)).await?;
        self.row(Key::Id(id)).await
    }

    async fn delete(&self) -> Result<String, No> {
        let texts: Vec<&str> = self.asked.key.split(',').collect();
        let max = self.door.settings.cards_max;
        if texts.len() > max {
            return Err(No::field("ids", format!("names {} cards, at most {max} at once", texts.len())));
        }
        let keys = texts.into_iter().map(fields::key).collect::<Result<Vec<_>, _>>()?;
        let deleted = self.door.engine.delete_cards(self.catalogue, self.actor, keys).await?;
        Ok(wire::data(&deleted))
    }

    async fn import(&self) -> Result<String, No> {
        let entries = if self.asked.is_csv { self.lines()? } else { self.objects()? };
        if entries.len() > IMPORT_MAX {
            return Err(No::field("body", format!("names {} cards, at most {IMPORT_MAX} at once", entries.len())));
        }
        let total = entries.len();
        let (mut failures, mut cards, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (line, fields) in entries {
            match fields.and_then(|f| f.new_card()) {
                Ok(card) => {
                    places.push((line, card.iccid.to_string()));
                    cards.push(card);
                }
                Err(no) => failures.push((line, Value::Null, no.to_string())),
            }
        }
        let added = self.door.engine.create_cards(self.catalogue, self.actor, DOOR, cards).await?;
        let success = added.iter().filter(|a| a.is_ok()).count();
        for ((line, iccid), outcome) in places.into_iter().zip(added) {
            if let Err(no) = outcome {
                failures.push((line, Value::from(iccid), no.to_string()));
            }
        }
        failures.sort_by_key(|f| f.0);
        let failures: Vec<Value> =
            failures.into_iter().map(|(line, iccid, msg)| json!({"line": line, "iccid": iccid, "msg": msg})).collect();
        Ok(wire::data(&json!({"total": total, "success": success, "failed": failures.len(), "failures": failures})))
    }

    /// The cards of a JSON list, or of `cards` in an object that says what is the same for all.
    fn objects(&self) -> Result<Vec<Entry>, No> {
        let (list, whole) = match serde_json::from_slice::<Value>(self.body()?) {
            Ok(Value::Array(list)) => (list, Fields::default()),
            Ok(object @ Value::Object(_)) => {
                let mut whole = Fields::of_value(object)?;
                let list = whole.take_list("cards").ok_or_else(|| No::field("cards", "is missing: a list of cards"))?;
                (list, whole)
            }
            Ok(_) => return Err(No::field("body", "must be a JSON list of cards, or CSV with Content-Type: text/csv")),
            Err(e) => return Err(No::field("body", format!("is no JSON ({e}); CSV goes with Content-Type: text/csv"))),
        };
        Ok((1..).zip(list).map(|(n, value)| (n, Fields::of_value(value).map(|f| f.or(&whole)))).collect())
    }

    /// The cards of a CSV list with a header; what is the same for all may stand in the query.
    fn lines(&self) -> Result<Vec<Entry>, No> {
        let mut whole = Fields::default();
        for name in ["cardPlatformId", "productCode"] {
            if let Some(text) = self.asked.query.as_ref().ok().and_then(|q| q.get(name)) {
                whole.set(name, text);
            }
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(self.body()?);
        let header = reader.headers().map_err(|e| No::field("header", format!("cannot be read ({e})")))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        if !header.iter().any(|name| name == "iccid") {
            return Err(No::field("header", "has no column iccid; its first line names the columns"));
        }
        let mut entries = Vec::new();
        for (n, record) in (2..).zip(reader.records()) {
            let fields = record.map_err(|e| No::field("line", e.to_string())).and_then(|r| Fields::of_line(&header, &r));
            entries.push((n, fields.map(|f| f.or(&whole))));
        }
        Ok(entries)
    }

    async fn sync(&self, what: What) -> Result<Good, No> {
        let fields = Fields::of_json(self.body()?)?;
        fields.known(&[])?;
        let (iccid, platform, product) = (fields.iccid()?, fields.platform()?, fields.text("productCode")?);
        let key = Key::Iccid(iccid.clone());
        let ask = card_reads::Ask { iccid, platform, product, what };
        match self.door.engine.read_card(self.catalogue, self.actor, ask, self.door.settings.patience).await? {
            Reading::Done => Ok((StatusCode::OK, self.row(key).await?)),
            Reading::Failed(words) => Err(No::Carrier(words)),
            Reading::Waiting => {
                let words = "the card platform has been asked and has not answered yet; ask again for the result";
                Ok((StatusCode::ACCEPTED, wire::said(202, words, &Value::Null)))
            }
        }
    }

    async fn switch(&self, write: Write) -> Result<Good, No> {
        let key = fields::key(&self.asked.key)?;
        let reference = (self.door.settings.reference)();
        let what = (key.clone(), write.clone(), reference);
        let outcome = self.door.engine.switch_card(self.catalogue, self.actor, what).await?;
        let kept = self.kept(key).await?;
        let row = CardRow::of(self.catalogue, &kept);
        let (status, words, left) = match outcome {
            Switched::Already { left } if write == Write::Stop => (StatusCode::OK, "the card is stopped already", left),
            Switched::Already { left } if left.iter().any(|cause| cause.keeps_data_off()) => {
                (StatusCode::OK, "nothing to lift: its owner has not stopped the card", left)
            }
            Switched::Already { left } => (StatusCode::OK, "the card is on already", left),
            Switched::Lifted { left } => (StatusCode::OK, "the owner's stop is taken away; the carrier was not asked", left),
            Switched::Asked { left } => (StatusCode::ACCEPTED, ASKED, left),
            Switched::Waiting => (StatusCode::ACCEPTED, ASKED, Vec::new()),
        };
        let words = if left.is_empty() {
            words.to_owned()
        } else {
            format!("{words}; left in its way: {}", listed(&left, Lang::En, |_| true))
        };
        Ok((status, wire::said(status.as_u16(), &words, &row)))
    }
}
