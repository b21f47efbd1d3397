//! The frame around everything: head, top bar, banners, foot.

use super::html::{Esc, Html};
use super::lang::Lang;
use super::{Portal, assets};
use kachi_engine::overview::Session;
use std::fmt::Write;

/// What the frame needs to know.
pub struct Page<'a> {
    /// The language.
    pub lang: Lang,
    /// The page's title.
    pub title: &'a str,
    /// Its address in the other language.
    pub other: &'a str,
    /// Who looks, with the account's name.
    pub person: Option<(&'a Session, &'a str)>,
    /// Whether its sections refresh themselves.
    pub live: bool,
}

/// The whole page.
pub fn whole(portal: &Portal, page: &Page<'_>, body: &Html) -> axum::response::Html<String> {
    let l = page.lang;
    let mut out = String::with_capacity(body.0.len() + 4096);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{} · Kachi</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <link rel=\"icon\" href=\"{}\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"{}\">",
        l.tag(),
        Esc(page.title),
        assets::address("icon.svg"),
        assets::address("page.css")
    );
    if page.live {
        let _ = write!(out, "<script src=\"{}\" defer></script>", assets::address("page.js"));
    }
    let _ = write!(
        out,
        "</head><body><a class=\"skip\" href=\"#main\">{}</a>{}<main id=\"main\">{}{body}</main>\
         <footer><p>Kachi {} · {}</p></footer></body></html>",
        l.pick("Skip to the content", "跳到内容"),
        bar(page),
        banners(portal, page),
        env!("CARGO_PKG_VERSION"),
        l.pick("Sizes in powers of 1024; times of your account's zone", "大小按 1024 进制；时间为账户所在时区"),
    );
    axum::response::Html(out)
}

fn bar(page: &Page<'_>) -> String {
    let l = page.lang;
    let mut out = String::from("<header><a class=\"brand\" href=\"/\">Kachi</a>");
    if let Some((session, account)) = page.person {
        let _ = write!(
            out,
            "<span class=\"who\">{} <small>{} · {}</small></span>",
            Esc(account),
            Esc(&session.login),
            Esc(l.term(&session.role))
        );
    }
    out += "<span class=\"space\"></span>";
    if page.live {
        let _ = write!(
            out,
            "<button type=\"button\" id=\"pause\" aria-pressed=\"false\" hidden>{}</button>",
            l.pick("Pause updates", "暂停刷新")
        );
    }
    let (tag, name) = (l.other().tag(), l.pick("中文", "English"));
    let _ = write!(out, "<a href=\"{}\" lang=\"{tag}\" hreflang=\"{tag}\">{name}</a>", Esc(page.other));
    if page.person.is_some() {
        let _ = write!(
            out,
            "<form method=\"post\" action=\"/logout\"><button type=\"submit\">{}</button></form>",
            l.pick("Log out", "退出")
        );
    }
    out + "</header>"
}

fn banners(portal: &Portal, page: &Page<'_>) -> String {
    let l = page.lang;
    let mut out = String::new();
    let mut banner = |words: &str| {
        let _ = write!(out, "<p class=\"banner warn\" role=\"note\">{}</p>", Esc(words));
    };
    if portal.demo {
        banner(l.pick(
            "Demo: accounts, cards and usage are made up, and no carrier is asked.",
            "演示模式：账户、卡与用量均为虚构，不会连接运营商。",
        ));
    }
    if portal.clock_offset_seconds != 0 {
        let by = portal.clock_offset_seconds;
        banner(&l.pick(
            format!("The clock is shifted by {by:+} seconds: every time shown here is the shifted one."),
            format!("时钟偏移 {by:+} 秒：本页所有时间均为偏移后的时间。"),
        ));
    }
    if page.live {
        let lost = l.pick("The connection is lost: the figures below are not being refreshed.", "连接中断：以下数据未在刷新。");
        let _ = write!(out, "<p class=\"banner bad\" role=\"status\" id=\"lost\" hidden>{lost}</p>");
    }
    out
}
