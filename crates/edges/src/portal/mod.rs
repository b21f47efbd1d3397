//! The portal's live page: accounts, cards, usage, orders and notices as they arrive, for a person who has logged in.
//!
//! Every page is whole without JavaScript; with it, each section's HTML is asked for again every two seconds. The page
//! shows nothing that its account may not see, because the engine's questions take the session's actor. It changes
//! nothing but sessions.

mod assets;
mod card;
mod chart;
mod figures;
mod guard;
mod health;
mod html;
mod lang;
mod login;
mod page;
pub mod receiver;
mod sections;
mod why;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use figures::FigureCache;
pub use health::health_router;
use html::{Html, View};
use kachi_domain::Iccid;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::overview::{self, CardQuestion, Figures, Session};
use kachi_engine::{Engine, Fail, diagnose};
use lang::Lang;
pub use receiver::Receiver;
use std::fmt::Write;
use std::sync::Arc;

/// Fresh unguessable bytes, from the roof.
pub type Random = Arc<dyn Fn() -> [u8; 32] + Send + Sync>;

/// What the portal is made of.
pub struct PortalDoor {
    /// The engine.
    pub engine: Engine,
    /// Where session tokens come from.
    pub random: Random,
    /// Says on every page that the data are made up.
    pub demo: bool,
    /// Says on every page that the clock is shifted, where it is not 0.
    pub clock_offset_seconds: i64,
    /// The demo's receiver of notices: answers at [`receiver::PATH`] and is a section of the page.
    pub receiver: Option<Receiver>,
}

struct Portal {
    engine: Engine,
    random: Random,
    demo: bool,
    clock_offset_seconds: i64,
    receiver: Option<Receiver>,
    figures: Arc<FigureCache>,
    gate: login::Gate,
}

/// Cards on a page of the list.
const CARDS: i64 = 25;

/// Newest orders and notices.
const NEWEST: i64 = 12;

/// Longest form that is read, bytes.
const FORM_BYTES_MAX: usize = 8 * 1024;

/// The sections in their order.
const SECTIONS: [&str; 6] = ["counts", "accounts", "usage", "orders", "notices", "sims"];

/// The portal's addresses.
pub fn router(door: PortalDoor) -> Router {
    let receiver = door.receiver.clone();
    let portal = Arc::new(Portal {
        engine: door.engine,
        random: door.random,
        demo: door.demo,
        clock_offset_seconds: door.clock_offset_seconds,
        receiver: door.receiver,
        figures: Arc::default(),
        gate: login::Gate::default(),
    });
    let own = Router::new()
        .route("/", get(home))
        .route("/sims/{iccid}", get(card_page))
        .route("/fragment/{name}", get(fragment))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(guard::guard))
        .with_state(portal);
    match receiver {
        Some(receiver) => own.merge(receiver::router(receiver)),
        None => own,
    }
}

/// What an address may ask for; what cannot be read was not asked for, and of what stands twice the last counts.
#[derive(Debug, Clone, Default)]
struct Asked {
    lang: Option<String>,
    /// A card's number, or its beginning.
    q: String,
    /// Only cards before this one.
    before: Option<i64>,
    /// Only orders before this one.
    orders_before: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Self::Rejection> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs);
        let mut asked = Asked::default();
        for (name, value) in pairs {
            match name.as_str() {
                "lang" => asked.lang = Some(value),
                "q" => asked.q = value,
                "before" => asked.before = value.parse().ok(),
                "orders_before" => asked.orders_before = value.parse().ok(),
                _ => {}
            }
        }
        Ok(asked)
    }
}

impl Asked {
    /// The number without what people put between its digits.
    fn number(&self) -> String {
        self.q.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
    }

    /// The address of a page or section that answers the same question.
    fn address(&self, path: &str, lang: Lang) -> String {
        let mut out = format!("{path}?lang={}", lang.word());
        if !self.q.is_empty() {
            let _ = write!(out, "&q={}", self.number());
        }
        for (name, before) in [("before", self.before), ("orders_before", self.orders_before)] {
            if let Some(before) = before {
                let _ = write!(out, "&{name}={before}");
            }
        }
        out
    }
}

async fn home(State(portal): State<Arc<Portal>>, asked: Asked, headers: HeaderMap) -> Response {
    let session = match login::person(&portal, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let view = view(&portal, &asked, &headers, &session);
    let l = view.lang;
    let mut body = format!("<h1 class=\"hidden\">{}</h1><div class=\"sections\">", l.pick("Overview", "总览"));
    let names = SECTIONS.iter().chain(portal.receiver.is_some().then_some(&"receiver"));
    for name in names {
        let inside = match section(&portal, &session, &view, name, &asked).await {
            Ok(inside) => inside.unwrap_or_default(),
            Err(fail) => return broken(l, &fail),
        };
        let search = if *name == "sims" { search(l, &asked) } else { String::new() };
        let _ = write!(
            body,
            "<section id=\"{name}-s\" class=\"{name}\" aria-labelledby=\"{name}-h\"><h2 id=\"{name}-h\">{}</h2>{search}\
             <div id=\"{name}\" data-src=\"{}\">{inside}</div></section>",
            Html::text(title(l, name)),
            Html::text(&asked.address(&format!("/fragment/{name}"), l)),
        );
    }
    body += "</div>";
    let account = account_name(&portal, &session);
    let shown =
        page::Page { lang: l, title: l.pick("Overview", "总览"), here: "/", person: Some((&session, &account)), live: true };
    remember(asked.lang.as_deref(), page::whole(&portal, &shown, &Html(body)).into_response())
}

async fn fragment(State(portal): State<Arc<Portal>>, Path(name): Path<String>, asked: Asked, headers: HeaderMap) -> Response {
    let session = match login::person(&portal, &headers).await {
        Ok(session) => session,
        // A redirect would put the login page into a section.
        Err(response) if response.status().is_redirection() => return StatusCode::UNAUTHORIZED.into_response(),
        Err(response) => return response,
    };
    let view = view(&portal, &asked, &headers, &session);
    match section(&portal, &session, &view, &name, &asked).await {
        Ok(Some(inside)) => axum::response::Html(inside.0).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(fail) => broken(view.lang, &fail),
    }
}

/// A section's inside; none if there is no such section.
async fn section(
    portal: &Arc<Portal>,
    session: &Session,
    view: &View,
    name: &str,
    asked: &Asked,
) -> kachi_engine::Result<Option<Html>> {
    let (engine, actor, l) = (&portal.engine, session.actor.clone(), view.lang);
    let figures = if matches!(name, "counts" | "accounts" | "usage") { portal.figures.get(engine, &actor).await } else { None };
    let figures: Option<&Figures> = figures.as_deref();
    Ok(Some(match name {
        "counts" => sections::counts(view, figures),
        "usage" => sections::usage(view, figures),
        "accounts" => {
            let (accounts, more) = engine.off_thread(move |engine| overview::accounts(engine, &actor)).await?;
            sections::accounts(view, &accounts, more, figures)
        }
        "sims" => {
            let question = CardQuestion { number: asked.number(), before: asked.before, limit: CARDS };
            let cards = engine.off_thread(move |engine| overview::cards(engine, &actor, &question)).await?;
            let last = cards.last().filter(|_| asked.q.is_empty() && cards.len() as i64 == CARDS);
            let older = last.map(|c| Asked { before: Some(c.id.0), ..asked.clone() }.address("/", l) + "#sims-s");
            sections::sims(view, &cards, &asked.number(), older)
        }
        "orders" => {
            let before = asked.orders_before;
            // One more tells whether there are older ones.
            let mut orders = engine.off_thread(move |engine| overview::orders(engine, &actor, before, NEWEST + 1)).await?;
            let is_last = orders.len() as i64 <= NEWEST;
            orders.truncate(NEWEST as usize);
            let at = |before| Asked { orders_before: before, ..asked.clone() }.address("/", l) + "#orders-s";
            let newest = before.map(|_| (at(None), l.pick("Newest orders", "最新的订单")));
            let older = orders.last().filter(|_| !is_last).map(|o| (at(Some(o.id)), l.pick("Older orders", "更早的订单")));
            let caption = before.map_or(l.pick("The newest orders", "最新订单"), |_| l.pick("Older orders", "更早的订单"));
            let pages: Vec<(String, &str)> = newest.into_iter().chain(older).collect();
            sections::orders(view, caption, &orders, &pages)
        }
        "notices" => {
            let notices = engine.off_thread(move |engine| overview::notices(engine, &actor, NEWEST)).await?;
            sections::notices(view, l.pick("The newest notices", "最新通知"), &notices)
        }
        "receiver" => match &portal.receiver {
            Some(receiver) => receiver.section(view),
            None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

async fn card_page(State(portal): State<Arc<Portal>>, Path(iccid): Path<String>, asked: Asked, headers: HeaderMap) -> Response {
    let session = match login::person(&portal, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let view = view(&portal, &asked, &headers, &session);
    let (l, actor) = (view.lang, session.actor.clone());
    let found = match Iccid::parse(&iccid) {
        Ok(iccid) => {
            let read = move |engine: &Engine| {
                Ok((overview::card(engine, &actor, &iccid)?, diagnose::diagnose(engine, &actor, &iccid, None)?))
            };
            portal.engine.off_thread(read).await.map(Some)
        }
        Err(_) => Ok(None),
    };
    let (status, body) = match found {
        Ok(Some((card, report))) => (StatusCode::OK, card::body(&view, &card, (&report, session.actor.account == OPERATOR))),
        Err(fail) if !overview::is_unknown_card(&fail) => return broken(l, &fail),
        _ => (
            StatusCode::NOT_FOUND,
            Html(format!(
                "<h1>{}</h1><p><a href=\"/\">{}</a></p>",
                l.pick("No such card", "没有此卡"),
                l.pick("← All cards", "← 全部卡")
            )),
        ),
    };
    let account = account_name(&portal, &session);
    let here = format!("/sims/{}", iccid.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    let shown =
        page::Page { lang: l, title: l.pick("Card", "卡片"), here: &here, person: Some((&session, &account)), live: false };
    remember(asked.lang.as_deref(), (status, page::whole(&portal, &shown, &body)).into_response())
}

fn title(lang: Lang, name: &str) -> &'static str {
    match name {
        "counts" => lang.pick("At a glance", "概况"),
        "accounts" => lang.pick("Accounts", "账户"),
        "usage" => lang.pick("Usage", "用量"),
        "sims" => lang.pick("Cards", "卡片"),
        "orders" => lang.pick("Orders", "订单"),
        "notices" => lang.pick("Notices", "通知"),
        _ => lang.pick("The demo's receiver", "演示接收端"),
    }
}

fn search(lang: Lang, asked: &Asked) -> String {
    let all = if asked.q.is_empty() && asked.before.is_none() {
        String::new()
    } else {
        format!("<a href=\"/#sims-s\">{}</a>", lang.pick("Newest cards", "最新的卡"))
    };
    format!(
        "<form class=\"search\" role=\"search\" action=\"/#sims-s\"><label for=\"q\">{}</label>\
         <input id=\"q\" name=\"q\" type=\"search\" inputmode=\"text\" autocomplete=\"off\" maxlength=\"40\" value=\"{}\">\
         <button type=\"submit\">{}</button>{all}</form>",
        lang.pick("ICCID, MSISDN, IMSI or EID, or how it begins", "ICCID、号码、IMSI 或 EID，或其开头"),
        Html::text(&asked.number()),
        lang.pick("Search", "查询"),
    )
}

fn view(portal: &Portal, asked: &Asked, headers: &HeaderMap, session: &Session) -> View {
    let catalogue = portal.engine.catalogue_last();
    let account = session.actor.account;
    let zone_name = catalogue.account(account).map_or_else(String::new, |a| a.account.time_zone.clone());
    View {
        lang: Lang::choose(asked.lang.as_deref(), headers),
        now: portal.engine.now(),
        zone: catalogue.zone(account).clone(),
        zone_name,
    }
}

fn account_name(portal: &Portal, session: &Session) -> String {
    portal.engine.catalogue_last().account(session.actor.account).map_or_else(String::new, |a| a.account.name.clone())
}

/// A cookie of the request.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(n, v)| *n == name && !v.is_empty()).map(|(_, v)| v)
}

fn set_cookie(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Keeps a language that the address chose.
fn remember(asked: Option<&str>, mut response: Response) -> Response {
    if let Some(lang) = asked.and_then(Lang::parse) {
        let cookie = format!("{}={}; Path=/; SameSite=Lax; Max-Age=31536000", lang::LANG_COOKIE, lang.word());
        set_cookie(&mut response, &cookie);
    }
    response
}

/// The answer when something of ours failed; the words go to the log only.
fn broken(lang: Lang, fail: &Fail) -> Response {
    tracing::error!(error = %fail, "the portal cannot answer");
    let words = lang.pick("Something failed here. It has been logged; try again in a moment.", "系统出错，已记录。请稍后再试。");
    (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
}
