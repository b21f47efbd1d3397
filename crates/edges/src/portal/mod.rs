//! The portal's live page: accounts, cards, usage, orders and notices as they arrive, for a person who has logged in.
//!
//! Every page is whole without JavaScript; with it, each section's HTML is asked for again every two seconds. The page
//! shows nothing that its account may not see, because the engine's questions take the session's actor. It changes
//! nothing but sessions.

mod asked;
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

use asked::Asked;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use figures::FigureCache;
pub use health::health_router;
use html::{Html, View};
use kachi_domain::Iccid;
use kachi_domain::ledger::OPERATOR;
use kachi_engine::overview::{self, CardQuestion, Cards, Figures, Session};
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
        .route("/fragment/sims/{iccid}", get(card_fragment))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/assets/{name}", get(assets::serve))
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(guard::guard))
        .with_state(portal);
    match receiver {
        Some(receiver) => own.merge(receiver::router(receiver)),
        None => own,
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
    let orphans = (session.actor.account == OPERATOR).then_some(&"orphans");
    let names = SECTIONS.iter().chain(orphans).chain(portal.receiver.is_some().then_some(&"receiver"));
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
    let other = asked.address("/", l.other());
    let person = Some((&session, account.as_str()));
    let shown = page::Page { lang: l, title: l.pick("Overview", "总览"), other: &other, person, live: true };
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
    let counted = matches!(name, "counts" | "accounts" | "usage" | "orphans");
    let figures = if counted { portal.figures.get(engine, &actor).await } else { None };
    let figures: Option<&Figures> = figures.as_deref();
    Ok(Some(match name {
        "counts" => sections::counts(view, figures),
        "usage" => sections::usage(view, figures),
        "accounts" => {
            let (accounts, more) = engine.off_thread(move |engine| overview::accounts(engine, &actor)).await?;
            sections::accounts(view, &accounts, more, figures)
        }
        "sims" => {
            let question = CardQuestion { number: asked.number(), of: asked.cards, before: asked.before, limit: CARDS };
            let cards = engine.off_thread(move |engine| overview::cards(engine, &actor, &question)).await?;
            let last = cards.last().filter(|_| asked.q.is_empty() && cards.len() as i64 == CARDS);
            let older = last.map(|c| Asked { before: Some(c.id.0), ..asked.clone() }.at("sims", l));
            sections::sims(view, &cards, (asked.cards, &asked.number()), older)
        }
        "orders" => {
            let (of, before) = (asked.orders, asked.orders_before);
            let page = engine.off_thread(move |engine| overview::orders(engine, &actor, of, (before, NEWEST))).await?;
            let at = |orders, before| Asked { orders, orders_before: before, ..asked.clone() }.at("orders", l);
            let all = of.map(|_| (at(None, None), l.pick("All orders", "全部订单")));
            let newest = before.map(|_| (at(of, None), l.pick("Newest orders", "最新的订单")));
            let older = page.older.map(|id| (at(of, Some(id)), l.pick("Older orders", "更早的订单")));
            let pages: Vec<(String, &str)> = all.into_iter().chain(newest).chain(older).collect();
            sections::orders(view, sections::orders_caption(l, of, before), &page.lines, &pages)
        }
        "notices" => {
            let (of, before) = (asked.notices, asked.notices_before);
            let page = engine.off_thread(move |engine| overview::notices(engine, &actor, of, (before, NEWEST))).await?;
            let at = |notices, before| Asked { notices, notices_before: before, ..asked.clone() }.at("notices", l);
            let all = of.map(|_| (at(None, None), l.pick("All notices", "全部通知")));
            let newest = before.map(|_| (at(of, None), l.pick("Newest notices", "最新的通知")));
            let older = page.older.map(|id| (at(of, Some(id)), l.pick("Older notices", "更早的通知")));
            let pages: Vec<(String, &str)> = all.into_iter().chain(newest).chain(older).collect();
            sections::notices(view, sections::notices_caption(l, of, before), &page.lines, &pages)
        }
        "orphans" if session.actor.account == OPERATOR => sections::orphans(view, figures),
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
    let l = view.lang;
    let name: String = iccid.chars().filter(char::is_ascii_alphanumeric).collect();
    let (status, body) = match card_inside(&portal, &session, &view, &iccid).await {
        Ok((StatusCode::OK, inside)) => {
            let source = Asked::default().address(&format!("/fragment/sims/{name}"), l);
            (StatusCode::OK, Html(format!("<div id=\"one\" data-src=\"{}\">{inside}</div>", Html::text(&source))))
        }
        Ok(other) => other,
        Err(fail) => return broken(l, &fail),
    };
    let account = account_name(&portal, &session);
    let other = Asked::default().address(&format!("/sims/{name}"), l.other());
    let person = Some((&session, account.as_str()));
    let live = status == StatusCode::OK;
    let shown = page::Page { lang: l, title: l.pick("Card", "卡片"), other: &other, person, live };
    remember(asked.lang.as_deref(), (status, page::whole(&portal, &shown, &body)).into_response())
}

async fn card_fragment(
    State(portal): State<Arc<Portal>>,
    Path(iccid): Path<String>,
    asked: Asked,
    headers: HeaderMap,
) -> Response {
    let session = match login::person(&portal, &headers).await {
        Ok(session) => session,
        Err(response) if response.status().is_redirection() => return StatusCode::UNAUTHORIZED.into_response(),
        Err(response) => return response,
    };
    let view = view(&portal, &asked, &headers, &session);
    match card_inside(&portal, &session, &view, &iccid).await {
        Ok((status, inside)) => (status, axum::response::Html(inside.0)).into_response(),
        Err(fail) => broken(view.lang, &fail),
    }
}

/// What is shown of a card, or that there is none.
async fn card_inside(
    portal: &Arc<Portal>,
    session: &Session,
    view: &View,
    iccid: &str,
) -> kachi_engine::Result<(StatusCode, Html)> {
    let (l, actor) = (view.lang, session.actor.clone());
    let found = match Iccid::parse(iccid) {
        Ok(iccid) => {
            let read = move |engine: &Engine| {
                Ok((overview::card(engine, &actor, &iccid)?, diagnose::diagnose(engine, &actor, &iccid, None)?))
            };
            portal.engine.off_thread(read).await.map(Some)
        }
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some((card, report))) => Ok((StatusCode::OK, card::body(view, &card, (&report, session.actor.account == OPERATOR)))),
        Err(fail) if !overview::is_unknown_card(&fail) => Err(fail),
        _ => Ok((
            StatusCode::NOT_FOUND,
            Html(format!(
                "<h1>{}</h1><p><a href=\"/\">{}</a></p>",
                l.pick("No such card", "没有此卡"),
                l.pick("← All cards", "← 全部卡")
            )),
        )),
    }
}

fn title(lang: Lang, name: &str) -> &'static str {
    match name {
        "counts" => lang.pick("At a glance", "概况"),
        "accounts" => lang.pick("Accounts", "账户"),
        "usage" => lang.pick("Usage", "用量"),
        "sims" => lang.pick("Cards", "卡片"),
        "orders" => lang.pick("Orders", "订单"),
        "notices" => lang.pick("Notices", "通知"),
        "orphans" => lang.pick("Usage without card", "无主话单"),
        _ => lang.pick("The demo's receiver", "演示接收端"),
    }
}

fn search(lang: Lang, asked: &Asked) -> String {
    let all = if asked.q.is_empty() && asked.before.is_none() && asked.cards == Cards::All {
        String::new()
    } else {
        format!("<a href=\"/#sims-s\">{}</a>", lang.pick("Newest cards", "最新的卡"))
    };
    format!(
        "<form class=\"search\" role=\"search\" action=\"/#sims-s\"><label for=\"q\">{}</label>\
         <input id=\"q\" name=\"q\" type=\"search\" inputmode=\"text\" autocomplete=\"off\" maxlength=\"40\" value=\"{}\">\
         <button type=\"submit\">{}</button>{all}</form>",
        lang.pick(
            "ICCID, MSISDN, IMSI or EID, or how it begins; of an ICCID or MSISDN also its last 4 digits or more",
            "ICCID、号码、IMSI 或 EID，或其开头；ICCID 与号码也可输入末 4 位或更多",
        ),
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

/// An address where there is nothing; people are shown the way back.
async fn nowhere(State(portal): State<Arc<Portal>>, asked: Asked, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if !accepts.is_some_and(|value| value.contains("text/html")) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let l = Lang::choose(asked.lang.as_deref(), &headers);
    let (title, back) = l.pick(("There is no such page", "To the overview"), ("没有此页面", "返回总览"));
    // Not its own address: `//another.example` would lead there.
    let other = Asked::default().address("/", l.other());
    let shown = page::Page { lang: l, title, other: &other, person: None, live: false };
    let body = Html(format!("<h1>{title}</h1><p><a href=\"/\">{back}</a></p>"));
    remember(asked.lang.as_deref(), (StatusCode::NOT_FOUND, page::whole(&portal, &shown, &body)).into_response())
}

/// The answer when something of ours failed; the words go to the log only.
fn broken(lang: Lang, fail: &Fail) -> Response {
    if !fail.is_lost() {
        tracing::error!(error = %fail, "the portal cannot answer");
    }
    let words = lang.pick("Something failed here. It has been logged; try again in a moment.", "系统出错，已记录。请稍后再试。");
    (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
}
